//! A whole message taken apart: transmission header, descriptor, chained headers, body.

use bytes::Bytes;

use crate::wire::{ByteOrder, Malformed};

use super::constants::format;
use super::header::{Header, Kind, Placed};
use super::parts::Parts;
use super::{BrokenEnvelope, Chars, Coding, Description, FieldValue, Md, MdV2, Rfh2, Xqh};

/// Headers that one message may chain here; real ones have a handful. What follows more counts as body.
const MAX_CHAIN: usize = 64;

/// A message, taken apart once; the body is never copied.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// How MQXQH and MQMD are written: give it to their fields to read text.
    pub coding: Coding,
    /// The transmission header; none for a message that does not lie as on a transmission queue.
    pub xqh: Option<Xqh>,
    /// The descriptor. Where the message has none of its own (a file that starts with another structure) one of
    /// defaults that describes that structure.
    pub md: Md,
    /// Whether the descriptor is the message's own.
    pub md_present: bool,
    /// Headers behind the descriptor, in order.
    pub chain: Vec<Placed>,
    /// What is behind the last header.
    pub body: Body,
    /// What was odd, one line each: why the chain ended before a header that was announced.
    pub notes: Vec<String>,
    parts: Parts,
}

/// What is behind the last header, with its description.
#[derive(Clone, Debug)]
pub struct Body {
    parts: Parts,
    /// Offset in bytes from the start of the message.
    pub offset: usize,
    /// Format that the last header announces, without blanks.
    pub format: String,
    /// CCSID that the last header announces, or what it inherits.
    pub ccsid: i32,
    /// Encoding that the last header announces, or what it inherits.
    pub encoding: i32,
}

/// One structure of a message as a person wants to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// IBM's name: `MQXQH`, `MQMD`, `MQRFH2`, ...
    pub name: &'static str,
    /// Offset in bytes from the start of the message.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// Its fields in order.
    pub fields: Vec<(&'static str, FieldValue)>,
}

/// MsgId straight from its place in a message as it came off a channel, without parsing: at offset 104 + 48. Zeros
/// if the message is too short to have one.
pub fn peek_msg_id(parts: &[Bytes]) -> [u8; 24] {
    let mut bytes = parts.iter().flatten().skip(Xqh::LENGTH + 48);
    let mut id = [0; 24];
    for to in &mut id {
        match bytes.next() {
            Some(byte) => *to = *byte,
            None => return [0; 24],
        }
    }
    id
}

impl Envelope {
    /// Takes apart a message as it came off a channel: MQXQH and MQMD in the byte order and CCSID of the segment,
    /// then whatever the descriptor announces. The eye-catcher shows the alphabet. Errors: MQXQH or MQMD are not
    /// there; anything wrong behind them is a note, and body.
    pub fn parse(parts: Vec<Bytes>, byte_order: ByteOrder, ccsid: i32) -> Result<Self, BrokenEnvelope> {
        let parts = Parts::new(parts);
        Self::parse_transmission(&parts, byte_order, ccsid)
            .map_err(|malformed| BrokenEnvelope { malformed, parts: parts.into_inner() })
    }

    fn parse_transmission(parts: &Parts, byte_order: ByteOrder, ccsid: i32) -> Result<Self, Malformed> {
        let head = parts.gather(0, Xqh::LENGTH + Md::LENGTH_1);
        let xqh = Xqh::parse(&head, byte_order)?;
        let md_bytes = head.get(Xqh::LENGTH..).unwrap_or_default();
        let alphabet = Xqh::alphabet(&head)?;
        let md = Md::parse_embedded(md_bytes, byte_order, alphabet)?;
        let coding = Coding::new(byte_order, alphabet, ccsid);
        Ok(Self::assemble(parts.clone(), coding, ccsid, Some(xqh), md, Xqh::LENGTH + Md::LENGTH_1))
    }

    /// Takes apart a message as it lies in a file, the first structure described as a descriptor would describe it:
    /// Format `MQXMIT` for MQXQH with MQMD, `MQDEAD`, `MQHRF2` or any other known one for a header, or `MQMD` for a
    /// bare descriptor. Errors: the first structure is not there; anything wrong behind it is a note, and body.
    pub fn parse_as(parts: Vec<Bytes>, first: Description) -> Result<Self, BrokenEnvelope> {
        let parts = Parts::new(parts);
        let announced = Coding::described(first.encoding, first.ccsid);
        let result = if first.format.is(format::XMIT_Q_HEADER) {
            Self::parse_transmission(&parts, announced.byte_order, first.ccsid)
        } else if first.format.is("MQMD") {
            Self::parse_bare(&parts, announced.byte_order, first.ccsid)
        } else {
            Self::parse_header_first(&parts, announced, first)
        };
        result.map_err(|malformed| BrokenEnvelope { malformed, parts: parts.into_inner() })
    }

    fn parse_bare(parts: &Parts, byte_order: ByteOrder, ccsid: i32) -> Result<Self, Malformed> {
        let head = parts.gather(0, Md::LENGTH_2);
        let md = Md::parse(&head, byte_order)?;
        let coding = Coding::new(byte_order, Md::alphabet(&head)?, ccsid);
        let end = md.length();
        Ok(Self::assemble(parts.clone(), coding, ccsid, None, md, end))
    }

