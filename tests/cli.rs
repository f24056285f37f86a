//! The command line as a person or a script meets it: exit statuses, one-line errors with the fix, nothing half-started.
#![allow(clippy::disallowed_methods, reason = "waits for another process, in real time")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use bytes::Bytes;
use mqferry::channel::{ChannelKey, SyncRecord};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::{Claim, Claimed, Embedded, Outcome, Target, Unit};
use mqferry::wire::Luwid;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("mqferry").unwrap();
    command.args(arguments).env_remove("MQFERRY_CONFIG").env_remove("MQFERRY_LOG").stdin(Stdio::null());
    command
}

/// Exit status, standard output, standard error of a command that ends by itself.
fn mqferry(arguments: &[&str]) -> (i32, String, String) {
    let mut command = assert_cmd::Command::from_std(command(arguments));
    said(command.timeout(PATIENCE).output().unwrap())
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A folder with a configuration whose ports are free ones and whose store is inside the folder.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(listener: &str, admin: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let text = format!(
            "name = \"AMQGW\"\n[listener]\naddress = \"{listener}\"\n[admin]\naddress = \"{admin}\"\n\
             [broker]\nurl = \"embedded:{}\"\n[[channel]]\nname = \"QM1.TO.AMQGW\"\nchltype = \"RCVR\"\n",
            store.display()
        );
        fs::write(folder.path().join("gateway.toml"), text).unwrap();
        Self { folder }
    }

    fn config(&self) -> String {
        self.folder.path().join("gateway.toml").display().to_string()
    }

    fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }
}

#[test]
fn help_teaches_every_command() {
    let (code, out, err) = mqferry(&["--help"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for command in ["demo", "run", "check", "explain", "browse", "channel"] {
        assert!(out.lines().any(|line| line.trim_start().starts_with(command)), "{command} is not in\n{out}");
        let (code, out, _) = mqferry(&[command, "--help"]);
        assert_eq!(code, 0, "{command}");
        assert!(out.contains("Usage:") && out.contains(&format!("mqferry {command} ")), "no example in\n{out}");
    }
    assert!(out.contains("Exit status: 0 done, 1 did not hold or failed, 2 wrong usage or configuration."), "{out}");
}

#[test]
fn wrong_usage_is_one_line_and_exit_status_2() {
    for (arguments, expected) in [
        (&["frobnicate"][..], "unrecognized subcommand 'frobnicate'"),
        (&["chanel", "status"], "'channel'"),
        (&["check"], "--config <FILE>"),
        (&["run", "-c"], "'--config <FILE>'"),
        (&["demo", "--batch", "0"], "0 is not in 1..=9999"),
        (&["check", "-c", "x", "--log", "loud"], "write a level (error, warn, info, debug, trace)"),
        (&["channel", "status", "--admin", "here"], "write it as http://127.0.0.1:9157"),
        (&["browse", "amqp://localhost:5672"], "write embedded:DIR"),
        (&["browse", "embedded:x", "--queue", "queue://"], "write queue://NAME or topic://NAME"),
    ] {
        let (code, out, err) = mqferry(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
        assert!(err.starts_with("mqferry: ") && err.contains(expected), "{arguments:?}: {err}");
    }
}

#[test]
fn a_wrong_configuration_is_told_line_by_line_and_nothing_is_started() {
    for file in ["invalid_unknown_keys", "invalid_two_channels_of_one_name", "invalid_ranges", "invalid_not_toml"] {
        let path = format!("tests/config/{file}.toml");
        let expected = fs::read_to_string(format!("tests/config/{file}.expected")).unwrap();
        let expected: String = expected.lines().map(|line| format!("mqferry: tests/config/{line}\n")).collect();
        for verb in ["run", "check"] {
            let said = mqferry(&[verb, "-c", &path]);
            assert_eq!(said, (2, String::new(), expected.clone()), "{verb} {file}");
        }
    }
}

#[test]
fn a_demonstration_does_not_wait_for_a_broker_that_is_not_there() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, out, err) = mqferry(&["demo", "--broker", &format!("amqp://{free}")]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.starts_with("mqferry: target: ") && err.contains("cannot be reached"), "{err}");
}

#[test]
fn check_says_what_holds() {
    let place = Place::new("127.0.0.1:0", "127.0.0.1:0");
    let (code, out, err) = mqferry(&["check", "-c", &place.config()]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("ok    configuration  ") && lines[0].ends_with("1 channel, 0 routes"), "{out}");
    assert_eq!(lines[1], "ok    listener       127.0.0.1:0 is free");
    assert_eq!(lines[2], "ok    admin          127.0.0.1:0 is free");
    assert!(lines[3].starts_with("ok    broker         embedded:") && lines.len() == 4, "{out}");
    assert!(!place.store().exists(), "check made a store");
    let (_, out, _) = mqferry(&["check", "--json", "-c", &place.config()]);
    for line in out.lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["verdict"], "ok", "{line}");
    }
}

