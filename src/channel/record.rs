//! The sync record: what a channel must remember between connections, committed with every batch.

use crate::wire::Luwid;

/// Which channel a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelKey {
    /// Our own queue-manager name.
    pub gateway: String,
    /// The channel's name.
    pub channel: String,
    /// The partner queue manager's name.
    pub partner: String,
}

/// A message of a batch, by its channel sequence number and its MsgId: both must agree before a message counts as a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageName {
    /// Channel sequence number.
    pub sequence: i32,
    /// MQMD.MsgId; zeros where the descriptor could not be read.
    pub msg_id: [u8; 24],
}

/// What this end last committed on a channel. Written in the transaction that holds the batch itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRecord {
    /// The partner's queue-manager id, where its FAP level tells it; else blank.
    pub partner_id: String,
    /// Number of the last committed message; 0 before the first.
    pub sequence: i32,
    /// LUWID of the last confirmed batch; zero before the first.
    pub luwid: Luwid,
    /// Number and MsgId of each message of the last committed batch.
    pub last_batch: Vec<MessageName>,
    /// A reset was received and no message since: the partner may begin with `sequence + 1` or, as the wire
    /// reference leaves it open, with `sequence + 2` (channel flow 3, U).
    pub after_reset: bool,
}
