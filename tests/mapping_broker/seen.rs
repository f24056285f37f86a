//! What a JMS application sees, against what was published and against what the application at IBM's side set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mqferry::mapping::{Body, Publication, Value};
use serde_json::{Value as Json, json};

use crate::cases::Case;
use crate::support::jms::{Client, Entry, Received, Typed};
use crate::{NUMBER, is_hidden};

/// A value as the Java programs print it: NaN and infinities as strings.
fn typed(value: &Value) -> Typed {
    let finite = |number: f64, text: String| if number.is_finite() { json!(number) } else { json!(text) };
    let java = |number: f64| {
        if number.is_nan() {
            "NaN".to_owned()
        } else if number > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        }
    };
    let (kind, value) = match value {
        Value::Null => ("null", Json::Null),
        Value::Boolean(v) => ("boolean", json!(v)),
        Value::Byte(v) => ("byte", json!(v)),
        Value::Short(v) => ("short", json!(v)),
        Value::Int(v) => ("int", json!(v)),
        Value::Long(v) => ("long", json!(v)),
        Value::Float(v) => ("float", finite(v.to_string().parse().unwrap_or(0.0), java(f64::from(*v)))),
        Value::Double(v) => ("double", finite(*v, java(*v))),
        Value::Char(v) => ("char", json!(char::from_u32(u32::from(*v)).unwrap().to_string())),
        Value::String(v) => ("string", json!(v)),
        Value::Bytes(v) => ("bytes", json!(BASE64.encode(v))),
    };
    Typed { kind: kind.to_owned(), value }
}

/// What providers add of their own.
fn is_providers(name: &str) -> bool {
    name == NUMBER
        || name.starts_with("JMS_AMQP_")
        || matches!(
            name,
            "JMSXDeliveryCount" | "JMSXGroupID" | "JMSXGroupSeq" | "JMSXUserID" | "JMSXGroupFirstForConsumer"
        )
}

/// Everything in which a received message is not what it was meant to be, a line each.
pub(crate) fn differences(got: &Received, meant: &Publication, case: &Case, client: Client) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |what: &str, is: Json, should: Json| {
        if is != should {
            found.push(format!("{what} is {is}, not {should}"));
        }
    };
    let class = match &meant.body {
        Body::Empty => "Message",
        Body::Text(_) => "TextMessage",
        Body::Bytes(_) => "BytesMessage",
        Body::Map(_) => "MapMessage",
        Body::Stream(_) => "StreamMessage",
        Body::Object(_) => "ObjectMessage",
    };
    check("class", json!(got.class), json!(class));
    check("JMSMessageID", json!(got.id), json!(meant.message_id));
    check("JMSCorrelationID", json!(got.correlation_id), json!(meant.correlation_id));
    check("JMSReplyTo", json!(got.reply_to), json!(meant.reply_to.as_ref().map(ToString::to_string)));
    check("JMSType", json!(got.jms_type), json!(meant.message_type));
    check("JMSPriority", json!(got.priority), json!(meant.priority));
    check("persistent", json!(got.persistent), json!(meant.persistent));
    check("JMSExpiration", json!(got.expiration), json!(meant.expires_at_ms.unwrap_or(0)));
    check("JMSTimestamp", json!(got.timestamp), json!(meant.timestamp_ms.unwrap_or(0)));
    let field = |name: &str| got.properties.get(name).map(|it| it.value.clone()).filter(|value| !value.is_null());
    check("JMSXGroupID", json!(field("JMSXGroupID")), json!(meant.group_id));
    check(
        "JMSXGroupSeq",
        json!(field("JMSXGroupSeq").filter(|_| meant.group_id.is_some())),
        json!(meant.group_sequence),
    );
    check("JMSXUserID", json!(field("JMSXUserID")), json!(meant.user_id));
    match &meant.body {
        Body::Empty => {}
        Body::Text(text) => check("text", json!(got.text), json!(text)),
        Body::Bytes(bytes) => check("bytes", json!(got.base64), json!(BASE64.encode(bytes))),
        Body::Object(_) => check("object", json!(got.object.is_some()), json!(true)),
        Body::Stream(values) => {
            let shown: Vec<_> = got.entries.iter().map(|entry| entry.typed.clone()).collect();
            let should: Vec<_> = values.iter().map(typed).collect();
            check("stream", json!(format!("{shown:?}")), json!(format!("{should:?}")));
        }
        Body::Map(entries) => {
            let mut shown = got.entries.clone();
            let entry =
                |entry: &mqferry::mapping::Entry| Entry { name: Some(entry.name.clone()), typed: typed(&entry.value) };
            let mut should: Vec<_> = entries.iter().map(entry).collect();
            shown.sort_by(|one, other| one.name.cmp(&other.name));
            should.sort_by(|one, other| one.name.cmp(&other.name));
            check("map", json!(format!("{shown:?}")), json!(format!("{should:?}")));
        }
    }
    for (name, value) in &meant.properties {
        match got.properties.get(name.as_ref()) {
            None if is_hidden(name, client) => {}
            None => found.push(format!("property {name} is not there")),
            Some(_) if is_hidden(name, client) => {
                found.push(format!("property {name} is there, and was thought to be hidden"))
            }
            Some(shown) if *shown != typed(value) => {
                found.push(format!("property {name} is {shown:?}, not {:?}", typed(value)));
            }
            Some(_) => {}
        }
    }
    for name in
        got.properties.keys().filter(|name| !meant.properties.contains_key(name.as_str()) && !is_providers(name))
    {
        found.push(format!("property {name} comes from nowhere"));
    }
    if let Some(application) = &case.application {
        found.extend(not_as_set(got, application, meant.properties.contains_key("MQFERRY_BodyKept")));
    }
    found
}

/// What the JMS application at IBM's side set, and the one at this side does not see so.
fn not_as_set(got: &Received, said: &Json, is_kept: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |what: &str, is: Json, should: &Json| {
        if is != *should && !should.is_null() {
            found.push(format!("{what} is {is}, and the application set {should}"));
        }
    };
    if !is_kept {
        check("class", json!(got.class), &said["type"]);
    }
    check("text", json!(got.text), &said["text"]);
    check("priority", json!(got.priority), &said["priority"]);
    check("persistent", json!(got.persistent), &json!(said["deliveryMode"] == "PERSISTENT"));
    check("JMSType", json!(got.jms_type), &said["JMSType"]);
    check("JMSCorrelationID", json!(got.correlation_id), &said["JMSCorrelationID"]);
    check("JMSTimestamp", json!(got.timestamp), &said["after_send"]["JMSTimestamp"]);
    let reply = said["JMSReplyTo"].as_str().map(|to| json!(to.replace("queue:///", "queue://MQ.QM1.")));
    check("JMSReplyTo", json!(got.reply_to), &json!(reply));
    for (name, value) in said["properties"].as_object().into_iter().flatten() {
        let kind = match value["java"].as_str().unwrap() {
            "Integer" => "int".to_owned(),
            other => other.to_lowercase(),
        };
        // Numbers that JSON might spoil stand there as text.
        let number = value["value"].as_str().filter(|_| matches!(kind.as_str(), "float" | "double"));
        let value = number.map_or_else(|| value["value"].clone(), |text| json!(text.parse::<f64>().unwrap()));
        check(name, json!(got.properties.get(name).map(|it| (&it.kind, &it.value))), &json!((kind, value)));
    }
    found
}
