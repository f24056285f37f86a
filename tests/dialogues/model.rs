//! Once and only once, against a ten-line model: a sender that keeps what is not confirmed, a target that commits or not,
//! and everything between them that can die.

use std::collections::VecDeque;
use std::time::Duration;

use mqferry::channel::{Definition, Identity, Input, Mca, Output, SyncRecord};
use mqferry::wire::{ByteOrder, ControlFlags1, Luwid, Reset, Segment, SegmentType, StatusCode};
use proptest::prelude::*;

use crate::talk::*;

const WRAP: i32 = 100;

/// What dies, and when.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Nothing does.
    Well,
    /// The connection, before the confirm request.
    CutBeforeTheRequest,
    /// The target says that it rolled back.
    RolledBack,
    /// The target's answer is lost; it has nothing.
    InDoubtNothingKept,
    /// The target's answer is lost; it has all.
    InDoubtAllKept,
    /// Our confirm is lost.
    ConfirmLost,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A batch of so many messages, cut so by this attempt.
    Batch(usize, Fate),
    /// RESET CHANNEL to this number; an operator does so only when nothing is in doubt: messages that get new
    /// numbers cannot be recognised.
    Reset(i32),
}

/// The queue manager: what is on the transmission queue, and the numbers of what is in doubt.
struct Sender {
    queue: VecDeque<u8>,
    next: i32,
    luwids: u8,
    in_doubt: Option<(Luwid, usize)>,
    /// Messages at the front of the queue that were once asked about and whose fate it never learned.
    unsettled: usize,
    asks: bool,
}

/// The broker: a message is the byte that its MsgId is made of.
#[derive(Default)]
struct Target {
    messages: Vec<u8>,
    staged: Vec<u8>,
    record: Option<SyncRecord>,
}

struct World {
    sender: Sender,
    target: Target,
    fate: Fate,
}

fn following(number: i32) -> i32 {
    if number >= WRAP { 1 } else { number + 1 }
}

impl World {
    /// One connection: resync if in doubt, then what the step says. Gives up at the first disturbance.
    fn connect(&mut self, step: Step) {
        let identity = Identity { qmgr_name: "GW".into(), qmgr_id: String::new() };
        let mut mca = Mca::new(identity, Duration::ZERO);
        self.target.staged.clear();
        let mut offer = fitting_offer();
        offer.seq_wrap = WRAP;
        let answers = self.say(&mut mca, initial_data(&offer)).expect("bound");
        assert_eq!(answers[0].tsh.segment_type, SegmentType::INITIAL_DATA);
        if let Some((luwid, count)) = self.sender.in_doubt.filter(|_| self.sender.asks) {
            let last = (1..count).fold(self.sender.next, |number, _| following(number));
            let body = Reset::new(last).encode(ByteOrder::Little);
            let question = segment(SegmentType::RESYNC_DATA, CONFIRM, luwid, body);
            let Some(answers) = self.say(&mut mca, question) else { panic!("a resync is answered") };
            if answers[0].tsh.luwid == luwid && !answers[0].tsh.flags1.contains(ControlFlags1::ERROR) {
                self.sender.retire(count);
            }
            (self.sender.in_doubt, self.sender.unsettled) = (None, 0);
        }
        match step {
            Step::Batch(count, fate) => self.batch(&mut mca, count, fate),
            Step::Reset(number) if self.sender.in_doubt.is_none() && self.sender.unsettled == 0 => {
                let body = Reset::new(number).encode(ByteOrder::Little);
                let answers = self.say(&mut mca, segment(SegmentType::RESET_DATA, CONFIRM, Luwid::ZERO, body));
                assert!(answers.is_some_and(|answers| answers[0].body.is_empty()));
                self.sender.next = number;
            }
            Step::Reset(_) => {}
        }
    }

