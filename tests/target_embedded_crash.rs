//! The embedded store against `kill -9` and a full disk: a batch and its record are both there, or neither.
//!
//! The child is this test program itself, told by an environment variable to write until it dies.

#![allow(clippy::disallowed_methods, reason = "real processes run by the real clock")]

#[path = "support/target_contract.rs"]
mod target_contract;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use mqferry::mapping::{Body, Destination};
use mqferry::target::embedded::Browser;
use mqferry::target::{Claim, Claimed, Embedded, Outcome, Target, Unit};
use target_contract::{key, luwid, publication, record};

const STORE: &str = "MQFERRY_TEST_STORE";
const BATCH: u32 = 5;

/// The child: batch after batch over two queues, going on behind the stored record, a line for each answer.
/// Without its variable this is not the child, and there is nothing to do.
#[tokio::test]
async fn child_that_writes_until_it_dies() {
    let Some(dir) = std::env::var_os(STORE) else { return };
    let embedded = match Embedded::open(dir).await {
        Ok(embedded) => embedded,
        Err(error) => return println!("\nunopened {error}"),
    };
    let Claimed::Ours(mut holder) = embedded.claim(&key("CRASH")).await.unwrap() else { panic!("held") };
    let mut last = holder.record().map_or(0, |record| u32::try_from(record.sequence).unwrap());
    println!("\nclaimed {last}");
    loop {
        let numbers = last + 1..last + BATCH + 1;
        let mut unit = holder.begin(luwid(last)).await.unwrap();
        for number in numbers.clone() {
            unit.stage(0, publication(&queue(number), number)).await.unwrap();
        }
        match unit.commit(record(luwid(last), numbers)).await {
            Outcome::Committed => last += BATCH,
            Outcome::RolledBack(error) | Outcome::Refused(error) => return println!("rolledback {error}"),
            Outcome::InDoubt(error) => return println!("indoubt {error}"),
        }
        println!("committed {last}");
    }
}

fn queue(number: u32) -> Destination {
    Destination::Queue(if number.is_multiple_of(2) { "EVEN" } else { "ODD" }.into())
}

/// The child's command, its output piped.
fn child(mut command: Command, dir: &Path) -> (Child, std::io::Lines<BufReader<ChildStdout>>) {
    let mut child = command
        .args(["--exact", "child_that_writes_until_it_dies", "--nocapture"])
        .env(STORE, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// Reads lines until one starts with `word`; gives what follows it.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, word: &str) -> String {
    lines
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix(word).map(|rest| rest.trim().to_owned()))
        .unwrap_or_else(|| panic!("the child never said {word:?}"))
}

/// Reads the store as it lies there; gives the record's number when every message up to it is there, once, in order.
fn whole(dir: &Path) -> u32 {
    let browser = Browser::open(dir).unwrap();
    let channels = browser.channels().unwrap();
    let sync = channels.iter().find(|it| it.key == key("CRASH")).and_then(|it| it.sync.clone());
    let last = sync.as_ref().map_or(0, |sync| u32::try_from(sync.sequence).unwrap());
    if let Some(sync) = sync {
        assert_eq!(sync, record(luwid(last - BATCH), last - BATCH + 1..last + 1), "the record is that of one batch");
    }
    for parity in [0, 1] {
        let found: Vec<_> = browser
            .messages(&queue(parity))
            .map(|stored| stored.unwrap().publication)
            .map(|publication| match publication.body {
                Body::Text(_) => publication.message_id.unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        let wanted: Vec<_> = (1..=last)
            .filter(|number| number % 2 == parity)
            .map(|number| publication(&queue(parity), number).message_id.unwrap())
            .collect();
        assert_eq!(found, wanted, "record says {last}");
    }
    last
}

#[test]
fn sixty_kills_around_the_commit_leave_both_or_neither() {
    let dir = tempfile::tempdir().unwrap();
    let (mut kept, mut answered_total) = (0, 0);
    for round in 0..60_u32 {
        let (mut child, mut lines) = child(Command::new(std::env::current_exe().unwrap()), dir.path());
        let claimed: u32 = wait_for(&mut lines, "claimed").parse().unwrap();
        assert_eq!(claimed, kept, "round {round}: the next process goes on where the record says");
        let mut answered = claimed;
        for _ in 0..round % 4 {
            answered = wait_for(&mut lines, "committed").parse().unwrap();
        }
        // Not for luck: every moment of the next commit is to be hit in some round.
        std::thread::sleep(Duration::from_micros(u64::from(round * 7919 % 60) * 100));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("committed ") {
                answered = number.parse().unwrap();
            }
        }
        kept = whole(dir.path());
        assert!(kept >= answered, "round {round}: {answered} was answered as committed, the store has {kept}");
        assert!(kept <= answered + BATCH, "round {round}: {kept} is there, {answered} was answered");
        answered_total += u32::from(kept > answered);
    }
    println!("{kept} messages kept; {answered_total} of 60 kills fell between commit and answer");
    assert!(kept > 0, "the child never committed anything");
}

/// A store that was never made to its end must not lie in the way of the next start.
#[test]
fn forty_kills_while_the_store_is_made_leave_one_that_opens() {
    let mut made = 0;
    for round in 0..40_u32 {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, _lines) = child(Command::new(std::env::current_exe().unwrap()), dir.path());
        std::thread::sleep(Duration::from_micros(2000 + u64::from(round) * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        match Browser::open(dir.path()) {
            Ok(browser) => {
                drop(browser);
                whole(dir.path());
                made += 1;
            }
            Err(error) => assert!(error.text.contains("holds no store"), "round {round}: {error}"),
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Embedded::open(dir.path())).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let names = std::fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["mqferry.redb"], "round {round}: nothing is left lying about");
    }
    println!("{made} of 40 kills came after the store was made");
}

#[test]
fn a_second_process_is_told_at_once_that_the_store_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut lines) = child(Command::new(std::env::current_exe().unwrap()), dir.path());
    wait_for(&mut lines, "committed");
    let started = Instant::now();
    let (mut second, mut said) = child(Command::new(std::env::current_exe().unwrap()), dir.path());
    let error = wait_for(&mut said, "unopened");
    let took = started.elapsed();
    second.wait().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(error.contains("held by another process") && error.contains(&dir.path().display().to_string()), "{error}");
    assert!(took < Duration::from_secs(5), "took {took:?}");
    whole(dir.path());
}

/// The disk is full: played by a limit on the size of files, which fails writes just so.
#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_spoils_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    // Two megabytes (4096 blocks of 512 bytes), and the signal that would otherwise end the process ignored.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let (mut child, lines) = child(shell, dir.path());
    let (mut answered, mut failed) = (0, None);
    for line in lines.map(Result::unwrap) {
        match line.split_once(' ') {
            Some(("committed", number)) => answered = number.parse().unwrap(),
            Some(("rolledback" | "indoubt" | "unopened", error)) => failed = Some(error.to_owned()),
            _ => {}
        }
    }
    child.wait().unwrap();
    let error = failed.expect("the child's commit failed");
    assert!(error.contains("mqferry.redb") && error.contains("make room on that disk"), "{error}");
    let kept = whole(dir.path());
    assert!(kept == answered || kept == answered + BATCH, "{kept} kept, {answered} answered");
    let (mut child, mut lines) = self::child(Command::new(std::env::current_exe().unwrap()), dir.path());
    wait_for(&mut lines, "committed");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(whole(dir.path()) > kept, "with room again it goes on");
}
