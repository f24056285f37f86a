//! Segments of an agreed channel.

use super::line::{Line, disorderly, orderly};
use super::{Mca, State, Work};
use crate::channel::assembly::Assembly;
use crate::channel::batch::{Batch, NAMES_MAX};
use crate::channel::dialect::{FirstNumber, ResetNumber, UnconfirmedMessages};
use crate::channel::negotiation::{Agreed, MESSAGE_HEADERS};
use crate::channel::sequence::{DoesNotFollow, Recognised, Sequence, Start};
use crate::channel::timers::{self, Timer};
use crate::channel::{Definition, Output, Partner, PartnerError, SyncRecord};
use crate::wire::{ControlFlags1, Luwid, Msh, Segment, SegmentType, StatusCode};

const STATE: &str = "running";

/// A channel instance whose two ends have agreed.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) definition: Definition,
    pub(super) partner: Partner,
    pub(super) agreed: Agreed,
    /// As the target has it.
    pub(super) record: SyncRecord,
    pub(super) sequence: Sequence,
    /// Nothing but heartbeats has come since the handshake.
    pub(super) first: bool,
    /// The operator or a shutdown wants an end; the code is what the partner would be told.
    pub(super) quiesce: Option<StatusCode>,
    pub(super) work: Work,
}

/// What a segment leads to besides what was put out.
pub(super) enum Next {
    /// The channel goes on.
    GoOn,
    /// The partner ends the channel, or we are to.
    End(crate::channel::Stopped),
    /// Done; the partner may close first.
    Linger(crate::channel::Stopped),
}

impl Channel {
    pub(super) fn new(definition: Definition, partner: Partner, agreed: Agreed, record: SyncRecord) -> Self {
        let start = Start {
            any: definition.dialect.first_number == FirstNumber::AcceptAnyStart,
            ..if record.after_reset { after_reset(definition.dialect.reset_number) } else { Start::default() }
        };
        let sequence = Sequence::new(&record, agreed.seq_wrap, start);
        Self { definition, partner, agreed, record, sequence, first: true, quiesce: None, work: Work::Idle }
    }

    /// Sets the deadlines that measure the partner's silence, as the present work needs them.
    pub(super) fn listen(&self, line: &mut Line) {
        line.timers.stop(Timer::NextSegment);
        line.timers.stop(Timer::EarlyCommit);
        line.timers.stop(Timer::Receive);
        let batch = match &self.work {
            Work::Committing(_) => return,
            Work::Idle => None,
            Work::Open(batch) => Some(batch),
        };
        if let Some(wait) = timers::receive_timeout(self.agreed.heartbeat_interval) {
            line.timers.set(Timer::Receive, line.now + wait);
        }
        if batch.is_some_and(|batch| batch.assembly.is_some()) {
            line.timers.set(Timer::NextSegment, line.now + timers::NEXT_SEGMENT);
        } else if batch.is_some_and(Batch::may_commit_early) && self.commits_early() {
            line.timers.set(Timer::EarlyCommit, line.now + timers::EARLY_COMMIT);
        }
    }

    /// Whether no batch is open, or one that is wholly committed and may be over.
    pub(super) fn between_batches(&self) -> bool {
        match &self.work {
            Work::Idle => true,
            Work::Open(batch) => batch.rests(),
            Work::Committing(_) => false,
        }
    }

    pub(super) fn commits_early(&self) -> bool {
        self.definition.dialect.unconfirmed_messages == UnconfirmedMessages::CommitAfterOneSecond
    }

    pub(super) fn receiving(&self) -> bool {
        matches!(&self.work, Work::Open(batch) if batch.assembly.is_some())
    }

