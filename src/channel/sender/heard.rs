//! Segments of the partner on an agreed channel.

use bytes::Bytes;

use super::batch::Batch;
use super::channel::{Channel, Origin, Work};
use super::resync::{Answer, Verdict, judge};
use super::{Line, Output, Resolution, SenderMca, State, disorderly};
use crate::channel::dialect::{ConfirmLuwid, ConfirmRequest, ConfirmRequestSegment, ResyncNumber};
use crate::channel::line::orderly;
use crate::channel::sequence::following;
use crate::channel::{PartnerError, Stopped};
use crate::wire::{ControlFlags1, Luwid, Segment, SegmentType, Status, StatusCode};

const STATE: &str = "running";

/// What a segment leads to.
type Next = Result<Option<Stopped>, PartnerError>;

impl SenderMca {
    pub(super) fn running_segment(&mut self, segment: &Segment) -> Result<(), PartnerError> {
        let State::Running(channel) = &mut self.state else { return Ok(()) };
        if let Some(stopped) = channel.take(&mut self.line, segment)? {
            self.end(stopped);
        }
        Ok(())
    }
}

impl Channel {
    fn take(&mut self, line: &mut Line, segment: &Segment) -> Next {
        let stopped = match segment.tsh.segment_type {
            SegmentType::STATUS_DATA => self.status_data(line, segment)?,
            SegmentType::HEARTBEAT => self.heartbeat(line, segment),
            SegmentType::RESYNC_DATA => self.resync_data(line, segment)?,
            SegmentType::SECURITY_DATA => {
                let found = "SECURITY_DATA";
                return Err(PartnerError::new(STATE, StatusCode::SECURITY_FAILURE, "no security exit", found));
            }
            _ => return Err(PartnerError::segment(STATE, "an answer or a status of a receiver", segment)),
        };
        Ok(stopped.or_else(|| self.closing_flags(segment)))
    }

    /// CLOSE_CHANNEL and REQUEST_CLOSE, on whatever segment, once its content is dealt with.
    fn closing_flags(&mut self, segment: &Segment) -> Option<Stopped> {
        let flags = segment.tsh.flags1;
        if flags.contains(ControlFlags1::CLOSE_CHANNEL) {
            return Some(match &self.work {
                Work::Starting | Work::Telling | Work::Idle => orderly(None, "the partner ended the channel"),
                work => disorderly(None, format!("the partner ended the channel {}", describe(work))),
            });
        }
        if flags.contains(ControlFlags1::REQUEST_CLOSE) {
            self.stop.get_or_insert(StatusCode::USER_CLOSED);
            self.granted = true;
        }
        None
    }

