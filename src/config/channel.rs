//! `[[channel]]`: what the administrator defines for each channel.

use std::collections::{BTreeMap, HashMap};

use super::names;
use super::problem::Report;
use super::section::{Section, nearest};
use crate::channel::definition::ChannelType;
use crate::channel::dialect::BadSetting;
use crate::channel::{Calls, Conname, Definition, Dialect};
use crate::mapping::Destination;
use crate::target::{Outlet, Outlets};

/// Attributes of `DEFINE CHANNEL` that an administrator may well copy here, and that this version does not have.
const LATER: &[&str] = &[
    "sslciph", "sslpeer", "sslcauth", "certlabl", "mcauser", "putaut", "npmspeed", "kaint", "usedlq", "convert",
    "comphdr", "compmsg", "monchl", "statchl", "descr", "trptype",
];

/// Keys that belong to sending channels.
const SENDING: &[&str] = &["rqmname", "xmitq", "batchlim", "batchint", "batchhb", "discint"];

/// Keys that belong to receiving channels.
const RECEIVING: &[&str] = &["mrrty", "mrtmr"];

/// Keys of channels that call.
const CALLING: &[&str] = &["conname", "shortrty", "shorttmr", "longrty", "longtmr"];

/// Reads every `[[channel]]`; and what sending ones consume, by their names.
pub(super) fn read(root: &mut Section<'_>, report: &mut Report<'_>) -> (Vec<Definition>, HashMap<String, Outlets>) {
    let sections = root.sections(report, "channel");
    if sections.is_empty() {
        root.require(report, "channel", "no channel is defined; add [[channel]] with name and chltype = \"RCVR\"");
    }
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let (mut channels, mut outlets) = (Vec::new(), HashMap::new());
    for section in sections {
        if let Some((definition, consumes)) = one(section, report, &mut first) {
            outlets.extend(consumes.map(|consumes| (definition.name.clone(), consumes)));
            channels.push(definition);
        }
    }
    (channels, outlets)
}

fn one(
    mut section: Section<'_>,
    report: &mut Report<'_>,
    first: &mut BTreeMap<String, usize>,
) -> Option<(Definition, Option<Outlets>)> {
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
    let sends = chltype.is_some_and(ChannelType::sends);
    let (foreign, whose) = if sends { (RECEIVING, "receiving") } else { (SENDING, "sending") };
    for &key in foreign {
        if let (Some(span), Some(_)) = (section.place_of(key), chltype) {
            report.at(&span, &section.key(key), format!("belongs to {whose} channels; remove the line"));
        }
    }
    let outlets = sends.then(|| outlets(&mut section, report)).flatten();
    let calls = calls(&mut section, report, chltype);
    let batchsz = section.number(report, "batchsz", 1..=9999, " messages");
    let maxmsgl = section.number(report, "maxmsgl", 0..=104_857_600, " bytes");
    let hbint = section.number(report, "hbint", 0..=999_999, " seconds");
    let seqwrap = section.number(report, "seqwrap", 100..=999_999_999, "");
    let mrrty = section.number(report, "mrrty", 0..=999_999_999, "");
    let mrtmr = section.number(report, "mrtmr", 0..=999_999_999, " milliseconds");
    let mut small =
        |key, most, unit| section.number(report, key, 0..=most, unit).and_then(|number| u32::try_from(number).ok());
    let batchlim = small("batchlim", 999_999, " kilobytes");
    let batchint = small("batchint", 999_999_999, " milliseconds");
    let batchhb = small("batchhb", 999_999, " milliseconds");
    let discint = small("discint", 999_999, " seconds");
    let dialect = dialect(section.section(report, "dialect"), report);
    section.finish(report, LATER);
    let usual = Definition::of(&name?.value, chltype?);
    let definition = Definition {
        batchlim: batchlim.unwrap_or(usual.batchlim),
        batchint: batchint.unwrap_or(usual.batchint),
        batchhb: batchhb.unwrap_or(usual.batchhb),
        // Nobody would start a channel that ended again when messages come, as a trigger does at a queue manager.
        discint: discint.unwrap_or(0),
        batchsz: batchsz.map_or(Some(usual.batchsz), |batchsz| u16::try_from(batchsz).ok())?,
        maxmsgl: maxmsgl.unwrap_or(usual.maxmsgl),
        hbint: hbint.unwrap_or(usual.hbint),
        seqwrap: seqwrap.unwrap_or(usual.seqwrap),
        mrrty: mrrty.map_or(Some(usual.mrrty), |mrrty| u32::try_from(mrrty).ok())?,
        mrtmr: mrtmr.map_or(Some(usual.mrtmr), |mrtmr| u32::try_from(mrtmr).ok())?,
        calls,
        dialect,
        ..usual
    };
    Some((definition, outlets))
}

/// What a sending channel consumes, and whom it leads to.
fn outlets(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Outlets> {
    let rqmname = section.text(report, "rqmname");
    if let Some(name) = &rqmname
        && let Err(problem) = names::check(&name.value, names::OBJECT_NAME_LENGTH)
    {
        report.at(&name.span, &section.key("rqmname"), problem);
    }
    let texts = section.texts(report, "xmitq");
    if texts.is_empty() {
        section.require(
            report,
            "xmitq",
            "is missing; name what empties into the channel, as xmitq = [\"queue://MQ.QM1.>\"]",
        );
    }
    let mut outlets = Vec::new();
    for text in texts {
        match outlet(&text.value) {
            Ok(outlet) => outlets.push(outlet),
            Err(problem) => report.at(&text.span, &section.key("xmitq"), problem),
        }
    }
    Some(Outlets { rqmname: rqmname.map(|name| name.value), outlets })
}

fn outlet(text: &str) -> Result<Outlet, String> {
    let wrong = |why: &str| format!("{text:?} {why}; write queue://NAME, or topic://NAME?durable=SUBSCRIPTION");
    match text.parse() {
        Ok(Destination::Queue(name)) if !name.contains(['?', ',']) => Ok(Outlet::Queue(name)),
        Ok(Destination::Queue(_)) => Err(wrong("is more than the name of a queue")),
        Ok(Destination::Topic(name)) => match name.split_once("?durable=") {
            Some((name, subscription)) if !name.is_empty() && !subscription.is_empty() => {
                Ok(Outlet::Topic { name: name.to_owned(), subscription: subscription.to_owned() })
            }
            _ => Err(wrong("has no durable subscription, so that messages would be lost while the channel rests")),
        },
        Ok(_) => Err(wrong("is temporary")),
        Err(_) => Err(wrong("names nothing")),
    }
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
    if calls.conname.is_empty() && chltype == Some(ChannelType::Sdr) {
        section.require(report, "conname", "is missing; a sender calls its partner: conname = [\"host(port)\"]");
    }
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
        "SDR" => return Some(ChannelType::Sdr),
        "SVR" => return Some(ChannelType::Svr),
        "SVRCONN" => "client channels come with a later version; remove this [[channel]]".to_owned(),
        _ => format!("{:?} is no channel type; write \"RCVR\", \"RQSTR\", \"SDR\" or \"SVR\"", text.value),
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
