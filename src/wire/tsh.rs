//! TSH, the transmission segment header: 28 bytes in front of everything.

use super::{Alphabet, ByteOrder, ControlFlags1, ControlFlags2, Luwid};

/// What a segment is for: one byte at TSH offset 9, unknown values kept (wire reference, segments 4, W).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentType(pub u8);

#[allow(missing_docs)]
impl SegmentType {
    pub const INITIAL_DATA: Self = Self(0x01);
    pub const RESYNC_DATA: Self = Self(0x02);
    pub const RESET_DATA: Self = Self(0x03);
    pub const MESSAGE_DATA: Self = Self(0x04);
    pub const STATUS_DATA: Self = Self(0x05);
    pub const SECURITY_DATA: Self = Self(0x06);
    pub const PING_DATA: Self = Self(0x07);
    pub const USERID_DATA: Self = Self(0x08);
    pub const HEARTBEAT: Self = Self(0x09);
    pub const CONAUTH_INFO: Self = Self(0x0A);
    pub const RENEGOTIATE_DATA: Self = Self(0x0B);
    pub const SOCKET_ACTION: Self = Self(0x0C);
    pub const ASYNC_MESSAGE: Self = Self(0x0D);
    pub const REQUEST_MSGS: Self = Self(0x0E);
    pub const NOTIFICATION: Self = Self(0x0F);
}

/// The transmission segment header, 28 bytes (wire reference, segments 2, W and O). The length is not
/// kept: it is always that of the header and the body behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tsh {
    /// Alphabet of the eye-catcher, and so of the names in the body.
    pub alphabet: Alphabet,
    /// Which of `TSH `, `TSHM` and `TSHC` it is.
    pub kind: TshKind,
    /// Byte order of all integers of this segment but its length.
    pub byte_order: ByteOrder,
    /// Segment type.
    pub segment_type: SegmentType,
    /// ControlFlags1.
    pub flags1: ControlFlags1,
    /// ControlFlags2.
    pub flags2: ControlFlags2,
    /// The batch, or zero.
    pub luwid: Luwid,
    /// The sender's MQENC value; need not agree with `byte_order` (O).
    pub encoding: i32,
    /// CCSID of the sender's text fields.
    pub ccsid: u16,
    /// Zero as seen; any value is accepted and kept.
    pub reserved: u16,
}

/// The three eye-catchers of a segment header (wire reference, segments 3, W and O).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TshKind {
    /// `TSH `: the only one that belongs on a message channel.
    #[default]
    Plain,
    /// `TSHM`, 36 bytes, of shared client conversations.
    Multiplexed {
        /// Conversation id, big-endian on the wire.
        conversation: u32,
        /// Request id, big-endian on the wire.
        request: u32,
    },
    /// `TSHC`, laid out as `TSH `.
    Common,
}
