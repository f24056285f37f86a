//! Every message that IBM's own software wrote, taken apart and put together again. What it should hold stands
//! beside it in a JSON file, written by the program that made it, not by us.

#[path = "support/ibm_samples.rs"]
mod ibm_samples;

use std::fs;
use std::path::Path;

use bytes::Bytes;
use ibm_samples::{description, files, first_of};
use mqferry::message::{Chars, Coding, Envelope, FieldValue, Header, Md, MdV2, Mde, Structure, Xqh};
use mqferry::wire::ByteOrder;
use serde_json::Value;

fn int(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap()).unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The fields as the JSON has them: name and value, text without its padding. MQRFH2's folders, which the fixed part
/// does not show, are left out.
fn expected_fields(fields: &Value) -> Vec<(String, FieldValue)> {
    let value = |field: &Value| match &field["value"] {
        Value::Number(_) => FieldValue::Int(int(&field["value"])),
        Value::String(text) => match text.strip_prefix("hex:") {
            Some(hex) => FieldValue::Bytes(unhex(hex).into()),
            None => FieldValue::Text(text.trim_end_matches([' ', '\0']).to_owned()),
        },
        other => panic!("{other}"),
    };
    let shown = |field: &&Value| field["name"] != "NameValueData";
    fields
        .as_array()
        .unwrap()
        .iter()
        .filter(shown)
        .map(|field| (field["name"].as_str().unwrap().to_owned(), value(field)))
        .collect()
}

fn found_fields(structure: &Structure) -> Vec<(String, FieldValue)> {
    structure.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// Name, offset, length and fields of a structure.
type Expected = (String, usize, usize, Vec<(String, FieldValue)>);

/// What the JSON says of the file's structures. MQXQH's descriptor stands alone.
fn expected_structures(sample: &Value) -> Vec<Expected> {
    let mut all = Vec::new();
    for header in sample["headers"].as_array().unwrap() {
        let class = header["class"].as_str().unwrap().to_owned();
        let (offset, length) = (int(&header["offset"]) as usize, int(&header["length"]) as usize);
        let mut fields = header["fields"].as_array().unwrap().clone();
        if class == "MQXQH" {
            let descriptor = fields.pop().unwrap();
            assert_eq!(descriptor["name"], "MsgDesc");
            all.push((class, offset, 104, expected_fields(&fields.into())));
            all.push(("MQMD".to_owned(), offset + 104, 324, expected_fields(&descriptor["value"])));
        } else {
            let class = if class.starts_with("MQMD") && class != "MQMDE" { "MQMD".to_owned() } else { class };
            all.push((class, offset, length, expected_fields(&fields.into())));
        }
    }
    all
}

#[test]
fn every_header_sample_has_the_fields_of_its_json_and_comes_out_again() {
    let mut seen = 0;
    for (path, sample) in files("ibm-headers") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let bytes = Bytes::from(fs::read(path.with_extension("bin")).unwrap());
        let envelope = Envelope::parse_as(vec![bytes.clone()], first_of(&sample)).unwrap();

        assert_eq!(envelope.notes, [] as [&str; 0], "{name}");
        let found = envelope.structures();
        let expected = expected_structures(&sample);
        assert_eq!(
            found.iter().map(|found| (found.name, found.offset, found.length)).collect::<Vec<_>>(),
            expected.iter().map(|(name, offset, length, _)| (name.as_str(), *offset, *length)).collect::<Vec<_>>(),
            "{name}"
        );
        for (found, (_, _, _, fields)) in found.iter().zip(&expected) {
            assert_eq!(&found_fields(found), fields, "{name} {}", found.name);
        }
        assert_eq!(envelope.body.offset, int(&sample["body_offset"]) as usize, "{name}");
        assert_eq!(envelope.body.bytes(), unhex(sample["body_hex"].as_str().unwrap()), "{name}");
        assert_eq!(envelope.encode(), bytes, "{name}");
        check_folders(&name, &envelope, &sample);
        seen += 1;
    }
    assert_eq!(seen, 20);
}

/// The folders, each with its length in front, are the NameValueData that was written.
fn check_folders(name: &str, envelope: &Envelope, sample: &Value) {
    let mut written = sample["headers"].as_array().unwrap().iter().filter(|header| header["class"] == "MQRFH2");
    for (rfh2, byte_order) in envelope.rfh2s() {
        let fields = written.next().unwrap()["fields"].as_array().unwrap().clone();
        let data = fields.iter().find(|field| field["name"] == "NameValueData").unwrap();
        let mut found = Vec::new();
        for folder in &rfh2.folders {
            found.extend_from_slice(&byte_order.i32_bytes(i32::try_from(folder.len()).unwrap()));
            found.extend_from_slice(folder);
        }
        // 121 was written in 546, but its JSON has the lengths as 273 would show them.
        if name != "121-chain-mixed-e273" {
            assert_eq!(found, unhex(data["value"].as_str().unwrap().strip_prefix("hex:").unwrap()), "{name}");
        }
        for text in rfh2.folder_texts(byte_order) {
            let text = text.unwrap();
            assert!(text.starts_with('<') && text.ends_with('>'), "{name}: {text:?}");
        }
    }
    assert!(written.next().is_none(), "{name}");
}

