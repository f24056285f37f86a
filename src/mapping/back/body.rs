//! A publication's body as bytes in the character set that they had, or that the route gives (mapping rules, section 3).

use std::borrow::Cow;

use bytes::Bytes;

use crate::codepage::{self, Newline};
use crate::message::constants::format;
use crate::wire::ByteOrder;

use super::super::{Body, Treatment, Unencodable, Unmappable, charset, collection, reason};
use super::is_null_text;
use super::view::View;

/// What the last header, or the descriptor, says of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Described<'a> {
    /// Encoding.
    pub(in crate::mapping) encoding: i32,
    /// CCSID.
    pub(in crate::mapping) ccsid: i32,
    /// Format, without blanks.
    pub(in crate::mapping) format: Cow<'a, str>,
}

/// Encoding, CCSID and format of the body: those that it came with, or the route's.
///
/// The charset's name says which CCSID is meant only where the number does not lead to that name: then the application changed it.
pub(super) fn described<'a>(view: &mut View<'a>, treatment: &Treatment) -> Described<'a> {
    let encoding = view.int("JMS_IBM_Encoding").or_else(|| view.int("JMS_IBM_MQMD_Encoding"));
    let number = view.int("MQFERRY_CCSID").or_else(|| view.int("JMS_IBM_MQMD_CodedCharSetId"));
    let ccsid = match (number, view.text("JMS_IBM_Character_Set")) {
        (Some(number), Some(name)) if number <= 0 || charset::java_name(number) == name => number,
        (number, Some(name)) => match charset::ccsid(name) {
            Some(named) => named,
            None => {
                view.notes.push(format!("charset {name:?} of JMS_IBM_Character_Set is not known: not used"));
                number.unwrap_or(treatment.ccsid)
            }
        },
        (number, None) => number.unwrap_or(treatment.ccsid),
    };
    let format = match view.text("JMS_IBM_Format") {
        Some(format) => format.trim_end(),
        None => match view.publication.body {
            Body::Text(_) | Body::Map(_) | Body::Stream(_) => format::STRING,
            Body::Bytes(_) | Body::Object(_) | Body::Empty => format::NONE,
        },
    };
    Described { encoding: encoding.unwrap_or(treatment.encoding), ccsid, format: format.into() }
}

/// The text of a body that has one; of a map and a stream the XML that IBM's client writes.
pub(in crate::mapping) fn text<'a>(view: &View<'a>) -> Option<Cow<'a, str>> {
    match &view.publication.body {
        Body::Text(text) if text.is_empty() && is_null_text(view) => None,
        Body::Text(text) => Some(text.as_str().into()),
        Body::Map(entries) => Some(collection::map_text(entries).into()),
        Body::Stream(items) => Some(collection::stream_text(items).into()),
        Body::Bytes(_) | Body::Object(_) | Body::Empty => None,
    }
}

/// The bytes of a body that is no text.
pub(super) fn plain_bytes(view: &View<'_>) -> Bytes {
    match &view.publication.body {
        Body::Bytes(bytes) | Body::Object(bytes) => bytes.clone(),
        _ => Bytes::new(),
    }
}

/// The bytes of text.
///
/// # Errors
/// Where the CCSID lacks a character or is not known, and the route does not say that another may stand for it.
pub(super) fn encoded(
    text: &str,
    described: &mut Described<'_>,
    treatment: &Treatment,
    notes: &mut Vec<String>,
) -> Result<Vec<u8>, Unmappable> {
    let order = ByteOrder::of_encoding(described.encoding);
    let ccsid = described.ccsid;
    let error = match codepage::encode_with(ccsid, order, Newline::default(), text) {
        Ok(bytes) => return Ok(bytes),
        Err(error) => error,
    };
    let fix = "set unencodable = \"substitute\" on its route, or another ccsid";
    let refused =
        || Unmappable { reason: reason::NOT_CONVERTED, field: "CodedCharSetId", text: format!("{error}; {fix}") };
    match (&error, treatment.unencodable) {
        (codepage::Unencodable::UnknownCcsid(unknown), Unencodable::Substitute) => {
            described.ccsid = 1208;
            notes.push(format!("CCSID {unknown} is not known: the text goes in UTF-8, CCSID 1208"));
            Ok(text.as_bytes().to_vec())
        }
        (codepage::Unencodable::Character { .. }, Unencodable::Substitute) => {
            let (text, count) = substituted(ccsid, text).ok_or_else(refused)?;
            notes.push(format!("{count} characters that CCSID {ccsid} lacks became question marks: {error}"));
            codepage::encode_with(ccsid, order, Newline::default(), &text).map_err(|_| refused())
        }
        _ => Err(refused()),
    }
}

/// Characters for which the CCSID's table writes another's bytes: `¥` in 943 is read as a backslash there, and shown as a yen sign;
/// `～` and `－` of Windows become those of JIS. IBM's client does the same without a word, and a policy that refused them would refuse
/// every other Japanese address: they are approximations, which a person should know of. NEL, which EBCDIC tables write as
/// LF, is none of these.
pub(super) fn stand_ins(text: &str, encoded: &[u8], described: &Described<'_>) -> Option<String> {
    let Described { ccsid, encoding, .. } = *described;
    if text.is_ascii() || matches!(ccsid, 1200 | 1202 | 1208 | 13488 | 17584) {
        return None;
    }
    let order = ByteOrder::of_encoding(encoding);
    let read = codepage::decode_with(ccsid, order, Newline::default(), encoded).ok()?;
    let mut different =
        text.char_indices().zip(read.chars()).filter(|((_, meant), is)| meant != is && *meant != '\u{85}');
    let ((at, meant), is) = different.next()?;
    Some(format!(
        "CCSID {ccsid} has bytes for {meant:?} (U+{:04X}, at byte {at} of the text) that are read as {is:?} (U+{:04X}); {} such characters",
        u32::from(meant),
        u32::from(is),
        different.count() + 1
    ))
}

/// The text with a question mark for each character that the CCSID lacks, and how many.
fn substituted(ccsid: i32, text: &str) -> Option<(String, usize)> {
    codepage::encode(ccsid, "?").ok()?;
    let (mut out, mut count) = (String::with_capacity(text.len()), 0);
    for c in text.chars() {
        let fits = c.is_ascii_alphanumeric() || codepage::encode(ccsid, c.encode_utf8(&mut [0; 4])).is_ok();
        out.push(if fits { c } else { '?' });
        count += usize::from(!fits);
    }
    Some((out, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ccsid: i32, text: &str) -> Option<String> {
        let mut described = Described { encoding: 273, ccsid, format: "MQSTR".into() };
        let encoded = encoded(text, &mut described, &Treatment::default(), &mut Vec::new()).unwrap();
        stand_ins(text, &encoded, &described)
    }

    /// `¥` in 943 is 0x5C, which is read as a backslash (docs/codepages.md, from the JDK's table).
    #[test]
    fn characters_for_which_others_stand_are_noted() {
        let note = judged(943, "世界 ¥100 ～").unwrap();
        assert!(
            note.contains("'¥' (U+00A5, at byte 7 of the text) that are read as '\\\\' (U+005C); 2 such"),
            "{note}"
        );
        for (ccsid, text) in [(943, "世界 \\100"), (500, "a\u{85}b\nç"), (819, "ÿ"), (1208, "¥"), (930, "ｱ世界")]
        {
            assert_eq!(judged(ccsid, text), None, "{ccsid} {text}");
        }
    }
}
