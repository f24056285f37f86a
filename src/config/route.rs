//! `[[route]]`: which messages go elsewhere than to the queue of their own name.

use std::str::FromStr;

use super::problem::Report;
use super::section::Section;
use crate::codepage;
use crate::mapping::{
    BadCorrelation, BodyMode, CodMode, ContextMode, Destination, Glob, GroupClose, PropertyNames, Rfh2Mode, Route,
    Segments, Treatment, Unencodable,
};

/// Queues of the gateway's own; a message there would break a channel.
const RESERVED: &str = "MQFERRY.SYNC.";

/// Reads every `[[route]]`, in the order of the file.
pub(super) fn read(root: &mut Section<'_>, report: &mut Report<'_>) -> Vec<Route> {
    root.sections(report, "route").into_iter().map(|section| one(section, report)).collect()
}

fn one(mut section: Section<'_>, report: &mut Report<'_>) -> Route {
    let remote_queue = section.text(report, "remote_queue").map(|text| Glob::new(text.value));
    let remote_qmgr = section.text(report, "remote_qmgr").map(|text| Glob::new(text.value));
    if remote_queue.is_none() && remote_qmgr.is_none() {
        // Either will do; the message stands at the one that is usual.
        let text = "is missing, and so is remote_qmgr; say which messages this is for, remote_queue = \"*\" is all";
        section.require(report, "remote_queue", text);
    }
    let destination = destination(&mut section, report);
    let treatment = treatment(&mut section, report);
    if !TREATMENT.iter().any(|key| section.place_of(key).is_some()) {
        section.require(report, "destination", "is missing; write queue://NAME or topic://NAME");
    }
    section.finish(report, &[]);
    Route { remote_queue, remote_qmgr, destination, treatment }
}

/// The keys that say how a route's messages are mapped; with any of them a route needs no destination.
const TREATMENT: [&str; 12] = [
    "body",
    "rfh2",
    "unencodable",
    "segments",
    "cod",
    "group_close",
    "context",
    "bad_correlation",
    "property_names",
    "keep_amqp",
    "ccsid",
    "encoding",
];

fn treatment(section: &mut Section<'_>, report: &mut Report<'_>) -> Treatment {
    let careful = Treatment::default();
    let ccsid = section.number(report, "ccsid", 1..=65_535, "").unwrap_or(careful.ccsid);
    if let (false, Some(place)) = (codepage::is_known(ccsid), section.place_of("ccsid")) {
        report.at(&place, &section.key("ccsid"), format!("{ccsid} is not known here; 1208 is UTF-8"));
    }
    Treatment {
        body: option(section, report, "body", BodyMode::WORDS),
        rfh2: option(section, report, "rfh2", Rfh2Mode::WORDS),
        unencodable: option(section, report, "unencodable", Unencodable::WORDS),
        segments: option(section, report, "segments", Segments::WORDS),
        cod: cod(section, report),
        group_close: option(section, report, "group_close", GroupClose::WORDS),
        context: option(section, report, "context", ContextMode::WORDS),
        bad_correlation: option(section, report, "bad_correlation", BadCorrelation::WORDS),
        property_names: option(section, report, "property_names", PropertyNames::WORDS),
        keep_amqp: flag(section, report, "keep_amqp"),
        ccsid,
        encoding: section.number(report, "encoding", 273..=785, "").unwrap_or(careful.encoding),
    }
}

/// The word that is still to come is known, so that nobody takes it for a slip.
fn cod(section: &mut Section<'_>, report: &mut Report<'_>) -> CodMode {
    let cod = option(section, report, "cod", CodMode::WORDS);
    if let (CodMode::Advisory, Some(place)) = (cod, section.place_of("cod")) {
        let problem = "\"advisory\" is not there in this version; write reject, or at-arrival if that will do";
        report.at(&place, &section.key("cod"), problem);
    }
    cod
}

/// `true` or `false`, which is the default.
fn flag(section: &mut Section<'_>, report: &mut Report<'_>, key: &str) -> bool {
    let Some(word) = section.word(report, key) else { return false };
    word.value.parse().unwrap_or_else(|_| {
        report.at(&word.span, &section.key(key), format!("{:?} is neither; write true or false", word.value));
        false
    })
}

/// One of the words, or the default.
pub(super) fn option<T: FromStr + Default>(
    section: &mut Section<'_>,
    report: &mut Report<'_>,
    key: &str,
    words: &[&str],
) -> T {
    let Some(text) = section.text(report, key) else { return T::default() };
    text.value.parse().unwrap_or_else(|_| {
        let problem = format!("{:?} is unknown; write {}", text.value, one_of(words));
        report.at(&text.span, &section.key(key), problem);
        T::default()
    })
}

/// `a, b or c`.
fn one_of(words: &[&str]) -> String {
    match words {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        _ => words.concat(),
    }
}

fn destination(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Destination> {
    let text = section.text(report, "destination")?;
    let problem = match text.value.parse::<Destination>() {
        Ok(Destination::Queue(name)) if name.starts_with(RESERVED) => {
            format!("{name:?} holds the gateway's sync records; write another queue")
        }
        Ok(destination @ (Destination::Queue(_) | Destination::Topic(_))) => return Some(destination),
        Ok(_) => format!("{:?} is temporary; write queue://NAME or topic://NAME", text.value),
        Err(_) => format!("{:?} names no destination; write queue://NAME or topic://NAME", text.value),
    };
    report.at(&text.span, &section.key("destination"), problem);
    None
}
