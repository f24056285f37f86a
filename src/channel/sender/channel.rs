//! An agreed channel: what it remembers, how it starts, its deadlines.

use std::time::Duration;

use bytes::Bytes;

use super::batch::{Batch, Held};
use super::bind::Claim;
use super::luwids::Luwids;
use super::resync::Question;
use super::step::Committing;
use super::{Line, Output, Resolution, Resolved, Token};
use crate::channel::dialect::{RequesterStart, ResetConfirm, ResetNumber, ResyncBody, ResyncSegment, ResyncWhen};
use crate::channel::negotiation::Agreed;
use crate::channel::sequence::following;
use crate::channel::timers::{self, Timer};
use crate::channel::{Definition, Partner, SendRecord};
use crate::wire::{ControlFlags1, Luwid, Reset, SegmentType, Status, StatusCode};

/// Who opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// We called.
    Ours,
    /// A requester called us.
    Requester,
}

/// ```text
///  Starting -> Asking -> Telling -> Idle ----> Open ----> (Probing) ----> Committing ----> Confirming
///                                    ^  first    message   BATCHHB          step, then the      |
///                                    |  message                             last message        |
///                                    +----------------------------------------------------------+
///                                                      confirmed, or refused
/// ```
/// The first three only where they are needed. Committing also comes between where messages are only retired.
#[derive(Debug)]
pub(super) enum Work {
    /// The requester that called is to speak first.
    Starting,
    /// The partner was asked about a batch in doubt; none: about its last number, and nothing is in doubt.
    Asking(Option<Question>),
    /// The partner was told a reset, and to say that it heard.
    Telling,
    /// Between batches.
    Idle,
    /// The first message of a batch is here; all but the last one have left.
    Open(Batch),
    /// The batch is over; whether the partner is there is asked before it is put in doubt.
    Probing(Batch),
    /// The target carries out a step.
    Committing(Box<Committing>),
    /// The confirm was asked for.
    Confirming(Batch),
}

/// A batch that the partner has, and whose messages no step has retired yet.
#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) luwid: Luwid,
    /// Number of its last message.
    pub(super) sequence: i32,
    pub(super) tokens: Vec<Token>,
    /// When its confirm came.
    pub(super) at: Duration,
}

/// A channel instance whose two ends have agreed.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) definition: Definition,
    pub(super) partner: Partner,
    pub(super) agreed: Agreed,
    pub(super) origin: Origin,
    /// As the target has it.
    pub(super) record: SendRecord,
    /// The messages that the record had in doubt at the start, until it is known what became of them.
    unresolved: Vec<Token>,
    /// The partner said that it has nothing of the batch in doubt. That is written, and a moment passes, before anything is
    /// sent again: a partner that ends the channel after such an answer would else be asked about each batch anew, and take
    /// none.
    pub(super) backed_out: bool,
    /// Until when nothing is sent.
    pub(super) rests_until: Duration,
    pub(super) luwids: Luwids,
    /// Waits for a step that retires it.
    pub(super) confirmed: Option<Confirmed>,
    /// Number of the last message that the partner is known to have.
    pub(super) settled: i32,
    /// Messages that the next step retires unsent.
    pub(super) aside: Vec<Token>,
    /// The message looked ahead to; it is in no batch yet.
    pub(super) next: Option<Held>,
    /// One that had been looked ahead to when its predecessors were refused: it comes after them.
    pub(super) stashed: Option<Held>,
    /// So many of the next messages come again after a refusal, and go in batches of one.
    pub(super) careful: usize,
    /// A `Want` stands.
    pub(super) wanted: bool,
    /// It was answered with "nothing now".
    pub(super) empty: bool,
    /// A message was found undeliverable; the shell has not said yet that it is set aside.
    pub(super) undeliverable: bool,
    /// The operator, a shutdown, the partner or DISCINT wants an end; the code is what the partner is told.
    pub(super) stop: Option<StatusCode>,
    /// The partner asked for that end; it is not taken back.
    pub(super) granted: bool,
    /// A heartbeat waits for its answer.
    pub(super) beat: bool,
    /// The partner has named a LUWID in a confirm; a zero one is no confirm any more.
    pub(super) exact: bool,
    /// The confirmed messages are not to wait for the next batch any longer.
    pub(super) retire_due: bool,
    /// When the partner was last heard.
    pub(super) heard: Duration,
    /// When the partner was last asked something.
    pub(super) asked: Duration,
    /// When the last batch or heartbeat was over.
    pub(super) active: Duration,
    /// When the last message was sent or confirmed.
    pub(super) busy: Duration,
    pub(super) dlq_used: u64,
    pub(super) refused: u64,
    pub(super) work: Work,
    /// What the shell gave at the start for a batch that has to be sent again.
    careful_after_backout: usize,
}

