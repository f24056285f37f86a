//! The lease on a channel: one message on a queue of its own, held unacknowledged while the channel runs.
//!
//! Two locks guard it: the container id, which the broker gives to one connection at a time and frees only after that
//! connection's transaction is rolled back, and an exclusive consumer on the queue. To tell "no record" from "held by
//! another" the claim sends a marker, the barrier, through the same queue and waits for it to come back.
//!
//! ```text
//! claim:  attach -> send barrier -> receive until it is back -> one transaction: take all, send the record anew
//! batch:  one transaction: take the held record, send its successor and the messages -> commit -> receive it
//! ```

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::transaction::{
    Controller, ControllerSendError, Transaction, TransactionDischarge as _, TransactionRetirement as _,
};
use fe2o3_amqp::types::messaging::{
    AmqpValue, Body, Header, Message, Outcome as AmqpOutcome, Priority, Properties, Source, Target as AmqpDestination,
};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Delivery, Receiver, Sendable, Sender};
use futures_util::FutureExt as _;

use super::Limits;
use super::connection::{Connection, say};
use super::message::Outgoing;
use super::unit::{AmqpUnit, LearnedLimit, Posted, answered, post};
use crate::channel::record::{ChannelKey, SyncRecord};
use crate::target::record::{LeaseRecord, describe, fresh_holder, sync_queue};
use crate::target::{Claim, Claimed, Side, TargetError};
use crate::wire::Luwid;

/// Subject of a record, of a barrier.
const RECORD: &str = "record";
const BARRIER: &str = "barrier";
/// Deliveries that may be on their way: the record, and the barriers of waiting starters.
const CREDIT: u32 = 10;

/// The lease on one channel, with the connection that carries it.
#[derive(Debug)]
pub struct AmqpClaim {
    // Links first: they are dropped before the connection that they belong to.
    controller: Controller,
    sender: Sender,
    lease: Lease,
    connection: Connection,
    limits: Limits,
    learned: Arc<LearnedLimit>,
}

/// The record's consumer, and what is known of the record.
#[derive(Debug)]
pub(super) struct Lease {
    receiver: Receiver,
    key: ChannelKey,
    queue: String,
    holder: String,
    epoch: u64,
    held: Held,
    sync: Option<SyncRecord>,
    /// A unit was dropped, not rolled back; see [`declare`].
    unit_was_dropped: bool,
    /// Why the claim is of no more use.
    ended: Option<TargetError>,
}

/// The record that is ours now.
#[derive(Debug)]
enum Held {
    /// Committed; it has not come back to us yet.
    Awaited(String),
    /// Delivered and not acknowledged.
    Delivered(DeliveryInfo),
    /// Acknowledged in a transaction whose end is not known; or none yet.
    None,
}

/// What can come from the queue.
enum Incoming {
    Barrier(String),
    Record(Box<LeaseRecord>, String),
}

impl AmqpClaim {
    /// Takes the lease over `connection`, which has the channel's container id.
    pub(super) async fn take(
        mut connection: Connection,
        key: &ChannelKey,
        limits: Limits,
        learned: Arc<LearnedLimit>,
    ) -> Result<Claimed<Self>, TargetError> {
        let queue = sync_queue(key);
        let (controller, sender, receiver) = attach(&mut connection, &queue, limits.answer).await?;
        let lease = Lease {
            receiver,
            key: key.clone(),
            queue,
            holder: fresh_holder(),
            epoch: 0,
            held: Held::None,
            sync: None,
            unit_was_dropped: false,
            ended: None,
        };
        let mut claim = Self { controller, sender, lease, connection, limits, learned };
        let (to_take, records) = match claim.read_queue().await? {
            Read::All(to_take, records) => (to_take, records),
            Read::Nothing(text) => {
                claim.release().await;
                return Ok(Claimed::Held(text));
            }
        };
        let last = choose(records, &claim.lease.queue)?;
        claim.take_over(to_take, last).await?;
        Ok(Claimed::Ours(claim))
    }

