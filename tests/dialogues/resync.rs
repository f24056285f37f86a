//! Resynchronisation: the question of a sender in doubt (wire reference, channel flow 3 and 5).

use bytes::Bytes;
use mqferry::channel::Definition;
use mqferry::wire::{ByteOrder, Luwid, Reset, SegmentType, Status, StatusCode};

use crate::talk::*;

fn committed_43(settings: &[(&str, &str)]) -> Talk {
    Talk::bound(Definition { dialect: dialect(settings), ..definition() }, Some(record(43, LUW, [42, 43])))
}

fn asked(luwid: Luwid, number: i32) -> mqferry::wire::Segment {
    segment(SegmentType::RESYNC_DATA, CONFIRM, luwid, Reset::new(number).encode(ByteOrder::Little))
}

#[test]
fn the_question_and_answer_of_the_examples() {
    let mut talk = committed_43(&[]);
    talk.partner_sends(frame(30));
    talk.we_send_frame(31);
    talk.we_do_nothing();
    talk.one_batch(44, OTHER);
}

#[test]
fn a_batch_that_is_not_here_is_never_confirmed() {
    let mut talk = committed_43(&[]);
    talk.partner_sends(asked(OTHER, 45));
    // Our last LUWID and number: the frame that says "43, not 45".
    talk.we_send_frame(31);
    talk.we_do_nothing();
    // The partner backs out and sends again.
    talk.one_batch(44, OTHER);
}

#[test]
fn a_channel_without_history() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(asked(LUW, 3));
    let sent = talk.we_send();
    assert_eq!((sent.tsh.segment_type, sent.tsh.luwid), (SegmentType::RESYNC_DATA, Luwid::ZERO));
    assert_eq!(sent.reset().unwrap().sequence, 0);
    talk.one_batch(1, LUW);
}

#[test]
fn the_right_batch_with_a_number_that_never_came() {
    // A sender that used the LUWID again for a longer batch would delete messages that nobody has.
    let mut talk = committed_43(&[]);
    talk.partner_sends(asked(LUW, 45));
    assert_eq!(talk.we_refuse(), Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, 44));
    let why = talk.we_stop_disorderly(StatusCode::MSG_SEQUENCE_ERROR).why;
    assert!(why.contains("number 43") && why.contains("number 45"), "{why}");

    let mut talk = committed_43(&[("resync_number", "ignored")]);
    talk.partner_sends(asked(LUW, 45));
    assert_eq!(talk.we_send().tsh.luwid, LUW);
}

#[test]
fn a_shorter_repetition_is_asked_about_by_its_own_number() {
    let mut talk = Talk::bound(definition(), Some(record(3, LUW, [1, 2, 3])));
    talk.partner_sends(asked(LUW, 1));
    let sent = talk.we_send();
    assert_eq!((sent.tsh.luwid, sent.reset().unwrap().sequence), (LUW, 1));
}

#[test]
fn shapes_of_the_question() {
    let with_luwid = {
        let rest = Bytes::copy_from_slice(&LUW.0);
        Reset { sequence: 43, rest }.encode(ByteOrder::Little)
    };
    for question in [
        segment(SegmentType::RESYNC_DATA, CONFIRM, LUW, with_luwid.clone()),
        segment(SegmentType::RESYNC_DATA, CONFIRM, Luwid::ZERO, with_luwid),
        segment(SegmentType::RESYNC_DATA, NONE, LUW, Reset::new(43).encode(ByteOrder::Little)),
    ] {
        let mut talk = committed_43(&[]);
        talk.partner_sends(question);
        talk.we_send_frame(31);
    }
    for body in [Bytes::new(), Bytes::from_static(&[1, 2, 3]), Bytes::from(vec![0xFF; 40])] {
        let mut talk = committed_43(&[]);
        talk.partner_sends(segment(SegmentType::RESYNC_DATA, CONFIRM, LUW, body));
        assert_eq!(talk.we_send().tsh.luwid, LUW);
        talk.we_do_nothing();
    }
}

#[test]
fn shapes_of_the_answer() {
    for (shape, length) in [("number", 8), ("number_and_luwid", 16), ("empty", 0)] {
        let mut talk = committed_43(&[("resync_body", shape)]);
        talk.partner_sends(frame(30));
        let sent = talk.we_send();
        assert_eq!((sent.tsh.segment_type, sent.body.len()), (SegmentType::RESYNC_DATA, length));
    }
    let mut talk = committed_43(&[("resync_answer", "status_data")]);
    talk.partner_sends(frame(30));
    talk.we_send_frame(19);
    let mut talk = committed_43(&[("resync_answer", "status_data")]);
    talk.partner_sends(asked(OTHER, 44));
    let sent = talk.we_send();
    assert_eq!((sent.tsh.flags1, sent.tsh.luwid), (ERROR, LUW));
    assert_eq!(sent.status().unwrap(), Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, 44));
    talk.one_batch(44, OTHER);
}

#[test]
fn the_question_in_status_data() {
    let mut talk = committed_43(&[]);
    talk.partner_sends(frame(24));
    talk.we_send_frame(19);
    let mut talk = committed_43(&[]);
    talk.partner_sends(frame(14));
    talk.we_send_frame(15);
    talk.partner_sends(status(CONFIRM, OTHER));
    let sent = talk.we_send();
    assert_eq!((sent.tsh.segment_type, sent.tsh.flags1, sent.tsh.luwid), (SegmentType::STATUS_DATA, ERROR, LUW));
    assert!(!sent.status().unwrap().is_ok(), "an empty STATUS_DATA could be read as a confirm");
    talk.one_batch(44, OTHER);
}

#[test]
fn a_mismatch_can_close_the_channel() {
    let mut talk = committed_43(&[("resync_mismatch", "close")]);
    talk.partner_sends(asked(OTHER, 44));
    talk.we_refuse_with(StatusCode::MSG_SEQUENCE_ERROR);
    let mut talk = committed_43(&[("sequence_mismatch", "at_resync")]);
    talk.partner_sends(asked(OTHER, 44));
    talk.we_refuse_with(StatusCode::MSG_SEQUENCE_ERROR);
    for (value, told) in [("expected", vec![44]), ("last", vec![43]), ("none", vec![])] {
        let mut talk = committed_43(&[("resync_mismatch", "close"), ("sequence_error_value", value)]);
        talk.partner_sends(asked(OTHER, 44));
        assert_eq!(talk.we_refuse().values, told);
    }
}

#[test]
fn a_partner_that_asks_at_every_start() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(asked(Luwid::ZERO, 0));
    assert_eq!(talk.we_send().tsh.luwid, Luwid::ZERO);
    talk.one_batch(1, LUW);
    talk.partner_sends(asked(LUW, 1));
    assert_eq!(talk.we_send().tsh.luwid, LUW);
}
