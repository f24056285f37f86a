//! `run`: the gateway, until it is told to end.

use clap::Args;

use super::{ConfigFile, Failure, Outcome};

/// What to run.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The log goes to standard error; --log debug shows every segment's type.
SIGTERM or Ctrl-C ends it in good order: batches in hand end, then the channels. A second signal ends it at once.

Example:
  mqferry run -c /etc/mqferry/gateway.toml")]
pub struct RunArgs {
    /// Its configuration.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Runs the gateway.
///
/// # Errors
/// For a wrong configuration, or when it cannot start.
pub async fn run(args: RunArgs) -> Outcome {
    let _plan = super::load(&args.config.file)?;
    Err(Failure::Failed(anyhow::anyhow!("run is not built yet")))
}
