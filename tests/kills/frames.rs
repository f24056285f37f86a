//! Where a run's step is, told from the frames that pass: segments of the channel, frames of the broker's protocol.

use std::collections::HashMap;

use bytes::Bytes;
use mqferry::wire::{ControlFlags1, Segment, SegmentType};

use super::schedule::{Protocol, Run, Step};
use super::stage::QUEUE;
use super::support::relay::Gate;

/// Counts down to the place.
#[derive(Clone, Debug)]
struct Countdown {
    step: Step,
    left: u64,
}

impl Countdown {
    fn of(run: &Run) -> Self {
        Self { step: run.step, left: run.occurrence }
    }

    /// Whether this passing of the step is the one.
    fn is_at(&mut self, step: Step) -> bool {
        if step != self.step {
            return false;
        }
        self.left -= 1;
        self.left == 0
    }
}

/// What a channel's connection was about last.
#[derive(Clone, Copy, Debug, Default)]
struct Talk {
    /// Messages sent and not confirmed.
    open: bool,
    /// A confirmation is asked for.
    asked: bool,
}

/// Stops between gateway and partner, of whom the sender calls.
#[derive(Debug)]
pub(crate) struct ChannelGate {
    countdown: Countdown,
    /// Stop within the request for confirmation, not behind it.
    request_is_cut: bool,
    talks: HashMap<usize, Talk>,
}

impl ChannelGate {
    pub(crate) fn new(run: &Run) -> Self {
        let request_is_cut = run.sends && run.other_way;
        Self { countdown: Countdown::of(run), request_is_cut, talks: HashMap::new() }
    }
}

impl Gate for ChannelGate {
    fn length(&self, begun: &[u8]) -> Option<usize> {
        // The segment's length is big-endian in every dialect (wire reference, segments 2).
        begun.get(4..8).map(|length| u32::from_be_bytes(length.try_into().unwrap()) as usize)
    }

    fn stop(&mut self, connection: usize, from_client: bool, frame: &[u8]) -> Option<usize> {
        let segment = Segment::parse(Bytes::copy_from_slice(frame)).expect("a segment");
        let (whole, half) = (frame.len(), frame.len() / 2);
        let talk = self.talks.entry(connection).or_default();
        let countdown = &mut self.countdown;
        if segment.tsh.segment_type == SegmentType::INITIAL_DATA {
            return countdown.is_at(Step::Id).then_some(half);
        }
        if !from_client {
            // The first word after the question is the answer to it.
            if !std::mem::take(&mut talk.asked) {
                return None;
            }
            *talk = Talk::default();
            let here = countdown.is_at(Step::PartnerCommitted).then_some(0);
            let here = here.or_else(|| countdown.is_at(Step::ConfirmHalfWritten).then_some(half));
            return here.or_else(|| countdown.is_at(Step::After).then_some(whole));
        }
        let carries = segment.tsh.segment_type == SegmentType::MESSAGE_DATA && !segment.body.is_empty();
        talk.open |= carries;
        if carries && countdown.is_at(Step::MidSegment) {
            return Some(half);
        }
        let flags = segment.tsh.flags1;
        if talk.open && flags.contains(ControlFlags1::CONFIRM_REQUEST) {
            talk.asked = true;
            let passes = if self.request_is_cut { half } else { whole };
            return countdown.is_at(Step::ConfirmRequestIn).then_some(passes);
        }
        let message_over = carries && flags.contains(ControlFlags1::LAST);
        (message_over && countdown.is_at(Step::BetweenMessages)).then_some(whole)
    }
}

/// What a frame to or from the broker is to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    /// A message of an application is handed over.
    Delivery,
    /// With what its answer is known by, if the protocol has that.
    Commit(Option<[u8; 4]>),
    /// Answers that commit, or where it names none the one that is not answered.
    Answer(Option<[u8; 4]>),
    Other,
}

/// What a broker's connection was about last.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    /// A message is in the open transaction.
    open: bool,
    /// Messages were handed over: what is committed from now on are steps of a sending channel.
    feeds: bool,
    /// A batch was put in doubt: later commits retire one.
    doubted: bool,
    /// A commit is not answered.
    committing: Option<Option<[u8; 4]>>,
}

/// Stops between gateway and broker.
#[derive(Debug)]
pub(crate) struct BrokerGate {
    countdown: Countdown,
    protocol: Protocol,
    works: HashMap<usize, Work>,
    /// Stop before the commit, not behind it.
    commit_waits: bool,
    /// Stop behind the commit's answer, not before it.
    answer_passes: bool,
}

impl BrokerGate {
    pub(crate) fn new(run: &Run) -> Self {
        let Run { protocol, other_way, .. } = *run;
        let (countdown, works) = (Countdown::of(run), HashMap::new());
        Self { countdown, protocol, works, commit_waits: run.sends && other_way, answer_passes: other_way }
    }
}

