//! Segments joined to messages, and every rule that a segment of a message can break.

use bytes::{Bytes, BytesMut};

use crate::partner::speech::DataLength;
use crate::partner::transmission::{Form, HEADER_LENGTH};
use crate::partner::{Agreed, Speech};
use crate::wire::{ControlFlags1, Luwid, Msh, Segment, StatusCode};

/// Why a segment cannot be taken, as the partner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: StatusCode,
    /// A third integer of the status.
    pub(super) value: Option<i32>,
    pub(super) why: String,
}

impl Fault {
    pub(super) fn new(code: StatusCode, why: impl Into<String>) -> Self {
        Self { code, value: None, why: why.into() }
    }
}

/// A message with all its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) number: i32,
    pub(super) luwid: Luwid,
    pub(super) form: Form,
    pub(super) bytes: Bytes,
    pub(super) segments: usize,
}

/// What segments are held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) agreed: &'a Agreed,
    /// Where there is one: MSHs must be as this speech writes them.
    pub(super) strict: Option<&'a Speech>,
}

/// A message that has begun.
#[derive(Debug)]
struct Begun {
    number: i32,
    luwid: Luwid,
    form: Form,
    total: usize,
    parts: Vec<Bytes>,
    length: usize,
}

/// Joins the segments of one message after the other.
#[derive(Debug, Default)]
pub(super) struct Intake(Option<Begun>);

impl Intake {
    /// Whether a message has begun and is not whole.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a MESSAGE_DATA; gives the message if that was its last segment.
    pub(super) fn take(&mut self, segment: &Segment, rules: Rules<'_>) -> Result<Option<Whole>, Fault> {
        let flags = segment.tsh.flags1;
        let last = flags.contains(ControlFlags1::LAST);
        let part = match (&mut self.0, flags.contains(ControlFlags1::FIRST)) {
            (None, true) => {
                let (begun, part) = begin(segment, rules, last)?;
                self.0 = Some(begun);
                part
            }
            (Some(begun), false) => begun.later(segment, rules)?,
            (Some(begun), true) => {
                let why = format!("a message begins within message {}", begun.number);
                return Err(Fault::new(StatusCode::PROTOCOL_SEGMENT_ERROR, why));
            }
            (None, false) => {
                let why = "a later segment came of a message that has not begun";
                return Err(Fault::new(StatusCode::PROTOCOL_SEGMENT_ERROR, why));
            }
        };
        let Some(begun) = &mut self.0 else { return Ok(None) };
        begun.length += part.len();
        begun.parts.push(part);
        if begun.length > begun.total || (last && begun.length != begun.total) {
            let (number, length, total) = (begun.number, begun.length, begun.total);
            let why = format!("message {number} has {length} bytes, its MSH says {total}");
            return Err(Fault::new(StatusCode::MESSAGE_LENGTH_ERROR, why));
        }
        Ok(if last { self.0.take().map(Begun::whole) } else { None })
    }
}

fn begin(segment: &Segment, rules: Rules<'_>, last: bool) -> Result<(Begun, Bytes), Fault> {
    let (msh, part) = segment.msh().map_err(|error| Fault::new(StatusCode::PROTOCOL_MSH_ERROR, error.to_string()))?;
    let total = usize::try_from(msh.message_length).unwrap_or(0);
    let most = usize::try_from(rules.agreed.max_msg_size).unwrap_or(0);
    if total.saturating_sub(HEADER_LENGTH) > most {
        let why = format!("message {} has {total} bytes, agreed are {most} of data", msh.sequence);
        return Err(Fault::new(StatusCode::MESSAGE_LENGTH_ERROR, why));
    }
    if segment.tsh.luwid.is_zero() {
        let why = format!("message {} has no LUWID", msh.sequence);
        return Err(Fault::new(StatusCode::PROTOCOL_INVALID_DATA, why));
    }
    if let Some(speech) = rules.strict {
        if !last && !rules.agreed.split {
            let why = format!("message {} is split, which was not agreed", msh.sequence);
            return Err(Fault::new(StatusCode::PROTOCOL_SEGMENT_ERROR, why));
        }
        let number = if last { speech.unsplit_segment_number } else { speech.first_segment_number };
        expect(&msh, rules.agreed, speech, (number, 0, part.len()))?;
    }
    let begun = Begun {
        number: msh.sequence,
        luwid: segment.tsh.luwid,
        form: (segment.tsh.byte_order, segment.tsh.alphabet),
        total,
        parts: Vec::new(),
        length: 0,
    };
    Ok((begun, part))
}

