//! PING_DATA: bytes to be sent back.

use bytes::{BufMut, Bytes, BytesMut};

use super::{ByteOrder, Malformed, field};

/// Body of PING_DATA (wire reference, segments 11: W, D for the behaviour). PING CHANNEL sends 16 to 32768 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// The bytes, without their length.
    pub data: Bytes,
}

impl Ping {
    /// Parses the body. Error: a length field that is negative or beyond the body. Bytes behind the data are dropped.
    pub fn parse(body: &Bytes, order: ByteOrder) -> Result<Self, Malformed> {
        let (length, taken) = field::parse("PING", body, |input| field::int(input, order, "Length"))?;
        let there = body.len() - taken;
        match usize::try_from(length) {
            Ok(length) if length <= there => Ok(Self { data: body.slice(taken..taken + length) }),
            _ => Err(Malformed::new("PING", "Length", 0, format!("0 to {there}"), length.to_string())),
        }
    }

    /// Emits the body.
    pub fn encode(&self, order: ByteOrder) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + self.data.len());
        out.put_slice(&order.i32_bytes(i32::try_from(self.data.len()).unwrap_or(i32::MAX)));
        out.put_slice(&self.data);
        out.freeze()
    }
}