#[test]
fn a_port_in_use_is_one_line_and_nothing_is_half_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    for (section, place) in
        [("listener", Place::new(&port, "127.0.0.1:0")), ("admin", Place::new("127.0.0.1:0", &port))]
    {
        let expected = format!(
            "{port} is in use by another process; end that, or choose another port with address in [{section}]\n"
        );
        let (code, out, err) = mqferry(&["run", "-c", &place.config()]);
        assert_eq!((code, out.as_str(), err), (1, "", format!("mqferry: {expected}")));
        assert!(!place.store().exists(), "a store was made");
        let (code, out, err) = mqferry(&["check", "-c", &place.config()]);
        assert_eq!((code, err.as_str()), (1, ""));
        assert!(out.contains(&format!("wrong {section:<15}{expected}")), "{out}");
    }
}

#[test]
fn no_gateway_to_ask_is_one_line() {
    // Port 1 (tcpmux) is nobody's.
    let (code, out, err) = mqferry(&["channel", "status", "--admin", "http://127.0.0.1:1"]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("is it running? name its address with --admin or -c"), "{err}");
}

#[test]
fn something_else_on_the_admin_port_is_said_to_be_no_gateway() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let _ = stream.read(&mut [0; 1024]);
    });
    let (code, out, err) = mqferry(&["channel", "status", "--admin", &url]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("does not speak as a gateway does"), "{err}");
    answering.join().unwrap();
}

/// A gateway that is killed when the test is over.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(config: &str) -> Self {
        let mut child = command(&["run", "-c", config]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// The first line of the log, from now on, that holds `text`.
    fn line_with(&self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut seen = String::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen += &format!("{line}\n"),
                Err(error) => panic!("no {text:?} in the log ({error}):\n{seen}"),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of `key=` in a line of the log.
fn value_of<'a>(line: &'a str, key: &str) -> &'a str {
    let start = line.find(&format!("{key}=")).unwrap_or_else(|| panic!("no {key} in {line}")) + key.len() + 1;
    line[start..].split(' ').next().unwrap().trim_matches('"')
}

#[test]
fn run_takes_callers_shows_its_channels_and_ends_on_sigterm() {
    let place = Place::new("127.0.0.1:0", "127.0.0.1:0");
    let mut gateway = Running::start(&place.config());
    let line = gateway.line_with("takes callers");
    let (listener, admin) = (value_of(&line, "listener"), value_of(&line, "admin"));
    TcpStream::connect(listener).unwrap();
    let url = format!("http://{admin}");
    let (code, out, err) = mqferry(&["channel", "status", "--json", "--admin", &url]);
    assert_eq!(code, 0, "{err}");
    let channels: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&channels[0]["CHANNEL"], &channels[0]["STATUS"]), (&"QM1.TO.AMQGW".into(), &"INACTIVE".into()));
    let (code, out, _) = mqferry(&["channel", "stop", "QM1.TO.AMQGW", "--admin", &url]);
    assert_eq!((code, out.as_str()), (0, "QM1.TO.AMQGW: STOPPED\n"));
    let (code, _, err) = mqferry(&["browse", &format!("embedded:{}", place.store().display())]);
    assert_eq!((code, err.lines().count()), (1, 1), "a store in use: {err}");

    assert!(Command::new("kill").arg(gateway.child.id().to_string()).status().unwrap().success());
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match gateway.child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            None => panic!("SIGTERM did not end it"),
        }
    };
    assert_eq!(status.code(), Some(0));
}

