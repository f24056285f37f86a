//! The demonstration, as a person runs it: embedded, and on a real broker where JMS clients count what arrived.

mod support;

use std::collections::HashSet;
use std::process::Command;

use serde_json::Value;
use support::broker::Broker;
use support::jms::{Client, Received, receive};

/// Messages that IBM's software wrote, which every demonstration sends last.
const SAMPLES: u64 = 23;
const NUMBERED: u64 = 10_000;

fn demo(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_mqferry"))
        .args(["demo", "--json", "--batch", "50", "--size", "1024"])
        .args(args)
        .args(if args.contains(&"--messages") { None } else { Some(format!("--messages={NUMBERED}")) })
        .output()
        .expect("run mqferry");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {out}{err}", output.status);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Each once and in order, and nothing else.
fn assert_whole(report: &Value, numbered: u64) {
    let all = numbered + SAMPLES;
    for (key, expected) in [("sent", all), ("delivered", all), ("lost", 0), ("duplicated", 0), ("out_of_order", 0)] {
        assert_eq!(report[key], expected, "{key} in {report}");
    }
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order_on_the_embedded_store() {
    assert_whole(&demo(&[]), NUMBERED);
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order_on_a_real_broker() {
    let broker = Broker::start();
    let url = broker.openwire_url();
    assert_whole(&demo(&["--broker", &url]), NUMBERED);
    assert_a_client_counts_the_same(Client::Qpid, &broker, &url);
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order_on_a_real_broker_over_amqp() {
    let broker = Broker::start();
    let url = broker.amqp_url();
    assert_whole(&demo(&["--broker", &url, "--messages", "1000"]), 1000);
    assert_a_client_counts_the_same(Client::ActiveMq, &broker, &url);
}

fn assert_a_client_counts_the_same(client: Client, broker: &Broker, url: &str) {
    let report = demo(&["--broker", url, "--leave"]);
    let count = NUMBERED + SAMPLES;
    assert_eq!((&report["sent"], &report["delivered"]), (&count.into(), &Value::Null));
    let arrived = receive(client, broker, "MQFERRY.DEMO")
        .with("count", count + 1)
        .with("idle-ms", 3000)
        .with("heads", 20)
        .messages();
    assert_each_once_in_order(client, &arrived);
}

/// The numbered messages say their number in the body; every MsgId ends in the number of its put.
fn assert_each_once_in_order(client: Client, arrived: &[Received]) {
    let numbers: Vec<u64> = arrived
        .iter()
        .map(|message| {
            let id = message.id.as_deref().unwrap_or_default();
            u64::from_str_radix(&id[id.len() - 16..], 16).unwrap_or_else(|error| panic!("{client:?}: {id}: {error}"))
        })
        .collect();
    let first = numbers[0];
    assert_eq!(numbers, (first..first + NUMBERED + SAMPLES).collect::<Vec<_>>(), "{client:?}");
    for (message, number) in arrived.iter().zip(&numbers).take(NUMBERED as usize) {
        let head = message.text.as_deref().unwrap_or_default();
        assert_eq!(head, format!("{number:020}"), "{client:?}");
    }
    let distinct: HashSet<_> = arrived.iter().map(|message| &message.id).collect();
    assert_eq!(distinct.len(), arrived.len(), "{client:?}");
}
