//! The tests' own peers: a real broker and two JMS clients do what the other tests build on.

mod support;

use support::broker::Broker;
use support::certificates::Certificates;
use support::jms::{Client, receive, send};

#[test]
fn what_one_client_sends_the_other_receives() {
    let broker = Broker::start();
    for (from, to) in [(Client::Qpid, Client::ActiveMq), (Client::ActiveMq, Client::Qpid)] {
        send(from, &broker, "ORDERS")
            .with("text", "grüße, 世界")
            .with("property", "colour=string:red")
            .with("property", "n=int:7")
            .with("type", "order")
            .with("reply-to", "ANSWERS")
            .with("group", "g1")
            .with("priority", 7)
            .sent();
        let got = receive(to, &broker, "ORDERS").with("count", 1).messages();
        let [message] = &got[..] else { panic!("{from:?} to {to:?}: {got:?}") };
        assert_eq!(message.class, "TextMessage", "{from:?} to {to:?}");
        assert_eq!(message.text.as_deref(), Some("grüße, 世界"));
        assert_eq!((message.priority, message.persistent), (7, true));
        assert_eq!(message.jms_type.as_deref(), Some("order"));
        assert_eq!(message.destination.as_deref(), Some("queue://ORDERS"));
        assert_eq!(message.reply_to.as_deref(), Some("queue://ANSWERS"));
        assert_eq!(message.properties["colour"].value, "red");
        assert_eq!((message.properties["n"].kind.as_str(), &message.properties["n"].value), ("int", &7.into()));
        assert_eq!(message.properties["JMSXGroupID"].value, "g1");
    }
}

#[test]
fn persistent_messages_outlive_a_killed_broker() {
    let mut broker = Broker::start();
    send(Client::Qpid, &broker, "KEPT").with("count", 300).with("batch", 50).with("size", 1024).sent();
    let address = broker.amqp_url();
    broker.kill9();
    broker.restart();
    assert_eq!(broker.amqp_url(), address);
    assert_eq!(broker.depth("KEPT"), 300);
    let heads = receive(Client::ActiveMq, &broker, "KEPT").with("count", 300).with("heads", 18).messages();
    let wanted: Vec<_> = (1..=300).map(|n| format!("{:<18}", format!("message {n} of 300"))).collect();
    let found: Vec<_> = heads.iter().map(|message| message.text.clone().unwrap_or_default()).collect();
    assert_eq!(found, wanted);
    assert_eq!(broker.depth("KEPT"), 0);
}

#[test]
fn a_standby_takes_over_and_an_outsider_stays_out() {
    let mut first = Broker::builder().user("app", "se<ret", "admins").start();
    let mut standby = first.standby();
    send(Client::ActiveMq, &first, "Q").with("text", "one").sent();
    first.kill9();
    standby.wait_until_active();
    let got = receive(Client::Qpid, &standby, "Q").with("count", 1).messages();
    assert_eq!(got[0].text.as_deref(), Some("one"));
    assert!(standby.stats("NOBODY.PUT.HERE").is_none());
    standby.stop();
}

#[test]
fn a_broker_with_tls_listens_on_four_ports() {
    let certificates = Certificates::make("dns:localhost,ip:127.0.0.1");
    let broker = Broker::builder().tls(&certificates).start();
    for connector in ["amqp", "amqps", "openwire", "ssl"] {
        std::net::TcpStream::connect(("127.0.0.1", broker.port(connector))).expect(connector);
    }
    let pem = std::fs::read_to_string(certificates.ca_file()).expect("the authority");
    assert!(pem.contains("BEGIN CERTIFICATE"));
}
