//! How a channel ends: operator, close, silence, faults.

use super::batch::Done;
use super::channel::Work;
use super::heard::describe;
use super::{Malformed, PartnerError, Resolution, SenderMca, State, StopMode, Stopped, Timer, disorderly, timers};
use crate::channel::dialect::Close;
use crate::channel::line::orderly;
use crate::wire::{ControlFlags1, Luwid, Status, StatusCode};

impl SenderMca {
    /// Ends the instance. What the partner has confirmed is retired first.
    pub(super) fn end(&mut self, stopped: Stopped) {
        let State::Running(channel) = &mut self.state else { return self.stop(stopped) };
        self.held.clear();
        match &mut channel.work {
            Work::Committing(committing) => {
                // Its outcome must still be heard; nothing is said to the partner any more.
                committing.gone.get_or_insert(stopped);
                self.line.timers.stop_all();
            }
            // The record has a batch in doubt, and that is true.
            Work::Confirming(_) | Work::Asking(_) | Work::Starting => self.stop(stopped),
            Work::Idle | Work::Telling | Work::Open(_) | Work::Probing(_) => {
                if channel.owes() {
                    channel.retire_last(&mut self.line, stopped);
                    self.line.timers.stop_all();
                } else {
                    self.stop(stopped);
                }
            }
        }
    }

    /// The last output.
    pub(super) fn stop(&mut self, stopped: Stopped) {
        self.held.clear();
        self.state = State::Over;
        self.line.stopped(stopped);
    }

    /// We are done between batches: says so, and gives the partner a moment to close first.
    pub(super) fn leave(&mut self, done: Done) {
        let stopped = orderly(Some(done.code), "ended between batches");
        let status = match self.line.dialect.close {
            Close::Status => Status::OK,
            Close::StatusCode => Status::new(done.code),
            Close::Tcp => return self.stop(stopped),
        };
        self.line.status(ControlFlags1::CLOSE_CHANNEL, Luwid::ZERO, &status);
        self.line.timers.stop_all();
        self.line.timers.set(Timer::Linger, self.line.now + timers::LINGER);
        self.state = State::Lingering(stopped);
    }

    pub(super) fn lingered(&mut self) {
        if let State::Lingering(stopped) = std::mem::replace(&mut self.state, State::Over) {
            self.stop(stopped);
        }
    }

    pub(super) fn peer_closed(&mut self, how: &str) {
        let stopped = match &self.state {
            State::Over => return,
            State::Lingering(_) => return self.lingered(),
            State::Connected => disorderly(None, format!("the caller went away before it said anything: {how}")),
            State::Calling(_) => disorderly(None, format!("the partner did not answer our call: {how}")),
            State::Identifying(_) | State::Claiming(_) | State::Countered(_) | State::Called(_) => {
                disorderly(None, format!("the partner went away while binding: {how}"))
            }
            State::Running(channel) => match &channel.work {
                Work::Idle => {
                    let why = format!("the partner closed the connection between batches: {how}");
                    Stopped { announced: false, ..orderly(None, why) }
                }
                work => disorderly(None, format!("the connection ended {}: {how}", describe(work))),
            },
        };
        self.end(stopped);
    }

    pub(super) fn malformed(&mut self, malformed: &Malformed) {
        if matches!(self.state, State::Over) {
            return;
        }
        if matches!(self.state, State::Connected) {
            // Whoever this is does not speak our protocol.
            return self.stop(disorderly(None, malformed.to_string()));
        }
        let code = if malformed.field == "SegmentLength" {
            StatusCode::PROTOCOL_LENGTH_ERROR
        } else {
            StatusCode::PROTOCOL_GENERAL
        };
        self.fault(&PartnerError::malformed("reading a segment", code, malformed));
    }

    /// The partner broke the protocol.
    pub(super) fn fault(&mut self, error: &PartnerError) {
        if matches!(self.state, State::Over) || self.gone() {
            return;
        }
        let mut why = error.to_string();
        if let State::Running(channel) = &self.state
            && matches!(channel.work, Work::Asking(Some(_)) | Work::Confirming(_))
        {
            why.push_str(&format!("; it came {}", describe(&channel.work)));
        }
        self.line.refuse(&Status::new(error.code));
        self.end(disorderly(Some(error.code), why));
    }

    /// Whether the partner has been given up already.
    fn gone(&self) -> bool {
        match &self.state {
            State::Running(channel) => {
                matches!(&channel.work, Work::Committing(committing) if committing.gone.is_some())
            }
            State::Lingering(_) => true,
            _ => false,
        }
    }

    pub(super) fn stop_wanted(&mut self, mode: StopMode, code: StatusCode) {
        match (&mut self.state, mode) {
            (State::Over, _) => {}
            (_, StopMode::Terminate) => {
                self.line.outputs.clear();
                self.stop(disorderly(Some(code), "told to end at once"));
            }
            (State::Lingering(_), _) => self.lingered(),
            (State::Running(channel), StopMode::Quiesce) => {
                channel.stop.get_or_insert(code);
            }
            (State::Connected, _) => self.stop(disorderly(Some(code), "told to end before anybody spoke")),
            (State::Running(channel), StopMode::Force) => {
                let orderly = matches!(channel.work, Work::Idle);
                let why = format!("told to end {}", describe(&channel.work));
                if !self.gone() {
                    self.line.refuse(&Status::new(code));
                }
                self.end(Stopped { orderly, announced: true, code: Some(code), why });
            }
            (_, StopMode::Quiesce | StopMode::Force) => {
                self.line.refuse(&Status::new(code));
                self.stop(disorderly(Some(code), "told to end while binding"));
            }
        }
    }

    pub(super) fn unquiesce(&mut self) {
        if let State::Running(channel) = &mut self.state
            && !channel.granted
        {
            channel.stop = None;
        }
    }

    pub(super) fn resolve(&mut self, how: Resolution) {
        let State::Running(channel) = &mut self.state else { return };
        if let Work::Asking(Some(question)) = &channel.work {
            let question = *question;
            channel.settle(&mut self.line, &question, how, true);
        }
    }

    pub(super) fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::InitialData => {
                let seconds = timers::INITIAL_DATA.as_secs();
                self.stop(disorderly(None, format!("no INITIAL_DATA within {seconds} s")));
            }
            Timer::Answer => {
                let State::Running(channel) = &self.state else { return };
                let silent = self.line.now.saturating_sub(channel.heard.max(channel.asked));
                let why = if silent >= channel.patience() {
                    format!(
                        "the partner said nothing for {} s {}",
                        channel.patience().as_secs(),
                        describe(&channel.work)
                    )
                } else {
                    let waited = self.line.now.saturating_sub(channel.asked).as_secs();
                    format!("the partner sent signs of life but no answer for {waited} s {}", describe(&channel.work))
                };
                self.end(disorderly(None, why));
            }
            Timer::Heartbeat => self.with_channel(super::Channel::beat),
            Timer::Disconnect => self.with_channel(|channel, _| {
                channel.stop.get_or_insert(StatusCode::TIMEOUT_EXPIRED);
            }),
            Timer::Retire => self.with_channel(|channel, _| channel.retire_due = true),
            Timer::Linger => self.lingered(),
            // The batch ends as soon as the machine looks; the others are a receiver's.
            Timer::BatchInterval | Timer::NextSegment | Timer::Receive | Timer::EarlyCommit | Timer::Quiesce => {}
        }
    }
}
