//! The receiving MCA.
//!
//! | file | what |
//! |---|---|
//! | this one | the machine's states, what goes in and comes out |
//! | `bind` | from the first segment to agreement |
//! | `call` | the same where we call |
//! | `running` | segments of an agreed channel |
//! | `answer` | confirm requests, resynchronisation, reset, ping |
//! | `outcome` | commits: what they write, and what their outcome leads to |
//! | `ending` | operator, close, silence, faults |
//! | `line` | the clock, deadlines and outputs that all of them share |

mod answer;
mod bind;
mod call;
mod ending;
mod line;
mod outcome;
mod running;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use bind::Bind;
pub use line::Counts;
use line::{Line, disorderly};
use outcome::Committing;
use running::Channel;
pub use view::{Doing, McaState, McaStatus};

use super::batch::Batch;
use super::timers::{self, Timer};
use super::{Identity, Input, Output, PartnerError, Stopped};
use crate::wire::{Malformed, Segment, Status, StatusCode};

/// Largest segment before the two ends have agreed on anything, in bytes. INITIAL_DATA has at most 268.
pub const HANDSHAKE_SEGMENT: usize = 4096;
/// Segments that may come while we owe the partner an answer. It has been asked to send none.
const HELD_MAX: usize = 64;

/// The receiving message channel agent of one connection: RCVR, or RQSTR once it is connected.
///
/// After each [`Mca::handle`] drain [`Mca::poll`]; re-read [`Mca::max_segment`] before taking the next segment off the
/// stream. Outputs that need an answer (`Identify`, `Claim`, `Commit`) come one at a time; segments that arrive meanwhile
/// are held, a few of them, and a driver that stops reading until it has answered needs none of that. After own long
/// waits (memory, a slow target) call [`Mca::resume`], so that the partner is not blamed for the silence.
#[derive(Debug)]
pub struct Mca {
    identity: Identity,
    line: Line,
    state: State,
    /// What came while an answer of our side was outstanding.
    held: VecDeque<Segment>,
}

/// ```text
///                first INITIAL_DATA            Defined                 Claimed
///  Connected ----------------------> Identifying -------> Claiming -----------------+
///                                        | Refused           | Refused              v
///                                        v                   v          values agree?
///                                       Over <-------------- + <--- no way ---- | | yes, or after a round of
///                                        ^                                   no | |   Countered -> INITIAL_DATA
///                                        |                                      v v
///                                        |  fault, close, end of stream      Countered      Running
///                                        +------------------------------------ + <------------ +
///                                        |                                                     | ping, echoed
///                                        +--------------------- Lingering <-------------------- +
/// ```
/// A requester that calls begins with Calling, offers until its partner agrees, and then is Called until it has the lease.
///
/// Within Running, [`Work`] says whether a batch is open or being committed.
#[derive(Debug)]
enum State {
    /// Nothing has come yet.
    Connected,
    /// The shell looks the channel up.
    Identifying(Box<bind::Caller>),
    /// The shell takes the lease.
    Claiming(Box<Bind>),
    /// We called, and wait for the answer to our offer.
    Calling(Box<call::Calling>),
    /// The partner agreed to our call; the shell takes the lease.
    Called(Box<call::Called>),
    /// We made a counter-proposal; the caller asks again.
    Countered(Box<bind::Rounds>),
    /// Messages may come.
    Running(Box<Channel>),
    /// We are done and give the partner a moment to close first.
    Lingering(Stopped),
    /// `Stopped` was put out.
    Over,
}

/// ```text
///            first segment of a message          confirm request
///   Idle ------------------------------> Open ------------------> Committing
///    ^ ^                                  ^ |  1 s, early commit      | |
///    | +----- Committed, confirm sent ----|-|-------------------------+ | RolledBack, InDoubt
///    |                                    + +-- Committed, batch goes on v
///    +-- RESET_DATA: Committing, then Idle again                      (Over)
/// ```
#[derive(Debug)]
enum Work {
    /// Between batches.
    Idle,
    /// Messages, or a part of one, have come since the last confirm.
    Open(Batch),
    /// The target has been asked to commit.
    Committing(Box<Committing>),
}

