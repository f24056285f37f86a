//! What a hostile or newer broker may send. That the fields are where ActiveMQ has them is shown against its own
//! marshallers (`tests/openwire_codec`).

use bytes::{BufMut as _, Bytes, BytesMut};

use super::*;
use crate::mapping::Destination;

/// A frame of this type, command 7, no answer wanted, and these fields.
fn frame(type_code: u8, fields: &[u8]) -> Bytes {
    [&[type_code, 0, 0, 0, 7, 0], fields].concat().into()
}

fn refused(bytes: &Bytes) -> DecodeError {
    Frame::decode(bytes, Version::NEWEST).expect_err("it is wrong")
}

fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = BytesMut::new();
    frame.encode(Version::NEWEST, &mut bytes).unwrap();
    bytes.freeze().slice(4..)
}

fn rich() -> Frame {
    let producer = ConnectionId::new("c").session(1).producer(2);
    let mut message = Message::with_content(&Content::Text(Some("text".into()))).unwrap();
    message.message_id = Some(MessageId { text_view: Some("ID:1".into()), ..producer.message(3) });
    message.destination = Some(Destination::Queue("Q".into()));
    message.transaction_id = Some(ConnectionId::new("c").transaction(4));
    message.data_structure = Some(Box::new(Structure::Command(Box::new(KeepAliveInfo {}.into()))));
    message.broker_path = Some(vec![BrokerId { value: "b".into() }]);
    let dispatch = MessageDispatch {
        consumer_id: ConnectionId::new("c").session(1).consumer(1),
        destination: Some(Destination::Queue("Q".into())),
        message: Some(Box::new(message)),
        redelivery_counter: 0,
    };
    Frame::new(1, dispatch)
}

#[test]
fn a_frame_that_ends_early_is_refused_at_every_byte() {
    let whole = encoded(&rich());
    assert_eq!(Frame::decode(&whole, Version::NEWEST).unwrap(), rich());
    for end in 0..whole.len() {
        let error = refused(&whole.slice(..end));
        assert!(matches!(error.problem, Problem::Truncated { .. }), "{end}: {error}");
        assert!(error.offset <= end, "{end}: {error}");
    }
    let longer = Bytes::from([&whole[..], &[0]].concat());
    assert_eq!(refused(&longer).problem, Problem::LeftOver(1));
}

#[test]
fn errors_say_where_and_what() {
    // ConnectionError with an exception whose class claims 256 bytes.
    let error = refused(&frame(16, &[1, 1, 1, 0, b'x']));
    assert_eq!(
        error.to_string(),
        "OpenWire ConnectionError, field exception, offset 10 of the frame: needs 256 bytes, 1 are left"
    );
    // A consumer id where a producer id belongs.
    let error = refused(&frame(19, &[1, 122, 0]));
    assert_eq!((error.field, error.offset), ("producer_id", 7));
    assert_eq!(error.problem, Problem::UnexpectedType(122));
    assert_eq!(refused(&frame(11, &[0])).problem, Problem::LeftOver(1));
    assert_eq!(refused(&frame(18, &[2])).problem, Problem::NotBoolean(2));
    assert_eq!(refused(&frame(7, &[0, 0, 9])).problem, Problem::OutOfRange(9));
    // DataArrayResponse with a count below zero.
    assert_eq!(refused(&frame(33, &[0, 0, 0, 1, 1, 0xFF, 0xFF])).problem, Problem::Negative(-1));
    // ConnectionControl whose token has a length below zero.
    let control = [&[0; 8][..], &[1, 0xFF, 0xFF, 0xFF, 0xFE]].concat();
    assert_eq!(refused(&frame(18, &control)).problem, Problem::Negative(-2));
}

#[test]
fn what_is_no_command_is_refused_and_an_unknown_one_is_not() {
    for type_code in [0, 100, 110, 124] {
        assert_eq!(refused(&frame(type_code, &[])).problem, Problem::UnexpectedType(type_code));
    }
    // BrokerSubscriptionInfo, of network connectors.
    let bytes = frame(92, &[1, 2, 3]);
    let decoded = Frame::decode(&bytes, Version::NEWEST).unwrap();
    let unknown = UnknownCommand { type_code: 92, rest: Bytes::from_static(&[1, 2, 3]) };
    assert_eq!((decoded.command_id, &decoded.command), (7, &Command::Unknown(unknown)));
    assert_eq!(encoded(&decoded), bytes);
    // Inside another it cannot be skipped: nothing says where it ends.
    assert_eq!(refused(&frame(32, &[0, 0, 0, 1, 1, 92, 0])).problem, Problem::UnexpectedType(92));
}

#[test]
fn nesting_has_an_end() {
    // A DataResponse in a DataResponse in a ...
    let deep = [0, 0, 0, 1, 1, 32, 0, 0, 0, 1, 0].repeat(100_000);
    assert!(matches!(refused(&frame(32, &deep)).problem, Problem::TooDeep(_)));
    // A list in a list in a ...
    let lists: Vec<u8> = [12, 0, 0, 0, 1].repeat(100_000);
    let map = Bytes::from([&[0, 0, 0, 1, 0, 1, b'k'], &lists[..]].concat());
    assert!(matches!(PrimitiveMap::decode(&map).unwrap_err().problem, Problem::TooDeep(_)));
}

