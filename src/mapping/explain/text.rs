//! The same for a person's eyes.

use std::fmt::Write;

use serde_json::Value as Json;

use super::{Explained, notes, to_json};
use crate::mapping::{Body, Publication, Value, id, reason};
use crate::message::FieldValue;

/// Characters of a value or lines of a body that are shown.
const SHOWN_CHARACTERS: usize = 2000;
const SHOWN_BYTES: usize = 256;

/// Headers field by field, folders, body, publication, notes; for a screen, so control characters are escaped.
pub fn to_text(explained: &Explained, file: &str, now_ms: i64) -> String {
    let mut out = String::new();
    let envelope = &explained.envelope;
    let _ = writeln!(out, "{file}: {} bytes", envelope.len());
    // The folders come from the JSON form, so that both show the same.
    let json = to_json(explained, file, now_ms);
    let folders = |index: usize| json.get("headers")?.get(index)?.get("folders")?.as_object().cloned();
    for (index, structure) in explained.structures().into_iter().enumerate() {
        heading(&mut out, &format!("{} at {}, {} bytes", structure.name, structure.offset, structure.length));
        let rows = structure.fields.iter().map(|(name, value)| ((*name).to_owned(), field(name, value))).collect();
        table(&mut out, 2, rows);
        for (name, content) in folders(index).unwrap_or_default() {
            folder(&mut out, 2, &name, &content);
        }
    }
    let body = &envelope.body;
    let format = if body.format.is_empty() { "blank" } else { &body.format };
    let about = format!("format {format}, CCSID {}, encoding {}", body.ccsid, body.encoding);
    heading(&mut out, &format!("Body at {}, {} bytes: {about}", body.offset, body.len()));
    match explained.publication() {
        Some(shown) => publication(&mut out, shown, explained.has_destination, now_ms),
        None => heading(&mut out, "No publication"),
    }
    let notes = notes(explained);
    if !notes.is_empty() {
        heading(&mut out, "Notes");
        for note in notes {
            let _ = writeln!(out, "  - {}", printable(&note));
        }
    }
    out
}

fn heading(out: &mut String, text: &str) {
    let _ = writeln!(out, "\n{}", printable(text));
}

/// Two columns, the second aligned.
fn table(out: &mut String, indent: usize, rows: Vec<(String, String)>) {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(40);
    for (name, value) in rows {
        let line = format!("{:indent$}{name:width$}  {value}", "");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn field(name: &str, value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) => printable(text),
        FieldValue::Bytes(bytes) => id::hex(bytes),
        FieldValue::Int(value) => match meaning(name, *value) {
            Some(meaning) => format!("{value} ({meaning})"),
            None => value.to_string(),
        },
    }
}

/// What a number means, where a person would have to look it up.
fn meaning(field: &str, value: i32) -> Option<String> {
    let text = match (field, value) {
        ("MsgType", 1) => "request",
        ("MsgType", 2) => "reply",
        ("MsgType", 4) => "report",
        ("MsgType", 8) => "datagram",
        ("Expiry", -1) => "never",
        ("Expiry", tenths) => return Some(format!("{} s", f64::from(tenths) / 10.0)),
        ("Persistence", 0) => "no",
        ("Persistence", 1) => "yes",
        ("Feedback" | "Reason", 1..) => reason::name(value),
        ("Report" | "MsgFlags", bits) if bits != 0 => return Some(format!("{value:#x}")),
        _ => return None,
    };
    Some(text.to_owned())
}

fn folder(out: &mut String, indent: usize, name: &str, content: &Json) {
    let _ = writeln!(out, "{:indent$}folder {}", "", printable(name));
    let Some(elements) = content.as_object() else {
        let _ = writeln!(out, "{:indent$}  {}", "", printable(content.as_str().unwrap_or_default()));
        return;
    };
    let mut rows = Vec::new();
    for (name, element) in elements {
        let kind = element.get("type").and_then(Json::as_str).unwrap_or_default();
        match element.get("value") {
            Some(inside @ Json::Object(_)) => folder(out, indent + 2, name, inside),
            Some(Json::String(text)) => rows.push((printable(name), format!("{kind:8}  {}", printable(text)))),
            Some(other) => rows.push((printable(name), format!("{kind:8}  {other}"))),
            None => {}
        }
    }
    table(out, indent + 2, rows);
}

