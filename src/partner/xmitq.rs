//! A transmission queue and its synchronisation file, in a folder, safe against `kill -9` at any instant.
//!
//! - `queue`: messages one behind the other, each as length (4 bytes, big-endian), checksum (4) and the message in the
//!   form of [`super::transmission`]. It is only appended to; a record cut short is not there.
//! - `sync`: what the channel must remember, a few lines of text, replaced as a whole by renaming.
//!
//! Putting and sending may be two processes; each takes a lock for its part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::PartnerError;
use super::sync_file::ChannelSync;

/// Bytes in front of each message.
const RECORD_HEADER: u64 = 8;

/// Puts messages.
#[derive(Debug)]
pub struct Putter {
    queue: BufWriter<File>,
    path: PathBuf,
    _lock: Locked,
}

impl Putter {
    /// Opens the queue in this folder, made if missing, for putting. A record cut short at its end is removed.
    pub fn open(folder: &Path) -> Result<Self, PartnerError> {
        fs::create_dir_all(folder).map_err(|e| PartnerError::file(folder, e))?;
        let lock = lock(folder, "put.lock")?;
        let path = folder.join("queue");
        let open = || {
            let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            let whole = whole_records(&mut file)?;
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            io::Result::Ok(file)
        };
        let file = open().map_err(|e| PartnerError::file(&path, e))?;
        Ok(Self { queue: BufWriter::with_capacity(1 << 20, file), path, _lock: lock })
    }

    /// Puts one message; it can be sent once [`Self::commit`] was called.
    pub fn put(&mut self, message: &[u8]) -> Result<(), PartnerError> {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut write = || {
            self.queue.write_all(&length.to_be_bytes())?;
            self.queue.write_all(&checksum(message).to_be_bytes())?;
            self.queue.write_all(message)
        };
        write().map_err(|e| PartnerError::file(&self.path, e))
    }

    /// Makes all that was put durable and visible to the sender.
    pub fn commit(&mut self) -> Result<(), PartnerError> {
        let mut commit = || {
            self.queue.flush()?;
            self.queue.get_ref().sync_data()
        };
        commit().map_err(|e| PartnerError::file(&self.path, e))
    }
}

/// The sending side of a transmission queue.
#[derive(Debug)]
pub struct Xmitq {
    folder: PathBuf,
    queue: BufReader<File>,
    /// Where the next message to be read begins.
    at: u64,
    /// Where `queue` reads next.
    reads_at: u64,
    /// End of the file, when it was last looked at; it is looked at again where a record seems not to be whole.
    end: u64,
    sync: ChannelSync,
    fsync: bool,
    _lock: Locked,
}

impl Xmitq {
    /// Opens the queue in this folder, made if missing, for sending. With `fsync` the sync file survives a power cut
    /// too, not only the end of the process.
    pub fn open(folder: &Path, fsync: bool) -> Result<Self, PartnerError> {
        fs::create_dir_all(folder).map_err(|e| PartnerError::file(folder, e))?;
        let lock = lock(folder, "send.lock")?;
        let path = folder.join("queue");
        let open = || OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let queue = BufReader::with_capacity(1 << 20, open().map_err(|e| PartnerError::file(&path, e))?);
        let mut sync = ChannelSync::load(folder)?;
        sync.started();
        let mut xmitq = Self { folder: folder.to_owned(), queue, at: 0, reads_at: 0, end: 0, sync, fsync, _lock: lock };
        xmitq.store()?;
        xmitq.rewind();
        Ok(xmitq)
    }

    /// What the channel remembers.
    pub fn sync(&self) -> &ChannelSync {
        &self.sync
    }

    /// Changes what the channel remembers, and stores it before it returns.
    pub(super) fn update(&mut self, change: impl FnOnce(&mut ChannelSync)) -> Result<(), PartnerError> {
        change(&mut self.sync);
        self.store()
    }

