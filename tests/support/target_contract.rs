//! What every target must keep, whatever broker or store is behind it.
//!
//! A target's test file implements [`Fixture`] and calls [`contract`]. The reading side of the fixture should be
//! somebody else's client where there is one, for a target that misreads its own writing must not pass.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::disallowed_methods, reason = "real connections and stores run by the real clock")]

use std::future::Future;
use std::time::{Duration, Instant};

use mqferry::channel::record::{ChannelKey, MessageName, SyncRecord};
use mqferry::mapping::{Body, Destination, PropertyMap, Publication};
use mqferry::target::{Answers, Claim, Claimed, Outcome, Target, Unit};
use mqferry::wire::Luwid;

/// The target under test, and what only its test file can know.
pub(crate) trait Fixture {
    /// The target.
    type Target: Target;

    /// A gateway's road to the one store behind this fixture. Each call may stand for another gateway process.
    async fn target(&self) -> Self::Target;

    /// What lies at `destination` as `(message id, text)`, in order. Waits until there are `at_least` so many, for a
    /// bounded time; then gives all there are, so one too many shows. May consume what it gives.
    async fn published(&self, destination: &Destination, at_least: usize) -> Vec<(String, String)>;

    /// A destination at which the target refuses a publication, that one alone.
    async fn refused(&self) -> Destination;

    /// Drives `commit` and makes its answer get lost, or the other end die, somewhere around it, in a way that
    /// varies with `round`; then brings everything back up. Gives the outcome if one came all the same.
    async fn lose_answer<C: Future<Output = Outcome> + Send>(&self, round: u32, commit: C) -> Option<Outcome>;

    /// How often to try [`Fixture::lose_answer`].
    fn rounds(&self) -> u32 {
        12
    }

    /// Longest time in which a lease must be free again after its holder is gone.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }
}

/// Holds a target to all clauses: side by side, for most of their time is waiting, but for the one that ends brokers.
pub(crate) async fn contract<F: Fixture>(fixture: &F) {
    tokio::join!(
        Box::pin(a_first_claim_has_no_record_and_a_commit_shows_all_in_order(fixture)),
        Box::pin(nothing_shows_before_the_commit_nor_after_rollback_or_drop(fixture)),
        Box::pin(one_holder_at_a_time(fixture)),
        Box::pin(a_refusal_concerns_one_publication_alone(fixture)),
        Box::pin(a_refusal_at_the_commit(fixture)),
        Box::pin(two_channels_do_not_wait_for_each_other(fixture)),
    );
    a_lost_answer_leaves_both_or_neither(fixture).await;
}

async fn a_refusal_at_the_commit<F: Fixture>(fixture: &F) {
    let mut holder = claim(fixture, &fixture.target().await, &key("AT.COMMIT")).await;
    let answers =
        a_refusal_at_the_commit_leaves_nothing_and_the_claim_as_it_was(&mut holder, &fixture.refused().await).await;
    holder.release().await;
    if answers == Answers::AtCommit {
        assert_eq!(fixture.published(&queue("AT.COMMIT"), 4).await, expected([10, 1, 3, 4]));
    }
}

/// A channel of its own for each clause.
pub(crate) fn key(clause: &str) -> ChannelKey {
    ChannelKey { gateway: "GWTEST".into(), channel: clause.into(), partner: "QMA".into() }
}

/// A queue of its own for each clause.
pub(crate) fn queue(clause: &str) -> Destination {
    Destination::Queue(format!("CONTRACT.{clause}"))
}

/// A small persistent text message with a number in it.
pub(crate) fn publication(destination: &Destination, number: u32) -> Publication {
    Publication {
        destination: destination.clone(),
        persistent: true,
        priority: 4,
        expires_at_ms: None,
        message_id: Some(message_id(number)),
        correlation_id: None,
        reply_to: None,
        message_type: None,
        group_id: None,
        group_sequence: None,
        user_id: None,
        timestamp_ms: Some(1_034_148_883_000),
        properties: PropertyMap::new(),
        body: Body::Text(text(number)),
    }
}

fn message_id(number: u32) -> String {
    format!("ID:414d5120514d4120{number:032x}")
}

fn text(number: u32) -> String {
    format!("message {number}, with a ü and a €")
}

/// What [`Fixture::published`] must give for these numbers.
pub(crate) fn expected(numbers: impl IntoIterator<Item = u32>) -> Vec<(String, String)> {
    numbers.into_iter().map(|number| (message_id(number), text(number))).collect()
}

