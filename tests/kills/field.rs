//! Runs on real brokers, in either direction: one broker lives, and has as many runs at a time as the machine bears; the other
//! is killed again and again, each time with some runs at their steps.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::lane::{Lane, kept};
use super::schedule::{Cell, Ground, Protocol, Run, Table, Victim};
use super::support::broker::Broker;
use super::support::relay::{Cut, Relay};

/// Runs at one time on the broker that lives.
const LANES: usize = 10;
/// Runs that share one death of a broker.
const WAVE: usize = 8;
/// Runs after which what arrived is counted.
const COUNTED: usize = 60;
/// Numbers of messages that a run may use.
pub(crate) const NUMBERS: u64 = 1000;
/// The broker that lives takes a silent AMQP connection for dead after this time; over OpenWire it is the gateway that
/// says for how long, five seconds.
const IDLE: Duration = Duration::from_secs(6);
/// Nothing moves for so long when an answer is lost and a limit must pass (30 s for a commit).
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);
/// A gateway that is killed was seen to be followed within two seconds, five where no record was there yet; a machine under
/// load takes longer.
const FOLLOWED: Duration = Duration::from_secs(20);

/// A broker that runs may ask while another run has it.
pub(crate) type Shared = Arc<Mutex<Broker>>;

/// The broker, for a moment.
pub(crate) fn held(broker: &Shared) -> MutexGuard<'_, Broker> {
    broker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which way the messages go, and so what a run is made of.
pub(crate) trait Way: Sized + 'static {
    const GROUND: &'static Ground;

    /// What must lie on a broker before these runs begin.
    fn prepare(broker: &Broker, runs: &[&Run]);

    /// Sets up a run between relays, its messages numbered from `first`, and brings it to its step.
    fn reach(run: Run, ports: Vec<u16>, first: u64) -> impl Future<Output = Lane> + Send;

    /// Lets the run come to its end, and a gateway that was replaced wake up.
    fn finish(lane: Lane, broker: Shared) -> impl Future<Output = Through> + Send;

    /// Counts what arrived of runs that are through.
    fn count(field: &mut Field<Self>, broker: &mut Broker, through: Vec<Through>);
}

/// What holds for all runs of the ground.
pub(crate) struct Field<W> {
    pub(crate) table: Table,
    /// From a death to the first confirm by the gateway that took over.
    followed: BTreeMap<(Victim, Protocol), Vec<Duration>>,
    pub(crate) failed: usize,
    /// The number from which the next run's messages are numbered.
    next: u64,
    pub(crate) rounds: usize,
    pub(crate) began: Instant,
    way: PhantomData<W>,
}

/// A run that is through, to be counted.
pub(crate) struct Through {
    pub(crate) lane: Lane,
    pub(crate) first_confirm: Duration,
}

/// So many runs of the way, or as many as the environment asks for.
pub(crate) async fn play<W: Way>(runs: usize) {
    let seeds = W::GROUND.seeds(Ground::runs(runs));
    let count = seeds.len();
    let runs: Vec<Run> = seeds.into_iter().map(|seed| Run::of(W::GROUND, seed)).collect();
    let of = |victim: Victim| runs.iter().filter(|run| run.victim == victim).cloned().collect::<Vec<_>>();
    let dies = |run: &&Run| matches!(run.victim, Victim::Broker | Victim::Failover);
    let mut shared: Vec<Run> = runs.iter().filter(|run| !dies(run)).cloned().collect();
    // Those that wait longest first.
    shared.sort_by_key(|run| !matches!(run.victim, Victim::LostBrokerLink) && !run.ends_unseen());
    let mut field = Field::<W> {
        table: Table::default(),
        followed: BTreeMap::new(),
        failed: 0,
        next: 1,
        rounds: 0,
        began: Instant::now(),
        way: PhantomData,
    };
    let idle = format!("transport.wireFormat.idleTimeout={}", IDLE.as_millis());
    let living = Broker::builder().amqp_option(&idle).start();
    W::prepare(&living, &shared.iter().collect::<Vec<_>>());
    let living = Arc::new(Mutex::new(living));
    let (dying, failing) = (of(Victim::Broker), of(Victim::Failover));
    let mortal = (!dying.is_empty() || !failing.is_empty()).then(|| {
        let broker = Broker::start();
        W::prepare(&broker, &runs.iter().filter(dies).collect::<Vec<_>>());
        Arc::new(Mutex::new(broker))
    });

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
            field.kill_broker(mortal.as_ref().expect("a broker to kill"), victim, wave).await;
        }
        if let Some(round) = round {
            let through = field.collect(round).await;
            field.count(&living, through);
            keep_log(&held(&living), &seeds);
        }
    }
    field.tell(count);
}

