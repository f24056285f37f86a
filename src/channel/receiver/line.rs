//! Our end of the line, as the receiving machine speaks on it.

pub use crate::channel::line::Counts;
use crate::channel::line::Utter;
pub(super) use crate::channel::line::{disorderly, orderly};
use crate::channel::{Output, Stopped};
use crate::wire::Segment;

pub(super) type Line = crate::channel::line::Line<Output>;

impl Utter for Output {
    fn send(segment: Segment) -> Self {
        Self::Send(segment)
    }

    fn stopped(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

impl Line {
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
}
