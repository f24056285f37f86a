//! What moves messages: transactions, dispatches, acknowledgements, windows.

use super::error::{DecodeError, EncodeError, Problem};
use super::field::{Field, Reader, Writer};
use super::handshake::Throwable;
use super::ids::{ConnectionId, ConsumerId, MessageId, ProducerId, TransactionId};
use super::message::Message;
use super::structure::structure;
use crate::mapping::Destination;

/// A byte of which few values mean something.
macro_rules! choice {
    ($(#[$about:meta])* $name:ident { $( $(#[$value_about:meta])* $value:ident = $code:literal, )* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$value_about])* $value = $code, )*
        }

        impl Field for $name {
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
                match u8::read(reader, field)? {
                    $( $code => Ok(Self::$value), )*
                    other => Err(reader.error_before(field, 1, Problem::OutOfRange(other.into()))),
                }
            }

            fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
                (*self as u8).write(writer, field)
            }
        }
    };
}

choice! {
    /// What is to happen to a transaction.
    TransactionType {
        /// It begins; needs no answer.
        Begin = 0,
        /// Distributed only: vote.
        Prepare = 1,
        /// Commit without a vote; the only one of a local transaction.
        CommitOnePhase = 2,
        /// Distributed only: commit after the vote.
        CommitTwoPhase = 3,
        /// Undo.
        Rollback = 4,
        /// Distributed only: which are prepared?
        Recover = 5,
        /// Distributed only: forget what was decided without us.
        Forget = 6,
        /// Distributed only: nothing more belongs to it.
        End = 7,
    }
}

structure! {
    /// Begins or ends a transaction.
    #[derive(Clone, Debug, PartialEq, Eq)]
    TransactionInfo = command 7 {
        /// Whose connection.
        connection_id: Option<ConnectionId>;
        /// Which.
        transaction_id: Option<TransactionId>;
        /// What happens to it; `type` on the wire.
        step: TransactionType;
    }
}

structure! {
    /// The broker asks a consumer to change its manners, or ends it.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConsumerControl = command 17 {
        /// Of all consumers of this destination.
        destination: Option<Destination>;
        /// It is closed.
        close: bool;
        /// Which.
        consumer_id: Option<ConsumerId>;
        /// Its new window.
        prefetch: i32;
        /// Acknowledge what is held back.
        flush: bool;
        /// Go on.
        start: bool;
        /// Stop.
        stop: bool;
    }
}

structure! {
    /// The broker took so many bytes of a producer with a window.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ProducerAck = command 19 {
        /// Which.
        producer_id: Option<ProducerId>;
        /// Bytes.
        size: i32;
    }
}

structure! {
    /// Asks for one message, with a window of 0.
    #[derive(Clone, Debug, PartialEq, Eq)]
    MessagePull = command 20 {
        /// Who asks.
        consumer_id: ConsumerId;
        /// Where from.
        destination: Option<Destination>;
        /// Milliseconds to wait; 0: for ever, -1: not at all.
        timeout: i64;
        /// Only the message with this correlation id.
        correlation_id: Option<String>;
        /// Only this message.
        message_id: Option<MessageId>;
    }
}

structure! {
    /// A message for a consumer.
    #[derive(Clone, Debug, PartialEq)]
    MessageDispatch = command 21 {
        /// Which consumer.
        consumer_id: ConsumerId;
        /// Where it was; that of the message can be another one.
        destination: Option<Destination>;
        /// The message; none ends a browse or an unanswered pull. Its own command id and answer flag are not kept.
        message: Option<Box<Message>>;
        /// How often it was delivered before.
        redelivery_counter: i32;
    }
}

choice! {
    /// What an acknowledgement says.
    AckType {
        /// They arrived; more may come.
        Delivered = 0,
        /// They cannot be consumed: to the dead-letter queue.
        Poison = 1,
        /// They were consumed, the first to the last.
        Standard = 2,
        /// They are delivered again.
        Redelivered = 3,
        /// This one was consumed.
        Individual = 4,
        /// Of a durable subscription: the selector does not want it.
        Unmatched = 5,
        /// It was too old.
        Expired = 6,
    }
}

structure! {
    /// Acknowledges messages; undone by a rollback if it names a transaction.
    #[derive(Clone, Debug, PartialEq, Eq)]
    MessageAck = command 22 {
        /// Where they were.
        destination: Option<Destination>;
        /// The transaction that it belongs to.
        transaction_id: Option<TransactionId>;
        /// Who had them.
        consumer_id: ConsumerId;
        /// What it says.
        ack_type: AckType;
        /// The first; none in an individual one.
        first_message_id: Option<MessageId>;
        /// The last, or the only one.
        last_message_id: Option<MessageId>;
        /// How many.
        message_count: i32;
        /// Why they cannot be consumed.
        poison_cause: Option<Throwable>;
    }
}

impl MessageAck {
    /// This message was consumed by this consumer, in this transaction.
    pub fn individual(
        destination: Destination,
        consumer_id: ConsumerId,
        message_id: MessageId,
        transaction_id: Option<TransactionId>,
    ) -> Self {
        Self {
            destination: Some(destination),
            transaction_id,
            consumer_id,
            ack_type: AckType::Individual,
            first_message_id: None,
            last_message_id: Some(message_id),
            message_count: 1,
            poison_cause: None,
        }
    }
}
