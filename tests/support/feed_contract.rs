//! What every source of messages must keep, whatever broker or store is behind it; the consuming half of
//! `target_contract`, whose fixtures it shares.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::disallowed_methods, reason = "real connections and stores run by the real clock")]

use std::ops::Range;
use std::time::{Duration, Instant};

use mqferry::channel::record::{ChannelKey, InDoubt, SendRecord};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::{
    Claim as _, Claimed, Feed, Outcome, Outlet, Source, Step, Taken, Target, TargetError, Ticket, Unit,
};

use super::target_contract::{Fixture, claim, luwid, publication, queue, record};

/// What only a test file can know of a source.
pub(crate) trait FeedFixture: Fixture<Target: Source> {
    /// Takes the first message of `queue` away, as an administrator does. No feed holds it.
    async fn remove_first(&self, queue: &str);
}

pub(crate) type FeedOf<F> = <<F as Fixture>::Target as Source>::Feed;

/// As long as a loaded machine may take.
const LONG: Duration = Duration::from_secs(60);

/// Holds a source to all clauses: side by side, for most of their time is waiting, but for the one that ends brokers.
pub(crate) async fn feed_contract<F: FeedFixture>(fixture: &F) {
    tokio::join!(
        Box::pin(order_holds_and_nothing_goes_before_its_step(fixture)),
        Box::pin(a_batch_in_doubt_is_found_again(fixture)),
        Box::pin(patterns_find_what_is_in_doubt_behind_other_queues(fixture)),
        Box::pin(what_is_in_doubt_may_be_gone(fixture)),
        Box::pin(one_feed_at_a_time(fixture)),
        Box::pin(a_refused_publication_leaves_everything(fixture)),
        Box::pin(many_are_out_and_many_more_wait(fixture)),
    );
    a_lost_answer_leaves_record_and_messages_in_step(fixture).await;
}

pub(crate) fn key(clause: &str) -> ChannelKey {
    ChannelKey { gateway: "GWTEST".into(), channel: format!("OUT.{clause}"), partner: "QMA".into() }
}

fn name(clause: &str) -> String {
    format!("CONTRACT.OUT.{clause}")
}

fn outlet(clause: &str) -> Vec<Outlet> {
    vec![Outlet::Queue(name(clause))]
}

