//! Headers that applications and bridges to other systems write: IMS, CICS, work load, triggers, SAP
//! (order and types of their fields: IBM's own client, O).

use super::record::{FieldType, Fields, Reader, record};
use super::structure::{open_structure, structure};
use super::{Chars, Coding, Description, FieldValue};

open_structure! {
    /// MQIIH, the IMS bridge's header: 84 bytes.
    Iih, "MQIIH", "IIH ", versions [1], 84 bytes {
        /// Reserved.
        encoding: i32 = "Encoding",
        /// Reserved.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// Flags.
        flags: i32 = "Flags",
        /// Logical terminal override.
        l_term_override: Chars<8> = "LTermOverride",
        /// Message format services map.
        mfs_map_name: Chars<8> = "MFSMapName",
        /// Format of the reply.
        reply_to_format: Chars<8> = "ReplyToFormat",
        /// Password or pass ticket.
        authenticator: Chars<8> = "Authenticator",
        /// Transaction instance.
        tran_instance_id: [u8; 16] = "TranInstanceId",
        /// In conversation or not.
        tran_state: Chars<1> = "TranState",
        /// Commit mode.
        commit_mode: Chars<1> = "CommitMode",
        /// Security scope.
        security_scope: Chars<1> = "SecurityScope",
        /// Reserved.
        reserved: Chars<1> = "Reserved",
    }
}

open_structure! {
    /// MQCIH, the CICS bridge's header: 164 bytes in version 1, 180 in version 2.
    Cih, "MQCIH", "CIH ", versions [1, 2], 164 bytes {
        /// Reserved.
        encoding: i32 = "Encoding",
        /// Reserved.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// Flags.
        flags: i32 = "Flags",
        /// Return code from the bridge.
        return_code: i32 = "ReturnCode",
        /// Completion code.
        comp_code: i32 = "CompCode",
        /// Reason code.
        reason: i32 = "Reason",
        /// Unit-of-work control.
        uow_control: i32 = "UOWControl",
        /// Wait interval of the bridge task's get, milliseconds.
        get_wait_interval: i32 = "GetWaitInterval",
        /// Program or transaction.
        link_type: i32 = "LinkType",
        /// Length in bytes of the output area, -1 as input.
        output_data_length: i32 = "OutputDataLength",
        /// Facility release time, seconds.
        facility_keep_time: i32 = "FacilityKeepTime",
        /// ADS descriptor.
        ads_descriptor: i32 = "ADSDescriptor",
        /// Whether the task can be conversational.
        conversational_task: i32 = "ConversationalTask",
        /// Status at the task's end.
        task_end_status: i32 = "TaskEndStatus",
        /// Facility token.
        facility: [u8; 8] = "Facility",
        /// MQ call or CICS function that failed.
        function: Chars<4> = "Function",
        /// Abend code.
        abend_code: Chars<4> = "AbendCode",
        /// Password or pass ticket.
        authenticator: Chars<8> = "Authenticator",
        /// Reserved.
        reserved_1: Chars<8> = "Reserved1",
        /// Format of the reply.
        reply_to_format: Chars<8> = "ReplyToFormat",
        /// Remote CICS system.
        remote_sys_id: Chars<4> = "RemoteSysId",
        /// Transaction to attach.
        remote_trans_id: Chars<4> = "RemoteTransId",
        /// Transaction of the user program.
        transaction_id: Chars<4> = "TransactionId",
        /// Terminal to model on.
        facility_like: Chars<4> = "FacilityLike",
        /// Attention identifier.
        attention_id: Chars<4> = "AttentionId",
        /// How the transaction was started.
        start_code: Chars<4> = "StartCode",
        /// Abend transaction code.
        cancel_code: Chars<4> = "CancelCode",
        /// Next transaction to attach.
        next_transaction_id: Chars<4> = "NextTransactionId",
        /// Reserved.
        reserved_2: Chars<8> = "Reserved2",
        /// Reserved.
        reserved_3: Chars<8> = "Reserved3",
    }
}

record! {
    /// What version 2 of MQCIH adds.
    CihV2 {
        cursor_position: i32 = "CursorPosition",
        error_offset: i32 = "ErrorOffset",
        input_item: i32 = "InputItem",
        reserved_4: i32 = "Reserved4",
    }
}

