//! The rules from the broker to MQ, row by row: a publication of the broker's side changed in one way, and what must come of it.

use bytes::Bytes;
use mqferry::mapping::{
    BadCorrelation, Body, BodyMode, ContextMode, Destination, Entry, MqMessage, Policy, PropertyMap, Publication,
    Rfh2Mode, Route, Sending, Treatment, Unencodable, Unmappable, Value, publish, to_mq,
};
use mqferry::message::{Chars, Coding, Envelope, Md};
use mqferry::wire::ByteOrder;

use super::transmission::{NOW, policy, route, sending, string};

/// A text message as an application of the broker's side sends it, by which nothing is said that need not be.
pub(crate) fn plain() -> Publication {
    Publication {
        destination: Destination::Queue("Q".into()),
        persistent: true,
        priority: 4,
        expires_at_ms: None,
        message_id: Some("ID:host-40411-1:1:1:1:1".into()),
        correlation_id: None,
        reply_to: None,
        message_type: None,
        group_id: None,
        group_sequence: None,
        user_id: None,
        timestamp_ms: Some(1_769_862_896_780),
        properties: PropertyMap::new(),
        body: Body::Text("text".into()),
    }
}

fn tried(change: impl FnOnce(&mut Publication), policy: &Policy) -> Result<MqMessage, Unmappable> {
    let mut publication = plain();
    change(&mut publication);
    to_mq(&publication, &sending(policy), NOW)
}

#[track_caller]
fn sent(change: impl FnOnce(&mut Publication)) -> MqMessage {
    tried(change, &policy()).unwrap_or_else(|refused| panic!("{refused}"))
}

#[track_caller]
fn md(change: impl FnOnce(&mut Publication)) -> Md {
    sent(change).md
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Publication)) -> (i32, &'static str) {
    let refused = tried(change, &policy()).expect_err("refused");
    (refused.reason, refused.field)
}

fn treated(treatment: Treatment) -> Policy {
    let route = Route { destination: None, treatment, ..route("*", "", BodyMode::Auto) };
    Policy { routes: vec![route], ..policy() }
}

fn envelope(message: &MqMessage) -> Envelope {
    Envelope::parse(message.parts(), message.coding.byte_order, message.coding.ccsid()).expect("an envelope")
}

/// The folders of its MQRFH2, `usr` and all, one behind the other.
#[track_caller]
fn folders(change: impl FnOnce(&mut Publication)) -> String {
    let envelope = envelope(&sent(change));
    envelope.rfh2s().flat_map(|(rfh2, order)| rfh2.folder_texts(order)).map(|text| text.expect("text")).collect()
}

fn text<const N: usize>(chars: Chars<N>) -> String {
    chars.text(Coding::default())
}

fn set(name: &str, value: Value) -> impl FnOnce(&mut Publication) {
    let name = name.to_owned().into();
    move |publication| drop(publication.properties.insert(name, value))
}

fn int(name: &str, value: i32) -> impl FnOnce(&mut Publication) {
    set(name, Value::Int(value))
}

// ---- section 2: the main table ----

#[test]
fn destination() {
    let by_route = Policy { routes: vec![route("PAY.IN", "topic://payments", BodyMode::Auto)], ..policy() };
    let known = Policy { qmgrs: vec!["QM1.A".into(), "QM1".into()], ..policy() };
    for (to, policy, queue, qmgr) in [
        ("queue://Q.A", &policy(), "Q.A", "QM1"), // the partner is never blank
        ("queue://MQ.QM1.Q.A", &policy(), "Q.A", "QM1"),
        ("queue://MQ.QM1.A.Q", &known, "Q", "QM1.A"), // names of queue managers hold dots
        ("queue://MQ.QM9.Q", &policy(), "MQ.QM9.Q", "QM1"),
        ("topic://payments", &by_route, "PAY.IN", "QM1"),
        (&format!("queue://{}", "N".repeat(48)), &policy(), &"N".repeat(48), "QM1"),
    ] {
        let xqh = tried(|p| p.destination = to.parse().expect(to), policy).expect(to).xqh;
        assert_eq!((text(xqh.remote_q_name), text(xqh.remote_q_mgr_name)), (queue.into(), qmgr.into()), "{to}");
    }
    for to in
        ["topic://t", "queue://a,b", "queue://A.>", "queue://A.*", "queue://ä", &format!("queue://{}", "N".repeat(49))]
    {
        assert_eq!(refused(|p| p.destination = to.parse().expect(to)), (2152, "RemoteQName"), "{to}");
    }
}

