//! Messages and their confirm (wire reference, channel flow 4 and 5).

use bytes::Bytes;
use mqferry::channel::{Definition, Input};
use mqferry::wire::{ControlFlags1, Luwid, SegmentType, Status, StatusCode};

use crate::talk::*;

/// A channel that has committed 41 messages under another LUWID: the examples go on with 42.
fn after_41() -> Talk {
    Talk::bound(definition(), Some(record(41, OTHER, [41])))
}

#[test]
fn the_batch_of_the_examples() {
    let mut talk = after_41();
    talk.partner_sends(frame(17));
    assert_eq!(talk.room_is_made(), 456);
    let message = talk.target_sees(42);
    assert_eq!(message.parts, [frame(17).body.slice(20..)]);
    assert_eq!((message.luwid, message.ccsid), (LUW, 819));
    talk.we_do_nothing();
    talk.partner_sends(frame(18));
    talk.target_sees(43);
    let record = talk.target_is_asked_to_commit();
    assert_eq!((record.sequence, record.luwid, record.after_reset), (43, LUW, false));
    // Both frames carry the MsgId "AMQ QM.EXAMPLE  " and a counter.
    let id = <[u8; 24]>::try_from(&frame(17).body[172..196]).unwrap();
    assert!(id.starts_with(b"AMQ QM.EXAMPLE  "));
    assert_eq!(record.last_batch.iter().map(|name| name.sequence).collect::<Vec<_>>(), [42, 43]);
    assert_eq!(record.last_batch[0].msg_id, id);
    talk.target_commits();
    talk.we_send_frame(19);
    talk.we_do_nothing();
}

#[test]
fn a_big_endian_partner_and_an_ebcdic_one() {
    // Frames 27 and 29 are each the first message of a channel.
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(frame(27));
    let message = talk.target_sees(1);
    assert_eq!(message.byte_order, mqferry::wire::ByteOrder::Big);

    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(frame(29));
    let message = talk.target_sees(1);
    assert_eq!((message.alphabet, message.ccsid), (mqferry::wire::Alphabet::Ebcdic, 500));
    assert_eq!(message.byte_order, mqferry::wire::ByteOrder::Big);
}

#[test]
fn a_dead_letter_is_told() {
    let mut talk = after_41();
    talk.partner_sends(frame(17));
    talk.target_sees(42);
    talk.partner_sends(frame(18));
    talk.target_sees(43);
    talk.target_is_asked_to_commit();
    talk.told(Input::Committed { dlq_used: true });
    talk.we_send_frame(20);
}

#[test]
fn nothing_is_said_before_the_target_has_it() {
    let mut talk = after_41();
    talk.partner_sends(message(42, CONFIRM, LUW));
    talk.target_sees(42);
    talk.target_is_asked_to_commit();
    assert!(talk.mca.awaits_answer());
    talk.seconds_pass(3600);
    talk.we_do_nothing();
    // An impatient partner is heard, and answered afterwards.
    talk.partner_sends(frame(14));
    talk.we_do_nothing();
    talk.target_commits();
    talk.we_confirm(LUW);
    talk.we_send_frame(15);
}

#[test]
fn a_target_that_rolled_back_is_a_failed_batch() {
    let mut talk = after_41();
    talk.partner_sends(frame(17));
    talk.target_sees(42);
    talk.partner_sends(frame(18));
    talk.target_sees(43);
    talk.target_is_asked_to_commit();
    talk.told(Input::RolledBack(StatusCode::BATCH_FAILURE, "store full".into()));
    talk.we_send_frame(25);
    assert_eq!(talk.we_stop_disorderly(StatusCode::BATCH_FAILURE).why, "rolled back: store full");
}

#[test]
fn a_unit_lost_before_the_end_of_the_batch() {
    let mut talk = after_41();
    talk.partner_sends(frame(17));
    talk.target_sees(42);
    talk.told(Input::RolledBack(StatusCode::BATCH_FAILURE, "broker gone".into()));
    talk.we_send_frame(25);
    talk.we_stop_disorderly(StatusCode::BATCH_FAILURE);
}

