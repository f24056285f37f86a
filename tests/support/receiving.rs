//! The simulated queue manager's receiving half as a program: told by options, killed at any moment, started again on the
//! same folder. A test program that has `#[test] fn child_that_takes() { receiving::child() }` can be it ([`Child`]).
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use mqferry::partner::receiver::{ConfirmAnswer, Receiver, Receiving, ResyncAnswer};
use mqferry::partner::{Death, ResyncBody, Step};
use mqferry::wire::{Alphabet, ByteOrder};
use tokio::net::TcpListener;

/// The arguments of a child, one a line.
pub const TOLD: &str = "MQFERRY_RECEIVER";
/// What it says before its address.
const LISTENS: &str = "the queue manager listens on ";

/// A queue manager whose receiver channels put into local queues.
#[derive(Clone, Debug, Parser)]
#[command(name = "receiving_queue_manager")]
pub struct Taking {
    /// Where to listen, as HOST:PORT; port 0 for any
    #[arg(long, default_value = "127.0.0.1:0")]
    pub address: String,
    /// Instead of listening, call the server at this HOST:PORT as requester of --channel, again and again
    #[arg(long, value_name = "HOST:PORT")]
    pub call: Option<String>,
    /// Name of the channel; any if listening without
    #[arg(long)]
    pub channel: Option<String>,
    /// Name of the queue manager
    #[arg(long, default_value = "QM1")]
    pub qmgr: String,
    /// Folder of its journal
    #[arg(long)]
    pub folder: PathBuf,
    /// BATCHSZ
    #[arg(long, default_value_t = 50)]
    pub batch: u16,
    /// HBINT in seconds
    #[arg(long, default_value_t = 300)]
    pub hbint: i32,
    /// MAXMSGL in bytes
    #[arg(long, default_value_t = 4_194_304)]
    pub maxmsgl: i32,
    /// Leave the journal to the system's write-back: then it survives kills, not power cuts
    #[arg(long)]
    pub no_fsync: bool,
    /// Most significant byte first
    #[arg(long)]
    pub big_endian: bool,
    /// Speak EBCDIC, big-endian, as z/OS
    #[arg(long)]
    pub ebcdic: bool,
    /// FAP level
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=15))]
    pub fap: u8,
    /// Take no split messages
    #[arg(long)]
    pub no_split: bool,
    /// Largest segment, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 32766)]
    pub transmission_size: i32,
    /// In what a batch is confirmed
    #[arg(long, value_enum, default_value_t = Confirming::Status)]
    pub confirm: Confirming,
    /// In what the question about a batch is answered
    #[arg(long, value_enum, default_value_t = Resyncing::Resync)]
    pub resync: Resyncing,
    /// Abort at this step, by its name in the program
    #[arg(long, value_name = "STEP")]
    pub die_at: Option<String>,
    /// How often that step is survived first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub die_after: u32,
}

/// In what a batch is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Confirming {
    /// STATUS_DATA without body.
    Status,
    /// STATUS_DATA with code 0.
    Code,
    /// STATUS_DATA with code 0 and the number.
    Number,
    /// As it was asked.
    Same,
    /// HEARTBEAT.
    Heartbeat,
}

/// In what the question about a batch is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resyncing {
    /// RESYNC_DATA with the number.
    Resync,
    /// RESYNC_DATA with the number and the LUWID.
    Luwid,
    /// RESYNC_DATA without body.
    Empty,
    /// STATUS_DATA, code 4 if it has not the batch.
    Status,
    /// STATUS_DATA with its own LUWID and number.
    StatusLuwid,
}

/// Where it can be told to die.
const STEPS: [Step; 10] = [
    Step::AfterInitialData,
    Step::MessageBegun,
    Step::MessageTaken,
    Step::ConfirmRequestRead,
    Step::MidCommit,
    Step::CommittedNotConfirmed,
    Step::ConfirmHalfSent,
    Step::ConfirmSent,
    Step::ResyncAsked,
    Step::ResyncAnswered,
];

