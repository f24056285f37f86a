//! Records what goes over TCP between two programs as a scenario of `protocol-captures/`.
//!
//! Usage: `cargo run --example record_conversation -- UPSTREAM FOLDER ["who made the bytes"]`
//!
//! Connect to the address that it prints instead of UPSTREAM. It ends with the first moment without an open connection
//! after there was one, and then writes `capture.pcap` and `origin.txt`; never over a file that is there.

#[path = "../tests/support/pcap.rs"]
mod pcap;
#[path = "../tests/support/relay.rs"]
mod relay;

use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (upstream, folder, origin) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [upstream, folder] => (upstream, folder, "to be written: who spoke, which software, what was made up"),
        [upstream, folder, origin] => (upstream, folder, origin),
        _ => bail!("usage: record_conversation HOST:PORT FOLDER [\"who made the bytes\"]"),
    };
    let folder = Path::new(folder);
    let (capture, about) = (folder.join("capture.pcap"), folder.join("origin.txt"));
    if capture.exists() || about.exists() {
        bail!("{} holds a recording already: name another folder", folder.display());
    }
    let mut addresses = upstream.to_socket_addrs().with_context(|| format!("{upstream:?} is no HOST:PORT"))?;
    let upstream = addresses.next().with_context(|| format!("{upstream:?} has no address"))?;

    let relay = relay::Relay::start(upstream).await;
    println!("connect to {}; it leads to {upstream}", relay.address);
    while relay.accepted() == 0 || relay.live() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let conversations = relay.conversations();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(&capture, pcap::write(&conversations))?;
    std::fs::write(&about, format!("Origin: {origin}\nLicence: Apache-2.0, as this project.\n"))?;
    let bytes: usize = conversations.iter().flat_map(|it| &it.chunks).map(|it| it.bytes.len()).sum();
    println!("{}: {} conversations, {bytes} bytes", capture.display(), conversations.len());
    Ok(())
}
