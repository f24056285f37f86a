//! One OpenWire connection: agreed on and logged in within a limit, its socket in the hands of one task ([`super::driver`]).
//!
//! Commands may be sent ahead of their answers; an answer is matched by the command's id. No wait is without a limit, and
//! each also ends when the connection does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::codec::{
    Agreed, Command, ConnectionId, ConnectionInfo, EncodeError, Frame, Frames, MessageDispatch, Primitive, RemoveInfo,
    ShutdownInfo, Structure, Throwable, WireFormatInfo,
};
use super::driver::{Driver, End, Heard, Order, Silence};
use super::refusal;
use crate::target::address::Endpoint;
use crate::target::failover::Refused;
use crate::target::record::fresh_holder;
use crate::target::speaks::{Meant, what_speaks};
use crate::target::stream::{Stream, dial};
use crate::target::{Side, TargetError};

/// Limit for the closing handshake, after which the socket is cut.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Bytes without an answer to come that may wait to be written. A broker that holds us up reads no more, and so the channel
/// waits, and our memory is bounded.
const UNWRITTEN: u32 = 8 * 1024 * 1024;

/// What a connection may have to take in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    /// Messages that may be on their way to us unacknowledged; what the broker sends beyond is no longer listened to.
    pub(super) messages: usize,
    /// Bytes of the largest frame.
    pub(super) frame: usize,
}

/// Messages as they come in.
pub(super) type Deliveries = mpsc::Receiver<Box<MessageDispatch>>;

/// The answer to a command, when it comes.
#[derive(Debug)]
pub(super) struct Asked(oneshot::Receiver<Result<(), Throwable>>);

/// An open connection. Dropping it cuts the socket; what it left undone the broker rolls back.
#[derive(Debug)]
pub(super) struct Connection {
    id: ConnectionId,
    agreed: Agreed,
    broker: String,
    provider: String,
    last_command: AtomicI32,
    orders: mpsc::UnboundedSender<Order>,
    ended: watch::Receiver<Option<End>>,
    heard: Arc<Heard>,
    room: Arc<Semaphore>,
    cut: CancellationToken,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

impl Connection {
    /// Connects and logs in as client `client_id`.
    pub(super) async fn open(
        settings: &Settings,
        endpoint: &Endpoint,
        client_id: &str,
    ) -> Result<(Self, Deliveries), Refused> {
        let limit = settings.options.connect_timeout;
        let mut first = BytesMut::new();
        let attempt = open_unbounded(settings, endpoint, client_id, &mut first);
        match tokio::time::timeout(limit, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let text = match what_speaks(&first, Meant::OpenWire) {
                    Some(text) => format!("{endpoint}: {text}"),
                    None => format!(
                        "{endpoint} did not answer within {limit:?}: check the address and what lies between, \
                         or whether the port wants TLS (ssl://)"
                    ),
                };
                Err(Refused::Target(TargetError { side: Side::Network, text, retry: true }))
            }
        }
    }

    /// Its name, which the names of sessions, producers and transactions begin with.
    pub(super) fn id(&self) -> &ConnectionId {
        &self.id
    }

    /// The broker, for messages.
    pub(super) fn broker(&self) -> &str {
        &self.broker
    }

    /// What the broker says it is, and the version agreed on.
    pub(super) fn provider(&self) -> String {
        format!("{} over OpenWire {}", self.provider, self.agreed.version)
    }

    /// Bytes of the largest frame that the broker takes, if it says.
    pub(super) fn max_frame(&self) -> Option<u64> {
        u64::try_from(self.agreed.max_frame_size).ok().filter(|size| (1..=u64::from(u32::MAX)).contains(size))
    }

    /// What the broker calls itself; another name after each start. None if it has not said yet.
    pub(super) fn broker_id(&self) -> Option<Arc<str>> {
        self.heard.broker_id.get().cloned()
    }

    /// The last complaint about a command that wanted no answer; told once.
    pub(super) fn complaint(&self) -> Option<String> {
        self.heard.complaint()
    }

