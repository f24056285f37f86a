//! What a message holds, by JMS class (wire reference, openwire, "Framing and primitives").

use bytes::{Bytes, BytesMut};

use super::error::{DecodeError, EncodeError};
use super::field::{Reader, Writer};
use super::inflate::inflate;
use super::message::{Class, Message};
use super::primitive::{Primitive, PrimitiveMap, Strings};
use super::{Version, utf};

/// A body taken apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Message, or a blob message, whose body lies elsewhere.
    Empty,
    /// TextMessage; none: its text is null.
    Text(Option<String>),
    /// BytesMessage.
    Bytes(Bytes),
    /// MapMessage.
    Map(PrimitiveMap),
    /// StreamMessage.
    Stream(Vec<Primitive>),
    /// ObjectMessage: serialised Java, never looked into; none: it holds null.
    Object(Option<Bytes>),
}

impl Content {
    /// The class of a message that holds it.
    pub fn class(&self) -> Class {
        match self {
            Self::Empty => Class::Plain,
            Self::Text(_) => Class::Text,
            Self::Bytes(_) => Class::Bytes,
            Self::Map(_) => Class::Map,
            Self::Stream(_) => Class::Stream,
            Self::Object(_) => Class::Object,
        }
    }

    /// Writes it as a message's `content`, not compressed. Nothing in it is null, as ActiveMQ's client has it;
    /// only an empty text is there.
    ///
    /// # Errors
    /// When something in it is too long for its length field.
    pub fn encode(&self) -> Result<Option<Bytes>, EncodeError> {
        let mut bytes = BytesMut::new();
        let mut writer = Writer { bytes: &mut bytes, version: Version::NEWEST };
        match self {
            Self::Empty | Self::Text(None) | Self::Object(None) => return Ok(None),
            Self::Bytes(content) if content.is_empty() => return Ok(None),
            Self::Map(map) if map.0.is_empty() => return Ok(None),
            Self::Stream(items) if items.is_empty() => return Ok(None),
            Self::Bytes(content) | Self::Object(Some(content)) => return Ok(Some(content.clone())),
            Self::Text(Some(text)) => writer.long_bytes("text", &utf::encode(text))?,
            Self::Map(map) => return map.encode().map(Some),
            Self::Stream(items) => items.iter().try_for_each(|item| item.write_to(&mut writer, Strings::Modified))?,
        }
        Ok(Some(bytes.freeze()))
    }
}

impl Message {
    /// A message with this body, everything else null, zero and false.
    ///
    /// # Errors
    /// See [`Content::encode`].
    pub fn with_content(content: &Content) -> Result<Self, EncodeError> {
        let mut message = Self { class: content.class(), ..Self::default() };
        message.content = content.encode()?;
        Ok(message)
    }

    /// Takes its body apart, inflated first if it is compressed. Offsets in the error count from the first byte of the
    /// (inflated) content.
    ///
    /// # Errors
    /// When the content is not what the class says.
    pub fn body(&self) -> Result<Content, DecodeError> {
        let Some(content) = &self.content else { return Ok(empty(self.class)) };
        Ok(match self.class {
            Class::Plain | Class::Blob => Content::Empty,
            Class::Text => Content::Text(Some(text(&self.whole(content, "TextMessage")?)?)),
            Class::Bytes if self.compressed => {
                let mut reader = Reader::new(content, "BytesMessage", Version::NEWEST);
                let length = reader.length("length")?;
                let left = reader.left();
                let inflated = inflate(&reader.take("content", left)?, "BytesMessage")?;
                Content::Bytes(inflated.slice(..length.min(inflated.len())))
            }
            Class::Bytes => Content::Bytes(content.clone()),
            Class::Map => Content::Map(PrimitiveMap::decode(&self.whole(content, "MapMessage")?)?),
            Class::Stream => Content::Stream(Primitive::decode_all(&self.whole(content, "StreamMessage")?)?),
            Class::Object => Content::Object(Some(self.whole(content, "ObjectMessage")?)),
        })
    }

    fn whole(&self, content: &Bytes, structure: &'static str) -> Result<Bytes, DecodeError> {
        if self.compressed { inflate(content, structure) } else { Ok(content.clone()) }
    }
}

fn empty(class: Class) -> Content {
    match class {
        Class::Plain | Class::Blob => Content::Empty,
        Class::Text => Content::Text(None),
        Class::Bytes => Content::Bytes(Bytes::new()),
        Class::Map => Content::Map(PrimitiveMap::default()),
        Class::Stream => Content::Stream(Vec::new()),
        Class::Object => Content::Object(None),
    }
}

fn text(content: &Bytes) -> Result<String, DecodeError> {
    let mut reader = Reader::new(content, "TextMessage", Version::NEWEST);
    let length = reader.length("text")?;
    let text = reader.text("text", length)?;
    reader.end()?;
    Ok(text)
}
