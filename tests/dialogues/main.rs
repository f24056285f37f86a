//! Scripted partners: "the partner sends ..., we answer ..., the target is asked ...". One file a chapter.
//!
//! Partners speak in frames of `protocol-captures/wire-examples` and in segments made of values that the wire
//! reference states; what we answer is compared with such frames byte by byte wherever there is one.
#![allow(unreachable_pub, reason = "the chapters share `talk`")]

mod batch;
mod calling;
mod close;
mod errors;
mod heartbeat;
mod model;
mod negotiation;
#[path = "../support/pcap.rs"]
mod pcap;
mod reset;
mod resync;
mod split;
mod talk;
#[path = "../support/tshark.rs"]
mod tshark;
