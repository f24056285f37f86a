//! Sender, gateway and a real broker are killed; somebody else's JMS client says what arrived.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::count::assert_once;
use super::lot::Lot;
use super::stage::{LONG, QUEUE, Stage, Victim};
use super::support::broker::Broker;
use super::support::jms::{Client, receive};

const MESSAGES: u64 = 5_000;
/// Kills of each in a round.
const KILLS_OF_EACH: usize = 10;

#[test]
fn twenty_kills_each_of_sender_gateway_and_broker_lose_double_and_reorder_nothing() {
    let mut lot = Lot::draw("broker");
    let mut broker = Broker::start();
    let url = broker.amqp_url();
    // One channel over all rounds: the second goes on with its numbers, and with the record in the broker.
    let mut stage = Stage::on(&url, &[]);
    let speeches: [&[&str]; 2] = [&[], &["--ebcdic", "--first-batch", "20", "--confirm", "status"]];
    for ((round, client), speech) in (1..).zip(Client::BOTH).zip(speeches) {
        let began = Instant::now();
        let first = (round - 1) * MESSAGES;
        stage.put(MESSAGES);
        stage.speak(speech);
        stage.start();
        let mut victims: Vec<Victim> = [Victim::Sender, Victim::Gateway, Victim::Broker].repeat(KILLS_OF_EACH);
        lot.shuffle(&mut victims);
        // The last batches are left out, that the last kills still find something to disturb.
        let marks = lot.marks(victims.len(), MESSAGES - 500);
        let mut strikes = marks.into_iter().zip(victims).peekable();
        while let Some((mark, victim)) = strikes.next() {
            assert!(stage.until(first + mark), "the messages are through before the kills came");
            sleep(lot.pause(Duration::from_millis(60)));
            if victim == Victim::Broker {
                broker.kill9();
                let then = stage.remembered();
                stage.note_doubt(&then);
                stage.tally.broker += 1;
                // Sometimes another dies with it, and comes back before it.
                if lot.below(3) == 0
                    && let Some((_, victim)) = strikes.next_if(|(_, victim)| *victim != Victim::Broker)
                {
                    assert!(stage.strike(victim), "the messages are through before the kills came");
                }
                let down = Instant::now();
                broker.restart();
                if down.elapsed() > LONG {
                    println!("the broker took {:.1?} to start\n{}", down.elapsed(), stage.gateway.tail());
                }
            } else {
                assert!(stage.strike(victim), "the messages are through before the kills came");
            }
        }
        stage.finish();
        println!("round {round}: {:?} in {:.1?}", stage.tally, began.elapsed());
        // One more than there should be, so that one too many shows.
        let program =
            receive(client, &broker, QUEUE).with("count", MESSAGES + 1).with("idle-ms", 3000).with("heads", 20);
        let texts = program.messages().into_iter().map(|message| message.text.expect("a text message"));
        assert_once(texts, first + 1, first + MESSAGES);
        for astray in ["MQFERRY.DLQ", "ActiveMQ.DLQ", QUEUE] {
            assert_eq!(broker.depth(astray), 0, "on {astray} after round {round}");
        }
        println!("round {round}: counted by {client:?} after {:.1?}", began.elapsed());
    }
    let tally = &stage.tally;
    println!("seed {}: 2 rounds of {MESSAGES}, {tally:?}: lost 0, duplicated 0, out of order 0", lot.seed);
    assert_eq!((tally.sender, tally.gateway, tally.broker), (20, 20, 20));
}