    /// Sends a barrier and receives until it is back.
    async fn read_queue(&mut self) -> Result<Read, TargetError> {
        let Self { sender, lease, connection, limits, .. } = self;
        let barrier = sync_message(&lease.queue, BARRIER, lease.holder.clone());
        let sent = sender.send(Sendable::builder().message(barrier).build());
        match connection.wait("sending to the sync record's queue", limits.answer, sent).await? {
            AmqpOutcome::Accepted(_) => {}
            AmqpOutcome::Rejected(rejected) => {
                let why = rejected.error.as_ref().map_or_else(|| "no reason given".to_owned(), say);
                return Err(lease.refused(connection.broker(), &why));
            }
            other => return Err(lease.refused(connection.broker(), &super::connection::one_line(&other))),
        }
        let (mut to_take, mut records) = (Vec::new(), Vec::new());
        let mut limit = limits.answer;
        let mut barrier_is_back = false;
        loop {
            let Some(delivery) = lease.next(connection, limit).await? else {
                if barrier_is_back {
                    return Ok(Read::All(to_take, records));
                }
                return Ok(Read::Nothing(format!(
                    "{} of {} is held by another consumer of {}",
                    describe(&lease.key),
                    connection.broker(),
                    lease.queue
                )));
            };
            match lease.read(&delivery)? {
                Incoming::Barrier(holder) => barrier_is_back |= holder == lease.holder,
                Incoming::Record(record, text) => records.push((*record, text)),
            }
            to_take.push(DeliveryInfo::from(delivery));
            if barrier_is_back {
                if !records.is_empty() {
                    return Ok(Read::All(to_take, records));
                }
                // The second lock: a record that a dying connection's transaction still hides would come now.
                limit = limits.no_record;
            }
        }
    }

    /// One transaction: takes everything that was read and sends the record anew, as ours.
    async fn take_over(&mut self, to_take: Vec<DeliveryInfo>, last: Option<LeaseRecord>) -> Result<(), TargetError> {
        let Self { controller, sender, lease, connection, limits, .. } = self;
        let (epoch, sync) = last.map_or((0, None), |record| (record.epoch, record.sync));
        lease.epoch = epoch + 1;
        lease.sync = sync;
        let text = lease.text(lease.sync.clone());
        let doing = "taking the lease";
        let mut transaction = connection.wait(doing, limits.answer, Transaction::declare(controller, None)).await?;
        for delivery in to_take {
            connection.wait(doing, limits.answer, transaction.accept(&mut lease.receiver, delivery)).await?;
        }
        let message = sync_message(&lease.queue, RECORD, text.clone());
        match post(connection, &transaction, sender, message, limits.answer).await? {
            Posted::Sent(answer) => {
                if let Err(refusal) = answered(connection, answer, limits.answer).await? {
                    return Err(lease.refused(connection.broker(), &refusal.text));
                }
            }
            Posted::Refused(refusal) => return Err(lease.refused(connection.broker(), &refusal.text)),
        }
        connection.wait(doing, limits.commit, transaction.discharge(false)).await.inspect_err(|_| connection.cut())?;
        lease.held = Held::Awaited(text);
        lease.receive_back(connection, limits.answer).await
    }
}

/// What the queue held.
enum Read {
    /// Everything up to our barrier.
    All(Vec<DeliveryInfo>, Vec<(LeaseRecord, String)>),
    /// Not even our barrier.
    Nothing(String),
}

