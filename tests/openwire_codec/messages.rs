//! Messages as applications fill them, in both directions.

use mqferry::mapping::publication::{Entry, Value};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::openwire::codec::{Command, ConnectionId, Content, Frame, PrimitiveMap, Version, WireFormatInfo};
use mqferry::target::openwire::message::{from_openwire, to_openwire};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::java::{encoded, hex, reads, written};
use crate::same::assert_same;
use crate::structures::decoded;
use crate::support::jms::Received;

#[test]
fn what_java_applications_write_is_read() {
    let lines = written().iter().filter(|line| line["body"].is_string());
    let mut count = 0;
    for line in lines {
        let about = line["body"].as_str().unwrap();
        let frame = decoded(line["hex"].as_str().unwrap(), Version::NEWEST);
        let Command::Message(message) = &frame.command else { panic!("{about}: {frame:?}") };
        let seen: Received = serde_json::from_value(line["message"].clone()).unwrap();
        let mut publication = from_openwire(message).unwrap().expect("it has a destination");
        if seen.text.is_none() && seen.class == "TextMessage" {
            // a null text, which no publication has
            assert_eq!(message.body().unwrap(), Content::Text(None), "{about}");
            assert_eq!(publication.properties.remove("MQFERRY_NullText"), Some(Value::Boolean(true)), "{about}");
            publication.body = Body::Empty;
            assert_same(&publication, &Received { class: "Message".into(), ..seen }, about);
        } else {
            assert_same(&publication, &seen, about);
        }
        // written again as the same bytes, all of it and each part by itself
        assert_eq!(hex(&encoded(&frame, Version::NEWEST)), line["hex"].as_str().unwrap(), "{about}");
        let properties = message.properties().unwrap();
        let bytes = (!properties.0.is_empty()).then(|| properties.encode().unwrap());
        assert_eq!(bytes, message.marshalled_properties, "{about}");
        if !message.compressed {
            assert_eq!(message.body().unwrap().encode().unwrap(), message.content, "{about}");
        }
        count += 1;
    }
    assert_eq!(count, 2 * 11);
}

/// Messages that applications compressed hold the same as those that they did not.
#[test]
fn compressed_is_the_same() {
    let bodies = |compressed: bool| {
        let lines = written()
            .iter()
            .filter(move |line| line["body"].as_str().is_some_and(|name| name.ends_with(" compressed") == compressed));
        let message = |line: &serde_json::Value| match decoded(line["hex"].as_str().unwrap(), Version::NEWEST).command {
            Command::Message(message) => message,
            other => panic!("{other:?}"),
        };
        lines.map(message).collect::<Vec<_>>()
    };
    let (plain, compressed) = (bodies(false), bodies(true));
    assert!(compressed.iter().filter(|message| message.compressed).count() >= 7);
    for (plain, compressed) in plain.iter().zip(&compressed) {
        match (plain.body().unwrap(), compressed.body().unwrap()) {
            // a map has no order
            (Content::Map(PrimitiveMap(mut one)), Content::Map(PrimitiveMap(mut other))) => {
                one.sort_by(|(a, _), (b, _)| a.cmp(b));
                other.sort_by(|(a, _), (b, _)| a.cmp(b));
                assert_eq!(one, other);
            }
            (one, other) => assert_eq!(one, other),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        "[\\x00\u{7F}-\u{FFFD}]{0,10}",
        "\\PC{0,20}",
        // around the lengths where another type begins, and where it has to
        (8189_usize..8193).prop_map(|length| "x".repeat(length)),
        Just("€".repeat(30_000)),
    ]
}

/// What properties can have, of fractions those that every printer writes alike; map entries and stream items have bytes and chars as well.
fn simple() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::Short),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        prop_oneof![any::<i16>().prop_map(f32::from), Just(f32::NAN), Just(f32::NEG_INFINITY), Just(0.25)]
            .prop_map(Value::Float),
        prop_oneof![any::<i32>().prop_map(|n| f64::from(n) / 4.0), Just(f64::INFINITY), Just(-0.0625)]
            .prop_map(Value::Double),
        text().prop_map(Value::String),
    ]
}

