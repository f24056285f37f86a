//! A publication as a message for MQ: the way back (mapping rules, sections 2 to 8 and 10).
//!
//! What came from MQ and was not changed comes out as it was, byte for byte behind the descriptor; what was changed shows, and
//! nothing else (golden rule 4). What came from the broker's side is written as IBM's JMS client writes it.

mod address;
mod body;
mod descriptor;
mod headers;
mod jms;
pub(super) mod keep;
mod kept;
mod ours;
mod rewrite;
mod usr;
mod view;

use std::borrow::Cow;

use bytes::Bytes;

use crate::message::{Chars, Coding, Md, Xqh};

use address::{ReplyTo, Target};
use body::Described;
pub(super) use headers::Headers;
pub(super) use jms::{JMS, MCD, is_behind};
use view::View;

use super::digest::digest;
use super::properties::{CLASS, HOPS, MESSAGE_ID, REPLY_TO};
use super::raw::{self, Piece, RawHeaders, Stretches};
use super::{
    Body, ContextMode, Destination, Policy, Publication, Rfh2Mode, Treatment, Unmappable, Value, hops, names, nested,
};

/// The sending channel for which a publication is mapped, and what is known beside the publication.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// Our name, our routes.
    pub policy: &'a Policy,
    /// Queue manager that the channel leads to.
    pub partner: &'a str,
    /// How MQXQH and MQMD are written on it.
    pub coding: Coding,
    /// Queue name that stands for the publication's temporary reply queue.
    pub reply_alias: Option<&'a str>,
    /// UserIdentifier of messages whose route does not let them say their own; up to 12 characters, blank if empty.
    pub mcauser: &'a str,
}

/// A message as it lies on a transmission queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqMessage {
    /// How its MQXQH and MQMD are written.
    pub coding: Coding,
    /// Where it goes.
    pub xqh: Xqh,
    /// Its descriptor, version 1.
    pub md: Md,
    /// MQMDE, MQDLH, MQRFH, MQRFH2, as far as there are any.
    pub headers: Bytes,
    /// The body.
    pub body: Bytes,
    /// The JMSMessageID from which MsgId was derived, for the reply table.
    pub derived_from: Option<String>,
    /// This gateway published it, under the same id: sent back to where it came from it would go round for ever.
    pub returns: bool,
    /// One line each: what was renamed, approximated or could not be kept.
    pub notes: Vec<String>,
}

impl MqMessage {
    /// Its bytes in pieces; the body is not copied.
    pub fn parts(&self) -> Vec<Bytes> {
        let mut head = Vec::with_capacity(Xqh::LENGTH + Md::LENGTH_1 + self.headers.len());
        self.xqh.encode_to(&mut head, self.coding);
        self.md.encode_to(&mut head, self.coding);
        head.extend_from_slice(&self.headers);
        vec![head.into(), self.body.clone()]
    }

    /// All that is behind the descriptor.
    pub fn data(&self) -> Vec<u8> {
        [&self.headers[..], &self.body[..]].concat()
    }
}

/// What the headers need to know beside the publication.
struct Context<'a> {
    /// The queue that it goes to.
    queue: &'a str,
    /// Whether that is another than it came for.
    is_moved: bool,
    reply: &'a ReplyTo,
    /// Format of the body.
    format: &'a str,
    /// Whether it expires when it did as it was published.
    expires_as_before: bool,
    /// Only to tell whether something was changed: without what every JMS client changes in sending.
    is_nominal: bool,
}

/// A text message whose text is null.
fn is_null_text(view: &View<'_>) -> bool {
    view.is_true("MQFERRY_NullText") && matches!(&view.publication.body, Body::Text(text) if text.is_empty())
}

/// The queue that a publication says it is for, whatever the routes of today say.
fn nominal_queue<'a>(view: &View<'a>) -> Cow<'a, str> {
    let destination = &view.publication.destination;
    view.our_text("MQFERRY_RemoteQ").unwrap_or(match destination {
        Destination::Queue(name) | Destination::Topic(name) => name.into(),
        Destination::TempQueue(name) | Destination::TempTopic(name) => name.into(),
    })
}

/// What the headers would be with nothing but the publication to go by: the measure of whether it was changed.
fn nominal_headers(view: &View<'_>, queue: &str, reply: &ReplyTo, broker: &str, body: &Described<'_>) -> Headers {
    let context =
        Context { queue, is_moved: false, reply, format: &body.format, expires_as_before: true, is_nominal: true };
    headers::fresh(view, &context, &descriptor::v2(view, broker), body, Rfh2Mode::IfNeeded)
}

fn digest_of_headers(headers: &Headers) -> [u8; 8] {
    digest([&headers.encoding.to_be_bytes(), &headers.ccsid.to_be_bytes(), headers.format.as_bytes(), &headers.bytes])
}

