//! The names of all metrics, after the words of `DISPLAY CHSTATUS` where it has one. They are a promise:
//! scripts and dashboards hold them, and a test holds the whole list.

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// A value as it stands.
    Gauge,
    /// Counts by size, in buckets.
    Histogram,
}

/// A metric as a scrape shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// Labels, in order.
    pub labels: &'static [&'static str],
    /// One sentence for the help line.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// Every metric there is.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD_INFO Gauge "mqferry_build_info" ["version"]
        "Always 1; the label says which version runs.";
    CHANNEL_STATUS Gauge "mqferry_channel_status" ["channel", "status"]
        "1 for the STATUS that the channel is in, 0 for every other one.";
    CHANNEL_INDOUBT Gauge "mqferry_channel_indoubt" ["channel"]
        "INDOUBT: 1 while nobody knows what became of the channel's last batch.";
    CHANNEL_CURRENT_SEQUENCE Gauge "mqferry_channel_current_sequence" ["channel"]
        "CURSEQNO: sequence number of the last message received.";
    CHANNEL_LAST_SEQUENCE Gauge "mqferry_channel_last_sequence" ["channel"]
        "LSTSEQNO: sequence number of the last message committed.";
    CHANNEL_LAST_MESSAGE_TIMESTAMP Gauge "mqferry_channel_last_message_timestamp_seconds" ["channel"]
        "LSTMSGDA and LSTMSGTI as seconds since 1970 UTC; 0 before the first message.";
    CHANNEL_MESSAGES Counter "mqferry_channel_messages_total" ["channel"]
        "MSGS over all connections: messages received, repeated ones included.";
    CHANNEL_BATCHES Counter "mqferry_channel_batches_total" ["channel"]
        "BATCHES over all connections: batches committed.";
    CHANNEL_BATCHES_ROLLED_BACK Counter "mqferry_channel_batches_rolled_back_total" ["channel"]
        "Batches that the target did not take; the partner sends them again.";
    CHANNEL_BYTES_RECEIVED Counter "mqferry_channel_bytes_received_total" ["channel"]
        "BYTSRCVD over all connections: bytes read from partners.";
    CHANNEL_BYTES_SENT Counter "mqferry_channel_bytes_sent_total" ["channel"]
        "BYTSSENT over all connections: bytes written to partners.";
    CHANNEL_DEAD_LETTERED Counter "mqferry_channel_dead_lettered_total" ["channel"]
        "Messages that went to the dead-letter queue.";
    CHANNEL_REPEATED Counter "mqferry_channel_repeated_total" ["channel"]
        "Messages that were recognised as already committed, and not published again.";
    CHANNEL_REFUSED Counter "mqferry_channel_refused_total" ["channel"]
        "Connections that named this channel and were refused.";
    CHANNEL_HELD_UP Gauge "mqferry_channel_held_up" ["channel"]
        "Connections of the channel that wait for the target and have for 2 s: its memory or store may be full.";
    CHANNEL_HELD_UP_SECONDS Counter "mqferry_channel_held_up_seconds_total" ["channel"]
        "Whole seconds of such waits that are over.";
    LISTENER_CONNECTIONS Gauge "mqferry_listener_connections" []
        "Connections from partners that are open now.";
    LISTENER_ACCEPTED Counter "mqferry_listener_accepted_total" []
        "Connections from partners that were accepted.";
    LISTENER_REFUSED Counter "mqferry_listener_refused_total" []
        "Connections that ended before a channel was named, or named an unknown one.";
    TARGET_COMMIT_SECONDS Histogram "mqferry_target_commit_seconds" ["channel"]
        "Time from asking the target to commit a batch until its answer.";
    TARGET_UP Gauge "mqferry_target_up" []
        "1 if the target answered at the last try, 0 if not.";
}

/// Upper bounds of the buckets of [`TARGET_COMMIT_SECONDS`], in seconds.
pub const COMMIT_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
