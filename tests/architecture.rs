//! Keeps the house as ARCHITECTURE.md draws it: reads every path that a file in `src` names, and fails if a floor names
//! something that it may not know.
//!
//! It reads Rust roughly (comments, strings and test modules cut away, then identifiers joined by `::` and `use` trees
//! expanded) and is tested below with planted violations.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What one floor may know of the others and of the world.
struct Rule {
    floor: &'static str,
    /// Paths behind `crate::` that it may name; its own are always allowed.
    crate_paths: &'static [&'static str],
    /// Pure floors may name only these crates; none: any crate.
    crates: Option<&'static [&'static str]>,
}

/// The crates of the lower floors.
const LOWER: Option<&[&str]> = Some(&["bitflags", "bytes", "encoding_rs", "nom", "thiserror"]);
/// Mapping shows what it lost in JSON and reads property folders; it still touches nothing outside the process.
const MAPPING: Option<&[&str]> =
    Some(&["base64", "bitflags", "bytes", "encoding_rs", "nom", "serde", "serde_json", "sha2", "thiserror"]);
/// What pure floors may not name of the standard library: sockets, files, the environment, clocks, threads.
const WORLD: [&str; 8] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

const RULES: &[Rule] = &[
    Rule { floor: "wire", crate_paths: &[], crates: LOWER },
    Rule { floor: "codepage", crate_paths: &["wire"], crates: LOWER },
    Rule { floor: "message", crate_paths: &["wire", "codepage"], crates: LOWER },
    Rule { floor: "channel", crate_paths: &["wire", "codepage", "message"], crates: LOWER },
    // Services that know nothing of messages.
    Rule { floor: "clock", crate_paths: &[], crates: None },
    Rule { floor: "tls", crate_paths: &[], crates: None },
    Rule { floor: "partner", crate_paths: &["clock", "wire"], crates: None },
    Rule { floor: "mapping", crate_paths: &["wire", "codepage", "message"], crates: MAPPING },
    Rule {
        floor: "target",
        crate_paths: &[
            "wire",
            "message",
            "mapping",
            "channel::record",
            "channel::ChannelKey",
            "channel::MessageName",
            "channel::SyncRecord",
            "clock",
            "tls",
        ],
        crates: None,
    },
    Rule { floor: "tap", crate_paths: &["wire", "codepage", "message", "channel", "telemetry"], crates: None },
    Rule { floor: "telemetry", crate_paths: &["wire", "message", "channel"], crates: None },
    Rule {
        floor: "config",
        crate_paths: &["wire", "codepage", "message", "channel", "mapping", "target"],
        crates: None,
    },
    Rule {
        floor: "admin",
        crate_paths: &["wire", "message", "channel", "mapping", "target", "config", "telemetry", "clock"],
        crates: None,
    },
    Rule {
        floor: "mover",
        crate_paths: &[
            "wire",
            "codepage",
            "message",
            "channel",
            "mapping",
            "target",
            "tap",
            "telemetry",
            "config",
            "admin",
            "clock",
            "tls",
        ],
        crates: None,
    },
];
/// What people hold: may name everything.
const TOP: [&str; 3] = ["cli", "lib", "main"];

#[test]
fn no_floor_names_what_it_may_not_know() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let dependencies = dependencies();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        let module = module_path(relative);
        let floor = module.first().map_or("lib", String::as_str);
        seen.insert(floor.to_owned());
        if TOP.contains(&floor) {
            continue;
        }
        let Some(rule) = RULES.iter().find(|rule| rule.floor == floor) else {
            wrong.push(format!("src/{}: no rule for the floor {floor}; add one to RULES", relative.display()));
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        let found = violations(rule, &module, &text, &dependencies);
        wrong.extend(found.into_iter().map(|what| format!("src/{}: {what}", relative.display())));
    }
    assert!(seen.contains("wire") && seen.contains("channel"), "nothing was read: {seen:?}");
    assert!(wrong.is_empty(), "floors that know too much:\n{}", wrong.join("\n"));
}

