//! Test messages: numbered ones, and those that IBM's software wrote.

use std::path::Path;

use super::transmission::{
    Draft, HEADER_LENGTH, KEPT, PROGRAM, USER, form_of, put_stamp, rewrite, transmission_header,
};
use super::{PartnerError, Putter};
use crate::wire::name::Name;

/// What numbered messages are made of.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// First number.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Bytes of each body, at least 20.
    pub size: usize,
    /// RemoteQName.
    pub remote_queue: String,
    /// RemoteQMgrName.
    pub remote_qmgr: String,
    /// Persistence 1, else 0.
    pub persistent: bool,
    /// Format MQSTR and CCSID 819, else no format: bytes.
    pub text: bool,
}

impl Numbered {
    /// Persistent text messages of 1 KiB, numbered from 1.
    pub fn new(count: u64, remote_queue: impl Into<String>, remote_qmgr: impl Into<String>) -> Self {
        Self {
            first: 1,
            count,
            size: 1024,
            remote_queue: remote_queue.into(),
            remote_qmgr: remote_qmgr.into(),
            persistent: true,
            text: true,
        }
    }

    /// Puts them all on the transmission queue in this folder.
    pub fn put(&self, folder: &Path) -> Result<(), PartnerError> {
        let name = |text: &str| Name::new(text).map_err(|error| PartnerError::Option(error.to_string()));
        let mut draft = Draft {
            remote_queue: name(&self.remote_queue)?,
            remote_qmgr: name(&self.remote_qmgr)?,
            msg_id: [0; 24],
            format: if self.text { Name::fitted("MQSTR") } else { Name::BLANK },
            encoding: 273,
            ccsid: 819,
            persistent: self.persistent,
            put_at: crate::clock::wall(),
            data: Vec::new(),
        };
        let mut putter = Putter::open(folder)?;
        for number in (self.first..).take(usize::try_from(self.count).unwrap_or(usize::MAX)) {
            draft.msg_id = msg_id(number);
            draft.data = body(number, self.size).into_bytes();
            putter.put(&draft.message())?;
        }
        putter.commit()
    }
}

/// MsgId of a numbered message: `AMQ QM1`, padded to 16 characters, and the number, big-endian.
pub fn msg_id(number: u64) -> [u8; 24] {
    let mut id = *b"AMQ QM1         \0\0\0\0\0\0\0\0";
    for (to, from) in id.iter_mut().skip(16).zip(number.to_be_bytes()) {
        *to = from;
    }
    id
}

/// Body of a numbered message: the number with 20 digits, a blank, and letters that differ from number to number.
pub fn body(number: u64, size: usize) -> String {
    let mut text = format!("{number:020} ");
    let turn = usize::try_from(number % 26).unwrap_or(0);
    let letters = (0..size.saturating_sub(text.len())).map(|at| {
        let step = u8::try_from((at + turn) % 26).unwrap_or(0);
        char::from(b'a' + step)
    });
    text.extend(letters);
    text.truncate(size.max(20));
    text
}

/// The number of a message by the first 20 characters of its body.
pub fn number_of(body: &[u8]) -> Option<u64> {
    std::str::from_utf8(body.get(..20)?).ok()?.parse().ok()
}

/// A message that IBM's software wrote, as it lies on a transmission queue.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Name of its file, without ending.
    pub name: String,
    /// The message in the queue's form, for [`Putter::put`].
    pub message: Vec<u8>,
}

impl Sample {
    /// The same for another queue and with another MsgId, as if that had been said at its put.
    pub fn addressed(mut self, queue: &str, qmgr: &str, msg_id: &[u8; 24]) -> Result<Self, PartnerError> {
        let name = |text: &str| Name::<48>::new(text).map_err(|error| PartnerError::Option(error.to_string()));
        let mut header = Vec::with_capacity(104);
        transmission_header(&mut header, &name(queue)?, &name(qmgr)?);
        let into = |message: &mut Vec<u8>, at: usize, bytes: &[u8]| {
            message.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
        };
        into(&mut self.message, 0, &header);
        into(&mut self.message, 152, msg_id);
        Ok(self)
    }
}

/// A sample of `protocol-captures/ibm-jms` from its descriptor and what followed it, without a destination. A missing MsgId
/// (see [`Sample::addressed`]) stays missing; the other fields that a queue manager fills in are filled in.
pub fn sample_of_jms(name: &str, md: &[u8], body: &[u8]) -> Result<Sample, PartnerError> {
    let mut message = Vec::with_capacity(104 + md.len() + 72 + body.len());
    transmission_header(&mut message, &Name::BLANK, &Name::BLANK);
    descriptor(&mut message, md)
        .ok_or_else(|| PartnerError::Option(format!("{name}: a descriptor has 324 or 364 bytes, not {}", md.len())))?;
    message.extend(body);
    Ok(Sample { name: name.to_owned(), message })
}

/// A sample of `protocol-captures/ibm-headers` that is a transmission-queue message.
pub fn sample_of_header(name: &str, bytes: &[u8]) -> Result<Sample, PartnerError> {
    let mut message = bytes.to_vec();
    let form =
        form_of(&message).ok_or_else(|| PartnerError::Option(format!("{name} is no transmission-queue message")))?;
    rewrite(&mut message, form, KEPT);
    Ok(Sample { name: name.to_owned(), message })
}