impl Gate for BrokerGate {
    fn length(&self, begun: &[u8]) -> Option<usize> {
        let size = *begun.first_chunk::<4>()?;
        let number = u32::from_be_bytes(size) as usize;
        Some(match self.protocol {
            Protocol::Amqp if size == *b"AMQP" => 8,
            Protocol::Amqp => number,
            Protocol::OpenWire => 4 + number,
            Protocol::Embedded => panic!("no broker"),
        })
    }

    fn stop(&mut self, connection: usize, from_client: bool, frame: &[u8]) -> Option<usize> {
        let work = self.works.entry(connection).or_default();
        let kind = match self.protocol {
            Protocol::Amqp => amqp(from_client, frame),
            _ => openwire(from_client, frame),
        };
        match kind {
            Kind::Message => {
                work.open = true;
                self.countdown.is_at(Step::Staged).then_some(frame.len())
            }
            Kind::Delivery => {
                work.feeds = true;
                self.countdown.is_at(Step::Taken).then_some(frame.len())
            }
            Kind::Commit(name) if work.feeds => {
                work.committing = Some(name);
                let step = if work.doubted { Step::RetireSent } else { Step::DoubtSent };
                let passes = if self.commit_waits { 0 } else { frame.len() };
                self.countdown.is_at(step).then_some(passes)
            }
            Kind::Commit(name) if std::mem::take(&mut work.open) => {
                work.committing = Some(name);
                self.countdown.is_at(Step::CommitSent).then_some(frame.len())
            }
            Kind::Answer(name) if work.committing == Some(name) => {
                work.committing = None;
                let step = match (work.feeds, std::mem::replace(&mut work.doubted, true)) {
                    (false, _) => Step::CommitAnswered,
                    (true, false) => Step::DoubtAnswered,
                    (true, true) => Step::RetireAnswered,
                };
                let passes = if self.answer_passes { frame.len() } else { 0 };
                self.countdown.is_at(step).then_some(passes)
            }
            _ => None,
        }
    }
}

/// Reads as much of an AMQP frame as it takes (AMQP 1.0, part 2, 2.3 and 2.7; part 4, 4.5): a user's message names its
/// queue, a discharge that commits is small and says `false`, and the next disposition answers it.
fn amqp(from_client: bool, frame: &[u8]) -> Kind {
    const TRANSFER: &[u8] = &[0x00, 0x53, 0x14];
    const DISPOSITION: &[u8] = &[0x00, 0x53, 0x15];
    const DISCHARGE: &[u8] = &[0x00, 0x53, 0x32];
    const FALSE: u8 = 0x42;
    let (Some(&offset), Some(&kind)) = (frame.get(4), frame.get(5)) else { return Kind::Other };
    if kind != 0 || frame.starts_with(b"AMQP") {
        return Kind::Other;
    }
    let body = frame.get(usize::from(offset) * 4..).unwrap_or_default();
    match (from_client, body.first_chunk::<3>().map_or(&[][..], |start| start)) {
        (false, DISPOSITION) => Kind::Answer(None),
        (true, TRANSFER) if frame.len() < 200 && contains(frame, DISCHARGE) => {
            let commits = frame.last() == Some(&FALSE) || frame.ends_with(&[0x56, 0]);
            if commits { Kind::Commit(None) } else { Kind::Other }
        }
        (true, TRANSFER) if contains(frame, QUEUE.as_bytes()) => Kind::Message,
        (false, TRANSFER) if is_delivery(frame) => Kind::Delivery,
        _ => Kind::Other,
    }
}

/// The same for OpenWire, loose encoding (wire reference, openwire): size, type, command id, whether an answer is wanted.
fn openwire(from_client: bool, frame: &[u8]) -> Kind {
    const TRANSACTION: u8 = 7;
    const DISPATCH: u8 = 21;
    const MESSAGES: std::ops::RangeInclusive<u8> = 23..=28;
    const RESPONSES: std::ops::RangeInclusive<u8> = 30..=34;
    const COMMIT_ONE_PHASE: u8 = 2;
    let Some(&kind) = frame.get(4) else { return Kind::Other };
    let four_at = |at: usize| frame.get(at..)?.first_chunk::<4>().copied();
    match kind {
        TRANSACTION if from_client && frame.last() == Some(&COMMIT_ONE_PHASE) => Kind::Commit(four_at(5)),
        // Type, command id, whether an answer is wanted, and then the id of what it answers.
        it if !from_client && RESPONSES.contains(&it) => Kind::Answer(four_at(10)),
        it if from_client && MESSAGES.contains(&it) && contains(frame, QUEUE.as_bytes()) => Kind::Message,
        DISPATCH if !from_client && is_delivery(frame) => Kind::Delivery,
        _ => Kind::Other,
    }
}

/// Of an application's message: a channel's record names queues, too, but also its own.
fn is_delivery(frame: &[u8]) -> bool {
    contains(frame, QUEUE.as_bytes()) && !contains(frame, b"MQFERRY.")
}

fn contains(frame: &[u8], part: &[u8]) -> bool {
    frame.windows(part.len()).any(|window| window == part)
}
