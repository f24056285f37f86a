//! The peer: a Java application that sends in transactions, and replaces a record in each.

use super::support::broker::Broker;
use super::support::jms::{self, Client};
use super::{Load, Measured, name};

/// One round.
pub(crate) fn send(client: Client, broker: &Broker, load: &Load, round: usize) -> Measured {
    let queue = name(&format!("{client:?}"), load, round);
    let sent = jms::send(client, broker, &queue)
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
