//! The names by which both sides call connections, sessions, consumers, producers, messages and transactions. The side
//! that makes a thing names it.

use std::sync::Arc;

use bytes::Bytes;

use super::error::{DecodeError, EncodeError};
use super::field::{Reader, Writer};
use super::structure::{Nested, structure};

structure! {
    /// A connection; `value` is a text that no other connection of the broker has.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    ConnectionId = value 120 {
        /// The text.
        value: Arc<str>;
    }
}

structure! {
    /// A session of a connection.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    SessionId = value 121 {
        /// The connection's text.
        connection_id: Arc<str>;
        /// Counted by the client from 1; -1 is the connection's own session.
        value: i64;
    }
}

structure! {
    /// A consumer of a session.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    ConsumerId = value 122 {
        /// The connection's text.
        connection_id: Arc<str>;
        /// The session's number.
        session_id: i64;
        /// Counted by the client.
        value: i64;
    }
}

structure! {
    /// A producer of a session.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    ProducerId = value 123 {
        /// The connection's text.
        connection_id: Arc<str>;
        /// Counted by the client; before the session's number on the wire.
        value: i64;
        /// The session's number.
        session_id: i64;
    }
}

structure! {
    /// A broker.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    BrokerId = value 124 {
        /// Its text.
        value: Arc<str>;
    }
}

structure! {
    /// A message. The broker tells messages apart by producer and sequence; JMS readers see `text_view` if there is one.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    MessageId = value 110 {
        /// What JMSMessageID is to be (mapping rules, section 4); `ID:` is put before it by the reader if missing.
        text_view: Option<String>, since 10;
        /// Who produced it.
        producer_id: Option<ProducerId>;
        /// Counted by the producer from 1.
        producer_sequence_id: i64;
        /// Given by the broker; 0 from a client.
        broker_sequence_id: i64;
    }
}

structure! {
    /// A transaction of one connection.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    LocalTransactionId = value 111 {
        /// Counted by the client.
        value: i64;
        /// The connection.
        connection_id: ConnectionId;
    }
}

structure! {
    /// A distributed transaction.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    XaTransactionId = value 112 {
        /// Who made the other two parts.
        format_id: i32;
        /// Up to 64 bytes.
        global_transaction_id: Option<Bytes>;
        /// Up to 64 bytes.
        branch_qualifier: Option<Bytes>;
    }
}

/// Either kind of transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionId {
    /// Of one connection.
    Local(LocalTransactionId),
    /// Distributed.
    Xa(XaTransactionId),
}

impl Nested for TransactionId {
    const NAME: &'static str = "TransactionId";

    fn type_code(&self) -> u8 {
        match self {
            Self::Local(_) => LocalTransactionId::TYPE,
            Self::Xa(_) => XaTransactionId::TYPE,
        }
    }

    fn read_as(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
        match type_code {
            LocalTransactionId::TYPE => Some(LocalTransactionId::read_fields(reader).map(Self::Local)),
            XaTransactionId::TYPE => Some(XaTransactionId::read_fields(reader).map(Self::Xa)),
            _ => None,
        }
    }

    fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Local(id) => id.write_fields(writer),
            Self::Xa(id) => id.write_fields(writer),
        }
    }
}

impl ConnectionId {
    /// The connection of this text.
    pub fn new(value: impl Into<Arc<str>>) -> Self {
        Self { value: value.into() }
    }

    /// Its session `value`.
    pub fn session(&self, value: i64) -> SessionId {
        SessionId { connection_id: self.value.clone(), value }
    }

    /// Its local transaction `value`.
    pub fn transaction(&self, value: i64) -> TransactionId {
        TransactionId::Local(LocalTransactionId { value, connection_id: self.clone() })
    }
}

impl SessionId {
    /// Its consumer `value`.
    pub fn consumer(&self, value: i64) -> ConsumerId {
        ConsumerId { connection_id: self.connection_id.clone(), session_id: self.value, value }
    }

    /// Its producer `value`.
    pub fn producer(&self, value: i64) -> ProducerId {
        ProducerId { connection_id: self.connection_id.clone(), value, session_id: self.value }
    }
}

impl ProducerId {
    /// The message `sequence` of this producer.
    pub fn message(&self, sequence: i64) -> MessageId {
        MessageId {
            text_view: None,
            producer_id: Some(self.clone()),
            producer_sequence_id: sequence,
            broker_sequence_id: 0,
        }
    }
}
