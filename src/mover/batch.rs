//! An open batch: its messages staged in one unit of work, and the commit that ends it.

use bytes::{Bytes, BytesMut};

use super::held_up;
use super::instance::Instance;
use super::link::Stream;
use super::memory::Room;
use super::undelivered::{Failed, Unsettled, as_broken};
use crate::admin::status::Substate;
use crate::channel::{Input, MessageFrame, Output, Stopped, SyncRecord};
use crate::mapping::reports::{self, Event};
use crate::mapping::{Mapped, Original, Publication, reason};
use crate::target::{Answers, Outcome, Target, Unit};
use crate::wire::{Luwid, StatusCode};

/// What the target has to answer for.
pub(super) const STAGED: &str = "messages of the batch";

/// After something was refused, or there was no memory to keep a batch until its commit, each message's answer is asked for in
/// so many batches, and then until one passes in which nothing is refused.
pub(super) const ASKING: u32 = 10;

/// What a batch begins with.
pub(super) struct Start {
    /// Messages to stage, in order.
    messages: Vec<(MessageFrame, Option<Room>)>,
    /// The record, if the commit was asked for already.
    commit: Option<SyncRecord>,
    /// Length of the message that comes next, if there was no room for it.
    next: Option<usize>,
}

impl Start {
    /// A first message.
    pub(super) fn message(frame: MessageFrame, room: Option<Room>) -> Self {
        Self { messages: vec![(frame, room)], commit: None, next: None }
    }

    /// No message: the record alone moves on.
    pub(super) fn commit(record: SyncRecord) -> Self {
        Self { messages: Vec::new(), commit: Some(record), next: None }
    }

    /// LUWID of the batch.
    pub(super) fn luwid(&self) -> Luwid {
        let of_record = self.commit.as_ref().map_or(Luwid::ZERO, |record| record.luwid);
        self.messages.first().map_or(of_record, |(frame, _)| frame.luwid)
    }
}

/// How a batch ended.
pub(super) enum Ended {
    /// In a commit or a rollback; the machine knows.
    Done,
    /// With the channel.
    Stopped(Stopped),
    /// Nothing of it is in the target: to be staged once more in a new unit, and each message's answer asked for.
    Again(Start),
}

/// The batch in hand: borrows the instance, owns the unit.
pub(super) struct Batch<'i, 'g, T: Target, S, U> {
    pub(super) instance: &'i mut Instance<'g, T, S>,
    pub(super) unit: U,
    pub(super) unsettled: Vec<Unsettled>,
    /// Settled messages for which the target answers with the commit alone. Their bytes are kept until then.
    pub(super) kept: Vec<Unsettled>,
    /// When the target answers for messages.
    pub(super) answers: Answers,
    /// The target refused something, or was to take it again.
    pub(super) refused: bool,
    /// Messages were settled and their bytes given back: the batch can no longer be staged again from here.
    pub(super) given_back: bool,
    pub(super) dead_lettered: u64,
    /// How long it waited to put messages again.
    pub(super) paused: std::time::Duration,
}

impl<'i, 'g, T: Target, S: Stream, U: Unit> Batch<'i, 'g, T, S, U> {
    /// A batch with nothing in it.
    pub(super) fn new(instance: &'i mut Instance<'g, T, S>, mut unit: U) -> Self {
        let at_commit = !instance.careful && instance.asking == 0;
        let answers = unit.answers(if at_commit { Answers::AtCommit } else { Answers::Each });
        let paused = std::time::Duration::ZERO;
        let (unsettled, kept) = (Vec::new(), Vec::new());
        Self { instance, unit, unsettled, kept, answers, refused: false, given_back: false, dead_lettered: 0, paused }
    }

    /// Stages what the batch begins with and what follows, until it is committed or given up.
    pub(super) async fn run(mut self, start: Start) -> Ended {
        for (frame, room) in start.messages {
            if let Err(failed) = self.deliver(frame, room).await {
                return self.fail(failed, None).await;
            }
        }
        if let Some(record) = start.commit {
            return self.commit(record).await;
        }
        let mut room = None;
        if let Some(length) = start.next {
            match self.room(length).await {
                Ok(found) => room = found,
                Err(failed) => return self.fail(failed, None).await,
            }
        }
        loop {
            while let Some(output) = self.instance.next_output().await {
                let step = match output {
                    Output::Begin { length } => self.room(length).await.map(|found| room = found),
                    Output::Deliver(frame) => {
                        self.instance.delivered(&frame);
                        self.deliver(frame, room.take()).await
                    }
                    Output::Repeated { sequence } => {
                        room = None;
                        self.instance.repeated(sequence);
                        Ok(())
                    }
                    Output::Commit(record) => return self.commit(record).await,
                    Output::Rollback => {
                        self.unit.rollback().await;
                        return Ended::Done;
                    }
                    Output::Stopped(stopped) => {
                        self.unit.rollback().await;
                        return Ended::Stopped(stopped);
                    }
                    other => {
                        self.instance.out_of_place(&other);
                        Ok(())
                    }
                };
                if let Err(failed) = step {
                    return self.fail(failed, None).await;
                }
            }
            self.instance.wait(None).await;
        }
    }

    /// Room for a message of `length` bytes. Before waiting for it, what this batch holds is settled and given back:
    /// nobody who waits holds any, so no two channels wait for each other.
    async fn room(&mut self, length: usize) -> Result<Option<Room>, Failed> {
        if let Some(room) = self.instance.gateway.settings.memory.try_room(length) {
            return Ok(Some(room));
        }
        if self.answers == Answers::AtCommit && !(self.unsettled.is_empty() && self.kept.is_empty()) {
            return Err(Failed::Cramped(length));
        }
        self.given_back |= !self.unsettled.is_empty();
        self.settle().await?;
        Ok(self.instance.room(length).await)
    }

