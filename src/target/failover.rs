//! Which broker of a list to use, and how long to try: the same for every protocol.
//!
//! One broker of the list serves at a time; an active/standby pair shares a store, and the standby refuses connections
//! until it takes over. Every claim opens a connection of its own; nothing is resumed.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use backon::{ExponentialBuilder, Retryable as _};

use super::address::{Brokers, Endpoint};
use super::record::fresh_holder;
use super::{Finding, Limits, Severity, Side, TargetError};

/// How often to ask whether a broker guards client ids, when it ends connections without a reason.
const TRIES: usize = 3;

/// Why a connection could not be had.
#[derive(Debug)]
pub(super) enum Refused {
    /// The broker has another connection with our client id.
    Held(String),
    /// Anything else.
    Target(TargetError),
}

impl From<TargetError> for Refused {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl Refused {
    /// As an error, where a client id in use is no answer to be expected.
    pub(super) fn into_error(self) -> TargetError {
        match self {
            Self::Target(error) => error,
            Self::Held(text) => TargetError { side: Side::Broker, text, retry: true },
        }
    }
}

/// A protocol's way to connect to one broker.
pub(super) trait Open: Send + Sync {
    /// What it opens.
    type Connection: Send;

    /// The protocol by its name.
    const PROTOCOL: &'static str;
    /// What the protocol calls the id that the broker gives to one connection at a time.
    const CLIENT_ID: &'static str;

    /// Connects and logs in, within a limit of its own.
    fn open(
        &self,
        endpoint: &Endpoint,
        client_id: &str,
    ) -> impl Future<Output = Result<Self::Connection, Refused>> + Send;

    /// Ends a connection in an orderly way, within a limit.
    fn close(connection: Self::Connection) -> impl Future<Output = ()> + Send;

    /// What can be found out on an open connection, for `check`; closes it.
    fn try_out(&self, connection: Self::Connection) -> impl Future<Output = Vec<Finding>> + Send;
}

/// Brokers of which one serves at a time.
pub(super) struct Failover<O> {
    pub(super) opener: O,
    brokers: Brokers,
    limits: Limits,
    /// Where the list is begun: the one that served last.
    first: AtomicUsize,
    /// Some broker has answered since the start.
    answered: AtomicBool,
    /// Brokers that were seen to refuse a second connection with one client id.
    no_stealing: Mutex<HashSet<Endpoint>>,
}

impl<O: Open> Failover<O> {
    pub(super) fn new(opener: O, brokers: Brokers, mut limits: Limits) -> Self {
        if let Some(timeout) = brokers.options.timeout {
            limits.claim = timeout;
        }
        Self {
            opener,
            brokers,
            limits,
            first: AtomicUsize::new(0),
            answered: AtomicBool::new(false),
            no_stealing: Mutex::default(),
        }
    }

    /// The same brokers by another opener.
    pub(super) fn with(&self, opener: O) -> Self {
        Self::new(opener, self.brokers.clone(), self.limits)
    }

