//! One message out of its segments.

use bytes::{Bytes, BytesMut};

use super::dialect::{Dialect, MshRecognition, TrailingPadding};
use super::record::MessageName;
use super::{MessageFrame, PartnerError};
use crate::wire::{ByteOrder, ControlFlags1, ControlFlags2, Luwid, Msh, Segment, StatusCode};

const STATE: &str = "receiving a message";
/// Shorter parts are copied together: a slice keeps its whole read buffer alive, so many small ones would hold far more
/// memory than the message has bytes.
const SMALL_PART: usize = 1024;
/// A message of this length or more is copied together as it comes: its read buffers are used again and again then,
/// where slices would scatter it over so many that the process keeps their memory long after they are free.
const LARGE: usize = 256 * 1024;
/// Where MQMD begins behind MQXQH, and where its fields are (wire reference, headers, D).
const MD: usize = 104;
const MD_PERSISTENCE: usize = MD + 44;
const MD_MSG_ID: usize = MD + 48;

/// A message of which the first segment came and the last did not.
#[derive(Debug)]
pub(crate) struct Assembly {
    sequence: i32,
    length: usize,
    /// MSH offset 8 of the first segment.
    first_data_length: i32,
    collected: usize,
    parts: Vec<Part>,
    byte_order: ByteOrder,
    alphabet: crate::wire::Alphabet,
    ccsid: u16,
    luwid: Luwid,
}

#[derive(Debug)]
enum Part {
    Slice(Bytes),
    Copy(BytesMut),
}

/// A whole message, with what the machine itself must know of it.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) name: MessageName,
    /// MQMD says so; false too where there is no MQMD to read.
    pub(crate) non_persistent: bool,
    pub(crate) frame: MessageFrame,
}

