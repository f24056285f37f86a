//! What stands between descriptor and body: MQMDE, MQDLH, MQRFH, MQRFH2, and how each describes the next.
//!
//! Either made afresh, as IBM's JMS client would, or from those that the message came with: then only what the application changed
//! is written anew.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;

use crate::codepage::{self, Newline};
use crate::message::constants::format;
use crate::message::{Chars, Coding, Description, Dlh, Envelope, FolderTexts, Header, MdV2, Mde, Rfh, Rfh2};
use crate::wire::ByteOrder;

use super::super::folders::{self, Folder};
use super::super::properties::escape_beyond_bmp;
use super::super::{Rfh2Mode, Value};
use super::Context;
use super::body::Described;
use super::descriptor::comes_back;
use super::jms::{fresh_jms_folder, jms_folder, mcd_folder};
use super::kept::KeptFolders;
use super::rewrite::Template;
use super::usr::{self, Application};
use super::view::View;

/// Headers, and what the descriptor says of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping) struct Headers {
    /// MQMD.Encoding.
    pub(in crate::mapping) encoding: i32,
    /// MQMD.CodedCharSetId.
    pub(in crate::mapping) ccsid: i32,
    /// MQMD.Format, without blanks.
    pub(in crate::mapping) format: Cow<'static, str>,
    /// Their bytes.
    pub(in crate::mapping) bytes: Vec<u8>,
}

/// Whether something has no place without an MQRFH2, or the message came with one.
pub(super) fn needs_rfh2(view: &View<'_>) -> bool {
    let publication = view.publication;
    let has = |prefix: &'static str| view.has_under(prefix);
    view.text("JMS_IBM_MQMD_Format") == Some(format::RF_HEADER_2)
        || !view.application.is_empty()
        || publication.message_type.is_some()
        || publication.correlation_id.as_deref().is_some_and(|text| !comes_back(text))
        || publication.group_id.as_deref().is_some_and(|text| !comes_back(text))
        || !matches!(view.class().as_ref(), "jms_text" | "jms_bytes")
        || super::is_null_text(view)
        || has("MQFERRY_RFH2_")
        || has("MQFERRY_jms_")
        || has("MQFERRY_mcd_")
}

/// Headers made afresh.
pub(super) fn fresh(
    view: &View<'_>,
    context: &Context<'_>,
    v2: &MdV2,
    body: &Described<'_>,
    mode: Rfh2Mode,
) -> Headers {
    let coding = coding_of_headers(view);
    let mut chain: Vec<Header> = Vec::new();
    if *v2 != MdV2::default() {
        chain.push(Header::Mde(Box::new(mde(v2.clone()))));
    }
    chain.extend(dlh(view, None, coding).map(|dlh| Header::Dlh(Box::new(dlh))));
    chain.extend(rfh(view, coding).map(|rfh| Header::Rfh(Box::new(rfh))));
    let wants_rfh2 = match mode {
        Rfh2Mode::Never => false,
        Rfh2Mode::Always => true,
        Rfh2Mode::IfNeeded => needs_rfh2(view),
    };
    let rfh2 = wants_rfh2.then(|| fresh_rfh2(view, context));
    let outer = (view.int("JMS_IBM_MQMD_Encoding").unwrap_or(coding.encoding()), coding.ccsid());
    link(chain, rfh2.as_ref(), outer, body, coding)
}

/// The coding of headers made afresh: the descriptor's, as the message came with it, where names can be written in it.
fn coding_of_headers(view: &View<'_>) -> Coding {
    let encoding = view.int("JMS_IBM_MQMD_Encoding").unwrap_or(273);
    Coding::described(encoding, view.int("JMS_IBM_MQMD_CodedCharSetId").unwrap_or(1208))
}

