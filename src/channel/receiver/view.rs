//! What a channel instance is doing, as plain data.

use std::time::Duration;

use super::{Channel, Counts, Mca, State, Work};
use crate::channel::{Agreed, Partner};
use crate::wire::Luwid;

/// STATUS of an instance, as `DISPLAY CHSTATUS` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum McaState {
    /// Negotiating.
    Binding,
    /// Messages may come.
    Running,
    /// Told to end; waits for the partner.
    Stopping,
    /// Over.
    Stopped,
}

/// SUBSTATE of an instance: what it is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Waits for the partner.
    Receive,
    /// Waits for the shell to look the channel up, or to take the lease.
    Serialize,
    /// A message has begun, or a batch is open.
    Put,
    /// Waits for a commit.
    EndBatch,
    /// Nothing any more.
    Nothing,
}

/// One instance at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McaStatus {
    /// STATUS.
    pub state: McaState,
    /// SUBSTATE.
    pub doing: Doing,
    /// CHANNEL; blank until the caller named it.
    pub channel: String,
    /// Who calls, once it said.
    pub partner: Option<Partner>,
    /// What both hold to, once agreed: HBINT, BATCHSZ, MAXMSGL and so on.
    pub agreed: Option<Agreed>,
    /// CURSEQNO: number of the last message received.
    pub curseqno: i32,
    /// CURLUWID: the batch in hand; zero between batches.
    pub curluwid: Luwid,
    /// CURMSGS: whole messages of the batch in hand.
    pub curmsgs: usize,
    /// LSTSEQNO: number of the last message confirmed.
    pub lstseqno: i32,
    /// LSTLUWID: the last batch confirmed.
    pub lstluwid: Luwid,
    /// STOPREQ.
    pub stopreq: bool,
    /// Counts of this connection.
    pub counts: Counts,
    /// LSTMSGTI: when the last message was whole, on the clock of [`Mca::handle`].
    pub last_message: Option<Duration>,
}

impl Mca {
    /// What it is doing.
    pub fn status(&self) -> McaStatus {
        let mut status = McaStatus {
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
            stopreq: false,
            counts: self.line.counts,
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
                status.lstseqno = rounds.record.sequence;
                status.lstluwid = rounds.record.luwid;
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

fn running(status: &mut McaStatus, channel: &Channel) {
    status.state = if channel.quiesce.is_some() { McaState::Stopping } else { McaState::Running };
    status.stopreq = channel.quiesce.is_some();
    status.channel.clone_from(&channel.definition.name);
    status.partner = Some(channel.partner.clone());
    status.agreed = Some(channel.agreed);
    status.curseqno = channel.sequence.current();
    status.lstseqno = channel.record.sequence;
    status.lstluwid = channel.record.luwid;
    match &channel.work {
        Work::Idle => {}
        Work::Open(batch) if batch.rests() => {}
        Work::Open(batch) => {
            status.doing = Doing::Put;
            status.curluwid = batch.luwid;
            status.curmsgs = batch.messages();
        }
        Work::Committing(committing) => {
            status.doing = Doing::EndBatch;
            status.curluwid = Channel::committing_luwid(committing);
            status.curmsgs = committing.messages();
        }
    }
}
