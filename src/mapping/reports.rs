//! Report messages that we make: confirmation of arrival and of delivery, expiration and exception (mapping rules, section 2).

use crate::message::constants::{appl_type, msg_type, report};
use crate::message::{Chars, Coding, Envelope, Md, Xqh};

use super::{
    BodyMode, CodMode, Mapped, MqMessage, Policy, Routed, Treatment, Unmappable, Value, map_to, properties, reason,
};

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The broker has it: we are where it arrives.
    Arrived,
    /// Somebody took it from the broker.
    Delivered,
    /// Its time ran out.
    Expired,
    /// It cannot be delivered, for this reason code.
    Failed(i32),
}

/// Whether a message asks for any report that we can make, and says where it goes.
pub fn asks(original: &Envelope) -> bool {
    const ANY: i32 = report::COA | report::COD | report::EXPIRATION | report::EXCEPTION;
    original.md.report & ANY != 0 && !original.md.reply_to_q.is_blank(original.coding)
}

/// Whether its sender wants it thrown away, and not put to a dead-letter queue, if it cannot be delivered.
pub fn discards(original: &Envelope) -> bool {
    original.md.report & report::DISCARD_MSG != 0
}

/// What there is to report once a message is where it went: at its destination, or `lost`.
pub fn events(original: &Envelope, policy: &Policy, lost: Option<Event>) -> Vec<Event> {
    match (lost, cod(original, policy)) {
        (Some(event), _) => vec![event],
        (None, CodMode::AtArrival) => vec![Event::Arrived, Event::Delivered],
        (None, _) => vec![Event::Arrived],
    }
}

/// Whether a message asks for confirmation on delivery and its route says that none is sent.
pub fn is_unconfirmed(original: &Envelope, policy: &Policy) -> bool {
    original.md.report & report::COD != 0 && cod(original, policy) == CodMode::Reject
}

fn cod(original: &Envelope, policy: &Policy) -> CodMode {
    let routed = original.xqh.as_ref().and_then(|xqh| {
        let name = |field: &Chars<48>| field.text(original.coding);
        policy.route(&name(&xqh.remote_q_name), &name(&xqh.remote_q_mgr_name)).ok()
    });
    routed.map(|routed| routed.treatment.cod).unwrap_or_default()
}

/// A report as a publication, for the destination that replies have: a queue of ours, or `queue://MQ.<queue manager>.<queue>`,
/// which a sending channel drains. `spoiled` says why the target would spoil any form but bytes.
///
/// # Errors
/// Where the reply queue is none that we can reach.
pub fn publish(report: &Envelope, policy: &Policy, spoiled: Option<&str>, now_ms: i64) -> Result<Mapped, Unmappable> {
    let name = |field: fn(&Xqh) -> &Chars<48>| {
        report.xqh.as_ref().map(|xqh| field(xqh).text(report.coding)).unwrap_or_default()
    };
    let (queue, qmgr) = (name(|xqh| &xqh.remote_q_name), name(|xqh| &xqh.remote_q_mgr_name));
    let mut routed = if policy.is_us(&qmgr) {
        policy.route(&queue, &qmgr)?
    } else {
        Routed { destination: policy.reply_route(&queue, &qmgr)?, treatment: Treatment::default(), route: None }
    };
    if spoiled.is_some() {
        routed.treatment.body = BodyMode::Bytes;
    }
    let mut mapped = map_to(report, &routed, policy, now_ms)?;
    let properties = &mut mapped.publication.properties;
    // It begins its way here.
    properties.remove(properties::HOPS);
    if let Some(why) = spoiled {
        properties.insert("MQFERRY_BodyKept".into(), Value::String(why.to_owned()));
    }
    Ok(mapped)
}

/// Bytes of data that go with a report "with data".
const SOME_DATA: usize = 100;

