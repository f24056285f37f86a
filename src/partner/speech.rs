//! How the simulated queue manager talks: every option that the wire reference leaves open to a sender.

use crate::wire::{Alphabet, ByteOrder, ControlFlags1, SegmentType, Tsh};

/// A sender's habits. `Default` is the most plausible of a queue manager on Linux that was told nothing.
///
/// This is the partner's own list, not the gateway's dialect: the two must be able to disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// Byte order of its integers.
    pub byte_order: ByteOrder,
    /// Alphabet of its eye-catchers and names.
    pub alphabet: Alphabet,
    /// CCSID that it announces: 819 or 1208 with ASCII, 500 or 37 with EBCDIC.
    pub ccsid: u16,
    /// FAP level that it offers, 1 to 15.
    pub fap_level: u8,
    /// Largest segment that it offers, TSH included. Seen: 32766, 32758, 32748 (O).
    pub max_transmission_size: i32,
    /// Whether it can split a message over segments (CapFlags1 0x04).
    pub split: bool,
    /// Whether it asks for fast messages, NPMSPEED(FAST) (CapFlags2 0x02).
    pub fast_messages: bool,
    /// Whether it can take distribution lists (CapFlags2 0x01).
    pub distribution_lists: bool,
    /// Whether it offers pipelining, two units of work at once (CapFlags2 0x08).
    pub dual_uow: bool,
    /// Whether it asks for a security exchange (CapFlags1 0x10), which Hitachi passes over (D).
    pub security_request: bool,
    /// Whether it offers to compress, from FAP 9 on.
    pub compression: bool,
    /// Whether, called by a requester, it lowers values without saying so (channel flow 1.3, not seen).
    pub counters_silently: bool,
    /// Whether, called by a requester, it waits for a word of it before it sends (channel flow 8, U).
    pub waits_for_requester: bool,
    /// How long its INITIAL_DATA is (channel flow 1.4).
    pub id_length: IdLength,
    /// Whether it repeats its own FAP level after a counter-proposal of a lower one; the lower one holds all the same.
    pub repeats_fap_level: bool,
    /// ControlFlags1 of INITIAL_DATA: 0x01 of a C-style sender, 0x31 of Java (O).
    pub initial_data_flags: u8,
    /// Whether HEARTBEAT, STATUS_DATA and the like carry FIRST and LAST.
    pub first_last_everywhere: bool,
    /// What stands in a LUWID.
    pub luwid: LuwidStyle,
    /// Whether segments after a message's first begin with an MSH (channel flow 4, U).
    pub continuation_msh: bool,
    /// MSH offset 8 (channel flow 4, U).
    pub data_length: DataLength,
    /// MSH offset 12 in a message of one segment: 0 or 1 (channel flow 10).
    pub unsplit_segment_number: i32,
    /// MSH offset 12 in the first segment of a split message: 0 or 1 (channel flow 10).
    pub first_segment_number: i32,
    /// Whether MSH offset 12 counts in the segments of a split message; else it is the same in all (channel flow 4, U).
    pub counts_segments: bool,
    /// Whether a message's later segments name its LUWID too; else they have zero there.
    pub luwid_in_continuations: bool,
    /// Whether MSH offset 16 is the total in continuations too; else zero there (channel flow 4, U).
    pub total_in_continuations: bool,
    /// How it asks for the confirmation of a batch (channel flow 5, U).
    pub confirm: ConfirmRequest,
    /// Whether a request on a STATUS_DATA of its own has a body: length 12, code 0, last number (channel flow 10).
    pub confirm_body: bool,
    /// Whether such a request leaves the LUWID zero (channel flow 5, last row of the table).
    pub confirm_without_luwid: bool,
    /// Whether a batch that is full has its request on the last message, whatever `confirm` says of the others (channel
    /// flow 5: two forms).
    pub full_batch_on_last: bool,
    /// What it sends before it asks (channel flow 5: BATCHHB).
    pub batch_heartbeat: BatchHeartbeat,
    /// When it asks what the receiver last committed (channel flow 3, U).
    pub resync: Resync,
    /// In what segment it asks that.
    pub resync_carrier: ResyncCarrier,
    /// What that segment holds.
    pub resync_body: ResyncBody,
    /// Whether a batch that was backed out goes again under its old LUWID; else under a new one (channel flow 5, U).
    pub resend_under_old_luwid: bool,
    /// What number RESET_DATA names (channel flow 3, U).
    pub reset_number: ResetNumber,
    /// Whether RESET_DATA asks for an answer.
    pub reset_confirm: bool,
    /// How it ends a channel (channel flow 7, U).
    pub close: Close,
    /// Whether it wants that answered.
    pub close_asks: bool,
}

