//! From the first segment to agreement (wire reference, channel flow 1).

use bytes::{Bytes, BytesMut};
use mqferry::channel::definition::ChannelType;
use mqferry::channel::{Definition, Input, SyncRecord};
use mqferry::wire::{CapFlags1, CapFlags2, ErrFlags1, InitialData, Segment, SegmentType, StatusCode};

use crate::talk::*;

/// Sends an offer and takes our side to where the target has given the lease.
fn offered(offer: &InitialData, definition: Definition) -> Talk {
    offered_to(offer, definition, None)
}

fn offered_to(offer: &InitialData, definition: Definition, max_message_bytes: Option<u64>) -> Talk {
    let mut talk = Talk::accepted();
    talk.partner_sends(initial_data(offer));
    talk.we_ask_who_that_is();
    talk.told(Input::Defined(Box::new(definition)));
    talk.we_ask_for_the_lease();
    talk.told(Input::Claimed { record: None::<SyncRecord>, max_message_bytes });
    talk
}

#[track_caller]
fn counters(talk: &mut Talk) -> InitialData {
    let sent = talk.we_send();
    assert_eq!((sent.tsh.segment_type, sent.tsh.flags1), (SegmentType::INITIAL_DATA, ERROR));
    talk.we_do_nothing();
    sent.initial_data().unwrap()
}

#[track_caller]
fn agrees(talk: &mut Talk) -> InitialData {
    let sent = talk.we_send();
    assert_eq!((sent.tsh.segment_type, sent.tsh.flags1), (SegmentType::INITIAL_DATA, NONE));
    talk.we_run();
    let answer = sent.initial_data().unwrap();
    assert!(answer.err_flags1.is_empty() && answer.ecap_flags1.is_empty());
    answer
}

/// The example frame as a receiver answers it that takes neither distribution lists nor fast messages.
fn without_caps2(number: u32, refused: u8) -> Bytes {
    let mut bytes = BytesMut::from(&frame_bytes(number)[..]);
    bytes[28 + 44] = 0;
    bytes[28 + 45] = refused;
    bytes.freeze()
}

#[test]
fn the_rounds_of_the_examples() {
    let definition =
        Definition { batchsz: 10, dialect: dialect(&[("max_transmission_size", "16384")]), ..definition() };
    // Frame 5 offers FAP 15, segments of 32766 bytes, batches of 50, fast messages and distribution lists.
    let mut talk = Talk::accepted();
    talk.partner_sends(frame(5));
    let (channel, partner) = talk.we_ask_who_that_is();
    assert_eq!((channel.as_str(), partner.qmgr_name.as_str(), partner.fap_level), ("QMA.TO.GW", "QMA", 15));
    assert_eq!(partner.qmgr_id, "QMA_2026-01-02_03.04.05");
    talk.told(Input::Defined(Box::new(definition)));
    talk.we_ask_for_the_lease();
    talk.told(Input::Claimed { record: None, max_message_bytes: None });
    assert_eq!(talk.we_send().encode(), without_caps2(6, 0x03));
    talk.we_do_nothing();
    assert_eq!(talk.mca.max_segment(), 4096);

    // Frame 7 takes the values, but still wants both; asked again, it gives in.
    talk.partner_sends(frame(7));
    let again = counters(&mut talk);
    assert!(again.err_flags1.is_empty());
    assert_eq!(again.fap4.unwrap().ecap_flags2.bits(), 0x03);
    let mut third = frame(7).initial_data().unwrap();
    third.fap4.as_mut().unwrap().cap_flags2 = CapFlags2::empty();
    talk.partner_sends(initial_data(&third));
    assert_eq!(talk.we_send().encode(), without_caps2(8, 0));
    talk.we_run();
    assert_eq!(talk.mca.max_segment(), 16384);
    let agreed = talk.mca.status().agreed.unwrap();
    assert_eq!(
        (agreed.fap_level, agreed.batchsz, agreed.max_msg_size, agreed.heartbeat_interval),
        (4, 10, 4_194_304, 300)
    );
}

