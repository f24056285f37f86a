//! Negotiation, as caller and as responder.

use super::*;

#[test]
fn a_sender_offers_what_senders_offer() {
    let rig = SenderMca::calling(identity(), definition(&[]), Duration::ZERO, Duration::ZERO).poll();
    let Some(Output::Send(offer)) = rig else { panic!() };
    assert_eq!((offer.tsh.segment_type, offer.tsh.flags1.bits(), offer.len()), (SegmentType::INITIAL_DATA, 1, 130));
    let id = offer.initial_data().unwrap();
    assert_eq!((id.fap_level, id.cap_flags1.bits(), id.max_msg_per_batch), (4, 0x07, 3));
    assert_eq!(id.fap4.unwrap().cap_flags2.bits(), 0, "no fast messages, no second unit of work");
}

/// A server that a requester calls, whose capabilities are 0x08 alone (wire reference, channel flow 8).
#[test]
fn a_requester_is_answered_and_a_sender_calls_it_back() {
    let svr = Definition { chltype: ChannelType::Svr, ..definition(&[]) };
    let mut asked = calling_offer(&svr);
    asked.cap_flags1 = CapFlags1::REQUEST_INITIATION;
    let call = |definition: &Definition, asked: &InitialData| {
        let mut rig = Rig {
            mca: SenderMca::new(identity(), Duration::from_secs(1), Duration::ZERO),
            now: Duration::ZERO,
            out: vec![],
        };
        let body = asked.encode(ByteOrder::Big, Alphabet::Ascii);
        rig.hear(segment(SegmentType::INITIAL_DATA, ASK, Luwid::ZERO, body));
        assert!(matches!(&rig.out[..], [Output::Identify { .. }]));
        rig.tell(Input::Defined(Box::new(definition.clone())));
        rig
    };
    let mut rig = call(&svr, &asked);
    assert!(matches!(&rig.out[..], [Output::Claim { .. }]), "{:?}", rig.out);
    rig.tell(Input::Claimed { record: None, in_doubt: vec![], careful: 0 });
    let [Output::Send(answer), Output::Running(agreed), Output::Want] = &rig.out[..] else { panic!("{:?}", rig.out) };
    assert_eq!((answer.tsh.flags1, agreed.cap_flags1), (NONE, CapFlags1::MSG_SEQ));
    assert!(answer.initial_data().unwrap().ecap_flags1.is_empty());
    // Its first empty status may be no confirm.
    rig.asked(1);
    rig.hear(status(NONE, Luwid::ZERO, &Status::OK));
    assert!(rig.mca.status().indoubt);

    let rig = call(&Definition { chltype: ChannelType::Sdr, ..svr.clone() }, &asked);
    assert!(matches!(&rig.out[..], [Output::CallBack(_), Output::Stopped(_)]), "{:?}", rig.out);
    asked.cap_flags1 = CapFlags1::MSG_SEQ;
    let rig = call(&svr, &asked);
    assert_eq!(rig.sent()[0].status().unwrap().code, Some(StatusCode::CHANNEL_WRONG_TYPE));

    let waits = Definition { chltype: ChannelType::Svr, ..definition(&[("requester_start", "status")]) };
    asked.cap_flags1 = CapFlags1::REQUEST_INITIATION;
    let mut rig = call(&waits, &asked);
    rig.tell(Input::Claimed { record: None, in_doubt: vec![], careful: 0 });
    assert!(!rig.wants());
    rig.hear(status(NONE, Luwid::ZERO, &Status::OK));
    assert!(rig.wants());
}

fn calling_offer(definition: &Definition) -> InitialData {
    let mut mca = SenderMca::calling(identity(), definition.clone(), Duration::ZERO, Duration::ZERO);
    let Some(Output::Send(offer)) = mca.poll() else { panic!() };
    offer.initial_data().unwrap()
}

#[test]
fn a_counter_proposal_is_taken() {
    let mut mca = SenderMca::calling(identity(), definition(&[]), Duration::ZERO, Duration::ZERO);
    let Some(Output::Send(offer)) = mca.poll() else { panic!() };
    let mut counter = offer.initial_data().unwrap();
    counter.max_msg_per_batch = 2;
    counter.ecap_flags1 = CapFlags1::SPLIT_MESSAGE;
    let body = counter.encode(ByteOrder::Big, Alphabet::Ascii);
    mca.handle(Duration::ZERO, Input::Segment(segment(SegmentType::INITIAL_DATA, ERROR, Luwid::ZERO, body)));
    let Some(Output::Send(second)) = mca.poll() else { panic!() };
    let id = second.initial_data().unwrap();
    assert_eq!((id.max_msg_per_batch, id.cap_flags1.bits()), (2, 0x03));
    let refusal = status(ERROR | CLOSE, Luwid::ZERO, &Status::new(StatusCode::NO_CHANNEL));
    mca.handle(Duration::ZERO, Input::Segment(refusal));
    let Some(Output::Stopped(stopped)) = mca.poll() else { panic!() };
    assert_eq!(stopped.code, Some(StatusCode::NO_CHANNEL));
}
