//! A sending channel: queues of the target empty into a queue manager, once and in order, whoever dies on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mqferry::admin::Operation;
use mqferry::channel::sender::{Resolution, StopMode};
use mqferry::mapping::{Body, Destination, Publication, Value};
use mqferry::partner::receiver::{Habits, Lie, LocalQueues, Receiver, Receiving};
use mqferry::partner::{Death, PartnerError, Step, generator, judge};
use mqferry::target::memory::CommitFault;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::stage::{Setup, Stage, until};

const CHANNEL: &str = "GW.TO.QM1";
const QUEUE: &str = "MQ.QM1.ORDERS";

/// A gateway with one sending channel, and the queue manager that it leads to.
struct Way {
    stage: Stage,
    folder: TempDir,
    listener: Arc<TcpListener>,
}

/// One life of the queue manager.
struct Life(JoinHandle<Result<(), PartnerError>>);

impl Way {
    async fn with(more: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = format!(
            "[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"SDR\"\nconname = [\"127.0.0.1({port})\"]\nrqmname = \"QM1\"\n\
             xmitq = [\"queue://MQ.QM1.>\"]\nbatchsz = 5\nshorttmr = 0\nshortrty = 999999999\n{more}\n"
        );
        let stage = Stage::with(Setup { text, ..Setup::default() }).await;
        Self { stage, folder: TempDir::new().unwrap(), listener: Arc::new(listener) }
    }

    fn put(&self, first: u64, last: u64) {
        (first..=last).for_each(|number| self.stage.memory.put(publication(QUEUE, number)));
    }

    fn live(&self, die_at: Option<Death>) -> Life {
        self.live_with(die_at, Habits::default())
    }

    fn live_with(&self, die_at: Option<Death>, habits: Habits) -> Life {
        let wait = Duration::from_secs(30);
        let options = Receiving {
            fsync: false,
            answer_timeout: wait,
            die_at,
            habits,
            ..Receiving::new("QM1", self.folder.path())
        };
        let receiver = Receiver::open(options).unwrap();
        let listener = Arc::clone(&self.listener);
        Life(tokio::spawn(async move { receiver.serve(&listener).await }))
    }

    fn queues(&self) -> LocalQueues {
        LocalQueues::read(self.folder.path()).unwrap()
    }

    /// Waits until so many are there and the target knows it; each is there once, in order.
    async fn arrived(&self, last: u64) {
        let queue = Destination::Queue(QUEUE.to_owned());
        until("the queue is empty", || self.stage.memory.at(&queue).is_empty()).await;
        judge::assert_once(self.queues().bodies("ORDERS"), 1, last);
        let key = self.stage.key(CHANNEL, "QM1");
        let record = self.stage.memory.record(&key).unwrap().sending.unwrap().record;
        assert_eq!((record.sequence, record.in_doubt), (i32::try_from(last).unwrap(), None));
    }

    async fn end(self, life: Life) {
        life.0.abort();
        let _ = life.0.await;
        self.stage.end().await;
    }
}

fn publication(queue: &str, number: u64) -> Publication {
    Publication {
        destination: Destination::Queue(queue.to_owned()),
        persistent: true,
        priority: 4,
        expires_at_ms: None,
        message_id: Some(format!("ID:app-1-{number}:1:1:1")),
        correlation_id: None,
        reply_to: None,
        message_type: None,
        group_id: None,
        group_sequence: None,
        user_id: None,
        timestamp_ms: Some(1_795_443_300_000),
        properties: [].into(),
        body: Body::Text(generator::body(number, 200)),
    }
}

#[tokio::test]
async fn a_queue_empties_into_the_queue_manager() {
    let way = Way::with("").await;
    way.put(1, 23);
    let life = way.live(None);
    way.arrived(23).await;
    // What comes while it runs goes, too.
    way.put(24, 30);
    way.arrived(30).await;
    way.stage.until("the board shows it", || way.stage.board.status(CHANNEL).unwrap().lstseqno == 30).await;
    let status = way.stage.board.status(CHANNEL).unwrap();
    assert_eq!((status.state.word(), status.rqmname.as_str(), status.msgs), ("RUNNING", "QM1", 30));
    assert!(!status.indoubt);
    way.end(life).await;
}

