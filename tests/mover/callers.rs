//! Who may have a channel: second connections, unknown, wrong and stopped channels, and several partners of one.

use std::net::IpAddr;

use mqferry::wire::{ControlFlags1, StatusCode};

use crate::caller::{CLOSE, CONFIRM, Caller, luwid, message, segment, whole};
use crate::stage::{CHANNEL, Setup, Stage, channel};

#[tokio::test]
async fn a_second_connection_from_the_same_address_takes_over() {
    let stage = Stage::set().await;
    let mut first = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    first.say(&whole(1, luwid(1), ControlFlags1::empty(), &message(1, "Q", "GW", 60))).await;
    stage.until("the first message", || stage.status().curmsgs == 1).await;
    // The partner believes its first connection dead; what it sent there unconfirmed it sends again.
    let mut second = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    first.closed().await;
    second.say(&whole(1, luwid(2), CONFIRM, &message(1, "Q", "GW", 60))).await;
    second.confirmed(luwid(2)).await;
    assert_eq!(stage.at("Q"), [1], "the open unit of the first was rolled back");
    stage.log.says_once(&["WARN", CHANNEL, "QM1", "another connection, which takes over"]);
    drop(second);
    stage.end().await;
}

#[tokio::test]
async fn a_second_connection_from_another_address_is_refused() {
    let stage = Stage::set().await;
    let mut first = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let mut second = Caller::connect_from(IpAddr::from([127, 0, 0, 2]), stage.address()).await;
    second.offer(CHANNEL, "QM1").await;
    second.refused_with(StatusCode::CHANNEL_UNAVAILABLE).await;
    let line = stage.log.says_once(&["WARN", CHANNEL, "QM1 at 127.0.0.2", "already runs", "127.0.0.1"]);
    assert!(line.contains("CHANNEL_UNAVAILABLE (0x16, AMQ9558)"), "{line}");
    first.say(&whole(1, luwid(1), CONFIRM, &message(1, "Q", "GW", 60))).await;
    first.confirmed(luwid(1)).await;
    let status = stage.status();
    assert_eq!((status.state.word(), status.totals().refused), ("RUNNING", 1), "the first goes on");
    drop(first);
    stage.end().await;
}

#[tokio::test]
async fn several_partners_of_one_channel_count_each_for_itself() {
    let stage = Stage::set().await;
    let mut callers = Vec::new();
    for qmgr in ["QM1", "QM2", "QM3"] {
        callers.push(Caller::bound(stage.address(), CHANNEL, qmgr).await);
    }
    for (number, caller) in (1..).zip(&mut callers) {
        caller.say(&whole(1, luwid(1), CONFIRM, &message(number, "Q", "GW", 60))).await;
        caller.confirmed(luwid(1)).await;
    }
    assert_eq!(stage.at("Q"), [1, 2, 3], "each begins at number 1");
    let shown: Vec<_> = stage.board.all().into_iter().map(|status| (status.rqmname, status.msgs)).collect();
    assert_eq!(shown, [("QM1".to_owned(), 1), ("QM2".to_owned(), 1), ("QM3".to_owned(), 1)]);
    assert!(stage.metric(r#"mqferry_channel_messages_total{channel="QM1.TO.GW"}"#) == 3.0);
    // The newest goes; the channel runs on for the others, and the board says so.
    drop(callers.pop());
    stage.until("one less", || stage.board.all().len() == 2).await;
    assert_eq!(stage.status().state.word(), "RUNNING");
    drop(callers);
    stage.until("none", || stage.status().state.word() == "INACTIVE").await;
    stage.end().await;
}

#[tokio::test]
async fn unknown_wrong_and_stopped_channels_are_refused_each_in_its_way() {
    let text = format!("{}[[channel]]\nname = \"GW.ASKS\"\nchltype = \"RQSTR\"\n", channel(CHANNEL, ""));
    let stage = Stage::with(Setup { text, ..Setup::default() }).await;
    let mut caller = Caller::connect(stage.address()).await;
    caller.offer("NO.SUCH", "QM1").await;
    caller.refused_with(StatusCode::NO_CHANNEL).await;
    let line = stage.log.says_once(&["WARN", "NO.SUCH", "define it with [[channel]]"]);
    assert!(line.contains("NO_CHANNEL (1, AMQ9520)"), "{line}");
    stage.until("it is counted", || stage.metric("mqferry_listener_refused_total") == 1.0).await;

    // A requester calls a receiver: nobody would send.
    let mut caller = Caller::connect(stage.address()).await;
    let mut offer = crate::caller::offer(CHANNEL, "QM1");
    offer.cap_flags1 = mqferry::wire::CapFlags1::from_bits_retain(0x08);
    caller.propose(&offer).await;
    caller.refused_with(StatusCode::CHANNEL_WRONG_TYPE).await;
    stage.log.says_once(&["WARN", CHANNEL, "CHANNEL_WRONG_TYPE (2, AMQ9547)"]);

    stage.board.stop(CHANNEL).unwrap();
    let mut caller = Caller::connect(stage.address()).await;
    caller.offer(CHANNEL, "QM1").await;
    caller.refused_with(StatusCode::CHANNEL_UNAVAILABLE).await;
    stage.log.says_once(&["WARN", CHANNEL, "QM1", "mqferry channel start", "AMQ9558"]);
    assert_eq!(stage.status().state.word(), "STOPPED");
    stage.board.start(CHANNEL).unwrap();
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&segment(mqferry::wire::SegmentType::STATUS_DATA, CLOSE, mqferry::wire::Luwid::ZERO, "")).await;
    caller.closed().await;
    stage.end().await;
}
