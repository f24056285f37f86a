//! What goes into the machine and what comes out of it.

use bytes::Bytes;

use super::record::SyncRecord;
use super::{Definition, Partner};
use crate::wire::{Alphabet, ByteOrder, Luwid, Segment, StatusCode};

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A whole segment came from the partner.
    Segment(Segment),
    /// Bytes came that are no segment; the connection cannot go on.
    Malformed(crate::wire::Malformed),
    /// The partner closed the connection, or it broke; the text says how.
    PeerClosed(String),
    /// The connection broke where a partner does not end it: within a segment, or while we wrote; the text says how.
    /// Never a normal end.
    Unreachable(String),
    /// Time has passed: look at the timers.
    Tick,
    /// Answer to [`Output::Identify`]: this is the channel.
    Defined(Box<Definition>),
    /// Answer to [`Output::Identify`] or [`Output::Claim`]: the partner is refused with this code; the text is for our log.
    Refused(StatusCode, String),
    /// Answer to [`Output::Claim`]: the lease is ours, with the record as it stands, and the largest message that the target takes.
    Claimed {
        /// The record; none for a channel that never committed anything.
        record: Option<SyncRecord>,
        /// The largest message body in bytes that the target takes; MaxMsgSize is offered 64 KiB below it.
        max_message_bytes: Option<u64>,
    },
    /// Answer to [`Output::Commit`]: the target has the batch and the record.
    Committed {
        /// Whether a message of it went to the dead-letter queue.
        dlq_used: bool,
    },
    /// Answer to [`Output::Commit`], or at any time while a batch is open: the target has nothing of it. Outputs for
    /// the target that were not polled yet are withdrawn, a `Commit` too.
    RolledBack(StatusCode, String),
    /// Answer to [`Output::Commit`]: nobody knows; the record will tell at the next start.
    InDoubt(String),
    /// The operator or a shutdown wants the channel to end, between batches. A second one ends it at once.
    Quiesce(StatusCode),
    /// The operator takes the quiesce back. Too late if the partner knows of it already: then it ends all the same, which
    /// `STOPREQ` of [`super::McaStatus`] says.
    Unquiesce,
}

/// What to do; drained fully, in order, after each input.
#[derive(Debug)]
pub enum Output {
    /// Write this segment to the partner.
    Send(Segment),
    /// The partner said who it is: find the definition.
    Identify {
        /// Channel name from its initial data.
        channel: String,
        /// Who calls.
        partner: Partner,
    },
    /// The values are agreed but for the target: take the lease.
    Claim {
        /// Who calls.
        partner: Partner,
    },
    /// A message begins: get room for so many bytes before reading on. A `Deliver` or a `Repeated` follows, unless
    /// the channel ends first.
    Begin {
        /// Message length in bytes, as its MSH announces it.
        length: usize,
    },
    /// A whole message of the open batch: stage it.
    Deliver(MessageFrame),
    /// The message that began is at the target already: nothing to stage, its room is free again.
    Repeated {
        /// Channel sequence number.
        sequence: i32,
    },
    /// Commit what was delivered since the last answer (perhaps nothing), with this record. Always answered
    /// by exactly one of `Committed`, `RolledBack` and `InDoubt`, also when the connection is gone.
    Commit(SyncRecord),
    /// Forget what was delivered since the last commit.
    Rollback,
    /// The channel runs: messages may follow. Emitted once.
    Running,
    /// This instance is over; close the connection. The last output.
    Stopped(Stopped),
}

/// A whole message as it came off the channel.
#[derive(Clone, Debug)]
pub struct MessageFrame {
    /// Channel sequence number.
    pub sequence: i32,
    /// Its batch.
    pub luwid: Luwid,
    /// Bodies of its segments, unjoined, without TSH and MSH: MQXQH, MQMD, data.
    pub parts: Vec<Bytes>,
    /// Byte order of the integers of MQXQH and MQMD (from the TSH).
    pub byte_order: ByteOrder,
    /// Alphabet of eye-catchers and names in MQXQH and MQMD.
    pub alphabet: Alphabet,
    /// CCSID that the TSH announced for text in MQXQH and MQMD.
    pub ccsid: u16,
}

/// Why an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Whether this is how channels normally end.
    pub orderly: bool,
    /// Whether one end told the other. A connection that is just closed between batches may be a partner's habit, or its
    /// death.
    pub announced: bool,
    /// The code that was sent to, or came from, the partner, if any.
    pub code: Option<StatusCode>,
    /// One line: what happened, with the numbers.
    pub why: String,
}
