//! Pieces of a message that the mapping alone would not give back byte for byte: they travel beside what the application sees,
//! as properties `MQFERRY_RAW_1`, `_2`, ..., each with a digest of what the application saw of it (golden rule 4).
//!
//! A piece is `name digest base64`:
//!
//! | name | what the bytes are | digest of |
//! |---|---|---|
//! | `MQMD` | CCSID of its text, then fields: index, digest, length, bytes | nothing; each field has its own, of the field as it would have been written |
//! | `headers` | Encoding, CCSID and format that the descriptor gives, expiry, then the headers as they lay | the headers as they would have been written |
//! | `body` | length of the body as it would have been written, then stretches: place, what stands there, what stood there | the body as the application saw it |

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Value;
use super::back::Headers;
use super::id;

/// What the names of these properties begin with.
pub(super) const PREFIX: &str = "MQFERRY_RAW_";

/// One piece, as a property holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) name: &'static str,
    pub(super) digest: [u8; 8],
    pub(super) bytes: Vec<u8>,
}

pub(super) const MQMD: &str = "MQMD";
pub(super) const HEADERS: &str = "headers";
pub(super) const BODY: &str = "body";

impl Piece {
    pub(super) fn to_value(&self) -> Value {
        let mut text = String::with_capacity(28 + self.bytes.len() * 4 / 3);
        text.push_str(self.name);
        text.push(' ');
        id::push_hex(&mut text, &self.digest);
        text.push(' ');
        BASE64.encode_string(&self.bytes, &mut text);
        Value::String(text)
    }

    /// Reads one; none if it is damaged.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let Value::String(text) = value else { return None };
        let mut words = text.split(' ');
        let name = words.next()?;
        let name = [MQMD, HEADERS, BODY].into_iter().find(|known| *known == name)?;
        let digest = id::unhex(words.next()?)?.try_into().ok()?;
        let bytes = BASE64.decode(words.next()?).ok()?;
        words.next().is_none().then_some(Self { name, digest, bytes })
    }
}

/// Takes numbers and runs of bytes off the front.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).and_then(|byte| byte.first().copied())
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.take(4)?.try_into().ok()?)).ok()
    }

    fn i64(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
}

/// Headers as they came, and the expiry that the publication got then (0: none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawHeaders {
    pub(super) headers: Headers,
    pub(super) expires_at_ms: i64,
}

impl RawHeaders {
    /// What [`Self::read`] reads: what the descriptor says of the headers, the headers as they lie, and the expiry.
    pub(super) fn bytes_of((encoding, ccsid, format): (i32, i32, &str), headers: &[u8], expires_at_ms: i64) -> Vec<u8> {
        let mut out = Vec::with_capacity(28 + headers.len());
        out.extend(encoding.to_be_bytes());
        out.extend(ccsid.to_be_bytes());
        out.extend(expires_at_ms.to_be_bytes());
        let format = format.as_bytes();
        out.push(u8::try_from(format.len()).unwrap_or(0));
        out.extend(format);
        out.extend(headers);
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let (encoding, ccsid, expires_at_ms) = (cursor.i32()?, cursor.i32()?, cursor.i64()?);
        let length = usize::from(cursor.u8()?);
        let format = String::from_utf8(cursor.take(length)?.to_vec()).ok()?.into();
        Some(Self { headers: Headers { encoding, ccsid, format, bytes: cursor.0.to_vec() }, expires_at_ms })
    }
}

/// Stretches of a body that stood there otherwise than it would have been written: `\x25` where `\x15` would be, a byte order mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretches {
    /// Length of the body as it would have been written.
    length: usize,
    /// Place in that, what would be written there, and what stood there.
    stretches: Vec<(usize, Vec<u8>, Vec<u8>)>,
}

/// Bytes that are the same between two differences, but too few to begin another stretch.
const GAP: usize = 12;

