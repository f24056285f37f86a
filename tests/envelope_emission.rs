//! MQXQH and MQMD emitted in every alphabet and byte order, judged by frames that were not made by this code.

use std::path::Path;

use bytes::Bytes;
use mqferry::message::{Chars, Coding, Envelope, Md, Xqh, peek_msg_id};
use mqferry::wire::{Alphabet, ByteOrder};

/// The message in a frame of `protocol-captures/wire-examples`: what is behind TSH (28 bytes) and MSH (20).
fn message(file: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures/wire-examples").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|row| !row.starts_with('#'));
    rows.flat_map(|row| row.split_whitespace().skip(1))
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .skip(28 + 20)
        .collect()
}

/// The descriptor that all these frames carry (their README), its data described as given.
fn written(coding: Coding, encoding: i32, ccsid: i32) -> (Xqh, Md) {
    let mut md = Md::new(coding);
    md.encoding = encoding;
    md.coded_char_set_id = ccsid;
    md.format = text("MQSTR", coding);
    md.priority = 4;
    md.persistence = 1;
    md.msg_id = *b"AMQ QM.EXAMPLE  \x01\x01\x01\x01\x01\x01\x01\x01";
    md.reply_to_q_mgr = text("QM.EXAMPLE", coding);
    md.user_identifier = text("appuser", coding);
    md.put_appl_type = 6;
    md.put_appl_name = text("amqsput", coding);
    // 2026-01-02 12:34:56 UTC, from `date`.
    md.set_put_millis(1_767_357_296_000, coding);
    (Xqh::new(text("TARGET.QUEUE", coding), text("GW", coding)), md)
}

fn text<const N: usize>(text: &str, coding: Coding) -> Chars<N> {
    Chars::from_text(text, coding).unwrap()
}

#[test]
fn every_coding_is_read_and_written() {
    use Alphabet::{Ascii, Ebcdic};
    use ByteOrder::{Big, Little};
    let ascii_body = "hello over a message channel".as_bytes();
    for (file, byte_order, alphabet, channel_ccsid, encoding, ccsid, body) in [
        ("27-message-be.hex", Big, Ascii, 819, 273, 819, ascii_body),
        ("17-message-single.hex", Little, Ascii, 819, 546, 819, ascii_body),
        ("29-message-ebcdic.hex", Big, Ebcdic, 500, 273, 500, &[0x88, 0x85, 0x93, 0x93, 0x96]),
    ] {
        let bytes = message(file);
        let coding = Coding::new(byte_order, alphabet, channel_ccsid);
        let (xqh, md) = written(coding, encoding, ccsid);
        let mut out = xqh.encode(coding);
        md.encode_to(&mut out, coding);
        assert_eq!(out.len(), 428);
        out.extend_from_slice(body);
        assert_eq!(out, bytes, "{file}");

        let envelope = Envelope::parse(vec![bytes.clone()], byte_order, channel_ccsid).unwrap();
        assert_eq!(envelope.coding, coding, "{file}");
        assert_eq!((envelope.xqh.as_ref(), &envelope.md), (Some(&xqh), &md), "{file}");
        assert_eq!(envelope.md.put_millis(coding), Some(1_767_357_296_000));
        assert_eq!(envelope.md.user_identifier.text(coding), "appuser");
        assert_eq!(envelope.body.parts(), [Bytes::copy_from_slice(body)], "{file}");
        assert_eq!((envelope.body.format.as_str(), envelope.body.ccsid), ("MQSTR", ccsid), "{file}");
        assert_eq!(envelope.encode(), bytes, "{file}");
        assert_eq!(peek_msg_id(std::slice::from_ref(&bytes)), md.msg_id);
        assert_eq!(
            Coding::detect(&bytes).map(|found| (found.byte_order, found.alphabet)),
            Some((byte_order, alphabet))
        );
    }
}

#[test]
fn the_body_is_not_copied() {
    let bytes = message("27-message-be.hex");
    let envelope = Envelope::parse(vec![bytes.clone()], ByteOrder::Big, 819).unwrap();
    assert_eq!(envelope.body.bytes().as_ptr(), bytes.slice(428..).as_ptr());
    let split = vec![bytes.slice(..100), bytes.slice(100..440), bytes.slice(440..)];
    let envelope = Envelope::parse(split, ByteOrder::Big, 819).unwrap();
    let found: Vec<_> = envelope.body.parts().iter().map(|part| (part.as_ptr(), part.len())).collect();
    assert_eq!(found, [(bytes.slice(428..).as_ptr(), 12), (bytes.slice(440..).as_ptr(), bytes.len() - 440)]);
}

#[test]
fn names_that_do_not_fit_are_refused_or_cut_at_a_character() {
    let coding = Coding::default();
    assert!(Chars::<4>::from_text("ABCDE", coding).is_err());
    assert_eq!(Chars::<4>::from_text_cut("ABCé", coding).0, *b"ABC ");
    let ebcdic = Coding::new(ByteOrder::Big, Alphabet::Ebcdic, 37);
    assert!(Chars::<4>::from_text("€", ebcdic).is_err());
    assert_eq!(Chars::<4>::from_text_cut("A€", ebcdic).0, [0xC1, 0x6F, 0x40, 0x40]);
}

#[test]
fn a_name_cut_inside_a_character_keeps_its_bytes() {
    let cut = Chars(*b"AB\xC3");
    assert_eq!(cut.text(Coding::default()), "AB\u{FFFD}");
    let nul = Chars(*b"A\0B\0\0  ");
    assert_eq!(nul.text(Coding::default()), "A\0B");
}

#[test]
fn a_ccsid_that_does_not_fit_the_eye_catcher_gives_way() {
    assert_eq!(Coding::new(ByteOrder::Big, Alphabet::Ebcdic, 819).ccsid(), 500);
    assert_eq!(Coding::new(ByteOrder::Big, Alphabet::Ebcdic, 1047).ccsid(), 1047);
    assert_eq!(Coding::new(ByteOrder::Big, Alphabet::Ascii, 1200).ccsid(), 1208);
    assert_eq!(Coding::new(ByteOrder::Big, Alphabet::Ascii, 37).ccsid(), 1208);
}
