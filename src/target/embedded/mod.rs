//! The embedded target, `embedded:DIR`: a store in one folder, for a first look and as a spool.
//!
//! A unit of work is gathered in memory and written, with the channel's record, in one redb transaction that
//! is on disk when the commit returns. One writer at a time, on a thread that may block; a channel's open unit
//! keeps nobody else waiting. The lease between processes is redb's lock on the file; within the process it is
//! one per channel. Epoch and holder are stored all the same, and every commit checks them.

mod browse;
mod encoding;
mod feed;
#[cfg(test)]
mod power_loss;
mod store;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub use browse::{Browser, DestinationSummary, Stored};
pub(super) use encoding::encode as stored_form;
pub use feed::EmbeddedFeed;
use store::{NotCommitted, Place, Staged, Store};

use super::lease::Kept;
use super::record::{LeaseRecord, describe};
use super::{Claim, Claimed, Outcome, Refusal, Side, Target, TargetError, Unit};
use crate::channel::record::{ChannelKey, SyncRecord};
use crate::mapping::{Destination, Publication};
use crate::wire::Luwid;

/// The largest stored publication in bytes, headers and properties included.
pub const MAX_MESSAGE_BYTES: u64 = 512 << 20;

/// How long a claim waits for a holder that is just going: a commit that nobody awaits any more still ends first.
const CLAIM_WAIT: Duration = Duration::from_secs(2);

/// MQRC_UNKNOWN_OBJECT_NAME (wire reference, status-codes).
const UNKNOWN_OBJECT_NAME: i32 = 2085;
/// MQRC_MSG_TOO_BIG_FOR_Q.
const MSG_TOO_BIG_FOR_Q: i32 = 2030;

/// A store folder, open and locked; clones share it. Closed when the last clone, claim and browser is gone.
#[derive(Clone, Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<Store>,
    /// Held channels and their holders.
    leases: Mutex<HashMap<ChannelKey, String>>,
    freed: Notify,
    /// Which feed has a destination for itself.
    consumed: Mutex<HashMap<Destination, ChannelKey>>,
    /// Rings when messages come, or come back.
    changed: Notify,
    /// Keeps all but one waiting writer off the threads for blocking work.
    writer: Arc<tokio::sync::Mutex<()>>,
}

impl Embedded {
    /// Opens the store in `dir`, making folder and store if need be. After a crash this reads the whole file.
    ///
    /// # Errors
    /// When another process holds it (at once, without waiting), or the folder or file cannot be used.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self, TargetError> {
        let dir = dir.into();
        let named = dir.clone();
        let store = blocking(move || Store::open(&dir, true)).await.unwrap_or_else(|| {
            let text = format!("store in {} is corrupt: put it aside and restore or start a new one", named.display());
            Err(TargetError { side: Side::Ours, text, retry: false })
        })?;
        let shared = Shared {
            store: Arc::new(store),
            leases: Mutex::default(),
            freed: Notify::new(),
            consumed: Mutex::default(),
            changed: Notify::new(),
            writer: Arc::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Looks into this same store while it is in use.
    pub fn browser(&self) -> Browser {
        Browser::of(self.shared.store.clone())
    }
}

/// Runs `work` on a thread that may block; none when it panicked, which redb does on some damaged files.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// The lease within this process; given back when the last clone is dropped.
#[derive(Debug)]
struct Lease {
    shared: Arc<Shared>,
    key: ChannelKey,
}

impl Lease {
    /// Takes it, or says who has it.
    fn take(shared: &Arc<Shared>, key: &ChannelKey) -> Result<Self, String> {
        let mut leases = shared.leases.lock().unwrap_or_else(PoisonError::into_inner);
        match leases.get(key) {
            Some(holder) => Err(holder.clone()),
            None => {
                leases.insert(key.clone(), String::from("a claim that is just being made"));
                Ok(Self { shared: shared.clone(), key: key.clone() })
            }
        }
    }

    fn name_holder(&self, holder: &str) {
        let mut leases = self.shared.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.insert(self.key.clone(), holder.to_owned());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.leases.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.shared.freed.notify_waiters();
    }
}

impl Target for Embedded {
    type Claim = EmbeddedClaim;

    /// The store is open for as long as this value lives.
    async fn look(&self) -> Result<(), TargetError> {
        Ok(())
    }

