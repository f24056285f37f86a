//! The lease on a channel, as every broker protocol takes and holds it: one message on a queue of its own, held
//! unacknowledged while the channel runs. Only what to make of each delivery is decided here; the protocols carry it out.
//!
//! Two locks guard it: the client id (AMQP: container id), which the broker gives to one connection at a time and frees
//! only after that connection's transaction is rolled back, and an exclusive consumer on the queue. To tell "no record"
//! from "held by another" the claim sends a marker, the barrier, through the same queue and waits for it to come back.
//!
//! ```text
//! claim:  attach -> send barrier -> receive until it is back -> one transaction: take all, send the record anew
//! batch:  one transaction: take the held record, send its successor and the messages -> commit -> receive it
//! ```

use std::time::Duration;

use super::record::{LeaseRecord, Sending, describe, fresh_holder, sync_queue};
use super::{Limits, Refusal, Side, TargetError};
use crate::channel::record::{ChannelKey, SyncRecord};

/// JMSType (AMQP: subject) of a record, of a barrier.
pub(super) const RECORD: &str = "record";
pub(super) const BARRIER: &str = "barrier";
/// Deliveries that may be on their way: the record, and the barriers of waiting starters.
pub(super) const WINDOW: u16 = 10;

/// What a delivery from the record's queue shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// JMSType, or subject.
    pub(super) kind: Option<&'a str>,
    /// Its text; none if it is no text message.
    pub(super) text: Option<&'a str>,
    /// It has a lifetime, which we never give.
    pub(super) expires: bool,
}

/// What a delivery is.
enum Incoming {
    Barrier(String),
    Record(Box<LeaseRecord>, String),
}

fn read(key: &ChannelKey, queue: &str, seen: Seen<'_>) -> Result<Incoming, TargetError> {
    if seen.expires {
        return Err(refuse(
            queue,
            "gives its messages a lifetime, so the sync record would be lost: exclude MQFERRY.> from the time-stamping \
             plug-in",
        ));
    }
    let Some(text) = seen.text else {
        return Err(refuse(
            queue,
            "holds a message that is no sync record: remove it; if a gateway wrote it over AMQP, set \
             transport.transformer=jms on the broker's AMQP connector",
        ));
    };
    if seen.kind == Some(BARRIER) {
        return Ok(Incoming::Barrier(text.to_owned()));
    }
    match LeaseRecord::from_text(key, text.as_bytes()) {
        Ok(record) => Ok(Incoming::Record(Box::new(record), text.to_owned())),
        Err(error) => Err(refuse(queue, &format!("holds what is no record of this channel: {error}"))),
    }
}

fn refuse(queue: &str, what: &str) -> TargetError {
    TargetError { side: Side::Broker, text: format!("queue {queue} {what}"), retry: false }
}

/// The broker does not take what the gateway itself must write.
pub(super) fn refused_by(broker: &str, queue: &str, why: &str) -> TargetError {
    // The raw transformer of an AMQP connector does not look for the address in a message.
    let fix = if Refusal::had_to_wait(why) {
        "its memory for messages is full (systemUsage); it tries again"
    } else if why.contains("Missing to field") {
        "set transport.transformer=jms on its AMQP connector"
    } else {
        "the user needs read, write and admin on MQFERRY.>"
    };
    TargetError {
        side: Side::Broker,
        text: format!("{broker} refuses our messages on queue {queue}: {why}: {fix}"),
        retry: Refusal::had_to_wait(why),
    }
}

/// A lease that is being taken. `D` is the protocol's handle of a delivery.
#[derive(Debug)]
pub(super) struct Claiming<D> {
    key: ChannelKey,
    queue: String,
    holder: String,
    to_take: Vec<D>,
    records: Vec<(LeaseRecord, String)>,
    barrier_is_back: bool,
}

/// What reading the queue came to.
#[derive(Debug)]
pub(super) enum Decision<D> {
    /// Somebody else gets what lies in the queue; who.
    Held(String),
    /// It is ours to take over.
    TakeOver(Box<TakeOver<D>>),
}

/// One transaction takes the lease: acknowledge `to_take`, send `text` as the record, commit. The record then comes back.
#[derive(Debug)]
pub(super) struct TakeOver<D> {
    /// What the lease will be.
    pub(super) lease: Lease<D>,
    /// Everything that was read.
    pub(super) to_take: Vec<D>,
    /// The record anew, as ours.
    pub(super) text: String,
}