/// The lease, within the time that one that was lost takes to be free.
pub(crate) async fn feed<F: FeedFixture>(
    fixture: &F,
    target: &F::Target,
    clause: &str,
    outlets: &[Outlet],
    ahead: usize,
) -> FeedOf<F> {
    let deadline = Instant::now() + fixture.patience().max(LONG);
    loop {
        let why = match target.feed(&key(clause), outlets, ahead).await {
            Ok(Claimed::Ours(feed)) => return feed,
            Ok(Claimed::Held(who)) => who,
            Err(error) if error.retry => error.text,
            Err(error) => panic!("{clause}: {error}"),
        };
        assert!(Instant::now() < deadline, "{clause}: no feed: {why}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Puts messages, numbered texts, where an application would; through a receiving channel of its own.
pub(crate) async fn put<F: FeedFixture>(fixture: &F, clause: &str, numbers: Range<u32>) {
    let target = fixture.target().await;
    let key = ChannelKey { gateway: "GWPUT".into(), channel: clause.into(), partner: "QMA".into() };
    let mut putter = claim(fixture, &target, &key).await;
    let mut unit = putter.begin(luwid(1)).await.unwrap();
    for (index, number) in numbers.enumerate() {
        unit.stage(index, publication(&queue(&format!("OUT.{clause}")), number)).await.unwrap();
    }
    assert_eq!(unit.settle().await.unwrap(), []);
    let outcome = unit.commit(record(luwid(1), 1..2)).await;
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    putter.release().await;
}

/// The number in a message that [`put`] has put.
pub(crate) fn number(taken: &Taken) -> u32 {
    let publication = taken.publication.as_ref().unwrap_or_else(|why| panic!("{why}"));
    let Body::Text(text) = &publication.body else { panic!("{publication:?}") };
    text.split([' ', ',']).nth(1).unwrap().parse().unwrap()
}

fn numbers(taken: &[Taken]) -> Vec<u32> {
    taken.iter().map(number).collect()
}

fn tickets(taken: &[Taken]) -> Vec<Ticket> {
    taken.iter().map(|taken| taken.ticket).collect()
}

pub(crate) async fn take<F: Feed>(feed: &mut F, count: usize) -> Vec<Taken> {
    let mut taken = Vec::new();
    let began = Instant::now();
    while taken.len() < count {
        match tokio::time::timeout(LONG, feed.next()).await {
            Ok(next) => taken.push(next.unwrap_or_else(|error| panic!("after {} messages: {error}", taken.len()))),
            Err(_) => panic!("{} of {count} messages came in {:?}", taken.len(), began.elapsed()),
        }
    }
    taken
}

/// A record with everything up to `sequence` confirmed.
pub(crate) fn confirmed(sequence: u32) -> SendRecord {
    let sequence = i32::try_from(sequence).unwrap();
    SendRecord { partner_id: "QMA_1".into(), sequence, luwid: luwid(7), in_doubt: None, tell_reset: false }
}

/// The same with a batch of so many behind it.
pub(crate) fn doubtful(sequence: u32, messages: usize) -> SendRecord {
    let last = i32::try_from(sequence as usize + messages).unwrap();
    SendRecord { in_doubt: Some(InDoubt { luwid: luwid(8), sequence: last, messages }), ..confirmed(sequence) }
}

fn committed(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
}

async fn doubt<F: Feed>(feed: &mut F, sequence: u32, batch: &[Taken]) {
    let step = Step { record: doubtful(sequence, batch.len()), in_doubt: tickets(batch), ..Step::default() };
    committed(&feed.commit(step).await);
}

async fn retire<F: Feed>(feed: &mut F, sequence: u32, batch: &[Taken]) {
    let step = Step { record: confirmed(sequence), retire: tickets(batch), ..Step::default() };
    committed(&feed.commit(step).await);
}

async fn order_holds_and_nothing_goes_before_its_step<F: FeedFixture>(fixture: &F) {
    let target = fixture.target().await;
    put(fixture, "ORDER", 1..61).await;
    let mut first = feed(fixture, &target, "ORDER", &outlet("ORDER"), 30).await;
    assert_eq!(first.record(), None, "a channel that never sent has no record");
    assert!(first.in_doubt().await.unwrap().is_empty());
    let batch = take(&mut first, 30).await;
    assert_eq!(numbers(&batch), (1..31).collect::<Vec<_>>());
    assert!(batch.iter().all(|taken| taken.from == Destination::Queue(name("ORDER")) && !taken.redelivered));
    assert!(first.ready().unwrap().is_none(), "as many are out as may be");
    first.release().await;

    let mut second = feed(fixture, &target, "ORDER", &outlet("ORDER"), 30).await;
    let batch = take(&mut second, 20).await;
    assert_eq!(numbers(&batch), (1..21).collect::<Vec<_>>(), "none was retired");
    retire(&mut second, 20, &batch).await;
    assert_eq!(second.record(), Some(&confirmed(20)));
    let unknown = Step { retire: tickets(&batch[..1]), record: confirmed(21), ..Step::default() };
    assert!(matches!(second.commit(unknown).await, Outcome::RolledBack(_)), "retired twice");
    let next = take(&mut second, 5).await;
    assert_eq!(numbers(&next), (21..26).collect::<Vec<_>>());
    retire(&mut second, 25, &next).await;
    drop(second);

    let mut third = feed(fixture, &target, "ORDER", &outlet("ORDER"), 100).await;
    assert_eq!(third.record(), Some(&confirmed(25)));
    let rest = take(&mut third, 35).await;
    assert_eq!(numbers(&rest), (26..61).collect::<Vec<_>>());
    // While it waits, more comes.
    let waiting = tokio::join!(take(&mut third, 1), put(fixture, "ORDER", 61..62)).0;
    assert_eq!(numbers(&waiting), [61]);
    third.release().await;
}

async fn a_batch_in_doubt_is_found_again<F: FeedFixture>(fixture: &F) {
    let target = fixture.target().await;
    put(fixture, "DOUBT", 1..41).await;
    let mut first = feed(fixture, &target, "DOUBT", &outlet("DOUBT"), 20).await;
    let batch = take(&mut first, 10).await;
    doubt(&mut first, 0, &batch).await;
    // One step retires this batch and has the next in doubt.
    let next = take(&mut first, 10).await;
    let step = Step { record: doubtful(10, 10), in_doubt: tickets(&next), retire: tickets(&batch), ..Step::default() };
    committed(&first.commit(step).await);
    drop(first);

    let mut second = feed(fixture, &target, "DOUBT", &outlet("DOUBT"), 20).await;
    assert_eq!(second.record(), Some(&doubtful(10, 10)));
    let found = second.in_doubt().await.unwrap();
    assert_eq!(numbers(&found), (11..21).collect::<Vec<_>>());
    let after = take(&mut second, 1).await;
    assert_eq!(numbers(&after), [21]);
    retire(&mut second, 20, &found).await;
    drop(second);

    let mut third = feed(fixture, &target, "DOUBT", &outlet("DOUBT"), 20).await;
    assert!(third.in_doubt().await.unwrap().is_empty());
    assert_eq!(numbers(&take(&mut third, 2).await), [21, 22]);
    third.release().await;
}

async fn patterns_find_what_is_in_doubt_behind_other_queues<F: FeedFixture>(fixture: &F) {
    let target = fixture.target().await;
    for (clause, numbers) in [("WILD.B", 1..6), ("WILD.C", 101..104)] {
        put(fixture, clause, numbers).await;
    }
    let pattern = vec![Outlet::Queue(name("WILD.>"))];
    let mut first = feed(fixture, &target, "WILD", &pattern, 50).await;
    let mut batch = take(&mut first, 8).await;
    // Not in the order of one queue: by number, and two queues in turn.
    batch.sort_by_key(|taken| number(taken) % 100);
    let sent = numbers(&batch);
    doubt(&mut first, 0, &batch).await;
    drop(first);
    put(fixture, "WILD.A", 201..501).await;
    put(fixture, "WILD.B", 6..9).await;

    let mut second = feed(fixture, &target, "WILD", &pattern, 50).await;
    let found = second.in_doubt().await.unwrap();
    assert_eq!(numbers(&found), sent);
    retire(&mut second, 8, &found).await;
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for _ in 0..303 {
        let taken = take(&mut second, 1).await.remove(0);
        retire(&mut second, 9, std::slice::from_ref(&taken)).await;
        let list = if taken.from == Destination::Queue(name("WILD.A")) { &mut of_a } else { &mut of_b };
        list.push(number(&taken));
    }
    assert_eq!((of_a, of_b), ((201..501).collect(), vec![6, 7, 8]));
    second.release().await;
}

async fn what_is_in_doubt_may_be_gone<F: FeedFixture>(fixture: &F) {
    let target = fixture.target().await;
    put(fixture, "GONE", 1..6).await;
    let mut first = feed(fixture, &target, "GONE", &outlet("GONE"), 10).await;
    let batch = take(&mut first, 3).await;
    doubt(&mut first, 0, &batch).await;
    first.release().await;
    fixture.remove_first(&name("GONE")).await;
    let mut second = feed(fixture, &target, "GONE", &outlet("GONE"), 10).await;
    let found = second.in_doubt().await.unwrap();
    assert_eq!(numbers(&found), [2, 3]);
    retire(&mut second, 3, &found).await;
    assert_eq!(numbers(&take(&mut second, 2).await), [4, 5]);
    second.release().await;
}

async fn one_feed_at_a_time<F: FeedFixture>(fixture: &F) {
    let (one, two) = (fixture.target().await, fixture.target().await);
    put(fixture, "LEASE", 1..4).await;
    let mut first = feed(fixture, &one, "LEASE", &outlet("LEASE"), 10).await;
    let batch = take(&mut first, 2).await;
    match two.feed(&key("LEASE"), &outlet("LEASE"), 10).await {
        Ok(Claimed::Held(who)) => assert!(!who.is_empty() && !who.contains('\n'), "{who:?}"),
        Ok(Claimed::Ours(_)) => panic!("two holders at once"),
        Err(error) => panic!("a held lease is not an error: {error}"),
    }
    assert!(matches!(two.claim(&key("LEASE")).await, Ok(Claimed::Held(_))), "one lease for both directions");
    retire(&mut first, 2, &batch).await;
    drop(first);
    let mut second = feed(fixture, &two, "LEASE", &outlet("LEASE"), 10).await;
    assert_eq!(second.record(), Some(&confirmed(2)));
    assert_eq!(numbers(&take(&mut second, 1).await), [3]);
    second.release().await;
}

async fn a_refused_publication_leaves_everything<F: FeedFixture>(fixture: &F) {
    let target = fixture.target().await;
    let refused = fixture.refused().await;
    put(fixture, "REFUSED", 1..4).await;
    let mut holder = feed(fixture, &target, "REFUSED", &outlet("REFUSED"), 10).await;
    let batch = take(&mut holder, 2).await;
    let step =
        |publish: Vec<Publication>| Step { record: confirmed(2), retire: tickets(&batch), publish, ..Step::default() };
    let dead = queue("OUT.REFUSED.DEADQ");
    let outcome = holder.commit(step(vec![publication(&dead, 1), publication(&refused, 2)])).await;
    let Outcome::Refused(TargetError { text, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(text.starts_with("publication 1 of the step was refused: MQRC 20"), "{text}");
    assert_eq!(holder.record(), None);
    // The same messages, sent elsewhere.
    committed(&holder.commit(step(vec![publication(&dead, 3)])).await);
    let rest = take(&mut holder, 1).await;
    assert_eq!(numbers(&rest), [3], "the feed goes on");
    retire(&mut holder, 3, &rest).await;
    holder.release().await;
    let left = fixture.published(&dead, 1).await;
    assert_eq!(left, super::target_contract::expected([3]));
}

/// A batch of 200 in doubt, the next of 200 taken, and 100 more, of more than 1,000: above the broker's page of 200.
async fn many_are_out_and_many_more_wait<F: FeedFixture>(fixture: &F) {
    let target = fixture.target().await;
    put(fixture, "MANY", 1..1201).await;
    let mut holder = feed(fixture, &target, "MANY", &outlet("MANY"), 500).await;
    let began = Instant::now();
    let mut out = take(&mut holder, 500).await;
    let mut seen = numbers(&out);
    let mut done = 0;
    doubt(&mut holder, 0, &out[..200]).await;
    while !out.is_empty() {
        let batch: Vec<_> = out.drain(..out.len().min(200)).collect();
        done += batch.len() as u32;
        let next = out.len().min(200);
        let record = if next > 0 { doubtful(done, next) } else { confirmed(done) };
        let step = Step { record, in_doubt: tickets(&out[..next]), retire: tickets(&batch), ..Step::default() };
        committed(&holder.commit(step).await);
        let more = (1200 - seen.len()).min(500 - out.len());
        out.extend(take(&mut holder, more).await);
        seen = seen.into_iter().chain(numbers(&out[out.len() - more..])).collect();
    }
    assert_eq!(seen, (1..1201).collect::<Vec<_>>());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(25), "the broker rested: {took:?}");
    eprintln!("1,200 messages with 500 out took {took:?}");
    assert_eq!(holder.record(), Some(&confirmed(1200)));
    holder.release().await;
}

async fn a_lost_answer_leaves_record_and_messages_in_step<F: FeedFixture>(fixture: &F) {
    let mut done = 0;
    put(fixture, "DEATH", 1..61).await;
    for round in 0..fixture.rounds().min(3) {
        let target = fixture.target().await;
        let mut holder = feed(fixture, &target, "DEATH", &outlet("DEATH"), 20).await;
        let batch = take(&mut holder, 5).await;
        assert_eq!(numbers(&batch), (done + 1..done + 6).collect::<Vec<_>>(), "round {round}");
        let step = Step { record: confirmed(done + 5), retire: tickets(&batch), ..Step::default() };
        let outcome = fixture.lose_answer(round, holder.commit(step)).await;
        drop(holder);
        let target = fixture.target().await;
        let mut holder = feed(fixture, &target, "DEATH", &outlet("DEATH"), 20).await;
        let kept = holder.record() == Some(&confirmed(done + 5));
        match outcome {
            Some(Outcome::Committed) => assert!(kept, "round {round}: answered, but the record is old"),
            Some(Outcome::RolledBack(error) | Outcome::Refused(error)) => assert!(!kept, "round {round}: {error}"),
            Some(Outcome::InDoubt(_)) | None => {}
        }
        done += if kept { 5 } else { 0 };
        assert_eq!(numbers(&take(&mut holder, 1).await), [done + 1], "round {round}: kept {kept}");
        holder.release().await;
    }
}