impl Channel {
    pub(super) fn new(
        definition: Definition,
        partner: Partner,
        agreed: Agreed,
        claim: Claim,
        origin: Origin,
        since_1970: Duration,
        now: Duration,
    ) -> Self {
        let Claim { record, in_doubt, careful } = claim;
        let record = record.unwrap_or_default();
        Self {
            luwids: Luwids::new(since_1970, definition.dialect.byte_order.into()),
            definition,
            partner,
            agreed,
            origin,
            settled: record.sequence,
            record,
            unresolved: in_doubt,
            backed_out: false,
            rests_until: Duration::ZERO,
            confirmed: None,
            aside: Vec::new(),
            next: None,
            stashed: None,
            careful: 0,
            wanted: false,
            empty: false,
            undeliverable: false,
            stop: None,
            granted: false,
            beat: false,
            exact: false,
            retire_due: false,
            heard: now,
            asked: now,
            active: now,
            busy: now,
            dlq_used: 0,
            refused: 0,
            work: Work::Idle,
            careful_after_backout: careful,
        }
    }

    /// Begins where the record ended.
    ///
    /// # Errors
    /// When the record does not fit the channel.
    pub(super) fn start(&mut self, line: &mut Line) -> Result<(), String> {
        if self.record.in_doubt.is_none() {
            // A batch that was refused in the middle comes again as if it were new.
            self.careful = self.careful_after_backout;
        }
        let wrap = self.agreed.seq_wrap;
        let doubt = self.record.in_doubt.map_or(0, |doubt| doubt.sequence);
        let highest = self.record.sequence.max(doubt);
        if !(0..=wrap).contains(&highest) {
            return Err(format!(
                "the sync record has number {highest}, and sequence numbers wrap at {wrap}; put seqwrap back, or reset the channel"
            ));
        }
        if self.origin == Origin::Requester && self.definition.dialect.requester_start == RequesterStart::Status {
            self.asked = line.now;
            self.work = Work::Starting;
        } else {
            self.resync(line);
        }
        Ok(())
    }

    /// Asks about a batch in doubt, where there is one or the dialect wants it.
    pub(super) fn resync(&mut self, line: &mut Line) {
        let dialect = &self.definition.dialect;
        let history = !self.record.luwid.is_zero();
        let (luwid, number) = match (self.record.in_doubt, dialect.resync_when) {
            (Some(doubt), _) => (doubt.luwid, doubt.sequence),
            (None, ResyncWhen::EachStart) => (self.record.luwid, self.record.sequence),
            (None, ResyncWhen::AnyHistory) if history => (self.record.luwid, self.record.sequence),
            (None, _) => return self.reset(line),
        };
        let ask = ControlFlags1::CONFIRM_REQUEST;
        match dialect.resync_segment {
            ResyncSegment::ResyncData => {
                let body = self.resync_body(line, luwid, number);
                line.send(SegmentType::RESYNC_DATA, ask, luwid, body);
            }
            ResyncSegment::StatusData => line.status(ask, luwid, &Status::with_value(StatusCode::OK, number)),
        }
        self.asked = line.now;
        let wrap = self.agreed.seq_wrap;
        self.work = Work::Asking(Question::of(&self.record, wrap, dialect.resync_number, dialect.resync_body));
    }

    pub(super) fn resync_body(&self, line: &Line, luwid: Luwid, number: i32) -> Bytes {
        match self.definition.dialect.resync_body {
            ResyncBody::Number => Reset::new(number).encode(line.byte_order()),
            ResyncBody::NumberAndLuwid => {
                Reset { sequence: number, rest: Bytes::copy_from_slice(&luwid.0) }.encode(line.byte_order())
            }
            ResyncBody::Empty => Bytes::new(),
        }
    }

    /// Why no answer of the partner may decide: not all messages of the batch in doubt are there. An operator's word still
    /// does, on those that are.
    pub(super) fn incomplete(&self, question: &Question) -> Option<String> {
        let (here, of) = (self.unresolved.len(), question.doubt.messages);
        (here != of).then(|| {
            format!(
                "only {here} of the {of} messages of LUWID {} are still on their queues (consumed by others, expired, purged, \
                 or the broker's protocol was changed in the configuration)",
                question.doubt.luwid
            )
        })
    }

