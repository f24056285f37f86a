//! An orderly end in the middle of the stream: between batches, and nobody has to do anything to go on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::count::assert_once;
use super::lot::Lot;
use super::stage::{PATIENCE, Stage};

#[test]
fn sigterm_ends_between_batches_and_the_channel_goes_on_after_a_restart() {
    let mut lot = Lot::draw("order");
    let mut stage = Stage::embedded(&[]);
    stage.put(4_000);
    stage.start();
    for mark in [500, 1_500, 2_500] {
        assert!(stage.until(mark), "the messages were through before the signal");
        sleep(lot.pause(Duration::from_millis(40)));
        let status = stage.gateway.terminate(PATIENCE);
        assert_eq!(status.code(), Some(0), "the gateway, told to end");
        let stored = stage.stored();
        let count = stored.len() as u64;
        assert_once(stored, 1, count);
        // The last confirmation may still be on its way from the sender's socket to its file.
        let deadline = Instant::now() + Duration::from_secs(10);
        while stage.remembered().confirmed < count && Instant::now() < deadline {
            sleep(Duration::from_millis(5));
        }
        let remembered = stage.remembered();
        assert_eq!((remembered.confirmed, remembered.in_doubt), (count, None), "what the sender knows of the end");
        stage.gateway.start();
    }
    stage.finish();
    assert_once(stage.stored(), 1, 4_000);
    let said = stage.gateway.said();
    assert_eq!(said.matches("all channels have ended").count(), 4, "{said}");
}
