//! The OpenWire target against a real ActiveMQ: the contract of all targets, and what only a broker can do to it.
#![allow(clippy::disallowed_methods, reason = "waits for real processes")]

#[path = "support/feed_contract.rs"]
mod feed_contract;
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

use feed_contract::feed_contract;
use real_target::{OpenWire, Real};
use target_contract::contract;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_keeps_the_contract() {
    contract(&Real::<OpenWire>::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_keeps_the_contract_of_feeds() {
    feed_contract(&Real::<OpenWire>::start()).await;
}

impl feed_contract::FeedFixture for Real<OpenWire> {
    async fn remove_first(&self, queue: &str) {
        self.take_first(queue).await;
    }
}
