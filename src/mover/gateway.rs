//! The gateway: what is defined, the target, and everything that channels share.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clerk;
use super::dialer::Dialer;
use super::listener;
use super::lobby::Lobby;
use super::memory::MemoryBudget;
use super::running::Running;
use crate::admin::{ChannelBoard, Health};
use crate::channel::{Definition, Identity};
use crate::clock::Clock;
use crate::mapping::{self, Destination, Mapped, Policy, Unmappable};
use crate::message::Envelope;
use crate::target::{Outlets, Source, Target};
use crate::telemetry::{Metrics, Repeats};

/// How long the end takes of channels that end at once: a rollback and a closed connection.
const HURRY_LIMIT: Duration = Duration::from_secs(5);

/// How often a target that was away is looked for.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// While something is down its line passes this often.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// What a gateway is told at its start.
#[derive(Debug)]
pub struct Settings {
    /// How partners see us.
    pub identity: Identity,
    /// The channels, by name.
    pub definitions: HashMap<String, Definition>,
    /// What sending channels consume, by the channel's name.
    pub outlets: HashMap<String, Outlets>,
    /// Names that we answer for, and routes.
    pub policy: Policy,
    /// Where messages go that cannot be delivered.
    pub deadq: Destination,
    /// Room in bytes for messages in flight on all channels together.
    pub memory: MemoryBudget,
    /// Where channels say what they do, and are told what operators want.
    pub board: ChannelBoard,
    /// Counts.
    pub metrics: Metrics,
    /// Readiness.
    pub health: Health,
}

/// Everything that instances share.
#[derive(Debug)]
pub(crate) struct Gateway<T> {
    pub(super) settings: Settings,
    pub(super) target: T,
    pub(super) running: Running,
    pub(super) lobby: Lobby,
    pub(super) clock: Clock,
    pub(super) repeats: Repeats,
    /// Cancelled when every channel is to end between batches.
    pub(super) shutdown: CancellationToken,
    /// Cancelled when those that have not ended yet are to end at once.
    pub(super) hurry: CancellationToken,
}

impl<T> Gateway<T> {
    /// The line to log now for a failure that may repeat; none while an equal one was told lately.
    pub(super) fn note(&self, line: &str) -> Option<String> {
        self.repeats.note(line, self.clock.now())
    }
}

impl<T: Target> Gateway<T> {
    /// What a message becomes that came at `now_ms`; in bytes where the target would spoil the form that its own headers ask for.
    pub(super) fn publication(&self, envelope: &Envelope, now_ms: i64) -> Result<Mapped, Unmappable> {
        let policy = &self.settings.policy;
        let mapped = mapping::publish(envelope, policy, now_ms)?;
        match self.target.carries(&mapped.publication) {
            Ok(()) => Ok(mapped),
            Err(why) => mapping::publish_as_bytes(envelope, policy, now_ms, &why),
        }
    }

    /// The same of a report that we made.
    pub(super) fn report(&self, report: &Envelope, now_ms: i64) -> Result<Mapped, Unmappable> {
        let policy = &self.settings.policy;
        let mapped = mapping::reports::publish(report, policy, None, now_ms)?;
        match self.target.carries(&mapped.publication) {
            Ok(()) => Ok(mapped),
            Err(why) => mapping::reports::publish(report, policy, Some(&why), now_ms),
        }
    }
}

/// A gateway that runs; see [`start`].
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    running: Running,
    shutdown: CancellationToken,
    hurry: CancellationToken,
    tasks: TaskTracker,
}

/// Starts a gateway on a listener that is already bound. It serves until [`Handle::stop`].
///
/// # Errors
/// When the listener has no address.
pub fn start<T: Source>(settings: Settings, target: T, listener: TcpListener) -> io::Result<Handle> {
    let address = listener.local_addr()?;
    let (tasks, running) = (TaskTracker::new(), Running::default());
    let (shutdown, hurry) = (CancellationToken::new(), CancellationToken::new());
    settings.health.listening(true);
    let gateway = Arc::new(Gateway {
        settings,
        target,
        running: running.clone(),
        lobby: Lobby::default(),
        clock: Clock::default(),
        repeats: Repeats::new(REPEAT_INTERVAL),
        shutdown: shutdown.clone(),
        hurry: hurry.clone(),
    });
    tasks.spawn(keep_looking(gateway.clone()));
    tasks.spawn(clerk::serve(gateway.clone()));
    for definition in gateway.settings.definitions.values() {
        if let Some(dialer) = Dialer::new(gateway.clone(), definition) {
            tasks.spawn(dialer.run());
        }
    }
    tasks.spawn(listener::accept(gateway, listener, tasks.clone()));
    Ok(Handle { address, running, shutdown, hurry, tasks })
}

/// While the target is known to be away, sees now and then whether it is back: readiness must not wait for a caller.
async fn keep_looking<T: Target>(gateway: Arc<Gateway<T>>) {
    loop {
        tokio::select! {
            () = gateway.shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        if gateway.settings.health.target_is_away() {
            let found = gateway.target.look().await.map_err(|error| error.text);
            if let Some(line) = found.as_ref().err().and_then(|why| gateway.note(&format!("target: {why}"))) {
                tracing::warn!("{line}");
            }
            gateway.settings.health.target(found);
        }
    }
}

impl Handle {
    /// Where partners find us.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more callers, lets batches in hand end, then the channels. A channel can tell its partner only with an answer,
    /// so an idle one may need its heartbeat interval: what has not ended after `limit` ends at once, an open batch rolled
    /// back. Gives how many did not even do that.
    pub async fn stop(self, limit: Duration) -> usize {
        self.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            self.hurry.cancel();
            let _ = tokio::time::timeout(HURRY_LIMIT, self.tasks.wait()).await;
        }
        self.running.count()
    }
}
