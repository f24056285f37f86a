//! One table a structure: its start, and its fields in order.

/// Declares a structure of a fixed length: eye-catcher, version, StrucLength if it has one, and a run of fields.
macro_rules! structure {
    (
        $(#[$about:meta])*
        $name:ident, $ibm_name:literal, $eye:literal, version $version:literal, $length:literal bytes
        $(, $struc_length:literal)?
        { $($fields:tt)* }
    ) => {
        crate::message::record::record! { $(#[$about])* pub $name { $($fields)* } }

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// Reads it from the start of the bytes. Text stays as it lies; the eye-catcher may be in either
            /// alphabet, whatever the coding says. Errors: too short, or another eye-catcher, version or length.
            pub fn parse(
                bytes: &[u8],
                byte_order: crate::wire::ByteOrder,
            ) -> Result<Self, crate::wire::Malformed> {
                let mut reader = crate::message::record::Reader::new($ibm_name, bytes, byte_order);
                reader.eye($eye)?;
                reader.one_of("Version", &[$version])?;
                $(reader.one_of($struc_length, &[$length])?;)?
                crate::message::record::FieldType::read(&mut reader, "")
            }

            /// Appends its bytes: eye-catcher and integers in this coding, text fields as they are.
            pub fn encode_to(&self, out: &mut Vec<u8>, coding: crate::message::Coding) {
                crate::message::record::write_start(out, coding, $eye, $version);
                $(crate::message::record::write_length(out, coding, $struc_length, $length);)?
                crate::message::record::FieldType::write(self, out, coding.byte_order);
            }

            /// Its bytes, as [`Self::encode_to`] writes them.
            pub fn encode(&self, coding: crate::message::Coding) -> Vec<u8> {
                let mut out = Vec::with_capacity(Self::LENGTH);
                self.encode_to(&mut out, coding);
                out
            }

            /// All its fields in order, under IBM's names.
            pub fn fields(&self, coding: crate::message::Coding) -> Vec<(&'static str, crate::message::FieldValue)> {
                let mut out = crate::message::record::start_fields($eye, $version);
                $(out.push(($struc_length, crate::message::FieldValue::Int($length)));)?
                crate::message::record::FieldType::show(self, "", coding, &mut out);
                out
            }
        }
    };
}

/// Declares a structure whose length is its StrucLength: eye-catcher, version, StrucLength, a run of fields, and
/// whatever a later version or a list of records adds behind them.
macro_rules! open_structure {
    (
        $(#[$about:meta])*
        $name:ident, $ibm_name:literal, $eye:literal, versions $versions:expr, $fixed:literal bytes
        { $($(#[$doc:meta])* $field:ident: $type:ty = $ibm:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// Version.
            pub version: i32,
            $($(#[$doc])* pub $field: $type,)*
            /// What StrucLength covers behind these fields, as it lies.
            pub rest: bytes::Bytes,
        }

        impl $name {
            /// Length in bytes of the fields that every version has.
            pub const FIXED: usize = $fixed;

            /// Reads it from the start of the bytes; StrucLength says where it ends. Text stays as it lies. Errors:
            /// too short, or another eye-catcher or version, or a StrucLength that the bytes do not bear out.
            pub fn parse(
                bytes: &bytes::Bytes,
                byte_order: crate::wire::ByteOrder,
            ) -> Result<Self, crate::wire::Malformed> {
                let mut reader = crate::message::record::Reader::new($ibm_name, bytes, byte_order);
                reader.eye($eye)?;
                let version = reader.one_of("Version", &$versions)?;
                let whole = reader.struc_length(Self::FIXED)?;
                Ok(Self {
                    version,
                    $($field: crate::message::record::FieldType::read(&mut reader, $ibm)?,)*
                    rest: bytes.slice(Self::FIXED..whole),
                })
            }

            /// Length in bytes, StrucLength.
            pub fn length(&self) -> usize {
                Self::FIXED + self.rest.len()
            }

            /// Appends its bytes: eye-catcher and integers in this coding, the rest as it is.
            pub fn encode_to(&self, out: &mut Vec<u8>, coding: crate::message::Coding) {
                use crate::message::record::{FieldType as _, length_i32, write_start};
                write_start(out, coding, $eye, self.version);
                length_i32(self.length()).write(out, coding.byte_order);
                $(self.$field.write(out, coding.byte_order);)*
                out.extend_from_slice(&self.rest);
            }

            /// All its fields in order, under IBM's names.
            pub fn fields(&self, coding: crate::message::Coding) -> Vec<(&'static str, crate::message::FieldValue)> {
                use crate::message::record::{FieldType as _, length_i32, start_fields};
                let mut out = start_fields($eye, self.version);
                out.push(("StrucLength", crate::message::FieldValue::Int(length_i32(self.length()))));
                $(self.$field.show($ibm, coding, &mut out);)*
                self.show_rest(coding, &mut out);
                out
            }
        }
    };
}

pub(super) use {open_structure, structure};