impl<W: Way> Field<W> {
    /// Starts runs, some at a time.
    fn start_on(&mut self, broker: &Shared, runs: Vec<Run>) -> JoinSet<Through> {
        let places = Arc::new(Semaphore::new(LANES));
        let mut started = JoinSet::new();
        for run in runs {
            let (places, ports) = (places.clone(), vec![port(&held(broker), run.protocol)]);
            let (first, broker) = (self.numbers(), broker.clone());
            started.spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                let mut lane = W::reach(run, ports, first).await;
                strike(&mut lane).await;
                W::finish(lane, broker).await
            });
        }
        started
    }

    /// Kills the broker, or has its standby follow, when all runs of the wave are at their step.
    async fn kill_broker(&mut self, mortal: &Shared, victim: Victim, wave: Vec<Run>) {
        let seeds: Vec<u64> = wave.iter().map(|run| run.seed).collect();
        let mut standby = (victim == Victim::Failover).then(|| held(mortal).standby());
        let mut reached = JoinSet::new();
        for run in wave {
            let mut ports: Vec<u16> = vec![port(&held(mortal), run.protocol)];
            ports.extend(standby.iter().map(|broker| port(broker, run.protocol)));
            let first = self.numbers();
            reached.spawn(async move { W::reach(run, ports, first).await });
        }
        let lanes = self.collect(reached).await;
        let mut finished = JoinSet::new();
        {
            // Who asks it something waits until it answers again.
            let mut broker = held(mortal);
            broker.kill9();
            for mut lane in lanes {
                for relay in &lane.brokers {
                    Lane::sever(relay, Cut::Close);
                }
                lane.thaw();
                finished.spawn(W::finish(lane, mortal.clone()));
            }
            match standby.take() {
                Some(mut standby) => {
                    standby.wait_until_active();
                    keep_log(&broker, &seeds);
                    *broker = standby;
                }
                None => broker.restart(),
            }
        }
        let through = self.collect(finished).await;
        self.count(mortal, through);
        keep_log(&held(mortal), &seeds);
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

    fn count(&mut self, broker: &Shared, through: Vec<Through>) {
        let mut broker = held(broker);
        W::count(self, &mut broker, through);
        println!("after {:.0?}: counted\n{}", self.began.elapsed(), self.table);
    }

    /// This one held.
    pub(crate) fn held(&mut self, through: Through) {
        let Through { lane, first_confirm } = through;
        if lane.was_taken_over() {
            self.followed.entry((lane.run.victim, lane.run.protocol)).or_default().push(first_confirm);
        }
        self.table.count(&lane.run);
        lane.done();
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
        let cells = W::GROUND.cells();
        if count >= cells.len() {
            assert!(cells.into_iter().all(|cell| table.of(cell) > 0), "a cell had no run\n{table}");
        } else if count >= 40 {
            let met = |is: &dyn Fn(&Cell) -> bool| cells.iter().filter(|cell| is(cell)).any(|&cell| table.of(cell) > 0);
            let Ground { victims, steps, .. } = W::GROUND;
            assert!(victims.iter().all(|victim| met(&|cell| cell.0 == *victim)), "a victim was spared\n{table}");
            assert!(steps.iter().all(|step| met(&|cell| cell.1 == *step)), "a step was left out\n{table}");
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

/// A broker's address as the configuration has it.
pub(crate) fn url(protocol: Protocol, addresses: &[String]) -> String {
    let scheme = if protocol == Protocol::Amqp { "amqp" } else { "tcp" };
    match addresses {
        [address] => format!("{scheme}://{address}"),
        several => {
            let list: Vec<String> = several.iter().map(|address| format!("{scheme}://{address}")).collect();
            format!("failover:({})", list.join(","))
        }
    }
}

/// Relays to the broker, and the one after it.
pub(crate) async fn relays(ports: &[u16]) -> Vec<Relay> {
    let mut relays = Vec::new();
    for &port in ports {
        relays.push(Relay::start(([127, 0, 0, 1], port).into()).await);
    }
    relays
}

/// Whether another gateway takes over.
pub(crate) fn followed(run: &Run) -> bool {
    match run.victim {
        Victim::FrozenGateway => !run.other_way,
        Victim::Gateway | Victim::LostBrokerLink => run.other_way,
        _ => false,
    }
}

/// The death.
async fn strike(lane: &mut Lane) {
    match lane.run.victim {
        Victim::Sender | Victim::Receiver => lane.kill_partner(),
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

/// What a gateway that was replaced held, and what it has to say now, goes to a broker that has given it up.
pub(crate) async fn wake_replaced(lane: &Lane) {
    // One that calls, and had done all before it stood still, is not replaced: the other has no need of the lease.
    let needless = lane.run.sends && !lane.gateway.said().contains("channel is running");
    if let Some(replaced) = lane.replaced.as_ref().filter(|_| lane.run.victim != Victim::Gateway && !needless) {
        let relay = &lane.brokers[0];
        // One that calls would take the lease again, and leave the channel when it likes.
        relay.set_refusing(lane.run.sends);
        if lane.run.victim == Victim::FrozenGateway {
            replaced.thaw();
        }
        relay.set_frozen(false);
        relay.idle(PATIENCE).await;
    }
}
