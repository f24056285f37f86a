//! What a broker can do to a running channel, and that each wait ends.

use std::time::{Duration, Instant};

use base64::Engine as _;
use mqferry::mapping::{Body, PropertyMap, Publication};
use mqferry::target::record::sync_queue;
use mqferry::target::{Claim, Outcome, Target, Unit};

use super::real_target::{Amqp, OpenWire, Protocol as _, held, ours, within};
use super::support::broker::{Broker, FullStore};
use super::support::jms::{Client, receive, send};
use super::target_contract::{expected, key, luwid, publication, queue, record};

/// What notices a broken connection; generous, for the machine may be loaded.
const SOON: Duration = Duration::from_secs(30);

fn bytes(name: &str, number: u32, length: usize) -> Publication {
    let body: Vec<u8> = (0..length).map(|place| (place * 31 + place / 251) as u8).collect();
    Publication { body: Body::Bytes(body.into()), properties: PropertyMap::new(), ..publication(&queue(name), number) }
}

async fn commit<C: Claim>(claim: &mut C, name: &str, batch: u32) {
    let mut unit = claim.begin(luwid(batch)).await.unwrap();
    unit.stage(0, publication(&queue(name), batch)).await.unwrap();
    assert_eq!(unit.settle().await.unwrap(), []);
    let outcome = unit.commit(record(luwid(batch), batch..batch + 1)).await;
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
}

/// One broker for what does it no harm.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_channel_bears_what_it_must_and_stops_at_what_it_must_not() {
    let broker = Broker::builder().max_frame(24 * 1024 * 1024).heap_mb(1024).start();
    large_messages_arrive_whole_and_too_large_ones_are_refused_alone(&broker).await;
    two_protocols_exclude_each_other_and_read_each_others_record(&broker).await;
    barriers_of_waiting_starters_do_not_disturb_the_holder(&broker).await;
    a_foreign_record_stops_the_holder_and_the_next_claim(&broker).await;
    a_foreign_consumer_of_the_record_keeps_the_lease_from_us(&broker).await;
    version_9_carries_the_lease_too(&broker).await;
    an_idle_claim_is_kept_alive_and_a_silent_broker_is_noticed(&broker).await;
}

async fn large_messages_arrive_whole_and_too_large_ones_are_refused_alone(broker: &Broker) {
    let target = OpenWire::target(&broker.openwire_url(), None);
    let mut claim = ours(&target, "LARGE").await;
    assert_eq!(claim.max_message_bytes(), Some(24 * 1024 * 1024 - 64 * 1024), "the connector tells it");
    let lengths = [10 * 1024 * 1024, 128 * 1024, 1, 0, 131_072 - 200];
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    for (index, length) in lengths.into_iter().enumerate() {
        unit.stage(index, bytes("LARGE", 1 + index as u32, length)).await.unwrap();
    }
    unit.stage(7, bytes("LARGE", 8, 24 * 1024 * 1024)).await.unwrap();
    unit.stage(8, publication(&queue("LARGE.AFTER"), 9)).await.unwrap();
    let refusals = unit.settle().await.unwrap();
    let [(7, refusal)] = &refusals[..] else { panic!("{refusals:?}") };
    assert!(refusal.reason == 2030 && refusal.text.contains("raise wireFormat.maxFrameSize"), "{refusal}");
    assert!(matches!(unit.commit(record(luwid(1), 1..6)).await, Outcome::Committed));
    claim.release().await;
    let got = receive(Client::ActiveMq, broker, "CONTRACT.LARGE").with("count", 5).messages();
    for (message, length) in got.iter().zip(lengths) {
        let found = base64::prelude::BASE64_STANDARD.decode(message.base64.as_deref().unwrap()).unwrap();
        let Body::Bytes(wanted) = bytes("LARGE", 1, length).body else { unreachable!() };
        assert!(found == wanted, "{length} bytes arrived changed ({} came)", found.len());
    }
}

