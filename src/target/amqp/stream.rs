//! The byte stream under an AMQP connection: plain or TLS, with three things that the AMQP library does not give.
//!
//! - It can be cut at once, so that a broker that no longer answers holds nothing of ours.
//! - It keeps the first bytes that came, which tell what really listens on a port.
//! - It reads along for reasons that the library drops: ActiveMQ answers a refused transactional transfer with a bare
//!   `rejected` state, not with one inside a transactional state; and the reason of a close sometimes loses the race
//!   against the end of the session.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use fe2o3_amqp::types::definitions;
use fe2o3_amqp::types::messaging::DeliveryState;
use fe2o3_amqp::types::performatives::{Close, Disposition};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::target::stream::Stream;

/// Bytes kept of what came first.
const FIRST_BYTES: usize = 16;
/// A frame that says why is longer than this only with an absurd text; longer frames are let pass unread.
const LONGEST_READ: usize = 16 * 1024;

/// What the stream and its owner share.
#[derive(Debug, Default)]
pub(super) struct Watch {
    cut: AtomicBool,
    reader: AtomicWaker,
    first: Mutex<Vec<u8>>,
    refusals: Mutex<VecDeque<Option<definitions::Error>>>,
    closed: Mutex<Option<definitions::Error>>,
}

impl Watch {
    /// Ends the stream now: reads and writes fail from here on, and the socket is closed.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.reader.wake();
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "given up by the gateway"));
        }
        Ok(())
    }

    /// The first bytes that the other end sent, up to [`FIRST_BYTES`].
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The reason of the oldest refusal not taken yet: the broker answers in the order of the transfers.
    pub(super) fn take_refusal(&self) -> Option<definitions::Error> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
    }

    /// Forgets refusals that nobody asked for.
    pub(super) fn forget_refusals(&self) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Why the broker closed the connection, if it did and said so.
    pub(super) fn closed(&self) -> Option<definitions::Error> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn heard(&self, reason: Reason) {
        match reason {
            Reason::Refused(disposition) => self.push_refusals(disposition),
            Reason::Closed(close) => *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = close.error,
        }
    }

    fn push_refusals(&self, disposition: Disposition) {
        if let Some(DeliveryState::Rejected(rejected)) = disposition.state {
            let count = disposition.last.unwrap_or(disposition.first).wrapping_sub(disposition.first).min(9_999) + 1;
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.extend((0..count).map(|_| rejected.error.clone()));
        }
    }
}

/// The stream that the AMQP library gets.
#[derive(Debug)]
pub(super) struct Watched {
    stream: Stream,
    watch: Arc<Watch>,
    frames: Frames,
}

impl Watched {
    pub(super) fn new(stream: Stream, watch: Arc<Watch>) -> Self {
        Self { stream, watch, frames: Frames::default() }
    }