pub(super) async fn attach(
    connection: &mut Connection,
    queue: &str,
    limit: Duration,
) -> Result<(Controller, Sender, Receiver), TargetError> {
    let Connection { session, .. } = connection;
    let links = async {
        let controller =
            Controller::attach(session, "mqferry-transactions").await.map_err(|error| link_error(&error))?;
        let sender = Sender::builder()
            .name("mqferry-producer")
            .target(AmqpDestination::builder().build())
            .attach(session)
            .await
            .map_err(|error| link_error(&error))?;
        let source = Source::builder().address(format!("queue://{queue}?consumer.exclusive=true")).build();
        let receiver = Receiver::builder()
            .name("mqferry-record")
            .source(source)
            .credit_mode(CreditMode::Auto(CREDIT))
            .auto_accept(false)
            .attach(session)
            .await
            .map_err(|error| link_error(&error))?;
        Ok::<_, String>((controller, sender, receiver))
    };
    let outcome = tokio::time::timeout(limit, links).await;
    match outcome {
        Ok(Ok(links)) => Ok(links),
        Ok(Err(text)) => Err(TargetError {
            side: Side::Broker,
            retry: !text.contains("not authorized") && !text.contains("UnauthorizedAccess"),
            text: format!(
                "{} lets us not use queue {queue}: {text}: the user needs read, write and admin on MQFERRY.>",
                connection.broker()
            ),
        }),
        Err(_) => Err(TargetError {
            side: Side::Network,
            text: format!("{} did not answer within {limit:?} while attaching", connection.broker()),
            retry: true,
        }),
    }
}

/// Begins a transaction.
///
/// `again`: a transaction was dropped before. The library then rolls it back with a delivery tag that the next
/// message on the control link uses, too, so the answer to that rollback can be taken for the answer to this declare;
/// declaring once more is right then. What was declared in between stays empty and ends with the connection.
async fn declare<'c>(
    connection: &Connection,
    controller: &'c Controller,
    again: bool,
    limit: Duration,
) -> Result<Transaction<'c>, TargetError> {
    let declaring = async {
        match Transaction::declare(controller, None).await {
            Err(ControllerSendError::IllegalDeliveryState) if again => Transaction::declare(controller, None).await,
            outcome => outcome,
        }
    };
    connection.wait("beginning a transaction", limit, declaring).await
}

fn link_error(error: &impl Debug) -> String {
    super::connection::one_line(error)
}

/// A record or barrier: persistent, of one priority, without a lifetime, so that all keep their order.
pub(super) fn sync_message(queue: &str, subject: &str, text: String) -> Outgoing {
    Message {
        header: Some(Header { durable: true, priority: Priority(4), ..Header::default() }),
        delivery_annotations: None,
        message_annotations: None,
        properties: Some(Properties {
            to: Some(format!("queue://{queue}")),
            subject: Some(subject.to_owned()),
            ..Properties::default()
        }),
        application_properties: None,
        body: Body::Value(AmqpValue(Value::String(text))),
        footer: None,
    }
}

/// The broker does not take what the gateway itself must write.
pub(super) fn refused_by(broker: &str, queue: &str, why: &str) -> TargetError {
    // The raw transformer does not look for the address in a message.
    let fix = if why.contains("Missing to field") {
        "set transport.transformer=jms on its AMQP connector"
    } else {
        "the user needs read, write and admin on MQFERRY.>"
    };
    TargetError {
        side: Side::Broker,
        text: format!("{broker} refuses our messages on queue {queue}: {why}: {fix}"),
        retry: false,
    }
}

/// Whether the broker gave it a lifetime; we never do.
pub(super) fn expires(message: &Message<Body<Value>>) -> bool {
    let ttl = message.header.as_ref().and_then(|header| header.ttl).unwrap_or_default();
    let at = message.properties.as_ref().and_then(|properties| properties.absolute_expiry_time.as_ref());
    ttl != 0 || at.is_some_and(|at| at.milliseconds() != 0)
}

/// The record that counts. Several can only come of a foreign sender or of a lease that was lost; one is taken by
/// itself only where it is plainly the successor of all others.
fn choose(mut records: Vec<(LeaseRecord, String)>, queue: &str) -> Result<Option<LeaseRecord>, TargetError> {
    let sequence = |record: &LeaseRecord| record.sync.as_ref().map_or(0, |sync| sync.sequence);
    records.sort_by_key(|(record, _)| (record.epoch, sequence(record)));
    let Some((last, text)) = records.pop() else {
        return Ok(None);
    };
    let is_ancestor = |(other, its_text): &(LeaseRecord, String)| {
        *its_text == text || (other.epoch < last.epoch && sequence(other) <= sequence(&last))
    };
    if records.iter().all(is_ancestor) {
        return Ok(Some(last));
    }
    Err(TargetError {
        side: Side::Ours,
        text: format!(
            "queue {queue} holds {} sync records of which none plainly follows the others: look at them, ask the \
             partner for its last sequence number, and remove the wrong ones",
            records.len() + 1
        ),
        retry: false,
    })
}

