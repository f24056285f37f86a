//! One unit of work: a transaction of the broker that holds a batch's messages and, at the end, the sync record.
//!
//! Messages are sent ahead of their answers. ActiveMQ answers a message that it refuses at once, leaves the link
//! open and the transaction usable, so a refusal concerns that message alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fe2o3_amqp::link::delivery::{DeliveryFut, DeliveryInfo};
use fe2o3_amqp::transaction::{
    PostError, Transaction, TransactionDischarge as _, TransactionPosting as _, TransactionRetirement as _,
};
use fe2o3_amqp::types::definitions::{self, AmqpError, ErrorCondition, LinkError};
use fe2o3_amqp::types::messaging::Outcome as AmqpOutcome;
use fe2o3_amqp::{Receiver, Sendable, Sender};
use tokio::time::Instant;

use super::connection::{Connection, one_line, say};
use super::lease::Record;
use super::message::{Outgoing, body_bytes, to_amqp};
use crate::channel::record::SyncRecord;
use crate::mapping::Publication;
use crate::target::lease::Kept;
use crate::target::{Limits, Outcome, Refusal, Side, TargetError, Unit};

/// A message that no connector's limit is below.
const SMALL: u64 = 64 * 1024;

/// The answer to one message, when it comes.
pub(super) type Answer = DeliveryFut<Result<AmqpOutcome, PostError>>;

/// What became of handing a message over.
pub(super) enum Posted {
    /// It is on its way.
    Sent(Answer),
    /// It never left.
    Refused(Refusal),
}

/// Sends `message` within `transaction`, waiting for credit only.
pub(super) async fn post(
    connection: &Connection,
    transaction: &Transaction<'_>,
    sender: &mut Sender,
    message: Outgoing,
    limit: Duration,
) -> Result<Posted, TargetError> {
    let sendable = Sendable::builder().message(message).build();
    let sending = async {
        match transaction.post_batchable(sender, sendable).await {
            Ok(answer) => Ok(Posted::Sent(answer)),
            Err(PostError::MessageSizeExceeded(error)) => Ok(Posted::Refused(Refusal {
                reason: Refusal::TOO_BIG,
                text: format!("{} bytes are more than the {} that the broker takes", error.size, error.max_size),
            })),
            Err(PostError::MessageEncodeError) => Ok(Posted::Refused(Refusal {
                reason: Refusal::UNEXPECTED,
                text: "the message cannot be written as AMQP".to_owned(),
            })),
            Err(error) => Err(error),
        }
    };
    connection.wait("sending a message", limit, sending).await
}

/// The answer to one message.
pub(super) async fn answered(
    connection: &Connection,
    answer: Answer,
    limit: Duration,
) -> Result<Result<(), Refusal>, TargetError> {
    let answered = async {
        match answer.await {
            Ok(AmqpOutcome::Accepted(_)) => Ok(Ok(())),
            Ok(AmqpOutcome::Rejected(rejected)) => Ok(Err(refusal(rejected.error.as_ref()))),
            Ok(other) => Ok(Err(Refusal {
                reason: Refusal::UNEXPECTED,
                text: format!("the broker did not take it: {}", one_line(&other)),
            })),
            // A bare state instead of a transactional one is how ActiveMQ refuses; the library keeps no reason.
            Err(PostError::IllegalDeliveryState) => Ok(Err(refusal(connection.watch.take_refusal().as_ref()))),
            Err(error) => Err(error),
        }
    };
    connection.wait("waiting for the answer to a message", limit, answered).await
}

/// The size from which on the broker was seen to close the connection. ActiveMQ's AMQP connector refuses a message above
/// its `wireFormat.maxFrameSize` only so, and tells the limit nowhere; without learning it one such message would
/// break every connection for ever.
#[derive(Debug)]
pub(super) struct LearnedLimit(AtomicU64);

impl Default for LearnedLimit {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl LearnedLimit {
    fn learn(&self, bytes: u64) {
        self.0.fetch_min(bytes, Ordering::Relaxed);
    }

