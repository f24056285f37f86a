//! The sending MCA.
//!
//! | file | what |
//! |---|---|
//! | this one | the machine's states |
//! | `action` | what goes in and comes out |
//! | `bind`, `call` | from the first segment to agreement; the same where we call |
//! | `channel` | an agreed channel: what it remembers, how it starts, its deadlines |
//! | `batch` | messages into batches |
//! | `split` | a message into segments |
//! | `step` | commits: what they write, and what their outcome leads to |
//! | `resync` | what a partner's answer says about a batch in doubt |
//! | `heard` | segments of the partner |
//! | `ending` | operator, close, silence, faults |
//! | `luwids` | names of batches |
//!
//! Messages stay the broker's until a step retires them. A batch's last message leaves only when the record has the batch in
//! doubt, and the confirm is asked for with it, so whatever dies, either the record names the batch or the partner
//! was never asked to keep it.

mod action;
mod batch;
mod bind;
mod call;
mod channel;
mod ending;
mod heard;
mod luwids;
mod resync;
mod split;
mod step;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

pub use action::{Input, Outgoing, Output, Resolution, Resolved, Step, StopMode, Token};
use channel::{Channel, Work};
pub use resync::{Answer, Question, Verdict, judge};
pub use view::{Doing, SenderStatus};

use super::line::{Utter, disorderly};
use super::receiver::HANDSHAKE_SEGMENT;
use super::timers::{self, Timer};
use super::{Identity, PartnerError, SendRecord, Stopped};
use crate::wire::{Alphabet, ByteOrder, ControlFlags1, Malformed, Segment, StatusCode};

type Line = super::line::Line<Output>;

impl Utter for Output {
    fn send(segment: Segment) -> Self {
        Self::Send(segment)
    }

