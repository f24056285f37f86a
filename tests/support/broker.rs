//! A real ActiveMQ Classic broker for one test: own store, ephemeral ports, killed when dropped.
//!
//! ```ignore
//! let mut broker = Broker::builder().user("app", "secret", "apps").start();
//! connect(broker.amqp_url());
//! broker.kill9();
//! broker.restart();                    // same data, same ports
//! assert_eq!(broker.depth("ORDERS"), 3);
//! ```
//!
//! All calls block, with a limit. In an async test use `#[tokio::test(flavor = "multi_thread")]`, so that the code
//! under test goes on while the test waits for a broker.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use super::broker_slots::Slot;
pub use super::broker_xml::{BrokerBuilder, FullStore};

/// A machine under load may be slow; a broker that is not there by then will not come.
const START_LIMIT: Duration = Duration::from_secs(90);
/// A broker answers a question about a queue in milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A running (or just killed) broker.
pub struct Broker {
    config: BrokerBuilder,
    home: Arc<TempDir>,
    /// Tells the files of a standby from those of the first.
    name: String,
    /// Connector name to port; known from the first READY on, and kept over restarts.
    ports: BTreeMap<String, u16>,
    process: Option<Process>,
    slot: Arc<Slot>,
}

struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    ready: bool,
}

/// What the broker counts for one queue, since it started.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct QueueStats {
    /// On the queue now, delivered but unacknowledged ones included.
    pub messages: u64,
    /// Delivered and not acknowledged.
    pub inflight: u64,
    /// Consumers attached now.
    pub consumers: u64,
    /// Producers attached now.
    pub producers: u64,
    /// Messages put since start.
    pub enqueues: u64,
    /// Messages acknowledged since start.
    pub dequeues: u64,
}

