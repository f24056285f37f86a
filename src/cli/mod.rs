//! The command line: one file a command. Results go to standard output, logs and errors to standard error.
//!
//! Exit status: 0 done, 1 did not hold or failed, 2 wrong usage or configuration.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::config::{self, Plan, Problems};
use crate::telemetry;

pub mod browse;
pub mod channel;
pub mod check;
pub mod demo;
pub mod explain;
mod gateway;
pub mod output;
pub mod run;
pub mod table;

const EXAMPLES: &str = "\
Examples:
  mqferry demo                          see messages cross, from a simulated queue manager to an embedded store
  mqferry check -c gateway.toml         is the configuration right, are ports free, is the broker there?
  mqferry run -c gateway.toml           the gateway; SIGTERM ends it between batches
  mqferry channel status                what every channel of the running gateway does
  mqferry channel stop QM1.TO.AMQGW     end a channel between batches and refuse callers
  mqferry explain message.bin           what is in a message of a transmission queue, header by header

A first configuration:
  name = \"AMQGW\"                        # the queue-manager name that partners see
  [broker]
  url = \"tcp://localhost:61616\"         # or amqp://localhost:5672, or embedded:DIR
  [[channel]]
  name = \"QM1.TO.AMQGW\"                 # as the sender channel at the queue manager
  chltype = \"RCVR\"

Exit status: 0 done, 1 did not hold or failed, 2 wrong usage or configuration.";

/// Joins IBM MQ message channels to ActiveMQ: what lies on a transmission queue arrives in the broker, once, in order.
#[derive(Debug, Parser)]
#[command(name = "mqferry", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// What to log on standard error: error, warn, info, debug, trace, or a list as mqferry::mover=debug,warn
    #[arg(long, env = "MQFERRY_LOG", global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show messages crossing: a simulated queue manager sends, the gateway moves, a table says what arrived
    Demo(demo::DemoArgs),
    /// Run the gateway
    Run(run::RunArgs),
    /// Check a configuration, the ports, the broker and TLS; every problem at once
    Check(check::CheckArgs),
    /// Show a message header by header, and the publication that it becomes
    Explain(explain::ExplainArgs),
    /// List what an embedded store holds
    Browse(browse::BrowseArgs),
    /// Show, start and stop channels of a running gateway
    #[command(subcommand)]
    Channel(channel::ChannelCommand),
}

/// `-c FILE`.
#[derive(Clone, Debug, Args)]
pub struct ConfigFile {
    /// Configuration file (TOML)
    #[arg(short = 'c', long = "config", env = "MQFERRY_CONFIG", value_name = "FILE")]
    pub file: PathBuf,
}

/// Why a command ends without success.
#[derive(Debug)]
pub enum Failure {
    /// Wrong usage or configuration: exit status 2. One line a problem.
    Wrong(String),
    /// It failed: exit status 1.
    Failed(anyhow::Error),
    /// Something does not hold, and standard output says what: exit status 1.
    DoesNotHold,
    /// Whoever read standard output has seen enough: exit status 0.
    NobodyReads,
}

/// How a command ends.
pub type Outcome = Result<(), Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(text) => f.write_str(text),
            Self::Failed(error) => write!(f, "{error:#}"),
            Self::DoesNotHold | Self::NobodyReads => Ok(()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Wrong(problems.to_string())
    }
}

/// Parses the command line of this process and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let outcome = match log_of(&cli) {
        Ok(()) => dispatch(cli.command),
        Err(error) => Err(Failure::Wrong(error.to_string())),
    };
    match outcome {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.to_string().lines().for_each(complain);
            ExitCode::from(if matches!(failure, Failure::Wrong(_)) { 2 } else { 1 })
        }
    }
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Demo(args) => wait_for(demo::run(args)),
        Command::Run(args) => wait_for(run::run(args)),
        Command::Check(args) => wait_for(check::run(args)),
        Command::Explain(args) => explain::run(args),
        Command::Browse(args) => browse::run(args),
        Command::Channel(command) => wait_for(channel::run(command)),
    }
}

fn wait_for(command: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

/// The gateway tells what it does; the other commands only what is wrong.
fn log_of(cli: &Cli) -> Result<(), telemetry::log::LogError> {
    let default = if matches!(cli.command, Command::Run(_)) { "info" } else { "warn" };
    telemetry::log::init(cli.log.as_deref().unwrap_or(default))
}

/// Reads the configuration.
///
/// # Errors
/// With every problem of it.
pub fn load(file: &Path) -> Result<Plan, Failure> {
    Ok(config::load(file)?)
}

fn complain(line: &str) {
    eprintln!("mqferry: {line}");
}

/// Help goes where it was asked for; an error is one line.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Whoever reads may have seen enough.
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { 2 } else { 0 })
        }
        _ => {
            let text = error.render().to_string();
            let said =
                text.split("\n\nUsage:").next().unwrap_or(&text).split("\n\nFor more").next().unwrap_or_default();
            let line = said
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
                .replace(" tip: ", "; ");
            complain(&format!("{}; see mqferry --help", line.trim_start_matches("error: ")));
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
