//! What a sending channel remembers between connections: number, LUWID, and what is in doubt.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::PartnerError;
use crate::wire::Luwid;

/// First line of the file.
const TITLE: &str = "mqferry-partner-sync 1";

/// A channel's memory; IBM keeps the same in SYSTEM.CHANNEL.SYNCQ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSync {
    /// Seconds since 1970 of the last start, larger at each: the first half of LUWIDs.
    pub start: u32,
    /// Byte of the queue at which the first unconfirmed message begins.
    pub head: u64,
    /// Number of the last confirmed message, 0 before the first.
    pub sequence: i32,
    /// LUWID of the last confirmed batch, zero before the first.
    pub luwid: Luwid,
    /// The batch whose confirmation was asked for and not answered.
    pub in_doubt: Option<InDoubt>,
}

/// A batch in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InDoubt {
    /// Its LUWID.
    pub luwid: Luwid,
    /// Number of its first message.
    pub first: i32,
    /// Number of its last message.
    pub last: i32,
    /// Its messages.
    pub count: u32,
    /// Byte of the queue at which its last message ends.
    pub end: u64,
}

impl ChannelSync {
    /// The batch in doubt is with the partner: the messages are gone from the queue.
    pub(super) fn commit(&mut self) {
        if let Some(batch) = self.in_doubt.take() {
            (self.head, self.sequence, self.luwid) = (batch.end, batch.last, batch.luwid);
        }
    }

    /// The batch in doubt is not with the partner: its messages are to be sent again.
    pub(super) fn back_out(&mut self) {
        self.in_doubt = None;
    }

    /// A new start: its time, but never that of an earlier one.
    pub(super) fn started(&mut self) {
        let now = crate::clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.start = u32::try_from(now).unwrap_or(u32::MAX).max(self.start.saturating_add(1));
    }

    /// Reads the file; a folder without one is a channel that never ran.
    pub(super) fn load(folder: &Path) -> Result<Self, PartnerError> {
        let path = folder.join("sync");
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text)
                .map_err(|line| PartnerError::damaged(&path, format!("line {line} is not understood"))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(PartnerError::file(&path, e)),
        }
    }

    /// Replaces the file: the old one counts until the new one is whole.
    pub(super) fn store(&self, folder: &Path, fsync: bool) -> Result<(), PartnerError> {
        let path = folder.join("sync.new");
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(self.text().as_bytes())?;
            if fsync {
                file.sync_all()?;
            }
            fs::rename(&path, folder.join("sync"))?;
            if fsync { File::open(folder)?.sync_all() } else { Ok(()) }
        };
        write().map_err(|e| PartnerError::file(&path, e))
    }

    fn text(&self) -> String {
        let doubt = match &self.in_doubt {
            Some(d) => format!("{} {} {} {} {}", d.luwid, d.first, d.last, d.count, d.end),
            None => "none".to_owned(),
        };
        let Self { start, head, sequence, luwid, .. } = self;
        format!("{TITLE}\nstart {start}\nhead {head}\nsequence {sequence}\nluwid {luwid}\nindoubt {doubt}\nend\n")
    }

    /// The number of the line that is wrong, as error.
    fn parse(text: &str) -> Result<Self, usize> {
        let mut lines = text.lines();
        let mut line = 0;
        let mut value = |key: &str| -> Result<(usize, &str), usize> {
            line += 1;
            let rest = lines.next().and_then(|text| text.strip_prefix(key)).ok_or(line)?;
            Ok((line, rest.trim_start()))
        };
        value(TITLE)?;
        let start = number(value("start ")?)?;
        let head = number(value("head ")?)?;
        let sequence = number(value("sequence ")?)?;
        let luwid = luwid(value("luwid ")?)?;
        let in_doubt = match value("indoubt ")? {
            (_, "none") => None,
            (line, text) => {
                let fields: Vec<&str> = text.split(' ').collect();
                let &[id, first, last, count, end] = fields.as_slice() else { return Err(line) };
                Some(InDoubt {
                    luwid: self::luwid((line, id))?,
                    first: number((line, first))?,
                    last: number((line, last))?,
                    count: number((line, count))?,
                    end: number((line, end))?,
                })
            }
        };
        value("end")?;
        Ok(Self { start, head, sequence, luwid, in_doubt })
    }
}

fn number<T: std::str::FromStr>((line, text): (usize, &str)) -> Result<T, usize> {
    text.parse().map_err(|_| line)
}

fn luwid((line, text): (usize, &str)) -> Result<Luwid, usize> {
    let value = u64::from_str_radix(text, 16).map_err(|_| line)?;
    if text.len() == 16 { Ok(Luwid(value.to_be_bytes())) } else { Err(line) }
}