#[test]
fn what_fits_is_agreed_at_once() {
    let mut talk = offered(&fitting_offer(), definition());
    let answer = agrees(&mut talk);
    assert_eq!(answer, InitialData { fap4: answer.fap4.clone(), ..fitting_offer() });
    let fap4 = answer.fap4.unwrap();
    assert_eq!((fap4.qmgr_name.text().as_str(), fap4.ccsid, fap4.heartbeat_interval), ("GW", 819, 300));
}

#[test]
fn the_table_of_agreed_values() {
    // Each caller's value, what we object to, and what comes of it (channel flow 1.3).
    type Change = fn(&mut InitialData);
    type Value = fn(&InitialData) -> i64;
    let table: [(Change, ErrFlags1, Value, i64); 10] = [
        (
            |id| id.max_transmission_size = 40_000,
            ErrFlags1::MAX_TRANSMISSION_SIZE,
            |id| id.max_transmission_size.into(),
            32766,
        ),
        (|id| id.max_transmission_size = 1000, ErrFlags1::empty(), |id| id.max_transmission_size.into(), 1000),
        (|id| id.max_msg_size = 104_857_600, ErrFlags1::MAX_MSG_SIZE, |id| id.max_msg_size.into(), 4_194_304),
        (|id| id.max_msg_size = 1000, ErrFlags1::empty(), |id| id.max_msg_size.into(), 1000),
        (|id| id.max_msg_per_batch = 100, ErrFlags1::MAX_MSG_PER_BATCH, |id| id.max_msg_per_batch.into(), 50),
        (|id| id.max_msg_per_batch = 1, ErrFlags1::empty(), |id| id.max_msg_per_batch.into(), 1),
        (|id| heartbeat(id, 1), ErrFlags1::HEARTBEAT_INTERVAL, heartbeat_of, 300),
        (|id| heartbeat(id, 400), ErrFlags1::empty(), heartbeat_of, 400),
        (|id| heartbeat(id, 0), ErrFlags1::empty(), heartbeat_of, 0),
        (|id| id.fap_level = 10, ErrFlags1::FAP_LEVEL, |id| id.fap_level.into(), 4),
    ];
    for (row, (change, objection, value, expected)) in table.iter().enumerate() {
        let mut offer = fitting_offer();
        change(&mut offer);
        let mut talk = offered(&offer, definition());
        let answer = if objection.is_empty() { agrees(&mut talk) } else { counters(&mut talk) };
        assert_eq!((answer.err_flags1, value(&answer)), (*objection, *expected), "row {row}");
        if !objection.is_empty() {
            let mut retry = fitting_offer();
            (retry.max_transmission_size, retry.max_msg_size) = (answer.max_transmission_size, answer.max_msg_size);
            (retry.max_msg_per_batch, retry.fap_level) = (answer.max_msg_per_batch, answer.fap_level);
            heartbeat(&mut retry, i32::try_from(heartbeat_of(&answer)).unwrap());
            talk.partner_sends(initial_data(&retry));
            assert_eq!(value(&agrees(&mut talk)), *expected, "row {row}");
        }
    }
}

fn heartbeat(id: &mut InitialData, seconds: i32) {
    id.fap4.as_mut().unwrap().heartbeat_interval = seconds;
}

fn heartbeat_of(id: &InitialData) -> i64 {
    id.fap4.as_ref().unwrap().heartbeat_interval.into()
}

#[test]
fn heartbeats_off_here_are_off_for_both() {
    let mut talk = offered(&fitting_offer(), Definition { hbint: 0, ..definition() });
    let answer = counters(&mut talk);
    assert_eq!((answer.err_flags1, heartbeat_of(&answer)), (ErrFlags1::HEARTBEAT_INTERVAL, 0));
}

#[test]
fn a_level_that_the_caller_repeats_is_lowered_without_more_ado() {
    let mut offer = fitting_offer();
    offer.fap_level = 12;
    let mut talk = offered(&offer, definition());
    assert_eq!(counters(&mut talk).fap_level, 4);
    talk.partner_sends(initial_data(&offer));
    assert_eq!(agrees(&mut talk).fap_level, 4);
}

