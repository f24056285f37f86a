//! The board: the status of every defined channel, and what the operator wants of it.
//!
//! ```text
//! driver  -- Instance::update -->  board  <-- status, all --  admin HTTP, status page
//! driver  <-- wanted (watch) ----  board  <-- start, stop --  admin HTTP
//! ```
//! The gateway writes here and operators read; nothing that decides about messages reads from it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use tokio::sync::{mpsc, watch};

use super::request::{Answered, Desk, Operation, Request};
use super::status::{ChannelState, ChannelStatus, Totals};
use crate::channel::Definition;
use crate::channel::sender::StopMode;
use crate::telemetry::{ChannelMetrics, Metrics};

/// What the operator wants of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Take callers.
    Started,
    /// End as the mode says, then refuse callers with STATUS 0x16 (CHANNEL_UNAVAILABLE).
    Stopped(StopMode),
}

impl Wanted {
    /// Whether the operator wants the channel stopped, in whichever way.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }
}

/// Why a connection may not have a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such channel: STATUS 1 (NO_CHANNEL).
    Unknown,
    /// Stopped by an operator: STATUS 0x16 (CHANNEL_UNAVAILABLE).
    Stopped,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such channel is defined here; define it with [[channel]] in the configuration",
            Self::Stopped => "the channel is stopped; start it with: mqferry channel start NAME",
        })
    }
}

/// The status of every defined channel. Cheap to clone; clones share it. The set of channels is fixed at start.
#[derive(Clone)]
pub struct ChannelBoard {
    slots: Arc<BTreeMap<String, Slot>>,
    desk: Desk,
}

struct Slot {
    entry: Mutex<Entry>,
    wanted: watch::Sender<Wanted>,
    metrics: ChannelMetrics,
}

/// Several partners may have one channel, each with a connection of its own: an instance.
struct Entry {
    /// Shown while nobody is connected: what the last connection left.
    idle: ChannelStatus,
    /// The connections, by their number.
    live: BTreeMap<u64, ChannelStatus>,
    /// Number of the newest connection.
    newest: u64,
    /// Counts of all connections together; lent to each status that is written.
    totals: Totals,
}

impl Entry {
    /// The connection that stands for the channel: the newest.
    fn shown(&self) -> ChannelStatus {
        let status = self.live.values().next_back().unwrap_or(&self.idle);
        self.with_totals(status)
    }

    fn with_totals(&self, status: &ChannelStatus) -> ChannelStatus {
        ChannelStatus { totals: self.totals, ..status.clone() }
    }

    /// Changes the status of an instance, or of the one that stands for the channel.
    fn change<T>(&mut self, instance: Option<u64>, change: impl FnOnce(&mut ChannelStatus) -> T) -> Option<T> {
        let status = match instance {
            Some(number) => self.live.get_mut(&number)?,
            None => self.live.values_mut().next_back().unwrap_or(&mut self.idle),
        };
        status.totals = self.totals;
        let result = change(status);
        self.totals = status.totals;
        Some(result)
    }
}

