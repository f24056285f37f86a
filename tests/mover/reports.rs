//! Reports that senders ask for: where they go, when they are made, and what becomes of them if that cannot be.

use std::time::Duration;

use mqferry::mapping::{Body, Destination, Policy, Publication, Sending, Value, to_mq};
use mqferry::message::Coding;
use mqferry::target::Refusal;
use mqferry::wire::ControlFlags1;

use crate::caller::{CONFIRM, Caller, luwid, message, whole};
use crate::stage::{CHANNEL, Setup, Stage, channel};

const REPLIES: &str = "MQ.QM1.REPLY.Q";
/// MQRO options (mapping rules, section 2).
const EXCEPTION_WITH_DATA: i32 = 0x0300_0000;
const EXPIRATION: i32 = 0x0020_0000;
const COA: i32 = 0x100;
const COA_WITH_FULL_DATA: i32 = 0x700;
const COD: i32 = 0x800;
const DISCARD_MSG: i32 = 0x0800_0000;

fn queue(name: &str) -> Destination {
    Destination::Queue(name.to_owned())
}

/// A numbered message with these report options, for replies at REPLY.Q of a queue manager. Offsets: MQXQH 104 bytes, in MQMD
/// Report 8, Expiry 16, ReplyToQ 100, ReplyToQMgr 148 (mapping rules, section 1).
fn asking(number: u64, to: &str, report: i32, qmgr: &str) -> Vec<u8> {
    let mut bytes = message(number, to, "GW", 120);
    bytes[112..116].copy_from_slice(&report.to_be_bytes());
    bytes[204..252].copy_from_slice(format!("{:<48}", "REPLY.Q").as_bytes());
    bytes[252..300].copy_from_slice(format!("{qmgr:<48}").as_bytes());
    bytes
}

fn expires(mut bytes: Vec<u8>, tenths: i32) -> Vec<u8> {
    bytes[120..124].copy_from_slice(&tenths.to_be_bytes());
    bytes
}

/// One batch of these; whether the confirm says that dead letters were made.
async fn batch(caller: &mut Caller, number: u8, messages: &[Vec<u8>]) -> bool {
    let first = i32::from(number - 1) * 10;
    for (place, bytes) in (1..).zip(messages) {
        let flags = if usize::try_from(place).unwrap() == messages.len() { CONFIRM } else { ControlFlags1::empty() };
        caller.say(&whole(first + place, luwid(number), flags, bytes)).await;
    }
    caller.confirmed(luwid(number)).await.contains(ControlFlags1::DLQ_USED)
}

fn int(publication: &Publication, name: &str) -> Option<i32> {
    match publication.properties.get(name)? {
        Value::Int(value) => Some(*value),
        other => panic!("{name}: {other:?}"),
    }
}

fn feedbacks(reports: &[Publication]) -> Vec<i32> {
    reports.iter().map(|report| int(report, "JMS_IBM_Feedback").unwrap()).collect()
}

async fn stage(text: &str) -> Stage {
    Stage::with(Setup { text: text.to_owned(), ..Setup::default() }).await
}