/// Writes headers one behind the other, each saying what follows it, an MQRFH2 of these folders behind the others.
fn link(
    mut chain: Vec<Header>,
    rfh2: Option<&FolderTexts>,
    (encoding, ccsid): (i32, i32),
    body: &Described<'_>,
    coding: Coding,
) -> Headers {
    let rfh2_format = rfh2.map(|_| format::RF_HEADER_2);
    let Some(first) = chain.first().map(format_of).or(rfh2_format) else {
        let format = body.format.to_string().into();
        return Headers { encoding: body.encoding, ccsid: body.ccsid, format, bytes: Vec::new() };
    };
    let of_body = || Description {
        encoding: body.encoding,
        ccsid: body.ccsid,
        format: Chars::from_text_cut(&body.format, coding),
    };
    let mut bytes = Vec::new();
    for at in 0..chain.len() {
        let next = match chain.get(at + 1).map(format_of).or(rfh2_format) {
            Some(format) => Description { encoding, ccsid, format: Chars::from_text_cut(format, coding) },
            None => of_body(),
        };
        if let Some(header) = chain.get_mut(at) {
            describe(header, next);
            header.encode_to(&mut bytes, coding);
        }
    }
    if let Some(folders) = rfh2 {
        folders.encode_to(&mut bytes, coding, of_body());
    }
    Headers { encoding, ccsid, format: first.into(), bytes }
}

/// The format that announces a header.
fn format_of(header: &Header) -> &'static str {
    match header {
        Header::Mde(_) => format::MD_EXTENSION,
        Header::Dlh(_) => format::DEAD_LETTER_HEADER,
        Header::Rfh(_) => format::RF_HEADER,
        Header::Rfh2(_) => format::RF_HEADER_2,
        _ => format::NONE, // of other headers the mapping makes none
    }
}

/// Sets what a header says of what follows it.
fn describe(header: &mut Header, next: Description) {
    let (encoding, ccsid, format) = match header {
        Header::Mde(h) => (&mut h.encoding, &mut h.coded_char_set_id, &mut h.format),
        Header::Dlh(h) => (&mut h.encoding, &mut h.coded_char_set_id, &mut h.format),
        Header::Rfh(h) => (&mut h.encoding, &mut h.coded_char_set_id, &mut h.format),
        Header::Rfh2(h) => (&mut h.encoding, &mut h.coded_char_set_id, &mut h.format),
        _ => return,
    };
    (*encoding, *ccsid, *format) = (next.encoding, next.ccsid, next.format);
}

fn mde(v2: MdV2) -> Mde {
    Mde { encoding: 0, coded_char_set_id: 0, format: Chars::default(), flags: 0, v2 }
}

/// A dead-letter header of the properties that one became; `was` gives what they do not say. None: they are gone.
fn dlh(view: &View<'_>, was: Option<&Dlh>, coding: Coding) -> Option<Dlh> {
    if !view.has_under("MQFERRY_DLH_") {
        return None;
    }
    let text = |field: &str| view.our_text(&format!("MQFERRY_DLH_{field}")).unwrap_or_default();
    let int = |field: &str| view.int(&format!("MQFERRY_DLH_{field}")).unwrap_or(0);
    let described = was.map(Dlh::describes);
    fn chars<const N: usize>(text: &str, was: Option<&Chars<N>>, coding: Coding) -> Chars<N> {
        let same = was.filter(|was| was.text(coding) == text);
        same.copied().unwrap_or_else(|| Chars::from_text_cut(text, coding))
    }
    Some(Dlh {
        reason: int("Reason"),
        dest_q_name: chars(&text("DestQName"), was.map(|w| &w.dest_q_name), coding),
        dest_q_mgr_name: chars(&text("DestQMgrName"), was.map(|w| &w.dest_q_mgr_name), coding),
        encoding: described.map_or(0, |d| d.encoding),
        coded_char_set_id: described.map_or(0, |d| d.ccsid),
        format: described.map(|d| d.format).unwrap_or_default(),
        put_appl_type: int("PutApplType"),
        put_appl_name: chars(&text("PutApplName"), was.map(|w| &w.put_appl_name), coding),
        put_date: chars(&text("PutDate"), was.map(|w| &w.put_date), coding),
        put_time: chars(&text("PutTime"), was.map(|w| &w.put_time), coding),
    })
}

/// An MQRFH of the property that one became.
fn rfh(view: &View<'_>, coding: Coding) -> Option<Rfh> {
    let name_value_string = match view.ours("MQFERRY_RFH1")?.as_ref() {
        Value::Bytes(bytes) => bytes.clone(),
        Value::String(text) => codepage::encode(coding.ccsid(), text).ok().map(Bytes::from)?,
        _ => return None,
    };
    let flags = view.int("MQFERRY_RFH1_Flags").unwrap_or(0);
    Some(Rfh { encoding: 0, coded_char_set_id: 0, format: Chars::default(), flags, name_value_string })
}

