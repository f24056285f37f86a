//! Cuts a stream into frames by their size prefix.

use bytes::{Buf as _, Bytes, BytesMut};

use super::Version;
use super::command::{Frame, SIZE_FIELD, name_of};
use super::error::{DecodeError, FrameError};

/// A buffer is made at most this much larger ahead of what came.
const AHEAD: usize = 64 * 1024;

/// Takes whole frames off the front of a buffer. A frame above the limit is refused at its size field, and no memory
/// is set aside by what a size field says, beyond 64 KiB.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    limit: usize,
}

impl Frames {
    /// Takes frames of up to `limit` bytes, without the size field.
    pub fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// Changes the limit, as the handshake agrees on one.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The next frame, if all of it is there; else keep what is there and read on.
    ///
    /// # Errors
    /// When what comes is no frame; nothing behind it can be read.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<RawFrame>, FrameError> {
        let Some(first) = buffer.first_chunk::<SIZE_FIELD>().copied() else { return Ok(None) };
        let size = u32::from_be_bytes(first);
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if length == 0 {
            return Err(FrameError::Empty);
        }
        if length > self.limit {
            return Err(FrameError::TooLong { size, limit: self.limit, first });
        }
        let missing = (SIZE_FIELD + length).saturating_sub(buffer.len());
        if missing > 0 {
            buffer.reserve(missing.min(AHEAD));
            return Ok(None);
        }
        buffer.advance(SIZE_FIELD);
        Ok(Some(RawFrame(buffer.split_to(length).freeze())))
    }
}

/// One frame's bytes, from its type byte to its end; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame(Bytes);

impl RawFrame {
    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The type byte.
    pub fn type_code(&self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    /// What the type is called.
    pub fn name(&self) -> &'static str {
        name_of(self.type_code())
    }

    /// Reads it.
    ///
    /// # Errors
    /// See [`Frame::decode`].
    pub fn decode(&self, version: Version) -> Result<Frame, DecodeError> {
        Frame::decode(&self.0, version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_off_whole_however_the_bytes_come() {
        // KeepAliveInfo, command 7, no answer wanted (wire reference, openwire): size, type 10, id, flag.
        let one = [0, 0, 0, 6, 10, 0, 0, 0, 7, 0];
        let mut frames = Frames::new(6);
        let mut buffer = BytesMut::new();
        let mut seen = 0;
        for byte in one.repeat(3) {
            buffer.extend_from_slice(&[byte]);
            while let Some(frame) = frames.next(&mut buffer).unwrap() {
                seen += 1;
                assert_eq!((frame.type_code(), frame.name()), (10, "KeepAliveInfo"));
                assert_eq!(frame.decode(Version::NEWEST).unwrap().command_id, 7);
            }
        }
        assert_eq!((seen, buffer.len()), (3, 0));
    }

    #[test]
    fn sizes_that_lie_cost_nothing() {
        let mut frames = Frames::new(1 << 30);
        let mut buffer = BytesMut::from(&[0x3F, 0xFF, 0xFF, 0xFF, 10][..]);
        assert_eq!(frames.next(&mut buffer), Ok(None));
        assert!(buffer.capacity() < 2 * AHEAD, "{}", buffer.capacity());
        let mut buffer = BytesMut::from(&b"AMQP\0\x01\0\0"[..]);
        let error = frames.next(&mut buffer).unwrap_err();
        assert_eq!(error, FrameError::TooLong { size: 0x414D_5150, limit: 1 << 30, first: *b"AMQP" });
        let mut buffer = BytesMut::from(&[0xFF; 8][..]);
        assert!(matches!(frames.next(&mut buffer), Err(FrameError::TooLong { .. })));
        let mut buffer = BytesMut::from(&[0; 4][..]);
        assert_eq!(frames.next(&mut buffer), Err(FrameError::Empty));
    }
}
