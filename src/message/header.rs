//! The headers that may stand behind the descriptor, and how one announces the next.

use bytes::Bytes;

use crate::wire::{Alphabet, ByteOrder, Malformed};

use super::bridges::{Cih, Iih, Saph, Tm, Wih};
use super::constants::format;
use super::headers::{Dh, Dlh, Mde, Rmh};
use super::parts::Parts;
use super::{Chars, Coding, Description, FieldValue, Rfh, Rfh2};

/// A header with its place in the message.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The header.
    pub header: Header,
    /// Offset in bytes from the start of the message.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// How it is written: give it to its fields to read text.
    pub coding: Coding,
}

/// Where a kind of header ends.
enum Length {
    /// Always here.
    Fixed(usize),
    /// Where its StrucLength says, but not before this.
    Announced(usize),
}

/// Declares every kind of header once: type, IBM's name, the format that announces it, and its length.
macro_rules! headers {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $format:expr, $length:expr;)*) => {
        /// A header that may stand behind the descriptor.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Header {
            $($(#[$doc])* $kind(Box<$kind>),)*
        }

        /// A kind of header.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Kind {
            $($kind,)*
        }

        impl Kind {
            /// The kind that a format announces.
            pub(super) fn of(announced: &Chars<8>) -> Option<Self> {
                [$(($format, Self::$kind),)*].into_iter().find_map(|(name, kind)| announced.is(name).then_some(kind))
            }

            fn length(self) -> Length {
                match self {
                    $(Self::$kind => $length,)*
                }
            }

            fn read(self, bytes: &Bytes, byte_order: ByteOrder) -> Result<Header, Malformed> {
                Ok(match self {
                    $(Self::$kind => Header::$kind(Box::new($kind::parse(bytes, byte_order)?)),)*
                })
            }
        }

        impl Header {
            /// IBM's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)*
                }
            }

            /// What it says of the piece behind it; zeros and blanks where it says nothing.
            pub fn describes(&self) -> Description {
                match self {
                    $(Self::$kind(header) => header.describes(),)*
                }
            }

            /// All its fields in order, under IBM's names; of MQRFH2 those of the fixed part.
            pub fn fields(&self, coding: Coding) -> Vec<(&'static str, FieldValue)> {
                match self {
                    $(Self::$kind(header) => header.fields(coding),)*
                }
            }

            /// Appends its bytes: eye-catcher and integers in this coding, the rest as it is.
            pub fn encode_to(&self, out: &mut Vec<u8>, coding: Coding) {
                match self {
                    $(Self::$kind(header) => header.encode_to(out, coding),)*
                }
            }
        }
    };
}

headers! {
    /// Rules and formatting, version 2: properties.
    Rfh2, "MQRFH2", format::RF_HEADER_2, Length::Announced(Rfh2::FIXED);
    /// Descriptor extension: group and segment.
    Mde, "MQMDE", format::MD_EXTENSION, Length::Fixed(Mde::LENGTH);
    /// Dead letter.
    Dlh, "MQDLH", format::DEAD_LETTER_HEADER, Length::Fixed(Dlh::LENGTH);
    /// Rules and formatting, version 1.
    Rfh, "MQRFH", format::RF_HEADER, Length::Announced(Rfh::FIXED);
    /// Reference message.
    Rmh, "MQRMH", format::REF_MSG_HEADER, Length::Announced(Rmh::FIXED);
    /// Distribution list.
    Dh, "MQDH", format::DIST_HEADER, Length::Announced(Dh::FIXED);
    /// IMS bridge.
    Iih, "MQIIH", format::IMS, Length::Announced(Iih::FIXED);
    /// CICS bridge.
    Cih, "MQCIH", format::CICS, Length::Announced(Cih::FIXED);
    /// Work information, z/OS.
    Wih, "MQWIH", format::WORK_INFO_HEADER, Length::Announced(Wih::FIXED);
    /// Trigger message.
    Tm, "MQTM", format::TRIGGER, Length::Fixed(Tm::LENGTH);
    /// SAP R/3 link.
    Saph, "MQSAPH", format::SAP, Length::Announced(Saph::FIXED);
}

impl Kind {
    /// Parses the header at this offset, written as described.
    pub(super) fn parse(self, parts: &Parts, offset: usize, described: Description) -> Result<Placed, Malformed> {
        let byte_order = ByteOrder::of_encoding(described.encoding);
        let start = parts.gather(offset, offset.saturating_add(12));
        let length = match self.length() {
            Length::Fixed(length) => length,
            Length::Announced(least) => {
                let announced = start.get(8..).and_then(|length| length.first_chunk::<4>());
                let announced = announced.map_or(0, |length| usize::try_from(byte_order.i32(*length)).unwrap_or(0));
                announced.max(least)
            }
        };
        let header = self.read(&parts.gather(offset, offset.saturating_add(length)), byte_order)?;
        // The parser has accepted the eye-catcher: it is in one of the two alphabets.
        let ebcdic = start.first().is_some_and(|byte| *byte >= 0x80);
        let alphabet = if ebcdic { Alphabet::Ebcdic } else { Alphabet::Ascii };
        Ok(Placed { header, offset, length, coding: Coding::new(byte_order, alphabet, described.ccsid) })
    }
}
