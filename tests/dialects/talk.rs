//! One sending machine against one receiver of the simulated queue manager: a broker's queue and record in memory, a
//! connection in memory, a clock that does not wait. Every decision is held against what the queue manager really has.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqferry::channel::definition::ChannelType;
use mqferry::channel::sender::{Input, Outgoing, Output, Resolution, SenderMca, Step, StopMode, Token, resolved};
use mqferry::channel::{Definition, Dialect, Identity, SendRecord, Stopped};
use mqferry::partner::receiver::{LocalQueues, Receiver, Receiving};
use mqferry::partner::transmission::{Draft, KEPT, rewrite};
use mqferry::partner::{PartnerError, generator, judge};
use mqferry::wire::name::Name;
use mqferry::wire::{Deframer, Luwid, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep_until};

const CHANNEL: &str = "GW.TO.QM1";
const QUEUE: &str = "TARGET";
/// Two full batches of three, and one message; then two more, on a connection of their own.
const FIRST: u64 = 7;
const THEN: u64 = 2;
/// More than one run needs, with each batch asked about anew.
const CONNECTIONS: u32 = 60;
/// So long the channel stays when all is sent: time for heartbeats.
const REST: Duration = Duration::from_secs(25);

/// What is run.
pub(crate) struct Talk {
    pub(crate) receiving: Receiving,
    pub(crate) dialect: Dialect,
    /// Bytes of data of the messages, in turn.
    pub(crate) sizes: &'static [usize],
}

/// What came of it, if every message is there once and in order.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// What the operator was told, each time he had to decide.
    pub(crate) doubts: Vec<String>,
    /// Batches of which the partner's answer decided.
    pub(crate) settled: u32,
}

/// The broker: its queue, and the record with the messages that it names.
struct World<'t> {
    talk: &'t Talk,
    /// The queue manager's folder.
    folder: &'t Path,
    queue: Vec<u64>,
    record: Option<SendRecord>,
    in_doubt: Vec<u64>,
    connections: u32,
    /// Decisions that were wrong.
    wrong: Vec<String>,
    held: Held,
}

impl Talk {
    /// Two connections' worth of messages to a queue manager in this folder.
    ///
    /// # Errors
    /// What is not as it must be.
    pub(crate) async fn run(&self, folder: &Path) -> Result<Held, String> {
        let mut world = World {
            talk: self,
            folder,
            queue: Vec::new(),
            record: None,
            in_doubt: Vec::new(),
            connections: 0,
            wrong: Vec::new(),
            held: Held::default(),
        };
        let mut receiver = world.receiver(self.receiving.clone())?;
        for (first, last) in [(1, FIRST), (FIRST + 1, FIRST + THEN)] {
            world.queue.extend(first..=last);
            world.empty(&mut receiver).await?;
        }
        let queues = world.queues();
        let difference = judge::compare(queues.bodies(QUEUE), 1, FIRST + THEN);
        if difference != judge::Difference::default() || queues.dead_letters().count() > 0 || !world.wrong.is_empty() {
            return Err(format!("{difference:?}; {:?}; {:?}", world.wrong, world.held.doubts));
        }
        Ok(world.held)
    }

    fn definition(&self) -> Definition {
        let maxmsgl = self.receiving.maxmsgl;
        let of = Definition::of(CHANNEL, ChannelType::Sdr);
        Definition { batchsz: 3, hbint: 10, maxmsgl, dialect: self.dialect.clone(), ..of }
    }
}

