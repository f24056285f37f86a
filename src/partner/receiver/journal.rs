//! One file that holds all that was ever committed: messages and, in the same record, what their channel remembers.
//!
//! A record is length (4 bytes, big-endian), checksum (4) and what was committed at once. The file is only appended to;
//! a record cut short is not there. So a batch and its number and LUWID are there together or not at all.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};

use super::local::{LocalMessage, LocalQueues};
use crate::partner::xmitq::{Locked, checksum, lock};
use crate::partner::{PartnerError, Step};
use crate::wire::{Alphabet, ByteOrder, Luwid};

/// Name of the file.
pub(super) const FILE: &str = "journal";
/// Bytes in front of each record.
pub(super) const RECORD_HEADER: usize = 8;

/// A channel as a receiver tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId {
    /// Its name.
    pub channel: String,
    /// The queue manager at its other end; blank below FAP 4.
    pub partner: String,
}

/// What a receiver remembers of a channel; IBM keeps the same in SYSTEM.CHANNEL.SYNCQ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Number of the last committed message, 0 before the first.
    pub sequence: i32,
    /// LUWID of the last committed batch, zero before the first.
    pub luwid: Luwid,
    /// LUWID of the batch before that.
    pub before: Luwid,
}

/// Why a journal takes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Its queue manager died at this step.
    Died(Step),
    /// Its queue manager was ended from outside.
    Killed,
}

/// What is committed at once.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: ChannelId,
    pub(super) sequence: i32,
    pub(super) luwid: Luwid,
    pub(super) messages: Vec<LocalMessage>,
}

/// The journal, open for writing, and what it comes to.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// Where the next record begins.
    end: u64,
    channels: HashMap<ChannelId, Remembered>,
    /// Which connection of a channel may commit.
    owners: HashMap<ChannelId, u64>,
    fsync: bool,
    /// Why nothing is written any more.
    closed: Option<Closed>,
    /// Given back when nothing is written any more.
    lock: Option<Locked>,
}

impl Journal {
    /// Opens the journal in this folder, made if missing. A record cut short at its end is removed.
    pub(super) fn open(folder: &Path, fsync: bool) -> Result<Self, PartnerError> {
        std::fs::create_dir_all(folder).map_err(|e| PartnerError::file(folder, e))?;
        let lock = lock(folder, "receive.lock")?;
        let path = folder.join(FILE);
        let mut kept = LocalQueues::of(folder);
        kept.refresh_with(|_| ())?;
        let end = kept.end();
        let open = || {
            let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            std::io::Result::Ok(file)
        };
        let file = open().map_err(|e| PartnerError::file(&path, e))?;
        let channels = kept.channels().map(|(id, remembered)| (id.clone(), *remembered)).collect();
        Ok(Self { file, path, end, channels, owners: HashMap::new(), fsync, closed: None, lock: Some(lock) })
    }

    /// What is remembered of a channel; nothing of one that never ran.
    pub(super) fn remembered(&self, id: &ChannelId) -> Remembered {
        self.channels.get(id).copied().unwrap_or_default()
    }

    /// From now on only this connection of the channel may commit.
    pub(super) fn own(&mut self, id: &ChannelId, connection: u64) {
        self.owners.insert(id.clone(), connection);
    }

    /// Whether this connection still has the channel.
    pub(super) fn is_owned(&self, id: &ChannelId, connection: u64) -> bool {
        self.owners.get(id) == Some(&connection)
    }

    /// Nothing is written any more, and another may open it.
    pub(super) fn close(&mut self, why: Closed) {
        self.closed.get_or_insert(why);
        self.lock = None;
    }

    /// Commits, all or nothing.
    pub(super) fn commit(&mut self, record: &Record) -> Result<(), PartnerError> {
        match self.closed {
            Some(Closed::Died(step)) => return Err(PartnerError::Died(step)),
            Some(Closed::Killed) => return Err(PartnerError::Closed("as its queue manager was killed")),
            None => {}
        }
        let bytes = framed(record);
        let mut write = || {
            self.file.write_all(&bytes)?;
            if self.fsync { self.file.sync_data() } else { Ok(()) }
        };
        if let Err(error) = write() {
            let _ = self.file.set_len(self.end).and_then(|()| self.file.seek(SeekFrom::Start(self.end)));
            return Err(PartnerError::file(&self.path, error));
        }
        self.end += bytes.len() as u64;
        self.channels.entry(record.id.clone()).or_default().moves_to(record.sequence, record.luwid);
        Ok(())
    }

    /// Writes half of a record: the rest will never follow, nor anything else.
    pub(super) fn half_a_commit(&mut self, record: &Record) -> Result<(), PartnerError> {
        let bytes = framed(record);
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        let written = self.file.write_all(half).map_err(|e| PartnerError::file(&self.path, e));
        self.close(Closed::Died(Step::MidCommit));
        written
    }
}

impl Remembered {
    /// After another commit.
    pub(super) fn moves_to(&mut self, sequence: i32, luwid: Luwid) {
        if luwid != self.luwid {
            self.before = self.luwid;
        }
        (self.sequence, self.luwid) = (sequence, luwid);
    }
}

