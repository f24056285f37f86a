//! What others want of an instance: an operator, a shutdown, a newer connection of its partner.

use tokio::sync::watch;

use super::gateway::Gateway;
use super::lobby::Seat;
use super::running::Slot;
use crate::admin::board::Wanted;
use crate::channel::Stopped;
use crate::channel::sender::StopMode;
use crate::target::{self, Claim};
use crate::wire::StatusCode;

/// What the machine was told of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing: it runs.
    Nothing,
    /// To end between batches, when the partner has been told; the operator may take it back.
    ToStop,
    /// The same because the gateway ends, or too late to be taken back.
    ToEnd,
    /// At once.
    ToHurry,
    /// At once, by an operator.
    ToBreak,
}

/// What is wanted of an instance.
#[derive(Debug)]
pub(super) enum Order {
    /// Its connection counts no more; the text says why.
    Gone(String),
    /// To end: between batches, and when told a second time, at once.
    End(StatusCode),
    /// To end at once, within a batch, too.
    Break(StatusCode),
    /// The end is taken back.
    CarryOn,
}

/// Where orders come from.
pub(super) struct Orders<'a, T> {
    pub(super) gateway: &'a Gateway<T>,
    /// None before the caller wants a channel's place among the running.
    pub(super) slot: Option<&'a Slot>,
    /// None once the caller has named a channel.
    pub(super) seat: Option<&'a Seat>,
    /// What the operator wants; none before the caller has named a channel.
    pub(super) wanted: Option<&'a mut watch::Receiver<Wanted>>,
    /// What the machine has been told so far.
    pub(super) told: Told,
}

impl<T> Orders<'_, T> {
    /// Waits for the next order.
    pub(super) async fn next(self) -> (Told, Order) {
        let Self { gateway, slot, seat, wanted, told } = self;
        let (nothing, at_once) = (told == Told::Nothing, matches!(told, Told::ToHurry | Told::ToBreak));
        let counts = move |wanted: &Wanted| match wanted {
            Wanted::Started => told == Told::ToStop,
            Wanted::Stopped(StopMode::Quiesce) => told == Told::Nothing,
            Wanted::Stopped(StopMode::Force | StopMode::Terminate) => true,
        };
        tokio::select! {
            () = given_up(slot) => (told, taken_over()),
            () = unseated(seat) => (told, Order::Gone("newer callers needed the room".to_owned())),
            () = gateway.hurry.cancelled(), if !at_once => {
                (Told::ToHurry, Order::End(StatusCode::QM_TERMINATING))
            }
            () = gateway.shutdown.cancelled(), if nothing => (Told::ToEnd, Order::End(StatusCode::QM_TERMINATING)),
            wish = wished(wanted, counts), if !at_once => match wish {
                Wanted::Stopped(StopMode::Quiesce) => (Told::ToStop, Order::End(StatusCode::USER_CLOSED)),
                Wanted::Stopped(_) => (Told::ToBreak, Order::Break(StatusCode::USER_CLOSED)),
                Wanted::Started => (Told::ToEnd, Order::CarryOn),
            },
        }
    }
}

/// What the machine hears when another connection takes the channel over.
pub(super) fn taken_over() -> Order {
    Order::Gone("the partner came back on another connection, which takes over".to_owned())
}

/// Waits until another connection adopts the channel.
pub(super) async fn given_up(slot: Option<&Slot>) {
    match slot {
        Some(slot) => slot.abandoned().await,
        None => std::future::pending().await,
    }
}

/// Waits until the lease or the road to the target is lost; for ever where there is no lease.
pub(super) async fn lost<C: Claim>(claim: Option<&mut C>) -> target::TargetError {
    match claim {
        Some(claim) => claim.lost().await,
        None => std::future::pending().await,
    }
}

async fn unseated(seat: Option<&Seat>) {
    match seat {
        Some(seat) => seat.taken().await,
        None => std::future::pending().await,
    }
}

/// What an operator's stop leaves unknown when it cut a commit short.
pub(super) const CUT_SHORT: &str =
    "the operator ended the channel while the target was at a commit; the record tells at the next start";

/// Waits for STOP CHANNEL MODE(TERMINATE), which waits for nobody.
pub(super) async fn terminated(mut wanted: Option<watch::Receiver<Wanted>>) -> Stopped {
    wished(wanted.as_mut(), |wanted| *wanted == Wanted::Stopped(StopMode::Terminate)).await;
    let why = "the operator ended it at once, and waited neither for the partner nor for the target".to_owned();
    Stopped { orderly: false, announced: false, code: None, why }
}

async fn wished(wanted: Option<&mut watch::Receiver<Wanted>>, counts: impl FnMut(&Wanted) -> bool) -> Wanted {
    if let Some(wanted) = wanted
        && let Ok(wanted) = wanted.wait_for(counts).await
    {
        return *wanted;
    }
    // Nobody has named a channel yet, or the board is gone and with it every operator.
    std::future::pending().await
}
