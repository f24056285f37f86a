//! What the query part of an address asks for: names that Qpid JMS has for AMQP, ActiveMQ's own for OpenWire.

use std::time::Duration;

use super::{AddressError, Protocol};

/// What an address can ask for. Everything has a default; what an option cannot change here is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `connectionTimeout` (AMQP: `transport.connectTimeout`), milliseconds: limit for TCP, TLS and login together.
    /// Default 5 s.
    pub connect_timeout: Duration,
    /// AMQP `amqp.idleTimeout`, milliseconds: a broker that is silent for so long is taken for dead. Default 20 s.
    pub idle_timeout: Duration,
    /// AMQP `amqp.maxFrameSize`, bytes, at least 512: the largest frame that we take. Default 128 KiB.
    pub max_frame_size: u32,
    /// OpenWire `wireFormat.maxInactivityDuration`, milliseconds; 0: never. Either side drops the connection after so much
    /// silence; the smaller of the broker's and ours counts. Default 5 s: a gateway that is frozen or cut off is dropped
    /// after two to three times as long, and another can take its channels.
    pub inactivity: Duration,
    /// OpenWire `wireFormat.maxInactivityDurationInitalDelay` (ActiveMQ's spelling), milliseconds until silence counts.
    /// Default 5 s, half of ActiveMQ's: a gateway that is cut off soon after it connected shall not hold its channels longer
    /// than one that has run for long.
    pub inactivity_initial_delay: Duration,
    /// OpenWire `wireFormat.maxFrameSize`, bytes: the largest message that we send; the smaller of the broker's and ours
    /// counts. None: the broker's alone.
    pub max_message: Option<u64>,
    /// OpenWire `wireFormat.version`, 9 to 12: the highest version to agree on. Default 12.
    pub version: i32,
    /// `randomize` (AMQP: `failover.randomize`): try the list in a random order. Default false, unlike ActiveMQ's, for the
    /// lease on a channel is per broker.
    pub randomize: bool,
    /// `initialReconnectDelay`, milliseconds: pause before the list is tried again. Default 100 ms.
    pub initial_reconnect_delay: Duration,
    /// `maxReconnectDelay`, milliseconds: to which the pause grows. Default 1 s.
    pub max_reconnect_delay: Duration,
    /// `timeout`, milliseconds: how long a channel that wants to start waits for a broker. Default: [`crate::target::Limits`].
    pub timeout: Option<Duration>,
    /// `startupMaxReconnectAttempts`: how often a starting gateway tries the list again before it gives up and ends. None,
    /// or -1: it waits for ever.
    pub startup_max_reconnect_attempts: Option<usize>,
    /// `priorityBackup`: each new connection begins with the first broker of the list, not with the one that served last.
    /// A channel that runs stays where it is. Default false.
    pub priority_backup: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            max_frame_size: 128 * 1024,
            inactivity: Duration::from_secs(5),
            inactivity_initial_delay: Duration::from_secs(5),
            max_message: None,
            version: 12,
            randomize: false,
            initial_reconnect_delay: Duration::from_millis(100),
            max_reconnect_delay: Duration::from_secs(1),
            timeout: None,
            startup_max_reconnect_attempts: None,
            priority_backup: false,
        }
    }
}

/// ActiveMQ's options about how bytes are written, which change nothing that anybody sees: we always write loosely,
/// without cache, and switch Nagle's algorithm off.
const OF_NO_MATTER: [&str; 10] = [
    "keepAlive",
    "socketBufferSize",
    "ioBufferSize",
    "tcpNoDelay",
    "trace",
    "wireFormat.cacheEnabled",
    "wireFormat.cacheSize",
    "wireFormat.stackTraceEnabled",
    "wireFormat.tcpNoDelayEnabled",
    "wireFormat.tightEncodingEnabled",
];

