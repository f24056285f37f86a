//! Messages as they lie on a transmission queue, built field by field, and what the mapping makes of them.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use bytes::Bytes;
use mqferry::mapping::{
    BodyMode, ContextMode, Glob, Mapped, MqMessage, Policy, Publication, Route, Sending, Treatment, Value, publish,
    to_mq,
};
use mqferry::message::{Chars, Coding, Envelope, FieldValue, Md, Mde, Rfh2, Xqh};
use mqferry::wire::ByteOrder;

/// Some moment, milliseconds since 1970.
pub const NOW: i64 = 1_795_443_300_000;
pub const MSG_ID: [u8; 24] = *b"AMQ QM1         \0\x01\x02\x03\xFC\xFD\xFE\xFF";
pub const MSG_ID_TEXT: &str = "ID:414d5120514d3120202020202020202000010203fcfdfeff";

/// What a route must say so that a message comes back the same, its user too.
pub fn trusting() -> Treatment {
    Treatment { context: ContextMode::Set, ..Treatment::default() }
}

/// A gateway without routes but that it trusts everybody.
pub fn policy() -> Policy {
    let treatment = trusting();
    let everything = Route { remote_queue: None, remote_qmgr: None, destination: None, treatment };
    Policy { aliases: vec!["QM2".into()], routes: vec![everything], ..Policy::named("AMQGW") }
}

pub fn chars<const N: usize>(text: &str) -> Chars<N> {
    Chars::from_text(text, Coding::default()).expect("a text that fits")
}

pub fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A message as it lies on a transmission queue: version-2 fields go into an MQMDE.
pub fn transmission_to(queue: &str, qmgr: &str, md: &Md, data: &[u8]) -> Envelope {
    let coding = Coding::default();
    let mut md = md.clone();
    let mut bytes = Vec::new();
    Xqh::new(chars(queue), chars(qmgr)).encode_to(&mut bytes, coding);
    match md.v2.take() {
        None => md.encode_to(&mut bytes, coding),
        Some(v2) => {
            let (encoding, coded_char_set_id, format) = (md.encoding, md.coded_char_set_id, md.format);
            md.format = chars("MQHMDE");
            md.encode_to(&mut bytes, coding);
            Mde { encoding, coded_char_set_id, format, flags: 0, v2 }.encode_to(&mut bytes, coding);
        }
    }
    bytes.extend_from_slice(data);
    parse(bytes)
}

pub fn transmission(md: &Md, data: &[u8]) -> Envelope {
    transmission_to("Q", "AMQGW", md, data)
}

pub fn parse(bytes: Vec<u8>) -> Envelope {
    Envelope::parse(vec![Bytes::from(bytes)], ByteOrder::Big, 1208).expect("an envelope")
}

pub fn map(envelope: &Envelope) -> Mapped {
    publish(envelope, &policy(), NOW).expect("a publication")
}

/// A message without anything special.
pub fn plain() -> Md {
    Md { msg_id: MSG_ID, format: chars("MQSTR"), ..Md::default() }
}

pub fn rfh2(folders: &[&str]) -> Rfh2 {
    Rfh2 {
        encoding: 273,
        coded_char_set_id: 1208,
        format: chars("MQSTR"),
        flags: 0,
        name_value_ccsid: 1208,
        folders: folders.iter().map(|text| Rfh2::folder_bytes(text)).collect(),
    }
}

pub fn of_rfh2(rfh2: &Rfh2, body: &[u8]) -> Mapped {
    with_rfh2(plain(), rfh2, body)
}

pub fn with_rfh2(md: Md, rfh2: &Rfh2, body: &[u8]) -> Mapped {
    let mut data = rfh2.encode(Coding::default());
    data.extend_from_slice(body);
    map(&transmission(&Md { format: chars("MQHRF2"), ..md }, &data))
}

pub fn route(remote_queue: &str, destination: &str, body: BodyMode) -> Route {
    Route {
        remote_queue: Some(Glob::new(remote_queue)),
        remote_qmgr: None,
        destination: destination.parse().ok(),
        treatment: Treatment { body, ..trusting() },
    }
}

/// The sending channel to QM1 for messages that come back.
pub fn sending(policy: &Policy) -> Sending<'_> {
    Sending { policy, partner: "QM1", coding: Coding::default(), reply_alias: None, mcauser: "" }
}

/// A publication as a message for MQ.
pub fn back(publication: &Publication) -> MqMessage {
    to_mq(publication, &sending(&policy()), NOW).unwrap_or_else(|refused| panic!("{refused}\n{publication:#?}"))
}

/// The fields of a descriptor by name, text as text, but for the two that need not come back.
pub fn fields(md: &Md, coding: Coding) -> BTreeMap<&'static str, FieldValue> {
    let all = md.fields(coding).into_iter();
    all.filter(|(name, _)| !matches!(*name, "Expiry" | "BackoutCount" | "StrucId" | "Version")).collect()
}

/// Golden rule 4: out and back, the bytes behind the descriptor and the descriptor are the same.
#[track_caller]
pub fn assert_comes_back(envelope: &Envelope, what: &str) -> Publication {
    let publication = map(envelope).publication;
    assert_is(&back(&publication), envelope, what, &publication);
    publication
}

#[track_caller]
pub fn assert_is(message: &MqMessage, envelope: &Envelope, what: &str, publication: &Publication) {
    let (came, goes) = (envelope.data(), message.data());
    if came != goes {
        let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
        panic!("{what}: data\n came {}\n goes {}\n by {publication:#?}", show(&came), show(&goes));
    }
    assert_eq!(fields(&message.md, message.coding), fields(&envelope.md, envelope.coding), "{what}\n{publication:#?}");
    if envelope.coding == message.coding {
        let exempt = Md { expiry: message.md.expiry, backout_count: 0, ..envelope.md.clone() };
        assert_eq!(message.md, exempt, "{what}");
    }
}
