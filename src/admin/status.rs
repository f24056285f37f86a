//! The status of one channel as plain data, in the words of `DISPLAY CHSTATUS`.

use std::time::SystemTime;

use crate::channel::definition::ChannelType;
use crate::channel::sender::{Doing, SenderStatus};
use crate::channel::{Definition, Partner, SendRecord, SyncRecord};
use crate::wire::Luwid;

/// STATUS of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// Defined; nobody is connected.
    #[default]
    Inactive,
    /// A connection is there and negotiates.
    Binding,
    /// Messages may cross.
    Running,
    /// A message that was refused for now is put again after the message-retry interval (MRTMR).
    Paused,
    /// A partner is to be called again after a wait; calling channels only.
    Retrying,
    /// Told to stop; the batch in hand ends first.
    Stopping,
    /// Stopped by an operator: callers are refused until it is started.
    Stopped,
}

impl ChannelState {
    /// Every state, in the order of a channel's life.
    pub const ALL: [Self; 7] =
        [Self::Inactive, Self::Binding, Self::Running, Self::Paused, Self::Retrying, Self::Stopping, Self::Stopped];

    /// The word that `DISPLAY CHSTATUS` shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inactive => "INACTIVE",
            Self::Binding => "BINDING",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Retrying => "RETRYING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// SUBSTATE: what a channel instance is busy with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Substate {
    /// Nothing to tell.
    #[default]
    None,
    /// TLS handshake.
    SslHandshake,
    /// Asks the target for the lease and the sync record.
    Serialize,
    /// Settles what became of the last batch.
    Resync,
    /// Waits for the partner.
    Receive,
    /// Writes to the partner.
    Send,
    /// Hands messages to the target.
    MqPut,
    /// Waits for messages to send.
    MqGet,
    /// Commits a batch.
    EndBatch,
    /// Answers or awaits a heartbeat.
    Heartbeat,
}

impl Substate {
    /// The word that `DISPLAY CHSTATUS` shows; empty for none.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::SslHandshake => "SSLHANDSHK",
            Self::Serialize => "SERIALIZE",
            Self::Resync => "RESYNCH",
            Self::Receive => "RECEIVE",
            Self::Send => "SEND",
            Self::MqPut => "MQPUT",
            Self::MqGet => "MQGET",
            Self::EndBatch => "ENDBATCH",
            Self::Heartbeat => "HEARTBEAT",
        }
    }
}

/// What the two ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// BATCHSZ in messages.
    pub batchsz: u16,
    /// HBINT in seconds; 0 none.
    pub hbint: i32,
    /// MAXMSGL in bytes.
    pub maxmsgl: i32,
    /// FAP level spoken.
    pub fap_level: u8,
}

/// One channel: the present connection, or what the last one left. Counts begin at 0 with each connection.
#[derive(Clone, Debug)]
pub struct ChannelStatus {
    /// CHANNEL.
    pub channel: String,
    /// CHLTYPE.
    pub chltype: ChannelType,
    /// STATUS.
    pub state: ChannelState,
    /// SUBSTATE.
    pub substate: Substate,
    /// STOPREQ: an operator asked for a stop, which may not have been reached yet.
    pub stopreq: bool,
    /// RQMNAME: the partner queue manager; blank until it said.
    pub rqmname: String,
    /// The partner's queue-manager id; blank below FAP 9.
    pub partner_id: String,
    /// CONNAME: address of the other end, `host(port)`.
    pub conname: String,
    /// CURSEQNO: number of the last message received.
    pub curseqno: i32,
    /// CURLUWID: the batch in hand; zero between batches.
    pub curluwid: Luwid,
    /// CURMSGS: messages of the batch in hand.
    pub curmsgs: u32,
    /// LSTSEQNO: number of the last message committed.
    pub lstseqno: i32,
    /// LSTLUWID: the last batch committed.
    pub lstluwid: Luwid,
    /// INDOUBT: nobody knows what became of the last batch.
    pub indoubt: bool,
    /// MSGS: messages received on this connection.
    pub msgs: u64,
    /// BATCHES: batches committed on this connection.
    pub batches: u64,
    /// BYTSRCVD: bytes read on this connection.
    pub bytsrcvd: u64,
    /// BYTSSENT: bytes written on this connection.
    pub bytssent: u64,
    /// CHSTADA, CHSTATI: when this connection began.
    pub started: Option<SystemTime>,
    /// LSTMSGDA, LSTMSGTI: when the last message came.
    pub last_message: Option<SystemTime>,
    /// BATCHSZ, HBINT, MAXMSGL as agreed; before that, as defined.
    pub agreed: Agreed,
    /// The last thing that went wrong, one line.
    pub last_error: Option<String>,
    pub(super) totals: Totals,
}