    /// The next message, if a whole one is there.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, PartnerError> {
        let path = self.folder.join("queue");
        for attempt in 0.. {
            let record = self.read_record().map_err(|e| PartnerError::file(&path, e))?;
            let Some((checked, message)) = record else { return Ok(None) };
            if checked == checksum(&message) {
                self.at += RECORD_HEADER + message.len() as u64;
                return Ok(Some(message));
            }
            if attempt > 0 {
                break;
            }
            // The buffer may hold a tail that was cut short then and has been replaced since.
            self.forget_buffer().map_err(|e| PartnerError::file(&path, e))?;
        }
        Err(PartnerError::damaged(&path, format!("message at byte {} does not fit its checksum", self.at)))
    }

    /// Whether [`Self::take`] has one.
    pub fn has_more(&mut self) -> Result<bool, PartnerError> {
        let path = self.folder.join("queue");
        let record = self.whole_record().and_then(|record| {
            if record.is_none() {
                self.forget_buffer()?;
            }
            Ok(record.is_some())
        });
        record.map_err(|e| PartnerError::file(&path, e))
    }

    /// Goes back to the first message that is not confirmed.
    pub fn rewind(&mut self) {
        self.at = self.sync.head;
    }

    /// Where the messages read so far end, for [`ChannelSync::head`].
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    fn store(&self) -> Result<(), PartnerError> {
        self.sync.store(&self.folder, self.fsync)
    }

    /// Length and checksum of the record at the position, if all of it is in the file.
    fn whole_record(&mut self) -> io::Result<Option<(usize, u32)>> {
        for known in [true, false] {
            if !known {
                self.end = self.queue.get_ref().metadata()?.len();
            }
            if self.at + RECORD_HEADER > self.end {
                continue;
            }
            self.seek(self.at)?;
            let mut header = [0; RECORD_HEADER as usize];
            self.queue.read_exact(&mut header)?;
            self.reads_at = self.at + RECORD_HEADER;
            let [a, b, c, d, checksum @ ..] = header;
            let length = u32::from_be_bytes([a, b, c, d]);
            if self.reads_at + u64::from(length) <= self.end {
                return Ok(Some((length as usize, u32::from_be_bytes(checksum))));
            }
        }
        Ok(None)
    }

    fn read_record(&mut self) -> io::Result<Option<(u32, Vec<u8>)>> {
        let Some((length, checksum)) = self.whole_record()? else { return Ok(None) };
        let mut message = vec![0; length];
        self.queue.read_exact(&mut message)?;
        self.reads_at += length as u64;
        Ok(Some((checksum, message)))
    }

    fn forget_buffer(&mut self) -> io::Result<()> {
        self.end = 0;
        self.reads_at = self.queue.seek(SeekFrom::Start(self.at))?;
        Ok(())
    }

    /// Moves to a position, within the buffer where possible.
    fn seek(&mut self, to: u64) -> io::Result<()> {
        self.queue.seek_relative(to.wrapping_sub(self.reads_at).cast_signed())?;
        self.reads_at = to;
        Ok(())
    }
}

