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
