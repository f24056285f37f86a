//! What a sending channel says of itself: to the board and to the log.

use super::Sending;
use crate::admin::status::{Agreed as Shown, ChannelStatus};
use crate::channel::sender::{Resolution, Resolved};
use crate::channel::{Agreed, Stopped};
use crate::mover::link::Stream;
use crate::target::{Outcome, Source};

impl<T: Source, S: Stream> Sending<'_, T, S> {
    /// Writes to the board, once the channel is ours to write about.
    pub(super) fn tell(&self, change: impl FnOnce(&mut ChannelStatus)) {
        if let Some(board) = &self.board {
            board.update(change);
        }
    }

    /// The board shows what the machine knows.
    pub(super) fn show(&self) {
        let status = self.mca.status();
        self.tell(|shown| shown.sending(&status, crate::clock::wall()));
    }

    pub(super) fn report_running(&self, agreed: &Agreed) {
        let shown = Shown {
            batchsz: agreed.batchsz,
            hbint: agreed.heartbeat_interval,
            maxmsgl: agreed.max_msg_size,
            fap_level: agreed.fap_level,
        };
        self.tell(|status| status.running(shown));
        let status = self.mca.status();
        tracing::info!(
            channel = self.channel,
            partner = self.partner,
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

    pub(super) fn report_resolved(&self, resolved: &Resolved) {
        let who = if resolved.by_operator { "an operator" } else { "the partner" };
        let what = match resolved.how {
            Resolution::Commit => "were committed: they leave their queues",
            Resolution::Backout => "were not committed: they are sent again",
        };
        tracing::info!(
            channel = self.channel,
            partner = self.partner,
            luwid = %resolved.luwid,
            seqno = resolved.sequence,
            msgs = resolved.messages,
            "{who} says that the messages in doubt {what}"
        );
    }

    pub(super) fn report_refused(&self, why: &str, messages: usize) {
        let line = format!("channel {}: {why}; {messages} messages go again, one by one", self.channel);
        if let Some(line) = self.gateway.note(&line) {
            tracing::warn!(peer = %self.peer, "{line}");
        }
        self.tell(|status| status.rolled_back(why));
    }

    pub(super) fn report_step(&self, outcome: &Outcome) {
        let health = &self.gateway.settings.health;
        match outcome {
            Outcome::Committed => health.target(Ok(())),
            Outcome::RolledBack(error) | Outcome::Refused(error) => {
                health.target(Err(error.text.clone()));
                self.tell(|status| status.last_error = Some(error.text.clone()));
            }
            Outcome::InDoubt(error) => {
                health.target(Err(error.text.clone()));
                self.tell(|status| status.in_doubt(&error.text));
            }
        }
    }

    /// One line for the end; equal ones only now and then.
    pub(super) fn report_end(&self, stopped: &Stopped) {
        self.show();
        let status = self.mca.status();
        let with = if self.partner.is_empty() { String::new() } else { format!(" with {}", self.partner) };
        let mut line = format!("channel {}{with} ended: {}", self.channel, stopped.why);
        if let Some(code) = stopped.code {
            line.push_str(&format!("; status {code}"));
        }
        let (msgs, batches, lstseqno) = (status.counts.msgs, status.counts.batches, status.lstseqno);
        if stopped.orderly {
            tracing::info!(peer = %self.peer, msgs, batches, lstseqno, "{line}");
        } else if let Some(line) = self.gateway.note(&line) {
            tracing::warn!(peer = %self.peer, msgs, batches, lstseqno, "{line}");
        }
    }
}
