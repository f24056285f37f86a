//! The lease of [`crate::target::lease`] over AMQP: its queue's links, and the claim that holds it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::transaction::{
    Controller, ControllerSendError, Transaction, TransactionDischarge as _, TransactionRetirement as _,
};
use fe2o3_amqp::types::messaging::{
    AmqpValue, Body, Header, Message, Outcome as AmqpOutcome, Priority, Properties, Source, Target as AmqpDestination,
};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Delivery, Receiver, Sendable, Sender};
use futures_util::FutureExt as _;

use super::connection::{Connection, say};
use super::message::Outgoing;
use super::unit::{AmqpUnit, LearnedLimit, Posted, answered, post};
use crate::channel::record::{ChannelKey, SyncRecord};
use crate::target::lease::{BARRIER, Claiming, Decision, Kept, Lease, RECORD, Seen, TakeOver, WINDOW, refused_by};
use crate::target::{Claim, Claimed, Limits, Side, TargetError};
use crate::wire::Luwid;

/// The lease on one channel, with the connection that carries it.
#[derive(Debug)]
pub struct AmqpClaim {
    // Links first: they are dropped before the connection that they belong to.
    controller: Controller,
    sender: Sender,
    pub(super) record: Record,
    pub(super) connection: Connection,
    pub(super) limits: Limits,
    learned: Arc<LearnedLimit>,
}

/// The record's consumer, and what is known of the record.
#[derive(Debug)]
pub(super) struct Record {
    receiver: Receiver,
    pub(super) lease: Lease<DeliveryInfo>,
    /// A unit was dropped, not rolled back; see [`declare`].
    unit_was_dropped: bool,
}

impl AmqpClaim {
    /// Takes the lease over `connection`, which has the channel's container id.
    pub(super) async fn take(
        mut connection: Connection,
        key: &ChannelKey,
        limits: Limits,
        learned: Arc<LearnedLimit>,
    ) -> Result<Claimed<Self>, TargetError> {
        let mut claiming = Claiming::new(key);
        let (controller, mut sender, mut receiver) = attach(&mut connection, claiming.queue(), limits.answer).await?;
        send_barrier(&connection, &mut sender, &claiming, limits.answer).await?;
        while let Some(wait) = claiming.wait(&limits) {
            let Some(delivery) = next(&connection, &mut receiver, wait).await? else { break };
            claiming.arrived(seen(&delivery), DeliveryInfo::from(&delivery))?;
        }
        let TakeOver { lease, to_take, text } = match claiming.decide(connection.broker())? {
            Decision::TakeOver(take_over) => *take_over,
            Decision::Held(text) => {
                drop((controller, sender, receiver));
                connection.close().await;
                return Ok(Claimed::Held(text));
            }
        };
        let record = Record { receiver, lease, unit_was_dropped: false };
        let mut claim = Self { controller, sender, record, connection, limits, learned };
        claim.take_over(to_take, text).await?;
        Ok(Claimed::Ours(claim))
    }

    /// One transaction: takes everything that was read and sends the record anew, as ours.
    async fn take_over(&mut self, to_take: Vec<DeliveryInfo>, text: String) -> Result<(), TargetError> {
        let Self { controller, sender, record, connection, limits, .. } = self;
        let doing = "taking the lease";
        let mut transaction = connection.wait(doing, limits.answer, Transaction::declare(controller, None)).await?;
        for delivery in to_take {
            connection.wait(doing, limits.answer, transaction.accept(&mut record.receiver, delivery)).await?;
        }
        let message = sync_message(record.lease.queue(), RECORD, text);
        match post(connection, &transaction, sender, message, limits.answer).await? {
            Posted::Sent(answer) => {
                if let Err(refusal) = answered(connection, answer, limits.answer).await? {
                    return Err(record.lease.refused(connection.broker(), &refusal.text));
                }
            }
            Posted::Refused(refusal) => return Err(record.lease.refused(connection.broker(), &refusal.text)),
        }
        connection.wait(doing, limits.commit, transaction.discharge(false)).await.inspect_err(|_| connection.cut())?;
        record.receive_back(connection, limits.answer).await
    }
}

async fn send_barrier(
    connection: &Connection,
    sender: &mut Sender,
    claiming: &Claiming<DeliveryInfo>,
    limit: Duration,
) -> Result<(), TargetError> {
    let barrier = sync_message(claiming.queue(), BARRIER, claiming.barrier().to_owned());
    let sent = sender.send(Sendable::builder().message(barrier).build());
    let why = match connection.wait("sending to the sync record's queue", limit, sent).await? {
        AmqpOutcome::Accepted(_) => return Ok(()),
        AmqpOutcome::Rejected(rejected) => rejected.error.as_ref().map_or_else(|| "no reason given".to_owned(), say),
        other => super::connection::one_line(&other),
    };
    Err(refused_by(connection.broker(), claiming.queue(), &why))
}

