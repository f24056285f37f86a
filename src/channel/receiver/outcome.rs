//! Commits: what they write, and what their outcome leads to. Store first, then speak.

use bytes::Bytes;

use super::answer::closed_by_partner;
use super::line::{Line, disorderly};
use super::running::Channel;
use super::{Mca, State, Work};
use crate::channel::batch::Batch;
use crate::channel::dialect::BatchRefusal;
use crate::channel::timers::Timer;
use crate::channel::{Output, Stopped, SyncRecord};
use crate::wire::{ControlFlags1, Luwid, SegmentType, Status, StatusCode};

/// A commit that the target has been asked for.
#[derive(Debug)]
pub(super) struct Committing {
    /// What the target will have if it commits.
    record: SyncRecord,
    then: Then,
    /// The connection ended meanwhile; nobody is left to be told.
    pub(super) gone: Option<Stopped>,
}

/// What a successful commit leads to.
#[derive(Debug)]
pub(super) enum Then {
    /// The batch is confirmed.
    Confirm {
        batch: Batch,
        /// The request's segment ended the channel too.
        close: bool,
    },
    /// The batch is confirmed, by HEARTBEAT as it was asked for; but perhaps that was only a heartbeat, and it goes on.
    Heartbeat {
        batch: Batch,
        /// The request's segment ended the channel too.
        close: bool,
    },
    /// Non-persistent messages are safe; the batch goes on.
    GoOn(Batch),
    /// The same at the channel's end.
    Stop(Stopped),
    /// The reset number is safe.
    Reset { answer: bool, luwid: Luwid, close: bool },
}

impl Channel {
    /// Ends the open batch. Its confirm waits for the target.
    pub(super) fn commit_batch(&mut self, line: &mut Line, carrier: SegmentType, close: bool) {
        let Work::Open(batch) = std::mem::replace(&mut self.work, Work::Idle) else { return };
        let (head, wrap, partner) = (self.sequence.head(), self.agreed.seq_wrap, &self.partner.qmgr_id);
        if carrier == SegmentType::HEARTBEAT {
            let record = batch.heartbeat_record(&self.record, head, wrap, partner);
            self.commit(line, record, Then::Heartbeat { batch, close });
        } else {
            let record = batch.confirmed_record(&self.record, head, wrap, partner);
            self.commit(line, record, Then::Confirm { batch, close });
        }
    }

    /// Commits non-persistent messages for which nobody asked a confirm.
    pub(super) fn commit_early(&mut self, line: &mut Line) {
        let Work::Open(batch) = std::mem::replace(&mut self.work, Work::Idle) else { return };
        let record = batch.early_record(&self.record, self.agreed.seq_wrap, &self.partner.qmgr_id);
        self.commit(line, record, Then::GoOn(batch));
    }

    /// The same, and then the end.
    pub(super) fn commit_last(&mut self, line: &mut Line, batch: &Batch, stopped: Stopped) {
        let record = batch.early_record(&self.record, self.agreed.seq_wrap, &self.partner.qmgr_id);
        self.commit(line, record, Then::Stop(stopped));
    }

    pub(super) fn commit(&mut self, line: &mut Line, record: SyncRecord, then: Then) {
        line.out(Output::Commit(record.clone()));
        self.work = Work::Committing(Box::new(Committing { record, then, gone: None }));
        self.listen(line);
    }

    /// LUWID of the batch that is being committed.
    pub(super) fn committing_luwid(committing: &Committing) -> Luwid {
        match &committing.then {
            Then::Confirm { batch, .. } | Then::Heartbeat { batch, .. } | Then::GoOn(batch) => batch.luwid,
            Then::Reset { luwid, .. } => *luwid,
            Then::Stop(_) => Luwid::ZERO,
        }
    }
}

impl Committing {
    /// Messages of the batch that is being committed.
    pub(super) fn messages(&self) -> usize {
        match &self.then {
            Then::Confirm { batch, .. } | Then::Heartbeat { batch, .. } | Then::GoOn(batch) => batch.messages(),
            Then::Stop(_) | Then::Reset { .. } => 0,
        }
    }
}

impl Mca {
    /// Takes the commit that is outstanding; none if none is, and nothing changes then.
    fn outcome(&mut self) -> Option<Committing> {
        let State::Running(channel) = &mut self.state else { return None };
        match std::mem::replace(&mut channel.work, Work::Idle) {
            Work::Committing(committing) => Some(*committing),
            other => {
                channel.work = other;
                None
            }
        }
    }

