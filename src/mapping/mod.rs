//! Policy: which destination, and how an envelope becomes a publication. Pure code, no I/O.

mod body;
pub mod charset;
pub mod collection;
mod dead_letter;
mod descriptor;
pub mod explain;
mod folders;
pub mod id;
pub mod markup;
mod payload;
pub mod properties;
pub mod publication;
mod publish;
pub mod reason;
pub mod route;
pub mod shape;
pub mod typed;
pub mod unmappable;

pub use dead_letter::{Original, dead_letter};
pub use publication::{Body, Destination, Entry, Publication, Value};
pub use publish::{Mapped, map_to, publish, publish_as_bytes};
pub use route::{BodyMode, Glob, Policy, Route, Routed};
pub use unmappable::Unmappable;
