//! What is no segment: every parser answers with an error or a value, never a panic, and takes no memory by announcement.

use bytes::{Bytes, BytesMut};
use mqferry::wire::{
    ByteOrder, ControlFlags1, Deframer, InitialData, Malformed, Msh, Ping, Reset, Segment, SegmentType, Status, Tsh,
};
use proptest::prelude::*;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Big, ByteOrder::Little];
/// Lengths that lie: none, one short of a header, and both ends of the sign.
const LIES: [u32; 6] = [0, 27, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF];

fn every_parser(bytes: &Bytes) {
    let _ = Tsh::parse(bytes);
    let _ = Segment::parse(bytes.clone());
    for order in ORDERS {
        let tsh = Tsh::new(SegmentType::INITIAL_DATA).with_byte_order(order);
        for tsh in [tsh, Tsh { ccsid: 500, ..tsh }] {
            if let Ok(id) = InitialData::parse(bytes, &tsh) {
                assert_eq!(id.length(), bytes.len());
                let _ = format!("{id:?} {}", id.channel_name);
            }
        }
        if let Ok(status) = Status::parse(bytes, order) {
            assert!(status.values.len() * 4 <= bytes.len());
            assert_eq!(status.encode(order), bytes);
        }
        let _ = Msh::parse(bytes, order);
        let _ = Reset::parse(bytes, order);
        let _ = Ping::parse(bytes, order);
    }
    let mut buffer = BytesMut::from(&bytes[..]);
    let capacity = buffer.capacity();
    let mut deframer = Deframer::new(1 << 20);
    while let Ok(Some(_)) = deframer.next(&mut buffer) {}
    assert!(buffer.capacity() <= capacity);
}

fn structures() -> Vec<Bytes> {
    let message = Tsh::new(SegmentType::MESSAGE_DATA).with_flags(ControlFlags1::FIRST);
    let msh = Msh { sequence: 1, data_length: 0, segment_number: 0, message_length: 0 };
    let mut id = vec![0x11; 240];
    id[..5].copy_from_slice(b"ID  \x0D");
    let mut out = vec![Bytes::from(id)];
    for order in ORDERS {
        let msh = msh.encode(order, mqferry::wire::Alphabet::Ascii);
        out.push(Bytes::copy_from_slice(&msh));
        out.push(Segment::new(message.with_byte_order(order), Bytes::copy_from_slice(&msh)).encode());
        out.push(Reset::new(7).encode(order));
        out.push(Ping { data: Bytes::from_static(b"0123456789abcdef") }.encode(order));
        out.push(Status::with_value(mqferry::wire::StatusCode(4), 41).encode(order));
    }
    out
}

proptest! {
    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        every_parser(&bytes.into());
    }

    #[test]
    fn random_bytes_behind_an_eye_catcher(
        eye in prop_oneof![Just("TSH "), Just("TSHM"), Just("TSHC"), Just("ID  "), Just("MSH ")],
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        every_parser(&[eye.as_bytes(), &bytes].concat().into());
    }

    #[test]
    fn one_byte_changed(which in 0..11_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = structures()[which].to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        every_parser(&bytes.into());
    }
}

#[test]
fn cut_at_every_offset() {
    for structure in structures() {
        for end in 0..structure.len() {
            let cut = structure.slice(..end);
            every_parser(&cut);
            assert!(Segment::parse(cut.clone()).is_err());
            let mut buffer = BytesMut::from(&cut[..]);
            if structure.starts_with(b"TSH") {
                assert_eq!(Deframer::new(100).next(&mut buffer), Ok(None), "{end} bytes");
            }
        }
    }
}

#[test]
fn lying_lengths() {
    let structures = structures();
    for lie in LIES {
        for order in ORDERS {
            let mut lying = order.i32_bytes(lie.cast_signed()).to_vec();
            lying.extend([0; 12]);
            let lying = Bytes::from(lying);
            assert!(Reset::parse(&lying, order).is_err(), "{lie:#X}");
            assert!(Status::parse(&lying, order).is_err(), "{lie:#X}");
            let ping = Ping::parse(&lying, order);
            assert_eq!(ping.is_err(), lie > 12, "{lie:#X}"); // 0 is a ping without bytes
        }
        for structure in &structures {
            for offset in (0..structure.len().saturating_sub(4)).step_by(4) {
                let mut bytes = structure.to_vec();
                bytes[offset..offset + 4].copy_from_slice(&lie.to_be_bytes());
                every_parser(&bytes.clone().into());
                bytes[offset..offset + 4].copy_from_slice(&lie.to_le_bytes());
                every_parser(&bytes.into());
            }
        }
        let mut buffer = BytesMut::from(&b"TSH "[..]);
        buffer.extend_from_slice(&lie.to_be_bytes());
        let malformed = Deframer::new(32766).next(&mut buffer).unwrap_err();
        assert_eq!(malformed.found, lie.to_string());
        assert_eq!((malformed.field, malformed.offset), ("SegmentLength", 4));
        assert_eq!(malformed.expected, "28 to 32766");
    }
}

fn first_words(bytes: &[u8]) -> Result<Option<Segment>, Malformed> {
    Deframer::new(32766).next(&mut BytesMut::from(bytes))
}

#[test]
fn refuses_as_early_as_it_can() {
    assert_eq!(first_words(b"TSX"), Ok(None));
    assert_eq!(
        first_words(b"TSX ").unwrap_err().to_string(),
        "TSH is malformed: StrucId at offset 0 is 54535820 (\"TSX \"), expected \"TSH \", \"TSHM\" or \"TSHC\""
    );
    assert!(first_words(b"\x16\x03\x01\x02").unwrap_err().found.contains("speaks TLS"));
    assert!(first_words(b"AMQP").unwrap_err().found.contains("AMQP, not MQ"));
    assert_eq!(first_words(b"TSHM\0\0\0\x23").unwrap_err().expected, "36 to 32766");
    assert_eq!(first_words(b"TSHM\0\0\0\x24"), Ok(None));
    assert_eq!(first_words(b"\xE3\xE2\xC8\x40\0\0\0\x1C"), Ok(None));
    assert_eq!(first_words(b"\xE3\xE2\xC8\xD4\0\0\x7F\xFF").unwrap_err().expected, "36 to 32766");
    let order = Tsh::parse(&[b"TSH \0\0\0\x1C\x03".as_slice(), &[0; 19]].concat()).unwrap_err();
    assert_eq!((order.field, order.offset, order.found.as_str()), ("ByteOrder", 8, "0x03"));
}

#[test]
fn a_multiplexed_header_re_encodes() {
    let bytes = [b"TSHM\0\0\0\x25\0\0\0\x01\0\0\0\x02\x02\x09".as_slice(), &[7; 18], b"x"].concat();
    let segment = Segment::parse(bytes.clone().into()).unwrap();
    assert_eq!(segment.body, "x");
    assert_eq!(segment.encode(), bytes);
}
