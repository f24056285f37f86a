//! The record that a target keeps for a channel: the sync record and the lease on it, as text.
//!
//! Every target stores the same text, one JSON object, so that a person can read what lies in the broker
//! and a record can be carried from one target to another.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

use serde::{Deserialize, Serialize};

use super::{Side, TargetError};
use crate::channel::record::{ChannelKey, InDoubt, MessageName, SendRecord, SyncRecord};
use crate::mapping::Destination;
use crate::wire::Luwid;

/// The version of the text form that this build writes, and the only one that it reads.
pub const TEXT_VERSION: u32 = 1;

/// What a target stores for one channel: who holds it, and what was last committed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// The channel. It is part of the text, for the dots in queue names let two channels share one name.
    pub key: ChannelKey,
    /// One higher at each claim; a commit under an older epoch must fail.
    pub epoch: u64,
    /// Who claimed last; see [`fresh_holder`].
    pub holder: String,
    /// The sync record; none when the channel was claimed but never committed anything.
    pub sync: Option<SyncRecord>,
    /// The same of a sending channel.
    pub sending: Option<Sending>,
}

/// What is stored for a sending channel.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sending {
    /// Its record.
    pub record: SendRecord,
    /// The messages of the batch that the record has in doubt, in the order in which they were sent; at most as many as it says.
    pub in_doubt: Vec<Mark>,
}

impl Sending {
    /// What is stored for `record`, whose batch in doubt is made of the messages with these marks.
    ///
    /// # Errors
    /// When there are more than it says.
    pub(super) fn of(record: &SendRecord, in_doubt: Vec<Mark>) -> Result<Self, TargetError> {
        let most = record.in_doubt.map_or(0, |doubt| doubt.messages);
        if in_doubt.len() > most {
            let text = format!("{} messages in doubt are named where the record has {most}", in_doubt.len());
            return Err(TargetError { side: Side::Ours, text, retry: false });
        }
        Ok(Self { record: record.clone(), in_doubt })
    }
}

/// A message that lies at a target, by what the target keeps of it over redelivery and restart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    /// Where it lies; two messages at different places may bear one identity.
    pub from: Destination,
    /// OpenWire: connection, session and number of its producer, and its sequence number. Embedded and memory: its place.
    pub identity: String,
}

/// A stored record that this build cannot use. Nothing may be moved on its channel until a person has looked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not our text at all, or a field in it is wrong, missing, or unknown.
    #[error("sync record is malformed: {0}")]
    Malformed(String),
    /// Written by another version of the gateway.
    #[error("sync record has version {found}, this build knows {TEXT_VERSION}: run the build that wrote it")]
    Version {
        /// The version it says.
        found: u32,
    },
    /// The record is that of another channel.
    #[error("sync record belongs to {found}, not to {wanted}: rename one of the two channels or gateways")]
    OtherChannel {
        /// Channel that it names.
        found: String,
        /// Channel that was asked for.
        wanted: String,
    },
}

impl From<RecordError> for TargetError {
    fn from(error: RecordError) -> Self {
        Self { side: Side::Ours, text: error.to_string(), retry: false }
    }
}

