//! The I/O shell from outside: partners over real sockets, a target in memory that fails on command.
//!
//! Each case asks for three things: what the partner hears (the status code), what the target has (each message once),
//! and what an operator sees (board, metrics, one clear line of log).

#[path = "../support/caller.rs"]
mod caller;
#[path = "../support/stage.rs"]
mod stage;

mod callers;
mod ending;
mod manners;
mod reports;
mod retry;
mod room;
mod sending;
mod trouble;
mod undelivered;
