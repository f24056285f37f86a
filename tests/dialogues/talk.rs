//! The script's two ends: a partner made of frames, and the machine with its clock and its target in the script's hands.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mqferry::channel::definition::ChannelType;
use mqferry::channel::{
    Definition, Dialect, Identity, Input, Mca, MessageFrame, MessageName, Output, Stopped, SyncRecord,
};
use mqferry::wire::{CapFlags2, ControlFlags1, InitialData, Luwid, Segment, SegmentType, Status, StatusCode, Tsh};

use crate::pcap::{Chunk, Conversation};
use crate::tshark::assert_reads_as_intended;

/// The batch that the example frames name.
pub const LUW: Luwid = Luwid([0, 0, 0, 0x67, 1, 0, 0, 0]);
/// Another one.
pub const OTHER: Luwid = Luwid([0, 0, 0, 0x66, 9, 0, 0, 0]);
pub const NONE: ControlFlags1 = ControlFlags1::empty();
pub const CONFIRM: ControlFlags1 = ControlFlags1::CONFIRM_REQUEST;
pub const ERROR: ControlFlags1 = ControlFlags1::ERROR;
pub const CLOSE: ControlFlags1 = ControlFlags1::CLOSE_CHANNEL;
pub const WHOLE: ControlFlags1 = ControlFlags1::FIRST.union(ControlFlags1::LAST);

/// Bytes of an example frame, by its number.
pub fn frame_bytes(number: u32) -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures/wire-examples");
    let prefix = format!("{number:02}-");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(&prefix) && name.ends_with(".hex")
        })
        .unwrap_or_else(|| panic!("no example frame {number} in {}", folder.display()));
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter(|row| !row.starts_with('#'));
    rows.flat_map(|row| row.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap())).collect()
}

/// An example frame, by its number.
pub fn frame(number: u32) -> Segment {
    Segment::parse(frame_bytes(number)).unwrap()
}

/// A segment of the little-endian partner of the examples.
pub fn segment(segment_type: SegmentType, flags: ControlFlags1, luwid: Luwid, body: impl Into<Bytes>) -> Segment {
    let tsh =
        Tsh::new(segment_type).with_byte_order(mqferry::wire::ByteOrder::Little).with_flags(flags).with_luwid(luwid);
    Segment::new(tsh, body.into())
}

pub fn status(flags: ControlFlags1, luwid: Luwid) -> Segment {
    segment(SegmentType::STATUS_DATA, flags, luwid, Bytes::new())
}

/// Frame 17 (one segment, persistent) as message `sequence` of batch `luwid`, with a MsgId of `id` bytes.
pub fn message_with(sequence: i32, id: u8, flags: ControlFlags1, luwid: Luwid, persistence: u8) -> Segment {
    static FRAME: std::sync::LazyLock<Segment> = std::sync::LazyLock::new(|| frame(17));
    let mut message = FRAME.clone();
    let mut body = BytesMut::from(&message.body[..]);
    body[4..8].copy_from_slice(&sequence.to_le_bytes());
    body[20 + 148] = persistence;
    body[20 + 152..20 + 176].fill(id);
    message.body = body.freeze();
    message.tsh.flags1 = WHOLE | flags;
    message.tsh.luwid = luwid;
    message
}

/// The same with a MsgId that goes with the number.
pub fn message(sequence: i32, flags: ControlFlags1, luwid: Luwid) -> Segment {
    message_with(sequence, id_of(sequence), flags, luwid, 1)
}

pub fn fast_message(sequence: i32, luwid: Luwid) -> Segment {
    message_with(sequence, id_of(sequence), NONE, luwid, 0)
}

pub fn id_of(sequence: i32) -> u8 {
    sequence.to_le_bytes()[0]
}

pub fn name(sequence: i32) -> MessageName {
    MessageName { sequence, msg_id: [id_of(sequence); 24] }
}

pub fn record(sequence: i32, luwid: Luwid, named: impl IntoIterator<Item = i32>) -> SyncRecord {
    SyncRecord {
        partner_id: String::new(),
        sequence,
        luwid,
        last_batch: named.into_iter().map(name).collect(),
        after_reset: false,
        at_heartbeat: None,
    }
}

/// RCVR as `DEFINE CHANNEL` would have it by default, answering little-endian as the receiver of the examples does.
pub fn definition() -> Definition {
    Definition { maxmsgl: 4_194_304, dialect: dialect(&[]), ..Definition::of("QMA.TO.GW", ChannelType::Rcvr) }
}

