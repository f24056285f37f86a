//! The queue manager itself: its listener, the channels that run, and what they share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::greeting::{call, greet};
use super::instance::Instance;
use super::journal::{ChannelId, Closed, Journal};
use super::options::{Receiving, Second, Tally};
use crate::partner::capture::Capture;
use crate::partner::conversation::Conversation;
use crate::partner::death::{Fate, Step};
use crate::partner::sender::connect;
use crate::partner::{Agreed, PartnerError};

/// A queue manager that receives. Its clones are the same one.
#[derive(Clone, Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
}

/// What its connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Receiving,
    journal: Mutex<Journal>,
    fate: Mutex<Fate>,
    tally: Mutex<Tally>,
    running: Mutex<HashMap<ChannelId, Running>>,
    connections: AtomicU64,
    /// Requests for confirmation in its life.
    requests: AtomicU32,
    /// Lies that it may still tell.
    lies: AtomicU32,
    stopping: watch::Sender<bool>,
}

/// A connection that has a channel.
#[derive(Debug)]
struct Running {
    connection: u64,
    /// Tells it to end.
    _end: oneshot::Sender<()>,
}

/// A channel in the hands of one connection, until dropped.
#[derive(Debug)]
pub(super) struct Claim {
    shared: Arc<Shared>,
    pub(super) id: ChannelId,
    pub(super) connection: u64,
    /// Resolves when another connection takes the channel.
    pub(super) lost: oneshot::Receiver<()>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut running = held(&self.shared.running);
        if running.get(&self.id).is_some_and(|it| it.connection == self.connection) {
            running.remove(&self.id);
        }
    }
}

