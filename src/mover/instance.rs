//! A running channel: one task that joins a connection, the machine and the target.
//!
//! One straight line: a segment goes into the machine, the machine's outputs are carried out in order,
//! and what the target answered goes back in. The instance passes three phases: it binds (who calls,
//! what is agreed, the lease), then serves, and while a batch is open a unit of work is open with it
//! ([`super::batch`]).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;

use super::batch::{Batch, Ended, Start};
use super::gateway::Gateway;
use super::link::{Arrival, Link, Stream};
use super::lobby::Seat;
use super::memory::Room;
use super::orders::{self, Order, Orders, Told};
use super::outgoing::{Requested, Sending};
use super::running::Slot;
use super::undelivered::MessageRetry;
use crate::admin::board::{self, Wanted};
use crate::admin::status::ChannelStatus;
use crate::channel::{ChannelKey, Definition, Input, Mca, Output, Partner, Stopped};
use crate::target::{Claim, Claimed, Source, Target};
use crate::wire::{Segment, StatusCode};

/// What an instance leaves.
pub(super) struct Over {
    /// Why it ended.
    pub(super) stopped: Stopped,
    /// Whether both ends had agreed, and the lease was ours.
    pub(super) ran: bool,
    /// Whether the board counted it.
    pub(super) shown: bool,
    /// The largest message that the target takes, if the lease told.
    pub(super) max_message_bytes: Option<u64>,
}

/// One connection of one partner, from its first byte to its last.
pub(crate) struct Instance<'g, T: Target, S> {
    pub(super) gateway: &'g Gateway<T>,
    pub(super) mca: Mca,
    link: Link<S>,
    pub(super) peer: SocketAddr,
    /// Name of the channel; blank until the partner named one that is defined.
    pub(super) channel: String,
    /// The partner's queue manager; blank until it said, and below FAP 4.
    pub(super) partner: String,
    /// What operators see of it; from the moment that it has its place among the running.
    pub(super) board: Option<board::Instance>,
    /// Its place among those that have not named a channel.
    seat: Option<Seat>,
    /// The first segment of a caller.
    first: Option<Segment>,
    /// The caller is a requester, and another machine goes on.
    sends: Option<Box<Requested>>,
    /// Its place among the running; from the moment that the lease is asked for.
    pub(super) slot: Option<Slot>,
    /// What the operator wants of the channel.
    wanted: Option<watch::Receiver<Wanted>>,
    /// Whether the machine was told to end.
    told: Told,
    /// MRRTY and MRTMR.
    pub(super) retry: MessageRetry,
    /// Each message waits for its answer before the next is staged: one was overtaken, and no batch has passed since
    /// in which nothing had to be put again.
    pub(super) careful: bool,
    /// In so many batches each message's answer is asked for, though the next need not wait for it.
    pub(super) asking: u32,
}

impl<'g, T: Target, S: Stream> Instance<'g, T, S> {
    /// An instance for a connection that was just accepted.
    pub(crate) fn new(gateway: &'g Gateway<T>, stream: S, peer: SocketAddr) -> Self {
        let mca = Mca::new(gateway.settings.identity.clone(), gateway.clock.now());
        Self { seat: Some(gateway.lobby.enter()), ..Self::with(gateway, mca, stream, peer) }
    }

    fn with(gateway: &'g Gateway<T>, mca: Mca, stream: S, peer: SocketAddr) -> Self {
        let link = Link::new(stream, mca.max_segment());
        Self {
            gateway,
            mca,
            link,
            peer,
            channel: String::new(),
            partner: String::new(),
            board: None,
            seat: None,
            first: None,
            sends: None,
            slot: None,
            wanted: None,
            told: Told::Nothing,
            retry: MessageRetry::default(),
            careful: false,
            asking: 0,
        }
    }

    /// An instance for a connection that we made.
    pub(super) fn calling(
        gateway: &'g Gateway<T>,
        stream: S,
        peer: SocketAddr,
        definition: &Definition,
        max_message_bytes: Option<u64>,
        wanted: watch::Receiver<Wanted>,
    ) -> Self {
        let (identity, now) = (gateway.settings.identity.clone(), gateway.clock.now());
        let mca = Mca::calling(identity, definition.clone(), max_message_bytes, now);
        Self {
            channel: definition.name.clone(),
            retry: MessageRetry::of(definition),
            wanted: Some(wanted),
            ..Self::with(gateway, mca, stream, peer)
        }
    }

