//! Policy: which destination, and how an envelope becomes a publication. Pure code, no I/O.

pub mod charset;
pub mod collection;
pub mod id;
pub mod markup;
pub mod properties;
pub mod publication;
pub mod put_time;
pub mod reason;
pub mod route;
pub mod shape;
pub mod typed;
pub mod unmappable;

pub use publication::{Body, Destination, Entry, Publication, Value};
pub use route::{BodyMode, Glob, Policy, Route, Routed};
pub use unmappable::Unmappable;
