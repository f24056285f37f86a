//! The task that owns a connection's socket: writes what is ordered, gives answers and messages to those who wait for
//! them, keeps the connection alive and notices when the other side has fallen silent.
//!
//! It never waits for anything but the socket, its orders and the clock, and keeps no more than is on its way: what is
//! ordered is bounded by those who order, and what comes in by the broker's window and by the largest frame.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
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
    /// Send this; nobody waits for an answer.
    Tell(BytesMut),
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
    outgoing: VecDeque<BytesMut>,
    version: Version,
    waiting: HashMap<i32, oneshot::Sender<Result<(), Throwable>>>,
    delivered: mpsc::Sender<Box<MessageDispatch>>,
    last_command: i32,
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
    ) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let wire = Wire {
            frames,
            incoming,
            outgoing: VecDeque::new(),
            version,
            waiting: HashMap::new(),
            delivered,
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
                    Ok(0) => return End::new("the broker closed the connection"),
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
async fn write(writer: &mut WriteHalf<Stream>, outgoing: &mut VecDeque<BytesMut>) -> std::io::Result<()> {
    let Some(chunk) = outgoing.front_mut() else {
        return writer.flush().await;
    };
    if writer.write_buf(chunk).await? == 0 {
        return Err(std::io::ErrorKind::WriteZero.into());
    }
    if !chunk.has_remaining() {
        outgoing.pop_front();
    }
    Ok(())
}

impl Wire {
    /// Bytes that are to be written, as far as it matters: one large frame is always let pass.
    fn unwritten(&self) -> usize {
        self.outgoing.iter().map(BytesMut::len).sum()
    }

    /// Carries an order out; whether it was the last.
    fn order(&mut self, order: Order) -> bool {
        match order {
            Order::Tell(bytes) => self.write(bytes),
            Order::Ask(command_id, bytes, answer) => {
                self.waiting.insert(command_id, answer);
                self.write(bytes);
            }
            Order::Close => return true,
        }
        false
    }

    /// Puts a frame behind those to be written, small ones together.
    fn write(&mut self, bytes: BytesMut) {
        match self.outgoing.back_mut() {
            Some(last) if last.len() + bytes.len() <= TOGETHER => last.extend_from_slice(&bytes),
            _ => self.outgoing.push_back(bytes),
        }
    }

    /// Says something of the task's own; its ids are below zero, so that no answer is taken for another's.
    fn say(&mut self, command: impl Into<Command>, response_required: bool) {
        self.last_command = self.last_command.wrapping_sub(1);
        let frame = Frame { command_id: self.last_command, response_required, command: command.into() };
        let mut bytes = BytesMut::new();
        if frame.encode(self.version, &mut bytes).is_ok() {
            self.write(bytes);
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
                return Err(End::new(format!("the broker ended it: {why}")));
            }
            Command::ConnectionControl(control) if control.close || control.exit => {
                return Err(End::new("the broker asks its clients to leave"));
            }
            // Others to connect to are not listened to: the lease on a channel is per broker, so only those of the
            // configured list count.
            Command::ConnectionControl(_) | Command::BrokerInfo(_) | Command::WireFormatInfo(_) => {}
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
