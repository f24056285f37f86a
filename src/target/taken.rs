//! The book of a feed: messages that have come and wait, and those that were handed over and are not retired. The same for
//! every target; `H` is a target's handle of a message.

use std::collections::{HashMap, VecDeque};

use super::record::Mark;
use super::{Side, Taken, TargetError, Ticket, Unreadable};
use crate::mapping::Publication;

/// A message that came.
#[derive(Debug)]
pub(super) struct Arrival<H> {
    pub(super) mark: Mark,
    pub(super) handle: H,
    pub(super) publication: Result<Publication, Unreadable>,
    pub(super) redelivered: bool,
}

/// See above.
#[derive(Debug)]
pub(super) struct Book<H> {
    ahead: usize,
    last_ticket: u64,
    waiting: VecDeque<Arrival<H>>,
    out: HashMap<Ticket, (Mark, H)>,
    recall: Option<Recall<H>>,
}

/// Messages that are looked for, by their marks. Equal marks at one place are taken in the order in which they come.
#[derive(Debug)]
struct Recall<H> {
    places: HashMap<Mark, VecDeque<usize>>,
    found: Vec<Option<Arrival<H>>>,
    missing: usize,
}

impl<H: Clone> Book<H> {
    /// `ahead`: how many messages may be out.
    pub(super) fn new(ahead: usize) -> Self {
        Self { ahead: ahead.max(1), last_ticket: 0, waiting: VecDeque::new(), out: HashMap::new(), recall: None }
    }

    /// A message came: it is one that is looked for, or waits its turn.
    pub(super) fn arrived(&mut self, arrival: Arrival<H>) {
        if let Some(recall) = &mut self.recall
            && let Some(place) = recall.places.get_mut(&arrival.mark).and_then(VecDeque::pop_front)
            && let Some(slot) = recall.found.get_mut(place)
        {
            *slot = Some(arrival);
            recall.missing -= 1;
            return;
        }
        self.waiting.push_back(arrival);
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no more may be handed over.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= self.ahead
    }

    /// Hands the next one over.
    pub(super) fn next(&mut self) -> Option<(Taken, H)> {
        if self.is_full() {
            return None;
        }
        self.waiting.pop_front().map(|arrival| self.hand_over(arrival))
    }

    fn hand_over(&mut self, arrival: Arrival<H>) -> (Taken, H) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let Arrival { mark, handle, publication, redelivered } = arrival;
        let taken = Taken { ticket, from: mark.from.clone(), publication, redelivered };
        self.out.insert(ticket, (mark, handle.clone()));
        (taken, handle)
    }

    /// Looks for these messages from now on, first among those that wait.
    pub(super) fn recall(&mut self, marks: &[Mark]) {
        let mut places: HashMap<Mark, VecDeque<usize>> = HashMap::new();
        for (place, mark) in marks.iter().enumerate() {
            places.entry(mark.clone()).or_default().push_back(place);
        }
        let found = marks.iter().map(|_| None).collect();
        self.recall = Some(Recall { places, found, missing: marks.len() });
        for arrival in std::mem::take(&mut self.waiting) {
            self.arrived(arrival);
        }
    }

    /// How many of them have not come.
    pub(super) fn missing(&self) -> usize {
        self.recall.as_ref().map_or(0, |recall| recall.missing)
    }

    /// Whether it looks for any.
    pub(super) fn is_recalling(&self) -> bool {
        self.recall.is_some()
    }

    /// Hands over what of them has come, in the order of the marks, and looks no longer.
    pub(super) fn recalled(&mut self) -> Vec<Taken> {
        let found = self.recall.take().map(|recall| recall.found).unwrap_or_default();
        found.into_iter().flatten().map(|arrival| self.hand_over(arrival).0).collect()
    }

    /// Marks of messages that are out.
    pub(super) fn marks(&self, tickets: &[Ticket]) -> Result<Vec<Mark>, TargetError> {
        self.find(tickets, |(mark, _)| mark.clone())
    }

    /// Handles of messages that are out.
    pub(super) fn handles(&self, tickets: &[Ticket]) -> Result<Vec<H>, TargetError> {
        self.find(tickets, |(_, handle)| handle.clone())
    }

    fn find<T>(&self, tickets: &[Ticket], what: impl Fn(&(Mark, H)) -> T) -> Result<Vec<T>, TargetError> {
        let found = tickets.iter().map(|ticket| {
            self.out.get(ticket).map(&what).ok_or_else(|| TargetError {
                side: Side::Ours,
                text: format!("message {} is not taken, or was retired before", ticket.0),
                retry: false,
            })
        });
        found.collect()
    }

    /// They are gone.
    pub(super) fn retired(&mut self, tickets: &[Ticket]) {
        for ticket in tickets {
            self.out.remove(ticket);
        }
    }

    /// Forgets what waits and does not please.
    pub(super) fn keep_waiting(&mut self, keep: impl Fn(&Mark) -> bool) {
        self.waiting.retain(|arrival| keep(&arrival.mark));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Body, Destination};

    fn arrival(queue: &str, identity: &str, handle: u32) -> Arrival<u32> {
        let mark = Mark { from: Destination::Queue(queue.into()), identity: identity.into() };
        let publication = Publication {
            destination: mark.from.clone(),
            persistent: true,
            priority: 4,
            expires_at_ms: None,
            message_id: None,
            correlation_id: None,
            reply_to: None,
            message_type: None,
            group_id: None,
            group_sequence: None,
            user_id: None,
            timestamp_ms: None,
            properties: [].into(),
            body: Body::Empty,
        };
        Arrival { mark, handle, publication: Ok(publication), redelivered: false }
    }

    #[test]
    fn what_is_in_doubt_is_found_by_mark_and_given_in_the_order_of_sending() {
        let mut book = Book::new(2);
        let wanted: Vec<_> = [("A", "1"), ("B", "1"), ("A", "2"), ("A", "1"), ("C", "9")]
            .map(|(queue, identity)| arrival(queue, identity, 0).mark)
            .into();
        book.arrived(arrival("A", "1", 1));
        book.arrived(arrival("A", "7", 2));
        book.recall(&wanted);
        for (queue, identity, handle) in [("A", "2", 3), ("A", "1", 4), ("A", "1", 5), ("B", "1", 6)] {
            book.arrived(arrival(queue, identity, handle));
        }
        assert_eq!((book.missing(), book.waiting()), (1, 2), "C 9 is gone; A 7 and the third A 1 are others");
        let tickets: Vec<_> = book.recalled().iter().map(|taken| taken.ticket).collect();
        assert_eq!(book.handles(&tickets).unwrap(), [1, 6, 3, 4]);
        assert!(book.next().is_none(), "more are out than may be");
        book.retired(&tickets);
        assert!(book.handles(&tickets).is_err(), "retired once");
        assert_eq!(book.next().map(|(_, handle)| handle), Some(2));
        assert_eq!(book.next().map(|(_, handle)| handle), Some(5));
    }
}