/// As its operator's stop does.
#[tokio::test]
async fn a_queue_manager_that_ends_the_channel_is_called_again() {
    let way = Way::with("").await;
    way.put(1, 18);
    let life = way.live_with(None, Habits { close_after: Some(1), ..Habits::default() });
    way.arrived(18).await;
    assert!(way.stage.board.connections(CHANNEL) >= 3, "each connection had one batch");
    way.end(life).await;
}

#[tokio::test]
async fn the_queue_manager_may_die_at_any_step() {
    for step in [
        Step::AfterInitialData,
        Step::MessageBegun,
        Step::MessageTaken,
        Step::ConfirmRequestRead,
        Step::MidCommit,
        Step::CommittedNotConfirmed,
        Step::ConfirmHalfSent,
        Step::ConfirmSent,
    ] {
        let way = Way::with("").await;
        way.put(1, 17);
        let after = if step == Step::AfterInitialData { 0 } else { 1 };
        let life = way.live(Some(Death { step, after, abort: false }));
        let died = tokio::time::timeout(Duration::from_secs(60), life.0).await.expect("it dies").unwrap();
        assert!(matches!(died, Err(PartnerError::Died(at)) if at == step), "{step:?}: {died:?}");
        let life = way.live(None);
        way.arrived(17).await;
        way.end(life).await;
    }
}

#[tokio::test]
async fn the_target_may_lose_any_commit() {
    for fault in [CommitFault::RolledBack, CommitFault::InDoubtNothingKept, CommitFault::InDoubtAllKept] {
        for before in 0..4 {
            let way = Way::with("").await;
            way.put(1, 17);
            let life = way.live(None);
            // The first commits of a channel that has begun: in doubt, retired and in doubt, and so on.
            let commits = way.stage.memory.commits();
            way.stage.until("it has begun", || way.stage.memory.commits() >= commits + before).await;
            way.stage.memory.fail_commit(fault);
            way.arrived(17).await;
            way.end(life).await;
        }
    }
}

#[tokio::test]
async fn what_mq_cannot_hold_goes_to_the_dead_letter_queue_and_its_neighbours_go_on() {
    let way = Way::with("").await;
    let long = format!("MQ.QM1.{}", "X".repeat(49));
    way.put(1, 3);
    way.stage.memory.put(publication(&long, 99));
    way.put(4, 6);
    let life = way.live(None);
    way.arrived(6).await;
    way.stage.until("it is buried", || !way.stage.dead().is_empty()).await;
    let dead = way.stage.dead();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, Body::Text(generator::body(99, 200)));
    let property = |name: &str| dead[0].properties.get(name).cloned();
    assert_eq!(property("MQFERRY_From"), Some(Value::String(format!("queue://{long}"))));
    assert_eq!(property("MQFERRY_Reason"), Some(Value::Int(2152)));
    way.end(life).await;
}

/// Messages that MQ cannot hold, and one that nobody can read, each between two that go: none stops the channel.
#[tokio::test]
async fn no_message_stops_the_channel() {
    let way = Way::with("").await;
    let good = |number| way.put(number, number);
    let wrong = |number| publication(QUEUE, number);
    good(1);
    good(2);
    // What is over by now is thrown away, as the broker would.
    way.stage.memory.put(Publication { expires_at_ms: Some(1_795_443_300_000 - 50_000_000_000), ..wrong(91) });
    good(3);
    way.stage.memory.put(publication("MQ.QM1.has a space", 92));
    way.stage.memory.put(publication("MQ.QM1.", 93));
    good(4);
    way.stage.memory.put_unreadable(wrong(94), "byte 7 is no type, for the test");
    good(5);
    let life = way.live(None);
    way.arrived(5).await;
    way.stage.until("they are buried", || way.stage.dead().len() == 3).await;
    let dead = way.stage.dead();
    assert_eq!(super::stage::numbers(&dead), [92, 93, 94]);
    let said = |place: usize, name: &str| dead[place].properties.get(name).cloned();
    assert_eq!(said(2, "MQFERRY_Reason"), Some(Value::Int(271)));
    assert_eq!(said(2, "MQFERRY_From"), Some(Value::String(format!("queue://{QUEUE}"))));
    way.stage.log.says_once(&["WARN", CHANNEL, QUEUE, "MQFERRY.DLQ", "byte 7 is no type"]);
    way.end(life).await;
}

