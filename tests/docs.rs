//! What the documents list is what the program has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mqferry::channel::Dialect;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_dialect_key_is_documented_with_its_options_and_default() {
    let page = fs::read_to_string(root().join("docs/dialect.md")).expect("docs/dialect.md");
    let missing: Vec<String> = Dialect::keys()
        .into_iter()
        .map(|key| format!("| `{}` | {} | {} |", key.name, key.options.replace(" | ", ", "), key.default))
        .filter(|row| !page.contains(row.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/dialect.md lacks\n{}", missing.join("\n"));
}

/// Links between our own pages lead somewhere.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages: Vec<PathBuf> = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    assert!(pages.len() > 5, "pages were not found: {pages:?}");
    let mut broken = BTreeSet::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !page.parent().unwrap().join(target).exists() {
                broken.insert(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Each row of the tables of the guarantees names tests, and each of them is there.
#[test]
fn the_guarantees_name_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/guarantees.md")).expect("docs/guarantees.md");
    let mut sources = String::new();
    gather(&root().join("tests"), &mut sources);
    gather(&root().join("src"), &mut sources);
    let (mut rows, mut column, mut wrong) = (0, None, Vec::new());
    for line in page.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        if !line.starts_with('|') {
            column = None;
        } else if cells.contains(&"tests") {
            column = Some(cells.len());
        } else if let Some(columns) = column.filter(|_| !line.starts_with("|--")) {
            rows += 1;
            let named = names(cells.last().unwrap_or(&""));
            if cells.len() != columns || named.is_empty() {
                wrong.push(format!("a row without tests, or of another shape: {line}"));
            }
        }
        for name in names(line).into_iter().filter(|name| name.matches('_').count() > 3) {
            if !sources.contains(&format!("fn {name}(")) && !sources.contains(&format!("fn {name}<")) {
                wrong.push(format!("no test {name}"));
            }
        }
    }
    assert!(rows > 20, "the tables were not found: {rows} rows");
    assert!(wrong.is_empty(), "docs/guarantees.md:\n{}", wrong.join("\n"));
}

/// What stands between backticks and may be the name of a function; metrics are not.
fn names(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name = |word: &str| {
        word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quoted.filter(|word| is_name(word) && !word.starts_with("mqferry_")).collect()
}

/// The text of every Rust file below.
fn gather(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
