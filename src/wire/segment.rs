//! A whole segment: header and unparsed body.

use bytes::{Bytes, BytesMut};

use super::reset::Reset;
use super::{InitialData, Malformed, Msh, Ping, Status, Tsh};

/// One transmission segment: its header and the bytes behind it, a slice of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The header.
    pub tsh: Tsh,
    /// Everything after the header.
    pub body: Bytes,
}

impl Segment {
    /// A segment of these parts.
    pub fn new(tsh: Tsh, body: Bytes) -> Self {
        Self { tsh, body }
    }

    /// Parses the bytes of exactly one segment. Errors: see [`Tsh::parse`]; a length field that is not the bytes' number.
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let (tsh, length) = Tsh::parse(&bytes)?;
        if usize::try_from(length) != Ok(bytes.len()) {
            let expected = format!("{}, the bytes at hand", bytes.len());
            return Err(Malformed::new("TSH", "SegmentLength", 4, expected, length.to_string()));
        }
        Ok(Self { body: bytes.slice(tsh.length()..), tsh })
    }

    /// Bytes of the whole segment on the wire.
    #[allow(clippy::len_without_is_empty)] // a segment has a header at least
    pub fn len(&self) -> usize {
        self.tsh.length() + self.body.len()
    }

    /// Emits the segment.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.len());
        self.encode_into(&mut out);
        out.freeze()
    }

    /// Emits the segment behind what a buffer holds.
    pub fn encode_into(&self, out: &mut BytesMut) {
        out.reserve(self.len());
        self.tsh.encode_into(self.body.len(), out);
        out.extend_from_slice(&self.body);
    }

    /// The body as ID; the segment type is not looked at.
    pub fn initial_data(&self) -> Result<InitialData, Malformed> {
        InitialData::parse(&self.body, &self.tsh)
    }

    /// The body as MSH and the bytes behind it; the segment type is not looked at.
    pub fn msh(&self) -> Result<(Msh, Bytes), Malformed> {
        let msh = Msh::parse(&self.body, self.tsh.byte_order)?;
        Ok((msh, self.body.slice(Msh::LENGTH..)))
    }

    /// The body as status; the segment type is not looked at.
    pub fn status(&self) -> Result<Status, Malformed> {
        Status::parse(&self.body, self.tsh.byte_order)
    }

    /// The body as reset, or as RESYNC_DATA's form (a); the segment type is not looked at.
    pub fn reset(&self) -> Result<Reset, Malformed> {
        Reset::parse(&self.body, self.tsh.byte_order)
    }

    /// The body as ping; the segment type is not looked at.
    pub fn ping(&self) -> Result<Ping, Malformed> {
        Ping::parse(&self.body, self.tsh.byte_order)
    }
}
