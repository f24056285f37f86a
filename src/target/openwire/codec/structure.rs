//! What has a type byte of its own: commands, ids, destinations. Nested in another structure it stands behind a byte
//! that says whether it is there, and its type.

use super::command::{Command, Frame};
use super::error::{DecodeError, EncodeError, Problem};
use super::field::{Field, Reader, Writer};
use super::ids::{
    BrokerId, ConnectionId, ConsumerId, LocalTransactionId, MessageId, ProducerId, SessionId, TransactionId,
    XaTransactionId,
};
use crate::mapping::Destination;

/// A structure, or a choice of some, that can be nested.
pub(super) trait Nested: Sized {
    /// Its name, for errors.
    const NAME: &'static str;

    /// The type byte of this value.
    fn type_code(&self) -> u8;

    /// Reads what follows the type byte; none if that type is none of ours.
    fn read_as(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>>;

    /// Writes what follows the type byte.
    fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;
}

/// A field that holds a structure.
pub(super) fn read_nested<N: Nested>(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<N>, DecodeError> {
    if !bool::read(reader, field)? {
        return Ok(None);
    }
    let type_code = u8::read(reader, field)?;
    reader
        .nested(field, N::NAME, |reader| N::read_as(type_code, reader).transpose())?
        .ok_or_else(|| reader.error_before(field, 1, Problem::UnexpectedType(type_code)))
        .map(Some)
}

pub(super) fn write_nested<N: Nested>(
    writer: &mut Writer<'_>,
    field: &'static str,
    value: Option<&N>,
) -> Result<(), EncodeError> {
    value.is_some().write(writer, field)?;
    let Some(value) = value else { return Ok(()) };
    value.type_code().write(writer, field)?;
    value.write_fields(writer)
}

/// An array: a byte that says whether it is there, a count of two bytes, and each element nested.
fn read_array<N: Nested>(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<Vec<N>>, DecodeError> {
    if !bool::read(reader, field)? {
        return Ok(None);
    }
    let count = i16::read(reader, field)?;
    if count < 0 {
        return Err(reader.error_before(field, 2, Problem::Negative(count.into())));
    }
    // not reserved by what it says: each element has to be there first
    let mut elements = Vec::new();
    for _ in 0..count {
        reader.one_more_element(field)?;
        let element = read_nested(reader, field)?;
        elements.push(element.ok_or_else(|| reader.error_before(field, 1, Problem::Null))?);
    }
    Ok(Some(elements))
}

fn write_array<N: Nested>(
    writer: &mut Writer<'_>,
    field: &'static str,
    elements: Option<&[N]>,
) -> Result<(), EncodeError> {
    elements.is_some().write(writer, field)?;
    let Some(elements) = elements else { return Ok(()) };
    let limit = i16::MAX as usize;
    let count = i16::try_from(elements.len()).map_err(|_| EncodeError { field, length: elements.len(), limit })?;
    count.write(writer, field)?;
    elements.iter().try_for_each(|element| write_nested(writer, field, Some(element)))
}

impl<N: Nested> Field for N {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        read_nested(reader, field)?.ok_or_else(|| reader.error_before(field, 1, Problem::Null))
    }

    fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
        write_nested(writer, field, Some(self))
    }
}

impl<N: Nested> Field for Option<N> {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        read_nested(reader, field)
    }

    fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
        write_nested(writer, field, self.as_ref())
    }
}

impl<N: Nested> Nested for Box<N> {
    const NAME: &'static str = N::NAME;

    fn type_code(&self) -> u8 {
        (**self).type_code()
    }

    fn read_as(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
        N::read_as(type_code, reader).map(|value| value.map(Self::new))
    }

    fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        (**self).write_fields(writer)
    }
}

impl<N: Nested> Field for Option<Vec<N>> {
    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        read_array(reader, field)
    }

    fn write(&self, writer: &mut Writer<'_>, field: &'static str) -> Result<(), EncodeError> {
        write_array(writer, field, self.as_deref())
    }
}

