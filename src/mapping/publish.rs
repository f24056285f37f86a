//! An envelope as a publication.
//!
//! Never drop, always rename: every field goes out in a field of the publication or in a property with IBM's own name
//! (mapping rules, section 2). Properties of ours start with `MQFERRY_`:
//!
//! | property | what it keeps |
//! |---|---|
//! | `MQFERRY_RemoteQ`, `MQFERRY_RemoteQMgr` | the names in the transmission header, where a route changed them |
//! | `MQFERRY_Rto`, `MQFERRY_Dst`, `MQFERRY_Exp` | what the `jms` folder says and the descriptor does not |
//! | `MQFERRY_Tms` | its time stamp, which a JMS client that sends the message on replaces in JMSTimestamp |
//! | `MQFERRY_jms_NAME`, `MQFERRY_mcd_NAME` | other elements of these folders |
//! | `MQFERRY_RFH2_FOLDER` | a folder as it is: others than `usr`, `mcd`, `jms`, and those where something would be lost |
//! | `MQFERRY_RFH1` | NameValueString of an MQRFH |
//! | `MQFERRY_DLH_FIELD` | an MQDLH that came with the message |
//! | `MQFERRY_CCSID` | CCSID of the body where it is not the descriptor's |
//! | `MQFERRY_Convert` | 2119: the body could not be converted to text |
//! | `MQFERRY_Msd`, `MQFERRY_NullText` | message class where the body has another; text that was null |
//! | `MQFERRY_bin`, `MQFERRY_char`, `MQFERRY_escaped`, `MQFERRY_P_` | see [`super::properties`] |

use std::collections::{BTreeMap, BTreeSet};

use crate::message::constants::{expiry, persistence, report};
use crate::message::{Envelope, FieldValue, Header};

use super::back;
use super::body::{Mcd, body};
use super::descriptor::{Group, set_descriptor};
use super::folders::{self, Folder};
use super::groups::{self, MAX_NAME};
use super::markup::Element;
use super::payload::Payload;
use super::properties::{CLASS, HOPS, MESSAGE_ID, Properties, REPLY_TO};
use super::{
    BodyMode, CodMode, Destination, GroupClose, Policy, PropertyNames, Publication, Routed, UnknownReply, Unmappable,
    Value, correlation, digest, hops, id, names, reason, render, typed,
};

/// A publication and what a person should know about its making.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// What goes to the broker.
    pub publication: Publication,
    /// One line each: what was renamed, kept aside or could not be converted.
    pub notes: Vec<String>,
}

/// Maps a message as it lies on a transmission queue. `now_ms` is the time of its receipt, milliseconds since 1970.
///
/// # Errors
/// Where its transmission header leads nowhere, or it asks for what must not be ignored.
pub fn publish(envelope: &Envelope, policy: &Policy, now_ms: i64) -> Result<Mapped, Unmappable> {
    let routed = routed(envelope, policy)?;
    map_to(envelope, &routed, policy, now_ms)
}

/// Where a message goes by its transmission header.
fn routed(envelope: &Envelope, policy: &Policy) -> Result<Routed, Unmappable> {
    let Some(xqh) = &envelope.xqh else {
        return Err(Unmappable {
            reason: reason::XMIT_Q_MSG_ERROR,
            field: "MQXQH",
            text: "the message has no transmission header, so it has no destination".to_owned(),
        });
    };
    let (queue, qmgr) = (xqh.remote_q_name.as_text(envelope.coding), xqh.remote_q_mgr_name.as_text(envelope.coding));
    policy.route(&queue, &qmgr)
}

/// As [`publish`], the body as bytes whatever it is, because the target would spoil the other form; `why` says what, and goes
/// with the publication as `MQFERRY_BodyKept`.
///
/// # Errors
/// As [`publish`].
pub fn publish_as_bytes(envelope: &Envelope, policy: &Policy, now_ms: i64, why: &str) -> Result<Mapped, Unmappable> {
    let mut routed = routed(envelope, policy)?;
    routed.treatment.body = BodyMode::Bytes;
    let mut mapped = map_to(envelope, &routed, policy, now_ms)?;
    mapped.publication.properties.insert("MQFERRY_BodyKept".into(), Value::String(why.to_owned()));
    mapped.notes.push(format!("published as bytes: {why}"));
    Ok(mapped)
}

