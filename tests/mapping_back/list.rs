//! The conformance list, line by line, each as a round trip MQ, publication, MQ, with descriptor and data in every encoding and alphabet.

use bytes::Bytes;
use mqferry::codepage;
use mqferry::mapping::{Body, Publication, Value};
use mqferry::message::{Chars, Coding, Dlh, Envelope, Md, MdV2, Mde, Rfh2, Xqh};
use mqferry::wire::{Alphabet, ByteOrder};

use super::transmission::{MSG_ID, assert_comes_back, string};

/// How a channel writes MQXQH and MQMD, and Encoding and CCSID of what follows.
fn forms() -> Vec<(Coding, i32, i32)> {
    let mut forms = Vec::new();
    for coding in [
        Coding::new(ByteOrder::Big, Alphabet::Ascii, 819),
        Coding::new(ByteOrder::Little, Alphabet::Ascii, 437),
        Coding::new(ByteOrder::Big, Alphabet::Ebcdic, 500),
        Coding::new(ByteOrder::Little, Alphabet::Ebcdic, 37),
    ] {
        for encoding in [273, 546, 785] {
            for ccsid in [1208, 500, 1200] {
                forms.push((coding, encoding, ccsid));
            }
        }
    }
    forms
}

/// A message in a form: the descriptor says what is usual unless it is changed.
struct Made {
    coding: Coding,
    queue: &'static str,
    md: Md,
    data: Vec<u8>,
}

fn made((coding, encoding, ccsid): (Coding, i32, i32), text: &str) -> Made {
    let order = ByteOrder::of_encoding(encoding);
    let data = codepage::encode_with(ccsid, order, codepage::Newline::default(), text).expect(text);
    let format = Chars::from_text_cut("MQSTR", coding);
    let md = Md { msg_id: MSG_ID, encoding, coded_char_set_id: ccsid, format, ..Md::new(coding) };
    Made { coding, queue: "Q", md, data }
}

impl Made {
    fn md(mut self, change: impl FnOnce(&mut Md)) -> Self {
        change(&mut self.md);
        self
    }

    /// Puts bytes between descriptor and data, which the descriptor then announces so.
    fn behind(mut self, format: &str, header: impl FnOnce(&Md, Coding) -> Vec<u8>) -> Self {
        let described = Coding::described(self.md.encoding, self.md.coded_char_set_id);
        self.data = [header(&self.md, described), self.data].concat();
        self.md.format = Chars::from_text_cut(format, self.coding);
        self
    }

    fn v2(self, v2: MdV2) -> Self {
        self.behind("MQHMDE", |md, coding| {
            let format = Chars::from_text_cut("MQSTR", coding);
            let (encoding, coded_char_set_id) = (md.encoding, md.coded_char_set_id);
            Mde { encoding, coded_char_set_id, format, flags: 0, v2 }.encode(coding)
        })
    }

    fn rfh2(self, next: &str, name_value_ccsid: i32, folders: &[&str]) -> Self {
        self.behind("MQHRF2", |md, coding| {
            let folder = |text: &&str| match name_value_ccsid {
                1208 => Rfh2::folder_bytes(text),
                _ => {
                    let even =
                        if text.encode_utf16().count() % 2 == 1 { format!("{text} ") } else { (*text).to_owned() };
                    let newline = codepage::Newline::default();
                    codepage::encode_with(name_value_ccsid, coding.byte_order, newline, &even).expect(text).into()
                }
            };
            let header = Rfh2 {
                encoding: md.encoding,
                coded_char_set_id: md.coded_char_set_id,
                format: Chars::from_text_cut(next, coding),
                flags: 0,
                name_value_ccsid,
                folders: folders.iter().map(folder).collect(),
            };
            header.encode(coding)
        })
    }

