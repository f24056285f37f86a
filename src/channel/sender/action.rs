//! What goes into the sending machine and what comes out of it.

use bytes::Bytes;

use crate::channel::{Agreed, Definition, Partner, SendRecord, Stopped};
use crate::wire::{Luwid, Malformed, Segment, StatusCode};

/// Names a message between shell and machine: the shell chooses it, and never uses it twice on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A whole segment came from the partner.
    Segment(Segment),
    /// Bytes came that are no segment; the connection cannot go on.
    Malformed(Malformed),
    /// The partner closed the connection, or it broke; the text says how.
    PeerClosed(String),
    /// The connection broke within a segment, or while we wrote; the text says how. Never a normal end.
    Unreachable(String),
    /// Time has passed: look at the timers.
    Tick,
    /// Answer to [`Output::Identify`]: this is the channel.
    Defined(Box<Definition>),
    /// Answer to [`Output::Identify`] or [`Output::Claim`], or at any time when the lease is lost: the partner is told this
    /// code; the text is for our log.
    Refused(StatusCode, String),
    /// Answer to [`Output::Claim`]: the lease is ours.
    Claimed {
        /// The record as it stands; none for a channel that never sent anything.
        record: Option<SendRecord>,
        /// The messages that the record has in doubt, as far as they are still there, in the order in which they were sent.
        /// Should they have to be sent again ([`Output::Resolved`]), they are what the next `Want`s are to be answered
        /// with, before any other message.
        in_doubt: Vec<Token>,
        /// The partner refused the batch before ([`Output::BatchRefused`]): send so many messages in batches of one.
        careful: usize,
    },
    /// Answer to [`Output::Want`]: a message to be sent.
    Message(Outgoing),
    /// Answer to [`Output::Want`], at once: nothing is there now. The want stands, a `Message` or `SetAside` follows when
    /// there is one.
    Empty,
    /// Answer to [`Output::Want`], or to [`Output::Undeliverable`]: a message that does not go to the partner. The next step
    /// retires it, and the shell puts what takes its place (a dead letter, a report) into the same step.
    SetAside(Token),
    /// Answer to [`Output::Commit`]: the target has done the step.
    Committed,
    /// Answer to [`Output::Commit`]: the target has done nothing of it. At any other time: the lease is lost.
    RolledBack(StatusCode, String),
    /// Answer to [`Output::Commit`]: nobody knows; the record will tell at the next start.
    InDoubt(String),
    /// The operator or a shutdown wants the channel to end.
    Stop(StopMode, StatusCode),
    /// The operator takes a quiesce back, if the partner does not know of it yet.
    Unquiesce,
    /// RESOLVE CHANNEL, while the partner has not said (see [`super::resolved`] for a channel that does not run).
    Resolve(Resolution),
}

/// A message as it is to travel.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What the shell calls it.
    pub token: Token,
    /// MQXQH, MQMD and data, cut as it suits; written as [`super::SenderMca::writing`] says.
    pub parts: Vec<Bytes>,
    /// Whether it is persistent.
    pub persistent: bool,
}

impl Outgoing {
    /// Length in bytes: MQXQH, MQMD and data.
    pub fn length(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }
}

/// MODE of STOP CHANNEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopMode {
    /// The batch in hand is ended and its confirm awaited.
    Quiesce,
    /// The batch in hand is given up; if its confirm was asked for, it stays in doubt.
    Force,
    /// At once, without a word to the partner, and without waiting for the target.
    Terminate,
}

/// What became, or is to become, of a batch in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// The partner has it: its messages are retired unsent.
    Commit,
    /// The partner has nothing of it: its messages are sent again, under the same numbers.
    Backout,
}

/// What to do; drained fully, in order, after each input.
#[derive(Debug)]
pub enum Output {
    /// Write this segment to the partner.
    Send(Segment),
    /// A requester called: find the definition.
    Identify {
        /// Channel name from its initial data.
        channel: String,
        /// Who calls.
        partner: Partner,
    },
    /// Take the lease, and the consumers.
    Claim {
        /// Who is at the other end.
        partner: Partner,
    },
    /// The channel runs. Emitted once.
    Running(Agreed),
    /// The next message is wanted: answer with `Message`, `SetAside` or `Empty`. One at a time; between a `Commit` and its
    /// answer nothing need be answered.
    Want,
    /// This message cannot travel on this channel. Answer with `SetAside` and its token at once, or end the channel.
    Undeliverable {
        /// The message.
        token: Token,
        /// MQRC, as a dead-letter header would have it (wire reference, status codes): 2218, too big for the channel.
        reason: i32,
        /// One line for people.
        why: String,
    },
    /// Carry out a step in one transaction. Always answered by exactly one of `Committed`, `RolledBack` and `InDoubt`, also
    /// when the connection is gone; but not after `Terminate`.
    Commit(Step),
    /// The partner refused a batch whole. Its messages are the shell's again: the next `Want`s are to be answered with
    /// them, in this order and before any other, each by `Message` or by `SetAside`. They go in batches of one, so that a
    /// refusal of exactly one message tells which it was.
    BatchRefused {
        /// What the partner said.
        code: StatusCode,
        /// The batch.
        tokens: Vec<Token>,
    },
    /// It is known what became of the batch that the record had in doubt at the start. After `Backout` the messages of
    /// `Claimed::in_doubt` are the shell's again.
    Resolved(Resolved),
    /// A requester called a sender (SDR): it wants to be called back (wire reference, channel flow 8, D). `Stopped` follows.
    CallBack(Partner),
    /// This instance is over; close the connection. The last output.
    Stopped(Stopped),
}

/// What one transaction of the target does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The record that replaces the one before.
    pub record: SendRecord,
    /// The messages of the batch that `record` has in doubt, in order.
    pub in_doubt: Vec<Token>,
    /// Messages that leave their queues: confirmed ones, in order, then those that were set aside.
    pub retire: Vec<Token>,
}

/// How a doubt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What became of the batch.
    pub how: Resolution,
    /// Its LUWID.
    pub luwid: Luwid,
    /// Number of its last message.
    pub sequence: i32,
    /// How many messages it had.
    pub messages: usize,
    /// An administrator said so, not the partner.
    pub by_operator: bool,
}
