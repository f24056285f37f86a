//! The AMQP target against a real ActiveMQ: the contract of all targets, and what only a broker can do to it.
#![allow(clippy::disallowed_methods, reason = "waits for real processes")]

#[path = "support/feed_contract.rs"]
mod feed_contract;
#[path = "support/real_target.rs"]
mod real_target;
mod support;
#[path = "support/target_contract.rs"]
mod target_contract;

#[path = "target_amqp/bodies.rs"]
mod bodies;
#[path = "target_amqp/doors.rs"]
mod doors;
#[path = "target_amqp/faults.rs"]
mod faults;
#[path = "target_amqp/lost_answer.rs"]
mod lost_answer;
#[path = "target_amqp/unread.rs"]
mod unread;

use mqferry::target::AmqpTarget;
use mqferry::tls::ClientFiles;
use real_target::{Amqp, Protocol as _, Real};
use target_contract::contract;

fn target(url: &str, login: Option<(&str, &str)>) -> AmqpTarget {
    Amqp::target(url, login)
}

fn target_with(url: &str, login: Option<(&str, &str)>, files: &ClientFiles) -> AmqpTarget {
    Amqp::target_with(url, login, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_keeps_the_contract() {
    contract(&Real::<Amqp>::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_keeps_the_contract_of_feeds() {
    feed_contract::feed_contract(&Real::<Amqp>::start()).await;
}

impl feed_contract::FeedFixture for Real<Amqp> {
    async fn remove_first(&self, queue: &str) {
        self.take_first(queue).await;
    }
}
