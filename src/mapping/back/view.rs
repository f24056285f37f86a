//! What a publication's properties mean on the way to MQ: fields of the descriptor, things of ours, and the application's own
//! properties under the names and with the types that they had.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;

use crate::message::constants::format;

use super::super::properties::{self, ESCAPE, HOPS, KEPT};
use super::super::{Body, Publication, Value, id};
use super::ours::{Ours, is_ours};

/// A publication, read once.
pub(in crate::mapping) struct View<'a> {
    /// The publication.
    pub(in crate::mapping) publication: &'a Publication,
    /// Properties of the application by the names they have in MQ, and what is ours and goes to MQ.
    pub(in crate::mapping) application: ByName<'a>,
    /// It came from MQ, by a property that every message from there has: what it lacks is blank, not ours to fill in.
    pub(in crate::mapping) is_from_mq: bool,
    /// One line each: what could not be kept.
    pub(in crate::mapping) notes: Vec<String>,
    ours: Ours<'a>,
    /// Names of properties that are bytes written as hex digits.
    bin: HashSet<&'a str>,
    /// Names of properties that are written with `\u` escapes.
    escaped: HashSet<&'a str>,
}

/// Properties in order of their names in MQ, in a list: they are made at once and read often.
#[derive(Default)]
pub(in crate::mapping) struct ByName<'a>(Vec<(Cow<'a, str>, Cow<'a, Value>)>);

impl<'a> ByName<'a> {
    /// Of two that have one name the later.
    fn of(mut all: Vec<(Cow<'a, str>, Cow<'a, Value>)>) -> Self {
        if !all.is_sorted_by(|(one, _), (other, _)| one < other) {
            all.reverse();
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            all.dedup_by(|(one, _), (other, _)| one == other);
        }
        Self(all)
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name))
    }

    pub(in crate::mapping) fn insert(&mut self, name: &'static str, value: Value) {
        let new = (name.into(), Cow::Owned(value));
        match self.find(name) {
            Ok(at) => {
                if let Some(there) = self.0.get_mut(at) {
                    *there = new;
                }
            }
            Err(at) => self.0.insert(at, new),
        }
    }

    pub(in crate::mapping) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(self.find(name).ok()?).map(|(_, value)| value.as_ref())
    }

    pub(in crate::mapping) fn iter(&self) -> impl Iterator<Item = &(Cow<'a, str>, Cow<'a, Value>)> {
        self.0.iter()
    }

    pub(in crate::mapping) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Properties that a provider of JMS sets by itself, and that say nothing of the message.
const PROVIDERS: [&str; 9] = [
    "JMSXUserID",
    "JMSXGroupID",
    "JMSXGroupSeq",
    "JMSXDeliveryCount",
    "JMSXState",
    "JMSXProducerTXID",
    "JMSXConsumerTXID",
    "JMSXRcvTimestamp",
    "JMSXGroupFirstForConsumer",
];

/// Content types that stand for a message class and not for something that the application said.
const CONTENT_TYPES: [&str; 3] = ["application/octet-stream", "application/x-java-serialized-object", "text/plain"];