impl Begun {
    /// The bytes of a later segment, without its MSH if it has one.
    fn later(&self, segment: &Segment, rules: Rules<'_>) -> Result<Bytes, Fault> {
        let named = segment.tsh.luwid;
        let zero = named.is_zero() && rules.strict.is_none_or(|speech| !speech.luwid_in_continuations);
        if named != self.luwid && !zero {
            let why = format!("a segment of {named} came within message {} of {}", self.number, self.luwid);
            return Err(Fault::new(StatusCode::PROTOCOL_GENERAL, why));
        }
        let msh = if Msh::looks_like(&segment.body) { segment.msh().ok() } else { None };
        let Some(speech) = rules.strict else {
            // With an MSH or without: it is one if it is this message's (wire reference, channel flow 4).
            return Ok(match msh {
                Some((msh, part)) if msh.sequence == self.number && self.fits(&msh, &part) => part,
                _ => segment.body.clone(),
            });
        };
        match msh {
            _ if !speech.continuation_msh => Ok(segment.body.clone()),
            Some((msh, part)) if msh.sequence == self.number => {
                let counted = if speech.counts_segments { i32::try_from(self.parts.len()).unwrap_or(0) } else { 0 };
                let number = speech.first_segment_number + counted;
                expect(&msh, rules.agreed, speech, (number, self.length, part.len()))?;
                let total = if speech.total_in_continuations { self.total } else { 0 };
                if usize::try_from(msh.message_length) != Ok(total) {
                    let why = format!("MsgLength is {} in a later segment, {total} before", msh.message_length);
                    return Err(Fault::new(StatusCode::MESSAGE_LENGTH_ERROR, why));
                }
                Ok(part)
            }
            _ => {
                let why = format!("a later segment of message {} has no MSH of it", self.number);
                Err(Fault::new(StatusCode::PROTOCOL_MSH_ERROR, why))
            }
        }
    }

    fn fits(&self, msh: &Msh, part: &Bytes) -> bool {
        let is = |value: i32, bytes: usize| usize::try_from(value) == Ok(bytes);
        // A total of zero is one of the options for later segments, an offset another.
        is(msh.message_length, self.total)
            || is(msh.data_length, part.len())
            || (msh.message_length == 0 && (is(msh.data_length, self.length) || msh.data_length > 0))
    }

    fn whole(self) -> Whole {
        let segments = self.parts.len();
        let mut parts = self.parts.into_iter();
        let first = parts.next().unwrap_or_default();
        let bytes = if segments == 1 {
            first
        } else {
            let mut joined = BytesMut::with_capacity(self.length);
            joined.extend_from_slice(&first);
            parts.for_each(|part| joined.extend_from_slice(&part));
            joined.freeze()
        };
        Whole { number: self.number, luwid: self.luwid, form: self.form, bytes, segments }
    }
}

/// Offsets 8 and 12 of an MSH as a strict receiver wants them: segment number, offset of the part, its length.
fn expect(
    msh: &Msh,
    agreed: &Agreed,
    speech: &Speech,
    (number, offset, length): (i32, usize, usize),
) -> Result<(), Fault> {
    let whole = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
    let wanted = match speech.data_length {
        DataLength::InSegment => whole(length),
        DataLength::BufferSize => agreed.max_transmission_size,
        DataLength::Offset => whole(offset),
    };
    if msh.data_length != wanted {
        let why = format!("offset 8 of the MSH of message {} is {}, not {wanted}", msh.sequence, msh.data_length);
        return Err(Fault::new(StatusCode::PROTOCOL_MSH_ERROR, why));
    }
    if msh.segment_number != number {
        let why = format!("segment number of message {} is {}, not {number}", msh.sequence, msh.segment_number);
        return Err(Fault::new(StatusCode::SEGMENT_NUMBER_ERROR, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::testing::example;

    fn agreed() -> Agreed {
        Agreed {
            fap_level: 10,
            max_transmission_size: 748,
            max_msg_size: 4_194_304,
            batchsz: 50,
            heartbeat_interval: 300,
            split: true,
            fast_messages: false,
            partner: "GW".to_owned(),
        }
    }

    /// Frames 21 to 23 of the wire examples: one message whose second segment has an MSH, or has none.
    #[test]
    fn joins_the_split_message_of_the_wire_examples_either_way() {
        let first = example(21);
        let mut whole = Vec::new();
        for last in [example(22), example(23)] {
            let agreed = agreed();
            let rules = Rules { agreed: &agreed, strict: None };
            let mut intake = Intake::default();
            assert_eq!(intake.take(&first, rules), Ok(None));
            assert!(intake.is_open());
            whole.push(intake.take(&last, rules).unwrap().unwrap());
        }
        assert_eq!(whole.first(), whole.last());
        let (msh, part) = first.msh().unwrap();
        let message = whole.first().unwrap();
        assert_eq!((message.number, message.segments), (msh.sequence, 2));
        assert_eq!(message.bytes.len(), usize::try_from(msh.message_length).unwrap());
        assert_eq!(message.bytes, [&part[..], &example(23).body].concat());
    }

    #[test]
    fn a_later_segment_that_only_begins_like_an_msh_is_data() {
        let agreed = agreed();
        let rules = Rules { agreed: &agreed, strict: None };
        let (first, last) = (example(21), example(23));
        let mut body = last.body.to_vec();
        let other = Msh { sequence: 1_000_000, data_length: 1, segment_number: 0, message_length: 5 };
        let eye = other.encode(first.tsh.byte_order, first.tsh.alphabet);
        body.iter_mut().zip(eye).for_each(|(to, from)| *to = from);
        let mut intake = Intake::default();
        intake.take(&first, rules).unwrap();
        let message = intake.take(&Segment::new(last.tsh, body.clone().into()), rules).unwrap().unwrap();
        assert!(message.bytes.ends_with(&body));
    }
}
