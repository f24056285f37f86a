//! What the broker's exceptions mean to us.

use super::codec::Throwable;
use crate::target::address::Endpoint;
use crate::target::failover::Refused;
use crate::target::{Login, Refusal, Side, TargetError};

/// The answer to one message: it alone is refused, or the unit as a whole is lost.
pub(super) fn of_message(broker: &str, why: &Throwable) -> Result<Refusal, TargetError> {
    let text = one_line(why);
    let reason = match why.short_class() {
        "SecurityException" => Refusal::NOT_AUTHORIZED,
        "ResourceAllocationException" => Refusal::FULL,
        "InvalidDestinationException" | "DestinationDoesNotExistException" => Refusal::UNKNOWN_OBJECT,
        "MaxFrameSizeExceededException" => Refusal::TOO_BIG,
        // These are about the broker, the connection or the transaction, and the next message would be told the same.
        "IOException"
        | "InterruptedIOException"
        | "EOFException"
        | "BrokerStoppedException"
        | "ServiceStoppedException"
        | "ConnectionClosedException"
        | "IllegalStateException"
        | "TransactionRolledBackException"
        | "XAException" => {
            return Err(of_connection(&format!("{broker} takes no messages now"), why));
        }
        _ if Refusal::had_to_wait(&text) => Refusal::FULL,
        _ if text.contains("has not been started") => {
            return Err(of_connection(&format!("{broker} has lost the transaction"), why));
        }
        // ActiveMQ says JMSException for much; its texts are all there is.
        _ if text.to_ascii_lowercase().contains("destination") || text.contains("temp-") => Refusal::UNKNOWN_OBJECT,
        _ => Refusal::UNEXPECTED,
    };
    Ok(Refusal { reason, text })
}

/// What the gateway itself needs was refused.
pub(super) fn of_connection(what: &str, why: &Throwable) -> TargetError {
    TargetError { side: Side::Broker, text: format!("{what}: {}", one_line(why)), retry: !is_security(why) }
}

/// A queue of the gateway's own may not be used.
pub(super) fn of_queue(broker: &str, queue: &str, why: &Throwable) -> TargetError {
    TargetError {
        side: Side::Broker,
        retry: !is_security(why),
        text: format!(
            "{broker} lets us not use queue {queue}: {}: the user needs read, write and admin on MQFERRY.>",
            one_line(why)
        ),
    }
}

/// The broker does not let us in.
pub(super) fn of_login(endpoint: &Endpoint, login: Option<&Login>, why: &Throwable) -> Refused {
    // ActiveMQ's way to say that the id is in use.
    if why.short_class() == "InvalidClientIDException" {
        return Refused::Held(format!("{endpoint}: {}", one_line(why)));
    }
    let error = |retry, text| Refused::Target(TargetError { side: Side::Broker, text, retry });
    match (is_security(why), login) {
        (true, Some(login)) => error(
            false,
            format!(
                "{endpoint}: the broker refuses user {:?} or the password: check user and password_file",
                login.user
            ),
        ),
        (true, None) => error(false, format!("{endpoint}: the broker wants a login: set user and password_file")),
        (false, _) => error(true, format!("{endpoint}: the broker refuses the connection: {}", one_line(why))),
    }
}

/// Whether only a person can mend it.
fn is_security(why: &Throwable) -> bool {
    matches!(
        why.short_class(),
        "SecurityException"
            | "JMSSecurityException"
            | "LoginException"
            | "FailedLoginException"
            | "CredentialException"
    )
}

/// The broker's own words, on one line of bounded length.
fn one_line(why: &Throwable) -> String {
    let text = why.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(400).collect()
}
