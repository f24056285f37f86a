//! Heartbeats and silence (wire reference, channel flow 6 and 10).

use bytes::Bytes;
use mqferry::channel::{Definition, Input, SyncRecord};
use mqferry::wire::{ByteOrder, Luwid, Reset, SegmentType, StatusCode};

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
    let record = talk.target_is_asked_to_commit();
    assert_eq!((record.luwid, record.at_heartbeat), (Luwid::ZERO, Some((LUW, 1))));
    talk.target_commits();
    let sent = talk.we_send();
    assert_eq!((sent.tsh.segment_type, sent.tsh.luwid, sent.len()), (SegmentType::HEARTBEAT, LUW, 28));
}

/// After a heartbeat that named the open batch: what the target has, for the next connection.
fn committed_at_a_heartbeat() -> SyncRecord {
    let mut talk = Talk::bound(definition(), Some(record(0, OTHER, [])));
    for number in [1, 2] {
        talk.partner_sends(message(number, NONE, LUW));
        talk.target_sees(number);
    }
    talk.partner_sends(heartbeat(LUW));
    let record = talk.target_is_asked_to_commit();
    talk.target_commits();
    assert_eq!(talk.we_send().tsh.segment_type, SegmentType::HEARTBEAT);
    record
}

/// It may have been only a heartbeat, sent before the request (BATCHHB); then message 3 was lost with that, and the
/// sender asks about a batch of three. A "committed" would make it delete message 3.
#[test]
fn a_batch_that_it_committed_is_confirmed_only_up_to_the_number_that_was_there() {
    for (number, confirmed) in [(Some(2), true), (Some(3), false), (None, false)] {
        let mut talk = Talk::bound(definition(), Some(committed_at_a_heartbeat()));
        let body = number.map_or(Bytes::new(), |number| Reset::new(number).encode(ByteOrder::Little));
        talk.partner_sends(segment(SegmentType::RESYNC_DATA, CONFIRM, LUW, body));
        let answer = talk.we_send();
        assert_eq!(answer.tsh.segment_type, SegmentType::RESYNC_DATA);
        assert_eq!(answer.tsh.luwid == LUW, confirmed, "asked about {number:?}");
        // It sends all of them again: two are known.
        if !confirmed {
            for repeat in [1, 2] {
                talk.partner_sends(message(repeat, NONE, LUW));
                talk.target_is_spared(repeat);
            }
        }
        talk.partner_sends(message(3, CONFIRM, LUW));
        talk.target_sees(3);
        assert_eq!(talk.target_is_asked_to_commit().sequence, 3);
    }
}

#[test]
fn what_it_committed_may_be_asked_about_again_or_go_on_or_be_over() {
    let begin = || {
        let mut talk = Talk::bound(definition(), None);
        talk.partner_sends(message(1, NONE, LUW));
        talk.target_sees(1);
        talk.partner_sends(heartbeat(LUW));
        talk.target_is_asked_to_commit();
        talk.target_commits();
        assert_eq!(talk.we_send().tsh.luwid, LUW);
        talk
    };
    // Asked about again, by a heartbeat and then in another way.
    let mut talk = begin();
    talk.partner_sends(heartbeat(LUW));
    assert_eq!(talk.we_send().tsh.luwid, LUW);
    talk.partner_sends(segment(SegmentType::STATUS_DATA, CONFIRM, LUW, Bytes::new()));
    let record = talk.target_is_asked_to_commit();
    assert_eq!((record.luwid, record.sequence, record.last_batch.len(), record.at_heartbeat), (LUW, 1, 1, None));
    // It goes on: the record of the whole batch names all of it.
    let mut talk = begin();
    talk.partner_sends(message(2, CONFIRM, LUW));
    talk.target_sees(2);
    let record = talk.target_is_asked_to_commit();
    assert_eq!((record.luwid, record.sequence, record.last_batch.len()), (LUW, 2, 2));
    // It is over: another batch follows, or the end.
    let mut talk = begin();
    talk.partner_sends(message(2, CONFIRM, OTHER));
    talk.target_sees(2);
    assert_eq!(talk.target_is_asked_to_commit().luwid, OTHER);
    let mut talk = begin();
    talk.told(Input::PeerClosed("closed".into()));
    talk.we_stop_orderly();
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
