//! From our own call to agreement.

use std::time::Duration;

use super::{Output, SenderMca, State, disorderly, timers};
use crate::channel::binding::{given_up, initial_data};
use crate::channel::calling::{self, Answered};
use crate::channel::negotiation::{Agreed, Limits, ROUNDS};
use crate::channel::timers::Timer;
use crate::channel::{Definition, Identity, Partner, PartnerError};
use crate::wire::{ControlFlags1, Segment};

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
    pub(super) agreed: Agreed,
}

impl SenderMca {
    /// A machine for a connection that we made. `since_1970` and `now` as with [`SenderMca::new`].
    pub fn calling(identity: Identity, definition: Definition, since_1970: Duration, now: Duration) -> Self {
        let mut mca = Self::new(identity, since_1970, now);
        mca.line.dialect = definition.dialect.clone();
        match Limits::new(&definition, None) {
            Ok(limits) => mca.propose(Calling { definition, offer: calling::sender_offer(&limits), round: 1 }),
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
        if let Some(status) = given_up(segment) {
            self.stop(disorderly(status.code, format!("the partner refused our call: {status}")));
            return Ok(());
        }
        let theirs = initial_data(segment)?;
        let error = segment.tsh.flags1.contains(ControlFlags1::ERROR);
        let State::Calling(call) = std::mem::replace(&mut self.state, State::Over) else { return Ok(()) };
        match calling::judge(&call.offer, &theirs, error) {
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
}
