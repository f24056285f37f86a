//! The lease of [`crate::target::lease`] over OpenWire: its queue's consumer, and the claim that holds it.

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{
    Class, Command, ConsumerId, ConsumerInfo, Content, EncodeError, Message, MessageAck, MessageDispatch, MessageId,
    ProducerId, ProducerInfo, SessionInfo, TransactionId, TransactionInfo, TransactionType,
};
use super::connection::{Connection, Deliveries};
use super::refusal;
use super::trial::Trials;
use super::unit::OpenWireUnit;
use crate::channel::record::{ChannelKey, SyncRecord};
use crate::mapping::Destination;
use crate::target::lease::{BARRIER, Claiming, Decision, Lease, RECORD, Seen, TakeOver, WINDOW, refused_by};
use crate::target::{Claim, Claimed, Limits, Side, TargetError};
use crate::wire::Luwid;

/// What a frame has besides its message's body and properties, and more; below the broker's limit by so much a message
/// surely passes.
const HEAD_ROOM: u64 = 64 * 1024;

/// The lease on one channel, with the connection that carries it.
#[derive(Debug)]
pub struct OpenWireClaim {
    pub(super) session: Session,
    pub(super) record: Record,
    pub(super) limits: Limits,
    /// Whether the broker refuses a commit when it has refused a message unasked ([`super::trial`]).
    pub(super) answers_at_commit: bool,
}

/// A session with its one producer, on a connection of its own.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Connection,
    producer: ProducerId,
    last_message: i64,
    last_transaction: i64,
}

/// The record's consumer, and what is known of the record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) deliveries: Deliveries,
    consumer: ConsumerId,
    /// What came meanwhile for a feed's consumers.
    pub(super) aside: VecDeque<Box<MessageDispatch>>,
    pub(super) lease: Lease<MessageId>,
}

impl Session {
    /// Opens a session, its producer, and an exclusive consumer of `queue`. The answers are waited for together.
    pub(super) async fn open(
        connection: Connection,
        queue: &str,
        limit: Duration,
    ) -> Result<(Self, ConsumerId), TargetError> {
        let session = connection.id().session(1);
        let (producer, consumer) = (session.producer(1), session.consumer(1));
        let mut info = ConsumerInfo::new(consumer.clone(), Destination::Queue(queue.to_owned()), WINDOW.into());
        info.exclusive = true;
        let opening = [
            connection.ask(SessionInfo { session_id: session })?,
            connection.ask(ProducerInfo::new(producer.clone()))?,
            connection.ask(info)?,
        ];
        for mut asked in opening {
            connection
                .answer(&mut asked, "opening a session", limit)
                .await?
                .map_err(|why| refusal::of_queue(connection.broker(), queue, &why))?;
        }
        Ok((Self { connection, producer, last_message: 0, last_transaction: 0 }, consumer))
    }

    /// What the broker tells the next message apart by.
    pub(super) fn next_message(&mut self) -> MessageId {
        self.last_message += 1;
        self.producer.message(self.last_message)
    }

    /// A text message to a queue of our own: persistent, of one priority, without a lifetime, so that all keep their
    /// order.
    pub(super) fn text(
        &mut self,
        queue: &str,
        kind: &str,
        text: String,
        transaction: Option<TransactionId>,
    ) -> Result<Message, EncodeError> {
        let mut message = Message::with_content(&Content::Text(Some(text)))?;
        message.destination = Some(Destination::Queue(queue.to_owned()));
        message.message_type = Some(kind.to_owned());
        message.persistent = true;
        message.priority = 4;
        message.transaction_id = transaction;
        message.message_id = Some(self.next_message());
        message.producer_id = Some(self.producer.clone());
        Ok(message)
    }

    /// The error of a message of our own that cannot be written.
    pub(super) fn unwritable(&self, error: &EncodeError) -> TargetError {
        TargetError { side: Side::Ours, text: format!("{}: {error}", self.connection.broker()), retry: false }
    }

    /// A new transaction's name.
    pub(super) fn next_transaction(&mut self) -> TransactionId {
        self.last_transaction += 1;
        self.connection.id().transaction(self.last_transaction)
    }