/// Counts over all connections since the process started; only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages received.
    pub messages: u64,
    /// Batches committed.
    pub batches: u64,
    /// Batches rolled back.
    pub batches_rolled_back: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Messages to the dead-letter queue.
    pub dead_lettered: u64,
    /// Messages recognised as repeats.
    pub repeated: u64,
    /// Callers refused.
    pub refused: u64,
}

impl ChannelStatus {
    /// A channel that nobody has called yet.
    pub fn of(definition: &Definition) -> Self {
        Self {
            channel: definition.name.clone(),
            chltype: definition.chltype,
            state: ChannelState::Inactive,
            substate: Substate::None,
            stopreq: false,
            rqmname: String::new(),
            partner_id: String::new(),
            conname: String::new(),
            curseqno: 0,
            curluwid: Luwid::ZERO,
            curmsgs: 0,
            lstseqno: 0,
            lstluwid: Luwid::ZERO,
            indoubt: false,
            msgs: 0,
            batches: 0,
            bytsrcvd: 0,
            bytssent: 0,
            started: None,
            last_message: None,
            agreed: Agreed {
                batchsz: definition.batchsz,
                hbint: definition.hbint,
                maxmsgl: definition.maxmsgl,
                fap_level: 0,
            },
            last_error: None,
            totals: Totals::default(),
        }
    }

    /// Counts over all connections.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// A connection named this channel: BINDING, counts from 0.
    pub(super) fn binding(&mut self, conname: &str, now: SystemTime) {
        self.state = ChannelState::Binding;
        self.substate = Substate::None;
        self.rqmname.clear();
        self.partner_id.clear();
        conname.clone_into(&mut self.conname);
        (self.curluwid, self.curmsgs) = (Luwid::ZERO, 0);
        (self.msgs, self.batches, self.bytsrcvd, self.bytssent) = (0, 0, 0, 0);
        self.started = Some(now);
    }

    /// The partner said who it is.
    pub fn partner(&mut self, partner: &Partner) {
        partner.qmgr_name.clone_into(&mut self.rqmname);
        partner.qmgr_id.clone_into(&mut self.partner_id);
    }

    /// The lease was taken: what the target knows of the channel; none where it never committed anything.
    pub fn claimed(&mut self, record: Option<&SyncRecord>) {
        self.indoubt = false;
        (self.lstseqno, self.lstluwid) = record.map_or((0, Luwid::ZERO), |record| (record.sequence, record.luwid));
        self.curseqno = self.lstseqno;
    }

    /// Negotiation is over: RUNNING, unless a stop was asked for meanwhile.
    pub fn running(&mut self, agreed: Agreed) {
        self.agreed = agreed;
        self.state = if self.stopreq { ChannelState::Stopping } else { ChannelState::Running };
        self.substate = Substate::Receive;
        self.last_error = None;
    }

    /// A message is to be put again after a pause.
    pub fn paused(&mut self) {
        if self.state == ChannelState::Running {
            self.state = ChannelState::Paused;
        }
    }

    /// The pause is over.
    pub fn resumed(&mut self) {
        if self.state == ChannelState::Paused {
            self.state = ChannelState::Running;
        }
    }

    /// Told to end between batches.
    pub fn stopping(&mut self) {
        self.state = ChannelState::Stopping;
    }

    /// A stop was taken back before it was reached.
    pub fn carries_on(&mut self) {
        if !self.stopreq {
            self.state = ChannelState::Running;
        }
    }

    /// So many bytes were read.
    pub fn received(&mut self, bytes: u64) {
        self.bytsrcvd += bytes;
        self.totals.bytes_received += bytes;
    }

    /// So many bytes were written.
    pub fn sent(&mut self, bytes: u64) {
        self.bytssent += bytes;
        self.totals.bytes_sent += bytes;
    }

    /// A whole message came.
    pub fn message(&mut self, sequence: i32, luwid: Luwid, now: SystemTime) {
        (self.curseqno, self.curluwid) = (sequence, luwid);
        self.curmsgs += 1;
        self.msgs += 1;
        self.totals.messages += 1;
        self.last_message = Some(now);
    }

    /// The target has the batch in hand, with so many of its messages on the dead-letter queue.
    pub fn committed(&mut self, record: &SyncRecord, dead_lettered: u64) {
        (self.lstseqno, self.lstluwid) = (record.sequence, record.luwid);
        (self.curluwid, self.curmsgs) = (Luwid::ZERO, 0);
        self.indoubt = false;
        self.batches += 1;
        self.totals.batches += 1;
        self.totals.dead_lettered += dead_lettered;
    }