fn framed(record: &Record) -> Vec<u8> {
    let body = record.encode();
    let mut out = Vec::with_capacity(RECORD_HEADER + body.len());
    out.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.put_u32(checksum(&body));
    out.put_slice(&body);
    out
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_text(&mut out, &self.id.channel);
        put_text(&mut out, &self.id.partner);
        out.put_i32(self.sequence);
        out.put_slice(&self.luwid.0);
        out.put_u32(u32::try_from(self.messages.len()).unwrap_or(u32::MAX));
        for message in &self.messages {
            out.put_i32(message.number);
            put_text(&mut out, &message.queue);
            out.put_i32(message.dead.unwrap_or(0));
            out.put_u8(u8::from(message.form.0 == ByteOrder::Little));
            out.put_u8(u8::from(message.form.1 == Alphabet::Ebcdic));
            out.put_u32(u32::try_from(message.bytes.len()).unwrap_or(u32::MAX));
            out.put_slice(&message.bytes);
        }
        out
    }

    /// None: the bytes are no record.
    pub(super) fn parse(mut bytes: Bytes) -> Option<Self> {
        let channel = take_text(&mut bytes)?;
        let partner = take_text(&mut bytes)?;
        let sequence = bytes.try_get_i32().ok()?;
        let luwid = take_luwid(&mut bytes)?;
        let count = bytes.try_get_u32().ok()?;
        let id = ChannelId { channel, partner };
        let mut messages = Vec::new();
        for _ in 0..count {
            let number = bytes.try_get_i32().ok()?;
            let queue = take_text(&mut bytes)?;
            let dead = Some(bytes.try_get_i32().ok()?).filter(|&reason| reason != 0);
            let order = if bytes.try_get_u8().ok()? == 1 { ByteOrder::Little } else { ByteOrder::Big };
            let alphabet = if bytes.try_get_u8().ok()? == 1 { Alphabet::Ebcdic } else { Alphabet::Ascii };
            let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
            let body = take(&mut bytes, length)?;
            messages.push(LocalMessage {
                id: id.clone(),
                number,
                luwid,
                queue,
                dead,
                form: (order, alphabet),
                bytes: body,
            });
        }
        bytes.is_empty().then_some(Self { id, sequence, luwid, messages })
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = text.len().min(usize::from(u8::MAX));
    out.put_u8(u8::try_from(length).unwrap_or(u8::MAX));
    out.put_slice(text.as_bytes().get(..length).unwrap_or_default());
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

fn take_text(bytes: &mut Bytes) -> Option<String> {
    let length = usize::from(bytes.try_get_u8().ok()?);
    String::from_utf8(take(bytes, length)?.to_vec()).ok()
}

fn take_luwid(bytes: &mut Bytes) -> Option<Luwid> {
    Some(Luwid(take(bytes, 8)?.as_ref().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::transmission::KEPT;

    fn record(number: i32, data: &'static [u8]) -> Record {
        let id = ChannelId { channel: "C".to_owned(), partner: "GW".to_owned() };
        let luwid = Luwid([u8::try_from(number).unwrap(); 8]);
        let message = LocalMessage {
            id: id.clone(),
            number,
            luwid,
            queue: "Q".to_owned(),
            dead: None,
            form: KEPT,
            bytes: Bytes::from_static(data),
        };
        let other = LocalMessage { number: number + 1, dead: Some(2085), ..message.clone() };
        Record { id, sequence: number + 1, luwid, messages: vec![message, other] }
    }

    fn numbers(folder: &Path) -> Vec<i32> {
        LocalQueues::read(folder).unwrap().messages().iter().map(|message| message.number).collect()
    }

    #[test]
    fn a_commit_cut_anywhere_is_not_there_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), true).unwrap();
        journal.commit(&record(1, b"one")).unwrap();
        let first = journal.end;
        journal.commit(&record(3, b"three")).unwrap();
        drop(journal);
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let id = record(1, b"").id;
        for cut in usize::try_from(first).unwrap()..whole.len() {
            std::fs::write(&path, whole.get(..cut).unwrap()).unwrap();
            assert_eq!(numbers(folder.path()), [1, 2], "cut at {cut}");
            let mut journal = Journal::open(folder.path(), false).unwrap();
            let remembered = journal.remembered(&id);
            assert_eq!((remembered.sequence, remembered.luwid), (2, Luwid([1; 8])), "cut at {cut}");
            journal.commit(&record(5, b"five")).unwrap();
            let remembered = journal.remembered(&id);
            assert_eq!((remembered.luwid, remembered.before), (Luwid([5; 8]), Luwid([1; 8])));
            drop(journal);
            assert_eq!(numbers(folder.path()), [1, 2, 5, 6], "cut at {cut}");
        }
    }

    #[test]
    fn what_comes_back_is_what_was_put() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), false).unwrap();
        let mut queues = LocalQueues::read(folder.path()).unwrap();
        assert_eq!(queues.messages(), []);
        let put = record(1, b"data");
        journal.commit(&put).unwrap();
        assert_eq!((queues.refresh().unwrap(), queues.refresh().unwrap()), (2, 0));
        assert_eq!(queues.messages(), put.messages);
        assert_eq!((queues.at("Q").count(), queues.dead_letters().count()), (1, 1));
        assert_eq!(queues.remembered("C", "GW").sequence, 2);
        // A second queue manager may not write there, and a damaged record is said to be damaged.
        assert!(matches!(Journal::open(folder.path(), false), Err(PartnerError::InUse(_))));
        journal.commit(&record(3, b"more")).unwrap();
        let path = folder.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.get_mut(20).unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = LocalQueues::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("record at byte 0"), "{error}");
    }

    #[test]
    fn a_dead_queue_manager_commits_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), false).unwrap();
        journal.half_a_commit(&record(1, b"one")).unwrap();
        assert!(matches!(journal.commit(&record(1, b"one")), Err(PartnerError::Died(Step::MidCommit))));
        drop(journal);
        assert!(numbers(folder.path()).is_empty());
        assert_eq!(Journal::open(folder.path(), false).unwrap().end, 0);
    }
}
