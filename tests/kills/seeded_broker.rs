//! Sender, gateway, broker, or a connection of them dies at a chosen step; somebody else's JMS client says what arrived
//! on a real broker.

use std::collections::BTreeMap;
use std::path::Path;

use mqferry::partner::generator::number_of;

use super::count::Difference;
use super::field::{Field, NUMBERS, PATIENCE, Shared, Through, Way, followed, play, relays, url, wake_replaced};
use super::lane::{Door, Lane, folder};
use super::process::Life;
use super::schedule::{BROKER, Ground, Run, Step};
use super::stage::{QUEUE, address, configure};
use super::support::broker::Broker;
use super::support::jms::{Client, receive};

const RUNS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_death_at_each_step_delivers_exactly_once_to_a_broker() {
    play::<Receiving>(RUNS).await;
}

/// From a queue manager to the broker.
struct Receiving;

impl Way for Receiving {
    const GROUND: &'static Ground = &BROKER;

    fn prepare(_: &Broker, _: &[&Run]) {}

    async fn reach(run: Run, ports: Vec<u16>, first: u64) -> Lane {
        let folder = folder(&run);
        let brokers = relays(&ports).await;
        let addresses: Vec<String> = brokers.iter().map(|relay| relay.address.to_string()).collect();
        let own = address();
        let life = gateway(&folder, "gateway", &url(run.protocol, &addresses), &own);
        let second = followed(&run).then(|| {
            let address = address();
            let direct: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
            (gateway(&folder, "second", &url(run.protocol, &direct), &address), Door::Address(address))
        });
        let of_target = run.step.is_of_the_target();
        let mut lane = Lane::new(run, folder, life, &own, first).await;
        (lane.brokers, lane.second, lane.patience) = (brokers, second, PATIENCE);
        lane.start();
        let stopped = if of_target { lane.brokers[0].stopped() } else { lane.channel.stopped() };
        lane.reach(stopped).await;
        // At these life goes on meanwhile.
        if matches!(lane.run.step, Step::ConfirmRequestIn | Step::CommitSent | Step::After) {
            tokio::time::sleep(lane.run.pause).await;
        }
        lane
    }

    async fn finish(mut lane: Lane, _: Shared) -> Through {
        let first_confirm = lane.finish().await;
        wake_replaced(&lane).await;
        lane.kill_gateways();
        println!("{}: through, first confirmed after {first_confirm:.1?}", lane.run);
        Through { lane, first_confirm }
    }

    /// Has a JMS client count it.
    fn count(field: &mut Field<Self>, broker: &mut Broker, through: Vec<Through>) {
        let client = Client::BOTH[field.rounds % 2];
        field.rounds += 1;
        let sent: u64 = through.iter().map(|it| it.lane.run.messages).sum();
        // One too many would stay on the queue, and its depth shows it. Runs that failed may have left any number.
        let (most, idle) = if field.failed == 0 { (sent, 30_000) } else { (u64::MAX >> 1, 5_000) };
        let program = receive(client, broker, QUEUE).with("count", most).with("idle-ms", idle).with("heads", 20);
        let mut bodies: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for message in program.messages() {
            let text = message.text.expect("a text message");
            let number = number_of(text.as_bytes()).expect("a numbered message");
            bodies.entry((number - 1) / NUMBERS).or_default().push(text);
        }
        for it in through {
            let difference = it.lane.difference(bodies.remove(&((it.lane.first() - 1) / NUMBERS)).unwrap_or_default());
            if difference == Difference::default() {
                field.held(it);
            } else {
                eprintln!("{}: {difference:?}", it.lane.run);
                field.failed += 1;
            }
        }
        let late: Vec<_> = bodies.values().flatten().map(|text| &text[..20]).collect();
        assert!(late.is_empty() || field.failed > 0, "of runs that were over: {late:?}");
        for astray in ["MQFERRY.DLQ", "ActiveMQ.DLQ", QUEUE] {
            assert_eq!(broker.depth(astray), 0, "on {astray}");
        }
        println!("{client:?} counted {sent} messages");
    }
}

fn gateway(folder: &Path, name: &str, url: &str, address: &str) -> Life {
    Life::gateway(&configure(folder, name, url, address), folder.join(format!("{name}.log")))
}
