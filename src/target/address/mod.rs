//! Broker addresses as ActiveMQ users write them.
//!
//! ```text
//! amqp://h:5672  amqps://h:5671  amqp+ssl://h:5671  failover:(amqps://a:5671,amqps://b:5671)?amqp.idleTimeout=20000
//! tcp://h:61616  ssl://h:61617                      failover:(ssl://a:61617,ssl://b:61617)
//! embedded:DIR
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

mod options;

pub use options::Options;

/// Where publications go, by the protocol that the address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerAddress {
    /// `amqp://`, `amqps://`, `amqp+ssl://`, or a failover list of them.
    Amqp(Brokers),
    /// `tcp://`, `ssl://`, `nio://`, `nio+ssl://`, or a failover list of them.
    OpenWire(Brokers),
    /// `embedded:DIR`: our own store in that folder.
    Embedded(PathBuf),
}

/// One broker, or several of which one serves at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brokers {
    /// In the order in which they are tried; never empty.
    pub endpoints: Vec<Endpoint>,
    /// What the query part asks for.
    pub options: Options,
}

/// Host and port of a broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The scheme as it was written, for messages.
    scheme: String,
    /// Host name or IP address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether TLS begins at once.
    pub tls: bool,
}

/// An address that cannot be used; the text names the fix and never shows a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broker address: {0}")]
pub struct AddressError(String);

/// Whether an endpoint's scheme means AMQP or OpenWire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Amqp,
    OpenWire,
}

impl FromStr for BrokerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if let Some(folder) = text.strip_prefix("embedded:") {
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            return if folder.is_empty() {
                Err(AddressError("embedded: names no folder: write embedded:DIR".into()))
            } else {
                Ok(Self::Embedded(folder.into()))
            };
        }
        let (list, query) = match text.strip_prefix("failover:") {
            Some(rest) => failover_parts(rest)?,
            None => (vec![text], None),
        };
        let mut options = Options::default();
        let mut endpoints = Vec::new();
        let mut protocol = None;
        for item in list {
            let (place, its_query) = split_query(item.trim());
            let (endpoint, its_protocol) = endpoint(place)?;
            if *protocol.get_or_insert(its_protocol) != its_protocol {
                return Err(AddressError(format!(
                    "{endpoint} is of another protocol than those before it: list only amqp ones or only tcp and ssl ones"
                )));
            }
            options.read(its_protocol, its_query)?;
            endpoints.push(endpoint);
        }
        let Some(protocol) = protocol else {
            return Err(AddressError(
                "failover:() lists no broker: write failover:(ssl://a:61617,ssl://b:61617)".into(),
            ));
        };
        options.read(protocol, query)?;
        let brokers = Brokers { endpoints, options };
        Ok(match protocol {
            Protocol::Amqp => Self::Amqp(brokers),
            Protocol::OpenWire => Self::OpenWire(brokers),
        })
    }
}

/// The list and the query of what follows `failover:`; the brackets may be missing, and `//` before them is let pass.
fn failover_parts(rest: &str) -> Result<(Vec<&str>, Option<&str>), AddressError> {
    let rest = rest.strip_prefix("//").filter(|inner| inner.starts_with('(')).unwrap_or(rest);
    let (list, query) = match rest.strip_prefix('(') {
        Some(inner) => {
            let (list, after) = inner.split_once(')').ok_or_else(|| {
                AddressError("failover:( has no closing bracket: write failover:(A,B)?options".into())
            })?;
            match after.strip_prefix('?') {
                Some(query) => (list, Some(query)),
                None if after.is_empty() => (list, None),
                None => {
                    return Err(AddressError("something other than ?options follows failover:(A,B)".into()));
                }
            }
        }
        None => split_query(rest),
    };
    Ok((list.split(',').filter(|item| !item.trim().is_empty()).collect(), query))
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (text, None),
    }
}

