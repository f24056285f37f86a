//! Maps and lists within properties and bodies, which JMS does not have and ActiveMQ allows: they travel as JSON text, and a property
//! tells which (mapping rules, section 8).

use std::collections::HashSet;

use serde_json::Value as Json;

use super::properties::listed_name;
use super::{PropertyMap, Value};

/// Names of properties that are a map or a list, as JSON text; with blanks between.
pub const PROPERTIES: &str = "MQFERRY_json";
/// Names of a map's entries, or numbers of a stream's items from 0, that are a map or a list, as JSON text; with blanks between.
pub const IN_BODY: &str = "MQFERRY_json_body";
/// Maps and lists within each other; deeper ones stay text.
const DEEPEST: usize = 30;

/// Lists these names under `marker`; none of them: nothing is set.
pub fn mark<'a>(properties: &mut PropertyMap, marker: &'static str, names: impl Iterator<Item = &'a str>) {
    let names: Vec<_> = names.map(listed_name).collect();
    if !names.is_empty() {
        properties.insert(marker.into(), Value::String(names.join(" ")));
    }
}

/// The names listed under `marker`.
pub fn marked(properties: &PropertyMap, marker: &str) -> HashSet<String> {
    match properties.get(marker) {
        Some(Value::String(names)) => names.split(' ').map(str::to_owned).collect(),
        _ => HashSet::new(),
    }
}

/// The map or list that a listed value holds as text; none for a name that is not listed, and for other text.
pub fn read(listed: &HashSet<String>, name: &str, value: &Value) -> Option<Json> {
    let Value::String(text) = value else { return None };
    if !listed.contains(listed_name(name).as_ref()) {
        return None;
    }
    let json = serde_json::from_str::<Json>(text).ok()?;
    ((json.is_array() || json.is_object()) && depth(&json) <= DEEPEST).then_some(json)
}

/// Bounded by what the parser takes.
fn depth(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A number with its fraction; what JSON has no number for is text, as `explain` writes it.
pub fn float(value: f64) -> Json {
    match value {
        _ if value.is_nan() => Json::from("NaN"),
        f64::INFINITY => Json::from("Infinity"),
        f64::NEG_INFINITY => Json::from("-Infinity"),
        finite => Json::from(finite),
    }
}

/// The same of a float: by way of its shortest text, for 1.1 shall not read 1.100000023841858.
pub fn short_float(value: f32) -> Json {
    float(value.to_string().parse().unwrap_or(f64::from(value)))
}

/// What a person should know of a message of the broker's side that has such values.
pub(super) fn note(properties: &PropertyMap) -> impl Iterator<Item = String> {
    let told = [(PROPERTIES, "properties"), (IN_BODY, "entries or items of the body")];
    told.into_iter().filter_map(|(marker, what)| match properties.get(marker) {
        Some(Value::String(names)) => {
            let names: String = names.chars().take(200).collect();
            Some(format!(
                "{what} that are maps or lists go as JSON text: {names}; of the types inside, JSON knows text, number, truth and null"
            ))
        }
        _ => None,
    })
}
