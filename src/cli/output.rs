//! Standard output, line by line. A reader that has seen enough (`| head`) is no failure.

use std::io::{self, Write};

use serde::Serialize;

use super::{Failure, Outcome};
pub use crate::clock::wall_ms as now_ms;

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