fn endpoint(text: &str) -> Result<(Endpoint, Protocol), AddressError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        // What has no scheme may hold anything, a password too: do not repeat it.
        return Err(AddressError(
            "it names no protocol: write tcp://HOST:61616, ssl://HOST:61617, amqp://HOST:5672, amqps://HOST:5671 or \
             embedded:DIR"
                .into(),
        ));
    };
    let (protocol, tls, default_port) = match scheme.to_ascii_lowercase().as_str() {
        "amqp" | "amqp+nio" => (Protocol::Amqp, false, 5672),
        "amqps" | "amqp+ssl" | "amqp+nio+ssl" => (Protocol::Amqp, true, 5671),
        "tcp" | "nio" => (Protocol::OpenWire, false, 61616),
        "ssl" | "nio+ssl" => (Protocol::OpenWire, true, 61617),
        other => {
            return Err(AddressError(format!(
                "{other}:// is not known: use tcp://, ssl://, amqp://, amqps://, amqp+ssl://, failover:(…) or embedded:DIR"
            )));
        }
    };
    let place = rest.split('/').next().unwrap_or_default();
    if place.contains('@') {
        return Err(AddressError(
            "it holds a user or password: put them into user and password_file, where no log shows them".into(),
        ));
    }
    if rest.len() > place.len() + 1 {
        return Err(AddressError(format!("{scheme}://{place} is followed by a path: leave it out")));
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner
                .split_once(']')
                .ok_or_else(|| AddressError(format!("{place} has no closing bracket: write [::1]:{default_port}")))?;
            (host, after.strip_prefix(':'))
        }
        None => match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(AddressError(format!("{text} names no host: write {scheme}://HOST:{default_port}")));
    }
    if host.contains(':') && !place.starts_with('[') {
        return Err(AddressError(format!("{place}: put an IPv6 address into brackets, as [::1]:{default_port}")));
    }
    let port =
        match port {
            None => default_port,
            Some(digits) => digits.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                AddressError(format!("{digits:?} in {place} is no port: write a number from 1 to 65535"))
            })?,
        };
    Ok((Endpoint { scheme: scheme.to_ascii_lowercase(), host: host.to_owned(), port, tls }, protocol))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.scheme, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
        }
    }
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoints.as_slice() {
            [one] => one.fmt(f),
            several => {
                f.write_str("failover:(")?;
                for (place, endpoint) in several.iter().enumerate() {
                    write!(f, "{}{endpoint}", if place == 0 { "" } else { "," })?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for BrokerAddress {
    /// The address without its options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amqp(brokers) | Self::OpenWire(brokers) => brokers.fmt(f),
            Self::Embedded(folder) => write!(f, "embedded:{}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn amqp(text: &str) -> Brokers {
        match text.parse() {
            Ok(BrokerAddress::Amqp(brokers)) => brokers,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn says(text: &str) -> String {
        text.parse::<BrokerAddress>().unwrap_err().to_string()
    }

    #[test]
    fn what_activemq_users_write_is_understood() {
        for (text, shown, tls) in [
            ("amqp://h:5673", "amqp://h:5673", false),
            ("amqp://h", "amqp://h:5672", false),
            ("amqps://h/", "amqps://h:5671", true),
            ("amqp+ssl://b-1.mq.example:5671", "amqp+ssl://b-1.mq.example:5671", true),
            ("amqp://[::1]:5672", "amqp://[::1]:5672", false),
        ] {
            let brokers = amqp(text);
            assert_eq!(brokers.to_string(), shown);
            assert_eq!(brokers.endpoints[0].tls, tls, "{text}");
        }
        assert!(matches!("tcp://h:61616?wireFormat.tightEncodingEnabled=true".parse(), Ok(BrokerAddress::OpenWire(_))));
        assert!(matches!("failover:(ssl://a:1,ssl://b:2)?randomize=false".parse(), Ok(BrokerAddress::OpenWire(_))));
        assert_eq!("embedded:/var/x".parse(), Ok(BrokerAddress::Embedded("/var/x".into())));
    }

    #[test]
    fn failover_lists_keep_order_and_options() {
        let brokers = amqp(
            "failover:(amqps://a:5671?amqp.idleTimeout=9000, amqps://b:5672)?failover.randomize=true&failover.nested.transport.connectTimeout=1500",
        );
        assert_eq!(brokers.to_string(), "failover:(amqps://a:5671,amqps://b:5672)");
        assert_eq!(brokers.options.idle_timeout, Duration::from_secs(9));
        assert_eq!(brokers.options.connect_timeout, Duration::from_millis(1500));
        assert!(brokers.options.randomize);
        assert_eq!(amqp("failover:amqp://a,amqp://b").endpoints.len(), 2);
        assert_eq!(amqp("failover://(amqp://a:1,amqp://b:2)").endpoints[1].port, 2);
    }

    #[test]
    fn activemqs_own_options_are_understood() {
        let text = "failover:(ssl://a:61617?wireFormat.maxInactivityDuration=2000,ssl://b)?randomize=true\
                    &initialReconnectDelay=20&maxReconnectDelay=400&timeout=3000&startupMaxReconnectAttempts=4\
                    &priorityBackup=true&nested.wireFormat.maxFrameSize=1048576&nested.connectionTimeout=1500\
                    &nested.wireFormat.version=9";
        let Ok(BrokerAddress::OpenWire(brokers)) = text.parse() else { panic!("{text}") };
        assert_eq!(brokers.to_string(), "failover:(ssl://a:61617,ssl://b:61617)");
        let expected = Options {
            connect_timeout: Duration::from_millis(1500),
            inactivity: Duration::from_secs(2),
            max_message: Some(1_048_576),
            version: 9,
            randomize: true,
            initial_reconnect_delay: Duration::from_millis(20),
            max_reconnect_delay: Duration::from_millis(400),
            timeout: Some(Duration::from_secs(3)),
            startup_max_reconnect_attempts: Some(4),
            priority_backup: true,
            ..Options::default()
        };
        assert_eq!(brokers.options, expected);
        let Ok(BrokerAddress::OpenWire(brokers)) =
            "tcp://h?wireFormat.maxInactivityDuration=0&keepAlive=true&wireFormat.cacheEnabled=false".parse()
        else {
            panic!("a plain address")
        };
        assert_eq!(brokers.options, Options { inactivity: Duration::ZERO, ..Options::default() });
    }

    #[test]
    fn each_error_names_the_fix_and_no_secret() {
        for (text, part) in [
            ("localhost:5672", "write tcp://HOST"),
            ("mqtt://h", "mqtt:// is not known"),
            ("amqp://h:0", "write a number from 1"),
            ("amqp://h:port", "is no port"),
            ("amqp://:5672", "names no host"),
            ("amqp://::1:5672", "into brackets"),
            ("amqp://[::1", "closing bracket"),
            ("amqp://h:5672/queue", "leave it out"),
            ("failover:()", "lists no broker"),
            ("failover:(amqp://a", "closing bracket"),
            ("failover:(amqp://a)x", "?options"),
            ("failover:(amqp://a,ssl://b)", "another protocol"),
            ("amqp://h?amqp.idletimeout=3", "amqp.idletimeout is not known"),
            ("amqp://h?amqp.idleTimeout=3", "milliseconds from 1000"),
            ("amqp://h?amqp.maxFrameSize=3", "at least 512"),
            ("amqps://h?transport.verifyHost=false", "always checked"),
            ("embedded:", "embedded:DIR"),
            ("tcp://h?jms.useAsyncSend=true", "jms.useAsyncSend is not known"),
            ("tcp://h?wireFormat.maxInactivityDuration=3", "milliseconds from 1000"),
            ("tcp://h?wireFormat.maxFrameSize=3", "at least 65536"),
            ("tcp://h?wireFormat.version=5", "from 9 to 12"),
            ("tcp://h?wireFormat.sizePrefixDisabled=true", "is not known"),
            ("failover:(tcp://a)?randomise=true", "randomise is not known"),
            ("failover:(tcp://a)?timeout=3", "milliseconds from 100"),
            ("failover:(tcp://a)?maxReconnectAttempts=3", "startupMaxReconnectAttempts"),
            ("ssl://h?socket.verifyHostName=false", "always checked"),
        ] {
            assert!(says(text).contains(part), "{text}: {}", says(text));
        }
        for text in
            ["amqp://u:hunter2@h", "amqp://h?jms.password=hunter2", "tcp://h?jms.password=hunter2", "u:hunter2@h"]
        {
            assert!(!says(text).contains("hunter2"), "{}", says(text));
        }
    }
}
