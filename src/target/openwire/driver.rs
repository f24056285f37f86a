//! The task that owns a connection's socket: writes what is ordered, gives answers and messages to those who wait for
//! them, keeps the connection alive and notices when the other side has fallen silent.
//!
//! It never waits for anything but the socket, its orders and the clock, and keeps no more than is on its way: what is
//! ordered is bounded by those who order, and what comes in by the broker's window and by the largest frame.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::codec::{Command, ExceptionResponse, Frame, Frames, KeepAliveInfo, MessageDispatch, Response, Version};
use super::codec::{Throwable, UnknownCommand};
use crate::target::stream::Stream;

/// Frames up to this size are written together.
const TOGETHER: usize = 64 * 1024;
/// Bytes to be written at which the task takes no more orders.
const ENOUGH: usize = 1024 * 1024;
/// Bytes read at once.
const READ: usize = 64 * 1024;
/// How often a connection without a limit of silence is looked at.
const LOOK: Duration = Duration::from_secs(60);

/// What a connection's task is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Send this; nobody waits for an answer. The room that it takes is given back when it has left.
    Tell(BytesMut, Option<OwnedSemaphorePermit>),
    /// Send this command; its answer goes there.
    Ask(i32, BytesMut, oneshot::Sender<Result<(), Throwable>>),
    /// Write what is left, and end.
    Close,
}

/// Why a connection ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) text: String,
}

impl End {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

/// What the broker said of its own accord.
#[derive(Debug, Default)]
pub(super) struct Heard {
    complaint: Mutex<Option<String>>,
    /// The broker's own name, which it makes anew at each start.
    pub(super) broker_id: OnceLock<Arc<str>>,
}

impl Heard {
    /// The last complaint about a command that wanted no answer; told once.
    pub(super) fn complaint(&self) -> Option<String> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How long either side may say nothing, as agreed in the handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// Zero: for ever.
    pub(super) limit: Duration,
    /// From the handshake until the limit counts.
    pub(super) initial_delay: Duration,
}

/// The task.
pub(super) struct Driver {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    wire: Wire,
    silence: Silence,
}

/// What the task knows, without the socket.
struct Wire {
    frames: Frames,
    incoming: BytesMut,
    outgoing: VecDeque<Chunk>,
    version: Version,
    waiting: HashMap<i32, oneshot::Sender<Result<(), Throwable>>>,
    delivered: mpsc::Sender<Box<MessageDispatch>>,
    heard: Arc<Heard>,
    /// The broker has answered something, so we are in.
    let_in: bool,
    last_command: i32,
}

/// Frames that are written together, and the room that they take until then.
struct Chunk {
    bytes: BytesMut,
    room: Option<OwnedSemaphorePermit>,
}

impl Driver {
    /// `incoming` is what came behind the broker's part of the handshake.
    pub(super) fn new(
        stream: Stream,
        frames: Frames,
        incoming: BytesMut,
        version: Version,
        silence: Silence,
        delivered: mpsc::Sender<Box<MessageDispatch>>,
        heard: Arc<Heard>,
    ) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let wire = Wire {
            frames,
            incoming,
            outgoing: VecDeque::new(),
            version,
            waiting: HashMap::new(),
            delivered,
            heard,
            let_in: false,
            last_command: 0,
        };
        Self { reader, writer, wire, silence }
    }