impl<'a> View<'a> {
    /// Reads it; `keep_amqp`: what only AMQP knows goes to MQ.
    pub(in crate::mapping) fn of(publication: &'a Publication, keep_amqp: bool) -> Self {
        let properties = || publication.properties.iter().map(|(name, value)| (name.as_ref(), value));
        let ours = Ours::of(properties());
        let list = |marker: &str| -> HashSet<&str> {
            match ours.get(marker) {
                Some(Value::String(names)) => names.split(' ').collect(),
                _ => HashSet::new(),
            }
        };
        let (bin, char, escaped) = (list("MQFERRY_bin"), list("MQFERRY_char"), list("MQFERRY_escaped"));
        let mut view = Self {
            publication,
            application: ByName::default(),
            is_from_mq: ours.get("JMS_IBM_PutApplType").is_some(),
            notes: Vec::new(),
            ours,
            bin: HashSet::new(),
            escaped: HashSet::new(),
        };
        let mut of_amqp: Vec<&str> = Vec::new();
        let any_listed = !(bin.is_empty() && char.is_empty() && escaped.is_empty());
        let mut application = Vec::with_capacity(16);
        for (written, value) in properties() {
            let Some(name) = application_name(written, value) else {
                match written.strip_prefix("JMS_AMQP_") {
                    Some(field) if properties::is_amqps_own(field) && *value != Value::Boolean(false) => {
                        if keep_amqp {
                            application.push((written.into(), Cow::Borrowed(value)));
                        } else {
                            of_amqp.push(written);
                        }
                    }
                    _ => {}
                }
                continue;
            };
            if name.is_empty() {
                view.notes.push("a property without a name has no place in MQ: left out".to_owned());
                continue;
            }
            let mut value = Cow::Borrowed(value);
            if !any_listed {
                application.push((name, value));
                continue;
            }
            let listed = properties::listed_name(written);
            let is = |list: &HashSet<&str>| list.contains(listed.as_ref());
            if is(&escaped) {
                value = view.restored(&name, value, |text| properties::restore_text(text).map(Value::String));
            }
            if is(&bin) {
                value =
                    view.restored(&name, value, |text| id::unhex(text).map(|bytes| Value::Bytes(Bytes::from(bytes))));
            } else if is(&char) {
                value = view.restored(&name, value, |text| {
                    let mut units = text.encode_utf16();
                    units.next().filter(|_| units.next().is_none()).map(Value::Char)
                });
            }
            application.push((name, value));
        }
        if !of_amqp.is_empty() {
            let names = of_amqp.iter().take(20).copied().collect::<Vec<_>>().join(", ");
            view.notes.push(format!(
                "what only AMQP knows is left out: {names}; keep_amqp = true on its route takes it along"
            ));
        }
        view.application = ByName::of(application);
        (view.bin, view.escaped) = (bin, escaped);
        view
    }

    /// The value as it was, or as it is where the application has changed it into something else.
    fn restored(
        &mut self,
        name: &str,
        value: Cow<'a, Value>,
        make: impl FnOnce(&str) -> Option<Value>,
    ) -> Cow<'a, Value> {
        match value.as_ref() {
            Value::String(text) => match make(text) {
                Some(made) => Cow::Owned(made),
                None => {
                    self.notes.push(format!("property {name:?} is no longer what it was in MQ: it goes as a string"));
                    value
                }
            },
            _ => value,
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.ours.get(name)
    }

