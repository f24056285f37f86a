//! Our end of the line: the clock as last told, the deadlines, and what is to be put out.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::channel::dialect::Dialect;
use crate::channel::timers::Timers;
use crate::channel::{Output, Stopped};
use crate::wire::{Alphabet, ByteOrder, ControlFlags1, Luwid, Segment, SegmentType, Status, StatusCode, Tsh};

/// MQENC of a z/OS machine (wire reference, segments 2, D), what an EBCDIC end announces.
const ENC_ZOS: i32 = 0x311;

/// Counts of this connection, in the words of `DISPLAY CHSTATUS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// MSGS: whole messages received, repeats included.
    pub msgs: u64,
    /// Of these, messages that the record already named.
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

#[derive(Debug)]
pub(super) struct Line {
    pub(super) now: Duration,
    pub(super) timers: Timers,
    pub(super) outputs: VecDeque<Output>,
    pub(super) counts: Counts,
    /// When the last message was whole.
    pub(super) last_message: Option<Duration>,
    /// The partner was told that we want to end.
    pub(super) end_wished: bool,
    /// How we write: the dialect's default until the channel is known.
    pub(super) dialect: Dialect,
}

impl Line {
    pub(super) fn new(now: Duration) -> Self {
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

    pub(super) fn byte_order(&self) -> ByteOrder {
        self.dialect.byte_order.into()
    }

    pub(super) fn alphabet(&self) -> Alphabet {
        self.dialect.alphabet.into()
    }

    pub(super) fn out(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn send(&mut self, segment_type: SegmentType, flags: ControlFlags1, luwid: Luwid, body: Bytes) {
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

    pub(super) fn send_as_is(&mut self, segment: Segment) {
        self.counts.bufssent += 1;
        self.counts.bytssent += segment.len() as u64;
        self.out(Output::Send(segment));
    }

    pub(super) fn status(&mut self, flags: ControlFlags1, luwid: Luwid, status: &Status) {
        let body = status.encode(self.byte_order());
        self.send(SegmentType::STATUS_DATA, flags, luwid, body);
    }

    /// Tells the partner that we end the channel, and why. Always a code and ERROR: an empty STATUS_DATA could be
    /// taken for a confirm that the partner is waiting for.
    pub(super) fn refuse(&mut self, status: &Status) {
        self.status(ControlFlags1::ERROR | ControlFlags1::CLOSE_CHANNEL, Luwid::ZERO, status);
    }

    /// The target lost the unit of work: what is still to be handed to it must not be. Above all not a commit, whose
    /// record would name messages that nobody has.
    pub(super) fn forget_work(&mut self) {
        self.outputs.retain(|output| {
            matches!(
                output,
                Output::Send(_) | Output::Identify { .. } | Output::Claim { .. } | Output::Running | Output::Stopped(_)
            )
        });
    }

    pub(super) fn stopped(&mut self, stopped: Stopped) {
        self.timers.stop_all();
        self.out(Output::Stopped(stopped));
    }
}

pub(super) fn orderly(code: Option<StatusCode>, why: impl Into<String>) -> Stopped {
    Stopped { orderly: true, announced: true, code, why: why.into() }
}

pub(super) fn disorderly(code: Option<StatusCode>, why: impl Into<String>) -> Stopped {
    Stopped { orderly: false, announced: false, code, why: why.into() }
}
