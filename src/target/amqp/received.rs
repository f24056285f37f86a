//! An AMQP message of the broker's as a publication: what a JMS application, or an AMQP one, has sent, read as ActiveMQ's `jms`
//! transformer writes it (mapping rules, sections 2, 3, 4, 8 and 10).

use bytes::Bytes;
use fe2o3_amqp::types::messaging::annotations::{AnnotationKey, Annotations, OwnedKey};
use fe2o3_amqp::types::messaging::{
    AmqpSequence, AmqpValue, ApplicationProperties, Body as AmqpBody, Data, Message, MessageAnnotations, MessageId,
    Properties,
};
use fe2o3_amqp::types::primitives::{Uuid, Value as AmqpItem};
use serde_json::Value as Json;

use crate::mapping::{Body, Destination, Entry, PropertyMap, Publication, Value, nested};

/// A message as the library hands it to us.
pub(super) type Incoming = Message<AmqpBody<AmqpItem>>;

/// AMQP can say more than JMS: a message for which a publication has no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at} is {what}, which neither JMS nor MQ can hold; send it as a string or as bytes")]
pub struct Unreadable {
    /// Where in the message.
    pub at: String,
    /// What is there.
    pub what: String,
}

/// Content types from which the message class is told, and which therefore say nothing more.
const OF_CLASSES: [&str; 3] = ["application/octet-stream", OBJECT, "application/x-empty"];
const OBJECT: &str = "application/x-java-serialized-object";

/// Reads a message that was taken from `source`, which is where it was sent to if it does not say so. `now_ms` is the time of its
/// receipt, milliseconds since 1970.
///
/// # Errors
/// Where it holds what JMS has no type for.
pub(super) fn from_amqp(message: Incoming, source: &Destination, now_ms: i64) -> Result<Publication, Unreadable> {
    let header = message.header.unwrap_or_default();
    let annotation = |name: &str| annotated(message.message_annotations.as_ref(), name);
    let said = message.properties.unwrap_or_default();
    let mut properties = properties(message.application_properties)?;
    let mut nested = Vec::new();
    let class = annotation("x-opt-jms-msg-type");
    let body = body(message.body, class, said.content_type.as_ref().map(|s| s.as_str()), &mut nested)?;
    nested::mark(&mut properties, nested::IN_BODY, nested.iter().map(String::as_str));
    set_amqps_own(
        &mut properties,
        [
            ("MA_", message.message_annotations.as_ref().map(|all| &all.0)),
            ("FT_", message.footer.as_ref().map(|all| &all.0)),
        ],
    );
    if let Some(group) = said.reply_to_group_id.clone() {
        properties.insert("JMS_AMQP_ReplyToGroupID".into(), Value::String(group));
    }
    if header.first_acquirer {
        properties.insert("JMS_AMQP_FirstAcquirer".into(), Value::Boolean(true));
    }
    let body = match body {
        Some(body) => body,
        None => {
            properties.insert("MQFERRY_NullText".into(), Value::Boolean(true));
            Body::Text(String::new())
        }
    };
    let types = [("JMS_AMQP_ContentType", &said.content_type), ("JMS_AMQP_ContentEncoding", &said.content_encoding)];
    for (name, value) in types {
        if let Some(text) = value.as_ref().map(|symbol| symbol.as_str()).filter(|text| !OF_CLASSES.contains(text)) {
            properties.insert(name.into(), Value::String(text.to_owned()));
        }
    }
    let user_id = user(&said);
    let lives = header.ttl.map(|ttl| now_ms.saturating_add(i64::from(ttl)));
    Ok(Publication {
        destination: said
            .to
            .as_deref()
            .and_then(|text| destination(text, annotation("x-opt-jms-dest")))
            .unwrap_or_else(|| source.clone()),
        persistent: header.durable,
        priority: header.priority.0.min(9),
        expires_at_ms: said.absolute_expiry_time.map(|at| at.milliseconds()).or(lives).filter(|at| *at != 0),
        message_id: said.message_id.as_ref().map(id),
        correlation_id: said.correlation_id.as_ref().map(id),
        reply_to: said.reply_to.as_deref().and_then(|text| destination(text, annotation("x-opt-jms-reply-to"))),
        message_type: said.subject.clone(),
        group_id: said.group_id.clone(),
        group_sequence: said.group_sequence.map(u32::cast_signed),
        user_id,
        timestamp_ms: said.creation_time.map(|at| at.milliseconds()).filter(|at| *at != 0),
        properties,
        body,
    })
}