#[test]
fn version_1_and_an_mqmde_only_where_it_says_something() {
    let message = sent(|_| {});
    assert!(message.md.v2.is_none() && message.headers.is_empty());
    assert_eq!(&message.parts().concat()[104..112], b"MD  \0\0\0\x01");
    let grouped = sent(|p| p.group_id = Some("ID:".to_owned() + &"0a".repeat(24)));
    assert_eq!((grouped.md.format.text(Coding::default()).as_str(), grouped.headers.len()), ("MQHMDE", 72));
    assert_eq!(&grouped.headers[..8], b"MDE \0\0\0\x02");
}

#[test]
fn report_and_its_parts() {
    assert_eq!(md(|_| {}).report, 0);
    assert_eq!(md(int("JMS_IBM_MQMD_Report", 0x40)).report, 0x40);
    for (name, bits) in [
        ("Exception", 0x0100_0000),
        ("Exception", 0x0700_0000),
        ("Expiration", 0x00E0_0000),
        ("COA", 0x300),
        ("COD", 0x3800),
        ("PAN", 1),
        ("NAN", 2),
        ("Pass_Msg_ID", 0x80),
        ("Pass_Correl_ID", 0x40),
        ("Discard_Msg", 0x0800_0000),
    ] {
        assert_eq!(md(int(&format!("JMS_IBM_Report_{name}"), bits)).report, bits, "{name}");
    }
    // Both: what is said in parts wins, and the whole says what parts cannot (ACTIVITY).
    let both = md(|p| {
        int("JMS_IBM_Report_COA", 0x100)(p);
        int("JMS_IBM_MQMD_Report", 0x804)(p);
    });
    assert_eq!(both.report, 0x104);
}

#[test]
fn message_type_and_feedback() {
    let reply = |p: &mut Publication| p.reply_to = Some(Destination::Queue("R".into()));
    assert_eq!((md(|_| {}).msg_type, md(reply).msg_type), (8, 1));
    for value in [1, 2, 4, 8, 65_536] {
        assert_eq!(md(int("JMS_IBM_MsgType", value)).msg_type, value);
        assert_eq!(md(set("JMS_IBM_MsgType", string(&value.to_string()))).msg_type, value, "as JMS converts text");
    }
    assert_eq!((md(|_| {}).feedback, md(int("JMS_IBM_Feedback", 2053)).feedback), (0, 2053));
}

/// Section 6.
#[test]
fn expiry_in_tenths_rounded_up() {
    for (ms, tenths) in
        [(1, 1), (100, 1), (101, 2), (60_000, 600), (99_999_999_900, 999_999_999), (i64::MAX - NOW, 999_999_999)]
    {
        assert_eq!(md(|p| p.expires_at_ms = Some(NOW + ms)).expiry, tenths, "{ms}");
    }
    assert_eq!((md(|_| {}).expiry, md(|p| p.expires_at_ms = Some(0)).expiry), (-1, -1));
    for ms in [0, 1, 5_000] {
        assert_eq!(refused(|p| p.expires_at_ms = Some(NOW - ms)), (258, "Expiry"));
    }
    let folder = |p: &mut Publication| {
        p.expires_at_ms = Some(NOW + 60_000);
        p.message_type = Some("T".into());
    };
    assert!(folders(folder).contains(&format!("<Exp>{}</Exp>", NOW + 60_000)));
}

#[test]
fn encoding_ccsid_and_format() {
    let of = |md: Md| (md.encoding, md.coded_char_set_id, text(md.format));
    assert_eq!(of(md(|_| {})), (273, 1208, "MQSTR".into()));
    assert_eq!(of(md(|p| p.body = Body::Bytes("b".into()))), (273, 1208, "".into()));
    assert_eq!(of(md(int("JMS_IBM_Encoding", 785))), (785, 1208, "MQSTR".into()));
    assert_eq!(of(md(set("JMS_IBM_Format", string("MYFMT")))), (273, 1208, "MYFMT".into()));
    for (name, ccsid) in [("IBM500", 500), ("UTF-8", 1208), ("ISO-8859-1", 819), ("IBM01140", 1140), ("1208", 1208)] {
        assert_eq!(md(set("JMS_IBM_Character_Set", string(name))).coded_char_set_id, ccsid, "{name}");
    }
    // The number wins while the name is its name.
    let number = |name: &'static str| {
        move |p: &mut Publication| {
            int("JMS_IBM_MQMD_CodedCharSetId", 932)(p);
            set("JMS_IBM_Character_Set", string(name))(p);
        }
    };
    assert_eq!(md(number("Shift_JIS")).coded_char_set_id, 932);
    assert_eq!(md(number("IBM500")).coded_char_set_id, 500);
    let message = sent(set("JMS_IBM_Character_Set", string("klingon")));
    assert_eq!(message.md.coded_char_set_id, 1208);
    assert!(message.notes.iter().any(|note| note.contains("klingon")), "{:?}", message.notes);
}

