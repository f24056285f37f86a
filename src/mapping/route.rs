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
    /// Name of the broker: an id that it made gives the same MsgId in MQ again and again, and another broker's id another one.
    pub broker: String,
    /// Queue managers that our sending channels lead to. Empty: not known, and then every name counts as one of them.
    pub qmgrs: Vec<String>,
    /// What becomes of a message whose replies must go to a queue manager that is none of these.
    pub unknown_reply: UnknownReply,
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
    /// How its messages are mapped, both ways.
    pub treatment: Treatment,
}

/// How messages are mapped: what a route says, or with none, what a careful administrator would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// What becomes of bodies on the way to the broker.
    pub body: BodyMode,
    /// Whether messages to MQ get an MQRFH2.
    pub rfh2: Rfh2Mode,
    /// What becomes of characters that the body's CCSID lacks, on the way to MQ.
    pub unencodable: Unencodable,
    /// What becomes of segments.
    pub segments: Segments,
    /// What becomes of messages that ask for confirmation on delivery.
    pub cod: CodMode,
    /// How the end of a group is shown to the broker.
    pub group_close: GroupClose,
    /// Whose name stands in UserIdentifier of messages to MQ.
    pub context: ContextMode,
    /// What becomes of a JMSCorrelationID that looks like an id of MQ's and is none.
    pub bad_correlation: BadCorrelation,
    /// How names of properties are written for the broker.
    pub property_names: PropertyNames,
    /// Whether what only AMQP knows goes to MQ and comes back from there: message annotations, footers, reply-to-group-id,
    /// first-acquirer. Without it these are left out, with a note.
    pub keep_amqp: bool,
    /// CCSID of text that comes from the broker and says nothing itself.
    pub ccsid: i32,
    /// Encoding of what comes from the broker and says nothing itself.
    pub encoding: i32,
}

impl Default for Treatment {
    fn default() -> Self {
        Self {
            body: BodyMode::default(),
            rfh2: Rfh2Mode::default(),
            unencodable: Unencodable::default(),
            segments: Segments::default(),
            cod: CodMode::default(),
            group_close: GroupClose::default(),
            context: ContextMode::default(),
            bad_correlation: BadCorrelation::default(),
            property_names: PropertyNames::default(),
            keep_amqp: false,
            ccsid: 1208,
            encoding: 273,
        }
    }
}

