//! What either machine needs to come to an agreement.

use super::PartnerError;
use super::Stopped;
use super::dialect::SeqWrapRefusal;
use super::line::{Line, Utter, disorderly};
use super::negotiation::{self, Limits};
use super::{Definition, Identity};
use crate::wire::{ControlFlags1, InitialData, Segment, SegmentType, Status, StatusCode};

const STATE: &str = "binding";

/// The body of a segment that has to be INITIAL_DATA.
pub(in crate::channel) fn initial_data(segment: &Segment) -> Result<InitialData, PartnerError> {
    if segment.tsh.segment_type == SegmentType::SECURITY_DATA {
        let found = "SECURITY_DATA";
        return Err(PartnerError::new(STATE, StatusCode::SECURITY_FAILURE, "no security exit", found));
    }
    if segment.tsh.segment_type != SegmentType::INITIAL_DATA {
        return Err(PartnerError::segment(STATE, "INITIAL_DATA", segment));
    }
    segment.initial_data().map_err(|error| PartnerError::malformed(STATE, StatusCode::PROTOCOL_ID_ERROR, &error))
}

/// What a partner says that binds no longer: a status, or a close.
pub(in crate::channel) fn given_up(segment: &Segment) -> Option<Status> {
    let closes = segment.tsh.flags1.contains(ControlFlags1::CLOSE_CHANNEL);
    let is_status = segment.tsh.segment_type == SegmentType::STATUS_DATA;
    (is_status || closes).then(|| segment.status().unwrap_or(Status::OK))
}

/// A caller names the same channel in each round.
pub(in crate::channel) fn same_channel(offer: &InitialData, channel: &str) -> Result<(), PartnerError> {
    let found = offer.channel_name.text();
    if found == channel {
        return Ok(());
    }
    let expected = format!("channel {channel} again");
    Err(PartnerError::new(STATE, StatusCode::PROTOCOL_ID_ERROR, expected, found))
}

impl<O: Utter> Line<O> {
    /// Refuses a caller for its SEQWRAP, in the dialect's way.
    pub(in crate::channel) fn refuse_wrap(
        &mut self,
        identity: &Identity,
        definition: &Definition,
        offer: &InitialData,
        limits: &Limits,
    ) -> Stopped {
        let how = self.dialect.seq_wrap_refusal;
        if how != SeqWrapRefusal::Status {
            let (values, no) = negotiation::wrap_objection(offer, limits);
            self.initial_data(identity, &definition.name, &values, &no, ControlFlags1::ERROR);
        }
        if how != SeqWrapRefusal::InitialData {
            self.refuse(&Status::new(StatusCode::WRAP_VALUE_ERROR));
        }
        let (theirs, ours) = (offer.seq_wrap, limits.seq_wrap);
        let why = format!(
            "sequence wrap values differ: {theirs} at the partner, {ours} here; make seqwrap and SEQWRAP equal"
        );
        disorderly(Some(StatusCode::WRAP_VALUE_ERROR), why)
    }
}
