//! The `mcd` and `jms` folders of a publication, written as IBM's JMS client writes them (wire reference, observed, O).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::message::constants::format;

use super::super::body::Mcd;
use super::super::markup::Element;
use super::super::render::{self, Place};
use super::super::{Destination, Value, typed};
use super::descriptor::comes_back;
use super::rewrite::{Template, Verdict, same};
use super::view::View;
use super::{Context, is_null_text};

/// What the `mcd` folder must say.
fn mcd<'a>(view: &View<'a>) -> Mcd<'a> {
    let publication = view.publication;
    let mut mcd = Mcd { null_text: is_null_text(view), ..Mcd::default() };
    let class = view.class();
    let some = |text: &'a str| (!text.is_empty()).then_some(Cow::Borrowed(text));
    match publication.message_type.as_deref().map(parts_of_type) {
        Some(Type::Parts { domain, set, kind, format }) => {
            mcd.domain = some(domain).or(Some(class));
            (mcd.set, mcd.kind, mcd.format) = (some(set), some(kind), format.and_then(some));
        }
        Some(Type::Plain(kind)) => (mcd.domain, mcd.kind) = (Some(class), some(kind)),
        None => mcd.domain = Some(class),
    }
    mcd
}

/// A JMSType as IBM's client reads it.
enum Type<'a> {
    Plain(&'a str),
    Parts { domain: &'a str, set: &'a str, kind: &'a str, format: Option<&'a str> },
}

fn parts_of_type(text: &str) -> Type<'_> {
    let parts = text.strip_prefix("mcd://").and_then(|rest| {
        let (domain, rest) = rest.split_once('/')?;
        let (set, rest) = rest.split_once('/')?;
        let (kind, format) = match rest.split_once("?format=") {
            Some((kind, format)) => (kind, Some(format)),
            None => (rest, None),
        };
        Some(Type::Parts { domain, set, kind, format })
    });
    parts.unwrap_or(Type::Plain(text))
}

/// Whether a message class has to be kept beside the domain of a JMSType, for from that and the format it cannot be told.
pub(in crate::mapping) fn is_behind(domain: &str, class: &str) -> bool {
    !domain.is_empty() && domain != class && (domain.starts_with("jms_") || !matches!(class, "jms_text" | "jms_bytes"))
}

/// The message class where the domain of a JMSType takes its place in MQ, which has one field for both.
pub(super) fn class_behind_type(view: &View<'_>) -> Option<String> {
    let Type::Parts { domain, .. } = parts_of_type(view.publication.message_type.as_deref()?) else { return None };
    let class = view.class();
    is_behind(domain, &class).then(|| class.into_owned())
}

/// What a person should know where there is no room beside it either.
pub(super) fn class_that_is_lost(view: &View<'_>) -> Option<String> {
    let class = class_behind_type(view)?;
    Some(format!("JMSType takes the place of the message class {class}, which is lost without an MQRFH2"))
}

/// Appends the `mcd` folder: as it came where it still says what the publication says.
pub(super) fn mcd_folder(out: &mut String, template: Option<&Template<'_>>, view: &View<'_>, context: &Context<'_>) {
    let wanted = mcd(view);
    if let Some(template) = template {
        let was = Mcd::of(&template.root);
        // Without a class the format decides, and text that could not be converted is published as bytes.
        let by_format = match wanted.domain.as_deref() {
            Some("jms_text") => context.format == format::STRING,
            class => class == Some("jms_bytes"),
        };
        let same_domain = was.domain == wanted.domain || (was.domain.is_none() && by_format);
        let same_type = was.jms_type() == view.publication.message_type;
        let extras: Vec<_> = view.ours_under("MQFERRY_mcd_").collect();
        if same_domain && same_type && was.null_text == wanted.null_text && has_all(&template.root, &MCD, &extras) {
            out.push_str(template.text());
            return;
        }
    }
    out.push_str("<mcd>");
    for (name, text) in [("Msd", &wanted.domain), ("Set", &wanted.set), ("Type", &wanted.kind), ("Fmt", &wanted.format)]
    {
        if let Some(text) = text {
            write_text(out, name, "", text);
        }
    }
    if wanted.null_text {
        out.push_str("<msgbody xsi:nil=\"true\"></msgbody>");
    }
    for (name, value) in view.ours_under("MQFERRY_mcd_") {
        render::element(out, name, &value, Place::Folder);
    }
    out.push_str("</mcd>");
}

/// Elements of these folders that the mapping knows; others are properties.
pub(in crate::mapping) const MCD: [&str; 5] = ["Msd", "Set", "Type", "Fmt", "msgbody"];
pub(in crate::mapping) const JMS: [&str; 9] = ["Dst", "Rto", "Dlv", "Pri", "Exp", "Tms", "Cid", "Gid", "Seq"];

