//! MQXQH and MQMD: where a message is to go, and what it is (wire reference, headers, D).

use crate::wire::{Alphabet, ByteOrder, Malformed};

use super::constants::{encoding, expiry, msg_type};
use super::put_time::{digits_of_millis, millis_of_put_time};
use super::record::{self, FieldType, Reader, record};
use super::structure::structure;
use super::{Chars, Coding, Description, FieldValue};

structure! {
    /// MQXQH, the transmission-queue header, without the descriptor that always follows it: 104 bytes.
    Xqh, "MQXQH", "XQH ", version 1, 104 bytes {
        /// Destination queue; may be blank.
        remote_q_name: Chars<48> = "RemoteQName",
        /// Destination queue manager.
        remote_q_mgr_name: Chars<48> = "RemoteQMgrName",
    }
}

record! {
    /// MQMD, the message descriptor: 324 bytes in version 1, 364 in version 2.
    pub Md {
        /// Report options, [`super::constants::report`].
        report: i32 = "Report",
        /// What kind of message, [`super::constants::msg_type`].
        msg_type: i32 = "MsgType",
        /// Tenths of a second that are left of its life, -1 unlimited. Not a deadline: it counts down in queues.
        expiry: i32 = "Expiry",
        /// Reason of a report, [`super::constants::feedback`] or a reason code.
        feedback: i32 = "Feedback",
        /// Encoding of what follows the descriptor.
        encoding: i32 = "Encoding",
        /// CCSID of what follows the descriptor; 0 queue manager's, -1 embedded, -2 inherit.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows the descriptor, [`super::constants::format`].
        format: Chars<8> = "Format",
        /// 0 to 9.
        priority: i32 = "Priority",
        /// 0 not persistent, 1 persistent.
        persistence: i32 = "Persistence",
        /// Message id, never converted.
        msg_id: [u8; 24] = "MsgId",
        /// Correlation id, never converted.
        correl_id: [u8; 24] = "CorrelId",
        /// Times it was backed out; the queue manager's own.
        backout_count: i32 = "BackoutCount",
        /// Reply queue.
        reply_to_q: Chars<48> = "ReplyToQ",
        /// Queue manager of the reply queue.
        reply_to_q_mgr: Chars<48> = "ReplyToQMgr",
        /// Identity context: user.
        user_identifier: Chars<12> = "UserIdentifier",
        /// Identity context: accounting token.
        accounting_token: [u8; 32] = "AccountingToken",
        /// Identity context: the application's own.
        appl_identity_data: Chars<32> = "ApplIdentityData",
        /// Origin context: kind of the application that put it.
        put_appl_type: i32 = "PutApplType",
        /// Origin context: name of the application that put it.
        put_appl_name: Chars<28> = "PutApplName",
        /// Origin context: YYYYMMDD, GMT.
        put_date: Chars<8> = "PutDate",
        /// Origin context: HHMMSSTH, GMT, hundredths of a second.
        put_time: Chars<8> = "PutTime",
        /// Origin context: the application's own.
        appl_origin_data: Chars<4> = "ApplOriginData",
        /// Group and segment fields, if it is a version 2 descriptor. On a channel they come in an MQMDE instead.
        v2: Option<MdV2> = "",
    }
}

record! {
    /// What version 2 adds to MQMD, and what MQMDE carries: 40 bytes.
    pub MdV2 {
        /// Group id; zeros outside a group.
        group_id: [u8; 24] = "GroupId",
        /// Number of the logical message within its group, from 1.
        msg_seq_number: i32 = "MsgSeqNumber",
        /// Offset in bytes of a segment's data within its logical message.
        offset: i32 = "Offset",
        /// [`super::constants::msg_flags`].
        msg_flags: i32 = "MsgFlags",
        /// Length in bytes of the original of a segmented message, -1 undefined.
        original_length: i32 = "OriginalLength",
    }
}

/// Read by [`Md::parse`], which alone knows the version; emitted and shown where present.
impl FieldType for Option<MdV2> {
    fn read(_: &mut Reader<'_>, _: &'static str) -> Result<Self, Malformed> {
        Ok(None)
    }

    fn write(&self, out: &mut Vec<u8>, byte_order: ByteOrder) {
        if let Some(v2) = self {
            v2.write(out, byte_order);
        }
    }

    fn show(&self, field: &'static str, coding: Coding, out: &mut record::Fields) {
        if let Some(v2) = self {
            v2.show(field, coding, out);
        }
    }
}

impl Default for MdV2 {
    /// Neither group nor segment: IBM's documented defaults.
    fn default() -> Self {
        Self { group_id: [0; 24], msg_seq_number: 1, offset: 0, msg_flags: 0, original_length: -1 }
    }
}

impl Xqh {
    /// A header for this queue at this queue manager.
    pub fn new(remote_q_name: Chars<48>, remote_q_mgr_name: Chars<48>) -> Self {
        Self { remote_q_name, remote_q_mgr_name }
    }

