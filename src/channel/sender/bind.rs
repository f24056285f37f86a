//! From a requester's first segment to agreement: a server that is called.

use super::channel::Origin;
use super::{Channel, Output, SenderMca, State, Token, disorderly, timers};
use crate::channel::binding::{given_up, initial_data, same_channel};
use crate::channel::definition::ChannelType;
use crate::channel::line::orderly;
use crate::channel::negotiation::{self, Limits, Objections, Verdict};
use crate::channel::timers::Timer;
use crate::channel::{Definition, Partner, PartnerError, SendRecord};
use crate::wire::{CapFlags1, ControlFlags1, InitialData, Segment, Status, StatusCode};

/// Who calls, and what it offers first.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) partner: Partner,
    pub(super) offer: InitialData,
}

/// A caller whose channel is known.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) definition: Definition,
    pub(super) caller: Caller,
}

/// A channel whose lease we hold, in negotiation.
#[derive(Debug)]
pub(super) struct Rounds {
    pub(super) bind: Bind,
    pub(super) claim: Claim,
    limits: Limits,
    /// The round that was answered last, from 1.
    round: u32,
}

/// What came with the lease.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) record: Option<SendRecord>,
    pub(super) in_doubt: Vec<Token>,
    pub(super) careful: usize,
}

impl SenderMca {
    pub(super) fn first_segment(&mut self, segment: &Segment) -> Result<(), PartnerError> {
        let offer = initial_data(segment)?;
        let partner = Partner { qmgr_name: offer.qmgr_name(), qmgr_id: offer.qmgr_id(), fap_level: offer.fap_level };
        self.line.timers.stop(Timer::InitialData);
        self.line.out(Output::Identify { channel: offer.channel_name.text(), partner: partner.clone() });
        self.state = State::Identifying(Box::new(Caller { partner, offer }));
        Ok(())
    }

    pub(super) fn defined(&mut self, definition: Definition) {
        if !matches!(self.state, State::Identifying(_)) {
            return;
        }
        let State::Identifying(caller) = std::mem::replace(&mut self.state, State::Over) else { return };
        self.line.dialect = definition.dialect.clone();
        let offer = &caller.offer;
        if definition.chltype == ChannelType::Sdr && offer.cap_flags1.contains(CapFlags1::REQUEST_INITIATION) {
            self.line.out(Output::CallBack(caller.partner.clone()));
            return self.stop(orderly(None, "a requester called a sender, which calls back"));
        }
        if let Err(why) = negotiation::fits_channel_type(offer, definition.chltype) {
            return self.turn_away(&Status::new(StatusCode::CHANNEL_WRONG_TYPE), why);
        }
        // What no claim can mend is said before one is taken.
        match Limits::new(&definition, None).map(|limits| (negotiation::judge(offer, &limits, 1), limits)) {
            Err(why) => return self.turn_away(&Status::new(StatusCode::NEGOTIATION_FAILED), why),
            Ok((Verdict::Refused(code, why), _)) => return self.turn_away(&Status::new(code), why),
            Ok((Verdict::WrapDiffers { .. }, limits)) => {
                let stopped = self.line.refuse_wrap(&self.identity, &definition, offer, &limits);
                return self.stop(stopped);
            }
            Ok(_) => {}
        }
        self.line.out(Output::Claim { partner: caller.partner.clone() });
        self.state = State::Claiming(Box::new(Bind { definition, caller: *caller }));
    }

    pub(super) fn claimed(&mut self, record: Option<SendRecord>, in_doubt: Vec<Token>, careful: usize) {
        let claim = Claim { record, in_doubt, careful };
        match std::mem::replace(&mut self.state, State::Over) {
            State::Called(called) => self.run(called.definition, called.partner, called.agreed, claim, Origin::Ours),
            State::Claiming(bind) => match Limits::new(&bind.definition, None) {
                Ok(limits) => {
                    let offer = bind.caller.offer.clone();
                    self.negotiate(Rounds { bind: *bind, claim, limits, round: 0 }, &offer);
                }
                Err(why) => self.turn_away(&Status::new(StatusCode::NEGOTIATION_FAILED), why),
            },
            other => self.state = other,
        }
    }

    pub(super) fn next_proposal(&mut self, segment: &Segment) -> Result<(), PartnerError> {
        if let Some(status) = given_up(segment) {
            self.stop(disorderly(status.code, format!("the partner gave up negotiation: {status}")));
            return Ok(());
        }
        let offer = initial_data(segment)?;
        let State::Countered(rounds) = &self.state else { return Ok(()) };
        same_channel(&offer, &rounds.bind.caller.offer.channel_name.text())?;
        let State::Countered(rounds) = std::mem::replace(&mut self.state, State::Over) else { return Ok(()) };
        self.negotiate(*rounds, &offer);
        Ok(())
    }

    fn negotiate(&mut self, mut rounds: Rounds, offer: &InitialData) {
        rounds.round += 1;
        let definition = &rounds.bind.definition;
        if let Err(why) = negotiation::fits_channel_type(offer, definition.chltype) {
            return self.turn_away(&Status::new(StatusCode::CHANNEL_WRONG_TYPE), why);
        }
        let Self { line, identity, .. } = self;
        match negotiation::judge(offer, &rounds.limits, rounds.round) {
            Verdict::Agreed(agreed) => {
                line.initial_data(identity, &definition.name, &agreed, &Objections::default(), ControlFlags1::empty());
                let Rounds { bind: Bind { definition, caller }, claim, .. } = rounds;
                self.run(definition, caller.partner, agreed, claim, Origin::Requester);
            }
            Verdict::Counter(agreed, no) => {
                line.initial_data(identity, &definition.name, &agreed, &no, ControlFlags1::ERROR);
                line.timers.set(Timer::InitialData, line.now + timers::INITIAL_DATA);
                self.state = State::Countered(Box::new(rounds));
            }
            Verdict::Refused(code, why) => self.turn_away(&Status::new(code), why),
            Verdict::WrapDiffers { .. } => {
                let stopped = line.refuse_wrap(identity, definition, offer, &rounds.limits);
                self.stop(stopped);
            }
        }
    }

    fn run(
        &mut self,
        definition: Definition,
        partner: Partner,
        agreed: negotiation::Agreed,
        claim: Claim,
        origin: Origin,
    ) {
        self.line.timers.stop(Timer::InitialData);
        let mut channel = Channel::new(definition, partner, agreed, claim, origin, self.since_1970, self.line.now);
        self.line.out(Output::Running(agreed));
        let started = channel.start(&mut self.line);
        self.state = State::Running(Box::new(channel));
        if let Err(why) = started {
            self.line.refuse(&Status::new(StatusCode::USER_CLOSED));
            self.stop(disorderly(None, why));
        }
    }

    pub(super) fn refused(&mut self, code: StatusCode, why: &str) {
        match &self.state {
            State::Connected | State::Lingering(_) | State::Over => {}
            _ => {
                self.line.refuse(&Status::new(code));
                self.end(disorderly(Some(code), why));
            }
        }
    }

    /// Refuses a caller before anything was agreed.
    fn turn_away(&mut self, status: &Status, why: String) {
        self.line.refuse(status);
        self.stop(disorderly(status.code, why));
    }
}
