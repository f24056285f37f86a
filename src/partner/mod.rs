//! A simulated queue manager: the sending half of a message channel, its transmission queue and its memory on disk; the
//! receiving half is in [`receiver`].
//!
//! It calls a receiver channel as a queue manager's SDR does, speaks any dialect ([`Speech`]), dies on command
//! ([`Death`]) and survives its own `kill -9`. It uses `wire` but nothing of `channel`: a partner made of the
//! gateway's own code would agree with its every mistake.
//!
//! ```text
//! generator -> transmission queue (xmitq, sync_file) -> sender -> conversation -> TCP
//!                                                        |  `- negotiate, resync, batch
//! ```

mod batch;
mod capture;
mod conversation;
mod death;
mod error;
pub mod generator;
pub mod judge;
mod negotiate;
mod options;
pub mod receiver;
mod resync;
mod sender;
mod server;
mod speech;
mod sync_file;
pub mod transmission;
mod xmitq;

#[cfg(test)]
mod testing;

pub use death::{Death, Step};
pub use error::PartnerError;
pub use negotiate::Agreed;
pub use options::{Options, Report};
pub use sender::{ping, run};
pub use server::{call_back, serve};
pub use speech::{
    BatchHeartbeat, Close, ConfirmRequest, DataLength, IdLength, LuwidStyle, ResetNumber, Resync, ResyncBody,
    ResyncCarrier, Speech,
};
pub use sync_file::{ChannelSync, InDoubt};
pub use xmitq::{Putter, Xmitq};
