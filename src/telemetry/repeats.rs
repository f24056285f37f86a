//! A failure that repeats is told once an interval, with how often it happened meanwhile.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many different texts are remembered; beyond that the oldest is forgotten and told anew.
const TEXTS: usize = 64;

/// Keeps a log readable while something is down: of equal lines one an interval passes, and says how many did not.
#[derive(Debug)]
pub struct Repeats {
    interval: Duration,
    told: Mutex<HashMap<String, Told>>,
}

#[derive(Debug)]
struct Told {
    at: Duration,
    kept_back: u64,
}

impl Repeats {
    /// Lets an equal line pass once in `interval`.
    pub fn new(interval: Duration) -> Self {
        Self { interval, told: Mutex::new(HashMap::new()) }
    }

    /// The line to log now, if one is due: `text` itself, with ` (… 37 more in 60 s)` if equal ones were kept back.
    /// `now` is the time since any fixed moment.
    pub fn note(&self, text: &str, now: Duration) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = told.get_mut(text) {
            let since = now.saturating_sub(last.at);
            if since < self.interval {
                last.kept_back += 1;
                return None;
            }
            let kept_back = std::mem::take(&mut last.kept_back);
            last.at = now;
            return Some(match kept_back {
                0 => text.to_owned(),
                more => format!("{text} (… {more} more in {} s)", since.as_secs()),
            });
        }
        if told.len() >= TEXTS {
            let oldest = told.iter().min_by_key(|(_, told)| told.at).map(|(text, _)| text.clone());
            oldest.and_then(|text| told.remove(&text));
        }
        told.insert(text.to_owned(), Told { at: now, kept_back: 0 });
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_pass_once_an_interval_and_are_counted() {
        let repeats = Repeats::new(Duration::from_secs(60));
        let note = |text, second| repeats.note(text, Duration::from_secs(second));
        assert_eq!(note("down", 0).as_deref(), Some("down"));
        for second in 1..=37 {
            assert_eq!(note("down", second), None);
        }
        assert_eq!(note("full", 40).as_deref(), Some("full"));
        assert_eq!(note("down", 60).as_deref(), Some("down (… 37 more in 60 s)"));
        assert_eq!(note("down", 130).as_deref(), Some("down"));
    }

    #[test]
    fn memory_is_bounded() {
        let repeats = Repeats::new(Duration::from_secs(60));
        for number in 0..10_000_u32 {
            repeats.note(&number.to_string(), Duration::from_millis(number.into()));
        }
        assert_eq!(repeats.told.lock().unwrap().len(), TEXTS);
    }
}
