//! Callers that have not said yet which channel they want. There is room for so many; the one that has been silent
//! longest goes when another comes, so that silence cannot use up the process's connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// How many may be silent at a time. A queue manager speaks at once; hundreds of them may call in the same second.
pub(crate) const SEATS: usize = 256;

/// The silent callers, in the order of their coming.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lobby(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    seats: BTreeMap<u64, CancellationToken>,
}

/// A caller's place in the lobby; dropping it leaves.
#[derive(Debug)]
pub(crate) struct Seat {
    lobby: Lobby,
    number: u64,
    go: CancellationToken,
}

impl Lobby {
    /// Takes a seat. If none is free, whoever has sat longest is told to go.
    pub(crate) fn enter(&self) -> Seat {
        let go = CancellationToken::new();
        let mut waiting = self.lock();
        waiting.next += 1;
        let number = waiting.next;
        waiting.seats.insert(number, go.clone());
        if waiting.seats.len() > SEATS
            && let Some((_, oldest)) = waiting.seats.pop_first()
        {
            oldest.cancel();
        }
        Seat { lobby: self.clone(), number, go }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Waits until the seat is wanted for somebody else.
    pub(crate) async fn taken(&self) {
        self.go.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lobby.lock().seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_is_no_seat_left() {
        let lobby = Lobby::default();
        let mut seats: Vec<Seat> = (0..SEATS).map(|_| lobby.enter()).collect();
        assert!(!seats.iter().any(|seat| seat.go.is_cancelled()));
        seats.remove(0);
        seats.push(lobby.enter());
        assert!(!seats.iter().any(|seat| seat.go.is_cancelled()), "one had left");
        seats.push(lobby.enter());
        let told: Vec<_> = seats.iter().map(|seat| seat.go.is_cancelled()).collect();
        assert!(told[0] && told.iter().filter(|&&told| told).count() == 1, "{told:?}");
        drop(seats);
        assert!(lobby.lock().seats.is_empty());
    }
}
