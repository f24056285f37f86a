//! The OpenWire target against a real ActiveMQ: the contract of all targets, and what only a broker can do to it.
#![allow(clippy::disallowed_methods, reason = "waits for real processes")]

#[path = "support/real_target.rs"]
mod real_target;
mod support;
#[path = "support/target_contract.rs"]
mod target_contract;

#[path = "target_openwire/doors.rs"]
mod doors;
#[path = "target_openwire/faults.rs"]
mod faults;
#[path = "target_openwire/hostile.rs"]
mod hostile;
#[path = "target_openwire/lost_answer.rs"]
mod lost_answer;

use real_target::{OpenWire, Real};
use target_contract::contract;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_keeps_the_contract() {
    contract(&Real::<OpenWire>::start()).await;
}
