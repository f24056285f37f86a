//! The body by JMS class (mapping rules, section 3).

use std::borrow::Cow;

use bytes::Bytes;

use crate::codepage::{self, Newline};
use crate::message::Envelope;
use crate::message::constants::{format, msg_flags};
use crate::wire::ByteOrder;

use super::folders::Folder;
use super::markup::Element;
use super::payload::Payload;
use super::properties::{CLASS, Properties};
use super::{Body, BodyMode, Value, back, collection, reason};

/// What the `mcd` folder says of the message: its class or domain, and the parts of JMSType.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mcd<'a> {
    /// Msd.
    pub(super) domain: Option<Cow<'a, str>>,
    /// Set.
    pub(super) set: Option<Cow<'a, str>>,
    /// Type.
    pub(super) kind: Option<Cow<'a, str>>,
    /// Fmt.
    pub(super) format: Option<Cow<'a, str>>,
    /// A text message whose text is null.
    pub(super) null_text: bool,
    /// The message class that we kept beside a domain when the message went to MQ.
    pub(super) class: Option<&'static str>,
}

impl<'a> Mcd<'a> {
    /// Reads the first folder of the name; what it has beyond the known goes to properties.
    pub(super) fn read(folders: &'a [Folder<'_>]) -> Self {
        let Some(root) = folders.iter().filter(|f| f.name == "mcd").find_map(|f| f.content.as_ref().ok()) else {
            return Self::default();
        };
        let mut mcd = Self::of(root);
        mcd.class = mcd.class_beside(folders);
        mcd
    }

    /// Reads one folder.
    pub(super) fn of(root: &'a Element<'_>) -> Self {
        let text =
            |name: &str| root.child(name).map(|e| e.text.as_ref()).filter(|text| !text.is_empty()).map(Cow::Borrowed);
        Self {
            domain: text("Msd"),
            set: text("Set"),
            kind: text("Type"),
            format: text("Fmt"),
            null_text: root.child("msgbody").is_some_and(Element::is_nil),
            class: None,
        }
    }

    /// What the application's properties say of the class, where they can know better than the domain.
    fn class_beside(&self, folders: &[Folder<'_>]) -> Option<&'static str> {
        const CLASSES: [&str; 6] = ["jms_text", "jms_bytes", "jms_map", "jms_stream", "jms_object", "jms_none"];
        let domain = self.domain.as_deref()?;
        if domain.starts_with("jms_") && self.set.is_none() && self.format.is_none() {
            return None; // no part of a JMSType
        }
        let usr = folders.iter().filter(|f| f.name == "usr").find_map(|f| f.content.as_ref().ok())?;
        let class = usr.child(CLASS)?.text.as_ref();
        CLASSES.into_iter().find(|known| *known == class && back::is_behind(domain, known))
    }

    /// JMSType as IBM's JMS client shows it: the type alone, or with message set or format `mcd://domain/set/type?format=`.
    pub(super) fn jms_type(&self) -> Option<String> {
        let domain = self.domain.as_deref().unwrap_or_default();
        let foreign = !domain.is_empty() && !domain.starts_with("jms_");
        if !foreign && self.set.is_none() && self.format.is_none() {
            return self.kind.as_deref().map(str::to_owned);
        }
        let part = |part: &'_ Option<Cow<'_, str>>| part.as_deref().unwrap_or_default().to_owned();
        let mut text = format!("mcd://{domain}/{}/{}", part(&self.set), part(&self.kind));
        if let Some(format) = &self.format {
            text.push_str("?format=");
            text.push_str(format);
        }
        Some(text)
    }
}

/// Maps the body; whatever stands in the way of its class leaves it bytes, with a note and a property.
pub(super) fn body(
    envelope: &Envelope,
    payload: &Payload<'_>,
    mode: BodyMode,
    mcd: &Mcd<'_>,
    properties: &mut Properties,
) -> Body {
    let bytes = payload.bytes(envelope);
    let class = mcd.class.or(mcd.domain.as_deref().filter(|domain| domain.starts_with("jms_")));
    let is_segment = envelope.v2().is_some_and(|v2| {
        let whole = v2.offset == 0 && v2.msg_flags & msg_flags::LAST_SEGMENT != 0;
        v2.msg_flags & (msg_flags::SEGMENT | msg_flags::LAST_SEGMENT) != 0 && !whole
    });
    let wanted = match (mode, class) {
        _ if is_segment => {
            properties.note("a segment of a message: its body stays bytes, for a character may be cut in two");
            Wanted::Bytes
        }
        _ if payload.foreign.is_some() => Wanted::Bytes,
        (BodyMode::Bytes, _) => Wanted::Bytes,
        (BodyMode::Text, _) => Wanted::Text,
        (BodyMode::Auto, Some("jms_text")) => Wanted::Text,
        (BodyMode::Auto, Some("jms_map")) => Wanted::Map,
        (BodyMode::Auto, Some("jms_stream")) => Wanted::Stream,
        (BodyMode::Auto, Some("jms_object")) => Wanted::Object,
        (BodyMode::Auto, Some("jms_none")) if bytes.is_empty() => Wanted::Empty,
        (BodyMode::Auto, Some(_)) => Wanted::Bytes,
        (BodyMode::Auto, None) if payload.format == format::STRING => Wanted::Text,
        (BodyMode::Auto, None) => Wanted::Bytes,
    };
    let mapped = match wanted {
        Wanted::Bytes => Body::Bytes(bytes),
        Wanted::Object => Body::Object(bytes),
        Wanted::Empty => Body::Empty,
        Wanted::Text if mcd.null_text && bytes.is_empty() => {
            properties.note("the text is null: published as empty text, with MQFERRY_NullText");
            properties.set("MQFERRY_NullText", Value::Boolean(true));
            Body::Text(String::new())
        }
        Wanted::Text => converted(payload, bytes, properties, |text| Ok(Body::Text(text))),
        Wanted::Map => converted(payload, bytes, properties, |text| collection::map(&text).map(Body::Map)),
        Wanted::Stream => converted(payload, bytes, properties, |text| collection::stream(&text).map(Body::Stream)),
    };
    if let Some(class) = class
        && class != class_of(&mapped)
    {
        properties.set_text("MQFERRY_Msd", class);
    }
    mapped
}

enum Wanted {
    Bytes,
    Text,
    Map,
    Stream,
    Object,
    Empty,
}

fn class_of(body: &Body) -> &'static str {
    match body {
        Body::Empty => "jms_none",
        Body::Text(_) => "jms_text",
        Body::Bytes(_) => "jms_bytes",
        Body::Map(_) => "jms_map",
        Body::Stream(_) => "jms_stream",
        Body::Object(_) => "jms_object",
    }
}

/// The body made of the text, or as bytes where it is no text or nothing can be made of it.
fn converted(
    payload: &Payload<'_>,
    bytes: Bytes,
    properties: &mut Properties,
    make: impl FnOnce(String) -> Result<Body, collection::NotACollection>,
) -> Body {
    let byte_order = ByteOrder::of_encoding(payload.encoding);
    let text = codepage::decode_with(payload.ccsid, byte_order, Newline::default(), &bytes);
    match text.map(|text| make(text.into_owned())) {
        Ok(Ok(made)) => return made,
        Ok(Err(error)) => properties.note(format!("the body stays bytes: {error}")),
        Err(error) => {
            properties.note(format!("the body stays bytes, MQRC 2119: {error}"));
            properties.set_int("MQFERRY_Convert", reason::NOT_CONVERTED);
        }
    }
    Body::Bytes(bytes)
}
