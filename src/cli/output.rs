//! Standard output, line by line. A reader that has seen enough (`| head`) is no failure.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::{Failure, Outcome};

/// Prints a line, or several.
///
/// # Errors
/// [`Failure::NobodyReads`] when the reader has gone, which ends the command in good order.
pub fn say(text: &str) -> Outcome {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::NobodyReads),
        Err(error) => Err(anyhow::Error::from(error).context("standard output").into()),
    }
}

/// Prints a value as JSON on one line.
///
/// # Errors
/// As [`say`].
pub fn say_json(value: &impl Serialize) -> Outcome {
    say(&serde_json::to_string(value).map_err(anyhow::Error::from)?)
}

/// Milliseconds since 1970 UTC, to show how long a message still lives.
#[allow(clippy::disallowed_methods, reason = "only shown")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
