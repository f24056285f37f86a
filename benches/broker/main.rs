//! Messages a second into a real broker, beside the broker's own Java client: same broker, same run, same sizes, same
//! batches, persistent, transacted. `cargo bench --bench broker`; `MQFERRY_BENCH_ROUNDS` (3) says how often each takes
//! its turn, an argument (`openwire`, `amqp`, `target`, `sending`, `sending-amqp`, `bridges`) picks one table, another (`1024/50/1`: bytes, batch, channels) a
//! load of it.
//!
//! What a cell sent is removed after it, so that no broker fills up.
//!
//! | row | what runs |
//! |---|---|
//! | Java client, Qpid JMS | the peer: a Java sender of the same messages (properties, too), one commit a batch; each transaction also replaces a record message, as ours does |
//! | gateway | simulated queue manager, channel, `mqferry run`, broker |
//! | target | our target alone, within this process |
//! | Java client, with record, gateway (`sending`) | out of a broker: a transacted consumer, the same that replaces a record in each transaction, and a sending channel |
//! | network connector, Camel | bridges between two brokers, moving the same messages out of a queue that is there |

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::process::Command;

#[path = "../../tests/support/mod.rs"]
mod support;

#[path = "../../tests/support/process.rs"]
mod process;

mod bridges;
mod gateway;
mod peer;
mod sending;
mod table;
mod target;

use support::broker::Broker;
use support::jms::Client;
use table::{Measured, Table};

/// What one cell sends: messages of a size, in batches, over channels, so many in all.
#[derive(Clone, Copy, Debug)]
struct Load {
    size: usize,
    batch: usize,
    channels: usize,
    count: usize,
}

const fn load(size: usize, batch: usize, channels: usize, count: usize) -> Load {
    Load { size, batch, channels, count }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Each a run of a few seconds. A transaction of 500 messages of 1 MiB is more than the broker's heap holds.
const OPENWIRE: &[Load] = &[
    load(256, 1, 1, 2_000),
    load(256, 50, 1, 30_000),
    load(256, 500, 1, 50_000),
    load(KIB, 1, 1, 2_000),
    load(KIB, 50, 1, 30_000),
    load(KIB, 500, 1, 50_000),
    load(10 * KIB, 1, 1, 2_000),
    load(10 * KIB, 50, 1, 10_000),
    load(10 * KIB, 500, 1, 10_000),
    load(MIB, 1, 1, 100),
    load(MIB, 50, 1, 200),
    load(KIB, 1, 4, 4_000),
    load(KIB, 50, 4, 40_000),
    load(KIB, 500, 4, 60_000),
];
const AMQP: &[Load] = &[load(KIB, 1, 1, 1_000), load(KIB, 50, 1, 10_000), load(KIB, 500, 1, 20_000)];

/// Out of a broker: a queue that lies there.
const DRAINED: &[Load] = &[load(KIB, 50, 1, 20_000), load(KIB, 500, 1, 30_000)];
const DRAINED_AMQP: &[Load] = &[load(KIB, 50, 1, 10_000), load(KIB, 500, 1, 10_000)];

/// A bridge that commits each message takes long over more.
const BRIDGED: &[Load] = &[load(KIB, 50, 1, 30_000)];

/// Java's second compiler, which a broker in earnest has and which the tests, for a quick start, do without.
const JAVA: (&str, &str) = ("_JAVA_OPTIONS", "-XX:TieredStopAtLevel=4");

fn main() {
    if std::env::var_os(JAVA.0).is_none() {
        let mut again = Command::new(std::env::current_exe().expect("this program"));
        let status = again.args(std::env::args_os().skip(1)).env(JAVA.0, JAVA.1).status().expect("to start again");
        std::process::exit(status.code().unwrap_or(1));
    }
    let rounds = std::env::var("MQFERRY_BENCH_ROUNDS").map_or(3, |rounds| rounds.parse().expect("a number of rounds"));
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (loads, wanted): (Vec<String>, Vec<String>) = wanted.into_iter().partition(|word| word.contains('/'));
    let picked = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let of = |all: &'static [Load]| -> Vec<Load> {
        let picked = |load: &&Load| loads.is_empty() || loads.contains(&load.word());
        all.iter().filter(picked).copied().collect()
    };
    println!("persistent, transacted, messages a second: median of {rounds} rounds, lowest to highest");

    if picked("openwire") {
        let broker = Broker::builder().heap_mb(2048).start();
        println!("\nOpenWire");
        let url = broker.openwire_url();
        rows(rounds, &of(OPENWIRE), "Java client", |load, round, table| {
            let like = gateway::sample(&broker, &url, load);
            table.add("Java client", peer::send(Client::ActiveMq, &broker, load, round, &like));
            table.add("gateway", gateway::run(&broker, &url, load, round));
        });
    }
    if picked("amqp") {
        let broker = Broker::builder().heap_mb(2048).start();
        println!("\nAMQP");
        let url = broker.amqp_url();
        rows(rounds, &of(AMQP), "Qpid JMS", |load, round, table| {
            let like = gateway::sample(&broker, &url, load);
            table.add("Qpid JMS", peer::send(Client::Qpid, &broker, load, round, &like));
            table.add("gateway", gateway::run(&broker, &url, load, round));
        });
    }
    if picked("target") {
        let broker = Broker::builder().heap_mb(2048).start();
        println!("\nour AMQP target alone");
        rows(rounds, &of(AMQP), "Qpid JMS", |load, round, table| {
            let like = gateway::sample(&broker, &broker.amqp_url(), load);
            table.add("Qpid JMS", peer::send(Client::Qpid, &broker, load, round, &like));
            table.add("target", target::run(&broker, load, round));
        });
    }
    if picked("sending") {
        let broker = Broker::builder().heap_mb(2048).start();
        println!("\nout of a broker, OpenWire");
        let url = broker.openwire_url();
        rows(rounds, &of(DRAINED), "Java client", |load, round, table| {
            sending::turn(Client::ActiveMq, &broker, &url, load, round, table);
        });
    }
    if picked("sending-amqp") {
        let broker = Broker::builder().heap_mb(2048).start();
        println!("\nout of a broker, AMQP");
        let url = broker.amqp_url();
        rows(rounds, &of(DRAINED_AMQP), "Qpid JMS", |load, round, table| {
            sending::turn(Client::Qpid, &broker, &url, load, round, table);
        });
    }
    if picked("bridges") {
        println!("\nbridges; CPU and memory only of what is no broker");
        rows(rounds, &of(BRIDGED), "gateway", bridges::turn);
    }
}

/// Measures each load in turns and prints a line a row as soon as it is known.
fn rows(rounds: usize, loads: &[Load], peer: &str, mut turn: impl FnMut(&Load, usize, &mut Table)) {
    table::head();
    for load in loads {
        let mut table = Table::default();
        for round in 0..rounds {
            turn(load, round, &mut table);
        }
        table.print(load, peer);
    }
}

/// A name that no other cell or round has.
fn name(what: &str, load: &Load, round: usize) -> String {
    format!("BENCH.{what}.{}.{}.{}.{round}", load.size, load.batch, load.channels)
}

impl Load {
    /// How it is picked.
    fn word(&self) -> String {
        format!("{}/{}/{}", self.size, self.batch, self.channels)
    }

    /// What warms up the broker and the sender before the clock runs: a fifth, and whole batches.
    fn warmup(&self) -> usize {
        (self.count / 5).div_ceil(self.batch * self.channels) * self.batch * self.channels
    }
}
