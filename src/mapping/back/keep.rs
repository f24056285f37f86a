//! What a publication does not say of the message that it was: found by mapping it back at once (golden rule 4).

use std::borrow::Cow;

use crate::codepage::{self, Newline};
use crate::message::{Chars, Coding, Envelope, Md};
use crate::wire::ByteOrder;

use super::super::digest::digest;
use super::super::payload::Payload;
use super::super::raw::{self, Cursor, Piece, RawHeaders, Stretches};
use super::super::{Policy, Publication, Treatment};
use super::address::ReplyTo;
use super::body::{self, Described};
use super::descriptor;
use super::view::View;
use super::{add_ours, digest_of_body, digest_of_headers, nominal_headers, nominal_queue};

/// Adds to a publication that was just made what it takes to give back the message byte for byte.
pub(in crate::mapping) fn keep(
    publication: &mut Publication,
    envelope: &Envelope,
    payload: &Payload<'_>,
    policy: &Policy,
    keep_amqp: bool,
    now_ms: i64,
) {
    let mut pieces = Vec::new();
    {
        let mut view = View::of(publication, keep_amqp);
        let text = |name| view.our_text(name).map(Cow::into_owned).unwrap_or_default();
        let reply = ReplyTo {
            queue: text("JMS_IBM_MQMD_ReplyToQ"),
            qmgr: text("JMS_IBM_MQMD_ReplyToQMgr"),
            is_unchanged: true,
        };
        add_ours(&mut view, &policy.name, false);
        pieces.extend(descriptor_piece(&mut view, &reply, policy, envelope, now_ms));
        let described = body::described(&mut view, &Treatment::default());
        pieces.extend(headers_piece(&view, &reply, policy, envelope, payload, &described));
        pieces.extend(body_piece(&view, envelope, payload, &described));
    }
    for (number, piece) in pieces.iter().enumerate() {
        let name = match number {
            0 => "MQFERRY_RAW_1",
            1 => "MQFERRY_RAW_2",
            _ => "MQFERRY_RAW_3", // there are three kinds
        };
        publication.properties.insert(name.into(), piece.to_value());
    }
}

fn headers_piece(
    view: &View<'_>,
    reply: &ReplyTo,
    policy: &Policy,
    envelope: &Envelope,
    payload: &Payload<'_>,
    described: &Described<'_>,
) -> Option<Piece> {
    let written = nominal_headers(view, &nominal_queue(view), reply, &policy.broker, described);
    let md = &envelope.md;
    let format = md.format.as_text(envelope.coding);
    let lay = payload.header_bytes(envelope);
    // Made afresh they would speak of a lifetime that these may not speak of.
    let is_of_lifetime = view.publication.expires_at_ms.is_some() && !written.bytes.is_empty();
    let same = !is_of_lifetime
        && written.encoding == md.encoding
        && written.ccsid == md.coded_char_set_id
        && written.format == format
        && lay == written.bytes;
    if same {
        return None;
    }
    let expires_at_ms = view.publication.expires_at_ms.unwrap_or(0);
    let bytes = RawHeaders::bytes_of((md.encoding, md.coded_char_set_id, &format), &lay, expires_at_ms);
    Some(Piece { name: raw::HEADERS, digest: digest_of_headers(&written), bytes })
}

fn body_piece(view: &View<'_>, envelope: &Envelope, payload: &Payload<'_>, described: &Described<'_>) -> Option<Piece> {
    let text = body::text(view)?;
    let stood = payload.bytes(envelope);
    // Without another copy of what may be large, where a look suffices.
    let is_itself = described.ccsid == 1208 || (described.ccsid == 819 && text.is_ascii());
    if is_itself && text.as_bytes() == stood {
        return None;
    }
    let order = ByteOrder::of_encoding(described.encoding);
    let written = codepage::encode_with(described.ccsid, order, Newline::default(), &text).unwrap_or_default();
    if written == stood {
        return None;
    }
    let bytes = Stretches::between(&written, &stood).to_bytes();
    Some(Piece { name: raw::BODY, digest: digest_of_body(view, described, &text), bytes })
}

/// Whether these bytes are this text, so that they may stand for it.
pub(super) fn decodes_to(bytes: &[u8], described: &Described<'_>, text: &str) -> bool {
    let order = ByteOrder::of_encoding(described.encoding);
    codepage::decode_with(described.ccsid, order, Newline::default(), bytes).is_ok_and(|decoded| decoded == text)
}

/// A field of the descriptor that the publication alone does not give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    index: u8,
    /// CCSID of text fields.
    ccsid: i32,
    digest: [u8; 8],
    bytes: Vec<u8>,
}

