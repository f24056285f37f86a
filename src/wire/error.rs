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

impl Malformed {
    /// An error with both texts made for it.
    pub fn new(
        structure: &'static str,
        field: &'static str,
        offset: usize,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { structure, field, offset, expected: expected.into(), found: found.into() }
    }
}

/// Up to 16 bytes for an error text: hex, and the characters if they are printable.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let some = bytes.get(..16).unwrap_or(bytes);
    let hex: String = some.iter().map(|byte| format!("{byte:02X}")).collect();
    if !some.is_empty() && some.iter().all(|byte| (0x20..0x7F).contains(byte)) {
        format!("{hex} ({:?})", String::from_utf8_lossy(some))
    } else if some.is_empty() {
        "nothing".to_owned()
    } else {
        hex
    }
}
