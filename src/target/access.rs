//! How a gateway gets into a broker, and how long it waits there; the same for every protocol.

use std::time::Duration;

use zeroize::Zeroizing;

/// User and password. Neither `Debug` nor any message shows the password.
#[derive(Clone)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password; wiped from memory when dropped.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How long each kind of wait may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connecting to any broker of the list, with retries; an address that has `timeout` sets its own.
    pub claim: Duration,
    /// Waiting for a lease that may be given back just now, for a caller waits for our answer meanwhile.
    pub held: Duration,
    /// One answer: attach, declare, the own barrier, the record coming back.
    pub answer: Duration,
    /// Credit and outcomes of messages; longer, for a broker near its limits holds producers up.
    pub settle: Duration,
    /// The answer to a commit. After that the batch is in doubt.
    pub commit: Duration,
    /// How long a queue must stay empty before "no record" is believed (the lease's second lock).
    pub no_record: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            claim: Duration::from_secs(8),
            held: Duration::from_secs(2),
            answer: Duration::from_secs(5),
            settle: Duration::from_secs(30),
            commit: Duration::from_secs(30),
            no_record: Duration::from_secs(3),
        }
    }
}
