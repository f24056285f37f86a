//! Two gateways on one broker: one moves the channel, the other is told so, and takes over when the first is dead. The two
//! speak different protocols to the broker: the lease and the record are the same in both.

use std::thread::sleep;
use std::time::{Duration, Instant};

use mqferry::partner::{Options, PartnerError, ping};
use mqferry::wire::StatusCode;

use super::count::assert_once;
use super::lot::Lot;
use super::stage::{CHANNEL, QUEUE, Stage};
use super::support::broker::Broker;
use super::support::jms::{Client, receive};

/// From the death to the first confirm: two seconds were seen, of which a new sender takes a part; a machine under load
/// takes longer.
const TAKEN_OVER: Duration = Duration::from_secs(10);

#[test]
fn a_second_gateway_refuses_while_the_first_lives_and_takes_over_when_it_is_killed() {
    takes_over(Broker::openwire_url, Broker::amqp_url);
}

#[test]
fn one_that_speaks_openwire_takes_over_from_one_that_speaks_amqp() {
    takes_over(Broker::amqp_url, Broker::openwire_url);
}

fn takes_over(first: impl Fn(&Broker) -> String, other: impl Fn(&Broker) -> String) {
    let mut lot = Lot::draw("takeover");
    let mut broker = Broker::start();
    // The sender stays when its queue is empty: the channel runs while the second gateway is asked.
    let mut stage = Stage::on(&first(&broker), &["--discint-ms", "120000"]);
    let (mut second, address) = stage.second_gateway(&other(&broker));
    stage.put(1_000);
    stage.start();
    second.start();
    assert!(stage.until(1_000));

    // The same queue manager, calling the other gateway.
    let mut options = Options::new(&address, CHANNEL, stage.xmitq());
    options.answer_timeout = Duration::from_secs(30);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match connected(|| runtime.block_on(ping(&options, 100))) {
        Err(PartnerError::Refused { status, .. }) => {
            assert_eq!(status.code, Some(StatusCode::CHANNEL_UNAVAILABLE), "{}", second.tail());
        }
        other => panic!("{other:?}\n{}", second.tail()),
    }
    // The log tells it too, a moment after the partner was told.
    second.says("the lease is held by", Duration::from_secs(10));

    // The first is not disturbed, and dies in the middle of what comes next.
    stage.put(2_000);
    assert!(stage.until(1_000 + lot.below(1_500)));
    sleep(lot.pause(Duration::from_millis(60)));
    assert!(stage.gateway.kill9(), "the first gateway ended by itself");
    assert!(stage.sender.kill9(), "the sender ended by itself");
    let (then, began) = (stage.remembered(), Instant::now());
    stage.redirect(&address);
    stage.gateway = second;
    stage.sender.start();
    assert!(stage.until(then.confirmed + 1));
    let took = began.elapsed();
    println!("seed {}: taken over at {then:?}, first confirmation after {took:.1?}", lot.seed);
    assert!(took < TAKEN_OVER, "first confirmation after {took:.1?}\n{}", stage.gateway.tail());
    stage.finish();

    let program = receive(Client::Qpid, &broker, QUEUE).with("count", 3_001).with("idle-ms", 3000).with("heads", 20);
    assert_once(program.messages().into_iter().map(|message| message.text.expect("a text")), 1, 3_000);
    for astray in ["MQFERRY.DLQ", "ActiveMQ.DLQ", QUEUE] {
        assert_eq!(broker.depth(astray), 0, "on {astray}");
    }
}

/// The answer of a gateway that may only just be opening its port.
fn connected(mut ask: impl FnMut() -> Result<(), PartnerError>) -> Result<(), PartnerError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match ask() {
            Err(PartnerError::Network { .. }) if Instant::now() < deadline => sleep(Duration::from_millis(50)),
            answer => return answer,
        }
    }
}
