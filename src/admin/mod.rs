//! What an operator sees and does while the gateway runs: channel status, start and stop, health, metrics.

pub mod board;
pub mod health;
pub mod request;
pub mod server;
pub mod status;
pub mod view;

pub use board::{ChannelBoard, Instance, Refused, Wanted};
pub use health::Health;
pub use request::{Answered, Operation};
pub use server::{Admin, CannotListen};
pub use status::{Agreed, ChannelState, ChannelStatus, Substate};
pub use view::ChannelView;
