//! The peer: a Java application that sends in transactions, and replaces a record in each.

use super::support::broker::Broker;
use super::support::jms::{self, Client, Received};
use super::{Load, Measured, name};

/// One round: messages with the properties of `like`, which the gateway has put there.
pub(crate) fn send(client: Client, broker: &Broker, load: &Load, round: usize, like: &Received) -> Measured {
    let queue = name(&format!("{client:?}"), load, round);
    let program = like.properties.iter().fold(jms::send(client, broker, &queue), |program, (name, it)| {
        let value = it.value.as_str().map_or_else(|| it.value.to_string(), str::to_owned);
        // What the broker counts is not the sender's to set.
        if name.starts_with("JMSX") { program } else { program.with("property", format!("{name}={}:{value}", it.kind)) }
    });
    let sent = program
        .with("count", load.count)
        .with("warmup", load.warmup())
        .with("batch", load.batch)
        .with("size", load.size)
        .with("senders", load.channels)
        .with("record", format!("{queue}.RECORD"))
        .sent();
    jms::remove(broker, &queue);
    Measured {
        rate: sent.per_second,
        cpu_us: sent.cpu_seconds * 1e6 / sent.sent as f64,
        peak_mib: sent.peak_kib as f64 / 1024.0,
    }
}
