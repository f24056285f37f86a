//! Sender, gateway or their connection dies at a chosen step; the embedded store says what arrived.

use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::count::Difference;
use super::hold::Told;
use super::lane::{Lane, folder, kept};
use super::process::Life;
use super::schedule::{EMBEDDED, Ground, Run, Step, Table, Victim};
use super::stage::{PATIENCE, address, stored_in};
use super::support::pcap;

const RUNS: usize = 200;
/// Runs at one time.
const LANES: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_death_at_each_step_delivers_exactly_once_to_an_embedded_store() {
    let began = Instant::now();
    let seeds = EMBEDDED.seeds(Ground::runs(RUNS));
    let alone = seeds.len() == 1;
    let places = Arc::new(Semaphore::new(LANES));
    let mut runs = JoinSet::new();
    for seed in seeds {
        let places = places.clone();
        runs.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let run = Run::of(&EMBEDDED, seed);
            let began = Instant::now();
            play(run.clone(), 0).await;
            println!("{run}: once, {:.1?}", began.elapsed());
            run
        });
    }
    let (mut table, mut failed) = (Table::default(), 0);
    while let Some(run) = runs.join_next().await {
        match run {
            Ok(run) => table.count(&run),
            Err(_) => failed += 1,
        }
    }
    println!("{table}\nin {:.1?}, failed {failed}", began.elapsed());
    assert_eq!(failed, 0, "runs failed; see FAILED above");
    assert!(alone || EMBEDDED.cells().into_iter().all(|cell| table.of(cell) > 0), "a cell had no run\n{table}");
}

/// One run, which panics if anything is not as it must be; `more` messages than were sent are asked for.
async fn play(run: Run, more: u64) {
    let folder = folder(&run);
    let (store, address) = (folder.join("store"), address());
    let control = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let told = Told::new(&run, &address, &store, &control.local_addr().unwrap().to_string());
    let later = Told { wait_at: None, ..told.clone() };
    let gateway = |told: &Told| Life::embedded_gateway(&told.lines(), folder.join("gateway.log"));
    let mut lane = Lane::new(run.clone(), folder.clone(), gateway(&told), &address, 1).await;
    lane.start();
    let (mut orders, _) = tokio::time::timeout(PATIENCE, control.accept()).await.expect("it starts").unwrap();
    if run.step.is_of_the_target() {
        lane.reach(async { assert_eq!(orders.read(&mut [0]).await.unwrap(), 1) }).await;
    } else {
        let stopped = lane.channel.stopped();
        lane.reach(stopped).await;
    }

    // At these two life goes on meanwhile: the death falls into the commit, or near it.
    let into_commit = run.step == Step::CommitSent && run.other_way && run.victim == Victim::Gateway;
    if into_commit {
        orders.write_all(&[1]).await.unwrap();
    }
    if into_commit || matches!(run.step, Step::ConfirmRequestIn | Step::After) {
        tokio::time::sleep(run.pause).await;
    }
    match run.victim {
        Victim::Sender => lane.kill_partner(),
        Victim::Gateway => {
            lane.kill_gateway();
            lane.gateway = gateway(&later);
            lane.gateway.start();
        }
        Victim::Link => lane.cut_link(),
        other => panic!("{other:?} is not of this ground"),
    }
    // The gateway that waits goes on; the new one keeps a connection, too.
    let _ = orders.write_all(&[1]).await;
    let _orders = match run.victim {
        Victim::Gateway => tokio::time::timeout(PATIENCE, control.accept()).await.expect("it starts again").unwrap().0,
        _ => orders,
    };
    lane.finish().await;
    // All is confirmed, so it must be on disk.
    assert!(lane.gateway.kill9(), "the gateway ended by itself");
    let bodies = tokio::task::spawn_blocking(move || stored_in(&store)).await.expect("the store");
    let mut difference = lane.difference(bodies);
    difference.lost.extend((1..=more).map(|number| run.messages + number));
    assert_eq!(difference, Difference::default(), "{run}");
    lane.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_leaves_logs_recordings_and_its_seed() {
    // Of the first cell, and far from where the others are drawn.
    let seed =
        (1 << 40) * EMBEDDED.cells().len() as u64 + u64::from(std::process::id()) * EMBEDDED.cells().len() as u64;
    let run = Run::of(&EMBEDDED, seed);
    let end = tokio::spawn(play(run.clone(), 1)).await;
    assert!(end.expect_err("one message is missing").is_panic());
    let folder = kept(seed);
    for (log, words) in [("gateway.log", "QM1.TO.AMQGW"), ("sender.log", "REPORT"), ("run.txt", &seed.to_string())] {
        let text = std::fs::read_to_string(folder.join(log)).unwrap_or_else(|error| panic!("{log}: {error}"));
        assert!(text.contains(words), "{log}: {text}");
    }
    let recorded = pcap::read(&std::fs::read(folder.join("channel.pcap")).unwrap()).unwrap();
    assert!(recorded.len() >= 2, "the connections before and after the death: {}", recorded.len());
    let first = recorded[0].stream(true);
    assert!(first.starts_with(b"TSH ") || first.starts_with(b"\xE3\xE2\xC8\x40"), "the sender speaks first");
    assert!(folder.join("xmitq").is_dir() && folder.join("store").is_dir());
    std::fs::remove_dir_all(folder).unwrap();
}