    /// Runs until the connection ends, and says why; who still waits learns of it then.
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        cut: CancellationToken,
        ended: watch::Sender<Option<End>>,
    ) {
        let end = tokio::select! {
            biased;
            () = cut.cancelled() => End::new("given up by the gateway"),
            end = self.drive(&mut orders) => end,
        };
        tracing::debug!(why = end.text, "an OpenWire connection ended");
        ended.send_replace(Some(end));
    }

    async fn drive(&mut self, orders: &mut mpsc::UnboundedReceiver<Order>) -> End {
        let Self { reader, writer, wire, silence } = self;
        let look = if silence.limit.is_zero() { LOOK } else { silence.limit / 3 };
        let mut looks = tokio::time::interval(look);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut read_at, mut written_at) = (Instant::now(), Instant::now());
        let counts_from = read_at + silence.initial_delay;
        let (mut closing, mut unflushed) = (false, false);
        if let Err(end) = wire.take_in() {
            return end;
        }
        loop {
            while wire.unwritten() < ENOUGH
                && let Ok(order) = orders.try_recv()
            {
                closing |= wire.order(order);
            }
            let idle = wire.outgoing.is_empty();
            if closing && idle && !unflushed {
                let _ = writer.shutdown().await;
                return End::new("closed by the gateway");
            }
            wire.incoming.reserve(READ);
            tokio::select! {
                biased;
                read = reader.read_buf(&mut wire.incoming) => match read {
                    Ok(0) => return End::new(match wire.heard.complaint() {
                        Some(why) => format!("the broker closed the connection: {why}"),
                        None => "the broker closed the connection".to_owned(),
                    }),
                    Ok(_) => {
                        read_at = Instant::now();
                        if let Err(end) = wire.take_in() {
                            return end;
                        }
                    }
                    Err(error) => return End::new(error.to_string()),
                },
                written = write(writer, &mut wire.outgoing), if !idle || unflushed => match written {
                    Ok(()) => {
                        written_at = Instant::now();
                        unflushed = !idle;
                    }
                    Err(error) => return End::new(error.to_string()),
                },
                order = orders.recv(), if !closing && wire.unwritten() < ENOUGH => match order {
                    Some(order) => closing |= wire.order(order),
                    None => return End::new("given up by the gateway"),
                },
                _ = looks.tick(), if !silence.limit.is_zero() => {
                    let now = Instant::now();
                    // Half as long again, for the broker looks as rarely as we do.
                    let silent_since = read_at.max(counts_from);
                    if now.saturating_duration_since(silent_since) > silence.limit * 3 / 2 {
                        let quiet = now.saturating_duration_since(read_at);
                        return End::new(format!("nothing came from the broker for {:.0} s", quiet.as_secs_f64()));
                    }
                    if idle && now.saturating_duration_since(written_at) >= look {
                        wire.say(KeepAliveInfo {}, false);
                    }
                }
            }
        }
    }
}

/// Writes some of what is to be written; where nothing is, sees that all of it has left.
async fn write(writer: &mut WriteHalf<Stream>, outgoing: &mut VecDeque<Chunk>) -> std::io::Result<()> {
    let Some(chunk) = outgoing.front_mut() else {
        return writer.flush().await;
    };
    if writer.write_buf(&mut chunk.bytes).await? == 0 {
        return Err(std::io::ErrorKind::WriteZero.into());
    }
    if !chunk.bytes.has_remaining() {
        outgoing.pop_front();
    }
    Ok(())
}

