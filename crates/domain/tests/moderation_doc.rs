//! `docs/moderation.md` says what the rules do: its table of acts is [`Act::terms`] row by row, its
//! words explain every word of that table, and every row of the effect matrix stands in it once.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use banter_domain::moderation::{Act, Frozen, Needs};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document() -> String {
    let path = workspace().join("docs/moderation.md");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text between two markers.
fn part<'d>(document: &'d str, name: &str) -> &'d str {
    let (_, rest) = document.split_once(&format!("<!-- {name} -->")).unwrap_or_else(|| panic!("no part {name}"));
    let (part, _) = rest.split_once(&format!("<!-- /{name} -->")).unwrap_or_else(|| panic!("{name} does not end"));
    part
}

/// The rows of the table in a part, without its head, cell by cell.
fn rows(part: &str) -> Vec<Vec<String>> {
    let lines = part.lines().map(str::trim).filter(|line| line.starts_with('|')).skip(2);
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// A row of the table of acts, but for its last cell, which is prose.
fn row_of(act: Act) -> String {
    let terms = act.terms();
    let stops = |stops: bool| if stops { "stops" } else { "–" };
    let (ban, block) = (stops(terms.ban), stops(terms.block));
    format!("| `{act:?}` | {ban} | {block} | `{:?}` | `{:?}` |", terms.frozen, terms.needs)
}

#[test]
fn the_table_of_acts_is_the_rules() {
    let document = document();
    let written: Vec<String> = rows(part(&document, "acts"))
        .iter()
        .map(|row| format!("| {} |", row.iter().take(5).cloned().collect::<Vec<_>>().join(" | ")))
        .collect();
    let coded: Vec<String> = Act::ALL.map(row_of).into();
    assert_eq!(written, coded, "the table should begin its rows with:\n{}", coded.join("\n"));
    for row in rows(part(&document, "acts")) {
        assert!(row.get(5).is_some_and(|words| !words.is_empty()), "{row:?} says nothing");
    }
}

#[test]
fn every_word_of_the_table_is_explained() {
    let document = document();
    let words = part(&document, "words");
    let used: BTreeSet<String> = Act::ALL
        .iter()
        .flat_map(|act| [format!("{:?}", act.terms().frozen), format!("{:?}", act.terms().needs)])
        .collect();
    let all = [
        Needs::Nothing,
        Needs::Insider,
        Needs::Member,
        Needs::Superuser,
        Needs::SuperuserOrOwnerless,
        Needs::OwnerOrDirect,
        Needs::Owner,
        Needs::Author,
        Needs::AuthorOrSuperuser,
        Needs::Platform,
    ]
    .map(|needs| format!("{needs:?}"));
    let frozen = [Frozen::Passes, Frozen::Stops, Frozen::StopsMembers].map(|frozen| format!("{frozen:?}"));
    for word in all.iter().chain(&frozen) {
        assert!(used.contains(word), "{word} is used by no act");
        assert!(words.contains(&format!("`{word}`")), "{word} is not explained");
    }
}

/// The rows of the effect matrix: 40 about blocks, 30 about bans.
fn matrix() -> BTreeSet<String> {
    (1..=40).map(|n| format!("L-{n:02}")).chain((1..=30).map(|n| format!("N-{n:02}"))).collect()
}

/// Which rows a part of the document names, each in the first cell of a row.
fn named(document: &str, name: &str) -> Vec<String> {
    rows(part(document, name)).into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn every_effect_holds_or_is_open() {
    let document = document();
    let (held, open) = (named(&document, "held"), named(&document, "open"));
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for id in held.iter().chain(&open) {
        *times.entry(id).or_default() += 1;
    }
    for id in &matrix() {
        assert_eq!(times.get(id.as_str()), Some(&1), "{id} must stand once, as held or as open");
    }
    assert_eq!(times.len(), matrix().len(), "a row that is none of the matrix: {times:?}");
}

/// `L-02` is tested by a function with `l_02` in its name, or by the one its row names.
#[test]
fn every_effect_that_holds_has_a_test_of_its_number() {
    let mut tests = String::new();
    let mut open = vec![workspace().join("crates/server/tests")];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                tests.push_str(&std::fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    let names: Vec<&str> = tests.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
    for row in rows(part(&document(), "held")) {
        let (id, named) = (&row[0], row[2].trim_matches('`'));
        let number = id.to_lowercase().replace('-', "_");
        let tested = names.iter().any(|name| name.contains(&number) || *name == named);
        assert!(tested, "{id} is said to hold, but no test is called {number}… or {named:?}");
    }
}
