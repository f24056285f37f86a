//! Networks of brokers: two active/standby pairs joined by a network connector. An application on IBM MQ sends through
//! mqferry to pair A, another receives at pair B; both active brokers die meanwhile.
#![allow(clippy::disallowed_methods, reason = "waits for real processes")]

#[path = "support/process.rs"]
mod process;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use mqferry::partner::generator::Numbered;
use mqferry::partner::{Options, run};
use process::Process;
use support::broker::Broker;
use support::jms::{Client, receive};

const CHANNEL: &str = "QM1.TO.GW";
const QUEUE: &str = "ORDERS";
const COUNT: u64 = 1500;
const PATIENCE: Duration = Duration::from_secs(120);

/// Two brokers on one store.
struct Pair {
    active: Broker,
    standby: Broker,
}

impl Pair {
    fn of(active: Broker) -> Self {
        let standby = active.standby();
        Self { active, standby }
    }

    fn url(&self, of: impl Fn(&Broker) -> String) -> String {
        format!("failover:({},{})", of(&self.active), of(&self.standby))
    }

    fn fail_over(&mut self) {
        self.active.kill9();
        self.standby.wait_until_active();
    }
}

/// A connector to a pair. What is mqferry's own stays where it is, as `docs/operations.md` tells administrators.
fn connector(to: &Pair, duplex: bool) -> String {
    let (active, standby) = (to.active.openwire_url(), to.standby.openwire_url());
    format!(
        r#"<networkConnector name="bridge" duplex="{duplex}" uri="masterslave:({active},{standby})">
<excludedDestinations><queue physicalName="MQFERRY.&gt;"/></excludedDestinations></networkConnector>"#
    )
}

/// A pair B that pair A sends to when somebody listens there; or that connects to A itself, for both directions.
fn network(duplex: bool) -> (Pair, Pair) {
    let named = |name| Broker::builder().broker_name(name).heap_mb(256);
    if duplex {
        let a = Pair::of(named("a").start());
        let b = Pair::of(named("b").network(&connector(&a, true)).start());
        (a, b)
    } else {
        let b = Pair::of(named("b").start());
        let a = Pair::of(named("a").network(&connector(&b, false)).start());
        (a, b)
    }
}

fn crosses(duplex: bool, gateways: impl Fn(&Broker) -> String) {
    let (mut a, mut b) = network(duplex);
    let consumer = receive(Client::ActiveMq, &b.active, QUEUE)
        .with("url", b.url(Broker::openwire_url))
        .with("count", COUNT)
        .with("idle-ms", 60_000)
        .with("heads", 20)
        .start();
    let channel = format!("[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"RCVR\"\n");
    let gateway = Process::on(&a.url(gateways), &channel);
    let folder = tempfile::tempdir().unwrap();
    Numbered { size: 200, ..Numbered::new(COUNT, QUEUE, "GW") }.put(folder.path()).unwrap();
    let options = Options {
        batchsz: 20,
        retry_delay: Duration::from_millis(100),
        retries: 1000,
        fsync: false,
        pause_between_batches: Duration::from_millis(40),
        ..Options::new(gateway.address.to_string(), CHANNEL, folder.path())
    };
    let sending = std::thread::spawn(move || tokio::runtime::Runtime::new().unwrap().block_on(run(&options)));

    until(folder.path(), COUNT / 3);
    a.fail_over();
    until(folder.path(), 2 * COUNT / 3);
    b.fail_over();

    let received = consumer.messages(PATIENCE);
    let report = sending.join().unwrap().unwrap();
    assert_eq!(report.confirmed, COUNT);
    assert!(report.connections > 1, "the gateway's broker died under it");
    let numbers: Vec<u64> =
        received.iter().map(|message| message.text.as_deref().expect("a text")[..20].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=COUNT).collect::<Vec<_>>());
    // Nothing is left on the way, and nothing came twice.
    gateway.end();
    let deadline = Instant::now() + PATIENCE;
    while a.standby.depth(QUEUE) > 0 {
        assert!(Instant::now() < deadline, "{:?} are left at A", a.standby.stats(QUEUE));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(b.standby.depth(QUEUE), 0, "left at B");
    for broker in [&mut a.standby, &mut b.standby] {
        assert_eq!(broker.depth("MQFERRY.DLQ"), 0);
    }
    assert_eq!(a.standby.depth("ActiveMQ.DLQ"), 0);
    // A network connector sends again what its other end may not have; ActiveMQ knows such copies by their id and puts
    // them aside. They are no loss: each was received.
    let copies = b.standby.depth("ActiveMQ.DLQ");
    if copies > 0 {
        let aside = receive(Client::ActiveMq, &b.standby, "ActiveMQ.DLQ").with("count", copies).with("heads", 20);
        let aside = aside.messages();
        assert_eq!(aside.len() as u64, copies);
        for copy in aside {
            assert!(received.iter().any(|message| message.id == copy.id && message.text == copy.text), "{copy:?}");
        }
    }
    let own = |broker: &mut Broker| {
        broker.destinations().into_iter().filter(|name| name.starts_with("queue://MQFERRY.SYNC.")).collect::<Vec<_>>()
    };
    assert_eq!(own(&mut a.standby), [format!("queue://MQFERRY.SYNC.GW.{CHANNEL}.QM1")]);
    assert!(own(&mut b.standby).is_empty(), "the record stays at its own broker");
}

/// Waits until the sender knows this message confirmed.
fn until(folder: &Path, number: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sync = std::fs::read_to_string(folder.join("sync")).unwrap_or_default();
        let line = sync.lines().find_map(|line| line.strip_prefix("sequence "));
        if line.is_some_and(|sequence| sequence.trim().parse::<u64>().unwrap() >= number) {
            return;
        }
        assert!(Instant::now() < deadline, "message {number} is not confirmed:\n{sync}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_way_from_a_gateway_that_speaks_openwire() {
    crosses(false, Broker::openwire_url);
}

#[test]
fn duplex_from_a_gateway_that_speaks_amqp() {
    crosses(true, Broker::amqp_url);
}