/// The fields that a publication stands for, but for Expiry and BackoutCount, which are not kept, and Encoding and
/// CodedCharSetId, which belong to the headers.
macro_rules! fields {
    (ints $($int:ident)*; ids $($id:ident)*; texts $($text:ident)*) => {
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy)]
        enum Index { $($int,)* $($id,)* $($text,)* }

        /// Index and bytes of each.
        fn all(md: &Md, mut see: impl FnMut(u8, &[u8])) {
            $(see(Index::$int as u8, &md.$int.to_be_bytes());)*
            $(see(Index::$id as u8, &md.$id);)*
            $(see(Index::$text as u8, &md.$text.0);)*
        }

        /// Index and bytes of those that differ, in the one and in the other.
        fn different(one: &Md, other: &Md, mut see: impl FnMut(u8, &[u8], &[u8])) {
            $(if one.$int != other.$int {
                see(Index::$int as u8, &one.$int.to_be_bytes(), &other.$int.to_be_bytes());
            })*
            $(if one.$id != other.$id {
                see(Index::$id as u8, &one.$id, &other.$id);
            })*
            $(if one.$text != other.$text {
                see(Index::$text as u8, &one.$text.0, &other.$text.0);
            })*
        }

        fn set(md: &mut Md, field: &Field, coding: Coding) {
            match field.index {
                $(i if i == Index::$int as u8 => {
                    if let Ok(bytes) = field.bytes.as_slice().try_into() {
                        md.$int = i32::from_be_bytes(bytes);
                    }
                })*
                $(i if i == Index::$id as u8 => {
                    if let Ok(bytes) = field.bytes.as_slice().try_into() {
                        md.$id = bytes;
                    }
                })*
                $(i if i == Index::$text as u8 => {
                    if let Ok(bytes) = field.bytes.as_slice().try_into() {
                        md.$text = text_field(Chars(bytes), field.ccsid, coding);
                    }
                })*
                _ => {}
            }
        }

        fn text_of(md: &Md, index: u8, coding: Coding) -> Option<Cow<'_, str>> {
            match index {
                $(i if i == Index::$text as u8 => Some(md.$text.as_text(coding)),)*
                _ => None,
            }
        }
    };
}

fields! {
    ints report msg_type feedback priority persistence put_appl_type;
    ids msg_id correl_id accounting_token;
    texts format reply_to_q reply_to_q_mgr user_identifier appl_identity_data put_appl_name put_date put_time
        appl_origin_data
}

/// A text field as it lay, in the coding of another channel: its text, and NULs where they were at its end.
fn text_field<const N: usize>(lay: Chars<N>, ccsid: i32, coding: Coding) -> Chars<N> {
    if ccsid == coding.ccsid() {
        return lay;
    }
    let was = Coding::described(coding.encoding(), ccsid);
    let mut field = Chars::from_text_cut(&lay.text(was), coding);
    let nuls = lay.0.iter().rev().take_while(|byte| **byte == 0).count();
    let blank = coding.blank();
    for byte in field.0.iter_mut().rev().take(nuls).take_while(|byte| **byte == blank) {
        *byte = 0;
    }
    field
}

/// What the application saw of a field: the same in every coding.
fn digest_of_field(md: &Md, index: u8, bytes: &[u8], coding: Coding) -> [u8; 8] {
    match text_of(md, index, coding) {
        Some(text) => digest([text.as_bytes()]),
        None => digest([bytes]),
    }
}

fn descriptor_piece(
    view: &mut View<'_>,
    reply: &ReplyTo,
    policy: &Policy,
    envelope: &Envelope,
    now_ms: i64,
) -> Option<Piece> {
    let coding = envelope.coding;
    let notes = view.notes.len();
    let user = descriptor::said_user(view);
    let mut written = descriptor::descriptor(view, reply, &user, &policy.broker, coding, now_ms);
    view.notes.truncate(notes);
    written.format = Chars::from_text_cut(&envelope.md.format.as_text(coding), coding);
    let mut out = coding.ccsid().to_be_bytes().to_vec();
    different(&written, &envelope.md, |index, bytes, was| {
        out.push(index);
        out.extend(digest_of_field(&written, index, bytes, coding));
        out.push(u8::try_from(was.len()).unwrap_or(0));
        out.extend(was);
    });
    (out.len() > 4).then_some(Piece { name: raw::MQMD, digest: [0; 8], bytes: out })
}

/// Reads the fields of a piece; none if it is damaged.
pub(super) fn fields(bytes: &[u8]) -> Option<Vec<Field>> {
    let mut cursor = Cursor(bytes);
    let ccsid = cursor.i32()?;
    let mut fields = Vec::new();
    while !cursor.0.is_empty() {
        let index = cursor.u8()?;
        let digest = cursor.take(8)?.try_into().ok()?;
        let length = usize::from(cursor.u8()?);
        fields.push(Field { index, ccsid, digest, bytes: cursor.take(length)?.to_vec() });
    }
    Some(fields)
}

/// Puts fields back as they lay where the publication still says what it said of them.
pub(super) fn restore_fields(md: &mut Md, coding: Coding, fields: &[Field]) {
    restore(md, coding, fields, |index| index != Index::format as u8);
}

/// The same for Format, once the headers have decided it.
pub(super) fn restore_format(md: &mut Md, coding: Coding, fields: &[Field]) {
    restore(md, coding, fields, |index| index == Index::format as u8);
}

fn restore(md: &mut Md, coding: Coding, fields: &[Field], which: impl Fn(u8) -> bool) {
    let mut fitting = Vec::new();
    all(md, |index, bytes| {
        let field = fields.iter().find(|field| field.index == index && which(index));
        fitting.extend(field.filter(|field| field.digest == digest_of_field(md, index, bytes, coding)));
    });
    for field in fitting {
        set(md, field, coding);
    }
}
