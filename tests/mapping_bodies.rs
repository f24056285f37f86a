//! Bodies by class and character set, dead letters, and arbitrary messages.

#[path = "support/transmission.rs"]
mod transmission;

use bytes::Bytes;
use mqferry::mapping::{Body, BodyMode, Destination, Mapped, Original, Policy, Value, dead_letter, id, publish, shape};
use mqferry::message::{Chars, Coding, Dlh, Envelope, Md, Xqh};
use mqferry::wire::ByteOrder;
use proptest::prelude::*;
use transmission::{
    MSG_ID_TEXT, NOW, chars, map, of_rfh2, parse, plain, policy, rfh2, route, string, transmission, transmission_to,
};

// ---- bodies ----

#[test]
fn classes() {
    for (msd, format, body, expected) in [
        ("jms_text", "MQSTR", "t", Body::Text("t".into())),
        ("jms_text", "", "t", Body::Text("t".into())),
        ("jms_bytes", "", "b", Body::Bytes("b".into())),
        ("jms_object", "", "o", Body::Object("o".into())),
        ("jms_none", "", "", Body::Empty),
        ("jms_map", "MQSTR", "<map></map>", Body::Map(vec![])),
        ("jms_stream", "MQSTR", "<stream/>", Body::Stream(vec![])),
        ("jms_map", "MQSTR", "<map", Body::Bytes("<map".into())),
        ("mrm", "MQSTR", "m", Body::Text("m".into())),
        ("mrm", "", "m", Body::Bytes("m".into())),
    ] {
        let mut rfh2 = rfh2(&[&format!("<mcd><Msd>{msd}</Msd></mcd>")]);
        rfh2.format = chars(format);
        let got = of_rfh2(&rfh2, body.as_bytes()).publication;
        assert_eq!(got.body, expected, "{msd} {format:?} {body}");
        let kept = (body == "<map").then(|| string("jms_map"));
        assert_eq!(got.properties.get("MQFERRY_Msd"), kept.as_ref(), "{msd} {body}");
    }
    let null = rfh2(&["<mcd><Msd>jms_text</Msd><msgbody xsi:nil=\"true\"></msgbody></mcd>"]);
    let got = of_rfh2(&null, b"").publication;
    assert_eq!(got.body, Body::Text(String::new()));
    assert_eq!(got.properties.get("MQFERRY_NullText"), Some(&Value::Boolean(true)));
}

/// The bytes by iconv.
#[test]
fn text_in_its_character_set() {
    for (ccsid, encoding, bytes, text) in [
        (1208, 273, &b"Gr\xC3\xBC\xC3\x9Fe"[..], "Grüße"),
        (819, 273, b"Gr\xFC\xDFe", "Grüße"),
        (1200, 273, b"\x00G\x00\xFC", "Gü"),
        (1200, 546, b"G\x00\xFC\x00", "Gü"),
        (37, 785, b"\xC7\x99\xDC\x59\x85", "Grüße"),
        (500, 785, b"\xC7\x99\xDC\x59\x85", "Grüße"),
    ] {
        let md = Md { coded_char_set_id: ccsid, encoding, ..plain() };
        assert_eq!(map(&transmission(&md, bytes)).publication.body, Body::Text(text.into()), "{ccsid} {encoding}");
    }
}

#[test]
fn what_cannot_be_converted_stays_bytes() {
    for (ccsid, bytes) in [(1208, &b"\xFF"[..]), (12345, b"x"), (1200, b"\xD8\x00\x00A")] {
        let md = Md { coded_char_set_id: ccsid, ..plain() };
        let Mapped { publication, notes } = map(&transmission(&md, bytes));
        assert_eq!(publication.body, Body::Bytes(Bytes::copy_from_slice(bytes)), "{ccsid}");
        assert_eq!(publication.properties.get("MQFERRY_Convert"), Some(&Value::Int(2119)), "{ccsid}");
        assert_eq!(notes.len(), 1, "{ccsid}");
    }
}

