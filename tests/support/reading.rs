//! What our own `wire` and `message` read in a recorded conversation, in Wireshark's names for the fields, so that
//! the two readings can be laid side by side.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use bytes::{Bytes, BytesMut};
use mqferry::message::Envelope;
use mqferry::wire::{Alphabet, ByteOrder, ControlFlags1, Deframer, Msh, Segment, SegmentType};

use super::pcap::Conversation;
use super::tshark::Seen;

/// One segment as we read it.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    pub(crate) client_port: u16,
    pub(crate) from_client: bool,
    pub(crate) segment: Segment,
    /// What Wireshark has a field for, under its name.
    pub(crate) fields: Vec<(&'static str, Known)>,
}

/// A value that both readings must agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Number(u32),
    Text(String),
    Hex(String),
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{}", *number as i32),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Hex(hex) => f.write_str(hex),
        }
    }
}

/// All segments of these conversations, in the order in which they become whole.
///
/// # Panics
/// When they do not come apart, or do not re-encode to the same bytes.
pub(crate) fn segments(conversations: &[Conversation]) -> Vec<Ours> {
    let mut pieces: Vec<_> =
        conversations.iter().flat_map(|it| it.chunks.iter().map(move |chunk| (it.client_port, chunk))).collect();
    pieces.sort_by_key(|(_, chunk)| chunk.at);
    let mut buffers: BTreeMap<(u16, bool), BytesMut> = BTreeMap::new();
    let mut deframer = Deframer::new(128 << 20);
    let mut found = Vec::new();
    for (client_port, chunk) in pieces {
        let buffer = buffers.entry((client_port, chunk.from_client)).or_default();
        buffer.extend_from_slice(&chunk.bytes);
        loop {
            let before = buffer.clone();
            let Some(segment) = deframer.next(buffer).unwrap_or_else(|error| panic!("port {client_port}: {error}"))
            else {
                break;
            };
            assert_eq!(segment.encode(), &before[..segment.len()], "re-encoding {:?}", segment.tsh);
            assert_eq!(body_again(&segment), segment.body, "re-encoding the body of {:?}", segment.tsh);
            let fields = known(&segment);
            found.push(Ours { client_port, from_client: chunk.from_client, segment, fields });
        }
    }
    for ((port, from_client), rest) in buffers {
        assert!(rest.is_empty(), "port {port}, from client {from_client}: {} bytes of a cut segment", rest.len());
    }
    found
}

/// The body, parsed and emitted.
fn body_again(segment: &Segment) -> Bytes {
    let (order, alphabet) = (segment.tsh.byte_order, segment.tsh.alphabet);
    match segment.tsh.segment_type {
        SegmentType::INITIAL_DATA => segment.initial_data().expect("ID").encode(order, alphabet),
        SegmentType::RESYNC_DATA | SegmentType::RESET_DATA => segment.reset().expect("reset").encode(order),
        SegmentType::STATUS_DATA => segment.status().expect("status").encode(order),
        SegmentType::PING_DATA => segment.ping().expect("ping").encode(order),
        SegmentType::MESSAGE_DATA if Msh::looks_like(&segment.body) => {
            let (msh, rest) = segment.msh().expect("MSH");
            let mut out = msh.encode(order, alphabet).to_vec();
            match segment.tsh.flags1.contains(ControlFlags1::FIRST) {
                true => out.extend(envelope(segment, rest).encode()),
                false => out.extend(rest),
            }
            out.into()
        }
        _ => segment.body.clone(),
    }
}

fn envelope(segment: &Segment, message: Bytes) -> Envelope {
    let read = Envelope::parse(vec![message], segment.tsh.byte_order, segment.tsh.ccsid.into());
    read.unwrap_or_else(|broken| panic!("first segment of a message: {:?}", broken.malformed))
}

