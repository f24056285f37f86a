//! Confirm requests: the rule that decides whether messages can be lost.

use crate::wire::{Luwid, SegmentType};

/// What carried the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// HEARTBEAT.
    Heartbeat,
    /// RESYNC_DATA.
    Resync,
    /// Anything else: MESSAGE_DATA, STATUS_DATA, RESET_DATA, ...
    Other,
}

impl From<SegmentType> for Carrier {
    fn from(segment_type: SegmentType) -> Self {
        match segment_type {
            SegmentType::HEARTBEAT => Self::Heartbeat,
            SegmentType::RESYNC_DATA => Self::Resync,
            _ => Self::Other,
        }
    }
}

/// A confirm request, and all that bears on its answer.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What carried it.
    pub carrier: Carrier,
    /// The LUWID that it names; zero if none.
    pub luwid: Luwid,
    /// Whether it is the first segment after the handshake, heartbeats apart.
    pub first: bool,
    /// LUWID of messages received on *this* connection and not yet confirmed; none if there are no such messages.
    pub open: Option<Luwid>,
    /// LUWID of the record; zero before the first batch.
    pub last: Luwid,
    /// Whether the record covers the sequence number that it names; true if it names none.
    pub number_committed: bool,
}

/// What to do about a confirm request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Commit the open batch, then confirm it.
    Commit,
    /// Nothing to do: this batch is committed. Confirm it (again).
    Repeat,
    /// This batch is not here. Say so by telling our last LUWID and number; never confirm it.
    TellLast,
    /// No batch is named and none is open: answer without confirming anything.
    Nothing,
    /// Only a heartbeat.
    HeartbeatOnly,
    /// Another batch than the one named is open: protocol fault.
    OtherBatch,
    /// It cannot be told what the partner means; STATUS 4 and close.
    Doubt,
}