impl Taking {
    /// What the queue manager is told.
    pub fn receiving(&self) -> Receiving {
        let mut receiving = Receiving::new(&self.qmgr, &self.folder);
        receiving.channels = self.channel.iter().cloned().collect();
        receiving.batchsz = self.batch;
        receiving.hbint = self.hbint;
        receiving.maxmsgl = self.maxmsgl;
        receiving.fsync = !self.no_fsync;
        receiving.speech.byte_order = if self.big_endian { ByteOrder::Big } else { ByteOrder::Little };
        receiving.speech.alphabet = Alphabet::Ascii;
        receiving.speech.fap_level = self.fap;
        receiving.speech.split = !self.no_split;
        receiving.speech.max_transmission_size = self.transmission_size;
        if self.ebcdic {
            receiving.speech = receiving.speech.ebcdic();
        }
        receiving.habits.confirm = match self.confirm {
            Confirming::Status => ConfirmAnswer::Status,
            Confirming::Code => ConfirmAnswer::StatusCode,
            Confirming::Number => ConfirmAnswer::StatusNumber,
            Confirming::Same => ConfirmAnswer::SameType,
            Confirming::Heartbeat => ConfirmAnswer::Heartbeat,
        };
        (receiving.habits.resync, receiving.habits.resync_body) = match self.resync {
            Resyncing::Resync => (ResyncAnswer::Resync, ResyncBody::Number),
            Resyncing::Luwid => (ResyncAnswer::Resync, ResyncBody::NumberLuwid),
            Resyncing::Empty => (ResyncAnswer::Resync, ResyncBody::Empty),
            Resyncing::Status => (ResyncAnswer::Status, ResyncBody::Number),
            Resyncing::StatusLuwid => (ResyncAnswer::StatusLuwid, ResyncBody::Number),
        };
        receiving.die_at = self.die_at.as_ref().map(|name| {
            let step = STEPS.into_iter().find(|step| format!("{step:?}") == *name);
            let step = step.unwrap_or_else(|| panic!("--die-at {name} is none of {STEPS:?}"));
            Death { step, after: self.die_after, abort: true }
        });
        receiving
    }

    /// Serves until it is killed, or whoever started it is gone.
    pub async fn run(&self) {
        let receiver = Receiver::open(self.receiving()).unwrap_or_else(|error| panic!("{error}"));
        let parent = std::os::unix::process::parent_id();
        let orphaned = async {
            while std::os::unix::process::parent_id() == parent {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::select! {
            () = self.take(receiver) => {}
            () = orphaned => {}
        }
    }

    async fn take(&self, receiver: Receiver) {
        let Some(server) = &self.call else {
            let listener = TcpListener::bind(&self.address).await.unwrap_or_else(|e| panic!("{}: {e}", self.address));
            println!("{LISTENS}{}", listener.local_addr().expect("a listener has an address"));
            receiver.serve(&listener).await.unwrap_or_else(|error| panic!("{error}"));
            return;
        };
        let channel = self.channel.as_deref().expect("--call needs --channel");
        println!("{LISTENS}{}", self.address);
        loop {
            if let Err(error) = receiver.request(channel, server).await {
                println!("{error}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The body of the test that is such a child; returns at once when it is only a test.
pub fn child() {
    let Ok(told) = std::env::var(TOLD) else { return };
    let taking = Taking::parse_from(std::iter::once("receiver").chain(told.lines()));
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(taking.run());
}

/// A receiver in a process of its own: this test program. Killed when dropped.
pub struct Child {
    process: std::process::Child,
    /// Where it listens; another in each life, so put a relay in front of it.
    pub address: SocketAddr,
}

impl Child {
    /// Starts one with these options of [`Taking`], and waits until it listens.
    pub fn start(arguments: &[String]) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child_that_takes", "--nocapture"])
            .env(TOLD, arguments.join("\n"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let said = BufReader::new(process.stdout.take().expect("it is piped"));
        let address = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once(LISTENS)?;
            address.parse().ok()
        });
        Self { address: address.expect("the receiver says where it listens; its errors are above"), process }
    }

    /// SIGKILL; false if it had ended by itself.
    pub fn kill9(mut self) -> bool {
        let alive = self.process.try_wait().expect("wait").is_none();
        let _ = self.process.kill();
        let _ = self.process.wait();
        alive
    }

    /// Whether it is gone.
    pub fn is_over(&mut self) -> bool {
        self.process.try_wait().expect("wait").is_some()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
