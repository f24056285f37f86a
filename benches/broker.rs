//! Messages a second into a real broker, beside Qpid JMS: same broker, same run, same size, same batches, persistent,
//! transacted. `cargo bench --bench broker`; `MQFERRY_BENCH_ROUNDS` (3) says how often each takes its turn.
//!
//! | row | what runs |
//! |---|---|
//! | Qpid JMS | a Java sender, one commit a batch: the peer |
//! | target | our AMQP target alone: messages and sync record, one commit a batch |
//! | end to end | `mqferry demo`: simulated queue manager, channel, gateway, broker |

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use mqferry::channel::record::{ChannelKey, MessageName, SyncRecord};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::{AmqpTarget, BrokerAddress, Claim, Claimed, Limits, Outcome, Target, Unit};
use mqferry::tls::ClientFiles;
use mqferry::wire::Luwid;

#[path = "../tests/support/mod.rs"]
mod support;
use support::broker::Broker;
use support::jms::{Client, send};

const SIZE: usize = 1024;

/// Batch size, and messages for a run of a few seconds.
const RUNS: [(usize, usize); 3] = [(1, 1_000), (50, 10_000), (500, 20_000)];

fn main() {
    let rounds = std::env::var("MQFERRY_BENCH_ROUNDS").map_or(3, |rounds| rounds.parse().expect("a number of rounds"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let broker = Broker::builder().heap_mb(1024).start();

    let mut failed = false;
    println!("{SIZE} bytes, persistent, messages a second: median of {rounds} rounds, lowest to highest");
    for (batch, count) in RUNS {
        let mut peer = Vec::new();
        let mut target = Vec::new();
        let mut end_to_end = Vec::new();
        let mut failure = None;
        for round in 0..rounds {
            peer.push(qpid(&broker, batch, count));
            target.push(runtime.block_on(ours(&broker, batch, count, round)));
            match demo(&broker, batch, count) {
                Ok(rate) => end_to_end.push(rate),
                Err(why) => failure = Some(why),
            }
        }
        println!("batch {batch}");
        let base = median(&peer);
        for (row, rates) in [("Qpid JMS", peer), ("target", target), ("end to end", end_to_end)] {
            if rates.is_empty() {
                continue;
            }
            let (low, high) = rates.iter().fold((f64::MAX, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
            let middle = median(&rates);
            println!("  {row:<12}{middle:>8.0}  ({low:.0} to {high:.0})  ratio {:.2}", middle / base);
        }
        if let Some(why) = failure {
            println!("  end to end FAILED: {why}");
            failed = true;
        }
    }
    drop(broker);
    std::process::exit(i32::from(failed));
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn qpid(broker: &Broker, batch: usize, count: usize) -> f64 {
    send(Client::Qpid, broker, "BENCH.PEER")
        .with("count", count)
        .with("warmup", count / 5)
        .with("batch", batch)
        .with("size", SIZE)
        .sent()
        .per_second
}

async fn ours(broker: &Broker, batch: usize, count: usize, round: usize) -> f64 {
    let BrokerAddress::Amqp(brokers) = broker.amqp_url().parse().expect("an address") else { unreachable!() };
    let target = AmqpTarget::new(brokers, None, &ClientFiles::default(), Limits::default()).expect("the target");
    let channel = format!("BENCH.{batch}.{round}");
    let key = ChannelKey { gateway: "GW".into(), channel, partner: "QM1".into() };
    let Claimed::Ours(mut claim) = target.claim(&key).await.expect("a claim") else { panic!("a foreign holder") };
    batches(&mut claim, batch, count / 5).await;
    let start = Instant::now();
    batches(&mut claim, batch, count).await;
    let seconds = start.elapsed().as_secs_f64();
    claim.release().await;
    count as f64 / seconds
}

async fn batches(claim: &mut impl Claim, batch: usize, count: usize) {
    for first in (0..count).step_by(batch) {
        let mut record = SyncRecord {
            partner_id: String::new(),
            sequence: 0,
            luwid: Luwid([0x11; 8]),
            last_batch: Vec::new(),
            after_reset: false,
            at_heartbeat: None,
        };
        let mut unit = claim.begin(record.luwid).await.expect("a unit");
        for number in first..count.min(first + batch) {
            let mut msg_id = [0; 24];
            msg_id[16..].copy_from_slice(&(number as u64).to_be_bytes());
            record.sequence = i32::try_from(number).expect("a small number") + 1;
            record.last_batch.push(MessageName { sequence: record.sequence, msg_id });
            unit.stage(number, publication(number)).await.expect("staged");
        }
        assert!(unit.settle().await.expect("settled").is_empty(), "refused");
        let outcome = unit.commit(record).await;
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    }
}

fn publication(number: usize) -> Publication {
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
        properties: BTreeMap::new(),
        body: Body::Text(format!("{:<SIZE$}", format!("message {number}"))),
    }
}

/// Messages a second, or what the demonstration said instead.
fn demo(broker: &Broker, batch: usize, count: usize) -> Result<f64, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_mqferry"))
        .args(["demo", "--json", "--leave", "--broker", &broker.amqp_url()])
        .args(["--messages", &count.to_string(), "--size", &SIZE.to_string(), "--batch", &batch.to_string()])
        .output()
        .expect("run mqferry");
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let seconds = result["seconds"].as_f64().ok_or("no seconds")?;
    Ok(count as f64 / seconds)
}
