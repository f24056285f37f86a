//! A publication as an AMQP message, so that ActiveMQ's `jms` transformer makes of it the JMS message that is meant
//! (mapping rules, sections 2, 3, 4 and 8).

use std::collections::HashSet;

use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{
    AmqpSequence, AmqpValue, Annotations, ApplicationProperties, Batch, Body as AmqpBody, Data, Header, Message,
    MessageAnnotations, MessageId, Priority, Properties,
};
use fe2o3_amqp::types::primitives::{Binary, OrderedMap, SimpleValue, Symbol, Timestamp, Value as AmqpItem};

use serde_json::Value as Json;

use crate::clock;
use crate::mapping::Publication;
use crate::mapping::nested;
use crate::mapping::publication::{Body, Entry, Value};
use crate::target::Refusal;

/// A message as we hand it to the library.
pub(super) type Outgoing = Message<AmqpBody<AmqpItem>>;

/// Makes the message.
///
/// # Errors
/// When AMQP has no place for a value: half of a surrogate pair as a char, a property of type bytes or char.
pub(super) fn to_amqp(publication: Publication) -> Result<Outgoing, Refusal> {
    if let Some(text) = spoiled(&publication.body) {
        return Err(Refusal { reason: Refusal::NOT_CONVERTED, text });
    }
    let message_annotations = class(&publication.body).map(|class| {
        let mut annotations = Annotations::new();
        annotations.insert(OwnedKey::from(Symbol::from("x-opt-jms-msg-type")), AmqpItem::Byte(class));
        MessageAnnotations(annotations)
    });
    let nested = nested::marked(&publication.properties, nested::IN_BODY);
    let (body, content_type) = body(publication.body, &nested)?;
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
        .map(|(name, value)| simple(&name, value).map(|value| (name.into_owned(), value)))
        .collect::<Result<OrderedMap<_, _>, _>>()?;
    Ok(Message {
        header: Some(Header {
            durable: publication.persistent,
            priority: Priority(publication.priority),
            ttl: publication.expires_at_ms.and_then(ttl),
            ..Header::default()
        }),
        delivery_annotations: None,
        message_annotations,
        properties: Some(properties),
        application_properties: (!application_properties.is_empty())
            .then_some(ApplicationProperties(application_properties)),
        body,
        footer: None,
    })
}

/// What of a body ActiveMQ's AMQP connector, or AMQP itself, would not bring across as it is; seen on 5.19.1.
pub(super) fn spoiled(body: &Body) -> Option<String> {
    let lone_surrogate = |value: &Value| matches!(value, Value::Char(unit) if (0xD800..0xE000).contains(unit));
    match body {
        // Not so in names, streams and texts; an AMQP reader then never gets the message.
        Body::Map(entries) => entries.iter().find_map(|entry| match &entry.value {
            Value::String(text) if text.chars().any(|c| c > '\u{FFFF}') => Some(format!(
                "map entry {:?} has characters beyond the BMP, which ActiveMQ's AMQP connector spoils",
                entry.name
            )),
            value if lone_surrogate(value) => Some(format!("map entry {:?} is half of a surrogate pair", entry.name)),
            _ => None,
        }),
        // The transformer cannot write one, gives up, and would keep the whole message as raw bytes.
        Body::Stream(items) if items.iter().any(|item| matches!(item, Value::Bytes(_))) => {
            Some("a stream with a byte array does not pass ActiveMQ's AMQP connector".to_owned())
        }
        Body::Stream(items) if items.iter().any(lone_surrogate) => {
            Some("the stream holds half of a surrogate pair, which AMQP cannot carry".to_owned())
        }
        _ => None,
    }
}

/// About how many bytes the message takes: its body, without what comes before it.
pub(super) fn body_bytes(body: &Body) -> u64 {
    let length = match body {
        Body::Text(text) => text.len(),
        Body::Bytes(bytes) | Body::Object(bytes) => bytes.len(),
        Body::Map(entries) => entries.iter().map(|entry| entry.name.len() + value_bytes(&entry.value)).sum(),
        Body::Stream(items) => items.iter().map(value_bytes).sum(),
        Body::Empty => 0,
    };
    length as u64
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}

