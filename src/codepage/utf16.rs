//! UTF-16 in either byte order.

use std::borrow::Cow;

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
    let encoding = match byte_order {
        ByteOrder::Big => encoding_rs::UTF_16BE,
        ByteOrder::Little => encoding_rs::UTF_16LE,
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(Cow::into_owned).ok_or_else(|| first_malformed(byte_order, bytes))
}

/// The offset of the first lone surrogate, or of half a unit at the end.
fn first_malformed(byte_order: ByteOrder, bytes: &[u8]) -> usize {
    let (pairs, _) = bytes.as_chunks::<2>();
    let characters = char::decode_utf16(pairs.iter().map(|pair| byte_order.u16(*pair)));
    characters.map_while(Result::ok).map(|character| 2 * character.len_utf16()).sum()
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
