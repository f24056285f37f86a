//! `mqferry run` as a process of its own, so that its memory and its processor time can be read.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "waits for a real process")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that runs; killed when dropped.
pub struct Process {
    child: Child,
    folder: Option<TempDir>,
    pub address: SocketAddr,
}

impl Process {
    /// Starts a gateway named GW with these `[[channel]]` sections on the embedded target, and waits until it takes callers.
    pub fn start(channels: &str) -> Self {
        let folder = TempDir::with_prefix("mqferry-gateway-").expect("a temporary folder");
        let url = format!("embedded:{}", folder.path().join("store").display());
        Self::in_folder(folder, &url, channels)
    }

    /// The same with a broker at this address.
    pub fn on(url: &str, channels: &str) -> Self {
        Self::in_folder(TempDir::with_prefix("mqferry-gateway-").expect("a temporary folder"), url, channels)
    }

    fn in_folder(folder: TempDir, url: &str, channels: &str) -> Self {
        let file = folder.path().join("gateway.toml");
        let text = format!(
            "name = \"GW\"\n[listener]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n\
             [broker]\nurl = {url:?}\n{channels}",
        );
        std::fs::write(&file, text).expect("a configuration");
        let log = File::create(folder.path().join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_mqferry"))
            .args(["run", "-c"])
            .arg(&file)
            .env_remove("MQFERRY_LOG")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mqferry starts");
        let mut process = Self { child, folder: Some(folder), address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = process.log();
            if let Some(rest) = log.split("listener=").nth(1) {
                process.address = rest.split_whitespace().next().unwrap().parse().expect("an address");
                return process;
            }
            assert!(
                process.child.try_wait().unwrap().is_none() && Instant::now() < deadline,
                "it does not start\n{log}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn log(&self) -> String {
        let folder = self.folder.as_ref().expect("there until the end");
        std::fs::read_to_string(folder.path().join("log")).unwrap_or_default()
    }

    /// A line of a scrape of its metrics that begins so: the value.
    pub fn metric(&self, name: &str) -> f64 {
        let log = self.log();
        let admin =
            log.split("admin=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("admin= in the log");
        let mut stream = TcpStream::connect(admin).expect("the admin address");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }

    /// The most memory that it ever had, in bytes.
    pub fn most_memory(&self) -> usize {
        self.proc_status("VmHWM:") * 1024
    }

    /// The memory that it has now, in bytes.
    pub fn memory(&self) -> usize {
        self.proc_status("VmRSS:") * 1024
    }

    /// Processor time that it has used so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error} (Linux only)"));
        // Fields 14 and 15 of proc(5), in ticks of a hundredth; the second may hold blanks and ends with a bracket.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<f64>().expect("ticks");
        (ticks(11) + ticks(12)) / 100.0
    }

    fn proc_status(&self, key: &str) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error} (Linux only)"));
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key} in {path}"));
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// SIGTERM; it must end in good order. Its store is in the folder `store` of what this gives.
    pub fn end(mut self) -> TempDir {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("run kill").success());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not end\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}\n{}", self.log());
        self.folder.take().expect("there until the end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() && self.folder.is_some() {
            eprintln!("--- log of the gateway ---\n{}", self.log());
        }
    }
}
