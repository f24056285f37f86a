//! mqferry joins IBM MQ message channels to ActiveMQ.
//!
//! The floors, lowest first; none knows the ones below it in this list:
//!
//! | floor | knows |
//! |---|---|
//! | [`wire`], [`message`], [`codepage`] | bytes, lengths, byte order, CCSID |
//! | [`channel`] | segments, sequence numbers, LUWs, timers as values |
//! | [`partner`] | `wire`: a simulated queue manager |
//! | [`mapping`] | envelopes and publications |
//! | [`target`] | publications and broker transactions |
//! | [`mover`] | all of them, and only how they meet |
//! | [`config`], [`telemetry`], [`admin`], [`cli`] | what people and scripts hold |

pub mod admin;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod codepage;
pub mod config;
pub mod mapping;
pub mod message;
pub mod mover;
pub mod partner;
pub mod target;
pub mod telemetry;
pub mod tls;
pub mod wire;
