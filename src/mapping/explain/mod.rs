//! A message shown to a person or a script: header by header, and the publication that it would become.

mod json;
mod text;
mod way_back;

use bytes::Bytes;

use crate::message::{Chars, Coding, Description, Envelope, FieldValue, Header, Structure};

use super::{Destination, Mapped, Policy, Publication, Routed, Treatment, Unmappable, map_to, publish};

pub use json::to_json;
pub use text::to_text;
pub use way_back::{Back, NoWayBack, back};

/// How the first structure of a file is described; what is not said is read from its eye-catcher and version.
#[derive(Clone, Debug)]
pub struct First {
    /// Format: `MQXMIT` for a transmission-queue message, `MQMD` for a bare descriptor, or that of any header.
    pub format: String,
    /// Encoding.
    pub encoding: Option<i32>,
    /// CodedCharSetId.
    pub ccsid: Option<i32>,
    /// Whether passwords that stand in bridge headers are shown.
    pub secrets: bool,
}

impl Default for First {
    fn default() -> Self {
        Self { format: "MQXMIT".to_owned(), encoding: None, ccsid: None, secrets: false }
    }
}

/// A message taken apart, and what would become of it.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Its structures.
    pub envelope: Envelope,
    /// The publication, or why there is none.
    pub mapped: Result<Mapped, Unmappable>,
    /// Whether the message tells where it goes; if not, the publication's destination means nothing.
    pub has_destination: bool,
    /// Whether passwords are shown.
    secrets: bool,
    /// The publication that became this message, if it is shown on the way back.
    way_back: Option<Publication>,
    /// What the way back has to say.
    notes: Vec<String>,
}

impl Explained {
    /// The publication that it becomes, or on the way back, that became it.
    fn publication(&self) -> Option<&Publication> {
        self.way_back.as_ref().or_else(|| self.mapped.as_ref().ok().map(|mapped| &mapped.publication))
    }

    /// Every structure as a person may see it: passwords and pass tickets of MQCIH, MQIIH and MQSAPH are blanked.
    fn structures(&self) -> Vec<Structure> {
        let mut all = self.envelope.structures();
        if !self.secrets {
            for (_, value) in all.iter_mut().flat_map(|s| s.fields.iter_mut()).filter(|(name, _)| is_secret(name)) {
                if !matches!(value, FieldValue::Text(text) if text.is_empty()) {
                    *value = FieldValue::Text(BLANKED.to_owned());
                }
            }
        }
        all
    }
}

/// What stands instead of a password.
const BLANKED: &str = "(hidden, --secrets shows it)";

fn is_secret(field: &str) -> bool {
    matches!(field, "Authenticator" | "Password")
}

/// Bytes that do not begin with the announced structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAMessage {
    /// Nothing at all.
    #[error("is empty: expected a message")]
    Empty,
    /// A format that cannot be one.
    #[error("--format {0:?} is no format: write at most 8 characters, as MQXMIT, MQMD, MQDEAD or MQHRF2")]
    Format(String),
    /// Something else.
    #[error("is not a message: {found}; {fix}")]
    Other {
        /// What is wrong.
        found: String,
        /// What to do.
        fix: String,
    },
}

