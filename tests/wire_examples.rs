//! The frames of `protocol-captures/wire-examples`: parsed to the values they were made from, emitted again byte by byte.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use mqferry::wire::{
    Alphabet, ByteOrder, CapFlags1, CapFlags2, CapFlags3, ControlFlags1, Deframer, ErrFlags1, InitialData, Luwid, Msh,
    Segment, SegmentType, Status, StatusCode,
};

fn frames() -> BTreeMap<u32, Bytes> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures/wire-examples");
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let frame = |line: &str| {
        let [number, name, _, length, _] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let text = std::fs::read_to_string(folder.join(format!("{name}.hex"))).unwrap();
        let rows = text.lines().filter(|row| !row.starts_with('#'));
        let hex = rows.flat_map(|row| row.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        let bytes: Bytes = hex.collect();
        assert_eq!(bytes.len(), length.parse::<usize>().unwrap(), "{name}");
        (number.parse().unwrap(), bytes)
    };
    index.lines().map(frame).collect()
}

fn frame(number: u32) -> Segment {
    Segment::parse(frames()[&number].clone()).unwrap()
}

/// The batch that the little-endian frames name.
const LUW: Luwid = Luwid([0, 0, 0, 0x67, 1, 0, 0, 0]);
const NONE: ControlFlags1 = ControlFlags1::empty();

fn assert_header(number: u32, segment_type: SegmentType, flags: ControlFlags1, luwid: Luwid) {
    let tsh = frame(number).tsh;
    assert_eq!((tsh.segment_type, tsh.flags1, tsh.luwid), (segment_type, flags, luwid), "frame {number}");
}

#[test]
fn all_are_there_and_re_encode() {
    let frames = frames();
    assert_eq!(frames.len(), 31);
    for (number, bytes) in &frames {
        let segment = Segment::parse(bytes.clone()).unwrap();
        assert_eq!(segment.len(), bytes.len());
        assert_eq!(segment.encode(), bytes, "frame {number}");
        let (order, alphabet) = (segment.tsh.byte_order, segment.tsh.alphabet);
        let body = match segment.tsh.segment_type {
            SegmentType::INITIAL_DATA => segment.initial_data().unwrap().encode(order, alphabet),
            SegmentType::RESYNC_DATA | SegmentType::RESET_DATA => segment.reset().unwrap().encode(order),
            SegmentType::STATUS_DATA => segment.status().unwrap().encode(order),
            SegmentType::PING_DATA => segment.ping().unwrap().encode(order),
            SegmentType::MESSAGE_DATA if *number != 23 => {
                let (msh, rest) = segment.msh().unwrap();
                [&msh.encode(order, alphabet)[..], &rest[..]].concat().into()
            }
            SegmentType::MESSAGE_DATA | SegmentType::HEARTBEAT => segment.body.clone(),
            other => panic!("frame {number} is {other}"),
        };
        assert_eq!(body, segment.body, "body of frame {number}");
    }
}

#[test]
fn one_stream_of_all_frames_comes_apart_at_any_read_size() {
    let frames = frames();
    let stream: Vec<u8> = frames.values().flatten().copied().collect();
    for read in [1, 7, 28, 1000, stream.len()] {
        let mut deframer = Deframer::new(748);
        let (mut buffer, mut segments) = (BytesMut::new(), Vec::new());
        for some in stream.chunks(read) {
            buffer.extend_from_slice(some);
            while let Some(segment) = deframer.next(&mut buffer).unwrap() {
                segments.push(segment.encode());
            }
        }
        assert!(buffer.is_empty());
        assert!(segments.iter().eq(frames.values()), "reads of {read}");
    }
}

#[test]
fn initial_data_fap_4() {
    let segment = frame(1);
    assert_header(1, SegmentType::INITIAL_DATA, ControlFlags1::CONFIRM_REQUEST, Luwid::ZERO);
    assert_eq!((segment.tsh.byte_order, segment.tsh.encoding, segment.tsh.ccsid), (ByteOrder::Big, 273, 819));
    let id = segment.initial_data().unwrap();
    assert_eq!((id.fap_level, id.cap_flags1.bits()), (4, 7));
    assert_eq!((id.max_msg_per_batch, id.max_transmission_size, id.max_msg_size), (50, 32766, 4_194_304));
    assert_eq!((id.seq_wrap, id.channel_name.text().as_str()), (999_999_999, "QMA.TO.GW"));
    let fap4 = id.fap4.unwrap();
    assert_eq!((fap4.qmgr_name.text().as_str(), fap4.heartbeat_interval, fap4.ccsid), ("QMA", 300, 819));
    assert_eq!(fap4.cap_flags2, CapFlags2::DIST_LIST_CAPABLE | CapFlags2::FAST_MESSAGES_REQUIRED);
    assert!(id.fap9.is_none() && id.rest.is_empty());
    assert_header(2, SegmentType::INITIAL_DATA, NONE, Luwid::ZERO);
    assert_eq!(frame(2).initial_data().unwrap().qmgr_name(), "GW");
}

