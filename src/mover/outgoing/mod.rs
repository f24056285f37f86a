//! A running sending channel: one task that joins a connection, the sending machine and a feed.
//!
//! As straight a line as [`super::instance`], the other way: a message is taken from the feed, mapped, given to the machine,
//! and the machine's outputs are carried out in order. What the target answered to a step goes back in.

mod message;
mod report;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use tokio::sync::watch;

use super::gateway::Gateway;
use super::instance::Over;
use super::link::{Arrival, Link, Stream};
use super::orders::{self, Order, Orders, Told};
use super::running::Slot;
use crate::admin::board::{self, Wanted};
use crate::admin::status::ChannelStatus;
use crate::channel::sender::{Input, Output, SenderMca, Step, StopMode, Token};
use crate::channel::{ChannelKey, Definition, Partner, Stopped};
use crate::mapping::Publication;
use crate::target::{self, Claimed, Feed, Outcome, Source, Taken, Ticket};
use crate::wire::{Segment, StatusCode};

/// One connection of a sending channel, from its first byte to its last.
pub(super) struct Sending<'g, T: Source, S> {
    gateway: &'g Gateway<T>,
    mca: SenderMca,
    link: Link<S>,
    peer: SocketAddr,
    channel: String,
    /// The partner's queue manager; blank until it said, and below FAP 4.
    partner: String,
    definition: Definition,
    board: Option<board::Instance>,
    slot: Option<Slot>,
    wanted: watch::Receiver<Wanted>,
    told: Told,
    feed: Option<T::Feed>,
    /// Messages that the machine has, or will have.
    taken: HashMap<Token, Taken>,
    /// Messages that the machine gave back, to be offered again before any other.
    again: VecDeque<Token>,
    /// The messages of a batch that was in doubt at the start.
    doubted: Vec<Token>,
    /// What takes the place of messages that were set aside.
    instead: HashMap<Token, Vec<Publication>>,
    /// The machine waits for a message.
    wants: bool,
    /// Nobody knows what became of the last step.
    unknown: bool,
}

/// A requester's call.
#[derive(Debug)]
pub(super) struct Requested {
    /// The channel that it named.
    pub(super) definition: Definition,
    /// Its first segment.
    pub(super) first: Segment,
    /// What the operator wants of the channel.
    pub(super) wanted: watch::Receiver<Wanted>,
}

impl<'g, T: Source, S: Stream> Sending<'g, T, S> {
    /// For a connection that we made.
    pub(super) fn calling(
        gateway: &'g Gateway<T>,
        stream: S,
        peer: SocketAddr,
        definition: &Definition,
        wanted: watch::Receiver<Wanted>,
    ) -> Self {
        let (identity, now) = (gateway.settings.identity.clone(), gateway.clock.now());
        let mca = SenderMca::calling(identity, definition.clone(), crate::clock::since_1970(), now);
        let link = Link::new(stream, mca.max_segment());
        Self::with(gateway, mca, link, peer, definition.clone(), wanted)
    }

    fn with(
        gateway: &'g Gateway<T>,
        mca: SenderMca,
        link: Link<S>,
        peer: SocketAddr,
        definition: Definition,
        wanted: watch::Receiver<Wanted>,
    ) -> Self {
        Self {
            gateway,
            mca,
            link,
            peer,
            channel: definition.name.clone(),
            partner: String::new(),
            definition,
            board: None,
            slot: None,
            wanted,
            told: Told::Nothing,
            feed: None,
            taken: HashMap::new(),
            again: VecDeque::new(),
            doubted: Vec::new(),
            instead: HashMap::new(),
            wants: false,
            unknown: false,
        }
    }

    /// For a connection on which a requester called.
    pub(super) fn called(gateway: &'g Gateway<T>, link: Link<S>, peer: SocketAddr, requested: Requested) -> Self {
        let (identity, now) = (gateway.settings.identity.clone(), gateway.clock.now());
        let Requested { definition, first, wanted } = requested;
        let mut mca = SenderMca::new(identity, crate::clock::since_1970(), now);
        mca.handle(now, Input::Segment(first));
        Self::with(gateway, mca, link, peer, definition, wanted)
    }

