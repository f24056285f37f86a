//! Negotiation at the responder: from what a caller offers and what we can do to agreed values, a counter-proposal, or a refusal.
//!
//! Pure functions over [`InitialData`]; the machines keep the round and the order of events.

use super::definition::ChannelType;
use super::dialect::{CounterProposal, Dialect};
use super::{Definition, Identity};
use crate::wire::initial_data::{Fap4, Fap9, Fap11};
use crate::wire::name::Name;
use crate::wire::{CapFlags1, CapFlags2, CapFlags3, ErrFlags1, ErrFlags2, InitialData, StatusCode};

/// Rounds of INITIAL_DATA before we give up (ours).
pub const ROUNDS: u32 = 3;
/// TSH, MSH, MQXQH and MQMD in front of the data of an unsplit message (wire reference, segments 8, D).
pub const UNSPLIT_OVERHEAD: i64 = 476;
/// MQXQH and MQMD version 1 (D).
pub const MESSAGE_HEADERS: usize = 428;
/// What a broker needs of its frame limit beyond the message itself: our headers and properties (design, ours).
pub const TARGET_RESERVE: u64 = 64 * 1024;
/// Below this a segment has no room for a TSH, an MSH and a useful number of bytes (ours).
pub(crate) const SMALLEST_TRANSMISSION: i32 = 128;

const OUR_CAPS1: CapFlags1 = CapFlags1::MSG_SEQ.union(CapFlags1::CONVERSION_CAPABLE).union(CapFlags1::SPLIT_MESSAGE);
/// What we refuse out loud, because a partner that believed in it would behave differently: fast messages outside the
/// batch, a second unit of work, distribution lists, XA. Other bits are just not confirmed.
const REFUSED_CAPS2: CapFlags2 = CapFlags2::DIST_LIST_CAPABLE
    .union(CapFlags2::FAST_MESSAGES_REQUIRED)
    .union(CapFlags2::DUAL_UOW)
    .union(CapFlags2::XAREQUEST)
    .union(CapFlags2::XARUNTIME_APP)
    .union(CapFlags2::SPIREQUEST);

/// What this end can live with on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// BATCHSZ, at least 1.
    pub batchsz: u16,
    /// Largest message in bytes of application data, at least 1.
    pub max_msg_size: i32,
    /// HBINT in seconds, 0 none.
    pub hbint: i32,
    /// SEQWRAP.
    pub seq_wrap: i32,
    /// How to say it.
    pub dialect: Dialect,
}

impl Limits {
    /// The smaller of the definition and of what the target takes.
    ///
    /// # Errors
    /// When the target takes less than [`TARGET_RESERVE`], so that no message would fit.
    pub fn new(definition: &Definition, target_max: Option<u64>) -> Result<Self, String> {
        let room = match target_max {
            None => i32::MAX,
            Some(bytes) if bytes <= TARGET_RESERVE => {
                return Err(format!(
                    "the target takes messages of {bytes} bytes, of which {TARGET_RESERVE} are kept for headers; raise its frame limit"
                ));
            }
            Some(bytes) => i32::try_from(bytes - TARGET_RESERVE).unwrap_or(i32::MAX),
        };
        let maxmsgl = if definition.maxmsgl <= 0 { i32::MAX } else { definition.maxmsgl };
        // A batch that is a whole cycle of numbers could not be told from its own repetition.
        let half_cycle = u16::try_from(definition.seqwrap / 2).unwrap_or(u16::MAX);
        Ok(Self {
            batchsz: definition.batchsz.min(half_cycle).max(1),
            max_msg_size: maxmsgl.min(room),
            hbint: definition.hbint.max(0),
            seq_wrap: definition.seqwrap,
            dialect: definition.dialect.clone(),
        })
    }
}

