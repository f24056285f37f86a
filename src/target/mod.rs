//! Where publications go: a broker, or the embedded store.
//!
//! One unit of work carries a batch and the channel's sync record; one commit decides both. A claim is
//! the lease on a channel's record: whoever holds it may move the channel, nobody else.

use std::future::Future;

use crate::channel::record::{ChannelKey, SyncRecord};
use crate::mapping::Publication;
use crate::wire::Luwid;

mod access;
pub mod address;
pub mod amqp;
pub mod embedded;
pub mod error;
mod failover;
pub mod feed;
mod finding;
mod lease;
pub mod memory;
pub mod openwire;
pub mod record;
mod speaks;
mod stream;
mod taken;

pub use access::{Limits, Login};
pub use address::BrokerAddress;
pub use amqp::AmqpTarget;
pub use embedded::Embedded;
pub use error::{Refusal, Side, TargetError};
pub use feed::{Feed, Outlet, Outlets, Source, Step, Taken, Ticket, Unreadable};
pub use finding::{Finding, Severity};
pub use memory::Memory;
pub use openwire::OpenWireTarget;

/// Something that keeps publications and sync records together.
pub trait Target: Send + Sync + 'static {
    /// Its claim.
    type Claim: Claim;

    /// Sees whether the target is there and lets us in, without leaving anything behind; the wait is bounded.
    ///
    /// # Errors
    /// When it cannot be reached, or refuses us.
    fn look(&self) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Whether a publication would arrive as it is; the text says what of its body would not. Ask before staging: the same
    /// message published as bytes always does.
    ///
    /// # Errors
    /// What would be spoiled, in one line.
    fn carries(&self, publication: &Publication) -> Result<(), String> {
        let _ = publication;
        Ok(())
    }

    /// Takes the lease on the record of `key`, waiting a few seconds at most. Called before a channel's
    /// negotiation is agreed.
    ///
    /// # Errors
    /// When the target cannot be reached or refuses us; the wait is bounded.
    fn claim(&self, key: &ChannelKey) -> impl Future<Output = Result<Claimed<Self::Claim>, TargetError>> + Send;
}

/// Whether the lease was had.
#[derive(Debug)]
pub enum Claimed<C> {
    /// It is ours.
    Ours(C),
    /// Another holder has it; the text says who, as far as it is known.
    Held(String),
}

/// The lease on one channel's record, with a road to the target of its own. Dropping it gives the lease back.
pub trait Claim: Send + 'static {
    /// Its unit of work.
    type Unit<'a>: Unit + Send
    where
        Self: 'a;

    /// The record as this target last committed it; none for a channel that never committed anything.
    fn record(&self) -> Option<&SyncRecord>;

    /// Opens a unit of work; only one at a time.
    ///
    /// # Errors
    /// When the target is gone.
    fn begin(&mut self, luwid: Luwid) -> impl Future<Output = Result<Self::Unit<'_>, TargetError>> + Send;

    /// Waits, for ever if need be, until the lease or the connection is lost while no unit is open.
    fn lost(&mut self) -> impl Future<Output = TargetError> + Send;

    /// The largest publication body in bytes that the target takes, if it is known.
    fn max_message_bytes(&self) -> Option<u64>;

    /// Gives the lease back in an orderly way.
    fn release(self) -> impl Future<Output = ()> + Send;
}

/// One unit of work: publications that become visible together with the record, or not at all.
/// Dropping it without a commit rolls it back.
pub trait Unit {
    /// When the target is to answer for what is staged from here on; gives when it will. Before this is called, and with
    /// most targets always, that is [`Answers::Each`].
    fn answers(&mut self, when: Answers) -> Answers {
        let _ = when;
        Answers::Each
    }

    /// Hands over one publication. It may be sent ahead of its answer: refusals come out of [`Unit::settle`].
    /// `index` is the caller's own number for it.
    ///
    /// # Errors
    /// When the unit as a whole is lost.
    fn stage(&mut self, index: usize, publication: Publication)
    -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Waits until every staged publication is answered that has to be ([`Answers::Each`]); gives those that the target
    /// refused, which concern themselves alone and leave the unit usable.
    ///
    /// # Errors
    /// When the unit as a whole is lost.
    fn settle(&mut self) -> impl Future<Output = Result<Vec<(usize, Refusal)>, TargetError>> + Send;

    /// Commits what was staged together with `record`, which replaces the one before. Call after a [`Unit::settle`]
    /// with nothing staged since.
    fn commit(self, record: SyncRecord) -> impl Future<Output = Outcome> + Send;

    /// Gives up the unit.
    fn rollback(self) -> impl Future<Output = ()> + Send;
}

/// When a target answers for a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Before [`Unit::settle`] returns: what it does not tell as refused is taken.
    Each,
    /// With the commit, all at once: fast, but a refusal of one is then [`Outcome::Refused`] for all, and does not tell which. The
    /// caller keeps what it staged until the commit is answered.
    AtCommit,
}

/// What became of a unit of work.
#[derive(Debug)]
pub enum Outcome {
    /// The target has all of it.
    Committed,
    /// The target has none of it, for it refused something that was staged under [`Answers::AtCommit`]. The claim is as
    /// good as before: stage all of it again in a new unit under [`Answers::Each`], which tells what is refused.
    Refused(TargetError),
    /// The target has none of it.
    RolledBack(TargetError),
    /// Nobody can say but the record: the claim is finished; claim again and read.
    InDoubt(TargetError),
}
