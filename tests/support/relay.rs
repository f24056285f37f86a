//! A TCP relay on loopback that changes no byte, records both directions, and can cut or freeze a connection.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::disallowed_methods, reason = "real connections and stores run by the real clock")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::pcap::{Chunk, Conversation};

/// A listener whose connections all lead to one address; ends when dropped.
pub(crate) struct Relay {
    /// Where to connect instead.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// RST to both sides, as from a machine that lost its memory.
    Reset,
    /// FIN to both sides.
    Close,
}

/// Reads along and says where to stop: at which frame, and after how many of its bytes.
pub(crate) trait Gate: Send {
    /// Bytes of the frame that begins here, or none until that can be told.
    fn length(&self, begun: &[u8]) -> Option<usize>;

    /// A whole frame is about to go through on the so manieth connection. Some: so many bytes of it still go, and then
    /// nothing in either direction on any connection; the gate is not asked again.
    fn stop(&mut self, connection: usize, from_client: bool, frame: &[u8]) -> Option<usize>;
}

/// What moves on and what does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Freeze {
    /// Nothing moves.
    all: bool,
    /// The connections before this one are black holes.
    lost: usize,
    /// The connections before this one end, for the side that was connected to, as if the other side had closed.
    half_closed: usize,
}

/// Bytes in one direction after which a connection is cut; the bytes up to there still go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutAfter {
    /// Whether the bytes of the side that connected are counted.
    pub(crate) from_client: bool,
    /// How many go through on that connection.
    pub(crate) bytes: u64,
    /// How it ends.
    pub(crate) how: Cut,
}

struct Shared {
    state: Mutex<State>,
    /// Counts the commands to cut; each connection ends when it changes.
    cuts: watch::Sender<(u64, Cut)>,
    frozen: watch::Sender<Freeze>,
    /// Whether the gate has stopped everything; the bytes that may go have gone.
    stopped: watch::Sender<bool>,
    changed: Notify,
}

struct State {
    upstream: SocketAddr,
    record: bool,
    refuse: bool,
    conversations: Vec<Conversation>,
    accepted: usize,
    live: usize,
    cut_next: Option<CutAfter>,
    gate: Option<Box<dyn Gate>>,
}

impl Relay {
    /// Starts to relay to `upstream`, recording.
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        Self::listen(upstream, (Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// The same on a chosen address.
    pub(crate) async fn listen(upstream: SocketAddr, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a loopback port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                upstream,
                record: true,
                refuse: false,
                conversations: Vec::new(),
                accepted: 0,
                live: 0,
                cut_next: None,
                gate: None,
            }),
            cuts: watch::Sender::new((0, Cut::Reset)),
            frozen: watch::Sender::default(),
            stopped: watch::Sender::new(false),
            changed: Notify::new(),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, task }
    }

    /// New connections go here from now on.
    pub(crate) fn lead_to(&self, upstream: SocketAddr) {
        self.shared.lock().upstream = upstream;
    }

    /// Whether bytes are kept; they are, unless told otherwise, and a long run needs the memory.
    pub(crate) fn set_recording(&self, record: bool) {
        self.shared.lock().record = record;
    }

    /// Resets new connections instead of relaying them.
    pub(crate) fn set_refusing(&self, refuse: bool) {
        self.shared.lock().refuse = refuse;
    }

    /// Cuts all connections now.
    pub(crate) fn cut(&self, how: Cut) {
        self.shared.cuts.send_modify(|(count, kind)| {
            *count += 1;
            *kind = how;
        });
    }

    /// The next connection is cut so; those after it are not.
    pub(crate) fn cut_next(&self, cut: CutAfter) {
        self.shared.lock().cut_next = Some(cut);
    }

    /// Keeps all connections open but moves nothing (a black hole), or moves on.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.shared.frozen.send_modify(|freeze| freeze.all = frozen);
    }

    /// From now on whole frames go through, until this gate stops everything as [`Relay::set_frozen`] does.
    pub(crate) fn set_gate(&self, gate: impl Gate + 'static) {
        self.shared.stopped.send_replace(false);
        self.shared.lock().gate = Some(Box::new(gate));
    }

    /// Waits until the gate has stopped everything.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stopped = self.shared.stopped.subscribe();
        async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
    }

    /// The connections that are open now stay open, and nothing comes out of them any more; later ones are whole.
    pub(crate) fn lose(&self) {
        let open = self.shared.lock().conversations.len();
        self.shared.frozen.send_modify(|freeze| freeze.lost = open);
    }

    /// On the connections that are open now the side that was connected to sees the other's end; what it still says goes
    /// through. Bytes that were held are gone.
    pub(crate) fn half_close(&self) {
        let open = self.shared.lock().conversations.len();
        self.shared.frozen.send_modify(|freeze| freeze.half_closed = open);
    }

    /// Connections so far, those cut included.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Connections that are open now.
    pub(crate) fn live(&self) -> usize {
        self.shared.lock().live
    }

    /// Waits until no connection is open, for a bounded time.
    pub(crate) async fn idle(&self, patience: Duration) {
        let idle = async {
            loop {
                let changed = self.shared.changed.notified();
                if self.live() == 0 {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, idle).await.expect("the relay's connections did not end in time");
    }

    /// What went over each connection so far, those without any byte left out.
    pub(crate) fn conversations(&self) -> Vec<Conversation> {
        self.shared.lock().conversations.iter().filter(|it| !it.chunks.is_empty()).cloned().collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.cut(Cut::Reset);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let (upstream, cut_after, number) = {
            let mut state = shared.lock();
            state.accepted += 1;
            if state.refuse {
                let _ = client.set_zero_linger();
                continue;
            }
            state.live += 1;
            let number = state.conversations.len();
            state.conversations.push(Conversation::number(number));
            (state.upstream, state.cut_next.take(), number)
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            relay(client, upstream, cut_after, number, &shared).await;
            shared.lock().live -= 1;
            shared.changed.notify_waiters();
        });
    }
}