#[test]
fn priority_persistence_and_backout_count() {
    for (said, expected) in [(0, 0), (4, 4), (9, 9), (10, 9), (255, 9)] {
        assert_eq!(md(|p| p.priority = said).priority, expected);
    }
    assert_eq!((md(|p| p.persistent = true).persistence, md(|p| p.persistent = false).persistence), (1, 0));
    for name in ["JMS_IBM_MQMD_BackoutCount", "JMSXDeliveryCount"] {
        assert_eq!(md(int(name, 7)).backout_count, 0, "the queue manager's");
    }
}

/// Section 4.
#[test]
fn message_ids() {
    let of = |id: &str| md(|p| p.message_id = Some(id.into())).msg_id;
    assert_eq!(of(&format!("ID:{}", "0f".repeat(24))), [0x0F; 24]);
    assert_eq!(of(&format!("ID:{}", "ff".repeat(24))), [0xFF; 24]);
    assert_eq!(of(&format!("ID:{}", "12".repeat(24))), [0x12; 24]);
    // Anything else: a tag and a digest, the same every time, other for another broker.
    for id in ["ID:host-40411-1:1:1", "AMQP_UUID:0000", &format!("ID:{}", "0F".repeat(24)), "ID:00"] {
        assert!(of(id).starts_with(b"MQFY"), "{id}");
        assert_eq!(of(id), of(id));
        let elsewhere = Policy { broker: "another".into(), ..policy() };
        let other = tried(|p| p.message_id = Some(id.into()), &elsewhere).expect("sent");
        assert_ne!(other.md.msg_id, of(id));
        assert_eq!(other.derived_from.as_deref(), Some(id), "for the reply table");
    }
    assert!(folders(|p| p.message_type = Some("T".into())).contains("<MQFERRY_JMSMessageID>ID:host-40411-1:1:1:1:1</"));
}

#[test]
fn correlation_ids() {
    let of = |id: &str| md(|p| p.correlation_id = Some(id.into())).correl_id;
    let padded = |text: &[u8]| {
        let mut id = [0; 24];
        id[..text.len()].copy_from_slice(text);
        id
    };
    assert_eq!(md(|_| {}).correl_id, [0; 24]);
    assert_eq!(of(&format!("ID:{}", "20".repeat(24))), [b' '; 24]);
    assert_eq!(of("ID:0102"), padded(&[1, 2]));
    assert_eq!(of("order-4711"), padded(b"order-4711"));
    assert_eq!(of("grün"), padded("grün".as_bytes()));
    assert_eq!(of(&"x".repeat(30)), [b'x'; 24]);
    for odd in ["ID:123", "ID:xyz", &format!("ID:{}", "00".repeat(25)), "AMQP_UUID:1", "AMQP_ULONG:7"] {
        assert!(of(odd).starts_with(b"MQFY"), "{odd}");
    }
    // The text in full stands in the folder, unless 24 bytes say it.
    for (id, has) in [("order-4711", true), ("ID:0102", true), (&format!("ID:{}", "20".repeat(24)), false)] {
        let folders = folders(|p| p.correlation_id = Some(id.into()));
        assert_eq!(folders.contains(&format!("<Cid>{id}</Cid>")), has, "{id}");
    }
}

/// A UUID is longer than CorrelId: of a request it goes in full, and an answer that copies CorrelId finds its asker.
#[test]
fn answers_find_uuids() {
    let uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
    let asked = md(|p| {
        p.correlation_id = Some(uuid.into());
        p.reply_to = Some(Destination::Queue("ANSWERS".into()));
    });
    assert_eq!(asked.correl_id, *b"MQFU\0\0\0\0\xF8\x1D\x4F\xAE\x7D\xEC\x11\xD0\xA7\x65\x00\xA0\xC9\x1E\x6B\xF6");
    let answer = Md { correl_id: asked.correl_id, msg_type: 2, ..super::transmission::plain() };
    let got = super::transmission::map(&super::transmission::transmission(&answer, b"")).publication;
    assert_eq!(got.correlation_id.as_deref(), Some(uuid));
    // That is no request, and yet it goes back as it came.
    let policy = policy();
    assert_eq!(to_mq(&got, &sending(&policy), NOW).expect("back").md.correl_id, asked.correl_id);
    // Of other messages the beginning goes, as IBM's client has it.
    assert_eq!(md(|p| p.correlation_id = Some(uuid.into())).correl_id, *b"f81d4fae-7dec-11d0-a765-");
}

