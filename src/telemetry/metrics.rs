//! The metrics of one gateway: handles that are made once, and the text that a scrape gets.
//!
//! There is no global recorder: a process may hold several gateways (tests do), each with its own [`Metrics`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::names::{self, Kind, Metric};

/// How often [`Metrics::upkeep`] should be called: without it histograms keep every single sample until the next scrape.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// All metrics of one gateway. Cheap to clone; clones share the values.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    render: PrometheusHandle,
    /// Connections from partners.
    pub listener: ListenerMetrics,
    /// 1 if the target answered at the last try.
    pub target_up: Gauge,
}

/// Handles of what the listener counts.
#[derive(Clone)]
pub struct ListenerMetrics {
    /// Open now.
    pub connections: Gauge,
    /// Accepted since the start.
    pub accepted: Counter,
    /// Ended without a channel.
    pub refused: Counter,
}

/// Handles of what one channel counts.
#[derive(Clone)]
pub struct ChannelMetrics {
    /// One gauge for each STATUS, with its word.
    pub status: Vec<(&'static str, Gauge)>,
    /// INDOUBT.
    pub indoubt: Gauge,
    /// CURSEQNO.
    pub current_sequence: Gauge,
    /// LSTSEQNO.
    pub last_sequence: Gauge,
    /// Seconds since 1970 of the last message.
    pub last_message_timestamp: Gauge,
    /// Messages received.
    pub messages: Counter,
    /// Batches committed.
    pub batches: Counter,
    /// Batches rolled back.
    pub batches_rolled_back: Counter,
    /// Bytes read.
    pub bytes_received: Counter,
    /// Bytes written.
    pub bytes_sent: Counter,
    /// Messages to the dead-letter queue.
    pub dead_lettered: Counter,
    /// Messages recognised as repeats.
    pub repeated: Counter,
    /// Callers refused.
    pub refused: Counter,
    /// Connections that the target lets wait.
    pub held_up: Gauge,
    /// Seconds of such waits.
    pub held_up_seconds: Counter,
    /// Seconds that commits took.
    pub commit_seconds: Histogram,
}

impl Metrics {
    /// A fresh set, everything at 0.
    ///
    /// # Errors
    /// When the exporter does not take the buckets, which would be a mistake of ours.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(names::TARGET_COMMIT_SECONDS.name.to_owned()), names::COMMIT_BUCKETS)?
            .build_recorder();
        for metric in names::ALL {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram => recorder.describe_histogram(name, None, help),
            }
        }
        gauge(&recorder, names::BUILD_INFO, &[env!("CARGO_PKG_VERSION")]).set(1.0);
        let listener = ListenerMetrics {
            connections: gauge(&recorder, names::LISTENER_CONNECTIONS, &[]),
            accepted: counter(&recorder, names::LISTENER_ACCEPTED, &[]),
            refused: counter(&recorder, names::LISTENER_REFUSED, &[]),
        };
        let target_up = gauge(&recorder, names::TARGET_UP, &[]);
        Ok(Self { render: recorder.handle(), recorder: Arc::new(recorder), listener, target_up })
    }

    /// The handles of one channel. `statuses` are all words that its STATUS can be; each is there from now on.
    pub fn channel(&self, channel: &str, statuses: &[&'static str]) -> ChannelMetrics {
        let recorder = &self.recorder;
        let counter = |metric| counter(recorder, metric, &[channel]);
        let gauge_of = |metric| gauge(recorder, metric, &[channel]);
        ChannelMetrics {
            status: statuses
                .iter()
                .map(|&status| (status, gauge(recorder, names::CHANNEL_STATUS, &[channel, status])))
                .collect(),
            indoubt: gauge_of(names::CHANNEL_INDOUBT),
            current_sequence: gauge_of(names::CHANNEL_CURRENT_SEQUENCE),
            last_sequence: gauge_of(names::CHANNEL_LAST_SEQUENCE),
            last_message_timestamp: gauge_of(names::CHANNEL_LAST_MESSAGE_TIMESTAMP),
            messages: counter(names::CHANNEL_MESSAGES),
            batches: counter(names::CHANNEL_BATCHES),
            batches_rolled_back: counter(names::CHANNEL_BATCHES_ROLLED_BACK),
            bytes_received: counter(names::CHANNEL_BYTES_RECEIVED),
            bytes_sent: counter(names::CHANNEL_BYTES_SENT),
            dead_lettered: counter(names::CHANNEL_DEAD_LETTERED),
            repeated: counter(names::CHANNEL_REPEATED),
            refused: counter(names::CHANNEL_REFUSED),
            held_up: gauge_of(names::CHANNEL_HELD_UP),
            held_up_seconds: counter(names::CHANNEL_HELD_UP_SECONDS),
            commit_seconds: histogram(recorder, names::TARGET_COMMIT_SECONDS, &[channel]),
        }
    }

    /// The text of a scrape, in Prometheus's exposition format.
    pub fn render(&self) -> String {
        self.render.render()
    }

    /// Folds the samples of histograms into their buckets; to be called every [`UPKEEP_INTERVAL`].
    pub fn upkeep(&self) {
        self.render.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

const METADATA: Metadata<'static> = Metadata::new("mqferry", Level::INFO, None);

fn key(metric: Metric, values: &[&str]) -> Key {
    let labels: Vec<Label> =
        metric.labels.iter().zip(values).map(|(&label, value)| Label::new(label, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

fn counter(recorder: &PrometheusRecorder, metric: Metric, values: &[&str]) -> Counter {
    let counter = recorder.register_counter(&key(metric, values), &METADATA);
    counter.absolute(0);
    counter
}

fn gauge(recorder: &PrometheusRecorder, metric: Metric, values: &[&str]) -> Gauge {
    let gauge = recorder.register_gauge(&key(metric, values), &METADATA);
    gauge.set(0.0);
    gauge
}

fn histogram(recorder: &PrometheusRecorder, metric: Metric, values: &[&str]) -> Histogram {
    recorder.register_histogram(&key(metric, values), &METADATA)
}
