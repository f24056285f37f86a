//! The machine against a model of a partner and a store, with deaths at every output, lost and wrong answers, refusals, and
//! numbers that wrap: nothing lost, nothing doubled, order kept, numbers unbroken.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use std::collections::VecDeque;

use super::super::*;
use super::{definition, identity, resync, segment, status};
use crate::channel::Definition;
use crate::channel::negotiation::MESSAGE_HEADERS;
use crate::channel::sequence::following;
use crate::wire::{Luwid, SegmentType, Status};

const WRAP: i32 = 100;
const MESSAGES: u64 = 24;

/// What chance decides, one byte at a time; when there are no more, all goes well.
struct Chance(Vec<u8>);

impl Chance {
    /// One of `ways`; 0 is the ordinary one.
    fn of(&mut self, ways: u8) -> u8 {
        let byte = self.0.pop().unwrap_or(0);
        // Mostly nothing happens.
        if byte < 200 { 0 } else { byte % ways }
    }
}

/// The broker: its queue, and the record with the messages it names.
#[derive(Default)]
struct Store {
    queue: Vec<u64>,
    record: Option<SendRecord>,
    in_doubt: Vec<u64>,
}

/// The receiver, in ten lines: whole messages of the open batch, and what is committed.
#[derive(Default)]
struct Receiver {
    committed: Vec<u64>,
    number: i32,
    luwid: Luwid,
    open: Vec<(i32, u64)>,
    open_luwid: Luwid,
}

impl Receiver {
    fn take(&mut self, message: &Segment) {
        let (msh, body) = message.msh().unwrap();
        let before = self.open.last().map_or(self.number, |&(number, _)| number);
        assert_eq!(msh.sequence, following(before, WRAP), "numbers are unbroken");
        assert!(self.open.is_empty() || self.open_luwid == message.tsh.luwid, "one batch at a time");
        self.open_luwid = message.tsh.luwid;
        self.open.push((msh.sequence, u64::from_be_bytes(*body.last_chunk().unwrap())));
    }

    fn commit(&mut self) {
        assert!(!self.open.is_empty() && self.open_luwid != self.luwid, "every batch has a name of its own");
        self.luwid = self.open_luwid;
        for (number, message) in self.open.drain(..) {
            self.number = number;
            self.committed.push(message);
        }
    }
}

/// An answer to a resync question that tells nothing true.
fn misleading(way: u8, question: &Segment, receiver: &Receiver) -> Option<Segment> {
    let none = ControlFlags1::empty();
    let asked = question.tsh.luwid;
    Some(match way {
        1 => return None,
        2 => resync(none, Luwid::ZERO, receiver.number.max(1)),
        3 => status(none, Luwid::ZERO, &Status::OK),
        4 => resync(none, Luwid([0x77; 8]), receiver.number),
        5 => resync(ControlFlags1::ERROR, asked, receiver.number),
        6 => resync(none, asked, 77),
        7 => status(ControlFlags1::ERROR, asked, &Status::new(StatusCode::MSG_SEQUENCE_ERROR)),
        _ => segment(SegmentType::RESYNC_DATA, none, Luwid::ZERO, Bytes::new()),
    })
}

struct World {
    chance: Chance,
    store: Store,
    receiver: Receiver,
    connections: u64,
}

impl World {
    fn new(bytes: Vec<u8>, number: i32) -> Self {
        let luwid = if number == 0 { Luwid::ZERO } else { Luwid([3; 8]) };
        let record = (number > 0).then(|| SendRecord { sequence: number, luwid, ..SendRecord::default() });
        let store = Store { queue: (1..=MESSAGES).collect(), record, in_doubt: Vec::new() };
        let receiver = Receiver { number, luwid, ..Receiver::default() };
        Self { chance: Chance(bytes), store, receiver, connections: 0 }
    }

    /// One connection, to its end or its death.
    fn connection(&mut self, definition: &Definition) {
        self.connections += 1;
        let since = Duration::from_secs(1_000_000 + self.connections);
        let mut mca = SenderMca::calling(identity(), definition.clone(), since, Duration::ZERO);
        let mut arrived = VecDeque::new();
        let doubtful = &self.store.in_doubt;
        let mut untaken: VecDeque<_> =
            self.store.queue.iter().filter(|message| !doubtful.contains(message)).copied().collect();
        let (mut wanted, mut told, mut ending) = (false, false, false);
        let mut now = Duration::ZERO;
        self.receiver.open.clear();
        loop {
            if let Some(output) = mca.poll() {
                if self.chance.of(12) == 11 {
                    return;
                }
                match output {
                    Output::Want => (wanted, told) = (true, false),
                    Output::Claim { .. } => {
                        let in_doubt = self.store.in_doubt.iter().map(|&message| Token(message)).collect();
                        let record = self.store.record.clone();
                        arrived.push_front(Input::Claimed { record, in_doubt, careful: 0 });
                    }
                    Output::Resolved(resolved) => {
                        let has = self.receiver.luwid == resolved.luwid;
                        assert_eq!(resolved.how == Resolution::Commit, has, "a wrong decision");
                        if !has {
                            self.store.in_doubt.iter().rev().for_each(|&message| untaken.push_front(message));
                        }
                    }
                    Output::BatchRefused { tokens, .. } => {
                        tokens.iter().rev().for_each(|token| untaken.push_front(token.0));
                    }
                    Output::Commit(step) => match self.commit(&step) {
                        Some(answer) => arrived.push_front(answer),
                        None => return,
                    },
                    Output::Send(sent) => match self.deliver(&sent) {
                        Some(answers) => arrived.extend(answers),
                        None => return,
                    },
                    Output::Running(_) => {}
                    Output::Stopped(_) => return,
                    other => panic!("{other:?}"),
                }
                continue;
            }
            let answerable = wanted && (!told || !untaken.is_empty()) && !mca.awaits_answer();
            let want_first = answerable && self.chance.of(3) == 1;
            let input = match if want_first { None } else { arrived.pop_front() } {
                Some(input) => input,
                None if wanted && !told => match untaken.pop_front() {
                    Some(message) => {
                        wanted = false;
                        Input::Message(carrying(message))
                    }
                    None => {
                        told = true;
                        Input::Empty
                    }
                },
                // A refusal gives messages back while a want stands.
                None if wanted && !untaken.is_empty() => {
                    wanted = false;
                    Input::Message(carrying(untaken.pop_front().unwrap()))
                }
                // After a batch was backed out.
                None if !wanted && now.is_zero() && mca.next_timeout() == Some(timers::BACKED_OUT) => {
                    now = timers::BACKED_OUT;
                    Input::Tick
                }
                None if !ending => {
                    ending = true;
                    Input::Stop(StopMode::Quiesce, StatusCode::USER_CLOSED)
                }
                None => Input::PeerClosed("the partner never answered".to_owned()),
            };
            mca.handle(now, input);
        }
    }

