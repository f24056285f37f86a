//! Each row of the table "what cannot be delivered", on a real broker: the whole road from the simulated queue manager
//! through the gateway, counted by JMS clients that are not ours.
#![allow(clippy::disallowed_methods, reason = "waits for real processes")]

#[path = "support/caller.rs"]
mod caller;
#[path = "support/process.rs"]
mod process;
#[path = "support/stage.rs"]
mod stage;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use caller::{CONFIRM, Caller, NONE, luwid, message, whole};
use mqferry::admin::{ChannelBoard, ChannelStatus};
use mqferry::mover::Handle;
use mqferry::partner::generator::Numbered;
use mqferry::partner::{Options, PartnerError, run};
use mqferry::target::{AmqpTarget, BrokerAddress, Limits, Login, OpenWireTarget};
use mqferry::tls::ClientFiles;
use mqferry::wire::{ControlFlags1, StatusCode};
use process::Process;
use stage::{CHANNEL, Setup, channel, options, until};
use support::broker::{Broker, BrokerBuilder, FullStore};
use support::jms::{Client, Received, receive};

const LOGIN: (&str, &str) = ("mqferry", "secret");
const PATIENCE: Duration = Duration::from_secs(120);

/// A gateway on a real broker.
struct Real {
    gateway: Handle,
    board: ChannelBoard,
}

/// The address of a broker, by protocol.
type Address = fn(&Broker) -> String;

impl Real {
    async fn start(broker: &Broker, text: &str, login: Option<(&str, &str)>) -> Self {
        Self::on(&broker.amqp_url(), text, login).await
    }

    async fn on(url: &str, text: &str, login: Option<(&str, &str)>) -> Self {
        let login = login.map(|(user, password)| Login { user: user.into(), password: password.to_owned().into() });
        let limits = Limits { settle: Duration::from_secs(4), commit: Duration::from_secs(10), ..Limits::default() };
        let setup = Setup { text: text.to_owned(), ..Setup::default() };
        let files = ClientFiles::default();
        let (gateway, board, _, _) = match url.parse().unwrap() {
            BrokerAddress::Amqp(brokers) => {
                stage::gateway(&setup, AmqpTarget::new(brokers, login, &files, limits).unwrap()).await
            }
            BrokerAddress::OpenWire(brokers) => {
                stage::gateway(&setup, OpenWireTarget::new(brokers, login, &files, limits).unwrap()).await
            }
            BrokerAddress::Embedded(_) => panic!("{url} is no broker"),
        };
        Self { gateway, board }
    }

    fn status(&self) -> ChannelStatus {
        self.board.status(CHANNEL).unwrap()
    }

    fn options(&self, folder: &Path) -> Options {
        Options { retry_delay: Duration::from_millis(100), ..options(self.gateway.address(), folder) }
    }

    async fn end(self) {
        assert_eq!(self.gateway.stop(PATIENCE).await, 0, "channels that had to be given up");
    }
}

fn put(folder: &Path, first: u64, count: u64, queue: &str, size: usize) {
    Numbered { first, size, ..Numbered::new(count, queue, "GW") }.put(folder).unwrap();
}

/// A user who may write to some queues only.
fn rights(deadq: &str) -> BrokerBuilder {
    Broker::builder()
        .user("admin", "admin", "admins")
        .user(LOGIN.0, LOGIN.1, "gateways")
        .grant("queue://MQFERRY.SYNC.>", "gateways", "gateways", "gateways")
        .grant("queue://MQFERRY.DLQ", "admins", deadq, "admins,gateways")
        .grant("queue://OPEN.>", "admins", "gateways", "admins,gateways")
        .grant("queue://FORBIDDEN", "admins", "admins", "admins,gateways")
        .grant("topic://ActiveMQ.Advisory.>", "admins,gateways", "admins,gateways", "admins,gateways")
}

