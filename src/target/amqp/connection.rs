//! One AMQP connection with one session: opened within a limit, watched for its end, cut when it is of no more use.
//!
//! A wait for an outcome never ends by itself when the broker dies, so every wait goes through
//! [`Connection::wait`], which also ends when the connection does, and at a limit.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::connection::{ConnectionHandle, ConnectionStopReason, Error as ConnectionError, OpenError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::{BeginError, SessionHandle};
use fe2o3_amqp::types::definitions::{self, AmqpError, ErrorCondition};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::types::sasl::SaslCode;
use fe2o3_amqp::{Connection as Amqp, Session};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::stream::{Watch, Watched};
use crate::target::address::Endpoint;
use crate::target::failover::Refused;
use crate::target::speaks::{Meant, what_speaks};
use crate::target::stream::dial;
use crate::target::{Login, Side, TargetError};

/// Limit for the closing handshake, after which the socket is cut.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// An open connection with its session. Dropping it closes both, and cuts the socket soon after.
#[derive(Debug)]
pub(super) struct Connection {
    /// For attaching links.
    pub(super) session: SessionHandle<()>,
    /// What lies under it.
    pub(super) watch: Arc<Watch>,
    broker: String,
    lost: watch::Receiver<Option<End>>,
    close: CancellationToken,
}

/// How a connection ended.
#[derive(Clone, Debug)]
struct End {
    text: String,
    /// The broker could not make sense of what we sent; ActiveMQ's answer to a message above its limit.
    choked: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close.cancel();
    }
}

impl Connection {
    /// Connects, logs in, and begins a session as container `container_id`.
    pub(super) async fn open(settings: &Settings, endpoint: &Endpoint, container_id: &str) -> Result<Self, Refused> {
        let watch = Arc::new(Watch::default());
        let limit = settings.options.connect_timeout;
        let attempt = open_unbounded(settings, endpoint, container_id, watch.clone());
        match tokio::time::timeout(limit, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => {
                watch.cut();
                let text = match what_speaks(&watch.first_bytes(), Meant::Amqp) {
                    Some(text) => format!("{endpoint}: {text}"),
                    None => format!(
                        "{endpoint} did not answer within {limit:?}: check the address and what lies between, \
                         or whether the port wants TLS (amqps://)"
                    ),
                };
                Err(Refused::Target(TargetError { side: Side::Network, text, retry: true }))
            }
        }
    }

    /// Waits for `future`, for the end of the connection, or until `limit`, whichever comes first.
    pub(super) async fn wait<T, E, F>(&self, doing: &str, limit: Duration, future: F) -> Result<T, TargetError>
    where
        F: Future<Output = Result<T, E>>,
        E: Debug,
    {
        tokio::select! {
            biased;
            outcome = future => match outcome {
                Ok(value) => Ok(value),
                Err(error) => Err(self.failed(doing, &error).await),
            },
            reason = self.end_reason() => Err(self.lost_while(doing, &reason)),
            () = tokio::time::sleep(limit) => Err(TargetError {
                side: Side::Network,
                text: format!("{} did not answer within {limit:?} while {doing}: its store may be full or its disk slow", self.broker),
                retry: true,
            }),
        }
    }

    /// Waits until the connection has ended; says why.
    pub(super) async fn ended(&self) -> TargetError {
        let reason = self.end_reason().await;
        self.lost_while("idle", &reason)
    }

    async fn end_reason(&self) -> String {
        let mut lost = self.lost.clone();
        let end = lost.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        end.map_or_else(|| "the connection ended".to_owned(), |end| end.text)
    }

    /// Whether the broker closed the connection because of what we sent.
    pub(super) fn choked(&self) -> bool {
        self.lost.borrow().as_ref().is_some_and(|end| end.choked)
    }

    /// The error of a failed operation; the connection's own end explains more than what the operation saw of it.
    async fn failed(&self, doing: &str, error: &impl Debug) -> TargetError {
        match tokio::time::timeout(Duration::from_millis(100), self.end_reason()).await {
            Ok(reason) => self.lost_while(doing, &reason),
            Err(_) => TargetError {
                side: Side::Broker,
                text: format!("{} failed while {doing}: {}", self.broker, one_line(error)),
                retry: true,
            },
        }
    }

