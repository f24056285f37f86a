//! What `check` finds out about a broker, one line each.

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
