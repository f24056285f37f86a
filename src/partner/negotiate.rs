//! The exchange of INITIAL_DATA, by the end that calls and by the end that is called.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::conversation::Conversation;
use super::speech::{IdLength, Speech};
use super::{Options, PartnerError};
use crate::wire::initial_data::{Fap4, Fap9, Fap11};
use crate::wire::name::{BadName, Name};
use crate::wire::{
    CapFlags1, CapFlags2, CapFlags3, ControlFlags1, ErrFlags1, ErrFlags2, InitialData, Segment, SegmentType,
};

/// Rounds of INITIAL_DATA before the ends are said not to agree.
const ROUNDS: u32 = 4;

/// What both ends hold to (wire reference, channel flow 1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The lower FAP level.
    pub fap_level: u8,
    /// The smaller transmission size in bytes, TSH included.
    pub max_transmission_size: i32,
    /// The smaller message size in bytes.
    pub max_msg_size: i32,
    /// The smaller batch.
    pub batchsz: u16,
    /// The larger interval in seconds; 0 if either end has 0.
    pub heartbeat_interval: i32,
    /// Whether messages may be split.
    pub split: bool,
    /// Whether fast messages are agreed.
    pub fast_messages: bool,
    /// The partner's queue manager; blank below FAP 4.
    pub partner: String,
}

/// What one end brings to a negotiation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) speech: &'a Speech,
    /// Its capabilities by its role: [`PLAIN`], or those of a requester.
    pub(super) role: CapFlags1,
    pub(super) channel: &'a str,
    pub(super) qmgr_name: &'a str,
    pub(super) qmgr_id: &'a str,
    pub(super) batchsz: u16,
    pub(super) maxmsgl: i32,
    pub(super) seqwrap: i32,
    pub(super) hbint: i32,
    pub(super) answer_timeout: Duration,
}

/// What every end that is no requester can: sequence numbers, conversion, and splitting where its speech has it.
pub(super) const PLAIN: CapFlags1 =
    CapFlags1::MSG_SEQ.union(CapFlags1::CONVERSION_CAPABLE).union(CapFlags1::SPLIT_MESSAGE);

impl Options {
    /// As sender or server.
    pub(super) fn terms(&self) -> Terms<'_> {
        Terms {
            speech: &self.speech,
            role: PLAIN,
            channel: &self.channel,
            qmgr_name: &self.qmgr_name,
            qmgr_id: &self.qmgr_id,
            batchsz: self.batchsz,
            maxmsgl: self.maxmsgl,
            seqwrap: self.seqwrap,
            hbint: self.hbint,
            answer_timeout: self.answer_timeout,
        }
    }
}

