//! What goes to the dead-letter queue: the message with an MQDLH in front.

use bytes::Bytes;

use crate::message::constants::{appl_type, format, persistence};
use crate::message::{Chars, Coding, Description, Dlh, Envelope, Md, Xqh, put_time_of_millis};

use super::descriptor::{Described, set_descriptor};
use super::properties::Properties;
use super::{Body, Destination, Mapped, Publication, Value, id, reason};

/// A message that cannot be delivered.
#[derive(Clone, Copy, Debug)]
pub enum Original<'a> {
    /// One that could be taken apart.
    Parsed(&'a Envelope),
    /// One whose transmission header or descriptor is broken.
    Broken {
        /// The message as it came, unjoined.
        parts: &'a [Bytes],
        /// Encoding of the segment: 273 or 546.
        encoding: i32,
        /// CCSID of the segment.
        ccsid: i32,
    },
}

/// Makes the publication for the dead-letter queue `deadq`: bytes, an MQDLH and behind it everything that came behind the
/// descriptor, as a queue manager would put it (wire reference, headers, D); of a broken message all of it. Give 271
/// as `reason` for a broken one. No byte is lost: transmission header and descriptor are in `MQFERRY_XQH` as hex digits, and the
/// descriptor's fields in their properties as ever. It never expires. `text` says why in words.
///
/// The reason is in `MQFERRY_Reason`, `MQFERRY_ReasonName` and `MQFERRY_ReasonText`, where it was for in `MQFERRY_RemoteQ` and
/// `MQFERRY_RemoteQMgr`.
pub fn dead_letter(original: &Original<'_>, reason: i32, text: &str, deadq: &Destination, now_ms: i64) -> Mapped {
    let mut to = Properties::default();
    to.set_int("MQFERRY_Reason", reason);
    to.set_text("MQFERRY_ReasonName", reason::name(reason));
    to.set_text("MQFERRY_ReasonText", text);
    let coding = Coding::default();
    let (queue, qmgr, behind, described) = match original {
        Original::Parsed(envelope) => {
            envelope.notes.iter().for_each(|note| to.note(note.clone()));
            let name = |field: fn(&Xqh) -> &Chars<48>| {
                envelope.xqh.as_ref().map(|xqh| field(xqh).text(envelope.coding)).unwrap_or_default()
            };
            let (queue, qmgr) = (name(|xqh| &xqh.remote_q_name), name(|xqh| &xqh.remote_q_mgr_name));
            let format = Chars::from_text_cut(&envelope.outer_format(), coding);
            (queue, qmgr, envelope.data(), Description { format, ..envelope.md.describes() })
        }
        Original::Broken { parts, encoding, ccsid } => {
            let format = Chars::from_text_cut(format::XMIT_Q_HEADER, coding);
            let described = Description { encoding: *encoding, ccsid: *ccsid, format };
            (String::new(), String::new(), Bytes::from(parts.concat()), described)
        }
    };
    to.set_text("MQFERRY_RemoteQ", &queue);
    to.set_text("MQFERRY_RemoteQMgr", &qmgr);
    let (date, time) = put_time_of_millis(now_ms).unwrap_or_default();
    let dlh = Dlh {
        reason,
        dest_q_name: Chars::from_text_cut(&queue, coding),
        dest_q_mgr_name: Chars::from_text_cut(&qmgr, coding),
        encoding: described.encoding,
        coded_char_set_id: described.ccsid,
        format: described.format,
        put_appl_type: appl_type::DQM,
        put_appl_name: Chars::from_text_cut("mqferry", coding),
        put_date: Chars::from_text_cut(&date, coding),
        put_time: Chars::from_text_cut(&time, coding),
    };
    let mut body = Vec::with_capacity(Dlh::LENGTH + behind.len());
    dlh.encode_to(&mut body, coding);
    body.extend_from_slice(&behind);
    let outer = Description {
        encoding: coding.encoding(),
        ccsid: coding.ccsid(),
        format: Chars::from_text_cut(format::DEAD_LETTER_HEADER, coding),
    };
    let envelope = match original {
        Original::Parsed(envelope) => Some(*envelope),
        Original::Broken { .. } => None,
    };
    set_descriptor(
        &Described {
            outer,
            outer_format: format::DEAD_LETTER_HEADER.into(),
            format: format::DEAD_LETTER_HEADER,
            ccsid: coding.ccsid(),
            encoding: coding.encoding(),
        },
        envelope,
        &mut to,
    );
    if let Some(envelope) = envelope {
        to.set_int("JMS_IBM_MQMD_Expiry", envelope.md.expiry);
        let head: Vec<u8> = envelope.parts().iter().flatten().copied().take(Xqh::LENGTH + Md::LENGTH_1).collect();
        if envelope.xqh.is_some() {
            to.set_text("MQFERRY_XQH", id::hex(&head));
        }
    }
    let md = envelope.map(|envelope| &envelope.md);
    let (properties, notes) = to.finish();
    let publication = Publication {
        destination: deadq.clone(),
        persistent: md.is_none_or(|md| md.persistence != persistence::NOT_PERSISTENT),
        priority: md.and_then(|md| u8::try_from(md.priority).ok()).map_or(4, |priority| priority.min(9)),
        expires_at_ms: None,
        message_id: md.and_then(|md| id::optional_text(&md.msg_id)),
        correlation_id: md.and_then(|md| id::optional_text(&md.correl_id)),
        reply_to: None,
        message_type: None,
        group_id: None,
        group_sequence: None,
        user_id: envelope.map(|e| e.md.user_identifier.text(e.coding)).filter(|user| !user.is_empty()),
        timestamp_ms: envelope.and_then(|e| e.md.put_millis(e.coding)),
        properties,
        body: Body::Bytes(Bytes::from(body)),
    };
    Mapped { publication, notes }
}
/// A publication that cannot go to MQ, for the dead-letter queue `deadq`: as it is, and beside its properties
/// `MQFERRY_Reason`, `MQFERRY_ReasonName`, `MQFERRY_ReasonText`, and `MQFERRY_From`, the destination that it was taken from. It
/// never expires.
pub fn undeliverable(publication: &Publication, reason: i32, text: &str, deadq: &Destination) -> Publication {
    let mut dead = publication.clone();
    let from = std::mem::replace(&mut dead.destination, deadq.clone());
    dead.expires_at_ms = None;
    let texts =
        [("ReasonName", reason::name(reason).to_owned()), ("ReasonText", text.to_owned()), ("From", from.to_string())];
    dead.properties.insert("MQFERRY_Reason".into(), Value::Int(reason));
    dead.properties.extend(texts.map(|(name, text)| (format!("MQFERRY_{name}").into(), Value::String(text))));
    dead
}
