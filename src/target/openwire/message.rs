//! A publication as an OpenWire message, and back; what a JMS client sees is the same as over AMQP (mapping rules,
//! sections 2, 3, 4 and 8).

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::codec::{
    Content, DecodeError, EncodeError, Message, MessageId, Primitive, PrimitiveMap, ProducerId, TransactionId,
};
use crate::mapping::id::hex;
use crate::mapping::nested;
use crate::mapping::publication::{Body, Entry, Value};
use crate::mapping::{Destination, PropertyMap, Publication};
use crate::target::Refusal;

/// See [`class`].
const CLASS: &str = "JMS_AMQP_MA_x-opt-jms-msg-type";
impl From<EncodeError> for Refusal {
    fn from(error: EncodeError) -> Self {
        Self { reason: Refusal::NOT_CONVERTED, text: error.to_string() }
    }
}

/// Makes the message that `id`'s producer sends, in `transaction` if there is one. JMSMessageID is the publication's;
/// below version 10 it does not travel, and readers see the producer and number of `id`.
///
/// # Errors
/// When OpenWire or its readers have no place for a value: a property of type bytes or char, a name above 65,535 bytes.
pub fn to_openwire(
    publication: Publication,
    id: MessageId,
    transaction: Option<TransactionId>,
) -> Result<Message, Refusal> {
    if let Some(text) = spoiled(&publication) {
        return Err(Refusal { reason: Refusal::NOT_CONVERTED, text });
    }
    let nested = nested::marked(&publication.properties, nested::IN_BODY);
    let mut properties = properties(publication.properties)?;
    properties.0.extend(class(&publication.body));
    let mut message = Message::with_content(&content(publication.body, &nested))?;
    message.set_properties(&properties)?;
    let fields = &mut message.fields;
    fields.producer_id.clone_from(&id.producer_id);
    fields.message_id = Some(MessageId { text_view: publication.message_id, ..id });
    fields.transaction_id = transaction;
    fields.destination = Some(publication.destination);
    fields.persistent = publication.persistent;
    fields.priority = publication.priority;
    // 0 and less would be "never"
    fields.expiration = publication.expires_at_ms.map_or(0, |at| at.max(1));
    fields.correlation_id = publication.correlation_id;
    fields.reply_to = publication.reply_to;
    fields.message_type = publication.message_type;
    fields.group_id = publication.group_id;
    fields.group_sequence = publication.group_sequence.unwrap_or(0);
    fields.user_id = publication.user_id;
    fields.timestamp = publication.timestamp_ms.unwrap_or(0);
    Ok(message)
}

/// Reads a message as a publication. Values that no publication has become text: maps and lists within properties and bodies as JSON,
/// with a property that names them, bytes in a property as hex digits. A blob message has no body; the property that names the class for AMQP readers
/// is left out. A null text is an empty one, with a property that says so.
///
/// # Errors
/// When properties or body cannot be read.
pub fn from_openwire(message: &Message) -> Result<Option<Publication>, DecodeError> {
    let Some(destination) = message.destination.clone() else { return Ok(None) };
    let properties = message.properties()?.0;
    // Of a message without body, when an AMQP client sends it, the broker makes one of no bytes.
    let is_empty = properties.iter().any(|(name, class)| name == CLASS && *class == Primitive::Byte(0));
    let of_class = |name: &str| name == CLASS;
    let nested: Vec<_> = properties
        .iter()
        .filter(|(name, value)| !of_class(name) && is_nested(value))
        .map(|(name, _)| name.clone())
        .collect();
    let properties = properties.into_iter();
    let properties = properties.filter(|(name, _)| !of_class(name)).map(|(name, value)| (name.into(), property(value)));
    let mut properties = properties.collect::<PropertyMap>();
    nested::mark(&mut properties, nested::PROPERTIES, nested.iter().map(String::as_str));
    let said = message.body()?;
    let nested = nested_in(&said);
    nested::mark(&mut properties, nested::IN_BODY, nested.iter().map(String::as_str));
    let body = body(said).unwrap_or_else(|| {
        properties.insert("MQFERRY_NullText".into(), Value::Boolean(true));
        Body::Text(String::new())
    });
    let body = match body {
        Body::Bytes(bytes) if is_empty && bytes.is_empty() => Body::Empty,
        body => body,
    };
    Ok(Some(Publication {
        destination,
        persistent: message.persistent,
        priority: message.priority.min(9),
        expires_at_ms: Some(message.expiration).filter(|at| *at > 0),
        message_id: message.message_id.as_ref().and_then(jms_message_id),
        correlation_id: message.correlation_id.clone(),
        reply_to: message.reply_to.clone(),
        message_type: message.message_type.clone(),
        group_id: message.group_id.clone(),
        group_sequence: message.group_id.as_ref().map(|_| message.group_sequence),
        user_id: message.user_id.clone(),
        timestamp_ms: Some(message.timestamp).filter(|at| *at > 0),
        properties,
        body,
    }))
}