/// Objects, nothing at all, empty texts and names that no element of XML can have go like any other.
#[tokio::test]
async fn every_kind_of_body_goes() {
    let way = Way::with("").await;
    let object = Bytes::from_static(b"\xAC\xED\0\x05t\0\x02hi");
    let null = [("MQFERRY_NullText".into(), Value::Boolean(true))];
    for (number, body) in (1..).zip([
        Body::Object(object.clone()),
        Body::Empty,
        Body::Text(String::new()),
        Body::Bytes(Bytes::new()),
        Body::Map(Vec::new()),
        Body::Stream(Vec::new()),
    ]) {
        let odd = [("a b<&>".into(), Value::String("\u{1}x".into()))];
        let properties = if number == 3 { null.clone().into() } else { odd.into() };
        way.stage.memory.put(Publication { body, properties, ..publication(QUEUE, number) });
    }
    let life = way.live(None);
    let queue = Destination::Queue(QUEUE.to_owned());
    until("the queue is empty", || way.stage.memory.at(&queue).is_empty()).await;
    let bodies: Vec<Vec<u8>> = way.queues().bodies("ORDERS").map(|body| body.to_vec()).collect();
    assert_eq!(bodies.len(), 6);
    assert!(bodies[0].ends_with(&object));
    assert!(way.stage.dead().is_empty(), "{:?}", way.stage.dead());
    way.end(life).await;
}

