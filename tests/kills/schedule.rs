//! Who dies where: a run and everything about it, all from one number.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::lot::{Lot, SEED};

/// A place in the life of a batch. The sender is the partner, or with sending channels the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// INITIAL_DATA goes, the caller's or the answer.
    Id,
    /// The broker has handed a message over.
    Taken,
    /// Half of a segment of a message has gone.
    MidSegment,
    /// A message has gone, and the batch goes on.
    BetweenMessages,
    /// A message is in the target's open unit of work.
    Staged,
    /// The commit goes that puts a batch in doubt, or has gone.
    DoubtSent,
    /// The target has answered it.
    DoubtAnswered,
    /// The request for confirmation has gone, or half of it.
    ConfirmRequestIn,
    /// The commit has gone to the target.
    CommitSent,
    /// The target has answered the commit.
    CommitAnswered,
    /// The partner has committed; nothing of its confirm has come.
    PartnerCommitted,
    /// Half of the confirm has gone.
    ConfirmHalfWritten,
    /// The confirm has gone.
    After,
    /// The commit that retires a batch goes, or has gone; but for the last it also puts the next in doubt.
    RetireSent,
    /// The target has answered it.
    RetireAnswered,
}

impl Step {
    /// Those of a receiving channel.
    pub(crate) const RECEIVING: &[Self] = &[
        Self::Id,
        Self::MidSegment,
        Self::BetweenMessages,
        Self::Staged,
        Self::ConfirmRequestIn,
        Self::CommitSent,
        Self::CommitAnswered,
        Self::ConfirmHalfWritten,
        Self::After,
    ];

    /// Those of a sending channel.
    pub(crate) const SENDING: &[Self] = &[
        Self::Id,
        Self::Taken,
        Self::MidSegment,
        Self::BetweenMessages,
        Self::DoubtSent,
        Self::DoubtAnswered,
        Self::ConfirmRequestIn,
        Self::PartnerCommitted,
        Self::ConfirmHalfWritten,
        Self::After,
        Self::RetireSent,
        Self::RetireAnswered,
    ];

    /// Whether it is seen between gateway and target, not between gateway and partner.
    pub(crate) fn is_of_the_target(self) -> bool {
        matches!(
            self,
            Self::Taken
                | Self::Staged
                | Self::CommitSent
                | Self::CommitAnswered
                | Self::DoubtSent
                | Self::DoubtAnswered
                | Self::RetireSent
                | Self::RetireAnswered
        )
    }
}

/// Who, or what, is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    /// The partner of a receiving channel: `kill -9`, started again.
    Sender,
    /// The partner of a sending channel, likewise; where it has committed also at its own hand.
    Receiver,
    /// `kill -9`, started again, or followed by another that waits.
    Gateway,
    /// The connection of gateway and partner.
    Link,
    /// `kill -9`, started again on the same store.
    Broker,
    /// The broker, `kill -9`; the standby on the same store takes over.
    Failover,
    /// SIGSTOP; another gateway takes over, and SIGCONT when all is over; or SIGCONT after a while, alone.
    FrozenGateway,
    /// RST on the gateway's connection to the broker.
    BrokerLink,
    /// That connection is a black hole from there on; another gateway takes over.
    LostBrokerLink,
}

/// What the gateway speaks to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    /// Nothing: the target is in its process.
    Embedded,
    Amqp,
    OpenWire,
}

/// How the link of gateway and partner ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Reset,
    Close,
    /// The receiver sees the end, the sender nothing.
    HalfClose,
    /// Nobody sees anything.
    BlackHole,
}

/// Where victims, steps and protocols come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground {
    pub(crate) name: &'static str,
    /// The gateway sends.
    pub(crate) sends: bool,
    pub(crate) victims: &'static [Victim],
    pub(crate) steps: &'static [Step],
    pub(crate) protocols: &'static [Protocol],
    /// How the partner speaks.
    speeches: &'static [&'static [&'static str]],
}

pub(crate) const EMBEDDED: Ground = Ground {
    name: "embedded",
    sends: false,
    victims: &[Victim::Sender, Victim::Gateway, Victim::Link],
    steps: Step::RECEIVING,
    protocols: &[Protocol::Embedded],
    speeches: SENDERS,
};

pub(crate) const BROKER: Ground = Ground {
    name: "broker",
    sends: false,
    victims: &[
        Victim::Sender,
        Victim::Gateway,
        Victim::Link,
        Victim::Broker,
        Victim::Failover,
        Victim::FrozenGateway,
        Victim::BrokerLink,
        Victim::LostBrokerLink,
    ],
    steps: Step::RECEIVING,
    protocols: &[Protocol::Amqp, Protocol::OpenWire],
    speeches: SENDERS,
};

pub(crate) const SENDING: Ground = Ground {
    name: "sending",
    sends: true,
    victims: &[
        Victim::Receiver,
        Victim::Gateway,
        Victim::Link,
        Victim::Broker,
        Victim::Failover,
        Victim::FrozenGateway,
        Victim::BrokerLink,
        Victim::LostBrokerLink,
    ],
    steps: Step::SENDING,
    protocols: &[Protocol::Amqp, Protocol::OpenWire],
    speeches: RECEIVERS,
};