    fn lost_while(&self, doing: &str, reason: &str) -> TargetError {
        TargetError {
            side: Side::Network,
            text: format!("{} was lost while {doing}: {reason}", self.broker),
            retry: true,
        }
    }

    /// The broker, for messages.
    pub(super) fn broker(&self) -> &str {
        &self.broker
    }

    /// Ends it at once, without a word to the broker.
    pub(super) fn cut(&self) {
        self.watch.cut();
    }

    /// Ends it in an orderly way, within a limit.
    pub(super) async fn close(self) {
        self.close.cancel();
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.end_reason()).await;
        self.cut();
    }
}

async fn open_unbounded(
    settings: &Settings,
    endpoint: &Endpoint,
    container_id: &str,
    watch: Arc<Watch>,
) -> Result<Connection, Refused> {
    let stream = dial(endpoint, settings.tls.as_ref(), "AMQP").await?;
    let stream = Watched::new(stream, watch.clone());
    let profile = match &settings.login {
        Some(Login { user, password }) => {
            SaslProfile::Plain { username: user.clone(), password: password.as_str().to_owned() }
        }
        None => SaslProfile::Anonymous,
    };
    let idle = u32::try_from(settings.options.idle_timeout.as_millis()).unwrap_or(u32::MAX);
    // The stream is already in TLS where it should be; for the library it is always a plain one.
    let opened = Amqp::builder()
        .container_id(container_id)
        .hostname(endpoint.host.as_str())
        .sasl_hostname(endpoint.host.as_str())
        .scheme("amqp")
        .alt_tls_establishment(true)
        .max_frame_size(settings.options.max_frame_size)
        .idle_time_out(idle)
        .sasl_profile(profile)
        .open_with_stream(stream)
        .await;
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(error) => {
            return Err(match watch.closed() {
                Some(reason) if is_held(&reason) => held(endpoint, &reason),
                _ => open_failed(settings, endpoint, &watch, error).into(),
            });
        }
    };
    // A refused container id shows only now: the broker opens, then closes.
    let session = match Session::begin(&mut connection).await {
        Ok(session) => session,
        Err(error) => return Err(begin_failed(endpoint, connection, &watch, &error).await),
    };
    let (lost_tx, lost) = watch::channel(None);
    let close = CancellationToken::new();
    tokio::spawn(watch_end(connection, close.clone(), watch.clone(), lost_tx));
    Ok(Connection { session, watch, broker: endpoint.to_string(), lost, close })
}

/// Keeps the handle, which closes the connection when dropped, and tells when the connection has ended.
async fn watch_end(
    mut connection: ConnectionHandle<()>,
    close: CancellationToken,
    watch: Arc<Watch>,
    lost: watch::Sender<Option<End>>,
) {
    let outcome = tokio::select! {
        outcome = connection.on_close() => outcome,
        () = close.cancelled() => {
            tokio::time::timeout(CLOSE_LIMIT, connection.close()).await.unwrap_or(Ok(()))
        }
    };
    watch.cut();
    let reason = match &outcome {
        Err(ConnectionError::RemoteClosedWithError(error)) => Some(error.clone()),
        _ => watch.closed(),
    };
    let choked =
        reason.as_ref().is_some_and(|reason| reason.condition == ErrorCondition::AmqpError(AmqpError::DecodeError));
    let text = match (reason, outcome) {
        (Some(reason), _) => format!("it closed the connection: {}", say(&reason)),
        (None, Ok(())) => "it closed the connection".to_owned(),
        (None, Err(error)) => one_line(&error),
    };
    lost.send_replace(Some(End { text, choked }));
}

