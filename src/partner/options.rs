//! What a run is told, and what it tells.

use std::path::PathBuf;
use std::time::Duration;

use super::{Agreed, Death, Speech};
use crate::wire::Luwid;

/// A sender channel and how to run it. Attributes in MQSC's words and units.
#[derive(Clone, Debug)]
pub struct Options {
    /// CONNAME, as `host:port`.
    pub address: String,
    /// Channel name, up to 20 characters.
    pub channel: String,
    /// Its queue manager, up to 48 characters.
    pub qmgr_name: String,
    /// Its queue-manager id, sent from FAP 9 on.
    pub qmgr_id: String,
    /// Folder of its transmission queue and sync file.
    pub folder: PathBuf,
    /// How it talks.
    pub speech: Speech,
    /// BATCHSZ.
    pub batchsz: u16,
    /// Size of the first batch of each connection instead: a batch sent again may be cut differently.
    pub first_batchsz: Option<u16>,
    /// MAXMSGL in bytes.
    pub maxmsgl: i32,
    /// SEQWRAP.
    pub seqwrap: i32,
    /// HBINT in seconds, 0 none.
    pub hbint: i32,
    /// DISCINT: how long the channel stays up with an empty queue. Zero ends it as soon as the queue is empty.
    pub discint: Duration,
    /// RESET CHANNEL SEQNUM, done once at the first connection: the number of the next message.
    pub reset: Option<i32>,
    /// SHORTTMR: pause before another connection.
    pub retry_delay: Duration,
    /// SHORTRTY: connections in a row that confirm nothing before the run fails.
    pub retries: u32,
    /// Bound of each wait for an answer.
    pub answer_timeout: Duration,
    /// Pause between batches, so that a test can strike in the middle.
    pub pause_between_batches: Duration,
    /// Where to die.
    pub die_at: Option<Death>,
    /// Whether the sync file survives a power cut too: two writes to disk a batch.
    pub fsync: bool,
    /// File to which each segment is appended as `text2pcap -D` reads it.
    pub capture: Option<PathBuf>,
}

impl Options {
    /// A channel of this name from `QM1` to an address, with MQSC's defaults and short retries.
    pub fn new(address: impl Into<String>, channel: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self {
            address: address.into(),
            channel: channel.into(),
            qmgr_name: "QM1".to_owned(),
            qmgr_id: "QM1_2026-01-02_03.04.05".to_owned(),
            folder: folder.into(),
            speech: Speech::default(),
            batchsz: 50,
            first_batchsz: None,
            maxmsgl: 4_194_304,
            seqwrap: 999_999_999,
            hbint: 300,
            discint: Duration::ZERO,
            reset: None,
            retry_delay: Duration::from_millis(200),
            retries: 150,
            answer_timeout: Duration::from_secs(60),
            pause_between_batches: Duration::ZERO,
            die_at: None,
            fsync: true,
            capture: None,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages whose confirmation arrived in this run, those of a resync included.
    pub confirmed: u64,
    /// Batches confirmed, those of a resync included.
    pub batches: u64,
    /// Messages sent, those sent again included.
    pub sent: u64,
    /// Connections that reached agreement.
    pub connections: u64,
    /// Counter-proposals that were taken up.
    pub counter_proposals: u64,
    /// Times the partner, asked, had the batch in doubt.
    pub resync_committed: u64,
    /// Times it had not.
    pub resync_backed_out: u64,
    /// Confirmations that said that a dead-letter queue was used.
    pub dlq_used: u64,
    /// Heartbeats answered by the partner.
    pub heartbeats: u64,
    /// Times the partner asked for the channel's end.
    pub close_requests: u64,
    /// Last values agreed.
    pub agreed: Option<Agreed>,
    /// Number of the last confirmed message, in this run or before.
    pub sequence: i32,
    /// LUWID of the last confirmed batch.
    pub luwid: Luwid,
}