/// A victim, a step, a protocol.
pub(crate) type Cell = (Victim, Step, Protocol);

impl Ground {
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let pairs = |protocol| {
            let of_victim = move |victim| self.steps.iter().map(move |&step| (victim, step, protocol));
            self.victims.iter().copied().flat_map(of_victim)
        };
        self.protocols.iter().copied().flat_map(pairs).collect()
    }

    /// Seeds of so many runs; or the one that the environment asks for. Each cell comes equally often, and of any few
    /// rounds each victim, each step and each protocol has its share: a round is all victims, each at another step.
    pub(crate) fn seeds(&self, count: usize) -> Vec<u64> {
        if let Ok(seed) = std::env::var(SEED) {
            return vec![seed.parse().unwrap_or_else(|_| panic!("{SEED}={seed:?} is no number"))];
        }
        self.draw(&mut Lot::draw(self.name), count)
    }

    fn draw(&self, lot: &mut Lot, count: usize) -> Vec<u64> {
        let (victims, protocols, steps) = (self.victims.len(), self.protocols.len(), self.steps.len());
        let cells = (victims * protocols * steps) as u64;
        let mut seeds = Vec::new();
        while seeds.len() < count {
            let mut order: Vec<usize> = (0..victims).collect();
            lot.shuffle(&mut order);
            let mut shifts: Vec<usize> = (0..steps).collect();
            lot.shuffle(&mut shifts);
            for turn in 0..protocols {
                for (round, shift) in shifts.iter().enumerate() {
                    for (place, victim) in order.iter().enumerate() {
                        let (step, protocol) = ((place + shift) % steps, (place + round + turn) % protocols);
                        let cell = ((protocol * victims + victim) * steps + step) as u64;
                        seeds.push(lot.below(1 << 32) * cells + cell);
                    }
                }
            }
        }
        seeds.truncate(count);
        seeds
    }

    /// How many runs the environment asks for.
    pub(crate) fn runs(default: usize) -> usize {
        match std::env::var(RUNS) {
            Ok(runs) => runs.parse().unwrap_or_else(|_| panic!("{RUNS}={runs:?} is no number")),
            Err(_) => default,
        }
    }
}

/// Says how many runs each seeded test makes.
const RUNS: &str = "MQFERRY_KILLS_RUNS";

/// How a sender speaks.
const SENDERS: &[&[&str]] = &[
    &[],
    &["--ebcdic", "--old-luwid"],
    &["--byte-order", "big", "--fap", "4", "--confirm", "status", "--just-close"],
    &["--transmission-size", "700", "--confirm", "resync", "--always-resync"],
    &["--fap", "13", "--confirm", "empty", "--always-resync", "--old-luwid"],
    &["--confirm", "heartbeat"],
];

/// How a receiver speaks, and answers. Not in ways that leave a first batch in doubt: those are of `tests/dialects`.
const RECEIVERS: &[&[&str]] = &[
    &[],
    &["--ebcdic", "--confirm", "same"],
    &["--big-endian", "--fap", "4", "--confirm", "code", "--resync", "status"],
    &["--transmission-size", "700", "--resync", "luwid"],
    &["--fap", "13", "--confirm", "number"],
    &["--ebcdic", "--fap", "4", "--resync", "status"],
];

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// The gateway sends.
    pub(crate) sends: bool,
    pub(crate) victim: Victim,
    pub(crate) step: Step,
    pub(crate) protocol: Protocol,
    /// The so manieth time that the step is reached; 1 is the first.
    pub(crate) occurrence: u64,
    pub(crate) messages: u64,
    pub(crate) batch: u64,
    /// Size of the first batch of each connection.
    pub(crate) first_batch: Option<u64>,
    /// Bytes of each body.
    pub(crate) size: usize,
    pub(crate) speech: &'static [&'static str],
    pub(crate) ending: Ending,
    /// Between the step and the death, where life goes on meanwhile.
    pub(crate) pause: Duration,
    /// Where a step or a death has two ways.
    pub(crate) other_way: bool,
}

