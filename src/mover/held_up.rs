//! A target that lets us wait: a broker near its limits holds its answers back, and so the channel slows down. That is as
//! it should be; operators are told, and nothing more is read from the partner meanwhile.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use super::instance::Instance;
use super::link::Stream;
use crate::admin::status::Substate;
use crate::target::Target;

/// So long an answer may take before anybody is told. Commits of a loaded broker take tenths of a second.
const SLOW: Duration = Duration::from_secs(2);

/// Waits for the target. If that takes long, one line says so and, when it is over, another how long it took; the board shows
/// MQPUT or ENDBATCH, and the metrics count.
pub(super) async fn wait_for<T: Target, S: Stream, R>(
    instance: &mut Instance<'_, T, S>,
    what: &str,
    substate: Substate,
    answer: impl Future<Output = R>,
) -> R {
    let mut answer = pin!(answer);
    tokio::select! {
        biased;
        result = &mut answer => return result,
        () = tokio::time::sleep(SLOW) => {}
    }
    let began = instance.gateway.clock.now().saturating_sub(SLOW);
    instance.held_up(what, substate);
    let result = answer.await;
    instance.goes_on(instance.gateway.clock.now().saturating_sub(began));
    result
}

impl<T: Target, S: Stream> Instance<'_, T, S> {
    fn held_up(&self, what: &str, substate: Substate) {
        self.tell(|status| status.substate = substate);
        if let Some(metrics) = self.gateway.settings.board.metrics(self.name()) {
            metrics.held_up.increment(1.0);
        }
        let (channel, partner) = (self.name(), self.partner());
        let line = format!(
            "channel {channel} with {partner} is held up: the broker has not answered {what} for {} s; its memory or store may \
             be full, which its own log tells (systemUsage, memoryLimit of the queue)",
            SLOW.as_secs()
        );
        if let Some(line) = self.gateway.note(&line) {
            tracing::warn!(peer = %self.peer, "{line}");
        }
    }

    fn goes_on(&self, after: Duration) {
        self.tell(|status| status.substate = Substate::Receive);
        if let Some(metrics) = self.gateway.settings.board.metrics(self.name()) {
            metrics.held_up.decrement(1.0);
            metrics.held_up_seconds.increment(after.as_secs());
        }
        let (channel, partner, seconds) = (self.name(), self.partner(), after.as_secs_f64());
        tracing::info!(peer = %self.peer, "channel {channel} with {partner} has its answer after {seconds:.1} s");
    }
}