/// What looks like an id of MQ's and is none, as the route has it.
#[test]
fn correlation_ids_that_are_none() {
    let by = |bad_correlation, id: &str| {
        tried(|p| p.correlation_id = Some(id.into()), &treated(Treatment { bad_correlation, ..Treatment::default() }))
    };
    for odd in ["ID:123", "ID:host-40411-1:1:1:1:1", &format!("ID:{}", "00".repeat(25))] {
        for (policy, begins) in
            [(BadCorrelation::default(), &b"MQFY"[..]), (BadCorrelation::Text, &odd.as_bytes()[..6])]
        {
            let message = by(policy, odd).expect("sent");
            assert!(message.md.correl_id.starts_with(begins), "{odd}");
            assert!(message.notes.len() == 1 && message.notes[0].contains("48 hex digits"), "{:?}", message.notes);
            let rfh2s: Vec<_> = envelope(&message).rfh2s().map(|(rfh2, _)| rfh2.clone()).collect();
            assert!(format!("{rfh2s:?}").contains(&format!("<Cid>{odd}</Cid>")), "in full");
        }
        let refused = by(BadCorrelation::Refuse, odd).expect_err("refused");
        assert_eq!((refused.reason, refused.field), (2207, "CorrelId"));
        assert!(refused.text.contains("bad_correlation"), "{}", refused.text);
    }
    for good in ["ID:", "ID:0102", "order-4711", "AMQP_UUID:1", &format!("ID:{}", "Ab".repeat(24))] {
        assert_eq!(by(BadCorrelation::Refuse, good).expect(good).notes, Vec::<String>::new());
    }
    // With its CorrelId it came from MQ, and goes back as it came.
    let md = Md { correl_id: [7; 24], ..super::transmission::plain() };
    let rfh2 = super::transmission::rfh2(&["<jms><Cid>ID:123</Cid></jms>"]);
    let came = super::transmission::with_rfh2(md, &rfh2, b"").publication;
    for bad_correlation in [BadCorrelation::Derive, BadCorrelation::Text, BadCorrelation::Refuse] {
        let policy = treated(Treatment { bad_correlation, ..Treatment::default() });
        assert_eq!(to_mq(&came, &sending(&policy), NOW).expect("back").md.correl_id, [7; 24]);
    }
}

/// Section 5.
#[test]
fn reply_to() {
    let of = |to: &str| {
        let md = md(|p| p.reply_to = Some(to.parse().expect(to)));
        (text(md.reply_to_q), text(md.reply_to_q_mgr))
    };
    assert_eq!(of("queue://R.Q"), ("R.Q".into(), "AMQGW".into()));
    assert_eq!(of("queue://MQ.QM1.R.Q"), ("R.Q".into(), "QM1".into()));
    assert_eq!(of("topic://replies"), (String::new(), String::new()));
    assert!(folders(|p| p.reply_to = Some(Destination::Topic("replies".into()))).contains(">topic://replies</"));
    let temporary = |p: &mut Publication| p.reply_to = Some(Destination::TempQueue("ID:host:1".into()));
    for to in ["queue://a,b", &format!("queue://{}", "N".repeat(49))] {
        assert_eq!(refused(|p| p.reply_to = Some(to.parse().expect(to))), (2152, "ReplyToQ"), "{to}");
    }
    assert_eq!(refused(temporary), (2152, "ReplyToQ"));
    let (policy, mut publication) = (policy(), plain());
    temporary(&mut publication);
    let alias = Sending { reply_alias: Some("MQFERRY.T.ABC"), ..sending(&policy) };
    let md = to_mq(&publication, &alias, NOW).expect("sent").md;
    assert_eq!((text(md.reply_to_q), text(md.reply_to_q_mgr)), ("MQFERRY.T.ABC".into(), "AMQGW".into()));
}

#[test]
fn identity_and_origin_context() {
    let long = sent(|p| p.user_id = Some("a-user-of-more-than-twelve".into()));
    assert_eq!(text(long.md.user_identifier), "a-user-of-mo");
    assert!(long.notes.iter().any(|note| note.contains("UserIdentifier")), "{:?}", long.notes);
    assert_eq!(md(set("JMS_IBM_MQMD_AccountingToken", string(&"ab".repeat(32)))).accounting_token, [0xAB; 32]);
    for wrong in ["zz", "ab", ""] {
        assert_eq!(md(set("JMS_IBM_MQMD_AccountingToken", string(wrong))).accounting_token, [0; 32]);
    }
    assert_eq!(text(md(set("JMS_IBM_MQMD_ApplIdentityData", string("me"))).appl_identity_data), "me");
    assert_eq!((md(|_| {}).put_appl_type, md(int("JMS_IBM_PutApplType", 6)).put_appl_type), (28, 6));
    let long = "a program with a rather long name";
    assert_eq!(text(md(set("JMSXAppID", string(long))).put_appl_name), long[..28]);
    assert_eq!(text(md(set("JMS_IBM_MQMD_ApplOriginData", string("ORIG"))).appl_origin_data), "ORIG");
}

