//! Batches, heartbeats, ends.

use super::*;

#[test]
fn all_but_the_last_message_leave_at_once_and_the_last_one_after_its_step() {
    let mut rig = Rig::plain(&[]);
    assert!(rig.wants());
    rig.offer(1);
    assert!(rig.wants() && rig.sent().is_empty(), "looked ahead: it may be the last");
    rig.offer(2);
    let first = rig.sent()[0].clone();
    // TSH: MESSAGE_DATA, FIRST and LAST, no request; MSH: number 1, 500 bytes here, segment 0, 500 in all.
    assert_eq!((first.tsh.segment_type, first.tsh.flags1.bits(), first.len()), (SegmentType::MESSAGE_DATA, 0x30, 548));
    let msh = [&b"MSH "[..], &[0, 0, 0, 1], &500_i32.to_be_bytes(), &[0; 4], &500_i32.to_be_bytes()].concat();
    assert_eq!(first.body[..20], msh[..]);
    assert!(rig.wants());
    rig.tell(Input::Empty);
    let step = rig.step().clone();
    assert!(rig.sent().is_empty(), "store first");
    let doubt = InDoubt { luwid: first.tsh.luwid, sequence: 2, messages: 2 };
    assert_eq!((step.record.in_doubt, step.record.sequence), (Some(doubt), 0));
    assert_eq!((step.in_doubt, step.retire), (tokens(&[1, 2]), vec![]));
    rig.tell(Input::Committed);
    let last = rig.sent()[0].clone();
    assert_eq!((last.tsh.flags1.bits(), last.tsh.luwid, last.msh().unwrap().0.sequence), (0x31, first.tsh.luwid, 2));
    assert!(rig.mca.status().indoubt);
    rig.hear(status(NONE, last.tsh.luwid, &Status::OK));
    let step = rig.step().clone();
    assert_eq!(step.retire, tokens(&[1, 2]));
    let now = (step.record.sequence, step.record.luwid, step.record.in_doubt);
    assert_eq!(now, (2, first.tsh.luwid, None));
    rig.tell(Input::Committed);
    let status = rig.mca.status();
    assert_eq!((status.lstseqno, status.lstluwid, status.indoubt), (2, first.tsh.luwid, false));
}

#[test]
fn under_load_a_batch_costs_one_step() {
    let mut rig = Rig::plain(&[]);
    let mut steps = 0;
    for token in 1..=9 {
        rig.offer(token);
        if token % 3 == 0 {
            steps += 1;
            let step = rig.step().clone();
            let batch: Vec<u64> = (token - 2..=token).collect();
            assert_eq!(step.in_doubt, tokens(&batch));
            let before: Vec<u64> = if token > 3 { (token - 5..=token - 3).collect() } else { vec![] };
            assert_eq!(step.retire, tokens(&before));
            assert_eq!(step.record.sequence, i32::try_from(token).unwrap() - 3);
            rig.tell(Input::Committed);
            assert_eq!(rig.sent().len(), 1);
            assert!(rig.wants(), "the next one is looked ahead to while the confirm is on its way");
            let luwid = rig.luwid();
            rig.hear(status(NONE, luwid, &Status::OK));
        }
    }
    assert_eq!(steps, 3);
}

#[test]
fn confirmed_messages_do_not_wait_for_ever_for_the_next_batch() {
    let mut rig = Rig::bound(Definition { batchint: 60_000, ..definition(&[]) }, None, &[]);
    (1..=3).for_each(|token| rig.offer(token));
    rig.tell(Input::Committed);
    let luwid = rig.luwid();
    rig.hear(status(NONE, luwid, &Status::OK));
    rig.offer(4);
    rig.wait(1.5);
    assert_eq!((rig.step().retire.len(), rig.step().record.in_doubt), (3, None));
}

