//! The admin address as operators, monitors and `mqferry channel` see it, on a port of its own.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use assert_cmd::Command;
use mqferry::admin::board::Wanted;
use mqferry::admin::{Admin, Agreed, Answered, ChannelBoard, Health, Operation, server};
use mqferry::channel::definition::ChannelType;
use mqferry::channel::sender::{Resolution, StopMode};
use mqferry::channel::{Definition, Partner, SyncRecord};
use mqferry::telemetry::{Metrics, names};
use mqferry::wire::Luwid;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "QM1.TO.AMQGW";

struct Gateway {
    admin: Admin,
    address: String,
    stop: CancellationToken,
}

impl Gateway {
    async fn start() -> Self {
        let metrics = Metrics::new().unwrap();
        let definitions = [CHANNEL, "QM2.TO.AMQGW"].map(|name| Definition::of(name, ChannelType::Rcvr));
        let board = ChannelBoard::new(&definitions, &metrics);
        let admin = Admin { board, health: Health::new(&metrics), metrics };
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(listener, admin.clone(), stop.clone()));
        Self { admin, address, stop }
    }

    /// Status and body of the answer to a request with these additional header lines.
    async fn ask(&self, request: &str, headers: &str) -> (u16, String) {
        let exchange = async {
            let mut stream = TcpStream::connect(&self.address).await.unwrap();
            let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.address) };
            let text = format!("{request} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::time::timeout(Duration::from_secs(10), exchange).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), "").await
    }

    /// `mqferry channel …` against this gateway: exit status, standard output, standard error.
    async fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("mqferry").unwrap();
        command.arg("channel").args(arguments).args(["--admin", &format!("http://{}", self.address)]);
        command.env_remove("MQFERRY_CONFIG").env_remove("MQFERRY_LOG").timeout(Duration::from_secs(30));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn run_channel(&self) -> mqferry::admin::Instance {
        let instance = self.admin.board.open(CHANNEL, "127.0.0.1(4711)").unwrap();
        instance.update(|status| {
            status.partner(&Partner { qmgr_name: "QM1".into(), qmgr_id: String::new(), fap_level: 4 });
            status.claimed(None);
            status.running(Agreed { batchsz: 20, hbint: 60, maxmsgl: 4_194_304, fap_level: 4 });
            status.message(1, Luwid([0xAB; 8]), UNIX_EPOCH + Duration::from_secs(1_795_449_816));
            let record = SyncRecord {
                partner_id: String::new(),
                sequence: 1,
                luwid: Luwid([0xAB; 8]),
                last_batch: Vec::new(),
                after_reset: false,
                at_heartbeat: None,
            };
            status.committed(&record, 0);
        });
        instance
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_gateway_is_ready_when_callers_are_taken_and_the_target_answers() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.get("/healthz").await, (200, "ok\n".into()));
    let (code, text) = gateway.get("/readyz").await;
    assert_eq!((code, text.as_str()), (503, "listener: takes no callers\ntarget: not tried yet\n"));
    gateway.admin.health.listening(true);
    gateway.admin.health.target(Err("amqp://h:5672 refused the password".into()));
    let (code, text) = gateway.get("/readyz").await;
    assert_eq!((code, text.as_str()), (503, "target: amqp://h:5672 refused the password\n"));
    gateway.admin.health.target(Ok(()));
    assert_eq!(gateway.get("/readyz").await, (200, "ready\n".into()));
    assert!(gateway.get("/metrics").await.1.contains("\nmqferry_target_up 1\n"));
}

#[tokio::test]
async fn status_has_the_keys_of_display_chstatus() {
    let gateway = Gateway::start().await;
    let _running = gateway.run_channel();
    let (code, text) = gateway.get(&format!("/channels/{CHANNEL}")).await;
    assert_eq!(code, 200);
    let status: Value = serde_json::from_str(&text).unwrap();
    for (key, expected) in [
        ("CHANNEL", Value::from(CHANNEL)),
        ("CHLTYPE", "RCVR".into()),
        ("STATUS", "RUNNING".into()),
        ("SUBSTATE", "RECEIVE".into()),
        ("RQMNAME", "QM1".into()),
        ("CONNAME", "127.0.0.1(4711)".into()),
        ("CURSEQNO", 1.into()),
        ("CURLUWID", "0000000000000000".into()),
        ("LSTSEQNO", 1.into()),
        ("LSTLUWID", "ABABABABABABABAB".into()),
        ("INDOUBT", "NO".into()),
        ("MSGS", 1.into()),
        ("BATCHES", 1.into()),
        ("LSTMSGDA", "2026-11-23".into()),
        ("LSTMSGTI", "16.03.36".into()),
        ("BATCHSZ", 20.into()),
        ("HBINT", 60.into()),
    ] {
        assert_eq!(status[key], expected, "{key} in {text}");
    }
    let (_, text) = gateway.get("/channels").await;
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!((&all[1]["CHANNEL"], &all[1]["STATUS"]), (&"QM2.TO.AMQGW".into(), &"INACTIVE".into()));
    assert_eq!(all[1]["CHSTADA"], Value::Null);
}

