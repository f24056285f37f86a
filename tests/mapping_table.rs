//! The mapping rules, one line at a time: a field of the descriptor or a folder changed in one way, and what must come of it.

#[path = "support/transmission.rs"]
mod transmission;

use bytes::Bytes;
use mqferry::mapping::{
    Body, BodyMode, Destination, GroupClose, Mapped, Policy, PropertyNames, Publication, Route, Treatment,
    UnknownReply, Value, publish, to_mq,
};
use mqferry::message::{Coding, Md, MdV2, Rfh2};
use transmission::{
    MSG_ID_TEXT, NOW, chars, map, of_rfh2, plain, policy, rfh2, route, sending, string, transmission, transmission_to,
    with_rfh2,
};

fn of(md: &Md) -> Publication {
    map(&transmission(md, b"text")).publication
}

fn changed(change: impl FnOnce(&mut Md)) -> Publication {
    let mut md = plain();
    change(&mut md);
    of(&md)
}

/// The descriptor changed in one way, and a property that must then be there.
#[track_caller]
fn has(change: impl FnOnce(&mut Md), property: &str, value: &Value) {
    assert_eq!(changed(change).properties.get(property), Some(value), "{property}");
}

#[track_caller]
fn has_not(change: impl FnOnce(&mut Md), property: &str) {
    assert_eq!(changed(change).properties.get(property), None, "{property}");
}

fn v2(change: impl FnOnce(&mut MdV2)) -> impl FnOnce(&mut Md) {
    move |md| {
        let mut v2 = MdV2::default();
        change(&mut v2);
        md.v2 = Some(v2);
    }
}

// ---- the main table ----

#[test]
fn remote_q_name_decides_the_destination() {
    let route = route("PAY.*", "topic://payments", BodyMode::Auto);
    let policy = Policy { routes: vec![route], ..policy() };
    let to = |queue: &str, qmgr: &str| {
        publish(&transmission_to(queue, qmgr, &plain(), b""), &policy, NOW).expect("a publication").publication
    };
    let same = to("Q", "AMQGW");
    assert_eq!(same.destination, Destination::Queue("Q".into()));
    assert_eq!(same.properties.get("MQFERRY_RemoteQ"), None);
    assert_eq!(same.properties.get("MQFERRY_RemoteQMgr"), None);
    let renamed = to("PAY.IN", "AMQGW");
    assert_eq!(renamed.destination, Destination::Topic("payments".into()));
    assert_eq!(renamed.properties.get("MQFERRY_RemoteQ"), Some(&string("PAY.IN")));
    assert_eq!(renamed.properties.get("MQFERRY_RemoteQMgr"), Some(&string("AMQGW")));
    assert_eq!(to("Q", "QM2").properties.get("MQFERRY_RemoteQMgr"), Some(&string("QM2")));
}

#[test]
fn remote_q_mgr_name_must_be_us() {
    let refused = |queue: &str, qmgr: &str| {
        publish(&transmission_to(queue, qmgr, &plain(), b""), &policy(), NOW).map_err(|u| (u.reason, u.field)).err()
    };
    assert_eq!(refused("Q", "QM9"), Some((2087, "RemoteQMgrName")));
    assert_eq!(refused("", "AMQGW"), Some((2152, "RemoteQName")));
    assert_eq!(refused("Q", ""), None);
    assert_eq!(refused("Q", "QM2"), None);
}