#[test]
fn a_batch_ends_by_its_bytes_and_by_its_interval() {
    let mut rig = Rig::bound(Definition { batchlim: 1, ..definition(&[]) }, None, &[]);
    rig.tell(Input::Message(outgoing(1, 1024)));
    assert_eq!(rig.step().in_doubt, tokens(&[1]));
    let mut rig = Rig::bound(Definition { batchint: 2_000, ..definition(&[]) }, None, &[]);
    rig.offer(1);
    rig.tell(Input::Empty);
    assert!(rig.out.is_empty());
    rig.wait(1.9);
    assert!(rig.out.is_empty());
    rig.wait(0.2);
    assert_eq!(rig.step().in_doubt, tokens(&[1]));
}

#[test]
fn what_does_not_fit_is_cut_where_the_partner_can_join() {
    let mut rig = Rig::plain(&[("max_transmission_size", "1048")]);
    rig.tell(Input::Message(outgoing(1, 2500)));
    rig.tell(Input::Empty);
    rig.tell(Input::Committed);
    let seen: Vec<_> = rig
        .sent()
        .iter()
        .map(|segment| {
            let msh = segment.msh().unwrap().0;
            (segment.tsh.flags1.bits(), segment.len(), msh.data_length, msh.segment_number, msh.message_length)
        })
        .collect();
    assert_eq!(seen, [(0x10, 1048, 1000, 0, 2500), (0, 1048, 1000, 1, 2500), (0x21, 548, 500, 2, 2500)]);
    let mut rig = Rig::plain(&[("max_transmission_size", "1048"), ("msh_in_continuations", "first_only")]);
    rig.tell(Input::Message(outgoing(1, 2500)));
    rig.tell(Input::Empty);
    rig.tell(Input::Committed);
    assert_eq!(rig.sent().iter().map(|segment| segment.body.len()).collect::<Vec<_>>(), [1020, 1020, 480]);
}

#[test]
fn what_cannot_travel_is_given_back() {
    let mut rig = Rig::plain(&[("max_transmission_size", "1048"), ("split", "never")]);
    rig.tell(Input::Message(outgoing(7, 1001)));
    let [Output::Undeliverable { token: Token(7), reason: 2218, .. }] = &rig.out[..] else { panic!("{:?}", rig.out) };
    rig.tell(Input::SetAside(Token(7)));
    assert!(rig.wants());
    rig.tell(Input::Empty);
    assert_eq!((rig.step().retire.clone(), rig.step().record.in_doubt), (tokens(&[7]), None));
    rig.tell(Input::Committed);
    rig.tell(Input::Message(outgoing(8, 1000)));
    rig.tell(Input::Empty);
    assert_eq!(rig.step().in_doubt, tokens(&[8]), "48 bytes of headers just fit");
    // Data and 476 bytes within MaxMsgSize (wire reference, channel flow 10).
    let mut rig = Rig::bound(Definition { maxmsgl: 1476, ..definition(&[]) }, None, &[]);
    rig.tell(Input::Message(outgoing(1, 1429)));
    assert!(matches!(rig.out[..], [Output::Undeliverable { .. }]));
    rig.tell(Input::SetAside(Token(1)));
    rig.tell(Input::Message(outgoing(2, 1428)));
    assert!(rig.wants());
}

#[test]
fn a_confirm_names_our_batch() {
    for (flags, luwid, confirms) in [
        (NONE, None, true),
        (ControlFlags1::REQUEST_ACCEPTED, None, true),
        (NONE, Some(Luwid::ZERO), true),
        (ERROR, None, false),
        (NONE, Some(OLD), false),
        (NONE, Some(DOUBT), false),
    ] {
        let mut rig = Rig::bound(definition(&[]), Some(record(5, None)), &[]);
        let ours = rig.asked(1);
        rig.hear(status(flags, luwid.unwrap_or(ours), &Status::OK));
        let retired = rig.out.iter().any(|out| matches!(out, Output::Commit(_)));
        assert_eq!(retired, confirms, "{flags:?} {luwid:?}");
    }
    let mut rig = Rig::plain(&[("confirm_luwid", "equal")]);
    rig.asked(1);
    rig.hear(status(NONE, Luwid::ZERO, &Status::OK));
    assert!(rig.mca.status().indoubt);
    // Who has named one batch names all: a zero LUWID then is a straggler.
    let mut rig = Rig::plain(&[]);
    let first = rig.asked(1);
    rig.hear(status(NONE, first, &Status::OK));
    rig.tell(Input::Committed);
    rig.offer(2);
    rig.tell(Input::Empty);
    rig.tell(Input::Committed);
    rig.hear(status(NONE, Luwid::ZERO, &Status::OK));
    rig.hear(status(NONE, first, &Status::OK));
    assert!(rig.mca.status().indoubt);
}

