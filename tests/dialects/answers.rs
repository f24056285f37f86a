//! The options of a receiving queue manager, and our own ways to speak to it, by phase of a conversation.

use mqferry::channel::Dialect;
use mqferry::partner::receiver::{ConfirmAnswer, Habits, Receiving, Rejection, ResyncAnswer, Second};
use mqferry::partner::{DataLength, Death, IdLength, ResyncBody, Speech, Step};
use mqferry::wire::{Alphabet, ByteOrder, StatusCode};

use crate::rows::{Axis, Phase, Row, Table, axis};
use crate::run::memory_folder;
use crate::talk::{Held, Talk};

/// What is run: how the queue manager answers, how we ask, and what happens to it.
#[derive(Debug)]
pub(crate) struct Case {
    speech: Speech,
    habits: Habits,
    dialect: Dialect,
    sizes: &'static [usize],
    death: Option<Death>,
}

impl Default for Case {
    fn default() -> Self {
        let speech = Speech { fast_messages: false, ..Speech::default() };
        Self { speech, habits: Habits::default(), dialect: Dialect::default(), sizes: &[60], death: None }
    }
}

impl Case {
    /// One of our own options, as the configuration has it.
    fn ours(&mut self, key: &str, value: &str) {
        self.dialect.set(key, value).unwrap_or_else(|error| panic!("{error}"));
    }

    fn dies(&mut self, step: Step, batch: u32) {
        self.death = Some(Death { step, after: batch - 1, abort: false });
    }

    fn rejects(&mut self, code: StatusCode, closes: bool) {
        self.habits.rejection = Rejection { code, closes };
        self.habits.rejects = Some((1, 1));
    }

    fn has(&self, key: &str, value: &str) -> bool {
        self.dialect.values().iter().any(|(name, set)| *name == key && set == value)
    }

    /// A receiver that wants its own form of a message is one that has ours.
    fn agreeing(mut self) -> Self {
        if self.habits.strict {
            let (every, zero) = (self.has("msh_in_continuations", "every"), self.has("msh_segment_number", "zero"));
            let first = i32::from(self.has("msh_segment_number", "from_one"));
            let speech = &mut self.speech;
            (speech.continuation_msh, speech.counts_segments) = (every, !zero);
            (speech.first_segment_number, speech.unsplit_segment_number) = (first, first);
            self.speech.total_in_continuations = self.has("msh_message_length", "every_segment");
            self.speech.data_length = match () {
                () if self.has("msh_data_length", "buffer_size") => DataLength::BufferSize,
                () if self.has("msh_data_length", "offset") => DataLength::Offset,
                () => DataLength::InSegment,
            };
        }
        self
    }

    /// Whether an answer to the question about a batch may leave us in doubt, by what the wire reference says of each
    /// (channel flow 3): a LUWID in the body alone is for those who look there; and who never had a batch has no LUWID to
    /// name, so that only a number, or STATUS 4, says so.
    fn may_be_unclear(&self) -> bool {
        let Habits { resync, resync_body, .. } = self.habits;
        let looks_there = self.has("resync_body", "number_and_luwid");
        match (resync, resync_body) {
            (ResyncAnswer::Resync, ResyncBody::LuwidInBody) => !looks_there,
            (ResyncAnswer::Resync, ResyncBody::Empty) | (ResyncAnswer::StatusLuwid, _) => self.first_may_be_lost(),
            (ResyncAnswer::Resync | ResyncAnswer::Status, _) => false,
        }
    }

    /// Whether the first batch may be in doubt and not be there.
    fn first_may_be_lost(&self) -> bool {
        let lost = |death: &Death| matches!(death.step, Step::ConfirmRequestRead | Step::MidCommit) && death.after == 0;
        self.death.as_ref().is_some_and(lost) || self.habits.rejects.is_some()
    }

