//! What tshark's dissectors of MQ and of OpenWire, which know nothing of us, read in a conversation.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::pcap::{self, Conversation, SERVER_PORT};

/// One segment, or OpenWire frame, as tshark shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Number of the packet that completed it, from 1.
    pub(crate) packet: u32,
    /// Port of the side that connected.
    pub(crate) client_port: u16,
    /// Whether that side sent it.
    pub(crate) from_client: bool,
    /// Its fields by Wireshark's name, the first of each name.
    pub(crate) fields: BTreeMap<String, Field>,
    /// What the dissector finds malformed.
    pub(crate) marks: Vec<String>,
    /// Where the dissector has no opinion: a body of a shape that it does not know.
    pub(crate) unknown: Vec<String>,
}

/// A field: as tshark shows it, and its bytes in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) show: String,
    pub(crate) hex: String,
}

/// What a segment is, read off its bytes by their place alone (wire reference, segments 2 and 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intended {
    pub(crate) from_client: bool,
    pub(crate) length: u32,
    pub(crate) segment_type: u8,
    pub(crate) flags1: u8,
    pub(crate) flags2: u8,
    pub(crate) luwid: [u8; 8],
}

impl Seen {
    /// An integer field, as its 32 bits.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        let show = &self.fields.get(name)?.show;
        match show.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => show.parse::<i64>().ok().map(|number| number as u32),
        }
    }

    /// A text field without its padding.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|field| field.show.trim_end())
    }

    fn intended(&self) -> Option<Intended> {
        let luwid = u64::from_str_radix(&self.fields.get("mq.tsh.luwid")?.hex, 16).ok()?;
        Some(Intended {
            from_client: self.from_client,
            length: self.number("mq.tsh.seglength")?,
            segment_type: u8::try_from(self.number("mq.tsh.type")?).ok()?,
            flags1: u8::try_from(self.number("mq.tsh.cflags1")?).ok()?,
            flags2: u8::try_from(self.number("mq.tsh.cflags2")?).ok()?,
            luwid: luwid.to_be_bytes(),
        })
    }
}

/// Cuts a stream into segments by the length at offset 4 and nothing else.
pub(crate) fn intended(stream: &[u8], from_client: bool) -> Vec<Intended> {
    let mut rest = stream;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let at = stream.len() - rest.len();
        assert!(rest.len() >= 28, "{} bytes at offset {at} are no segment: {rest:02x?}", rest.len());
        let length = u32::from_be_bytes(rest[4..8].try_into().unwrap());
        assert!((28..=rest.len()).contains(&(length as usize)), "segment at offset {at} announces {length} bytes");
        found.push(Intended {
            from_client,
            length,
            segment_type: rest[9],
            flags1: rest[10],
            flags2: rest[11],
            luwid: rest[12..20].try_into().unwrap(),
        });
        rest = &rest[length as usize..];
    }
    found
}

/// Holds recorded conversations to this: tshark reads every segment of either direction as what its sender meant, in
/// order, without a mark. Gives what it saw. Conversations that were cut inside a segment do not belong here.
pub(crate) fn assert_reads_as_intended(conversations: &[Conversation]) -> Vec<Seen> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("conversation.pcap");
    std::fs::write(&file, pcap::write(conversations)).unwrap();
    let seen = read(&file);
    assert_seen_as_intended(conversations, &seen);
    seen
}

/// The same for what tshark has read already from a file with these conversations.
pub(crate) fn assert_seen_as_intended(conversations: &[Conversation], seen: &[Seen]) {
    for segment in seen {
        assert!(segment.marks.is_empty(), "packet {}: tshark says {:?}", segment.packet, segment.marks);
        // It knows no body of RESYNC_DATA, nor a later piece of a split message without an MSH.
        let later_piece = segment.number("mq.tsh.type") == Some(4) && segment.number("mq.tsh.tcf.first") == Some(0);
        let may_be_unknown = later_piece || segment.number("mq.tsh.type") == Some(2);
        assert!(segment.unknown.is_empty() || may_be_unknown, "packet {}: {segment:?}", segment.packet);
    }
    let mut total = 0;
    for conversation in conversations {
        let port = conversation.client_port;
        for from_client in [true, false] {
            let meant = intended(&conversation.stream(from_client), from_client);
            let read: Vec<_> =
                seen.iter().filter(|it| it.client_port == port && it.from_client == from_client).collect();
            for (place, (meant, read)) in meant.iter().zip(&read).enumerate() {
                let wrong = format!("conversation {port}, segment {place}, packet {}", read.packet);
                assert_eq!(read.intended().as_ref(), Some(meant), "{wrong}: {:?}", read.fields);
            }
            assert_eq!(read.len(), meant.len(), "conversation {port}, from client: {from_client}: segments");
            total += meant.len();
        }
    }
    assert_eq!(seen.len(), total, "segments that belong to no conversation");
}