open_structure! {
    /// MQWIH, the work information header: 120 bytes.
    Wih, "MQWIH", "WIH ", versions [1], 120 bytes {
        /// Encoding of what follows.
        encoding: i32 = "Encoding",
        /// CCSID of what follows.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// Flags.
        flags: i32 = "Flags",
        /// Service name.
        service_name: Chars<32> = "ServiceName",
        /// Service step.
        service_step: Chars<8> = "ServiceStep",
        /// Message token.
        msg_token: [u8; 16] = "MsgToken",
        /// Reserved.
        reserved: Chars<32> = "Reserved",
    }
}

open_structure! {
    /// MQSAPH, the header of the link to SAP R/3: 108 bytes. IBM's client writes version 0 (O).
    Saph, "MQSAPH", "SAPH", versions [0, 1], 108 bytes {
        /// Encoding of what follows.
        encoding: i32 = "Encoding",
        /// CCSID of what follows.
        coded_char_set_id: i32 = "CodedCharSetId",
        /// Format of what follows.
        format: Chars<8> = "Format",
        /// Flags.
        flags: i32 = "Flags",
        /// R/3 client and language.
        client: Chars<4> = "Client",
        /// R/3 host.
        hostname: Chars<48> = "Hostname",
        /// R/3 user.
        user_id: Chars<12> = "UserId",
        /// R/3 password.
        password: Chars<8> = "Password",
        /// R/3 system number.
        system_number: Chars<2> = "SystemNumber",
        /// Reserved.
        reserved: [u8; 2] = "Reserved",
    }
}

structure! {
    /// MQTM, a trigger message: 684 bytes, with nothing to say of what follows.
    Tm, "MQTM", "TM  ", version 1, 684 bytes {
        /// Triggered queue.
        q_name: Chars<48> = "QName",
        /// Process object.
        process_name: Chars<48> = "ProcessName",
        /// Trigger data of the queue.
        trigger_data: Chars<64> = "TriggerData",
        /// Kind of the application to start.
        appl_type: i32 = "ApplType",
        /// The application to start.
        appl_id: Chars<256> = "ApplId",
        /// Environment data.
        env_data: Chars<128> = "EnvData",
        /// User data.
        user_data: Chars<128> = "UserData",
    }
}

impl Wih {
    /// What it says of the piece behind it.
    pub fn describes(&self) -> Description {
        Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
    }

    fn show_rest(&self, _: Coding, out: &mut Fields) {
        show_unknown(&self.rest, out);
    }
}

impl Saph {
    /// What it says of the piece behind it.
    pub fn describes(&self) -> Description {
        Description { encoding: self.encoding, ccsid: self.coded_char_set_id, format: self.format }
    }

    fn show_rest(&self, _: Coding, out: &mut Fields) {
        show_unknown(&self.rest, out);
    }
}

impl Iih {
    /// What it says of the piece behind it: the format. Its Encoding and CodedCharSetId are reserved; what follows
    /// is written as the header itself is (D).
    pub fn describes(&self) -> Description {
        Description { encoding: 0, ccsid: 0, format: self.format }
    }

    fn show_rest(&self, _: Coding, out: &mut Fields) {
        show_unknown(&self.rest, out);
    }
}

impl Cih {
    /// What it says of the piece behind it: the format. Its Encoding and CodedCharSetId are reserved; what follows
    /// is written as the header itself is (D).
    pub fn describes(&self) -> Description {
        Description { encoding: 0, ccsid: 0, format: self.format }
    }

    fn show_rest(&self, coding: Coding, out: &mut Fields) {
        let mut reader = Reader::new("MQCIH", &self.rest, coding.byte_order);
        match <CihV2 as FieldType>::read(&mut reader, "") {
            Ok(v2) if self.version >= 2 => {
                v2.show("", coding, out);
                show_unknown(&self.rest.slice(reader.at()..), out);
            }
            _ => show_unknown(&self.rest, out),
        }
    }
}

impl Tm {
    /// Nothing.
    pub fn describes(&self) -> Description {
        Description { encoding: 0, ccsid: 0, format: Chars([0; 8]) }
    }
}

/// Bytes of a version that is newer than this table.
fn show_unknown(rest: &bytes::Bytes, out: &mut Fields) {
    if !rest.is_empty() {
        out.push(("Rest", FieldValue::Bytes(rest.clone())));
    }
}
