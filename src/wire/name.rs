//! Names of fixed width: kept as the bytes they came in, shown as text.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::Alphabet;

/// A blank-padded name of `N` bytes as MQ writes it, in ASCII or EBCDIC.
///
/// The bytes are kept, so that a name re-emitted in its own alphabet is identical even if it was padded with
/// zeros or holds characters that belong in no name. Two names are equal when their texts are.
#[derive(Clone, Copy)]
pub struct Name<const N: usize> {
    bytes: [u8; N],
    alphabet: Alphabet,
}

/// Text that does not fit a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// More characters than the field has bytes.
    #[error("{text:?} has {length} characters, a name here has at most {most}")]
    TooLong {
        /// The text.
        text: String,
        /// Its characters.
        length: usize,
        /// The field's width.
        most: usize,
    },
    /// A character that is not in ISO 8859-1.
    #[error("{text:?} holds {character:?}, which no MQ name can")]
    Character {
        /// The text.
        text: String,
        /// The first such character.
        character: char,
    },
}

impl<const N: usize> Name<N> {
    /// A name of blanks.
    pub const BLANK: Self = Self { bytes: [b' '; N], alphabet: Alphabet::Ascii };

    /// Takes text of up to `N` characters of ISO 8859-1, without padding.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let length = text.chars().count();
        if length > N {
            return Err(BadName::TooLong { text: text.to_owned(), length, most: N });
        }
        match text.chars().find(|&c| u8::try_from(c).is_err()) {
            Some(character) => Err(BadName::Character { text: text.to_owned(), character }),
            None => Ok(Self::fitted(text)),
        }
    }

    /// Takes the first `N` characters of any text; those outside ISO 8859-1 become `?`.
    /// For names that were checked before, and for showing.
    pub fn fitted(text: &str) -> Self {
        let mut name = Self::BLANK;
        for (byte, character) in name.bytes.iter_mut().zip(text.chars()) {
            *byte = u8::try_from(character).unwrap_or(b'?');
        }
        name
    }

    /// Takes the bytes of a field, in the alphabet that its structure has.
    pub fn from_bytes(bytes: [u8; N], alphabet: Alphabet) -> Self {
        Self { bytes, alphabet }
    }

    /// Takes the bytes of a field whose alphabet is in doubt: an ASCII eye-catcher in a segment that announces an
    /// EBCDIC CCSID, whose names Wireshark reads as EBCDIC (wire reference, segments 2, W). Padding tells: `0x40` is
    /// EBCDIC's blank and `@` in ASCII, which no name holds; a name that fills its field is judged by its
    /// letters, which EBCDIC has from `0x81` on and ASCII below.
    pub fn in_doubt(bytes: [u8; N]) -> Self {
        let ebcdic = bytes.contains(&0x40) || (bytes.iter().any(|&b| b > 0x80) && !bytes.contains(&b' '));
        Self { bytes, alphabet: if ebcdic { Alphabet::Ebcdic } else { Alphabet::Ascii } }
    }

    /// The field as it came, padding and all, in the alphabet of [`Self::alphabet`].
    pub fn as_bytes(&self) -> &[u8; N] {
        &self.bytes
    }

    /// The alphabet of [`Self::as_bytes`].
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The field in this alphabet: the kept bytes if it is their own, else each converted.
    pub fn bytes_in(&self, alphabet: Alphabet) -> [u8; N] {
        self.bytes.map(|byte| convert(byte, self.alphabet, alphabet))
    }

    /// The text: up to the first zero byte, without trailing blanks.
    pub fn text(&self) -> String {
        self.chars().collect()
    }

    /// Whether there is no text.
    pub fn is_blank(&self) -> bool {
        self.chars().next().is_none()
    }

    fn chars(&self) -> impl Iterator<Item = char> + '_ {
        let blank = convert(b' ', Alphabet::Ascii, self.alphabet);
        let end = self.bytes.iter().position(|&b| b == 0).unwrap_or(N);
        let text = self.bytes.get(..end).unwrap_or_default();
        let length = text.iter().rposition(|&b| b != blank).map_or(0, |last| last + 1);
        text.iter().take(length).map(|&b| char::from(convert(b, self.alphabet, Alphabet::Ascii)))
    }
}