impl Mca {
    /// A machine for a connection that was just accepted. `now` is the time since any fixed moment, the same for all calls.
    pub fn new(identity: Identity, now: Duration) -> Self {
        let mut line = Line::new(now);
        line.timers.set(Timer::InitialData, now + timers::INITIAL_DATA);
        Self { identity, line, state: State::Connected, held: VecDeque::new() }
    }

    /// Takes what happened. Inputs that do not belong to the present state, or come after the end, change nothing.
    pub fn handle(&mut self, now: Duration, input: Input) {
        self.line.now = now.max(self.line.now);
        match input {
            Input::Segment(segment) => self.segment(segment),
            Input::Malformed(malformed) => self.malformed(&malformed),
            Input::PeerClosed(how) => self.peer_closed(&how),
            Input::Unreachable(how) => self.unreachable(how),
            Input::Tick => self.tick(),
            Input::Defined(definition) => self.defined(*definition),
            Input::Refused(code, why) => self.refused(code, &why),
            Input::Claimed { record, max_message_bytes } => self.claimed(record, max_message_bytes),
            Input::Committed { dlq_used } => self.committed(dlq_used),
            Input::RolledBack(code, why) => self.rolled_back(code, &why),
            Input::InDoubt(why) => self.in_doubt(&why),
            Input::Quiesce(code) => self.quiesce(code),
            Input::Unquiesce => self.unquiesce(),
        }
        while !self.awaits_answer() {
            let Some(segment) = self.held.pop_front() else { break };
            self.take_segment(segment);
        }
    }

    /// The next thing to do; drain until none after each input.
    pub fn poll(&mut self) -> Option<Output> {
        self.line.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, on the clock of [`Mca::handle`].
    pub fn next_timeout(&self) -> Option<Duration> {
        self.line.timers.next()
    }

    /// Largest segment that may be read now, in bytes with its header.
    pub fn max_segment(&self) -> usize {
        match &self.state {
            State::Running(channel) => {
                usize::try_from(channel.agreed.max_transmission_size).unwrap_or(HANDSHAKE_SEGMENT)
            }
            _ => HANDSHAKE_SEGMENT,
        }
    }

    /// Whether `Identify`, `Claim` or `Commit` waits for its answer; a driver need not read from the partner then.
    pub fn awaits_answer(&self) -> bool {
        match &self.state {
            State::Identifying(_) | State::Claiming(_) | State::Called(_) => true,
            State::Running(channel) => matches!(channel.work, Work::Committing(_)),
            _ => false,
        }
    }

    /// Our side was busy until `now` and read nothing: waits that measure the partner's silence begin again.
    pub fn resume(&mut self, now: Duration) {
        self.line.now = now.max(self.line.now);
        if let State::Running(channel) = &mut self.state {
            channel.listen(&mut self.line);
        }
    }

    fn segment(&mut self, segment: Segment) {
        self.line.counts.bufsrcvd += 1;
        self.line.counts.bytsrcvd += segment.len() as u64;
        if !self.awaits_answer() && self.held.is_empty() {
            self.take_segment(segment);
        } else if self.held.len() < HELD_MAX {
            self.held.push_back(segment);
        } else {
            let expected = "nothing before the partner has our answer";
            let error = PartnerError::new(
                "answering the partner",
                StatusCode::PROTOCOL_GENERAL,
                expected,
                format!("{HELD_MAX} segments and more"),
            );
            self.fault(&error);
        }
    }

    fn take_segment(&mut self, segment: Segment) {
        let outcome = match &mut self.state {
            State::Connected => self.first_segment(&segment),
            State::Countered(_) => self.next_proposal(&segment),
            State::Calling(_) => self.call_answered(&segment),
            State::Running(_) => self.running_segment(segment),
            State::Lingering(_) => {
                if segment.tsh.flags1.contains(crate::wire::ControlFlags1::CLOSE_CHANNEL) {
                    self.lingered();
                }
                Ok(())
            }
            State::Identifying(_) | State::Claiming(_) | State::Called(_) | State::Over => Ok(()),
        };
        if let Err(error) = outcome {
            self.fault(&error);
        }
    }

    fn tick(&mut self) {
        while let Some(timer) = self.line.timers.expired(self.line.now) {
            self.expired(timer);
        }
    }
}