/// The next delivery, or none within `limit`.
async fn next(
    connection: &Connection,
    receiver: &mut Receiver,
    limit: Duration,
) -> Result<Option<Delivery<Body<Value>>>, TargetError> {
    let receive = async {
        match tokio::time::timeout(limit, receiver.recv::<Body<Value>>()).await {
            Ok(delivery) => delivery.map(Some),
            Err(_) => Ok(None),
        }
    };
    connection.wait("receiving from the sync record's queue", limit + Duration::from_secs(1), receive).await
}

/// What a delivery shows.
fn seen(delivery: &Delivery<Body<Value>>) -> Seen<'_> {
    let message = delivery.message();
    let text = match &message.body {
        Body::Value(AmqpValue(Value::String(text))) => Some(text.as_str()),
        _ => None,
    };
    let kind = message.properties.as_ref().and_then(|properties| properties.subject.as_deref());
    Seen { kind, text, expires: expires(message) }
}

pub(super) async fn attach(
    connection: &mut Connection,
    queue: &str,
    limit: Duration,
) -> Result<(Controller, Sender, Receiver), TargetError> {
    let Connection { session, .. } = connection;
    let links = async {
        let controller =
            Controller::attach(session, "mqferry-transactions").await.map_err(|error| link_error(&error))?;
        let sender = Sender::builder()
            .name("mqferry-producer")
            .target(AmqpDestination::builder().build())
            .attach(session)
            .await
            .map_err(|error| link_error(&error))?;
        let source = Source::builder().address(format!("queue://{queue}?consumer.exclusive=true")).build();
        let receiver = Receiver::builder()
            .name("mqferry-record")
            .source(source)
            .credit_mode(CreditMode::Auto(WINDOW.into()))
            .auto_accept(false)
            .attach(session)
            .await
            .map_err(|error| link_error(&error))?;
        Ok::<_, String>((controller, sender, receiver))
    };
    let outcome = tokio::time::timeout(limit, links).await;
    match outcome {
        Ok(Ok(links)) => Ok(links),
        Ok(Err(text)) => Err(TargetError {
            side: Side::Broker,
            retry: !text.contains("not authorized") && !text.contains("UnauthorizedAccess"),
            text: format!(
                "{} lets us not use queue {queue}: {text}: the user needs read, write and admin on MQFERRY.>",
                connection.broker()
            ),
        }),
        Err(_) => Err(TargetError {
            side: Side::Network,
            text: format!("{} did not answer within {limit:?} while attaching", connection.broker()),
            retry: true,
        }),
    }
}

/// Begins a transaction.
///
/// `again`: a transaction was dropped before. The library then rolls it back with a delivery tag that the next
/// message on the control link uses, too, so the answer to that rollback can be taken for the answer to this declare;
/// declaring once more is right then. What was declared in between stays empty and ends with the connection.
async fn declare<'c>(
    connection: &Connection,
    controller: &'c Controller,
    again: bool,
    limit: Duration,
) -> Result<Transaction<'c>, TargetError> {
    let declaring = async {
        match Transaction::declare(controller, None).await {
            Err(ControllerSendError::IllegalDeliveryState) if again => Transaction::declare(controller, None).await,
            outcome => outcome,
        }
    };
    connection.wait("beginning a transaction", limit, declaring).await
}

fn link_error(error: &impl Debug) -> String {
    super::connection::one_line(error)
}

/// A record or barrier: persistent, of one priority, without a lifetime, so that all keep their order.
pub(super) fn sync_message(queue: &str, subject: &str, text: String) -> Outgoing {
    Message {
        header: Some(Header { durable: true, priority: Priority(4), ..Header::default() }),
        delivery_annotations: None,
        message_annotations: None,
        properties: Some(Properties {
            to: Some(format!("queue://{queue}")),
            subject: Some(subject.to_owned()),
            ..Properties::default()
        }),
        application_properties: None,
        body: Body::Value(AmqpValue(Value::String(text))),
        footer: None,
    }
}

/// Whether the broker gave it a lifetime; we never do.
pub(super) fn expires(message: &Message<Body<Value>>) -> bool {
    let ttl = message.header.as_ref().and_then(|header| header.ttl).unwrap_or_default();
    let at = message.properties.as_ref().and_then(|properties| properties.absolute_expiry_time.as_ref());
    ttl != 0 || at.is_some_and(|at| at.milliseconds() != 0)
}

