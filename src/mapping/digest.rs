//! SHA-256, for ids that must come out the same every time, and for telling whether something was changed.

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

/// A digest of pieces that follow each other.
pub(super) fn digest<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> [u8; 8] {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    let hash = hash.finalize();
    hash.first_chunk().copied().unwrap_or_default()
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

    const EXPECTED: &str = "449210ed459fee1281bd3ce11a6a3f3b02fe4b30";
}
