//! A channel that runs: each segment taken as the protocol has it, until the sender ends or something is wrong.

use std::future;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::intake::{Fault, Intake, Rules, Whole};
use super::journal::{Record, Remembered};
use super::local::LocalMessage;
use super::options::Receiving;
use super::queue_manager::{Claim, Shared};
use crate::partner::batch::following;
use crate::partner::conversation::Conversation;
use crate::partner::death::Step;
use crate::partner::speech::ResetNumber;
use crate::partner::transmission::form_of;
use crate::partner::{Agreed, PartnerError};
use crate::wire::name::Name;
use crate::wire::{ControlFlags1, Luwid, Msh, Segment, SegmentType, Status, StatusCode};

/// MQRC of a queue that does not exist.
const UNKNOWN_OBJECT_NAME: i32 = 2085;
/// MQRC of a queue manager that is not known.
const UNKNOWN_REMOTE_Q_MGR: i32 = 2087;
/// MQFB of a message whose MQXQH or MQMD cannot be read.
const XMIT_Q_MSG_ERROR: i32 = 271;

/// Whether the channel goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    End,
}

/// Messages taken and not committed.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) luwid: Luwid,
    pub(super) messages: Vec<LocalMessage>,
    /// Number of its last message.
    pub(super) sequence: i32,
}

/// A channel on a connection.
pub(super) struct Instance<'a, S> {
    pub(super) shared: &'a Shared,
    pub(super) options: &'a Receiving,
    pub(super) conversation: &'a mut Conversation<S>,
    pub(super) agreed: Agreed,
    pub(super) claim: Claim,
    pub(super) unit: Option<Unit>,
    pub(super) batches: u32,
    intake: Intake,
}

impl<S> Drop for Instance<'_, S> {
    fn drop(&mut self) {
        self.shared.tally().rolled_back += u64::from(self.unit.is_some());
    }
}

impl<'a, S: AsyncRead + AsyncWrite> Instance<'a, S> {
    pub(super) fn new(shared: &'a Shared, conversation: &'a mut Conversation<S>, agreed: Agreed, claim: Claim) -> Self {
        let options = &shared.options;
        Self { shared, options, conversation, agreed, claim, unit: None, batches: 0, intake: Intake::default() }
    }

