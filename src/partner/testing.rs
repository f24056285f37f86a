//! What several tests of this module need.

use crate::wire::Segment;

/// A frame of the wire examples, by its number.
pub(super) fn example(number: u32) -> Segment {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures/wire-examples");
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let row = index.lines().find(|row| row.starts_with(&format!("{number}\t"))).unwrap();
    let file = folder.join(format!("{}.hex", row.split('\t').nth(1).unwrap()));
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter(|row| !row.starts_with('#'));
    let hex = rows.flat_map(|row| row.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    Segment::parse(hex.collect()).unwrap()
}