/// Who a message is from decides what it may do in MQ: only where the route allows it the application's word counts, or what came
/// along from MQ, which an application can have made up as well.
#[test]
fn user_identifier() {
    let by = |context: ContextMode, mcauser: &str, change: &dyn Fn(&mut Publication)| {
        let policy = treated(Treatment { context, ..Treatment::default() });
        let mut publication = plain();
        change(&mut publication);
        let message = to_mq(&publication, &Sending { mcauser, ..sending(&policy) }, NOW).expect("sent");
        (text(message.md.user_identifier), message.notes)
    };
    let fred = |p: &mut Publication| p.user_id = Some("fred".into());
    let (set, mcauser) = (ContextMode::Set, ContextMode::default());
    assert_eq!(mcauser, ContextMode::Mcauser, "what a careful administrator chooses");
    assert_eq!(by(set, "mqferry", &fred), ("fred".into(), vec![]));
    for (user, instead) in [("", "it is blank"), ("mqferry", "it is \"mqferry\"")] {
        let (now, notes) = by(mcauser, user, &fred);
        assert_eq!((now.as_str(), notes.len()), (user, 1));
        assert!(notes[0].contains("\"fred\" is not passed on") && notes[0].contains(instead), "{notes:?}");
    }
    assert_eq!(by(mcauser, "mqferry", &|_| {}), ("mqferry".into(), vec![]), "there is nothing to tell");
    // As it came from MQ, NULs and all.
    let mut md = super::transmission::plain();
    md.user_identifier.0 = *b"mqm\0\0\0\0\0\0\0\0\0";
    let came = super::transmission::map(&super::transmission::transmission(&md, b"text")).publication;
    let goes = |context, mcauser| {
        let policy = treated(Treatment { context, ..Treatment::default() });
        to_mq(&came, &Sending { mcauser, ..sending(&policy) }, NOW).expect("sent").md.user_identifier.0
    };
    assert_eq!(goes(set, ""), md.user_identifier.0);
    assert_eq!(goes(mcauser, ""), [b' '; 12]);
    assert_eq!(goes(mcauser, "mqm"), *b"mqm         ", "what came along is not looked at");
}

#[test]
fn put_date_and_time_in_gmt() {
    let of = |ms| {
        let md = md(|p| p.timestamp_ms = ms);
        (text(md.put_date), text(md.put_time))
    };
    // date -u -d @1769862896
    assert_eq!(of(Some(1_769_862_896_789)), ("20260131".into(), "12345678".into()));
    assert_eq!(of(None).0, "20261123", "of now");
    let folder = |ms| folders(|p| (p.timestamp_ms, p.message_type) = (ms, Some("T".into())));
    assert!(folder(Some(1_769_862_896_789)).contains("<Tms>1769862896789</Tms>"));
}

/// Section 7.
#[test]
fn groups_and_segments() {
    let v2 = |change: &dyn Fn(&mut Publication)| envelope(&sent(|p| change(p))).v2().cloned().unwrap_or_default();
    let in_group = |sequence: Option<i32>| v2(&|p| (p.group_id, p.group_sequence) = (Some("group-1".into()), sequence));
    assert_eq!(&in_group(Some(3)).group_id[..8], b"group-1\0");
    assert_eq!((in_group(Some(3)).msg_seq_number, in_group(Some(3)).msg_flags), (3, 8));
    for none in [None, Some(0), Some(-1)] {
        assert_eq!(in_group(none).msg_seq_number, 1, "{none:?}");
    }
    let hex = v2(&|p| p.group_id = Some(format!("ID:{}", "0b".repeat(24))));
    assert_eq!(hex.group_id, [0x0B; 24]);
    let last = v2(&|p| {
        (p.group_id, p.group_sequence) = (Some("g".into()), Some(3));
        p.properties.insert("JMS_IBM_Last_Msg_In_Group".into(), Value::Boolean(true));
        p.properties.insert("JMS_IBM_MQMD_MsgFlags".into(), Value::Int(8));
    });
    assert_eq!(last.msg_flags, 0x18);
    // The end of a group as ActiveMQ is told of it (group_close = on-last).
    let closed = v2(&|p| {
        (p.group_id, p.group_sequence) = (Some("g".into()), Some(-1));
        p.properties.insert("JMS_IBM_MQMD_MsgSeqNumber".into(), Value::Int(7));
    });
    assert_eq!(closed.msg_seq_number, 7);
    let segment = v2(&|p| {
        p.properties.insert("JMS_IBM_MQMD_MsgFlags".into(), Value::Int(2));
        p.properties.insert("JMS_IBM_MQMD_Offset".into(), Value::Int(100));
        p.properties.insert("JMS_IBM_MQMD_OriginalLength".into(), Value::Int(250));
        p.properties.insert("JMS_IBM_MQMD_GroupId".into(), string(&format!("ID:{}", "0c".repeat(24))));
    });
    assert_eq!((segment.msg_flags, segment.offset, segment.original_length), (2, 100, 250));
    assert_eq!(segment.group_id, [0x0C; 24]);
}

