//! The options of the simulated queue manager, by phase of a conversation.

use mqferry::partner::{
    BatchHeartbeat, Close, ConfirmRequest, DataLength, Death, IdLength, LuwidStyle, ResetNumber, Resync, ResyncBody,
    ResyncCarrier, Speech, Step,
};
use mqferry::wire::{Alphabet, ByteOrder};

use crate::rows::{Axis, Impossible, Phase, Table, axis};

/// All options of a sender.
pub(crate) const SENDERS: Table<Case> = Table { axes: AXES, impossible: IMPOSSIBLE, full: Phase::ALL };

/// What is run: how the queue manager speaks, and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) speech: Speech,
    /// Bytes of data of the messages, in turn.
    pub(crate) sizes: &'static [usize],
    pub(crate) persistent: bool,
    pub(crate) maxmsgl: i32,
    pub(crate) hbint: i32,
    /// Where the first run of the channel ends before its time.
    pub(crate) death: Option<Death>,
    /// Size of the first batch after that.
    pub(crate) recut: Option<u16>,
    /// Number that the second run begins with, by RESET CHANNEL.
    pub(crate) reset: Option<i32>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            speech: Speech::default(),
            sizes: &[60],
            persistent: true,
            maxmsgl: 20_000,
            hbint: 300,
            death: None,
            recut: None,
            reset: None,
        }
    }
}

fn dies(case: &mut Case, step: Step, after: u32) {
    case.death = Some(Death { step, after, abort: false });
}

/// The message that asks for the second batch's confirmation is the sixth, or the request stands alone.
const SECOND_BATCH: u32 = 1;