fn known(segment: &Segment) -> Vec<(&'static str, Known)> {
    let tsh = &segment.tsh;
    let number = |name, value: i32| (name, Known::Number(value as u32));
    let flags = |name, bits: u8| (name, Known::Number(bits.into()));
    let text = |name, value: String| (name, Known::Text(value));
    let mut fields = vec![
        (
            "mq.tsh.structid",
            Known::Text(String::from(match tsh.kind {
                mqferry::wire::tsh::TshKind::Plain => "TSH",
                mqferry::wire::tsh::TshKind::Multiplexed { .. } => "TSHM",
                mqferry::wire::tsh::TshKind::Common => "TSHC",
            })),
        ),
        ("mq.tsh.seglength", Known::Number(u32::try_from(segment.len()).unwrap())),
        flags("mq.tsh.byteorder", if tsh.byte_order == ByteOrder::Big { 1 } else { 2 }),
        flags("mq.tsh.type", tsh.segment_type.0),
        flags("mq.tsh.cflags1", tsh.flags1.bits()),
        flags("mq.tsh.cflags2", tsh.flags2.bits()),
        ("mq.tsh.luwid", Known::Hex(tsh.luwid.to_string().to_lowercase())),
        number("mq.tsh.encoding", tsh.encoding),
        number("mq.tsh.ccsid", i32::from(tsh.ccsid)),
        number("mq.tsh.reserved", i32::from(tsh.reserved)),
    ];
    match tsh.segment_type {
        SegmentType::INITIAL_DATA => {
            let id = segment.initial_data().expect("ID");
            fields.extend([
                flags("mq.id.faplevel", id.fap_level),
                flags("mq.id.cflags", id.cap_flags1.bits()),
                flags("mq.id.ecflags", id.ecap_flags1.bits()),
                flags("mq.id.inierrflg1", id.err_flags1.bits()),
                number("mq.id.maxmsgbatch", id.max_msg_per_batch.into()),
                number("mq.id.maxtrsize", id.max_transmission_size),
                number("mq.id.maxmsgsize", id.max_msg_size),
                number("mq.id.seqwrap", id.seq_wrap),
                text("mq.id.channelname", id.channel_name.text()),
            ]);
            if let Some(fap4) = &id.fap4 {
                fields.extend([
                    flags("mq.id.cflags2", fap4.cap_flags2.bits()),
                    flags("mq.id.ecflags2", fap4.ecap_flags2.bits()),
                    number("mq.id.ccsid", fap4.ccsid.into()),
                    text("mq.id.qm", fap4.qmgr_name.text()),
                    number("mq.id.hbint", fap4.heartbeat_interval),
                    number("mq.id.efllength", fap4.efl_length.into()),
                ]);
            }
            if let Some(fap9) = &id.fap9 {
                fields.extend([
                    flags("mq.id.inierrflg2", fap9.err_flags2.bits()),
                    ("mq.id.hdrcprslst", Known::Hex(hex(&fap9.hdr_comp_list))),
                    ("mq.id.msgcprslst", Known::Hex(hex(&fap9.msg_comp_list))),
                    number("mq.id.sslkeyrst", fap9.ssl_key_reset),
                    number("mq.id.convbyskt", fap9.conv_per_socket),
                    flags("mq.id.cflags3", fap9.cap_flags3.bits()),
                    flags("mq.id.ecflags3", fap9.ecap_flags3.bits()),
                    number("mq.id.processid", fap9.process_id),
                    number("mq.id.threadid", fap9.thread_id),
                    number("mq.id.traceid", fap9.trace_id),
                    text("mq.id.prodid", fap9.product_id.text()),
                    text("mq.id.mqmid", fap9.qmgr_id.text()),
                ]);
            }
            if let Some(fap11) = &id.fap11 {
                fields.extend([("mq.id.pal", Known::Hex(hex(&fap11.pal))), ("mq.id.r", Known::Hex(hex(&fap11.nonce)))]);
            }
        }
        SegmentType::STATUS_DATA => {
            let status = segment.status().expect("status");
            if let Some(code) = status.code {
                let length = 8 + 4 * u32::try_from(status.values.len()).unwrap();
                fields.extend([("mq.status.length", Known::Number(length)), ("mq.status.code", Known::Number(code.0))]);
                fields.extend(status.values.first().map(|value| number("mq.status.value", *value)));
            }
        }
        SegmentType::RESET_DATA => {
            fields.push(number("mq.reset.seqnum", segment.reset().expect("reset").sequence));
        }
        SegmentType::PING_DATA => {
            fields.push(("mq.ping.length", Known::Number(u32::try_from(segment.body.len() - 4).unwrap())));
        }
        SegmentType::MESSAGE_DATA if Msh::looks_like(&segment.body) => {
            let (msh, rest) = segment.msh().expect("MSH");
            fields.extend([
                number("mq.msh.seqnum", msh.sequence),
                number("mq.msh.buflength", msh.data_length),
                number("mq.msh.unknown1", msh.segment_number),
                number("mq.msh.msglength", msh.message_length),
            ]);
            if tsh.flags1.contains(ControlFlags1::FIRST) {
                let envelope = envelope(segment, rest);
                let (coding, md) = (envelope.coding, &envelope.md);
                let xqh = envelope.xqh.as_ref().expect("an XQH opens every message on a channel");
                fields.extend([
                    text("mq.xqh.remoteq", xqh.remote_q_name.text(coding)),
                    text("mq.xqh.remoteqmgr", xqh.remote_q_mgr_name.text(coding)),
                    number("mq.md.report", md.report),
                    number("mq.md.msgtype", md.msg_type),
                    number("mq.md.expiry", md.expiry),
                    number("mq.md.feedback", md.feedback),
                    number("mq.md.encoding", md.encoding),
                    number("mq.md.ccsid", md.coded_char_set_id),
                    text("mq.md.format", md.format.text(coding)),
                    number("mq.md.priority", md.priority),
                    number("mq.md.persistence", md.persistence),
                    ("mq.md.msgid", Known::Hex(hex(&md.msg_id))),
                    ("mq.md.correlid", Known::Hex(hex(&md.correl_id))),
                    number("mq.md.backount", md.backout_count),
                    text("mq.md.replytoq", md.reply_to_q.text(coding)),
                    text("mq.md.replytoqmgr", md.reply_to_q_mgr.text(coding)),
                    text("mq.md.userid", md.user_identifier.text(coding)),
                    text("mq.md.applname", md.put_appl_name.text(coding)),
                    text("mq.md.date", md.put_date.text(coding)),
                    text("mq.md.time", md.put_time.text(coding)),
                ]);
            }
        }
        _ => {}
    }
    fields
}

