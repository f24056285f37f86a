//! Pages of one byte a character.

use super::Newline;

/// No character: in tables, and never a character that a page maps to.
const NONE: u16 = 0xFFFD;

/// One page: a table from bytes, and one to bytes that is made from it at compile time.
pub(super) struct SingleByte {
    ccsid: i32,
    to_unicode: [u16; 256],
    /// Bytes of U+0000 to U+007F; above 0xFF where there is none.
    ascii: [u16; 128],
    /// Bytes of the others, in order of the character, `NONE` at the end.
    others: [(u16, u8); 256],
}

impl SingleByte {
    /// A page from what each byte decodes to (0xFFFD: nothing). Where several bytes give one character the lowest
    /// is its byte, unless `exceptions` says otherwise (none: it has no byte).
    pub(super) const fn new(ccsid: i32, to_unicode: [u16; 256], exceptions: &[(u16, Option<u8>)]) -> Self {
        let mut ascii = [NONE; 128];
        let mut others = [(NONE, 0u8); 256];
        let mut count = 0;
        let mut byte = 256;
        while byte > 0 {
            byte -= 1;
            put(&mut ascii, &mut others, &mut count, to_unicode[byte], Some(byte as u8));
        }
        let mut at = 0;
        while at < exceptions.len() {
            put(&mut ascii, &mut others, &mut count, exceptions[at].0, exceptions[at].1);
            at += 1;
        }
        Self { ccsid, to_unicode, ascii, others }
    }

    pub(super) fn ccsid(&self) -> i32 {
        self.ccsid
    }

    /// Text, or the offset of the first byte without a character.
    pub(super) fn decode(&self, newline: Newline, bytes: &[u8]) -> Result<String, usize> {
        let mut table = self.to_unicode;
        if let Some(meanings) = self.newlines(newline) {
            for (byte, character) in meanings {
                if let Some(entry) = table.get_mut(usize::from(byte)) {
                    *entry = character as u16;
                }
            }
        }
        let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
        for (offset, &byte) in bytes.iter().enumerate() {
            match table.get(usize::from(byte)).copied() {
                Some(unit) if unit != NONE => text.push(char::from_u32(u32::from(unit)).ok_or(offset)?),
                _ => return Err(offset),
            }
        }
        Ok(text)
    }

    /// Bytes, or the first character without one and its offset in the text.
    pub(super) fn encode(&self, newline: Newline, text: &str) -> Result<Vec<u8>, (usize, char)> {
        let newlines = self.newlines(newline);
        let mut bytes = Vec::with_capacity(text.len());
        for (index, character) in text.char_indices() {
            let overruled = newlines.and_then(|all| all.iter().find(|(_, newline)| *newline == character).copied());
            let byte = match overruled {
                Some((byte, _)) => Some(byte),
                None => self.byte_of(character),
            };
            bytes.push(byte.ok_or((index, character))?);
        }
        Ok(bytes)
    }

    fn byte_of(&self, character: char) -> Option<u8> {
        let unit = u16::try_from(u32::from(character)).ok().filter(|unit| *unit != NONE)?;
        match self.ascii.get(usize::from(unit)) {
            Some(byte) => u8::try_from(*byte).ok(),
            None => {
                let at = self.others.binary_search_by_key(&unit, |other| other.0).ok()?;
                self.others.get(at).map(|other| other.1)
            }
        }
    }

    fn newlines(&self, newline: Newline) -> Option<[(u8, char); 2]> {
        if super::is_ebcdic(self.ccsid) { newline.overrule() } else { None }
    }
}

/// Sets, or with no byte removes, the byte of one character; keeps `others` sorted.
const fn put(ascii: &mut [u16; 128], others: &mut [(u16, u8); 256], count: &mut usize, unit: u16, byte: Option<u8>) {
    if unit == NONE {
        return;
    }
    if unit < 128 {
        ascii[unit as usize] = match byte {
            Some(byte) => byte as u16,
            None => NONE,
        };
        return;
    }
    let mut at = 0;
    while at < *count && others[at].0 < unit {
        at += 1;
    }
    let there = at < *count && others[at].0 == unit;
    match byte {
        Some(byte) if there => others[at].1 = byte,
        Some(byte) => {
            let mut to = *count;
            while to > at {
                others[to] = others[to - 1];
                to -= 1;
            }
            others[at] = (unit, byte);
            *count += 1;
        }
        None if there => {
            *count -= 1;
            while at < *count {
                others[at] = others[at + 1];
                at += 1;
            }
            others[*count] = (NONE, 0);
        }
        None => {}
    }
}