/// Fixed fields in the order in which they are written. `since N` is the first version that has a field.
macro_rules! fields {
    (
        $(#[$about:meta])*
        $name:ident {
            $( $(#[$field_about:meta])* $field:ident : $type:ty $(, since $since:literal)? ; )*
        }
    ) => {
        $(#[$about])*
        pub struct $name {
            $( $(#[$field_about])* pub $field: $type, )*
        }

        #[allow(unused_variables, reason = "some have no fields")]
        impl $name {
            pub(super) fn read_fields(
                reader: &mut $crate::target::openwire::codec::field::Reader<'_>,
            ) -> Result<Self, $crate::target::openwire::codec::error::DecodeError> {
                Ok(Self {
                    $( $field: $crate::target::openwire::codec::structure::fields!(@read reader, stringify!($field) $(, $since)?), )*
                })
            }

            pub(super) fn write_own_fields(
                &self,
                writer: &mut $crate::target::openwire::codec::field::Writer<'_>,
            ) -> Result<(), $crate::target::openwire::codec::error::EncodeError> {
                $( $crate::target::openwire::codec::structure::fields!(@write writer, self.$field, stringify!($field) $(, $since)?); )*
                Ok(())
            }
        }
    };
    (@read $reader:ident, $field:expr) => {
        $crate::target::openwire::codec::field::Field::read($reader, $field)?
    };
    (@read $reader:ident, $field:expr, $since:literal) => {
        if $reader.version.number() >= $since { $crate::target::openwire::codec::field::Field::read($reader, $field)? } else { Default::default() }
    };
    (@write $writer:ident, $value:expr, $field:expr) => {
        $crate::target::openwire::codec::field::Field::write(&$value, $writer, $field)?
    };
    (@write $writer:ident, $value:expr, $field:expr, $since:literal) => {
        if $writer.version.number() >= $since {
            $crate::target::openwire::codec::field::Field::write(&$value, $writer, $field)?
        }
    };
}
pub(super) use fields;

/// A structure with a type byte. A `command` that is nested has its id and answer flag before its fields.
macro_rules! structure {
    ( $(#[$about:meta])* $name:ident = $kind:ident $code:literal { $($fields:tt)* } ) => {
        $crate::target::openwire::codec::structure::fields! { $(#[$about])* $name { $($fields)* } }

        impl $name {
            /// Its type byte.
            pub const TYPE: u8 = $code;
        }

        impl $crate::target::openwire::codec::structure::Nested for $name {
            const NAME: &'static str = stringify!($name);

            fn type_code(&self) -> u8 {
                Self::TYPE
            }

            fn read_as(
                type_code: u8,
                reader: &mut $crate::target::openwire::codec::field::Reader<'_>,
            ) -> Option<Result<Self, $crate::target::openwire::codec::error::DecodeError>> {
                let head = $crate::target::openwire::codec::structure::structure!(@read $kind);
                (type_code == Self::TYPE).then(|| head(reader).and_then(|()| Self::read_fields(reader)))
            }

            fn write_fields(
                &self,
                writer: &mut $crate::target::openwire::codec::field::Writer<'_>,
            ) -> Result<(), $crate::target::openwire::codec::error::EncodeError> {
                let head = $crate::target::openwire::codec::structure::structure!(@write $kind);
                head(writer).and_then(|()| self.write_own_fields(writer))
            }
        }
    };
    (@read value) => { |_: &mut $crate::target::openwire::codec::field::Reader<'_>| Ok(()) };
    (@read command) => { $crate::target::openwire::codec::command::skip_head };
    (@write value) => { |_: &mut $crate::target::openwire::codec::field::Writer<'_>| Ok(()) };
    (@write command) => { |writer: &mut $crate::target::openwire::codec::field::Writer<'_>| $crate::target::openwire::codec::command::write_head(writer, 0, false) };
}
pub(super) use structure;

/// Anything that a field of no certain type can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Structure {
    /// A command; its id and answer flag mean nothing here and are not kept.
    Command(Box<Command>),
    /// A destination.
    Destination(Destination),
    /// See [`MessageId`].
    MessageId(MessageId),
    /// A local or XA transaction id.
    TransactionId(TransactionId),
    /// See [`ConnectionId`].
    ConnectionId(ConnectionId),
    /// See [`SessionId`].
    SessionId(SessionId),
    /// See [`ConsumerId`].
    ConsumerId(ConsumerId),
    /// See [`ProducerId`].
    ProducerId(ProducerId),
    /// See [`BrokerId`].
    BrokerId(BrokerId),
}

impl Nested for Structure {
    const NAME: &'static str = "data structure";

    fn type_code(&self) -> u8 {
        match self {
            Self::Command(command) => command.type_code(),
            Self::Destination(it) => it.type_code(),
            Self::MessageId(it) => it.type_code(),
            Self::TransactionId(it) => it.type_code(),
            Self::ConnectionId(it) => it.type_code(),
            Self::SessionId(it) => it.type_code(),
            Self::ConsumerId(it) => it.type_code(),
            Self::ProducerId(it) => it.type_code(),
            Self::BrokerId(it) => it.type_code(),
        }
    }

    fn read_as(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
        Some(match type_code {
            LocalTransactionId::TYPE | XaTransactionId::TYPE => {
                TransactionId::read_as(type_code, reader)?.map(Self::TransactionId)
            }
            MessageId::TYPE => MessageId::read_fields(reader).map(Self::MessageId),
            ConnectionId::TYPE => ConnectionId::read_fields(reader).map(Self::ConnectionId),
            SessionId::TYPE => SessionId::read_fields(reader).map(Self::SessionId),
            ConsumerId::TYPE => ConsumerId::read_fields(reader).map(Self::ConsumerId),
            ProducerId::TYPE => ProducerId::read_fields(reader).map(Self::ProducerId),
            BrokerId::TYPE => BrokerId::read_fields(reader).map(Self::BrokerId),
            100..=103 => Destination::read_as(type_code, reader)?.map(Self::Destination),
            _ => match Frame::read_nested_command(type_code, reader)? {
                Ok(command) => Ok(Self::Command(Box::new(command))),
                Err(error) => Err(error),
            },
        })
    }

    fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Command(command) => Frame::write_nested_command(command, writer),
            Self::Destination(it) => it.write_fields(writer),
            Self::MessageId(it) => it.write_fields(writer),
            Self::TransactionId(it) => it.write_fields(writer),
            Self::ConnectionId(it) => it.write_fields(writer),
            Self::SessionId(it) => it.write_fields(writer),
            Self::ConsumerId(it) => it.write_fields(writer),
            Self::ProducerId(it) => it.write_fields(writer),
            Self::BrokerId(it) => it.write_fields(writer),
        }
    }
}