impl Lease {
    fn text(&self, sync: Option<SyncRecord>) -> String {
        let record = LeaseRecord { key: self.key.clone(), epoch: self.epoch, holder: self.holder.clone(), sync };
        record.to_text()
    }

    /// The next delivery, or none within `limit`.
    async fn next(
        &mut self,
        connection: &Connection,
        limit: Duration,
    ) -> Result<Option<Delivery<Body<Value>>>, TargetError> {
        let receive = async {
            match tokio::time::timeout(limit, self.receiver.recv::<Body<Value>>()).await {
                Ok(delivery) => delivery.map(Some),
                Err(_) => Ok(None),
            }
        };
        connection.wait("receiving from the sync record's queue", limit + Duration::from_secs(1), receive).await
    }

    /// What a delivery is.
    fn read(&self, delivery: &Delivery<Body<Value>>) -> Result<Incoming, TargetError> {
        let message = delivery.message();
        let properties = message.properties.as_ref();
        if expires(message) {
            return Err(self.refuse(
                "gives its messages a lifetime, so the sync record would be lost: exclude MQFERRY.> from the \
                 time-stamping plug-in",
            ));
        }
        let text = match &message.body {
            Body::Value(AmqpValue(Value::String(text))) => text.as_str(),
            _ => {
                return Err(self.refuse(
                    "holds a message that is no sync record: remove it; if we wrote it, set \
                     transport.transformer=jms on the broker's AMQP connector",
                ));
            }
        };
        if properties.and_then(|it| it.subject.as_deref()) == Some(BARRIER) {
            return Ok(Incoming::Barrier(text.to_owned()));
        }
        match LeaseRecord::from_text(&self.key, text.as_bytes()) {
            Ok(record) => Ok(Incoming::Record(Box::new(record), text.to_owned())),
            Err(error) => Err(self.refuse(&format!("holds what is no record of this channel: {error}"))),
        }
    }

    fn refuse(&self, what: &str) -> TargetError {
        TargetError { side: Side::Broker, text: format!("queue {} {what}", self.queue), retry: false }
    }

    pub(super) fn refused(&self, broker: &str, why: &str) -> TargetError {
        refused_by(broker, &self.queue, why)
    }

    /// Makes sure that the record we hold, and nothing else, is here: waits for it if it is on its way.
    pub(super) async fn receive_back(&mut self, connection: &Connection, limit: Duration) -> Result<(), TargetError> {
        while let Held::Awaited(expected) = &self.held {
            let expected = expected.clone();
            let Some(delivery) = self.next(connection, limit).await? else {
                return Err(self.refuse("does not give our own record back: somebody else consumes from it"));
            };
            match self.read(&delivery)? {
                Incoming::Record(_, text) if text == expected => self.held = Held::Delivered(delivery.into()),
                Incoming::Record(..) => return Err(self.stray()),
                Incoming::Barrier(_) => self.skip(connection, delivery, limit).await?,
            }
        }
        // Nothing may follow it but the barriers of those who wait.
        while let Some(delivery) = self.receiver.recv::<Body<Value>>().now_or_never() {
            let delivery = connection.wait("receiving from the sync record's queue", limit, async { delivery }).await?;
            match self.read(&delivery)? {
                Incoming::Record(..) => return Err(self.stray()),
                Incoming::Barrier(_) => self.skip(connection, delivery, limit).await?,
            }
        }
        Ok(())
    }

    async fn skip(
        &mut self,
        connection: &Connection,
        delivery: Delivery<Body<Value>>,
        limit: Duration,
    ) -> Result<(), TargetError> {
        connection.wait("removing a barrier", limit, self.receiver.accept(&delivery)).await
    }

