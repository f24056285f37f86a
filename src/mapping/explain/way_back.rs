//! The way back, shown: the message for MQ that a publication in JSON becomes.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::super::properties::HOPS;
use super::super::{ContextMode, Policy, Publication, Route, Sending, Treatment, Unmappable, Value, shape, to_mq};
use super::{Explained, First, explain};
use crate::message::Coding;

/// The message, and the same taken apart.
#[derive(Clone, Debug)]
pub struct Back {
    /// MQXQH, MQMD, headers, body.
    pub bytes: Bytes,
    /// What it is, with notes of the way back.
    pub explained: Explained,
}

/// A publication that does not become a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWayBack {
    /// It is none.
    #[error("is not a publication: {0}")]
    Misshapen(#[from] shape::Misshapen),
    /// MQ has no place for it.
    #[error("cannot go to MQ: {0}")]
    Unmappable(#[from] Unmappable),
    /// Our own message cannot be read.
    #[error("became a message that cannot be read: {0}")]
    Unreadable(String),
}

/// Maps the publication that `json` describes (what `explain --json` printed, or the publication in that) as the gateway of
/// `policy` would; without one, as the gateway that published it. `coding` says how MQXQH and MQMD are written.
///
/// # Errors
/// Where it is no publication, or cannot go to MQ.
pub fn back(
    json: &Json,
    coding: &First,
    policy: Option<&Policy>,
    partner: Option<&str>,
    now_ms: i64,
) -> Result<Back, NoWayBack> {
    let mut json = json.get("publication").unwrap_or(json).clone();
    let is_nowhere = json.as_object().is_some_and(|object| object.get("destination").is_none_or(Json::is_null));
    if is_nowhere && let Some(object) = json.as_object_mut() {
        object.insert("destination".to_owned(), json!("queue://NOWHERE"));
    }
    let mut publication = shape::from_json(&json, now_ms)?;
    if is_nowhere {
        publication.destination = super::nowhere().destination;
    }
    let own = Policy { routes: vec![anything()], ..Policy::named(publisher(&publication)) };
    let sending = Sending {
        policy: policy.unwrap_or(&own),
        partner: partner.or_else(|| text(&publication, "JMS_IBM_MQMD_ReplyToQMgr")).unwrap_or("PARTNER"),
        coding: Coding::described(coding.encoding.unwrap_or(273), coding.ccsid.unwrap_or(1208)),
        reply_alias: None,
        mcauser: "",
    };
    let message = to_mq(&publication, &sending, now_ms)?;
    let bytes = Bytes::from(message.parts().concat());
    let first = First {
        format: "MQXMIT".to_owned(),
        encoding: Some(sending.coding.encoding()),
        ccsid: Some(sending.coding.ccsid()),
        secrets: coding.secrets,
    };
    let mut explained =
        explain(bytes.clone(), &first, None, now_ms).map_err(|e| NoWayBack::Unreadable(e.to_string()))?;
    explained.way_back = Some(publication.clone());
    explained.notes = message.notes;
    if message.returns {
        let note = "this gateway published it and nobody sent it since: a sending channel that took it back would send it round for ever";
        explained.notes.push(note.to_owned());
    }
    if policy.is_none() && !message.md.user_identifier.is_blank(message.coding) {
        let note = "UserIdentifier goes so where its route says context = \"set\", else the channel's mcauser: no configuration was given";
        explained.notes.push(note.to_owned());
    }
    if is_nowhere {
        explained.notes.push("the publication does not say where it goes: RemoteQName is blank".to_owned());
    }
    if partner.is_none() && sending.partner == "PARTNER" {
        explained.notes.push("RemoteQMgrName is made up: say --rqmname".to_owned());
    }
    Ok(Back { bytes, explained })
}

/// The route of a gateway of which nothing is known: it is shown what can come back, and a note tells what that takes.
fn anything() -> Route {
    let treatment = Treatment { context: ContextMode::Set, ..Treatment::default() };
    Route { remote_queue: None, remote_qmgr: None, destination: None, treatment }
}

/// The gateway that published it last.
fn publisher(publication: &Publication) -> &str {
    text(publication, HOPS).and_then(|list| list.rsplit(' ').next()).unwrap_or_default()
}

fn text<'a>(publication: &'a Publication, name: &str) -> Option<&'a str> {
    match publication.properties.get(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
