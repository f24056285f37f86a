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
    /// Whether MSH offset 16 is the total in continuations too; else zero there (channel flow 4, U).
    pub total_in_continuations: bool,
    /// How it asks for the confirmation of a batch (channel flow 5, U).
    pub confirm: ConfirmRequest,
    /// Whether a request on a STATUS_DATA of its own has a body: length 12, code 0, last number (channel flow 10).
    pub confirm_body: bool,
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
            initial_data_flags: 0x01,
            first_last_everywhere: false,
            luwid: LuwidStyle::SecondsCounter,
            continuation_msh: true,
            data_length: DataLength::InSegment,
            unsplit_segment_number: 0,
            first_segment_number: 0,
            total_in_continuations: true,
            confirm: ConfirmRequest::OnLastMessage,
            confirm_body: false,
            resync: Resync::InDoubt,
            resync_carrier: ResyncCarrier::ResyncData,
            resync_body: ResyncBody::Number,
            resend_under_old_luwid: false,
            reset_number: ResetNumber::Next,
            reset_confirm: false,
            close: Close::Status,
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
    /// A HEARTBEAT with the LUWID.
    Heartbeat,
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
}

/// In what segment it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResyncCarrier {
    /// RESYNC_DATA.
    ResyncData,
    /// STATUS_DATA.
    StatusData,
}

/// What the question holds besides the LUWID of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResyncBody {
    /// Length and number.
    Number,
    /// Length, number, LUWID.
    NumberLuwid,
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
    /// It closes the connection.
    Connection,
}
