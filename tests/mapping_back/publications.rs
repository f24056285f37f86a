//! Publications of the broker's side, out to MQ and back by the same gateway: they are what they were, in every encoding and alphabet;
//! what an application changed in MQ's own terms shows, and nothing else.

use bytes::Bytes;
use mqferry::mapping::{
    Body, BodyMode, Destination, Entry, MqMessage, Policy, Publication, Route, Sending, Treatment, Value, publish,
    to_mq,
};
use mqferry::message::{Chars, Coding, Envelope, Md, Xqh};
use mqferry::wire::{Alphabet, ByteOrder};
use proptest::prelude::*;

use super::rows::plain;
use super::transmission::{NOW, policy, route, trusting};

/// How a channel writes MQXQH and MQMD, and how text goes.
fn treatments() -> impl Strategy<Value = (Coding, i32, i32)> {
    let coding = prop::sample::select(vec![
        Coding::new(ByteOrder::Big, Alphabet::Ascii, 1208),
        Coding::new(ByteOrder::Little, Alphabet::Ascii, 437),
        Coding::new(ByteOrder::Big, Alphabet::Ebcdic, 500),
        Coding::new(ByteOrder::Little, Alphabet::Ebcdic, 37),
    ]);
    let text = prop::sample::select(vec![1208, 819, 37, 500, 1140, 1200, 1202]);
    (coding, text, prop::sample::select(vec![273, 546, 785]))
}

/// Text that all of these have.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ -~äéß]{0,20}", 1 => Just("two\nlines\t\0 <&>\"'".to_owned()), 1 => Just(String::new())]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::Short),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        any::<f32>().prop_map(Value::Float),
        any::<f64>().prop_map(Value::Double),
        text().prop_map(Value::String),
        "[\\u{20}-\\u{FFFD}]{0,8}".prop_map(Value::String),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let inside = || {
        prop_oneof![
            6 => value().prop_filter("in all of the pages", |value| !matches!(value, Value::String(_))),
            2 => text().prop_map(Value::String),
            1 => prop::sample::select(vec!['x', 'ß', ' ', '<']).prop_map(|c| Value::Char(c as u16)),
            1 => prop::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Value::Bytes(bytes.into())),
        ]
    };
    let map = prop::collection::btree_map("[a-z<&\" é]{1,6}", inside(), 0..5);
    prop_oneof![
        4 => text().prop_map(Body::Text),
        2 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Body::Bytes(bytes.into())),
        2 => map.prop_map(|map| Body::Map(map.into_iter().map(|(name, value)| Entry { name, value }).collect())),
        2 => prop::collection::vec(inside(), 0..5).prop_map(Body::Stream),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Body::Object(bytes.into())),
        1 => Just(Body::Empty),
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::array::uniform24(any::<u8>())
            .prop_map(|id| format!("ID:01{}", id[1..].iter().map(|b| format!("{b:02x}")).collect::<String>())),
        Just("ID:host-40411-1:1:1:1:1".to_owned()),
        Just("AMQP_UUID:0a1b".to_owned()),
        "[a-z0-9é-]{1,30}",
    ]
}

fn publications() -> impl Strategy<Value = Publication> {
    let name = prop_oneof![6 => "[a-z][a-zA-Z0-9_]{0,7}", 1 => "[a-c]\\.[a-c]", 1 => "[a-z:]{1,3} [a-z-]{1,4}", 1 => Just("größe".to_owned()), 1 => Just("_x0041_".to_owned())];
    let reply = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Destination::Queue("R.Q".into()))),
        1 => Just(Some(Destination::Queue("MQ.QM1.R.Q".into()))),
        1 => Just(Some(Destination::Topic("replies".into()))),
    ];
    let group = prop::option::weighted(0.3, (id(), 1..i32::MAX));
    let fields = (
        any::<bool>(),
        0..=9u8,
        prop::option::weighted(0.3, 1..100_000_000i64),
        prop::option::of(id()),
        prop::option::of("[a-zA-Z]{1,8}|mcd://mrm/[a-z]{1,3}/[a-z]{1,3}(\\?format=X)?"),
        prop::option::of("[a-zA-Z0-9]{1,12}"),
        1_700_000_000_000..1_900_000_000_000i64,
    );
    (id(), fields, reply, group, prop::collection::btree_map(name, value(), 0..6), body()).prop_map(
        |(message_id, fields, reply_to, group, properties, body)| Publication {
            body,
            message_id: Some(message_id),
            persistent: fields.0,
            priority: fields.1,
            expires_at_ms: fields.2.map(|ms| NOW + ms),
            correlation_id: fields.3,
            message_type: fields.4,
            user_id: fields.5,
            timestamp_ms: Some(fields.6),
            reply_to,
            group_id: group.as_ref().map(|(id, _)| id.clone()),
            group_sequence: group.map(|(_, sequence)| sequence),
            properties: properties.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            ..plain()
        },
    )
}

fn treated((_, ccsid, encoding): (Coding, i32, i32)) -> Policy {
    let treatment = Treatment { ccsid, encoding, ..trusting() };
    let route = Route { destination: None, treatment, ..route("*", "", BodyMode::Auto) };
    Policy { routes: vec![route], qmgrs: vec!["QM1".into()], ..policy() }
}

