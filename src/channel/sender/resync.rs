//! What a partner's answer says about a batch in doubt. A wrong "committed" loses messages, a wrong "backed out" doubles
//! them; so whatever is not plainly one of the two is neither.

use super::Resolution;
use crate::channel::dialect::{ResyncBody, ResyncNumber};
use crate::channel::sequence::following;
use crate::channel::{InDoubt, SendRecord};
use crate::wire::{ControlFlags1, Luwid, Segment, SegmentType, StatusCode};

/// What the partner was asked, and what bears on its answer.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The batch in doubt.
    pub doubt: InDoubt,
    /// LUWID of the last batch that the partner confirmed; zero before the first.
    pub last: Luwid,
    /// Number of its last message; 0 before the first.
    pub last_number: i32,
    /// SEQWRAP.
    pub wrap: i32,
    /// Whether a number in the answer counts.
    pub number: ResyncNumber,
    /// Whether the partner's bodies hold the LUWID, too.
    pub body: ResyncBody,
}

impl Question {
    /// The question that a record leads to; none if nothing is in doubt.
    pub fn of(record: &SendRecord, wrap: i32, number: ResyncNumber, body: ResyncBody) -> Option<Self> {
        let doubt = record.in_doubt?;
        Some(Self { doubt, last: record.luwid, last_number: record.sequence, wrap, number, body })
    }
}

/// The parts of an answer that are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// RESYNC_DATA.
    Resync {
        /// LUWID of its TSH.
        luwid: Luwid,
        /// Number of its body, if it has one.
        number: Option<i32>,
        /// A LUWID behind that number, if there is one.
        in_body: Option<Luwid>,
        /// ERROR is set.
        error: bool,
    },
    /// STATUS_DATA.
    Status {
        /// LUWID of its TSH.
        luwid: Luwid,
        /// Its code; none without body.
        code: Option<StatusCode>,
        /// The integer behind the code.
        value: Option<i32>,
        /// ERROR is set.
        error: bool,
    },
}

impl Answer {
    /// Reads a segment as an answer; none if it cannot be one. A body of unknown shape has no number.
    pub fn of(segment: &Segment) -> Option<Self> {
        let luwid = segment.tsh.luwid;
        let error = segment.tsh.flags1.contains(ControlFlags1::ERROR);
        match segment.tsh.segment_type {
            SegmentType::RESYNC_DATA => {
                let body = segment.reset().ok();
                let in_body = body.as_ref().and_then(|body| body.rest.first_chunk::<8>()).map(|bytes| Luwid(*bytes));
                Some(Self::Resync { luwid, number: body.map(|body| body.sequence), in_body, error })
            }
            SegmentType::STATUS_DATA => {
                let status = segment.status().ok()?;
                Some(Self::Status { luwid, code: status.code, value: status.values.first().copied(), error })
            }
            _ => None,
        }
    }
}

/// What an answer decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is plain what became of the batch.
    Settled(Resolution),
    /// It is not; the text says why, for the operator.
    Doubtful(String),
}

/// Judges an answer (wire reference, channel flow 3): agreement is an answer without ERROR whose LUWID is exactly the one
/// in doubt; disagreement one that names the batch before it, or STATUS 4. A zero LUWID names nothing, but for a
/// partner that says in RESYNC_DATA that its last number is 0 while nothing was ever confirmed to us.
pub fn judge(question: &Question, answer: &Answer) -> Verdict {
    let doubt = question.doubt.luwid;
    let doubtful = |what: String| {
        let InDoubt { luwid, sequence, messages } = question.doubt;
        Verdict::Doubtful(format!(
            "LUWID {luwid} ({messages} messages up to {sequence}) stays in doubt: the partner {what}; our last LUWID is {}, number {}",
            question.last, question.last_number
        ))
    };
    let counts = question.number == ResyncNumber::Compared;
    match *answer {
        Answer::Resync { luwid, number, in_body, error } => {
            let speaks_in_body = question.body == ResyncBody::NumberAndLuwid;
            let named = match in_body {
                Some(inner) if speaks_in_body && !luwid.is_zero() && inner != luwid => {
                    return doubtful(format!("names two LUWIDs, {luwid} and {inner}"));
                }
                Some(inner) if speaks_in_body => inner,
                _ => luwid,
            };
            let agrees_with = |last: i32| !counts || number.is_none_or(|number| number == last);
            let before = !named.is_zero() && named == question.last && agrees_with(question.last_number);
            let never = question.last.is_zero() && question.last_number == 0;
            let nothing_yet = never && named.is_zero() && number == Some(0);
            let told = number.map_or_else(|| "no number".to_owned(), |number| format!("number {number}"));
            if named == doubt && !error && agrees_with(question.doubt.sequence) {
                Verdict::Settled(Resolution::Commit)
            } else if named == doubt {
                let flag = if error { ", with ERROR" } else { "" };
                doubtful(format!("names it with {told}{flag}"))
            } else if before || nothing_yet {
                Verdict::Settled(Resolution::Backout)
            } else {
                doubtful(format!("names LUWID {named} with {told}"))
            }
        }
        Answer::Status { luwid, code: Some(StatusCode::MSG_SEQUENCE_ERROR), value, .. } => {
            let next = following(question.last_number, question.wrap);
            let told = value.map_or_else(String::new, |value| format!(" {value}"));
            if luwid == doubt {
                doubtful(format!("names it, with STATUS 4{told}"))
            } else if !luwid.is_zero() && luwid != question.last {
                doubtful(format!("says STATUS 4{told} with LUWID {luwid}"))
            } else if counts && value.is_some_and(|value| value != question.last_number && value != next) {
                doubtful(format!("says STATUS 4{told}"))
            } else {
                Verdict::Settled(Resolution::Backout)
            }
        }
        Answer::Status { luwid, code, value, error } => {
            let ok = code.is_none_or(|code| code == StatusCode::OK) && !error;
            let agrees_with = |last: i32| !counts || value.is_none_or(|value| value == last);
            if ok && luwid == doubt && agrees_with(question.doubt.sequence) {
                Verdict::Settled(Resolution::Commit)
            } else if ok && !luwid.is_zero() && luwid == question.last && agrees_with(question.last_number) {
                Verdict::Settled(Resolution::Backout)
            } else {
                let code = code.unwrap_or(StatusCode::OK);
                let flag = if error { ", ERROR" } else { "" };
                let told = value.map_or_else(String::new, |value| format!(", number {value},"));
                doubtful(format!("answers {code}{flag}{told} with LUWID {luwid}"))
            }
        }
    }
}
