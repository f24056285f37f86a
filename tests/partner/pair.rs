//! The sending half and the receiving half of the simulated queue manager, joined over loopback. That proves the tool, not
//! the gateway: it must lose nothing by itself before anybody is judged by it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mqferry::partner::receiver::{LocalQueues, Receiver, Receiving};
use mqferry::partner::{Options, PartnerError, Report, generator, judge, run};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) const CHANNEL: &str = "GW.TO.QM1";

/// Two folders, and the port that the receiver keeps over its lives.
pub(crate) struct Pair {
    pub(crate) here: TempDir,
    pub(crate) there: TempDir,
    pub(crate) listener: Arc<TcpListener>,
    pub(crate) put: u64,
}

impl Pair {
    /// A queue with so many messages for TARGET at QM1.
    pub(crate) async fn with(messages: u64, size: usize) -> Self {
        let pair = Self {
            here: TempDir::new().unwrap(),
            there: TempDir::new().unwrap(),
            listener: Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap()),
            put: messages,
        };
        let numbered = generator::Numbered { size, ..generator::Numbered::new(messages, "TARGET", "QM1") };
        numbered.put(pair.here.path()).unwrap();
        pair
    }

    pub(crate) fn receiving(&self) -> Receiving {
        Receiving { fsync: false, answer_timeout: Duration::from_secs(30), ..Receiving::new("QM1", self.there.path()) }
    }

    pub(crate) fn sending(&self) -> Options {
        Options {
            qmgr_name: "GW".to_owned(),
            batchsz: 10,
            retry_delay: Duration::from_millis(5),
            retries: 50,
            answer_timeout: Duration::from_secs(30),
            fsync: false,
            ..Options::new(self.listener.local_addr().unwrap().to_string(), CHANNEL, self.here.path())
        }
    }

    /// One life of the receiver.
    pub(crate) fn live(&self, receiving: Receiving) -> Life {
        let receiver = Receiver::open(receiving).unwrap();
        let listener = Arc::clone(&self.listener);
        let serving = receiver.clone();
        Life { receiver, task: tokio::spawn(async move { serving.serve(&listener).await }) }
    }

    /// Everything across, with one life of the receiver.
    pub(crate) async fn cross(&self, receiving: Receiving, sending: &Options) -> Result<Report, PartnerError> {
        let life = self.live(receiving);
        let report = run(sending).await;
        life.kill().await;
        report
    }

    pub(crate) fn queues(&self) -> LocalQueues {
        LocalQueues::read(self.there.path()).unwrap()
    }

    #[track_caller]
    pub(crate) fn assert_all(&self) {
        let queues = self.queues();
        judge::assert_once(queues.bodies("TARGET"), 1, self.put);
        assert_eq!(queues.messages().len() as u64, self.put, "nothing is astray");
    }
}

/// A receiver that serves.
pub(crate) struct Life {
    pub(crate) receiver: Receiver,
    pub(crate) task: tokio::task::JoinHandle<Result<(), PartnerError>>,
}

impl Life {
    /// Cuts it off; its folder can be opened again then.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        drop(self.receiver);
    }

    /// Its death, as it was told.
    pub(crate) async fn died(self) -> PartnerError {
        tokio::time::timeout(Duration::from_secs(30), self.task).await.expect("it dies").unwrap().unwrap_err()
    }
}

/// What lies at the receiver is byte for byte what was put.
pub(crate) fn assert_same_bytes(pair: &Pair, folder: &Path) {
    let mut xmitq = mqferry::partner::Xmitq::open(folder, false).unwrap();
    let queues = pair.queues();
    let mut arrived = queues.at("TARGET");
    // What was confirmed is behind the head.
    assert!(xmitq.take().unwrap().is_none());
    let again = TempDir::new().unwrap();
    std::fs::copy(folder.join("queue"), again.path().join("queue")).unwrap();
    let mut all = mqferry::partner::Xmitq::open(again.path(), false).unwrap();
    while let Some(put) = all.take().unwrap() {
        let message = arrived.next().expect("as many as were put");
        assert!(message.kept() == put, "message {} has changed", message.number);
        assert_eq!(message.msg_id()[..], put[152..176]);
        assert_eq!((message.xqh().len(), message.md().len()), (104, 324));
    }
    assert!(arrived.next().is_none());
}
