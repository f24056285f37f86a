//! The mapping judged by what it must keep: messages that IBM's JMS client wrote, against what the application set,
//! which the samples' JSON records.

#[path = "support/transmission.rs"]
mod transmission;

use std::collections::BTreeMap;

use bytes::Bytes;
use mqferry::mapping::{Body, Entry, Mapped, Publication, Value};
use mqferry::message::{Coding, Md};
use mqferry::wire::ByteOrder;
use serde_json::Value as Json;
use transmission::{MSG_ID, MSG_ID_TEXT, NOW, chars, map, string, transmission_to};

struct Sample {
    name: String,
    application: Json,
    publication: Publication,
    notes: Vec<String>,
}

/// Every JMS sample, on a transmission queue as its README says, with what the queue manager fills in filled in.
fn samples() -> BTreeMap<String, Sample> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol-captures/ibm-jms");
    let read = |file: &str| std::fs::read(format!("{folder}/{file}")).expect(file);
    let mut samples = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("protocol-captures/ibm-jms") {
        let file = entry.expect("an entry").file_name().into_string().expect("a name");
        let Some(stem) = file.strip_suffix(".json") else { continue };
        let json: Json = serde_json::from_slice(&read(&file)).expect("JSON");
        let mut md = Md::parse(&read(&format!("{stem}.md.bin")), ByteOrder::Big).expect("an MQMD");
        md.msg_id = MSG_ID;
        md.put_date = chars("20261123");
        md.put_time = chars("13540000");
        if !md.reply_to_q.is_blank(Coding::default()) {
            md.reply_to_q_mgr = chars("QM1");
        }
        let queue = json["destination"][1].as_str().filter(|_| json["destination"][0] == 1).unwrap_or("TOPIC.Q");
        let envelope = transmission_to(queue, "AMQGW", &md, &read(&format!("{stem}.body.bin")));
        let Mapped { publication, notes } = map(&envelope);
        let case = json["case"].as_str().expect("case").to_owned();
        let application = json["application"].clone();
        samples.insert(case.clone(), Sample { name: case, application, publication, notes });
    }
    assert!(samples.len() >= 15, "the samples of protocol-captures/ibm-jms are incomplete");
    samples
}

#[test]
fn ibm_jms_messages_keep_what_the_application_set() {
    for sample in samples().values() {
        let (name, said, got) = (&sample.name, &sample.application, &sample.publication);
        let class = match &got.body {
            Body::Text(_) => "TextMessage",
            Body::Bytes(_) => "BytesMessage",
            Body::Map(_) => "MapMessage",
            Body::Stream(_) => "StreamMessage",
            Body::Object(_) => "ObjectMessage",
            Body::Empty => "Message",
        };
        assert_eq!(said["type"], class, "{name}");
        if let Some(text) = said["text"].as_str() {
            assert_eq!(got.body, Body::Text(text.to_owned()), "{name}");
        }
        assert_eq!(said["priority"], got.priority, "{name}");
        assert_eq!(said["deliveryMode"] == "PERSISTENT", got.persistent, "{name}");
        assert_eq!(said["JMSType"].as_str(), got.message_type.as_deref(), "{name}");
        assert_eq!(said["JMSCorrelationID"].as_str(), got.correlation_id.as_deref(), "{name}");
        assert_eq!(said["after_send"]["JMSTimestamp"].as_i64(), got.timestamp_ms, "{name}");
        assert_eq!(got.message_id.as_deref(), Some(MSG_ID_TEXT), "{name}");
        let lives = said["timeToLive"].as_i64().filter(|ms| *ms > 0);
        assert_eq!(got.expires_at_ms, lives.map(|ms| NOW + ms), "{name}");
        let reply = said["JMSReplyTo"].as_str().map(|to| to.replace("queue:///", "queue://MQ.QM1."));
        assert_eq!(reply, got.reply_to.as_ref().map(ToString::to_string), "{name}");
        assert_eq!(got.properties.get("MQFERRY_Rto"), said["JMSReplyTo"].as_str().map(string).as_ref(), "{name}");
        check_properties(sample);
    }
}