/// The folders of one MQRFH2 in UTF-8: mcd, jms, usr, then those that were kept as text.
fn fresh_rfh2(view: &View<'_>, context: &Context<'_>) -> FolderTexts {
    let mut folders = FolderTexts::new();
    if !view.has_under("MQFERRY_RFH2_") {
        folders.add(|out| mcd_folder(out, None, view, context));
        folders.add(|out| fresh_jms_folder(out, view, context));
        folders.add(|out| fresh_usr(out, view));
        return folders;
    }
    let (mcd, jms) = (view.our_text("MQFERRY_RFH2_mcd"), view.our_text("MQFERRY_RFH2_jms"));
    let usr = view.our_text("MQFERRY_RFH2_usr");
    let mcd = mcd.as_deref().and_then(Template::read);
    let jms = jms.as_deref().and_then(Template::read);
    let usr = usr.as_deref().and_then(Template::read);
    folders.add(|out| mcd_folder(out, mcd.as_ref(), view, context));
    folders.add(|out| match &jms {
        Some(template) => out.push_str(&jms_folder(template, view, context).unwrap_or_default()),
        None => fresh_jms_folder(out, view, context),
    });
    folders.add(|out| match &usr {
        Some(template) => {
            let claimed = usr::claimed(template);
            let changed = usr::changed(template, view, &mut BTreeSet::new(), &others(view, &claimed));
            out.push_str(&changed.unwrap_or_default());
        }
        None => fresh_usr(out, view),
    });
    let was_used = |name: &str| match name {
        "mcd" => mcd.is_some(),
        "jms" => jms.is_some(),
        "usr" => usr.is_some(),
        _ => false,
    };
    for (_, value) in view.ours_under("MQFERRY_RFH2_").filter(|(name, _)| !was_used(name)) {
        match value.as_ref() {
            Value::String(text) if text.trim_start().starts_with('<') => folders.add(|out| out.push_str(text)),
            _ => {}
        }
    }
    folders
}

fn fresh_usr(out: &mut String, view: &View<'_>) {
    usr::fresh(out, view.application.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
}

/// Properties of the application whose names are not among these.
fn others<'a>(view: &View<'a>, claimed: &BTreeSet<String>) -> Application<'a> {
    let left = view.application.iter().filter(|(name, _)| !claimed.contains(name.as_ref()));
    left.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The headers that the message came with, with what the application changed. None: they cannot be read, or are not needed any more.
