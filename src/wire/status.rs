//! STATUS_DATA: success, or a code and perhaps more integers.

/// A status code (wire reference, status-codes), unknown values kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusCode(pub u32);

#[allow(missing_docs)]
impl StatusCode {
    pub const OK: Self = Self(0);
    pub const NO_CHANNEL: Self = Self(1);
    pub const CHANNEL_WRONG_TYPE: Self = Self(2);
    pub const QM_UNAVAILABLE: Self = Self(3);
    pub const MSG_SEQUENCE_ERROR: Self = Self(4);
    pub const QM_TERMINATING: Self = Self(5);
    pub const CAN_NOT_STORE: Self = Self(6);
    pub const USER_CLOSED: Self = Self(7);
    pub const TIMEOUT_EXPIRED: Self = Self(8);
    pub const TARGET_Q_UNKNOWN: Self = Self(9);
    pub const PROTOCOL_SEGMENT_TYPE: Self = Self(0x0A);
    pub const PROTOCOL_LENGTH_ERROR: Self = Self(0x0B);
    pub const PROTOCOL_INVALID_DATA: Self = Self(0x0C);
    pub const PROTOCOL_SEGMENT_ERROR: Self = Self(0x0D);
    pub const PROTOCOL_ID_ERROR: Self = Self(0x0E);
    pub const PROTOCOL_MSH_ERROR: Self = Self(0x0F);
    pub const PROTOCOL_GENERAL: Self = Self(0x10);
    pub const BATCH_FAILURE: Self = Self(0x11);
    pub const MESSAGE_LENGTH_ERROR: Self = Self(0x12);
    pub const SEGMENT_NUMBER_ERROR: Self = Self(0x13);
    pub const SECURITY_FAILURE: Self = Self(0x14);
    pub const WRAP_VALUE_ERROR: Self = Self(0x15);
    pub const CHANNEL_UNAVAILABLE: Self = Self(0x16);
    pub const CLOSED_BY_EXIT: Self = Self(0x17);
    pub const CIPHER_SPEC: Self = Self(0x18);
    pub const PEER_NAME: Self = Self(0x19);
    pub const SSL_CLIENT_CERTIFICATE: Self = Self(0x1A);
    pub const RMT_RSRCS_IN_RECOVERY: Self = Self(0x1B);
    pub const SSL_REFRESHING: Self = Self(0x1C);
    pub const STANDBY_Q_MGR: Self = Self(0x20);
    pub const CCSID_NOT_SUPPORTED: Self = Self(0xF0);
    pub const ENCODING_INVALID: Self = Self(0xF1);
    pub const FAP_LEVEL: Self = Self(0xF2);
    pub const NEGOTIATION_FAILED: Self = Self(0xF3);
}

/// Body of a STATUS_DATA segment; no body at all is [`Status::OK`] and re-emits as none (wire reference, segments 9, W and O).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code, or none when the segment has no body, which means success (I).
    pub code: Option<StatusCode>,
    /// Further integers; their meaning depends on the code (U).
    pub values: Vec<i32>,
}
