//! Configurations as an operator may write them: `tests/config/valid_*.toml` are taken, `invalid_*.toml` are refused
//! with every problem that `invalid_*.expected` lists, line for line.

use std::fs;
use std::path::{Path, PathBuf};

use mqferry::channel::Dialect;
use mqferry::channel::definition::ChannelType;
use mqferry::config::{self, Plan, Problems};
use mqferry::mapping::{BodyMode, Destination, UnknownReply};
use mqferry::target::Outlet;
use mqferry::target::address::BrokerAddress;

fn files(prefix: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(prefix) && name.ends_with(".toml")
        })
        .collect();
    files.sort();
    files
}

fn read(file: &Path) -> Result<Plan, Problems> {
    let name = file.file_name().unwrap().to_string_lossy();
    let environment = |variable: &str| (variable == "BROKER_PASSWORD").then(|| "hunter2".to_owned());
    config::read(&name, &fs::read_to_string(file).unwrap(), &environment)
}

fn valid(name: &str) -> Plan {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)).unwrap()
}

#[test]
fn every_problem_of_an_invalid_file_is_reported_with_its_line_and_fix() {
    let files = files("invalid_");
    assert!(files.len() >= 9, "only {} invalid files found", files.len());
    let mut wrong = String::new();
    for file in files {
        let said = read(&file).map(|_| ()).unwrap_err().to_string();
        let expected = fs::read_to_string(file.with_extension("expected")).unwrap_or_default();
        if said.trim_end() != expected.trim_end() {
            wrong += &format!("== {}: expected\n{expected}\n== but got\n{said}\n", file.display());
        }
        for line in said.lines() {
            // Addresses of brokers are judged elsewhere, in that place's style.
            if !line.contains(';') && !line.contains(" broker.url: ") {
                wrong += &format!("no fix in {line:?}\n");
            }
            assert!(!line.contains("hunter2"), "a secret is shown in {line:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_is_left_out_has_the_defaults_of_mq_where_mq_has_one() {
    let plan = valid("valid_smallest.toml");
    assert_eq!(plan.listener.to_string(), "0.0.0.0:1414");
    assert_eq!(plan.admin.to_string(), "127.0.0.1:9157");
    assert_eq!(plan.deadq, Destination::Queue("MQFERRY.DLQ".into()));
    assert_eq!((plan.policy.qmgrs.len(), plan.policy.unknown_reply), (0, UnknownReply::Reject));
    assert!(plan.broker.login.is_none());
    let channel = plan.channel("QM1.TO.AMQGW").unwrap();
    // BATCHSZ, HBINT and SEQWRAP are IBM's; MAXMSGL is the design's, for a gateway shall not be the narrow place.
    assert_eq!((channel.batchsz, channel.hbint, channel.seqwrap), (50, 300, 999_999_999));
    assert_eq!(channel.maxmsgl, 104_857_600);
}

#[test]
fn every_key_is_read() {
    let plan = valid("valid_everything.toml");
    assert_eq!(plan.name, "AMQGW");
    assert_eq!(plan.policy.name, "AMQGW");
    assert_eq!(plan.policy.aliases, ["QM2", "QM3"]);
    assert_eq!(
        (plan.policy.qmgrs.as_slice(), plan.policy.unknown_reply),
        (&["QM1".into(), "QM4".into()][..], UnknownReply::Drop)
    );
    assert_eq!((plan.broker.name.as_str(), plan.policy.broker.as_str()), ("payments", "payments"));
    assert_eq!(plan.deadq, Destination::Queue("UNDELIVERED".into()));
    assert_eq!(plan.listener.to_string(), "[::]:1515");
    assert_eq!(plan.admin.to_string(), "127.0.0.1:9000");
    let login = plan.broker.login.as_ref().unwrap();
    assert_eq!((login.user.as_str(), login.password.expose()), ("mqferry", "hunter2"));
    let [first, second, third, fourth] = plan.channels.as_slice() else { panic!("{:?}", plan.channels) };
    assert_eq!(first.chltype, ChannelType::Rcvr);
    assert_eq!((first.batchsz, first.maxmsgl, first.hbint, first.seqwrap), (9999, 4_194_304, 0, 100));
    assert_eq!((second.name.as_str(), second.chltype), ("QM2.TO.AMQGW", ChannelType::Rqstr));
    assert_eq!((&first.calls, &third.calls), (&None, &None));
    let calls = second.calls.as_ref().unwrap();
    let addresses: Vec<_> = calls.conname.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["qm2a.example(1415)", "[::1](1416)", "qm2b.example(1414)"]);
    assert_eq!((calls.shortrty, calls.shorttmr, calls.longrty, calls.longtmr), (3, 60, 999_999_999, 600));
    let mut dialect = Dialect::default();
    dialect.set("fap", "10").unwrap();
    dialect.set("byte_order", "little").unwrap();
    assert_eq!((&third.dialect, &second.dialect), (&dialect, &Dialect::default()));
    assert_eq!((fourth.chltype, fourth.calls.as_ref().map(|calls| calls.conname.len())), (ChannelType::Sdr, Some(2)));
    assert_eq!((fourth.batchlim, fourth.batchint, fourth.batchhb, fourth.discint), (1000, 20, 500, 0));
    let outlets = &plan.outlets["AMQGW.TO.QM1"];
    let topic = Outlet::Topic { name: "rates".into(), subscription: "AMQGW.rates".into() };
    assert_eq!(outlets.rqmname.as_deref(), Some("QM1"));
    assert_eq!(outlets.outlets, [Outlet::Queue("MQ.QM1.>".into()), topic]);
    assert_eq!(plan.outlets.len(), 1, "of sending channels only");
    let BrokerAddress::OpenWire(brokers) = &plan.broker.address else { panic!("{:?}", plan.broker) };
    assert_eq!(brokers.endpoints.len(), 2);
    let to = |queue, qmgr| plan.policy.route(queue, qmgr).unwrap();
    assert_eq!(to("PAYMENTS.IN", "QM2").destination, Destination::Topic("payments".into()));
    assert_eq!(to("PAYMENTS.IN", "QM3").route, None);
    assert_eq!(to("BLOBS", "AMQGW").treatment.body, BodyMode::Bytes);
    assert!(!format!("{plan:?}").contains("hunter2"), "a secret is shown");
}

#[test]
fn a_password_is_read_from_its_file_without_the_newline() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, file) = (folder.path().join("secret"), folder.path().join("gateway.toml"));
    fs::write(&secret, "hunter2 \r\n").unwrap();
    let text = fs::read_to_string("tests/config/valid_smallest.toml").unwrap();
    let login = format!("[broker]\nuser = \"mqferry\"\npassword_file = {secret:?}\n");
    fs::write(&file, text.replace("[broker]\n", &login)).unwrap();
    let plan = config::load(&file).unwrap();
    assert_eq!(plan.broker.login.unwrap().password.expose(), "hunter2 ");
}

#[test]
fn a_file_that_is_not_there_is_a_problem_too() {
    let problems = config::load(Path::new("no-such.toml")).unwrap_err().to_string();
    assert!(problems.starts_with("no-such.toml: cannot be read"), "{problems}");
}