    fn stopped(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Segments that may come while the target is busy for us. The partner has little to say meanwhile.
const HELD_MAX: usize = 64;

/// The sending message channel agent of one connection: SDR, or SVR.
///
/// After each [`SenderMca::handle`] drain [`SenderMca::poll`]; re-read [`SenderMca::max_segment`] before taking the next
/// segment off the stream. `Identify`, `Claim` and `Commit` come one at a time and need an answer; segments that arrive
/// meanwhile are held, a few of them. After own long waits (a slow target, a long write) call [`SenderMca::resume`], so
/// that the partner is not blamed for the silence.
#[derive(Debug)]
pub struct SenderMca {
    identity: Identity,
    line: Line,
    /// The wall clock at the start, since 1970.
    since_1970: Duration,
    state: State,
    /// What came while an answer of our side was outstanding.
    held: VecDeque<Segment>,
}

/// ```text
///  (called)   INITIAL_DATA             Defined            Claimed, values agree
///  Connected -------------> Identifying -----> Claiming ------------------------> Running
///                                                  |  values differ                  ^
///                                                  +----------------> Countered -----+
///  (calls)           answers that differ: offer again                                |
///  Calling ------------------------------------------> Called --- Claimed -----------+
///
///  Running --- between batches: DISCINT, stop, REQUEST_CLOSE ---> Lingering ---> Over
///     +------- fault, end of stream, refusal ---------------------------------> Over
/// ```
/// Within Running, [`Work`] says how far the batch is.
#[derive(Debug)]
enum State {
    /// Nothing has come yet.
    Connected,
    /// The shell looks the channel up.
    Identifying(Box<bind::Caller>),
    /// The shell takes the lease.
    Claiming(Box<bind::Bind>),
    /// We made a counter-proposal; the caller asks again.
    Countered(Box<bind::Rounds>),
    /// We called, and wait for the answer to our offer.
    Calling(Box<call::Calling>),
    /// The partner agreed to our call; the shell takes the lease.
    Called(Box<call::Called>),
    /// Messages may go.
    Running(Box<Channel>),
    /// We said that we are done and give the partner a moment to close first.
    Lingering(Stopped),
    /// `Stopped` was put out.
    Over,
}

impl SenderMca {
    /// A machine for a connection that was just accepted: a server that a requester called. `now` is the time since any
    /// fixed moment, the same for all calls; `since_1970` the wall clock, of which LUWIDs are made (wire reference,
    /// segments 6, I).
    pub fn new(identity: Identity, since_1970: Duration, now: Duration) -> Self {
        let mut line = Line::new(now);
        line.timers.set(Timer::InitialData, now + timers::INITIAL_DATA);
        Self { identity, line, since_1970, state: State::Connected, held: VecDeque::new() }
    }

    /// Takes what happened. Inputs that do not belong to the present state, or come after the end, change nothing.
    pub fn handle(&mut self, now: Duration, input: Input) {
        self.line.now = now.max(self.line.now);
        match input {
            Input::Segment(segment) => self.segment(segment),
            Input::Malformed(malformed) => self.malformed(&malformed),
            Input::PeerClosed(how) => self.peer_closed(&how),
            Input::Unreachable(how) => self.end(disorderly(None, how)),
            Input::Tick => self.tick(),
            Input::Defined(definition) => self.defined(*definition),
            Input::Refused(code, why) => self.refused(code, &why),
            Input::Claimed { record, in_doubt, careful } => self.claimed(record, in_doubt, careful),
            Input::Message(message) => self.with_channel(|channel, line| channel.message(line, message)),
            Input::Empty => self.with_channel(|channel, _| channel.ran_empty()),
            Input::SetAside(token) => self.with_channel(|channel, _| channel.set_aside(token)),
            Input::Committed => self.committed(),
            Input::RolledBack(code, why) => self.rolled_back(code, &why),
            Input::InDoubt(why) => self.unknown(&why),
            Input::Stop(mode, code) => self.stop_wanted(mode, code),
            Input::Unquiesce => self.unquiesce(),
            Input::Resolve(how) => self.resolve(how),
        }
        self.go_on();
        while !self.awaits_answer() {
            let Some(segment) = self.held.pop_front() else { break };
            self.take_segment(&segment);
            self.go_on();
        }
    }

    /// The next thing to do; drain until none after each input.
    pub fn poll(&mut self) -> Option<Output> {
        self.line.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, on the clock of [`SenderMca::handle`].
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
            channel.heard = self.line.now;
            channel.listen(&mut self.line);
        }
    }

    /// How MQXQH and MQMD are to be written: byte order, alphabet, CCSID.
    pub fn writing(&self) -> (ByteOrder, Alphabet, u16) {
        (self.line.byte_order(), self.line.alphabet(), self.line.dialect.ccsid.0)
    }

    fn with_channel(&mut self, what: impl FnOnce(&mut Channel, &mut Line)) {
        if let State::Running(channel) = &mut self.state {
            what(channel, &mut self.line);
        }
    }

    /// Does what can be done now, and sets the deadlines.
    fn go_on(&mut self) {
        let State::Running(channel) = &mut self.state else { return };
        if let Some(ended) = channel.advance(&mut self.line) {
            return self.leave(ended);
        }
        channel.listen(&mut self.line);
    }

    fn segment(&mut self, segment: Segment) {
        self.line.counts.bufsrcvd += 1;
        self.line.counts.bytsrcvd += segment.len() as u64;
        if let State::Running(channel) = &mut self.state {
            channel.heard = self.line.now;
        }
        if !self.awaits_answer() && self.held.is_empty() {
            self.take_segment(&segment);
        } else if self.held.len() < HELD_MAX {
            self.held.push_back(segment);
        } else {
            let found = format!("{HELD_MAX} segments and more");
            let expected = "little from a receiver that was asked nothing";
            let error = PartnerError::new("waiting for the target", StatusCode::PROTOCOL_GENERAL, expected, found);
            self.fault(&error);
        }
    }

    fn take_segment(&mut self, segment: &Segment) {
        let outcome = match &mut self.state {
            State::Connected => self.first_segment(segment),
            State::Countered(_) => self.next_proposal(segment),
            State::Calling(_) => self.call_answered(segment),
            State::Running(_) => self.running_segment(segment),
            State::Lingering(_) => {
                if segment.tsh.flags1.contains(ControlFlags1::CLOSE_CHANNEL) {
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

/// RESOLVE CHANNEL for a channel that does not run: the record after an administrator's word. With
/// [`Resolution::Commit`] the messages in doubt are to be retired in the same step. None if nothing is in doubt.
pub fn resolved(record: &SendRecord, how: Resolution) -> Option<SendRecord> {
    let doubt = record.in_doubt?;
    let settled = SendRecord { in_doubt: None, ..record.clone() };
    Some(match how {
        Resolution::Commit => SendRecord { sequence: doubt.sequence, luwid: doubt.luwid, tell_reset: false, ..settled },
        Resolution::Backout => settled,
    })
}
