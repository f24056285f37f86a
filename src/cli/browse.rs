//! `browse`: what an embedded store holds.

use clap::Args;

use super::{Failure, Outcome};

/// Which store, and what of it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  mqferry browse embedded:/var/lib/mqferry
  mqferry browse embedded:/var/lib/mqferry --queue queue://PAYMENTS --json")]
pub struct BrowseArgs {
    /// The store, as embedded:DIR
    #[arg(value_name = "embedded:DIR")]
    pub store: String,
    /// Only this destination; without it, how much each destination holds
    #[arg(long, value_name = "DESTINATION")]
    pub queue: Option<String>,
    /// One object a line
    #[arg(long)]
    pub json: bool,
}

/// Lists.
///
/// # Errors
/// When there is no store.
pub fn run(_args: BrowseArgs) -> Outcome {
    Err(Failure::Failed(anyhow::anyhow!("browse is not built yet")))
}