    fn stray(&self) -> TargetError {
        self.refuse("got a sync record that we did not write: another gateway of this name runs against this broker")
    }

    /// Acknowledges the held record within `transaction`; from here on only a commit keeps the lease.
    pub(super) async fn take_held(
        &mut self,
        connection: &Connection,
        transaction: &Transaction<'_>,
        limit: Duration,
    ) -> Result<(), TargetError> {
        self.receive_back(connection, limit).await?;
        let Held::Delivered(delivery) = std::mem::replace(&mut self.held, Held::None) else {
            return Err(self.refuse("has given us no record to replace"));
        };
        connection.wait("replacing the sync record", limit, transaction.accept(&mut self.receiver, delivery)).await
    }

    /// The message that replaces the held record, and its text.
    pub(super) fn successor(&self, sync: &SyncRecord) -> (Outgoing, String) {
        let text = self.text(Some(sync.clone()));
        (sync_message(&self.queue, RECORD, text.clone()), text)
    }

    /// The successor is committed and will come to us.
    pub(super) fn replaced(&mut self, sync: SyncRecord, text: String) {
        self.held = Held::Awaited(text);
        self.sync = Some(sync);
    }

    /// An open unit was dropped.
    pub(super) fn unit_dropped(&mut self) {
        self.unit_was_dropped = true;
    }

    /// The claim is of no more use.
    pub(super) fn end(&mut self, error: TargetError) {
        self.ended.get_or_insert(error);
    }
}

impl Claim for AmqpClaim {
    type Unit<'a> = AmqpUnit<'a>;

    fn record(&self) -> Option<&SyncRecord> {
        self.lease.sync.as_ref()
    }

    async fn begin(&mut self, _luwid: Luwid) -> Result<AmqpUnit<'_>, TargetError> {
        if let Some(error) = &self.lease.ended {
            return Err(error.clone());
        }
        let again = std::mem::take(&mut self.lease.unit_was_dropped);
        let transaction = match declare(&self.connection, &self.controller, again, self.limits.answer).await {
            Ok(transaction) => transaction,
            Err(error) => {
                self.lease.end(error.clone());
                self.connection.cut();
                return Err(error);
            }
        };
        // Those of a unit that was dropped; the broker answers in order, so no more of them can come.
        self.connection.watch.forget_refusals();
        Ok(AmqpUnit::new(transaction, &mut self.sender, &mut self.lease, &self.connection, self.limits, &self.learned))
    }

    async fn lost(&mut self) -> TargetError {
        let error = self.until_lost().await;
        self.lease.end(error.clone());
        error
    }

    fn max_message_bytes(&self) -> Option<u64> {
        let announced = self.sender.max_message_size().filter(|bytes| *bytes > 0);
        announced.into_iter().chain(self.learned.bytes()).min()
    }

    async fn release(self) {
        let Self { controller, sender, lease, connection, .. } = self;
        drop((controller, sender, lease));
        connection.close().await;
    }
}

impl AmqpClaim {
    async fn until_lost(&mut self) -> TargetError {
        let Self { lease, connection, limits, .. } = self;
        if let Some(error) = &lease.ended {
            return error.clone();
        }
        loop {
            if let Err(error) = lease.receive_back(connection, limits.answer).await {
                return error;
            }
            tokio::select! {
                biased;
                error = connection.ended() => return error,
                delivery = lease.receiver.recv::<Body<Value>>() => {
                    let delivery = match connection.wait("idle", limits.answer, async { delivery }).await {
                        Ok(delivery) => delivery,
                        Err(error) => return error,
                    };
                    match lease.read(&delivery) {
                        Ok(Incoming::Barrier(_)) => {
                            if let Err(error) = lease.skip(connection, delivery, limits.answer).await {
                                return error;
                            }
                        }
                        Ok(Incoming::Record(..)) => return lease.stray(),
                        Err(error) => return error,
                    }
                }
            }
        }
    }
}
