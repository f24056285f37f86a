//! The mapping through a real broker: what JMS applications see of messages from MQ, and what comes back to MQ when they
//! read a message and send it on (golden rule 4). One broker, and one start of each JMS client for all messages.
#![allow(clippy::disallowed_methods, reason = "lifetimes go by the real clock")]

#[path = "../support/ibm_samples.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod ibm_samples;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/target_contract.rs"]
mod target_contract;
#[path = "../support/transmission.rs"]
mod transmission;

mod back;
mod cases;
mod seen;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use back::Returned;
use cases::{Case, QUEUE, cases};
use mqferry::mapping::{Body, Publication, Value, publish, publish_as_bytes};
use mqferry::target::{AmqpTarget, BrokerAddress, Claim, Claimed, Limits, OpenWireTarget, Outcome, Target, Unit};
use mqferry::tls::ClientFiles;
use support::broker::Broker;
use support::jms::{Client, Received, relay};
use target_contract::{key, luwid, record};

/// Tells the messages apart on their way; means nothing to the mapping.
const NUMBER: &str = "MQFERRY_TestNumber";
/// For everything that a loaded machine may take its time for.
const PATIENCE: Duration = Duration::from_secs(120);

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The protocol by which the gateway publishes, and reads what came back.
#[allow(clippy::large_enum_variant, reason = "there are two of them")]
enum Gateway {
    Amqp(AmqpTarget),
    OpenWire(OpenWireTarget),
}

impl Gateway {
    fn both(broker: &Broker) -> [Self; 2] {
        let (files, limits) = (ClientFiles::default(), Limits::default());
        let address = |url: String| url.parse().unwrap();
        let BrokerAddress::Amqp(amqp) = address(broker.amqp_url()) else { panic!("no AMQP address") };
        let BrokerAddress::OpenWire(openwire) = address(broker.openwire_url()) else { panic!("no OpenWire address") };
        [
            Self::Amqp(AmqpTarget::new(amqp, None, &files, limits).unwrap()),
            Self::OpenWire(OpenWireTarget::new(openwire, None, &files, limits).unwrap()),
        ]
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Amqp(_) => "by AMQP",
            Self::OpenWire(_) => "by OpenWire",
        }
    }

    fn published(&self, case: &Case) -> Publication {
        match self {
            Self::Amqp(target) => published(case, target),
            Self::OpenWire(target) => published(case, target),
        }
    }

    async fn stage(&self, publications: &[Publication], client: Client) {
        match self {
            Self::Amqp(target) => stage(target, publications, client).await,
            Self::OpenWire(target) => stage(target, publications, client).await,
        }
    }

    /// All that lies on the queues of one form, by the number of the message.
    async fn taken(&self, form: &str, count: usize) -> BTreeMap<usize, Publication> {
        let queue = format!("MQ.{form}.>");
        let mut all = Vec::new();
        match self {
            Self::Amqp(target) => {
                let mut taker = target.taker(&queue).await.unwrap();
                while all.len() < count {
                    let Some(publication) = taker.next_publication(PATIENCE).await.unwrap() else { break };
                    all.push(publication.unwrap());
                }
                taker.finish(PATIENCE).await.unwrap();
            }
            Self::OpenWire(target) => {
                let mut taker = target.taker(&queue).await.unwrap();
                while all.len() < count {
                    let Some(publication) = taker.next_publication(PATIENCE).await.unwrap() else { break };
                    all.push(publication.unwrap().expect("a message of an application"));
                }
                taker.finish(PATIENCE).await.unwrap();
            }
        }
        assert_eq!(all.len(), count, "came as {form}");
        let number = |publication: &Publication| match publication.properties.get(NUMBER) {
            Some(Value::Int(number)) => usize::try_from(*number).unwrap(),
            other => panic!("{other:?} in {publication:#?}"),
        };
        let by_number: BTreeMap<_, _> =
            all.into_iter().map(|publication| (number(&publication), publication)).collect();
        assert_eq!(by_number.len(), count, "each came once as {form}");
        by_number
    }
}