/// The text form, field by field.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    mqferry_sync: u32,
    gateway: String,
    channel: String,
    partner: String,
    epoch: u64,
    holder: String,
    sync: Option<SyncText>,
    /// Only where the channel ever sent: texts of receiving channels have no such field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sending: Option<SendText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SendText {
    partner_id: String,
    sequence: i32,
    luwid: String,
    tell_reset: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_doubt: Option<InDoubtText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InDoubtText {
    luwid: String,
    /// Number of the last message.
    sequence: i32,
    /// How many messages were sent.
    count: usize,
    /// Identities in the order of sending, those that follow one another at one place together: `["queue://Q",["id","id"]]`.
    messages: Vec<(String, Vec<String>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SyncText {
    partner_id: String,
    sequence: i32,
    luwid: String,
    after_reset: bool,
    /// LUWID (16 hex digits) and number of a batch that a heartbeat committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_heartbeat: Option<(String, i32)>,
    /// Number and MsgId (48 hex digits) of each message.
    last_batch: Vec<(i32, String)>,
}

/// The one field that must be read before the others can be judged.
#[derive(Deserialize)]
struct VersionOnly {
    mqferry_sync: u32,
}

impl LeaseRecord {
    /// The text: one JSON object on one line, about 70 bytes a message of the last batch.
    pub fn to_text(&self) -> String {
        let text = Text {
            mqferry_sync: TEXT_VERSION,
            gateway: self.key.gateway.clone(),
            channel: self.key.channel.clone(),
            partner: self.key.partner.clone(),
            epoch: self.epoch,
            holder: self.holder.clone(),
            sync: self.sync.as_ref().map(|sync| SyncText {
                partner_id: sync.partner_id.clone(),
                sequence: sync.sequence,
                luwid: sync.luwid.to_string(),
                after_reset: sync.after_reset,
                at_heartbeat: sync.at_heartbeat.map(|(luwid, number)| (luwid.to_string(), number)),
                last_batch: sync.last_batch.iter().map(|name| (name.sequence, hex(&name.msg_id))).collect(),
            }),
            sending: self.sending.as_ref().map(SendText::from),
        };
        serde_json::to_string(&text).expect("strings and numbers always become JSON")
    }

    /// Reads the text of the record of `key`.
    ///
    /// # Errors
    /// When it is not such a text, of another version, or of another channel.
    pub fn from_text(key: &ChannelKey, bytes: &[u8]) -> Result<Self, RecordError> {
        let record = Self::from_any_text(bytes)?;
        if record.key == *key {
            Ok(record)
        } else {
            Err(RecordError::OtherChannel { found: describe(&record.key), wanted: describe(key) })
        }
    }

    /// Reads the text of whatever channel's record it is; for lists.
    ///
    /// # Errors
    /// When it is not such a text, or of another version.
    pub fn from_any_text(bytes: &[u8]) -> Result<Self, RecordError> {
        let malformed = |error: serde_json::Error| RecordError::Malformed(error.to_string());
        let VersionOnly { mqferry_sync: found } = serde_json::from_slice(bytes).map_err(malformed)?;
        if found != TEXT_VERSION {
            return Err(RecordError::Version { found });
        }
        let text: Text = serde_json::from_slice(bytes).map_err(malformed)?;
        Ok(Self {
            key: ChannelKey { gateway: text.gateway, channel: text.channel, partner: text.partner },
            epoch: text.epoch,
            holder: text.holder,
            sync: text.sync.map(SyncRecord::try_from).transpose()?,
            sending: text.sending.map(Sending::try_from).transpose()?,
        })
    }
}

impl From<&Sending> for SendText {
    fn from(sending: &Sending) -> Self {
        let Sending { record, in_doubt } = sending;
        Self {
            partner_id: record.partner_id.clone(),
            sequence: record.sequence,
            luwid: record.luwid.to_string(),
            tell_reset: record.tell_reset,
            in_doubt: record.in_doubt.map(|doubt| InDoubtText {
                luwid: doubt.luwid.to_string(),
                sequence: doubt.sequence,
                count: doubt.messages,
                messages: in_doubt
                    .chunk_by(|one, next| one.from == next.from)
                    .map(|run| {
                        let from = run.first().map_or_else(String::new, |mark| mark.from.to_string());
                        (from, run.iter().map(|mark| mark.identity.clone()).collect())
                    })
                    .collect(),
            }),
        }
    }
}

impl TryFrom<SendText> for Sending {
    type Error = RecordError;

    fn try_from(text: SendText) -> Result<Self, RecordError> {
        let mut marks = Vec::new();
        let mut in_doubt = None;
        if let Some(doubt) = text.in_doubt {
            for (from, identities) in doubt.messages {
                let from: Destination = from.parse().map_err(|_| {
                    RecordError::Malformed(format!("in_doubt names the place {from:?}, expected queue://NAME"))
                })?;
                marks.extend(identities.into_iter().map(|identity| Mark { from: from.clone(), identity }));
            }
            if marks.len() > doubt.count {
                let text = format!("in_doubt names {} messages and has count {}", marks.len(), doubt.count);
                return Err(RecordError::Malformed(text));
            }
            let luwid = Luwid(unhex("luwid of in_doubt", &doubt.luwid)?);
            in_doubt = Some(InDoubt { luwid, sequence: doubt.sequence, messages: doubt.count });
        }
        let record = SendRecord {
            partner_id: text.partner_id,
            sequence: text.sequence,
            luwid: Luwid(unhex("luwid", &text.luwid)?),
            in_doubt,
            tell_reset: text.tell_reset,
        };
        Ok(Self { record, in_doubt: marks })
    }
}

impl TryFrom<SyncText> for SyncRecord {
    type Error = RecordError;

    fn try_from(text: SyncText) -> Result<Self, RecordError> {
        let last_batch = text
            .last_batch
            .into_iter()
            .map(|(sequence, msg_id)| Ok(MessageName { sequence, msg_id: unhex("MsgId in last_batch", &msg_id)? }))
            .collect::<Result<_, RecordError>>()?;
        Ok(Self {
            partner_id: text.partner_id,
            sequence: text.sequence,
            luwid: Luwid(unhex("luwid", &text.luwid)?),
            last_batch,
            after_reset: text.after_reset,
            at_heartbeat: match text.at_heartbeat {
                Some((luwid, number)) => Some((Luwid(unhex("LUWID in at_heartbeat", &luwid)?), number)),
                None => None,
            },
        })
    }
}

/// The queue that holds the record of `key` on a broker: `MQFERRY.SYNC.<gateway>.<channel>.<partner>`.
///
/// The partner's name comes from outside, so bytes that no MQ name has (and that mean something in a broker's
/// queue names, such as `>`, `*`, `,` and `?`) are written `~XX`; a blank name is `~`.
pub fn sync_queue(key: &ChannelKey) -> String {
    format!("MQFERRY.SYNC.{}", joined(key, '.'))
}

/// The client id (AMQP: container id) under which a gateway runs the channel of `key`: one per channel, so that
/// the broker itself refuses a second holder.
pub fn client_id(key: &ChannelKey) -> String {
    format!("mqferry/{}", joined(key, '/'))
}

fn joined(key: &ChannelKey, between: char) -> String {
    let mut name = String::new();
    for (place, part) in [&key.gateway, &key.channel, &key.partner].into_iter().enumerate() {
        if place > 0 {
            name.push(between);
        }
        if part.trim().is_empty() {
            name.push('~');
        }
        for byte in part.trim_end().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'%' | b'/' => name.push(char::from(byte)),
                other => write!(name, "~{other:02X}").expect("a String takes everything"),
            }
        }
    }
    name
}

