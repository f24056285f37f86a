//! The simulated queue manager against a receiver that is nothing but a script: what it sends, in every way that it can,
//! and that it survives each of its deaths. In `pair`, `taking` and those beside them: both halves of it against each other.

#[path = "partner/dying.rs"]
mod dying;
#[path = "partner/manners.rs"]
mod manners;
#[path = "partner/pair.rs"]
mod pair;
#[path = "support/pcap.rs"]
mod pcap;
#[path = "support/receiving.rs"]
mod receiving;
#[path = "support/relay.rs"]
mod relay;
#[path = "partner/rules.rs"]
mod rules;
#[path = "partner/taking.rs"]
mod taking;
#[path = "support/tshark.rs"]
mod tshark;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqferry::partner::{
    Close, ConfirmRequest, DataLength, Death, LuwidStyle, Options, PartnerError, ResetNumber, Resync, ResyncBody,
    ResyncCarrier, Speech, Step, generator, transmission,
};
use mqferry::wire::{
    Alphabet, ByteOrder, CapFlags2, ControlFlags1, Deframer, ErrFlags1, Luwid, Msh, Reset, Segment, SegmentType,
    Status, StatusCode, Tsh,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CHANNEL: &str = "QM1.TO.GW";

/// What the scripted receiver does besides taking messages.
#[derive(Clone, Debug, Default)]
struct Script {
    /// Counter-proposal: transmission size, batch size.
    counter: Option<(i32, u16)>,
    /// Answers the n-th confirm request, from 1, with this status instead of committing.
    refuse: Option<(u32, Status)>,
    /// Commits at the n-th request, but closes instead of answering.
    silent: Option<u32>,
    /// Answers with REQUEST_CLOSE after this many batches of a connection.
    close_after: Option<u32>,
    /// Flags of confirmations.
    confirm_flags: ControlFlags1,
}

/// What the receiver has, as a queue manager would.
#[derive(Debug, Default)]
struct Store {
    sequence: i32,
    luwid: Luwid,
    numbers: Vec<u64>,
    requests: u32,
    heartbeats: u32,
    /// Every kind of segment that came, with its flags.
    seen: BTreeSet<(u8, u8)>,
    goodbye: Vec<String>,
}

struct Receiver {
    address: String,
    store: Arc<Mutex<Store>>,
}

/// Starts a receiver that lives as long as the test's runtime.
async fn receiver(script: Script) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let store = Arc::new(Mutex::new(Store::default()));
    let shared = Arc::clone(&store);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, &script, &shared).await;
        }
    });
    Receiver { address, store }
}

struct Line {
    stream: TcpStream,
    read: BytesMut,
    deframer: Deframer,
}

