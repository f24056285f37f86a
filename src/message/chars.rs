//! Fixed-length, blank-padded text of headers, kept as the bytes that it came in.

use std::borrow::Cow;
use std::fmt;

use crate::codepage;

use super::Coding;

/// A text field of `N` bytes, as it lies in the message. Two fields are equal if their bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chars<const N: usize>(pub [u8; N]);

/// Text that does not fit a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too long.
    #[error("{text:?} takes {length} bytes in CCSID {ccsid}, the field has {room}")]
    TooLong {
        /// The text.
        text: String,
        /// Its length in bytes.
        length: usize,
        /// Length of the field in bytes.
        room: usize,
        /// The CCSID.
        ccsid: i32,
    },
    /// A character that the CCSID lacks.
    #[error(transparent)]
    Unencodable(#[from] codepage::Unencodable),
}

impl<const N: usize> Chars<N> {
    /// All blanks.
    pub fn blank(coding: Coding) -> Self {
        Self([coding.blank(); N])
    }

    /// The text, padded with blanks.
    pub fn from_text(text: &str, coding: Coding) -> Result<Self, Unfit> {
        if let Some(field) = Self::from_ascii(text, coding) {
            return Ok(field);
        }
        let bytes = codepage::encode(coding.ccsid(), text)?;
        if bytes.len() > N {
            let too_long =
                Unfit::TooLong { text: text.to_owned(), length: bytes.len(), room: N, ccsid: coding.ccsid() };
            return Err(too_long);
        }
        Ok(Self::padded(&bytes, coding))
    }

    /// The text, cut at a character's end to what fits, characters that the CCSID lacks replaced by `?`.
    pub fn from_text_cut(text: &str, coding: Coding) -> Self {
        if let Ok(field) = Self::from_text(text, coding) {
            return field;
        }
        let mut bytes = Vec::with_capacity(N);
        for character in text.chars() {
            let mut utf8 = [0; 4];
            let encoded = codepage::encode(coding.ccsid(), character.encode_utf8(&mut utf8))
                .or_else(|_| codepage::encode(coding.ccsid(), "?"))
                .unwrap_or_default();
            if bytes.len() + encoded.len() > N {
                break;
            }
            bytes.extend_from_slice(&encoded);
        }
        Self::padded(&bytes, coding)
    }

    /// Text that needs no conversion, and fits.
    fn from_ascii(text: &str, coding: Coding) -> Option<Self> {
        let is_plain = coding.ccsid() == 1208 && text.len() <= N && text.is_ascii();
        is_plain.then(|| Self::padded(text.as_bytes(), coding))
    }

    fn padded(bytes: &[u8], coding: Coding) -> Self {
        let mut field = [coding.blank(); N];
        for (to, from) in field.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(field)
    }

    /// The text without trailing blanks and NULs. Bytes that are no text in this coding show as U+FFFD: IBM's own
    /// client cuts names in the middle of a UTF-8 character (O).
    pub fn text(&self, coding: Coding) -> String {
        self.as_text(coding).into_owned()
    }

    /// As [`Self::text`], without a copy where the bytes are the text.
    pub fn as_text(&self, coding: Coding) -> Cow<'_, str> {
        let blank = coding.blank();
        if self.0 == [blank; N] || self.0 == [0; N] {
            return Cow::Borrowed("");
        }
        let mut used: &[u8] = &self.0;
        while let Some((rest, end)) = used.split_last_chunk::<8>()
            && *end == [blank; 8]
        {
            used = rest;
        }
        while let [rest @ .., last] = used
            && (*last == 0 || *last == blank)
        {
            used = rest;
        }
        if let (1208, true, Ok(text)) = (coding.ccsid(), used.is_ascii(), std::str::from_utf8(used)) {
            return Cow::Borrowed(text);
        }
        match codepage::decode(coding.ccsid(), used) {
            Ok(text) => text,
            Err(_) if coding.ccsid() == 1208 => String::from_utf8_lossy(used),
            Err(_) => used
                .iter()
                .map(|byte| {
                    codepage::decode(coding.ccsid(), &[*byte]).map_or("\u{FFFD}".into(), |text| text.into_owned())
                })
                .collect::<String>()
                .into(),
        }
    }

    /// Whether the field holds this text (letters, digits and blanks) in ASCII or EBCDIC, padded with blanks or
    /// NULs. Meant for formats and eye-catchers, whose alphabet is not always the announced one.
    pub fn is(&self, text: &str) -> bool {
        // The third letter tells most of IBM's formats apart.
        if let (Some(letter), Some(byte)) = (text.as_bytes().get(2), self.0.get(2))
            && *letter != b' '
            && *byte != *letter
            && *byte != ebcdic(*letter)
        {
            return false;
        }
        let wanted = text.trim_end().as_bytes();
        let holds = |blank: u8, letter: fn(u8) -> u8| {
            self.0.iter().enumerate().all(|(at, byte)| match wanted.get(at) {
                Some(wanted) => *byte == letter(*wanted),
                None => *byte == 0 || *byte == blank,
            })
        };
        wanted.len() <= N && (holds(0x20, |letter| letter) || holds(0x40, ebcdic))
    }

    /// Whether it is all blanks and NULs, in the given coding.
    pub fn is_blank(&self, coding: Coding) -> bool {
        self.0.iter().all(|byte| *byte == 0 || *byte == coding.blank())
    }
}

/// EBCDIC of an upper-case letter, a digit or anything else as a blank: the characters that all pages share.
pub(super) fn ebcdic(ascii: u8) -> u8 {
    match ascii {
        b'A'..=b'I' => ascii - b'A' + 0xC1,
        b'J'..=b'R' => ascii - b'J' + 0xD1,
        b'S'..=b'Z' => ascii - b'S' + 0xE2,
        b'0'..=b'9' => ascii - b'0' + 0xF0,
        _ => 0x40,
    }
}

impl<const N: usize> Default for Chars<N> {
    /// ASCII blanks.
    fn default() -> Self {
        Self([b' '; N])
    }
}

impl<const N: usize> fmt::Debug for Chars<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
