//! From the bytes of a page whose characters may take several to text.

use super::unpack::{NONE, Unpacked, text_number};

/// What single bytes and pairs of bytes are.
pub(super) struct Forward {
    singles: [u16; 256],
    /// The row of each lead byte, and 256 more for those behind 8F; row 0 is empty.
    row_of: Vec<u16>,
    rows: Vec<[u16; 256]>,
    texts: Vec<String>,
}

impl Forward {
    pub(super) fn new(unpacked: &Unpacked) -> Self {
        let mut row_of = vec![0; 512];
        let mut rows = vec![[NONE; 256]];
        for (lead, row_of) in row_of.iter_mut().enumerate() {
            let row = unpacked.seconds(lead);
            if row.iter().any(|unit| *unit != NONE) {
                *row_of = rows.len() as u16;
                rows.push(row);
            }
        }
        Self { singles: unpacked.singles(), row_of, rows, texts: unpacked.texts.clone() }
    }

    /// The unit of a single byte; [`NONE`] where it is nothing or begins a longer sequence.
    pub(super) fn single(&self, byte: u8) -> u16 {
        self.singles[usize::from(byte)]
    }

    /// The unit of two bytes, [`NONE`] where they are nothing.
    pub(super) fn pair(&self, lead: u8, second: u8) -> u16 {
        self.row(usize::from(lead), second)
    }

    /// The unit of 8F and two bytes, [`NONE`] where they are nothing.
    pub(super) fn pair_behind_8f(&self, lead: u8, second: u8) -> u16 {
        self.row(0x100 + usize::from(lead), second)
    }

    fn row(&self, lead: usize, second: u8) -> u16 {
        let row = self.row_of.get(lead).and_then(|row| self.rows.get(usize::from(*row)));
        row.map_or(NONE, |row| row[usize::from(second)])
    }

    /// Adds what a unit stands for; false where that is nothing.
    pub(super) fn push(&self, unit: u16, text: &mut String) -> bool {
        if unit == NONE {
            return false;
        }
        if let Some(character) = char::from_u32(u32::from(unit)) {
            text.push(character);
            return true;
        }
        match text_number(unit).and_then(|number| self.texts.get(number)) {
            Some(several) => text.push_str(several),
            None => return false,
        }
        true
    }

    /// Whether the bytes 0x00 to 0x7F are ASCII.
    pub(super) fn ascii_as_it_is(&self) -> bool {
        self.singles.iter().take(0x80).enumerate().all(|(byte, unit)| usize::from(*unit) == byte)
    }
}
