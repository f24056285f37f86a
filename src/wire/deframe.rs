//! Segments off a byte buffer, none longer than agreed.

use bytes::BytesMut;

use super::tsh::Start;
use super::{Malformed, Segment};

/// Takes whole segments off the front of a buffer. It keeps no bytes itself and never makes room by an announced
/// length: memory is what the caller has read.
#[derive(Clone, Debug)]
pub struct Deframer {
    max: usize,
}

impl Deframer {
    /// Takes segments of up to this many bytes, header included.
    pub fn new(max_segment: usize) -> Self {
        Self { max: max_segment }
    }

    /// Sets the largest segment in bytes: low before the handshake, then the agreed transmission size.
    pub fn set_max(&mut self, max_segment: usize) {
        self.max = max_segment;
    }

    /// The next whole segment, or none until more bytes are there. The body is a slice of the buffer, not a copy.
    ///
    /// Errors come as early as the bytes allow: an eye-catcher that is none at 4 bytes, a length below the
    /// header's or above the largest at 8, before any of the body is read. After an error the stream cannot be used.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Segment>, Malformed> {
        let Some(&eye) = buffer.first_chunk::<4>() else { return Ok(None) };
        let start = Start::parse(eye)?;
        let Some(&[_, _, _, _, a, b, c, d]) = buffer.first_chunk::<8>() else { return Ok(None) };
        let announced = u32::from_be_bytes([a, b, c, d]);
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length < start.header || length > self.max {
            let expected = format!("{} to {}", start.header, self.max);
            return Err(Malformed::new("TSH", "SegmentLength", 4, expected, announced.to_string()));
        }
        if buffer.len() < length {
            return Ok(None);
        }
        Segment::parse(buffer.split_to(length).freeze()).map(Some)
    }
}
