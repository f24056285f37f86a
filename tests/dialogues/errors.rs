//! What a partner may not do, and that nothing it does makes us panic or swell.

use bytes::Bytes;
use mqferry::channel::{Definition, Identity, Input, Mca, Output};
use mqferry::wire::{ControlFlags1, Luwid, Malformed, Segment, SegmentType, StatusCode, Tsh};
use proptest::prelude::*;

use crate::talk::*;

#[test]
fn segments_that_have_no_place_on_a_running_channel() {
    for kind in [0x01, 0x08, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x00, 0x83, 0xA1, 0xFF] {
        let mut talk = Talk::bound(definition(), None);
        talk.partner_sends(segment(SegmentType(kind), NONE, Luwid::ZERO, Bytes::new()));
        talk.we_refuse_with(StatusCode::PROTOCOL_SEGMENT_TYPE);
    }
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(segment(SegmentType::SECURITY_DATA, NONE, Luwid::ZERO, &b"exit"[..]));
    talk.we_refuse_with(StatusCode::SECURITY_FAILURE);
}

#[test]
fn a_fault_rolls_the_batch_back() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, NONE, LUW));
    talk.target_sees(1);
    talk.partner_sends(segment(SegmentType::USERID_DATA, NONE, Luwid::ZERO, Bytes::new()));
    talk.we_refuse();
    talk.target_rolls_back();
    let why = talk.we_stop_disorderly(StatusCode::PROTOCOL_SEGMENT_TYPE).why;
    assert_eq!(why, "while running: expected a segment of a message channel, got USERID_DATA");
}

#[test]
fn bytes_that_are_no_segment() {
    for (field, code) in
        [("SegmentLength", StatusCode::PROTOCOL_LENGTH_ERROR), ("StrucId", StatusCode::PROTOCOL_GENERAL)]
    {
        let mut talk = Talk::bound(definition(), None);
        let malformed =
            Malformed { structure: "TSH", field, offset: 4, expected: "28 to 32766".into(), found: "99999".into() };
        talk.told(Input::Malformed(malformed));
        let why = talk.we_refuse_with(code).why;
        assert!(why.contains("28 to 32766") && why.contains("99999"), "{why}");
    }
}

#[test]
fn status_and_ping_bodies_that_lie_about_their_length() {
    for (kind, body) in [
        (SegmentType::STATUS_DATA, vec![1, 2, 3]),
        (SegmentType::STATUS_DATA, vec![0xFF; 8]),
        (SegmentType::PING_DATA, vec![0xFF, 0xFF, 0, 0, 1]),
        (SegmentType::RESET_DATA, vec![8, 0, 0]),
    ] {
        let mut talk = Talk::bound(definition(), None);
        talk.partner_sends(segment(kind, NONE, Luwid::ZERO, body));
        talk.we_refuse_with(StatusCode::PROTOCOL_LENGTH_ERROR);
    }
}

#[test]
fn a_batch_without_end() {
    let mut talk = Talk::bound(definition(), None);
    for sequence in 1..10_000 {
        talk.partner_sends(message(sequence, NONE, LUW));
        talk.target_sees(sequence);
        talk.we_do_nothing();
    }
    talk.partner_sends(message(10_000, NONE, LUW));
    talk.target_sees(10_000);
    talk.we_refuse();
    talk.target_rolls_back();
    talk.we_stop();
    // Fast messages are just committed, and the record keeps the newest names only.
    let mut talk = Talk::bound(definition(), None);
    let mut commits = 0;
    for sequence in 1..=25_000 {
        talk.partner_sends(fast_message(sequence, LUW));
        talk.target_sees(sequence);
        if let Some(output) = talk.mca.poll() {
            let Output::Commit(record) = output else { panic!("{output:?}") };
            commits += 1;
            assert_eq!((record.sequence, record.last_batch.len()), (0, 10_000));
            assert_eq!(record.last_batch.last().unwrap().sequence, sequence);
            talk.target_commits();
        }
    }
    assert_eq!(commits, 2);
}

#[test]
fn a_partner_that_does_not_wait_for_answers() {
    let mut talk = Talk::bound(definition(), None);
    talk.partner_sends(message(1, CONFIRM, LUW));
    talk.target_sees(1);
    talk.target_is_asked_to_commit();
    for _ in 0..64 {
        talk.partner_sends(frame(14));
        talk.we_do_nothing();
    }
    talk.partner_sends(frame(14));
    talk.we_refuse();
    talk.we_do_nothing();
    talk.target_commits();
    talk.we_stop();
}

