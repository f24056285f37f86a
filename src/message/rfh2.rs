//! MQRFH and MQRFH2, the rules and formatting headers (wire reference, headers, D).

use std::borrow::Cow;

use bytes::Bytes;

use crate::codepage::{self, Newline, NotText};
use crate::wire::{ByteOrder, Malformed};

use super::record::{self, FieldType, Reader, length_i32, record};
use super::{Chars, Coding, Description, FieldValue};

const EYE: &str = "RFH ";

/// Folders that one MQRFH2 may have here; real ones have a handful. Bounds what a hostile header can make of memory.
const MAX_FOLDERS: usize = 1024;

record! {
    /// What both versions have behind StrucLength.
    Fixed {
        encoding: i32 = "Encoding",
        coded_char_set_id: i32 = "CodedCharSetId",
        format: Chars<8> = "Format",
        flags: i32 = "Flags",
    }
}

/// MQRFH, version 1: 32 bytes and a string of blank-separated names and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rfh {
    /// Encoding of what follows the header.
    pub encoding: i32,
    /// CCSID of what follows the header.
    pub coded_char_set_id: i32,
    /// Format of what follows the header.
    pub format: Chars<8>,
    /// Zero.
    pub flags: i32,
    /// NameValueString, in the CCSID of the header's own text, to the end of the header.
    pub name_value_string: Bytes,
}

/// MQRFH2: 36 bytes and any number of folders of XML-like text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rfh2 {
    /// Encoding of what follows the header.
    pub encoding: i32,
    /// CCSID of what follows the header.
    pub coded_char_set_id: i32,
    /// Format of what follows the header.
    pub format: Chars<8>,
    /// Zero.
    pub flags: i32,
    /// CCSID of the folders: 1208, 1200, 13488 or 17584.
    pub name_value_ccsid: i32,
    /// The folders as they lie, padding included. When emitted each gets its NameValueLength in front; lengths
    /// that are no multiple of 4 are for [`Rfh2::folder_bytes`] to avoid.
    pub folders: Vec<Bytes>,
}

/// Folders of an MQRFH2 in the making: UTF-8 text (NameValueCCSID 1208), one folder behind the other in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderTexts {
    text: String,
    ends: Vec<usize>,
}

impl FolderTexts {
    /// None yet.
    pub fn new() -> Self {
        Self { text: String::with_capacity(768), ends: Vec::with_capacity(4) }
    }

    /// One more folder, as `write` appends it; none where it appends nothing. Padded with blanks to a multiple of 4.
    pub fn add(&mut self, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        write(&mut self.text);
        let length = self.text.len() - start;
        for _ in length..length.next_multiple_of(4) {
            self.text.push(' ');
        }
        if length > 0 {
            self.ends.push(self.text.len());
        }
    }

    /// The folders with their padding.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.as_bytes().get(start..*end).unwrap_or_default())
    }

    /// Appends the bytes of an MQRFH2 that has these folders, and says this of what follows it.
    pub fn encode_to(&self, out: &mut Vec<u8>, coding: Coding, next: Description) {
        let Description { encoding, ccsid, format } = next;
        let length = Rfh2::FIXED + self.text.len() + 4 * self.ends.len();
        out.reserve(length);
        record::write_start(out, coding, EYE, 2);
        length_i32(length).write(out, coding.byte_order);
        Fixed { encoding, coded_char_set_id: ccsid, format, flags: 0 }.write(out, coding.byte_order);
        1208.write(out, coding.byte_order);
        for folder in self.iter() {
            length_i32(folder.len()).write(out, coding.byte_order);
            out.extend_from_slice(folder);
        }
    }

    /// The MQRFH2 that has these folders, and says this of what follows it.
    pub fn header(&self, next: Description) -> Rfh2 {
        Rfh2 {
            encoding: next.encoding,
            coded_char_set_id: next.ccsid,
            format: next.format,
            flags: 0,
            name_value_ccsid: 1208,
            folders: self.iter().map(Bytes::copy_from_slice).collect(),
        }
    }
}

