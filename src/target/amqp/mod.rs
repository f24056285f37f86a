//! ActiveMQ over AMQP 1.0: publications and the sync record in the broker's own transactions.
//!
//! | file | does |
//! |---|---|
//! | `stream` | bytes: cuts, keeps what came first, reads refusals along |
//! | `connection` | one connection and session, every wait bounded |
//! | `lease` | the sync record's queue: claim, hold, replace |
//! | `unit` | one transaction: messages, record, commit |
//! | `message` | a publication as an AMQP message |
//! | `taker` | consumes a queue, for the demonstration's count |
//! | `preflight` | what `check` finds out about a broker |
//!
//! A connection belongs to one claim. Once anything about it is in doubt it is cut and never resumed: the next claim
//! opens a fresh one, and the record that it finds there decides.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use zeroize::Zeroizing;

use super::address::{Brokers, Endpoint, Options};
use super::record::{client_id, fresh_holder};
use super::{Claimed, Side, Target, TargetError};
use crate::channel::record::ChannelKey;
use crate::mapping::Publication;
use crate::tls::{self, ClientFiles};

mod connection;
mod lease;
mod message;
mod preflight;
mod stream;
mod taker;
mod unit;

use connection::{Connection, Refused};
pub use lease::AmqpClaim;
pub use preflight::{Finding, Severity};
pub use taker::Taker;
pub use unit::AmqpUnit;
use unit::LearnedLimit;

/// User and password for SASL PLAIN. Neither `Debug` nor any message shows the password.
#[derive(Clone)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password; wiped from memory when dropped.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How long each kind of wait may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connecting to any broker of the list, with retries.
    pub claim: Duration,
    /// Waiting for a lease that may be given back just now, for a caller waits for our answer meanwhile.
    pub held: Duration,
    /// One answer: attach, declare, the own barrier, the record coming back.
    pub answer: Duration,
    /// Credit and outcomes of messages; longer, for a broker near its limits holds producers up.
    pub settle: Duration,
    /// The answer to a commit. After that the batch is in doubt.
    pub commit: Duration,
    /// How long a queue must stay empty before "no record" is believed (the lease's second lock).
    pub no_record: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            claim: Duration::from_secs(8),
            held: Duration::from_secs(2),
            answer: Duration::from_secs(5),
            settle: Duration::from_secs(30),
            commit: Duration::from_secs(30),
            no_record: Duration::from_secs(3),
        }
    }
}

/// How often to ask whether a broker guards container ids, when it ends connections without a reason.
const TRIES: usize = 3;

/// What every connection needs.
#[derive(Clone)]
struct Settings {
    options: Options,
    login: Option<Login>,
    tls: Option<Arc<rustls::ClientConfig>>,
    limits: Limits,
}

/// ActiveMQ brokers of which one serves at a time, spoken to in AMQP.
pub struct AmqpTarget {
    brokers: Brokers,
    settings: Settings,
    /// Where the list is begun: the one that served last.
    first: AtomicUsize,
    /// Brokers that were seen to refuse a second connection with one container id.
    no_stealing: Mutex<HashSet<Endpoint>>,
    learned: Arc<LearnedLimit>,
}

impl AmqpTarget {
    /// Sets it up; nothing is connected yet. `files` are read now if an endpoint uses TLS.
    ///
    /// # Errors
    /// When certificates or keys cannot be used.
    pub fn new(
        brokers: Brokers,
        login: Option<Login>,
        files: &ClientFiles,
        limits: Limits,
    ) -> Result<Self, TargetError> {
        let tls = if brokers.endpoints.iter().any(|endpoint| endpoint.tls) {
            let config = tls::client_config(files).map_err(|error| TargetError {
                side: Side::Ours,
                text: error.to_string(),
                retry: false,
            })?;
            Some(config)
        } else {
            None
        };
        let settings = Settings { options: brokers.options.clone(), login, tls, limits };
        Ok(Self {
            brokers,
            settings,
            first: AtomicUsize::new(0),
            no_stealing: Mutex::default(),
            learned: Arc::default(),
        })
    }

