//! A target in this process's memory, for tests and benches, with faults on command.

//!
//! It keeps the messages of a topic as it keeps those of a queue.

mod feed;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::record::{LeaseRecord, Sending, describe, fresh_holder};
use super::{Answers, Claim, Claimed, Outcome, Refusal, Side, Target, TargetError, Unit};
use crate::channel::record::{ChannelKey, SendRecord, SyncRecord};
use crate::mapping::{Destination, Publication};
use crate::wire::Luwid;

pub use feed::MemoryFeed;

/// The store; clones share it, as the connections of several gateways share a broker.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    store: Arc<Mutex<Store>>,
    /// Rings when messages come, or come back, and when a lease is lost.
    changed: Arc<Notify>,
}

/// What the next commit does instead of succeeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// The broker answers that it rolled back.
    RolledBack,
    /// No answer, and nothing was committed.
    InDoubtNothingKept,
    /// No answer, but all of it was committed.
    InDoubtAllKept,
}

#[derive(Debug, Default)]
struct Store {
    /// By number, in the order of commit.
    committed: BTreeMap<u64, Lying>,
    last_number: u64,
    /// Which feed has a destination for itself.
    consumed: HashMap<Destination, (ChannelKey, u64)>,
    /// Rises when feeds give messages back, which may be lower than where others have looked.
    given_back: u64,
    channels: HashMap<ChannelKey, Channel>,
    refused: BTreeMap<Destination, (Refusal, u64)>,
    commit_faults: VecDeque<CommitFault>,
    commits: u64,
    down: Option<TargetError>,
    max_message_bytes: Option<u64>,
}

/// A message in the store.
#[derive(Clone, Debug)]
struct Lying {
    publication: Publication,
    redelivered: bool,
    /// Why it cannot be read.
    unreadable: Option<String>,
}

/// One channel's record, and the wake-up call of whoever holds it now.
#[derive(Debug)]
struct Channel {
    record: LeaseRecord,
    held: Option<Arc<Notify>>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A test that panicked elsewhere is already failing; the data is still of use.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything committed so far, in the order of commit, all destinations together.
    pub fn committed(&self) -> Vec<Publication> {
        self.lock().committed.values().map(|lying| lying.publication.clone()).collect()
    }

    /// How many publications were committed so far.
    pub fn count(&self) -> usize {
        self.lock().committed.len()
    }

    /// How many units were committed so far.
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// What was committed to `destination`, in order.
    pub fn at(&self, destination: &Destination) -> Vec<Publication> {
        let store = self.lock();
        let all = store.committed.values().map(|lying| &lying.publication);
        all.filter(|it| it.destination == *destination).cloned().collect()
    }

    /// Takes everything committed out of the store.
    pub fn take(&self) -> Vec<Publication> {
        std::mem::take(&mut self.lock().committed).into_values().map(|lying| lying.publication).collect()
    }

    /// Puts a message there, as an application does.
    pub fn put(&self, publication: Publication) {
        self.lock().keep([publication]);
        self.changed.notify_waiters();
    }

    /// Puts a message of which a feed can only say that it cannot be read, and why; `kept` is what can be kept of it.
    pub fn put_unreadable(&self, kept: Publication, why: &str) {
        let mut store = self.lock();
        store.keep([kept]);
        if let Some(mut last) = store.committed.last_entry() {
            last.get_mut().unreadable = Some(why.to_owned());
        }
        drop(store);
        self.changed.notify_waiters();
    }

    /// Removes the first message at `destination` that is `wanted`, as an administrator or its age does.
    pub fn remove(&self, destination: &Destination, wanted: impl Fn(&Publication) -> bool) -> Option<Publication> {
        let mut store = self.lock();
        let mut all = store.committed.iter().map(|(number, lying)| (*number, &lying.publication));
        let (number, _) = all.find(|(_, it)| it.destination == *destination && wanted(it))?;
        store.committed.remove(&number).map(|lying| lying.publication)
    }

    /// Puts a sending channel's record there, as if it had been committed, with nothing known of which messages are in doubt.
    pub fn set_send_record(&self, key: &ChannelKey, record: Option<SendRecord>) {
        let sending = record.map(|record| Sending { record, in_doubt: Vec::new() });
        self.lock().channel(key).record.sending = sending;
    }

