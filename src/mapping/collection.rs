//! Bodies of JMS MapMessages and StreamMessages, which IBM's client writes as XML-like text
//! (mapping rules, section 3; wire reference, observed, O).

use std::collections::HashSet;

use super::markup::{self, Element, Unreadable};
use super::typed::{self, Misfit};
use super::{Entry, Value, render};

/// Entries of one body.
pub const MAX_ENTRIES: usize = 1 << 18;

/// A body that is no map or stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACollection {
    /// Not even elements.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// Elements, but others.
    #[error("no <{0}> of <elt> elements")]
    Other(&'static str),
    /// Two entries of one name, which no MapMessage can hold.
    #[error("two entries named {0:?}")]
    Twice(String),
    /// An entry whose value is not of its type.
    #[error("{0}")]
    Misfit(#[from] Misfit),
}

/// The entries of `<map><elt name="..." dt='...'>...</elt>...</map>`, in their order.
///
/// # Errors
/// Where the text is anything else.
pub fn map(text: &str) -> Result<Vec<Entry>, NotACollection> {
    let mut names = HashSet::new();
    items(text, "map", |item| {
        let name = item.attributes.copied("name");
        let name = name.ok_or(NotACollection::Other("map"))?;
        let entry = Entry { name: name.as_ref().to_owned(), value: typed::value(&item)? };
        if names.insert(name) { Ok(entry) } else { Err(NotACollection::Twice(entry.name.chars().take(40).collect())) }
    })
}

/// A map as the text of its body, entries in order of their names: brokers and clients keep none.
pub fn map_text(entries: &[Entry]) -> String {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut out = String::from("<map>");
    for entry in sorted {
        render::entry(&mut out, Some(&entry.name), &entry.value);
    }
    out.push_str("</map>");
    out
}

/// A stream as the text of its body.
pub fn stream_text(items: &[Value]) -> String {
    let mut out = String::from("<stream>");
    for item in items {
        render::entry(&mut out, None, item);
    }
    out.push_str("</stream>");
    out
}

/// The items of `<stream><elt dt='...'>...</elt>...</stream>`.
///
/// # Errors
/// Where the text is anything else.
pub fn stream(text: &str) -> Result<Vec<Value>, NotACollection> {
    items(text, "stream", |item| Ok(typed::value(&item)?))
}

/// What `make` makes of each `<elt>` in the one root; the first that is wrong is the error, unless the text cannot even be read.
fn items<'a, T>(
    text: &'a str,
    root: &'static str,
    mut make: impl FnMut(Element<'a>) -> Result<T, NotACollection>,
) -> Result<Vec<T>, NotACollection> {
    let (mut made, mut wrong) = (Vec::new(), None);
    let only = markup::each_child(text, MAX_ENTRIES, &mut |item| {
        if wrong.is_some() {
            return;
        }
        let is_item = item.name == "elt" && item.children.is_empty();
        match if is_item { make(item) } else { Err(NotACollection::Other(root)) } {
            Ok(item) => made.push(item),
            Err(error) => wrong = Some(error),
        }
    })?;
    if only.is_none_or(|element| element.name != root) {
        return Err(NotACollection::Other(root));
    }
    wrong.map_or(Ok(made), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of the JMS sample 042.
    #[test]
    fn a_stream() {
        let text = "<stream><elt dt='boolean'>0</elt><elt dt='char'>x</elt><elt>s€&amp;</elt>\
                    <elt dt='bin.hex'>010203</elt><elt xsi:nil='true'></elt><elt></elt></stream>";
        assert_eq!(
            stream(text),
            Ok(vec![
                Value::Boolean(false),
                Value::Char(0x78),
                Value::String("s€&".into()),
                Value::Bytes(bytes::Bytes::from_static(&[1, 2, 3])),
                Value::Null,
                Value::String(String::new()),
            ])
        );
    }

    #[test]
    fn names_are_not_escaped() {
        let entries = map("<map><elt name=\"<x>&\"'\" dt='i4'>1</elt></map>");
        assert_eq!(entries, Ok(vec![Entry { name: "<x>&\"'".into(), value: Value::Int(1) }]));
    }

    #[test]
    fn others() {
        for text in [
            "",
            "<map/><map/>",
            "<stream/>",
            "<map><a name='x'/></map>",
            "<map><elt>1</elt></map>",
            "<map>",
            "<map><elt name='a'>1</elt><elt name='a'>2</elt></map>",
        ] {
            assert!(map(text).is_err(), "{text}");
        }
        assert_eq!(map("<map></map>"), Ok(vec![]));
    }
}
