//! A publication, and what JMS applications must see of it.

use mqferry::mapping::publication::{Entry as Named, Value};
use mqferry::mapping::{Body, Destination, Publication};
use serde_json::json;

use crate::support::jms::{Entry, Received, Typed};

/// Holds what an application saw to what was published, field by field.
pub(crate) fn assert_same(publication: &Publication, seen: &Received, about: &str) {
    let name = |destination: &Destination| {
        // the program asks for the JMS interface, and a temporary queue is a queue
        destination.to_string().replace("temp-", "")
    };
    let Publication { message_id, correlation_id, message_type, group_id, group_sequence, .. } = publication;
    assert_eq!(seen.id, *message_id, "{about}: JMSMessageID");
    assert_eq!(seen.correlation_id, *correlation_id, "{about}: JMSCorrelationID");
    assert_eq!(seen.destination.as_deref(), Some(name(&publication.destination).as_str()), "{about}: JMSDestination");
    assert_eq!(seen.reply_to, publication.reply_to.as_ref().map(name), "{about}: JMSReplyTo");
    assert_eq!(seen.jms_type, *message_type, "{about}: JMSType");
    assert_eq!(seen.priority, i32::from(publication.priority), "{about}: JMSPriority");
    assert_eq!(seen.persistent, publication.persistent, "{about}: JMSDeliveryMode");
    assert_eq!(seen.expiration, publication.expires_at_ms.unwrap_or(0), "{about}: JMSExpiration");
    assert_eq!(seen.timestamp, publication.timestamp_ms.unwrap_or(0), "{about}: JMSTimestamp");

    // what the broker's AMQP connector and Qpid add
    let mut properties = seen.properties.clone();
    properties.retain(|name, _| name != "JMSXDeliveryCount" && !name.starts_with("JMS_AMQP_"));
    let text = |value: &Option<String>| value.as_ref().map(|text| typed(&Value::String(text.clone())));
    assert_eq!(properties.remove("JMSXGroupID"), text(group_id), "{about}");
    let sequence = properties.remove("JMSXGroupSeq").map(|sequence| sequence.value);
    assert_eq!(sequence.unwrap_or(json!(0)), json!(group_sequence.unwrap_or(0)), "{about}: JMSXGroupSeq");
    assert_eq!(properties.remove("JMSXUserID"), text(&publication.user_id), "{about}");
    let names: Vec<_> = properties.keys().map(String::as_str).collect();
    assert_eq!(names, publication.properties.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), "{about}");
    for (name, value) in &publication.properties {
        assert_eq!(properties[name.as_ref()], typed(value), "{about}: property {name:?}");
    }

    let class = match &publication.body {
        Body::Empty => "Message",
        Body::Text(_) => "TextMessage",
        Body::Bytes(_) => "BytesMessage",
        Body::Map(_) => "MapMessage",
        Body::Stream(_) => "StreamMessage",
        Body::Object(_) => "ObjectMessage",
    };
    assert_eq!(seen.class, class, "{about}");
    match &publication.body {
        // the class is all there is to see
        Body::Empty | Body::Object(_) => {}
        Body::Text(text) => assert_eq!(seen.text.as_ref(), Some(text), "{about}"),
        Body::Bytes(bytes) => assert_eq!(seen.base64.as_deref(), typed(&Value::Bytes(bytes.clone())).value.as_str()),
        Body::Map(entries) => {
            // a map has no order
            let mut seen: Vec<&Entry> = seen.entries.iter().collect();
            let mut meant: Vec<&Named> = entries.iter().collect();
            seen.sort_by_key(|entry| entry.name.clone());
            meant.sort_by_key(|entry| entry.name.clone());
            assert_eq!(seen.len(), meant.len(), "{about}");
            for (seen, meant) in seen.iter().zip(meant) {
                assert_eq!((seen.name.as_ref(), &seen.typed), (Some(&meant.name), &typed(&meant.value)), "{about}");
            }
        }
        Body::Stream(items) => {
            let seen: Vec<_> = seen.entries.iter().map(|entry| entry.typed.clone()).collect();
            assert_eq!(seen, items.iter().map(typed).collect::<Vec<_>>(), "{about}");
        }
    }
}

/// A value as the Java programs print it (`Json.java`).
fn typed(value: &Value) -> Typed {
    use base64::Engine as _;
    let text = |number: f64| {
        if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
    };
    let (kind, value) = match value {
        Value::Null => ("null", json!(null)),
        Value::Boolean(value) => ("boolean", json!(value)),
        Value::Byte(value) => ("byte", json!(value)),
        Value::Short(value) => ("short", json!(value)),
        Value::Int(value) => ("int", json!(value)),
        Value::Long(value) => ("long", json!(value)),
        Value::Float(value) if !value.is_finite() => ("float", json!(text(f64::from(*value)))),
        // the shortest digits, as Java prints them too
        Value::Float(value) => ("float", json!(value.to_string().parse::<f64>().unwrap())),
        Value::Double(value) if !value.is_finite() => ("double", json!(text(*value))),
        Value::Double(value) => ("double", json!(value)),
        Value::Char(unit) => ("char", json!(String::from_utf16(&[*unit]).expect("no half of a pair"))),
        Value::String(value) => ("string", json!(value)),
        Value::Bytes(bytes) => ("bytes", json!(base64::engine::general_purpose::STANDARD.encode(bytes))),
    };
    Typed { kind: kind.to_owned(), value }
}