    /// The endpoints in the order in which to try them now.
    fn order(&self) -> Vec<(usize, &Endpoint)> {
        let count = self.brokers.endpoints.len();
        let first = if self.brokers.options.randomize {
            std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), count) as usize
        } else {
            self.first.load(Ordering::Relaxed)
        };
        (0..count)
            .map(|step| (first.wrapping_add(step)) % count)
            .filter_map(|place| self.brokers.endpoints.get(place).map(|endpoint| (place, endpoint)))
            .collect()
    }

    /// Tries each broker of the list once.
    async fn connect_once(&self, container_id: &str) -> Result<Connection, Refused> {
        let mut last = None;
        for (place, endpoint) in self.order() {
            let attempt = async {
                self.refuse_stealing(endpoint).await?;
                Connection::open(&self.settings, endpoint, container_id).await
            };
            match attempt.await {
                Ok(connection) => {
                    self.first.store(place, Ordering::Relaxed);
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

    /// Connects to one broker of the list, with growing pauses, until the claim's limit. A container id in use may
    /// be our own old connection being torn down, so that too is tried again.
    async fn connect(&self, container_id: &str) -> Result<Connection, Refused> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(1))
            .with_jitter()
            .without_max_times()
            .with_total_delay(Some(self.settings.limits.claim));
        let began = tokio::time::Instant::now();
        (|| self.connect_once(container_id))
            .retry(pauses)
            .when(|refused| {
                let limits = &self.settings.limits;
                match refused {
                    Refused::Held(_) => began.elapsed() < limits.held,
                    Refused::Target(error) => error.retry && began.elapsed() < limits.claim,
                }
            })
            .await
    }

    /// The container id is the first lock of a lease. A broker that lets a second connection take it over
    /// (`allowLinkStealing`) breaks the lock; asked once per broker, with a random id.
    async fn refuse_stealing(&self, endpoint: &Endpoint) -> Result<(), Refused> {
        if self.no_stealing.lock().unwrap_or_else(PoisonError::into_inner).contains(endpoint) {
            return Ok(());
        }
        let mut tries = 1;
        loop {
            let id = format!("mqferry/preflight/{}", fresh_holder());
            let first = Connection::open(&self.settings, endpoint, &id).await?;
            let second = Connection::open(&self.settings, endpoint, &id).await;
            first.close().await;
            match second {
                Err(Refused::Held(_)) => {
                    self.no_stealing.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint.clone());
                    return Ok(());
                }
                // It may close without the reason, and then nothing is shown.
                Err(Refused::Target(error)) if error.retry && tries < TRIES => tries += 1,
                Err(refused) => return Err(refused),
                Ok(second) => {
                    second.close().await;
                    return Err(Refused::Target(TargetError {
                        side: Side::Broker,
                        text: format!(
                            "{endpoint} lets a second connection take over a container id, so two gateways could move \
                             one channel: set allowLinkStealing=false on its AMQP connector"
                        ),
                        retry: false,
                    }));
                }
            }
        }
    }
}

impl Target for AmqpTarget {
    type Claim = AmqpClaim;

    fn carries(&self, publication: &Publication) -> Result<(), String> {
        message::spoiled(&publication.body).map_or(Ok(()), Err)
    }

    async fn look(&self) -> Result<(), TargetError> {
        match self.connect_once(&format!("mqferry/look/{}", fresh_holder())).await {
            Ok(connection) => {
                connection.close().await;
                Ok(())
            }
            Err(Refused::Target(error)) => Err(error),
            Err(Refused::Held(text)) => Err(TargetError { side: Side::Broker, text, retry: true }),
        }
    }

    async fn claim(&self, key: &ChannelKey) -> Result<Claimed<AmqpClaim>, TargetError> {
        let connection = match self.connect(&client_id(key)).await {
            Ok(connection) => connection,
            Err(Refused::Held(text)) => return Ok(Claimed::Held(text)),
            Err(Refused::Target(error)) => return Err(error),
        };
        AmqpClaim::take(connection, key, self.settings.limits, self.learned.clone()).await
    }
}
