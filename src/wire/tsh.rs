//! TSH, the transmission segment header: 28 bytes in front of everything.

use std::fmt;

use super::error::shown;
use super::name::is_ebcdic;
use super::{Alphabet, ByteOrder, ControlFlags1, ControlFlags2, Luwid, Malformed, field};

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

impl SegmentType {
    /// The name, for those that a message channel can meet.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::INITIAL_DATA => "INITIAL_DATA",
            Self::RESYNC_DATA => "RESYNC_DATA",
            Self::RESET_DATA => "RESET_DATA",
            Self::MESSAGE_DATA => "MESSAGE_DATA",
            Self::STATUS_DATA => "STATUS_DATA",
            Self::SECURITY_DATA => "SECURITY_DATA",
            Self::PING_DATA => "PING_DATA",
            Self::USERID_DATA => "USERID_DATA",
            Self::HEARTBEAT => "HEARTBEAT",
            Self::CONAUTH_INFO => "CONAUTH_INFO",
            Self::RENEGOTIATE_DATA => "RENEGOTIATE_DATA",
            Self::SOCKET_ACTION => "SOCKET_ACTION",
            Self::ASYNC_MESSAGE => "ASYNC_MESSAGE",
            Self::REQUEST_MSGS => "REQUEST_MSGS",
            Self::NOTIFICATION => "NOTIFICATION",
            _ => return None,
        })
    }
}

impl fmt::Display for SegmentType {
    /// The name, or `type 0x8F` where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("type 0x{:02X}", self.0)),
        }
    }
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

/// Bytes of `TSH ` and `TSHC`.
const PLAIN: usize = 28;
/// Bytes of `TSHM`.
const MULTIPLEXED: usize = 36;
/// MQENC value of a big-endian IEEE machine (D, O).
const ENC_BIG: i32 = 0x111;
/// MQENC value of a little-endian IEEE machine (D, O).
const ENC_LITTLE: i32 = 0x222;

/// What the first 8 bytes of a segment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) alphabet: Alphabet,
    /// The fourth character of the eye-catcher, as ASCII.
    fourth: u8,
    /// Bytes of the header itself: 28, or 36 for `TSHM`.
    pub(super) header: usize,
}

impl Start {
    /// Reads the eye-catcher; says so when the bytes are rather another protocol's.
    pub(super) fn parse(eye: [u8; 4]) -> Result<Self, Malformed> {
        let (alphabet, fourth) = match eye {
            [b'T', b'S', b'H', fourth] => (Alphabet::Ascii, fourth),
            [0xE3, 0xE2, 0xC8, 0x40] => (Alphabet::Ebcdic, b' '),
            [0xE3, 0xE2, 0xC8, 0xD4] => (Alphabet::Ebcdic, b'M'),
            [0xE3, 0xE2, 0xC8, 0xC3] => (Alphabet::Ebcdic, b'C'),
            _ => (Alphabet::Ascii, 0),
        };
        let header = match fourth {
            b' ' | b'C' => PLAIN,
            b'M' => MULTIPLEXED,
            _ => {
                let guess = match eye {
                    [0x16, 3, ..] => ": the other end speaks TLS and this end does not; compare SSLCIPH of both",
                    [0x15, 3, ..] => ": a TLS alert, so only one end uses TLS; compare SSLCIPH of both",
                    [b'A', b'M', b'Q', b'P'] => ": AMQP, not MQ",
                    [b'H', b'T', b'T', b'P'] | [b'G', b'E', b'T', b' '] | [b'P', b'O', b'S', b'T'] => ": HTTP, not MQ",
                    _ => "",
                };
                let found = format!("{}{guess}", shown(&eye));
                return Err(Malformed::new("TSH", "StrucId", 0, "\"TSH \", \"TSHM\" or \"TSHC\"", found));
            }
        };
        Ok(Self { alphabet, fourth, header })
    }
}

impl Tsh {
    /// A plain header as an ASCII, big-endian end would write it: Encoding 273, CCSID 819, no flags, LUWID zero.
    pub fn new(segment_type: SegmentType) -> Self {
        Self {
            alphabet: Alphabet::Ascii,
            kind: TshKind::Plain,
            byte_order: ByteOrder::Big,
            segment_type,
            flags1: ControlFlags1::empty(),
            flags2: ControlFlags2::empty(),
            luwid: Luwid::ZERO,
            encoding: ENC_BIG,
            ccsid: 819,
            reserved: 0,
        }
    }

    /// The same with these ControlFlags1.
    #[must_use]
    pub fn with_flags(self, flags1: ControlFlags1) -> Self {
        Self { flags1, ..self }
    }

    /// The same with this LUWID.
    #[must_use]
    pub fn with_luwid(self, luwid: Luwid) -> Self {
        Self { luwid, ..self }
    }

    /// The same in this byte order, and the Encoding that goes with it: 273 or 546.
    #[must_use]
    pub fn with_byte_order(self, byte_order: ByteOrder) -> Self {
        let encoding = match byte_order {
            ByteOrder::Big => ENC_BIG,
            ByteOrder::Little => ENC_LITTLE,
        };
        Self { byte_order, encoding, ..self }
    }

