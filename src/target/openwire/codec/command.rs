//! One frame as a command, and back.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Version;
use super::error::{DecodeError, EncodeError, Problem};
use super::field::{Field as _, Reader, Writer};
use super::handshake::{BrokerInfo, ConnectionControl, ConnectionError, KeepAliveInfo, WireFormatInfo};
use super::message::Message;
use super::response::{DataArrayResponse, DataResponse, ExceptionResponse, IntegerResponse, Response};
use super::session::{
    ConnectionInfo, ConsumerInfo, ControlCommand, DestinationInfo, FlushCommand, ProducerInfo, RemoveInfo, SessionInfo,
    ShutdownInfo,
};
use super::transfer::{ConsumerControl, MessageAck, MessageDispatch, MessagePull, ProducerAck, TransactionInfo};

/// A command with what every command has.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Counted up from 1 by each side; the answer repeats it. 0 for a [`WireFormatInfo`], which has none.
    pub command_id: i32,
    /// Whether the sender waits for an answer. Nothing else may be answered.
    pub response_required: bool,
    /// The command.
    pub command: Command,
}

/// A command that this build has no fields for: of a network connector's, of the broker's journal, or a later one. An
/// answer to it, if one is wanted, can only be that it is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCommand {
    /// Its type byte.
    pub type_code: u8,
    /// What follows its id and answer flag.
    pub rest: Bytes,
}

macro_rules! commands {
    ($( $name:ident ( $held:ty ), )*) => {
        /// What a client sends or may receive.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each holds the structure of its name")]
        pub enum Command {
            WireFormatInfo(WireFormatInfo),
            $( $name($held), )*
            Message(Box<Message>),
            Unknown(UnknownCommand),
        }

        $(
            impl From<$name> for Command {
                fn from(command: $name) -> Self {
                    Self::$name(command.into())
                }
            }
        )*

        impl Command {
            /// Its type byte.
            pub fn type_code(&self) -> u8 {
                match self {
                    Self::WireFormatInfo(_) => WireFormatInfo::TYPE,
                    $( Self::$name(_) => $name::TYPE, )*
                    Self::Message(message) => message.class.type_code(),
                    Self::Unknown(unknown) => unknown.type_code,
                }
            }

            /// What it is called.
            pub fn name(&self) -> &'static str {
                name_of(self.type_code())
            }

            /// Reads the fields behind id and answer flag; none if the type is not known.
            fn read_fields(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
                match type_code {
                    $( $name::TYPE => Some($name::read_fields(reader).map(Self::from)), )*
                    _ => Message::read_class(type_code, reader)
                        .map(|message| message.map(|message| Self::Message(Box::new(message)))),
                }
            }

            fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
                match self {
                    Self::WireFormatInfo(info) => info.write_fields(writer),
                    $( Self::$name(it) => it.write_own_fields(writer), )*
                    Self::Message(message) => message.write_own_fields(writer),
                    Self::Unknown(unknown) => {
                        writer.bytes.put_slice(&unknown.rest);
                        Ok(())
                    }
                }
            }
        }

        /// The name of a command's type.
        pub(super) fn name_of(type_code: u8) -> &'static str {
            match type_code {
                WireFormatInfo::TYPE => "WireFormatInfo",
                $( $name::TYPE => stringify!($name), )*
                23..=29 => "Message",
                _ => UNKNOWN,
            }
        }
    };
}

commands! {
    BrokerInfo(Box<BrokerInfo>),
    ConnectionInfo(Box<ConnectionInfo>),
    SessionInfo(SessionInfo),
    ConsumerInfo(Box<ConsumerInfo>),
    ProducerInfo(ProducerInfo),
    TransactionInfo(TransactionInfo),
    DestinationInfo(DestinationInfo),
    KeepAliveInfo(KeepAliveInfo),
    ShutdownInfo(ShutdownInfo),
    RemoveInfo(RemoveInfo),
    ControlCommand(ControlCommand),
    FlushCommand(FlushCommand),
    ConnectionError(ConnectionError),
    ConsumerControl(ConsumerControl),
    ConnectionControl(ConnectionControl),
    ProducerAck(ProducerAck),
    MessagePull(Box<MessagePull>),
    MessageDispatch(Box<MessageDispatch>),
    MessageAck(Box<MessageAck>),
    Response(Response),
    ExceptionResponse(ExceptionResponse),
    DataResponse(DataResponse),
    DataArrayResponse(DataArrayResponse),
    IntegerResponse(IntegerResponse),
}

impl From<WireFormatInfo> for Command {
    fn from(info: WireFormatInfo) -> Self {
        Self::WireFormatInfo(info)
    }
}

