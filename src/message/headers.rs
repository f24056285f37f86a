//! Headers of fixed length behind the descriptor (wire reference, headers, D).

use super::descriptor::MdV2;
use super::record::structure;
use super::{Chars, Description};

structure! {
    /// MQMDE, the descriptor extension: 72 bytes. Carries the version 2 fields of a message on a channel.
    Mde, "MQMDE", "MDE ", version 2, 72 bytes, "StrucLength" {
        /// Encoding of what follows.
        encoding: i32 = "Encoding",
        /// CCSID of what follows.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// Zero.
        flags: i32 = "Flags",
        /// Group and segment.
        v2: MdV2 = "",
    }
}

structure! {
    /// MQDLH, the dead-letter header: 172 bytes.
    Dlh, "MQDLH", "DLH ", version 1, 172 bytes {
        /// Why the message is dead: a reason code or feedback.
        reason: i32 = "Reason",
        /// Queue that it was for.
        dest_q_name: Chars<48> = "DestQName",
        /// Queue manager that it was for.
        dest_q_mgr_name: Chars<48> = "DestQMgrName",
        /// Encoding of what follows.
        encoding: i32 = "Encoding",
        /// CCSID of what follows.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// Kind of the application that put it on the dead-letter queue.
        put_appl_type: i32 = "PutApplType",
        /// Name of that application.
        put_appl_name: Chars<28> = "PutApplName",
        /// When, YYYYMMDD, GMT.
        put_date: Chars<8> = "PutDate",
        /// When, HHMMSSTH, GMT.
        put_time: Chars<8> = "PutTime",
    }
}

impl Mde {
    /// What it says of the piece behind it.
    pub fn describes(&self) -> Description {
        Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
    }
}

impl Dlh {
    /// What it says of the piece behind it.
    pub fn describes(&self) -> Description {
        Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
    }
}