/// A lock on a file, until dropped. It is given back by name: a process that is just being started would else hold a copy
/// of the file, and so the lock, for a moment longer.
#[derive(Debug)]
pub(super) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The lock of a folder's part.
pub(super) fn lock(folder: &Path, name: &str) -> Result<Locked, PartnerError> {
    let path = folder.join(name);
    let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = open().map_err(|e| PartnerError::file(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(Locked(file)),
        Err(fs::TryLockError::WouldBlock) => Err(PartnerError::InUse(folder.to_owned())),
        Err(fs::TryLockError::Error(e)) => Err(PartnerError::file(&path, e)),
    }
}

/// Where the last whole record ends.
fn whole_records(file: &mut File) -> io::Result<u64> {
    let end = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    let mut at = 0;
    while at + RECORD_HEADER <= end {
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        if at + RECORD_HEADER + length > end {
            break;
        }
        at += RECORD_HEADER + length;
        reader.seek_relative((4 + length).cast_signed())?;
    }
    Ok(at)
}

/// FNV-1a, 32 bits.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::sync_file::InDoubt;
    use crate::wire::Luwid;

    fn filled(messages: &[&[u8]]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut putter = Putter::open(folder.path()).unwrap();
        messages.iter().for_each(|message| putter.put(message).unwrap());
        putter.commit().unwrap();
        folder
    }

    fn all(xmitq: &mut Xmitq) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| xmitq.take().unwrap()).collect()
    }

    #[test]
    fn gives_back_what_was_put_and_again_after_a_rewind() {
        let folder = filled(&[b"one", b"", b"three"]);
        let mut xmitq = Xmitq::open(folder.path(), true).unwrap();
        for _ in 0..2 {
            assert!(xmitq.has_more().unwrap());
            assert_eq!(all(&mut xmitq), [&b"one"[..], b"", b"three"]);
            assert!(!xmitq.has_more().unwrap());
            xmitq.rewind();
        }
        assert!(matches!(Xmitq::open(folder.path(), true), Err(PartnerError::InUse(_))));
    }

    #[test]
    fn sees_what_is_put_meanwhile() {
        let folder = filled(&[b"one"]);
        let mut xmitq = Xmitq::open(folder.path(), false).unwrap();
        assert_eq!(all(&mut xmitq).len(), 1);
        let mut putter = Putter::open(folder.path()).unwrap();
        putter.put(b"two").unwrap();
        putter.commit().unwrap();
        assert_eq!(xmitq.take().unwrap().unwrap(), b"two");
    }

    #[test]
    fn a_tail_cut_anywhere_is_not_there_and_is_replaced() {
        let folder = filled(&[b"first", b"second"]);
        let path = folder.path().join("queue");
        let whole = fs::read(&path).unwrap();
        for cut in 14..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(all(&mut Xmitq::open(folder.path(), false).unwrap()), [b"first"], "cut at {cut}");
            let mut putter = Putter::open(folder.path()).unwrap();
            putter.put(b"other").unwrap();
            putter.commit().unwrap();
            assert_eq!(all(&mut Xmitq::open(folder.path(), false).unwrap()), [b"first", b"other"], "cut at {cut}");
        }
    }

    #[test]
    fn remembers_over_a_reopening() {
        let folder = filled(&[b"one", b"two", b"three"]);
        let luwid = Luwid(*b"12345678");
        let mut xmitq = Xmitq::open(folder.path(), true).unwrap();
        xmitq.take().unwrap();
        xmitq.take().unwrap();
        let in_doubt = InDoubt { luwid, first: 1, last: 2, count: 2, end: xmitq.position() };
        xmitq.update(|sync| sync.in_doubt = Some(in_doubt)).unwrap();
        drop(xmitq);
        // In doubt: the head has not moved.
        let mut xmitq = Xmitq::open(folder.path(), true).unwrap();
        assert_eq!((xmitq.sync().in_doubt, xmitq.sync().sequence), (Some(in_doubt), 0));
        assert_eq!(all(&mut xmitq).len(), 3);
        xmitq.update(ChannelSync::commit).unwrap();
        drop(xmitq);
        let mut xmitq = Xmitq::open(folder.path(), true).unwrap();
        assert_eq!((xmitq.sync().in_doubt, xmitq.sync().sequence, xmitq.sync().luwid), (None, 2, luwid));
        assert_eq!(all(&mut xmitq), [b"three"]);
    }

    #[test]
    fn a_half_written_sync_file_is_never_the_one_that_counts() {
        let folder = filled(&[b"one"]);
        drop(Xmitq::open(folder.path(), true).unwrap());
        fs::write(folder.path().join("sync.new"), "mqferry-part").unwrap();
        assert_eq!(all(&mut Xmitq::open(folder.path(), true).unwrap()), [b"one"]);
        fs::write(folder.path().join("sync"), "garbage\n").unwrap();
        let error = Xmitq::open(folder.path(), true).unwrap_err().to_string();
        assert!(error.contains("sync") && error.contains("line 1"), "{error}");
    }
}
