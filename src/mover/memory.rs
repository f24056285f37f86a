//! One budget of memory for all messages in flight, whatever their channel.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT: usize = 1024;
/// Messages up to this size count as small, if the budget is not itself small.
const SMALL: usize = 1 << 20;
/// A small message is at most this fraction of the budget.
const SMALL_FRACTION: usize = 16;

/// A shared budget. A message takes its length from it before the rest of it is read, and gives it back
/// when the target has answered for it.
///
/// A quarter is kept for small messages: large ones that come slowly, or never end, then hold up only other large ones.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    small: Pool,
    large: Pool,
    /// Bytes of the largest message that counts as small.
    limit: usize,
}

#[derive(Clone, Debug)]
struct Pool {
    permits: Arc<Semaphore>,
    total: u32,
}

/// Room for one message; dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct Room(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl MemoryBudget {
    /// A budget of `bytes`, rounded up to whole KiB.
    pub fn new(bytes: usize) -> Self {
        let small = bytes / 4;
        Self { small: Pool::new(small), large: Pool::new(bytes - small), limit: SMALL.min(bytes / SMALL_FRACTION) }
    }

    fn pool(&self, bytes: usize) -> &Pool {
        if bytes <= self.limit { &self.small } else { &self.large }
    }

    /// Room for `bytes` if it is there at once.
    pub(crate) fn try_room(&self, bytes: usize) -> Option<Room> {
        let pool = self.pool(bytes);
        pool.permits.clone().try_acquire_many_owned(pool.units(bytes)).ok().map(Room)
    }

    /// Waits for room for `bytes`. Whoever waits must hold no room of its own, or two channels could wait for each other.
    pub(crate) async fn room(&self, bytes: usize) -> Room {
        let pool = self.pool(bytes);
        match pool.permits.clone().acquire_many_owned(pool.units(bytes)).await {
            Ok(permit) => Room(permit),
            // The semaphore is never closed: it lives as long as the gateway.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Pool {
    fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self { permits: Arc::new(Semaphore::new(total as usize)), total }
    }

    /// A message larger than the whole pool takes all of it, so it passes alone.
    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    #[tokio::test]
    async fn a_message_above_the_budget_passes_alone() {
        let budget = MemoryBudget::new(64 * KIB);
        let first = budget.try_room(40 * KIB).expect("room for one");
        assert!(budget.try_room(100 * KIB).is_none(), "not while another large message is in flight");
        drop(first);
        let large = budget.room(100 * KIB).await;
        assert!(budget.try_room(5 * KIB).is_none(), "the large one has all that is for large ones");
        drop(large);
        assert!(budget.try_room(5 * KIB).is_some());
    }

    #[tokio::test]
    async fn small_messages_pass_while_large_ones_hold_the_rest() {
        let budget = MemoryBudget::new(64 * KIB);
        let _large = budget.room(100 * KIB).await;
        let small: Vec<_> = (0..4).map(|_| budget.try_room(4 * KIB).expect("a quarter is for small ones")).collect();
        assert!(budget.try_room(1).is_none(), "and no more than that");
        drop(small);
        assert!(budget.try_room(1).is_some());
    }
}
