//! What an operator sees and does while the gateway runs: channel status, start and stop, health, metrics.

pub mod board;
pub mod status;

pub use board::{ChannelBoard, Instance, Refused, Wanted};
pub use status::{Agreed, ChannelState, ChannelStatus, Substate};
