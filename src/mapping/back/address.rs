//! Where a publication goes in MQ, and where replies to it go (mapping rules, sections 2 and 5).

use super::super::route::is_object_name;
use super::super::{Destination, Policy, Publication, Treatment, Unmappable, Value, reason};
use super::Sending;
use super::view::View;

/// A queue in MQ and how messages to it are mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// RemoteQName.
    pub(super) queue: String,
    /// RemoteQMgrName.
    pub(super) qmgr: String,
    /// By its route.
    pub(super) treatment: Treatment,
    /// The destination's name has the queue manager's in it: the queue is the one that the message came for, as far as it says.
    pub(super) is_named: bool,
}

/// The reply queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReplyTo {
    /// ReplyToQ.
    pub(super) queue: String,
    /// ReplyToQMgr.
    pub(super) qmgr: String,
    /// Whether it is what the message came with.
    pub(super) is_unchanged: bool,
}

/// Queue and queue manager of the destination: by the name `MQ.<queue manager>.<queue>`, by a route that leads there from
/// one queue, by the name that the message had when a route changed it, or the queue of the same name.
///
/// # Errors
/// Where none of these gives a name that a queue can have.
pub(super) fn target(publication: &Publication, sending: &Sending<'_>) -> Result<Target, Unmappable> {
    let destination = &publication.destination;
    if *destination == Destination::Queue(String::new()) {
        // Only `explain` has such a publication: of a message that did not say where it goes.
        let treatment = Treatment::default();
        return Ok(Target { queue: String::new(), qmgr: sending.partner.to_owned(), treatment, is_named: false });
    }
    let named = named(destination, sending);
    let is_named = named.is_some();
    let (queue, qmgr) = named
        .or_else(|| routed(destination, sending.policy).map(|queue| (queue, sending.partner.to_owned())))
        .or_else(|| match (destination, publication.properties.get("MQFERRY_RemoteQ")) {
            (Destination::Topic(_), Some(Value::String(queue))) => Some((queue.clone(), sending.partner.to_owned())),
            (Destination::Queue(name), _) => Some((name.clone(), sending.partner.to_owned())),
            _ => None,
        })
        .filter(|(queue, _)| is_object_name(queue))
        .ok_or_else(|| Unmappable {
            reason: reason::OBJECT_NAME_ERROR,
            field: "RemoteQName",
            text: format!("{destination} is no queue of MQ's: add a route from one remote_queue to this destination"),
        })?;
    let treatment = sending.policy.find(&queue, &qmgr).map(|(_, route)| route.treatment).unwrap_or_default();
    Ok(Target { queue, qmgr, treatment, is_named })
}

/// `queue://MQ.<queue manager>.<queue>`: queue managers' names have dots, so only a known one can be told from the queue's.
fn named(destination: &Destination, sending: &Sending<'_>) -> Option<(String, String)> {
    let Destination::Queue(name) = destination else { return None };
    let rest = name.strip_prefix("MQ.")?;
    let known = std::iter::once(sending.partner).chain(sending.policy.qmgrs.iter().map(String::as_str));
    known
        .filter(|qmgr| !qmgr.is_empty())
        .filter_map(|qmgr| Some((rest.strip_prefix(qmgr)?.strip_prefix('.')?.to_owned(), qmgr.to_owned())))
        .min_by_key(|(queue, _)| queue.len()) // the longest name of a queue manager
}

/// The one remote queue whose route leads to this destination.
fn routed(destination: &Destination, policy: &Policy) -> Option<String> {
    let route = policy.routes.iter().find(|route| route.destination.as_ref() == Some(destination))?;
    route.remote_queue.as_ref()?.only().map(str::to_owned)
}

/// The reply queue, as it came where that is still meant; a queue of ours is at our own name, so that replies come back by us.
///
/// # Errors
/// For a temporary queue without an alias, and for a name that no queue of MQ's can have: nobody could answer.
pub(super) fn reply_to(view: &mut View<'_>, sending: &Sending<'_>) -> Result<ReplyTo, Unmappable> {
    let policy = sending.policy;
    let came = |view: &View<'_>| {
        let text = |name| view.our_text(name).map(std::borrow::Cow::into_owned).unwrap_or_default();
        ReplyTo { queue: text("JMS_IBM_MQMD_ReplyToQ"), qmgr: text("JMS_IBM_MQMD_ReplyToQMgr"), is_unchanged: true }
    };
    let original = came(view);
    let as_published = match original.queue.as_str() {
        "" => None,
        queue => policy.reply_route(queue, &original.qmgr).ok(),
    };
    let publication = view.publication;
    if publication.reply_to == as_published {
        return Ok(original);
    }
    let unfit = |text: String| Unmappable { reason: reason::OBJECT_NAME_ERROR, field: "ReplyToQ", text };
    let ours = |queue: String| {
        if is_object_name(&queue) {
            Ok(ReplyTo { queue, qmgr: policy.name.clone(), is_unchanged: false })
        } else {
            Err(unfit(format!("replies are wanted at queue {queue:?}, a name that no queue of MQ's can have")))
        }
    };
    match &publication.reply_to {
        None => Ok(ReplyTo::default()),
        Some(destination @ Destination::Queue(name)) => match named(destination, sending) {
            Some((queue, qmgr)) => Ok(ReplyTo { queue, qmgr, is_unchanged: false }),
            None => ours(routed(destination, policy).unwrap_or_else(|| name.clone())),
        },
        Some(Destination::TempQueue(name)) => match sending.reply_alias {
            Some(alias) => ours(alias.to_owned()),
            None => Err(unfit(format!("replies are wanted at the temporary queue {name:?}, which has no alias in MQ"))),
        },
        Some(topic) => {
            view.notes.push(format!("replies are wanted at {topic}: MQ has no such field, it is kept in a property"));
            Ok(ReplyTo::default())
        }
    }
}
