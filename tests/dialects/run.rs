//! One gateway, many channels, one combination on each.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use mqferry::admin::{ChannelBoard, Health};
use mqferry::channel::Definition;
use mqferry::mapping::{Body, Destination};
use mqferry::mover::{self, MemoryBudget, Settings};
use mqferry::partner::generator;
use mqferry::partner::transmission::Draft;
use mqferry::partner::{Options, PartnerError, Putter, run};
use mqferry::target::Memory;
use mqferry::telemetry::Metrics;
use mqferry::wire::name::Name;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::options::{Case, SENDERS};
use crate::rows::Row;

const PATIENCE: Duration = Duration::from_secs(20);
/// Channels of one gateway.
const CHANNELS: usize = 250;
/// Conversations at once.
const AT_ONCE: usize = 8;
/// Messages before what happens, and after it.
const FIRST: u64 = 7;
const THEN: u64 = 2;

/// Runs all rows; gives those that failed, and why.
pub(crate) fn all(rows: &[Row]) -> Vec<(Row, String)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    rows.chunks(CHANNELS).flat_map(|rows| runtime.block_on(some(rows))).collect()
}

async fn some(rows: &[Row]) -> Vec<(Row, String)> {
    let text = "name = \"GW\"\n[broker]\nurl = \"embedded:unused\"\n[[channel]]\nname = \"C\"\nchltype = \"RCVR\"\n";
    let plan = mqferry::config::read("test.toml", text, &|_| None).unwrap();
    let definition = |row: &Row, number: usize| Definition {
        name: channel(number),
        // A sender that cannot split must be told of a size that fits.
        maxmsgl: case(row).maxmsgl,
        ..plan.channels[0].clone()
    };
    let channels: Vec<_> = rows.iter().enumerate().map(|(number, row)| definition(row, number)).collect();
    let metrics = Metrics::new().unwrap();
    let settings = Settings {
        identity: plan.identity(),
        definitions: channels.iter().map(|channel| (channel.name.clone(), channel.clone())).collect::<HashMap<_, _>>(),
        outlets: HashMap::new(),
        policy: plan.policy.clone(),
        deadq: plan.deadq.clone(),
        memory: MemoryBudget::new(64 << 20),
        board: ChannelBoard::new(&channels, &metrics),
        health: Health::new(&metrics),
        metrics,
    };
    let memory = Memory::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = mover::start(settings, memory.clone(), listener).unwrap();
    let address = gateway.address().to_string();
    let folder = memory_folder();

    let rows: Arc<[Row]> = rows.into();
    let (next, failures) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(HashMap::new())));
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (rows, next, failures) = (rows.clone(), next.clone(), failures.clone());
            let (address, folder) = (address.clone(), folder.path().to_owned());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(row) = rows.get(number) else { return };
                    let folder = folder.join(number.to_string());
                    std::fs::create_dir(&folder).unwrap();
                    if let Err(why) = converse(&case(row), &address, number, &folder).await {
                        failures.lock().unwrap().insert(number, why);
                    }
                    std::fs::remove_dir_all(&folder).unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let given_up = gateway.stop(PATIENCE).await;
    assert_eq!(given_up, 0, "channels that had to be given up");
    let mut failures = std::mem::take(&mut *failures.lock().unwrap());
    let mut arrived = vec![Vec::new(); rows.len()];
    for publication in memory.take() {
        let Destination::Queue(queue) = &publication.destination else { panic!("not a queue: {publication:?}") };
        let number: usize = queue.rsplit('.').next().unwrap().parse().unwrap_or_else(|_| panic!("at {queue}"));
        arrived[number].push(number_of(&publication.body));
    }
    for (number, arrived) in arrived.iter().enumerate() {
        if *arrived != (1..=FIRST + THEN).map(Some).collect::<Vec<_>>() {
            let why = failures.remove(&number).unwrap_or_default();
            failures.insert(number, format!("arrived: {arrived:?} {why}"));
        }
    }
    let mut failures: Vec<_> = failures.into_iter().collect();
    failures.sort_unstable();
    failures.into_iter().map(|(number, why)| (rows[number].clone(), why)).collect()
}

/// A folder in memory where there is one: each run writes files that nobody needs after it.
pub(crate) fn memory_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn case(row: &Row) -> Case {
    SENDERS.case(row)
}

fn channel(number: usize) -> String {
    format!("QM1.TO.GW.{number}")
}

fn queue(number: usize) -> String {
    format!("TARGET.{number}")
}

fn number_of(body: &Body) -> Option<u64> {
    match body {
        Body::Text(text) => generator::number_of(text.as_bytes()),
        _ => None,
    }
}

/// The channel once, ending as the case has it; then to the end of the queue; then once more with what came later.
async fn converse(case: &Case, address: &str, number: usize, folder: &Path) -> Result<(), String> {
    let mut options = Options {
        speech: case.speech.clone(),
        batchsz: 3,
        maxmsgl: case.maxmsgl,
        hbint: case.hbint,
        retry_delay: Duration::from_millis(5),
        retries: 20,
        answer_timeout: Duration::from_secs(5),
        fsync: false,
        ..Options::new(address, channel(number), folder)
    };
    put(case, number, folder, 1, FIRST);
    if let Some(death) = case.death {
        options.die_at = Some(death);
        match bounded(&options).await {
            Err(PartnerError::Died(_)) => {}
            other => return Err(format!("did not die: {other:?}")),
        }
        options.die_at = None;
        options.first_batchsz = case.recut;
    }
    let report = bounded(&options).await.map_err(|error| error.to_string())?;
    if report.sequence != i32::try_from(FIRST).unwrap() {
        return Err(format!("the sender counts otherwise: {report:?}"));
    }
    put(case, number, folder, FIRST + 1, THEN);
    options.reset = case.reset;
    bounded(&options).await.map_err(|error| format!("on the last connection: {error}"))?;
    Ok(())
}

fn put(case: &Case, number: usize, folder: &Path, first: u64, count: u64) {
    let mut putter = Putter::open(folder).unwrap();
    for (message, size) in (first..first + count).zip(case.sizes.iter().cycle()) {
        let draft = Draft {
            remote_queue: Name::new(&queue(number)).unwrap(),
            remote_qmgr: Name::new("GW").unwrap(),
            msg_id: generator::msg_id(message),
            format: Name::fitted("MQSTR"),
            encoding: 273,
            ccsid: 819,
            persistent: case.persistent,
            put_at: SystemTime::UNIX_EPOCH,
            data: generator::body(message, *size).into_bytes(),
        };
        putter.put(&draft.message()).unwrap();
    }
    putter.commit().unwrap();
}

async fn bounded(options: &Options) -> Result<mqferry::partner::Report, PartnerError> {
    let late = |_| PartnerError::Timeout { seconds: PATIENCE.as_secs(), during: "to the end of a run" };
    tokio::time::timeout(PATIENCE, run(options)).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}
