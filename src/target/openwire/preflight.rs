//! What `check` finds out about a broker, one line each.
//!
//! Everything is tried as the gateway will do it: write and read a queue of the gateway's own in transactions. The queue
//! `MQFERRY.PREFLIGHT` stays behind, empty.

use std::time::Duration;

use tokio::time::Instant;

use super::codec::{ConsumerId, TransactionType};
use super::connection::{Connection, Deliveries};
use super::lease::{Read, Session, acknowledge};
use crate::target::lease::refused_by;
use crate::target::record::fresh_holder;
use crate::target::{Finding, Severity, TargetError};

/// The queue that is written and read.
const QUEUE: &str = "MQFERRY.PREFLIGHT";
/// A disk that syncs takes some milliseconds.
const SLOW_COMMIT: Duration = Duration::from_millis(35);
/// Commits that are timed.
const COMMITS: usize = 5;

/// Writes and reads; closes the connection.
pub(super) async fn try_out(connection: Connection, deliveries: Deliveries, limit: Duration) -> Vec<Finding> {
    match Session::open(connection, QUEUE, limit).await {
        Ok((session, consumer)) => {
            let mut trial = Trial { session, consumer, deliveries, limit };
            let findings = trial.run().await;
            trial.session.connection.close().await;
            findings.unwrap_or_else(|error| vec![error.into()])
        }
        Err(error) => vec![error.into()],
    }
}

/// Messages sent and read back.
struct Trial {
    session: Session,
    consumer: ConsumerId,
    deliveries: Deliveries,
    limit: Duration,
}

impl Trial {
    async fn run(&mut self) -> Result<Vec<Finding>, TargetError> {
        let broker = self.session.connection.broker().to_owned();
        let good = |text| Finding::new(Severity::Good, text);
        let mut findings = vec![
            good(format!("{broker} is {}", self.session.connection.provider())),
            good(match self.session.connection.max_frame() {
                Some(bytes) => format!("{broker} takes messages up to {bytes} bytes"),
                None => format!("{broker} names no largest message"),
            }),
        ];
        let mut commits = Vec::new();
        let mut back = None;
        for _ in 0..COMMITS {
            let text = fresh_holder();
            commits.push(self.send(text.clone()).await?);
            back = self.read_back(&text).await?;
        }
        commits.sort();
        let middle = commits.get(COMMITS / 2).copied().unwrap_or_default();
        findings.push(if middle >= SLOW_COMMIT {
            let text =
                format!("{broker} takes {} ms for a commit: look at its disk, or the way to it", middle.as_millis());
            Finding::new(Severity::Warning, text)
        } else {
            good(format!("{broker} commits in {} ms", middle.as_millis().max(1)))
        });
        match back {
            Some(read) if read.seen().expires => findings.push(Finding::new(
                Severity::Error,
                format!(
                    "{broker} gives every message a lifetime, so sync records would be lost: exclude MQFERRY.> from \
                     the time-stamping plug-in"
                ),
            )),
            Some(_) => {}
            None => findings.push(Finding::new(
                Severity::Warning,
                format!("{broker} did not give our message back from {QUEUE}: another check may run, try again"),
            )),
        }
        Ok(findings)
    }

    /// Sends one in a transaction; gives how long the commit took.
    async fn send(&mut self, text: String) -> Result<Duration, TargetError> {
        let Self { session, limit, .. } = self;
        let doing = "trying a transaction";
        let transaction = session.next_transaction();
        session.connection.call(session.step(&transaction, TransactionType::Begin), doing, *limit).await?;
        let message = session.text(QUEUE, "preflight", text, Some(transaction.clone()));
        let mut asked = session.connection.ask(message.map_err(|error| session.unwritable(&error))?)?;
        let connection = &session.connection;
        let answer = connection.answer(&mut asked, doing, *limit).await?;
        answer.map_err(|why| refused_by(connection.broker(), QUEUE, &why.to_string()))?;
        let began = Instant::now();
        connection.call(session.step(&transaction, TransactionType::CommitOnePhase), doing, *limit).await?;
        Ok(began.elapsed())
    }

    /// Reads until the message with `text` is back; what others left is taken, too.
    async fn read_back(&mut self, text: &str) -> Result<Option<Read>, TargetError> {
        let Self { session, consumer, deliveries, limit } = self;
        let (doing, deadline) = ("reading back", Instant::now() + *limit);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(dispatch) = session.connection.next(deliveries, doing, left).await? else {
                return Ok(None);
            };
            let Some(read) = Read::of(*dispatch) else { continue };
            session.connection.call(acknowledge(QUEUE, consumer, read.id(), None), doing, *limit).await?;
            if read.seen().text == Some(text) {
                return Ok(Some(read));
            }
        }
    }
}
