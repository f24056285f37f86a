//! What an instance says of itself: to the board, to the metrics, and to the log in one line for each change of state.

use std::time::Duration;

use super::instance::Instance;
use super::link::Stream;
use crate::admin::status::{Agreed, ChannelStatus, Substate};
use crate::channel::{Input, MessageFrame, Output, Partner, Stopped, SyncRecord};
use crate::target::{self, Target};
use crate::wire::StatusCode;

impl<T: Target, S: Stream> Instance<'_, T, S> {
    /// Writes to the board, once the channel is ours to write about.
    pub(super) fn tell(&self, change: impl FnOnce(&mut ChannelStatus)) {
        if let Some(board) = &self.board {
            board.update(change);
        }
    }

    /// Name of the channel; blank until the partner named one that is defined.
    pub(super) fn name(&self) -> &str {
        &self.channel
    }

    /// The partner's queue manager; blank until it said, and below FAP 4.
    pub(super) fn partner(&self) -> &str {
        &self.partner
    }

    /// A whole message came.
    pub(super) fn delivered(&self, frame: &MessageFrame) {
        self.tell(|status| status.message(frame.sequence, frame.luwid, crate::clock::wall()));
    }

    /// A whole message came that the target has already.
    pub(super) fn repeated(&self, sequence: i32) {
        self.tell(|status| status.repeated(sequence, crate::clock::wall()));
    }

    /// A unit of work ended in a commit; the board and the metrics say how.
    pub(super) fn committed(&self, outcome: &target::Outcome, record: &SyncRecord, dead_lettered: u64, took: Duration) {
        if let Some(metrics) = self.gateway.settings.board.metrics(self.name()) {
            metrics.commit_seconds.record(took.as_secs_f64());
        }
        match outcome {
            target::Outcome::Committed => {
                self.gateway.settings.health.target(Ok(()));
                self.tell(|status| status.committed(record, dead_lettered));
            }
            target::Outcome::RolledBack(error) | target::Outcome::Refused(error) => {
                self.gateway.settings.health.target(Err(error.text.clone()));
                self.tell(|status| status.rolled_back(&error.text));
            }
            target::Outcome::InDoubt(error) => {
                self.gateway.settings.health.target(Err(error.text.clone()));
                self.tell(|status| status.in_doubt(&error.text));
            }
        }
    }

    /// Nothing of the batch in hand is kept; the partner is told, and the channel ends.
    pub(super) fn batch_failed(&mut self, code: StatusCode, text: String) {
        self.gateway.settings.health.target(Err(text.clone()));
        self.tell(|status| status.rolled_back(&text));
        self.handle(Input::RolledBack(code, text));
    }

    /// The machine asked for something that this phase cannot do: a fault of ours, which ends this channel only.
    pub(super) fn out_of_place(&mut self, output: &Output) {
        tracing::error!(peer = %self.peer, channel = self.name(), ?output, "internal fault: output out of place");
        self.handle(Input::RolledBack(StatusCode::BATCH_FAILURE, "internal fault at the gateway".to_owned()));
    }

    /// Refuses the caller; the board counts it, whatever another connection of the channel does meanwhile.
    pub(super) fn turn_away(&self, code: StatusCode, partner: &Partner, why: &str) -> Input {
        let text = format!("{} at {} was refused: {why}", partner.qmgr_name, self.peer.ip());
        self.gateway.settings.board.update(&self.channel, |status| status.refused(&text));
        Input::Refused(code, text)
    }

    /// BINDING: the partner named the channel and may have it, if the lease is free and both ends agree.
    pub(super) fn report_binding(&self, partner: &Partner) {
        self.tell(|status| {
            status.partner(partner);
            status.substate = Substate::Serialize;
        });
        tracing::info!(
            channel = self.name(),
            partner = self.partner(),
            peer = %self.peer,
            fap = partner.fap_level,
            "channel is binding"
        );
    }

    /// RUNNING.
    pub(super) fn report_running(&self) {
        let status = self.mca.status();
        let Some(agreed) = status.agreed else { return };
        let shown = Agreed {
            batchsz: agreed.batchsz,
            hbint: agreed.heartbeat_interval,
            maxmsgl: agreed.max_msg_size,
            fap_level: agreed.fap_level,
        };
        self.tell(|status| status.running(shown));
        tracing::info!(
            channel = self.name(),
            partner = self.partner(),
            peer = %self.peer,
            fap = agreed.fap_level,
            batchsz = agreed.batchsz,
            hbint = agreed.heartbeat_interval,
            maxmsgl = agreed.max_msg_size,
            lstseqno = status.lstseqno,
            lstluwid = %status.lstluwid,
            "channel is running"
        );
    }

    /// One line for the end of an instance; equal ones only now and then, for partners retry for days.
    pub(super) fn report_end(&self, stopped: &Stopped) {
        let mut line = match (self.name(), self.partner()) {
            ("", _) => "connection ended before it had a channel".to_owned(),
            (channel, "") => format!("channel {channel} ended"),
            (channel, partner) => format!("channel {channel} with {partner} ended"),
        };
        line.push_str(&format!(": {}", stopped.why));
        if let Some(code) = stopped.code {
            line.push_str(&format!("; status {code}"));
        }
        if self.name().is_empty() {
            self.gateway.settings.metrics.listener.refused.increment(1);
        }
        let (mut msgs, mut batches, mut lstseqno) = (0, 0, 0);
        self.tell(|status| (msgs, batches, lstseqno) = (status.msgs, status.batches, status.lstseqno));
        if stopped.orderly {
            tracing::info!(peer = %self.peer, msgs, batches, lstseqno, "{line}");
        } else if let Some(line) = self.gateway.note(&line) {
            tracing::warn!(peer = %self.peer, msgs, batches, lstseqno, "{line}");
        }
    }
}
