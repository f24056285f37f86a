//! Messages that cannot be delivered go to the dead-letter queue, alone.

use mqferry::mapping::{Body, Destination, Publication, Value};
use mqferry::target::Refusal;
use mqferry::wire::{ControlFlags1, Luwid, StatusCode};

use crate::caller::{CONFIRM, Caller, luwid, message, whole};
use crate::stage::{CHANNEL, Stage};

fn queue(name: &str) -> Destination {
    Destination::Queue(name.to_owned())
}

fn refusal(reason: i32) -> Refusal {
    Refusal { reason, text: "refused for the test".to_owned() }
}

fn int(publication: &Publication, name: &str) -> i32 {
    match publication.properties.get(name) {
        Some(Value::Int(value)) => *value,
        other => panic!("{name}: {other:?}"),
    }
}

fn text<'a>(publication: &'a Publication, name: &str) -> &'a str {
    match publication.properties.get(name) {
        Some(Value::String(value)) => value,
        other => panic!("{name}: {other:?}"),
    }
}

/// An MQDLH of this reason, and behind it these bytes (wire reference, headers: 172 bytes, Reason at 8).
fn assert_dead(publication: &Publication, reason: i32, behind: &[u8]) {
    assert_eq!(publication.destination, queue("MQFERRY.DLQ"));
    assert_eq!(int(publication, "MQFERRY_Reason"), reason);
    let Body::Bytes(body) = &publication.body else { panic!("not bytes: {:?}", publication.body) };
    assert_eq!(&body[..4], b"DLH ");
    assert_eq!(body[8..12], reason.to_be_bytes());
    assert_eq!(&body[172..], behind);
}

#[tokio::test]
async fn a_refused_message_goes_to_the_dead_letter_queue_and_its_neighbours_are_not_touched() {
    let stage = Stage::set().await;
    stage.memory.refuse(queue("FORBIDDEN"), refusal(2035));
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let batch: Vec<_> = [(1, "OPEN"), (2, "FORBIDDEN"), (3, "OPEN")]
        .into_iter()
        .map(|(number, queue)| message(number, queue, "GW", 60))
        .collect();
    for (sequence, bytes) in (1..).zip(&batch) {
        let flags = if sequence == 3 { CONFIRM } else { ControlFlags1::empty() };
        caller.say(&whole(sequence, luwid(1), flags, bytes)).await;
    }
    assert!(caller.confirmed(luwid(1)).await.contains(ControlFlags1::DLQ_USED));
    assert_eq!(stage.at("OPEN"), [1, 3]);
    let dead = stage.dead();
    assert_eq!(dead.len(), 1);
    assert_dead(&dead[0], 2035, &batch[1][428..]);
    assert_eq!(text(&dead[0], "MQFERRY_RemoteQ"), "FORBIDDEN");
    assert_eq!(stage.memory.commits(), 1, "one unit of work");
    // The next batch says nothing of dead letters.
    caller.say(&whole(4, luwid(2), CONFIRM, &message(4, "OPEN", "GW", 60))).await;
    assert!(!caller.confirmed(luwid(2)).await.contains(ControlFlags1::DLQ_USED));
    let status = stage.status();
    assert_eq!((status.lstseqno, status.msgs, status.batches, status.totals().dead_lettered), (4, 4, 2, 1));
    assert!(stage.metric(r#"mqferry_channel_dead_lettered_total{channel="QM1.TO.GW"}"#) == 1.0);
    stage.log.says_once(&["WARN", CHANNEL, "dead-letters", "MQFERRY.DLQ", "refused for the test", "sequence=2"]);
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn what_cannot_be_mapped_goes_there_with_the_reason_of_a_queue_manager() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let unknown = message(1, "Q", "ELSEWHERE", 60);
    let mut broken = message(2, "Q", "GW", 60);
    broken[..4].copy_from_slice(b"XYZ ");
    let short = message(3, "Q", "GW", 60)[..300].to_vec();
    let good = message(4, "Q", "GW", 60);
    for (sequence, bytes) in (1..).zip([&unknown, &broken, &short, &good]) {
        let flags = if sequence == 4 { CONFIRM } else { ControlFlags1::empty() };
        caller.say(&whole(sequence, luwid(1), flags, bytes)).await;
    }
    assert!(caller.confirmed(luwid(1)).await.contains(ControlFlags1::DLQ_USED));
    assert_eq!(stage.at("Q"), [4]);
    let dead = stage.dead();
    assert_eq!(dead.len(), 3);
    assert_dead(&dead[0], 2087, &unknown[428..]);
    // Of what cannot be taken apart every byte is kept.
    assert_dead(&dead[1], 271, &broken);
    assert_dead(&dead[2], 271, &short);
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn without_a_dead_letter_queue_nothing_is_confirmed() {
    let stage = Stage::set().await;
    stage.memory.refuse(queue("FORBIDDEN"), refusal(2035));
    stage.memory.refuse(queue("MQFERRY.DLQ"), Refusal { reason: 2035, text: "no right to write there".to_owned() });
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    caller.say(&whole(1, luwid(1), ControlFlags1::empty(), &message(1, "OPEN", "GW", 60))).await;
    caller.say(&whole(2, luwid(1), CONFIRM, &message(2, "FORBIDDEN", "GW", 60))).await;
    let answer = caller.hear().await.expect("a status");
    assert_eq!(answer.status().unwrap().code, Some(StatusCode::CAN_NOT_STORE));
    assert_eq!(answer.tsh.luwid, luwid(1), "it refuses that batch");
    assert!(answer.tsh.flags1.contains(ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL));
    caller.closed().await;
    assert_eq!(stage.memory.count(), 0);
    assert_eq!(stage.memory.record(&stage.key(CHANNEL, "QM1")).and_then(|record| record.sync), None);
    stage.until("the channel's end", || stage.status().state.word() == "INACTIVE").await;
    let status = stage.status();
    assert_eq!((status.lstseqno, status.curluwid, status.totals().batches_rolled_back), (0, Luwid::ZERO, 1));
    // The line names the queue, the reason, and what the other end shows.
    let line = stage.log.says_once(&["WARN", CHANNEL, "QM1", "ended", "MQFERRY.DLQ", "MQRC 2035"]);
    assert!(line.contains("CAN_NOT_STORE (6, AMQ9527)"), "{line}");
    stage.end().await;
}
