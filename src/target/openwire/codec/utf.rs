//! Java's modified UTF-8: NUL is C0 80, and a character beyond the BMP is its two surrogates, three bytes each.

use std::borrow::Cow;

/// `text` as modified UTF-8; borrowed where that is the same bytes as UTF-8, as it mostly is.
pub(super) fn encode(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|byte| byte == 0 || byte >= 0xF0) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len() + text.len() / 2);
    let mut units = [0; 2];
    for c in text.chars() {
        match c {
            '\0' => bytes.extend_from_slice(&[0xC0, 0x80]),
            '\u{10000}'.. => {
                for unit in c.encode_utf16(&mut units) {
                    let [high, low] = unit.to_be_bytes();
                    bytes.extend_from_slice(&[
                        0xE0 | high >> 4,
                        0x80 | (high & 0x0F) << 2 | low >> 6,
                        0x80 | low & 0x3F,
                    ]);
                }
            }
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// Reads modified UTF-8. Half of a surrogate pair, which Java can hold and Rust cannot, becomes U+FFFD; plain UTF-8 of
/// four bytes, which some clients write, is taken too.
///
/// # Errors
/// Bytes into the text of what is neither.
pub(super) fn decode(bytes: &[u8]) -> Result<String, usize> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => decode_units(bytes, error.valid_up_to()),
    }
}

/// The slow way from the first byte on that is not UTF-8.
fn decode_units(bytes: &[u8], plain: usize) -> Result<String, usize> {
    let (before, mut rest) = bytes.split_at(plain);
    let mut text = String::with_capacity(bytes.len());
    text.push_str(&String::from_utf8_lossy(before));
    let mut high: Option<u32> = None;
    while let Some(&first) = rest.first() {
        let (value, length) = sequence(first, rest).ok_or(bytes.len() - rest.len())?;
        rest = &rest[length..];
        match (high.take(), value) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let c = 0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00);
                text.push(char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
                continue;
            }
            (Some(_), _) => text.push(char::REPLACEMENT_CHARACTER),
            (None, _) => {}
        }
        if (0xD800..0xDC00).contains(&value) {
            high = Some(value);
        } else {
            text.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }
    if high.is_some() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    Ok(text)
}

/// One sequence's value and length, as Java's own reader takes it: overlong forms are not refused.
fn sequence(first: u8, rest: &[u8]) -> Option<(u32, usize)> {
    let tail = |at: usize| rest.get(at).filter(|byte| **byte & 0xC0 == 0x80).map(|byte| u32::from(byte & 0x3F));
    let lead = u32::from(first);
    match first {
        0x00..=0x7F => Some((lead, 1)),
        0xC0..=0xDF => Some(((lead & 0x1F) << 6 | tail(1)?, 2)),
        0xE0..=0xEF => Some(((lead & 0x0F) << 12 | tail(1)? << 6 | tail(2)?, 3)),
        0xF0..=0xF4 => Some(((lead & 0x07) << 18 | tail(1)? << 12 | tail(2)? << 6 | tail(3)?, 4)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_java_platform_documents_it() {
        // java.io.DataInput, "Modified UTF-8": U+0000 is two bytes, supplementary characters are two surrogates.
        let text = "a\0é€\u{1F600}";
        let bytes = b"a\xC0\x80\xC3\xA9\xE2\x82\xAC\xED\xA0\xBD\xED\xB8\x80";
        assert_eq!(encode(text).as_ref(), bytes);
        assert_eq!(decode(bytes).as_deref(), Ok(text));
        assert!(matches!(encode("plain €"), Cow::Borrowed(_)));
    }

    #[test]
    fn halves_of_pairs_and_plain_utf_8() {
        assert_eq!(decode(b"x\xED\xA0\xBDy").as_deref(), Ok("x\u{FFFD}y"));
        assert_eq!(decode(b"\xED\xA0\xBD").as_deref(), Ok("\u{FFFD}"));
        assert_eq!(decode(b"\xED\xB8\x80\xED\xA0\xBD\xED\xB8\x80").as_deref(), Ok("\u{FFFD}\u{1F600}"));
        assert_eq!(decode("\u{1F600}".as_bytes()).as_deref(), Ok("\u{1F600}"));
        assert_eq!(decode(b"\xC0\x80\xF0\x9F\x98\x80").as_deref(), Ok("\0\u{1F600}"));
    }

    #[test]
    fn what_is_neither_is_refused_where_it_is() {
        for (bytes, at) in [
            (&b"ab\x80"[..], 2),
            (b"ab\xC3", 2),
            (b"\xC0\x80\xE2\x82", 2),
            (b"\xFF", 0),
            (b"\xE2\x82\x41", 0),
            (b"\xF5\x80\x80\x80", 0),
        ] {
            assert_eq!(decode(bytes), Err(at), "{bytes:02x?}");
        }
    }
}
