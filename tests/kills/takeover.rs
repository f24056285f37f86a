//! Two gateways on one broker: one moves the channel, the other is told so, and takes over when the first is dead. The two
//! speak different protocols to the broker: the lease and the record are the same in both.

use std::thread::sleep;
use std::time::{Duration, Instant};

use mqferry::partner::{Options, PartnerError, ping};
use mqferry::wire::StatusCode;

use super::count::assert_once;
use super::lot::Lot;
use super::process::Life;
use super::stage::{CHANNEL, QUEUE, Stage};
use super::support::broker::Broker;
use super::support::jms::{Client, receive};

/// What is promised, from the death to the first confirm; the start of a new sender is a part of it.
const TAKEN_OVER: Duration = Duration::from_secs(2);
/// So often the machine may have had something else to do. A wait of ours that is too long would be there each time.
const ROUNDS: usize = 4;
/// Keeps a sender when its queue is empty.
const STAYS: [&str; 2] = ["--discint-ms", "120000"];

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
    let mut stage = Stage::on(&first(&broker), &STAYS);
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
    let mut sent = 1_000;
    let mut addresses = [stage.address(), address];
    for round in 1.. {
        stage.put(2_000);
        if round > 1 {
            second.start();
            stage.redirect(&addresses[0], &STAYS);
            stage.sender.start();
        }
        assert!(stage.until(sent + lot.below(1_500)));
        sent += 2_000;
        sleep(lot.pause(Duration::from_millis(60)));
        let took = successor(&mut stage, &mut second, &addresses[1]);
        addresses.reverse();
        println!("seed {}: first confirmation after {took:.1?}", lot.seed);
        if took < TAKEN_OVER {
            break;
        }
        assert!(
            round < ROUNDS,
            "first confirmation after {took:.1?}, for the {ROUNDS}th time\n{}",
            stage.gateway.tail()
        );
        while stage.until(u64::MAX) {}
    }
    stage.finish();

    let program = receive(Client::Qpid, &broker, QUEUE).with("count", sent + 1).with("idle-ms", 3000).with("heads", 20);
    assert_once(program.messages().into_iter().map(|message| message.text.expect("a text")), 1, sent);
    for astray in ["MQFERRY.DLQ", "ActiveMQ.DLQ", QUEUE] {
        assert_eq!(broker.depth(astray), 0, "on {astray}");
    }
}

/// Kills the gateway and the sender; the queue manager then calls the other gateway, which is the stage's from then on. How
/// long after the death the first batch was confirmed.
fn successor(stage: &mut Stage, other: &mut Life, address: &str) -> Duration {
    assert!(stage.gateway.kill9(), "the gateway ended by itself");
    assert!(stage.sender.kill9(), "the sender ended by itself");
    let (then, began) = (stage.remembered(), Instant::now());
    stage.redirect(address, &[]);
    std::mem::swap(&mut stage.gateway, other);
    stage.sender.start();
    assert!(stage.until(then.confirmed + 1));
    began.elapsed()
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
