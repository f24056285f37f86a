//! Once and only once, against a model: a sender that keeps what is not confirmed, a target that commits or not, and
//! everything between them that can die.
//!
//! The model itself is [`expected`]: what was put, without what the partner kept no copy of and the target rolled back.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use mqferry::channel::{Definition, Identity, Input, Mca, Output, SyncRecord};
use mqferry::wire::{Alphabet, ByteOrder, ControlFlags1, Luwid, Msh, Reset, Segment, SegmentType, StatusCode};
use proptest::prelude::*;

use crate::talk::*;

/// Where a message of frame 17 keeps its number in the tests: the last byte of its data, which no MsgId reaches.
const HEADERS: usize = 20 + 428;

/// What the target's commit, or our answer to it, comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// Nothing dies.
    Well,
    /// The target says that it rolled back.
    RolledBack,
    /// The target's answer is lost; it has nothing.
    InDoubtNothingKept,
    /// The target's answer is lost; it has all.
    InDoubtAllKept,
    /// Our answer is lost, if there is one.
    AnswerLost,
}

/// What happens in the middle of a batch.
#[derive(Clone, Copy, Debug)]
enum Middle {
    /// Nothing comes for two seconds.
    Pause,
    /// BATCHHB: a heartbeat that names the batch, or no batch.
    Beat { names_it: bool },
    /// The connection goes.
    Cut,
}

/// What asks for the confirm.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    LastMessage,
    Status,
    Resync,
    EmptyMessage,
    Heartbeat,
}

#[derive(Clone, Debug)]
struct Attempt {
    count: usize,
    /// Segments a message.
    segments: usize,
    /// Behind so many segments of the batch.
    middle: Option<(usize, Middle)>,
    ask: Ask,
    fate: Fate,
    /// The fate is that of the batch's first commit, else of the one that was asked for.
    early: bool,
}

#[derive(Clone, Debug)]
enum Act {
    /// A batch, cut so by this attempt.
    Batch(Attempt),
    /// Non-persistent messages for which nobody asks a confirm and of which the sender keeps no copy; then a rest or not.
    Fast { count: usize, segments: usize, rests: bool, fate: Fate },
    /// RESET CHANNEL to this number; an operator does so only when nothing is unsettled: messages that get new numbers
    /// cannot be recognised.
    Reset(i32),
}

/// How this queue manager is, from beginning to end.
#[derive(Clone, Copy, Debug)]
struct Manners {
    wrap: i32,
    /// Asks when in doubt, as Hitachi describes; else it just sends again, cut as it likes.
    asks: bool,
    /// Goes on behind fast messages after a restart; else begins at the number behind its last confirm.
    remembers: bool,
    /// All its messages have one MsgId, as an application may set it. Such fast messages cannot be told apart when
    /// their numbers are used again, so it sends none.
    one_id: bool,
    /// Every third message is non-persistent.
    mixes: bool,
}

impl Manners {
    fn fast(&self, id: u8) -> bool {
        self.mixes && id.is_multiple_of(3)
    }
}

/// The queue manager: what is on the transmission queue, and the numbers of what is in doubt.
struct Sender {
    queue: VecDeque<u8>,
    /// Number of the next message.
    next: i32,
    /// The same as its disk has it: a batch's numbers are there before it can be in doubt.
    stored: i32,
    /// The same behind what was last confirmed.
    confirmed: i32,
    luwids: u8,
    in_doubt: Option<(Luwid, usize)>,
    /// Messages at the front of the queue that were sent once and whose fate it never learned.
    unsettled: usize,
}

/// The broker: messages by their numbers in the model.
#[derive(Default)]
struct Target {
    messages: Vec<u8>,
    staged: Vec<u8>,
    record: Option<SyncRecord>,
}

struct World {
    manners: Manners,
    sender: Sender,
    target: Target,
    /// Of the next commit.
    fate: Fate,
    now: Duration,
    /// Fast messages that the target rolled back.
    lost: BTreeSet<u8>,
}