impl<D> Claiming<D> {
    pub(super) fn new(key: &ChannelKey) -> Self {
        Self {
            key: key.clone(),
            queue: sync_queue(key),
            holder: fresh_holder(),
            to_take: Vec::new(),
            records: Vec::new(),
            barrier_is_back: false,
        }
    }

    /// The record's queue.
    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    /// Text of the barrier to send.
    pub(super) fn barrier(&self) -> &str {
        &self.holder
    }

    /// How long to wait for the next delivery; none once there is nothing more to wait for.
    pub(super) fn wait(&self, limits: &Limits) -> Option<Duration> {
        match (self.barrier_is_back, self.records.is_empty()) {
            (false, _) => Some(limits.answer),
            // The second lock: a record that a dying connection's transaction still hides would come now.
            (true, true) => Some(limits.no_record),
            (true, false) => None,
        }
    }

    /// Takes a delivery in.
    pub(super) fn arrived(&mut self, seen: Seen<'_>, delivery: D) -> Result<(), TargetError> {
        match read(&self.key, &self.queue, seen)? {
            Incoming::Barrier(holder) => self.barrier_is_back |= holder == self.holder,
            Incoming::Record(record, text) => self.records.push((*record, text)),
        }
        self.to_take.push(delivery);
        Ok(())
    }

    /// Once [`Claiming::wait`] says none, or nothing came in its time.
    pub(super) fn decide(self, broker: &str) -> Result<Decision<D>, TargetError> {
        let Self { key, queue, holder, to_take, records, barrier_is_back } = self;
        if !barrier_is_back {
            let who = describe(&key);
            return Ok(Decision::Held(format!("{who} of {broker} is held by another consumer of {queue}")));
        }
        let (epoch, sync, sending) =
            choose(records, &queue)?.map_or((0, None, None), |record| (record.epoch, record.sync, record.sending));
        let mut lease = Lease { key, queue, holder, epoch: epoch + 1, held: Held::None, sync, sending, ended: None };
        let text = lease.text(lease.sync.clone(), lease.sending.clone());
        lease.held = Held::Awaited(text.clone());
        Ok(Decision::TakeOver(Box::new(TakeOver { lease, to_take, text })))
    }
}

/// The record that counts. Several can only come of a foreign sender or of a lease that was lost; one is taken by
/// itself only where it is plainly the successor of all others.
fn choose(mut records: Vec<(LeaseRecord, String)>, queue: &str) -> Result<Option<LeaseRecord>, TargetError> {
    let sequence = |record: &LeaseRecord| {
        let sent = record.sending.as_ref().map(|sending| sending.record.sequence);
        record.sync.as_ref().map(|sync| sync.sequence).or(sent).unwrap_or(0)
    };
    records.sort_by_key(|(record, _)| (record.epoch, sequence(record)));
    let Some((last, text)) = records.pop() else {
        return Ok(None);
    };
    let is_ancestor = |(other, its_text): &(LeaseRecord, String)| {
        *its_text == text || (other.epoch < last.epoch && sequence(other) <= sequence(&last))
    };
    if records.iter().all(is_ancestor) {
        return Ok(Some(last));
    }
    Err(TargetError {
        side: Side::Ours,
        text: format!(
            "queue {queue} holds {} sync records of which none plainly follows the others: look at them, ask the \
             partner for its last sequence number, and remove the wrong ones",
            records.len() + 1
        ),
        retry: false,
    })
}

/// What a commit writes into the record: one direction's half of it.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// A receiving channel's.
    Received(SyncRecord),
    /// A sending channel's.
    Sent(Sending),
}

impl Kept {
    /// The record with it in place of what it said before.
    pub(super) fn into_record(self, record: LeaseRecord) -> LeaseRecord {
        match self {
            Self::Received(sync) => LeaseRecord { sync: Some(sync), ..record },
            Self::Sent(sending) => LeaseRecord { sending: Some(sending), ..record },
        }
    }
}

/// A lease that is ours. `D` is the protocol's handle of a delivery.
#[derive(Debug)]
pub(super) struct Lease<D> {
    key: ChannelKey,
    queue: String,
    holder: String,
    epoch: u64,
    held: Held<D>,
    sync: Option<SyncRecord>,
    sending: Option<Sending>,
    /// Why the claim is of no more use.
    ended: Option<TargetError>,
}

/// The record that is ours now.
#[derive(Debug)]
enum Held<D> {
    /// Committed; it has not come back to us yet.
    Awaited(String),
    /// Delivered and not acknowledged.
    Delivered(D),
    /// Acknowledged in a transaction whose end is not known.
    None,
}

