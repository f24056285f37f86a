//! Sender, gateway, broker, or a connection of them dies at a chosen step; somebody else's JMS client says what arrived
//! on a real broker.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mqferry::partner::generator::number_of;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::count::Difference;
use super::lane::{Lane, folder, kept};
use super::process::Life;
use super::schedule::{BROKER, Ground, Protocol, Run, Step, Table, Victim};
use super::stage::{QUEUE, address, configure};
use super::support::broker::Broker;
use super::support::jms::{Client, receive};
use super::support::relay::{Cut, Relay};

const RUNS: usize = 40;
/// Runs at one time on the broker that lives.
const LANES: usize = 10;
/// Runs that share one death of a broker.
const WAVE: usize = 8;
/// Runs after which what arrived is counted.
const COUNTED: usize = 60;
/// Numbers of messages that a run may use.
const NUMBERS: u64 = 1000;
/// The broker that lives takes a silent AMQP connection for dead after this time; over OpenWire it is the gateway that
/// says for how long, five seconds.
const IDLE: Duration = Duration::from_secs(6);
/// Nothing moves for so long when an answer is lost and a limit must pass (30 s for a commit).
const PATIENCE: Duration = Duration::from_secs(150);
/// A gateway that is killed was seen to be followed within two seconds, five where no record was there yet; a machine under
/// load takes longer.
const FOLLOWED: Duration = Duration::from_secs(20);

/// What holds for all runs of the ground.
struct Field {
    table: Table,
    /// From a death to the first confirm by the gateway that took over.
    followed: BTreeMap<(Victim, Protocol), Vec<Duration>>,
    failed: usize,
    /// The number from which the next run's messages are numbered.
    next: u64,
    rounds: usize,
    began: Instant,
}