    fn refuses(&self, bytes: u64) -> bool {
        bytes >= self.0.load(Ordering::Relaxed)
    }

    /// The largest message that may still pass, if anything is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        let limit = self.0.load(Ordering::Relaxed);
        (limit < u64::MAX).then(|| limit.saturating_sub(1))
    }
}

/// An open unit of work; dropping it rolls it back.
#[derive(Debug)]
pub struct AmqpUnit<'a> {
    transaction: Transaction<'a>,
    sender: &'a mut Sender,
    record: &'a mut Record,
    connection: &'a Connection,
    limits: Limits,
    learned: &'a LearnedLimit,
    pending: Vec<(usize, Pending)>,
    /// Body bytes of the largest message that is not answered.
    largest_pending: u64,
}

impl Drop for AmqpUnit<'_> {
    /// The library sends the rollback when `transaction` is dropped; the claim must know.
    fn drop(&mut self) {
        if !self.transaction.is_discharged() {
            self.record.unit_dropped();
        }
    }
}

enum Pending {
    Sent(Answer),
    Refused(Refusal),
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sent(_) => f.write_str("Sent"),
            Self::Refused(refusal) => write!(f, "Refused({refusal})"),
        }
    }
}

impl<'a> AmqpUnit<'a> {
    pub(super) fn new(
        transaction: Transaction<'a>,
        sender: &'a mut Sender,
        record: &'a mut Record,
        connection: &'a Connection,
        limits: Limits,
        learned: &'a LearnedLimit,
    ) -> Self {
        Self { transaction, sender, record, connection, limits, learned, pending: Vec::new(), largest_pending: 0 }
    }

    /// The unit is lost, and the claim with it.
    fn give_up(&mut self, mut error: TargetError) -> TargetError {
        if self.connection.choked() && self.largest_pending > SMALL {
            self.learned.learn(self.largest_pending);
            error.text.push_str(&format!(
                ": it probably takes no message of {} bytes: raise wireFormat.maxFrameSize on its AMQP connector",
                self.largest_pending
            ));
        }
        self.record.lease.end(error.clone());
        self.connection.cut();
        error
    }

    async fn settle_all(&mut self) -> Result<Vec<(usize, Refusal)>, TargetError> {
        let deadline = Instant::now() + self.limits.settle;
        let mut refusals = Vec::new();
        for (index, pending) in std::mem::take(&mut self.pending) {
            let outcome = match pending {
                Pending::Sent(answer) => {
                    answered(self.connection, answer, deadline.saturating_duration_since(Instant::now())).await?
                }
                Pending::Refused(refusal) => Err(refusal),
            };
            if let Err(refusal) = outcome {
                refusals.push((index, refusal));
            }
        }
        self.largest_pending = 0;
        Ok(refusals)
    }

    /// A message leaves its queue with the commit.
    pub(super) async fn retire(&mut self, receiver: &mut Receiver, delivery: DeliveryInfo) -> Result<(), TargetError> {
        let retiring = self.transaction.accept(receiver, delivery);
        match self.connection.wait("retiring a message", self.limits.answer, retiring).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.give_up(error)),
        }
    }

    /// Commits what was staged and retired together with `kept`.
    pub(super) async fn finish(mut self, kept: Kept) -> Outcome {
        let text = match self.prepare(&kept).await {
            Ok(text) => text,
            Err(error) => {
                // The discharge was never sent, so the end of the connection rolls all of it back.
                let error = self.give_up(error);
                return Outcome::RolledBack(error);
            }
        };
        let discharge = self.transaction.discharge(false);
        match self.connection.wait("committing", self.limits.commit, discharge).await {
            Ok(()) => {
                self.record.lease.replaced(kept, text);
                Outcome::Committed
            }
            // Also when the broker answers that the commit failed: how far it came, only the record tells.
            Err(error) => Outcome::InDoubt(self.give_up(error)),
        }
    }

    /// Everything of a commit but the commit.
    async fn prepare(&mut self, kept: &Kept) -> Result<String, TargetError> {
        if let Some((index, refusal)) = self.settle_all().await?.into_iter().next() {
            return Err(TargetError {
                side: Side::Ours,
                text: format!("message {index} was refused after the unit was settled: {refusal}"),
                retry: true,
            });
        }
        self.record.take_held(self.connection, &self.transaction, self.limits.answer).await?;
        let (message, text) = self.record.successor(kept);
        let posted = post(self.connection, &self.transaction, self.sender, message, self.limits.answer).await?;
        // The record's own answer must be in: were it refused, the commit would keep the messages without it.
        let outcome = match posted {
            Posted::Sent(answer) => answered(self.connection, answer, self.limits.answer).await?,
            Posted::Refused(refusal) => Err(refusal),
        };
        match outcome {
            Ok(()) => Ok(text),
            Err(refusal) => Err(self.record.lease.refused(self.connection.broker(), &refusal.text)),
        }
    }
}

