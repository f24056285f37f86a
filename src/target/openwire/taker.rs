//! Takes messages off a queue one by one, for the demonstration's own count and to see what applications have sent.

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{ConsumerId, ConsumerInfo, DecodeError, Message, MessageAck, SessionInfo};
use super::connection::{Asked, Connection, Deliveries, Intake};
use super::message::from_openwire;
use super::{OpenWireTarget, Settings, refusal};
use crate::mapping::{Destination, Publication};
use crate::target::TargetError;
use crate::target::failover::Refused;
use crate::target::record::fresh_holder;

/// Messages that the broker may send ahead; below its page of 200.
const WINDOW: u8 = 100;

/// What it does, for those who read of a failure.
const DOING: &str = "reading messages back";

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
        let id = self.take(idle).await?.and_then(|message| message.fields.message_id);
        Ok(id.map(|id| id.text_view.clone().unwrap_or_else(|| format!("{id:?}"))))
    }

    /// The next message as a publication, likewise; it is gone even where it cannot be one: a message of the broker's own.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next_publication(
        &mut self,
        idle: Duration,
    ) -> Result<Option<Result<Option<Publication>, DecodeError>>, TargetError> {
        Ok(self.take(idle).await?.map(|message| from_openwire(&message)))
    }

    /// Waits until all that it gave is gone.
    ///
    /// # Errors
    /// When the connection is lost, or no answer comes within `limit`.
    pub async fn finish(&mut self, limit: Duration) -> Result<(), TargetError> {
        self.settle(0, limit).await
    }

    /// Waits for answers to acknowledgements until no more than `keep` are left.
    async fn settle(&mut self, keep: usize, limit: Duration) -> Result<(), TargetError> {
        while self.acknowledged.len() > keep
            && let Some(mut asked) = self.acknowledged.pop_front()
        {
            let answer = self.connection.answer(&mut asked, DOING, limit).await?;
            answer.map_err(|why| {
                refusal::of_connection(&format!("{} keeps {}", self.connection.broker(), self.queue), &why)
            })?;
        }
        Ok(())
    }

    async fn take(&mut self, idle: Duration) -> Result<Option<Message>, TargetError> {
        loop {
            let next = self.connection.next(&mut self.deliveries, DOING, idle).await?;
            self.settle(if next.is_some() { AHEAD } else { 0 }, idle).await?;
            let Some(dispatch) = next else { return Ok(None) };
            let Some(message) = dispatch.message else { continue };
            let Some(id) = message.fields.message_id.clone() else { continue };
            let ack = MessageAck::individual(self.queue.clone(), self.consumer.clone(), id, None);
            self.acknowledged.push_back(self.connection.ask(ack)?);
            return Ok(Some(*message));
        }
    }
}