/// What both ends hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// FAP level: the lower of the two.
    pub fap_level: u8,
    /// Messages a batch: the smaller.
    pub batchsz: u16,
    /// Largest segment in bytes, TSH included: the smaller.
    pub max_transmission_size: i32,
    /// Largest message in bytes of application data: the smaller.
    pub max_msg_size: i32,
    /// Seconds between heartbeats: the larger, but 0 at either end turns them off; 0 below FAP 4.
    pub heartbeat_interval: i32,
    /// SEQWRAP, equal at both ends.
    pub seq_wrap: i32,
    /// Capabilities that both have.
    pub cap_flags1: CapFlags1,
}

/// What a proposal leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer with these values; the channel is bound.
    Agreed(Agreed),
    /// Answer with these values, ERROR and these marks; the caller asks again.
    Counter(Agreed, Objections),
    /// Cannot be agreed on: tell this code, and log this text.
    Refused(StatusCode, String),
    /// SEQWRAP differs; there is no middle.
    WrapDiffers {
        /// The caller's value.
        theirs: i32,
        /// Ours.
        ours: i32,
    },
}

/// What of a proposal we do not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Objections {
    /// Values.
    pub err_flags1: ErrFlags1,
    /// Values of FAP 9.
    pub err_flags2: ErrFlags2,
    /// Capabilities.
    pub ecap_flags1: CapFlags1,
    /// Capabilities of FAP 4.
    pub ecap_flags2: CapFlags2,
    /// Capabilities of FAP 9.
    pub ecap_flags3: CapFlags3,
}

impl Objections {
    /// Whether they call for another round; flags beyond are only told along with them.
    fn forces_a_round(&self) -> bool {
        !(self.err_flags1.is_empty() && self.err_flags2.is_empty() && self.ecap_flags2.is_empty())
    }
}

/// Whether the kind of caller fits our definition (wire reference, channel flow 1.2, O: else STATUS 2).
///
/// # Errors
/// When it does not; the text says what called what.
pub fn fits_channel_type(theirs: &InitialData, ours: ChannelType) -> Result<(), String> {
    let caps = theirs.cap_flags1;
    let caller = if caps.contains(CapFlags1::MQREQUEST) {
        "an MQI client"
    } else if caps.contains(CapFlags1::REQUEST_INITIATION) {
        if ours == ChannelType::Svr {
            return Ok(());
        }
        "a requester"
    } else {
        match ours {
            ChannelType::Rcvr | ChannelType::Rqstr => return Ok(()),
            ChannelType::Sdr | ChannelType::Svr => "a sender",
        }
    };
    Err(format!("the caller is {caller} (CapFlags1 0x{:02X}), the channel here is {ours:?}", caps.bits()))
}

/// Judges one proposal. `round` counts from 1.
pub fn judge(theirs: &InitialData, ours: &Limits, round: u32) -> Verdict {
    if theirs.fap_level == 0 {
        return Verdict::Refused(StatusCode::FAP_LEVEL, "the caller offers FAP level 0".to_owned());
    }
    if theirs.seq_wrap != ours.seq_wrap {
        return Verdict::WrapDiffers { theirs: theirs.seq_wrap, ours: ours.seq_wrap };
    }
    let requester = theirs.cap_flags1.contains(CapFlags1::REQUEST_INITIATION);
    if !theirs.cap_flags1.contains(CapFlags1::MSG_SEQ) && !requester {
        let why = "the caller does not use message sequence numbers (CapFlags1 0x01)";
        return Verdict::Refused(StatusCode::NEGOTIATION_FAILED, why.to_owned());
    }
    if theirs.max_transmission_size < SMALLEST_TRANSMISSION {
        let why = format!(
            "the caller offers segments of {} bytes, at least {SMALLEST_TRANSMISSION} are needed",
            theirs.max_transmission_size
        );
        return Verdict::Refused(StatusCode::PROTOCOL_INVALID_DATA, why);
    }
    let agreed = agree(theirs, ours);
    let splits = agreed.cap_flags1.contains(CapFlags1::SPLIT_MESSAGE);
    // What does not fit a requester's segments is not sent to it.
    if !splits
        && !requester
        && i64::from(agreed.max_transmission_size) < i64::from(agreed.max_msg_size) + UNSPLIT_OVERHEAD
    {
        let why = format!(
            "the caller cannot split messages, and segments of {} bytes cannot hold messages of {} bytes and {UNSPLIT_OVERHEAD} bytes of headers; set maxmsgl to {} or less",
            agreed.max_transmission_size,
            agreed.max_msg_size,
            (i64::from(agreed.max_transmission_size) - UNSPLIT_OVERHEAD).max(0)
        );
        return Verdict::Refused(StatusCode::NEGOTIATION_FAILED, why);
    }
    let objections = object(theirs, &agreed, round);
    if !objections.forces_a_round() || ours.dialect.counter_proposal == CounterProposal::Silent {
        return Verdict::Agreed(agreed);
    }
    if round >= ROUNDS {
        let why = format!("no agreement after {ROUNDS} rounds; still refused: {}", describe(&objections));
        return Verdict::Refused(StatusCode::NEGOTIATION_FAILED, why);
    }
    Verdict::Counter(agreed, objections)
}

