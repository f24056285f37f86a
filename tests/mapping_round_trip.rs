//! Golden rule 4 on generated messages, in every encoding and alphabet: what comes back unchanged is the same; what an application
//! changed shows, and nothing else.

#[path = "support/transmission.rs"]
mod transmission;

use std::collections::BTreeMap;

use bytes::Bytes;
use mqferry::codepage::{self, Newline};
use mqferry::mapping::{Body, Publication, Value};
use mqferry::message::{Chars, Coding, Description, Dlh, Envelope, Header, Md, MdV2, Mde, Rfh, Rfh2, Xqh};
use mqferry::wire::{Alphabet, ByteOrder};
use proptest::prelude::*;
use transmission::{assert_comes_back, back, fields, map};

const BIG: ByteOrder = ByteOrder::Big;
const LITTLE: ByteOrder = ByteOrder::Little;

/// How a channel writes MQXQH and MQMD.
fn codings() -> impl Strategy<Value = Coding> {
    prop::sample::select(vec![
        Coding::new(BIG, Alphabet::Ascii, 1208),
        Coding::new(BIG, Alphabet::Ascii, 819),
        Coding::new(LITTLE, Alphabet::Ascii, 437),
        Coding::new(BIG, Alphabet::Ebcdic, 500),
        Coding::new(LITTLE, Alphabet::Ebcdic, 37),
    ])
}

/// Text of a field: letters, more than ASCII, padded with blanks or NULs, or no text at all (in UTF-8 alone: what is no
/// text need not fit when it is written in another character set).
fn field<const N: usize>(coding: Coding) -> impl Strategy<Value = Chars<N>> {
    let text = prop_oneof![
        3 => "[A-Z0-9._%/]{0,12}",
        1 => " ?[a-zA-Z ]{0,9}",
        1 => "[é€~]{0,2}",
    ];
    (text, any::<bool>(), prop::option::weighted(0.1, prop::array::uniform32(any::<u8>()))).prop_map(
        move |(text, nuls, raw)| {
            let mut field = Chars::from_text_cut(&text, coding);
            let blank = coding.blank();
            if nuls {
                field.0.iter_mut().rev().take_while(|byte| **byte == blank).for_each(|byte| *byte = 0);
            }
            if let Some(raw) = raw.filter(|_| coding == Coding::default()) {
                field.0.iter_mut().zip(raw).for_each(|(to, from)| *to = from);
            }
            field
        },
    )
}

