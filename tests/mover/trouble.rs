//! A target that is down, fails, or does not say what it did: nothing lost, nothing twice.

use std::time::Duration;

use mqferry::target::memory::CommitFault;
use mqferry::target::{Side, TargetError};
use mqferry::wire::{ControlFlags1, StatusCode};

use crate::caller::{CONFIRM, Caller, luwid, message, whole};
use crate::stage::{CHANNEL, Stage};

fn down() -> TargetError {
    TargetError { side: Side::Network, text: "the broker is down for the test".to_owned(), retry: true }
}

#[tokio::test]
async fn a_target_that_is_down_is_told_at_bind_and_the_partner_comes_again() {
    let stage = Stage::set().await;
    stage.memory.set_down(Some(down()));
    for _ in 0..3 {
        let mut caller = Caller::connect(stage.address()).await;
        caller.offer(CHANNEL, "QM1").await;
        caller.refused_with(StatusCode::QM_UNAVAILABLE).await;
    }
    stage.until("refusals counted", || stage.status().totals().refused == 3).await;
    assert!(stage.health.obstacles().iter().any(|why| why.contains("down for the test")), "not ready while it is down");
    assert_eq!(stage.log.lines(&["INFO", "channel is binding", CHANNEL, "QM1"]).len(), 3);
    // Three callers, one line that says why it came to nothing.
    let line = stage.log.says_once(&["WARN", CHANNEL, "the broker is down for the test"]);
    assert!(line.contains("QM_UNAVAILABLE (3, AMQ9524)"), "{line}");
    stage.put(1, 7, "Q");
    let options = stage.options();
    let back = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.memory.set_down(None);
    };
    let (report, ()) = tokio::join!(stage.send(&options), back);
    assert_eq!(report.unwrap().confirmed, 7);
    assert_eq!(stage.at("Q"), (1..=7).collect::<Vec<_>>());
    assert!(stage.health.obstacles().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_target_that_fails_in_the_batch_has_nothing_of_it() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&whole(1, luwid(1), ControlFlags1::empty(), &message(1, "Q", "GW", 60))).await;
    stage.until("the first message", || stage.status().curmsgs == 1).await;
    stage.memory.set_down(Some(down()));
    caller.say(&whole(2, luwid(1), CONFIRM, &message(2, "Q", "GW", 60))).await;
    let answer = caller.hear().await.expect("a status");
    assert_eq!(answer.status().unwrap().code, Some(StatusCode::BATCH_FAILURE));
    assert_eq!(answer.tsh.luwid, luwid(1));
    assert!(answer.tsh.flags1.contains(ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL));
    caller.closed().await;
    assert_eq!(stage.memory.count(), 0);
    let line = stage.log.says_once(&["WARN", CHANNEL, "ended", "rolled back"]);
    assert!(line.contains("BATCH_FAILURE (0x11, AMQ9506)"), "{line}");
    stage.end().await;
}

#[tokio::test]
async fn a_commit_that_is_refused_is_tried_again_by_the_partner() {
    let stage = Stage::set().await;
    stage.memory.fail_commit(CommitFault::RolledBack);
    stage.memory.fail_commit(CommitFault::RolledBack);
    stage.put(1, 12, "Q");
    let report = stage.send(&stage.options()).await.unwrap();
    assert_eq!((report.confirmed, report.connections), (12, 3), "{report:?}");
    assert_eq!(stage.at("Q"), (1..=12).collect::<Vec<_>>());
    assert_eq!(stage.status().totals().batches_rolled_back, 2);
    stage.end().await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_counts_once_whether_it_happened_or_not() {
    for fault in [CommitFault::InDoubtAllKept, CommitFault::InDoubtNothingKept] {
        let stage = Stage::set().await;
        stage.memory.fail_commit(fault);
        stage.put(1, 12, "Q");
        let report = stage.send(&stage.options()).await.unwrap();
        assert_eq!(report.confirmed, 12, "{fault:?}");
        let kept = u64::from(fault == CommitFault::InDoubtAllKept);
        assert_eq!((report.resync_committed, report.resync_backed_out), (kept, 1 - kept), "{fault:?}");
        assert_eq!(stage.at("Q"), (1..=12).collect::<Vec<_>>(), "{fault:?}");
        assert!(!stage.status().indoubt, "{fault:?}: settled by the next claim");
        stage.log.says_once(&["WARN", CHANNEL, "QM1", "in doubt", "asked for by the test"]);
        stage.end().await;
    }
}

#[tokio::test]
async fn an_operator_sees_that_a_batch_is_in_doubt() {
    let stage = Stage::set().await;
    stage.memory.fail_commit(CommitFault::InDoubtNothingKept);
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&whole(1, luwid(1), CONFIRM, &message(1, "Q", "GW", 60))).await;
    caller.closed().await;
    stage.until("the channel's end", || stage.status().state.word() == "INACTIVE").await;
    assert!(stage.status().indoubt);
    assert!(stage.metric(r#"mqferry_channel_indoubt{channel="QM1.TO.GW"}"#) == 1.0);
    let caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    stage.until("RUNNING", || stage.status().state.word() == "RUNNING").await;
    assert!(!stage.status().indoubt, "the record has told");
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn a_lease_that_is_lost_ends_an_idle_channel_at_once() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&whole(1, luwid(1), CONFIRM, &message(1, "Q", "GW", 60))).await;
    caller.confirmed(luwid(1)).await;
    stage.memory.lose_lease(&stage.key(CHANNEL, "QM1"));
    let answer = caller.hear().await.expect("a status");
    assert_eq!(answer.status().unwrap().code, Some(StatusCode::BATCH_FAILURE));
    caller.closed().await;
    stage.log.says_once(&["WARN", CHANNEL, "QM1", "the lease on"]);
    // It is nobody's now, and the next call has it.
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&whole(2, luwid(2), CONFIRM, &message(2, "Q", "GW", 60))).await;
    caller.confirmed(luwid(2)).await;
    assert_eq!(stage.at("Q"), [1, 2]);
    drop(caller);
    stage.end().await;
}
