//! A message that cannot become a publication.

use super::reason;

/// Why a message cannot become a publication; it goes to the dead-letter queue with this reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MQRC {reason} ({}), {field}: {text}", reason::name(*.reason))]
pub struct Unmappable {
    /// Reason or feedback code, as it goes into an MQDLH.
    pub reason: i32,
    /// The field at fault, by IBM's name.
    pub field: &'static str,
    /// One line: what is wrong, and the fix.
    pub text: String,
}