impl Stretches {
    /// The differences between what would be written and what stood there.
    pub(super) fn between(written: &[u8], stood: &[u8]) -> Self {
        let mut stretches = Vec::new();
        if written.len() == stood.len() {
            let mut open: Option<(usize, usize)> = None;
            for (at, _) in written.iter().zip(stood).enumerate().filter(|(_, (one, other))| one != other) {
                open = match open {
                    Some((start, end)) if at - end <= GAP => Some((start, at + 1)),
                    before => {
                        stretches.extend(before);
                        Some((at, at + 1))
                    }
                };
            }
            stretches.extend(open);
            let part = |bytes: &[u8], (start, end): (usize, usize)| bytes.get(start..end).unwrap_or_default().to_vec();
            let stretches = stretches.into_iter().map(|at| (at.0, part(written, at), part(stood, at))).collect();
            return Self { length: written.len(), stretches };
        }
        let shorter = written.len().min(stood.len());
        let start = written.iter().zip(stood).take_while(|(one, other)| one == other).count();
        let end =
            written.iter().rev().zip(stood.iter().rev()).take(shorter - start).take_while(|(a, b)| a == b).count();
        let part = |bytes: &[u8]| bytes.get(start..bytes.len() - end).unwrap_or_default().to_vec();
        Self { length: written.len(), stretches: vec![(start, part(written), part(stood))] }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let mut out = number(self.length).to_vec();
        for (at, written, stood) in &self.stretches {
            out.extend(number(*at));
            out.extend(number(written.len()));
            out.extend(number(stood.len()));
            out.extend(written);
            out.extend(stood);
        }
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let mut read = Self { length: cursor.u32()?, stretches: Vec::new() };
        while !cursor.0.is_empty() {
            let (at, written, stood) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
            read.stretches.push((at, cursor.take(written)?.to_vec(), cursor.take(stood)?.to_vec()));
        }
        Some(read)
    }

    /// The body with every stretch as it stood, counted from the start, or after a change from the end, wherever what would be
    /// written is there what it was. Takes one pass.
    pub(super) fn apply(&self, written: &[u8]) -> Vec<u8> {
        let grown = |at: usize| (at + written.len()).checked_sub(self.length);
        let is_there =
            |at: usize, what: &[u8]| at.checked_add(what.len()).and_then(|end| written.get(at..end)) == Some(what);
        let mut places: Vec<(usize, usize, &[u8])> = Vec::new();
        for (at, what, stood) in &self.stretches {
            let from_start = Some(*at).filter(|at| is_there(*at, what));
            let place = from_start.or_else(|| grown(*at).filter(|at| is_there(*at, what)));
            places.extend(place.map(|at| (at, at + what.len(), stood.as_slice())));
        }
        places.sort_by_key(|(start, end, _)| (*start, *end));
        let mut out = Vec::with_capacity(written.len() + 16);
        let mut at = 0;
        for (start, end, stood) in places {
            if start < at {
                continue;
            }
            out.extend_from_slice(written.get(at..start).unwrap_or_default());
            out.extend_from_slice(stood);
            at = end;
        }
        out.extend_from_slice(written.get(at..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches() {
        for (written, stood) in [
            (&b"abcdef"[..], &b"abXdef"[..]),
            (b"abc", b"abc"),
            (b"abc", b"\xFE\xFFabc"),
            (b"aaaa", b"aa"),
            (b"", b"x"),
            (b"a-----------------b", b"X-----------------Y"),
        ] {
            let stretches = Stretches::between(written, stood);
            assert_eq!(Stretches::read(&stretches.to_bytes()).as_ref(), Some(&stretches));
            assert_eq!(stretches.apply(written), stood, "{written:?}");
        }
        let far = Stretches::between(b"a-----------------b", b"X-----------------Y");
        assert_eq!(far.stretches.len(), 2);
        // Something put in between: what stood before it and behind it still does.
        assert_eq!(far.apply(b"a-------CHANGED-------b"), b"X-------CHANGED-------Y");
    }

    #[test]
    fn pieces_that_are_damaged_are_none() {
        let piece = Piece { name: BODY, digest: [1; 8], bytes: vec![0, 0, 0, 1] };
        assert_eq!(Piece::read(&piece.to_value()), Some(piece));
        for text in [
            "",
            "body",
            "body 00",
            "body 0102030405060708 ?",
            "soul 0102030405060708 AAAA",
            "body 0102030405060708 AAAA x",
        ] {
            assert_eq!(Piece::read(&Value::String(text.into())), None, "{text}");
        }
        for bytes in [&b""[..], b"\0\0\0\x01\xFF\xFF\xFF\xFF", b"\0\0\0\x01\0\0\0\0\0\0\0\x09\0\0\0\0x"] {
            assert_eq!(Stretches::read(bytes), None);
        }
        assert_eq!(RawHeaders::read(b"\0\0\x01\x11"), None);
    }

    proptest::proptest! {
        #[test]
        fn stretches_give_back_what_stood_there(
            written in proptest::collection::vec(0..3u8, 0..60),
            stood in proptest::collection::vec(0..3u8, 0..60),
        ) {
            proptest::prop_assert_eq!(Stretches::between(&written, &stood).apply(&written), stood);
        }
    }
}