async fn two_protocols_exclude_each_other_and_read_each_others_record(broker: &Broker) {
    let openwire = OpenWire::target(&broker.openwire_url(), None);
    let amqp = Amqp::target(&broker.amqp_url(), None);
    let mut claim = ours(&openwire, "BOTH").await;
    commit(&mut claim, "BOTH", 1).await;
    held(&amqp, "BOTH").await;
    claim.release().await;
    let mut claim = ours(&amqp, "BOTH").await;
    assert_eq!(claim.record(), Some(&record(luwid(1), 1..2)));
    commit(&mut claim, "BOTH", 2).await;
    held(&openwire, "BOTH").await;
    claim.release().await;
    let claim = ours(&openwire, "BOTH").await;
    assert_eq!(claim.record(), Some(&record(luwid(2), 2..3)));
    claim.release().await;
}

async fn barriers_of_waiting_starters_do_not_disturb_the_holder(broker: &Broker) {
    let target = OpenWire::target(&broker.openwire_url(), None);
    let mut claim = ours(&target, "BARRIERS").await;
    for batch in 1..4u32 {
        // More than the window holds.
        send(Client::ActiveMq, broker, &sync_queue(&key("BARRIERS")))
            .with("text", format!("starter {batch}"))
            .with("type", "barrier")
            .with("count", 8)
            .sent();
        commit(&mut claim, "BARRIERS", batch).await;
    }
    claim.release().await;
    let claim = ours(&target, "BARRIERS").await;
    assert_eq!(claim.record(), Some(&record(luwid(3), 3..4)));
    claim.release().await;
}

async fn a_foreign_record_stops_the_holder_and_the_next_claim(broker: &Broker) {
    let target = OpenWire::target(&broker.openwire_url(), None);
    let mut claim = ours(&target, "STRAY").await;
    send(Client::ActiveMq, broker, &sync_queue(&key("STRAY"))).with("text", "I am no record").sent();
    let error = within(SOON, "noticing", claim.lost()).await;
    assert!(!error.retry && error.text.contains("MQFERRY.SYNC.GWTEST.STRAY.QMA"), "{error:?}");
    assert!(claim.begin(luwid(1)).await.is_err(), "nothing moves any more");
    claim.release().await;
    let Err(error) = target.claim(&key("STRAY")).await else { panic!("a person must look") };
    assert!(!error.retry && error.text.contains("no record of this channel"), "{error:?}");
}

async fn a_foreign_consumer_of_the_record_keeps_the_lease_from_us(broker: &Broker) {
    let target = OpenWire::target(&broker.openwire_url(), None);
    let mut claim = ours(&target, "FOREIGN").await;
    commit(&mut claim, "FOREIGN", 1).await;
    claim.release().await;
    let name = format!("{}?consumer.exclusive=true", sync_queue(&key("FOREIGN")));
    // Takes the record and whatever follows, and is an exclusive consumer, so that we get nothing.
    let foreign = receive(Client::ActiveMq, broker, &name).with("idle-ms", 90_000).start();
    let who = held(&target, "FOREIGN").await;
    assert!(who.contains("another consumer"), "{who}");
    drop(foreign);
}

async fn version_9_carries_the_lease_too(broker: &Broker) {
    let target = OpenWire::target(&format!("{}?wireFormat.version=9", broker.openwire_url()), None);
    let mut claim = ours(&target, "VERSION9").await;
    commit(&mut claim, "VERSION9", 1).await;
    claim.release().await;
    let claim = ours(&OpenWire::target(&broker.openwire_url(), None), "VERSION9").await;
    assert_eq!(claim.record(), Some(&record(luwid(1), 1..2)));
    claim.release().await;
}

