//! Answers that are not the right ones, in every form that an answer can have: whatever the partner says, no decision that
//! the machine makes by itself is wrong. What nobody can see through is listed, and shown to be so.

use mqferry::channel::Dialect;
use mqferry::partner::receiver::{ConfirmAnswer, Habits, Lie, Receiving, ResyncAnswer};
use mqferry::partner::{Death, ResyncBody, Speech, Step};
use mqferry::wire::StatusCode;

use crate::answers::all;
use crate::talk::Talk;

const LIES: [Lie; 14] = [
    Lie::WrongLuwid,
    Lie::ZeroLuwid,
    Lie::OldLuwid,
    Lie::AskedLuwid,
    Lie::WrongNumber,
    Lie::SequenceError,
    Lie::Refusal(StatusCode::CAN_NOT_STORE),
    Lie::Refusal(StatusCode::QM_TERMINATING),
    Lie::Refusal(StatusCode::OK),
    Lie::ErrorFlag,
    Lie::OtherType,
    Lie::BadBody,
    Lie::Silence,
    Lie::Close,
];

/// The forms of an answer to the question about a batch.
const ANSWERS: [(ResyncAnswer, ResyncBody); 6] = [
    (ResyncAnswer::Resync, ResyncBody::Number),
    (ResyncAnswer::Resync, ResyncBody::NumberLuwid),
    (ResyncAnswer::Resync, ResyncBody::LuwidInBody),
    (ResyncAnswer::Resync, ResyncBody::Empty),
    (ResyncAnswer::Status, ResyncBody::Number),
    (ResyncAnswer::StatusLuwid, ResyncBody::Number),
];

const DEATHS: [(Step, u32); 4] = [
    (Step::ConfirmRequestRead, 0),
    (Step::CommittedNotConfirmed, 0),
    (Step::ConfirmRequestRead, 1),
    (Step::CommittedNotConfirmed, 1),
];

/// How we ask: our dialect's settings.
const QUESTIONS: [&[(&str, &str)]; 4] =
    [&[], &[("resync_body", "number_and_luwid")], &[("resync_body", "empty")], &[("resync_segment", "status_data")]];

fn talk(habits: Habits, death: Option<Death>, ours: &[(&str, &str)]) -> Talk {
    let speech = Speech { fast_messages: false, ..Speech::default() };
    let mut dialect = Dialect::default();
    ours.iter().for_each(|(key, value)| dialect.set(key, value).unwrap());
    let receiving =
        Receiving { speech, habits, die_at: death, batchsz: 3, hbint: 10, ..Receiving::new("QM1", "unused") };
    Talk { receiving, dialect, sizes: &[60] }
}

/// Plays them; each must be held, but those that nobody sees through, of which some must not. Gives how often an operator had
/// to decide.
fn judge<C: std::fmt::Debug>(cases: Vec<(C, bool)>, talk: impl Fn(&C) -> Talk) -> usize {
    let outcomes = all(cases.iter().map(|(case, _)| talk(case)));
    let (mut wrong, mut believed, mut doubts, mut settled) = (Vec::new(), 0, 0, 0);
    for ((case, opaque), outcome) in cases.iter().zip(outcomes) {
        match outcome {
            Ok(held) => {
                doubts += held.doubts.len();
                settled += held.settled;
            }
            Err(_) if *opaque => believed += 1,
            Err(why) => wrong.push(format!("{case:?}\n  {why}")),
        }
    }
    let opaque = cases.iter().filter(|(_, opaque)| *opaque).count();
    println!("{} runs: {settled} batches decided by an answer, {doubts} left in doubt", cases.len());
    println!("of {opaque} with a lie that nobody sees through {believed} went wrong");
    let some = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} runs went wrong; some:\n{some}", wrong.len(), cases.len());
    assert!(believed > 0 && settled > 0);
    doubts
}

/// What was said instead of what is so.
#[test]
fn no_answer_to_the_question_about_a_batch_misleads() {
    let mut cases = Vec::new();
    for lie in LIES {
        for answer in ANSWERS {
            for death in DEATHS {
                for question in QUESTIONS {
                    for lies in [1, u32::MAX] {
                        cases.push(((lie, answer, death, question, lies), unseen(lie, answer)));
                    }
                }
            }
        }
    }
    let doubts = judge(cases, |&(lie, (resync, resync_body), (step, after), question, lies)| {
        let habits = Habits { resync, resync_body, resync_lie: Some(lie), lies, ..Habits::default() };
        talk(habits, Some(Death { step, after, abort: false }), question)
    });
    assert!(doubts > 1000, "{doubts}");
}

/// An answer that names the batch that was asked for is what a partner says that has it. One that names the batch before,
/// and no number, is what a partner says that has it not.
fn unseen(lie: Lie, (answer, body): (ResyncAnswer, ResyncBody)) -> bool {
    match lie {
        Lie::AskedLuwid => true,
        Lie::OldLuwid => {
            answer == ResyncAnswer::Status || (answer == ResyncAnswer::Resync && body == ResyncBody::Empty)
        }
        _ => false,
    }
}

/// The same instead of a confirm, of a batch that the partner has, and of one that it has not.
#[test]
fn no_answer_to_the_request_for_a_confirm_misleads() {
    let requests: [&[(&str, &str)]; 5] = [
        &[],
        &[("confirm_request", "alone"), ("confirm_request_segment", "status_data")],
        &[("confirm_request", "alone"), ("confirm_request_segment", "resync_data")],
        &[("confirm_request", "alone"), ("confirm_request_segment", "message_data")],
        &[("confirm_request", "alone"), ("confirm_request_segment", "heartbeat")],
    ];
    let confirms = [
        ConfirmAnswer::Status,
        ConfirmAnswer::StatusCode,
        ConfirmAnswer::StatusNumber,
        ConfirmAnswer::SameType,
        ConfirmAnswer::Heartbeat,
    ];
    let mut cases = Vec::new();
    for lie in LIES {
        for confirm in confirms {
            for request in requests {
                for commits in [true, false] {
                    for lies in [1, 3] {
                        cases.push(((lie, confirm, request, commits, lies), is_plain(lie, request, commits)));
                    }
                }
            }
        }
    }
    let doubts = judge(cases, |&(lie, confirm, request, commits, lies)| {
        let habits = Habits { confirm, confirm_lie: Some(lie), commits_when_lying: commits, lies, ..Habits::default() };
        talk(habits, None, request)
    });
    assert_eq!(doubts, 0, "the question, asked then, is answered truly");
}

/// A partner that has thrown the batch away and says what one says that has it: before the first batch the LUWID of the batch
/// before is zero, too, and a HEARTBEAT has no number. Or it has the batch, and says what one says that has refused it.
fn is_plain(lie: Lie, request: &[(&str, &str)], commits: bool) -> bool {
    match lie {
        Lie::AskedLuwid | Lie::ZeroLuwid | Lie::OldLuwid => !commits,
        Lie::WrongNumber => !commits && request.contains(&("confirm_request_segment", "heartbeat")),
        Lie::Refusal(code) => commits && code == StatusCode::CAN_NOT_STORE,
        _ => false,
    }
}
