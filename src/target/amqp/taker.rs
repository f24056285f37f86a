//! Takes messages off a queue one by one, for the demonstration's own count and to see what applications have sent.

use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::types::messaging::{Body, MessageId};
use fe2o3_amqp::types::primitives::Value;

use super::AmqpTarget;
use super::connection::Connection;
use super::received::{Incoming, Unreadable, from_amqp};
use crate::clock;
use crate::mapping::{Destination, Publication};
use crate::target::failover::Refused;
use crate::target::record::fresh_holder;
use crate::target::{Side, TargetError};

/// Messages that the broker may send ahead; below its page of 200.
const CREDIT: u32 = 100;

/// A consumer of one queue. What it gives is gone from the broker.
#[derive(Debug)]
pub struct Taker {
    connection: Connection,
    receiver: Receiver,
    queue: Destination,
}

impl AmqpTarget {
    /// Begins to consume `queue`.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub async fn taker(&self, queue: &str) -> Result<Taker, TargetError> {
        let id = format!("mqferry/taker/{}", fresh_holder());
        let mut connection = self.brokers.connect(&id).await.map_err(Refused::into_error)?;
        let attach = Receiver::builder()
            .name("mqferry-taker")
            .source(format!("queue://{queue}"))
            .credit_mode(CreditMode::Auto(CREDIT))
            .attach(&mut connection.session);
        let receiver = match tokio::time::timeout(self.brokers.limits().answer, attach).await {
            Ok(Ok(receiver)) => receiver,
            Ok(Err(error)) => {
                let text = format!("{} does not let {queue} be read: {error}", connection.broker());
                return Err(TargetError { side: Side::Broker, text, retry: false });
            }
            Err(_) => return Err(connection.ended().await),
        };
        Ok(Taker { connection, receiver, queue: Destination::Queue(queue.to_owned()) })
    }
}

impl Taker {
    /// The message id of the next message, which is then gone; none when nothing came for `idle`.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self, idle: Duration) -> Result<Option<String>, TargetError> {
        let Some(message) = self.take(idle).await? else { return Ok(None) };
        Ok(Some(match message.properties.and_then(|properties| properties.message_id) {
            Some(MessageId::String(id)) => id,
            other => format!("{other:?}"),
        }))
    }

    /// The next message as a publication; it is then gone, even where it cannot be one. None when nothing came for `idle`.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next_publication(
        &mut self,
        idle: Duration,
    ) -> Result<Option<Result<Publication, Unreadable>>, TargetError> {
        let Some(message) = self.take(idle).await? else { return Ok(None) };
        Ok(Some(from_amqp(message, &self.queue, clock::wall_ms())))
    }

    /// Ends it once the broker has heard that all that it gave is gone.
    ///
    /// # Errors
    /// When the connection is lost, or no answer comes within `limit`.
    pub async fn finish(self, limit: Duration) -> Result<(), TargetError> {
        let Self { connection, receiver, .. } = self;
        // The detach goes behind the last acceptance, and its answer comes when both were heard.
        connection.wait("ending a consumer", limit, receiver.close()).await?;
        connection.close().await;
        Ok(())
    }

    async fn take(&mut self, idle: Duration) -> Result<Option<Incoming>, TargetError> {
        let doing = "reading messages back";
        let Ok(delivery) = tokio::time::timeout(idle, self.receiver.recv::<Body<Value>>()).await else {
            return Ok(None);
        };
        let delivery = self.connection.wait(doing, idle, std::future::ready(delivery)).await?;
        self.connection.wait(doing, idle, self.receiver.accept(&delivery)).await?;
        Ok(Some(delivery.into_message()))
    }
}