#[tokio::test]
async fn an_arrival_is_confirmed_at_the_reply_queue_in_the_same_unit_of_work() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let asked = [asking(1, "Q", COA_WITH_FULL_DATA, "QM1"), asking(2, "Q", 0, "QM1"), asking(3, "Q", COA, "GW")];
    assert!(!batch(&mut caller, 1, &asked).await);
    assert_eq!((stage.at("Q"), stage.memory.commits()), (vec![1, 2, 3], 1));
    let reports = stage.memory.at(&queue(REPLIES));
    assert_eq!(feedbacks(&reports), [259]);
    let report = &reports[0];
    assert_eq!(int(report, "JMS_IBM_MsgType"), Some(4));
    let id = |bytes: &[u8]| bytes.iter().fold("ID:".to_owned(), |text, byte| text + &format!("{byte:02x}"));
    // MsgId is at 48 of MQMD.
    assert_eq!(report.correlation_id, Some(id(&asked[0][152..176])));
    assert_ne!(report.message_id, report.correlation_id);
    assert!(matches!(&report.body, Body::Text(text) if text.as_bytes() == &asked[0][428..]));
    assert!(report.persistent, "as the message was");
    // The sending channel to QM1 will make a report of it for REPLY.Q there.
    let policy = Policy::named("GW");
    let sending =
        Sending { policy: &policy, partner: "QM1", coding: Coding::default(), reply_alias: None, mcauser: "" };
    let back = to_mq(report, &sending, mqferry::clock::wall_ms()).unwrap();
    assert_eq!(back.xqh.remote_q_name.text(back.coding), "REPLY.Q");
    assert_eq!(back.xqh.remote_q_mgr_name.text(back.coding), "QM1");
    assert_eq!((back.md.msg_type, back.md.feedback, back.returns), (4, 259, false));
    assert_eq!(back.data(), &asked[0][428..]);
    // Replies to a queue of ours stay here.
    let ours = stage.memory.at(&queue("REPLY.Q"));
    assert_eq!((feedbacks(&ours), &ours[0].body), (vec![259], &Body::Text(String::new())));
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn nobody_is_told_of_an_arrival_that_was_none() {
    let stage = Stage::set().await;
    stage.memory.refuse(queue("FORBIDDEN"), Refusal { reason: 2035, text: "not for you".to_owned() });
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let asked = [
        asking(1, "FORBIDDEN", COA | EXCEPTION_WITH_DATA, "QM1"),
        asking(2, "FORBIDDEN", COA, "QM1"),
        asking(3, "NO,QUEUE", EXCEPTION_WITH_DATA, "QM1"),
    ];
    assert!(batch(&mut caller, 1, &asked).await);
    assert_eq!(stage.dead().len(), 3);
    let reports = stage.memory.at(&queue(REPLIES));
    assert_eq!(feedbacks(&reports), [2035, 2152]);
    assert!(matches!(&reports[0].body, Body::Text(text) if text.as_bytes() == &asked[0][428..528]), "100 bytes");
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn what_its_sender_wants_discarded_is_no_dead_letter() {
    let stage = Stage::set().await;
    stage.memory.refuse(queue("FORBIDDEN"), Refusal { reason: 2035, text: "not for you".to_owned() });
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let asked = [
        asking(1, "FORBIDDEN", DISCARD_MSG | EXCEPTION_WITH_DATA, "QM1"),
        asking(2, "NO,QUEUE", DISCARD_MSG, "QM1"),
        asking(3, "Q", DISCARD_MSG, "QM1"),
    ];
    assert!(!batch(&mut caller, 1, &asked).await, "no dead letter was made");
    assert_eq!((stage.dead().len(), stage.at("Q")), (0, vec![3]));
    assert_eq!(feedbacks(&stage.memory.at(&queue(REPLIES))), [2035]);
    stage.log.says_once(&["WARN", CHANNEL, "discards a message, as its sender wants", "not for you", "sequence=1"]);
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn a_delivery_is_confirmed_at_arrival_where_the_route_says_so() {
    let route = "[[route]]\nremote_queue = \"SURE.*\"\ncod = \"at-arrival\"\n";
    let stage = stage(&format!("{}{route}", channel(CHANNEL, ""))).await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    assert!(!batch(&mut caller, 1, &[asking(1, "SURE.Q", COA | COD, "QM1"), asking(2, "Q", COD, "QM1")]).await);
    let reports = stage.memory.at(&queue(REPLIES));
    assert_eq!(feedbacks(&reports), [259, 260]);
    assert_ne!(reports[0].message_id, reports[1].message_id);
    assert_eq!((stage.at("SURE.Q"), stage.at("Q")), (vec![1], vec![2]));
    stage.log.says_once(&["WARN", CHANNEL, "confirmation on delivery, and none will be sent", "sequence=2"]);
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn a_report_that_cannot_be_put_is_a_dead_letter() {
    let top = "qmgrs = [\"QM1\"]\nunknown_reply = \"drop\"".to_owned();
    let stage = Stage::with(Setup { top, ..Setup::default() }).await;
    stage.memory.refuse(queue(REPLIES), Refusal { reason: 2035, text: "not for you".to_owned() });
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    assert!(batch(&mut caller, 1, &[asking(1, "Q", COA, "QM1"), asking(2, "Q", COA, "ELSEWHERE")]).await);
    assert_eq!(stage.at("Q"), [1, 2]);
    let mut reasons: Vec<_> = stage.dead().iter().map(|dead| int(dead, "MQFERRY_Reason").unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [2035, 2087]);
    assert_eq!(stage.status().msgs, 2, "reports are not counted as messages of the channel");
    drop(caller);
    stage.end().await;
}

#[tokio::test]
async fn a_message_that_expires_while_its_queue_is_full_is_gone_and_its_sender_is_told() {
    let stage = stage(&channel(CHANNEL, "mrrty = 1000\nmrtmr = 50\nhbint = 300")).await;
    stage.memory.refuse(queue("FULL"), Refusal { reason: 2053, text: "full for the test".to_owned() });
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let asked = [expires(asking(1, "FULL", EXPIRATION, "QM1"), 3), asking(2, "Q", 0, "QM1")];
    let dead = tokio::time::timeout(Duration::from_secs(60), batch(&mut caller, 1, &asked)).await.unwrap();
    assert!(!dead);
    assert_eq!((stage.dead().len(), stage.at("Q")), (0, vec![2]));
    assert_eq!(feedbacks(&stage.memory.at(&queue(REPLIES))), [258]);
    stage.log.says_once(&["WARN", CHANNEL, "expired while its queue took none", "sequence=1"]);
    drop(caller);
    stage.end().await;
}

/// A reply queue that is full for a moment is waited for; the messages before it are not staged again.
#[tokio::test]
async fn a_report_waits_for_its_queue() {
    let stage = stage(&channel(CHANNEL, "mrrty = 50\nmrtmr = 20\nhbint = 300")).await;
    stage.memory.refuse_next(queue(REPLIES), Refusal { reason: 2053, text: "full for the test".to_owned() }, 1);
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    assert!(!batch(&mut caller, 1, &[asking(1, "Q", COA, "QM1"), asking(2, "Q", COA, "QM1")]).await);
    assert_eq!((stage.at("Q"), stage.memory.commits()), (vec![1, 2], 1));
    assert_eq!(feedbacks(&stage.memory.at(&queue(REPLIES))), [259, 259]);
    drop(caller);
    stage.end().await;
}

/// A message that went by us and by another gateway, and comes to us again (golden rule 5).
#[tokio::test]
async fn a_message_that_goes_round_is_a_dead_letter() {
    let stage = Stage::set().await;
    let mut caller = Caller::bound(stage.address(), CHANNEL, "QM1").await;
    let by = |hops: &str| {
        let folder = format!("<usr><MQFERRY_HOPS>{hops}</MQFERRY_HOPS></usr>");
        let folder = format!("{folder:<width$}", width = folder.len().next_multiple_of(4));
        let mut bytes = message(1, "Q", "GW", 120);
        bytes.truncate(428);
        // Format is at 32 of MQMD. MQRFH2: 36 bytes, then length and text of each folder.
        bytes[136..144].copy_from_slice(b"MQHRF2  ");
        bytes.extend(b"RFH \0\0\0\x02");
        let length = 36 + 4 + folder.len();
        let numbers = [u32::try_from(length).unwrap(), 273, 1208];
        bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        bytes.extend(b"MQSTR   \0\0\0\0\0\0\x04\xB8");
        bytes.extend(u32::try_from(folder.len()).unwrap().to_be_bytes());
        bytes.extend(folder.as_bytes());
        bytes.extend(b"x");
        bytes
    };
    assert!(batch(&mut caller, 1, &[by("GW OTHER"), by("OTHER"), by("OTHER GW")]).await);
    let dead = stage.dead();
    assert_eq!((dead.len(), int(&dead[0], "MQFERRY_Reason")), (1, Some(2541)));
    let hops: Vec<_> =
        stage.memory.at(&queue("Q")).iter().map(|it| it.properties.get("MQFERRY_HOPS").cloned()).collect();
    assert_eq!(hops, [Some(Value::String("OTHER GW".into())), Some(Value::String("OTHER".into()))]);
    stage.log.says_once(&["WARN", CHANNEL, "dead-letters", "goes round", "GW OTHER"]);
    drop(caller);
    stage.end().await;
}
