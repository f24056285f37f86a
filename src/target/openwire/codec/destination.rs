//! Queues and topics: the same four kinds as everywhere in mqferry.

use super::error::{DecodeError, EncodeError, Problem};
use super::field::{Field, Reader, Writer};
use super::structure::Nested;
use crate::mapping::Destination;

const QUEUE: u8 = 100;
const TOPIC: u8 = 101;
const TEMP_QUEUE: u8 = 102;
const TEMP_TOPIC: u8 = 103;

impl Nested for Destination {
    const NAME: &'static str = "Destination";

    fn type_code(&self) -> u8 {
        match self {
            Self::Queue(_) => QUEUE,
            Self::Topic(_) => TOPIC,
            Self::TempQueue(_) => TEMP_QUEUE,
            Self::TempTopic(_) => TEMP_TOPIC,
        }
    }

    fn read_as(type_code: u8, reader: &mut Reader<'_>) -> Option<Result<Self, DecodeError>> {
        let make = match type_code {
            QUEUE => Self::Queue,
            TOPIC => Self::Topic,
            TEMP_QUEUE => Self::TempQueue,
            TEMP_TOPIC => Self::TempTopic,
            _ => return None,
        };
        let name = Option::<String>::read(reader, "physical_name");
        Some(name.and_then(|name| name.map(make).ok_or_else(|| reader.error_before("physical_name", 1, Problem::Null))))
    }

    fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let (Self::Queue(name) | Self::Topic(name) | Self::TempQueue(name) | Self::TempTopic(name)) = self;
        true.write(writer, "physical_name")?;
        writer.short_text("physical_name", name)
    }
}
