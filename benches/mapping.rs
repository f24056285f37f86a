//! One message through the mapping: taken apart, made a publication (which maps it back at once and compares, golden rule 4),
//! and a publication made a message again. `cargo bench --bench mapping`; `tests/mapping_garbage.rs` counts allocations.
//!
//! The text is 1 KiB; the MQRFH2 has ten properties, in the order of a hash table as IBM's client writes them, or sorted.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use criterion::Criterion;
use mqferry::codepage;
use mqferry::mapping::{Policy, Publication, Sending, publish, to_mq};
use mqferry::message::{Chars, Coding, Envelope, Md, Rfh2, Xqh};
use mqferry::wire::ByteOrder;

const NOW: i64 = 1_795_443_300_000;

const MCD: &str = "<mcd><Msd>jms_text</Msd></mcd>";
const JMS: &str = "<jms><Dst>queue:///PAYMENTS</Dst><Tms>1795443227149</Tms><Dlv>2</Dlv></jms>";
const SORTED: &str = "<usr><amount dt='r8'>1204.5</amount><attempt dt='i2'>1</attempt><branch>Leeds</branch>\
    <channel>online</channel><currency>GBP</currency><customer dt='i8'>4711081512</customer><instant dt='boolean'>1</instant>\
    <kind>SEPA</kind><number dt='i4'>4711</number><reference>INV-2026-11-23-000017</reference></usr>";
const HASHED: &str = "<usr><number dt='i4'>4711</number><currency>GBP</currency><instant dt='boolean'>1</instant>\
    <reference>INV-2026-11-23-000017</reference><customer dt='i8'>4711081512</customer><attempt dt='i2'>1</attempt>\
    <kind>SEPA</kind><amount dt='r8'>1204.5</amount><channel>online</channel><branch>Leeds</branch></usr>";
const TEXT: &str =
    "<payment id=\"4711\"><debtor>Mary Smith, 12 Main St.</debtor><amount cur=\"GBP\">1204.50</amount></payment>\n";

/// What is measured: a name, the usr folder if any, and the CCSID of the text.
const CASES: [(&str, Option<&str>, i32); 5] = [
    ("ten properties, as IBM's client orders them, UTF-8", Some(HASHED), 1208),
    ("ten properties, sorted, UTF-8", Some(SORTED), 1208),
    ("ten properties, as IBM's client orders them, EBCDIC text", Some(HASHED), 500),
    ("no MQRFH2, UTF-8", None, 1208),
    ("no MQRFH2, EBCDIC text", None, 500),
];

/// A message as it lies on a transmission queue.
fn message(usr: Option<&str>, ccsid: i32) -> Bytes {
    let coding = Coding::default();
    let chars = |text: &str| Chars::from_text_cut(text, coding);
    let mut out = Vec::new();
    Xqh::new(chars("PAYMENTS"), Chars::from_text_cut("AMQGW", coding)).encode_to(&mut out, coding);
    let encoding = if ccsid == 500 { 785 } else { 273 };
    let body = codepage::encode(ccsid, &TEXT.repeat(11)[..1024]).expect("the text is in the page");
    let md = Md {
        priority: 4,
        persistence: 1,
        msg_id: *b"AMQ QM1         \0\x01\x02\x03\xFC\xFD\xFE\xFF",
        user_identifier: Chars::from_text_cut("appuser", coding),
        put_appl_type: 28,
        put_appl_name: Chars::from_text_cut("com.example.Payments", coding),
        put_date: Chars::from_text_cut("20261123", coding),
        put_time: Chars::from_text_cut("12345678", coding),
        ..Md::default()
    };
    match usr {
        Some(usr) => {
            Md { format: Chars::from_text_cut("MQHRF2", coding), ..md }.encode_to(&mut out, coding);
            let rfh2 = Rfh2 {
                encoding,
                coded_char_set_id: ccsid,
                format: Chars::from_text_cut("MQSTR", coding),
                flags: 0,
                name_value_ccsid: 1208,
                folders: [MCD, JMS, usr].into_iter().map(Rfh2::folder_bytes).collect(),
            };
            rfh2.encode_to(&mut out, coding);
        }
        None => {
            let format = Chars::from_text_cut("MQSTR", coding);
            Md { format, encoding, coded_char_set_id: ccsid, ..md }.encode_to(&mut out, coding);
        }
    }
    out.extend_from_slice(&body);
    out.into()
}

fn parse(message: &Bytes) -> Envelope {
    Envelope::parse(vec![message.clone()], ByteOrder::Big, 1208).expect("an envelope")
}

fn out(message: &Bytes, policy: &Policy) -> Publication {
    publish(&parse(message), policy, NOW).expect("a publication").publication
}

/// Nanoseconds of one run of `work`, of the fastest of 400 times twenty.
fn best(work: impl Fn()) -> u128 {
    let tries = (0..400).map(|_| {
        let start = Instant::now();
        (0..20).for_each(|_| work());
        start.elapsed().as_nanos() / 20
    });
    tries.min().unwrap_or_default()
}

fn main() {
    let policy = Policy::named("AMQGW");
    let sending =
        Sending { policy: &policy, partner: "QM1", coding: Coding::default(), reply_alias: None, mcauser: "" };
    let mut criterion = Criterion::default().configure_from_args();
    for (name, usr, ccsid) in CASES {
        let message = message(usr, ccsid);
        let publication = out(&message, &policy);
        let mut group = criterion.benchmark_group(name);
        group.bench_function("envelope", |b| b.iter(|| parse(black_box(&message))));
        group.bench_function("envelope and publication", |b| b.iter(|| out(black_box(&message), &policy)));
        group.bench_function("back to MQ", |b| b.iter(|| to_mq(black_box(&publication), &sending, NOW)));
        group.finish();
    }
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        println!("\nbest of many short tries, nanoseconds a message: a busy machine only ever takes time away");
        for (name, usr, ccsid) in CASES {
            let message = message(usr, ccsid);
            let publication = out(&message, &policy);
            let envelope = best(|| drop(black_box(parse(black_box(&message)))));
            let there = best(|| drop(black_box(out(black_box(&message), &policy))));
            let back = best(|| drop(black_box(to_mq(black_box(&publication), &sending, NOW))));
            println!("{name:<60} envelope {envelope:>5}, with publication {there:>6}, back {back:>6}");
        }
    }
}