/// Lays our reading beside tshark's of the same bytes: same segments, same fields, same values.
pub(crate) fn assert_agree(ours: &[Ours], theirs: &[Seen]) {
    assert_eq!(ours.len(), theirs.len(), "number of segments, ours and tshark's");
    for (place, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let here = format!("segment {} (packet {})", place + 1, their.packet);
        assert_eq!((our.client_port, our.from_client), (their.client_port, their.from_client), "{here}: direction");
        for (name, value) in &our.fields {
            let found = match value {
                Known::Number(_) => their.number(name).map(Known::Number),
                Known::Text(_) => their.text(name).map(|text| Known::Text(text.to_owned())),
                Known::Hex(_) => their.fields.get(*name).map(|field| Known::Hex(field.hex.clone())),
            };
            // CCSID is a signed short in the dissector.
            let found = match (name.ends_with("ccsid"), found) {
                (true, Some(Known::Number(number))) if !name.starts_with("mq.md") => {
                    Some(Known::Number(number & 0xFFFF))
                }
                (_, found) => found,
            };
            assert_eq!(found.as_ref(), Some(value), "{here}: {name}, tshark's and ours");
        }
        for section in ["mq.msh.seqnum", "mq.xqh.remoteq", "mq.id.faplevel", "mq.id.qm", "mq.id.processid", "mq.id.pal"]
            .into_iter()
            .chain(["mq.status.code", "mq.status.value", "mq.reset.seqnum", "mq.ping.length"])
        {
            let ours_has = our.fields.iter().any(|(name, _)| *name == section);
            assert_eq!(their.fields.contains_key(section), ours_has, "{here}: whether {section} is there");
        }
    }
}

/// The conversations as a person reads them: a line a segment, then its fields, those that are zero or blank left out.
pub(crate) fn text(ours: &[Ours]) -> String {
    let mut out = String::new();
    let several = ours.iter().any(|it| it.client_port != ours[0].client_port);
    for (place, our) in ours.iter().enumerate() {
        let Ours { client_port, from_client, segment, fields } = our;
        let tsh = &segment.tsh;
        let direction = if *from_client { "->" } else { "<-" };
        let order = if tsh.byte_order == ByteOrder::Big { "big-endian" } else { "little-endian" };
        let alphabet = if tsh.alphabet == Alphabet::Ascii { "ASCII" } else { "EBCDIC" };
        write!(out, "{:>4} ", place + 1).unwrap();
        if several {
            write!(out, "{client_port} ").unwrap();
        }
        write!(out, "{direction} {} {} bytes, {}", tsh.segment_type, segment.len(), tsh.flags1).unwrap();
        if !tsh.flags2.is_empty() {
            write!(out, " / {}", tsh.flags2).unwrap();
        }
        writeln!(out, ", {order} {alphabet}, LUWID {}", tsh.luwid).unwrap();
        let shown: Vec<_> = fields
            .iter()
            .filter(|(name, _)| !name.starts_with("mq.tsh.") || matches!(*name, "mq.tsh.encoding" | "mq.tsh.ccsid"))
            .filter(|(_, value)| !matches!(value, Known::Number(0)) && *value != Known::Text(String::new()))
            .map(|(name, value)| format!("{}={value}", name.trim_start_matches("mq.")))
            .collect();
        writeln!(out, "       {}", shown.join(" ")).unwrap();
        match tsh.segment_type {
            SegmentType::STATUS_DATA => writeln!(out, "       {}", segment.status().expect("status")).unwrap(),
            SegmentType::RESYNC_DATA => {
                writeln!(out, "       sequence={}", segment.reset().expect("reset").sequence).unwrap();
            }
            SegmentType::MESSAGE_DATA => {
                let from = if Msh::looks_like(&segment.body) { Msh::LENGTH } else { 0 };
                let rest = segment.body.slice(from..);
                let tail = rest.slice(rest.len().saturating_sub(16)..);
                writeln!(out, "       {} bytes of message, the last {}", rest.len(), hex(&tail)).unwrap();
            }
            _ => {}
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
