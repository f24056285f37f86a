//! The simulated queue manager as a program: told by options, killed at any moment, started again on the same folder.
#![allow(dead_code, unreachable_pub, reason = "the example and the tests use it")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use mqferry::partner::generator::Numbered;
use mqferry::partner::{Close, ConfirmRequest, Options, PartnerError, Report, Resync, run};
use mqferry::wire::ByteOrder;
use serde_json::{Value, json};

/// A queue manager whose transmission queue empties through one sender channel.
///
/// Runs until the queue is empty and every message confirmed, then prints what it did as JSON. Kill it when you like:
/// started again on the same folder it goes on where it was.
#[derive(Clone, Debug, Parser)]
#[command(name = "sending_queue_manager")]
pub struct Sending {
    /// CONNAME, as HOST:PORT
    #[arg(long)]
    pub address: String,
    /// Name of the channel
    #[arg(long, default_value = "QM1.TO.AMQGW")]
    pub channel: String,
    /// Name of the queue manager
    #[arg(long, default_value = "QM1")]
    pub qmgr: String,
    /// Folder of transmission queue and sync file
    #[arg(long)]
    pub folder: PathBuf,
    /// First puts so many numbered messages of 1 KiB; leave it out when starting again
    #[arg(long, value_name = "N")]
    pub put: Option<u64>,
    /// RemoteQName of those messages
    #[arg(long, default_value = "ORDERS")]
    pub queue: String,
    /// RemoteQMgrName of those messages
    #[arg(long, default_value = "AMQGW")]
    pub remote_qmgr: String,
    /// BATCHSZ
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=9999))]
    pub batch: u16,
    /// BATCHSZ of the first batch of each connection, if another
    #[arg(long, value_name = "N")]
    pub first_batch: Option<u16>,
    /// Leave the sync file to the system's write-back: then it survives kills, not power cuts
    #[arg(long)]
    pub no_fsync: bool,
    /// SHORTTMR in milliseconds
    #[arg(long, default_value_t = 200)]
    pub retry_ms: u64,
    /// SHORTRTY: connections in a row that may be in vain
    #[arg(long, default_value_t = 10_000)]
    pub retries: u32,
    /// Longest wait for an answer in milliseconds
    #[arg(long, default_value_t = 60_000)]
    pub answer_ms: u64,
    /// DISCINT in milliseconds
    #[arg(long, default_value_t = 0)]
    pub discint_ms: u64,
    /// Pause between batches in milliseconds
    #[arg(long, default_value_t = 0)]
    pub pause_ms: u64,
    /// HBINT in seconds
    #[arg(long, default_value_t = 300)]
    pub hbint: i32,
    /// Byte order of its integers
    #[arg(long, value_enum, default_value_t = Order::Little)]
    pub byte_order: Order,
    /// Speak EBCDIC, big-endian, as z/OS
    #[arg(long)]
    pub ebcdic: bool,
    /// FAP level to offer
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=15))]
    pub fap: u8,
    /// Never split a message over segments
    #[arg(long)]
    pub no_split: bool,
    /// Largest segment to offer, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 32766)]
    pub transmission_size: i32,
    /// In what the confirmation of a batch is asked for
    #[arg(long, value_enum, default_value_t = Asking::LastMessage)]
    pub confirm: Asking,
    /// Ask at each start what the partner last committed, not only when in doubt
    #[arg(long)]
    pub always_resync: bool,
    /// Send a batch that was backed out under its old LUWID
    #[arg(long)]
    pub old_luwid: bool,
    /// End a channel by closing the connection
    #[arg(long)]
    pub just_close: bool,
}

/// How the confirmation of a batch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Asking {
    /// On the last segment of the batch.
    LastMessage,
    /// In a STATUS_DATA.
    Status,
    /// In a RESYNC_DATA.
    Resync,
    /// In a MESSAGE_DATA without body.
    Empty,
    /// In a HEARTBEAT.
    Heartbeat,
}

/// Byte order by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Sending {
    /// What the queue manager is told.
    pub fn options(&self) -> Options {
        let mut options = Options::new(&self.address, &self.channel, &self.folder);
        options.qmgr_name.clone_from(&self.qmgr);
        options.batchsz = self.batch;
        options.first_batchsz = self.first_batch;
        options.fsync = !self.no_fsync;
        options.retry_delay = Duration::from_millis(self.retry_ms);
        options.retries = self.retries;
        options.answer_timeout = Duration::from_millis(self.answer_ms);
        options.discint = Duration::from_millis(self.discint_ms);
        options.pause_between_batches = Duration::from_millis(self.pause_ms);
        options.hbint = self.hbint;
        options.speech.fap_level = self.fap;
        options.speech.split = !self.no_split;
        options.speech.max_transmission_size = self.transmission_size;
        options.speech.byte_order = match self.byte_order {
            Order::Little => ByteOrder::Little,
            Order::Big => ByteOrder::Big,
        };
        options.speech.confirm = match self.confirm {
            Asking::LastMessage => ConfirmRequest::OnLastMessage,
            Asking::Status => ConfirmRequest::StatusData,
            Asking::Resync => ConfirmRequest::ResyncData,
            Asking::Empty => ConfirmRequest::EmptyMessageData,
            Asking::Heartbeat => ConfirmRequest::Heartbeat,
        };
        if self.always_resync {
            options.speech.resync = Resync::EachStart;
        }
        if self.just_close {
            options.speech.close = Close::Connection;
        }
        options.speech.resend_under_old_luwid = self.old_luwid;
        if self.ebcdic {
            options.speech = options.speech.ebcdic();
        }
        options
    }

    /// Puts what is to be put, runs the channel, and gives the report.
    pub async fn run(&self) -> Result<Value, PartnerError> {
        if let Some(count) = self.put {
            Numbered::new(count, &self.queue, &self.remote_qmgr).put(&self.folder)?;
        }
        Ok(told(&run(&self.options()).await?))
    }
}

fn told(report: &Report) -> Value {
    json!({
        "confirmed": report.confirmed,
        "batches": report.batches,
        "sent": report.sent,
        "connections": report.connections,
        "counter_proposals": report.counter_proposals,
        "resync_committed": report.resync_committed,
        "resync_backed_out": report.resync_backed_out,
        "dlq_used": report.dlq_used,
        "close_requests": report.close_requests,
        "sequence": report.sequence,
        "luwid": report.luwid.to_string(),
    })
}
