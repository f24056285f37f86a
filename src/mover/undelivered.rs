//! What becomes of messages that the target refuses: put again if time may help, else to the dead-letter queue, in the
//! same unit of work and without touching their neighbours.
//!
//! Messages are staged ahead of their answers. If one is refused for now and a later one to the same destination was
//! taken, putting it again would change their order: then the unit is rolled back and the whole batch staged once more,
//! each message waiting for its answer, and so until a batch has passed in which nothing had to be put again.
//!
//! Where the target answers for a batch with its commit alone ([`Answers::AtCommit`]), a refused commit leaves nothing, and the
//! batch is staged once more, each message's answer asked for; what is refused then is dealt with as above.
//!
//! A message that expires while it waits is thrown away, and so is one that its sender wants discarded; senders are told if
//! they asked for that ([`super::sender_reports`]).

use std::time::Duration;

use super::batch::{Batch, STAGED};
use super::held_up;
use super::link::Stream;
use super::memory::Room;
use super::orders;
use crate::admin::ChannelStatus;
use crate::admin::status::Substate;
use crate::channel::{Definition, MessageFrame};
use crate::mapping::reports::{self, Event};
use crate::mapping::{self, Destination, Mapped, Original, Publication, reason};
use crate::message::{BrokenEnvelope, Envelope};
use crate::target::{Answers, Refusal, Target, TargetError, Unit};
use crate::wire::ByteOrder;

/// A staged message that the target has not yet answered for. Its bytes are kept: a refusal needs them again.
pub(super) struct Unsettled {
    frame: MessageFrame,
    /// Where it was staged to; none: nowhere, it is thrown away.
    destination: Option<Destination>,
    /// Why it is not on its way to its own destination any more.
    lost: Option<Event>,
    /// It asks for reports.
    pub(super) asks: bool,
    /// It is a report that we made, and did not come over the channel.
    is_report: bool,
    /// Milliseconds since 1970.
    came_at_ms: i64,
    /// How often it was put again.
    retries: u32,
    room: Option<Room>,
}

impl Unsettled {
    /// A message that came just now.
    pub(super) fn new(frame: MessageFrame, room: Option<Room>) -> Self {
        let came_at_ms = crate::clock::wall_ms();
        Self { frame, destination: None, lost: None, asks: false, is_report: false, came_at_ms, retries: 0, room }
    }

    /// A report of ours.
    pub(super) fn report(frame: MessageFrame) -> Self {
        Self { is_report: true, ..Self::new(frame, None) }
    }

    /// The message, to be staged once more; none of a report, which is made anew with its message.
    pub(super) fn into_message(self) -> Option<(MessageFrame, Option<Room>)> {
        (!self.is_report).then_some((self.frame, self.room))
    }

    pub(super) fn frame(&self) -> &MessageFrame {
        &self.frame
    }

    pub(super) fn sequence(&self) -> i32 {
        self.frame.sequence
    }

    pub(super) fn came_at_ms(&self) -> i64 {
        self.came_at_ms
    }

    /// What became of it, if it did not go to its destination.
    pub(super) fn lost(&self) -> Option<Event> {
        self.lost
    }

    /// It does not go to its destination.
    pub(super) fn is_lost(&mut self, event: Event) {
        self.lost = Some(event);
    }

    pub(super) fn staged_to(&mut self, publication: Option<&Publication>) {
        self.destination = publication.map(|publication| publication.destination.clone());
    }

    /// The message taken apart.
    pub(super) fn envelope(&self) -> Result<Envelope, BrokenEnvelope> {
        Envelope::parse(self.frame.parts.clone(), self.frame.byte_order, i32::from(self.frame.ccsid))
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
    /// There is no room for the next message, of so many bytes, and what the batch holds cannot be given back before its commit.
    Cramped(usize),
}

impl From<TargetError> for Failed {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl<T: Target, S: Stream, U: Unit> Batch<'_, '_, T, S, U> {
    /// Waits for all answers; what was refused is put again or goes to the dead-letter queue, and what senders asked to be told
    /// of it is said, in the same unit of work.
    pub(super) async fn settle(&mut self) -> Result<(), Failed> {
        loop {
            let refused = held_up::wait_for(self.instance, STAGED, Substate::MqPut, self.unit.settle()).await?;
            if refused.is_empty() {
                let settled = std::mem::take(&mut self.unsettled);
                let told = self.report_on(&settled).await;
                if self.answers == Answers::AtCommit {
                    self.kept.extend(settled);
                }
                if told? {
                    return Ok(());
                }
                continue;
            }
            self.refused = true;
            let mut again = Vec::new();
            for (index, refusal) in &refused {
                if self.has_expired(*index) {
                    continue;
                }
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
                    if !self.has_expired(index) {
                        self.put_again(index, refusal).await?;
                    }
                }
            }
        }
    }

