//! What JMS applications see of a publication: every field and every kind of body, by both clients.

use std::time::{SystemTime, UNIX_EPOCH};

use mqferry::mapping::publication::{Entry, Value};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::{Claim, Claimed, Outcome, Target, Unit};
use serde_json::json;

use super::support::broker::Broker;
use super::support::jms::{Client, Received, receive};
use super::target;
use super::target_contract::{key, luwid, publication, record};

const QUEUE: &str = "BODIES";

async fn publish(broker: &Broker, publications: Vec<Publication>) {
    let target = target(&broker.amqp_url(), None);
    let Claimed::Ours(mut claim) = target.claim(&key("BODIES")).await.unwrap() else { panic!("held") };
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    for (index, publication) in publications.into_iter().enumerate() {
        unit.stage(index, publication).await.unwrap();
    }
    assert_eq!(unit.settle().await.unwrap(), []);
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));
    claim.release().await;
}

fn entries() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Boolean(true),
        Value::Byte(-128),
        Value::Short(-32768),
        Value::Int(i32::MIN),
        Value::Long(i64::MAX),
        Value::Float(1.5),
        Value::Double(-2.25),
        Value::Char(0x20AC),
        Value::String("grüße 😀".into()),
        Value::Bytes(vec![0, 255, 7].into()),
    ]
}

/// The JMS types that both clients show for [`entries`].
const KINDS: [&str; 11] =
    ["null", "boolean", "byte", "short", "int", "long", "float", "double", "char", "string", "bytes"];

fn bodies() -> Vec<Body> {
    // Beyond the BMP only where the broker bears it: in texts and streams.
    let fit = |value| if matches!(value, Value::String(_)) { Value::String("grüße €".into()) } else { value };
    let map = entries().into_iter().map(fit).enumerate();
    vec![
        Body::Text("grüße, 世界 😀\u{0}end".into()),
        Body::Text(String::new()),
        Body::Bytes(vec![0, 1, 254, 255].into()),
        Body::Bytes(Vec::new().into()),
        Body::Map(map.map(|(place, value)| Entry { name: format!("e{place}"), value }).collect()),
        Body::Stream(stream()),
        Body::Empty,
        // java.lang.String "hi", as Java's object streams write it (stream magic, version, TC_STRING, length).
        Body::Object(vec![0xAC, 0xED, 0, 5, 0x74, 0, 2, b'h', b'i'].into()),
    ]
}

/// Without the byte array, which the broker's AMQP connector cannot put into a stream.
fn stream() -> Vec<Value> {
    entries().into_iter().filter(|value| !matches!(value, Value::Bytes(_))).collect()
}

