//! What can go wrong with a target, whose fault it is, and what helps.

use std::fmt;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Our configuration or our code.
    Ours,
    /// The broker answered and refused.
    Broker,
    /// The road between us.
    Network,
}

/// The target as a whole failed: the unit of work in hand is lost, the claim too.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct TargetError {
    /// Whose fault.
    pub side: Side,
    /// One line: what happened, where, and what to do.
    pub text: String,
    /// Whether trying again later can help (broker down, store full) or a person must act (password refused).
    pub retry: bool,
}

/// The target refused one publication and goes on with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The MQRC that tells an MQ administrator the same thing (wire reference, status-codes): 2035, 2053, 2030, ...
    pub reason: i32,
    /// The target's own words.
    pub text: String,
}

impl Refusal {
    /// MQRC_MSG_TOO_BIG_FOR_Q
    pub const TOO_BIG: i32 = 2030;
    /// MQRC_NOT_AUTHORIZED
    pub const NOT_AUTHORIZED: i32 = 2035;
    /// MQRC_Q_FULL
    pub const FULL: i32 = 2053;
    /// MQRC_UNKNOWN_OBJECT_NAME
    pub const UNKNOWN_OBJECT: i32 = 2085;
    /// MQRC_NOT_CONVERTED
    pub const NOT_CONVERTED: i32 = 2119;
    /// MQRC_UNEXPECTED_ERROR
    pub const UNEXPECTED: i32 = 2195;

    /// The error of a step whose publication `index` was refused.
    pub(super) fn of_step(&self, index: usize) -> TargetError {
        let text = format!("publication {index} of the step was refused: {self}");
        TargetError { side: Side::Broker, text, retry: self.reason == Self::FULL }
    }

    /// Whether ActiveMQ refused a message of a transaction only because it had to wait for memory. When there is room again
    /// the broker looks for the transaction where it is not, and takes it for completed (seen on 5.19.1, either
    /// protocol): the message is not there, the transaction is good, and it may be sent again.
    pub(super) fn had_to_wait(text: &str) -> bool {
        text.contains("completed while waiting for space")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MQRC {}: {}", self.reason, self.text)
    }
}