#[test]
fn a_confirm_that_nobody_asked_for_confirms_nothing() {
    let mut rig = Rig::plain(&[]);
    rig.offer(1);
    rig.offer(2);
    let luwid = rig.luwid();
    rig.hear(status(NONE, luwid, &Status::OK));
    rig.tell(Input::Empty);
    assert_eq!((rig.step().retire.clone(), rig.step().in_doubt.clone()), (vec![], tokens(&[1, 2])));
    rig.tell(Input::Committed);
    assert_eq!(rig.sent()[0].tsh.flags1.bits(), 0x31);
}

#[test]
fn a_request_may_stand_alone_in_each_carrier() {
    for (word, carrier, body) in [
        ("status_data", SegmentType::STATUS_DATA, 0),
        ("resync_data", SegmentType::RESYNC_DATA, 8),
        ("message_data", SegmentType::MESSAGE_DATA, 0),
        ("heartbeat", SegmentType::HEARTBEAT, 0),
    ] {
        let mut rig = Rig::plain(&[("confirm_request", "alone"), ("confirm_request_segment", word)]);
        let luwid = rig.asked(1);
        let flags: Vec<_> = rig.sent().iter().map(|segment| (segment.tsh.segment_type, segment.tsh.flags1)).collect();
        let whole = ControlFlags1::FIRST | ControlFlags1::LAST;
        assert_eq!(flags, [(SegmentType::MESSAGE_DATA, whole), (carrier, ASK)]);
        assert_eq!(rig.sent()[1].body.len(), body);
        assert!(rig.sent().iter().all(|segment| segment.tsh.luwid == luwid));
        let answer = match carrier {
            SegmentType::RESYNC_DATA => resync(NONE, luwid, 1),
            SegmentType::HEARTBEAT => segment(SegmentType::HEARTBEAT, NONE, luwid, Bytes::new()),
            _ => status(NONE, luwid, &Status::OK),
        };
        rig.hear(answer);
        assert!(!rig.mca.status().indoubt, "{word}");
    }
    let mut rig = Rig::plain(&[]);
    let luwid = rig.asked(1);
    rig.hear(segment(SegmentType::HEARTBEAT, NONE, luwid, Bytes::new()));
    assert!(rig.mca.status().indoubt, "only who asked by heartbeat takes one for a confirm");
}

