//! Routing: one pure function from the names in a transmission header to a destination.

use std::fmt;
use std::str::FromStr;

use super::{Destination, Unmappable, reason};

/// What a gateway knows about names: who it is, and where messages go. Looked up for each message, so that it can be
/// replaced while channels run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Our queue-manager name.
    pub name: String,
    /// Queue managers that we stand in for.
    pub aliases: Vec<String>,
    /// First match wins; with none, a message goes to the queue of its own remote queue's name.
    pub routes: Vec<Route>,
}

/// One route. A condition that is absent always holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Condition on RemoteQName.
    pub remote_queue: Option<Glob>,
    /// Condition on RemoteQMgrName (one of ours: messages for others are refused before routes are looked at).
    pub remote_qmgr: Option<Glob>,
    /// Where to; none: the queue of the same name.
    pub destination: Option<Destination>,
    /// What becomes of bodies.
    pub body: BodyMode,
}

/// How a route treats bodies (mapping rules, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyMode {
    /// Text where the message says that it is text, else bytes.
    #[default]
    Auto,
    /// Text always: the body is converted from its CCSID whatever its format.
    Text,
    /// Bytes always: nothing is converted.
    Bytes,
}

impl FromStr for BodyMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "bytes" => Ok(Self::Bytes),
            other => Err(format!("body {other:?} is unknown: write auto, text or bytes")),
        }
    }
}

/// A name pattern as MQ administrators write generic names; `*` stands for any run of characters and may stand
/// anywhere, everything else for itself (MQ names distinguish upper and lower case).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(String);

