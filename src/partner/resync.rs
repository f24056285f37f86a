//! The questions at a channel's start: what did you last commit, and from now on count so.

use tokio::io::{AsyncRead, AsyncWrite};

use super::conversation::Conversation;
use super::speech::{ResetNumber, Resync, ResyncBody, ResyncCarrier};
use super::xmitq::Xmitq;
use super::{ChannelSync, Options, PartnerError, Report};
use crate::wire::{ControlFlags1, Luwid, Reset, Segment, SegmentType, Status, StatusCode};

/// What the partner said about a LUWID.
enum Answer {
    /// It is its last.
    Same,
    /// Its last is another; with its number, where it said one.
    Other(Luwid, Option<i32>),
    /// STATUS 4, with the number it expects, where it said one.
    Mismatch(Option<i32>),
    /// Nothing that tells.
    Unclear(String),
}

/// Asks where the speech says so, and settles a batch in doubt: retired if the partner has it, to be sent again if not.
/// Comes back with the LUWID of a batch that was backed out.
pub(super) async fn resync<S: AsyncRead + AsyncWrite>(
    conversation: &mut Conversation<S>,
    options: &Options,
    xmitq: &mut Xmitq,
    report: &mut Report,
) -> Result<Option<Luwid>, PartnerError> {
    let &ChannelSync { sequence, luwid, in_doubt, .. } = xmitq.sync();
    let history = !luwid.is_zero();
    if let Some(batch) = in_doubt {
        if options.speech.resync == Resync::Never {
            xmitq.update(ChannelSync::back_out)?;
            return Ok(Some(batch.luwid));
        }
        return match ask(conversation, options, batch.luwid, batch.last).await? {
            Answer::Same => {
                xmitq.update(ChannelSync::commit)?;
                report.resync_committed += 1;
                report.confirmed += u64::from(batch.count);
                report.batches += 1;
                Ok(None)
            }
            // Its last is an earlier one of ours.
            Answer::Other(other, number) if other == luwid || number.is_some_and(|number| number <= sequence) => {
                xmitq.update(ChannelSync::back_out)?;
                report.resync_backed_out += 1;
                Ok(Some(batch.luwid))
            }
            Answer::Mismatch(_) => {
                xmitq.update(ChannelSync::back_out)?;
                report.resync_backed_out += 1;
                Ok(Some(batch.luwid))
            }
            Answer::Other(other, number) => Err(PartnerError::InDoubt {
                luwid: batch.luwid,
                last: batch.last,
                answer: format!("{other}, number {number:?}, which is no batch that we know"),
            }),
            Answer::Unclear(answer) => Err(PartnerError::InDoubt { luwid: batch.luwid, last: batch.last, answer }),
        };
    }
    let asks = match options.speech.resync {
        Resync::InDoubt | Resync::Never => false,
        Resync::EachStart => true,
        Resync::WithHistory => history,
    };
    if asks {
        match ask(conversation, options, luwid, sequence).await? {
            Answer::Other(_, expected) | Answer::Mismatch(expected) if history => {
                return Err(PartnerError::SequenceMismatch { ours: sequence, expected });
            }
            Answer::Unclear(answer) if history => return Err(PartnerError::Protocol(answer)),
            _ => {}
        }
    }
    Ok(None)
}

