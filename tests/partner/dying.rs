//! The receiver's deaths: at each step, in this process and by `kill -9`; and what a sender makes of answers that are lost,
//! late or lies.

use std::time::Duration;

use mqferry::partner::receiver::{Habits, Lie, LocalQueues, Receiving, Rejection};
use mqferry::partner::{Death, Options, PartnerError, Report, Speech, Step, judge, run};
use mqferry::wire::StatusCode;

use super::pair::{CHANNEL, Pair};
use super::receiving::Child;
use super::relay::Relay;

const STEPS: [Step; 8] = [
    Step::AfterInitialData,
    Step::MessageBegun,
    Step::MessageTaken,
    Step::ConfirmRequestRead,
    Step::MidCommit,
    Step::CommittedNotConfirmed,
    Step::ConfirmHalfSent,
    Step::ConfirmSent,
];

/// Split messages and whole ones; the sender resends under its old LUWID or a new one, cut differently.
#[tokio::test]
async fn each_death_is_survived_once_and_only_once() {
    for step in STEPS {
        for (size, old_luwid) in [(100, false), (2000, true)] {
            let pair = Pair::with(45, size).await;
            let speech = Speech { max_transmission_size: 700, resend_under_old_luwid: old_luwid, ..Speech::default() };
            let options = Options { speech, first_batchsz: old_luwid.then_some(4), ..pair.sending() };
            let after = if step == Step::AfterInitialData { 0 } else { 2 };
            let die_at = Some(Death { step, after, abort: false });
            let first = pair.live(Receiving { die_at, ..pair.receiving() });
            let sender = tokio::spawn(async move { run(&options).await });
            assert!(matches!(first.died().await, PartnerError::Died(at) if at == step));
            let second = pair.live(pair.receiving());
            sender.await.unwrap().unwrap_or_else(|error| panic!("{error} after {step:?}"));
            second.kill().await;
            pair.assert_all();
        }
    }
}

/// Deaths while the question about a batch is open: asked again, and answered.
#[tokio::test]
async fn a_death_in_the_resync_is_survived() {
    for step in [Step::ResyncAsked, Step::ResyncAnswered] {
        for first_step in [Step::ConfirmRequestRead, Step::CommittedNotConfirmed] {
            let pair = Pair::with(25, 100).await;
            let options = pair.sending();
            let dying = |step| Receiving { die_at: Some(Death { step, after: 0, abort: false }), ..pair.receiving() };
            let life = pair.live(dying(first_step));
            let sender = tokio::spawn(async move { run(&options).await });
            life.died().await;
            pair.live(dying(step)).died().await;
            let life = pair.live(pair.receiving());
            sender.await.unwrap().unwrap_or_else(|error| panic!("{error} after {step:?}"));
            life.kill().await;
            pair.assert_all();
        }
    }
}

/// `kill -9` of the receiver's process, at moments that its own progress sets, and by its own hand in the middle of a
/// commit.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_is_survived_once_and_only_once() {
    let pair = Pair::with(1500, 1000).await;
    let arguments = |more: &[&str]| {
        let folder = pair.there.path().display().to_string();
        ["--no-fsync", "--folder", &folder].iter().chain(more).map(|&text| text.to_owned()).collect::<Vec<_>>()
    };
    let mut child = Child::start(&arguments(&["--die-at", "MidCommit", "--die-after", "20"]));
    let relay = Relay::start(child.address).await;
    let options = Options { address: relay.address.to_string(), retries: 3000, ..pair.sending() };
    let sender = tokio::spawn(async move { run(&options).await });
    let mut queues = LocalQueues::read(pair.there.path()).unwrap();
    let patience = tokio::time::Instant::now() + Duration::from_secs(120);
    let mut lives = 1;
    for mark in [0, 400, 500, 750, 1000, 1250] {
        loop {
            queues.refresh().unwrap();
            if child.is_over() || (mark > 0 && queues.messages().len() >= mark) {
                break;
            }
            assert!(tokio::time::Instant::now() < patience, "{} have arrived", queues.messages().len());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill9();
        child = Child::start(&arguments(&[]));
        relay.lead_to(child.address);
        lives += 1;
    }
    let report = sender.await.unwrap().unwrap();
    assert!(child.kill9(), "the last life goes on");
    pair.assert_all();
    assert_eq!(lives, 7);
    assert!(report.connections >= 2, "{report:?}");
    let remembered = pair.queues().remembered(CHANNEL, "GW");
    assert_eq!((remembered.sequence, remembered.luwid), (1500, report.luwid));
}