impl Record {
    /// Makes sure that the record we hold, and nothing else, is here: waits for it if it is on its way.
    pub(super) async fn receive_back(&mut self, connection: &Connection, limit: Duration) -> Result<(), TargetError> {
        while self.lease.awaits() {
            let Some(delivery) = next(connection, &mut self.receiver, limit).await? else {
                return Err(self.lease.overdue());
            };
            self.arrived(connection, &delivery, limit).await?;
        }
        // Nothing may follow it but the barriers of those who wait.
        while let Some(delivery) = self.receiver.recv::<Body<Value>>().now_or_never() {
            let delivery = connection.wait("receiving from the sync record's queue", limit, async { delivery }).await?;
            self.arrived(connection, &delivery, limit).await?;
        }
        Ok(())
    }

    async fn arrived(
        &mut self,
        connection: &Connection,
        delivery: &Delivery<Body<Value>>,
        limit: Duration,
    ) -> Result<(), TargetError> {
        match self.lease.arrived(seen(delivery), DeliveryInfo::from(delivery))? {
            None => Ok(()),
            Some(_) => connection.wait("removing a barrier", limit, self.receiver.accept(delivery)).await,
        }
    }

    /// Takes in what comes, for ever if need be, until the lease or the connection is lost.
    pub(super) async fn watch(&mut self, connection: &Connection, limit: Duration) -> TargetError {
        loop {
            if let Err(error) = self.receive_back(connection, limit).await {
                return error;
            }
            tokio::select! {
                biased;
                error = connection.ended() => return error,
                delivery = self.receiver.recv::<Body<Value>>() => {
                    let delivery = match connection.wait("idle", limit, async { delivery }).await {
                        Ok(delivery) => delivery,
                        Err(error) => return error,
                    };
                    if let Err(error) = self.arrived(connection, &delivery, limit).await {
                        return error;
                    }
                }
            }
        }
    }

    /// Acknowledges the held record within `transaction`; from here on only a commit keeps the lease.
    pub(super) async fn take_held(
        &mut self,
        connection: &Connection,
        transaction: &Transaction<'_>,
        limit: Duration,
    ) -> Result<(), TargetError> {
        self.receive_back(connection, limit).await?;
        let delivery = self.lease.take_held()?;
        connection.wait("replacing the sync record", limit, transaction.accept(&mut self.receiver, delivery)).await
    }

    /// The message that replaces the held record, and its text.
    pub(super) fn successor(&self, kept: &Kept) -> (Outgoing, String) {
        let text = self.lease.successor(kept);
        (sync_message(self.lease.queue(), RECORD, text.clone()), text)
    }

    /// An open unit was dropped.
    pub(super) fn unit_dropped(&mut self) {
        self.unit_was_dropped = true;
    }
}

impl Claim for AmqpClaim {
    type Unit<'a> = AmqpUnit<'a>;

    fn record(&self) -> Option<&SyncRecord> {
        self.record.lease.sync()
    }

    async fn begin(&mut self, _luwid: Luwid) -> Result<AmqpUnit<'_>, TargetError> {
        if let Some(error) = self.record.lease.ended() {
            return Err(error.clone());
        }
        let again = std::mem::take(&mut self.record.unit_was_dropped);
        let transaction = match declare(&self.connection, &self.controller, again, self.limits.answer).await {
            Ok(transaction) => transaction,
            Err(error) => {
                self.record.lease.end(error.clone());
                self.connection.cut();
                return Err(error);
            }
        };
        // Those of a unit that was dropped; the broker answers in order, so no more of them can come.
        self.connection.watch.forget_refusals();
        Ok(AmqpUnit::new(transaction, &mut self.sender, &mut self.record, &self.connection, self.limits, &self.learned))
    }

    async fn lost(&mut self) -> TargetError {
        let error = self.until_lost().await;
        self.record.lease.end(error.clone());
        error
    }

    fn max_message_bytes(&self) -> Option<u64> {
        let announced = self.sender.max_message_size().filter(|bytes| *bytes > 0);
        announced.into_iter().chain(self.learned.bytes()).min()
    }

    async fn release(self) {
        let Self { controller, sender, record, connection, .. } = self;
        drop((controller, sender, record));
        connection.close().await;
    }
}

impl AmqpClaim {
    async fn until_lost(&mut self) -> TargetError {
        let Self { record, connection, limits, .. } = self;
        if let Some(error) = record.lease.ended() {
            return error.clone();
        }
        record.watch(connection, limits.answer).await
    }
}
