//! Everything that the fuzzers begin with, or once stumbled over, still holds.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "public for the fuzz targets")]
mod properties;

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let path = entry.expect("the corpus").path();
        println!("{}", path.display());
        property(&fs::read(path).expect("an input"));
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", folder.display());
}

#[test]
fn segments() {
    replay("segment", properties::segment);
}

#[test]
fn envelopes() {
    replay("envelope", properties::envelope);
}

#[test]
fn rfh2s() {
    replay("rfh2", properties::rfh2);
}

#[test]
fn openwire_frames() {
    replay("openwire", properties::openwire);
}
