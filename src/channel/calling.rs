//! Negotiation at the caller: what a requester or a sender offers, and what the partner's answer leads to.
//!
//! Pure functions over [`InitialData`]; [`super::Mca`] keeps the round and the order of events.

use super::dialect::RequesterCapabilities;
use super::negotiation::{Agreed, Limits, SMALLEST_TRANSMISSION};
use crate::wire::{CapFlags1, ErrFlags1, InitialData};

const SENDER_BITS: CapFlags1 = CapFlags1::MSG_SEQ.union(CapFlags1::CONVERSION_CAPABLE).union(CapFlags1::SPLIT_MESSAGE);

/// What an answer to our offer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Both ends hold to these values.
    Agreed(Agreed),
    /// Offer these instead.
    Again(Agreed),
    /// Cannot be agreed on; the text says why, with both values.
    No(String),
}

/// The first offer of a requester (wire reference, channel flow 1.1: CapFlags1 0x08 is answered, O).
pub fn first_offer(ours: &Limits) -> Agreed {
    let caps = match ours.dialect.requester_capabilities {
        RequesterCapabilities::InitiationOnly => CapFlags1::REQUEST_INITIATION,
        RequesterCapabilities::WithSenderBits => CapFlags1::REQUEST_INITIATION | SENDER_BITS,
    };
    offer(ours, caps)
}

/// The first offer of a sender, or of a server that calls (wire reference, channel flow 1.1: CapFlags1 0x07, O).
pub fn sender_offer(ours: &Limits) -> Agreed {
    offer(ours, SENDER_BITS)
}

fn offer(ours: &Limits, cap_flags1: CapFlags1) -> Agreed {
    let fap_level = ours.dialect.fap.0;
    Agreed {
        fap_level,
        batchsz: ours.batchsz,
        max_transmission_size: ours.dialect.max_transmission_size.0,
        max_msg_size: ours.max_msg_size,
        heartbeat_interval: if fap_level < 4 { 0 } else { ours.hbint },
        seq_wrap: ours.seq_wrap,
        cap_flags1,
    }
}

/// Judges the answer to an offer; `error` is its flag ERROR: a counter-proposal (wire reference, channel flow 1.3). An answer
/// without ERROR but with other values is taken as agreed, with the smaller ones.
pub fn judge(offer: &Agreed, theirs: &InitialData, error: bool) -> Answered {
    let no = |why: String| Answered::No(why);
    if theirs.seq_wrap != offer.seq_wrap || theirs.err_flags1.contains(ErrFlags1::SEQ_WRAP_VALUE) {
        let (theirs, ours) = (theirs.seq_wrap, offer.seq_wrap);
        return no(format!(
            "sequence wrap values differ: {theirs} at the partner, {ours} here; make seqwrap and SEQWRAP equal"
        ));
    }
    for (flag, what) in [(ErrFlags1::CCSID, "CCSID"), (ErrFlags1::ENCODING, "encoding")] {
        if theirs.err_flags1.contains(flag) {
            return no(format!("the partner cannot convert our {what}; choose another in [channel.dialect]"));
        }
    }
    if theirs.ecap_flags1.contains(CapFlags1::REQUEST_INITIATION) {
        return no("the partner refuses to be called by a requester (ECapFlags1 0x08)".to_owned());
    }
    if theirs.ecap_flags1.contains(CapFlags1::MSG_SEQ) {
        return no("the partner does not use message sequence numbers (ECapFlags1 0x01)".to_owned());
    }
    if theirs.fap_level == 0 || theirs.max_transmission_size < SMALLEST_TRANSMISSION {
        let (level, size) = (theirs.fap_level, theirs.max_transmission_size);
        return no(format!(
            "the partner wants FAP level {level} and segments of {size} bytes; at least 1 and {SMALLEST_TRANSMISSION} are needed"
        ));
    }
    let fap_level = theirs.fap_level.min(theirs.carried_level()).min(offer.fap_level);
    let interval = theirs.fap4.as_ref().map_or(0, |fap4| fap4.heartbeat_interval);
    let values = Agreed {
        fap_level,
        batchsz: if theirs.max_msg_per_batch == 0 {
            offer.batchsz
        } else {
            theirs.max_msg_per_batch.min(offer.batchsz)
        },
        max_transmission_size: theirs.max_transmission_size.min(offer.max_transmission_size),
        max_msg_size: if theirs.max_msg_size <= 0 {
            offer.max_msg_size
        } else {
            theirs.max_msg_size.min(offer.max_msg_size)
        },
        heartbeat_interval: if fap_level < 4 || interval <= 0 || offer.heartbeat_interval == 0 {
            0
        } else {
            interval.max(offer.heartbeat_interval)
        },
        seq_wrap: offer.seq_wrap,
        cap_flags1: offer.cap_flags1 - theirs.ecap_flags1,
    };
    if !error {
        // Sequence numbers are used whatever the bits of a requester say (channel flow 10).
        let cap_flags1 = (theirs.cap_flags1 & SENDER_BITS) | CapFlags1::MSG_SEQ;
        return Answered::Agreed(Agreed { cap_flags1, ..values });
    }
    if values == *offer {
        return no(format!(
            "the partner does not accept our values (ErrFlags1 {}) and proposes nothing that we can change",
            theirs.err_flags1
        ));
    }
    Answered::Again(values)
}