    fn parse_header_first(parts: &Parts, coding: Coding, first: Description) -> Result<Self, Malformed> {
        if let Some(kind) = Kind::of(&first.format) {
            kind.parse(parts, 0, first)?;
        }
        let mut md = Md::new(coding);
        md.encoding = first.encoding;
        md.coded_char_set_id = first.ccsid;
        md.format = first.format;
        let mut envelope = Self::assemble(parts.clone(), coding, first.ccsid, None, md, 0);
        envelope.md_present = false;
        Ok(envelope)
    }

    /// Walks the chain from behind the descriptor.
    fn assemble(parts: Parts, coding: Coding, ccsid: i32, xqh: Option<Xqh>, md: Md, md_end: usize) -> Self {
        let own = Description { encoding: coding.encoding(), ccsid, format: Chars::blank(coding) };
        let mut next = md.describes().inheriting(own);
        let (mut chain, mut notes, mut offset) = (Vec::new(), Vec::new(), md_end);
        while let Some(kind) = Kind::of(&next.format) {
            if chain.len() == MAX_CHAIN {
                notes.push(format!("more than {MAX_CHAIN} headers: the rest is left as body"));
                break;
            }
            match kind.parse(&parts, offset, next) {
                Ok(placed) => {
                    offset += placed.length;
                    next = placed.header.describes().inheriting(next);
                    chain.push(placed);
                }
                Err(malformed) => {
                    notes.push(format!("{malformed} (it starts at offset {offset}): left as body"));
                    break;
                }
            }
        }
        let announced_in = chain.last().map_or(coding, |last: &Placed| last.coding);
        let body = Body {
            parts: parts.cut(offset, usize::MAX),
            offset,
            format: next.format.text(announced_in),
            ccsid: next.ccsid,
            encoding: next.encoding,
        };
        Self { coding, xqh, md, md_present: true, chain, body, notes, parts }
    }

    /// Group and segment fields, from a version 2 descriptor or from MQMDE.
    pub fn v2(&self) -> Option<&MdV2> {
        self.md.v2.as_ref().or_else(|| {
            self.chain.iter().find_map(|placed| match &placed.header {
                Header::Mde(mde) => Some(&mde.v2),
                _ => None,
            })
        })
    }

    /// The MQRFH2s of the chain, with the byte order of each.
    pub fn rfh2s(&self) -> impl Iterator<Item = (&Rfh2, ByteOrder)> {
        self.chain.iter().filter_map(|placed| match &placed.header {
            Header::Rfh2(rfh2) => Some((rfh2.as_ref(), placed.coding.byte_order)),
            _ => None,
        })
    }

    /// Format of the piece behind the descriptor, without blanks.
    pub fn outer_format(&self) -> String {
        self.md.format.text(self.coding)
    }

    /// Length in bytes of the whole message.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether the message has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole message as it came, unjoined.
    pub fn parts(&self) -> &[Bytes] {
        self.parts.as_slice()
    }

    /// The bytes of headers that follow each other, as they came.
    pub fn bytes_of(&self, headers: &[Placed]) -> Bytes {
        let from = headers.first().map_or(0, |first| first.offset);
        let to = headers.last().map_or(0, |last| last.offset + last.length);
        self.parts.gather(from, to)
    }

    /// All that is behind the descriptor, headers and body, as it came: what a message that passes through
    /// unchanged must show again. A slice where the message came in one part, otherwise a copy.
    pub fn data(&self) -> Bytes {
        let start = self.chain.first().map_or(self.body.offset, |placed| placed.offset);
        self.parts.gather(start, usize::MAX)
    }

    /// Every structure in order, for people: MQXQH, MQMD, then the chain.
    pub fn structures(&self) -> Vec<Structure> {
        let mut all = Vec::new();
        let mut offset = 0;
        if let Some(xqh) = &self.xqh {
            all.push(Structure { name: "MQXQH", offset, length: Xqh::LENGTH, fields: xqh.fields(self.coding) });
            offset += Xqh::LENGTH;
        }
        if self.md_present {
            let fields = self.md.fields(self.coding);
            all.push(Structure { name: "MQMD", offset, length: self.md.length(), fields });
        }
        all.extend(self.chain.iter().map(|placed| Structure {
            name: placed.header.name(),
            offset: placed.offset,
            length: placed.length,
            fields: placed.header.fields(placed.coding),
        }));
        all
    }

    /// Emits every structure again, each in its coding, and the body: what was parsed and not changed gives the
    /// same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.parts.len());
        if let Some(xqh) = &self.xqh {
            xqh.encode_to(&mut out, self.coding);
        }
        if self.md_present {
            self.md.encode_to(&mut out, self.coding);
        }
        for placed in &self.chain {
            placed.header.encode_to(&mut out, placed.coding);
        }
        self.body.parts().iter().for_each(|part| out.extend_from_slice(part));
        out
    }
}

impl Body {
    /// The body, unjoined.
    pub fn parts(&self) -> &[Bytes] {
        self.parts.as_slice()
    }

    /// The body in one piece: a slice where it came in one part, otherwise one copy.
    pub fn bytes(&self) -> Bytes {
        self.parts.joined()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