/// Maps a message to a destination that is already decided.
///
/// # Errors
/// Where it asks for what must not be ignored.
pub fn map_to(envelope: &Envelope, routed: &Routed, policy: &Policy, now_ms: i64) -> Result<Mapped, Unmappable> {
    let md = &envelope.md;
    let unknown_report = md.report & report::REJECT_UNSUPPORTED_MASK;
    if unknown_report != 0 {
        return Err(Unmappable {
            reason: reason::REPORT_OPTIONS_ERROR,
            field: "Report",
            text: format!(
                "options {unknown_report:#010x} must be understood, and are not; ask the sender what they mean"
            ),
        });
    }
    let mut to = Properties::default();
    to.keep_amqp(routed.treatment.keep_amqp);
    envelope.notes.iter().for_each(|note| to.note(note.clone()));
    let payload = Payload::of(envelope);
    if let Some(name) = payload.foreign {
        to.note(format!("{name} and everything behind it is published as it is"));
    }
    set_descriptor(&payload.described(envelope), Some(envelope), &mut to);
    set_names(envelope, &routed.destination, policy, &mut to);
    set_headers(&payload, &mut to);
    let texts = folders::texts(payload.headers);
    let folders = folders::read(&texts, &mut folders::MAX_ELEMENTS.clone());
    let mcd = Mcd::read(&folders);
    let jms = Jms::read(&folders);
    keep_jms(envelope, &jms, &mut to);
    let body = body(envelope, &payload, routed.treatment.body, &mcd, &mut to);
    let (group_id, group_sequence) = group(envelope, &jms, policy, routed.treatment.group_close, &mut to);
    let expires_at_ms = expires_at(envelope, now_ms, &mut to);
    let (priority, persistent) = (priority(envelope, &mut to), is_persistent(envelope, &mut to));
    let reply_to = reply_to(envelope, policy, &jms, &mut to)?;
    confirmations(md.report, routed.treatment.cod, &mut to);
    set_folders(&folders, &mut to);
    let (message_id, said_reply) = ours_from_mq(envelope, policy, &mut to)?;
    let (mut properties, mut notes) = to.finish();
    if mcd.class.is_some() {
        properties.remove(CLASS); // the body says it now
    }
    let mut publication = Publication {
        destination: routed.destination.clone(),
        persistent,
        priority,
        expires_at_ms,
        message_id,
        correlation_id: (jms.correlation_id.map(str::to_owned))
            .or_else(|| correlation::uuid_text(&md.correl_id).or_else(|| id::optional_text(&md.correl_id))),
        reply_to: reply_to.or(said_reply),
        message_type: mcd.jms_type(),
        group_id,
        group_sequence,
        user_id: Some(md.user_identifier.text(envelope.coding)).filter(|user| !user.is_empty()),
        timestamp_ms: jms.timestamp_ms.unwrap_or_else(|| md.put_millis(envelope.coding)),
        properties,
        body,
    };
    back::keep::keep(&mut publication, envelope, &payload, policy, routed.treatment.keep_amqp, now_ms);
    if routed.treatment.property_names == PropertyNames::Escape {
        notes.append(&mut names::escape(&mut publication));
    }
    Ok(Mapped { publication, notes })
}

/// What we put into the message when it went to MQ: the id that its MsgId was derived from, a reply address that MQ has no
/// field for, and the gateways that it went through, to which we come, or from which we go.
///
/// # Errors
/// Where we are among these, and another after us: it would go round for ever.
fn ours_from_mq(
    envelope: &Envelope,
    policy: &Policy,
    to: &mut Properties,
) -> Result<(Option<String>, Option<Destination>), Unmappable> {
    let md = &envelope.md;
    let message_id = to.take_kept(MESSAGE_ID, |text| digest::derived_id(&policy.broker, text) == md.msg_id);
    let topic = |text: &str| text.parse().ok().filter(|to| matches!(to, Destination::Topic(_)));
    let reply_to = to.take_kept(REPLY_TO, |text| md.reply_to_q.is_blank(envelope.coding) && topic(text).is_some());
    let hops = to.take_kept(HOPS, |_| true).unwrap_or_default();
    if hops::is_loop(&hops, &policy.name) {
        return Err(Unmappable {
            reason: reason::LOOPING,
            field: HOPS,
            text: format!(
                "the message goes round: it went by way of {hops}, and {} carried it before; mend the routes between them",
                policy.name
            ),
        });
    }
    let crossed = hops::crossed(&hops, &policy.name);
    if !crossed.trim().is_empty() {
        to.set_hops(crossed);
    }
    Ok((message_id.or_else(|| id::optional_text(&md.msg_id)), reply_to.as_deref().and_then(topic)))
}

