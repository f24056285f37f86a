//! `channel`: looks at and operates the channels of a running gateway, over its admin address.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::output::say;
use super::table::table;
use super::{Failure, Outcome};
use crate::admin::{Answered, ChannelView};
use crate::config;

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same where it has to claim a channel at the broker first, and to wait for messages in doubt.
const LONG_PATIENCE: Duration = Duration::from_secs(90);

/// The largest answer that is read, in bytes; thousands of channels fit.
const LARGEST_ANSWER: usize = 64 << 20;

/// What to do with channels.
#[derive(Clone, Debug, Subcommand)]
#[command(after_help = "\
Examples:
  mqferry channel status
  mqferry channel status QM1.TO.AMQGW --json
  mqferry channel stop QM1.TO.AMQGW -c gateway.toml
  mqferry channel stop QM1.TO.AMQGW --mode force
  mqferry channel start QM1.TO.AMQGW --admin http://127.0.0.1:9157
  mqferry channel resolve AMQGW.TO.QM1 backout
  mqferry channel reset AMQGW.TO.QM1 --seqnum 1 --yes")]
pub enum ChannelCommand {
    /// What channels do, in the words of DISPLAY CHSTATUS
    Status {
        /// Only this channel
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// One list of objects; with NAME one object
        #[arg(long)]
        json: bool,
        /// Which gateway.
        #[command(flatten)]
        gateway: Gateway,
    },
    /// Take callers again
    Start(Operation),
    /// End, then refuse callers, as STOP CHANNEL
    Stop {
        /// Which channel.
        #[command(flatten)]
        operation: Operation,
        /// How: a harder one may follow a softer
        #[arg(long, value_enum, default_value = "quiesce")]
        mode: Mode,
    },
    /// Decide about a batch in doubt of a sending channel, as RESOLVE CHANNEL; the partner need not be there
    Resolve {
        /// The channel
        #[arg(value_name = "NAME")]
        name: String,
        /// commit: the partner has the batch, its messages leave their queues; backout: it has not, they are sent again
        #[arg(value_name = "ACTION")]
        action: Action,
        /// What was done, one object
        #[arg(long)]
        json: bool,
        /// Which gateway.
        #[command(flatten)]
        gateway: Gateway,
    },
    /// Set the number of the next message of a sending channel, as RESET CHANNEL; without --yes it says what that would do
    Reset {
        /// The channel
        #[arg(value_name = "NAME")]
        name: String,
        /// Number of the next message
        #[arg(long, value_name = "N")]
        seqnum: i32,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// What was done, or would be, one object
        #[arg(long)]
        json: bool,
        /// Which gateway.
        #[command(flatten)]
        gateway: Gateway,
    },
}

/// MODE of STOP CHANNEL.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Mode {
    /// End between batches: the batch in hand ends, its confirm is awaited.
    Quiesce,
    /// Now, also in the middle of a batch; what a sending channel has asked to confirm stays in doubt.
    Force,
    /// Now, and wait neither for the partner nor for the broker.
    Terminate,
}

/// ACTION of RESOLVE CHANNEL.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Action {
    /// The partner has the batch.
    Commit,
    /// The partner has nothing of it.
    Backout,
}

/// One channel.
#[derive(Clone, Debug, Args)]
pub struct Operation {
    /// The channel
    #[arg(value_name = "NAME")]
    name: String,
    /// The status after it, one object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: Gateway,
}

/// Which gateway.
#[derive(Clone, Debug, Args)]
pub struct Gateway {
    /// Configuration of the gateway: the address in its admin section is used
    #[arg(short = 'c', long = "config", env = "MQFERRY_CONFIG", value_name = "FILE", conflicts_with = "admin")]
    file: Option<PathBuf>,
    /// Admin address of the gateway, http://127.0.0.1:9157 by default
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
}

impl Gateway {
    /// `host:port`.
    fn authority(&self) -> Result<String, Failure> {
        if let Some(url) = &self.admin {
            let rest = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
            return match rest.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok() => {
                    Ok(rest.to_owned())
                }
                _ => Err(Failure::Wrong(format!("--admin {url}: write it as http://127.0.0.1:9157"))),
            };
        }
        Ok(match &self.file {
            Some(file) => config::admin_address(file)?.to_string(),
            None => config::DEFAULT_ADMIN.to_string(),
        })
    }
}