/// What can be kept of a message that [`from_openwire`] cannot read, and that lies at `from`: its body as the bytes that it has on
/// the wire, and those of its properties as hex digits in `MQFERRY_UnreadProperties`; `MQFERRY_UnreadClass` names its class.
pub fn unread(message: &Message, from: &Destination) -> Publication {
    let compressed = if message.compressed { ", compressed" } else { "" };
    let class = Value::String(format!("{:?}{compressed}", message.class));
    let mut properties = PropertyMap::from([("MQFERRY_UnreadClass".into(), class)]);
    if let Some(bytes) = &message.marshalled_properties {
        properties.insert("MQFERRY_UnreadProperties".into(), Value::String(hex(bytes)));
    }
    Publication {
        destination: from.clone(),
        persistent: message.persistent,
        priority: message.priority.min(9),
        expires_at_ms: None,
        message_id: message.message_id.as_ref().and_then(jms_message_id),
        correlation_id: message.correlation_id.clone(),
        reply_to: message.reply_to.clone(),
        message_type: message.message_type.clone(),
        group_id: message.group_id.clone(),
        group_sequence: message.group_id.as_ref().map(|_| message.group_sequence),
        user_id: message.user_id.clone(),
        timestamp_ms: Some(message.timestamp).filter(|at| *at > 0),
        properties,
        body: Body::Bytes(message.content.clone().unwrap_or_default()),
    }
}

/// JMSMessageID as ActiveMQ's client shows it.
pub fn jms_message_id(id: &MessageId) -> Option<String> {
    match &id.text_view {
        Some(text) if text.starts_with("ID:") => Some(text.clone()),
        Some(text) => Some(format!("ID:{text}")),
        None => id.producer_id.as_ref().map(|producer| {
            let ProducerId { connection_id, session_id, value } = producer;
            format!("{connection_id}:{session_id}:{value}:{}", id.producer_sequence_id)
        }),
    }
}

/// What of a publication would not reach its readers as it is; seen on 5.18.6, 5.19.1, 6.1.8 and 6.3.1.
pub(super) fn spoiled(publication: &Publication) -> Option<String> {
    match &publication.body {
        // The broker's AMQP connector cannot write one: every AMQP reader of the queue gets nothing from then on.
        Body::Stream(items) if items.iter().any(|item| matches!(item, Value::Bytes(_))) => {
            Some("a stream with a byte array does not pass ActiveMQ's AMQP connector".to_owned())
        }
        // Names are modified UTF-8 to all but the newest, which takes them for plain UTF-8.
        Body::Map(entries) => {
            let wide = |name: &str| name.chars().any(|c| c == '\0' || c > '\u{FFFF}');
            entries.iter().find(|entry| wide(&entry.name)).map(|entry| {
                format!(
                    "the name of map entry {:?} has a NUL or characters beyond the BMP, which ActiveMQ 6.3 spoils",
                    entry.name
                )
            })
        }
        _ => None,
    }
}

/// The JMS class where an AMQP reader could not tell it from the body. The broker makes of this property the annotation
/// that such readers know, as it makes this property of the annotation when we send over AMQP.
fn class(body: &Body) -> Option<(String, Primitive)> {
    let class = match body {
        Body::Empty => 0,
        Body::Map(_) => 2,
        Body::Stream(_) => 4,
        Body::Text(_) | Body::Bytes(_) | Body::Object(_) => return None,
    };
    Some((CLASS.to_owned(), Primitive::Byte(class)))
}