async fn lied_to(habits: Habits, die_at: Option<Death>) -> (Pair, Result<Report, PartnerError>) {
    let pair = Pair::with(30, 100).await;
    let silence = [habits.resync_lie, habits.confirm_lie].contains(&Some(Lie::Silence));
    let answer_timeout = Duration::from_secs(if silence { 1 } else { 30 });
    let options = Options { answer_timeout, retries: 2, ..pair.sending() };
    let life = pair.live(Receiving { die_at, ..pair.receiving() });
    if die_at.is_none() {
        life.kill().await;
        let report = pair.cross(Receiving { habits, ..pair.receiving() }, &options).await;
        return (pair, report);
    }
    let sender = tokio::spawn(async move { run(&options).await });
    life.died().await;
    let second = pair.live(Receiving { habits, ..pair.receiving() });
    let report = sender.await.unwrap();
    second.kill().await;
    (pair, report)
}

/// Each lie about a batch in doubt arrives as it was meant: the sending half (which is no judge of the gateway) stays in doubt,
/// stops, or is misled in the one way that nobody can see through.
#[tokio::test]
async fn lies_about_a_batch_in_doubt() {
    let committed = Some(Death { step: Step::CommittedNotConfirmed, after: 1, abort: false });
    let not_committed = Some(Death { step: Step::ConfirmRequestRead, after: 1, abort: false });
    let cases = [
        (Lie::WrongLuwid, committed, "AMQ9507"),
        (Lie::OldLuwid, committed, "AMQ9526"), // taken for a back-out, and then the numbers do not fit
        (Lie::SequenceError, committed, "AMQ9526"),
        (Lie::ErrorFlag, committed, "AMQ9507"),
        (Lie::OtherType, committed, "AMQ9507"),
        (Lie::BadBody, committed, "STATUS"),
        (Lie::Silence, committed, "did not answer"),
        (Lie::Close, committed, "closed the connection"),
        (Lie::Refusal(StatusCode::PROTOCOL_GENERAL), committed, "PROTOCOL_GENERAL"),
        (Lie::ZeroLuwid, not_committed, ""), // number 10 with no LUWID: taken for a back-out
        (Lie::WrongLuwid, not_committed, ""),
        (Lie::AskedLuwid, not_committed, "AMQ9526"), // believed: ten messages are lost, and the numbers tell
    ];
    for (lie, death, says) in cases {
        let habits = Habits { resync_lie: Some(lie), ..Habits::default() };
        let (pair, report) = lied_to(habits, death).await;
        match report {
            Ok(_) => {
                assert_eq!(says, "", "{lie:?}");
                pair.assert_all();
            }
            Err(error) => {
                assert!(!says.is_empty() && error.to_string().contains(says), "{lie:?}: {error}");
                let arrived = if death == committed { 20 } else { 10 };
                judge::assert_once(pair.queues().bodies("TARGET"), 1, arrived);
            }
        }
    }
}

/// And about a batch of which it just was asked; told once, then the truth.
#[tokio::test]
async fn lies_instead_of_a_confirmation() {
    for commits in [true, false] {
        for lie in [Lie::WrongLuwid, Lie::ErrorFlag, Lie::OtherType, Lie::Silence, Lie::Close] {
            let habits = Habits { confirm_lie: Some(lie), lies: 1, commits_when_lying: commits, ..Habits::default() };
            let (pair, report) = lied_to(habits, None).await;
            match report {
                Ok(report) => {
                    assert_eq!(
                        (report.resync_committed, report.resync_backed_out),
                        (commits.into(), (!commits).into())
                    );
                    pair.assert_all();
                }
                Err(error) => assert!(!error.is_worth_a_retry(), "{lie:?}: {error}"),
            }
        }
    }
}

/// A batch with a message that has no place: rejected whole, until the message is gone.
#[tokio::test]
async fn a_batch_is_rejected() {
    for (code, closes) in [(StatusCode::CAN_NOT_STORE, false), (StatusCode::BATCH_FAILURE, true)] {
        let pair = Pair::with(30, 100).await;
        let habits = Habits { rejection: Rejection { code, closes }, rejects: Some((2, 2)), ..Habits::default() };
        let life = pair.live(Receiving { habits: habits.clone(), ..pair.receiving() });
        let report = run(&pair.sending()).await.unwrap();
        let tally = life.receiver.tally();
        life.kill().await;
        pair.assert_all();
        assert_eq!((report.sent, report.connections, tally.rejected, tally.batches), (50, 3, 2, 3), "{code}");

        let pair = Pair::with(10, 100).await;
        let receiving = Receiving {
            habits,
            dead_letter_queue: false,
            unknown_queues: vec!["TARGET".to_owned()],
            ..pair.receiving()
        };
        let error = pair.cross(receiving, &Options { retries: 1, ..pair.sending() }).await.unwrap_err();
        assert!(matches!(error, PartnerError::Refused { status, .. } if status.code == Some(code)));
        assert!(pair.queues().messages().is_empty());
    }
}
