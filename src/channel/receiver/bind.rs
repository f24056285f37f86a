//! From the first segment to agreement.

use super::{Channel, Mca, State, disorderly, timers};
use crate::channel::binding::{given_up, initial_data, same_channel};
use crate::channel::dialect::BadInitialData;
use crate::channel::negotiation::{self, Limits, Objections, Verdict};
use crate::channel::timers::Timer;
use crate::channel::{Definition, Output, Partner, PartnerError, SyncRecord};
use crate::wire::{ControlFlags1, InitialData, Segment, Status, StatusCode};

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
    pub(super) record: SyncRecord,
    limits: Limits,
    /// The round that was answered last, from 1.
    round: u32,
}

impl Mca {
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
        if let Err(why) = negotiation::fits_channel_type(offer, definition.chltype) {
            return self.turn_away(&Status::new(StatusCode::CHANNEL_WRONG_TYPE), why);
        }
        // What no claim can mend is said before one is taken.
        match Limits::new(&definition, None).map(|limits| (negotiation::judge(offer, &limits, 1), limits)) {
            Err(why) => return self.turn_away(&Status::new(StatusCode::NEGOTIATION_FAILED), why),
            Ok((Verdict::Refused(code, why), _)) if code != StatusCode::NEGOTIATION_FAILED => {
                return self.turn_away(&Status::new(code), why);
            }
            Ok((Verdict::WrapDiffers { .. }, limits)) => {
                let stopped = self.line.refuse_wrap(&self.identity, &definition, offer, &limits);
                return self.stop(stopped);
            }
            Ok(_) => {}
        }
        self.line.out(Output::Claim { partner: caller.partner.clone() });
        self.state = State::Claiming(Box::new(Bind { definition, caller: *caller }));
    }

    pub(super) fn claimed(&mut self, record: Option<SyncRecord>, max_message_bytes: Option<u64>) {
        if matches!(self.state, State::Called(_)) {
            return self.call_claimed(record, max_message_bytes);
        }
        if !matches!(self.state, State::Claiming(_)) {
            return;
        }
        let State::Claiming(bind) = std::mem::replace(&mut self.state, State::Over) else { return };
        let limits = match Limits::new(&bind.definition, max_message_bytes) {
            Ok(limits) => limits,
            Err(why) => return self.turn_away(&Status::new(StatusCode::QM_UNAVAILABLE), why),
        };
        let record = record.unwrap_or_else(|| SyncRecord::first(&bind.caller.partner.qmgr_id));
        let offer = bind.caller.offer.clone();
        self.negotiate(Rounds { bind: *bind, record, limits, round: 0 }, &offer);
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
                line.timers.stop(Timer::InitialData);
                let Rounds { bind: Bind { definition, caller }, record, .. } = rounds;
                let channel = Channel::new(definition, caller.partner, agreed, record);
                channel.listen(line);
                line.out(Output::Running);
                self.state = State::Running(Box::new(channel));
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

    pub(super) fn refused(&mut self, code: StatusCode, why: &str) {
        match &self.state {
            State::Identifying(_) | State::Claiming(_) | State::Called(_) => {
                self.turn_away(&Status::new(code), why.to_owned())
            }
            State::Running(_) | State::Countered(_) | State::Calling(_) => self.close_with(code, why),
            State::Connected | State::Lingering(_) | State::Over => {}
        }
    }

    /// Refuses a caller before anything was agreed.
    fn turn_away(&mut self, status: &Status, why: String) {
        self.line.refuse(status);
        self.stop(disorderly(status.code, why));
    }

    /// Whether a fault in the very first segment is answered at all.
    pub(super) fn answers_faults(&self) -> bool {
        !matches!(self.state, State::Connected) || self.line.dialect.bad_initial_data == BadInitialData::Status
    }
}
