//! What is said to a request: the confirmation of a batch, the answer to a question about one, and what is neither.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::instance::{Instance, Next, Unit};
use super::journal::Record;
use super::options::{ConfirmAnswer, Lie, Receiving, ResyncAnswer};
use crate::partner::PartnerError;
use crate::partner::batch::following;
use crate::partner::death::Step;
use crate::partner::speech::ResyncBody;
use crate::wire::{ControlFlags1, Luwid, Reset, Segment, SegmentType, Status, StatusCode};

/// An answer before it is a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    segment_type: SegmentType,
    flags: ControlFlags1,
    luwid: Luwid,
    said: Said,
}

/// What it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Code(StatusCode, Option<i32>),
    Number(i32),
    NumberLuwid(i32, Luwid),
    Raw(&'static [u8]),
}

impl Answer {
    fn empty(segment_type: SegmentType, luwid: Luwid) -> Self {
        Self { segment_type, flags: ControlFlags1::empty(), luwid, said: Said::Nothing }
    }

    fn segment(&self, options: &Receiving) -> Segment {
        let order = options.speech.byte_order;
        let body = match &self.said {
            Said::Nothing => Bytes::new(),
            Said::Code(code, value) => {
                Status { values: value.iter().copied().collect(), ..Status::new(*code) }.encode(order)
            }
            Said::Number(number) => Reset::new(*number).encode(order),
            Said::NumberLuwid(number, luwid) => {
                Reset { sequence: *number, rest: Bytes::copy_from_slice(&luwid.0) }.encode(order)
            }
            Said::Raw(bytes) => Bytes::from_static(bytes),
        };
        options.segment(self.segment_type, self.flags, self.luwid, body)
    }

    /// The same as a lie; none for silence.
    fn lied(self, lie: Lie, about: &About) -> Option<Self> {
        let named = |luwid: Luwid| {
            let said = match &self.said {
                Said::NumberLuwid(number, _) => Said::NumberLuwid(*number, luwid),
                said => said.clone(),
            };
            let in_body = matches!(said, Said::NumberLuwid(..)) && self.luwid.is_zero();
            Self { said, luwid: if in_body { Luwid::ZERO } else { luwid }, ..self.clone() }
        };
        let status = |code: StatusCode, value: Option<i32>| Self {
            segment_type: SegmentType::STATUS_DATA,
            flags: self.flags | ControlFlags1::ERROR,
            said: Said::Code(code, value),
            luwid: self.luwid,
        };
        Some(match lie {
            Lie::WrongLuwid => named(Luwid([0xEE; 8])),
            Lie::ZeroLuwid => named(Luwid::ZERO),
            Lie::OldLuwid => named(about.before),
            Lie::AskedLuwid => named(about.asked),
            Lie::WrongNumber => {
                let number = about.last.saturating_add(7);
                let said = match self.said {
                    Said::NumberLuwid(_, luwid) => Said::NumberLuwid(number, luwid),
                    Said::Number(_) => Said::Number(number),
                    Said::Nothing if self.segment_type == SegmentType::RESYNC_DATA => Said::Number(number),
                    _ => Said::Code(StatusCode::OK, Some(number)),
                };
                Self { said, ..self }
            }
            Lie::SequenceError => status(StatusCode::MSG_SEQUENCE_ERROR, Some(about.expected)),
            Lie::Refusal(code) => status(code, None),
            Lie::ErrorFlag => Self { flags: self.flags | ControlFlags1::ERROR, ..self },
            Lie::OtherType => Self { segment_type: SegmentType::PING_DATA, said: Said::Raw(&[0; 4]), ..self },
            Lie::BadBody => Self { segment_type: SegmentType::STATUS_DATA, said: Said::Raw(&[0; 3]), ..self },
            Lie::Silence | Lie::Close => return None,
        })
    }
}

/// What lies are made of.
struct About {
    asked: Luwid,
    before: Luwid,
    last: i32,
    expected: i32,
}