    /// The limits, with what the address says of them.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// The endpoints in the order in which to try them now.
    fn order(&self) -> Vec<(usize, &Endpoint)> {
        let count = self.brokers.endpoints.len();
        let first = if self.brokers.options.randomize {
            std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), count) as usize
        } else if self.brokers.options.priority_backup {
            0
        } else {
            self.first.load(Ordering::Relaxed)
        };
        (0..count)
            .map(|step| (first.wrapping_add(step)) % count)
            .filter_map(|place| self.brokers.endpoints.get(place).map(|endpoint| (place, endpoint)))
            .collect()
    }

    /// Tries each broker of the list once.
    async fn connect_once(&self, client_id: &str) -> Result<O::Connection, Refused> {
        let mut last = None;
        for (place, endpoint) in self.order() {
            let attempt = async {
                self.refuse_stealing(endpoint).await?;
                self.opener.open(endpoint, client_id).await
            };
            match attempt.await {
                Ok(connection) => {
                    self.first.store(place, Ordering::Relaxed);
                    self.answered.store(true, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(Refused::Target(error)) if error.retry => last = Some(error),
                Err(refused) => return Err(refused),
            }
        }
        Err(Refused::Target(last.unwrap_or_else(|| TargetError {
            side: Side::Ours,
            text: "no broker is configured: set url under [broker]".to_owned(),
            retry: false,
        })))
    }

    /// Pauses between rounds over the list.
    fn pauses(&self) -> ExponentialBuilder {
        let options = &self.brokers.options;
        let first = options.initial_reconnect_delay;
        ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(options.max_reconnect_delay.max(first))
            .with_jitter()
            .without_max_times()
    }

    /// Connects to one broker of the list, with growing pauses, until the claim's limit. A client id in use may
    /// be our own old connection being torn down, so that too is tried again.
    pub(super) async fn connect(&self, client_id: &str) -> Result<O::Connection, Refused> {
        let began = tokio::time::Instant::now();
        (|| self.connect_once(client_id))
            .retry(self.pauses().with_total_delay(Some(self.limits.claim)))
            .when(|refused| match refused {
                Refused::Held(_) => began.elapsed() < self.limits.held,
                Refused::Target(error) => error.retry && began.elapsed() < self.limits.claim,
            })
            .await
    }

    /// Sees whether a broker lets us in. With `startupMaxReconnectAttempts` in the address the first look tries so many
    /// rounds, and then says that it is of no use to wait longer.
    pub(super) async fn look(&self) -> Result<(), TargetError> {
        let id = format!("mqferry/look/{}", fresh_holder());
        let look = || async {
            O::close(self.connect_once(&id).await.map_err(Refused::into_error)?).await;
            Ok(())
        };
        match self.brokers.options.startup_max_reconnect_attempts {
            Some(attempts) if !self.answered.load(Ordering::Relaxed) => {
                let pauses = self.pauses().with_max_times(attempts);
                look.retry(pauses).when(|error: &TargetError| error.retry).await.map_err(|error| TargetError {
                    retry: false,
                    text: format!("{} (tried {} times, as startupMaxReconnectAttempts says)", error.text, attempts + 1),
                    ..error
                })
            }
            _ => look().await,
        }
    }

    /// The client id is the first lock of a lease. A broker that lets a second connection take it over
    /// (`allowLinkStealing`) breaks the lock; asked once per broker, with a random id.
    async fn refuse_stealing(&self, endpoint: &Endpoint) -> Result<(), Refused> {
        if self.no_stealing.lock().unwrap_or_else(PoisonError::into_inner).contains(endpoint) {
            return Ok(());
        }
        let mut tries = 1;
        loop {
            let id = format!("mqferry/preflight/{}", fresh_holder());
            let first = self.opener.open(endpoint, &id).await?;
            let second = self.opener.open(endpoint, &id).await;
            O::close(first).await;
            match second {
                Err(Refused::Held(_)) => {
                    self.no_stealing.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint.clone());
                    return Ok(());
                }
                // It may close without the reason, and then nothing is shown.
                Err(Refused::Target(error)) if error.retry && tries < TRIES => tries += 1,
                Err(refused) => return Err(refused),
                Ok(second) => {
                    O::close(second).await;
                    return Err(Refused::Target(TargetError {
                        side: Side::Broker,
                        text: format!(
                            "{endpoint} lets a second connection take over a {}, so two gateways could move one \
                             channel: set allowLinkStealing=false on its {} connector",
                            O::CLIENT_ID,
                            O::PROTOCOL
                        ),
                        retry: false,
                    }));
                }
            }
        }
    }

    /// Tries every broker of the list; bounded, some seconds each. A broker that cannot be reached is an error only
    /// when no other of the list serves, for a standby opens no port.
    pub(super) async fn preflight(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut unreachable = Vec::new();
        let mut serving = false;
        for endpoint in &self.brokers.endpoints {
            let id = format!("mqferry/preflight/{}", fresh_holder());
            match self.opener.open(endpoint, &id).await.map_err(Refused::into_error) {
                Ok(connection) => {
                    serving = true;
                    findings.push(Finding::new(Severity::Good, format!("{endpoint} answers and lets us in")));
                    findings.push(match self.refuse_stealing(endpoint).await {
                        Ok(()) => Finding::new(
                            Severity::Good,
                            format!("{endpoint} guards {}s, so leases are safe", O::CLIENT_ID),
                        ),
                        Err(refused) => refused.into_error().into(),
                    });
                    findings.extend(self.opener.try_out(connection).await);
                }
                Err(error) if error.side == Side::Network && error.retry => unreachable.push(error.text),
                Err(error) => findings.push(error.into()),
            }
        }
        let severity = if serving { Severity::Warning } else { Severity::Error };
        let as_standby = if serving { " (right for a standby)" } else { "" };
        findings.extend(unreachable.into_iter().map(|text| Finding::new(severity, format!("{text}{as_standby}"))));
        findings
    }
}
