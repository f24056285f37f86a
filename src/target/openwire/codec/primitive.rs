//! Typed values, as properties, map bodies, stream bodies and the handshake's options hold them: a type byte, then the
//! value.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::error::{DecodeError, EncodeError, Problem};
use super::field::{Field, Reader, Writer};
use super::{Version, utf};

/// Values of one map, list or stream, those of nested ones included.
const MOST_VALUES: usize = 1 << 20;
/// Options in a handshake; ActiveMQ's client takes as many.
const MOST_OPTIONS: usize = 4096;
/// Maps and lists within each other.
const DEEPEST: usize = 32;
/// From this many UTF-16 units on ActiveMQ's client writes a string as a long one; so do we.
const LONG_STRING: usize = i16::MAX as usize / 4;

/// A value with its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Primitive {
    /// 0
    Null,
    /// 1
    Boolean(bool),
    /// 2
    Byte(i8),
    /// 3, one UTF-16 unit.
    Char(u16),
    /// 4
    Short(i16),
    /// 5
    Int(i32),
    /// 6
    Long(i64),
    /// 7
    Double(f64),
    /// 8
    Float(f32),
    /// 9, or 13 for a long one.
    String(String),
    /// 10
    Bytes(Bytes),
    /// 11
    Map(PrimitiveMap),
    /// 12
    List(Vec<Primitive>),
}

/// Named values in the order in which they came; ActiveMQ gives the order no meaning. A name that comes twice is there
/// twice, and the last one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrimitiveMap(pub Vec<(String, Primitive)>);

impl PrimitiveMap {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Primitive> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Reads a map that stands alone, as properties and map bodies do. Null (count -1) is an empty one.
    ///
    /// # Errors
    /// When the bytes are no such map; offsets count from its first byte.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        Self::decode_up_to(MOST_VALUES, bytes)
    }

    fn decode_up_to(most: usize, bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, "primitive map", Version::NEWEST);
        let map = Values { left: most, most, depth: 0 }.map(&mut reader, "map")?;
        reader.end()?;
        Ok(map)
    }

    /// Writes it.
    ///
    /// # Errors
    /// When a name or value is too long for its length field.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut bytes = BytesMut::new();
        self.write_map(&mut Writer { bytes: &mut bytes, version: Version::NEWEST })?;
        Ok(bytes.freeze())
    }

    fn write_map(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.length("map", self.0.len())?;
        for (name, value) in &self.0 {
            writer.short_text("map key", name)?;
            value.write_to(writer, Strings::Plain)?;
        }
        Ok(())
    }
}

/// As a field: null or bytes that hold a map.
impl Field for PrimitiveMap {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let bytes = Option::<Bytes>::read(reader, field)?;
        bytes.map_or(Ok(Self::default()), |bytes| Self::decode_up_to(MOST_OPTIONS, &bytes))
    }

    fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
        Some(self.encode()?).write(writer, field)
    }
}

/// How string values are written. ActiveMQ's client, and with it the broker's AMQP connector, reads those of properties
/// and map bodies as plain UTF-8, although it writes them as modified: a NUL, or a character beyond the BMP, is spoiled on
/// the way, and an AMQP reader never gets the message. Plain UTF-8 arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strings {
    /// In maps.
    Plain,
    /// In streams.
    Modified,
}

impl Strings {
    fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Plain => Cow::Borrowed(text.as_bytes()),
            Self::Modified => utf::encode(text),
        }
    }
}