#[test]
fn report() {
    has(|_| {}, "JMS_IBM_MQMD_Report", &Value::Int(0));
    for (bits, property) in [
        (0x0100_0000, "JMS_IBM_Report_Exception"),
        (0x0700_0000, "JMS_IBM_Report_Exception"),
        (0x0020_0000, "JMS_IBM_Report_Expiration"),
        (0x00E0_0000, "JMS_IBM_Report_Expiration"),
        (0x100, "JMS_IBM_Report_COA"),
        (0x700, "JMS_IBM_Report_COA"),
        (0x800, "JMS_IBM_Report_COD"),
        (0x3800, "JMS_IBM_Report_COD"),
        (0x1, "JMS_IBM_Report_PAN"),
        (0x2, "JMS_IBM_Report_NAN"),
        (0x80, "JMS_IBM_Report_Pass_Msg_ID"),
        (0x40, "JMS_IBM_Report_Pass_Correl_ID"),
        (0x0800_0000, "JMS_IBM_Report_Discard_Msg"),
    ] {
        has(|md| md.report = bits, property, &Value::Int(bits));
        has(|md| md.report = bits, "JMS_IBM_MQMD_Report", &Value::Int(bits));
        has_not(|_| {}, property);
    }
    // Must be rejected by who does not understand it (wire reference, headers, D).
    let refused = publish(&transmission(&Md { report: 0x1000_0000, ..plain() }, b""), &policy(), NOW);
    assert_eq!(refused.map_err(|u| u.reason).err(), Some(2061));
}

#[test]
fn msg_type_feedback_and_backout_count() {
    for msg_type in [1, 2, 4, 8, 65536] {
        has(|md| md.msg_type = msg_type, "JMS_IBM_MsgType", &Value::Int(msg_type));
    }
    has(|md| md.feedback = 2053, "JMS_IBM_Feedback", &Value::Int(2053));
    has_not(|_| {}, "JMS_IBM_Feedback");
    has(|md| md.backout_count = 3, "JMS_IBM_MQMD_BackoutCount", &Value::Int(3));
    has_not(|md| md.backout_count = 3, "JMSXDeliveryCount");
}

#[test]
fn expiry() {
    for (tenths, expected) in [
        (-1, None),
        (1, Some(NOW + 100)),
        (600, Some(NOW + 60_000)),
        (999_999_999, Some(NOW + 99_999_999_900)),
        (0, None),
    ] {
        assert_eq!(changed(|md| md.expiry = tenths).expires_at_ms, expected, "{tenths}");
    }
    has(|md| md.expiry = 0, "JMS_IBM_MQMD_Expiry", &Value::Int(0));
    // The descriptor decides; what the folder says is kept.
    let Mapped { publication, notes } = of_rfh2(&rfh2(&["<jms><Exp>1795443287963</Exp></jms>"]), b"");
    assert_eq!(publication.expires_at_ms, None);
    assert_eq!(publication.properties.get("MQFERRY_Exp"), Some(&Value::Long(1_795_443_287_963)));
    assert_eq!(notes.len(), 1);
}

#[test]
fn encoding_ccsid_and_format() {
    has(|_| {}, "JMS_IBM_Encoding", &Value::Int(273));
    has(|_| {}, "JMS_IBM_Character_Set", &string("UTF-8"));
    has(|md| md.coded_char_set_id = 37, "JMS_IBM_Character_Set", &string("IBM037"));
    has(|md| md.coded_char_set_id = 37, "JMS_IBM_MQMD_CodedCharSetId", &Value::Int(37));
    has(|_| {}, "JMS_IBM_Format", &string("MQSTR"));
    has(|_| {}, "JMS_IBM_MQMD_Format", &string("MQSTR"));
    has(|md| md.format = chars(""), "JMS_IBM_Format", &string(""));
    // MQMDE exists only in transit: the application's descriptor has its format.
    has(v2(|_| {}), "JMS_IBM_MQMD_Format", &string("MQSTR"));
    // With an MQRFH2 the body's are those that it gives.
    let mut rfh2 = rfh2(&["<usr><a>1</a></usr>"]);
    (rfh2.encoding, rfh2.coded_char_set_id) = (546, 819);
    let got = of_rfh2(&rfh2, b"t").publication.properties;
    for (property, value) in [
        ("JMS_IBM_Encoding", Value::Int(546)),
        ("JMS_IBM_MQMD_Encoding", Value::Int(273)),
        ("JMS_IBM_Character_Set", string("ISO-8859-1")),
        ("JMS_IBM_MQMD_CodedCharSetId", Value::Int(1208)),
        ("MQFERRY_CCSID", Value::Int(819)),
        ("JMS_IBM_Format", string("MQSTR")),
        ("JMS_IBM_MQMD_Format", string("MQHRF2")),
    ] {
        assert_eq!(got.get(property), Some(&value), "{property}");
    }
}