impl World<'_> {
    fn receiver(&self, receiving: Receiving) -> Result<Receiver, String> {
        let folder = self.folder.to_owned();
        Receiver::open(Receiving { folder, fsync: false, ..receiving }).map_err(|error| error.to_string())
    }

    fn queues(&self) -> LocalQueues {
        LocalQueues::read(self.folder).expect("a journal")
    }

    /// The last batch that the queue manager has; below FAP 4 it does not know whose.
    fn last_luwid(queues: &LocalQueues) -> Luwid {
        queues.channels().map(|(_, remembered)| remembered.luwid).next().unwrap_or(Luwid::ZERO)
    }

    /// Connections until the queue is empty and nothing is in doubt; an operator decides what does not decide itself.
    async fn empty(&mut self, receiver: &mut Receiver) -> Result<(), String> {
        let mut undecided = 0;
        loop {
            let before = self.record.clone();
            let (stopped, partner) = self.connection(receiver).await;
            if matches!(partner, Err(PartnerError::Died(_))) {
                *receiver = self.receiver(Receiving { die_at: None, ..self.talk.receiving.clone() })?;
            }
            let doubt = self.record.as_ref().and_then(|record| record.in_doubt);
            if self.queue.is_empty() && doubt.is_none() {
                return Ok(());
            }
            self.connections += 1;
            if self.connections > CONNECTIONS {
                return Err(format!("it never ends: {}; {partner:?}; {:?}", stopped.why, self.record));
            }
            undecided = if doubt.is_some() && self.record == before { undecided + 1 } else { 0 };
            if undecided == 3 {
                if !stopped.why.contains("in doubt") {
                    return Err(format!("in doubt, and it says {}", stopped.why));
                }
                self.held.doubts.push(stopped.why);
                self.operator();
                undecided = 0;
            }
        }
    }

    /// An administrator who has looked at the partner.
    fn operator(&mut self) {
        let Some(doubt) = self.record.as_ref().and_then(|record| record.in_doubt) else { return };
        let committed = Self::last_luwid(&self.queues()) == doubt.luwid;
        let how = if committed { Resolution::Commit } else { Resolution::Backout };
        self.record = self.record.as_ref().and_then(|record| resolved(record, how));
        let in_doubt = std::mem::take(&mut self.in_doubt);
        if committed {
            self.queue.retain(|message| !in_doubt.contains(message));
        }
    }

    /// One connection, to its end.
    async fn connection(&mut self, receiver: &Receiver) -> (Stopped, Result<(), PartnerError>) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let partner = tokio::spawn({
            let receiver = receiver.clone();
            async move { receiver.take(theirs).await }
        });
        let doubtful = &self.in_doubt;
        let untaken = self.queue.iter().filter(|message| !doubtful.contains(message)).copied().collect();
        // Each connection has LUWIDs of its own.
        let since = Duration::from_secs(1_700_000_000 + u64::from(self.connections));
        let identity = Identity { qmgr_name: "GW".to_owned(), qmgr_id: "GW_2026".to_owned() };
        let began = Instant::now();
        let mca = SenderMca::calling(identity, self.talk.definition(), since, Duration::ZERO);
        let queues = self.queues();
        let line = Line { world: self, mca, stream: ours, untaken, queues, began, wanted: false };
        let stopped = line.run().await;
        (stopped, partner.await.expect("no panic"))
    }
}

/// A connection.
struct Line<'w, 't> {
    world: &'w mut World<'t>,
    mca: SenderMca,
    stream: DuplexStream,
    untaken: VecDeque<u64>,
    queues: LocalQueues,
    began: Instant,
    /// A want stands, and was told that nothing is here.
    wanted: bool,
}

