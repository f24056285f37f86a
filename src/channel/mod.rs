//! The message channel agent as a pure state machine: segments and time go in, actions come out.
//!
//! [`Mca`] is the receiving end. Feed it an [`Input`], then drain [`Mca::poll`] of every [`Output`]; call it with
//! [`Input::Tick`] when [`Mca::next_timeout`] has come. It never reads a clock or a socket: `now` is an argument,
//! a [`std::time::Duration`] since any fixed moment.
//!
//! | module | what |
//! |---|---|
//! | [`receiver`] | the machine: states, inputs, outputs |
//! | [`sender`] | its counterpart, with inputs and outputs of its own |
//! | [`negotiation`], [`calling`] | agreed values, counter-proposals, refusals; as responder and as caller |
//! | [`sequence`], [`record`] | numbers, repeats, and what survives a connection |
//! | [`confirm`] | what is answered to a confirm request: the rule that decides whether messages can be lost |
//! | [`dialect`] | every guess about the protocol |

pub mod action;
mod assembly;
pub mod batch;
mod binding;
pub mod calling;
pub mod confirm;
pub mod definition;
pub mod dialect;
pub mod error;
mod line;
pub mod negotiation;
pub mod receiver;
pub mod record;
pub mod sender;
pub mod sequence;
pub mod timers;

pub use action::{Input, MessageFrame, Output, Stopped};
pub use definition::{Calls, Conname, Definition, Identity, Partner};
pub use dialect::Dialect;
pub use error::PartnerError;
pub use negotiation::Agreed;
pub use receiver::{Mca, McaStatus};
pub use record::{ChannelKey, InDoubt, MessageName, SendRecord, SyncRecord};
