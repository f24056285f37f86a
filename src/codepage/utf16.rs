//! UTF-16 in either byte order.

use crate::wire::ByteOrder;

/// Units of ASCII that are taken at a time.
const BLOCK: usize = 16;

/// Text, or the offset of the first byte of what is not a character. A byte order mark at the start decides the
/// order and is dropped.
pub(super) fn decode_marked(byte_order: ByteOrder, bytes: &[u8]) -> Result<String, usize> {
    let (order, rest) = match bytes {
        [0xFE, 0xFF, rest @ ..] => (ByteOrder::Big, rest),
        [0xFF, 0xFE, rest @ ..] => (ByteOrder::Little, rest),
        _ => (byte_order, bytes),
    };
    decode(order, rest).map_err(|offset| offset + bytes.len() - rest.len())
}

/// Text, or the offset of the first byte of what is not a character; a byte order mark stays as U+FEFF.
pub(super) fn decode(byte_order: ByteOrder, bytes: &[u8]) -> Result<String, usize> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut rest = pairs;
    while !rest.is_empty() {
        if let Some((block, others)) = rest.split_first_chunk::<BLOCK>() {
            let units = block.map(|pair| byte_order.u16(pair));
            if units.iter().fold(0, |all, unit| all | unit) < 0x80 {
                let ascii = units.map(|unit| unit as u8);
                text.push_str(std::str::from_utf8(&ascii).unwrap_or_default());
                rest = others;
                continue;
            }
        }
        let (some, others) = rest.split_at(rest.len().min(BLOCK));
        let taken =
            decode_some(byte_order, some, others, &mut text).map_err(|at| 2 * (pairs.len() - rest.len() + at))?;
        rest = rest.get(taken..).unwrap_or_default();
    }
    if odd.is_empty() { Ok(text) } else { Err(2 * pairs.len()) }
}

/// Adds the characters of a block, and of one unit more where a surrogate pair lies across its end; how many units
/// that took, or the place of a lone surrogate.
fn decode_some(order: ByteOrder, some: &[[u8; 2]], others: &[[u8; 2]], text: &mut String) -> Result<usize, usize> {
    let mut at = 0;
    while let Some(pair) = some.get(at) {
        let unit = order.u16(*pair);
        let character = match char::from_u32(u32::from(unit)) {
            Some(character) => character,
            None => {
                let low = some.get(at + 1).or_else(|| others.first()).map(|pair| order.u16(*pair));
                let mut both = char::decode_utf16([Some(unit), low].into_iter().flatten());
                both.next().and_then(Result::ok).ok_or(at)?
            }
        };
        text.push(character);
        at += character.len_utf16();
    }
    Ok(at)
}

/// Bytes, without a byte order mark.
pub(super) fn encode(byte_order: ByteOrder, text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * text.len());
    let mut rest = text;
    while !rest.is_empty() {
        while let Some((block, others)) = rest.as_bytes().split_first_chunk::<BLOCK>() {
            if !block.is_ascii() {
                break;
            }
            let units = block.map(|byte| byte_order.u16_bytes(u16::from(byte)));
            bytes.extend_from_slice(units.as_flattened());
            rest = rest.get(rest.len() - others.len()..).unwrap_or_default();
        }
        let mut characters = rest.chars();
        for character in characters.by_ref().take(BLOCK) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                bytes.extend_from_slice(&byte_order.u16_bytes(*unit));
            }
        }
        rest = characters.as_str();
    }
    bytes
}