/// The names of the transmission header where the destination does not tell them.
fn set_names(envelope: &Envelope, destination: &Destination, policy: &Policy, to: &mut Properties) {
    let Some(xqh) = &envelope.xqh else { return };
    let (queue, qmgr) = (xqh.remote_q_name.as_text(envelope.coding), xqh.remote_q_mgr_name.as_text(envelope.coding));
    let renamed = !matches!(destination, Destination::Queue(name) if *name == queue);
    if renamed {
        to.set_text("MQFERRY_RemoteQ", queue);
    }
    if renamed || qmgr != policy.name {
        to.set_text("MQFERRY_RemoteQMgr", qmgr);
    }
}

/// An MQDLH or MQRFH in the chain.
fn set_headers(payload: &Payload<'_>, to: &mut Properties) {
    for placed in payload.headers {
        let prefix = match &placed.header {
            Header::Dlh(_) => "MQFERRY_DLH_",
            Header::Rfh(_) => "MQFERRY_RFH1_",
            _ => continue,
        };
        for (field, value) in placed.header.fields(placed.coding) {
            if matches!(field, "StrucId" | "Version" | "StrucLength" | "Encoding" | "CodedCharSetId" | "Format") {
                continue; // fixed, or told of the body
            }
            let name = if field == "NameValueString" { "MQFERRY_RFH1".to_owned() } else { format!("{prefix}{field}") };
            match value {
                FieldValue::Int(0) if field == "Flags" => {}
                FieldValue::Int(value) => to.set_int(name, value),
                FieldValue::Text(text) => to.set_text(name, text),
                FieldValue::Bytes(bytes) => to.set(name, Value::Bytes(bytes)),
            }
        }
    }
}

/// What the `jms` folder says (wire reference, observed, O).
#[derive(Debug, Default)]
struct Jms<'a> {
    /// Cid.
    correlation_id: Option<&'a str>,
    /// Tms: outer none, not said; inner none, 0: the application wanted no time stamp.
    timestamp_ms: Option<Option<i64>>,
    /// Gid.
    group_id: Option<&'a str>,
    /// Seq.
    group_sequence: Option<i32>,
    /// Dst, Rto, Exp.
    destination: Option<&'a str>,
    reply_to: Option<&'a str>,
    expires: Option<i64>,
    /// Pri, Dlv.
    priority: Option<i32>,
    delivery: Option<i32>,
}

impl<'a> Jms<'a> {
    fn read(folders: &'a [Folder<'_>]) -> Self {
        let Some(root) = folders.iter().filter(|f| f.name == "jms").find_map(|f| f.content.as_ref().ok()) else {
            return Self::default();
        };
        let text = |name: &str| root.child(name).map(|e| e.text.as_ref()).filter(|text| !text.is_empty());
        let number = |name: &str| text(name).and_then(|text| text.trim().parse::<i64>().ok());
        let int = |name: &str| number(name).and_then(|n| i32::try_from(n).ok());
        Self {
            correlation_id: text("Cid"),
            timestamp_ms: number("Tms").map(|ms| Some(ms).filter(|ms| *ms != 0)),
            group_id: text("Gid"),
            group_sequence: int("Seq"),
            destination: text("Dst"),
            reply_to: text("Rto"),
            expires: number("Exp"),
            priority: int("Pri"),
            delivery: int("Dlv"),
        }
    }
}

/// What the `jms` folder says beyond, or against, the descriptor; the descriptor decides, the rest is kept.
fn keep_jms(envelope: &Envelope, jms: &Jms<'_>, to: &mut Properties) {
    let coding = envelope.coding;
    let queue = envelope.xqh.as_ref().map(|xqh| xqh.remote_q_name.as_text(coding)).unwrap_or_default();
    if let Some(text) = jms.destination.filter(|text| text.strip_prefix("queue:///") != Some(queue.as_ref())) {
        to.set_text("MQFERRY_Dst", text);
    }
    to.set_text("MQFERRY_Rto", jms.reply_to.unwrap_or_default());
    if let Some(at) = jms.expires.filter(|_| envelope.md.expiry < 0) {
        to.set("MQFERRY_Exp", Value::Long(at));
        to.note("the jms folder has an expiry and the descriptor has none: it does not expire, see MQFERRY_Exp");
    }
    if let Some(ms) = jms.timestamp_ms {
        to.set("MQFERRY_Tms", Value::Long(ms.unwrap_or(0)));
    }
    if let Some(priority) = jms.priority.filter(|priority| *priority != envelope.md.priority) {
        to.set_int("MQFERRY_jms_Pri", priority);
        to.note(format!("priority {} in MQMD, {priority} in the jms folder: MQMD decides", envelope.md.priority));
    }
    let delivery = if envelope.md.persistence == persistence::NOT_PERSISTENT { 1 } else { 2 };
    if let Some(said) = jms.delivery.filter(|said| *said != delivery) {
        to.set_int("MQFERRY_jms_Dlv", said);
        to.note(format!("delivery mode {delivery} in MQMD, {said} in the jms folder: MQMD decides"));
    }
}

