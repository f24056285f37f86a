//! `demo`: a simulated queue manager sends, the gateway moves, a table says what arrived.

use clap::Args;

use super::{Failure, Outcome};

/// What to send, and where to.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  mqferry demo
  mqferry demo --broker amqp://localhost:5672 --messages 10000 --batch 50 --json")]
pub struct DemoArgs {
    /// Broker address, as amqp://host:5672; by default an embedded store in a temporary folder
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub messages: u32,
    /// Bytes of each body
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    pub size: usize,
    /// Messages a batch
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=9999))]
    pub batch: u16,
    /// Leave at the broker what arrived, for others to count
    #[arg(long)]
    pub leave: bool,
    /// One object: sent, delivered, lost, duplicated, out_of_order, seconds, broker
    #[arg(long)]
    pub json: bool,
}

/// Runs the demonstration.
///
/// # Errors
/// When something was lost, doubled or out of order, or could not be started.
pub async fn run(_args: DemoArgs) -> Outcome {
    Err(Failure::Failed(anyhow::anyhow!("demo is not built yet")))
}
