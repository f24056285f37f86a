//! The four-byte half of GB 18030: sequences that count through the characters that two bytes do not reach.

/// Ranges of sequences that count up with the characters. Empty for every other page.
pub(super) struct FourBytes {
    /// First sequence, first character, count; in order of the sequence.
    by_sequence: Vec<[u32; 3]>,
    /// The same in order of the character.
    by_character: Vec<[u32; 3]>,
}

impl FourBytes {
    pub(super) fn new(ranges: &[[u32; 3]]) -> Self {
        let mut by_character = ranges.to_vec();
        by_character.sort_unstable_by_key(|[_, character, _]| *character);
        Self { by_sequence: ranges.to_vec(), by_character }
    }

    pub(super) fn character(&self, bytes: [u8; 4]) -> Option<char> {
        let digit = |byte: u8, least: u8, most: u8| (least..=most).contains(&byte).then(|| u32::from(byte - least));
        let [first, second, third, fourth] = bytes;
        let sequence =
            ((digit(first, 0x81, 0xFE)? * 10 + digit(second, 0x30, 0x39)?) * 126 + digit(third, 0x81, 0xFE)?) * 10
                + digit(fourth, 0x30, 0x39)?;
        let after = self.by_sequence.partition_point(|[first, ..]| *first <= sequence);
        let [first, character, count] = self.by_sequence.get(after.checked_sub(1)?)?;
        let at = sequence - first;
        (at < *count).then(|| char::from_u32(character + at)).flatten()
    }

    pub(super) fn bytes(&self, character: char) -> Option<[u8; 4]> {
        let point = u32::from(character);
        let after = self.by_character.partition_point(|[_, first, _]| *first <= point);
        let [sequence, first, count] = self.by_character.get(after.checked_sub(1)?)?;
        let at = point - first;
        if at >= *count {
            return None;
        }
        let sequence = sequence + at;
        let byte = |number: u32, least: u8| u8::try_from(number).ok()?.checked_add(least);
        Some([
            byte(sequence / 12600, 0x81)?,
            byte(sequence / 1260 % 10, 0x30)?,
            byte(sequence / 10 % 126, 0x81)?,
            byte(sequence % 10, 0x30)?,
        ])
    }
}
