//! What a sender may not do: a script breaks one rule after the other, is told so, and nothing of its batch is put.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqferry::partner::receiver::{Habits, LocalQueues, Receiver, Receiving};
use mqferry::partner::{Speech, transmission};
use mqferry::wire::initial_data::Fap4;
use mqferry::wire::{
    Alphabet, ByteOrder, CapFlags1, CapFlags2, ControlFlags1, Deframer, ErrFlags1, InitialData, Luwid, Msh, Name,
    Reset, Segment, SegmentType, Status, StatusCode, Tsh,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::Line;
use super::pair::CHANNEL;

const ORDER: ByteOrder = ByteOrder::Big;
const ONE: ControlFlags1 = ControlFlags1::FIRST.union(ControlFlags1::LAST);
const ASKS: ControlFlags1 = ControlFlags1::CONFIRM_REQUEST;

fn luwid(number: u8) -> Luwid {
    Luwid([number; 8])
}

fn message(data: &[u8]) -> Vec<u8> {
    let draft = transmission::Draft {
        remote_queue: Name::new("TARGET").unwrap(),
        remote_qmgr: Name::new("QM1").unwrap(),
        msg_id: [7; 24],
        format: Name::BLANK,
        encoding: 273,
        ccsid: 819,
        persistent: true,
        put_at: std::time::UNIX_EPOCH,
        data: data.to_vec(),
    };
    draft.message()
}

/// MESSAGE_DATA of these bytes of a message, with an MSH.
fn piece(number: i32, total: usize, part: &[u8], flags: ControlFlags1, of: Luwid) -> Segment {
    let msh = Msh { sequence: number, data_length: part.len() as i32, segment_number: 0, message_length: total as i32 };
    let body = [&msh.encode(ORDER, Alphabet::Ascii)[..], part].concat();
    Segment::new(Tsh::new(SegmentType::MESSAGE_DATA).with_flags(flags).with_luwid(of), body.into())
}

/// A whole message.
fn whole(number: i32, of: Luwid) -> Segment {
    let bytes = message(b"data");
    piece(number, bytes.len(), &bytes, ONE, of)
}

fn plain(segment_type: SegmentType, flags: ControlFlags1, of: Luwid, body: Bytes) -> Segment {
    Segment::new(Tsh::new(segment_type).with_flags(flags).with_luwid(of), body)
}

async fn agree(line: &mut Line) {
    let id = InitialData {
        fap_level: 4,
        cap_flags1: CapFlags1::from_bits_retain(0x07),
        ecap_flags1: CapFlags1::empty(),
        err_flags1: ErrFlags1::empty(),
        reserved8: 0,
        max_msg_per_batch: 50,
        max_transmission_size: 4000,
        max_msg_size: 10_000,
        seq_wrap: 999_999_999,
        channel_name: Name::new(CHANNEL).unwrap(),
        fap4: Some(Fap4 {
            cap_flags2: CapFlags2::empty(),
            ecap_flags2: CapFlags2::empty(),
            ccsid: 819,
            qmgr_name: Name::new("GW").unwrap(),
            heartbeat_interval: 300,
            efl_length: 0,
        }),
        fap9: None,
        fap11: None,
        rest: Bytes::new(),
    };
    let body = id.encode(ORDER, Alphabet::Ascii);
    line.say(SegmentType::INITIAL_DATA, ASKS, Luwid::ZERO, body).await;
    let answer = line.next().await.unwrap();
    assert_eq!((answer.tsh.segment_type, answer.tsh.flags1), (SegmentType::INITIAL_DATA, ControlFlags1::empty()));
}

/// What is said to these segments, until the other end closes or so many answers are in.
async fn told(segments: &[Segment], answers: usize) -> (Vec<Segment>, LocalQueues) {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let speech = Speech { byte_order: ORDER, fap_level: 4, ..Speech::default() };
    let receiving = Receiving { speech, fsync: false, ..Receiving::new("QM1", folder.path()) };
    let receiver = Receiver::open(Receiving { habits: Habits::default(), ..receiving }).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let serving = receiver.clone();
    let task = tokio::spawn(async move { serving.serve(&listener).await });
    let mut line = Line { stream, read: BytesMut::new(), deframer: Deframer::new(1 << 20) };
    agree(&mut line).await;
    for segment in segments {
        line.stream.write_all(&segment.encode()).await.unwrap();
    }
    let mut said = Vec::new();
    while said.len() < answers {
        let next = tokio::time::timeout(Duration::from_secs(30), line.next()).await;
        match next.expect("an answer, or the end") {
            Some(segment) => said.push(segment),
            None => break,
        }
    }
    drop(line);
    task.abort();
    let _ = task.await;
    (said, LocalQueues::read(folder.path()).unwrap())
}

/// Each broken rule is answered with its code, ERROR and CLOSE_CHANNEL, and the end; the first batch stays committed, the second
/// is void.
#[tokio::test]
async fn each_broken_rule_ends_the_channel_and_voids_the_batch() {
    let bytes = message(&[b'x'; 5000]);
    let total = bytes.len();
    let (one, two, three) = (luwid(1), luwid(2), luwid(3));
    let first = piece(2, total, &bytes[..3000], ControlFlags1::FIRST, two);
    let last = |part: &[u8]| piece(2, total, part, ControlFlags1::LAST, two);
    let cases = [
        ("another LUWID in a batch", vec![whole(2, two), whole(3, three)], StatusCode::PROTOCOL_GENERAL),
        (
            "a confirmation of another batch",
            vec![whole(2, two), plain(SegmentType::STATUS_DATA, ASKS, three, Bytes::new())],
            StatusCode::PROTOCOL_GENERAL,
        ),
        ("a number again", vec![whole(1, two)], StatusCode::MSG_SEQUENCE_ERROR),
        ("a number left out", vec![whole(2, two), whole(4, two)], StatusCode::MSG_SEQUENCE_ERROR),
        ("no LUWID", vec![whole(2, Luwid::ZERO)], StatusCode::PROTOCOL_INVALID_DATA),
        ("a message within a message", vec![first.clone(), whole(3, two)], StatusCode::PROTOCOL_SEGMENT_ERROR),
        (
            "a status within a message",
            vec![first.clone(), plain(SegmentType::STATUS_DATA, ASKS, two, Bytes::new())],
            StatusCode::PROTOCOL_SEGMENT_ERROR,
        ),
        ("a later segment alone", vec![last(&bytes[3000..])], StatusCode::PROTOCOL_SEGMENT_ERROR),
        ("an end too early", vec![first.clone(), last(&bytes[3000..4000])], StatusCode::MESSAGE_LENGTH_ERROR),
        (
            "more than announced",
            vec![piece(2, 450, &bytes[..1000], ControlFlags1::FIRST, two)],
            StatusCode::MESSAGE_LENGTH_ERROR,
        ),
        ("beyond MaxMsgSize", vec![piece(2, 10_429, &bytes[..1000], ControlFlags1::FIRST, two)], StatusCode(0x12)),
        (
            "a segment of another batch",
            vec![first, piece(2, total, b"x", ControlFlags1::LAST, three)],
            StatusCode(0x10),
        ),
        (
            "no MSH",
            vec![plain(SegmentType::MESSAGE_DATA, ONE, two, Bytes::from_static(&[0; 500]))],
            StatusCode::PROTOCOL_MSH_ERROR,
        ),
        ("beyond the agreed segment", vec![piece(2, total, &bytes[..4000], ONE, two)], StatusCode(0x0B)),
        (
            "a reset without a number",
            vec![plain(SegmentType::RESET_DATA, ASKS, Luwid::ZERO, Bytes::from_static(&[0; 5]))],
            StatusCode::PROTOCOL_INVALID_DATA,
        ),
        (
            "a client's segment",
            vec![plain(SegmentType(0x81), ONE, Luwid::ZERO, Bytes::new())],
            StatusCode::PROTOCOL_SEGMENT_TYPE,
        ),
        (
            "a reset in a batch",
            vec![whole(2, two), plain(SegmentType::RESET_DATA, ASKS, Luwid::ZERO, Reset::new(9).encode(ORDER))],
            StatusCode::PROTOCOL_GENERAL,
        ),
    ];
    for (what, segments, code) in cases {
        let mut all = vec![whole(1, one), plain(SegmentType::STATUS_DATA, ASKS, one, Bytes::new())];
        all.extend(segments);
        let (said, queues) = told(&all, 9).await;
        let [confirmed, refused] = &said[..] else { panic!("{what}: {said:?}") };
        assert_eq!((confirmed.tsh.luwid, confirmed.len()), (one, 28), "{what}");
        assert_eq!(refused.tsh.flags1, ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL, "{what}");
        let status = refused.status().unwrap();
        assert_eq!(status.code, Some(code), "{what}");
        if code == StatusCode::MSG_SEQUENCE_ERROR {
            assert!(status.values == [if what == "a number again" { 2 } else { 3 }], "{what}: {status}");
        }
        let numbers: Vec<i32> = queues.messages().iter().map(|message| message.number).collect();
        assert_eq!(numbers, [1], "{what}");
        assert_eq!(
            (queues.remembered(CHANNEL, "GW").sequence, queues.remembered(CHANNEL, "GW").luwid),
            (1, one),
            "{what}"
        );
    }
}

/// The table of the wire reference, channel flow 5: which request confirms what.
#[tokio::test]
async fn a_request_confirms_the_open_batch_and_nothing_else() {
    let (one, two, none) = (luwid(1), luwid(2), Luwid::ZERO);
    let empty = Bytes::new();
    let status = |of| plain(SegmentType::STATUS_DATA, ASKS, of, Bytes::new());
    let beat = |of| plain(SegmentType::HEARTBEAT, ASKS, of, Bytes::new());
    let resync = |of| plain(SegmentType::RESYNC_DATA, ASKS, of, Reset::new(5).encode(ORDER));
    let kinds = |said: &[Segment]| -> Vec<(u8, Luwid)> {
        said.iter().map(|segment| (segment.tsh.segment_type.0, segment.tsh.luwid)).collect()
    };
    // Before anything: no batch is confirmed, whatever is named.
    let (said, queues) = told(&[status(none), resync(one), beat(one), status(one)], 4).await;
    assert_eq!(kinds(&said), [(5, none), (2, none), (9, none), (2, none)]);
    assert!(queues.channels().next().is_none());
    // Heartbeats in a batch: a plain one, one of another batch, and one that confirms.
    let (said, queues) = told(&[whole(1, one), beat(none), beat(two), beat(one)], 3).await;
    assert_eq!(kinds(&said), [(9, none), (9, none), (9, one)]);
    assert_eq!(queues.at("TARGET").count(), 1);
    // A zero LUWID confirms the open batch; asked again it is still confirmed, and nothing is put twice.
    let (said, queues) = told(&[whole(1, one), whole(2, one), status(none), status(one), resync(one)], 3).await;
    assert_eq!(kinds(&said), [(5, one), (2, one), (2, one)]);
    assert_eq!(said[2].reset().unwrap().sequence, 2);
    assert_eq!(queues.at("TARGET").count(), 2);
    // Another batch than the last: our own last one is named, and the channel goes on.
    let (said, queues) = told(&[whole(1, one), status(one), resync(two), whole(2, two), status(two)], 3).await;
    assert_eq!(kinds(&said), [(5, one), (2, one), (5, two)]);
    assert_eq!(queues.at("TARGET").count(), 2);
    // What was never asked for is not there, nor what the sender gave up (its own dead-letter queue failed: STATUS 6).
    let gives_up = Status::new(StatusCode::CAN_NOT_STORE).encode(ORDER);
    let gives_up = plain(SegmentType::STATUS_DATA, ControlFlags1::ERROR, one, gives_up);
    for end in [plain(SegmentType::STATUS_DATA, ControlFlags1::CLOSE_CHANNEL, none, empty), gives_up] {
        let (said, queues) = told(&[whole(1, one), end], 9).await;
        assert_eq!((said.len(), queues.messages().len()), (0, 0));
    }
}