/// The first offer.
pub(super) fn offer(options: &Terms<'_>) -> Result<InitialData, PartnerError> {
    let speech = options.speech;
    if !(1..=15).contains(&speech.fap_level) {
        return Err(PartnerError::Option(format!("FAP level {} is not one of 1 to 15", speech.fap_level)));
    }
    let bad = |what: &str, error: BadName| PartnerError::Option(format!("{what}: {error}"));
    let mut cap_flags1 = options.role;
    if !speech.split {
        cap_flags1.remove(CapFlags1::SPLIT_MESSAGE);
    }
    cap_flags1.set(CapFlags1::REQUEST_SECURITY, speech.security_request);
    let mut cap_flags2 = CapFlags2::empty();
    cap_flags2.set(CapFlags2::DIST_LIST_CAPABLE, speech.distribution_lists);
    cap_flags2.set(CapFlags2::FAST_MESSAGES_REQUIRED, speech.fast_messages);
    cap_flags2.set(CapFlags2::DUAL_UOW, speech.dual_uow);
    let mut msg_comp_list = [0xFF; 16];
    let mut hdr_comp_list = [0, 0xFF];
    msg_comp_list[0] = 0;
    if speech.compression {
        // MQCOMPRESS_SYSTEM 8, MQCOMPRESS_RLE 1
        (hdr_comp_list[0], msg_comp_list[0]) = (8, 1);
    }
    let mut pal = [0xFF; 20];
    pal[..2].fill(0);
    let mut offer = InitialData {
        fap_level: speech.fap_level,
        cap_flags1,
        ecap_flags1: CapFlags1::empty(),
        err_flags1: ErrFlags1::empty(),
        reserved8: 0,
        max_msg_per_batch: options.batchsz,
        max_transmission_size: speech.max_transmission_size,
        max_msg_size: options.maxmsgl,
        seq_wrap: options.seqwrap,
        channel_name: Name::new(options.channel).map_err(|e| bad("channel", e))?,
        fap4: Some(Fap4 {
            cap_flags2,
            ecap_flags2: CapFlags2::empty(),
            ccsid: speech.ccsid,
            qmgr_name: Name::new(options.qmgr_name).map_err(|e| bad("queue manager", e))?,
            heartbeat_interval: options.hbint,
            efl_length: if speech.fap_level < 11 { 0 } else { 138 },
        }),
        fap9: Some(Fap9 {
            err_flags2: ErrFlags2::empty(),
            reserved103: 0,
            hdr_comp_list,
            msg_comp_list,
            reserved122: 0,
            ssl_key_reset: 0,
            conv_per_socket: 0,
            cap_flags3: CapFlags3::MSG_PROP_CAPABLE,
            ecap_flags3: CapFlags3::empty(),
            reserved134: 0,
            process_id: 1,
            thread_id: 1,
            trace_id: 1,
            product_id: Name::fitted("MQMM09010200"),
            qmgr_id: Name::new(options.qmgr_id).map_err(|e| bad("queue-manager id", e))?,
        }),
        fap11: Some(Fap11 { pal, nonce: [0; 12] }),
        rest: bytes::Bytes::new(),
    };
    cut_to_level(&mut offer, speech.id_length);
    Ok(offer)
}

/// Leaves out what the offer's FAP level does not have, if the speaker does.
fn cut_to_level(offer: &mut InitialData, length: IdLength) {
    if length == IdLength::Longest {
        return;
    }
    if offer.fap_level < 11 {
        offer.fap11 = None;
    }
    if offer.fap_level < 9 {
        offer.fap9 = None;
    }
    if offer.fap_level < 4 {
        offer.fap4 = None;
    }
}

/// Offers, takes up counter-proposals, and comes back with what is agreed.
pub(super) async fn negotiate<S: AsyncRead + AsyncWrite>(
    conversation: &mut Conversation<S>,
    options: &Terms<'_>,
    counter_proposals: &mut u64,
) -> Result<Agreed, PartnerError> {
    let during = "to initial data";
    let speech = options.speech;
    let mut offer = offer(options)?;
    for _ in 0..ROUNDS {
        let tsh = speech
            .tsh(SegmentType::INITIAL_DATA)
            .with_flags(ControlFlags1::from_bits_retain(speech.initial_data_flags));
        let body = offer.encode(speech.byte_order, speech.alphabet);
        conversation.send(&Segment::new(tsh, body)).await?;
        conversation.flush().await?;
        let answer = conversation.expect(options.answer_timeout, during).await?;
        match answer.tsh.segment_type {
            SegmentType::INITIAL_DATA => {}
            SegmentType::STATUS_DATA => return Err(PartnerError::Refused { status: answer.status()?, during }),
            other => return Err(PartnerError::Protocol(format!("{other} came where INITIAL_DATA was expected"))),
        }
        let theirs = answer.initial_data()?;
        if !answer.tsh.flags1.contains(ControlFlags1::ERROR) {
            return agree(&offer, &theirs);
        }
        let before = offer.clone();
        take_up(&mut offer, &theirs, speech)?;
        if offer == before && !speech.repeats_fap_level {
            return Err(PartnerError::Negotiation(format!(
                "the partner refuses {} {} and proposes nothing that can be changed",
                theirs.err_flags1, theirs.ecap_flags1
            )));
        }
        *counter_proposals += 1;
    }
    Err(PartnerError::Negotiation(format!("no agreement after {ROUNDS} offers")))
}

