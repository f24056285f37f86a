//! The feed over AMQP: exclusive receivers beside the record's own, on its session, and steps in one transaction.
//!
//! The broker counts a receiver's credit together with all that it has out, so credit is always given for what is out and a
//! window more. Giving it also makes the broker look into the queue again, which it else does not for up to 30 s once 200
//! messages are out.
//!
//! What AMQP does not tell: where a message lay, if a pattern is consumed. It is taken to be where it was sent to, if the
//! pattern has that, and the pattern itself if not. Nor is there an identity that the broker keeps besides the message's own
//! id, which applications may choose: so a digest of the message as we store it stands beside it, without its age.
//!
//! A message that cannot be read is refused to the broker, which puts it on its own dead-letter queue as it is: there is nothing
//! of it here that could be put anywhere else.
//!
//! Topics are refused: a link that is dropped would end its durable subscription, and lose what it holds.

use std::time::Duration;

use fe2o3_amqp::link::RecvError;
use fe2o3_amqp::link::delivery::DeliveryInfo;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::types::definitions::{self, AmqpError};
use fe2o3_amqp::types::messaging::{Body, Source as LinkSource};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Delivery, Receiver};
use futures_util::FutureExt as _;
use futures_util::future::select_all;

use super::AmqpTarget;
use super::connection::one_line;
use super::lease::AmqpClaim;
use super::received::from_amqp;
use crate::channel::record::{ChannelKey, SendRecord};
use crate::clock;
use crate::mapping::{Destination, Publication};
use crate::target::embedded::stored_form;
use crate::target::failover::Refused;
use crate::target::lease::Kept;
use crate::target::record::{Mark, Sending, client_id};
use crate::target::taken::{Arrival, Book};
use crate::target::{Claim as _, Claimed, Feed, Outcome, Outlet, Side, Source, Step, Taken, TargetError, Unit as _};

/// Messages that the broker may send to one receiver ahead; below its page of 200.
const WINDOW: u32 = 100;
/// Messages that may come between those in doubt.
const STRANGERS: usize = 20_000;
/// What may be missing comes this long after anything else at the latest, and the broker has answered in between.
const QUIET: Duration = Duration::from_secs(3);

type Incoming = Result<Delivery<Body<Value>>, RecvError>;

/// A message that is not settled: which receiver has it, and what settles it.
pub(super) type Unsettled = (usize, DeliveryInfo);

/// See above.
#[derive(Debug)]
pub struct AmqpFeed {
    // Links first: they are dropped before the connection that they belong to.
    receivers: Vec<Link>,
    claim: AmqpClaim,
    outlets: Vec<Outlet>,
    book: Book<Unsettled>,
    window: u32,
    /// What cannot be read, and why; to be refused.
    unread: Vec<(Unsettled, String)>,
}

#[derive(Debug)]
struct Link {
    name: String,
    receiver: Receiver,
    /// Credit that is not used up.
    credit: u32,
    /// Messages that came and are not retired.
    out: u32,
}

impl Source for AmqpTarget {
    type Feed = AmqpFeed;

    async fn feed(&self, key: &ChannelKey, outlets: &[Outlet], ahead: usize) -> Result<Claimed<AmqpFeed>, TargetError> {
        if let Some(outlet) = outlets.iter().find(|outlet| matches!(outlet, Outlet::Topic { .. })) {
            let text = format!("{outlet} cannot be consumed over AMQP: write the broker's OpenWire address (tcp://)");
            return Err(TargetError { side: Side::Ours, text, retry: false });
        }
        let connection = match self.brokers.connect(&client_id(key)).await {
            Ok(opened) => opened,
            Err(Refused::Held(text)) => return Ok(Claimed::Held(text)),
            Err(Refused::Target(error)) => return Err(error),
        };
        let claim = match AmqpClaim::take(connection, key, self.brokers.limits(), self.learned.clone()).await? {
            Claimed::Ours(claim) => claim,
            Claimed::Held(who) => return Ok(Claimed::Held(who)),
        };
        let in_doubt = claim.record.lease.sending().is_some_and(|sending| !sending.in_doubt.is_empty());
        let mut feed = AmqpFeed {
            receivers: Vec::new(),
            claim,
            outlets: outlets.to_vec(),
            book: Book::new(ahead),
            window: u32::try_from(ahead).unwrap_or(WINDOW).clamp(1, WINDOW),
            unread: Vec::new(),
        };
        if !in_doubt {
            feed.open_all().await?;
        }
        Ok(Claimed::Ours(feed))
    }
}

