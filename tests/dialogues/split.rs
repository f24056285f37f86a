//! Messages over several segments (wire reference, channel flow 4).

use bytes::Bytes;
use mqferry::channel::Definition;
use mqferry::wire::{ByteOrder, ControlFlags1, Msh, Segment, SegmentType, StatusCode};

use crate::talk::*;

const FIRST: ControlFlags1 = ControlFlags1::FIRST;
const LAST: ControlFlags1 = ControlFlags1::LAST;

fn after_43() -> Talk {
    Talk::bound(definition(), Some(record(43, OTHER, [43])))
}

/// A message of `length` bytes in segments of these sizes, with or without MSH in the continuations.
fn cut(sequence: i32, sizes: &[usize], every: bool) -> Vec<Segment> {
    let total: usize = sizes.iter().sum();
    let bytes: Vec<u8> = (0..total).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut from = 0;
    let mut segments = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        let msh = Msh {
            sequence,
            data_length: i32::try_from(*size).unwrap(),
            segment_number: i32::try_from(number).unwrap(),
            message_length: i32::try_from(total).unwrap(),
        };
        let mut body = Vec::new();
        if number == 0 || every {
            body.extend(msh.encode(ByteOrder::Little, mqferry::wire::Alphabet::Ascii));
        }
        body.extend(&bytes[from..from + size]);
        from += size;
        let mut flags = NONE;
        flags.set(FIRST, number == 0);
        flags.set(LAST, number + 1 == sizes.len());
        segments.push(segment(SegmentType::MESSAGE_DATA, flags, LUW, body));
    }
    segments
}

#[test]
fn both_forms_of_the_examples() {
    for second in [22, 23] {
        let mut talk = after_43();
        talk.partner_sends(frame(21));
        assert_eq!(talk.room_is_made(), 0x530);
        talk.we_do_nothing();
        talk.partner_sends(frame(second));
        let message = talk.target_sees(44);
        let whole = [&frame(21).body[20..], &frame(23).body[..]].concat();
        assert_eq!(message.parts.concat(), whole, "frame {second}");
        assert_eq!(talk.target_is_asked_to_commit().sequence, 44, "frames 22 and 23 ask for a confirm");
        talk.target_commits();
        talk.we_send_frame(19);
    }
}

#[test]
fn however_it_is_cut() {
    for every in [true, false] {
        for sizes in [&[500, 1][..], &[1, 500], &[0, 500], &[500, 0], &[2000, 2000, 2000], &[1, 1, 1, 1, 1, 1000, 1, 1]]
        {
            let mut talk = after_43();
            for segment in cut(44, sizes, every) {
                talk.partner_sends(segment);
            }
            let message = talk.target_sees(44);
            let expected: Vec<u8> =
                (0..sizes.iter().sum::<usize>()).map(|at| u8::try_from(at % 251).unwrap()).collect();
            assert_eq!(message.parts.concat(), expected, "{sizes:?} {every}");
        }
    }
}

/// Offset 8 may be the bytes here, the sender's buffer, or an offset; offset 16 the total or, in continuations, zero.
#[test]
fn whatever_the_msh_of_a_continuation_says_besides_its_number() {
    let sizes = [600, 500, 100];
    for offset_8 in 0..3 {
        for offset_16 in [1200, 0] {
            let mut talk = after_43();
            let mut from = 0;
            for (mut segment, size) in cut(44, &sizes, true).into_iter().zip(sizes) {
                let mut body = segment.body.to_vec();
                let value = [size, 1024, from][offset_8];
                body[8..12].copy_from_slice(&ByteOrder::Little.i32_bytes(i32::try_from(value).unwrap()));
                if from > 0 {
                    body[16..20].copy_from_slice(&ByteOrder::Little.i32_bytes(offset_16));
                }
                segment.body = body.into();
                from += size;
                talk.partner_sends(segment);
            }
            assert_eq!(talk.target_sees(44).parts.concat().len(), 1200, "{offset_8} {offset_16}");
        }
    }
}

#[test]
fn small_pieces_are_not_kept_one_by_one() {
    let mut talk = after_43();
    let sizes = vec![1; 5000];
    for segment in cut(44, &sizes, false) {
        talk.partner_sends(segment);
    }
    let message = talk.target_sees(44);
    assert!(message.parts.len() <= 2, "{} parts", message.parts.len());
    assert_eq!(message.parts.iter().map(Bytes::len).sum::<usize>(), 5000);
}

#[test]
fn data_that_looks_a_little_like_a_header_is_data() {
    let mut segments = cut(44, &[600, 100], false);
    let mut body = segments[1].body.to_vec();
    body[..4].copy_from_slice(b"MSH ");
    segments[1].body = body.into();
    let mut talk = after_43();
    segments.into_iter().for_each(|segment| talk.partner_sends(segment));
    assert_eq!(talk.target_sees(44).parts.concat().len(), 700);
}

#[test]
fn recognition_can_be_switched() {
    for (how, every, arrives) in
        [("always", true, true), ("always", false, false), ("never", false, true), ("never", true, false)]
    {
        let definition = Definition { dialect: dialect(&[("msh_recognition", how)]), ..definition() };
        let mut talk = Talk::bound(definition, Some(record(43, OTHER, [43])));
        cut(44, &[600, 100], every).into_iter().for_each(|segment| talk.partner_sends(segment));
        talk.room_is_made();
        if arrives {
            talk.target_sees(44);
        } else {
            talk.we_refuse();
        }
    }
}

