//! Every code page, whole, against the source of its table: `tools/codepages/generate` asks the JDK, ICU4J and glibc's
//! iconv anew what every sequence of bytes and every character is, and the library must say the same, both ways.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use mqferry::codepage::{self, NotText, Unencodable};

/// One line of `tools/codepages/pages.txt` that is not another number of a table.
struct Page {
    ccsid: i32,
    kind: String,
    source: String,
    charset: String,
    aliases: Vec<i32>,
}

/// What a source said of one page.
struct Said {
    text_of: HashMap<Vec<u8>, String>,
    bytes_of: HashMap<String, Vec<u8>>,
    /// Sequences of four bytes and characters that count up together: the first of both, and how many.
    runs: Vec<([u8; 4], u32, u32)>,
}

impl Said {
    fn has_bytes(&self, character: char) -> bool {
        let in_run = |(_, first, count): &(_, u32, u32)| (*first..first + count).contains(&u32::from(character));
        self.bytes_of.contains_key(character.encode_utf8(&mut [0; 4]) as &str) || self.runs.iter().any(in_run)
    }
}

/// The folder into which the sources were asked, once for all tests.
static ASKED: LazyLock<PathBuf> = LazyLock::new(|| {
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("codepages");
    let _ = fs::remove_dir_all(&to);
    let output = Command::new("tools/codepages/generate").arg(&to).current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\na JDK, glibc's iconv and ICU4J are needed: make deps");
    to
});

#[test]
fn the_committed_pages_are_what_the_generator_writes() {
    let committed = root().join("src/codepage");
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder.join("pages")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<HashSet<_>>()
    };
    assert_eq!(names(&committed), names(&ASKED));
    let files = names(&committed).into_iter().map(|name| Path::new("pages").join(name));
    for file in files.chain([PathBuf::from("pages.rs")]) {
        let same = fs::read(committed.join(&file)).unwrap() == fs::read(ASKED.join(&file)).unwrap();
        assert!(same, "src/codepage/{} is not what tools/codepages/generate writes here", file.display());
    }
}

#[test]
fn every_sequence_and_every_character_is_what_its_source_says() {
    let pages = pages();
    assert!(pages.len() > 100);
    let mut table = String::new();
    let mut one_way = String::from(
        "# Sequences whose text does not give them again, by CCSID; checked by tests/codepage_tables.rs\n",
    );
    for (row, sequences) in checked(&pages) {
        table += &row;
        one_way += &sequences;
    }
    compare_docs("docs/codepages-one-way.txt", &one_way, |committed| committed == one_way);
    compare_docs("docs/codepages.md", &table, |committed| committed.contains(&table));
}

#[test]
fn ccsids_that_the_list_does_not_name_are_unknown() {
    let mut listed: HashSet<i32> = [1200, 1202, 1208, 13488, 17584].into();
    for page in pages() {
        listed.insert(page.ccsid);
        listed.extend(page.aliases);
    }
    assert_eq!(codepage::known().collect::<HashSet<_>>(), listed);
    for ccsid in -2..70_000 {
        assert_eq!(codepage::is_known(ccsid), listed.contains(&ccsid), "{ccsid}");
        if !listed.contains(&ccsid) {
            assert_eq!(codepage::decode(ccsid, b"A"), Err(NotText::UnknownCcsid(ccsid)));
            assert_eq!(codepage::encode(ccsid, "A"), Err(Unencodable::UnknownCcsid(ccsid)));
        }
    }
}

/// `encoding_rs` has pages under names that sound the same. Only one reads every one and two bytes as the page does,
/// which is why the pages that have a table here do not come from it.
#[test]
fn encoding_rs_reads_otherwise() {
    for (ccsid, label, same) in [
        (866, "ibm866", true),
        (819, "iso-8859-1", false),
        (874, "windows-874", false),
        (943, "Shift_JIS", false),
        (949, "EUC-KR", false),
        (950, "Big5", false),
        (936, "GBK", false),
        (33722, "EUC-JP", false),
        (1392, "gb18030", false),
    ] {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let ones = (0..=255u8).map(|byte| vec![byte]);
        let twos = (0..=u16::MAX).map(|pair| pair.to_be_bytes().to_vec());
        let agree = ones.chain(twos).all(|bytes| {
            let theirs = encoding.decode_without_bom_handling_and_without_replacement(&bytes);
            theirs.as_deref() == codepage::decode(ccsid, &bytes).ok().as_deref()
        });
        assert_eq!(agree, same, "{label} as {ccsid}");
    }
}