async fn ask<S: AsyncRead + AsyncWrite>(
    conversation: &mut Conversation<S>,
    options: &Options,
    luwid: Luwid,
    number: i32,
) -> Result<Answer, PartnerError> {
    let speech = &options.speech;
    let order = speech.byte_order;
    let numbered = |rest: &[u8]| Reset { sequence: number, rest: bytes::Bytes::copy_from_slice(rest) }.encode(order);
    let (segment_type, body) = match (speech.resync_carrier, speech.resync_body) {
        (ResyncCarrier::ResyncData, ResyncBody::Number) => (SegmentType::RESYNC_DATA, numbered(&[])),
        (ResyncCarrier::ResyncData, ResyncBody::NumberLuwid | ResyncBody::LuwidInBody) => {
            (SegmentType::RESYNC_DATA, numbered(&luwid.0))
        }
        (ResyncCarrier::ResyncData, ResyncBody::Empty) => (SegmentType::RESYNC_DATA, bytes::Bytes::new()),
        (ResyncCarrier::StatusData, ResyncBody::Empty) => (SegmentType::STATUS_DATA, bytes::Bytes::new()),
        (ResyncCarrier::MessageData, _) => (SegmentType::MESSAGE_DATA, bytes::Bytes::new()),
        (ResyncCarrier::StatusData, _) => {
            (SegmentType::STATUS_DATA, Status::with_value(StatusCode::OK, number).encode(order))
        }
    };
    let in_body = segment_type == SegmentType::RESYNC_DATA && speech.resync_body == ResyncBody::LuwidInBody;
    let flags = ControlFlags1::CONFIRM_REQUEST | speech.habit();
    let tsh = speech.tsh(segment_type).with_flags(flags).with_luwid(if in_body { Luwid::ZERO } else { luwid });
    conversation.send(&Segment::new(tsh, body)).await?;
    conversation.flush().await?;
    let during = "to the question about a batch";
    let segment = conversation.expect(options.answer_timeout, during).await?;
    let theirs = segment.tsh.luwid;
    let error = segment.tsh.flags1.contains(ControlFlags1::ERROR);
    Ok(match segment.tsh.segment_type {
        SegmentType::STATUS_DATA => {
            let status = segment.status()?;
            match status.code {
                Some(StatusCode::MSG_SEQUENCE_ERROR) => Answer::Mismatch(status.values.first().copied()),
                _ if status.is_ok() && !error && theirs == luwid => Answer::Same,
                _ if status.is_ok() && !error && !theirs.is_zero() => {
                    Answer::Other(theirs, status.values.first().copied())
                }
                _ if status.is_ok() => Answer::Unclear(format!("{status} for {theirs}")),
                _ => return Err(PartnerError::Refused { status, during }),
            }
        }
        SegmentType::RESYNC_DATA if !error => {
            let number = if segment.body.is_empty() { None } else { Some(segment.reset()?.sequence) };
            if theirs == luwid { Answer::Same } else { Answer::Other(theirs, number) }
        }
        other => Answer::Unclear(format!("{other} with {}", segment.tsh.flags1)),
    })
}

/// RESET CHANNEL: from now on the next message has this number, at both ends.
pub(super) async fn reset<S: AsyncRead + AsyncWrite>(
    conversation: &mut Conversation<S>,
    options: &Options,
    xmitq: &mut Xmitq,
    next: i32,
) -> Result<(), PartnerError> {
    let speech = &options.speech;
    xmitq.update(|sync| {
        sync.sequence = next.saturating_sub(1);
        sync.in_doubt = None;
    })?;
    let number = match speech.reset_number {
        ResetNumber::Next => next,
        ResetNumber::Last => next.saturating_sub(1),
    };
    let mut flags = speech.habit();
    flags.set(ControlFlags1::CONFIRM_REQUEST, speech.reset_confirm);
    let tsh = speech.tsh(SegmentType::RESET_DATA).with_flags(flags);
    conversation.send(&Segment::new(tsh, Reset::new(number).encode(speech.byte_order))).await?;
    conversation.flush().await?;
    if speech.reset_confirm {
        let during = "to a reset";
        let answer = conversation.expect(options.answer_timeout, during).await?;
        if answer.tsh.segment_type != SegmentType::STATUS_DATA {
            return Err(PartnerError::Protocol(format!("{} came as answer {during}", answer.tsh.segment_type)));
        }
        let status = answer.status()?;
        if !status.is_ok() {
            return Err(PartnerError::Refused { status, during });
        }
    }
    Ok(())
}
