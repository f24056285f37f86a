//! What an administrator defines for a channel, and who the two ends are.

use super::Dialect;

/// A channel as it is defined at our end; units as in MQSC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Channel name, up to 20 characters.
    pub name: String,
    /// CHLTYPE: which end it is, and who calls.
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
    /// BATCHLIM of a sending channel in kilobytes, 0 to 999999: a batch ends when it holds so much; 0 no limit.
    pub batchlim: u32,
    /// BATCHINT of a sending channel in milliseconds, 0 to 999999999: how long a batch waits for more messages once its
    /// queues are empty; 0 not at all.
    pub batchint: u32,
    /// BATCHHB of a sending channel in milliseconds, 0 to 999999: how long nothing may have been heard from the partner
    /// before it is asked whether it is there, ahead of asking for a confirm; 0 never.
    pub batchhb: u32,
    /// DISCINT of a sending channel in seconds, 0 to 999999: how long its queues may be empty before it ends; 0 for ever.
    pub discint: u32,
    /// CONVERT of a sending channel: whether data are converted before they are sent.
    pub convert: bool,
    /// Where the channel calls; none for a channel that only ever is called.
    pub calls: Option<Calls>,
    /// Answers to what the wire reference leaves open.
    pub dialect: Dialect,
}

impl Definition {
    /// A channel of this name and type of which nothing else was said: MQSC's own values, but MAXMSGL, which is 100 MB
    /// as a queue manager's greatest.
    pub fn of(name: &str, chltype: ChannelType) -> Self {
        Self {
            name: name.to_owned(),
            chltype,
            batchsz: 50,
            maxmsgl: 104_857_600,
            hbint: 300,
            seqwrap: 999_999_999,
            mrrty: 10,
            mrtmr: 1000,
            batchlim: 5000,
            batchint: 0,
            batchhb: 0,
            discint: 6000,
            convert: false,
            calls: None,
            dialect: Dialect::default(),
        }
    }
}

/// Whom a channel calls, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// CONNAME: the addresses, tried in this order; at least one.
    pub conname: Vec<Conname>,
    /// SHORTRTY: calls after the first that failed, 0 to 999999999.
    pub shortrty: u32,
    /// SHORTTMR in seconds: the pause before each of these.
    pub shorttmr: u32,
    /// LONGRTY: calls after those, 0 to 999999999.
    pub longrty: u32,
    /// LONGTMR in seconds: the pause before each of these.
    pub longtmr: u32,
}

/// An address in MQ's words: `host(port)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conname {
    /// Name or address of a machine.
    pub host: String,
    /// TCP port; 1414 where none was named.
    pub port: u16,
}

impl std::fmt::Display for Conname {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.host, self.port)
    }
}

impl std::str::FromStr for Conname {
    type Err = ();

    /// `host(port)`, or a host alone for port 1414, as CONNAME has it.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (host, port) = match text.trim().split_once('(') {
            None => (text, 1414),
            Some((host, rest)) => (host, rest.strip_suffix(')').ok_or(())?.trim().parse().map_err(|_| ())?),
        };
        let host = host.trim();
        let fits = !host.is_empty() && port != 0 && !host.contains([')', ',', '/', ' ']);
        if fits { Ok(Self { host: host.to_owned(), port }) } else { Err(()) }
    }
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

impl ChannelType {
    /// Whether messages go from us to the partner.
    pub fn sends(self) -> bool {
        matches!(self, Self::Sdr | Self::Svr)
    }
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
