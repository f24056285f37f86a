//! Once and only once under fire: sender, gateway and broker are killed (`kill -9`) at random moments while messages
//! cross, and started again at once. Afterwards every message is there exactly once and in order, and nobody had to help.
//!
//! `MQFERRY_KILLS_SEED=N` plays the kills of a seed again (threads and disks still take their own time). A test that
//! fails keeps its folder and says where.
#![allow(clippy::disallowed_methods, reason = "real processes take real time")]

#[path = "../support/receiving.rs"]
mod receiving;
#[path = "../support/sending.rs"]
mod sending;
#[path = "../support/mod.rs"]
mod support;

mod broker;
mod count;
mod deaths;
mod embedded;
mod field;
mod frames;
mod hold;
mod lane;
mod lot;
mod order;
mod process;
mod schedule;
mod seeded_broker;
mod seeded_embedded;
mod seeded_sending;
mod stage;
mod takeover;

use clap::Parser as _;

/// The sending queue manager, when this program is started as one; see [`process::Life::sender`].
#[test]
fn child_that_sends() {
    let Ok(arguments) = std::env::var(process::SENDER) else { return };
    let arguments = std::iter::once("sender").chain(arguments.lines());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(sending::Sending::parse_from(arguments).run()) {
        Ok(report) => println!("\nREPORT {report}"),
        Err(error) => panic!("{error}"),
    }
}

/// The receiving queue manager, when this program is started as one; see [`process::Life::receiver`].
#[test]
fn child_that_takes() {
    receiving::child();
}

/// A gateway on an embedded store, when this program is started as one; see [`process::Life::embedded_gateway`].
#[test]
fn child_that_receives() {
    let Ok(told) = std::env::var(process::GATEWAY) else { return };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(hold::receive(&told));
}
