//! A running channel: one task that joins a connection, the machine and the target.
//!
//! One straight line: a segment goes into the machine, the machine's outputs are carried out in order,
//! and what the target answered goes back in. The instance passes three phases: it binds (who calls,
//! what is agreed, the lease), then serves, and while a batch is open a unit of work is open with it
//! ([`super::batch`]).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;

use super::batch::Batch;
use super::gateway::Gateway;
use super::link::{Arrival, Link, Stream};
use super::running::Slot;
use crate::admin::board::{self, Wanted};
use crate::admin::status::{Agreed, ChannelStatus, Substate};
use crate::channel::{ChannelKey, Input, Mca, Output, Partner, Stopped, SyncRecord};
use crate::target::{self, Claim, Claimed, Target};
use crate::wire::StatusCode;

/// One connection of one partner, from its first byte to its last.
pub(crate) struct Instance<'g, T: Target, S> {
    pub(super) gateway: &'g Gateway<T>,
    mca: Mca,
    link: Link<S>,
    peer: SocketAddr,
    /// Name of the channel; blank until the partner named one that is defined.
    channel: String,
    /// What operators see of it; from the moment that it has its place among the running.
    board: Option<board::Instance>,
    /// Its place among the running; from the moment that the lease is asked for.
    slot: Option<Slot>,
    /// What the operator wants of the channel.
    wanted: Option<watch::Receiver<Wanted>>,
    /// Whether the machine was told to end.
    told: Told,
}

impl<'g, T: Target, S: Stream> Instance<'g, T, S> {
    /// An instance for a connection that was just accepted.
    pub(crate) fn new(gateway: &'g Gateway<T>, stream: S, peer: SocketAddr) -> Self {
        let mca = Mca::new(gateway.settings.identity.clone(), gateway.clock.now());
        let link = Link::new(stream, mca.max_segment());
        Self {
            gateway,
            mca,
            link,
            peer,
            channel: String::new(),
            board: None,
            slot: None,
            wanted: None,
            told: Told::Nothing,
        }
    }

    /// Runs the channel to its end.
    pub(crate) async fn run(mut self) {
        let mut claim = None;
        let stopped = match self.bind(&mut claim).await {
            Some(stopped) => stopped,
            None => match &mut claim {
                Some(claim) => self.serve(claim).await,
                None => Stopped { orderly: false, code: None, why: "internal fault: bound without a lease".to_owned() },
            },
        };
        self.link.close().await;
        if let Some(claim) = claim {
            claim.release().await;
        }
        self.report(&stopped);
        if let Some(board) = self.board.take() {
            board.ended((!stopped.orderly).then_some(stopped.why.as_str()));
        }
        // The slot goes last: whoever adopts this channel waits for it, and then finds the lease free.
        drop(self.slot.take());
    }

    /// Until the lease is ours and the partner knows that it may send; gives the end of the channel if that came first.
    async fn bind(&mut self, claim: &mut Option<T::Claim>) -> Option<Stopped> {
        loop {
            while let Some(output) = self.next_output().await {
                match output {
                    Output::Identify { channel, partner } => {
                        let answer = self.identify(&channel, &partner);
                        self.handle(answer);
                    }
                    Output::Claim { partner } => {
                        let answer = match self.claim(&partner).await {
                            Ok(ours) => {
                                let record = ours.record().cloned();
                                let max_message_bytes = ours.max_message_bytes();
                                *claim = Some(ours);
                                Input::Claimed { record, max_message_bytes }
                            }
                            Err(refused) => refused,
                        };
                        self.handle(answer);
                    }
                    Output::Running => {
                        self.report_running();
                        return None;
                    }
                    Output::Stopped(stopped) => return Some(stopped),
                    Output::Rollback => {}
                    other => self.out_of_place(&other),
                }
            }
            self.wait(claim.as_mut()).await;
        }
    }