#[test]
fn a_route_says_how_bodies_go() {
    let by = |body: &str, format: &str| {
        let mode = body.parse().expect("a mode");
        let policy = Policy { routes: vec![route("*", "queue://OUT", mode)], ..policy() };
        let md = Md { format: chars(format), ..plain() };
        publish(&transmission(&md, b"x"), &policy, NOW).expect("a publication").publication.body
    };
    let (text, bytes) = (Body::Text("x".into()), Body::Bytes("x".into()));
    assert_eq!(by("auto", "MQSTR"), text);
    assert_eq!(by("auto", ""), bytes);
    assert_eq!(by("text", ""), text);
    assert_eq!(by("bytes", "MQSTR"), bytes);
    assert!("xml".parse::<BodyMode>().is_err());
}

/// A bridge's header is not ours to interpret: it and everything behind it is the body.
#[test]
fn foreign_headers_are_body() {
    let sample = format!("{}/protocol-captures/ibm-headers/113-cih-e273.bin", env!("CARGO_MANIFEST_DIR"));
    let cih = std::fs::read(&sample).expect("the sample 113-cih-e273");
    let mut rfh2 = rfh2(&["<usr><a>1</a></usr>"]);
    rfh2.format = chars("MQCICS");
    let got = of_rfh2(&rfh2, &cih).publication;
    assert_eq!(got.body, Body::Bytes(cih.into()));
    assert_eq!(got.properties.get("JMS_IBM_Format"), Some(&string("MQCICS")));
    assert_eq!(got.properties.get("a"), Some(&string("1")));
}

#[test]
fn a_dead_letter_header_becomes_properties() {
    let mut data = Vec::new();
    let dlh = Dlh {
        reason: 2053,
        dest_q_name: chars("TARGET.Q"),
        dest_q_mgr_name: chars("QM7"),
        encoding: 273,
        coded_char_set_id: 1208,
        format: chars("MQSTR"),
        put_appl_type: 6,
        put_appl_name: chars("amqrmppa"),
        put_date: chars("20260131"),
        put_time: chars("12345678"),
    };
    dlh.encode_to(&mut data, Coding::default());
    data.extend_from_slice(b"dead");
    let got = map(&transmission(&Md { format: chars("MQDEAD"), ..plain() }, &data)).publication;
    assert_eq!(got.body, Body::Text("dead".into()));
    for (property, value) in [
        ("MQFERRY_DLH_Reason", Value::Int(2053)),
        ("MQFERRY_DLH_DestQName", string("TARGET.Q")),
        ("MQFERRY_DLH_DestQMgrName", string("QM7")),
        ("MQFERRY_DLH_PutApplType", Value::Int(6)),
        ("MQFERRY_DLH_PutApplName", string("amqrmppa")),
        ("MQFERRY_DLH_PutDate", string("20260131")),
        ("MQFERRY_DLH_PutTime", string("12345678")),
        ("JMS_IBM_MQMD_Format", string("MQDEAD")),
    ] {
        assert_eq!(got.properties.get(property), Some(&value), "{property}");
    }
}

// ---- dead letters ----

#[test]
fn a_dead_letter_keeps_every_byte() {
    let md = Md { priority: 7, persistence: 1, expiry: 50, ..plain() };
    let envelope = transmission_to("PAY.IN", "QM9", &md, b"data");
    let whole = envelope.parts().concat();
    let refusal = publish(&envelope, &policy(), NOW).expect_err("an unknown queue manager");
    let deadq = Destination::Queue("MQFERRY.DLQ".into());
    let got = dead_letter(&Original::Parsed(&envelope), refusal.reason, &refusal.text, &deadq, NOW).publication;
    assert_eq!(got.destination, deadq);
    assert!(got.persistent);
    assert_eq!((got.priority, got.expires_at_ms), (7, None));
    assert_eq!(got.message_id.as_deref(), Some(MSG_ID_TEXT));
    let Body::Bytes(body) = &got.body else { panic!("bytes") };
    let (header, data) = body.split_at(172);
    assert_eq!(data, b"data");
    let dlh = Dlh::parse(header, ByteOrder::Big).expect("an MQDLH");
    let text = |chars: Chars<48>| chars.text(Coding::default());
    assert_eq!((dlh.reason, text(dlh.dest_q_name), text(dlh.dest_q_mgr_name)), (2087, "PAY.IN".into(), "QM9".into()));
    assert_eq!((dlh.encoding, dlh.coded_char_set_id), (273, 1208));
    assert!(dlh.format.is("MQSTR"));
    for (property, value) in [
        ("MQFERRY_Reason", Value::Int(2087)),
        ("MQFERRY_ReasonName", string("MQRC_UNKNOWN_REMOTE_Q_MGR")),
        ("MQFERRY_RemoteQ", string("PAY.IN")),
        ("MQFERRY_RemoteQMgr", string("QM9")),
        ("JMS_IBM_Format", string("MQDEAD")),
        ("JMS_IBM_MQMD_Expiry", Value::Int(50)),
        ("JMS_IBM_MsgType", Value::Int(8)),
    ] {
        assert_eq!(got.properties.get(property), Some(&value), "{property}");
    }
    let Some(Value::String(head)) = got.properties.get("MQFERRY_XQH") else { panic!("MQFERRY_XQH") };
    assert_eq!(id::unhex(head).as_deref(), whole.get(..428));
}

