//! What a receiver takes and how it answers: every dialect of the sender, every habit of its own.

use mqferry::partner::receiver::{ConfirmAnswer, Habits, Receiving, ResyncAnswer};
use mqferry::partner::{
    BatchHeartbeat, Close, ConfirmRequest, DataLength, Death, LuwidStyle, Options, PartnerError, Resync, ResyncBody,
    ResyncCarrier, Speech, Step, run,
};
use mqferry::wire::{Alphabet, ByteOrder};

use super::pair::{CHANNEL, Pair, assert_same_bytes};

#[tokio::test]
async fn a_queue_empties_into_the_local_queue() {
    let pair = Pair::with(205, 1000).await;
    let life = pair.live(pair.receiving());
    let report = run(&pair.sending()).await.unwrap();
    let tally = life.receiver.tally();
    life.kill().await;
    pair.assert_all();
    assert_same_bytes(&pair, pair.here.path());
    assert_eq!((report.confirmed, report.batches, report.connections), (205, 21, 1));
    assert_eq!((tally.messages, tally.batches, tally.connections, tally.split), (205, 21, 1, 0));
    assert_eq!(tally.goodbyes, ["OK (0)"]);
    assert!(tally.troubles.is_empty(), "{:?}", tally.troubles);
    let remembered = pair.queues().remembered(CHANNEL, "GW");
    assert_eq!((remembered.sequence, remembered.luwid), (205, report.luwid));
}

#[tokio::test]
async fn every_way_of_a_sender_to_speak_is_taken() {
    let base = Speech::default();
    let speeches = [
        base.clone(),
        base.clone().ebcdic(),
        Speech { byte_order: ByteOrder::Big, ..base.clone() },
        Speech { byte_order: ByteOrder::Little, ..base.clone().ebcdic() },
        Speech { fap_level: 1, fast_messages: false, distribution_lists: false, ..base.clone() },
        Speech { fap_level: 4, ..base.clone() },
        Speech { fap_level: 13, dual_uow: true, security_request: true, compression: true, ..base.clone() },
        Speech { confirm: ConfirmRequest::StatusData, ..base.clone() },
        Speech { confirm: ConfirmRequest::StatusData, confirm_body: true, ..base.clone() },
        Speech { confirm: ConfirmRequest::StatusData, confirm_without_luwid: true, ..base.clone() },
        Speech { confirm: ConfirmRequest::ResyncData, ..base.clone() },
        Speech { confirm: ConfirmRequest::EmptyMessageData, ..base.clone() },
        Speech { confirm: ConfirmRequest::EmptyMsh, ..base.clone() },
        Speech { confirm: ConfirmRequest::Heartbeat, ..base.clone() },
        Speech { continuation_msh: false, ..base.clone() },
        Speech { data_length: DataLength::BufferSize, total_in_continuations: false, ..base.clone() },
        Speech { data_length: DataLength::Offset, total_in_continuations: false, ..base.clone() },
        Speech { data_length: DataLength::Offset, first_segment_number: 1, ..base.clone() },
        Speech { counts_segments: false, luwid_in_continuations: false, ..base.clone() },
        Speech { first_last_everywhere: true, initial_data_flags: 0x31, ..base.clone() },
        Speech { batch_heartbeat: BatchHeartbeat::Plain, ..base.clone() },
        Speech { batch_heartbeat: BatchHeartbeat::Unasked, luwid: LuwidStyle::TimeOfDay, ..base.clone() },
        Speech { close: Close::StatusTimeout, close_asks: true, ..base.clone() },
        Speech { close: Close::WithRequest, ..base.clone() },
        Speech { close: Close::Connection, ..base },
    ];
    for speech in speeches {
        for size in [700, 32766] {
            let speech = Speech { max_transmission_size: size, ..speech.clone() };
            // A strict receiver wants what it would write itself, whatever its own byte order and alphabet.
            for strict in [false, true] {
                let pair = Pair::with(23, 2000).await;
                let mut receiving = pair.receiving();
                if strict {
                    receiving.habits.strict = true;
                    receiving.speech =
                        Speech { byte_order: ByteOrder::Big, alphabet: Alphabet::Ascii, ..speech.clone() };
                }
                let options = Options { speech: speech.clone(), ..pair.sending() };
                let report = pair.cross(receiving, &options).await;
                let report = report.unwrap_or_else(|error| panic!("{error} for {:?}", options.speech));
                pair.assert_all();
                assert_same_bytes(&pair, pair.here.path());
                assert_eq!((report.connections, report.batches), (1, 3), "{:?}", options.speech);
            }
        }
    }
}