    /// The same in this alphabet, announcing this CCSID.
    #[must_use]
    pub fn with_alphabet(self, alphabet: Alphabet, ccsid: u16) -> Self {
        Self { alphabet, ccsid, ..self }
    }

    /// Bytes of this header on the wire: 28, or 36 for `TSHM`.
    pub fn length(&self) -> usize {
        if matches!(self.kind, TshKind::Multiplexed { .. }) { MULTIPLEXED } else { PLAIN }
    }

    /// Whether names in the body may be EBCDIC although the eye-catcher is ASCII: Wireshark reads them so when
    /// the CCSID is an EBCDIC one (wire reference, segments 2, W).
    pub fn alphabet_in_doubt(&self) -> bool {
        self.alphabet == Alphabet::Ascii && is_ebcdic(self.ccsid)
    }

    /// Parses a header at the start of `bytes`; the length field comes back as read, in bytes of the whole segment.
    /// Errors: too few bytes, an eye-catcher that is none, a byte order other than 1 and 2.
    pub fn parse(bytes: &[u8]) -> Result<(Self, u32), Malformed> {
        let (eye, _) = field::parse("TSH", bytes, |input| field::bytes::<4>(input, "StrucId"))?;
        let start = Start::parse(eye)?;
        let big = ByteOrder::Big;
        let ((length, ids, order), taken) = field::parse("TSH", bytes, |input| {
            let (input, _) = field::bytes::<4>(input, "StrucId")?;
            let (input, length) = field::int(input, big, "SegmentLength")?;
            let (input, ids) = if start.header == MULTIPLEXED {
                let (input, conversation) = field::int(input, big, "ConversationId")?;
                let (input, request) = field::int(input, big, "RequestId")?;
                (input, Some((conversation.cast_unsigned(), request.cast_unsigned())))
            } else {
                (input, None)
            };
            let (input, order) = field::byte(input, "ByteOrder")?;
            Ok((input, (length.cast_unsigned(), ids, order)))
        })?;
        let byte_order = match order {
            1 => ByteOrder::Big,
            2 => ByteOrder::Little,
            other => {
                let found = format!("0x{other:02X}");
                return Err(Malformed::new(
                    "TSH",
                    "ByteOrder",
                    taken - 1,
                    "1 (big-endian) or 2 (little-endian)",
                    found,
                ));
            }
        };
        let kind = match (ids, start.fourth) {
            (Some((conversation, request)), _) => TshKind::Multiplexed { conversation, request },
            (None, b'C') => TshKind::Common,
            (None, _) => TshKind::Plain,
        };
        let (tsh, _) = field::parse("TSH", bytes, |input| {
            let (input, _) = field::skip(input, taken, "ByteOrder")?;
            let (input, segment_type) = field::byte(input, "SegmentType")?;
            let (input, flags1) = field::byte(input, "ControlFlags1")?;
            let (input, flags2) = field::byte(input, "ControlFlags2")?;
            let (input, luwid) = field::bytes(input, "LUWID")?;
            let (input, encoding) = field::int(input, byte_order, "Encoding")?;
            let (input, ccsid) = field::short(input, byte_order, "CCSID")?;
            let (input, reserved) = field::short(input, byte_order, "Reserved")?;
            let tsh = Self {
                alphabet: start.alphabet,
                kind,
                byte_order,
                segment_type: SegmentType(segment_type),
                flags1: ControlFlags1::from_bits_retain(flags1),
                flags2: ControlFlags2::from_bits_retain(flags2),
                luwid: Luwid(luwid),
                encoding,
                ccsid,
                reserved,
            };
            Ok((input, tsh))
        })?;
        Ok((tsh, length))
    }

    /// Emits the header of a segment with so many bytes of body.
    pub fn encode_into(&self, body_length: usize, out: &mut impl bytes::BufMut) {
        let fourth = match self.kind {
            TshKind::Plain => b' ',
            TshKind::Multiplexed { .. } => b'M',
            TshKind::Common => b'C',
        };
        let eye = [b'T', b'S', b'H', fourth];
        out.put_slice(&eye.map(|byte| super::name::convert(byte, Alphabet::Ascii, self.alphabet)));
        out.put_u32(u32::try_from(self.length() + body_length).unwrap_or(u32::MAX));
        if let TshKind::Multiplexed { conversation, request } = self.kind {
            out.put_u32(conversation);
            out.put_u32(request);
        }
        out.put_u8(match self.byte_order {
            ByteOrder::Big => 1,
            ByteOrder::Little => 2,
        });
        out.put_u8(self.segment_type.0);
        out.put_u8(self.flags1.bits());
        out.put_u8(self.flags2.bits());
        out.put_slice(&self.luwid.0);
        out.put_slice(&self.byte_order.i32_bytes(self.encoding));
        out.put_slice(&self.byte_order.u16_bytes(self.ccsid));
        out.put_slice(&self.byte_order.u16_bytes(self.reserved));
    }
}
