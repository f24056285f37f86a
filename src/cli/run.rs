//! `run`: the gateway, until it is told to end.

use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::gateway::{self, Gateway};
use super::{ConfigFile, Failure, Outcome};
use crate::admin::server;

/// How long channels may take to end between batches. Idle ones wait for their partner's heartbeat: they end after this.
const QUIESCE_LIMIT: Duration = Duration::from_secs(15);

/// What to run.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The log goes to standard error; --log trace shows every segment.
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
    let plan = super::load(&args.config.file)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = gateway::bind(plan.listener).await?;
    let admin_listener = server::bind(plan.admin).await.map_err(|error| Failure::Failed(error.into()))?;
    let admin_address = admin_listener.local_addr()?;
    let Gateway { handle, admin } = gateway::start(&plan, listener).await?;
    let stop_admin = CancellationToken::new();
    let health = admin.health.clone();
    for obstacle in health.obstacles() {
        tracing::warn!("{obstacle}; callers are told to try again later");
    }
    let served = gateway::serve_admin(admin_listener, admin, stop_admin.clone());
    tracing::info!(
        name = plan.name,
        listener = %handle.address(),
        admin = %admin_address,
        broker = plan.broker.url,
        channels = plan.channels.len(),
        "mqferry takes callers"
    );
    let mut ended = async || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let signal = ended().await;
    health.listening(false);
    tracing::info!(signal, "ending: batches in hand first; a second signal ends at once");
    let given_up = tokio::select! {
        given_up = handle.stop(QUIESCE_LIMIT) => given_up,
        signal = ended() => {
            tracing::warn!(signal, "ended at once; open batches are rolled back");
            return Ok(());
        }
    };
    stop_admin.cancel();
    served.abort();
    match given_up {
        0 => {
            tracing::info!("all channels have ended");
            Ok(())
        }
        _ => Err(Failure::Failed(anyhow::anyhow!(
            "{given_up} channels did not end; their batches are rolled back and come again"
        ))),
    }
}