    /// Writes a command behind `bytes`, with an id of its own, which it gives.
    ///
    /// When it cannot be written `bytes` are as they were.
    pub(super) fn put(
        &self,
        command: impl Into<Command>,
        asking: bool,
        bytes: &mut BytesMut,
    ) -> Result<i32, EncodeError> {
        let command_id = self.last_command.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let command = command.into();
        let content = match &command {
            Command::Message(message) => message.content.as_ref().map_or(0, bytes::Bytes::len),
            _ => 0,
        };
        bytes.reserve(content + 512);
        let frame = Frame { command_id, response_required: asking, command };
        frame.encode(self.agreed.version, bytes)?;
        Ok(command_id)
    }

    /// A command that will ask for an answer, ready to be sent: its bytes can be counted first.
    pub(super) fn ready(&self, command: impl Into<Command>) -> Result<Ready, EncodeError> {
        let mut bytes = BytesMut::new();
        self.ready_behind(command, &mut bytes)
    }

    /// The same, to be sent together with the frames in `before`, which want no answers.
    pub(super) fn ready_behind(
        &self,
        command: impl Into<Command>,
        before: &mut BytesMut,
    ) -> Result<Ready, EncodeError> {
        let command_id = self.put(command, true, before)?;
        Ok(Ready { command_id, bytes: before.split() })
    }

    /// Sends frames that want no answers, once enough of what was sent this way before has left; waits `limit` at most.
    pub(super) async fn send(&self, bytes: BytesMut, doing: &str, limit: Duration) -> Result<(), TargetError> {
        if self.has_ended() {
            return Err(self.lost_while(doing).await);
        }
        let size = u32::try_from(bytes.len()).unwrap_or(UNWRITTEN).min(UNWRITTEN);
        let room = match self.room.clone().try_acquire_many_owned(size) {
            Ok(room) => room,
            Err(_) => match tokio::time::timeout(limit, self.room.clone().acquire_many_owned(size)).await {
                Ok(Ok(room)) => room,
                // It is never closed.
                Ok(Err(_)) => return Err(self.lost_while(doing).await),
                Err(_) => return Err(self.late(doing, limit)),
            },
        };
        let _ = self.orders.send(Order::Tell(bytes, Some(room)));
        Ok(())
    }

    /// Sends what is ready.
    pub(super) fn post(&self, ready: Ready) -> Asked {
        let (answer, asked) = oneshot::channel();
        // Where the task has ended, the answer's other end goes with the order, and says so.
        let _ = self.orders.send(Order::Ask(ready.command_id, ready.bytes, answer));
        Asked(asked)
    }

    /// Sends a command and asks for an answer.
    pub(super) fn ask(&self, command: impl Into<Command>) -> Result<Asked, TargetError> {
        Ok(self.post(self.ready(command).map_err(|error| self.unwritable(&error))?))
    }

    /// Sends a command that wants no answer. Its failure ends the connection, and with it the transaction.
    pub(super) fn tell(&self, command: impl Into<Command>) -> Result<(), TargetError> {
        let mut bytes = BytesMut::new();
        self.put(command, false, &mut bytes).map_err(|error| self.unwritable(&error))?;
        let _ = self.orders.send(Order::Tell(bytes, None));
        Ok(())
    }

    pub(super) fn unwritable(&self, error: &EncodeError) -> TargetError {
        TargetError { side: Side::Ours, text: format!("{}: {error}", self.broker), retry: false }
    }

