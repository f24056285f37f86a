//! RESET CHANNEL at the sender (wire reference, channel flow 3).

use mqferry::channel::{Definition, SyncRecord};
use mqferry::wire::{ByteOrder, Luwid, Reset, SegmentType, StatusCode};

use crate::talk::*;

fn reset_to(number: i32, flags: mqferry::wire::ControlFlags1) -> mqferry::wire::Segment {
    segment(SegmentType::RESET_DATA, flags, Luwid::ZERO, Reset::new(number).encode(ByteOrder::Little))
}

fn reset(number: i32) -> SyncRecord {
    SyncRecord { after_reset: true, ..record(number - 1, OTHER, []) }
}

#[test]
fn the_number_is_kept_before_anything_else() {
    let mut talk = Talk::bound(definition(), Some(record(43, OTHER, [43])));
    talk.partner_sends(frame(12));
    assert_eq!(talk.target_is_asked_to_commit(), reset(1));
    talk.target_commits();
    talk.we_do_nothing();
    talk.one_batch(1, LUW);
}

#[test]
fn either_number_once() {
    for first in [7, 8] {
        let mut talk = Talk::bound(definition(), Some(record(43, OTHER, [43])));
        talk.partner_sends(reset_to(7, CONFIRM));
        let kept = talk.target_is_asked_to_commit();
        assert_eq!(kept, reset(7));
        talk.target_commits();
        talk.we_confirm(Luwid::ZERO);
        let written = talk.one_batch(first, LUW);
        assert_eq!(written, record(first, LUW, [first]));
        // Also on the next connection, if nothing came on this one.
        let mut talk = Talk::bound(definition(), Some(kept));
        talk.one_batch(first, LUW);
        talk.partner_sends(message(first + 2, NONE, OTHER));
        talk.room_is_made();
        talk.we_refuse_with(StatusCode::MSG_SEQUENCE_ERROR);
    }
    let mut talk = Talk::bound(definition(), Some(reset(7)));
    talk.partner_sends(message(9, NONE, LUW));
    talk.room_is_made();
    talk.we_refuse_with(StatusCode::MSG_SEQUENCE_ERROR);
}

#[test]
fn one_of_the_two_if_it_is_known() {
    for (numbers, good, bad) in [("next", 7, 8), ("last", 8, 7)] {
        let definition = Definition { dialect: dialect(&[("reset_number", numbers)]), ..definition() };
        let mut talk = Talk::bound(definition.clone(), Some(reset(7)));
        talk.one_batch(good, LUW);
        let mut talk = Talk::bound(definition, Some(reset(7)));
        talk.partner_sends(message(bad, NONE, LUW));
        talk.room_is_made();
        talk.we_refuse_with(StatusCode::MSG_SEQUENCE_ERROR);
    }
}

#[test]
fn after_a_reset_a_low_number_is_a_new_message() {
    // The record named message 1 with this very MsgId; the operator said to begin anew.
    let mut talk = Talk::bound(definition(), Some(record(1, OTHER, [1])));
    talk.partner_sends(reset_to(1, NONE));
    talk.target_is_asked_to_commit();
    talk.target_commits();
    talk.one_batch(1, LUW);
}

#[test]
fn the_ends_of_the_range() {
    let definition = Definition { seqwrap: 100, ..definition() };
    let mut talk = Talk::bound(definition.clone(), None);
    talk.partner_sends(reset_to(0, NONE));
    let kept = talk.target_is_asked_to_commit();
    assert_eq!((kept.sequence, kept.after_reset), (0, false));
    talk.target_commits();
    talk.one_batch(1, LUW);
    for first in [100, 1] {
        let mut talk = Talk::bound(definition.clone(), None);
        talk.partner_sends(reset_to(100, NONE));
        talk.target_is_asked_to_commit();
        talk.target_commits();
        talk.one_batch(first, LUW);
    }
    for number in [-1, 101, i32::MAX, i32::MIN] {
        let mut talk = Talk::bound(definition.clone(), None);
        talk.partner_sends(reset_to(number, NONE));
        talk.we_refuse_with(StatusCode::PROTOCOL_INVALID_DATA);
    }
}

#[test]
fn never_within_a_batch() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_sees(1);
    talk.partner_sends(frame(12));
    talk.we_refuse();
    talk.target_rolls_back();
    talk.we_stop_disorderly(StatusCode::PROTOCOL_GENERAL);
}
