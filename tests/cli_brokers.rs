//! `mqferry check` against real brokers: what an operator is told about an address, a password, a port.

mod support;

use std::fs;
use std::time::Duration;

use support::broker::Broker;

/// Exit status and standard output of `mqferry check` with this `[broker]` section.
fn check(broker: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(folder.path().join("secret"), "se<ret\n").unwrap();
    fs::write(folder.path().join("wrong"), "not it\n").unwrap();
    let broker = broker.replace("FOLDER", &folder.path().display().to_string());
    let text = format!(
        "name = \"AMQGW\"\n[listener]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n\
         [broker]\n{broker}\n[[channel]]\nname = \"QM1.TO.AMQGW\"\nchltype = \"RCVR\"\n"
    );
    fs::write(&file, text).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("mqferry").unwrap();
    command.args(["check", "-c"]).arg(&file).env_remove("MQFERRY_CONFIG").env_remove("MQFERRY_LOG");
    let output = command.timeout(Duration::from_secs(120)).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert_eq!(text(output.stderr), "", "check says everything on standard output");
    (output.status.code().unwrap(), text(output.stdout))
}

/// The lines about the broker that are not as they must be.
fn wrong(out: &str) -> Vec<&str> {
    out.lines().filter(|line| line.starts_with("wrong broker ")).collect()
}

#[test]
fn a_broker_is_let_pass_or_told_what_is_wrong_with_it() {
    let broker = Broker::builder().user("mqferry", "se<ret", "admins").start();
    let login = |file: &str| format!("user = \"mqferry\"\npassword_file = \"FOLDER/{file}\"");

    for url in [broker.openwire_url(), broker.amqp_url()] {
        let (code, out) = check(&format!("url = \"{url}\"\n{}", login("secret")));
        assert_eq!((code, wrong(&out).len()), (0, 0), "{out}");
        assert!(out.lines().any(|line| line.starts_with("ok    broker ")), "{out}");

        let (code, out) = check(&format!("url = \"{url}\"\n{}", login("wrong")));
        let [line] = wrong(&out)[..] else { panic!("{out}") };
        assert_eq!(code, 1, "{out}");
        assert!(line.contains("password") && !out.contains("not it"), "{out}");
    }

    // An AMQP address on an OpenWire port, and the reverse.
    let amqp_there = broker.openwire_url().replace("tcp://", "amqp://");
    let openwire_there = broker.amqp_url().replace("amqp://", "tcp://");
    for (address, what) in [(amqp_there, "this is an OpenWire port"), (openwire_there, "this is an AMQP port")] {
        let (code, out) = check(&format!("url = \"{address}\"\n{}", login("secret")));
        let [line] = wrong(&out)[..] else { panic!("{out}") };
        assert_eq!(code, 1, "{out}");
        assert!(line.contains(what), "{out}");
    }

    // Nobody there.
    let (code, out) = check("url = \"amqp://127.0.0.1:1\"");
    let [line] = wrong(&out)[..] else { panic!("{out}") };
    assert!(code == 1 && line.contains("127.0.0.1:1"), "{out}");
}
