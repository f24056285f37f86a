//! The JSON object of `explain --json`; its shape is a promise.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::super::folders::{self, Folder, MAX_ELEMENTS};
use super::super::markup::Element;
use super::super::{Value, id, shape, typed};
use super::{Explained, notes};
use crate::message::{FieldValue, Header};

/// The object: `file`, `headers`, `body`, `publication`, `notes`.
pub fn to_json(explained: &Explained, file: &str, now_ms: i64) -> Json {
    let body = &explained.envelope.body;
    let publication = explained.publication().map(|publication| {
        let mut json = shape::to_json(publication, now_ms);
        if let (false, Some(destination)) = (explained.has_destination, json.get_mut("destination")) {
            *destination = Json::Null;
        }
        json
    });
    json!({
        "file": file,
        "headers": headers(explained),
        "body": {
            "offset": body.offset,
            "length": body.len(),
            "format": body.format,
            "ccsid": body.ccsid,
            "encoding": body.encoding,
        },
        "publication": publication,
        "notes": notes(explained),
    })
}

fn headers(explained: &Explained) -> Vec<Json> {
    let envelope = &explained.envelope;
    let mut budget = MAX_ELEMENTS;
    explained
        .structures()
        .into_iter()
        .map(|structure| {
            let fields: Map<_, _> =
                structure.fields.into_iter().map(|(name, value)| (name.to_owned(), field(value))).collect();
            let mut json = json!({
                "structure": structure.name,
                "offset": structure.offset,
                "length": structure.length,
                "fields": fields,
            });
            let placed = envelope.chain.iter().find(|placed| placed.offset == structure.offset);
            if let Some((Header::Rfh2(rfh2), coding)) = placed.map(|placed| (&placed.header, placed.coding)) {
                let texts: Vec<_> =
                    rfh2.folders.iter().map(|bytes| folders::text(rfh2, bytes, coding.byte_order)).collect();
                json["folders"] = folders_json(&folders::read(&texts, &mut budget));
            }
            json
        })
        .collect()
}

fn field(value: FieldValue) -> Json {
    match value {
        FieldValue::Int(value) => json!(value),
        FieldValue::Text(text) => json!(text),
        FieldValue::Bytes(bytes) => json!(id::hex(&bytes)),
    }
}

fn folders_json(folders: &[Folder<'_>]) -> Json {
    let mut object = Numbered::default();
    for folder in folders {
        let content = match &folder.content {
            Ok(root) => elements(&root.children),
            Err(_) => json!(folder.text),
        };
        object.insert(folder.name, content);
    }
    Json::Object(object.map)
}

/// `{"name": {"type", "value"}}`; an element of elements has the type `folder`, and the second of a name is `name#2`.
fn elements(elements: &[Element<'_>]) -> Json {
    let mut object = Numbered::default();
    for element in elements {
        object.insert(element.name, typed_json(element));
    }
    Json::Object(object.map)
}

fn typed_json(element: &Element<'_>) -> Json {
    if !element.children.is_empty() {
        return json!({"type": "folder", "value": elements(&element.children)});
    }
    let text = || json!(element.text);
    let value = match typed::value(element) {
        Ok(Value::Null) => Json::Null,
        Ok(Value::Boolean(v)) => json!(v),
        Ok(Value::Byte(v)) => json!(v),
        Ok(Value::Short(v)) => json!(v),
        Ok(Value::Int(v)) => json!(v),
        Ok(Value::Long(v)) => json!(v),
        // As it stands there, unless JSON has no such number.
        Ok(Value::Float(v)) if v.is_finite() => {
            element.text.trim().parse::<f64>().map_or_else(|_| text(), |n| json!(n))
        }
        Ok(Value::Double(v)) if v.is_finite() => json!(v),
        Ok(_) | Err(_) => text(),
    };
    json!({"type": typed::kind(element), "value": value})
}

/// An object in which a second entry of a name gets a number.
#[derive(Default)]
struct Numbered {
    map: Map<String, Json>,
    seen: HashMap<String, usize>,
}

impl Numbered {
    fn insert(&mut self, name: &str, value: Json) {
        let number = self.seen.entry(name.to_owned()).and_modify(|n| *n += 1).or_insert(1);
        let key = if *number == 1 { name.to_owned() } else { format!("{name}#{number}") };
        self.map.insert(key, value);
    }
}
