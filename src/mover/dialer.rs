//! Calls partners: a requester's connections, one after another, with the retries of MQ.
//!
//! ```text
//!  start, or channel start --> call --- refused, no answer, broken off --> RETRYING (SHORTRTY, LONGRTY) --> call
//!                               |   `-- a sender may call back meanwhile: then that connection counts
//!                               `------ an end that was announced --> INACTIVE, until channel start; a sender or server
//!                                       only if it was our wish (an operator's, or DISCINT), else RETRYING
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::gateway::Gateway;
use super::instance::{Instance, Over};
use super::outgoing::Sending;
use crate::admin::board::Wanted;
use crate::admin::status::ChannelStatus;
use crate::channel::{Calls, Conname, Definition, Stopped};
use crate::target::Source;
use crate::wire::StatusCode;

/// How long a machine may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How often a wait looks whether a sender has called back.
const LOOK: Duration = Duration::from_millis(100);

/// One channel that calls.
pub(super) struct Dialer<T> {
    gateway: Arc<Gateway<T>>,
    definition: Definition,
    calls: Calls,
    wanted: watch::Receiver<Wanted>,
    /// The largest message that the target takes, as the last connection found.
    max_message_bytes: Option<u64>,
}

/// What a round of calls came to.
enum Round {
    /// The channel ran and ended in order, or an operator stopped it: nothing more until the next start.
    Over,
    /// The gateway ends.
    Shutdown,
}

/// What becomes of one call.
enum Call {
    /// The channel ran, and one end told the other that it ends.
    Done,
    /// It ran, and broke off: the text says how.
    BrokeOff(String),
    /// It did not come to that; the text says why.
    Failed(String),
    /// Again at once, with a smaller offer.
    Again,
}

impl<T: Source> Dialer<T> {
    /// For a channel whose definition has CONNAME.
    pub(super) fn new(gateway: Arc<Gateway<T>>, definition: &Definition) -> Option<Self> {
        let calls = definition.calls.clone()?;
        let wanted = gateway.settings.board.wanted(&definition.name)?;
        Some(Self { gateway, definition: definition.clone(), calls, wanted, max_message_bytes: None })
    }