/// Answers a requester's offers until both ends agree: what does not fit is countered (wire reference, channel flow 1.3).
pub(super) async fn answer_offers<S: AsyncRead + AsyncWrite>(
    conversation: &mut Conversation<S>,
    options: &Terms<'_>,
    counter_proposals: &mut u64,
) -> Result<Agreed, PartnerError> {
    let during = "while a requester called";
    let speech = options.speech;
    let ours = offer(options)?;
    for _ in 0..ROUNDS {
        let call = conversation.expect(options.answer_timeout, during).await?;
        match call.tsh.segment_type {
            SegmentType::INITIAL_DATA => {}
            SegmentType::STATUS_DATA => return Err(PartnerError::Refused { status: call.status()?, during }),
            other => return Err(PartnerError::Protocol(format!("{other} came where INITIAL_DATA was expected"))),
        }
        let theirs = call.initial_data()?;
        if !theirs.cap_flags1.contains(CapFlags1::REQUEST_INITIATION) || theirs.channel_name != ours.channel_name {
            let (name, caps) = (theirs.channel_name.text(), theirs.cap_flags1);
            return Err(PartnerError::Negotiation(format!(
                "the caller asks for {name} as {caps}, no requester of ours"
            )));
        }
        if theirs.seq_wrap != ours.seq_wrap {
            let (ours, theirs) = (ours.seq_wrap, theirs.seq_wrap);
            return Err(PartnerError::Negotiation(format!("SEQWRAP is {ours} here and {theirs} there")));
        }
        let (mut answer, wrong) = middle(&ours, &theirs, speech);
        let agreed = wrong.is_empty() || speech.counters_silently;
        answer.err_flags1 = if agreed { ErrFlags1::empty() } else { wrong };
        let flags = if agreed { ControlFlags1::empty() } else { ControlFlags1::ERROR };
        let tsh = speech.tsh(SegmentType::INITIAL_DATA).with_flags(flags | speech.habit());
        let body = answer.encode(speech.byte_order, speech.alphabet);
        conversation.send(&Segment::new(tsh, body)).await?;
        conversation.flush().await?;
        if agreed {
            // A requester need not say that it takes split messages (channel flow 10: splitting is not assumed).
            let can_split = theirs.cap_flags1.contains(CapFlags1::SPLIT_MESSAGE) && speech.split;
            return Ok(Agreed { split: can_split, partner: theirs.qmgr_name(), ..agree(&answer, &answer)? });
        }
        *counter_proposals += 1;
    }
    Err(PartnerError::Negotiation(format!("no agreement after {ROUNDS} offers of a requester")))
}

/// What the end that is called answers to an offer: the values that both can live with, and which of them are not those of
/// the offer (wire reference, channel flow 1.3).
pub(super) fn middle(ours: &InitialData, theirs: &InitialData, speech: &Speech) -> (InitialData, ErrFlags1) {
    let mut answer = ours.clone();
    answer.fap_level = ours.fap_level.min(theirs.fap_level);
    answer.max_transmission_size = smaller(ours.max_transmission_size, theirs.max_transmission_size);
    answer.max_msg_size = smaller(ours.max_msg_size, theirs.max_msg_size);
    answer.max_msg_per_batch = ours.max_msg_per_batch.min(theirs.max_msg_per_batch.max(1));
    let mut wrong = ErrFlags1::empty();
    wrong.set(ErrFlags1::FAP_LEVEL, answer.fap_level != theirs.fap_level);
    wrong.set(ErrFlags1::MAX_TRANSMISSION_SIZE, answer.max_transmission_size != theirs.max_transmission_size);
    wrong.set(ErrFlags1::MAX_MSG_SIZE, answer.max_msg_size != theirs.max_msg_size);
    wrong.set(ErrFlags1::MAX_MSG_PER_BATCH, answer.max_msg_per_batch != theirs.max_msg_per_batch);
    if let (Some(mine), Some(their)) = (&mut answer.fap4, &theirs.fap4) {
        mine.heartbeat_interval = heartbeat(mine.heartbeat_interval, their.heartbeat_interval);
        wrong.set(ErrFlags1::HEARTBEAT_INTERVAL, mine.heartbeat_interval != their.heartbeat_interval);
        mine.cap_flags2 &= their.cap_flags2;
    }
    cut_to_level(&mut answer, speech.id_length);
    (answer, wrong)
}