#[test]
fn a_broken_message_becomes_a_dead_letter_whole() {
    let bytes = Bytes::from_static(b"XQH \0\0\0\x01 and no more");
    let broken = Envelope::parse(vec![bytes.clone()], ByteOrder::Little, 437).expect_err("broken");
    let original = Original::Broken { parts: &broken.parts, encoding: 546, ccsid: 437 };
    let deadq = Destination::Queue("D".into());
    let got = dead_letter(&original, 271, &broken.to_string(), &deadq, NOW).publication;
    let Body::Bytes(body) = &got.body else { panic!("bytes") };
    let dlh = Dlh::parse(body, ByteOrder::Big).expect("an MQDLH");
    assert_eq!(body.get(172..), Some(&bytes[..]));
    assert_eq!((dlh.reason, dlh.encoding, dlh.coded_char_set_id), (271, 546, 437));
    assert!(dlh.format.is("MQXMIT"));
    assert_eq!(got.properties.get("MQFERRY_ReasonName"), Some(&string("MQFB_XMIT_Q_MSG_ERROR")));
    assert!(got.persistent);
}

// ---- arbitrary input ----

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bytes where fields, folders and body are: a publication, never a panic; JSON there and back; a dead letter whole.
    #[test]
    fn arbitrary_messages_are_mapped(
        fields in proptest::collection::vec(any::<u8>(), 316),
        format in proptest::sample::select(vec!["MQSTR", "MQHRF2", "MQDEAD", "MQHMDE", "MQHRF", "MQCICS", ""]),
        folder in "(<|>|</|usr|jms|mcd|Msd|jms_map|Cid|Tms|Exp|Gid| dt='i4'| xsi:nil='true'|1|x|&#x1f680;|\\PC){0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = Vec::new();
        Xqh::new(chars("Q"), chars("AMQGW")).encode_to(&mut bytes, Coding::default());
        bytes.extend_from_slice(b"MD  \0\0\0\x01");
        bytes.extend_from_slice(&fields);
        // Encoding, CodedCharSetId and Format so that the chain is walked; no report option that must be refused.
        bytes[112..116].copy_from_slice(&[0x0F, 0, 0x3F, 0xC7]);
        bytes[128..136].copy_from_slice(&[0, 0, 1, 0x11, 0, 0, 4, 0xB8]);
        bytes[136..144].copy_from_slice(format!("{format:8}").as_bytes());
        if format == "MQHRF2" {
            bytes.extend_from_slice(&rfh2(&[&folder, "<usr><a>1</a></usr>"]).encode(Coding::default()));
        }
        bytes.extend_from_slice(&body);
        let envelope = parse(bytes);
        let mapped = map(&envelope);
        let json = shape::to_json(&mapped.publication, NOW);
        let back = shape::from_json(&json, NOW).expect("the shape that was written");
        prop_assert_eq!(shape::to_json(&back, NOW), json); // not the values: NaN is not equal to itself
        prop_assert!(mapped.publication.properties.keys().all(|name| !name.is_empty()));
        let dead = dead_letter(&Original::Parsed(&envelope), 2053, "full", &Destination::Queue("D".into()), NOW);
        let Body::Bytes(body) = dead.publication.body else { panic!("bytes") };
        prop_assert_eq!(body.slice(172..), envelope.data());
    }
}