    /// Runs the channel to its end.
    pub(super) async fn run(mut self) -> Over {
        let mut ran = false;
        let (mut terminated, wanted) = (false, self.wanted.clone());
        let stopped = tokio::select! {
            biased;
            stopped = orders::terminated(Some(wanted)) => {
                terminated = true;
                stopped
            }
            stopped = self.serve(&mut ran) => stopped,
        };
        if terminated && ran && self.mca.awaits_answer() {
            self.unknown = true;
            self.tell(|status| status.in_doubt(orders::CUT_SHORT));
        }
        self.link.close().await;
        self.report_end(&stopped);
        if let Some(feed) = self.feed.take() {
            if !self.unknown {
                self.tell(|status| status.recorded(feed.record()));
            }
            if terminated {
                // Nobody waits for the target: the messages are still its own.
                drop(feed);
            } else {
                feed.release().await;
            }
        }
        let shown = self.board.is_some();
        if let Some(board) = self.board.take() {
            board.ended((!stopped.orderly).then_some(stopped.why.as_str()));
        }
        drop(self.slot.take());
        if !terminated {
            self.link.linger().await;
        }
        Over { stopped, ran, shown, max_message_bytes: None }
    }

    async fn serve(&mut self, ran: &mut bool) -> Stopped {
        loop {
            while let Some(output) = self.next_output().await {
                match output {
                    Output::Claim { partner } => {
                        let answer = self.claim(&partner).await;
                        self.handle(answer);
                    }
                    Output::Running(agreed) => {
                        *ran = true;
                        self.report_running(&agreed);
                    }
                    Output::Want => self.want(),
                    Output::Undeliverable { token, reason, why } => {
                        self.bury(token, reason, &why);
                        self.handle(Input::SetAside(token));
                    }
                    Output::Commit(step) => self.commit(step).await,
                    Output::BatchRefused { code, tokens } => self.refused(code, tokens),
                    Output::Resolved(resolved) => {
                        self.report_resolved(&resolved);
                        if resolved.how == crate::channel::sender::Resolution::Backout {
                            self.again.extend(std::mem::take(&mut self.doubted));
                        }
                    }
                    Output::Stopped(stopped) => return stopped,
                    Output::Identify { partner, .. } => {
                        let answer = self.identify(&partner);
                        self.handle(answer);
                    }
                    Output::CallBack(_) => self.gateway.settings.board.nudge(&self.channel),
                    // What is to be sent was sent.
                    Output::Send(_) => {}
                }
            }
            self.show();
            self.wait().await;
        }
    }