    /// Alphabet of the eye-catcher at the start of these bytes.
    pub(super) fn alphabet(bytes: &[u8]) -> Result<Alphabet, Malformed> {
        Reader::new("MQXQH", bytes, ByteOrder::Big).eye("XQH ")
    }
}

impl Default for Md {
    /// [`Md::new`] in ASCII.
    fn default() -> Self {
        Self::new(Coding::default())
    }
}

impl Md {
    /// Length in bytes of version 1, the only one inside MQXQH.
    pub const LENGTH_1: usize = 324;
    /// Length in bytes of version 2.
    pub const LENGTH_2: usize = 364;

    const EYE: &'static str = "MD  ";

    /// IBM's documented defaults for a datagram, its text fields blank in this coding, its data in UTF-8.
    pub fn new(coding: Coding) -> Self {
        Self {
            report: 0,
            msg_type: msg_type::DATAGRAM,
            expiry: expiry::UNLIMITED,
            feedback: 0,
            encoding: encoding::BIG_IEEE,
            coded_char_set_id: 1208,
            format: Chars::blank(coding),
            priority: 0,
            persistence: 0,
            msg_id: [0; 24],
            correl_id: [0; 24],
            backout_count: 0,
            reply_to_q: Chars::blank(coding),
            reply_to_q_mgr: Chars::blank(coding),
            user_identifier: Chars::blank(coding),
            accounting_token: [0; 32],
            appl_identity_data: Chars::blank(coding),
            put_appl_type: 0,
            put_appl_name: Chars::blank(coding),
            put_date: Chars::blank(coding),
            put_time: Chars::blank(coding),
            appl_origin_data: Chars::blank(coding),
            v2: None,
        }
    }

    /// Reads version 1 or 2 from the start of the bytes. Text stays as it lies; the eye-catcher may be in either
    /// alphabet. Errors: too short, or another eye-catcher or version.
    pub fn parse(bytes: &[u8], byte_order: ByteOrder) -> Result<Self, Malformed> {
        let mut reader = Reader::new("MQMD", bytes, byte_order);
        reader.eye(Self::EYE)?;
        let version = reader.one_of("Version", &[1, 2])?;
        let mut md = <Self as FieldType>::read(&mut reader, "")?;
        if version == 2 {
            md.v2 = Some(FieldType::read(&mut reader, "")?);
        }
        Ok(md)
    }

    /// Reads the descriptor that stands in MQXQH: always version 1, and in the alphabet of the header around it.
    pub(super) fn parse_embedded(bytes: &[u8], byte_order: ByteOrder, alphabet: Alphabet) -> Result<Self, Malformed> {
        let mut reader = Reader::new("MQMD", bytes, byte_order);
        if reader.eye(Self::EYE)? != alphabet {
            let expected = format!("in the alphabet of MQXQH, {alphabet:?}");
            return Err(reader.malformed("StrucId", 0, expected, "in the other one"));
        }
        reader.one_of("Version", &[1])?;
        FieldType::read(&mut reader, "")
    }

    /// Appends its bytes: eye-catcher and integers in this coding, text fields as they are.
    pub fn encode_to(&self, out: &mut Vec<u8>, coding: Coding) {
        record::write_start(out, coding, Self::EYE, self.version());
        self.write(out, coding.byte_order);
    }

    /// Its bytes, as [`Self::encode_to`] writes them.
    pub fn encode(&self, coding: Coding) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        self.encode_to(&mut out, coding);
        out
    }

    /// All its fields in order, under IBM's names.
    pub fn fields(&self, coding: Coding) -> Vec<(&'static str, FieldValue)> {
        let mut out = record::start_fields(Self::EYE, self.version());
        self.show("", coding, &mut out);
        out
    }

    /// 1 or 2.
    pub fn version(&self) -> i32 {
        if self.v2.is_some() { 2 } else { 1 }
    }

    /// Length in bytes.
    pub fn length(&self) -> usize {
        if self.v2.is_some() { Self::LENGTH_2 } else { Self::LENGTH_1 }
    }

    /// What it says of the piece behind it.
    pub fn describes(&self) -> Description {
        Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
    }

    /// PutDate and PutTime as milliseconds since 1970 UTC; none if they are blank or no date.
    pub fn put_millis(&self, coding: Coding) -> Option<i64> {
        millis_of_put_time(&self.put_date.as_text(coding), &self.put_time.as_text(coding))
    }

    /// Sets PutDate and PutTime; blank where the year has not four digits.
    pub fn set_put_millis(&mut self, millis: i64, coding: Coding) {
        let fields = digits_of_millis(millis).map(|(date, time)| {
            let field = |digits: [u8; 8]| Chars(digits.map(|digit| coding.digit(digit)));
            (field(date), field(time))
        });
        (self.put_date, self.put_time) = fields.unwrap_or((Chars::blank(coding), Chars::blank(coding)));
    }

    /// Alphabet of the eye-catcher at the start of these bytes.
    pub(super) fn alphabet(bytes: &[u8]) -> Result<Alphabet, Malformed> {
        Reader::new("MQMD", bytes, ByteOrder::Big).eye(Self::EYE)
    }
}
