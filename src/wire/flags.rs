//! The bit fields of segments and of initial data. Unknown bits are kept.

use std::fmt;

use bitflags::bitflags;

bitflags! {
    /// ControlFlags1, TSH offset 10 (wire reference, segments 5, W).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct ControlFlags1: u8 {
        /// The sender of the segment wants an answer.
        const CONFIRM_REQUEST = 0x01;
        /// The segment reports a problem.
        const ERROR = 0x02;
        /// Please end the channel.
        const REQUEST_CLOSE = 0x04;
        /// I am ending the channel.
        const CLOSE_CHANNEL = 0x08;
        /// First segment of a message.
        const FIRST = 0x10;
        /// Last segment of a message.
        const LAST = 0x20;
        /// Answer to a request; exact use unknown (U).
        const REQUEST_ACCEPTED = 0x40;
        /// A message of this batch went to the dead-letter queue.
        const DLQ_USED = 0x80;
        const _ = !0;
    }
}

bitflags! {
    /// ControlFlags2, TSH offset 11 (wire reference, segments 5, W).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct ControlFlags2: u8 {
        /// Headers of this message are compressed.
        const HDRCOMP = 0x01;
        /// Message data is compressed.
        const MSGCOMP = 0x02;
        /// A compression structure header precedes, perhaps (U).
        const CSH = 0x04;
        /// Commit interval, perhaps (U).
        const CMIT_INTERVAL = 0x08;
        const _ = !0;
    }
}

bitflags! {
    /// CapFlags1 and ECapFlags1 of initial data (wire reference, segments 7, W).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct CapFlags1: u8 {
        /// Uses message sequence numbers.
        const MSG_SEQ = 0x01;
        /// Can convert data.
        const CONVERSION_CAPABLE = 0x02;
        /// Can split a message over segments.
        const SPLIT_MESSAGE = 0x04;
        /// The caller is a requester and wants the other end to send.
        const REQUEST_INITIATION = 0x08;
        /// A security exchange is wanted.
        const REQUEST_SECURITY = 0x10;
        /// Client (MQI) channel.
        const MQREQUEST = 0x20;
        /// Security on a server-connection channel.
        const SVRCONN_SECURITY = 0x40;
        /// Runtime application.
        const RUNTIME = 0x80;
    }
}

bitflags! {
    /// CapFlags2 and ECapFlags2 of initial data, from FAP 4 (wire reference, segments 7, W).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct CapFlags2: u8 {
        /// Can take distribution lists.
        const DIST_LIST_CAPABLE = 0x01;
        /// NPMSPEED(FAST) is wanted.
        const FAST_MESSAGES_REQUIRED = 0x02;
        /// The responder converts.
        const RESPONDER_CONVERSION = 0x04;
        /// Pipelining: two units of work at once.
        const DUAL_UOW = 0x08;
        /// XA request.
        const XAREQUEST = 0x10;
        /// XA runtime application.
        const XARUNTIME_APP = 0x20;
        /// SPI request.
        const SPIREQUEST = 0x40;
        /// Can take trace-route messages.
        const TRACE_ROUTE_CAPABLE = 0x80;
    }
}

bitflags! {
    /// CapFlags3 and ECapFlags3 of initial data, from FAP 9 (wire reference, segments 7, W).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct CapFlags3: u8 {
        /// Message properties.
        const MSG_PROP_CAPABLE = 0x01;
        /// Multicast.
        const MULTICAST_CAPABLE = 0x02;
        /// Integers of message properties apart.
        const MSG_PROP_INT_SEPARATE = 0x04;
        /// Multiplexed synchronous get.
        const MULTIPLEX_SYNCGET = 0x08;
        /// Password protection algorithms.
        const PROT_ALGORITHMS = 0x10;
        /// Connection tags.
        const GEN_CONNTAG_CAP = 0x20;
        const _ = !0;
    }
}

bitflags! {
    /// ErrFlags1 of initial data: which value is refused (wire reference, segments 7, W; 0x04, 0x10, 0x80 O).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct ErrFlags1: u8 {
        /// CCSID.
        const CCSID = 0x01;
        /// Encoding (byte order).
        const ENCODING = 0x02;
        /// MaxTransmissionSize.
        const MAX_TRANSMISSION_SIZE = 0x04;
        /// FapLevel.
        const FAP_LEVEL = 0x08;
        /// MaxMsgSize.
        const MAX_MSG_SIZE = 0x10;
        /// MaxMsgPerBatch.
        const MAX_MSG_PER_BATCH = 0x20;
        /// SeqWrapValue.
        const SEQ_WRAP_VALUE = 0x40;
        /// HeartbeatInterval.
        const HEARTBEAT_INTERVAL = 0x80;
    }
}

bitflags! {
    /// ErrFlags2 of initial data, from FAP 9 (wire reference, segments 7, W).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct ErrFlags2: u8 {
        /// Header compression list.
        const HDR_COMP_LIST = 0x01;
        /// Message compression list.
        const MSG_COMP_LIST = 0x02;
        /// SSL key reset.
        const SSL_KEY_RESET = 0x04;
        const _ = !0;
    }
}

/// Names of the bits that are set, and those without a name as one hex number.
macro_rules! shown {
    ($($flags:ident),*) => {$(
        impl $flags {
            /// Names of the bits that are set; bits without a name last, as one hex number.
            pub fn names(self) -> Vec<String> {
                let mut named = self.iter_names();
                let mut names: Vec<String> = named.by_ref().map(|(name, _)| name.to_owned()).collect();
                if !named.remaining().is_empty() {
                    names.push(format!("0x{:02X}", named.remaining().bits()));
                }
                names
            }
        }

        impl fmt::Display for $flags {
            /// As `FIRST|LAST`, and `none` when no bit is set.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.is_empty() { f.write_str("none") } else { f.write_str(&self.names().join("|")) }
            }
        }
    )*};
}

shown!(ControlFlags1, ControlFlags2, CapFlags1, CapFlags2, CapFlags3, ErrFlags1, ErrFlags2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_names_and_unknown_bits() {
        assert_eq!(ControlFlags1::from_bits_retain(0x31).to_string(), "CONFIRM_REQUEST|FIRST|LAST");
        assert_eq!(ControlFlags1::empty().to_string(), "none");
        assert_eq!(ErrFlags2::from_bits_retain(0xC1).to_string(), "HDR_COMP_LIST|0xC0");
    }
}
