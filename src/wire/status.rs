//! STATUS_DATA: success, or a code and perhaps more integers.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::{ByteOrder, Malformed, field};

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
    pub const INVALID_HOBJ: Self = Self(0x1D);
    pub const CONV_ID_ERROR: Self = Self(0x1E);
    pub const SOCKET_ACTION_TYPE: Self = Self(0x1F);
    pub const STANDBY_Q_MGR: Self = Self(0x20);
    pub const CCSID_NOT_SUPPORTED: Self = Self(0xF0);
    pub const ENCODING_INVALID: Self = Self(0xF1);
    pub const FAP_LEVEL: Self = Self(0xF2);
    pub const NEGOTIATION_FAILED: Self = Self(0xF3);
}

impl StatusCode {
    /// The constant's name, if it has one.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::OK => "OK",
            Self::NO_CHANNEL => "NO_CHANNEL",
            Self::CHANNEL_WRONG_TYPE => "CHANNEL_WRONG_TYPE",
            Self::QM_UNAVAILABLE => "QM_UNAVAILABLE",
            Self::MSG_SEQUENCE_ERROR => "MSG_SEQUENCE_ERROR",
            Self::QM_TERMINATING => "QM_TERMINATING",
            Self::CAN_NOT_STORE => "CAN_NOT_STORE",
            Self::USER_CLOSED => "USER_CLOSED",
            Self::TIMEOUT_EXPIRED => "TIMEOUT_EXPIRED",
            Self::TARGET_Q_UNKNOWN => "TARGET_Q_UNKNOWN",
            Self::PROTOCOL_SEGMENT_TYPE => "PROTOCOL_SEGMENT_TYPE",
            Self::PROTOCOL_LENGTH_ERROR => "PROTOCOL_LENGTH_ERROR",
            Self::PROTOCOL_INVALID_DATA => "PROTOCOL_INVALID_DATA",
            Self::PROTOCOL_SEGMENT_ERROR => "PROTOCOL_SEGMENT_ERROR",
            Self::PROTOCOL_ID_ERROR => "PROTOCOL_ID_ERROR",
            Self::PROTOCOL_MSH_ERROR => "PROTOCOL_MSH_ERROR",
            Self::PROTOCOL_GENERAL => "PROTOCOL_GENERAL",
            Self::BATCH_FAILURE => "BATCH_FAILURE",
            Self::MESSAGE_LENGTH_ERROR => "MESSAGE_LENGTH_ERROR",
            Self::SEGMENT_NUMBER_ERROR => "SEGMENT_NUMBER_ERROR",
            Self::SECURITY_FAILURE => "SECURITY_FAILURE",
            Self::WRAP_VALUE_ERROR => "WRAP_VALUE_ERROR",
            Self::CHANNEL_UNAVAILABLE => "CHANNEL_UNAVAILABLE",
            Self::CLOSED_BY_EXIT => "CLOSED_BY_EXIT",
            Self::CIPHER_SPEC => "CIPHER_SPEC",
            Self::PEER_NAME => "PEER_NAME",
            Self::SSL_CLIENT_CERTIFICATE => "SSL_CLIENT_CERTIFICATE",
            Self::RMT_RSRCS_IN_RECOVERY => "RMT_RSRCS_IN_RECOVERY",
            Self::SSL_REFRESHING => "SSL_REFRESHING",
            Self::INVALID_HOBJ => "INVALID_HOBJ",
            Self::CONV_ID_ERROR => "CONV_ID_ERROR",
            Self::SOCKET_ACTION_TYPE => "SOCKET_ACTION_TYPE",
            Self::STANDBY_Q_MGR => "STANDBY_Q_MGR",
            Self::CCSID_NOT_SUPPORTED => "CCSID_NOT_SUPPORTED",
            Self::ENCODING_INVALID => "ENCODING_INVALID",
            Self::FAP_LEVEL => "FAP_LEVEL",
            Self::NEGOTIATION_FAILED => "NEGOTIATION_FAILED",
            _ => return None,
        })
    }

    /// Number of the AMQ message that the end which receives this code most likely shows
    /// (wire reference, status-codes, I; 6 is D). z/OS shows the same last three digits after CSQX.
    pub fn amq(self) -> Option<u16> {
        Some(match self.0 {
            1 => 9520,
            2 => 9547,
            3 | 0x20 => 9524,
            4 => 9526,
            5 => 9525,
            6 => 9527,
            7 => 9528,
            8 => 9545,
            9 => 9529,
            0x0A..=0x10 | 0x12 | 0x13 => 9523,
            0x11 => 9506,
            0x14 => 9534,
            0x15 => 9505,
            0x16 => 9558,
            0x17 => 9496,
            0x18 => 9631,
            0x19 => 9636,
            0x1A => 9637,
            0xF0 => 9541,
            0xF2 => 9551,
            0xF3 => 9503,
            _ => return None,
        })
    }
}

