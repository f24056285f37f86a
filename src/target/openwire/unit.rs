//! One unit of work: a transaction of the broker that holds a batch's messages and, at the end, the sync record.
//!
//! Under [`Answers::Each`] messages are sent ahead of their answers, of which each is asked for: a refused message then
//! concerns itself alone and leaves the transaction usable. All answers are in before the commit. Each costs the broker a
//! disk sync.
//!
//! Under [`Answers::AtCommit`] no message asks, if the broker was seen to refuse the commit of a transaction of which it
//! refused something ([`super::trial`]): small messages leave together, and the commit's answer is the only one. If it is a
//! refusal, the rollback is answered, so that nothing of it is kept for certain, and the claim goes on.
//!
//! The record's acknowledgement and its successor leave together with the commit and ask for no answers, either way: record
//! and messages stand or fall together, at one round trip.

use std::collections::VecDeque;

use bytes::BytesMut;
use tokio::time::Instant;

use super::codec::{
    ConsumerId, EncodeError, Message, MessageAck, MessageId, Throwable, TransactionId, TransactionType,
};
use super::connection::Asked;
use super::lease::OpenWireClaim;
use super::trial::is_marked;
use super::{message, refusal};
use crate::channel::record::SyncRecord;
use crate::mapping::{Destination, Publication};
use crate::target::lease::{Kept, RECORD};
use crate::target::{Answers, Outcome, Refusal, Side, TargetError, Unit};

/// Bytes that may be on their way without an answer. A broker that holds its answers back, for its memory or store is
/// full, slows the channel by it; and our memory is bounded by it.
const ON_THE_WAY: u64 = 8 * 1024 * 1024;
/// Bytes of messages that wait for each other to leave together. Few enough for the broker to begin with them while the
/// rest of a batch comes.
const TOGETHER: usize = 16 * 1024;

/// A message that a feed's consumer has and did not acknowledge.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) from: Destination,
    pub(super) consumer: ConsumerId,
    pub(super) id: MessageId,
}

/// An open unit of work; dropping it rolls it back.
#[derive(Debug)]
pub struct OpenWireUnit<'a> {
    claim: &'a mut OpenWireClaim,
    transaction: TransactionId,
    begun: Begun,
    answers: Answers,
    /// Something was sent that only the commit answers for.
    unanswered: bool,
    /// What has not left yet and asks for no answers.
    unsent: BytesMut,
    /// Messages without an answer, in the order in which they were sent; number, bytes.
    pending: VecDeque<(usize, u64, Asked)>,
    on_the_way: u64,
    refusals: Vec<(usize, Refusal)>,
    /// Commit or rollback was ordered, or there is no connection any more.
    over: bool,
}

/// How far the transaction's beginning is.
#[derive(Debug)]
enum Begun {
    /// The broker knows nothing of it, and need not.
    No,
    /// It stands before all that is unsent.
    Unsent,
    /// It was sent, and its answer is to come.
    Asked(Asked),
    Yes,
}

impl Drop for OpenWireUnit<'_> {
    /// Commands are carried out in order, so whatever follows finds it rolled back.
    fn drop(&mut self) {
        if self.is_known() {
            let session = &self.claim.session;
            let rollback = session.step(&self.transaction, TransactionType::Rollback);
            if let Err(error) = session.connection.tell(rollback) {
                self.claim.record.lease.end(error);
                self.claim.session.connection.cut();
            }
        }
    }
}

impl<'a> OpenWireUnit<'a> {
    /// Begins the transaction, or does so with the first message.
    pub(super) fn begin(claim: &'a mut OpenWireClaim) -> Self {
        let transaction = claim.session.next_transaction();
        Self {
            claim,
            transaction,
            begun: Begun::No,
            answers: Answers::Each,
            unanswered: false,
            unsent: BytesMut::new(),
            pending: VecDeque::new(),
            on_the_way: 0,
            refusals: Vec::new(),
            over: false,
        }
    }