    /// Record and lease of a channel, if it was ever claimed.
    pub fn record(&self, key: &ChannelKey) -> Option<LeaseRecord> {
        self.lock().channels.get(key).map(|channel| channel.record.clone())
    }

    /// Puts a sync record there, as if it had been committed.
    pub fn set_record(&self, key: &ChannelKey, sync: Option<SyncRecord>) {
        let mut store = self.lock();
        let channel = store.channel(key);
        channel.record.sync = sync;
    }

    /// Makes the next commit fail so; several calls queue up, one a commit.
    pub fn fail_commit(&self, fault: CommitFault) {
        self.lock().commit_faults.push_back(fault);
    }

    /// Refuses publications for `destination` from now on.
    pub fn refuse(&self, destination: Destination, refusal: Refusal) {
        self.refuse_next(destination, refusal, u64::MAX);
    }

    /// Refuses the next so many publications for `destination`; with 0 it takes them again. One that is answered for by the
    /// commit alone does not count.
    pub fn refuse_next(&self, destination: Destination, refusal: Refusal, count: u64) {
        self.lock().refused.insert(destination, (refusal, count));
    }

    /// From now on everything fails with this error (`None`: works again). Claims in hand are lost.
    pub fn set_down(&self, error: Option<TargetError>) {
        let mut store = self.lock();
        if error.is_some() {
            store.channels.values_mut().for_each(Channel::free);
        }
        store.down = error;
        drop(store);
        self.changed.notify_waiters();
    }

    /// Takes the lease of `key` from its holder, who can commit nothing more.
    pub fn lose_lease(&self, key: &ChannelKey) {
        self.lock().channel(key).free();
        self.changed.notify_waiters();
    }

    /// What claims say about the largest body.
    pub fn set_max_message_bytes(&self, bytes: Option<u64>) {
        self.lock().max_message_bytes = bytes;
    }
}

impl Store {
    fn keep(&mut self, publications: impl IntoIterator<Item = Publication>) {
        for publication in publications {
            self.last_number += 1;
            self.committed.insert(self.last_number, Lying { publication, redelivered: false, unreadable: None });
        }
    }

    fn channel(&mut self, key: &ChannelKey) -> &mut Channel {
        self.channels.entry(key.clone()).or_insert_with(|| Channel {
            record: LeaseRecord { key: key.clone(), epoch: 0, holder: String::new(), sync: None, sending: None },
            held: None,
        })
    }

    /// The channel of `key`, if the holder of `epoch` still has it.
    fn held(&mut self, key: &ChannelKey, epoch: u64) -> Result<&mut Channel, TargetError> {
        if let Some(down) = &self.down {
            return Err(down.clone());
        }
        let channel = self.channel(key);
        if channel.held.is_some() && channel.record.epoch == epoch { Ok(channel) } else { Err(lease_lost(key)) }
    }
}

impl Channel {
    fn free(&mut self) {
        if let Some(bell) = self.held.take() {
            bell.notify_one();
        }
    }
}

fn lease_lost(key: &ChannelKey) -> TargetError {
    TargetError { side: Side::Broker, text: format!("the lease on {} was lost", describe(key)), retry: true }
}

impl Target for Memory {
    type Claim = MemoryClaim;

    async fn look(&self) -> Result<(), TargetError> {
        self.lock().down.clone().map_or(Ok(()), Err)
    }

    async fn claim(&self, key: &ChannelKey) -> Result<Claimed<MemoryClaim>, TargetError> {
        let mut store = self.lock();
        if let Some(down) = &store.down {
            return Err(down.clone());
        }
        let max_message_bytes = store.max_message_bytes;
        let channel = store.channel(key);
        if channel.held.is_some() {
            return Ok(Claimed::Held(format!("{} is held by {}", describe(key), channel.record.holder)));
        }
        let bell = Arc::new(Notify::new());
        channel.held = Some(bell.clone());
        channel.record.epoch += 1;
        channel.record.holder = fresh_holder();
        Ok(Claimed::Ours(MemoryClaim {
            memory: self.clone(),
            key: key.clone(),
            epoch: channel.record.epoch,
            record: channel.record.sync.clone(),
            bell,
            max_message_bytes,
        }))
    }
}

