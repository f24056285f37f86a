//! What an envelope does with bytes that are not what they say: an error or a note, nothing lost, never a panic.

#[path = "support/ibm_samples.rs"]
mod ibm_samples;

use std::fs;
use std::sync::LazyLock;

use bytes::Bytes;
use ibm_samples::{description, files, first_of};
use mqferry::message::{Coding, Description, Envelope, Header, Md, MdV2, Rfh2, peek_msg_id};
use mqferry::wire::{Alphabet, ByteOrder};
use proptest::prelude::*;

/// Every sample, with what describes its first structure.
static SAMPLES: LazyLock<Vec<(Bytes, Description)>> = LazyLock::new(|| {
    let headers = files("ibm-headers")
        .into_iter()
        .map(|(path, sample)| (Bytes::from(fs::read(path.with_extension("bin")).unwrap()), first_of(&sample)));
    let jms = files("ibm-jms").into_iter().map(|(path, _)| {
        let descriptor = fs::read(path.with_extension("md.bin")).unwrap();
        let data = fs::read(path.with_extension("body.bin")).unwrap();
        (Bytes::from([descriptor, data].concat()), description("MQMD", 273, 1208))
    });
    headers.chain(jms).collect()
});

/// Numbers that lengths and counts lie with.
const LIES: [i32; 12] = [0, 1, -1, 3, 27, 35, 36, 37, 0x7FFF_FFFF, i32::MIN, 0x7FFF_FFFC, 0x0400_0000];

/// Whatever was accepted must be whole: structures without gaps, then the body, and the same bytes again.
fn check(message: &Bytes, first: Description, parts: Vec<Bytes>) -> Option<Envelope> {
    match Envelope::parse_as(parts.clone(), first) {
        Ok(envelope) => {
            let mut offset = 0;
            for structure in envelope.structures() {
                assert_eq!(structure.offset, offset);
                offset += structure.length;
            }
            assert_eq!(envelope.body.offset, offset);
            assert_eq!(envelope.body.len(), message.len() - offset);
            assert_eq!(envelope.encode(), *message);
            assert!(envelope.chain.len() <= 64);
            for (rfh2, byte_order) in envelope.rfh2s() {
                assert!(rfh2.folders.len() <= 1024);
                let _ = rfh2.folder_texts(byte_order);
            }
            Some(envelope)
        }
        Err(broken) => {
            assert_eq!(broken.parts, parts);
            assert!(broken.to_string().contains("offset"), "{broken}");
            None
        }
    }
}

fn split(message: &Bytes, lengths: &[usize]) -> Vec<Bytes> {
    let (mut rest, mut parts) = (message.clone(), Vec::new());
    for length in lengths {
        parts.push(rest.split_to((*length).min(rest.len())));
    }
    parts.push(rest);
    parts
}

#[test]
fn cut_off_at_every_offset() {
    for (message, first) in SAMPLES.iter() {
        for end in 0..message.len() {
            let cut = message.slice(..end);
            check(&cut, *first, vec![cut.clone()]);
        }
    }
}

#[test]
fn every_integer_replaced_by_a_lie() {
    for (message, first) in SAMPLES.iter() {
        for offset in (0..message.len() - 3).step_by(4) {
            for lie in LIES {
                let mut lying = message.to_vec();
                let order = ByteOrder::of_encoding(first.encoding);
                lying[offset..offset + 4].copy_from_slice(&order.i32_bytes(lie));
                let lying = Bytes::from(lying);
                check(&lying, *first, vec![lying.clone()]);
            }
        }
    }
}

#[test]
fn a_lying_length_leaves_the_header_in_the_body_and_says_why() {
    for (field, lie) in [(8, 35), (8, 0), (8, -1), (8, i32::MAX), (36, 3), (36, -4), (36, 0x7FFF_FFFC)] {
        let mut data = rfh2(&["<mcd/>", "<usr/>"]);
        data[field..field + 4].copy_from_slice(&i32::to_be_bytes(lie));
        let (message, first) = described(data);
        let envelope = check(&message, first, vec![message.clone()]).unwrap();
        assert_eq!((envelope.chain.len(), envelope.body.offset), (0, 324), "{field} {lie}");
        assert_eq!(envelope.body.format, "MQHRF2");
        let [note] = envelope.notes.as_slice() else { panic!("{:?}", envelope.notes) };
        assert!(note.starts_with("MQRFH2 is malformed") && note.contains(&lie.to_string()), "{note}");
        assert!(note.contains("starts at offset 324"), "{note}");
    }
}

#[test]
fn a_chain_without_end_and_folders_without_end_are_bounded() {
    let mut one = rfh2(&[]);
    one[20..28].copy_from_slice(b"MQHRF2  ");
    let (message, first) = described(one.repeat(10_000));
    let envelope = check(&message, first, vec![message.clone()]).unwrap();
    assert_eq!(envelope.chain.len(), 64);
    assert_eq!(envelope.notes.len(), 1);

    let (message, first) = described(rfh2(&[""; 2000]));
    let envelope = check(&message, first, vec![message.clone()]).unwrap();
    assert_eq!((envelope.chain.len(), envelope.notes.len()), (0, 1));
}

