//! One unit of work: a transaction of the broker that holds a batch's messages and, at the end, the sync record.
//!
//! Messages are sent ahead of their answers, of which each is asked for: a refused message then concerns itself alone
//! and leaves the transaction usable. All answers are in before the commit.
//!
//! The record's acknowledgement and its successor leave together with the commit and ask for no answers: a message of a
//! transaction that is refused unasked makes the broker refuse the commit, so record and messages still stand or fall
//! together, at one round trip.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::codec::{Message, TransactionId, TransactionType};
use super::connection::Asked;
use super::lease::OpenWireClaim;
use super::{message, refusal};
use crate::channel::record::SyncRecord;
use crate::mapping::Publication;
use crate::target::lease::RECORD;
use crate::target::{Outcome, Refusal, Side, TargetError, Unit};

/// Bytes that may be on their way without an answer. A broker that holds its answers back, for its memory or store is
/// full, slows the channel by it; and our memory is bounded by it.
const ON_THE_WAY: u64 = 8 * 1024 * 1024;

/// An open unit of work; dropping it rolls it back.
#[derive(Debug)]
pub struct OpenWireUnit<'a> {
    claim: &'a mut OpenWireClaim,
    transaction: TransactionId,
    /// The answer to its beginning, until it is in.
    begun: Option<Asked>,
    /// Messages without an answer, in the order in which they were sent; number, bytes.
    pending: VecDeque<(usize, u64, Asked)>,
    on_the_way: u64,
    refusals: Vec<(usize, Refusal)>,
    /// Commit or rollback was ordered, or there is no connection any more.
    over: bool,
}

impl Drop for OpenWireUnit<'_> {
    /// Commands are carried out in order, so whatever follows finds it rolled back.
    fn drop(&mut self) {
        if !self.over {
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
    /// Begins the transaction; the answer is waited for with those of the messages.
    pub(super) fn begin(claim: &'a mut OpenWireClaim) -> Result<Self, TargetError> {
        let transaction = claim.session.next_transaction();
        let begin = claim.session.step(&transaction, TransactionType::Begin);
        let begun = Some(claim.session.connection.ask(begin)?);
        Ok(Self {
            claim,
            transaction,
            begun,
            pending: VecDeque::new(),
            on_the_way: 0,
            refusals: Vec::new(),
            over: false,
        })
    }

    /// The unit is lost, and the claim with it.
    fn give_up(&mut self, error: TargetError) -> TargetError {
        self.over = true;
        (self.begun, self.on_the_way) = (None, 0);
        self.pending.clear();
        self.claim.record.lease.end(error.clone());
        self.claim.session.connection.cut();
        error
    }

    /// A unit that was given up stays so.
    fn check(&self) -> Result<(), TargetError> {
        self.claim.record.lease.ended().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Waits for the oldest answer that is not in, until `deadline`.
    async fn settle_one(&mut self, deadline: Instant) -> Result<(), TargetError> {
        let connection = &self.claim.session.connection;
        let left = || deadline.saturating_duration_since(Instant::now());
        if let Some(begun) = &mut self.begun {
            let answer = connection.answer(begun, "beginning a transaction", left()).await?;
            self.begun = None;
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
        let deadline = Instant::now() + self.claim.limits.settle;
        while self.begun.is_some() || !self.pending.is_empty() {
            self.settle_one(deadline).await?;
        }
        let mut refusals = std::mem::take(&mut self.refusals);
        refusals.sort_by_key(|(index, _)| *index);
        Ok(refusals)
    }

    /// Sends one message, once there is room on the way.
    async fn send(&mut self, index: usize, message: Message) -> Result<(), TargetError> {
        let session = &self.claim.session;
        let too_big = |text: String| Refusal { reason: Refusal::TOO_BIG, text };
        let ready = match session.connection.ready(message) {
            Ok(ready) => ready,
            Err(error) => {
                self.refusals.push((index, too_big(error.to_string())));
                return Ok(());
            }
        };
        let bytes = ready.frame_bytes();
        // The broker would close the connection, and with it break the whole batch.
        if let Some(limit) = session.connection.max_frame().filter(|limit| bytes > *limit) {
            let text = format!(
                "{bytes} bytes on the wire are more than the {limit} that the broker takes: raise \
                 wireFormat.maxFrameSize on its OpenWire connector"
            );
            self.refusals.push((index, too_big(text)));
            return Ok(());
        }
        let deadline = Instant::now() + self.claim.limits.settle;
        while !self.pending.is_empty() && self.on_the_way + bytes > ON_THE_WAY {
            self.settle_one(deadline).await?;
        }
        self.on_the_way += bytes;
        let asked = self.claim.session.connection.post(ready);
        self.pending.push_back((index, bytes, asked));
        Ok(())
    }

    /// Everything of a commit but the commit; gives the record's text.
    async fn prepare(&mut self, record: &SyncRecord) -> Result<String, TargetError> {
        self.check()?;
        if let Some((index, refusal)) = self.settle_all().await?.into_iter().next() {
            return Err(TargetError {
                side: Side::Ours,
                text: format!("message {index} was refused after the unit was settled: {refusal}"),
                retry: true,
            });
        }
        let OpenWireClaim { session, record: held, limits } = &mut *self.claim;
        let ack = held.take_held(&session.connection, &self.transaction, limits.answer).await?;
        let text = held.lease.successor(record);
        let message = session.text(held.lease.queue(), RECORD, text.clone(), Some(self.transaction.clone()));
        let message = message.map_err(|error| session.unwritable(&error))?;
        let room = session.connection.max_frame().unwrap_or(u64::MAX);
        if text.len() as u64 + 1024 > room {
            let why = format!("a record of {} bytes is more than the {room} that it takes", text.len());
            return Err(held.lease.refused(session.connection.broker(), &why));
        }
        session.connection.tell(ack)?;
        session.connection.tell(message)?;
        Ok(text)
    }
}

impl Unit for OpenWireUnit<'_> {
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

    async fn commit(mut self, record: SyncRecord) -> Outcome {
        let text = match self.prepare(&record).await {
            Ok(text) => text,
            // The commit was never sent, so the end of the connection rolls all of it back.
            Err(error) => return Outcome::RolledBack(self.give_up(error)),
        };
        let commit = self.claim.session.step(&self.transaction, TransactionType::CommitOnePhase);
        let limit = self.claim.limits.commit;
        self.over = true;
        match self.claim.session.connection.call(commit, "committing", limit).await {
            Ok(()) => {
                self.claim.record.lease.replaced(record, text);
                Outcome::Committed
            }
            // Also when the broker answers that the commit failed: how far it came, only the record tells.
            Err(error) => Outcome::InDoubt(self.give_up(error)),
        }
    }

    async fn rollback(mut self) {
        if self.over {
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
