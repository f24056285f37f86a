//! How a publication lies in the store: one version byte, then its fields in order, integers little-endian.
//!
//! Text and byte arrays are their length (four bytes) and themselves, so a body costs what it measures. An
//! optional field is a byte 0, or a byte 1 and the field. Changing anything here needs a new [`VERSION`].

use bytes::{BufMut as _, Bytes};

use crate::mapping::{Body, Destination, Entry, PropertyMap, Publication, Value};

/// First byte of every stored publication.
const VERSION: u8 = 1;

/// Bytes in the store that are no publication.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored publication is malformed: {what} at offset {offset} of {length}")]
pub(super) struct Unreadable {
    what: &'static str,
    offset: usize,
    length: usize,
}

/// Bytes of a text from which on it is not copied.
const LONG: usize = 1 << 20;

/// The stored form of `publication`. No field may be longer than 2³²−1 bytes; the store's own bound is far below.
/// A long text becomes it without a second copy of it.
pub(in crate::target) fn encode(publication: Publication) -> Vec<u8> {
    let long_text = matches!(&publication.body, Body::Text(text) if text.len() >= LONG);
    let mut out = Vec::with_capacity(256 + if long_text { 0 } else { body_len(&publication.body) });
    out.put_u8(VERSION);
    put_text(&mut out, &publication.destination.to_string());
    out.put_u8(publication.persistent.into());
    out.put_u8(publication.priority);
    put_optional(&mut out, publication.expires_at_ms, |out, it| out.put_i64_le(it));
    put_optional(&mut out, publication.message_id.as_deref(), put_text);
    put_optional(&mut out, publication.correlation_id.as_deref(), put_text);
    put_optional(&mut out, publication.reply_to.as_ref(), |out, it| put_text(out, &it.to_string()));
    put_optional(&mut out, publication.message_type.as_deref(), put_text);
    put_optional(&mut out, publication.group_id.as_deref(), put_text);
    put_optional(&mut out, publication.group_sequence, |out, it| out.put_i32_le(it));
    put_optional(&mut out, publication.user_id.as_deref(), put_text);
    put_optional(&mut out, publication.timestamp_ms, |out, it| out.put_i64_le(it));
    put_len(&mut out, publication.properties.len());
    for (name, value) in &publication.properties {
        put_text(&mut out, name);
        put_value(&mut out, value);
    }
    match publication.body {
        Body::Empty => out.put_u8(0),
        Body::Text(text) if long_text => {
            out.put_u8(1);
            put_len(&mut out, text.len());
            let mut whole = text.into_bytes();
            whole.splice(..0, out);
            return whole;
        }
        Body::Text(ref text) => {
            out.put_u8(1);
            put_text(&mut out, text);
        }
        Body::Bytes(ref bytes) => {
            out.put_u8(2);
            put_bytes(&mut out, bytes);
        }
        Body::Map(ref entries) => {
            out.put_u8(3);
            put_len(&mut out, entries.len());
            for entry in entries {
                put_text(&mut out, &entry.name);
                put_value(&mut out, &entry.value);
            }
        }
        Body::Stream(ref values) => {
            out.put_u8(4);
            put_len(&mut out, values.len());
            values.iter().for_each(|value| put_value(&mut out, value));
        }
        Body::Object(ref bytes) => {
            out.put_u8(5);
            put_bytes(&mut out, bytes);
        }
    }
    out
}

