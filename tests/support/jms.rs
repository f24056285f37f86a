//! JMS applications that know nothing of mqferry: Apache Qpid JMS (over AMQP) and ActiveMQ's own client (over
//! OpenWire). They are the small Java programs of `tests/java`, run as processes of their own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::broker::{Broker, java};

/// Whose implementation of JMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Apache Qpid JMS, AMQP 1.0.
    Qpid,
    /// ActiveMQ Classic's own, OpenWire.
    ActiveMq,
}

impl Client {
    /// Both, for tests that must hold with either.
    pub const BOTH: [Self; 2] = [Self::Qpid, Self::ActiveMq];
}

/// A JMS message, as the API's getters showed it.
#[derive(Clone, Debug, Deserialize)]
pub struct Received {
    /// The JMS interface: `TextMessage`, `BytesMessage`, `MapMessage`, `StreamMessage`, `ObjectMessage`, `Message`.
    pub class: String,
    /// JMSMessageID
    pub id: Option<String>,
    /// JMSCorrelationID
    pub correlation_id: Option<String>,
    /// JMSCorrelationIDAsBytes in base64; none where the client refuses to give it.
    pub correlation_id_base64: Option<String>,
    /// JMSDestination as `queue://NAME` or `topic://NAME`
    pub destination: Option<String>,
    /// JMSReplyTo, likewise.
    pub reply_to: Option<String>,
    /// JMSType
    #[serde(rename = "type")]
    pub jms_type: Option<String>,
    /// JMSPriority; -1 where only heads were asked for.
    #[serde(default = "minus_one")]
    pub priority: i32,
    /// JMSDeliveryMode is PERSISTENT.
    #[serde(default)]
    pub persistent: bool,
    /// JMSExpiration, milliseconds since 1970; 0: never.
    #[serde(default)]
    pub expiration: i64,
    /// JMSTimestamp, milliseconds since 1970.
    #[serde(default)]
    pub timestamp: i64,
    /// JMSRedelivered
    #[serde(default)]
    pub redelivered: bool,
    /// All properties, the JMSX ones included.
    #[serde(default)]
    pub properties: BTreeMap<String, Typed>,
    /// Body of a TextMessage.
    pub text: Option<String>,
    /// Body of a BytesMessage, in base64.
    pub base64: Option<String>,
    /// Body of a MapMessage or StreamMessage, in the order the client lists it (a map's has no meaning).
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// Class name of what an ObjectMessage holds, and its `toString`.
    pub object_class: Option<String>,
    /// See `object_class`.
    pub object: Option<String>,
    /// Properties that the client would not let a relay set on a copy of the message.
    #[serde(default)]
    pub left_out: Vec<String>,
}

fn minus_one() -> i32 {
    -1
}

/// A value with the Java type that the API gave: `boolean`, `byte`, `short`, `int`, `long`, `float`, `double`,
/// `string`, `char`, `bytes` (base64), `null`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Typed {
    /// See above.
    #[serde(rename = "type")]
    pub kind: String,
    /// NaN and the infinities are strings.
    pub value: Value,
}

/// One entry of a map (with name) or stream (without).
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Entry {
    /// None in a stream.
    pub name: Option<String>,
    /// The value with its type.
    #[serde(flatten)]
    pub typed: Typed,
}

/// What a `Send` or a `Drain` measured.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Sent {
    /// Messages.
    #[serde(alias = "received")]
    pub sent: u64,
    /// To the answer of the last commit; see the programs.
    pub seconds: f64,
    /// Their quotient.
    pub per_second: f64,
    /// Processor time of the program meanwhile.
    pub cpu_seconds: f64,
    /// The most memory that the program ever had, in KiB.
    pub peak_kib: i64,
}

/// A JMS program about to be run: options in the programs' own words (`tests/java/mqferry`).
pub struct Program {
    command: Command,
    what: String,
    files: TempDir,
}

/// A JMS program that runs; killed when dropped.
pub struct Running {
    child: Child,
    what: String,
    files: TempDir,
}

/// Receives from a queue (`queue://NAME` or a bare name) or a topic (`topic://NAME`).
pub fn receive(client: Client, broker: &Broker, destination: &str) -> Program {
    Program::new("Receive", client, broker, destination)
}

