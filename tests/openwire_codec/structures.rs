//! Every structure, one property at a time: Java changes one, and exactly that one is seen changed here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bytes::Bytes;
use mqferry::mapping::Destination;
use mqferry::target::openwire::codec::{
    AckType, BrokerId, BrokerInfo, Class, Command, ConnectionId, Frame, Frames, Message, MessageId, Structure,
    Throwable, TransactionId, TransactionType, Version, XaTransactionId,
};
use serde_json::Value;

use crate::java::{encoded, hex, unhex, written};

/// Fields by name, as `Debug` shows them.
type Fields = BTreeMap<String, String>;

#[test]
fn each_field_is_where_activemq_has_it() {
    let lines = written();
    let mut bases: BTreeMap<(u64, &str), Fields> = BTreeMap::new();
    let mut seen: BTreeMap<(u64, &str), BTreeSet<String>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["structure"].is_string()) {
        let text = |name: &str| line[name].as_str().expect("a text");
        let (version, structure, property, kind) =
            (line["version"].as_u64().unwrap(), text("structure"), text("property"), text("type"));
        let about = format!("{structure}.{property}, version {version}");
        let negotiated = Version::new(version.try_into().unwrap()).unwrap();
        let frame = decoded(text("hex"), negotiated);
        assert_eq!(hex(&encoded(&frame, negotiated)), text("hex"), "{about}: {frame:?}");

        let fields = fields(&frame);
        if property.is_empty() {
            bases.insert((version, structure), fields);
            continue;
        }
        let base = &bases[&(version, structure)];
        let name = rust_name(structure, property);
        let mut changed: Fields = fields.clone();
        changed.retain(|name, value| base[name] != *value);
        if version == 9 && LATER.contains(&(structure_kind(structure), property)) {
            assert_eq!(changed, Fields::new(), "{about}: did not exist yet");
            continue;
        }
        let expected = |other: bool| match (structure, property) {
            ("TransactionInfo", "Type") => {
                shown(&if other { TransactionType::Rollback } else { TransactionType::CommitTwoPhase })
            }
            ("MessageAck", "AckType") => shown(&if other { AckType::Individual } else { AckType::Redelivered }),
            // what is shown of it does not change
            ("ConnectionInfo", "Password") => shown(&Some("***")),
            _ => value(kind, other, negotiated),
        };
        assert!(expected(false).contains(&base[&name]), "{about}: base is {}", base[&name]);
        assert!(expected(true).contains(&fields[&name]), "{about}: is {}", fields[&name]);
        match &frame.command {
            Command::ConnectionInfo(info) if property == "Password" => {
                assert_eq!(info.password.as_deref(), Some(OTHER));
                assert_eq!(changed, Fields::new());
            }
            _ => assert_eq!(changed.keys().collect::<Vec<_>>(), [&name], "{about}"),
        }
        seen.entry((version, structure)).or_default().insert(name);
    }
    // all were there, and each field of ours was changed once
    assert_eq!(bases.len(), 4 * 31);
    for (structure, base) in bases.iter().filter(|((version, _), _)| *version == 12) {
        let untouched = base.keys().filter(|name| !seen[structure].contains(*name)).collect::<Vec<_>>();
        // a network connector's filter, which Java cannot make without one
        let exempt: &[&str] = if structure.1 == "ConsumerInfo" { &["additional_predicate"] } else { &[] };
        assert_eq!(untouched, exempt, "{structure:?}");
    }
}

/// What version 9 lacks.
const LATER: [(&str, &str); 2] = [("ConsumerInfo", "ClientId"), ("Message", "JMSXGroupFirstForConsumer")];
const OTHER: &str = "other \0 é € \u{1F600}";

fn structure_kind(structure: &str) -> &str {
    if structure.starts_with("ActiveMQ") { "Message" } else { structure }
}

pub(crate) fn decoded(hex: &str, version: Version) -> Frame {
    let mut bytes = unhex(hex);
    let frame = Frames::new(1 << 24).next(&mut bytes).expect("a frame").expect("all of it");
    assert!(bytes.is_empty());
    frame.decode(version).unwrap_or_else(|e| panic!("{e}: {hex}"))
}

/// Every field of the command, by our name.
fn fields(frame: &Frame) -> Fields {
    let mut fields = match &frame.command {
        Command::Message(message) => {
            let mut fields = split(&format!("{:#?}", message.fields));
            if let Some(blob) = &message.blob {
                fields.append(&mut split(&format!("{blob:#?}")));
            }
            fields
        }
        other => {
            let text = format!("{other:#?}");
            split(&text.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n"))
        }
    };
    fields.insert("command_id".to_owned(), normal(&format!("{:?}", frame.command_id)));
    fields.insert("response_required".to_owned(), normal(&format!("{:?}", frame.response_required)));
    fields
}

/// The fields in pretty `Debug` text: lines that are indented once begin one.
fn split(pretty: &str) -> Fields {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in pretty.lines().filter_map(|line| line.strip_prefix("    ")) {
        match line.split_once(": ") {
            Some((name, value)) if !line.starts_with(' ') => fields.push((name.to_owned(), value.to_owned())),
            _ => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
            }
        }
    }
    fields.into_iter().map(|(name, value)| (name, normal(&value))).collect()
}

