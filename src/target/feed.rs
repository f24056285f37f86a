//! Where a sending channel's messages come from: the consuming half of a target.
//!
//! A feed is the lease on a sending channel's record together with the consumers of the queues that empty into it.
//! Messages that it hands over stay the broker's until a [`Step`] retires them; ending the feed gives them all back, in order.

use std::future::Future;

use super::{Claimed, Outcome, Target, TargetError};
use crate::channel::record::{ChannelKey, SendRecord};
use crate::mapping::{Destination, Publication};

/// A target that sending channels can consume from.
pub trait Source: Target {
    /// Its feed.
    type Feed: Feed;

    /// Takes the lease on the record of `key` and opens consumers of `outlets`, each for this channel alone. `ahead` is how
    /// many messages may be taken and not retired: a batch, and the beginning of the next.
    ///
    /// # Errors
    /// When the target cannot be reached or refuses us; the wait is bounded.
    fn feed(
        &self,
        key: &ChannelKey,
        outlets: &[Outlet],
        ahead: usize,
    ) -> impl Future<Output = Result<Claimed<Self::Feed>, TargetError>> + Send;
}

/// Something that a sending channel consumes: an entry of its `xmitq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlet {
    /// A queue, or with `*` and `>` all queues that match; only queues that the broker knows of, or will.
    Queue(String),
    /// A topic by a durable subscription of this name.
    Topic {
        /// Topic, or a pattern.
        name: String,
        /// Name of the subscription, one for each channel.
        subscription: String,
    },
}

impl Outlet {
    /// Whether what lies at `destination` is consumed through it. Patterns are ActiveMQ's: `*` is one part of a name between
    /// dots, `>` all that follow or none, and commas divide several names.
    pub fn takes(&self, destination: &Destination) -> bool {
        let (names, name) = match (self, destination) {
            (Self::Queue(names), Destination::Queue(name))
            | (Self::Topic { name: names, .. }, Destination::Topic(name)) => (names, name),
            _ => return false,
        };
        names.split(',').any(|pattern| {
            let pattern = pattern.trim();
            let pattern = pattern.split_once("://").map_or(pattern, |(_, pattern)| pattern);
            let mut parts = name.split('.');
            for wanted in pattern.split('.') {
                match (wanted, parts.next()) {
                    (">", _) => return true,
                    ("*", Some(_)) => {}
                    (wanted, Some(part)) if wanted == part => {}
                    _ => return false,
                }
            }
            parts.next().is_none()
        })
    }
}

impl std::fmt::Display for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue://{name}"),
            Self::Topic { name, subscription } => write!(f, "topic://{name} (durable subscription {subscription})"),
        }
    }
}

/// What empties into a sending channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlets {
    /// RQMNAME: the queue manager that the channel leads to; none: whoever answers.
    pub rqmname: Option<String>,
    /// XMITQ: what it consumes, at least one.
    pub outlets: Vec<Outlet>,
}

/// The lease on a sending channel's record, and the messages. Dropping it gives both back.
pub trait Feed: Send + 'static {
    /// The record as this target last committed it; none for a channel that never sent anything.
    fn record(&self) -> Option<&SendRecord>;

    /// The messages that the record names as in doubt, in the order in which they were sent, as far as they are still there: they
    /// are waited for until they are all here or nothing more comes for a few seconds. Call first where the record has a batch in
    /// doubt; they can be retired like any other, or be sent again. Empty where nothing is in doubt.
    ///
    /// # Errors
    /// When the feed is lost.
    fn in_doubt(&mut self) -> impl Future<Output = Result<Vec<Taken>, TargetError>> + Send;

    /// The next message, waiting for ever if need be; safe to drop before it is ready. Order holds for each queue.
    ///
    /// # Errors
    /// When the feed is lost.
    fn next(&mut self) -> impl Future<Output = Result<Taken, TargetError>> + Send;

    /// The next message, if it is already here: without waiting. None also while `ahead` messages are out.
    ///
    /// # Errors
    /// When the feed is lost.
    fn ready(&mut self) -> Result<Option<Taken>, TargetError>;

    /// Carries out `step` in one transaction. After [`Outcome::Refused`], where a publication was, the feed is as good as
    /// before; after any other failure it is of no more use, but where the step itself makes no sense.
    fn commit(&mut self, step: Step) -> impl Future<Output = Outcome> + Send;

    /// Gives the lease and all that was not retired back, in an orderly way.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// A message that was handed over and is not retired.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What retires it; never used twice by one feed.
    pub ticket: Ticket,
    /// Where it lay; with a pattern the queue itself.
    pub from: Destination,
    /// The message, or what could be made of one that cannot be read.
    pub publication: Result<Publication, Unreadable>,
    /// Whether the broker says that it has delivered it before; ActiveMQ says nothing of it after an orderly end.
    pub redelivered: bool,
}

/// A message that cannot be read: no application can have sent it so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// What is wrong with it, in one line.
    pub why: String,
    /// What of it can be kept, for the dead-letter queue: its body as bytes, just as it lies there.
    pub kept: Box<Publication>,
}

/// Names a taken message within its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What one transaction does: the record moves on, messages are retired, and others take their place.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The record that replaces the one before.
    pub record: SendRecord,
    /// The messages of the batch that `record` has in doubt, in order; as many as it says.
    pub in_doubt: Vec<Ticket>,
    /// Messages that leave their queues.
    pub retire: Vec<Ticket>,
    /// Messages to be sent, such as dead letters and reports. One that is refused rolls the whole step back.
    pub publish: Vec<Publication>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_activemqs() {
        let takes = |pattern: &str, name: &str| Outlet::Queue(pattern.into()).takes(&Destination::Queue(name.into()));
        for (pattern, name) in [
            ("A.B", "A.B"),
            ("A.*", "A.B"),
            ("A.>", "A.B.C"),
            ("A.>", "A"),
            (">", "A.B"),
            ("*.B", "A.B"),
            ("X,A.*", "A.B"),
        ] {
            assert!(takes(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("A.B", "A"), ("A", "A.B"), ("A.*", "A"), ("A.*", "A.B.C"), ("A.>", "B"), ("X,Y", "A")]
        {
            assert!(!takes(pattern, name), "{pattern} {name}");
        }
        assert!(!Outlet::Queue(">".into()).takes(&Destination::Topic("A".into())));
    }
}
