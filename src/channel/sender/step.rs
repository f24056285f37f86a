//! Commits: what they write, and what their outcome leads to. Store first, then speak.

use bytes::Bytes;

use super::batch::Batch;
use super::channel::{Channel, Work};
use super::{Line, Output, SenderMca, State, Step, disorderly};
use crate::channel::dialect::{ConfirmRequest, ConfirmRequestNumber, ConfirmRequestSegment};
use crate::channel::sequence::following;
use crate::channel::{InDoubt, SendRecord, Stopped};
use crate::wire::{ControlFlags1, SegmentType, Status, StatusCode};

/// A step that the target has been asked for.
#[derive(Debug)]
pub(super) struct Committing {
    /// What the target will have if it commits.
    record: SendRecord,
    /// How many of the messages that were set aside it retires.
    aside: usize,
    pub(super) then: Then,
    /// The connection ended meanwhile, or is to end.
    pub(super) gone: Option<Stopped>,
}

/// What a successful step leads to.
#[derive(Debug)]
pub(super) enum Then {
    /// The batch is in doubt: its last message leaves, and the confirm is asked for.
    Ask(Batch),
    /// Messages are retired; what was going on goes on.
    Resume(Work),
}

impl Committing {
    /// The batch that it puts in doubt, or that goes on after it.
    pub(super) fn batch(&self) -> Option<&Batch> {
        match &self.then {
            Then::Ask(batch) | Then::Resume(Work::Open(batch)) => Some(batch),
            Then::Resume(_) => None,
        }
    }
}

impl Channel {
    /// Whether a step has something to write. Asked only where the record's own doubt is settled: not while a confirm,
    /// or the partner's word on a batch in doubt, is awaited.
    pub(super) fn owes(&self) -> bool {
        self.confirmed.is_some() || !self.aside.is_empty() || self.record.in_doubt.is_some()
    }

    /// The record as it is to be now, with no batch in doubt.
    fn settled_record(&self) -> SendRecord {
        let mut record = SendRecord { in_doubt: None, ..self.record.clone() };
        if !self.partner.qmgr_id.is_empty() {
            record.partner_id.clone_from(&self.partner.qmgr_id);
        }
        if let Some(confirmed) = &self.confirmed {
            record.sequence = confirmed.sequence;
            record.luwid = confirmed.luwid;
            // The partner has taken the number.
            record.tell_reset = false;
        }
        record
    }

    /// The batch is over but for its last message: the record learns that it is in doubt, before anybody is asked. What was
    /// confirmed before is retired in the same step.
    pub(super) fn put_in_doubt(&mut self, line: &mut Line, batch: Batch) {
        let last = following(batch.sequence, self.agreed.seq_wrap);
        let doubt = InDoubt { luwid: batch.luwid, sequence: last, messages: batch.tokens.len() };
        let record = SendRecord { in_doubt: Some(doubt), ..self.settled_record() };
        self.commit(line, record, Then::Ask(batch), None);
    }

    /// Retires what is confirmed or set aside.
    pub(super) fn retire(&mut self, line: &mut Line, then: Work) {
        let record = self.settled_record();
        self.commit(line, record, Then::Resume(then), None);
    }

    /// The same before the end.
    pub(super) fn retire_last(&mut self, line: &mut Line, stopped: Stopped) {
        let record = self.settled_record();
        self.commit(line, record, Then::Resume(Work::Idle), Some(stopped));
    }

    fn commit(&mut self, line: &mut Line, record: SendRecord, then: Then, gone: Option<Stopped>) {
        let in_doubt = match &then {
            Then::Ask(batch) => batch.tokens.clone(),
            Then::Resume(_) => Vec::new(),
        };
        let mut retire = self.confirmed.as_ref().map(|confirmed| confirmed.tokens.clone()).unwrap_or_default();
        retire.extend_from_slice(&self.aside);
        line.out(Output::Commit(Step { record: record.clone(), in_doubt, retire }));
        self.work = Work::Committing(Box::new(Committing { record, aside: self.aside.len(), then, gone }));
    }

    fn ask(&mut self, line: &mut Line, mut batch: Batch) {
        let dialect = &self.definition.dialect;
        let alone = dialect.confirm_request == ConfirmRequest::Alone;
        let (carrier, numbered) = (dialect.confirm_request_segment, dialect.confirm_request_number);
        self.send_held(line, &mut batch, !alone);
        if alone {
            let (flags, luwid) = (ControlFlags1::CONFIRM_REQUEST, batch.luwid);
            match carrier {
                ConfirmRequestSegment::StatusData => {
                    let status = match numbered {
                        ConfirmRequestNumber::None => Status::OK,
                        ConfirmRequestNumber::InBody => Status::with_value(StatusCode::OK, batch.sequence),
                    };
                    line.status(flags, luwid, &status);
                }
                ConfirmRequestSegment::ResyncData => {
                    let body = self.resync_body(line, luwid, batch.sequence);
                    line.send(SegmentType::RESYNC_DATA, flags, luwid, body);
                }
                ConfirmRequestSegment::MessageData => {
                    line.send(SegmentType::MESSAGE_DATA, flags, luwid, Bytes::new());
                }
                ConfirmRequestSegment::Heartbeat => line.send(SegmentType::HEARTBEAT, flags, luwid, Bytes::new()),
            }
        }
        self.asked = line.now;
        self.work = Work::Confirming(batch);
    }
}

impl SenderMca {
    /// Takes the step that is outstanding; none if none is, and nothing changes then.
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

    pub(super) fn committed(&mut self) {
        let Some(Committing { record, aside, then, gone }) = self.outcome() else { return };
        let State::Running(channel) = &mut self.state else { return };
        channel.record = record;
        channel.confirmed = None;
        (channel.retire_due, channel.backed_out) = (false, false);
        channel.aside.drain(..aside.min(channel.aside.len()));
        // The target was busy, not the partner silent.
        channel.heard = self.line.now;
        match (gone, then) {
            (Some(stopped), _) => self.stop(stopped),
            (None, Then::Ask(batch)) => channel.ask(&mut self.line, batch),
            (None, Then::Resume(work)) => channel.work = work,
        }
    }

    pub(super) fn rolled_back(&mut self, code: StatusCode, why: &str) {
        if !matches!(self.state, State::Running(_)) {
            return self.refused(code, why);
        }
        // The lease may be lost: nothing more may be committed.
        let gone = self.outcome().is_some_and(|committing| committing.gone.is_some());
        self.line.outputs.retain(|output| !matches!(output, Output::Commit(_)));
        if !gone {
            self.line.refuse(&Status::new(code));
        }
        self.stop(disorderly(Some(code), format!("rolled back: {why}")));
    }

    /// Nobody knows what the target did; the record tells at the next start.
    pub(super) fn unknown(&mut self, why: &str) {
        if self.outcome().is_some() {
            self.stop(disorderly(None, format!("the outcome of a step is not known: {why}")));
        }
    }
}