/// Does it.
///
/// # Errors
/// When no gateway answers, or it does not know the channel.
pub async fn run(command: ChannelCommand) -> Outcome {
    match command {
        ChannelCommand::Status { name: Some(name), json, gateway } => {
            let channel: ChannelView = ask(&gateway, Method::GET, &path(&name, ""), PATIENCE).await?;
            if json { show_json(&channel) } else { say(&one(&channel)) }
        }
        ChannelCommand::Status { name: None, json, gateway } => {
            let channels: Vec<ChannelView> = ask(&gateway, Method::GET, "/channels", PATIENCE).await?;
            if json { show_json(&channels) } else { say(&all(&channels)) }
        }
        ChannelCommand::Start(operation) => operate(operation, "/start").await,
        ChannelCommand::Stop { operation, mode } => {
            let verb = match mode {
                Mode::Quiesce => "/stop",
                Mode::Force => "/stop/force",
                Mode::Terminate => "/stop/terminate",
            };
            operate(operation, verb).await
        }
        ChannelCommand::Resolve { name, action, json, gateway } => {
            let verb = match action {
                Action::Commit => "/resolve/commit",
                Action::Backout => "/resolve/backout",
            };
            let done: Answered = ask(&gateway, Method::POST, &path(&name, verb), LONG_PATIENCE).await?;
            answered(&done, json)
        }
        ChannelCommand::Reset { name, seqnum, yes, json, gateway } => {
            let method = if yes { Method::POST } else { Method::GET };
            let verb = format!("/reset/{seqnum}");
            let done: Answered = ask(&gateway, method, &path(&name, &verb), LONG_PATIENCE).await?;
            answered(&done, json)
        }
    }
}

fn answered(done: &Answered, json: bool) -> Outcome {
    if json {
        return show_json(done);
    }
    let advice = if done.changed { "" } else { "; nothing was changed, repeat it with --yes to do it" };
    say(&format!("{}: {}{advice}", done.channel, done.text))
}

async fn operate(operation: Operation, verb: &str) -> Outcome {
    let channel: ChannelView = ask(&operation.gateway, Method::POST, &path(&operation.name, verb), PATIENCE).await?;
    if operation.json { show_json(&channel) } else { say(&format!("{}: {}", channel.channel, channel.status)) }
}

fn show_json(value: &impl serde::Serialize) -> Outcome {
    say(&serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?)
}

/// Legal characters of a channel's name other than letters and digits are `.`, `/`, `_` and `%`.
fn path(name: &str, verb: &str) -> String {
    let mut path = "/channels/".to_owned();
    for byte in name.bytes() {
        match byte {
            b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => path.push(char::from(byte)),
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path + verb
}

async fn ask<T: DeserializeOwned>(
    gateway: &Gateway,
    method: Method,
    path: &str,
    patience: Duration,
) -> Result<T, Failure> {
    let authority = gateway.authority()?;
    let answer = tokio::time::timeout(patience, request(&authority, method, path)).await;
    Ok(answer.map_err(|_| anyhow!("the gateway at http://{authority} took longer than {patience:?}"))??)
}

async fn request<T: DeserializeOwned>(authority: &str, method: Method, path: &str) -> anyhow::Result<T> {
    let stream = TcpStream::connect(authority).await.with_context(|| {
        format!("no gateway answers at http://{authority}; is it running? name its address with --admin or -c")
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request =
        Request::builder().method(method).uri(path).header(header::HOST, authority).body(Empty::<Bytes>::new())?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(|error| anyhow!(error))?;
        Ok::<_, anyhow::Error>((status, body.to_bytes()))
    };
    let connected = async {
        // Its own errors come out of the exchange too; when it ends well there is nothing more to wait for.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    let (status, body) = tokio::select! {
        exchanged = exchange => exchanged.with_context(|| format!("http://{authority} does not speak as a gateway does"))?,
        () = connected => bail!("the gateway at http://{authority} hung up"),
    };
    if status != StatusCode::OK {
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        match said.get("error").and_then(serde_json::Value::as_str) {
            Some(error) => bail!("{error}"),
            None => bail!("http://{authority}{path} answers {status}; is that a gateway?"),
        }
    }
    serde_json::from_slice(&body).with_context(|| format!("http://{authority}{path} is not what a gateway answers"))
}

fn all(channels: &[ChannelView]) -> String {
    let heading =
        ["CHANNEL", "STATUS", "SUBSTATE", "RQMNAME", "CONNAME", "CURSEQNO", "LSTSEQNO", "MSGS", "BATCHES", "INDOUBT"];
    let rows = channels.iter().map(|channel| {
        vec![
            channel.channel.clone(),
            channel.status.clone(),
            channel.substate.clone(),
            channel.rqmname.clone(),
            channel.conname.clone(),
            channel.curseqno.to_string(),
            channel.lstseqno.to_string(),
            channel.msgs.to_string(),
            channel.batches.to_string(),
            channel.indoubt.clone(),
        ]
    });
    table(&heading, &[5, 6, 7, 8], rows)
}

fn one(channel: &ChannelView) -> String {
    let fields = serde_json::to_value(channel).unwrap_or_default();
    let rows = fields.as_object().into_iter().flatten().map(|(key, value)| {
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        vec![key.clone(), value]
    });
    table(&["ATTRIBUTE", "VALUE"], &[], rows)
}
