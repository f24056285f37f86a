//! What must hold for every byte string. The fuzzers call these functions with bytes they make up, `cargo test`
//! calls them with the kept corpus (`tests/fuzz_corpus.rs`).

use bytes::{Bytes, BytesMut};
use mqferry::mapping::markup;
use mqferry::message::{Chars, Coding, Description, Envelope, Rfh2};
use mqferry::target::openwire::codec::{Command, Frames, Structure, Version};
use mqferry::target::openwire::message::from_openwire;
use mqferry::wire::{ByteOrder, Deframer, SegmentType};

const ORDERS: [ByteOrder; 2] = [ByteOrder::Big, ByteOrder::Little];

/// A stream of segments: taken off whole, each parsed body emitted again as the same bytes.
pub fn segment(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    let mut deframer = Deframer::new(1 << 20);
    while let Ok(Some(segment)) = deframer.next(&mut buffer) {
        let again = segment.encode();
        assert_eq!(again.len(), segment.len());
        let _ = format!("{segment:?}");
        if segment.tsh.segment_type == SegmentType::INITIAL_DATA
            && let Ok(id) = segment.initial_data()
        {
            assert_eq!(id.length(), segment.body.len());
        }
        if let Ok((msh, body)) = segment.msh() {
            let _ = format!("{msh:?}");
            assert!(body.len() <= segment.body.len());
        }
        let _ = format!("{:?} {:?} {:?}", segment.status(), segment.reset(), segment.ping());
    }
}

/// A message: the first byte says what it starts with, in which byte order, and where it was cut in two.
pub fn envelope(data: &[u8]) {
    let Some((&how, message)) = data.split_first() else { return };
    let message = Bytes::copy_from_slice(message);
    let (first, second) = (message.clone(), message.clone());
    let cut = message.len() * usize::from(how >> 4) / 16;
    let parts = vec![first.slice(..cut), second.slice(cut..)];
    let coding = Coding::described(if how & 1 == 0 { 273 } else { 546 }, if how & 2 == 0 { 1208 } else { 500 });
    let format = ["MQXMIT", "MQMD", "MQHRF2", "MQDEAD"][usize::from(how >> 2 & 3)];
    let description = Description {
        encoding: coding.encoding(),
        ccsid: coding.ccsid(),
        format: Chars::from_text_cut(format, coding),
    };
    let Ok(envelope) = Envelope::parse_as(parts, description) else { return };
    assert_eq!(envelope.len(), message.len());
    assert_eq!(envelope.encode(), message, "{:?}", envelope.structures());
    assert!(envelope.data().len() <= message.len());
    assert!(message.ends_with(&envelope.body.bytes()));
}

/// An MQRFH2 with its folders, read as markup.
pub fn rfh2(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    for order in ORDERS {
        let Ok(rfh2) = Rfh2::parse(&bytes, order) else { continue };
        assert!(rfh2.length() <= bytes.len());
        for text in rfh2.folder_texts(order).into_iter().flatten() {
            let _ = markup::read(&text, 1000);
        }
    }
}

/// A stream of OpenWire frames; the first byte says of which version. What was read is written as bytes that read the
/// same.
pub fn openwire(data: &[u8]) {
    let Some((&how, stream)) = data.split_first() else { return };
    let Some(version) = Version::new(9 + i32::from(how & 3)) else { return };
    let mut buffer = BytesMut::from(stream);
    let mut frames = Frames::new(1 << 20);
    while let Ok(Some(raw)) = frames.next(&mut buffer) {
        let Ok(frame) = raw.decode(version) else { continue };
        let _ = format!("{frame:?}");
        let message = match &frame.command {
            Command::Message(message) => Some(&**message),
            Command::MessageDispatch(dispatch) => dispatch.message.as_deref(),
            Command::DataResponse(response) => match &response.data {
                Some(Structure::Command(command)) => match &**command {
                    Command::Message(message) => Some(&**message),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        if let Some(message) = message {
            let _ = (message.properties(), message.body(), from_openwire(message));
        }
        // a NUL of one byte is written as two, which may be too long for its length
        let mut once = BytesMut::new();
        if frame.encode(version, &mut once).is_err() {
            continue;
        }
        let again = frames.next(&mut once.clone()).expect("a frame").expect("all of it");
        let mut twice = BytesMut::new();
        again.decode(version).expect("our own bytes").encode(version, &mut twice).expect("as before");
        assert_eq!(once, twice, "{frame:?}");
    }
}