#[test]
fn jms_type_and_message_class() {
    let of = |kind: &str| folders(|p| p.message_type = Some(kind.into()));
    assert!(of("order").starts_with("<mcd><Msd>jms_text</Msd><Type>order</Type></mcd>"));
    assert!(
        of("mcd://mrm/S/T?format=F").starts_with("<mcd><Msd>mrm</Msd><Set>S</Set><Type>T</Type><Fmt>F</Fmt></mcd>")
    );
    for (body, class, bytes) in [
        (Body::Empty, "jms_none", &b""[..]),
        (Body::Map(vec![]), "jms_map", b"<map></map>"),
        (
            Body::Stream(vec![Value::Int(1), Value::Null]),
            "jms_stream",
            b"<stream><elt dt='i4'>1</elt><elt xsi:nil='true'></elt></stream>",
        ),
        (Body::Object("o".into()), "jms_object", b"o"),
    ] {
        let message = sent(|p| p.body = body.clone());
        assert_eq!(message.body, Bytes::copy_from_slice(bytes));
        assert!(folders(|p| p.body = body).starts_with(&format!("<mcd><Msd>{class}</Msd></mcd>")), "{class}");
    }
    // The domain of a JMSType stands where the class would: MQ has one field for both, so that the class goes as a property.
    for (kind, body, class) in [
        ("mcd://mrm/S/T", Body::Map(vec![]), Some("jms_map")),
        ("mcd://mrm/S/T", Body::Stream(vec![Value::Int(1)]), Some("jms_stream")),
        ("mcd://mrm/S/T", Body::Object("o".into()), Some("jms_object")),
        ("mcd://mrm/S/T", Body::Empty, Some("jms_none")),
        ("mcd://mrm/S/T", Body::Text("t".into()), None),
        ("mcd://mrm/S/T", Body::Bytes("b".into()), None),
        ("mcd://jms_map/S/T", Body::Text("t".into()), Some("jms_text")),
        ("mcd://jms_map/S/T", Body::Map(vec![]), None),
    ] {
        let typed = |p: &mut Publication| (p.message_type, p.body) = (Some(kind.into()), body.clone());
        let usr = class.map(|class| format!("<MQFERRY_Class>{class}</MQFERRY_Class>"));
        let is_there =
            |folders: &str| usr.as_ref().map_or(!folders.contains("MQFERRY_Class"), |usr| folders.contains(usr));
        assert!(is_there(&folders(typed)), "{kind} {body:?}: {}", folders(typed));
        assert_eq!(sent(typed).notes, Vec::<String>::new());
        // Back from MQ it is what it was, and it goes there again as it came.
        let message = sent(typed);
        let envelope = super::transmission::transmission(&message.md, &message.data());
        let publication = super::transmission::assert_comes_back(&envelope, kind);
        assert_eq!((publication.message_type.as_deref(), &publication.body), (Some(kind), &body));
        assert!(!publication.properties.contains_key("MQFERRY_Class"));
        let never = treated(Treatment { rfh2: Rfh2Mode::Never, ..Treatment::default() });
        let notes = tried(typed, &never).expect("sent").notes;
        assert_eq!(notes.iter().any(|note| note.contains("message class")), class.is_some(), "{notes:?}");
    }
    let map = Body::Map(vec![Entry { name: "a".into(), value: Value::Bytes(Bytes::from_static(&[0, 255])) }]);
    assert_eq!(sent(|p| p.body = map).body, "<map><elt name=\"a\" dt='bin.hex'>00ff</elt></map>");
}

// ---- sections 3, 8, 9 and 10 ----

#[test]
fn text_in_the_ccsid_of_the_route() {
    let body = |ccsid, encoding, text: &str| {
        let policy = treated(Treatment { ccsid, encoding, ..Treatment::default() });
        tried(|p| p.body = Body::Text(text.into()), &policy).map(|message| {
            assert_eq!((message.md.coded_char_set_id, message.md.encoding), (ccsid, encoding));
            message.body.to_vec()
        })
    };
    // By iconv.
    assert_eq!(body(500, 785, "Grüße"), Ok(b"\xC7\x99\xDC\x59\x85".to_vec()));
    assert_eq!(body(1200, 546, "Gü"), Ok(b"G\0\xFC\0".to_vec()));
    assert_eq!(body(1200, 273, "Gü"), Ok(b"\0G\0\xFC".to_vec()));
    assert_eq!(body(1208, 273, "a\0🚀"), Ok(b"a\0\xF0\x9F\x9A\x80".to_vec()));
    assert_eq!(body(819, 273, "100 €").map_err(|u| (u.reason, u.field)), Err((2119, "CodedCharSetId")));
    let substitute = Treatment { ccsid: 819, unencodable: Unencodable::Substitute, ..Treatment::default() };
    let message = tried(|p| p.body = Body::Text("100 €".into()), &treated(substitute)).expect("sent");
    assert_eq!(message.body, "100 ?");
    assert_eq!(message.notes.len(), 1);
}