fn content(body: Body, nested: &HashSet<String>) -> Content {
    match body {
        Body::Empty => Content::Empty,
        Body::Text(text) => Content::Text(Some(text)),
        Body::Bytes(bytes) => Content::Bytes(bytes),
        Body::Map(entries) => {
            let entries = entries.into_iter().map(|Entry { name, value }| {
                let value = nested_or_plain(nested, &name, value);
                (name, value)
            });
            Content::Map(PrimitiveMap(entries.collect()))
        }
        Body::Stream(items) => Content::Stream(items.into_iter().map(primitive).collect()),
        Body::Object(bytes) => Content::Object(Some(bytes)),
    }
}

/// The body; none for a null text, which no publication has.
fn body(content: Content) -> Option<Body> {
    Some(match content {
        Content::Empty => Body::Empty,
        Content::Text(text) => Body::Text(text?),
        Content::Bytes(bytes) => Body::Bytes(bytes),
        Content::Map(map) => {
            Body::Map(map.0.into_iter().map(|(name, value)| Entry { name, value: element(value) }).collect())
        }
        Content::Stream(items) => Body::Stream(items.into_iter().map(element).collect()),
        Content::Object(bytes) => Body::Object(bytes.unwrap_or_default()),
    })
}

fn primitive(value: Value) -> Primitive {
    match value {
        Value::Null => Primitive::Null,
        Value::Boolean(value) => Primitive::Boolean(value),
        Value::Byte(value) => Primitive::Byte(value),
        Value::Short(value) => Primitive::Short(value),
        Value::Int(value) => Primitive::Int(value),
        Value::Long(value) => Primitive::Long(value),
        Value::Float(value) => Primitive::Float(value),
        Value::Double(value) => Primitive::Double(value),
        Value::Char(value) => Primitive::Char(value),
        Value::String(value) => Primitive::String(value),
        Value::Bytes(value) => Primitive::Bytes(value),
    }
}

/// An entry of a map or an item of a stream.
fn element(value: Primitive) -> Value {
    match value {
        Primitive::Null => Value::Null,
        Primitive::Boolean(value) => Value::Boolean(value),
        Primitive::Byte(value) => Value::Byte(value),
        Primitive::Short(value) => Value::Short(value),
        Primitive::Int(value) => Value::Int(value),
        Primitive::Long(value) => Value::Long(value),
        Primitive::Float(value) => Value::Float(value),
        Primitive::Double(value) => Value::Double(value),
        Primitive::Char(value) => Value::Char(value),
        Primitive::String(value) => Value::String(value),
        Primitive::Bytes(value) => Value::Bytes(value),
        nested @ (Primitive::Map(_) | Primitive::List(_)) => Value::String(json(nested).to_string()),
    }
}

fn is_nested(value: &Primitive) -> bool {
    matches!(value, Primitive::Map(_) | Primitive::List(_))
}

