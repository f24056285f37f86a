//! The other way: a JMS application has put messages on two queues of a real broker, the gateway empties them into a queue
//! manager, and gateway, queue manager, broker, or a connection of them dies at a chosen step. The queue manager's own
//! queues say what arrived.

use std::path::Path;
use std::time::{Duration, Instant};

use mqferry::partner::generator;
use mqferry::partner::receiver::LocalQueues;
use tokio::time::sleep;

use super::count::{Difference, compare};
use super::field::{Field, PATIENCE, Shared, Through, Way, followed, held, play, relays, url, wake_replaced};
use super::lane::{Door, Lane, folder};
use super::process::Life;
use super::schedule::{Ground, Run, SENDING, Step};
use super::stage::{GATEWAY, QUEUE, address, configure_with};
use super::support::broker::Broker;
use super::support::jms::{Client, put};
use super::support::relay::Relay;

const RUNS: usize = 40;
const CHANNEL: &str = "AMQGW.TO.QM";
/// Number before the first on the second queue.
const SECOND: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_death_at_each_step_delivers_exactly_once_to_a_queue_manager() {
    play::<Sending>(RUNS).await;
}

/// From the broker to a queue manager.
struct Sending;

/// One of a run's two queues.
struct Part {
    /// Its name at the queue manager.
    queue: String,
    /// Its name at the broker.
    from: String,
    first: u64,
    count: u64,
}

fn qmgr(run: &Run) -> String {
    format!("QM{}", run.seed)
}

fn parts(run: &Run) -> [Part; 2] {
    let part =
        |queue: String, first: u64, count: u64| Part { from: format!("MQ.{}.{queue}", qmgr(run)), queue, first, count };
    let fewer = run.messages / 3;
    [part(QUEUE.to_owned(), 1, run.messages - fewer), part(format!("{QUEUE}.LATE"), SECOND + 1, fewer)]
}

/// Seconds between heartbeats: a silent partner is given up after twice that.
fn hbint(run: &Run) -> u32 {
    if run.ends_unseen() { 5 } else { 300 }
}

fn gateway(run: &Run, folder: &Path, name: &str, url: &str, channel: &Relay) -> Life {
    let xmitq = match (run.seed / 7) % 2 {
        0 => format!("\"queue://MQ.{}.>\"", qmgr(run)),
        _ => format!("{:?}", parts(run).map(|part| format!("queue://{}", part.from))),
    };
    // A batch is as long as it can be, so that the run's steps are there; and who failed tries again at once.
    let text = format!(
        "[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"SDR\"\nconname = [\"{}({})\"]\nrqmname = \"{}\"\n\
         xmitq = {xmitq}\nbatchsz = {}\nbatchint = 500\nhbint = {}\nshortrty = 999999999\nshorttmr = 1\n",
        channel.address.ip(),
        channel.address.port(),
        qmgr(run),
        run.batch,
        hbint(run)
    );
    let config = configure_with(folder, name, url, &address(), &text);
    Life::gateway(&config, folder.join(format!("{name}.log")))
}

/// The queue manager; some die by themselves, between their commit and its confirm.
fn receiver(run: &Run, folder: &Path, listens: &str, dies: bool) -> Life {
    let mut arguments: Vec<String> = run.speech.iter().map(|&word| word.to_owned()).collect();
    let mut say = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    say("--address", listens.to_owned());
    say("--channel", CHANNEL.to_owned());
    say("--qmgr", qmgr(run));
    say("--folder", folder.join("queues").display().to_string());
    say("--batch", run.batch.to_string());
    say("--hbint", hbint(run).to_string());
    if dies {
        say("--die-at", "CommittedNotConfirmed".to_owned());
        say("--die-after", (run.occurrence - 1).to_string());
    }
    arguments.push("--no-fsync".to_owned());
    Life::receiver(&arguments, folder.join("receiver.log"))
}

impl Way for Sending {
    const GROUND: &'static Ground = &SENDING;

    /// A JMS client puts all messages, the runs' in turn.
    fn prepare(broker: &Broker, runs: &[&Run]) {
        let line = |run: &Run, part: Part| format!("{} {} {} {}", part.from, part.first, part.count, run.size);
        for (client, half) in Client::BOTH.into_iter().zip([0, 1]) {
            let half = runs.iter().filter(|run| (run.seed / 3) % 2 == half);
            let plan: Vec<String> = half.flat_map(|run| parts(run).map(|part| line(run, part))).collect();
            put(client, broker, &plan).output();
        }
    }

