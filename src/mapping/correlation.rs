//! Correlation ids of requests as 24 bytes that give their text back: UUIDs, which are longer than CorrelId as text.
//!
//! An application of MQ that answers copies CorrelId, and knows nothing of text. Cut at 24 bytes a UUID is neither the one that
//! the asker waits for, nor sure to be another than that of the next request.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 3 | `MQFU` |
//! | 4 | how it was spelled: 1 without hyphens, 2 in capital letters |
//! | 5 to 7 | zero |
//! | 8 to 23 | the UUID |

use super::id;

const TAG: [u8; 4] = *b"MQFU";
const WITHOUT_HYPHENS: u8 = 1;
const CAPITALS: u8 = 2;
/// Where the hyphens are.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A UUID's text, with its hyphens or without, as CorrelId; none for any other text, and for one that mixes small and
/// capital letters, which would not come back as it was.
pub fn of_uuid(text: &str) -> Option<[u8; 24]> {
    let mut spelling = 0;
    let digits = match text.len() {
        36 if HYPHENS.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-')) => text.replace('-', ""),
        32 => {
            spelling |= WITHOUT_HYPHENS;
            text.to_owned()
        }
        _ => return None,
    };
    if digits.bytes().any(|b| b.is_ascii_uppercase()) {
        if digits.bytes().any(|b| b.is_ascii_lowercase()) {
            return None;
        }
        spelling |= CAPITALS;
    }
    let uuid: [u8; 16] = id::unhex(&digits)?.try_into().ok()?;
    let head = TAG.into_iter().chain([spelling, 0, 0, 0]);
    let mut bytes = [0; 24];
    bytes.iter_mut().zip(head.chain(uuid)).for_each(|(to, from)| *to = from);
    Some(bytes)
}

/// The text that [`of_uuid`] made these bytes of; none where it did not.
pub fn uuid_text(bytes: &[u8; 24]) -> Option<String> {
    let spelling = *bytes.strip_prefix(&TAG)?.first()?;
    let mut text = id::hex(bytes.get(8..)?);
    if spelling & CAPITALS != 0 {
        text.make_ascii_uppercase();
    }
    if spelling & WITHOUT_HYPHENS == 0 {
        HYPHENS.iter().for_each(|at| text.insert(*at, '-'));
    }
    // Bytes that it would not have made are somebody else's.
    (of_uuid(&text).as_ref() == Some(bytes)).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The UUID of RFC 4122, section 3.
    #[test]
    fn a_uuid_is_a_tag_its_spelling_and_its_bytes() {
        let mut expected = *b"MQFU\0\0\0\0\xF8\x1D\x4F\xAE\x7D\xEC\x11\xD0\xA7\x65\x00\xA0\xC9\x1E\x6B\xF6";
        for (spelling, text) in [
            (0, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
            (1, "f81d4fae7dec11d0a76500a0c91e6bf6"),
            (2, "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"),
            (3, "F81D4FAE7DEC11D0A76500A0C91E6BF6"),
        ] {
            expected[4] = spelling;
            assert_eq!(of_uuid(text), Some(expected), "{text}");
            assert_eq!(uuid_text(&expected).as_deref(), Some(text));
        }
        for odd in [
            "",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6 ",
            "f81d4fae7dec-11d0-a765-00a0c91e-6bf6",
            "F81D4FAE-7dec-11d0-a765-00a0c91e6bf6",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
            "f81d4fae-7dec-11d0-a765--0a0c91e6bf6",
            "ID:f81d4fae-7dec-11d0-a765-00a0c91e6",
            "ääääääääääääääää",
        ] {
            assert_eq!(of_uuid(odd), None, "{odd}");
        }
    }

    #[test]
    fn bytes_that_it_did_not_make_are_left_alone() {
        let mut bytes = *b"MQFU\0\0\0\0\xF8\x1D\x4F\xAE\x7D\xEC\x11\xD0\xA7\x65\x00\xA0\xC9\x1E\x6B\xF6";
        bytes[4] = 4;
        assert_eq!(uuid_text(&bytes), None, "a spelling that there is not");
        (bytes[4], bytes[7]) = (0, 1);
        assert_eq!(uuid_text(&bytes), None, "zeros that are none");
        bytes[7] = 0;
        bytes[0] = b'A';
        assert_eq!(uuid_text(&bytes), None, "another tag");
        let mut digits = *b"MQFU\x02\0\0\0................";
        digits[8..].fill(0x11);
        assert_eq!(uuid_text(&digits), None, "capital letters where there is no letter");
    }

    proptest! {
        #[test]
        fn what_became_24_bytes_comes_back(text in "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-F]{32}|[0-9a-f-]{36}") {
            if let Some(bytes) = of_uuid(&text) {
                prop_assert_eq!(uuid_text(&bytes), Some(text));
            }
        }

        #[test]
        fn what_became_text_goes_back(spelling in 0..5_u8, uuid: [u8; 16]) {
            let mut bytes = [0; 24];
            bytes[..4].copy_from_slice(&TAG);
            bytes[4] = spelling;
            bytes[8..].copy_from_slice(&uuid);
            if let Some(text) = uuid_text(&bytes) {
                prop_assert_eq!(of_uuid(&text), Some(bytes));
            }
        }
    }
}