/// The channel of `key` as an operator reads it.
pub fn describe(key: &ChannelKey) -> String {
    format!("channel {} of gateway {} with queue manager {:?}", key.channel, key.gateway, key.partner)
}

/// A new name for a holder: process id and 16 random hex digits.
pub fn fresh_holder() -> String {
    format!("pid {} id {:016x}", std::process::id(), RandomState::new().hash_one(std::process::id()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

fn unhex<const N: usize>(field: &str, text: &str) -> Result<[u8; N], RecordError> {
    let wrong = || RecordError::Malformed(format!("{field} is {text:?}, expected {} hex digits", 2 * N));
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate() {
        let pair = text.get(2 * place..2 * place + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ChannelKey {
        ChannelKey { gateway: "GW1".into(), channel: "QMA.TO.GW".into(), partner: "QMA".into() }
    }

    fn record() -> LeaseRecord {
        LeaseRecord {
            key: key(),
            epoch: 7,
            holder: "pid 1 id 00000000000000ff".into(),
            sync: Some(SyncRecord {
                partner_id: "QMA_2019-12-05_11.17.01".into(),
                sequence: 42,
                luwid: Luwid([0x13, 0xdc, 0xa3, 0x3d, 0x21, 0x70, 1, 0]),
                last_batch: vec![MessageName {
                    sequence: 42,
                    msg_id: *b"AMQ QMA         \x01\x02\x03\x04\x05\x06\x07\xff",
                }],
                after_reset: false,
                at_heartbeat: None,
            }),
            sending: None,
        }
    }

    /// Written by hand: what lies in brokers today must stay readable.
    const TEXT: &str = concat!(
        r#"{"mqferry_sync":1,"gateway":"GW1","channel":"QMA.TO.GW","partner":"QMA","epoch":7,"#,
        r#""holder":"pid 1 id 00000000000000ff","sync":{"partner_id":"QMA_2019-12-05_11.17.01","sequence":42,"#,
        r#""luwid":"13DCA33D21700100","after_reset":false,"#,
        r#""last_batch":[[42,"414d5120514d4120202020202020202001020304050607ff"]]}}"#
    );

    #[test]
    fn text_is_as_promised_and_reads_back() {
        assert_eq!(record().to_text(), TEXT);
        assert_eq!(LeaseRecord::from_text(&key(), TEXT.as_bytes()), Ok(record()));
        let unused = LeaseRecord { sync: None, ..record() };
        assert_eq!(LeaseRecord::from_text(&key(), unused.to_text().as_bytes()), Ok(unused));
    }

    /// Behind the sync record where the channel sends.
    const SENDING: &str = concat!(
        r#","sending":{"partner_id":"","sequence":7,"luwid":"13DCA33D21700101","tell_reset":true,"in_doubt":{"#,
        r#""luwid":"13DCA33D21700102","sequence":11,"count":4,"messages":[["queue://A",["p:1:1:5","p:1:1:6"]],"#,
        r#"["queue://B",["p:1:1:5"]],["queue://A",["p:1:1:5"]]]}}}"#
    );

    #[test]
    fn a_sending_channel_says_what_is_in_doubt_and_where_it_lies() {
        let mark =
            |from: &str, identity: &str| Mark { from: Destination::Queue(from.into()), identity: identity.into() };
        let record = LeaseRecord {
            sending: Some(Sending {
                record: SendRecord {
                    partner_id: String::new(),
                    sequence: 7,
                    luwid: Luwid([0x13, 0xdc, 0xa3, 0x3d, 0x21, 0x70, 1, 1]),
                    in_doubt: Some(InDoubt {
                        luwid: Luwid([0x13, 0xdc, 0xa3, 0x3d, 0x21, 0x70, 1, 2]),
                        sequence: 11,
                        messages: 4,
                    }),
                    tell_reset: true,
                },
                in_doubt: vec![mark("A", "p:1:1:5"), mark("A", "p:1:1:6"), mark("B", "p:1:1:5"), mark("A", "p:1:1:5")],
            }),
            ..record()
        };
        let text = format!("{}{SENDING}", TEXT.strip_suffix('}').unwrap());
        assert_eq!(record.to_text(), text);
        assert_eq!(LeaseRecord::from_text(&key(), text.as_bytes()), Ok(record));
        let says = |text: &str| LeaseRecord::from_text(&key(), text.as_bytes()).unwrap_err().to_string();
        assert!(says(&text.replace("\"count\":4", "\"count\":3")).contains("names 4 messages and has count 3"));
        assert!(says(&text.replace("queue://B", "")).contains("expected queue://NAME"));
        assert!(says(&text.replace("13DCA33D21700102", "13")).contains("luwid of in_doubt"));
    }

    #[test]
    fn wrong_texts_are_refused_with_the_reason() {
        let says = |text: &str| LeaseRecord::from_text(&key(), text.as_bytes()).unwrap_err().to_string();
        assert!(says("barrier").starts_with("sync record is malformed: expected value at line 1"));
        assert!(says(&TEXT.replace("\"mqferry_sync\":1", "\"mqferry_sync\":2,\"new\":0")).contains("version 2"));
        assert!(says(&TEXT.replace("\"epoch\"", "\"extra\":1,\"epoch\"")).contains("unknown field `extra`"));
        assert!(says(&TEXT.replace("\"sequence\":42", "\"seq\":42")).contains("unknown field `seq`"));
        assert!(says(&TEXT.replace("13DCA33D21700100", "13DCA33D")).contains("luwid is \"13DCA33D\", expected 16 hex"));
        assert!(says(&TEXT.replace("13DCA33D21700100", "13DCA33D2170é00")).contains("expected 16 hex"));
        assert!(says(&TEXT.replace("07ff\"", "07+f\"")).contains("MsgId in last_batch"));
        assert!(says(&TEXT.replace("\"partner\":\"QMA\"", "\"partner\":\"QMB\"")).contains("queue manager \"QMB\""));
    }

    #[test]
    fn queue_names_hold_nothing_that_a_broker_reads_as_more_than_a_name() {
        assert_eq!(sync_queue(&key()), "MQFERRY.SYNC.GW1.QMA.TO.GW.QMA");
        assert_eq!(client_id(&key()), "mqferry/GW1/QMA.TO.GW/QMA");
        let hostile = ChannelKey { partner: "A>*,?é ~".into(), ..key() };
        assert_eq!(sync_queue(&hostile), "MQFERRY.SYNC.GW1.QMA.TO.GW.A~3E~2A~2C~3F~C3~A9~20~7E");
        assert_eq!(sync_queue(&ChannelKey { partner: "  ".into(), ..key() }), "MQFERRY.SYNC.GW1.QMA.TO.GW.~");
        assert_ne!(fresh_holder(), fresh_holder());
    }
}