    pub(crate) fn talk(self) -> Talk {
        let Self { speech, habits, dialect, sizes, death } = self;
        let receiving =
            Receiving { speech, habits, die_at: death, batchsz: 3, hbint: 10, ..Receiving::new("QM1", "unused") };
        Talk { receiving, dialect, sizes }
    }
}

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
            ("whole", |case| (case.speech.split, case.sizes) = (false, &[60, 2000])),
            ("split", |case| (case.speech.max_transmission_size, case.sizes) = (1000, &[60, 600, 2500])),
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
    axis(Phase::Handshake, "our FAP level", &[("4", |_| {}), ("10", |case| case.ours("fap", "10"))]),
    axis(
        Phase::Handshake,
        "our byte order",
        &[
            ("big-endian", |case| case.ours("byte_order", "big")),
            ("little-endian", |case| case.ours("byte_order", "little")),
        ],
    ),
    axis(
        Phase::Handshake,
        "our alphabet",
        &[
            ("ASCII, 819", |_| {}),
            ("EBCDIC, 500", |case| {
                case.ours("alphabet", "ebcdic");
                case.ours("ccsid", "500");
            }),
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
        "other values",
        &[
            ("are proposed", |case| case.speech.counters_silently = false),
            ("just hold", |case| case.speech.counters_silently = true),
        ],
    ),
    axis(
        Phase::Handshake,
        "capabilities it has not",
        &[
            ("are refused", |case| case.habits.refuses_capabilities = true),
            ("are left out", |case| case.habits.refuses_capabilities = false),
        ],
    ),
    // --- transfer: channel flow 4
    axis(
        Phase::Transfer,
        "it takes",
        &[
            ("what can be joined", |case| case.habits.strict = false),
            ("its own form", |case| case.habits.strict = true),
        ],
    ),
    axis(
        Phase::Transfer,
        "MSH in continuations",
        &[("yes", |_| {}), ("no", |case| case.ours("msh_in_continuations", "first_only"))],
    ),
    axis(
        Phase::Transfer,
        "MSH offset 8",
        &[
            ("bytes here", |_| {}),
            ("buffer size", |case| case.ours("msh_data_length", "buffer_size")),
            ("offset", |case| case.ours("msh_data_length", "offset")),
        ],
    ),
    axis(
        Phase::Transfer,
        "MSH offset 12",
        &[
            ("from 0", |_| {}),
            ("from 1", |case| case.ours("msh_segment_number", "from_one")),
            ("always 0", |case| case.ours("msh_segment_number", "zero")),
        ],
    ),
    axis(
        Phase::Transfer,
        "MSH offset 16",
        &[
            ("total everywhere", |_| {}),
            ("total in the first", |case| case.ours("msh_message_length", "first_segment")),
        ],
    ),
    // --- confirm: channel flow 5
    axis(
        Phase::Confirm,
        "confirm request",
        &[
            ("on the last message", |_| {}),
            ("STATUS_DATA", |case| alone(case, "status_data")),
            ("STATUS_DATA with number", |case| {
                alone(case, "status_data");
                case.ours("confirm_request_number", "in_body");
            }),
            ("RESYNC_DATA", |case| alone(case, "resync_data")),
            ("MESSAGE_DATA", |case| alone(case, "message_data")),
            ("HEARTBEAT", |case| alone(case, "heartbeat")),
        ],
    ),
    axis(
        Phase::Confirm,
        "confirm",
        &[
            ("STATUS_DATA, empty", |case| case.habits.confirm = ConfirmAnswer::Status),
            ("STATUS_DATA, code", |case| case.habits.confirm = ConfirmAnswer::StatusCode),
            ("STATUS_DATA, number", |case| case.habits.confirm = ConfirmAnswer::StatusNumber),
            ("as asked", |case| case.habits.confirm = ConfirmAnswer::SameType),
            ("HEARTBEAT", |case| case.habits.confirm = ConfirmAnswer::Heartbeat),
        ],
    ),
    axis(
        Phase::Confirm,
        "LUWID of the confirm",
        &[
            ("of the batch", |case| case.habits.confirm_without_luwid = false),
            ("zero", |case| case.habits.confirm_without_luwid = true),
        ],
    ),
    axis(
        Phase::Confirm,
        "a zero LUWID",
        &[("confirms", |_| {}), ("confirms nothing", |case| case.ours("confirm_luwid", "equal"))],
    ),
    // --- resync: channel flow 3
    axis(
        Phase::Resync,
        "what happens",
        &[
            ("nothing", |_| {}),
            ("1st request is lost", |case| case.dies(Step::ConfirmRequestRead, 1)),
            ("1st commit is half", |case| case.dies(Step::MidCommit, 1)),
            ("1st confirm is lost", |case| case.dies(Step::CommittedNotConfirmed, 1)),
            ("2nd request is lost", |case| case.dies(Step::ConfirmRequestRead, 2)),
            ("2nd confirm is lost", |case| case.dies(Step::CommittedNotConfirmed, 2)),
            ("2nd confirm is half", |case| case.dies(Step::ConfirmHalfSent, 2)),
        ],
    ),
    axis(
        Phase::Resync,
        "the question is put",
        &[
            ("in doubt", |_| {}),
            ("at each start", |case| case.ours("resync_when", "each_start")),
            ("at each start but the first", |case| case.ours("resync_when", "any_history")),
        ],
    ),
    axis(
        Phase::Resync,
        "the question is",
        &[
            ("RESYNC_DATA, number", |_| {}),
            ("RESYNC_DATA, number, LUWID", |case| case.ours("resync_body", "number_and_luwid")),
            ("RESYNC_DATA, empty", |case| case.ours("resync_body", "empty")),
            ("STATUS_DATA, number", |case| case.ours("resync_segment", "status_data")),
        ],
    ),
    axis(
        Phase::Resync,
        "the answer is",
        &[
            ("RESYNC_DATA, number", |case| case.habits.resync_body = ResyncBody::Number),
            ("RESYNC_DATA, number, LUWID", |case| case.habits.resync_body = ResyncBody::NumberLuwid),
            ("RESYNC_DATA, LUWID in the body", |case| case.habits.resync_body = ResyncBody::LuwidInBody),
            ("RESYNC_DATA, empty", |case| case.habits.resync_body = ResyncBody::Empty),
            ("STATUS_DATA", |case| case.habits.resync = ResyncAnswer::Status),
            ("STATUS_DATA with its LUWID", |case| case.habits.resync = ResyncAnswer::StatusLuwid),
        ],
    ),
    // --- close: channel flow 7, and what else is its own
    axis(
        Phase::Close,
        "a batch",
        &[
            ("is taken", |_| {}),
            ("is refused once", |case| case.rejects(StatusCode::CAN_NOT_STORE, false)),
            ("is refused, and the end", |case| case.rejects(StatusCode::BATCH_FAILURE, true)),
        ],
    ),
    axis(
        Phase::Close,
        "flags of the confirm",
        &[
            ("none", |_| {}),
            ("REQUEST_ACCEPTED", |case| case.habits.request_accepted = true),
            ("DLQ_USED", |case| case.habits.always_dlq_used = true),
        ],
    ),
    axis(
        Phase::Close,
        "STATUS 4",
        &[
            ("names the number", |case| case.habits.names_expected = true),
            ("names none", |case| case.habits.names_expected = false),
        ],
    ),
    axis(
        Phase::Close,
        "after a mismatch",
        &[
            ("it goes on", |case| case.habits.closes_after_mismatch = false),
            ("it ends the channel", |case| case.habits.closes_after_mismatch = true),
        ],
    ),
    axis(
        Phase::Close,
        "numbers",
        &[
            ("are looked at", |case| case.habits.ignores_numbers = false),
            ("are not looked at", |case| case.habits.ignores_numbers = true),
        ],
    ),
    axis(
        Phase::Close,
        "number of an answer",
        &[("counts", |_| {}), ("does not count", |case| case.ours("resync_number", "ignored"))],
    ),
    axis(
        Phase::Close,
        "it asks for the end",
        &[
            ("never", |_| {}),
            ("with the first confirm", |case| case.habits.close_after = Some(1)),
            ("at a heartbeat", |case| case.habits.close_in_heartbeat = true),
        ],
    ),
    axis(
        Phase::Close,
        "heartbeats",
        &[
            ("are answered", |case| case.habits.answers_heartbeats = true),
            ("are not", |case| case.habits.answers_heartbeats = false),
        ],
    ),
    axis(
        Phase::Close,
        "a second connection",
        &[
            ("takes the place", |case| case.habits.second = Second::Adopt),
            ("is refused", |case| case.habits.second = Second::Refuse),
        ],
    ),
    axis(
        Phase::Close,
        "our close",
        &[
            ("STATUS_DATA, empty", |_| {}),
            ("STATUS_DATA, code", |case| case.ours("close", "status_code")),
            ("TCP", |case| case.ours("close", "tcp")),
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
];

fn alone(case: &mut Case, segment: &str) {
    case.ours("confirm_request", "alone");
    case.ours("confirm_request_segment", segment);
}

const FULL: &[Phase] = &[Phase::Transfer, Phase::Confirm, Phase::Resync];

const RECEIVERS: Table<Case> = Table { axes: AXES, impossible: &[], full: FULL };

/// In transfer, confirm and resync every combination, with every byte order, alphabet and splitting; of all else every pair. Where the
/// partner's answer says nothing, and only there, the batch stays in doubt, and the operator is told so.
#[test]
fn every_way_to_answer_is_delivered_to_once_or_left_in_doubt() {
    let rows = RECEIVERS.rows();
    RECEIVERS.assert_covered(&rows);
    let (mut failures, mut settled, mut doubtful) = (Vec::new(), Vec::new(), Vec::new());
    for (row, outcome) in rows.iter().zip(all(rows.iter().map(|row| RECEIVERS.case(row).agreeing().talk()))) {
        match outcome {
            Ok(held) => {
                if !held.doubts.is_empty() {
                    doubtful.push(row.clone());
                    if !RECEIVERS.case(row).may_be_unclear() {
                        failures.push((row.clone(), format!("in doubt without need: {:?}", held.doubts)));
                    }
                }
                if held.settled > 0 {
                    settled.push(row.clone());
                }
            }
            Err(why) => failures.push((row.clone(), why)),
        }
    }
    let counts: [(&str, &[Row]); 3] = [("runs", &rows), ("decided by an answer", &settled), ("in doubt", &doubtful)];
    RECEIVERS.tell(&counts);
    crate::none(&rows, &failures, |row| RECEIVERS.describe(row));
    assert!(settled.len() > rows.len() / 3 && doubtful.len() > 100, "{} {}", settled.len(), doubtful.len());
}

/// Plays them all, on as many threads as there are processors.
pub(crate) fn all(talks: impl Iterator<Item = Talk>) -> Vec<Result<Held, String>> {
    let talks: Vec<Talk> = talks.collect();
    let folder = memory_folder();
    let each = talks.len().div_ceil(std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = talks.chunks(each).enumerate().collect();
        let threads: Vec<_> = parts
            .into_iter()
            .map(|(part, talks)| {
                let folder = folder.path().join(part.to_string());
                scope.spawn(move || {
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
                    let play = |talk: &Talk| {
                        std::fs::create_dir_all(&folder).unwrap();
                        let outcome = runtime.block_on(talk.run(&folder));
                        std::fs::remove_dir_all(&folder).unwrap();
                        outcome
                    };
                    talks.iter().map(play).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}
