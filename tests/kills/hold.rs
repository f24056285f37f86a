//! A gateway on an embedded store, in a process of its own, that waits at a step of the target until it is told to go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mqferry::admin::{ChannelBoard, Health};
use mqferry::channel::{ChannelKey, SyncRecord};
use mqferry::mapping::Publication;
use mqferry::mover::{self, MemoryBudget, Settings};
use mqferry::target::{Claim, Claimed, Embedded, Outcome, Outlet, Refusal, Source, Target, TargetError, Unit};
use mqferry::telemetry::Metrics;
use mqferry::wire::Luwid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::schedule::{Run, Step};
use super::stage::CHANNEL;

/// What the process is told: one a line.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) address: String,
    pub(crate) store: String,
    /// Where its parent listens: a byte goes there at the step, and the process ends when the parent does.
    pub(crate) control: String,
    /// Step and occurrence.
    pub(crate) wait_at: Option<(Step, u64)>,
}

impl Told {
    pub(crate) fn new(run: &Run, address: &str, store: &std::path::Path, control: &str) -> Self {
        let wait_at = run.step.is_of_the_target().then_some((run.step, run.occurrence));
        Self { address: address.into(), store: store.display().to_string(), control: control.into(), wait_at }
    }

    pub(crate) fn lines(&self) -> String {
        let Self { address, store, control, wait_at } = self;
        let (step, occurrence) = wait_at.map_or((String::new(), 0), |(step, left)| (format!("{step:?}"), left));
        format!("{address}\n{store}\n{control}\n{step}\n{occurrence}")
    }

    fn read(lines: &str) -> Self {
        let [address, store, control, step, occurrence] = lines.lines().collect::<Vec<_>>()[..] else {
            panic!("not five lines: {lines:?}")
        };
        let step = Step::RECEIVING.iter().copied().find(|it| format!("{it:?}") == step);
        let wait_at = step.map(|step| (step, occurrence.parse().unwrap()));
        Self { address: address.into(), store: store.into(), control: control.into(), wait_at }
    }
}

/// Runs the gateway until it is killed, or its parent is gone.
pub(crate) async fn receive(lines: &str) {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let told = Told::read(lines);
    let (mut orders, reports) = TcpStream::connect(&told.control).await.expect("the parent").into_split();
    let (step, left) = told.wait_at.unwrap_or((Step::Id, 0));
    let stop =
        Arc::new(Stop { step, left: AtomicU64::new(left), reports: Mutex::new(reports), go: Default::default() });
    let target = Waiting { inner: Embedded::open(&told.store).await.expect("the store"), stop: stop.clone() };
    let text = format!(
        "name = \"AMQGW\"\n[broker]\nurl = \"embedded:unused\"\n[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"RCVR\"\n"
    );
    let plan = mqferry::config::read("test.toml", &text, &|_| None).unwrap();
    let metrics = Metrics::new().unwrap();
    let settings = Settings {
        identity: plan.identity(),
        definitions: plan.channels.iter().map(|channel| (channel.name.clone(), channel.clone())).collect(),
        outlets: std::collections::HashMap::new(),
        policy: plan.policy.clone(),
        deadq: plan.deadq.clone(),
        memory: MemoryBudget::new(64 << 20),
        board: ChannelBoard::new(&plan.channels, &metrics),
        health: Health::new(&metrics),
        metrics,
    };
    let listener = TcpListener::bind(&told.address).await.expect("the port that was free");
    let _handle = mover::start(settings, target, listener).unwrap();
    let mut order = [0];
    while let Ok(1) = orders.read(&mut order).await {
        stop.go.notify_one();
    }
}

/// Where to wait, and for what.
#[derive(Debug)]
struct Stop {
    step: Step,
    left: AtomicU64,
    reports: Mutex<tokio::net::tcp::OwnedWriteHalf>,
    go: tokio::sync::Notify,
}

impl Stop {
    async fn pass(&self, step: Step) {
        if step != self.step {
            return;
        }
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left == Ok(1) {
            self.reports.lock().await.write_all(&[1]).await.expect("the parent");
            self.go.notified().await;
        }
    }
}

struct Waiting<T> {
    inner: T,
    stop: Arc<Stop>,
}

struct WaitingUnit<U> {
    inner: U,
    stop: Arc<Stop>,
}

impl<T: Target> Target for Waiting<T> {
    type Claim = Waiting<T::Claim>;

    async fn look(&self) -> Result<(), TargetError> {
        self.inner.look().await
    }

    fn carries(&self, publication: &Publication) -> Result<(), String> {
        self.inner.carries(publication)
    }

    async fn claim(&self, key: &ChannelKey) -> Result<Claimed<Self::Claim>, TargetError> {
        Ok(match self.inner.claim(key).await? {
            Claimed::Ours(inner) => Claimed::Ours(Waiting { inner, stop: self.stop.clone() }),
            Claimed::Held(by) => Claimed::Held(by),
        })
    }
}

/// Sending channels are not waited for.
impl<T: Source> Source for Waiting<T> {
    type Feed = T::Feed;

    async fn feed(&self, key: &ChannelKey, outlets: &[Outlet], ahead: usize) -> Result<Claimed<T::Feed>, TargetError> {
        self.inner.feed(key, outlets, ahead).await
    }
}

impl<C: Claim> Claim for Waiting<C>
where
    Self: Send,
{
    type Unit<'a> = WaitingUnit<C::Unit<'a>>;

    fn record(&self) -> Option<&SyncRecord> {
        self.inner.record()
    }

    async fn begin(&mut self, luwid: Luwid) -> Result<Self::Unit<'_>, TargetError> {
        let stop = self.stop.clone();
        Ok(WaitingUnit { inner: self.inner.begin(luwid).await?, stop })
    }

    async fn lost(&mut self) -> TargetError {
        self.inner.lost().await
    }

    fn max_message_bytes(&self) -> Option<u64> {
        self.inner.max_message_bytes()
    }

    async fn release(self) {
        self.inner.release().await;
    }
}

impl<U: Unit + Send> Unit for WaitingUnit<U> {
    async fn stage(&mut self, index: usize, publication: Publication) -> Result<(), TargetError> {
        self.inner.stage(index, publication).await?;
        self.stop.pass(Step::Staged).await;
        Ok(())
    }

    async fn settle(&mut self) -> Result<Vec<(usize, Refusal)>, TargetError> {
        self.inner.settle().await
    }

    async fn commit(self, record: SyncRecord) -> Outcome {
        self.stop.pass(Step::CommitSent).await;
        let outcome = self.inner.commit(record).await;
        self.stop.pass(Step::CommitAnswered).await;
        outcome
    }

    async fn rollback(self) {
        self.inner.rollback().await;
    }
}