/// Whether a folder's further elements and the properties that they became are the same.
fn has_all(root: &Element<'_>, known: &[&str], extras: &[(&str, Cow<'_, Value>)]) -> bool {
    let others = || root.children.iter().filter(|child| !known.contains(&child.name));
    let now: HashMap<&str, &Value> = extras.iter().map(|(name, value)| (*name, value.as_ref())).collect();
    let held = |element: &Element<'_>| match typed::value(element) {
        Ok(value) if element.children.is_empty() => now.get(element.name).is_none_or(|now| same(now, &value)),
        _ => true,
    };
    let names: HashSet<&str> = others().map(|element| element.name).collect();
    others().all(held) && extras.iter().all(|(name, _)| names.contains(name))
}

/// Appends an element of text, which begins with `start`.
fn write_text(out: &mut String, name: &str, start: &'static str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    out.push_str(start);
    render::escape(out, text, Place::Folder);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// What an element of the `jms` folder says.
enum Says<'a> {
    Text(Cow<'a, str>),
    Queue(&'a str),
    Number(i64),
    /// Of elements that the mapping does not know.
    Value(Cow<'a, Value>),
}

/// What the address of a queue begins with.
const QUEUE: &str = "queue:///";

impl Says<'_> {
    fn write(&self, out: &mut String, name: &str) {
        match self {
            Self::Text(text) => write_text(out, name, "", text),
            Self::Queue(queue) => write_text(out, name, QUEUE, queue),
            Self::Number(number) => {
                out.push('<');
                out.push_str(name);
                out.push('>');
                render::push_number(out, *number);
                out.push_str("</");
                out.push_str(name);
                out.push('>');
            }
            Self::Value(value) => render::element(out, name, value, Place::Folder),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.to_string()),
            Self::Queue(queue) => Value::String(format!("{QUEUE}{queue}")),
            Self::Number(number) => Value::String(number.to_string()),
            Self::Value(value) => value.clone().into_owned(),
        }
    }
}

/// Shows what the `jms` folder must say, element by element in IBM's order.
fn jms<'a>(view: &View<'a>, context: &'a Context<'_>, mut see: impl FnMut(&'a str, Says<'a>)) {
    let publication = view.publication;
    let said = |name: &str| view.int(name).map(i64::from);
    see(
        "Dst",
        match view.our_text("MQFERRY_Dst").filter(|_| !context.is_moved) {
            Some(text) => Says::Text(text),
            None => Says::Queue(context.queue),
        },
    );
    if let Some(text) = reply_text(view, context) {
        see("Rto", text);
    }
    // Every JMS client stamps what it sends: that is PutDate and PutTime, and changes no folder that came with the message.
    let stamped = match view.ours("MQFERRY_Tms").as_deref() {
        Some(Value::Long(ms)) => *ms,
        _ if context.is_nominal => 0,
        _ => publication.timestamp_ms.unwrap_or(0),
    };
    see("Tms", Says::Number(stamped));
    let expires = match publication.expires_at_ms.filter(|at| *at != 0 && !context.is_nominal) {
        Some(at) => Some(at),
        None => view.ours("MQFERRY_Exp").and_then(|exp| match exp.as_ref() {
            Value::Long(at) => Some(*at),
            _ => None,
        }),
    };
    if let Some(at) = expires {
        see("Exp", Says::Number(at));
    }
    if let Some(text) = &publication.correlation_id {
        see("Cid", Says::Text(Cow::Borrowed(text)));
    }
    let differs = (publication.priority != 4).then(|| i64::from(publication.priority));
    if let Some(priority) = said("MQFERRY_jms_Pri").or(differs) {
        see("Pri", Says::Number(priority));
    }
    see("Dlv", Says::Number(said("MQFERRY_jms_Dlv").unwrap_or(if publication.persistent { 2 } else { 1 })));
    let group = view.our_text("MQFERRY_jms_Gid").or(publication.group_id.as_deref().map(Cow::Borrowed));
    let has_group = group.is_some() || publication.group_sequence.is_some();
    if let Some(text) = group {
        see("Gid", Says::Text(text));
    }
    let sequence = said("MQFERRY_jms_Seq").or_else(|| {
        let number_in_group = publication.group_sequence.filter(|number| *number >= 1);
        number_in_group.or_else(|| view.int("JMS_IBM_MQMD_MsgSeqNumber")).map(i64::from)
    });
    if let Some(number) = sequence.filter(|_| has_group) {
        see("Seq", Says::Number(number));
    }
    let others = view.ours_under("MQFERRY_jms_").filter(|(name, _)| !JMS.contains(name));
    others.for_each(|(name, value)| see(name, Says::Value(value)));
}

