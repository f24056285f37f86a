//! The waits that are bounded, one deadline each.

use std::time::Duration;

/// What is waited for (wire reference, channel flow 6: Hitachi's list of what to bound, D).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// TCP accept to INITIAL_DATA, and our counter-proposal to the next INITIAL_DATA.
    InitialData,
    /// A segment of a message to the next one.
    NextSegment,
    /// Anything at all from the partner: the heartbeat receive timeout.
    Receive,
    /// Non-persistent messages for which nobody asks a confirm.
    EarlyCommit,
    /// The partner's answer to our wish to end.
    Quiesce,
    /// The partner's own close, after we are done.
    Linger,
    /// A sender: the partner's answer to what it was asked.
    Answer,
    /// A sender: the next heartbeat.
    Heartbeat,
    /// A sender: the disconnect interval.
    Disconnect,
    /// A sender: the batch interval.
    BatchInterval,
    /// A sender: confirmed messages that wait for the next batch's step.
    Retire,
}

impl Timer {
    const ALL: [Self; 11] = [
        Self::InitialData,
        Self::NextSegment,
        Self::Receive,
        Self::EarlyCommit,
        Self::Quiesce,
        Self::Linger,
        Self::Answer,
        Self::Heartbeat,
        Self::Disconnect,
        Self::BatchInterval,
        Self::Retire,
    ];
}

/// The deadlines, on the clock of [`super::Mca::handle`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers([Option<Duration>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Duration) {
        self.0[timer as usize] = Some(at);
    }

    /// Sets a deadline, or leaves an earlier one.
    pub(crate) fn bring_forward(&mut self, timer: Timer, at: Duration) {
        let slot = &mut self.0[timer as usize];
        *slot = Some(slot.map_or(at, |earlier| earlier.min(at)));
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    /// The nearest deadline.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes a timer that is due, the most overdue first.
    pub(crate) fn expired(&mut self, now: Duration) -> Option<Timer> {
        let due = |timer: &Timer| self.0[*timer as usize].filter(|&at| at <= now).map(|at| (at, *timer));
        let (_, timer) = Timer::ALL.iter().filter_map(due).min_by_key(|&(at, _)| at)?;
        self.stop(timer);
        Some(timer)
    }
}

/// TCP accept to INITIAL_DATA (ours; IBM bounds it too, its value is not documented).
pub(crate) const INITIAL_DATA: Duration = Duration::from_secs(30);
/// One segment of a message to the next.
pub(crate) const NEXT_SEGMENT: Duration = Duration::from_secs(60);
/// Last segment to the commit of unconfirmed non-persistent messages.
pub(crate) const EARLY_COMMIT: Duration = Duration::from_secs(1);
/// What a partner gets beyond its heartbeat interval to notice that we want to end.
pub(crate) const QUIESCE_GRACE: Duration = Duration::from_secs(5);
/// How long we wait for a partner's close when we are done (wire reference, channel flow 7: not more than a second).
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// How long a sender waits for an answer where no heartbeats are agreed (ours).
pub(crate) const ANSWER_WITHOUT_HEARTBEATS: Duration = Duration::from_secs(360);
/// How long nothing is sent after a partner said that it has not the batch in doubt (ours): one that ends the channel after that
/// answer does so meanwhile, between batches.
pub(crate) const BACKED_OUT: Duration = Duration::from_secs(1);
/// How long a sender waits in all for the answer to what it asked, confirms above all, whatever heartbeats say meanwhile
/// (ours: IBM names no such bound; it is above a receiver's MRRTY and MRTMR for a batch of usual size).
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(1800);
/// How long confirmed messages wait for the step of the next batch (ours).
pub(crate) const RETIRE: Duration = Duration::from_secs(1);

/// How long nothing may come before the partner counts as gone: below 60 s twice the heartbeat interval, else
/// 60 s more (wire reference, channel flow 6, D). None without heartbeats.
pub fn receive_timeout(heartbeat_interval: i32) -> Option<Duration> {
    match u64::try_from(heartbeat_interval).ok()? {
        0 => None,
        seconds @ 1..60 => Some(Duration::from_secs(2 * seconds)),
        seconds => Some(Duration::from_secs(60 + seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receive_timeout_follows_ibm_support() {
        assert_eq!(receive_timeout(0), None);
        assert_eq!(receive_timeout(1), Some(Duration::from_secs(2)));
        assert_eq!(receive_timeout(59), Some(Duration::from_secs(118)));
        assert_eq!(receive_timeout(60), Some(Duration::from_secs(120)));
        assert_eq!(receive_timeout(300), Some(Duration::from_secs(360)));
    }

    #[test]
    fn each_timer_goes_off_once_in_order() {
        let mut timers = Timers::default();
        timers.set(Timer::Receive, Duration::from_secs(9));
        timers.set(Timer::NextSegment, Duration::from_secs(5));
        assert_eq!(timers.next(), Some(Duration::from_secs(5)));
        assert_eq!(timers.expired(Duration::from_secs(4)), None);
        assert_eq!(timers.expired(Duration::from_secs(10)), Some(Timer::NextSegment));
        assert_eq!(timers.expired(Duration::from_secs(10)), Some(Timer::Receive));
        assert_eq!(timers.expired(Duration::from_secs(10)), None);
        assert_eq!(timers.next(), None);
    }
}
