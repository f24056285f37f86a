//! What several test files share. Each test binary compiles its own copy and uses a part of it.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test binary uses another part")]
#![allow(clippy::disallowed_methods, reason = "real processes take real time")]

pub mod broker;
mod broker_slots;
mod broker_xml;
pub mod certificates;
pub mod jms;
pub mod pcap;
pub mod reading;
pub mod relay;
pub mod tshark;
