//! The form in which pages are stored, `pages/CCSID.page`, written by `tools/codepages`.
//!
//! Numbers are seven bits a byte, lowest first, the top bit set on all bytes but the last. A file is, in this order:
//!
//! 1. **Units**: what each byte sequence decodes to, as one UTF-16 unit each: 256 single bytes; for all kinds but
//!    `Single` then 65536 pairs, and for `Euc` 65536 pairs that stand behind 8F. FFFD is no character, and a surrogate
//!    D800 + n is text n of the next part. They are written as operations, each a number `(count - 1) * 4 + what`:
//!
//!    | what | the next `count` units |
//!    |---|---|
//!    | 0 | are those of the base page |
//!    | 1 | are no characters |
//!    | 2 | count up; a number follows, the zigzag difference of the first from the last unit that was a character |
//!    | 3 | follow, two bytes each, big-endian |
//! 2. **Texts** that are not one unit: their number; for each the number of its characters, and those.
//! 3. **Exceptions**: where several sequences decode to one character its bytes are the first in the order of part 1,
//!    but for these: their number; for each the difference of the character from the one before, and 0 for no bytes or
//!    1 + the place of its bytes in part 1.
//! 4. For `Gb18030` the **ranges** of four bytes: their number; for each the first sequence (counted from 81308130),
//!    its character, and how many follow one another.

use super::registry::Kind;

/// No character; also no character that a page could hold.
pub(super) const NONE: u16 = 0xFFFD;
/// Units from here to 0xDFFF are places in [`Unpacked::texts`].
const TEXT: u16 = 0xD800;
const SINGLES: usize = 0x100;
const PAIRS: usize = 0x1_0000;

/// A page's table as plain lists. The data is our own, so what would be wrong in it is passed over, not reported; the
/// tests compare all of it with its source.
#[derive(Default)]
pub(super) struct Unpacked {
    /// Part 1 of the format.
    pub(super) units: Vec<u16>,
    /// Part 2.
    pub(super) texts: Vec<String>,
    /// Part 3: a character, and the place of its bytes in `units` or none.
    pub(super) exceptions: Vec<(char, Option<usize>)>,
    /// Part 4: first sequence, first character, count.
    pub(super) ranges: Vec<[u32; 3]>,
}

impl Unpacked {
    pub(super) fn read(kind: Kind, base: Option<&Self>, data: &[u8]) -> Self {
        let mut numbers = Numbers { data };
        let mut page = Self { units: units(kind, base, &mut numbers), ..Self::default() };
        for _ in 0..numbers.next() {
            let count = numbers.next();
            page.texts.push((0..count).filter_map(|_| char::from_u32(numbers.next())).collect());
        }
        let mut character = 0;
        for _ in 0..numbers.next() {
            character += numbers.next();
            let place = usize::try_from(numbers.next()).ok().and_then(|place| place.checked_sub(1));
            page.exceptions.extend(char::from_u32(character).map(|character| (character, place)));
        }
        if kind == Kind::Gb18030 {
            for _ in 0..numbers.next() {
                page.ranges.push([numbers.next(), numbers.next(), numbers.next()]);
            }
        }
        page
    }

    /// Gives single bytes other meanings, both ways.
    pub(super) fn overrule(&mut self, meanings: [(u8, char); 2]) {
        for (byte, character) in meanings {
            let place = usize::from(byte);
            if let (Some(unit), Ok(value)) = (self.units.get_mut(place), u16::try_from(u32::from(character))) {
                *unit = value;
            }
            self.exceptions.retain(|(other, _)| *other != character);
            self.exceptions.push((character, Some(place)));
        }
    }

    /// The 256 units of single bytes, or of the second bytes behind a lead byte (`lead` 0x000 to 0x0FF: pairs; 0x100
    /// to 0x1FF: pairs behind 8F).
    pub(super) fn singles(&self) -> [u16; 256] {
        self.row(0)
    }

    pub(super) fn seconds(&self, lead: usize) -> [u16; 256] {
        self.row(1 + lead)
    }

    fn row(&self, row: usize) -> [u16; 256] {
        let units = self.units.get(row * SINGLES..(row + 1) * SINGLES);
        units.and_then(|units| units.try_into().ok()).unwrap_or([NONE; 256])
    }

    /// The text of a unit, where it is not the unit itself.
    pub(super) fn text(&self, unit: u16) -> Option<&str> {
        text_number(unit).and_then(|number| self.texts.get(number)).map(String::as_str)
    }
}

/// The number of the text that a unit stands for.
pub(super) fn text_number(unit: u16) -> Option<usize> {
    (TEXT..0xE000).contains(&unit).then(|| usize::from(unit - TEXT))
}

fn units(kind: Kind, base: Option<&Unpacked>, numbers: &mut Numbers<'_>) -> Vec<u16> {
    let length = match kind {
        Kind::Single => SINGLES,
        Kind::Double | Kind::Gb18030 | Kind::Mixed => SINGLES + PAIRS,
        Kind::Euc => SINGLES + 2 * PAIRS,
    };
    let mut units = Vec::with_capacity(length);
    let mut last = 0u16;
    while units.len() < length && !numbers.data.is_empty() {
        let operation = numbers.next();
        let count = ((operation >> 2) as usize + 1).min(length - units.len());
        match operation & 3 {
            0 => {
                let from = units.len();
                units.extend(base.and_then(|base| base.units.get(from..from + count)).unwrap_or_default());
            }
            1 => units.resize(units.len() + count, NONE),
            2 => {
                let first = last.wrapping_add(unzigzag(numbers.next()));
                units.extend((0..count).map(|at| first.wrapping_add(at as u16)));
            }
            _ => units.extend((0..count).map(|_| numbers.unit())),
        }
        last = units.last().copied().filter(|unit| *unit != NONE).unwrap_or(last);
    }
    units
}

fn unzigzag(number: u32) -> u16 {
    ((number >> 1) as u16) ^ 0u16.wrapping_sub((number & 1) as u16)
}

struct Numbers<'a> {
    data: &'a [u8],
}

impl Numbers<'_> {
    fn next(&mut self) -> u32 {
        let mut number = 0;
        let mut shift = 0;
        while let [byte, rest @ ..] = self.data {
            self.data = rest;
            number |= u32::from(byte & 0x7F) << shift;
            shift += 7;
            if *byte < 0x80 || shift > 28 {
                break;
            }
        }
        number
    }

    fn unit(&mut self) -> u16 {
        match self.data {
            [high, low, rest @ ..] => {
                self.data = rest;
                u16::from_be_bytes([*high, *low])
            }
            _ => NONE,
        }
    }
}
