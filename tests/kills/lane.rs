//! A queue manager and a gateway with a relay between them, for one run; what fails leaves everything behind.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mqferry::partner::generator::Numbered;

use super::count::{Difference, compare};
use super::frames::{BrokerGate, ChannelGate};
use super::process::Life;
use super::schedule::{Ending, Protocol, Run};
use super::stage::{CHANNEL, PATIENCE, QUEUE, Remembered};
use super::support::pcap;
use super::support::relay::{Cut, Relay};

/// One run's processes and links.
pub(crate) struct Lane {
    pub(crate) run: Run,
    // Processes first: they are gone before their folder is.
    /// The queue manager.
    pub(crate) partner: Life,
    pub(crate) gateway: Life,
    /// Between gateway and partner.
    pub(crate) channel: Relay,
    /// The same for a sending gateway that another took over from.
    left: Option<Relay>,
    /// Between gateway and brokers.
    pub(crate) brokers: Vec<Relay>,
    /// A second gateway that could take over, and how the partner and it come together.
    pub(crate) second: Option<(Life, Door)>,
    /// A gateway that another took over from, and that lives.
    pub(crate) replaced: Option<Life>,
    /// The partner's next life, where that is not like its first, which ends by itself.
    pub(crate) next_partner: Option<Life>,
    /// Without progress for so long, something hangs.
    pub(crate) patience: Duration,
    pub(crate) struck: Instant,
    pub(crate) folder: PathBuf,
    /// Number of the first message.
    first: u64,
    done: bool,
}

/// Where a second gateway and the partner meet.
pub(crate) enum Door {
    /// It is called there.
    Address(String),
    /// It calls through this.
    Relay(Box<Relay>),
}

/// Where runs keep what they need, and failed ones leave it.
pub(crate) fn kept(seed: u64) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    target.join("kills").join(seed.to_string())
}

/// An empty folder for the run.
pub(crate) fn folder(run: &Run) -> PathBuf {
    let folder = kept(run.seed);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder in target/kills");
    folder
}

impl Lane {
    /// A sending queue manager. The gateway listens at `address`; the messages are put, numbered from `first`; nothing runs
    /// yet.
    pub(crate) async fn new(run: Run, folder: PathBuf, gateway: Life, address: &str, first: u64) -> Self {
        let channel = Relay::start(address.parse().expect("an address")).await;
        let xmitq = folder.join("xmitq");
        let messages = Numbered { first, size: run.size, ..Numbered::new(run.messages, QUEUE, "AMQGW") };
        messages.put(&xmitq).expect("room for the messages");
        let mut arguments: Vec<String> = run.speech.iter().map(|&word| word.to_owned()).collect();
        let mut say = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        say("--address", channel.address.to_string());
        say("--channel", CHANNEL.to_owned());
        // Runs that share a broker are different queue managers to it.
        say("--qmgr", format!("QM{}", run.seed));
        say("--folder", xmitq.display().to_string());
        say("--batch", run.batch.to_string());
        if let Some(first) = run.first_batch {
            say("--first-batch", first.to_string());
        }
        say("--retry-ms", "20".to_owned());
        let black_hole = run.ends_unseen();
        // A first claim on a broker takes more than three seconds.
        let patience = match (black_hole, run.protocol) {
            (false, _) => 60_000,
            (true, Protocol::Embedded) => 3_000,
            (true, _) => 8_000,
        };
        say("--answer-ms", patience.to_string());
        arguments.push("--no-fsync".to_owned());
        let sender = Life::sender(&arguments, folder.join("sender.log"));
        Self::of(run, folder, sender, gateway, channel, first)
    }

    /// Nothing runs yet.
    pub(crate) fn of(run: Run, folder: PathBuf, partner: Life, gateway: Life, channel: Relay, first: u64) -> Self {
        Self {
            run,
            partner,
            gateway,
            channel,
            left: None,
            brokers: Vec::new(),
            second: None,
            replaced: None,
            next_partner: None,
            patience: PATIENCE,
            struck: Instant::now(),
            folder,
            first,
            done: false,
        }
    }

    /// Starts everything, and has the step watched for where a relay sees it.
    pub(crate) fn start(&mut self) {
        if self.run.dies_by_itself() {
            // Nobody else need see it.
        } else if !self.run.step.is_of_the_target() {
            self.channel.set_gate(ChannelGate::new(&self.run));
        } else if let Some(relay) = self.brokers.first() {
            relay.set_gate(BrokerGate::new(&self.run));
        }
        // One that calls would call, and take the partner's attention from the first.
        if let Some((second, Door::Address(_))) = &mut self.second {
            second.start();
        }
        self.gateway.start();
        self.partner.start();
    }

    /// Waits for the step, which must be reached.
    pub(crate) async fn reach(&mut self, step: impl Future<Output = ()>) {
        let mut watched = tokio::time::interval(Duration::from_millis(20));
        let deadline = Instant::now() + self.patience;
        tokio::pin!(step);
        loop {
            tokio::select! {
                () = &mut step => return,
                _ = watched.tick() => {
                    let ended = (self.partner.ended(), self.gateway.ended());
                    let left = deadline.saturating_duration_since(Instant::now());
                    if ended != (None, None) || left.is_zero() {
                        // It may have been reached just now.
                        let late = tokio::time::timeout(Duration::from_millis(200), &mut step).await;
                        assert!(late.is_ok(), "never reached; partner and gateway ended: {ended:?}");
                        return;
                    }
                }
            }
        }
    }