/// The answer to a confirm request (wire reference, channel flow 5, the table "which decides whether messages can be lost",
/// and section 10 for heartbeats). A wrong "confirmed" makes the sender delete messages that nobody has.
pub fn decide(request: &Request) -> Decision {
    let Request { carrier, luwid, first, open, last, number_committed, .. } = *request;
    match (carrier, open) {
        (Carrier::Heartbeat, Some(open)) if !luwid.is_zero() && luwid == open => Decision::Commit,
        (Carrier::Heartbeat, _) => Decision::HeartbeatOnly,
        (_, Some(open)) if luwid == open || luwid.is_zero() => Decision::Commit,
        (_, Some(_)) => Decision::OtherBatch,
        (Carrier::Resync, None) if luwid.is_zero() => Decision::TellLast,
        (_, None) if luwid.is_zero() && number_committed => Decision::Nothing,
        (_, None) if luwid == last && !luwid.is_zero() && number_committed => Decision::Repeat,
        (_, None) if luwid == last || luwid.is_zero() => Decision::Doubt,
        (Carrier::Resync, None) => Decision::TellLast,
        (Carrier::Other, None) if first => Decision::TellLast,
        (Carrier::Other, None) => Decision::Doubt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Luwid = Luwid([1; 8]);
    const Y: Luwid = Luwid([2; 8]);

    fn request(carrier: Carrier, luwid: Luwid) -> Request {
        Request { carrier, luwid, first: false, open: None, last: Y, number_committed: true }
    }

    #[test]
    fn row_1_messages_of_x_are_uncommitted_here() {
        for carrier in [Carrier::Other, Carrier::Resync] {
            assert_eq!(decide(&Request { open: Some(X), ..request(carrier, X) }), Decision::Commit);
            // Also when X is the record's LUWID: a batch sent again under its old id.
            assert_eq!(decide(&Request { open: Some(X), last: X, ..request(carrier, X) }), Decision::Commit);
        }
    }

    #[test]
    fn row_2_x_is_our_last() {
        for carrier in [Carrier::Other, Carrier::Resync] {
            for first in [true, false] {
                assert_eq!(decide(&Request { last: X, first, ..request(carrier, X) }), Decision::Repeat);
            }
        }
    }

    #[test]
    fn row_2_but_with_a_number_that_was_never_committed() {
        for carrier in [Carrier::Other, Carrier::Resync] {
            let asked = Request { last: X, number_committed: false, first: true, ..request(carrier, X) };
            assert_eq!(decide(&asked), Decision::Doubt);
        }
    }

    #[test]
    fn row_3_x_is_unknown() {
        assert_eq!(decide(&Request { first: true, ..request(Carrier::Resync, X) }), Decision::TellLast);
        assert_eq!(decide(&request(Carrier::Resync, X)), Decision::TellLast);
        assert_eq!(decide(&Request { first: true, ..request(Carrier::Other, X) }), Decision::TellLast);
        assert_eq!(decide(&request(Carrier::Other, X)), Decision::Doubt);
        assert_eq!(decide(&Request { last: Luwid::ZERO, ..request(Carrier::Resync, X) }), Decision::TellLast);
    }

    #[test]
    fn row_4_another_batch_is_open() {
        for carrier in [Carrier::Other, Carrier::Resync] {
            assert_eq!(decide(&Request { open: Some(Y), ..request(carrier, X) }), Decision::OtherBatch);
            // Even if X is our last: then the partner is out of step with itself.
            assert_eq!(decide(&Request { open: Some(Y), last: X, ..request(carrier, X) }), Decision::OtherBatch);
        }
    }

    #[test]
    fn row_5_x_is_zero() {
        assert_eq!(decide(&Request { open: Some(Y), ..request(Carrier::Other, Luwid::ZERO) }), Decision::Commit);
        assert_eq!(decide(&request(Carrier::Other, Luwid::ZERO)), Decision::Nothing);
        // A zero LUWID is never "our last", even where the record has none.
        let never = Request { last: Luwid::ZERO, first: true, ..request(Carrier::Other, Luwid::ZERO) };
        assert_eq!(decide(&never), Decision::Nothing);
        assert_eq!(decide(&request(Carrier::Resync, Luwid::ZERO)), Decision::TellLast);
    }

    #[test]
    fn heartbeats_confirm_only_the_open_batch_by_its_name() {
        assert_eq!(decide(&Request { open: Some(X), ..request(Carrier::Heartbeat, X) }), Decision::Commit);
        assert_eq!(decide(&Request { open: Some(Y), ..request(Carrier::Heartbeat, X) }), Decision::HeartbeatOnly);
        assert_eq!(
            decide(&Request { open: Some(X), ..request(Carrier::Heartbeat, Luwid::ZERO) }),
            Decision::HeartbeatOnly
        );
        assert_eq!(decide(&Request { last: X, ..request(Carrier::Heartbeat, X) }), Decision::HeartbeatOnly);
        let zero = Request { open: Some(Luwid::ZERO), ..request(Carrier::Heartbeat, Luwid::ZERO) };
        assert_eq!(decide(&zero), Decision::HeartbeatOnly);
    }

    /// Whatever comes: "confirmed" is only ever said of a batch that is committed or about to be.
    #[test]
    fn nothing_else_is_ever_confirmed() {
        let luwids = [Luwid::ZERO, X, Y];
        for carrier in [Carrier::Heartbeat, Carrier::Resync, Carrier::Other] {
            for luwid in luwids {
                for open in [None, Some(Luwid::ZERO), Some(X), Some(Y)] {
                    for last in luwids {
                        for (first, number_committed) in [(true, true), (true, false), (false, true), (false, false)] {
                            let asked = Request { carrier, luwid, first, open, last, number_committed };
                            match decide(&asked) {
                                Decision::Commit => assert!(open.is_some_and(|open| luwid.is_zero() || open == luwid)),
                                Decision::Repeat => {
                                    assert!(luwid == last && !luwid.is_zero() && open.is_none() && number_committed);
                                }
                                _ => {}
                            }
                        }
                    }
                }
            }
        }
    }
}
