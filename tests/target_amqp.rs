//! The AMQP target against a real ActiveMQ: the contract of all targets, and what only a broker can do to it.
#![allow(clippy::disallowed_methods, reason = "waits for real processes")]

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

use std::future::Future;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mqferry::mapping::Destination;
use mqferry::target::{AmqpTarget, BrokerAddress, Limits, Login, Outcome};
use mqferry::tls::ClientFiles;
use support::broker::Broker;
use support::jms::{Client, receive};
use target_contract::{Fixture, contract};

/// Short where the default is long, so that a test that must wait for one is not long.
fn limits() -> Limits {
    Limits {
        claim: Duration::from_secs(4),
        commit: Duration::from_secs(5),
        settle: Duration::from_secs(10),
        ..Limits::default()
    }
}

fn target(url: &str, login: Option<(&str, &str)>) -> AmqpTarget {
    target_with(url, login, &ClientFiles::default())
}

fn target_with(url: &str, login: Option<(&str, &str)>, files: &ClientFiles) -> AmqpTarget {
    let BrokerAddress::Amqp(brokers) = url.parse().unwrap() else { panic!("{url} is no AMQP address") };
    let login = login.map(|(user, password)| Login { user: user.into(), password: password.to_owned().into() });
    AmqpTarget::new(brokers, login, files, limits()).unwrap()
}

/// A broker with a user who may write everywhere but to one queue.
struct Real {
    broker: Mutex<Broker>,
}

const LOGIN: (&str, &str) = ("mqferry", "se<ret");

impl Real {
    fn start() -> Self {
        let broker = Broker::builder()
            .user("admin", "admin", "admins")
            .user(LOGIN.0, LOGIN.1, "gateways")
            .grant("queue://MQFERRY.>", "gateways", "gateways", "gateways")
            .grant("queue://CONTRACT.>", "admins,gateways", "gateways", "gateways")
            .grant("topic://ActiveMQ.Advisory.>", "admins,gateways", "admins,gateways", "admins,gateways")
            .grant("queue://FORBIDDEN", "admins", "admins", "admins,gateways")
            .start();
        Self { broker: Mutex::new(broker) }
    }

    fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }
}

impl Fixture for Real {
    type Target = AmqpTarget;

    async fn target(&self) -> AmqpTarget {
        target(&self.broker().amqp_url(), Some(LOGIN))
    }

    async fn published(&self, destination: &Destination, at_least: usize) -> Vec<(String, String)> {
        let Destination::Queue(queue) = destination else { panic!("{destination} is no queue") };
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut depth = self.broker().depth(queue);
        while depth < at_least as u64 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
            depth = self.broker().depth(queue);
        }
        if depth == 0 {
            return Vec::new();
        }
        let messages = receive(Client::ActiveMq, &self.broker(), queue).with("count", depth).messages();
        messages.into_iter().map(|message| (message.id.unwrap(), message.text.unwrap())).collect()
    }

    async fn refused(&self) -> Destination {
        Destination::Queue("FORBIDDEN".into())
    }

    async fn lose_answer<C: Future<Output = Outcome> + Send>(&self, round: u32, commit: C) -> Option<Outcome> {
        let outcome = match round % 3 {
            // Dead before it hears of the commit.
            0 => {
                self.broker().freeze();
                let kill = async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    self.broker().kill9();
                };
                tokio::join!(commit, kill).0
            }
            // Killed while the commit is under way, a little later each time.
            _ => {
                let kill = async {
                    tokio::time::sleep(Duration::from_micros(u64::from(round) * 700)).await;
                    self.broker().kill9();
                };
                tokio::join!(commit, kill).0
            }
        };
        self.broker().restart();
        Some(outcome)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_broker_keeps_the_contract() {
    contract(&Real::start()).await;
}
