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

#[test]
fn a_byte_order_mark_of_utf_8_is_a_character() {
    let bytes = b"\xEF\xBB\xBFab";
    assert_eq!(decode(1208, bytes).unwrap(), "\u{FEFF}ab");
    assert!(comes_back(1208, ByteOrder::Big, Newline::Jdk, bytes, "\u{FEFF}ab"));
    assert!(!comes_back(1200, ByteOrder::Big, Newline::Jdk, &[0xFE, 0xFF, 0, 65], "A"), "its mark is dropped");
}

/// Every unit and every surrogate pair; `encoding_rs` reads them, the standard library says what they are.
#[test]
fn utf_16_is_what_the_standard_library_says() {
    for order in [ByteOrder::Big, ByteOrder::Little] {
        for unit in 0..=u16::MAX {
            let bytes = order.u16_bytes(unit);
            let expected = char::from_u32(u32::from(unit)).map(String::from);
            let text = utf16::decode(order, &bytes);
            assert_eq!(text.as_ref().ok(), expected.as_ref(), "{unit:04x}");
            assert!(text.is_ok_and(|text| utf16::encode(order, &text) == bytes) || expected.is_none());
        }
        let text: String = ('\u{10000}'..=char::MAX).collect();
        let bytes: Vec<u8> = text.encode_utf16().flat_map(|unit| order.u16_bytes(unit)).collect();
        assert!(utf16::decode(order, &bytes).unwrap() == text && utf16::encode(order, &text) == bytes);
    }
}

/// Where a surrogate pair, a lone surrogate or something beyond ASCII falls relative to the blocks must not matter.
#[test]
fn utf_16_does_not_show_its_blocks() {
    for before in 0..40 {
        for after in [0, 1, 15, 16, 17] {
            let text = format!("{}é🚀{}", "a".repeat(before), "b".repeat(after));
            for order in [ByteOrder::Big, ByteOrder::Little] {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(|unit| order.u16_bytes(unit)).collect();
                assert_eq!(encode_with(13488, order, Newline::Jdk, &text).unwrap(), bytes);
                assert_eq!(decode_with(13488, order, Newline::Jdk, &bytes).unwrap(), text);
                let place = 2 * (before + 1);
                let lone = [&bytes[..place], &bytes[place + 2..]].concat();
                let error = decode_with(13488, order, Newline::Jdk, &lone).unwrap_err();
                assert_eq!(error, NotText::Malformed { ccsid: 13488, offset: place });
            }
        }
    }
}

/// The same for pages of one byte.
#[test]
fn single_bytes_do_not_show_their_blocks() {
    for ccsid in [273, 1252, 850, 1025] {
        for before in 0..40 {
            for after in [0, 1, 15, 16, 17] {
                let other = if ccsid == 1025 { 'Ж' } else { 'Ü' };
                let text = format!("{}{other}-{other}{}", "a".repeat(before), "b".repeat(after));
                let bytes = encode(ccsid, &text).unwrap();
                let one_by_one: Vec<u8> =
                    text.chars().flat_map(|character| encode(ccsid, &character.to_string()).unwrap()).collect();
                assert_eq!(bytes, one_by_one);
                assert_eq!(decode(ccsid, &bytes).unwrap(), text);
                let error = encode(ccsid, &format!("{text}漢")).unwrap_err();
                assert_eq!(error, Unencodable::Character { ccsid, character: '漢', index: text.len() });
            }
        }
    }
    let mut bytes = vec![b'x'; 100];
    bytes[77] = 0x80;
    assert_eq!(decode(367, &bytes), Err(NotText::Malformed { ccsid: 367, offset: 77 }));
}

fn malformed_at(ccsid: i32, bytes: &[u8]) -> Option<usize> {
    match decode(ccsid, bytes) {
        Err(NotText::Malformed { offset, .. }) => Some(offset),
        _ => None,
    }
}