fn digest_of_body(view: &View<'_>, described: &Described<'_>, text: &str) -> [u8; 8] {
    let (encoding, ccsid) = (described.encoding.to_be_bytes(), described.ccsid.to_be_bytes());
    digest([view.class().as_bytes(), &encoding, &ccsid, text.as_bytes()])
}

/// Puts into the application's properties what is ours and goes to MQ with them; an MQRFH2 is not made for their sake.
fn add_ours(view: &mut View<'_>, gateway: &str, always: bool) {
    if let Some(class) = jms::class_behind_type(view) {
        view.application.insert(CLASS, Value::String(class));
    }
    let hops = view.our_text(HOPS);
    let left = hops::without(hops.as_deref().unwrap_or_default(), gateway);
    if let Some(left) = left {
        if !left.is_empty() {
            view.application.insert(HOPS, Value::String(left));
        }
        return;
    }
    if always || headers::needs_rfh2(view) {
        let all = hops::with(hops.as_deref().unwrap_or_default(), gateway);
        if !gateway.is_empty() {
            view.application.insert(HOPS, Value::String(all));
        }
        if let (Some(text), false) = (&view.publication.message_id, view.is_from_mq)
            && descriptor::of_mq(text).is_none()
        {
            view.application.insert(MESSAGE_ID, Value::String(text.clone()));
        }
    }
}

/// The UserIdentifier that the route allows, with a note where it is not the one that the publication says.
fn user<'a>(view: &mut View<'a>, context: ContextMode, mcauser: &'a str) -> Cow<'a, str> {
    let said = descriptor::said_user(view);
    if context == ContextMode::Set || said == mcauser {
        return said;
    }
    if !said.is_empty() {
        let instead = if mcauser.is_empty() { "it is blank".to_owned() } else { format!("it is {mcauser:?}") };
        view.notes
            .push(format!("UserIdentifier {said:?} is not passed on, {instead}: its route has no context = \"set\""));
    }
    mcauser.into()
}

/// Maps a publication to the message that a sending channel moves. `now_ms`: milliseconds since 1970.
///
/// # Errors
/// Where it has expired ([`super::reason::EXPIRATION`]), its names or its reply address cannot be MQ's, or its text has
/// characters that the CCSID lacks.
pub fn to_mq(publication: &Publication, sending: &Sending<'_>, now_ms: i64) -> Result<MqMessage, Unmappable> {
    let (policy, coding) = (sending.policy, sending.coding);
    let target = address::target(publication, sending)?;
    let restored = names::restored(publication, target.treatment.property_names);
    let publication = restored.as_ref().unwrap_or(publication);
    let mut view = View::of(publication, target.treatment.keep_amqp);
    let reply = address::reply_to(&mut view, sending)?;
    let tenths = descriptor::expiry_tenths(&view, now_ms)?;
    let mut raw = Raw::read(&mut view);
    let returns = hops::without(view.our_text(HOPS).as_deref().unwrap_or_default(), &policy.name).is_some()
        && publication.message_id.as_deref().is_some_and(|text| descriptor::of_mq(text).is_some());
    if let (Some(topic @ Destination::Topic(_)), true) = (&publication.reply_to, reply.queue.is_empty()) {
        view.application.insert(REPLY_TO, Value::String(topic.to_string()));
    }
    add_ours(&mut view, &policy.name, target.treatment.rfh2 == Rfh2Mode::Always);

    if target.treatment.rfh2 == Rfh2Mode::Never {
        view.notes.extend(jms::class_that_is_lost(&view));
    }
    if !view.is_from_mq {
        view.notes.extend(nested::note(&publication.properties));
    }
    let user = user(&mut view, target.treatment.context, sending.mcauser);
    let mut md = descriptor::descriptor(&mut view, &reply, &user, &policy.broker, coding, now_ms);
    md.expiry = tenths;
    let allowed = md.user_identifier;
    keep::restore_fields(&mut md, coding, &raw.fields);
    if target.treatment.context == ContextMode::Mcauser {
        md.user_identifier = allowed; // whatever came along: an application can have made that up as well
    }
    descriptor::bad_correlation(&mut view, &mut md, target.treatment.bad_correlation, &policy.broker)?;
    let mut described = body::described(&mut view, &target.treatment);
    let body = body_bytes(&mut view, &mut described, &target.treatment, &mut raw)?;
    let headers = all_headers(&mut view, &target, &reply, &policy.broker, &described, raw.headers);
    md.encoding = headers.encoding;
    md.coded_char_set_id = headers.ccsid;
    if headers.bytes.is_empty() && matches!(headers.ccsid, 0 | -2) && described.ccsid != coding.ccsid() {
        view.notes
            .push(format!("CodedCharSetId {} was that of another channel: {} now", headers.ccsid, described.ccsid));
        md.coded_char_set_id = described.ccsid;
    }
    md.format = Chars::from_text_cut(&headers.format, coding);
    keep::restore_format(&mut md, coding, &raw.fields);
    let derived = publication.message_id.clone().filter(|text| descriptor::of_mq(text).is_none());
    Ok(MqMessage {
        coding,
        xqh: Xqh::new(Chars::from_text_cut(&target.queue, coding), Chars::from_text_cut(&target.qmgr, coding)),
        md,
        headers: headers.bytes.into(),
        body,
        derived_from: derived,
        returns,
        notes: view.notes,
    })
}

