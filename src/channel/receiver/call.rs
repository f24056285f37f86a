//! From our own call to agreement: a requester.

use super::{Mca, State, disorderly, timers};
use crate::channel::binding::{given_up, initial_data};
use crate::channel::calling::{self, Answered};
use crate::channel::dialect::RequesterStart;
use crate::channel::negotiation::{Agreed, Limits, ROUNDS};
use crate::channel::receiver::Channel;
use crate::channel::timers::Timer;
use crate::channel::{Definition, Identity, Output, Partner, PartnerError, SyncRecord};
use crate::wire::{ControlFlags1, Luwid, Segment, Status, StatusCode};
use std::time::Duration;

/// A call that waits for its answer.
#[derive(Debug)]
pub(super) struct Calling {
    pub(super) definition: Definition,
    offer: Agreed,
    /// The offer that was made last, from 1.
    round: u32,
}

/// A call that was agreed on; the lease is not ours yet.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) definition: Definition,
    pub(super) partner: Partner,
    agreed: Agreed,
}

impl Mca {
    /// A machine for a connection that we made, to a server (SVR) that is to send on it, or to a sender (SDR) that calls
    /// back. `max_message_bytes` is what the target takes, if it is known already.
    pub fn calling(identity: Identity, definition: Definition, max_message_bytes: Option<u64>, now: Duration) -> Self {
        let mut mca = Self::new(identity, now);
        mca.line.dialect = definition.dialect.clone();
        match Limits::new(&definition, max_message_bytes) {
            Ok(limits) => mca.propose(Calling { definition, offer: calling::first_offer(&limits), round: 1 }),
            Err(why) => mca.stop(disorderly(None, why)),
        }
        mca
    }

    fn propose(&mut self, call: Calling) {
        self.line.offer(&self.identity, &call.definition.name, &call.offer);
        self.line.timers.set(Timer::InitialData, self.line.now + timers::INITIAL_DATA);
        self.state = State::Calling(Box::new(call));
    }

    pub(super) fn call_answered(&mut self, segment: &Segment) -> Result<(), PartnerError> {
        let flags = segment.tsh.flags1;
        if let Some(status) = given_up(segment) {
            self.stop(disorderly(status.code, format!("the partner refused our call: {status}")));
            return Ok(());
        }
        let theirs = initial_data(segment)?;
        let State::Calling(call) = std::mem::replace(&mut self.state, State::Over) else { return Ok(()) };
        match calling::judge(&call.offer, &theirs, flags.contains(ControlFlags1::ERROR)) {
            Answered::Agreed(agreed) => {
                self.line.timers.stop(Timer::InitialData);
                let partner =
                    Partner { qmgr_name: theirs.qmgr_name(), qmgr_id: theirs.qmgr_id(), fap_level: theirs.fap_level };
                self.line.out(Output::Claim { partner: partner.clone() });
                self.state = State::Called(Box::new(Called { definition: call.definition, partner, agreed }));
            }
            Answered::Again(_) if call.round >= ROUNDS => {
                self.stop(disorderly(None, format!("no agreement after {ROUNDS} offers of ours")));
            }
            Answered::Again(offer) => self.propose(Calling { offer, round: call.round + 1, ..*call }),
            Answered::No(why) => self.stop(disorderly(None, why)),
        }
        Ok(())
    }

    /// The lease is ours: messages may come.
    pub(super) fn call_claimed(&mut self, record: Option<SyncRecord>, max_message_bytes: Option<u64>) {
        let State::Called(call) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Called { definition, partner, agreed } = *call;
        match Limits::new(&definition, max_message_bytes) {
            Ok(limits) if limits.max_msg_size >= agreed.max_msg_size => {}
            Ok(limits) => {
                let (agreed, most) = (agreed.max_msg_size, limits.max_msg_size);
                self.line.refuse(&Status::new(StatusCode::USER_CLOSED));
                let why = format!("messages of {agreed} bytes were agreed on, the target takes {most}; calling again");
                return self.stop(disorderly(None, why));
            }
            Err(why) => {
                self.line.refuse(&Status::new(StatusCode::QM_UNAVAILABLE));
                return self.stop(disorderly(Some(StatusCode::QM_UNAVAILABLE), why));
            }
        }
        if self.line.dialect.requester_start == RequesterStart::Status {
            self.line.status(ControlFlags1::empty(), Luwid::ZERO, &Status::OK);
        }
        let record = record.unwrap_or_else(|| SyncRecord::first(&partner.qmgr_id));
        let channel = Channel::new(definition, partner, agreed, record);
        channel.listen(&mut self.line);
        self.state = State::Running(Box::new(channel));
        self.line.out(Output::Running);
    }
}