    fn heartbeat(&mut self, line: &mut Line, segment: &Segment) -> Option<Stopped> {
        let flags = segment.tsh.flags1;
        if flags.contains(ControlFlags1::CONFIRM_REQUEST) {
            line.send(SegmentType::HEARTBEAT, ControlFlags1::empty(), Luwid::ZERO, Bytes::new());
            return None;
        }
        self.beat = false;
        match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Probing(batch) => {
                // It is there. The wish to end on the answer is honoured after this batch.
                self.put_in_doubt(line, batch);
            }
            Work::Confirming(batch)
                if self.asked_by(ConfirmRequestSegment::Heartbeat)
                    && segment.tsh.luwid == batch.luwid
                    && !flags.contains(ControlFlags1::ERROR) =>
            {
                self.confirmed(line, batch, flags);
            }
            work => self.work = work,
        }
        None
    }

    /// Whether our confirm requests stand alone in segments of this type; an answer of that type may then confirm.
    fn asked_by(&self, carrier: ConfirmRequestSegment) -> bool {
        let dialect = &self.definition.dialect;
        dialect.confirm_request == ConfirmRequest::Alone && dialect.confirm_request_segment == carrier
    }

    fn resync_data(&mut self, line: &mut Line, segment: &Segment) -> Next {
        match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Asking(question) => {
                self.work = Work::Asking(question);
                self.answered(line, segment)
            }
            Work::Confirming(batch) if self.asked_by(ConfirmRequestSegment::ResyncData) => {
                let flags = segment.tsh.flags1;
                let number = segment.reset().ok().map(|body| body.sequence);
                let agrees = number.is_none_or(|number| number == batch.sequence);
                if segment.tsh.luwid == batch.luwid && agrees && !flags.contains(ControlFlags1::ERROR) {
                    self.confirmed(line, batch, flags);
                    return Ok(None);
                }
                let named = segment.tsh.luwid;
                self.work = Work::Confirming(batch);
                let why = format!("the partner answers with LUWID {named}, number {number:?}");
                Ok(Some(disorderly(None, format!("{why} {}", describe(&self.work)))))
            }
            work => {
                self.work = work;
                Err(PartnerError::segment(STATE, "no RESYNC_DATA that was not asked for", segment))
            }
        }
    }

    /// An answer to our question about a batch, or about the last number.
    fn answered(&mut self, line: &mut Line, segment: &Segment) -> Next {
        let Work::Asking(question) = &self.work else { return Ok(None) };
        let Some(answer) = Answer::of(segment) else {
            return Err(PartnerError::segment(STATE, "an answer that can be read", segment));
        };
        let code = match &answer {
            Answer::Status { code, .. } => *code,
            Answer::Resync { .. } => None,
        };
        match question {
            Some(question) => match judge(question, &answer) {
                Verdict::Settled(how) => {
                    let question = *question;
                    if let Some(why) = self.incomplete(&question) {
                        return Ok(Some(disorderly(code, undecided(&why, how))));
                    }
                    self.dlq_used += u64::from(segment.tsh.flags1.contains(ControlFlags1::DLQ_USED));
                    self.settle(line, &question, how, false);
                    Ok(None)
                }
                Verdict::Doubtful(why) => {
                    let advice = "find out what the partner has, then RESOLVE CHANNEL (commit or backout)";
                    Ok(Some(disorderly(code, format!("{why}; {advice}"))))
                }
            },
            None if code.is_none_or(|code| code == StatusCode::OK) => {
                // Nothing is in doubt: should its number differ from ours, the first message shows it.
                self.reset(line);
                Ok(None)
            }
            None => Ok(Some(self.told(segment)?)),
        }
    }

    fn status_data(&mut self, line: &mut Line, segment: &Segment) -> Next {
        let flags = segment.tsh.flags1;
        let status = read(segment)?;
        let ok = status.is_ok() && !flags.contains(ControlFlags1::ERROR);
        match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Asking(question) => {
                self.work = Work::Asking(question);
                self.answered(line, segment)
            }
            Work::Starting if ok => {
                self.resync(line);
                Ok(None)
            }
            Work::Telling if ok => {
                self.work = Work::Idle;
                Ok(None)
            }
            Work::Confirming(batch) if ok => {
                let counts = self.definition.dialect.resync_number == ResyncNumber::Compared;
                match status.values.first().filter(|&&number| counts && number != batch.sequence) {
                    Some(number) => {
                        let last = batch.sequence;
                        self.work = Work::Confirming(batch);
                        let why = format!("the partner confirms number {number}, not {last},");
                        Ok(Some(disorderly(None, format!("{why} {}", describe(&self.work)))))
                    }
                    None => self.confirm_heard(line, batch, segment),
                }
            }
            Work::Confirming(batch) | Work::Open(batch) | Work::Probing(batch)
                if !ok && refuses_batch(&status) && self.names(segment.tsh.luwid, &batch) =>
            {
                Ok(self.batch_refused(line, batch, &status, flags))
            }
            work => {
                self.work = work;
                // An empty status that nothing here waits for says nothing.
                if ok { Ok(None) } else { Ok(Some(self.told(segment)?)) }
            }
        }
    }

    fn names(&self, luwid: Luwid, batch: &Batch) -> bool {
        luwid.is_zero() || luwid == batch.luwid
    }

    fn confirm_heard(&mut self, line: &mut Line, batch: Batch, segment: &Segment) -> Next {
        let luwid = segment.tsh.luwid;
        if luwid == batch.luwid {
            self.exact = true;
            self.confirmed(line, batch, segment.tsh.flags1);
            return Ok(None);
        }
        if luwid.is_zero() && self.takes_zero() {
            self.confirmed(line, batch, segment.tsh.flags1);
            return Ok(None);
        }
        self.work = Work::Confirming(batch);
        if luwid.is_zero() || luwid == self.record.luwid {
            // The batch before this one, confirmed twice, or no confirm at all.
            return Ok(None);
        }
        let why = format!("the partner confirms LUWID {luwid}, which it was not asked for,");
        Ok(Some(disorderly(None, format!("{why} {}", describe(&self.work)))))
    }

    /// A requester may open with an empty status that crosses with our first batch; and a partner that names LUWIDs names them.
    fn takes_zero(&self) -> bool {
        self.definition.dialect.confirm_luwid == ConfirmLuwid::EqualOrZero && self.origin == Origin::Ours && !self.exact
    }

    fn confirmed(&mut self, line: &mut Line, batch: Batch, flags: ControlFlags1) {
        line.counts.batches += 1;
        self.dlq_used += u64::from(flags.contains(ControlFlags1::DLQ_USED));
        self.confirm(line, batch.luwid, batch.sequence, batch.tokens);
        self.work = Work::Idle;
    }

    /// The partner has nothing of the batch, and says so.
    fn batch_refused(
        &mut self,
        line: &mut Line,
        batch: Batch,
        status: &Status,
        flags: ControlFlags1,
    ) -> Option<Stopped> {
        let code = status.code.unwrap_or(StatusCode::BATCH_FAILURE);
        let asked = batch.held.is_none();
        let why = format!("the partner refused a batch of {} messages: {status}", batch.tokens.len());
        self.refused += 1;
        self.active = line.now;
        self.careful += batch.tokens.len();
        line.out(Output::BatchRefused { code, tokens: batch.tokens });
        if let Some(next) = self.next.take() {
            self.stashed = Some(next);
        }
        self.work = Work::Idle;
        // A refusal in the middle of a batch leaves it open where the partner stands.
        (!asked || flags.contains(ControlFlags1::CLOSE_CHANNEL)).then(|| disorderly(Some(code), why))
    }

    /// The partner ends the channel, with a code.
    fn told(&self, segment: &Segment) -> Result<Stopped, PartnerError> {
        let status = read(segment)?;
        let idle = matches!(self.work, Work::Idle);
        let normal = matches!(status.code, Some(StatusCode::USER_CLOSED | StatusCode::TIMEOUT_EXPIRED));
        let mut why = format!("the partner ended the channel {}: {status}", describe(&self.work));
        if status.code == Some(StatusCode::MSG_SEQUENCE_ERROR) {
            let next = following(self.settled, self.agreed.seq_wrap);
            why.push_str(&format!(
                "; our next number is {next}; find out what is missing or double before RESET CHANNEL"
            ));
        }
        Ok(if idle && normal { orderly(status.code, why) } else { disorderly(status.code, why) })
    }
}