#[test]
fn a_caller_of_fap_1_has_neither_heartbeats_nor_a_name() {
    let mut offer = fitting_offer();
    (offer.fap_level, offer.fap4) = (1, None);
    let mut talk = Talk::accepted();
    talk.partner_sends(initial_data(&offer));
    let (_, partner) = talk.we_ask_who_that_is();
    assert_eq!((partner.qmgr_name.as_str(), partner.qmgr_id.as_str(), partner.fap_level), ("", "", 1));
    talk.told(Input::Defined(Box::new(definition())));
    talk.we_ask_for_the_lease();
    talk.told(Input::Claimed { record: None, max_message_bytes: None });
    let sent = talk.we_send();
    assert_eq!(sent.len(), 72, "segments 7: an ID of 44 bytes below FAP 4");
    talk.we_run();
    assert_eq!(talk.mca.status().agreed.unwrap().heartbeat_interval, 0);
    assert_eq!(talk.mca.next_timeout(), None);
}

#[test]
fn every_level_is_answered_at_the_lower_one() {
    for (number, theirs) in [(1, 4), (3, 10), (4, 13), (5, 15)] {
        for ours in [4, 8, 10, 15] {
            let level = ours.to_string();
            let definition = Definition { dialect: dialect(&[("fap", level.as_str())]), ..definition() };
            let mut offer = frame(number).initial_data().unwrap();
            offer.fap4.as_mut().unwrap().cap_flags2 = CapFlags2::empty();
            let mut talk = offered(&offer, definition);
            let sent = talk.we_send();
            let answer = sent.initial_data().unwrap();
            assert_eq!(answer.fap_level, theirs.min(ours));
            assert_eq!(answer.err_flags1.contains(ErrFlags1::FAP_LEVEL), theirs > ours);
            let length = match theirs.min(ours) {
                4..=8 => 130,
                9..=10 => 236,
                _ => 268,
            };
            assert_eq!(sent.len(), length, "segments 7, level {}", answer.fap_level);
        }
    }
}

#[test]
fn a_caller_in_ebcdic_is_understood() {
    let mut talk = Talk::accepted();
    talk.partner_sends(frame(28));
    let (channel, partner) = talk.we_ask_who_that_is();
    assert_eq!((channel.as_str(), partner.qmgr_name.as_str()), ("QMA.TO.GW", "QMA"));
}

#[test]
fn sequence_wrap_must_be_equal() {
    for (how, segments) in [("both", 2), ("status", 1), ("initial_data", 1)] {
        let definition =
            Definition { seqwrap: 1_000_000, dialect: dialect(&[("seq_wrap_refusal", how)]), ..definition() };
        let mut talk = Talk::accepted();
        talk.partner_sends(initial_data(&fitting_offer()));
        talk.we_ask_who_that_is();
        talk.told(Input::Defined(Box::new(definition)));
        if how != "status" {
            let sent = talk.we_send();
            let answer = sent.initial_data().unwrap();
            assert_eq!((answer.err_flags1, answer.seq_wrap), (ErrFlags1::SEQ_WRAP_VALUE, 1_000_000));
        }
        if how != "initial_data" {
            assert_eq!(talk.we_refuse().code, Some(StatusCode::WRAP_VALUE_ERROR));
        }
        let why = talk.we_stop_disorderly(StatusCode::WRAP_VALUE_ERROR).why;
        assert!(why.contains("999999999") && why.contains("1000000"), "{why}");
        assert_eq!(talk.mca.status().counts.bufssent, segments);
    }
}

#[test]
fn callers_of_another_kind_are_refused() {
    for (caps, ours) in [
        (0x26, ChannelType::Rcvr),
        (0x08, ChannelType::Rcvr),
        (0x0F, ChannelType::Rqstr),
        (0x07, ChannelType::Sdr),
        (0x07, ChannelType::Svr),
    ] {
        let mut offer = fitting_offer();
        offer.cap_flags1 = CapFlags1::from_bits_retain(caps);
        let mut talk = Talk::accepted();
        talk.partner_sends(initial_data(&offer));
        talk.we_ask_who_that_is();
        talk.told(Input::Defined(Box::new(Definition { chltype: ours, ..definition() })));
        talk.we_refuse_with(StatusCode::CHANNEL_WRONG_TYPE);
    }
}