impl Glob {
    /// A pattern; every text is one.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether `name`, without trailing blanks, fits. Takes time proportional to the product of both lengths at most.
    pub fn matches(&self, name: &str) -> bool {
        let (mut rest, mut pieces) = (name, self.0.split('*'));
        let first = pieces.next().unwrap_or_default();
        let Some(after) = rest.strip_prefix(first) else { return false };
        rest = after;
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            match rest.find(piece).and_then(|at| rest.get(at + piece.len()..)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The decision for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Where to.
    pub destination: Destination,
    /// What becomes of the body.
    pub body: BodyMode,
    /// Index of the route that decided; none: the queue of the same name.
    pub route: Option<usize>,
}

/// Queues that hold the gateway's own sync records; a message put there would break a channel.
const RESERVED: &str = "MQFERRY.SYNC.";

impl Policy {
    /// A policy without aliases and routes.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Whether `qmgr` is us: our name, an alias, or blank.
    pub fn is_us(&self, qmgr: &str) -> bool {
        qmgr.is_empty() || qmgr == self.name || self.aliases.iter().any(|alias| alias == qmgr)
    }

    /// Where a message for `remote_queue` at `remote_qmgr` goes; both without trailing blanks.
    ///
    /// # Errors
    /// MQRC 2087 for a queue manager that we do not stand in for; 2152 where there is no route and the queue's name is
    /// not a legal MQ name; 2035 for the queues of the gateway's own sync records.
    pub fn route(&self, remote_queue: &str, remote_qmgr: &str) -> Result<Routed, Unmappable> {
        if !self.is_us(remote_qmgr) {
            return Err(Unmappable {
                reason: reason::UNKNOWN_REMOTE_Q_MGR,
                field: "RemoteQMgrName",
                text: format!(
                    "queue manager {remote_qmgr:?} is not us: we are {:?}; if we stand in for it, add it to aliases",
                    self.name
                ),
            });
        }
        let matches = |condition: &Option<Glob>, name: &str| condition.as_ref().is_none_or(|glob| glob.matches(name));
        let found = self
            .routes
            .iter()
            .enumerate()
            .find(|(_, r)| matches(&r.remote_queue, remote_queue) && matches(&r.remote_qmgr, remote_qmgr));
        let destination = match found.and_then(|(_, route)| route.destination.clone()) {
            Some(destination) => destination,
            None if is_object_name(remote_queue) => Destination::Queue(remote_queue.to_owned()),
            None => {
                return Err(Unmappable {
                    reason: reason::OBJECT_NAME_ERROR,
                    field: "RemoteQName",
                    text: format!("{remote_queue:?} is not a queue name and no route takes it: add a route"),
                });
            }
        };
        let body = found.map_or(BodyMode::Auto, |(_, route)| route.body);
        let routed = Routed { destination, body, route: found.map(|(index, _)| index) };
        match &routed.destination {
            Destination::Queue(name) if name.starts_with(RESERVED) => Err(Unmappable {
                reason: reason::NOT_AUTHORIZED,
                field: "RemoteQName",
                text: format!("queue {name:?} holds the gateway's sync records: send elsewhere or add a route"),
            }),
            _ => Ok(routed),
        }
    }

    /// Where replies to `reply_queue` at `reply_qmgr` go: a queue of ours by its route, a queue elsewhere to
    /// `queue://MQ.<queue manager>.<queue>`, which a sending channel drains (mapping rules, section 5).
    ///
    /// # Errors
    /// Where the names cannot be a destination.
    pub fn reply_route(&self, reply_queue: &str, reply_qmgr: &str) -> Result<Destination, Unmappable> {
        if self.is_us(reply_qmgr) {
            return self.route(reply_queue, reply_qmgr).map(|routed| routed.destination);
        }
        if is_object_name(reply_queue) && is_object_name(reply_qmgr) {
            return Ok(Destination::Queue(format!("MQ.{reply_qmgr}.{reply_queue}")));
        }
        Err(Unmappable {
            reason: reason::OBJECT_NAME_ERROR,
            field: "ReplyToQ",
            text: format!("{reply_queue:?} at {reply_qmgr:?} is not a queue name"),
        })
    }
}

/// Whether MQ allows this name: 1 to 48 of `A-Z a-z 0-9 . / _ %` (mapping rules, section 5).
pub fn is_object_name(name: &str) -> bool {
    (1..=48).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"./_%".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("A.B", "A.B", true),
            ("A.B", "A.BC", false),
            ("a", "A", false),
            ("A*", "A", true),
            ("A*", "ABC", true),
            ("*", "", true),
            ("", "", true),
            ("", "A", false),
            ("*.REPLY", "X.Y.REPLY", true),
            ("A*C*E", "ABCDE", true),
            ("A*C*E", "ACE", true),
            ("A*A", "A", false),
            ("A**B", "AB", true),
            ("*X*", "AB", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    fn route(queue: Option<&str>, qmgr: Option<&str>, to: &str) -> Route {
        Route {
            remote_queue: queue.map(Glob::new),
            remote_qmgr: qmgr.map(Glob::new),
            destination: to.parse().ok(),
            body: BodyMode::Auto,
        }
    }

    fn policy() -> Policy {
        Policy {
            name: "AMQGW".into(),
            aliases: vec!["QM2".into()],
            routes: vec![
                route(Some("PAY.SPECIAL"), Some("QM2"), "queue://special"),
                route(Some("PAY.*"), None, "topic://payments"),
                route(None, Some("QM2"), "queue://FROM.QM2"),
                route(Some("TRAP"), None, "queue://MQFERRY.SYNC.X"),
                Route { body: BodyMode::Bytes, ..route(Some("RAW.*"), None, "") },
            ],
        }
    }

    #[test]
    fn first_match_wins_and_none_is_the_same_name() {
        let to = |q: &str, m: &str| policy().route(q, m).map(|r| r.destination.to_string());
        assert_eq!(to("PAY.SPECIAL", "QM2").as_deref(), Ok("queue://special"));
        assert_eq!(to("PAY.SPECIAL", "AMQGW").as_deref(), Ok("topic://payments"));
        assert_eq!(to("OTHER", "QM2").as_deref(), Ok("queue://FROM.QM2"));
        assert_eq!(to("OTHER", "AMQGW").as_deref(), Ok("queue://OTHER"));
        assert_eq!(to("OTHER", "").as_deref(), Ok("queue://OTHER"));
        assert_eq!(to("RAW.X", "").as_deref(), Ok("queue://RAW.X"));
        assert_eq!(policy().route("RAW.X", "").map(|r| r.body), Ok(BodyMode::Bytes));
    }

    #[test]
    fn refusals_tell_the_reason() {
        let why = |q: &str, m: &str| policy().route(q, m).map_err(|u| (u.reason, u.field));
        assert_eq!(why("PAY.X", "QM9"), Err((2087, "RemoteQMgrName")));
        assert_eq!(why("", ""), Err((2152, "RemoteQName")));
        assert_eq!(why("A,B", "AMQGW"), Err((2152, "RemoteQName")));
        assert_eq!(why("A>", "AMQGW"), Err((2152, "RemoteQName")));
        assert_eq!(why("MQFERRY.SYNC.AMQGW.C.QM1", "AMQGW"), Err((2035, "RemoteQName")));
        assert_eq!(why("TRAP", "AMQGW"), Err((2035, "RemoteQName")));
    }

    #[test]
    fn replies() {
        let to = |q: &str, m: &str| policy().reply_route(q, m).map(|d| d.to_string()).map_err(|u| u.reason);
        assert_eq!(to("PAY.ACK", "AMQGW").as_deref(), Ok("topic://payments"));
        assert_eq!(to("R", "AMQGW").as_deref(), Ok("queue://R"));
        assert_eq!(to("R.X", "QM1.A").as_deref(), Ok("queue://MQ.QM1.A.R.X"));
        assert_eq!(to("R>", "QM1"), Err(2152));
    }
}
