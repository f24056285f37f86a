//! A publication as an AMQP message, so that ActiveMQ's `jms` transformer makes of it the JMS message that is meant
//! (mapping rules, sections 2, 3, 4 and 8).

use fe2o3_amqp::types::messaging::{
    AmqpSequence, AmqpValue, ApplicationProperties, Batch, Body as AmqpBody, Data, Header, Message, MessageId,
    Priority, Properties,
};
use fe2o3_amqp::types::primitives::{Binary, OrderedMap, SimpleValue, Symbol, Timestamp, Value as AmqpItem};

use crate::clock;
use crate::mapping::Publication;
use crate::mapping::publication::{Body, Value};
use crate::target::Refusal;

/// MQRC_NOT_CONVERTED.
const NOT_CONVERTED: i32 = 2119;

/// A message as we hand it to the library.
pub(super) type Outgoing = Message<AmqpBody<AmqpItem>>;

/// Makes the message.
///
/// # Errors
/// When AMQP has no place for a value: half of a surrogate pair as a char, a property of type bytes or char.
pub(super) fn to_amqp(publication: Publication) -> Result<Outgoing, Refusal> {
    let (body, content_type) = body(publication.body)?;
    let properties = Properties {
        message_id: publication.message_id.map(MessageId::String),
        user_id: publication.user_id.map(|user| Binary::from(user.into_bytes())),
        to: Some(publication.destination.to_string()),
        subject: publication.message_type,
        reply_to: publication.reply_to.map(|destination| destination.to_string()),
        correlation_id: publication.correlation_id.map(MessageId::String),
        content_type: content_type.map(Symbol::from),
        content_encoding: None,
        absolute_expiry_time: publication.expires_at_ms.map(Timestamp::from_milliseconds),
        creation_time: publication.timestamp_ms.map(Timestamp::from_milliseconds),
        group_id: publication.group_id,
        // Wraps on purpose: ActiveMQ reads the same 32 bits as signed, and -1 closes a group.
        group_sequence: publication.group_sequence.map(i32::cast_unsigned),
        reply_to_group_id: None,
    };
    let application_properties = publication
        .properties
        .into_iter()
        .map(|(name, value)| simple(&name, value).map(|value| (name, value)))
        .collect::<Result<OrderedMap<_, _>, _>>()?;
    Ok(Message {
        header: Some(Header {
            durable: publication.persistent,
            priority: Priority(publication.priority),
            ttl: publication.expires_at_ms.and_then(ttl),
            ..Header::default()
        }),
        delivery_annotations: None,
        message_annotations: None,
        properties: Some(properties),
        application_properties: (!application_properties.is_empty())
            .then_some(ApplicationProperties(application_properties)),
        body,
        footer: None,
    })
}

/// Milliseconds left, at least one; none where they do not fit, for then the absolute time alone must do.
fn ttl(expires_at_ms: i64) -> Option<u32> {
    u32::try_from(expires_at_ms.saturating_sub(clock::wall_ms()).max(1)).ok()
}

/// The body section and content type from which the broker tells the JMS message class.
fn body(body: Body) -> Result<(AmqpBody<AmqpItem>, Option<&'static str>), Refusal> {
    let data = |bytes: &[u8]| AmqpBody::Data(Batch::new(vec![Data(Binary::from(bytes))]));
    Ok(match body {
        Body::Text(text) => (AmqpBody::Value(AmqpValue(AmqpItem::String(text))), None),
        Body::Bytes(bytes) => (data(&bytes), Some("application/octet-stream")),
        Body::Object(bytes) => (data(&bytes), Some("application/x-java-serialized-object")),
        Body::Map(entries) => {
            let map = entries
                .into_iter()
                .map(|entry| item(entry.value).map(|value| (AmqpItem::String(entry.name), value)))
                .collect::<Result<OrderedMap<_, _>, _>>()?;
            (AmqpBody::Value(AmqpValue(AmqpItem::Map(map))), None)
        }
        Body::Stream(items) => {
            let items = items.into_iter().map(item).collect::<Result<Vec<_>, _>>()?;
            (AmqpBody::Sequence(Batch::new(vec![AmqpSequence(items)])), None)
        }
        // A message without a body section would become a BytesMessage.
        Body::Empty => (AmqpBody::Value(AmqpValue(AmqpItem::Null)), None),
    })
}

fn item(value: Value) -> Result<AmqpItem, Refusal> {
    Ok(match value {
        Value::Null => AmqpItem::Null,
        Value::Boolean(value) => AmqpItem::Bool(value),
        Value::Byte(value) => AmqpItem::Byte(value),
        Value::Short(value) => AmqpItem::Short(value),
        Value::Int(value) => AmqpItem::Int(value),
        Value::Long(value) => AmqpItem::Long(value),
        Value::Float(value) => AmqpItem::Float(value.into()),
        Value::Double(value) => AmqpItem::Double(value.into()),
        Value::Char(unit) => AmqpItem::Char(char::from_u32(u32::from(unit)).ok_or_else(|| Refusal {
            reason: NOT_CONVERTED,
            text: format!("char {unit:#06X} is half of a surrogate pair, which AMQP cannot carry alone"),
        })?),
        Value::String(value) => AmqpItem::String(value),
        Value::Bytes(bytes) => AmqpItem::Binary(Binary::from(bytes.as_ref())),
    })
}

fn simple(name: &str, value: Value) -> Result<SimpleValue, Refusal> {
    let unfit = |what: &str| Refusal {
        reason: NOT_CONVERTED,
        text: format!(
            "property {name} is of type {what}, which no broker keeps as it is: the mapping writes it as text"
        ),
    };
    Ok(match value {
        Value::Null => SimpleValue::Null,
        Value::Boolean(value) => SimpleValue::Bool(value),
        Value::Byte(value) => SimpleValue::Byte(value),
        Value::Short(value) => SimpleValue::Short(value),
        Value::Int(value) => SimpleValue::Int(value),
        Value::Long(value) => SimpleValue::Long(value),
        Value::Float(value) => SimpleValue::Float(value.into()),
        Value::Double(value) => SimpleValue::Double(value.into()),
        Value::String(value) => SimpleValue::String(value),
        Value::Char(_) => return Err(unfit("char")),
        Value::Bytes(_) => return Err(unfit("bytes")),
    })
}