fn body_len(body: &Body) -> usize {
    match body {
        Body::Text(text) => text.len(),
        Body::Bytes(bytes) | Body::Object(bytes) => bytes.len(),
        Body::Empty | Body::Map(_) | Body::Stream(_) => 0,
    }
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.put_u32_le(u32::try_from(len).expect("no field of a publication reaches 4 GiB"));
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

fn put_optional<T>(out: &mut Vec<u8>, field: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    match field {
        None => out.put_u8(0),
        Some(field) => {
            out.put_u8(1);
            put(out, field);
        }
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.put_u8(0),
        Value::Boolean(it) => out.extend([1, u8::from(*it)]),
        Value::Byte(it) => {
            out.put_u8(2);
            out.put_i8(*it);
        }
        Value::Short(it) => {
            out.put_u8(3);
            out.put_i16_le(*it);
        }
        Value::Int(it) => {
            out.put_u8(4);
            out.put_i32_le(*it);
        }
        Value::Long(it) => {
            out.put_u8(5);
            out.put_i64_le(*it);
        }
        Value::Float(it) => {
            out.put_u8(6);
            out.put_u32_le(it.to_bits());
        }
        Value::Double(it) => {
            out.put_u8(7);
            out.put_u64_le(it.to_bits());
        }
        Value::Char(it) => {
            out.put_u8(8);
            out.put_u16_le(*it);
        }
        Value::String(it) => {
            out.put_u8(9);
            put_text(out, it);
        }
        Value::Bytes(it) => {
            out.put_u8(10);
            put_bytes(out, it);
        }
    }
}

/// Reads a publication back; byte arrays in it are slices of `bytes`.
///
/// # Errors
/// When the bytes are not what [`encode`] writes, to the last one.
pub(super) fn decode(bytes: &Bytes) -> Result<Publication, Unreadable> {
    let mut from = Reader { bytes, at: 0 };
    if from.u8("version")? != VERSION {
        return Err(Unreadable { what: "unknown version", offset: 0, length: bytes.len() });
    }
    let publication = Publication {
        destination: from.destination("destination")?,
        persistent: from.boolean("persistent")?,
        priority: from.u8("priority")?,
        expires_at_ms: from.optional("expires", Reader::i64)?,
        message_id: from.optional("message id", Reader::text)?,
        correlation_id: from.optional("correlation id", Reader::text)?,
        reply_to: from.optional("reply to", Reader::destination)?,
        message_type: from.optional("type", Reader::text)?,
        group_id: from.optional("group id", Reader::text)?,
        group_sequence: from.optional("group sequence", Reader::i32)?,
        user_id: from.optional("user id", Reader::text)?,
        timestamp_ms: from.optional("timestamp", Reader::i64)?,
        properties: from.properties()?,
        body: from.body()?,
    };
    if from.at == bytes.len() { Ok(publication) } else { Err(from.wrong("bytes after the body")) }
}

/// Where in the bytes we are.
struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &'static str) -> Unreadable {
        Unreadable { what, offset: self.at, length: self.bytes.len() }
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Unreadable> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).copied();
        let found = found.ok_or_else(|| self.wrong(what))?;
        self.at += N;
        Ok(found)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, Unreadable> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, Unreadable> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn i32(&mut self, what: &'static str) -> Result<i32, Unreadable> {
        self.array(what).map(i32::from_le_bytes)
    }

    fn i64(&mut self, what: &'static str) -> Result<i64, Unreadable> {
        self.array(what).map(i64::from_le_bytes)
    }

    fn boolean(&mut self, what: &'static str) -> Result<bool, Unreadable> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wrong(what)),
        }
    }

    fn byte_array(&mut self, what: &'static str) -> Result<Bytes, Unreadable> {
        let length = self.u32(what)? as usize;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or_else(|| self.wrong(what))?;
        let found = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(found)
    }

    fn text(&mut self, what: &'static str) -> Result<String, Unreadable> {
        let bytes = self.byte_array(what)?;
        String::from_utf8(bytes.into()).map_err(|_| self.wrong(what))
    }

    fn destination(&mut self, what: &'static str) -> Result<Destination, Unreadable> {
        self.text(what)?.parse().map_err(|_| self.wrong(what))
    }

    fn optional<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        if self.boolean(what)? { read(self, what).map(Some) } else { Ok(None) }
    }

    fn properties(&mut self) -> Result<PropertyMap, Unreadable> {
        let count = self.u32("number of properties")?;
        (0..count).map(|_| Ok((self.text("property name")?.into(), self.value()?))).collect()
    }

    fn body(&mut self) -> Result<Body, Unreadable> {
        Ok(match self.u8("body kind")? {
            0 => Body::Empty,
            1 => Body::Text(self.text("text body")?),
            2 => Body::Bytes(self.byte_array("bytes body")?),
            3 => {
                let count = self.u32("number of entries")?;
                let entry = |_| Ok(Entry { name: self.text("entry name")?, value: self.value()? });
                Body::Map((0..count).map(entry).collect::<Result<_, Unreadable>>()?)
            }
            4 => {
                let count = self.u32("number of items")?;
                Body::Stream((0..count).map(|_| self.value()).collect::<Result<_, Unreadable>>()?)
            }
            5 => Body::Object(self.byte_array("object body")?),
            _ => return Err(self.wrong("body kind")),
        })
    }

    fn value(&mut self) -> Result<Value, Unreadable> {
        Ok(match self.u8("value type")? {
            0 => Value::Null,
            1 => Value::Boolean(self.boolean("boolean")?),
            2 => Value::Byte(i8::from_le_bytes(self.array("byte")?)),
            3 => Value::Short(i16::from_le_bytes(self.array("short")?)),
            4 => Value::Int(self.i32("int")?),
            5 => Value::Long(self.i64("long")?),
            6 => Value::Float(f32::from_bits(self.u32("float")?)),
            7 => Value::Double(f64::from_bits(u64::from_le_bytes(self.array("double")?))),
            8 => Value::Char(u16::from_le_bytes(self.array("char")?)),
            9 => Value::String(self.text("string")?),
            10 => Value::Bytes(self.byte_array("bytes")?),
            _ => return Err(self.wrong("value type")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full(body: Body) -> Publication {
        Publication {
            destination: Destination::Queue("ORDERS.IN".into()),
            persistent: true,
            priority: 9,
            expires_at_ms: Some(-1),
            message_id: Some("ID:00".into()),
            correlation_id: Some(String::new()),
            reply_to: Some(Destination::TempQueue("x:1".into())),
            message_type: Some("étoile".into()),
            group_id: Some("g".into()),
            group_sequence: Some(i32::MIN),
            user_id: Some("mqm".into()),
            timestamp_ms: Some(i64::MAX),
            properties: values().into_iter().enumerate().map(|(n, value)| (format!("p{n}").into(), value)).collect(),
            body,
        }
    }

    fn values() -> Vec<Value> {
        vec![
            Value::Null,
            Value::Boolean(true),
            Value::Byte(-128),
            Value::Short(-2),
            Value::Int(7),
            Value::Long(i64::MIN),
            Value::Float(f32::NEG_INFINITY),
            Value::Double(-0.0),
            Value::Char(0xD800),
            Value::String("a\0€".into()),
            Value::Bytes(Bytes::from_static(&[0, 255])),
        ]
    }

    fn bodies() -> Vec<Body> {
        vec![
            Body::Empty,
            Body::Text("héllo".into()),
            Body::Bytes(Bytes::from(vec![0xAA; 3000])),
            Body::Map(values().into_iter().map(|value| Entry { name: "n".into(), value }).collect()),
            Body::Stream(values()),
            Body::Object(Bytes::from_static(b"\xac\xed\0\x05")),
        ]
    }

    #[test]
    fn a_long_text_reads_as_a_short_one() {
        let texts = ["x".repeat(LONG - 1), "é".repeat(LONG / 2), "x".repeat(LONG + 1)];
        for text in texts {
            let publication = full(Body::Text(text));
            assert_eq!(decode(&Bytes::from(encode(publication.clone()))), Ok(publication));
        }
    }

    #[test]
    fn everything_reads_back_and_nothing_shorter_does() {
        for body in bodies() {
            let publication = full(body);
            let bytes = Bytes::from(encode(publication.clone()));
            assert_eq!(decode(&bytes), Ok(publication));
            for end in 0..bytes.len().min(600) {
                assert!(decode(&bytes.slice(..end)).is_err(), "cut at {end}");
            }
            let longer: Bytes = bytes.iter().copied().chain([0]).collect();
            assert!(decode(&longer).is_err());
        }
    }

    /// What lies in stores today must stay readable: bytes written by hand.
    #[test]
    fn the_form_on_disk_is_as_described() {
        let by_hand =
            b"\x01\x09\0\0\0queue://Q\x01\x04\0\x01\x02\0\0\0ID\0\0\0\0\0\0\0\0\0\0\0\x02\x03\0\0\0\x00\x80\xff";
        let publication = decode(&Bytes::from_static(by_hand)).unwrap();
        assert_eq!(publication.destination, Destination::Queue("Q".into()));
        assert_eq!(publication.message_id.as_deref(), Some("ID"));
        assert_eq!(publication.body, Body::Bytes(Bytes::from_static(&[0, 0x80, 0xff])));
        assert_eq!(encode(publication), by_hand);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0usize..600, byte: u8) {
            let _ = decode(&Bytes::from(bytes));
            for body in bodies() {
                let mut spoiled = encode(full(body));
                if let Some(there) = spoiled.get_mut(at) {
                    *there = byte;
                }
                let _ = decode(&Bytes::from(spoiled));
            }
        }
    }
}
