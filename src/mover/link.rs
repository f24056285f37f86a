//! One connection to a partner: segments in, segments out, every wait bounded.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_util::codec::FramedRead;

use super::codec::{ReadError, SegmentCodec};
use crate::wire::Segment;
use crate::wire::deframe::Deframer;

/// Bytes that are queued before they are sent.
const ENOUGH: usize = 64 * 1024;
/// How long a partner may refuse to take our bytes before the connection counts as broken.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// How long a partner gets to close its side after we closed ours (wire reference, channel flow 7: not more than a second).
const LINGER: Duration = Duration::from_secs(1);

/// What came from the partner.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A whole segment.
    Segment(Segment),
    /// Something that is no segment.
    Malformed(crate::wire::Malformed),
    /// The connection is over; the text says how.
    Closed(String),
    /// It ended within a segment; the text says where.
    CutOff(String),
}

/// A stream that is plain TCP or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Reads and writes segments on one connection.
#[derive(Debug)]
pub(crate) struct Link<S> {
    reader: FramedRead<ReadHalf<S>, SegmentCodec>,
    writer: WriteHalf<S>,
    unsent: BytesMut,
}

impl<S: Stream> Link<S> {
    /// Wraps a connection; the first segment may have `max_segment` bytes.
    pub(crate) fn new(stream: S, max_segment: usize) -> Self {
        let (read, write) = tokio::io::split(stream);
        let codec = SegmentCodec(Deframer::new(max_segment));
        Self { reader: FramedRead::with_capacity(read, codec, 64 * 1024), writer: write, unsent: BytesMut::new() }
    }

    /// Sets the largest segment that is read from now on.
    pub(crate) fn set_max_segment(&mut self, max_segment: usize) {
        self.reader.decoder_mut().0.set_max(max_segment);
    }

    /// Waits for the next segment. Safe to drop and call again.
    pub(crate) async fn arrival(&mut self) -> Arrival {
        match self.reader.next().await {
            Some(Ok(segment)) => Arrival::Segment(segment),
            Some(Err(ReadError::Malformed(malformed))) => Arrival::Malformed(malformed),
            Some(Err(ReadError::Io(error))) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Arrival::CutOff(error.to_string())
            }
            Some(Err(ReadError::Io(error))) => Arrival::Closed(error.to_string()),
            None => Arrival::Closed("the partner closed the connection".to_owned()),
        }
    }

    /// Puts a segment into the buffer that [`Link::flush`] sends.
    pub(crate) fn queue(&mut self, segment: &Segment) {
        self.unsent.extend_from_slice(&segment.encode());
    }

    /// Whether enough is queued to be sent before more is made.
    pub(crate) fn is_full(&self) -> bool {
        self.unsent.len() >= ENOUGH
    }

    /// Sends what is queued.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let bytes = self.unsent.split();
        let write = async {
            self.writer.write_all(&bytes).await?;
            self.writer.flush().await
        };
        tokio::time::timeout(WRITE_LIMIT, write).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("it took no bytes for {WRITE_LIMIT:?}")))
        })
    }

    /// Closes our side, so that what was flushed still arrives.
    pub(crate) async fn close(&mut self) {
        // A partner that is gone cannot be told that we go.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.writer.shutdown()).await;
    }

    /// Reads and forgets what still comes until the partner closes too, for a moment. A connection that is closed with
    /// bytes unread is reset, and the reset can overtake our last word, which says why.
    pub(crate) async fn linger(&mut self) {
        let reader = self.reader.get_mut();
        let mut scrap = [0; 4096];
        let read = async { while matches!(reader.read(&mut scrap).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(LINGER, read).await;
    }
}
