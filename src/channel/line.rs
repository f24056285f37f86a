//! Our end of the line, for either machine: the clock as last told, the deadlines, and what is to be put out.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::dialect::{Dialect, InitialFlags};
use super::negotiation::{self, Agreed, Objections};
use super::timers::Timers;
use super::{Identity, Stopped};
use crate::wire::{Alphabet, ByteOrder, ControlFlags1, Luwid, Segment, SegmentType, Status, StatusCode, Tsh};

/// MQENC of a z/OS machine (wire reference, segments 2, D), what an EBCDIC end announces.
const ENC_ZOS: i32 = 0x311;

/// Counts of this connection, in the words of `DISPLAY CHSTATUS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// MSGS: whole messages received (repeats included) or sent.
    pub msgs: u64,
    /// Of those received, messages that the record already named.
    pub repeated: u64,
    /// BATCHES: batches confirmed.
    pub batches: u64,
    /// BYTSRCVD: bytes of all segments received.
    pub bytsrcvd: u64,
    /// BYTSSENT: bytes of all segments sent.
    pub bytssent: u64,
    /// BUFSRCVD: segments received.
    pub bufsrcvd: u64,
    /// BUFSSENT: segments sent.
    pub bufssent: u64,
}

/// What either machine puts out.
pub(in crate::channel) trait Utter {
    /// A segment for the partner.
    fn send(segment: Segment) -> Self;
    /// The end.
    fn stopped(stopped: Stopped) -> Self;
}

#[derive(Debug)]
pub(in crate::channel) struct Line<O> {
    pub(in crate::channel) now: Duration,
    pub(in crate::channel) timers: Timers,
    pub(in crate::channel) outputs: VecDeque<O>,
    pub(in crate::channel) counts: Counts,
    /// When the last message was whole, or sent.
    pub(in crate::channel) last_message: Option<Duration>,
    /// The partner was told that we want to end.
    pub(in crate::channel) end_wished: bool,
    /// How we write: the dialect's default until the channel is known.
    pub(in crate::channel) dialect: Dialect,
}

impl<O: Utter> Line<O> {
    pub(in crate::channel) fn new(now: Duration) -> Self {
        Self {
            now,
            timers: Timers::default(),
            outputs: VecDeque::new(),
            counts: Counts::default(),
            last_message: None,
            end_wished: false,
            dialect: Dialect::default(),
        }
    }

    pub(in crate::channel) fn byte_order(&self) -> ByteOrder {
        self.dialect.byte_order.into()
    }

    pub(in crate::channel) fn alphabet(&self) -> Alphabet {
        self.dialect.alphabet.into()
    }

    pub(in crate::channel) fn out(&mut self, output: O) {
        self.outputs.push_back(output);
    }

    pub(in crate::channel) fn send(
        &mut self,
        segment_type: SegmentType,
        flags: ControlFlags1,
        luwid: Luwid,
        body: Bytes,
    ) {
        let mut tsh = Tsh::new(segment_type)
            .with_flags(flags)
            .with_luwid(luwid)
            .with_byte_order(self.byte_order())
            .with_alphabet(self.alphabet(), self.dialect.ccsid.0);
        if tsh.alphabet == Alphabet::Ebcdic && tsh.byte_order == ByteOrder::Big {
            tsh.encoding = ENC_ZOS;
        }
        self.send_as_is(Segment::new(tsh, body));
    }

    pub(in crate::channel) fn send_as_is(&mut self, segment: Segment) {
        self.counts.bufssent += 1;
        self.counts.bytssent += segment.len() as u64;
        self.out(O::send(segment));
    }

    pub(in crate::channel) fn status(&mut self, flags: ControlFlags1, luwid: Luwid, status: &Status) {
        let body = status.encode(self.byte_order());
        self.send(SegmentType::STATUS_DATA, flags, luwid, body);
    }

    /// INITIAL_DATA with these values.
    pub(in crate::channel) fn initial_data(
        &mut self,
        identity: &Identity,
        channel: &str,
        agreed: &Agreed,
        no: &Objections,
        flags: ControlFlags1,
    ) {
        let body = negotiation::answer(channel, identity, agreed, &self.dialect, no);
        let bytes = body.encode(self.byte_order(), self.alphabet());
        self.send(SegmentType::INITIAL_DATA, flags, Luwid::ZERO, bytes);
    }

    /// The same as a caller's offer.
    pub(in crate::channel) fn offer(&mut self, identity: &Identity, channel: &str, offer: &Agreed) {
        let flags = match self.dialect.initial_flags {
            InitialFlags::ConfirmRequest => ControlFlags1::CONFIRM_REQUEST,
            InitialFlags::FirstLast => ControlFlags1::CONFIRM_REQUEST | ControlFlags1::FIRST | ControlFlags1::LAST,
            InitialFlags::None => ControlFlags1::empty(),
        };
        self.initial_data(identity, channel, offer, &Objections::default(), flags);
    }

    /// Tells the partner that we end the channel, and why. Always a code and ERROR: an empty STATUS_DATA could be
    /// taken for a confirm that the partner is waiting for.
    pub(in crate::channel) fn refuse(&mut self, status: &Status) {
        self.status(ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL, Luwid::ZERO, status);
    }

    pub(in crate::channel) fn stopped(&mut self, stopped: Stopped) {
        self.timers.stop_all();
        self.out(O::stopped(stopped));
    }
}

pub(in crate::channel) fn orderly(code: Option<StatusCode>, why: impl Into<String>) -> Stopped {
    Stopped { orderly: true, announced: true, code, why: why.into() }
}

pub(in crate::channel) fn disorderly(code: Option<StatusCode>, why: impl Into<String>) -> Stopped {
    Stopped { orderly: false, announced: false, code, why: why.into() }
}