#[test]
fn initial_data_above_fap_4() {
    let id = frame(3).initial_data().unwrap();
    assert_eq!((id.fap_level, id.length(), id.max_transmission_size), (10, 208, 32766));
    assert_eq!(id.fap9.as_ref().unwrap().cap_flags3, CapFlags3::MSG_PROP_CAPABLE);
    assert!(id.fap11.is_none());
    for (number, level) in [(4, 13), (5, 15)] {
        let id = frame(number).initial_data().unwrap();
        assert_eq!((id.fap_level, id.length(), id.qmgr_id().as_str()), (level, 240, "QMA_2026-01-02_03.04.05"));
        assert_eq!(id.fap4.as_ref().unwrap().efl_length, 138);
        let fap9 = id.fap9.unwrap();
        assert_eq!(fap9.product_id, "MQGW00000000");
        assert_eq!((fap9.hdr_comp_list, fap9.msg_comp_list[0], fap9.msg_comp_list[15]), ([0, 0xFF], 0, 0xFF));
        assert_eq!((fap9.process_id, fap9.thread_id, fap9.trace_id, fap9.conv_per_socket), (1, 1, 1, 0));
        assert_eq!(id.fap11.unwrap().pal[..3], [0, 0, 0xFF]);
    }
}

#[test]
fn counter_proposal() {
    assert_header(6, SegmentType::INITIAL_DATA, ControlFlags1::ERROR, Luwid::ZERO);
    let id = frame(6).initial_data().unwrap();
    assert_eq!(id.err_flags1, ErrFlags1::FAP_LEVEL | ErrFlags1::MAX_TRANSMISSION_SIZE | ErrFlags1::MAX_MSG_PER_BATCH);
    assert_eq!((id.max_transmission_size, id.max_msg_per_batch), (16384, 10));
    for number in [7, 8] {
        let id = frame(number).initial_data().unwrap();
        assert_eq!((id.max_transmission_size, id.err_flags1), (16384, ErrFlags1::empty()));
    }
}

#[test]
fn status_and_its_relatives() {
    assert_header(9, SegmentType::STATUS_DATA, NONE, LUW);
    assert_eq!(frame(9).status().unwrap(), Status::OK);
    assert_header(10, SegmentType::STATUS_DATA, ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL, Luwid::ZERO);
    assert_eq!(frame(10).status().unwrap(), Status::new(StatusCode::NO_CHANNEL));
    let mismatch = frame(11).status().unwrap();
    assert_eq!((mismatch.code, mismatch.values.as_slice()), (Some(StatusCode::MSG_SEQUENCE_ERROR), &[41][..]));
    assert_eq!(mismatch.to_string(), "MSG_SEQUENCE_ERROR (4, AMQ9526) 41");
    assert_header(12, SegmentType::RESET_DATA, NONE, Luwid::ZERO);
    assert_eq!(frame(12).reset().unwrap().sequence, 1);
    let data: Bytes = (0..64).collect();
    assert_eq!(frame(13).ping().unwrap().data, data);
    assert_header(14, SegmentType::HEARTBEAT, ControlFlags1::CONFIRM_REQUEST, Luwid::ZERO);
    assert_header(15, SegmentType::HEARTBEAT, NONE, Luwid::ZERO);
    assert_header(16, SegmentType::HEARTBEAT, ControlFlags1::REQUEST_CLOSE, Luwid::ZERO);
    assert_header(19, SegmentType::STATUS_DATA, NONE, LUW);
    assert_header(20, SegmentType::STATUS_DATA, ControlFlags1::DLQ_USED, LUW);
    assert_header(24, SegmentType::STATUS_DATA, ControlFlags1::CONFIRM_REQUEST, LUW);
    assert_eq!(frame(25).status().unwrap(), Status::new(StatusCode::BATCH_FAILURE));
    assert_header(26, SegmentType::STATUS_DATA, ControlFlags1::CLOSE_CHANNEL, Luwid::ZERO);
    assert_header(30, SegmentType::RESYNC_DATA, ControlFlags1::CONFIRM_REQUEST, LUW);
    assert_header(31, SegmentType::RESYNC_DATA, NONE, LUW);
    for number in [30, 31] {
        assert_eq!(frame(number).reset().unwrap().sequence, 43);
    }
}

#[test]
fn messages() {
    let (first, last) = (ControlFlags1::FIRST, ControlFlags1::LAST);
    let confirm = ControlFlags1::CONFIRM_REQUEST;
    let big_luw = Luwid([0x67, 0, 0, 0, 0, 0, 0, 1]);
    for (number, flags, luwid, msh) in [
        (17, first | last, LUW, [42, 456, 0, 456]),
        (18, first | last | confirm, LUW, [43, 456, 0, 456]),
        (21, first, LUW, [44, 700, 1, 1328]),
        (22, last | confirm, LUW, [44, 628, 2, 1328]),
        (27, first | last, big_luw, [1, 456, 0, 456]),
        (29, first | last, Luwid::ZERO, [1, 433, 0, 433]),
    ] {
        assert_header(number, SegmentType::MESSAGE_DATA, flags, luwid);
        let segment = frame(number);
        assert!(Msh::looks_like(&segment.body));
        let [sequence, data_length, segment_number, message_length] = msh;
        let (header, rest) = segment.msh().unwrap();
        assert_eq!(header, Msh { sequence, data_length, segment_number, message_length }, "frame {number}");
        assert_eq!(i32::try_from(rest.len()).unwrap(), data_length);
    }
    let split = [21, 22].map(|number| frame(number).msh().unwrap().1);
    assert_eq!(split.concat().len(), 1328);
    assert!(!Msh::looks_like(&frame(23).body));
    assert_eq!(frame(23).body, split[1]);
    let malformed = frame(23).msh().unwrap_err();
    assert_eq!((malformed.structure, malformed.field, malformed.offset), ("MSH", "StrucId", 0));
}