/// What came along beside the publication, to be used where nothing was changed.
#[derive(Default)]
struct Raw {
    fields: Vec<keep::Field>,
    headers: Option<(Piece, RawHeaders)>,
    body: Option<(Piece, Stretches)>,
}

impl Raw {
    fn read(view: &mut View<'_>) -> Self {
        let mut raw = Self::default();
        let values: Vec<_> = view.ours_under(raw::PREFIX).map(|(name, value)| (name, Piece::read(&value))).collect();
        for (name, piece) in values {
            let read = piece.and_then(|piece| {
                match piece.name {
                    raw::MQMD => raw.fields = keep::fields(&piece.bytes)?,
                    raw::HEADERS => raw.headers = Some((piece.clone(), RawHeaders::read(&piece.bytes)?)),
                    _ => raw.body = Some((piece.clone(), Stretches::read(&piece.bytes)?)),
                }
                Some(())
            });
            if read.is_none() {
                view.notes.push(format!("{}{name} is damaged: not used", raw::PREFIX));
            }
        }
        raw
    }
}

fn body_bytes(
    view: &mut View<'_>,
    described: &mut Described<'_>,
    treatment: &Treatment,
    raw: &mut Raw,
) -> Result<Bytes, Unmappable> {
    let Some(text) = body::text(view) else { return Ok(body::plain_bytes(view)) };
    let mut notes = Vec::new();
    let digest = digest_of_body(view, described, &text);
    let encoded = body::encoded(&text, described, treatment, &mut notes);
    if let Some((piece, stretches)) = raw.body.take() {
        let is_unchanged = piece.digest == digest;
        // What could not be encoded was kept whole.
        let stood = stretches.apply(encoded.as_deref().unwrap_or_default());
        if is_unchanged || (encoded.is_ok() && keep::decodes_to(&stood, described, &text)) {
            return Ok(stood.into());
        }
    }
    let encoded = encoded?;
    if notes.is_empty() {
        notes.extend(body::stand_ins(&text, &encoded, described));
    }
    view.notes.append(&mut notes);
    Ok(Bytes::from(encoded))
}

/// Whether two moments of expiry are one: who passes on what is left of a lifetime misses it by what that takes.
fn is_about(one: i64, other: i64) -> bool {
    one == other || (one != 0 && other != 0 && one.abs_diff(other) < 1_000)
}

fn all_headers(
    view: &mut View<'_>,
    target: &Target,
    reply: &ReplyTo,
    broker: &str,
    described: &Described<'_>,
    raw: Option<(Piece, RawHeaders)>,
) -> Headers {
    let v2 = descriptor::v2(view, broker);
    let publication = view.publication;
    let came_for = match target.is_named && view.our_text("MQFERRY_RemoteQ").is_none() {
        true => Cow::Borrowed(target.queue.as_str()),
        false => nominal_queue(view),
    };
    let is_moved = target.queue != came_for;
    let context = Context {
        queue: &target.queue,
        is_moved,
        reply,
        format: &described.format,
        expires_as_before: false,
        is_nominal: false,
    };
    let mode = target.treatment.rfh2;
    if mode == Rfh2Mode::Never {
        if headers::needs_rfh2(view) {
            let names: Vec<_> = view.application.iter().map(|(name, _)| name.as_ref()).take(20).collect();
            view.notes
                .push(format!("no MQRFH2 goes with it (rfh2 = never): properties are lost: {}", names.join(", ")));
        }
        return headers::fresh(view, &context, &v2, described, mode);
    }
    if let Some((piece, original)) = raw {
        // Seen from the publication alone: a queue that routes rename is no change, and neither is a reply queue that is kept.
        let came = ReplyTo { is_unchanged: reply.is_unchanged, ..reply.clone() };
        let nominal = nominal_headers(view, &came_for, &came, broker, described);
        let is_unchanged = !is_moved && piece.digest == digest_of_headers(&nominal);
        let expires_as_before = is_about(publication.expires_at_ms.unwrap_or(0), original.expires_at_ms);
        if is_unchanged && expires_as_before {
            return original.headers;
        }
        let context = Context { expires_as_before, ..context };
        if let Some(changed) = headers::changed(view, &context, &v2, described, &original.headers) {
            return changed;
        }
        if is_unchanged {
            return original.headers; // another lifetime, of which they do not speak
        }
        view.notes.push("the headers that it came with cannot be read: they are made anew".to_owned());
    }
    headers::fresh(view, &context, &v2, described, mode)
}
