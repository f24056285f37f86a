//! Every guess about the channel protocol, in one place.
//!
//! No source settles the questions below. Each is one field of [`Dialect`] whose type lists the answers, the
//! most plausible first and default; a channel's configuration may choose another. Receiving tolerates whatever
//! can be tolerated without being told; what a field changes for a receiver is then only what it *writes*.
//! Nothing outside `channel` and `wire` knows that guesses exist.

mod choice;
mod options;

pub use choice::Setting;
use choice::dialect;
pub use options::*;

/// One key of `[channel.dialect]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it can be set to, as text for a person.
    pub options: String,
    /// What it is when nobody sets it.
    pub default: String,
}

/// A key or a value that no dialect has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// No such key.
    #[error("no dialect key is named {key}; there are: {keys}")]
    Key {
        /// What was written.
        key: String,
        /// What there is.
        keys: String,
    },
    /// No such option of a key.
    #[error("{key} cannot be {value}; it can be: {options}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
        /// What there is.
        options: String,
    },
}

dialect! {
    /// How a partner is believed to speak where the wire reference says I or U; see [`options`](self) for each type's evidence.
    Dialect {
        /// Highest FAP level that we offer (channel flow, introduction and 1.4).
        fap: Fap,
        /// Byte order that we write (segments 2: each end writes its own, O).
        byte_order: Order,
        /// Alphabet that we write (segments 2, W).
        alphabet: Letters,
        /// CCSID that we announce (channel flow 1.3).
        ccsid: Ccsid,
        /// Largest segment that we offer, in bytes, TSH included (segments 7).
        max_transmission_size: TransmissionSize,
        /// ControlFlags1 of a caller's first INITIAL_DATA (segments 5, O).
        initial_flags: InitialFlags,
        /// CapFlags1 of a requester that calls (channel flow 1.1).
        requester_capabilities: RequesterCapabilities,
        /// What is said to a first segment that is no INITIAL_DATA (channel flow 1.2).
        bad_initial_data: BadInitialData,
        /// How values are countered (channel flow 1.3).
        counter_proposal: CounterProposal,
        /// How an unequal SEQWRAP is refused (channel flow 1.2).
        seq_wrap_refusal: SeqWrapRefusal,
        /// When a sender asks for resynchronisation (channel flow 3).
        resync_when: ResyncWhen,
        /// Which segment asks (channel flow 3).
        resync_segment: ResyncSegment,
        /// What a RESYNC_DATA carries (channel flow 3).
        resync_body: ResyncBody,
        /// Which segment answers (channel flow 3).
        resync_answer: ResyncAnswer,
        /// Whether the number in a resync question counts (channel flow 3).
        resync_number: ResyncNumber,
        /// What follows a resync that did not match (channel flow 10).
        resync_mismatch: ResyncMismatch,
        /// Where numbers that do not follow are found out (channel flow 3).
        sequence_mismatch: SequenceMismatch,
        /// Which first message number is taken (channel flow 3).
        first_number: FirstNumber,
        /// Which number may come first after RESET_DATA (channel flow 3).
        reset_number: ResetNumber,
        /// Whether RESET_DATA asks for an answer when we send it (channel flow 3).
        reset_confirm: ResetConfirm,
        /// The third int of STATUS 4 (channel flow 10).
        sequence_error_value: SequenceErrorValue,
        /// Whether a sender cuts messages over segments (channel flow 4).
        split: Split,
        /// Whether continuations carry an MSH when we write them (channel flow 4).
        msh_in_continuations: MshInContinuations,
        /// Whether an MSH in a continuation is recognised when we read one (channel flow 4).
        msh_recognition: MshRecognition,
        /// MSH offset 8 as we write it (channel flow 4).
        msh_data_length: MshDataLength,
        /// MSH offset 12 as we write it (channel flow 4 and 10).
        msh_segment_number: MshSegmentNumber,
        /// MSH offset 16 as we write it (channel flow 4).
        msh_message_length: MshMessageLength,
        /// Bytes beyond the announced length in a last segment (observed, client channels only).
        trailing_padding: TrailingPadding,
        /// What MaxMsgSize counts (channel flow 10).
        max_msg_size_counts: MaxMsgSizeCounts,
        /// What becomes of non-persistent messages for which no confirm is asked (channel flow 4).
        unconfirmed_messages: UnconfirmedMessages,
        /// How a sender asks for a batch's confirm (channel flow 5).
        confirm_request: ConfirmRequest,
        /// Which segment carries a confirm request that stands alone (channel flow 5).
        confirm_request_segment: ConfirmRequestSegment,
        /// Whether such a request names the last number (channel flow 10).
        confirm_request_number: ConfirmRequestNumber,
        /// Which LUWID a confirm of our batch may carry (channel flow 5).
        confirm_luwid: ConfirmLuwid,
        /// Whether a confirm carries REQUEST_ACCEPTED (channel flow 5).
        confirm_accepted: ConfirmAccepted,
        /// How a batch is refused (channel flow 5).
        batch_refusal: BatchRefusal,
        /// A HEARTBEAT that does not ask for an answer (channel flow 6).
        heartbeat_unasked: HeartbeatUnasked,
        /// A HEARTBEAT with the open batch's LUWID and CONFIRM_REQUEST (channel flow 10).
        heartbeat_confirms: HeartbeatConfirms,
        /// How we end a channel (channel flow 7).
        close: Close,
        /// Whether a close is answered (channel flow 7).
        close_answer: CloseAnswer,
        /// What follows the echo of a ping (channel flow 7).
        after_ping: AfterPing,
        /// Who speaks first after a requester called a server (channel flow 8).
        requester_start: RequesterStart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_can_be_written_and_is_an_option() {
        for key in Dialect::keys() {
            let mut dialect = Dialect::default();
            dialect.set(key.name, &key.default).expect("the default is an option");
            assert_eq!(dialect, Dialect::default(), "{}", key.name);
        }
    }

    #[test]
    fn every_named_option_can_be_set_and_is_shown_again() {
        for key in Dialect::keys() {
            for option in key.options.split(" | ").filter(|option| !option.contains(" to ")) {
                let mut dialect = Dialect::default();
                dialect.set(key.name, option).expect("listed options are options");
                assert!(dialect.values().contains(&(key.name, option.to_owned())), "{} = {option}", key.name);
            }
        }
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let mut dialect = Dialect::default();
        let no_key = dialect.set("fop", "4").expect_err("no such key");
        assert!(no_key.to_string().starts_with("no dialect key is named fop; there are: fap, byte_order"), "{no_key}");
        let no_option = dialect.set("fap", "16").expect_err("above the bound");
        assert_eq!(no_option.to_string(), "fap cannot be 16; it can be: 1 to 15");
        let no_word = dialect.set("split", "maybe").expect_err("no such word");
        assert_eq!(no_word.to_string(), "split cannot be maybe; it can be: when_needed | never");
        assert_eq!(dialect, Dialect::default());
    }
}
