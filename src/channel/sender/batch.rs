//! Messages into batches, one message looked ahead.

use std::time::Duration;

use super::channel::{Channel, Work};
use super::{Line, Outgoing, Output, Token, split};
use crate::channel::sequence::following;
use crate::wire::{Luwid, StatusCode};

/// MQRC_MSG_TOO_BIG_FOR_CHANNEL (wire reference, status codes).
const TOO_BIG: i32 = 2218;

/// A message that is still here.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Outgoing,
    /// It comes again after a refusal, and makes a batch of its own.
    alone: bool,
}

/// The batch in hand.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) luwid: Luwid,
    /// Its messages in order, the held one too.
    pub(super) tokens: Vec<Token>,
    /// Number of the last message that has left, or of the one before the batch.
    pub(super) sequence: i32,
    /// The last message, until it leaves.
    pub(super) held: Option<Held>,
    pub(super) began: Duration,
    /// Bytes of all its messages.
    bytes: u64,
    alone: bool,
}

impl Batch {
    /// Whether it is one message that was refused before.
    pub(super) fn alone(&self) -> bool {
        self.alone
    }
}

/// The channel is done, between batches.
#[derive(Debug)]
pub(super) struct Done {
    /// What the partner is told.
    pub(super) code: StatusCode,
}

impl Channel {
    pub(super) fn message(&mut self, line: &mut Line, message: Outgoing) {
        if !self.wanted {
            return;
        }
        (self.wanted, self.empty) = (false, false);
        let alone = self.came_again();
        match split::fits(message.length(), &self.agreed, &self.definition.dialect) {
            Ok(()) => self.next = Some(Held { message, alone }),
            Err(why) => {
                line.out(Output::Undeliverable { token: message.token, reason: TOO_BIG, why });
                // The answer, SetAside, stands for this one.
                self.wanted = true;
                self.careful += usize::from(alone);
                self.undeliverable = true;
            }
        }
    }

    pub(super) fn ran_empty(&mut self) {
        self.empty = self.wanted && !self.undeliverable;
    }

    pub(super) fn set_aside(&mut self, token: Token) {
        if self.wanted {
            (self.wanted, self.empty, self.undeliverable) = (false, false, false);
            self.came_again();
            self.aside.push(token);
        }
    }

    /// Counts a message that comes again after a refusal; whether it is one.
    fn came_again(&mut self) -> bool {
        let again = self.careful > 0;
        self.careful = self.careful.saturating_sub(1);
        again
    }

    /// Does all that can be done without another input.
    pub(super) fn advance(&mut self, line: &mut Line) -> Option<Done> {
        loop {
            match std::mem::replace(&mut self.work, Work::Idle) {
                Work::Starting => {
                    self.work = Work::Starting;
                    return self.stop.map(|code| Done { code });
                }
                Work::Idle => {
                    let nothing = self.next.is_none() && self.empty;
                    let now = self.backed_out || self.stop.is_some() || nothing || self.aside.len() >= self.batchsz();
                    if self.owes() && now {
                        self.retire(line, Work::Idle);
                        return None;
                    }
                    if let Some(code) = self.stop {
                        return Some(Done { code });
                    }
                    if self.rests_until > line.now {
                        return None;
                    }
                    let Some(held) = self.pull() else {
                        self.want(line);
                        return None;
                    };
                    self.work = Work::Open(self.begin(line, held));
                }
                Work::Open(mut batch) => {
                    if self.ends(&batch, line.now) {
                        self.end_batch(line, batch);
                        return None;
                    }
                    if let Some(held) = self.pull() {
                        self.send_held(line, &mut batch, false);
                        batch.add(held);
                        self.work = Work::Open(batch);
                        continue;
                    }
                    let waits = self.empty || self.retire_due;
                    if waits && (self.confirmed.is_some() || !self.aside.is_empty()) {
                        self.retire(line, Work::Open(batch));
                        return None;
                    }
                    self.work = Work::Open(batch);
                    self.want(line);
                    return None;
                }
                Work::Confirming(batch) => {
                    // Ahead of the next batch, unless this one may have to come again in single messages.
                    let ahead = !batch.alone() && self.stop.is_none();
                    self.work = Work::Confirming(batch);
                    if ahead && self.next.is_none() && self.aside.len() < self.batchsz() {
                        self.want(line);
                    }
                    return None;
                }
                other => {
                    self.work = other;
                    return None;
                }
            }
        }
    }

    fn batchsz(&self) -> usize {
        usize::from(self.agreed.batchsz.max(1))
    }

    fn want(&mut self, line: &mut Line) {
        if !self.wanted {
            (self.wanted, self.empty) = (true, false);
            line.out(Output::Want);
        }
    }

    /// The next message that is here.
    fn pull(&mut self) -> Option<Held> {
        self.next.take().or_else(|| if self.careful == 0 { self.stashed.take() } else { None })
    }

    fn begin(&mut self, line: &Line, held: Held) -> Batch {
        let taken = [self.record.luwid, self.record.in_doubt.map_or(Luwid::ZERO, |doubt| doubt.luwid)];
        let luwid = self.luwids.next(&taken);
        let alone = held.alone;
        let mut batch =
            Batch { luwid, tokens: Vec::new(), sequence: self.settled, held: None, began: line.now, bytes: 0, alone };
        batch.add(held);
        batch
    }

    /// Whether the held message is the batch's last (wire reference, channel flow 5, D).
    fn ends(&self, batch: &Batch, now: Duration) -> bool {
        let full = batch.tokens.len() + self.aside.len() >= self.batchsz();
        let limit = u64::from(self.definition.batchlim) * 1024;
        let long = limit > 0 && batch.bytes >= limit;
        let interval = Duration::from_millis(u64::from(self.definition.batchint));
        let ran_out = self.next.is_none() && self.empty && now >= batch.began.saturating_add(interval);
        let alone = batch.alone || self.next.as_ref().is_some_and(|next| next.alone);
        full || long || ran_out || alone || self.stop.is_some()
    }

    fn end_batch(&mut self, line: &mut Line, batch: Batch) {
        let silence = line.now.saturating_sub(self.heard);
        let wanted = Duration::from_millis(u64::from(self.definition.batchhb));
        if !wanted.is_zero() && silence >= wanted && self.agreed.fap_level >= 4 {
            if !self.beat {
                self.beat(line);
            }
            self.work = Work::Probing(batch);
        } else {
            self.put_in_doubt(line, batch);
        }
    }

    pub(super) fn send_held(&mut self, line: &mut Line, batch: &mut Batch, confirm: bool) {
        let Some(held) = batch.held.take() else { return };
        batch.sequence = following(batch.sequence, self.agreed.seq_wrap);
        split::send(line, &self.agreed, &held.message, batch.sequence, batch.luwid, confirm);
        line.counts.msgs += 1;
        line.last_message = Some(line.now);
        self.busy = line.now;
    }
}

impl Batch {
    fn add(&mut self, held: Held) {
        self.tokens.push(held.message.token);
        self.bytes += held.message.length() as u64;
        self.held = Some(held);
    }
}
