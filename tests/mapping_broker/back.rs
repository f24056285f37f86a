//! What came back to MQ, against what came from there.

use std::collections::BTreeMap;

use bytes::Bytes;
use mqferry::mapping::{Body, MqMessage, Publication, Sending, Value, publish, to_mq};
use mqferry::message::{Chars, Envelope, Header, Md, Xqh};

use crate::cases::Case;
use crate::support::jms::Client;
use crate::transmission::fields;
use crate::{NUMBER, is_hidden, now_ms};

/// What every JMS client makes anew for what it sends, whoever wrote it.
const OF_SENDING: [&str; 3] = ["MsgId", "PutDate", "PutTime"];

/// One message, and what of it came back in the forms in which a JMS application sent it on.
pub(crate) struct Returned<'a> {
    pub(crate) case: &'a Case,
    pub(crate) publication: &'a Publication,
    pub(crate) client: Client,
}

impl Returned<'_> {
    /// Everything that is not as it was, but for what the application changed; a line each.
    pub(crate) fn differences<'f>(&self, form: impl Fn(&str) -> Option<&'f Publication>) -> Vec<String> {
        let mq = |name: &str| form(name).map(|publication| self.to_mq(name, publication)).transpose();
        let (forwarded, copied, changed, more) = match (mq("FWD"), mq("CPY"), mq("CHG"), mq("APP")) {
            (Ok(Some(forwarded)), Ok(Some(copied)), Ok(Some(changed)), Ok(more)) => (forwarded, copied, changed, more),
            results => return vec![format!("{results:?}")],
        };
        let mut found = self.not_the_same("forwarded", &forwarded);
        if self.publication.properties.keys().any(|name| is_hidden(name, self.client)) {
            found.extend(self.not_without_the_hidden(&forwarded, &copied));
        } else {
            found.extend(self.not_the_same("copied", &copied));
        }
        found.extend(self.not_with_a_property(&copied, &changed));
        found.extend(more.iter().flat_map(|more| self.not_with_more(&copied, more)));
        found
    }

    fn to_mq(&self, partner: &str, publication: &Publication) -> Result<MqMessage, String> {
        let mut publication = publication.clone();
        publication.properties.remove(NUMBER);
        let coding = self.case.envelope.coding;
        let sending = Sending { policy: &self.case.policy, partner, coding, reply_alias: None, mcauser: "" };
        to_mq(&publication, &sending, now_ms()).map_err(|refused| refused.to_string())
    }

    /// Golden rule 4.
    fn not_the_same(&self, what: &str, message: &MqMessage) -> Vec<String> {
        let envelope = &self.case.envelope;
        let (mut came, goes) = (envelope.data().to_vec(), message.data());
        if what == "copied" && self.client == Client::ActiveMq && matches!(self.publication.body, Body::Object(_)) {
            came.push(b'y'); // ActiveMQ's client ends its object streams with a reset
        }
        let mut found = Vec::new();
        if came != goes {
            let show = |bytes: &[u8]| bytes[..bytes.len().min(1500)].escape_ascii().to_string();
            found.push(format!("{what}: data\n    came {}\n    goes {}", show(&came), show(&goes)));
        }
        found.extend(self.not_the_same_fields(what, &envelope.md, message, &[]));
        found
    }

    fn not_the_same_fields(&self, what: &str, came: &Md, message: &MqMessage, but: &[&str]) -> Vec<String> {
        let goes = fields(&message.md, message.coding);
        let came = fields(came, message.coding).into_iter();
        let came = came.filter(|(name, _)| !OF_SENDING.contains(name) && !but.contains(name));
        came.filter(|(name, value)| goes.get(name) != Some(value))
            .map(|(name, value)| format!("{what}: {name} came {value:?}, goes {:?}", goes.get(name)))
            .collect()
    }

    /// A copy lacks just the properties that the client does not show.
    fn not_without_the_hidden(&self, forwarded: &MqMessage, copied: &MqMessage) -> Vec<String> {
        let mut should = application(&self.again(forwarded));
        should.retain(|name, _| !is_hidden(name, self.client));
        let is = application(&self.again(copied));
        differ("copied without what is hidden", &is, &should)
    }

    /// A property more is all that is different.
    fn not_with_a_property(&self, copied: &MqMessage, changed: &MqMessage) -> Vec<String> {
        // Where there was none, an MQRFH2 comes into being, and says what the message had without one.
        let is_new = !self.case.envelope.chain.iter().any(|placed| matches!(placed.header, Header::Rfh2(_)));
        let mut should = application(&self.again(copied));
        should.insert("relayed".to_owned(), Value::Int(7));
        let mut is = application(&self.again(changed));
        let mut but: &[&str] = &[];
        if is_new {
            is.retain(|name, _| should.contains_key(name));
            but = &["Format", "Encoding", "CodedCharSetId"];
            let of_form = ["JMS_IBM_MQMD_Format", "JMS_IBM_MQMD_Encoding", "JMS_IBM_MQMD_CodedCharSetId"];
            of_form.iter().for_each(|name| {
                is.remove(*name);
                should.remove(*name);
            });
        }
        let mut found = differ("changed", &is, &should);
        found.extend(self.not_the_same_fields("changed", &copied.md, changed, but));
        if changed.body != copied.body {
            found.push("changed: the body, too".to_owned());
        }
        found
    }

    /// More at the end of the body is all that is different.
    fn not_with_more(&self, copied: &MqMessage, more: &MqMessage) -> Vec<String> {
        if self.publication.properties.contains_key("MQFERRY_NullText") {
            return Vec::new(); // now it is a text
        }
        let mut found = self.not_the_same_fields("with more", &copied.md, more, &[]);
        if more.headers != copied.headers {
            found.push("with more: other headers".to_owned());
        }
        if !more.body.starts_with(&copied.body) {
            found.push(format!("with more: begins {:?}, not {:?}", more.body, copied.body));
        }
        let should = match &self.publication.body {
            Body::Text(text) => Body::Text(format!("{text} AND MORE")),
            Body::Bytes(bytes) => Body::Bytes([bytes, &b" AND MORE"[..]].concat().into()),
            other => other.clone(),
        };
        let is = self.again(more).body;
        // What was no text of its CCSID may be one with more behind it.
        if is != should && !self.publication.properties.contains_key("MQFERRY_Convert") {
            found.push(format!("with more: {is:?}, not {should:?}"));
        }
        found
    }

    /// The message sent to us again.
    fn again(&self, message: &MqMessage) -> Publication {
        let (coding, gateway) = (message.coding, &self.case.policy.name);
        let mut bytes = Vec::new();
        let names = (Chars::from_text_cut("AGAIN", coding), Chars::from_text_cut(gateway, coding));
        Xqh::new(names.0, names.1).encode_to(&mut bytes, coding);
        message.md.encode_to(&mut bytes, coding);
        bytes.extend_from_slice(&message.data());
        let envelope = Envelope::parse(vec![Bytes::from(bytes)], coding.byte_order, coding.ccsid()).unwrap();
        publish(&envelope, &self.case.policy, now_ms()).unwrap().publication
    }
}

/// Properties, but for those that tell how the message was written, and when it was put.
fn application(publication: &Publication) -> BTreeMap<String, Value> {
    const FORM: [&str; 5] = ["MQFERRY_RAW_", "MQFERRY_RFH2_", "MQFERRY_bin", "MQFERRY_char", "JMS_IBM_Put"];
    let is_form = |name: &str| FORM.iter().any(|prefix| name.starts_with(prefix));
    publication.properties.iter().filter(|(name, _)| !is_form(name)).map(|(n, v)| (n.to_string(), v.clone())).collect()
}

fn differ(what: &str, is: &BTreeMap<String, Value>, should: &BTreeMap<String, Value>) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = is.keys().chain(should.keys()).collect();
    // As text, for NaN is not itself.
    let shown = |all: &BTreeMap<String, Value>, name: &str| format!("{:?}", all.get(name));
    names
        .into_iter()
        .filter(|name| shown(is, name) != shown(should, name))
        .map(|name| format!("{what}: {name} is {}, not {}", shown(is, name), shown(should, name)))
        .collect()
}
