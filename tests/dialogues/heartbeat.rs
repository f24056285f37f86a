//! Heartbeats and silence (wire reference, channel flow 6 and 10).

use bytes::Bytes;
use mqferry::channel::{Definition, Input};
use mqferry::wire::{Luwid, SegmentType, StatusCode};

use crate::talk::*;

fn heartbeat(luwid: Luwid) -> mqferry::wire::Segment {
    segment(SegmentType::HEARTBEAT, CONFIRM, luwid, Bytes::new())
}

#[test]
fn the_heartbeat_of_the_examples() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(frame(14));
    talk.we_send_frame(15);
    talk.we_do_nothing();
}

#[test]
fn one_that_does_not_ask_is_left_alone_unless_configured() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(frame(15));
    talk.we_do_nothing();
    let definition = Definition { dialect: dialect(&[("heartbeat_unasked", "answer")]), ..definition() };
    let mut talk = Talk::bound(definition, None);
    talk.partner_sends(frame(15));
    talk.we_send_frame(15);
}

#[test]
fn with_the_open_batch_it_is_a_confirm_request() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_sees(1);
    talk.partner_sends(heartbeat(LUW));
    assert_eq!(talk.target_is_asked_to_commit().luwid, LUW);
    talk.target_commits();
    let sent = talk.we_send();
    assert_eq!((sent.tsh.segment_type, sent.tsh.luwid, sent.len()), (SegmentType::HEARTBEAT, LUW, 28));
}

#[test]
fn with_no_or_another_batch_it_confirms_nothing() {
    for luwid in [Luwid::ZERO, OTHER] {
        let mut talk = Talk::bound(definition(), Some(record(0, OTHER, [])));
        talk.partner_sends(message(1, NONE, LUW));
        talk.target_sees(1);
        talk.partner_sends(heartbeat(luwid));
        talk.we_send_frame(15);
        talk.we_do_nothing();
    }
    let definition = Definition { dialect: dialect(&[("heartbeat_confirms", "never")]), ..definition() };
    let mut talk = Talk::bound(definition, None);
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_sees(1);
    talk.partner_sends(heartbeat(LUW));
    talk.we_send_frame(15);
    talk.we_do_nothing();
}

#[test]
fn silence_is_bounded_by_the_interval() {
    // IBM support: below 60 s twice the interval, else 60 s more.
    for (interval, limit) in [(1, 2), (59, 118), (60, 120), (300, 360)] {
        let mut talk = Talk::bound(Definition { hbint: interval, ..definition() }, None);
        talk.seconds_pass(limit - 1);
        talk.we_do_nothing();
        talk.partner_sends(frame(14));
        talk.we_send_frame(15);
        talk.seconds_pass(limit - 1);
        talk.we_do_nothing();
        talk.seconds_pass(1);
        let stopped = talk.we_stop();
        assert!(!stopped.orderly && stopped.why.contains(&format!("{limit} s")), "{stopped:?}");
    }
    let mut talk = Talk::bound(Definition { hbint: 0, ..definition() }, None);
    talk.seconds_pass(1_000_000);
    talk.we_do_nothing();
}

#[test]
fn silence_within_a_batch_rolls_it_back() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_sees(1);
    talk.seconds_pass(360);
    talk.target_rolls_back();
    talk.we_stop();
}

#[test]
fn the_answer_tells_that_we_want_to_end() {
    let mut talk = Talk::bound(definition(), None);
    talk.told(Input::Quiesce(StatusCode::USER_CLOSED));
    talk.we_do_nothing();
    talk.partner_sends(frame(14));
    talk.we_send_frame(16);
    talk.partner_sends(frame(26));
    talk.we_stop_orderly();
}
