//! Folders that travelled as properties, found again without looking at each for each: a hostile message has thousands.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};

use super::super::Value;
use super::view::View;

/// Folders that are still to be found among those that the message came with.
#[derive(Default)]
pub(super) struct KeptFolders<'a> {
    /// What follows `MQFERRY_RFH2_` in the property's name, and the text.
    folders: Vec<Option<(&'a str, Cow<'a, Value>)>>,
    by_name: HashMap<&'a str, usize>,
    /// By a hash of the text.
    by_text: HashMap<u64, VecDeque<usize>>,
}

impl<'a> KeptFolders<'a> {
    /// Those of a publication.
    pub(super) fn of(view: &View<'a>) -> Self {
        let mut kept = Self::default();
        for (name, value) in view.ours_under("MQFERRY_RFH2_") {
            let at = kept.folders.len();
            kept.by_name.insert(name, at);
            if let Value::String(text) = value.as_ref() {
                kept.by_text.entry(Self::hash(text)).or_default().push_back(at);
            }
            kept.folders.push(Some((name, value)));
        }
        kept
    }

    fn hash(text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        hasher.finish()
    }

    /// Takes one that has this text.
    pub(super) fn take_text(&mut self, text: &str) -> bool {
        let Some(places) = self.by_text.get_mut(&Self::hash(text)) else { return false };
        let is_it = |folder: Option<&Option<(&str, Cow<'_, Value>)>>| matches!(folder, Some(Some((_, value))) if matches!(value.as_ref(), Value::String(now) if now == text));
        while let Some(at) = places.pop_front() {
            if is_it(self.folders.get(at)) {
                if let Some(folder) = self.folders.get_mut(at) {
                    *folder = None;
                }
                return true;
            }
        }
        false
    }

    /// Takes the one of this name: its text.
    pub(super) fn take_name(&mut self, name: &str) -> Option<String> {
        let (_, value) = self.folders.get_mut(*self.by_name.get(name)?)?.take()?;
        match value.into_owned() {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Takes what is left.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = (&'a str, Cow<'a, Value>)> {
        std::mem::take(&mut self.folders).into_iter().flatten()
    }
}
