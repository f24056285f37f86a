//! The feed of a [`Memory`]: the first feed that takes from a destination has it alone.

use std::collections::HashSet;

use super::{CommitFault, Memory, MemoryClaim};
use crate::channel::record::{ChannelKey, SendRecord};
use crate::target::record::{Mark, Sending};
use crate::target::taken::{Arrival, Book};
use crate::target::{Claimed, Feed, Outcome, Outlet, Side, Source, Step, Taken, Target, TargetError, Unreadable};

/// The lease on a sending channel of a [`Memory`], and what it consumes.
#[derive(Debug)]
pub struct MemoryFeed {
    claim: MemoryClaim,
    outlets: Vec<Outlet>,
    book: Book<u64>,
    record: Option<SendRecord>,
    /// Numbers of messages that are taken.
    taken: HashSet<u64>,
    /// How far it has looked, and what `given_back` was then.
    looked: (u64, u64),
}

impl Source for Memory {
    type Feed = MemoryFeed;

    async fn feed(
        &self,
        key: &ChannelKey,
        outlets: &[Outlet],
        ahead: usize,
    ) -> Result<Claimed<MemoryFeed>, TargetError> {
        let claim = match self.claim(key).await? {
            Claimed::Ours(claim) => claim,
            Claimed::Held(who) => return Ok(Claimed::Held(who)),
        };
        let sending = self.lock().channel(key).record.sending.clone();
        Ok(Claimed::Ours(MemoryFeed {
            claim,
            outlets: outlets.to_vec(),
            book: Book::new(ahead),
            record: sending.map(|sending| sending.record),
            taken: HashSet::new(),
            looked: (0, 0),
        }))
    }
}

impl MemoryFeed {
    /// Takes the next message that is for us into the book; false where there is none.
    fn look(&mut self) -> Result<bool, TargetError> {
        let mut store = self.claim.memory.lock();
        store.held(&self.claim.key, self.claim.epoch)?;
        if self.looked.1 != store.given_back {
            self.looked = (0, store.given_back);
        }
        let us = (self.claim.key.clone(), self.claim.epoch);
        let found = store.committed.range(self.looked.0 + 1..).find(|(number, lying)| {
            let at = &lying.publication.destination;
            !self.taken.contains(number)
                && self.outlets.iter().any(|outlet| outlet.takes(at))
                && store.consumed.get(at).is_none_or(|owner| *owner == us)
        });
        let Some((number, lying)) = found.map(|(number, lying)| (*number, lying.clone())) else {
            self.looked.0 = store.last_number;
            return Ok(false);
        };
        self.looked.0 = number;
        store.consumed.insert(lying.publication.destination.clone(), us);
        drop(store);
        self.take(number, lying);
        Ok(true)
    }

    fn take(&mut self, number: u64, lying: super::Lying) {
        self.taken.insert(number);
        let mark = Mark { from: lying.publication.destination.clone(), identity: number.to_string() };
        let redelivered = lying.redelivered;
        let publication = match lying.unreadable {
            Some(why) => Err(Unreadable { why, kept: Box::new(lying.publication) }),
            None => Ok(lying.publication),
        };
        self.book.arrived(Arrival { mark, handle: number, publication, redelivered });
    }

    fn plan(&self, step: &Step) -> Result<(Sending, Vec<u64>), TargetError> {
        Ok((Sending::of(&step.record, self.book.marks(&step.in_doubt)?)?, self.book.handles(&step.retire)?))
    }
}

impl Feed for MemoryFeed {
    fn record(&self) -> Option<&SendRecord> {
        self.record.as_ref()
    }

    async fn in_doubt(&mut self) -> Result<Vec<Taken>, TargetError> {
        let mut store = self.claim.memory.lock();
        let channel = store.held(&self.claim.key, self.claim.epoch)?;
        let marks = channel.record.sending.as_ref().map(|sending| sending.in_doubt.clone()).unwrap_or_default();
        let us = (self.claim.key.clone(), self.claim.epoch);
        let mut found = Vec::new();
        for mark in &marks {
            let number = mark.identity.parse().unwrap_or(0);
            if let Some(lying) = store.committed.get(&number).filter(|lying| lying.publication.destination == mark.from)
            {
                found.push((number, lying.clone()));
                store.consumed.insert(mark.from.clone(), us.clone());
            }
        }
        drop(store);
        self.book.recall(&marks);
        for (number, lying) in found {
            self.take(number, lying);
        }
        Ok(self.book.recalled())
    }

    async fn next(&mut self) -> Result<Taken, TargetError> {
        let changed = self.claim.memory.changed.clone();
        loop {
            let mut bell = std::pin::pin!(changed.notified());
            bell.as_mut().enable();
            if let Some(taken) = self.ready()? {
                return Ok(taken);
            }
            bell.await;
        }
    }

    fn ready(&mut self) -> Result<Option<Taken>, TargetError> {
        self.claim.memory.lock().held(&self.claim.key, self.claim.epoch)?;
        if !self.book.is_full() && self.book.waiting() == 0 {
            self.look()?;
        }
        Ok(self.book.next().map(|(taken, _)| taken))
    }

    async fn commit(&mut self, step: Step) -> Outcome {
        let (sending, retire) = match self.plan(&step) {
            Ok(planned) => planned,
            Err(error) => return Outcome::RolledBack(error),
        };
        let claim = &self.claim;
        let mut store = claim.memory.lock();
        if let Err(error) = store.held(&claim.key, claim.epoch) {
            return Outcome::RolledBack(error);
        }
        for (index, publication) in step.publish.iter().enumerate() {
            if let Some((refusal, left @ 1..)) = store.refused.get_mut(&publication.destination) {
                *left -= 1;
                return Outcome::Refused(refusal.of_step(index));
            }
        }
        let fault = store.commit_faults.pop_front();
        if matches!(fault, None | Some(CommitFault::InDoubtAllKept)) {
            for number in &retire {
                store.committed.remove(number);
            }
            store.keep(step.publish);
            store.commits += 1;
            store.channel(&claim.key).record.sending = Some(sending);
        }
        let error =
            |side, text: &str| TargetError { side, text: format!("{text} (asked for by the test)"), retry: true };
        let outcome = match fault {
            None => Outcome::Committed,
            Some(CommitFault::RolledBack) => Outcome::RolledBack(error(Side::Broker, "the commit was refused")),
            Some(CommitFault::InDoubtNothingKept | CommitFault::InDoubtAllKept) => {
                store.channel(&claim.key).free();
                Outcome::InDoubt(error(Side::Network, "the answer to the commit was lost"))
            }
        };
        drop(store);
        claim.memory.changed.notify_waiters();
        if let Outcome::Committed = outcome {
            self.record = Some(step.record);
            self.book.retired(&step.retire);
            for number in retire {
                self.taken.remove(&number);
            }
        }
        outcome
    }

    async fn release(self) {}
}

impl Drop for MemoryFeed {
    fn drop(&mut self) {
        let mut store = self.claim.memory.lock();
        let us = (self.claim.key.clone(), self.claim.epoch);
        store.consumed.retain(|_, owner| *owner != us);
        for number in &self.taken {
            if let Some(lying) = store.committed.get_mut(number) {
                lying.redelivered = true;
            }
        }
        store.given_back += 1;
        drop(store);
        self.claim.memory.changed.notify_waiters();
    }
}
