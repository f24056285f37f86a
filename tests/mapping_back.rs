//! The way back. Here golden rule 4 on messages that IBM's own software wrote: out to a publication and back, every byte behind the
//! descriptor and every field in it is the same. In `list` the same for each line of the conformance list; in `rows` the rules
//! from the broker to MQ, one by one; in `publications` what an application of the broker's side sent, to MQ and back.

#[path = "support/ibm_samples.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod ibm_samples;
#[path = "mapping_back/list.rs"]
mod list;
#[path = "mapping_back/publications.rs"]
mod publications;
#[path = "mapping_back/rows.rs"]
mod rows;
#[path = "support/transmission.rs"]
mod transmission;

use std::fs;

use bytes::Bytes;
use mqferry::mapping::{Policy, publish};
use mqferry::message::{Envelope, Md};
use mqferry::wire::ByteOrder;
use transmission::{MSG_ID, NOW, assert_comes_back, assert_is, sending, transmission_to};

#[test]
fn what_ibm_jms_wrote_comes_back() {
    let samples = ibm_samples::files("ibm-jms");
    assert!(samples.len() >= 15);
    for (path, _) in samples {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let read = |extension: &str| fs::read(path.with_extension(extension)).unwrap();
        let mut md = Md::parse(&read("md.bin"), ByteOrder::Big).unwrap();
        md.msg_id = MSG_ID;
        let queue = name.split('-').next().unwrap();
        for (put_date, put_time) in [("", ""), ("20261123", "12131415")] {
            md.put_date = transmission::chars(put_date);
            md.put_time = transmission::chars(put_time);
            let envelope = transmission_to(&format!("ORACLE.C{queue}"), "AMQGW", &md, &read("body.bin"));
            let mut publication = assert_comes_back(&envelope, &name);
            // The same queue by its full name, and a time stamp of the client that sends it.
            publication.destination = format!("queue://MQ.QM1.ORACLE.C{queue}").parse().unwrap();
            publication.timestamp_ms = Some(NOW + 1);
            let (mut message, md) = (transmission::back(&publication), &envelope.md);
            (message.md.put_date, message.md.put_time) = (md.put_date, md.put_time);
            assert_is(&message, &envelope, &name, &publication);
        }
    }
}

#[test]
fn what_ibm_header_classes_wrote_comes_back() {
    let mut count = 0;
    for (path, sample) in ibm_samples::files("ibm-headers") {
        let bytes = Bytes::from(fs::read(path.with_extension("bin")).unwrap());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let envelope = Envelope::parse_as(vec![bytes.clone()], ibm_samples::first_of(&sample)).unwrap();
        if let Some(xqh) = &envelope.xqh {
            // As it is.
            let gateway = xqh.remote_q_mgr_name.text(envelope.coding);
            let policy = Policy { routes: transmission::policy().routes, ..Policy::named(gateway) };
            let publication = publish(&envelope, &policy, NOW).unwrap().publication;
            let message = mqferry::mapping::to_mq(&publication, &sending(&policy), NOW).unwrap();
            assert_is(&message, &envelope, &name, &publication);
        } else if !envelope.md_present {
            // Behind a descriptor that announces it.
            let first = ibm_samples::first_of(&sample);
            let md = Md {
                msg_id: MSG_ID,
                encoding: first.encoding,
                coded_char_set_id: first.ccsid,
                format: first.format,
                ..Md::default()
            };
            assert_comes_back(&transmission_to("Q", "AMQGW", &md, &bytes), &name);
        }
        count += 1;
    }
    assert!(count >= 20);
}
