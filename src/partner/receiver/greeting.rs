//! The exchange of INITIAL_DATA: with a caller, in each way that one can be received, and as a requester that calls.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::journal::ChannelId;
use super::options::{Greeting, Receiving, SeqWrapRefusal};
use super::queue_manager::{Claim, Shared};
use crate::partner::conversation::Conversation;
use crate::partner::negotiate::{PLAIN, Terms, agree, middle, negotiate, offer};
use crate::partner::{Agreed, PartnerError};
use crate::wire::{
    CapFlags1, CapFlags2, ControlFlags1, ErrFlags1, InitialData, Luwid, Segment, SegmentType, Status, StatusCode,
};

/// Rounds of INITIAL_DATA before the ends are said not to agree.
const ROUNDS: i32 = 8;

impl Receiving {
    fn terms<'a>(&'a self, channel: &'a str, role: CapFlags1) -> Terms<'a> {
        Terms {
            speech: &self.speech,
            role,
            channel,
            qmgr_name: &self.qmgr_name,
            qmgr_id: &self.qmgr_id,
            batchsz: self.batchsz,
            maxmsgl: self.maxmsgl,
            seqwrap: self.seqwrap,
            hbint: self.hbint,
            answer_timeout: self.answer_timeout,
        }
    }

    /// A segment in its speech and with its habits.
    pub(super) fn segment(
        &self,
        segment_type: SegmentType,
        flags: ControlFlags1,
        luwid: Luwid,
        body: Bytes,
    ) -> Segment {
        let tsh = self.speech.tsh(segment_type).with_flags(flags | self.speech.habit()).with_luwid(luwid);
        Segment::new(tsh, body)
    }

    /// STATUS_DATA with ERROR and CLOSE_CHANNEL.
    pub(super) fn refusal(&self, status: &Status, luwid: Luwid) -> Segment {
        let flags = ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL;
        self.segment(SegmentType::STATUS_DATA, flags, luwid, status.encode(self.speech.byte_order))
    }
}

/// Agrees with a caller about the channel that it names, and takes the channel for this connection.
pub(super) async fn greet<S: AsyncRead + AsyncWrite>(
    shared: &Arc<Shared>,
    conversation: &mut Conversation<S>,
) -> Result<(Agreed, Claim), PartnerError> {
    let options = &shared.options;
    let mut claim = None;
    for round in 1..=ROUNDS {
        let call = conversation.expect(options.answer_timeout, "before the handshake was over").await?;
        if call.tsh.segment_type != SegmentType::INITIAL_DATA {
            return refuse(shared, conversation, StatusCode::PROTOCOL_ID_ERROR, "no INITIAL_DATA came").await;
        }
        let theirs = call.initial_data()?;
        let channel = theirs.channel_name.text();
        if round == 1 {
            odd_greeting(options, conversation, &theirs).await?;
        }
        let terms = options.terms(&channel, PLAIN);
        if !options.channels.is_empty() && !options.channels.contains(&channel) {
            return refuse(shared, conversation, StatusCode::NO_CHANNEL, "the caller names an unknown channel").await;
        }
        if theirs.cap_flags1.intersects(CapFlags1::REQUEST_INITIATION | CapFlags1::MQREQUEST) {
            let code = StatusCode::CHANNEL_WRONG_TYPE;
            return refuse(shared, conversation, code, "the caller is no sender").await;
        }
        if theirs.seq_wrap != options.seqwrap && options.habits.seqwrap == SeqWrapRefusal::Status {
            return refuse(shared, conversation, StatusCode::WRAP_VALUE_ERROR, "SEQWRAP differs").await;
        }
        if shared.is_stopping() {
            let why = "a caller came while stopping";
            return refuse(shared, conversation, StatusCode::QM_TERMINATING, why).await;
        }
        let id = ChannelId { channel: channel.clone(), partner: theirs.qmgr_name() };
        if claim.as_ref().is_none_or(|claim: &Claim| claim.id != id) {
            claim = shared.claim(id);
        }
        let Some(held) = claim.take() else {
            return refuse(shared, conversation, StatusCode::CHANNEL_UNAVAILABLE, "the channel runs already").await;
        };
        let answer = answer(options, &terms, &theirs, round)?;
        let agreed = !answer.0.contains(ControlFlags1::ERROR);
        let body = answer.1.encode(options.speech.byte_order, options.speech.alphabet);
        conversation.send(&options.segment(SegmentType::INITIAL_DATA, answer.0, Luwid::ZERO, body)).await?;
        conversation.flush().await?;
        if agreed {
            after_agreement(shared, conversation).await?;
            // Splitting is agreed where both can (wire reference, channel flow 1.3, D).
            let split = (theirs.cap_flags1 & answer.1.cap_flags1).contains(CapFlags1::SPLIT_MESSAGE);
            return Ok((Agreed { split, partner: theirs.qmgr_name(), ..agree(&answer.1, &answer.1)? }, held));
        }
        shared.tally().counter_proposals += 1;
        claim = Some(held);
    }
    refuse(shared, conversation, StatusCode::NEGOTIATION_FAILED, "the caller does not agree").await
}

