//! What the gateway tells about itself: metrics, their names, and the log.

pub mod metrics;
pub mod names;

pub use metrics::{ChannelMetrics, Metrics};
