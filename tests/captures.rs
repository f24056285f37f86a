//! The recordings of `protocol-captures/`: every segment decodes to what `expected.txt` says and re-encodes to the
//! same bytes, and tshark reads the same fields in the same file.
//!
//! `MQFERRY_WRITE_EXPECTED=1` writes `expected.txt` anew, after tshark has agreed with every field of it.

#[path = "support/pcap.rs"]
mod pcap;
#[path = "support/reading.rs"]
mod reading;
#[path = "support/tshark.rs"]
mod tshark;

use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap::{Chunk, Conversation};

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures")
}

/// Folders with a recording, by name.
fn scenarios() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(captures()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = folders.filter(|path| path.join("capture.pcap").is_file()).collect();
    found.sort();
    assert!(!found.is_empty(), "{} holds no capture.pcap", captures().display());
    found
}

#[test]
fn every_scenario_reads_as_expected_and_as_tshark_reads_it() {
    for folder in scenarios() {
        println!("{}", folder.display());
        let file = folder.join("capture.pcap");
        let conversations = pcap::read(&std::fs::read(&file).unwrap()).unwrap();
        let ours = reading::segments(&conversations);
        let theirs = tshark::read(&file);
        tshark::assert_seen_as_intended(&conversations, &theirs);
        reading::assert_agree(&ours, &theirs);

        let text = reading::text(&ours);
        let expected = folder.join("expected.txt");
        if std::env::var_os("MQFERRY_WRITE_EXPECTED").is_some() {
            std::fs::write(&expected, &text).unwrap();
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        let differs = text.lines().zip(wanted.lines()).position(|(is, wanted)| is != wanted);
        if let Some(line) = differs {
            let (is, wanted) = (text.lines().nth(line).unwrap(), wanted.lines().nth(line).unwrap());
            panic!("{} line {}:\nis      {is}\nwanted  {wanted}", expected.display(), line + 1);
        }
        assert_eq!(text.lines().count(), wanted.lines().count(), "lines of {}", expected.display());
    }
}

#[test]
fn every_scenario_says_where_it_comes_from() {
    let index = std::fs::read_to_string(captures().join("README.md")).unwrap();
    for folder in scenarios() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(index.contains(&format!("`{name}`")), "protocol-captures/README.md does not list {name}");
        let origin = std::fs::read_to_string(folder.join("origin.txt")).unwrap_or_default();
        for line in ["Origin: ", "Licence: "] {
            assert!(origin.lines().any(|it| it.starts_with(line)), "{name}/origin.txt has no line {line:?}");
        }
    }
}

/// The made-up frames, as hex, are those of the recording.
#[test]
fn the_wire_examples_are_the_frames_of_their_recording() {
    let folder = captures().join("wire-examples");
    let conversations = pcap::read(&std::fs::read(folder.join("capture.pcap")).unwrap()).unwrap();
    let ours = reading::segments(&conversations);
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    assert_eq!(ours.len(), index.lines().count());
    for (ours, line) in ours.iter().zip(index.lines()) {
        let columns: Vec<_> = line.split('\t').collect();
        let text = std::fs::read_to_string(folder.join(format!("{}.hex", columns[1]))).unwrap();
        let rows = text.lines().filter(|row| !row.starts_with('#'));
        let hex = rows.flat_map(|row| row.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        assert_eq!(ours.segment.encode(), hex.collect::<Vec<u8>>(), "{line}");
        assert_eq!(ours.from_client, columns[2] == "sender->receiver", "{line}");
    }
}

/// Our own writer: what it writes it reads back, and tshark reassembles it, a segment of several packets too.
#[test]
fn a_written_recording_reads_back_and_reassembles() {
    let example = |name: &str| {
        let text = std::fs::read_to_string(captures().join("wire-examples").join(name)).unwrap();
        let rows = text.lines().filter(|row| !row.starts_with('#'));
        let bytes =
            rows.flat_map(|row| row.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        bytes.collect::<Vec<u8>>()
    };
    let mut long = example("17-message-single.hex");
    long.resize(200_000, b'x');
    long[4..8].copy_from_slice(&200_000_u32.to_be_bytes());
    let (ask, answer) = (example("01-id-fap4-be.hex"), example("02-id-fap4-be-reply.hex"));
    let at = |micros| Duration::from_secs(1_700_000_000) + Duration::from_micros(micros);
    let chunk = |micros, from_client, bytes: &[u8]| Chunk { at: at(micros), from_client, bytes: bytes.to_vec() };
    // Segments cut and joined otherwise than they were sent, and two connections at once.
    let together = [&ask[100..], &long[..50]].concat();
    let mut one = Conversation::number(0);
    one.chunks = vec![chunk(1, true, &ask[..100]), chunk(4, true, &together), chunk(6, false, &answer)];
    one.chunks.extend(long[50..].chunks(70_000).map(|part| chunk(9, true, part)));
    let mut two = Conversation::number(1);
    two.chunks = vec![chunk(2, true, &ask), chunk(5, false, &answer)];

    let written = pcap::write(&[one.clone(), two.clone()]);
    let read = pcap::read(&written).unwrap();
    assert_eq!(read.len(), 2);
    for (is, was) in read.iter().zip([&one, &two]) {
        assert_eq!(is.client_port, was.client_port);
        assert_eq!((is.stream(true), is.stream(false)), (was.stream(true), was.stream(false)));
    }
    let seen = tshark::assert_reads_as_intended(&read);
    assert_eq!(seen.len(), 5);
    reading::assert_agree(&reading::segments(&read), &seen);
    assert_eq!(pcap::write(&read), written);

    assert!(pcap::read(&written[..written.len() - 1]).unwrap_err().contains("cut off"));
    assert!(pcap::read(b"GIF89a").unwrap_err().contains("not a little-endian classic pcap"));
}

/// The judge must be able to say no.
#[test]
fn a_spoiled_segment_is_seen() {
    let ask = [
        b"TSH \0\0\0\x34\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\x01\x11\x03\x33\0\0".as_slice(),
        b"ID  \x04\x07\0\0\0\0\0\x32\0\0\x7f\xfe\0\x40\0\0\x3b\x9a\xc9\xff".as_slice(),
    ]
    .concat();
    let mut conversation = Conversation::number(0);
    conversation.chunks = vec![Chunk { at: Duration::from_secs(1), from_client: true, bytes: ask }];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spoiled.pcap");
    std::fs::write(&file, pcap::write(&[conversation])).unwrap();
    let seen = tshark::read(&file);
    assert!(seen.iter().any(|it| it.marks.iter().any(|mark| mark.contains("Malformed"))), "{seen:?}");
}
