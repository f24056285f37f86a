//! ID, the body of INITIAL_DATA: what a channel end offers or agrees to.

use bytes::{BufMut, Bytes, BytesMut};

use super::error::shown;
use super::field::{self, Parsed};
use super::name::{Name, convert};
use super::{Alphabet, ByteOrder, CapFlags1, CapFlags2, CapFlags3, ErrFlags1, ErrFlags2, Malformed, Tsh};

/// Body of INITIAL_DATA (wire reference, segments 7). The sections beyond 44 bytes are there when the
/// writer's FAP level and the segment's length allow.
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
    pub channel_name: Name<20>,
    /// From FAP 4: 58 more bytes.
    pub fap4: Option<Fap4>,
    /// From FAP 9: 106 more bytes.
    pub fap9: Option<Fap9>,
    /// From FAP 11: 32 more bytes.
    pub fap11: Option<Fap11>,
    /// Whatever follows what we know; kept.
    pub rest: Bytes,
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
    pub qmgr_name: Name<48>,
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
    pub product_id: Name<12>,
    /// Queue-manager id, as `QM1_2019-12-05_11.17.01`, 48 bytes.
    pub qmgr_id: Name<48>,
}

/// What FAP 11 added, offsets 208 to 239.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fap11 {
    /// Password protection algorithms.
    pub pal: [u8; 20],
    /// Random bytes for password protection.
    pub nonce: [u8; 12],
}

/// What the field parsers need to know.
#[derive(Clone, Copy)]
struct Writer {
    order: ByteOrder,
    alphabet: Alphabet,
    in_doubt: bool,
}

impl Writer {
    fn name<const N: usize>(self, bytes: [u8; N]) -> Name<N> {
        if self.in_doubt { Name::in_doubt(bytes) } else { Name::from_bytes(bytes, self.alphabet) }
    }
}

impl InitialData {
    /// Bytes of the part that all FAP levels have.
    pub const LENGTH_FAP1: usize = 44;
    /// Bytes with what FAP 4 added.
    pub const LENGTH_FAP4: usize = 102;
    /// Bytes with what FAP 9 added.
    pub const LENGTH_FAP9: usize = 208;
    /// Bytes with what FAP 11 added.
    pub const LENGTH_FAP11: usize = 240;

    /// Parses the body of a segment with this header. A section is there if both the FAP level and the length allow it;
    /// what is left over is kept. Errors: fewer than 44 bytes, or an eye-catcher other than `ID  `.
    pub fn parse(body: &Bytes, tsh: &Tsh) -> Result<Self, Malformed> {
        let (eye, _) = field::parse("ID", body, |input| field::bytes::<4>(input, "StrucId"))?;
        let alphabet = match &eye {
            b"ID  " => Alphabet::Ascii,
            [0xC9, 0xC4, 0x40, 0x40] => Alphabet::Ebcdic,
            _ => return Err(Malformed::new("ID", "StrucId", 0, "\"ID  \" in ASCII or EBCDIC", shown(&eye))),
        };
        let in_doubt = alphabet == Alphabet::Ascii && tsh.alphabet_in_doubt();
        let writer = Writer { order: tsh.byte_order, alphabet, in_doubt };
        let (mut id, mut taken) = field::parse("ID", body, |input| Self::fap1(input, writer))?;
        let has = |level: u8, length: usize| id.fap_level >= level && body.len() >= length;
        let (fap4, fap9, fap11) = (has(4, Self::LENGTH_FAP4), has(9, Self::LENGTH_FAP9), has(11, Self::LENGTH_FAP11));
        if fap4 {
            id.fap4 = Some(section(body, &mut taken, |input| Fap4::parse(input, writer))?);
        }
        if fap9 {
            id.fap9 = Some(section(body, &mut taken, |input| Fap9::parse(input, writer))?);
        }
        if fap11 {
            id.fap11 = Some(section(body, &mut taken, Fap11::parse)?);
        }
        id.rest = body.slice(taken..);
        Ok(id)
    }

