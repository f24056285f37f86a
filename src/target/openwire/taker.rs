//! Takes messages off a queue one by one, for the demonstration's own count.

use std::time::Duration;

use super::OpenWireTarget;
use super::codec::{ConsumerId, ConsumerInfo, MessageAck, SessionInfo};
use super::connection::{Connection, Deliveries};
use crate::mapping::Destination;
use crate::target::TargetError;
use crate::target::failover::Refused;
use crate::target::record::fresh_holder;

/// Messages that the broker may send ahead; below its page of 200.
const WINDOW: u8 = 100;

/// A consumer of one queue. What it gives is gone from the broker.
#[derive(Debug)]
pub struct Taker {
    connection: Connection,
    deliveries: Deliveries,
    consumer: ConsumerId,
    queue: Destination,
}

impl OpenWireTarget {
    /// Begins to consume `queue`.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub async fn taker(&self, queue: &str) -> Result<Taker, TargetError> {
        let id = format!("mqferry/taker/{}", fresh_holder());
        let (connection, deliveries) = self.brokers.connect(&id).await.map_err(Refused::into_error)?;
        let limit = self.brokers.limits().answer;
        let session = connection.id().session(1);
        let (consumer, queue) = (session.consumer(1), Destination::Queue(queue.to_owned()));
        let doing = format!("opening a consumer of {queue}");
        connection.call(SessionInfo { session_id: session }, &doing, limit).await?;
        connection.call(ConsumerInfo::new(consumer.clone(), queue.clone(), WINDOW.into()), &doing, limit).await?;
        Ok(Taker { connection, deliveries, consumer, queue })
    }
}

impl Taker {
    /// The message id of the next message, which is then gone; none when nothing came for `idle`.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self, idle: Duration) -> Result<Option<String>, TargetError> {
        let doing = "reading messages back";
        loop {
            let Some(dispatch) = self.connection.next(&mut self.deliveries, doing, idle).await? else {
                return Ok(None);
            };
            let Some(id) = dispatch.message.and_then(|message| message.fields.message_id) else { continue };
            let text = id.text_view.clone().unwrap_or_else(|| format!("{id:?}"));
            let ack = MessageAck::individual(self.queue.clone(), self.consumer.clone(), id, None);
            self.connection.call(ack, doing, idle).await?;
            return Ok(Some(text));
        }
    }
}