/// Whoever answers there instead of a queue manager: the channel says what it saw, and tries again until one does.
#[tokio::test]
async fn what_is_no_queue_manager_costs_nothing() {
    let way = Way::with("").await;
    way.put(1, 7);
    let answers: [&[u8]; 4] =
        [b"", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", &[0; 64], b"TSH \0\0\0\x1C\x01"];
    for answer in answers {
        let (mut stream, _) = way.listener.accept().await.unwrap();
        let mut some = [0; 28];
        stream.read_exact(&mut some).await.unwrap();
        assert_eq!(&some[..3], b"TSH");
        stream.write_all(answer).await.unwrap();
    }
    let life = way.live(None);
    way.arrived(7).await;
    assert!(way.stage.dead().is_empty());
    let ended = way.stage.log.lines(&["WARN", CHANNEL, "ended"]);
    assert!(!ended.is_empty() && ended.len() <= answers.len(), "{}", way.stage.log.text());
    way.end(life).await;
}

/// The queue manager has died with a batch in doubt; gives how many messages it has.
async fn in_doubt(way: &Way) -> u64 {
    let life = way.live(Some(Death { step: Step::CommittedNotConfirmed, after: 1, abort: false }));
    let died = tokio::time::timeout(Duration::from_secs(60), life.0).await.expect("it dies").unwrap();
    assert!(matches!(died, Err(PartnerError::Died(_))), "{died:?}");
    let shown = || way.stage.board.status(CHANNEL).unwrap();
    way.stage.until("the end is shown", || !way.stage.board.connected(CHANNEL)).await;
    let status = shown();
    assert!(status.indoubt, "{status:?}");
    assert!(!status.curluwid.is_zero() && status.curluwid != status.lstluwid && status.curmsgs > 0, "{status:?}");
    assert_eq!(u32::try_from(status.curseqno - status.lstseqno), Ok(status.curmsgs));
    way.queues().bodies("ORDERS").count() as u64
}

#[tokio::test]
async fn an_operator_resolves_and_resets_a_channel_whose_partner_cannot_be_reached() {
    let way = Way::with("").await;
    way.put(1, 17);
    let has = in_doubt(&way).await;
    let board = way.stage.board.clone();
    let reset = |seqnum, really| {
        let board = board.clone();
        async move { board.request(CHANNEL, Operation::Reset { seqnum, really }).await }
    };
    let refused = reset(100, true).await.unwrap_err();
    assert!(refused.contains("in doubt") && refused.contains("resolve it first"), "{refused}");
    let done = board.request(CHANNEL, Operation::Resolve(Resolution::Commit)).await.unwrap();
    assert!(done.changed && done.text.contains("counts as sent"), "{done:?}");
    assert!(!board.status(CHANNEL).unwrap().indoubt);
    let again = board.request(CHANNEL, Operation::Resolve(Resolution::Backout)).await.unwrap_err();
    assert!(again.contains("is not in doubt"), "{again}");
    let shown = reset(100, false).await.unwrap();
    assert!(!shown.changed && shown.text.contains(&format!("100 instead of {}", has + 1)), "{shown:?}");
    let key = way.stage.key(CHANNEL, "QM1");
    let record = || way.stage.memory.record(&key).unwrap().sending.unwrap().record;
    assert_eq!((record().sequence, record().tell_reset), (i32::try_from(has).unwrap(), false));
    assert!(reset(100, true).await.unwrap().changed);
    assert_eq!((record().sequence, record().tell_reset), (99, true));
    for wrong in [0, -1, 1_000_000_000] {
        assert!(reset(wrong, true).await.unwrap_err().contains("no sequence number"));
    }
    let life = way.live(None);
    let queue = Destination::Queue(QUEUE.to_owned());
    until("the queue is empty", || way.stage.memory.at(&queue).is_empty()).await;
    judge::assert_once(way.queues().bodies("ORDERS"), 1, 17);
    assert_eq!(record().sequence, 99 + i32::try_from(17 - has).unwrap());
    let busy = reset(5, true).await.unwrap_err();
    assert!(busy.contains("is in use") && busy.contains("channel stop"), "{busy}");
    way.end(life).await;
}

#[tokio::test]
async fn nothing_is_decided_while_messages_in_doubt_are_missing() {
    let way = Way::with("").await;
    way.put(1, 17);
    let has = in_doubt(&way).await;
    let last = Body::Text(generator::body(has, 200));
    let queue = Destination::Queue(QUEUE.to_owned());
    way.stage.memory.remove(&queue, |publication| publication.body == last).expect("it is still there");
    let left = way.stage.memory.at(&queue).len();
    let life = way.live(None);
    let said = || way.stage.board.status(CHANNEL).unwrap().last_error.unwrap_or_default();
    way.stage.until("it says so", || said().contains("are still on their queues")).await;
    assert!(said().contains("commit takes those that are there off their queues"), "{}", said());
    let status = way.stage.board.status(CHANNEL).unwrap();
    assert!(status.indoubt, "{status:?}");
    assert_eq!(way.stage.memory.at(&queue).len(), left, "nothing was retired");
    assert_eq!(way.queues().bodies("ORDERS").count() as u64, has, "nothing was sent");
    // Between two calls the operator's word counts.
    way.stage.board.stop(CHANNEL).unwrap();
    let done = way.stage.board.request(CHANNEL, Operation::Resolve(Resolution::Commit)).await.unwrap();
    assert!(done.text.contains("all that were there"), "{done:?}");
    way.stage.board.start(CHANNEL).unwrap();
    way.arrived(17).await;
    way.end(life).await;
}

#[tokio::test]
async fn a_requester_calls_a_server() {
    let text =
        format!("[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"SVR\"\nxmitq = [\"queue://MQ.QM1.>\"]\nbatchsz = 5\n");
    let way = Way {
        stage: Stage::with(Setup { text, ..Setup::default() }).await,
        folder: TempDir::new().unwrap(),
        listener: Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap()),
    };
    way.put(1, 12);
    let wait = Duration::from_secs(30);
    let options = Receiving { fsync: false, answer_timeout: wait, ..Receiving::new("QM1", way.folder.path()) };
    let receiver = Receiver::open(options).unwrap();
    let address = way.stage.address().to_string();
    let life = Life(tokio::spawn(async move { receiver.request(CHANNEL, &address).await }));
    way.arrived(12).await;
    let status = way.stage.board.status(CHANNEL).unwrap();
    assert_eq!((status.state.word(), status.rqmname.as_str()), ("RUNNING", "QM1"));
    way.end(life).await;
}

