//! Bytes a second from the wire to a publication's doorstep: segments taken off a buffer, envelopes taken apart.
//! The messages are header chains that IBM's software wrote.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mqferry::message::Envelope;
use mqferry::wire::{Alphabet, ByteOrder, ControlFlags1, Deframer, Msh, Segment, SegmentType, Tsh};

/// A transmission-queue message of IBM's making (its first byte is the fuzzers'), with its text made 1 KiB longer.
fn message() -> Bytes {
    let sample = include_bytes!("../fuzz/corpus/envelope/001-xqh-md1-e273-c1208");
    [&sample[1..], &[b'x'; 1024]].concat().into()
}

/// A thousand messages, a segment each, as they come off the socket.
fn stream() -> BytesMut {
    let message = message();
    let length = i32::try_from(message.len()).expect("a small message");
    let flags = ControlFlags1::FIRST | ControlFlags1::LAST;
    let tsh = Tsh::new(SegmentType::MESSAGE_DATA).with_byte_order(ByteOrder::Big).with_flags(flags);
    let mut stream = BytesMut::new();
    for sequence in 1..=1000 {
        let msh = Msh { sequence, data_length: length, segment_number: 0, message_length: length };
        let msh = msh.encode(ByteOrder::Big, Alphabet::Ascii);
        Segment::new(tsh, [&msh[..], &message].concat().into()).encode_into(&mut stream);
    }
    stream
}

fn decode(criterion: &mut Criterion) {
    let stream = stream();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("segments", |bencher| {
        bencher.iter_batched(
            || stream.clone(),
            |mut buffer| {
                let mut deframer = Deframer::new(1 << 20);
                let mut messages = 0;
                while let Some(segment) = deframer.next(&mut buffer).expect("a segment") {
                    black_box(segment.msh().expect("a message"));
                    messages += 1;
                }
                assert_eq!(messages, 1000);
            },
            criterion::BatchSize::LargeInput,
        );
    });
    group.bench_function("segments and envelopes", |bencher| {
        bencher.iter_batched(
            || stream.clone(),
            |mut buffer| {
                let mut deframer = Deframer::new(1 << 20);
                while let Some(segment) = deframer.next(&mut buffer).expect("a segment") {
                    let (_, body) = segment.msh().expect("a message");
                    black_box(Envelope::parse(vec![body], ByteOrder::Big, 819).expect("an envelope"));
                }
            },
            criterion::BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
