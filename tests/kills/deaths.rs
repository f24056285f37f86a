//! The sending queue manager dies at each step of its batches; the gateway lives on.

use std::time::Duration;

use mqferry::admin::{ChannelBoard, Health};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::mover::{self, Handle, MemoryBudget, Settings};
use mqferry::partner::generator::Numbered;
use mqferry::partner::{Death, Options, PartnerError, Report, Step, run};
use mqferry::target::{Embedded, Memory, Source};
use mqferry::telemetry::Metrics;
use tokio::net::TcpListener;

use super::count::assert_once;
use super::stage::{CHANNEL, QUEUE};

const STEPS: [Step; 7] = [
    Step::AfterInitialData,
    Step::MidSegment,
    Step::BetweenMessages,
    Step::ConfirmRequestSent,
    Step::ConfirmHalfRead,
    Step::ConfirmNotStored,
    Step::ConfirmStored,
];
const MESSAGES: u64 = 12;
const PATIENCE: Duration = Duration::from_secs(30);

async fn gateway<T: Source>(target: T) -> Handle {
    let text = format!(
        "name = \"AMQGW\"\n[broker]\nurl = \"embedded:unused\"\n[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"RCVR\"\n"
    );
    let plan = mqferry::config::read("test.toml", &text, &|_| None).unwrap();
    let metrics = Metrics::new().unwrap();
    let settings = Settings {
        identity: plan.identity(),
        definitions: plan.channels.iter().map(|channel| (channel.name.clone(), channel.clone())).collect(),
        outlets: std::collections::HashMap::new(),
        policy: plan.policy.clone(),
        deadq: plan.deadq.clone(),
        memory: MemoryBudget::new(64 << 20),
        board: ChannelBoard::new(&plan.channels, &metrics),
        health: Health::new(&metrics),
        metrics,
    };
    mover::start(settings, target, TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap()
}

async fn send(options: &Options) -> Result<Report, PartnerError> {
    tokio::time::timeout(PATIENCE, run(options)).await.expect("the run ends in time")
}

/// Dies at `step` after surviving it `after` times, and again at once in the next life; then sends the rest.
async fn dies<T: Source>(target: T, step: Step, after: u32, size: usize) -> Report {
    let gateway = gateway(target).await;
    let folder = tempfile::tempdir().unwrap();
    Numbered { size, ..Numbered::new(MESSAGES, QUEUE, "AMQGW") }.put(folder.path()).unwrap();
    let mut options = Options {
        batchsz: 3,
        retry_delay: Duration::from_millis(20),
        retries: 1_500,
        answer_timeout: Duration::from_secs(10),
        fsync: false,
        ..Options::new(gateway.address().to_string(), CHANNEL, folder.path())
    };
    for after in [after, 0] {
        options.die_at = Some(Death { step, after, abort: false });
        match send(&options).await {
            Err(PartnerError::Died(died)) => assert_eq!(died, step),
            other => panic!("{step:?} after {after}: {other:?}"),
        }
    }
    options.die_at = None;
    // A batch that is sent again is cut differently.
    options.first_batchsz = Some(2);
    let report = send(&options).await.unwrap_or_else(|error| panic!("{step:?} after {after}: {error}"));
    assert_eq!(u64::try_from(report.sequence), Ok(MESSAGES), "{step:?} after {after}");
    assert_eq!(gateway.stop(PATIENCE).await, 0, "{step:?} after {after}: a channel had to be given up");
    report
}

fn texts(publications: impl IntoIterator<Item = Publication>) -> Vec<String> {
    let text = |publication: Publication| match publication.body {
        Body::Text(text) => text,
        other => panic!("not a text: {other:?}"),
    };
    publications.into_iter().map(text).collect()
}

/// How often each step is survived first: at most as often as three batches of three, less the second death, allow.
fn survived(step: Step) -> &'static [u32] {
    match step {
        Step::AfterInitialData => &[0],
        Step::MidSegment | Step::BetweenMessages => &[0, 1, 4],
        _ => &[0, 1, 2],
    }
}

/// One segment a message, and three.
const SIZES: [usize; 2] = [1024, 70_000];

#[tokio::test(flavor = "multi_thread")]
async fn each_death_of_the_sender_delivers_exactly_once_to_a_target_in_memory() {
    for step in STEPS {
        for &after in survived(step) {
            for size in SIZES {
                let memory = Memory::new();
                dies(memory.clone(), step, after, size).await;
                assert_once(texts(memory.committed()), 1, MESSAGES);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_death_of_the_sender_delivers_exactly_once_to_an_embedded_store() {
    for step in STEPS {
        for &after in survived(step) {
            let folder = tempfile::tempdir().unwrap();
            let store = Embedded::open(folder.path()).await.unwrap();
            let browser = store.browser();
            let report = dies(store, step, after, 1024).await;
            let queue = Destination::Queue(QUEUE.to_owned());
            assert_once(texts(browser.messages(&queue).map(|stored| stored.unwrap().publication)), 1, MESSAGES);
            let doubtful = matches!(step, Step::ConfirmRequestSent | Step::ConfirmHalfRead | Step::ConfirmNotStored);
            let asked = report.resync_committed + report.resync_backed_out;
            assert_eq!(asked, u64::from(doubtful), "{step:?}: asked what became of a batch: {report:?}");
        }
    }
}
