//! Programs that are killed and started again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Arguments, one a line, for this test program as sending queue manager.
pub(crate) const SENDER: &str = "MQFERRY_KILLS_SENDER";

/// What this test program is told as gateway on an embedded store; see [`Life::embedded_gateway`].
pub(crate) const GATEWAY: &str = "MQFERRY_KILLS_GATEWAY";

/// A folder that a failing test leaves behind.
#[derive(Debug)]
pub(crate) struct Place(Option<TempDir>);

impl Place {
    pub(crate) fn new() -> Self {
        Self(Some(TempDir::with_prefix("mqferry-kills-").expect("a temporary folder")))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().expect("there until dropped").path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.0.take()
        {
            eprintln!("logs, store and transmission queue are kept in {}", folder.keep().display());
        }
    }
}

/// A program over its lives; its output is appended to one file. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Life {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    /// Length of its log when this life began.
    said_before: usize,
    child: Option<Child>,
}

impl Life {
    /// `mqferry run` with this configuration; its log lies in `log`.
    pub(crate) fn gateway(config: &Path, log: PathBuf) -> Self {
        Self {
            name: "gateway",
            program: assert_cmd::cargo::cargo_bin("mqferry"),
            arguments: vec!["run".into(), "-c".into(), config.display().to_string()],
            environment: Vec::new(),
            log,
            said_before: 0,
            child: None,
        }
    }

    /// This test program as sending queue manager: always built with what it tests, as an example would not be.
    pub(crate) fn sender(arguments: &[String], log: PathBuf) -> Self {
        Self::this_program("sender", "child_that_sends", (SENDER, arguments.join("\n")), log)
    }

    /// This test program as receiving queue manager, likewise.
    pub(crate) fn receiver(arguments: &[String], log: PathBuf) -> Self {
        Self::this_program("receiver", "child_that_takes", (super::receiving::TOLD, arguments.join("\n")), log)
    }

    /// This test program as gateway on an embedded store, which waits where it is told; see `hold`.
    pub(crate) fn embedded_gateway(told: &str, log: PathBuf) -> Self {
        Self::this_program("gateway", "child_that_receives", (GATEWAY, told.to_owned()), log)
    }

    fn this_program(name: &'static str, test: &str, told: (&'static str, String), log: PathBuf) -> Self {
        Self {
            name,
            program: std::env::current_exe().expect("this program"),
            arguments: ["--exact", test, "--nocapture"].map(str::to_owned).to_vec(),
            environment: vec![told],
            log,
            said_before: 0,
            child: None,
        }
    }

    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "the {} runs already", self.name);
        self.said_before = self.said().len();
        let log = File::options().append(true).create(true).open(&self.log).expect("a log");
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_remove("MQFERRY_LOG")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.program.display())));
    }

    /// SIGKILL; false if it had ended by itself.
    pub(crate) fn kill9(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return false };
        if child.try_wait().expect("wait").is_some() {
            return false;
        }
        child.kill().expect("kill");
        child.wait().expect("wait");
        true
    }

    /// SIGTERM to a gateway, and how it ended then. One that has only just been started would end at once: it is let
    /// begin first.
    pub(crate) fn terminate(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        while !self.said().get(self.said_before..).is_some_and(|said| said.contains("mqferry takes callers")) {
            assert!(Instant::now() < deadline, "the {} does not begin\n{}", self.name, self.tail());
            sleep(Duration::from_millis(5));
        }
        self.signal("-TERM");
        self.end(limit)
    }

    /// Stops it where it stands (SIGSTOP).
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("run kill");
        assert!(status.success(), "kill {signal} {pid}: {status}");
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                self.child = None;
                return status;
            }
            assert!(Instant::now() < deadline, "the {} does not end\n{}", self.name, self.tail());
            sleep(Duration::from_millis(5));
        }
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().expect("it was started").try_wait().expect("wait")
    }

    /// All that it said, over all its lives.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it said so.
    pub(crate) fn says(&self, words: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !self.said().contains(words) {
            assert!(Instant::now() < deadline, "the {} never said {words:?}\n{}", self.name, self.tail());
            sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn tail(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        let tail = &lines[lines.len().saturating_sub(40)..];
        format!("--- last lines of the {} ---\n{}\n---", self.name, tail.join("\n"))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}