/// A quiesce ends after a batch, its confirm in: nothing is in doubt, and what was confirmed is off the queue.
#[tokio::test]
async fn a_quiesced_sending_channel_ends_between_batches() {
    let way = Way::with("").await;
    way.put(1, 60);
    let life = way.live(None);
    let batches = || way.stage.board.status(CHANNEL).unwrap().batches;
    way.stage.until("it runs", || batches() >= 2).await;
    way.stage.board.stop_with(CHANNEL, StopMode::Quiesce).unwrap();
    way.stage.until("STOPPED", || way.stage.board.status(CHANNEL).unwrap().state.word() == "STOPPED").await;
    let status = way.stage.board.status(CHANNEL).unwrap();
    assert_eq!((status.indoubt, status.last_error), (false, None));
    let has = way.queues().bodies("ORDERS").count();
    let record = way.stage.memory.record(&way.stage.key(CHANNEL, "QM1")).unwrap().sending.unwrap().record;
    assert_eq!((usize::try_from(record.sequence), record.in_doubt), (Ok(has), None));
    assert_eq!(way.stage.memory.at(&Destination::Queue(QUEUE.to_owned())).len(), 60 - has);
    way.stage.board.start(CHANNEL).unwrap();
    way.arrived(60).await;
    way.end(life).await;
}

/// The queue manager has the batch, and never says so: a quiesce waits for that, the harder modes leave it in doubt.
#[tokio::test]
async fn a_sending_channel_that_is_stopped_by_force_or_at_once_leaves_its_batch_in_doubt_and_goes_on_from_there() {
    for mode in [StopMode::Force, StopMode::Terminate] {
        let way = Way::with("").await;
        way.put(1, 12);
        let habits = Habits { confirm_lie: Some(Lie::Silence), commits_when_lying: true, lies: 1, ..Habits::default() };
        let life = way.live_with(None, habits);
        way.stage.until("it has the batch", || way.queues().bodies("ORDERS").count() == 5).await;
        let shown = || way.stage.board.status(CHANNEL).unwrap();
        assert_eq!(way.stage.board.stop(CHANNEL).unwrap().state.word(), "STOPPING");
        assert_eq!(way.stage.board.stop_with(CHANNEL, mode).unwrap().state.word(), "STOPPING");
        way.stage.until("STOPPED", || shown().state.word() == "STOPPED").await;
        let status = shown();
        assert!(status.indoubt && status.curmsgs == 5 && status.curseqno == 5, "{mode:?}: {status:?}");
        assert!(!way.stage.board.connected(CHANNEL));
        assert_eq!(way.stage.memory.at(&Destination::Queue(QUEUE.to_owned())).len(), 12);
        assert!(way.stage.log.lines(&["is retrying"]).is_empty(), "{}", way.stage.log.text());
        way.stage.board.start(CHANNEL).unwrap();
        way.arrived(12).await;
        way.stage.until("it is settled", || !shown().indoubt).await;
        way.end(life).await;
    }
}

/// Who accepts the connection and says nothing is waited for, unless the operator ends the channel at once.
#[tokio::test]
async fn a_call_that_nobody_answers_is_ended_at_once() {
    for mode in [StopMode::Force, StopMode::Terminate] {
        let way = Way::with("").await;
        let (mut stream, _) = way.listener.accept().await.unwrap();
        way.stage.board.stop_with(CHANNEL, mode).unwrap();
        let mut said = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut said)).await;
        read.expect("it hangs up").unwrap();
        way.stage.until("STOPPED", || way.stage.board.status(CHANNEL).unwrap().state.word() == "STOPPED").await;
        way.stage.end().await;
    }
}
