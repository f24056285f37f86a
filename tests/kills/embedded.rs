//! Sender and gateway are killed; the embedded store says what arrived.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::count::assert_once;
use super::lot::Lot;
use super::stage::{Stage, Tally, Victim};

const KILLS: u32 = 200;
const KILLS_A_ROUND: usize = 45;
const MESSAGES: u64 = 5_000;

/// How the sender speaks, round by round; all but the first also cut a batch differently when they send it again.
const SPEECHES: [&[&str]; 5] = [
    &[],
    &["--ebcdic", "--first-batch", "7", "--old-luwid"],
    &["--byte-order", "big", "--fap", "4", "--confirm", "status", "--first-batch", "33", "--just-close"],
    &["--transmission-size", "700", "--confirm", "resync", "--always-resync", "--first-batch", "49"],
    &["--fap", "13", "--confirm", "empty", "--always-resync", "--first-batch", "1", "--old-luwid"],
];

#[test]
fn two_hundred_kills_of_sender_and_gateway_lose_double_and_reorder_nothing() {
    let mut lot = Lot::draw("embedded");
    let mut total = Tally::default();
    let mut rounds = 0;
    while total.kills() < KILLS {
        let speech = SPEECHES[rounds % SPEECHES.len()];
        rounds += 1;
        assert!(rounds <= 12, "the messages are through before the kills come: {total:?}");
        let began = Instant::now();
        let mut stage = Stage::embedded(speech);
        stage.put(MESSAGES);
        stage.start();
        for mark in lot.marks(KILLS_A_ROUND, MESSAGES) {
            // Marks that fall into one batch make kills that follow each other at once.
            if total.kills() + stage.tally.kills() == KILLS || !stage.until(mark) {
                break;
            }
            // Not for luck: so that kills fall at every step of a batch, and of a start.
            sleep(lot.pause(Duration::from_millis(60)));
            if !stage.strike([Victim::Sender, Victim::Gateway][usize::from(lot.below(2) == 1)]) {
                break;
            }
        }
        stage.finish();
        assert_once(stage.stored(), 1, MESSAGES);
        let tally = &stage.tally;
        println!("round {rounds}: {speech:?} {tally:?} in {:.1?}", began.elapsed());
        total.sender += tally.sender;
        total.gateway += tally.gateway;
        total.in_doubt += tally.in_doubt;
        total.committed += tally.committed;
        total.sent_again += tally.sent_again;
        total.standstill = total.standstill.max(tally.standstill);
    }
    println!("seed {}: {rounds} rounds of {MESSAGES}, {total:?}: lost 0, duplicated 0, out of order 0", lot.seed);
    assert!(total.sender >= 50 && total.gateway >= 50, "one of them was spared: {total:?}");
    assert!(total.in_doubt > 0, "no kill ever left the sender in doubt: {total:?}");
}