fn heads(messages: &[Received]) -> Vec<u64> {
    messages.iter().map(|message| message.text.as_deref().unwrap()[..20].parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_right_to_write_and_no_such_destination_are_dead_letters_among_good_neighbours() {
    dead_letters(Broker::amqp_url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_openwire_too_a_refusal_concerns_its_own_message_alone() {
    dead_letters(Broker::openwire_url).await;
}

async fn dead_letters(address: Address) {
    let broker = rights("gateways").start();
    let real = Real::on(&address(&broker), &channel(CHANNEL, ""), Some(LOGIN)).await;
    let folder = tempfile::tempdir().unwrap();
    for (number, queue) in (1..).zip(["OPEN.Q", "FORBIDDEN", "OPEN.Q", "OPEN.>", "OPEN.Q"]) {
        put(folder.path(), number, 1, queue, 60);
    }
    Numbered { first: 6, size: 60, ..Numbered::new(1, "OPEN.Q", "ELSEWHERE") }.put(folder.path()).unwrap();
    let options = Options { batchsz: 50, ..real.options(folder.path()) };
    let report = run(&options).await.unwrap();
    assert_eq!((report.confirmed, report.batches, report.dlq_used, report.connections), (6, 1, 1, 1), "{report:?}");
    assert_eq!(real.status().totals().dead_lettered, 3);
    // One that no queue manager would send, between two good ones.
    let mut caller = Caller::bound(real.gateway.address(), CHANNEL, "QM1").await;
    let mut malformed = message(8, "OPEN.Q", "GW", 60);
    malformed[..4].copy_from_slice(b"XYZ ");
    caller.say(&whole(7, luwid(9), NONE, &message(7, "OPEN.Q", "GW", 60))).await;
    caller.say(&whole(8, luwid(9), NONE, &malformed)).await;
    caller.say(&whole(9, luwid(9), CONFIRM, &message(9, "OPEN.Q", "GW", 60))).await;
    assert!(caller.confirmed(luwid(9)).await.contains(ControlFlags1::DLQ_USED));
    drop(caller);
    real.end().await;
    let open = receive(Client::ActiveMq, &broker, "OPEN.Q").with("count", 5).messages();
    assert_eq!(heads(&open), [1, 3, 5, 7, 9]);
    let dead = receive(Client::ActiveMq, &broker, "MQFERRY.DLQ").with("count", 4).messages();
    let property = |message: &Received, name: &str| {
        let found = message.properties.get(name).unwrap_or_else(|| panic!("{name} in {message:?}"));
        found.value.clone()
    };
    let body = |message: &Received| {
        use base64::Engine as _;
        base64::prelude::BASE64_STANDARD.decode(message.base64.as_deref().unwrap()).unwrap()
    };
    // The broker's refusals come after what the gateway itself could not map.
    let of = |reason: i32| {
        let found: Vec<_> = dead.iter().filter(|message| property(message, "MQFERRY_Reason") == reason).collect();
        let [message] = found.as_slice() else { panic!("not one of reason {reason} in {dead:?}") };
        let bytes = body(message);
        assert_eq!(&bytes[..4], b"DLH ");
        (*message, bytes)
    };
    for (reason, queue, number) in [(2035, "FORBIDDEN", 2_u64), (2152, "OPEN.>", 4), (2087, "OPEN.Q", 6)] {
        let (message, bytes) = of(reason);
        assert_eq!(property(message, "MQFERRY_RemoteQ"), queue);
        assert_eq!(bytes[172..], *mqferry::partner::generator::body(number, 60).as_bytes(), "not a byte lost");
    }
    let (_, bytes) = of(271);
    assert_eq!(bytes[172..], malformed, "every byte of it is kept");
}

/// The queue manager is told at the bind, and the operator why; with the right password it goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_leaves_all_with_the_queue_manager() {
    let broker = rights("gateways").start();
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), 1, 2, "OPEN.Q", 60);
    let real = Real::start(&broker, &channel(CHANNEL, ""), Some((LOGIN.0, "wrong"))).await;
    let error = run(&Options { retries: 0, ..real.options(folder.path()) }).await.unwrap_err();
    let PartnerError::Refused { status, .. } = &error else { panic!("{error}") };
    assert_eq!(status.code, Some(StatusCode::QM_UNAVAILABLE));
    let why = real.status().last_error.unwrap();
    assert!(why.contains("check user and password_file") && !why.contains("wrong"), "{why}");
    real.end().await;
    let real = Real::start(&broker, &channel(CHANNEL, ""), Some(LOGIN)).await;
    assert_eq!(run(&real.options(folder.path())).await.unwrap().confirmed, 2);
    real.end().await;
    let got = receive(Client::ActiveMq, &broker, "OPEN.Q").with("count", 2).messages();
    assert_eq!(heads(&got), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_queue_that_takes_nothing_leaves_all_with_the_queue_manager() {
    let broker = rights("admins").start();
    let real = Real::start(&broker, &channel(CHANNEL, ""), Some(LOGIN)).await;
    let folder = tempfile::tempdir().unwrap();
    for (number, queue) in (1..).zip(["OPEN.Q", "FORBIDDEN"]) {
        put(folder.path(), number, 1, queue, 60);
    }
    let error = run(&Options { retries: 1, ..real.options(folder.path()) }).await.unwrap_err();
    let PartnerError::Refused { status, .. } = &error else { panic!("{error}") };
    assert_eq!(status.code, Some(StatusCode::CAN_NOT_STORE));
    let why = real.status().last_error.unwrap();
    assert!(why.contains("queue://MQFERRY.DLQ") && why.contains("MQRC 2035"), "{why}");
    real.end().await;
    let mut broker = broker;
    assert_eq!((broker.depth("OPEN.Q"), broker.depth("MQFERRY.DLQ")), (0, 0));
}

/// Forty messages of 1 MiB into a store of 32 MiB, then room: all are there, once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_loses_nothing_and_the_rest_comes_when_there_is_room() {
    full_store(FullStore::Fail).await;
}

/// The same with a broker that lets producers wait instead.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_that_lets_us_wait_loses_nothing_either() {
    full_store(FullStore::Block).await;
}

async fn full_store(full: FullStore) {
    const COUNT: u64 = 40;
    let mut broker = Broker::builder().store_limit(32 << 20, full).start();
    let text = channel(CHANNEL, "mrrty = 2\nmrtmr = 100");
    let real = Real::start(&broker, &text, None).await;
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), 1, COUNT, "BIG", 1 << 20);
    let options = Options { retries: 1000, ..real.options(folder.path()) };
    let sending = tokio::spawn(async move { run(&options).await });
    until("the store is full", || real.status().totals().batches_rolled_back > 0).await;
    let why = real.status().last_error.unwrap();
    let lstseqno = real.status().lstseqno;
    assert!(lstseqno > 0 && u64::try_from(lstseqno).unwrap() < COUNT, "{full:?}: {lstseqno}");
    assert_eq!(broker.depth("MQFERRY.DLQ"), 0, "{full:?}: a full store is no dead letter: {why}");
    broker.resize_store(256 << 20);
    let report = tokio::time::timeout(PATIENCE, sending).await.expect("it goes on").unwrap().unwrap();
    assert_eq!(report.confirmed, COUNT, "{full:?}");
    real.end().await;
    let got = receive(Client::ActiveMq, &broker, "BIG").with("count", COUNT).with("heads", 20).messages();
    assert_eq!(heads(&got), (1..=COUNT).collect::<Vec<_>>(), "{full:?}");
    assert_eq!(broker.depth("BIG") + broker.depth("MQFERRY.DLQ"), 0, "{full:?}");
}