/// A run that is through, to be counted.
struct Through {
    lane: Lane,
    first_confirm: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_death_at_each_step_delivers_exactly_once_to_a_broker() {
    let seeds = BROKER.seeds(Ground::runs(RUNS));
    let count = seeds.len();
    let runs: Vec<Run> = seeds.into_iter().map(|seed| Run::of(&BROKER, seed)).collect();
    let of = |victim: Victim| runs.iter().filter(|run| run.victim == victim).cloned().collect::<Vec<_>>();
    let mut shared: Vec<Run> =
        runs.iter().filter(|run| !matches!(run.victim, Victim::Broker | Victim::Failover)).cloned().collect();
    // Those that wait longest first.
    shared.sort_by_key(|run| !matches!(run.victim, Victim::LostBrokerLink));
    let mut field = Field {
        table: Table::default(),
        followed: BTreeMap::new(),
        failed: 0,
        next: 1,
        rounds: 0,
        began: Instant::now(),
    };
    let idle = format!("transport.wireFormat.idleTimeout={}", IDLE.as_millis());
    let mut living = Broker::builder().amqp_option(&idle).start();
    let (dying, failing) = (of(Victim::Broker), of(Victim::Failover));
    let mut mortal = (!dying.is_empty() || !failing.is_empty()).then(Broker::start);

    // The runs on the broker that lives go on while the other one dies.
    let mut rounds: Vec<Vec<Run>> = shared.chunks(COUNTED).map(<[Run]>::to_vec).collect();
    rounds.reverse();
    let mut deaths: Vec<(Victim, Vec<Run>)> = Vec::new();
    deaths.extend(failing.chunks(WAVE).map(|wave| (Victim::Failover, wave.to_vec())));
    deaths.extend(dying.chunks(WAVE).map(|wave| (Victim::Broker, wave.to_vec())));
    while !rounds.is_empty() || !deaths.is_empty() {
        let round = rounds.pop();
        let seeds: Vec<u64> = round.iter().flatten().map(|run| run.seed).collect();
        let round = round.map(|runs| field.start_on(&living, runs));
        // As many deaths as there are rounds for them.
        let share = deaths.len().div_ceil(rounds.len() + 1);
        for (victim, wave) in deaths.split_off(deaths.len() - share) {
            let broker = mortal.take().expect("a broker to kill");
            mortal = Some(field.kill_broker(broker, victim, wave).await);
        }
        if let Some(round) = round {
            let through = field.collect(round).await;
            field.count(&mut living, through);
            keep_log(&living, &seeds);
        }
    }
    field.tell(count);
}

impl Field {
    /// Starts runs, some at a time.
    fn start_on(&mut self, broker: &Broker, runs: Vec<Run>) -> JoinSet<Through> {
        let places = Arc::new(Semaphore::new(LANES));
        let mut started = JoinSet::new();
        for run in runs {
            let (places, ports) = (places.clone(), vec![port(broker, run.protocol)]);
            let first = self.numbers();
            started.spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                let mut lane = reach(run, &ports, first).await;
                strike(&mut lane).await;
                finish(lane).await
            });
        }
        started
    }

    /// Kills the broker, or has its standby follow, when all runs of the wave are at their step.
    async fn kill_broker(&mut self, mut broker: Broker, victim: Victim, wave: Vec<Run>) -> Broker {
        let seeds: Vec<u64> = wave.iter().map(|run| run.seed).collect();
        let mut standby = (victim == Victim::Failover).then(|| broker.standby());
        let mut reached = JoinSet::new();
        for run in wave {
            let brokers = standby.iter().chain([&broker]);
            let mut ports: Vec<u16> = brokers.map(|broker| port(broker, run.protocol)).collect();
            ports.reverse();
            let first = self.numbers();
            reached.spawn(async move { reach(run, &ports, first).await });
        }
        let lanes = self.collect(reached).await;
        broker.kill9();
        let mut finished = JoinSet::new();
        for mut lane in lanes {
            for relay in &lane.brokers {
                Lane::sever(relay, Cut::Close);
            }
            lane.thaw();
            finished.spawn(finish(lane));
        }
        let mut survivor = match standby.take() {
            Some(mut standby) => {
                standby.wait_until_active();
                keep_log(&broker, &seeds);
                standby
            }
            None => {
                broker.restart();
                broker
            }
        };
        let through = self.collect(finished).await;
        self.count(&mut survivor, through);
        keep_log(&survivor, &seeds);
        survivor
    }

    fn numbers(&mut self) -> u64 {
        let first = self.next;
        self.next += NUMBERS;
        first
    }

    /// What came of runs; those that failed have said why.
    async fn collect<T: 'static>(&mut self, mut runs: JoinSet<T>) -> Vec<T> {
        let mut through = Vec::new();
        while let Some(run) = runs.join_next().await {
            match run {
                Ok(run) => through.push(run),
                Err(_) => self.failed += 1,
            }
        }
        through
    }

    /// Has a JMS client count what arrived.
    fn count(&mut self, broker: &mut Broker, through: Vec<Through>) {
        let client = Client::BOTH[self.rounds % 2];
        self.rounds += 1;
        let sent: u64 = through.iter().map(|it| it.lane.run.messages).sum();
        // One too many would stay on the queue, and its depth shows it. Runs that failed may have left any number.
        let (most, idle) = if self.failed == 0 { (sent, 30_000) } else { (u64::MAX >> 1, 5_000) };
        let program = receive(client, broker, QUEUE).with("count", most).with("idle-ms", idle).with("heads", 20);
        let mut bodies: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for message in program.messages() {
            let text = message.text.expect("a text message");
            let number = number_of(text.as_bytes()).expect("a numbered message");
            bodies.entry((number - 1) / NUMBERS).or_default().push(text);
        }
        for Through { lane, first_confirm } in through {
            let difference = lane.difference(bodies.remove(&((lane.first() - 1) / NUMBERS)).unwrap_or_default());
            if difference != Difference::default() {
                eprintln!("{}: {difference:?}", lane.run);
                self.failed += 1;
                continue;
            }
            if lane.was_taken_over() {
                self.followed.entry((lane.run.victim, lane.run.protocol)).or_default().push(first_confirm);
            }
            self.table.count(&lane.run);
            lane.done();
        }
        let late: Vec<_> = bodies.values().flatten().map(|text| &text[..20]).collect();
        assert!(late.is_empty() || self.failed > 0, "of runs that were over: {late:?}");
        for astray in ["MQFERRY.DLQ", "ActiveMQ.DLQ", QUEUE] {
            assert_eq!(broker.depth(astray), 0, "on {astray}");
        }
        println!("after {:.0?}: counted by {client:?}, {sent} messages\n{}", self.began.elapsed(), self.table);
    }

    /// What the runs had in common.
    fn tell(self, count: usize) {
        let Self { table, mut followed, failed, began, .. } = self;
        for ((victim, protocol), times) in &mut followed {
            times.sort_unstable();
            let (least, middle, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
            println!(
                "followed after {victim:?}, {protocol:?}: {} times, {least:.1?} to {most:.1?}, half by {middle:.1?}",
                times.len()
            );
            let limit = if *victim == Victim::Gateway { FOLLOWED } else { 3 * IDLE + FOLLOWED };
            assert!(most < limit, "{victim:?}: taken over after {most:.1?}");
        }
        println!(
            "{count} runs in {:.1?}, failed {failed}: lost 0, duplicated 0, out of order 0 in the others",
            began.elapsed()
        );
        assert_eq!(failed, 0, "runs failed; see FAILED above");
        let cells = BROKER.cells();
        if count >= cells.len() {
            assert!(cells.into_iter().all(|cell| table.of(cell) > 0), "a cell had no run\n{table}");
        } else if count > 1 {
            let met = |is: &dyn Fn(&(Victim, Step, Protocol)) -> bool| {
                cells.iter().filter(|cell| is(cell)).any(|&cell| table.of(cell) > 0)
            };
            assert!(BROKER.victims.iter().all(|victim| met(&|cell| cell.0 == *victim)), "a victim was spared\n{table}");
            assert!(Step::ALL.iter().all(|step| met(&|cell| cell.1 == *step)), "a step was left out\n{table}");
        }
    }
}