    /// Until the channel ends.
    pub(super) async fn serve(&mut self) -> Result<(), PartnerError> {
        let bound = receive_timeout(self.agreed.heartbeat_interval);
        loop {
            let next = tokio::select! {
                biased;
                _ = &mut self.claim.lost => return Err(PartnerError::Adopted),
                next = within(bound, self.conversation.receive()) => next,
            };
            let segment = match next {
                Ok(Some(segment)) => segment,
                Ok(None) if self.unit.is_none() && !self.intake.is_open() => return Ok(()),
                Ok(None) => return Err(PartnerError::Closed("in the middle of a batch")),
                Err(PartnerError::Malformed(error)) => {
                    let fault = Fault::new(StatusCode::PROTOCOL_LENGTH_ERROR, error.to_string());
                    return self.refuse(fault, Luwid::ZERO).await.map(|_| ());
                }
                Err(error) => return Err(error),
            };
            match self.segment(&segment).await {
                Ok(Next::GoOn) => {}
                Ok(Next::End) => return Ok(()),
                Err(PartnerError::Malformed(error)) => {
                    let fault = Fault::new(StatusCode::PROTOCOL_INVALID_DATA, error.to_string());
                    return self.refuse(fault, segment.tsh.luwid).await.map(|_| ());
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn segment(&mut self, segment: &Segment) -> Result<Next, PartnerError> {
        let flags = segment.tsh.flags1;
        let asks = flags.contains(ControlFlags1::CONFIRM_REQUEST);
        let kind = segment.tsh.segment_type;
        if self.intake.is_open() && kind != SegmentType::MESSAGE_DATA {
            let fault = Fault::new(StatusCode::PROTOCOL_SEGMENT_ERROR, format!("{kind} came within a message"));
            return self.refuse(fault, segment.tsh.luwid).await;
        }
        match kind {
            SegmentType::MESSAGE_DATA if !self.is_bare_request(segment) => {
                if let Err(fault) = self.message(segment)? {
                    return self.refuse(fault, segment.tsh.luwid).await;
                }
                if self.intake.is_open() {
                    return Ok(Next::GoOn);
                }
                if !asks {
                    self.shared.die(Step::MessageTaken)?;
                }
            }
            SegmentType::STATUS_DATA => {
                let status = segment.status()?;
                let closes = flags.contains(ControlFlags1::CLOSE_CHANNEL);
                if !status.is_ok() || (closes && self.unit.is_none()) {
                    // Also the sender's word that it could put a rejected message nowhere (channel flow 5, D).
                    self.shared.tally().goodbyes.push(status.to_string());
                    if asks {
                        self.answer_plainly(SegmentType::STATUS_DATA, Luwid::ZERO, Bytes::new()).await?;
                    }
                    return Ok(Next::End);
                }
            }
            SegmentType::HEARTBEAT if !asks => return Ok(Next::GoOn),
            SegmentType::RESET_DATA => return self.reset(segment, asks).await,
            SegmentType::PING_DATA => {
                self.shared.tally().pings += 1;
                self.answer_plainly(kind, Luwid::ZERO, segment.ping()?.encode(self.options.speech.byte_order)).await?;
                return Ok(Next::End);
            }
            SegmentType::MESSAGE_DATA | SegmentType::HEARTBEAT | SegmentType::RESYNC_DATA => {}
            other => {
                let fault = Fault::new(StatusCode::PROTOCOL_SEGMENT_TYPE, format!("{other} came on a running channel"));
                return self.refuse(fault, segment.tsh.luwid).await;
            }
        }
        if asks || kind == SegmentType::RESYNC_DATA {
            let next = self.asked(segment).await?;
            if flags.contains(ControlFlags1::CLOSE_CHANNEL) {
                self.shared.tally().goodbyes.push("with the request".to_owned());
                return Ok(Next::End);
            }
            return Ok(next);
        }
        Ok(if flags.contains(ControlFlags1::CLOSE_CHANNEL) { Next::End } else { Next::GoOn })
    }

    /// MESSAGE_DATA that holds no message: a request for confirmation (channel flow 5, form 2c).
    fn is_bare_request(&self, segment: &Segment) -> bool {
        let empty = |msh: Msh| msh.message_length == 0 && segment.body.len() == Msh::LENGTH;
        !segment.tsh.flags1.contains(ControlFlags1::FIRST)
            && !self.intake.is_open()
            && (segment.body.is_empty() || segment.msh().is_ok_and(|(msh, _)| empty(msh)))
    }

    /// A segment of a message. The inner error goes to the partner, the outer one is ours.
    fn message(&mut self, segment: &Segment) -> Result<Result<(), Fault>, PartnerError> {
        if segment.tsh.flags1.contains(ControlFlags1::FIRST) && !self.intake.is_open() {
            self.shared.die(Step::MessageBegun)?;
            if let Some(unit) = self.unit.as_ref().filter(|unit| unit.luwid != segment.tsh.luwid) {
                let why = format!("a message of {} came in the batch {}", segment.tsh.luwid, unit.luwid);
                return Ok(Err(Fault::new(StatusCode::PROTOCOL_GENERAL, why)));
            }
            let expected = following(self.last(), self.options.seqwrap);
            match segment.msh() {
                Ok((msh, _)) if msh.sequence != expected && !self.options.habits.ignores_numbers => {
                    let why = format!("number {} came when {expected} was expected", msh.sequence);
                    let value = self.options.habits.names_expected.then_some(expected);
                    return Ok(Err(Fault { value, ..Fault::new(StatusCode::MSG_SEQUENCE_ERROR, why) }));
                }
                _ => {}
            }
        }
        let strict = self.options.habits.strict.then_some(&self.options.speech);
        let whole = match self.intake.take(segment, Rules { agreed: &self.agreed, strict }) {
            Ok(Some(whole)) => whole,
            Ok(None) => return Ok(Ok(())),
            Err(fault) => return Ok(Err(fault)),
        };
        let luwid = whole.luwid;
        self.shared.tally().split += u64::from(whole.segments > 1);
        let unit = self.unit.get_or_insert_with(|| Unit { luwid, messages: Vec::new(), sequence: 0 });
        unit.sequence = whole.number;
        let message = self.options.put(whole, &self.claim, luwid);
        unit.messages.push(message);
        Ok(Ok(()))
    }

    /// Number of the last message, committed or not.
    fn last(&self) -> i32 {
        self.unit.as_ref().map_or_else(|| self.remembered().sequence, |unit| unit.sequence)
    }

    pub(super) fn remembered(&self) -> Remembered {
        self.shared.journal().remembered(&self.claim.id)
    }

    /// RESET CHANNEL at the sender.
    async fn reset(&mut self, segment: &Segment, asks: bool) -> Result<Next, PartnerError> {
        if self.unit.is_some() {
            let fault = Fault::new(StatusCode::PROTOCOL_GENERAL, "RESET_DATA came within a batch");
            return self.refuse(fault, segment.tsh.luwid).await;
        }
        let named = segment.reset()?.sequence;
        let sequence = match self.options.speech.reset_number {
            ResetNumber::Next => named.saturating_sub(1),
            ResetNumber::Last => named,
        };
        let luwid = self.remembered().luwid;
        self.commit(&Record { id: self.claim.id.clone(), sequence, luwid, messages: Vec::new() })?;
        self.shared.tally().resets += 1;
        if asks {
            self.answer_plainly(SegmentType::STATUS_DATA, Luwid::ZERO, Bytes::new()).await?;
        }
        Ok(Next::GoOn)
    }

    /// Commits, if the channel is still this connection's.
    pub(super) fn commit(&self, record: &Record) -> Result<(), PartnerError> {
        let mut journal = self.shared.journal();
        if journal.is_owned(&record.id, self.claim.connection) {
            journal.commit(record)
        } else {
            Err(PartnerError::Adopted)
        }
    }

    /// Rolls back, says why, and ends.
    async fn refuse(&mut self, fault: Fault, luwid: Luwid) -> Result<Next, PartnerError> {
        let status = Status { values: fault.value.into_iter().collect(), ..Status::new(fault.code) };
        self.say(&self.options.refusal(&status, luwid)).await?;
        Err(PartnerError::Protocol(format!("{}: told {}", fault.why, fault.code)))
    }

    pub(super) async fn answer_plainly(
        &mut self,
        segment_type: SegmentType,
        luwid: Luwid,
        body: Bytes,
    ) -> Result<(), PartnerError> {
        self.say(&self.options.segment(segment_type, ControlFlags1::empty(), luwid, body)).await
    }

    pub(super) async fn say(&mut self, segment: &Segment) -> Result<(), PartnerError> {
        self.conversation.send(segment).await?;
        self.conversation.flush().await
    }
}

impl Receiving {
    /// The message as it is put: on its queue, or as a dead letter.
    fn put(&self, whole: Whole, claim: &Claim, luwid: Luwid) -> LocalMessage {
        let name = |from: usize| {
            let bytes = whole.bytes.get(from..from + 48).and_then(|bytes| bytes.try_into().ok());
            bytes.map(|bytes| Name::<48>::from_bytes(bytes, whole.form.1).text()).unwrap_or_default()
        };
        let (queue, qmgr) = (name(8), name(56));
        let ours = |qmgr: &String| {
            self.qmgr_aliases.as_ref().is_none_or(|aliases| aliases.contains(qmgr)) || *qmgr == self.qmgr_name
        };
        let dead = if form_of(&whole.bytes) != Some(whole.form) {
            Some(XMIT_Q_MSG_ERROR)
        } else if !ours(&qmgr) {
            Some(UNKNOWN_REMOTE_Q_MGR)
        } else if queue.is_empty() || self.unknown_queues.contains(&queue) {
            Some(UNKNOWN_OBJECT_NAME)
        } else {
            None
        };
        let Whole { number, form, bytes, .. } = whole;
        LocalMessage { id: claim.id.clone(), number, luwid, queue, dead, form, bytes }
    }
}

/// How long nothing may come: twice the interval, or 60 seconds more (wire reference, channel flow 6, D); for ever without
/// heartbeats.
fn receive_timeout(interval: i32) -> Option<Duration> {
    let seconds = u64::try_from(interval).ok().filter(|&seconds| seconds > 0)?;
    Some(Duration::from_secs(if seconds < 60 { 2 * seconds } else { seconds + 60 }))
}

async fn within<T>(
    bound: Option<Duration>,
    what: impl future::Future<Output = Result<T, PartnerError>>,
) -> Result<T, PartnerError> {
    let Some(bound) = bound else { return what.await };
    let late = || PartnerError::Timeout { seconds: bound.as_secs(), during: "with a heartbeat or a message" };
    timeout(bound, what).await.map_err(|_| late())?
}
