//! `check`: does the configuration hold here and now? Every finding is a line.

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use serde::Serialize;
use tokio::net::TcpListener;

use super::output::{say, say_json};
use super::{ConfigFile, Failure, Outcome, gateway};
use crate::admin::server::cannot_listen;
use crate::config::{BrokerPlan, Plan};
use crate::target::address::BrokerAddress;
use crate::target::embedded::Browser;
use crate::target::{self, Outlet, Severity};

/// What to check.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Nothing that others see is changed, but that a broker then has an empty queue MQFERRY.PREFLIGHT. Exit status: 0 all holds, 1 something does not, 2 the configuration is wrong.

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

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it must be.
    Ok,
    /// It works, but somebody should look.
    Look,
    /// The gateway cannot run so.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at: `configuration`, `listener`, `admin`, `broker`.
    pub what: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// One line: what was found; where it is wrong, with the fix.
    pub text: String,
}

impl Finding {
    fn of(what: &'static str, found: Result<String, String>) -> Self {
        let verdict = if found.is_ok() { Verdict::Ok } else { Verdict::Wrong };
        Self { what, verdict, text: found.unwrap_or_else(|wrong| wrong) }
    }
}

impl From<target::Finding> for Finding {
    fn from(finding: target::Finding) -> Self {
        let verdict = match finding.severity {
            Severity::Good => Verdict::Ok,
            Severity::Warning => Verdict::Look,
            Severity::Error => Verdict::Wrong,
        };
        Self { what: "broker", verdict, text: finding.text }
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
            let word = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Look => "look",
                Verdict::Wrong => "wrong",
            };
            say(&format!("{word:<6}{:<15}{}", finding.what, finding.text))?;
        }
    }
    let holds = findings.iter().all(|finding| finding.verdict != Verdict::Wrong);
    if holds { Ok(()) } else { Err(Failure::DoesNotHold) }
}

async fn findings(plan: &Plan) -> Vec<Finding> {
    let file = plan.file.display();
    let (channels, routes) = (plan.channels.len(), plan.policy.routes.len());
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let read =
        format!("{file}: queue manager {}, {}, {}", plan.name, count(channels, "channel"), count(routes, "route"));
    let mut findings = vec![
        Finding::of("configuration", Ok(read)),
        Finding::of("listener", free(plan.listener, "[listener]").await),
        Finding::of("admin", free(plan.admin, "[admin]").await),
    ];
    findings.extend(topics(plan));
    findings.extend(broker(&plan.broker).await);
    findings
}

/// Channels that consume what the broker's protocol cannot give them.
fn topics(plan: &Plan) -> Vec<Finding> {
    if !matches!(plan.broker.address, BrokerAddress::Amqp(_)) {
        return Vec::new();
    }
    let channels = plan.channels.iter().filter_map(|channel| Some((&channel.name, plan.outlets.get(&channel.name)?)));
    let topics = channels.flat_map(|(name, outlets)| outlets.outlets.iter().map(move |outlet| (name, outlet)));
    let topics = topics.filter(|(_, outlet)| matches!(outlet, Outlet::Topic { .. }));
    let found = topics.map(|(name, outlet)| {
        let text = format!(
            "channel {name} consumes {outlet}, which AMQP cannot: write the broker's OpenWire address (tcp://)"
        );
        Finding::of("configuration", Err(text))
    });
    found.collect()
}

/// Whether the port can be had now.
async fn free(address: SocketAddr, section: &str) -> Result<String, String> {
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) => Err(cannot_listen(address, section, &error)),
    }
}

async fn broker(broker: &BrokerPlan) -> Vec<Finding> {
    match &broker.address {
        BrokerAddress::Embedded(dir) => vec![Finding::of("broker", embedded(dir))],
        BrokerAddress::Amqp(brokers) => match gateway::amqp(broker, brokers.clone()) {
            Ok(target) => target.preflight().await.into_iter().map(Finding::from).collect(),
            Err(wrong) => vec![Finding::of("broker", Err(wrong.to_string()))],
        },
        BrokerAddress::OpenWire(brokers) => match gateway::openwire(broker, brokers.clone()) {
            Ok(target) => target.preflight().await.into_iter().map(Finding::from).collect(),
            Err(wrong) => vec![Finding::of("broker", Err(wrong.to_string()))],
        },
    }
}

/// A store that is there is opened; one that is not is not made.
fn embedded(dir: &Path) -> Result<String, String> {
    let shown = dir.display();
    if !dir.exists() {
        return Ok(format!("embedded:{shown} does not exist yet; run makes it"));
    }
    let empty = std::fs::read_dir(dir).map_err(|error| format!("embedded:{shown}: {error}; name a folder"))?.next();
    if empty.is_none() {
        return Ok(format!("embedded:{shown} is empty; run makes the store"));
    }
    match Browser::open(dir) {
        Ok(_) => Ok(format!("embedded:{shown} holds a store, and nobody else has it open")),
        Err(error) => Err(error.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_not_consumed_over_amqp() {
        let found = |url: &str| {
            let text = format!(
                "name = \"GW\"\n[broker]\nurl = \"{url}\"\n[[channel]]\nname = \"GW.TO.QM1\"\nchltype = \"SDR\"\n\
                 conname = \"qm1.example(1414)\"\nrqmname = \"QM1\"\n\
                 xmitq = [\"queue://MQ.QM1.>\", \"topic://rates?durable=GW.rates\"]\n"
            );
            topics(&crate::config::read("test.toml", &text, &|_| None).unwrap())
        };
        assert!(found("tcp://localhost:61616").is_empty());
        let [finding] = found("amqp://localhost:5672").try_into().unwrap();
        assert_eq!(finding.verdict, Verdict::Wrong);
        assert!(finding.text.contains("GW.TO.QM1 consumes topic://rates") && finding.text.contains("tcp://"));
    }
}