/// JMSXGroupID and JMSXGroupSeq (mapping rules, section 7). The folder has the id as the application wrote it, which counts as
/// long as it stands for the descriptor's bytes.
fn group(
    envelope: &Envelope,
    jms: &Jms<'_>,
    policy: &Policy,
    close: GroupClose,
    to: &mut Properties,
) -> (Option<String>, Option<i32>) {
    let group = Group::of(envelope);
    if !group.is_in {
        to.set_text("MQFERRY_jms_Gid", jms.group_id.unwrap_or_default()); // a group of the folder's alone
        return (jms.group_id.map(str::to_owned), jms.group_sequence);
    }
    let stands_for =
        |text: &str| id::bytes_of_text(text).unwrap_or_else(|| digest::derived_id(&policy.broker, text)) == group.id;
    let id = match jms.group_id {
        Some(text) if stands_for(text) => text.to_owned(),
        Some(text) => {
            to.set_text("MQFERRY_jms_Gid", text);
            to.note(format!("group {text:?} in the jms folder is not GroupId: the descriptor decides"));
            id::text(&group.id)
        }
        None => id::text(&group.id),
    };
    if let Some(said) = jms.group_sequence.filter(|said| *said != group.sequence) {
        to.set_int("MQFERRY_jms_Seq", said);
        to.note(format!("number {} in the group by MQMD, {said} in the jms folder: MQMD decides", group.sequence));
    }
    if close == GroupClose::OnLast && group.is_last {
        to.set_int("JMS_IBM_MQMD_MsgSeqNumber", group.sequence);
        return (Some(id), Some(-1));
    }
    (Some(id), Some(group.sequence))
}

/// Confirmation on delivery, where nobody will give it.
fn confirmations(report: i32, cod: CodMode, to: &mut Properties) {
    if report & report::COD != 0 && cod == CodMode::Reject {
        to.note("it asks for confirmation on delivery, which is never sent: a broker does not tell who took it (cod = reject)");
    }
}

/// Section 6: tenths of a second that are left, counted from receipt.
fn expires_at(envelope: &Envelope, now_ms: i64, to: &mut Properties) -> Option<i64> {
    match envelope.md.expiry {
        expiry::UNLIMITED => None,
        tenths @ 1.. => Some(now_ms.saturating_add(i64::from(tenths) * 100)),
        odd => {
            to.note(format!("Expiry {odd} is neither -1 nor above 0: it does not expire"));
            to.set_int("JMS_IBM_MQMD_Expiry", odd);
            None
        }
    }
}

fn priority(envelope: &Envelope, to: &mut Properties) -> u8 {
    let said = envelope.md.priority;
    match u8::try_from(said) {
        Ok(priority @ 0..=9) => priority,
        _ => {
            let priority = if said > 9 { 9 } else { 4 };
            to.note(format!("Priority {said} is not 0 to 9: {priority}"));
            to.set_int("JMS_IBM_MQMD_Priority", said);
            priority
        }
    }
}

fn is_persistent(envelope: &Envelope, to: &mut Properties) -> bool {
    let said = envelope.md.persistence;
    if !matches!(said, persistence::NOT_PERSISTENT | persistence::PERSISTENT) {
        to.note(format!("Persistence {said} is neither 0 nor 1: persistent, to be safe"));
        to.set_int("JMS_IBM_MQMD_Persistence", said);
    }
    said != persistence::NOT_PERSISTENT
}

fn reply_to(
    envelope: &Envelope,
    policy: &Policy,
    jms: &Jms<'_>,
    to: &mut Properties,
) -> Result<Option<Destination>, Unmappable> {
    let coding = envelope.coding;
    let queue = envelope.md.reply_to_q.as_text(coding);
    let qmgr = envelope.md.reply_to_q_mgr.as_text(coding);
    if queue.is_empty() {
        if let Some(text) = &jms.reply_to {
            to.note(format!("replies are wanted at {text:?}, which ActiveMQ cannot reach: see MQFERRY_Rto"));
        }
        return Ok(None);
    }
    if qmgr.is_empty() {
        to.note("ReplyToQMgr is blank, which a queue manager never sends: taken as ours");
    }
    match policy.reply_route(&queue, &qmgr) {
        Ok(destination) => Ok(Some(destination)),
        Err(error) if error.reason == reason::UNKNOWN_REMOTE_Q_MGR && policy.unknown_reply == UnknownReply::Reject => {
            Err(error)
        }
        Err(error) => {
            to.note(format!("no reply address: {}", error.text));
            Ok(None)
        }
    }
}

