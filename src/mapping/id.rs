//! Ids as text: `ID:` and 48 lower-case hex digits for 24 bytes, as IBM's JMS client prints them
//! (mapping rules, section 4).

/// The 24 bytes of an MsgId, CorrelId or GroupId as text: `ID:414d5120...`.
pub fn text(id: &[u8; 24]) -> String {
    let mut text = String::with_capacity(51);
    text.push_str("ID:");
    push_hex(&mut text, id);
    text
}

/// The text of an id that may be unset; all zero is absent.
pub fn optional_text(id: &[u8; 24]) -> Option<String> {
    (!is_zero(id)).then(|| text(id))
}

/// Whether every byte is zero, MQ's way to say "none".
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b == 0)
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(&mut text, bytes);
    text
}

/// Appends bytes as lower-case hex digits.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    text.reserve(bytes.len() * 2);
    for bytes in bytes.chunks(32) {
        let mut digits = [[0; 2]; 32];
        for (to, byte) in digits.iter_mut().zip(bytes) {
            *to = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xF)]];
        }
        let digits = digits.as_flattened().get(..bytes.len() * 2).unwrap_or_default();
        text.push_str(std::str::from_utf8(digits).unwrap_or_default());
    }
}

/// Hex digits, either case, as bytes; none for an odd number of digits or anything else among them.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(byte_of).collect()
}

fn byte_of([high, low]: &[u8; 2]) -> Option<u8> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    };
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// The 24 bytes that an application's text stands for, as IBM's JMS client makes them: `ID:` is hex, anything else
/// is UTF-8; either is filled with zeros, and text is cut at 24 bytes. None where `ID:` is not followed by at most
/// 48 hex digits.
pub fn bytes_of_text(text: &str) -> Option<[u8; 24]> {
    let mut id = [0; 24];
    let Some(digits) = text.strip_prefix("ID:") else {
        for (to, from) in id.iter_mut().zip(text.as_bytes()) {
            *to = *from;
        }
        return Some(id);
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > id.len() {
        return None;
    }
    for (to, pair) in id.iter_mut().zip(pairs) {
        *to = byte_of(pair)?;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_ibm_does() {
        let mut id = [0x20; 24];
        id[..4].copy_from_slice(b"AMQ ");
        assert_eq!(text(&id), "ID:414d51202020202020202020202020202020202020202020");
        assert_eq!(optional_text(&[0; 24]), None);
        assert_eq!(bytes_of_text(&text(&id)), Some(id));
    }

    /// Groups and correlation ids of the JMS samples 057, 058 and 066.
    #[test]
    fn text_ids_are_padded_with_zeros() {
        let mut expected = [0; 24];
        expected[..7].copy_from_slice(b"group-1");
        assert_eq!(bytes_of_text("group-1"), Some(expected));
        assert_eq!(bytes_of_text(&"x".repeat(30)), Some([b'x'; 24]));
        assert_eq!(bytes_of_text("ID:01020"), None);
        assert_eq!(bytes_of_text("ID:zz"), None);
        assert_eq!(bytes_of_text(&format!("ID:{}", "00".repeat(25))), None);
        assert_eq!(unhex("ä"), None);
    }
}