    /// It is known what became of the batch in doubt. The record still has it: the next step writes what is known.
    pub(super) fn settle(&mut self, line: &mut Line, question: &Question, how: Resolution, by_operator: bool) {
        let doubt = question.doubt;
        let tokens = std::mem::take(&mut self.unresolved);
        match how {
            Resolution::Commit => self.confirm(line, doubt.luwid, doubt.sequence, tokens),
            Resolution::Backout => {
                self.backed_out = true;
                self.rests_until = line.now + timers::BACKED_OUT;
                self.careful = self.careful_after_backout;
            }
        }
        let (luwid, sequence, messages) = (doubt.luwid, doubt.sequence, doubt.messages);
        line.out(Output::Resolved(Resolved { how, luwid, sequence, messages, by_operator }));
        self.reset(line);
    }

    pub(super) fn confirm(&mut self, line: &Line, luwid: Luwid, sequence: i32, tokens: Vec<Token>) {
        self.settled = sequence;
        self.confirmed = Some(Confirmed { luwid, sequence, tokens, at: line.now });
        (self.active, self.busy) = (line.now, line.now);
    }

    /// Tells the partner the number that an administrator chose, where the record says so.
    pub(super) fn reset(&mut self, line: &mut Line) {
        self.work = Work::Idle;
        if !self.record.tell_reset || self.confirmed.is_some() {
            return;
        }
        let dialect = &self.definition.dialect;
        let number = match dialect.reset_number {
            ResetNumber::Last => self.settled,
            ResetNumber::Either | ResetNumber::Next => following(self.settled, self.agreed.seq_wrap),
        };
        let asks = dialect.reset_confirm == ResetConfirm::Asked;
        let flags = if asks { ControlFlags1::CONFIRM_REQUEST } else { ControlFlags1::empty() };
        let body = Reset::new(number).encode(line.byte_order());
        line.send(SegmentType::RESET_DATA, flags, Luwid::ZERO, body);
        if asks {
            self.asked = line.now;
            self.work = Work::Telling;
        }
    }

    /// How long the partner may be silent when something is expected of it.
    pub(super) fn patience(&self) -> Duration {
        timers::receive_timeout(self.agreed.heartbeat_interval).unwrap_or(timers::ANSWER_WITHOUT_HEARTBEATS)
    }

    /// When the answer to what was asked last must be here. A partner that still says something is given more time, but not
    /// without limit: heartbeats alone would keep a batch in doubt, and its queues shut, for ever.
    fn answer_by(&self) -> Duration {
        let silent = self.asked.max(self.heard) + self.patience();
        silent.min(self.asked + timers::ANSWER_LIMIT.max(self.patience()))
    }

    /// Sets the deadlines, as the present work needs them.
    pub(super) fn listen(&self, line: &mut Line) {
        for timer in [Timer::Answer, Timer::Heartbeat, Timer::Disconnect, Timer::BatchInterval, Timer::Retire] {
            line.timers.stop(timer);
        }
        let idle = match &self.work {
            Work::Committing(_) => return,
            Work::Idle => true,
            Work::Open(batch) => {
                if self.empty {
                    let interval = Duration::from_millis(u64::from(self.definition.batchint));
                    line.timers.set(Timer::BatchInterval, batch.began + interval);
                }
                false
            }
            Work::Starting | Work::Asking(_) | Work::Telling | Work::Probing(_) | Work::Confirming(_) => {
                line.timers.set(Timer::Answer, self.answer_by());
                false
            }
        };
        if self.beat {
            line.timers.bring_forward(Timer::Answer, self.answer_by());
        }
        if let Some(confirmed) = self.confirmed.as_ref().filter(|_| !self.retire_due) {
            line.timers.set(Timer::Retire, confirmed.at + timers::RETIRE);
        }
        if idle {
            if self.rests_until > line.now {
                line.timers.set(Timer::BatchInterval, self.rests_until);
            }
            let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
            let interval = u32::try_from(self.agreed.heartbeat_interval).unwrap_or(0);
            if interval > 0 && !self.beat {
                line.timers.set(Timer::Heartbeat, self.active + seconds(interval));
            }
            if self.definition.discint > 0 {
                line.timers.set(Timer::Disconnect, self.busy + seconds(self.definition.discint));
            }
        }
    }

    /// Asks whether the partner is there.
    pub(super) fn beat(&mut self, line: &mut Line) {
        line.send(SegmentType::HEARTBEAT, ControlFlags1::CONFIRM_REQUEST, Luwid::ZERO, Bytes::new());
        self.beat = true;
        (self.asked, self.active) = (line.now, line.now);
    }
}
