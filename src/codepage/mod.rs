//! CCSIDs to text and back.
//!
//! A CCSID that is not known here is an error of its own ([`NotText::UnknownCcsid`]), never a guess: the caller
//! delivers the bytes and says so, as MQGET does.
//!
//! | CCSID | what it is |
//! |---|---|
//! | 1208 | UTF-8; a byte order mark is kept as a character, as the JDK keeps it |
//! | 1200, 13488, 17584 | UTF-16 in the byte order of the data's Encoding, unless a byte order mark says otherwise |
//! | 1202 | UTF-16, little-endian |
//! | 819 | Latin-1, all 256 bytes (not windows-1252) |
//! | 37, 437, 500, 1047, 1140 | single-byte pages, generated from the JDK's charsets by `tools/codepages` |

mod newline;
mod single_byte;
mod tables;
mod utf16;

use std::borrow::Cow;

pub use newline::Newline;

use crate::wire::ByteOrder;

/// Bytes that could not be made into text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// No table for this CCSID.
    #[error("CCSID {0} is not known")]
    UnknownCcsid(i32),
    /// The bytes are not text in this CCSID.
    #[error("the bytes are not text in CCSID {ccsid}: no character at offset {offset}")]
    Malformed {
        /// The CCSID.
        ccsid: i32,
        /// Offset in bytes of the first one that fits nothing.
        offset: usize,
    },
}

/// Text that has no bytes in a CCSID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unencodable {
    /// No table for this CCSID.
    #[error("CCSID {0} is not known")]
    UnknownCcsid(i32),
    /// A character that the page lacks.
    #[error("CCSID {ccsid} has no {character:?} (U+{code:04X}, at byte {index} of the text)", code = u32::from(*character))]
    Character {
        /// The CCSID.
        ccsid: i32,
        /// The character.
        character: char,
        /// Its offset in bytes in the UTF-8 text.
        index: usize,
    },
}

/// Text of big-endian bytes, with the default newline policy. Borrows where the bytes are already UTF-8.
pub fn decode(ccsid: i32, bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    decode_with(ccsid, ByteOrder::Big, Newline::default(), bytes)
}

/// Text of bytes. `byte_order` (that of the data's Encoding) matters to the UTF-16 CCSIDs only, and a byte order
/// mark overrules it; `newline` matters to EBCDIC only.
pub fn decode_with(ccsid: i32, byte_order: ByteOrder, newline: Newline, bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    let malformed = |offset| NotText::Malformed { ccsid, offset };
    match ccsid {
        1208 => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| malformed(error.valid_up_to())),
        1200 | 13488 | 17584 => utf16::decode_marked(byte_order, bytes).map(Cow::Owned).map_err(malformed),
        1202 => utf16::decode(ByteOrder::Little, bytes).map(Cow::Owned).map_err(malformed),
        819 => Ok(encoding_rs::mem::decode_latin1(bytes)),
        _ => match page(ccsid) {
            Some(page) => page.decode(newline, bytes).map(Cow::Owned).map_err(malformed),
            None => Err(NotText::UnknownCcsid(ccsid)),
        },
    }
}

/// Bytes of text, big-endian without a byte order mark, with the default newline policy.
pub fn encode(ccsid: i32, text: &str) -> Result<Vec<u8>, Unencodable> {
    encode_with(ccsid, ByteOrder::Big, Newline::default(), text)
}

/// Bytes of text. `byte_order` matters to the UTF-16 CCSIDs only, `newline` to EBCDIC only. Never writes a byte
/// order mark of its own.
pub fn encode_with(ccsid: i32, byte_order: ByteOrder, newline: Newline, text: &str) -> Result<Vec<u8>, Unencodable> {
    let lacks = |(index, character)| Unencodable::Character { ccsid, character, index };
    match ccsid {
        1208 => Ok(text.as_bytes().to_vec()),
        1200 | 13488 | 17584 => Ok(utf16::encode(byte_order, text)),
        1202 => Ok(utf16::encode(ByteOrder::Little, text)),
        819 => text
            .char_indices()
            .map(|(index, character)| u8::try_from(u32::from(character)).map_err(|_| lacks((index, character))))
            .collect(),
        _ => match page(ccsid) {
            Some(page) => page.encode(newline, text).map_err(lacks),
            None => Err(Unencodable::UnknownCcsid(ccsid)),
        },
    }
}

/// Whether [`decode`] and [`encode`] know the CCSID.
pub fn is_known(ccsid: i32) -> bool {
    matches!(ccsid, 819 | 1200 | 1202 | 1208 | 13488 | 17584) || page(ccsid).is_some()
}

/// Whether text in this CCSID is EBCDIC, known here or not (IBM's CCSID registry).
pub fn is_ebcdic(ccsid: i32) -> bool {
    matches!(
        ccsid,
        37 | 256
            | 273..=275
            | 277..=278
            | 280..=281
            | 284..=285
            | 290
            | 297
            | 300
            | 420
            | 424
            | 500
            | 803
            | 833..=839
            | 870..=871
            | 875
            | 880
            | 905
            | 918
            | 924
            | 930..=931
            | 933
            | 935
            | 937
            | 939
            | 1025..=1027
            | 1047
            | 1069
            | 1097
            | 1112
            | 1122..=1123
            | 1130
            | 1132
            | 1137
            | 1140..=1149
            | 1153..=1158
            | 1160
            | 1164
            | 1364
            | 1371
            | 1377
            | 1388
            | 1390
            | 1399
            | 4933
            | 4971
            | 5026
            | 5035
            | 5123
            | 8612
            | 9030
            | 12708
            | 12712
            | 16804
            | 28709
            | 62211
            | 62224
            | 62229
            | 62233
            | 62234
            | 62235
            | 62240
            | 62245
            | 62250
            | 62251
    )
}

/// Whether every character is one byte and the page holds EBCDIC or an ASCII superset, so that blank-padded names
/// in headers can be written in it; the double-byte and UTF-16 CCSIDs cannot.
pub(crate) fn suits_names(ccsid: i32) -> bool {
    matches!(ccsid, 819 | 1208) || page(ccsid).is_some()
}

fn page(ccsid: i32) -> Option<&'static single_byte::SingleByte> {
    let at = tables::PAGES.binary_search_by_key(&ccsid, |page| page.ccsid()).ok()?;
    tables::PAGES.get(at).copied()
}

#[cfg(test)]
mod tests;
