//! The folders of a message's MQRFH2s, read with tolerance.

use std::borrow::Cow;

use bytes::Bytes;

use crate::codepage::NotText;
use crate::message::{Header, Placed, Rfh2};
use crate::wire::ByteOrder;

use super::id;
use super::markup::{self, Element};

/// Elements in all folders of one message. More than that is kept as text.
pub(super) const MAX_ELEMENTS: usize = 1 << 14;

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder<'a> {
    /// `usr`, `mcd`, `jms`, ...; of a folder that could not be read the best guess.
    pub(super) name: &'a str,
    /// Its text as it was, without padding; of a folder that is not even text its bytes as hex digits.
    pub(super) text: Cow<'a, str>,
    /// What it holds, or why that is not known.
    pub(super) content: Result<Element<'a>, Unread>,
}

/// Why the content of a folder is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// Its bytes are no text.
    #[error("{0}")]
    NotText(NotText),
    /// Its text is no element.
    #[error("{0}")]
    Unreadable(#[from] markup::Unreadable),
}

/// The text of a folder's bytes, or the bytes and why they are none.
pub(super) type Text<'a> = Result<Cow<'a, str>, (&'a Bytes, NotText)>;

/// The texts of the folders of all MQRFH2s among these headers, in order.
pub(super) fn texts(headers: &[Placed]) -> Vec<Text<'_>> {
    let rfh2s = headers.iter().filter_map(|placed| match &placed.header {
        Header::Rfh2(rfh2) => Some((rfh2, placed.coding.byte_order)),
        _ => None,
    });
    rfh2s.flat_map(|(rfh2, order)| rfh2.folders.iter().map(move |bytes| text(rfh2, bytes, order))).collect()
}

/// The text of one of these folders.
pub(super) fn text<'a>(rfh2: &Rfh2, bytes: &'a Bytes, byte_order: ByteOrder) -> Text<'a> {
    rfh2.folder_text(bytes, byte_order).map_err(|error| (bytes, error))
}

/// The folders in these texts. `budget` is how many elements may still be read.
pub(super) fn read<'a>(texts: &'a [Text<'_>], budget: &mut usize) -> Vec<Folder<'a>> {
    let mut folders = Vec::with_capacity(texts.len());
    let mut readings = markup::Readings::default();
    for text in texts {
        let text = match text {
            Ok(text) => text.as_ref(),
            Err((bytes, error)) => {
                let content = Err(Unread::NotText(error.clone()));
                folders.push(Folder { name: UNNAMED, text: id::hex(bytes).into(), content });
                continue;
            }
        };
        match readings.read(text, *budget) {
            Ok(roots) => {
                let mut elements = 0;
                folders.extend(roots.map(|root| {
                    elements += count(&root.element);
                    Folder { name: root.element.name, text: root.text.into(), content: Ok(root.element) }
                }));
                *budget -= elements.min(*budget);
            }
            Err(error) => {
                folders.push(Folder { name: guess_name(text), text: text.into(), content: Err(error.into()) });
            }
        }
    }
    folders
}

/// Name of a folder that shows none.
pub(super) const UNNAMED: &str = "unreadable";

/// The name in the first start tag, if there is one that looks like a folder's.
fn guess_name(text: &str) -> &str {
    let inside = text.trim_start().strip_prefix('<').unwrap_or_default();
    let length = inside.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')));
    let name = inside.get(..length.unwrap_or(inside.len())).unwrap_or_default();
    if (1..=64).contains(&name.len()) { name } else { UNNAMED }
}

fn count(element: &Element<'_>) -> usize {
    1 + element.children.iter().map(count).sum::<usize>()
}