impl ChannelBoard {
    /// A board of these channels, all INACTIVE, with their metrics at 0.
    pub fn new<'a>(channels: impl IntoIterator<Item = &'a Definition>, metrics: &Metrics) -> Self {
        let words = ChannelState::ALL.map(ChannelState::word);
        let slots = channels
            .into_iter()
            .map(|definition| {
                let slot = Slot {
                    entry: Mutex::new(Entry {
                        idle: ChannelStatus::of(definition),
                        live: BTreeMap::new(),
                        newest: 0,
                        totals: Totals::default(),
                    }),
                    wanted: watch::Sender::new(Wanted::Started),
                    metrics: metrics.channel(&definition.name, &words),
                };
                slot.show(&slot.lock());
                (definition.name.clone(), slot)
            })
            .collect();
        Self { slots: Arc::new(slots), desk: Desk::default() }
    }

    /// A channel as it stands: its newest connection, or what the last one left.
    pub fn status(&self, channel: &str) -> Option<ChannelStatus> {
        Some(self.slots.get(channel)?.lock().shown())
    }

    /// All channels as they stand, by name: as DISPLAY CHSTATUS, one entry for each connection. Counts since the start
    /// are those of the channel.
    pub fn all(&self) -> Vec<ChannelStatus> {
        let of = |slot: &Slot| {
            let entry = slot.lock();
            match entry.live.len() {
                0 | 1 => vec![entry.shown()],
                _ => entry.live.values().map(|status| entry.with_totals(status)).collect(),
            }
        };
        self.slots.values().flat_map(of).collect()
    }

    /// Writes the status of a channel, connected or not (a refused caller, say); none if there is no such channel.
    /// A connection writes through its [`Instance`].
    pub fn update<T>(&self, channel: &str, change: impl FnOnce(&mut ChannelStatus) -> T) -> Option<T> {
        self.slots.get(channel)?.update(None, change)
    }

    /// Writes what is shown while nobody is connected: a channel that calls is between two calls.
    pub fn update_idle<T>(&self, channel: &str, change: impl FnOnce(&mut ChannelStatus) -> T) -> Option<T> {
        let slot = self.slots.get(channel)?;
        let mut entry = slot.lock();
        let result = change(&mut entry.idle);
        slot.show(&entry);
        Some(result)
    }

    /// Whether a connection has the channel now.
    pub fn connected(&self, channel: &str) -> bool {
        self.slots.get(channel).is_some_and(|slot| !slot.lock().live.is_empty())
    }

    /// How many connections have had the channel.
    pub fn connections(&self, channel: &str) -> u64 {
        self.slots.get(channel).map_or(0, |slot| slot.lock().newest)
    }

    /// A connection named this channel and may have it: BINDING. Connections of other partners may have it as well.
    /// `conname` is the other end's address as `host(port)`.
    ///
    /// # Errors
    /// When there is no such channel, or an operator stopped it; the refusal is counted.
    pub fn open(&self, channel: &str, conname: &str) -> Result<Instance, Refused> {
        let slot = self.slots.get(channel).ok_or(Refused::Unknown)?;
        let mut entry = slot.lock();
        if slot.wanted.borrow().is_stopped() {
            let why = format!("{conname} was refused: {}", Refused::Stopped);
            entry.change(None, |status| status.refused(&why));
            slot.show(&entry);
            return Err(Refused::Stopped);
        }
        entry.newest += 1;
        let (number, mut status) = (entry.newest, entry.idle.clone());
        status.binding(conname, crate::clock::wall());
        entry.live.insert(number, status);
        slot.show(&entry);
        Ok(Instance { board: self.clone(), channel: channel.to_owned(), number, over: false })
    }

    /// What the operator wants of a channel, now and later; for the driver to wait on.
    pub fn wanted(&self, channel: &str) -> Option<watch::Receiver<Wanted>> {
        Some(self.slots.get(channel)?.wanted.subscribe())
    }

    /// The metrics of a channel, for what the status does not show (commit times).
    pub fn metrics(&self, channel: &str) -> Option<&ChannelMetrics> {
        Some(&self.slots.get(channel)?.metrics)
    }

    /// Has the gateway carry out what an operator asks for a sending channel, and waits for it.
    ///
    /// # Errors
    /// Why it was not done, one line.
    pub async fn request(&self, channel: &str, operation: Operation) -> Result<Answered, String> {
        self.desk.request(channel, operation).await
    }

    /// What operators ask for; for the gateway, which takes it once.
    pub fn requests(&self) -> Option<mpsc::Receiver<Request>> {
        self.desk.requests()
    }

    /// Has a channel that calls do so now, where it waits and no operator stopped it.
    pub fn nudge(&self, channel: &str) {
        if let Some(slot) = self.slots.get(channel) {
            slot.wanted.send_if_modified(|wanted| *wanted == Wanted::Started);
        }
    }

    /// START CHANNEL: callers are taken (again). A stop that is still under way is taken back if the partner does not know
    /// of it yet; else the connection ends, and the partner may call again. Gives the status after it; none if there is
    /// no such channel.
    pub fn start(&self, channel: &str) -> Option<ChannelStatus> {
        self.operate(channel, Wanted::Started, |status| {
            status.stopreq = false;
            status.state = match status.state {
                ChannelState::Stopped => ChannelState::Inactive,
                state => state,
            };
        })
    }

    /// STOP CHANNEL MODE(QUIESCE): a running one becomes STOPPING until its batch is over, any other STOPPED at once.
    pub fn stop(&self, channel: &str) -> Option<ChannelStatus> {
        self.stop_with(channel, StopMode::Quiesce)
    }

    /// STOP CHANNEL with a MODE; a harder one may follow a softer that is under way.
    pub fn stop_with(&self, channel: &str, mode: StopMode) -> Option<ChannelStatus> {
        self.operate(channel, Wanted::Stopped(mode), |status| {
            status.stopreq = true;
            status.state = match status.state {
                ChannelState::Binding | ChannelState::Running | ChannelState::Paused | ChannelState::Stopping => {
                    ChannelState::Stopping
                }
                ChannelState::Inactive | ChannelState::Retrying | ChannelState::Stopped => ChannelState::Stopped,
            };
        })
    }

    fn operate(&self, channel: &str, wanted: Wanted, change: impl Fn(&mut ChannelStatus)) -> Option<ChannelStatus> {
        let slot = self.slots.get(channel)?;
        let mut entry = slot.lock();
        let Entry { idle, live, .. } = &mut *entry;
        std::iter::once(idle).chain(live.values_mut()).for_each(change);
        slot.show(&entry);
        slot.wanted.send_replace(wanted);
        Some(entry.shown())
    }
}

