//! `demo`: a simulated queue manager sends, the gateway moves, a table says what arrived.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::gateway::{self, Gateway};
use super::{Failure, Outcome, output, table};
use crate::clock::Clock;
use crate::config;
use crate::mapping::Destination;
use crate::partner;
use crate::target::address::BrokerAddress;
use crate::target::embedded::Browser;

mod queue;
mod tally;

use queue::Sent;
use tally::Tally;

/// Our queue manager's name in the demonstration.
const GATEWAY: &str = "AMQGW";
/// The channel that the simulated queue manager calls.
const CHANNEL: &str = "QM1.TO.AMQGW";
/// The queue in the broker.
const QUEUE: &str = "MQFERRY.DEMO";
/// A broker that has given nothing for so long has nothing more.
const IDLE: Duration = Duration::from_secs(3);
/// How long the channel may take to end.
const END: Duration = Duration::from_secs(10);

/// What to send, and where to.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The simulated queue manager first sends the numbered messages, then those that IBM's own software wrote. They arrive in
the queue MQFERRY.DEMO and are counted there by their MsgIds.

Examples:
  mqferry demo
  mqferry demo --broker tcp://localhost:61616 --messages 10000 --batch 50 --json
  mqferry demo --broker amqp://localhost:5672 --leave      then count with a client of your own")]
