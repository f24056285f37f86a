//! A publication's descriptor: MQMD, and the version 2 fields that travel in an MQMDE (mapping rules, sections 2, 4, 6, 7).

use std::borrow::Cow;

use crate::message::constants::{appl_type, expiry, msg_flags, msg_type, persistence};
use crate::message::{Chars, Coding, Md, MdV2};

use super::super::descriptor::REPORTS;
use super::super::digest::derived_id;
use super::super::{BadCorrelation, Unmappable, correlation, id, reason};
use super::address::ReplyTo;
use super::view::View;

/// The descriptor but for Encoding, CodedCharSetId and Format, which the headers decide.
///
/// `now_ms` fills in what an application of the broker's side did not say.
pub(super) fn descriptor(
    view: &mut View<'_>,
    reply: &ReplyTo,
    user: &str,
    broker: &str,
    coding: Coding,
    now_ms: i64,
) -> Md {
    let publication = view.publication;
    let mut md = Md::new(coding);
    md.report = report(view);
    md.msg_type = view.int("JMS_IBM_MsgType").or_else(|| view.int("JMS_IBM_MQMD_MsgType")).unwrap_or({
        // A topic for replies has no field, and IBM's client makes no request of such a message (O).
        if reply.queue.is_empty() { msg_type::DATAGRAM } else { msg_type::REQUEST }
    });
    md.expiry = expiry::UNLIMITED;
    md.feedback = view.int("JMS_IBM_Feedback").or_else(|| view.int("JMS_IBM_MQMD_Feedback")).unwrap_or(0);
    md.priority = i32::from(publication.priority.min(9));
    md.persistence = if publication.persistent { persistence::PERSISTENT } else { persistence::NOT_PERSISTENT };
    md.msg_id = msg_id(view, broker);
    md.correl_id = correl_id(view, reply, broker);
    let mut cut = Vec::new();
    let mut chars = Filler { coding, cut: &mut cut };
    md.reply_to_q = chars.fill("ReplyToQ", &reply.queue);
    md.reply_to_q_mgr = chars.fill("ReplyToQMgr", &reply.qmgr);
    md.user_identifier = chars.fill("UserIdentifier", user);
    md.accounting_token = view
        .text("JMS_IBM_MQMD_AccountingToken")
        .and_then(id::unhex)
        .and_then(|bytes| bytes.try_into().ok())
        .unwrap_or_default();
    md.appl_identity_data =
        chars.fill("ApplIdentityData", &view.our_text("JMS_IBM_MQMD_ApplIdentityData").unwrap_or_default());
    let appl_type = view.int("JMS_IBM_PutApplType").or_else(|| view.int("JMS_IBM_MQMD_PutApplType"));
    md.put_appl_type = appl_type.unwrap_or(appl_type::JAVA);
    let appl_name = view.our_text("JMSXAppID").or_else(|| view.our_text("JMS_IBM_MQMD_PutApplName"));
    md.put_appl_name = chars.fill("PutApplName", &appl_name.unwrap_or_default());
    md.appl_origin_data =
        chars.fill("ApplOriginData", &view.our_text("JMS_IBM_MQMD_ApplOriginData").unwrap_or_default());
    match (publication.timestamp_ms, view.is_from_mq) {
        (Some(ms), _) => md.set_put_millis(ms, coding),
        (None, true) => {
            md.put_date = chars.fill("PutDate", &view.our_text("JMS_IBM_PutDate").unwrap_or_default());
            md.put_time = chars.fill("PutTime", &view.our_text("JMS_IBM_PutTime").unwrap_or_default());
        }
        (None, false) => md.set_put_millis(now_ms, coding),
    }
    view.notes.append(&mut cut);
    md
}

/// The user that the publication says it is from: the one that it had in MQ, or JMSXUserID.
pub(super) fn said_user<'a>(view: &View<'a>) -> Cow<'a, str> {
    let publication = view.publication;
    view.our_text("JMS_IBM_MQMD_UserIdentifier")
        .unwrap_or_else(|| publication.user_id.as_deref().filter(|_| !view.is_from_mq).unwrap_or_default().into())
}

/// Fills text fields, and notes what did not fit.
struct Filler<'a> {
    coding: Coding,
    cut: &'a mut Vec<String>,
}

impl Filler<'_> {
    fn fill<const N: usize>(&mut self, field: &str, text: &str) -> Chars<N> {
        Chars::from_text(text, self.coding).unwrap_or_else(|unfit| {
            self.cut.push(format!("{field} is cut or has characters replaced: {unfit}"));
            Chars::from_text_cut(text, self.coding)
        })
    }
}

/// Split options win over the whole in what they can say; the rest is of the whole.
fn report(view: &View<'_>) -> i32 {
    let whole = view.int("JMS_IBM_MQMD_Report").unwrap_or(0);
    if !view.has_under("JMS_IBM_Report_") {
        return whole;
    }
    let (mut split, mut mask, mut any) = (0, 0, false);
    for (name, bits) in REPORTS {
        mask |= bits;
        if let Some(value) = view.int(name) {
            any = true;
            split |= value & bits;
        }
    }
    if any { split | (whole & !mask) } else { whole }
}

/// Tenths of a second that are left, rounded up; `None`: it has expired.
///
/// # Errors
/// Where nothing is left.
pub(super) fn expiry_tenths(view: &View<'_>, now_ms: i64) -> Result<i32, Unmappable> {
    let Some(at) = view.publication.expires_at_ms.filter(|at| *at != 0) else {
        let odd = view.int("JMS_IBM_MQMD_Expiry").filter(|odd| *odd <= 0);
        return Ok(odd.unwrap_or(expiry::UNLIMITED));
    };
    let left = at.saturating_sub(now_ms);
    if left <= 0 {
        return Err(Unmappable {
            reason: reason::EXPIRATION,
            field: "Expiry",
            text: format!("it expired {} ms ago", left.saturating_neg()),
        });
    }
    let tenths = left / 100 + i64::from(left % 100 != 0);
    Ok(i32::try_from(tenths).unwrap_or(MOST_TENTHS).min(MOST_TENTHS))
}