/// Milliseconds left, at least one; none where they do not fit, for then the absolute time alone must do.
fn ttl(expires_at_ms: i64) -> Option<u32> {
    u32::try_from(expires_at_ms.saturating_sub(clock::wall_ms()).max(1)).ok()
}

/// The JMS class where an AMQP reader could not tell it from the body, in the annotation and with the numbers that
/// Qpid JMS uses; ActiveMQ keeps the annotation for such readers.
fn class(body: &Body) -> Option<i8> {
    match body {
        Body::Empty => Some(0),
        Body::Map(_) => Some(2),
        Body::Stream(_) => Some(4),
        Body::Text(_) | Body::Bytes(_) | Body::Object(_) => None,
    }
}

/// The body section and content type from which the broker tells the JMS message class.
fn body(body: Body, nested: &HashSet<String>) -> Result<(AmqpBody<AmqpItem>, Option<&'static str>), Refusal> {
    let data = |bytes: &[u8]| AmqpBody::Data(Batch::new(vec![Data(Binary::from(bytes))]));
    Ok(match body {
        Body::Text(text) => (AmqpBody::Value(AmqpValue(AmqpItem::String(text))), None),
        Body::Bytes(bytes) => (data(&bytes), Some("application/octet-stream")),
        Body::Object(bytes) => (data(&bytes), Some("application/x-java-serialized-object")),
        Body::Map(entries) => {
            let map = entries
                .into_iter()
                .map(|Entry { name, value }| {
                    let value = match nested::read(nested, &name, &value) {
                        Some(json) => of_json(json),
                        None => item(value)?,
                    };
                    Ok::<_, Refusal>((AmqpItem::String(name), value))
                })
                .collect::<Result<OrderedMap<_, _>, _>>()?;
            (AmqpBody::Value(AmqpValue(AmqpItem::Map(map))), None)
        }
        Body::Stream(items) => {
            let items = items.into_iter().map(item).collect::<Result<Vec<_>, _>>()?;
            (AmqpBody::Sequence(Batch::new(vec![AmqpSequence(items)])), None)
        }
        // No body section and no content type, or one of bytes, would make a BytesMessage of it. The library writes its
        // own `Empty` as a null value, of which the broker makes a TextMessage; a batch of no sections is none.
        Body::Empty => (AmqpBody::Data(Batch::new(Vec::new())), Some("application/x-empty")),
    })
}

/// A value that was a map or a list before it went to MQ as one again; streams can hold none, and properties of AMQP neither.
fn of_json(json: Json) -> AmqpItem {
    match json {
        Json::Null => AmqpItem::Null,
        Json::Bool(value) => AmqpItem::Bool(value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => i32::try_from(number).map_or(AmqpItem::Long(number), AmqpItem::Int),
            None => AmqpItem::Double(number.as_f64().unwrap_or(f64::NAN).into()),
        },
        Json::String(text) => AmqpItem::String(text),
        Json::Array(items) => AmqpItem::List(items.into_iter().map(of_json).collect()),
        Json::Object(entries) => {
            let entries = entries.into_iter().map(|(name, value)| (AmqpItem::String(name), of_json(value)));
            AmqpItem::Map(entries.collect())
        }
    }
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
            reason: Refusal::NOT_CONVERTED,
            text: format!("char {unit:#06X} is half of a surrogate pair, which AMQP cannot carry alone"),
        })?),
        Value::String(value) => AmqpItem::String(value),
        Value::Bytes(bytes) => AmqpItem::Binary(Binary::from(bytes.as_ref())),
    })
}

