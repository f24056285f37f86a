//! What a receiving queue manager is told, and what it tells.

use std::path::PathBuf;
use std::time::Duration;

use crate::partner::speech::ResyncBody;
use crate::partner::{Agreed, Death, Speech};
use crate::wire::{CapFlags1, ErrFlags1, StatusCode};

/// A queue manager's receiving channels. Attributes in MQSC's words and units.
#[derive(Clone, Debug)]
pub struct Receiving {
    /// The queue manager, up to 48 characters.
    pub qmgr_name: String,
    /// Its id, said from FAP 9 on.
    pub qmgr_id: String,
    /// The channels that it has defined; none: any that a caller names.
    pub channels: Vec<String>,
    /// Folder of its journal.
    pub folder: PathBuf,
    /// How it talks. Of a sender's habits those count that a receiver shares: byte order, alphabet, CCSID, FAP level,
    /// sizes and capabilities, length of INITIAL_DATA, silent counter-proposals, FIRST and LAST everywhere, the number
    /// that RESET_DATA names; with [`Habits::strict`] also what it expects in an MSH.
    pub speech: Speech,
    /// How it answers.
    pub habits: Habits,
    /// BATCHSZ.
    pub batchsz: u16,
    /// MAXMSGL in bytes.
    pub maxmsgl: i32,
    /// SEQWRAP.
    pub seqwrap: i32,
    /// HBINT in seconds, 0 none.
    pub hbint: i32,
    /// Queues that do not exist: messages for them go to the dead-letter queue (MQRC 2085).
    pub unknown_queues: Vec<String>,
    /// Whether there is a dead-letter queue; without one a batch with a message for it is rejected.
    pub dead_letter_queue: bool,
    /// Other queue managers that it takes messages for; none: for any. Else a message for another is a dead letter
    /// (MQRC 2087).
    pub qmgr_aliases: Option<Vec<String>>,
    /// Bound of each wait in the handshake.
    pub answer_timeout: Duration,
    /// Where to die.
    pub die_at: Option<Death>,
    /// Whether a commit survives a power cut too.
    pub fsync: bool,
    /// File to which each segment is appended as `text2pcap -D` reads it.
    pub capture: Option<PathBuf>,
}

impl Receiving {
    /// A queue manager of this name with MQSC's defaults, that has any channel and any queue.
    pub fn new(qmgr_name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        let qmgr_name = qmgr_name.into();
        Self {
            qmgr_id: format!("{qmgr_name}_2026-01-02_03.04.05"),
            qmgr_name,
            channels: Vec::new(),
            folder: folder.into(),
            speech: Speech { fast_messages: false, ..Speech::default() },
            habits: Habits::default(),
            batchsz: 50,
            maxmsgl: 4_194_304,
            seqwrap: 999_999_999,
            hbint: 300,
            unknown_queues: Vec::new(),
            dead_letter_queue: true,
            qmgr_aliases: Some(Vec::new()),
            answer_timeout: Duration::from_secs(60),
            die_at: None,
            fsync: true,
            capture: None,
        }
    }
}

/// A receiver's habits: every option that the wire reference leaves open to one. `Default` is the most plausible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// What it says to a caller.
    pub greeting: Greeting,
    /// Whether a capability that the caller offers and it has not is refused (ECap, ERROR); else only left out.
    pub refuses_capabilities: bool,
    /// How another SEQWRAP is refused.
    pub seqwrap: SeqWrapRefusal,
    /// CapFlags1 of its call as a requester: 0x08, or 0x0F (segments 7, channel flow 1.1).
    pub requester: CapFlags1,
    /// Whether, as a requester, it speaks first after the handshake (channel flow 8, U).
    pub requester_speaks_first: bool,
    /// Whether messages must have the MSHs that its own speech would write; else anything is taken that can be joined.
    pub strict: bool,
    /// Whether numbers are not looked at (IgnoreSeqNumberMismatch).
    pub ignores_numbers: bool,
    /// Whether STATUS 4 names the expected number as a third integer.
    pub names_expected: bool,
    /// In what a batch is confirmed.
    pub confirm: ConfirmAnswer,
    /// Whether a confirmation leaves the LUWID zero.
    pub confirm_without_luwid: bool,
    /// Whether a confirmation carries REQUEST_ACCEPTED.
    pub request_accepted: bool,
    /// Whether every confirmation says that the dead-letter queue was used; else only when it was.
    pub always_dlq_used: bool,
    /// Asks for the channel's end in the confirmation of the so manieth batch of a connection, from 1.
    pub close_after: Option<u32>,
    /// Whether it asks for the channel's end in the answer to a heartbeat.
    pub close_in_heartbeat: bool,
    /// Whether heartbeats are answered.
    pub answers_heartbeats: bool,
    /// In what the question about a batch is answered (channel flow 3).
    pub resync: ResyncAnswer,
    /// What that answer holds besides the LUWID of its header.
    pub resync_body: ResyncBody,
    /// Whether it ends the channel after an answer that says that it does not have the batch.
    pub closes_after_mismatch: bool,
    /// What it answers instead of the truth to the question about a batch.
    pub resync_lie: Option<Lie>,
    /// What it answers instead of a confirmation.
    pub confirm_lie: Option<Lie>,
    /// Whether a batch that it lies about is committed; else it is rolled back.
    pub commits_when_lying: bool,
    /// How many lies it tells in its life, then it is honest.
    pub lies: u32,
    /// How a batch is rejected that has a message for which there is no place.
    pub rejection: Rejection,
    /// Rejects these requests for confirmation besides, by their numbers in its life: the first, and how many.
    pub rejects: Option<(u32, u32)>,
    /// What becomes of a second connection of a channel that runs.
    pub second: Second,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            greeting: Greeting::Agree,
            refuses_capabilities: true,
            seqwrap: SeqWrapRefusal::Counter,
            requester: CapFlags1::REQUEST_INITIATION,
            requester_speaks_first: false,
            strict: false,
            ignores_numbers: false,
            names_expected: true,
            confirm: ConfirmAnswer::Status,
            confirm_without_luwid: false,
            request_accepted: false,
            always_dlq_used: false,
            close_after: None,
            close_in_heartbeat: false,
            answers_heartbeats: true,
            resync: ResyncAnswer::Resync,
            resync_body: ResyncBody::Number,
            closes_after_mismatch: false,
            resync_lie: None,
            confirm_lie: None,
            commits_when_lying: true,
            lies: u32::MAX,
            rejection: Rejection { code: StatusCode::CAN_NOT_STORE, closes: false },
            rejects: None,
            second: Second::Adopt,
        }
    }
}

