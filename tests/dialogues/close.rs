//! Ends, from either side (wire reference, channel flow 7).

use bytes::Bytes;
use mqferry::channel::receiver::McaState;
use mqferry::channel::{Definition, Input};
use mqferry::wire::{ByteOrder, ControlFlags1, Luwid, SegmentType, Status, StatusCode};

use crate::talk::*;

fn with_code(code: StatusCode, flags: ControlFlags1) -> mqferry::wire::Segment {
    segment(SegmentType::STATUS_DATA, flags, Luwid::ZERO, Status::new(code).encode(ByteOrder::Little))
}

#[test]
fn between_batches_every_carrier_is_a_normal_end() {
    for last in [
        frame(26),
        with_code(StatusCode::TIMEOUT_EXPIRED, CLOSE),
        with_code(StatusCode::USER_CLOSED, CLOSE | ERROR),
        segment(SegmentType::HEARTBEAT, CLOSE, Luwid::ZERO, Bytes::new()),
        status(ControlFlags1::REQUEST_CLOSE, Luwid::ZERO),
    ] {
        let mut talk = Talk::bound(definition(), None);
        talk.one_batch(1, LUW);
        talk.partner_sends(last);
        talk.we_stop_orderly();
        assert_eq!(talk.mca.status().state, McaState::Stopped);
    }
    let mut talk = Talk::bound(definition(), None);
    talk.partner_hangs_up();
    talk.we_stop_orderly();
}

#[test]
fn a_close_is_answered_only_if_asked_or_configured() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(status(CLOSE | CONFIRM, Luwid::ZERO));
    talk.we_confirm(Luwid::ZERO);
    talk.we_stop_orderly();
    let definition = Definition { dialect: dialect(&[("close_answer", "always")]), ..definition() };
    let mut talk = Talk::bound(definition, None);
    talk.partner_sends(frame(26));
    assert_eq!(talk.we_send().tsh.flags1, CLOSE);
    talk.we_stop_orderly();
}

#[test]
fn a_last_message_that_closes_is_confirmed_first() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, CONFIRM | CLOSE, LUW));
    talk.target_sees(1);
    talk.target_is_asked_to_commit();
    talk.target_commits();
    talk.we_confirm(LUW);
    talk.we_stop_orderly();
}

#[test]
fn within_a_batch_it_is_rolled_back() {
    let ends: [fn(&mut Talk); 4] = [
        |talk| talk.partner_sends(frame(26)),
        |talk| talk.partner_sends(with_code(StatusCode::CAN_NOT_STORE, ERROR)),
        |talk| talk.partner_sends(with_code(StatusCode::USER_CLOSED, CLOSE)),
        Talk::partner_hangs_up,
    ];
    for end in ends {
        let mut talk = Talk::bound(definition(), None);
        talk.partner_sends(message(1, NONE, LUW));
        talk.target_sees(1);
        end(&mut talk);
        talk.target_rolls_back();
        assert!(!talk.we_stop().orderly);
    }
}

#[test]
fn a_partner_that_hangs_up_during_the_commit() {
    let outcomes: [fn() -> Input; 3] = [
        || Input::Committed { dlq_used: false },
        || Input::RolledBack(StatusCode::BATCH_FAILURE, "full".into()),
        || Input::InDoubt("no answer".into()),
    ];
    for outcome in outcomes {
        let mut talk = Talk::bound(definition(), None);
        talk.partner_sends(message(1, CONFIRM, LUW));
        talk.target_sees(1);
        talk.target_is_asked_to_commit();
        talk.partner_hangs_up();
        talk.we_do_nothing();
        talk.told(outcome());
        talk.we_stop();
    }
}

#[test]
fn a_partners_code_is_kept() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(with_code(StatusCode::CAN_NOT_STORE, ERROR));
    let stopped = talk.we_stop_disorderly(StatusCode::CAN_NOT_STORE);
    assert!(stopped.why.contains("CAN_NOT_STORE"), "{}", stopped.why);
}