/// What is answered to an offer: the flags and the values.
fn answer(
    options: &Receiving,
    terms: &Terms<'_>,
    theirs: &InitialData,
    round: i32,
) -> Result<(ControlFlags1, InitialData), PartnerError> {
    let ours = offer(terms)?;
    let (mut answer, mut wrong) = middle(&ours, theirs, &options.speech);
    wrong.set(ErrFlags1::SEQ_WRAP_VALUE, theirs.seq_wrap != ours.seq_wrap);
    let mut refused = false;
    if options.habits.refuses_capabilities {
        // A request for security is passed over as normal (channel flow 1.3, D).
        answer.ecap_flags1 = theirs.cap_flags1.difference(ours.cap_flags1) & CapFlags1::SPLIT_MESSAGE;
        refused |= !answer.ecap_flags1.is_empty();
        if let (Some(mine), Some(their), Some(can)) = (&mut answer.fap4, &theirs.fap4, &ours.fap4) {
            let asked = CapFlags2::FAST_MESSAGES_REQUIRED | CapFlags2::DUAL_UOW | CapFlags2::DIST_LIST_CAPABLE;
            mine.ecap_flags2 = their.cap_flags2.difference(can.cap_flags2) & asked;
            refused |= !mine.ecap_flags2.is_empty();
        }
    }
    match options.habits.greeting {
        Greeting::Insist(flags) => wrong |= flags,
        Greeting::NeverContent => {
            answer.max_transmission_size = 4096 - 64 * round;
            wrong |= ErrFlags1::MAX_TRANSMISSION_SIZE;
        }
        _ => {}
    }
    let unchangeable = wrong.intersects(ErrFlags1::SEQ_WRAP_VALUE | ErrFlags1::CCSID | ErrFlags1::ENCODING);
    let agreed = !unchangeable && ((wrong.is_empty() && !refused) || options.speech.counters_silently);
    answer.err_flags1 = if agreed { ErrFlags1::empty() } else { wrong };
    if agreed {
        answer.ecap_flags1 = CapFlags1::empty();
        if let Some(fap4) = &mut answer.fap4 {
            fap4.ecap_flags2 = CapFlags2::empty();
        }
    }
    Ok((if agreed { ControlFlags1::empty() } else { ControlFlags1::ERROR }, answer))
}

/// Calls a server as a requester, agrees, and takes the channel for this connection.
pub(super) async fn call<S: AsyncRead + AsyncWrite>(
    shared: &Arc<Shared>,
    conversation: &mut Conversation<S>,
    channel: &str,
) -> Result<(Agreed, Claim), PartnerError> {
    let options = &shared.options;
    let mut taken_up = 0;
    let terms = options.terms(channel, options.habits.requester);
    let agreed = negotiate(conversation, &terms, &mut taken_up).await?;
    let id = ChannelId { channel: channel.to_owned(), partner: agreed.partner.clone() };
    let Some(claim) = shared.claim(id) else {
        return refuse(shared, conversation, StatusCode::CHANNEL_UNAVAILABLE, "the channel runs already").await;
    };
    if options.habits.requester_speaks_first {
        let none = ControlFlags1::empty();
        conversation.send(&options.segment(SegmentType::STATUS_DATA, none, Luwid::ZERO, Bytes::new())).await?;
        conversation.flush().await?;
    }
    Ok((agreed, claim))
}

/// Says a status and gives the caller up.
async fn refuse<S: AsyncRead + AsyncWrite, T>(
    shared: &Shared,
    conversation: &mut Conversation<S>,
    code: StatusCode,
    why: &str,
) -> Result<T, PartnerError> {
    shared.tally().refused += 1;
    conversation.send(&shared.options.refusal(&Status::new(code), Luwid::ZERO)).await?;
    conversation.flush().await?;
    Err(PartnerError::Negotiation(format!("{why}: told {code}")))
}

/// The greetings that are no negotiation.
async fn odd_greeting<S: AsyncRead + AsyncWrite>(
    options: &Receiving,
    conversation: &mut Conversation<S>,
    theirs: &InitialData,
) -> Result<(), PartnerError> {
    let none = ControlFlags1::empty();
    let order = options.speech.byte_order;
    match options.habits.greeting {
        Greeting::Refuse(code) => conversation.send(&options.refusal(&Status::new(code), Luwid::ZERO)).await?,
        Greeting::RefuseBarely(code) => {
            let body = Status::new(code).encode(order);
            conversation.send(&options.segment(SegmentType::STATUS_DATA, none, Luwid::ZERO, body)).await?;
        }
        Greeting::OtherSegment => {
            conversation.send(&options.segment(SegmentType::HEARTBEAT, none, Luwid::ZERO, Bytes::new())).await?;
        }
        Greeting::Garbage => conversation.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Greeting::Silence => {
            // Until the caller gives up.
            while conversation.receive().await?.is_some() {}
        }
        Greeting::Close => {}
        Greeting::Agree
        | Greeting::Insist(_)
        | Greeting::NeverContent
        | Greeting::AgreeThenRefuse(_)
        | Greeting::AgreeThenSecurity => return Ok(()),
    }
    conversation.flush().await?;
    let (channel, greeting) = (theirs.channel_name, options.habits.greeting);
    Err(PartnerError::Negotiation(format!("{channel} was greeted with {greeting:?}")))
}

/// The greetings that agree and then do not.
async fn after_agreement<S: AsyncRead + AsyncWrite>(
    shared: &Shared,
    conversation: &mut Conversation<S>,
) -> Result<(), PartnerError> {
    let options = &shared.options;
    match options.habits.greeting {
        Greeting::AgreeThenRefuse(code) => {
            refuse(shared, conversation, code, "agreement was followed by a refusal").await
        }
        Greeting::AgreeThenSecurity => {
            let data = Bytes::from_static(b"who are you?");
            let none = ControlFlags1::empty();
            conversation.send(&options.segment(SegmentType::SECURITY_DATA, none, Luwid::ZERO, data)).await?;
            conversation.flush().await
        }
        _ => Ok(()),
    }
}