fn id() -> impl Strategy<Value = [u8; 24]> {
    prop_oneof![
        Just([0; 24]),
        Just([b' '; 24]),
        Just(*b"AMQ QM1         \0\x01\x02\x03\xFC\xFD\xFE\xFF"),
        Just(*b"order-4711\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        prop::array::uniform24(any::<u8>()),
    ]
}

fn number(usual: Vec<i32>) -> impl Strategy<Value = i32> {
    prop_oneof![9 => prop::sample::select(usual), 1 => any::<i32>()]
}

fn descriptor(coding: Coding) -> impl Strategy<Value = Md> {
    let ints = (
        number(vec![
            0,
            1,
            2,
            4,
            0x40,
            0x80,
            0x100,
            0x300,
            0x700,
            0x3800,
            0x4000,
            0x0700_0000,
            0x00E0_0000,
            0x0800_0000,
        ]),
        number(vec![1, 2, 4, 8, 65_536]),
        prop::sample::select(vec![-1, 1, 600, 999_999_999, 0, -5]),
        number(vec![0, 256, 259, 2053]),
        number(vec![0, 4, 9, -1]),
        number(vec![0, 1, 2]),
        number(vec![0, 6, 28, 65_536]),
    );
    let texts = (
        (field(coding), field(coding), field(coding), field(coding)),
        (field(coding), field(coding)),
        prop_oneof![Just(("20261123", "12345678")), Just(("", "")), Just(("2026", "99999999"))],
    );
    (ints, (id(), id(), prop::array::uniform32(any::<u8>()), any::<bool>()), texts).prop_map(
        move |(ints, (msg_id, correl_id, token, has_token), (texts, more, put))| {
            let mut md = Md::new(coding);
            (md.report, md.msg_type, md.expiry, md.feedback) = (ints.0 & !0x101C_0000, ints.1, ints.2, ints.3);
            (md.priority, md.persistence, md.put_appl_type) = (ints.4, ints.5, ints.6);
            (md.msg_id, md.correl_id) = (msg_id, correl_id);
            (md.reply_to_q, md.reply_to_q_mgr, md.user_identifier, md.put_appl_name) = texts;
            (md.appl_identity_data, md.appl_origin_data) = more;
            md.accounting_token = if has_token { token } else { [0; 32] };
            md.put_date = Chars::from_text_cut(put.0, coding);
            md.put_time = Chars::from_text_cut(put.1, coding);
            md
        },
    )
}

fn v2() -> impl Strategy<Value = Option<MdV2>> {
    prop::option::weighted(
        0.3,
        (
            id(),
            number(vec![1, 2, 3]),
            number(vec![0, 0, 100]),
            number(vec![0, 8, 0x18, 0x10, 1, 2, 6]),
            number(vec![-1, 250]),
        )
            .prop_map(|(group_id, msg_seq_number, offset, msg_flags, original_length)| MdV2 {
                group_id,
                msg_seq_number,
                offset,
                msg_flags,
                original_length,
            }),
    )
}

/// An element of a usr folder, written in one of the ways in which somebody writes it.
fn element() -> impl Strategy<Value = String> {
    let name = prop_oneof![5 => "[a-f]", 1 => "[a-c]\\.[a-c]", 1 => Just("a-b".to_owned()), 1 => Just("x:y".to_owned()),
        1 => Just("JMSXGroupID".to_owned()), 1 => Just("AMQ_SCHEDULED_DELAY".to_owned()), 1 => Just("my_x0020_prop".to_owned()),
        1 => Just("größe".to_owned()), 1 => Just("JMS_IBM_MsgType".to_owned())];
    let value = prop_oneof![
        ("[a-z &;]{0,5}").prop_map(|text| (String::new(), text)),
        Just((String::new(), "&#x1f680; &lt;&amp;&quot;&apos;\u{1}".to_owned())),
        Just((" dt='string'".to_owned(), " x ".to_owned())),
        any::<i8>().prop_map(|v| (" dt='i1'".to_owned(), v.to_string())),
        any::<i16>().prop_map(|v| (" dt=\"i2\"".to_owned(), v.to_string())),
        any::<i32>().prop_map(|v| (" dt='i4'".to_owned(), format!(" {v} "))),
        any::<i64>().prop_map(|v| (" dt='i8'".to_owned(), v.to_string())),
        any::<f32>().prop_map(|v| (" dt='r4'".to_owned(), format!("{v}"))),
        prop::sample::select(vec!["1.5", "-0.0", "NaN", "-Infinity", "4.9E-324", "1E400", "x"])
            .prop_map(|v| (" dt='r8'".to_owned(), v.to_owned())),
        prop::sample::select(vec!["0", "1", "true", "2"]).prop_map(|v| (" dt='boolean'".to_owned(), v.to_owned())),
        prop::sample::select(vec!["00ff", "00FF", "0"]).prop_map(|v| (" dt='bin.hex'".to_owned(), v.to_owned())),
        prop::sample::select(vec!["é", "ab", ""]).prop_map(|v| (" dt='char'".to_owned(), v.to_owned())),
        Just((" xsi:nil='true'".to_owned(), String::new())),
        Just((" copy=\"forward\"".to_owned(), "x".to_owned())),
        Just((String::new(), "<in>1</in><er dt='i4'>2</er>".to_owned())),
    ];
    (name, value).prop_map(|(name, (attributes, text))| format!("<{name}{attributes}>{text}</{name}>"))
}

fn folder() -> impl Strategy<Value = String> {
    let usr = prop::collection::vec(element(), 0..5).prop_map(|all| format!("<usr>{}</usr>", all.concat()));
    let jms = (
        prop::sample::select(vec!["<Dst>queue:///Q</Dst>", "<Dst>queue://QM/OTHER?CCSID=500</Dst>", ""]),
        prop::sample::select(vec!["", "<Rto>queue:///R</Rto>", "<Rto>topic://t</Rto>"]),
        prop::sample::select(vec!["", "<Tms>1795443225614</Tms>", "<Tms dt='i8'>0</Tms>", "<Tms>x</Tms>"]),
        prop::sample::select(vec!["", "<Exp>1795443287963</Exp>", "<Cid>order-4711</Cid>", "<Cid>ID:00ff</Cid>"]),
        prop::sample::select(vec!["", "<Pri>4</Pri>", "<Dlv>2</Dlv>", "<Dlv>1</Dlv><Pri>9</Pri>"]),
        prop::sample::select(vec![
            "",
            "<Gid>group-1</Gid><Seq>3</Seq>",
            "<Uci dt='bin.hex'>00</Uci>",
            "<Foo>x</Foo><Foo/>",
        ]),
    )
        .prop_map(|(a, b, c, d, e, f)| format!("<jms>{a}{b}{c}{d}{e}{f}</jms>"));
    let mcd = prop::sample::select(vec![
        "<mcd><Msd>jms_text</Msd></mcd>",
        "<mcd><Msd>jms_bytes</Msd><Type>T</Type></mcd>",
        "<mcd><Msd>jms_map</Msd></mcd>",
        "<mcd><Msd>jms_stream</Msd></mcd>",
        "<mcd><Msd>jms_object</Msd></mcd>",
        "<mcd><Msd>jms_none</Msd></mcd>",
        "<mcd><Msd>mrm</Msd><Set>S</Set><Type>T</Type><Fmt>F</Fmt></mcd>",
        "<mcd><Msd>jms_text</Msd><msgbody xsi:nil=\"true\"></msgbody></mcd>",
        "<mcd><Type>T</Type><X>1</X></mcd>",
    ]);
    let other = prop::sample::select(vec![
        "<mqext><Arm>1</Arm></mqext>",
        "<mq_usr/>",
        "<usr/>",
        "<usr><MQFERRY_HOPS>GW2</MQFERRY_HOPS></usr>",
        "<usr><a>1</usr>",
        "<usr a='1'>text<b>2</b></usr>",
        "no folder",
        "<a>1</a><usr><z>2</z></usr>",
        "",
        "<psc>\u{1F680}</psc>",
    ]);
    prop_oneof![
        4 => usr,
        2 => jms,
        2 => mcd.prop_map(str::to_owned),
        1 => other.prop_map(str::to_owned),
    ]
}

/// A folder as it lies in an MQRFH2: UTF-8 or UTF-16 with or without a byte order mark, padded with blanks, or no text.
fn block(text: &str, ccsid: i32, order: ByteOrder, mark: bool) -> Bytes {
    if ccsid == 1208 {
        return Rfh2::folder_bytes(text);
    }
    let mut text = if mark { format!("\u{FEFF}{text}") } else { text.to_owned() };
    while text.encode_utf16().count() % 2 == 1 {
        text.push(if mark { '\u{FEFF}' } else { ' ' });
    }
    codepage::encode_with(ccsid, order, Newline::default(), &text).expect("UTF-16").into()
}

#[derive(Clone, Debug)]
enum Piece {
    Dlh,
    Rfh(&'static str),
    Rfh2 { folders: Vec<String>, ccsid: i32, mark: bool, flags: i32 },
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let rfh2 = (
        prop::collection::vec(folder(), 0..4),
        prop::sample::select(vec![1208, 1208, 1208, 1200, 13488, 17584]),
        any::<bool>(),
        prop::sample::select(vec![0, 0, 0, 1]),
    )
        .prop_map(|(folders, ccsid, mark, flags)| Piece::Rfh2 { folders, ccsid, mark, flags });
    let piece = prop_oneof![
        6 => rfh2,
        1 => Just(Piece::Dlh),
        1 => prop::sample::select(vec!["MQPSCommand Publish ", "", "x\0\0"]).prop_map(Piece::Rfh),
    ];
    prop::collection::vec(piece, 0..3)
}

/// Text, or bytes that claim to be it, with how they are described.
fn body() -> impl Strategy<Value = (Vec<u8>, i32, i32, &'static str)> {
    let text = prop_oneof![
        "\\PC{0,20}",
        Just("Grüße\n\u{85}\0end".to_owned()),
        Just("<map><elt name=\"b\" dt='i4'>1</elt><elt name=\"a\">x</elt></map>".to_owned()),
        Just("<map><elt name='a'>1</elt><elt name='a'>2</elt></map>".to_owned()),
        Just("<stream><elt dt='r4'>1.50</elt><elt>a&amp;b</elt><elt xsi:nil='true'/></stream>".to_owned()),
        Just(String::new()),
    ];
    let described = prop::sample::select(vec![
        (1208, 273),
        (1208, 546),
        (819, 273),
        (37, 785),
        (500, 785),
        (1047, 785),
        (1200, 273),
        (1200, 546),
        (1202, 546),
        (437, 546),
        (12_345, 273),
        (0, 273),
    ]);
    let format = prop::sample::select(vec!["MQSTR", "MQSTR", "", "MQCICS", "MYFMT"]);
    (text, described, format, prop::option::weighted(0.3, prop::collection::vec(any::<u8>(), 0..40)), any::<bool>())
        .prop_map(|(text, (ccsid, encoding), format, raw, mark)| {
            let text = if mark && ccsid == 1200 { format!("\u{FEFF}{text}") } else { text };
            let encoded = codepage::encode_with(ccsid, ByteOrder::of_encoding(encoding), Newline::default(), &text);
            (raw.unwrap_or(encoded.unwrap_or_else(|_| text.into_bytes())), ccsid, encoding, format)
        })
}

/// A message as it lies on a transmission queue.
fn messages() -> impl Strategy<Value = Envelope> {
    codings()
        .prop_flat_map(|coding| {
            (
                Just(coding),
                descriptor(coding),
                v2(),
                pieces(),
                body(),
                prop::sample::select(vec![(273, 1208), (546, 819), (785, 500), (273, 1200), (546, 0)]),
            )
        })
        .prop_map(|(coding, md, v2, pieces, body, headers)| message(coding, md, v2, &pieces, &body, headers))
}

fn message(
    coding: Coding,
    mut md: Md,
    v2: Option<MdV2>,
    pieces: &[Piece],
    (body, ccsid, encoding, format): &(Vec<u8>, i32, i32, &'static str),
    (head_encoding, head_ccsid): (i32, i32),
) -> Envelope {
    let head = Coding::described(head_encoding, head_ccsid);
    // A CCSID of 0 is the channel's, and it goes back on one of UTF-8.
    let ccsid = if *ccsid == 0 && coding.ccsid() != 1208 { &819 } else { ccsid };
    let mut chain: Vec<Header> = Vec::new();
    let none = Chars::default();
    if let Some(v2) = v2 {
        chain.push(Header::Mde(Box::new(Mde { encoding: 0, coded_char_set_id: 0, format: none, flags: 0, v2 })));
    }
    for piece in pieces {
        chain.push(match piece {
            Piece::Dlh => Header::Dlh(Box::new(Dlh {
                reason: 2053,
                dest_q_name: Chars::from_text_cut("TARGET.Q", head),
                dest_q_mgr_name: Chars::from_text_cut("QM7", head),
                encoding: 0,
                coded_char_set_id: 0,
                format: none,
                put_appl_type: 6,
                put_appl_name: Chars([0; 28]),
                put_date: Chars::from_text_cut("20260131", head),
                put_time: Chars::from_text_cut("12345678", head),
            })),
            Piece::Rfh(text) => Header::Rfh(Box::new(Rfh {
                encoding: 0,
                coded_char_set_id: 0,
                format: none,
                flags: 0,
                name_value_string: codepage::encode(head.ccsid(), text).expect("ASCII").into(),
            })),
            Piece::Rfh2 { folders, ccsid, mark, flags } => Header::Rfh2(Box::new(Rfh2 {
                encoding: 0,
                coded_char_set_id: 0,
                format: none,
                flags: *flags,
                name_value_ccsid: *ccsid,
                folders: folders.iter().map(|text| block(text, *ccsid, head.byte_order, *mark)).collect(),
            })),
        });
    }
    let format_of = |header: &Header| match header {
        Header::Mde(_) => "MQHMDE",
        Header::Dlh(_) => "MQDEAD",
        Header::Rfh(_) => "MQHRF",
        _ => "MQHRF2",
    };
    let formats: Vec<_> = chain.iter().skip(1).map(format_of).chain([*format]).collect();
    let count = chain.len();
    let (mut first_format, mut first) = (*format, (*encoding, *ccsid));
    if let Some(header) = chain.first() {
        (first_format, first) = (format_of(header), (head_encoding, head_ccsid));
    }
    for (at, (header, format)) in chain.iter_mut().zip(formats).enumerate() {
        let (encoding, ccsid) = if at + 1 == count { (*encoding, *ccsid) } else { (head_encoding, head_ccsid) };
        let next = Description { encoding, ccsid, format: Chars::from_text_cut(format, head) };
        match header {
            Header::Mde(h) => (h.encoding, h.coded_char_set_id, h.format) = (next.encoding, next.ccsid, next.format),
            Header::Dlh(h) => (h.encoding, h.coded_char_set_id, h.format) = (next.encoding, next.ccsid, next.format),
            Header::Rfh(h) => (h.encoding, h.coded_char_set_id, h.format) = (next.encoding, next.ccsid, next.format),
            Header::Rfh2(h) => (h.encoding, h.coded_char_set_id, h.format) = (next.encoding, next.ccsid, next.format),
            other => panic!("{other:?}"),
        }
    }
    (md.encoding, md.coded_char_set_id) = first;
    md.format = Chars::from_text_cut(first_format, coding);
    let mut bytes = Vec::new();
    Xqh::new(Chars::from_text_cut("Q", coding), Chars::from_text_cut("AMQGW", coding)).encode_to(&mut bytes, coding);
    md.encode_to(&mut bytes, coding);
    chain.iter().for_each(|header| header.encode_to(&mut bytes, head));
    bytes.extend_from_slice(body);
    Envelope::parse(vec![Bytes::from(bytes)], coding.byte_order, coding.ccsid()).expect("an envelope")
}

/// What an application sees of a publication: everything but what is there to give back every byte.
fn seen(publication: &Publication) -> Publication {
    let mut seen = publication.clone();
    seen.properties.retain(|name, _| !name.starts_with("MQFERRY_RAW_"));
    seen
}

/// A message that went to MQ, sent to us again.
fn again(message: &mqferry::mapping::MqMessage) -> Publication {
    let mut bytes = Vec::new();
    let coding = message.coding;
    Xqh::new(Chars::from_text_cut("Q", coding), Chars::from_text_cut("AMQGW", coding)).encode_to(&mut bytes, coding);
    message.md.encode_to(&mut bytes, coding);
    bytes.extend_from_slice(&message.data());
    map(&Envelope::parse(vec![bytes.into()], coding.byte_order, coding.ccsid()).expect("an envelope")).publication
}

/// Publications as text: NaN is not equal to itself.
fn shown(publication: &impl std::fmt::Debug) -> String {
    format!("{publication:#?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn unchanged_it_is_the_same(envelope in messages()) {
        assert_comes_back(&envelope, "generated");
    }

    /// A field of the descriptor is changed: no byte behind it, and no other field.
    #[test]
    fn a_changed_field_is_all_that_changes(envelope in messages(), which in 0..5) {
        let publication = map(&envelope).publication;
        let before = back(&publication);
        let mut changed = publication.clone();
        let field = match which {
            0 => {
                changed.properties.insert("JMS_IBM_Feedback".into(), Value::Int(4711));
                "Feedback"
            }
            1 => {
                changed.properties.insert("JMS_IBM_MsgType".into(), Value::Int(70_000));
                "MsgType"
            }
            2 => {
                changed.properties.insert("JMSXAppID".into(), Value::String("somebody else".into()));
                "PutApplName"
            }
            3 => {
                changed.properties.insert("JMS_IBM_MQMD_AccountingToken".into(), Value::String("07".repeat(32)));
                "AccountingToken"
            }
            _ => {
                changed.message_id = Some("ID:0102030405060708090a0b0c0d0e0f101112131415161718".into());
                "MsgId"
            }
        };
        let after = back(&changed);
        let (mut one, mut other) = (fields(&before.md, before.coding), fields(&after.md, after.coding));
        prop_assert!(one.remove(field) != other.remove(field), "{}", field);
        prop_assert_eq!(one, other);
        prop_assert_eq!(before.data(), after.data());
    }

    /// A property is added, another changed, one taken away: an application that gets the message again sees just that.
    #[test]
    fn a_changed_property_is_all_that_changes(envelope in messages(), value in any::<i32>()) {
        let publication = map(&envelope).publication;
        let unchanged = again(&back(&publication));
        prop_assert_eq!(shown(&seen(&unchanged)), shown(&seen(&publication)));
        let mut changed = publication.clone();
        changed.properties.insert("zz".into(), Value::Int(value));
        let got = again(&back(&changed));
        // Where there was none, an MQRFH2 came into being, and says what the message had without one.
        let is_new = !envelope.chain.iter().any(|placed| matches!(placed.header, Header::Rfh2(_)));
        if !is_new {
            prop_assert_eq!(shown(&application(&got)), shown(&application(&changed)));
        }
        prop_assert_eq!(got.properties.get("zz"), Some(&Value::Int(value)));
        prop_assert_eq!(&got.body, &changed.body);
        let mut gone = changed.clone();
        let name = names(&envelope, &publication).into_iter().next();
        if let Some(name) = name.filter(|_| !is_new) {
            gone.properties.remove(name.as_str());
            let got = again(&back(&gone));
            prop_assert_eq!(got.properties.get(name.as_str()), None, "{}", name);
            prop_assert_eq!(shown(&application(&got)), shown(&application(&gone)));
        }
    }

    /// The text is changed: the headers stay, and every other character too.
    #[test]
    fn a_changed_text_is_all_that_changes(envelope in messages()) {
        let publication = map(&envelope).publication;
        if let Body::Text(text) = &publication.body {
            let before = back(&publication);
            let changed = Publication { body: Body::Text(format!("{text} AND MORE")), ..publication.clone() };
            if !publication.properties.contains_key("MQFERRY_NullText") {
                let after = back(&changed);
                prop_assert_eq!(&after.headers, &before.headers);
                prop_assert!(text.is_empty() || after.body.starts_with(&before.body), "{:?} {:?}", before.body, after.body);
                prop_assert_eq!(&after.md, &before.md);
                prop_assert_eq!(&again(&after).body, &changed.body);
            }
        }
    }
}

/// What an application set or can see as its own: what the mapping says of the original's form is left out.
fn application(publication: &Publication) -> BTreeMap<String, Value> {
    let form = |name: &str| {
        ["MQFERRY_RAW_", "MQFERRY_RFH2_", "MQFERRY_bin", "MQFERRY_char", "MQFERRY_escaped"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    publication.properties.iter().filter(|(name, _)| !form(name)).map(|(n, v)| (n.to_string(), v.clone())).collect()
}

/// Plain properties of the application that occur once.
fn names(envelope: &Envelope, publication: &Publication) -> Vec<String> {
    let folders: String =
        envelope.rfh2s().flat_map(|(rfh2, order)| rfh2.folder_texts(order)).filter_map(Result::ok).collect();
    let once = |name: &String| folders.matches(&format!("<{name}")).count() == 1;
    publication.properties.keys().filter(|name| name.len() == 1).map(ToString::to_string).filter(once).collect()
}
