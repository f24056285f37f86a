//! `browse`: what an embedded store holds.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::output::{say, say_json};
use super::table::table;
use super::{Failure, Outcome};
use crate::mapping::{Body, Destination, Publication, shape};
use crate::target::TargetError;
use crate::target::embedded::Browser;

/// How much of a text body a line shows, in characters.
const GLIMPSE: usize = 40;

/// Rows of one table; a longer list goes on with a new one.
const ROWS: usize = 1000;

/// Which store, and what of it.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A running gateway holds its store alone; browse when it is down.

Examples:
  mqferry browse embedded:/var/lib/mqferry
  mqferry browse embedded:/var/lib/mqferry --queue PAYMENTS
  mqferry browse embedded:/var/lib/mqferry --queue topic://prices --json | head -1")]
pub struct BrowseArgs {
    /// The store, as embedded:DIR
    #[arg(value_name = "embedded:DIR")]
    pub store: String,
    /// The messages of this destination (queue://NAME, topic://NAME, or a queue's bare name); without it, how much each holds
    #[arg(long, value_name = "DESTINATION")]
    pub queue: Option<String>,
    /// The channels whose records the store keeps
    #[arg(long, conflicts_with = "queue")]
    pub channels: bool,
    /// One object a line
    #[arg(long)]
    pub json: bool,
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self::Failed(anyhow!(error.text))
    }
}

/// Lists.
///
/// # Errors
/// When there is no store, or a gateway holds it.
pub fn run(args: BrowseArgs) -> Outcome {
    let Some(dir) = args.store.strip_prefix("embedded:").filter(|dir| !dir.is_empty()) else {
        return Err(Failure::Wrong(format!("{} is no embedded store; write embedded:DIR", args.store)));
    };
    let queue: Option<Destination> = args
        .queue
        .map(|text| text.parse())
        .transpose()
        .map_err(|error: crate::mapping::publication::NoName| Failure::Wrong(format!("--queue: {error}")))?;
    let browser = Browser::open(dir)?;
    match queue {
        Some(queue) => messages(&browser, &queue, args.json),
        None if args.channels => channels(&browser, args.json),
        None => destinations(&browser, args.json),
    }
}

fn destinations(browser: &Browser, json: bool) -> Outcome {
    let found = browser.destinations()?;
    if json {
        return found.iter().try_for_each(|found| {
            let destination = found.destination.to_string();
            say_json(&json!({ "destination": destination, "messages": found.messages, "bytes": found.bytes }))
        });
    }
    let rows = found
        .iter()
        .map(|found| vec![found.destination.to_string(), found.messages.to_string(), found.bytes.to_string()]);
    say(&table(&["DESTINATION", "MESSAGES", "BYTES"], &[1, 2], rows))
}

fn channels(browser: &Browser, json: bool) -> Outcome {
    let found = browser.channels()?;
    let last = |record: &crate::target::record::LeaseRecord| {
        record.sync.as_ref().map(|sync| (sync.sequence, sync.luwid.to_string())).unzip()
    };
    if json {
        return found.iter().try_for_each(|record| {
            let (sequence, luwid) = last(record);
            let key = &record.key;
            say_json(&json!({
                "CHANNEL": key.channel, "RQMNAME": key.partner, "LSTSEQNO": sequence, "LSTLUWID": luwid, "gateway": key.gateway,
            }))
        });
    }
    let rows = found.iter().map(|record| {
        let (sequence, luwid) = last(record);
        let sequence = sequence.map(|sequence| sequence.to_string()).unwrap_or_default();
        vec![record.key.channel.clone(), record.key.partner.clone(), sequence, luwid.unwrap_or_default()]
    });
    say(&table(&["CHANNEL", "RQMNAME", "LSTSEQNO", "LSTLUWID"], &[2], rows))
}

fn messages(browser: &Browser, queue: &Destination, json: bool) -> Outcome {
    let mut stored = browser.messages(queue);
    if json {
        let now = crate::clock::wall_ms();
        return stored.try_for_each(|stored| {
            let stored = stored?;
            say_json(&json!({ "place": stored.place, "publication": shape::to_json(&stored.publication, now) }))
        });
    }
    loop {
        let rows: Vec<_> = stored.by_ref().take(ROWS).collect::<Result<_, _>>()?;
        let last = rows.len() < ROWS;
        let rows = rows.into_iter().map(|stored| {
            let publication = stored.publication;
            let id = publication.message_id.clone().unwrap_or_default();
            let (kind, bytes, glimpse) = glimpse(&publication);
            vec![stored.place.to_string(), id, kind.to_owned(), bytes.to_string(), glimpse]
        });
        say(&table(&["PLACE", "MESSAGE ID", "BODY", "BYTES", ""], &[0, 3], rows))?;
        if last {
            return Ok(());
        }
    }
}

/// Kind and size of a body, and of a text its beginning, fit for a terminal.
fn glimpse(publication: &Publication) -> (&'static str, usize, String) {
    match &publication.body {
        Body::Empty => ("empty", 0, String::new()),
        Body::Text(text) => {
            let shown = |c: char| if c.is_control() { '·' } else { c };
            ("text", text.len(), text.chars().take(GLIMPSE).map(shown).collect())
        }
        Body::Bytes(bytes) => ("bytes", bytes.len(), String::new()),
        Body::Map(entries) => ("map", entries.len(), format!("{} entries", entries.len())),
        Body::Stream(items) => ("stream", items.len(), format!("{} items", items.len())),
        Body::Object(bytes) => ("object", bytes.len(), String::new()),
    }
}
