//! The messages that cross the broker: all whole messages that IBM's own software wrote, and made ones.

use std::fs;

use bytes::Bytes;
use mqferry::codepage;
use mqferry::mapping::{BodyMode, Policy};
use mqferry::message::{Coding, Dlh, Envelope, Md, MdV2, Rfh, Rfh2};
use mqferry::wire::{Alphabet, ByteOrder};
use serde_json::Value as Json;

use crate::ibm_samples;
use crate::transmission::{MSG_ID, chars, plain, rfh2, route, transmission_to};

/// The queue to which all of them are published.
pub(crate) const QUEUE: &str = "RELAY.IN";

/// One message.
pub(crate) struct Case {
    pub(crate) name: String,
    /// As it came over the channel.
    pub(crate) envelope: Envelope,
    /// The gateway that it came to.
    pub(crate) policy: Policy,
    /// What the JMS application set that had IBM's client write it.
    pub(crate) application: Option<Json>,
}

fn case(name: &str, envelope: Envelope) -> Case {
    let gateway = match &envelope.xqh {
        Some(xqh) => xqh.remote_q_mgr_name.text(envelope.coding),
        None => panic!("{name} has no transmission header"),
    };
    let policy = Policy {
        routes: vec![route("*", &format!("queue://{QUEUE}"), BodyMode::Auto)],
        qmgrs: vec!["QM1".into(), "REPLYQM".into()],
        unknown_reply: mqferry::mapping::UnknownReply::Drop,
        ..Policy::named(gateway)
    };
    Case { name: name.to_owned(), envelope, policy, application: None }
}

/// A message put to ORDERS at AMQGW.
fn made(name: &str, md: &Md, data: &[u8]) -> Case {
    case(name, transmission_to("ORDERS", "AMQGW", md, data))
}

/// The same behind an MQRFH2.
fn with_folders(name: &str, md: Md, rfh2: &Rfh2, body: &[u8]) -> Case {
    let mut data = rfh2.encode(Coding::default());
    data.extend_from_slice(body);
    made(name, &Md { format: chars("MQHRF2"), ..md }, &data)
}

fn with_usr(name: &str, usr: &str) -> Case {
    with_folders(name, context(), &rfh2(&["<mcd><Msd>jms_text</Msd></mcd>", &format!("<usr>{usr}</usr>")]), b"x")
}

/// A descriptor with everything that a queue manager fills in.
fn context() -> Md {
    Md {
        persistence: 1,
        priority: 4,
        put_appl_type: 28,
        put_appl_name: chars("orders.jar"),
        put_date: chars("20261123"),
        put_time: chars("12131415"),
        user_identifier: chars("fred"),
        accounting_token: *b"\x16\x01\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0B",
        ..plain()
    }
}

/// What IBM's JMS client wrote, with what the queue manager fills in.
fn ibm_jms() -> Vec<Case> {
    let samples = ibm_samples::files("ibm-jms");
    assert!(samples.len() >= 15);
    let case_of = |(path, json): (std::path::PathBuf, Json)| {
        let read = |extension: &str| fs::read(path.with_extension(extension)).unwrap();
        let mut md = Md::parse(&read("md.bin"), ByteOrder::Big).unwrap();
        (md.msg_id, md.put_date, md.put_time) = (MSG_ID, chars("20261123"), chars("12131415"));
        if !md.reply_to_q.is_blank(Coding::default()) {
            md.reply_to_q_mgr = chars("QM1");
        }
        if md.expiry > 0 {
            md.expiry = 6_000_000; // a week: the machine may be slow
        }
        let queue = json["destination"][1].as_str().filter(|_| json["destination"][0] == 1).unwrap_or("TOPIC.Q");
        let envelope = transmission_to(queue, "AMQGW", &md, &read("body.bin"));
        Case { application: Some(json["application"].clone()), ..case(json["case"].as_str().unwrap(), envelope) }
    };
    samples.into_iter().map(case_of).collect()
}

/// What IBM's header classes wrote: whole messages as they are, others behind a descriptor that announces them.
fn ibm_headers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, sample) in ibm_samples::files("ibm-headers") {
        let bytes = Bytes::from(fs::read(path.with_extension("bin")).unwrap());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let first = ibm_samples::first_of(&sample);
        let mut envelope = Envelope::parse_as(vec![bytes.clone()], first).unwrap();
        if envelope.xqh.is_some() {
            // Nobody could tell these from expired ones.
            if envelope.md.expiry > 0 {
                envelope.md.expiry = 6_000_000;
            }
            cases.push(case(&name, envelope));
        } else if !envelope.md_present {
            let (encoding, coded_char_set_id, format) = (first.encoding, first.ccsid, first.format);
            cases.push(made(&name, &Md { encoding, coded_char_set_id, format, ..context() }, &bytes));
        }
    }
    assert!(cases.len() >= 18);
    cases
}