#[test]
fn a_unit_lost_before_the_commit_was_even_asked_for() {
    // The message and its confirm request came in one segment; staging it failed. A record that names it must not
    // be committed now: the partner sends it again, and it would be passed over.
    let lost: [fn() -> Input; 2] =
        [|| Input::RolledBack(StatusCode::BATCH_FAILURE, "broker gone".into()), || Input::InDoubt("no answer".into())];
    for (lost, told) in lost.into_iter().zip([true, false]) {
        let mut talk = after_41();
        talk.partner_sends(message(42, CONFIRM, LUW));
        talk.target_sees(42);
        talk.told(lost());
        if told {
            talk.we_send_frame(25);
        }
        assert!(!talk.we_stop().orderly);
    }
}

#[test]
fn a_dead_letter_of_an_early_commit_is_told_with_the_confirm() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(fast_message(1, LUW));
    talk.target_sees(1);
    talk.seconds_pass(1);
    talk.target_is_asked_to_commit();
    talk.told(Input::Committed { dlq_used: true });
    talk.partner_sends(frame(24));
    talk.target_is_asked_to_commit();
    talk.target_commits();
    talk.we_send_frame(20);
}

#[test]
fn in_doubt_is_never_a_confirm() {
    let mut talk = after_41();
    talk.partner_sends(message(42, CONFIRM, LUW));
    talk.target_sees(42);
    talk.target_is_asked_to_commit();
    talk.told(Input::InDoubt("no answer".into()));
    let stopped = talk.we_stop();
    assert!(!stopped.orderly && stopped.code.is_none());
}

#[test]
fn requests_on_their_own() {
    // (a) STATUS_DATA as in frame 24, (b) RESYNC_DATA with the number, (c) MESSAGE_DATA without a message.
    let number = frame(30);
    let empty_msh = {
        let mut body = frame(17).body.slice(..20).to_vec();
        body[8..20].fill(0);
        segment(SegmentType::MESSAGE_DATA, CONFIRM, LUW, body)
    };
    let with_number = Status::with_value(StatusCode::OK, 42).encode(mqferry::wire::ByteOrder::Little);
    for request in [
        frame(24),
        number,
        segment(SegmentType::MESSAGE_DATA, CONFIRM, LUW, Bytes::new()),
        segment(SegmentType::MESSAGE_DATA, CONFIRM | WHOLE, LUW, Bytes::new()),
        empty_msh,
        segment(SegmentType::STATUS_DATA, CONFIRM, LUW, with_number),
        status(CONFIRM, Luwid::ZERO),
    ] {
        let mut talk = after_41();
        talk.partner_sends(message(42, NONE, LUW));
        talk.target_sees(42);
        talk.partner_sends(request);
        assert_eq!(talk.target_is_asked_to_commit().luwid, LUW);
        talk.target_commits();
        talk.we_confirm(LUW);
        talk.we_do_nothing();
    }
}

#[test]
fn a_repeated_request_is_confirmed_again_and_nothing_is_done() {
    let mut talk = after_41();
    talk.one_batch(42, LUW);
    talk.partner_sends(status(CONFIRM, LUW));
    talk.we_send_frame(19);
    talk.we_do_nothing();
}

#[test]
fn a_request_for_a_batch_that_nobody_knows_ends_the_channel() {
    let mut talk = after_41();
    talk.one_batch(42, LUW);
    talk.partner_sends(status(CONFIRM, Luwid([7; 8])));
    assert_eq!(talk.we_refuse(), Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, 43));
    talk.we_stop_disorderly(StatusCode::MSG_SEQUENCE_ERROR);
}

#[test]
fn a_request_for_another_batch_than_the_open_one() {
    let mut talk = after_41();
    talk.partner_sends(message(42, NONE, LUW));
    talk.target_sees(42);
    talk.partner_sends(status(CONFIRM, OTHER));
    assert_eq!(talk.we_refuse().code, Some(StatusCode::PROTOCOL_GENERAL));
    talk.target_rolls_back();
    talk.we_stop_disorderly(StatusCode::PROTOCOL_GENERAL);
}

#[test]
fn no_batch_named_and_none_open() {
    let mut talk = after_41();
    talk.one_batch(42, LUW);
    talk.partner_sends(status(CONFIRM, Luwid::ZERO));
    talk.we_confirm(Luwid::ZERO);
}

#[test]
fn a_message_of_another_batch_before_the_confirm() {
    let mut talk = after_41();
    talk.partner_sends(message(42, NONE, LUW));
    talk.target_sees(42);
    talk.partner_sends(message(43, NONE, OTHER));
    assert_eq!(talk.we_refuse().code, Some(StatusCode::PROTOCOL_GENERAL));
    talk.target_rolls_back();
    talk.we_stop();
}

