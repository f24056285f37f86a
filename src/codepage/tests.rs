use super::*;

/// Bytes of the samples that IBM's Java client wrote (`protocol-captures/ibm-jms/014`, `ibm-headers/006` and `021`).
#[test]
fn ebcdic_as_ibms_client_writes_it() {
    let written = [0xc7, 0x99, 0xdc, 0x59, 0x85, 0x40, 0x4a, 0x81, 0x82, 0x83, 0x5a, 0x40, 0xc0, 0xf1, 0xd0];
    assert_eq!(decode(500, &written).unwrap(), "Grüße [abc] {1}");
    assert_eq!(encode(500, "Grüße [abc] {1}").unwrap(), written);
    let written = [0xc7, 0x99, 0xdc, 0x59, 0x85, 0x40, 0xba, 0x81, 0xbb, 0xc0, 0x82, 0xd0];
    assert_eq!(decode(37, &written).unwrap(), "Grüße [a]{b}");
}

#[test]
fn the_euro_and_the_brackets_of_1047() {
    assert_eq!(decode(1140, &[0x9F]).unwrap(), "€");
    assert_eq!(encode(1140, "€").unwrap(), [0x9F]);
    assert_eq!(encode(1047, "[]").unwrap(), [0xAD, 0xBD]);
}

#[test]
fn newlines_are_a_policy() {
    let bytes = [0xC1, 0x15, 0xC2, 0x25];
    let text = |policy| decode_with(500, ByteOrder::Big, policy, &bytes).unwrap().into_owned();
    assert_eq!(text(Newline::Jdk), "A\nB\n");
    assert_eq!(text(Newline::LineFeed), "A\nB\u{85}");
    assert_eq!(text(Newline::NextLine), "A\u{85}B\n");
    for policy in [Newline::LineFeed, Newline::NextLine] {
        assert_eq!(encode_with(500, ByteOrder::Big, policy, &text(policy)).unwrap(), bytes);
    }
    assert_eq!(encode(500, "\n\u{85}").unwrap(), [0x15, 0x15]);
    assert_eq!(decode_with(437, ByteOrder::Big, Newline::NextLine, b"\x15\n").unwrap(), "\u{15}\n");
}

#[test]
fn latin_1_is_not_windows_1252() {
    let bytes: Vec<u8> = (0..=255).collect();
    let text = decode(819, &bytes).unwrap();
    assert!(text.chars().enumerate().all(|(at, character)| at == character as usize));
    assert_eq!(encode(819, &text).unwrap(), bytes);
    assert_eq!(encode(819, "5 €"), Err(Unencodable::Character { ccsid: 819, character: '€', index: 2 }));
}

#[test]
fn every_page_round_trips_but_for_newlines() {
    for ccsid in [37, 437, 500, 1047, 1140] {
        for byte in 0..=255u8 {
            let text = decode(ccsid, &[byte]).unwrap().into_owned();
            let expected = if byte == 0x25 && ccsid != 1047 && ccsid != 437 { 0x15 } else { byte };
            assert_eq!(encode(ccsid, &text).unwrap(), [expected], "CCSID {ccsid} byte {byte:02x}");
        }
    }
}

#[test]
fn utf_16_in_both_orders_with_and_without_a_mark() {
    let big = [0x00, 0x41, 0xD8, 0x3D, 0xDE, 0x80];
    let little = [0x41, 0x00, 0x3D, 0xD8, 0x80, 0xDE];
    for ccsid in [1200, 13488, 17584] {
        assert_eq!(decode(ccsid, &big).unwrap(), "A🚀");
        assert_eq!(decode_with(ccsid, ByteOrder::Little, Newline::Jdk, &little).unwrap(), "A🚀");
        assert_eq!(decode(ccsid, &[&[0xFF, 0xFE][..], &little].concat()).unwrap(), "A🚀");
        assert_eq!(encode(ccsid, "A🚀").unwrap(), big);
    }
    assert_eq!(decode(1202, &little).unwrap(), "A🚀");
    assert_eq!(encode(1202, "A🚀").unwrap(), little);
}

#[test]
fn what_is_not_text_says_where() {
    let at = |ccsid, bytes: &[u8]| match decode(ccsid, bytes) {
        Err(NotText::Malformed { offset, .. }) => Some(offset),
        _ => None,
    };
    assert_eq!(at(1208, b"ab\xFFc"), Some(2));
    assert_eq!(at(1200, &[0, 65, 0]), Some(2));
    assert_eq!(at(1200, &[0xFE, 0xFF, 0, 65, 0xD8, 0x3D, 0, 66]), Some(4));
    assert_eq!(decode(4711, b""), Err(NotText::UnknownCcsid(4711)));
    assert_eq!(encode(4711, ""), Err(Unencodable::UnknownCcsid(4711)));
}