/// Everything in one file that its floor may not name.
fn violations(rule: &Rule, module: &[String], text: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    for path in paths(&tokens(&code_only(text))) {
        let Some(path) = absolute(&path, module) else { continue };
        let joined = path.join("::");
        match path[0].as_str() {
            "crate" => {
                let inside = path[1..].join("::");
                let own = path.get(1).is_none_or(|floor| floor == rule.floor || !is_floor(floor));
                let within = |allowed: &&str| inside == **allowed || inside.starts_with(&format!("{allowed}::"));
                if !own && !rule.crate_paths.iter().any(within) {
                    wrong.insert(format!("{} may not name {joined}", rule.floor));
                }
            }
            "std" | "core" | "alloc" => {
                let std = joined.replacen(&path[0], "std", 1);
                let hit = |world: &&str| std == **world || std.starts_with(&format!("{world}::"));
                if rule.crates.is_some() && WORLD.iter().any(hit) {
                    wrong.insert(format!("{} may not name {joined}: it touches the world", rule.floor));
                }
            }
            name if dependencies.contains(name) && rule.crates.is_some_and(|crates| !crates.contains(&name)) => {
                wrong.insert(format!("{} may not name the crate {name}", rule.floor));
            }
            _ => {}
        }
    }
    wrong.into_iter().collect()
}

fn is_floor(name: &str) -> bool {
    RULES.iter().any(|rule| rule.floor == name) || name == "cli"
}

/// Direct dependencies, as Rust names them.
fn dependencies() -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let text = fs::read_to_string(manifest).unwrap();
    let mut section = String::new();
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        } else if section.ends_with("dependencies]")
            && let Some((name, _)) = line.split_once('=')
        {
            names.insert(name.trim().replace('-', "_"));
        }
    }
    assert!(names.contains("tokio") && names.contains("serde"), "dependencies were not read: {names:?}");
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // A folder of tests, whose mod.rs is declared under #[cfg(test)] as a tests.rs is.
            if !path.ends_with("tests") {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// `channel/receiver/bind.rs` is `channel::receiver::bind`; `mod.rs` is its folder, `lib.rs` nothing at all.
fn module_path(relative: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        relative.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// A path with `self` and `super` resolved; none for one that leads nowhere.
fn absolute(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let mut at = module.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                at.pop()?;
                rest = &rest[1..];
            }
        }
        _ => return Some(path.to_vec()),
    }
    Some(std::iter::once("crate".to_owned()).chain(at).chain(rest.iter().cloned()).collect())
}

/// The text without comments, without the contents of strings, and without a test module at its end.
fn code_only(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = rest.find('"').map_or(rest.len(), |quote| quote + 1);
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if c == '"' {
            string_end(rest)
        } else if rest.starts_with("'\"'") {
            3
        } else if let Some(character) = rest.strip_prefix("'\\") {
            character.find('\'').map_or(rest.len(), |end| end + 3)
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skip..];
    }
    code
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br"))?;
    let body = hashes.trim_start_matches('#');
    body.starts_with('"').then_some(hashes.len() - body.len())
}

fn string_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Identifiers, `::`, and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let length = if c.is_alphanumeric() || c == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        if !c.is_whitespace() {
            tokens.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
    }
    tokens
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Every path: `a::b` in code, and each leaf of a `use` tree.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token == "use" {
            at += 1;
            use_tree(tokens, &mut at, &mut Vec::new(), &mut paths);
        } else if token == "extern" && tokens.get(at + 1).is_some_and(|next| next == "crate") {
            paths.extend(tokens.get(at + 2).map(|name| vec![name.clone()]));
            at += 3;
        } else if is_name(token) {
            let mut path = vec![token.clone()];
            at += 1;
            while tokens.get(at).is_some_and(|next| next == "::")
                && tokens.get(at + 1).is_some_and(|next| is_name(next))
            {
                path.push(tokens[at + 1].clone());
                at += 2;
            }
            if path.len() > 1 {
                paths.push(path);
            }
        } else {
            at += 1;
        }
    }
    paths
}

