//! A whole segment: header and unparsed body.

use bytes::Bytes;

use super::Tsh;

/// One transmission segment: its header and the bytes behind it, a slice of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The header.
    pub tsh: Tsh,
    /// Everything after the header.
    pub body: Bytes,
}
