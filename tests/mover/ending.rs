//! Stops and shutdowns: between batches, never within one.

use std::time::Duration;

use mqferry::channel::sender::StopMode;
use mqferry::wire::{ControlFlags1, Luwid, SegmentType, StatusCode};

use crate::caller::{CLOSE, CONFIRM, Caller, luwid, message, segment, whole};
use crate::stage::{CHANNEL, Stage};

async fn in_mid_batch(stage: &Stage) -> Caller {
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&whole(1, luwid(1), ControlFlags1::empty(), &message(1, "Q", "GW", 60))).await;
    stage.until("the first message", || stage.status().curmsgs == 1).await;
    caller
}

/// The batch goes on to its confirm, which asks for the end; then the partner closes as a queue manager does.
async fn batch_ends(caller: &mut Caller) {
    caller.say(&whole(2, luwid(1), CONFIRM, &message(2, "Q", "GW", 60))).await;
    assert!(caller.confirmed(luwid(1)).await.contains(ControlFlags1::REQUEST_CLOSE));
    caller.say(&segment(SegmentType::STATUS_DATA, CLOSE, Luwid::ZERO, "")).await;
    caller.closed().await;
}

#[tokio::test]
async fn the_board_shows_every_step_of_a_channel() {
    let stage = Stage::set().await;
    assert_eq!(stage.status().state.word(), "INACTIVE");
    let mut caller = in_mid_batch(&stage).await;
    let status = stage.status();
    assert_eq!((status.state.word(), status.curseqno, status.curluwid), ("RUNNING", 1, luwid(1)));
    assert_eq!((status.lstseqno, status.rqmname.as_str(), status.agreed.fap_level), (0, "QM1", 4));
    assert!(status.conname.starts_with("127.0.0.1("), "{}", status.conname);
    stage.log.says_once(&["INFO", "channel is binding", CHANNEL, "QM1", "127.0.0.1"]);
    stage.log.says_once(&["INFO", "channel is running", CHANNEL, "QM1", "batchsz=50", "lstseqno=0"]);
    assert_eq!(stage.board.stop(CHANNEL).unwrap().state.word(), "STOPPING");
    stage.until("it is said", || !stage.log.lines(&["stopping", "operator"]).is_empty()).await;
    stage.log.says_once(&["INFO", "channel is stopping", CHANNEL, "QM1", "curmsgs=1", "lstseqno=0"]);
    batch_ends(&mut caller).await;
    stage.until("STOPPED", || stage.status().state.word() == "STOPPED").await;
    let status = stage.status();
    assert_eq!((status.lstseqno, status.lstluwid, status.msgs, status.batches), (2, luwid(1), 2, 1));
    assert_eq!(status.last_error, None);
    assert_eq!(stage.at("Q"), [1, 2]);
    stage.log.says_once(&["INFO", CHANNEL, "with QM1 ended", "msgs=2", "batches=1", "lstseqno=2"]);
    assert!(stage.metric(r#"mqferry_channel_status{channel="QM1.TO.GW",status="STOPPED"}"#) == 1.0);
    assert!(stage.metric(r#"mqferry_channel_messages_total{channel="QM1.TO.GW"}"#) == 2.0);
    assert!(stage.metric("mqferry_listener_accepted_total") == 1.0);
    stage.until("no connection", || stage.metric("mqferry_listener_connections") == 0.0).await;
    stage.end().await;
}

#[tokio::test]
async fn a_shutdown_lets_the_batch_in_hand_end() {
    let stage = Stage::set().await;
    let mut caller = in_mid_batch(&stage).await;
    let (memory, log, address) = (stage.memory.clone(), stage.log.clone(), stage.address());
    let end = stage.end();
    let partner = async {
        for _ in 0..1000 {
            if !log.lines(&["channel is stopping", "the gateway ends"]).is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody is let in any more");
        batch_ends(&mut caller).await;
    };
    let (log, ()) = tokio::join!(end, partner);
    assert_eq!(memory.count(), 2);
    log.says_once(&["INFO", CHANNEL, "with QM1 ended"]);
}

/// An idle partner hears of the end when it asks whether we are there; if it never does, it is told in the end.
#[tokio::test]
async fn an_idle_channel_ends_at_the_next_heartbeat_or_when_the_time_is_up() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    stage.board.stop(CHANNEL).unwrap();
    stage.until("it is said", || !stage.log.lines(&["stopping", "operator"]).is_empty()).await;
    caller.say(&segment(SegmentType::HEARTBEAT, CONFIRM, Luwid::ZERO, "")).await;
    let beat = caller.hear().await.unwrap();
    assert_eq!((beat.tsh.segment_type, beat.tsh.flags1), (SegmentType::HEARTBEAT, ControlFlags1::REQUEST_CLOSE));
    caller.say(&segment(SegmentType::STATUS_DATA, CLOSE, Luwid::ZERO, "")).await;
    caller.closed().await;
    stage.until("STOPPED", || stage.status().state.word() == "STOPPED").await;
    stage.board.start(CHANNEL).unwrap();
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    stage.board.stop(CHANNEL).unwrap();
    tokio::time::pause();
    caller.refused_with(StatusCode::USER_CLOSED).await;
    tokio::time::resume();
    stage.end().await;
}

#[tokio::test]
async fn a_stop_that_the_partner_has_not_heard_of_is_taken_back_by_a_start() {
    let stage = Stage::set().await;
    let mut caller = in_mid_batch(&stage).await;
    stage.board.stop(CHANNEL).unwrap();
    stage.until("STOPPING", || !stage.log.lines(&["channel is stopping"]).is_empty()).await;
    stage.board.start(CHANNEL).unwrap();
    stage.until("RUNNING again", || stage.status().state.word() == "RUNNING").await;
    stage.log.says_once(&["INFO", "carries on", CHANNEL]);
    caller.say(&whole(2, luwid(1), CONFIRM, &message(2, "Q", "GW", 60))).await;
    assert!(!caller.confirmed(luwid(1)).await.contains(ControlFlags1::REQUEST_CLOSE));
    // A later stop counts again; once the partner knows, a start cannot call it back, and it may come again.
    stage.board.stop(CHANNEL).unwrap();
    stage.until("STOPPING again", || stage.log.lines(&["channel is stopping"]).len() == 2).await;
    caller.say(&segment(SegmentType::HEARTBEAT, CONFIRM, Luwid::ZERO, "")).await;
    assert_eq!(caller.hear().await.unwrap().tsh.flags1, ControlFlags1::REQUEST_CLOSE);
    assert_eq!(stage.board.start(CHANNEL).unwrap().state.word(), "STOPPING");
    caller.say(&segment(SegmentType::STATUS_DATA, CLOSE, Luwid::ZERO, "")).await;
    caller.closed().await;
    stage.until("INACTIVE", || stage.status().state.word() == "INACTIVE").await;
    drop(Caller::bound(stage.address(), CHANNEL, "QM1").await);
    stage.end().await;
}

/// Force says why, terminate says nothing; the batch is rolled back either way, and comes again.
#[tokio::test]
async fn a_stop_by_force_or_at_once_rolls_the_batch_of_a_receiving_channel_back() {
    let stage = Stage::set().await;
    for (mode, quiesced) in [(StopMode::Force, false), (StopMode::Force, true), (StopMode::Terminate, false)] {
        let mut caller = in_mid_batch(&stage).await;
        if quiesced {
            // The harder mode counts while the softer waits for the end of the batch.
            let lines = stage.log.lines(&["channel is stopping"]).len();
            stage.board.stop(CHANNEL).unwrap();
            stage.until("quiescing", || stage.log.lines(&["channel is stopping"]).len() > lines).await;
        }
        assert_eq!(stage.board.stop_with(CHANNEL, mode).unwrap().state.word(), "STOPPING");
        match mode {
            StopMode::Terminate => caller.closed().await,
            _ => caller.refused_with(StatusCode::USER_CLOSED).await,
        }
        stage.until("STOPPED", || stage.status().state.word() == "STOPPED").await;
        assert_eq!((stage.memory.count(), stage.status().indoubt), (0, false), "{mode:?}");
        stage.board.start(CHANNEL).unwrap();
    }
    let mut caller = in_mid_batch(&stage).await;
    caller.say(&whole(2, luwid(1), CONFIRM, &message(2, "Q", "GW", 60))).await;
    caller.confirmed(luwid(1)).await;
    assert_eq!(stage.at("Q"), [1, 2]);
    drop(caller);
    stage.end().await;
}