const AXES: &[Axis<Case>] = &[
    axis(
        Phase::Throughout,
        "byte order",
        &[
            ("big-endian", |case| case.speech.byte_order = ByteOrder::Big),
            ("little-endian", |case| case.speech.byte_order = ByteOrder::Little),
        ],
    ),
    axis(
        Phase::Throughout,
        "alphabet",
        &[
            ("ASCII, 819", |case| (case.speech.alphabet, case.speech.ccsid) = (Alphabet::Ascii, 819)),
            ("EBCDIC, 500", |case| (case.speech.alphabet, case.speech.ccsid) = (Alphabet::Ebcdic, 500)),
        ],
    ),
    axis(
        Phase::Throughout,
        "messages",
        &[
            ("whole", |case| {
                (case.speech.split, case.speech.max_transmission_size, case.sizes) = (false, 32766, &[60, 2000]);
            }),
            ("split", |case| {
                (case.speech.split, case.speech.max_transmission_size, case.sizes) = (true, 1000, &[60, 600, 2500]);
            }),
        ],
    ),
    // --- handshake: channel flow 1
    axis(
        Phase::Handshake,
        "FAP level",
        &[
            ("1", |case| case.speech.fap_level = 1),
            ("4", |case| case.speech.fap_level = 4),
            ("10", |case| case.speech.fap_level = 10),
            ("13", |case| case.speech.fap_level = 13),
        ],
    ),
    axis(
        Phase::Handshake,
        "length of INITIAL_DATA",
        &[
            ("of the level", |case| case.speech.id_length = IdLength::OfLevel),
            ("of the first offer's level", |case| case.speech.id_length = IdLength::OfFirstOffer),
            ("208 bytes", |case| case.speech.id_length = IdLength::Longest),
        ],
    ),
    axis(
        Phase::Handshake,
        "level after a counter",
        &[
            ("lowered", |case| case.speech.repeats_fap_level = false),
            ("its own again", |case| case.speech.repeats_fap_level = true),
        ],
    ),
    axis(
        Phase::Handshake,
        "flags of INITIAL_DATA",
        &[
            ("0x01", |case| case.speech.initial_data_flags = 0x01),
            ("0x31", |case| case.speech.initial_data_flags = 0x31),
            ("0x00", |case| case.speech.initial_data_flags = 0x00),
        ],
    ),
    axis(
        Phase::Handshake,
        "capabilities",
        &[
            ("few", |case| (case.speech.fast_messages, case.speech.distribution_lists) = (false, false)),
            ("all there are", |case| {
                let speech = &mut case.speech;
                (speech.fast_messages, speech.distribution_lists) = (true, true);
                (speech.dual_uow, speech.security_request, speech.compression) = (true, true, true);
            }),
        ],
    ),
    axis(Phase::Handshake, "heartbeats", &[("300 s", |case| case.hbint = 300), ("none", |case| case.hbint = 0)]),
    // --- transfer: channel flow 4
    axis(
        Phase::Transfer,
        "MSH in continuations",
        &[("yes", |case| case.speech.continuation_msh = true), ("no", |case| case.speech.continuation_msh = false)],
    ),
    axis(
        Phase::Transfer,
        "MSH offset 8",
        &[
            ("bytes here", |case| case.speech.data_length = DataLength::InSegment),
            ("buffer size", |case| case.speech.data_length = DataLength::BufferSize),
            ("offset", |case| case.speech.data_length = DataLength::Offset),
        ],
    ),
    axis(
        Phase::Transfer,
        "MSH offset 12, whole",
        &[("0", |case| case.speech.unsplit_segment_number = 0), ("1", |case| case.speech.unsplit_segment_number = 1)],
    ),
    axis(
        Phase::Transfer,
        "MSH offset 12, split",
        &[
            ("from 0", |case| (case.speech.counts_segments, case.speech.first_segment_number) = (true, 0)),
            ("from 1", |case| (case.speech.counts_segments, case.speech.first_segment_number) = (true, 1)),
            ("flags", |case| (case.speech.counts_segments, case.speech.first_segment_number) = (false, 0x0102_0304)),
        ],
    ),
    axis(
        Phase::Transfer,
        "MSH offset 16",
        &[
            ("total everywhere", |case| case.speech.total_in_continuations = true),
            ("total in the first", |case| case.speech.total_in_continuations = false),
        ],
    ),
    axis(
        Phase::Transfer,
        "LUWID in continuations",
        &[
            ("yes", |case| case.speech.luwid_in_continuations = true),
            ("zero", |case| case.speech.luwid_in_continuations = false),
        ],
    ),
    // --- confirm: channel flow 5
    axis(
        Phase::Confirm,
        "confirm request",
        &[
            ("on the last message", |case| case.speech.confirm = ConfirmRequest::OnLastMessage),
            ("STATUS_DATA", |case| case.speech.confirm = ConfirmRequest::StatusData),
            ("STATUS_DATA with number", |case| {
                (case.speech.confirm, case.speech.confirm_body) = (ConfirmRequest::StatusData, true);
            }),
            ("RESYNC_DATA", |case| case.speech.confirm = ConfirmRequest::ResyncData),
            ("MESSAGE_DATA without MSH", |case| case.speech.confirm = ConfirmRequest::EmptyMessageData),
            ("MESSAGE_DATA with empty MSH", |case| case.speech.confirm = ConfirmRequest::EmptyMsh),
            ("HEARTBEAT", |case| case.speech.confirm = ConfirmRequest::Heartbeat),
            ("never, fast messages", |case| (case.speech.confirm, case.persistent) = (ConfirmRequest::Never, false)),
        ],
    ),
    axis(
        Phase::Confirm,
        "LUWID of the request",
        &[
            ("of the batch", |case| case.speech.confirm_without_luwid = false),
            ("zero", |case| case.speech.confirm_without_luwid = true),
        ],
    ),
    axis(
        Phase::Confirm,
        "a full batch",
        &[
            ("asks in the same way", |case| case.speech.full_batch_on_last = false),
            ("asks on its last message", |case| case.speech.full_batch_on_last = true),
        ],
    ),
    axis(
        Phase::Confirm,
        "heartbeat in the batch",
        &[
            ("none", |case| case.speech.batch_heartbeat = BatchHeartbeat::None),
            ("without LUWID", |case| case.speech.batch_heartbeat = BatchHeartbeat::Plain),
            ("with its LUWID", |case| case.speech.batch_heartbeat = BatchHeartbeat::WithLuwid),
            ("that asks nothing", |case| case.speech.batch_heartbeat = BatchHeartbeat::Unasked),
        ],
    ),
    // --- resync: channel flow 3
    axis(
        Phase::Resync,
        "what happens",
        &[
            ("nothing", |_| {}),
            ("a request is lost", |case| dies(case, Step::ConfirmRequestHalfSent, SECOND_BATCH)),
            ("a request is lost, then recut", |case| {
                dies(case, Step::ConfirmRequestHalfSent, SECOND_BATCH);
                case.recut = Some(2);
            }),
            ("an answer is lost", |case| dies(case, Step::ConfirmNotStored, SECOND_BATCH)),
            ("an answer is lost, then recut", |case| {
                dies(case, Step::ConfirmNotStored, SECOND_BATCH);
                case.recut = Some(1);
            }),
            ("RESET, next number", |case| (case.reset, case.speech.reset_number) = (Some(1), ResetNumber::Next)),
            ("RESET, last number", |case| (case.reset, case.speech.reset_number) = (Some(500), ResetNumber::Last)),
            ("RESET that asks", |case| (case.reset, case.speech.reset_confirm) = (Some(400), true)),
        ],
    ),
    axis(
        Phase::Resync,
        "the question is put",
        &[
            ("in doubt", |case| case.speech.resync = Resync::InDoubt),
            ("at each start", |case| case.speech.resync = Resync::EachStart),
            ("at each start but the first", |case| case.speech.resync = Resync::WithHistory),
            ("never", |case| case.speech.resync = Resync::Never),
        ],
    ),
    axis(
        Phase::Resync,
        "the question is",
        &[
            ("RESYNC_DATA, number", |case| question(case, ResyncCarrier::ResyncData, ResyncBody::Number)),
            ("RESYNC_DATA, number, LUWID", |case| question(case, ResyncCarrier::ResyncData, ResyncBody::NumberLuwid)),
            ("RESYNC_DATA, LUWID in the body", |case| {
                question(case, ResyncCarrier::ResyncData, ResyncBody::LuwidInBody);
            }),
            ("RESYNC_DATA, empty", |case| question(case, ResyncCarrier::ResyncData, ResyncBody::Empty)),
            ("STATUS_DATA, number", |case| question(case, ResyncCarrier::StatusData, ResyncBody::Number)),
            ("STATUS_DATA, empty", |case| question(case, ResyncCarrier::StatusData, ResyncBody::Empty)),
            ("MESSAGE_DATA, empty", |case| question(case, ResyncCarrier::MessageData, ResyncBody::Empty)),
        ],
    ),
    axis(
        Phase::Resync,
        "sent again under",
        &[
            ("a new LUWID", |case| case.speech.resend_under_old_luwid = false),
            ("the old LUWID", |case| case.speech.resend_under_old_luwid = true),
        ],
    ),
    // --- close: channel flow 7
    axis(
        Phase::Close,
        "close",
        &[
            ("STATUS_DATA, empty", |case| case.speech.close = Close::Status),
            ("STATUS_DATA, code 8", |case| case.speech.close = Close::StatusTimeout),
            ("STATUS_DATA, code 7", |case| case.speech.close = Close::StatusUserClosed),
            ("with the last request", |case| case.speech.close = Close::WithRequest),
            ("TCP", |case| case.speech.close = Close::Connection),
        ],
    ),
    axis(
        Phase::Close,
        "the close",
        &[
            ("wants no answer", |case| case.speech.close_asks = false),
            ("wants an answer", |case| case.speech.close_asks = true),
        ],
    ),
    axis(
        Phase::Close,
        "FIRST and LAST",
        &[
            ("on messages only", |case| case.speech.first_last_everywhere = false),
            ("everywhere", |case| case.speech.first_last_everywhere = true),
        ],
    ),
    axis(
        Phase::Close,
        "LUWID",
        &[
            ("seconds and counter", |case| case.speech.luwid = LuwidStyle::SecondsCounter),
            ("System/390 clock", |case| case.speech.luwid = LuwidStyle::TimeOfDay),
        ],
    ),
];

