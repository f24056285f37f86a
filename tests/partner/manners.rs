//! How callers are received, what becomes of a second one, a requester's calls, and the ends of channels.

use std::sync::Arc;
use std::time::Duration;

use mqferry::partner::receiver::{Greeting, Habits, LocalMessage, Receiver, Receiving, Second, SeqWrapRefusal};
use mqferry::partner::{Options, PartnerError, ResetNumber, Speech, call_back, generator, ping, run, serve};
use mqferry::wire::{CapFlags1, ErrFlags1, StatusCode};
use tokio::net::TcpListener;

use super::pair::{CHANNEL, Pair};
use super::relay::{Gate, Relay};
use super::{pcap, tshark};

#[tokio::test]
async fn each_refusal_is_told() {
    let cases = [
        (Greeting::Refuse(StatusCode::CHANNEL_UNAVAILABLE), "CHANNEL_UNAVAILABLE"),
        (Greeting::RefuseBarely(StatusCode::SECURITY_FAILURE), "SECURITY_FAILURE"),
        (Greeting::Insist(ErrFlags1::CCSID), "refuses our CCSID"),
        (Greeting::Insist(ErrFlags1::ENCODING), "refuses our encoding"),
        (Greeting::Insist(ErrFlags1::FAP_LEVEL), "nothing that can be changed"),
        (Greeting::NeverContent, "no agreement after"),
        (Greeting::AgreeThenRefuse(StatusCode::QM_TERMINATING), "QM_TERMINATING"),
        (Greeting::AgreeThenSecurity, "SECURITY_DATA"),
        (Greeting::OtherSegment, "HEARTBEAT came"),
        (Greeting::Garbage, "HTTP, not MQ"),
        (Greeting::Silence, "did not answer"),
        (Greeting::Close, "closed the connection"),
    ];
    for (greeting, says) in cases {
        let pair = Pair::with(3, 100).await;
        let habits = Habits { greeting, ..Habits::default() };
        let answer_timeout = Duration::from_millis(if greeting == Greeting::Silence { 500 } else { 30_000 });
        let options = Options { retries: 0, answer_timeout, ..pair.sending() };
        let error = pair.cross(Receiving { habits, ..pair.receiving() }, &options).await.unwrap_err().to_string();
        assert!(error.contains(says), "{greeting:?}: {error}");
        assert!(pair.queues().messages().is_empty());
    }
    for (seqwrap, says) in [(SeqWrapRefusal::Counter, "it must be equal"), (SeqWrapRefusal::Status, "WRAP_VALUE_ERROR")]
    {
        let pair = Pair::with(1, 100).await;
        let habits = Habits { seqwrap, ..Habits::default() };
        let receiving = Receiving { habits, seqwrap: 99, ..pair.receiving() };
        let error = pair.cross(receiving, &pair.sending()).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let pair = Pair::with(1, 100).await;
    let receiving = Receiving { channels: vec!["OTHER".to_owned()], ..pair.receiving() };
    let error = pair.cross(receiving, &pair.sending()).await.unwrap_err().to_string();
    assert!(error.contains("NO_CHANNEL"), "{error}");
}

#[tokio::test]
async fn lower_values_are_proposed_or_just_taken() {
    for (silently, refuses) in [(false, true), (false, false), (true, true)] {
        let pair = Pair::with(10, 100).await;
        let speech = Speech {
            max_transmission_size: 700,
            fap_level: 4,
            split: false,
            fast_messages: false,
            counters_silently: silently,
            ..Speech::default()
        };
        let habits = Habits { refuses_capabilities: refuses, ..Habits::default() };
        let receiving = Receiving { speech, habits, batchsz: 4, maxmsgl: 200, hbint: 400, ..pair.receiving() };
        let report = pair.cross(receiving, &pair.sending()).await;
        // A sender's own overhead counts against MAXMSGL: 100 bytes do not fit 200, said before anything is sent.
        let error = report.unwrap_err().to_string();
        assert!(error.contains("beyond the agreed MaxMsgSize of 200"), "{error}");

        let speech = Speech { max_transmission_size: 700, fap_level: 4, split: false, ..Speech::default() };
        let speech = Speech { fast_messages: false, counters_silently: silently, ..speech };
        let habits = Habits { refuses_capabilities: refuses, ..Habits::default() };
        let receiving = Receiving { speech, habits, batchsz: 4, hbint: 400, ..pair.receiving() };
        let report = pair.cross(receiving, &pair.sending()).await.unwrap();
        pair.assert_all();
        let agreed = report.agreed.unwrap();
        assert_eq!((agreed.fap_level, agreed.max_transmission_size, agreed.batchsz), (4, 700, 4));
        assert_eq!((agreed.heartbeat_interval, report.counter_proposals), (400, u64::from(!silently)));
        assert!(!agreed.split && !agreed.fast_messages);
    }
}

/// Everything stops after so many segments of the side that called.
struct BlackHole {
    left: usize,
}

impl Gate for BlackHole {
    fn length(&self, begun: &[u8]) -> Option<usize> {
        let [_, _, _, _, a, b, c, d] = *begun.first_chunk::<8>()?;
        Some(u32::from_be_bytes([a, b, c, d]) as usize)
    }

    fn stop(&mut self, _connection: usize, from_client: bool, frame: &[u8]) -> Option<usize> {
        self.left -= usize::from(from_client);
        (self.left == 0).then_some(frame.len())
    }
}

/// The first connection stands in a batch, without a word: it is adopted, its messages rolled back; or the second one is
/// refused.
#[tokio::test]
async fn a_second_connection_takes_the_place_of_the_first_or_not() {
    for second in [Second::Adopt, Second::Refuse] {
        let pair = Pair::with(25, 100).await;
        let habits = Habits { second, ..Habits::default() };
        let life = pair.live(Receiving { habits, ..pair.receiving() });
        let relay = Relay::start(pair.listener.local_addr().unwrap()).await;
        relay.set_gate(BlackHole { left: 4 });
        let first = Options { address: relay.address.to_string(), retries: 0, ..pair.sending() };
        let stuck = tokio::spawn(async move { run(&first).await });
        tokio::time::timeout(Duration::from_secs(60), relay.stopped()).await.unwrap();
        let other = Pair::with(25, 100).await;
        let options = Options { address: pair.sending().address, retries: 0, ..other.sending() };
        let report = run(&options).await;
        stuck.abort();
        let _ = stuck.await;
        let tally = life.receiver.tally();
        life.kill().await;
        if second == Second::Adopt {
            assert_eq!((report.unwrap().confirmed, tally.adopted), (25, 1));
            assert_eq!((tally.rolled_back, tally.messages), (1, 25));
            pair.assert_all();
        } else {
            let error = report.unwrap_err().to_string();
            assert!(error.contains("CHANNEL_UNAVAILABLE"), "{error}");
            assert_eq!((tally.refused, tally.adopted), (1, 0));
        }
    }
}

/// A server sends on the connection of a requester that calls; 0x08 and 0x0F, and a server that waits for a first word.
#[tokio::test]
async fn a_requester_calls() {
    for (caps, speaks_first) in [(0x08, false), (0x0F, false), (0x08, true)] {
        let pair = Pair::with(25, 1000).await;
        let habits = Habits {
            requester: CapFlags1::from_bits_retain(caps),
            requester_speaks_first: speaks_first,
            ..Habits::default()
        };
        let receiver = Receiver::open(Receiving { habits, ..pair.receiving() }).unwrap();
        let speech = Speech { waits_for_requester: speaks_first, ..Speech::default() };
        let options = Options { speech, ..pair.sending() };
        let listener = Arc::clone(&pair.listener);
        let address = options.address.clone();
        let server = tokio::spawn(async move { serve(&options, &listener).await });
        receiver.request(CHANNEL, &address).await.unwrap();
        let report = server.await.unwrap().unwrap();
        assert_eq!(report.agreed.unwrap().split, caps == 0x0F);
        assert_eq!((report.confirmed, receiver.tally().messages), (25, 25));
        pair.assert_all();
        // And it is no caller of a receiver.
        let life = pair.live(Receiving { folder: pair.there.path().join("other"), ..pair.receiving() });
        let error = receiver.request(CHANNEL, &address).await.unwrap_err().to_string();
        assert!(error.contains("CHANNEL_WRONG_TYPE"), "{error}");
        life.kill().await;
    }
}

/// A sender ends a requester's call, with a word or without, and calls back.
#[tokio::test]
async fn a_sender_that_a_requester_calls_calls_back() {
    for status in [None, Some(StatusCode::CHANNEL_UNAVAILABLE)] {
        let pair = Pair::with(25, 1000).await;
        let life = pair.live(pair.receiving());
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = door.local_addr().unwrap().to_string();
        let options = pair.sending();
        let sender = tokio::spawn(async move { call_back(&options, &door, status).await });
        let error = life.receiver.request(CHANNEL, &address).await.unwrap_err();
        assert!(error.is_worth_a_retry(), "{error}");
        assert_eq!(sender.await.unwrap().unwrap().confirmed, 25);
        life.kill().await;
        pair.assert_all();
    }
}

#[tokio::test]
async fn a_channel_rests_beats_and_is_asked_to_end() {
    let pair = Pair::with(5, 100).await;
    let life = pair.live(Receiving { hbint: 3, ..pair.receiving() });
    ping(&pair.sending(), 64).await.unwrap();
    let options = Options { hbint: 3, discint: Duration::from_secs(60), ..pair.sending() };
    let sender = tokio::spawn(async move { run(&options).await });
    wait(|| life.receiver.tally().heartbeats > 0).await;
    life.receiver.stop();
    let report = sender.await.unwrap().unwrap();
    assert_eq!(report.close_requests, 1);
    tokio::time::timeout(Duration::from_secs(30), life.task).await.expect("it ends").unwrap().unwrap();
    let tally = life.receiver.tally();
    assert_eq!((tally.pings, tally.rolled_back), (1, 0));
    assert!(tally.heartbeats > 1, "the second one is answered with the wish to end");
    drop(life.receiver);
    pair.assert_all();
}

#[tokio::test]
async fn numbers_are_checked_reset_and_wrap() {
    for reset_number in [ResetNumber::Next, ResetNumber::Last] {
        let pair = Pair::with(20, 100).await;
        let speech = Speech { reset_number, reset_confirm: true, ..Speech::default() };
        let receiving = Receiving { seqwrap: 50, speech: speech.clone(), ..pair.receiving() };
        let options = Options { speech, seqwrap: 50, ..pair.sending() };
        pair.cross(receiving.clone(), &options).await.unwrap();
        // A restore: the sender counts from the beginning.
        std::fs::remove_file(pair.here.path().join("sync")).unwrap();
        let error = pair.cross(receiving.clone(), &options).await.unwrap_err().to_string();
        assert!(error.contains("number 1 has been sent when 21 was expected"), "{error}");
        let report = pair.cross(receiving.clone(), &Options { reset: Some(45), ..options.clone() }).await.unwrap();
        // 45 to 50, and again from 1.
        assert_eq!(report.sequence, 14);
        let queues = pair.queues();
        let numbers: Vec<i32> = queues.at("TARGET").map(|message| message.number).collect();
        assert_eq!(numbers, (1..=20).chain(45..=50).chain(1..=14).collect::<Vec<_>>());
        assert_eq!(queues.remembered(CHANNEL, "GW").sequence, 14);
    }
}

#[tokio::test]
async fn dead_letters_lie_apart() {
    let pair = Pair::with(6, 100).await;
    for (first, queue, qmgr) in [(7, "NO.SUCH.QUEUE", "QM1"), (13, "TARGET", "QM9")] {
        let numbered = generator::Numbered { first, ..generator::Numbered::new(6, queue, qmgr) };
        numbered.put(pair.here.path()).unwrap();
    }
    let receiving = Receiving { unknown_queues: vec!["NO.SUCH.QUEUE".to_owned()], ..pair.receiving() };
    let report = pair.cross(receiving, &pair.sending()).await.unwrap();
    assert_eq!((report.confirmed, report.dlq_used), (18, 2));
    let queues = pair.queues();
    mqferry::partner::judge::assert_once(queues.bodies("TARGET"), 1, 6);
    let dead: Vec<_> = queues.dead_letters().map(|it| (it.number_in_body().unwrap(), it.dead.unwrap())).collect();
    let meant = (7..=12).map(|number| (number, 2085)).chain((13..=18).map(|number| (number, 2087)));
    assert_eq!(dead, meant.collect::<Vec<_>>());
    assert_eq!(queues.dead_letters().map(LocalMessage::correl_id).filter(|id| id.len() == 24).count(), 12);
}

/// tshark reads every segment of either half as it was meant: byte orders, alphabets, FAP levels, each answer.
#[tokio::test]
async fn tshark_reads_every_frame_as_meant() {
    use mqferry::partner::receiver::{ConfirmAnswer, Lie, ResyncAnswer};
    use mqferry::wire::{Alphabet, ByteOrder};
    let confirms = [
        ConfirmAnswer::Status,
        ConfirmAnswer::StatusCode,
        ConfirmAnswer::StatusNumber,
        ConfirmAnswer::SameType,
        ConfirmAnswer::Heartbeat,
    ];
    let resyncs = [ResyncAnswer::Resync, ResyncAnswer::Status, ResyncAnswer::StatusLuwid];
    let mut all: Vec<pcap::Conversation> = Vec::new();
    let mut ways = 0;
    for byte_order in [ByteOrder::Big, ByteOrder::Little] {
        for (alphabet, ccsid) in [(Alphabet::Ascii, 819), (Alphabet::Ebcdic, 500)] {
            for fap_level in [1, 4, 10, 13, 15] {
                ways += 1;
                let pair = Pair::with(12, 900).await;
                let speech = Speech {
                    byte_order,
                    alphabet,
                    ccsid,
                    fap_level,
                    max_transmission_size: 800,
                    first_last_everywhere: ways % 2 == 0,
                    ..Speech::default()
                };
                // The first confirmation is lost with its connection, so that there is a question too.
                let habits = Habits {
                    confirm: confirms[ways % confirms.len()],
                    resync: resyncs[ways % resyncs.len()],
                    confirm_lie: Some(Lie::Close),
                    lies: 1,
                    commits_when_lying: ways % 3 != 0,
                    request_accepted: true,
                    always_dlq_used: true,
                    ..Habits::default()
                };
                let relay = Relay::start(pair.listener.local_addr().unwrap()).await;
                let options = Options { address: relay.address.to_string(), ..pair.sending() };
                let report = pair.cross(Receiving { speech, habits, ..pair.receiving() }, &options).await;
                let report = report.unwrap_or_else(|error| panic!("{error} at FAP {fap_level}"));
                pair.assert_all();
                assert_eq!(report.connections, 2);
                relay.idle(Duration::from_secs(60)).await;
                for conversation in relay.conversations() {
                    let number = pcap::Conversation::number(all.len());
                    all.push(pcap::Conversation { chunks: conversation.chunks, ..number });
                }
            }
        }
    }
    assert_eq!(all.len(), 2 * ways);
    let seen = tshark::assert_reads_as_intended(&all);
    let ours = seen.iter().filter(|segment| !segment.from_client);
    let kinds: std::collections::BTreeSet<u32> = ours.filter_map(|segment| segment.number("mq.tsh.type")).collect();
    assert_eq!(kinds, [1, 2, 5, 9].into(), "what a receiver says");
    let mut levels = std::collections::BTreeSet::new();
    for id in seen.iter().filter(|segment| !segment.from_client && segment.number("mq.tsh.type") == Some(1)) {
        assert_eq!(id.text("mq.id.channelname"), Some(CHANNEL), "{:?}", id.fields);
        levels.extend(id.number("mq.id.faplevel"));
        let level = id.number("mq.id.faplevel").unwrap();
        assert!(level < 4 || id.text("mq.id.qm") == Some("QM1"), "{:?}", id.fields);
    }
    assert_eq!(levels, [1, 4, 10].into(), "the sender's 10, or less");
}

async fn wait(mut until: impl FnMut() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(60);
    while !until() {
        assert!(tokio::time::Instant::now() < patience, "it never came");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Two queue managers at once on one channel name, and a folder that is in use.
#[tokio::test]
async fn many_callers_at_once() {
    let pair = Pair::with(40, 100).await;
    let life = pair.live(pair.receiving());
    let error = Receiver::open(pair.receiving()).unwrap_err();
    assert!(matches!(error, PartnerError::InUse(_)), "{error}");
    let mut senders = Vec::new();
    for number in 0..8 {
        let other = Pair::with(40, 100).await;
        let mut options = Options { address: pair.sending().address, ..other.sending() };
        options.qmgr_name = format!("GW{number}");
        senders.push(tokio::spawn(async move {
            let _folder = other;
            run(&options).await
        }));
    }
    for sender in senders {
        assert_eq!(sender.await.unwrap().unwrap().confirmed, 40);
    }
    life.kill().await;
    let queues = pair.queues();
    assert_eq!(queues.channels().count(), 8);
    for (id, remembered) in queues.channels() {
        let mine = queues.at("TARGET").filter(|message| message.id == *id).map(LocalMessage::data);
        mqferry::partner::judge::assert_once(mine, 1, 40);
        assert_eq!(remembered.sequence, 40);
    }
}
