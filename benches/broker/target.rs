//! Our AMQP target alone: messages and sync record, one commit a batch.

use std::time::Instant;

use mqferry::channel::record::{ChannelKey, MessageName, SyncRecord};
use mqferry::mapping::{Body, Destination, PropertyMap, Publication};
use mqferry::target::{AmqpTarget, BrokerAddress, Claim, Claimed, Limits, Outcome, Target, Unit};
use mqferry::tls::ClientFiles;
use mqferry::wire::Luwid;

use super::support::broker::Broker;
use super::{Load, Measured, name};

/// One round. Processor time and memory are not its own, so they are not told.
pub(crate) fn run(broker: &Broker, load: &Load, round: usize) -> Measured {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    Measured { rate: runtime.block_on(rate(broker, load, round)), cpu_us: f64::NAN, peak_mib: f64::NAN }
}

async fn rate(broker: &Broker, load: &Load, round: usize) -> f64 {
    let BrokerAddress::Amqp(brokers) = broker.amqp_url().parse().expect("an address") else { unreachable!() };
    let target = AmqpTarget::new(brokers, None, &ClientFiles::default(), Limits::default()).expect("the target");
    let key = ChannelKey { gateway: "GW".into(), channel: name("TARGET", load, round), partner: "QM1".into() };
    let Claimed::Ours(mut claim) = target.claim(&key).await.expect("a claim") else { panic!("a foreign holder") };
    batches(&mut claim, load, load.warmup()).await;
    let start = Instant::now();
    batches(&mut claim, load, load.count).await;
    let seconds = start.elapsed().as_secs_f64();
    claim.release().await;
    load.count as f64 / seconds
}

async fn batches(claim: &mut impl Claim, load: &Load, count: usize) {
    for first in (0..count).step_by(load.batch) {
        let mut record = SyncRecord {
            partner_id: String::new(),
            sequence: 0,
            luwid: Luwid([0x11; 8]),
            last_batch: Vec::new(),
            after_reset: false,
            at_heartbeat: None,
        };
        let mut unit = claim.begin(record.luwid).await.expect("a unit");
        for number in first..count.min(first + load.batch) {
            let mut msg_id = [0; 24];
            msg_id[16..].copy_from_slice(&(number as u64).to_be_bytes());
            record.sequence = i32::try_from(number).expect("a small number") + 1;
            record.last_batch.push(MessageName { sequence: record.sequence, msg_id });
            unit.stage(number, publication(number, load.size)).await.expect("staged");
        }
        assert!(unit.settle().await.expect("settled").is_empty(), "refused");
        let outcome = unit.commit(record).await;
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    }
}

fn publication(number: usize, size: usize) -> Publication {
    Publication {
        destination: Destination::Queue("BENCH.TARGET".into()),
        persistent: true,
        priority: 4,
        expires_at_ms: None,
        message_id: Some(format!("ID:{number:048x}")),
        correlation_id: None,
        reply_to: None,
        message_type: None,
        group_id: None,
        group_sequence: None,
        user_id: None,
        timestamp_ms: None,
        properties: PropertyMap::new(),
        body: Body::Text(format!("{:<size$}", format!("message {number}"))),
    }
}
