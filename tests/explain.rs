//! `explain`: the JSON shape that is promised, on messages that IBM's own software wrote; what the JSON beside them says
//! is their authors' word, not ours.

use bytes::Bytes;
use mqferry::mapping::Policy;
use mqferry::mapping::explain::{Explained, First, NotAMessage, explain, to_json, to_text};
use serde_json::{Value as Json, json};

const NOW: i64 = 1_795_443_300_000;

fn read(file: &str) -> Bytes {
    let path = format!("{}/protocol-captures/ibm-headers/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

fn first(format: &str) -> First {
    First { format: format.into(), ..First::default() }
}

fn explained(file: &str, format: &str) -> Explained {
    explain(read(file), &first(format), None, NOW).unwrap_or_else(|error| panic!("{file} {error}"))
}

fn json_of(file: &str, format: &str) -> Json {
    to_json(&explained(file, format), file, NOW)
}

/// Name, offset and length of each header in the JSON beside a sample, MsgDesc as an entry of its own.
fn headers_of(file: &str) -> Vec<(String, u64, u64)> {
    let sample: Json = serde_json::from_slice(&read(&file.replace(".bin", ".json"))).expect("JSON");
    let mut headers = Vec::new();
    for header in sample["headers"].as_array().expect("headers") {
        let class = header["class"].as_str().expect("class").to_owned();
        let (offset, length) = (header["offset"].as_u64().expect("offset"), header["length"].as_u64().expect("length"));
        if class == "MQXQH" {
            headers.push((class, offset, 104));
            headers.push(("MQMD".to_owned(), offset + 104, length - 104));
        } else {
            headers.push((class, offset, length));
        }
    }
    headers
}

#[test]
fn headers_stand_where_ibm_wrote_them() {
    for (file, format) in [
        ("001-xqh-md1-e273-c1208.bin", "MQXMIT"),
        ("006-xqh-md1-e273-c37.bin", "MQXMIT"),
        ("021-xqh-md1-e546-c500.bin", "MQXMIT"),
        ("043-md2-e273-c1208.bin", "MQMD"),
        ("057-xqh-dlh-e273-c819.bin", "MQXMIT"),
        ("069-rfh2-typed-e273-nv1208.bin", "MQHRF2"),
        ("071-rfh2-typed-e273-nv1200.bin", "MQHRF2"),
        ("108-xqh-mde-e273.bin", "MQXMIT"),
        ("113-cih-e273.bin", "MQCICS"),
        ("117-chain-xqh-mde-rfh2-e273.bin", "MQXMIT"),
        ("118-chain-xqh-dlh-rfh2-rfh2-e273.bin", "MQXMIT"),
        ("121-chain-mixed-e273.bin", "MQXMIT"),
    ] {
        let json = json_of(file, format);
        let found: Vec<_> = json["headers"]
            .as_array()
            .expect("headers")
            .iter()
            .map(|h| {
                let number = |key: &str| h[key].as_u64().expect("a number");
                (h["structure"].as_str().expect("a name").to_owned(), number("offset"), number("length"))
            })
            .collect();
        assert_eq!(found, headers_of(file), "{file}");
        let end = found.last().map(|(_, offset, length)| offset + length);
        assert_eq!(json["body"]["offset"].as_u64(), end, "{file}");
        assert_eq!(json["body"]["length"].as_u64(), end.map(|end| read(file).len() as u64 - end), "{file}");
        for key in ["file", "headers", "body", "publication", "notes"] {
            assert!(json.get(key).is_some(), "{file} {key}");
        }
    }
}

#[test]
fn fields_and_folders_have_their_promised_form() {
    let json = json_of("117-chain-xqh-mde-rfh2-e273.bin", "MQXMIT");
    let xqh = &json["headers"][0];
    assert_eq!(
        xqh["fields"],
        json!({"StrucId": "XQH", "Version": 1, "RemoteQName": "REMOTE.QUEUE", "RemoteQMgrName": "QM2"})
    );
    let md = &json["headers"][1]["fields"];
    assert_eq!(md["Format"], "MQHMDE");
    assert!(md["MsgId"].as_str().is_some_and(|id| id.len() == 48 && id.bytes().all(|b| !b.is_ascii_uppercase())));
    assert_eq!(json["publication"]["destination"], "queue://REMOTE.QUEUE");

    // The folders in UTF-8 and in UTF-16 are the same text.
    let utf8 = json_of("069-rfh2-typed-e273-nv1208.bin", "MQHRF2");
    let utf16 = json_of("071-rfh2-typed-e273-nv1200.bin", "MQHRF2");
    assert_eq!(utf8["headers"][0]["folders"], utf16["headers"][0]["folders"]);
    assert!(utf8["headers"][0]["folders"]["usr"].is_object());
    assert_eq!(utf8["publication"]["destination"], Json::Null);

    // <usr><i dt='i4'>5</i><j dt="i8">6</j><n xsi:nil='true'></n></usr>
    let attributes = json_of("091-rfh2-folder-attrs.bin", "MQHRF2");
    assert_eq!(
        attributes["headers"][0]["folders"]["usr"],
        json!({
            "i": {"type": "i4", "value": 5},
            "j": {"type": "i8", "value": 6},
            "n": {"type": "string", "value": null},
        })
    );
    assert_eq!(attributes["publication"]["properties"]["i"], json!({"type": "int", "value": 5}));
}

#[test]
fn a_policy_decides_the_destination() {
    let file = "001-xqh-md1-e273-c1208.bin";
    let by =
        |policy: &Policy| to_json(&explain(read(file), &First::default(), Some(policy), NOW).expect(file), file, NOW);
    let us = by(&Policy { aliases: vec!["QM2".into()], ..Policy::named("AMQGW") });
    assert_eq!(us["publication"]["destination"], "queue://REMOTE.QUEUE");
    assert_eq!(us["publication"]["properties"]["MQFERRY_RemoteQMgr"], json!({"type": "string", "value": "QM2"}));
    let strangers = by(&Policy::named("AMQGW"));
    assert_eq!(strangers["publication"], Json::Null);
    let notes = strangers["notes"].to_string();
    assert!(notes.contains("2087") && notes.contains("MQRC_UNKNOWN_REMOTE_Q_MGR"), "{notes}");
}

#[test]
fn what_is_no_message_says_so_with_a_fix() {
    let try_this = |bytes: &'static [u8], format: &str| {
        explain(Bytes::from_static(bytes), &first(format), None, NOW).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(try_this(b"", "MQXMIT"), Err(NotAMessage::Empty.to_string()));
    for (bytes, format, fix) in [
        (&b"hello"[..], "MQXMIT", "--format MQXMIT, MQMD, MQDEAD"),
        (b"RFH \0\0\0\x02", "MQXMIT", "add --format MQHRF2"),
        (b"\xC4\xD3\xC8\x40\0\0\0\x01", "MQXMIT", "add --format MQDEAD"),
        (b"XQH \0\0\0\x01QUEUE", "MQXMIT", "cut short or damaged"),
        (b"XQH \0\0\0\x01QUEUE", "MQXMIT.LONG", "at most 8 characters"),
    ] {
        let error = try_this(bytes, format).expect_err("no message");
        assert!(error.contains(fix) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn the_text_form_shows_every_field_and_no_control_character() {
    for (file, format) in [("118-chain-xqh-dlh-rfh2-rfh2-e273.bin", "MQXMIT"), ("043-md2-e273-c1208.bin", "MQMD")] {
        let explained = explained(file, format);
        let text = to_text(&explained, file, NOW);
        for structure in explained.envelope.structures() {
            assert!(text.contains(structure.name), "{file} {}", structure.name);
            for (field, _) in structure.fields {
                assert!(text.contains(field), "{file} {field}");
            }
        }
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{file}");
        assert!(text.contains("Publication to"), "{file}");
    }
}

// ---- the command ----

fn mqferry() -> assert_cmd::Command {
    assert_cmd::Command::cargo_bin("mqferry").expect("the program")
}

fn path(file: &str) -> String {
    format!("{}/protocol-captures/ibm-headers/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_command_prints_one_object_a_file() {
    let files = [path("001-xqh-md1-e273-c1208.bin"), path("117-chain-xqh-mde-rfh2-e273.bin")];
    let output = mqferry().arg("explain").args(&files).arg("--json").output().expect("a run");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let objects: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(objects.iter().map(|o| o["file"].clone()).collect::<Vec<_>>(), files.clone().map(Json::from));
    assert_eq!(objects[0]["publication"]["destination"], "queue://REMOTE.QUEUE");
    let text = mqferry().arg("explain").arg(&files[0]).output().expect("a run");
    assert!(text.status.success());
    assert!(String::from_utf8(text.stdout).expect("UTF-8").contains("Publication to queue://REMOTE.QUEUE"));
}

#[test]
fn the_command_applies_routes() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("gateway.toml");
    let text = "name = \"AMQGW\"\naliases = [\"QM2\"]\n[broker]\nurl = \"embedded:store\"\n\
                [[channel]]\nname = \"A.TO.B\"\nchltype = \"RCVR\"\n\
                [[route]]\nremote_queue = \"REMOTE.*\"\ndestination = \"topic://out\"\n";
    std::fs::write(&config, text).expect("a file");
    let run = mqferry()
        .args(["explain", &path("001-xqh-md1-e273-c1208.bin"), "--json", "-c"])
        .arg(&config)
        .output()
        .expect("a run");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let json: Json = serde_json::from_slice(&run.stdout).expect("an object");
    assert_eq!(json["publication"]["destination"], "topic://out");
    assert_eq!(json["publication"]["properties"]["MQFERRY_RemoteQ"]["value"], "REMOTE.QUEUE");
}

#[test]
fn the_command_says_in_one_line_what_is_no_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("note.txt");
    std::fs::write(&file, "hello").expect("a file");
    let run = mqferry().arg("explain").arg(&file).output().expect("a run");
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stdout.is_empty());
    let error = String::from_utf8(run.stderr).expect("UTF-8");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("note.txt is not a message") && error.contains("--format"), "{error}");
    let missing = mqferry().args(["explain", "no-such-file"]).output().expect("a run");
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&missing.stderr).lines().count(), 1);
    // The others are shown all the same.
    let good = path("001-xqh-md1-e273-c1208.bin");
    let both = mqferry().arg("explain").arg(&file).arg(&good).arg("--json").output().expect("a run");
    assert_eq!(both.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&both.stdout).lines().count(), 1);
}

