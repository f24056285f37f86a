//! Messages that cannot be read: they leave the feed's way, and the broker keeps them.

use std::time::{Duration, Instant};

use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body as AmqpBody, Data, Header, Message};
use fe2o3_amqp::types::primitives::{Array, Binary, SimpleValue, Uuid, Value};
use fe2o3_amqp::{Connection, Sender, Session};
use mqferry::target::{Claimed, Feed as _, Outlet, Source as _};

use super::support::broker::Broker;
use super::target;
use super::target_contract::key;

/// With the native transformer the broker hands on what AMQP applications say, as they said it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_goes_to_the_brokers_dead_letter_queue() {
    let mut broker = Broker::builder().amqp_option("transport.transformer=native").start();
    let builder = Connection::builder().container_id("application").sasl_profile(SaslProfile::Anonymous);
    let mut connection = builder.open(broker.amqp_url().as_str()).await.unwrap();
    let mut session = Session::begin(&mut connection).await.unwrap();
    let mut sender = Sender::attach(&mut session, "application", "queue://UNREAD").await.unwrap();
    let durable = || Message::builder().header(Header { durable: true, ..Header::default() });
    let ids = Value::Array(Array::from(vec![Value::Uuid(Uuid::from([7; 16]))]));
    for _ in 0..2 {
        sender.send(durable().body(AmqpBody::Value(AmqpValue(ids.clone()))).build()).await.unwrap();
        let properties = ApplicationProperties::builder().insert("n", SimpleValue::Int(1)).build();
        let good = durable().application_properties(properties);
        let body = AmqpBody::<Value>::Data(vec![Data(Binary::from(b"good".to_vec()))].into());
        sender.send(good.body(body).build()).await.unwrap();
    }
    sender.close().await.unwrap();
    session.end().await.unwrap();
    connection.close().await.unwrap();

    let source = target(&broker.amqp_url(), None);
    let outlets = [Outlet::Queue("UNREAD".to_owned())];
    let Claimed::Ours(mut feed) = source.feed(&key("UNREAD"), &outlets, 10).await.unwrap() else { panic!("held") };
    for _ in 0..2 {
        let taken = tokio::time::timeout(Duration::from_secs(60), feed.next()).await.unwrap().unwrap();
        assert!(taken.publication.is_ok(), "{taken:?}");
    }
    // The refusals go out while the next message is waited for, which never comes.
    let deadline = Instant::now() + Duration::from_secs(60);
    while broker.depth("ActiveMQ.DLQ") < 2 {
        assert!(tokio::time::timeout(Duration::from_millis(100), feed.next()).await.is_err());
        assert!(Instant::now() < deadline, "{} are there\n{}", broker.depth("ActiveMQ.DLQ"), broker.log());
    }
    feed.release().await;
}
