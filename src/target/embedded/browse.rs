//! Reading a store: what lies where, in order, a page at a time.

use std::path::Path;
use std::sync::Arc;

use super::store::Store;
use crate::mapping::{Destination, Publication};
use crate::target::TargetError;
use crate::target::record::LeaseRecord;

/// Publications that one page holds at most.
const PAGE_MESSAGES: usize = 256;
/// Bytes at which a page ends; the publication that reaches it still belongs to it.
const PAGE_BYTES: usize = 4 << 20;

/// Looks into a store and changes nothing. All calls block on the disk.
#[derive(Clone, Debug)]
pub struct Browser {
    store: Arc<Store>,
}

/// One destination of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationSummary {
    /// Its name.
    pub destination: Destination,
    /// Publications that lie there.
    pub messages: u64,
    /// Their bytes as stored: bodies, properties, headers.
    pub bytes: u64,
}

/// A publication with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place within its destination, from 1, without gaps; the cursor to read on behind it.
    pub place: u64,
    /// The publication.
    pub publication: Publication,
}

impl Browser {
    /// Opens the store in `dir`, which no running gateway may hold. Never makes one.
    ///
    /// # Errors
    /// When there is none, another process holds it, or it cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, TargetError> {
        Store::open(dir.as_ref(), false).map(|store| Self { store: Arc::new(store) })
    }

    pub(super) fn of(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// All destinations that ever got a publication, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn destinations(&self) -> Result<Vec<DestinationSummary>, TargetError> {
        self.store.destinations()
    }

    /// The records of all channels, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn channels(&self) -> Result<Vec<LeaseRecord>, TargetError> {
        self.store.channels()
    }

    /// The next page of `destination` behind the place `after` (0: from the start), at most 256 publications, and
    /// no more once 4 MiB are reached. Empty at the end, and for an unknown destination.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn page(&self, destination: &Destination, after: u64) -> Result<Vec<Stored>, TargetError> {
        self.store.read(destination, after, PAGE_MESSAGES, PAGE_BYTES)
    }

    /// All publications of `destination` in order, read page by page; ends after the first error.
    pub fn messages<'a>(
        &'a self,
        destination: &'a Destination,
    ) -> impl Iterator<Item = Result<Stored, TargetError>> + 'a {
        let (mut page, mut after, mut over) = (Vec::new().into_iter(), 0, false);
        std::iter::from_fn(move || {
            if over {
                return None;
            }
            if page.len() == 0 {
                match self.page(destination, after) {
                    Ok(next) => page = next.into_iter(),
                    Err(error) => {
                        over = true;
                        return Some(Err(error));
                    }
                }
            }
            let stored = page.next();
            match &stored {
                Some(stored) => after = stored.place,
                None => over = true,
            }
            stored.map(Ok)
        })
    }
}