#[test]
fn ebcdic() {
    let segment = frame(28);
    assert_eq!((segment.tsh.alphabet, segment.tsh.encoding, segment.tsh.ccsid), (Alphabet::Ebcdic, 785, 500));
    let id = segment.initial_data().unwrap();
    assert_eq!((id.fap_level, id.channel_name.text().as_str()), (9, "QMA.TO.GW"));
    assert_eq!(id.fap9.as_ref().unwrap().product_id, "MQGW00000000");
    assert_eq!(frame(29).tsh.alphabet, Alphabet::Ebcdic);
    // The same values in ASCII: what frame 3 would be with these numbers.
    let ascii = InitialData::parse(&id.encode(ByteOrder::Little, Alphabet::Ascii), &frame(3).tsh).unwrap();
    assert_eq!(ascii, id);
}

#[test]
fn ebcdic_ccsid_behind_an_ascii_eye_catcher() {
    let mut segment = frame(28);
    segment.tsh.alphabet = Alphabet::Ascii;
    let mut body = segment.body.to_vec();
    body[..4].copy_from_slice(b"ID  ");
    segment.body = body.into();
    let id = segment.initial_data().unwrap();
    assert_eq!((id.channel_name.text().as_str(), id.qmgr_name().as_str()), ("QMA.TO.GW", "QMA"));
    // ... and names that are ASCII all the same.
    let mut segment = frame(3);
    segment.tsh.ccsid = 500;
    assert_eq!(segment.initial_data().unwrap().channel_name, "QMA.TO.GW");
}

#[test]
fn sections_by_level_and_length() {
    let full = frame(5);
    let at = |level: u8, length: usize| {
        let mut body = full.body.to_vec();
        body[4] = level;
        body.resize(length, 0x5A);
        let body = Bytes::from(body);
        let id = InitialData::parse(&body, &full.tsh).unwrap();
        assert_eq!(id.encode(ByteOrder::Little, Alphabet::Ascii), body);
        (id.fap4.is_some(), id.fap9.is_some(), id.fap11.is_some(), id.rest.len())
    };
    for level in 1..=15 {
        let by_level = (level >= 4, level >= 9, level >= 11);
        let known = [44, 102, 208, 240][usize::from(by_level.0) + usize::from(by_level.1) + usize::from(by_level.2)];
        assert_eq!(at(level, known), (by_level.0, by_level.1, by_level.2, 0), "FAP {level}");
        assert_eq!(at(level, 240), (by_level.0, by_level.1, by_level.2, 240 - known), "FAP {level}, 240 bytes");
        assert_eq!(at(level, 300), (by_level.0, by_level.1, by_level.2, 300 - known), "FAP {level}, 300 bytes");
        assert_eq!(at(level, 44), (false, false, false, 0), "FAP {level}, 44 bytes");
    }
    assert_eq!(at(13, 160), (true, false, false, 58));
    assert_eq!(at(200, 260), (true, true, true, 20));
}

#[test]
fn unknown_bits_and_values_are_kept() {
    let mut bytes = frames()[&5].to_vec();
    bytes[9] = 0x8F; // a type without a name
    bytes[10] = 0xFF;
    bytes[11] = 0xFF;
    bytes[26] = 0x12; // reserved
    for flags in [5, 6, 7, 44, 45, 102, 132, 133] {
        bytes[28 + flags] = 0xFF;
    }
    let segment = Segment::parse(bytes.clone().into()).unwrap();
    assert_eq!(segment.tsh.segment_type.to_string(), "type 0x8F");
    assert_eq!(segment.encode(), bytes);
    let id = segment.initial_data().unwrap();
    assert_eq!(id.cap_flags1, CapFlags1::all());
    assert_eq!(id.encode(ByteOrder::Little, Alphabet::Ascii), segment.body);
}

#[test]
fn status_numbers() {
    for (code, shown) in [
        (StatusCode::NO_CHANNEL, "NO_CHANNEL (1, AMQ9520)"),
        (StatusCode::CAN_NOT_STORE, "CAN_NOT_STORE (6, AMQ9527)"),
        (StatusCode::PROTOCOL_ID_ERROR, "PROTOCOL_ID_ERROR (0x0E, AMQ9523)"),
        (StatusCode::SSL_REFRESHING, "SSL_REFRESHING (0x1C)"),
        (StatusCode(0x7F), "status 0x7F"),
    ] {
        assert_eq!(code.to_string(), shown);
    }
}