#[test]
fn priority_and_persistence_are_always_explicit() {
    for (said, priority, is_kept) in [(0, 0, false), (4, 4, false), (9, 9, false), (10, 9, true), (-1, 4, true)] {
        let got = changed(|md| md.priority = said);
        assert_eq!(got.priority, priority, "{said}");
        assert_eq!(got.properties.contains_key("JMS_IBM_MQMD_Priority"), is_kept, "{said}");
    }
    for (said, persistent) in [(0, false), (1, true), (2, true)] {
        assert_eq!(changed(|md| md.persistence = said).persistent, persistent, "{said}");
    }
}

#[test]
fn message_and_correlation_id() {
    let plainly = changed(|_| {});
    assert_eq!(plainly.message_id.as_deref(), Some(MSG_ID_TEXT));
    assert_eq!(plainly.correlation_id, None);
    let mut correl_id = [0; 24];
    correl_id[23] = 0xAB;
    let expected = format!("ID:{}ab", "00".repeat(23));
    assert_eq!(changed(|md| md.correl_id = correl_id).correlation_id, Some(expected));
    // The folder's text beats the descriptor's bytes.
    let md = Md { correl_id, ..plain() };
    let got = with_rfh2(md, &rfh2(&["<jms><Cid>order-4711</Cid></jms>"]), b"").publication;
    assert_eq!(got.correlation_id.as_deref(), Some("order-4711"));
}

#[test]
fn reply_to() {
    let reply = |queue: &str, qmgr: &str| {
        let got = changed(|md| (md.reply_to_q, md.reply_to_q_mgr) = (chars(queue), chars(qmgr)));
        got.reply_to.map(|to| to.to_string())
    };
    assert_eq!(reply("", "QM1"), None);
    assert_eq!(reply("R.Q", "QM1").as_deref(), Some("queue://MQ.QM1.R.Q"));
    assert_eq!(reply("R.Q", "AMQGW").as_deref(), Some("queue://R.Q"));
    assert_eq!(reply("R.Q", "QM2").as_deref(), Some("queue://R.Q"));
    assert_eq!(reply("R>", "QM1"), None);
    has(|md| md.reply_to_q = chars("R.Q"), "JMS_IBM_MQMD_ReplyToQ", &string("R.Q"));
    has(|md| md.reply_to_q_mgr = chars("QM1"), "JMS_IBM_MQMD_ReplyToQMgr", &string("QM1"));
    has_not(|_| {}, "JMS_IBM_MQMD_ReplyToQ");
    let got = of_rfh2(&rfh2(&["<jms><Rto>topic://replies</Rto></jms>"]), b"");
    assert_eq!(got.publication.reply_to, None);
    assert_eq!(got.publication.properties.get("MQFERRY_Rto"), Some(&string("topic://replies")));
    assert_eq!(got.notes.len(), 1);
}

#[test]
fn identity_and_origin_context() {
    assert_eq!(changed(|md| md.user_identifier = chars("appuser")).user_id.as_deref(), Some("appuser"));
    assert_eq!(changed(|_| {}).user_id, None);
    has(|md| md.user_identifier = chars("appuser"), "JMS_IBM_MQMD_UserIdentifier", &string("appuser"));
    has(|md| md.accounting_token = [0xAB; 32], "JMS_IBM_MQMD_AccountingToken", &string(&"ab".repeat(32)));
    has_not(|_| {}, "JMS_IBM_MQMD_AccountingToken");
    has(|md| md.appl_identity_data = chars(" id"), "JMS_IBM_MQMD_ApplIdentityData", &string(" id"));
    has(|md| md.put_appl_type = 28, "JMS_IBM_PutApplType", &Value::Int(28));
    has(|md| md.put_appl_name = chars("prog"), "JMSXAppID", &string("prog"));
    has(|md| md.appl_origin_data = chars("ORIG"), "JMS_IBM_MQMD_ApplOriginData", &string("ORIG"));
    has_not(|_| {}, "JMS_IBM_MQMD_ApplOriginData");
}

