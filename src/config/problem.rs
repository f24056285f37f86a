//! What is wrong with a configuration: file, line, key, and the fix.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The configuration file, as the operator named it.
    pub file: String,
    /// Line in it, from 1; none when no line is to blame.
    pub line: Option<usize>,
    /// The key, with the tables around it, as `channel.batchsz`; empty when no key is to blame.
    pub key: String,
    /// What is wrong, and after a semicolon how to mend it.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.text)
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

/// Where problems are gathered while a file is read.
pub(super) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
    /// The file is no whole TOML: what seems to be missing may stand in the part that could not be read.
    partial: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, problems: Vec::new(), partial: false }
    }

    /// Something is wrong at these bytes of the file.
    pub(super) fn at(&mut self, span: &Range<usize>, key: &str, text: impl Into<String>) {
        let line = self.line(span);
        if self.partial && self.problems.iter().any(|problem| problem.line == Some(line)) {
            return;
        }
        self.push(Some(line), key, text.into());
    }

    /// The line, from 1, on which these bytes begin.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.bytes().filter(|&byte| byte == b'\n').count() + 1
    }

    /// Something that must be there is not; `span` is the table that lacks it, if there is one.
    pub(super) fn missing(&mut self, span: Option<&Range<usize>>, key: &str, text: impl Into<String>) {
        match span {
            _ if self.partial => {}
            Some(span) => self.at(span, key, text),
            None => self.push(None, key, text.into()),
        }
    }

    /// The file is not TOML here.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let text = error.message().lines().collect::<Vec<_>>().join(", ");
        self.partial = false;
        self.at(&span, "", format!("is not TOML ({text}); mend this line"));
        self.partial = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        Problems(self.problems)
    }

    fn push(&mut self, line: Option<usize>, key: &str, text: String) {
        self.problems.push(Problem { file: self.file.to_owned(), line, key: key.to_owned(), text });
    }
}
