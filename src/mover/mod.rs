//! The I/O shell: sockets, clock, machine and target, and how they meet.
//!
//! [`start`] accepts partners; each connection gets one task, its instance, which drives one
//! [`crate::channel::Mca`] and one lease on the target. No callbacks, no shared locks on the path of a message.

mod batch;
mod clerk;
mod codec;
mod dialer;
mod gateway;
mod held_up;
mod instance;
mod link;
mod listener;
mod lobby;
mod memory;
mod orders;
mod outgoing;
mod report;
mod running;
mod sender_reports;
mod undelivered;

pub use gateway::{Handle, Settings, start};
pub use memory::MemoryBudget;
