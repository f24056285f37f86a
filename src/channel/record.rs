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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Number of the last message of the last confirmed batch; 0 before the first.
    pub sequence: i32,
    /// LUWID of the last confirmed batch; zero before the first.
    pub luwid: Luwid,
    /// Number and MsgId of each message of the last confirmed batch, in order, at most [`super::batch::NAMES_MAX`]. Behind them
    /// what the target has besides: messages that a shorter repetition of a batch left over (numbers up to
    /// `sequence`), and non-persistent ones committed before anybody asked (numbers above it).
    pub last_batch: Vec<MessageName>,
    /// A reset was received and no message since: the partner may begin with `sequence + 1` or, as the wire
    /// reference leaves it open, with `sequence + 2` (channel flow 3, U).
    pub after_reset: bool,
    /// A batch that was committed at a HEARTBEAT which named it, and the number of its last message then. Its names are in
    /// `last_batch`; number and LUWID above are still those of the batch before, for the heartbeat may have been no
    /// more than one (channel flow 5, BATCHHB), and messages of that batch may have followed that nobody has.
    pub at_heartbeat: Option<(Luwid, i32)>,
}

impl SyncRecord {
    /// The record of a channel that never committed anything.
    pub fn first(partner_id: &str) -> Self {
        Self {
            partner_id: partner_id.to_owned(),
            sequence: 0,
            luwid: Luwid::ZERO,
            last_batch: Vec::new(),
            after_reset: false,
            at_heartbeat: None,
        }
    }

    /// Whether the message of this number is known to be at the target.
    pub fn covers(&self, number: i32) -> bool {
        number == self.sequence || self.last_batch.iter().any(|name| name.sequence == number)
    }
}

/// What a sending channel must remember between connections: written before a confirm is asked for, and again in the
/// transaction that takes the confirmed messages off their queues.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SendRecord {
    /// The partner's queue-manager id, where its FAP level tells it; else blank.
    pub partner_id: String,
    /// Number of the last message that the partner confirmed; 0 before the first. An administrator's reset sets it, too.
    pub sequence: i32,
    /// LUWID of the last batch that the partner confirmed; zero before the first.
    pub luwid: Luwid,
    /// A batch whose confirm was, or is about to be, asked for, and whose answer is not recorded.
    pub in_doubt: Option<InDoubt>,
    /// RESET CHANNEL: the partner is to be told `sequence + 1` as the next number at the next start.
    pub tell_reset: bool,
}

/// A batch of which this end cannot say whether the partner has it. Which messages it is made of, the target remembers
/// beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InDoubt {
    /// Its LUWID.
    pub luwid: Luwid,
    /// Number of its last message.
    pub sequence: i32,
    /// How many messages it has; their numbers follow one another up to `sequence`.
    pub messages: usize,
}
