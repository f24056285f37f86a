//! What a broker can do to a running channel, and that each wait ends.

use std::time::Duration;

use mqferry::mapping::{Body, PropertyMap, Publication};
use mqferry::target::record::sync_queue;
use mqferry::target::{Claim, Claimed, Outcome, Target, Unit};

use super::real_target::{ours, within};
use super::support::broker::{Broker, FullStore};
use super::support::jms::{Client, receive, send};
use super::target;
use super::target_contract::{expected, key, luwid, publication, queue, record};

fn bytes(name: &str, number: u32, length: usize) -> Publication {
    let body: Vec<u8> = (0..length).map(|place| (place * 31 + place / 251) as u8).collect();
    Publication { body: Body::Bytes(body.into()), properties: PropertyMap::new(), ..publication(&queue(name), number) }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_go_in_many_frames() {
    let broker = Broker::builder().heap_mb(1024).start();
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "LARGE").await;
    let lengths = [10 * 1024 * 1024, 128 * 1024, 1, 0, 131_072 - 200];
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    for (index, length) in lengths.into_iter().enumerate() {
        unit.stage(index, bytes("LARGE", 1 + index as u32, length)).await.unwrap();
    }
    assert_eq!(unit.settle().await.unwrap(), []);
    assert!(matches!(unit.commit(record(luwid(1), 1..6)).await, Outcome::Committed));
    let got = receive(Client::ActiveMq, &broker, "CONTRACT.LARGE").with("count", 5).messages();
    let found: Vec<Vec<u8>> = got
        .iter()
        .map(|message| {
            use base64::Engine as _;
            base64::prelude::BASE64_STANDARD.decode(message.base64.as_deref().unwrap()).unwrap()
        })
        .collect();
    for (found, length) in found.iter().zip(lengths) {
        let Body::Bytes(wanted) = bytes("LARGE", 1, length).body else { unreachable!() };
        assert_eq!(found.len(), length);
        assert!(*found == wanted, "{length} bytes arrived changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_above_the_brokers_limit_breaks_one_connection_and_is_then_refused_alone() {
    let broker = Broker::builder().max_frame(1024 * 1024).start();
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "LIMIT").await;
    assert_eq!(claim.max_message_bytes(), None, "the connector does not tell it");
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    let staged = unit.stage(0, bytes("LIMIT", 2, 2 * 1024 * 1024)).await;
    let error = match staged {
        Ok(()) => unit.settle().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(error.retry && error.text.contains("raise wireFormat.maxFrameSize"), "{error:?}");
    drop(unit);
    drop(claim);

    let mut claim = ours(&target, "LIMIT").await;
    assert_eq!(claim.max_message_bytes(), Some(2 * 1024 * 1024 - 1), "learned");
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    unit.stage(0, publication(&queue("LIMIT"), 1)).await.unwrap();
    unit.stage(1, bytes("LIMIT", 2, 2 * 1024 * 1024)).await.unwrap();
    unit.stage(2, publication(&queue("LIMIT"), 3)).await.unwrap();
    let refusals = unit.settle().await.unwrap();
    assert!(matches!(&refusals[..], [(1, refusal)] if refusal.reason == 2030), "{refusals:?}");
    assert!(matches!(unit.commit(record(luwid(1), 1..4)).await, Outcome::Committed));
    let got = receive(Client::Qpid, &broker, "CONTRACT.LIMIT").with("count", 2).messages();
    let got: Vec<_> = got.into_iter().map(|message| (message.id.unwrap(), message.text.unwrap())).collect();
    assert_eq!(got, expected([1, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_claim_is_kept_alive_and_a_silent_broker_is_noticed() {
    let broker = Broker::builder().amqp_option("transport.wireFormat.idleTimeout=2000").start();
    let target = target(&format!("{}?amqp.idleTimeout=4000", broker.amqp_url()), None);
    let mut claim = ours(&target, "IDLE").await;
    let unit = claim.begin(luwid(1)).await.unwrap();
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));
    // Long enough for the record to be back, too.
    let idle = tokio::time::timeout(Duration::from_secs(7), claim.lost()).await;
    assert!(idle.is_err(), "heartbeats keep it: {idle:?}");
    broker.freeze();
    let error = within(Duration::from_secs(9), "noticing", claim.lost()).await;
    assert!(error.retry, "{error:?}");
    broker.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_refusal_has_its_reason_code() {
    let broker = Broker::builder()
        .user("admin", "admin", "admins")
        .user("app", "secret", "apps")
        .grant("queue://MQFERRY.>", "apps", "apps", "apps")
        .grant("queue://CONTRACT.>", "apps", "apps", "apps")
        .grant("queue://NOCREATE", "apps", "apps", "admins")
        .grant("topic://ActiveMQ.Advisory.>", "apps", "apps", "apps")
        .start();
    let target = target(&broker.amqp_url(), Some(("app", "secret")));
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
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "FULL").await;
    let mut kept = 0;
    let mut full = None;
    for batch in 1..40u32 {
        let mut unit = claim.begin(luwid(batch)).await.unwrap();
        unit.stage(0, bytes("FULL", batch, 4 * 1024 * 1024)).await.unwrap();
        let refusals = unit.settle().await.unwrap();
        if let Some((_, refusal)) = refusals.into_iter().next() {
            full = Some(refusal);
            unit.rollback().await;
            break;
        }
        match unit.commit(record(luwid(batch), batch..batch + 1)).await {
            Outcome::Committed => kept += 1,
            Outcome::RolledBack(error) | Outcome::Refused(error) => {
                full = Some(mqferry::target::Refusal { reason: 2053, text: error.text });
                break;
            }
            Outcome::InDoubt(error) => panic!("{error}"),
        }
    }
    let refusal = full.expect("the store is full at last");
    assert_eq!(refusal.reason, 2053, "{refusal}");
    assert!(kept > 0);
    assert_eq!(broker.depth("CONTRACT.FULL"), kept, "all that was answered, and no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_within_a_unit_is_noticed_in_bounded_time() {
    let mut broker = Broker::start();
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "KILLED").await;
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    unit.stage(0, publication(&queue("KILLED"), 1)).await.unwrap();
    unit.settle().await.unwrap();
    broker.kill9();
    within(Duration::from_secs(3), "noticing", async {
        let mut index = 1;
        while unit.stage(index, publication(&queue("KILLED"), 2)).await.is_ok() {
            if unit.settle().await.is_err() {
                break;
            }
            index += 1;
        }
    })
    .await;
    let outcome = within(Duration::from_secs(3), "the commit", unit.commit(record(luwid(1), 1..2))).await;
    assert!(matches!(&outcome, Outcome::RolledBack(error) if error.retry), "nothing was committed: {outcome:?}");
    let Err(error) = claim.begin(luwid(2)).await else { panic!("the claim is finished") };
    assert!(error.retry, "{error:?}");
    within(Duration::from_secs(3), "the drop", async { drop(claim) }).await;
    broker.restart();
    assert_eq!(ours(&target, "KILLED").await.record(), None);
    assert_eq!(broker.depth("CONTRACT.KILLED"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_ends_every_wait() {
    let broker = Broker::start();
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "FROZEN").await;
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    unit.stage(0, publication(&queue("FROZEN"), 1)).await.unwrap();
    assert_eq!(unit.settle().await.unwrap(), []);
    broker.freeze();
    let outcome = within(Duration::from_secs(15), "the commit", unit.commit(record(luwid(1), 1..2))).await;
    // Frozen before the record's own answer: the commit was never asked for.
    assert!(matches!(&outcome, Outcome::RolledBack(error) if error.retry), "{outcome:?}");
    let frozen = within(Duration::from_secs(15), "a claim", target.claim(&key("OTHER"))).await;
    assert!(matches!(&frozen, Err(error) if error.retry), "{frozen:?}");
    broker.thaw();
    assert_eq!(ours(&target, "FROZEN").await.record(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_record_stops_the_holder_and_the_next_claim() {
    let broker = Broker::start();
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "STRAY").await;
    send(Client::ActiveMq, &broker, &sync_queue(&key("STRAY"))).with("text", "I am no record").sent();
    let error = within(Duration::from_secs(5), "noticing", claim.lost()).await;
    assert!(!error.retry && error.text.contains("MQFERRY.SYNC.GWTEST.STRAY.QMA"), "{error:?}");
    assert!(claim.begin(luwid(1)).await.is_err(), "nothing moves any more");
    claim.release().await;
    let Err(error) = target.claim(&key("STRAY")).await else { panic!("a person must look") };
    assert!(!error.retry && error.text.contains("no record of this channel"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_consumer_of_the_record_keeps_the_lease_from_us() {
    let broker = Broker::start();
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "FOREIGN").await;
    let unit = claim.begin(luwid(1)).await.unwrap();
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));
    claim.release().await;
    let name = format!("{}?consumer.exclusive=true", sync_queue(&key("FOREIGN")));
    // Takes the record and whatever follows, and is an exclusive consumer, so that we get nothing.
    let foreign = receive(Client::ActiveMq, &broker, &name).with("idle-ms", 30_000).start();
    match within(Duration::from_secs(15), "the claim", target.claim(&key("FOREIGN"))).await.unwrap() {
        Claimed::Held(who) => assert!(who.contains("another consumer"), "{who}"),
        Claimed::Ours(_) => panic!("two owners"),
    }
    drop(foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn barriers_of_waiting_starters_do_not_disturb_the_holder() {
    let broker = Broker::start();
    let target = target(&broker.amqp_url(), None);
    let mut claim = ours(&target, "BARRIERS").await;
    for batch in 1..30u32 {
        send_barrier(&broker, batch);
        let mut unit = claim.begin(luwid(batch)).await.unwrap();
        unit.stage(0, publication(&queue("BARRIERS"), batch)).await.unwrap();
        assert_eq!(unit.settle().await.unwrap(), []);
        let outcome = unit.commit(record(luwid(batch), batch..batch + 1)).await;
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
        if batch == 8 {
            break;
        }
    }
    claim.release().await;
    let claim = ours(&target, "BARRIERS").await;
    assert_eq!(claim.record(), Some(&record(luwid(8), 8..9)));
}

fn send_barrier(broker: &Broker, number: u32) {
    send(Client::ActiveMq, broker, &sync_queue(&key("BARRIERS")))
        .with("text", format!("starter {number}"))
        .with("type", "barrier")
        .sent();
}