/// Puts a broker's log beside what is left of runs that failed.
fn keep_log(broker: &Broker, seeds: &[u64]) {
    for seed in seeds {
        let folder = kept(*seed);
        if folder.exists() {
            let file = File::options().append(true).create(true).open(folder.join("broker.log"));
            let _ = file.and_then(|mut file| file.write_all(broker.log().as_bytes()));
        }
    }
}

fn port(broker: &Broker, protocol: Protocol) -> u16 {
    broker.port(match protocol {
        Protocol::Amqp => "amqp",
        Protocol::OpenWire => "openwire",
        Protocol::Embedded => panic!("no broker"),
    })
}

fn url(protocol: Protocol, addresses: &[String]) -> String {
    let scheme = if protocol == Protocol::Amqp { "amqp" } else { "tcp" };
    match addresses {
        [address] => format!("{scheme}://{address}"),
        several => {
            let list: Vec<String> = several.iter().map(|address| format!("{scheme}://{address}")).collect();
            format!("failover:({})", list.join(","))
        }
    }
}

fn gateway(folder: &Path, name: &str, url: &str, address: &str) -> Life {
    Life::gateway(&configure(folder, name, url, address), folder.join(format!("{name}.log")))
}

/// Sets up a run between relays and brings it to its step.
async fn reach(run: Run, ports: &[u16], first: u64) -> Lane {
    let folder = folder(&run);
    let mut brokers = Vec::new();
    for &port in ports {
        brokers.push(Relay::start(([127, 0, 0, 1], port).into()).await);
    }
    let addresses: Vec<String> = brokers.iter().map(|relay| relay.address.to_string()).collect();
    let own = address();
    let life = gateway(&folder, "gateway", &url(run.protocol, &addresses), &own);
    let second = followed(&run).then(|| {
        let address = address();
        let direct: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        (gateway(&folder, "second", &url(run.protocol, &direct), &address), address)
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

/// Whether another gateway takes over.
fn followed(run: &Run) -> bool {
    match run.victim {
        Victim::FrozenGateway => !run.other_way,
        Victim::Gateway | Victim::LostBrokerLink => run.other_way,
        _ => false,
    }
}

/// The death.
async fn strike(lane: &mut Lane) {
    match lane.run.victim {
        Victim::Sender => lane.kill_sender(),
        Victim::Link => lane.cut_link(),
        Victim::Gateway => {
            lane.kill_gateway();
            if lane.second.is_some() {
                lane.take_over();
            } else {
                lane.gateway.start();
            }
        }
        Victim::FrozenGateway if lane.second.is_none() => {
            lane.gateway.freeze();
            lane.thaw();
            // The broker has given it up when it wakes, over AMQP surely and over OpenWire perhaps.
            tokio::time::sleep(2 * IDLE + 500 * lane.run.pause).await;
            lane.gateway.thaw();
        }
        Victim::FrozenGateway => {
            lane.gateway.freeze();
            // A queue manager finds it out by its heartbeats, and calls the next address of its CONNAME.
            lane.take_over();
            Lane::sever(&lane.channel, Cut::Reset);
            lane.thaw();
        }
        Victim::BrokerLink => {
            Lane::sever(&lane.brokers[0], Cut::Reset);
            lane.thaw();
        }
        Victim::LostBrokerLink if lane.second.is_some() => {
            lane.take_over();
            Lane::sever(&lane.channel, Cut::Reset);
            // What lies in that link stays there until the other gateway is through.
            lane.thaw_channel();
        }
        Victim::LostBrokerLink => {
            lane.brokers[0].lose();
            lane.thaw();
        }
        Victim::Broker | Victim::Failover => panic!("the broker is killed for all of its wave"),
    }
}

/// Lets the run come to its end, and a gateway that was replaced wake up.
async fn finish(mut lane: Lane) -> Through {
    let first_confirm = lane.finish().await;
    if let Some(replaced) = lane.replaced.as_ref().filter(|_| lane.run.victim != Victim::Gateway) {
        if lane.run.victim == Victim::FrozenGateway {
            replaced.thaw();
        }
        // What it held, and what it has to say now, goes to a broker that has given it up.
        lane.brokers[0].set_frozen(false);
        lane.brokers[0].idle(PATIENCE).await;
    }
    lane.gateway.kill9();
    if let Some(replaced) = &mut lane.replaced {
        replaced.kill9();
    }
    println!("{}: through, first confirmed after {first_confirm:.1?}", lane.run);
    Through { lane, first_confirm }
}