/// Policies: an enum of words each, an option in the configuration.
macro_rules! policies {
    ($($(#[$about:meta])* $name:ident, $key:literal { $($(#[$doc:meta])* $option:ident = $word:literal,)* })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub enum $name {
                $($(#[$doc])* $option,)*
            }

            impl $name {
                /// The words of the configuration, in order.
                pub const WORDS: &[&str] = &[$($word),*];
            }

            impl FromStr for $name {
                type Err = String;

                fn from_str(text: &str) -> Result<Self, String> {
                    match text {
                        $($word => Ok(Self::$option),)*
                        other => Err(format!("{} {other:?} is unknown: write {}", $key, Self::WORDS.join(" or "))),
                    }
                }
            }
        )*
    };
}

policies! {
    /// How a route treats bodies (mapping rules, section 3).
    BodyMode, "body" {
        /// Text where the message says that it is text, else bytes.
        #[default]
        Auto = "auto",
        /// Text always: the body is converted from its CCSID whatever its format.
        Text = "text",
        /// Bytes always: nothing is converted.
        Bytes = "bytes",
    }
    /// Whether a message to MQ gets an MQRFH2, as the target client of IBM's JMS decides it (mapping rules, section 3).
    Rfh2Mode, "rfh2" {
        /// Only when something has no place without it: properties, a JMSType, a correlation or group id that is no 24 bytes, a body
        /// that is neither text nor bytes; and always for a message that had one.
        #[default]
        IfNeeded = "if-needed",
        /// Always: the receivers are JMS applications.
        Always = "always",
        /// Never: the receivers know nothing of it. What has no place without it is lost, with a note.
        Never = "never",
    }
    /// A character that the body's CCSID lacks.
    Unencodable, "unencodable" {
        /// The message goes to the dead-letter queue, MQRC 2119.
        #[default]
        Error = "error",
        /// The character becomes the page's question mark, with a note.
        Substitute = "substitute",
    }
    /// Segments of a message (mapping rules, section 7).
    Segments, "segments" {
        /// Each segment is a message of its own, of bytes, with Offset and OriginalLength in its properties.
        #[default]
        Pass = "pass",
    }
    /// Confirmation on delivery, which nobody behind a broker can give as MQ means it (mapping rules, section 2).
    CodMode, "cod" {
        /// The message is published, and no confirmation is ever sent; a note says so.
        #[default]
        Reject = "reject",
        /// The confirmation is sent when the broker has the message.
        AtArrival = "at-arrival",
        /// The confirmation is sent when the broker's advisory says that the message was consumed.
        Advisory = "advisory",
    }
    /// Who a message to MQ says that it is from: the UserIdentifier, by which a queue manager may decide what the message may do
    /// (mapping rules, section 2).
    ContextMode, "context" {
        /// The sending channel's `mcauser`, or blank without one: what an application on the broker's side says can be made up.
        #[default]
        Mcauser = "mcauser",
        /// JMSXUserID, or what the message came from MQ with. As with MQ's authority to set context: for those who are trusted.
        Set = "set",
    }
    /// A JMSCorrelationID that begins `ID:` and goes on with other than at most 48 hex digits, an even number of them: no bytes for
    /// CorrelId can be read from it (mapping rules, section 4). Ids that the broker gave to messages are of this kind.
    BadCorrelation, "bad_correlation" {
        /// CorrelId is derived from it as MsgId is from a JMSMessageID: whoever answers or follows a message by its id, on either
        /// side, still names that message. With a note.
        #[default]
        Derive = "derive",
        /// CorrelId is the beginning of the text, as with any other text. With a note.
        Text = "text",
        /// The message goes to the dead-letter queue, MQRC 2207.
        Refuse = "refuse",
    }
    /// Names of properties on the way to the broker (mapping rules, section 8).
    PropertyNames, "property_names" {
        /// As they are: ActiveMQ takes any.
        #[default]
        AsIs = "as-is",
        /// `_xHHHH_` for each character that a Java identifier cannot have, and for the first of a word that JMS forbids: clients
        /// that insist on identifiers see them. Restored on the way back.
        Escape = "escape",
    }
    /// A message asks for replies at a queue manager that no channel of ours leads to (mapping rules, section 5).
    UnknownReply, "unknown_reply" {
        /// It goes to the dead-letter queue, MQRC 2087: a request that nobody can answer is better not begun.
        #[default]
        Reject = "reject",
        /// It is published without a reply address, with a note.
        Drop = "drop",
    }
    /// The end of a group, as ActiveMQ would be told of it (mapping rules, section 7).
    GroupClose, "group_close" {
        /// Not: JMSXGroupSeq is MsgSeqNumber.
        #[default]
        Never = "never",
        /// The last message has JMSXGroupSeq -1, which frees the group's consumer; MsgSeqNumber is in a property.
        OnLast = "on-last",
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

    /// The one name that fits, if it is a name and no pattern.
    pub fn only(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
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
    /// How it is mapped.
    pub treatment: Treatment,
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
        let found = self.find(remote_queue, remote_qmgr);
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
        let treatment = found.map(|(_, route)| route.treatment).unwrap_or_default();
        let routed = Routed { destination, treatment, route: found.map(|(index, _)| index) };
        match &routed.destination {
            Destination::Queue(name) if name.starts_with(RESERVED) => Err(Unmappable {
                reason: reason::NOT_AUTHORIZED,
                field: "RemoteQName",
                text: format!("queue {name:?} holds the gateway's sync records: send elsewhere or add a route"),
            }),
            _ => Ok(routed),
        }
    }

    /// The first route that is for these names, and its index.
    pub(super) fn find(&self, remote_queue: &str, remote_qmgr: &str) -> Option<(usize, &Route)> {
        let matches = |condition: &Option<Glob>, name: &str| condition.as_ref().is_none_or(|glob| glob.matches(name));
        self.routes
            .iter()
            .enumerate()
            .find(|(_, r)| matches(&r.remote_queue, remote_queue) && matches(&r.remote_qmgr, remote_qmgr))
    }

    /// Where replies to `reply_queue` at `reply_qmgr` go: a queue of ours by its route, a queue elsewhere to
    /// `queue://MQ.<queue manager>.<queue>`, which a sending channel drains (mapping rules, section 5).
    ///
    /// # Errors
    /// Where the names cannot be a destination, or no channel leads to that queue manager (MQRC 2087).
    pub fn reply_route(&self, reply_queue: &str, reply_qmgr: &str) -> Result<Destination, Unmappable> {
        if self.is_us(reply_qmgr) {
            return self.route(reply_queue, reply_qmgr).map(|routed| routed.destination);
        }
        if !self.qmgrs.is_empty() && !self.qmgrs.iter().any(|known| known == reply_qmgr) {
            return Err(Unmappable {
                reason: reason::UNKNOWN_REMOTE_Q_MGR,
                field: "ReplyToQMgr",
                text: format!("no channel leads to queue manager {reply_qmgr:?}, where replies must go: define one"),
            });
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
            treatment: Treatment::default(),
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
                Route {
                    treatment: Treatment { body: BodyMode::Bytes, ..Treatment::default() },
                    ..route(Some("RAW.*"), None, "")
                },
            ],
            ..Policy::default()
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
        assert_eq!(policy().route("RAW.X", "").map(|r| r.treatment.body), Ok(BodyMode::Bytes));
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
        let known = Policy { qmgrs: vec!["QM1".into()], ..policy() };
        assert_eq!(known.reply_route("R", "QM1").map(|d| d.to_string()).as_deref(), Ok("queue://MQ.QM1.R"));
        assert_eq!(known.reply_route("R", "QM9").map_err(|u| u.reason), Err(2087));
    }
}