/// Takes a message apart and maps it by `policy`; without one as if we were the queue manager that it is for.
///
/// # Errors
/// Where the bytes do not begin with the structure that `first` announces.
pub fn explain(bytes: Bytes, first: &First, policy: Option<&Policy>, now_ms: i64) -> Result<Explained, NotAMessage> {
    if bytes.is_empty() {
        return Err(NotAMessage::Empty);
    }
    let format =
        Chars::from_text(&first.format, Coding::default()).map_err(|_| NotAMessage::Format(first.format.clone()))?;
    let coding = Coding::detect(&bytes).unwrap_or_default();
    let description = Description {
        encoding: first.encoding.unwrap_or(coding.encoding()),
        ccsid: first.ccsid.unwrap_or(coding.ccsid()),
        format,
    };
    let looks_like = likely_format(&bytes);
    let envelope = Envelope::parse_as(vec![bytes], description).map_err(|broken| NotAMessage::Other {
        found: broken.to_string(),
        fix: match looks_like {
            Some(format) if format != first.format => format!("it looks like {format}: add --format {format}"),
            Some(_) => {
                "it is cut short or damaged, or written as --encoding (273, 546) and --ccsid must tell".to_owned()
            }
            None => "say what it starts with: --format MQXMIT, MQMD, MQDEAD, MQHRF2, ...".to_owned(),
        },
    })?;
    let names = addressed(&envelope);
    let own = Policy::named(names.as_ref().map(|(_, qmgr)| qmgr.clone()).unwrap_or_default());
    let policy = policy.unwrap_or(&own);
    let mapped = match (&envelope.xqh, &names) {
        (Some(_), _) => publish(&envelope, policy, now_ms),
        (None, Some((queue, qmgr))) => {
            policy.route(queue, qmgr).and_then(|routed| map_to(&envelope, &routed, policy, now_ms))
        }
        (None, None) => map_to(&envelope, &nowhere(), policy, now_ms),
    };
    Ok(Explained {
        envelope,
        mapped,
        has_destination: names.is_some(),
        secrets: first.secrets,
        way_back: None,
        notes: Vec::new(),
    })
}

/// Queue and queue manager that the message is for, by its transmission header or else its dead-letter header.
fn addressed(envelope: &Envelope) -> Option<(String, String)> {
    if let Some(xqh) = &envelope.xqh {
        return Some((xqh.remote_q_name.text(envelope.coding), xqh.remote_q_mgr_name.text(envelope.coding)));
    }
    envelope.chain.iter().find_map(|placed| match &placed.header {
        Header::Dlh(dlh) => Some((dlh.dest_q_name.text(placed.coding), dlh.dest_q_mgr_name.text(placed.coding))),
        _ => None,
    })
}

fn nowhere() -> Routed {
    Routed { destination: Destination::Queue(String::new()), treatment: Treatment::default(), route: None }
}

/// The format that would announce a structure with this eye-catcher.
fn likely_format(bytes: &[u8]) -> Option<&'static str> {
    let eye = bytes.first_chunk::<4>()?;
    Some(match eye {
        b"XQH " | [0xE7, 0xD8, 0xC8, 0x40] => "MQXMIT",
        b"MD  " | [0xD4, 0xC4, 0x40, 0x40] => "MQMD",
        b"DLH " | [0xC4, 0xD3, 0xC8, 0x40] => "MQDEAD",
        b"RFH " | [0xD9, 0xC6, 0xC8, 0x40] => match bytes.get(4..8) {
            Some([0, 0, 0, 1] | [1, 0, 0, 0]) => "MQHRF",
            _ => "MQHRF2",
        },
        b"MDE " | [0xD4, 0xC4, 0xC5, 0x40] => "MQHMDE",
        b"CIH " => "MQCICS",
        b"IIH " => "MQIMS",
        b"DH  " => "MQHDIST",
        b"RMH " => "MQHREF",
        b"WIH " => "MQHWIH",
        b"TM  " => "MQTRIG",
        _ => return None,
    })
}

/// The notes of both: what was odd in the message, and what the mapping has to say.
fn notes(explained: &Explained) -> Vec<String> {
    if explained.way_back.is_some() {
        return explained.notes.clone();
    }
    let mut notes = match &explained.mapped {
        Ok(mapped) => mapped.notes.clone(), // the envelope's are among them
        Err(unmappable) => {
            let mut notes = explained.envelope.notes.clone();
            notes.push(format!("it would go to the dead-letter queue: {unmappable}"));
            notes
        }
    };
    if !explained.envelope.md_present {
        notes.push("there is no MQMD: what it would say is taken as IBM's defaults".to_owned());
    }
    if !explained.has_destination {
        notes.push("there is no MQXQH: the message does not say where it goes".to_owned());
    }
    notes
}
