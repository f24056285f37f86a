//! How a channel ends: operator, close, silence, faults.

use super::line::{disorderly, orderly};
use super::{Malformed, Mca, Output, PartnerError, State, Status, StatusCode, Stopped, Timer, Work, timers};
use crate::channel::dialect::Close;

impl Mca {
    /// Ends a running channel: what may be committed without a confirm is, the rest is rolled back.
    pub(super) fn end(&mut self, stopped: Stopped) {
        let State::Running(channel) = &mut self.state else { return self.stop(stopped) };
        let line = &mut self.line;
        match std::mem::replace(&mut channel.work, Work::Idle) {
            Work::Open(batch) if batch.may_commit_early() && channel.commits_early() => {
                channel.commit_last(line, &batch, stopped);
                line.timers.stop_all();
                self.held.clear();
            }
            Work::Open(batch) => {
                if batch.uncommitted() > 0 {
                    line.out(Output::Rollback);
                }
                self.stop(stopped);
            }
            Work::Committing(mut committing) => {
                // Its outcome must still be heard; nothing is said to the partner any more.
                committing.gone.get_or_insert(stopped);
                channel.work = Work::Committing(committing);
                line.timers.stop_all();
                self.held.clear();
            }
            Work::Idle => self.stop(stopped),
        }
    }

    pub(super) fn peer_closed(&mut self, how: &str) {
        let stopped = match &self.state {
            State::Over => return,
            State::Lingering(_) => return self.lingered(),
            State::Connected => disorderly(None, format!("the caller went away before it said anything: {how}")),
            State::Calling(_) => disorderly(None, format!("the partner did not answer our call: {how}")),
            State::Called(_) => disorderly(None, format!("the partner went away while binding: {how}")),
            State::Identifying(_) | State::Claiming(_) | State::Countered(_) => {
                disorderly(None, format!("the caller went away while binding: {how}"))
            }
            State::Running(channel) => match &channel.work {
                _ if channel.between_batches() => {
                    let why = format!("the partner closed the connection between batches: {how}");
                    Stopped { announced: false, ..orderly(None, why) }
                }
                Work::Open(batch) => {
                    let received = batch.messages();
                    disorderly(None, format!("the connection ended after {received} messages of a batch: {how}"))
                }
                Work::Idle | Work::Committing(_) => {
                    disorderly(None, format!("the connection ended during a commit: {how}"))
                }
            },
        };
        self.end(stopped);
    }

    pub(super) fn unreachable(&mut self, how: String) {
        if !matches!(self.state, State::Over) {
            self.end(disorderly(None, how));
        }
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
        if matches!(self.state, State::Over) {
            return;
        }
        if self.answers_faults() && !self.gone() {
            let status = self.fault_status(error);
            self.line.refuse(&status);
        }
        self.end(disorderly(Some(error.code), error.to_string()));
    }

    fn awaits_outcome(&self) -> bool {
        matches!(&self.state, State::Running(channel) if matches!(channel.work, Work::Committing(_)))
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

    pub(super) fn quiesce(&mut self, code: StatusCode) {
        match &mut self.state {
            State::Over => {}
            State::Lingering(_) => self.lingered(),
            State::Running(channel) if channel.quiesce.is_none() => {
                channel.quiesce = Some(code);
                let interval = u64::try_from(channel.agreed.heartbeat_interval).unwrap_or(0);
                let wait = std::time::Duration::from_secs(interval) + timers::QUIESCE_GRACE;
                self.line.timers.set(Timer::Quiesce, self.line.now + wait);
            }
            _ => self.close_with(code, "told to end"),
        }
    }

    /// Takes back a quiesce of which the partner knows nothing yet.
    pub(super) fn unquiesce(&mut self) {
        if let State::Running(channel) = &mut self.state
            && !self.line.end_wished
        {
            channel.quiesce = None;
            self.line.timers.stop(Timer::Quiesce);
        }
    }

    /// Ends the channel from our side, with a code for the partner.
    pub(super) fn close_with(&mut self, code: StatusCode, why: &str) {
        if self.awaits_outcome() {
            // A commit is not cut short: its confirm goes out, with our wish to end, and then this comes again.
            self.line.timers.set(Timer::Quiesce, self.line.now + timers::LINGER);
            return;
        }
        let silent = self.line.dialect.close == Close::Tcp || matches!(self.state, State::Connected) || self.gone();
        if !silent {
            self.line.refuse(&Status::new(code));
        }
        let idle = match &self.state {
            State::Running(channel) => channel.between_batches(),
            _ => true,
        };
        self.end(Stopped { orderly: idle, announced: true, code: Some(code), why: why.to_owned() });
    }

    pub(super) fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::InitialData => {
                let seconds = timers::INITIAL_DATA.as_secs();
                self.end(disorderly(None, format!("no INITIAL_DATA within {seconds} s")));
            }
            Timer::NextSegment => {
                let seconds = timers::NEXT_SEGMENT.as_secs();
                self.end(disorderly(None, format!("a message began and did not go on within {seconds} s")));
            }
            Timer::Receive => {
                let State::Running(channel) = &self.state else { return };
                let interval = channel.agreed.heartbeat_interval;
                let waited = timers::receive_timeout(interval).unwrap_or_default().as_secs();
                self.end(disorderly(
                    None,
                    format!("nothing came for {waited} s, with a heartbeat interval of {interval} s"),
                ));
            }
            Timer::EarlyCommit => {
                if let State::Running(channel) = &mut self.state {
                    channel.commit_early(&mut self.line);
                }
            }
            Timer::Quiesce => {
                let code = match &self.state {
                    State::Running(channel) => channel.quiesce,
                    _ => None,
                };
                self.close_with(
                    code.unwrap_or(StatusCode::USER_CLOSED),
                    "told to end; the partner did not close in time",
                );
            }
            Timer::Linger => self.lingered(),
            // Those of a sender.
            Timer::Answer | Timer::Heartbeat | Timer::Disconnect | Timer::BatchInterval | Timer::Retire => {}
        }
    }
}