    async fn claim(&self, key: &ChannelKey) -> Result<Claimed<EmbeddedClaim>, TargetError> {
        let wait = async {
            loop {
                let mut freed = std::pin::pin!(self.shared.freed.notified());
                freed.as_mut().enable();
                if let Ok(lease) = Lease::take(&self.shared, key) {
                    return lease;
                }
                freed.await;
            }
        };
        let lease = match tokio::time::timeout(CLAIM_WAIT, wait).await {
            Ok(lease) => Arc::new(lease),
            Err(_) => match Lease::take(&self.shared, key) {
                Ok(lease) => Arc::new(lease),
                Err(holder) => return Ok(Claimed::Held(format!("{} is held by {holder}", describe(key)))),
            },
        };
        let writer = self.shared.writer.clone().lock_owned().await;
        let (working, wanted) = (lease.clone(), key.clone());
        let record = blocking(move || {
            let record = working.shared.store.claim(&wanted);
            drop(writer);
            record
        })
        .await
        .unwrap_or_else(|| Err(panicked(&self.shared.store)))?;
        lease.name_holder(&record.holder);
        Ok(Claimed::Ours(EmbeddedClaim { lease, record, finished: None }))
    }
}

/// What a panic inside redb means; the file is closed, to be opened anew.
fn panicked(store: &Store) -> TargetError {
    store.close();
    TargetError {
        side: Side::Ours,
        text: "the embedded store failed inside redb: its file is damaged: put it aside and restore or start a new one"
            .into(),
        retry: false,
    }
}

/// The lease on a channel of an [`Embedded`] store.
#[derive(Debug)]
pub struct EmbeddedClaim {
    lease: Arc<Lease>,
    record: LeaseRecord,
    /// Why no further unit may be opened.
    finished: Option<TargetError>,
}

impl Claim for EmbeddedClaim {
    type Unit<'a> = EmbeddedUnit<'a>;

    fn record(&self) -> Option<&SyncRecord> {
        self.record.sync.as_ref()
    }

    async fn begin(&mut self, _luwid: Luwid) -> Result<EmbeddedUnit<'_>, TargetError> {
        match &self.finished {
            Some(error) => Err(error.clone()),
            None => Ok(EmbeddedUnit { claim: self, staged: Vec::new(), refusals: Vec::new() }),
        }
    }

    async fn lost(&mut self) -> TargetError {
        match &self.finished {
            Some(error) => error.clone(),
            // The lock on the file lasts as long as this process has it open.
            None => std::future::pending().await,
        }
    }

    fn max_message_bytes(&self) -> Option<u64> {
        Some(MAX_MESSAGE_BYTES)
    }

    async fn release(self) {}
}

impl EmbeddedClaim {
    /// Stores `staged`, removes `retire` and moves the record on, in one transaction.
    async fn write(&mut self, kept: Kept, staged: Vec<Staged>, retire: Vec<Place>) -> Outcome {
        let claim = self;
        let writer = claim.lease.shared.writer.clone().lock_owned().await;
        // From here on the commit goes on even if nobody awaits it; the lease stays taken until it is over.
        let (lease, held, new) = (claim.lease.clone(), claim.record.clone(), kept.clone());
        claim.finished = Some(TargetError {
            side: Side::Ours,
            text: "a commit on this claim was not awaited to its end".into(),
            retry: true,
        });
        let done = blocking(move || {
            let done = lease.shared.store.commit(&held, new, &staged, &retire);
            drop(writer);
            lease.shared.changed.notify_waiters();
            done
        })
        .await
        .unwrap_or_else(|| Err(NotCommitted { in_doubt: true, error: panicked(&claim.lease.shared.store) }));
        match done {
            Ok(()) => {
                claim.finished = None;
                claim.record = kept.into_record(claim.record.clone());
                Outcome::Committed
            }
            Err(NotCommitted { in_doubt: false, error }) => {
                claim.finished = Some(error.clone());
                Outcome::RolledBack(error)
            }
            Err(NotCommitted { in_doubt: true, error }) => {
                claim.finished = Some(error.clone());
                Outcome::InDoubt(error)
            }
        }
    }
}

/// A unit of work on an [`Embedded`] store: publications gathered in memory, encoded.
#[derive(Debug)]
pub struct EmbeddedUnit<'a> {
    claim: &'a mut EmbeddedClaim,
    staged: Vec<Staged>,
    refusals: Vec<(usize, Refusal)>,
}

impl Unit for EmbeddedUnit<'_> {
    async fn stage(&mut self, index: usize, publication: Publication) -> Result<(), TargetError> {
        if let Destination::TempQueue(_) | Destination::TempTopic(_) = publication.destination {
            let text = format!("{}: the embedded store has no temporary destinations", publication.destination);
            self.refusals.push((index, Refusal { reason: UNKNOWN_OBJECT_NAME, text }));
            return Ok(());
        }
        let destination = publication.destination.to_string();
        let encoded = encoding::encode(publication);
        if encoded.len() as u64 > MAX_MESSAGE_BYTES {
            let text = format!("{} bytes, the embedded store takes {MAX_MESSAGE_BYTES}", encoded.len());
            self.refusals.push((index, Refusal { reason: MSG_TOO_BIG_FOR_Q, text }));
            return Ok(());
        }
        self.staged.push(Staged { destination, encoded });
        Ok(())
    }

    async fn settle(&mut self) -> Result<Vec<(usize, Refusal)>, TargetError> {
        Ok(std::mem::take(&mut self.refusals))
    }

    async fn commit(self, record: SyncRecord) -> Outcome {
        let Self { claim, staged, .. } = self;
        claim.write(Kept::Received(record), staged, Vec::new()).await
    }

    async fn rollback(self) {}
}