impl<S: AsyncRead + AsyncWrite> Instance<'_, S> {
    /// A segment that carries CONFIRM_REQUEST: the table of the wire reference, channel flow 5.
    pub(super) async fn asked(&mut self, segment: &Segment) -> Result<Next, PartnerError> {
        let kind = segment.tsh.segment_type;
        let asked = named(segment);
        match self.unit.as_ref().map(|unit| unit.luwid) {
            Some(open) if open == asked || (asked.is_zero() && kind != SegmentType::HEARTBEAT) => {
                self.confirm(segment).await
            }
            // With another LUWID than the open one it is only a heartbeat (channel flow 10).
            _ if kind == SegmentType::HEARTBEAT => self.beat().await,
            Some(open) => {
                let status = Status::new(StatusCode::PROTOCOL_GENERAL);
                self.say(&self.options.refusal(&status, asked)).await?;
                Err(PartnerError::Protocol(format!("{asked} was to be confirmed when {open} was open")))
            }
            None if asked.is_zero() && kind != SegmentType::RESYNC_DATA => {
                self.answer_plainly(SegmentType::STATUS_DATA, Luwid::ZERO, Bytes::new()).await?;
                Ok(Next::GoOn)
            }
            None => self.resync(asked).await,
        }
    }

    async fn beat(&mut self) -> Result<Next, PartnerError> {
        self.shared.tally().heartbeats += 1;
        let habits = &self.options.habits;
        if habits.answers_heartbeats {
            let mut answer = Answer::empty(SegmentType::HEARTBEAT, Luwid::ZERO);
            let closes = habits.close_in_heartbeat || self.shared.is_stopping();
            answer.flags.set(ControlFlags1::REQUEST_CLOSE, closes);
            self.say(&answer.segment(self.options)).await?;
        }
        Ok(Next::GoOn)
    }

    /// Commits the open unit and says so; or rejects it.
    async fn confirm(&mut self, request: &Segment) -> Result<Next, PartnerError> {
        self.shared.die(Step::ConfirmRequestRead)?;
        let Some(Unit { luwid, messages, sequence }) = self.unit.take() else { return Ok(Next::GoOn) };
        let habits = &self.options.habits;
        let number = self.shared.next_request();
        let told = habits.rejects.is_some_and(|(first, count)| number >= first && number - first < count);
        let dead = messages.iter().filter(|message| message.dead.is_some()).count() as u64;
        if told || (dead > 0 && !self.options.dead_letter_queue) {
            return self.reject(luwid).await;
        }
        let kept = self.remembered();
        let count = messages.len() as u64;
        let lie = habits.confirm_lie.filter(|_| self.shared.may_lie());
        if lie.is_none() || habits.commits_when_lying {
            let record = Record { id: self.claim.id.clone(), sequence, luwid, messages };
            if self.shared.dies_at(Step::MidCommit) {
                self.shared.journal().half_a_commit(&record)?;
            }
            self.shared.die(Step::MidCommit)?;
            self.commit(&record)?;
            self.batches += 1;
            let mut tally = self.shared.tally();
            tally.messages += count;
            tally.dead_letters += dead;
            tally.batches += 1;
        }
        self.shared.die(Step::CommittedNotConfirmed)?;
        let mut answer = confirmation(habits.confirm, request.tsh.segment_type, luwid, sequence);
        if habits.confirm_without_luwid {
            answer.luwid = Luwid::ZERO;
        }
        let closes = habits.close_after == Some(self.batches) || self.shared.is_stopping();
        answer.flags.set(ControlFlags1::REQUEST_CLOSE, closes);
        answer.flags.set(ControlFlags1::REQUEST_ACCEPTED, habits.request_accepted);
        answer.flags.set(ControlFlags1::DLQ_USED, dead > 0 || habits.always_dlq_used);
        let expected = following(sequence, self.options.seqwrap);
        let about = About { asked: luwid, before: kept.luwid, last: sequence, expected };
        let Some(answer) = told_as(answer, lie, &about) else { return Ok(unsaid(lie)) };
        let segment = answer.segment(self.options);
        if self.shared.dies_at(Step::ConfirmHalfSent) {
            self.conversation.send_half(&segment);
            self.conversation.flush().await?;
        }
        self.shared.die(Step::ConfirmHalfSent)?;
        self.say(&segment).await?;
        self.shared.die(Step::ConfirmSent)?;
        Ok(Next::GoOn)
    }

    /// The batch is rolled back, and the partner told.
    async fn reject(&mut self, luwid: Luwid) -> Result<Next, PartnerError> {
        self.shared.tally().rejected += 1;
        let rejection = self.options.habits.rejection;
        let status = Status::new(rejection.code);
        if rejection.closes {
            self.say(&self.options.refusal(&status, luwid)).await?;
            return Ok(Next::End);
        }
        let mut answer = Answer::empty(SegmentType::STATUS_DATA, luwid);
        answer.flags = ControlFlags1::ERROR;
        answer.said = Said::Code(rejection.code, None);
        self.say(&answer.segment(self.options)).await?;
        Ok(Next::GoOn)
    }

    /// A question about a batch that is not open: our own last LUWID and number decide.
    async fn resync(&mut self, asked: Luwid) -> Result<Next, PartnerError> {
        self.shared.die(Step::ResyncAsked)?;
        let habits = &self.options.habits;
        let kept = self.remembered();
        let same = asked == kept.luwid;
        {
            let mut tally = self.shared.tally();
            tally.resync_same += u64::from(same);
            tally.resync_other += u64::from(!same);
        }
        let expected = following(kept.sequence, self.options.seqwrap);
        let status = SegmentType::STATUS_DATA;
        let answer = match (habits.resync, habits.resync_body) {
            (ResyncAnswer::Resync, body) => {
                let answer = Answer::empty(SegmentType::RESYNC_DATA, kept.luwid);
                match body {
                    ResyncBody::Number => Answer { said: Said::Number(kept.sequence), ..answer },
                    ResyncBody::NumberLuwid => Answer { said: Said::NumberLuwid(kept.sequence, kept.luwid), ..answer },
                    ResyncBody::LuwidInBody => {
                        let said = Said::NumberLuwid(kept.sequence, kept.luwid);
                        Answer { said, luwid: Luwid::ZERO, ..answer }
                    }
                    ResyncBody::Empty => answer,
                }
            }
            (ResyncAnswer::StatusLuwid, _) => {
                Answer { said: Said::Code(StatusCode::OK, Some(kept.sequence)), ..Answer::empty(status, kept.luwid) }
            }
            (ResyncAnswer::Status, _) if same => Answer::empty(status, asked),
            (ResyncAnswer::Status, _) => Answer {
                flags: ControlFlags1::ERROR,
                said: Said::Code(StatusCode::MSG_SEQUENCE_ERROR, habits.names_expected.then_some(expected)),
                ..Answer::empty(status, kept.luwid)
            },
        };
        let lie = habits.resync_lie.filter(|_| !asked.is_zero() && self.shared.may_lie());
        let about = About { asked, before: kept.before, last: kept.sequence, expected };
        let Some(answer) = told_as(answer, lie, &about) else { return Ok(unsaid(lie)) };
        self.say(&answer.segment(self.options)).await?;
        self.shared.die(Step::ResyncAnswered)?;
        Ok(if !same && habits.closes_after_mismatch { Next::End } else { Next::GoOn })
    }
}

