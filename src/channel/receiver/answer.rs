//! Confirm requests, resynchronisation, reset, heartbeats, ping.

use bytes::Bytes;

use super::line::{Line, orderly};
use super::outcome::Then;
use super::running::{Channel, Next, after_reset, luwid_of};
use super::{Mca, State, Work};
use crate::channel::confirm::{Carrier, Decision, Request, decide};
use crate::channel::dialect::{
    AfterPing, CloseAnswer, ConfirmAccepted, HeartbeatConfirms, HeartbeatUnasked, ResetNumber, ResyncAnswer,
    ResyncBody, ResyncMismatch, ResyncNumber, SequenceErrorValue, SequenceMismatch,
};
use crate::channel::sequence::Start;
use crate::channel::timers::{self, Timer};
use crate::channel::{PartnerError, SyncRecord};
use crate::wire::{ControlFlags1, Luwid, Reset, Segment, SegmentType, Status, StatusCode, Tsh};

const STATE: &str = "answering a confirm request";

impl Channel {
    /// A request on any segment; `number` is the sequence number that it names.
    pub(super) fn confirm_request(
        &mut self,
        line: &mut Line,
        segment: &Segment,
        number: Option<i32>,
    ) -> Result<Next, PartnerError> {
        self.confirm(line, segment, segment.tsh.luwid, number)
    }