impl Rfh {
    /// Length in bytes of what comes before NameValueString.
    pub const FIXED: usize = 32;

    /// Reads it from the start of the bytes; StrucLength says where it ends. Errors: too short, another
    /// eye-catcher or version, or a StrucLength that the bytes do not bear out.
    pub fn parse(bytes: &Bytes, byte_order: ByteOrder) -> Result<Self, Malformed> {
        let mut reader = Reader::new("MQRFH", bytes, byte_order);
        reader.eye(EYE)?;
        reader.one_of("Version", &[1])?;
        let whole = reader.struc_length(Self::FIXED)?;
        let Fixed { encoding, coded_char_set_id, format, flags } = FieldType::read(&mut reader, "")?;
        Ok(Self { encoding, coded_char_set_id, format, flags, name_value_string: bytes.slice(Self::FIXED..whole) })
    }

    /// Length in bytes, StrucLength.
    pub fn length(&self) -> usize {
        Self::FIXED + self.name_value_string.len()
    }

    /// Appends its bytes: eye-catcher and integers in this coding, the rest as it is.
    pub fn encode_to(&self, out: &mut Vec<u8>, coding: Coding) {
        record::write_start(out, coding, EYE, 1);
        length_i32(self.length()).write(out, coding.byte_order);
        self.fixed().write(out, coding.byte_order);
        out.extend_from_slice(&self.name_value_string);
    }

    /// All its fields in order, under IBM's names.
    pub fn fields(&self, coding: Coding) -> Vec<(&'static str, FieldValue)> {
        let mut out = record::start_fields(EYE, 1);
        out.push(("StrucLength", FieldValue::Int(length_i32(self.length()))));
        self.fixed().show("", coding, &mut out);
        let text = match codepage::decode(coding.ccsid(), &self.name_value_string) {
            Ok(text) => FieldValue::Text(text.trim_end_matches([' ', '\0']).to_owned()),
            Err(_) => FieldValue::Bytes(self.name_value_string.clone()),
        };
        out.push(("NameValueString", text));
        out
    }

    /// What it says of the piece behind it.
    pub fn describes(&self) -> Description {
        Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
    }

    fn fixed(&self) -> Fixed {
        let Self { encoding, coded_char_set_id, format, flags, .. } = *self;
        Fixed { encoding, coded_char_set_id, format, flags }
    }
}

impl Rfh2 {
    /// Length in bytes of what comes before the folders.
    pub const FIXED: usize = 36;

    /// Reads it from the start of the bytes; StrucLength says where it ends. Errors: too short, another
    /// eye-catcher or version, a StrucLength that the bytes do not bear out, a NameValueLength that is negative, no
    /// multiple of 4 or beyond StrucLength, or more than 1024 folders.
    pub fn parse(bytes: &Bytes, byte_order: ByteOrder) -> Result<Self, Malformed> {
        let mut reader = Reader::new("MQRFH2", bytes, byte_order);
        reader.eye(EYE)?;
        reader.one_of("Version", &[2])?;
        let whole = reader.struc_length(Self::FIXED)?;
        let Fixed { encoding, coded_char_set_id, format, flags } = FieldType::read(&mut reader, "")?;
        let name_value_ccsid = i32::read(&mut reader, "NameValueCCSID")?;
        let mut folders = Vec::new();
        let mut at = reader.at();
        while at < whole {
            if folders.len() == MAX_FOLDERS {
                return Err(reader.malformed("NameValueLength", at, format!("at most {MAX_FOLDERS} folders"), "more"));
            }
            let Some(length) = bytes.get(at..whole).and_then(|rest| rest.first_chunk::<4>()) else {
                return Err(reader.malformed(
                    "NameValueLength",
                    at,
                    "4 bytes",
                    format!("the end after {}", whole - at),
                ));
            };
            let length = byte_order.i32(*length);
            let left = whole - at - 4;
            match usize::try_from(length) {
                Ok(folder) if folder <= left && folder % 4 == 0 => {
                    folders.push(bytes.slice(at + 4..at + 4 + folder));
                    at += 4 + folder;
                }
                _ => {
                    let expected = format!("a multiple of 4 up to {left}");
                    return Err(reader.malformed("NameValueLength", at, expected, length.to_string()));
                }
            }
        }
        Ok(Self { encoding, coded_char_set_id, format, flags, name_value_ccsid, folders })
    }

