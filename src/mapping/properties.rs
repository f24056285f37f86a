//! The application properties of a publication while they are gathered: which names and values a broker can be given
//! as they are, and how the others are written so that nothing is lost.
//!
//! | what | how it is written | marker property, a list of names with blanks between |
//! |---|---|---|
//! | a byte string | hex digits | `MQFERRY_bin` |
//! | a char | a string of one character | `MQFERRY_char` |
//! | a string with characters beyond the BMP, which brokers spoil | `\uXXXX\uXXXX` for each, `\\` for a backslash | `MQFERRY_escaped` |
//! | a name that means something else to a broker, that we use ourselves, or with characters beyond the BMP | `MQFERRY_P_` before it; `_xHHHH_` for such a character, and for the first of `_x` | none: the prefix tells |

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::property_map::order;
use super::{Name, PropertyMap, Value, id, nested};

/// Comes before a name from the application that cannot be used as it is.
pub const ESCAPE: &str = "MQFERRY_P_";

/// Properties and notes in the making.
#[derive(Debug, Default)]
pub struct Properties {
    values: Values,
    /// Names from the application that could also be ours.
    from_application: BTreeSet<Name>,
    notes: Notes,
    markers: Markers,
    /// Names of AMQP's own fields mean these, as they did on the way to MQ.
    keeps_amqp: bool,
}

/// Values by name, each name once: in a sorted list as long as they are few, which is three times as fast.
#[derive(Debug, Default)]
struct Values {
    few: Vec<(Name, Value)>,
    many: BTreeMap<Name, Value>,
}

impl Values {
    /// More than nearly all messages have.
    const FEW: usize = 64;

    /// The place of a name among the few, or where it would be.
    fn find(&self, name: &str) -> Result<usize, usize> {
        match self.few.last() {
            Some((last, _)) if order(last, name).is_lt() => Err(self.few.len()),
            _ => self.few.binary_search_by(|(known, _)| order(known, name)),
        }
    }

    fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let few = self.find(name).ok().and_then(|at| self.few.get(at));
        few.map(|(_, value)| value).or_else(|| self.many.get(name))
    }

    fn remove(&mut self, name: &str) -> Option<Value> {
        match self.find(name) {
            Ok(at) => Some(self.few.remove(at).1),
            Err(_) => self.many.remove(name),
        }
    }

    /// Sets what `make` makes for a name; gives back a name that is there already.
    fn set_new(&mut self, name: Name, make: impl FnOnce(&str) -> Value) -> Result<(), Name> {
        if self.many.is_empty() && self.few.len() < Self::FEW {
            let Err(at) = self.find(&name) else { return Err(name) };
            let value = make(&name);
            if self.few.capacity() == 0 {
                self.few.reserve(Self::FEW - 16);
            }
            self.few.insert(at, (name, value));
            return Ok(());
        }
        self.many.extend(self.few.drain(..));
        if self.many.contains_key(&name) {
            return Err(name);
        }
        let value = make(&name);
        self.many.insert(name, value);
        Ok(())
    }

    fn into_map(mut self) -> PropertyMap {
        if self.many.is_empty() {
            return PropertyMap::of_sorted(self.few);
        }
        self.many.extend(self.few);
        self.many.into()
    }
}

#[derive(Debug, Default)]
struct Notes {
    kept: Vec<String>,
    left_out: usize,
}

impl Notes {
    fn add(&mut self, text: String) {
        if self.kept.len() < MAX_NOTES {
            self.kept.push(text);
        } else {
            self.left_out += 1;
        }
    }
}

/// Names of properties that are written otherwise than they are.
#[derive(Debug, Default)]
struct Markers {
    bin: Vec<String>,
    char: Vec<String>,
    escaped: Vec<String>,
}

impl Properties {
    /// Lets names of AMQP's own fields be as they are.
    pub fn keep_amqp(&mut self, keep: bool) {
        self.keeps_amqp = keep;
    }

    /// Whether the route wants it to be what AMQP knows by this name.
    fn is_for_amqp(&self, name: &str) -> bool {
        let said = |field: &str| is_amqps_own(field) || matches!(field, "ContentType" | "ContentEncoding");
        self.keeps_amqp && name.strip_prefix("JMS_AMQP_").is_some_and(said)
    }