    /// Whether a refused message's time ran out while it waited: then it is thrown away, as a queue manager does.
    fn has_expired(&mut self, index: usize) -> bool {
        let now_ms = crate::clock::wall_ms();
        let Some(item) = self.unsettled.get_mut(index).filter(|item| item.lost.is_none()) else { return false };
        let Ok(envelope) = item.envelope() else { return false };
        let tenths = i64::from(envelope.md.expiry);
        if tenths <= 0 || now_ms < item.came_at_ms.saturating_add(tenths * 100) {
            return false;
        }
        item.lost = Some(Event::Expired);
        let sequence = item.frame.sequence;
        let line =
            format!("channel {}: a message expired while its queue took none, and is gone", self.instance.name());
        if let Some(line) = self.instance.gateway.note(&line) {
            tracing::warn!(sequence, "{line}");
        }
        true
    }

    fn is_worth_a_retry(&self, index: usize, refusal: &Refusal) -> bool {
        let retry = self.instance.retry;
        let in_time = self.instance.patience().is_none_or(|patience| self.paused + retry.interval <= patience);
        let item = self.unsettled.get(index);
        reason::may_pass(refusal.reason)
            && in_time
            && item.is_some_and(|item| item.lost.is_none() && item.retries < retry.count)
    }

    /// Whether a later message of the batch has gone to the same destination.
    fn is_overtaken(&self, index: usize, refused: &[(usize, Refusal)]) -> bool {
        // Reports keep no order.
        let Some(item) = self.unsettled.get(index).filter(|item| !item.is_report) else { return false };
        self.unsettled.iter().enumerate().skip(index + 1).any(|(later, other)| {
            other.lost.is_none()
                && other.destination == item.destination
                && !refused.iter().any(|(index, _)| *index == later)
        })
    }

    /// Waits for the message-retry interval. The partner is not blamed for the silence meanwhile.
    async fn pause(&mut self, index: usize, refusal: &Refusal) -> Result<(), Failed> {
        // At least a moment, or a retry count of a thousand million with no interval would never end.
        let interval = self.instance.retry.interval.max(Duration::from_millis(1));
        if self.paused.is_zero() {
            let (channel, partner) = (self.instance.name(), self.instance.partner());
            let item = self.unsettled.get(index).and_then(|item| item.destination.as_ref());
            let destination = item.map(Destination::to_string).unwrap_or_default();
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
        let (gateway, came_at_ms) = (self.instance.gateway, item.came_at_ms);
        let mapped = item.envelope().ok().and_then(|envelope| match item.is_report {
            true => gateway.report(&envelope, came_at_ms).ok(),
            false => gateway.publication(&envelope, came_at_ms).ok(),
        });
        match mapped {
            Some(Mapped { publication, .. }) => Ok(self.unit.stage(index, publication).await?),
            None => self.give_up(index, refusal).await,
        }
    }

    /// Sends a refused message to the dead-letter queue, once.
    async fn give_up(&mut self, index: usize, refusal: &Refusal) -> Result<(), Failed> {
        let deadq = &self.instance.gateway.settings.deadq;
        let Some(item) = self.unsettled.get_mut(index) else { return Err(never_staged(refusal)) };
        if item.lost.is_some() {
            let sequence = item.frame.sequence;
            let text = format!("message {sequence} cannot be put to the dead-letter queue {deadq}: {refusal}");
            // A store that is full is full for that queue too: there is room again some day, and nothing to mend there.
            return Err(if reason::may_pass(refusal.reason) {
                Failed::NoRoom(text)
            } else {
                Failed::CannotStore(format!("{text}; mend that queue, the partner tries again"))
            });
        }
        item.lost = Some(Event::Failed(refusal.reason));
        let (frame, envelope) = (item.frame.clone(), item.envelope());
        let original = envelope.as_ref().map_or_else(|_| as_broken(&frame), Original::Parsed);
        match self.bury(&frame, &original, refusal.reason, &refusal.text) {
            Some(publication) => Ok(self.unit.stage(index, publication).await?),
            None => Ok(()),
        }
    }

    /// What goes to the dead-letter queue in place of a message; none where its sender wants it thrown away instead.
    pub(super) fn bury(
        &mut self,
        frame: &MessageFrame,
        original: &Original<'_>,
        reason: i32,
        text: &str,
    ) -> Option<Publication> {
        let settings = &self.instance.gateway.settings;
        if let Original::Parsed(envelope) = original
            && reports::discards(envelope)
        {
            let line =
                format!("channel {} discards a message, as its sender wants it then: {text}", self.instance.name());
            if let Some(line) = self.instance.gateway.note(&line) {
                tracing::warn!(sequence = frame.sequence, "{line}");
            }
            return None;
        }
        let mapped = mapping::dead_letter(original, reason, text, &settings.deadq, crate::clock::wall_ms());
        self.dead_lettered += 1;
        let line = format!("channel {} dead-letters to {}: {text}", self.instance.name(), settings.deadq);
        if let Some(line) = self.instance.gateway.note(&line) {
            tracing::warn!(sequence = frame.sequence, "{line}");
        }
        Some(mapped.publication)
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
