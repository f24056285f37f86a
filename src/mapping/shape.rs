//! A publication as JSON, both ways: the shape that `explain --json` promises and `--from-publication` reads.
//!
//! Absent is null. NaN and the infinities are strings, byte arrays base64, a char a string of one character (a lone surrogate,
//! which JSON text cannot hold, its number).

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::{Body, Destination, Entry, Publication, Value};

/// JSON that is no publication.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {found}, expected {expected}")]
pub struct Misshapen {
    /// Path to the value: `properties.colour.value`.
    pub at: String,
    /// What is there.
    pub found: String,
    /// What fits there.
    pub expected: &'static str,
}

/// The publication as JSON; the expiry is told from `now_ms`.
pub fn to_json(publication: &Publication, now_ms: i64) -> Json {
    let properties: Map<_, _> =
        publication.properties.iter().map(|(name, value)| (name.to_string(), Json::Object(typed(value)))).collect();
    json!({
        "destination": publication.destination.to_string(),
        "persistent": publication.persistent,
        "priority": publication.priority,
        "expires_in_ms": publication.expires_at_ms.map(|at| at.saturating_sub(now_ms)),
        "message_id": publication.message_id,
        "correlation_id": publication.correlation_id,
        "reply_to": publication.reply_to.as_ref().map(Destination::to_string),
        "type": publication.message_type,
        "group_id": publication.group_id,
        "group_sequence": publication.group_sequence,
        "user_id": publication.user_id,
        "timestamp_ms": publication.timestamp_ms,
        "properties": properties,
        "body": body(&publication.body),
    })
}

fn typed(value: &Value) -> Map<String, Json> {
    let (kind, value) = match value {
        Value::Null => ("null", Json::Null),
        Value::Boolean(v) => ("boolean", json!(v)),
        Value::Byte(v) => ("byte", json!(v)),
        Value::Short(v) => ("short", json!(v)),
        Value::Int(v) => ("int", json!(v)),
        Value::Long(v) => ("long", json!(v)),
        // By way of its shortest text, for 1.1 shall not read 1.100000023841858.
        Value::Float(v) => ("float", float(v.to_string().parse().unwrap_or(f64::from(*v)))),
        Value::Double(v) => ("double", float(*v)),
        Value::Char(v) => ("char", char::from_u32(u32::from(*v)).map_or(json!(v), |c| json!(c.to_string()))),
        Value::String(v) => ("string", json!(v)),
        Value::Bytes(v) => ("bytes", json!(BASE64.encode(v))),
    };
    Map::from_iter([("type".to_owned(), json!(kind)), ("value".to_owned(), value)])
}

fn float(value: f64) -> Json {
    match value {
        _ if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        finite => json!(finite),
    }
}

fn body(body: &Body) -> Json {
    match body {
        Body::Empty => json!({"kind": "empty"}),
        Body::Text(text) => json!({"kind": "text", "text": text}),
        Body::Bytes(bytes) => json!({"kind": "bytes", "base64": BASE64.encode(bytes)}),
        Body::Object(bytes) => json!({"kind": "object", "base64": BASE64.encode(bytes)}),
        Body::Stream(values) => {
            json!({"kind": "stream", "entries": values.iter().map(typed).collect::<Vec<_>>()})
        }
        Body::Map(entries) => {
            let entry = |entry: &Entry| {
                let mut object = typed(&entry.value);
                object.insert("name".to_owned(), json!(entry.name));
                object
            };
            json!({"kind": "map", "entries": entries.iter().map(entry).collect::<Vec<_>>()})
        }
    }
}