    fn saw(&mut self, bytes: &[u8]) {
        {
            let mut first = self.watch.first.lock().unwrap_or_else(PoisonError::into_inner);
            let room = FIRST_BYTES.saturating_sub(first.len()).min(bytes.len());
            first.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
        let watch = &self.watch;
        self.frames.feed(bytes, |reason| watch.heard(reason));
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.watch.reader.register(cx.waker());
        this.watch.check()?;
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = &outcome {
            this.saw(buf.filled().get(before..).unwrap_or_default());
        }
        outcome
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.watch.check()?;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.watch.check()?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Finds the AMQP frames in what comes (AMQP 1.0, part 2, section 2.3) and looks at small ones that say why.
#[derive(Debug, Default)]
struct Frames {
    /// The frame begun, from its size field on.
    begun: Vec<u8>,
    /// Bytes of a large frame, or of a protocol header, still to be let pass.
    pass: usize,
    /// The bytes make no sense; the library will say so.
    lost: bool,
}

impl Frames {
    fn feed(&mut self, mut bytes: &[u8], mut found: impl FnMut(Reason)) {
        while !bytes.is_empty() && !self.lost {
            if self.pass > 0 {
                let passed = self.pass.min(bytes.len());
                self.pass -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            let wanted = if self.begun.len() < 4 { 4 } else { self.frame_length() };
            let taken = wanted.saturating_sub(self.begun.len()).min(bytes.len());
            let (now, later) = bytes.split_at(taken);
            self.begun.extend_from_slice(now);
            bytes = later;
            if self.begun.len() < 4 {
                return;
            }
            let length = self.frame_length();
            if self.begun.starts_with(b"AMQP") {
                // A protocol header: eight bytes in all.
                self.skip(4);
            } else if length < 8 {
                self.lost = true;
            } else if length > LONGEST_READ {
                self.skip(length - 4);
            } else if self.begun.len() == length {
                if let Some(reason) = reason(&self.begun) {
                    found(reason);
                }
                self.begun.clear();
            }
        }
    }

    fn frame_length(&self) -> usize {
        match self.begun.first_chunk() {
            Some(size) => u32::from_be_bytes(*size) as usize,
            None => 4,
        }
    }

    fn skip(&mut self, length: usize) {
        self.pass = length;
        self.begun.clear();
    }
}

/// A frame that says why.
enum Reason {
    Refused(Disposition),
    Closed(Close),
}

/// The reason that `frame` gives, if it can be one that does.
fn reason(frame: &[u8]) -> Option<Reason> {
    const AMQP_FRAME: u8 = 0;
    const DISPOSITION: [u8; 3] = [0x00, 0x53, 0x15];
    const REJECTED: [u8; 3] = [0x00, 0x53, 0x25];
    const CLOSE: [u8; 3] = [0x00, 0x53, 0x18];
    let (offset, kind) = (usize::from(*frame.get(4)?) * 4, *frame.get(5)?);
    let body = frame.get(offset..)?;
    if kind != AMQP_FRAME {
        None
    } else if body.starts_with(&CLOSE) {
        serde_amqp::from_slice(body).ok().map(Reason::Closed)
    } else if body.starts_with(&DISPOSITION) && body.windows(3).any(|bytes| bytes == REJECTED) {
        serde_amqp::from_slice(body).ok().map(Reason::Refused)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disposition frame written by hand from AMQP 1.0, part 2, 2.7.6: role receiver, first 5, last 6, settled,
    /// rejected with `failed` and "no".
    const FRAME: &[u8] = &[
        0, 0, 0, 47, 2, 0, 0, 0, // size, doff, type, channel
        0x00, 0x53, 0x15, 0xC0, 33, 5, // disposition: list of 5, 33 bytes
        0x41, 0x52, 5, 0x52, 6, 0x41, // true, 5, 6, true
        0x00, 0x53, 0x25, 0xC0, 21, 1, // rejected: list of 1
        0x00, 0x53, 0x1D, 0xC0, 15, 2, // error: list of 2
        0xA3, 6, b'f', b'a', b'i', b'l', b'e', b'd', 0xA1, 2, b'n', b'o', 0x40, 0x40, 0x40,
    ];

    fn seen(chunks: &[&[u8]]) -> Vec<String> {
        let watch = Watch::default();
        let mut frames = Frames::default();
        for chunk in chunks {
            frames.feed(chunk, |reason| watch.heard(reason));
        }
        std::iter::from_fn(|| watch.take_refusal()).map(|error| error.description.unwrap_or_default()).collect()
    }

    fn frame() -> Vec<u8> {
        // The size fields follow from what is there.
        let mut bytes = FRAME.strip_suffix(&[0x40, 0x40, 0x40]).unwrap().to_vec();
        let length = u8::try_from(bytes.len()).unwrap();
        bytes[3] = length;
        bytes[12] = length - 13;
        bytes[24] = length - 25;
        bytes[30] = length - 31;
        bytes
    }

    #[test]
    fn refusals_are_found_however_the_bytes_are_cut() {
        let mut stream = b"AMQP\x03\x01\x00\x00".to_vec();
        stream.extend_from_slice(&[0, 0, 0x40, 1, 2, 0, 0, 0]);
        stream.extend_from_slice(&vec![0x53; 0x4001 - 8]);
        stream.extend_from_slice(b"AMQP\x00\x01\x00\x00");
        stream.extend_from_slice(&[0, 0, 0, 8, 2, 0, 0, 0]);
        stream.extend_from_slice(&frame());
        assert_eq!(seen(&[&stream]), ["no", "no"]);
        for size in [1, 3, 7, 1000] {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(seen(&chunks), ["no", "no"], "{size}");
        }
    }

    /// A close frame written by hand from AMQP 1.0, part 2, 2.7.9: `failed` and "in use".
    #[test]
    fn the_reason_of_a_close_is_kept() {
        let frame = [
            &[0, 0, 0, 36, 2, 0, 0, 0][..],                          // size, doff, type, channel
            &[0x00, 0x53, 0x18, 0xC0, 23, 1],                        // close: list of 1, 23 bytes
            &[0x00, 0x53, 0x1D, 0xC0, 17, 2],                        // error: list of 2, 17 bytes
            &[0xA3, 6, b'f', b'a', b'i', b'l', b'e', b'd', 0xA1, 6], // condition; a string of 6
            b"in use",
        ]
        .concat();
        let watch = Watch::default();
        Frames::default().feed(&frame, |reason| watch.heard(reason));
        assert_eq!(watch.closed().and_then(|error| error.description).as_deref(), Some("in use"));
    }

    #[test]
    fn what_is_no_amqp_is_left_alone() {
        assert!(seen(&[b"\x00\x00\x00\x02ab", &frame()]).is_empty());
        assert!(seen(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"]).is_empty());
    }
}
