//! The application's properties as a `usr` folder (mapping rules, section 8).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::super::groups;
use super::super::markup::Element;
use super::super::render::{self, Place};
use super::super::{Value, typed};
use super::rewrite::{Template, Verdict, same};
use super::view::View;

/// Properties by their names in MQ.
pub(super) type Application<'a> = BTreeMap<Cow<'a, str>, Cow<'a, Value>>;

/// Deepest nesting that a name's dots make.
const MAX_PARTS: usize = 16;

/// Appends a folder of these properties; nothing without any.
pub(super) fn fresh<'a>(out: &mut String, properties: impl Iterator<Item = (&'a str, &'a Value)>) {
    let start = out.len();
    out.push_str("<usr>");
    write(out, properties);
    if out.len() == start + "<usr>".len() {
        out.truncate(start);
        return;
    }
    out.push_str("</usr>");
}

/// Appends properties in order of their names; a name's dots make elements in elements, as MQ's property names are read.
fn write<'a>(out: &mut String, properties: impl Iterator<Item = (&'a str, &'a Value)>) {
    let mut open: Vec<&str> = Vec::new();
    let close = |out: &mut String, open: &mut Vec<&str>, keep: usize| {
        while open.len() > keep {
            if let Some(part) = open.pop() {
                out.push_str("</");
                out.push_str(&render::element_name(part));
                out.push('>');
            }
        }
    };
    for (name, value) in properties {
        if open.is_empty() && render::is_plain_name(name) {
            render::element(out, name, value, Place::Folder);
            continue;
        }
        let (groups, last) = match name.rsplit_once('.') {
            Some((groups, last)) if is_nested(name) => (groups, last),
            _ => ("", name),
        };
        let groups = || groups.split('.').filter(|part| !part.is_empty());
        let common = open.iter().zip(groups()).take_while(|(one, other)| **one == *other).count();
        close(out, &mut open, common);
        for part in groups().skip(common) {
            out.push('<');
            out.push_str(&render::element_name(part));
            out.push('>');
            open.push(part);
        }
        render::element(out, &render::element_name(last), value, Place::Folder);
    }
    close(out, &mut open, 0);
}

fn is_nested(name: &str) -> bool {
    name.contains('.') && name.split('.').all(|part| !part.is_empty()) && name.split('.').count() <= MAX_PARTS
}

/// The properties that an element of a `usr` folder became: those too long to be one are not among them.
fn properties_of(element: &Element<'_>) -> Vec<(String, Value)> {
    let value = |element: &Element<'_>| {
        typed::value(element).unwrap_or_else(|_| Value::String(element.text.clone().into_owned()))
    };
    groups::Properties::of(element).all.into_iter().map(|(name, element)| (name, value(element))).collect()
}

/// Names of the properties that a folder became.
pub(super) fn claimed(template: &Template<'_>) -> BTreeSet<String> {
    template.root.children.iter().flat_map(properties_of).map(|(name, _)| name).collect()
}

/// The folder as it came, with what the application changed, and `added` behind it. `seen` are names that earlier folders had:
/// the first of a name counts, so that another cannot have been changed. None: nothing is left.
pub(super) fn changed(
    template: &Template<'_>,
    view: &View<'_>,
    seen: &mut BTreeSet<String>,
    added: &Application<'_>,
) -> Option<String> {
    let mut more = String::new();
    write(&mut more, added.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
    let judge = |index: usize, element: &Element<'_>| {
        let was = properties_of(element);
        let is_first: Vec<bool> = was.iter().map(|(name, _)| seen.insert(name.clone())).collect();
        let now = |name: &String| view.application.get(name);
        let kept =
            |((name, value), first): (&(String, Value), &bool)| !first || now(name).is_some_and(|now| same(now, value));
        if was.iter().zip(&is_first).all(kept) {
            return Verdict::Keep;
        }
        if let ([(name, _)], true) = (was.as_slice(), element.children.is_empty()) {
            return match now(name) {
                Some(value) => template.with_value(index, element, value),
                None => Verdict::Drop,
            };
        }
        let left: BTreeMap<&str, &Value> =
            was.iter().filter_map(|(name, _)| Some((name.as_str(), now(name)?))).collect();
        let mut out = String::new();
        write(&mut out, left.into_iter());
        if out.is_empty() { Verdict::Drop } else { Verdict::Replace(out) }
    };
    template.rewritten(judge, &more)
}
