//! The tokio-util face of [`Deframer`]: bytes off a stream become segments.

use std::io;

use bytes::BytesMut;
use tokio_util::codec::Decoder;

use crate::wire::deframe::Deframer;
use crate::wire::{Malformed, Segment};

/// Takes whole segments off a stream, none longer than was agreed.
#[derive(Debug)]
pub(crate) struct SegmentCodec(pub(crate) Deframer);

/// Why no segment could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is no segment.
    #[error("{0}")]
    Malformed(#[from] Malformed),
}

impl Decoder for SegmentCodec {
    type Item = Segment;
    type Error = ReadError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Segment>, ReadError> {
        Ok(self.0.next(bytes)?)
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> Result<Option<Segment>, ReadError> {
        match self.decode(bytes)? {
            None if !bytes.is_empty() => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the connection closed {} bytes into a segment", bytes.len()),
            )
            .into()),
            segment => Ok(segment),
        }
    }
}