/// What only AMQP knows, under the names that ActiveMQ gives it in JMS: whether it goes to MQ is for the route to say. What no
/// property can be is JSON or its own description.
fn set_amqps_own(properties: &mut PropertyMap, sections: [(&str, Option<&Annotations>); 2]) {
    let mut nested: Vec<String> = Vec::new();
    for (prefix, section) in sections {
        for (key, item) in section.into_iter().flat_map(|section| section.iter()) {
            let key = match key {
                OwnedKey::Symbol(key) => key.0.clone(),
                OwnedKey::Ulong(key) => key.to_string(),
            };
            if prefix == "MA_" && OF_JMS.contains(&key.as_str()) {
                continue;
            }
            let name = format!("JMS_AMQP_{prefix}{key}");
            let value = match item {
                AmqpItem::Map(_) | AmqpItem::List(_) | AmqpItem::Array(_) => {
                    nested.push(name.clone());
                    Value::String(json(item.clone()).unwrap_or_else(Json::from).to_string())
                }
                item => plain(item.clone(), &|| name.clone()).unwrap_or_else(|unread| Value::String(unread.what)),
            };
            properties.insert(name.into(), value);
        }
    }
    nested::mark(properties, nested::PROPERTIES, nested.iter().map(String::as_str));
}

/// Annotations by which JMS clients tell each other message class and destinations.
const OF_JMS: [&str; 3] = ["x-opt-jms-msg-type", "x-opt-jms-dest", "x-opt-jms-reply-to"];

fn user(said: &Properties) -> Option<String> {
    said.user_id.as_ref().map(|user| String::from_utf8_lossy(user).into_owned()).filter(|user| !user.is_empty())
}

/// A byte among the annotations, by which ActiveMQ and Qpid JMS tell what AMQP itself does not.
fn annotated(annotations: Option<&MessageAnnotations>, name: &str) -> Option<i8> {
    match annotations?.0.get(&name as &dyn AnnotationKey)? {
        AmqpItem::Byte(value) => Some(*value),
        _ => None,
    }
}

/// `queue://NAME` and the like, or a bare name whose kind the annotation tells (0 queue, 1 topic, 2 and 3 temporary ones).
fn destination(text: &str, kind: Option<i8>) -> Option<Destination> {
    if text.contains("://") {
        return text.parse().ok();
    }
    let name = text.to_owned();
    Some(text).filter(|text| !text.is_empty()).map(|_| match kind {
        Some(1) => Destination::Topic(name),
        Some(2) => Destination::TempQueue(name),
        Some(3) => Destination::TempTopic(name),
        _ => Destination::Queue(name),
    })
}

/// An id as JMS shows it; those that are no strings as ActiveMQ writes them.
fn id(id: &MessageId) -> String {
    match id {
        MessageId::String(text) => text.clone(),
        MessageId::Ulong(number) => format!("AMQP_ULONG:{number}"),
        MessageId::Uuid(uuid) => format!("AMQP_UUID:{}", uuid_text(uuid)),
        MessageId::Binary(bytes) => {
            bytes.iter().fold("AMQP_BINARY:".to_owned(), |text, byte| text + &format!("{byte:02X}"))
        }
    }
}

