//! Where the headers that become properties end and what is published begins.

use std::borrow::Cow;

use bytes::Bytes;

use crate::message::{Envelope, Header, Placed};

use super::descriptor;

/// A message seen as headers that the mapping turns into properties, and the rest.
///
/// Headers of bridges (CICS, IMS, ...) have no properties: from the first of them on everything is body, as for an
/// application that reads it with IBM's JMS client.
pub(super) struct Payload<'a> {
    /// MQMDE, MQDLH, MQRFH and MQRFH2 up to the first other header.
    pub(super) headers: &'a [Placed],
    /// Name of that other header.
    pub(super) foreign: Option<&'static str>,
    /// Format of the rest.
    pub(super) format: Cow<'a, str>,
    /// CCSID of the rest.
    pub(super) ccsid: i32,
    /// Encoding of the rest.
    pub(super) encoding: i32,
    offset: usize,
}

impl<'a> Payload<'a> {
    pub(super) fn of(envelope: &'a Envelope) -> Self {
        let chain = &envelope.chain;
        let has_properties = |placed: &Placed| {
            matches!(placed.header, Header::Mde(_) | Header::Dlh(_) | Header::Rfh(_) | Header::Rfh2(_))
        };
        let Some(cut) = chain.iter().position(|placed| !has_properties(placed)) else {
            let body = &envelope.body;
            return Self {
                headers: chain,
                foreign: None,
                format: Cow::Borrowed(&body.format),
                ccsid: body.ccsid,
                encoding: body.encoding,
                offset: body.offset,
            };
        };
        let headers = chain.get(..cut).unwrap_or_default();
        let (mut described, mut format) = (envelope.md.describes(), Cow::Owned(envelope.outer_format()));
        for placed in headers {
            let next = placed.header.describes();
            described = next.inheriting(described);
            format = next.format.text(placed.coding).into();
        }
        let first = chain.get(cut);
        Self {
            headers,
            foreign: first.map(|placed| placed.header.name()),
            format,
            ccsid: described.ccsid,
            encoding: described.encoding,
            offset: first.map_or(0, |placed| placed.offset),
        }
    }

    /// The rest in one piece: a slice where the message came in one part, otherwise a copy.
    pub(super) fn bytes(&self, envelope: &Envelope) -> Bytes {
        if self.foreign.is_none() {
            return envelope.body.bytes();
        }
        let data = envelope.data();
        let from = self.offset.saturating_sub(envelope.len().saturating_sub(data.len()));
        data.slice(from.min(data.len())..)
    }

    /// The bytes of the headers before it, as they lie.
    pub(super) fn header_bytes(&self, envelope: &Envelope) -> Bytes {
        envelope.bytes_of(self.headers)
    }

    /// How to describe it with IBM's property names.
    pub(super) fn described<'e>(&'e self, envelope: &'e Envelope) -> descriptor::Described<'e> {
        let (outer, outer_format) = descriptor::outer(envelope);
        descriptor::Described { outer, outer_format, format: &self.format, ccsid: self.ccsid, encoding: self.encoding }
    }
}
