//! Policy: which destination, and how an envelope becomes a publication. Pure code, no I/O.

mod back;
mod body;
pub mod charset;
pub mod collection;
pub mod correlation;
mod dead_letter;
mod descriptor;
pub mod digest;
pub mod explain;
mod folders;
mod groups;
pub mod hops;
pub mod id;
pub mod markup;
mod names;
pub mod nested;
mod payload;
pub mod properties;
mod property_map;
pub mod publication;
mod publish;
mod raw;
pub mod reason;
pub mod render;
pub mod reports;
pub mod route;
pub mod shape;
pub mod typed;
pub mod unmappable;

pub use back::{MqMessage, Sending, to_mq};
pub use dead_letter::{Original, dead_letter, undeliverable};
pub use property_map::PropertyMap;
pub use publication::{Body, Destination, Entry, Name, Publication, Value};
pub use publish::{Mapped, map_to, publish, publish_as_bytes};
pub use route::{
    BadCorrelation, BodyMode, CodMode, ContextMode, Glob, GroupClose, Policy, PropertyNames, Rfh2Mode, Route, Routed,
    Segments, Treatment, Unencodable, UnknownReply,
};
pub use unmappable::Unmappable;
