//! A message whose transmission header or descriptor cannot be read.

use bytes::Bytes;

use crate::wire::Malformed;

/// A message that cannot be taken apart, with its bytes, for a dead-letter queue must get them.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{malformed}")]
pub struct BrokenEnvelope {
    /// What is wrong, with the offset inside the named structure.
    pub malformed: Malformed,
    /// The message as it came, unjoined.
    pub parts: Vec<Bytes>,
}
