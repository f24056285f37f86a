//! Throughput of each class of code page, both ways, beside `encoding_rs` (where it has a page near enough to read the
//! same text) and glibc's `iconv` program on the same text. `cargo bench --bench codepages`.
//!
//! Criterion measures ours and `encoding_rs`; a table of ratios follows. A megabyte is one of bytes in the page, not of
//! UTF-8. iconv's time is what a large file takes longer than a small one, so that its start does not count; it reads a
//! file and writes to nowhere.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use encoding_rs::Encoding;
use mqferry::codepage;

const ENGLISH: &str =
    "<payment id=\"4711\"><debtor>Mary Smith, 12 Main St.</debtor><amount cur=\"GBP\">1204.50</amount>\n";
const GERMAN: &str = "Überweisung über 1.204,50 an Frau Müller, Größenstraße 12, für Rechnung 4711 vom 3. März.\n";
const RUSSIAN: &str = "Платёж на сумму 1204,50 в пользу Марии Кузнецовой по счёту 4711 от третьего марта.\n";
const JAPANESE: &str =
    "<支払 番号=\"4711\"><債務者>山田太郎</債務者><金額>1204</金額>東京都千代田区のお客様へ送金する</支払>";
const KOREAN: &str =
    "<지급 번호=\"4711\"><채무자>김철수</채무자><금액>1204</금액>서울특별시 중구 고객에게 송금합니다</지급>";
const CHINESE: &str = "<付款 号=\"4711\"><人>王小明</人><金>1204</金>向北京市中心的客人付款一千二百零四元</付款>";

/// What is measured: a name, a CCSID, iconv's name of it, `encoding_rs`'s if any, and a text.
struct Case(&'static str, i32, &'static str, Option<&'static str>, &'static str);

const CASES: [Case; 17] = [
    Case("ASCII family, English", 1252, "CP1252", Some("windows-1252"), ENGLISH),
    Case("ASCII family, German", 1252, "CP1252", Some("windows-1252"), GERMAN),
    Case("ASCII family, German", 850, "IBM850", None, GERMAN),
    Case("ASCII family, Russian", 1251, "CP1251", Some("windows-1251"), RUSSIAN),
    Case("EBCDIC, English", 500, "IBM500", None, ENGLISH),
    Case("EBCDIC, German", 273, "IBM273", None, GERMAN),
    Case("EBCDIC, Russian", 1025, "IBM1025", None, RUSSIAN),
    Case("double-byte, Japanese", 943, "IBM943", Some("shift_jis"), JAPANESE),
    Case("double-byte, Japanese", 33722, "EUC-JP", Some("euc-jp"), JAPANESE),
    Case("double-byte, Korean", 949, "UHC", Some("euc-kr"), KOREAN),
    Case("double-byte, Chinese", 1386, "GBK", Some("gbk"), CHINESE),
    Case("double-byte, Chinese", 5488, "GB18030", Some("gb18030"), CHINESE),
    Case("EBCDIC mixed, Japanese", 939, "IBM939", None, JAPANESE),
    Case("EBCDIC mixed, Korean", 933, "IBM933", None, KOREAN),
    Case("UTF-16, English", 1200, "UTF-16BE", Some("utf-16be"), ENGLISH),
    Case("UTF-16, German", 1202, "UTF-16LE", Some("utf-16le"), GERMAN),
    Case("UTF-16, Japanese", 1200, "UTF-16BE", Some("utf-16be"), JAPANESE),
];

/// Bytes of UTF-8 in one measured text: a large message, within the second cache.
const SIZE: usize = 64 * 1024;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    for case in &CASES {
        bench(&mut criterion, case);
    }
    criterion.final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        ratios();
    }
}

impl Case {
    fn text(&self) -> String {
        self.4.repeat(SIZE / self.4.len() + 1)
    }

    fn encoding(&self) -> Option<&'static Encoding> {
        self.3.and_then(|label| Encoding::for_label(label.as_bytes()))
    }

    /// `encoding_rs` writes no UTF-16.
    fn encoder(&self) -> Option<&'static Encoding> {
        self.encoding().filter(|encoding| encoding.output_encoding() == *encoding)
    }
}