    /// Calls until the gateway ends.
    pub(super) async fn run(mut self) {
        loop {
            if let Round::Shutdown = self.round().await {
                return;
            }
            // A start that is repeated counts, too: it is how an operator has an ended channel call again.
            tokio::select! {
                () = self.gateway.shutdown.cancelled() => return,
                changed = self.wanted.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Calls, again and again, until the channel has run to its end or the retries are used up.
    async fn round(&mut self) -> Round {
        let (mut short, mut long) = (self.calls.shortrty, self.calls.longrty);
        loop {
            if self.wanted.borrow_and_update().is_stopped() || self.connected() {
                self.show(ChannelStatus::rests);
                return Round::Over;
            }
            let before = self.instances();
            let (call, own) = self.call().await;
            if self.wanted.borrow().is_stopped() {
                self.show(ChannelStatus::rests);
                return Round::Over;
            }
            let mut why = match call {
                Call::Done => return Round::Over,
                Call::Again => continue,
                Call::BrokeOff(why) => {
                    (short, long) = (self.calls.shortrty, self.calls.longrty);
                    why
                }
                Call::Failed(why) => why,
            };
            loop {
                if self.gateway.shutdown.is_cancelled() {
                    return Round::Shutdown;
                }
                let pause = match (short, long) {
                    (0, 0) => {
                        self.give_up(&why);
                        return Round::Over;
                    }
                    (0, _) => {
                        long -= 1;
                        self.calls.longtmr
                    }
                    _ => {
                        short -= 1;
                        self.calls.shorttmr
                    }
                };
                self.retrying(&why, pause);
                match self.wait(Duration::from_secs(pause.into()), before + own).await {
                    Waited::Time => break,
                    Waited::Shutdown => return Round::Shutdown,
                    Waited::Operator => break,
                    Waited::CalledBack(None) => return Round::Over,
                    Waited::CalledBack(Some(error)) => {
                        (short, long) = (self.calls.shortrty, self.calls.longrty);
                        why = error;
                    }
                }
            }
        }
    }

    /// One call, at the first address that can be reached; and how many connections with the channel it made.
    async fn call(&mut self) -> (Call, u64) {
        let mut failures = Vec::new();
        for address in self.calls.conname.clone() {
            self.show(|status| status.calling(&address.to_string()));
            let mut wanted = self.wanted.clone();
            let connected = tokio::select! {
                () = self.gateway.shutdown.cancelled() => return (Call::Failed("the gateway ends".to_owned()), 0),
                _ = wanted.wait_for(Wanted::is_stopped) => {
                    return (Call::Failed("stopped by the operator".to_owned()), 0);
                }
                connected = connect(&address) => connected,
            };
            match connected {
                Ok(stream) => return self.converse(stream, &address).await,
                Err(error) => failures.push(format!("{address}: {error}")),
            }
        }
        let why = format!("the partner cannot be reached: {}; check conname and its listener", failures.join(", "));
        (Call::Failed(why), 0)
    }

    async fn converse(&mut self, stream: TcpStream, address: &Conname) -> (Call, u64) {
        let peer = match stream.peer_addr().and_then(|peer| stream.set_nodelay(true).map(|()| peer)) {
            Ok(peer) => peer,
            Err(error) => return (Call::Failed(format!("{address}: {error}")), 0),
        };
        let (gateway, definition, wanted) = (&*self.gateway, &self.definition, self.wanted.clone());
        let over = if definition.chltype.sends() {
            Sending::calling(gateway, stream, peer, definition, wanted).run().await
        } else {
            Instance::calling(gateway, stream, peer, definition, self.max_message_bytes, wanted).run().await
        };
        let Over { stopped, ran, shown, max_message_bytes } = over;
        let learned = max_message_bytes.filter(|_| max_message_bytes != self.max_message_bytes);
        self.max_message_bytes = max_message_bytes.or(self.max_message_bytes);
        let call = match (ran, stopped.announced) {
            (true, true) if self.is_sent_away(&stopped) => Call::BrokeOff(stopped.why),
            (true, true) => Call::Done,
            (true, false) => Call::BrokeOff(stopped.why),
            (false, _) if learned.is_some() => Call::Again,
            (false, _) => Call::Failed(format!("{address}: {}", stopped.why)),
        };
        (call, shown.into())
    }

    /// Whether it was the partner that wished a channel to end from which we send. Nobody would start it when messages
    /// come, as a trigger does at a queue manager.
    fn is_sent_away(&self, stopped: &Stopped) -> bool {
        self.definition.chltype.sends()
            && !self.wanted.borrow().is_stopped()
            && stopped.code != Some(StatusCode::TIMEOUT_EXPIRED)
    }

    /// Waits before the next call.
    async fn wait(&mut self, pause: Duration, instances: u64) -> Waited {
        let until = self.gateway.clock.now() + pause;
        loop {
            let left = until.saturating_sub(self.gateway.clock.now());
            tokio::select! {
                () = self.gateway.shutdown.cancelled() => return Waited::Shutdown,
                changed = self.wanted.changed() => match changed {
                    Err(_) => return Waited::Shutdown,
                    Ok(()) if self.connected() && *self.wanted.borrow() == Wanted::Started => {}
                    Ok(()) => return Waited::Operator,
                },
                () = tokio::time::sleep(left.min(LOOK)) => {}
            }
            if self.connected() {
                continue;
            }
            if self.instances() != instances {
                let status = self.gateway.settings.board.status(&self.definition.name);
                return Waited::CalledBack(status.and_then(|status| status.last_error));
            }
            if left.is_zero() {
                return Waited::Time;
            }
        }
    }

    /// Whether some connection has the channel.
    fn connected(&self) -> bool {
        self.gateway.settings.board.connected(&self.definition.name)
    }

    /// Connections that have had the channel so far.
    fn instances(&self) -> u64 {
        self.gateway.settings.board.connections(&self.definition.name)
    }

    fn show(&self, change: impl FnOnce(&mut ChannelStatus)) {
        self.gateway.settings.board.update_idle(&self.definition.name, change);
    }

    fn retrying(&self, why: &str, pause: u32) {
        self.show(|status| status.retrying(why));
        let line = format!("channel {} is retrying: {why}", self.definition.name);
        if let Some(line) = self.gateway.note(&line) {
            tracing::warn!(pause_seconds = pause, "{line}");
        }
    }

    fn give_up(&self, why: &str) {
        self.show(|status| status.retrying(why));
        self.gateway.settings.board.stop(&self.definition.name);
        tracing::error!(
            "channel {} is stopped: all retries are used up (SHORTRTY, LONGRTY): {why}; mend that, then: mqferry channel start {}",
            self.definition.name,
            self.definition.name
        );
    }
}

/// Why a wait is over.
enum Waited {
    /// The pause has passed.
    Time,
    /// The operator wants something.
    Operator,
    /// The gateway ends.
    Shutdown,
    /// A sender called back, and that connection is over: in order, or with this error.
    CalledBack(Option<String>),
}

async fn connect(address: &Conname) -> std::io::Result<TcpStream> {
    let host = address.host.trim_start_matches('[').trim_end_matches(']');
    let connect = TcpStream::connect((host, address.port));
    timeout(CONNECT_LIMIT, connect).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}