    /// Adds something that a person should know; of very many only the first are kept.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.add(text.into());
    }

    /// Sets a property of ours; a second value for a name is not taken.
    pub fn set(&mut self, name: impl Into<Name>, value: Value) {
        let _ = self.set_new(name.into(), value);
    }

    /// Gives back a name that is not new.
    fn set_new(&mut self, name: Name, value: Value) -> Result<(), Name> {
        let (markers, notes) = (&mut self.markers, &mut self.notes);
        self.values.set_new(name, |name| markers.plain(name, value, notes))
    }

    /// Sets an int property of ours.
    pub fn set_int(&mut self, name: impl Into<Name>, value: i32) {
        self.set(name, Value::Int(value));
    }

    /// Sets a string property of ours unless the text is empty.
    pub fn set_text<'t>(&mut self, name: impl Into<Name>, text: impl Into<Cow<'t, str>>) {
        let text = text.into();
        if !text.is_empty() {
            self.set(name, Value::String(text.into_owned()));
        }
    }

    /// Sets a property of the application, under another name where its own cannot be used.
    ///
    /// # Errors
    /// Its name, where the application has set that already: the first value stays.
    pub fn set_application(&mut self, name: impl Into<Name>, value: Value) -> Result<(), Name> {
        let name = name.into();
        let could_be_ours = name.starts_with("JMS") || name.starts_with("MQFERRY_");
        let taken = if has_beyond_bmp(&name) {
            Some("has characters that brokers spoil")
        } else if is_special(&name) && !self.is_for_amqp(&name) {
            Some("means something else to a broker")
        } else if !could_be_ours {
            None
        } else if name.starts_with("MQFERRY_") && !is_kept(&name, &value) {
            Some("is a name of ours")
        } else if is_descriptor(&name) || (self.values.contains(&name) && !self.from_application.contains(&name)) {
            Some("stands for a field of the descriptor")
        } else {
            None
        };
        let Some(why) = taken else {
            if could_be_ours {
                self.from_application.insert(name.clone());
            }
            return self.set_new(name, value);
        };
        let written = Name::from(escape_name(&name));
        self.notes.add(format!("property {name:?} {why}: it is now {written:?}"));
        self.from_application.insert(written.clone());
        self.set_new(written, value).map_err(|_| name)
    }

    /// Takes away what an earlier crossing of ours put into the message under this name, if it fits.
    pub(super) fn take_kept(&mut self, name: &str, fits: impl FnOnce(&str) -> bool) -> Option<String> {
        if !self.from_application.contains(name) {
            return None;
        }
        match self.values.get(name)? {
            Value::String(text) if fits(text) => {}
            _ => return None,
        }
        match self.values.remove(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Sets the gateways that the message went through, which need no marker.
    pub(super) fn set_hops(&mut self, hops: String) {
        let _ = self.values.set_new(HOPS.into(), |_| Value::String(hops));
    }

    /// The properties with their markers, and the notes.
    pub fn finish(mut self) -> (PropertyMap, Vec<String>) {
        let mut values = self.values.into_map();
        for (marker, names) in [
            ("MQFERRY_bin", self.markers.bin),
            ("MQFERRY_char", self.markers.char),
            ("MQFERRY_escaped", self.markers.escaped),
        ] {
            if !names.is_empty() {
                let names: Vec<_> = names.iter().map(|name| listed_name(name)).collect();
                values.insert(marker.into(), Value::String(names.join(" ")));
            }
        }
        if self.notes.left_out > 0 {
            self.notes.kept.push(format!("and {} notes more", self.notes.left_out));
        }
        (values, self.notes.kept)
    }
}

impl Markers {
    /// A value that a broker's property can hold.
    fn plain(&mut self, name: &str, value: Value, notes: &mut Notes) -> Value {
        match value {
            Value::Bytes(bytes) => {
                self.bin.push(name.to_owned());
                Value::String(id::hex(&bytes))
            }
            Value::Char(unit) => match char::from_u32(u32::from(unit)) {
                Some(character) => {
                    self.char.push(name.to_owned());
                    Value::String(character.to_string())
                }
                None => {
                    self.char.push(name.to_owned());
                    self.escaped.push(name.to_owned()); // half a pair
                    Value::String(format!("\\u{unit:04X}"))
                }
            },
            Value::String(text) if has_beyond_bmp(&text) => {
                notes.add(format!("property {name:?} has characters beyond the BMP: written as \\u escapes"));
                self.escaped.push(name.to_owned());
                Value::String(escape_text(&text))
            }
            other => other,
        }
    }
}

/// Notes on one message.
const MAX_NOTES: usize = 64;

/// Names of ours that a message brings back from an earlier crossing, and that keep their meaning.
pub(super) const KEPT: [&str; 6] = [HOPS, MESSAGE_ID, REPLY_TO, CLASS, nested::PROPERTIES, nested::IN_BODY];

/// Gateways that it went through, with blanks between.
pub const HOPS: &str = "MQFERRY_HOPS";
/// The JMSMessageID from which its MsgId was derived.
pub const MESSAGE_ID: &str = "MQFERRY_JMSMessageID";
/// A JMSReplyTo that MQ has no field for.
pub const REPLY_TO: &str = "MQFERRY_JMSReplyTo";

/// The message class, as `Msd` would name it, where the domain of a JMSType takes that place.
pub const CLASS: &str = "MQFERRY_Class";

/// Whether the name, without `JMS_AMQP_`, is that of something which only AMQP knows and an application can have said: not how the
/// broker read the message, nor what stands for the class and the destinations of JMS (mapping rules, section 10).
pub(super) fn is_amqps_own(field: &str) -> bool {
    match field.strip_prefix("MA_") {
        Some(annotation) => !matches!(annotation, "x-opt-jms-msg-type" | "x-opt-jms-dest" | "x-opt-jms-reply-to"),
        None => matches!(field, "ReplyToGroupID" | "FirstAcquirer") || field.starts_with("FT_"),
    }
}

/// Whether it is what we ourselves wrote into a message for MQ.
fn is_kept(name: &str, value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    KEPT.contains(&name) && (name != HOPS || text.split(' ').all(super::route::is_object_name))
}

/// A name as it stands in a list of names: blanks would tear it apart.
pub(super) fn listed_name(name: &str) -> Cow<'_, str> {
    if name.contains(char::is_whitespace) {
        Cow::Owned(name.replace(char::is_whitespace, "_x0020_"))
    } else {
        name.into()
    }
}

