//! The one error of parsing: what was expected where, and what was found.

/// Bytes that cannot be what they should be. Offsets count from the start of the named structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{structure} is malformed: {field} at offset {offset} is {found}, expected {expected}")]
pub struct Malformed {
    /// The structure, by IBM's short name: `TSH`, `ID`, `MSH`, `MQXQH`, ...
    pub structure: &'static str,
    /// The field, by IBM's name.
    pub field: &'static str,
    /// Offset of the field in bytes from the start of the structure.
    pub offset: usize,
    /// What fits there.
    pub expected: String,
    /// What was read.
    pub found: String,
}