#[test]
fn numbers_that_do_not_follow() {
    for (found, named) in [(44, false), (40, false), (41, true)] {
        let mut talk = after_41();
        talk.partner_sends(message_with(found, 0xEE, CONFIRM, LUW, 1));
        talk.room_is_made();
        let told = talk.we_refuse();
        assert_eq!(told, Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, 42));
        let why = talk.we_stop_disorderly(StatusCode::MSG_SEQUENCE_ERROR).why;
        assert!(why.contains("expected message 42") && why.contains(&format!("got message {found}")), "{why}");
        assert_eq!(why.contains("with another MsgId"), named, "{why}");
    }
}

#[test]
fn the_refusal_of_a_number_in_bytes() {
    // Frame 11 says that 41 comes next.
    let mut talk = Talk::bound(definition(), Some(record(40, OTHER, [])));
    talk.partner_sends(frame(17));
    talk.room_is_made();
    talk.we_send_frame(11);
}

#[test]
fn numbers_wrap() {
    let definition = Definition { seqwrap: 100, ..definition() };
    let mut talk = Talk::bound(definition, Some(record(99, OTHER, [99])));
    talk.partner_sends(message(100, NONE, LUW));
    talk.target_sees(100);
    talk.partner_sends(message(1, CONFIRM, LUW));
    talk.target_sees(1);
    assert_eq!(talk.target_is_asked_to_commit().sequence, 1);
}

#[test]
fn any_first_number_if_so_configured() {
    let definition = Definition { dialect: dialect(&[("first_number", "accept_any_start")]), ..definition() };
    let mut talk = Talk::bound(definition, Some(record(41, OTHER, [41])));
    talk.partner_sends(message(7, NONE, LUW));
    talk.target_sees(7);
    talk.partner_sends(message(9, NONE, LUW));
    talk.room_is_made();
    talk.we_refuse();
}

#[test]
fn a_resent_batch_is_confirmed_without_publishing_it_again() {
    let mut talk = Talk::bound(definition(), Some(record(3, OTHER, [1, 2, 3])));
    for sequence in [1, 2] {
        talk.partner_sends(message(sequence, NONE, LUW));
        talk.target_is_spared(sequence);
    }
    talk.partner_sends(message(3, CONFIRM, LUW));
    talk.target_is_spared(3);
    assert_eq!(talk.target_is_asked_to_commit(), record(3, LUW, [1, 2, 3]));
    talk.target_commits();
    talk.we_confirm(LUW);
    assert_eq!(talk.mca.status().counts.repeated, 3);
    talk.one_batch(4, OTHER);
}

#[test]
fn a_batch_resent_longer() {
    let mut talk = Talk::bound(definition(), Some(record(2, OTHER, [1, 2])));
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_is_spared(1);
    talk.partner_sends(message(2, NONE, LUW));
    talk.target_is_spared(2);
    talk.partner_sends(message(3, CONFIRM, LUW));
    talk.target_sees(3);
    assert_eq!(talk.target_is_asked_to_commit(), record(3, LUW, [1, 2, 3]));
}

#[test]
fn a_batch_resent_shorter_leaves_the_rest_in_the_record() {
    let mut talk = Talk::bound(definition(), Some(record(3, OTHER, [1, 2, 3])));
    talk.partner_sends(message(1, CONFIRM, LUW));
    talk.target_is_spared(1);
    let written = talk.target_is_asked_to_commit();
    assert_eq!(written, record(3, LUW, [1, 2, 3]));
    talk.target_commits();
    talk.we_confirm(LUW);
    // Lost again, and a new connection: still all known.
    let mut talk = Talk::bound(definition(), Some(written));
    talk.partner_sends(message(2, NONE, OTHER));
    talk.target_is_spared(2);
    talk.partner_sends(message(3, NONE, OTHER));
    talk.target_is_spared(3);
    talk.partner_sends(message(4, CONFIRM, OTHER));
    talk.target_sees(4);
    assert_eq!(talk.target_is_asked_to_commit(), record(4, OTHER, [2, 3, 4]));
}

#[test]
fn a_low_number_with_another_msg_id_is_never_passed_over() {
    let mut talk = Talk::bound(definition(), Some(record(3, OTHER, [1, 2, 3])));
    talk.partner_sends(message_with(1, 0xEE, NONE, LUW, 1));
    talk.room_is_made();
    talk.we_refuse_with(StatusCode::MSG_SEQUENCE_ERROR);
}

