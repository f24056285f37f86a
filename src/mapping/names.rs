//! Property names that are no Java identifiers, for clients that show no others: written `_xHHHH_` on the way to the broker, and
//! restored on the way back (mapping rules, section 8).

use std::borrow::Cow;

use super::render;
use super::{PropertyNames, Publication, Value};

/// Says that the names of a publication are written so.
const MARKER: &str = "MQFERRY_names";

/// Words that JMS does not allow as identifiers, in any case of their letters.
const WORDS: [&str; 11] = ["NULL", "TRUE", "FALSE", "NOT", "AND", "OR", "BETWEEN", "LIKE", "IN", "IS", "ESCAPE"];

/// Notes on single names; of more only the number is told.
const MAX_NOTES: usize = 16;

/// Whether the character may stand in an identifier in the eyes of every Java: ASCII, and letters of the scripts that the code
/// pages of banks have. Others are escaped even where Java takes them, which loses nothing.
fn fits(c: char, first: bool) -> bool {
    match c {
        '_' | '$' => true,
        _ if c.is_ascii() => c.is_ascii_alphabetic() || (!first && c.is_ascii_digit()),
        '\u{C0}'..='\u{24F}' => c.is_alphabetic(),
        '\u{370}'..='\u{3FF}' | '\u{400}'..='\u{481}' => c.is_alphabetic(),
        '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{4E00}'..='\u{9FA5}' | '\u{AC00}'..='\u{D7A3}' => true,
        _ => false,
    }
}

/// A name as an identifier; [`restored_name`] undoes it.
fn escaped_name(name: &str) -> Cow<'_, str> {
    match name.chars().next() {
        Some(first) if WORDS.iter().any(|word| name.eq_ignore_ascii_case(word)) => {
            format!("_x{:04X}_{}", u32::from(first), name.get(first.len_utf8()..).unwrap_or_default()).into()
        }
        _ => render::escaped(name, fits),
    }
}

/// The name that [`escaped_name`] wrote so; none for one that is itself.
fn restored_name(written: &str) -> Option<String> {
    render::restored(written, escaped_name)
}

/// Writes the names of a publication that goes to the broker. A line for each that is another now.
pub(super) fn escape(publication: &mut Publication) -> Vec<String> {
    if publication.properties.keys().all(|name| matches!(escaped_name(name), Cow::Borrowed(_))) {
        return Vec::new();
    }
    let (mut notes, mut more) = (Vec::new(), 0);
    let all = std::mem::take(&mut publication.properties);
    for (name, value) in all {
        let written = escaped_name(&name).into_owned();
        if written != name && notes.len() < MAX_NOTES {
            notes.push(format!(
                "property {name:?} is no Java identifier: it is now {written:?} (property_names = escape)"
            ));
        } else if written != name {
            more += 1;
        }
        publication.properties.insert(written.into(), value);
    }
    if more > 0 {
        notes.push(format!("and {more} properties more whose names are no Java identifiers"));
    }
    publication.properties.insert(MARKER.into(), Value::String("escaped".to_owned()));
    notes
}

/// The publication with its names as they were, where it says that they are escaped or its route does. None: it is as it was.
pub(super) fn restored(publication: &Publication, names: PropertyNames) -> Option<Publication> {
    let properties = &publication.properties;
    if names == PropertyNames::AsIs && !properties.contains_key(MARKER) {
        return None;
    }
    let all: Vec<_> = properties.keys().map(|name| restored_name(name)).collect();
    if all.iter().all(Option::is_none) {
        return None;
    }
    let restored = properties.iter().zip(all).map(|((written, value), name)| {
        // Where both are there, an application has set the other: neither is lost.
        let name = name.filter(|name| !properties.contains_key(name.as_str()));
        (name.map_or_else(|| written.clone(), Into::into), value.clone())
    });
    Some(Publication { properties: restored.collect(), ..publication.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, written) in [
            ("colour", "colour"),
            ("a-b", "a_x002D_b"),
            ("a.b", "a_x002E_b"),
            ("x:y", "x_x003A_y"),
            ("my prop", "my_x0020_prop"),
            ("1st", "_x0031_st"),
            ("st1", "st1"),
            ("größe", "größe"),
            ("Ⓐ", "_x24B6_"),
            ("In", "_x0049_n"),
            ("NULL", "_x004E_ULL"),
            ("INN", "INN"),
            ("a_x002D_b", "a_x005F_x002D_b"),
            ("", ""),
        ] {
            assert_eq!(escaped_name(name), written);
            assert_eq!(restored_name(written).unwrap_or_else(|| written.to_owned()), name);
        }
        assert_eq!(restored_name("a_x0041_b"), None, "nobody would have written that so");
    }

    proptest::proptest! {
        #[test]
        fn they_come_back(name in "(_|x|0020|005F|IN|1|-| |:|a|\\PC){0,12}") {
            let written = escaped_name(&name).into_owned();
            proptest::prop_assert_eq!(restored_name(&written).unwrap_or_else(|| written.clone()), name);
            proptest::prop_assert!(written.chars().enumerate().all(|(at, c)| fits(c, at == 0)));
        }
    }
}
