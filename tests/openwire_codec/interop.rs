//! What JMS applications see of what we send over OpenWire through a real broker: ActiveMQ's own client over OpenWire
//! and Qpid JMS over AMQP, whose messages the broker makes of ours.

use std::time::Duration;

use mqferry::mapping::publication::{Entry, Value};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::{Answers, Claim, Claimed, OpenWireTarget, Outcome, Target, Unit};

use crate::real_target::{Amqp, OpenWire, Protocol, ours};
use crate::same::assert_same;
use crate::support::broker::Broker;
use crate::support::jms::{Client, receive};
use crate::target_contract::{
    a_refusal_at_the_commit_leaves_nothing_and_the_claim_as_it_was, expected, key, luwid, publication, record,
};

async fn publish(target: &OpenWireTarget, publications: Vec<Publication>) {
    let Claimed::Ours(mut claim) = target.claim(&key("INTEROP")).await.unwrap() else { panic!("held") };
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    for (index, publication) in publications.into_iter().enumerate() {
        assert_eq!(target.carries(&publication), Ok(()));
        unit.stage(index, publication).await.unwrap();
    }
    assert_eq!(unit.settle().await.unwrap(), []);
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));
    claim.release().await;
}

/// Everything that a publication can hold, and what brokers and clients are known to trip over: NUL and characters
/// beyond the BMP in every place but names, long strings, nulls, numbers that are none, empty names and values.
fn publications(queue: &str) -> Vec<Publication> {
    const WIDE: &str = "a\u{1F600}\0é€b";
    let wide = || Some(WIDE.to_owned());
    let text = |text: &str| Value::String(text.to_owned());
    let values = || {
        vec![
            Value::Null,
            Value::Boolean(true),
            Value::Byte(-128),
            Value::Short(-32768),
            Value::Int(i32::MIN),
            Value::Long(i64::MAX),
            Value::Float(1.5),
            Value::Double(f64::NAN),
            Value::Double(-2.25),
            text(WIDE),
            text(""),
            text(&"\u{1F600}".repeat(20_000)),
        ]
    };
    let entries = || {
        let mut entries: Vec<_> = values();
        entries.push(Value::Char(0x20AC));
        entries.push(Value::Bytes(vec![0, 255, 7].into()));
        entries.into_iter().enumerate().map(|(place, value)| Entry { name: format!("e{place} é€"), value })
    };
    let mut items = values();
    items.push(Value::Char(0x20AC));
    let bodies = [
        Body::Text(WIDE.to_owned()),
        Body::Text(String::new()),
        Body::Bytes(vec![0, 1, 254, 255].into()),
        Body::Bytes(Vec::new().into()),
        Body::Map(entries().collect()),
        Body::Map(Vec::new()),
        Body::Stream(items),
        Body::Stream(Vec::new()),
        Body::Empty,
        // java.lang.String "hi", as Java's object streams write it (stream magic, version, TC_STRING, length).
        Body::Object(vec![0xAC, 0xED, 0, 5, 0x74, 0, 2, b'h', b'i'].into()),
    ];
    let plain = || publication(&Destination::Queue(queue.to_owned()), 1);
    let mut all: Vec<_> = bodies.into_iter().map(|body| Publication { body, ..plain() }).collect();
    let mut typed = plain();
    typed.properties =
        values().into_iter().enumerate().map(|(place, value)| (format!("é{place}").into(), value)).collect();
    typed.properties.insert("JMS_IBM_MQMD_Report".into(), Value::Int(0x0300_0000));
    all.push(typed);
    all.push(Publication {
        correlation_id: wide(),
        reply_to: Some(Destination::Topic("ANSWERS".to_owned())),
        message_type: wide(),
        group_id: wide(),
        group_sequence: Some(3),
        user_id: wide(),
        priority: 9,
        expires_at_ms: Some(4_102_444_800_000),
        ..plain()
    });
    all.push(Publication {
        correlation_id: Some(String::new()),
        message_type: Some(String::new()),
        timestamp_ms: None,
        priority: 0,
        ..plain()
    });
    for (number, publication) in (1..).zip(&mut all) {
        publication.message_id = Some(format!("ID:{number:048x}"));
    }
    all
}

