//! A broker that means harm, or is none: every attempt ends in bounded time with one line, and costs no memory.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use mqferry::mapping::Destination;
use mqferry::target::openwire::codec::{
    BrokerInfo, Command, Content, Frame, Frames, Message, MessageDispatch, Response, Version, WireFormatInfo,
};
use mqferry::target::{Claimed, Target, TargetError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::real_target::{OpenWire, Protocol as _};
use super::target_contract::key;

/// How the other side of a port behaves, once somebody has connected.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Says this and waits.
    Says(&'static [u8]),
    /// Closes at once.
    Closes,
    /// Agrees on everything, and then answers no command.
    Mute,
    /// Sends messages without end once a consumer is there.
    Floods,
    /// Agrees, answers, and then sends bytes that are no frame.
    Babbles,
    /// Speaks a version from before.
    Old,
}

async fn serve(mut stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    match manner {
        Manner::Closes => return Ok(()),
        Manner::Says(bytes) => {
            stream.write_all(bytes).await?;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            return Ok(());
        }
        _ => {}
    }
    let mut hello = WireFormatInfo::ours(Version::NEWEST, 0, i64::MAX, "hostile");
    if matches!(manner, Manner::Old) {
        hello.version = 5;
    }
    let mut out = BytesMut::new();
    Frame::new(0, hello).encode(Version::NEWEST, &mut out).unwrap();
    Frame::new(1, BrokerInfo::default()).encode(Version::NEWEST, &mut out).unwrap();
    stream.write_all(&out).await?;
    let (mut frames, mut buffer) = (Frames::new(1 << 20), BytesMut::new());
    loop {
        while let Some(frame) = frames.next(&mut buffer).unwrap() {
            let frame = frame.decode(Version::NEWEST).unwrap();
            if matches!(manner, Manner::Mute) || !frame.response_required {
                continue;
            }
            let mut out = BytesMut::new();
            let answer = Response { correlation_id: frame.command_id };
            Frame::new(2, answer).encode(Version::NEWEST, &mut out).unwrap();
            stream.write_all(&out).await?;
            match (manner, frame.command) {
                (Manner::Babbles, Command::ConsumerInfo(_)) => {
                    stream.write_all(&[0, 0, 0, 9, 21, 1, 2, 3, 4, 5, 6, 7, 8]).await?;
                }
                (Manner::Floods, Command::ConsumerInfo(info)) => {
                    let message = Message::with_content(&Content::Text(Some("x".repeat(100_000)))).unwrap();
                    let dispatch = MessageDispatch {
                        consumer_id: info.consumer_id,
                        destination: Some(Destination::Queue("Q".into())),
                        message: Some(Box::new(message)),
                        redelivery_counter: 0,
                    };
                    let mut out = BytesMut::new();
                    Frame::new(3, dispatch).encode(Version::NEWEST, &mut out).unwrap();
                    // Until the gateway has had enough.
                    while stream.write_all(&out).await.is_ok() {}
                    return Ok(());
                }
                _ => {}
            }
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

async fn meet(manner: Manner, options: &str) -> TargetError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}{options}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, manner));
        }
    });
    let began = Instant::now();
    let target = OpenWire::target(&url, None);
    // The preflight's second connection is let in, too; what comes behind that door is looked at by going around it.
    let error = match manner {
        Manner::Floods | Manner::Babbles => {
            let findings = target.preflight().await;
            let text = findings.last().map(|finding| finding.text.clone()).unwrap_or_default();
            TargetError { side: mqferry::target::Side::Broker, text, retry: true }
        }
        _ => match target.claim(&key("HOSTILE")).await {
            Err(error) => error,
            Ok(Claimed::Held(who)) => panic!("{manner:?}: {who}"),
            Ok(Claimed::Ours(_)) => panic!("{manner:?} was believed"),
        },
    };
    assert!(began.elapsed() < Duration::from_secs(30), "{manner:?} took {:?}", began.elapsed());
    assert!(!error.text.contains('\n') && error.text.len() < 600, "one line: {error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_listens_is_told_in_one_line_and_bounded_time() {
    for (manner, part) in [
        (Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "HTTP port"),
        (Manner::Says(b"AMQP\x03\x01\x00\x00"), "AMQP port"),
        (Manner::Says(b"\x15\x03\x03\x00\x02\x02\x0a"), "write ssl://"),
        (Manner::Says(b"TSH \0\0\0\x24"), "IBM MQ"),
        (Manner::Says(b"\x7f\xff\xff\xff\x01ActiveMQ"), "above the"),
        (Manner::Says(b"\0\0\0\x05hello"), "does not speak OpenWire"),
        (Manner::Says(b"\0\0\0\x06\x0a\0\0\0\x01\0"), "it began with KeepAliveInfo"),
        (Manner::Says(b"\0\0\0\0"), "size 0"),
        (Manner::Says(b""), "did not answer within"),
        (Manner::Closes, "closed the connection without a word"),
        (Manner::Mute, "did not answer within"),
        (Manner::Old, "OpenWire version 5"),
        (Manner::Floods, "more messages than were asked for"),
        (Manner::Babbles, "MessageDispatch"),
    ] {
        // Only where the limit is what ends it should it be short.
        let options = if part == "did not answer within" { "?connectionTimeout=1000" } else { "" };
        let error = meet(manner, options).await;
        assert!(error.text.contains(part), "{manner:?}: {error}");
    }
}
