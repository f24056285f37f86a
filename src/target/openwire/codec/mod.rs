//! OpenWire's bytes: frames, commands and message bodies; no socket, no clock (wire reference, openwire).
//!
//! Loose encoding only, nothing cached, versions 9 to 12: both are switched off for both directions by our
//! [`WireFormatInfo`], for each option holds only when both sides want it.
//!
//! | file | does |
//! |---|---|
//! | `frames` | cuts a stream into frames by their size prefix |
//! | `command` | one frame as a command, and back |
//! | `field` | one field of any type: read with its name and place, written |
//! | `structure` | what has a type byte of its own, nested or not |
//! | `ids`, `destination`, `handshake`, `session`, `transfer`, `response`, `message` | the structures, field by field |
//! | `body`, `inflate` | what a message holds, by JMS class; compressed or not |
//! | `primitive` | typed values: properties, map bodies, stream bodies |
//! | `utf` | Java's modified UTF-8 |
//!
//! ```text
//!  BytesMut --Frames--> RawFrame --decode(version)--> Frame { command_id, response_required, command }
//!  Frame --encode(version)--> BytesMut
//! ```

use std::fmt;

mod body;
mod command;
mod destination;
mod error;
mod field;
mod frames;
mod handshake;
mod ids;
mod inflate;
mod message;
mod primitive;
mod response;
mod session;
mod structure;
mod transfer;
mod utf;

#[cfg(test)]
mod tests;

pub use body::Content;
pub use command::{Command, Frame, UnknownCommand};
pub use error::{DecodeError, EncodeError, FrameError, Problem};
pub use frames::{Frames, RawFrame};
pub use handshake::{
    Agreed, BrokerInfo, ConnectionControl, ConnectionError, Disagreement, KeepAliveInfo, Throwable, WireFormatInfo,
};
pub use ids::{
    BrokerId, ConnectionId, ConsumerId, LocalTransactionId, MessageId, ProducerId, SessionId, TransactionId,
    XaTransactionId,
};
pub use message::{Blob, Class, Fields, Message};
pub use primitive::{Primitive, PrimitiveMap};
pub use response::{DataArrayResponse, DataResponse, ExceptionResponse, IntegerResponse, Response};
pub use session::{
    ConnectionInfo, ConsumerInfo, ControlCommand, DestinationInfo, FlushCommand, ProducerInfo, RemoveInfo, SessionInfo,
    ShutdownInfo,
};
pub use structure::Structure;
pub use transfer::{
    AckType, ConsumerControl, MessageAck, MessageDispatch, MessagePull, ProducerAck, TransactionInfo, TransactionType,
};

/// A version of the protocol that this build speaks. 10, 11 and 12 are the same for a client; 9 lacks
/// [`MessageId::text_view`], [`ConsumerInfo::client_id`] and [`Fields::group_first_for_consumer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u8);

impl Version {
    /// The oldest that we speak.
    pub const OLDEST: Self = Self(9);
    /// The newest that we speak, and the newest there is.
    pub const NEWEST: Self = Self(12);

    /// The version `number`; none outside 9 to 12.
    pub fn new(number: i32) -> Option<Self> {
        u8::try_from(number).ok().map(Self).filter(|version| (Self::OLDEST..=Self::NEWEST).contains(version))
    }

    /// Its number.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
