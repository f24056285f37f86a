//! A simulated queue manager: the receiving half of message channels, its local queues and its memory on disk.
//!
//! It listens as a queue manager's RCVR does, or calls a server as its RQSTR, and takes messages in any dialect. What it
//! puts and what it remembers of a channel lie in one journal, committed together, that survives its own `kill -9`. It
//! answers in every way that the wire reference leaves open ([`Habits`]), wrongly if told to ([`Lie`]), and dies on
//! command. It shares the speech, the conversation and the negotiation with the sending half, and nothing with
//! `channel`.
//!
//! ```text
//! TCP -> conversation -> greeting -> instance -> unit (intake) -> journal -> local queues
//!                                       `- answer
//! ```

mod answer;
mod greeting;
mod instance;
mod intake;
mod journal;
mod local;
mod options;
mod queue_manager;

pub use journal::{ChannelId, Remembered};
pub use local::{LocalMessage, LocalQueues};
pub use options::{
    ConfirmAnswer, Greeting, Habits, Lie, Receiving, Rejection, ResyncAnswer, Second, SeqWrapRefusal, Tally,
};
pub use queue_manager::Receiver;
