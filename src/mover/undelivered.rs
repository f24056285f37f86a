//! What becomes of messages that the target refuses: put again if time may help, else to the dead-letter queue, in the
//! same unit of work and without touching their neighbours.
//!
//! Messages are staged ahead of their answers. If one is refused for now and a later one to the same destination was
//! taken, putting it again would change their order: then the unit is rolled back and the whole batch staged once more,
//! each message waiting for its answer, and so for the rest of the connection.

use std::time::Duration;

use super::batch::Batch;
use super::link::Stream;
use super::memory::Room;
use super::orders;
use crate::admin::ChannelStatus;
use crate::channel::{Definition, MessageFrame};
use crate::mapping::{self, Destination, Mapped, Original, Publication, reason};
use crate::message::Envelope;
use crate::target::{Refusal, Target, TargetError, Unit};
use crate::wire::ByteOrder;

/// A staged message that the target has not yet answered for. Its bytes are kept: a refusal needs them again.
pub(super) struct Unsettled {
    frame: MessageFrame,
    destination: Destination,
    /// It is on its way to the dead-letter queue already.
    dead: bool,
    /// How often it was put again.
    retries: u32,
    room: Option<Room>,
}

impl Unsettled {
    pub(super) fn new(frame: MessageFrame, staged: &Publication, dead: bool, room: Option<Room>) -> Self {
        Self { frame, destination: staged.destination.clone(), dead, retries: 0, room }
    }

    pub(super) fn into_message(self) -> (MessageFrame, Option<Room>) {
        (self.frame, self.room)
    }
}

/// MRRTY and MRTMR of a channel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MessageRetry {
    /// How often.
    pub(super) count: u32,
    /// After what pause.
    pub(super) interval: Duration,
}

impl MessageRetry {
    /// Of this channel.
    pub(super) fn of(definition: &Definition) -> Self {
        Self { count: definition.mrrty, interval: Duration::from_millis(definition.mrtmr.into()) }
    }
}

/// Why a batch cannot go on.
pub(super) enum Failed {
    /// The unit of work is lost with the target.
    Target(TargetError),
    /// A message can neither be delivered nor put to the dead-letter queue.
    CannotStore(String),
    /// Neither the destination nor the dead-letter queue has room.
    NoRoom(String),
    /// The channel is to end while it waits to put a message again.
    CutShort(&'static str),
    /// A message that is to be put again was overtaken by later ones.
    Overtaken,
}

impl From<TargetError> for Failed {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl<T: Target, S: Stream, U: Unit> Batch<'_, '_, T, S, U> {
    /// Waits for all answers; what was refused is put again or goes to the dead-letter queue, in the same unit of work.
    pub(super) async fn settle(&mut self) -> Result<(), Failed> {
        loop {
            let refused = self.unit.settle().await?;
            if refused.is_empty() {
                self.unsettled.clear();
                return Ok(());
            }
            let mut again = Vec::new();
            for (index, refusal) in &refused {
                if !self.is_worth_a_retry(*index, refusal) {
                    self.give_up(*index, refusal).await?;
                } else if !self.is_overtaken(*index, &refused) {
                    again.push((*index, refusal));
                } else if self.given_back {
                    // It cannot be put in its place any more, only in a wrong one.
                    self.give_up(*index, refusal).await?;
                } else {
                    self.instance.careful = true;
                    return Err(Failed::Overtaken);
                }
            }
            if let Some((index, refusal)) = again.first() {
                self.pause(*index, refusal).await?;
                for (index, refusal) in again {
                    self.put_again(index, refusal).await?;
                }
            }
        }
    }

    fn is_worth_a_retry(&self, index: usize, refusal: &Refusal) -> bool {
        let retry = self.instance.retry;
        let in_time = self.instance.patience().is_none_or(|patience| self.paused + retry.interval <= patience);
        let item = self.unsettled.get(index);
        reason::may_pass(refusal.reason) && in_time && item.is_some_and(|item| !item.dead && item.retries < retry.count)
    }