    /// Whether the broker has it, so that it must be rolled back if nothing else happens.
    fn is_known(&self) -> bool {
        !self.over && !matches!(self.begun, Begun::No | Begun::Unsent)
    }

    /// The unit is lost, and the claim with it.
    fn give_up(&mut self, error: TargetError) -> TargetError {
        self.over = true;
        (self.begun, self.on_the_way) = (Begun::No, 0);
        self.pending.clear();
        self.unsent.clear();
        self.claim.record.lease.end(error.clone());
        self.claim.session.connection.cut();
        error
    }

    /// A unit that was given up stays so.
    fn check(&self) -> Result<(), TargetError> {
        self.claim.record.lease.ended().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Begins the transaction, if that was not done yet; the answer is waited for with those of the messages, if there are
    /// any.
    fn start(&mut self, asking: bool) -> Result<(), TargetError> {
        if matches!(self.begun, Begun::No) {
            let session = &self.claim.session;
            let begin = session.step(&self.transaction, TransactionType::Begin);
            self.begun = if asking {
                Begun::Asked(session.connection.ask(begin)?)
            } else {
                let put = session.connection.put(begin, false, &mut self.unsent);
                put.map_err(|error| session.unwritable(&error))?;
                Begun::Unsent
            };
        }
        Ok(())
    }

    /// Sends what waits to leave together.
    async fn flush(&mut self) -> Result<(), TargetError> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        if matches!(self.begun, Begun::Unsent) {
            self.begun = Begun::Yes;
        }
        let bytes = self.unsent.split();
        self.claim.session.connection.send(bytes, "sending messages", self.claim.limits.settle).await?;
        // The task that writes was woken on this thread, and no other takes it from there: while we map the messages that
        // follow, the broker is to work on these.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Waits for the oldest answer that is not in, until `deadline`.
    async fn settle_one(&mut self, deadline: Instant) -> Result<(), TargetError> {
        let connection = &self.claim.session.connection;
        let left = || deadline.saturating_duration_since(Instant::now());
        if let Begun::Asked(begun) = &mut self.begun {
            let answer = connection.answer(begun, "beginning a transaction", left()).await?;
            self.begun = Begun::Yes;
            answer.map_err(|why| {
                refusal::of_connection(&format!("{} begins no transaction", connection.broker()), &why)
            })?;
        }
        let Some((index, bytes, asked)) = self.pending.front_mut() else { return Ok(()) };
        let answer = connection.answer(asked, "waiting for the answer to a message", left()).await?;
        let (index, bytes) = (*index, *bytes);
        self.pending.pop_front();
        self.on_the_way = self.on_the_way.saturating_sub(bytes);
        if let Err(why) = answer {
            self.refusals.push((index, refusal::of_message(connection.broker(), &why)?));
        }
        Ok(())
    }

    async fn settle_all(&mut self) -> Result<Vec<(usize, Refusal)>, TargetError> {
        if matches!(self.begun, Begun::Asked(_)) || !self.pending.is_empty() {
            let deadline = Instant::now() + self.claim.limits.settle;
            while matches!(self.begun, Begun::Asked(_)) || !self.pending.is_empty() {
                self.settle_one(deadline).await?;
            }
        }
        let mut refusals = std::mem::take(&mut self.refusals);
        refusals.sort_by_key(|(index, _)| *index);
        Ok(refusals)
    }

    /// Sends one message, once there is room on the way.
    async fn send(&mut self, index: usize, message: Message) -> Result<(), TargetError> {
        match self.answers {
            Answers::AtCommit => self.send_unasked(index, message).await,
            Answers::Each => self.send_asked(index, message).await,
        }
    }

    async fn send_unasked(&mut self, index: usize, message: Message) -> Result<(), TargetError> {
        self.start(false)?;
        let before = self.unsent.len();
        let put = self.claim.session.connection.put(message, false, &mut self.unsent);
        let bytes = self.unsent.len().saturating_sub(before + 4) as u64;
        if let Err(refusal) = self.fits(put, bytes) {
            self.unsent.truncate(before);
            self.refusals.push((index, refusal));
            return Ok(());
        }
        self.unanswered = true;
        if self.unsent.len() >= TOGETHER { self.flush().await } else { Ok(()) }
    }

    async fn send_asked(&mut self, index: usize, message: Message) -> Result<(), TargetError> {
        self.start(true)?;
        self.flush().await?;
        let ready = self.claim.session.connection.ready(message);
        let bytes = ready.as_ref().map_or(0, |ready| ready.frame_bytes());
        let ready = match self.fits(ready, bytes) {
            Ok(ready) => ready,
            Err(refusal) => {
                self.refusals.push((index, refusal));
                return Ok(());
            }
        };
        let deadline = Instant::now() + self.claim.limits.settle;
        while !self.pending.is_empty() && self.on_the_way + bytes > ON_THE_WAY {
            self.settle_one(deadline).await?;
        }
        self.on_the_way += bytes;
        let asked = self.claim.session.connection.post(ready);
        self.pending.push_back((index, bytes, asked));
        Ok(())
    }

    /// Whether a message could be written, and its frame of `bytes` is none that makes the broker close the connection,
    /// and with it break the whole batch.
    fn fits<R>(&self, written: Result<R, EncodeError>, bytes: u64) -> Result<R, Refusal> {
        let too_big = |text: String| Refusal { reason: Refusal::TOO_BIG, text };
        let written = written.map_err(|error| too_big(error.to_string()))?;
        match self.claim.session.connection.max_frame() {
            Some(limit) if bytes > limit => Err(too_big(format!(
                "{bytes} bytes on the wire are more than the {limit} that the broker takes: raise \
                 wireFormat.maxFrameSize on its OpenWire connector"
            ))),
            _ => Ok(written),
        }
    }

    /// Everything of a commit but the commit, put behind what has not left yet; gives the record's text, and the id of the
    /// one that it replaces.
    async fn prepare(&mut self, kept: &Kept, retire: Vec<Taken>) -> Result<(String, MessageId), TargetError> {
        self.check()?;
        if let Some((index, refusal)) = self.settle_all().await?.into_iter().next() {
            return Err(TargetError {
                side: Side::Ours,
                text: format!("message {index} was refused after the unit was settled: {refusal}"),
                retry: true,
            });
        }
        self.start(false)?;
        let OpenWireClaim { session, record: held, limits, answers_at_commit } = &mut *self.claim;
        let (taken, ack) = held.take_held(&session.connection, &self.transaction, limits.answer).await?;
        let text = held.lease.successor(kept);
        let message = session.text(held.lease.queue(), RECORD, text.clone(), Some(self.transaction.clone()));
        let message = message.map_err(|error| session.unwritable(&error))?;
        let room = session.connection.max_frame().unwrap_or(u64::MAX);
        if text.len() as u64 + 1024 > room {
            let why = format!("a record of {} bytes is more than the {room} that it takes", text.len());
            return Err(held.lease.refused(session.connection.broker(), &why));
        }
        let unwritable = |error| session.unwritable(&error);
        session.connection.put(ack, false, &mut self.unsent).map_err(unwritable)?;
        session.connection.put(message, false, &mut self.unsent).map_err(unwritable)?;
        let transaction = Some(&self.transaction);
        let retire =
            retire.into_iter().map(|it| MessageAck::individual(it.from, it.consumer, it.id, transaction.cloned()));
        if *answers_at_commit {
            for ack in retire {
                session.connection.put(ack, false, &mut self.unsent).map_err(unwritable)?;
            }
            return Ok((text, taken));
        }
        // A commit that says nothing of a refused acknowledgement would leave a message to be sent twice.
        let retire: Vec<_> = retire.collect();
        self.flush().await?;
        let connection = &self.claim.session.connection;
        let asked = retire.into_iter().map(|ack| connection.ask(ack)).collect::<Result<Vec<_>, _>>()?;
        for mut asked in asked {
            let answer = connection.answer(&mut asked, "retiring a message", self.claim.limits.answer).await?;
            answer.map_err(|why| refusal::of_connection(&format!("{} keeps a message", connection.broker()), &why))?;
        }
        Ok((text, taken))
    }

    /// Commits what was staged together with `kept`; messages that were taken leave their queues with it.
    pub(super) async fn finish(mut self, kept: Kept, retire: Vec<Taken>) -> Outcome {
        let prepared = self.prepare(&kept, retire).await.and_then(|prepared| {
            let session = &self.claim.session;
            let commit = session.step(&self.transaction, TransactionType::CommitOnePhase);
            let ready = session.connection.ready_behind(commit, &mut self.unsent);
            Ok((prepared, ready.map_err(|error| session.unwritable(&error))?))
        });
        let ((text, taken), ready) = match prepared {
            Ok(prepared) => prepared,
            // The commit was never sent, so the end of the connection rolls all of it back.
            Err(error) => return Outcome::RolledBack(self.give_up(error)),
        };
        self.over = true;
        let connection = &self.claim.session.connection;
        let mut asked = connection.post(ready);
        match connection.answer(&mut asked, "committing", self.claim.limits.commit).await {
            Ok(Ok(())) => {
                self.claim.record.lease.replaced(kept, text);
                Outcome::Committed
            }
            Ok(Err(why)) if is_marked(&why) => self.undo(&why, taken).await,
            // How far it came, only the record tells.
            Ok(Err(why)) => {
                let what = format!("{} failed while committing", connection.broker());
                Outcome::InDoubt(self.give_up(refusal::of_connection(&what, &why)))
            }
            Err(error) => Outcome::InDoubt(self.give_up(error)),
        }
    }

    /// The broker refused the commit for something that it had refused before. Only when it answers the rollback, too, is
    /// it certain that nothing of the unit is kept.
    async fn undo(&mut self, why: &Throwable, taken: MessageId) -> Outcome {
        let OpenWireClaim { session, record, limits, .. } = &mut *self.claim;
        let complaint = session.connection.complaint().unwrap_or_else(|| why.to_string());
        let text = format!("{} refused a message of the batch: {complaint}", session.connection.broker());
        let refused = TargetError { side: Side::Broker, text, retry: true };
        let rollback = session.step(&self.transaction, TransactionType::Rollback);
        match session.connection.call(rollback, "rolling back", limits.answer).await {
            Ok(()) if self.unanswered => {
                record.lease.put_back(taken);
                Outcome::Refused(refused)
            }
            // It was the record.
            Ok(()) => Outcome::RolledBack(self.give_up(refused)),
            Err(error) => Outcome::InDoubt(self.give_up(error)),
        }
    }
}

impl Unit for OpenWireUnit<'_> {
    fn answers(&mut self, when: Answers) -> Answers {
        self.answers = if self.claim.answers_at_commit { when } else { Answers::Each };
        self.answers
    }

    async fn stage(&mut self, index: usize, publication: Publication) -> Result<(), TargetError> {
        self.check()?;
        let id = self.claim.session.next_message();
        match message::to_openwire(publication, id, Some(self.transaction.clone())) {
            Ok(message) => match self.send(index, message).await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.give_up(error)),
            },
            Err(refusal) => {
                self.refusals.push((index, refusal));
                Ok(())
            }
        }
    }

    async fn settle(&mut self) -> Result<Vec<(usize, Refusal)>, TargetError> {
        self.check()?;
        match self.settle_all().await {
            Ok(refusals) => Ok(refusals),
            Err(error) => Err(self.give_up(error)),
        }
    }

    async fn commit(self, record: SyncRecord) -> Outcome {
        self.finish(Kept::Received(record), Vec::new()).await
    }

    async fn rollback(mut self) {
        if !self.is_known() {
            return;
        }
        let rollback = self.claim.session.step(&self.transaction, TransactionType::Rollback);
        let limit = self.claim.limits.answer;
        self.over = true;
        if let Err(error) = self.claim.session.connection.call(rollback, "rolling back", limit).await {
            self.give_up(error);
        }
    }
}