#[test]
fn put_date_and_time() {
    let got = changed(|md| (md.put_date, md.put_time) = (chars("20260131"), chars("12345678")));
    // date -u -d '2026-01-31 12:34:56' +%s
    assert_eq!(got.timestamp_ms, Some(1_769_862_896_780));
    assert_eq!(got.properties.get("JMS_IBM_PutDate"), Some(&string("20260131")));
    assert_eq!(got.properties.get("JMS_IBM_PutTime"), Some(&string("12345678")));
    assert_eq!(changed(|_| {}).timestamp_ms, None);
    let by_folder = |tms: &str| {
        let md = Md { put_date: chars("20260131"), put_time: chars("12345678"), ..plain() };
        with_rfh2(md, &rfh2(&[&format!("<jms><Tms>{tms}</Tms></jms>")]), b"").publication.timestamp_ms
    };
    assert_eq!(by_folder("1795443225614"), Some(1_795_443_225_614));
    assert_eq!(by_folder("0"), None, "the application wanted none");
}

#[test]
fn groups() {
    let mut group_id = [0; 24];
    group_id[..7].copy_from_slice(b"group-1");
    let id = format!("ID:67726f75702d31{}", "00".repeat(17));
    let got = changed(v2(|v2| (v2.group_id, v2.msg_seq_number, v2.msg_flags) = (group_id, 3, 0x18)));
    assert_eq!(got.group_id.as_ref(), Some(&id));
    assert_eq!(got.group_sequence, Some(3));
    assert_eq!(got.properties.get("JMS_IBM_Last_Msg_In_Group"), Some(&Value::Boolean(true)));
    assert_eq!(got.properties.get("JMS_IBM_MQMD_MsgFlags"), Some(&Value::Int(0x18)));
    // Not in a group: no group, but nothing lost.
    assert_eq!(changed(v2(|v2| v2.group_id = group_id)).group_id, None);
    has(v2(|v2| v2.group_id = group_id), "JMS_IBM_MQMD_GroupId", &string(&id));
    has(v2(|v2| v2.msg_seq_number = 2), "JMS_IBM_MQMD_MsgSeqNumber", &Value::Int(2));
    has_not(v2(|_| {}), "JMS_IBM_MQMD_MsgFlags");
    // The text in the folder counts as long as it stands for these bytes.
    for (gid, expected) in [("group-1", "group-1"), ("other", id.as_str())] {
        let mut md = plain();
        v2(|v2| (v2.group_id, v2.msg_seq_number, v2.msg_flags) = (group_id, 3, 8))(&mut md);
        let folder = format!("<jms><Gid>{gid}</Gid><Seq>3</Seq></jms>");
        let mut data = rfh2(&[&folder]).encode(Coding::default());
        data.extend_from_slice(b"t");
        let got = map(&transmission(&Md { format: chars("MQHRF2"), ..md }, &data)).publication;
        assert_eq!(got.group_id.as_deref(), Some(expected));
    }
}

#[test]
fn segments_stay_bytes() {
    let got = changed(v2(|v2| (v2.offset, v2.msg_flags, v2.original_length) = (100, 2, 250)));
    assert_eq!(got.body, Body::Bytes(Bytes::from_static(b"text")));
    assert_eq!(got.properties.get("JMS_IBM_MQMD_Offset"), Some(&Value::Int(100)));
    assert_eq!(got.properties.get("JMS_IBM_MQMD_OriginalLength"), Some(&Value::Int(250)));
    assert_eq!(got.properties.get("JMS_IBM_MQMD_MsgSeqNumber"), Some(&Value::Int(1)));
    has_not(v2(|_| {}), "JMS_IBM_MQMD_Offset");
    has_not(v2(|_| {}), "JMS_IBM_MQMD_OriginalLength");
}

