//! What the documents say is what the code does, where a machine can compare them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use banter_domain::moderation::Act;
use banter_server::errors::rows;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

pub(crate) fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the Markdown table between two markers, cell by cell, without its head.
fn table(document: &str, name: &str) -> Vec<Vec<String>> {
    let (_, rest) = document.split_once(&format!("<!-- {name} -->")).unwrap_or_else(|| panic!("no table {name}"));
    let (table, _) = rest.split_once(&format!("<!-- /{name} -->")).unwrap_or_else(|| panic!("{name} does not end"));
    let rows = table.lines().map(str::trim).filter(|line| line.starts_with('|')).skip(2);
    let plain = |cell: &str| cell.trim().trim_matches('`').replace("\\|", "|");
    rows.map(|row| row.trim_matches('|').split(" | ").map(plain).collect()).collect()
}

#[test]
fn the_error_table_is_the_codes() {
    let document = read("docs/protocol.md");
    let written: BTreeSet<Vec<String>> = table(&document, "errors").into_iter().map(|row| row[..4].to_vec()).collect();
    let coded: BTreeSet<Vec<String>> = rows::ALL
        .iter()
        .map(|row| vec![row.status.to_string(), row.rm.to_owned(), row.code.to_owned(), row.message.to_owned()])
        .collect();
    let missing: Vec<_> = coded.difference(&written).collect();
    let stale: Vec<_> = written.difference(&coded).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not documented: {missing:#?}\nnot in the code: {stale:#?}");
}

#[test]
fn the_endpoints_are_the_routes() {
    let document = read("docs/protocol.md");
    let written: BTreeSet<String> = table(&document, "endpoints").into_iter().map(|row| row[0].clone()).collect();
    let coded: BTreeSet<String> =
        banter_server::routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let missing: Vec<_> = coded.difference(&written).collect();
    let stale: Vec<_> = written.difference(&coded).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not documented: {missing:#?}\nnot served: {stale:#?}");
}

#[test]
fn the_rules_in_plain_words_are_the_rules() {
    let document = read("docs/moderation.md");
    let rows = table(&document, "acts");
    let written: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    for act in Act::ALL {
        let terms = act.terms();
        let name = format!("{act:?}");
        let row =
            rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name} is not in the table of acts"));
        let yes = |stops: bool| if stops { "stops" } else { "–" };
        let expected = [
            yes(terms.ban).to_owned(),
            yes(terms.block).to_owned(),
            format!("{:?}", terms.frozen),
            format!("{:?}", terms.needs),
        ];
        assert_eq!(row[1..5], expected, "{name}: ban, block, frozen, needs");
    }
    assert_eq!(written.len(), Act::ALL.len(), "the table of acts has rows that are no acts");
}

#[test]
fn every_setting_is_explained_to_the_operator() {
    let document = read("docs/operations.md");
    let config = ["crates/server/src/config.rs", "crates/server/src/config/push.rs"].map(read).concat();
    for part in config.split("env = \"").skip(1) {
        let name = part.split('"').next().unwrap_or_default();
        assert!(document.contains(name), "{name} is not in docs/operations.md");
    }
}

#[test]
fn no_setting_is_explained_twice() {
    let document = read("docs/operations.md");
    let (_, settings) = document.split_once("## Settings").expect("the settings");
    let (settings, _) = settings.split_once("## ").expect("something after them");
    let mut names = BTreeSet::new();
    // A row's first two cells: the flag and its twin.
    for row in settings.lines().filter(|line| line.starts_with("| ")) {
        for cell in row.split(" | ").take(2).map(|cell| cell.trim_matches(['|', ' '])).filter(|cell| *cell != "–") {
            assert!(names.insert(cell), "{cell} has two rows in docs/operations.md");
        }
    }
    assert!(names.contains("`--data`"), "the table was not found: {names:?}");
}

#[test]
fn the_newcomers_commands_are_there() {
    let readme = read("README.md");
    for command in ["cargo run --release -- demo", "make test", "/blockStatus/my", "/blockStatus/room/demo-room"] {
        assert!(readme.contains(command), "{command} is not in README.md");
    }
}
