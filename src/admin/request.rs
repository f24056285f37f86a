//! What operators ask of a sending channel's record: RESOLVE CHANNEL and RESET CHANNEL. The admin address puts requests on the
//! desk, the gateway takes them off one by one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::channel::sender::Resolution;

/// Requests that may wait.
const ROOM: usize = 16;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// RESOLVE CHANNEL ACTION(COMMIT|BACKOUT).
    Resolve(Resolution),
    /// RESET CHANNEL SEQNUM.
    Reset {
        /// Number of the next message, 1 to SEQWRAP.
        seqnum: i32,
        /// Do it; otherwise say what it would do.
        really: bool,
    },
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The channel.
    pub channel: String,
    /// Whether anything was changed.
    pub changed: bool,
    /// What was done, or would be, in one line.
    pub text: String,
}

/// A request and the way back for its answer.
#[derive(Debug)]
pub struct Request {
    /// The channel.
    pub channel: String,
    /// What is asked for.
    pub operation: Operation,
    /// Takes the answer, or why it was not done.
    pub answer: oneshot::Sender<Result<Answered, String>>,
}

/// Where requests lie.
#[derive(Clone)]
pub(super) struct Desk {
    put: mpsc::Sender<Request>,
    take: Arc<Mutex<Option<mpsc::Receiver<Request>>>>,
}

impl Default for Desk {
    fn default() -> Self {
        let (put, take) = mpsc::channel(ROOM);
        Self { put, take: Arc::new(Mutex::new(Some(take))) }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    pub(super) async fn request(&self, channel: &str, operation: Operation) -> Result<Answered, String> {
        let (answer, answered) = oneshot::channel();
        let request = Request { channel: channel.to_owned(), operation, answer };
        let ending = || "the gateway is ending; ask again when it runs".to_owned();
        self.put.send(request).await.map_err(|_| ending())?;
        answered.await.map_err(|_| ending())?
    }

    pub(super) fn requests(&self) -> Option<mpsc::Receiver<Request>> {
        self.take.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