#[test]
fn fast_messages_that_nobody_asks_about() {
    let mut talk = Talk::bound(definition(), Some(record(3, OTHER, [3])));
    talk.partner_sends(fast_message(4, LUW));
    talk.target_sees(4);
    talk.seconds_pass(0);
    talk.we_do_nothing();
    talk.partner_sends(fast_message(5, LUW));
    talk.target_sees(5);
    talk.seconds_pass(1);
    // Names are added; number and LUWID stay, for nothing was confirmed.
    assert_eq!(talk.target_is_asked_to_commit(), record(3, OTHER, [3, 4, 5]));
    talk.target_commits();
    talk.we_do_nothing();
    // The batch is still open: a confirm request is honoured, and so is a new batch.
    talk.partner_sends(message(6, CONFIRM, LUW));
    talk.target_sees(6);
    assert_eq!(talk.target_is_asked_to_commit(), record(6, LUW, [4, 5, 6]));
    talk.target_commits();
    talk.we_confirm(LUW);
}

#[test]
fn fast_messages_at_the_end_of_the_channel() {
    let mut talk = Talk::bound(definition(), Some(record(3, OTHER, [3])));
    talk.partner_sends(fast_message(4, LUW));
    talk.target_sees(4);
    talk.partner_hangs_up();
    assert_eq!(talk.target_is_asked_to_commit(), record(3, OTHER, [3, 4]));
    talk.target_commits();
    talk.we_stop();
    // Sent again they are known; had the partner lost them, 4 would be another message, and new.
    let mut talk = Talk::bound(definition(), Some(record(3, OTHER, [3, 4])));
    talk.partner_sends(fast_message(4, LUW));
    talk.target_is_spared(4);
    talk.partner_sends(message(5, CONFIRM, LUW));
    talk.target_sees(5);
    assert_eq!(talk.target_is_asked_to_commit().sequence, 5);
    let mut talk = Talk::bound(definition(), Some(record(3, OTHER, [3, 4])));
    talk.partner_sends(message_with(4, 0xEE, CONFIRM, LUW, 1));
    talk.target_sees(4);
}

#[test]
fn a_persistent_message_keeps_its_batch_together() {
    let mut talk = after_41();
    talk.partner_sends(fast_message(42, LUW));
    talk.target_sees(42);
    talk.partner_sends(message(43, NONE, LUW));
    talk.target_sees(43);
    talk.seconds_pass(60);
    talk.we_do_nothing();
    talk.partner_hangs_up();
    talk.target_rolls_back();
    talk.we_stop();
}

#[test]
fn waiting_for_the_confirm_is_an_option() {
    let definition = Definition { dialect: dialect(&[("unconfirmed_messages", "wait_for_confirm")]), ..definition() };
    let mut talk = Talk::bound(definition, None);
    talk.partner_sends(fast_message(1, LUW));
    talk.target_sees(1);
    talk.seconds_pass(60);
    talk.we_do_nothing();
    talk.partner_hangs_up();
    talk.target_rolls_back();
    talk.we_stop();
}

#[test]
fn request_accepted_is_an_option() {
    let definition = Definition { dialect: dialect(&[("confirm_accepted", "set")]), ..definition() };
    let mut talk = Talk::bound(definition, None);
    talk.partner_sends(message(1, CONFIRM, LUW));
    talk.target_sees(1);
    talk.target_is_asked_to_commit();
    talk.target_commits();
    assert_eq!(talk.we_send().tsh.flags1, ControlFlags1::REQUEST_ACCEPTED);
}

#[test]
fn the_status_follows() {
    let mut talk = after_41();
    let status = talk.mca.status();
    assert_eq!((status.lstseqno, status.lstluwid, status.curseqno), (41, OTHER, 41));
    talk.partner_sends(message(42, NONE, LUW));
    let status = talk.mca.status();
    assert_eq!((status.curseqno, status.curluwid, status.curmsgs, status.lstseqno), (42, LUW, 1, 41));
    assert_eq!(status.counts.bytsrcvd, 130 + 504);
    talk.target_sees(42);
    talk.partner_sends(status_request());
    talk.target_is_asked_to_commit();
    talk.target_commits();
    let status = talk.mca.status();
    assert_eq!((status.lstseqno, status.lstluwid, status.curluwid), (42, LUW, Luwid::ZERO));
    assert_eq!((status.counts.msgs, status.counts.batches), (1, 1));
}

fn status_request() -> mqferry::wire::Segment {
    frame(24)
}
