//! The options of each question, most plausible first, with what speaks for them.
//!
//! Marks D, W, O, I, U are those of the wire reference.

use super::choice::{choice, number};
use crate::wire::{Alphabet, ByteOrder};

number! {
    /// Hitachi's licensed product speaks FAP 4 or 1 and nothing else and is sold for use with IBM MQ (D), so 4 is
    /// enough; higher levels bring compression and properties that we do not need.
    Fap(u8) = 4, 1 ..= 15
}

number! {
    /// 819 and 1208 are what every queue manager converts; a queue manager refuses a partner whose CCSID it cannot
    /// convert with (D: APAR PM76645).
    Ccsid(u16) = 819, 1 ..= 65535
}

number! {
    /// 32766 is the largest value seen (O: 32766, 32758, 32748).
    TransmissionSize(i32) = 32766, 512 ..= 16777216
}

choice! {
    /// Both orders are seen from queue managers (O); each reads the other's.
    Order {
        /// Most significant byte first, Encoding 273.
        Big = "big",
        /// Least significant byte first, Encoding 546.
        Little = "little",
    }
}

impl From<Order> for ByteOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Big => Self::Big,
            Order::Little => Self::Little,
        }
    }
}

choice! {
    /// EBCDIC eye-catchers exist (W); nobody needs ours to be.
    Letters {
        /// ASCII.
        Ascii = "ascii",
        /// EBCDIC; set `ccsid` to 500 or another EBCDIC page with it.
        Ebcdic = "ebcdic",
    }
}

impl From<Letters> for Alphabet {
    fn from(letters: Letters) -> Self {
        match letters {
            Letters::Ascii => Self::Ascii,
            Letters::Ebcdic => Self::Ebcdic,
        }
    }
}

choice! {
    /// A C-style client sends 0x01, a Java client 0x31, answers are 0x00 (O, client channels).
    InitialFlags {
        /// CONFIRM_REQUEST, 0x01.
        ConfirmRequest = "confirm_request",
        /// CONFIRM_REQUEST, FIRST and LAST, 0x31.
        FirstLast = "first_last",
        /// 0x00.
        None = "none",
    }
}

choice! {
    /// 0x08 is what senders and servers answered in Metasploit's tests (O); what a real requester adds is U.
    RequesterCapabilities {
        /// 0x08, REQUEST_INITIATION alone.
        InitiationOnly = "initiation_only",
        /// 0x0F, with sequence numbers, conversion and splitting.
        WithSenderBits = "with_sender_bits",
    }
}

choice! {
    /// A code exists for a bad ID (W); whether a queue manager sends it or just closes is I.
    BadInitialData {
        /// STATUS 0x0E (or 0x0A for another segment type), then close.
        Status = "status",
        /// Close without a word.
        Close = "close",
    }
}

choice! {
    /// Seen on client channels (O) and described by Hitachi for message channels (D): an answer with ERROR, go round again.
    CounterProposal {
        /// INITIAL_DATA with ERROR and the values we want; the caller asks again.
        Error = "error",
        /// Lower the values in an answer without ERROR; not seen.
        Silent = "silent",
    }
}

choice! {
    /// ErrFlags1 0x40 and STATUS 0x15 both exist (W); AMQ9505 prints both values, which only INITIAL_DATA carries (I).
    SeqWrapRefusal {
        /// INITIAL_DATA with ErrFlags1 0x40 and our value, then STATUS 0x15.
        Both = "both",
        /// STATUS 0x15 alone.
        Status = "status",
        /// INITIAL_DATA with ErrFlags1 0x40 alone.
        InitialData = "initial_data",
    }
}

choice! {
    /// Hitachi describes the question only after failures (D); IBM: "where necessary" (D).
    ResyncWhen {
        /// When the sender is in doubt.
        InDoubt = "in_doubt",
        /// At each start.
        EachStart = "each_start",
        /// At start when the sender has any history.
        AnyHistory = "any_history",
    }
}

choice! {
    /// A confirmation request that names LUWID and number (D, Hitachi); the carrier is U, RESYNC_DATA fits by its name.
    ResyncSegment {
        /// RESYNC_DATA with CONFIRM_REQUEST.
        ResyncData = "resync_data",
        /// STATUS_DATA with CONFIRM_REQUEST and a body that holds the number.
        StatusData = "status_data",
    }
}

choice! {
    /// U; the first is the layout of RESET_DATA (W).
    ResyncBody {
        /// int length 8, int sequence number; the LUWID is in the TSH.
        Number = "number",
        /// int length 16, int sequence number, the LUWID in the body too.
        NumberAndLuwid = "number_and_luwid",
        /// Empty.
        Empty = "empty",
    }
}

