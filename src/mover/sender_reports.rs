//! Report messages that senders asked for: made once the target has answered for a message, and staged in the same unit of
//! work, so that nobody is told of what is then rolled back.

use super::batch::Batch;
use super::link::Stream;
use super::undelivered::{Failed, Unsettled};
use crate::channel::MessageFrame;
use crate::mapping::reports::{self, Event};
use crate::mapping::{MqMessage, Original, digest, id};
use crate::message::Envelope;
use crate::target::{Target, Unit};

impl<T: Target, S: Stream, U: Unit> Batch<'_, '_, T, S, U> {
    /// Stages the reports on messages that are settled; true if there was none to stage.
    pub(super) async fn report_on(&mut self, settled: &[Unsettled]) -> Result<bool, Failed> {
        for item in settled.iter().filter(|item| item.asks) {
            let Ok(envelope) = item.envelope() else { continue };
            let policy = &self.instance.gateway.settings.policy;
            if item.lost().is_none() && reports::is_unconfirmed(&envelope, policy) {
                self.say_unconfirmed(item.sequence());
            }
            for event in reports::events(&envelope, policy, item.lost()) {
                if let Some(report) = self.report(item, &envelope, event) {
                    self.stage_report(item.frame(), &report).await?;
                }
            }
        }
        Ok(self.unsettled.is_empty())
    }

    fn report(&self, item: &Unsettled, original: &Envelope, event: Event) -> Option<MqMessage> {
        let (gateway, frame) = (&self.instance.gateway.settings.policy.name, item.frame());
        // Its own, and another one for a message of the same MsgId.
        let about = format!("{event:?} {} {} {}", id::hex(&original.md.msg_id), frame.luwid, frame.sequence);
        let new_id = digest::derived_id(gateway, &about);
        reports::report_on(original, event, gateway, new_id, original.coding, crate::clock::wall_ms())
    }

    /// A report whose reply queue cannot be reached goes to the dead-letter queue, as any message.
    async fn stage_report(&mut self, about: &MessageFrame, report: &MqMessage) -> Result<(), Failed> {
        let mut item = Unsettled::report(MessageFrame { parts: report.parts(), ..about.clone() });
        let Ok(envelope) = item.envelope() else { return Ok(()) };
        let publication = match self.instance.gateway.report(&envelope, item.came_at_ms()) {
            Ok(mapped) => Some(mapped.publication),
            Err(unmappable) => {
                item.is_lost(Event::Failed(unmappable.reason));
                let text = format!("a report for its sender: {unmappable}");
                self.bury(item.frame(), &Original::Parsed(&envelope), unmappable.reason, &text)
            }
        };
        self.stage(item, publication).await
    }

    fn say_unconfirmed(&self, sequence: i32) {
        let line = format!(
            "channel {}: a message asks for confirmation on delivery, and none will be sent: a broker does not tell who took it; \
             set cod = \"at-arrival\" on its route if arrival will do",
            self.instance.name()
        );
        if let Some(line) = self.instance.gateway.note(&line) {
            tracing::warn!(sequence, "{line}");
        }
    }
}