    /// Runs the channel to its end.
    pub(crate) async fn run(mut self) -> Over
    where
        T: Source,
    {
        let mut claim = None;
        let (mut ran, mut terminated) = (true, false);
        let bound = self.bind(&mut claim).await;
        if let Some(sends) = self.sends.take() {
            return Sending::called(self.gateway, self.link, self.peer, *sends).run().await;
        }
        let stopped = match bound {
            Some(stopped) => {
                ran = false;
                stopped
            }
            None => match &mut claim {
                Some(claim) => {
                    let wanted = self.wanted.clone();
                    tokio::select! {
                        biased;
                        stopped = orders::terminated(wanted) => {
                            terminated = true;
                            stopped
                        }
                        stopped = self.serve(claim) => stopped,
                    }
                }
                None => Stopped {
                    orderly: false,
                    announced: false,
                    code: None,
                    why: "internal fault: bound without a lease".to_owned(),
                },
            },
        };
        self.link.close().await;
        let max_message_bytes = claim.as_ref().and_then(Claim::max_message_bytes);
        match claim {
            // Nobody waits for the target: it rolls back what was not committed.
            Some(claim) if terminated => {
                drop(claim);
                if self.mca.awaits_answer() {
                    self.tell(|status| status.in_doubt(orders::CUT_SHORT));
                }
            }
            Some(claim) => claim.release().await,
            None => {}
        }
        self.report_end(&stopped);
        let shown = self.board.is_some();
        if let Some(board) = self.board.take() {
            board.ended((!stopped.orderly).then_some(stopped.why.as_str()));
        }
        // The slot goes after the lease: whoever adopts this channel waits for it, and then finds the lease free.
        drop(self.slot.take());
        if !terminated {
            self.link.linger().await;
        }
        Over { stopped, ran, shown, max_message_bytes }
    }

