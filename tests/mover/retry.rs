//! MRRTY and MRTMR: what the target refuses for now is put again, in its place.

use std::time::Duration;

use mqferry::mapping::Destination;
use mqferry::target::Refusal;
use mqferry::wire::ControlFlags1;

use crate::caller::{CONFIRM, Caller, luwid, message, whole};
use crate::stage::{CHANNEL, Log, Setup, Stage, channel};

fn queue(name: &str) -> Destination {
    Destination::Queue(name.to_owned())
}

fn full() -> Refusal {
    Refusal { reason: 2053, text: "the queue is full for the test".to_owned() }
}

async fn stage(mrrty: u32, mrtmr: u32, hbint: u32) -> Stage {
    let text = channel(CHANNEL, &format!("mrrty = {mrrty}\nmrtmr = {mrtmr}\nhbint = {hbint}"));
    Stage::with(Setup { text, ..Setup::default() }).await
}

/// A batch of `count` messages for Q, from number 1.
async fn batch(caller: &mut Caller, count: i32) {
    for sequence in 1..=count {
        let flags = if sequence == count { CONFIRM } else { ControlFlags1::empty() };
        let number = u64::try_from(sequence).unwrap();
        caller.say(&whole(sequence, luwid(1), flags, &message(number, "Q", "GW", 60))).await;
    }
}

fn paused(log: &Log) -> usize {
    log.lines(&["WARN", CHANNEL, "with QM1 is paused", "queue://Q", "2053"]).len()
}

#[tokio::test]
async fn a_full_queue_is_waited_for_and_the_board_says_so() {
    let stage = stage(50, 100, 300).await;
    stage.memory.refuse(queue("Q"), full());
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    batch(&mut caller, 5).await;
    stage.until("PAUSED", || stage.status().state.word() == "PAUSED").await;
    assert!(stage.metric(r#"mqferry_channel_status{channel="QM1.TO.GW",status="PAUSED"}"#) == 1.0);
    assert_eq!(stage.memory.count(), 0);
    stage.memory.refuse_next(queue("Q"), full(), 0);
    assert!(!caller.confirmed(luwid(1)).await.contains(ControlFlags1::DLQ_USED));
    assert_eq!(stage.at("Q"), [1, 2, 3, 4, 5]);
    assert_eq!(stage.status().state.word(), "RUNNING");
    assert_eq!(paused(&stage.log), 1, "{}", stage.log.text());
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn a_queue_that_stays_full_ends_in_the_dead_letter_queue_after_so_many_tries() {
    let stage = stage(3, 1000, 300).await;
    stage.memory.refuse(queue("Q"), full());
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    batch(&mut caller, 2).await;
    assert!(caller.confirmed(luwid(1)).await.contains(ControlFlags1::DLQ_USED));
    let waited = began.elapsed();
    tokio::time::resume();
    assert!(waited >= Duration::from_secs(3) && waited < Duration::from_secs(4), "{waited:?}");
    assert_eq!((stage.at("Q").len(), stage.dead().len()), (0, 2));
    drop(caller);
    stage.end().await;
}

/// The first message is refused once, those behind it are taken: it must not come after them.
#[tokio::test]
async fn nothing_overtakes_a_message_that_waits() {
    for refused in 1..=4 {
        let stage = stage(10, 20, 300).await;
        stage.memory.refuse_next(queue("Q"), full(), refused);
        let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
        batch(&mut caller, 3).await;
        assert!(!caller.confirmed(luwid(1)).await.contains(ControlFlags1::DLQ_USED));
        assert_eq!(stage.at("Q"), [1, 2, 3], "{refused} refused");
        assert_eq!(stage.memory.commits(), 1);
        assert_eq!(stage.status().msgs, 3, "counted once");
        drop(caller);
        stage.end().await;
    }
}

#[tokio::test]
async fn what_time_cannot_mend_is_not_put_again() {
    for reason in [2035, 2085, 2030] {
        let stage = stage(10, 200_000, 300).await;
        stage.memory.refuse(queue("Q"), Refusal { reason, text: "not today, not tomorrow".to_owned() });
        let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
        batch(&mut caller, 1).await;
        assert!(caller.confirmed(luwid(1)).await.contains(ControlFlags1::DLQ_USED), "{reason}");
        assert_eq!(paused(&stage.log), 0);
        drop(caller);
        stage.end().await;
    }
}

/// A partner waits for its confirm twice its heartbeat interval at least; we wait once that long.
#[tokio::test]
async fn the_partner_is_not_kept_waiting_beyond_its_patience() {
    let stage = stage(1_000_000, 1000, 20).await;
    stage.memory.refuse(queue("Q"), full());
    let mut caller = Caller::connect(stage.address()).await;
    let mut offer = crate::caller::offer(CHANNEL, "QM1");
    offer.fap4.as_mut().unwrap().heartbeat_interval = 20;
    caller.propose(&offer).await;
    caller.agreed().await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    batch(&mut caller, 1).await;
    assert!(caller.confirmed(luwid(1)).await.contains(ControlFlags1::DLQ_USED));
    let waited = began.elapsed();
    tokio::time::resume();
    assert!(waited <= Duration::from_secs(21), "{waited:?}");
    assert_eq!(stage.dead().len(), 1);
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn a_pause_is_cut_short_when_the_partner_comes_back() {
    let stage = stage(10, 60_000, 300).await;
    stage.memory.refuse(queue("Q"), full());
    let mut first = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    batch(&mut first, 1).await;
    stage.until("PAUSED", || stage.status().state.word() == "PAUSED").await;
    let second = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    assert_eq!((stage.memory.count(), stage.health.obstacles().len()), (0, 0));
    drop((first, second));
    stage.end().await;
}
