//! Fields in order, from which parsing, emission and display follow.

use bytes::Bytes;

use crate::wire::{Alphabet, ByteOrder, Malformed};

use super::chars::ebcdic;
use super::{Chars, Coding};

/// A field's value for people and scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// MQLONG.
    Int(i32),
    /// MQCHARn, without trailing blanks and NULs.
    Text(String),
    /// MQBYTEn.
    Bytes(Bytes),
}

/// Fields in the order in which they lie, under IBM's names.
pub(super) type Fields = Vec<(&'static str, FieldValue)>;

/// Reads one structure field by field, and knows where it is.
pub(super) struct Reader<'a> {
    pub(super) structure: &'static str,
    bytes: &'a [u8],
    at: usize,
    pub(super) byte_order: ByteOrder,
}

impl<'a> Reader<'a> {
    pub(super) fn new(structure: &'static str, bytes: &'a [u8], byte_order: ByteOrder) -> Self {
        Self { structure, bytes, at: 0, byte_order }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next `N` bytes.
    pub(super) fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.first_chunk::<N>() else {
            let expected = format!("{N} bytes");
            return Err(self.malformed(field, self.at, expected, format!("the end after {}", rest.len())));
        };
        self.at += N;
        Ok(*taken)
    }

    /// The eye-catcher, in either alphabet.
    pub(super) fn eye(&mut self, eye: &'static str) -> Result<Alphabet, Malformed> {
        let found: [u8; 4] = self.take("StrucId")?;
        let ascii = eye.as_bytes();
        if found == *ascii {
            Ok(Alphabet::Ascii)
        } else if found.iter().copied().eq(ascii.iter().copied().map(ebcdic)) {
            Ok(Alphabet::Ebcdic)
        } else {
            let expected = format!("\"{eye}\" in ASCII or EBCDIC");
            let found = found.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
            Err(self.malformed("StrucId", self.at - 4, expected, found))
        }
    }

    /// An integer that has to be one of a few.
    pub(super) fn one_of(&mut self, field: &'static str, allowed: &[i32]) -> Result<i32, Malformed> {
        let value = i32::read(self, field)?;
        if allowed.contains(&value) {
            return Ok(value);
        }
        let expected = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        Err(self.malformed(field, self.at - 4, expected, value.to_string()))
    }

    /// StrucLength, which must cover `minimum` bytes and no more than there are.
    pub(super) fn struc_length(&mut self, minimum: usize) -> Result<usize, Malformed> {
        let length = i32::read(self, "StrucLength")?;
        match usize::try_from(length) {
            Ok(whole) if whole >= minimum && whole <= self.bytes.len() => Ok(whole),
            _ => {
                let expected = format!("{minimum} to the {} bytes that are there", self.bytes.len());
                Err(self.malformed("StrucLength", self.at - 4, expected, length.to_string()))
            }
        }
    }

    pub(super) fn malformed(
        &self,
        field: &'static str,
        offset: usize,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Malformed {
        Malformed { structure: self.structure, field, offset, expected: expected.into(), found: found.into() }
    }
}

/// A length as the wire has it; no message is so long that it would not fit.
pub(super) fn length_i32(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// Writes the eye-catcher and the version that start every structure.
pub(super) fn write_start(out: &mut Vec<u8>, coding: Coding, eye: &'static str, version: i32) {
    match coding.alphabet {
        Alphabet::Ascii => out.extend_from_slice(eye.as_bytes()),
        Alphabet::Ebcdic => out.extend(eye.bytes().map(ebcdic)),
    }
    version.write(out, coding.byte_order);
}

/// Writes the length of a structure of fixed length; the name is there for symmetry with reading.
pub(super) fn write_length(out: &mut Vec<u8>, coding: Coding, _: &'static str, length: i32) {
    length.write(out, coding.byte_order);
}

/// The fields that start every structure.
pub(super) fn start_fields(eye: &'static str, version: i32) -> Fields {
    vec![("StrucId", FieldValue::Text(eye.trim_end().to_owned())), ("Version", FieldValue::Int(version))]
}

/// A type that fields can have.
pub(super) trait FieldType: Sized {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, Malformed>;
    fn write(&self, out: &mut Vec<u8>, byte_order: ByteOrder);
    fn show(&self, field: &'static str, coding: Coding, out: &mut Fields);
}

impl FieldType for i32 {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, Malformed> {
        Ok(reader.byte_order.i32(reader.take(field)?))
    }

    fn write(&self, out: &mut Vec<u8>, byte_order: ByteOrder) {
        out.extend_from_slice(&byte_order.i32_bytes(*self));
    }

    fn show(&self, field: &'static str, _: Coding, out: &mut Fields) {
        out.push((field, FieldValue::Int(*self)));
    }
}

impl<const N: usize> FieldType for [u8; N] {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, Malformed> {
        reader.take(field)
    }

    fn write(&self, out: &mut Vec<u8>, _: ByteOrder) {
        out.extend_from_slice(self);
    }

    fn show(&self, field: &'static str, _: Coding, out: &mut Fields) {
        out.push((field, FieldValue::Bytes(Bytes::copy_from_slice(self))));
    }
}

impl<const N: usize> FieldType for Chars<N> {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, Malformed> {
        Ok(Self(reader.take(field)?))
    }

    fn write(&self, out: &mut Vec<u8>, _: ByteOrder) {
        out.extend_from_slice(&self.0);
    }

    fn show(&self, field: &'static str, coding: Coding, out: &mut Fields) {
        out.push((field, FieldValue::Text(self.text(coding))));
    }
}

/// Declares a run of fields: a struct, and the [`FieldType`] that reads, writes and shows them in order. A field
/// may itself be such a run; its name is then not shown.
macro_rules! record {
    ($(#[$about:meta])* $vis:vis $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty = $ibm:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl crate::message::record::FieldType for $name {
            fn read(
                reader: &mut crate::message::record::Reader<'_>,
                _: &'static str,
            ) -> Result<Self, crate::wire::Malformed> {
                Ok(Self { $($field: crate::message::record::FieldType::read(reader, $ibm)?,)* })
            }

            fn write(&self, out: &mut Vec<u8>, byte_order: crate::wire::ByteOrder) {
                $(crate::message::record::FieldType::write(&self.$field, out, byte_order);)*
            }

            fn show(&self, _: &'static str, coding: crate::message::Coding, out: &mut crate::message::record::Fields) {
                $(crate::message::record::FieldType::show(&self.$field, $ibm, coding, out);)*
            }
        }
    };
}

pub(super) use record;
