//! UTF-16 in either byte order.

use crate::wire::ByteOrder;

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
    let mut offset = 0;
    for character in char::decode_utf16(pairs.iter().map(|pair| byte_order.u16(*pair))) {
        let character = character.map_err(|_| offset)?;
        offset += 2 * character.len_utf16();
        text.push(character);
    }
    if odd.is_empty() { Ok(text) } else { Err(offset) }
}

/// Bytes, without a byte order mark.
pub(super) fn encode(byte_order: ByteOrder, text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| byte_order.u16_bytes(unit)).collect()
}