    fn take(&mut self, line: &mut Line, segment: &Segment) -> Result<Next, PartnerError> {
        let flags = segment.tsh.flags1;
        let kind = segment.tsh.segment_type;
        let asks = flags.contains(ControlFlags1::CONFIRM_REQUEST);
        if self.receiving() && asks && !matches!(kind, SegmentType::MESSAGE_DATA | SegmentType::HEARTBEAT) {
            let found = format!("{kind} with CONFIRM_REQUEST");
            let expected = "the rest of a message";
            return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_SEGMENT_ERROR, expected, found));
        }
        let next = match kind {
            SegmentType::MESSAGE_DATA => self.message_data(line, segment)?,
            SegmentType::STATUS_DATA => self.status_data(line, segment)?,
            SegmentType::RESYNC_DATA => self.resync_data(line, segment)?,
            SegmentType::RESET_DATA => self.reset_data(line, segment)?,
            SegmentType::HEARTBEAT => self.heartbeat(line, segment)?,
            SegmentType::PING_DATA => self.ping_data(line, segment)?,
            SegmentType::SECURITY_DATA => {
                let found = "SECURITY_DATA";
                return Err(PartnerError::new(STATE, StatusCode::SECURITY_FAILURE, "no security exit", found));
            }
            _ => return Err(PartnerError::segment(STATE, "a segment of a message channel", segment)),
        };
        if kind != SegmentType::HEARTBEAT {
            self.first = false;
        }
        if !matches!(next, Next::GoOn) {
            return Ok(next);
        }
        Ok(self.closing_flags(line, segment))
    }

    fn message_data(&mut self, line: &mut Line, segment: &Segment) -> Result<Next, PartnerError> {
        let flags = segment.tsh.flags1;
        let asks = flags.contains(ControlFlags1::CONFIRM_REQUEST);
        if asks && !self.receiving() && holds_no_message(segment) {
            return self.confirm_request(line, segment, None);
        }
        let most = usize::try_from(self.agreed.max_msg_size).unwrap_or(0) + MESSAGE_HEADERS;
        let dialect = &self.definition.dialect;
        let other = matches!(&self.work, Work::Open(batch) if batch.rests() && !batch.admits_as_one(segment.tsh.luwid));
        if matches!(self.work, Work::Idle) || other {
            // A batch is there from its first segment on; a fault in that segment ends the channel anyway.
            self.work = Work::Open(Batch::new(segment.tsh.luwid));
        }
        let Work::Open(batch) = &mut self.work else { return Ok(Next::GoOn) };
        let mut assembly = match batch.assembly.take() {
            Some(mut assembly) => {
                assembly.go_on(segment, dialect)?;
                assembly
            }
            None => {
                let assembly = Assembly::begin(segment, most, dialect)?;
                if !batch.admits(segment.tsh.luwid) {
                    let expected = format!("LUWID {}, whose messages wait for their confirm", batch.luwid);
                    let found = format!("LUWID {}", segment.tsh.luwid);
                    return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_GENERAL, expected, found));
                }
                line.out(Output::Begin { length: assembly.length() });
                assembly
            }
        };
        batch.confirm_wanted |= asks;
        if !flags.contains(ControlFlags1::LAST) {
            batch.assembly = Some(assembly);
            return Ok(Next::GoOn);
        }
        assembly.set_luwid(batch.luwid);
        let confirm = std::mem::take(&mut batch.confirm_wanted);
        self.whole_message(line, assembly)?;
        if confirm { self.confirm_request(line, segment, None) } else { self.bound_batch(line) }
    }

    fn whole_message(&mut self, line: &mut Line, assembly: Assembly) -> Result<(), PartnerError> {
        let Work::Open(batch) = &mut self.work else { return Ok(()) };
        let whole = assembly.finish();
        let recognised = self.sequence.take(whole.name, &self.record.last_batch);
        let recognised = recognised.map_err(|wrong| sequence_error(&wrong, &self.record, &self.partner))?;
        batch.add(whole.name, recognised, whole.non_persistent, &self.record);
        line.counts.msgs += 1;
        line.last_message = Some(line.now);
        match recognised {
            Recognised::New => line.out(Output::Deliver(whole.frame)),
            Recognised::Repeat => {
                line.counts.repeated += 1;
                line.out(Output::Repeated { sequence: whole.name.sequence });
            }
        }
        Ok(())
    }

    /// A batch for which nobody asks a confirm must not grow for ever.
    fn bound_batch(&mut self, line: &mut Line) -> Result<Next, PartnerError> {
        let Work::Open(batch) = &self.work else { return Ok(Next::GoOn) };
        if batch.pending() < NAMES_MAX {
            return Ok(Next::GoOn);
        }
        if batch.may_commit_early() && self.commits_early() {
            self.commit_early(line);
        } else {
            let expected = format!("a confirm request within {NAMES_MAX} messages");
            let found = format!("{} messages without one", batch.messages());
            return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_GENERAL, expected, found));
        }
        Ok(Next::GoOn)
    }

    fn status_data(&mut self, line: &mut Line, segment: &Segment) -> Result<Next, PartnerError> {
        let flags = segment.tsh.flags1;
        let status = segment
            .status()
            .map_err(|error| PartnerError::malformed(STATE, StatusCode::PROTOCOL_LENGTH_ERROR, &error))?;
        if !status.is_ok() || flags.contains(ControlFlags1::ERROR) {
            let normal = matches!(status.code, Some(StatusCode::USER_CLOSED | StatusCode::TIMEOUT_EXPIRED));
            let why = format!("the partner ended the channel: {status}");
            let idle = self.between_batches();
            let stopped = if normal && idle { orderly(status.code, why) } else { disorderly(status.code, why) };
            return Ok(Next::End(stopped));
        }
        if flags.contains(ControlFlags1::CONFIRM_REQUEST) {
            return self.confirm_request(line, segment, status.values.first().copied());
        }
        Ok(Next::GoOn)
    }
}

