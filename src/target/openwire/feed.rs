//! The feed over OpenWire: exclusive consumers beside the record's own, on its connection, and steps in one transaction.
//!
//! The broker sends up to [`WINDOW`] messages ahead. Each time half of these were handed over it is told that they were
//! delivered, which makes it send as many more, and look into the queue again: without it delivery rests for up to 30 s at
//! 200 messages of a queue that are not acknowledged, its page (seen on 5.19.1).
//!
//! Where a batch is in doubt, the queues that it names are consumed first, one consumer each, so that no other queue's
//! messages fill the window of a pattern before its own are here. Those consumers stay; an exclusive consumer that is
//! there first keeps its queue.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::codec::{AckType, ConsumerId, ConsumerInfo, MessageAck, MessageDispatch, TransactionType};
use super::connection::Asked;
use super::lease::OpenWireClaim;
use super::message::{from_openwire, unread};
use super::unit::{OpenWireUnit, Taken as Lying};
use super::{OpenWireTarget, refusal};
use crate::channel::record::{ChannelKey, SendRecord};
use crate::mapping::Destination;
use crate::target::failover::Refused;
use crate::target::lease::Kept;
use crate::target::record::{Mark, Sending, client_id};
use crate::target::taken::{Arrival, Book};
use crate::target::{Claimed, Feed, Outcome, Outlet, Side, Source, Step, Taken, TargetError, Unit as _, Unreadable};

/// Messages that the broker may send to one consumer before it hears of their delivery; below its page of 200.
const WINDOW: usize = 100;
/// Messages that may come between those in doubt. More, and nobody can say in bounded memory what became of the rest.
const STRANGERS: usize = 20_000;
/// What may be missing comes this long after anything else at the latest, and the broker has answered in between.
const QUIET: Duration = Duration::from_secs(3);

/// A message's handle: where it lies, and whether the broker was told of its delivery.
#[derive(Clone, Debug)]
struct Handle {
    lying: Lying,
    counted: bool,
}

/// See above.
#[derive(Debug)]
pub struct OpenWireFeed {
    claim: OpenWireClaim,
    outlets: Vec<Outlet>,
    book: Book<Handle>,
    window: usize,
    /// Consumers, and how many of the messages handed over the broker does not know of.
    consumers: HashMap<ConsumerId, usize>,
    consumed: Vec<Outlet>,
    /// Consumers whose opening is not answered.
    opening: Vec<(Outlet, Asked)>,
    record: Option<SendRecord>,
}

impl Source for OpenWireTarget {
    type Feed = OpenWireFeed;

    async fn feed(
        &self,
        key: &ChannelKey,
        outlets: &[Outlet],
        ahead: usize,
    ) -> Result<Claimed<OpenWireFeed>, TargetError> {
        let (connection, deliveries) = match self.feeding.connect(&client_id(key)).await {
            Ok(opened) => opened,
            Err(Refused::Held(text)) => return Ok(Claimed::Held(text)),
            Err(Refused::Target(error)) => return Err(error),
        };
        let claim = match OpenWireClaim::take(connection, deliveries, key, self.feeding.limits(), &self.trials).await? {
            Claimed::Ours(claim) => claim,
            Claimed::Held(who) => return Ok(Claimed::Held(who)),
        };
        let sending = claim.record.lease.sending();
        let in_doubt = sending.is_some_and(|sending| !sending.in_doubt.is_empty());
        let mut feed = OpenWireFeed {
            record: sending.map(|sending| sending.record.clone()),
            claim,
            outlets: outlets.to_vec(),
            book: Book::new(ahead),
            window: ahead.clamp(1, WINDOW),
            consumers: HashMap::new(),
            consumed: Vec::new(),
            opening: Vec::new(),
        };
        if !in_doubt {
            feed.open_all()?;
            feed.opened().await?;
        }
        Ok(Claimed::Ours(feed))
    }
}

impl OpenWireFeed {
    /// Opens a consumer, unless there is one; its answer is waited for in [`Self::opened`].
    fn open(&mut self, outlet: &Outlet) -> Result<(), TargetError> {
        if self.consumed.contains(outlet) {
            return Ok(());
        }
        let connection = &self.claim.session.connection;
        // 1 is the record's.
        let number = i64::try_from(self.consumed.len()).unwrap_or(i64::MAX).saturating_add(2);
        let consumer = connection.id().session(1).consumer(number);
        let destination = match outlet {
            Outlet::Queue(name) => Destination::Queue(name.clone()),
            Outlet::Topic { name, .. } => Destination::Topic(name.clone()),
        };
        let mut info = ConsumerInfo::new(consumer.clone(), destination, i32::try_from(self.window).unwrap_or(1));
        match outlet {
            Outlet::Queue(_) => info.exclusive = true,
            Outlet::Topic { subscription, .. } => info.subscription_name = Some(subscription.clone()),
        }
        self.opening.push((outlet.clone(), connection.ask(info)?));
        self.consumers.insert(consumer, 0);
        self.consumed.push(outlet.clone());
        Ok(())
    }