impl From<Message> for Command {
    fn from(message: Message) -> Self {
        Self::Message(Box::new(message))
    }
}

impl Command {
    /// The id of the command that this answers; none if it is no answer.
    pub fn answers(&self) -> Option<i32> {
        match self {
            Self::Response(it) => Some(it.correlation_id),
            Self::ExceptionResponse(it) => Some(it.correlation_id),
            Self::DataResponse(it) => Some(it.correlation_id),
            Self::DataArrayResponse(it) => Some(it.correlation_id),
            Self::IntegerResponse(it) => Some(it.correlation_id),
            _ => None,
        }
    }
}

impl Frame {
    /// A command of this id that wants no answer.
    pub fn new(command_id: i32, command: impl Into<Command>) -> Self {
        Self { command_id, response_required: false, command: command.into() }
    }

    /// The same, and it wants one.
    pub fn asking(command_id: i32, command: impl Into<Command>) -> Self {
        Self { command_id, response_required: true, command: command.into() }
    }

    /// Reads one frame: `bytes` from its type byte to its end. Byte fields are slices of it.
    ///
    /// # Errors
    /// When it cannot be read. A command of an unknown type is no error.
    pub fn decode(bytes: &Bytes, version: Version) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, "frame", version);
        let type_code = u8::read(&mut reader, "type")?;
        reader.structure = name_of(type_code);
        if type_code == WireFormatInfo::TYPE {
            let info = WireFormatInfo::read_fields(&mut reader)?;
            reader.end()?;
            return Ok(Self::new(0, info));
        }
        // null, and what is no command
        if type_code == 0 || (100..=124).contains(&type_code) {
            return Err(reader.error_before("type", 1, Problem::UnexpectedType(type_code)));
        }
        let command_id = i32::read(&mut reader, "command_id")?;
        let response_required = bool::read(&mut reader, "response_required")?;
        let command = match Command::read_fields(type_code, &mut reader) {
            Some(command) => command?,
            None => {
                let left = reader.left();
                Command::Unknown(UnknownCommand { type_code, rest: reader.take("fields", left)? })
            }
        };
        reader.end()?;
        Ok(Self { command_id, response_required, command })
    }

    /// Writes it behind what `into` holds, size first.
    ///
    /// # Errors
    /// When a field is too long; `into` is then as it was.
    pub fn encode(&self, version: Version, into: &mut BytesMut) -> Result<(), EncodeError> {
        let start = into.len();
        let written = self.write(&mut Writer { bytes: into, version });
        let size = into.len().saturating_sub(start + SIZE_FIELD);
        let written = written.and_then(|()| {
            i32::try_from(size).map_err(|_| EncodeError { field: "size", length: size, limit: i32::MAX as usize })
        });
        match written {
            Ok(size) => {
                into[start..start + SIZE_FIELD].copy_from_slice(&size.to_be_bytes());
                Ok(())
            }
            Err(error) => {
                into.truncate(start);
                Err(error)
            }
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes.put_u32(0);
        writer.bytes.put_u8(self.command.type_code());
        if !matches!(self.command, Command::WireFormatInfo(_)) {
            write_head(writer, self.command_id, self.response_required)?;
        }
        self.command.write_fields(writer)
    }

    /// A command within another structure, behind its type byte.
    pub(super) fn read_nested_command(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Command, DecodeError>> {
        if type_code == WireFormatInfo::TYPE {
            return Some(WireFormatInfo::read_fields(reader).map(Command::from));
        }
        if name_of(type_code) == UNKNOWN {
            return None;
        }
        match skip_head(reader) {
            Ok(()) => Command::read_fields(type_code, reader),
            Err(error) => Some(Err(error)),
        }
    }

    /// Writes a command within another structure, behind its type byte.
    pub(super) fn write_nested_command(command: &Command, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        if !matches!(command, Command::WireFormatInfo(_)) {
            write_head(writer, 0, false)?;
        }
        command.write_fields(writer)
    }
}

const UNKNOWN: &str = "unknown command";
/// Bytes of a frame's size.
pub(super) const SIZE_FIELD: usize = 4;

/// Id and answer flag of a nested command mean nothing.
pub(super) fn skip_head(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    i32::read(reader, "command_id")?;
    bool::read(reader, "response_required")?;
    Ok(())
}

pub(super) fn write_head(writer: &mut Writer<'_>, command_id: i32, response_required: bool) -> Result<(), EncodeError> {
    command_id.write(writer, "command_id")?;
    response_required.write(writer, "response_required")
}