/// Entries, or numbers of items, of a body that are maps or lists themselves.
fn nested_in(content: &Content) -> Vec<String> {
    match content {
        Content::Map(map) => map.0.iter().filter(|(_, value)| is_nested(value)).map(|(name, _)| name.clone()).collect(),
        Content::Stream(items) => {
            items.iter().enumerate().filter(|(_, item)| is_nested(item)).map(|(at, _)| at.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

/// An entry that was a map or a list before it went to MQ as one again. Streams can hold none; properties could, but AMQP's cannot, and
/// a reader by way of the broker's AMQP connector would not get the message.
fn nested_or_plain(nested: &HashSet<String>, name: &str, value: Value) -> Primitive {
    nested::read(nested, name, &value).map_or_else(|| primitive(value), of_json)
}

fn of_json(json: Json) -> Primitive {
    match json {
        Json::Null => Primitive::Null,
        Json::Bool(value) => Primitive::Boolean(value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => i32::try_from(number).map_or(Primitive::Long(number), Primitive::Int),
            None => Primitive::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Primitive::String(text),
        Json::Array(items) => Primitive::List(items.into_iter().map(of_json).collect()),
        Json::Object(entries) => {
            Primitive::Map(PrimitiveMap(entries.into_iter().map(|(name, value)| (name, of_json(value))).collect()))
        }
    }
}

/// A property, which is never of type bytes or char.
fn property(value: Primitive) -> Value {
    match element(value) {
        Value::Bytes(bytes) => Value::String(hex(&bytes)),
        Value::Char(unit) => Value::String(String::from_utf16_lossy(&[unit])),
        other => other,
    }
}

fn json(value: Primitive) -> Json {
    match value {
        Primitive::Null => json!(null),
        Primitive::Boolean(value) => json!(value),
        Primitive::Byte(value) => json!(value),
        Primitive::Short(value) => json!(value),
        Primitive::Int(value) => json!(value),
        Primitive::Long(value) => json!(value),
        Primitive::Float(value) => nested::short_float(value),
        Primitive::Double(value) => nested::float(value),
        Primitive::Char(unit) => json!(String::from_utf16_lossy(&[unit])),
        Primitive::String(value) => json!(value),
        Primitive::Bytes(bytes) => json!(hex(&bytes)),
        Primitive::Map(map) => map.0.into_iter().map(|(name, value)| (name, json(value))).collect(),
        Primitive::List(items) => items.into_iter().map(json).collect(),
    }
}

fn properties(properties: PropertyMap) -> Result<PrimitiveMap, Refusal> {
    let unfit = |name: &str, what: &str| Refusal {
        reason: Refusal::NOT_CONVERTED,
        text: format!(
            "property {name} is of type {what}, which no broker keeps as it is: the mapping writes it as text"
        ),
    };
    let typed = properties.into_iter().map(|(name, value)| match value {
        Value::Char(_) => Err(unfit(&name, "char")),
        Value::Bytes(_) => Err(unfit(&name, "bytes")),
        value => Ok((name.into_owned(), primitive(value))),
    });
    typed.collect::<Result<_, _>>().map(PrimitiveMap)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::codec::ConnectionId;
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
            reply_to: None,
            message_type: None,
            group_id: None,
            group_sequence: None,
            user_id: None,
            timestamp_ms: None,
            properties: PropertyMap::new(),
            body,
        }
    }

    fn made(publication: Publication) -> Result<Message, Refusal> {
        let id = ConnectionId::new("c").session(1).producer(2).message(3);
        to_openwire(publication, id, Some(ConnectionId::new("c").transaction(4)))
    }

    fn refused(publication: Publication) -> String {
        let refusal = made(publication).unwrap_err();
        assert_eq!(refusal.reason, Refusal::NOT_CONVERTED);
        refusal.text
    }

    #[test]
    fn what_readers_would_not_get_is_refused() {
        let map = |name: &str| publication(Body::Map(vec![Entry { name: name.into(), value: Value::Null }]));
        assert!(made(map("é€")).is_ok());
        assert!(refused(map("\u{1F600}")).contains("beyond the BMP"));
        assert!(refused(map("a\0")).contains("NUL"));
        assert!(refused(publication(Body::Stream(vec![Value::Bytes(Bytes::new())]))).contains("byte array"));
        let property =
            |value| Publication { properties: PropertyMap::from([("p".into(), value)]), ..publication(Body::Empty) };
        assert!(refused(property(Value::Bytes(Bytes::new()))).contains("property p is of type bytes"));
        assert!(refused(property(Value::Char(65))).contains("type char"));
        let long = Publication { correlation_id: Some("x".repeat(70_000)), ..publication(Body::Empty) };
        // found when it is written: the message is made, and is too long for a frame's field
        assert!(made(long).is_ok());
        let name = PropertyMap::from([("n".repeat(70_000).into(), Value::Null)]);
        assert!(refused(Publication { properties: name, ..publication(Body::Empty) }).contains("map key"));
    }

    #[test]
    fn a_message_that_was_too_old_already_does_not_live_for_ever() {
        for (expires_at_ms, expiration) in [(None, 0), (Some(-5), 1), (Some(0), 1), (Some(7), 7)] {
            let message = made(Publication { expires_at_ms, ..publication(Body::Empty) }).unwrap();
            assert_eq!(message.expiration, expiration);
        }
    }

    #[test]
    fn what_is_nested_in_bodies_becomes_text() {
        let list = Primitive::List(vec![
            Primitive::Int(i32::MAX),
            Primitive::Long(i64::MIN),
            Primitive::Float(1.1),
            Primitive::Double(f64::NEG_INFINITY),
            Primitive::Boolean(true),
        ]);
        let entries = vec![("a b".to_owned(), list), ("n".to_owned(), Primitive::String("[1]".into()))];
        let mut message = Message::with_content(&Content::Map(PrimitiveMap(entries))).unwrap();
        message.destination = Some(Destination::Queue("Q".into()));
        let publication = from_openwire(&message).unwrap().unwrap();
        let text = |text: &str| Value::String(text.into());
        assert_eq!(publication.properties["MQFERRY_json_body"], text("a_x0020_b"));
        let entry = |name: &str, value| Entry { name: name.into(), value };
        let json = text("[2147483647,-9223372036854775808,1.1,\"-Infinity\",true]");
        assert_eq!(publication.body, Body::Map(vec![entry("a b", json), entry("n", text("[1]"))]));
        let Content::Map(again) = made(publication).unwrap().body().unwrap() else { panic!("no map") };
        let list = Primitive::List(vec![
            Primitive::Int(i32::MAX),
            Primitive::Long(i64::MIN),
            Primitive::Double(1.1),
            Primitive::String("-Infinity".into()),
            Primitive::Boolean(true),
        ]);
        assert_eq!((again.get("a b"), again.get("n")), (Some(&list), Some(&Primitive::String("[1]".into()))));
        // Streams hold none: theirs stay text. What is too deep for a reader does, too.
        let properties = PropertyMap::from([("MQFERRY_json_body".into(), text("0"))]);
        let stream = super::tests::publication(Body::Stream(vec![text("[1]")]));
        let stream = Publication { properties: properties.clone(), ..stream };
        let Content::Stream(items) = made(stream).unwrap().body().unwrap() else { panic!("no stream") };
        assert_eq!(items, [Primitive::String("[1]".into())]);
        let deep = format!("{}{}", "[".repeat(31), "]".repeat(31));
        let map = super::tests::publication(Body::Map(vec![entry("0", text(&deep))]));
        let Content::Map(map) = made(Publication { properties, ..map }).unwrap().body().unwrap() else {
            panic!("no map")
        };
        assert_eq!(map.get("0"), Some(&Primitive::String(deep)));
    }

    #[test]
    fn nested_properties_become_text() {
        let mut message = Message::with_content(&Content::Text(None)).unwrap();
        message.destination = Some(Destination::Queue("Q".into()));
        let list = Primitive::List(vec![Primitive::Int(1), Primitive::Bytes(Bytes::from_static(&[0xAB]))]);
        let map = PrimitiveMap(vec![
            ("list".into(), list),
            ("map".into(), Primitive::Map(PrimitiveMap(vec![("k".into(), Primitive::Null)]))),
            ("bytes".into(), Primitive::Bytes(Bytes::from_static(&[1, 0xAB]))),
            ("char".into(), Primitive::Char(65)),
        ]);
        message.set_properties(&map).unwrap();
        let publication = from_openwire(&message).unwrap().unwrap();
        let text = |name: &str| match &publication.properties[name] {
            Value::String(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [text("list"), text("map"), text("bytes"), text("char")],
            ["[1,\"ab\"]", "{\"k\":null}", "01ab", "A"]
        );
        assert_eq!(publication.properties["MQFERRY_NullText"], Value::Boolean(true));
        assert_eq!(text("MQFERRY_json"), "list map");
        // They stay text: who reads the message over AMQP could not read it otherwise (openwire_codec).
        let again = made(publication.clone()).unwrap().properties().unwrap();
        assert_eq!(again.get("list"), Some(&Primitive::String(text("list"))));
        assert_eq!(publication.body, Body::Text(String::new()));
        assert_eq!(from_openwire(&Message::default()), Ok(None));
    }
}
