//! What a sending instance is doing, as plain data.

use std::time::Duration;

use super::channel::{Channel, Work};
use super::{SenderMca, State};
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

impl SenderMca {
    /// What it is doing.
    pub fn status(&self) -> SenderStatus {
        let mut status = SenderStatus {
            state: McaState::Binding,
            doing: Doing::Receive,
            channel: String::new(),
            partner: None,
            agreed: None,
            curseqno: 0,
            curluwid: Luwid::ZERO,
            curmsgs: 0,
            lstseqno: 0,
            lstluwid: Luwid::ZERO,
            indoubt: false,
            stopreq: false,
            counts: self.line.counts,
            dlq_used: 0,
            refused: 0,
            last_message: self.line.last_message,
        };
        match &self.state {
            State::Connected => {}
            State::Identifying(caller) => {
                status.doing = Doing::Serialize;
                status.channel = caller.offer.channel_name.text();
                status.partner = Some(caller.partner.clone());
            }
            State::Claiming(bind) => {
                status.doing = Doing::Serialize;
                status.channel.clone_from(&bind.definition.name);
                status.partner = Some(bind.caller.partner.clone());
            }
            State::Calling(call) => status.channel.clone_from(&call.definition.name),
            State::Called(call) => {
                status.doing = Doing::Serialize;
                status.channel.clone_from(&call.definition.name);
                status.partner = Some(call.partner.clone());
            }
            State::Countered(rounds) => {
                status.channel.clone_from(&rounds.bind.definition.name);
                status.partner = Some(rounds.bind.caller.partner.clone());
            }
            State::Running(channel) => running(&mut status, channel),
            State::Lingering(_) => status.state = McaState::Stopping,
            State::Over => {
                status.state = McaState::Stopped;
                status.doing = Doing::Nothing;
            }
        }
        status
    }
}

fn running(status: &mut SenderStatus, channel: &Channel) {
    status.state = if channel.stop.is_some() { McaState::Stopping } else { McaState::Running };
    status.stopreq = channel.stop.is_some();
    status.channel.clone_from(&channel.definition.name);
    status.partner = Some(channel.partner.clone());
    status.agreed = Some(channel.agreed);
    status.curseqno = channel.settled;
    let confirmed = channel.confirmed.as_ref();
    status.lstseqno = confirmed.map_or(channel.record.sequence, |confirmed| confirmed.sequence);
    status.lstluwid = confirmed.map_or(channel.record.luwid, |confirmed| confirmed.luwid);
    status.dlq_used = channel.dlq_used;
    status.refused = channel.refused;
    let batch = match &channel.work {
        Work::Starting => None,
        Work::Asking(question) => {
            status.doing = Doing::Resync;
            if let Some(doubt) = question.map(|question| question.doubt) {
                status.indoubt = true;
                (status.curseqno, status.curluwid, status.curmsgs) = (doubt.sequence, doubt.luwid, doubt.messages);
            }
            None
        }
        Work::Telling => {
            status.doing = Doing::Resync;
            None
        }
        Work::Idle => {
            status.doing = if channel.beat { Doing::Heartbeat } else { Doing::Get };
            None
        }
        Work::Open(batch) => {
            status.doing = if channel.wanted { Doing::Get } else { Doing::Send };
            Some(batch)
        }
        Work::Probing(batch) => {
            status.doing = Doing::Heartbeat;
            Some(batch)
        }
        Work::Committing(committing) => {
            status.doing = Doing::Commit;
            committing.batch()
        }
        Work::Confirming(batch) => {
            status.doing = Doing::Confirm;
            status.indoubt = true;
            Some(batch)
        }
    };
    if let Some(batch) = batch {
        (status.curseqno, status.curluwid, status.curmsgs) = (batch.sequence, batch.luwid, batch.tokens.len());
    }
}
