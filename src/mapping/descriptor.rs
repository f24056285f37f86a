//! The descriptor's fields as properties with IBM's names (mapping rules, section 2).

use std::borrow::Cow;

use crate::message::constants::{msg_flags, report};
use crate::message::{Description, Envelope, Header, MdV2};

use super::properties::Properties;
use super::{Value, charset, id};

/// Group and segment fields under plain names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// GroupId.
    pub(super) id: [u8; 24],
    /// MsgSeqNumber.
    pub(super) sequence: i32,
    /// Whether MsgFlags says that the message is in a group.
    pub(super) is_in: bool,
    /// Whether it is the group's last.
    pub(super) is_last: bool,
}

impl Group {
    /// From a version 2 descriptor or an MQMDE; the defaults without either.
    pub(super) fn of(envelope: &Envelope) -> Self {
        let v2 = envelope.v2().cloned().unwrap_or_default();
        let bits = msg_flags::MSG_IN_GROUP | msg_flags::LAST_MSG_IN_GROUP;
        Self {
            id: v2.group_id,
            sequence: v2.msg_seq_number,
            is_in: v2.msg_flags & bits != 0,
            is_last: v2.msg_flags & msg_flags::LAST_MSG_IN_GROUP != 0,
        }
    }
}

/// What describes a publication's body to who knows IBM's property names.
pub(super) struct Described<'a> {
    /// What the descriptor says, as an application reads it: that of an MQMDE, which only exists in transit, counts.
    pub(super) outer: Description,
    /// `outer`'s format as text.
    pub(super) outer_format: Cow<'a, str>,
    /// Format of the body.
    pub(super) format: &'a str,
    /// CCSID of the body.
    pub(super) ccsid: i32,
    /// Encoding of the body.
    pub(super) encoding: i32,
}

/// What the descriptor says of what follows it, MQMDE skipped, with the format as text.
pub(super) fn outer(envelope: &Envelope) -> (Description, Cow<'_, str>) {
    match envelope.chain.first() {
        Some(first) if matches!(first.header, Header::Mde(_)) => {
            let described = first.header.describes();
            (described, described.format.text(first.coding).into())
        }
        _ => (envelope.md.describes(), envelope.md.format.as_text(envelope.coding)),
    }
}

/// Sets the properties that say what the body is, and one for each field of the descriptor, if there is one, that has no place of its
/// own in a publication, or that would lose something there.
///
/// In the order of their names, in which they are kept: each goes to the end.
pub(super) fn set_descriptor(described: &Described<'_>, envelope: Option<&Envelope>, to: &mut Properties) {
    let coding = envelope.map(|envelope| envelope.coding).unwrap_or_default();
    let md = envelope.map(|envelope| &envelope.md);
    let v2 = envelope.and_then(|envelope| Some((envelope.v2()?, Group::of(envelope))));
    if let Some(md) = md {
        to.set_text("JMSXAppID", md.put_appl_name.as_text(coding));
    }
    if described.ccsid > 0 {
        to.set("JMS_IBM_Character_Set", Value::String(charset::java_name(described.ccsid)));
    }
    to.set_int("JMS_IBM_Encoding", described.encoding);
    if let Some(md) = md.filter(|md| md.feedback != 0) {
        to.set_int("JMS_IBM_Feedback", md.feedback);
    }
    to.set("JMS_IBM_Format", Value::String(described.format.to_owned()));
    if v2.is_some_and(|(_, group)| group.is_last) {
        to.set("JMS_IBM_Last_Msg_In_Group", Value::Boolean(true));
    }
    if let Some(md) = md {
        if !id::is_zero(&md.accounting_token) {
            to.set("JMS_IBM_MQMD_AccountingToken", Value::String(id::hex(&md.accounting_token)));
        }
        to.set_text("JMS_IBM_MQMD_ApplIdentityData", md.appl_identity_data.as_text(coding));
        to.set_text("JMS_IBM_MQMD_ApplOriginData", md.appl_origin_data.as_text(coding));
        to.set_int("JMS_IBM_MQMD_BackoutCount", md.backout_count);
    }
    to.set_int("JMS_IBM_MQMD_CodedCharSetId", described.outer.ccsid);
    to.set_int("JMS_IBM_MQMD_Encoding", described.outer.encoding);
    to.set("JMS_IBM_MQMD_Format", Value::String(described.outer_format.as_ref().to_owned()));
    if let Some((v2, group)) = &v2 {
        set_v2(v2, group, to);
    }
    if let Some(md) = md {
        to.set_text("JMS_IBM_MQMD_ReplyToQ", md.reply_to_q.as_text(coding));
        to.set_text("JMS_IBM_MQMD_ReplyToQMgr", md.reply_to_q_mgr.as_text(coding));
        to.set_int("JMS_IBM_MQMD_Report", md.report);
        to.set_text("JMS_IBM_MQMD_UserIdentifier", md.user_identifier.as_text(coding));
        to.set_int("JMS_IBM_MsgType", md.msg_type);
        to.set_int("JMS_IBM_PutApplType", md.put_appl_type);
        to.set_text("JMS_IBM_PutDate", md.put_date.as_text(coding));
        to.set_text("JMS_IBM_PutTime", md.put_time.as_text(coding));
        if md.report != 0 {
            for (name, bits) in REPORTS {
                if md.report & bits != 0 {
                    to.set_int(name, md.report & bits);
                }
            }
        }
    }
    if described.ccsid != described.outer.ccsid {
        to.set_int("MQFERRY_CCSID", described.ccsid); // names of charsets do not lead back to one CCSID
    }
}

fn set_v2(v2: &MdV2, group: &Group, to: &mut Properties) {
    let is_segment = v2.msg_flags & (msg_flags::SEGMENT | msg_flags::LAST_SEGMENT) != 0;
    // Within a group these are JMSXGroupID and JMSXGroupSeq; a segment needs them too to be put together.
    if !group.is_in && !id::is_zero(&v2.group_id) {
        to.set("JMS_IBM_MQMD_GroupId", Value::String(id::text(&v2.group_id)));
    }
    if v2.msg_flags != 0 {
        to.set_int("JMS_IBM_MQMD_MsgFlags", v2.msg_flags);
    }
    if !group.is_in && (is_segment || v2.msg_seq_number != 1) {
        to.set_int("JMS_IBM_MQMD_MsgSeqNumber", v2.msg_seq_number);
    }
    if is_segment || v2.offset != 0 {
        to.set_int("JMS_IBM_MQMD_Offset", v2.offset);
    }
    if v2.original_length != -1 {
        to.set_int("JMS_IBM_MQMD_OriginalLength", v2.original_length);
    }
}

/// The properties into which IBM's JMS client splits Report.
pub(super) const REPORTS: [(&str, i32); 9] = [
    ("JMS_IBM_Report_Exception", report::EXCEPTION_WITH_FULL_DATA),
    ("JMS_IBM_Report_Expiration", report::EXPIRATION_WITH_FULL_DATA),
    ("JMS_IBM_Report_COA", report::COA_WITH_FULL_DATA),
    ("JMS_IBM_Report_COD", report::COD_WITH_FULL_DATA),
    ("JMS_IBM_Report_PAN", report::PAN),
    ("JMS_IBM_Report_NAN", report::NAN),
    ("JMS_IBM_Report_Pass_Msg_ID", report::PASS_MSG_ID),
    ("JMS_IBM_Report_Pass_Correl_ID", report::PASS_CORREL_ID),
    ("JMS_IBM_Report_Discard_Msg", report::DISCARD_MSG),
];