choice! {
    /// U; the answer to a question put in STATUS_DATA is always STATUS_DATA.
    ResyncAnswer {
        /// RESYNC_DATA with our last LUWID and number.
        ResyncData = "resync_data",
        /// STATUS_DATA: empty for "committed", code 4 for a mismatch.
        StatusData = "status_data",
    }
}

choice! {
    /// Hitachi's receiver agrees when LUWID *and* number agree (D). A LUWID that matches while the number names a
    /// message we never committed is answered with STATUS 4: saying "committed" could lose messages. To a sender it says
    /// whether a number that comes with an answer or a confirm must be the batch's.
    ResyncNumber {
        /// A number that we did not commit is a mismatch.
        Compared = "compared",
        /// Only the LUWID counts.
        Ignored = "ignored",
    }
}

choice! {
    /// Ours (channel flow 10): the sender backs out and sends again on the same connection.
    ResyncMismatch {
        /// The channel stays open, messages follow.
        StayOpen = "stay_open",
        /// STATUS 4 and close.
        Close = "close",
    }
}

choice! {
    /// AMQ9526 says that a message *has been sent* with the wrong number (D, APAR IT40467), which fits the first.
    SequenceMismatch {
        /// The first message's number does not follow: STATUS 4.
        AtFirstMessage = "at_first_message",
        /// A resync question names another number than ours: STATUS 4.
        AtResync = "at_resync",
    }
}

choice! {
    /// IBM stops such a channel until RESET CHANNEL (D); newer ones can be told not to (D).
    FirstNumber {
        /// The number that follows, or STATUS 4.
        Strict = "strict",
        /// Any number on the first message of a connection.
        AcceptAnyStart = "accept_any_start",
    }
}

choice! {
    /// Hitachi logs "new sequence number", IBM "the sequence number to be used the next time"; off by one is U.
    ResetNumber {
        /// The number in RESET_DATA or the one after it, once.
        Either = "either",
        /// The number in RESET_DATA.
        Next = "next",
        /// The one after the number in RESET_DATA.
        Last = "last",
    }
}

choice! {
    /// STATUS bodies with a third int exist (W), and Hitachi prints both numbers at either end (D); which one travels is U.
    SequenceErrorValue {
        /// The number expected next.
        Expected = "expected",
        /// The last number committed.
        Last = "last",
        /// No third int.
        None = "none",
    }
}

choice! {
    /// Hitachi splits for a partner that says it can, and dead-letters what does not fit one that cannot (D).
    Split {
        /// Split what does not fit one segment, if the partner can (CapFlags1 0x04).
        WhenNeeded = "when_needed",
        /// Messages that do not fit one segment go to the sender's dead-letter queue.
        Never = "never",
    }
}

choice! {
    /// "Message *segment* header", SEGMENT_NUMBER_ERROR (I); MQI calls repeat no header (O).
    MshInContinuations {
        /// In every MESSAGE_DATA.
        Every = "every",
        /// In the first only.
        FirstOnly = "first_only",
    }
}

choice! {
    /// Detection cannot err on realistic data: eye-catcher, sequence number and a length must all fit.
    MshRecognition {
        /// By eye-catcher, sequence number and length.
        Detect = "detect",
        /// Every continuation begins with one.
        Always = "always",
        /// No continuation begins with one.
        Never = "never",
    }
}

choice! {
    /// Wireshark names the field "buffer length" or "data length" (W); the meaning is I.
    MshDataLength {
        /// Bytes of message in this segment.
        SegmentBytes = "segment_bytes",
        /// Size of the sender's buffer: the agreed transmission size.
        BufferSize = "buffer_size",
        /// Offset of this segment's bytes in the message.
        Offset = "offset",
    }
}

choice! {
    /// Wireshark calls it unknown (W). An unsplit message gets 0 in the first and last option.
    MshSegmentNumber {
        /// Segment number from 0.
        FromZero = "from_zero",
        /// Segment number from 1, in unsplit messages too.
        FromOne = "from_one",
        /// Always 0.
        Zero = "zero",
    }
}

choice! {
    /// Wireshark subtracts the headers it finds from it to get the application length (W).
    MshMessageLength {
        /// The whole message's length in every segment.
        EverySegment = "every_segment",
        /// In the first segment, 0 in the others.
        FirstSegment = "first_segment",
    }
}

choice! {
    /// IBM's Java client pads large calls to a multiple of 4 (O); message channels: no sign of it.
    TrailingPadding {
        /// STATUS 0x12.
        Refuse = "refuse",
        /// Up to three bytes beyond the announced length are dropped.
        Drop = "drop",
    }
}