fn check_bodies(client: Client, got: &[Received]) {
    let classes: Vec<_> = got.iter().map(|message| message.class.as_str()).collect();
    assert_eq!(
        classes,
        [
            "TextMessage",
            "TextMessage",
            "BytesMessage",
            "BytesMessage",
            "MapMessage",
            "StreamMessage",
            "Message",
            "ObjectMessage"
        ],
        "{client:?}"
    );
    assert_eq!(got[0].text.as_deref(), Some("grüße, 世界 😀\u{0}end"), "{client:?}");
    assert_eq!(got[1].text.as_deref(), Some(""), "{client:?}");
    assert_eq!(got[2].base64.as_deref(), Some("AAH+/w=="), "{client:?}");
    assert_eq!(got[3].base64.as_deref(), Some(""), "{client:?}");
    assert_eq!(got[7].object.as_deref(), Some("hi"), "{client:?}");
    let mut map: Vec<_> = got[4].entries.iter().map(|entry| (entry.name.clone().unwrap(), &entry.typed)).collect();
    map.sort_by_key(|(name, _)| name.trim_start_matches('e').parse::<usize>().unwrap());
    assert_eq!(map.iter().map(|(_, typed)| typed.kind.as_str()).collect::<Vec<_>>(), KINDS, "{client:?}");
    let stream: Vec<_> = got[5].entries.iter().map(|entry| &entry.typed).collect();
    assert_eq!(stream.iter().map(|typed| typed.kind.as_str()).collect::<Vec<_>>(), KINDS[..10], "{client:?}");
    assert_eq!(map[9].1.value, json!("grüße €"), "{client:?}");
    assert_eq!(map[10].1.value, json!("AP8H"), "{client:?}");
    assert_eq!(stream[9].value, json!("grüße 😀"), "{client:?}");
    for values in [map.iter().map(|(_, typed)| *typed).collect::<Vec<_>>(), stream] {
        assert_eq!(values[1].value, json!(true), "{client:?}");
        assert_eq!(values[2].value, json!(-128), "{client:?}");
        assert_eq!(values[5].value, json!(i64::MAX), "{client:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_body_is_what_it_was_meant_to_be() {
    let broker = Broker::start();
    for client in Client::BOTH {
        let queue = Destination::Queue(QUEUE.into());
        let all = bodies().into_iter().map(|body| Publication { body, ..publication(&queue, 1) }).collect();
        publish(&broker, all).await;
        check_bodies(client, &receive(client, &broker, QUEUE).with("count", 8).messages());
    }
}

fn full(expires_at_ms: i64) -> Publication {
    let typed = [
        ("aBoolean", Value::Boolean(true)),
        ("aByte", Value::Byte(-1)),
        ("aShort", Value::Short(300)),
        ("anInt", Value::Int(-70_000)),
        ("aLong", Value::Long(1 << 40)),
        ("aFloat", Value::Float(0.5)),
        ("aDouble", Value::Double(1e300)),
        ("aString", Value::String("ü €".into())),
        ("JMS_IBM_MQMD_Report", Value::Int(0x0300_0000)),
    ];
    Publication {
        destination: Destination::Queue(QUEUE.into()),
        persistent: false,
        priority: 9,
        expires_at_ms: Some(expires_at_ms),
        message_id: Some("ID:414d5120514d3120202020202020202001ff".into()),
        correlation_id: Some("ID:000000000000000000000000000000000000000000000001".into()),
        reply_to: Some(Destination::Topic("ANSWERS".into())),
        message_type: Some("mcd://xmlns".into()),
        group_id: Some("G 1".into()),
        group_sequence: Some(3),
        user_id: Some("fred".into()),
        timestamp_ms: Some(1_034_148_883_120),
        properties: typed.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        body: Body::Text("x".into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_arrives() {
    let broker = Broker::start();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let expires = now + 600_000;
    for client in Client::BOTH {
        let forever = Publication { expires_at_ms: None, persistent: true, priority: 0, ..full(0) };
        publish(&broker, vec![full(expires), forever]).await;
        let got = receive(client, &broker, QUEUE).with("count", 2).messages();
        // The broker keeps the two kinds apart, and promises no order between them.
        let of = |persistent| got.iter().find(|message| message.persistent == persistent);
        let (Some(first), Some(second)) = (of(false), of(true)) else { panic!("{got:?}") };
        assert_eq!((first.persistent, first.priority, first.expiration), (false, 9, expires), "{client:?}");
        assert_eq!((second.persistent, second.priority, second.expiration), (true, 0, 0), "{client:?}");
        assert_eq!(first.id.as_deref(), Some("ID:414d5120514d3120202020202020202001ff"), "{client:?}");
        let correlation = Some("ID:000000000000000000000000000000000000000000000001");
        assert_eq!(first.correlation_id.as_deref(), correlation, "{client:?}");
        assert_eq!(first.reply_to.as_deref(), Some("topic://ANSWERS"), "{client:?}");
        assert_eq!(first.jms_type.as_deref(), Some("mcd://xmlns"), "{client:?}");
        assert_eq!(first.timestamp, 1_034_148_883_120, "{client:?}");
        let property = |name: &str| first.properties.get(name).map(|it| (it.kind.clone(), it.value.clone()));
        let is = |kind: &str, value: serde_json::Value| Some((kind.to_owned(), value));
        assert_eq!(property("JMSXGroupID"), is("string", json!("G 1")), "{client:?}");
        assert_eq!(property("JMSXGroupSeq"), is("int", json!(3)), "{client:?}");
        assert_eq!(property("JMSXUserID"), is("string", json!("fred")), "{client:?}");
        assert_eq!(property("aBoolean"), is("boolean", json!(true)), "{client:?}");
        assert_eq!(property("aByte"), is("byte", json!(-1)), "{client:?}");
        assert_eq!(property("aShort"), is("short", json!(300)), "{client:?}");
        assert_eq!(property("anInt"), is("int", json!(-70_000)), "{client:?}");
        assert_eq!(property("aLong"), is("long", json!(1_i64 << 40)), "{client:?}");
        assert_eq!(property("aFloat"), is("float", json!(0.5)), "{client:?}");
        assert_eq!(property("aDouble"), is("double", json!(1e300)), "{client:?}");
        assert_eq!(property("aString"), is("string", json!("ü €")), "{client:?}");
        assert_eq!(property("JMS_IBM_MQMD_Report"), is("int", json!(0x0300_0000)), "{client:?}");
    }
}