impl Receiver {
    /// A queue manager on its folder, made if missing. Error: another one runs there.
    pub fn open(options: Receiving) -> Result<Self, PartnerError> {
        let journal = Journal::open(&options.folder, options.fsync)?;
        let shared = Shared {
            journal: Mutex::new(journal),
            fate: Mutex::new(Fate::new(options.die_at)),
            tally: Mutex::default(),
            running: Mutex::default(),
            connections: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            lies: AtomicU32::new(options.habits.lies),
            stopping: watch::Sender::new(false),
            options,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// RCVR: takes every caller of this listener until it is told to stop, or dies. Dropped before, it is the end of the
    /// queue manager, as by `kill -9`: all connections are cut, nothing is committed any more, the folder is free.
    pub async fn serve(&self, listener: &TcpListener) -> Result<(), PartnerError> {
        let mut alive = Alive { shared: &self.shared, kill: true };
        let outcome = self.accept(listener).await;
        alive.kill = false;
        outcome
    }

    async fn accept(&self, listener: &TcpListener) -> Result<(), PartnerError> {
        let mut stopping = self.shared.stopping.subscribe();
        let mut connections = JoinSet::new();
        let mut stops = false;
        loop {
            if stops && connections.is_empty() {
                return Ok(());
            }
            tokio::select! {
                accepted = listener.accept() => {
                    let what = || "accepting callers".to_owned();
                    let (stream, _) = accepted.map_err(|source| PartnerError::Network { what: what(), source })?;
                    let _ = stream.set_nodelay(true);
                    connections.spawn(called(Arc::clone(&self.shared), stream));
                }
                Some(ended) = connections.join_next() => match ended {
                    Ok(Err(PartnerError::Died(step))) => return Err(PartnerError::Died(step)),
                    Ok(Err(error)) => self.shared.tally().troubles.push(error.to_string()),
                    Ok(Ok(())) => {}
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
                _ = stopping.wait_for(|stop| *stop), if !stops => stops = true,
            }
        }
    }

    /// RCVR: takes one caller, on a connection of any kind, until it ends.
    pub async fn take<S: AsyncRead + AsyncWrite>(&self, stream: S) -> Result<(), PartnerError> {
        called(Arc::clone(&self.shared), stream).await
    }

    /// RQSTR: calls a server, and takes what it sends on that connection until it ends it.
    pub async fn request(&self, channel: &str, address: &str) -> Result<(), PartnerError> {
        let options = &self.shared.options;
        let mut conversation = connect(address, options.answer_timeout, options.capture.as_deref()).await?;
        let outcome = match call(&self.shared, &mut conversation, channel).await {
            Ok((agreed, claim)) => run(&self.shared, &mut conversation, agreed, claim).await,
            Err(error) => Err(error),
        };
        ended(conversation, outcome).await
    }

    /// STOP CHANNEL: each channel asks for its end with its next answer; callers are refused from now on. `serve` comes
    /// back when the last connection has ended.
    pub fn stop(&self) {
        self.shared.stopping.send_replace(true);
    }

    /// What it did so far.
    pub fn tally(&self) -> Tally {
        self.shared.tally().clone()
    }
}

/// Ends the queue manager if it is dropped too early.
struct Alive<'a> {
    shared: &'a Shared,
    kill: bool,
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        if self.kill {
            self.shared.journal().close(Closed::Killed);
        }
    }
}

/// One caller, from its first segment to its last.
async fn called<S: AsyncRead + AsyncWrite>(shared: Arc<Shared>, stream: S) -> Result<(), PartnerError> {
    let mut conversation = Conversation::new(stream, Capture::open(shared.options.capture.as_deref())?);
    let outcome = match greet(&shared, &mut conversation).await {
        Ok((agreed, claim)) => run(&shared, &mut conversation, agreed, claim).await,
        Err(error) => Err(error),
    };
    ended(conversation, outcome).await
}

async fn run<S: AsyncRead + AsyncWrite>(
    shared: &Shared,
    conversation: &mut Conversation<S>,
    agreed: Agreed,
    claim: Claim,
) -> Result<(), PartnerError> {
    {
        let mut tally = shared.tally();
        tally.connections += 1;
        tally.agreed = Some(agreed.clone());
    }
    conversation.takes_up_to(usize::try_from(agreed.max_transmission_size).unwrap_or(0));
    shared.die(Step::AfterInitialData)?;
    Instance::new(shared, conversation, agreed, claim).serve().await
}

/// The dead and the replaced just vanish; others see to it that their last words arrive.
async fn ended<S: AsyncRead + AsyncWrite>(
    conversation: Conversation<S>,
    outcome: Result<(), PartnerError>,
) -> Result<(), PartnerError> {
    if !matches!(outcome, Err(PartnerError::Died(_) | PartnerError::Adopted | PartnerError::Network { .. })) {
        let _ = conversation.close().await;
    }
    outcome
}

impl Shared {
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        held(&self.tally)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        held(&self.journal)
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// The end, if it is due at this step; nothing is committed after it.
    pub(super) fn die(&self, step: Step) -> Result<(), PartnerError> {
        if held(&self.fate).strikes(step) {
            self.journal().close(Closed::Died(step));
            return Err(PartnerError::Died(step));
        }
        Ok(())
    }

    /// Whether the next passing of this step is the end.
    pub(super) fn dies_at(&self, step: Step) -> bool {
        held(&self.fate).waits_at(step)
    }

    /// The number of this request for confirmation, from 1.
    pub(super) fn next_request(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether there is a lie left; counts as told.
    pub(super) fn may_lie(&self) -> bool {
        let told = self.lies.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        self.tally().lies += u64::from(told);
        told
    }

    /// The channel for a new connection; none if another has it and keeps it.
    pub(super) fn claim(self: &Arc<Self>, id: ChannelId) -> Option<Claim> {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let (end, lost) = oneshot::channel();
        let mut running = held(&self.running);
        let runs = running.contains_key(&id);
        if runs && self.options.habits.second == Second::Refuse {
            return None;
        }
        self.tally().adopted += u64::from(runs);
        // The old one hears of it by its sender being dropped, and cannot commit any more whether it hears or not.
        running.insert(id.clone(), Running { connection, _end: end });
        drop(running);
        self.journal().own(&id, connection);
        Some(Claim { shared: Arc::clone(self), id, connection, lost })
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