    fn open_all(&mut self) -> Result<(), TargetError> {
        self.outlets.clone().iter().try_for_each(|outlet| self.open(outlet))
    }

    /// Waits until all consumers are open; safe to drop.
    async fn opened(&mut self) -> Result<(), TargetError> {
        while let Some((outlet, asked)) = self.opening.last_mut() {
            let connection = &self.claim.session.connection;
            let doing = format!("opening a consumer of {outlet}");
            let answer = connection.answer(asked, &doing, self.claim.limits.answer).await?;
            answer.map_err(|why| {
                let what = format!("{} does not let us consume {outlet}", connection.broker());
                refusal::of_connection(&what, &why)
            })?;
            self.opening.pop();
        }
        Ok(())
    }

    /// The feed is lost; the first reason stays.
    fn lose<T>(&mut self, error: TargetError) -> Result<T, TargetError> {
        self.claim.record.lease.end(error.clone());
        self.claim.session.connection.cut();
        Err(error)
    }

    fn lost(&self) -> TargetError {
        let lost = self.claim.session.connection.lost_while("consuming").now_or_never();
        lost.unwrap_or_else(|| TargetError {
            side: Side::Network,
            text: format!("{} was lost while consuming", self.claim.session.connection.broker()),
            retry: true,
        })
    }

    /// Takes a delivery in, and what was put aside before it.
    fn arrived(&mut self, dispatch: Box<MessageDispatch>) -> Result<(), TargetError> {
        let OpenWireClaim { session, record, .. } = &mut self.claim;
        record.arrived(&session.connection, dispatch)?;
        self.take_aside()
    }

    fn take_aside(&mut self) -> Result<(), TargetError> {
        while let Some(dispatch) = self.claim.record.aside.pop_front() {
            self.taken_in(*dispatch)?;
        }
        Ok(())
    }