    /// The target has nothing of the batch in hand.
    pub fn rolled_back(&mut self, why: &str) {
        (self.curluwid, self.curmsgs) = (Luwid::ZERO, 0);
        self.curseqno = self.lstseqno;
        self.totals.batches_rolled_back += 1;
        self.last_error = Some(why.to_owned());
    }

    /// Nobody knows what became of the batch in hand until the next claim.
    pub fn in_doubt(&mut self, why: &str) {
        self.indoubt = true;
        self.last_error = Some(why.to_owned());
    }

    /// A whole message came that was recognised as already committed.
    pub fn repeated(&mut self, sequence: i32, now: SystemTime) {
        self.curseqno = sequence;
        self.msgs += 1;
        self.totals.messages += 1;
        self.totals.repeated += 1;
        self.last_message = Some(now);
    }

    /// What the record of a sending channel says; none where it never sent anything. True also while nobody is connected.
    pub fn recorded(&mut self, record: Option<&SendRecord>) {
        (self.lstseqno, self.lstluwid) = record.map_or((0, Luwid::ZERO), |record| (record.sequence, record.luwid));
        let doubt = record.and_then(|record| record.in_doubt);
        self.indoubt = doubt.is_some();
        (self.curseqno, self.curluwid, self.curmsgs) = doubt.map_or((self.lstseqno, Luwid::ZERO, 0), |doubt| {
            (doubt.sequence, doubt.luwid, u32::try_from(doubt.messages).unwrap_or(u32::MAX))
        });
    }

    /// What a sending machine knows of itself. Before and after it runs only the record counts, see [`Self::recorded`].
    pub fn sending(&mut self, status: &SenderStatus, now: SystemTime) {
        if status.agreed.is_some() {
            (self.curseqno, self.curluwid) = (status.curseqno, status.curluwid);
            self.curmsgs = u32::try_from(status.curmsgs).unwrap_or(u32::MAX);
            (self.lstseqno, self.lstluwid, self.indoubt) = (status.lstseqno, status.lstluwid, status.indoubt);
        }
        if status.counts.msgs > self.msgs {
            self.last_message = Some(now);
        }
        self.totals.messages += status.counts.msgs.saturating_sub(self.msgs);
        self.totals.batches += status.counts.batches.saturating_sub(self.batches);
        (self.msgs, self.batches) = (status.counts.msgs, status.counts.batches);
        self.substate = match status.doing {
            Doing::Receive => Substate::Receive,
            Doing::Serialize => Substate::Serialize,
            Doing::Resync => Substate::Resync,
            Doing::Get => Substate::MqGet,
            Doing::Send => Substate::Send,
            Doing::Heartbeat => Substate::Heartbeat,
            Doing::Commit | Doing::Confirm => Substate::EndBatch,
            Doing::Nothing => Substate::None,
        };
    }

    /// A message goes to the dead-letter queue instead of to the partner.
    pub fn buried(&mut self) {
        self.totals.dead_lettered += 1;
    }

    /// A caller was turned away; the channel's state stays.
    pub fn refused(&mut self, why: &str) {
        self.totals.refused += 1;
        self.last_error = Some(why.to_owned());
    }

    /// A partner is being called at this address.
    pub fn calling(&mut self, conname: &str) {
        conname.clone_into(&mut self.conname);
        self.state = ChannelState::Binding;
    }

    /// A call came to nothing; the partner will be called again.
    pub fn retrying(&mut self, why: &str) {
        self.state = if self.stopreq { ChannelState::Stopped } else { ChannelState::Retrying };
        self.last_error = Some(why.to_owned());
    }

    /// Nobody will be called.
    pub fn rests(&mut self) {
        self.state = if self.stopreq { ChannelState::Stopped } else { ChannelState::Inactive };
    }

    /// The connection is over: STOPPED if an operator asked for it, else INACTIVE. `error` is what went wrong, if anything did.
    pub(super) fn ended(&mut self, error: Option<&str>) {
        self.state = if self.stopreq { ChannelState::Stopped } else { ChannelState::Inactive };
        self.substate = Substate::None;
        if !(self.indoubt && self.chltype.sends()) {
            (self.curluwid, self.curmsgs) = (Luwid::ZERO, 0);
        }
        if let Some(error) = error {
            self.last_error = Some(error.to_owned());
        }
    }
}
