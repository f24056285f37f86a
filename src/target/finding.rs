//! What `check` finds out about a broker, one line each.

use super::TargetError;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Good,
    /// It works, but somebody should look.
    Warning,
    /// The gateway cannot run so.
    Error,
}

/// One thing that was found, with the fix where one is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub text: String,
}

impl Finding {
    /// A finding.
    pub(super) fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self { severity, text: text.into() }
    }
}

impl From<TargetError> for Finding {
    fn from(error: TargetError) -> Self {
        Self::new(Severity::Error, error.text)
    }
}