/// A record that names these messages as the last batch.
pub(crate) fn record(luwid: Luwid, numbers: impl IntoIterator<Item = u32>) -> SyncRecord {
    let last_batch: Vec<_> = numbers
        .into_iter()
        .map(|number| {
            let mut msg_id = *b"AMQ QMA \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
            msg_id[20..].copy_from_slice(&number.to_be_bytes());
            MessageName { sequence: i32::try_from(number).unwrap(), msg_id }
        })
        .collect();
    SyncRecord {
        partner_id: "QMA_2019-12-05_11.17.01".into(),
        sequence: last_batch.last().map_or(0, |name| name.sequence),
        luwid,
        last_batch,
        after_reset: false,
        at_heartbeat: None,
    }
}

/// The LUWID of the batch with this number.
pub(crate) fn luwid(batch: u32) -> Luwid {
    let mut bytes = [0x3d; 8];
    bytes[4..].copy_from_slice(&batch.to_be_bytes());
    Luwid(bytes)
}

/// Claims, trying again while the lease is held or the target is still coming back, within the fixture's patience.
pub(crate) async fn claim<F: Fixture>(
    fixture: &F,
    target: &F::Target,
    key: &ChannelKey,
) -> <F::Target as Target>::Claim {
    let deadline = Instant::now() + fixture.patience();
    loop {
        let why = match target.claim(key).await {
            Ok(Claimed::Ours(claim)) => return claim,
            Ok(Claimed::Held(who)) => who,
            Err(error) if error.retry => error.text,
            Err(error) => panic!("claim of {key:?} failed for good: {error}"),
        };
        assert!(Instant::now() < deadline, "no lease on {key:?} within {:?}: {why}", fixture.patience());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn commit_batch<C: Claim>(claim: &mut C, batch: u32, queue: &Destination, numbers: std::ops::Range<u32>) {
    let mut unit = claim.begin(luwid(batch)).await.unwrap();
    for (index, number) in numbers.clone().enumerate() {
        unit.stage(index, publication(queue, number)).await.unwrap();
    }
    assert_eq!(unit.settle().await.unwrap(), []);
    let outcome = unit.commit(record(luwid(batch), numbers)).await;
    assert!(matches!(outcome, Outcome::Committed), "batch {batch}: {outcome:?}");
}

async fn a_first_claim_has_no_record_and_a_commit_shows_all_in_order<F: Fixture>(fixture: &F) {
    let (key, queue) = (key("ORDER"), queue("ORDER"));
    let target = fixture.target().await;
    let mut first = claim(fixture, &target, &key).await;
    assert_eq!(first.record(), None, "a channel that never ran has no record");
    commit_batch(&mut first, 1, &queue, 1..51).await;
    assert_eq!(first.record(), Some(&record(luwid(1), 1..51)), "the claim knows what it committed");
    commit_batch(&mut first, 2, &queue, 51..52).await;
    commit_batch(&mut first, 3, &queue, 52..302).await;
    first.release().await;
    assert_eq!(fixture.published(&queue, 301).await, expected(1..302));
    let again = claim(fixture, &target, &key).await;
    assert_eq!(again.record(), Some(&record(luwid(3), 52..302)), "the record of the last batch stays");
}

async fn nothing_shows_before_the_commit_nor_after_rollback_or_drop<F: Fixture>(fixture: &F) {
    let (key, queue) = (key("ROLLBACK"), queue("ROLLBACK"));
    let target = fixture.target().await;
    let mut holder = claim(fixture, &target, &key).await;
    commit_batch(&mut holder, 1, &queue, 1..2).await;

    let mut unit = holder.begin(luwid(2)).await.unwrap();
    unit.stage(0, publication(&queue, 90)).await.unwrap();
    unit.settle().await.unwrap();
    assert_eq!(fixture.published(&queue, 1).await, expected(1..2), "staged is not visible");
    unit.rollback().await;

    let mut unit = holder.begin(luwid(3)).await.unwrap();
    unit.stage(0, publication(&queue, 91)).await.unwrap();
    drop(unit);

    let mut unit = holder.begin(luwid(4)).await.unwrap();
    unit.stage(0, publication(&queue, 92)).await.unwrap();
    unit.settle().await.unwrap();
    drop(unit);
    // Whatever the claim does about the dropped units, it must either go on, or be claimed anew.
    let goes_on = match holder.begin(luwid(5)).await {
        Ok(unit) => {
            unit.rollback().await;
            true
        }
        Err(_) => false,
    };
    if !goes_on {
        drop(holder);
        holder = claim(fixture, &target, &key).await;
    }
    assert_eq!(holder.record(), Some(&record(luwid(1), 1..2)), "the record is that of the last commit");
    let queue = self::queue("ROLLBACK.2");
    commit_batch(&mut holder, 6, &queue, 2..4).await;
    assert_eq!(fixture.published(&queue, 2).await, expected(2..4));
    assert_eq!(
        fixture.published(&self::queue("ROLLBACK"), 0).await.iter().filter(|it| **it != expected(1..2)[0]).count(),
        0,
        "nothing of a unit that was given up may ever show"
    );
}

async fn one_holder_at_a_time<F: Fixture>(fixture: &F) {
    let (key, queue) = (key("LEASE"), queue("LEASE"));
    let (one, two) = (fixture.target().await, fixture.target().await);
    let mut first = claim(fixture, &one, &key).await;
    let started = Instant::now();
    match two.claim(&key).await {
        Ok(Claimed::Held(who)) => assert!(!who.is_empty() && !who.contains('\n'), "one line that says who: {who:?}"),
        Ok(Claimed::Ours(_)) => panic!("two holders at once"),
        Err(error) => panic!("a held lease is not an error: {error}"),
    }
    assert!(started.elapsed() < fixture.patience(), "the second claim hung");
    commit_batch(&mut first, 1, &queue, 1..3).await;

    // With a unit open, too.
    let mut unit = first.begin(luwid(2)).await.unwrap();
    unit.stage(0, publication(&queue, 3)).await.unwrap();
    unit.settle().await.unwrap();
    assert!(matches!(two.claim(&key).await, Ok(Claimed::Held(_))), "held while a unit is open");
    drop(unit);
    drop(first);

    let second = claim(fixture, &two, &key).await;
    assert_eq!(second.record(), Some(&record(luwid(1), 1..3)));
    assert_eq!(fixture.published(&queue, 2).await, expected(1..3));
}

async fn a_refusal_concerns_one_publication_alone<F: Fixture>(fixture: &F) {
    let (key, queue) = (key("REFUSAL"), queue("REFUSAL"));
    let target = fixture.target().await;
    let mut holder = claim(fixture, &target, &key).await;
    let refused = fixture.refused().await;
    let mut unit = holder.begin(luwid(1)).await.unwrap();
    unit.stage(10, publication(&queue, 1)).await.unwrap();
    unit.stage(11, publication(&refused, 2)).await.unwrap();
    unit.stage(12, publication(&queue, 3)).await.unwrap();
    let refusals = unit.settle().await.unwrap();
    assert_eq!(refusals.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [11], "{refusals:?}");
    let refusal = &refusals[0].1;
    assert!((2001..=2999).contains(&refusal.reason) && !refusal.text.is_empty(), "an MQRC and a reason: {refusal:?}");
    // The unit is usable: the refused message goes elsewhere instead, in the same unit.
    let elsewhere = self::queue("REFUSAL.DEADQ");
    unit.stage(11, publication(&elsewhere, 2)).await.unwrap();
    unit.stage(13, publication(&queue, 4)).await.unwrap();
    assert_eq!(unit.settle().await.unwrap(), [], "each refusal is told once");
    let outcome = unit.commit(record(luwid(1), 1..5)).await;
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    assert_eq!(fixture.published(&queue, 3).await, expected([1, 3, 4]));
    assert_eq!(fixture.published(&elsewhere, 1).await, expected([2]));
}

/// A target that answers for a batch with its commit alone: a batch with a message that it refuses leaves nothing, as often
/// as it is tried, and the claim goes on to stage it message by message. Four messages are then in queue `AT.COMMIT`, in
/// the order 10, 1, 3, 4. Others do nothing here.
pub(crate) async fn a_refusal_at_the_commit_leaves_nothing_and_the_claim_as_it_was<C: Claim>(
    holder: &mut C,
    refused: &Destination,
) -> Answers {
    let queue = queue("AT.COMMIT");
    let mut unit = holder.begin(luwid(1)).await.unwrap();
    if unit.answers(Answers::AtCommit) == Answers::Each {
        unit.rollback().await;
        return Answers::Each;
    }
    unit.stage(0, publication(&queue, 10)).await.unwrap();
    assert_eq!(unit.settle().await.unwrap(), []);
    assert!(matches!(unit.commit(record(luwid(1), [10])).await, Outcome::Committed));
    for round in 0..3u32 {
        let mut unit = holder.begin(luwid(2)).await.unwrap();
        assert_eq!(unit.answers(Answers::AtCommit), Answers::AtCommit);
        unit.stage(0, publication(&queue, 1)).await.unwrap();
        unit.stage(1, publication(refused, 2)).await.unwrap();
        // Enough to be on the wire long before the commit, too.
        let more = if round == 1 { 200 } else { 1 };
        for index in 0..more {
            unit.stage(2 + index, publication(&queue, 3)).await.unwrap();
        }
        assert_eq!(unit.settle().await.unwrap(), [], "nothing is told before the commit");
        let outcome = unit.commit(record(luwid(2), 1..4)).await;
        assert!(matches!(&outcome, Outcome::Refused(error) if error.retry), "{outcome:?}");
        assert_eq!(holder.record(), Some(&record(luwid(1), [10])));
    }
    let mut unit = holder.begin(luwid(2)).await.unwrap();
    for (index, destination) in [&queue, refused, &queue].into_iter().enumerate() {
        unit.stage(index, publication(destination, 1 + index as u32)).await.unwrap();
    }
    let refusals = unit.settle().await.unwrap();
    assert_eq!(refusals.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1], "{refusals:?}");
    assert!(matches!(unit.commit(record(luwid(2), 1..4)).await, Outcome::Committed));
    // And at full speed again; a unit that is given up leaves nothing either way.
    for (number, staged) in [(90, 1), (91, 200)] {
        let mut unit = holder.begin(luwid(3)).await.unwrap();
        unit.answers(Answers::AtCommit);
        for index in 0..staged {
            unit.stage(index, publication(&queue, number)).await.unwrap();
        }
        if staged == 1 { drop(unit) } else { unit.rollback().await }
    }
    let mut unit = holder.begin(luwid(3)).await.unwrap();
    unit.answers(Answers::AtCommit);
    unit.stage(0, publication(&queue, 4)).await.unwrap();
    assert!(matches!(unit.commit(record(luwid(3), [4])).await, Outcome::Committed));
    Answers::AtCommit
}

async fn two_channels_do_not_wait_for_each_other<F: Fixture>(fixture: &F) {
    let target = fixture.target().await;
    let both = async {
        let mut a = claim(fixture, &target, &key("PAIR.A")).await;
        let mut b = claim(fixture, &target, &key("PAIR.B")).await;
        let mut unit_a = a.begin(luwid(1)).await.unwrap();
        let mut unit_b = b.begin(luwid(1)).await.unwrap();
        for number in 1..6 {
            unit_a.stage(number as usize, publication(&queue("PAIR.A"), number)).await.unwrap();
            unit_b.stage(number as usize, publication(&queue("PAIR.B"), number)).await.unwrap();
        }
        assert_eq!(unit_a.settle().await.unwrap(), []);
        assert_eq!(unit_b.settle().await.unwrap(), []);
        // B commits while A is still open, then A.
        assert!(matches!(unit_b.commit(record(luwid(1), 1..6)).await, Outcome::Committed));
        assert!(matches!(unit_a.commit(record(luwid(1), 1..6)).await, Outcome::Committed));
    };
    tokio::time::timeout(fixture.patience(), both).await.expect("two open units block each other");
    assert_eq!(fixture.published(&queue("PAIR.A"), 5).await, expected(1..6));
    assert_eq!(fixture.published(&queue("PAIR.B"), 5).await, expected(1..6));
}

async fn a_lost_answer_leaves_both_or_neither<F: Fixture>(fixture: &F) {
    let key = key("DOUBT");
    let mut before: Option<SyncRecord> = None;
    for round in 0..fixture.rounds() {
        let queue = queue(&format!("DOUBT.{round}"));
        let target = fixture.target().await;
        let mut holder = claim(fixture, &target, &key).await;
        assert_eq!(holder.record(), before.as_ref(), "round {round}: the record as it was left");
        let first = 10 * round + 1;
        let new = record(luwid(round), first..first + 5);
        let outcome = match holder.begin(luwid(round)).await {
            Ok(mut unit) => {
                unit.answers(if round % 2 == 1 { Answers::AtCommit } else { Answers::Each });
                for number in first..first + 5 {
                    unit.stage(number as usize, publication(&queue, number)).await.unwrap();
                }
                assert_eq!(unit.settle().await.unwrap(), []);
                fixture.lose_answer(round, unit.commit(new.clone())).await
            }
            Err(error) => panic!("round {round}: {error}"),
        };
        drop(holder);

        let target = fixture.target().await;
        let holder = claim(fixture, &target, &key).await;
        let kept = holder.record() == Some(&new);
        if !kept {
            assert_eq!(holder.record(), before.as_ref(), "round {round}: neither the old record nor the new");
        }
        match outcome {
            Some(Outcome::Committed) => assert!(kept, "round {round}: answered committed, but the record is old"),
            Some(Outcome::RolledBack(error) | Outcome::Refused(error)) => {
                assert!(!kept, "round {round}: answered {error}, but it is there")
            }
            Some(Outcome::InDoubt(_)) | None => {}
        }
        let there = fixture.published(&queue, if kept { 5 } else { 0 }).await;
        let wanted = if kept { expected(first..first + 5) } else { Vec::new() };
        assert_eq!(there, wanted, "round {round}: record {}", if kept { "new" } else { "old" });
        before = holder.record().cloned();
        drop(holder);
    }
}