#[test]
fn every_jms_sample_has_the_descriptor_of_its_json_and_comes_out_again() {
    let mut seen = 0;
    for (path, sample) in files("ibm-jms") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let descriptor = fs::read(path.with_extension("md.bin")).unwrap();
        let data = fs::read(path.with_extension("body.bin")).unwrap();
        let message = Bytes::from([descriptor.as_slice(), &data].concat());
        let envelope = Envelope::parse_as(vec![message.clone()], description("MQMD", 273, 1208)).unwrap();
        check_descriptor(&name, &envelope, &sample["mqmd"]);
        check_rfh2(&name, &envelope, &sample);
        assert_eq!(envelope.body.bytes(), unhex(sample["payload_hex"].as_str().unwrap()), "{name}");
        assert_eq!(envelope.encode(), message, "{name}");

        let transmitted = on_a_transmission_queue(&descriptor, &data);
        let split = transmitted.chunks(100).map(Bytes::copy_from_slice).collect();
        let envelope = Envelope::parse(split, ByteOrder::Big, 1208).unwrap();
        assert_eq!(envelope.xqh.as_ref().unwrap().remote_q_name.text(envelope.coding), "TARGET", "{name}");
        check_rfh2(&name, &envelope, &sample);
        assert_eq!(
            envelope.v2().map(|v2| v2.msg_seq_number),
            sample["mqmd"]["msgseqnumber"].as_i64().map(|n| n as i32)
        );
        assert_eq!(envelope.body.bytes(), unhex(sample["payload_hex"].as_str().unwrap()), "{name}");
        assert_eq!(envelope.encode(), transmitted, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 15);
}

fn check_descriptor(name: &str, envelope: &Envelope, expected: &Value) {
    let found: serde_json::Map<String, Value> = envelope
        .md
        .fields(envelope.coding)
        .into_iter()
        .map(|(field, value)| {
            let value = match value {
                FieldValue::Int(int) => int.into(),
                FieldValue::Text(text) => text.into(),
                FieldValue::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
            };
            let field = match field {
                "CodedCharSetId" => "ccsid".to_owned(),
                "UserIdentifier" => "userid".to_owned(),
                other => other.to_lowercase(),
            };
            (field, value)
        })
        .collect();
    let expected: serde_json::Map<String, Value> = expected
        .as_object()
        .unwrap()
        .iter()
        .map(|(field, value)| match value {
            Value::String(text) => (field.clone(), text.trim_end_matches([' ', '\0']).into()),
            other => (field.clone(), other.clone()),
        })
        .collect();
    assert_eq!(found, expected, "{name}");
}

fn check_rfh2(name: &str, envelope: &Envelope, sample: &Value) {
    let expected = sample["rfh2"].as_array().unwrap();
    assert_eq!(envelope.rfh2s().count(), expected.len(), "{name}");
    for ((rfh2, byte_order), expected) in envelope.rfh2s().zip(expected) {
        assert_eq!(rfh2.length(), int(&expected["struclength"]) as usize, "{name}");
        assert_eq!(rfh2.encoding, int(&expected["encoding"]), "{name}");
        assert_eq!(rfh2.coded_char_set_id, int(&expected["ccsid"]), "{name}");
        assert_eq!(rfh2.name_value_ccsid, int(&expected["namevalueccsid"]), "{name}");
        let folders = expected["folders"].as_array().unwrap();
        assert_eq!(rfh2.folders.len(), folders.len(), "{name}");
        for (folder, expected) in rfh2.folders.iter().zip(folders) {
            assert_eq!(folder, &unhex(expected["hex"].as_str().unwrap()), "{name}");
            let text = rfh2.folder_text(folder, byte_order).unwrap();
            assert_eq!(text, expected["text"].as_str().unwrap().trim_end_matches(' '), "{name}");
        }
    }
    let last = expected.last().unwrap();
    let announced = (envelope.body.format.as_str(), envelope.body.ccsid, envelope.body.encoding);
    let format = last["format"].as_str().unwrap().trim_end();
    assert_eq!(announced, (format, int(&last["ccsid"]), int(&last["encoding"])), "{name}");
}

/// A message as a queue manager puts it on a transmission queue: MQXQH, a version 1 descriptor, and MQMDE for what
/// version 2 has beyond it.
fn on_a_transmission_queue(descriptor: &[u8], data: &[u8]) -> Vec<u8> {
    let coding = Coding::default();
    let name = |text| Chars::from_text(text, coding).unwrap();
    let mut out = Xqh::new(name("TARGET"), name("GW")).encode(coding);
    let mut md = Md::parse(descriptor, ByteOrder::Big).unwrap();
    let extension = md.v2.take().map(|v2: MdV2| {
        let Md { encoding, coded_char_set_id, format, .. } = md;
        md.format = Chars::from_text("MQHMDE", coding).unwrap();
        Mde { encoding, coded_char_set_id, format, flags: 0, v2 }
    });
    md.encode_to(&mut out, coding);
    if let Some(mde) = extension {
        mde.encode_to(&mut out, coding);
    }
    out.extend_from_slice(data);
    out
}

#[test]
fn groups_come_as_an_extension() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures/ibm-jms");
    let descriptor = fs::read(folder.join("057-props-jmsx.md.bin")).unwrap();
    let data = fs::read(folder.join("057-props-jmsx.body.bin")).unwrap();
    let message = on_a_transmission_queue(&descriptor, &data);
    let envelope = Envelope::parse(vec![message.into()], ByteOrder::Big, 1208).unwrap();
    assert!(matches!(envelope.chain[0].header, Header::Mde(_)));
    let v2 = envelope.v2().unwrap();
    assert_eq!(&v2.group_id[..8], b"group-1\0");
    assert_eq!((v2.msg_seq_number, v2.offset, v2.msg_flags, v2.original_length), (3, 0, 8, -1));
}