impl Primitive {
    /// Reads values one behind the other to the end, as a stream body holds them.
    ///
    /// # Errors
    /// When the bytes are no such values; offsets count from the first byte.
    pub(super) fn decode_all(bytes: &Bytes) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(bytes, "stream", Version::NEWEST);
        let mut values = Values { left: MOST_VALUES, most: MOST_VALUES, depth: 0 };
        let mut items = Vec::new();
        while reader.left() > 0 {
            items.push(values.one(&mut reader, "stream item")?);
        }
        Ok(items)
    }

    /// Writes it with its type byte.
    pub(super) fn write_to(&self, writer: &mut Writer<'_>, strings: Strings) -> Result<(), EncodeError> {
        const FIELD: &str = "value";
        writer.bytes.put_u8(self.type_byte());
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => value.write(writer, FIELD),
            Self::Byte(value) => value.write(writer, FIELD),
            Self::Char(value) => value.write(writer, FIELD),
            Self::Short(value) => value.write(writer, FIELD),
            Self::Int(value) => value.write(writer, FIELD),
            Self::Long(value) => value.write(writer, FIELD),
            Self::Double(value) => value.write(writer, FIELD),
            Self::Float(value) => value.write(writer, FIELD),
            Self::String(text) if is_long(text) => writer.long_bytes(FIELD, &strings.encode(text)),
            Self::String(text) => writer.short_bytes(FIELD, &strings.encode(text)),
            Self::Bytes(bytes) => writer.long_bytes(FIELD, bytes),
            Self::Map(map) => map.write_map(writer),
            Self::List(items) => {
                writer.length(FIELD, items.len())?;
                items.iter().try_for_each(|item| item.write_to(writer, strings))
            }
        }
    }

    fn type_byte(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Boolean(_) => 1,
            Self::Byte(_) => 2,
            Self::Char(_) => 3,
            Self::Short(_) => 4,
            Self::Int(_) => 5,
            Self::Long(_) => 6,
            Self::Double(_) => 7,
            Self::Float(_) => 8,
            Self::String(text) => 9 + 4 * u8::from(is_long(text)),
            Self::Bytes(_) => 10,
            Self::Map(_) => 11,
            Self::List(_) => 12,
        }
    }
}

fn is_long(text: &str) -> bool {
    text.len() >= LONG_STRING && text.encode_utf16().count() >= LONG_STRING
}

/// How many values may still come, of how many, and how deep we are.
struct Values {
    left: usize,
    most: usize,
    depth: usize,
}

impl Values {
    fn one(&mut self, reader: &mut Reader<'_>, field: &'static str) -> Result<Primitive, DecodeError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| reader.error(field, Problem::TooMany(self.most)))?;
        Ok(match u8::read(reader, field)? {
            0 => Primitive::Null,
            1 => Primitive::Boolean(bool::read(reader, field)?),
            2 => Primitive::Byte(i8::read(reader, field)?),
            3 => Primitive::Char(u16::read(reader, field)?),
            4 => Primitive::Short(i16::read(reader, field)?),
            5 => Primitive::Int(i32::read(reader, field)?),
            6 => Primitive::Long(i64::read(reader, field)?),
            7 => Primitive::Double(f64::read(reader, field)?),
            8 => Primitive::Float(f32::read(reader, field)?),
            9 => Primitive::String(reader.short_text(field)?),
            10 => {
                let length = reader.length(field)?;
                Primitive::Bytes(reader.take(field, length)?)
            }
            11 => Primitive::Map(self.deeper(reader, field, Self::map)?),
            12 => Primitive::List(self.deeper(reader, field, Self::list)?),
            13 => {
                let length = reader.length(field)?;
                Primitive::String(reader.text(field, length)?)
            }
            other => return Err(reader.error_before(field, 1, Problem::UnknownValue(other))),
        })
    }

    fn deeper<T>(
        &mut self,
        reader: &mut Reader<'_>,
        field: &'static str,
        read: fn(&mut Self, &mut Reader<'_>, &'static str) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.depth == DEEPEST {
            return Err(reader.error(field, Problem::TooDeep(DEEPEST)));
        }
        self.depth += 1;
        let value = read(self, reader, field)?;
        self.depth -= 1;
        Ok(value)
    }

    fn map(&mut self, reader: &mut Reader<'_>, field: &'static str) -> Result<PrimitiveMap, DecodeError> {
        let mut entries = Vec::new();
        for _ in 0..Self::count(reader, field)? {
            let name = reader.short_text("map key")?;
            entries.push((name, self.one(reader, field)?));
        }
        Ok(PrimitiveMap(entries))
    }

    fn list(&mut self, reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<Primitive>, DecodeError> {
        let mut items = Vec::new();
        for _ in 0..Self::count(reader, field)? {
            items.push(self.one(reader, field)?);
        }
        Ok(items)
    }

    /// Elements of a map or list; -1 stands for null. Nothing is reserved by it: each element has to be there first.
    fn count(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
        match i32::read(reader, field)? {
            -1 => Ok(0),
            count => usize::try_from(count).map_err(|_| reader.error_before(field, 4, Problem::Negative(count))),
        }
    }
}