fn properties() -> Vec<Case> {
    vec![
        with_usr(
            "every type",
            "<s>grüße &amp; €</s><e></e><b dt='boolean'>1</b><f dt='boolean'>0</f><i1 dt='i1'>-128</i1>\
             <i2 dt='i2'>32767</i2><i4 dt='i4'>-2147483648</i4><i8 dt='i8'>9223372036854775807</i8><r4 dt='r4'>1.5</r4>\
             <r8 dt='r8'>4.9E-324</r8><z dt='r8'>-0.0</z><nan dt='r8'>NaN</nan><inf dt='r4'>-Infinity</inf>\
             <h dt='bin.hex'>00ff</h><c dt='char'>é</c><n xsi:nil='true'></n><g><h>nested</h></g>",
        ),
        with_usr(
            "names",
            "<a-b>1</a-b><x:y>2</x:y><my_x0020_prop>3</my_x0020_prop><größe>4</größe><a.b>5</a.b>\
             <AMQ_SCHEDULED_DELAY dt='i8'>60000</AMQ_SCHEDULED_DELAY><JMSXGroupID>g</JMSXGroupID>\
             <JMSXDeliveryCount dt='i4'>3</JMSXDeliveryCount><JMSType>t</JMSType><JMSPriority dt='i4'>1</JMSPriority>\
             <JMS_AMQP_NATIVE dt='boolean'>1</JMS_AMQP_NATIVE><JMS_IBM_MsgType dt='i4'>1</JMS_IBM_MsgType>\
             <MQFERRY_bin>a</MQFERRY_bin><NULL>6</NULL>",
        ),
        with_usr("beyond the BMP", "<e>a&#x1f680;\\</e><🚀>1</🚀>"),
        with_usr("spaces and odd order", "<z dt='string'> x </z><a dt=\"i4\"> 5 </a>"),
        with_usr("not as it should be", "<a>1</a><a>2</a><b dt='i4'>x</b><c copy='forward'>y</c>"),
        with_usr("a long one", &format!("<long>{}</long>", "0123456789".repeat(4_000))),
        with_folders("other folders", context(), &rfh2(&["<mqext><Arm>1</Arm></mqext>", "<usr><a>1</usr>", "x"]), b""),
        with_folders(
            "all of jms and mcd",
            Md {
                correl_id: *b"order-4711\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                reply_to_q: chars("REPLY.Q"),
                reply_to_q_mgr: chars("QM1"),
                msg_type: 1,
                priority: 9,
                persistence: 0,
                expiry: 6_000_000,
                ..context()
            },
            &rfh2(&[
                "<mcd><Msd>mrm</Msd><Set>S</Set><Type>T</Type><Fmt>F</Fmt></mcd>",
                "<jms><Dst>queue://QM2/OTHER?CCSID=500</Dst><Rto>queue:///REPLY.Q</Rto><Tms>1795443225614</Tms>\
                 <Exp>1795443287963</Exp><Cid>order-4711</Cid><Pri>9</Pri><Dlv>1</Dlv><Foo>x</Foo></jms>",
            ]),
            b"\x01\x02",
        ),
        utf16_folders("UTF-16 folders, little-endian", ByteOrder::Little),
        utf16_folders("folders that are not as the descriptor says", ByteOrder::Big),
    ]
}

/// Behind a descriptor that says little-endian.
fn utf16_folders(name: &str, order: ByteOrder) -> Case {
    let text = "<usr><a dt='i4'>7</a><b>grüße</b></usr> ";
    let unit = |unit: u16| if order == ByteOrder::Little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    let folders = vec![text.encode_utf16().flat_map(unit).collect()];
    let mut data = Vec::new();
    Rfh2 { name_value_ccsid: 1200, folders, ..rfh2(&[]) }
        .encode_to(&mut data, Coding::new(order, Alphabet::Ascii, 1208));
    data.push(b'x');
    made(name, &Md { encoding: 546, format: chars("MQHRF2"), ..context() }, &data)
}

