//! What the gateway tells about itself: metrics, their names, and the log.

pub mod log;
pub mod metrics;
pub mod names;
pub mod repeats;

pub use metrics::{ChannelMetrics, Metrics};
pub use repeats::Repeats;
