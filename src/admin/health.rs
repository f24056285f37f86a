//! Whether the gateway lives, and whether it is ready for callers.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Gauge;

use crate::telemetry::Metrics;

/// What readiness depends on, as last seen. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Health {
    seen: Arc<Mutex<Seen>>,
    target_up: Gauge,
}

struct Seen {
    listening: bool,
    target: Result<(), String>,
}

impl Health {
    /// Nothing seen yet: not ready.
    pub fn new(metrics: &Metrics) -> Self {
        let seen = Seen { listening: false, target: Err("not tried yet".to_owned()) };
        Self { seen: Arc::new(Mutex::new(seen)), target_up: metrics.target_up.clone() }
    }

    /// Whether the listener takes callers; false again when it is shut down.
    pub fn listening(&self, listening: bool) {
        self.change(|seen| seen.listening = listening);
    }

    /// How the last try to reach the target ended (a claim, a commit, a look at start); the text says what is wrong.
    pub fn target(&self, answer: Result<(), String>) {
        self.target_up.set(f64::from(u8::from(answer.is_ok())));
        self.change(|seen| seen.target = answer);
    }

    /// Whether the last try to reach the target failed, or there was none.
    pub fn target_is_away(&self) -> bool {
        self.change(|seen| seen.target.is_err())
    }

    /// What keeps the gateway from being ready, one line each; none: it is ready.
    pub fn obstacles(&self) -> Vec<String> {
        self.change(|seen| {
            let listener = (!seen.listening).then(|| "listener: takes no callers".to_owned());
            let target = seen.target.as_ref().err().map(|why| format!("target: {why}"));
            listener.into_iter().chain(target).collect()
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Health({:?})", self.obstacles())
    }
}