/// The table of agreed values (wire reference, channel flow 1.3).
fn agree(theirs: &InitialData, ours: &Limits) -> Agreed {
    let fap_level = theirs.fap_level.min(theirs.carried_level()).min(ours.dialect.fap.0);
    let heartbeat_interval = match theirs.fap4.as_ref().map_or(0, |fap4| fap4.heartbeat_interval) {
        _ if fap_level < 4 || ours.hbint == 0 => 0,
        theirs if theirs <= 0 => 0,
        theirs => theirs.max(ours.hbint),
    };
    Agreed {
        fap_level,
        batchsz: if theirs.max_msg_per_batch == 0 { ours.batchsz } else { theirs.max_msg_per_batch.min(ours.batchsz) },
        max_transmission_size: theirs.max_transmission_size.min(ours.dialect.max_transmission_size.0),
        max_msg_size: if theirs.max_msg_size <= 0 {
            ours.max_msg_size
        } else {
            theirs.max_msg_size.min(ours.max_msg_size)
        },
        heartbeat_interval,
        seq_wrap: ours.seq_wrap,
        // A requester uses sequence numbers whatever its bits say (channel flow 10).
        cap_flags1: (theirs.cap_flags1 & OUR_CAPS1)
            | if theirs.cap_flags1.contains(CapFlags1::REQUEST_INITIATION) {
                CapFlags1::MSG_SEQ
            } else {
                CapFlags1::empty()
            },
    }
}

fn object(theirs: &InitialData, agreed: &Agreed, round: u32) -> Objections {
    let mut no = Objections::default();
    // A caller that repeats its own level has been told ours; the lower one holds anyway.
    no.err_flags1.set(ErrFlags1::FAP_LEVEL, theirs.fap_level != agreed.fap_level && round == 1);
    no.err_flags1.set(ErrFlags1::MAX_TRANSMISSION_SIZE, theirs.max_transmission_size != agreed.max_transmission_size);
    no.err_flags1.set(ErrFlags1::MAX_MSG_SIZE, theirs.max_msg_size != agreed.max_msg_size);
    no.err_flags1.set(ErrFlags1::MAX_MSG_PER_BATCH, theirs.max_msg_per_batch != agreed.batchsz);
    // A security request is passed over as normal (channel flow 1.3, D).
    no.ecap_flags1 = theirs.cap_flags1 - OUR_CAPS1 - CapFlags1::REQUEST_SECURITY - CapFlags1::REQUEST_INITIATION;
    if let Some(fap4) = &theirs.fap4 {
        no.err_flags1.set(
            ErrFlags1::HEARTBEAT_INTERVAL,
            agreed.fap_level >= 4 && fap4.heartbeat_interval != agreed.heartbeat_interval,
        );
        no.ecap_flags2 = fap4.cap_flags2 & REFUSED_CAPS2;
    }
    if let Some(fap9) = theirs.fap9.as_ref().filter(|_| agreed.fap_level >= 9) {
        let compresses = |list: &[u8]| list.iter().any(|&entry| entry != 0 && entry != 0xFF);
        no.err_flags2.set(ErrFlags2::HDR_COMP_LIST, compresses(&fap9.hdr_comp_list));
        no.err_flags2.set(ErrFlags2::MSG_COMP_LIST, compresses(&fap9.msg_comp_list));
        no.ecap_flags3 = fap9.cap_flags3;
    }
    no
}

