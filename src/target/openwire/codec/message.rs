//! A message: one list of fields for every JMS class, told apart by the type byte.

use bytes::Bytes;

use super::error::{DecodeError, EncodeError};
use super::field::{Reader, Writer};
use super::ids::{BrokerId, ConsumerId, MessageId, ProducerId, TransactionId};
use super::primitive::PrimitiveMap;
use super::structure::{Nested, Structure, fields};
use crate::mapping::Destination;

/// The JMS class of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Class {
    /// Message, 23: no body.
    #[default]
    Plain,
    /// BytesMessage, 24.
    Bytes,
    /// MapMessage, 25.
    Map,
    /// ObjectMessage, 26.
    Object,
    /// StreamMessage, 27.
    Stream,
    /// TextMessage, 28.
    Text,
    /// ActiveMQ's own BlobMessage, 29: the body lies elsewhere.
    Blob,
}

impl Class {
    /// All of them, by type byte from 23 on.
    pub const ALL: [Self; 7] =
        [Self::Plain, Self::Bytes, Self::Map, Self::Object, Self::Stream, Self::Text, Self::Blob];
    const FIRST: u8 = 23;

    /// The type byte.
    pub fn type_code(self) -> u8 {
        Self::FIRST + self as u8
    }

    /// The class of a type byte.
    pub fn of(type_code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(type_code.checked_sub(Self::FIRST)?)).copied()
    }
}

fields! {
    /// The fields that all classes share. Everything is null, zero or false from a client unless it means something.
    #[derive(Clone, Debug, Default, PartialEq)]
    Fields {
        /// Who produced it.
        producer_id: Option<ProducerId>;
        /// Where it goes.
        destination: Option<Destination>;
        /// The transaction that it belongs to.
        transaction_id: Option<TransactionId>;
        /// Where it was meant to go, if the broker moved it.
        original_destination: Option<Destination>;
        /// Its id.
        message_id: Option<MessageId>;
        /// The transaction that it belonged to, if the broker moved it.
        original_transaction_id: Option<TransactionId>;
        /// JMSXGroupID.
        group_id: Option<String>;
        /// JMSXGroupSeq.
        group_sequence: i32;
        /// JMSCorrelationID.
        correlation_id: Option<String>;
        /// JMSDeliveryMode.
        persistent: bool;
        /// Milliseconds since 1970; 0: never.
        expiration: i64;
        /// 0 to 9.
        priority: u8;
        /// JMSReplyTo.
        reply_to: Option<Destination>;
        /// Milliseconds since 1970 at which it was sent.
        timestamp: i64;
        /// JMSType; `type` on the wire.
        message_type: Option<String>;
        /// The body as its class writes it; see [`Content`](super::Content).
        content: Option<Bytes>;
        /// The properties as bytes; see [`Message::properties`].
        marshalled_properties: Option<Bytes>;
        /// What an advisory is about.
        data_structure: Option<Box<Structure>>;
        /// The one consumer that is to have it.
        target_consumer_id: Option<ConsumerId>;
        /// The content is compressed.
        compressed: bool;
        /// How often it was delivered before; drives the broker's dead-letter queue.
        redelivery_counter: i32;
        /// Brokers that it came through.
        broker_path: Option<Vec<BrokerId>>;
        /// When it came to the broker.
        arrival: i64;
        /// JMSXUserID.
        user_id: Option<String>;
        /// It came through an old kind of bridge; `recievedByDFBridge`.
        received_by_bridge: bool;
        /// It may be dropped when the consumer is slow.
        droppable: bool;
        /// Of a cluster's own making.
        cluster: Option<Vec<BrokerId>>;
        /// When it came to the broker.
        broker_in_time: i64;
        /// When it left it.
        broker_out_time: i64;
        /// JMSXGroupFirstForConsumer.
        group_first_for_consumer: bool, since 10;
    }
}

fields! {
    /// Where the body of a blob message lies.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    Blob {
        /// Its address.
        remote_blob_url: Option<String>;
        /// Its type.
        mime_type: Option<String>;
        /// The broker deletes it with the message.
        deleted_by_broker: bool;
    }
}

/// A message of any class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its class.
    pub class: Class,
    /// What all classes share.
    pub fields: Fields,
    /// Only of class [`Class::Blob`].
    pub blob: Option<Box<Blob>>,
}

impl std::ops::Deref for Message {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

impl std::ops::DerefMut for Message {
    fn deref_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }
}

impl Message {
    /// Its properties; offsets in the error count from their first byte.
    ///
    /// # Errors
    /// When they are no primitive map.
    pub fn properties(&self) -> Result<PrimitiveMap, DecodeError> {
        self.marshalled_properties.as_ref().map_or(Ok(PrimitiveMap::default()), PrimitiveMap::decode)
    }

    /// Replaces its properties. None at all is null, as ActiveMQ's client has it.
    ///
    /// # Errors
    /// When a name or value is too long for its length field.
    pub fn set_properties(&mut self, properties: &PrimitiveMap) -> Result<(), EncodeError> {
        self.fields.marshalled_properties = if properties.0.is_empty() { None } else { Some(properties.encode()?) };
        Ok(())
    }

    /// Reads the fields of a message of type `type_code`; none if that is no message.
    pub(super) fn read_class(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
        let class = Class::of(type_code)?;
        Some(Self::read_all(class, reader))
    }

    fn read_all(class: Class, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let fields = Fields::read_fields(reader)?;
        let blob = if class == Class::Blob { Some(Box::new(Blob::read_fields(reader)?)) } else { None };
        Ok(Self { class, fields, blob })
    }

    pub(super) fn write_own_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.fields.write_own_fields(writer)?;
        match (self.class, &self.blob) {
            (Class::Blob, Some(blob)) => blob.write_own_fields(writer),
            (Class::Blob, None) => Blob::default().write_own_fields(writer),
            _ => Ok(()),
        }
    }
}

impl Nested for Message {
    const NAME: &'static str = "Message";

    fn type_code(&self) -> u8 {
        self.class.type_code()
    }

    fn read_as(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
        let class = Class::of(type_code)?;
        Some(super::command::skip_head(reader).and_then(|()| Self::read_all(class, reader)))
    }

    fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        super::command::write_head(writer, 0, false)?;
        self.write_own_fields(writer)
    }
}
