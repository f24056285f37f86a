//! The commit whose answer never comes, hit exactly: a relay waits for it to pass. And what the once-only promise leans
//! on: a message of a transaction that is refused unasked makes the broker refuse the commit.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqferry::mapping::Destination;
use mqferry::target::openwire::codec::{
    Command, ConnectionId, ConnectionInfo, Content, Frame, Frames, Message, ProducerInfo, SessionInfo, TransactionInfo,
    TransactionType, Version, WireFormatInfo,
};
use mqferry::target::{Answers, Claim, Outcome, Unit};

use super::real_target::{OpenWire, Protocol as _, ours};
use super::support::broker::Broker;
use super::support::relay::{Gate, Relay};
use super::target_contract::{key, luwid, publication, queue, record};

/// What happens when a commit comes by, once armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The broker gets it, and nothing the broker says arrives any more.
    OfTheAnswer,
    /// The broker never gets it, nor anything after it.
    OfTheQuestion,
}

struct AtCommit {
    armed: Arc<AtomicBool>,
    loss: Loss,
}

impl Gate for AtCommit {
    fn length(&self, begun: &[u8]) -> Option<usize> {
        begun.first_chunk().map(|size| 4 + u32::from_be_bytes(*size) as usize)
    }

    fn stop(&mut self, _connection: usize, from_client: bool, frame: &[u8]) -> Option<usize> {
        // TransactionInfo is type 7; its last byte 2 is a commit (wire reference, openwire).
        let commit = from_client && frame.get(4) == Some(&7) && frame.last() == Some(&2);
        let hit = commit && self.armed.load(Ordering::SeqCst);
        hit.then_some(if self.loss == Loss::OfTheAnswer { frame.len() } else { 0 })
    }
}

async fn lose(broker: &mut Broker, loss: Loss) {
    let clause = format!("LOST.{loss:?}").to_uppercase();
    let relay = Relay::start((Ipv4Addr::LOCALHOST, broker.port("openwire")).into()).await;
    let armed = Arc::new(AtomicBool::new(false));
    relay.set_gate(AtCommit { armed: armed.clone(), loss });
    let through = OpenWire::target(&format!("tcp://{}", relay.address), None);
    let mut claim = ours(&through, &clause).await;
    let unit = claim.begin(luwid(1)).await.unwrap();
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));

    let mut unit = claim.begin(luwid(2)).await.unwrap();
    assert_eq!(unit.answers(Answers::AtCommit), Answers::AtCommit);
    unit.stage(0, publication(&queue(&clause), 2)).await.unwrap();
    assert_eq!(unit.settle().await.unwrap(), []);
    armed.store(true, Ordering::SeqCst);
    let commit = unit.commit(record(luwid(2), 2..3));
    let outcome = tokio::time::timeout(Duration::from_secs(30), commit).await.expect("the wait is bounded");
    assert!(matches!(&outcome, Outcome::InDoubt(error) if error.retry), "{loss:?}: {outcome:?}");
    assert!(claim.begin(luwid(3)).await.is_err(), "nothing is tried on that connection again");
    drop(claim);
    // The broker must see the end of the connection that the relay holds.
    drop(relay);

    // The record decides, and the old connection, cut, holds the lease no longer.
    let direct = OpenWire::target(&broker.openwire_url(), None);
    let claim = ours(&direct, &clause).await;
    let (wanted, there) = match loss {
        Loss::OfTheAnswer => (record(luwid(2), 2..3), 1),
        Loss::OfTheQuestion => (record(luwid(1), 1..2), 0),
    };
    assert_eq!(claim.record(), Some(&wanted), "{loss:?}: {:?}", key(&clause));
    assert_eq!(broker.depth(&format!("CONTRACT.{clause}")), there, "{loss:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_in_doubt_and_the_record_decides() {
    let mut broker = Broker::start();
    lose(&mut broker, Loss::OfTheAnswer).await;
    lose(&mut broker, Loss::OfTheQuestion).await;
}

/// A client that does exactly what it is told.
struct Bare {
    stream: TcpStream,
    buffer: BytesMut,
    frames: Frames,
    last: i32,
    id: ConnectionId,
}