async fn begin_failed(
    endpoint: &Endpoint,
    mut connection: ConnectionHandle<()>,
    watch: &Watch,
    error: &BeginError,
) -> Refused {
    // The reason may come a moment after the session saw its end, and the library may drop it: what was read off the
    // wire decides.
    let ended = tokio::time::timeout(CLOSE_LIMIT, connection.on_close()).await;
    let reason = watch.closed().or(match (error, ended) {
        (BeginError::ConnectionStopped(ConnectionStopReason::RemoteClosedWithError(reason)), _) => Some(reason.clone()),
        (_, Ok(Err(ConnectionError::RemoteClosedWithError(reason)))) => Some(reason),
        _ => None,
    });
    match reason {
        Some(reason) if is_held(&reason) => held(endpoint, &reason),
        Some(reason) => Refused::Target(TargetError {
            side: Side::Broker,
            text: format!("{endpoint} opened and closed the connection: {}", say(&reason)),
            retry: true,
        }),
        None => Refused::Target(TargetError {
            side: Side::Broker,
            text: format!("{endpoint} opened no session: {}", one_line(error)),
            retry: true,
        }),
    }
}

fn held(endpoint: &Endpoint, reason: &definitions::Error) -> Refused {
    Refused::Held(format!("{endpoint}: {}", say(reason)))
}

/// `amqp:invalid-field` that names the container id: ActiveMQ's way to say that the id is in use.
fn is_held(error: &definitions::Error) -> bool {
    let names_container = error.info.as_ref().is_some_and(|info| {
        info.values().any(|value| match value {
            Value::Symbol(text) => text.as_str() == "container-id",
            Value::String(text) => text == "container-id",
            _ => false,
        })
    });
    error.condition == ErrorCondition::AmqpError(AmqpError::InvalidField) && names_container
}

fn open_failed(settings: &Settings, endpoint: &Endpoint, watch: &Watch, error: OpenError) -> TargetError {
    let error_at = |side, retry, text: String| TargetError { side, text: format!("{endpoint}: {text}"), retry };
    if let OpenError::SaslError { code, .. } = &error {
        let retry = matches!(code, SaslCode::SysTemp);
        return match &settings.login {
            Some(login) => error_at(
                Side::Broker,
                retry,
                format!("the broker refuses user {:?} or the password: check user and password_file", login.user),
            ),
            None => error_at(Side::Broker, retry, "the broker wants a login: set user and password_file".to_owned()),
        };
    }
    let first = watch.first_bytes();
    if let Some(text) = what_speaks(&first, Meant::Amqp) {
        return error_at(Side::Ours, false, text.to_owned());
    }
    match error {
        OpenError::NotImplemented(_) if first.starts_with(b"AMQP") => error_at(
            Side::Broker,
            false,
            match &settings.login {
                Some(_) => "the broker does not offer SASL PLAIN: enable it on the AMQP connector".to_owned(),
                None => "the broker does not let anonymous users in: set user and password_file".to_owned(),
            },
        ),
        OpenError::RemoteClosedWithError(error) => {
            let retry = error.condition != ErrorCondition::AmqpError(AmqpError::UnauthorizedAccess);
            error_at(Side::Broker, retry, format!("the broker refuses the connection: {}", say(&error)))
        }
        error if first.is_empty() && !endpoint.tls => error_at(
            Side::Network,
            true,
            format!("closed without a word ({}): if this is a TLS port, write amqps://", one_line(&error)),
        ),
        error => error_at(Side::Network, true, one_line(&error)),
    }
}

/// An AMQP error as a person reads it.
pub(super) fn say(error: &definitions::Error) -> String {
    let condition = condition_name(&error.condition);
    match &error.description {
        Some(description) if !description.is_empty() => one_line(&Plain(&format!("{description} ({condition})"))),
        _ => condition,
    }
}

/// The condition by its name in the protocol, such as `amqp:unauthorized-access`.
pub(super) fn condition_name(condition: &ErrorCondition) -> String {
    let symbol = serde_amqp::to_vec(condition).ok().and_then(|bytes| match serde_amqp::from_slice(&bytes) {
        Ok(Value::Symbol(symbol)) => Some(symbol.as_str().to_owned()),
        _ => None,
    });
    symbol.unwrap_or_else(|| format!("{condition:?}"))
}

struct Plain<'a>(&'a str);

impl Debug for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self.0, f)
    }
}

/// Any library error on one line of bounded length.
pub(super) fn one_line(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(400).collect()
}
