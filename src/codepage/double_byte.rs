//! Pages of the ASCII family with characters of one and two bytes, and those that add three (EUC) or four (GB 18030).

use encoding_rs::Encoding;

use super::forward::Forward;
use super::four_bytes::FourBytes;
use super::reverse::Reverse;
use super::unpack::{NONE, Unpacked};

/// Below this many bytes of ASCII in a row, looking for the end of the run costs more than it saves.
const RUN: usize = 8;

/// One page, both ways.
pub(super) struct DoubleByte {
    forward: Forward,
    reverse: Reverse,
    four_bytes: FourBytes,
    ascii_as_it_is: bool,
}

impl DoubleByte {
    pub(super) fn new(unpacked: &Unpacked) -> Self {
        let forward = Forward::new(unpacked);
        let ascii_as_it_is = forward.ascii_as_it_is();
        let four_bytes = FourBytes::new(&unpacked.ranges);
        Self { forward, reverse: Reverse::new(unpacked), four_bytes, ascii_as_it_is }
    }

    /// Text, or the offset of the first byte of a sequence that is cut short or is no character.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<String, usize> {
        let mut text = String::with_capacity(bytes.len() + bytes.len() / 2);
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.ascii_as_it_is && rest.first_chunk::<RUN>().is_some_and(|run| run.is_ascii()) {
                let (ascii, others) = rest.split_at(Encoding::ascii_valid_up_to(rest));
                text.push_str(std::str::from_utf8(ascii).unwrap_or_default());
                rest = others;
                continue;
            }
            let length = self.decode_one(rest, &mut text).ok_or(bytes.len() - rest.len())?;
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(text)
    }

    /// Adds the first character; how many bytes it took.
    fn decode_one(&self, bytes: &[u8], text: &mut String) -> Option<usize> {
        let (&first, rest) = bytes.split_first()?;
        let single = self.forward.single(first);
        if single != NONE {
            return self.forward.push(single, text).then_some(1);
        }
        let (&second, rest) = rest.split_first()?;
        if self.forward.push(self.forward.pair(first, second), text) {
            return Some(2);
        }
        if first == 0x8F
            && let Some(&third) = rest.first()
            && self.forward.push(self.forward.pair_behind_8f(second, third), text)
        {
            return Some(3);
        }
        let character = self.four_bytes.character(*bytes.first_chunk()?)?;
        text.push(character);
        Some(4)
    }

    /// Bytes, or the first character without any and its offset in the text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u8>, (usize, char)> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let ascii = rest.as_bytes();
            if self.ascii_as_it_is && ascii.first_chunk::<RUN>().is_some_and(|run| run.is_ascii()) {
                let (ascii, others) = rest.split_at(Encoding::ascii_valid_up_to(ascii));
                bytes.extend_from_slice(ascii.as_bytes());
                rest = others;
                continue;
            }
            let (code, length) = self.reverse.longest(rest, character);
            let mut buffer = [0; 4];
            match code.bytes(&mut buffer) {
                0 => {
                    let four = self.four_bytes.bytes(character).ok_or((text.len() - rest.len(), character))?;
                    bytes.extend_from_slice(&four);
                }
                count => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(bytes)
    }
}
