//! SHA-256 for ids that must come out the same every time, and a quick digest that tells whether something was changed.

use sha2::{Digest as _, Sha256};

/// First bytes of an MsgId that was made of an id which is none of MQ's; neither `AMQ ` nor `CSQ `, with which queue managers
/// begin theirs (mapping rules, section 4).
const DERIVED: [u8; 4] = *b"MQFY";

/// The 24 bytes that stand for another id (`ID:host-40411-1:1:1`, a UUID): the same for the same broker and id, every time.
pub fn derived_id(broker: &str, id: &str) -> [u8; 24] {
    let mut hash = Sha256::new();
    hash.update(broker.as_bytes());
    hash.update([0]);
    hash.update(id.as_bytes());
    let hash = hash.finalize();
    let mut derived = [0; 24];
    for (to, from) in derived.iter_mut().zip(DERIVED.iter().chain(hash.iter())) {
        *to = *from;
    }
    derived
}

/// Whether these 24 bytes were made by [`derived_id`], as far as their beginning tells.
pub fn is_derived(id: &[u8; 24]) -> bool {
    id.starts_with(&DERIVED)
}

/// A digest of pieces that follow each other: 64 bits by which a change is seen.
///
/// Not SHA-256, of which as many bits would tell no more: it must see what applications and brokers change, not what somebody forges,
/// for who can write a message's properties can write its digests too. The same on every machine, for it travels in messages.
pub(super) fn digest<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> [u8; 8] {
    let mut hash = START;
    for piece in pieces {
        let (words, rest) = piece.as_chunks::<8>();
        for word in words {
            hash = folded(hash ^ u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        // The length too, so that zeros at the end and where pieces meet count.
        hash = folded(folded(hash ^ u64::from_le_bytes(last)) ^ piece.len() as u64);
    }
    folded(hash).to_be_bytes()
}

/// The fractions of pi and of the golden ratio, odd: nothing up the sleeve.
const START: u64 = 0x243F_6A88_85A3_08D3;
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Every bit into every other: the two halves of the product with a large odd number.
fn folded(word: u64) -> u64 {
    let product = u128::from(word) * u128::from(FACTOR);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// printf 'b1\0ID:host-1' | sha256sum
    #[test]
    fn an_id_is_the_tag_and_twenty_bytes_of_sha_256() {
        let id = derived_id("b1", "ID:host-1");
        assert_eq!(super::super::id::hex(&id), format!("4d514659{}", EXPECTED));
        assert!(is_derived(&id));
        assert_ne!(derived_id("b2", "ID:host-1"), id);
    }

    /// It travels in messages: another release must come to the same (worked out with Python's integers).
    #[test]
    fn a_digest_stays_what_it_is() {
        assert_eq!(digest([&b"MQSTR"[..], b"<usr><a dt='i4'>1</a></usr>"]), DIGEST);
        assert_eq!(digest([]), EMPTY);
    }

    const DIGEST: [u8; 8] = [0x67, 0x35, 0x76, 0xBC, 0xEB, 0x07, 0xD3, 0xAC];
    const EMPTY: [u8; 8] = [0xE1, 0x84, 0x85, 0x76, 0x4B, 0xA0, 0x36, 0x44];

    /// One bit, one byte more, pieces cut elsewhere, words in another order: all different, and half of the bits change.
    #[test]
    fn a_digest_sees_every_change() {
        let text: Vec<u8> = (0..200_u8).map(|n| n.wrapping_mul(37) & 0x7F).collect();
        let mut seen = std::collections::HashSet::new();
        let (mut bits, mut count) = (0, 0);
        let whole = digest([&text[..]]);
        seen.insert(whole);
        for at in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let changed = digest([&changed[..]]);
            bits += (u64::from_be_bytes(changed) ^ u64::from_be_bytes(whole)).count_ones();
            count += 1;
            assert!(seen.insert(changed), "bit {at}");
        }
        assert!((28..=36).contains(&(bits / count)), "{} bits change", bits / count);
        for at in 0..text.len() {
            assert!(seen.insert(digest([&text[..at]])), "cut at {at}");
            assert!(seen.insert(digest([&text[..at], &text[at..]])), "two pieces, {at}");
            assert!(seen.insert(digest([&text[..], &vec![0; at + 1]])), "{at} zeros");
        }
        for at in (0..text.len() - 16).step_by(8) {
            let mut changed = text.clone();
            changed[at..at + 16].rotate_left(8);
            assert!(seen.insert(digest([&changed[..]])), "words at {at}");
        }
        // Numbers counted up, as they are in messages.
        for n in 0..100_000_u32 {
            assert!(seen.insert(digest([format!("<usr><n dt='i4'>{n}</n></usr>").as_bytes()])), "{n}");
        }
    }

    const EXPECTED: &str = "449210ed459fee1281bd3ce11a6a3f3b02fe4b30";
}