/// What the sender hears.
struct Heard {
    answers: Vec<Segment>,
    over: bool,
}

impl World {
    fn following(&self, number: i32) -> i32 {
        if number >= self.manners.wrap { 1 } else { number + 1 }
    }

    /// One connection: resync if in doubt, then what is to be done. Gives up at the first disturbance.
    fn connect(&mut self, acts: &[Act]) {
        let identity = Identity { qmgr_name: "GW".into(), qmgr_id: String::new() };
        let mut mca = Mca::new(identity, self.now);
        assert!(self.target.staged.is_empty(), "nothing is left of a connection that ended");
        let lost = self.lost.len();
        let mut offer = fitting_offer();
        offer.seq_wrap = self.manners.wrap;
        offer.max_msg_per_batch = u16::try_from(self.manners.wrap / 2).unwrap().min(50);
        let heard = self.say(&mut mca, initial_data(&offer));
        assert_eq!(heard.answers[0].tsh.segment_type, SegmentType::INITIAL_DATA);
        if let Some((luwid, count)) = self.sender.in_doubt.filter(|_| self.manners.asks) {
            let last = (1..count).fold(self.sender.next, |number, _| self.following(number));
            let heard = self.say(&mut mca, segment(SegmentType::RESYNC_DATA, CONFIRM, luwid, number_body(last)));
            let answer = heard.answers.first().expect("a resync is answered");
            if answer.tsh.luwid == luwid && !answer.tsh.flags1.contains(ERROR) {
                self.retire(count);
            }
            self.sender.in_doubt = None;
        }
        let undisturbed = acts.iter().all(|act| match act {
            Act::Batch(attempt) => self.batch(&mut mca, attempt),
            Act::Fast { count, segments, rests, fate } => self.fast(&mut mca, *count, *segments, *rests, *fate),
            Act::Reset(number) => self.reset(&mut mca, *number),
        });
        if undisturbed {
            self.say(&mut mca, status(CLOSE, Luwid::ZERO));
        } else {
            self.hang_up(&mut mca);
        }
        self.fate = Fate::Well;
        if self.lost.len() > lost {
            // A gap in the numbers, which an operator mends.
            self.sender.stored = self.sender.confirmed;
        }
        if !self.manners.remembers || self.lost.len() > lost || !undisturbed {
            self.sender.next = self.sender.stored;
        }
    }

    fn reset(&mut self, mca: &mut Mca, number: i32) -> bool {
        let number = number.min(self.manners.wrap);
        if self.sender.in_doubt.is_some() || self.sender.unsettled > 0 || self.sender.next != self.sender.stored {
            return true;
        }
        let heard = self.say(mca, segment(SegmentType::RESET_DATA, CONFIRM, Luwid::ZERO, number_body(number)));
        assert!(heard.answers[0].body.is_empty());
        (self.sender.next, self.sender.stored, self.sender.confirmed) = (number, number, number);
        true
    }

    fn luwid(&mut self) -> Luwid {
        self.sender.luwids = self.sender.luwids.wrapping_add(1);
        Luwid([self.sender.luwids, 1, 1, 1, 1, 1, 1, 1])
    }

