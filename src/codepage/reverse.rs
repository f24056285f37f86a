//! From text to the bytes of a page whose characters may take several.

use super::unpack::{NONE, Unpacked, text_number};

/// One to three bytes; no bytes: the page has none for that text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Code(u32);

impl Code {
    /// The bytes at a place of [`Unpacked::units`].
    fn at(place: usize) -> Self {
        let place = place as u32;
        Self(match place {
            0..0x100 => 1 << 24 | place,
            0x100..0x1_0100 => 2 << 24 | (place - 0x100),
            _ => 3 << 24 | 0x8F_0000 | ((place - 0x1_0100) & 0xFFFF),
        })
    }

    /// The bytes; empty where there are none.
    pub(super) fn bytes(&self, buffer: &mut [u8; 4]) -> usize {
        let [length, bytes @ ..] = self.0.to_be_bytes();
        let length = usize::from(length);
        let [first, second, third] = bytes;
        *buffer = match length {
            1 => [third, 0, 0, 0],
            2 => [second, third, 0, 0],
            _ => [first, second, third, 0],
        };
        length
    }

    fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// The codes of a page's characters and of its texts of several.
pub(super) struct Reverse {
    /// The row of each high byte of a character in the basic plane; row 0 is empty.
    row_of: [u16; 256],
    rows: Vec<[Code; 256]>,
    /// What is not one character of the basic plane, in order.
    texts: Vec<(String, Code)>,
    /// Second characters of the texts of several.
    seconds: Vec<char>,
}

impl Reverse {
    pub(super) fn new(unpacked: &Unpacked) -> Self {
        let mut reverse =
            Self { row_of: [0; 256], rows: vec![[Code::default(); 256]], texts: Vec::new(), seconds: Vec::new() };
        for (place, &unit) in unpacked.units.iter().enumerate().rev() {
            match unpacked.text(unit) {
                Some(text) => reverse.set_text(text, Some(place)),
                None if unit == NONE || text_number(unit).is_some() => {}
                None => reverse.set_unit(unit, Some(place)),
            }
        }
        for &(character, place) in &unpacked.exceptions {
            match u16::try_from(u32::from(character)) {
                Ok(unit) => reverse.set_unit(unit, place),
                Err(_) => reverse.set_text(character.encode_utf8(&mut [0; 4]), place),
            }
        }
        reverse
    }

    fn set_unit(&mut self, unit: u16, place: Option<usize>) {
        let [high, low] = unit.to_be_bytes();
        if self.row_of[usize::from(high)] == 0 {
            self.row_of[usize::from(high)] = self.rows.len() as u16;
            self.rows.push([Code::default(); 256]);
        }
        if let Some(row) = self.rows.get_mut(usize::from(self.row_of[usize::from(high)])) {
            row[usize::from(low)] = place.map(Code::at).unwrap_or_default();
        }
    }

    fn set_text(&mut self, text: &str, place: Option<usize>) {
        let code = place.map(Code::at).unwrap_or_default();
        match self.texts.binary_search_by(|(other, _)| other.as_str().cmp(text)) {
            Ok(at) => {
                if let Some(entry) = self.texts.get_mut(at) {
                    entry.1 = code;
                }
            }
            Err(at) => self.texts.insert(at, (text.to_owned(), code)),
        }
        if let Some(second) = text.chars().nth(1)
            && !self.seconds.contains(&second)
        {
            self.seconds.push(second);
        }
    }

    /// The code of the longest text that the rest of a text begins with, and the length in bytes of that text. The
    /// rest begins with `character`.
    pub(super) fn longest(&self, rest: &str, character: char) -> (Code, usize) {
        let length = character.len_utf8();
        if !self.seconds.is_empty()
            && let Some(second) = rest.get(length..).and_then(|rest| rest.chars().next())
            && self.seconds.contains(&second)
        {
            let both = length + second.len_utf8();
            let code = rest.get(..both).map(|text| self.text(text)).unwrap_or_default();
            if !code.is_none() {
                return (code, both);
            }
        }
        (self.character(character), length)
    }

    fn character(&self, character: char) -> Code {
        match u32::from(character).to_be_bytes() {
            [0, 0, high, low] => {
                let row = usize::from(self.row_of[usize::from(high)]);
                self.rows.get(row).map(|row| row[usize::from(low)]).unwrap_or_default()
            }
            _ => self.text(character.encode_utf8(&mut [0; 4])),
        }
    }

    fn text(&self, text: &str) -> Code {
        let found = self.texts.binary_search_by(|(other, _)| other.as_str().cmp(text)).ok();
        found.and_then(|at| self.texts.get(at)).map(|(_, code)| *code).unwrap_or_default()
    }
}