    #[track_caller]
    fn comes_back(self, what: &str) -> Publication {
        let mut bytes = Vec::with_capacity(428 + self.data.len());
        let name = |text| Chars::from_text_cut(text, self.coding);
        Xqh::new(name(self.queue), name("AMQGW")).encode_to(&mut bytes, self.coding);
        self.md.encode_to(&mut bytes, self.coding);
        bytes.extend_from_slice(&self.data);
        let (order, ccsid) = (self.coding.byte_order, self.coding.ccsid());
        let envelope = Envelope::parse(vec![Bytes::from(bytes)], order, ccsid).expect("an envelope");
        let form = format!("{what}: {:?} {} {}", self.coding, self.md.encoding, self.md.coded_char_set_id);
        assert_comes_back(&envelope, &form)
    }
}

/// Each of these, in every form.
fn in_every_form(what: &str, make: impl Fn(Made) -> Made, see: impl Fn(&Publication)) {
    for form in forms() {
        see(&make(made(form, "text")).comes_back(what));
    }
}

fn nothing(_: &Publication) {}

/// A field's name and how to set it.
type Number = (&'static str, fn(&mut Md, i32));

#[test]
fn every_field_at_its_ends() {
    let numbers: [Number; 8] = [
        ("Report", |md, value| md.report = value & !0x101C_0000), // options that must be refused, are
        ("MsgType", |md, value| md.msg_type = value),
        ("Expiry", |md, value| md.expiry = value),
        ("Feedback", |md, value| md.feedback = value),
        ("Priority", |md, value| md.priority = value),
        ("Persistence", |md, value| md.persistence = value),
        ("BackoutCount", |md, value| md.backout_count = value),
        ("PutApplType", |md, value| md.put_appl_type = value),
    ];
    for (name, set) in numbers {
        for value in [i32::MIN, -1, 0, 1, i32::MAX] {
            in_every_form(name, |made| made.md(|md| set(md, value)), nothing);
        }
    }
    fn fill<const N: usize>(field: &mut Chars<N>, letter: &str, coding: Coding) {
        *field = Chars::from_text_cut(&letter.repeat(N), coding);
    }
    for letter in ["", "X", "9"] {
        in_every_form(
            "text fields",
            |made| {
                let coding = made.coding;
                made.md(|md| {
                    fill(&mut md.reply_to_q, letter, coding);
                    fill(&mut md.reply_to_q_mgr, letter, coding);
                    fill(&mut md.user_identifier, letter, coding);
                    fill(&mut md.appl_identity_data, letter, coding);
                    fill(&mut md.put_appl_name, letter, coding);
                    fill(&mut md.put_date, letter, coding);
                    fill(&mut md.put_time, letter, coding);
                    fill(&mut md.appl_origin_data, letter, coding);
                })
            },
            nothing,
        );
    }
    for byte in [0, 1, 0xFF] {
        in_every_form("AccountingToken", |made| made.md(|md| md.accounting_token = [byte; 32]), nothing);
    }
    for (sequence, offset, flags, length) in [
        (1, 0, 0, -1),
        (i32::MAX, i32::MAX, i32::MAX, i32::MAX),
        (i32::MIN, i32::MIN, i32::MIN, i32::MIN),
        (0, 0, 0, 0),
    ] {
        let v2 =
            MdV2 { group_id: [0xAB; 24], msg_seq_number: sequence, offset, msg_flags: flags, original_length: length };
        in_every_form("version 2", |made| made.v2(v2.clone()), nothing);
    }
}

#[test]
fn ids() {
    let zeros_within = *b"AMQ QM1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
    for id in [[0; 24], [0xFF; 24], [0x12; 24], [b' '; 24], *b"order-4711\0\0\0\0\0\0\0\0\0\0\0\0\0\0", zeros_within] {
        in_every_form("MsgId", |made| made.md(|md| md.msg_id = id), nothing);
        in_every_form(
            "CorrelId",
            |made| made.md(|md| md.correl_id = id),
            |got| {
                let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(got.correlation_id, (id != [0; 24]).then(|| format!("ID:{hex}")));
            },
        );
    }
}

#[test]
fn expiry_priority_persistence_and_each_report_option() {
    for expiry in [-1, 1, 600, 999_999_999] {
        in_every_form(
            "Expiry",
            |made| made.md(|md| md.expiry = expiry),
            |got| {
                assert_eq!(got.expires_at_ms.is_some(), expiry != -1);
            },
        );
    }
    for (priority, persistence) in [(0, 0), (9, 1)] {
        in_every_form(
            "priority",
            |made| made.md(|md| (md.priority, md.persistence) = (priority, persistence)),
            |got| {
                assert_eq!((i32::from(got.priority), i32::from(got.persistent)), (priority, persistence));
            },
        );
    }
    for bit in (0..32).map(|shift| 1i32 << shift).filter(|bit| bit & 0x101C_0000 == 0) {
        in_every_form("Report", |made| made.md(|md| md.report = bit), nothing);
    }
}

#[test]
fn a_group_of_three_and_two_segments() {
    for (sequence, flags) in [(1, 8), (2, 8), (3, 0x18)] {
        let v2 = MdV2 { group_id: [7; 24], msg_seq_number: sequence, msg_flags: flags, ..MdV2::default() };
        in_every_form(
            "a group",
            |made| made.v2(v2.clone()),
            |got| {
                assert_eq!((got.group_sequence, got.group_id.is_some()), (Some(sequence), true));
                assert_eq!(got.properties.contains_key("JMS_IBM_Last_Msg_In_Group"), sequence == 3);
            },
        );
    }
    for (offset, flags) in [(0, 2), (100, 6)] {
        let v2 = MdV2 { group_id: [7; 24], offset, msg_flags: flags, original_length: 200, ..MdV2::default() };
        in_every_form(
            "a segment",
            |made| made.v2(v2.clone()),
            |got| {
                assert!(matches!(got.body, Body::Bytes(_)));
                assert_eq!(got.properties["JMS_IBM_MQMD_Offset"], Value::Int(offset));
            },
        );
    }
}

const USR: &str = "<usr><s>x</s><b dt='boolean'>1</b><i1 dt='i1'>-1</i1><i2 dt='i2'>2</i2><i4 dt='i4'>4</i4><i8 dt='i8'>8</i8>\
    <r4 dt='r4'>1.5</r4><r8 dt='r8'>-0.0</r8><h dt='bin.hex'>00aB</h><c dt='char'>é</c><n xsi:nil='true'></n></usr>";

#[test]
fn rfh2s() {
    for ccsid in [1208, 1200, 13488, 17584] {
        in_every_form(
            "every dt",
            |made| made.rfh2("MQSTR", ccsid, &["<mcd><Msd>jms_text</Msd></mcd>", USR]),
            |got| {
                assert_eq!(got.properties["i8"], Value::Long(8));
                assert_eq!(got.properties["h"], string("00ab"));
                assert_eq!(got.body, Body::Text("text".into()));
            },
        );
    }
    in_every_form(
        "two of them",
        |made| made.rfh2("MQSTR", 1208, &["<usr><b>2</b></usr>"]).rfh2("MQHRF2", 1200, &["<usr><a>1</a></usr>"]),
        |got| {
            assert_eq!(got.properties["a"], string("1"));
            assert_eq!(got.properties["b"], string("2"));
        },
    );
    in_every_form(
        "names",
        |made| {
            made.rfh2("MQSTR", 1208, &["<usr><a-b>1</a-b><x:y>2</x:y><c_x0020_d>3</c_x0020_d><AMQ_SCHEDULED_DELAY>4</AMQ_SCHEDULED_DELAY><JMSXGroupID>5</JMSXGroupID></usr>"])
        },
        |got| {
            for (name, value) in [
                ("a-b", "1"),
                ("x:y", "2"),
                ("c d", "3"),
                ("MQFERRY_P_AMQ_SCHEDULED_DELAY", "4"),
                ("MQFERRY_P_JMSXGroupID", "5"),
            ] {
                assert_eq!(got.properties.get(name), Some(&string(value)), "{name}");
            }
        },
    );
}

#[test]
fn texts_and_bytes() {
    in_every_form(
        "no format",
        |made| made.md(|md| md.format = Chars([0; 8])),
        |got| assert!(matches!(got.body, Body::Bytes(_))),
    );
    for (coding, encoding, _) in forms() {
        for (ccsid, text) in [
            (930, "ﾃｽﾄ日本"),
            (939, "test日本end"),
            (1388, "中文 abc"),
            (1208, "a\0b 🚀"),
            (1200, "a\0b 🚀"),
            (500, "a\0b\n"),
            (1208, ""),
            (1200, ""),
        ] {
            let got = made((coding, encoding, ccsid), text).comes_back(text);
            assert_eq!(got.body, Body::Text(text.into()), "{ccsid}");
        }
        // Half a pair is no text: bytes, and a property that says so.
        for (ccsid, bytes) in [(1200, &b"\xD8\0\0A"[..]), (1208, b"\xED\xA0\x80"), (939, b"\x0E\x45")] {
            let lone = Made { data: bytes.to_vec(), ..made((coding, encoding, ccsid), "") };
            let got = lone.md(|md| md.encoding = 273).comes_back("no text");
            assert_eq!(got.properties.get("MQFERRY_Convert"), Some(&Value::Int(2119)), "{ccsid}");
        }
    }
}

#[test]
fn large_bodies() {
    let form = forms()[0];
    let text = "x".repeat(4 << 20);
    assert!(made(form, &text).comes_back("4 MB of text").body == Body::Text(text));
    let bytes = Made { data: vec![0xA5; 100 << 20], ..made(form, "") };
    let got = bytes.md(|md| md.format = Chars::default()).comes_back("100 MB");
    assert!(matches!(got.body, Body::Bytes(bytes) if bytes.len() == 100 << 20));
}

#[test]
fn names_headers_and_dead_letters() {
    const LONG: &str = "A.NAME.OF.FORTYEIGHT.CHARACTERS.IN.ALL.ABCDEFGHI";
    assert_eq!(LONG.len(), 48);
    for form in forms() {
        let long = Made { queue: LONG, ..made(form, "text") };
        let coding = long.coding;
        let long = long.md(|md| {
            md.reply_to_q = Chars::from_text_cut(LONG, coding);
            md.reply_to_q_mgr = Chars::from_text_cut(LONG, coding);
        });
        let got = long.comes_back("48 characters").reply_to.map(|to| to.to_string());
        assert_eq!(got, Some(format!("queue://MQ.{LONG}.{LONG}")));
    }
    in_every_form(
        "an unknown format",
        |made| made.behind("MYHEADER", |_, _| b"MYH \0\0\0\x01".to_vec()),
        |got| {
            assert!(matches!(&got.body, Body::Bytes(bytes) if bytes.starts_with(b"MYH ")));
            assert_eq!(got.properties["JMS_IBM_Format"], string("MYHEADER"));
        },
    );
    let dead = |made: Made| {
        made.behind("MQDEAD", |md, coding| {
            let dlh = Dlh {
                reason: 2053,
                dest_q_name: Chars::from_text_cut("TARGET.Q", coding),
                dest_q_mgr_name: Chars::from_text_cut("QM7", coding),
                encoding: md.encoding,
                coded_char_set_id: md.coded_char_set_id,
                format: Chars::from_text_cut("MQSTR", coding),
                put_appl_type: 6,
                put_appl_name: Chars::from_text_cut("amqrmppa", coding),
                put_date: Chars::from_text_cut("20260131", coding),
                put_time: Chars::from_text_cut("12345678", coding),
            };
            dlh.encode(coding)
        })
    };
    in_every_form("a dead letter", dead, |got| {
        assert_eq!(got.properties["MQFERRY_DLH_Reason"], Value::Int(2053));
        assert_eq!(got.properties["MQFERRY_DLH_DestQName"], string("TARGET.Q"));
        assert_eq!(got.body, Body::Text("text".into()));
    });
}
