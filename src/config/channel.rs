//! `[[channel]]`: what the administrator defines for each channel.

use std::collections::BTreeMap;

use super::names;
use super::problem::Report;
use super::section::{Section, nearest};
use crate::channel::definition::ChannelType;
use crate::channel::dialect::BadSetting;
use crate::channel::{Calls, Conname, Definition, Dialect};

/// Attributes of `DEFINE CHANNEL` that an administrator may well copy here, and that this version does not have.
const LATER: &[&str] = &[
    "sslciph", "sslpeer", "sslcauth", "certlabl", "mcauser", "putaut", "npmspeed", "kaint", "usedlq", "discint",
    "batchint", "batchlim", "batchhb", "convert", "comphdr", "compmsg", "monchl", "statchl", "descr", "trptype",
];

/// Keys that belong to sending channels.
const SENDING: &[&str] = &["rqmname", "xmitq"];

/// Keys of channels that call.
const CALLING: &[&str] = &["conname", "shortrty", "shorttmr", "longrty", "longtmr"];

/// Reads every `[[channel]]`.
pub(super) fn read(root: &mut Section<'_>, report: &mut Report<'_>) -> Vec<Definition> {
    let sections = root.sections(report, "channel");
    if sections.is_empty() {
        root.require(report, "channel", "no channel is defined; add [[channel]] with name and chltype = \"RCVR\"");
    }
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut channels = Vec::new();
    for section in sections {
        channels.extend(one(section, report, &mut first));
    }
    channels
}

fn one(mut section: Section<'_>, report: &mut Report<'_>, first: &mut BTreeMap<String, usize>) -> Option<Definition> {
    let name = section.text(report, "name");
    match &name {
        None => section.require(report, "name", "is missing; give the channel's name"),
        Some(name) => {
            if let Err(text) = names::check(&name.value, names::CHANNEL_NAME_LENGTH) {
                report.at(&name.span, &section.key("name"), text);
            }
            let line = *first.entry(name.value.clone()).or_insert_with(|| report.line(&name.span));
            if line != report.line(&name.span) {
                let text = format!("{:?} is the channel of line {line} already; rename or remove one", name.value);
                report.at(&name.span, &section.key("name"), text);
            }
        }
    }
    let chltype = chltype(&mut section, report);
    for &key in SENDING {
        // Those of a sending channel are checked by the version that has sending channels.
        if let (Some(span), Some(ChannelType::Rcvr | ChannelType::Rqstr)) = (section.place_of(key), chltype) {
            report.at(&span, &section.key(key), "belongs to sending channels; remove the line");
        }
    }
    let calls = calls(&mut section, report, chltype);
    let batchsz = section.number(report, "batchsz", 1..=9999, " messages");
    let maxmsgl = section.number(report, "maxmsgl", 0..=104_857_600, " bytes");
    let hbint = section.number(report, "hbint", 0..=999_999, " seconds");
    let seqwrap = section.number(report, "seqwrap", 100..=999_999_999, "");
    let mrrty = section.number(report, "mrrty", 0..=999_999_999, "");
    let mrtmr = section.number(report, "mrtmr", 0..=999_999_999, " milliseconds");
    let dialect = dialect(section.section(report, "dialect"), report);
    section.finish(report, LATER);
    let usual = Definition::of(&name?.value, chltype?);
    Some(Definition {
        batchsz: batchsz.map_or(Some(usual.batchsz), |batchsz| u16::try_from(batchsz).ok())?,
        maxmsgl: maxmsgl.unwrap_or(usual.maxmsgl),
        hbint: hbint.unwrap_or(usual.hbint),
        seqwrap: seqwrap.unwrap_or(usual.seqwrap),
        mrrty: mrrty.map_or(Some(usual.mrrty), |mrrty| u32::try_from(mrrty).ok())?,
        mrtmr: mrtmr.map_or(Some(usual.mrtmr), |mrtmr| u32::try_from(mrtmr).ok())?,
        calls,
        dialect,
        ..usual
    })
}

/// Whom a requester calls; without CONNAME it waits to be called.
fn calls(section: &mut Section<'_>, report: &mut Report<'_>, chltype: Option<ChannelType>) -> Option<Calls> {
    if chltype == Some(ChannelType::Rcvr) {
        for &key in CALLING {
            if let Some(span) = section.place_of(key) {
                report.at(
                    &span,
                    &section.key(key),
                    "belongs to channels that call; remove the line, or write chltype = \"RQSTR\"",
                );
            }
        }
        return None;
    }
    let mut conname = Vec::new();
    for text in section.texts(report, "conname") {
        for one in text.value.split(',') {
            match one.parse::<Conname>() {
                Ok(address) => conname.push(address),
                Err(()) => {
                    let problem = format!("{one:?} is no address; write \"host(port)\", as \"qm1.example(1414)\"");
                    report.at(&text.span, &section.key("conname"), problem);
                }
            }
        }
    }
    let mut number = |key, default: u32, unit| {
        let number = section.number(report, key, 0..=999_999_999, unit);
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    };
    let calls = Calls {
        conname,
        shortrty: number("shortrty", 10, " calls"),
        shorttmr: number("shorttmr", 60, " seconds"),
        longrty: number("longrty", 999_999_999, " calls"),
        longtmr: number("longtmr", 1200, " seconds"),
    };
    (!calls.conname.is_empty()).then_some(calls)
}

fn chltype(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<ChannelType> {
    let Some(text) = section.text(report, "chltype") else {
        section.require(report, "chltype", "is missing; write \"RCVR\" for a channel that a sender (SDR) calls");
        return None;
    };
    let problem = match text.value.to_ascii_uppercase().as_str() {
        "RCVR" => return Some(ChannelType::Rcvr),
        "RQSTR" => return Some(ChannelType::Rqstr),
        "SDR" | "SVR" => "sending channels come with a later version; remove this [[channel]]".to_owned(),
        "SVRCONN" => "client channels come with a later version; remove this [[channel]]".to_owned(),
        _ => format!("{:?} is no channel type; write \"RCVR\" or \"RQSTR\"", text.value),
    };
    report.at(&text.span, &section.key("chltype"), problem);
    None
}

fn dialect(mut section: Section<'_>, report: &mut Report<'_>) -> Dialect {
    let mut dialect = Dialect::default();
    let known: Vec<String> = Dialect::keys().into_iter().map(|key| key.name.to_owned()).collect();
    for key in section.keys() {
        let Some(word) = section.word(report, &key.value) else { continue };
        let problem = match dialect.set(&key.value, &word.value) {
            Ok(()) => continue,
            Err(BadSetting::Value { value, options, .. }) => format!("{value:?} is no answer; write {options}"),
            Err(BadSetting::Key { .. }) => match nearest(&key.value, &known) {
                Some(near) => format!("no such key; did you mean {near}?"),
                None => "no such key; remove the line".to_owned(),
            },
        };
        report.at(&key.span, &section.key(&key.value), problem);
    }
    dialect
}
