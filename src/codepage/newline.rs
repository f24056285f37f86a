//! The one thing on which EBCDIC tables disagree: what bytes 0x15 and 0x25 mean.

/// Meaning of EBCDIC 0x15 (the new line of z/OS) and 0x25 (line feed), in single-byte pages and in the single-byte
/// half of mixed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Newline {
    /// As the source of the page's table has it: on most pages of the JDK 0x15 is LF, and so is 0x25, which therefore
    /// does not come back as it was. What IBM's Java client does, hence the default.
    #[default]
    Jdk,
    /// 0x15 is LF and 0x25 is NEL (U+0085), both ways.
    LineFeed,
    /// 0x15 is NEL (U+0085) and 0x25 is LF, both ways: IBM's own conversion tables, and glibc's.
    NextLine,
}

impl Newline {
    /// The meanings of 0x15 and 0x25, where this policy overrules the page.
    pub(super) fn overrule(self) -> Option<[(u8, char); 2]> {
        match self {
            Self::Jdk => None,
            Self::LineFeed => Some([(0x15, '\n'), (0x25, '\u{85}')]),
            Self::NextLine => Some([(0x15, '\u{85}'), (0x25, '\n')]),
        }
    }

    /// A number below [`Self::COUNT`].
    pub(super) fn position(self) -> usize {
        match self {
            Self::Jdk => 0,
            Self::LineFeed => 1,
            Self::NextLine => 2,
        }
    }

    /// How many policies there are.
    pub(super) const COUNT: usize = 3;
}
