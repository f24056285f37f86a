//! A gateway in this process on a target in memory, its log kept, and a simulated queue manager to call it.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mqferry::admin::{ChannelBoard, ChannelStatus, Health};
use mqferry::channel::ChannelKey;
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::mover::{self, Handle, MemoryBudget, Settings};
use mqferry::partner::generator::{self, Numbered};
use mqferry::partner::{Options, PartnerError, Report, run};
use mqferry::target::{Memory, Source};
use mqferry::telemetry::Metrics;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

pub const CHANNEL: &str = "QM1.TO.GW";
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that a test of the mover needs. Its log is that of this thread: use the current-thread runtime.
pub struct Stage {
    pub memory: Memory,
    pub gateway: Handle,
    pub board: ChannelBoard,
    pub metrics: Metrics,
    pub health: Health,
    pub log: Log,
    folder: TempDir,
    _default: DefaultGuard,
}

/// How a gateway is set up.
pub struct Setup {
    /// `[[channel]]` sections and whatever else, in TOML.
    pub text: String,
    /// Keys of the top of the file.
    pub top: String,
    /// Bytes for messages in flight.
    pub memory: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self { text: channel(CHANNEL, ""), top: String::new(), memory: 64 << 20 }
    }
}

/// A `[[channel]]` of type RCVR with these further lines.
pub fn channel(name: &str, more: &str) -> String {
    format!("[[channel]]\nname = \"{name}\"\nchltype = \"RCVR\"\n{more}\n")
}

/// Starts a gateway named GW on any target.
pub async fn gateway<T: Source>(setup: &Setup, target: T) -> (Handle, ChannelBoard, Metrics, Health) {
    let text = format!("name = \"GW\"\n{}\n[broker]\nurl = \"embedded:unused\"\n{}", setup.top, setup.text);
    let plan = mqferry::config::read("test.toml", &text, &|_| None).unwrap();
    let metrics = Metrics::new().unwrap();
    let board = ChannelBoard::new(&plan.channels, &metrics);
    let health = Health::new(&metrics);
    let settings = Settings {
        identity: plan.identity(),
        definitions: plan.channels.iter().map(|channel| (channel.name.clone(), channel.clone())).collect(),
        outlets: plan.outlets.clone(),
        policy: plan.policy.clone(),
        deadq: plan.deadq.clone(),
        memory: MemoryBudget::new(setup.memory),
        board: board.clone(),
        health: health.clone(),
        metrics: metrics.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (mover::start(settings, target, listener).unwrap(), board, metrics, health)
}

/// A channel of the simulated queue manager QM1: batches of five, no waiting between connections.
pub fn options(address: SocketAddr, folder: &Path) -> Options {
    Options {
        batchsz: 5,
        retry_delay: Duration::from_millis(20),
        retries: 50,
        answer_timeout: Duration::from_secs(30),
        fsync: false,
        ..Options::new(address.to_string(), CHANNEL, folder)
    }
}

/// The numbers of numbered messages.
pub fn numbers<'a>(publications: impl IntoIterator<Item = &'a Publication>) -> Vec<u64> {
    publications
        .into_iter()
        .map(|publication| match &publication.body {
            Body::Text(text) => generator::number_of(text.as_bytes()).expect("a numbered message"),
            other => panic!("not a text: {other:?}"),
        })
        .collect()
}

impl Stage {
    pub async fn set() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let log = Log::default();
        let subscriber =
            tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).with_max_level(tracing::Level::INFO);
        let default = tracing::subscriber::set_default(subscriber.finish());
        let memory = Memory::new();
        let (gateway, board, metrics, health) = gateway(&setup, memory.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        Self { memory, gateway, board, metrics, health, log, folder, _default: default }
    }

    pub fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    pub fn options(&self) -> Options {
        options(self.address(), self.folder.path())
    }

    /// Puts numbered messages on the transmission queue.
    pub fn put(&self, first: u64, count: u64, queue: &str) {
        let messages = Numbered { first, size: 60, ..Numbered::new(count, queue, "GW") };
        messages.put(self.folder.path()).unwrap();
    }

    pub async fn send(&self, options: &Options) -> Result<Report, PartnerError> {
        tokio::time::timeout(PATIENCE, run(options)).await.expect("the run ends in time")
    }

    /// Numbers of what was committed to a queue, in order.
    pub fn at(&self, queue: &str) -> Vec<u64> {
        numbers(&self.memory.at(&Destination::Queue(queue.to_owned())))
    }

    /// What was committed to the dead-letter queue.
    pub fn dead(&self) -> Vec<Publication> {
        self.memory.at(&Destination::Queue("MQFERRY.DLQ".to_owned()))
    }

    pub fn status(&self) -> ChannelStatus {
        self.board.status(CHANNEL).unwrap()
    }

    pub fn key(&self, channel: &str, partner: &str) -> ChannelKey {
        ChannelKey { gateway: "GW".into(), channel: channel.into(), partner: partner.into() }
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, is: impl FnMut() -> bool) {
        until(what, is).await;
    }

    /// A line of a scrape that begins so, and its value.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }

    /// Ends the gateway; no channel has to be given up.
    pub async fn end(self) -> Log {
        assert_eq!(self.gateway.stop(PATIENCE).await, 0, "channels that had to be given up\n{}", self.log.text());
        self.log
    }
}

/// Waits until something is so; real time, for it waits for sockets.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain: {what}");
}

/// What was logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The lines that hold all of these words.
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        self.text().lines().filter(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned).collect()
    }

    /// Exactly one line holds all of these words.
    #[track_caller]
    pub fn says_once(&self, words: &[&str]) -> String {
        let lines = self.lines(words);
        assert_eq!(lines.len(), 1, "lines with {words:?} in\n{}", self.text());
        lines[0].clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