/// Answers whatever the machine asks its own side, at random; true once it is over.
fn serve(mca: &mut Mca, now: std::time::Duration, choices: &mut impl Iterator<Item = u8>, held: &mut usize) -> bool {
    while let Some(output) = mca.poll() {
        let choice = choices.next().unwrap_or(0);
        let answer = match output {
            Output::Stopped(_) => {
                assert!(mca.poll().is_none(), "Stopped is the last output");
                return true;
            }
            Output::Identify { .. } if choice == 255 => Input::Refused(StatusCode::NO_CHANNEL, "no".into()),
            Output::Identify { .. } => Input::Defined(Box::new(Definition { seqwrap: 100, ..definition() })),
            Output::Claim { .. } => Input::Claimed { record: Some(record(99, LUW, [98, 99])), max_message_bytes: None },
            Output::Commit(record) => {
                assert!(record.last_batch.len() <= 50, "half a cycle of 100");
                match choice % 8 {
                    0 => Input::RolledBack(StatusCode::BATCH_FAILURE, "no".into()),
                    1 => Input::InDoubt("no".into()),
                    _ => Input::Committed { dlq_used: choice > 127 },
                }
            }
            Output::Deliver(message) => {
                *held = message.parts.iter().map(Bytes::len).sum();
                continue;
            }
            Output::Send(segment) => {
                assert_eq!(Segment::parse(segment.encode()).unwrap(), segment);
                continue;
            }
            Output::Begin { .. } | Output::Repeated { .. } | Output::Rollback | Output::Running => continue,
        };
        mca.handle(now, answer);
    }
    false
}

fn any_segment() -> impl Strategy<Value = Segment> {
    let luwid = prop_oneof![Just(Luwid::ZERO), Just(LUW), Just(OTHER)];
    let raw = (any::<u8>(), any::<u8>(), any::<u8>(), luwid.clone(), proptest::collection::vec(any::<u8>(), 0..64))
        .prop_map(|(kind, flags1, flags2, luwid, body)| {
            let tsh =
                Tsh::new(SegmentType(kind % 16)).with_flags(ControlFlags1::from_bits_retain(flags1)).with_luwid(luwid);
            let flags2 = if flags2 < 8 { flags2 } else { 0 };
            let tsh = Tsh { flags2: mqferry::wire::ControlFlags2::from_bits_retain(flags2), ..tsh };
            Segment::new(tsh, body.into())
        });
    let message =
        (0..4_i32, any::<bool>(), 0..8_u8, luwid, 0..2_u8).prop_map(|(number, confirm, cut, luwid, persistence)| {
            let sequence = if number == 0 { 100 } else { number };
            let mut message =
                message_with(sequence, id_of(sequence), if confirm { CONFIRM } else { NONE }, luwid, persistence);
            if cut == 0 {
                message.tsh.flags1 -= ControlFlags1::LAST;
                message.body.truncate(200);
            }
            message
        });
    prop_oneof![2 => raw, 5 => message, 1 => (1..32_u32).prop_map(frame)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order: no panic, one end, and no more held than was announced.
    #[test]
    fn nothing_makes_it_panic(
        segments in proptest::collection::vec((any_segment(), 0..40_u64), 0..40),
        choices in proptest::collection::vec(any::<u8>(), 200),
        handshake in any::<bool>(),
    ) {
        let mut choices = choices.into_iter();
        let mut now = std::time::Duration::ZERO;
        let mut held = 0;
        let mut mca = Mca::new(Identity { qmgr_name: "GW".into(), qmgr_id: String::new() }, now);
        let mut over = false;
        if handshake {
            let mut offer = fitting_offer();
            offer.seq_wrap = 100;
            offer.max_msg_per_batch = 50;
            mca.handle(now, Input::Segment(initial_data(&offer)));
            over = serve(&mut mca, now, &mut choices, &mut held);
        }
        for (segment, wait) in segments {
            now += std::time::Duration::from_secs(wait);
            mca.handle(now, Input::Tick);
            over |= serve(&mut mca, now, &mut choices, &mut held);
            mca.handle(now, Input::Segment(segment));
            over |= serve(&mut mca, now, &mut choices, &mut held);
            let _ = mca.status();
            prop_assert!(held <= 4_194_304 + 428);
            if over {
                prop_assert!(mca.next_timeout().is_none());
            }
        }
        mca.handle(now, Input::PeerClosed("end".into()));
        over |= serve(&mut mca, now, &mut choices, &mut held);
        prop_assert!(over, "a closed connection is over");
    }
}