impl Unit for AmqpUnit<'_> {
    async fn stage(&mut self, index: usize, publication: Publication) -> Result<(), TargetError> {
        let bytes = body_bytes(&publication.body);
        let pending = match to_amqp(publication) {
            Err(refusal) => Pending::Refused(refusal),
            Ok(_) if self.learned.refuses(bytes) => Pending::Refused(Refusal {
                reason: Refusal::TOO_BIG,
                text: format!(
                    "the broker closed the connection over a message of this size ({bytes} bytes): raise \
                     wireFormat.maxFrameSize on its AMQP connector"
                ),
            }),
            Ok(message) => {
                self.largest_pending = self.largest_pending.max(bytes);
                let limit = self.limits.settle;
                match post(self.connection, &self.transaction, self.sender, message, limit).await {
                    Ok(Posted::Sent(answer)) => Pending::Sent(answer),
                    Ok(Posted::Refused(refusal)) => Pending::Refused(refusal),
                    Err(error) => return Err(self.give_up(error)),
                }
            }
        };
        self.pending.push((index, pending));
        Ok(())
    }

    async fn settle(&mut self) -> Result<Vec<(usize, Refusal)>, TargetError> {
        match self.settle_all().await {
            Ok(refusals) => Ok(refusals),
            Err(error) => Err(self.give_up(error)),
        }
    }

    async fn commit(self, record: SyncRecord) -> Outcome {
        self.finish(Kept::Received(record)).await
    }

    async fn rollback(mut self) {
        let rollback = self.transaction.discharge(true);
        if let Err(error) = self.connection.wait("rolling back", self.limits.answer, rollback).await {
            self.give_up(error);
        }
    }
}

/// The broker's reason, as an MQ administrator knows it.
fn refusal(error: Option<&definitions::Error>) -> Refusal {
    let Some(error) = error else {
        return Refusal {
            reason: Refusal::UNEXPECTED,
            text: "refused by the broker without a reason; its log may say more".into(),
        };
    };
    let text = say(error);
    let reason = match &error.condition {
        ErrorCondition::AmqpError(AmqpError::UnauthorizedAccess) => Refusal::NOT_AUTHORIZED,
        ErrorCondition::AmqpError(AmqpError::ResourceLimitExceeded) => Refusal::FULL,
        ErrorCondition::AmqpError(AmqpError::NotFound) => Refusal::UNKNOWN_OBJECT,
        ErrorCondition::LinkError(LinkError::MessageSizeExceeded) => Refusal::TOO_BIG,
        _ if Refusal::had_to_wait(&text) => Refusal::FULL,
        // ActiveMQ says `failed` for everything else; its exceptions' texts are all there is.
        _ if text.to_ascii_lowercase().contains("destination") || text.starts_with("temp-") => Refusal::UNKNOWN_OBJECT,
        _ => Refusal::UNEXPECTED,
    };
    Refusal { reason, text }
}
