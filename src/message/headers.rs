//! Headers that queue managers themselves write behind the descriptor (wire reference, headers, D).

use super::descriptor::MdV2;
use super::record::Fields;
use super::structure::{open_structure, structure};
use super::{Chars, Coding, Description, FieldValue};

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

open_structure! {
    /// MQDH, the distribution header: 48 bytes, then object and put records, which are kept as they lie.
    Dh, "MQDH", "DH  ", versions [1], 48 bytes {
        /// Encoding of what follows.
        encoding: i32 = "Encoding",
        /// CCSID of what follows.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// 1: new message ids.
        flags: i32 = "Flags",
        /// Which fields the put records have.
        put_msg_rec_fields: i32 = "PutMsgRecFields",
        /// Number of object records.
        recs_present: i32 = "RecsPresent",
        /// Offset in bytes of the first object record.
        object_rec_offset: i32 = "ObjectRecOffset",
        /// Offset in bytes of the first put record.
        put_msg_rec_offset: i32 = "PutMsgRecOffset",
    }
}

open_structure! {
    /// MQRMH, the reference message header: 108 bytes, then names and environments, which are kept as they lie.
    Rmh, "MQRMH", "RMH ", versions [1], 108 bytes {
        /// Encoding of what follows.
        encoding: i32 = "Encoding",
        /// CCSID of what follows.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// 1: last.
        flags: i32 = "Flags",
        /// Kind of the object.
        object_type: Chars<8> = "ObjectType",
        /// Which object.
        object_instance_id: [u8; 24] = "ObjectInstanceId",
        /// Length in bytes of the source environment.
        src_env_length: i32 = "SrcEnvLength",
        /// Its offset in bytes.
        src_env_offset: i32 = "SrcEnvOffset",
        /// Length in bytes of the source name.
        src_name_length: i32 = "SrcNameLength",
        /// Its offset in bytes.
        src_name_offset: i32 = "SrcNameOffset",
        /// Length in bytes of the destination environment.
        dest_env_length: i32 = "DestEnvLength",
        /// Its offset in bytes.
        dest_env_offset: i32 = "DestEnvOffset",
        /// Length in bytes of the destination name.
        dest_name_length: i32 = "DestNameLength",
        /// Its offset in bytes.
        dest_name_offset: i32 = "DestNameOffset",
        /// Length in bytes of the data that the message stands for.
        data_logical_length: i32 = "DataLogicalLength",
        /// Low half of its offset.
        data_logical_offset: i32 = "DataLogicalOffset",
        /// High half of its offset.
        data_logical_offset_2: i32 = "DataLogicalOffset2",
    }
}

/// Each of these says in its own fields what follows it.
macro_rules! self_describing {
    ($($name:ident)*) => {
        $(impl $name {
            /// What it says of the piece behind it.
            pub fn describes(&self) -> Description {
                Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
            }
        })*
    };
}

self_describing! { Mde Dlh Dh Rmh }

impl Dh {
    fn show_rest(&self, _: Coding, out: &mut Fields) {
        out.push(("DistributionRecords", FieldValue::Bytes(self.rest.clone())));
    }
}

impl Rmh {
    fn show_rest(&self, _: Coding, out: &mut Fields) {
        if !self.rest.is_empty() {
            out.push(("NamesAndEnvironments", FieldValue::Bytes(self.rest.clone())));
        }
    }
}
