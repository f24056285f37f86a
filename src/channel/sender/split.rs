//! A message into segments: an MSH in front, and cut where it does not fit.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Line, Outgoing};
use crate::channel::dialect::{Dialect, MshDataLength, MshInContinuations, MshMessageLength, MshSegmentNumber, Split};
use crate::channel::negotiation::{Agreed, MESSAGE_HEADERS, UNSPLIT_OVERHEAD};
use crate::wire::{CapFlags1, ControlFlags1, Luwid, Msh, SegmentType};

/// Bytes of a TSH.
const TSH: usize = 28;

/// Whether a message of this length can travel.
///
/// # Errors
/// When it cannot; the text says by how much.
pub(super) fn fits(length: usize, agreed: &Agreed, dialect: &Dialect) -> Result<(), String> {
    let data = i64::try_from(length.saturating_sub(MESSAGE_HEADERS)).unwrap_or(i64::MAX);
    let most = i64::from(agreed.max_msg_size);
    // A partner may count the headers or not (wire reference, channel flow 10).
    if data.saturating_add(UNSPLIT_OVERHEAD) > most || i32::try_from(length).is_err() {
        return Err(format!(
            "its {data} bytes and {UNSPLIT_OVERHEAD} of headers are more than the {most} agreed with the partner; raise MAXMSGL at both ends"
        ));
    }
    let segment = usize::try_from(agreed.max_transmission_size).unwrap_or(0);
    if length.saturating_add(TSH + Msh::LENGTH) <= segment || splits(agreed, dialect) {
        return Ok(());
    }
    let who = if dialect.split == Split::Never { "the channel's dialect does not" } else { "the partner cannot" };
    Err(format!("its {data} bytes do not fit one segment of {segment} bytes, and {who} split messages"))
}

fn splits(agreed: &Agreed, dialect: &Dialect) -> bool {
    agreed.cap_flags1.contains(CapFlags1::SPLIT_MESSAGE) && dialect.split == Split::WhenNeeded
}

/// Puts a message out. `confirm`: its last segment asks for the batch's confirm.
pub(super) fn send(line: &mut Line, agreed: &Agreed, message: &Outgoing, sequence: i32, luwid: Luwid, confirm: bool) {
    let total = message.length();
    let transmission = usize::try_from(agreed.max_transmission_size).unwrap_or(0);
    let mut parts = Parts { parts: &message.parts, at: 0, offset: 0 };
    let mut sent = 0;
    let mut number = 0;
    loop {
        let first = number == 0;
        let with_msh = first || line.dialect.msh_in_continuations == MshInContinuations::Every;
        let room = transmission.saturating_sub(TSH + if with_msh { Msh::LENGTH } else { 0 }).max(1);
        let length = room.min(total - sent);
        let last = sent + length == total;
        let mut body = BytesMut::with_capacity(length + Msh::LENGTH);
        if with_msh {
            let msh = header(&line.dialect, sequence, Cut { number, offset: sent, length, total, transmission });
            body.put_slice(&msh.encode(line.byte_order(), line.alphabet()));
        }
        parts.take(length, &mut body);
        let mut flags = ControlFlags1::empty();
        flags.set(ControlFlags1::FIRST, first);
        flags.set(ControlFlags1::LAST, last);
        flags.set(ControlFlags1::CONFIRM_REQUEST, last && confirm);
        line.send(SegmentType::MESSAGE_DATA, flags, luwid, body.freeze());
        sent += length;
        number += 1;
        if last {
            return;
        }
    }
}

/// Where a segment's bytes lie in the message.
struct Cut {
    /// Segments before it.
    number: usize,
    offset: usize,
    length: usize,
    total: usize,
    transmission: usize,
}

fn header(dialect: &Dialect, sequence: i32, cut: Cut) -> Msh {
    let int = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    Msh {
        sequence,
        data_length: int(match dialect.msh_data_length {
            MshDataLength::SegmentBytes => cut.length,
            MshDataLength::BufferSize => cut.transmission,
            MshDataLength::Offset => cut.offset,
        }),
        segment_number: int(match dialect.msh_segment_number {
            MshSegmentNumber::FromZero => cut.number,
            MshSegmentNumber::FromOne => cut.number + 1,
            MshSegmentNumber::Zero => 0,
        }),
        message_length: int(match dialect.msh_message_length {
            MshMessageLength::FirstSegment if cut.number > 0 => 0,
            _ => cut.total,
        }),
    }
}

/// Reads a message's parts one after the other.
struct Parts<'a> {
    parts: &'a [Bytes],
    at: usize,
    offset: usize,
}

impl Parts<'_> {
    fn take(&mut self, mut length: usize, into: &mut BytesMut) {
        while length > 0 {
            let Some(part) = self.parts.get(self.at) else { return };
            let rest = part.get(self.offset..).unwrap_or_default();
            let now = rest.get(..length).unwrap_or(rest);
            into.put_slice(now);
            length -= now.len();
            self.offset += now.len();
            if self.offset >= part.len() {
                self.at += 1;
                self.offset = 0;
            }
        }
    }
}