/// Compares every page on as many threads as there are processors; a row of the documentation's table and a line of
/// sequences for each.
fn checked(pages: &[Page]) -> Vec<(String, String)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<(usize, (String, String))> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let mine = pages.iter().enumerate().rev().skip(worker).step_by(threads);
                scope.spawn(move || mine.map(|(at, page)| (at, check(page))).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn check(page: &Page) -> (String, String) {
    let ccsid = page.ccsid;
    let said = said(page);
    for (bytes, text) in &said.text_of {
        assert_eq!(codepage::decode(ccsid, bytes).as_deref(), Ok(text.as_str()), "{ccsid}: {bytes:02x?}");
    }
    for (mut bytes, first, count) in said.runs.iter().copied() {
        for point in first..first + count {
            let mut buffer = [0; 4];
            let text = char::from_u32(point).unwrap().encode_utf8(&mut buffer);
            assert_eq!(codepage::decode(ccsid, &bytes).as_deref(), Ok(&*text), "{ccsid}: {bytes:02x?}");
            assert_eq!(codepage::encode(ccsid, text).as_deref(), Ok(&bytes[..]), "{ccsid}: {text:?}");
            bytes = following(bytes);
        }
    }
    let mut only_to_bytes = 0;
    for (text, bytes) in &said.bytes_of {
        assert_eq!(codepage::encode(ccsid, text).as_ref(), Ok(bytes), "{ccsid}: {text:?}");
        only_to_bytes += usize::from(said.text_of.get(bytes) != Some(text));
    }
    for bytes in candidates(page) {
        if codepage::decode(ccsid, &bytes).is_ok() {
            let known = said.text_of.contains_key(&bytes) || starts_with_a_character(&bytes, page, &said);
            assert!(known, "{ccsid} has a text for {bytes:02x?}, its source has none");
        }
    }
    let characters = if page.kind == "single" { 0x1_0000 } else { 0x3_0000 };
    let mut buffer = [0; 4];
    for character in (0..characters).filter_map(char::from_u32) {
        let text = &*character.encode_utf8(&mut buffer);
        if codepage::encode(ccsid, text).is_ok() {
            assert!(said.has_bytes(character), "{ccsid} has bytes for {text:?}, its source has none");
        }
    }
    let mut one_way: Vec<_> =
        said.text_of.iter().filter(|(bytes, text)| said.bytes_of.get(*text) != Some(bytes)).collect();
    one_way.sort();
    let row = format!(
        "| {ccsid}{} | {} | {} `{}` | {} | {} | {only_to_bytes} |\n",
        page.aliases.iter().fold(String::new(), |all, alias| format!("{all}, {alias}")),
        page.kind,
        match page.source.as_str() {
            "jdk" => "JDK",
            "icu" => "ICU4J",
            _ => "glibc",
        },
        page.charset,
        said.text_of.len() + said.runs.iter().map(|(.., count)| *count as usize).sum::<usize>(),
        one_way.len(),
    );
    let mut line = String::new();
    if !one_way.is_empty() {
        write!(line, "{ccsid}:").unwrap();
        for (bytes, _) in one_way {
            line.push(' ');
            bytes.iter().for_each(|byte| write!(line, "{byte:02X}").unwrap());
        }
        line.push('\n');
    }
    (row, line)
}

/// What the page's source said; of what iconv said, less its fallbacks: a character that would come back as another
/// (often the substitute) has no bytes here, nor have bytes that it reads as the substitute a character.
fn said(page: &Page) -> Said {
    let text = fs::read_to_string(ASKED.join(format!("{}.said", page.ccsid))).unwrap();
    let mut said = Said { text_of: HashMap::new(), bytes_of: HashMap::new(), runs: Vec::new() };
    for line in text.lines() {
        let mut words = line.split(' ');
        let (kind, bytes) = (words.next().unwrap(), unhex(words.next().unwrap()));
        if kind == "R" {
            let first = u32::from_str_radix(words.next().unwrap(), 16).unwrap();
            said.runs.push((bytes.try_into().unwrap(), first, words.next().unwrap().parse().unwrap()));
            continue;
        }
        let text = words.map(|point| char::from_u32(u32::from_str_radix(point, 16).unwrap()).unwrap()).collect();
        match kind {
            "D" => drop(said.text_of.insert(bytes, text)),
            _ => drop(said.bytes_of.insert(text, bytes)),
        }
    }
    if page.source == "iconv" {
        let substitute = said.bytes_of.get("\u{1A}").cloned();
        said.text_of.retain(|bytes, text| text != "\u{1A}" || substitute.as_ref() == Some(bytes));
        said.bytes_of.retain(|text, bytes| said.text_of.get(bytes) == Some(text));
        let mut sequences: Vec<_> = said.text_of.iter().collect();
        sequences.sort_by_key(|(bytes, _)| (bytes.len(), *bytes));
        for (bytes, text) in sequences {
            said.bytes_of.entry(text.clone()).or_insert_with(|| bytes.clone());
        }
    }
    said
}

/// The next sequence of four bytes in GB 18030.
fn following([first, second, third, fourth]: [u8; 4]) -> [u8; 4] {
    match (second, third, fourth) {
        (0x39, 0xFE, 0x39) => [first + 1, 0x30, 0x81, 0x30],
        (_, 0xFE, 0x39) => [first, second + 1, 0x81, 0x30],
        (.., 0x39) => [first, second, third + 1, 0x30],
        _ => [first, second, third, fourth + 1],
    }
}

/// Every sequence that might be a character of the page.
fn candidates(page: &Page) -> impl Iterator<Item = Vec<u8>> {
    let pairs = || (0..=0xFFFFu16).map(u16::to_be_bytes);
    let double = page.kind != "single";
    let mixed = page.kind == "mixed";
    let euc = page.kind == "euc";
    (0..=255u8)
        .map(|byte| vec![byte])
        .filter(move |bytes| !mixed || !matches!(bytes.as_slice(), [0x0E | 0x0F]))
        .chain(pairs().filter(move |_| double).map(move |[first, second]| match mixed {
            true => vec![0x0E, first, second, 0x0F],
            false => vec![first, second],
        }))
        .chain(pairs().filter(move |_| euc).map(|[second, third]| vec![0x8F, second, third]))
}

/// Whether the bytes are not one sequence but several, or (mixed) hold an idle or a doubled shift.
fn starts_with_a_character(bytes: &[u8], page: &Page, said: &Said) -> bool {
    match page.kind.as_str() {
        "mixed" => bytes.iter().skip(1).rev().skip(1).any(|byte| matches!(byte, 0x0E | 0x0F)),
        _ => (1..bytes.len()).any(|length| said.text_of.contains_key(&bytes[..length])),
    }
}

fn compare_docs(path: &str, wanted: &str, holds: impl Fn(&str) -> bool) {
    let committed = fs::read_to_string(root().join(path)).unwrap_or_default();
    if !holds(&committed) {
        let name = Path::new(path).file_name().unwrap();
        let file = ASKED.join(name);
        fs::write(&file, wanted).unwrap();
        panic!("{path} does not say what holds; see {}", file.display());
    }
}

fn pages() -> Vec<Page> {
    let text = fs::read_to_string(root().join("tools/codepages/pages.txt")).unwrap();
    let mut pages: Vec<Page> = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            [alias, "=", of] => {
                let of: i32 = of.parse().unwrap();
                let page = pages.iter_mut().find(|page| page.ccsid == of).unwrap();
                page.aliases.push(alias.parse().unwrap());
            }
            [ccsid, kind, source, charset, ..] => pages.push(Page {
                ccsid: ccsid.parse().unwrap(),
                kind: kind.to_owned(),
                source: source.to_owned(),
                charset: charset.to_owned(),
                aliases: Vec::new(),
            }),
            _ => panic!("{line}"),
        }
    }
    pages
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
