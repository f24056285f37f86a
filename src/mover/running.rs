//! Which instances run, so that a second connection for a channel can be told from the first.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::channel::ChannelKey;

/// How long an instance that is being adopted may take to roll back and go.
const ADOPT_LIMIT: Duration = Duration::from_secs(10);

/// How long an operator's request waits for a connection to be over: a channel that retries has one now and then.
const FREE_LIMIT: Duration = Duration::from_secs(5);
/// The address of an operator's place.
const OPERATOR: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The instances that hold, or are about to take, a lease.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<HashMap<ChannelKey, Entry>>>);

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    abandon: CancellationToken,
    gone: CancellationToken,
}

/// One instance's place among the running; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Slot {
    running: Running,
    key: ChannelKey,
    abandon: CancellationToken,
    gone: CancellationToken,
}

impl Running {
    /// Takes the place of `key` for a partner at `address`. An instance of the same partner at the same address is
    /// adopted, for a sender whose connection was black-holed must not be locked out until the heartbeat limit:
    /// the old one is told to go, and waited for.
    ///
    /// # Errors
    /// The address of the instance that has the place and keeps it.
    pub(crate) async fn enter(&self, key: &ChannelKey, address: IpAddr) -> Result<Slot, IpAddr> {
        let adoption = async {
            loop {
                match self.try_enter(key, address) {
                    Ok(slot) => return Ok(slot),
                    Err(Some(gone)) => gone.cancelled().await,
                    Err(None) => return Err(()),
                }
            }
        };
        let slot = tokio::time::timeout(ADOPT_LIMIT, adoption).await;
        match slot {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(())) | Err(_) => Err(self.lock().get(key).map_or(address, |entry| entry.address)),
        }
    }

    /// The place; or what to wait for when its holder was told to go; or nothing when the holder stays.
    fn try_enter(&self, key: &ChannelKey, address: IpAddr) -> Result<Slot, Option<CancellationToken>> {
        if let Some(slot) = self.take(key, address) {
            return Ok(slot);
        }
        match self.lock().get(key) {
            Some(entry) if entry.address == OPERATOR => Err(Some(entry.gone.clone())),
            Some(entry) if entry.address == address => {
                entry.abandon.cancel();
                Err(Some(entry.gone.clone()))
            }
            Some(_) => Err(None),
            // It went this moment: once more.
            None => {
                let gone = CancellationToken::new();
                gone.cancel();
                Err(Some(gone))
            }
        }
    }

    /// Takes the place of `key` for an operator once it is free; nobody is told to go, and whoever comes meanwhile waits.
    ///
    /// # Errors
    /// The address of the instance that has the place and keeps it.
    pub(crate) async fn enter_when_free(&self, key: &ChannelKey) -> Result<Slot, IpAddr> {
        let waiting = async {
            loop {
                if let Some(slot) = self.take(key, OPERATOR) {
                    return slot;
                }
                let holder = self.lock().get(key).map(|entry| entry.gone.clone());
                if let Some(gone) = holder {
                    gone.cancelled().await;
                }
            }
        };
        let slot = tokio::time::timeout(FREE_LIMIT, waiting).await;
        slot.map_err(|_| self.lock().get(key).map_or(OPERATOR, |entry| entry.address))
    }

    fn take(&self, key: &ChannelKey, address: IpAddr) -> Option<Slot> {
        let mut entries = self.lock();
        if entries.contains_key(key) {
            return None;
        }
        let (abandon, gone) = (CancellationToken::new(), CancellationToken::new());
        entries.insert(key.clone(), Entry { address, abandon: abandon.clone(), gone: gone.clone() });
        Some(Slot { running: self.clone(), key: key.clone(), abandon, gone })
    }

    /// How many instances there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelKey, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Waits until another connection adopts the channel.
    pub(crate) async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.running.lock().remove(&self.key);
        self.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_partner_at_the_same_address_is_adopted_another_is_refused() {
        let running = Running::default();
        let key = ChannelKey { gateway: "GW".into(), channel: "QM1.TO.GW".into(), partner: "QM1".into() };
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = running.enter(&key, here).await.expect("the place is free");
        assert_eq!(running.enter(&key, there).await.map(|_| ()), Err(here), "another address waits for nothing");
        let old = tokio::spawn(async move {
            first.abandoned().await;
            drop(first);
        });
        let second = running.enter(&key, here).await.expect("the partner came back");
        old.await.expect("the old instance went");
        assert_eq!(running.count(), 1);
        drop(second);
        assert_eq!(running.count(), 0);
    }
}