/// Types and values of the application's properties; JMSXGroupID and JMSXGroupSeq have fields of their own.
fn check_properties(sample: &Sample) {
    let empty = serde_json::Map::new();
    let said = sample.application["properties"].as_object().unwrap_or(&empty);
    let got = &sample.publication;
    for (property, said) in said {
        let at = format!("{} {property}", sample.name);
        let (number, text) = (said["value"].as_i64(), said["value"].as_str());
        let expected = match said["java"].as_str().expect("java") {
            "null" => Value::Null,
            "String" => string(text.expect("text")),
            "Boolean" => Value::Boolean(said["value"].as_bool().expect("boolean")),
            "Byte" => Value::Byte(number.and_then(|n| n.try_into().ok()).expect("byte")),
            "Short" => Value::Short(number.and_then(|n| n.try_into().ok()).expect("short")),
            "Integer" => Value::Int(number.and_then(|n| n.try_into().ok()).expect("int")),
            "Long" => Value::Long(number.expect("long")),
            "Float" => Value::Float(text.expect("float").parse().expect("float")),
            "Double" => Value::Double(text.expect("double").parse().expect("double")),
            other => panic!("{at}: {other}"),
        };
        match property.as_str() {
            "JMSXGroupID" => assert_eq!(got.group_id.clone().map(Value::String), Some(expected), "{at}"),
            "JMSXGroupSeq" => assert_eq!(got.group_sequence.map(Value::Int), Some(expected), "{at}"),
            _ => assert_eq!(got.properties.get(property.as_str()), Some(&expected), "{at}"),
        }
    }
}

/// What `entries` of sample 038 and `writes` of 042 and 031 say in words.
#[test]
fn ibm_jms_bodies() {
    let samples = samples();
    let Body::Map(entries) = &samples["map-all-types"].publication.body else { panic!("a map") };
    let entries: BTreeMap<_, _> = entries.iter().map(|Entry { name, value }| (name.as_str(), value.clone())).collect();
    assert_eq!(
        entries,
        BTreeMap::from([
            ("bool", Value::Boolean(true)),
            ("byte", Value::Byte(-1)),
            ("short", Value::Short(-2)),
            ("char", Value::Char(0xE9)),
            ("int", Value::Int(-3)),
            ("long", Value::Long(-4)),
            ("float", Value::Float(1.25)),
            ("double", Value::Double(-2.5e300)),
            ("string", string("a<b>&\"c\" \u{20ac}")),
            ("bytes", Value::Bytes(Bytes::from_static(&[0, 1, 0xFF]))),
            ("nullstr", Value::Null),
        ])
    );
    assert_eq!(
        samples["stream-all-types"].publication.body,
        Body::Stream(vec![
            Value::Boolean(false),
            Value::Byte(5),
            Value::Short(6),
            Value::Char(u16::from(b'x')),
            Value::Int(7),
            Value::Long(8),
            Value::Float(9.5),
            Value::Double(f64::MAX),
            string("s\u{20ac}&"),
            Value::Bytes(Bytes::from_static(&[1, 2, 3])),
            Value::Null,
            string(""),
        ])
    );
    let mut written = vec![1, 2, 3, 4];
    written.extend(1.5f64.to_be_bytes());
    written.extend((-2.25f32).to_be_bytes());
    written.extend(258i16.to_be_bytes());
    written.extend(0x0102_0304_0506_0708i64.to_be_bytes());
    assert_eq!(samples["bytes-encoding-273"].publication.body, Body::Bytes(written.into()));
    let Body::Object(object) = &samples["object-hashmap"].publication.body else { panic!("an object") };
    assert!(object.starts_with(&[0xAC, 0xED, 0, 5]), "a Java serialisation stream");
}

#[test]
fn ibm_jms_messages_need_no_notes() {
    for sample in samples().values() {
        assert_eq!(sample.notes, Vec::<String>::new(), "{}", sample.name);
        let odd: Vec<_> = sample.publication.properties.keys().filter(|name| is_odd(name)).collect();
        match sample.name.as_str() {
            "replyto-queue" => assert_eq!(odd, ["MQFERRY_Rto"]),
            "topic-plain" => assert_eq!(odd, ["MQFERRY_Dst", "MQFERRY_bin", "MQFERRY_jms_Uci"]),
            "text-ccsid-500" => assert_eq!(odd, ["MQFERRY_CCSID", "MQFERRY_Dst"]),
            "bytes-encoding-273" => {}
            name => assert_eq!(odd, Vec::<&String>::new(), "{name}"),
        }
    }
}

/// A property of ours, but for those that are there to give back every byte and to find loops.
fn is_odd(name: &str) -> bool {
    let usual = name.starts_with("MQFERRY_RAW_") || matches!(name, "MQFERRY_HOPS" | "MQFERRY_Tms");
    name.starts_with("MQFERRY_") && !usual
}