impl Bare {
    fn connect(broker: &Broker, login: (&str, &str)) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", broker.port("openwire"))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let id = ConnectionId::new(format!("ID:bare-{}", std::process::id()));
        let mut bare = Self { stream, buffer: BytesMut::new(), frames: Frames::new(1 << 24), last: 0, id };
        bare.write(Frame::new(0, WireFormatInfo::ours(Version::NEWEST, 0, i64::MAX, "localhost")));
        let mut info = ConnectionInfo::new(bare.id.clone());
        (info.user_name, info.password) = (Some(login.0.to_owned()), Some(login.1.to_owned()));
        info.client_id = Some("bare".to_owned());
        bare.ask(info).unwrap();
        bare
    }

    fn write(&mut self, frame: Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(Version::NEWEST, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn tell(&mut self, command: impl Into<Command>) {
        self.last += 1;
        self.write(Frame::new(self.last, command));
    }

    /// The answer; an exception's text is an error.
    fn ask(&mut self, command: impl Into<Command>) -> Result<(), String> {
        self.last += 1;
        self.write(Frame::asking(self.last, command));
        loop {
            let command = self.read();
            if command.answers() == Some(self.last) {
                return match command {
                    Command::ExceptionResponse(it) => Err(it.throwable().to_string()),
                    _ => Ok(()),
                };
            }
        }
    }

    fn read(&mut self) -> Command {
        let mut bytes = [0; 4096];
        loop {
            if let Some(frame) = self.frames.next(&mut self.buffer).unwrap() {
                return frame.decode(Version::NEWEST).unwrap().command;
            }
            let count = self.stream.read(&mut bytes).unwrap();
            assert!(count > 0, "the broker closed the connection");
            self.buffer.extend_from_slice(&bytes[..count]);
        }
    }

    /// Begins, does `unasked`, and tries to commit with one good message.
    fn commit_with(&mut self, number: i64, unasked: impl FnOnce(&mut Self, &Message)) -> Result<(), String> {
        let transaction = self.id.transaction(number);
        let step = |bare: &Self, step| TransactionInfo {
            connection_id: Some(bare.id.clone()),
            transaction_id: Some(bare.id.transaction(number)),
            step,
        };
        self.ask(step(self, TransactionType::Begin)).unwrap();
        let producer = self.id.session(1).producer(1);
        let mut message = Message::with_content(&Content::Bytes(Bytes::from_static(b"x"))).unwrap();
        message.producer_id = Some(producer.clone());
        message.message_id = Some(producer.message(2 * number));
        message.transaction_id = Some(transaction);
        message.destination = Some(Destination::Queue("CONTRACT.UNASKED".into()));
        message.persistent = true;
        self.ask(message.clone()).unwrap();
        message.message_id = Some(producer.message(2 * number + 1));
        unasked(self, &message);
        self.ask(step(self, TransactionType::CommitOnePhase))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_refused_unasked_makes_the_broker_refuse_the_commit() {
    let mut broker = Broker::builder()
        .user("app", "secret", "apps")
        .grant("queue://CONTRACT.>", "apps", "apps", "apps")
        .grant("queue://FORBIDDEN", "nobody", "nobody", "apps")
        .grant("topic://ActiveMQ.Advisory.>", "apps", "apps", "apps")
        .start();
    let mut bare = Bare::connect(&broker, ("app", "secret"));
    let session = bare.id.session(1);
    let producer = session.producer(1);
    bare.ask(SessionInfo { session_id: session }).unwrap();
    bare.ask(ProducerInfo::new(producer)).unwrap();

    bare.commit_with(1, |bare, message| bare.tell(message.clone())).expect("nothing failed");
    let refused = bare.commit_with(2, |bare, message| {
        let mut message = message.clone();
        message.destination = Some(Destination::Queue("FORBIDDEN".into()));
        bare.tell(message);
    });
    assert!(refused.is_err(), "a refused message");
    assert_eq!(broker.depth("CONTRACT.UNASKED"), 2, "those of the first transaction, and nothing of the second");
}

/// There a message might be lost in silence, so each one's answer is waited for; and what it refuses is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_forgives_what_was_not_asked_is_found_out() {
    let mut broker = Broker::builder().forgives_what_was_not_asked().start();
    let target = OpenWire::target(&broker.openwire_url(), None);
    for batch in 1..3u32 {
        let mut claim = ours(&target, "FORGIVES").await;
        let mut unit = claim.begin(luwid(batch)).await.unwrap();
        assert_eq!(unit.answers(Answers::AtCommit), Answers::Each);
        unit.stage(0, publication(&"temp-queue://ID:nobody-1-2-3:4:5".parse().unwrap(), 1)).await.unwrap();
        unit.stage(1, publication(&queue("FORGIVES"), 2)).await.unwrap();
        let refusals = unit.settle().await.unwrap();
        assert_eq!(refusals.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0], "{refusals:?}");
        assert!(matches!(unit.commit(record(luwid(batch), 1..3)).await, Outcome::Committed));
        claim.release().await;
    }
    assert_eq!(broker.depth("CONTRACT.FORGIVES"), 2);
}