/// Loads the samples of `protocol-captures`, in the order of their names: of `ibm-jms` all, of `ibm-headers` those that are
/// transmission-queue messages. A missing MsgId is filled in.
pub fn samples(captures: &Path, remote_qmgr: &str) -> Result<Vec<Sample>, PartnerError> {
    let jms = captures.join("ibm-jms");
    let mut samples = Vec::new();
    for name in names(&jms, ".md.bin")? {
        let read = |ending: &str| {
            let path = jms.join(format!("{name}{ending}"));
            std::fs::read(&path).map_err(|e| PartnerError::file(&path, e))
        };
        let json = read(".json")?;
        let wrong = |why: &str| PartnerError::damaged(&jms.join(format!("{name}.json")), why.to_owned());
        let json: serde_json::Value = serde_json::from_slice(&json).map_err(|e| wrong(&e.to_string()))?;
        let queue = json.pointer("/destination/1").and_then(serde_json::Value::as_str);
        let queue = queue.ok_or_else(|| wrong("no queue name at destination[1]"))?;
        let sample = sample_of_jms(&name, &read(".md.bin")?, &read(".body.bin")?)?;
        let id = msg_id(0x1000_0000 + samples.len() as u64 + 1);
        samples.push(sample.addressed(queue.trim_end(), remote_qmgr, &id)?);
    }
    let headers = captures.join("ibm-headers");
    for name in names(&headers, ".bin")? {
        let path = headers.join(format!("{name}.bin"));
        let bytes = std::fs::read(&path).map_err(|e| PartnerError::file(&path, e))?;
        if form_of(&bytes).is_some() {
            samples.push(sample_of_header(&name, &bytes)?);
        }
    }
    Ok(samples)
}

/// The names of a folder's files with this ending, sorted, without it.
fn names(folder: &Path, ending: &str) -> Result<Vec<String>, PartnerError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| PartnerError::file(folder, e))? {
        let entry = entry.map_err(|e| PartnerError::file(folder, e))?;
        if let Some(name) = entry.file_name().to_str().and_then(|name| name.strip_suffix(ending)) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Appends a descriptor of version 1, and an MQMDE for the fields of version 2, as a queue manager puts a message on a
/// transmission queue (wire reference, headers, D). Big-endian and ASCII.
fn descriptor(message: &mut Vec<u8>, md: &[u8]) -> Option<()> {
    let (first, second) = md.split_at_checked(324)?;
    let mut first: [u8; 324] = first.try_into().ok()?;
    let fill = |field: Option<&mut [u8]>, with: &[u8]| {
        if let Some(field) = field.filter(|field| field.iter().all(|&byte| byte == 0)) {
            field.iter_mut().zip(with).for_each(|(to, from)| *to = *from);
        }
    };
    fill(first.get_mut(196..208), &USER);
    fill(first.get_mut(240..272), &[b' '; 32]);
    fill(first.get_mut(272..276), &28_i32.to_be_bytes()); // PutApplType Java
    fill(first.get_mut(276..304), &PROGRAM);
    fill(first.get_mut(304..320), &put_stamp(crate::clock::wall()));
    fill(first.get_mut(320..324), b"    ");
    if second.is_empty() {
        message.extend(first);
        return Some(());
    }
    let second: [u8; 40] = second.try_into().ok()?;
    let (described, format) = (first.get(24..32)?.to_vec(), first.get(32..40)?.to_vec());
    first.get_mut(4..8)?.copy_from_slice(&1_i32.to_be_bytes());
    first.get_mut(24..28)?.copy_from_slice(&273_i32.to_be_bytes());
    first.get_mut(28..32)?.copy_from_slice(&819_i32.to_be_bytes());
    first.get_mut(32..40)?.copy_from_slice(b"MQHMDE  ");
    message.extend(first);
    message.extend(b"MDE \0\0\0\x02\0\0\0\x48");
    message.extend(described);
    message.extend(format);
    message.extend([0; 4]); // Flags
    message.extend(second);
    debug_assert_eq!(message.len(), HEADER_LENGTH + 72);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::Xmitq;

    #[test]
    fn numbered_messages_can_be_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        Numbered { size: 64, ..Numbered::new(3, "TARGET", "GW") }.put(folder.path()).unwrap();
        Numbered { first: 4, ..Numbered::new(1, "TARGET", "GW") }.put(folder.path()).unwrap();
        let mut xmitq = Xmitq::open(folder.path(), false).unwrap();
        for number in 1..=4 {
            let message = xmitq.take().unwrap().unwrap();
            let (header, data) = message.split_at(HEADER_LENGTH);
            assert_eq!(form_of(&message), Some(KEPT));
            assert_eq!(header[152..176], msg_id(number));
            assert_eq!(data.len(), if number == 4 { 1024 } else { 64 });
            assert_eq!(number_of(data), Some(number));
        }
        assert!(!xmitq.has_more().unwrap());
    }
}
