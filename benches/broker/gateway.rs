//! The gateway as a process: simulated queue managers empty their transmission queues through it into the broker.

use std::path::Path;
use std::time::Instant;

use mqferry::partner::generator::Numbered;
use mqferry::partner::{self, Options};
use tempfile::TempDir;

use super::process::Process;
use super::support::broker::Broker;
use super::support::jms::{self, Client, Received};
use super::{Load, Measured, name};

/// A gateway, and the queue managers that call it: a folder and options each.
struct Stage {
    gateway: Process,
    folders: Vec<TempDir>,
    options: Vec<Options>,
}

impl Stage {
    fn new(url: &str, queue: &str, load: &Load, round: usize) -> Self {
        let channels: Vec<String> = (0..load.channels).map(|place| format!("BENCH.{place}.{round}")).collect();
        let sections: String = channels
            .iter()
            .map(|channel| format!("[[channel]]\nname = {channel:?}\nchltype = \"RCVR\"\nbatchsz = 9999\n"))
            .chain([format!("[[route]]\nremote_queue = \"*\"\ndestination = \"queue://{queue}\"\n")])
            .collect();
        let gateway = Process::on(url, &sections);
        // In memory: the disk is the broker's, and a queue manager has its own.
        let folders: Vec<TempDir> = channels.iter().map(|_| TempDir::new_in("/dev/shm").expect("a folder")).collect();
        let options = channels
            .iter()
            .zip(&folders)
            .map(|(channel, folder)| {
                let mut options = Options::new(gateway.address.to_string(), channel, folder.path());
                options.batchsz = u16::try_from(load.batch).expect("a batch size");
                options.maxmsgl = 104_857_600;
                options.fsync = false;
                // A broker that saw an earlier cell remembers its numbers.
                options.reset = Some(1);
                options
            })
            .collect();
        Self { gateway, folders, options }
    }
}

/// One of the messages that a load puts into the broker, for the peer to send the same.
pub(crate) fn sample(broker: &Broker, url: &str, load: &Load) -> Received {
    let queue = format!("{}.SAMPLE", name("GATEWAY", load, 0));
    let stage = Stage::new(url, &queue, &Load { channels: 1, ..*load }, 99);
    put(&stage.folders, 1, 1, load.size);
    send(&stage.options);
    drop(stage.gateway.end());
    jms::receive(Client::ActiveMq, broker, &queue).with("count", 1).messages().remove(0)
}

/// One round. The clock runs over the whole life of the channels' second connection, negotiation included; the first
/// warms everything up.
pub(crate) fn run(broker: &Broker, url: &str, load: &Load, round: usize) -> Measured {
    let queue = name("GATEWAY", load, round);
    let Stage { gateway, folders, mut options } = Stage::new(url, &queue, load, round);
    put(&folders, 1, load.warmup() / load.channels, load.size);
    send(&options);
    options.iter_mut().for_each(|options| options.reset = None);
    put(&folders, load.warmup() as u64, load.count / load.channels, load.size);
    let cpu = gateway.cpu_seconds();
    let start = Instant::now();
    send(&options);
    let seconds = start.elapsed().as_secs_f64();
    let measured = Measured {
        rate: load.count as f64 / seconds,
        cpu_us: (gateway.cpu_seconds() - cpu) * 1e6 / load.count as f64,
        peak_mib: gateway.most_memory() as f64 / (1024.0 * 1024.0),
    };
    drop(gateway.end());
    jms::remove(broker, &queue);
    measured
}

fn put(folders: &[TempDir], first: u64, count: usize, size: usize) {
    for folder in folders.iter().map(TempDir::path) {
        put_on(folder, first, count, size);
    }
}

fn put_on(folder: &Path, first: u64, count: usize, size: usize) {
    let mut messages = Numbered::new(count as u64, "BENCH", "GW");
    (messages.first, messages.size) = (first, size);
    messages.put(folder).expect("a transmission queue");
}

/// Every channel empties its queue; ends when all have.
fn send(options: &[Options]) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let running: Vec<_> = options
            .iter()
            .map(|options| {
                let options = options.clone();
                tokio::spawn(async move { partner::run(&options).await })
            })
            .collect();
        for channel in running {
            channel.await.expect("the channel's task").expect("the channel");
        }
    });
}
