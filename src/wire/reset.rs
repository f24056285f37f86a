//! RESET_DATA: the sequence number to go on with. RESYNC_DATA may have the same body.

use bytes::{BufMut, Bytes, BytesMut};

use super::{ByteOrder, Malformed, field};

/// Body of RESET_DATA, 8 bytes (wire reference, segments 11, W), and, as form (a), of RESYNC_DATA
/// (wire reference, channel flow 3, U).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The sequence number, offset 4.
    pub sequence: i32,
    /// What follows within the segment; empty as far as known, kept. Form (b) of RESYNC_DATA has the LUWID here (U).
    pub rest: Bytes,
}

impl Reset {
    /// Bytes up to and with the number.
    pub const LENGTH: usize = 8;

    /// The usual body: a number and nothing behind it.
    pub fn new(sequence: i32) -> Self {
        Self { sequence, rest: Bytes::new() }
    }

    /// Parses the body. Errors: shorter than 8 bytes, or a length field below 8 or beyond the body.
    pub fn parse(body: &Bytes, order: ByteOrder) -> Result<Self, Malformed> {
        let ((length, sequence), taken) = field::parse("RESET", body, |input| {
            let (input, length) = field::int(input, order, "Length")?;
            let (input, sequence) = field::int(input, order, "MsgSeqNumber")?;
            Ok((input, (length, sequence)))
        })?;
        if usize::try_from(length).is_ok_and(|length| (Self::LENGTH..=body.len()).contains(&length)) {
            Ok(Self { sequence, rest: body.slice(taken..) })
        } else {
            let expected = format!("{} to {}", Self::LENGTH, body.len());
            Err(Malformed::new("RESET", "Length", 0, expected, length.to_string()))
        }
    }

    /// Emits the body; the length field covers all of it.
    pub fn encode(&self, order: ByteOrder) -> Bytes {
        let length = Self::LENGTH + self.rest.len();
        let mut out = BytesMut::with_capacity(length);
        out.put_slice(&order.i32_bytes(i32::try_from(length).unwrap_or(i32::MAX)));
        out.put_slice(&order.i32_bytes(self.sequence));
        out.put_slice(&self.rest);
        out.freeze()
    }
}