impl Broker {
    /// A broker with nothing special about it: no users, no limits, no TLS.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Options first, then `start`.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    pub(super) fn launch(config: BrokerBuilder) -> Self {
        let slot = Slot::for_this_test();
        let home = Arc::new(TempDir::with_prefix("mqferry-broker-").expect("a temporary folder"));
        let mut broker = Self { config, home, name: "broker".into(), ports: BTreeMap::new(), process: None, slot };
        broker.restart();
        broker
    }

    /// Starts again on the same data and the same ports, after `kill9` or `stop`; waits until it serves.
    pub fn restart(&mut self) {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            self.spawn();
            if self.ready_by(deadline) {
                return;
            }
            // A client that kept dialling a dead ephemeral port can be given that very port as its own; wait for it to let go.
            let busy = self.log().contains("Address already in use");
            assert!(busy && Instant::now() < deadline, "the broker does not start\n{}", self.log_tail());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Restarts it on the same data with a store of this many bytes: room comes back, or goes.
    pub fn resize_store(&mut self, bytes: u64) {
        self.config = self.config.clone().store_size(bytes);
        self.stop();
        self.restart();
    }

    /// A second broker on the same data folder, as an active/standby pair shares it. It opens its ports, which are
    /// already known, only when the first is gone: see `wait_until_active`.
    pub fn standby(&self) -> Self {
        let mut standby = Self {
            config: self.config.clone(),
            home: Arc::clone(&self.home),
            name: format!("{}-standby", self.name),
            ports: self.ports.keys().map(|connector| (connector.clone(), free_port())).collect(),
            process: None,
            slot: Arc::clone(&self.slot),
        };
        standby.spawn();
        standby
    }

    /// Waits until a standby serves.
    pub fn wait_until_active(&mut self) {
        if self.ready_by(Instant::now() + START_LIMIT) {
            return;
        }
        // Somebody who dials was given a port of ours as his own meanwhile; see `restart`.
        let busy = self.log().contains("Address already in use");
        assert!(busy, "the standby does not take over\n{}", self.log_tail());
        self.restart();
    }

    /// Ends it as a power cut would end the process: SIGKILL, nothing flushed by it.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().expect("kill the broker");
            process.child.wait().expect("wait for the broker");
        }
    }

    /// An orderly end.
    pub fn stop(&mut self) {
        self.say("stop");
        let mut process = self.process.take().expect("the broker runs");
        let deadline = Instant::now() + START_LIMIT;
        while process.child.try_wait().expect("wait for the broker").is_none() {
            if Instant::now() > deadline {
                let _ = process.child.kill();
                panic!("the broker does not stop\n{}", self.log_tail());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the process where it stands (SIGSTOP): connections stay open and answer nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen broker go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().expect("the broker runs").child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("run kill");
        assert!(status.success(), "kill {signal} {pid}: {status}");
    }

    /// `amqp://127.0.0.1:PORT`
    pub fn amqp_url(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.port("amqp"))
    }

    /// `tcp://127.0.0.1:PORT`
    pub fn openwire_url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port("openwire"))
    }

    /// `amqps://localhost:PORT`; needs `tls` in the builder.
    pub fn amqps_url(&self) -> String {
        format!("amqps://localhost:{}", self.port("amqps"))
    }

    /// `ssl://localhost:PORT`; needs `tls` in the builder.
    pub fn ssl_url(&self) -> String {
        format!("ssl://localhost:{}", self.port("ssl"))
    }

    /// Port of a connector: `amqp`, `openwire`, and with TLS `amqps`, `ssl`.
    pub fn port(&self, connector: &str) -> u16 {
        *self.ports.get(connector).unwrap_or_else(|| panic!("no connector {connector} in {:?}", self.ports))
    }

    /// The first user of the builder, for programs that need one: name, password.
    pub fn login(&self) -> Option<(&str, &str)> {
        self.config.users.first().map(|user| (user.name.as_str(), user.password.as_str()))
    }

    /// How many messages are on a queue; 0 if the broker does not know it.
    pub fn depth(&mut self, queue: &str) -> u64 {
        self.stats(queue).map_or(0, |stats| stats.messages)
    }

    /// The broker's own numbers for a queue; none if it does not know it.
    pub fn stats(&mut self, queue: &str) -> Option<QueueStats> {
        let answer = self.ask(&format!("stats queue://{queue}"), "STATS ");
        serde_json::from_str(&answer).expect("queue numbers")
    }

    /// Every destination the broker knows, as `queue://NAME` or `topic://NAME`, advisories included.
    pub fn destinations(&mut self) -> Vec<String> {
        let answer = self.ask("list", "LIST ");
        serde_json::from_str(&answer).expect("destination names")
    }

    /// The broker's log so far, over all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(60)..];
        format!("--- last lines of the log of {} ---\n{}\n---", self.name, tail.join("\n"))
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.home.path().join(format!("{}.{extension}", self.name))
    }

    fn spawn(&mut self) {
        assert!(self.process.is_none(), "the broker already runs");
        let xml = self.config.xml(&self.home.path().join("kahadb"), &self.ports);
        fs::write(self.file("xml"), xml).expect("write the broker's configuration");
        let log = File::options().append(true).create(true).open(self.file("log")).expect("open the broker's log");
        let jars = match &self.config.version {
            None => "jars".to_owned(),
            Some(version) => format!("brokers/{version}"),
        };
        let mut child = java_with(&jars, self.config.heap_mb)
            .arg("-Dorg.slf4j.simpleLogger.showDateTime=true")
            .arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")
            .arg("mqferry.Broker")
            .arg(format!("xbean:file:{}", self.file("xml").display()))
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("start java");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        self.process = Some(Process { child, stdin, lines, ready: false });
    }

    /// False if the process ended without serving or the time is up; then it is gone.
    fn ready_by(&mut self, deadline: Instant) -> bool {
        let process = self.process.as_mut().expect("the broker was started");
        while !process.ready {
            match process.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(ports) = line.strip_prefix("READY ") {
                        self.ports = serde_json::from_str(ports).expect("connector ports");
                        process.ready = true;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.kill9();
                    return false;
                }
            }
        }
        true
    }

    fn say(&mut self, command: &str) {
        let process = self.process.as_mut().expect("the broker runs");
        writeln!(process.stdin, "{command}").and_then(|()| process.stdin.flush()).expect("write to the broker");
    }

    fn ask(&mut self, command: &str, answer: &str) -> String {
        self.say(command);
        let deadline = Instant::now() + ANSWER_LIMIT;
        let process = self.process.as_ref().expect("the broker runs");
        loop {
            match process.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(answer) {
                        return rest.to_owned();
                    }
                }
                Err(why) => panic!("no answer to `{command}`: {why}\n{}", self.log_tail()),
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
        if thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
    }
}

/// A port that was free a moment ago, for what must know its port before it listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Java with the tests' class path and flags for a quick start rather than a long life.
///
/// # Panics
/// If `make deps` has not been run.
pub fn java(heap_mb: u32) -> Command {
    java_with("jars", heap_mb)
}

/// The same with the jars of a folder that `make deps` made.
fn java_with(jars: &str, heap_mb: u32) -> Command {
    let deps = deps();
    let jars = deps.join(jars);
    assert!(jars.is_dir(), "{} is not there: run `make deps`", jars.display());
    let mut java = Command::new("java");
    java.arg(format!("-Xmx{heap_mb}m"))
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"])
        .arg("-cp")
        .arg(format!("{}:{}", deps.join("classes").display(), jars.join("*").display()));
    java
}

/// The folder that `make deps` fills.
pub(super) fn deps() -> PathBuf {
    let deps = Path::new(env!("CARGO_MANIFEST_DIR")).join(".deps");
    let complete = deps.join("classes.stamp").exists();
    assert!(complete, "the tests need a real ActiveMQ and JMS clients, which are not here: run `make deps`");
    deps
}
