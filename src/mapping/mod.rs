//! Policy: which destination, and how an envelope becomes a publication. Pure code, no I/O.

pub mod publication;

pub use publication::{Body, Destination, Entry, Publication, Value};