async fn both_clients_see_what_was_meant(broker: &Broker) {
    let target = OpenWire::target(&broker.openwire_url(), None);
    for client in Client::BOTH {
        let queue = format!("INTEROP.{client:?}");
        let meant = publications(&queue);
        publish(&target, meant.clone()).await;
        let seen = receive(client, broker, &queue).with("count", meant.len()).messages();
        assert_eq!(seen.len(), meant.len(), "{client:?} got {seen:?}");
        for (meant, seen) in meant.iter().zip(&seen) {
            assert_same(meant, seen, &format!("{client:?} {meant:?}"));
        }
    }
}

/// One broker at a time; the claim, the transaction and the record's way back are the same on each.
#[tokio::test(flavor = "multi_thread")]
async fn other_versions_of_the_broker_make_the_same_of_it() {
    for version in ["5.18.6", "6.1.8", "6.3.1"] {
        let broker = Broker::builder().version(version).start();
        both_clients_see_what_was_meant(&broker).await;
        let mut claim = ours(&OpenWire::target(&broker.openwire_url(), None), "AT.COMMIT").await;
        let nowhere = "temp-queue://ID:nobody-1-2-3:4:5".parse().unwrap();
        let answers = a_refusal_at_the_commit_leaves_nothing_and_the_claim_as_it_was(&mut claim, &nowhere).await;
        assert_eq!(answers, Answers::AtCommit, "{version}: {}", broker.log());
        claim.release().await;
        let seen = receive(Client::ActiveMq, &broker, "CONTRACT.AT.COMMIT").with("count", 4).messages();
        let seen: Vec<_> = seen.into_iter().map(|message| (message.id.unwrap(), message.text.unwrap())).collect();
        assert_eq!(seen, expected([10, 1, 3, 4]), "{version}");
        assert!(broker.log().contains(&format!("Apache ActiveMQ {version} ")), "{}", broker.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_send_is_what_applications_see() {
    let broker = Broker::start();
    both_clients_see_what_was_meant(&broker).await;

    // Older versions of the protocol, by which an id of ours travels from 10 on.
    const QUEUE: &str = "INTEROP.OLDER";
    let meant = publication(&Destination::Queue(QUEUE.to_owned()), 1);
    for version in 9..=11 {
        let target = OpenWire::target(&format!("{}?wireFormat.version={version}", broker.openwire_url()), None);
        publish(&target, vec![meant.clone()]).await;
    }
    let seen = receive(Client::ActiveMq, &broker, QUEUE).with("count", 3).messages();
    assert_eq!(seen.len(), 3, "{seen:?}");
    for (version, seen) in (9..).zip(&seen) {
        let shown = if version == 9 { seen.id.clone() } else { meant.message_id.clone() };
        assert_eq!(seen.id == meant.message_id, version > 9);
        assert_same(&Publication { message_id: shown, ..meant.clone() }, seen, &format!("version {version}"));
    }
}

/// Maps and lists within maps arrive through the broker as what they are; as properties they stay text, for a reader over AMQP
/// would get no message that has such a property.
#[tokio::test(flavor = "multi_thread")]
async fn nested_values_reach_every_reader() {
    let broker = Broker::builder().start();
    let target = OpenWire::target(&broker.openwire_url(), None);
    let text = |text: &str| Value::String(text.to_owned());
    let plain = || publication(&Destination::Queue("NESTED".to_owned()), 1);
    let mut map = plain();
    map.body = Body::Map(vec![Entry { name: "m".to_owned(), value: text("{\"k\":[1,\"x\"]}") }]);
    map.properties.insert("MQFERRY_json_body".into(), text("m"));
    let mut property = plain();
    property.properties.insert("p".into(), text("{\"k\":[1,\"x\"]}"));
    property.properties.insert("MQFERRY_json".into(), text("p"));
    publish(&target, vec![map.clone(), property.clone(), plain()]).await;
    let amqp = Amqp::target(&broker.amqp_url(), None);
    let mut taker = amqp.taker("NESTED").await.unwrap();
    for meant in [map, property, plain()] {
        let got = taker.next_publication(Duration::from_secs(60)).await.unwrap().expect("a message").unwrap();
        assert_eq!(got.body, meant.body);
        for (name, value) in &meant.properties {
            assert_eq!(got.properties.get(name), Some(value), "{name}");
        }
    }
    taker.finish(Duration::from_secs(60)).await.unwrap();
}
