//! ActiveMQ over AMQP 1.0: publications and the sync record in the broker's own transactions.
//!
//! | file | does |
//! |---|---|
//! | `stream` | bytes: cuts, keeps what came first, reads refusals along |
//! | `connection` | one connection and session, every wait bounded |
//! | `lease` | the sync record's queue: claim, hold, replace |
//! | `unit` | one transaction: messages, record, commit |
//! | `message` | a publication as an AMQP message |
//! | `received` | an AMQP message as a publication |
//! | `feed` | consumes queues for a sending channel |
//! | `taker` | consumes a queue |
//! | `preflight` | what `check` finds out about a broker |
//!
//! A connection belongs to one claim. Once anything about it is in doubt it is cut and never resumed: the next claim
//! opens a fresh one, and the record that it finds there decides.

use std::sync::Arc;

use super::address::{Brokers, Endpoint, Options};
use super::failover::{Failover, Open, Refused};
use super::record::client_id;
use super::stream::tls_for;
use super::{Claimed, Finding, Limits, Login, Target, TargetError};
use crate::channel::record::ChannelKey;
use crate::mapping::Publication;
use crate::tls::ClientFiles;

mod connection;
mod feed;
mod lease;
mod message;
mod preflight;
mod received;
mod stream;
mod taker;
mod unit;

use connection::Connection;
pub use feed::AmqpFeed;
pub use lease::AmqpClaim;
pub use received::Unreadable;
pub use taker::Taker;
pub use unit::AmqpUnit;
use unit::LearnedLimit;

/// What every connection needs.
#[derive(Clone)]
struct Settings {
    options: Options,
    login: Option<Login>,
    tls: Option<Arc<rustls::ClientConfig>>,
    limits: Limits,
}

impl Open for Settings {
    type Connection = Connection;

    const PROTOCOL: &'static str = "AMQP";
    const CLIENT_ID: &'static str = "container id";

    async fn open(&self, endpoint: &Endpoint, client_id: &str) -> Result<Connection, Refused> {
        Connection::open(self, endpoint, client_id).await
    }

    async fn close(connection: Connection) {
        connection.close().await;
    }

    async fn try_out(&self, connection: Connection) -> Vec<Finding> {
        preflight::try_out(connection, self.limits.answer).await
    }
}

/// ActiveMQ brokers of which one serves at a time, spoken to in AMQP.
pub struct AmqpTarget {
    brokers: Failover<Settings>,
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
        let tls = tls_for(&brokers, files)?;
        let settings = Settings { options: brokers.options.clone(), login, tls, limits };
        Ok(Self { brokers: Failover::new(settings, brokers, limits), learned: Arc::default() })
    }

    /// Tries every broker of the list; bounded, some seconds each. A broker that cannot be reached is an error
    /// only when no other of the list serves, for a standby opens no port.
    pub async fn preflight(&self) -> Vec<Finding> {
        self.brokers.preflight().await
    }
}

impl Target for AmqpTarget {
    type Claim = AmqpClaim;

    fn carries(&self, publication: &Publication) -> Result<(), String> {
        message::spoiled(&publication.body).map_or(Ok(()), Err)
    }

    async fn look(&self) -> Result<(), TargetError> {
        self.brokers.look().await
    }

    async fn claim(&self, key: &ChannelKey) -> Result<Claimed<AmqpClaim>, TargetError> {
        let connection = match self.brokers.connect(&client_id(key)).await {
            Ok(connection) => connection,
            Err(Refused::Held(text)) => return Ok(Claimed::Held(text)),
            Err(Refused::Target(error)) => return Err(error),
        };
        AmqpClaim::take(connection, key, self.brokers.limits(), self.learned.clone()).await
    }
}