    async fn reach(run: Run, ports: Vec<u16>, first: u64) -> Lane {
        let folder = folder(&run);
        let brokers = relays(&ports).await;
        let addresses: Vec<String> = brokers.iter().map(|relay| relay.address.to_string()).collect();
        let listens = address();
        let upstream = listens.parse().expect("an address");
        let channel = Relay::start(upstream).await;
        let life = gateway(&run, &folder, "gateway", &url(run.protocol, &addresses), &channel);
        let mut second = None;
        if followed(&run) {
            let direct: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
            let relay = Relay::start(upstream).await;
            let life = gateway(&run, &folder, "second", &url(run.protocol, &direct), &relay);
            second = Some((life, Door::Relay(Box::new(relay))));
        }
        let by_itself = run.dies_by_itself();
        let partner = receiver(&run, &folder, &listens, by_itself);
        let next = by_itself.then(|| receiver(&run, &folder, &listens, false));
        let of_target = run.step.is_of_the_target();
        let mut lane = Lane::of(run, folder, partner, life, channel, first);
        (lane.brokers, lane.second, lane.next_partner, lane.patience) = (brokers, second, next, PATIENCE);
        lane.start();
        if by_itself {
            let deadline = Instant::now() + PATIENCE;
            while lane.partner.ended().is_none() {
                assert!(Instant::now() < deadline, "it does not die\n{}", lane.gateway.tail());
                sleep(Duration::from_millis(20)).await;
            }
            return lane;
        }
        let stopped = if of_target { lane.brokers[0].stopped() } else { lane.channel.stopped() };
        lane.reach(stopped).await;
        // At these life goes on meanwhile.
        if matches!(lane.run.step, Step::ConfirmRequestIn | Step::DoubtSent | Step::RetireSent | Step::After) {
            sleep(lane.run.pause).await;
        }
        lane
    }

    async fn finish(mut lane: Lane, broker: Shared) -> Through {
        let first_confirm = arrived(&mut lane).await;
        emptied(&mut lane, broker).await;
        wake_replaced(&lane).await;
        lane.kill_gateways();
        lane.partner.kill9();
        judge(&lane);
        println!("{}: through, first committed after {first_confirm:.1?}", lane.run);
        Through { lane, first_confirm }
    }

    fn count(field: &mut Field<Self>, broker: &mut Broker, through: Vec<Through>) {
        field.rounds += 1;
        let known = broker.destinations();
        for it in through {
            let records: Vec<_> =
                known.iter().filter(|name| name.ends_with(&format!(".{}", qmgr(&it.lane.run)))).collect();
            let records = records.iter().filter_map(|name| name.strip_prefix("queue://MQFERRY."));
            let kept: Vec<u64> = records.map(|name| broker.depth(&format!("MQFERRY.{name}"))).collect();
            if kept == [1] {
                field.held(it);
            } else {
                eprintln!("{}: the channel has {kept:?} records, not one", it.lane.run);
                field.failed += 1;
            }
        }
        for astray in ["MQFERRY.DLQ", "ActiveMQ.DLQ"] {
            assert_eq!(broker.depth(astray), 0, "on {astray}");
        }
    }
}

/// Waits until the queue manager has everything. Comes back with how long after the death it committed again.
async fn arrived(lane: &mut Lane) -> Duration {
    let mut queues = queues(lane);
    let (then, mut first, mut since) = (queues.messages().len(), None, Instant::now());
    while (queues.messages().len() as u64) < lane.run.messages {
        assert_eq!(lane.gateway.ended(), None, "the gateway ended by itself");
        assert_eq!(lane.partner.ended(), None, "the queue manager ended by itself");
        if queues.refresh().expect("a journal") > 0 {
            since = Instant::now();
        }
        if queues.messages().len() > then {
            first.get_or_insert_with(|| lane.struck.elapsed());
        }
        assert!(
            since.elapsed() < lane.patience,
            "{} of {} came, and no more",
            queues.messages().len(),
            lane.run.messages
        );
        sleep(Duration::from_millis(20)).await;
    }
    first.unwrap_or_default()
}

/// Waits until the broker has nothing of it any more.
async fn emptied(lane: &mut Lane, broker: Shared) {
    let names = parts(&lane.run).map(|part| part.from);
    let deadline = Instant::now() + lane.patience;
    loop {
        let (broker, names) = (broker.clone(), names.clone());
        let depths = tokio::task::spawn_blocking(move || {
            let mut broker = held(&broker);
            names.map(|name| broker.depth(&name))
        });
        let depths = depths.await.expect("the broker answers");
        if depths == [0, 0] {
            return;
        }
        assert_eq!(lane.gateway.ended(), None, "the gateway ended by itself");
        assert!(Instant::now() < deadline, "{depths:?} messages are confirmed, and stay on their queues");
        sleep(Duration::from_millis(100)).await;
    }
}

fn queues(lane: &Lane) -> LocalQueues {
    LocalQueues::read(&lane.folder.join("queues")).expect("a journal")
}

/// Each message once, whole, in the order of its queue; their numbers without a gap.
fn judge(lane: &Lane) {
    let (run, queues) = (&lane.run, queues(lane));
    for Part { queue, first, count, .. } in parts(run) {
        let difference = compare(queues.bodies(&queue), first, first + count - 1);
        assert_eq!(difference, Difference::default(), "{run}: on {queue}");
        for (number, message) in (first..).zip(queues.at(&queue)) {
            assert!(message.data() == generator::body(number, run.size), "message {number} has changed");
        }
    }
    assert_eq!(queues.dead_letters().count(), 0, "{run}");
    let numbers: Vec<i32> = queues.messages().iter().map(|message| message.number).collect();
    assert!(numbers.iter().copied().eq(1..=i32::try_from(run.messages).unwrap()), "{run}: {numbers:?}");
    let remembered = queues.remembered(CHANNEL, GATEWAY);
    assert_eq!(Some(&remembered.sequence), numbers.last(), "{run}");
}