    pub(super) fn committed(&mut self, dlq_used: bool) {
        let Some(Committing { record, then, gone }) = self.outcome() else { return };
        let State::Running(channel) = &mut self.state else { return };
        let line = &mut self.line;
        channel.record = record;
        let end = match then {
            Then::Confirm { batch, close } => {
                line.counts.batches += 1;
                if gone.is_none() {
                    let mut flags = channel.confirm_flags(line);
                    flags.set(ControlFlags1::DLQ_USED, dlq_used || batch.dlq_used);
                    line.status(flags, batch.luwid, &Status::OK);
                }
                gone.or_else(|| close.then(|| closed_by_partner(true)))
            }
            Then::Heartbeat { mut batch, close } => {
                line.counts.batches += 1;
                batch.committed_at_heartbeat(&channel.record);
                batch.dlq_used |= dlq_used;
                if gone.is_none() {
                    let mut flags = channel.confirm_flags(line);
                    flags.set(ControlFlags1::DLQ_USED, batch.dlq_used);
                    line.send(SegmentType::HEARTBEAT, flags, batch.luwid, Bytes::new());
                }
                channel.work = Work::Open(batch);
                gone.or_else(|| close.then(|| closed_by_partner(true)))
            }
            Then::GoOn(mut batch) => {
                batch.committed_early(&channel.record);
                batch.dlq_used |= dlq_used;
                channel.work = Work::Open(batch);
                gone
            }
            Then::Stop(stopped) => Some(stopped),
            Then::Reset { answer, luwid, close } => {
                if answer && gone.is_none() {
                    let flags = channel.confirm_flags(line);
                    line.status(flags, luwid, &Status::OK);
                }
                gone.or_else(|| close.then(|| closed_by_partner(true)))
            }
        };
        channel.listen(line);
        if let Some(stopped) = end {
            self.stop(stopped);
        }
    }

    pub(super) fn rolled_back(&mut self, code: StatusCode, why: &str) {
        self.line.forget_work();
        match self.outcome() {
            Some(Committing { gone: Some(_), .. } | Committing { then: Then::Stop(_), .. }) => {
                self.stop(disorderly(Some(code), format!("rolled back: {why}")));
            }
            Some(committing) => {
                self.refuse_batch(code, Channel::committing_luwid(&committing));
                self.stop(disorderly(Some(code), format!("rolled back: {why}")));
            }
            None => {
                // The target lost the unit, or its lease, before the batch was over.
                let State::Running(channel) = &self.state else { return self.refused(code, why) };
                let luwid = match &channel.work {
                    Work::Open(batch) => batch.luwid,
                    _ => Luwid::ZERO,
                };
                self.refuse_batch(code, luwid);
                self.stop(disorderly(Some(code), format!("rolled back: {why}")));
            }
        }
    }

    fn refuse_batch(&mut self, code: StatusCode, luwid: Luwid) {
        let flags = match self.line.dialect.batch_refusal {
            BatchRefusal::ErrorAndClose => ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL,
            BatchRefusal::Error => ControlFlags1::ERROR,
        };
        self.line.status(flags, luwid, &Status::new(code));
    }

    /// Nobody knows: the partner gets no answer and is in doubt as well; the record decides at the next start.
    pub(super) fn in_doubt(&mut self, why: &str) {
        if !matches!(self.state, State::Running(_)) {
            return;
        }
        self.line.forget_work();
        self.outcome();
        self.stop(disorderly(None, format!("the batch is in doubt: {why}")));
    }

    /// The last output. What is in hand has been dealt with.
    pub(super) fn stop(&mut self, stopped: Stopped) {
        self.state = State::Over;
        self.held.clear();
        self.line.stopped(stopped);
    }

    pub(super) fn lingered(&mut self) {
        if let State::Lingering(stopped) = std::mem::replace(&mut self.state, State::Over) {
            self.stop(stopped);
        }
    }

    pub(super) fn linger(&mut self, stopped: Stopped) {
        self.line.timers.stop_all();
        self.line.timers.set(Timer::Linger, self.line.now + crate::channel::timers::LINGER);
        self.state = State::Lingering(stopped);
    }
}
