//! Large messages and many channels: the memory of a gateway process stays within what was promised.
#![allow(clippy::disallowed_methods, reason = "measures a real process")]

#[path = "support/process.rs"]
mod process;
#[path = "support/stage.rs"]
mod stage;

use std::path::Path;
use std::time::{Duration, Instant};

use mqferry::mapping::{Body, Destination};
use mqferry::partner::generator::{Numbered, number_of};
use mqferry::partner::{Options, Report, Speech, run};
use mqferry::target::embedded::Browser;
use process::Process;
use stage::{CHANNEL, channel, options};
use tempfile::TempDir;

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

async fn send(process: &Process, folder: &Path, numbered: &Numbered, speech: Speech) -> Report {
    numbered.put(folder).unwrap();
    let options = Options { speech, maxmsgl: 104_857_600, ..options(process.address, folder) };
    tokio::time::timeout(PATIENCE, run(&options)).await.expect("in time").unwrap()
}

/// Numbers of what lies at a queue of the store, in order; each body has so many bytes.
fn arrived(ended: &TempDir, queue: &str, size: usize) -> Vec<u64> {
    let browser = Browser::open(ended.path().join("store")).unwrap();
    let queue = Destination::Queue(queue.to_owned());
    browser
        .messages(&queue)
        .map(|stored| {
            let body = stored.unwrap().publication.body;
            let bytes: &[u8] = match &body {
                Body::Text(text) => text.as_bytes(),
                Body::Bytes(bytes) => bytes,
                other => panic!("{other:?}"),
            };
            assert_eq!(bytes.len(), size);
            number_of(bytes).expect("a numbered message")
        })
        .collect()
}

/// The largest message that a channel takes, 100 MB with its headers: as bytes, and as text, which is converted.
#[tokio::test]
async fn a_message_of_100_mb_passes_within_three_times_its_size() {
    const SIZE: usize = 104_857_600 - 476;
    for text in [false, true] {
        let process = Process::start(&channel(CHANNEL, ""));
        let folder = tempfile::tempdir().unwrap();
        let before = process.memory();
        let messages = Numbered { size: SIZE, text, ..Numbered::new(1, "Q", "GW") };
        let began = Instant::now();
        assert_eq!(send(&process, folder.path(), &messages, Speech::default()).await.confirmed, 1);
        let grown = process.most_memory() - before;
        let times = grown as f64 / SIZE as f64;
        println!("100 MB, text {text}: {:.1?}, {} MiB, {times:.2} times its size", began.elapsed(), grown / MIB);
        let numbers = arrived(&process.end(), "Q", SIZE);
        assert_eq!(numbers, [1]);
        assert!(times < 3.0, "{} MiB for {} MiB", grown / MIB, SIZE / MIB);
    }
}

/// Messages of 1 MB in segments of 32 KB, in batches of fifty: they pass as slices, and the budget holds.
#[tokio::test]
async fn messages_of_1_mb_pass_in_segments_of_32_kb() {
    const COUNT: u64 = 100;
    const SIZE: usize = 1_000_000;
    let process = Process::start(&channel(CHANNEL, ""));
    let folder = tempfile::tempdir().unwrap();
    let before = process.memory();
    let messages = Numbered { size: SIZE, ..Numbered::new(COUNT, "Q", "GW") };
    messages.put(folder.path()).unwrap();
    let options = Options { batchsz: 50, ..options(process.address, folder.path()) };
    let began = Instant::now();
    let report = tokio::time::timeout(PATIENCE, run(&options)).await.expect("in time").unwrap();
    assert_eq!((report.confirmed, report.batches), (COUNT, 2));
    assert_eq!(report.agreed.unwrap().max_transmission_size, 32766);
    let grown = process.most_memory() - before;
    println!("100 x 1 MB: {:.1?}, {} MiB for batches of 50 MB", began.elapsed(), grown / MIB);
    assert_eq!(arrived(&process.end(), "Q", SIZE), (1..=COUNT).collect::<Vec<_>>());
    assert!(grown < 3 * 50 * SIZE, "{} MiB for a batch of 50 MB", grown / MIB);
}

/// A thousand channels are defined, two hundred run at once, each sends a few batches: bounded time, and memory told.
#[tokio::test]
async fn a_thousand_channels_are_defined_and_two_hundred_run() {
    const DEFINED: usize = 1000;
    const RUNNING: usize = 200;
    const COUNT: u64 = 20;
    let name = |number: usize| format!("QM1.TO.GW.{number:03}");
    let text: String = (0..DEFINED).map(|number| channel(&name(number), "")).collect();
    let began = Instant::now();
    let process = Process::start(&text);
    let started = began.elapsed();
    let idle = process.memory();
    let folder = tempfile::tempdir().unwrap();
    let sends = (0..RUNNING).map(|number| {
        let own = folder.path().join(number.to_string());
        std::fs::create_dir(&own).unwrap();
        Numbered { size: 1000, ..Numbered::new(COUNT, format!("Q{number:03}"), "GW") }.put(&own).unwrap();
        // Up together for a moment, so that all of them run at once.
        let discint = Duration::from_secs(2);
        let options = Options { channel: name(number), batchsz: 10, discint, ..options(process.address, &own) };
        async move { run(&options).await }
    });
    let began = Instant::now();
    let all = tokio::time::timeout(PATIENCE, futures_util::future::join_all(sends)).await.expect("in time");
    let took = began.elapsed();
    for report in all {
        let report = report.unwrap();
        assert_eq!((report.confirmed, report.connections), (COUNT, 1), "nobody had to call twice");
    }
    let most = process.most_memory();
    println!(
        "{DEFINED} channels defined in {started:.1?} and {} MiB; {RUNNING} ran: {took:.1?}, at most {} MiB",
        idle / MIB,
        most / MIB
    );
    let log = process.log();
    assert_eq!(log.matches("channel is running").count(), RUNNING);
    let ended = process.end();
    for number in 0..RUNNING {
        assert_eq!(arrived(&ended, &format!("Q{number:03}"), 1000), (1..=COUNT).collect::<Vec<_>>(), "{number}");
    }
    assert!(most - idle < 200 * MIB, "{} MiB for {RUNNING} channels", (most - idle) / MIB);
}
