//! Classic pcap, written and read: bytes of TCP conversations in made-up Ethernet, IPv4 and TCP.
//!
//! The sequence numbers are right, so that a dissector reassembles. The reader takes what the writer writes and
//! what `text2pcap` makes: Ethernet, IPv4, TCP, in order, nothing lost.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::HashMap;
use std::time::Duration;

/// Port of the answering side in every file that we write, IBM's default.
pub(crate) const SERVER_PORT: u16 = 1414;
const SERVER: [u8; 4] = [10, 2, 2, 2];
const CLIENT: [u8; 4] = [10, 1, 1, 1];
const FIRST_CLIENT_PORT: u16 = 40_000;
/// Payload of one packet: an IPv4 packet holds 65,535 bytes with its headers.
const MOST: usize = 60_000;

/// One TCP connection, from its first byte to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// Port of the side that connected, made up: 40,000 and a number. Tells the conversations of a file apart.
    pub(crate) client_port: u16,
    /// What went over it, in order of time.
    pub(crate) chunks: Vec<Chunk>,
}

/// Some bytes in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// When, since 1970 UTC; microseconds count.
    pub(crate) at: Duration,
    /// Whether the side that connected sent it.
    pub(crate) from_client: bool,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Conversation {
    /// An empty one, the so manieth of its file.
    pub(crate) fn number(number: usize) -> Self {
        let number = u16::try_from(number).expect("no file has so many conversations");
        Self { client_port: FIRST_CLIENT_PORT + number, chunks: Vec::new() }
    }

    /// All bytes of one direction.
    pub(crate) fn stream(&self, from_client: bool) -> Vec<u8> {
        self.chunks.iter().filter(|chunk| chunk.from_client == from_client).flat_map(|it| it.bytes.clone()).collect()
    }
}

const SYN: u8 = 0x02;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// A pcap file of these conversations, packets in order of time.
pub(crate) fn write(conversations: &[Conversation]) -> Vec<u8> {
    write_on(SERVER_PORT, conversations)
}