    /// A step of a transaction.
    pub(super) fn step(&self, transaction: &TransactionId, step: TransactionType) -> TransactionInfo {
        TransactionInfo {
            connection_id: Some(self.connection.id().clone()),
            transaction_id: Some(transaction.clone()),
            step,
        }
    }
}

/// Acknowledges one message, in `transaction` if there is one.
pub(super) fn acknowledge(
    queue: &str,
    consumer: &ConsumerId,
    id: MessageId,
    transaction: Option<&TransactionId>,
) -> MessageAck {
    MessageAck::individual(Destination::Queue(queue.to_owned()), consumer.clone(), id, transaction.cloned())
}

/// What a delivery shows: JMSType and text are read out first, for they must live longer.
pub(super) struct Read {
    kind: Option<String>,
    text: Option<String>,
    expires: bool,
    id: MessageId,
}

impl Read {
    /// None where a dispatch has no message, which ends a browse and means nothing here.
    pub(super) fn of(dispatch: MessageDispatch) -> Option<Self> {
        let message = dispatch.message?;
        let text = match (message.class, message.body()) {
            (Class::Text, Ok(Content::Text(text))) => text,
            _ => None,
        };
        let Message { fields, .. } = *message;
        let (kind, expires) = (fields.message_type, fields.expiration != 0);
        Some(Self { kind, text, expires, id: fields.message_id? })
    }

    /// For the lease.
    pub(super) fn seen(&self) -> Seen<'_> {
        Seen { kind: self.kind.as_deref(), text: self.text.as_deref(), expires: self.expires }
    }

    /// Its id.
    pub(super) fn id(&self) -> MessageId {
        self.id.clone()
    }
}

impl OpenWireClaim {
    /// Takes the lease over `connection`, which has the channel's client id.
    pub(super) async fn take(
        connection: Connection,
        mut deliveries: Deliveries,
        key: &ChannelKey,
        limits: Limits,
        trials: &Trials,
    ) -> Result<Claimed<Self>, TargetError> {
        let mut claiming = Claiming::new(key);
        let (mut session, consumer) = Session::open(connection, claiming.queue(), limits.answer).await?;
        let barrier = session.text(claiming.queue(), BARRIER, claiming.barrier().to_owned(), None);
        let barrier = barrier.map_err(|error| session.unwritable(&error))?;
        let mut asked = session.connection.ask(barrier)?;
        let doing = "sending to the sync record's queue";
        let answer = session.connection.answer(&mut asked, doing, limits.answer).await?;
        answer.map_err(|why| refused_by(session.connection.broker(), claiming.queue(), &why.to_string()))?;
        while let Some(wait) = claiming.wait(&limits) {
            let doing = "receiving from the sync record's queue";
            let Some(dispatch) = session.connection.next(&mut deliveries, doing, wait).await? else { break };
            if let Some(read) = Read::of(*dispatch) {
                claiming.arrived(read.seen(), read.id())?;
            }
        }
        let TakeOver { lease, to_take, text } = match claiming.decide(session.connection.broker())? {
            Decision::TakeOver(take_over) => *take_over,
            Decision::Held(text) => {
                session.connection.close().await;
                return Ok(Claimed::Held(text));
            }
        };
        let record = Record { deliveries, consumer, aside: VecDeque::new(), lease };
        let mut claim = Self { session, record, limits, answers_at_commit: false };
        claim.take_over(to_take, text).await?;
        claim.answers_at_commit = trials.answers_at_commit(&mut claim.session, limits.answer).await?;
        Ok(Claimed::Ours(claim))
    }

    /// One transaction: takes everything that was read and sends the record anew, as ours.
    async fn take_over(&mut self, to_take: Vec<MessageId>, text: String) -> Result<(), TargetError> {
        let Self { session, record, limits, .. } = self;
        let doing = "taking the lease";
        let transaction = session.next_transaction();
        let mut asked = vec![session.connection.ask(session.step(&transaction, TransactionType::Begin))?];
        for id in to_take {
            let ack = acknowledge(record.lease.queue(), &record.consumer, id, Some(&transaction));
            asked.push(session.connection.ask(Command::MessageAck(Box::new(ack)))?);
        }
        let message = session.text(record.lease.queue(), RECORD, text, Some(transaction.clone()));
        asked.push(session.connection.ask(message.map_err(|error| session.unwritable(&error))?)?);
        let connection = &session.connection;
        for mut asked in asked {
            let answer = connection.answer(&mut asked, doing, limits.answer).await?;
            answer.map_err(|why| record.lease.refused(connection.broker(), &why.to_string()))?;
        }
        let commit = session.step(&transaction, TransactionType::CommitOnePhase);
        connection.call(commit, doing, limits.commit).await.inspect_err(|_| connection.cut())?;
        record.receive_back(connection, limits.answer).await
    }
}