#[test]
fn an_mqrfh2_if_needed_always_or_never() {
    let with = |rfh2, change: fn(&mut Publication)| {
        let message = tried(change, &treated(Treatment { rfh2, ..Treatment::default() })).expect("sent");
        (envelope(&message).rfh2s().count(), message.notes.len())
    };
    let needs: [fn(&mut Publication); 6] = [
        |p| drop(p.properties.insert("a".into(), Value::Int(1))),
        |p| p.message_type = Some("T".into()),
        |p| p.correlation_id = Some("text".into()),
        |p| p.group_id = Some("text".into()),
        |p| p.body = Body::Empty,
        |p| p.body = Body::Map(vec![]),
    ];
    for need in needs {
        assert_eq!(with(Rfh2Mode::IfNeeded, need), (1, 0));
        assert_eq!(with(Rfh2Mode::Never, need), (0, 1), "what is lost is told");
    }
    for (mode, count) in [(Rfh2Mode::IfNeeded, 0), (Rfh2Mode::Always, 1), (Rfh2Mode::Never, 0)] {
        assert_eq!(with(mode, |_| {}), (count, 0), "a reply to a request without one has none");
        assert_eq!(with(mode, |p| p.body = Body::Bytes("b".into())), (count, 0));
    }
}

#[test]
fn properties_of_every_type_and_name() {
    let folders = folders(|p| {
        for (name, value) in [
            ("b", Value::Boolean(true)),
            ("i1", Value::Byte(-1)),
            ("i2", Value::Short(2)),
            ("i4", Value::Int(4)),
            ("i8", Value::Long(8)),
            ("n", Value::Null),
            ("r4", Value::Float(1.5)),
            ("r8", Value::Double(-0.0)),
            ("s", string("x<y")),
            ("h", string("00ff")),
            ("c", string("é")),
            ("MQFERRY_bin", string("h")),
            ("MQFERRY_char", string("c")),
            ("a b", Value::Int(1)),
            ("g.x", Value::Int(1)),
            ("g.y", Value::Int(2)),
            ("MQFERRY_P_AMQ_SCHEDULED_DELAY", Value::Long(60_000)),
            ("MQFERRY_RFH2_mqext", string("<mqext><Arm>1</Arm></mqext>")),
        ] {
            p.properties.insert(name.into(), value);
        }
    });
    for element in [
        "<b dt='boolean'>1</b>",
        "<i1 dt='i1'>-1</i1>",
        "<i2 dt='i2'>2</i2>",
        "<i4 dt='i4'>4</i4>",
        "<i8 dt='i8'>8</i8>",
        "<n xsi:nil='true'></n>",
        "<r4 dt='r4'>1.5</r4>",
        "<r8 dt='r8'>-0.0</r8>",
        "<s>x&lt;y</s>",
        "<h dt='bin.hex'>00ff</h>",
        "<c dt='char'>é</c>",
        "<a_x0020_b dt='i4'>1</a_x0020_b>",
        "<g><x dt='i4'>1</x><y dt='i4'>2</y></g>",
        "<AMQ_SCHEDULED_DELAY dt='i8'>60000</AMQ_SCHEDULED_DELAY>",
        "</usr><mqext><Arm>1</Arm></mqext>",
    ] {
        assert!(folders.contains(element), "{element} in {folders}");
    }
    assert!(!folders.contains("MQFERRY_bin") && !folders.contains("MQFERRY_char"), "{folders}");
}

/// What a broker or a client adds is none of the application's.
#[test]
fn what_providers_add_stays_out() {
    for name in [
        "JMS_AMQP_NATIVE",
        "JMS_AMQP_HEADER",
        "JMS_AMQP_ORIGINAL_ENCODING",
        "JMS_AMQP_MESSAGE_FORMAT",
        "JMSXDeliveryCount",
        "JMSXUserID",
        "JMSXGroupFirstForConsumer",
        "JMSActiveMQBrokerInTime",
    ] {
        assert!(sent(int(name, 1)).headers.is_empty(), "{name}");
    }
    assert!(sent(set("JMS_AMQP_ContentType", string("application/octet-stream"))).headers.is_empty());
    let kept = folders(set("JMS_AMQP_ContentType", string("application/json")));
    assert!(kept.contains("<JMS_AMQP_ContentType>application/json</JMS_AMQP_ContentType>"), "{kept}");
}

