//! A folder as it came, with some of its elements changed: what was not changed stays as it lay, byte for byte.

use std::ops::Range;

use super::super::markup::{self, Element};
use super::super::render::{self, Place};
use super::super::{Value, typed};

/// Elements of one folder that are looked at; beyond, it is a folder that the mapping kept as text.
const MAX_ELEMENTS: usize = super::super::folders::MAX_ELEMENTS;

/// A folder as it came.
pub(super) struct Template<'a> {
    text: &'a str,
    /// What it holds.
    pub(super) root: Element<'a>,
    spans: Vec<Range<usize>>,
}

/// What becomes of an element.
pub(super) enum Verdict {
    /// It stays as it lies.
    Keep,
    /// The application took it away.
    Drop,
    /// It is written anew.
    Replace(String),
}

impl<'a> Template<'a> {
    /// Reads it; none if it is not one readable folder.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (root, spans) = markup::children(text, MAX_ELEMENTS)?;
        (root.children.len() == spans.len()).then_some(Self { text, root, spans })
    }

    /// Its text as it came.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The text of one of its elements.
    pub(super) fn span(&self, index: usize) -> &'a str {
        self.spans.get(index).and_then(|span| self.text.get(span.clone())).unwrap_or_default()
    }

    /// The folder with each element judged, and `added` behind the last. None: nothing is left of it.
    pub(super) fn rewritten(
        &self,
        mut verdict: impl FnMut(usize, &Element<'_>) -> Verdict,
        added: &str,
    ) -> Option<String> {
        let mut out = String::with_capacity(self.text.len() + added.len());
        let (mut at, mut left) = (0, 0);
        for (index, element) in self.root.children.iter().enumerate() {
            let Some(span) = self.spans.get(index) else { continue };
            out.push_str(self.text.get(at..span.start).unwrap_or_default());
            at = span.end;
            match verdict(index, element) {
                Verdict::Keep => out.push_str(self.span(index)),
                Verdict::Drop => continue,
                Verdict::Replace(text) => out.push_str(&text),
            }
            left += 1;
        }
        let held_only_these = self.root.attributes.is_empty() && self.root.text.trim().is_empty();
        if left == 0 && added.is_empty() && !self.spans.is_empty() && held_only_these {
            return None;
        }
        let rest = self.text.get(at..).unwrap_or_default();
        match (added.is_empty(), rest.rfind("</"), rest.rfind("/>")) {
            (true, _, _) => out.push_str(rest),
            (false, Some(end), _) => {
                out.push_str(rest.get(..end).unwrap_or_default());
                out.push_str(added);
                out.push_str(rest.get(end..).unwrap_or_default());
            }
            (false, None, end) => {
                out.push_str(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                out.push('>');
                out.push_str(added);
                out.push_str("</");
                out.push_str(self.root.name);
                out.push('>');
            }
        }
        Some(out)
    }

    /// A leaf with another value: its start tag stays where the type is the same.
    pub(super) fn with_value(&self, index: usize, element: &Element<'_>, value: &Value) -> Verdict {
        let same_kind = typed::kind(element) == render::dt(value) && !element.is_nil() && *value != Value::Null;
        let mut text = String::new();
        match start_tag(self.span(index)).filter(|_| same_kind) {
            Some(start) => {
                text.push_str(start);
                render::text_of(&mut text, value, Place::Folder);
                text.push_str("</");
                text.push_str(element.name);
                text.push('>');
            }
            None => render::element(&mut text, element.name, value, Place::Folder),
        }
        Verdict::Replace(text)
    }
}

/// The start tag, unless it is also the end.
fn start_tag(span: &str) -> Option<&str> {
    let mut quote = None;
    for (at, byte) in span.bytes().enumerate() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            (None, b'>') => return span.get(..=at).filter(|tag| !tag.ends_with("/>")),
            _ => {}
        }
    }
    None
}

/// Whether two values are the same to an application: of one type, and floats bit for bit.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }
        (Value::Double(one), Value::Double(other)) => {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }
        _ => one == other,
    }
}
