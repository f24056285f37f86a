//! Chance that can be played again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Says which seed to take.
pub(crate) const SEED: &str = "MQFERRY_KILLS_SEED";

/// A sequence of random numbers (SplitMix64) and the seed it came from.
#[derive(Clone, Debug)]
pub(crate) struct Lot {
    pub(crate) seed: u64,
    state: u64,
}

impl Lot {
    /// The seed of the environment, or a fresh one; told, so that it can be given again.
    pub(crate) fn draw(test: &str) -> Self {
        let seed = match std::env::var(SEED) {
            Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("{SEED}={seed:?} is no number")),
            Err(_) => RandomState::new().hash_one(test) & 0xFFFF_FFFF,
        };
        println!("{test}: {SEED}={seed}");
        Self::of(seed)
    }

    /// The sequence of this seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `limit`, `limit` excluded.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Nothing to `limit`.
    pub(crate) fn pause(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(limit.as_micros()).unwrap()))
    }

    /// So many numbers below `limit`, ascending.
    pub(crate) fn marks(&mut self, count: usize, limit: u64) -> Vec<u64> {
        let mut marks: Vec<u64> = (0..count).map(|_| self.below(limit)).collect();
        marks.sort_unstable();
        marks
    }

    /// Puts them into any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap();
            items.swap(last, other);
        }
    }
}