impl Options {
    /// Reads `name=value&…`. Unknown names are refused, so that a misspelt one is seen.
    pub(super) fn read(&mut self, protocol: Protocol, query: Option<&str>) -> Result<(), AddressError> {
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match protocol {
                Protocol::Amqp => self.amqp(name.strip_prefix("failover.nested.").unwrap_or(name), value)?,
                Protocol::OpenWire => self.openwire(name.strip_prefix("nested.").unwrap_or(name), value)?,
            }
        }
        Ok(())
    }

    fn amqp(&mut self, name: &str, value: &str) -> Result<(), AddressError> {
        match name {
            "transport.connectTimeout" => self.connect_timeout = millis(name, value, 1_000)?,
            "amqp.idleTimeout" => self.idle_timeout = millis(name, value, 1_000)?,
            "amqp.maxFrameSize" => {
                self.max_frame_size = value.parse().ok().filter(|size| *size >= 512).ok_or_else(|| {
                    AddressError(format!("{name}={value} is no frame size: write bytes, at least 512"))
                })?;
            }
            _ => {
                let known = match name.strip_prefix("failover.") {
                    Some(rest) => self.failover(rest, value)?,
                    None => false,
                };
                if !known {
                    return Err(unknown(
                        name,
                        "transport.connectTimeout, amqp.idleTimeout, amqp.maxFrameSize, failover.randomize, \
                         failover.initialReconnectDelay, failover.maxReconnectDelay and \
                         failover.startupMaxReconnectAttempts are",
                    ));
                }
            }
        }
        Ok(())
    }

    fn openwire(&mut self, name: &str, value: &str) -> Result<(), AddressError> {
        match name {
            "connectionTimeout" => self.connect_timeout = millis(name, value, 1_000)?,
            "wireFormat.maxInactivityDuration" => {
                self.inactivity = if value == "0" { Duration::ZERO } else { millis(name, value, 1_000)? };
            }
            "wireFormat.maxInactivityDurationInitalDelay" => {
                self.inactivity_initial_delay = millis(name, value, 1)?;
            }
            "wireFormat.maxFrameSize" => {
                let size = value.parse().ok().filter(|size| *size >= 65_536).ok_or_else(|| {
                    AddressError(format!("{name}={value} is no frame size: write bytes, at least 65536"))
                })?;
                self.max_message = Some(size);
            }
            "wireFormat.version" => {
                self.version = value
                    .parse()
                    .ok()
                    .filter(|version| (9..=12).contains(version))
                    .ok_or_else(|| AddressError(format!("{name}={value}: write a version from 9 to 12")))?;
            }
            "wireFormat.sizePrefixDisabled" if value == "false" => {}
            name if OF_NO_MATTER.contains(&name) => {}
            name if self.failover(name, value)? => {}
            _ => {
                return Err(unknown(
                    name,
                    "connectionTimeout, wireFormat.maxInactivityDuration, wireFormat.maxFrameSize, and for failover \
                     randomize, initialReconnectDelay, maxReconnectDelay, timeout, startupMaxReconnectAttempts and \
                     priorityBackup are",
                ));
            }
        }
        Ok(())
    }

    /// What a failover list can ask for; false for a name that is none of these.
    fn failover(&mut self, name: &str, value: &str) -> Result<bool, AddressError> {
        match name {
            "randomize" => self.randomize = boolean(name, value)?,
            "priorityBackup" => self.priority_backup = boolean(name, value)?,
            "initialReconnectDelay" => self.initial_reconnect_delay = millis(name, value, 1)?,
            "maxReconnectDelay" => self.max_reconnect_delay = millis(name, value, 1)?,
            "timeout" => self.timeout = if value == "-1" { None } else { Some(millis(name, value, 100)?) },
            "startupMaxReconnectAttempts" => {
                self.startup_max_reconnect_attempts = match value {
                    "-1" => None,
                    _ => Some(value.parse().map_err(|_| {
                        AddressError(format!("{name}={value}: write a number of attempts, or -1 for no limit"))
                    })?),
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What to say to a name that is not known; `known` lists those that are.
fn unknown(name: &str, known: &str) -> AddressError {
    AddressError(match name {
        "jms.username" | "jms.userName" | "jms.password" => {
            format!("it holds {name}: put it into user or password_file, where no log shows it")
        }
        "transport.trustAll" | "transport.verifyHost" | "socket.verifyHostName" => {
            format!("{name} is not offered, certificates and host names are always checked: set ca_file")
        }
        "maxReconnectAttempts" | "failover.maxReconnectAttempts" => format!(
            "{name} is not offered, a running gateway never gives up: leave it out, or limit the start with \
             startupMaxReconnectAttempts"
        ),
        _ => format!("option {name} is not known: {known}"),
    })
}

fn boolean(name: &str, value: &str) -> Result<bool, AddressError> {
    value.parse().map_err(|_| AddressError(format!("{name}={value}: write true or false")))
}

/// `least` milliseconds to one hour.
fn millis(name: &str, value: &str, least: u64) -> Result<Duration, AddressError> {
    value
        .parse()
        .ok()
        .filter(|millis| (least..=3_600_000).contains(millis))
        .map(Duration::from_millis)
        .ok_or_else(|| AddressError(format!("{name}={value}: write milliseconds from {least} to 3600000")))
}
