//! What a sending instance is doing, as plain data.

use std::time::Duration;

use crate::channel::receiver::{Counts, McaState};
use crate::channel::{Agreed, Partner};
use crate::wire::Luwid;

/// SUBSTATE of a sending instance: what it is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Negotiating: waits for the partner.
    Receive,
    /// Waits for the shell to look the channel up, or to take the lease.
    Serialize,
    /// RESYNCH: has asked about a batch in doubt, or told a reset.
    Resync,
    /// MQGET: waits for messages.
    Get,
    /// SEND: sends a batch.
    Send,
    /// HEARTBEAT: waits for the answer to one.
    Heartbeat,
    /// ENDBATCH: waits for the target.
    Commit,
    /// ENDBATCH: waits for the partner's confirm.
    Confirm,
    /// Nothing any more.
    Nothing,
}

/// One sending instance at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderStatus {
    /// STATUS.
    pub state: McaState,
    /// SUBSTATE.
    pub doing: Doing,
    /// CHANNEL; blank until the caller named it.
    pub channel: String,
    /// Who is at the other end, once it said.
    pub partner: Option<Partner>,
    /// What both hold to, once agreed.
    pub agreed: Option<Agreed>,
    /// CURSEQNO: number of the last message sent.
    pub curseqno: i32,
    /// CURLUWID: the batch in hand, or in doubt; zero between batches.
    pub curluwid: Luwid,
    /// CURMSGS: messages of the batch in hand, or in doubt.
    pub curmsgs: usize,
    /// LSTSEQNO: number of the last message confirmed.
    pub lstseqno: i32,
    /// LSTLUWID: the last batch confirmed.
    pub lstluwid: Luwid,
    /// INDOUBT: a confirm was asked for, on this connection or the one before, and has not come.
    pub indoubt: bool,
    /// STOPREQ.
    pub stopreq: bool,
    /// Counts of this connection; MSGS counts messages sent.
    pub counts: Counts,
    /// Batches of which the partner put a message on its dead-letter queue.
    pub dlq_used: u64,
    /// Batches that the partner refused.
    pub refused: u64,
    /// LSTMSGTI: when the last message was sent, on the clock of [`super::SenderMca::handle`].
    pub last_message: Option<Duration>,
}