fn read(segment: &Segment) -> Result<Status, PartnerError> {
    segment.status().map_err(|error| PartnerError::malformed(STATE, StatusCode::PROTOCOL_LENGTH_ERROR, &error))
}

/// The partner's word, which is not acted on, and what an operator's would do.
fn undecided(why: &str, how: Resolution) -> String {
    let (says, resolve) = match how {
        Resolution::Commit => ("has it", "commit"),
        Resolution::Backout => ("has nothing of it", "backout"),
    };
    format!(
        "the partner says that it {says}, but {why}; it stays in doubt. Find out where the others are, then resolve the channel: commit takes \
         those that are there off their queues, backout sends them again; the partner's word is {resolve}"
    )
}

/// Codes that are about the batch, not about the channel (wire reference, channel flow 5: how a rejection is worded is U).
fn refuses_batch(status: &Status) -> bool {
    matches!(
        status.code,
        Some(
            StatusCode::CAN_NOT_STORE
                | StatusCode::BATCH_FAILURE
                | StatusCode::TARGET_Q_UNKNOWN
                | StatusCode::MESSAGE_LENGTH_ERROR
                | StatusCode::SEGMENT_NUMBER_ERROR
        )
    )
}

/// What the machine was at, in words that follow what happened.
pub(super) fn describe(work: &Work) -> String {
    match work {
        Work::Starting => "before it said that it is ready".to_owned(),
        Work::Asking(Some(question)) => {
            format!("before it said what became of LUWID {}, which stays in doubt", question.doubt.luwid)
        }
        Work::Asking(None) => "before it told its last number".to_owned(),
        Work::Telling => "before it took our reset".to_owned(),
        Work::Idle => "between batches".to_owned(),
        Work::Open(batch) | Work::Probing(batch) => {
            let left = batch.tokens.len() - usize::from(batch.held.is_some());
            format!("after {left} messages of LUWID {}, which is backed out", batch.luwid)
        }
        Work::Committing(_) => "during a step of the target".to_owned(),
        Work::Confirming(batch) => {
            let messages = batch.tokens.len();
            format!("before it confirmed LUWID {} ({messages} messages), which is in doubt", batch.luwid)
        }
    }
}
