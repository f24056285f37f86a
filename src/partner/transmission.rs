//! A message as it lies on the simulated transmission queue: MQXQH, MQMD version 1, data.
//!
//! The queue keeps one form, big-endian and ASCII; the header is put into the speaker's byte order and alphabet
//! when it is sent, as a queue manager does (wire reference, headers, W and I). This is a layout of its own, not
//! the gateway's: were the two one piece of code, they would agree on every mistake.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::wire::name::{Name, convert};
use crate::wire::{Alphabet, ByteOrder};

/// Bytes of MQXQH with its MQMD version 1.
pub const HEADER_LENGTH: usize = 428;

/// What a field is, and so what conversion does to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Four-byte integer.
    Int,
    /// Characters.
    Text,
    /// Bytes that are never converted.
    Bytes,
}

use Kind::{Bytes, Int, Text};

/// The fields of MQXQH and of its MQMD version 1, in order (wire reference, headers, D).
const LAYOUT: [(Kind, usize); 29] = [
    (Text, 4),   // MQXQH StrucId
    (Int, 4),    // Version
    (Text, 48),  // RemoteQName
    (Text, 48),  // RemoteQMgrName
    (Text, 4),   // MQMD StrucId
    (Int, 4),    // Version
    (Int, 4),    // Report
    (Int, 4),    // MsgType
    (Int, 4),    // Expiry
    (Int, 4),    // Feedback
    (Int, 4),    // Encoding
    (Int, 4),    // CodedCharSetId
    (Text, 8),   // Format
    (Int, 4),    // Priority
    (Int, 4),    // Persistence
    (Bytes, 24), // MsgId
    (Bytes, 24), // CorrelId
    (Int, 4),    // BackoutCount
    (Text, 48),  // ReplyToQ
    (Text, 48),  // ReplyToQMgr
    (Text, 12),  // UserIdentifier
    (Bytes, 32), // AccountingToken
    (Text, 32),  // ApplIdentityData
    (Int, 4),    // PutApplType
    (Text, 28),  // PutApplName
    (Text, 8),   // PutDate
    (Text, 8),   // PutTime
    (Text, 4),   // ApplOriginData
    (Bytes, 0),  // data follows
];

/// How a header is written: byte order and alphabet.
pub type Form = (ByteOrder, Alphabet);

/// The form that the queue keeps.
pub const KEPT: Form = (ByteOrder::Big, Alphabet::Ascii);

/// Rewrites MQXQH and MQMD at the start of a message from one form to another. What follows them is described by the
/// descriptor and stays. Nothing happens to a message shorter than the header.
pub fn rewrite(message: &mut [u8], from: Form, to: Form) {
    let Some(mut header) = message.get_mut(..HEADER_LENGTH) else { return };
    for (kind, length) in LAYOUT {
        let Some((field, rest)) = header.split_at_mut_checked(length) else { return };
        match kind {
            Int if from.0 != to.0 => field.reverse(),
            Text => field.iter_mut().for_each(|byte| *byte = convert(*byte, from.1, to.1)),
            Int | Bytes => {}
        }
        header = rest;
    }
}

/// The form of a transmission-queue message, by its eye-catcher and version; none if it is no such message.
pub fn form_of(message: &[u8]) -> Option<Form> {
    let (eye, rest) = message.get(..HEADER_LENGTH)?.split_first_chunk::<4>()?;
    let alphabet = match eye {
        b"XQH " => Alphabet::Ascii,
        [0xE7, 0xD8, 0xC8, 0x40] => Alphabet::Ebcdic,
        _ => return None,
    };
    match rest.first_chunk::<4>()? {
        [0, 0, 0, 1] => Some((ByteOrder::Big, alphabet)),
        [1, 0, 0, 0] => Some((ByteOrder::Little, alphabet)),
        _ => None,
    }
}

/// A message to be put, before its descriptor is filled in as a queue manager does.
#[derive(Clone, Debug)]
pub struct Draft {
    /// RemoteQName.
    pub remote_queue: Name<48>,
    /// RemoteQMgrName.
    pub remote_qmgr: Name<48>,
    /// MsgId.
    pub msg_id: [u8; 24],
    /// Format of the data: `MQSTR`, or blank for bytes.
    pub format: Name<8>,
    /// Encoding of the data.
    pub encoding: i32,
    /// CodedCharSetId of the data.
    pub ccsid: i32,
    /// Whether it is persistent.
    pub persistent: bool,
    /// When it was put.
    pub put_at: SystemTime,
    /// The data.
    pub data: Vec<u8>,
}