impl<D> Lease<D> {
    /// The record's queue.
    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    /// The sync record as it was last committed.
    pub(super) fn sync(&self) -> Option<&SyncRecord> {
        self.sync.as_ref()
    }

    /// What is kept for a sending channel, as it was last committed.
    pub(super) fn sending(&self) -> Option<&Sending> {
        self.sending.as_ref()
    }

    /// Whether the record is still on its way back to us.
    pub(super) fn awaits(&self) -> bool {
        matches!(self.held, Held::Awaited(_))
    }

    /// It did not come back in time.
    pub(super) fn overdue(&self) -> TargetError {
        let text = format!("queue {} does not give our own record back: somebody else consumes from it", self.queue);
        TargetError { side: Side::Broker, text, retry: true }
    }

    /// Takes a delivery in. One that is given back is the barrier of a waiting starter: acknowledge it, and forget it.
    pub(super) fn arrived(&mut self, seen: Seen<'_>, delivery: D) -> Result<Option<D>, TargetError> {
        match (read(&self.key, &self.queue, seen)?, &self.held) {
            (Incoming::Barrier(_), _) => Ok(Some(delivery)),
            (Incoming::Record(_, text), Held::Awaited(expected)) if text == *expected => {
                self.held = Held::Delivered(delivery);
                Ok(None)
            }
            (Incoming::Record(..), _) => Err(refuse(
                &self.queue,
                "got a sync record that we did not write: another gateway of this name runs against this broker",
            )),
        }
    }

    /// The held record, to be acknowledged in a transaction; from here on only its commit keeps the lease.
    pub(super) fn take_held(&mut self) -> Result<D, TargetError> {
        match std::mem::replace(&mut self.held, Held::None) {
            Held::Delivered(delivery) => Ok(delivery),
            Held::Awaited(_) | Held::None => Err(refuse(&self.queue, "has given us no record to replace")),
        }
    }

    /// The transaction that was to take the held record was rolled back: it is held as before.
    pub(super) fn put_back(&mut self, delivery: D) {
        self.held = Held::Delivered(delivery);
    }

    /// Text of the record that replaces the held one. What it says of the channel's other direction stays.
    pub(super) fn successor(&self, kept: &Kept) -> String {
        match kept {
            Kept::Received(sync) => self.text(Some(sync.clone()), self.sending.clone()),
            Kept::Sent(sending) => self.text(self.sync.clone(), Some(sending.clone())),
        }
    }

    fn text(&self, sync: Option<SyncRecord>, sending: Option<Sending>) -> String {
        let (key, holder) = (self.key.clone(), self.holder.clone());
        LeaseRecord { key, epoch: self.epoch, holder, sync, sending }.to_text()
    }

    /// The successor is committed and will come to us.
    pub(super) fn replaced(&mut self, kept: Kept, text: String) {
        self.held = Held::Awaited(text);
        match kept {
            Kept::Received(sync) => self.sync = Some(sync),
            Kept::Sent(sending) => self.sending = Some(sending),
        }
    }

    /// The claim is of no more use; the first reason stays.
    pub(super) fn end(&mut self, error: TargetError) {
        self.ended.get_or_insert(error);
    }

    /// Why the claim is of no more use.
    pub(super) fn ended(&self) -> Option<&TargetError> {
        self.ended.as_ref()
    }

