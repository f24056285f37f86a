//! The redb file: its tables, and the few transactions on them. Everything here blocks.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | name | number: `format`, `next destination` |
//! | `destinations` | `queue://NAME` | id, first place, next place, bytes |
//! | `messages` | destination id, place | publication, see `encoding` |
//! | `channels` | gateway, channel, partner | sync record and lease, see `target::record` |
//!
//! Invariants: the messages of a destination lie at the places from first up to, not including, next; gaps are only where a
//! feed has retired a message before an older one; a record is written only in the transaction that writes the messages that it names.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::browse::{DestinationSummary, Stored};
use super::encoding;
use crate::channel::record::ChannelKey;
use crate::mapping::Destination;
use crate::target::lease::Kept;
use crate::target::record::{LeaseRecord, describe, fresh_holder};
use crate::target::{Side, TargetError};

/// The file inside the store's folder.
const FILE: &str = "mqferry.redb";
/// What the file is called while it is made, before the process id.
const UNFINISHED: &str = "mqferry.redb.new-";
/// What this build writes and reads.
const FORMAT: u64 = 1;
/// Memory for pages; messages are written once and mostly read once.
const CACHE_BYTES: usize = 32 << 20;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const DESTINATIONS: TableDefinition<'_, &str, (u32, u64, u64, u64)> = TableDefinition::new("destinations");
const MESSAGES: TableDefinition<'_, (u32, u64), &[u8]> = TableDefinition::new("messages");
const CHANNELS: TableDefinition<'_, (&str, &str, &str), &[u8]> = TableDefinition::new("channels");

/// A publication ready to be stored.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) destination: String,
    pub(super) encoded: Vec<u8>,
}

/// A message that leaves the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) destination: String,
    pub(super) place: u64,
}

/// A commit that did not succeed.
#[derive(Debug)]
pub(super) struct NotCommitted {
    /// The failure came so late that only the record can tell.
    pub(super) in_doubt: bool,
    pub(super) error: TargetError,
}

/// One store folder, its file open and locked.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    /// None after a failure: redb refuses everything after an I/O error, so the file is opened anew.
    database: RwLock<Option<Database>>,
}

/// What went wrong inside a transaction.
enum Fault {
    Redb(redb::Error),
    Target(TargetError),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

fn open_redb(file: &Path, create: bool) -> Result<Database, redb::DatabaseError> {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    if create { builder.create(file) } else { builder.open(file) }
}

impl Store {
    /// Opens the store in `dir`, making it when `create` says so. After a crash this reads the whole file.
    pub(super) fn open(dir: &Path, create: bool) -> Result<Self, TargetError> {
        let store = Self { dir: dir.to_owned(), database: RwLock::new(None) };
        if create {
            std::fs::create_dir_all(dir).map_err(|error| store.io_error("cannot be made", &error))?;
        } else if !store.file().is_file() {
            let text = format!("embedded:{} holds no store: there is no file {FILE} in it", dir.display());
            return Err(TargetError { side: Side::Ours, text, retry: false });
        }
        let database = store.open_file(create)?;
        *store.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(store)
    }

    /// A store on whatever a test keeps its bytes in.
    #[cfg(test)]
    pub(super) fn on(database: Database) -> Result<Self, TargetError> {
        let store = Self { dir: PathBuf::from("no such folder"), database: RwLock::new(None) };
        store.check_format(&database, true).map_err(|fault| store.fault(fault))?;
        *store.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(store)
    }

    /// What lies at a destination, as bytes.
    #[cfg(test)]
    pub(super) fn raw(&self, destination: &str) -> Result<Vec<Vec<u8>>, TargetError> {
        self.with(|database| {
            let transaction = database.begin_read()?;
            let Some(entry) = transaction.open_table(DESTINATIONS)?.get(destination)?.map(|entry| entry.value()) else {
                return Ok(Vec::new());
            };
            let messages = transaction.open_table(MESSAGES)?;
            messages.range((entry.0, 0)..(entry.0 + 1, 0))?.map(|item| Ok(item?.1.value().to_vec())).collect()
        })
    }

