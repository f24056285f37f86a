//! Segments over a connection: written in large pieces while what the partner says meanwhile is kept.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout, timeout_at};

use super::PartnerError;
use super::capture::{Capture, Direction};
use crate::wire::{Deframer, Malformed, Segment};

/// Written to the connection once so much is waiting; little, as a queue manager sends each message when it has it.
const ENOUGH: usize = 32 * 1024;
/// The longest segment that is taken until [`Conversation::takes_up_to`] says otherwise: a receiver has nothing longer to say.
const LONGEST: usize = 64 * 1024;

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Conversation<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    read: BytesMut,
    deframer: Deframer,
    inbox: VecDeque<Segment>,
    /// What came behind the inbox is no segment.
    malformed: Option<Malformed>,
    ended: bool,
    out: BytesMut,
    capture: Capture,
}

impl<S: AsyncRead + AsyncWrite> Conversation<S> {
    pub(super) fn new(stream: S, capture: Capture) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader,
            writer,
            read: BytesMut::with_capacity(LONGEST),
            deframer: Deframer::new(LONGEST),
            inbox: VecDeque::new(),
            malformed: None,
            ended: false,
            out: BytesMut::with_capacity(ENOUGH + ENOUGH / 4),
            capture,
        }
    }

    /// From now on segments of up to so many bytes are taken.
    pub(super) fn takes_up_to(&mut self, bytes: usize) {
        self.deframer.set_max(bytes);
    }

    /// Queues bytes that are no segment.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Queues a segment, and writes if enough is queued.
    pub(super) async fn send(&mut self, segment: &Segment) -> Result<(), PartnerError> {
        self.capture.record(Direction::Out, || segment.encode())?;
        segment.encode_into(&mut self.out);
        if self.out.len() >= ENOUGH { self.flush().await } else { Ok(()) }
    }

    /// Queues a part of a segment's bytes: the rest will never follow.
    pub(super) fn send_half(&mut self, segment: &Segment) {
        let bytes = segment.encode();
        self.out.extend_from_slice(bytes.get(..bytes.len() / 2).unwrap_or_default());
    }

    /// Writes all that is queued, and takes what comes meanwhile: a receiver that refuses speaks before it closes.
    pub(super) async fn flush(&mut self) -> Result<(), PartnerError> {
        while self.out.has_remaining() {
            let result = tokio::select! {
                result = self.writer.write_buf(&mut self.out) => result.map(|_| ()),
                result = self.reader.read_buf(&mut self.read), if !self.ended => result.map(|count| self.ended = count == 0),
            };
            self.take_segments()?;
            if let Err(error) = result {
                // What it said before it closed is worth more than how the writing failed.
                self.read_rest().await?;
                if self.inbox.is_empty() {
                    return Err(PartnerError::Network { what: "writing to the partner".to_owned(), source: error });
                }
                self.out.clear();
            }
        }
        Ok(())
    }

    /// Whether something from the partner is there already.
    pub(super) fn has_mail(&self) -> bool {
        !self.inbox.is_empty() || self.malformed.is_some()
    }

    /// The partner's next segment; none when it closed.
    pub(super) async fn receive(&mut self) -> Result<Option<Segment>, PartnerError> {
        loop {
            if let Some(segment) = self.inbox.pop_front() {
                return Ok(Some(segment));
            }
            if let Some(malformed) = &self.malformed {
                return Err(malformed.clone().into());
            }
            if self.ended {
                return Ok(None);
            }
            match self.reader.read_buf(&mut self.read).await {
                Ok(0) => self.ended = true,
                Ok(_) => self.take_segments()?,
                Err(source) => {
                    return Err(PartnerError::Network { what: "reading from the partner".to_owned(), source });
                }
            }
        }
    }

    /// The partner's next segment, which must come in time.
    pub(super) async fn expect(&mut self, bound: Duration, during: &'static str) -> Result<Segment, PartnerError> {
        match timeout(bound, self.receive()).await {
            Ok(Ok(Some(segment))) => Ok(segment),
            Ok(Ok(None)) => Err(PartnerError::Closed(during)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(PartnerError::Timeout { seconds: bound.as_secs(), during }),
        }
    }

    /// Waits until some bytes of the partner's next segment are read, but not all.
    pub(super) async fn read_half(&mut self, bound: Duration) -> Result<(), PartnerError> {
        let mut half = [0; 14];
        let _ = timeout(bound, self.reader.read_exact(&mut half)).await;
        Ok(())
    }

    /// Ends the writing, and reads until the partner closes too, for a second at most.
    pub(super) async fn close(mut self) -> Result<(), PartnerError> {
        self.flush().await?;
        let _ = self.writer.shutdown().await;
        let until = Instant::now() + Duration::from_secs(1);
        while let Ok(Ok(Some(_))) = timeout_at(until, self.receive()).await {}
        Ok(())
    }

    /// Moves what has arrived to the inbox. Bytes that are no segment count once what came before them is read.
    fn take_segments(&mut self) -> Result<(), PartnerError> {
        while self.malformed.is_none() {
            match self.deframer.next(&mut self.read) {
                Ok(Some(segment)) => {
                    self.capture.record(Direction::In, || segment.encode())?;
                    self.inbox.push_back(segment);
                }
                Ok(None) => break,
                Err(malformed) => self.malformed = Some(malformed),
            }
        }
        Ok(())
    }

    /// Takes what has arrived on a connection that can no longer be written to.
    async fn read_rest(&mut self) -> Result<(), PartnerError> {
        let read = async {
            while !self.ended {
                self.ended = self.reader.read_buf(&mut self.read).await? == 0;
            }
            io::Result::Ok(())
        };
        let _ = timeout(Duration::from_millis(500), read).await;
        self.ended = true;
        self.take_segments()
    }
}