fn use_tree(tokens: &[String], at: &mut usize, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let depth = prefix.len();
    loop {
        match tokens.get(*at).map(String::as_str) {
            None | Some(";") => {
                paths.extend((prefix.len() > depth).then(|| prefix.clone()));
                break;
            }
            Some("," | "}") => {
                paths.extend((prefix.len() > depth).then(|| prefix.clone()));
                break;
            }
            Some("{") => {
                while !matches!(tokens.get(*at).map(String::as_str), None | Some("}" | ";")) {
                    *at += 1;
                    use_tree(tokens, at, prefix, paths);
                }
                *at += 1;
                prefix.truncate(depth);
                return;
            }
            Some("as") => *at += 1,
            Some(token) => {
                if is_name(token) {
                    prefix.push(token.to_owned());
                }
            }
        }
        *at += 1;
    }
    prefix.truncate(depth);
}

mod planted {
    use super::*;

    fn found(floor: &str, module: &str, text: &str) -> Vec<String> {
        let rule = RULES.iter().find(|rule| rule.floor == floor).unwrap();
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        violations(rule, &module, text, &dependencies())
    }

    #[track_caller]
    fn caught(floor: &str, module: &str, text: &str) {
        assert_eq!(found(floor, module, text).len(), 1, "{text}: {:?}", found(floor, module, text));
    }

    #[test]
    fn clocks_sockets_files_and_runtimes_in_lower_floors() {
        caught("channel", "channel::timers", "use std::time::Instant;");
        caught("channel", "channel::timers", "use std::time::{Duration, SystemTime};");
        caught("channel", "channel::timers", "fn now() -> u64 { std::time::Instant::now().elapsed().as_secs() }");
        caught("wire", "wire::deframe", "use {std::fmt, std::net::TcpStream};");
        caught("wire", "wire::deframe", "pub fn read() { let _ = std :: fs :: read(\"x\"); }");
        caught("message", "message::md", "use std::env as surroundings;");
        caught("codepage", "codepage", "use tokio::io::AsyncRead;");
        caught("wire", "wire::segment", "use bytes::Bytes; use tokio_util::codec::Decoder;");
        caught("channel", "channel::record", "#[derive(serde::Serialize)] struct Record;");
        caught("channel", "channel::dialect", "fn log() { tracing::info!(\"x\"); }");
        caught("mapping", "mapping::route", "extern crate tokio;");
    }

    #[test]
    fn upper_floors_in_lower_ones() {
        caught("wire", "wire::segment", "use crate::channel::Dialect;");
        caught("wire", "wire::segment", "use super::super::message::Envelope;");
        caught("channel", "channel::receiver", "use crate::{wire::Segment, target::Unit};");
        caught("channel", "channel::receiver::bind", "pub(crate) use super::super::super::mover::Driver as D;");
        caught("channel", "channel", "type X = crate::mapping::Publication;");
        caught("partner", "partner::sender", "use crate::channel::Mca;");
        caught("mapping", "mapping::route", "use crate::target::Target;");
        caught("target", "target::amqp", "use crate::mover::driver;");
        caught("target", "target::amqp", "use crate::channel::{SyncRecord, Mca};");
        caught("mover", "mover::driver", "fn x() { crate::cli::run() }");
    }

    #[test]
    fn what_is_allowed_or_only_talked_about() {
        for (floor, module, text) in [
            ("channel", "channel::receiver", "use crate::wire::{Luwid, Segment}; use std::time::Duration;"),
            ("channel", "channel::receiver::bind", "use super::super::record::SyncRecord; use super::line::Line;"),
            ("wire", "wire::flags", "/// As [`crate::channel::Dialect`] has it.\n// use tokio::net;\n/* std::fs */"),
            (
                "wire",
                "wire::error",
                "const X: &str = \"use tokio::net::{TcpStream}; \\\" std::fs\"; const Y: char = '\"';",
            ),
            ("message", "message::md", "const X: &str = r#\"std::net \"quoted\" tokio::x\"#; fn y<'a>(z: &'a str) {}"),
            ("wire", "wire::luwid", "fn x() {}\n#[cfg(test)]\nmod tests { use std::fs; }"),
            ("target", "target::amqp", "use crate::channel::record::SyncRecord; use tokio::net::TcpStream;"),
            ("target", "target::amqp", "use crate::channel::SyncRecord;"),
        ] {
            assert_eq!(found(floor, module, text), Vec::<String>::new(), "{text}");
        }
    }
}