// ---- the way back ----

/// Out by one command, back by another: the bytes behind the descriptor are those of IBM's sample, and so are its fields.
#[test]
fn the_command_goes_the_other_way() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in [
        "001-xqh-md1-e273-c1208.bin",
        "006-xqh-md1-e273-c37.bin",
        "021-xqh-md1-e546-c500.bin",
        "057-xqh-dlh-e273-c819.bin",
        "108-xqh-mde-e273.bin",
        "117-chain-xqh-mde-rfh2-e273.bin",
        "118-chain-xqh-dlh-rfh2-rfh2-e273.bin",
        "121-chain-mixed-e273.bin",
    ] {
        let run = mqferry().args(["explain", &path(file), "--json"]).output().expect("a run");
        let whole: Json = serde_json::from_slice(&run.stdout).expect("an object");
        for (n, json) in [&whole, &whole["publication"]].into_iter().enumerate() {
            let (publication, out) = (folder.path().join("p.json"), folder.path().join(format!("{n}.bin")));
            std::fs::write(&publication, json.to_string()).expect("a file");
            let run = mqferry()
                .arg("explain")
                .arg("--from-publication")
                .arg(&publication)
                .arg("--out")
                .arg(&out)
                .args(["--rqmname", "QM1", "--json"])
                .output()
                .expect("a run");
            assert!(run.status.success(), "{file} {}", String::from_utf8_lossy(&run.stderr));
            let back: Json = serde_json::from_slice(&run.stdout).expect("an object");
            let bytes = std::fs::read(&out).expect("the message");
            assert_eq!(bytes.get(428..), read(file).get(428..), "{file}");
            assert_eq!(back["headers"][0]["fields"]["RemoteQMgrName"], "QM1");
            let (mut came, mut goes) = (whole["headers"][1]["fields"].clone(), back["headers"][1]["fields"].clone());
            for fields in [&mut came, &mut goes] {
                fields["Expiry"] = Json::Null;
                fields["BackoutCount"] = Json::Null;
            }
            assert_eq!(goes, came, "{file}");
        }
    }
}