    fn fap1(input: &[u8], writer: Writer) -> Parsed<'_, Self> {
        let order = writer.order;
        let (input, _) = field::bytes::<4>(input, "StrucId")?;
        let (input, fap_level) = field::byte(input, "FapLevel")?;
        let (input, cap_flags1) = field::byte(input, "CapFlags1")?;
        let (input, ecap_flags1) = field::byte(input, "ECapFlags1")?;
        let (input, err_flags1) = field::byte(input, "ErrFlags1")?;
        let (input, reserved8) = field::short(input, order, "Reserved")?;
        let (input, max_msg_per_batch) = field::short(input, order, "MaxMsgPerBatch")?;
        let (input, max_transmission_size) = field::int(input, order, "MaxTransmissionSize")?;
        let (input, max_msg_size) = field::int(input, order, "MaxMsgSize")?;
        let (input, seq_wrap) = field::int(input, order, "SeqWrapValue")?;
        let (input, channel_name) = field::bytes(input, "ChannelName")?;
        let id = Self {
            fap_level,
            cap_flags1: CapFlags1::from_bits_retain(cap_flags1),
            ecap_flags1: CapFlags1::from_bits_retain(ecap_flags1),
            err_flags1: ErrFlags1::from_bits_retain(err_flags1),
            reserved8,
            max_msg_per_batch,
            max_transmission_size,
            max_msg_size,
            seq_wrap,
            channel_name: writer.name(channel_name),
            fap4: None,
            fap9: None,
            fap11: None,
            rest: Bytes::new(),
        };
        Ok((input, id))
    }

    /// Bytes of the body: by which sections are there, not by the FAP level.
    pub fn length(&self) -> usize {
        let sections = match (&self.fap4, &self.fap9, &self.fap11) {
            (None, ..) => Self::LENGTH_FAP1,
            (Some(_), None, _) => Self::LENGTH_FAP4,
            (Some(_), Some(_), None) => Self::LENGTH_FAP9,
            (Some(_), Some(_), Some(_)) => Self::LENGTH_FAP11,
        };
        sections + self.rest.len()
    }

    /// Emits the body. A section without the one before it is left out.
    pub fn encode(&self, order: ByteOrder, alphabet: Alphabet) -> Bytes {
        let mut out = BytesMut::with_capacity(self.length());
        out.put_slice(&b"ID  ".map(|byte| convert(byte, Alphabet::Ascii, alphabet)));
        out.put_u8(self.fap_level);
        out.put_u8(self.cap_flags1.bits());
        out.put_u8(self.ecap_flags1.bits());
        out.put_u8(self.err_flags1.bits());
        out.put_slice(&order.u16_bytes(self.reserved8));
        out.put_slice(&order.u16_bytes(self.max_msg_per_batch));
        out.put_slice(&order.i32_bytes(self.max_transmission_size));
        out.put_slice(&order.i32_bytes(self.max_msg_size));
        out.put_slice(&order.i32_bytes(self.seq_wrap));
        out.put_slice(&self.channel_name.bytes_in(alphabet));
        if let Some(fap4) = &self.fap4 {
            fap4.encode(order, alphabet, &mut out);
            if let Some(fap9) = &self.fap9 {
                fap9.encode(order, alphabet, &mut out);
                if let Some(fap11) = &self.fap11 {
                    out.put_slice(&fap11.pal);
                    out.put_slice(&fap11.nonce);
                }
            }
        }
        out.put_slice(&self.rest);
        out.freeze()
    }

    /// The highest FAP level whose sections are there: a level means what its sections carry, whichever is less, the byte
    /// or the length (wire reference, channel flow 1.3).
    pub fn carried_level(&self) -> u8 {
        match (&self.fap4, &self.fap9, &self.fap11) {
            (None, ..) => 3,
            (Some(_), None, _) => 8,
            (Some(_), Some(_), None) => 10,
            (Some(_), Some(_), Some(_)) => u8::MAX,
        }
    }

    /// The writer's queue manager; blank below FAP 4.
    pub fn qmgr_name(&self) -> String {
        self.fap4.as_ref().map(|fap4| fap4.qmgr_name.text()).unwrap_or_default()
    }

    /// The writer's queue-manager id; blank below FAP 9.
    pub fn qmgr_id(&self) -> String {
        self.fap9.as_ref().map(|fap9| fap9.qmgr_id.text()).unwrap_or_default()
    }
}

/// Parses one section where the last ended, with offsets from the start of the whole.
fn section<'a, T>(
    body: &'a [u8],
    taken: &mut usize,
    mut parser: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> Result<T, Malformed> {
    let before = *taken;
    let (value, end) = field::parse("ID", body, |input| {
        let (input, ()) = field::skip(input, before, "ChannelName")?;
        parser(input)
    })?;
    *taken = end;
    Ok(value)
}

