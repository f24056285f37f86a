//! How many tests may have a broker at one time: a Java broker each for a dozen test threads would starve them all.

use std::cell::RefCell;
use std::fs::{self, File};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Tests with brokers at one time, over all test processes of this checkout.
const SLOTS: usize = 3;
/// Long enough for every broker test of one binary to have had its turn.
const LIMIT: Duration = Duration::from_secs(1200);

/// Held by all brokers of one test; free again when the last of them is dropped.
pub(super) struct Slot {
    /// The lock goes with the file handle, also when the process is killed.
    _locked: File,
}

thread_local! {
    static MINE: RefCell<Weak<Slot>> = const { RefCell::new(Weak::new()) };
}

impl Slot {
    /// Waits for a slot. A test that already has one (a test is a thread) shares it between its brokers, so two
    /// tests that need two brokers each cannot wait for each other.
    pub(super) fn for_this_test() -> Arc<Self> {
        if let Some(held) = MINE.with_borrow(Weak::upgrade) {
            return held;
        }
        let folder = super::broker::deps().join("slots");
        fs::create_dir_all(&folder).expect("the folder of the slots");
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            for slot in 0..SLOTS {
                let file = File::create(folder.join(slot.to_string())).expect("a slot");
                if file.try_lock().is_ok() {
                    let slot = Arc::new(Self { _locked: file });
                    MINE.set(Arc::downgrade(&slot));
                    return slot;
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("other tests have held all {SLOTS} broker slots for {LIMIT:?}");
    }
}
