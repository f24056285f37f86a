//! Out of a broker: a queue that is full when the clock starts empties through the gateway into a simulated queue manager, or
//! into a Java consumer of the same batches.

use std::thread;
use std::time::{Duration, Instant};

use mqferry::partner::receiver::{Receiver, Receiving};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::process::Process;
use super::support::broker::Broker;
use super::support::jms::{self, Client};
use super::table::Table;
use super::{Load, Measured, name};

/// What has not arrived by then never will.
const LIMIT: Duration = Duration::from_secs(300);

/// One round of each row. The queue manager may be in memory, for its disk is not ours; the broker's is.
pub(crate) fn turn(client: Client, broker: &Broker, url: &str, load: &Load, round: usize, table: &mut Table) {
    table
        .add(if client == Client::Qpid { "Qpid JMS" } else { "Java client" }, java(client, broker, load, round, false));
    table.add("with record", java(client, broker, load, round, true));
    table.add("gateway", gateway(broker, url, load, round));
}

/// A queue with all messages of a round on it.
fn fill(broker: &Broker, queue: &str, load: &Load) {
    let send = jms::send(Client::ActiveMq, broker, queue).with("count", load.count + load.warmup());
    send.with("batch", 500).with("size", load.size).sent();
}

fn java(client: Client, broker: &Broker, load: &Load, round: usize, record: bool) -> Measured {
    let queue = name(if record { "DRAIN.RECORD" } else { "DRAIN" }, load, round);
    fill(broker, &queue, load);
    let mut program = jms::drain(client, broker, &queue);
    if record {
        program = program.with("record", format!("{queue}.HELD"));
    }
    let took = program.with("count", load.count).with("warmup", load.warmup()).with("batch", load.batch).sent();
    jms::remove(broker, &queue);
    Measured {
        rate: took.per_second,
        cpu_us: took.cpu_seconds * 1e6 / took.sent as f64,
        peak_mib: took.peak_kib as f64 / 1024.0,
    }
}

/// The clock runs between two commits of the queue manager.
fn gateway(broker: &Broker, url: &str, load: &Load, round: usize) -> Measured {
    let queue = format!("MQ.QM1.{}", name("OUT", load, round));
    fill(broker, &queue, load);
    let folder = TempDir::new_in("/dev/shm").expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let batch = u16::try_from(load.batch).expect("a batch size");
    let options = Receiving { fsync: false, batchsz: batch, ..Receiving::new("QM1", folder.path()) };
    let receiver = Receiver::open(options).expect("a queue manager");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = receiver.clone();
    runtime.spawn(async move { serving.serve(&listener).await });
    let gateway = Process::on(
        url,
        &format!(
            "[[channel]]\nname = \"OUT.{batch}.{round}\"\nchltype = \"SDR\"\nconname = [\"127.0.0.1({port})\"]\n\
             rqmname = \"QM1\"\nxmitq = [\"queue://{queue}\"]\nbatchsz = {batch}\n"
        ),
    );
    let deadline = Instant::now() + LIMIT;
    let wait_for = |wanted: usize| loop {
        let arrived = receiver.tally().messages;
        if arrived >= wanted as u64 {
            return (Instant::now(), gateway.cpu_seconds(), arrived);
        }
        assert!(Instant::now() < deadline, "{arrived} messages arrived in {LIMIT:?}\n{}", gateway.log());
        thread::sleep(Duration::from_millis(1));
    };
    let (start, cpu_before, before) = wait_for(load.warmup());
    let (end, cpu_after, after) = wait_for(load.warmup() + load.count);
    let messages = (after - before) as f64;
    let measured = Measured {
        rate: messages / (end - start).as_secs_f64(),
        cpu_us: (cpu_after - cpu_before) * 1e6 / messages,
        peak_mib: gateway.most_memory() as f64 / (1024.0 * 1024.0),
    };
    drop(gateway.end());
    jms::remove(broker, &queue);
    measured
}