async fn relay(
    mut client: TcpStream,
    upstream: SocketAddr,
    cut_after: Option<CutAfter>,
    number: usize,
    shared: &Shared,
) {
    let mut cuts = shared.cuts.subscribe();
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let how = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let limit = |from_client| cut_after.filter(|cut| cut.from_client == from_client).map(|cut| cut.bytes);
        let up = pump(from_client, to_server, limit(true), Direction { number, from_client: true, shared });
        let down = pump(from_server, to_client, limit(false), Direction { number, from_client: false, shared });
        let both = async {
            tokio::pin!(up, down);
            let (mut up_over, mut down_over) = (false, false);
            while !(up_over && down_over) {
                let end = tokio::select! {
                    end = &mut up, if !up_over => { up_over = true; end }
                    end = &mut down, if !down_over => { down_over = true; end }
                };
                match end {
                    End::Closed => {}
                    End::Broken => return Some(Cut::Reset),
                    End::Limit => return cut_after.map(|cut| cut.how),
                }
            }
            None
        };
        tokio::select! {
            how = both => how,
            _ = cuts.changed() => Some(cuts.borrow().1),
        }
    };
    if how == Some(Cut::Reset) {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// Why one direction ended.
enum End {
    /// Its sender closed it; the receiver was told.
    Closed,
    /// Reading or writing failed.
    Broken,
    /// The bytes that may go through have gone.
    Limit,
}

/// One direction of one connection.
#[derive(Clone, Copy)]
struct Direction<'a> {
    number: usize,
    from_client: bool,
    shared: &'a Shared,
}

impl Direction<'_> {
    fn moves(self, freeze: Freeze) -> bool {
        !freeze.all && self.number >= freeze.lost
    }

    fn is_over(self, freeze: Freeze) -> bool {
        self.from_client && self.number < freeze.half_closed
    }

    /// How many bytes may go now, and whether all stops then; none: more must come first.
    fn piece(self, pending: &[u8]) -> Option<(usize, bool)> {
        let mut state = self.shared.lock();
        let Some(gate) = &mut state.gate else { return Some((pending.len(), false)) };
        let length = gate.length(pending)?;
        match gate.stop(self.number, self.from_client, pending.get(..length)?) {
            None => Some((length, false)),
            Some(through) => {
                state.gate = None;
                // Before the bytes go: nothing that they lead to comes back.
                self.shared.frozen.send_modify(|freeze| freeze.all = true);
                Some((through, true))
            }
        }
    }

    fn record(self, bytes: &[u8]) {
        let mut state = self.shared.lock();
        if state.record && !bytes.is_empty() {
            let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let chunk = Chunk { at, from_client: self.from_client, bytes: bytes.to_vec() };
            state.conversations[self.number].chunks.push(chunk);
        }
    }
}

async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, limit: Option<u64>, direction: Direction<'_>) -> End {
    let shared = direction.shared;
    let (mut frozen, mut ended) = (shared.frozen.subscribe(), shared.frozen.subscribe());
    let mut left = limit;
    let mut buffer = vec![0; 64 << 10];
    let mut pending = Vec::new();
    loop {
        if left == Some(0) {
            return End::Limit;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = ended.wait_for(|freeze| direction.is_over(*freeze)) => Ok(0),
        };
        let Ok(read) = read else { return End::Broken };
        pending.extend_from_slice(&buffer[..read]);
        loop {
            let go_on = |freeze: &Freeze| direction.moves(*freeze) || direction.is_over(*freeze);
            match frozen.wait_for(go_on).await.map(|freeze| *freeze) {
                Err(_) => return End::Broken,
                Ok(freeze) if direction.is_over(freeze) => {
                    return if to.shutdown().await.is_ok() { End::Closed } else { End::Broken };
                }
                Ok(_) => {}
            }
            // What is left of a frame at the end goes as it is.
            let piece = if read == 0 { Some((pending.len(), false)) } else { direction.piece(&pending) };
            let Some((piece, stops)) = piece else { break };
            let through = left.map_or(piece, |left| piece.min(usize::try_from(left).unwrap_or(usize::MAX)));
            // Recorded before it is sent on, so that an answer never stands before its question.
            direction.record(&pending[..through]);
            if to.write_all(&pending[..through]).await.is_err() {
                return End::Broken;
            }
            pending.drain(..through);
            left = left.map(|left| left - through as u64);
            if stops {
                shared.stopped.send_replace(true);
            }
            if left == Some(0) || pending.is_empty() {
                break;
            }
        }
        if read == 0 {
            return if to.shutdown().await.is_ok() { End::Closed } else { End::Broken };
        }
    }
}