#[tokio::test]
async fn an_operator_stops_and_starts_a_channel() {
    let gateway = Gateway::start().await;
    let mut wanted = gateway.admin.board.wanted(CHANNEL).unwrap();
    let running = gateway.run_channel();
    let (code, out, err) = gateway.command(&["stop", CHANNEL]).await;
    assert_eq!((code, out.as_str(), err.as_str()), (0, "QM1.TO.AMQGW: STOPPING\n", ""));
    assert!(wanted.has_changed().unwrap());
    wanted.mark_unchanged();
    running.ended(None);
    let (_, out, _) = gateway.command(&["status", CHANNEL, "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["STATUS"], "STOPPED");
    let (code, out, _) = gateway.command(&["start", CHANNEL]).await;
    assert_eq!((code, out.as_str()), (0, "QM1.TO.AMQGW: INACTIVE\n"));
    assert!(wanted.has_changed().unwrap());
}

#[tokio::test]
async fn an_operator_names_the_mode_of_a_stop() {
    let gateway = Gateway::start().await;
    let wanted = gateway.admin.board.wanted(CHANNEL).unwrap();
    for (word, mode) in [("quiesce", StopMode::Quiesce), ("force", StopMode::Force), ("terminate", StopMode::Terminate)]
    {
        let (code, out, err) = gateway.command(&["stop", CHANNEL, "--mode", word]).await;
        assert_eq!((code, out.as_str(), err.as_str()), (0, "QM1.TO.AMQGW: STOPPED\n", ""));
        assert_eq!(*wanted.borrow(), Wanted::Stopped(mode));
        gateway.admin.board.start(CHANNEL).unwrap();
        assert_eq!(gateway.ask(&format!("POST /channels/{CHANNEL}/stop/{word}"), "").await.0, 200);
        assert_eq!(*wanted.borrow(), Wanted::Stopped(mode));
    }
    let (code, text) = gateway.ask(&format!("POST /channels/{CHANNEL}/stop/now"), "").await;
    assert!(code == 404 && text.contains("quiesce, force or terminate"), "{code} {text}");
    assert_eq!(gateway.command(&["stop", CHANNEL, "--mode", "now"]).await.0, 2);
}

/// The paths of RESOLVE and RESET CHANNEL: what is asked for reaches whoever carries it out, and its answer the operator.
#[tokio::test]
async fn an_operator_resolves_and_resets_over_http() {
    let gateway = Gateway::start().await;
    let mut requests = gateway.admin.board.requests().unwrap();
    let carried_out = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(request) = requests.recv().await {
            let channel = request.channel.clone();
            let changed = !matches!(request.operation, Operation::Reset { really: false, .. });
            seen.push((channel.clone(), request.operation));
            let answer = if seen.len() == 5 {
                Err("channel is not in doubt".to_owned())
            } else {
                Ok(Answered { channel, changed, text: "as told".to_owned() })
            };
            request.answer.send(answer).unwrap();
            if seen.len() == 5 {
                break;
            }
        }
        seen
    });
    for (request, changed) in [
        ("POST /channels/QM1.TO.AMQGW/resolve/commit", true),
        ("POST /channels/QM1.TO.AMQGW/resolve/backout", true),
        ("GET /channels/QM1.TO.AMQGW/reset/7", false),
        ("POST /channels/QM1.TO.AMQGW/reset/7", true),
    ] {
        let (code, text) = gateway.ask(request, "").await;
        let said: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &said["channel"], &said["changed"]), (200, &CHANNEL.into(), &changed.into()));
    }
    let (code, text) = gateway.ask("POST /channels/QM1.TO.AMQGW/resolve/commit", "").await;
    assert!(code == 409 && text.contains("is not in doubt"), "{code} {text}");
    let name = CHANNEL.to_owned();
    let expected = [
        Operation::Resolve(Resolution::Commit),
        Operation::Resolve(Resolution::Backout),
        Operation::Reset { seqnum: 7, really: false },
        Operation::Reset { seqnum: 7, really: true },
        Operation::Resolve(Resolution::Commit),
    ];
    assert_eq!(carried_out.await.unwrap(), expected.map(|operation| (name.clone(), operation)));
    assert_eq!(gateway.ask("GET /channels/QM1.TO.AMQGW/resolve/commit", "").await.0, 405);
    assert_eq!(gateway.ask("POST /channels/QM1.TO.AMQGW/reset/x", "").await.0, 400);
}

