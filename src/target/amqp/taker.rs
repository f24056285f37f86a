//! Takes messages off a queue one by one, for the demonstration's own count.

use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::types::messaging::{Body, MessageId};
use fe2o3_amqp::types::primitives::Value;

use super::AmqpTarget;
use super::connection::Connection;
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
        Ok(Taker { connection, receiver })
    }
}

impl Taker {
    /// The message id of the next message, which is then gone; none when nothing came for `idle`.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self, idle: Duration) -> Result<Option<String>, TargetError> {
        let doing = "reading messages back";
        let Ok(delivery) = tokio::time::timeout(idle, self.receiver.recv::<Body<Value>>()).await else {
            return Ok(None);
        };
        let delivery = self.connection.wait(doing, idle, std::future::ready(delivery)).await?;
        let id = delivery.message().properties.as_ref().and_then(|properties| properties.message_id.clone());
        self.connection.wait(doing, idle, self.receiver.accept(&delivery)).await?;
        Ok(Some(match id {
            Some(MessageId::String(id)) => id,
            other => format!("{other:?}"),
        }))
    }
}