/// The report that a message asks for, to its ReplyToQ; none if it asks for none of the kind, or names no queue for it.
/// `gateway` is our name, `new_id` the report's MsgId unless the message's own is to be passed on.
pub fn report_on(
    original: &Envelope,
    event: Event,
    gateway: &str,
    new_id: [u8; 24],
    coding: Coding,
    now_ms: i64,
) -> Option<MqMessage> {
    let was = &original.md;
    let (plain, with_data, with_all, feedback) = match event {
        Event::Arrived => (report::COA, report::COA_WITH_DATA, report::COA_WITH_FULL_DATA, reason::COA),
        Event::Delivered => (report::COD, report::COD_WITH_DATA, report::COD_WITH_FULL_DATA, reason::COD),
        Event::Expired => {
            (report::EXPIRATION, report::EXPIRATION_WITH_DATA, report::EXPIRATION_WITH_FULL_DATA, reason::EXPIRATION)
        }
        Event::Failed(reason) => {
            (report::EXCEPTION, report::EXCEPTION_WITH_DATA, report::EXCEPTION_WITH_FULL_DATA, reason)
        }
    };
    let asks = |bits: i32| was.report & bits == bits;
    if !asks(plain) || was.reply_to_q.is_blank(original.coding) {
        return None;
    }
    let data = original.data();
    let data = match (asks(with_all), asks(with_data)) {
        (true, _) => data,
        (false, true) => data.slice(..data.len().min(SOME_DATA)),
        (false, false) => data.slice(..0),
    };
    let text = |field: &Chars<48>| Chars::from_text_cut(&field.text(original.coding), coding);
    let mut md = Md::new(coding);
    md.msg_type = msg_type::REPORT;
    md.feedback = feedback;
    md.encoding = was.encoding;
    md.coded_char_set_id = was.coded_char_set_id;
    md.format = Chars::from_text_cut(&original.outer_format(), coding);
    (md.priority, md.persistence) = (was.priority, was.persistence);
    md.msg_id = if asks(report::PASS_MSG_ID) { was.msg_id } else { new_id };
    md.correl_id = if asks(report::PASS_CORREL_ID) { was.correl_id } else { was.msg_id };
    if asks(report::PASS_DISCARD_AND_EXPIRY) && event != Event::Expired {
        md.expiry = was.expiry;
        md.report = was.report & report::DISCARD_MSG;
    }
    md.user_identifier = Chars::from_text_cut(&was.user_identifier.text(original.coding), coding);
    md.put_appl_type = appl_type::QMGR;
    md.put_appl_name = Chars::from_text_cut(gateway, coding);
    md.set_put_millis(now_ms, coding);
    Some(MqMessage {
        coding,
        xqh: Xqh::new(text(&was.reply_to_q), text(&was.reply_to_q_mgr)),
        md,
        headers: data.slice(..0),
        body: data,
        derived_from: None,
        returns: false,
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ByteOrder;

    fn message(report: i32) -> Envelope {
        let coding = Coding::default();
        let md = Md {
            report,
            priority: 7,
            persistence: 1,
            msg_id: [1; 24],
            correl_id: [2; 24],
            reply_to_q: Chars::from_text_cut("R.Q", coding),
            reply_to_q_mgr: Chars::from_text_cut("QM1", coding),
            ..Md::default()
        };
        let mut bytes = Xqh::new(Chars::from_text_cut("Q", coding), Chars::from_text_cut("GW", coding)).encode(coding);
        md.encode_to(&mut bytes, coding);
        bytes.extend([b'x'; 150]);
        Envelope::parse(vec![bytes.into()], ByteOrder::Big, 1208).expect("an envelope")
    }

    #[test]
    fn a_report_is_what_was_asked_for() {
        let on = |report, event| report_on(&message(report), event, "GW", [9; 24], Coding::default(), 0);
        assert_eq!(on(0x800, Event::Arrived), None);
        for (report, event, feedback, length) in [
            (0x100, Event::Arrived, 259, 0),
            (0x300, Event::Arrived, 259, 100),
            (0x700, Event::Arrived, 259, 150),
            (0x1800, Event::Delivered, 260, 100),
            (0x0020_0000, Event::Expired, 258, 0),
            (0x0700_0000, Event::Failed(2053), 2053, 150),
        ] {
            let got = on(report, event).expect("a report");
            assert_eq!((got.md.feedback, got.md.msg_type, got.body.len()), (feedback, 4, length), "{report:#x}");
            assert_eq!((got.md.msg_id, got.md.correl_id), ([9; 24], [1; 24]));
            assert_eq!((got.md.priority, got.md.persistence), (7, 1));
            assert_eq!(got.xqh.remote_q_name.text(got.coding), "R.Q");
            assert_eq!(got.xqh.remote_q_mgr_name.text(got.coding), "QM1");
        }
        let passed = on(0x100 | 0xC0, Event::Arrived).expect("a report");
        assert_eq!((passed.md.msg_id, passed.md.correl_id), ([1; 24], [2; 24]));
    }
}