    /// Whether nothing disturbed it.
    fn batch(&mut self, mca: &mut Mca, attempt: &Attempt) -> bool {
        let count = attempt.count.min(self.sender.queue.len()).min(usize::try_from(self.manners.wrap / 2).unwrap());
        if count == 0 {
            return true;
        }
        let luwid = self.luwid();
        let rides = attempt.ask == Ask::LastMessage;
        let mut number = self.sender.next;
        self.sender.stored = number;
        let mut sent = 0;
        if attempt.early {
            self.fate = attempt.fate;
        }
        for at in 0..count {
            let id = self.sender.queue[at];
            let flags = if rides && at + 1 == count { CONFIRM } else { NONE };
            let cut = self.message(number, id, flags, luwid, attempt.segments);
            for segment in cut {
                let middle = attempt.middle.filter(|&(behind, _)| behind == sent).map(|(_, middle)| middle);
                sent += 1;
                self.sender.unsettled = self.sender.unsettled.max(at + 1);
                if middle.is_some_and(|middle| !self.middle(mca, luwid, middle)) {
                    return false;
                }
                if segment.tsh.flags1.contains(CONFIRM) {
                    self.asked(luwid, count, attempt);
                    let heard = self.say(mca, segment);
                    return self.confirmed(heard, luwid, count, SegmentType::STATUS_DATA);
                }
                let heard = self.say(mca, segment);
                assert!(heard.answers.is_empty() && !heard.over, "nothing is said within a batch");
            }
            if at + 1 < count {
                number = self.following(number);
            }
        }
        self.asked(luwid, count, attempt);
        let (kind, body) = match attempt.ask {
            Ask::LastMessage => unreachable!("it was asked with the last message"),
            Ask::Status => (SegmentType::STATUS_DATA, bytes::Bytes::new()),
            Ask::Resync => (SegmentType::RESYNC_DATA, number_body(number)),
            Ask::EmptyMessage => (SegmentType::MESSAGE_DATA, bytes::Bytes::new()),
            Ask::Heartbeat => (SegmentType::HEARTBEAT, bytes::Bytes::new()),
        };
        let heard = self.say(mca, segment(kind, CONFIRM, luwid, body));
        let answer = if kind == SegmentType::HEARTBEAT { kind } else { SegmentType::STATUS_DATA };
        self.confirmed(heard, luwid, count, answer)
    }

    /// Store first, then speak.
    fn asked(&mut self, luwid: Luwid, count: usize, attempt: &Attempt) {
        self.sender.in_doubt = Some((luwid, count));
        if !attempt.early {
            self.fate = attempt.fate;
        }
    }

    fn confirmed(&mut self, heard: Heard, luwid: Luwid, count: usize, kind: SegmentType) -> bool {
        let Some(answer) = heard.answers.first() else { return false };
        self.sender.in_doubt = None;
        if !answer.body.is_empty() || answer.tsh.flags1.contains(ERROR) {
            assert!(heard.over, "a batch that is refused ends the channel");
            return false;
        }
        assert_eq!((answer.tsh.luwid, answer.tsh.segment_type), (luwid, kind), "{answer:?}");
        self.retire(count);
        true
    }

    /// Whether nothing disturbed it.
    fn middle(&mut self, mca: &mut Mca, luwid: Luwid, middle: Middle) -> bool {
        match middle {
            Middle::Cut => false,
            Middle::Pause => !self.pause(mca).over,
            Middle::Beat { names_it } => {
                let luwid = if names_it { luwid } else { Luwid::ZERO };
                let heard = self.say(mca, segment(SegmentType::HEARTBEAT, CONFIRM, luwid, ""));
                let Some(answer) = heard.answers.first() else { return false };
                assert!(heard.over || answer.tsh.segment_type == SegmentType::HEARTBEAT, "{answer:?}");
                !heard.over
            }
        }
    }

    /// Whether nothing disturbed it.
    fn fast(&mut self, mca: &mut Mca, count: usize, segments: usize, rests: bool, fate: Fate) -> bool {
        if self.sender.unsettled > 0 || self.manners.one_id {
            return true;
        }
        let luwid = self.luwid();
        for _ in 0..count {
            let Some(id) = self.sender.queue.front().copied().filter(|id| self.manners.fast(*id)) else { break };
            self.fate = fate;
            for segment in self.message(self.sender.next, id, NONE, luwid, segments) {
                let heard = self.say(mca, segment);
                assert!(heard.answers.is_empty() && !heard.over);
            }
            self.sender.queue.pop_front();
            self.sender.next = self.following(self.sender.next);
        }
        !rests || !self.pause(mca).over
    }