/// Receives as [`receive`] does, and sends each message on in four forms: see `Relay.java`.
pub fn relay(client: Client, broker: &Broker, destination: &str) -> Program {
    Program::new("Relay", client, broker, destination)
}

/// Puts numbered texts on many queues: a line of the plan is `QUEUE FIRST COUNT SIZE`, see `Put.java`.
pub fn put(client: Client, broker: &Broker, plan: &[String]) -> Program {
    let program = Program::at("Put", client, broker, "as planned");
    let file = program.files.path().join("plan");
    fs::write(&file, plan.join("\n")).expect("a file for the plan");
    program.with("plan", file.display())
}

/// Sends to a queue or topic.
pub fn send(client: Client, broker: &Broker, destination: &str) -> Program {
    Program::new("Send", client, broker, destination)
}

/// Takes messages off a queue in transactions, and measures: see `Drain.java`.
pub fn drain(client: Client, broker: &Broker, queue: &str) -> Program {
    Program::new("Drain", client, broker, queue)
}

/// Removes a queue with all that lies on it.
pub fn remove(broker: &Broker, queue: &str) {
    Program::new("Remove", Client::ActiveMq, broker, queue).output();
}

impl Program {
    fn new(class: &str, client: Client, broker: &Broker, destination: &str) -> Self {
        let (kind, destination) = destination.split_once("://").unwrap_or(("queue", destination));
        Self::at(class, client, broker, &format!("{kind}://{destination}")).with(kind, destination)
    }

    fn at(class: &str, client: Client, broker: &Broker, what: &str) -> Self {
        let (name, url) = match client {
            Client::Qpid => ("qpid", broker.amqp_url()),
            Client::ActiveMq => ("activemq", broker.openwire_url()),
        };
        let mut command = java(512);
        command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn").arg(format!("mqferry.{class}"));
        let mut program = Self {
            command,
            what: format!("{class} ({client:?}) {what}"),
            files: TempDir::with_prefix("mqferry-jms-").expect("a temporary folder"),
        };
        program = program.with("client", name).with("url", url);
        match broker.login() {
            Some((user, password)) => program.with("user", user).with("password", password),
            None => program,
        }
    }

    /// `--name value`
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.command.arg(format!("--{name}")).arg(value.to_string());
        self
    }

    /// `--name`
    pub fn flag(mut self, name: &str) -> Self {
        self.command.arg(format!("--{name}"));
        self
    }

    /// Starts it, to run beside the test. A receiver has subscribed when this returns.
    pub fn start(mut self) -> Running {
        let create = |name: &str| File::create(self.files.path().join(name)).expect("a file for the output");
        let (out, err) = (create("out"), create("err"));
        let child = self.command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("start java");
        let mut running = Running { child, what: self.what, files: self.files };
        if running.what.starts_with("Receive") {
            running.wait_for(Duration::from_secs(60), |running| running.errors().contains("READY"));
        }
        running
    }

    /// Runs it to its end, two minutes at most, and gives what it printed.
    pub fn output(self) -> String {
        self.start().output(Duration::from_secs(120))
    }

    /// Receives until `--count` messages came, or none for `--idle-ms`.
    pub fn messages(self) -> Vec<Received> {
        parse(&self.output())
    }

    /// Sends, and tells how long it took.
    pub fn sent(self) -> Sent {
        let output = self.output();
        serde_json::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}"))
    }
}

impl Running {
    /// The messages received, once the program has ended; panics when it has not within `limit`.
    pub fn messages(self, limit: Duration) -> Vec<Received> {
        parse(&self.output(limit))
    }

    /// What a sender measured, once it has ended.
    pub fn sent(self, limit: Duration) -> Sent {
        let output = self.output(limit);
        serde_json::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}"))
    }

    fn output(mut self, limit: Duration) -> String {
        self.wait_for(limit, |_| false);
        let status = self.child.wait().expect("wait for java");
        assert!(status.success(), "{}: {status}\n{}", self.what, self.errors());
        fs::read_to_string(self.files.path().join("out")).expect("the output")
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.files.path().join("err")).unwrap_or_default()
    }

    /// Until `done`, or until the program has ended.
    fn wait_for(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !done(self) && self.child.try_wait().expect("wait for java").is_none() {
            assert!(Instant::now() < deadline, "{} is not done after {limit:?}\n{}", self.what, self.errors());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(lines: &str) -> Vec<Received> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}