impl<const N: usize> Default for Name<N> {
    fn default() -> Self {
        Self::BLANK
    }
}

impl<const N: usize> PartialEq for Name<N> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl<const N: usize> Eq for Name<N> {}

impl<const N: usize> PartialEq<str> for Name<N> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl<const N: usize> PartialEq<&str> for Name<N> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl<const N: usize> Hash for Name<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.chars().for_each(|c| c.hash(state));
    }
}

impl<const N: usize> fmt::Display for Name<N> {
    /// The text. Control characters show as `?`, so that a log line stays a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        f.pad(&shown)
    }
}

impl<const N: usize> fmt::Debug for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

impl<const N: usize> TryFrom<&str> for Name<N> {
    type Error = BadName;

    fn try_from(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}

impl<const N: usize> std::str::FromStr for Name<N> {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}

/// One byte from one alphabet to the other.
pub fn convert(byte: u8, from: Alphabet, to: Alphabet) -> u8 {
    let table = match (from, to) {
        (Alphabet::Ebcdic, Alphabet::Ascii) => &TO_ASCII,
        (Alphabet::Ascii, Alphabet::Ebcdic) => &TO_EBCDIC,
        _ => return byte,
    };
    table.get(usize::from(byte)).copied().unwrap_or(byte)
}

/// Whether a CCSID is one of the EBCDIC pages that queue managers run with.
pub fn is_ebcdic(ccsid: u16) -> bool {
    matches!(
        ccsid,
        37 | 273 | 277 | 278 | 280 | 284 | 285 | 290 | 297 | 420 | 423 | 424 | 500 | 803 | 838 | 870 | 871 | 875 | 880
            | 905 | 918 | 924 | 930 | 931 | 933 | 935 | 937 | 939 | 1025 | 1026 | 1027 | 1047 | 1112 | 1122 | 1123
            | 1130 | 1132 | 1140..=1149 | 1153..=1158 | 1160 | 1164 | 1364 | 1371 | 1388 | 1390 | 1399
    )
}

/// CCSID 500 to ISO 8859-1: a permutation, so that nothing is lost either way. Letters, digits and the
/// punctuation of MQ names lie in the same places on all EBCDIC Latin pages.
#[rustfmt::skip]
const TO_ASCII: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9C, 0x09, 0x86, 0x7F, 0x97, 0x8D, 0x8E, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F,
    0x10, 0x11, 0x12, 0x13, 0x9D, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8F, 0x1C, 0x1D, 0x1E, 0x1F,
    0x80, 0x81, 0x82, 0x83, 0x84, 0x0A, 0x17, 0x1B, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x05, 0x06, 0x07,
    0x90, 0x91, 0x16, 0x93, 0x94, 0x95, 0x96, 0x04, 0x98, 0x99, 0x9A, 0x9B, 0x14, 0x15, 0x9E, 0x1A,
    0x20, 0xA0, 0xE2, 0xE4, 0xE0, 0xE1, 0xE3, 0xE5, 0xE7, 0xF1, 0x5B, 0x2E, 0x3C, 0x28, 0x2B, 0x21,
    0x26, 0xE9, 0xEA, 0xEB, 0xE8, 0xED, 0xEE, 0xEF, 0xEC, 0xDF, 0x5D, 0x24, 0x2A, 0x29, 0x3B, 0x5E,
    0x2D, 0x2F, 0xC2, 0xC4, 0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xD1, 0xA6, 0x2C, 0x25, 0x5F, 0x3E, 0x3F,
    0xF8, 0xC9, 0xCA, 0xCB, 0xC8, 0xCD, 0xCE, 0xCF, 0xCC, 0x60, 0x3A, 0x23, 0x40, 0x27, 0x3D, 0x22,
    0xD8, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xAB, 0xBB, 0xF0, 0xFD, 0xFE, 0xB1,
    0xB0, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71, 0x72, 0xAA, 0xBA, 0xE6, 0xB8, 0xC6, 0xA4,
    0xB5, 0x7E, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xA1, 0xBF, 0xD0, 0xDD, 0xDE, 0xAE,
    0xA2, 0xA3, 0xA5, 0xB7, 0xA9, 0xA7, 0xB6, 0xBC, 0xBD, 0xBE, 0xAC, 0x7C, 0xAF, 0xA8, 0xB4, 0xD7,
    0x7B, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xAD, 0xF4, 0xF6, 0xF2, 0xF3, 0xF5,
    0x7D, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0xB9, 0xFB, 0xFC, 0xF9, 0xFA, 0xFF,
    0x5C, 0xF7, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xB2, 0xD4, 0xD6, 0xD2, 0xD3, 0xD5,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xB3, 0xDB, 0xDC, 0xD9, 0xDA, 0x9F,
];

