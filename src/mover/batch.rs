//! An open batch: its messages staged in one unit of work, and what becomes of those that cannot be delivered.

use super::instance::Instance;
use super::link::Stream;
use super::memory::Room;
use crate::channel::{Input, MessageFrame, Output, Stopped, SyncRecord};
use crate::mapping::{self, Mapped, Original, Publication, reason};
use crate::message::Envelope;
use crate::target::{Outcome, Refusal, Target, TargetError, Unit};
use crate::wire::{ByteOrder, StatusCode};

/// A staged message that the target has not yet answered for. Its bytes are kept: a refusal sends them to the dead-letter queue.
struct Unsettled {
    frame: MessageFrame,
    dead: bool,
    _room: Option<Room>,
}

/// Why a batch cannot go on.
enum Failed {
    /// The unit of work is lost with the target.
    Target(TargetError),
    /// A message can neither be delivered nor put to the dead-letter queue.
    CannotStore(String),
}

impl From<TargetError> for Failed {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

/// The batch in hand: borrows the instance, owns the unit.
pub(super) struct Batch<'i, 'g, T: Target, S, U> {
    instance: &'i mut Instance<'g, T, S>,
    unit: U,
    unsettled: Vec<Unsettled>,
    dead_lettered: u64,
}

impl<'i, 'g, T: Target, S: Stream, U: Unit> Batch<'i, 'g, T, S, U> {
    /// A batch with nothing in it.
    pub(super) fn new(instance: &'i mut Instance<'g, T, S>, unit: U) -> Self {
        Self { instance, unit, unsettled: Vec::new(), dead_lettered: 0 }
    }