/// A queue that has used the memory it may have, until somebody empties it: the confirms come late, and nothing else
/// happens. Of 24 MB the gateway holds what is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_has_no_memory_left_slows_the_channel_and_operators_can_see_it() {
    no_memory_left(Broker::openwire_url, 48).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_amqp_too_a_queue_that_has_no_memory_left_slows_the_channel() {
    no_memory_left(Broker::amqp_url, 64).await;
}

/// `most`: MiB that the gateway may have had.
async fn no_memory_left(address: Address, most: usize) {
    const COUNT: u64 = 600;
    let policy = r#"<policyEntry queue="NARROW" memoryLimit="2mb"><pendingQueuePolicy><vmQueueCursor/></pendingQueuePolicy></policyEntry>"#;
    let broker = Broker::builder().policy(policy).start();
    let gateway = Process::on(&address(&broker), &channel(CHANNEL, ""));
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), 1, COUNT, "NARROW", 40_000);
    let options = Options { batchsz: 10, ..options(gateway.address, folder.path()) };
    let sending = tokio::spawn(async move { run(&options).await });
    until("the channel is held up", || gateway.log().contains("is held up")).await;
    assert_eq!(gateway.metric(r#"mqferry_channel_held_up{channel="QM1.TO.GW"}"#), 1.0);
    let confirmed = gateway.metric(r#"mqferry_channel_last_sequence{channel="QM1.TO.GW"}"#);
    assert!(confirmed > 0.0 && confirmed < 100.0, "{confirmed}");
    assert!(!sending.is_finished());
    let consumer = receive(Client::ActiveMq, &broker, "NARROW").with("count", COUNT).with("heads", 20);
    let got = consumer.with("idle-ms", 30_000).messages();
    assert_eq!(heads(&got), (1..=COUNT).collect::<Vec<_>>());
    let report = tokio::time::timeout(PATIENCE, sending).await.expect("it goes on").unwrap().unwrap();
    assert_eq!((report.confirmed, report.dlq_used), (COUNT, 0), "{report:?}");
    until("it is over", || gateway.log().contains("has its answer after")).await;
    assert_eq!(gateway.metric(r#"mqferry_channel_held_up{channel="QM1.TO.GW"}"#), 0.0);
    assert!(gateway.metric(r#"mqferry_channel_held_up_seconds_total{channel="QM1.TO.GW"}"#) >= 2.0);
    let memory = gateway.most_memory() >> 20;
    println!("held up at {confirmed}, at most {memory} MiB");
    assert!(memory < most, "{memory} MiB");
    gateway.end();
}

/// A broker that stands still (SIGSTOP) in the middle of batches: each wait ends, the queue manager is told or cut off, and
/// when the broker goes on everything comes, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stops_answering_ends_the_batch_in_a_bounded_time() {
    stops_answering(Broker::openwire_url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_amqp_too_a_broker_that_stops_answering_ends_the_batch_in_a_bounded_time() {
    stops_answering(Broker::amqp_url).await;
}

async fn stops_answering(address: Address) {
    const COUNT: u64 = 500;
    let broker = Broker::start();
    let real = Real::on(&address(&broker), &channel(CHANNEL, ""), None).await;
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), 1, COUNT, "STILL", 1000);
    let pause_between_batches = Duration::from_millis(20);
    let options = Options { retries: 1000, pause_between_batches, ..real.options(folder.path()) };
    let sending = tokio::spawn(async move { run(&options).await });
    until("some batches", || real.status().lstseqno > 50).await;
    broker.freeze();
    let began = Instant::now();
    until("the batch is given up", || real.status().last_error.is_some()).await;
    let (took, why) = (began.elapsed(), real.status().last_error.unwrap());
    println!("given up after {took:.1?}: {why}");
    // Settling may take 4 s here and a commit 10 s; the connection counts as dead after 15 s.
    assert!(took < Duration::from_secs(30), "{took:?}: {why}");
    broker.thaw();
    let report = tokio::time::timeout(PATIENCE, sending).await.expect("it goes on").unwrap().unwrap();
    assert_eq!(report.confirmed, COUNT);
    real.end().await;
    let got = receive(Client::ActiveMq, &broker, "STILL").with("count", COUNT).with("heads", 20).messages();
    assert_eq!(heads(&got), (1..=COUNT).collect::<Vec<_>>());
    let mut broker = broker;
    assert_eq!(broker.depth("STILL"), 0);
}

/// The connector closes the connection over a message above its limit and tells the limit nowhere: from then on we
/// offer less than what it choked on, so that the queue manager keeps such a message on its own dead-letter queue.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_cannot_take_is_no_longer_accepted() {
    let mut broker = Broker::builder().max_frame(1 << 20).start();
    let real = Real::start(&broker, &channel(CHANNEL, ""), None).await;
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), 1, 1, "Q", 60);
    put(folder.path(), 2, 1, "Q", 2 << 20);
    let options = Options { batchsz: 1, ..real.options(folder.path()) };
    let error = run(&options).await.unwrap_err();
    let PartnerError::TooLarge { what, limit, .. } = error else { panic!("{error}") };
    assert_eq!(what, "MaxMsgSize");
    assert!((1 << 20..2 << 20).contains(&limit), "{limit}");
    let why = real.status().last_error.unwrap_or_default();
    real.end().await;
    assert_eq!(broker.depth("Q"), 1, "{why}");
}