/// A receiver that expects other MSHs than it gets says so, and nothing is put.
#[tokio::test]
async fn a_strict_receiver_refuses_what_it_does_not_expect() {
    let expects = |change: fn(&mut Speech)| {
        let mut speech = Speech { max_transmission_size: 700, ..Speech::default() };
        change(&mut speech);
        speech
    };
    let cases = [
        (expects(|speech| speech.continuation_msh = false), "MESSAGE_LENGTH_ERROR"),
        (expects(|speech| speech.first_segment_number = 1), "SEGMENT_NUMBER_ERROR"),
        (expects(|speech| speech.counts_segments = false), "SEGMENT_NUMBER_ERROR"),
        (expects(|speech| speech.data_length = DataLength::Offset), "PROTOCOL_MSH_ERROR"),
        (expects(|speech| speech.total_in_continuations = false), "MESSAGE_LENGTH_ERROR"),
        (expects(|speech| speech.split = false), "MaxTransmissionSize without splitting"),
    ];
    for (speech, says) in cases {
        let pair = Pair::with(3, 2000).await;
        let habits = Habits { strict: true, refuses_capabilities: false, ..Habits::default() };
        let receiving = Receiving { speech: speech.clone(), habits, ..pair.receiving() };
        let options = Options { retries: 0, ..pair.sending() };
        let error = pair.cross(receiving, &options).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error} for {speech:?}");
        assert!(pair.queues().messages().is_empty());
    }
}

/// In each way to answer, with the confirmation of the second batch lost so that the sender has to ask.
#[tokio::test]
async fn every_way_to_answer_is_understood() {
    let base = Habits::default();
    let habits = [
        base.clone(),
        Habits { confirm: ConfirmAnswer::StatusCode, resync: ResyncAnswer::Status, ..base.clone() },
        Habits { confirm: ConfirmAnswer::StatusNumber, resync: ResyncAnswer::StatusLuwid, ..base.clone() },
        Habits { confirm: ConfirmAnswer::SameType, resync_body: ResyncBody::NumberLuwid, ..base.clone() },
        Habits { confirm: ConfirmAnswer::Heartbeat, resync_body: ResyncBody::Empty, ..base.clone() },
        Habits { confirm_without_luwid: true, request_accepted: true, always_dlq_used: true, ..base.clone() },
        Habits { names_expected: false, resync: ResyncAnswer::Status, ..base },
    ];
    let carriers = [ResyncCarrier::ResyncData, ResyncCarrier::StatusData, ResyncCarrier::MessageData];
    for habits in habits {
        for (place, step) in [Step::ConfirmRequestRead, Step::CommittedNotConfirmed].into_iter().enumerate() {
            for carrier in carriers {
                let pair = Pair::with(35, 100).await;
                let speech = Speech { resync_carrier: carrier, ..Speech::default() };
                let options = Options { speech, ..pair.sending() };
                let receiving = Receiving { habits: habits.clone(), ..pair.receiving() };
                let dying = Receiving { die_at: Some(Death { step, after: 1, abort: false }), ..receiving.clone() };
                let first = pair.live(dying);
                let sender = tokio::spawn(async move { run(&options).await });
                assert!(matches!(first.died().await, PartnerError::Died(at) if at == step));
                let second = pair.live(receiving);
                let report = sender.await.unwrap().unwrap_or_else(|error| panic!("{error} for {habits:?}"));
                let tally = second.receiver.tally();
                second.kill().await;
                pair.assert_all();
                let committed = place as u64;
                assert_eq!(
                    (report.resync_committed, report.resync_backed_out),
                    (committed, 1 - committed),
                    "{habits:?}"
                );
                assert_eq!((tally.resync_same, tally.resync_other), (committed, 1 - committed), "{habits:?}");
                assert_eq!(report.dlq_used, if habits.always_dlq_used { 4 - committed } else { 0 });
            }
        }
    }
}

/// A sender that asks at each start, and whose question holds the LUWID in its body, is answered too.
#[tokio::test]
async fn questions_at_each_start_are_answered() {
    for body in [ResyncBody::Number, ResyncBody::NumberLuwid, ResyncBody::LuwidInBody, ResyncBody::Empty] {
        let pair = Pair::with(30, 100).await;
        let speech = Speech { resync: Resync::EachStart, resync_body: body, ..Speech::default() };
        let habits = Habits { close_after: Some(1), ..Habits::default() };
        let life = pair.live(Receiving { habits, ..pair.receiving() });
        let report = run(&Options { speech, ..pair.sending() }).await.unwrap();
        let tally = life.receiver.tally();
        life.kill().await;
        pair.assert_all();
        assert_eq!((report.connections, report.close_requests, tally.connections), (3, 3, 3), "{body:?}");
        assert_eq!((tally.resync_same, tally.resync_other), (3, 0), "{body:?}");
    }
}
