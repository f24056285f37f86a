//! `explain`: a message as it lies in a file, header by header, and the publication that it becomes.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use super::output::{now_ms, say, say_json};
use super::{Failure, Outcome};
use crate::mapping::Policy;
use crate::mapping::explain::{First, back, explain, to_json, to_text};

/// Which files, and how they begin.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Without -c the destination is the one that the message would have with no routes at the queue manager it is for.

Examples:
  mqferry explain message.bin                          a message of a transmission queue: MQXQH, MQMD, ...
  mqferry explain dead.bin --format MQDEAD             one of a dead-letter queue, without its MQMD
  mqferry explain message.bin --format MQMD            an MQMD and what follows it
  mqferry explain message.bin -c gateway.toml --json   with the routes of a gateway, for a script
  mqferry explain --from-publication p.json --out m.bin  the message for MQ that a publication becomes; p.json is what
                                                       --json printed, or its \"publication\"")]
pub struct ExplainArgs {
    /// Files, each with one message
    #[arg(required_unless_present = "from_publication", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The other way: the message for MQ that the publication in this JSON file becomes
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["files", "format"])]
    pub from_publication: Option<PathBuf>,
    /// Where the bytes of that message go: MQXQH, MQMD, headers, body
    #[arg(long, value_name = "FILE", requires = "from_publication")]
    pub out: Option<PathBuf>,
    /// Queue manager that it would be sent to; without it the one that the message names for replies
    #[arg(long, value_name = "NAME", requires = "from_publication")]
    pub rqmname: Option<String>,
    /// What the files begin with: an MQ format (MQXMIT, MQDEAD, MQHRF2, ...), or MQMD for a bare descriptor
    #[arg(long, value_name = "FORMAT", default_value = "MQXMIT")]
    pub format: String,
    /// Encoding of the first structure (273 big-endian, 546 little-endian); without it the structure shows it
    #[arg(long, value_name = "NUMBER")]
    pub encoding: Option<i32>,
    /// CCSID of the first structure's text; without it the structure shows whether it is ASCII or EBCDIC
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub ccsid: Option<i32>,
    /// Configuration file whose name, aliases and routes apply
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show passwords that stand in the headers of the CICS and IMS bridges and of SAP
    #[arg(long)]
    pub secrets: bool,
    /// One object a file, on a line of its own
    #[arg(long)]
    pub json: bool,
}

/// Explains every file that is a message, whatever the others are.
///
/// # Errors
/// For files that are none, and for a configuration that is wrong.
pub fn run(args: ExplainArgs) -> Outcome {
    let policy = args.config.as_deref().map(super::load).transpose()?.map(|plan| plan.policy);
    let first =
        First { format: args.format.clone(), encoding: args.encoding, ccsid: args.ccsid, secrets: args.secrets };
    if let Some(file) = &args.from_publication {
        return way_back(file, &args.rqmname, args.out.as_deref(), &first, policy.as_ref(), args.json);
    }
    let mut problems = Vec::new();
    for (index, file) in args.files.iter().enumerate() {
        match shown(file, &first, policy.as_ref(), args.json, index > 0) {
            Err(Failure::Failed(error)) => problems.push(error),
            outcome => outcome?,
        }
    }
    let last = problems.pop();
    problems.iter().for_each(|problem| super::complain(&format!("{problem:#}")));
    last.map_or(Ok(()), |problem| Err(Failure::Failed(problem)))
}

fn way_back(
    file: &Path,
    rqmname: &Option<String>,
    out: Option<&Path>,
    first: &First,
    policy: Option<&Policy>,
    json: bool,
) -> Outcome {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| anyhow!("{name} cannot be read: {error}"))?;
    let publication = serde_json::from_str(&text).map_err(|error| anyhow!("{name} is not JSON: {error}"))?;
    let now = now_ms();
    let back =
        back(&publication, first, policy, rqmname.as_deref(), now).map_err(|error| anyhow!("{name}: {error}"))?;
    if let Some(out) = out {
        std::fs::write(out, &back.bytes).map_err(|error| anyhow!("{} cannot be written: {error}", out.display()))?;
    }
    if json {
        say_json(&to_json(&back.explained, &name, now))
    } else {
        say(to_text(&back.explained, &name, now).trim_end())
    }
}

fn shown(file: &Path, first: &First, policy: Option<&Policy>, json: bool, separate: bool) -> Outcome {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| anyhow!("{name} cannot be read: {error}"))?;
    let now = now_ms();
    let explained = explain(bytes.into(), first, policy, now).map_err(|error| anyhow!("{name} {error}"))?;
    if json {
        return say_json(&to_json(&explained, &name, now));
    }
    if separate {
        say("")?;
    }
    say(to_text(&explained, &name, now).trim_end())
}