    /// A number under this name; text of digits counts, as JMS converts it.
    pub(in crate::mapping) fn int(&self, name: &str) -> Option<i32> {
        match self.get(name)? {
            Value::Int(v) => Some(*v),
            Value::Byte(v) => Some(i32::from(*v)),
            Value::Short(v) => Some(i32::from(*v)),
            Value::Long(v) => i32::try_from(*v).ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Text under this name.
    pub(in crate::mapping) fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this name is true.
    pub(in crate::mapping) fn is_true(&self, name: &str) -> bool {
        match self.get(name) {
            Some(Value::Boolean(v)) => *v,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// A value of ours as it was before it became a property.
    pub(in crate::mapping) fn ours(&self, name: &str) -> Option<Cow<'a, Value>> {
        Some(self.restored_ours(name, self.get(name)?))
    }

    fn restored_ours(&self, name: &str, value: &'a Value) -> Cow<'a, Value> {
        let Value::String(text) = value else { return Cow::Borrowed(value) };
        let restored = if self.escaped.contains(name) { properties::restore_text(text) } else { None };
        if self.bin.contains(name)
            && let Some(bytes) = id::unhex(restored.as_deref().unwrap_or(text))
        {
            return Cow::Owned(Value::Bytes(bytes.into()));
        }
        restored.map_or(Cow::Borrowed(value), |text| Cow::Owned(Value::String(text)))
    }

    /// Text of ours as it was before it became a property.
    pub(in crate::mapping) fn our_text(&self, name: &str) -> Option<Cow<'a, str>> {
        match self.ours(name)? {
            Cow::Borrowed(Value::String(text)) => Some(Cow::Borrowed(text)),
            Cow::Owned(Value::String(text)) => Some(Cow::Owned(text)),
            _ => None,
        }
    }

    /// Whether there are properties whose names begin so.
    pub(in crate::mapping) fn has_under(&self, prefix: &'static str) -> bool {
        self.ours.under(prefix).next().is_some()
    }

    /// Properties of ours whose names begin so: what follows, and the value.
    pub(in crate::mapping) fn ours_under(
        &self,
        prefix: &'static str,
    ) -> impl Iterator<Item = (&'a str, Cow<'a, Value>)> + '_ {
        self.ours.under(prefix).map(move |(name, rest, value)| (rest, self.restored_ours(name, value)))
    }

    /// The message class that the body stands for, as `Msd` names it: what it was in MQ where it had to be published as another.
    pub(in crate::mapping) fn class(&self) -> Cow<'a, str> {
        let now = match &self.publication.body {
            Body::Empty => "jms_none",
            Body::Text(_) => "jms_text",
            // Text that could not be converted.
            Body::Bytes(_)
                if self.int("MQFERRY_Convert").is_some() && self.text("JMS_IBM_Format") == Some(format::STRING) =>
            {
                "jms_text"
            }
            Body::Bytes(_) => "jms_bytes",
            Body::Map(_) => "jms_map",
            Body::Stream(_) => "jms_stream",
            Body::Object(_) => "jms_object",
        };
        self.our_text("MQFERRY_Msd").unwrap_or(Cow::Borrowed(now))
    }
}

/// The name that a property has in MQ; none for what is no property there.
fn application_name<'a>(written: &'a str, value: &Value) -> Option<Cow<'a, str>> {
    if !is_ours(written) {
        return Some(Cow::Borrowed(written));
    }
    if let Some(escaped) = written.strip_prefix(ESCAPE) {
        return Some(Cow::Owned(properties::restore_beyond_bmp(escaped)));
    }
    if written.starts_with("MQFERRY_") {
        return (KEPT.contains(&written) && written != HOPS).then_some(Cow::Borrowed(written));
    }
    if let Some(field) = written.strip_prefix("JMS_AMQP_") {
        let said = matches!(field, "ContentType" | "ContentEncoding")
            && !matches!(value, Value::String(text) if CONTENT_TYPES.iter().any(|known| text.starts_with(known)));
        return said.then_some(Cow::Borrowed(written));
    }
    let is_providers = || written.starts_with("JMSActiveMQBroker") || PROVIDERS.contains(&written);
    (!properties::is_descriptor(written) && !is_providers()).then_some(Cow::Borrowed(written))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    proptest::proptest! {
        /// A list by name is what a map is: the later of one name counts.
        #[test]
        fn a_list_is_a_map(names in proptest::collection::vec("[ab]{0,2}", 0..12)) {
            let all = || names.iter().zip(0..).map(|(name, n)| (Cow::Borrowed(name.as_str()), Cow::Owned(Value::Int(n))));
            let (mut list, mut map) = (ByName::of(all().collect()), all().collect::<BTreeMap<_, _>>());
            for name in ["a", "", "c"] {
                list.insert(name, Value::Null);
                map.insert(name.into(), Cow::Owned(Value::Null));
            }
            let listed: Vec<_> = list.iter().cloned().collect();
            for (name, value) in &map {
                proptest::prop_assert_eq!(list.get(name), Some(value.as_ref()));
            }
            proptest::prop_assert_eq!(list.get("d"), None);
            proptest::prop_assert_eq!(listed, map.into_iter().collect::<Vec<_>>());
        }
    }
}
