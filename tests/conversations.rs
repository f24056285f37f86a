//! Whole conversations between the simulated queue manager and the gateway, through a relay: each message arrives once,
//! and tshark reads every segment of either side as it was meant.
//!
//! `MQFERRY_RECORD=1` writes those that are scenarios into `protocol-captures/`, where `tests/captures.rs` keeps them; it
//! never writes over one.

#[path = "support/pcap.rs"]
mod pcap;
#[path = "support/reading.rs"]
mod reading;
#[path = "support/relay.rs"]
mod relay;
#[path = "support/stage.rs"]
mod stage;
#[path = "support/tshark.rs"]
mod tshark;

use std::path::Path;
use std::time::Duration;

use mqferry::partner::generator::Numbered;
use mqferry::partner::{Close, ConfirmRequest, Death, Options, PartnerError, Report, Speech, Step, ping};
use mqferry::wire::{Alphabet, ByteOrder};
use pcap::Conversation;
use relay::Relay;

const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway with one channel on a target in memory, and the relay in front of it.
struct Stage {
    stage: stage::Stage,
    relay: Relay,
}

impl Stage {
    async fn set() -> Self {
        let stage = stage::Stage::set().await;
        let relay = Relay::start(stage.address()).await;
        Self { stage, relay }
    }

    /// The queue manager's channel through the relay, in batches of three.
    fn options(&self, speech: Speech) -> Options {
        Options { address: self.relay.address.to_string(), speech, batchsz: 3, ..self.stage.options() }
    }

    fn put(&self, first: u64, count: u64, size: usize) {
        let messages = Numbered { first, size, ..Numbered::new(count, "TARGET.QUEUE", "GW") };
        messages.put(&self.stage.options().folder).unwrap();
    }

    async fn send(&self, options: &Options) -> Result<Report, PartnerError> {
        self.stage.send(options).await
    }

    /// Looks that exactly the messages up to `count` arrived, in order, then ends both and gives what was said.
    async fn end(self, count: u64) -> Vec<Conversation> {
        assert_eq!(self.stage.at("TARGET.QUEUE"), (1..=count).collect::<Vec<_>>());
        assert_eq!(self.stage.memory.count() as u64, count, "nothing is astray");
        self.stage.end().await;
        self.relay.idle(PATIENCE).await;
        self.relay.conversations()
    }
}

/// Judges the conversations, and records them if asked to.
fn judge(scenario: &str, what: &str, conversations: &[Conversation]) {
    let seen = tshark::assert_reads_as_intended(conversations);
    reading::assert_agree(&reading::segments(&pcap::read(&pcap::write(conversations)).unwrap()), &seen);
    if std::env::var_os("MQFERRY_RECORD").is_none() {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures").join(scenario);
    if folder.join("capture.pcap").exists() {
        return println!("{scenario} is recorded already: remove its folder to record it anew");
    }
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("capture.pcap"), pcap::write(conversations)).unwrap();
    let origin = format!(
        "Origin: synthetic. {what} Both ends are this project's own: its simulated queue manager sends, its gateway receives; no IBM product took part.\n\
         Made with: MQFERRY_RECORD=1 cargo test --test conversations; Ethernet, IP and TCP headers are made up.\n\
         Licence: Apache-2.0, as this project.\n\
         Proves: that both ends agree with each other and with Wireshark's MQ dissector, not with a queue manager.\n"
    );
    std::fs::write(folder.join("origin.txt"), origin).unwrap();
}

/// Every byte order, alphabet, FAP level, whole and split: the receiver is told nothing.
#[tokio::test]
async fn tshark_reads_every_segment_of_every_way_to_speak() {
    let mut all: Vec<Conversation> = Vec::new();
    for byte_order in [ByteOrder::Big, ByteOrder::Little] {
        for alphabet in [Alphabet::Ascii, Alphabet::Ebcdic] {
            for fap_level in [1, 4, 10, 13, 15] {
                for size in [100, 9000] {
                    let stage = Stage::set().await;
                    let ccsid = if alphabet == Alphabet::Ascii { 819 } else { 500 };
                    let speech = Speech {
                        byte_order,
                        alphabet,
                        ccsid,
                        fap_level,
                        max_transmission_size: 4096,
                        ..Speech::default()
                    };
                    let case = format!("{byte_order:?} {alphabet:?} FAP {fap_level}, {size} bytes");
                    stage.put(1, 7, size);
                    let report = stage.send(&stage.options(speech)).await;
                    assert_eq!(report.unwrap_or_else(|error| panic!("{case}: {error}")).confirmed, 7, "{case}");
                    for conversation in stage.end(7).await {
                        all.push(Conversation { chunks: conversation.chunks, ..Conversation::number(all.len()) });
                    }
                }
            }
        }
    }
    assert_eq!(all.len(), 40);
    tshark::assert_reads_as_intended(&all);
}

#[tokio::test]
async fn three_batches_and_an_orderly_end() {
    let stage = Stage::set().await;
    stage.put(1, 7, 60);
    stage.send(&stage.options(Speech::default())).await.unwrap();
    judge("batches", "Seven messages in batches of three, then an orderly end.", &stage.end(7).await);
}

#[tokio::test]
async fn a_split_message_in_ebcdic() {
    let stage = Stage::set().await;
    stage.put(1, 2, 2500);
    let speech = Speech { fap_level: 4, max_transmission_size: 1024, ..Speech::default().ebcdic() };
    stage.send(&stage.options(speech)).await.unwrap();
    judge("split-ebcdic", "Two messages split over segments of 1,024 bytes, EBCDIC, FAP 4.", &stage.end(2).await);
}

#[tokio::test]
async fn continuations_without_msh_and_confirm_requests_of_their_own() {
    let stage = Stage::set().await;
    stage.put(1, 4, 2500);
    let speech = Speech {
        continuation_msh: false,
        confirm: ConfirmRequest::StatusData,
        max_transmission_size: 1024,
        close: Close::StatusTimeout,
        ..Speech::default()
    };
    stage.send(&stage.options(speech)).await.unwrap();
    let what = "Split messages whose later segments have no MSH, confirmation asked by STATUS_DATA, end with code 8.";
    judge("split-without-msh", what, &stage.end(4).await);
}

#[tokio::test]
async fn in_doubt_then_resynchronised() {
    let stage = Stage::set().await;
    stage.put(1, 4, 60);
    let mut options = stage.options(Speech::default());
    options.die_at = Some(Death { step: Step::ConfirmNotStored, after: 0, abort: false });
    let died = stage.send(&options).await.unwrap_err();
    assert!(matches!(died, PartnerError::Died { .. }), "{died}");
    options.die_at = None;
    let report = stage.send(&options).await.unwrap();
    assert_eq!((report.resync_committed, report.confirmed), (1, 4), "{report:?}");
    let what = "The sender dies with an answer in its hand that it has not stored, comes back, asks, and goes on.";
    judge("resync-committed", what, &stage.end(4).await);
}

#[tokio::test]
async fn ping_and_a_channel_that_is_not_defined() {
    let stage = Stage::set().await;
    let mut options = stage.options(Speech::default());
    tokio::time::timeout(PATIENCE, ping(&options, 64)).await.unwrap().unwrap();
    options.channel = "NO.SUCH.CHANNEL".to_owned();
    options.retries = 0;
    stage.put(1, 1, 60);
    stage.send(&options).await.unwrap_err();
    judge("ping-and-refusal", "A ping, then a call for a channel that is not defined.", &stage.end(0).await);
}