impl Fap4 {
    fn parse(input: &[u8], writer: Writer) -> Parsed<'_, Self> {
        let order = writer.order;
        let (input, cap_flags2) = field::byte(input, "CapFlags2")?;
        let (input, ecap_flags2) = field::byte(input, "ECapFlags2")?;
        let (input, ccsid) = field::short(input, order, "CCSID")?;
        let (input, qmgr_name) = field::bytes(input, "QMgrName")?;
        let (input, heartbeat_interval) = field::int(input, order, "HeartbeatInterval")?;
        let (input, efl_length) = field::short(input, order, "EflLength")?;
        let section = Self {
            cap_flags2: CapFlags2::from_bits_retain(cap_flags2),
            ecap_flags2: CapFlags2::from_bits_retain(ecap_flags2),
            ccsid,
            qmgr_name: writer.name(qmgr_name),
            heartbeat_interval,
            efl_length,
        };
        Ok((input, section))
    }

    fn encode(&self, order: ByteOrder, alphabet: Alphabet, out: &mut BytesMut) {
        out.put_u8(self.cap_flags2.bits());
        out.put_u8(self.ecap_flags2.bits());
        out.put_slice(&order.u16_bytes(self.ccsid));
        out.put_slice(&self.qmgr_name.bytes_in(alphabet));
        out.put_slice(&order.i32_bytes(self.heartbeat_interval));
        out.put_slice(&order.u16_bytes(self.efl_length));
    }
}

impl Fap9 {
    fn parse(input: &[u8], writer: Writer) -> Parsed<'_, Self> {
        let order = writer.order;
        let (input, err_flags2) = field::byte(input, "ErrFlags2")?;
        let (input, reserved103) = field::byte(input, "Reserved")?;
        let (input, hdr_comp_list) = field::bytes(input, "HdrCompList")?;
        let (input, msg_comp_list) = field::bytes(input, "MsgCompList")?;
        let (input, reserved122) = field::short(input, order, "Reserved")?;
        let (input, ssl_key_reset) = field::int(input, order, "SslKeyReset")?;
        let (input, conv_per_socket) = field::int(input, order, "ConvPerSocket")?;
        let (input, cap_flags3) = field::byte(input, "CapFlags3")?;
        let (input, ecap_flags3) = field::byte(input, "ECapFlags3")?;
        let (input, reserved134) = field::short(input, order, "Reserved")?;
        let (input, process_id) = field::int(input, order, "ProcessId")?;
        let (input, thread_id) = field::int(input, order, "ThreadId")?;
        let (input, trace_id) = field::int(input, order, "TraceId")?;
        let (input, product_id) = field::bytes(input, "ProductId")?;
        let (input, qmgr_id) = field::bytes(input, "QMgrId")?;
        let section = Self {
            err_flags2: ErrFlags2::from_bits_retain(err_flags2),
            reserved103,
            hdr_comp_list,
            msg_comp_list,
            reserved122,
            ssl_key_reset,
            conv_per_socket,
            cap_flags3: CapFlags3::from_bits_retain(cap_flags3),
            ecap_flags3: CapFlags3::from_bits_retain(ecap_flags3),
            reserved134,
            process_id,
            thread_id,
            trace_id,
            product_id: writer.name(product_id),
            qmgr_id: writer.name(qmgr_id),
        };
        Ok((input, section))
    }

    fn encode(&self, order: ByteOrder, alphabet: Alphabet, out: &mut BytesMut) {
        out.put_u8(self.err_flags2.bits());
        out.put_u8(self.reserved103);
        out.put_slice(&self.hdr_comp_list);
        out.put_slice(&self.msg_comp_list);
        out.put_slice(&order.u16_bytes(self.reserved122));
        out.put_slice(&order.i32_bytes(self.ssl_key_reset));
        out.put_slice(&order.i32_bytes(self.conv_per_socket));
        out.put_u8(self.cap_flags3.bits());
        out.put_u8(self.ecap_flags3.bits());
        out.put_slice(&order.u16_bytes(self.reserved134));
        out.put_slice(&order.i32_bytes(self.process_id));
        out.put_slice(&order.i32_bytes(self.thread_id));
        out.put_slice(&order.i32_bytes(self.trace_id));
        out.put_slice(&self.product_id.bytes_in(alphabet));
        out.put_slice(&self.qmgr_id.bytes_in(alphabet));
    }
}

impl Fap11 {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, pal) = field::bytes(input, "PAL")?;
        let (input, nonce) = field::bytes(input, "R")?;
        Ok((input, Self { pal, nonce }))
    }
}