    /// Stages `first` and what follows, until the batch is committed or given up. Gives the end of the channel if it came first.
    pub(super) async fn run(mut self, first: MessageFrame, room: Option<Room>) -> Option<Stopped> {
        if let Err(failed) = self.deliver(first, room).await {
            return self.fail(failed).await;
        }
        let mut room = None;
        loop {
            while let Some(output) = self.instance.next_output().await {
                let step = match output {
                    Output::Begin { length } => self.room(length).await.map(|found| room = found),
                    Output::Deliver(frame) => self.deliver(frame, room.take()).await,
                    Output::Repeated { .. } => {
                        room = None;
                        Ok(())
                    }
                    Output::Commit(record) => {
                        self.commit(record).await;
                        return None;
                    }
                    Output::Rollback => {
                        self.unit.rollback().await;
                        return None;
                    }
                    Output::Stopped(stopped) => {
                        self.unit.rollback().await;
                        return Some(stopped);
                    }
                    other => {
                        self.instance.out_of_place(&other);
                        Ok(())
                    }
                };
                if let Err(failed) = step {
                    return self.fail(failed).await;
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
        self.settle().await?;
        Ok(self.instance.room(length).await)
    }

    /// Maps one message and stages what it became.
    async fn deliver(&mut self, frame: MessageFrame, room: Option<Room>) -> Result<(), Failed> {
        self.instance.tell(|status| status.message(frame.sequence, frame.luwid, crate::clock::wall()));
        let gateway = self.instance.gateway;
        let envelope = Envelope::parse(frame.parts.clone(), frame.byte_order, i32::from(frame.ccsid));
        let (publication, dead) = match envelope {
            Ok(envelope) => match gateway.publication(&envelope) {
                Ok(Mapped { publication, notes }) => {
                    if !notes.is_empty() {
                        tracing::debug!(
                            channel = self.instance.name(),
                            sequence = frame.sequence,
                            ?notes,
                            "approximated"
                        );
                    }
                    (publication, false)
                }
                Err(unmappable) => {
                    let original = Original::Parsed(&envelope);
                    (self.bury(&frame, &original, unmappable.reason, &unmappable.to_string()), true)
                }
            },
            Err(broken) => (self.bury(&frame, &as_broken(&frame), reason::XMIT_Q_MSG_ERROR, &broken.to_string()), true),
        };
        let index = self.unsettled.len();
        self.unsettled.push(Unsettled { frame, dead, _room: room });
        self.unit.stage(index, publication).await?;
        self.instance.resume();
        Ok(())
    }

    /// Waits for all answers; what was refused goes to the dead-letter queue in the same unit of work.
    async fn settle(&mut self) -> Result<(), Failed> {
        loop {
            let refused = self.unit.settle().await?;
            if refused.is_empty() {
                self.unsettled.clear();
                return Ok(());
            }
            for (index, refusal) in refused {
                self.refused(index, &refusal).await?;
            }
        }
    }

    /// Sends a refused message to the dead-letter queue, once.
    async fn refused(&mut self, index: usize, refusal: &Refusal) -> Result<(), Failed> {
        let deadq = &self.instance.gateway.settings.deadq;
        let Some(item) = self.unsettled.get_mut(index) else {
            return Err(Failed::CannotStore(format!("the target refused a message that was never staged: {refusal}")));
        };
        if item.dead {
            let sequence = item.frame.sequence;
            return Err(Failed::CannotStore(format!(
                "message {sequence} cannot be put to the dead-letter queue {deadq}: {refusal}; mend that queue, the partner tries again"
            )));
        }
        item.dead = true;
        let frame = item.frame.clone();
        let publication = match Envelope::parse(frame.parts.clone(), frame.byte_order, i32::from(frame.ccsid)) {
            Ok(envelope) => self.bury(&frame, &Original::Parsed(&envelope), refusal.reason, &refusal.text),
            Err(_) => self.bury(&frame, &as_broken(&frame), refusal.reason, &refusal.text),
        };
        Ok(self.unit.stage(index, publication).await?)
    }

    /// What goes to the dead-letter queue in place of a message.
    fn bury(&mut self, frame: &MessageFrame, original: &Original<'_>, reason: i32, text: &str) -> Publication {
        let settings = &self.instance.gateway.settings;
        let mapped = mapping::dead_letter(original, reason, text, &settings.deadq, crate::clock::wall_ms());
        self.dead_lettered += 1;
        let line = format!("channel {} dead-letters to {}: {text}", self.instance.name(), settings.deadq);
        if let Some(line) = self.instance.gateway.note(&line) {
            tracing::warn!(sequence = frame.sequence, "{line}");
        }
        mapped.publication
    }

    /// Commits the batch with its record and tells the machine what became of it.
    pub(super) async fn commit(mut self, record: SyncRecord) {
        if let Err(failed) = self.settle().await {
            self.fail(failed).await;
            return;
        }
        let dead_lettered = self.dead_lettered;
        let began = self.instance.gateway.clock.now();
        let outcome = self.unit.commit(record.clone()).await;
        let took = self.instance.gateway.clock.now().saturating_sub(began);
        self.instance.committed(&outcome, &record, dead_lettered, took);
        self.instance.handle(match outcome {
            Outcome::Committed => Input::Committed { dlq_used: dead_lettered > 0 },
            Outcome::RolledBack(error) => Input::RolledBack(StatusCode::BATCH_FAILURE, error.text),
            Outcome::InDoubt(error) => Input::InDoubt(error.text),
        });
    }

    async fn fail(self, failed: Failed) -> Option<Stopped> {
        self.unit.rollback().await;
        let (code, text) = match failed {
            Failed::Target(error) => (StatusCode::BATCH_FAILURE, error.text),
            Failed::CannotStore(text) => (StatusCode::CAN_NOT_STORE, text),
        };
        self.instance.batch_failed(code, text);
        None
    }
}

/// A message whose headers cannot be read, for the dead-letter queue.
fn as_broken(frame: &MessageFrame) -> Original<'_> {
    let encoding = match frame.byte_order {
        ByteOrder::Big => 273,
        ByteOrder::Little => 546,
    };
    Original::Broken { parts: &frame.parts, encoding, ccsid: i32::from(frame.ccsid) }
}