impl Default for Speech {
    fn default() -> Self {
        Self {
            byte_order: ByteOrder::Little,
            alphabet: Alphabet::Ascii,
            ccsid: 819,
            fap_level: 10,
            max_transmission_size: 32766,
            split: true,
            fast_messages: true,
            distribution_lists: true,
            dual_uow: false,
            security_request: false,
            compression: false,
            counters_silently: false,
            waits_for_requester: false,
            id_length: IdLength::OfLevel,
            repeats_fap_level: false,
            initial_data_flags: 0x01,
            first_last_everywhere: false,
            luwid: LuwidStyle::SecondsCounter,
            continuation_msh: true,
            data_length: DataLength::InSegment,
            unsplit_segment_number: 0,
            first_segment_number: 0,
            counts_segments: true,
            luwid_in_continuations: true,
            total_in_continuations: true,
            confirm: ConfirmRequest::OnLastMessage,
            confirm_body: false,
            confirm_without_luwid: false,
            full_batch_on_last: false,
            batch_heartbeat: BatchHeartbeat::None,
            resync: Resync::InDoubt,
            resync_carrier: ResyncCarrier::ResyncData,
            resync_body: ResyncBody::Number,
            resend_under_old_luwid: false,
            reset_number: ResetNumber::Next,
            reset_confirm: false,
            close: Close::Status,
            close_asks: false,
        }
    }
}

impl Speech {
    /// The same in EBCDIC, CCSID 500, big-endian: as z/OS.
    #[must_use]
    pub fn ebcdic(self) -> Self {
        Self { byte_order: ByteOrder::Big, alphabet: Alphabet::Ebcdic, ccsid: 500, ..self }
    }

    /// Flags that this speaker sets on segments that are no messages.
    pub(super) fn habit(&self) -> ControlFlags1 {
        if self.first_last_everywhere { ControlFlags1::FIRST | ControlFlags1::LAST } else { ControlFlags1::empty() }
    }

    /// A header of this speaker: its byte order, alphabet, CCSID, and the Encoding that goes with them.
    pub(super) fn tsh(&self, segment_type: SegmentType) -> Tsh {
        let tsh = Tsh::new(segment_type).with_byte_order(self.byte_order).with_alphabet(self.alphabet, self.ccsid);
        match (self.byte_order, self.alphabet) {
            (ByteOrder::Big, Alphabet::Ebcdic) => Tsh { encoding: 785, ..tsh },
            _ => tsh,
        }
    }
}

/// How long INITIAL_DATA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdLength {
    /// As its FAP level has it.
    OfLevel,
    /// As the level of the first offer has it, also after a counter-proposal of a lower one.
    OfFirstOffer,
    /// 208 bytes at any level: seen answered by a queue manager (O).
    Longest,
}

/// A heartbeat in an open batch, before its confirmation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchHeartbeat {
    /// There is none.
    None,
    /// CONFIRM_REQUEST, zero LUWID.
    Plain,
    /// CONFIRM_REQUEST and the batch's LUWID.
    WithLuwid,
    /// No CONFIRM_REQUEST: nothing is waited for.
    Unasked,
}

/// What a sender puts into a LUWID (wire reference, segments 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LuwidStyle {
    /// Seconds since 1970 at the start, then a counter, in its own byte order (O, I).
    SecondsCounter,
    /// A System/390 clock value, as z/TPF (O).
    TimeOfDay,
}

/// What stands at MSH offset 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataLength {
    /// Bytes of the message in this segment.
    InSegment,
    /// The agreed transmission size.
    BufferSize,
    /// Where this segment's bytes lie in the message.
    Offset,
}

/// How the confirmation of a batch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmRequest {
    /// CONFIRM_REQUEST on the last segment of the batch's last message.
    OnLastMessage,
    /// A STATUS_DATA of its own.
    StatusData,
    /// A RESYNC_DATA of its own, with the last number.
    ResyncData,
    /// A MESSAGE_DATA without body.
    EmptyMessageData,
    /// A MESSAGE_DATA with the MSH of no message.
    EmptyMsh,
    /// A HEARTBEAT with the LUWID.
    Heartbeat,
    /// Never: fast messages, of which the sender keeps no copy.
    Never,
}

/// When the sender asks what the receiver last committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resync {
    /// Only when in doubt (D).
    InDoubt,
    /// At each start, also the first.
    EachStart,
    /// At each start but the first.
    WithHistory,
    /// Never: what is in doubt is just sent again.
    Never,
}

/// In what segment it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResyncCarrier {
    /// RESYNC_DATA.
    ResyncData,
    /// STATUS_DATA.
    StatusData,
    /// MESSAGE_DATA without body.
    MessageData,
}

/// What the question holds besides the LUWID of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResyncBody {
    /// Length and number.
    Number,
    /// Length, number, LUWID.
    NumberLuwid,
    /// The same, and no LUWID in the header.
    LuwidInBody,
    /// Nothing.
    Empty,
}

/// What number RESET_DATA names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetNumber {
    /// That of the next message.
    Next,
    /// The one before it.
    Last,
}

/// How a sender ends a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// STATUS_DATA without body, CLOSE_CHANNEL.
    Status,
    /// STATUS_DATA with code 8, CLOSE_CHANNEL.
    StatusTimeout,
    /// STATUS_DATA with code 7, CLOSE_CHANNEL.
    StatusUserClosed,
    /// CLOSE_CHANNEL on the last batch's request for confirmation, when nothing is left to send.
    WithRequest,
    /// It closes the connection.
    Connection,
}