#[test]
fn refused_by_the_shell_before_and_after_the_claim() {
    let mut talk = Talk::accepted();
    talk.partner_sends(frame(7));
    talk.we_ask_who_that_is();
    talk.told(Input::Refused(StatusCode::NO_CHANNEL, "no such channel".into()));
    // Before a channel is known we speak big-endian: frame 10 in the other order.
    let sent = talk.we_send();
    assert_eq!((sent.len(), sent.status().unwrap()), (36, frame(10).status().unwrap()));
    assert_eq!(talk.we_stop().why, "no such channel");

    let mut talk = Talk::accepted();
    talk.partner_sends(frame(7));
    talk.we_ask_who_that_is();
    talk.told(Input::Defined(Box::new(definition())));
    talk.we_ask_for_the_lease();
    talk.told(Input::Refused(StatusCode::CHANNEL_UNAVAILABLE, "held".into()));
    talk.we_refuse_with(StatusCode::CHANNEL_UNAVAILABLE);
}

#[test]
fn capabilities_that_would_change_a_partners_ways_are_refused() {
    for bit in [0x01, 0x02, 0x08, 0x10, 0x20, 0x40] {
        let mut offer = fitting_offer();
        offer.fap4.as_mut().unwrap().cap_flags2 = CapFlags2::from_bits_retain(bit | 0x84);
        let mut talk = offered(&offer, definition());
        let answer = counters(&mut talk).fap4.unwrap();
        assert_eq!((answer.ecap_flags2.bits(), answer.cap_flags2.bits()), (bit, 0));
        talk.partner_sends(initial_data(&offer));
        counters(&mut talk);
        talk.partner_sends(initial_data(&offer));
        let why = talk.we_refuse_with(StatusCode::NEGOTIATION_FAILED).why;
        assert!(why.starts_with("no agreement after 3 rounds"), "{why}");
    }
    // Trace routes, responder conversion and a wish for security exits are not agreed to, and nothing more is said.
    let mut offer = fitting_offer();
    offer.fap4.as_mut().unwrap().cap_flags2 = CapFlags2::from_bits_retain(0x84);
    offer.cap_flags1 |= CapFlags1::REQUEST_SECURITY;
    let answer = agrees(&mut offered(&offer, definition()));
    assert_eq!((answer.cap_flags1.bits(), answer.fap4.unwrap().cap_flags2.bits()), (0x07, 0));
}

#[test]
fn compression_is_refused_at_levels_that_have_it() {
    let definition = Definition { dialect: dialect(&[("fap", "15")]), ..definition() };
    let mut offer = frame(4).initial_data().unwrap();
    offer.fap4.as_mut().unwrap().cap_flags2 = CapFlags2::empty();
    offer.fap9.as_mut().unwrap().msg_comp_list[1] = 2;
    let mut talk = offered(&offer, definition);
    let answer = counters(&mut talk).fap9.unwrap();
    assert_eq!(answer.err_flags2.bits(), 0x02);
    assert_eq!((answer.msg_comp_list[0], answer.msg_comp_list[1]), (0, 0xFF));
}

#[test]
fn a_partner_that_cannot_split_needs_room_for_the_largest_message() {
    let mut offer = fitting_offer();
    offer.cap_flags1 -= CapFlags1::SPLIT_MESSAGE;
    // 476 = TSH 28 + MSH 20 + MQXQH 104 + MQMD 324.
    offer.max_msg_size = 32766 - 476;
    agrees(&mut offered(&offer, definition()));
    offer.max_msg_size += 1;
    let why = offered(&offer, definition()).we_refuse_with(StatusCode::NEGOTIATION_FAILED).why;
    assert!(why.contains("cannot split"), "{why}");
}