    fn confirm(
        &mut self,
        line: &mut Line,
        segment: &Segment,
        luwid: Luwid,
        number: Option<i32>,
    ) -> Result<Next, PartnerError> {
        let number = number.filter(|&number| number != 0);
        let compared = self.definition.dialect.resync_number == ResyncNumber::Compared;
        let carrier = Carrier::from(segment.tsh.segment_type);
        // What a heartbeat committed is over only for a sender that says so, by naming its last number.
        let at_heartbeat = number.is_some_and(|number| self.record.at_heartbeat == Some((luwid, number)));
        let request = Request {
            carrier,
            luwid,
            first: self.first,
            open: match &self.work {
                Work::Open(batch) if batch.rests() && !batch.admits_as_one(luwid) => None,
                Work::Open(batch) => Some(batch.luwid),
                Work::Idle | Work::Committing(_) => None,
            },
            last: if at_heartbeat { luwid } else { self.record.luwid },
            number_committed: !compared || at_heartbeat || number.is_none_or(|number| self.record.covers(number)),
        };
        if let Work::Open(batch) = &self.work
            && batch.rests()
            && carrier == Carrier::Heartbeat
            && batch.luwid == luwid
        {
            // It is committed already.
            let flags = self.confirm_flags(line);
            line.send(SegmentType::HEARTBEAT, flags, luwid, Bytes::new());
            return Ok(Next::GoOn);
        }
        match decide(&request) {
            Decision::Commit => self.commit_batch(line, segment.tsh.segment_type, closes(segment)),
            Decision::Repeat => self.tell(line, carrier, luwid, number.unwrap_or(self.record.sequence)),
            Decision::Nothing => {
                let flags = self.confirm_flags(line);
                line.status(flags, Luwid::ZERO, &Status::OK);
            }
            Decision::HeartbeatOnly => {
                let flags = self.end_wish(line);
                line.send(SegmentType::HEARTBEAT, flags, Luwid::ZERO, Bytes::new());
            }
            Decision::TellLast => return self.tell_last(line, carrier, luwid, number),
            Decision::OtherBatch => {
                let open = request.open.unwrap_or(Luwid::ZERO);
                let expected = format!("a request for LUWID {open}, which is open");
                let found = format!("one for LUWID {luwid}");
                return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_GENERAL, expected, found));
            }
            Decision::Doubt => return Err(self.doubt(luwid, number)),
        }
        Ok(Next::GoOn)
    }

    /// Confirms (again) what the record holds.
    fn tell(&self, line: &mut Line, carrier: Carrier, luwid: Luwid, number: i32) {
        let flags = self.confirm_flags(line);
        if carrier == Carrier::Resync && self.definition.dialect.resync_answer == ResyncAnswer::ResyncData {
            let body = self.resync_body(line, luwid, number);
            line.send(SegmentType::RESYNC_DATA, flags, luwid, body);
        } else {
            line.status(flags, luwid, &Status::OK);
        }
    }

    /// The batch asked about is not here: our last LUWID and number, in words that cannot be read as a confirm.
    fn tell_last(
        &mut self,
        line: &mut Line,
        carrier: Carrier,
        luwid: Luwid,
        number: Option<i32>,
    ) -> Result<Next, PartnerError> {
        let dialect = &self.definition.dialect;
        let number_differs = number.is_some_and(|number| number != self.record.sequence);
        let unequal = !luwid.is_zero() && luwid != self.record.luwid;
        if (dialect.resync_mismatch == ResyncMismatch::Close && unequal)
            || (dialect.sequence_mismatch == SequenceMismatch::AtResync && number_differs)
        {
            return Err(self.doubt(luwid, number));
        }
        let flags = self.end_wish(line);
        if carrier == Carrier::Resync && dialect.resync_answer == ResyncAnswer::ResyncData {
            let body = self.resync_body(line, self.record.luwid, self.record.sequence);
            line.send(SegmentType::RESYNC_DATA, flags, self.record.luwid, body);
        } else {
            let status = self.sequence_status();
            line.status(ControlFlags1::ERROR | flags, self.record.luwid, &status);
        }
        Ok(Next::GoOn)
    }

    fn doubt(&self, luwid: Luwid, number: Option<i32>) -> PartnerError {
        let SyncRecord { luwid: last, sequence, .. } = &self.record;
        let asked = number.map_or(String::new(), |number| format!(", number {number}"));
        let expected = format!("a question about LUWID {last}, number {sequence}, the last committed here");
        let found = format!("one about LUWID {luwid}{asked}");
        PartnerError::new(STATE, StatusCode::MSG_SEQUENCE_ERROR, expected, found).with_value(self.sequence.expected())
    }

    fn resync_body(&self, line: &Line, luwid: Luwid, number: i32) -> Bytes {
        match self.definition.dialect.resync_body {
            ResyncBody::Number => Reset::new(number).encode(line.byte_order()),
            ResyncBody::NumberAndLuwid => {
                Reset { sequence: number, rest: Bytes::copy_from_slice(&luwid.0) }.encode(line.byte_order())
            }
            ResyncBody::Empty => Bytes::new(),
        }
    }

    fn sequence_status(&self) -> Status {
        sequence_status(self.definition.dialect.sequence_error_value, self.sequence.expected(), self.record.sequence)
    }

    /// REQUEST_CLOSE while we want to end; the partner has been told then and gets a moment to close.
    pub(super) fn end_wish(&self, line: &mut Line) -> ControlFlags1 {
        if self.quiesce.is_none() {
            return ControlFlags1::empty();
        }
        line.end_wished = true;
        line.timers.bring_forward(Timer::Quiesce, line.now + timers::QUIESCE_GRACE);
        ControlFlags1::REQUEST_CLOSE
    }

    pub(super) fn confirm_flags(&self, line: &mut Line) -> ControlFlags1 {
        let accepted = match self.definition.dialect.confirm_accepted {
            ConfirmAccepted::Set => ControlFlags1::REQUEST_ACCEPTED,
            ConfirmAccepted::NotSet => ControlFlags1::empty(),
        };
        accepted | self.end_wish(line)
    }

    pub(super) fn heartbeat(&mut self, line: &mut Line, segment: &Segment) -> Result<Next, PartnerError> {
        let dialect = &self.definition.dialect;
        let asks = segment.tsh.flags1.contains(ControlFlags1::CONFIRM_REQUEST);
        if !asks && dialect.heartbeat_unasked == HeartbeatUnasked::Ignore {
            return Ok(Next::GoOn);
        }
        if !asks || self.receiving() || dialect.heartbeat_confirms == HeartbeatConfirms::Never {
            let flags = self.end_wish(line);
            line.send(SegmentType::HEARTBEAT, flags, Luwid::ZERO, Bytes::new());
            return Ok(Next::GoOn);
        }
        self.confirm_request(line, segment, None)
    }

    pub(super) fn resync_data(&mut self, line: &mut Line, segment: &Segment) -> Result<Next, PartnerError> {
        if self.receiving() {
            return Err(PartnerError::segment("receiving a message", "the rest of the message", segment));
        }
        // An unknown shape of body still names its LUWID in the TSH.
        let (number, luwid) = match segment.reset() {
            Ok(reset) => (Some(reset.sequence), luwid_of(segment, &reset.rest)),
            Err(_) => (None, segment.tsh.luwid),
        };
        self.confirm(line, segment, luwid, number)
    }

    pub(super) fn reset_data(&mut self, line: &mut Line, segment: &Segment) -> Result<Next, PartnerError> {
        let state = "taking a reset";
        if !self.between_batches() {
            return Err(PartnerError::new(
                state,
                StatusCode::PROTOCOL_GENERAL,
                "it between batches",
                "it within a batch",
            ));
        }
        let reset = segment
            .reset()
            .map_err(|error| PartnerError::malformed(state, StatusCode::PROTOCOL_LENGTH_ERROR, &error))?;
        let wrap = self.agreed.seq_wrap;
        if !(0..=wrap).contains(&reset.sequence) {
            let expected = format!("a number from 0 to {wrap}");
            let found = reset.sequence.to_string();
            return Err(PartnerError::new(state, StatusCode::PROTOCOL_INVALID_DATA, expected, found));
        }
        // The number names the next message; 0 can only be the last one before the first. Names go: what comes under
        // an old number now is a new message. So a sender must settle what it is in doubt about before its RESET.
        let after = reset.sequence > 0;
        let record = SyncRecord {
            partner_id: self.partner.qmgr_id.clone(),
            sequence: (reset.sequence - 1).max(0),
            last_batch: Vec::new(),
            after_reset: after,
            at_heartbeat: None,
            ..self.record.clone()
        };
        let start = if after { after_reset(self.numbers_after_reset()) } else { Start::default() };
        self.sequence.reset(record.sequence, start);
        let answer = segment.tsh.flags1.contains(ControlFlags1::CONFIRM_REQUEST);
        self.commit(line, record, Then::Reset { answer, luwid: segment.tsh.luwid, close: closes(segment) });
        Ok(Next::GoOn)
    }

    fn numbers_after_reset(&self) -> ResetNumber {
        self.definition.dialect.reset_number
    }

    /// Echoes a ping bit for bit, in the partner's own byte order.
    pub(super) fn ping_data(&mut self, line: &mut Line, segment: &Segment) -> Result<Next, PartnerError> {
        if !self.between_batches() {
            return Err(PartnerError::segment("receiving a batch", "the rest of the batch", segment));
        }
        segment
            .ping()
            .map_err(|error| PartnerError::malformed("answering a ping", StatusCode::PROTOCOL_LENGTH_ERROR, &error))?;
        let tsh = Tsh { flags1: ControlFlags1::empty(), ..segment.tsh };
        line.send_as_is(Segment::new(tsh, segment.body.clone()));
        Ok(match self.definition.dialect.after_ping {
            AfterPing::Stop => Next::Linger(orderly(None, "the partner pinged the channel")),
            AfterPing::StayOpen => Next::GoOn,
        })
    }

    /// CLOSE_CHANNEL and REQUEST_CLOSE, on whatever segment, once its content is dealt with.
    pub(super) fn closing_flags(&mut self, line: &mut Line, segment: &Segment) -> Next {
        let flags = segment.tsh.flags1;
        if matches!(self.work, Work::Committing(_)) {
            // The outcome of the commit sees to it.
            return Next::GoOn;
        }
        let idle = self.between_batches();
        if flags.contains(ControlFlags1::CLOSE_CHANNEL) {
            let asked = flags.contains(ControlFlags1::CONFIRM_REQUEST);
            if idle && !asked && self.definition.dialect.close_answer == CloseAnswer::Always {
                line.status(ControlFlags1::CLOSE_CHANNEL, Luwid::ZERO, &Status::OK);
            }
            return Next::End(closed_by_partner(idle));
        }
        if flags.contains(ControlFlags1::REQUEST_CLOSE) {
            if idle {
                return Next::End(orderly(None, "the partner asked us to end the channel"));
            }
            self.quiesce.get_or_insert(StatusCode::USER_CLOSED);
        }
        Next::GoOn
    }
}

fn closes(segment: &Segment) -> bool {
    segment.tsh.flags1.contains(ControlFlags1::CLOSE_CHANNEL)
}

pub(super) fn closed_by_partner(idle: bool) -> crate::channel::Stopped {
    if idle {
        orderly(None, "the partner ended the channel")
    } else {
        super::disorderly(None, "the partner ended the channel within a batch")
    }
}

/// STATUS 4 with the third int that the dialect wants.
pub(super) fn sequence_status(value: SequenceErrorValue, expected: i32, last: i32) -> Status {
    match value {
        SequenceErrorValue::Expected => Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, expected),
        SequenceErrorValue::Last => Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, last),
        SequenceErrorValue::None => Status::new(StatusCode::MSG_SEQUENCE_ERROR),
    }
}

impl Mca {
    /// The third int of a refusal for its number.
    pub(super) fn fault_status(&self, error: &PartnerError) -> Status {
        match (&self.state, error.value) {
            (State::Running(channel), Some(expected)) if error.code == StatusCode::MSG_SEQUENCE_ERROR => {
                let wanted = channel.definition.dialect.sequence_error_value;
                sequence_status(wanted, expected, channel.record.sequence)
            }
            _ => Status::new(error.code),
        }
    }
}