#[test]
fn lengths_that_do_not_add_up() {
    let too_long = {
        let mut segments = cut(44, &[600, 100], false);
        segments[1].body = vec![0; 101].into();
        segments
    };
    let too_short = {
        let mut segments = cut(44, &[600, 100], false);
        segments[1].body = vec![0; 99].into();
        segments
    };
    let too_much_before_the_last = {
        let mut segments = cut(44, &[600, 100, 100], false);
        segments[1].body = vec![0; 201].into();
        segments.truncate(2);
        segments
    };
    for segments in [too_long, too_short, too_much_before_the_last] {
        let mut talk = after_43();
        segments.into_iter().for_each(|segment| talk.partner_sends(segment));
        talk.room_is_made();
        let why = talk.we_refuse_with(StatusCode::MESSAGE_LENGTH_ERROR).why;
        assert!(why.contains("of message 44"), "{why}");
    }
}

#[test]
fn padding_can_be_dropped() {
    let definition = Definition { dialect: dialect(&[("trailing_padding", "drop")]), ..definition() };
    for (surplus, arrives) in [(3, true), (4, false)] {
        let mut talk = Talk::bound(definition.clone(), Some(record(43, OTHER, [43])));
        let mut segments = cut(44, &[600, 101], false);
        segments[1].body = [&segments[1].body[..], &vec![0xEE; surplus]].concat().into();
        segments.into_iter().for_each(|segment| talk.partner_sends(segment));
        talk.room_is_made();
        if arrives {
            assert_eq!(talk.target_sees(44).parts.concat().len(), 701);
        } else {
            talk.we_refuse();
        }
    }
}

#[test]
fn announced_lengths_have_bounds() {
    for length in [0, -1, i32::MIN, 4_194_304 + 428 + 1, i32::MAX] {
        let mut segments = cut(44, &[600], true);
        let mut body = segments[0].body.to_vec();
        body[16..20].copy_from_slice(&length.to_le_bytes());
        segments[0].body = body.into();
        let mut talk = after_43();
        segments.into_iter().for_each(|segment| talk.partner_sends(segment));
        talk.we_refuse_with(StatusCode::MESSAGE_LENGTH_ERROR);
    }
    // The largest: data as agreed, behind MQXQH and MQMD.
    let mut segments = cut(44, &[600, 600], true);
    let mut body = segments[0].body.to_vec();
    body[16..20].copy_from_slice(&(4_194_304 + 428_i32).to_le_bytes());
    segments[0].body = body.into();
    let mut talk = after_43();
    talk.partner_sends(segments.remove(0));
    assert_eq!(talk.room_is_made(), 4_194_304 + 428);
    talk.we_do_nothing();
}

#[test]
fn segments_out_of_order() {
    let segments = cut(44, &[600, 100, 100], true);
    let mut talk = after_43();
    talk.partner_sends(segments[1].clone());
    talk.we_refuse_with(StatusCode::PROTOCOL_SEGMENT_ERROR);

    let mut talk = after_43();
    talk.partner_sends(segments[0].clone());
    talk.room_is_made();
    talk.partner_sends(segments[0].clone());
    talk.we_refuse_with(StatusCode::PROTOCOL_SEGMENT_ERROR);

    // A continuation of another message.
    let mut talk = after_43();
    talk.partner_sends(segments[0].clone());
    talk.room_is_made();
    talk.partner_sends(cut(45, &[600, 100, 100], true)[1].clone());
    talk.we_refuse_with(StatusCode::SEGMENT_NUMBER_ERROR);

    // Of another batch.
    let mut talk = after_43();
    talk.partner_sends(segments[0].clone());
    talk.room_is_made();
    let mut other = segments[1].clone();
    other.tsh.luwid = OTHER;
    talk.partner_sends(other);
    talk.we_refuse_with(StatusCode::PROTOCOL_GENERAL);

    // Something else in between.
    let mut talk = after_43();
    talk.partner_sends(segments[0].clone());
    talk.room_is_made();
    talk.partner_sends(frame(24));
    talk.we_refuse_with(StatusCode::PROTOCOL_SEGMENT_ERROR);
}

#[test]
fn no_header_or_a_compressed_one() {
    let mut talk = after_43();
    talk.partner_sends(segment(SegmentType::MESSAGE_DATA, WHOLE, LUW, vec![0; 500]));
    talk.we_refuse_with(StatusCode::PROTOCOL_MSH_ERROR);
    let mut talk = after_43();
    let mut compressed = message(44, NONE, LUW);
    compressed.tsh.flags2 = mqferry::wire::ControlFlags2::MSGCOMP;
    talk.partner_sends(compressed);
    talk.we_refuse_with(StatusCode::PROTOCOL_INVALID_DATA);
}

#[test]
fn a_message_that_does_not_go_on() {
    let mut talk = after_43();
    talk.partner_sends(cut(44, &[600, 100], true).remove(0));
    talk.room_is_made();
    talk.seconds_pass(59);
    talk.we_do_nothing();
    talk.seconds_pass(1);
    assert!(!talk.we_stop().orderly);
}

#[test]
fn our_own_slowness_is_not_held_against_the_partner() {
    let mut talk = after_43();
    let mut segments = cut(44, &[600, 100], true);
    talk.partner_sends(segments.remove(0));
    talk.room_is_made();
    let later = std::time::Duration::from_secs(1000 + 100);
    talk.mca.resume(later);
    talk.mca.handle(later, mqferry::channel::Input::Tick);
    talk.we_do_nothing();
}

#[test]
fn a_heartbeat_within_a_message_confirms_nothing() {
    let mut talk = after_43();
    let mut segments = cut(44, &[600, 100], true);
    talk.partner_sends(segments.remove(0));
    talk.room_is_made();
    talk.partner_sends(segment(SegmentType::HEARTBEAT, CONFIRM, LUW, Bytes::new()));
    talk.we_send_frame(15);
    talk.partner_sends(segments.remove(0));
    talk.target_sees(44);
}
