//! A configuration file becomes a checked, typed [`Plan`], or a list of everything that is wrong with it.
//!
//! The file is TOML. Keys are MQSC keywords in lower case where MQ has the attribute. Unknown keys are refused.
//! Secrets stand in files or in the environment, never in the configuration itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use toml::de::DeTable;

mod broker;
mod channel;
pub mod names;
pub mod plan;
pub mod problem;
mod route;
pub mod secret;
mod section;

pub use plan::{BrokerPlan, Login, Plan, TlsFiles};
pub use problem::{Problem, Problems};
pub use secret::Secret;

use problem::Report;
use section::Section;

use crate::mapping::{Destination, Policy, UnknownReply};

/// Where environment variables come from; tests hand in their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where the admin address is when the configuration does not say.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9157);

/// Where the listener is when the configuration does not say.
pub const DEFAULT_LISTENER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1414);

/// Reads and checks a configuration file, and the secrets that it names.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(file: &Path) -> Result<Plan, Problems> {
    let name = file.display().to_string();
    read(&name, &text_of(file)?, &|variable| std::env::var(variable).ok())
}

/// Only the `[admin] address` of a configuration file, for those who may not read its secrets.
///
/// # Errors
/// When the file cannot be read, is not TOML, or holds a wrong address.
pub fn admin_address(file: &Path) -> Result<SocketAddr, Problems> {
    let (name, text) = (file.display().to_string(), text_of(file)?);
    let mut report = Report::new(&name, &text);
    let (document, errors) = DeTable::parse_recoverable(&text);
    errors.iter().for_each(|error| report.syntax(error));
    let address = address(&mut Section::root(document.get_ref()), &mut report, "admin", DEFAULT_ADMIN);
    if report.is_empty() { Ok(address) } else { Err(report.into_problems()) }
}

fn text_of(file: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(file).map_err(|error| {
        Problems(vec![Problem {
            file: file.display().to_string(),
            line: None,
            key: String::new(),
            text: format!("cannot be read ({error}); name a configuration file with -c FILE"),
        }])
    })
}

/// Checks the text of a configuration; `file` is its name in messages.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn read(file: &str, text: &str, environment: Environment<'_>) -> Result<Plan, Problems> {
    let mut report = Report::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.syntax(error);
    }
    let mut root = Section::root(document.get_ref());
    let name = qmgr_name(&mut root, &mut report);
    let aliases = qmgr_names(&mut root, &mut report, "aliases");
    let qmgrs = qmgr_names(&mut root, &mut report, "qmgrs");
    let unknown_reply = route::option(&mut root, &mut report, "unknown_reply", UnknownReply::WORDS);
    let deadq = deadq(&mut root, &mut report);
    let listener = address(&mut root, &mut report, "listener", DEFAULT_LISTENER);
    let broker = broker::read(&mut root, &mut report, environment);
    let admin = address(&mut root, &mut report, "admin", DEFAULT_ADMIN);
    let (channels, outlets) = channel::read(&mut root, &mut report);
    let routes = route::read(&mut root, &mut report);
    root.finish(&mut report, &[]);

    match (name, broker, report.is_empty()) {
        (Some(name), Some(broker), true) => Ok(Plan {
            file: file.into(),
            policy: Policy { name: name.clone(), aliases, routes, broker: broker.name.clone(), qmgrs, unknown_reply },
            name,
            deadq,
            listener,
            broker,
            admin,
            channels,
            outlets,
        }),
        _ => Err(report.into_problems()),
    }
}

fn qmgr_name(root: &mut Section<'_>, report: &mut Report<'_>) -> Option<String> {
    let Some(name) = root.text(report, "name") else {
        root.require(report, "name", "is missing; give the queue-manager name that partners shall see");
        return None;
    };
    if let Err(problem) = names::check(&name.value, names::OBJECT_NAME_LENGTH) {
        report.at(&name.span, "name", problem);
    }
    Some(name.value)
}

/// Names of queue managers under `key`.
fn qmgr_names(root: &mut Section<'_>, report: &mut Report<'_>, key: &'static str) -> Vec<String> {
    let names = root.texts(report, key);
    for name in &names {
        if let Err(problem) = names::check(&name.value, names::OBJECT_NAME_LENGTH) {
            report.at(&name.span, key, problem);
        }
    }
    names.into_iter().map(|name| name.value).collect()
}

fn deadq(root: &mut Section<'_>, report: &mut Report<'_>) -> Destination {
    let default = Destination::Queue("MQFERRY.DLQ".to_owned());
    let Some(text) = root.text(report, "deadq") else { return default };
    match text.value.parse() {
        Ok(destination @ (Destination::Queue(_) | Destination::Topic(_))) => destination,
        Ok(_) => {
            let problem = format!("{:?} is temporary; write queue://NAME", text.value);
            report.at(&text.span, "deadq", problem);
            default
        }
        Err(_) => {
            let problem = format!("{:?} names no destination; write queue://NAME", text.value);
            report.at(&text.span, "deadq", problem);
            default
        }
    }
}

/// `address` of a section that has nothing else.
fn address(root: &mut Section<'_>, report: &mut Report<'_>, name: &str, default: SocketAddr) -> SocketAddr {
    let mut section = root.section(report, name);
    let mut address = default;
    if let Some(text) = section.text(report, "address") {
        match text.value.parse::<SocketAddr>() {
            // Until it asks for a token, anybody who reaches that address could stop channels.
            Ok(given) if name == "admin" && !given.ip().is_loopback() => {
                let problem = format!(
                    "{given} can be reached from other machines and this version asks for no token; \
                     write 127.0.0.1:{}",
                    given.port()
                );
                report.at(&text.span, &section.key("address"), problem);
            }
            Ok(given) => address = given,
            Err(_) => {
                let problem = format!("{:?} is no IP address with a port; write it as {default}", text.value);
                report.at(&text.span, &section.key("address"), problem);
            }
        }
    }
    section.finish(report, &[]);
    address
}
