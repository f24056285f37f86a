//! The message channel agent as a pure state machine: segments and time go in, actions come out.

pub mod action;
pub mod definition;
pub mod dialect;
pub mod record;

pub use action::{Input, MessageFrame, Output, Stopped};
pub use definition::{Definition, Identity, Partner};
pub use dialect::Dialect;
pub use record::{ChannelKey, MessageName, SyncRecord};