impl Record {
    /// Makes sure that the record we hold, and nothing else, is here: waits for it if it is on its way.
    pub(super) async fn receive_back(&mut self, connection: &Connection, limit: Duration) -> Result<(), TargetError> {
        while self.lease.awaits() {
            let doing = "receiving from the sync record's queue";
            let Some(dispatch) = connection.next(&mut self.deliveries, doing, limit).await? else {
                return Err(self.lease.overdue());
            };
            self.arrived(connection, dispatch)?;
        }
        // Nothing may follow it but the barriers of those who wait.
        while let Ok(dispatch) = self.deliveries.try_recv() {
            self.arrived(connection, dispatch)?;
        }
        Ok(())
    }

    /// Takes a delivery in, or puts it aside.
    pub(super) fn arrived(
        &mut self,
        connection: &Connection,
        dispatch: Box<MessageDispatch>,
    ) -> Result<(), TargetError> {
        if dispatch.consumer_id != self.consumer {
            self.aside.push_back(dispatch);
            return Ok(());
        }
        let Some(read) = Read::of(*dispatch) else { return Ok(()) };
        match self.lease.arrived(read.seen(), read.id())? {
            None => Ok(()),
            Some(barrier) => connection.tell(acknowledge(self.lease.queue(), &self.consumer, barrier, None)),
        }
    }

    /// The held record's id and its acknowledgement within `transaction`; from here on only a commit keeps the lease, or a
    /// rollback that was answered, after which the id is put back.
    pub(super) async fn take_held(
        &mut self,
        connection: &Connection,
        transaction: &TransactionId,
        limit: Duration,
    ) -> Result<(MessageId, MessageAck), TargetError> {
        self.receive_back(connection, limit).await?;
        let id = self.lease.take_held()?;
        let ack = acknowledge(self.lease.queue(), &self.consumer, id.clone(), Some(transaction));
        Ok((id, ack))
    }
}

impl Claim for OpenWireClaim {
    type Unit<'a> = OpenWireUnit<'a>;

    fn record(&self) -> Option<&SyncRecord> {
        self.record.lease.sync()
    }

    async fn begin(&mut self, _luwid: Luwid) -> Result<OpenWireUnit<'_>, TargetError> {
        self.check().await?;
        Ok(OpenWireUnit::begin(self))
    }

    async fn lost(&mut self) -> TargetError {
        let error = self.until_lost().await;
        self.record.lease.end(error.clone());
        error
    }

    fn max_message_bytes(&self) -> Option<u64> {
        self.session.connection.max_frame().map(|bytes| bytes.saturating_sub(HEAD_ROOM).max(1))
    }

    async fn release(self) {
        self.session.connection.close().await;
    }
}

impl OpenWireClaim {
    /// Whether it can still be used.
    pub(super) async fn check(&mut self) -> Result<(), TargetError> {
        if let Some(error) = self.record.lease.ended() {
            return Err(error.clone());
        }
        if self.session.connection.has_ended() {
            let error = self.session.connection.lost_while("idle").await;
            self.record.lease.end(error.clone());
            return Err(error);
        }
        Ok(())
    }

    async fn until_lost(&mut self) -> TargetError {
        let Self { session, record, limits, .. } = self;
        if let Some(error) = record.lease.ended() {
            return error.clone();
        }
        loop {
            if let Err(error) = record.receive_back(&session.connection, limits.answer).await {
                return error;
            }
            let Some(dispatch) = record.deliveries.recv().await else {
                return session.connection.lost_while("idle").await;
            };
            if let Err(error) = record.arrived(&session.connection, dispatch) {
                return error;
            }
        }
    }
}