/// Names of properties that stand for fields of the descriptor; an application's own property of such a name gets another.
pub(super) fn is_descriptor(name: &str) -> bool {
    let Some(field) = name.strip_prefix("JMS_IBM_") else { return name == "JMSXAppID" };
    if let Some(field) = field.strip_prefix("MQMD_") {
        return matches!(
            field,
            "Report"
                | "MsgType"
                | "Expiry"
                | "Feedback"
                | "Encoding"
                | "CodedCharSetId"
                | "Format"
                | "Priority"
                | "Persistence"
                | "MsgId"
                | "CorrelId"
                | "BackoutCount"
                | "ReplyToQ"
                | "ReplyToQMgr"
                | "UserIdentifier"
                | "AccountingToken"
                | "ApplIdentityData"
                | "PutApplType"
                | "PutApplName"
                | "PutDate"
                | "PutTime"
                | "ApplOriginData"
                | "GroupId"
                | "MsgSeqNumber"
                | "Offset"
                | "MsgFlags"
                | "OriginalLength"
                | "Version"
        );
    }
    if let Some(option) = field.strip_prefix("Report_") {
        return super::descriptor::REPORTS.iter().any(|(name, _)| name.ends_with(option));
    }
    matches!(
        field,
        "Format"
            | "Encoding"
            | "Character_Set"
            | "MsgType"
            | "Feedback"
            | "PutApplType"
            | "PutDate"
            | "PutTime"
            | "Last_Msg_In_Group"
    )
}

/// Names that ActiveMQ reads as header fields or instructions when they come as properties (mapping rules, sections 8 and 9).
pub(super) fn is_special(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("JMS") else { return name.starts_with("AMQ_SCHEDULED_") };
    let is_header = matches!(
        rest,
        "XDeliveryCount"
            | "XGroupID"
            | "XGroupSeq"
            | "XUserID"
            | "XProducerTXID"
            | "CorrelationID"
            | "DeliveryMode"
            | "DeliveryTime"
            | "Destination"
            | "Expiration"
            | "MessageID"
            | "Priority"
            | "Redelivered"
            | "ReplyTo"
            | "Timestamp"
            | "Type"
    );
    is_header || rest.starts_with("_AMQP_") || rest.starts_with("ActiveMQBroker")
}

/// Whether the text has such characters; in UTF-8 they alone begin so.
fn has_beyond_bmp(text: &str) -> bool {
    !text.is_ascii() && text.bytes().fold(0, |most, byte| byte.max(most)) >= 0xF0
}

fn is_beyond_bmp(c: char) -> bool {
    u32::from(c) > 0xFFFF
}

fn escape_name(name: &str) -> String {
    format!("{ESCAPE}{}", escape_beyond_bmp(name))
}

/// A name with `_xHHHH_` for each character beyond the BMP, and for an underscore that an `x` follows.
pub(super) fn escape_beyond_bmp(name: &str) -> String {
    let mut written = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        if is_beyond_bmp(c) || (c == '_' && rest.peek() == Some(&'x')) {
            let _ = write!(written, "_x{:04X}_", u32::from(c));
        } else {
            written.push(c);
        }
    }
    written
}