#[test]
fn a_refused_batch_comes_again_message_by_message() {
    let mut rig = Rig::plain(&[]);
    (1..=3).for_each(|token| rig.offer(token));
    rig.tell(Input::Committed);
    rig.offer(4);
    let luwid = rig.luwid();
    rig.hear(status(ERROR, luwid, &Status::new(StatusCode::CAN_NOT_STORE)));
    let [Output::BatchRefused { code: StatusCode::CAN_NOT_STORE, tokens: given }, Output::Want] = &rig.out[..] else {
        panic!("{:?}", rig.out)
    };
    assert_eq!(*given, tokens(&[1, 2, 3]));
    rig.offer(1);
    assert_eq!((rig.step().in_doubt.clone(), rig.step().record.in_doubt.unwrap().sequence), (tokens(&[1]), 1));
    rig.tell(Input::Committed);
    let again = rig.luwid();
    assert_ne!(again, luwid);
    rig.hear(status(NONE, again, &Status::OK));
    rig.offer(2);
    rig.tell(Input::Committed);
    let culprit = rig.luwid();
    rig.hear(status(ERROR, culprit, &Status::new(StatusCode::BATCH_FAILURE)));
    let Output::BatchRefused { tokens: given, .. } = &rig.out[0] else { panic!("{:?}", rig.out) };
    assert_eq!(*given, tokens(&[2]));
    rig.tell(Input::SetAside(Token(2)));
    rig.offer(3);
    assert_eq!((rig.step().in_doubt.clone(), rig.step().retire.clone()), (tokens(&[3]), tokens(&[2])));
    rig.tell(Input::Committed);
    let third = rig.luwid();
    assert_eq!(rig.sent()[0].msh().unwrap().0.sequence, 2, "numbers stay unbroken");
    rig.hear(status(NONE, third, &Status::OK));
    assert!(rig.wants(), "then the one that was looked ahead to, in the usual way: {:?}", rig.out);
    rig.offer(5);
    assert_eq!(rig.sent()[0].msh().unwrap().0.sequence, 3);
    assert_eq!(rig.mca.status().refused, 2);
}

#[test]
fn a_refusal_with_a_close_ends_the_channel() {
    let mut rig = Rig::plain(&[]);
    let luwid = rig.asked(1);
    rig.hear(status(ERROR | CLOSE, luwid, &Status::new(StatusCode::BATCH_FAILURE)));
    assert!(matches!(rig.out[0], Output::BatchRefused { .. }), "{:?}", rig.out);
    // It is known to be backed out, so the record need not be in doubt.
    assert_eq!((rig.step().record.in_doubt, rig.step().retire.len()), (None, 0));
    rig.tell(Input::Committed);
    assert!(!rig.stopped().orderly);
}

#[test]
fn other_codes_and_closes_leave_an_asked_batch_in_doubt() {
    let endings: [fn(Luwid) -> Input; 5] = [
        |_| Input::Segment(status(ERROR | CLOSE, Luwid::ZERO, &Status::new(StatusCode::PROTOCOL_GENERAL))),
        |_| Input::Segment(status(ERROR, Luwid::ZERO, &Status::new(StatusCode::QM_TERMINATING))),
        |_| Input::PeerClosed("reset".to_owned()),
        |_| Input::Unreachable("broken".to_owned()),
        |luwid| Input::Segment(status(ERROR, luwid, &Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, 1))),
    ];
    for ending in endings {
        let mut rig = Rig::plain(&[]);
        let luwid = rig.asked(1);
        rig.tell(ending(luwid));
        assert!(!rig.out.iter().any(|out| matches!(out, Output::Commit(_) | Output::BatchRefused { .. })));
        assert!(!rig.stopped().orderly, "{:?}", rig.out);
    }
}

#[test]
fn the_partners_wish_to_end_is_granted_between_batches() {
    let mut rig = Rig::plain(&[]);
    let luwid = rig.asked(1);
    rig.hear(status(ControlFlags1::REQUEST_CLOSE | ControlFlags1::DLQ_USED, luwid, &Status::OK));
    assert_eq!(rig.mca.status().dlq_used, 1);
    assert_eq!(rig.step().retire, tokens(&[1]));
    rig.tell(Input::Committed);
    let close = rig.sent()[0].clone();
    assert_eq!((close.tsh.segment_type, close.tsh.flags1, close.body.len()), (SegmentType::STATUS_DATA, CLOSE, 0));
    rig.tell(Input::PeerClosed("end".to_owned()));
    assert!(rig.stopped().orderly);
}