    /// A message as so many segments.
    fn message(&self, number: i32, id: u8, flags: ControlFlags1, luwid: Luwid, segments: usize) -> Vec<Segment> {
        let msg_id = if self.manners.one_id { 7 } else { id };
        let whole = message_with(number, msg_id, flags, luwid, u8::from(!self.manners.fast(id)));
        let mut bytes = BytesMut::from(&whole.body[20..]);
        *bytes.last_mut().unwrap() = id;
        let piece = bytes.len().div_ceil(segments);
        let total = i32::try_from(bytes.len()).unwrap();
        let last = bytes.len().div_ceil(piece) - 1;
        let pieces = bytes.chunks(piece).enumerate();
        pieces
            .map(|(at, piece)| {
                let data_length = i32::try_from(piece.len()).unwrap();
                let segment_number = i32::try_from(at).unwrap();
                let msh = Msh { sequence: number, data_length, segment_number, message_length: total };
                let mut body = BytesMut::from(&msh.encode(ByteOrder::Little, Alphabet::Ascii)[..]);
                body.extend_from_slice(piece);
                let mut own = NONE;
                own.set(ControlFlags1::FIRST, at == 0);
                own.set(ControlFlags1::LAST, at == last);
                own.set(CONFIRM, at == last && flags.contains(CONFIRM));
                segment(SegmentType::MESSAGE_DATA, own, luwid, body.freeze())
            })
            .collect()
    }

    fn retire(&mut self, count: usize) {
        self.sender.queue.drain(..count);
        self.sender.unsettled = self.sender.unsettled.saturating_sub(count);
        self.sender.next = (0..count).fold(self.sender.next, |number, _| self.following(number));
        (self.sender.stored, self.sender.confirmed) = (self.sender.next, self.sender.next);
    }

    fn say(&mut self, mca: &mut Mca, segment: Segment) -> Heard {
        mca.handle(self.now, Input::Segment(segment));
        self.serve(mca)
    }

    fn hang_up(&mut self, mca: &mut Mca) {
        mca.handle(self.now, Input::PeerClosed("cut".into()));
        self.serve(mca);
    }

    /// Two seconds without a word.
    fn pause(&mut self, mca: &mut Mca) -> Heard {
        let end = self.now + Duration::from_secs(2);
        if let Some(due) = mca.next_timeout().filter(|due| *due <= end) {
            self.now = due;
            mca.handle(due, Input::Tick);
        }
        let heard = self.serve(mca);
        self.now = end;
        heard
    }

    fn serve(&mut self, mca: &mut Mca) -> Heard {
        let mut heard = Heard { answers: Vec::new(), over: false };
        let mut mute = false;
        let definition = Definition { seqwrap: self.manners.wrap, ..definition() };
        while let Some(output) = mca.poll() {
            match output {
                Output::Identify { .. } => mca.handle(self.now, Input::Defined(Box::new(definition.clone()))),
                Output::Claim { .. } => {
                    let record = self.target.record.clone();
                    mca.handle(self.now, Input::Claimed { record, max_message_bytes: None });
                }
                Output::Deliver(message) => {
                    let bytes = message.parts.concat();
                    assert_eq!(bytes.len(), HEADERS + 28 - 20);
                    self.target.staged.push(*bytes.last().unwrap());
                }
                Output::Rollback => self.roll_back(),
                Output::Commit(record) => {
                    let fate = std::mem::replace(&mut self.fate, Fate::Well);
                    mute |= fate == Fate::AnswerLost;
                    if matches!(fate, Fate::RolledBack | Fate::InDoubtNothingKept) {
                        self.roll_back();
                    } else {
                        self.target.messages.append(&mut self.target.staged);
                        self.target.record = Some(record);
                    }
                    let outcome = match fate {
                        Fate::RolledBack => Input::RolledBack(StatusCode::BATCH_FAILURE, "rolled back".into()),
                        Fate::InDoubtNothingKept | Fate::InDoubtAllKept => Input::InDoubt("no answer".into()),
                        Fate::Well | Fate::AnswerLost => Input::Committed { dlq_used: false },
                    };
                    mca.handle(self.now, outcome);
                }
                Output::Send(segment) => heard.answers.push(segment),
                Output::Stopped(stopped) => {
                    assert_ne!(stopped.code, Some(StatusCode::MSG_SEQUENCE_ERROR), "{}", stopped.why);
                    heard.over = true;
                    break;
                }
                Output::Begin { .. } | Output::Repeated { .. } | Output::Running => {}
            }
        }
        if mute {
            heard.answers.clear();
        }
        heard
    }