/// Properties of the application, other folders, and folders of which something would be lost.
fn set_folders(folders: &[Folder<'_>], to: &mut Properties) {
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut jms_seen, mut mcd_seen) = (false, false);
    for folder in folders {
        let keep = match (folder.name, &folder.content) {
            (name, Err(error)) => {
                to.note(format!("folder {name} cannot be read, kept as it is: {error}"));
                true
            }
            ("usr", Ok(root)) => !set_usr(root, to),
            ("jms", Ok(root)) => !set_rest("jms", root, jms_seen, to),
            ("mcd", Ok(root)) => !set_rest("mcd", root, mcd_seen, to),
            (_, Ok(_)) => true,
        };
        jms_seen |= folder.name == "jms";
        mcd_seen |= folder.name == "mcd";
        if keep {
            let name = if folder.name.len() <= MAX_NAME { folder.name } else { folders::UNNAMED };
            let number = kept.entry(name).and_modify(|n| *n += 1).or_insert(1);
            let base = super::properties::escape_beyond_bmp(name);
            let name =
                if *number == 1 { format!("MQFERRY_RFH2_{base}") } else { format!("MQFERRY_RFH2_{base}_{number}") };
            to.set(name, Value::String(folder.text.clone().into_owned()));
        }
    }
}

/// Sets the properties of a `usr` folder; false where that loses something, so that the folder must be kept.
fn set_usr(root: &Element<'_>, to: &mut Properties) -> bool {
    let mut whole = root.attributes.is_empty() && root.text.trim().is_empty();
    if !whole {
        to.note("folder usr has more than properties: kept as it is, too");
    }
    for child in &root.children {
        if child.children.is_empty() && child.name.len() <= MAX_NAME {
            whole &= set_property(render::restore_name(child.name), child, to);
            continue;
        }
        let properties = groups::Properties::of(child);
        if properties.too_long {
            to.note(format!("a property's name has more than {MAX_NAME} bytes, or those of a group multiply: folder usr is kept as it is, too"));
            whole = false;
        }
        if let Some(name) = properties.mixed {
            to.note(format!("property {name:?} has text and elements: folder usr is kept as it is, too"));
            whole = false;
        }
        for (name, element) in properties.all {
            whole &= set_property(name, element, to);
        }
    }
    whole
}

/// Sets one property of a `usr` folder; false where that loses something.
fn set_property(name: String, element: &Element<'_>, to: &mut Properties) -> bool {
    let mut whole = !element.attributes.iter().any(|(name, _)| name != "dt" && !name.ends_with("nil"));
    let value = typed::value(element).unwrap_or_else(|misfit| {
        to.note(format!("property {misfit}: a string now, and folder usr is kept as it is, too"));
        whole = false;
        Value::String(element.text.clone().into_owned())
    });
    if let Err(name) = to.set_application(name, value) {
        to.note(format!("property {name:?} occurs twice: the first counts, and folder usr is kept as it is, too"));
        whole = false;
    }
    whole
}

/// Sets what a `jms` or `mcd` folder has beyond the elements that the mapping knows; false where the folder must be kept.
fn set_rest(folder: &str, root: &Element<'_>, seen: bool, to: &mut Properties) -> bool {
    if seen {
        to.note(format!("folder {folder} occurs twice: the first counts, the other is kept as it is"));
        return false;
    }
    let known: &[&str] = if folder == "jms" { &back::JMS } else { &back::MCD };
    let mut whole = root.attributes.is_empty() && root.text.trim().is_empty();
    let mut names = BTreeSet::new();
    let mut known_seen = 0_u32;
    for element in &root.children {
        let place = known.iter().position(|known| *known == element.name);
        let first = match place {
            Some(place) => {
                let bit = 1 << place;
                let first = known_seen & bit == 0;
                known_seen |= bit;
                first
            }
            None => names.insert(element.name),
        };
        match place {
            _ if !first => {
                whole = false;
                continue;
            }
            Some(_) => continue,
            None => {}
        }
        let value =
            typed::value(element).ok().filter(|_| element.children.is_empty() && element.name.len() <= MAX_NAME);
        match value {
            Some(value) => {
                let name = super::properties::escape_beyond_bmp(element.name);
                to.set(format!("MQFERRY_{folder}_{name}"), value);
            }
            None => whole = false,
        }
    }
    if !whole {
        to.note(format!("folder {folder} has more than the mapping knows: kept as it is, too"));
    }
    whole
}