/// The default dialect, little-endian, with these keys set.
pub fn dialect(settings: &[(&str, &str)]) -> Dialect {
    let mut dialect = Dialect::default();
    dialect.set("byte_order", "little").unwrap();
    settings.iter().for_each(|(key, value)| dialect.set(key, value).unwrap());
    dialect
}

/// INITIAL_DATA of frame 7 with values that a default receiver accepts as they are.
pub fn fitting_offer() -> InitialData {
    let mut offer = frame(7).initial_data().unwrap();
    offer.max_msg_per_batch = 50;
    offer.max_transmission_size = 32766;
    offer.fap4.as_mut().unwrap().cap_flags2 = CapFlags2::empty();
    offer
}

pub fn initial_data(offer: &InitialData) -> Segment {
    let body = offer.encode(mqferry::wire::ByteOrder::Little, mqferry::wire::Alphabet::Ascii);
    segment(SegmentType::INITIAL_DATA, CONFIRM, Luwid::ZERO, body)
}

pub struct Talk {
    pub mca: Mca,
    now: Duration,
    /// The frames that we sent.
    sent: Vec<Bytes>,
}

/// Frames that tshark has read already, in any dialogue of this process: most dialogues begin and end alike.
static READ: std::sync::Mutex<BTreeSet<Bytes>> = std::sync::Mutex::new(BTreeSet::new());

/// When a dialogue is over, tshark reads what we sent in it, and must see what was meant.
impl Drop for Talk {
    fn drop(&mut self) {
        while let Some(output) = self.mca.poll() {
            if let Output::Send(segment) = output {
                self.sent.push(segment.encode());
            }
        }
        if std::thread::panicking() {
            return;
        }
        self.sent.retain(|frame| READ.lock().unwrap().insert(frame.clone()));
        if !self.sent.is_empty() {
            let mut conversation = Conversation::number(0);
            let chunk = Chunk { at: Duration::from_secs(1), from_client: false, bytes: self.sent.concat() };
            conversation.chunks.push(chunk);
            assert_reads_as_intended(&[conversation]);
        }
    }
}

impl Talk {
    /// A connection was accepted.
    pub fn accepted() -> Self {
        let identity = Identity { qmgr_name: "GW".into(), qmgr_id: "GW_2026-01-01_00.00.00".into() };
        let now = Duration::from_secs(1000);
        Self { mca: Mca::new(identity, now), now, sent: Vec::new() }
    }

    /// The handshake is over, nothing else has happened.
    pub fn bound(definition: Definition, record: Option<SyncRecord>) -> Self {
        let mut offer = fitting_offer();
        offer.seq_wrap = definition.seqwrap;
        offer.max_msg_per_batch = offer.max_msg_per_batch.min(definition.batchsz);
        offer.fap4.as_mut().unwrap().heartbeat_interval = definition.hbint;
        Self::bound_with(&offer, definition, record)
    }

    /// The same with a partner that offers these values.
    pub fn bound_with(offer: &InitialData, definition: Definition, record: Option<SyncRecord>) -> Self {
        let mut talk = Self::accepted();
        talk.partner_sends(initial_data(offer));
        talk.we_ask_who_that_is();
        talk.told(Input::Defined(Box::new(definition)));
        talk.we_ask_for_the_lease();
        talk.told(Input::Claimed { record, max_message_bytes: None });
        let answer = talk.we_send();
        assert_eq!((answer.tsh.segment_type, answer.tsh.flags1), (SegmentType::INITIAL_DATA, NONE));
        talk.we_run();
        talk
    }

    pub fn partner_sends(&mut self, segment: Segment) {
        self.told(Input::Segment(segment));
    }

    pub fn partner_hangs_up(&mut self) {
        self.told(Input::PeerClosed("end of stream".into()));
    }

    pub fn told(&mut self, input: Input) {
        self.mca.handle(self.now, input);
    }

    pub fn target_commits(&mut self) {
        self.told(Input::Committed { dlq_used: false });
    }