impl fmt::Debug for ChannelBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Entry> {
        // A panic while a status was being written leaves at worst a stale number to look at.
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None if `instance` is given and is over.
    fn update<T>(&self, instance: Option<u64>, change: impl FnOnce(&mut ChannelStatus) -> T) -> Option<T> {
        let mut entry = self.lock();
        let result = entry.change(instance, change)?;
        self.show(&entry);
        Some(result)
    }

    /// The connection is over; what it leaves is shown when there is no other.
    fn end(&self, instance: u64, error: Option<&str>) {
        let mut entry = self.lock();
        if let Some(mut status) = entry.live.remove(&instance) {
            status.ended(error);
            entry.idle = status;
        }
        self.show(&entry);
    }

    /// The metrics say what the status says: states and numbers are those of the newest connection, counts of all.
    fn show(&self, entry: &Entry) {
        let status = entry.live.values().next_back().unwrap_or(&entry.idle);
        let (metrics, totals) = (&self.metrics, entry.totals);
        for (word, gauge) in &metrics.status {
            gauge.set(f64::from(u8::from(*word == status.state.word())));
        }
        metrics.indoubt.set(f64::from(u8::from(status.indoubt)));
        metrics.current_sequence.set(f64::from(status.curseqno));
        metrics.last_sequence.set(f64::from(status.lstseqno));
        if let Some(since) = status.last_message.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) {
            metrics.last_message_timestamp.set(since.as_secs_f64());
        }
        metrics.messages.absolute(totals.messages);
        metrics.batches.absolute(totals.batches);
        metrics.batches_rolled_back.absolute(totals.batches_rolled_back);
        metrics.bytes_received.absolute(totals.bytes_received);
        metrics.bytes_sent.absolute(totals.bytes_sent);
        metrics.dead_lettered.absolute(totals.dead_lettered);
        metrics.repeated.absolute(totals.repeated);
        metrics.refused.absolute(totals.refused);
    }
}

/// One connection's right to write its status.
/// Dropping it ends it as broken off.
#[derive(Debug)]
pub struct Instance {
    board: ChannelBoard,
    channel: String,
    number: u64,
    over: bool,
}

impl Instance {
    /// Name of its channel.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Writes the status.
    pub fn update<T>(&self, change: impl FnOnce(&mut ChannelStatus) -> T) -> Option<T> {
        self.board.slots.get(&self.channel)?.update(Some(self.number), change)
    }

    /// The connection is over; `error` is what went wrong, one line, or none for an orderly end.
    pub fn ended(mut self, error: Option<&str>) {
        self.over = true;
        self.end(error);
    }