fn normal(pretty: &str) -> String {
    let text: String = pretty.lines().map(str::trim).collect();
    text.trim_end_matches(',').to_owned()
}

/// A value as `Debug` shows it, in a field that can be null or not.
fn shown(value: &impl Debug) -> Vec<String> {
    vec![normal(&format!("{value:#?}")), normal(&format!("{:#?}", Some(value)))]
}

fn rust_name(structure: &str, property: &str) -> String {
    match (structure, property) {
        ("TransactionInfo", "Type") => "step".to_owned(),
        (_, "Type") => "message_type".to_owned(),
        (_, "RecievedByDFBridge") => "received_by_bridge".to_owned(),
        (_, "JMSXGroupFirstForConsumer") => "group_first_for_consumer".to_owned(),
        _ => {
            let mut name = String::new();
            let mut before = '_';
            for c in property.chars() {
                if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
                    name.push('_');
                }
                name.push(c.to_ascii_lowercase());
                before = c;
            }
            name
        }
    }
}

/// The base value of a Java type, or the other one (`OpenWire.java`, `value`), as our fields show it.
fn value(kind: &str, other: bool, version: Version) -> Vec<String> {
    let text = if other { "other" } else { "base" };
    let connection = ConnectionId::new(text);
    let session = connection.session(7);
    let consumer = session.consumer(8);
    let producer = session.producer(9);
    let broker = BrokerId { value: text.into() };
    match kind {
        "boolean" => shown(&other),
        "byte" => shown(&if other { 4 } else { 3 }),
        "int" => shown(&if other { -70_001 } else { 1000 }),
        "long" => shown(&if other { -2 } else { 5_000_000_000_i64 }),
        "String" => shown(&if other { OTHER } else { "base" }),
        "byte[]" | "ByteSequence" => shown(&Bytes::from_static(if other { &[0, 255, 3] } else { &[1] })),
        "ConnectionId" => shown(&connection),
        "SessionId" => shown(&session),
        "ConsumerId" => shown(&consumer),
        "ConsumerId[]" => shown(&vec![consumer]),
        "ProducerId" => shown(&producer),
        "BrokerId" => shown(&broker),
        "BrokerId[]" => shown(&vec![broker]),
        "BrokerInfo[]" => {
            let peer = BrokerInfo { broker_name: Some(text.to_owned()), ..BrokerInfo::default() };
            shown(&vec![peer.clone(), peer])
        }
        "MessageId" => {
            let text_view = (other && version > Version::OLDEST).then(|| "ID:other".to_owned());
            shown(&MessageId { text_view, broker_sequence_id: 11, ..producer.message(10) })
        }
        "TransactionId" if other => shown(&TransactionId::Xa(XaTransactionId {
            format_id: 99,
            global_transaction_id: Some(Bytes::from_static(&[1, 2])),
            branch_qualifier: Some(Bytes::from_static(&[3])),
        })),
        "TransactionId" => shown(&connection.transaction(12)),
        "ActiveMQDestination" if other => shown(&Destination::TempTopic("conn:1".to_owned())),
        "ActiveMQDestination" => shown(&Destination::Queue("BASE".to_owned())),
        "DataStructure" | "DataStructure[]" => {
            let structure = if other {
                Structure::Destination(Destination::TempQueue("conn:2".to_owned()))
            } else {
                Structure::ConsumerId(consumer)
            };
            if kind.ends_with(']') { shown(&vec![structure]) } else { shown(&structure) }
        }
        "Throwable" => {
            let (class, message) = if other {
                ("java.lang.SecurityException", "User is not authorised")
            } else {
                ("java.lang.IllegalStateException", "no")
            };
            shown(&Throwable { class: Some(class.to_owned()), message: Some(message.to_owned()) })
        }
        "Message" => {
            let mut message = Message { class: Class::Text, ..Message::default() };
            message.destination = Some(Destination::Topic(text.to_uppercase()));
            shown(&message)
        }
        _ => panic!("no value for {kind}"),
    }
}

#[test]
fn the_handshake_agrees_with_java() {
    let lines = written();
    let line: &Value = lines.iter().find(|line| line["handshake"].is_string()).expect("a handshake");
    let frame = decoded(line["hex"].as_str().unwrap(), Version::NEWEST);
    assert_eq!(hex(&encoded(&frame, Version::NEWEST)), line["hex"].as_str().unwrap());
    let Command::WireFormatInfo(theirs) = frame.command else { panic!("{frame:?}") };
    assert_eq!(
        (theirs.version, theirs.text("Host"), theirs.text("ProviderName")),
        (12, Some("broker"), Some("ActiveMQ"))
    );
    assert_eq!(theirs.long("MaxInactivityDuration"), Some(1234));
}