#[test]
fn counts_that_lie_cost_nothing() {
    for count in [i32::MAX, 1 << 20] {
        let mut map = BytesMut::new();
        map.put_i32(count);
        map.put_slice(&[0, 0, 0]);
        let error = PrimitiveMap::decode(&map.freeze()).unwrap_err();
        assert!(matches!(error.problem, Problem::Truncated { .. }), "{error}");
    }
    let null = Bytes::from_static(&[0xFF; 4]);
    assert_eq!(PrimitiveMap::decode(&null), Ok(PrimitiveMap::default()));
    let below = Bytes::from_static(&[0xFF, 0xFF, 0xFF, 0xFE]);
    assert_eq!(PrimitiveMap::decode(&below).unwrap_err().problem, Problem::Negative(-2));
    let unknown = Bytes::from_static(&[0, 0, 0, 1, 0, 0, 14]);
    assert_eq!(PrimitiveMap::decode(&unknown).unwrap_err().problem, Problem::UnknownValue(14));
}

#[test]
fn small_things_in_great_numbers_are_refused() {
    // A DataArrayResponse of 30,000 broker ids without a text, in one of three.
    let ids = [1, 124, 0].repeat(30_000);
    let inner = [&[1, 33, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0x75, 0x30], &ids[..]].concat();
    let two = frame(33, &[&[0, 0, 0, 1, 1, 0, 2], &inner.repeat(2)[..]].concat());
    assert!(Frame::decode(&two, Version::NEWEST).is_ok());
    let three = frame(33, &[&[0, 0, 0, 1, 1, 0, 3], &inner.repeat(3)[..]].concat());
    assert!(matches!(refused(&three).problem, Problem::TooMany(_)));
    // The options of a handshake.
    let options = |count: u16| {
        let map = [&[0, 0][..], &count.to_be_bytes(), &[0, 0, 0].repeat(count.into())].concat();
        let length = u32::try_from(map.len()).unwrap().to_be_bytes();
        Bytes::from([&b"\x01ActiveMQ\0\0\0\x0C\x01"[..], &length, &map].concat())
    };
    assert!(Frame::decode(&options(4096), Version::NEWEST).is_ok());
    assert!(matches!(refused(&options(4097)).problem, Problem::TooMany(4096)));
}

#[test]
fn content_that_is_not_what_it_says() {
    let message = |class, compressed, content: &'static [u8]| {
        let mut message = Message { class, ..Message::default() };
        message.content = Some(Bytes::from_static(content));
        message.compressed = compressed;
        message.body().unwrap_err().problem
    };
    assert_eq!(message(Class::Text, false, b"\0\0\0\x05abc"), Problem::Truncated { needed: 5, left: 3 });
    assert_eq!(message(Class::Text, false, b"\0\0\0\x01abc"), Problem::LeftOver(2));
    assert_eq!(message(Class::Text, false, b"\0\0\0\x01\xFF"), Problem::NotText { at: 0 });
    assert!(matches!(message(Class::Text, true, b"\x78\x9cnonsense"), Problem::NotInflated { .. }));
    assert!(matches!(message(Class::Bytes, true, b"\0\0\0\x01\x78"), Problem::NotInflated { .. }));
    assert!(matches!(message(Class::Stream, false, b"\x05\0"), Problem::Truncated { .. }));
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut into = BytesMut::from(&b"before"[..]);
    let fields = Fields { correlation_id: Some("x".repeat(65_536)), ..Fields::default() };
    let message = Message { fields, ..Message::default() };
    let error = Frame::new(1, message).encode(Version::NEWEST, &mut into).unwrap_err();
    assert_eq!(error.to_string(), "OpenWire field correlation_id: 65536 bytes are above the 65535 that it can hold");
    assert_eq!(into, &b"before"[..]);
}

#[test]
fn versions_are_agreed_on_or_refused() {
    let ours = WireFormatInfo::ours(Version::NEWEST, 5000, 1 << 20, "h");
    let theirs = |version, inactivity, frame| WireFormatInfo {
        version,
        ..WireFormatInfo::ours(Version::NEWEST, inactivity, frame, "h")
    };
    let agreed = ours.agree(&theirs(10, 30_000, 1 << 30)).unwrap();
    assert_eq!((agreed.version.number(), agreed.max_inactivity_ms, agreed.max_frame_size), (10, 5000, 1 << 20));
    let agreed = ours.agree(&theirs(14, 0, 1000)).unwrap();
    assert_eq!((agreed.version, agreed.max_inactivity_ms, agreed.max_frame_size), (Version::NEWEST, 0, 1000));
    for version in [8, 0, -1, i32::MIN] {
        let refused = ours.agree(&theirs(version, 0, 0)).unwrap_err().to_string();
        assert!(refused.contains(&format!("version {version},")) && refused.contains("9 to 12"), "{refused}");
    }
}

#[test]
fn a_password_is_not_shown() {
    let info = ConnectionInfo { password: Some("se<ret".into()), ..ConnectionInfo::new(ConnectionId::new("c")) };
    assert!(!format!("{:?}", Frame::new(1, info)).contains("se<ret"));
}
