//! Names of batches.

use std::time::Duration;

use crate::wire::{ByteOrder, Luwid};

/// Gives each batch a name of its own: seconds since 1970 when the instance started, then a counter, both in our byte
/// order, as a queue manager does (wire reference, segments 6, I). The counter begins at the microseconds of that
/// moment times 4096, so that an instance that follows within the same second begins above.
#[derive(Clone, Debug)]
pub(super) struct Luwids {
    next: u64,
    order: ByteOrder,
}

impl Luwids {
    pub(super) fn new(since_1970: Duration, order: ByteOrder) -> Self {
        let seconds = since_1970.as_secs() & 0xFFFF_FFFF;
        Self { next: (seconds << 32) | (u64::from(since_1970.subsec_micros()) << 12), order }
    }

    /// The next name; never zero, and never one of `taken`.
    pub(super) fn next(&mut self, taken: &[Luwid]) -> Luwid {
        loop {
            self.next = self.next.wrapping_add(1);
            let luwid = self.written(self.next);
            if !luwid.is_zero() && !taken.contains(&luwid) {
                return luwid;
            }
        }
    }

    fn written(&self, value: u64) -> Luwid {
        let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
        Luwid(match self.order {
            ByteOrder::Big => [a, b, c, d, e, f, g, h],
            ByteOrder::Little => [d, c, b, a, h, g, f, e],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_come_first_in_our_byte_order() {
        // The one LUWID that was seen: 1034148883 is 2002-10-09 07:34:43 UTC, its counter 94241 (O).
        let seen = Duration::from_secs(1_034_148_883);
        let mut luwids = Luwids::new(seen, ByteOrder::Little);
        luwids.next += 94_240;
        assert_eq!(luwids.next(&[]), Luwid([0x13, 0xdc, 0xa3, 0x3d, 0x21, 0x70, 0x01, 0x00]));
        assert_eq!(Luwids::new(seen, ByteOrder::Big).next(&[]), Luwid([0x3d, 0xa3, 0xdc, 0x13, 0, 0, 0, 1]));
    }

    #[test]
    fn a_later_instance_of_the_same_second_begins_above() {
        let mut before = Luwids::new(Duration::from_micros(7_000_001), ByteOrder::Big);
        let names: Vec<_> = (0..4000).map(|_| before.next(&[])).collect();
        let after = Luwids::new(Duration::from_micros(7_000_002), ByteOrder::Big).next(&[]);
        assert!(!names.contains(&after) && names.iter().all(|name| *name < after));
    }

    #[test]
    fn names_that_are_known_and_zero_are_passed_over() {
        let mut luwids = Luwids { next: u64::MAX, order: ByteOrder::Big };
        assert_eq!(luwids.next(&[Luwid([0, 0, 0, 0, 0, 0, 0, 1])]), Luwid([0, 0, 0, 0, 0, 0, 0, 2]));
    }
}