impl Run {
    pub(crate) fn of(ground: &Ground, seed: u64) -> Self {
        let cells = ground.cells();
        let (victim, step, protocol) = cells[usize::try_from(seed % cells.len() as u64).unwrap()];
        let mut lot = Lot::of(seed);
        let batch = 2 + lot.below(6);
        let messages = batch * (3 + lot.below(3)) + lot.below(batch);
        let first_batch = (lot.below(2) == 1).then(|| 1 + lot.below(batch)).filter(|_| !ground.sends);
        let batches = match first_batch {
            None => messages.div_ceil(batch),
            Some(first) => 1 + (messages - first).div_ceil(batch),
        };
        let most = match step {
            Step::Id => 2,
            Step::MidSegment | Step::Staged | Step::Taken => messages,
            // A batch may also be over before it is full.
            Step::BetweenMessages if ground.sends => 1 + (messages - batches) / 2,
            Step::BetweenMessages => messages - batches,
            // From the second on, a batch is put in doubt as the one before is retired.
            Step::DoubtSent | Step::DoubtAnswered => 1,
            Step::ConfirmRequestIn
            | Step::CommitSent
            | Step::CommitAnswered
            | Step::PartnerCommitted
            | Step::ConfirmHalfWritten
            | Step::RetireSent
            | Step::RetireAnswered => batches,
            Step::After if ground.sends => batches,
            // The sender must have something left to live for.
            Step::After => batches - 1,
        };
        let occurrence = 1 + lot.below(most);
        let size = if lot.below(4) == 0 { 70_000 } else { 1024 };
        let speech = ground.speeches[usize::try_from(lot.below(ground.speeches.len() as u64)).unwrap()];
        let endings = [Ending::Reset, Ending::Close, Ending::HalfClose, Ending::BlackHole];
        let ending = endings[usize::try_from(lot.below(4)).unwrap()];
        let pause = lot.pause(Duration::from_millis(3));
        let other_way = lot.below(2) == 1;
        Self {
            seed,
            sends: ground.sends,
            victim,
            step,
            protocol,
            occurrence,
            messages,
            batch,
            first_batch,
            size,
            speech,
            ending,
            pause,
            other_way,
        }
    }

    /// Whether the connection of gateway and partner ends so that one of them must find it out by itself.
    pub(crate) fn ends_unseen(&self) -> bool {
        self.victim == Victim::Link && matches!(self.ending, Ending::HalfClose | Ending::BlackHole)
    }

    /// Whether the partner is told to die by itself: between its commit and its confirm no relay sees the difference.
    pub(crate) fn dies_by_itself(&self) -> bool {
        self.victim == Victim::Receiver && self.step == Step::PartnerCommitted && self.other_way
    }

    pub(crate) fn cell(&self) -> Cell {
        (self.victim, self.step, self.protocol)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, victim, step, protocol, occurrence, messages, batch, size, .. } = self;
        write!(
            f,
            "seed {seed}: {victim:?} at {step:?} {occurrence}, {protocol:?}, {messages} of {size} bytes by {batch}"
        )?;
        if let Some(first) = self.first_batch {
            write!(f, ", first by {first}")?;
        }
        if self.victim == Victim::Link {
            write!(f, ", {:?}", self.ending)?;
        }
        write!(f, ", {}{:?} {}", if self.other_way { "the other way, " } else { "" }, self.pause, self.speech.join(" "))
    }
}

/// Runs by cell.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<Cell, u64>);

impl Table {
    pub(crate) fn count(&mut self, run: &Run) {
        *self.0.entry(run.cell()).or_default() += 1;
    }

    pub(crate) fn of(&self, cell: Cell) -> u64 {
        self.0.get(&cell).copied().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<(Protocol, Victim)> =
            self.0.keys().map(|(victim, _, protocol)| (*protocol, *victim)).collect();
        rows.dedup();
        rows.sort_unstable();
        rows.dedup();
        let mut steps: Vec<Step> = self.0.keys().map(|(_, step, _)| *step).collect();
        steps.sort_unstable();
        steps.dedup();
        write!(f, "{:26}", "")?;
        for step in &steps {
            write!(f, "{:>19}", format!("{step:?}"))?;
        }
        for (protocol, victim) in rows {
            write!(f, "\n{:26}", format!("{protocol:?} {victim:?}"))?;
            for step in &steps {
                write!(f, "{:>19}", self.of((victim, *step, protocol)))?;
            }
        }
        Ok(())
    }
}

#[test]
fn a_seed_is_a_run_and_few_runs_meet_every_victim_step_and_protocol() {
    for ground in [EMBEDDED, BROKER, SENDING] {
        let cells = ground.cells();
        let mut lot = Lot::of(7);
        let runs = |seeds: Vec<u64>| seeds.into_iter().map(|seed| Run::of(&ground, seed)).collect::<Vec<_>>();
        let all = runs(ground.draw(&mut lot, 2 * cells.len()));
        assert!(cells.iter().all(|cell| all.iter().filter(|run| run.cell() == *cell).count() == 2));
        for run in &all {
            assert_eq!(format!("{run:?}"), format!("{:?}", Run::of(&ground, run.seed)));
            assert!(run.occurrence >= 1 && run.batch < run.messages, "{run}");
        }
        for _ in 0..100 {
            let few = runs(ground.draw(&mut lot, 40));
            let met = |is: &dyn Fn(&Run) -> bool| few.iter().filter(|run| is(run)).count();
            for protocol in ground.protocols {
                let share = 40 / ground.protocols.len();
                assert!(met(&|run| run.protocol == *protocol) >= share - 4, "{protocol:?}");
            }
            assert!(ground.victims.iter().all(|victim| met(&|run| run.victim == *victim) >= 5));
            // Twelve steps of five rounds' eight.
            let least = if ground.sends { 1 } else { 3 };
            assert!(ground.steps.iter().all(|step| met(&|run| run.step == *step) >= least));
        }
    }
}