/// The publication of a message as the gateway makes it.
fn published(case: &Case, target: &impl Target) -> Publication {
    let now = now_ms();
    let mapped =
        publish(&case.envelope, &case.policy, now).unwrap_or_else(|refused| panic!("{}: {refused}", case.name));
    match target.carries(&mapped.publication) {
        Ok(()) => mapped.publication,
        Err(why) => publish_as_bytes(&case.envelope, &case.policy, now, &why).unwrap().publication,
    }
}

async fn stage(target: &impl Target, publications: &[Publication], client: Client) {
    let Claimed::Ours(mut claim) = target.claim(&key(&format!("{client:?}"))).await.unwrap() else { panic!("held") };
    let mut unit = claim.begin(luwid(1)).await.unwrap();
    for (number, publication) in publications.iter().enumerate() {
        let mut publication = publication.clone();
        publication.properties.insert(NUMBER.into(), Value::Int(i32::try_from(number).unwrap()));
        unit.stage(number, publication).await.unwrap();
    }
    assert_eq!(unit.settle().await.unwrap(), [], "nothing is refused");
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));
    claim.release().await;
}

fn by_number(received: Vec<Received>) -> BTreeMap<usize, Received> {
    let number = |message: &Received| message.properties[NUMBER].value.as_u64().unwrap();
    received.into_iter().map(|message| (usize::try_from(number(&message)).unwrap(), message)).collect()
}

/// Whether Qpid JMS, as it is set up when nobody says otherwise, hides a property: its name is no identifier of Java's, or a
/// word of selectors.
fn is_hidden(name: &str, client: Client) -> bool {
    const WORDS: [&str; 11] = ["NULL", "TRUE", "FALSE", "NOT", "AND", "OR", "BETWEEN", "LIKE", "IN", "IS", "ESCAPE"];
    let is_identifier =
        |(place, c): (usize, char)| c.is_alphabetic() || matches!(c, '_' | '$') || (place > 0 && c.is_numeric());
    client == Client::Qpid && (!name.chars().enumerate().all(is_identifier) || WORDS.contains(&name))
}

/// A message with more at the end of its body, where that is possible.
fn takes_more(publication: &Publication) -> bool {
    matches!(publication.body, Body::Text(_) | Body::Bytes(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_cross_a_broker_and_jms_applications_and_come_back() {
    let broker = Broker::start();
    let cases = cases();
    assert!(cases.len() > 75, "{}", cases.len());
    let mut problems = Vec::new();
    for (gateway, client) in
        Gateway::both(&broker).iter().flat_map(|gateway| Client::BOTH.map(|client| (gateway, client)))
    {
        let publications: Vec<_> = cases.iter().map(|case| gateway.published(case)).collect();
        gateway.stage(&publications, client).await;
        let relay =
            relay(client, &broker, QUEUE).with("count", cases.len()).with("property-of-queue", "MQFERRY_RemoteQ");
        let received = by_number(relay.messages());
        assert_eq!(received.len(), cases.len(), "{client:?}");
        let more = publications.iter().filter(|publication| takes_more(publication)).count();
        let mut forms = BTreeMap::new();
        for (form, count) in [("FWD", cases.len()), ("CPY", cases.len()), ("CHG", cases.len()), ("APP", more)] {
            forms.insert(form, gateway.taken(form, count).await);
        }
        for (number, (case, publication)) in cases.iter().zip(&publications).enumerate() {
            let at = format!("{}, {client:?}, {}", gateway.name(), case.name);
            let got = &received[&number];
            assert_eq!(got.left_out, Vec::<String>::new(), "{at}: what the client shows, it lets be set");
            problems
                .extend(seen::differences(got, publication, case, client).into_iter().map(|it| format!("{at}: {it}")));
            let form = |name: &str| forms[name].get(&number);
            let returned = Returned { case, publication, client };
            problems.extend(returned.differences(form).into_iter().map(|it| format!("{at}: {it}")));
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}