    /// Until the channel ends.
    async fn serve(&mut self, claim: &mut T::Claim) -> Stopped {
        let mut room = None;
        loop {
            while let Some(output) = self.next_output().await {
                match output {
                    Output::Begin { length } => {
                        room = Some(self.gateway.settings.memory.room(length).await);
                        self.resume();
                    }
                    Output::Deliver(frame) => match claim.begin(frame.luwid).await {
                        Ok(unit) => {
                            if let Some(stopped) = Batch::new(self, unit).run(frame, room.take()).await {
                                return stopped;
                            }
                        }
                        Err(error) => self.batch_failed(StatusCode::BATCH_FAILURE, error.text),
                    },
                    // Nothing but repeats, or a reset: the record alone moves on.
                    Output::Commit(record) => match claim.begin(record.luwid).await {
                        Ok(unit) => Batch::new(self, unit).commit(record).await,
                        Err(error) => self.batch_failed(StatusCode::BATCH_FAILURE, error.text),
                    },
                    Output::Repeated { .. } | Output::Rollback => room = None,
                    Output::Stopped(stopped) => return stopped,
                    other => self.out_of_place(&other),
                }
            }
            self.wait(Some(&mut *claim)).await;
        }
    }

    /// The next output that is not simply bytes to send; none when all are carried out and sent.
    pub(super) async fn next_output(&mut self) -> Option<Output> {
        loop {
            match self.mca.poll() {
                Some(Output::Send(segment)) => {
                    let bytes = segment.len() as u64;
                    self.link.queue(&segment);
                    self.tell(|status| status.sent(bytes));
                }
                Some(output) => {
                    // What was said before must not wait for the target, and the last word must be out before the end.
                    if matches!(output, Output::Commit(_) | Output::Claim { .. } | Output::Stopped(_)) {
                        self.flush().await;
                    }
                    return Some(output);
                }
                None if self.flush().await => return None,
                None => {}
            }
        }
    }

    /// Sends what is queued; false when that failed and the machine was told.
    async fn flush(&mut self) -> bool {
        match self.link.flush().await {
            Ok(()) => true,
            Err(error) => {
                self.handle(Input::PeerClosed(format!("could not be written to: {error}")));
                false
            }
        }
    }

    /// Waits for the next thing to happen and gives it to the machine.
    pub(super) async fn wait(&mut self, claim: Option<&mut T::Claim>) {
        self.link.set_max_segment(self.mca.max_segment());
        let timeout = self.mca.next_timeout().map(|at| at.saturating_sub(self.gateway.clock.now()));
        let input = tokio::select! {
            biased;
            input = order(self.slot.as_ref(), &mut self.wanted, self.gateway, &self.told) => input,
            error = lost(claim) => Input::RolledBack(StatusCode::BATCH_FAILURE, error.text),
            arrival = self.link.arrival() => match arrival {
                Arrival::Segment(segment) => {
                    tracing::trace!(peer = %self.peer, tsh = ?segment.tsh, bytes = segment.body.len(), "segment in");
                    Input::Segment(segment)
                }
                Arrival::Malformed(malformed) => Input::Malformed(malformed),
                Arrival::Closed(how) => Input::PeerClosed(how),
            },
            () = elapsed(timeout) => Input::Tick,
        };
        if let Input::Segment(segment) = &input {
            let bytes = segment.len() as u64;
            self.tell(|status| status.received(bytes));
        }
        if matches!(input, Input::Quiesce(_)) {
            self.told = match self.told {
                Told::Nothing => Told::ToEnd,
                Told::ToEnd | Told::ToHurry => Told::ToHurry,
            };
        }
        self.handle(input);
    }

    /// Gives something to the machine, with the time.
    pub(super) fn handle(&mut self, input: Input) {
        self.mca.handle(self.gateway.clock.now(), input);
    }

    /// Our side was busy: the partner's silence is measured from now.
    pub(super) fn resume(&mut self) {
        self.mca.resume(self.gateway.clock.now());
    }

    /// Writes to the board, once the channel is ours to write about.
    pub(super) fn tell(&self, change: impl FnOnce(&mut ChannelStatus)) {
        if let Some(board) = &self.board {
            board.update(change);
        }
    }

