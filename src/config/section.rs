//! Reading one table of the file: typed values with their place, and in the end the keys that nobody asked for.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Report;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// One table of the file.
pub(super) struct Section<'t> {
    /// `channel` in `channel.batchsz`; empty for the file itself.
    path: String,
    table: Option<&'t DeTable<'t>>,
    span: Option<Range<usize>>,
    known: Vec<String>,
}

impl<'t> Section<'t> {
    /// The file itself.
    pub(super) fn root(table: &'t DeTable<'t>) -> Self {
        Self { path: String::new(), table: Some(table), span: None, known: Vec::new() }
    }

    /// The key as the operator would write it with all tables around it.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// All keys that are there, known or not.
    pub(super) fn keys(&self) -> Vec<Placed<String>> {
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        keys.map(|key| Placed { value: key.get_ref().to_string(), span: key.span() }).collect()
    }

    /// The value of a key, if it is there. Whatever is asked for is known from then on.
    fn take(&mut self, key: &str) -> Option<(&'t DeValue<'t>, Range<usize>)> {
        if !self.known.iter().any(|known| known == key) {
            self.known.push(key.to_owned());
        }
        let (name, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((value.get_ref(), name.span()))
    }

    /// Whether a key is there; it is known from then on. For keys whose only use is to be refused.
    pub(super) fn place_of(&mut self, key: &str) -> Option<Range<usize>> {
        self.take(key).map(|(_, span)| span)
    }

    /// Says that a key must be there, unless it is (wrong, perhaps), or one is that was probably meant to be it.
    pub(super) fn require(&mut self, report: &mut Report<'_>, key: &str, text: &str) {
        let wanted = [key.to_owned()];
        if self.keys().iter().all(|there| there.value != key && nearest(&there.value, &wanted).is_none()) {
            report.missing(self.span.as_ref(), &self.key(key), text);
        }
    }

    /// A text.
    pub(super) fn text(&mut self, report: &mut Report<'_>, key: &str) -> Option<Placed<String>> {
        let (value, span) = self.take(key)?;
        match value {
            DeValue::String(text) => Some(Placed { value: text.to_string(), span }),
            other => {
                report.at(&span, &self.key(key), format!("is {}; write a text in quotes", kind(other)));
                None
            }
        }
    }

    /// A text, a whole number, or true or false, as text.
    pub(super) fn word(&mut self, report: &mut Report<'_>, key: &str) -> Option<Placed<String>> {
        let (value, span) = self.take(key)?;
        let value = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            other => {
                report.at(&span, &self.key(key), format!("is {}; write a word in quotes or a number", kind(other)));
                return None;
            }
        };
        Some(Placed { value, span })
    }

    /// A list of texts; a single text counts as a list of one.
    pub(super) fn texts(&mut self, report: &mut Report<'_>, key: &str) -> Vec<Placed<String>> {
        let Some((value, span)) = self.take(key) else { return Vec::new() };
        let name = self.key(key);
        match value {
            DeValue::String(text) => vec![Placed { value: text.to_string(), span }],
            DeValue::Array(items) => {
                let text_of = |item: &Spanned<DeValue<'_>>, report: &mut Report<'_>| match item.get_ref() {
                    DeValue::String(text) => Some(Placed { value: text.to_string(), span: item.span() }),
                    other => {
                        report.at(&item.span(), &name, format!("holds {}; write texts in quotes", kind(other)));
                        None
                    }
                };
                items.iter().filter_map(|item| text_of(item, report)).collect()
            }
            other => {
                let text = format!("is {}; write a list of texts, as [\"A\", \"B\"]", kind(other));
                report.at(&span, &name, text);
                Vec::new()
            }
        }
    }

    /// A whole number within a range.
    pub(super) fn number(
        &mut self,
        report: &mut Report<'_>,
        key: &str,
        range: RangeInclusive<i32>,
        unit: &str,
    ) -> Option<i32> {
        let (value, span) = self.take(key)?;
        let fix = format!("{} to {}{unit}", range.start(), range.end());
        let DeValue::Integer(number) = value else {
            report.at(&span, &self.key(key), format!("is {}; write a whole number, {fix}", kind(value)));
            return None;
        };
        match i64::from_str_radix(number.as_str(), number.radix()).ok().and_then(|number| i32::try_from(number).ok()) {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                report.at(&span, &self.key(key), format!("{number} is out of range; write {fix}"));
                None
            }
        }
    }

    /// A table within it; one that is not there reads as empty.
    pub(super) fn section(&mut self, report: &mut Report<'_>, key: &str) -> Section<'t> {
        let path = self.key(key);
        let mut inner = Self { path, table: None, span: None, known: Vec::new() };
        if let Some((value, span)) = self.take(key) {
            match value {
                DeValue::Table(table) => inner.table = Some(table),
                other => {
                    let text = format!("is {}; it is a table, write [{}] and its keys below", kind(other), inner.path);
                    report.at(&span, &inner.path, text);
                }
            }
            inner.span = Some(span);
        }
        inner
    }

    /// Tables of one name, as `[[channel]]`.
    pub(super) fn sections(&mut self, report: &mut Report<'_>, key: &str) -> Vec<Section<'t>> {
        let path = self.key(key);
        let Some((value, span)) = self.take(key) else { return Vec::new() };
        let wrong = |report: &mut Report<'_>, span: &Range<usize>, value: &DeValue<'_>| {
            let text = format!("is {}; there can be several, so write [[{path}]] and the keys below", kind(value));
            report.at(span, &path, text);
        };
        let DeValue::Array(items) = value else {
            wrong(report, &span, value);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Self {
                    path: path.clone(),
                    table: Some(table),
                    span: Some(item.span()),
                    known: Vec::new(),
                }),
                other => wrong(report, &item.span(), other),
            }
        }
        sections
    }

    /// Reading is over: any key that was not asked for is refused. `later` names keys that are IBM MQ's own but not yet ours.
    pub(super) fn finish(self, report: &mut Report<'_>, later: &[&str]) {
        for key in self.keys() {
            if self.known.contains(&key.value) {
                continue;
            }
            let name = self.key(&key.value);
            let text = if later.contains(&key.value.to_ascii_lowercase().as_str()) {
                "this version does not have it; remove the line".to_owned()
            } else if let Some(near) = nearest(&key.value, &self.known) {
                format!("no such key; did you mean {near}?")
            } else {
                let known = self.known.join(", ");
                let place =
                    if self.path.is_empty() { "a configuration".to_owned() } else { format!("[{}]", self.path) };
                format!("no such key; {place} takes {known}")
            };
            report.at(&key.span, &name, text);
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction or exponent",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k String>) -> Option<&'k str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let allowed = (word.len() / 3).clamp(1, 3);
    let near = known.into_iter().map(|known| (distance(&word, known), known.as_str()));
    near.filter(|(distance, known)| *distance <= allowed || (word.len() > 3 && known.starts_with(&word)))
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be added, removed or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let change = diagonal + usize::from(from != to);
            diagonal = *cell;
            *cell = change.min(left + 1).min(diagonal + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters() {
        for (a, b, letters) in
            [("", "abc", 3), ("batchsz", "batchsz", 0), ("batchsiz", "batchsz", 1), ("urk", "url", 1)]
        {
            assert_eq!(distance(a, b), letters, "{a} {b}");
        }
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["batchsz", "maxmsgl", "hbint"].map(str::to_owned);
        assert_eq!(nearest("BATCHSIZE", &known), Some("batchsz"));
        assert_eq!(nearest("batch", &known), Some("batchsz"));
        assert_eq!(nearest("destination", &known), None);
    }
}