const MOST_TENTHS: i32 = 999_999_999;

/// 24 bytes for a message id: its own where it is one of MQ's, else derived, so that they are the same on every try.
fn msg_id(view: &View<'_>, broker: &str) -> [u8; 24] {
    let publication = view.publication;
    match &publication.message_id {
        Some(text) => of_mq(text).unwrap_or_else(|| derived_id(broker, text)),
        None if view.is_from_mq => [0; 24],
        None => {
            // No broker hands over such a message; two of the same content at the same moment would be one.
            let about = format!("{}\0{:?}\0{:?}", publication.destination, publication.timestamp_ms, publication.body);
            derived_id(broker, &about)
        }
    }
}

/// The bytes of an id that is shown as MQ's are: `ID:` and 48 lower-case hex digits.
pub(super) fn of_mq(text: &str) -> Option<[u8; 24]> {
    let digits = text.strip_prefix("ID:")?;
    let lower = digits.len() == 48 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    id::bytes_of_text(text).filter(|_| lower)
}

/// A request's UUID in full, for its answer will have nothing else to go by; otherwise as IBM's client makes it.
fn correl_id(view: &View<'_>, reply: &ReplyTo, broker: &str) -> [u8; 24] {
    let Some(text) = &view.publication.correlation_id else { return [0; 24] };
    if !reply.queue.is_empty()
        && let Some(bytes) = correlation::of_uuid(text)
    {
        return bytes;
    }
    // An id of the broker's own making: what MQ knows that message by, if we carried it.
    let foreign = text.starts_with("AMQP_UUID:") || text.starts_with("AMQP_ULONG:");
    id::bytes_of_text(text).filter(|_| !foreign).unwrap_or_else(|| derived_id(broker, text))
}

/// A JMSCorrelationID that looks like an id of MQ's and is none, as its route has it; one that came from MQ with its CorrelId is none.
///
/// # Errors
/// Where the route refuses it.
pub(super) fn bad_correlation(
    view: &mut View<'_>,
    md: &mut Md,
    wanted: BadCorrelation,
    broker: &str,
) -> Result<(), Unmappable> {
    let Some(text) = view.publication.correlation_id.as_deref() else { return Ok(()) };
    let is_bad =
        text.starts_with("ID:") && id::bytes_of_text(text).is_none() && md.correl_id == derived_id(broker, text);
    if !is_bad {
        return Ok(());
    }
    let why =
        format!("JMSCorrelationID {:?} begins ID: and is not an even number of at most 48 hex digits", short(text));
    match wanted {
        BadCorrelation::Derive => view.notes.push(format!("{why}: CorrelId is derived from it")),
        BadCorrelation::Text => {
            md.correl_id = [0; 24];
            md.correl_id.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
            view.notes.push(format!("{why}: CorrelId is the beginning of the text"));
        }
        BadCorrelation::Refuse => {
            let text = format!("{why}; mend the sender, or set bad_correlation = \"derive\" on its route");
            return Err(Unmappable { reason: reason::CORREL_ID_ERROR, field: "CorrelId", text });
        }
    }
    Ok(())
}

/// The beginning of what may be long.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Group and segment fields.
pub(super) fn v2(view: &View<'_>, broker: &str) -> MdV2 {
    const GROUP: i32 = msg_flags::MSG_IN_GROUP | msg_flags::LAST_MSG_IN_GROUP;
    let publication = view.publication;
    let mut flags = view.int("JMS_IBM_MQMD_MsgFlags").unwrap_or(0) & !msg_flags::LAST_MSG_IN_GROUP;
    // A group that only the jms folder names, as it came, is none of the descriptor's.
    let is_last = view.is_true("JMS_IBM_Last_Msg_In_Group");
    let of_folder = flags & GROUP == 0
        && !is_last
        && view.our_text("MQFERRY_jms_Gid").as_deref() == publication.group_id.as_deref();
    let group = publication.group_id.as_ref().filter(|_| !of_folder);
    let group_id = match group {
        Some(text) => {
            if flags & GROUP == 0 && !is_last {
                flags |= msg_flags::MSG_IN_GROUP;
            }
            id::bytes_of_text(text).unwrap_or_else(|| derived_id(broker, text))
        }
        None => {
            flags &= !GROUP;
            view.text("JMS_IBM_MQMD_GroupId").and_then(id::bytes_of_text).unwrap_or_default()
        }
    };
    if group.is_some() && is_last {
        flags |= msg_flags::LAST_MSG_IN_GROUP;
    }
    let kept = view.int("JMS_IBM_MQMD_MsgSeqNumber");
    let number = match (group, publication.group_sequence) {
        (Some(_), Some(-1)) => kept, // the end of a group, as ActiveMQ is told of it
        (Some(_), Some(number)) if number >= 1 || view.is_from_mq => Some(number),
        _ => kept,
    };
    MdV2 {
        group_id,
        msg_seq_number: number.unwrap_or(1),
        offset: view.int("JMS_IBM_MQMD_Offset").unwrap_or(0),
        msg_flags: flags,
        original_length: view.int("JMS_IBM_MQMD_OriginalLength").unwrap_or(-1),
    }
}

/// Whether an id that an application wrote comes back from 24 bytes as it is.
pub(super) fn comes_back(text: &str) -> bool {
    of_mq(text).is_some_and(|bytes| !id::is_zero(&bytes))
}
