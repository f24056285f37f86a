//! What the demonstration's queue manager has on its transmission queue.

use std::path::Path;

use crate::clock;
use crate::mapping::id;
use crate::partner::generator::{Numbered, Sample, msg_id, sample_of_header, sample_of_jms};
use crate::partner::{PartnerError, Putter};

use super::{GATEWAY, QUEUE};

/// Descriptor and body of messages that IBM's Java client wrote (see protocol-captures/ibm-jms).
macro_rules! jms {
    ($($name:literal),* $(,)?) => {
        &[$(($name,
            include_bytes!(concat!("../../../protocol-captures/ibm-jms/", $name, ".md.bin")),
            include_bytes!(concat!("../../../protocol-captures/ibm-jms/", $name, ".body.bin")))),*]
    };
}

/// Transmission-queue messages that IBM's header classes wrote (see protocol-captures/ibm-headers).
macro_rules! headers {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../protocol-captures/ibm-headers/", $name, ".bin")))),*]
    };
}

const JMS: &[(&str, &[u8], &[u8])] = jms![
    "001-text-ascii",
    "004-text-utf8",
    "014-text-ccsid-500",
    "031-bytes-encoding-273",
    "038-map-all-types",
    "042-stream-all-types",
    "046-object-hashmap",
    "051-props-all-types",
    "057-props-jmsx",
    "058-props-jmsx-groupid-id",
    "062-replyto-queue",
    "066-corr-string",
    "074-jmstype-mcd",
    "080-expiry-60s",
    "091-topic-plain",
];

const HEADERS: &[(&str, &[u8])] = headers![
    "001-xqh-md1-e273-c1208",
    "006-xqh-md1-e273-c37",
    "021-xqh-md1-e546-c500",
    "057-xqh-dlh-e273-c819",
    "108-xqh-mde-e273",
    "117-chain-xqh-mde-rfh2-e273",
    "118-chain-xqh-dlh-rfh2-rfh2-e273",
    "121-chain-mixed-e273",
];

/// The MsgIds of what was put, in order.
#[derive(Clone, Debug)]
pub(super) struct Sent(Vec<[u8; 24]>);

impl Sent {
    #[cfg(test)]
    pub(super) fn of(ids: Vec<[u8; 24]>) -> Self {
        Self(ids)
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// As JMS applications see them.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(id::text)
    }
}

/// Puts the numbered messages, then IBM's, on the transmission queue in `folder`. MsgIds begin with the time, so that those of
/// two demonstrations differ.
pub(super) fn fill(folder: &Path, messages: u32, size: usize) -> Result<Sent, PartnerError> {
    let run = u64::try_from(clock::wall_ms() / 1000).unwrap_or(0) << 32;
    let mut numbered = Numbered::new(u64::from(messages), QUEUE, GATEWAY);
    numbered.first = run + 1;
    numbered.size = size;
    numbered.put(folder)?;
    let mut ids: Vec<_> = (numbered.first..).take(messages as usize).map(msg_id).collect();
    let mut putter = Putter::open(folder)?;
    for (number, sample) in (run + 1 + u64::from(messages)..).zip(samples()?) {
        let sample = sample.addressed(QUEUE, GATEWAY, &msg_id(number))?;
        putter.put(&sample.message)?;
        ids.push(msg_id(number));
    }
    putter.commit()?;
    Ok(Sent(ids))
}

fn samples() -> Result<Vec<Sample>, PartnerError> {
    let jms = JMS.iter().map(|(name, md, body)| sample_of_jms(name, md, body));
    let headers = HEADERS.iter().map(|(name, bytes)| sample_of_header(name, bytes));
    jms.chain(headers).collect()
}
