//! ActiveMQ over OpenWire, its own protocol: publications and the sync record in the broker's own transactions.
//!
//! | file | does |
//! |---|---|
//! | `codec` | bytes to commands and back, pure |
//! | `message` | a publication as an OpenWire message, and back |
//! | `connection` | one connection: handshake, login, commands and their answers, every wait bounded |
//! | `driver` | the task that owns a connection's socket: alive, silent, ended |
//! | `refusal` | what the broker's exceptions mean to us |
//! | `lease` | the sync record's queue: claim, hold, replace |
//! | `unit` | one transaction: messages, record, commit |
//! | `trial` | whether a broker's commit can be trusted to answer for all messages of a transaction |
//! | `feed` | consumes queues and topics for a sending channel |
//! | `taker` | consumes a queue, for the demonstration's count |
//! | `preflight` | what `check` finds out about a broker |
//!
//! A connection belongs to one claim. Once anything about it is in doubt it is cut and never resumed: the next claim
//! opens a fresh one, and the record that it finds there decides. ActiveMQ's own duplicate suppression by producer and
//! sequence is not relied on, so every connection names itself anew.

use std::sync::Arc;

use super::address::{Brokers, Endpoint, Options};
use super::failover::{Failover, Open, Refused};
use super::lease::WINDOW;
use super::record::client_id;
use super::stream::tls_for;
use super::{Claimed, Finding, Limits, Login, Side, Target, TargetError};
use crate::channel::record::ChannelKey;
use crate::mapping::Publication;
use crate::tls::ClientFiles;

pub mod codec;
mod connection;
mod driver;
mod feed;
mod lease;
pub mod message;
mod preflight;
mod refusal;
mod taker;
mod trial;
mod unit;

use codec::Version;
use connection::{Connection, Deliveries, Intake};
pub use feed::OpenWireFeed;
pub use lease::OpenWireClaim;
pub use taker::Taker;
use trial::Trials;
pub use unit::OpenWireUnit;

/// A claim's connection takes in records and barriers alone; the record of a batch of 9,999 messages has 0.7 MB.
const RECORDS: Intake = Intake { messages: WINDOW as usize + 6, frame: 4 * 1024 * 1024 };

/// A feed's takes in messages, too: ActiveMQ's own limit of one, and some room. How many is bounded by the windows of its
/// consumers and by what it has out.
const MESSAGES: Intake = Intake { messages: 1 << 20, frame: 112 * 1024 * 1024 };

/// What every connection needs.
#[derive(Clone)]
struct Settings {
    options: Options,
    version: Version,
    login: Option<Login>,
    tls: Option<Arc<rustls::ClientConfig>>,
    limits: Limits,
    intake: Intake,
}

impl Open for Settings {
    type Connection = (Connection, Deliveries);

    const PROTOCOL: &'static str = "OpenWire";
    const CLIENT_ID: &'static str = "client id";

    async fn open(&self, endpoint: &Endpoint, client_id: &str) -> Result<(Connection, Deliveries), Refused> {
        Connection::open(self, endpoint, client_id).await
    }

    async fn close((connection, _): (Connection, Deliveries)) {
        connection.close().await;
    }

    async fn try_out(&self, (connection, deliveries): (Connection, Deliveries)) -> Vec<Finding> {
        preflight::try_out(connection, deliveries, self.limits.answer).await
    }
}

/// ActiveMQ brokers of which one serves at a time, spoken to in OpenWire.
pub struct OpenWireTarget {
    brokers: Failover<Settings>,
    trials: Trials,
    /// The same for feeds, which take whole messages in.
    feeding: Failover<Settings>,
}

impl OpenWireTarget {
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
        let options = brokers.options.clone();
        let version = Version::new(options.version).ok_or_else(|| TargetError {
            side: Side::Ours,
            text: format!("wireFormat.version={}: write a version from 9 to 12", options.version),
            retry: false,
        })?;
        let settings = Settings { options, version, login, tls, limits, intake: RECORDS };
        let feeding = Failover::new(Settings { intake: MESSAGES, ..settings.clone() }, brokers.clone(), limits);
        Ok(Self { brokers: Failover::new(settings, brokers, limits), feeding, trials: Trials::default() })
    }

    /// Tries every broker of the list; bounded, some seconds each. A broker that cannot be reached is an error
    /// only when no other of the list serves, for a standby opens no port.
    pub async fn preflight(&self) -> Vec<Finding> {
        self.brokers.preflight().await
    }
}

impl Target for OpenWireTarget {
    type Claim = OpenWireClaim;

    fn carries(&self, publication: &Publication) -> Result<(), String> {
        message::spoiled(publication).map_or(Ok(()), Err)
    }

    async fn look(&self) -> Result<(), TargetError> {
        self.brokers.look().await
    }

    async fn claim(&self, key: &ChannelKey) -> Result<Claimed<OpenWireClaim>, TargetError> {
        let (connection, deliveries) = match self.brokers.connect(&client_id(key)).await {
            Ok(opened) => opened,
            Err(Refused::Held(text)) => return Ok(Claimed::Held(text)),
            Err(Refused::Target(error)) => return Err(error),
        };
        OpenWireClaim::take(connection, deliveries, key, self.brokers.limits(), &self.trials).await
    }
}
