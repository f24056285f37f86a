//! What `check` finds out about a broker, one line each.
//!
//! Everything is tried as the gateway will do it: log in, take a container id, write and read a queue of the
//! gateway's own in transactions. The queue `MQFERRY.PREFLIGHT` stays behind, empty.

use std::time::Duration;

use fe2o3_amqp::transaction::{Controller, Transaction, TransactionDischarge as _};
use fe2o3_amqp::types::messaging::annotations::AnnotationKey;
use fe2o3_amqp::types::messaging::{AmqpValue, Body, Message};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Receiver, Sender};
use tokio::time::Instant;

use super::connection::Connection;
use super::lease::{attach, expires, sync_message};
use super::unit::{Posted, answered, post};
use crate::target::lease::refused_by;
use crate::target::record::fresh_holder;
use crate::target::{Finding, Severity, TargetError};

/// The queue that is written and read.
const QUEUE: &str = "MQFERRY.PREFLIGHT";
/// With a delayed acknowledgement in it a commit takes 40 ms and more; without, a few.
const SLOW_COMMIT: Duration = Duration::from_millis(35);
/// Commits that are timed.
const COMMITS: usize = 5;

/// Writes and reads; closes the connection.
pub(super) async fn try_out(mut connection: Connection, limit: Duration) -> Vec<Finding> {
    let findings = match attach(&mut connection, QUEUE, limit).await {
        Ok(links) => Trial::new(&connection, links, limit).run().await,
        Err(error) => Err(error),
    };
    connection.close().await;
    findings.unwrap_or_else(|error| vec![error.into()])
}

/// Messages sent and read back.
struct Trial<'a> {
    connection: &'a Connection,
    controller: Controller,
    sender: Sender,
    receiver: Receiver,
    limit: Duration,
}

impl<'a> Trial<'a> {
    fn new(
        connection: &'a Connection,
        (controller, sender, receiver): (Controller, Sender, Receiver),
        limit: Duration,
    ) -> Self {
        Self { connection, controller, sender, receiver, limit }
    }

    async fn run(mut self) -> Result<Vec<Finding>, TargetError> {
        let broker = self.connection.broker().to_owned();
        let mut findings = vec![match self.sender.max_message_size().filter(|bytes| *bytes > 0) {
            Some(bytes) => Finding::new(Severity::Good, format!("{broker} takes messages up to {bytes} bytes")),
            None => Finding::new(
                Severity::Good,
                format!("{broker} names no largest message; its connector's wireFormat.maxFrameSize decides"),
            ),
        }];
        let mut commits = Vec::new();
        let mut back = None;
        for _ in 0..COMMITS {
            let text = fresh_holder();
            commits.push(self.send(text.clone()).await?);
            back = self.read_back(&text).await?;
        }
        commits.sort();
        let middle = commits.get(COMMITS / 2).copied().unwrap_or_default();
        findings.push(if middle >= SLOW_COMMIT {
            Finding::new(
                Severity::Warning,
                format!(
                    "{broker} takes {} ms for a commit: set transport.tcpNoDelay=true on its AMQP connector, or look at its disk",
                    middle.as_millis()
                ),
            )
        } else {
            Finding::new(Severity::Good, format!("{broker} commits in {} ms", middle.as_millis().max(1)))
        });
        findings.extend(match back {
            Some(message) => judge(&broker, &message),
            None => vec![Finding::new(
                Severity::Warning,
                format!("{broker} did not give our message back from {QUEUE}: another check may run, try again"),
            )],
        });
        Ok(findings)
    }

    /// Sends one in a transaction; gives how long the commit took.
    async fn send(&mut self, text: String) -> Result<Duration, TargetError> {
        let Self { connection, controller, sender, limit, .. } = self;
        let doing = "trying a transaction";
        let mut transaction = connection.wait(doing, *limit, Transaction::declare(controller, None)).await?;
        match post(connection, &transaction, sender, sync_message(QUEUE, "preflight", text), *limit).await? {
            Posted::Sent(answer) => {
                if let Err(refusal) = answered(connection, answer, *limit).await? {
                    return Err(refused_by(connection.broker(), QUEUE, &refusal.text));
                }
            }
            Posted::Refused(refusal) => return Err(refused_by(connection.broker(), QUEUE, &refusal.text)),
        }
        let began = Instant::now();
        connection.wait(doing, *limit, transaction.discharge(false)).await?;
        Ok(began.elapsed())
    }

    /// Reads until the message with `text` is back; what others left is taken, too.
    async fn read_back(&mut self, text: &str) -> Result<Option<Message<Body<Value>>>, TargetError> {
        let deadline = Instant::now() + self.limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let receiving = async {
                match tokio::time::timeout(left, self.receiver.recv::<Body<Value>>()).await {
                    Ok(delivery) => delivery.map(Some),
                    Err(_) => Ok(None),
                }
            };
            let Some(delivery) = self.connection.wait("reading back", self.limit * 2, receiving).await? else {
                return Ok(None);
            };
            self.connection.wait("reading back", self.limit, self.receiver.accept(&delivery)).await?;
            let is_ours = match delivery.body() {
                Body::Value(AmqpValue(Value::String(body))) => body == text,
                // Whatever the broker made of it, it came after ours was sent.
                Body::Data(_) => true,
                _ => false,
            };
            if is_ours {
                return Ok(Some(delivery.into_message()));
            }
        }
    }
}

/// What a message that came back tells about the connector and the plug-ins.
fn judge(broker: &str, message: &Message<Body<Value>>) -> Vec<Finding> {
    // What the jms transformer understood it writes anew, and adds an annotation about the destination; native hands
    // back the bytes that it got, raw puts them into a data section.
    let annotated = message
        .message_annotations
        .as_ref()
        .is_some_and(|annotations| annotations.contains_key(&"x-opt-jms-dest" as &dyn AnnotationKey));
    let understood = annotated && matches!(message.body, Body::Value(_));
    let transformer = if understood {
        Finding::new(Severity::Good, format!("{broker} turns AMQP messages into JMS messages"))
    } else {
        Finding::new(
            Severity::Error,
            format!(
                "{broker} keeps AMQP messages as raw bytes, so JMS applications on OpenWire could not read them: \
                 set transport.transformer=jms on its AMQP connector"
            ),
        )
    };
    let mut findings = vec![transformer];
    if expires(message) {
        findings.push(Finding::new(
            Severity::Error,
            format!("{broker} gives every message a lifetime, so sync records would be lost: exclude MQFERRY.> from the time-stamping plug-in"),
        ));
    }
    findings
}