#[test]
fn a_broken_header_ends_the_chain_behind_the_good_ones() {
    let mut good = rfh2(&["<usr><a>1</a></usr>"]);
    good[20..28].copy_from_slice(b"MQDEAD  ");
    good.extend_from_slice(b"no dead-letter header");
    let (message, first) = described(good);
    let envelope = check(&message, first, vec![message.clone()]).unwrap();
    assert!(matches!(envelope.chain[..], [ref only] if matches!(only.header, Header::Rfh2(_))));
    assert_eq!(envelope.body.bytes(), b"no dead-letter header".as_slice());
    assert_eq!(envelope.body.format, "MQDEAD");
    assert!(envelope.notes[0].contains("MQDLH"), "{:?}", envelope.notes);
}

#[test]
fn what_a_header_leaves_open_is_inherited() {
    let mut data = rfh2(&[]);
    data[12..20].copy_from_slice(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFE]);
    let (message, first) = described(data);
    let envelope = check(&message, first, vec![message.clone()]).unwrap();
    assert_eq!((envelope.body.encoding, envelope.body.ccsid), (273, 1208));
}

/// An MQRFH2 of version 2, big-endian, followed by MQSTR, as bytes.
fn rfh2(folders: &[&str]) -> Vec<u8> {
    let header = Rfh2 {
        encoding: 273,
        coded_char_set_id: 1208,
        format: description("MQSTR", 0, 0).format,
        flags: 0,
        name_value_ccsid: 1208,
        folders: folders.iter().map(|text| Rfh2::folder_bytes(text)).collect(),
    };
    header.encode(Coding::default())
}

/// A bare descriptor that announces an MQRFH2, and this behind it.
fn described(data: Vec<u8>) -> (Bytes, Description) {
    let md = Md { format: description("MQHRF2", 0, 0).format, ..Md::default() };
    let mut message = md.encode(Coding::default());
    message.extend_from_slice(&data);
    (message.into(), description("MQMD", 273, 1208))
}

prop_compose! {
    fn any_coding()(little: bool, ebcdic: bool, ccsid in prop::sample::select(vec![0, 37, 500, 819, 1047, 1208])) -> Coding {
        let byte_order = if little { ByteOrder::Little } else { ByteOrder::Big };
        Coding::new(byte_order, if ebcdic { Alphabet::Ebcdic } else { Alphabet::Ascii }, ccsid)
    }
}

proptest! {
    #[test]
    fn random_bytes(bytes: Vec<u8>, format in "MQ(XMIT|MD|DEAD|HMDE|HRF2?|HREF|HDIST|IMS|CICS|HWIH|TRIG|HSAP)", little: bool) {
        let message = Bytes::from(bytes);
        let first = description(if format == "MQMD" { "MQMD" } else { &format }, if little { 546 } else { 273 }, 1208);
        check(&message, first, vec![message.clone()]);
        let order = ByteOrder::of_encoding(first.encoding);
        let _ = Envelope::parse(vec![message.clone()], order, 500);
        let _ = Coding::detect(&message);
        prop_assert!(message.len() >= 176 || peek_msg_id(&[message]) == [0; 24]);
    }

    #[test]
    fn damaged_samples(
        which: prop::sample::Index,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let (message, first) = which.get(&SAMPLES);
        let mut bytes = message.to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let message = Bytes::from(bytes);
        check(&message, *first, vec![message.clone()]);
    }

    #[test]
    fn where_segments_part_makes_no_difference(which: prop::sample::Index, lengths in prop::collection::vec(0..200usize, 0..40)) {
        let (message, first) = which.get(&SAMPLES);
        let whole = check(message, *first, vec![message.clone()]).unwrap();
        let parted = check(message, *first, split(message, &lengths)).unwrap();
        prop_assert_eq!(whole.structures(), parted.structures());
        prop_assert_eq!(whole.body.bytes(), parted.body.bytes());
        prop_assert_eq!(whole.data(), parted.data());
        if whole.xqh.is_some() {
            prop_assert_eq!(peek_msg_id(&split(message, &lengths)), whole.md.msg_id);
        }
    }

    #[test]
    fn a_descriptor_comes_out_of_any_coding_as_it_went_in(
        coding in any_coding(),
        numbers: [i32; 9],
        msg_id: [u8; 24],
        name: [u8; 12],
        v2: Option<[i32; 4]>,
    ) {
        let mut md = Md::new(coding);
        [md.report, md.msg_type, md.expiry, md.feedback, md.encoding, md.coded_char_set_id, md.priority,
            md.persistence, md.put_appl_type] = numbers;
        md.msg_id = msg_id;
        md.user_identifier.0 = name;
        md.v2 = v2.map(|[msg_seq_number, offset, msg_flags, original_length]| {
            MdV2 { group_id: msg_id, msg_seq_number, offset, msg_flags, original_length }
        });
        let bytes = md.encode(coding);
        prop_assert_eq!(bytes.len(), md.length());
        prop_assert_eq!(Md::parse(&bytes, coding.byte_order), Ok(md));
    }
}
