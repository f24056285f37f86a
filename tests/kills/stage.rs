//! A gateway and a sending queue manager as processes, and the strikes against them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mqferry::channel::SyncRecord;
use mqferry::mapping::{Body, Destination};
use mqferry::partner::generator::Numbered;
use mqferry::target::embedded::Browser;

use super::process::{Life, Place};

pub(crate) const CHANNEL: &str = "QM1.TO.AMQGW";
pub(crate) const QUEUE: &str = "ORDERS";
/// Without any progress for so long, something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Sender,
    Gateway,
    Broker,
}

/// What the sending queue manager remembers on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Number of the last confirmed message.
    pub(crate) confirmed: u64,
    luwid: String,
    /// LUWID, first and last number of the batch in doubt.
    pub(crate) in_doubt: Option<(String, u64, u64)>,
}

impl Remembered {
    /// Reads the sync file, which is replaced as a whole; nothing is remembered before there is one.
    pub(crate) fn read(folder: &Path) -> Self {
        let Ok(text) = std::fs::read_to_string(folder.join("sync")) else { return Self::default() };
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_else(|| panic!("no {key:?} in the sync file\n{text}")).trim()
        };
        let in_doubt = match value("indoubt ").split(' ').collect::<Vec<_>>()[..] {
            ["none"] => None,
            [luwid, first, last, ..] => Some((luwid.to_owned(), first.parse().unwrap(), last.parse().unwrap())),
            _ => panic!("in doubt?\n{text}"),
        };
        Self { confirmed: value("sequence ").parse().unwrap(), luwid: value("luwid ").to_owned(), in_doubt }
    }
}

/// What the strikes hit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sender: u32,
    pub(crate) gateway: u32,
    pub(crate) broker: u32,
    /// Kills while the sender had asked for a confirmation and not stored it.
    pub(crate) in_doubt: u32,
    /// Of those, batches that were found committed when it asked,
    pub(crate) committed: u32,
    /// and batches that it sent again.
    pub(crate) sent_again: u32,
    /// Longest time in which nothing changed at the sender.
    pub(crate) standstill: Duration,
}

/// A standstill, or a start, that somebody should look at.
pub(crate) const LONG: Duration = Duration::from_secs(15);

impl Tally {
    pub(crate) fn kills(&self) -> u32 {
        self.sender + self.gateway + self.broker
    }
}

/// Sender and gateway with their folder.
#[derive(Debug)]
pub(crate) struct Stage {
    // Processes first: they are gone before their folder is.
    pub(crate) sender: Life,
    pub(crate) gateway: Life,
    address: String,
    pub(crate) tally: Tally,
    doubted: Option<(String, u64, u64)>,
    /// Number of the last message that was put.
    put: u64,
    place: Place,
}

impl Stage {
    /// On an embedded store in the stage's own folder; the sender gets these further options.
    pub(crate) fn embedded(options: &[&str]) -> Self {
        let place = Place::new();
        let url = format!("embedded:{}", place.path().join("store").display());
        Self::of(place, &url, options)
    }

    /// On a broker.
    pub(crate) fn on(url: &str, options: &[&str]) -> Self {
        Self::of(Place::new(), url, options)
    }

    fn of(place: Place, url: &str, options: &[&str]) -> Self {
        let address = address();
        let config = configure(place.path(), "gateway", url, &address);
        let gateway = Life::gateway(&config, place.path().join("gateway.log"));
        let sender = sender(place.path(), &address, options);
        Self { sender, gateway, address, tally: Tally::default(), doubted: None, put: 0, place }
    }

    /// A second gateway of the same name on the same broker, and its address.
    pub(crate) fn second_gateway(&self, url: &str) -> (Life, String) {
        let address = address();
        let config = configure(self.place.path(), "second", url, &address);
        (Life::gateway(&config, self.place.path().join("second.log")), address)
    }

