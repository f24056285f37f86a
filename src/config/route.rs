//! `[[route]]`: which messages go elsewhere than to the queue of their own name.

use super::problem::Report;
use super::section::Section;
use crate::mapping::{BodyMode, Destination, Glob, Route};

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
    let body = section.text(report, "body").and_then(|text| {
        let mode: Result<BodyMode, String> = text.value.parse();
        if mode.is_err() {
            let problem = format!("{:?} is unknown; write auto, text or bytes", text.value);
            report.at(&text.span, &section.key("body"), problem);
        }
        mode.ok()
    });
    if section.place_of("body").is_none() {
        section.require(report, "destination", "is missing; write queue://NAME or topic://NAME");
    }
    section.finish(report, &[]);
    Route { remote_queue, remote_qmgr, destination, body: body.unwrap_or_default() }
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
