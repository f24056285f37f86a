//! What the broker gets: one message in the broker's own terms, whatever protocol carries it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::PropertyMap;

/// Name of a property: most are known beforehand, and need no copy.
pub type Name = Cow<'static, str>;

/// A message as a broker sees it. Absent fields are absent there too; everything else is written explicitly,
/// for the broker's defaults differ from MQ's.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Where it goes.
    pub destination: Destination,
    /// Whether it survives a broker restart.
    pub persistent: bool,
    /// 0 to 9.
    pub priority: u8,
    /// Milliseconds since 1970 UTC at which it expires; none: never.
    pub expires_at_ms: Option<i64>,
    /// `ID:` and 48 lower-case hex digits for a message from MQ.
    pub message_id: Option<String>,
    /// The correlation id, text.
    pub correlation_id: Option<String>,
    /// Where replies go.
    pub reply_to: Option<Destination>,
    /// JMSType.
    pub message_type: Option<String>,
    /// JMSXGroupID.
    pub group_id: Option<String>,
    /// JMSXGroupSeq.
    pub group_sequence: Option<i32>,
    /// JMSXUserID.
    pub user_id: Option<String>,
    /// JMSTimestamp: milliseconds since 1970 UTC.
    pub timestamp_ms: Option<i64>,
    /// Application properties; never of type bytes or char (mapping rules, section 8).
    pub properties: PropertyMap,
    /// The body.
    pub body: Body,
}

/// A destination as ActiveMQ users write it: `queue://NAME` or `topic://NAME`; a bare name is a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// A queue.
    Queue(String),
    /// A topic.
    Topic(String),
    /// A temporary queue.
    TempQueue(String),
    /// A temporary topic.
    TempTopic(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue://{name}"),
            Self::Topic(name) => write!(f, "topic://{name}"),
            Self::TempQueue(name) => write!(f, "temp-queue://{name}"),
            Self::TempTopic(name) => write!(f, "temp-topic://{name}"),
        }
    }
}

/// A destination without a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("destination {0:?} has no name: write queue://NAME or topic://NAME")]
pub struct NoName(pub String);

impl FromStr for Destination {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let (kind, name) = text.split_once("://").unwrap_or(("", text));
        let (make, name): (fn(String) -> Self, &str) = match kind {
            "queue" => (Self::Queue, name),
            "topic" => (Self::Topic, name),
            "temp-queue" => (Self::TempQueue, name),
            "temp-topic" => (Self::TempTopic, name),
            _ => (Self::Queue, text),
        };
        if name.is_empty() { Err(NoName(text.to_owned())) } else { Ok(make(name.to_owned())) }
    }
}

/// A typed value of a property, a map entry or a stream item.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// JMS null.
    Null,
    /// JMS boolean.
    Boolean(bool),
    /// JMS byte.
    Byte(i8),
    /// JMS short.
    Short(i16),
    /// JMS int.
    Int(i32),
    /// JMS long.
    Long(i64),
    /// JMS float.
    Float(f32),
    /// JMS double.
    Double(f64),
    /// JMS char, one UTF-16 unit; map entries and stream items only.
    Char(u16),
    /// JMS String.
    String(String),
    /// Byte array; map entries and stream items only.
    Bytes(Bytes),
}

/// A named entry of a map body.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// The body, by JMS message class.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Message: no body.
    Empty,
    /// TextMessage.
    Text(String),
    /// BytesMessage.
    Bytes(Bytes),
    /// MapMessage.
    Map(Vec<Entry>),
    /// StreamMessage.
    Stream(Vec<Value>),
    /// ObjectMessage: serialised Java, never looked into.
    Object(Bytes),
}