    /// The target has nothing of it. What the sender has no copy of is gone; that may happen to fast messages.
    fn roll_back(&mut self) {
        for id in self.target.staged.drain(..) {
            if !self.sender.queue.contains(&id) {
                assert!(self.manners.fast(id), "message {id} is lost");
                self.lost.insert(id);
            }
        }
    }
}

/// The model.
fn expected(put: &[u8], lost: &BTreeSet<u8>) -> Vec<u8> {
    put.iter().copied().filter(|id| !lost.contains(id)).collect()
}

fn number_body(number: i32) -> bytes::Bytes {
    Reset::new(number).encode(ByteOrder::Little)
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        5 => Just(Fate::Well),
        1 => Just(Fate::RolledBack),
        1 => Just(Fate::InDoubtNothingKept),
        1 => Just(Fate::InDoubtAllKept),
        2 => Just(Fate::AnswerLost),
    ]
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let middle = prop_oneof![
        2 => Just(Middle::Pause),
        1 => any::<bool>().prop_map(|names_it| Middle::Beat { names_it }),
        2 => Just(Middle::Cut),
    ];
    let ask = prop_oneof![
        5 => Just(Ask::LastMessage),
        1 => Just(Ask::Status),
        1 => Just(Ask::Resync),
        1 => Just(Ask::EmptyMessage),
        1 => Just(Ask::Heartbeat),
    ];
    let middle = proptest::option::weighted(0.4, (0..12_usize, middle));
    (1..9_usize, prop_oneof![2 => Just(1_usize), 1 => 2..5_usize], middle, ask, fate(), any::<bool>())
        .prop_map(|(count, segments, middle, ask, fate, early)| Attempt { count, segments, middle, ask, fate, early })
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fast = (1..5_usize, 1..4_usize, any::<bool>(), fate());
    let act = prop_oneof![
        9 => attempt().prop_map(Act::Batch),
        3 => fast.prop_map(|(count, segments, rests, fate)| Act::Fast { count, segments, rests, fate }),
        1 => (1..=100).prop_map(Act::Reset),
    ];
    proptest::collection::vec(act, 1..4)
}

fn manners() -> impl Strategy<Value = Manners> {
    (prop_oneof![Just(16), Just(100)], any::<[bool; 4]>())
        .prop_map(|(wrap, [asks, remembers, one_id, mixes])| Manners { wrap, asks, remembers, one_id, mixes })
}

const IN_PEACE: Attempt =
    Attempt { count: 7, segments: 1, middle: None, ask: Ask::LastMessage, fate: Fate::Well, early: false };

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Once the sender has emptied its queue in peace, the target has every message once and in order, but for fast
    /// ones that it rolled back itself and of which the sender kept no copy.
    #[test]
    fn every_message_once_and_in_order(connections in proptest::collection::vec(acts(), 0..20), manners in manners(), start in 0..16) {
        let put: Vec<u8> = (1..=200).collect();
        let next = if start == manners.wrap { 1 } else { start + 1 };
        let mut world = World {
            manners,
            sender: Sender { queue: put.iter().copied().collect(), next, stored: next, confirmed: next, luwids: 0, in_doubt: None, unsettled: 0 },
            target: Target { record: Some(record(start, Luwid::ZERO, [])), ..Target::default() },
            fate: Fate::Well,
            now: Duration::ZERO,
            lost: BTreeSet::new(),
        };
        for acts in connections {
            world.connect(&acts);
        }
        for _ in 0..200 {
            if world.sender.queue.is_empty() {
                break;
            }
            world.connect(&[Act::Batch(IN_PEACE)]);
        }
        prop_assert!(world.sender.queue.is_empty());
        prop_assert_eq!(&world.target.messages, &expected(&put, &world.lost));
    }
}