impl Assembly {
    /// Begins a message with its first segment; `most` is the largest message in bytes, its headers included.
    ///
    /// # Errors
    /// When the segment is no first one, is compressed, has no MSH, or announces a length outside 1 to `most`.
    pub(crate) fn begin(segment: &Segment, most: usize, dialect: &Dialect) -> Result<Self, PartnerError> {
        let tsh = &segment.tsh;
        plain(segment)?;
        if !tsh.flags1.contains(ControlFlags1::FIRST) {
            let found = "MESSAGE_DATA without the flag FIRST (0x10)";
            return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_SEGMENT_ERROR, "a first segment", found));
        }
        let (msh, data) =
            segment.msh().map_err(|error| PartnerError::malformed(STATE, StatusCode::PROTOCOL_MSH_ERROR, &error))?;
        let length = usize::try_from(msh.message_length).ok().filter(|length| (1..=most).contains(length));
        let Some(length) = length else {
            let expected = format!("1 to {most} bytes of message in MSH.MsgLength, headers included");
            let found = format!("{} (message {})", msh.message_length, msh.sequence);
            return Err(PartnerError::new(STATE, StatusCode::MESSAGE_LENGTH_ERROR, expected, found));
        };
        let mut message = Self {
            sequence: msh.sequence,
            length,
            first_data_length: msh.data_length,
            collected: 0,
            parts: Vec::new(),
            byte_order: tsh.byte_order,
            alphabet: tsh.alphabet,
            ccsid: tsh.ccsid,
            luwid: tsh.luwid,
        };
        message.push(data, tsh.flags1.contains(ControlFlags1::LAST), dialect)?;
        Ok(message)
    }

    /// Adds a further segment.
    ///
    /// # Errors
    /// When it is a first one, is of another batch or message, or there are more bytes than were announced.
    pub(crate) fn go_on(&mut self, segment: &Segment, dialect: &Dialect) -> Result<(), PartnerError> {
        let tsh = &segment.tsh;
        plain(segment)?;
        if tsh.flags1.contains(ControlFlags1::FIRST) {
            let expected = format!("the rest of message {}, {} bytes", self.sequence, self.length - self.collected);
            let found = "MESSAGE_DATA with the flag FIRST (0x10)";
            return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_SEGMENT_ERROR, expected, found));
        }
        if tsh.luwid != self.luwid && !tsh.luwid.is_zero() {
            let expected = format!("LUWID {}", self.luwid);
            return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_GENERAL, expected, tsh.luwid.to_string()));
        }
        let data = self.without_msh(segment, dialect)?;
        if data.is_empty() && !tsh.flags1.contains(ControlFlags1::LAST) {
            // Such segments could come for ever.
            let expected =
                format!("some of the {} bytes left of message {}", self.length - self.collected, self.sequence);
            return Err(PartnerError::new(STATE, StatusCode::MESSAGE_LENGTH_ERROR, expected, "none"));
        }
        self.push(data, tsh.flags1.contains(ControlFlags1::LAST), dialect)
    }

    /// Strips an MSH from a continuation if there is one: eye-catcher, number and a length must fit
    /// (wire reference, channel flow 4, tolerant receiver).
    fn without_msh(&self, segment: &Segment, dialect: &Dialect) -> Result<Bytes, PartnerError> {
        let body = &segment.body;
        if dialect.msh_recognition == MshRecognition::Never
            || (dialect.msh_recognition == MshRecognition::Detect && !Msh::looks_like(body))
        {
            return Ok(body.clone());
        }
        let (msh, data) =
            segment.msh().map_err(|error| PartnerError::malformed(STATE, StatusCode::PROTOCOL_MSH_ERROR, &error))?;
        let is = |value: i32, length: usize| usize::try_from(value) == Ok(length);
        let total = is(msh.message_length, self.length);
        let here = is(msh.data_length, data.len());
        // Where offset 16 tells nothing, offset 8 may be one of the others: an offset, or a size that is the same in all
        // segments. A wrong guess is never silent: then the message has 20 bytes too few or too many at its end.
        let other = msh.message_length == 0
            && (is(msh.data_length, self.collected) || msh.data_length == self.first_data_length);
        let lengths_fit = total || here || other;
        if msh.sequence == self.sequence && (lengths_fit || dialect.msh_recognition == MshRecognition::Always) {
            return Ok(data);
        }
        if lengths_fit || dialect.msh_recognition == MshRecognition::Always {
            let expected = format!("an MSH of message {}", self.sequence);
            let found = format!("an MSH of message {}", msh.sequence);
            return Err(PartnerError::new(STATE, StatusCode::SEGMENT_NUMBER_ERROR, expected, found));
        }
        Ok(body.clone())
    }

    fn push(&mut self, mut data: Bytes, last: bool, dialect: &Dialect) -> Result<(), PartnerError> {
        let room = self.length - self.collected;
        if last
            && dialect.trailing_padding == TrailingPadding::Drop
            && (1..4).contains(&data.len().saturating_sub(room))
        {
            data.truncate(room);
        }
        if data.len() > room || (last && data.len() < room) {
            let expected = format!("{} bytes of message {}, as its MSH announces", self.length, self.sequence);
            let sofar = self.collected + data.len();
            let found = if last { format!("{sofar}") } else { format!("{sofar} and more") };
            return Err(PartnerError::new(STATE, StatusCode::MESSAGE_LENGTH_ERROR, expected, found));
        }
        self.collected += data.len();
        if data.is_empty() {
            return Ok(());
        }
        let large = self.length >= LARGE;
        if !large && (data.len() >= SMALL_PART || self.parts.is_empty()) {
            self.parts.push(Part::Slice(data));
        } else if let Some(Part::Copy(copy)) = self.parts.last_mut() {
            copy.extend_from_slice(&data);
        } else {
            // Never by the announced length: memory is for what has come.
            let mut copy = BytesMut::with_capacity(if large { LARGE } else { data.len() });
            copy.extend_from_slice(&data);
            self.parts.push(Part::Copy(copy));
        }
        Ok(())
    }

    /// Places the message in a batch: its own LUWID may be zero.
    pub(crate) fn set_luwid(&mut self, luwid: Luwid) {
        self.luwid = luwid;
    }

    /// Bytes announced.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The message, once its last segment was added.
    pub(crate) fn finish(self) -> Whole {
        let parts: Vec<Bytes> = self
            .parts
            .into_iter()
            .map(|part| match part {
                Part::Slice(bytes) => bytes,
                Part::Copy(bytes) => bytes.freeze(),
            })
            .collect();
        let mut msg_id = [0; 24];
        let mut eye = [0; 4];
        let mut persistence = [0; 4];
        let described = copy_at(&parts, MD, &mut eye)
            && (eye == *b"MD  " || eye == [0xD4, 0xC4, 0x40, 0x40])
            && copy_at(&parts, MD_PERSISTENCE, &mut persistence)
            && copy_at(&parts, MD_MSG_ID, &mut msg_id);
        if !described {
            msg_id = [0; 24];
        }
        Whole {
            name: MessageName { sequence: self.sequence, msg_id },
            non_persistent: described && self.byte_order.i32(persistence) == 0,
            frame: MessageFrame {
                sequence: self.sequence,
                luwid: self.luwid,
                parts,
                byte_order: self.byte_order,
                alphabet: self.alphabet,
                ccsid: self.ccsid,
            },
        }
    }
}

/// Nothing is compressed on our channels: the capability is never agreed.
fn plain(segment: &Segment) -> Result<(), PartnerError> {
    let compressed = ControlFlags2::HDRCOMP | ControlFlags2::MSGCOMP;
    if segment.tsh.flags2.intersects(compressed) {
        let found = format!("ControlFlags2 0x{:02X}", segment.tsh.flags2.bits());
        return Err(PartnerError::new(STATE, StatusCode::PROTOCOL_INVALID_DATA, "no compression", found));
    }
    Ok(())
}

/// Fills `out` from byte `offset` of the joined parts; false if there are too few bytes.
fn copy_at(parts: &[Bytes], mut offset: usize, out: &mut [u8]) -> bool {
    let mut filled = 0;
    for part in parts {
        let Some(here) = part.get(offset..) else {
            offset -= part.len();
            continue;
        };
        offset = 0;
        for (to, from) in out.iter_mut().skip(filled).zip(here) {
            *to = *from;
            filled += 1;
        }
    }
    filled == out.len()
}
