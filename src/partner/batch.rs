//! One batch: its messages as segments, the request for confirmation, and what the partner answers.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use super::conversation::Conversation;
use super::death::{Fate, Step};
use super::speech::{BatchHeartbeat, Close, ConfirmRequest, DataLength};
use super::sync_file::InDoubt;
use super::transmission::{HEADER_LENGTH, KEPT, rewrite};
use super::xmitq::Xmitq;
use super::{Agreed, ChannelSync, Options, PartnerError, Report};
use crate::wire::{ControlFlags1, Luwid, Msh, Reset, Segment, SegmentType, Status, StatusCode};

/// Bytes of TSH, MSH, MQXQH and MQMD: MaxMsgSize leaves that much less for data (channel flow 10).
const OVERHEAD: usize = 476;
/// Bytes of a TSH.
const TSH: usize = 28;

/// A channel that runs.
pub(super) struct Running<'a, S> {
    pub(super) conversation: &'a mut Conversation<S>,
    pub(super) options: &'a Options,
    pub(super) agreed: &'a Agreed,
    pub(super) xmitq: &'a mut Xmitq,
    pub(super) report: &'a mut Report,
    pub(super) fate: &'a mut Fate,
}

impl<S: AsyncRead + AsyncWrite> Running<'_, S> {
    /// Sends a batch of at most so many messages and has it confirmed; the queue must have a message. Comes back with
    /// whether the partner wants the channel to end.
    pub(super) async fn batch(&mut self, luwid: Luwid, most: u16) -> Result<bool, PartnerError> {
        let first = following(self.xmitq.sync().sequence, self.options.seqwrap);
        let speech = &self.options.speech;
        let mut batch = InDoubt { luwid, first, last: first, count: 0, end: 0 };
        let mut rides = false;
        let mut goodbye = false;
        while let Some(message) = self.xmitq.take()? {
            if batch.count > 0 {
                batch.last = following(batch.last, self.options.seqwrap);
            }
            batch.count += 1;
            batch.end = self.xmitq.position();
            let full = batch.count >= u32::from(most);
            let last = full || !self.xmitq.has_more()?;
            rides = speech.confirm == ConfirmRequest::OnLastMessage
                || (speech.full_batch_on_last && full && speech.confirm != ConfirmRequest::Never);
            goodbye = last && speech.close == Close::WithRequest && !self.xmitq.has_more()?;
            if last && rides {
                self.batch_heartbeat(luwid).await?;
            }
            let segments = self.segments(message, batch.last, luwid, request_flags(last && rides, goodbye))?;
            if last && rides {
                self.xmitq.update(|sync| sync.in_doubt = Some(batch))?;
                self.half_a_request(segments.first()).await?;
            }
            self.message(&segments).await?;
            if last {
                break;
            }
            if self.fate.waits_at(Step::BetweenMessages) {
                self.conversation.flush().await?;
            }
            self.die(Step::BetweenMessages)?;
            if self.conversation.has_mail() {
                self.interrupted(&batch).await?;
            }
        }
        if speech.confirm == ConfirmRequest::Never {
            self.conversation.flush().await?;
            // It is gone, and no batch was confirmed.
            self.xmitq.update(|sync| (sync.head, sync.sequence) = (batch.end, batch.last))?;
            self.report.confirmed += u64::from(batch.count);
            return Ok(false);
        }
        if !rides {
            self.batch_heartbeat(luwid).await?;
            self.xmitq.update(|sync| sync.in_doubt = Some(batch))?;
            let request = self.confirm_request(&batch, request_flags(true, goodbye));
            self.half_a_request(Some(&request)).await?;
            self.conversation.send(&request).await?;
        }
        self.conversation.flush().await?;
        self.die(Step::ConfirmRequestSent)?;
        if self.fate.waits_at(Step::ConfirmHalfRead) {
            self.conversation.read_half(self.options.answer_timeout).await?;
        }
        self.die(Step::ConfirmHalfRead)?;
        let flags = self.confirmation(&batch).await?;
        self.die(Step::ConfirmNotStored)?;
        self.xmitq.update(ChannelSync::commit)?;
        self.die(Step::ConfirmStored)?;
        self.report.confirmed += u64::from(batch.count);
        self.report.batches += 1;
        self.report.dlq_used += u64::from(flags.contains(ControlFlags1::DLQ_USED));
        Ok(goodbye || flags.intersects(ControlFlags1::REQUEST_CLOSE | ControlFlags1::CLOSE_CHANNEL))
    }

    /// Where the death of half a request is due, that half, and the death.
    async fn half_a_request(&mut self, request: Option<&Segment>) -> Result<(), PartnerError> {
        if let Some(request) = request.filter(|_| self.fate.waits_at(Step::ConfirmRequestHalfSent)) {
            self.conversation.send_half(request);
            self.conversation.flush().await?;
        }
        self.die(Step::ConfirmRequestHalfSent)
    }

    /// The heartbeat before the request, if this speaker has one. Whatever it is answered, the request follows.
    async fn batch_heartbeat(&mut self, luwid: Luwid) -> Result<(), PartnerError> {
        let speech = &self.options.speech;
        let (asks, luwid) = match speech.batch_heartbeat {
            BatchHeartbeat::None => return Ok(()),
            BatchHeartbeat::Plain => (ControlFlags1::CONFIRM_REQUEST, Luwid::ZERO),
            BatchHeartbeat::WithLuwid => (ControlFlags1::CONFIRM_REQUEST, luwid),
            BatchHeartbeat::Unasked => (ControlFlags1::empty(), Luwid::ZERO),
        };
        let tsh = speech.tsh(SegmentType::HEARTBEAT).with_flags(asks | speech.habit()).with_luwid(luwid);
        self.conversation.send(&Segment::new(tsh, Bytes::new())).await?;
        if asks.is_empty() {
            return Ok(());
        }
        self.conversation.flush().await?;
        let during = "to a heartbeat in a batch";
        let answer = self.conversation.expect(self.options.answer_timeout, during).await?;
        match answer.tsh.segment_type {
            SegmentType::HEARTBEAT => {
                self.report.heartbeats += 1;
                Ok(())
            }
            SegmentType::STATUS_DATA => Err(PartnerError::Refused { status: answer.status()?, during }),
            other => Err(PartnerError::Protocol(format!("{other} came as answer {during}"))),
        }
    }

    fn die(&mut self, step: Step) -> Result<(), PartnerError> {
        if self.fate.strikes(step) { Err(PartnerError::Died(step)) } else { Ok(()) }
    }

    async fn message(&mut self, segments: &[Segment]) -> Result<(), PartnerError> {
        for segment in segments {
            if self.fate.waits_at(Step::MidSegment) {
                self.conversation.send_half(segment);
                self.conversation.flush().await?;
            }
            self.die(Step::MidSegment)?;
            self.conversation.send(segment).await?;
        }
        self.report.sent += 1;
        Ok(())
    }

    /// A message of the queue as segments of at most the agreed size.
    fn segments(
        &self,
        mut message: Vec<u8>,
        number: i32,
        luwid: Luwid,
        asks: ControlFlags1,
    ) -> Result<Vec<Segment>, PartnerError> {
        let (speech, agreed) = (&self.options.speech, self.agreed);
        let data = message.len().saturating_sub(HEADER_LENGTH);
        if data + OVERHEAD > usize::try_from(agreed.max_msg_size).unwrap_or(usize::MAX) {
            return Err(PartnerError::TooLarge { bytes: data, what: "MaxMsgSize", limit: agreed.max_msg_size });
        }
        rewrite(&mut message, KEPT, (speech.byte_order, speech.alphabet));
        let message = Bytes::from(message);
        let room = usize::try_from(agreed.max_transmission_size).unwrap_or(0).saturating_sub(TSH);
        let with_msh = room.saturating_sub(Msh::LENGTH);
        let unsplit = message.len() <= with_msh;
        if with_msh < HEADER_LENGTH || (!unsplit && !agreed.split) {
            let limit = agreed.max_transmission_size;
            return Err(PartnerError::TooLarge { bytes: data, what: "MaxTransmissionSize without splitting", limit });
        }
        let total = whole(message.len());
        let tsh = speech.tsh(SegmentType::MESSAGE_DATA).with_luwid(luwid);
        let (mut segments, mut at) = (Vec::new(), 0);
        while at < message.len() || segments.is_empty() {
            let has_msh = at == 0 || speech.continuation_msh;
            let end = message.len().min(at + if has_msh { with_msh } else { room });
            let part = message.slice(at..end);
            let mut flags = ControlFlags1::empty();
            flags.set(ControlFlags1::FIRST, at == 0);
            flags.set(ControlFlags1::LAST, end == message.len());
            flags.set(asks, end == message.len());
            let body = if has_msh {
                let msh = Msh {
                    sequence: number,
                    data_length: match speech.data_length {
                        DataLength::InSegment => whole(part.len()),
                        DataLength::BufferSize => agreed.max_transmission_size,
                        DataLength::Offset => whole(at),
                    },
                    segment_number: if unsplit {
                        speech.unsplit_segment_number
                    } else {
                        speech.first_segment_number + if speech.counts_segments { whole(segments.len()) } else { 0 }
                    },
                    message_length: if at == 0 || speech.total_in_continuations { total } else { 0 },
                };
                let mut body = BytesMut::with_capacity(Msh::LENGTH + part.len());
                body.put_slice(&msh.encode(speech.byte_order, speech.alphabet));
                body.put_slice(&part);
                body.freeze()
            } else {
                part
            };
            let named = at == 0 || speech.luwid_in_continuations;
            let tsh = if named { tsh } else { tsh.with_luwid(Luwid::ZERO) };
            segments.push(Segment::new(tsh.with_flags(flags), body));
            at = end;
        }
        Ok(segments)
    }

    fn confirm_request(&self, batch: &InDoubt, asks: ControlFlags1) -> Segment {
        let speech = &self.options.speech;
        let order = speech.byte_order;
        let (segment_type, body) = match speech.confirm {
            ConfirmRequest::ResyncData => (SegmentType::RESYNC_DATA, Reset::new(batch.last).encode(order)),
            ConfirmRequest::EmptyMessageData => (SegmentType::MESSAGE_DATA, Bytes::new()),
            ConfirmRequest::Heartbeat => (SegmentType::HEARTBEAT, Bytes::new()),
            ConfirmRequest::EmptyMsh => {
                let msh = Msh { sequence: batch.last, data_length: 0, segment_number: 0, message_length: 0 };
                (SegmentType::MESSAGE_DATA, Bytes::copy_from_slice(&msh.encode(order, speech.alphabet)))
            }
            ConfirmRequest::StatusData if speech.confirm_body => {
                (SegmentType::STATUS_DATA, Status::with_value(StatusCode::OK, batch.last).encode(order))
            }
            ConfirmRequest::StatusData | ConfirmRequest::OnLastMessage | ConfirmRequest::Never => {
                (SegmentType::STATUS_DATA, Bytes::new())
            }
        };
        // A heartbeat without LUWID is only a heartbeat.
        let unnamed = speech.confirm_without_luwid && segment_type != SegmentType::HEARTBEAT;
        let luwid = if unnamed { Luwid::ZERO } else { batch.luwid };
        Segment::new(speech.tsh(segment_type).with_flags(asks | speech.habit()).with_luwid(luwid), body)
    }

    /// Waits for the answer to the request that is on its way. A definite no backs the batch out; anything else but a
    /// yes leaves it in doubt.
    async fn confirmation(&mut self, batch: &InDoubt) -> Result<ControlFlags1, PartnerError> {
        let during = "to the request for confirmation";
        loop {
            let segment = self.conversation.expect(self.options.answer_timeout, during).await?;
            let flags = segment.tsh.flags1;
            let ours = segment.tsh.luwid == batch.luwid;
            match segment.tsh.segment_type {
                SegmentType::STATUS_DATA => {
                    let status = segment.status()?;
                    let yes = status.is_ok() && !flags.contains(ControlFlags1::ERROR);
                    if yes && (ours || segment.tsh.luwid.is_zero()) {
                        return Ok(flags);
                    }
                    if yes {
                        let theirs = segment.tsh.luwid;
                        let why = format!("the partner confirmed {theirs} when {} was asked for", batch.luwid);
                        return Err(PartnerError::Protocol(why));
                    }
                    return Err(self.refused(status, batch, during)?);
                }
                SegmentType::RESYNC_DATA if ours && !flags.contains(ControlFlags1::ERROR) => return Ok(flags),
                SegmentType::HEARTBEAT if flags.contains(ControlFlags1::CONFIRM_REQUEST) => {
                    self.answer_heartbeat().await?;
                }
                SegmentType::HEARTBEAT if ours && !batch.luwid.is_zero() => return Ok(flags),
                SegmentType::HEARTBEAT => {}
                other => {
                    let why = format!("{other} of {} came as answer {during}", segment.tsh.luwid);
                    return Err(PartnerError::Protocol(why));
                }
            }
        }
    }

    /// Something came in the middle of a batch, before anything was asked.
    async fn interrupted(&mut self, batch: &InDoubt) -> Result<(), PartnerError> {
        let during = "in the middle of a batch";
        let segment = self.conversation.expect(self.options.answer_timeout, during).await?;
        let asks = segment.tsh.flags1.contains(ControlFlags1::CONFIRM_REQUEST);
        match segment.tsh.segment_type {
            SegmentType::HEARTBEAT if asks => self.answer_heartbeat().await,
            SegmentType::HEARTBEAT => Ok(()),
            SegmentType::STATUS_DATA => Err(self.refused(segment.status()?, batch, during)?),
            other => Err(PartnerError::Protocol(format!("{other} came {during}"))),
        }
    }

    /// What a refusal means for the batch. Codes that can only mean "not committed" back it out; after others the
    /// sender stays in doubt and asks at the next start.
    fn refused(&mut self, status: Status, batch: &InDoubt, during: &'static str) -> Result<PartnerError, PartnerError> {
        let definite = matches!(
            status.code,
            Some(
                StatusCode::BATCH_FAILURE
                    | StatusCode::CAN_NOT_STORE
                    | StatusCode::MSG_SEQUENCE_ERROR
                    | StatusCode::MESSAGE_LENGTH_ERROR
                    | StatusCode::SEGMENT_NUMBER_ERROR
            )
        );
        if definite && self.xmitq.sync().in_doubt.is_some() {
            self.xmitq.update(ChannelSync::back_out)?;
        }
        if status.code == Some(StatusCode::MSG_SEQUENCE_ERROR) {
            return Ok(PartnerError::SequenceMismatch { ours: batch.first, expected: status.values.first().copied() });
        }
        Ok(PartnerError::Refused { status, during })
    }

    pub(super) async fn answer_heartbeat(&mut self) -> Result<(), PartnerError> {
        let speech = &self.options.speech;
        let tsh = speech.tsh(SegmentType::HEARTBEAT).with_flags(speech.habit());
        self.conversation.send(&Segment::new(tsh, Bytes::new())).await?;
        self.conversation.flush().await
    }
}

/// Flags of a segment that asks for confirmation, and perhaps ends the channel too.
fn request_flags(asks: bool, ends: bool) -> ControlFlags1 {
    let mut flags = ControlFlags1::empty();
    flags.set(ControlFlags1::CONFIRM_REQUEST, asks);
    flags.set(ControlFlags1::CLOSE_CHANNEL, asks && ends);
    flags
}

/// The number after this one; 1 after SEQWRAP (wire reference, channel flow 3, D).
pub(super) fn following(number: i32, seqwrap: i32) -> i32 {
    if number >= seqwrap { 1 } else { number + 1 }
}

fn whole(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_follows_the_wrap() {
        assert_eq!([0, 98, 99, 100].map(|number| following(number, 99)), [1, 99, 1, 1]);
    }
}