    /// Until the lease is ours and the partner knows that it may send; gives the end of the channel if that came first. Nothing
    /// is to be waited for either where `sends` says that a requester calls one of our sending channels.
    async fn bind(&mut self, claim: &mut Option<T::Claim>) -> Option<Stopped> {
        loop {
            while let Some(output) = self.next_output().await {
                match output {
                    Output::Identify { channel, partner } => {
                        if let Some(requested) = self.requested(&channel) {
                            self.sends = Some(Box::new(requested));
                            return None;
                        }
                        let answer = self.identify(&channel, &partner);
                        self.handle(answer);
                    }
                    Output::Claim { partner } => {
                        let wanted = self.wanted.clone();
                        let claimed = tokio::select! {
                            biased;
                            stopped = orders::terminated(wanted) => return Some(stopped),
                            claimed = self.claim(&partner) => claimed,
                        };
                        let answer = match claimed {
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
                    Output::Begin { length } => room = self.room(length).await,
                    Output::Deliver(frame) => {
                        self.delivered(&frame);
                        if let Some(stopped) = self.batch(claim, Start::message(frame, room.take())).await {
                            return stopped;
                        }
                    }
                    // Nothing but repeats, or a reset: the record alone moves on.
                    Output::Commit(record) => {
                        if let Some(stopped) = self.batch(claim, Start::commit(record)).await {
                            return stopped;
                        }
                    }
                    Output::Repeated { sequence } => {
                        room = None;
                        self.repeated(sequence);
                    }
                    Output::Rollback => room = None,
                    Output::Stopped(stopped) => return stopped,
                    other => self.out_of_place(&other),
                }
            }
            self.wait(Some(&mut *claim)).await;
        }
    }

    /// A batch from its first message, or its commit, to its end. Gives the end of the channel if that came first.
    async fn batch(&mut self, claim: &mut T::Claim, mut start: Start) -> Option<Stopped> {
        loop {
            let unit = match claim.begin(start.luwid()).await {
                Ok(unit) => unit,
                Err(error) => {
                    self.batch_failed(StatusCode::BATCH_FAILURE, error.text);
                    return None;
                }
            };
            match Batch::new(self, unit).run(start).await {
                Ended::Done => return None,
                Ended::Stopped(stopped) => return Some(stopped),
                Ended::Again(again) => start = again,
            }
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
                self.handle(Input::Unreachable(format!("the partner could not be written to: {error}")));
                false
            }
        }
    }

    /// Waits for the next thing to happen and gives it to the machine.
    pub(super) async fn wait(&mut self, claim: Option<&mut T::Claim>) {
        self.link.set_max_segment(self.mca.max_segment());
        let timeout = self.mca.next_timeout().map(|at| at.saturating_sub(self.gateway.clock.now()));
        let orders = Orders {
            gateway: self.gateway,
            slot: self.slot.as_ref(),
            seat: self.seat.as_ref(),
            wanted: self.wanted.as_mut(),
            told: self.told,
        };
        let mut told = self.told;
        let input = tokio::select! {
            biased;
            (now_told, order) = orders.next() => {
                told = now_told;
                if let Order::Break(code) = order {
                    // Told twice, the machine does not wait for the end of the batch.
                    self.mca.handle(self.gateway.clock.now(), Input::Quiesce(code));
                }
                wished(order)
            }
            error = orders::lost(claim) => Input::RolledBack(StatusCode::BATCH_FAILURE, error.text),
            arrival = self.link.arrival() => match arrival {
                Arrival::Segment(segment) => {
                    tracing::trace!(peer = %self.peer, tsh = ?segment.tsh, bytes = segment.body.len(), "segment in");
                    Input::Segment(segment)
                }
                Arrival::Malformed(malformed) => Input::Malformed(malformed),
                Arrival::Closed(how) => Input::PeerClosed(how),
                Arrival::CutOff(how) => Input::Unreachable(how),
            },
            () = elapsed(timeout) => Input::Tick,
        };
        if let Input::Segment(segment) = &input {
            let bytes = segment.len() as u64;
            self.tell(|status| status.received(bytes));
            if self.seat.is_some() {
                self.first = Some(segment.clone());
            }
        }
        self.handle(input);
        self.obey(told);
    }

    /// The machine has been told something of its end: says so, once.
    fn obey(&mut self, told: Told) {
        if told == self.told {
            return;
        }
        let was = std::mem::replace(&mut self.told, told);
        if was == Told::ToStop && told == Told::ToEnd && !self.mca.status().stopreq {
            self.told = Told::Nothing;
            self.tell(ChannelStatus::carries_on);
            tracing::info!(channel = self.name(), peer = %self.peer, "channel carries on: the operator took the stop back");
            return;
        }
        if self.board.is_some() && was == Told::Nothing {
            let who =
                if matches!(told, Told::ToStop | Told::ToBreak) { "the operator stops it" } else { "the gateway ends" };
            let status = self.mca.status();
            let (partner, curmsgs, lstseqno) = (self.partner(), status.curmsgs, status.lstseqno);
            self.tell(ChannelStatus::stopping);
            tracing::info!(channel = self.name(), partner, peer = %self.peer, curmsgs, lstseqno, "channel is stopping: {who}");
        }
    }

    /// Room for a message of `length` bytes; none if another connection takes the channel over meanwhile, which the machine
    /// knows then.
    pub(super) async fn room(&mut self, length: usize) -> Option<Room> {
        let room = tokio::select! {
            biased;
            room = self.gateway.settings.memory.room(length) => room,
            () = orders::given_up(self.slot.as_ref()) => {
                self.handle(wished(orders::taken_over()));
                return None;
            }
        };
        self.resume();
        Some(room)
    }

    /// Gives something to the machine, with the time.
    pub(super) fn handle(&mut self, input: Input) {
        self.mca.handle(self.gateway.clock.now(), input);
    }

    /// Our side was busy: the partner's silence is measured from now.
    pub(super) fn resume(&mut self) {
        self.mca.resume(self.gateway.clock.now());
    }

    /// How long a batch may wait for the target in all before its partner might give up on its confirm: the heartbeat
    /// interval, which is below every time-out of a sender (wire reference, channel flow 6). None without heartbeats.
    pub(super) fn patience(&self) -> Option<Duration> {
        let interval = self.mca.status().agreed?.heartbeat_interval;
        u64::try_from(interval).ok().filter(|&seconds| seconds > 0).map(Duration::from_secs)
    }

    /// The call of a requester: the partner named a channel on which we send.
    fn requested(&mut self, channel: &str) -> Option<Requested> {
        let settings = &self.gateway.settings;
        let definition = settings.definitions.get(channel).filter(|definition| definition.chltype.sends())?.clone();
        Some(Requested { definition, first: self.first.take()?, wanted: settings.board.wanted(channel)? })
    }

    /// Finds the channel that the partner named.
    fn identify(&mut self, channel: &str, partner: &Partner) -> Input {
        let (definition, wanted) =
            match (self.gateway.settings.definitions.get(channel), self.gateway.settings.board.wanted(channel)) {
                (Some(definition), Some(wanted)) => (definition.clone(), wanted),
                _ => return Input::Refused(StatusCode::NO_CHANNEL, format!("{channel}: {}", board::Refused::Unknown)),
            };
        channel.clone_into(&mut self.channel);
        partner.qmgr_name.clone_into(&mut self.partner);
        self.seat = None;
        if wanted.borrow().is_stopped() {
            return self.turn_away(StatusCode::CHANNEL_UNAVAILABLE, partner, &board::Refused::Stopped.to_string());
        }
        self.wanted = Some(wanted);
        self.retry = MessageRetry::of(&definition);
        Input::Defined(Box::new(definition))
    }

    /// Takes the channel's place among the running, and its lease.
    async fn claim(&mut self, partner: &Partner) -> Result<T::Claim, Input> {
        partner.qmgr_name.clone_into(&mut self.partner);
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
        self.board = Some(board);
        self.report_binding(partner);
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
}

/// An order as the machine hears it.
fn wished(order: Order) -> Input {
    match order {
        Order::Gone(why) => Input::PeerClosed(why),
        Order::End(code) | Order::Break(code) => Input::Quiesce(code),
        Order::CarryOn => Input::Unquiesce,
    }
}

/// When so much time has passed; never without a limit.
pub(super) async fn elapsed(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