impl Wire {
    /// Bytes that are to be written, as far as it matters: one large frame is always let pass.
    fn unwritten(&self) -> usize {
        self.outgoing.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// Carries an order out; whether it was the last.
    fn order(&mut self, order: Order) -> bool {
        match order {
            Order::Tell(bytes, room) => self.write(bytes, room),
            Order::Ask(command_id, bytes, answer) => {
                self.waiting.insert(command_id, answer);
                self.write(bytes, None);
            }
            Order::Close => return true,
        }
        false
    }

    /// Puts a frame behind those to be written, small ones together.
    fn write(&mut self, bytes: BytesMut, room: Option<OwnedSemaphorePermit>) {
        match self.outgoing.back_mut() {
            Some(last) if last.bytes.len() + bytes.len() <= TOGETHER => {
                last.bytes.extend_from_slice(&bytes);
                match (&mut last.room, room) {
                    (Some(taken), Some(room)) => taken.merge(room),
                    (taken, room) => *taken = taken.take().or(room),
                }
            }
            _ => self.outgoing.push_back(Chunk { bytes, room }),
        }
    }

    /// Says something of the task's own; its ids are below zero, so that no answer is taken for another's.
    fn say(&mut self, command: impl Into<Command>, response_required: bool) {
        self.last_command = self.last_command.wrapping_sub(1);
        let frame = Frame { command_id: self.last_command, response_required, command: command.into() };
        let mut bytes = BytesMut::new();
        if frame.encode(self.version, &mut bytes).is_ok() {
            self.write(bytes, None);
        }
    }

    /// Deals with every whole frame that came.
    fn take_in(&mut self) -> Result<(), End> {
        while let Some(frame) = self.frames.next(&mut self.incoming).map_err(|error| End::new(error.to_string()))? {
            let frame = frame.decode(self.version).map_err(|error| End::new(error.to_string()))?;
            self.received(frame)?;
        }
        Ok(())
    }

    fn received(&mut self, frame: Frame) -> Result<(), End> {
        let Frame { command_id, response_required, command } = frame;
        if let Some(asked) = command.answers() {
            self.let_in = true;
            let answer = match command {
                Command::ExceptionResponse(refused) => Err(refused.throwable()),
                _ => Ok(()),
            };
            // Who no longer waits has given up on the connection, or on the unit.
            if let Some(waiting) = self.waiting.remove(&asked) {
                let _ = waiting.send(answer);
            }
            return Ok(());
        }
        match command {
            Command::MessageDispatch(dispatch) => match self.delivered.try_send(dispatch) {
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(End::new("the broker sends more messages than were asked for"));
                }
            },
            Command::KeepAliveInfo(_) => {
                if response_required {
                    self.say(KeepAliveInfo {}, false);
                }
                return Ok(());
            }
            Command::ConnectionError(error) => {
                let why = error.exception.unwrap_or_default();
                if !self.let_in {
                    return Err(End::new(format!("the broker ended it: {why}")));
                }
                // A command that wanted no answer was refused; the connection lives. What that means for a transaction its
                // commit tells.
                tracing::debug!(%why, "the broker complains");
                *self.heard.complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_string());
            }
            Command::ConnectionControl(control) if control.close || control.exit => {
                return Err(End::new("the broker asks its clients to leave"));
            }
            Command::BrokerInfo(info) => {
                if let Some(id) = info.broker_id {
                    let _ = self.heard.broker_id.set(id.value);
                }
            }
            // Others to connect to are not listened to: the lease on a channel is per broker, so only those of the
            // configured list count.
            Command::ConnectionControl(_) | Command::WireFormatInfo(_) => {}
            Command::ShutdownInfo(_) => return Err(End::new("the broker is shutting down")),
            Command::ConsumerControl(control) if control.close => {
                return Err(End::new("the broker closed our consumer"));
            }
            Command::Unknown(UnknownCommand { type_code, .. }) if response_required => {
                let why = format!("mqferry knows no command of type {type_code}");
                let exception = Throwable { class: Some("java.io.IOException".to_owned()), message: Some(why) };
                self.say(ExceptionResponse { correlation_id: command_id, exception: Some(exception) }, false);
                return Ok(());
            }
            _ => {}
        }
        if response_required {
            self.say(Response { correlation_id: command_id }, false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::{ConnectionControl, ConnectionError, ConsumerControl, DataResponse, ShutdownInfo};
    use super::*;

    fn wire() -> (Wire, mpsc::Receiver<Box<MessageDispatch>>) {
        let (delivered, deliveries) = mpsc::channel(1);
        let wire = Wire {
            frames: Frames::new(1 << 20),
            incoming: BytesMut::new(),
            outgoing: VecDeque::new(),
            version: Version::NEWEST,
            waiting: HashMap::new(),
            delivered,
            heard: Arc::default(),
            let_in: false,
            last_command: 0,
        };
        (wire, deliveries)
    }

    /// What is said after this came.
    fn said(frame: Frame) -> Result<Vec<Frame>, String> {
        let (mut wire, _deliveries) = wire();
        frame.encode(Version::NEWEST, &mut wire.incoming).unwrap();
        wire.take_in().map_err(|end| end.text)?;
        let mut bytes: BytesMut = wire.outgoing.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect();
        let mut frames = Frames::new(1 << 20);
        let mut said = Vec::new();
        while let Some(frame) = frames.next(&mut bytes).unwrap() {
            said.push(frame.decode(Version::NEWEST).unwrap());
        }
        Ok(said)
    }

    #[test]
    fn only_what_asks_is_answered() {
        assert_eq!(said(Frame::new(7, KeepAliveInfo {})), Ok(vec![]));
        let answer = said(Frame::asking(7, KeepAliveInfo {})).unwrap();
        assert!(matches!(&answer[..], [Frame { command: Command::KeepAliveInfo(_), response_required: false, .. }]));
        let answer = said(Frame::asking(8, ConnectionControl::default())).unwrap();
        assert!(matches!(&answer[..], [frame] if frame.command == Command::from(Response { correlation_id: 8 })));
        let unknown = || UnknownCommand { type_code: 93, rest: bytes::Bytes::from_static(b"x") };
        assert_eq!(
            said(Frame { command_id: 9, response_required: false, command: Command::Unknown(unknown()) }),
            Ok(vec![])
        );
        let asking = Frame { command_id: 9, response_required: true, command: Command::Unknown(unknown()) };
        let answer = said(asking).unwrap();
        assert!(
            matches!(&answer[..], [Frame { command: Command::ExceptionResponse(it), .. }] if it.correlation_id == 9)
        );
    }

    #[test]
    fn a_broker_that_ends_is_believed_and_peers_are_passed_over() {
        let peers = ConnectionControl {
            connected_brokers: Some("tcp://other:61616".into()),
            reconnect_to: Some("tcp://other:61616".into()),
            rebalance_connection: true,
            ..ConnectionControl::default()
        };
        assert_eq!(said(Frame::new(1, peers)), Ok(vec![]), "the lease is per broker");
        let leave = ConnectionControl { close: true, ..ConnectionControl::default() };
        assert!(said(Frame::new(1, leave)).unwrap_err().contains("asks its clients to leave"));
        assert!(said(Frame::new(1, ShutdownInfo {})).unwrap_err().contains("shutting down"));
        let closed = ConsumerControl { close: true, ..ConsumerControl::default() };
        assert!(said(Frame::new(1, closed)).unwrap_err().contains("closed our consumer"));
        let why = Throwable { class: Some("javax.jms.JMSException".into()), message: Some("two\nlines".into()) };
        let error = ConnectionError { exception: Some(why), connection_id: None };
        let error = Frame::new(1, error);
        assert_eq!(said(error.clone()).unwrap_err(), "the broker ended it: JMSException: two lines");

        // Once we are in it is about a command that wanted no answer.
        let (mut wire, _deliveries) = wire();
        for frame in [Frame::new(1, Response { correlation_id: 1 }), error] {
            frame.encode(Version::NEWEST, &mut wire.incoming).unwrap();
        }
        wire.take_in().map_err(|end| end.text).unwrap();
        assert_eq!(wire.heard.complaint().as_deref(), Some("JMSException: two lines"));
        assert_eq!(wire.heard.complaint(), None, "told once");
    }

    #[test]
    fn room_is_given_back_when_the_bytes_have_left() {
        let (mut wire, _deliveries) = wire();
        let room = Arc::new(tokio::sync::Semaphore::new(100));
        for _ in 0..2 {
            let permit = room.clone().try_acquire_many_owned(40).unwrap();
            wire.order(Order::Tell(BytesMut::from(&[0; 40][..]), Some(permit)));
        }
        assert_eq!((wire.outgoing.len(), room.available_permits()), (1, 20));
        wire.outgoing.clear();
        assert_eq!(room.available_permits(), 100);
    }

    #[test]
    fn answers_find_who_asked_and_no_other() {
        let (mut wire, _deliveries) = wire();
        let (first, mut to_first) = oneshot::channel();
        let (second, mut to_second) = oneshot::channel();
        wire.order(Order::Ask(1, BytesMut::new(), first));
        wire.order(Order::Ask(2, BytesMut::new(), second));
        let why = Throwable { class: Some("java.lang.SecurityException".into()), message: None };
        let refused = ExceptionResponse { correlation_id: 2, exception: Some(why.clone()) };
        for frame in [Frame::new(5, refused), Frame::new(6, Response { correlation_id: 99 })] {
            frame.encode(Version::NEWEST, &mut wire.incoming).unwrap();
        }
        wire.take_in().unwrap();
        assert_eq!(to_second.try_recv(), Ok(Err(why)));
        assert!(to_first.try_recv().is_err(), "not answered yet");
        let done = DataResponse { correlation_id: 1, data: None };
        Frame::new(7, done).encode(Version::NEWEST, &mut wire.incoming).unwrap();
        wire.take_in().unwrap();
        assert_eq!(to_first.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn small_frames_are_written_together_and_large_ones_are_not_copied() {
        let (mut wire, _deliveries) = wire();
        for _ in 0..100 {
            wire.write(BytesMut::from(&[0; 1000][..]), None);
        }
        assert_eq!(wire.outgoing.len(), 2);
        let large = BytesMut::from(&vec![0; TOGETHER + 1][..]);
        let place = large.as_ptr();
        wire.write(large, None);
        assert_eq!(wire.outgoing.back().map(|chunk| chunk.bytes.as_ptr()), Some(place));
        assert_eq!(wire.unwritten(), 100_000 + TOGETHER + 1);
    }
}
