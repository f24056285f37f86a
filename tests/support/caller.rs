//! A partner made of frames: says what the test tells it to, byte by byte if need be, and shows what it hears.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqferry::partner::generator;
use mqferry::partner::transmission::Draft;
use mqferry::wire::name::Name;
use mqferry::wire::{
    Alphabet, ByteOrder, CapFlags2, ControlFlags1, Deframer, InitialData, Luwid, Msh, Segment, SegmentType, Status,
    StatusCode, Tsh,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// What a test waits for at most: longer than any wait of the gateway, for some tests own the clock.
pub const PATIENCE: Duration = Duration::from_secs(400);
pub const CONFIRM: ControlFlags1 = ControlFlags1::CONFIRM_REQUEST;
pub const NONE: ControlFlags1 = ControlFlags1::empty();
pub const CLOSE: ControlFlags1 = ControlFlags1::CLOSE_CHANNEL;

/// One connection to a gateway.
pub struct Caller {
    pub stream: TcpStream,
    read: BytesMut,
    deframer: Deframer,
}

/// The LUWID of a batch by its number.
pub fn luwid(number: u8) -> Luwid {
    Luwid([0, 0, 0, 0x67, 0, 0, 0, number])
}

/// A segment of this speaker: big-endian and ASCII, as the queue of the simulated queue manager keeps messages.
pub fn segment(segment_type: SegmentType, flags: ControlFlags1, luwid: Luwid, body: impl Into<Bytes>) -> Segment {
    let tsh = Tsh::new(segment_type).with_byte_order(ByteOrder::Big).with_flags(flags).with_luwid(luwid);
    Segment::new(tsh, body.into())
}

/// INITIAL_DATA that a receiver with default values accepts as it is.
pub fn offer(channel: &str, qmgr: &str) -> InitialData {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures/wire-examples");
    let example = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("07-") && name.ends_with(".hex")
        })
        .unwrap_or_else(|| panic!("no example frame 7 in {}", folder.display()));
    let text = std::fs::read_to_string(example).unwrap();
    let rows = text.lines().filter(|row| !row.starts_with('#'));
    let bytes: Bytes =
        rows.flat_map(|row| row.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap())).collect();
    let mut offer = Segment::parse(bytes).unwrap().initial_data().unwrap();
    offer.channel_name = Name::new(channel).unwrap();
    offer.max_msg_per_batch = 50;
    offer.max_transmission_size = 32766;
    let fap4 = offer.fap4.as_mut().unwrap();
    fap4.cap_flags2 = CapFlags2::empty();
    fap4.qmgr_name = Name::new(qmgr).unwrap();
    offer
}

/// A persistent numbered text message for `queue`, as it lies on a transmission queue.
pub fn message(number: u64, queue: &str, qmgr: &str, size: usize) -> Vec<u8> {
    Draft {
        remote_queue: Name::new(queue).unwrap(),
        remote_qmgr: Name::new(qmgr).unwrap(),
        msg_id: generator::msg_id(number),
        format: Name::fitted("MQSTR"),
        encoding: 273,
        ccsid: 819,
        persistent: true,
        put_at: mqferry::clock::wall(),
        data: generator::body(number, size).into_bytes(),
    }
    .message()
}

/// `bytes` as message `sequence`, in one segment.
pub fn whole(sequence: i32, luwid: Luwid, flags: ControlFlags1, bytes: &[u8]) -> Segment {
    let flags = flags | ControlFlags1::FIRST | ControlFlags1::LAST;
    part(sequence, luwid, flags, bytes, bytes.len())
}

/// A part of message `sequence`, which has `total` bytes.
pub fn part(sequence: i32, luwid: Luwid, flags: ControlFlags1, bytes: &[u8], total: usize) -> Segment {
    let msh = Msh {
        sequence,
        data_length: i32::try_from(bytes.len()).unwrap(),
        segment_number: 0,
        message_length: i32::try_from(total).unwrap(),
    };
    let mut body = BytesMut::from(&msh.encode(ByteOrder::Big, Alphabet::Ascii)[..]);
    body.extend_from_slice(bytes);
    segment(SegmentType::MESSAGE_DATA, flags, luwid, body.freeze())
}

