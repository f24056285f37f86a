//! Partners without manners: silence, garbage, trickles, and those that do not listen. The others are not harmed.

use std::time::Duration;

use mqferry::wire::{ControlFlags1, Luwid, SegmentType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::caller::{CONFIRM, Caller, luwid, message, part, segment, whole};
use crate::stage::{CHANNEL, Setup, Stage, channel};

/// Two channels, so that one can be well while the other is not.
async fn two() -> Stage {
    let text = format!("{}{}", channel(CHANNEL, ""), channel("WELL", ""));
    Stage::with(Setup { text, ..Setup::default() }).await
}

/// A batch on the well-behaved channel.
async fn well(stage: &Stage, caller: &mut Caller, sequence: i32) {
    let batch = luwid(u8::try_from(sequence).unwrap());
    let number = u64::try_from(sequence).unwrap();
    caller.say(&whole(sequence, batch, CONFIRM, &message(number, "WELL", "GW", 60))).await;
    caller.confirmed(batch).await;
    assert_eq!(stage.at("WELL").last(), Some(&number));
}

#[tokio::test]
async fn whoever_speaks_another_protocol_gets_no_answer_and_one_line() {
    let stage = two().await;
    let mut bystander = Caller::bound(stage.address(), "WELL", "QM9").await;
    let cases: [(&str, &[u8]); 5] = [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n"),
        ("TLS", &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03, 0, 0, 0, 0, 0]),
        ("zeros", &[0; 64]),
        ("AMQP", b"AMQP\0\x01\0\0"),
        ("a length that no segment has", b"TSH \xFF\xFF\xFF\xFF\x01\x01\x01\0"),
    ];
    for (sequence, (what, bytes)) in (1..).zip(cases) {
        let before = stage.log.lines(&["WARN"]).len();
        let mut caller = Caller::connect(stage.address()).await;
        caller.say_bytes(bytes).await;
        let mut heard = Vec::new();
        caller.stream.read_to_end(&mut heard).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(heard, b"", "{what}");
        stage.until("a line", || stage.log.lines(&["WARN"]).len() > before).await;
        let lines = stage.log.lines(&["WARN"]);
        assert_eq!(lines.len(), before + 1, "{what}: {lines:#?}");
        assert!(lines[before].contains("TSH") && lines[before].contains("expected"), "{what}: {}", lines[before]);
        well(&stage, &mut bystander, sequence).await;
    }
    stage.until("counted", || stage.metric("mqferry_listener_refused_total") == 5.0).await;
    drop(bystander);
    stage.end().await;
}

#[tokio::test]
async fn silence_ends_when_its_time_is_up() {
    let stage = Stage::set().await;
    let mut caller = Caller::connect(stage.address()).await;
    stage.until("it is in", || stage.metric("mqferry_listener_connections") == 1.0).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    caller.closed().await;
    let waited = began.elapsed();
    tokio::time::resume();
    assert!((29..32).contains(&waited.as_secs()), "{waited:?}");
    stage.log.says_once(&["WARN", "no INITIAL_DATA within 30 s", "peer=127.0.0.1"]);
    stage.end().await;
}

/// 300 bytes a second, as over a line of 2,400 baud: slow is not wrong.
#[tokio::test]
async fn a_trickle_arrives() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let bytes = whole(1, luwid(1), CONFIRM, &message(1, "Q", "GW", 6000)).encode();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    for piece in bytes.chunks(30) {
        caller.say_bytes(piece).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() > Duration::from_secs(20));
    caller.confirmed(luwid(1)).await;
    tokio::time::resume();
    assert_eq!(stage.at("Q"), [1]);
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn a_connection_that_ends_within_a_segment_is_no_normal_end() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say_bytes(&segment(SegmentType::HEARTBEAT, CONFIRM, Luwid::ZERO, "").encode()[..20]).await;
    drop(caller);
    stage.until("its end", || stage.status().state.word() == "INACTIVE").await;
    stage.log.says_once(&["WARN", CHANNEL, "with QM1 ended: the connection closed 20 bytes into a segment"]);
    stage.end().await;
}

#[tokio::test]
async fn a_message_that_begins_and_does_not_go_on_ends_the_channel() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&part(1, luwid(1), ControlFlags1::FIRST, &[0; 600], 100_000)).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    caller.closed().await;
    let waited = began.elapsed();
    tokio::time::resume();
    assert!((59..62).contains(&waited.as_secs()), "{waited:?}");
    stage.log.says_once(&["WARN", CHANNEL, "QM1", "did not go on within 60 s"]);
    assert_eq!(stage.memory.count(), 0);
    stage.end().await;
}

/// The partner asks and asks and never reads: its own window fills, and it goes. Nobody else waits for that.
#[tokio::test]
async fn a_partner_that_does_not_listen_is_given_up() {
    let stage = two().await;
    let mut bystander = Caller::bound(stage.address(), "WELL", "QM9").await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let beat = segment(SegmentType::HEARTBEAT, CONFIRM, Luwid::ZERO, "").encode();
    let many: Vec<u8> = beat.iter().copied().cycle().take(beat.len() * 2000).collect();
    // Until nothing more can be written for a while: then the gateway does not read, for it cannot write.
    let mut quiet = 0;
    while quiet < 20 {
        match tokio::time::timeout(Duration::from_millis(50), caller.stream.write(&many)).await {
            Ok(written) => {
                written.unwrap();
                quiet = 0;
            }
            Err(_) => quiet += 1,
        }
    }
    well(&stage, &mut bystander, 1).await;
    tokio::time::pause();
    while stage.log.lines(&["took no bytes"]).is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    stage.log.says_once(&["WARN", CHANNEL, "QM1", "could not be written to: it took no bytes for 30s"]);
    well(&stage, &mut bystander, 2).await;
    drop((caller, bystander));
    stage.end().await;
}
