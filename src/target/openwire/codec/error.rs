//! What can be wrong with bytes that came, or with a command that is to be written.

/// A frame cannot be read. The stream itself is still whole, for the frame's end is known; but a peer that sends such
/// a frame is not understood, and the connection is best ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("OpenWire {structure}, field {field}, offset {offset} of the frame: {problem}")]
pub struct DecodeError {
    /// Name of the structure that was being read.
    pub structure: &'static str,
    /// Its field.
    pub field: &'static str,
    /// Bytes from the frame's type byte (offset 0) to the field; within the content for bodies and properties.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The frame ends inside the field.
    #[error("needs {needed} bytes, {left} are left")]
    Truncated {
        /// Bytes that the field takes.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// Bytes are left after the last field.
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    /// A boolean or presence byte is neither 0 nor 1.
    #[error("{0:#04x} is no boolean")]
    NotBoolean(u8),
    /// A length or count is negative.
    #[error("length {0} is negative")]
    Negative(i32),
    /// Not modified UTF-8.
    #[error("byte {at} of the string is no modified UTF-8")]
    NotText {
        /// Bytes into the string.
        at: usize,
    },
    /// Null where the protocol wants a value.
    #[error("is null")]
    Null,
    /// A structure of this type has no place here, or is not known; nothing says where it would end.
    #[error("data structure type {0} is not expected here")]
    UnexpectedType(u8),
    /// A type byte of a property, map entry or stream item that is not known.
    #[error("value type {0} is unknown")]
    UnknownValue(u8),
    /// A number outside the few that mean something.
    #[error("{0} is not a value that it can have")]
    OutOfRange(i64),
    /// Structures, maps or lists nested more deeply than anybody needs.
    #[error("is nested more than {0} deep")]
    TooDeep(usize),
    /// More values than this build takes apart in one body, or elements in one frame.
    #[error("holds more than {0} values")]
    TooMany(usize),
    /// The eight bytes that begin a WireFormatInfo are not `ActiveMQ`.
    #[error("the magic bytes are not ActiveMQ")]
    NotActiveMq,
    /// Compressed content that cannot be inflated.
    #[error("compressed content is damaged, or inflates to more than {limit} bytes")]
    NotInflated {
        /// The most that is inflated.
        limit: usize,
    },
}

/// A stream cannot be cut into frames any more: the connection is finished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame above the limit; none of it was read.
    #[error("OpenWire frame of {size} bytes is above the {limit} that are taken (it begins {first:02x?})")]
    TooLong {
        /// Its size, without the size field.
        size: u32,
        /// The limit.
        limit: usize,
        /// The size field as it came: the first bytes of another protocol, perhaps.
        first: [u8; 4],
    },
    /// A frame without even a type byte.
    #[error("OpenWire frame of size 0")]
    Empty,
}

/// A command cannot be written. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("OpenWire field {field}: {length} bytes are above the {limit} that it can hold")]
pub struct EncodeError {
    /// The field.
    pub field: &'static str,
    /// Its length in bytes, or number of elements.
    pub length: usize,
    /// The most that fits.
    pub limit: usize,
}