/// What [`escape_beyond_bmp`] wrote so.
pub(super) fn restore_beyond_bmp(written: &str) -> String {
    let mut name = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find("_x") {
        name.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 2..).unwrap_or_default();
        let escaped = after
            .split_once('_')
            .and_then(|(hex, after)| Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, after)))
            .filter(|(c, _)| is_beyond_bmp(*c) || *c == '_');
        match escaped {
            Some((c, after)) => {
                name.push(c);
                rest = after;
            }
            None => {
                name.push_str("_x");
                rest = after;
            }
        }
    }
    name + rest
}

/// What [`escape_text`] wrote so; none if it was not.
pub(super) fn restore_text(written: &str) -> Option<String> {
    let mut units = Vec::with_capacity(written.len());
    let mut rest = written.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        match rest.next()? {
            '\\' => units.push(u16::from(b'\\')),
            'u' => {
                let hex = rest.as_str().get(..4)?;
                units.push(u16::from_str_radix(hex, 16).ok()?);
                rest = rest.as_str().get(4..)?.chars();
            }
            _ => return None,
        }
    }
    String::from_utf16(&units).ok()
}

fn escape_text(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c == '\\' {
            written.push_str("\\\\");
        } else if is_beyond_bmp(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(written, "\\u{unit:04X}");
            }
        } else {
            written.push(c);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_used() {
        let mut properties = Properties::default();
        properties.set_int("JMS_IBM_MsgType", 8);
        for name in ["AMQ_SCHEDULED_DELAY", "JMSXGroupID", "JMS_IBM_MsgType", "MQFERRY_bin", "ok-name:1", "🚀_x"] {
            assert_eq!(properties.set_application(name, Value::Int(1)), Ok(()));
        }
        assert_eq!(properties.set_application("ok-name:1", Value::Int(2)), Err("ok-name:1".into()));
        let (values, notes) = properties.finish();
        let names: Vec<&str> = values.keys().map(AsRef::as_ref).collect();
        assert_eq!(
            names,
            [
                "JMS_IBM_MsgType",
                "MQFERRY_P_AMQ_SCHEDULED_DELAY",
                "MQFERRY_P_JMSXGroupID",
                "MQFERRY_P_JMS_IBM_MsgType",
                "MQFERRY_P_MQFERRY_bin",
                "MQFERRY_P__x1F680__x005F_x",
                "ok-name:1",
            ]
        );
        assert_eq!(values["JMS_IBM_MsgType"], Value::Int(8));
        assert_eq!(notes.len(), 5);
    }

    proptest::proptest! {
        #[test]
        fn names_and_texts_come_back(text in "(_|x|1F680_|005F_|\\\\|u|D83D|🚀|a|\\PC){0,12}") {
            proptest::prop_assert_eq!(&restore_beyond_bmp(&escape_beyond_bmp(&text)), &text);
            proptest::prop_assert_eq!(restore_text(&escape_text(&text)), Some(text));
        }
    }

    /// In whatever order and however many: the first of a name counts, and all come out.
    #[test]
    fn few_and_many() {
        for count in [1, 40, 64, 65, 1000] {
            let mut properties = Properties::default();
            let name = |n: u32| format!("p{}", n.wrapping_mul(2_654_435_761));
            for n in 0..count {
                assert_eq!(properties.set_application(name(n), Value::Int(0)), Ok(()));
                assert_eq!(properties.set_application(name(n / 2), Value::Int(1)), Err(name(n / 2).into()));
            }
            let expected = (0..count).map(|n| (name(n).into(), Value::Int(0))).collect();
            assert_eq!(properties.finish(), (expected, Vec::new()));
        }
    }

    #[test]
    fn values_that_cannot_be_used() {
        let mut properties = Properties::default();
        assert_eq!(properties.set_application("b", Value::Bytes(bytes::Bytes::from_static(&[1, 0xAB]))), Ok(()));
        assert_eq!(properties.set_application("c", Value::Char(0xE9)), Ok(()));
        assert_eq!(properties.set_application("e", Value::String("a\\🚀".into())), Ok(()));
        assert_eq!(properties.set_application("s", Value::String("a\\b".into())), Ok(()));
        let (values, _) = properties.finish();
        let text = |name: &str| values[name].clone();
        assert_eq!(text("b"), Value::String("01ab".into()));
        assert_eq!(text("c"), Value::String("é".into()));
        assert_eq!(text("e"), Value::String("a\\\\\\uD83D\\uDE80".into()));
        assert_eq!(text("s"), Value::String("a\\b".into()));
        assert_eq!(text("MQFERRY_bin"), Value::String("b".into()));
        assert_eq!(text("MQFERRY_char"), Value::String("c".into()));
        assert_eq!(text("MQFERRY_escaped"), Value::String("e".into()));
    }
}
