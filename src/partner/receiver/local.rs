//! What lies in the local queues, for those who want to look: tests, while the queue manager runs or after its death.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::journal::{ChannelId, FILE, RECORD_HEADER, Record, Remembered};
use crate::partner::PartnerError;
use crate::partner::generator::number_of;
use crate::partner::transmission::{Form, HEADER_LENGTH, KEPT, rewrite};
use crate::partner::xmitq::checksum;
use crate::wire::Luwid;

/// A message that was put, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMessage {
    /// The channel that brought it.
    pub id: ChannelId,
    /// Its number on that channel.
    pub number: i32,
    /// Its batch.
    pub luwid: Luwid,
    /// Its RemoteQName.
    pub queue: String,
    /// Why it lies on the dead-letter queue (MQRC or MQFB), if it does.
    pub dead: Option<i32>,
    /// Byte order and alphabet of the segments that brought it, and so of its MQXQH and MQMD.
    pub form: Form,
    /// MQXQH, MQMD and data as they came.
    pub bytes: Bytes,
}

impl LocalMessage {
    /// MQXQH without the descriptor: 104 bytes, as it came.
    pub fn xqh(&self) -> Bytes {
        self.part(0, 104)
    }

    /// MQMD version 1: 324 bytes, as it came.
    pub fn md(&self) -> Bytes {
        self.part(104, HEADER_LENGTH)
    }

    /// What follows the descriptor.
    pub fn data(&self) -> Bytes {
        self.part(HEADER_LENGTH, usize::MAX)
    }

    /// MsgId.
    pub fn msg_id(&self) -> Bytes {
        self.part(152, 176)
    }

    /// CorrelId.
    pub fn correl_id(&self) -> Bytes {
        self.part(176, 200)
    }

    /// The whole message with MQXQH and MQMD in the form of the simulated transmission queue: big-endian, ASCII. So it can
    /// be compared with what was put there, or put there again.
    pub fn kept(&self) -> Vec<u8> {
        let mut message = self.bytes.to_vec();
        rewrite(&mut message, self.form, KEPT);
        message
    }

    /// Its number by its body, if it is one of [`crate::partner::generator::Numbered`].
    pub fn number_in_body(&self) -> Option<u64> {
        number_of(&self.data())
    }

    fn part(&self, from: usize, to: usize) -> Bytes {
        let end = self.bytes.len();
        self.bytes.slice(from.min(end)..to.min(end))
    }
}

/// The local queues of a queue manager by its folder, and what it remembers of its channels. Takes no lock: what is whole
/// in the journal is there.
#[derive(Debug)]
pub struct LocalQueues {
    path: PathBuf,
    /// Where the next record begins.
    end: u64,
    messages: Vec<LocalMessage>,
    channels: BTreeMap<ChannelId, Remembered>,
}

impl LocalQueues {
    /// Those in this folder, read so far.
    pub fn read(folder: &Path) -> Result<Self, PartnerError> {
        let mut queues = Self::of(folder);
        queues.refresh()?;
        Ok(queues)
    }

    /// Those in this folder, not read yet.
    pub(super) fn of(folder: &Path) -> Self {
        Self { path: folder.join(FILE), end: 0, messages: Vec::new(), channels: BTreeMap::new() }
    }

    /// Reads what came since; gives how many messages that is.
    pub fn refresh(&mut self) -> Result<usize, PartnerError> {
        let before = self.messages.len();
        let mut came = Vec::new();
        self.refresh_with(|messages| came.extend(messages))?;
        self.messages.extend(came);
        Ok(self.messages.len() - before)
    }

    /// All messages, in the order of their commits.
    pub fn messages(&self) -> &[LocalMessage] {
        &self.messages
    }

    /// The messages of one queue, in order; dead letters are not on it.
    pub fn at<'a>(&'a self, queue: &'a str) -> impl Iterator<Item = &'a LocalMessage> {
        self.messages.iter().filter(move |message| message.dead.is_none() && message.queue == queue)
    }

    /// The bodies of one queue, in order: for [`crate::partner::judge`].
    pub fn bodies<'a>(&'a self, queue: &'a str) -> impl Iterator<Item = Bytes> + 'a {
        self.at(queue).map(LocalMessage::data)
    }

    /// The dead-letter queue, in order.
    pub fn dead_letters(&self) -> impl Iterator<Item = &LocalMessage> {
        self.messages.iter().filter(|message| message.dead.is_some())
    }

    /// What is remembered of each channel.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelId, &Remembered)> {
        self.channels.iter()
    }

    /// What is remembered of a channel with a partner; nothing of one that never ran.
    pub fn remembered(&self, channel: &str, partner: &str) -> Remembered {
        let id = ChannelId { channel: channel.to_owned(), partner: partner.to_owned() };
        self.channels.get(&id).copied().unwrap_or_default()
    }

    /// Where the last whole record ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Reads the records that came since, and gives the messages of each away.
    pub(super) fn refresh_with(&mut self, mut each: impl FnMut(Vec<LocalMessage>)) -> Result<(), PartnerError> {
        let path = self.path.clone();
        let file = |error| PartnerError::file(&path, error);
        let mut from = match File::open(&path) {
            Ok(from) => from,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(file(error)),
        };
        let size = from.metadata().map_err(file)?.len();
        from.seek(SeekFrom::Start(self.end)).map_err(file)?;
        let mut from = io::BufReader::with_capacity(1 << 16, from);
        while self.end + RECORD_HEADER as u64 <= size {
            let mut header = [0; RECORD_HEADER];
            from.read_exact(&mut header).map_err(file)?;
            let [a, b, c, d, checked @ ..] = header;
            let length = u32::from_be_bytes([a, b, c, d]);
            let next = self.end + RECORD_HEADER as u64 + u64::from(length);
            if next > size {
                break;
            }
            let mut body = vec![0; length as usize];
            from.read_exact(&mut body).map_err(file)?;
            let whole = checksum(&body) == u32::from_be_bytes(checked);
            if !whole && next == size {
                break; // a power cut may leave the last one so
            }
            let record = Some(Bytes::from(body)).filter(|_| whole).and_then(Record::parse);
            let record = record.ok_or_else(|| {
                PartnerError::damaged(&path, format!("the record at byte {} does not fit its checksum", self.end))
            })?;
            self.channels.entry(record.id).or_default().moves_to(record.sequence, record.luwid);
            each(record.messages);
            self.end = next;
        }
        Ok(())
    }
}
