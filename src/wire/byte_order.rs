//! Byte order of integers and alphabet of eye-catchers and names.

/// Byte order of every integer after the length in a segment (TSH offset 8; wire reference, segments 2, W and O).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ByteOrder {
    /// Most significant byte first, `0x01` on the wire.
    #[default]
    Big,
    /// Least significant byte first, `0x02` on the wire.
    Little,
}

impl ByteOrder {
    /// Reads a four-byte signed integer.
    pub fn i32(self, bytes: [u8; 4]) -> i32 {
        match self {
            Self::Big => i32::from_be_bytes(bytes),
            Self::Little => i32::from_le_bytes(bytes),
        }
    }

    /// Reads a two-byte unsigned integer.
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Big => u16::from_be_bytes(bytes),
            Self::Little => u16::from_le_bytes(bytes),
        }
    }

    /// Writes a four-byte signed integer.
    pub fn i32_bytes(self, value: i32) -> [u8; 4] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }

    /// Writes a two-byte unsigned integer.
    pub fn u16_bytes(self, value: u16) -> [u8; 2] {
        match self {
            Self::Big => value.to_be_bytes(),
            Self::Little => value.to_le_bytes(),
        }
    }

    /// The byte order that an MQMD-style Encoding announces for integers: the low digit, 1 normal, 2 reversed
    /// (wire reference, headers, D). Anything else reads as big-endian.
    pub fn of_encoding(encoding: i32) -> Self {
        if encoding & 0xF == 2 { Self::Little } else { Self::Big }
    }
}

/// Alphabet of eye-catchers and names in one segment (wire reference, segments 2, W).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Alphabet {
    /// ASCII and its supersets.
    #[default]
    Ascii,
    /// EBCDIC; names use only characters that all EBCDIC Latin pages share.
    Ebcdic,
}