    /// The same queue manager, not running now, with another CONNAME and these options.
    pub(crate) fn redirect(&mut self, address: &str, options: &[&str]) {
        self.sender = sender(self.place.path(), address, options);
    }

    /// Where the first gateway listens.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// The same queue manager, not running now, with other options.
    pub(crate) fn speak(&mut self, options: &[&str]) {
        self.sender = sender(self.place.path(), &self.address, options);
    }

    /// Folder of the transmission queue.
    pub(crate) fn xmitq(&self) -> PathBuf {
        self.place.path().join("xmitq")
    }

    /// Puts the next messages on the transmission queue: persistent, 1 KiB.
    pub(crate) fn put(&mut self, count: u64) {
        let messages = Numbered { first: self.put + 1, ..Numbered::new(count, QUEUE, "AMQGW") };
        messages.put(&self.xmitq()).expect("room for the messages");
        self.put += count;
    }

    pub(crate) fn start(&mut self) {
        self.gateway.start();
        self.sender.start();
    }

    pub(crate) fn remembered(&self) -> Remembered {
        Remembered::read(&self.xmitq())
    }

    /// Waits until the number was confirmed; false if the sender was done before.
    pub(crate) fn until(&mut self, mark: u64) -> bool {
        let (mut last, mut since) = (Remembered::default(), Instant::now());
        loop {
            let now = self.remembered();
            self.settle_doubt(&now);
            if now != last {
                let stood = since.elapsed();
                self.tally.standstill = self.tally.standstill.max(stood);
                if stood > LONG {
                    println!("nothing moved for {stood:.1?}, then {now:?}\n{}", self.gateway.tail());
                }
                (last, since) = (now, Instant::now());
            }
            if last.confirmed >= mark {
                return true;
            }
            if !self.goes_on() {
                return false;
            }
            assert!(since.elapsed() < PATIENCE, "nothing moves any more: {last:?}, waiting for {mark}");
            sleep(Duration::from_millis(1));
        }
    }

    /// What became of the batch that was in doubt at the last kill.
    fn settle_doubt(&mut self, now: &Remembered) {
        let Some((luwid, first, last)) = self.doubted.clone() else { return };
        if now.in_doubt.as_ref().is_some_and(|doubt| *doubt == (luwid.clone(), first, last)) {
            return;
        }
        self.doubted = None;
        if now.confirmed == last && now.luwid == luwid {
            self.tally.committed += 1;
        } else if now.confirmed + 1 == first {
            self.tally.sent_again += 1;
        }
        // Else it went on too fast to be seen.
    }

    /// False when the sender has sent everything; a program that ended in any other way fails the test.
    fn goes_on(&mut self) -> bool {
        if let Some(status) = self.gateway.ended() {
            panic!("the gateway ended by itself: {status}");
        }
        match self.sender.ended() {
            None => true,
            Some(status) if status.success() => false,
            Some(status) => panic!("the sender gave up: {status}"),
        }
    }

    /// Kills sender or gateway and starts it again at once; false if the sender had ended, its queue empty.
    pub(crate) fn strike(&mut self, victim: Victim) -> bool {
        if !self.goes_on() {
            return false;
        }
        let struck = match victim {
            Victim::Sender => &mut self.sender,
            Victim::Gateway => &mut self.gateway,
            Victim::Broker => panic!("the broker is not of this stage"),
        };
        if !struck.kill9() {
            // It ended between the two looks.
            assert_eq!(victim, Victim::Sender, "the gateway ended by itself");
            return false;
        }
        let now = self.remembered();
        match victim {
            Victim::Sender => {
                self.tally.sender += 1;
                self.sender.start();
            }
            _ => {
                self.tally.gateway += 1;
                self.gateway.start();
            }
        }
        self.note_doubt(&now);
        true
    }

    /// A kill left the sender like this.
    pub(crate) fn note_doubt(&mut self, then: &Remembered) {
        if then.in_doubt.is_some() {
            self.tally.in_doubt += 1;
            self.doubted.clone_from(&then.in_doubt);
        }
    }