/// The same with another port of the answering side; [`read`] takes only IBM's.
pub(crate) fn write_on(server_port: u16, conversations: &[Conversation]) -> Vec<u8> {
    let mut packets: Vec<(Duration, Vec<u8>)> = Vec::new();
    for conversation in conversations {
        let Some(first) = conversation.chunks.first().map(|chunk| chunk.at) else { continue };
        let last = conversation.chunks.last().map_or(first, |chunk| chunk.at);
        let port = conversation.client_port;
        // Next sequence number of the client, of the server.
        let mut next = [1000_u32, 2000];
        let mut send = |at: Duration, from_client: bool, flags: u8, payload: &[u8]| {
            let (own, other) = if from_client { (0, 1) } else { (1, 0) };
            let acknowledged = if flags & ACK == 0 { 0 } else { next[other] };
            packets.push((at, packet((port, server_port), from_client, flags, next[own], acknowledged, payload)));
            let counted = payload.len() + usize::from(flags & (SYN | FIN) != 0);
            next[own] = next[own].wrapping_add(u32::try_from(counted).unwrap());
        };
        send(first, true, SYN, &[]);
        send(first, false, SYN | ACK, &[]);
        send(first, true, ACK, &[]);
        for chunk in &conversation.chunks {
            for part in chunk.bytes.chunks(MOST) {
                send(chunk.at, chunk.from_client, PSH | ACK, part);
            }
        }
        send(last, true, FIN | ACK, &[]);
        send(last, false, FIN | ACK, &[]);
    }
    packets.sort_by_key(|(at, _)| *at);
    let mut file = Vec::new();
    file.extend(0xA1B2_C3D4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(262_144_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for (at, bytes) in packets {
        let length = u32::try_from(bytes.len()).unwrap();
        file.extend(u32::try_from(at.as_secs()).unwrap_or(u32::MAX).to_le_bytes());
        file.extend(at.subsec_micros().to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(bytes);
    }
    file
}

fn packet(
    (client_port, server_port): (u16, u16),
    from_client: bool,
    flags: u8,
    sequence: u32,
    acknowledged: u32,
    payload: &[u8],
) -> Vec<u8> {
    let (client, server) = ((CLIENT, client_port), (SERVER, server_port));
    let (from, to) = if from_client { (client, server) } else { (server, client) };
    let mut tcp = Vec::with_capacity(20 + payload.len());
    tcp.extend(from.1.to_be_bytes());
    tcp.extend(to.1.to_be_bytes());
    tcp.extend(sequence.to_be_bytes());
    tcp.extend(acknowledged.to_be_bytes());
    tcp.extend([0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    tcp.extend(payload);
    let tcp_length = u16::try_from(tcp.len()).expect("split before");
    let mut pseudo = Vec::with_capacity(12 + tcp.len());
    pseudo.extend(from.0);
    pseudo.extend(to.0);
    pseudo.extend([0, 6]);
    pseudo.extend(tcp_length.to_be_bytes());
    pseudo.extend(&tcp);
    tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());

    let mut ip = vec![0x45, 0];
    ip.extend((20 + tcp_length).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    ip.extend(from.0);
    ip.extend(to.0);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());

    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend(ip);
    frame.extend(tcp);
    frame
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |it| u32::from(*it))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// Reads such a file: conversations in order of their first packet. The side with port 1414 is the server.
pub(crate) fn read(file: &[u8]) -> Result<Vec<Conversation>, String> {
    let u32_at = |bytes: &[u8], at: usize| bytes.get(at..at + 4).map(|it| u32::from_le_bytes(it.try_into().unwrap()));
    if u32_at(file, 0) != Some(0xA1B2_C3D4) {
        return Err("not a little-endian classic pcap with microseconds (convert with: editcap -F pcap)".into());
    }
    if u32_at(file, 20) != Some(1) {
        return Err("link type is not Ethernet (1)".into());
    }
    let mut conversations: Vec<Conversation> = Vec::new();
    let mut expected: HashMap<(u16, bool), u32> = HashMap::new();
    let (mut at, mut number) = (24, 0);
    while at < file.len() {
        number += 1;
        let wrong = |what: &str| format!("packet {number} at offset {at}: {what}");
        let header = file.get(at..at + 16).ok_or_else(|| wrong("its header is cut off"))?;
        let (seconds, micros) = (u32_at(header, 0).unwrap(), u32_at(header, 4).unwrap());
        let length = u32_at(header, 8).unwrap();
        if u32_at(header, 12) != Some(length) {
            return Err(wrong("was not captured whole"));
        }
        let end = at + 16 + length as usize;
        let frame = file.get(at + 16..end).ok_or_else(|| wrong("is cut off"))?;
        let Packet { from, to, sequence, flags, payload } =
            tcp_packet(frame).ok_or_else(|| wrong("is not Ethernet, IPv4 and TCP"))?;
        let (client, from_client) = match (from, to) {
            (client, SERVER_PORT) => (client, true),
            (SERVER_PORT, client) => (client, false),
            _ => return Err(wrong("neither side has port 1414")),
        };
        let place = conversations.iter().position(|it| it.client_port == client).unwrap_or_else(|| {
            conversations.push(Conversation { client_port: client, chunks: Vec::new() });
            conversations.len() - 1
        });
        let next = expected.entry((client, from_client)).or_insert(sequence);
        if *next != sequence {
            return Err(wrong(&format!(
                "sequence number is {sequence}, expected {next}: packets are lost or repeated"
            )));
        }
        let counted = payload.len() + usize::from(flags & (SYN | FIN) != 0);
        *next = sequence.wrapping_add(u32::try_from(counted).unwrap());
        if !payload.is_empty() {
            let at = Duration::new(seconds.into(), micros.saturating_mul(1000));
            conversations[place].chunks.push(Chunk { at, from_client, bytes: payload.to_vec() });
        }
        at = end;
    }
    Ok(conversations)
}

/// What matters of a TCP packet.
struct Packet<'a> {
    from: u16,
    to: u16,
    sequence: u32,
    flags: u8,
    payload: &'a [u8],
}

/// The TCP packet in an Ethernet frame; none if it is something else, or cut off.
fn tcp_packet(frame: &[u8]) -> Option<Packet<'_>> {
    let ip = frame.get(14..)?;
    if frame.get(12..14)? != [8, 0] || ip.first()? >> 4 != 4 || *ip.get(9)? != 6 {
        return None;
    }
    let total = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
    let tcp = ip.get(usize::from(ip.first()? & 0xF) * 4..total)?;
    let port = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
    Some(Packet {
        from: port(0)?,
        to: port(2)?,
        sequence: u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?),
        flags: *tcp.get(13)?,
        payload: tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?,
    })
}
