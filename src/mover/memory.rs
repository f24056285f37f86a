//! One budget of memory for all messages in flight, whatever their channel.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit stands for.
const UNIT: usize = 1024;

/// A shared budget. A message takes its length from it before the rest of it is read, and gives it back
/// when the target has answered for it.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    permits: Arc<Semaphore>,
    total: u32,
}

/// Room for one message; dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct Room(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl MemoryBudget {
    /// A budget of `bytes`, rounded up to whole KiB.
    pub fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self { permits: Arc::new(Semaphore::new(total as usize)), total }
    }

    /// A message larger than the whole budget takes all of it, so it passes alone.
    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.total)
    }

    /// Room for `bytes` if it is there at once.
    pub(crate) fn try_room(&self, bytes: usize) -> Option<Room> {
        self.permits.clone().try_acquire_many_owned(self.units(bytes)).ok().map(Room)
    }

    /// Waits for room for `bytes`. Whoever waits must hold no room of its own, or two channels could wait for each other.
    pub(crate) async fn room(&self, bytes: usize) -> Room {
        match self.permits.clone().acquire_many_owned(self.units(bytes)).await {
            Ok(permit) => Room(permit),
            // The semaphore is never closed: it lives as long as the gateway.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_above_the_budget_passes_alone() {
        let budget = MemoryBudget::new(10 * UNIT);
        let small = budget.try_room(1).expect("room for a byte");
        assert!(budget.try_room(100 * UNIT).is_none(), "not while another message is in flight");
        drop(small);
        let large = budget.room(100 * UNIT).await;
        assert!(budget.try_room(1).is_none(), "the large one has it all");
        drop(large);
        assert!(budget.try_room(1).is_some());
    }
}
