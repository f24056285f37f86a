//! Field parsers on `nom`: each knows the name of what it reads, so that an error can say so.

use nom::bytes::complete::take;
use nom::error::{ErrorKind, ParseError};
use nom::number::Endianness;
use nom::{IResult, Parser};

use super::{ByteOrder, Malformed};

/// What `nom` hands back when the bytes end inside a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes that were left where the field began.
    left: usize,
    /// The field.
    field: &'static str,
    /// Bytes that it needs.
    wanted: usize,
}

impl Cut {
    /// The error of a structure of which `whole` bytes were there.
    pub(crate) fn in_structure(self, structure: &'static str, whole: usize) -> Malformed {
        Malformed {
            structure,
            field: self.field,
            offset: whole.saturating_sub(self.left),
            expected: format!("{} bytes", self.wanted),
            found: format!("the end after {} bytes", self.left),
        }
    }
}

impl ParseError<&[u8]> for Cut {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self { left: input.len(), field: "a field", wanted: 0 }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// A parser's answer.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Cut>;

/// Runs a parser over a structure's bytes, whatever follows; hands back its result and how many bytes it took.
pub(crate) fn parse<'a, T>(
    structure: &'static str,
    bytes: &'a [u8],
    mut parser: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> Result<(T, usize), Malformed> {
    match parser(bytes) {
        Ok((rest, value)) => Ok((value, bytes.len() - rest.len())),
        Err(nom::Err::Error(cut) | nom::Err::Failure(cut)) => Err(cut.in_structure(structure, bytes.len())),
        Err(nom::Err::Incomplete(_)) => {
            Err(Cut { left: 0, field: "a field", wanted: 1 }.in_structure(structure, bytes.len()))
        }
    }
}

fn endianness(order: ByteOrder) -> Endianness {
    match order {
        ByteOrder::Big => Endianness::Big,
        ByteOrder::Little => Endianness::Little,
    }
}

fn named<'a, T>(
    field: &'static str,
    wanted: usize,
    input: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = Cut>,
) -> Parsed<'a, T> {
    parser.parse(input).map_err(|_| nom::Err::Error(Cut { left: input.len(), field, wanted }))
}

/// A four-byte integer.
pub(crate) fn int<'a>(input: &'a [u8], order: ByteOrder, field: &'static str) -> Parsed<'a, i32> {
    named(field, 4, input, nom::number::complete::i32(endianness(order)))
}

/// A two-byte integer.
pub(crate) fn short<'a>(input: &'a [u8], order: ByteOrder, field: &'static str) -> Parsed<'a, u16> {
    named(field, 2, input, nom::number::complete::u16(endianness(order)))
}

/// A byte.
pub(crate) fn byte<'a>(input: &'a [u8], field: &'static str) -> Parsed<'a, u8> {
    named(field, 1, input, nom::number::complete::u8)
}

/// `N` bytes as they are.
pub(crate) fn bytes<'a, const N: usize>(input: &'a [u8], field: &'static str) -> Parsed<'a, [u8; N]> {
    let (rest, taken) = named(field, N, input, take(N))?;
    let array = taken.try_into().map_err(|_| nom::Err::Error(Cut { left: input.len(), field, wanted: N }))?;
    Ok((rest, array))
}

/// Passes over `length` bytes.
pub(crate) fn skip<'a>(input: &'a [u8], length: usize, field: &'static str) -> Parsed<'a, ()> {
    let (rest, _) = named(field, length, input, take(length))?;
    Ok((rest, ()))
}