    fn batch(&mut self, mca: &mut Mca, count: usize, fate: Fate) {
        let count = count.min(self.sender.queue.len());
        if count == 0 {
            return;
        }
        self.sender.luwids += 1;
        let luwid = Luwid([self.sender.luwids; 8]);
        let mut number = self.sender.next;
        for at in 0..count {
            let last = at + 1 == count;
            if last && matches!(fate, Fate::CutBeforeTheRequest) {
                mca.handle(Duration::ZERO, Input::PeerClosed("cut".into()));
                self.serve(mca);
                return;
            }
            let flags = if last { CONFIRM } else { NONE };
            if last {
                self.sender.in_doubt = Some((luwid, count));
                self.sender.unsettled = self.sender.unsettled.max(count);
                self.fate = fate;
            }
            let answers = self.say(mca, message_with(number, self.sender.queue[at], flags, luwid, 1));
            self.fate = Fate::Well;
            number = following(number);
            if !last {
                assert!(answers.is_none(), "nothing is said within a batch");
                continue;
            }
            let Some(answers) = answers else { return };
            if !matches!(fate, Fate::ConfirmLost) {
                let confirm = &answers[0];
                if confirm.body.is_empty() {
                    assert_eq!(confirm.tsh.luwid, luwid);
                    self.sender.retire(count);
                }
                self.sender.in_doubt = None;
            }
        }
    }

    fn say(&mut self, mca: &mut Mca, segment: Segment) -> Option<Vec<Segment>> {
        mca.handle(Duration::ZERO, Input::Segment(segment));
        self.serve(mca)
    }

    /// Answers; none when the connection ended without one.
    fn serve(&mut self, mca: &mut Mca) -> Option<Vec<Segment>> {
        let mut answers = Vec::new();
        let definition = Definition { seqwrap: WRAP, ..definition() };
        while let Some(output) = mca.poll() {
            match output {
                Output::Identify { .. } => mca.handle(Duration::ZERO, Input::Defined(Box::new(definition.clone()))),
                Output::Claim { .. } => {
                    let record = self.target.record.clone();
                    mca.handle(Duration::ZERO, Input::Claimed { record, max_message_bytes: None });
                }
                Output::Deliver(message) => self.target.staged.push(message.parts[0][152]),
                Output::Rollback => self.target.staged.clear(),
                Output::Commit(record) => {
                    let keep = !matches!(self.fate, Fate::RolledBack | Fate::InDoubtNothingKept);
                    if keep {
                        self.target.messages.append(&mut self.target.staged);
                        self.target.record = Some(record);
                    }
                    self.target.staged.clear();
                    mca.handle(
                        Duration::ZERO,
                        match self.fate {
                            Fate::RolledBack => Input::RolledBack(StatusCode::BATCH_FAILURE, "rolled back".into()),
                            Fate::InDoubtNothingKept | Fate::InDoubtAllKept => Input::InDoubt("no answer".into()),
                            _ => Input::Committed { dlq_used: false },
                        },
                    );
                }
                Output::Send(segment) => answers.push(segment),
                Output::Stopped(stopped) => {
                    assert_ne!(stopped.code, Some(StatusCode::MSG_SEQUENCE_ERROR), "{}", stopped.why);
                    break;
                }
                Output::Begin { .. } | Output::Repeated { .. } | Output::Running => {}
            }
        }
        (!answers.is_empty()).then_some(answers)
    }
}

impl Sender {
    fn retire(&mut self, count: usize) {
        self.queue.drain(..count);
        self.unsettled = self.unsettled.saturating_sub(count);
        self.next = (0..count).fold(self.next, |number, _| following(number));
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        3 => Just(Fate::Well),
        1 => Just(Fate::CutBeforeTheRequest),
        1 => Just(Fate::RolledBack),
        1 => Just(Fate::InDoubtNothingKept),
        1 => Just(Fate::InDoubtAllKept),
        2 => Just(Fate::ConfirmLost),
    ];
    let step = prop_oneof![9 => (1..9_usize, fate).prop_map(|(count, fate)| Step::Batch(count, fate)), 1 => (1..=WRAP).prop_map(Step::Reset)];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Once the sender has emptied its queue in peace, the target has every message once and in order; whether
    /// the sender asks when in doubt, as Hitachi describes, or just sends again, cut as it likes.
    #[test]
    fn every_message_once_and_in_order(steps in steps(), asks in any::<bool>(), start in 0..WRAP) {
        let messages: Vec<u8> = (1..=120).collect();
        let mut world = World {
            sender: Sender { queue: messages.iter().copied().collect(), next: following(start), luwids: 0, in_doubt: None, unsettled: 0, asks },
            target: Target { record: Some(record(start, Luwid::ZERO, [])), ..Target::default() },
            fate: Fate::Well,
        };
        for step in steps {
            world.connect(step);
        }
        for _ in 0..200 {
            if world.sender.queue.is_empty() {
                break;
            }
            world.connect(Step::Batch(7, Fate::Well));
        }
        prop_assert!(world.sender.queue.is_empty());
        prop_assert_eq!(world.target.messages, messages);
    }
}
