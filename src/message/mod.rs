//! What a segment carries: the transmission header, the descriptor, and the headers chained behind it.
//!
//! ```text
//! MQXQH 104 | MQMD 324 | MQMDE 72 | MQDLH 172 | MQRFH2 ... | body
//! `-- TSH's byte order, --'`-- each described by the Encoding, CodedCharSetId --'
//!     CCSID and alphabet       and Format of the piece before it
//! ```
//!
//! [`Envelope`] takes a whole message apart, once, without copying the body. Text fields stay raw bytes
//! ([`Chars`]) until somebody asks for their text in a [`Coding`], so that what was parsed and is emitted
//! unchanged gives the same bytes.

mod bridges;
mod chars;
mod coding;
pub mod constants;
mod descriptor;
mod envelope;
mod error;
mod header;
mod headers;
mod parts;
mod put_time;
mod record;
mod rfh2;
mod structure;

pub use bridges::{Cih, Iih, Saph, Tm, Wih};
pub use chars::{Chars, Unfit};
pub use coding::{Coding, Description};
pub use descriptor::{Md, MdV2, Xqh};
pub use envelope::{Body, Envelope, Structure, peek_msg_id};
pub use error::BrokenEnvelope;
pub use header::{Header, Placed};
pub use headers::{Dh, Dlh, Mde, Rmh};
pub use put_time::{millis_of_put_time, put_time_of_millis};
pub use record::FieldValue;
pub use rfh2::{FolderTexts, Rfh, Rfh2};