/// Changes the offer to what the partner would accept, as far as that is within our own limits.
fn take_up(offer: &mut InitialData, theirs: &InitialData, speech: &Speech) -> Result<(), PartnerError> {
    if theirs.err_flags1.contains(ErrFlags1::SEQ_WRAP_VALUE) || offer.seq_wrap != theirs.seq_wrap {
        return Err(PartnerError::Negotiation(format!(
            "SEQWRAP is {} here and {} there; it must be equal",
            offer.seq_wrap, theirs.seq_wrap
        )));
    }
    for (flag, what) in [(ErrFlags1::CCSID, "CCSID"), (ErrFlags1::ENCODING, "encoding")] {
        if theirs.err_flags1.contains(flag) {
            return Err(PartnerError::Negotiation(format!("the partner refuses our {what}")));
        }
    }
    if !speech.repeats_fap_level {
        offer.fap_level = offer.fap_level.min(theirs.fap_level.max(1));
    }
    offer.max_transmission_size = smaller(offer.max_transmission_size, theirs.max_transmission_size);
    offer.max_msg_size = smaller(offer.max_msg_size, theirs.max_msg_size);
    offer.max_msg_per_batch = offer.max_msg_per_batch.min(theirs.max_msg_per_batch.max(1));
    offer.cap_flags1.remove(theirs.ecap_flags1);
    if let (Some(mine), Some(their)) = (&mut offer.fap4, &theirs.fap4) {
        mine.cap_flags2.remove(their.ecap_flags2);
        mine.heartbeat_interval = heartbeat(mine.heartbeat_interval, their.heartbeat_interval);
    }
    if let (Some(mine), Some(their)) = (&mut offer.fap9, &theirs.fap9) {
        mine.cap_flags3.remove(their.ecap_flags3);
    }
    if let Some(mine) = &mut offer.fap9 {
        // What the partner refuses, or has no words for, is not offered again.
        (mine.hdr_comp_list[0], mine.msg_comp_list[0]) = (0, 0);
    }
    if speech.id_length == IdLength::OfLevel {
        cut_to_level(offer, speech.id_length);
    }
    Ok(())
}

/// What two offers come to.
pub(super) fn agree(offer: &InitialData, theirs: &InitialData) -> Result<Agreed, PartnerError> {
    if offer.seq_wrap != theirs.seq_wrap {
        return Err(PartnerError::Negotiation(format!(
            "SEQWRAP is {} here and {} there; it must be equal",
            offer.seq_wrap, theirs.seq_wrap
        )));
    }
    let fast = |id: &InitialData| {
        id.fap4.as_ref().is_some_and(|fap4| fap4.cap_flags2.contains(CapFlags2::FAST_MESSAGES_REQUIRED))
    };
    let interval = match (&offer.fap4, &theirs.fap4) {
        (Some(mine), Some(their)) => heartbeat(mine.heartbeat_interval, their.heartbeat_interval),
        _ => 0,
    };
    Ok(Agreed {
        fap_level: offer.fap_level.min(theirs.fap_level),
        max_transmission_size: smaller(offer.max_transmission_size, theirs.max_transmission_size),
        max_msg_size: smaller(offer.max_msg_size, theirs.max_msg_size),
        batchsz: offer.max_msg_per_batch.min(theirs.max_msg_per_batch).max(1),
        heartbeat_interval: interval,
        split: (offer.cap_flags1 & theirs.cap_flags1).contains(CapFlags1::SPLIT_MESSAGE),
        fast_messages: fast(offer) && fast(theirs),
        partner: theirs.qmgr_name(),
    })
}

/// The smaller of two sizes, where zero and less mean none.
fn smaller(mine: i32, their: i32) -> i32 {
    if their > 0 { mine.min(their) } else { mine }
}

/// The less frequent, and none at all if either end has none.
fn heartbeat(mine: i32, their: i32) -> i32 {
    if mine <= 0 || their <= 0 { 0 } else { mine.max(their) }
}
