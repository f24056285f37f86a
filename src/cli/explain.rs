//! `explain`: a message as it lies in a file, header by header, and the publication that it becomes.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Outcome};

/// Which files.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// Files, each with one message
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// One object a file
    #[arg(long)]
    pub json: bool,
}

/// Explains.
///
/// # Errors
/// For a file that is not a message.
pub fn run(_args: ExplainArgs) -> Outcome {
    Err(Failure::Failed(anyhow::anyhow!("explain is not built yet")))
}