    /// What was held goes on; what is cut stays cut.
    pub(crate) fn thaw(&mut self) {
        self.struck = Instant::now();
        for relay in self.brokers.iter().chain([&self.channel]) {
            relay.set_frozen(false);
        }
    }

    /// The same, but what lies between gateway and broker stays there.
    pub(crate) fn thaw_channel(&mut self) {
        for relay in &self.brokers {
            relay.set_frozen(true);
        }
        self.struck = Instant::now();
        self.channel.set_frozen(false);
    }

    /// Ends the connections of a relay for good, held bytes and all.
    pub(crate) fn sever(relay: &Relay, how: Cut) {
        relay.lose();
        relay.cut(how);
    }

    /// Kills the partner and starts it again.
    pub(crate) fn kill_partner(&mut self) {
        match self.next_partner.take() {
            Some(next) => self.partner = next,
            None => assert!(self.partner.kill9(), "the partner ended before it was killed"),
        }
        Self::sever(&self.channel, Cut::Close);
        self.thaw();
        self.partner.start();
    }

    /// Kills the gateway; its connections end as the system ends them.
    pub(crate) fn kill_gateway(&mut self) {
        assert!(self.gateway.kill9(), "the gateway ended before it was killed");
        for relay in self.brokers.iter().chain([&self.channel]) {
            Self::sever(relay, Cut::Close);
        }
        self.thaw();
    }

    /// At the end of a run.
    pub(crate) fn kill_gateways(&mut self) {
        self.gateway.kill9();
        if let Some(replaced) = &mut self.replaced {
            replaced.kill9();
        }
    }

    /// Ends the connection of gateway and partner in the run's way.
    pub(crate) fn cut_link(&mut self) {
        match self.run.ending {
            Ending::Reset => Self::sever(&self.channel, Cut::Reset),
            Ending::Close => Self::sever(&self.channel, Cut::Close),
            Ending::HalfClose => self.channel.half_close(),
            Ending::BlackHole => self.channel.lose(),
        }
        self.thaw();
    }

    /// The second gateway is called from now on, or calls; the first is left alone.
    pub(crate) fn take_over(&mut self) {
        let (mut second, door) = self.second.take().expect("a second gateway");
        match door {
            Door::Address(address) => self.channel.lead_to(address.parse().expect("an address")),
            Door::Relay(relay) => {
                // To the partner they are one: it would leave whoever called before for whoever calls.
                self.channel.set_refusing(true);
                self.left = Some(std::mem::replace(&mut self.channel, *relay));
                second.start();
            }
        }
        self.replaced = Some(std::mem::replace(&mut self.gateway, second));
    }

    /// What the sender remembers.
    pub(crate) fn remembered(&self) -> Remembered {
        Remembered::read(&self.folder.join("xmitq"))
    }

    /// Waits until a sending queue manager has sent everything and knows it. Comes back with how long after the death the first
    /// batch was confirmed.
    pub(crate) async fn finish(&mut self) -> Duration {
        let then = self.remembered();
        let (mut last, mut since, mut first) = (then.clone(), Instant::now(), None);
        let status = loop {
            let ended = self.partner.ended();
            let now = self.remembered();
            if now.confirmed > then.confirmed {
                first.get_or_insert_with(|| self.struck.elapsed());
            }
            if let Some(status) = ended {
                break status;
            }
            assert_eq!(self.gateway.ended(), None, "the gateway ended by itself");
            if now != last {
                (last, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < self.patience, "nothing moves any more: {last:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(status.success(), "the sender gave up: {status}");
        let remembered = self.remembered();
        assert_eq!((remembered.confirmed, remembered.in_doubt), (self.run.messages, None), "what the sender knows");
        first.unwrap_or_default()
    }

    /// How these bodies differ from the run's messages.
    pub(crate) fn difference<B: AsRef<[u8]>>(&self, bodies: impl IntoIterator<Item = B>) -> Difference {
        compare(bodies, self.first, self.first + self.run.messages - 1)
    }

    /// Number of its first message.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Whether another gateway took over.
    pub(crate) fn was_taken_over(&self) -> bool {
        self.replaced.is_some()
    }

    /// It held: nothing is kept.
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.partner.kill9();
        self.gateway.kill9();
        if self.done {
            let _ = std::fs::remove_dir_all(&self.folder);
            return;
        }
        let channels = self.left.iter().chain([&self.channel]).flat_map(Relay::conversations);
        let _ = std::fs::write(self.folder.join("channel.pcap"), pcap::write(&channels.collect::<Vec<_>>()));
        // The ports that tshark takes for these protocols by itself, or is told (-d tcp.port==61616,openwire).
        let port = if self.run.protocol == Protocol::OpenWire { 61616 } else { 5672 };
        for (relay, number) in self.brokers.iter().zip(1..) {
            let recording = pcap::write_on(port, &relay.conversations());
            let _ = std::fs::write(self.folder.join(format!("broker-{number}.pcap")), recording);
        }
        let _ = std::fs::write(self.folder.join("run.txt"), format!("{}\n{:#?}\n", self.run, self.run));
        eprintln!("FAILED {}\nlogs and recordings are kept in {}", self.run, self.folder.display());
        eprintln!("again with {}={}", super::lot::SEED, self.run.seed);
    }
}
