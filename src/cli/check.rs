//! `check`: does the configuration hold here and now? Every finding is a line.

use clap::Args;
use serde::Serialize;
use std::net::SocketAddr;
use tokio::net::TcpListener;

use super::output::{say, say_json};
use super::{ConfigFile, Failure, Outcome};
use crate::config::Plan;

/// What to check.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Nothing is changed. Exit status: 0 all holds, 1 something does not, 2 the configuration is wrong.

Example:
  mqferry check -c gateway.toml")]
pub struct CheckArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// One object a finding
    #[arg(long)]
    pub json: bool,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at: `configuration`, `listener`, `admin`, `broker`.
    pub what: &'static str,
    /// Whether it is as it must be.
    pub holds: bool,
    /// One line: what was found; where it does not hold, with the fix.
    pub text: String,
}

impl Finding {
    /// From what was found, or what is wrong.
    pub fn of(what: &'static str, found: Result<String, String>) -> Self {
        let holds = found.is_ok();
        Self { what, holds, text: found.unwrap_or_else(|wrong| wrong) }
    }
}

/// Checks.
///
/// # Errors
/// For a wrong configuration, or when something does not hold.
pub async fn run(args: CheckArgs) -> Outcome {
    let plan = super::load(&args.config.file)?;
    let findings = findings(&plan).await;
    for finding in &findings {
        if args.json {
            say_json(finding)?;
        } else {
            let word = if finding.holds { "ok" } else { "wrong" };
            say(&format!("{word:<6}{:<15}{}", finding.what, finding.text))?;
        }
    }
    if findings.iter().all(|finding| finding.holds) { Ok(()) } else { Err(Failure::DoesNotHold) }
}

async fn findings(plan: &Plan) -> Vec<Finding> {
    let file = plan.file.display();
    let (channels, routes) = (plan.channels.len(), plan.policy.routes.len());
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let read =
        format!("{file}: queue manager {}, {}, {}", plan.name, count(channels, "channel"), count(routes, "route"));
    vec![
        Finding::of("configuration", Ok(read)),
        Finding::of("listener", free(plan.listener, "[listener]").await),
        Finding::of("admin", free(plan.admin, "[admin]").await),
    ]
}

/// Whether the port can be had now.
async fn free(address: SocketAddr, section: &str) -> Result<String, String> {
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) => Err(crate::admin::server::cannot_listen(address, section, &error)),
    }
}
