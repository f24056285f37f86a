//! The batch in hand, and the record that its commit will write.

use super::assembly::Assembly;
use super::record::{MessageName, SyncRecord};
use super::sequence::Recognised;
use crate::wire::Luwid;

/// How many names a record keeps at most. BATCHSZ is at most 9999, so no partner holds more messages for which it has
/// seen no confirm.
pub const NAMES_MAX: usize = 10_000;

/// Messages received since the last confirm.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) luwid: Luwid,
    /// The message that is just being received.
    pub(crate) assembly: Option<Assembly>,
    /// A segment of that message asked for a confirm.
    pub(crate) confirm_wanted: bool,
    /// An early commit sent a message of the batch to the dead-letter queue; its confirm will say so.
    pub(crate) dlq_used: bool,
    /// Every whole message of the batch, repeats included.
    names: Vec<MessageName>,
    /// How many messages that makes, whose names may be forgotten after an early commit.
    messages: usize,
    /// How many of `names` an early commit has written to the record.
    written: usize,
    /// Delivered to the target and not committed.
    uncommitted: usize,
    persistent: bool,
    /// Place in the record of the last message if that was a repeat.
    repeat_at: Option<usize>,
    /// A heartbeat committed it, and nothing of it has come since: perhaps that was all.
    rests: bool,
}

impl Batch {
    pub(crate) fn new(luwid: Luwid) -> Self {
        Self {
            luwid,
            assembly: None,
            confirm_wanted: false,
            dlq_used: false,
            names: Vec::new(),
            messages: 0,
            written: 0,
            uncommitted: 0,
            persistent: false,
            repeat_at: None,
            rests: false,
        }
    }

    /// Whether it may be over: a heartbeat that named it committed it, and nothing has come since.
    pub(crate) fn rests(&self) -> bool {
        self.rests
    }

    /// Whether a message with this LUWID is one of its own.
    pub(crate) fn admits_as_one(&self, luwid: Luwid) -> bool {
        luwid.is_zero() || luwid == self.luwid
    }

    /// Whether a message with this LUWID belongs to the batch. A zero LUWID fits any batch, and a batch of nothing but
    /// non-persistent messages goes over into the next: nobody need ever ask for its confirm.
    pub(crate) fn admits(&mut self, luwid: Luwid) -> bool {
        if luwid.is_zero() || luwid == self.luwid {
            return true;
        }
        let adopt = self.luwid.is_zero() || !self.persistent;
        if adopt {
            self.luwid = luwid;
        }
        adopt
    }

    pub(crate) fn add(&mut self, name: MessageName, recognised: Recognised, non_persistent: bool, record: &SyncRecord) {
        self.names.push(name);
        self.messages += 1;
        self.rests = false;
        match recognised {
            Recognised::New => {
                self.uncommitted += 1;
                self.persistent |= !non_persistent;
                self.repeat_at = None;
            }
            Recognised::Repeat => {
                self.persistent |= !non_persistent;
                self.repeat_at = record.last_batch.iter().position(|known| *known == name);
            }
        }
    }

    /// Whole messages, repeats included.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// Messages since the last commit of any kind, repeats included.
    pub(crate) fn pending(&self) -> usize {
        self.names.len() - self.written
    }

    pub(crate) fn uncommitted(&self) -> usize {
        self.uncommitted
    }

    /// Whether an early commit is allowed and of use: a persistent message stays with its sender until the
    /// confirm, and its number may then name another one.
    pub(crate) fn may_commit_early(&self) -> bool {
        self.uncommitted > 0 && !self.persistent
    }

    /// The record of the whole batch: its names, and those that the record holds above the last recognised one, for a
    /// batch that is sent again may be cut shorter than it was the first time.
    pub(crate) fn confirmed_record(&self, old: &SyncRecord, head: i32, wrap: i32, partner_id: &str) -> SyncRecord {
        let mut last_batch = self.names.clone();
        if let Some(at) = self.repeat_at {
            last_batch.extend(old.last_batch.iter().skip(at + 1).filter(|name| !self.names.contains(name)));
        }
        bound(&mut last_batch, wrap);
        SyncRecord {
            partner_id: partner_id.to_owned(),
            sequence: head,
            luwid: self.luwid,
            last_batch,
            after_reset: false,
            at_heartbeat: None,
        }
    }

    /// The record of a commit at a heartbeat that named the batch. If the heartbeat was meant as the request for
    /// confirmation, a question that names LUWID and number is answered by it; if it was not, nothing is said of the
    /// batch that could make the sender delete messages that follow.
    pub(crate) fn heartbeat_record(&self, old: &SyncRecord, head: i32, wrap: i32, partner_id: &str) -> SyncRecord {
        SyncRecord { at_heartbeat: Some((self.luwid, head)), ..self.early_record(old, wrap, partner_id) }
    }

    /// What was delivered so far is committed with this record, and the batch may be over.
    pub(crate) fn committed_at_heartbeat(&mut self, record: &SyncRecord) {
        self.committed_early(record);
        self.rests = true;
    }

    /// The record of an early commit: names are added, number and LUWID stay those of the last confirmed batch, so
    /// that a question about either is never answered "committed" by mistake.
    pub(crate) fn early_record(&self, old: &SyncRecord, wrap: i32, partner_id: &str) -> SyncRecord {
        let mut record = SyncRecord { partner_id: partner_id.to_owned(), ..old.clone() };
        let fresh = self.names.iter().skip(self.written);
        let fresh: Vec<_> = fresh.filter(|name| !old.last_batch.contains(name)).copied().collect();
        record.last_batch.extend(fresh);
        bound(&mut record.last_batch, wrap);
        record
    }

    /// What was delivered so far is committed with this record; the batch goes on. Names that the record no longer keeps
    /// are of no more use here.
    pub(crate) fn committed_early(&mut self, record: &SyncRecord) {
        let surplus = self.names.len().saturating_sub(record.last_batch.len());
        self.names.drain(..surplus);
        self.written = self.names.len();
        self.uncommitted = 0;
    }
}

/// Keeps the newest names, never more than half a cycle of numbers: a number must not come round while its name is kept.
fn bound(names: &mut Vec<MessageName>, wrap: i32) {
    let most = usize::try_from(wrap / 2).unwrap_or(0).clamp(1, NAMES_MAX);
    let surplus = names.len().saturating_sub(most);
    names.drain(..surplus);
}