fn describe(no: &Objections) -> String {
    let named = [
        (no.err_flags1.contains(ErrFlags1::FAP_LEVEL), "FAP level"),
        (no.err_flags1.contains(ErrFlags1::MAX_TRANSMISSION_SIZE), "max transmission size"),
        (no.err_flags1.contains(ErrFlags1::MAX_MSG_SIZE), "max message size"),
        (no.err_flags1.contains(ErrFlags1::MAX_MSG_PER_BATCH), "messages per batch"),
        (no.err_flags1.contains(ErrFlags1::SEQ_WRAP_VALUE), "sequence wrap"),
        (no.err_flags1.contains(ErrFlags1::HEARTBEAT_INTERVAL), "heartbeat interval"),
        (!no.err_flags2.is_empty(), "compression"),
        (no.ecap_flags2.contains(CapFlags2::DIST_LIST_CAPABLE), "distribution lists"),
        (no.ecap_flags2.contains(CapFlags2::FAST_MESSAGES_REQUIRED), "fast messages"),
        (no.ecap_flags2.contains(CapFlags2::DUAL_UOW), "pipelining"),
        (no.ecap_flags2.intersects(CapFlags2::XAREQUEST | CapFlags2::XARUNTIME_APP | CapFlags2::SPIREQUEST), "XA"),
    ];
    named.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// Our INITIAL_DATA: the agreed values, with the marks of a counter-proposal if there are any.
pub fn answer(channel: &str, identity: &Identity, agreed: &Agreed, dialect: &Dialect, no: &Objections) -> InitialData {
    let fap4 = (agreed.fap_level >= 4).then(|| Fap4 {
        cap_flags2: CapFlags2::empty(),
        ecap_flags2: no.ecap_flags2,
        ccsid: dialect.ccsid.0,
        qmgr_name: Name::fitted(&identity.qmgr_name),
        heartbeat_interval: agreed.heartbeat_interval,
        efl_length: 0,
    });
    let fap9 = (agreed.fap_level >= 9).then(|| Fap9 {
        err_flags2: no.err_flags2,
        reserved103: 0,
        hdr_comp_list: [0, 0xFF],
        msg_comp_list: std::array::from_fn(|entry| if entry == 0 { 0 } else { 0xFF }),
        reserved122: 0,
        ssl_key_reset: 0,
        conv_per_socket: 0,
        cap_flags3: CapFlags3::empty(),
        ecap_flags3: no.ecap_flags3,
        reserved134: 0,
        process_id: 0,
        thread_id: 0,
        trace_id: 0,
        product_id: Name::fitted("MQGW00010000"),
        qmgr_id: Name::fitted(&identity.qmgr_id),
    });
    let fap11 = (agreed.fap_level >= 11).then_some(Fap11 { pal: [0xFF; 20], nonce: [0; 12] });
    InitialData {
        fap_level: agreed.fap_level,
        cap_flags1: agreed.cap_flags1,
        ecap_flags1: no.ecap_flags1,
        err_flags1: no.err_flags1,
        reserved8: 0,
        max_msg_per_batch: agreed.batchsz,
        max_transmission_size: agreed.max_transmission_size,
        max_msg_size: agreed.max_msg_size,
        seq_wrap: agreed.seq_wrap,
        channel_name: Name::fitted(channel),
        fap4,
        fap9,
        fap11,
        rest: bytes::Bytes::new(),
    }
}

/// Values to answer a wrong SEQWRAP with: the caller's own where we do not object, and our SEQWRAP.
pub fn wrap_objection(theirs: &InitialData, ours: &Limits) -> (Agreed, Objections) {
    let no = Objections { err_flags1: ErrFlags1::SEQ_WRAP_VALUE, ..Objections::default() };
    (agree(theirs, ours), no)
}
