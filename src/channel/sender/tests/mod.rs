//! One test a decision. Expected bytes are those of the wire reference (segments 2, 5, 8, 11).

mod binding;
mod model;
mod resync;
mod running;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::channel::definition::ChannelType;
use crate::channel::{Definition, Dialect, InDoubt};
use crate::wire::{CapFlags1, InitialData, Luwid, Reset, SegmentType, Status, Tsh};

const NONE: ControlFlags1 = ControlFlags1::empty();
const ASK: ControlFlags1 = ControlFlags1::CONFIRM_REQUEST;
const ERROR: ControlFlags1 = ControlFlags1::ERROR;
const CLOSE: ControlFlags1 = ControlFlags1::CLOSE_CHANNEL;
/// Batches before the instance's own.
const OLD: Luwid = Luwid([9, 9, 9, 9, 0, 0, 0, 1]);
const DOUBT: Luwid = Luwid([9, 9, 9, 9, 0, 0, 0, 2]);

pub(super) fn definition(settings: &[(&str, &str)]) -> Definition {
    let mut dialect = Dialect::default();
    settings.iter().for_each(|(key, value)| dialect.set(key, value).unwrap());
    Definition { batchsz: 3, hbint: 10, dialect, ..Definition::of("GW.TO.QMA", ChannelType::Sdr) }
}

pub(super) fn identity() -> Identity {
    Identity { qmgr_name: "GW".to_owned(), qmgr_id: "GW_2026".to_owned() }
}

pub(super) fn segment(segment_type: SegmentType, flags: ControlFlags1, luwid: Luwid, body: Bytes) -> Segment {
    Segment::new(Tsh::new(segment_type).with_flags(flags).with_luwid(luwid), body)
}

pub(super) fn status(flags: ControlFlags1, luwid: Luwid, status: &Status) -> Segment {
    segment(SegmentType::STATUS_DATA, flags, luwid, status.encode(ByteOrder::Big))
}

pub(super) fn resync(flags: ControlFlags1, luwid: Luwid, number: i32) -> Segment {
    segment(SegmentType::RESYNC_DATA, flags, luwid, Reset::new(number).encode(ByteOrder::Big))
}

fn outgoing(token: u64, length: usize) -> Outgoing {
    Outgoing { token: Token(token), parts: vec![Bytes::from(vec![0xAB; length])], persistent: true }
}

fn record(sequence: i32, doubt: Option<(i32, usize)>) -> SendRecord {
    let in_doubt = doubt.map(|(sequence, messages)| InDoubt { luwid: DOUBT, sequence, messages });
    let luwid = if sequence == 0 { Luwid::ZERO } else { OLD };
    SendRecord { sequence, luwid, in_doubt, ..SendRecord::default() }
}

/// A machine and what it put out last.
struct Rig {
    mca: SenderMca,
    now: Duration,
    out: Vec<Output>,
}

impl Rig {
    /// Called and agreed on, with the values of the offer.
    fn bound(definition: Definition, record: Option<SendRecord>, in_doubt: &[u64]) -> Self {
        let since = Duration::from_secs(1_700_000_000);
        let mut rig = Self {
            mca: SenderMca::calling(identity(), definition, since, Duration::ZERO),
            now: Duration::ZERO,
            out: vec![],
        };
        rig.drain();
        let [Output::Send(offer)] = &rig.out[..] else { panic!("{:?}", rig.out) };
        let mut answer = offer.clone();
        answer.tsh.flags1 = NONE;
        rig.tell(Input::Segment(answer));
        assert!(matches!(&rig.out[..], [Output::Claim { .. }]), "{:?}", rig.out);
        let in_doubt = in_doubt.iter().map(|&token| Token(token)).collect();
        rig.tell(Input::Claimed { record, in_doubt, careful: 0 });
        assert!(matches!(rig.out.remove(0), Output::Running(_)));
        rig
    }

    fn plain(settings: &[(&str, &str)]) -> Self {
        Self::bound(definition(settings), None, &[])
    }

    fn drain(&mut self) {
        self.out = std::iter::from_fn(|| self.mca.poll()).collect();
    }

    fn tell(&mut self, input: Input) {
        self.mca.handle(self.now, input);
        self.drain();
    }

    fn offer(&mut self, token: u64) {
        self.tell(Input::Message(outgoing(token, 500)));
    }

    fn hear(&mut self, segment: Segment) {
        self.tell(Input::Segment(segment));
    }

    fn wait(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut all = vec![];
        while let Some(at) = self.mca.next_timeout().filter(|&at| at <= end) {
            self.now = at.max(self.now);
            self.tell(Input::Tick);
            all.append(&mut self.out);
        }
        self.now = end;
        self.out = all;
    }

    fn step(&self) -> &Step {
        self.out.iter().find_map(|out| if let Output::Commit(step) = out { Some(step) } else { None }).expect("a step")
    }

    fn sent(&self) -> Vec<&Segment> {
        self.out.iter().filter_map(|out| if let Output::Send(segment) = out { Some(segment) } else { None }).collect()
    }

    fn stopped(&self) -> &Stopped {
        let Some(Output::Stopped(stopped)) = self.out.last() else { panic!("{:?}", self.out) };
        stopped
    }

    fn wants(&self) -> bool {
        matches!(self.out.last(), Some(Output::Want))
    }

    fn luwid(&self) -> Luwid {
        self.mca.status().curluwid
    }

    /// A batch of one message, asked about.
    fn asked(&mut self, token: u64) -> Luwid {
        self.offer(token);
        self.tell(Input::Empty);
        assert!(self.step().record.in_doubt.is_some(), "{:?}", self.out);
        self.tell(Input::Committed);
        self.luwid()
    }
}

fn tokens(tokens: &[u64]) -> Vec<Token> {
    tokens.iter().map(|&token| Token(token)).collect()
}
