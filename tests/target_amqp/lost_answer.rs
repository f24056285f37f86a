//! The commit whose answer never comes, hit exactly: a proxy waits for the discharge to pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mqferry::target::{Claim, Claimed, Outcome, Target, Unit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, tcp};

use super::support::broker::Broker;
use super::target;
use super::target_contract::{expected, key, luwid, publication, queue, record};

/// A described AMQP value with the small descriptor of `discharge` (AMQP 1.0, part 4, 4.5.6).
const DISCHARGE: [u8; 3] = [0x00, 0x53, 0x32];

/// What the proxy does when a discharge comes by, once armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The broker gets it, and nothing the broker says arrives any more.
    OfTheAnswer,
    /// The broker never gets it, nor anything after it.
    OfTheQuestion,
}

struct Proxy {
    url: String,
    armed: Arc<AtomicBool>,
}

impl Proxy {
    async fn start(broker: u16, loss: Loss) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("amqp://{}", listener.local_addr().unwrap());
        let armed = Arc::new(AtomicBool::new(false));
        let arm = armed.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", broker)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let silent = Arc::new(AtomicBool::new(false));
                tokio::spawn(up(from_client, to_server, arm.clone(), silent.clone(), loss));
                tokio::spawn(down(from_server, to_client, silent));
            }
        });
        Self { url, armed }
    }
}

/// From the gateway to the broker. The discharge frame is small and comes in one piece, as loopback delivers it.
async fn up(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    armed: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    loss: Loss,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count) = from.read(&mut bytes).await {
        let Some(read) = bytes.get(..count).filter(|read| !read.is_empty()) else { return };
        if armed.load(Ordering::SeqCst) && read.windows(3).any(|window| window == DISCHARGE) {
            silent.store(true, Ordering::SeqCst);
            if loss == Loss::OfTheQuestion {
                // Holds the broker's connection until the gateway ends its own.
                while from.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
                return;
            }
        }
        if to.write_all(read).await.is_err() {
            return;
        }
    }
}

async fn down(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, silent: Arc<AtomicBool>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count) = from.read(&mut bytes).await {
        let Some(read) = bytes.get(..count).filter(|read| !read.is_empty()) else { return };
        if !silent.load(Ordering::SeqCst) && to.write_all(read).await.is_err() {
            return;
        }
    }
}

async fn lose(loss: Loss) {
    let mut broker = Broker::start();
    let proxy = Proxy::start(broker.port("amqp"), loss).await;
    let through = target(&proxy.url, None);
    let Claimed::Ours(mut claim) = through.claim(&key("LOST")).await.unwrap() else { panic!("held") };
    let unit = claim.begin(luwid(1)).await.unwrap();
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed));

    let mut unit = claim.begin(luwid(2)).await.unwrap();
    unit.stage(0, publication(&queue("LOST"), 2)).await.unwrap();
    assert_eq!(unit.settle().await.unwrap(), []);
    proxy.armed.store(true, Ordering::SeqCst);
    let commit = unit.commit(record(luwid(2), 2..3));
    let outcome = tokio::time::timeout(Duration::from_secs(10), commit).await.expect("the wait is bounded");
    assert!(matches!(&outcome, Outcome::InDoubt(error) if error.retry), "{loss:?}: {outcome:?}");
    assert!(claim.begin(luwid(3)).await.is_err(), "nothing is tried on that connection again");
    drop(claim);

    // The record decides, and the old connection, cut, holds the lease no longer.
    let direct = target(&broker.amqp_url(), None);
    let Claimed::Ours(claim) = direct.claim(&key("LOST")).await.unwrap() else { panic!("held by the dead") };
    let (wanted, there) = match loss {
        Loss::OfTheAnswer => (record(luwid(2), 2..3), 1),
        Loss::OfTheQuestion => (record(luwid(1), 1..2), 0),
    };
    assert_eq!(claim.record(), Some(&wanted), "{loss:?}");
    assert_eq!(broker.depth("CONTRACT.LOST"), there, "{loss:?}: {:?}", expected(2..3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_in_doubt_and_the_record_says_done() {
    lose(Loss::OfTheAnswer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrives_is_in_doubt_and_the_record_says_not_done() {
    lose(Loss::OfTheQuestion).await;
}