fn element() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => simple(),
        1 => (0_u16..0xD800).prop_map(Value::Char),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bytes(bytes.into())),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let entries = proptest::collection::btree_map("[ -~€]{1,8}", element(), 0..6);
    // a byte array in a stream is refused: AMQP readers would never get it
    let item = element().prop_filter("no bytes", |value| !matches!(value, Value::Bytes(_)));
    prop_oneof![
        Just(Body::Empty),
        text().prop_map(Body::Text),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| Body::Bytes(bytes.into())),
        entries.prop_map(|entries| Body::Map(entries.into_iter().map(|(name, value)| Entry { name, value }).collect())),
        proptest::collection::vec(item, 0..8).prop_map(Body::Stream),
    ]
}

fn destination() -> impl Strategy<Value = Destination> {
    let name = "[A-Z][A-Z0-9._/%]{0,47}";
    prop_oneof![
        name.prop_map(Destination::Queue),
        name.prop_map(Destination::Topic),
        name.prop_map(Destination::TempQueue),
        name.prop_map(Destination::TempTopic),
    ]
}

fn publications() -> impl Strategy<Value = Publication> {
    let optional = || proptest::option::of("\\PC{1,24}");
    let head = (destination(), any::<bool>(), 0_u8..10, proptest::option::of(1_i64..i64::MAX));
    let ids = (proptest::option::of("ID:[0-9a-f]{48}"), optional(), proptest::option::of(destination()), optional());
    let group = (optional(), any::<i32>(), optional(), proptest::option::of(1_i64..i64::MAX));
    let properties = proptest::collection::btree_map("[A-Za-z_ é-]{1,12}", simple(), 0..6);
    (head, ids, group, properties, body()).prop_map(|(head, ids, group, properties, body)| Publication {
        destination: head.0,
        persistent: head.1,
        priority: head.2,
        expires_at_ms: head.3,
        message_id: ids.0,
        correlation_id: ids.1,
        reply_to: ids.2,
        message_type: ids.3,
        group_sequence: group.0.as_ref().map(|_| group.1),
        group_id: group.0,
        user_id: group.2,
        timestamp_ms: group.3,
        properties: properties.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        body,
    })
}

#[test]
fn what_we_write_is_read_by_activemq() {
    let mut runner = TestRunner::deterministic();
    let made: Vec<_> = (0..400).map(|_| publications().new_tree(&mut runner).unwrap().current()).collect();
    let producer = ConnectionId::new("ID:gateway-1").session(1).producer(1);
    let mut frames = Vec::new();
    for (number, publication) in made.iter().enumerate() {
        let version = Version::new(9 + i32::try_from(number % 4).unwrap()).unwrap();
        let id = producer.message(i64::try_from(number).unwrap());
        let message = to_openwire(publication.clone(), id, None).unwrap();
        frames.push((version, Frame::asking(1, message)));
    }
    let answers = reads(&frames);
    for (number, ((publication, (version, frame)), answer)) in made.iter().zip(&frames).zip(&answers).enumerate() {
        let about = format!("message {number}, version {version}: {publication:?}");
        assert_eq!(answer["again"], json!(hex(&encoded(frame, *version))), "{about}");
        let seen: Received = serde_json::from_value(answer["message"].clone()).unwrap();
        let mut expected = publication.clone();
        if *version == Version::OLDEST || publication.message_id.is_none() {
            // the text of an id came with version 10
            expected.message_id = Some(format!("ID:gateway-1:1:1:{number}"));
        }
        assert_same(&expected, &seen, &about);
        // and back
        let Command::Message(message) = &frame.command else { unreachable!() };
        let mut back = from_openwire(message).unwrap().unwrap();
        if publication.message_id.is_none() {
            back.message_id = None;
        }
        assert_eq!(format!("{back:?}"), format!("{publication:?}"), "NaN is not itself");
    }
}

#[test]
fn our_offer_is_taken() {
    let offers = (9..=12).map(|number| {
        let version = Version::new(number).unwrap();
        (version, Frame::new(0, WireFormatInfo::ours(version, 5000, 1 << 20, "broker.example")))
    });
    for (number, answer) in (9..).zip(reads(&offers.collect::<Vec<_>>())) {
        let expected = json!({
            "structure": "WireFormatInfo", "again": answer["again"], "version": number, "tight": false, "cache": false,
            "stack_traces": false, "no_sizes": false, "inactivity": 5000, "initial_delay": 10_000, "frame": 1 << 20,
            "host": "broker.example",
        });
        assert_eq!(answer, expected);
    }
}
