//! The folders of a message's MQRFH2s, read with tolerance.

use crate::message::{Header, Placed, Rfh2};
use crate::wire::ByteOrder;

use super::id;
use super::markup::{self, Element};

/// Elements in all folders of one message. More than that is kept as text.
pub(super) const MAX_ELEMENTS: usize = 1 << 14;

/// Bytes of a property's name. A longer one stays in its folder, for the names of nested elements add up.
pub(super) const MAX_NAME: usize = 1024;

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// `usr`, `mcd`, `jms`, ...; of a folder that could not be read the best guess.
    pub(super) name: String,
    /// Its text as it was, without padding; of a folder that is not even text its bytes as hex digits.
    pub(super) text: String,
    /// What it holds, or why that is not known.
    pub(super) content: Result<Element, Unread>,
}

/// Why the content of a folder is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// Its bytes are no text.
    #[error("{0}")]
    NotText(#[from] crate::codepage::NotText),
    /// Its text is no element.
    #[error("{0}")]
    Unreadable(#[from] markup::Unreadable),
}

/// The folders of all MQRFH2s among these headers, in order.
pub(super) fn of_headers(headers: &[Placed]) -> Vec<Folder> {
    let mut budget = MAX_ELEMENTS;
    let mut folders = Vec::new();
    for placed in headers {
        if let Header::Rfh2(rfh2) = &placed.header {
            folders.extend(of_header(rfh2, placed.coding.byte_order, &mut budget));
        }
    }
    folders
}

/// The folders of one MQRFH2. `budget` is how many elements may still be read.
pub(super) fn of_header(rfh2: &Rfh2, byte_order: ByteOrder, budget: &mut usize) -> Vec<Folder> {
    let mut folders = Vec::new();
    for bytes in &rfh2.folders {
        let text = match rfh2.folder_text(bytes, byte_order) {
            Ok(text) => text,
            Err(error) => {
                let content = Err(Unread::NotText(error));
                folders.push(Folder { name: UNNAMED.to_owned(), text: id::hex(bytes), content });
                continue;
            }
        };
        match markup::read(&text, *budget) {
            Ok(roots) => {
                *budget -= roots.iter().map(|root| count(&root.element)).sum::<usize>().min(*budget);
                folders.extend(roots.into_iter().map(|root| Folder {
                    name: root.element.name.clone(),
                    text: root.text.to_owned(),
                    content: Ok(root.element),
                }));
            }
            Err(error) => {
                folders.push(Folder { name: guess_name(&text), text, content: Err(Unread::Unreadable(error)) });
            }
        }
    }
    folders
}

/// Name of a folder that shows none.
pub(super) const UNNAMED: &str = "unreadable";

/// The name in the first start tag, if there is one that looks like a folder's.
fn guess_name(text: &str) -> String {
    let inside = text.trim_start().strip_prefix('<').unwrap_or_default();
    let length = inside.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')));
    let name = inside.get(..length.unwrap_or(inside.len())).unwrap_or_default();
    if (1..=64).contains(&name.len()) { name.to_owned() } else { UNNAMED.to_owned() }
}

fn count(element: &Element) -> usize {
    1 + element.children.iter().map(count).sum::<usize>()
}