#[test]
fn heartbeats_keep_an_idle_channel_and_silence_ends_it() {
    let mut rig = Rig::plain(&[]);
    rig.tell(Input::Empty);
    rig.wait(10.0);
    let beat = rig.sent()[0].clone();
    assert_eq!((beat.tsh.segment_type, beat.tsh.flags1, beat.len()), (SegmentType::HEARTBEAT, ASK, 28));
    rig.hear(segment(SegmentType::HEARTBEAT, NONE, Luwid::ZERO, Bytes::new()));
    rig.wait(9.0);
    assert!(rig.out.is_empty());
    rig.wait(1.0);
    assert_eq!(rig.sent().len(), 1);
    // HBINT below 60: twice the interval.
    rig.wait(19.9);
    assert!(rig.out.is_empty());
    rig.wait(0.2);
    assert!(!rig.stopped().orderly);
}

#[test]
fn the_partners_heartbeat_is_answered() {
    let mut rig = Rig::plain(&[]);
    rig.hear(segment(SegmentType::HEARTBEAT, ASK, Luwid::ZERO, Bytes::new()));
    assert_eq!((rig.sent()[0].tsh.segment_type, rig.sent()[0].tsh.flags1), (SegmentType::HEARTBEAT, NONE));
}

#[test]
fn batchhb_asks_before_the_batch_is_put_in_doubt() {
    let mut rig = Rig::bound(Definition { batchhb: 1_000, ..definition(&[]) }, None, &[]);
    rig.now += Duration::from_secs(2);
    rig.offer(1);
    rig.tell(Input::Empty);
    assert_eq!(rig.sent()[0].tsh.segment_type, SegmentType::HEARTBEAT);
    assert!(!rig.out.iter().any(|out| matches!(out, Output::Commit(_))));
    rig.hear(segment(SegmentType::HEARTBEAT, NONE, Luwid::ZERO, Bytes::new()));
    assert_eq!(rig.step().in_doubt, tokens(&[1]));
    let mut rig = Rig::bound(Definition { batchhb: 1_000, ..definition(&[]) }, None, &[]);
    rig.now += Duration::from_secs(2);
    rig.offer(1);
    rig.tell(Input::Empty);
    rig.wait(21.0);
    assert!(!rig.out.iter().any(|out| matches!(out, Output::Commit(_))), "nothing was asked, nothing is in doubt");
    assert!(!rig.stopped().orderly);
}

#[test]
fn discint_ends_an_idle_channel() {
    for (how, body) in [("status", 0), ("status_code", 8)] {
        let mut definition = definition(&[("close", how)]);
        (definition.discint, definition.hbint) = (5, 0);
        let mut rig = Rig::bound(definition, None, &[]);
        rig.tell(Input::Empty);
        rig.wait(5.5);
        let close = rig.sent()[0].clone();
        assert_eq!((close.tsh.flags1, close.body.len()), (CLOSE, body));
        if body > 0 {
            assert_eq!(close.status().unwrap().code, Some(StatusCode::TIMEOUT_EXPIRED));
        }
        rig.wait(1.0);
        assert!(rig.stopped().orderly);
    }
}

#[test]
fn stops_quiesce_force_terminate() {
    let mut rig = Rig::plain(&[]);
    rig.offer(1);
    rig.tell(Input::Stop(StopMode::Quiesce, StatusCode::USER_CLOSED));
    assert_eq!(rig.step().in_doubt, tokens(&[1]), "the batch in hand is ended");
    rig.tell(Input::Committed);
    let luwid = rig.luwid();
    rig.hear(status(NONE, luwid, &Status::OK));
    assert_eq!(rig.step().retire, tokens(&[1]));
    rig.tell(Input::Committed);
    assert_eq!(rig.sent()[0].tsh.flags1, CLOSE);

    let mut rig = Rig::plain(&[]);
    rig.asked(1);
    rig.tell(Input::Stop(StopMode::Force, StatusCode::USER_CLOSED));
    assert_eq!(rig.sent()[0].tsh.flags1, ERROR | CLOSE);
    assert!(!rig.stopped().orderly && rig.stopped().why.contains("in doubt"));

    let mut rig = Rig::plain(&[]);
    rig.offer(1);
    rig.tell(Input::Empty);
    rig.tell(Input::Stop(StopMode::Terminate, StatusCode::USER_CLOSED));
    assert!(matches!(&rig.out[..], [Output::Stopped(_)]));
}

