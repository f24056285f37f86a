//! Bytes to segments and back: the transmission segments of the MQ channel protocol.
//!
//! Pure code: nothing here reads a socket or a clock. [`deframe`] takes whole segments off a byte
//! buffer; [`Segment`] is a header ([`Tsh`]) with its body still unparsed; the other modules parse
//! and emit one kind of body each. Unknown bits and values are kept and shown, never refused.

pub mod byte_order;
pub mod deframe;
pub mod error;
pub(crate) mod field;
pub mod flags;
pub mod initial_data;
pub mod luwid;
pub mod msh;
pub mod name;
pub mod ping;
pub mod reset;
pub mod segment;
pub mod status;
pub mod tsh;

pub use byte_order::{Alphabet, ByteOrder};
pub use deframe::Deframer;
pub use error::Malformed;
pub use flags::{CapFlags1, CapFlags2, CapFlags3, ControlFlags1, ControlFlags2, ErrFlags1, ErrFlags2};
pub use initial_data::InitialData;
pub use luwid::Luwid;
pub use msh::Msh;
pub use name::Name;
pub use ping::Ping;
pub use reset::Reset;
pub use segment::Segment;
pub use status::{Status, StatusCode};
pub use tsh::{SegmentType, Tsh};