/// FNV-1a of 64 bits: short, and the same in every build.
fn digest(publication: &Publication) -> u64 {
    let ageless = Publication { expires_at_ms: None, ..publication.clone() };
    let bytes = stored_form(ageless);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl AmqpFeed {
    async fn open(&mut self, name: &str) -> Result<(), TargetError> {
        if self.receivers.iter().any(|link| link.name == name) {
            return Ok(());
        }
        let connection = &mut self.claim.connection;
        let limit = self.claim.limits.answer;
        let address = format!("queue://{name}?consumer.exclusive=true");
        let attach = Receiver::builder()
            .name(format!("mqferry-feed-{}", self.receivers.len()))
            .source(LinkSource::builder().address(address).build())
            .credit_mode(CreditMode::Manual)
            .auto_accept(false)
            .attach(&mut connection.session);
        let doing = format!("opening a consumer of queue://{name}");
        let receiver = match tokio::time::timeout(limit, attach).await {
            Ok(Ok(receiver)) => receiver,
            Ok(Err(error)) => {
                let why = one_line(&error);
                let retry = !why.contains("not authorized") && !why.contains("UnauthorizedAccess");
                let text = format!("{} does not let us consume queue://{name}: {why}", connection.broker());
                return Err(TargetError { side: Side::Broker, text, retry });
            }
            Err(_) => {
                let text = format!("{} did not answer within {limit:?} while {doing}", connection.broker());
                return Err(TargetError { side: Side::Network, text, retry: true });
            }
        };
        self.receivers.push(Link { name: name.to_owned(), receiver, credit: 0, out: 0 });
        self.give_credit().await
    }

    async fn open_all(&mut self) -> Result<(), TargetError> {
        for outlet in self.outlets.clone() {
            if let Outlet::Queue(name) = outlet {
                self.open(&name).await?;
            }
        }
        Ok(())
    }

    /// Lets the broker send more where it may not soon: not while enough waits here.
    async fn give_credit(&mut self) -> Result<(), TargetError> {
        if !self.book.is_recalling() && self.book.waiting() >= self.window as usize {
            return Ok(());
        }
        for link in &mut self.receivers {
            if link.credit < self.window.div_ceil(2) {
                let credit = link.out.saturating_add(self.window);
                let (connection, limit) = (&self.claim.connection, self.claim.limits.answer);
                connection.wait("asking for messages", limit, link.receiver.set_credit(credit)).await?;
                // What the broker has out counts against it.
                link.credit = self.window;
            }
        }
        Ok(())
    }

    /// Takes a delivery in; nothing waits here, so none can be lost between its receipt and the book.
    fn arrived(&mut self, place: usize, incoming: Incoming) -> Result<(), TargetError> {
        let Some(link) = self.receivers.get_mut(place) else { return Ok(()) };
        link.credit = link.credit.saturating_sub(1);
        let delivery = match incoming {
            Ok(delivery) => delivery,
            Err(RecvError::MessageDecode(error)) => {
                self.unread.push(((place, error.info), one_line(&error.source)));
                return Ok(());
            }
            Err(error) => {
                let text = format!("{} was lost while consuming: {}", self.claim.connection.broker(), one_line(&error));
                return Err(TargetError { side: Side::Network, text, retry: true });
            }
        };
        let info = DeliveryInfo::from(&delivery);
        let message = delivery.into_message();
        let redelivered = message.header.as_ref().is_some_and(|header| header.delivery_count > 0);
        let through = Destination::Queue(link.name.clone());
        let consumed = Outlet::Queue(link.name.clone());
        let publication = match from_amqp(message, &through, clock::wall_ms()) {
            Ok(publication) => publication,
            Err(why) => {
                self.unread.push(((place, info), why.to_string()));
                return Ok(());
            }
        };
        link.out += 1;
        let from = if consumed.takes(&publication.destination) { publication.destination.clone() } else { through };
        let identity = format!("{} {:016x}", publication.message_id.as_deref().unwrap_or("-"), digest(&publication));
        if self.book.is_recalling() || self.outlets.iter().any(|outlet| outlet.takes(&from)) || self.is_outlet(&from) {
            let mark = Mark { from, identity };
            self.book.arrived(Arrival { mark, handle: (place, info), publication: Ok(publication), redelivered });
        }
        Ok(())
    }

    /// Refuses what cannot be read. Safe to drop: what was not refused is refused again.
    async fn refuse_unread(&mut self) -> Result<(), TargetError> {
        while let Some(((place, info), why)) = self.unread.last() {
            if let Some(link) = self.receivers.get(*place) {
                let (connection, limit) = (&self.claim.connection, self.claim.limits.answer);
                let error = definitions::Error::new(AmqpError::DecodeError, why.clone(), None);
                connection.wait("refusing a message", limit, link.receiver.reject(info.clone(), error)).await?;
                tracing::warn!(
                    "a message of queue://{} cannot be read and goes to the broker's own dead-letter queue: {why}",
                    link.name
                );
            }
            self.unread.pop();
        }
        Ok(())
    }

    /// Whether it is an outlet's own name: a pattern of which the queue is not known.
    fn is_outlet(&self, from: &Destination) -> bool {
        self.outlets.iter().any(|outlet| matches!((outlet, from), (Outlet::Queue(a), Destination::Queue(b)) if a == b))
    }

    fn check(&self) -> Result<(), TargetError> {
        self.claim.record.lease.ended().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn lose<T>(&mut self, error: TargetError) -> Result<T, TargetError> {
        self.claim.record.lease.end(error.clone());
        self.claim.connection.cut();
        Err(error)
    }

    /// The next delivery of any receiver, or the end of the connection; safe to drop.
    async fn receive(&mut self) -> Result<(usize, Incoming), TargetError> {
        let Self { receivers, claim, .. } = self;
        let AmqpClaim { connection, record, limits, .. } = claim;
        if receivers.is_empty() {
            return Err(connection.ended().await);
        }
        let all = receivers.iter_mut().map(|link| link.receiver.recv::<Body<Value>>().boxed());
        tokio::select! {
            biased;
            (incoming, place, _) = select_all(all) => Ok((place, incoming)),
            // Barriers of those who wait for the lease, and our own record.
            error = record.watch(connection, limits.answer) => Err(error),
        }
    }

    async fn try_next(&mut self) -> Result<Taken, TargetError> {
        self.check()?;
        self.open_all().await?;
        loop {
            if let Some(taken) = self.try_ready()? {
                return Ok(taken);
            }
            self.refuse_unread().await?;
            self.give_credit().await?;
            let (place, incoming) = self.receive().await?;
            self.arrived(place, incoming)?;
        }
    }

    fn try_ready(&mut self) -> Result<Option<Taken>, TargetError> {
        self.check()?;
        for place in 0..self.receivers.len() {
            while let Some(incoming) =
                self.receivers.get_mut(place).and_then(|link| link.receiver.recv::<Body<Value>>().now_or_never())
            {
                self.arrived(place, incoming)?;
            }
        }
        let taken = self.book.next().map(|(taken, _)| taken);
        if taken.is_some() {
            // As in a send that finds room at once: where there is none, the next call gives it.
            if let Some(given) = self.give_credit().now_or_never() {
                given?;
            }
        }
        Ok(taken)
    }

    async fn recall(&mut self, marks: &[Mark]) -> Result<Vec<Taken>, TargetError> {
        self.check()?;
        self.book.recall(marks);
        for mark in marks {
            if let Destination::Queue(name) = &mark.from {
                self.open(name).await?;
            }
        }
        let mut asked_after_quiet = false;
        while self.book.missing() > 0 {
            self.refuse_unread().await?;
            self.give_credit().await?;
            match tokio::time::timeout(QUIET, self.receive()).await {
                Ok(received) => {
                    let (place, incoming) = received?;
                    self.arrived(place, incoming)?;
                    asked_after_quiet = false;
                }
                Err(_) if asked_after_quiet => break,
                Err(_) => {
                    // A broker that is slow has sent before this what it had to send.
                    self.claim.begin(crate::wire::Luwid::ZERO).await?.rollback().await;
                    asked_after_quiet = true;
                }
            }
            if self.book.waiting() > STRANGERS {
                let text = format!("{} messages lie before one that is in doubt", self.book.waiting());
                return Err(TargetError { side: Side::Broker, text, retry: false });
            }
        }
        let taken = self.book.recalled();
        self.book.keep_waiting(|mark| {
            let own =
                |outlet: &Outlet| matches!((outlet, &mark.from), (Outlet::Queue(a), Destination::Queue(b)) if a == b);
            self.outlets.iter().any(|outlet| outlet.takes(&mark.from) || own(outlet))
        });
        self.open_all().await?;
        Ok(taken)
    }

    fn plan(&self, step: &Step) -> Result<(Sending, Vec<Unsettled>), TargetError> {
        self.check()?;
        Ok((Sending::of(&step.record, self.book.marks(&step.in_doubt)?)?, self.book.handles(&step.retire)?))
    }
}

impl Feed for AmqpFeed {
    fn record(&self) -> Option<&SendRecord> {
        self.claim.record.lease.sending().map(|sending| &sending.record)
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
        let Self { receivers, claim, book, .. } = self;
        let mut unit = match claim.begin(crate::wire::Luwid::ZERO).await {
            Ok(unit) => unit,
            Err(error) => return Outcome::RolledBack(error),
        };
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
        for (place, info) in &retire {
            if let Some(link) = receivers.get_mut(*place)
                && let Err(error) = unit.retire(&mut link.receiver, info.clone()).await
            {
                return Outcome::RolledBack(error);
            }
        }
        let outcome = unit.finish(Kept::Sent(sending)).await;
        if let Outcome::Committed = outcome {
            book.retired(&step.retire);
            for (place, _) in retire {
                if let Some(link) = receivers.get_mut(place) {
                    link.out = link.out.saturating_sub(1);
                }
            }
        }
        outcome
    }

    async fn release(self) {
        let Self { receivers, claim, .. } = self;
        drop(receivers);
        claim.release().await;
    }
}
