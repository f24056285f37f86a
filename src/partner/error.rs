//! Why a run of the simulated queue manager ended before its queue was empty.

use std::io;
use std::path::{Path, PathBuf};

use super::Step;
use crate::wire::{Luwid, Malformed, Status, StatusCode};

/// One line that says what happened, with the numbers.
#[derive(Debug, thiserror::Error)]
pub enum PartnerError {
    /// The connection could not be made, or broke.
    #[error("{what}: {source}")]
    Network {
        /// What was going on.
        what: String,
        /// How it failed.
        source: io::Error,
    },
    /// The partner closed the connection.
    #[error("the partner closed the connection {0}")]
    Closed(&'static str),
    /// The partner did not answer in time.
    #[error("the partner did not answer within {seconds} s {during}")]
    Timeout {
        /// The bound.
        seconds: u64,
        /// What was waited for.
        during: &'static str,
    },
    /// The partner refused with a status.
    #[error("the partner answered {status} {during}")]
    Refused {
        /// The status.
        status: Status,
        /// What was asked.
        during: &'static str,
    },
    /// The two ends count differently.
    #[error(
        "message sequence number error (AMQ9526): number {ours} has been sent when {} was expected; \
         RESET CHANNEL if that is right", .expected.map_or("another".to_owned(), |n| n.to_string())
    )]
    SequenceMismatch {
        /// The number sent, or the last number of ours when it was compared at the start.
        ours: i32,
        /// The number that the partner named, if it did.
        expected: Option<i32>,
    },
    /// The ends cannot agree.
    #[error("channel negotiation failed (AMQ9503): {0}")]
    Negotiation(String),
    /// A message is larger than what was agreed.
    #[error("a message of {bytes} bytes of data is beyond the agreed {what} of {limit}")]
    TooLarge {
        /// Bytes of data, without MQXQH and MQMD.
        bytes: usize,
        /// Which value.
        what: &'static str,
        /// The value, in bytes.
        limit: i32,
    },
    /// The answer to the question about a batch in doubt decides nothing.
    #[error("channel is in doubt (AMQ9507): batch {luwid}, last number {last}, and the partner answered {answer}")]
    InDoubt {
        /// The batch.
        luwid: Luwid,
        /// Its last number.
        last: i32,
        /// The answer.
        answer: String,
    },
    /// The partner sent something that does not belong there.
    #[error("protocol error (AMQ9504): {0}")]
    Protocol(String),
    /// The partner sent bytes that are no segment.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Another connection took the receiving channel over.
    #[error("another connection of the channel took its place (AdoptNewMCA)")]
    Adopted,
    /// It died as it was told.
    #[error("died at {0:?} as told")]
    Died(Step),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {why}", path = .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Another instance has the queue.
    #[error("{} is in use by another process; end that first", .0.display())]
    InUse(PathBuf),
    /// An option that cannot be.
    #[error("{0}")]
    Option(String),
}

impl PartnerError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(super) fn damaged(path: &Path, why: String) -> Self {
        Self::Damaged { path: path.to_owned(), why }
    }

    /// Whether another connection may help; else an operator must (wire reference, status-codes, end of the first table).
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Network { .. } | Self::Closed(_) | Self::Timeout { .. } => true,
            Self::Refused { status, .. } => !matches!(
                status.code.unwrap_or(StatusCode::OK),
                StatusCode::NO_CHANNEL
                    | StatusCode::CHANNEL_WRONG_TYPE
                    | StatusCode::MSG_SEQUENCE_ERROR
                    | StatusCode::WRAP_VALUE_ERROR
                    | StatusCode::CIPHER_SPEC
                    | StatusCode::PEER_NAME
                    | StatusCode::SSL_CLIENT_CERTIFICATE
                    | StatusCode::CCSID_NOT_SUPPORTED
                    | StatusCode::ENCODING_INVALID
                    | StatusCode::FAP_LEVEL
                    | StatusCode::NEGOTIATION_FAILED
            ),
            _ => false,
        }
    }
}