fn question(case: &mut Case, carrier: ResyncCarrier, body: ResyncBody) {
    (case.speech.resync_carrier, case.speech.resync_body) = (carrier, body);
}

const NEVER: (&str, &str) = ("confirm request", "never, fast messages");
const NO_COPY: &str = "a sender that never asks keeps no copy, and may lose what it has sent";
const NOT_ASKED: &str = "nothing is asked for on which this could happen";

/// Nothing is lost: the sender finds another LUWID here than its own, and waits for its operator.
const NO_NUMBER: &str =
    "a batch committed at a heartbeat is called confirmed only to a question that names its last number";
const REQUEST_LOST: (&str, &str) = ("what happens", "a request is lost");
const REQUEST_LOST_RECUT: (&str, &str) = ("what happens", "a request is lost, then recut");
const AT_EACH_START: (&str, &str) = ("the question is put", "at each start");
const AT_EACH_BUT_THE_FIRST: (&str, &str) = ("the question is put", "at each start but the first");
const BY_HEARTBEAT: (&str, &str) = ("confirm request", "HEARTBEAT");

const IMPOSSIBLE: &[Impossible] = &[
    Impossible { together: &[NEVER, REQUEST_LOST], why: NO_COPY },
    Impossible { together: &[NEVER, REQUEST_LOST_RECUT], why: NO_COPY },
    Impossible { together: &[NEVER, ("what happens", "an answer is lost")], why: NO_COPY },
    Impossible { together: &[NEVER, ("what happens", "an answer is lost, then recut")], why: NO_COPY },
    Impossible { together: &[NEVER, ("close", "with the last request")], why: NOT_ASKED },
    Impossible { together: &[NEVER, ("LUWID of the request", "zero")], why: NOT_ASKED },
    Impossible { together: &[NEVER, ("heartbeat in the batch", "without LUWID")], why: NOT_ASKED },
    Impossible { together: &[NEVER, ("heartbeat in the batch", "with its LUWID")], why: NOT_ASKED },
    Impossible { together: &[NEVER, ("heartbeat in the batch", "that asks nothing")], why: NOT_ASKED },
    Impossible {
        together: &[BY_HEARTBEAT, ("LUWID of the request", "zero")],
        why: "that is only a heartbeat (wire reference, channel flow 10)",
    },
    Impossible { together: &[BY_HEARTBEAT, AT_EACH_START, ("the question is", "RESYNC_DATA, empty")], why: NO_NUMBER },
    Impossible { together: &[BY_HEARTBEAT, AT_EACH_START, ("the question is", "STATUS_DATA, empty")], why: NO_NUMBER },
    Impossible { together: &[BY_HEARTBEAT, AT_EACH_START, ("the question is", "MESSAGE_DATA, empty")], why: NO_NUMBER },
    Impossible {
        together: &[BY_HEARTBEAT, AT_EACH_BUT_THE_FIRST, ("the question is", "RESYNC_DATA, empty")],
        why: NO_NUMBER,
    },
    Impossible {
        together: &[BY_HEARTBEAT, AT_EACH_BUT_THE_FIRST, ("the question is", "STATUS_DATA, empty")],
        why: NO_NUMBER,
    },
    Impossible {
        together: &[BY_HEARTBEAT, AT_EACH_BUT_THE_FIRST, ("the question is", "MESSAGE_DATA, empty")],
        why: NO_NUMBER,
    },
];