#[tokio::test]
async fn the_status_table_lines_up() {
    let gateway = Gateway::start().await;
    let _running = gateway.run_channel();
    let (code, out, _) = gateway.command(&["status"]).await;
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    let [heading, first, second] = lines.as_slice() else { panic!("{out}") };
    for (word, value) in [("STATUS", "RUNNING"), ("RQMNAME", "QM1"), ("CONNAME", "127.0.0.1(4711)")] {
        assert_eq!(heading.find(&format!(" {word} ")), first.find(&format!(" {value} ")), "{word}:\n{out}");
    }
    assert_eq!(heading.find(" STATUS "), second.find(" INACTIVE "), "{out}");
    let (_, out, _) = gateway.command(&["status", CHANNEL]).await;
    assert!(out.lines().any(|line| line.split_whitespace().eq(["LSTLUWID", "ABABABABABABABAB"])), "{out}");
}

#[tokio::test]
async fn an_unknown_channel_is_said_to_be_unknown() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.get("/channels/NO.SUCH").await.0, 404);
    for arguments in [["status", "NO.SUCH"], ["stop", "NO.SUCH"], ["start", "NO/SU%CH"]] {
        let (code, out, err) = gateway.command(&arguments).await;
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}");
        let name = arguments[1];
        assert_eq!(err, format!("mqferry: channel {name} is not defined; see /channels for those that are\n"));
    }
}

#[tokio::test]
async fn web_pages_may_not_operate_channels() {
    let gateway = Gateway::start().await;
    let stop = format!("POST /channels/{CHANNEL}/stop");
    assert_eq!(gateway.ask(&stop, "Origin: http://evil.example\r\n").await.0, 403);
    assert_eq!(gateway.ask(&stop, "Host: evil.example:9157\r\n").await.0, 403);
    assert_eq!(gateway.ask(&format!("GET /channels/{CHANNEL}/stop"), "").await.0, 405);
    assert_eq!(gateway.admin.board.status(CHANNEL).unwrap().state.word(), "INACTIVE");
    assert_eq!(gateway.ask(&stop, "Host: localhost\r\n").await.0, 200);
}

#[tokio::test]
async fn a_port_in_use_or_open_to_others_is_refused_with_the_fix() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = server::bind(address).await.unwrap_err().to_string();
    let expected = "is in use by another process; end that, or choose another port with address in [admin]";
    assert_eq!(said, format!("{address} {expected}"));
    let said = server::bind("0.0.0.0:0".parse().unwrap()).await.unwrap_err().to_string();
    assert!(said.contains("write 127.0.0.1"), "{said}");
}

/// The names are a promise: whoever changes this list owes the changelog a note.
#[tokio::test]
async fn the_metrics_are_these() {
    const EXPECTED: &[&str] = &[
        "mqferry_build_info gauge",
        "mqferry_channel_batches_rolled_back_total counter",
        "mqferry_channel_batches_total counter",
        "mqferry_channel_bytes_received_total counter",
        "mqferry_channel_bytes_sent_total counter",
        "mqferry_channel_current_sequence gauge",
        "mqferry_channel_dead_lettered_total counter",
        "mqferry_channel_held_up gauge",
        "mqferry_channel_held_up_seconds_total counter",
        "mqferry_channel_indoubt gauge",
        "mqferry_channel_last_message_timestamp_seconds gauge",
        "mqferry_channel_last_sequence gauge",
        "mqferry_channel_messages_total counter",
        "mqferry_channel_refused_total counter",
        "mqferry_channel_repeated_total counter",
        "mqferry_channel_status gauge",
        "mqferry_listener_accepted_total counter",
        "mqferry_listener_connections gauge",
        "mqferry_listener_refused_total counter",
        "mqferry_target_commit_seconds histogram",
        "mqferry_target_up gauge",
    ];
    let gateway = Gateway::start().await;
    gateway.admin.board.metrics(CHANNEL).unwrap().commit_seconds.record(0.003);
    let (code, text) = gateway.get("/metrics").await;
    assert_eq!(code, 200);
    let found: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), EXPECTED);

    // Every defined channel in every state.
    for channel in [CHANNEL, "QM2.TO.AMQGW"] {
        for status in ["INACTIVE", "BINDING", "RUNNING", "PAUSED", "RETRYING", "STOPPING", "STOPPED"] {
            let there = u8::from(status == "INACTIVE");
            let line = format!("mqferry_channel_status{{channel=\"{channel}\",status=\"{status}\"}} {there}");
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }
    let bucket = format!("mqferry_target_commit_seconds_bucket{{channel=\"{CHANNEL}\",le=\"0.005\"}} 1");
    assert!(text.lines().any(|found| found == bucket), "no {bucket} in\n{text}");
}

#[test]
fn the_documentation_lists_every_metric() {
    let page = include_str!("../docs/metrics.md");
    for metric in names::ALL {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let row = format!("| `{}` | {kind} | {} | {} |", metric.name, metric.labels.join(", "), metric.help);
        assert!(page.contains(&row), "docs/metrics.md lacks the line\n{row}");
    }
}