fn uuid_text(uuid: &Uuid) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(*uuid.as_inner()));
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn properties(said: Option<ApplicationProperties>) -> Result<PropertyMap, Unreadable> {
    let all = said.map(|said| said.0).unwrap_or_default();
    all.into_iter()
        .map(|(name, value)| {
            let at = || format!("property {name:?}");
            let value = plain(AmqpItem::from(value), &at)?;
            Ok((name.into(), value))
        })
        .collect()
}

/// A property's value.
fn plain(item: AmqpItem, at: &dyn Fn() -> String) -> Result<Value, Unreadable> {
    Ok(match item {
        // No broker's property holds these; what they say is kept.
        AmqpItem::Char(c) => Value::String(c.to_string()),
        AmqpItem::Binary(bytes) => Value::String(crate::mapping::id::hex(&bytes)),
        item => value_of(item, at)?,
    })
}

/// An entry of a map or an item of a stream, which may be a map or a list itself: then it is JSON, and its name is listed.
fn entry(item: AmqpItem, name: impl Fn() -> String, nested: &mut Vec<String>) -> Result<Value, Unreadable> {
    let at = || format!("{:?} in the body", name());
    if !matches!(item, AmqpItem::Map(_) | AmqpItem::List(_) | AmqpItem::Array(_)) {
        return value_of(item, &at);
    }
    let text = json(item).map_err(|what| Unreadable { at: at(), what: format!("something with {what}") })?;
    nested.push(name());
    Ok(Value::String(text.to_string()))
}

/// A value as JSON; else what there is that has no place in it.
fn json(item: AmqpItem) -> Result<Json, &'static str> {
    Ok(match item {
        AmqpItem::List(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        AmqpItem::Array(items) => Json::Array(items.0.into_iter().map(json).collect::<Result<_, _>>()?),
        AmqpItem::Map(entries) => {
            let entries = entries.into_iter().map(|(name, value)| match name {
                AmqpItem::String(name) => Ok((name, json(value)?)),
                AmqpItem::Symbol(name) => Ok((name.0, json(value)?)),
                _ => Err("a map whose keys are no strings"),
            });
            Json::Object(entries.collect::<Result<_, _>>()?)
        }
        other => {
            let kind = kind(&other);
            match value_of(other, &String::new).map_err(|_| kind)? {
                Value::Null => Json::Null,
                Value::Boolean(value) => Json::from(value),
                Value::Byte(value) => Json::from(value),
                Value::Short(value) => Json::from(value),
                Value::Int(value) => Json::from(value),
                Value::Long(value) => Json::from(value),
                Value::Float(value) => nested::short_float(value),
                Value::Double(value) => nested::float(value),
                Value::Char(unit) => Json::from(String::from_utf16_lossy(&[unit])),
                Value::String(text) => Json::from(text),
                Value::Bytes(bytes) => Json::from(crate::mapping::id::hex(&bytes)),
            }
        }
    })
}

/// The JMS value of an AMQP one; unsigned numbers in the next larger type that has no sign to lose (mapping rules, section 8).
fn value_of(item: AmqpItem, at: &dyn Fn() -> String) -> Result<Value, Unreadable> {
    Ok(match item {
        AmqpItem::Null => Value::Null,
        AmqpItem::Bool(value) => Value::Boolean(value),
        AmqpItem::Byte(value) => Value::Byte(value),
        AmqpItem::Ubyte(value) => i8::try_from(value).map_or_else(|_| Value::Short(i16::from(value)), Value::Byte),
        AmqpItem::Short(value) => Value::Short(value),
        AmqpItem::Ushort(value) => i16::try_from(value).map_or_else(|_| Value::Int(i32::from(value)), Value::Short),
        AmqpItem::Int(value) => Value::Int(value),
        AmqpItem::Uint(value) => i32::try_from(value).map_or_else(|_| Value::Long(i64::from(value)), Value::Int),
        AmqpItem::Long(value) => Value::Long(value),
        AmqpItem::Ulong(value) => i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::Long),
        AmqpItem::Float(value) => Value::Float(value.into_inner()),
        AmqpItem::Double(value) => Value::Double(value.into_inner()),
        AmqpItem::String(text) => Value::String(text),
        AmqpItem::Symbol(text) => Value::String(text.0),
        AmqpItem::Timestamp(at) => Value::Long(at.milliseconds()),
        AmqpItem::Uuid(uuid) => Value::String(uuid_text(&uuid)),
        AmqpItem::Binary(bytes) => Value::Bytes(Bytes::from(bytes.into_vec())),
        AmqpItem::Char(c) => match u16::try_from(u32::from(c)) {
            Ok(unit) => Value::Char(unit),
            Err(_) => Value::String(c.to_string()), // two units of UTF-16
        },
        other => return Err(Unreadable { at: at(), what: kind(&other).to_owned() }),
    })
}

