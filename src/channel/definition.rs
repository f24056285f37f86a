//! What an administrator defines for a channel, and who the two ends are.

use super::Dialect;

/// A receiving channel as it is defined at our end; units as in MQSC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Channel name, up to 20 characters.
    pub name: String,
    /// RCVR or RQSTR.
    pub chltype: ChannelType,
    /// BATCHSZ, 1 to 9999 messages.
    pub batchsz: u16,
    /// MAXMSGL in bytes.
    pub maxmsgl: i32,
    /// HBINT in seconds, 0 to 999999; 0 none.
    pub hbint: i32,
    /// SEQWRAP, 100 to 999999999.
    pub seqwrap: i32,
    /// MRRTY: how often a message that the target refuses for a reason that may pass is put again, 0 to 999999999.
    pub mrrty: u32,
    /// MRTMR in milliseconds: the pause before each of these, 0 to 999999999.
    pub mrtmr: u32,
    /// Answers to what the wire reference leaves open.
    pub dialect: Dialect,
}

/// CHLTYPE of a channel at our end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelType {
    /// Receiver: the partner calls and sends.
    Rcvr,
    /// Requester: we may call, the partner sends.
    Rqstr,
    /// Sender: we call and send.
    Sdr,
    /// Server: we send, the partner may call.
    Svr,
}

/// How we show ourselves to partners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Our queue-manager name.
    pub qmgr_name: String,
    /// Our queue-manager id, for FAP 9 and above.
    pub qmgr_id: String,
}

/// Who the other end says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Queue-manager name; blank below FAP 4.
    pub qmgr_name: String,
    /// Queue-manager id; blank below FAP 9.
    pub qmgr_id: String,
    /// FAP level that it offered.
    pub fap_level: u8,
}