fn utf16(text: &str) -> Bytes {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn text(name: &str, ccsid: i32, encoding: i32, body: &[u8]) -> Case {
    made(name, &Md { coded_char_set_id: ccsid, encoding, ..context() }, body)
}

fn encoded(name: &str, ccsid: i32, text_of_it: &str) -> Case {
    text(name, ccsid, 785, &codepage::encode(ccsid, text_of_it).unwrap())
}

fn bodies() -> Vec<Case> {
    let in_class = |name, class: &str, body: &str| {
        with_folders(name, context(), &rfh2(&[&format!("<mcd><Msd>{class}</Msd></mcd>")]), body.as_bytes())
    };
    vec![
        text("plain text", 1208, 273, "grüße, 世界 😀".as_bytes()),
        text("text with NUL", 1208, 273, b"a\0b\0"),
        text("no text at all", 1208, 273, b""),
        text("a byte order mark", 1208, 273, b"\xEF\xBB\xBFx"),
        text("UTF-16, little-endian", 1202, 546, &utf16("grüße 😀")),
        text("half of a surrogate pair", 1200, 273, b"\0a\xD8\x3D"),
        text("not what it says", 1208, 273, b"a\xFF\xFEb"),
        text("an unknown CCSID", 12_345, 273, b"abc"),
        encoded("EBCDIC", 500, "Grüße [x]"),
        text("EBCDIC with NEL and LF", 1047, 785, b"\xC1\x15\xC2\x25\xC3"),
        encoded("Japanese EBCDIC", 930, "ｱ世界ABC"),
        text("Japanese EBCDIC, empty shifts", 939, 785, b"\xC1\x0E\x0F\xC2\x0E\x45\x41\x0F"),
        encoded("Chinese EBCDIC", 1388, "中文abc"),
        made("bytes", &Md { format: chars(""), ..context() }, &[0, 1, 254, 255]),
        made("no bytes", &Md { format: chars(""), ..context() }, b""),
        made("a format of somebody's own", &Md { format: chars("MYFMT"), ..context() }, b"\0\x01"),
        in_class("a map", "jms_map", "<map><elt name=\"b\" dt='i4'>1</elt><elt name='a'>x</elt></map>"),
        in_class("a map with an emoji", "jms_map", "<map><elt name=\"a\">😀</elt></map>"),
        in_class(
            "a stream",
            "jms_stream",
            "<stream><elt dt='r4'>1.50</elt><elt>a&amp;b</elt><elt dt='char'>x</elt></stream>",
        ),
        in_class("an empty map", "jms_map", "<map></map>"),
        in_class("an empty stream", "jms_stream", "<stream></stream>"),
        in_class("a message without body", "jms_none", ""),
        in_class("text in bytes", "jms_bytes", "text"),
        with_folders(
            "text that is null",
            context(),
            &rfh2(&["<mcd><Msd>jms_text</Msd><msgbody xsi:nil=\"true\"></msgbody></mcd>"]),
            b"",
        ),
    ]
}

fn descriptors() -> Vec<Case> {
    let group = |flags, number, offset| {
        let v2 = MdV2 { group_id: MSG_ID, msg_seq_number: number, offset, msg_flags: flags, original_length: -1 };
        Md { v2: Some(v2), ..context() }
    };
    let report = 0x0700_0000 | 0x00E0_0000 | 0x700 | 0x3800 | 1 | 2 | 0x80 | 0x40 | 0x0800_0000;
    let nuls =
        Md { msg_type: 4, feedback: 2053, report, backout_count: 3, priority: 0, correl_id: [b' '; 24], ..context() };
    let mut dlh_data = dlh().encode(Coding::default());
    dlh_data.extend_from_slice(b"text");
    let rfh = Rfh {
        encoding: 273,
        coded_char_set_id: 1208,
        format: chars("MQSTR"),
        flags: 0,
        name_value_string: Bytes::from_static(b"MQPSCommand Publish \0"),
    };
    let mut rfh_data = Vec::new();
    rfh.encode_to(&mut rfh_data, Coding::default());
    rfh_data.extend_from_slice(b"text");
    vec![
        made("a report", &nuls, b"x"),
        made("a request", &Md { msg_type: 1, reply_to_q: chars("R"), reply_to_q_mgr: chars("QM1"), ..context() }, b"x"),
        made("not persistent", &Md { persistence: 0, priority: 9, expiry: 6_000_000, ..context() }, b"x"),
        made("as a channel should not send it", &Md { priority: -1, persistence: 2, expiry: 0, ..context() }, b"x"),
        made("nothing filled in", &Md { correl_id: MSG_ID, ..plain() }, b"x"),
        made("second of a group", &group(8, 2, 0), b"x"),
        made("last of a group", &group(24, 3, 0), b"x"),
        made("a segment", &group(2, 1, 100), b"x"),
        made("a dead letter", &Md { format: chars("MQDEAD"), ..context() }, &dlh_data),
        made("an MQRFH", &Md { format: chars("MQHRF"), ..context() }, &rfh_data),
    ]
}

fn dlh() -> Dlh {
    Dlh {
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
    }
}

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    [ibm_jms(), ibm_headers(), properties(), bodies(), descriptors()].into_iter().flatten().collect()
}
