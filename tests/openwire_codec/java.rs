//! The Java program that holds ActiveMQ's marshallers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::LazyLock;

use bytes::BytesMut;
use mqferry::target::openwire::codec::{Frame, Version};
use serde_json::Value;

use crate::support::broker::java;

/// What it writes: one JSON object a line.
pub(crate) fn written() -> &'static [Value] {
    static WRITTEN: LazyLock<Vec<Value>> = LazyLock::new(|| lines("--write", &[]));
    &WRITTEN
}

/// What it reads in these frames, an object for each.
pub(crate) fn reads(frames: &[(Version, Frame)]) -> Vec<Value> {
    let lines = frames.iter().map(|(version, frame)| format!("{version} {}\n", hex(&encoded(frame, *version))));
    let answers = self::lines("--read", &lines.collect::<Vec<_>>());
    assert_eq!(answers.len(), frames.len());
    answers
}

/// A frame as we write it, size first.
pub(crate) fn encoded(frame: &Frame, version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    frame.encode(version, &mut bytes).unwrap_or_else(|e| panic!("{e}: {frame:?}"));
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> BytesMut {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex digits")).collect()
}

fn lines(mode: &str, input: &[String]) -> Vec<Value> {
    let mut command = java(256);
    command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "mqferry.OpenWire", mode]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start java");
    let mut stdin = child.stdin.take().expect("its input");
    let stdout = BufReader::new(child.stdout.take().expect("its output"));
    let lines = std::thread::scope(|scope| {
        // both at once: neither pipe holds everything
        scope.spawn(move || input.iter().for_each(|line| stdin.write_all(line.as_bytes()).expect("java reads on")));
        stdout.lines().map(|line| line.expect("its output")).collect::<Vec<_>>()
    });
    let status = child.wait().expect("wait for java");
    assert!(status.success(), "mqferry.OpenWire {mode}: {status}");
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}
