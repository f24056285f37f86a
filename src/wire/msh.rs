//! MSH, the message segment header: 20 bytes in front of message data.

/// Message segment header, 20 bytes (wire reference, segments 8: W; the meaning of offsets 8 and 12 is I).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msh {
    /// Channel sequence number of the message, the same in all its segments (offset 4).
    pub sequence: i32,
    /// Bytes of message in this segment, as we read it (offset 8, I); never checked on receipt.
    pub data_length: i32,
    /// Segment number, as we read it (offset 12, I); never checked on receipt.
    pub segment_number: i32,
    /// Length in bytes of the whole message: MQXQH, MQMD and data (offset 16, W).
    pub message_length: i32,
}