    /// The error of a record that the broker does not take.
    pub(super) fn refused(&self, broker: &str, why: &str) -> TargetError {
        refused_by(broker, &self.queue, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Luwid;

    fn key() -> ChannelKey {
        ChannelKey { gateway: "GW".into(), channel: "A.TO.B".into(), partner: "A".into() }
    }

    fn sync(sequence: i32) -> SyncRecord {
        SyncRecord {
            partner_id: "A".into(),
            sequence,
            luwid: Luwid([7; 8]),
            last_batch: Vec::new(),
            after_reset: false,
            at_heartbeat: None,
        }
    }

    fn record(epoch: u64, sequence: i32) -> String {
        LeaseRecord { key: key(), epoch, holder: format!("holder {epoch}"), sync: Some(sync(sequence)), sending: None }
            .to_text()
    }

    fn seen<'a>(kind: &'a str, text: &'a str) -> Seen<'a> {
        Seen { kind: Some(kind), text: Some(text), expires: false }
    }

    /// A claim that read these records, then its own barrier.
    fn claiming(records: &[String]) -> Claiming<usize> {
        let mut claiming = Claiming::new(&key());
        for (place, record) in records.iter().enumerate() {
            claiming.arrived(seen(RECORD, record), place).unwrap();
        }
        let barrier = claiming.barrier().to_owned();
        claiming.arrived(seen(BARRIER, &barrier), 99).unwrap();
        claiming
    }

    fn taken(claiming: Claiming<usize>) -> TakeOver<usize> {
        match claiming.decide("broker").unwrap() {
            Decision::TakeOver(take_over) => *take_over,
            Decision::Held(who) => panic!("{who}"),
        }
    }

    #[test]
    fn a_claim_ends_with_the_own_barrier_and_waits_longer_where_no_record_was() {
        let limits = Limits::default();
        let mut claiming = Claiming::new(&key());
        assert_eq!(claiming.wait(&limits), Some(limits.answer));
        claiming.arrived(seen(BARRIER, "another starter"), 1).unwrap();
        assert_eq!(claiming.wait(&limits), Some(limits.answer), "not ours");
        let barrier = claiming.barrier().to_owned();
        claiming.arrived(seen(BARRIER, &barrier), 2).unwrap();
        assert_eq!(claiming.wait(&limits), Some(limits.no_record));
        claiming.arrived(seen(RECORD, &record(3, 5)), 3).unwrap();
        assert_eq!(claiming.wait(&limits), None, "the late record is the record");
        let TakeOver { lease, to_take, text } = taken(claiming);
        assert_eq!(to_take, [1, 2, 3], "barriers of others go, too");
        assert_eq!(lease.sync(), Some(&sync(5)));
        let ours = LeaseRecord::from_text(&key(), text.as_bytes()).unwrap();
        assert_eq!((ours.epoch, ours.sync), (4, Some(sync(5))));
        assert_eq!(ours.holder, barrier);
    }

    #[test]
    fn without_the_own_barrier_it_is_held() {
        let mut claiming: Claiming<usize> = Claiming::new(&key());
        claiming.arrived(seen(RECORD, &record(1, 1)), 0).unwrap();
        assert!(matches!(claiming.decide("broker"), Ok(Decision::Held(who)) if who.contains("another consumer")));
    }

    #[test]
    fn of_several_records_only_a_plain_successor_is_taken() {
        assert!(taken(claiming(&[])).lease.sync().is_none());
        assert_eq!(taken(claiming(&[record(2, 9), record(1, 4)])).lease.sync(), Some(&sync(9)));
        assert_eq!(taken(claiming(&[record(2, 9), record(2, 9)])).lease.sync(), Some(&sync(9)), "a copy");
        for pair in [[record(2, 9), record(2, 8)], [record(1, 10), record(2, 9)]] {
            let Err(error) = claiming(&pair).decide("broker") else { panic!("{pair:?}") };
            assert!(!error.retry && error.text.contains("2 sync records"), "{error}");
        }
    }

    #[test]
    fn the_held_record_is_exactly_the_one_that_was_sent() {
        let TakeOver { mut lease, text, .. } = taken(claiming(&[record(1, 1)]));
        assert!(lease.awaits() && lease.take_held().is_err());
        let TakeOver { mut lease, text: second, .. } = taken(claiming(&[text]));
        assert_eq!(lease.arrived(seen(BARRIER, "starter"), 5).unwrap(), Some(5));
        assert_eq!(lease.arrived(seen(RECORD, &second), 6).unwrap(), None);
        assert_eq!((lease.awaits(), lease.take_held().unwrap()), (false, 6));
        let third = lease.successor(&Kept::Received(sync(2)));
        lease.replaced(Kept::Received(sync(2)), third.clone());
        let Err(error) = lease.arrived(seen(RECORD, &second), 7) else { panic!("an old one") };
        assert!(!error.retry && error.text.contains("we did not write"), "{error}");
        assert_eq!(lease.arrived(seen(RECORD, &third), 8).unwrap(), None);
        assert!(lease.arrived(seen(RECORD, &third), 9).is_err(), "twice");
        assert_eq!(lease.sync(), Some(&sync(2)));
    }

    #[test]
    fn what_is_no_record_stops_it_with_the_reason() {
        let says = |seen| Claiming::new(&key()).arrived(seen, 0).unwrap_err();
        let expiring = Seen { expires: true, ..seen(RECORD, "x") };
        assert!(says(expiring).text.contains("lifetime"));
        assert!(says(Seen { text: None, ..seen(RECORD, "") }).text.contains("transformer=jms"));
        assert!(says(seen(RECORD, "hello")).text.contains("no record of this channel"));
        assert!(!says(Seen { kind: None, ..seen(RECORD, "hello") }).retry);
    }
}
