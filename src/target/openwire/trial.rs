//! Whether a broker's commit can be trusted to answer for all messages of a transaction.
//!
//! A message that asks for no answer costs the broker no disk sync and us no round trip. If the broker refuses it, it marks
//! the transaction, and refuses its commit; but only while `rollbackOnlyOnAsyncException` of the broker is true. That is
//! its default, and not written in the protocol, so it is tried once for each start of a broker, with a message that no
//! broker takes: to a temporary queue of a connection that never was. Nothing stays behind but two lines in the broker's log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::codec::{Throwable, TransactionType};
use super::lease::Session;
use crate::mapping::Destination;
use crate::target::TargetError;
use crate::target::record::fresh_holder;

/// Starts of brokers that are remembered; more come only of many restarts, and then all is tried again.
const REMEMBERED: usize = 64;

/// What was found out, by the name that a broker gives itself at each start.
#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<HashMap<Arc<str>, bool>>);

impl Trials {
    /// Whether a refused message makes this broker refuse the commit.
    pub(super) async fn answers_at_commit(&self, session: &mut Session, limit: Duration) -> Result<bool, TargetError> {
        let id = session.connection.broker_id();
        let known = |id: &Arc<str>| self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        if let Some(found) = id.as_ref().and_then(known) {
            return Ok(found);
        }
        let found = try_it(session, limit).await?;
        if !found {
            let broker = session.connection.broker();
            tracing::warn!(
                "{broker} commits a transaction although it refused a message of it: each message waits for its answer, which \
                 is slow; set rollbackOnlyOnAsyncException=\"true\" on its <broker> element"
            );
        }
        if let Some(id) = id {
            let mut trials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if trials.len() >= REMEMBERED {
                trials.clear();
            }
            trials.insert(id, found);
        }
        Ok(found)
    }
}

/// A transaction with a message that is refused; whether its commit is.
async fn try_it(session: &mut Session, limit: Duration) -> Result<bool, TargetError> {
    let doing = "trying a transaction with a message that it refuses";
    let transaction = session.next_transaction();
    let text = "MQFERRY.PREFLIGHT".to_owned();
    let mut message = session
        .text("MQFERRY.PREFLIGHT", "preflight", text, Some(transaction.clone()))
        .map_err(|error| session.unwritable(&error))?;
    message.destination = Some(Destination::TempQueue(format!("ID:mqferry-{}:0:0", fresh_holder().replace(' ', "-"))));
    let connection = &session.connection;
    connection.tell(session.step(&transaction, TransactionType::Begin))?;
    connection.tell(message)?;
    let mut asked = connection.ask(session.step(&transaction, TransactionType::CommitOnePhase))?;
    let Err(why) = connection.answer(&mut asked, doing, limit).await? else { return Ok(false) };
    let mut asked = connection.ask(session.step(&transaction, TransactionType::Rollback))?;
    let rolled_back = connection.answer(&mut asked, doing, limit).await?.is_ok();
    // What is said of it belongs to the trial.
    let _ = connection.complaint();
    Ok(rolled_back && is_marked(&why))
}

/// Whether a commit was refused because the broker had refused something of the transaction before. The transaction is
/// still there then, and its rollback is answered: so it is certain that nothing was committed.
pub(super) fn is_marked(why: &Throwable) -> bool {
    why.short_class() == "XAException"
        && why.message.as_deref().is_some_and(|text| text.contains("Transaction marked rollback only"))
}