    /// Name of the channel; blank until the partner named one that is defined.
    pub(super) fn name(&self) -> &str {
        &self.channel
    }

    /// A unit of work ended in a commit; the board and the metrics say how.
    pub(super) fn committed(&self, outcome: &target::Outcome, record: &SyncRecord, dead_lettered: u64, took: Duration) {
        if let Some(metrics) = self.gateway.settings.board.metrics(self.name()) {
            metrics.commit_seconds.record(took.as_secs_f64());
        }
        match outcome {
            target::Outcome::Committed => {
                self.gateway.settings.health.target(Ok(()));
                self.tell(|status| status.committed(record, dead_lettered));
            }
            target::Outcome::RolledBack(error) => {
                self.gateway.settings.health.target(Err(error.text.clone()));
                self.tell(|status| status.rolled_back(&error.text));
            }
            target::Outcome::InDoubt(error) => {
                self.gateway.settings.health.target(Err(error.text.clone()));
                self.tell(|status| status.in_doubt(&error.text));
            }
        }
    }

    /// Nothing of the batch in hand is kept; the partner is told, and the channel ends.
    pub(super) fn batch_failed(&mut self, code: StatusCode, text: String) {
        self.gateway.settings.health.target(Err(text.clone()));
        self.tell(|status| status.rolled_back(&text));
        self.handle(Input::RolledBack(code, text));
    }

    /// The machine asked for something that this phase cannot do: a fault of ours, which ends this channel only.
    pub(super) fn out_of_place(&mut self, output: &Output) {
        tracing::error!(peer = %self.peer, channel = self.name(), ?output, "internal fault: output out of place");
        self.handle(Input::RolledBack(StatusCode::BATCH_FAILURE, "internal fault at the gateway".to_owned()));
    }

    /// Finds the channel that the partner named.
    fn identify(&mut self, channel: &str, partner: &Partner) -> Input {
        let (definition, wanted) =
            match (self.gateway.settings.definitions.get(channel), self.gateway.settings.board.wanted(channel)) {
                (Some(definition), Some(wanted)) => (definition.clone(), wanted),
                _ => return Input::Refused(StatusCode::NO_CHANNEL, format!("{channel}: {}", board::Refused::Unknown)),
            };
        channel.clone_into(&mut self.channel);
        if *wanted.borrow() == Wanted::Stopped {
            return self.turn_away(StatusCode::CHANNEL_UNAVAILABLE, partner, &board::Refused::Stopped.to_string());
        }
        self.wanted = Some(wanted);
        Input::Defined(Box::new(definition))
    }

    /// Refuses the caller; the board counts it, whatever another connection of the channel does meanwhile.
    fn turn_away(&self, code: StatusCode, partner: &Partner, why: &str) -> Input {
        let text = format!("{} at {} was refused: {why}", partner.qmgr_name, self.peer.ip());
        self.gateway.settings.board.update(&self.channel, |status| status.refused(&text));
        Input::Refused(code, text)
    }

    /// Takes the channel's place among the running, and its lease.
    async fn claim(&mut self, partner: &Partner) -> Result<T::Claim, Input> {
        let settings = &self.gateway.settings;
        let key = ChannelKey {
            gateway: settings.identity.qmgr_name.clone(),
            channel: self.channel.clone(),
            partner: partner.qmgr_name.clone(),
        };
        let slot = self.gateway.running.enter(&key, self.peer.ip()).await.map_err(|other| {
            let why = format!("the channel already runs for it, from {other}");
            self.turn_away(StatusCode::CHANNEL_UNAVAILABLE, partner, &why)
        })?;
        self.slot = Some(slot);
        let conname = format!("{}({})", self.peer.ip(), self.peer.port());
        let board = settings
            .board
            .open(&self.channel, &conname)
            .map_err(|refused| self.turn_away(StatusCode::CHANNEL_UNAVAILABLE, partner, &refused.to_string()))?;
        board.update(|status| {
            status.partner(partner);
            status.substate = Substate::Serialize;
        });
        self.board = Some(board);
        let claimed = self.gateway.target.claim(&key).await;
        settings.health.target(claimed.as_ref().map(|_| ()).map_err(|error| error.text.clone()));
        match claimed {
            Ok(Claimed::Ours(claim)) => {
                self.tell(|status| status.claimed(claim.record()));
                Ok(claim)
            }
            Ok(Claimed::Held(by)) => {
                Err(self.turn_away(StatusCode::CHANNEL_UNAVAILABLE, partner, &format!("the lease is held by {by}")))
            }
            Err(error) => Err(self.turn_away(StatusCode::QM_UNAVAILABLE, partner, &error.text)),
        }
    }

