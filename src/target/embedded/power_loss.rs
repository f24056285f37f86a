//! The store on a disk that loses, with the power, any part of what was not synced: both or neither, at every moment.

use std::io;
use std::sync::{Arc, Mutex};

use redb::{Builder, Database, StorageBackend};

use super::store::{Staged, Store};
use crate::channel::record::{ChannelKey, MessageName, SyncRecord};
use crate::target::lease::Kept;
use crate::wire::Luwid;

/// What such disks write at once.
const SECTOR: usize = 512;

/// A disk in memory; clones are the same disk.
#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// As a program sees it.
    seen: Vec<u8>,
    /// What a loss of power leaves for certain.
    durable: Vec<u8>,
    /// Written since the last sync: offset and bytes, or a new length.
    pending: Vec<Change>,
    /// Operations until the power goes.
    left: usize,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>, mut sector_survives: impl FnMut() -> bool) {
        match self {
            Self::Length(length) => to.resize(*length, 0),
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                let sectors = bytes.chunks(SECTOR).zip(to[*offset..end].chunks_mut(SECTOR));
                sectors.filter(|_| sector_survives()).for_each(|(new, old)| old.copy_from_slice(new));
            }
        }
    }
}

impl Disk {
    fn new(image: Vec<u8>, left: usize) -> Self {
        Self(Arc::new(Mutex::new(State { seen: image.clone(), durable: image, pending: Vec::new(), left })))
    }

    /// One operation that changes the disk; an error once the power is gone.
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        change.apply(&mut state.seen, || true);
        state.pending.push(change);
        Ok(())
    }

    /// What may be found after the loss: of what was not synced, the sectors that `survives` picks.
    fn after_loss(&self, mut survives: impl FnMut() -> bool) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut image = state.durable.clone();
        state.pending.iter().for_each(|change| change.apply(&mut image, &mut survives));
        image
    }

    fn open(&self) -> Result<Database, redb::DatabaseError> {
        Builder::new().create_with_backend(self.clone())
    }
}

impl State {
    fn spend(&mut self) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("no power"))?;
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let found = state.seen.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        state.durable = state.seen.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}

fn key() -> ChannelKey {
    ChannelKey { gateway: "GW".into(), channel: "C".into(), partner: "QMA".into() }
}

fn record(batch: u8) -> SyncRecord {
    SyncRecord {
        partner_id: String::new(),
        sequence: batch.into(),
        luwid: Luwid([batch; 8]),
        last_batch: vec![MessageName { sequence: batch.into(), msg_id: [batch; 24] }],
        after_reset: false,
        at_heartbeat: None,
    }
}

/// Two destinations a batch, one of them with a message of several pages.
fn staged(batch: u8) -> [Staged; 2] {
    let message = |queue: &str, length| Staged { destination: queue.to_owned(), encoded: vec![batch; length] };
    [message("queue://A", 10), message("queue://B", 9000)]
}

/// From a store that was made and closed: claims and commits batches until the last or until the power goes; gives how many were answered as committed.
fn run(disk: &Disk, batches: u8) -> u8 {
    let Ok(store) = disk.open().map_err(drop).and_then(|it| Store::on(it).map_err(drop)) else { return 0 };
    let Ok(lease) = store.claim(&key()) else { return 0 };
    let done = (1..=batches)
        .take_while(|batch| store.commit(&lease, Kept::Received(record(*batch)), &staged(*batch), &[]).is_ok());
    u8::try_from(done.count()).unwrap()
}

/// How many batches an image holds, having looked that each is whole and the record is that of the last.
fn kept(image: Vec<u8>, here: &str) -> u8 {
    let disk = Disk::new(image, usize::MAX);
    let store = Store::on(disk.open().unwrap_or_else(|error| panic!("{here}: {error}"))).unwrap();
    let channels = store.channels().unwrap();
    let sync = channels.first().and_then(|channel| channel.sync.clone());
    let last = sync.as_ref().map_or(0, |sync| u8::try_from(sync.sequence).unwrap());
    assert_eq!(sync, (last > 0).then(|| record(last)), "{here}");
    let counts: Vec<_> = store.destinations().unwrap().iter().map(|it| it.messages).collect();
    assert_eq!(counts, vec![u64::from(last); if last == 0 { 0 } else { 2 }], "{here}");
    for (place, queue) in ["A", "B"].into_iter().enumerate() {
        let found = store.raw(&format!("queue://{queue}")).unwrap();
        let wanted: Vec<_> = (1..=last).map(|batch| staged(batch)[place].encoded.clone()).collect();
        assert_eq!(found, wanted, "{here}: queue {queue}");
    }
    last
}

#[test]
fn at_every_moment_both_or_neither_survive() {
    const BATCHES: u8 = 4;
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut coin = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random & 0x100 == 0
    };
    let (mut images, mut unanswered) = (0, 0);
    let made = Disk::new(Vec::new(), usize::MAX);
    drop(Store::on(made.open().unwrap()).unwrap());
    let made = made.after_loss(|| false);
    for left in 0.. {
        let disk = Disk::new(made.clone(), left);
        let answered = run(&disk, BATCHES);
        let over = disk.0.lock().unwrap().left > 0;
        let mut found = vec![disk.after_loss(|| false), disk.after_loss(|| true)];
        found.extend((0..4).map(|_| disk.after_loss(&mut coin)));
        for image in found {
            let here = format!("power lost after {left} operations, {answered} batches answered");
            let kept = kept(image, &here);
            assert!((answered..=answered + 1).contains(&kept), "{here}: {kept} batches found");
            unanswered += u32::from(kept > answered);
            images += 1;
        }
        if over {
            assert_eq!(answered, BATCHES);
            break;
        }
    }
    println!("{images} images, {unanswered} with a batch whose commit was not answered");
    assert!(unanswered > 0, "no image was taken between commit and answer");
}