    /// Maps one message and stages what it became.
    async fn deliver(&mut self, mut frame: MessageFrame, room: Option<Room>) -> Result<(), Failed> {
        join(&mut frame.parts);
        let gateway = self.instance.gateway;
        let mut item = Unsettled::new(frame, room);
        let envelope = item.envelope();
        let publication = match &envelope {
            Ok(envelope) => match gateway.publication(envelope, item.came_at_ms()) {
                Ok(Mapped { publication, notes }) => {
                    if !notes.is_empty() {
                        let (channel, sequence) = (self.instance.name(), item.sequence());
                        tracing::debug!(channel, sequence, ?notes, "approximated");
                    }
                    Some(publication)
                }
                Err(unmappable) => {
                    let original = Original::Parsed(envelope);
                    item.is_lost(Event::Failed(unmappable.reason));
                    self.bury(item.frame(), &original, unmappable.reason, &unmappable.to_string())
                }
            },
            Err(broken) => {
                item.is_lost(Event::Failed(reason::XMIT_Q_MSG_ERROR));
                let frame = item.frame();
                self.bury(frame, &as_broken(frame), reason::XMIT_Q_MSG_ERROR, &broken.to_string())
            }
        };
        item.asks = envelope.is_ok_and(|envelope| reports::asks(&envelope));
        self.stage(item, publication).await?;
        if self.instance.careful {
            self.settle().await?;
        }
        self.instance.resume();
        Ok(())
    }

    /// Stages what a message became, if it became anything.
    pub(super) async fn stage(&mut self, mut item: Unsettled, publication: Option<Publication>) -> Result<(), Failed> {
        let index = self.unsettled.len();
        item.staged_to(publication.as_ref());
        self.unsettled.push(item);
        if let Some(publication) = publication {
            held_up::wait_for(self.instance, STAGED, Substate::MqPut, self.unit.stage(index, publication)).await?;
        }
        Ok(())
    }

    /// Commits the batch with its record and tells the machine what became of it.
    async fn commit(mut self, record: SyncRecord) -> Ended {
        if let Err(failed) = self.settle().await {
            return self.fail(failed, Some(record)).await;
        }
        let dead_lettered = self.dead_lettered;
        let began = self.instance.gateway.clock.now();
        let commit = self.unit.commit(record.clone());
        let outcome = held_up::wait_for(self.instance, "a commit", Substate::EndBatch, commit).await;
        let took = self.instance.gateway.clock.now().saturating_sub(began);
        if let Outcome::Refused(error) = &outcome
            && !self.given_back
        {
            tracing::debug!(channel = self.instance.name(), "the batch is staged again, answer by answer: {error}");
            self.instance.asking = ASKING;
            return again(self.kept, self.unsettled, Some(record), None);
        }
        self.instance.committed(&outcome, &record, dead_lettered, took);
        if matches!(outcome, Outcome::Committed) && self.paused.is_zero() {
            self.instance.careful = false;
        }
        let asking = self.instance.asking;
        self.instance.asking = if self.refused { asking.max(1) } else { asking.saturating_sub(1) };
        self.instance.handle(match outcome {
            Outcome::Committed => Input::Committed { dlq_used: dead_lettered > 0 },
            // Refused: what is given back cannot be staged again, so the partner sends it again.
            Outcome::RolledBack(error) | Outcome::Refused(error) => {
                Input::RolledBack(StatusCode::BATCH_FAILURE, error.text)
            }
            Outcome::InDoubt(error) => Input::InDoubt(error.text),
        });
        Ended::Done
    }

    async fn fail(self, failed: Failed, commit: Option<SyncRecord>) -> Ended {
        self.unit.rollback().await;
        match failed {
            Failed::Target(error) => self.instance.batch_failed(StatusCode::BATCH_FAILURE, error.text),
            Failed::NoRoom(text) => self.instance.batch_failed(StatusCode::BATCH_FAILURE, text),
            Failed::CannotStore(text) => self.instance.batch_failed(StatusCode::CAN_NOT_STORE, text),
            Failed::CutShort(why) => {
                self.instance.handle(Input::RolledBack(StatusCode::BATCH_FAILURE, why.to_owned()));
            }
            Failed::Overtaken => return again(self.kept, self.unsettled, commit, None),
            // Nobody may wait for room who holds some, and what the target has not answered for cannot be given back.
            Failed::Cramped(length) => {
                self.instance.asking = ASKING;
                return again(self.kept, self.unsettled, commit, Some(length));
            }
        }
        Ended::Done
    }
}

/// Everything of a batch, to be staged once more.
fn again(kept: Vec<Unsettled>, unsettled: Vec<Unsettled>, commit: Option<SyncRecord>, next: Option<usize>) -> Ended {
    let messages = kept.into_iter().chain(unsettled).filter_map(Unsettled::into_message).collect();
    Ended::Again(Start { messages, commit, next })
}

/// Joins a message's parts, and gives each back as soon as it is copied: the publication's body is then a slice of what is
/// kept for the dead-letter queue, and no second copy.
fn join(parts: &mut Vec<Bytes>) {
    if parts.len() < 2 {
        return;
    }
    let mut joined = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.drain(..).for_each(|part| joined.extend_from_slice(&part));
    parts.push(joined.freeze());
}
