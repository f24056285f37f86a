//! Counts arrivals against what was sent.

use std::collections::HashMap;

use super::queue::Sent;

/// Which of the sent messages arrived, how often, and in what order. Other messages do not count.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    place: HashMap<String, usize>,
    times: Vec<u64>,
    latest: Option<usize>,
    out_of_order: u64,
}

impl Tally {
    /// Nothing has arrived yet.
    pub(super) fn new(sent: &Sent) -> Self {
        let place = sent.ids().enumerate().map(|(place, id)| (id, place)).collect();
        Self { place, times: vec![0; sent.len()], latest: None, out_of_order: 0 }
    }

    /// The message with this id arrived.
    pub(super) fn arrived(&mut self, id: &str) {
        let Some(&place) = self.place.get(id) else { return };
        let Some(times) = self.times.get_mut(place) else { return };
        *times += 1;
        if self.latest.is_some_and(|latest| place < latest) {
            self.out_of_order += 1;
        }
        self.latest = self.latest.max(Some(place));
    }

    /// How many arrived, repeats not counted.
    pub(super) fn delivered(&self) -> u64 {
        self.times.iter().filter(|&&times| times > 0).count() as u64
    }

    /// How many did not arrive.
    pub(super) fn lost(&self) -> u64 {
        self.times.iter().filter(|&&times| times == 0).count() as u64
    }

    /// How many arrivals were repeats.
    pub(super) fn duplicated(&self) -> u64 {
        self.times.iter().map(|times| times.saturating_sub(1)).sum()
    }

    /// How many arrived behind one that was sent later.
    pub(super) fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// Each once, in order.
    pub(super) fn holds(&self) -> bool {
        self.lost() == 0 && self.duplicated() == 0 && self.out_of_order() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_lost_doubled_and_out_of_order() {
        let sent = Sent::of((1..=4).map(|number| [number; 24]).collect());
        let ids: Vec<String> = sent.ids().collect();
        let mut tally = Tally::new(&sent);
        for place in [0, 2, 1, 2] {
            tally.arrived(&ids[place]);
        }
        tally.arrived("ID:somebody else's");
        assert_eq!((tally.delivered(), tally.lost(), tally.duplicated(), tally.out_of_order()), (3, 1, 1, 1));
        assert!(!tally.holds());
    }
}
