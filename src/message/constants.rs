//! Values of the descriptor's fields, under IBM's names without the `MQxx_` prefix (wire reference, headers, D).

/// Formats, without their padding; compare with [`Chars::is`](super::Chars::is).
#[allow(missing_docs)]
pub mod format {
    pub const NONE: &str = "";
    pub const STRING: &str = "MQSTR";
    pub const XMIT_Q_HEADER: &str = "MQXMIT";
    pub const DEAD_LETTER_HEADER: &str = "MQDEAD";
    pub const MD_EXTENSION: &str = "MQHMDE";
    pub const DIST_HEADER: &str = "MQHDIST";
    pub const RF_HEADER: &str = "MQHRF";
    pub const RF_HEADER_2: &str = "MQHRF2";
    pub const REF_MSG_HEADER: &str = "MQHREF";
    pub const WORK_INFO_HEADER: &str = "MQHWIH";
    pub const CICS: &str = "MQCICS";
    pub const SAP: &str = "MQHSAP";
    pub const IMS: &str = "MQIMS";
    pub const IMS_VAR_STRING: &str = "MQIMSVS";
    pub const TRIGGER: &str = "MQTRIG";
    pub const ADMIN: &str = "MQADMIN";
    pub const EVENT: &str = "MQEVENT";
    pub const PCF: &str = "MQPCF";
    pub const EMBEDDED_PCF: &str = "MQHEPCF";
    pub const COMMAND_1: &str = "MQCMD1";
    pub const COMMAND_2: &str = "MQCMD2";
    pub const AMQP: &str = "MQAMQP";
}

/// Bits of Report.
#[allow(missing_docs)]
pub mod report {
    pub const PAN: i32 = 0x1;
    pub const NAN: i32 = 0x2;
    pub const ACTIVITY: i32 = 0x4;
    pub const PASS_CORREL_ID: i32 = 0x40;
    pub const PASS_MSG_ID: i32 = 0x80;
    pub const COA: i32 = 0x100;
    pub const COA_WITH_DATA: i32 = 0x300;
    pub const COA_WITH_FULL_DATA: i32 = 0x700;
    pub const COD: i32 = 0x800;
    pub const COD_WITH_DATA: i32 = 0x1800;
    pub const COD_WITH_FULL_DATA: i32 = 0x3800;
    pub const PASS_DISCARD_AND_EXPIRY: i32 = 0x4000;
    pub const EXPIRATION: i32 = 0x0020_0000;
    pub const EXPIRATION_WITH_DATA: i32 = 0x0060_0000;
    pub const EXPIRATION_WITH_FULL_DATA: i32 = 0x00E0_0000;
    pub const EXCEPTION: i32 = 0x0100_0000;
    pub const EXCEPTION_WITH_DATA: i32 = 0x0300_0000;
    pub const EXCEPTION_WITH_FULL_DATA: i32 = 0x0700_0000;
    pub const DISCARD_MSG: i32 = 0x0800_0000;
    /// Unknown bits among these must be rejected by who does not understand them.
    pub const REJECT_UNSUPPORTED_MASK: i32 = 0x101C_0000;
    /// Unknown bits among these may pass if the message is only on its way to a transmission queue.
    pub const ACCEPT_UNSUPPORTED_IF_XMIT_MASK: i32 = 0x0003_FF00;
}

/// Values of MsgType; 65536 to 999999999 are the application's.
#[allow(missing_docs)]
pub mod msg_type {
    pub const REQUEST: i32 = 1;
    pub const REPLY: i32 = 2;
    pub const REPORT: i32 = 4;
    pub const DATAGRAM: i32 = 8;
}

/// Values of Expiry.
#[allow(missing_docs)]
pub mod expiry {
    pub const UNLIMITED: i32 = -1;
}

/// Values of Feedback; 2000 to 2999 are reason codes, 65536 and up the application's.
#[allow(missing_docs)]
pub mod feedback {
    pub const NONE: i32 = 0;
    pub const QUIT: i32 = 256;
    pub const EXPIRATION: i32 = 258;
    pub const COA: i32 = 259;
    pub const COD: i32 = 260;
    pub const CHANNEL_COMPLETED: i32 = 262;
    pub const CHANNEL_FAIL_RETRY: i32 = 263;
    pub const CHANNEL_FAIL: i32 = 264;
    pub const APPL_CANNOT_BE_STARTED: i32 = 265;
    pub const TM_ERROR: i32 = 266;
    pub const APPL_TYPE_ERROR: i32 = 267;
    pub const STOPPED_BY_MSG_EXIT: i32 = 268;
    pub const ACTIVITY: i32 = 269;
    pub const XMIT_Q_MSG_ERROR: i32 = 271;
    pub const PAN: i32 = 275;
    pub const NAN: i32 = 276;
    pub const STOPPED_BY_CHAD_EXIT: i32 = 277;
    pub const STOPPED_BY_PUBSUB_EXIT: i32 = 279;
    pub const NOT_A_REPOSITORY_MSG: i32 = 280;
    pub const BIND_OPEN_CLUSRCVR_DEL: i32 = 281;
    pub const MAX_ACTIVITIES: i32 = 282;
    pub const NOT_FORWARDED: i32 = 283;
    pub const NOT_DELIVERED: i32 = 284;
    pub const UNSUPPORTED_FORWARDING: i32 = 285;
    pub const UNSUPPORTED_DELIVERY: i32 = 286;
}

/// Values of Persistence. 2, as the queue has it, is for calls only.
#[allow(missing_docs)]
pub mod persistence {
    pub const NOT_PERSISTENT: i32 = 0;
    pub const PERSISTENT: i32 = 1;
}

/// Sums that Encoding usually is; integers, packed decimals and floats are one hex digit each.
#[allow(missing_docs)]
pub mod encoding {
    pub const BIG_IEEE: i32 = 0x111;
    pub const LITTLE_IEEE: i32 = 0x222;
    pub const S390: i32 = 0x311;
}

/// Values of CodedCharSetId that are no CCSID.
#[allow(missing_docs)]
pub mod ccsi {
    pub const DEFAULT: i32 = 0;
    pub const EMBEDDED: i32 = -1;
    pub const INHERIT: i32 = -2;
}

/// Bits of MsgFlags.
#[allow(missing_docs)]
pub mod msg_flags {
    pub const SEGMENTATION_ALLOWED: i32 = 0x1;
    pub const SEGMENT: i32 = 0x2;
    pub const LAST_SEGMENT: i32 = 0x4;
    pub const MSG_IN_GROUP: i32 = 0x8;
    pub const LAST_MSG_IN_GROUP: i32 = 0x10;
}

/// Values of PutApplType that this gateway writes or tells apart.
#[allow(missing_docs)]
pub mod appl_type {
    pub const NO_CONTEXT: i32 = 0;
    pub const ZOS: i32 = 2;
    pub const UNIX: i32 = 6;
    pub const QMGR: i32 = 7;
    pub const WINDOWS_NT: i32 = 11;
    pub const JAVA: i32 = 28;
    pub const DQM: i32 = 29;
    pub const AMQP: i32 = 37;
}