/// Section 10: what only AMQP knows goes where the route says so, and comes back.
#[test]
fn what_only_amqp_knows() {
    let said = |p: &mut Publication| {
        for (name, value) in [
            ("JMS_AMQP_ReplyToGroupID", string("g")),
            ("JMS_AMQP_FirstAcquirer", Value::Boolean(true)),
            ("JMS_AMQP_MA_x-colour", string("red")),
            ("JMS_AMQP_FT_sum", Value::Long(7)),
            ("JMS_AMQP_MA_x-opt-jms-dest", Value::Byte(0)),
            ("JMS_AMQP_HEADER", Value::Boolean(true)),
        ] {
            p.properties.insert(name.into(), value);
        }
    };
    let by = |keep_amqp| treated(Treatment { keep_amqp, ..Treatment::default() });
    let message = tried(said, &by(false)).expect("sent");
    assert!(message.headers.is_empty());
    assert_eq!(message.notes.len(), 1);
    for name in ["JMS_AMQP_FT_sum", "JMS_AMQP_FirstAcquirer", "JMS_AMQP_MA_x-colour", "JMS_AMQP_ReplyToGroupID"] {
        assert!(message.notes[0].contains(name), "{:?}", message.notes);
    }
    assert!(!message.notes[0].contains("x-opt-jms") && !message.notes[0].contains("HEADER"), "{:?}", message.notes);
    let not_first = tried(set("JMS_AMQP_FirstAcquirer", Value::Boolean(false)), &by(false)).expect("sent");
    assert_eq!(not_first.notes, Vec::<String>::new(), "that says nothing");

    let message = tried(said, &by(true)).expect("sent");
    assert_eq!(message.notes, Vec::<String>::new());
    let data = message.data().escape_ascii().to_string();
    for element in ["JMS_AMQP_ReplyToGroupID>g<", "JMS_AMQP_MA_x-colour>red<", "<JMS_AMQP_FT_sum dt=\\'i8\\'>7<"] {
        assert!(data.contains(element), "{element} in {data}");
    }
    assert!(!data.contains("x-opt-jms-dest") && !data.contains("HEADER"), "{data}");
    let came = super::transmission::transmission(&message.md, &message.data());
    let got = publish(&came, &by(true), NOW).expect("a publication");
    assert_eq!(got.notes, Vec::<String>::new());
    assert_eq!(got.publication.properties.get("JMS_AMQP_FT_sum"), Some(&Value::Long(7)));
    assert_eq!(to_mq(&got.publication, &sending(&by(true)), NOW).expect("back").data(), came.data());
    let renamed = publish(&came, &by(false), NOW).expect("a publication").publication;
    assert_eq!(renamed.properties.get("MQFERRY_P_JMS_AMQP_FT_sum"), Some(&Value::Long(7)));
    assert_eq!(to_mq(&renamed, &sending(&by(false)), NOW).expect("back").data(), came.data());
}

/// Maps and lists in properties and bodies, which the targets hand over as JSON.
#[test]
fn maps_and_lists_are_named() {
    let nested = |p: &mut Publication| {
        p.properties.insert("list".into(), string("[1,2]"));
        p.properties.insert("MQFERRY_json".into(), string("list"));
        p.properties.insert("MQFERRY_json_body".into(), string("m"));
        p.body = Body::Map(vec![Entry { name: "m".into(), value: string("{\"k\":null}") }]);
    };
    let message = sent(nested);
    assert_eq!(message.notes.len(), 2, "{:?}", message.notes);
    assert!(
        message.notes[0].contains("as JSON text: list;") && message.notes[1].contains("body"),
        "{:?}",
        message.notes
    );
    let envelope = super::transmission::transmission(&message.md, &message.data());
    let publication = super::transmission::assert_comes_back(&envelope, "nested");
    for (name, value) in [("list", "[1,2]"), ("MQFERRY_json", "list"), ("MQFERRY_json_body", "m")] {
        assert_eq!(publication.properties.get(name), Some(&string(value)), "{name}");
    }
    let mut expected = plain();
    nested(&mut expected);
    assert_eq!(publication.body, expected.body);
}

#[test]
fn a_descriptor_in_the_coding_of_the_channel() {
    let policy = policy();
    for (order, alphabet, ccsid, eye) in [
        (ByteOrder::Big, mqferry::wire::Alphabet::Ebcdic, 500, b"\xD4\xC4\x40\x40\0\0\0\x01"),
        (ByteOrder::Little, mqferry::wire::Alphabet::Ebcdic, 37, b"\xD4\xC4\x40\x40\x01\0\0\0"),
        (ByteOrder::Little, mqferry::wire::Alphabet::Ascii, 437, b"MD  \x01\0\0\0"),
    ] {
        let coding = Coding::new(order, alphabet, ccsid);
        let message = to_mq(&plain(), &Sending { coding, ..sending(&policy) }, NOW).expect("sent");
        assert_eq!(&message.parts().concat()[104..112], eye);
        let md = envelope(&message).md;
        assert_eq!((md.encoding, md.coded_char_set_id, md.format.text(coding).as_str()), (273, 1208, "MQSTR"));
        assert_eq!(message.body, "text");
    }
}
