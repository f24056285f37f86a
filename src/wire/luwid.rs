//! The logical unit of work id of a batch.

use std::fmt;

/// Eight opaque bytes that name a batch; compared for equality only (wire reference, segments 6, D and O).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Luwid(pub [u8; 8]);

impl Luwid {
    /// No unit of work: eight zero bytes.
    pub const ZERO: Self = Self([0; 8]);

    /// Whether all bytes are zero.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Luwid {
    /// Sixteen upper-case hex digits, as `DISPLAY CHSTATUS` shows CURLUWID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Luwid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