fn out(publication: &Publication, how: (Coding, i32, i32)) -> MqMessage {
    let policy = treated(how);
    let sending = Sending { policy: &policy, partner: "QM1", coding: how.0, reply_alias: None, mcauser: "" };
    to_mq(publication, &sending, NOW).unwrap_or_else(|refused| panic!("{refused}\n{publication:#?}"))
}

/// As an application in MQ puts it again, to us; with its descriptor changed or not.
fn back(message: &MqMessage, how: (Coding, i32, i32), change: impl FnOnce(&mut Md)) -> (Publication, bool) {
    let coding = message.coding;
    let mut bytes = Vec::new();
    Xqh::new(message.xqh.remote_q_name, Chars::from_text_cut("AMQGW", coding)).encode_to(&mut bytes, coding);
    let mut md = message.md.clone();
    change(&mut md);
    md.encode_to(&mut bytes, coding);
    bytes.extend_from_slice(&message.data());
    let envelope = Envelope::parse(vec![Bytes::from(bytes)], coding.byte_order, coding.ccsid()).expect("an envelope");
    let has_rfh2 = envelope.rfh2s().next().is_some();
    (publish(&envelope, &treated(how), NOW).expect("a publication").publication, has_rfh2)
}

/// What an application set: MQ's fields and what is ours are the mapping's.
fn set(publication: &Publication) -> Publication {
    let mut set = publication.clone();
    let added = |name: &str| name.starts_with("JMS_IBM_") || name.starts_with("JMSX") || name.starts_with("MQFERRY_");
    set.properties.retain(|name, _| !added(name));
    set
}

/// As text: NaN is not equal to itself.
fn shown(publication: &Publication) -> String {
    format!("{:#?}", set(publication))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_what_it_was(publication in publications(), how in treatments()) {
        let message = out(&publication, how);
        let (mut got, has_rfh2) = back(&message, how, |_| {});
        let mut expected = publication.clone();
        // MQ counts lifetimes in tenths of a second, rounded up.
        if let (Some(was), Some(is)) = (expected.expires_at_ms, got.expires_at_ms) {
            prop_assert!((was..was + 100).contains(&is));
            got.expires_at_ms = Some(was);
        }
        // Without an MQRFH2 there is room for the id that was derived and for hundredths of a second.
        if !has_rfh2 {
            expected.timestamp_ms = expected.timestamp_ms.map(|ms| ms / 10 * 10);
            if got.message_id != expected.message_id {
                prop_assert!(got.message_id.as_deref().is_some_and(|id| id.starts_with("ID:4d514659")), "{:?}", got.message_id);
                got.message_id = expected.message_id.clone();
            }
        }
        prop_assert_eq!(shown(&got), shown(&expected));
    }

    /// In MQ the descriptor's priority, correlation or feedback is changed: it shows, and nothing else.
    #[test]
    fn a_changed_field_shows(publication in publications(), how in treatments(), which in 0..4) {
        let message = out(&publication, how);
        let (mut expected, _) = back(&message, how, |_| {});
        let (mut got, has_rfh2) = back(&message, how, |md| match which {
            0 => md.priority = (md.priority + 1) % 10,
            1 => md.correl_id = [7; 24],
            2 => md.feedback = 4711,
            _ => md.persistence = 1 - md.persistence,
        });
        match which {
            0 => expected.priority = (expected.priority + 1) % 10,
            1 if !has_rfh2 || expected.correlation_id.is_none() => expected.correlation_id = Some(format!("ID:{}", "07".repeat(24))),
            1 => {} // the folder's text counts
            2 => drop(expected.properties.insert("JMS_IBM_Feedback".into(), Value::Int(4711))),
            _ => expected.persistent = !expected.persistent,
        }
        // What the folder says against the descriptor is kept aside.
        for publication in [&mut expected, &mut got] {
            publication.properties.retain(|name, _| !name.starts_with("MQFERRY_"));
        }
        prop_assert_eq!(format!("{got:#?}"), format!("{expected:#?}"));
    }

    /// The broker's side changes it: the message for MQ differs in that, and what comes back too.
    #[test]
    fn a_change_shows(publication in publications(), how in treatments(), which in 0..4) {
        let mut changed = publication.clone();
        match which {
            0 => drop(changed.properties.insert("zz".into(), Value::Int(1))),
            1 => changed.body = Body::Text("changed".into()),
            2 => changed.priority = (changed.priority + 1) % 10,
            _ => changed.correlation_id = Some("changed".into()),
        }
        let (one, other) = (out(&publication, how), out(&changed, how));
        if which == 2 {
            prop_assert_eq!(&Md { priority: one.md.priority, ..other.md.clone() }, &one.md);
            prop_assert_eq!(&one.body, &other.body);
        }
        if which != 1 {
            prop_assert_eq!(&one.body, &other.body);
        }
        let ((before, had_rfh2), (after, has_rfh2)) = (back(&one, how, |_| {}), back(&other, how, |_| {}));
        let mut expected = before.clone();
        match which {
            0 => drop(expected.properties.insert("zz".into(), Value::Int(1))),
            1 => expected.body = Body::Text("changed".into()),
            2 => expected.priority = changed.priority,
            _ => expected.correlation_id = Some("changed".into()),
        }
        // What only an MQRFH2 can say is there once there is one, and gone with it.
        if had_rfh2 != has_rfh2 || which == 1 {
            (expected.timestamp_ms, expected.message_id) = (after.timestamp_ms, after.message_id.clone());
        }
        prop_assert_eq!(shown(&after), shown(&expected));
    }
}
