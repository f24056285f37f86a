//! The log: one line an event, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "log filter {filter:?}: {why}; write a level (error, warn, info, debug, trace) or mqferry::mover=debug,warn"
    )]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// This process has a log already.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log of this process. `filter` is a level, which is then meant for mqferry itself while libraries stay at warnings,
/// or a list of `target=level`.
///
/// # Errors
/// When the filter cannot be read, or the process has a log already.
pub fn init(filter: &str) -> Result<(), LogError> {
    let bad = |why: String| LogError::Filter { filter: filter.to_owned(), why };
    let directives = match filter.parse::<tracing::Level>() {
        Ok(level) => format!("warn,mqferry={level}"),
        Err(_) if filter.contains(['=', ',']) || filter == "off" => filter.to_owned(),
        Err(error) => return Err(bad(error.to_string())),
    };
    let filter = EnvFilter::builder().parse(&directives).map_err(|error| bad(error.to_string()))?;
    let colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(colours)
        .with_target(false)
        .compact()
        .finish()
        .try_init()
        .map_err(|_| LogError::Twice)
}