pub(super) fn changed(
    view: &View<'_>,
    context: &Context<'_>,
    v2: &MdV2,
    body: &Described<'_>,
    original: &Headers,
) -> Option<Headers> {
    let format = Chars::from_text_cut(&original.format, Coding::default());
    let first = Description { encoding: original.encoding, ccsid: original.ccsid, format };
    let envelope = Envelope::parse_as(vec![Bytes::copy_from_slice(&original.bytes)], first).ok()?;
    if envelope.body.offset != original.bytes.len() {
        return None;
    }
    let mut folders = FolderState::of(&envelope, view);
    let last_rfh2 = envelope.chain.iter().rposition(|placed| matches!(placed.header, Header::Rfh2(_)));
    let mut announced = first;
    // Headers in their coding, each with what it says of the next; a header that goes leaves its word to the one before it.
    let mut chain: Vec<(Header, Coding)> = Vec::new();
    for (at, placed) in envelope.chain.iter().enumerate() {
        let kept = match &placed.header {
            Header::Mde(mde) => Some(Header::Mde(Box::new(Mde { v2: v2.clone(), ..mde.as_ref().clone() }))),
            Header::Dlh(was) if !folders.dlh_seen => {
                folders.dlh_seen = true;
                dlh(view, Some(was), placed.coding).map(|dlh| Header::Dlh(Box::new(dlh)))
            }
            Header::Rfh(was) if !folders.rfh_seen => {
                folders.rfh_seen = true;
                same_rfh(view, was, placed.coding).map(|rfh| Header::Rfh(Box::new(rfh)))
            }
            Header::Rfh2(was) => {
                let is_last = Some(at) == last_rfh2;
                let now = folders.changed(was, placed.coding.byte_order, view, context, is_last);
                Some(Header::Rfh2(Box::new(Rfh2 { folders: now, ..was.as_ref().clone() })))
            }
            other => Some(other.clone()),
        };
        match (kept, chain.last_mut()) {
            (Some(header), _) => chain.push((header, placed.coding)),
            (None, Some((before, _))) => describe(before, placed.header.describes()),
            (None, None) => announced = placed.header.describes(),
        }
    }
    let coding = coding_of_headers(view);
    if !envelope.chain.iter().any(|placed| matches!(placed.header, Header::Mde(_))) && *v2 != MdV2::default() {
        let mut header = Header::Mde(Box::new(mde(v2.clone())));
        describe(&mut header, announced);
        announced.format = Chars::from_text_cut(format::MD_EXTENSION, Coding::default());
        chain.insert(0, (header, Coding::described(announced.encoding, announced.ccsid)));
    }
    if last_rfh2.is_none() && needs_rfh2(view) {
        let own = Description {
            encoding: coding.encoding(),
            ccsid: coding.ccsid(),
            format: Chars::from_text_cut(format::RF_HEADER_2, coding),
        };
        match chain.last_mut() {
            Some((before, _)) => describe(before, own),
            None => announced = own,
        }
        let format = Chars::from_text_cut(&body.format, coding);
        let says = Description { encoding: body.encoding, ccsid: body.ccsid, format };
        chain.push((Header::Rfh2(Box::new(fresh_rfh2(view, context).header(says))), coding));
    }
    let was = &envelope.body;
    if (was.encoding, was.ccsid, was.format.as_str()) != (body.encoding, body.ccsid, body.format.as_ref()) {
        let last_coding = chain.last().map_or_else(Coding::default, |(_, coding)| *coding);
        let format = Chars::from_text_cut(&body.format, last_coding);
        let says = Description { encoding: body.encoding, ccsid: body.ccsid, format };
        match chain.last_mut() {
            Some((last, _)) => describe(last, says),
            None => announced = says,
        }
    }
    let mut bytes = Vec::with_capacity(original.bytes.len() + 64);
    chain.iter().for_each(|(header, coding)| header.encode_to(&mut bytes, *coding));
    let format = match chain.first() {
        Some((first, _)) => format_of(first).into(),
        None => body.format.to_string().into(),
    };
    Some(Headers { encoding: announced.encoding, ccsid: announced.ccsid, format, bytes })
}

/// An MQRFH as it came, or with what the property says now; none: the property is gone.
fn same_rfh(view: &View<'_>, was: &Rfh, coding: Coding) -> Option<Rfh> {
    let now = view.ours("MQFERRY_RFH1");
    let is_empty = was.name_value_string.iter().all(|b| *b == 0 || *b == coding.blank());
    let text = codepage::decode(coding.ccsid(), &was.name_value_string).ok();
    let same = match (now.as_deref(), &text) {
        (Some(Value::String(now)), Some(text)) => text.trim_end_matches([' ', '\0']) == now,
        (Some(Value::Bytes(now)), _) => *now == was.name_value_string,
        (None, _) => is_empty,
        _ => false,
    };
    if same {
        return Some(was.clone());
    }
    rfh(view, coding).map(|now| Rfh { name_value_string: now.name_value_string, ..was.clone() })
}

/// What the folders of several MQRFH2s have in common.
struct FolderState<'a> {
    dlh_seen: bool,
    rfh_seen: bool,
    mcd_seen: bool,
    jms_seen: bool,
    budget: usize,
    /// Names of properties in the `usr` folders so far.
    seen: BTreeSet<String>,
    /// Properties that no folder had.
    new: Application<'a>,
    kept: KeptFolders<'a>,
}

impl<'a> FolderState<'a> {
    fn of(envelope: &Envelope, view: &View<'a>) -> Self {
        let mut claimed = BTreeSet::new();
        let texts = folders::texts(&envelope.chain);
        for folder in folders::read(&texts, &mut folders::MAX_ELEMENTS.clone()) {
            if let ("usr", Ok(_), Some(template)) = (folder.name, &folder.content, Template::read(&folder.text)) {
                claimed.extend(usr::claimed(&template));
            }
        }
        Self {
            dlh_seen: false,
            rfh_seen: false,
            mcd_seen: false,
            jms_seen: false,
            budget: folders::MAX_ELEMENTS,
            seen: BTreeSet::new(),
            new: others(view, &claimed),
            kept: KeptFolders::of(view),
        }
    }