/// The publication that JSON describes. Keys that are absent are null; `persistent` is then true and `priority` 4.
///
/// # Errors
/// Names the first value that does not fit.
pub fn from_json(json: &Json, now_ms: i64) -> Result<Publication, Misshapen> {
    let at = At { json, path: String::new() };
    let destination = |at: At<'_>| -> Result<Destination, Misshapen> {
        let text = at.string()?;
        Destination::from_str(&text).map_err(|_| at.misshapen("queue://NAME or topic://NAME"))
    };
    let mut properties = Vec::new();
    let all = at.key("properties");
    if !all.json.is_null() {
        for name in all.json.as_object().ok_or_else(|| all.misshapen("an object"))?.keys() {
            properties.push((name.clone().into(), all.key(name).typed()?));
        }
    }
    Ok(Publication {
        destination: destination(at.key("destination"))?,
        persistent: at.key("persistent").optional(|v| v.json.as_bool(), "true or false")?.unwrap_or(true),
        priority: at
            .key("priority")
            .optional(|v| v.integer().and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= 9), "0 to 9")?
            .unwrap_or(4),
        expires_at_ms: at
            .key("expires_in_ms")
            .optional(At::integer, "milliseconds")?
            .map(|after| now_ms.saturating_add(after)),
        message_id: at.key("message_id").optional_string()?,
        correlation_id: at.key("correlation_id").optional_string()?,
        reply_to: match at.key("reply_to") {
            absent if absent.json.is_null() => None,
            there => Some(destination(there)?),
        },
        message_type: at.key("type").optional_string()?,
        group_id: at.key("group_id").optional_string()?,
        group_sequence: at
            .key("group_sequence")
            .optional(|v| v.integer().and_then(|n| i32::try_from(n).ok()), "an int")?,
        user_id: at.key("user_id").optional_string()?,
        timestamp_ms: at.key("timestamp_ms").optional(At::integer, "milliseconds since 1970")?,
        properties: properties.into_iter().collect(),
        body: at.key("body").body()?,
    })
}

/// A value and the way to it.
struct At<'a> {
    json: &'a Json,
    path: String,
}

impl<'a> At<'a> {
    fn key(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { json: self.json.get(key).unwrap_or(&Json::Null), path }
    }

    fn misshapen(&self, expected: &'static str) -> Misshapen {
        let found: String = self.json.to_string().chars().take(60).collect();
        Misshapen { at: self.path.clone(), found, expected }
    }

    fn optional<T>(&self, read: impl Fn(&Self) -> Option<T>, expected: &'static str) -> Result<Option<T>, Misshapen> {
        if self.json.is_null() {
            return Ok(None);
        }
        read(self).map(Some).ok_or_else(|| self.misshapen(expected))
    }

    fn optional_string(&self) -> Result<Option<String>, Misshapen> {
        self.optional(|v| v.json.as_str().map(str::to_owned), "a string")
    }

    fn string(&self) -> Result<String, Misshapen> {
        self.optional_string()?.ok_or_else(|| self.misshapen("a string"))
    }

    fn integer(&self) -> Option<i64> {
        self.json.as_i64()
    }

    fn base64(&self) -> Result<Bytes, Misshapen> {
        BASE64.decode(self.string()?).map(Bytes::from).map_err(|_| self.misshapen("base64"))
    }

    fn entries(&self) -> Result<Vec<Self>, Misshapen> {
        let entries = self.json.as_array().ok_or_else(|| self.misshapen("an array"))?;
        Ok(entries
            .iter()
            .enumerate()
            .map(|(index, json)| Self { json, path: format!("{}[{index}]", self.path) })
            .collect())
    }

    /// `{"type", "value"}`.
    fn typed(&self) -> Result<Value, Misshapen> {
        let kind = self.key("type").string()?;
        let v = self.key("value");
        let number = || match v.json.as_str() {
            Some("NaN") => Some(f64::NAN),
            Some("Infinity") => Some(f64::INFINITY),
            Some("-Infinity") => Some(f64::NEG_INFINITY),
            _ => v.json.as_f64(),
        };
        let value = match kind.as_str() {
            "null" => Some(Value::Null),
            "boolean" => v.json.as_bool().map(Value::Boolean),
            "byte" => v.integer().and_then(|n| n.try_into().ok()).map(Value::Byte),
            "short" => v.integer().and_then(|n| n.try_into().ok()).map(Value::Short),
            "int" => v.integer().and_then(|n| n.try_into().ok()).map(Value::Int),
            "long" => v.integer().map(Value::Long),
            #[expect(clippy::cast_possible_truncation, reason = "a float was written, a float is read")]
            "float" => number().map(|n| Value::Float(n as f32)),
            "double" => number().map(Value::Double),
            "string" => v.json.as_str().map(|text| Value::String(text.to_owned())),
            "bytes" => return Ok(Value::Bytes(v.base64()?)),
            "char" => match v.json.as_str() {
                Some(text) => {
                    let mut units = text.encode_utf16();
                    units.next().filter(|_| units.next().is_none()).map(Value::Char)
                }
                None => v.integer().and_then(|n| n.try_into().ok()).map(Value::Char),
            },
            _ => return Err(self.key("type").misshapen("a type of JMS")),
        };
        value.ok_or_else(|| v.misshapen("a value of its type"))
    }

