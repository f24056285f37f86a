//! What joins brokers today: ActiveMQ's own network connector, and Apache Camel with a transacted consumer. Both move
//! messages that lie in one broker into another; the gateway moves the same messages into the same broker.

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::support::broker::{Broker, java};
use super::support::jms::{Client, send};
use super::table::Table;
use super::{Load, Measured, gateway, name};

/// A bridge that has not moved everything by then never will.
const LIMIT: Duration = Duration::from_secs(600);
/// A tenth of the messages warms a bridge up before the clock runs.
const WARMUP: u64 = 10;

/// One round of each.
pub(crate) fn turn(load: &Load, round: usize, table: &mut Table) {
    let mut to = Broker::builder().heap_mb(1024).start();
    table.add("gateway", gateway::run(&to, &to.openwire_url(), load, round));
    let queue = name("CONNECTOR", load, round);
    table.add("connector", connector(&mut to, load, &queue));
    for consumers in [1, 4] {
        let queue = name(&format!("CAMEL{consumers}"), load, round);
        let row = if consumers == 1 { "Camel, 1" } else { "Camel, 4" };
        table.add(row, camel(&mut to, load, &queue, consumers));
    }
}

/// The network connector forwards a queue whether anybody consumes it or not.
fn connector(to: &mut Broker, load: &Load, queue: &str) -> Measured {
    let url = to.openwire_url();
    to.stop();
    let from = Broker::builder()
        .heap_mb(1024)
        .broker_name("from")
        .network(&format!(
            r#"<networkConnector name="n" uri="static:({url})" staticBridge="true">
<staticallyIncludedDestinations><queue physicalName="{queue}"/></staticallyIncludedDestinations></networkConnector>"#
        ))
        .start();
    fill(&from, load, queue);
    to.restart();
    arrivals(to, load, queue)
}

fn camel(to: &mut Broker, load: &Load, queue: &str, consumers: usize) -> Measured {
    let from = Broker::builder().heap_mb(1024).start();
    fill(&from, load, queue);
    let deps = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deps");
    assert!(deps.join("camel.stamp").exists(), "Apache Camel is not here: run `make bench`, which gets it");
    let mut command = java(512);
    let classes =
        ["camel/classes", "classes", "jars/*", "camel/*"].map(|part| deps.join(part).display().to_string()).join(":");
    command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", &classes, "mqferry.CamelHop"]);
    command.args([from.openwire_url(), to.openwire_url(), queue.to_owned(), queue.to_owned(), consumers.to_string()]);
    let _hop = Hop(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("start Camel"));
    arrivals(to, load, queue)
}

fn fill(from: &Broker, load: &Load, queue: &str) {
    send(Client::ActiveMq, from, queue).with("count", load.count).with("batch", 500).with("size", load.size).sent();
}

/// From the first tenth to the last message.
fn arrivals(to: &mut Broker, load: &Load, queue: &str) -> Measured {
    let all = load.count as u64;
    let deadline = Instant::now() + LIMIT;
    let mut wait_for = |wanted: u64| loop {
        let arrived = to.stats(queue).map_or(0, |stats| stats.enqueues);
        if arrived >= wanted {
            return (Instant::now(), arrived);
        }
        assert!(Instant::now() < deadline, "{queue}: {arrived} of {all} moved in {LIMIT:?}");
        thread::sleep(Duration::from_millis(5));
    };
    let (start, before) = wait_for(all / WARMUP);
    let (end, after) = wait_for(all);
    Measured { rate: (after - before) as f64 / (end - start).as_secs_f64(), cpu_us: f64::NAN, peak_mib: f64::NAN }
}

/// Ended when dropped.
struct Hop(Child);

impl Drop for Hop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
