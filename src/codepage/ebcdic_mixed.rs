//! EBCDIC pages with pairs of bytes between shift-out and shift-in.
//!
//! A text begins and ends shifted in. Shift-out while out, shift-in while in, half a pair before shift-in and an end
//! without shift-in are malformed: what follows would otherwise be read as other characters than were meant.

use super::forward::Forward;
use super::reverse::Reverse;
use super::unpack::Unpacked;

const SHIFT_OUT: u8 = 0x0E;
const SHIFT_IN: u8 = 0x0F;

/// One page, both ways.
pub(super) struct EbcdicMixed {
    forward: Forward,
    reverse: Reverse,
}

impl EbcdicMixed {
    pub(super) fn new(unpacked: &Unpacked) -> Self {
        Self { forward: Forward::new(unpacked), reverse: Reverse::new(unpacked) }
    }

    /// Text, or the offset of the first byte that is no character or a shift out of place; at the end of a text that
    /// stays shifted out, the offset of its shift-out.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<String, usize> {
        let mut text = String::with_capacity(bytes.len() + bytes.len() / 2);
        let mut rest = bytes;
        let mut shifted_out = None;
        while let [first, others @ ..] = rest {
            let offset = bytes.len() - rest.len();
            rest = match (shifted_out, *first, others) {
                (None, SHIFT_OUT, others) => {
                    shifted_out = Some(offset);
                    others
                }
                (Some(_), SHIFT_IN, others) => {
                    shifted_out = None;
                    others
                }
                (None, single, others) if self.forward.push(self.forward.single(single), &mut text) => others,
                (Some(_), first, [second, others @ ..])
                    if self.forward.push(self.forward.pair(first, *second), &mut text) =>
                {
                    others
                }
                _ => return Err(offset),
            };
        }
        shifted_out.map_or(Ok(text), Err)
    }

    /// Bytes, or the first character without any and its offset in the text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u8>, (usize, char)> {
        let mut bytes = Vec::with_capacity(text.len() + 2);
        let mut rest = text;
        let mut shifted_out = false;
        while let Some(character) = rest.chars().next() {
            let (code, length) = self.reverse.longest(rest, character);
            let mut buffer = [0; 4];
            let count = code.bytes(&mut buffer);
            if count == 0 {
                return Err((text.len() - rest.len(), character));
            }
            if shifted_out != (count > 1) {
                bytes.push(if shifted_out { SHIFT_IN } else { SHIFT_OUT });
                shifted_out = !shifted_out;
            }
            bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
        }
        if shifted_out {
            bytes.push(SHIFT_IN);
        }
        Ok(bytes)
    }
}