#[tokio::main(flavor = "current_thread")]
async fn store_with(dir: &Path, publications: Vec<Publication>) {
    let target = Embedded::open(dir).await.unwrap();
    let key = ChannelKey { gateway: "AMQGW".into(), channel: "QM1.TO.AMQGW".into(), partner: "QM1".into() };
    let Claimed::Ours(mut claim) = target.claim(&key).await.unwrap() else { panic!("held by another") };
    let luwid = Luwid([0xAB; 8]);
    let count = publications.len();
    let mut unit = claim.begin(luwid).await.unwrap();
    for (index, publication) in publications.into_iter().enumerate() {
        unit.stage(index, publication).await.unwrap();
    }
    assert!(unit.settle().await.unwrap().is_empty());
    let record = SyncRecord {
        partner_id: String::new(),
        sequence: i32::try_from(count).unwrap(),
        luwid,
        last_batch: Vec::new(),
        after_reset: false,
        at_heartbeat: None,
    };
    assert!(matches!(unit.commit(record).await, Outcome::Committed));
    claim.release().await;
}

fn publication(destination: &str, body: Body) -> Publication {
    Publication {
        destination: destination.parse::<Destination>().unwrap(),
        persistent: true,
        priority: 4,
        expires_at_ms: None,
        message_id: Some(format!("ID:{}", "41".repeat(24))),
        correlation_id: None,
        reply_to: None,
        message_type: None,
        group_id: None,
        group_sequence: None,
        user_id: None,
        timestamp_ms: None,
        properties: Default::default(),
        body,
    }
}

#[test]
fn browse_lists_destinations_messages_and_channels() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("embedded:{}", folder.path().display());
    let (code, out, err) = mqferry(&["browse", &store]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("holds no store"), "{err}");

    let mut publications = vec![publication("topic://prices", Body::Bytes(Bytes::from_static(b"\x01\x02")))];
    publications.extend((1..=3).map(|n| publication("PAYMENTS", Body::Text(format!("payment {n}\x1b[2J")))));
    store_with(folder.path(), publications);

    let (code, out, _) = mqferry(&["browse", &store]);
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(code, 0);
    assert_eq!(rows[0], ["DESTINATION", "MESSAGES", "BYTES"]);
    assert_eq!((&rows[1][..2], &rows[2][..2]), (&["queue://PAYMENTS", "3"][..], &["topic://prices", "1"][..]));

    let (_, out, _) = mqferry(&["browse", &store, "--queue", "PAYMENTS"]);
    assert_eq!(out.lines().count(), 4, "{out}");
    assert!(out.contains("payment 3·[2J") && !out.contains('\x1b'), "{out:?}");

    let (_, out, _) = mqferry(&["browse", &store, "--queue", "queue://PAYMENTS", "--json"]);
    let messages: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((messages.len(), &messages[2]["place"]), (3, &3.into()));
    assert_eq!(messages[2]["publication"]["destination"], "queue://PAYMENTS");
    assert_eq!(messages[2]["publication"]["body"]["text"], "payment 3\x1b[2J");

    let (_, out, _) = mqferry(&["browse", &store, "--channels", "--json"]);
    let channel: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((&channel["LSTSEQNO"], &channel["LSTLUWID"]), (&4.into(), &"ABABABABABABABAB".into()));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(100_000);
    store_with(folder.path(), (0..20).map(|_| publication("Q", Body::Text(long.clone()))).collect());
    let store = format!("embedded:{}", folder.path().display());
    let mut child = command(&["browse", &store, "--queue", "Q", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let (code, _, err) = said(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
}