    /// Length in bytes, StrucLength.
    pub fn length(&self) -> usize {
        Self::FIXED + self.folders.iter().map(|folder| 4 + folder.len()).sum::<usize>()
    }

    /// Appends its bytes: eye-catcher and integers in this coding, the rest as it is.
    pub fn encode_to(&self, out: &mut Vec<u8>, coding: Coding) {
        record::write_start(out, coding, EYE, 2);
        length_i32(self.length()).write(out, coding.byte_order);
        self.fixed().write(out, coding.byte_order);
        self.name_value_ccsid.write(out, coding.byte_order);
        for folder in &self.folders {
            length_i32(folder.len()).write(out, coding.byte_order);
            out.extend_from_slice(folder);
        }
    }

    /// Its bytes, as [`Self::encode_to`] writes them.
    pub fn encode(&self, coding: Coding) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        self.encode_to(&mut out, coding);
        out
    }

    /// The fields of the fixed part in order, under IBM's names.
    pub fn fields(&self, coding: Coding) -> Vec<(&'static str, FieldValue)> {
        let mut out = record::start_fields(EYE, 2);
        out.push(("StrucLength", FieldValue::Int(length_i32(self.length()))));
        self.fixed().show("", coding, &mut out);
        out.push(("NameValueCCSID", FieldValue::Int(self.name_value_ccsid)));
        out
    }

    /// What it says of the piece behind it.
    pub fn describes(&self) -> Description {
        Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
    }

    /// Text of a folder, without padding. UTF-16 is read by its byte order mark, else by the position of its first
    /// `<`, else in the byte order of the header; marks are also used as padding (O) and dropped.
    pub fn folder_text<'a>(&self, folder: &'a [u8], byte_order: ByteOrder) -> Result<Cow<'a, str>, NotText> {
        let byte_order = match folder {
            [0, b'<', ..] => ByteOrder::Big,
            [b'<', 0, ..] => ByteOrder::Little,
            _ => byte_order,
        };
        let text = codepage::decode_with(self.name_value_ccsid, byte_order, Newline::default(), folder)?;
        Ok(match text {
            Cow::Borrowed(text) => Cow::Borrowed(trimmed(text)),
            Cow::Owned(text) => Cow::Owned(trimmed(&text).to_owned()),
        })
    }

    /// Texts of all folders, in order, as [`Self::folder_text`] reads them.
    pub fn folder_texts(&self, byte_order: ByteOrder) -> Vec<Result<Cow<'_, str>, NotText>> {
        self.folders.iter().map(|folder| self.folder_text(folder, byte_order)).collect()
    }

    /// A folder to put into [`Rfh2::folders`]: UTF-8 (for NameValueCCSID 1208), padded with blanks to a multiple of 4.
    pub fn folder_bytes(text: &str) -> Bytes {
        let length = text.len().next_multiple_of(4);
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(length, b' ');
        Bytes::from(bytes)
    }

    fn fixed(&self) -> Fixed {
        let Self { encoding, coded_char_set_id, format, flags, .. } = *self;
        Fixed { encoding, coded_char_set_id, format, flags }
    }
}

/// A folder's text without byte order marks and padding.
fn trimmed(text: &str) -> &str {
    text.trim_start_matches('\u{FEFF}').trim_end_matches([' ', '\0', '\u{FEFF}'])
}