    fn taken_in(&mut self, dispatch: MessageDispatch) -> Result<(), TargetError> {
        let MessageDispatch { consumer_id, destination, message, redelivery_counter } = dispatch;
        let Some(message) = message else { return Ok(()) };
        let from = destination.or_else(|| message.destination.clone());
        let (Some(from), Some(id)) = (from, message.message_id.clone()) else {
            return Err(TargetError {
                side: Side::Broker,
                text: format!("{} sent a message without id or place", self.claim.session.connection.broker()),
                retry: false,
            });
        };
        // A consumer of what is in doubt alone: its queue is not ours any more.
        if !self.book.is_recalling() && !self.outlets.iter().any(|outlet| outlet.takes(&from)) {
            return Ok(());
        }
        let identity = id.producer_id.as_ref().map_or_else(
            || format!("?:{}", id.producer_sequence_id),
            |it| format!("{}:{}:{}:{}", it.connection_id, it.session_id, it.value, id.producer_sequence_id),
        );
        let publication = match from_openwire(&message) {
            Ok(Some(publication)) => Ok(publication),
            Ok(None) => Err("it says no destination".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let publication = publication.map_err(|why| Unreadable { why, kept: Box::new(unread(&message, &from)) });
        let lying = Lying { from: from.clone(), consumer: consumer_id, id };
        let counted = self.book.is_recalling();
        if counted {
            self.count(&lying)?;
        }
        let (mark, handle) = (Mark { from, identity }, Handle { lying, counted });
        self.book.arrived(Arrival { mark, handle, publication, redelivered: redelivery_counter > 0 });
        Ok(())
    }

    /// Tells the broker of deliveries, half a window at a time.
    fn count(&mut self, lying: &Lying) -> Result<(), TargetError> {
        let Some(count) = self.consumers.get_mut(&lying.consumer) else { return Ok(()) };
        *count += 1;
        if *count < self.window.div_ceil(2) {
            return Ok(());
        }
        let message_count = i32::try_from(std::mem::take(count)).unwrap_or(i32::MAX);
        let mut ack = MessageAck::individual(lying.from.clone(), lying.consumer.clone(), lying.id.clone(), None);
        (ack.ack_type, ack.message_count) = (AckType::Delivered, message_count);
        self.claim.session.connection.tell(ack)
    }

    fn check(&self) -> Result<(), TargetError> {
        match self.claim.record.lease.ended() {
            Some(error) => Err(error.clone()),
            None if self.claim.session.connection.has_ended() => Err(self.lost()),
            None => Ok(()),
        }
    }

    fn try_ready(&mut self) -> Result<Option<Taken>, TargetError> {
        self.check()?;
        self.take_aside()?;
        while let Ok(dispatch) = self.claim.record.deliveries.try_recv() {
            self.arrived(dispatch)?;
        }
        let Some((taken, handle)) = self.book.next() else { return Ok(None) };
        if !handle.counted {
            self.count(&handle.lying)?;
        }
        Ok(Some(taken))
    }

    async fn try_next(&mut self) -> Result<Taken, TargetError> {
        self.open_all()?;
        self.opened().await?;
        loop {
            if let Some(taken) = self.try_ready()? {
                return Ok(taken);
            }
            match self.claim.record.deliveries.recv().await {
                Some(dispatch) => self.arrived(dispatch)?,
                None => return Err(self.lost()),
            }
        }
    }

    async fn recall(&mut self, marks: &[Mark]) -> Result<Vec<Taken>, TargetError> {
        self.check()?;
        for mark in marks {
            match &mark.from {
                Destination::Queue(name) => self.open(&Outlet::Queue(name.clone()))?,
                from => {
                    for outlet in self.outlets.clone().iter().filter(|outlet| outlet.takes(from)) {
                        self.open(outlet)?;
                    }
                }
            }
        }
        self.book.recall(marks);
        self.opened().await?;
        self.take_aside()?;
        let mut asked_after_quiet = false;
        while self.book.missing() > 0 {
            let OpenWireClaim { session, record, .. } = &mut self.claim;
            let doing = "looking for the messages in doubt";
            match session.connection.next(&mut record.deliveries, doing, QUIET).await? {
                Some(dispatch) => {
                    self.arrived(dispatch)?;
                    asked_after_quiet = false;
                }
                None if asked_after_quiet => break,
                None => {
                    self.round_trip(doing).await?;
                    asked_after_quiet = true;
                }
            }
            if self.book.waiting() > STRANGERS {
                let text = format!(
                    "{} messages lie before one that is in doubt: empty the queue of them, or decide it with `mqferry \
                     channel resolve`",
                    self.book.waiting()
                );
                return Err(TargetError { side: Side::Broker, text, retry: false });
            }
        }
        let taken = self.book.recalled();
        self.book.keep_waiting(|mark| self.outlets.iter().any(|outlet| outlet.takes(&mark.from)));
        self.open_all()?;
        self.opened().await?;
        Ok(taken)
    }

    /// A broker that is slow has sent before this what it had to send.
    async fn round_trip(&mut self, doing: &str) -> Result<(), TargetError> {
        let OpenWireClaim { session, limits, .. } = &mut self.claim;
        let transaction = session.next_transaction();
        session.connection.call(session.step(&transaction, TransactionType::Begin), doing, limits.answer).await?;
        session.connection.call(session.step(&transaction, TransactionType::Rollback), doing, limits.answer).await
    }

    /// What the record will say, and what is to be acknowledged.
    fn plan(&self, step: &Step) -> Result<(Sending, Vec<Lying>), TargetError> {
        let retire = self.book.handles(&step.retire)?.into_iter().map(|handle| handle.lying).collect();
        Ok((Sending::of(&step.record, self.book.marks(&step.in_doubt)?)?, retire))
    }
}

impl Feed for OpenWireFeed {
    fn record(&self) -> Option<&SendRecord> {
        self.record.as_ref()
    }

    async fn in_doubt(&mut self) -> Result<Vec<Taken>, TargetError> {
        let marks = self.claim.record.lease.sending().map(|sending| sending.in_doubt.clone()).unwrap_or_default();
        match self.recall(&marks).await {
            Ok(taken) => Ok(taken),
            Err(error) => self.lose(error),
        }
    }

    async fn next(&mut self) -> Result<Taken, TargetError> {
        match self.try_next().await {
            Ok(taken) => Ok(taken),
            Err(error) => self.lose(error),
        }
    }

    fn ready(&mut self) -> Result<Option<Taken>, TargetError> {
        match self.try_ready() {
            Ok(taken) => Ok(taken),
            Err(error) => self.lose(error),
        }
    }

    async fn commit(&mut self, step: Step) -> Outcome {
        let (sending, retire) = match self.plan(&step) {
            Ok(planned) => planned,
            Err(error) => return Outcome::RolledBack(error),
        };
        if let Err(error) = self.claim.check().await {
            return Outcome::RolledBack(error);
        }
        let mut unit = OpenWireUnit::begin(&mut self.claim);
        if !step.publish.is_empty() {
            for (index, publication) in step.publish.into_iter().enumerate() {
                if let Err(error) = unit.stage(index, publication).await {
                    return Outcome::RolledBack(error);
                }
            }
            match unit.settle().await {
                Ok(refusals) => {
                    if let Some((index, refusal)) = refusals.into_iter().next() {
                        unit.rollback().await;
                        return Outcome::Refused(refusal.of_step(index));
                    }
                }
                Err(error) => return Outcome::RolledBack(error),
            }
        }
        let outcome = unit.finish(Kept::Sent(sending), retire).await;
        if let Outcome::Committed = outcome {
            self.record = Some(step.record);
            self.book.retired(&step.retire);
        }
        outcome
    }

    async fn release(self) {
        self.claim.session.connection.close().await;
    }
}