fn kind(item: &AmqpItem) -> &'static str {
    match item {
        AmqpItem::List(_) | AmqpItem::Array(_) => "a list",
        AmqpItem::Map(_) => "a map",
        AmqpItem::Decimal32(_) | AmqpItem::Decimal64(_) | AmqpItem::Decimal128(_) => "a decimal number",
        _ => "of a described type",
    }
}

/// The body by message class; none is a text message whose text is null.
fn body(
    body: AmqpBody<AmqpItem>,
    class: Option<i8>,
    content_type: Option<&str>,
    nested: &mut Vec<String>,
) -> Result<Option<Body>, Unreadable> {
    Ok(Some(match body {
        AmqpBody::Data(parts) => bytes_body(parts.into_iter().collect(), content_type),
        AmqpBody::Sequence(parts) => stream(parts.into_iter().flat_map(|AmqpSequence(items)| items).collect(), nested)?,
        AmqpBody::Value(AmqpValue(AmqpItem::String(text))) => Body::Text(text),
        AmqpBody::Value(AmqpValue(AmqpItem::Symbol(text))) => Body::Text(text.0),
        AmqpBody::Value(AmqpValue(AmqpItem::Binary(bytes))) => bytes_body(vec![Data(bytes)], content_type),
        AmqpBody::Value(AmqpValue(AmqpItem::List(items))) => stream(items, nested)?,
        AmqpBody::Value(AmqpValue(AmqpItem::Map(entries))) => {
            let entries = entries.into_iter().map(|(name, item)| {
                let name = match name {
                    AmqpItem::String(name) => name,
                    AmqpItem::Symbol(name) => name.0,
                    other => {
                        let at = "a key of the map".to_owned();
                        return Err(Unreadable { at, what: format!("{other:?} and no string") });
                    }
                };
                let value = entry(item, || name.clone(), nested)?;
                Ok(Entry { name, value })
            });
            Body::Map(entries.collect::<Result<_, _>>()?)
        }
        AmqpBody::Value(AmqpValue(AmqpItem::Null)) | AmqpBody::Empty => match class {
            // As Qpid JMS numbers the classes.
            Some(1) => Body::Object(Bytes::new()),
            Some(2) => Body::Map(Vec::new()),
            Some(3) => Body::Bytes(Bytes::new()),
            Some(4) => Body::Stream(Vec::new()),
            Some(5) => return Ok(None),
            None if matches!(body, AmqpBody::Value(_)) => return Ok(None),
            _ => Body::Empty,
        },
        AmqpBody::Value(AmqpValue(item)) => {
            let kind = kind(&item);
            match value_of(item, &|| "the body".to_owned()) {
                // A number or the like alone: a stream of one.
                Ok(value) => Body::Stream(vec![value]),
                Err(_) => return Err(Unreadable { at: "the body".to_owned(), what: kind.to_owned() }),
            }
        }
    }))
}

