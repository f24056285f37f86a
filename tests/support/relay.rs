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
    frozen: watch::Sender<bool>,
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
            }),
            cuts: watch::Sender::new((0, Cut::Reset)),
            frozen: watch::Sender::new(false),
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
        self.shared.frozen.send_replace(frozen);
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
        let record = |from_client, bytes: &[u8]| {
            let mut state = shared.lock();
            if state.record {
                let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                state.conversations[number].chunks.push(Chunk { at, from_client, bytes: bytes.to_vec() });
            }
        };
        let up = pump(from_client, to_server, limit(true), shared.frozen.subscribe(), |bytes| record(true, bytes));
        let down = pump(from_server, to_client, limit(false), shared.frozen.subscribe(), |bytes| record(false, bytes));
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

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    limit: Option<u64>,
    mut frozen: watch::Receiver<bool>,
    record: impl Fn(&[u8]),
) -> End {
    let mut left = limit;
    let mut buffer = vec![0; 64 << 10];
    loop {
        if left == Some(0) {
            return End::Limit;
        }
        let Ok(read) = from.read(&mut buffer).await else { return End::Broken };
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return End::Broken;
        }
        let through = left.map_or(read, |left| read.min(usize::try_from(left).unwrap_or(usize::MAX)));
        if read == 0 {
            return if to.shutdown().await.is_ok() { End::Closed } else { End::Broken };
        }
        // Recorded before it is sent on, so that an answer never stands before its question.
        record(&buffer[..through]);
        if to.write_all(&buffer[..through]).await.is_err() {
            return End::Broken;
        }
        left = left.map(|left| left - through as u64);
    }
}