/// What a receiver says to a caller's first INITIAL_DATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// It agrees, or proposes what it can agree to.
    Agree,
    /// STATUS_DATA with this code, ERROR and CLOSE_CHANNEL, and it closes.
    Refuse(StatusCode),
    /// The code alone, without flags.
    RefuseBarely(StatusCode),
    /// INITIAL_DATA with ERROR and these bits to every offer, whatever it is.
    Insist(ErrFlags1),
    /// INITIAL_DATA with ERROR and another transmission size each time.
    NeverContent,
    /// It agrees, and then says STATUS_DATA with this code and closes.
    AgreeThenRefuse(StatusCode),
    /// A SECURITY_DATA after the agreement, as with a security exit.
    AgreeThenSecurity,
    /// Another segment than INITIAL_DATA.
    OtherSegment,
    /// Bytes that are no segment.
    Garbage,
    /// Nothing, and the connection stays.
    Silence,
    /// It closes.
    Close,
}

/// How another SEQWRAP is refused (channel flow 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqWrapRefusal {
    /// INITIAL_DATA with ERROR, ErrFlags1 0x40 and its own value.
    Counter,
    /// STATUS_DATA with code 0x15.
    Status,
}

/// In what a batch is confirmed (channel flow 5). A request on a HEARTBEAT is always answered by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmAnswer {
    /// STATUS_DATA without body, 28 bytes.
    Status,
    /// STATUS_DATA with length 8 and code 0.
    StatusCode,
    /// STATUS_DATA with length 12, code 0 and the last number.
    StatusNumber,
    /// The type of the request: RESYNC_DATA by RESYNC_DATA with the number; else STATUS_DATA without body.
    SameType,
    /// A HEARTBEAT with the LUWID.
    Heartbeat,
}

/// In what the question about a batch is answered (channel flow 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResyncAnswer {
    /// RESYNC_DATA with its own last LUWID and number.
    Resync,
    /// STATUS_DATA: without body for a batch that it has, code 4 for one that it has not.
    Status,
    /// STATUS_DATA, code 0, with its own last LUWID and number.
    StatusLuwid,
}

/// An answer that is not the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// A LUWID that nobody ever had.
    WrongLuwid,
    /// A LUWID of zeros.
    ZeroLuwid,
    /// The LUWID of the batch before its last.
    OldLuwid,
    /// The LUWID that was asked for, whatever its own is.
    AskedLuwid,
    /// Another number, 7 higher than the last.
    WrongNumber,
    /// STATUS 4.
    SequenceError,
    /// Another status.
    Refusal(StatusCode),
    /// The right answer with the flag ERROR.
    ErrorFlag,
    /// A segment that belongs nowhere here: PING_DATA.
    OtherType,
    /// A body that cannot be read: STATUS_DATA of 3 bytes.
    BadBody,
    /// Nothing.
    Silence,
    /// It closes the connection.
    Close,
}

/// How a batch is rejected (channel flow 5, U).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// 6 CAN_NOT_STORE, 0x11 BATCH_FAILURE or another.
    pub code: StatusCode,
    /// Whether CLOSE_CHANNEL goes with it and the channel ends; else the conversation goes on.
    pub closes: bool,
}

/// What becomes of a second connection of a channel that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// The first ends and its unit of work is rolled back (AdoptNewMCA).
    Adopt,
    /// STATUS 0x16.
    Refuse,
}

/// What a receiver did in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that reached agreement.
    pub connections: u64,
    /// Counter-proposals made.
    pub counter_proposals: u64,
    /// Callers that were refused.
    pub refused: u64,
    /// Connections that took the place of another.
    pub adopted: u64,
    /// Messages committed, dead letters included.
    pub messages: u64,
    /// Those of them that are dead letters.
    pub dead_letters: u64,
    /// Messages that came in more than one segment.
    pub split: u64,
    /// Batches committed.
    pub batches: u64,
    /// Batches rejected.
    pub rejected: u64,
    /// Units of work rolled back because a connection ended.
    pub rolled_back: u64,
    /// Heartbeats that were asked for.
    pub heartbeats: u64,
    /// Questions about a batch that it has.
    pub resync_same: u64,
    /// Questions about a batch that it has not.
    pub resync_other: u64,
    /// Lies told.
    pub lies: u64,
    /// RESET_DATA taken.
    pub resets: u64,
    /// Pings echoed.
    pub pings: u64,
    /// Goodbyes: what the status of each said.
    pub goodbyes: Vec<String>,
    /// How connections ended that did not end well, in one line each.
    pub troubles: Vec<String>,
    /// Last values agreed.
    pub agreed: Option<Agreed>,
}
