//! MSH, the message segment header: 20 bytes in front of message data.

use super::error::shown;
use super::{Alphabet, ByteOrder, Malformed, field};

/// Message segment header, 20 bytes (wire reference, segments 8: W; the meaning of offsets 8 and 12 is I).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msh {
    /// Channel sequence number of the message, the same in all its segments (offset 4).
    pub sequence: i32,
    /// Bytes of message in this segment, as we read it (offset 8, I); never checked on receipt.
    pub data_length: i32,
    /// Segment number, as we read it (offset 12, I); never checked on receipt.
    pub segment_number: i32,
    /// Length in bytes of the whole message: MQXQH, MQMD and data (offset 16, W).
    pub message_length: i32,
}

impl Msh {
    /// Bytes on the wire.
    pub const LENGTH: usize = 20;

    const ASCII: [u8; 4] = *b"MSH ";
    const EBCDIC: [u8; 4] = [0xD4, 0xE2, 0xC8, 0x40];

    /// Whether a body begins with this eye-catcher, in either alphabet, and is long enough to be one. A
    /// continuation of a message may or may not begin with an MSH (wire reference, channel flow 4, U).
    pub fn looks_like(body: &[u8]) -> bool {
        body.len() >= Self::LENGTH && (body.starts_with(&Self::ASCII) || body.starts_with(&Self::EBCDIC))
    }

    /// Parses the header at the start of a body. Errors: fewer than 20 bytes, another eye-catcher. Values are not judged.
    pub fn parse(body: &[u8], order: ByteOrder) -> Result<Self, Malformed> {
        let (eye, _) = field::parse("MSH", body, |input| field::bytes::<4>(input, "StrucId"))?;
        if eye != Self::ASCII && eye != Self::EBCDIC {
            return Err(Malformed::new("MSH", "StrucId", 0, "\"MSH \" in ASCII or EBCDIC", shown(&eye)));
        }
        let (msh, _) = field::parse("MSH", body, |input| {
            let (input, _) = field::bytes::<4>(input, "StrucId")?;
            let (input, sequence) = field::int(input, order, "MsgSeqNumber")?;
            let (input, data_length) = field::int(input, order, "DataLength")?;
            let (input, segment_number) = field::int(input, order, "SegmentNumber")?;
            let (input, message_length) = field::int(input, order, "MsgLength")?;
            Ok((input, Self { sequence, data_length, segment_number, message_length }))
        })?;
        Ok(msh)
    }

    /// Emits the header.
    pub fn encode(&self, order: ByteOrder, alphabet: Alphabet) -> [u8; Self::LENGTH] {
        let eye = match alphabet {
            Alphabet::Ascii => Self::ASCII,
            Alphabet::Ebcdic => Self::EBCDIC,
        };
        let [a, b, c, d] =
            [self.sequence, self.data_length, self.segment_number, self.message_length].map(|i| order.i32_bytes(i));
        let mut out = [0; Self::LENGTH];
        for (to, from) in out.iter_mut().zip([eye, a, b, c, d].iter().flatten()) {
            *to = *from;
        }
        out
    }
}