    /// The next output that is not simply bytes to send; none when all are carried out and sent.
    async fn next_output(&mut self) -> Option<Output> {
        loop {
            match self.mca.poll() {
                Some(Output::Send(segment)) => {
                    let bytes = segment.len() as u64;
                    self.link.queue(&segment);
                    self.tell(|status| status.sent(bytes));
                    if self.link.is_full() && !self.flush().await {
                        return self.mca.poll();
                    }
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
    async fn wait(&mut self) {
        self.link.set_max_segment(self.mca.max_segment());
        let timeout = self.mca.next_timeout().map(|at| at.saturating_sub(self.gateway.clock.now()));
        let orders = Orders {
            gateway: self.gateway,
            slot: self.slot.as_ref(),
            seat: None,
            wanted: Some(&mut self.wanted),
            told: self.told,
        };
        let mut told = self.told;
        let mut arrived = None;
        let input = tokio::select! {
            biased;
            (now_told, order) = orders.next() => {
                told = now_told;
                match order {
                    Order::Gone(why) => Input::PeerClosed(why),
                    Order::End(code) if told == Told::ToHurry => Input::Stop(StopMode::Force, code),
                    Order::Break(code) => Input::Stop(StopMode::Force, code),
                    Order::End(code) => Input::Stop(StopMode::Quiesce, code),
                    Order::CarryOn => Input::Unquiesce,
                }
            }
            arrival = self.link.arrival() => match arrival {
                Arrival::Segment(segment) => Input::Segment(segment),
                Arrival::Malformed(malformed) => Input::Malformed(malformed),
                Arrival::Closed(how) => Input::PeerClosed(how),
                Arrival::CutOff(how) => Input::Unreachable(how),
            },
            taken = next(self.feed.as_mut(), self.wants) => match taken {
                Ok(taken) => {
                    arrived = Some(taken);
                    Input::Tick
                }
                Err(error) => Input::RolledBack(StatusCode::BATCH_FAILURE, error.text),
            },
            () = super::instance::elapsed(timeout) => Input::Tick,
        };
        let taken_back = self.told == Told::ToStop && told == Told::ToEnd;
        self.told = told;
        match (arrived, input) {
            (Some(taken), _) => {
                let token = self.keep(taken);
                self.offer(token);
            }
            (None, input) => {
                if let Input::Segment(segment) = &input {
                    let bytes = segment.len() as u64;
                    self.tell(|status| status.received(bytes));
                }
                self.handle(input);
            }
        }
        if taken_back && !self.mca.status().stopreq {
            // A later stop counts again.
            self.told = Told::Nothing;
            self.tell(ChannelStatus::carries_on);
        }
    }

    /// Gives something to the machine, with the time.
    fn handle(&mut self, input: Input) {
        self.mca.handle(self.gateway.clock.now(), input);
    }

    /// A requester may have the channel, unless an operator stopped it.
    fn identify(&mut self, partner: &Partner) -> Input {
        partner.qmgr_name.clone_into(&mut self.partner);
        if *self.wanted.borrow() == Wanted::Started {
            return Input::Defined(Box::new(self.definition.clone()));
        }
        let why = format!("{} at {} was refused: {}", partner.qmgr_name, self.peer.ip(), board::Refused::Stopped);
        self.gateway.settings.board.update(&self.channel, |status| status.refused(&why));
        Input::Refused(StatusCode::CHANNEL_UNAVAILABLE, why)
    }

    /// Takes the channel's place among the running, its lease and its queues.
    async fn claim(&mut self, partner: &Partner) -> Input {
        partner.qmgr_name.clone_into(&mut self.partner);
        let settings = &self.gateway.settings;
        let Some(outlets) = settings.outlets.get(&self.channel) else {
            return Input::Refused(StatusCode::NO_CHANNEL, "the channel has no xmitq".to_owned());
        };
        if let Some(rqmname) = outlets.rqmname.as_deref()
            && !partner.qmgr_name.is_empty()
            && rqmname != partner.qmgr_name
        {
            let why = format!("rqmname is {rqmname}, but {} answered; check conname or rqmname", partner.qmgr_name);
            return Input::Refused(StatusCode::CHANNEL_UNAVAILABLE, why);
        }
        let key = ChannelKey {
            gateway: settings.identity.qmgr_name.clone(),
            channel: self.channel.clone(),
            partner: partner.qmgr_name.clone(),
        };
        match self.gateway.running.enter(&key, self.peer.ip()).await {
            Ok(slot) => self.slot = Some(slot),
            Err(other) => {
                let why = format!("the channel already runs for it, to {other}");
                return Input::Refused(StatusCode::CHANNEL_UNAVAILABLE, why);
            }
        }
        match settings.board.open(&self.channel, &format!("{}({})", self.peer.ip(), self.peer.port())) {
            Ok(board) => self.board = Some(board),
            Err(refused) => return Input::Refused(StatusCode::CHANNEL_UNAVAILABLE, refused.to_string()),
        }
        self.tell(|status| status.partner(partner));
        let ahead = 2 * usize::from(self.definition.batchsz) + 1;
        let claimed = self.gateway.target.feed(&key, &outlets.outlets, ahead).await;
        settings.health.target(claimed.as_ref().map(|_| ()).map_err(|error| error.text.clone()));
        let mut feed = match claimed {
            Ok(Claimed::Ours(feed)) => feed,
            Ok(Claimed::Held(by)) => {
                return Input::Refused(StatusCode::CHANNEL_UNAVAILABLE, format!("the lease is held by {by}"));
            }
            Err(error) => return Input::Refused(StatusCode::QM_UNAVAILABLE, error.text),
        };
        let record = feed.record().cloned();
        self.tell(|status| status.recorded(record.as_ref()));
        let doubted = match feed.in_doubt().await {
            Ok(doubted) => doubted,
            Err(error) => return Input::Refused(StatusCode::QM_UNAVAILABLE, error.text),
        };
        self.feed = Some(feed);
        self.doubted = doubted.into_iter().map(|taken| self.keep(taken)).collect();
        let in_doubt = self.doubted.clone();
        Input::Claimed { record, in_doubt, careful: 0 }
    }

    fn keep(&mut self, taken: Taken) -> Token {
        let token = Token(taken.ticket.0);
        self.taken.insert(token, taken);
        token
    }

    /// The machine wants a message: the next that is here, if one is.
    fn want(&mut self) {
        self.wants = true;
        if let Some(token) = self.again.pop_front() {
            return self.offer(token);
        }
        match self.feed.as_mut().map(Feed::ready) {
            Some(Ok(Some(taken))) => {
                let token = self.keep(taken);
                self.offer(token);
            }
            Some(Ok(None)) | None => self.handle(Input::Empty),
            Some(Err(error)) => self.handle(Input::RolledBack(StatusCode::BATCH_FAILURE, error.text)),
        }
    }

    /// The partner refused a batch. Where that was one message, it is that message that it does not take.
    fn refused(&mut self, code: StatusCode, tokens: Vec<Token>) {
        let why = format!("the partner refused the batch with status {code}");
        self.report_refused(&why, tokens.len());
        if let [token] = tokens[..] {
            self.bury(token, target::Refusal::UNEXPECTED, &why);
        }
        for token in tokens.into_iter().rev() {
            self.again.push_front(token);
        }
    }

    /// Carries a step out and tells the machine what became of it.
    async fn commit(&mut self, step: Step) {
        let Some(feed) = self.feed.as_mut() else {
            return self.handle(Input::RolledBack(StatusCode::BATCH_FAILURE, "no feed".to_owned()));
        };
        let tickets = |tokens: &[Token]| tokens.iter().map(|token| Ticket(token.0)).collect::<Vec<_>>();
        let publish = step.retire.iter().filter_map(|token| self.instead.get(token)).flatten().cloned().collect();
        let order = target::Step {
            record: step.record.clone(),
            in_doubt: tickets(&step.in_doubt),
            retire: tickets(&step.retire),
            publish,
        };
        let outcome = feed.commit(order).await;
        self.mca.resume(self.gateway.clock.now());
        self.report_step(&outcome);
        let answer = match outcome {
            Outcome::Committed => {
                for token in &step.retire {
                    self.taken.remove(token);
                    self.instead.remove(token);
                }
                Input::Committed
            }
            Outcome::RolledBack(error) | Outcome::Refused(error) => {
                Input::RolledBack(StatusCode::BATCH_FAILURE, error.text)
            }
            Outcome::InDoubt(error) => {
                self.unknown = true;
                Input::InDoubt(error.text)
            }
        };
        self.handle(answer);
    }
}

/// The next message where one is wanted; for ever nothing where not, and where there is no feed.
async fn next<F: Feed>(feed: Option<&mut F>, wants: bool) -> Result<Taken, target::TargetError> {
    match feed {
        Some(feed) if wants => feed.next().await,
        _ => std::future::pending().await,
    }
}
