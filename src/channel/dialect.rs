//! Every guess about the channel protocol, in one place.

/// One named field for every question that the wire reference marks I or U; `Default` is its most plausible answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Dialect {}