/// The lease on a channel of a [`Memory`].
#[derive(Debug)]
pub struct MemoryClaim {
    memory: Memory,
    key: ChannelKey,
    epoch: u64,
    record: Option<SyncRecord>,
    bell: Arc<Notify>,
    max_message_bytes: Option<u64>,
}

impl Claim for MemoryClaim {
    type Unit<'a> = MemoryUnit<'a>;

    fn record(&self) -> Option<&SyncRecord> {
        self.record.as_ref()
    }

    async fn begin(&mut self, _luwid: Luwid) -> Result<MemoryUnit<'_>, TargetError> {
        self.memory.lock().held(&self.key, self.epoch)?;
        Ok(MemoryUnit { claim: self, answers: Answers::Each, marked: None, staged: Vec::new(), refusals: Vec::new() })
    }

    async fn lost(&mut self) -> TargetError {
        loop {
            if let Err(error) = self.memory.lock().held(&self.key, self.epoch) {
                return error;
            }
            self.bell.notified().await;
        }
    }

    fn max_message_bytes(&self) -> Option<u64> {
        self.max_message_bytes
    }

    async fn release(self) {}
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        let mut store = self.memory.lock();
        let channel = store.channel(&self.key);
        if channel.record.epoch == self.epoch {
            channel.held = None;
        }
    }
}

/// A unit of work on a [`Memory`].
#[derive(Debug)]
pub struct MemoryUnit<'a> {
    claim: &'a mut MemoryClaim,
    answers: Answers,
    /// Why the commit will be refused.
    marked: Option<Refusal>,
    staged: Vec<Publication>,
    refusals: Vec<(usize, Refusal)>,
}

impl Unit for MemoryUnit<'_> {
    fn answers(&mut self, when: Answers) -> Answers {
        self.answers = when;
        when
    }

    async fn stage(&mut self, index: usize, publication: Publication) -> Result<(), TargetError> {
        let mut store = self.claim.memory.lock();
        store.held(&self.claim.key, self.claim.epoch)?;
        match store.refused.get_mut(&publication.destination) {
            Some((refusal, 1..)) if self.answers == Answers::AtCommit => self.marked = Some(refusal.clone()),
            Some((refusal, left @ 1..)) => {
                *left -= 1;
                self.refusals.push((index, refusal.clone()));
            }
            _ => self.staged.push(publication),
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<Vec<(usize, Refusal)>, TargetError> {
        self.claim.memory.lock().held(&self.claim.key, self.claim.epoch)?;
        Ok(std::mem::take(&mut self.refusals))
    }

    async fn commit(self, record: SyncRecord) -> Outcome {
        let Self { claim, staged, marked, .. } = self;
        let mut store = claim.memory.lock();
        if let Err(error) = store.held(&claim.key, claim.epoch) {
            return Outcome::RolledBack(error);
        }
        if let Some(refusal) = marked {
            let text = format!("a message of the batch was refused: {refusal}");
            return Outcome::Refused(TargetError { side: Side::Broker, text, retry: true });
        }
        let fault = store.commit_faults.pop_front();
        if matches!(fault, None | Some(CommitFault::InDoubtAllKept)) {
            store.keep(staged);
            claim.memory.changed.notify_waiters();
            store.commits += 1;
            store.channel(&claim.key).record.sync = Some(record.clone());
        }
        match fault {
            None => {
                claim.record = Some(record);
                Outcome::Committed
            }
            Some(CommitFault::RolledBack) => Outcome::RolledBack(TargetError {
                side: Side::Broker,
                text: "the commit was refused (asked for by the test)".into(),
                retry: true,
            }),
            Some(CommitFault::InDoubtNothingKept | CommitFault::InDoubtAllKept) => {
                // As with a broker: the connection is finished, and so is the lease.
                store.channel(&claim.key).free();
                Outcome::InDoubt(TargetError {
                    side: Side::Network,
                    text: "the answer to the commit was lost (asked for by the test)".into(),
                    retry: true,
                })
            }
        }
    }

    async fn rollback(self) {}
}
