//! The relay that fault tests and recordings stand on: it changes nothing, keeps everything, and cuts where it is told.

#[path = "support/pcap.rs"]
mod pcap;
#[path = "support/relay.rs"]
mod relay;

use std::net::SocketAddr;
use std::time::Duration;

use relay::{Cut, CutAfter, Relay};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server that sends everything back until the other side closes.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

#[tokio::test]
async fn bytes_go_through_unchanged_in_both_directions_and_are_kept() {
    let relay = Relay::start(echo().await).await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|it| (it % 251) as u8).collect();
    let mut stream = TcpStream::connect(relay.address).await.unwrap();
    let mut back = Vec::new();
    bounded(async {
        let (mut from, mut to) = stream.split();
        let send = async {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        };
        tokio::join!(send, async { from.read_to_end(&mut back).await.unwrap() });
    })
    .await;
    assert_eq!(back, sent, "a close in one direction leaves the other open");
    relay.idle(PATIENCE).await;
    assert_eq!((relay.accepted(), relay.live()), (1, 0));
    let conversations = relay.conversations();
    assert_eq!(conversations.len(), 1);
    assert_eq!(conversations[0].stream(true), sent);
    assert_eq!(conversations[0].stream(false), sent);
    let again = pcap::read(&pcap::write(&conversations)).unwrap();
    assert_eq!(again[0].stream(true), sent);
    assert_eq!(again[0].stream(false), sent);
}

#[tokio::test]
async fn a_connection_is_cut_after_exactly_so_many_bytes() {
    let relay = Relay::start(echo().await).await;
    for how in [Cut::Reset, Cut::Close] {
        for from_client in [true, false] {
            relay.cut_next(CutAfter { from_client, bytes: 100, how });
            let before = relay.conversations().len();
            let mut stream = TcpStream::connect(relay.address).await.unwrap();
            stream.write_all(&[7; 150]).await.unwrap();
            let mut back = Vec::new();
            let end = bounded(stream.read_to_end(&mut back)).await;
            match how {
                Cut::Reset => assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset),
                Cut::Close => assert!(end.is_ok() || !from_client, "{end:?}"),
            }
            assert!(back.len() <= 100, "{} bytes came back", back.len());
            bounded(relay.idle(PATIENCE)).await;
            let recorded = &relay.conversations()[before];
            assert_eq!(recorded.stream(from_client).len(), 100, "{how:?}, from client: {from_client}");
        }
    }
    let mut stream = TcpStream::connect(relay.address).await.unwrap();
    stream.write_all(&[7; 150]).await.unwrap();
    bounded(stream.read_exact(&mut [0; 150])).await.expect("the next connection is whole");
}

#[tokio::test]
async fn connections_are_cut_frozen_and_refused_on_command() {
    let relay = Relay::start(echo().await).await;
    let mut stream = TcpStream::connect(relay.address).await.unwrap();
    stream.write_all(b"one").await.unwrap();
    let mut three = [0; 3];
    bounded(stream.read_exact(&mut three)).await.unwrap();

    relay.set_frozen(true);
    stream.write_all(b"two").await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut three)).await;
    assert!(waited.is_err(), "nothing comes out of a black hole");
    relay.set_frozen(false);
    bounded(stream.read_exact(&mut three)).await.unwrap();
    assert_eq!(&three, b"two");

    relay.cut(Cut::Reset);
    let end = bounded(stream.read(&mut three)).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    relay.set_refusing(true);
    if let Ok(mut stream) = TcpStream::connect(relay.address).await {
        assert!(matches!(bounded(stream.read(&mut three)).await, Err(_) | Ok(0)));
    }
    relay.set_refusing(false);
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    relay.lead_to(other.local_addr().unwrap());
    let _stream = TcpStream::connect(relay.address).await.unwrap();
    bounded(other.accept()).await.expect("led to another address");
}