/// `Rto`: as it came while the reply queue is, else as IBM's client would write it.
fn reply_text<'a>(view: &View<'a>, context: &'a Context<'_>) -> Option<Says<'a>> {
    let came = view.our_text("MQFERRY_Rto").filter(|_| context.reply.is_unchanged);
    match (&view.publication.reply_to, came) {
        (_, Some(text)) => Some(Says::Text(text)),
        (Some(topic @ Destination::Topic(_)), None) => Some(Says::Text(topic.to_string().into())),
        _ if context.reply.queue.is_empty() => None,
        _ if context.reply.is_unchanged => None, // it had none
        _ => Some(Says::Queue(&context.reply.queue)),
    }
}

/// Appends the `jms` folder made afresh.
pub(super) fn fresh_jms_folder(out: &mut String, view: &View<'_>, context: &Context<'_>) {
    out.push_str("<jms>");
    jms(view, context, |name, says| says.write(out, name));
    out.push_str("</jms>");
}

/// The `jms` folder, as it came but for what changed; none: nothing is left of it.
pub(super) fn jms_folder(template: &Template<'_>, view: &View<'_>, context: &Context<'_>) -> Option<String> {
    let mut wanted = Vec::new();
    jms(view, context, |name, says| wanted.push((name, says.value())));
    let by_name: HashMap<&str, &Value> = wanted.iter().map(|(name, value)| (*name, value)).collect();
    let now = |name: &str| by_name.get(name).copied();
    // What was not there is added only where no field of the descriptor says it.
    let names: HashSet<&str> = template.root.children.iter().map(|child| child.name).collect();
    let is_new = |name: &str| !names.contains(name);
    let publication = view.publication;
    let needs_no_folder = |name: &str| match name {
        "Cid" => publication.correlation_id.as_deref().is_none_or(comes_back),
        "Gid" => publication.group_id.as_deref().is_none_or(comes_back),
        known => JMS.contains(&known),
    };
    let mut added = String::new();
    for (name, value) in wanted.iter().filter(|(name, _)| is_new(name) && !needs_no_folder(name)) {
        render::element(&mut added, name, value, Place::Folder);
    }
    let mut seen = HashSet::new();
    let judge = |index: usize, element: &Element<'_>| {
        let name = element.name;
        let is_property = JMS.contains(&name) || (typed::value(element).is_ok() && element.children.is_empty());
        if !seen.insert(name.to_owned()) || !is_property {
            return Verdict::Keep;
        }
        let is_same = |now: &Value| match (JMS.contains(&name), now) {
            (true, Value::String(now)) => element.text.trim() == now || element.text == *now,
            _ => typed::value(element).is_ok_and(|was| same(&was, now)),
        };
        match (name, now(name)) {
            ("Dst", _) if element.text.is_empty() || queue_of(&element.text) == Some(context.queue) => Verdict::Keep,
            ("Dst", _) if !context.is_moved && view.ours("MQFERRY_Dst").is_some() => Verdict::Keep,
            ("Exp", _) if context.expires_as_before => Verdict::Keep,
            ("Tms", _) if view.is_from_mq => Verdict::Keep,
            ("Pri" | "Dlv", Some(now)) if is_same(now) => Verdict::Keep,
            ("Pri", None) if element.text.trim() == "4" => Verdict::Keep, // IBM's client leaves it out, others do not
            (_, Some(now)) if is_same(now) => Verdict::Keep,
            (_, Some(now)) if JMS.contains(&name) => with_text(template, index, element, now),
            (_, Some(now)) => template.with_value(index, element, now),
            (_, None) => Verdict::Drop,
        }
    };
    template.rewritten(judge, &added)
}

/// A known element with another text; other writers than IBM's client give these types, which stay.
fn with_text(template: &Template<'_>, index: usize, element: &Element<'_>, now: &Value) -> Verdict {
    let Value::String(text) = now else { return template.with_value(index, element, now) };
    let typed = match (typed::kind(element), text.parse::<i64>()) {
        ("i8" | "int", Ok(number)) => Value::Long(number),
        ("i4", Ok(number)) => i32::try_from(number).map_or_else(|_| now.clone(), Value::Int),
        _ => now.clone(),
    };
    template.with_value(index, element, &typed)
}

/// The queue in `queue:///Q`, `queue://QM/Q` or either with `?options`.
fn queue_of(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix("queue://")?.split_once('/')?;
    rest.split('?').next()
}