#[test]
fn the_confirmed_is_retired_even_when_the_partner_is_gone() {
    let mut rig = Rig::plain(&[]);
    (1..=3).for_each(|token| rig.offer(token));
    rig.tell(Input::Committed);
    let luwid = rig.luwid();
    rig.hear(status(NONE, luwid, &Status::OK));
    assert!(rig.out.is_empty(), "it waits for the next batch");
    rig.tell(Input::PeerClosed("end".to_owned()));
    assert_eq!(rig.step().retire, tokens(&[1, 2, 3]));
    rig.tell(Input::Committed);
    assert!(rig.stopped().orderly);
}

#[test]
fn a_step_that_fails_leaves_the_last_message_here() {
    for answer in [
        Input::RolledBack(StatusCode::QM_UNAVAILABLE, "broker down".to_owned()),
        Input::InDoubt("no answer".to_owned()),
    ] {
        let mut rig = Rig::plain(&[]);
        rig.offer(1);
        rig.tell(Input::Empty);
        rig.tell(answer);
        assert!(rig.sent().iter().all(|segment| segment.tsh.segment_type != SegmentType::MESSAGE_DATA));
        assert!(!rig.stopped().orderly);
    }
}

#[test]
fn a_reset_is_told_before_messages() {
    for (word, told) in [("either", 7), ("next", 7), ("last", 6)] {
        let told_reset = SendRecord { tell_reset: true, ..record(6, None) };
        let mut rig = Rig::bound(definition(&[("reset_number", word)]), Some(told_reset), &[]);
        let reset = rig.sent()[0].clone();
        assert_eq!((reset.tsh.segment_type, reset.tsh.flags1), (SegmentType::RESET_DATA, NONE));
        assert_eq!(reset.body[..], [&[0, 0, 0, 8][..], &[0, 0, 0, told]].concat()[..]);
        let luwid = rig.asked(1);
        assert_eq!(rig.sent()[0].msh().unwrap().0.sequence, 7);
        rig.hear(status(NONE, luwid, &Status::OK));
        assert!(!rig.step().record.tell_reset);
    }
    let told_reset = SendRecord { tell_reset: true, ..record(6, None) };
    let mut rig = Rig::bound(definition(&[("reset_confirm", "asked")]), Some(told_reset), &[]);
    assert!(!rig.wants());
    rig.hear(status(NONE, Luwid::ZERO, &Status::OK));
    assert!(rig.wants());
}

#[test]
fn numbers_wrap_at_seqwrap() {
    let mut rig = Rig::bound(Definition { seqwrap: 100, ..definition(&[]) }, Some(record(99, None)), &[]);
    rig.offer(1);
    rig.offer(2);
    assert_eq!(rig.sent()[0].msh().unwrap().0.sequence, 100);
    rig.tell(Input::Empty);
    assert_eq!(rig.step().record.in_doubt.unwrap().sequence, 1);
    let rig = Rig::bound(Definition { seqwrap: 100, ..definition(&[]) }, Some(record(101, None)), &[]);
    assert!(rig.stopped().why.contains("101"));
}

#[test]
fn a_quiesce_can_be_taken_back_unless_the_partner_asked() {
    let mut rig = Rig::plain(&[]);
    let luwid = rig.asked(1);
    rig.tell(Input::Stop(StopMode::Quiesce, StatusCode::USER_CLOSED));
    assert!(rig.mca.status().stopreq);
    rig.tell(Input::Unquiesce);
    assert!(!rig.mca.status().stopreq);
    rig.hear(status(ControlFlags1::REQUEST_CLOSE, luwid, &Status::OK));
    rig.tell(Input::Unquiesce);
    assert!(rig.mca.status().stopreq);
}