#[test]
fn jms_type() {
    for (mcd, expected) in [
        ("<mcd><Msd>jms_text</Msd></mcd>", None),
        ("<mcd><Msd>jms_text</Msd><Type>order</Type></mcd>", Some("order")),
        ("<mcd><Msd>mrm</Msd><Set>S</Set><Type>T</Type></mcd>", Some("mcd://mrm/S/T")),
        ("<mcd><Msd>mrm</Msd><Set>S</Set><Type>T</Type><Fmt>X</Fmt></mcd>", Some("mcd://mrm/S/T?format=X")),
    ] {
        assert_eq!(of_rfh2(&rfh2(&[mcd]), b"").publication.message_type.as_deref(), expected, "{mcd}");
    }
}

/// The last of a group as ActiveMQ is told of it, where a route says so.
#[test]
fn the_end_of_a_group() {
    for (close, flags, sequence, kept) in [
        (GroupClose::Never, 0x18, 3, None),
        (GroupClose::OnLast, 0x18, -1, Some(Value::Int(3))),
        (GroupClose::OnLast, 8, 3, None),
    ] {
        let treatment = Treatment { group_close: close, ..Treatment::default() };
        let route = Route { destination: None, treatment, ..route("*", "", BodyMode::Auto) };
        let policy = Policy { routes: vec![route], ..policy() };
        let mut md = plain();
        v2(|v2| (v2.group_id, v2.msg_seq_number, v2.msg_flags) = ([7; 24], 3, flags))(&mut md);
        let envelope = transmission(&md, b"text");
        let got = publish(&envelope, &policy, NOW).expect("a publication").publication;
        assert_eq!(got.group_sequence, Some(sequence), "{close:?} {flags}");
        assert_eq!(got.properties.get("JMS_IBM_MQMD_MsgSeqNumber"), kept.as_ref(), "{close:?} {flags}");
        let message = to_mq(&got, &sending(&policy), NOW).expect("back");
        assert_eq!(message.data(), envelope.data(), "{close:?} {flags}");
    }
}

/// Replies wanted at a queue manager to which no channel leads.
#[test]
fn replies_to_nowhere() {
    let md = Md { reply_to_q: chars("R.Q"), reply_to_q_mgr: chars("QM9"), ..plain() };
    let by = |unknown_reply| {
        let policy = Policy { qmgrs: vec!["QM1".into()], unknown_reply, ..policy() };
        publish(&transmission(&md, b"text"), &policy, NOW)
    };
    assert_eq!(by(UnknownReply::Reject).map_err(|u| (u.reason, u.field)).err(), Some((2087, "ReplyToQMgr")));
    let Mapped { publication, notes } = by(UnknownReply::Drop).expect("a publication");
    assert_eq!(publication.reply_to, None);
    assert_eq!(publication.properties.get("JMS_IBM_MQMD_ReplyToQMgr"), Some(&string("QM9")));
    assert!(notes.iter().any(|note| note.contains("QM9")), "{notes:?}");
}

/// The loop guard: each gateway leaves its name, and takes it off again on the way back.
#[test]
fn gateways_leave_their_names() {
    let hops = |publication: &Publication| publication.properties.get("MQFERRY_HOPS").cloned();
    let first = changed(|_| {});
    assert_eq!(hops(&first), Some(string("AMQGW")));
    // Of another gateway, and in the usr folder of a message that has one.
    let other = of_rfh2(&rfh2(&["<usr><MQFERRY_HOPS>GW2</MQFERRY_HOPS></usr>"]), b"text").publication;
    assert_eq!(hops(&other), Some(string("GW2 AMQGW")));
    let message = to_mq(&other, &sending(&policy()), NOW).expect("back");
    assert!(message.returns, "it came by us");
    let data = message.data().escape_ascii().to_string();
    assert!(data.contains("<MQFERRY_HOPS>GW2</MQFERRY_HOPS>"), "{data}");
}