    /// Waits for an answer, for the end of the connection, or until `limit`, whichever comes first.
    pub(super) async fn answer(
        &self,
        asked: &mut Asked,
        doing: &str,
        limit: Duration,
    ) -> Result<Result<(), Throwable>, TargetError> {
        match tokio::time::timeout(limit, &mut asked.0).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(self.lost_while(doing).await),
            Err(_) => Err(self.late(doing, limit)),
        }
    }

    /// Sends a command and waits for its answer; a refusal is an error of the whole.
    pub(super) async fn call(
        &self,
        command: impl Into<Command>,
        doing: &str,
        limit: Duration,
    ) -> Result<(), TargetError> {
        let mut asked = self.ask(command)?;
        self.answer(&mut asked, doing, limit)
            .await?
            .map_err(|why| refusal::of_connection(&format!("{} failed while {doing}", self.broker), &why))
    }

    /// The next message, or none within `limit`.
    pub(super) async fn next(
        &self,
        deliveries: &mut Deliveries,
        doing: &str,
        limit: Duration,
    ) -> Result<Option<Box<MessageDispatch>>, TargetError> {
        match tokio::time::timeout(limit, deliveries.recv()).await {
            Ok(Some(delivery)) => Ok(Some(delivery)),
            Ok(None) => Err(self.lost_while(doing).await),
            Err(_) => Ok(None),
        }
    }

    /// The error of an answer that did not come in time.
    fn late(&self, doing: &str, limit: Duration) -> TargetError {
        TargetError {
            side: Side::Network,
            text: format!(
                "{} did not answer within {limit:.1?} while {doing}: its store or memory may be full, or its disk slow",
                self.broker
            ),
            retry: true,
        }
    }

    /// Waits until the connection has ended; says why.
    pub(super) async fn lost_while(&self, doing: &str) -> TargetError {
        let mut ended = self.ended.clone();
        let end = ended.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        let end = end.unwrap_or_else(|| End { text: "the connection ended".to_owned() });
        TargetError {
            side: Side::Network,
            text: format!("{} was lost while {doing}: {}", self.broker, end.text),
            retry: true,
        }
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Ends it at once, without a word to the broker.
    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    /// Ends it in an orderly way, within a limit. The client id is free when this returns.
    pub(super) async fn close(self) {
        let bye = async {
            let remove = RemoveInfo::new(Structure::ConnectionId(self.id.clone()));
            if self.call(remove, "closing", CLOSE_LIMIT).await.is_ok() && self.tell(ShutdownInfo {}).is_ok() {
                let _ = self.orders.send(Order::Close);
                self.lost_while("closing").await;
            }
        };
        let _ = tokio::time::timeout(CLOSE_LIMIT, bye).await;
        self.cut();
    }
}

/// A command as bytes.
#[derive(Debug)]
pub(super) struct Ready {
    command_id: i32,
    bytes: BytesMut,
}

impl Ready {
    /// Bytes on the wire, without the size field.
    pub(super) fn frame_bytes(&self) -> u64 {
        self.bytes.len().saturating_sub(4) as u64
    }
}

async fn open_unbounded(
    settings: &Settings,
    endpoint: &Endpoint,
    client_id: &str,
    first: &mut BytesMut,
) -> Result<(Connection, Deliveries), Refused> {
    let stream = dial(endpoint, settings.tls.as_ref(), "OpenWire").await?;
    let (stream, shaken) = shake(settings, endpoint, stream, first).await?;
    let Shaken { agreed, provider, silence, frames, buffer } = shaken;
    // Only what makes it unlike all others matters; the prefix is that of other clients.
    let id = ConnectionId::new(format!("ID:mqferry {}", fresh_holder()).replace(' ', "-"));
    let (orders, ordered) = mpsc::unbounded_channel();
    let (delivered, deliveries) = mpsc::channel(settings.intake.messages);
    let (end, ended) = watch::channel(None);
    let cut = CancellationToken::new();
    let heard = Arc::new(Heard::default());
    let driver = Driver::new(stream, frames, buffer, agreed.version, silence, delivered, heard.clone());
    tokio::spawn(driver.run(ordered, cut.clone(), end));
    let broker = endpoint.to_string();
    let (last_command, room) = (AtomicI32::new(0), Arc::new(Semaphore::new(UNWRITTEN as usize)));
    let connection = Connection { id, agreed, broker, provider, last_command, orders, ended, heard, room, cut };
    connection.log_in(settings, endpoint, client_id).await?;
    Ok((connection, deliveries))
}

impl Connection {
    async fn log_in(&self, settings: &Settings, endpoint: &Endpoint, client_id: &str) -> Result<(), Refused> {
        let mut info = ConnectionInfo::new(self.id.clone());
        info.client_id = Some(client_id.to_owned());
        if let Some(login) = &settings.login {
            info.user_name = Some(login.user.clone());
            info.password = Some(login.password.as_str().to_owned());
        }
        // The caller's limit holds for all of it.
        let limit = settings.options.connect_timeout;
        let mut asked = self.ask(info)?;
        match self.answer(&mut asked, "logging in", limit).await? {
            Ok(()) => Ok(()),
            Err(why) => Err(refusal::of_login(endpoint, settings.login.as_ref(), &why)),
        }
    }
}

