//! The only place that reads a clock; everything else is told the time.
#![allow(clippy::disallowed_methods, reason = "this is the place")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Time since a fixed moment, as state machines get it. It is tokio's, so that a test that holds that clock holds this one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock {
    /// Time since this clock was made; never goes back.
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// The time of day.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The time of day since 1970 UTC.
pub fn since_1970() -> Duration {
    wall().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The time of day in milliseconds since 1970 UTC.
pub fn wall_ms() -> i64 {
    i64::try_from(since_1970().as_millis()).unwrap_or(i64::MAX)
}