async fn an_idle_claim_is_kept_alive_and_a_silent_broker_is_noticed(broker: &Broker) {
    let options = "wireFormat.maxInactivityDuration=4000&wireFormat.maxInactivityDurationInitalDelay=1000";
    let target = OpenWire::target(&format!("{}?{options}", broker.openwire_url()), None);
    let mut claim = ours(&target, "IDLE").await;
    commit(&mut claim, "IDLE", 1).await;
    // Long enough for the record to be back, too.
    let idle = tokio::time::timeout(Duration::from_secs(11), claim.lost()).await;
    assert!(idle.is_err(), "keep-alives keep it: {idle:?}");
    broker.freeze();
    let error = within(SOON, "noticing", claim.lost()).await;
    assert!(error.retry && error.text.contains("nothing came from the broker"), "{error:?}");
    broker.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_refusal_has_its_reason_code_and_concerns_itself_alone() {
    let broker = Broker::builder()
        .user("admin", "admin", "admins")
        .user("app", "secret", "apps")
        .grant("queue://MQFERRY.>", "apps", "apps", "apps")
        .grant("queue://CONTRACT.>", "apps", "apps", "apps")
        .grant("queue://NOCREATE", "apps", "apps", "admins")
        .grant("topic://ActiveMQ.Advisory.>", "apps", "apps", "apps")
        .start();
    let target = OpenWire::target(&broker.openwire_url(), Some(("app", "secret")));
    let mut claim = ours(&target, "REASONS").await;
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    let to = |name: &str, number| publication(&name.parse().unwrap(), number);
    unit.stage(0, to("queue://CONTRACT.REASONS", 1)).await.unwrap();
    unit.stage(1, to("queue://SECRET", 2)).await.unwrap();
    unit.stage(2, to("queue://NOCREATE", 3)).await.unwrap();
    unit.stage(3, to("temp-queue://ID:nobody-1-2-3:4:5", 4)).await.unwrap();
    unit.stage(4, to("queue://CONTRACT.REASONS", 5)).await.unwrap();
    let refusals = unit.settle().await.unwrap();
    let codes: Vec<_> = refusals.iter().map(|(index, refusal)| (*index, refusal.reason)).collect();
    assert_eq!(codes, [(1, 2035), (2, 2035), (3, 2085)], "{refusals:?}");
    assert!(refusals[0].1.text.contains("SECRET"), "the broker's own words: {refusals:?}");
    assert!(matches!(unit.commit(record(luwid(1), [1, 5])).await, Outcome::Committed));
    drop(claim);
    let got = receive(Client::ActiveMq, &broker, "CONTRACT.REASONS").with("user", "app").with("password", "secret");
    assert_eq!(got.with("count", 2).messages().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_with_queue_full_and_nothing_is_lost() {
    let mut broker = Broker::builder().store_limit(40 * 1024 * 1024, FullStore::Fail).start();
    let target = OpenWire::target(&broker.openwire_url(), None);
    let mut claim = ours(&target, "FULL").await;
    let (mut kept, mut full) = (0, None);
    for batch in 1..40u32 {
        let mut unit = claim.begin(luwid(batch)).await.unwrap();
        unit.stage(0, bytes("FULL", batch, 4 * 1024 * 1024)).await.unwrap();
        let refusals = unit.settle().await.unwrap();
        if let Some((_, refusal)) = refusals.into_iter().next() {
            full = Some((refusal.reason, refusal.text));
            unit.rollback().await;
            break;
        }
        match unit.commit(record(luwid(batch), batch..batch + 1)).await {
            Outcome::Committed => kept += 1,
            // The record's own place was the one too many; nothing of the batch is kept.
            Outcome::RolledBack(error) | Outcome::Refused(error) | Outcome::InDoubt(error) => {
                full = Some((2053, error.text));
                break;
            }
        }
    }
    let (reason, text) = full.expect("the store is full at last");
    assert_eq!(reason, 2053, "{text}");
    assert!(kept > 0);
    assert_eq!(broker.depth("CONTRACT.FULL"), kept, "all that was answered, and no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_holds_its_answers_back_slows_us_and_ends_in_bounded_time() {
    let mut broker = Broker::builder().store_limit(40 * 1024 * 1024, FullStore::Block).start();
    let target = OpenWire::target(&broker.openwire_url(), None);
    let mut claim = ours(&target, "HELD.BACK").await;
    let (mut kept, mut slow) = (0, None);
    for batch in 1..40u32 {
        let began = Instant::now();
        let mut unit = claim.begin(luwid(batch)).await.unwrap();
        // Staging waits when 8 MiB are on the way, so the broker's wait becomes ours.
        let staged = async {
            for index in 0..4u32 {
                unit.stage(index as usize, bytes("HELD.BACK", batch, 4 * 1024 * 1024)).await?;
            }
            unit.settle().await
        };
        match within(Duration::from_secs(60), "a batch", staged).await {
            Ok(refusals) => assert_eq!(refusals, []),
            Err(error) => {
                slow = Some((error, began.elapsed()));
                break;
            }
        }
        match within(Duration::from_secs(60), "a commit", unit.commit(record(luwid(batch), batch..batch + 1))).await {
            Outcome::Committed => kept += 4,
            Outcome::RolledBack(error) | Outcome::Refused(error) | Outcome::InDoubt(error) => {
                slow = Some((error, began.elapsed()));
                break;
            }
        }
    }
    let (error, took) = slow.expect("the store is full at last");
    assert!(error.retry && error.text.contains("store or memory may be full"), "{error:?}");
    assert!(took >= Duration::from_secs(4), "it waited first: {took:?}");
    drop(claim);
    assert!(kept > 0);
    assert_eq!(broker.depth("CONTRACT.HELD.BACK"), kept, "all that was answered, and no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_or_frozen_within_a_unit_is_noticed_in_bounded_time() {
    let mut broker = Broker::start();
    let target = OpenWire::target(&broker.openwire_url(), None);
    let mut claim = ours(&target, "KILLED").await;
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    unit.stage(0, publication(&queue("KILLED"), 1)).await.unwrap();
    unit.settle().await.unwrap();
    broker.kill9();
    within(SOON, "noticing", async {
        let mut index = 1;
        while unit.stage(index, publication(&queue("KILLED"), 2)).await.is_ok() && unit.settle().await.is_ok() {
            index += 1;
        }
    })
    .await;
    let outcome = within(SOON, "the commit", unit.commit(record(luwid(1), 1..2))).await;
    assert!(matches!(&outcome, Outcome::RolledBack(error) if error.retry), "nothing was committed: {outcome:?}");
    let Err(error) = claim.begin(luwid(2)).await else { panic!("the claim is finished") };
    assert!(error.retry, "{error:?}");
    within(SOON, "the drop", async { drop(claim) }).await;
    broker.restart();
    let mut claim = ours(&target, "KILLED").await;
    assert_eq!(claim.record(), None);
    assert_eq!(broker.depth("CONTRACT.KILLED"), 0);

    let mut unit = claim.begin(luwid(1)).await.unwrap();
    unit.stage(0, publication(&queue("KILLED"), 1)).await.unwrap();
    assert_eq!(unit.settle().await.unwrap(), []);
    broker.freeze();
    let outcome = within(SOON, "the commit", unit.commit(record(luwid(1), 1..2))).await;
    // The commit is on the wire: only the record can say.
    assert!(matches!(&outcome, Outcome::InDoubt(error) if error.retry), "{outcome:?}");
    let frozen = within(SOON, "a claim", target.claim(&key("OTHER"))).await;
    assert!(matches!(&frozen, Err(error) if error.retry), "{frozen:?}");
    drop(claim);
    broker.thaw();
    let claim = ours(&target, "KILLED").await;
    let there = broker.depth("CONTRACT.KILLED");
    match claim.record() {
        Some(found) => assert_eq!((found, there), (&record(luwid(1), 1..2), 1)),
        None => assert_eq!(there, 0),
    }
    let kept: Vec<_> = receive(Client::ActiveMq, &broker, "CONTRACT.KILLED").with("count", there).messages();
    let kept: Vec<_> = kept.into_iter().map(|it| (it.id.unwrap(), it.text.unwrap())).collect();
    assert_eq!(kept, expected(1..1 + there as u32));
}