#[test]
fn a_partner_without_sequence_numbers_is_refused() {
    let mut offer = fitting_offer();
    offer.cap_flags1 -= CapFlags1::MSG_SEQ;
    offered(&offer, definition()).we_refuse_with(StatusCode::NEGOTIATION_FAILED);
}

#[test]
fn no_more_is_offered_than_the_target_takes() {
    let mut talk = offered_to(&fitting_offer(), definition(), Some(1_000_000));
    assert_eq!(counters(&mut talk).max_msg_size, 1_000_000 - 65_536);
    offered_to(&fitting_offer(), definition(), Some(65_536)).we_refuse_with(StatusCode::QM_UNAVAILABLE);
}

#[test]
fn silent_lowering_is_an_option() {
    let definition = Definition { batchsz: 10, dialect: dialect(&[("counter_proposal", "silent")]), ..definition() };
    assert_eq!(agrees(&mut offered(&fitting_offer(), definition)).max_msg_per_batch, 10);
}

#[test]
fn a_caller_may_give_up_or_go_astray() {
    let countered = || {
        let mut talk = offered(&fitting_offer(), Definition { batchsz: 10, ..definition() });
        counters(&mut talk);
        talk
    };
    let mut talk = countered();
    talk.partner_sends(status(ERROR | CLOSE, Default::default()));
    talk.we_stop();
    let mut talk = countered();
    let mut other = fitting_offer();
    other.channel_name = "QMB.TO.GW".parse().unwrap();
    talk.partner_sends(initial_data(&other));
    talk.we_refuse_with(StatusCode::PROTOCOL_ID_ERROR);
    let mut talk = countered();
    talk.partner_sends(message(1, CONFIRM, LUW));
    talk.we_refuse_with(StatusCode::PROTOCOL_SEGMENT_TYPE);
    let mut talk = countered();
    talk.seconds_pass(30);
    talk.we_stop();
}

#[test]
fn first_segments_that_are_no_initial_data() {
    for (segment, code) in [
        (frame(17), StatusCode::PROTOCOL_SEGMENT_TYPE),
        (frame(14), StatusCode::PROTOCOL_SEGMENT_TYPE),
        (segment(SegmentType::SECURITY_DATA, NONE, LUW, &b"x"[..]), StatusCode::SECURITY_FAILURE),
        (segment(SegmentType::INITIAL_DATA, NONE, LUW, &b"ID  "[..]), StatusCode::PROTOCOL_ID_ERROR),
        (segment(SegmentType::INITIAL_DATA, NONE, LUW, vec![b'x'; 102]), StatusCode::PROTOCOL_ID_ERROR),
    ] {
        let mut talk = Talk::accepted();
        talk.partner_sends(segment);
        talk.we_refuse_with(code);
    }
}

#[test]
fn callers_that_say_nothing_or_something_else() {
    let mut talk = Talk::accepted();
    talk.seconds_pass(29);
    talk.we_do_nothing();
    talk.seconds_pass(1);
    assert_eq!(talk.we_stop().why, "no INITIAL_DATA within 30 s");

    let mut talk = Talk::accepted();
    let malformed = Segment::parse(Bytes::from_static(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n..")).unwrap_err();
    talk.told(Input::Malformed(malformed));
    assert!(talk.we_stop().why.contains("HTTP"), "said to us only");

    let mut talk = Talk::accepted();
    talk.partner_hangs_up();
    talk.we_stop();
}

#[test]
fn values_that_no_channel_can_have() {
    for change in [
        |id: &mut InitialData| id.max_transmission_size = 127,
        |id: &mut InitialData| id.max_transmission_size = -1,
        |id: &mut InitialData| id.fap_level = 0,
    ] {
        let mut offer = fitting_offer();
        change(&mut offer);
        let mut talk = Talk::accepted();
        talk.partner_sends(initial_data(&offer));
        talk.we_ask_who_that_is();
        talk.told(Input::Defined(Box::new(definition())));
        talk.we_refuse();
        talk.we_stop();
    }
}
