//! Takes messages off a queue one by one, for the demonstration's own count.

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{ConsumerId, ConsumerInfo, MessageAck, SessionInfo};
use super::connection::{Asked, Connection, Deliveries, Intake};
use super::{OpenWireTarget, Settings, refusal};
use crate::mapping::Destination;
use crate::target::TargetError;
use crate::target::failover::Refused;
use crate::target::record::fresh_holder;

/// Messages that the broker may send ahead; below its page of 200.
const WINDOW: u8 = 100;

/// Acknowledgements that may be sent ahead of their answers.
const AHEAD: usize = 50;
/// ActiveMQ's own limit of a message, and some room.
const WHOLE_MESSAGES: Intake = Intake { messages: WINDOW as usize + 6, frame: 112 * 1024 * 1024 };

/// A consumer of one queue. What it gives is gone from the broker.
#[derive(Debug)]
pub struct Taker {
    connection: Connection,
    deliveries: Deliveries,
    consumer: ConsumerId,
    queue: Destination,
    /// Acknowledgements that are not answered.
    acknowledged: VecDeque<Asked>,
}

impl OpenWireTarget {
    /// Begins to consume `queue`.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub async fn taker(&self, queue: &str) -> Result<Taker, TargetError> {
        let id = format!("mqferry/taker/{}", fresh_holder());
        let opener = self.brokers.opener.clone();
        let brokers = self.brokers.with(Settings { intake: WHOLE_MESSAGES, ..opener });
        let (connection, deliveries) = brokers.connect(&id).await.map_err(Refused::into_error)?;
        let limit = self.brokers.limits().answer;
        let session = connection.id().session(1);
        let (consumer, queue) = (session.consumer(1), Destination::Queue(queue.to_owned()));
        let doing = format!("opening a consumer of {queue}");
        connection.call(SessionInfo { session_id: session }, &doing, limit).await?;
        connection.call(ConsumerInfo::new(consumer.clone(), queue.clone(), WINDOW.into()), &doing, limit).await?;
        Ok(Taker { connection, deliveries, consumer, queue, acknowledged: VecDeque::new() })
    }
}

impl Taker {
    /// The message id of the next message; none when nothing came for `idle`, and then all that it gave is gone.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self, idle: Duration) -> Result<Option<String>, TargetError> {
        let doing = "reading messages back";
        loop {
            let next = self.connection.next(&mut self.deliveries, doing, idle).await?;
            let keep = if next.is_some() { AHEAD } else { 0 };
            while self.acknowledged.len() > keep
                && let Some(mut asked) = self.acknowledged.pop_front()
            {
                let answer = self.connection.answer(&mut asked, doing, idle).await?;
                answer.map_err(|why| {
                    refusal::of_connection(&format!("{} keeps {}", self.connection.broker(), self.queue), &why)
                })?;
            }
            let Some(dispatch) = next else { return Ok(None) };
            let Some(id) = dispatch.message.and_then(|message| message.fields.message_id) else { continue };
            let text = id.text_view.clone().unwrap_or_else(|| format!("{id:?}"));
            let ack = MessageAck::individual(self.queue.clone(), self.consumer.clone(), id, None);
            self.acknowledged.push_back(self.connection.ask(ack)?);
            return Ok(Some(text));
        }
    }
}
