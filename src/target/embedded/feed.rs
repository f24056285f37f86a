//! The feed of an [`Embedded`] store: messages are read a page at a time, and removed in the transaction that writes the
//! record. The first feed that takes from a destination has it alone. A topic's messages lie there as a queue's do.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use super::store::Place;
use super::{Embedded, EmbeddedClaim, EmbeddedUnit, Shared, Stored, blocking, panicked};
use crate::channel::record::{ChannelKey, SendRecord};
use crate::mapping::Destination;
use crate::target::lease::Kept;
use crate::target::record::{Mark, Sending};
use crate::target::taken::{Arrival, Book};
use crate::target::{Claimed, Feed, Outcome, Outlet, Side, Source, Step, Taken, Target as _, TargetError, Unit as _};

/// Messages and bytes of a destination that one look reads.
const PAGE_MESSAGES: usize = 256;
const PAGE_BYTES: usize = 4 << 20;

/// The lease on a sending channel of an [`Embedded`] store, and what it consumes.
#[derive(Debug)]
pub struct EmbeddedFeed {
    claim: EmbeddedClaim,
    outlets: Vec<Outlet>,
    book: Book<Place>,
    page: usize,
    /// The last place read of each destination.
    looked: HashMap<Destination, u64>,
    /// Messages that were in doubt, which are taken and lie behind that.
    recalled: HashSet<Place>,
}

impl Source for Embedded {
    type Feed = EmbeddedFeed;

    async fn feed(
        &self,
        key: &ChannelKey,
        outlets: &[Outlet],
        ahead: usize,
    ) -> Result<Claimed<EmbeddedFeed>, TargetError> {
        let claim = match self.claim(key).await? {
            Claimed::Ours(claim) => claim,
            Claimed::Held(who) => return Ok(Claimed::Held(who)),
        };
        Ok(Claimed::Ours(EmbeddedFeed {
            claim,
            outlets: outlets.to_vec(),
            book: Book::new(ahead),
            page: ahead.clamp(1, PAGE_MESSAGES),
            looked: HashMap::new(),
            recalled: HashSet::new(),
        }))
    }
}

/// Takes `destination` for the feed of `key`; false where another has it.
fn own(shared: &Shared, key: &ChannelKey, destination: &Destination) -> bool {
    let mut consumed = shared.consumed.lock().unwrap_or_else(PoisonError::into_inner);
    *consumed.entry(destination.clone()).or_insert_with(|| key.clone()) == *key
}

/// The next page of each destination that is for us.
fn look(
    shared: &Shared,
    key: &ChannelKey,
    outlets: &[Outlet],
    looked: &HashMap<Destination, u64>,
    page: usize,
) -> Result<Vec<(Destination, Vec<Stored>)>, TargetError> {
    let mut pages = Vec::new();
    for summary in shared.store.destinations()? {
        let destination = summary.destination;
        if summary.messages > 0
            && outlets.iter().any(|outlet| outlet.takes(&destination))
            && own(shared, key, &destination)
        {
            let after = looked.get(&destination).copied().unwrap_or(0);
            let stored = shared.store.read(&destination, after, page, PAGE_BYTES)?;
            pages.push((destination, stored));
        }
    }
    Ok(pages)
}

impl EmbeddedFeed {
    fn shared(&self) -> &Arc<Shared> {
        &self.claim.lease.shared
    }

