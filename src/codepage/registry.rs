//! Which CCSID is which page; pages are unpacked when they are first used, once for each newline policy.

use std::sync::OnceLock;

use super::Newline;
use super::double_byte::DoubleByte;
use super::ebcdic_mixed::EbcdicMixed;
use super::pages::{CCSIDS, PAGES};
use super::single_byte::SingleByte;
use super::unpack::Unpacked;

/// How a page's characters lie in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One byte a character.
    Single,
    /// One byte, or a lead byte and a second one.
    Double,
    /// Like `Double`, and three bytes of which the first is 8F.
    Euc,
    /// Like `Double`, and four bytes.
    Gb18030,
    /// EBCDIC: single bytes, and pairs between shift-out and shift-in.
    Mixed,
}

/// A page as it is stored.
pub(super) struct Packed {
    /// The CCSID whose name the table's file bears.
    pub(super) ccsid: i32,
    pub(super) kind: Kind,
    /// Place in `PAGES` of the page that `data` is a difference from.
    pub(super) base: Option<usize>,
    /// The format is in [`super::unpack`].
    pub(super) data: &'static [u8],
}

/// A page ready for use.
pub(super) enum Page {
    Single(Box<SingleByte>),
    Double(DoubleByte),
    Mixed(EbcdicMixed),
}

impl Page {
    /// Text, or the offset of the first byte of what is not a character.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<String, usize> {
        match self {
            Self::Single(page) => page.decode(bytes),
            Self::Double(page) => page.decode(bytes),
            Self::Mixed(page) => page.decode(bytes),
        }
    }

    /// Bytes, or the first character without any and its offset in the text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u8>, (usize, char)> {
        match self {
            Self::Single(page) => page.encode(text),
            Self::Double(page) => page.encode(text),
            Self::Mixed(page) => page.encode(text),
        }
    }
}

static LOADED: [[OnceLock<Page>; Newline::COUNT]; PAGES.len()] =
    [const { [const { OnceLock::new() }; Newline::COUNT] }; PAGES.len()];

/// The kind of a CCSID's page.
pub(super) fn kind(ccsid: i32) -> Option<Kind> {
    PAGES.get(position(ccsid)?).map(|packed| packed.kind)
}

/// The page of a CCSID under a newline policy.
pub(super) fn page(ccsid: i32, newline: Newline) -> Option<&'static Page> {
    let position = position(ccsid)?;
    let packed = PAGES.get(position)?;
    let newline = if super::is_ebcdic(packed.ccsid) { newline } else { Newline::Jdk };
    let slot = LOADED.get(position)?.get(newline.position())?;
    Some(slot.get_or_init(|| load(packed, newline)))
}

fn position(ccsid: i32) -> Option<usize> {
    let at = CCSIDS.binary_search_by_key(&ccsid, |(known, _)| *known).ok()?;
    CCSIDS.get(at).map(|(_, position)| *position)
}

fn load(packed: &Packed, newline: Newline) -> Page {
    let mut unpacked = unpack(packed);
    if let Some(meanings) = newline.overrule() {
        unpacked.overrule(meanings);
    }
    match packed.kind {
        Kind::Single => Page::Single(Box::new(SingleByte::new(&unpacked))),
        Kind::Double | Kind::Euc | Kind::Gb18030 => Page::Double(DoubleByte::new(&unpacked)),
        Kind::Mixed => Page::Mixed(EbcdicMixed::new(&unpacked)),
    }
}

fn unpack(packed: &Packed) -> Unpacked {
    let base = packed.base.and_then(|base| PAGES.get(base)).map(unpack);
    Unpacked::read(packed.kind, base.as_ref(), packed.data)
}