#[test]
fn a_publication_of_the_brokers_side_becomes_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.json");
    let publication = json!({
        "destination": "queue://MQ.QM1.ORDERS",
        "message_id": "ID:host-40411-1:1:1:1",
        "correlation_id": "order-4711",
        "reply_to": "queue://ANSWERS",
        "properties": {"colour": {"type": "string", "value": "red"}, "n": {"type": "int", "value": 7}},
        "body": {"kind": "text", "text": "Grüße"},
    });
    std::fs::write(&file, publication.to_string()).expect("a file");
    let run = mqferry()
        .arg("explain")
        .arg("--from-publication")
        .arg(&file)
        .args(["--rqmname", "QM1", "--json"])
        .output()
        .expect("a run");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let json: Json = serde_json::from_slice(&run.stdout).expect("an object");
    let structures: Vec<_> =
        json["headers"].as_array().expect("headers").iter().map(|h| h["structure"].clone()).collect();
    assert_eq!(structures, ["MQXQH", "MQMD", "MQRFH2"]);
    assert_eq!(json["headers"][0]["fields"]["RemoteQName"], "ORDERS");
    let md = &json["headers"][1]["fields"];
    assert_eq!((&md["MsgType"], &md["ReplyToQ"], &md["Format"]), (&json!(1), &json!("ANSWERS"), &json!("MQHRF2")));
    assert_eq!(md["CorrelId"], format!("6f726465722d34373131{}", "00".repeat(14)));
    let folders = &json["headers"][2]["folders"];
    assert_eq!(folders["usr"]["n"], json!({"type": "i4", "value": 7}));
    assert_eq!(folders["jms"]["Cid"]["value"], "order-4711");
    assert_eq!(folders["mcd"]["Msd"]["value"], "jms_text");

    std::fs::write(&file, "{\"destination\": 1}").expect("a file");
    let run = mqferry().arg("explain").arg("--from-publication").arg(&file).output().expect("a run");
    assert_eq!(run.status.code(), Some(1));
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(error.lines().count() == 1 && error.contains("destination"), "{error}");
}

#[test]
fn passwords_are_hidden_unless_asked_for() {
    let mut bytes = read("113-cih-e273.bin").to_vec();
    bytes[92..100].copy_from_slice(b"PASSWORD"); // Authenticator (wire reference, headers, D)
    let shown = |secrets: bool| {
        let first = First { secrets, ..first("MQCICS") };
        let explained = explain(bytes.clone().into(), &first, None, NOW).expect("an MQCIH");
        to_json(&explained, "f", NOW)["headers"][0]["fields"]["Authenticator"].clone()
    };
    assert_eq!(shown(false), "(hidden, --secrets shows it)");
    assert_eq!(shown(true), "PASSWORD");
}
