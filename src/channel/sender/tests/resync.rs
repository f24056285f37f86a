//! A batch in doubt at the start.

use super::*;

#[test]
fn the_question_about_a_batch_in_doubt_in_each_form() {
    for (settings, carrier, body) in [
        (&[][..], SegmentType::RESYNC_DATA, vec![0, 0, 0, 8, 0, 0, 0, 7]),
        (
            &[("resync_body", "number_and_luwid")],
            SegmentType::RESYNC_DATA,
            vec![0, 0, 0, 16, 0, 0, 0, 7, 9, 9, 9, 9, 0, 0, 0, 2],
        ),
        (&[("resync_body", "empty")], SegmentType::RESYNC_DATA, vec![]),
        (&[("resync_segment", "status_data")], SegmentType::STATUS_DATA, vec![0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 7]),
    ] {
        let rig = Rig::bound(definition(settings), Some(record(5, Some((7, 2)))), &[1, 2]);
        let question = rig.sent()[0];
        assert_eq!((question.tsh.segment_type, question.tsh.flags1, question.tsh.luwid), (carrier, ASK, DOUBT));
        assert_eq!(question.body[..], body[..]);
        assert!(!rig.wants());
        let status = rig.mca.status();
        assert_eq!((status.indoubt, status.curluwid, status.curseqno, status.lstseqno), (true, DOUBT, 7, 5));
    }
    let rig = Rig::bound(definition(&[]), Some(record(5, None)), &[]);
    assert!(rig.wants() && rig.sent().is_empty(), "nothing is asked when nothing is in doubt");
    let rig = Rig::bound(definition(&[("resync_when", "each_start")]), None, &[]);
    assert_eq!(rig.sent()[0].tsh.luwid, Luwid::ZERO);
}

#[test]
fn the_answer_decides() {
    let bound = || Rig::bound(definition(&[]), Some(record(5, Some((7, 2)))), &[1, 2]);
    let mut rig = bound();
    rig.hear(resync(NONE, DOUBT, 7));
    assert!(matches!(&rig.out[..], [Output::Resolved(Resolved { how: Resolution::Commit, .. }), Output::Want]));
    rig.tell(Input::Empty);
    let step = rig.step();
    assert_eq!((step.retire.clone(), step.record.sequence, step.record.luwid), (tokens(&[1, 2]), 7, DOUBT));
    assert_eq!(step.record.in_doubt, None);

    let mut rig = bound();
    rig.hear(resync(NONE, OLD, 5));
    assert!(matches!(&rig.out[..], [Output::Resolved(Resolved { how: Resolution::Backout, .. }), Output::Commit(_)]));
    assert_eq!(
        (rig.step().record.in_doubt, rig.step().record.sequence, rig.step().retire.len()),
        (None, 5, 0),
        "written before anything is sent: this partner may close now"
    );
    rig.tell(Input::Committed);
    assert!(rig.out.is_empty(), "nothing is in doubt yet, should it close: {:?}", rig.out);
    rig.wait(1.0);
    assert!(rig.wants());
    rig.offer(1);
    rig.offer(2);
    assert_eq!(rig.sent()[0].msh().unwrap().0.sequence, 6, "the same numbers");
    assert_ne!(rig.sent()[0].tsh.luwid, DOUBT, "a name of its own");

    let mut rig = bound();
    rig.hear(status(ERROR | CLOSE, Luwid::ZERO, &Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, 6)));
    assert_eq!((rig.step().record.in_doubt, rig.step().retire.len()), (None, 0), "or each start would end like this");
    rig.tell(Input::Committed);
    assert_eq!(rig.stopped().why, "the partner ended the channel");

    for ending in [
        Input::Segment(resync(NONE, Luwid::ZERO, 7)),
        Input::PeerClosed("gone".to_owned()),
        Input::Stop(StopMode::Force, StatusCode::USER_CLOSED),
        Input::Segment(segment(SegmentType::MESSAGE_DATA, NONE, DOUBT, Bytes::new())),
    ] {
        let mut rig = bound();
        rig.tell(ending);
        assert!(!rig.out.iter().any(|out| matches!(out, Output::Commit(_) | Output::Resolved(_))), "{:?}", rig.out);
        assert!(!rig.stopped().orderly);
    }
    let mut rig = bound();
    rig.wait(20.1);
    assert!(rig.stopped().why.contains("stays in doubt"), "{:?}", rig.out);

    let mut rig = bound();
    rig.tell(Input::Resolve(Resolution::Commit));
    rig.tell(Input::Empty);
    assert_eq!((rig.step().retire.clone(), rig.step().record.in_doubt), (tokens(&[1, 2]), None));
}

#[test]
fn an_operator_resolves_a_channel_that_does_not_run() {
    let doubtful = record(5, Some((7, 2)));
    let committed = resolved(&doubtful, Resolution::Commit).unwrap();
    assert_eq!((committed.sequence, committed.luwid, committed.in_doubt), (7, DOUBT, None));
    let backed_out = resolved(&doubtful, Resolution::Backout).unwrap();
    assert_eq!((backed_out.sequence, backed_out.luwid, backed_out.in_doubt), (5, OLD, None));
    assert_eq!(resolved(&committed, Resolution::Commit), None);
}