fn stream(items: Vec<AmqpItem>, nested: &mut Vec<String>) -> Result<Body, Unreadable> {
    let values = items.into_iter().enumerate().map(|(place, item)| entry(item, || place.to_string(), nested));
    Ok(Body::Stream(values.collect::<Result<_, _>>()?))
}

fn bytes_body(parts: Vec<Data>, content_type: Option<&str>) -> Body {
    let mut parts = parts.into_iter().map(|Data(part)| part.into_vec());
    let mut bytes = parts.next().unwrap_or_default();
    parts.for_each(|part| bytes.extend(part));
    match content_type {
        Some(OBJECT) => Body::Object(bytes.into()),
        Some(kind) if is_text(kind) => match String::from_utf8(bytes) {
            Ok(text) => Body::Text(text),
            Err(error) => Body::Bytes(error.into_bytes().into()),
        },
        _ => Body::Bytes(bytes.into()),
    }
}

/// Whether ActiveMQ makes a TextMessage of data of this type: text in UTF-8.
fn is_text(content_type: &str) -> bool {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let kind = kind.trim().to_ascii_lowercase();
    let named = ["application/json", "application/xml", "application/javascript", "application/ecmascript"];
    let is_utf8 = match parameters.to_ascii_lowercase().split_once("charset=") {
        Some((_, name)) => matches!(name.trim().trim_matches('"'), "utf-8" | "utf8" | "us-ascii"),
        None => true,
    };
    let is_text = kind.starts_with("text/")
        || named.contains(&kind.as_str())
        || (kind.starts_with("application/") && (kind.ends_with("+json") || kind.ends_with("+xml")));
    is_text && is_utf8
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::messaging::{Batch, Footer, Header};
    use fe2o3_amqp::types::primitives::{Binary, OrderedMap, SimpleValue, Symbol, Timestamp};

    use super::*;

    const NOW: i64 = 1_795_443_300_000;

    fn message(body: AmqpBody<AmqpItem>) -> Incoming {
        Message {
            header: None,
            delivery_annotations: None,
            message_annotations: None,
            properties: None,
            application_properties: None,
            body,
            footer: None,
        }
    }

    fn value(item: AmqpItem) -> AmqpBody<AmqpItem> {
        AmqpBody::Value(AmqpValue(item))
    }

    fn data(bytes: &[&[u8]]) -> AmqpBody<AmqpItem> {
        AmqpBody::Data(Batch::new(bytes.iter().map(|part| Data(Binary::from(part.to_vec()))).collect::<Vec<_>>()))
    }

    fn read(message: Incoming) -> Publication {
        from_amqp(message, &Destination::Queue("Q".into()), NOW).unwrap()
    }

    fn body_of(body: AmqpBody<AmqpItem>, content_type: Option<&str>) -> Body {
        let properties = Properties { content_type: content_type.map(Symbol::from), ..Properties::default() };
        read(Message { properties: Some(properties), ..message(body) }).body
    }

    /// AMQP 1.0, part 3, 3.2.1: a header that is absent says not durable, priority 4.
    #[test]
    fn what_is_not_said_is_as_amqp_has_it() {
        let got = read(message(value(AmqpItem::String("x".into()))));
        assert_eq!((got.persistent, got.priority, got.expires_at_ms), (false, 4, None));
        assert_eq!((&got.destination, &got.message_id), (&Destination::Queue("Q".into()), &None));
        assert!(got.properties.is_empty());
    }

    #[test]
    fn fields() {
        let mut annotations = Annotations::new();
        annotations.insert(OwnedKey::from(Symbol::from("x-opt-jms-reply-to")), AmqpItem::Byte(3));
        let properties = Properties {
            message_id: Some(MessageId::Binary(Binary::from(vec![0, 0xAB]))),
            correlation_id: Some(MessageId::Uuid(Uuid::from(
                *b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10",
            ))),
            to: Some("topic://T".into()),
            reply_to: Some("R".into()),
            group_sequence: Some(u32::MAX),
            user_id: Some(Binary::from(b"fred".to_vec())),
            content_type: Some(Symbol::from("application/pdf")),
            creation_time: Some(Timestamp::from_milliseconds(7)),
            ..Properties::default()
        };
        let header = Header { durable: true, ttl: Some(500), ..Header::default() };
        let said = Message {
            header: Some(header),
            message_annotations: Some(MessageAnnotations(annotations)),
            properties: Some(properties),
            ..message(data(&[b"a", b"b"]))
        };
        let got = read(said);
        assert_eq!(got.message_id.as_deref(), Some("AMQP_BINARY:00AB"));
        assert_eq!(got.correlation_id.as_deref(), Some("AMQP_UUID:01020304-0506-0708-090a-0b0c0d0e0f10"));
        assert_eq!(got.destination, Destination::Topic("T".into()));
        assert_eq!(got.reply_to, Some(Destination::TempTopic("R".into())));
        assert_eq!((got.persistent, got.expires_at_ms), (true, Some(NOW + 500)));
        assert_eq!((got.group_sequence, got.user_id.as_deref(), got.timestamp_ms), (Some(-1), Some("fred"), Some(7)));
        assert_eq!(got.body, Body::Bytes(Bytes::from_static(b"ab")));
        let kept = PropertyMap::from([("JMS_AMQP_ContentType".into(), Value::String("application/pdf".into()))]);
        assert_eq!(got.properties, kept);
    }

    /// As ActiveMQ tells them (mapping rules, section 3).
    #[test]
    fn classes() {
        assert_eq!(body_of(data(&[b"x"]), Some("text/plain; charset=UTF-8")), Body::Text("x".into()));
        assert_eq!(body_of(data(&[b"{}"]), Some("application/vnd.x+json")), Body::Text("{}".into()));
        assert_eq!(body_of(data(&[b"\xFF"]), Some("text/plain")), Body::Bytes(Bytes::from_static(b"\xFF")));
        assert_eq!(body_of(data(&[b"x"]), Some("text/plain;charset=utf-16")), Body::Bytes(Bytes::from_static(b"x")));
        assert_eq!(body_of(data(&[b"x"]), Some(OBJECT)), Body::Object(Bytes::from_static(b"x")));
        assert_eq!(body_of(AmqpBody::Empty, None), Body::Empty);
        assert_eq!(body_of(value(AmqpItem::List(vec![AmqpItem::Uint(7)])), None), Body::Stream(vec![Value::Int(7)]));
        assert_eq!(body_of(value(AmqpItem::Long(7)), None), Body::Stream(vec![Value::Long(7)]));
        let null = read(message(value(AmqpItem::Null)));
        assert_eq!(null.body, Body::Text(String::new()));
        assert_eq!(null.properties.get("MQFERRY_NullText"), Some(&Value::Boolean(true)));
    }

    #[test]
    fn numbers_without_a_sign_keep_their_value() {
        let properties = [
            ("ubyte", SimpleValue::Ubyte(255), Value::Short(255)),
            ("ushort", SimpleValue::Ushort(65_535), Value::Int(65_535)),
            ("uint", SimpleValue::Uint(u32::MAX), Value::Long(4_294_967_295)),
            ("ulong", SimpleValue::Ulong(u64::MAX), Value::String("18446744073709551615".into())),
            ("char", SimpleValue::Char('é'), Value::String("é".into())),
        ];
        let said =
            properties.iter().map(|(name, said, _)| ((*name).to_owned(), said.clone())).collect::<OrderedMap<_, _>>();
        let said = Message { application_properties: Some(ApplicationProperties(said)), ..message(AmqpBody::Empty) };
        let got = read(said).properties;
        for (name, _, expected) in &properties {
            assert_eq!(got.get(name), Some(expected));
        }
    }

    /// Lists and maps within a body are JSON, and named; nothing of them is lost in silence.
    #[test]
    fn maps_and_lists_within_bodies() {
        let text = |text: &str| AmqpItem::String(text.into());
        let map = |entries: Vec<(AmqpItem, AmqpItem)>| AmqpItem::Map(entries.into_iter().collect());
        let list = AmqpItem::List(vec![
            AmqpItem::Uint(7),
            AmqpItem::Float(1.1.into()),
            AmqpItem::Double(f64::NAN.into()),
            AmqpItem::Binary(Binary::from(vec![0xAB])),
            AmqpItem::Null,
            map(vec![(text("k"), AmqpItem::List(Vec::new()))]),
        ]);
        let got = read(message(value(map(vec![(text("a b"), list.clone()), (text("n"), AmqpItem::Int(1))]))));
        let json = Value::String(r#"[7,1.1,"NaN","ab",null,{"k":[]}]"#.into());
        let entries = [("a b", json.clone()), ("n", Value::Int(1))];
        assert_eq!(got.body, Body::Map(entries.map(|(name, value)| Entry { name: name.into(), value }).to_vec()));
        assert_eq!(got.properties.get("MQFERRY_json_body"), Some(&Value::String("a_x0020_b".into())));
        let got = read(message(value(AmqpItem::List(vec![AmqpItem::Int(1), list]))));
        assert_eq!(got.body, Body::Stream(vec![Value::Int(1), json]));
        assert_eq!(got.properties.get("MQFERRY_json_body"), Some(&Value::String("1".into())));
    }

    #[test]
    fn what_jms_has_no_type_for_is_said() {
        let by_number = AmqpItem::Map([(AmqpItem::Int(1), AmqpItem::Null)].into_iter().collect());
        for (item, expected) in [
            (
                AmqpItem::List(vec![by_number.clone()]),
                "\"0\" in the body is something with a map whose keys are no strings",
            ),
            (by_number, "a key of the map is Int(1) and no string"),
        ] {
            let refused = from_amqp(message(value(item)), &Destination::Queue("Q".into()), NOW).unwrap_err();
            let expected = format!("{expected}, which neither JMS nor MQ can hold; send it as a string or as bytes");
            assert_eq!(refused.to_string(), expected);
        }
    }

    /// Under the names that ActiveMQ gives them in JMS.
    #[test]
    fn what_only_amqp_knows() {
        let mut annotations = Annotations::new();
        annotations.insert(OwnedKey::from(Symbol::from("x-opt-jms-dest")), AmqpItem::Byte(0));
        annotations.insert(OwnedKey::from(Symbol::from("x-colour")), AmqpItem::Symbol(Symbol::from("red")));
        annotations.insert(OwnedKey::from(Symbol::from("x-list")), AmqpItem::List(vec![AmqpItem::Int(1)]));
        let mut footer = Annotations::new();
        footer.insert(OwnedKey::from(Symbol::from("sum")), AmqpItem::Binary(Binary::from(vec![0xAB])));
        let got = read(Message {
            header: Some(Header { first_acquirer: true, ..Header::default() }),
            properties: Some(Properties { reply_to_group_id: Some("g".into()), ..Properties::default() }),
            message_annotations: Some(MessageAnnotations(annotations)),
            footer: Some(Footer(footer)),
            ..message(AmqpBody::Empty)
        });
        let text = |text: &str| Value::String(text.into());
        let expected = [
            ("JMS_AMQP_FT_sum", text("ab")),
            ("JMS_AMQP_FirstAcquirer", Value::Boolean(true)),
            ("JMS_AMQP_MA_x-colour", text("red")),
            ("JMS_AMQP_MA_x-list", text("[1]")),
            ("JMS_AMQP_ReplyToGroupID", text("g")),
            ("MQFERRY_json", text("JMS_AMQP_MA_x-list")),
        ];
        assert_eq!(got.properties, expected.map(|(name, value)| (name.into(), value)).into());
    }
}