    fn end(&self, error: Option<&str>) {
        if let Some(slot) = self.board.slots.get(&self.channel) {
            slot.end(self.number, error);
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if !self.over {
            self.end(Some("the connection was given up"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Agreed;
    use crate::channel::definition::ChannelType;
    use crate::channel::{Partner, SyncRecord};
    use crate::wire::Luwid;

    const AGREED: Agreed = Agreed { batchsz: 20, hbint: 60, maxmsgl: 4_194_304, fap_level: 4 };

    fn board() -> (ChannelBoard, Metrics) {
        let metrics = Metrics::new().unwrap();
        let definition = Definition::of("QM1.TO.AMQGW", ChannelType::Rcvr);
        (ChannelBoard::new([&definition], &metrics), metrics)
    }

    fn state(board: &ChannelBoard) -> ChannelState {
        board.status("QM1.TO.AMQGW").unwrap().state
    }

    fn record(sequence: i32) -> SyncRecord {
        SyncRecord {
            partner_id: String::new(),
            sequence,
            luwid: Luwid([1; 8]),
            last_batch: Vec::new(),
            after_reset: false,
            at_heartbeat: None,
        }
    }

    #[test]
    fn a_channel_lives_through_its_states() {
        let (board, metrics) = board();
        assert_eq!(state(&board), ChannelState::Inactive);
        let instance = board.open("QM1.TO.AMQGW", "127.0.0.1(4711)").unwrap();
        assert_eq!(state(&board), ChannelState::Binding);
        instance.update(|status| {
            status.partner(&Partner { qmgr_name: "QM1".into(), qmgr_id: String::new(), fap_level: 4 });
            status.claimed(Some(&record(7)));
            status.running(AGREED);
            status.message(8, Luwid([1; 8]), UNIX_EPOCH);
        });
        let status = board.status("QM1.TO.AMQGW").unwrap();
        assert_eq!((status.state, status.curseqno, status.lstseqno), (ChannelState::Running, 8, 7));
        instance.update(|status| status.committed(&record(8), 1));
        instance.ended(None);
        let status = board.status("QM1.TO.AMQGW").unwrap();
        assert_eq!((status.state, status.lstseqno, status.batches), (ChannelState::Inactive, 8, 1));
        assert_eq!(status.last_error, None);
        let text = metrics.render();
        for line in [
            r#"mqferry_channel_dead_lettered_total{channel="QM1.TO.AMQGW"} 1"#,
            r#"mqferry_channel_last_sequence{channel="QM1.TO.AMQGW"} 8"#,
            r#"mqferry_channel_status{channel="QM1.TO.AMQGW",status="INACTIVE"} 1"#,
            r#"mqferry_channel_status{channel="QM1.TO.AMQGW",status="RUNNING"} 0"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_stopped_channel_refuses_callers_until_it_is_started() {
        let (board, _) = board();
        board.stop("QM1.TO.AMQGW").unwrap();
        assert_eq!(state(&board), ChannelState::Stopped);
        assert_eq!(board.open("QM1.TO.AMQGW", "h(1)").unwrap_err(), Refused::Stopped);
        assert_eq!(board.status("QM1.TO.AMQGW").unwrap().totals().refused, 1);
        board.start("QM1.TO.AMQGW").unwrap();
        assert!(board.open("QM1.TO.AMQGW", "h(1)").is_ok());
        assert_eq!(board.open("NO.SUCH", "h(1)").unwrap_err(), Refused::Unknown);
    }

    #[test]
    fn a_stop_while_running_is_reached_when_the_connection_ends() {
        let (board, _) = board();
        let mut wanted = board.wanted("QM1.TO.AMQGW").unwrap();
        let instance = board.open("QM1.TO.AMQGW", "h(1)").unwrap();
        board.stop("QM1.TO.AMQGW").unwrap();
        assert!(wanted.has_changed().unwrap());
        assert_eq!(*wanted.borrow_and_update(), Wanted::Stopped(StopMode::Quiesce));
        instance.update(|status| status.running(AGREED));
        assert_eq!(state(&board), ChannelState::Stopping);
        instance.ended(None);
        assert_eq!(state(&board), ChannelState::Stopped);
    }

    #[test]
    fn each_partner_of_a_channel_has_a_status_and_all_are_counted() {
        let (board, metrics) = board();
        let first = board.open("QM1.TO.AMQGW", "h(1)").unwrap();
        let second = board.open("QM1.TO.AMQGW", "h(2)").unwrap();
        for (instance, sequence) in [(&first, 7), (&second, 70)] {
            instance.update(|status| {
                status.running(AGREED);
                status.message(sequence, Luwid([1; 8]), UNIX_EPOCH);
                status.committed(&record(sequence), 0);
            });
        }
        let both: Vec<_> = board.all().into_iter().map(|status| (status.conname, status.lstseqno)).collect();
        assert_eq!(both, [("h(1)".to_owned(), 7), ("h(2)".to_owned(), 70)]);
        assert_eq!(board.status("QM1.TO.AMQGW").unwrap().conname, "h(2)");
        second.ended(None);
        let left = board.status("QM1.TO.AMQGW").unwrap();
        assert_eq!((left.state, left.conname.as_str(), left.msgs), (ChannelState::Running, "h(1)", 1));
        assert_eq!(left.totals().messages, 2);
        assert!(metrics.render().contains(r#"mqferry_channel_messages_total{channel="QM1.TO.AMQGW"} 2"#));
        drop(first);
        assert_eq!(state(&board), ChannelState::Inactive);
        assert_eq!(board.all().len(), 1);
    }
}
