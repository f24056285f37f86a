//! A publication's body as bytes in the character set that they had, or that the route gives (mapping rules, section 3).

use bytes::Bytes;

use crate::codepage::{self, Newline};
use crate::message::constants::format;
use crate::wire::ByteOrder;

use super::super::{Body, Treatment, Unencodable, Unmappable, charset, collection, reason};
use super::is_null_text;
use super::view::View;

/// What the last header, or the descriptor, says of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Described {
    /// Encoding.
    pub(in crate::mapping) encoding: i32,
    /// CCSID.
    pub(in crate::mapping) ccsid: i32,
    /// Format, without blanks.
    pub(in crate::mapping) format: String,
}

/// Encoding, CCSID and format of the body: those that it came with, or the route's.
///
/// The charset's name says which CCSID is meant only where the number does not lead to that name: then the application changed it.
pub(super) fn described(view: &mut View<'_>, treatment: &Treatment) -> Described {
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
        Some(format) => format.trim_end().to_owned(),
        None => match view.publication.body {
            Body::Text(_) | Body::Map(_) | Body::Stream(_) => format::STRING.to_owned(),
            Body::Bytes(_) | Body::Object(_) | Body::Empty => format::NONE.to_owned(),
        },
    };
    Described { encoding: encoding.unwrap_or(treatment.encoding), ccsid, format }
}

/// The text of a body that has one; of a map and a stream the XML that IBM's client writes.
pub(in crate::mapping) fn text<'a>(view: &View<'a>) -> Option<std::borrow::Cow<'a, str>> {
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
    described: &mut Described,
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