    /// Waits until the queue is empty and the sender has ended, then ends the gateway in good order.
    pub(crate) fn finish(&mut self) {
        while self.until(u64::MAX) {}
        let status = self.sender.end(PATIENCE);
        assert!(status.success(), "the sender: {status}");
        let remembered = self.remembered();
        assert_eq!((remembered.confirmed, &remembered.in_doubt), (self.put, &None), "what the sender knows at the end");
        let status = self.gateway.terminate(PATIENCE);
        assert!(status.success(), "the gateway, told to end: {status}");
    }

    /// What the embedded store holds, the gateway being down: bodies in order. Nothing lies elsewhere, and its record
    /// of the channel says the same as the messages.
    pub(crate) fn stored(&self) -> Vec<String> {
        stored_in(&self.place.path().join("store"))
    }
}

/// What the embedded store in a folder holds, as [`Stage::stored`] has it.
pub(crate) fn stored_in(store: &Path) -> Vec<String> {
    let browser = Browser::open(store).expect("the store");
    let queue = Destination::Queue(QUEUE.to_owned());
    let destinations = browser.destinations().expect("the store");
    assert!(destinations.iter().all(|it| it.destination == queue), "messages went astray: {destinations:?}");
    let bodies: Vec<String> = browser
        .messages(&queue)
        .map(|stored| match stored.expect("a message").publication.body {
            Body::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        })
        .collect();
    let channels = browser.channels().expect("the store");
    // A batch that was committed at a heartbeat has its number beside the record's.
    let last = |sync: &SyncRecord| sync.at_heartbeat.map_or(sync.sequence, |(_, number)| number);
    let sequences: Vec<_> = channels.iter().map(|record| record.sync.as_ref().map_or(0, last)).collect();
    assert_eq!(sequences, [i32::try_from(bodies.len()).unwrap()], "the record and the messages");
    bodies
}

/// A host of our own on the loopback and a port free there. Callers come from 127.0.0.1, so none that dials while the
/// gateway is down is given the gateway's own port, as can happen where both ends are one host.
pub(crate) fn address() -> String {
    static HOSTS: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = format!("127.{}.{high}.{low}", 64 + HOSTS.fetch_add(1, Ordering::Relaxed) % 128);
    let listener = TcpListener::bind((host.as_str(), 0)).unwrap_or_else(|error| panic!("{host}: {error}"));
    listener.local_addr().expect("an address").to_string()
}

/// The gateway's own name.
pub(crate) const GATEWAY: &str = "AMQGW";

/// With one receiving channel.
pub(crate) fn configure(folder: &Path, name: &str, url: &str, address: &str) -> PathBuf {
    let channel = format!("[[channel]]\nname = \"{CHANNEL}\"\nchltype = \"RCVR\"\n");
    configure_with(folder, name, url, address, &channel)
}

pub(crate) fn configure_with(folder: &Path, name: &str, url: &str, address: &str, channels: &str) -> PathBuf {
    let config = folder.join(format!("{name}.toml"));
    let text = format!(
        "name = \"{GATEWAY}\"\n[listener]\naddress = \"{address}\"\n[admin]\naddress = \"127.0.0.1:0\"\n\
         [broker]\nurl = \"{url}\"\n{channels}"
    );
    std::fs::write(&config, text).expect("a configuration");
    config
}

fn sender(folder: &Path, address: &str, options: &[&str]) -> Life {
    let xmitq = folder.join("xmitq").display().to_string();
    let mut arguments: Vec<String> =
        ["--address", address, "--channel", CHANNEL, "--folder", &xmitq, "--batch", "50", "--retry-ms", "20"]
            .map(str::to_owned)
            .to_vec();
    arguments.extend(options.iter().map(|&option| option.to_owned()));
    Life::sender(&arguments, folder.join("sender.log"))
}
