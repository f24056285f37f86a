//! How a piece of a message is written: byte order, character set, and what follows it.

use crate::codepage;
use crate::wire::{Alphabet, ByteOrder};

use super::Chars;

/// How the integers and names of one header are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Byte order of its integers.
    pub byte_order: ByteOrder,
    /// Alphabet of its eye-catcher and names.
    pub alphabet: Alphabet,
    /// Character set of its names: always one of that alphabet, with one byte for each blank.
    ccsid: i32,
}

impl Default for Coding {
    /// Big-endian, UTF-8: what IBM's Java client writes.
    fn default() -> Self {
        Self::new(ByteOrder::Big, Alphabet::Ascii, 1208)
    }
}

impl Coding {
    /// A coding for names in this CCSID. Where the CCSID does not fit the alphabet, or names cannot be read in it
    /// (unknown, UTF-16, double-byte), 500 stands in for EBCDIC and 1208 for ASCII: the characters that names are
    /// made of are the same in all of them.
    pub fn new(byte_order: ByteOrder, alphabet: Alphabet, ccsid: i32) -> Self {
        let fits = codepage::suits_names(ccsid) && codepage::is_ebcdic(ccsid) == (alphabet == Alphabet::Ebcdic);
        let ccsid = match alphabet {
            _ if fits => ccsid,
            Alphabet::Ascii => 1208,
            Alphabet::Ebcdic => 500,
        };
        Self { byte_order, alphabet, ccsid }
    }

    /// The coding of data that an Encoding and a CodedCharSetId describe, as MQMD has them.
    pub fn described(encoding: i32, ccsid: i32) -> Self {
        let alphabet = if codepage::is_ebcdic(ccsid) { Alphabet::Ebcdic } else { Alphabet::Ascii };
        Self::new(ByteOrder::of_encoding(encoding), alphabet, ccsid)
    }

    /// The coding that a structure with an eye-catcher and a version in its first eight bytes shows by itself: for
    /// files of which nobody said how they were written. None: the eye-catcher is in neither alphabet, or the
    /// version is not a small number in either byte order.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let (eye, rest) = bytes.split_first_chunk::<4>()?;
        let version = *rest.first_chunk::<4>()?;
        let letters = |first: u8, last: u8| eye.first().is_some_and(|byte| (first..=last).contains(byte));
        let alphabet = match eye.last()? {
            0x20 if letters(b'A', b'Z') => Alphabet::Ascii,
            0x40 if letters(0xC1, 0xE9) => Alphabet::Ebcdic,
            _ => return None,
        };
        let small = |order: ByteOrder| (1..=16).contains(&order.i32(version));
        let byte_order = [ByteOrder::Big, ByteOrder::Little].into_iter().find(|order| small(*order))?;
        Some(Self::new(byte_order, alphabet, 0))
    }

    /// Character set of the names.
    pub fn ccsid(self) -> i32 {
        self.ccsid
    }

    /// The blank of this alphabet.
    pub fn blank(self) -> u8 {
        match self.alphabet {
            Alphabet::Ascii => 0x20,
            Alphabet::Ebcdic => 0x40,
        }
    }

    /// An ASCII digit in this alphabet: the same in all its pages.
    pub(super) fn digit(self, ascii: u8) -> u8 {
        match self.alphabet {
            Alphabet::Ascii => ascii,
            Alphabet::Ebcdic => super::chars::ebcdic(ascii),
        }
    }

    /// The Encoding to announce for this byte order: 273 or 546; a z/OS queue manager's 785 must be asked for.
    pub fn encoding(self) -> i32 {
        match self.byte_order {
            ByteOrder::Big => super::constants::encoding::BIG_IEEE,
            ByteOrder::Little => super::constants::encoding::LITTLE_IEEE,
        }
    }
}

/// What a header says of the piece behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Encoding: integers, decimals and floats (wire reference, headers, D).
    pub encoding: i32,
    /// CodedCharSetId.
    pub ccsid: i32,
    /// Format.
    pub format: Chars<8>,
}

impl Description {
    /// This description where it says nothing (Encoding 0; CodedCharSetId 0, undefined, or -2, inherit) filled in
    /// from the one before it (wire reference, headers, D).
    pub fn inheriting(self, before: Self) -> Self {
        Self {
            encoding: if self.encoding == 0 { before.encoding } else { self.encoding },
            ccsid: if matches!(self.ccsid, 0 | -2) { before.ccsid } else { self.ccsid },
            format: self.format,
        }
    }
}