#[test]
fn told_to_end_between_batches_we_wait_for_a_word_of_the_partner() {
    let mut talk = Talk::bound(definition(), None);
    talk.told(Input::Quiesce(StatusCode::USER_CLOSED));
    talk.we_do_nothing();
    assert_eq!(talk.mca.status().state, McaState::Stopping);
    talk.seconds_pass(304);
    talk.we_do_nothing();
    talk.seconds_pass(1);
    assert_eq!(talk.we_refuse().code, Some(StatusCode::USER_CLOSED));
    talk.we_stop_orderly();
}

#[test]
fn told_to_end_within_a_batch_it_is_confirmed_and_the_wish_told() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_sees(1);
    talk.told(Input::Quiesce(StatusCode::QM_TERMINATING));
    talk.partner_sends(message(2, CONFIRM, LUW));
    talk.target_sees(2);
    talk.target_is_asked_to_commit();
    talk.target_commits();
    let sent = talk.we_send();
    assert_eq!((sent.tsh.flags1, sent.tsh.luwid, sent.len()), (ControlFlags1::REQUEST_CLOSE, LUW, 28));
    // Five seconds for the partner to close.
    talk.seconds_pass(4);
    talk.we_do_nothing();
    talk.seconds_pass(1);
    assert_eq!(talk.we_refuse().code, Some(StatusCode::QM_TERMINATING));
    talk.we_stop_orderly();
}

#[test]
fn told_twice_we_end_at_once() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_sees(1);
    talk.told(Input::Quiesce(StatusCode::USER_CLOSED));
    talk.told(Input::Quiesce(StatusCode::USER_CLOSED));
    talk.we_refuse();
    talk.target_rolls_back();
    talk.we_stop();
}

#[test]
fn told_twice_during_a_commit_the_confirm_still_goes_out() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, CONFIRM, LUW));
    talk.target_sees(1);
    talk.target_is_asked_to_commit();
    talk.told(Input::Quiesce(StatusCode::USER_CLOSED));
    talk.told(Input::Quiesce(StatusCode::USER_CLOSED));
    talk.we_do_nothing();
    talk.target_commits();
    assert_eq!(talk.we_send().tsh.flags1, ControlFlags1::REQUEST_CLOSE);
    talk.seconds_pass(1);
    talk.we_refuse();
    talk.we_stop_orderly();
}

#[test]
fn told_to_end_before_anything_was_agreed() {
    let mut talk = Talk::accepted();
    talk.told(Input::Quiesce(StatusCode::QM_TERMINATING));
    talk.we_stop();
    let mut talk = Talk::accepted();
    talk.partner_sends(frame(7));
    talk.we_ask_who_that_is();
    talk.told(Input::Quiesce(StatusCode::QM_TERMINATING));
    assert_eq!(talk.we_refuse().code, Some(StatusCode::QM_TERMINATING));
    talk.we_stop();
    // The answer to the question comes too late, and changes nothing.
    talk.told(Input::Defined(Box::new(definition())));
    talk.we_do_nothing();
}

#[test]
fn without_a_word_if_so_configured() {
    let definition = Definition { dialect: dialect(&[("close", "tcp")]), ..definition() };
    let mut talk = Talk::bound(definition, None);
    talk.told(Input::Quiesce(StatusCode::USER_CLOSED));
    talk.seconds_pass(305);
    talk.we_stop_orderly();
}

#[test]
fn a_ping_is_echoed_and_the_channel_ends() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(frame(13));
    talk.we_send_frame(13);
    talk.we_do_nothing();
    talk.partner_hangs_up();
    talk.we_stop_orderly();
    // A partner that does not close has a second.
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(frame(13));
    talk.we_send_frame(13);
    talk.seconds_pass(1);
    talk.we_stop_orderly();
    let definition = Definition { dialect: dialect(&[("after_ping", "stay_open")]), ..definition() };
    let mut talk = Talk::bound(definition, None);
    talk.partner_sends(frame(13));
    talk.we_send_frame(13);
    talk.one_batch(1, LUW);
}
