//! Message sequence numbers: which may come next, and which messages are repeats.

use super::record::{MessageName, SyncRecord};

/// The number after `number` on a channel that wraps at `wrap`: after SEQWRAP comes 1 (wire reference, channel flow 3, D).
pub fn following(number: i32, wrap: i32) -> i32 {
    if number >= wrap { 1 } else { number.saturating_add(1).max(1) }
}

/// What a message is, by its number and MsgId.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// Not seen before; to be published.
    New,
    /// The record names it, number and MsgId: it is at the target already.
    Repeat,
}

/// A number that does not follow, and that the record does not name with this MsgId.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoesNotFollow {
    /// The number expected next.
    pub expected: i32,
    /// The number that came.
    pub found: i32,
    /// Whether the record names the number, with another MsgId.
    pub named: bool,
}

/// Which first numbers are taken besides the one that follows (two dialect questions and one fact of the record).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Start {
    /// After a reset: the reset number itself need not be used, the one after it may be.
    pub skip_one: bool,
    /// After a reset: only the one after the reset number.
    pub only_skipped: bool,
    /// Whatever the partner begins with.
    pub any: bool,
}

/// Follows the numbers of one connection from the record that it began with.
///
/// `head` is the last number that was ever taken as new; only the number after it can be new. A partner that
/// was left in doubt sends again what the record names; within such a repetition numbers follow one another too,
/// and nothing is passed over on its number alone (design: after a RESET or a restore a low number is a new message).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    wrap: i32,
    head: i32,
    /// The last number that the record names, its own or, behind it, that of a message that was committed and never
    /// confirmed. A sender that keeps no copy of such messages begins behind them.
    ahead: i32,
    /// The last number that a heartbeat committed. A sender that took its answer for the confirm begins behind it.
    beaten: Option<i32>,
    /// The last number of this connection, repeats included.
    cursor: Option<i32>,
    start: Start,
}

impl Sequence {
    /// At the start of a connection.
    pub fn new(record: &SyncRecord, wrap: i32, start: Start) -> Self {
        let ahead = record.last_batch.last().map_or(record.sequence, |name| name.sequence);
        let beaten = record.at_heartbeat.map(|(_, number)| number);
        Self { wrap, head: record.sequence, ahead, beaten, cursor: None, start }
    }

    /// Begins anew after RESET_DATA.
    pub fn reset(&mut self, last: i32, start: Start) {
        *self = Self { wrap: self.wrap, head: last, ahead: last, beaten: None, cursor: None, start };
    }

    /// The last number taken as new, or the record's.
    pub fn head(&self) -> i32 {
        self.head
    }

    /// The last number of this connection; the record's before the first message.
    pub fn current(&self) -> i32 {
        self.cursor.unwrap_or(self.head)
    }

    /// The number expected next.
    pub fn expected(&self) -> i32 {
        following(self.current(), self.wrap)
    }

