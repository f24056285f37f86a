//! A requester's call (wire reference, channel flow 1.3, implementation of the caller, and 8).

use bytes::Bytes;
use mqferry::channel::{Definition, Identity, Input, Mca, Output};
use mqferry::wire::{CapFlags1, ControlFlags1, ErrFlags1, InitialData, Luwid, Segment, SegmentType, StatusCode};
use std::time::Duration;

use crate::talk::*;

struct Call {
    mca: Mca,
}

impl Call {
    fn made(definition: Definition, max_message_bytes: Option<u64>) -> Self {
        let identity = Identity { qmgr_name: "GW".into(), qmgr_id: "GW_1".into() };
        Self { mca: Mca::calling(identity, definition, max_message_bytes, Duration::ZERO) }
    }

    fn hears(&mut self, segment: Segment) {
        self.mca.handle(Duration::ZERO, Input::Segment(segment));
    }

    fn answered(&mut self, flags: ControlFlags1, answer: &InitialData) {
        let segment = initial_data(answer);
        self.hears(Segment::new(segment.tsh.with_flags(flags), segment.body));
    }

    #[track_caller]
    fn offers(&mut self) -> InitialData {
        match self.mca.poll() {
            Some(Output::Send(segment)) => {
                assert_eq!(segment.tsh.flags1, CONFIRM);
                segment.initial_data().unwrap()
            }
            other => panic!("no offer: {other:?}"),
        }
    }

    #[track_caller]
    fn takes_the_lease(&mut self) {
        match self.mca.poll() {
            Some(Output::Claim { partner }) => assert_eq!(partner.qmgr_name, "QMA"),
            other => panic!("no claim: {other:?}"),
        }
        self.mca.handle(Duration::ZERO, Input::Claimed { record: None, max_message_bytes: None });
        assert!(matches!(self.mca.poll(), Some(Output::Running)));
        assert!(self.mca.poll().is_none(), "the server speaks first");
    }

    #[track_caller]
    fn gives_up(&mut self, words: &[&str]) {
        match self.mca.poll() {
            Some(Output::Stopped(stopped)) => {
                assert!(!stopped.orderly && words.iter().all(|word| stopped.why.contains(word)), "{stopped:?}");
            }
            other => panic!("no end: {other:?}"),
        }
    }
}

/// What a server with the wire examples' values answers.
fn theirs() -> InitialData {
    let mut answer = fitting_offer();
    answer.cap_flags1 = CapFlags1::MSG_SEQ | CapFlags1::CONVERSION_CAPABLE | CapFlags1::SPLIT_MESSAGE;
    answer
}

#[test]
fn the_first_offer_is_a_requester_s_and_messages_follow_an_answer_without_error() {
    let mut call = Call::made(definition(), None);
    let offer = call.offers();
    // 0x08: what senders and servers answer (O).
    assert_eq!((offer.cap_flags1.bits(), offer.fap_level, offer.length()), (0x08, 4, 102));
    assert_eq!(offer.channel_name.text(), definition().name);
    call.answered(NONE, &theirs());
    call.takes_the_lease();
    let agreed = call.mca.status().agreed.unwrap();
    assert_eq!(agreed.max_transmission_size, theirs().max_transmission_size.min(32766));
    call.hears(message(1, CONFIRM, LUW));
    let outputs: Vec<_> = std::iter::from_fn(|| call.mca.poll()).collect();
    assert!(matches!(outputs.as_slice(), [Output::Begin { .. }, Output::Deliver(_), Output::Commit(_)]), "{outputs:?}");
}

#[test]
fn a_counter_proposal_is_taken_up() {
    let mut call = Call::made(definition(), None);
    let first = call.offers();
    let mut counter = InitialData { max_msg_per_batch: 10, max_transmission_size: 16384, ..theirs() };
    counter.err_flags1 = ErrFlags1::MAX_MSG_PER_BATCH | ErrFlags1::MAX_TRANSMISSION_SIZE;
    call.answered(ControlFlags1::ERROR, &counter);
    let second = call.offers();
    assert_eq!((second.max_msg_per_batch, second.max_transmission_size), (10, 16384));
    assert_eq!((second.seq_wrap, second.cap_flags1), (first.seq_wrap, first.cap_flags1));
    call.answered(NONE, &InitialData { err_flags1: ErrFlags1::empty(), ..counter });
    call.takes_the_lease();
}

#[test]
fn what_we_cannot_change_ends_the_call() {
    let wrap = theirs().seq_wrap;
    let mut call = Call::made(definition(), None);
    call.offers();
    let mut counter = InitialData { seq_wrap: 5000, ..theirs() };
    counter.err_flags1 = ErrFlags1::SEQ_WRAP_VALUE;
    call.answered(ControlFlags1::ERROR, &counter);
    call.gives_up(&["5000", &wrap.to_string(), "SEQWRAP"]);

    let mut call = Call::made(definition(), None);
    let offer = call.offers();
    // An error, and nothing in it that differs.
    call.answered(ControlFlags1::ERROR, &InitialData { cap_flags1: CapFlags1::MSG_SEQ, ..offer });
    call.gives_up(&["nothing that we can change"]);

    let mut call = Call::made(definition(), None);
    call.offers();
    let refused = InitialData { ecap_flags1: CapFlags1::REQUEST_INITIATION, ..theirs() };
    call.answered(ControlFlags1::ERROR, &refused);
    call.gives_up(&["requester"]);
}

#[test]
fn a_refusal_a_close_and_silence_end_the_call() {
    let mut call = Call::made(definition(), None);
    call.offers();
    call.hears(frame(10));
    call.gives_up(&["refused our call", "NO_CHANNEL"]);

    let mut call = Call::made(definition(), None);
    call.offers();
    call.mca.handle(Duration::ZERO, Input::PeerClosed("closed".into()));
    call.gives_up(&["did not answer our call"]);

    let mut call = Call::made(definition(), None);
    call.offers();
    call.mca.handle(Duration::from_secs(30), Input::Tick);
    call.gives_up(&["INITIAL_DATA", "30 s"]);

    let mut call = Call::made(definition(), None);
    call.offers();
    call.hears(segment(SegmentType::MESSAGE_DATA, NONE, Luwid::ZERO, Bytes::new()));
    assert!(matches!(call.mca.poll(), Some(Output::Send(_))), "a fault is told");
    call.gives_up(&["INITIAL_DATA"]);
}

/// The agreement came before the lease, and with it the target's limit.
#[test]
fn more_than_the_target_takes_is_not_kept_to() {
    let mut call = Call::made(definition(), None);
    call.offers();
    call.answered(NONE, &theirs());
    assert!(matches!(call.mca.poll(), Some(Output::Claim { .. })));
    let limit = Some((64 << 10) + 1000);
    call.mca.handle(Duration::ZERO, Input::Claimed { record: None, max_message_bytes: limit });
    match call.mca.poll() {
        Some(Output::Send(segment)) => {
            assert_eq!(segment.status().unwrap().code, Some(StatusCode::USER_CLOSED));
        }
        other => panic!("{other:?}"),
    }
    call.gives_up(&["1000", "calling again"]);
    assert_eq!(Call::made(definition(), limit).offers().max_msg_size, 1000);
}