fn simple(name: &str, value: Value) -> Result<SimpleValue, Refusal> {
    let unfit = |what: &str| Refusal {
        reason: Refusal::NOT_CONVERTED,
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

#[cfg(test)]
mod tests {
    use crate::mapping::PropertyMap;

    use bytes::Bytes;

    use super::*;
    use crate::mapping::Destination;

    fn publication(body: Body) -> Publication {
        Publication {
            destination: Destination::Queue("PAYMENTS".into()),
            persistent: true,
            priority: 0,
            expires_at_ms: None,
            message_id: Some("ID:01".into()),
            correlation_id: None,
            reply_to: Some(Destination::Topic("answers".into())),
            message_type: Some("mcd://xmlns".into()),
            group_id: Some("g".into()),
            group_sequence: Some(-1),
            user_id: Some("fred".into()),
            timestamp_ms: Some(1_034_148_883_000),
            properties: PropertyMap::from([("n".into(), Value::Int(7)), ("z".into(), Value::Null)]),
            body,
        }
    }

    fn refused(publication: Publication) -> String {
        let refusal = to_amqp(publication).unwrap_err();
        assert_eq!(refusal.reason, 2119);
        refusal.text
    }

    #[test]
    fn every_field_has_its_place() {
        let message = to_amqp(publication(Body::Text("x".into()))).unwrap();
        let header = message.header.unwrap();
        assert_eq!((header.durable, header.priority.0, header.ttl), (true, 0, None));
        let properties = message.properties.unwrap();
        assert_eq!(properties.to.as_deref(), Some("queue://PAYMENTS"));
        assert_eq!(properties.reply_to.as_deref(), Some("topic://answers"));
        assert_eq!(properties.message_id, Some(MessageId::String("ID:01".into())));
        assert_eq!(properties.subject.as_deref(), Some("mcd://xmlns"));
        assert_eq!(properties.user_id, Some(Binary::from(b"fred".to_vec())));
        assert_eq!(properties.group_sequence, Some(u32::MAX), "-1 closes the group");
        assert_eq!(properties.creation_time, Some(Timestamp::from_milliseconds(1_034_148_883_000)));
        assert_eq!(properties.content_type, None);
        let ours = message.application_properties.unwrap();
        assert_eq!(ours.get("n"), Some(&SimpleValue::Int(7)));
        assert_eq!(ours.get("z"), Some(&SimpleValue::Null));
        assert_eq!(message.message_annotations, None);
    }

    #[test]
    fn an_empty_body_is_no_section_at_all() {
        let mut message = to_amqp(publication(Body::Empty)).unwrap();
        message.header = None;
        message.message_annotations = None;
        message.application_properties = None;
        message.properties = None;
        assert_eq!(written(message), b"");
        let mut message = to_amqp(publication(Body::Bytes(Bytes::from_static(b"ab")))).unwrap();
        message.header = None;
        message.application_properties = None;
        message.properties = None;
        // AMQP 1.0, part 3, 3.2.6: descriptor 0x75, then binary.
        assert_eq!(written(message), b"\x00\x53\x75\xA0\x02ab");
    }

    fn written(message: Outgoing) -> Vec<u8> {
        serde_amqp::to_vec(&fe2o3_amqp::types::messaging::message::__private::Serializable(message)).unwrap()
    }

    #[test]
    fn lifetimes_are_written_twice_where_they_fit() {
        let with = |expires_at_ms| {
            let message =
                to_amqp(Publication { expires_at_ms: Some(expires_at_ms), ..publication(Body::Empty) }).unwrap();
            let absolute = message.properties.unwrap().absolute_expiry_time.unwrap().milliseconds();
            assert_eq!(absolute, expires_at_ms);
            message.header.unwrap().ttl
        };
        assert_eq!(with(1), Some(1), "long past");
        assert_eq!(with(i64::MAX), None, "more than 49 days");
        assert_eq!(with(i64::MIN), Some(1));
    }

    #[test]
    fn what_the_broker_would_spoil_is_refused() {
        let map = |value| publication(Body::Map(vec![Entry { name: "e".into(), value }]));
        assert!(to_amqp(map(Value::Char(0x20AC))).is_ok());
        assert!(refused(map(Value::Char(0xD83D))).contains("surrogate"));
        assert!(refused(map(Value::String("\u{1F600}".into()))).contains("beyond the BMP"));
        assert!(to_amqp(publication(Body::Stream(vec![Value::String("\u{1F600}".into())]))).is_ok());
        assert!(refused(publication(Body::Stream(vec![Value::Bytes(Bytes::new())]))).contains("byte array"));
        let property =
            |value| Publication { properties: PropertyMap::from([("p".into(), value)]), ..publication(Body::Empty) };
        assert!(refused(property(Value::Bytes(Bytes::new()))).contains("property p is of type bytes"));
        assert!(refused(property(Value::Char(65))).contains("type char"));
    }
}
