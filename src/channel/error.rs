//! What a partner did that it may not do.

use crate::wire::{Malformed, Segment, StatusCode};

/// A partner broke the protocol: what we expected, what came, in which state. It is told `code`, and the channel ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("while {state}: expected {expected}, got {found}")]
pub struct PartnerError {
    /// What the machine was doing, in words that follow "while".
    pub state: &'static str,
    /// What fits.
    pub expected: String,
    /// What came.
    pub found: String,
    /// What the partner is told.
    pub code: StatusCode,
    /// The third int of the status, if there is one to tell.
    pub value: Option<i32>,
}

impl PartnerError {
    pub(crate) fn new(
        state: &'static str,
        code: StatusCode,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { state, expected: expected.into(), found: found.into(), code, value: None }
    }

    /// A segment type that has no place here (wire reference, status-codes, 0x0A).
    pub(crate) fn segment(state: &'static str, expected: &str, segment: &Segment) -> Self {
        Self::new(state, StatusCode::PROTOCOL_SEGMENT_TYPE, expected, segment.tsh.segment_type.to_string())
    }

    /// A body that cannot be parsed.
    pub(crate) fn malformed(state: &'static str, code: StatusCode, malformed: &Malformed) -> Self {
        let Malformed { structure, field, offset, expected, found } = malformed;
        Self::new(state, code, format!("{expected} in {structure}.{field} (offset {offset})"), found.clone())
    }

    pub(crate) fn with_value(self, value: i32) -> Self {
        Self { value: Some(value), ..self }
    }
}