    /// The folders of one MQRFH2 as they lay, but for what changed.
    fn changed(
        &mut self,
        rfh2: &Rfh2,
        byte_order: ByteOrder,
        view: &View<'_>,
        context: &Context<'_>,
        is_last: bool,
    ) -> Vec<Bytes> {
        let mut out = Vec::new();
        for bytes in &rfh2.folders {
            let texts = [folders::text(rfh2, bytes, byte_order)];
            let folders = folders::read(&texts, &mut self.budget);
            let mut is_same = true;
            let mut text = String::new();
            for folder in &folders {
                let now = self.folder(folder, view, context);
                is_same &= now.as_deref() == Some(folder.text.as_ref());
                text.push_str(&now.unwrap_or_default());
            }
            if is_same {
                out.push(bytes.clone());
            } else if !text.is_empty() {
                out.push(folder_bytes(&text, bytes, rfh2.name_value_ccsid, byte_order));
            }
        }
        if is_last {
            let new = std::mem::take(&mut self.new);
            let mut usr = String::new();
            usr::fresh(&mut usr, new.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
            let mut texts: Vec<_> = Some(usr).filter(|usr| !usr.is_empty()).into_iter().collect();
            if !self.jms_seen {
                let cid = view.publication.correlation_id.as_deref().is_some_and(|text| !comes_back(text));
                if cid {
                    let mut jms = String::new();
                    fresh_jms_folder(&mut jms, view, context);
                    texts.push(jms);
                }
            }
            if !self.mcd_seen && view.publication.message_type.is_some() {
                let mut mcd = String::new();
                mcd_folder(&mut mcd, None, view, context);
                texts.push(mcd);
            }
            // Of these every property was judged by itself.
            let is_judged = |name: &str| matches!(name.split('_').next(), Some("usr" | "jms" | "mcd"));
            texts.extend(self.kept.rest().filter_map(|(name, value)| match value.as_ref() {
                Value::String(text) if text.starts_with('<') && !is_judged(name) => Some(text.clone()),
                _ => None,
            }));
            out.extend(texts.iter().map(|text| folder_bytes(text, b"<", rfh2.name_value_ccsid, byte_order)));
        }
        out
    }

    /// A folder's text now; none where it is gone.
    fn folder(&mut self, folder: &Folder<'_>, view: &View<'_>, context: &Context<'_>) -> Option<String> {
        let template = folder.content.as_ref().ok().and_then(|_| Template::read(&folder.text));
        match (folder.name, template) {
            ("usr", Some(template)) => {
                let added = std::mem::take(&mut self.new);
                usr::changed(&template, view, &mut self.seen, &added)
            }
            ("jms", Some(template)) if !self.jms_seen => {
                self.jms_seen = true;
                jms_folder(&template, view, context)
            }
            ("mcd", Some(template)) if !self.mcd_seen => {
                self.mcd_seen = true;
                let mut mcd = String::new();
                mcd_folder(&mut mcd, Some(&template), view, context);
                Some(mcd)
            }
            _ => self.kept_folder(folder),
        }
    }

    /// A folder that became a property as it was: what the property says now.
    fn kept_folder(&mut self, folder: &Folder<'_>) -> Option<String> {
        if self.kept.take_text(&folder.text) {
            return Some(folder.text.clone().into_owned());
        }
        self.kept.take_name(&escape_beyond_bmp(folder.name))
    }
}

/// A folder's text in the header's NameValueCCSID, in the byte order and with the byte order mark of the one that it replaces,
/// padded with blanks to a multiple of 4.
fn folder_bytes(text: &str, was: &[u8], ccsid: i32, byte_order: ByteOrder) -> Bytes {
    if !matches!(ccsid, 1200 | 13488 | 17584) {
        return Rfh2::folder_bytes(text);
    }
    let (byte_order, mark) = match was {
        [0xFE, 0xFF, ..] => (ByteOrder::Big, "\u{FEFF}"),
        [0xFF, 0xFE, ..] => (ByteOrder::Little, "\u{FEFF}"),
        [0, b'<', ..] => (ByteOrder::Big, ""),
        [b'<', 0, ..] => (ByteOrder::Little, ""),
        _ => (byte_order, ""),
    };
    let mut marked = format!("{mark}{text}");
    if marked.encode_utf16().count() % 2 == 1 {
        marked.push(' ');
    }
    codepage::encode_with(ccsid, byte_order, Newline::default(), &marked).map(Bytes::from).unwrap_or_default()
}