pub struct DemoArgs {
    /// Broker address, as tcp://host:61616 or amqp://host:5672; by default an embedded store in a temporary folder
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,
    /// How many messages, besides those that IBM's software wrote
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

/// What became of the messages. The counts of arrivals are null when they were left for others to count.
#[derive(Clone, Debug, Serialize)]
struct Report {
    sent: u64,
    delivered: Option<u64>,
    lost: Option<u64>,
    duplicated: Option<u64>,
    out_of_order: Option<u64>,
    seconds: f64,
    broker: String,
    queue: &'static str,
}

/// Runs the demonstration.
///
/// # Errors
/// When something was lost, doubled or out of order, or could not be started.
pub async fn run(args: DemoArgs) -> Outcome {
    let folder = tempfile::Builder::new().prefix("mqferry-demo-").tempdir()?;
    let broker = match &args.broker {
        Some(url) => url.clone(),
        None => format!("embedded:{}", folder.path().join("store").display()),
    };
    let plan = config::read("demo", &configuration(&broker), &|_| None).map_err(|_| {
        // The only thing in it that is not ours is the address.
        gateway::address(&broker)
            .err()
            .unwrap_or_else(|| Failure::Wrong(format!("broker address {broker} cannot be used")))
    })?;
    let xmitq = folder.path().join("xmitq");
    let sent = queue::fill(&xmitq, args.messages, args.size).map_err(anyhow::Error::from)?;

    let listener = gateway::bind(([127, 0, 0, 1], 0).into()).await?;
    let running = gateway::start(&plan, listener).await?;
    // A gateway waits for its broker to come back; a person who looks at a demonstration should not have to.
    if let Some(obstacle) = running.admin.health.obstacles().first() {
        return Err(Failure::Failed(anyhow::anyhow!("{obstacle}")));
    }
    let clock = Clock::default();
    let channel = send(&running, &xmitq, &args, sent.len()).await;
    let seconds = clock.now().as_secs_f64();
    let refused = running.admin.board.status(CHANNEL).and_then(|status| status.last_error);
    running.handle.stop(END).await;
    channel.map_err(|error| {
        let why = refused.map(|why| format!("; the gateway says: {why}")).unwrap_or_default();
        Failure::Failed(anyhow::anyhow!("the channel did not get through: {error}{why}"))
    })?;

    let tally = match args.leave && args.broker.is_some() {
        true => None,
        false => Some(count(&plan, &sent).await?),
    };
    tell(&args, &Report::of(&sent, tally.as_ref(), seconds, broker))?;
    if tally.is_none_or(|tally| tally.holds()) { Ok(()) } else { Err(Failure::DoesNotHold) }
}

/// The configuration that the demonstration runs on; the same as an administrator would write.
fn configuration(broker: &str) -> String {
    format!(
        "name = {GATEWAY:?}\n[listener]\naddress = \"127.0.0.1:0\"\n[broker]\nurl = {broker:?}\n\
         [[channel]]\nname = {CHANNEL:?}\nchltype = \"RCVR\"\nbatchsz = 9999\n\
         [[route]]\nremote_queue = \"*\"\ndestination = \"queue://{QUEUE}\"\n"
    )
}

/// Lets the simulated queue manager empty its transmission queue, with a progress bar for people.
async fn send(
    gateway: &Gateway,
    xmitq: &Path,
    args: &DemoArgs,
    messages: usize,
) -> Result<partner::Report, partner::PartnerError> {
    let mut options = partner::Options::new(gateway.handle.address().to_string(), CHANNEL, xmitq);
    options.batchsz = args.batch;
    options.maxmsgl = 104_857_600;
    options.fsync = false;
    // A broker that saw an earlier demonstration remembers its numbers.
    options.reset = Some(1);
    options.retries = 25;
    let bar = progress(args.json, messages as u64);
    let watch = async {
        loop {
            let status = gateway.admin.board.status(CHANNEL);
            bar.set_position(status.map_or(0, |status| u64::try_from(status.lstseqno).unwrap_or(0)));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let outcome = tokio::select! {
        outcome = partner::run(&options) => outcome,
        () = watch => unreachable!("it watches for ever"),
    };
    bar.finish_and_clear();
    outcome
}

fn progress(json: bool, messages: u64) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {per_sec} {eta}");
    ProgressBar::new(messages)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message("confirmed")
}

/// Counts what arrived, by reading it back.
async fn count(plan: &config::Plan, sent: &Sent) -> Result<Tally, Failure> {
    let failed = |error: crate::target::TargetError| Failure::Failed(error.into());
    let mut tally = Tally::new(sent);
    match plan.broker.address.clone() {
        BrokerAddress::Embedded(dir) => {
            let browser = Browser::open(dir).map_err(failed)?;
            for stored in browser.messages(&Destination::Queue(QUEUE.to_owned())) {
                tally.arrived(stored.map_err(failed)?.publication.message_id.as_deref().unwrap_or_default());
            }
        }
        BrokerAddress::Amqp(brokers) => {
            let mut taker = gateway::amqp(&plan.broker, brokers)?.taker(QUEUE).await.map_err(failed)?;
            while let Some(id) = taker.next(IDLE).await.map_err(failed)? {
                tally.arrived(&id);
            }
        }
        BrokerAddress::OpenWire(brokers) => {
            let mut taker = gateway::openwire(&plan.broker, brokers)?.taker(QUEUE).await.map_err(failed)?;
            while let Some(id) = taker.next(IDLE).await.map_err(failed)? {
                tally.arrived(&id);
            }
        }
    }
    Ok(tally)
}

impl Report {
    fn of(sent: &Sent, tally: Option<&Tally>, seconds: f64, broker: String) -> Self {
        Self {
            sent: sent.len() as u64,
            delivered: tally.map(Tally::delivered),
            lost: tally.map(Tally::lost),
            duplicated: tally.map(Tally::duplicated),
            out_of_order: tally.map(Tally::out_of_order),
            seconds: (seconds * 1000.0).round() / 1000.0,
            broker,
            queue: QUEUE,
        }
    }
}

fn tell(args: &DemoArgs, report: &Report) -> Outcome {
    if args.json {
        return output::say_json(report);
    }
    let number = |count: Option<u64>| count.map_or_else(|| "not counted".to_owned(), |count| count.to_string());
    let rate = if report.seconds > 0.0 { report.sent as f64 / report.seconds } else { 0.0 };
    let rows = [
        ("sent by the queue manager, and confirmed", report.sent.to_string()),
        ("delivered", number(report.delivered)),
        ("lost", number(report.lost)),
        ("duplicated", number(report.duplicated)),
        ("out of order", number(report.out_of_order)),
        ("seconds", format!("{:.3}", report.seconds)),
        ("messages a second", format!("{rate:.0}")),
    ];
    let rows = rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]);
    output::say(&table::table(&["messages", QUEUE], &[1], rows))?;
    output::say(&format!("broker: {}", report.broker))
}
