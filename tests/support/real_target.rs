//! A real broker behind the contract of all targets, by either protocol.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::disallowed_methods, reason = "waits for real processes")]

use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mqferry::mapping::Destination;
use mqferry::target::{
    AmqpTarget, BrokerAddress, Claimed, Finding, Limits, Login, OpenWireTarget, Outcome, Severity, Target, TargetError,
};
use mqferry::tls::ClientFiles;

use super::support::broker::Broker;
use super::support::jms::{Client, receive};
use super::target_contract::{Fixture, key};

/// Short where the default is long, so that a test that must wait for one is not long.
pub(crate) fn limits() -> Limits {
    Limits {
        claim: Duration::from_secs(4),
        commit: Duration::from_secs(5),
        settle: Duration::from_secs(10),
        no_record: Duration::from_secs(1),
        ..Limits::default()
    }
}

/// How long a loaded machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A protocol that real brokers speak.
pub(crate) trait Protocol: Send + Sync + 'static {
    type Target: Target;

    /// How often the contract loses an answer; the kill tests do so far more often.
    const ROUNDS: u32;

    /// Address of the broker's connector without TLS.
    fn url(broker: &Broker) -> String;

    /// A target at `url`.
    fn target_with(url: &str, login: Option<(&str, &str)>, files: &ClientFiles) -> Self::Target;

    fn target(url: &str, login: Option<(&str, &str)>) -> Self::Target {
        Self::target_with(url, login, &ClientFiles::default())
    }

    /// What `check` says.
    fn preflight(target: &Self::Target) -> impl Future<Output = Vec<Finding>> + Send;
}

/// AMQP 1.0.
pub(crate) struct Amqp;

/// ActiveMQ's own.
pub(crate) struct OpenWire;

fn login(login: Option<(&str, &str)>) -> Option<Login> {
    login.map(|(user, password)| Login { user: user.into(), password: password.to_owned().into() })
}

impl Protocol for Amqp {
    type Target = AmqpTarget;

    const ROUNDS: u32 = 12;

    fn url(broker: &Broker) -> String {
        broker.amqp_url()
    }

    fn target_with(url: &str, it: Option<(&str, &str)>, files: &ClientFiles) -> AmqpTarget {
        let BrokerAddress::Amqp(brokers) = url.parse().unwrap() else { panic!("{url} is no AMQP address") };
        AmqpTarget::new(brokers, login(it), files, limits()).unwrap()
    }

    async fn preflight(target: &AmqpTarget) -> Vec<Finding> {
        target.preflight().await
    }
}

impl Protocol for OpenWire {
    type Target = OpenWireTarget;

    const ROUNDS: u32 = 6;

    fn url(broker: &Broker) -> String {
        broker.openwire_url()
    }

    fn target_with(url: &str, it: Option<(&str, &str)>, files: &ClientFiles) -> OpenWireTarget {
        let BrokerAddress::OpenWire(brokers) = url.parse().unwrap() else { panic!("{url} is no OpenWire address") };
        OpenWireTarget::new(brokers, login(it), files, limits()).unwrap()
    }

    async fn preflight(target: &OpenWireTarget) -> Vec<Finding> {
        target.preflight().await
    }
}

/// A broker with a user who may write everywhere but to one queue.
pub(crate) struct Real<P> {
    broker: Mutex<Broker>,
    protocol: PhantomData<P>,
}

pub(crate) const LOGIN: (&str, &str) = ("mqferry", "se<ret");

impl<P: Protocol> Real<P> {
    pub(crate) fn start() -> Self {
        let broker = Broker::builder()
            .user("admin", "admin", "admins")
            .user(LOGIN.0, LOGIN.1, "gateways")
            .grant("queue://MQFERRY.>", "gateways", "gateways", "gateways")
            .grant("queue://CONTRACT.>", "admins,gateways", "gateways", "gateways")
            .grant("topic://ActiveMQ.Advisory.>", "admins,gateways", "admins,gateways", "admins,gateways")
            .grant("queue://FORBIDDEN", "admins", "admins", "admins,gateways")
            .start();
        Self { broker: Mutex::new(broker), protocol: PhantomData }
    }

    /// Takes the first message of a queue away.
    pub(crate) async fn take_first(&self, queue: &str) {
        let taken = receive(Client::ActiveMq, &self.broker(), queue).with("count", 1).messages();
        assert_eq!(taken.len(), 1);
    }

    fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }
}

impl<P: Protocol> Fixture for Real<P> {
    type Target = P::Target;

    async fn target(&self) -> P::Target {
        P::target(&P::url(&self.broker()), Some(LOGIN))
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

    fn rounds(&self) -> u32 {
        P::ROUNDS
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

/// The lease, within the time that one that was lost takes to be free.
pub(crate) async fn ours<T: Target>(target: &T, clause: &str) -> T::Claim {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match target.claim(&key(clause)).await {
            Ok(Claimed::Ours(claim)) => return claim,
            Ok(Claimed::Held(who)) => assert!(Instant::now() < deadline, "held: {who}"),
            Err(error) => assert!(error.retry && Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Who holds the lease that we ask for and must not get. A broker that is slow to answer is asked again.
pub(crate) async fn held<T: Target>(target: &T, clause: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match target.claim(&key(clause)).await {
            Ok(Claimed::Ours(_)) => panic!("two owners"),
            Ok(Claimed::Held(who)) => return who,
            Err(error) => assert!(error.retry && Instant::now() < deadline, "{error:?}"),
        }
    }
}

/// Why a claim fails, within the time that a claim may take. A broker that is slow to answer is asked again.
pub(crate) async fn refusal<T: Target>(target: &T) -> TargetError {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let began = Instant::now();
        let error = match target.claim(&key("DOORS")).await {
            Err(error) => error,
            Ok(Claimed::Held(who)) => panic!("held: {who}"),
            Ok(Claimed::Ours(_)) => panic!("it was let in"),
        };
        assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
        assert!(!error.text.contains('\n'), "one line: {error}");
        if !error.text.contains("did not answer within") || Instant::now() > deadline {
            return error;
        }
    }
}

/// The texts of the findings that are no good, once they are as `wanted`: on a loaded machine a broker may also be slow to
/// answer, which `check` then says; that it is slow to commit is passed over.
pub(crate) async fn complaints<P: Protocol>(
    target: &P::Target,
    wanted: impl Fn(&[(Severity, String)]) -> bool,
) -> Vec<(Severity, String)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let findings = P::preflight(target).await;
        assert!(findings.iter().all(|finding| !finding.text.contains('\n')), "one line each: {findings:#?}");
        let complaints: Vec<_> = findings
            .into_iter()
            .filter(|finding| finding.severity != Severity::Good && !finding.text.contains(" ms for a commit"))
            .map(|finding| (finding.severity, finding.text))
            .collect();
        if wanted(&complaints) {
            return complaints;
        }
        assert!(Instant::now() < deadline, "{complaints:#?}");
    }
}

/// What `future` gives, which must take no longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("{what} took longer than {limit:?}"))
}