fn bench(criterion: &mut Criterion, case: &Case) {
    let text = case.text();
    let bytes = codepage::encode(case.1, &text).expect("the text is in the page");
    let mut group = criterion.benchmark_group(format!("{} ({})", case.0, case.1));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(BenchmarkId::new("decode", "mqferry"), |b| {
        b.iter(|| codepage::decode(case.1, black_box(&bytes)))
    });
    if let Some(encoding) = case.encoding() {
        group.bench_function(BenchmarkId::new("decode", "encoding_rs"), |b| {
            b.iter(|| encoding.decode_without_bom_handling_and_without_replacement(black_box(&bytes)));
        });
    }
    group.bench_function(BenchmarkId::new("encode", "mqferry"), |b| {
        b.iter(|| codepage::encode(case.1, black_box(&text)))
    });
    if let Some(encoding) = case.encoder() {
        group.bench_function(BenchmarkId::new("encode", "encoding_rs"), |b| {
            b.iter(|| encoding.encode(black_box(&text)))
        });
    }
    group.finish();
}

fn ratios() {
    println!();
    println!("{:<24}{:>6}{:>8}{:>9}{:>14}{:>9}", "", "CCSID", "", "MB/s", "x encoding_rs", "x iconv");
    for case in &CASES {
        let text = case.text();
        let bytes = codepage::encode(case.1, &text).expect("the text is in the page");
        let ours = rate(bytes.len(), || drop(black_box(codepage::decode(case.1, black_box(&bytes)))));
        let theirs = case.encoding().map(|encoding| {
            rate(bytes.len(), || {
                drop(black_box(encoding.decode_without_bom_handling_and_without_replacement(black_box(&bytes))));
            })
        });
        row(case, "decode", ours, theirs, iconv(case.2, "UTF-8", &bytes, bytes.len()));
        let ours = rate(bytes.len(), || drop(black_box(codepage::encode(case.1, black_box(&text)))));
        let theirs =
            case.encoder().map(|encoding| rate(bytes.len(), || drop(black_box(encoding.encode(black_box(&text))))));
        row(case, "encode", ours, theirs, iconv("UTF-8", case.2, text.as_bytes(), bytes.len()));
    }
}

fn row(case: &Case, way: &str, ours: f64, encoding_rs: Option<f64>, iconv: Option<f64>) {
    let ratio = |other: Option<f64>| other.map_or("-".to_owned(), |other| format!("{:.2}", ours / other));
    println!("{:<24}{:>6}{way:>8}{ours:>9.0}{:>14}{:>9}", case.0, case.1, ratio(encoding_rs), ratio(iconv));
}

/// Megabytes a second: the best of some tries, for a busy machine only ever takes time away.
fn rate(bytes: usize, work: impl Fn()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..10 {
            work();
        }
        best = best.min(start.elapsed().as_secs_f64() / 10.0);
    }
    bytes as f64 / best / 1e6
}

/// iconv's megabytes a second, counted in `length` bytes for each copy of `input`; none where it has not the page.
fn iconv(from: &str, to: &str, input: &[u8], length: usize) -> Option<f64> {
    const FEW: usize = 64;
    const MANY: usize = 640;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (few, many) = (folder.join("iconv-few"), folder.join("iconv-many"));
    fs::write(&few, input.repeat(FEW)).expect("a scratch file");
    fs::write(&many, input.repeat(MANY)).expect("a scratch file");
    let best = |path: &Path| {
        let tries = (0..4).map(|_| {
            let start = Instant::now();
            let run = Command::new("iconv")
                .args(["-f", from, "-t", to])
                .stdin(File::open(path).expect("the scratch file"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            run.is_ok_and(|status| status.success()).then(|| start.elapsed().as_secs_f64())
        });
        tries.flatten().reduce(f64::min)
    };
    let took = best(&many)? - best(&few)?;
    let _ = (fs::remove_file(few), fs::remove_file(many));
    Some(((MANY - FEW) * length) as f64 / took / 1e6)
}