    fn check(&self) -> Result<(), TargetError> {
        self.claim.finished.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Reads on where nothing waits; safe to drop.
    async fn read_on(&mut self) -> Result<(), TargetError> {
        self.check()?;
        if self.book.is_full() || self.book.waiting() > 0 {
            return Ok(());
        }
        let (shared, key) = (self.shared().clone(), self.claim.record.key.clone());
        let (outlets, looked, page) = (self.outlets.clone(), self.looked.clone(), self.page);
        let pages = blocking(move || look(&shared, &key, &outlets, &looked, page)).await;
        for (destination, stored) in pages.unwrap_or_else(|| Err(panicked(&self.shared().store)))? {
            for Stored { place, publication } in stored {
                self.looked.insert(destination.clone(), place);
                let handle = Place { destination: destination.to_string(), place };
                if !self.recalled.contains(&handle) {
                    self.arrived(destination.clone(), handle, publication);
                }
            }
        }
        Ok(())
    }

    fn arrived(&mut self, from: Destination, handle: Place, publication: crate::mapping::Publication) {
        let mark = Mark { from, identity: handle.place.to_string() };
        self.book.arrived(Arrival { mark, handle, publication: Ok(publication), redelivered: false });
    }

    fn plan(&self, step: &Step) -> Result<(Sending, Vec<Place>), TargetError> {
        self.check()?;
        Ok((Sending::of(&step.record, self.book.marks(&step.in_doubt)?)?, self.book.handles(&step.retire)?))
    }
}

impl Feed for EmbeddedFeed {
    fn record(&self) -> Option<&SendRecord> {
        self.claim.record.sending.as_ref().map(|sending| &sending.record)
    }

    async fn in_doubt(&mut self) -> Result<Vec<Taken>, TargetError> {
        self.check()?;
        let marks = self.claim.record.sending.as_ref().map(|it| it.in_doubt.clone()).unwrap_or_default();
        let (shared, key, wanted) = (self.shared().clone(), self.claim.record.key.clone(), marks.clone());
        let found = blocking(move || {
            let mut found = Vec::new();
            for mark in wanted {
                let place: u64 = mark.identity.parse().unwrap_or(0);
                if place > 0 && !own(&shared, &key, &mark.from) {
                    let text = format!("{}, where messages in doubt lie, is consumed by another channel", mark.from);
                    return Err(TargetError { side: Side::Ours, text, retry: true });
                }
                let stored = shared.store.read(&mark.from, place.saturating_sub(1), 1, PAGE_BYTES)?;
                found.extend(stored.into_iter().filter(|it| it.place == place).map(|it| (mark.from.clone(), it)));
            }
            Ok(found)
        });
        let found = found.await.unwrap_or_else(|| Err(panicked(&self.shared().store)))?;
        self.book.recall(&marks);
        for (from, Stored { place, publication }) in found {
            let handle = Place { destination: from.to_string(), place };
            self.recalled.insert(handle.clone());
            self.arrived(from, handle, publication);
        }
        Ok(self.book.recalled())
    }

    async fn next(&mut self) -> Result<Taken, TargetError> {
        let shared = self.shared().clone();
        loop {
            let mut bell = std::pin::pin!(shared.changed.notified());
            bell.as_mut().enable();
            self.read_on().await?;
            if let Some(taken) = self.ready()? {
                return Ok(taken);
            }
            bell.await;
        }
    }

    /// What the last look has read, up to a page of each destination.
    fn ready(&mut self) -> Result<Option<Taken>, TargetError> {
        self.check()?;
        Ok(self.book.next().map(|(taken, _)| taken))
    }

    async fn commit(&mut self, step: Step) -> Outcome {
        let (sending, retire) = match self.plan(&step) {
            Ok(planned) => planned,
            Err(error) => return Outcome::RolledBack(error),
        };
        let mut unit = EmbeddedUnit { claim: &mut self.claim, staged: Vec::new(), refusals: Vec::new() };
        for (index, publication) in step.publish.into_iter().enumerate() {
            if let Err(error) = unit.stage(index, publication).await {
                return Outcome::RolledBack(error);
            }
        }
        let EmbeddedUnit { staged, refusals, .. } = unit;
        if let Some((index, refusal)) = refusals.into_iter().next() {
            return Outcome::Refused(refusal.of_step(index));
        }
        let outcome = self.claim.write(Kept::Sent(sending), staged, retire).await;
        if let Outcome::Committed = outcome {
            self.book.retired(&step.retire);
            // So that `ready` need not read; what fails here fails again in `next`.
            let _ = self.read_on().await;
        }
        outcome
    }

    async fn release(self) {}
}

impl Drop for EmbeddedFeed {
    fn drop(&mut self) {
        let shared = self.shared();
        let key = &self.claim.record.key;
        shared.consumed.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, owner| owner != key);
        shared.changed.notify_waiters();
    }
}