    /// None: the gateway died.
    fn commit(&mut self, step: &Step) -> Option<Input> {
        match self.chance.of(5) {
            1 => Some(Input::RolledBack(StatusCode::QM_UNAVAILABLE, "down".to_owned())),
            way => {
                for token in &step.retire {
                    assert!(self.receiver.committed.contains(&token.0), "{token:?} is retired, the partner has it not");
                    let at = self.store.queue.iter().position(|&message| message == token.0);
                    self.store.queue.remove(at.expect("retired once"));
                }
                self.store.in_doubt = step.in_doubt.iter().map(|token| token.0).collect();
                assert_eq!(step.record.in_doubt.map_or(0, |doubt| doubt.messages), step.in_doubt.len());
                self.store.record = Some(step.record.clone());
                match way {
                    2 => None,
                    3 => Some(Input::InDoubt("no answer".to_owned())),
                    _ => Some(Input::Committed),
                }
            }
        }
    }

    /// A segment on its way, and what the partner says to it. None: something died.
    fn deliver(&mut self, sent: &Segment) -> Option<Vec<Input>> {
        if self.chance.of(12) == 1 {
            return None;
        }
        let (flags, luwid) = (sent.tsh.flags1, sent.tsh.luwid);
        let none = ControlFlags1::empty();
        let answer = match sent.tsh.segment_type {
            SegmentType::INITIAL_DATA => {
                let mut answer = sent.clone();
                answer.tsh.flags1 = none;
                answer
            }
            SegmentType::RESYNC_DATA => match self.chance.of(10) {
                0 | 9 => resync(none, self.receiver.luwid, self.receiver.number),
                way => misleading(way, sent, &self.receiver)?,
            },
            SegmentType::MESSAGE_DATA => {
                self.receiver.take(sent);
                if !flags.contains(ControlFlags1::CONFIRM_REQUEST) {
                    return Some(Vec::new());
                }
                let doubt = self.store.record.as_ref().and_then(|record| record.in_doubt);
                assert_eq!(doubt.map(|doubt| doubt.luwid), Some(luwid), "the record knew first");
                let way = self.chance.of(8);
                match way {
                    1 | 2 => self.receiver.open.clear(),
                    _ => self.receiver.commit(),
                }
                match way {
                    1 => status(ControlFlags1::ERROR, luwid, &Status::new(StatusCode::CAN_NOT_STORE)),
                    2 | 3 => return None,
                    4 => status(none, Luwid::ZERO, &Status::OK),
                    5 => status(none, Luwid([0x55; 8]), &Status::OK),
                    6 => return Some(Vec::new()),
                    _ => status(none, luwid, &Status::OK),
                }
            }
            _ if flags.contains(ControlFlags1::CLOSE_CHANNEL) => {
                return Some(vec![Input::PeerClosed("end".to_owned())]);
            }
            _ => return Some(Vec::new()),
        };
        Some(vec![Input::Segment(answer)])
    }

    /// An administrator who has looked at the partner.
    fn operator(&mut self) {
        let Some(doubt) = self.store.record.as_ref().and_then(|record| record.in_doubt) else { return };
        let committed = self.receiver.luwid == doubt.luwid;
        let how = if committed { Resolution::Commit } else { Resolution::Backout };
        self.store.record = self.store.record.as_ref().and_then(|record| resolved(record, how));
        let in_doubt = std::mem::take(&mut self.store.in_doubt);
        if committed {
            self.store.queue.retain(|message| !in_doubt.contains(message));
        }
    }
}

fn carrying(message: u64) -> Outgoing {
    let data = Bytes::copy_from_slice(&message.to_be_bytes());
    let parts = vec![Bytes::from(vec![0; MESSAGE_HEADERS]), data];
    Outgoing { token: Token(message), parts, persistent: true }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn nothing_lost_nothing_doubled_numbers_unbroken(
        bytes in proptest::collection::vec(any::<u8>(), 0..900),
        number in prop_oneof![Just(0), Just(5), Just(90)],
        batchsz in 1_u16..8,
    ) {
        let definition = Definition { batchsz, seqwrap: WRAP, ..definition(&[]) };
        let mut world = World::new(bytes, number);
        while !world.store.queue.is_empty() {
            world.connection(&definition);
            if world.chance.of(4) == 1 {
                world.operator();
            }
            prop_assert!(world.connections < 2000, "it never ends");
        }
        prop_assert_eq!(&world.receiver.committed, &(1..=MESSAGES).collect::<Vec<_>>());
        let last = (0..MESSAGES).fold(number, |number, _| following(number, WRAP));
        prop_assert_eq!(world.receiver.number, last);
    }
}
