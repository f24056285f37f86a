//! One field of any type, big-endian (wire reference, openwire, "Framing and primitives").

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::error::{DecodeError, EncodeError, Problem};
use super::{Version, utf};

/// Structures within structures: brokers behind brokers, a message in a dispatch. Nothing real passes 4.
const DEEPEST: usize = 8;

/// Elements in all arrays of a frame, for three bytes can claim to be a structure that takes a hundred here.
const MOST_ELEMENTS: usize = 1 << 16;

/// Bytes being taken apart, and what they are called.
pub(super) struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
    depth: usize,
    /// Elements of arrays so far.
    elements: usize,
    /// What is being read, for errors.
    pub(super) structure: &'static str,
    /// The version that both sides agreed on.
    pub(super) version: Version,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a Bytes, structure: &'static str, version: Version) -> Self {
        Self { bytes, at: 0, depth: 0, elements: 0, structure, version }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn error(&self, field: &'static str, problem: Problem) -> DecodeError {
        self.error_at(field, self.at, problem)
    }

    /// An error about the byte that was read last.
    pub(super) fn error_before(&self, field: &'static str, bytes: usize, problem: Problem) -> DecodeError {
        self.error_at(field, self.at.saturating_sub(bytes), problem)
    }

    fn error_at(&self, field: &'static str, offset: usize, problem: Problem) -> DecodeError {
        DecodeError { structure: self.structure, field, offset, problem }
    }

    /// The next `length` bytes, not copied.
    pub(super) fn take(&mut self, field: &'static str, length: usize) -> Result<Bytes, DecodeError> {
        let from = self.at;
        self.skip(field, length)?;
        Ok(self.bytes.slice(from..self.at))
    }

    fn skip(&mut self, field: &'static str, length: usize) -> Result<(), DecodeError> {
        let left = self.left();
        if length > left {
            return Err(self.error(field, Problem::Truncated { needed: length, left }));
        }
        self.at += length;
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let bytes = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>).copied();
        self.skip(field, N)?;
        Ok(bytes.unwrap_or([0; N]))
    }

    /// A length of four bytes.
    pub(super) fn length(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let length = i32::read(self, field)?;
        usize::try_from(length).map_err(|_| self.error_before(field, 4, Problem::Negative(length)))
    }

    /// A string of `length` bytes.
    pub(super) fn text(&mut self, field: &'static str, length: usize) -> Result<String, DecodeError> {
        let from = self.at;
        self.skip(field, length)?;
        utf::decode(&self.bytes[from..self.at]).map_err(|at| self.error_at(field, from, Problem::NotText { at }))
    }

    /// A string behind a length of two bytes; the length has no sign.
    pub(super) fn short_text(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let length = u16::from_be_bytes(self.array(field)?);
        self.text(field, usize::from(length))
    }

    /// Reads something nested.
    pub(super) fn nested<T>(
        &mut self,
        field: &'static str,
        structure: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.depth == DEEPEST {
            return Err(self.error(field, Problem::TooDeep(DEEPEST)));
        }
        let outer = std::mem::replace(&mut self.structure, structure);
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        self.structure = outer;
        Ok(value)
    }

    /// Counts an element of an array.
    pub(super) fn one_more_element(&mut self, field: &'static str) -> Result<(), DecodeError> {
        self.elements += 1;
        if self.elements > MOST_ELEMENTS {
            return Err(self.error(field, Problem::TooMany(MOST_ELEMENTS)));
        }
        Ok(())
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.error("(end)", Problem::LeftOver(left))),
        }
    }
}

/// Bytes being put together.
pub(super) struct Writer<'a> {
    /// Where they go, behind what is there.
    pub(super) bytes: &'a mut BytesMut,
    /// The version that both sides agreed on.
    pub(super) version: Version,
}

impl Writer<'_> {
    /// A string behind a length of two bytes.
    pub(super) fn short_text(&mut self, field: &'static str, text: &str) -> Result<(), EncodeError> {
        self.short_bytes(field, &utf::encode(text))
    }

    /// Bytes behind a length of two bytes.
    pub(super) fn short_bytes(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
        let length = u16::try_from(bytes.len()).map_err(|_| EncodeError {
            field,
            length: bytes.len(),
            limit: usize::from(u16::MAX),
        })?;
        self.bytes.put_u16(length);
        self.bytes.put_slice(bytes);
        Ok(())
    }

    /// Bytes behind a length of four bytes.
    pub(super) fn long_bytes(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
        self.length(field, bytes.len())?;
        self.bytes.put_slice(bytes);
        Ok(())
    }

    /// A length of four bytes.
    pub(super) fn length(&mut self, field: &'static str, length: usize) -> Result<(), EncodeError> {
        let limit = i32::MAX as usize;
        let short = i32::try_from(length).map_err(|_| EncodeError { field, length, limit })?;
        self.bytes.put_i32(short);
        Ok(())
    }
}

/// A type that a field can have.
pub(super) trait Field: Sized {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError>;
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl Field for $number {
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(reader.array(field)?))
            }

            fn write(&self, writer: &mut Writer<'_>, _: &'static str) -> Result<(), EncodeError> {
                writer.bytes.put_slice(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

numbers!(u8 i8 u16 i16 i32 i64 f32 f64);

impl Field for bool {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        match u8::read(reader, field)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(reader.error_before(field, 1, Problem::NotBoolean(other))),
        }
    }

    fn write(&self, writer: &mut Writer<'_>, _: &'static str) -> Result<(), EncodeError> {
        writer.bytes.put_u8(u8::from(*self));
        Ok(())
    }
}

/// A field that may be null: one byte says whether it is there.
macro_rules! present_or_null {
    ($type:ty, $read:expr, $write:expr) => {
        impl Field for Option<$type> {
            fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
                if bool::read(reader, field)? { $read(reader, field).map(Some) } else { Ok(None) }
            }

            fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
                self.is_some().write(writer, field)?;
                self.as_ref().map_or(Ok(()), |value| $write(writer, field, value))
            }
        }
    };
}

present_or_null!(String, Reader::short_text, |writer: &mut Writer<'_>, field, text: &String| writer
    .short_text(field, text));
present_or_null!(
    Arc<str>,
    |reader: &mut Reader<'_>, field| reader.short_text(field).map(Arc::from),
    |writer: &mut Writer<'_>, field, text: &Arc<str>| writer.short_text(field, text)
);
present_or_null!(
    Bytes,
    |reader: &mut Reader<'_>, field| {
        let length = reader.length(field)?;
        reader.take(field, length)
    },
    |writer: &mut Writer<'_>, field, bytes: &Bytes| writer.long_bytes(field, bytes)
);

/// A string of an id. Java makes ids without one for messages whose id is a text alone: null and empty are the same.
impl Field for Arc<str> {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        Option::read(reader, field).map(|text| text.unwrap_or_else(|| Arc::from("")))
    }

    fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
        (!self.is_empty()).write(writer, field)?;
        if self.is_empty() { Ok(()) } else { writer.short_text(field, self) }
    }
}
