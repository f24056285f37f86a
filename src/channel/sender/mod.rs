//! The sending MCA.
//!
//! | file | what |
//! |---|---|
//! | this one | the machine's states |
//! | `action` | what goes in and comes out |

mod action;
mod view;

use std::time::Duration;

pub use action::{Input, Outgoing, Output, Resolution, Resolved, Step, StopMode, Token};
pub use view::{Doing, SenderStatus};

use super::{Definition, Identity, SendRecord};
use crate::wire::{Alphabet, ByteOrder};

/// The sending message channel agent of one connection: SDR, or SVR.
///
/// After each [`SenderMca::handle`] drain [`SenderMca::poll`]; re-read [`SenderMca::max_segment`] before taking the next
/// segment off the stream.
#[derive(Debug)]
pub struct SenderMca {}

impl SenderMca {
    /// A machine for a connection that was just accepted: a server that a requester called. `now` is the time since any
    /// fixed moment, the same for all calls; `since_1970` the wall clock, of which LUWIDs are made (wire reference,
    /// segments 6, I).
    pub fn new(_identity: Identity, _since_1970: Duration, _now: Duration) -> Self {
        Self {}
    }

    /// A machine for a connection that we made.
    pub fn calling(_identity: Identity, _definition: Definition, _since_1970: Duration, _now: Duration) -> Self {
        Self {}
    }

    /// Takes what happened. Inputs that do not belong to the present state, or come after the end, change nothing.
    pub fn handle(&mut self, _now: Duration, _input: Input) {}

    /// The next thing to do; drain until none after each input.
    pub fn poll(&mut self) -> Option<Output> {
        None
    }

    /// When [`Input::Tick`] is due, on the clock of [`SenderMca::handle`].
    pub fn next_timeout(&self) -> Option<Duration> {
        None
    }

    /// Largest segment that may be read now, in bytes with its header.
    pub fn max_segment(&self) -> usize {
        0
    }

    /// Whether `Identify`, `Claim` or `Commit` waits for its answer; a driver need not read from the partner then.
    pub fn awaits_answer(&self) -> bool {
        false
    }

    /// Our side was busy until `now` and read nothing: waits that measure the partner's silence begin again.
    pub fn resume(&mut self, _now: Duration) {}

    /// How MQXQH and MQMD are to be written: byte order, alphabet, CCSID.
    pub fn writing(&self) -> (ByteOrder, Alphabet, u16) {
        (ByteOrder::Big, Alphabet::Ascii, 819)
    }

    /// What it is doing.
    pub fn status(&self) -> SenderStatus {
        SenderStatus {
            state: super::receiver::McaState::Binding,
            doing: Doing::Nothing,
            channel: String::new(),
            partner: None,
            agreed: None,
            curseqno: 0,
            curluwid: crate::wire::Luwid::ZERO,
            curmsgs: 0,
            lstseqno: 0,
            lstluwid: crate::wire::Luwid::ZERO,
            indoubt: false,
            stopreq: false,
            counts: super::receiver::Counts::default(),
            dlq_used: 0,
            refused: 0,
            last_message: None,
        }
    }
}

/// RESOLVE CHANNEL for a channel that does not run: the record after an administrator's word. With
/// [`Resolution::Commit`] the messages in doubt are to be retired in the same step. None if nothing is in doubt.
pub fn resolved(record: &SendRecord, how: Resolution) -> Option<SendRecord> {
    let doubt = record.in_doubt?;
    let settled = SendRecord { in_doubt: None, ..record.clone() };
    Some(match how {
        Resolution::Commit => SendRecord { sequence: doubt.sequence, luwid: doubt.luwid, tell_reset: false, ..settled },
        Resolution::Backout => settled,
    })
}