#[test]
fn cut_and_broken_pairs_say_where() {
    // 0x93FA is 日 in Shift_JIS
    assert_eq!(decode(943, b"ab\x93\xFA").unwrap(), "ab日");
    assert_eq!(malformed_at(943, b"ab\x93"), Some(2), "cut");
    assert_eq!(malformed_at(943, b"ab\x93\x20cd"), Some(2), "not a second byte");
    assert_eq!(malformed_at(943, b"0123456789\x93\xFA\xFF"), Some(12));
    assert_eq!(malformed_at(33722, b"\x8F\xA1"), Some(0));
    assert_eq!(malformed_at(5488, b"A\x81\x30\x81"), Some(1));
    assert_eq!(malformed_at(1392, b"A\xFF\x30\x81\x30"), Some(1));
}

#[test]
fn shifts_must_balance() {
    // 0x4562 is 日 in the double-byte half of 930 and 939, 0xC1 A
    assert_eq!(decode(939, b"\xC1\x0E\x45\x62\x0F\xC1").unwrap(), "A日A");
    assert_eq!(encode(939, "A日A").unwrap(), b"\xC1\x0E\x45\x62\x0F\xC1");
    assert_eq!(encode(939, "日").unwrap(), b"\x0E\x45\x62\x0F");
    for (bytes, offset) in [
        (&b"\xC1\x0F\xC1"[..], 1),
        (b"\xC1\x0E\x45\x62", 1),
        (b"\xC1\x0E\x45", 2),
        (b"\x0E\x45\x0F\xC1\xC1", 1),
        (b"\x0E\x45\x62\x0E\x45\x62\x0F", 3),
        (b"\x0E\x45\x62\x0F\x0F", 4),
    ] {
        for ccsid in [930, 939, 1390, 1399] {
            assert_eq!(malformed_at(ccsid, bytes), Some(offset), "{ccsid} {bytes:02x?}");
        }
    }
    let idle = b"\xC1\x0E\x0F\xC1";
    assert_eq!(decode(939, idle).unwrap(), "AA");
    assert!(!comes_back(939, ByteOrder::Big, Newline::Jdk, idle, "AA"));
    assert!(encode(939, "\u{0E}").is_err() && encode(1388, "\u{0F}").is_err(), "a shift is no character");
}

#[test]
fn newlines_of_double_byte_pages_are_a_policy_too() {
    let bytes = b"\x15\x0E\x45\x62\x0F\x25";
    for ccsid in [930, 939, 1390, 1399] {
        for (policy, expected) in [(Newline::LineFeed, "\n日\u{85}"), (Newline::NextLine, "\u{85}日\n")] {
            let text = decode_with(ccsid, ByteOrder::Big, policy, bytes).unwrap();
            assert_eq!(text, expected);
            assert!(comes_back(ccsid, ByteOrder::Big, policy, bytes, &text));
        }
    }
    assert_eq!(decode(939, bytes).unwrap(), "\n日\n");
    assert_eq!(encode(939, "\n日\n").unwrap(), b"\x15\x0E\x45\x62\x0F\x15");
}

/// Whatever bytes arrive, every page answers, and an error's offset lies within them.
#[test]
fn garbage_is_an_error_with_its_offset() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for ccsid in known() {
        for length in 0..60 {
            let bytes: Vec<u8> = (0..length).map(|_| (random() >> 32) as u8).collect();
            for newline in [Newline::Jdk, Newline::LineFeed, Newline::NextLine] {
                match decode_with(ccsid, ByteOrder::Little, newline, &bytes) {
                    Ok(text) => drop(encode_with(ccsid, ByteOrder::Little, newline, &text)),
                    Err(NotText::Malformed { offset, .. }) => assert!(offset < length, "{ccsid}: {offset} of {length}"),
                    Err(NotText::UnknownCcsid(_)) => panic!("{ccsid} is in the list"),
                }
            }
        }
    }
}