    fn report_running(&self) {
        let status = self.mca.status();
        let Some(agreed) = status.agreed else { return };
        let shown = Agreed {
            batchsz: agreed.batchsz,
            hbint: agreed.heartbeat_interval,
            maxmsgl: agreed.max_msg_size,
            fap_level: agreed.fap_level,
        };
        self.tell(|status| status.running(shown));
        tracing::info!(
            channel = self.name(),
            partner = status.partner.as_ref().map_or("", |partner| partner.qmgr_name.as_str()),
            peer = %self.peer,
            fap = agreed.fap_level,
            batchsz = agreed.batchsz,
            hbint = agreed.heartbeat_interval,
            maxmsgl = agreed.max_msg_size,
            lstseqno = status.lstseqno,
            lstluwid = %status.lstluwid,
            "channel is running"
        );
    }

    /// One line for the end of an instance; equal ones only now and then, for partners retry for days.
    fn report(&self, stopped: &Stopped) {
        let channel = if self.channel.is_empty() { "(none named)" } else { &self.channel };
        let line = format!("channel {channel} ended: {}", stopped.why);
        let (mut msgs, mut batches, mut lstseqno) = (0, 0, 0);
        self.tell(|status| (msgs, batches, lstseqno) = (status.msgs, status.batches, status.lstseqno));
        if stopped.orderly {
            tracing::info!(peer = %self.peer, msgs, batches, lstseqno, "{line}");
        } else if let Some(line) = self.gateway.note(&line) {
            tracing::warn!(peer = %self.peer, msgs, batches, lstseqno, "{line}");
        }
    }
}

/// Waits until the lease or the road to the target is lost; for ever where there is no lease.
async fn lost<C: Claim>(claim: Option<&mut C>) -> target::TargetError {
    match claim {
        Some(claim) => claim.lost().await,
        None => std::future::pending().await,
    }
}

/// What the machine was told of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    /// Between batches, when the partner has been told.
    ToEnd,
    /// At once.
    ToHurry,
}

/// Waits until an operator, a shutdown or an adopting connection wants this instance to end.
async fn order<T>(
    slot: Option<&Slot>,
    wanted: &mut Option<watch::Receiver<Wanted>>,
    gateway: &Gateway<T>,
    told: &Told,
) -> Input {
    let abandoned = async {
        match slot {
            Some(slot) => slot.abandoned().await,
            None => std::future::pending().await,
        }
    };
    let stopped = async {
        if let Some(wanted) = wanted
            && wanted.wait_for(|wanted| *wanted == Wanted::Stopped).await.is_ok()
        {
            return;
        }
        // Nobody has named a channel yet.
        std::future::pending().await
    };
    tokio::select! {
        () = abandoned => Input::PeerClosed("the partner came back on another connection, which takes over".to_owned()),
        () = gateway.hurry.cancelled(), if *told != Told::ToHurry => Input::Quiesce(StatusCode::QM_TERMINATING),
        () = gateway.shutdown.cancelled(), if *told == Told::Nothing => Input::Quiesce(StatusCode::QM_TERMINATING),
        () = stopped, if *told == Told::Nothing => Input::Quiesce(StatusCode::USER_CLOSED),
    }
}

async fn elapsed(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