impl fmt::Display for StatusCode {
    /// As `MSG_SEQUENCE_ERROR (4, AMQ9526)`; codes without a name as `status 0x2A`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.amq()) {
            (Some(name), Some(amq)) => write!(f, "{name} ({}, AMQ{amq})", Number(self.0)),
            (Some(name), None) => write!(f, "{name} ({})", Number(self.0)),
            (None, _) => write!(f, "status {}", Number(self.0)),
        }
    }
}

/// Decimal up to nine, hex above, as the reference writes codes.
struct Number(u32);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10 { write!(f, "{}", self.0) } else { write!(f, "0x{:02X}", self.0) }
    }
}

/// Body of a STATUS_DATA segment; no body at all is [`Status::OK`] and re-emits as none (wire reference, segments 9, W and O).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code, or none when the segment has no body, which means success (I).
    pub code: Option<StatusCode>,
    /// Further integers; their meaning depends on the code (U).
    pub values: Vec<i32>,
    /// Bytes behind what the length field covers; none as far as known, kept.
    pub rest: Bytes,
}

impl Status {
    /// Success: a segment without body.
    pub const OK: Self = Self { code: None, values: Vec::new(), rest: Bytes::new() };

    /// A code alone.
    pub fn new(code: StatusCode) -> Self {
        Self { code: Some(code), ..Self::OK }
    }

    /// A code and one integer: for [`StatusCode::MSG_SEQUENCE_ERROR`] the number expected next
    /// (wire reference, channel flow 10).
    pub fn with_value(code: StatusCode, value: i32) -> Self {
        Self { code: Some(code), values: vec![value], ..Self::OK }
    }

    /// Whether it says success: no body, or code 0.
    pub fn is_ok(&self) -> bool {
        self.code.is_none_or(|code| code == StatusCode::OK)
    }

    /// Parses the body. Errors: 1 to 7 bytes; a length field below 8, no multiple of 4, or beyond the body.
    pub fn parse(body: &Bytes, order: ByteOrder) -> Result<Self, Malformed> {
        if body.is_empty() {
            return Ok(Self::OK);
        }
        let ((length, code), _) = field::parse("STATUS", body, |input| {
            let (input, length) = field::int(input, order, "Length")?;
            let (input, code) = field::int(input, order, "Code")?;
            Ok((input, (length, code)))
        })?;
        let covered = usize::try_from(length).unwrap_or(0);
        let (true, true, Some(values)) = (covered >= 8, covered % 4 == 0, body.get(8..covered)) else {
            let expected = format!("a multiple of 4 from 8 to {}", body.len());
            return Err(Malformed::new("STATUS", "Length", 0, expected, length.to_string()));
        };
        let values = values.as_chunks::<4>().0.iter().map(|&bytes| order.i32(bytes)).collect();
        Ok(Self { code: Some(StatusCode(code.cast_unsigned())), values, rest: body.slice(covered..) })
    }

    /// Emits the body; none at all without a code.
    pub fn encode(&self, order: ByteOrder) -> Bytes {
        let Some(code) = self.code else { return Bytes::new() };
        let length = 8 + 4 * self.values.len();
        let mut out = BytesMut::with_capacity(length + self.rest.len());
        out.put_slice(&order.i32_bytes(i32::try_from(length).unwrap_or(i32::MAX)));
        out.put_slice(&order.i32_bytes(code.0.cast_signed()));
        self.values.iter().for_each(|&value| out.put_slice(&order.i32_bytes(value)));
        out.put_slice(&self.rest);
        out.freeze()
    }
}

impl fmt::Display for Status {
    /// As `OK` or `MSG_SEQUENCE_ERROR (4, AMQ9526) 41`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.unwrap_or(StatusCode::OK))?;
        self.values.iter().try_for_each(|value| write!(f, " {value}"))
    }
}