    fn body(&self) -> Result<Body, Misshapen> {
        if self.json.is_null() {
            return Ok(Body::Empty);
        }
        let entries = self.key("entries");
        Ok(match self.key("kind").string()?.as_str() {
            "empty" => Body::Empty,
            "text" => Body::Text(self.key("text").string()?),
            "bytes" => Body::Bytes(self.key("base64").base64()?),
            "object" => Body::Object(self.key("base64").base64()?),
            "stream" => Body::Stream(entries.entries()?.iter().map(At::typed).collect::<Result<_, _>>()?),
            "map" => {
                let entry = |at: &At<'_>| Ok(Entry { name: at.key("name").string()?, value: at.typed()? });
                Body::Map(entries.entries()?.iter().map(entry).collect::<Result<_, _>>()?)
            }
            _ => return Err(self.key("kind").misshapen("text, bytes, map, stream, object or empty")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Vec<Value> {
        vec![
            Value::Null,
            Value::Boolean(true),
            Value::Byte(-128),
            Value::Short(i16::MAX),
            Value::Int(i32::MIN),
            Value::Long(i64::MAX),
            Value::Float(1.1),
            Value::Float(f32::NEG_INFINITY),
            Value::Double(4.9e-324),
            Value::Double(f64::INFINITY),
            Value::String("é\u{1}".into()),
        ]
    }

    fn publication(body: Body) -> Publication {
        let properties =
            everything().into_iter().enumerate().map(|(n, value)| (format!("p{n}").into(), value)).collect();
        Publication {
            destination: Destination::Topic("t".into()),
            persistent: false,
            priority: 9,
            expires_at_ms: Some(1500),
            message_id: Some("ID:00".into()),
            correlation_id: None,
            reply_to: Some(Destination::Queue("MQ.QM1.R".into())),
            message_type: Some("mcd://mrm/a/b".into()),
            group_id: Some("g".into()),
            group_sequence: Some(-1),
            user_id: Some("u".into()),
            timestamp_ms: Some(7),
            properties,
            body,
        }
    }

    #[test]
    fn there_and_back() {
        let mut inside = everything();
        inside.extend([Value::Char(0xE9), Value::Char(0xD83D), Value::Bytes(Bytes::from_static(&[0, 255]))]);
        let entries = inside.iter().map(|value| Entry { name: "<x>".into(), value: value.clone() }).collect();
        for body in [
            Body::Empty,
            Body::Text("a\0".into()),
            Body::Bytes(Bytes::from_static(&[1])),
            Body::Object(Bytes::new()),
            Body::Stream(inside),
            Body::Map(entries),
        ] {
            let publication = publication(body);
            let json = to_json(&publication, 1000);
            let text = json.to_string();
            let back = serde_json::from_str(&text).expect("JSON");
            assert_eq!(from_json(&back, 1000), Ok(publication), "{text}");
        }
    }

    /// The keys that are promised, by their names.
    #[test]
    fn the_shape() {
        let json = to_json(&publication(Body::Bytes(Bytes::from_static(b"hi"))), 1000);
        assert_eq!(json["destination"], "topic://t");
        assert_eq!(json["expires_in_ms"], 500);
        assert_eq!(json["correlation_id"], Json::Null);
        assert_eq!(json["reply_to"], "queue://MQ.QM1.R");
        assert_eq!(json["type"], "mcd://mrm/a/b");
        assert_eq!(json["body"], json!({"kind": "bytes", "base64": "aGk="}));
        assert_eq!(json["properties"]["p6"], json!({"type": "float", "value": 1.1}));
        assert_eq!(json["properties"]["p7"], json!({"type": "float", "value": "-Infinity"}));
        assert_eq!(json["properties"]["p0"], json!({"type": "null", "value": null}));
    }

    #[test]
    fn misshapen_says_where() {
        for (json, at) in [
            (json!({}), "destination"),
            (json!({"destination": "q", "priority": 10}), "priority"),
            (json!({"destination": "q", "properties": {"a": {"type": "byte", "value": 200}}}), "properties.a.value"),
            (json!({"destination": "q", "properties": {"a": {"type": "list"}}}), "properties.a.type"),
            (json!({"destination": "q", "body": {"kind": "stream", "entries": [1]}}), "body.entries[0].type"),
            (json!([]), "destination"),
        ] {
            assert_eq!(from_json(&json, 0).map_err(|e| e.at).err().as_deref(), Some(at), "{json}");
        }
    }
}