    /// Whether a later message of the batch has gone to the same destination.
    fn is_overtaken(&self, index: usize, refused: &[(usize, Refusal)]) -> bool {
        let Some(item) = self.unsettled.get(index) else { return false };
        self.unsettled.iter().enumerate().skip(index + 1).any(|(later, other)| {
            !other.dead && other.destination == item.destination && !refused.iter().any(|(index, _)| *index == later)
        })
    }

    /// Waits for the message-retry interval. The partner is not blamed for the silence meanwhile.
    async fn pause(&mut self, index: usize, refusal: &Refusal) -> Result<(), Failed> {
        // At least a moment, or a retry count of a thousand million with no interval would never end.
        let interval = self.instance.retry.interval.max(Duration::from_millis(1));
        if self.paused.is_zero() {
            let (channel, partner) = (self.instance.name(), self.instance.partner());
            let destination = self.unsettled.get(index).map(|item| item.destination.to_string()).unwrap_or_default();
            let line = format!(
                "channel {channel} with {partner} is paused: {destination} takes no messages for now ({refusal}); it tries again every {} ms",
                interval.as_millis()
            );
            if let Some(line) = self.instance.gateway.note(&line) {
                tracing::warn!("{line}");
            }
        }
        self.paused += interval;
        self.instance.tell(ChannelStatus::paused);
        let ended = tokio::select! {
            () = tokio::time::sleep(interval) => None,
            () = orders::given_up(self.instance.slot.as_ref()) => Some("the partner came back on another connection"),
            () = self.instance.gateway.hurry.cancelled() => Some("the gateway ends"),
        };
        self.instance.tell(ChannelStatus::resumed);
        self.instance.resume();
        ended.map_or(Ok(()), |why| Err(Failed::CutShort(why)))
    }

    async fn put_again(&mut self, index: usize, refusal: &Refusal) -> Result<(), Failed> {
        let Some(item) = self.unsettled.get_mut(index) else { return Err(never_staged(refusal)) };
        item.retries += 1;
        let frame = item.frame.clone();
        let envelope = Envelope::parse(frame.parts, frame.byte_order, i32::from(frame.ccsid));
        match envelope.ok().and_then(|envelope| self.instance.gateway.publication(&envelope).ok()) {
            Some(Mapped { publication, .. }) => Ok(self.unit.stage(index, publication).await?),
            None => self.give_up(index, refusal).await,
        }
    }

    /// Sends a refused message to the dead-letter queue, once.
    async fn give_up(&mut self, index: usize, refusal: &Refusal) -> Result<(), Failed> {
        let deadq = &self.instance.gateway.settings.deadq;
        let Some(item) = self.unsettled.get_mut(index) else { return Err(never_staged(refusal)) };
        if item.dead {
            let sequence = item.frame.sequence;
            let text = format!("message {sequence} cannot be put to the dead-letter queue {deadq}: {refusal}");
            // A store that is full is full for that queue too: there is room again some day, and nothing to mend there.
            return Err(if reason::may_pass(refusal.reason) {
                Failed::NoRoom(text)
            } else {
                Failed::CannotStore(format!("{text}; mend that queue, the partner tries again"))
            });
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
    pub(super) fn bury(
        &mut self,
        frame: &MessageFrame,
        original: &Original<'_>,
        reason: i32,
        text: &str,
    ) -> Publication {
        let settings = &self.instance.gateway.settings;
        let mapped = mapping::dead_letter(original, reason, text, &settings.deadq, crate::clock::wall_ms());
        self.dead_lettered += 1;
        let line = format!("channel {} dead-letters to {}: {text}", self.instance.name(), settings.deadq);
        if let Some(line) = self.instance.gateway.note(&line) {
            tracing::warn!(sequence = frame.sequence, "{line}");
        }
        mapped.publication
    }
}

fn never_staged(refusal: &Refusal) -> Failed {
    Failed::CannotStore(format!("the target refused a message that was never staged: {refusal}"))
}

/// A message whose headers cannot be read, for the dead-letter queue.
pub(super) fn as_broken(frame: &MessageFrame) -> Original<'_> {
    let encoding = match frame.byte_order {
        ByteOrder::Big => 273,
        ByteOrder::Little => 546,
    };
    Original::Broken { parts: &frame.parts, encoding, ccsid: i32::from(frame.ccsid) }
}
