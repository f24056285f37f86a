//! The OpenWire codec held against ActiveMQ's own marshallers (`tests/java/mqferry/OpenWire.java`) and tshark's
//! dissector: what they write is read as what they meant and written again as the same bytes; what we write is read as
//! what we meant.

#[path = "../support/real_target.rs"]
mod real_target;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/target_contract.rs"]
mod target_contract;

mod dissector;
mod interop;
mod java;
mod messages;
mod same;
mod structures;