const TO_EBCDIC: [u8; 256] = inverse(&TO_ASCII);

#[allow(clippy::indexing_slicing)] // runs in the compiler
const fn inverse(table: &[u8; 256]) -> [u8; 256] {
    let mut inverse = [0; 256];
    let mut at = 0;
    while at < 256 {
        inverse[table[at] as usize] = at as u8;
        at += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `QMA.TO.GW` in CCSID 500, from frame 28 of the wire examples.
    const EBCDIC: [u8; 12] = [0xD8, 0xD4, 0xC1, 0x4B, 0xE3, 0xD6, 0x4B, 0xC7, 0xE6, 0x40, 0x40, 0x40];

    #[test]
    fn shows_text_of_either_alphabet() {
        let name = Name::from_bytes(EBCDIC, Alphabet::Ebcdic);
        assert_eq!(name.text(), "QMA.TO.GW");
        assert_eq!(name, Name::new("QMA.TO.GW").unwrap());
        assert_eq!(&name.bytes_in(Alphabet::Ascii), b"QMA.TO.GW   ");
        assert_eq!(Name::<12>::new("QMA.TO.GW").unwrap().bytes_in(Alphabet::Ebcdic), EBCDIC);
    }

    #[test]
    fn keeps_odd_bytes() {
        let name = Name::from_bytes(*b"QM1\0junk\x01\xFF ", Alphabet::Ascii);
        assert_eq!(name.text(), "QM1");
        assert_eq!(&name.bytes_in(Alphabet::Ascii), b"QM1\0junk\x01\xFF ");
        assert_eq!(Name::from_bytes(*b"a\nb", Alphabet::Ascii).to_string(), "a?b");
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(matches!(Name::<3>::new("QMGR"), Err(BadName::TooLong { length: 4, most: 3, .. })));
        assert!(matches!(Name::<3>::new("Q\u{20AC}"), Err(BadName::Character { character: '\u{20AC}', .. })));
        assert_eq!(Name::<3>::fitted("Q\u{20AC}GR").text(), "Q?G");
    }

    #[test]
    fn tells_the_alphabet_of_a_name_in_doubt() {
        assert_eq!(Name::in_doubt(EBCDIC).text(), "QMA.TO.GW");
        assert_eq!(Name::in_doubt(*b"QMA.TO.GW   ").text(), "QMA.TO.GW");
        assert_eq!(Name::in_doubt([0xD8, 0xD4, 0xC1]).text(), "QMA");
        assert_eq!(Name::in_doubt(*b"QMA").text(), "QMA");
    }

    #[test]
    fn the_table_loses_nothing() {
        for byte in 0..=255 {
            assert_eq!(
                convert(convert(byte, Alphabet::Ascii, Alphabet::Ebcdic), Alphabet::Ebcdic, Alphabet::Ascii),
                byte
            );
        }
    }
}
