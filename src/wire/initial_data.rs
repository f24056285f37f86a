//! ID, the body of INITIAL_DATA: what a channel end offers or agrees to.

use super::{CapFlags1, CapFlags2, CapFlags3, ErrFlags1, ErrFlags2};

/// Body of INITIAL_DATA (wire reference, segments 7). The sections beyond 44 bytes are there when the
/// writer's FAP level and the segment's length allow. Names are trimmed text without trailing blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialData {
    /// The writer's FAP level.
    pub fap_level: u8,
    /// Capabilities.
    pub cap_flags1: CapFlags1,
    /// Capabilities that the answerer does not accept (I).
    pub ecap_flags1: CapFlags1,
    /// Which values are refused.
    pub err_flags1: ErrFlags1,
    /// Reserved, offset 8; kept.
    pub reserved8: u16,
    /// BATCHSZ: messages a batch.
    pub max_msg_per_batch: u16,
    /// Largest segment in bytes, TSH included.
    pub max_transmission_size: i32,
    /// MAXMSGL in bytes.
    pub max_msg_size: i32,
    /// SEQWRAP.
    pub seq_wrap: i32,
    /// Channel name, 20 bytes on the wire.
    pub channel_name: String,
    /// From FAP 4: 58 more bytes.
    pub fap4: Option<Fap4>,
    /// From FAP 9: 106 more bytes.
    pub fap9: Option<Fap9>,
    /// From FAP 11: 32 more bytes.
    pub fap11: Option<Fap11>,
    /// Whatever follows what we know; kept.
    pub rest: bytes::Bytes,
}

/// What FAP 4 added, offsets 44 to 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fap4 {
    /// More capabilities.
    pub cap_flags2: CapFlags2,
    /// More capabilities that are not accepted.
    pub ecap_flags2: CapFlags2,
    /// CCSID.
    pub ccsid: u16,
    /// The writer's queue manager, 48 bytes on the wire.
    pub qmgr_name: String,
    /// HBINT in seconds, 0 none.
    pub heartbeat_interval: i32,
    /// EflLength: kept, never used (O: a 240-byte ID with 0 exists).
    pub efl_length: u16,
}

/// What FAP 9 added, offsets 102 to 207.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fap9 {
    /// More refusals.
    pub err_flags2: ErrFlags2,
    /// Reserved, offset 103; kept.
    pub reserved103: u8,
    /// Header compressions: one byte each, 0 none, 0xFF unused.
    pub hdr_comp_list: [u8; 2],
    /// Message compressions: one byte each, 0 none, 0xFF unused.
    pub msg_comp_list: [u8; 16],
    /// Reserved, offset 122; kept.
    pub reserved122: u16,
    /// Secret key reset in bytes.
    pub ssl_key_reset: i32,
    /// Shared conversations, 0 on a message channel.
    pub conv_per_socket: i32,
    /// More capabilities.
    pub cap_flags3: CapFlags3,
    /// More capabilities that are not accepted.
    pub ecap_flags3: CapFlags3,
    /// Reserved, offset 134; kept.
    pub reserved134: u16,
    /// Process of the writer.
    pub process_id: i32,
    /// Thread of the writer.
    pub thread_id: i32,
    /// Trace id of the writer.
    pub trace_id: i32,
    /// Product, as `MQMM09010200`, 12 bytes.
    pub product_id: String,
    /// Queue-manager id, as `QM1_2019-12-05_11.17.01`, 48 bytes.
    pub qmgr_id: String,
}

/// What FAP 11 added, offsets 208 to 239.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fap11 {
    /// Password protection algorithms.
    pub pal: [u8; 20],
    /// Random bytes for password protection.
    pub nonce: [u8; 12],
}