choice! {
    /// The rule with 476 in Hitachi's guide counts application data only (D). A receiver does not refuse for it.
    MaxMsgSizeCounts {
        /// Application data, without the 428 bytes of MQXQH and MQMD.
        Data = "data",
        /// Everything behind the MSH.
        WholeMessage = "whole_message",
    }
}

choice! {
    /// We refuse NPMSPEED(FAST); should a partner send so all the same, nobody would ever commit these messages.
    UnconfirmedMessages {
        /// Committed one second after the last segment or at the channel's end, if none of them is persistent.
        CommitAfterOneSecond = "commit_after_one_second",
        /// Wait for the confirm request, and roll back without one.
        WaitForConfirm = "wait_for_confirm",
    }
}

choice! {
    /// Two forms exist at Hitachi (D). A receiver answers both.
    ConfirmRequest {
        /// On the last segment of the batch's last message.
        OnLastMessage = "on_last_message",
        /// In a segment of its own.
        Alone = "alone",
    }
}

choice! {
    /// U. A receiver answers each of them.
    ConfirmRequestSegment {
        /// STATUS_DATA.
        StatusData = "status_data",
        /// RESYNC_DATA with the last number.
        ResyncData = "resync_data",
        /// MESSAGE_DATA without body.
        MessageData = "message_data",
        /// HEARTBEAT with the batch's LUWID.
        Heartbeat = "heartbeat",
    }
}

choice! {
    /// Ours; tolerated with and without.
    ConfirmRequestNumber {
        /// No body.
        None = "none",
        /// Length 12, code 0, the number.
        InBody = "in_body",
    }
}

choice! {
    /// Confirms of 28 bytes are seen (W), that they name the LUWID is I. A zero one is taken only from a partner that we
    /// called and that has named none yet; in a resync never.
    ConfirmLuwid {
        /// Ours, or zero.
        EqualOrZero = "equal_or_zero",
        /// Ours.
        Equal = "equal",
    }
}

choice! {
    /// A receiver stores the number and carries on (D: Hitachi); that it answers when asked is I.
    ResetConfirm {
        /// RESET_DATA asks for no answer.
        NotAsked = "not_asked",
        /// CONFIRM_REQUEST; messages follow only after the answer.
        Asked = "asked",
    }
}

choice! {
    /// The flag exists (W); its use is U.
    ConfirmAccepted {
        /// REQUEST_ACCEPTED is not set.
        NotSet = "not_set",
        /// REQUEST_ACCEPTED is set.
        Set = "set",
    }
}

choice! {
    /// CLOSE_CHANNEL with a refused batch is "probably" (I); a rejection after which the conversation goes on lacks it (D in effect).
    BatchRefusal {
        /// ERROR and CLOSE_CHANNEL.
        ErrorAndClose = "error_and_close",
        /// ERROR alone; we close all the same.
        Error = "error",
    }
}

choice! {
    /// Requests carry CONFIRM_REQUEST (I, strong).
    HeartbeatUnasked {
        /// No answer.
        Ignore = "ignore",
        /// Answered as if it asked.
        Answer = "answer",
    }
}

choice! {
    /// Ours (channel flow 10); with a zero or another LUWID nothing is confirmed.
    HeartbeatConfirms {
        /// Commit, then answer HEARTBEAT with that LUWID.
        OpenBatch = "open_batch",
        /// Only ever a heartbeat.
        Never = "never",
    }
}

choice! {
    /// U which IBM sends. All are taken as a normal end between batches.
    Close {
        /// STATUS_DATA without body, CLOSE_CHANNEL.
        Status = "status",
        /// STATUS_DATA with code 8 (disconnect interval) or 7 (operator), CLOSE_CHANNEL.
        StatusCode = "status_code",
        /// Close TCP without a word.
        Tcp = "tcp",
    }
}

choice! {
    /// U whether a close is answered.
    CloseAnswer {
        /// Only if it carries CONFIRM_REQUEST.
        IfAsked = "if_asked",
        /// Always, with STATUS_DATA and CLOSE_CHANNEL.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

choice! {
    /// Hitachi's receiver stops the channel after the echo (D).
    AfterPing {
        /// The channel ends; the partner has a second to close first.
        Stop = "stop",
        /// The channel stays open.
        StayOpen = "stay_open",
    }
}

choice! {
    /// U; the first is what we implement.
    RequesterStart {
        /// The server starts with MESSAGE_DATA when it has messages.
        Wait = "wait",
        /// The requester sends an empty STATUS_DATA first. Only where the server is known to wait for it: another could take
        /// it for the confirm of its first batch.
        Status = "status",
    }
}