    fn file(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    fn open_file(&self, create: bool) -> Result<Database, TargetError> {
        let file = self.file();
        if create && !file.exists() {
            self.make_file().map_err(|fault| self.fault(fault))?;
        }
        let database = open_redb(&file, false).map_err(|error| self.explain(error.into()))?;
        self.check_format(&database, false).map_err(|fault| self.fault(fault))?;
        if create {
            self.tidy();
        }
        Ok(database)
    }

    /// Makes an empty store. A redb file that was not made to its end cannot be opened ever again, so it is made
    /// under another name first; if another process was faster, its file stays.
    fn make_file(&self) -> Result<(), Fault> {
        let file = self.file();
        let unfinished = self.dir.join(format!("{UNFINISHED}{}", std::process::id()));
        let io = |error: std::io::Error| Fault::Target(self.io_error("cannot be made", &error));
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let database = open_redb(&unfinished, true)?;
        self.check_format(&database, true)?;
        database.close()?;
        match std::fs::hard_link(&unfinished, &file) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            // A file system without links.
            Err(_) if !file.exists() => std::fs::rename(&unfinished, &file).map_err(io)?,
            _ => {}
        }
        // A file whose name is not on disk is lost with the power, whatever was synced into it.
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io)
    }

    /// Removes what this or an earlier making left. Whoever still makes one loses nothing but its own try.
    fn tidy(&self) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn check_format(&self, database: &Database, create: bool) -> Result<(), Fault> {
        let found = match database.begin_read()?.open_table(META) {
            Ok(meta) => meta.get("format")?.map(|format| format.value()),
            Err(redb::TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(error.into()),
        };
        match found {
            Some(FORMAT) => Ok(()),
            Some(other) => Err(Fault::Target(self.unusable(&format!(
                "has store format {other}, this build knows {FORMAT}: use the build that wrote it"
            )))),
            None if create && database.begin_read()?.list_tables()?.next().is_none() => {
                let transaction = database.begin_write()?;
                transaction.open_table(META)?.insert("format", FORMAT)?;
                transaction.open_table(DESTINATIONS)?;
                transaction.open_table(MESSAGES)?;
                transaction.open_table(CHANNELS)?;
                Ok(transaction.commit()?)
            }
            None => Err(Fault::Target(self.unusable("is a redb file, but not a store of mqferry"))),
        }
    }

    /// Takes the lease on `key`: writes its record with the next epoch and a new holder.
    pub(super) fn claim(&self, key: &ChannelKey) -> Result<LeaseRecord, TargetError> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            let record = {
                let mut channels = transaction.open_table(CHANNELS)?;
                let at = (key.gateway.as_str(), key.channel.as_str(), key.partner.as_str());
                let old = self.read_record(key, &channels)?;
                let (epoch, sync, sending) = old.map_or((0, None, None), |old| (old.epoch, old.sync, old.sending));
                let new = LeaseRecord { key: key.clone(), epoch: epoch + 1, holder: fresh_holder(), sync, sending };
                channels.insert(at, new.to_text().as_bytes())?;
                new
            };
            transaction.commit()?;
            Ok(record)
        })
    }

    fn read_record(
        &self,
        key: &ChannelKey,
        channels: &impl redb::ReadableTable<(&'static str, &'static str, &'static str), &'static [u8]>,
    ) -> Result<Option<LeaseRecord>, Fault> {
        let at = (key.gateway.as_str(), key.channel.as_str(), key.partner.as_str());
        let Some(text) = channels.get(at)? else { return Ok(None) };
        LeaseRecord::from_text(key, text.value())
            .map(Some)
            .map_err(|error| Fault::Target(self.unusable(&format!("has a bad record: {error}"))))
    }

    /// Stores `staged` in order, removes `retire`, and puts `kept` into the record under `lease`, in one transaction on disk
    /// when this returns.
    pub(super) fn commit(
        &self,
        lease: &LeaseRecord,
        kept: Kept,
        staged: &[Staged],
        retire: &[Place],
    ) -> Result<(), NotCommitted> {
        let mut in_doubt = false;
        let done = self.with(|database| {
            let transaction = database.begin_write()?;
            {
                let mut channels = transaction.open_table(CHANNELS)?;
                match self.read_record(&lease.key, &channels)? {
                    Some(now) if now.epoch == lease.epoch && now.holder == lease.holder => {}
                    now => {
                        let holder = now.map_or_else(|| "nobody".to_owned(), |now| now.holder);
                        let text = format!("the lease on {} was lost: held by {holder} now", describe(&lease.key));
                        return Err(Fault::Target(TargetError { side: Side::Ours, text, retry: true }));
                    }
                }
                let new = kept.into_record(lease.clone());
                let key = &lease.key;
                let at = (key.gateway.as_str(), key.channel.as_str(), key.partner.as_str());
                channels.insert(at, new.to_text().as_bytes())?;

                let mut meta = transaction.open_table(META)?;
                let mut destinations = transaction.open_table(DESTINATIONS)?;
                let mut messages = transaction.open_table(MESSAGES)?;
                let mut touched: BTreeMap<&str, (u32, u64, u64, u64)> = BTreeMap::new();
                for Staged { destination, encoded } in staged {
                    let entry = match touched.get_mut(destination.as_str()) {
                        Some(entry) => entry,
                        None => {
                            let known = destinations.get(destination.as_str())?.map(|entry| entry.value());
                            let entry = match known {
                                Some(entry) => entry,
                                None => {
                                    let id = meta.get("next destination")?.map_or(1, |next| next.value());
                                    meta.insert("next destination", id + 1)?;
                                    let id = u32::try_from(id).map_err(|_| {
                                        Fault::Target(self.unusable("has had too many destinations (2³²)"))
                                    })?;
                                    (id, 1, 1, 0)
                                }
                            };
                            touched.entry(destination).or_insert(entry)
                        }
                    };
                    messages.insert((entry.0, entry.2), encoded.as_slice())?;
                    entry.2 += 1;
                    entry.3 += encoded.len() as u64;
                }
                for Place { destination, place } in retire {
                    let entry = match touched.get_mut(destination.as_str()) {
                        Some(entry) => entry,
                        None => {
                            let known = destinations.get(destination.as_str())?.map(|entry| entry.value());
                            touched.entry(destination).or_insert(known.unwrap_or_default())
                        }
                    };
                    let Some(gone) = messages.remove((entry.0, *place))?.map(|gone| gone.value().len() as u64) else {
                        let text = format!("message {place} of {destination} is gone: another process took it");
                        return Err(Fault::Target(TargetError { side: Side::Ours, text, retry: true }));
                    };
                    entry.3 = entry.3.saturating_sub(gone);
                    if *place == entry.1 {
                        let mut rest = messages.range((entry.0, *place)..(entry.0, entry.2))?;
                        entry.1 = rest.next().transpose()?.map_or(entry.2, |(at, _)| at.value().1);
                    }
                }
                for (destination, entry) in touched {
                    destinations.insert(destination, entry)?;
                }
            }
            in_doubt = true;
            Ok(transaction.commit()?)
        });
        done.map_err(|error| NotCommitted { in_doubt, error })
    }

    /// All destinations, by name.
    pub(super) fn destinations(&self) -> Result<Vec<DestinationSummary>, TargetError> {
        self.with(|database| {
            let destinations = database.begin_read()?.open_table(DESTINATIONS)?;
            let mut found = Vec::new();
            for item in destinations.iter()? {
                let (name, entry) = item?;
                let destination = name.value().parse().map_err(|_| {
                    Fault::Target(self.unusable(&format!("has a destination with the bad name {:?}", name.value())))
                })?;
                let (_, first, next, bytes) = entry.value();
                found.push(DestinationSummary { destination, messages: next - first, bytes });
            }
            Ok(found)
        })
    }

    /// All channels' records.
    pub(super) fn channels(&self) -> Result<Vec<LeaseRecord>, TargetError> {
        self.with(|database| {
            let channels = database.begin_read()?.open_table(CHANNELS)?;
            let mut found = Vec::new();
            for item in channels.iter()? {
                let (_, text) = item?;
                let record = LeaseRecord::from_any_text(text.value());
                found
                    .push(record.map_err(|error| Fault::Target(self.unusable(&format!("has a bad record: {error}"))))?);
            }
            Ok(found)
        })
    }

    /// Messages of `destination` behind the place `after`, at most `limit`, and no more once `max_bytes` are reached.
    pub(super) fn read(
        &self,
        destination: &Destination,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Stored>, TargetError> {
        self.with(|database| {
            let transaction = database.begin_read()?;
            let name = destination.to_string();
            let Some(entry) = transaction.open_table(DESTINATIONS)?.get(name.as_str())?.map(|entry| entry.value())
            else {
                return Ok(Vec::new());
            };
            let messages = transaction.open_table(MESSAGES)?;
            let (id, _, next, _) = entry;
            let (mut found, mut bytes) = (Vec::new(), 0);
            for item in messages.range((id, after.saturating_add(1).min(next))..(id, next))?.take(limit) {
                let (at, encoded) = item?;
                let place = at.value().1;
                let encoded = Bytes::copy_from_slice(encoded.value());
                let publication = encoding::decode(&encoded).map_err(|error| {
                    Fault::Target(self.unusable(&format!("cannot give message {place} of {name}: {error}")))
                })?;
                bytes += encoded.len();
                found.push(Stored { place, publication });
                if bytes >= max_bytes {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// Runs `work` on the open file, opening it anew when an earlier failure closed it.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, TargetError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if slot.is_none() {
                *slot = Some(self.open_file(false)?);
            }
        }
        let done = match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
            Some(database) => work(database),
            // Another task's failure closed it a moment ago.
            None => Err(Fault::Redb(redb::Error::DatabaseClosed)),
        };
        done.map_err(|fault| {
            if matches!(fault, Fault::Redb(_)) {
                self.close();
            }
            self.fault(fault)
        })
    }

    /// Closes the file; the next use opens it anew, which repairs what can be repaired.
    pub(super) fn close(&self) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn fault(&self, fault: Fault) -> TargetError {
        match fault {
            Fault::Redb(error) => self.explain(error),
            Fault::Target(error) => error,
        }
    }

    fn explain(&self, error: redb::Error) -> TargetError {
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => TargetError {
                side: Side::Ours,
                text: format!(
                    "embedded:{} is held by another process: stop the gateway or command that uses it",
                    self.dir.display()
                ),
                retry: true,
            },
            redb::Error::Io(error) => self.io_error("failed", &error),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                TargetError { retry: true, ..self.unusable("was closed after an earlier failure") }
            }
            redb::Error::Corrupted(what) => {
                self.unusable(&format!("is corrupt: {what}: put it aside and restore or start a new one"))
            }
            other => self.unusable(&format!("cannot be used: {other}")),
        }
    }

    fn unusable(&self, what: &str) -> TargetError {
        TargetError { side: Side::Ours, text: format!("store {} {what}", self.file().display()), retry: false }
    }

    fn io_error(&self, what: &str, error: &std::io::Error) -> TargetError {
        use std::io::ErrorKind;
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => ": make room on that disk",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ": give this user the right to write there",
            ErrorKind::InvalidData => ": it is no store of mqferry, or it is damaged",
            _ => "",
        };
        let retry = !matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidData);
        let text = format!("store {} {what}: {error}{remedy}", self.file().display());
        TargetError { side: Side::Ours, text, retry }
    }
}