/// Every way an answer can be put, and what it may lead to. `C` and `B` are plain; all else is doubt.
#[test]
fn no_answer_misleads() {
    let question = |last: Luwid, last_number: i32| Question {
        doubt: InDoubt { luwid: DOUBT, sequence: last_number + 2, messages: 2 },
        last,
        last_number,
        wrap: 100,
        number: Default::default(),
        body: Default::default(),
    };
    let (began, later) = (question(Luwid::ZERO, 0), question(OLD, 5));
    let foreign = Luwid([7; 8]);
    let mut plain = 0;
    for question in [began, later] {
        for luwid in [Luwid::ZERO, DOUBT, OLD, foreign] {
            for number in [None, Some(0), Some(question.last_number), Some(question.last_number + 2), Some(42)] {
                for error in [false, true] {
                    let answer = Answer::Resync { luwid, number, in_body: None, error };
                    let here = luwid == DOUBT && !error && number.is_none_or(|n| n == question.last_number + 2);
                    let old = !question.last.is_zero()
                        && luwid == question.last
                        && number.is_none_or(|n| n == question.last_number);
                    let never = question.last.is_zero() && luwid.is_zero() && number == Some(0);
                    let verdict = judge(&question, &answer);
                    assert_eq!(verdict == Verdict::Settled(Resolution::Commit), here, "{question:?} {answer:?}");
                    assert_eq!(
                        verdict == Verdict::Settled(Resolution::Backout),
                        old || never,
                        "{question:?} {answer:?}"
                    );
                    plain += usize::from(here || old || never);
                }
                for code in [
                    None,
                    Some(StatusCode::OK),
                    Some(StatusCode::MSG_SEQUENCE_ERROR),
                    Some(StatusCode(6)),
                    Some(StatusCode(0x11)),
                ] {
                    for error in [false, true] {
                        let answer = Answer::Status { luwid, code, value: number, error };
                        let ok = code.is_none_or(|code| code == StatusCode::OK) && !error;
                        let here = ok && luwid == DOUBT && number.is_none_or(|n| n == question.last_number + 2);
                        let old = ok
                            && !question.last.is_zero()
                            && luwid == question.last
                            && number.is_none_or(|n| n == question.last_number);
                        let next = question.last_number + 1;
                        let fits = number.is_none_or(|n| n == question.last_number || n == next);
                        let mismatch = code == Some(StatusCode::MSG_SEQUENCE_ERROR)
                            && (luwid.is_zero() || luwid == question.last)
                            && fits;
                        let verdict = judge(&question, &answer);
                        assert_eq!(verdict == Verdict::Settled(Resolution::Commit), here, "{question:?} {answer:?}");
                        assert_eq!(
                            verdict == Verdict::Settled(Resolution::Backout),
                            old || mismatch,
                            "{question:?} {answer:?}"
                        );
                        plain += usize::from(here || old || mismatch);
                    }
                }
            }
        }
    }
    assert!(plain > 0);
}

#[test]
fn a_luwid_in_the_body_counts_where_the_dialect_has_one() {
    let doubt = InDoubt { luwid: DOUBT, sequence: 7, messages: 2 };
    let question = |body| Question { doubt, last: OLD, last_number: 5, wrap: 100, number: Default::default(), body };
    let answer = |luwid, inner| Answer::Resync { luwid, number: Some(7), in_body: Some(inner), error: false };
    use crate::channel::dialect::ResyncBody::{Number, NumberAndLuwid};
    let commit = Verdict::Settled(Resolution::Commit);
    assert_eq!(judge(&question(NumberAndLuwid), &answer(Luwid::ZERO, DOUBT)), commit);
    assert_eq!(judge(&question(NumberAndLuwid), &answer(DOUBT, DOUBT)), commit);
    assert!(matches!(judge(&question(NumberAndLuwid), &answer(OLD, DOUBT)), Verdict::Doubtful(_)));
    assert!(matches!(judge(&question(Number), &answer(Luwid::ZERO, DOUBT)), Verdict::Doubtful(_)));
}

#[test]
fn no_answer_decides_while_messages_of_the_batch_are_missing() {
    for (answer, word) in [(resync(NONE, DOUBT, 7), "commit"), (resync(NONE, OLD, 5), "backout")] {
        for here in [&[][..], &[2]] {
            let mut rig = Rig::bound(definition(&[]), Some(record(5, Some((7, 2)))), here);
            rig.hear(answer.clone());
            assert!(matches!(&rig.out[..], [Output::Stopped(_)]), "{:?}", rig.out);
            let why = &rig.stopped().why;
            assert!(why.contains(&format!("only {} of the 2 messages of LUWID {DOUBT}", here.len())), "{why}");
            assert!(why.ends_with(&format!("the partner's word is {word}")), "{why}");
        }
    }
    // An operator's word is acted on, with what is there.
    let mut rig = Rig::bound(definition(&[]), Some(record(5, Some((7, 2)))), &[2]);
    rig.tell(Input::Resolve(Resolution::Commit));
    rig.tell(Input::Empty);
    assert_eq!((rig.step().retire.clone(), rig.step().record.in_doubt), (tokens(&[2]), None));
}

#[test]
fn a_partner_that_only_sends_heartbeats_is_not_waited_for_without_end() {
    let mut rig = Rig::bound(definition(&[]), Some(record(5, Some((7, 2)))), &[1, 2]);
    let mut waited = 0;
    while !matches!(rig.out.last(), Some(Output::Stopped(_))) {
        assert!(waited < 2000, "it waits for ever");
        rig.wait(10.0);
        waited += 10;
        if !matches!(rig.out.last(), Some(Output::Stopped(_))) {
            rig.hear(segment(SegmentType::HEARTBEAT, ASK, Luwid::ZERO, Bytes::new()));
        }
    }
    assert_eq!(waited, 1800);
    let why = &rig.stopped().why;
    assert!(why.contains("signs of life but no answer for 1800 s") && why.contains("stays in doubt"), "{why}");
}