/// All segments of a pcap file, in the order in which tshark completes them.
pub(crate) fn read(file: &Path) -> Vec<Seen> {
    // TCP reassembly on; the dissector's own joining of split messages off, for it would hide segments.
    read_as("mq", &["mq.desegment:TRUE", "mq.reassembly:FALSE"], file)
}

/// All frames of a pcap file, read as OpenWire, in which tshark knows versions up to 9.
pub(crate) fn read_openwire(file: &Path) -> Vec<Seen> {
    read_as("openwire", &["openwire.desegment:TRUE"], file)
}

fn read_as(protocol: &str, preferences: &[&str], file: &Path) -> Vec<Seen> {
    let decode_as = format!("tcp.port=={SERVER_PORT},{protocol}");
    let spawned = Command::new("tshark")
        .args(["-n", "-o", "tcp.desegment_tcp_streams:TRUE"])
        .args(preferences.iter().flat_map(|preference| ["-o", preference]))
        .args(["-d", &decode_as, "-T", "pdml", "-J", &format!("{protocol} _ws.malformed _ws.expert"), "-r"])
        .arg(file)
        .env("HOME", std::env::temp_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => panic!("tshark cannot be run ({error}): install it with: apt-get install tshark"),
    };
    let seen = parse(BufReader::new(child.stdout.take().unwrap()), protocol);
    let status = child.wait().unwrap();
    assert!(status.success(), "tshark on {} ended with {status}", file.display());
    seen
}

/// Reads tshark's PDML, an element a line: packets, in them protocols, in them fields within fields.
fn parse(from: impl BufRead, protocol: &str) -> Vec<Seen> {
    let mut seen = Vec::<Seen>::new();
    let (mut packet, mut ports, mut in_protocol) = (0, (0, 0), false);
    for line in from.split(b'\n') {
        let line = String::from_utf8_lossy(&line.expect("tshark's output is readable")).into_owned();
        let line = line.trim_start();
        let name = attribute(line, "name");
        if line.starts_with("<packet") {
            packet += 1;
        } else if line.starts_with("<proto ") {
            in_protocol = name == protocol;
            if name == "tcp" {
                ports = ports_of(&attribute(line, "showname"));
            }
            if in_protocol {
                seen.push(segment(packet, ports));
            }
        } else if !line.starts_with("<field ") {
            continue;
        }
        if name.starts_with("_ws.malformed") || name.starts_with("_ws.expert") {
            let mark = attribute(line, "showname");
            match seen.last_mut().filter(|segment| segment.packet == packet) {
                Some(segment) => segment.marks.push(mark),
                None => seen.push(Seen { marks: vec![mark], ..segment(packet, ports) }),
            }
        } else if in_protocol && line.starts_with("<field ") {
            let segment = seen.last_mut().expect("a field stands in its protocol");
            let show = attribute(line, "show");
            if !name.is_empty() {
                segment.fields.entry(name).or_insert_with(|| Field { show, hex: attribute(line, "value") });
            } else if show.starts_with("Unknown") {
                segment.unknown.push(show);
            }
        }
    }
    seen
}

fn segment(packet: u32, (from, to): (u16, u16)) -> Seen {
    let from_client = to == SERVER_PORT;
    let client_port = if from_client { from } else { to };
    Seen { packet, client_port, from_client, fields: BTreeMap::new(), marks: Vec::new(), unknown: Vec::new() }
}

/// `…, Src Port: 1414, Dst Port: 40000, …`
fn ports_of(showname: &str) -> (u16, u16) {
    let port = |label: &str| {
        let (_, rest) = showname.split_once(label).expect("tshark names the ports");
        rest.split(',').next().and_then(|number| number.trim().parse().ok()).expect("a port is a number")
    };
    (port("Src Port: "), port("Dst Port: "))
}

/// An attribute of the element on this line; empty if it has none of that name.
fn attribute(line: &str, name: &str) -> String {
    let Some((_, rest)) = line.split_once(&format!(" {name}=\"")) else { return String::new() };
    let value = rest.split('"').next().unwrap_or_default();
    let plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    plain.replace("&amp;", "&")
}