impl Caller {
    /// Connects, and says nothing.
    pub async fn connect(to: SocketAddr) -> Self {
        Self::connect_from(IpAddr::from([127, 0, 0, 1]), to).await
    }

    /// Connects from this address of the machine.
    pub async fn connect_from(from: IpAddr, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        let stream = socket.connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: BytesMut::new(), deframer: Deframer::new(64 * 1024) }
    }

    /// Connects and agrees on everything.
    pub async fn bound(to: SocketAddr, channel: &str, qmgr: &str) -> Self {
        let mut caller = Self::connect(to).await;
        caller.bind(channel, qmgr).await;
        caller
    }

    /// Agrees on everything.
    pub async fn bind(&mut self, channel: &str, qmgr: &str) {
        self.offer(channel, qmgr).await;
        self.agreed().await;
    }

    /// The gateway agrees to what was offered.
    pub async fn agreed(&mut self) {
        let answer = self.hear().await.expect("an answer to INITIAL_DATA");
        assert_eq!((answer.tsh.segment_type, answer.tsh.flags1), (SegmentType::INITIAL_DATA, NONE), "{answer:?}");
    }

    /// Sends INITIAL_DATA.
    pub async fn offer(&mut self, channel: &str, qmgr: &str) {
        self.propose(&offer(channel, qmgr)).await;
    }

    /// Sends this INITIAL_DATA.
    pub async fn propose(&mut self, offer: &InitialData) {
        let body = offer.encode(ByteOrder::Big, Alphabet::Ascii);
        self.say(&segment(SegmentType::INITIAL_DATA, CONFIRM, Luwid::ZERO, body)).await;
    }

    /// Sends a segment.
    pub async fn say(&mut self, segment: &Segment) {
        self.say_bytes(&segment.encode()).await;
    }

    /// Sends bytes as they are.
    pub async fn say_bytes(&mut self, bytes: &[u8]) {
        tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("written in time").expect("written");
    }

    /// The gateway's next segment; none when it closed. A connection that is reset is a fault: it can lose what was said.
    pub async fn hear(&mut self) -> Option<Segment> {
        loop {
            if let Some(segment) = self.deframer.next(&mut self.read).expect("a segment") {
                return Some(segment);
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            if read.expect("an answer in time").expect("an answer, no reset") == 0 {
                assert!(self.read.is_empty(), "half a segment: {:?}", self.read);
                return None;
            }
        }
    }

    /// The next segment confirms this batch; gives its flags.
    pub async fn confirmed(&mut self, luwid: Luwid) -> ControlFlags1 {
        let answer = self.hear().await.expect("a confirm");
        assert_eq!(answer.tsh.segment_type, SegmentType::STATUS_DATA, "{answer:?}");
        assert!(answer.status().unwrap().is_ok() && !answer.tsh.flags1.contains(ControlFlags1::ERROR), "{answer:?}");
        assert_eq!(answer.tsh.luwid, luwid, "{answer:?}");
        answer.tsh.flags1
    }

    /// The next segment is STATUS_DATA with ERROR and CLOSE_CHANNEL, and nothing follows.
    pub async fn refused(&mut self) -> Status {
        let answer = self.hear().await.expect("a status");
        assert_eq!(answer.tsh.segment_type, SegmentType::STATUS_DATA, "{answer:?}");
        assert_eq!(answer.tsh.flags1, ControlFlags1::ERROR | CLOSE, "{answer:?}");
        let status = answer.status().unwrap();
        self.closed().await;
        status
    }

    /// The same with this code.
    pub async fn refused_with(&mut self, code: StatusCode) {
        assert_eq!(self.refused().await.code, Some(code));
    }

    /// The gateway closes without another word.
    pub async fn closed(&mut self) {
        if let Some(segment) = self.hear().await {
            panic!("not the end: {segment:?}");
        }
    }
}
