//! What is said about the connection itself: the handshake, keep-alives, what the broker says about itself, and why it
//! ends one.

use std::cmp::min;

use super::Version;
use super::error::{DecodeError, EncodeError, Problem};
use super::field::{Field, Reader, Writer};
use super::ids::{BrokerId, ConnectionId};
use super::primitive::{Primitive, PrimitiveMap};
use super::structure::structure;

const MAGIC: [u8; 8] = *b"ActiveMQ";

/// The first frame of each side, sent at once: which version and options it wants. It is no command: no id, no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct WireFormatInfo {
    /// The newest version that the side speaks.
    pub version: i32,
    /// Its options, by ActiveMQ's names.
    pub properties: PrimitiveMap,
}

impl WireFormatInfo {
    /// Its type byte.
    pub const TYPE: u8 = 1;

    /// What we want: `version`, loose encoding, no cache, sizes before frames, no stack traces, the connection dropped
    /// after two to three times `max_inactivity_ms` of silence (0: never), no frame above `max_frame_size` bytes.
    /// `host` is the name by which we call the broker.
    pub fn ours(version: Version, max_inactivity_ms: i64, max_frame_size: i64, host: &str) -> Self {
        let properties = [
            ("CacheEnabled", Primitive::Boolean(false)),
            ("CacheSize", Primitive::Int(0)),
            ("TightEncodingEnabled", Primitive::Boolean(false)),
            ("SizePrefixDisabled", Primitive::Boolean(false)),
            ("StackTraceEnabled", Primitive::Boolean(false)),
            ("TcpNoDelayEnabled", Primitive::Boolean(true)),
            ("MaxInactivityDuration", Primitive::Long(max_inactivity_ms)),
            ("MaxInactivityDurationInitalDelay", Primitive::Long(max_inactivity_ms.saturating_mul(2))),
            ("MaxFrameSize", Primitive::Long(max_frame_size)),
            ("Host", Primitive::String(host.to_owned())),
        ];
        Self {
            version: version.number(),
            properties: PrimitiveMap(properties.map(|(name, value)| (name.to_owned(), value)).into()),
        }
    }

    /// A number among its options.
    pub fn long(&self, name: &str) -> Option<i64> {
        match self.properties.get(name) {
            Some(Primitive::Long(value)) => Some(*value),
            Some(Primitive::Int(value)) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// A text among its options: `ProviderName`, `ProviderVersion`, `PlatformDetails`, `Host`.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.properties.get(name) {
            Some(Primitive::String(text)) => Some(text),
            _ => None,
        }
    }

    /// What holds between us and `theirs`.
    ///
    /// # Errors
    /// When they speak nothing that we do.
    pub fn agree(&self, theirs: &Self) -> Result<Agreed, Disagreement> {
        let number = min(self.version, theirs.version);
        let version = Version::new(number).ok_or(Disagreement { theirs: theirs.version })?;
        // an absent limit is no limit
        let lower = |name| match (self.long(name), theirs.long(name)) {
            (Some(ours), Some(theirs)) => min(ours, theirs),
            (one, other) => one.or(other).unwrap_or(0),
        };
        Ok(Agreed {
            version,
            max_inactivity_ms: lower("MaxInactivityDuration").max(0),
            max_frame_size: lower("MaxFrameSize"),
        })
    }

    pub(super) fn read_fields(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.array("magic")? != MAGIC {
            return Err(reader.error_before("magic", MAGIC.len(), Problem::NotActiveMq));
        }
        Ok(Self { version: Field::read(reader, "version")?, properties: Field::read(reader, "properties")? })
    }

    pub(super) fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes.extend_from_slice(&MAGIC);
        self.version.write(writer, "version")?;
        self.properties.write(writer, "properties")
    }
}

/// What both sides hold to after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The lower version.
    pub version: Version,
    /// The shorter limit of silence in milliseconds; 0: none.
    pub max_inactivity_ms: i64,
    /// The smaller limit of a frame in bytes, without its size field.
    pub max_frame_size: i64,
}

/// The other side speaks no version that we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the broker speaks OpenWire version {theirs}, and mqferry {} to {}: use a newer ActiveMQ Classic",
    Version::OLDEST,
    Version::NEWEST
)]
pub struct Disagreement {
    /// Their version.
    pub theirs: i32,
}

structure! {
    /// What a broker says of itself and its neighbours, unasked, after the handshake.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    BrokerInfo = command 2 {
        /// Its id; a new one each time it starts.
        broker_id: Option<BrokerId>;
        /// Its address as it knows it.
        broker_url: Option<String>;
        /// Brokers that it knows.
        peer_broker_infos: Option<Vec<BrokerInfo>>;
        /// Its name.
        broker_name: Option<String>;
        /// Of an old way of having two brokers.
        slave_broker: bool;
        /// Likewise.
        master_broker: bool;
        /// Likewise.
        fault_tolerant_configuration: bool;
        /// The connection is a network connector's that works both ways.
        duplex_connection: bool;
        /// The connection is a network connector's.
        network_connection: bool;
        /// Number of the connection.
        connection_id: i64;
        /// Where large bodies can be put.
        broker_upload_url: Option<String>;
        /// Of a network connector.
        network_properties: Option<String>;
    }
}

structure! {
    /// "I am still here": sent when nothing else was for a while. If it wants an answer, that is another one.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    KeepAliveInfo = command 10 {}
}

structure! {
    /// The broker ends the connection, or something happened on it that answers no command.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConnectionError = command 16 {
        /// What happened.
        exception: Option<Throwable>;
        /// Which connection.
        connection_id: Option<ConnectionId>;
    }
}

structure! {
    /// The broker steers its clients: it is closing, or others are there to connect to.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConnectionControl = command 18 {
        /// The connection is to be closed.
        close: bool;
        /// The program is to end.
        exit: bool;
        /// Of an old way of having two brokers.
        fault_tolerant: bool;
        /// Go on sending.
        resume: bool;
        /// Send nothing for now.
        suspend: bool;
        /// Addresses of the brokers in its network, separated by commas.
        connected_brokers: Option<String>;
        /// Where to go instead.
        reconnect_to: Option<String>;
        /// Whether clients may move to spread the load.
        rebalance_connection: bool;
        /// Of a cluster's own making.
        token: Option<bytes::Bytes>;
    }
}

/// A Java exception, without its stack trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throwable {
    /// Its class, with package: `java.lang.SecurityException`.
    pub class: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

impl Field for Option<Throwable> {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        if !bool::read(reader, field)? {
            return Ok(None);
        }
        Ok(Some(Throwable { class: Field::read(reader, field)?, message: Field::read(reader, field)? }))
    }

    fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
        self.is_some().write(writer, field)?;
        let Some(throwable) = self else { return Ok(()) };
        throwable.class.write(writer, field)?;
        throwable.message.write(writer, field)
    }
}

impl Throwable {
    /// The class without its package.
    pub fn short_class(&self) -> &str {
        let class = self.class.as_deref().unwrap_or("an exception");
        class.rsplit('.').next().unwrap_or(class)
    }
}

impl std::fmt::Display for Throwable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.short_class())?;
        match &self.message {
            Some(message) => write!(f, ": {}", message.replace(['\n', '\r'], " ")),
            None => Ok(()),
        }
    }
}