// ---- folders ----

#[test]
fn every_type_of_property() {
    let usr = "<usr><s>x</s><b dt='boolean'>1</b><i1 dt='i1'>-1</i1><i2 dt='i2'>2</i2><i4 dt='i4'>4</i4>\
               <i8 dt='i8'>8</i8><r4 dt='r4'>1.5</r4><r8 dt='r8'>-0.0</r8><h dt='bin.hex'>00aB</h>\
               <c dt='char'>é</c><n xsi:nil='true'></n><g><h>nested</h></g></usr>";
    let Mapped { publication, notes } = of_rfh2(&rfh2(&[usr]), b"");
    for (name, value) in [
        ("s", string("x")),
        ("b", Value::Boolean(true)),
        ("i1", Value::Byte(-1)),
        ("i2", Value::Short(2)),
        ("i4", Value::Int(4)),
        ("i8", Value::Long(8)),
        ("r4", Value::Float(1.5)),
        ("r8", Value::Double(-0.0)),
        ("h", string("00ab")),
        ("c", string("é")),
        ("n", Value::Null),
        ("g.h", string("nested")),
        ("MQFERRY_bin", string("h")),
        ("MQFERRY_char", string("c")),
    ] {
        assert_eq!(publication.properties.get(name), Some(&value), "{name}");
    }
    assert!(!publication.properties.contains_key("MQFERRY_RFH2_usr"));
    assert_eq!(notes, Vec::<String>::new());
}

/// Whatever cannot become properties stays as it is, and never stops a message.
#[test]
fn folders_that_are_kept() {
    for (folder, name) in [
        ("<mqext><Arm>1</Arm></mqext>", "MQFERRY_RFH2_mqext"),
        ("<usr><a>1</usr>", "MQFERRY_RFH2_usr"),
        ("<usr><a>1</a><a>2</a></usr>", "MQFERRY_RFH2_usr"),
        ("<usr><a dt='i4'>x</a></usr>", "MQFERRY_RFH2_usr"),
        ("<usr><a copy='forward'>x</a></usr>", "MQFERRY_RFH2_usr"),
        ("<jms><Dlv>2", "MQFERRY_RFH2_jms"),
        ("no folder at all", "MQFERRY_RFH2_unreadable"),
    ] {
        let got = of_rfh2(&rfh2(&[folder]), b"body").publication;
        assert_eq!(got.properties.get(name), Some(&string(folder)), "{folder}");
        assert_eq!(got.body, Body::Text("body".into()), "{folder}");
    }
    let twice = of_rfh2(&rfh2(&["<a/>", "<a>2</a>"]), b"").publication.properties;
    assert_eq!(twice.get("MQFERRY_RFH2_a"), Some(&string("<a/>")));
    assert_eq!(twice.get("MQFERRY_RFH2_a_2"), Some(&string("<a>2</a>")));
    let not_text = Rfh2 { folders: vec![Bytes::from_static(b"<\xFF>\xFF")], ..rfh2(&[]) };
    let got = of_rfh2(&not_text, b"").publication.properties;
    assert_eq!(got.get("MQFERRY_RFH2_unreadable"), Some(&string("3cff3eff")));
}

#[test]
fn names_that_mean_something_to_a_broker_are_renamed() {
    let usr = "<usr><AMQ_SCHEDULED_DELAY dt='i8'>60000</AMQ_SCHEDULED_DELAY><JMSXGroupID>g</JMSXGroupID>\
               <JMS_IBM_MsgType dt='i4'>1</JMS_IBM_MsgType><a-b:c>1</a-b:c></usr>";
    let Mapped { publication, notes } = of_rfh2(&rfh2(&[usr]), b"");
    let got = &publication.properties;
    assert_eq!(got.get("MQFERRY_P_AMQ_SCHEDULED_DELAY"), Some(&Value::Long(60_000)));
    assert_eq!(got.get("MQFERRY_P_JMSXGroupID"), Some(&string("g")));
    assert_eq!(got.get("MQFERRY_P_JMS_IBM_MsgType"), Some(&Value::Int(1)));
    assert_eq!(got.get("JMS_IBM_MsgType"), Some(&Value::Int(8)));
    assert_eq!(got.get("a-b:c"), Some(&string("1")));
    assert!(!got.contains_key("AMQ_SCHEDULED_DELAY") && !got.contains_key("JMSXGroupID"));
    assert_eq!(publication.group_id, None);
    assert_eq!(notes.len(), 3, "{notes:?}");
}