    /// Takes the next message.
    ///
    /// # Errors
    /// When its number does not follow and the record does not name it; nothing has changed then.
    pub fn take(&mut self, name: MessageName, named: &[MessageName]) -> Result<Recognised, DoesNotFollow> {
        let number = name.sequence;
        let follows = self.cursor.is_none_or(|cursor| number == following(cursor, self.wrap));
        if follows && let Some(at) = named.iter().position(|known| *known == name) {
            self.cursor = Some(number);
            // Behind the head's own name are messages that were committed and never confirmed.
            let head = named.iter().position(|known| known.sequence == self.head);
            if head.is_none_or(|head| at > head) {
                self.head = number;
            }
            return Ok(Recognised::Repeat);
        }
        let next = following(self.head, self.wrap);
        let first = self.cursor.is_none();
        let skipped = first && (self.start.skip_one || self.start.only_skipped) && number == following(next, self.wrap);
        let straight = follows && number == next && !(first && self.start.only_skipped);
        let behind = |last: i32| number == following(last, self.wrap);
        let behind_them = first && (behind(self.ahead) || self.beaten.is_some_and(behind));
        let any = first && self.start.any && (1..=self.wrap).contains(&number);
        if straight || skipped || any || (behind_them && !self.start.only_skipped) {
            self.cursor = Some(number);
            self.head = number;
            return Ok(Recognised::New);
        }
        let known = named.iter().any(|known| known.sequence == number);
        Err(DoesNotFollow { expected: self.expected(), found: number, named: known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Luwid;

    fn name(sequence: i32, id: u8) -> MessageName {
        MessageName { sequence, msg_id: [id; 24] }
    }

    fn after(sequence: i32, wrap: i32) -> Sequence {
        Sequence::new(&after_record(sequence), wrap, Start::default())
    }

    fn after_record(sequence: i32) -> SyncRecord {
        SyncRecord {
            partner_id: String::new(),
            sequence,
            luwid: Luwid::ZERO,
            last_batch: Vec::new(),
            after_reset: false,
            at_heartbeat: None,
        }
    }

    #[test]
    fn one_follows_seqwrap() {
        assert_eq!((following(0, 100), following(99, 100), following(100, 100)), (1, 100, 1));
        assert_eq!(following(999_999_999, 999_999_999), 1);
        assert_eq!(following(i32::MAX, i32::MAX), 1);
        let mut sequence = after(99, 100);
        assert_eq!(sequence.take(name(100, 1), &[]), Ok(Recognised::New));
        assert_eq!(sequence.take(name(1, 1), &[]), Ok(Recognised::New));
    }

    #[test]
    fn a_sender_may_begin_again_or_behind_what_it_never_asked_about() {
        let record = SyncRecord { last_batch: vec![name(5, 5), name(6, 6), name(7, 7)], ..after_record(5) };
        let begin = |number| Sequence::new(&record, 100, Start::default()).take(name(number, 9), &record.last_batch);
        assert_eq!(begin(8), Ok(Recognised::New));
        assert_eq!(begin(6), Ok(Recognised::New), "another message: the sender lost those that were named");
        assert_eq!(begin(7), Err(DoesNotFollow { expected: 6, found: 7, named: true }));
        assert_eq!(begin(9), Err(DoesNotFollow { expected: 6, found: 9, named: false }));
        let mut again = Sequence::new(&record, 100, Start::default());
        assert_eq!(again.take(name(6, 6), &record.last_batch), Ok(Recognised::Repeat));
        assert_eq!(again.take(name(7, 9), &record.last_batch), Ok(Recognised::New), "and those behind it");
        assert_eq!(again.take(name(8, 8), &record.last_batch), Ok(Recognised::New));
    }

    #[test]
    fn a_sender_may_begin_behind_what_a_heartbeat_committed() {
        // Messages 6 and 7 were committed at a heartbeat, 8 and 9 early; the sender lost the latter two.
        let names = vec![name(6, 6), name(7, 7), name(8, 8), name(9, 9)];
        let record =
            SyncRecord { at_heartbeat: Some((Luwid([7; 8]), 7)), last_batch: names.clone(), ..after_record(5) };
        let begin = |number, id| Sequence::new(&record, 100, Start::default()).take(name(number, id), &names);
        for number in [6, 8, 10] {
            assert_eq!(begin(number, 90), Ok(Recognised::New), "{number}");
        }
        for number in [7, 9, 11] {
            assert!(begin(number, 90).is_err(), "{number}");
        }
        assert_eq!(begin(8, 8), Ok(Recognised::Repeat));
    }

    #[test]
    fn repeats_need_number_and_msg_id() {
        let named = [name(4, 4), name(5, 5)];
        let mut sequence = after(5, 100);
        assert_eq!(sequence.take(name(4, 9), &named), Err(DoesNotFollow { expected: 6, found: 4, named: true }));
        assert_eq!(sequence.take(name(3, 3), &named), Err(DoesNotFollow { expected: 6, found: 3, named: false }));
        assert_eq!(sequence.take(name(4, 4), &named), Ok(Recognised::Repeat));
        assert_eq!(sequence.take(name(5, 9), &named), Err(DoesNotFollow { expected: 5, found: 5, named: true }));
        assert_eq!(sequence.take(name(5, 5), &named), Ok(Recognised::Repeat));
        assert_eq!(sequence.take(name(6, 6), &named), Ok(Recognised::New));
    }

    #[test]
    fn a_repetition_may_not_jump() {
        let named = [name(4, 4), name(5, 5)];
        let mut sequence = after(5, 100);
        assert_eq!(sequence.take(name(4, 4), &named), Ok(Recognised::Repeat));
        assert_eq!(sequence.take(name(6, 6), &named), Err(DoesNotFollow { expected: 5, found: 6, named: false }));
    }

    #[test]
    fn names_above_the_record_are_repeats_by_id_and_new_otherwise() {
        // Non-persistent messages 6 and 7 were committed early; the confirmed number stayed 5.
        let named = [name(6, 6), name(7, 7)];
        let mut again = after(5, 100);
        assert_eq!(again.take(name(6, 6), &named), Ok(Recognised::Repeat));
        assert_eq!(again.take(name(7, 7), &named), Ok(Recognised::Repeat));
        assert_eq!(again.take(name(8, 8), &named), Ok(Recognised::New));
        let mut lost_at_the_partner = after(5, 100);
        assert_eq!(lost_at_the_partner.take(name(6, 8), &named), Ok(Recognised::New));
    }

    #[test]
    fn after_a_reset_either_number_once() {
        let start = Start { skip_one: true, ..Start::default() };
        for first in [7, 8] {
            let mut sequence = after(50, 100);
            sequence.reset(6, start);
            assert_eq!(sequence.take(name(first, 1), &[]), Ok(Recognised::New), "{first}");
            assert!(sequence.take(name(first + 2, 1), &[]).is_err());
            assert_eq!(sequence.take(name(first + 1, 1), &[]), Ok(Recognised::New));
        }
        let mut sequence = after(50, 100);
        sequence.reset(6, start);
        assert!(sequence.take(name(9, 1), &[]).is_err());
    }
}