/// What the handshake came to.
struct Shaken {
    agreed: Agreed,
    provider: String,
    silence: Silence,
    frames: Frames,
    /// What came behind the broker's part of it.
    buffer: BytesMut,
}

/// Both sides say at once what they want, and hold to the lesser of each.
async fn shake(
    settings: &Settings,
    endpoint: &Endpoint,
    mut stream: Stream,
    first: &mut BytesMut,
) -> Result<(Stream, Shaken), TargetError> {
    let ours = ours(settings, endpoint);
    let mut bytes = BytesMut::new();
    let written = Frame::new(0, ours.clone()).encode(super::codec::Version::NEWEST, &mut bytes);
    written.map_err(|error| TargetError { side: Side::Ours, text: format!("{endpoint}: {error}"), retry: false })?;
    let mut frames = Frames::new(settings.intake.frame);
    let mut buffer = BytesMut::new();
    let written = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    // A port that takes nothing may still say what it is.
    let failed = written.await.err();
    let theirs = loop {
        let frame = frames.next(&mut buffer).map_err(|error| not_openwire(endpoint, first, &error.to_string()))?;
        if let Some(frame) = frame {
            let frame = frame.decode(super::codec::Version::NEWEST);
            match frame.map_err(|error| not_openwire(endpoint, first, &error.to_string()))?.command {
                Command::WireFormatInfo(info) => break info,
                other => {
                    let text = format!("it began with {}", other.name());
                    return Err(not_openwire(endpoint, first, &text));
                }
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return Err(closed(endpoint, first, failed.as_ref())),
            Ok(_) => {
                // What the loop has not taken off is all that came.
                first.clear();
                first.extend_from_slice(buffer.get(..buffer.len().min(16)).unwrap_or_default());
            }
            Err(error) => return Err(closed(endpoint, first, Some(&error))),
        }
    };
    let agreed = ours.agree(&theirs).map_err(|error| TargetError {
        side: Side::Broker,
        text: format!("{endpoint}: {error}"),
        retry: false,
    })?;
    let provider =
        ["ProviderName", "ProviderVersion"].map(|name| theirs.text(name).unwrap_or_default().to_owned()).join(" ");
    let delay = [&ours, &theirs].into_iter().filter_map(|info| info.long(INITIAL_DELAY)).min().unwrap_or(0);
    let silence = Silence {
        limit: Duration::from_millis(agreed.max_inactivity_ms.unsigned_abs()),
        initial_delay: Duration::from_millis(delay.max(0).unsigned_abs()),
    };
    Ok((stream, Shaken { agreed, provider, silence, frames, buffer }))
}

/// ActiveMQ's spelling.
const INITIAL_DELAY: &str = "MaxInactivityDurationInitalDelay";

fn ours(settings: &Settings, endpoint: &Endpoint) -> WireFormatInfo {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let options = &settings.options;
    let max_frame = options.max_message.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(i64::MAX);
    let mut info = WireFormatInfo::ours(settings.version, millis(options.inactivity), max_frame, &endpoint.host);
    for (name, value) in &mut info.properties.0 {
        if name == INITIAL_DELAY {
            *value = Primitive::Long(millis(options.inactivity_initial_delay));
        }
    }
    info
}

fn not_openwire(endpoint: &Endpoint, first: &[u8], why: &str) -> TargetError {
    let text = match what_speaks(first, Meant::OpenWire) {
        Some(text) => format!("{endpoint}: {text}"),
        None => format!("{endpoint} does not speak OpenWire: {why}"),
    };
    TargetError { side: Side::Ours, text, retry: false }
}

/// The other side closed before it said what it is.
fn closed(endpoint: &Endpoint, first: &[u8], error: Option<&std::io::Error>) -> TargetError {
    if let Some(text) = what_speaks(first, Meant::OpenWire) {
        return TargetError { side: Side::Ours, text: format!("{endpoint}: {text}"), retry: false };
    }
    let why = error.map_or_else(String::new, |error| format!(" ({error})"));
    let text = if endpoint.tls {
        format!("{endpoint} closed the connection without a word{why}")
    } else {
        format!("{endpoint} closed the connection without a word{why}: if this is a TLS port, write ssl://")
    };
    TargetError { side: Side::Network, text, retry: true }
}