impl Draft {
    /// The message as the queue keeps it.
    pub fn message(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LENGTH + self.data.len());
        let int = |out: &mut Vec<u8>, value: i32| out.extend(value.to_be_bytes());
        transmission_header(&mut out, &self.remote_queue, &self.remote_qmgr);
        out.extend(*b"MD  ");
        // Version, Report, MsgType datagram, Expiry unlimited, Feedback
        for value in [1, 0, 8, -1, 0, self.encoding, self.ccsid] {
            int(&mut out, value);
        }
        out.extend(self.format.as_bytes());
        int(&mut out, 4); // Priority
        int(&mut out, i32::from(self.persistent));
        out.extend(self.msg_id);
        out.extend([0; 24]); // CorrelId
        int(&mut out, 0); // BackoutCount
        out.extend([b' '; 96]); // ReplyToQ, ReplyToQMgr
        out.extend(USER);
        out.extend([0; 32]); // AccountingToken
        out.extend([b' '; 32]); // ApplIdentityData
        int(&mut out, 6); // PutApplType UNIX
        out.extend(PROGRAM);
        out.extend(put_stamp(self.put_at));
        out.extend([b' '; 4]); // ApplOriginData
        debug_assert_eq!(out.len(), HEADER_LENGTH);
        out.extend(&self.data);
        out
    }
}

/// UserIdentifier and PutApplName that the simulated queue manager fills in.
pub(super) const USER: [u8; 12] = *b"appuser     ";
pub(super) const PROGRAM: [u8; 28] = *b"mqferry partner             ";

/// Appends an MQXQH without its descriptor: 104 bytes.
pub(super) fn transmission_header(out: &mut Vec<u8>, remote_queue: &Name<48>, remote_qmgr: &Name<48>) {
    out.extend(*b"XQH \0\0\0\x01");
    out.extend(remote_queue.as_bytes());
    out.extend(remote_qmgr.as_bytes());
}

/// PutDate and PutTime: `YYYYMMDDHHMMSSTH`, Greenwich time (wire reference, headers, D).
pub(super) fn put_stamp(at: SystemTime) -> [u8; 16] {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let text = format!(
        "{year:04}{month:02}{day:02}{:02}{:02}{:02}{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis() / 10
    );
    *text.as_bytes().first_chunk().unwrap_or(b"1970010100000000")
}

/// Year, month and day of a day since 1970, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::testing::example;
    use std::time::Duration;

    #[test]
    fn the_layout_is_the_header() {
        assert_eq!(LAYOUT.iter().map(|&(_, length)| length).sum::<usize>(), HEADER_LENGTH);
    }

    /// Frames 17, 27 and 29 of the wire examples hold one message in three forms, but for the data's own
    /// Encoding and CCSID, and for the data of 29.
    #[test]
    fn rewrites_between_the_forms_of_the_wire_examples() {
        let message = |number| example(number).msh().unwrap().1.to_vec();
        let describe_data = |message: &mut Vec<u8>, form: Form, encoding: i32, ccsid: i32| {
            message[128..132].copy_from_slice(&form.0.i32_bytes(encoding));
            message[132..136].copy_from_slice(&form.0.i32_bytes(ccsid));
        };
        let little = (ByteOrder::Little, Alphabet::Ascii);
        let ebcdic = (ByteOrder::Big, Alphabet::Ebcdic);
        assert_eq!(form_of(&message(17)), Some(little));
        assert_eq!(form_of(&message(27)), Some(KEPT));
        assert_eq!(form_of(&message(29)), Some(ebcdic));

        let mut to_little = message(27);
        rewrite(&mut to_little, KEPT, little);
        describe_data(&mut to_little, little, 0x222, 819);
        assert_eq!(to_little, message(17));

        let mut to_ebcdic = message(27);
        rewrite(&mut to_ebcdic, KEPT, ebcdic);
        describe_data(&mut to_ebcdic, ebcdic, 0x111, 500);
        assert_eq!(to_ebcdic[..HEADER_LENGTH], message(29)[..HEADER_LENGTH]);

        let mut back = message(17);
        rewrite(&mut back, little, KEPT);
        describe_data(&mut back, KEPT, 0x111, 819);
        assert_eq!(back, message(27));
    }

    #[test]
    fn drafts_are_laid_out_as_the_wire_examples() {
        let example = example(27).msh().unwrap().1;
        let draft = Draft {
            remote_queue: Name::new("TARGET.QUEUE").unwrap(),
            remote_qmgr: Name::new("GW").unwrap(),
            msg_id: *b"AMQ QM.EXAMPLE  \x01\x01\x01\x01\x01\x01\x01\x01",
            format: Name::new("MQSTR").unwrap(),
            encoding: 273,
            ccsid: 819,
            persistent: true,
            // 2026-01-02 12:34:56.00, as the example has it
            put_at: UNIX_EPOCH + Duration::from_secs(1_767_357_296),
            data: b"hello over a message channel".to_vec(),
        };
        let mut message = draft.message();
        // The example's ReplyToQMgr and PutApplName are others.
        message[252..300].copy_from_slice(&example[252..300]);
        message[380..408].copy_from_slice(&example[380..408]);
        assert_eq!(message, example);
    }

    #[test]
    fn dates() {
        assert_eq!(&put_stamp(UNIX_EPOCH), b"1970010100000000");
        assert_eq!(&put_stamp(UNIX_EPOCH + Duration::from_millis(951_826_154_990)), b"2000022912091499");
    }
}