/// The LUWID that a request names: in its header, or behind the number in its body.
fn named(segment: &Segment) -> Luwid {
    let tsh = &segment.tsh;
    if tsh.luwid.is_zero() && tsh.segment_type == SegmentType::RESYNC_DATA {
        let in_body = segment.reset().ok().and_then(|reset| <[u8; 8]>::try_from(reset.rest.as_ref()).ok());
        return in_body.map_or(Luwid::ZERO, Luwid);
    }
    tsh.luwid
}

fn confirmation(how: ConfirmAnswer, request: SegmentType, luwid: Luwid, number: i32) -> Answer {
    let status = Answer::empty(SegmentType::STATUS_DATA, luwid);
    match (how, request) {
        (_, SegmentType::HEARTBEAT) | (ConfirmAnswer::Heartbeat, _) => Answer::empty(SegmentType::HEARTBEAT, luwid),
        (ConfirmAnswer::StatusCode, _) => Answer { said: Said::Code(StatusCode::OK, None), ..status },
        (ConfirmAnswer::StatusNumber, _) => Answer { said: Said::Code(StatusCode::OK, Some(number)), ..status },
        (ConfirmAnswer::SameType, SegmentType::RESYNC_DATA) => {
            Answer { said: Said::Number(number), ..Answer::empty(SegmentType::RESYNC_DATA, luwid) }
        }
        (ConfirmAnswer::Status | ConfirmAnswer::SameType, _) => status,
    }
}

fn told_as(answer: Answer, lie: Option<Lie>, about: &About) -> Option<Answer> {
    match lie {
        Some(lie) => answer.lied(lie, about),
        None => Some(answer),
    }
}

/// After nothing was said.
fn unsaid(lie: Option<Lie>) -> Next {
    if lie == Some(Lie::Close) { Next::End } else { Next::GoOn }
}
