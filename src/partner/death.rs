//! Death on command: where the simulated queue manager stops existing.

/// A moment in the life of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// INITIAL_DATA is agreed.
    AfterInitialData,
    /// Half of a message's first segment is sent.
    MidSegment,
    /// A message is sent, and the batch goes on.
    BetweenMessages,
    /// The batch is recorded as in doubt, and half of the segment that asks is sent.
    ConfirmRequestHalfSent,
    /// The confirmation is asked for.
    ConfirmRequestSent,
    /// Half of the answer is read.
    ConfirmHalfRead,
    /// The answer is read, and nothing of it is stored.
    ConfirmNotStored,
    /// The answer is read and stored.
    ConfirmStored,
    /// Receiving: the first segment of a message is read, and nothing is made of it.
    MessageBegun,
    /// Receiving: a message is taken, and the batch goes on.
    MessageTaken,
    /// Receiving: the confirmation is asked for, and nothing is committed.
    ConfirmRequestRead,
    /// Receiving: half of the commit is written to the disk.
    MidCommit,
    /// Receiving: the batch is committed, and nothing of the confirmation is sent.
    CommittedNotConfirmed,
    /// Receiving: half of the confirmation is sent.
    ConfirmHalfSent,
    /// Receiving: the confirmation is sent.
    ConfirmSent,
    /// Receiving: the question about a batch is read, and not answered.
    ResyncAsked,
    /// Receiving: the question about a batch is answered.
    ResyncAnswered,
}

/// How and when to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Where.
    pub step: Step,
    /// How often the step is survived first.
    pub after: u32,
    /// Whether the process aborts; else the run ends with [`super::PartnerError::Died`], the connection cut.
    pub abort: bool,
}

/// Counts down to a death.
#[derive(Debug)]
pub(super) struct Fate(Option<Death>);

impl Fate {
    pub(super) fn new(death: Option<Death>) -> Self {
        Self(death)
    }

    /// Whether the end comes at this step; each call counts as passing it once.
    pub(super) fn strikes(&mut self, step: Step) -> bool {
        match &mut self.0 {
            Some(death) if death.step == step && death.after == 0 => {
                if death.abort {
                    std::process::abort();
                }
                true
            }
            Some(death) if death.step == step => {
                death.after -= 1;
                false
            }
            _ => false,
        }
    }

    /// Whether the next passing of this step is the end.
    pub(super) fn waits_at(&self, step: Step) -> bool {
        self.0.is_some_and(|death| death.step == step && death.after == 0)
    }
}