/// Form (c) of a confirm request that stands alone: MESSAGE_DATA without MSH, or with an MSH of no message (U).
fn holds_no_message(segment: &Segment) -> bool {
    segment.body.is_empty()
        || (segment.body.len() == Msh::LENGTH
            && segment.msh().is_ok_and(|(msh, _)| msh.message_length == 0 || msh.data_length == 0))
}

/// Which numbers may come first after RESET_DATA (U, off by one).
pub(super) fn after_reset(numbers: ResetNumber) -> Start {
    match numbers {
        ResetNumber::Either => Start { skip_one: true, ..Start::default() },
        ResetNumber::Next => Start::default(),
        ResetNumber::Last => Start { only_skipped: true, ..Start::default() },
    }
}

fn sequence_error(wrong: &DoesNotFollow, record: &SyncRecord, partner: &Partner) -> PartnerError {
    let DoesNotFollow { expected, found, named } = *wrong;
    let mut got = format!("message {found}");
    if named {
        got.push_str(", whose number is in the sync record with another MsgId");
    }
    if !record.partner_id.is_empty() && !partner.qmgr_id.is_empty() && record.partner_id != partner.qmgr_id {
        got.push_str(&format!(
            "; the record is of queue manager {}, the partner is now {}",
            record.partner_id, partner.qmgr_id
        ));
    }
    got.push_str("; find out why before RESET CHANNEL with SEQNUM at the sender");
    PartnerError::new(
        "checking message sequence numbers",
        StatusCode::MSG_SEQUENCE_ERROR,
        format!("message {expected}"),
        got,
    )
    .with_value(expected)
}

impl Mca {
    pub(super) fn running_segment(&mut self, segment: Segment) -> Result<(), PartnerError> {
        let State::Running(channel) = &mut self.state else { return Ok(()) };
        let next = channel.take(&mut self.line, &segment)?;
        channel.listen(&mut self.line);
        match next {
            Next::GoOn => {}
            Next::End(stopped) => self.end(stopped),
            Next::Linger(stopped) => self.linger(stopped),
        }
        Ok(())
    }
}

/// The LUWID that a question is about: the TSH's, or one in the body where the TSH has none.
pub(super) fn luwid_of(segment: &Segment, body: &[u8]) -> Luwid {
    match body.first_chunk::<8>() {
        Some(bytes) if segment.tsh.luwid.is_zero() => Luwid(*bytes),
        _ => segment.tsh.luwid,
    }
}