impl Line {
    async fn next(&mut self) -> Option<Segment> {
        loop {
            if let Some(segment) = self.deframer.next(&mut self.read).unwrap() {
                return Some(segment);
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn say(&mut self, segment_type: SegmentType, flags: ControlFlags1, luwid: Luwid, body: Bytes) {
        let tsh = Tsh::new(segment_type).with_flags(flags).with_luwid(luwid);
        let _ = self.stream.write_all(&Segment::new(tsh, body).encode()).await;
    }
}

async fn serve(stream: TcpStream, script: &Script, store: &Mutex<Store>) {
    let mut line = Line { stream, read: BytesMut::new(), deframer: Deframer::new(1 << 20) };
    let none = ControlFlags1::empty();
    let order = ByteOrder::Big;
    // The handshake.
    let mut countered = false;
    let limit = loop {
        let Some(segment) = line.next().await else { return };
        assert_eq!(segment.tsh.segment_type, SegmentType::INITIAL_DATA);
        let mut id = segment.initial_data().unwrap();
        assert_eq!(id.channel_name, CHANNEL);
        if let Some((size, batch)) = script.counter.filter(|_| !countered) {
            countered = true;
            id.err_flags1 = ErrFlags1::MAX_TRANSMISSION_SIZE | ErrFlags1::MAX_MSG_PER_BATCH;
            (id.max_transmission_size, id.max_msg_per_batch) = (size, batch);
            if let Some(fap4) = &mut id.fap4 {
                fap4.ecap_flags2 = CapFlags2::FAST_MESSAGES_REQUIRED;
            }
            let body = id.encode(order, Alphabet::Ascii);
            line.say(SegmentType::INITIAL_DATA, ControlFlags1::ERROR, Luwid::ZERO, body).await;
            continue;
        }
        let body = id.encode(order, Alphabet::Ascii);
        line.say(SegmentType::INITIAL_DATA, none, Luwid::ZERO, body).await;
        break usize::try_from(id.max_transmission_size).unwrap();
    };
    // Messages.
    let mut open: Vec<u64> = Vec::new();
    let (mut sequence, mut batches) = (store.lock().unwrap().sequence, 0);
    let mut message: Vec<u8> = Vec::new();
    while let Some(segment) = line.next().await {
        assert!(segment.len() <= limit, "a segment of {} bytes", segment.len());
        let (kind, flags, luwid) = (segment.tsh.segment_type, segment.tsh.flags1, segment.tsh.luwid);
        store.lock().unwrap().seen.insert((kind.0, flags.bits()));
        let asks = flags.contains(ControlFlags1::CONFIRM_REQUEST);
        match kind {
            SegmentType::MESSAGE_DATA if !segment.body.is_empty() => {
                if flags.contains(ControlFlags1::FIRST) {
                    let (msh, rest) = segment.msh().unwrap();
                    if msh.sequence != sequence + 1 {
                        let status = Status::with_value(StatusCode::MSG_SEQUENCE_ERROR, sequence + 1);
                        let flags = ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL;
                        line.say(SegmentType::STATUS_DATA, flags, luwid, status.encode(order)).await;
                        return;
                    }
                    sequence += 1;
                    message = rest.to_vec();
                } else {
                    let skip = if Msh::looks_like(&segment.body) { Msh::LENGTH } else { 0 };
                    message.extend(&segment.body[skip..]);
                }
                if flags.contains(ControlFlags1::LAST) {
                    let form = (segment.tsh.byte_order, segment.tsh.alphabet);
                    assert_eq!(transmission::form_of(&message), Some(form));
                    transmission::rewrite(&mut message, form, transmission::KEPT);
                    assert!(message[8..56].starts_with(b"TARGET  "));
                    let number = generator::number_of(&message[transmission::HEADER_LENGTH..]).unwrap();
                    assert_eq!(message[152..176], generator::msg_id(number));
                    open.push(number);
                }
            }
            SegmentType::RESET_DATA => {
                sequence = segment.reset().unwrap().sequence - 1;
                store.lock().unwrap().sequence = sequence;
            }
            SegmentType::PING_DATA => line.say(kind, none, luwid, segment.ping().unwrap().encode(order)).await,
            _ => {}
        }
        if !asks {
            if flags.contains(ControlFlags1::CLOSE_CHANNEL) {
                let text = segment.status().unwrap().to_string();
                store.lock().unwrap().goodbye.push(text);
            }
            continue;
        }
        if open.is_empty() && (luwid.is_zero() || kind == SegmentType::HEARTBEAT) {
            store.lock().unwrap().heartbeats += u32::from(kind == SegmentType::HEARTBEAT);
            let answer = if kind == SegmentType::HEARTBEAT { kind } else { SegmentType::STATUS_DATA };
            line.say(answer, none, luwid, Bytes::new()).await;
            continue;
        }
        if open.is_empty() {
            let (luwid, number) = {
                let store = store.lock().unwrap();
                (store.luwid, store.sequence)
            };
            let body = match kind {
                SegmentType::RESYNC_DATA => Reset::new(number).encode(order),
                _ => Status::OK.encode(order),
            };
            line.say(kind, none, luwid, body).await;
            continue;
        }
        let request = {
            let mut store = store.lock().unwrap();
            store.requests += 1;
            store.requests
        };
        if let Some((_, status)) = script.refuse.as_ref().filter(|(nth, _)| *nth == request) {
            let flags = ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL;
            line.say(SegmentType::STATUS_DATA, flags, luwid, status.encode(order)).await;
            return;
        }
        {
            let mut store = store.lock().unwrap();
            store.numbers.append(&mut open);
            (store.sequence, store.luwid) = (sequence, luwid);
        }
        batches += 1;
        if script.silent == Some(request) {
            return;
        }
        let mut flags = script.confirm_flags;
        flags.set(ControlFlags1::REQUEST_CLOSE, script.close_after == Some(batches));
        let answer = if kind == SegmentType::MESSAGE_DATA { SegmentType::STATUS_DATA } else { kind };
        let body = match answer {
            SegmentType::RESYNC_DATA => Reset::new(sequence).encode(order),
            _ => Bytes::new(),
        };
        line.say(answer, flags, luwid, body).await;
    }
}

fn options(receiver: &Receiver, folder: &Path, messages: u64) -> Options {
    generator::Numbered { size: 3000, ..generator::Numbered::new(messages, "TARGET", "GW") }.put(folder).unwrap();
    Options {
        batchsz: 10,
        retry_delay: Duration::from_millis(5),
        retries: 50,
        answer_timeout: Duration::from_secs(10),
        fsync: false,
        ..Options::new(&receiver.address, CHANNEL, folder)
    }
}

fn assert_all(receiver: &Receiver, messages: u64) {
    let numbers = &receiver.store.lock().unwrap().numbers;
    assert!(numbers.iter().copied().eq(1..=messages), "{numbers:?}");
}

#[tokio::test]
async fn a_queue_empties_in_order() {
    let receiver = receiver(Script::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let report = mqferry::partner::run(&options(&receiver, folder.path(), 205)).await.unwrap();
    assert_all(&receiver, 205);
    assert_eq!((report.confirmed, report.sent, report.batches, report.connections), (205, 205, 21, 1));
    assert_eq!(report.sequence, 205);
    let store = receiver.store.lock().unwrap();
    assert_eq!(store.luwid, report.luwid);
    assert_eq!(store.goodbye, ["OK (0)"]);
    let message = SegmentType::MESSAGE_DATA.0;
    assert!(store.seen.contains(&(message, 0x30)) && store.seen.contains(&(message, 0x31)));
    assert!(!store.seen.contains(&(SegmentType::RESYNC_DATA.0, 0x01)));
}

#[tokio::test]
async fn every_habit_is_understood() {
    let base = Speech::default();
    let speeches = vec![
        Speech { confirm: ConfirmRequest::StatusData, ..base.clone() },
        Speech { confirm: ConfirmRequest::StatusData, confirm_body: true, ..base.clone() },
        Speech { confirm: ConfirmRequest::ResyncData, ..base.clone() },
        Speech { confirm: ConfirmRequest::EmptyMessageData, ..base.clone() },
        Speech { confirm: ConfirmRequest::Heartbeat, ..base.clone() },
        Speech { continuation_msh: false, ..base.clone() },
        Speech { data_length: DataLength::BufferSize, total_in_continuations: false, ..base.clone() },
        Speech { data_length: DataLength::Offset, first_segment_number: 1, unsplit_segment_number: 1, ..base.clone() },
        Speech { first_last_everywhere: true, initial_data_flags: 0x31, ..base.clone() },
        Speech { resync: Resync::EachStart, resync_body: ResyncBody::Empty, ..base.clone() },
        Speech { resync: Resync::WithHistory, resync_body: ResyncBody::NumberLuwid, ..base.clone() },
        Speech { resync: Resync::EachStart, resync_carrier: ResyncCarrier::StatusData, ..base.clone() },
        Speech { luwid: LuwidStyle::TimeOfDay, close: Close::StatusTimeout, ..base.clone() },
        Speech { close: Close::Connection, fast_messages: false, distribution_lists: false, ..base },
    ];
    for speech in speeches {
        for size in [1000, 32766] {
            let receiver = receiver(Script { silent: Some(2), ..Script::default() }).await;
            let folder = tempfile::tempdir().unwrap();
            let speech = Speech { max_transmission_size: size, ..speech.clone() };
            let options = Options { speech, ..options(&receiver, folder.path(), 25) };
            let report = mqferry::partner::run(&options).await.unwrap_or_else(|e| panic!("{e} for {options:?}"));
            assert_all(&receiver, 25);
            assert_eq!((report.connections, report.resync_committed, report.sent), (2, 1, 25), "{:?}", options.speech);
        }
    }
}

#[tokio::test]
async fn a_counter_proposal_is_taken_up() {
    let receiver = receiver(Script { counter: Some((700, 3)), ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let report = mqferry::partner::run(&options(&receiver, folder.path(), 10)).await.unwrap();
    assert_all(&receiver, 10);
    let agreed = report.agreed.unwrap();
    assert_eq!((agreed.max_transmission_size, agreed.batchsz, agreed.fast_messages), (700, 3, false));
    assert_eq!((report.counter_proposals, report.batches), (1, 4));
}

#[tokio::test]
async fn each_death_is_survived_once_and_only_once() {
    use Step::*;
    for step in [
        AfterInitialData,
        MidSegment,
        BetweenMessages,
        ConfirmRequestSent,
        ConfirmHalfRead,
        ConfirmNotStored,
        ConfirmStored,
    ] {
        for old_luwid in [false, true] {
            let receiver = receiver(Script::default()).await;
            let folder = tempfile::tempdir().unwrap();
            let mut options = options(&receiver, folder.path(), 45);
            options.speech.resend_under_old_luwid = old_luwid;
            let after = if step == AfterInitialData { 0 } else { 2 };
            options.die_at = Some(Death { step, after, abort: false });
            let died = mqferry::partner::run(&options).await.unwrap_err();
            assert!(matches!(died, PartnerError::Died(at) if at == step), "{died}");
            options.die_at = None;
            options.first_batchsz = Some(4);
            mqferry::partner::run(&options).await.unwrap_or_else(|e| panic!("{e} after {step:?}"));
            assert_all(&receiver, 45);
        }
    }
}

#[tokio::test]
async fn a_refused_batch_is_backed_out_and_sent_again() {
    for code in [StatusCode::BATCH_FAILURE, StatusCode::CAN_NOT_STORE, StatusCode::QM_UNAVAILABLE] {
        let receiver = receiver(Script { refuse: Some((2, Status::new(code))), ..Script::default() }).await;
        let folder = tempfile::tempdir().unwrap();
        let report = mqferry::partner::run(&options(&receiver, folder.path(), 30)).await.unwrap();
        assert_all(&receiver, 30);
        let asked = u64::from(code == StatusCode::QM_UNAVAILABLE); // that one does not say what became of the batch
        assert_eq!((report.sent, report.connections, report.resync_backed_out), (40, 2, asked), "{code}");
    }
}

#[tokio::test]
async fn a_sequence_error_stops_it_with_both_numbers() {
    let receiver = receiver(Script::default()).await;
    receiver.store.lock().unwrap().sequence = 41;
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&receiver, folder.path(), 20);
    let error = mqferry::partner::run(&options).await.unwrap_err();
    assert!(matches!(error, PartnerError::SequenceMismatch { ours: 1, expected: Some(42) }), "{error}");
    assert!(error.to_string().contains("number 1 has been sent when 42 was expected"), "{error}");
    // RESET CHANNEL at the sender repairs it.
    options.reset = Some(100);
    let report = mqferry::partner::run(&options).await.unwrap();
    assert_eq!((report.sequence, options.speech.reset_number), (119, ResetNumber::Next));
    assert_all(&receiver, 20);
}

#[tokio::test]
async fn refusals_that_no_retry_helps_end_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut line = Line { stream, read: BytesMut::new(), deframer: Deframer::new(1000) };
            line.next().await.unwrap();
            let body = Status::new(StatusCode::NO_CHANNEL).encode(ByteOrder::Big);
            line.say(SegmentType::STATUS_DATA, ControlFlags1::ERROR, Luwid::ZERO, body).await;
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let error = mqferry::partner::run(&Options::new(address, CHANNEL, folder.path())).await.unwrap_err();
    assert_eq!(error.to_string(), "the partner answered NO_CHANNEL (1, AMQ9520) to initial data");
}

#[tokio::test]
async fn it_ends_when_asked_and_comes_back() {
    let script = Script { close_after: Some(1), confirm_flags: ControlFlags1::DLQ_USED, ..Script::default() };
    let receiver = receiver(script).await;
    let folder = tempfile::tempdir().unwrap();
    let report = mqferry::partner::run(&options(&receiver, folder.path(), 30)).await.unwrap();
    assert_all(&receiver, 30);
    assert_eq!((report.connections, report.close_requests, report.dlq_used), (3, 3, 3));
}

#[tokio::test]
async fn an_idle_channel_beats_and_a_ping_comes_back() {
    let receiver = receiver(Script::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let options = Options { hbint: 1, discint: Duration::from_millis(1300), ..options(&receiver, folder.path(), 1) };
    let report = mqferry::partner::run(&options).await.unwrap();
    assert_eq!((report.heartbeats, receiver.store.lock().unwrap().heartbeats), (1, 1));
    mqferry::partner::ping(&options, 64).await.unwrap();
}

/// The receiving queue manager, when this program is started as one.
#[test]
fn child_that_takes() {
    receiving::child();
}

/// tshark knows nothing of us: every frame of every form must be to it the segment that was meant.
#[tokio::test]
async fn tshark_reads_every_frame_as_meant() {
    let ascii = Speech::default();
    let big = Speech { byte_order: ByteOrder::Big, ..ascii.clone() };
    let little_ebcdic = Speech { byte_order: ByteOrder::Little, ..ascii.clone().ebcdic() };
    let levels = [(1, 32766), (4, 1000), (10, 32766), (13, 1000), (15, 32766)];
    // `tests/conversations.rs` has them all with all; here what the fields say, a run of tshark for each.
    for (speech, (fap_level, size)) in
        [ascii.clone(), big, little_ebcdic, ascii.clone().ebcdic(), ascii].iter().zip(levels)
    {
        let receiver = receiver(Script { silent: Some(1), ..Script::default() }).await;
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("frames.txt");
        let speech = Speech { fap_level, max_transmission_size: size, ..speech.clone() };
        let options = Options { speech, capture: Some(capture.clone()), ..options(&receiver, folder.path(), 12) };
        mqferry::partner::run(&options).await.unwrap();
        assert_all(&receiver, 12);
        judge(&capture, &options);
    }
}

fn judge(capture: &Path, options: &Options) {
    let pcap = capture.with_extension("pcap");
    let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
        let output = Command::new(program).args(arguments).output();
        let output =
            output.unwrap_or_else(|e| panic!("{program}: {e}; install Wireshark's command line tools (tshark)"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text2pcap = ["-q", "-D", "-t", "%H:%M:%S", "-T", "40000,1414"].map(AsRef::as_ref);
    run("text2pcap", &[&text2pcap[..], &[capture.as_ref(), pcap.as_ref()]].concat());
    let fields = [
        "mq.tsh.type",
        "mq.tsh.seglength",
        "mq.id.channelname",
        "mq.id.faplevel",
        "mq.xqh.remoteq",
        "mq.md.format",
        "mq.msh.seqnum",
        "_ws.malformed",
    ];
    let mut arguments = vec!["-r".as_ref(), pcap.as_os_str()];
    arguments.extend(["-d", "tcp.port==1414,mq", "-T", "fields", "-E", "separator=|"].map(std::ffi::OsStr::new));
    fields.iter().for_each(|field| arguments.extend([std::ffi::OsStr::new("-e"), field.as_ref()]));
    let rows = run("tshark", &arguments);
    let (mut types, mut ids, mut numbers) = (BTreeSet::new(), 0, BTreeSet::new());
    for row in rows.lines() {
        let [kind, length, channel, level, queue, format, number, malformed] =
            row.split('|').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(malformed, "", "{row} of {:?}", options.speech);
        assert!(length.parse::<usize>().unwrap() >= 28, "{row}");
        types.insert(kind.to_owned());
        if !level.is_empty() {
            ids += 1;
            assert_eq!((channel.trim_end(), level), (CHANNEL, options.speech.fap_level.to_string().as_str()), "{row}");
        }
        if !queue.is_empty() {
            assert_eq!((queue.trim_end(), format.trim_end()), ("TARGET", "MQSTR"), "{row}");
            numbers.insert(number.parse::<u64>().unwrap());
        }
    }
    assert_eq!((ids, numbers.len()), (4, 12), "{rows}");
    let meant: BTreeSet<String> = ["0x01", "0x02", "0x04", "0x05"].map(str::to_owned).into();
    assert_eq!(types, meant, "{rows}");
}

/// What IBM's client said of its messages must be found in the samples as they lie on the queue: read here by `message`,
/// which the generator does not use.
#[test]
fn samples_are_transmission_queue_messages() {
    use mqferry::message::Envelope;
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures");
    let samples = generator::samples(&captures, "GW").unwrap();
    let (mut jms, mut headers, mut extended) = (0, 0, 0);
    for sample in &samples {
        let bytes = Bytes::from(sample.message.clone());
        let envelope =
            Envelope::parse(vec![bytes], ByteOrder::Big, 819).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
        let Ok(json) = std::fs::read(captures.join(format!("ibm-jms/{}.json", sample.name))) else {
            headers += 1;
            continue;
        };
        jms += 1;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let data = json["data_len"].as_u64().unwrap();
        let structures = envelope.structures();
        let version_2 = json["mqmd"]["version"] == 2;
        let names: Vec<&str> = structures.iter().map(|structure| structure.name).collect();
        assert_eq!(names.contains(&"MQMDE"), version_2, "{}: {names:?}", sample.name);
        assert_eq!(names.contains(&"MQRFH2"), json["mqmd"]["format"] == "MQHRF2  ", "{}: {names:?}", sample.name);
        let front = transmission::HEADER_LENGTH + if version_2 { 72 } else { 0 };
        assert_eq!(sample.message.len() as u64, front as u64 + data, "{}", sample.name);
        extended += usize::from(version_2);
    }
    let ids: BTreeSet<&[u8]> = samples[..jms].iter().map(|sample| &sample.message[152..176]).collect();
    assert_eq!((jms, headers, extended, ids.len()), (15, 8, 2, 15));
}