impl Line<'_, '_> {
    async fn run(mut self) -> Stopped {
        let (mut deframer, mut buffer) = (Deframer::new(1 << 20), BytesMut::new());
        let (mut rests_until, mut told) = (None, false);
        loop {
            while let Some(output) = self.mca.poll() {
                if let Some(stopped) = self.carry_out(output).await {
                    return stopped;
                }
            }
            if self.world.queue.is_empty() {
                rests_until.get_or_insert_with(|| Instant::now() + REST);
            }
            if rests_until.is_some_and(|until| Instant::now() >= until) && !told {
                told = true;
                self.handle(Input::Stop(StopMode::Quiesce, StatusCode::USER_CLOSED));
                continue;
            }
            let timeout = self.mca.next_timeout().map(|after| self.began + after);
            let next = timeout.into_iter().chain(rests_until.filter(|_| !told)).min();
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut buffer) => match read {
                    Ok(0) | Err(_) => self.handle(Input::PeerClosed("closed".to_owned())),
                    Ok(_) => loop {
                        match deframer.next(&mut buffer) {
                            Ok(Some(segment)) => self.handle(Input::Segment(segment)),
                            Ok(None) => break,
                            Err(malformed) => {
                                self.handle(Input::Malformed(malformed));
                                break;
                            }
                        }
                    },
                },
                () = sleep_until(next) => self.handle(Input::Tick),
            }
        }
    }

    fn handle(&mut self, input: Input) {
        self.mca.handle(self.began.elapsed(), input);
    }

    async fn carry_out(&mut self, output: Output) -> Option<Stopped> {
        match output {
            Output::Send(segment) => {
                if let Err(error) = self.stream.write_all(&segment.encode()).await {
                    self.handle(Input::Unreachable(error.to_string()));
                }
            }
            Output::Claim { .. } => {
                let in_doubt = self.world.in_doubt.iter().map(|&message| Token(message)).collect();
                let record = self.world.record.clone();
                self.handle(Input::Claimed { record, in_doubt, careful: 0 });
            }
            Output::Want => {
                self.wanted = true;
                self.offer();
            }
            Output::Commit(step) => self.commit(&step),
            Output::Resolved(it) => {
                self.world.held.settled += 1;
                self.queues.refresh().expect("a journal");
                let has = World::last_luwid(&self.queues) == it.luwid;
                if (it.how == Resolution::Commit) != has {
                    self.world.wrong.push(format!("{it:?}, and the partner has it: {has}"));
                }
                if it.how == Resolution::Backout {
                    self.give_back(&self.world.in_doubt.clone());
                }
            }
            Output::BatchRefused { tokens, .. } => {
                self.give_back(&tokens.iter().map(|token| token.0).collect::<Vec<_>>());
            }
            Output::Stopped(stopped) => return Some(stopped),
            Output::Running(_) => {}
            other => panic!("{other:?}"),
        }
        None
    }

    fn give_back(&mut self, messages: &[u64]) {
        messages.iter().rev().for_each(|&message| self.untaken.push_front(message));
        if self.wanted {
            self.offer();
        }
    }

    /// Answers a want.
    fn offer(&mut self) {
        match self.untaken.pop_front() {
            Some(message) => {
                self.wanted = false;
                let parts = vec![self.message(message)];
                self.handle(Input::Message(Outgoing { token: Token(message), parts, persistent: true }));
            }
            None => self.handle(Input::Empty),
        }
    }

    fn message(&self, number: u64) -> Bytes {
        let sizes = self.world.talk.sizes;
        let size = sizes[usize::try_from(number).unwrap() % sizes.len()];
        let draft = Draft {
            remote_queue: Name::new(QUEUE).unwrap(),
            remote_qmgr: Name::new("QM1").unwrap(),
            msg_id: generator::msg_id(number),
            format: Name::fitted("MQSTR"),
            encoding: 273,
            ccsid: 819,
            persistent: true,
            put_at: std::time::UNIX_EPOCH,
            data: generator::body(number, size).into_bytes(),
        };
        let mut message = draft.message();
        let (order, alphabet, _) = self.mca.writing();
        rewrite(&mut message, KEPT, (order, alphabet));
        message.into()
    }

    fn commit(&mut self, step: &Step) {
        let world = &mut *self.world;
        self.queues.refresh().expect("a journal");
        for token in &step.retire {
            if self.queues.at(QUEUE).all(|message| message.number_in_body() != Some(token.0)) {
                world.wrong.push(format!("{} is retired, and the partner does not have it", token.0));
            }
            let at = world.queue.iter().position(|&message| message == token.0);
            world.queue.remove(at.expect("retired once"));
        }
        world.in_doubt = step.in_doubt.iter().map(|token| token.0).collect();
        assert_eq!(step.record.in_doubt.map_or(0, |doubt| doubt.messages), step.in_doubt.len());
        world.record = Some(step.record.clone());
        self.handle(Input::Committed);
    }
}