fn publication(out: &mut String, publication: &Publication, has_destination: bool, now_ms: i64) {
    let to = if has_destination { publication.destination.to_string() } else { "(not known)".to_owned() };
    heading(out, &format!("Publication to {to}"));
    let mut rows = vec![
        ("persistent", if publication.persistent { "yes" } else { "no" }.to_owned()),
        ("priority", publication.priority.to_string()),
        (
            "expires",
            match publication.expires_at_ms {
                None => "never".to_owned(),
                Some(at) => format!("in {} ms", at.saturating_sub(now_ms)),
            },
        ),
    ];
    let reply_to = publication.reply_to.as_ref().map(ToString::to_string);
    let numbers =
        [publication.group_sequence.map(|n| n.to_string()), publication.timestamp_ms.map(|ms| ms.to_string())];
    let [group_sequence, timestamp] = numbers;
    for (name, value) in [
        ("message id", publication.message_id.clone()),
        ("correlation id", publication.correlation_id.clone()),
        ("reply to", reply_to),
        ("type", publication.message_type.clone()),
        ("group", publication.group_id.clone()),
        ("group sequence", group_sequence),
        ("user", publication.user_id.clone()),
        ("timestamp, ms", timestamp),
    ] {
        rows.extend(value.map(|value| (name, printable(&value))));
    }
    table(out, 2, rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let _ = writeln!(out, "  properties");
    let properties = publication.properties.iter().map(|(name, value)| (printable(name), typed(value))).collect();
    table(out, 4, properties);
    body(out, &publication.body);
}

fn typed(value: &Value) -> String {
    let (kind, value) = match value {
        Value::Null => ("null", String::new()),
        Value::Boolean(v) => ("boolean", v.to_string()),
        Value::Byte(v) => ("byte", v.to_string()),
        Value::Short(v) => ("short", v.to_string()),
        Value::Int(v) => ("int", v.to_string()),
        Value::Long(v) => ("long", v.to_string()),
        Value::Float(v) => ("float", format!("{v:?}")),
        Value::Double(v) => ("double", format!("{v:?}")),
        Value::Char(v) => {
            ("char", char::from_u32(u32::from(*v)).map_or(format!("{v:#06x}"), |c| printable(&c.to_string())))
        }
        Value::String(v) => ("string", printable(v)),
        Value::Bytes(v) => ("bytes", id::hex(v.get(..SHOWN_BYTES).unwrap_or(v))),
    };
    format!("{kind:7}  {value}")
}

fn body(out: &mut String, body: &Body) {
    match body {
        Body::Empty => out.push_str("  no body\n"),
        Body::Text(text) => {
            let _ = writeln!(out, "  text, {} characters", text.chars().count());
            for line in printable_lines(text) {
                let _ = writeln!(out, "    {line}");
            }
        }
        Body::Bytes(bytes) => dump(out, "bytes", bytes),
        Body::Object(bytes) => dump(out, "serialised Java object", bytes),
        Body::Map(entries) => {
            let _ = writeln!(out, "  map, {} entries", entries.len());
            table(out, 4, entries.iter().map(|entry| (printable(&entry.name), typed(&entry.value))).collect());
        }
        Body::Stream(values) => {
            let _ = writeln!(out, "  stream, {} items", values.len());
            table(out, 4, values.iter().enumerate().map(|(n, value)| (n.to_string(), typed(value))).collect());
        }
    }
}

/// Offset, hex digits and ASCII, sixteen bytes a line.
fn dump(out: &mut String, what: &str, bytes: &[u8]) {
    let _ = writeln!(out, "  {what}, {} bytes", bytes.len());
    for (line, chunk) in bytes.chunks(16).take(SHOWN_BYTES / 16).enumerate() {
        let digits = chunk.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x} "));
        let ascii: String = chunk.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
        let _ = writeln!(out, "    {:06x}  {digits:48} {ascii}", line * 16);
    }
    if bytes.len() > SHOWN_BYTES {
        let _ = writeln!(out, "    ... {} bytes more", bytes.len() - SHOWN_BYTES);
    }
}

/// Text without characters that would move a cursor or colour a screen, cut where it is very long.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(SHOWN_CHARACTERS));
    for c in text.chars().take(SHOWN_CHARACTERS) {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    let more = text.chars().count().saturating_sub(SHOWN_CHARACTERS);
    if more > 0 {
        let _ = write!(shown, " ... {more} characters more");
    }
    shown
}

fn printable_lines(text: &str) -> Vec<String> {
    let cut: String = text.chars().take(SHOWN_CHARACTERS).collect();
    let mut lines: Vec<_> = cut.lines().map(printable).collect();
    let more = text.chars().count().saturating_sub(SHOWN_CHARACTERS);
    if more > 0 {
        lines.push(format!("... {more} characters more"));
    }
    lines
}
