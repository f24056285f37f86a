//! Pages of one byte a character.
//!
//! Both ways copy or translate runs of ASCII in blocks, and look the rest up one by one: text is mostly ASCII letters
//! and digits even in EBCDIC.

use encoding_rs::Encoding;

use super::unpack::{NONE, Unpacked};

/// Bytes that are translated at a time.
const BLOCK: usize = 16;

/// One page, both ways.
pub(super) struct SingleByte {
    /// What each byte is where that is ASCII, 0x80 where it is not.
    ascii_of: [u8; 256],
    /// What each byte is in UTF-8, and fourth the length of that (0: no character).
    utf8: [[u8; 4]; 256],
    /// Bytes 0x00 to 0x7F are ASCII, and ASCII is these.
    ascii_as_it_is: bool,
    to_bytes: ToBytes,
}

impl SingleByte {
    pub(super) fn new(unpacked: &Unpacked) -> Self {
        let units = unpacked.singles();
        let to_bytes = ToBytes::new(unpacked);
        let ascii_of = units.map(|unit| u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(0x80));
        let ascii_as_it_is = (0..0x80u8)
            .all(|byte| ascii_of[usize::from(byte)] == byte && to_bytes.byte(char::from(byte)) == Some(byte));
        Self { ascii_of, utf8: units.map(utf8), ascii_as_it_is, to_bytes }
    }

    /// Text, or the offset of the first byte without a character.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<String, usize> {
        let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8);
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.ascii_as_it_is {
                let (ascii, others) = rest.split_at(Encoding::ascii_valid_up_to(rest));
                text.extend_from_slice(ascii);
                rest = others;
            }
            let (block, others) = rest.split_at(rest.len().min(BLOCK));
            self.decode_block(block, &mut text).map_err(|at| bytes.len() - rest.len() + at)?;
            rest = others;
        }
        String::from_utf8(text).map_err(|error| error.utf8_error().valid_up_to())
    }

    fn decode_block(&self, block: &[u8], text: &mut Vec<u8>) -> Result<(), usize> {
        if let Some(block) = block.first_chunk::<BLOCK>() {
            let translated = block.map(|byte| self.ascii_of[usize::from(byte)]);
            if translated.iter().fold(0, |all, byte| all | byte) < 0x80 {
                text.extend_from_slice(&translated);
                return Ok(());
            }
        }
        // four bytes are stored for each, and the next ones over those that do not count
        let mut translated = [0; 3 * BLOCK + 1];
        let mut length = 0;
        for (at, &byte) in block.iter().enumerate() {
            let utf8 = self.utf8[usize::from(byte)];
            let count = usize::from(utf8[3]);
            if count == 0 {
                return Err(at);
            }
            if let Some(place) = translated.get_mut(length..length + 4) {
                place.copy_from_slice(&utf8);
            }
            length += count;
        }
        text.extend_from_slice(translated.get(..length).unwrap_or_default());
        Ok(())
    }

    /// Bytes, or the first character without one and its offset in the text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u8>, (usize, char)> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            if self.ascii_as_it_is {
                let (ascii, others) = rest.split_at(Encoding::ascii_valid_up_to(rest.as_bytes()));
                bytes.extend_from_slice(ascii.as_bytes());
                rest = others;
            } else {
                while let Some((block, others)) = rest.as_bytes().split_first_chunk::<BLOCK>() {
                    let Some(translated) = self.to_bytes.ascii(block) else { break };
                    bytes.extend_from_slice(&translated);
                    rest = rest.get(rest.len() - others.len()..).unwrap_or_default();
                }
            }
            // what is not a block of ASCII, character by character up to the next chance of one
            let mut characters = rest.chars();
            let mut met_others = false;
            while let Some(character) = characters.next() {
                let index = text.len() - rest.len();
                bytes.push(self.to_bytes.byte(character).ok_or((index, character))?);
                rest = characters.as_str();
                if met_others && character.is_ascii() {
                    break;
                }
                met_others |= !character.is_ascii();
            }
        }
        Ok(bytes)
    }
}

/// From characters to bytes: rows of 256 for the high bytes of the characters that the page has. Four or five rows do,
/// so they stay in the processor's first cache.
struct ToBytes {
    row_of: [u8; 256],
    rows: Vec<[u8; 256]>,
    /// Rows hold 0 for none; this is the only character whose byte is 0.
    zero: Option<char>,
    /// The first half of row 0, where all of it has bytes.
    ascii: Option<[u8; 128]>,
}

impl ToBytes {
    fn new(unpacked: &Unpacked) -> Self {
        let mut table = Self { row_of: [0; 256], rows: vec![[0; 256]], zero: None, ascii: None };
        for (byte, unit) in unpacked.singles().into_iter().enumerate().rev() {
            if let (Some(character), true) = (char::from_u32(u32::from(unit)), unit != NONE) {
                table.set(character, Some(byte));
            }
        }
        for &(character, place) in &unpacked.exceptions {
            table.set(character, place);
        }
        table.ascii = table.rows.first().and_then(|row| row.first_chunk::<128>().copied());
        if table.zero != Some('\0') || table.ascii.is_some_and(|ascii| ascii.iter().skip(1).any(|byte| *byte == 0)) {
            table.ascii = None;
        }
        table
    }

    /// `byte` is below 256: the page has one byte a character.
    fn set(&mut self, character: char, byte: Option<usize>) {
        let [0, 0, high, low] = u32::from(character).to_be_bytes() else { return };
        let byte = byte.and_then(|byte| u8::try_from(byte).ok());
        if byte == Some(0) {
            self.zero = Some(character);
        }
        if high != 0 && self.row_of[usize::from(high)] == 0 {
            self.row_of[usize::from(high)] = self.rows.len() as u8;
            self.rows.push([0; 256]);
        }
        if let Some(row) = self.rows.get_mut(usize::from(self.row_of[usize::from(high)])) {
            row[usize::from(low)] = byte.unwrap_or(0);
        }
    }

    fn byte(&self, character: char) -> Option<u8> {
        let [0, 0, high, low] = u32::from(character).to_be_bytes() else { return None };
        let row = self.row_of[usize::from(high)];
        if row == 0 && high != 0 {
            return None;
        }
        match self.rows.get(usize::from(row)).map(|row| row[usize::from(low)]) {
            Some(0) => (self.zero == Some(character)).then_some(0),
            byte => byte,
        }
    }

    /// The bytes of a block, where it is ASCII and the page has all of ASCII.
    fn ascii(&self, block: &[u8; BLOCK]) -> Option<[u8; BLOCK]> {
        let table = self.ascii.as_ref()?;
        let all_ascii = block.iter().fold(0, |all, byte| all | byte) < 0x80;
        all_ascii.then(|| block.map(|byte| table[usize::from(byte & 0x7F)]))
    }
}

fn utf8(unit: u16) -> [u8; 4] {
    let mut utf8 = [0; 4];
    if let (Some(character), true) = (char::from_u32(u32::from(unit)), unit != NONE) {
        utf8[3] = character.encode_utf8(&mut utf8).len() as u8;
    }
    utf8
}