/// For clients that show only Java identifiers, where the route says so; restored on the way back, changed ones and new ones too.
#[test]
fn names_as_java_identifiers() {
    let treatment = Treatment { property_names: PropertyNames::Escape, ..transmission::trusting() };
    let escaping =
        Policy { routes: vec![Route { destination: None, treatment, ..route("*", "", BodyMode::Auto) }], ..policy() };
    let usr = "<usr><a-b dt='i4'>1</a-b><x:y>2</x:y><a><b>3</b></a><NULL>4</NULL><c_x002D_d>5</c_x002D_d><größe>6</größe>\
               <h-h dt='bin.hex'>00ab</h-h></usr>";
    let mut data = rfh2(&["<mcd><Msd>jms_text</Msd></mcd>", usr, "<x-ext>7</x-ext>"]).encode(Coding::default());
    data.extend_from_slice(b"text");
    let envelope = transmission(&Md { format: chars("MQHRF2"), ..plain() }, &data);
    let Mapped { publication, notes } = publish(&envelope, &escaping, NOW).expect("a publication");
    for (name, value) in [
        ("a_x002D_b", Value::Int(1)),
        ("x_x003A_y", string("2")),
        ("a_x002E_b", string("3")),
        ("_x004E_ULL", string("4")),
        ("größe", string("6")),
        ("h_x002D_h", string("00ab")),
        ("MQFERRY_bin", string("h-h")),
        ("MQFERRY_names", string("escaped")),
        ("MQFERRY_RFH2_x_x002D_ext", string("<x-ext>7</x-ext>")),
    ] {
        assert_eq!(publication.properties.get(name), Some(&value), "{name} in {:#?}", publication.properties);
    }
    assert!(notes.iter().any(|note| note.contains("\"a-b\" is no Java identifier")), "{notes:?}");
    let is_identifier = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    assert!(publication.properties.keys().all(|name| is_identifier(name)), "{:#?}", publication.properties);
    let back = |publication: &Publication| to_mq(publication, &sending(&escaping), NOW).expect("back").data();
    assert_eq!(back(&publication), envelope.data());
    let mut changed = publication.clone();
    changed.properties.insert("a_x002D_b".into(), Value::Int(8));
    changed.properties.insert("new_x002D_one".into(), Value::Int(9));
    let data = back(&changed).escape_ascii().to_string();
    assert!(data.contains(r"<a-b dt=\'i4\'>8</a-b>") && data.contains(r"<new-one dt=\'i4\'>9</new-one>"), "{data}");
    // A route of another gateway, which does not say so: the message does.
    assert_eq!(to_mq(&publication, &sending(&policy()), NOW).expect("back").data(), envelope.data());
    // As it is, without.
    assert!(map(&envelope).publication.properties.contains_key("a-b"));
}

#[test]
fn characters_beyond_the_bmp() {
    let Mapped { publication, notes } = of_rfh2(&rfh2(&["<usr><e>a&#x1f680;</e></usr>"]), "🚀".as_bytes());
    assert_eq!(publication.properties.get("e"), Some(&string(r"a\uD83D\uDE80")));
    assert_eq!(publication.properties.get("MQFERRY_escaped"), Some(&string("e")));
    assert_eq!(publication.body, Body::Text("🚀".into()), "in bodies they are fine");
    assert_eq!(notes.len(), 1);
}
