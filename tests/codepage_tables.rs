//! The committed tables are what the committed generator prints from the JDK's own charsets.

use std::path::Path;
use std::process::Command;

#[test]
fn the_tables_are_the_jdks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output =
        Command::new("java").arg("tools/codepages/Codepages.java").current_dir(root).output().unwrap_or_else(|error| {
            panic!("java: {error}; install a JDK, 17 or later (Debian: openjdk-17-jdk-headless)")
        });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = bare(&String::from_utf8(output.stdout).unwrap());
    let committed = bare(&std::fs::read_to_string(root.join("src/codepage/tables.rs")).unwrap());
    assert!(
        printed == committed,
        "src/codepage/tables.rs is not what this JDK prints: java tools/codepages/Codepages.java > \
         src/codepage/tables.rs, cargo fmt, and read the difference"
    );
}

/// The text without what cargo fmt changes, and without the first line, which names the JDK's version.
fn bare(text: &str) -> String {
    let (_, rest) = text.split_once('\n').unwrap();
    rest.chars().filter(|character| !character.is_whitespace() && *character != ',').collect()
}