    /// Time passes, with a tick at each deadline.
    pub fn seconds_pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.mca.next_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.told(Input::Tick);
        }
        self.now = end;
        self.told(Input::Tick);
    }

    #[track_caller]
    fn next(&mut self) -> Output {
        self.mca.poll().expect("something to do")
    }

    #[track_caller]
    pub fn we_do_nothing(&mut self) {
        if let Some(output) = self.mca.poll() {
            panic!("nothing was to be done, but: {output:?}");
        }
    }

    #[track_caller]
    pub fn we_ask_who_that_is(&mut self) -> (String, mqferry::channel::Partner) {
        match self.next() {
            Output::Identify { channel, partner } => (channel, partner),
            other => panic!("not Identify: {other:?}"),
        }
    }

    #[track_caller]
    pub fn we_ask_for_the_lease(&mut self) {
        let next = self.next();
        assert!(matches!(next, Output::Claim { .. }), "{next:?}");
    }

    #[track_caller]
    pub fn we_run(&mut self) {
        let next = self.next();
        assert!(matches!(next, Output::Running), "{next:?}");
        self.we_do_nothing();
    }

    #[track_caller]
    pub fn we_send(&mut self) -> Segment {
        match self.next() {
            Output::Send(segment) => {
                self.sent.push(segment.encode());
                segment
            }
            other => panic!("not Send: {other:?}"),
        }
    }

    /// The next thing sent is this example frame, byte by byte.
    #[track_caller]
    pub fn we_send_frame(&mut self, number: u32) {
        let sent = self.we_send();
        assert_eq!(sent.encode(), frame_bytes(number), "frame {number}, sent: {sent:?}");
    }

    /// The next thing sent is an empty STATUS_DATA for this batch: its confirm.
    #[track_caller]
    pub fn we_confirm(&mut self, luwid: Luwid) {
        let sent = self.we_send();
        assert_eq!((sent.tsh.segment_type, sent.tsh.flags1), (SegmentType::STATUS_DATA, NONE), "{sent:?}");
        assert_eq!((sent.tsh.luwid, sent.body.len()), (luwid, 0));
    }

    /// The next thing sent is STATUS_DATA with ERROR and CLOSE_CHANNEL.
    #[track_caller]
    pub fn we_refuse(&mut self) -> Status {
        let sent = self.we_send();
        assert_eq!((sent.tsh.segment_type, sent.tsh.flags1), (SegmentType::STATUS_DATA, ERROR | CLOSE), "{sent:?}");
        sent.status().unwrap()
    }

    #[track_caller]
    pub fn room_is_made(&mut self) -> usize {
        match self.next() {
            Output::Begin { length } => length,
            other => panic!("not Begin: {other:?}"),
        }
    }

    #[track_caller]
    pub fn target_sees(&mut self, sequence: i32) -> MessageFrame {
        match self.next() {
            Output::Begin { .. } => self.target_sees(sequence),
            Output::Deliver(message) => {
                assert_eq!(message.sequence, sequence);
                message
            }
            other => panic!("not Deliver: {other:?}"),
        }
    }

    #[track_caller]
    pub fn target_is_spared(&mut self, sequence: i32) {
        self.room_is_made();
        match self.next() {
            Output::Repeated { sequence: repeated } => assert_eq!(repeated, sequence),
            other => panic!("not Repeated: {other:?}"),
        }
    }

    #[track_caller]
    pub fn target_is_asked_to_commit(&mut self) -> SyncRecord {
        match self.next() {
            Output::Commit(record) => {
                self.we_do_nothing();
                record
            }
            other => panic!("not Commit: {other:?}"),
        }
    }

    #[track_caller]
    pub fn target_rolls_back(&mut self) {
        let next = self.next();
        assert!(matches!(next, Output::Rollback), "{next:?}");
    }

    #[track_caller]
    pub fn we_stop(&mut self) -> Stopped {
        match self.next() {
            Output::Stopped(stopped) => {
                self.we_do_nothing();
                assert_eq!(self.mca.next_timeout(), None, "no deadline after the end");
                stopped
            }
            other => panic!("not Stopped: {other:?}"),
        }
    }

    #[track_caller]
    pub fn we_stop_orderly(&mut self) -> Stopped {
        let stopped = self.we_stop();
        assert!(stopped.orderly, "{stopped:?}");
        stopped
    }

    /// STATUS with this code, then the end.
    #[track_caller]
    pub fn we_refuse_with(&mut self, code: StatusCode) -> Stopped {
        let told = self.we_refuse();
        assert_eq!(told.code, Some(code));
        self.we_stop_disorderly(code)
    }

    #[track_caller]
    pub fn we_stop_disorderly(&mut self, code: StatusCode) -> Stopped {
        let stopped = self.we_stop();
        assert!(!stopped.orderly, "{stopped:?}");
        assert_eq!(stopped.code, Some(code), "{stopped:?}");
        stopped
    }

    /// One message with a confirm request, committed and confirmed.
    #[track_caller]
    pub fn one_batch(&mut self, sequence: i32, luwid: Luwid) -> SyncRecord {
        self.partner_sends(message(sequence, CONFIRM, luwid));
        self.target_sees(sequence);
        let record = self.target_is_asked_to_commit();
        self.target_commits();
        self.we_confirm(luwid);
        self.we_do_nothing();
        record
    }
}
