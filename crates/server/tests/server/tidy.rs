//! The shape of the house, where a machine can check it.

use std::path::{Path, PathBuf};

use crate::docs::{read, root};

/// Every file under a folder, and its path from the workspace.
fn files(folder: &str, end: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push((relative(&path), std::fs::read_to_string(&path).expect("a text")));
            }
        }
    }
    assert!(!found.is_empty(), "nothing under {folder}");
    found
}

/// The sources of a crate, without what they are tested with.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut sources = files(folder, ".rs");
    sources.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    for (_, text) in &mut sources {
        let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
        text.truncate(end);
    }
    sources
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the workspace").to_string_lossy().into_owned()
}

/// The names of our crates that a crate is built with, tests apart.
fn arrows(of: &str) -> Vec<String> {
    let manifest = read(&format!("crates/{of}/Cargo.toml"));
    let (_, rest) = manifest.split_once("[dependencies]").expect("dependencies");
    let dependencies = rest.split("\n[").next().unwrap_or_default();
    let mut ours: Vec<String> = dependencies
        .lines()
        .filter_map(|line| line.strip_prefix("banter-"))
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase()).collect())
        .collect();
    ours.sort();
    ours
}

#[test]
fn arrows_between_crates_point_one_way() {
    assert_eq!(arrows("domain"), [""; 0]);
    assert_eq!(arrows("store"), ["domain"]);
    assert_eq!(arrows("chat"), ["domain", "store"]);
    assert_eq!(arrows("server"), ["chat", "domain", "store"]);
    let domain = read("crates/domain/Cargo.toml");
    for forbidden in ["tokio", "rusqlite", "axum", "reqwest", "getrandom"] {
        assert!(!domain.contains(forbidden), "the domain does no I/O: {forbidden}");
    }
}

#[test]
fn arrows_inside_the_server_point_one_way() {
    for (path, text) in sources("crates/server/src") {
        let names_http = text.contains("crate::http::") || text.contains("super::http");
        for low in ["errors", "clock", "config", "token"] {
            let is_low =
                path == format!("crates/server/src/{low}.rs") || path.starts_with(&format!("crates/server/src/{low}/"));
            assert!(!(is_low && names_http), "{path} reaches up into http");
        }
        if path.starts_with("crates/server/src/http/") {
            assert!(!text.contains("crate::cli"), "{path} reaches into the command line");
        }
        if !path.ends_with("lib.rs") && !path.starts_with("crates/server/src/cli") {
            assert!(!text.contains("banter_store::Store::"), "{path} opens a store");
        }
        assert!(!text.contains("rusqlite") && !text.contains("tokio_postgres"), "{path}: SQL has one place");
    }
}

#[test]
fn sql_has_one_place() {
    for folder in ["crates/domain/src", "crates/chat/src", "crates/server/src"] {
        for (path, text) in sources(folder) {
            for word in ["INSERT INTO ", "DELETE FROM ", "SELECT ", "UPDATE rooms"] {
                assert!(!text.contains(word), "{path} speaks SQL: {word}");
            }
        }
    }
}

#[test]
fn wire_names_stop_at_the_edge() {
    let edge = ["crates/server/src/http/", "crates/server/src/cli", "crates/server/src/errors"];
    for folder in ["crates/domain/src", "crates/store/src", "crates/chat/src", "crates/server/src"] {
        for (path, text) in sources(folder) {
            if edge.iter().any(|edge| path.starts_with(edge)) {
                continue;
            }
            for name in
                ["blockStatus", "\"_id\"", "\"RC\"", "\"RM\"", "roomID", "memberProperties", "isSuperuser", "avatarUrl"]
            {
                assert!(!text.contains(name), "{path} knows the wire's {name}");
            }
        }
    }
}

#[test]
fn time_and_chance_are_passed_in() {
    for folder in ["crates/domain/src", "crates/store/src", "crates/chat/src", "crates/server/src"] {
        for (path, text) in sources(folder) {
            if path == "crates/server/src/clock.rs" {
                continue;
            }
            for call in ["SystemTime::now", "Instant::now", "Timestamp::now", "getrandom::"] {
                assert!(!text.contains(call), "{path} reaches for {call}");
            }
        }
    }
}

#[test]
fn files_have_one_subject() {
    for folder in ["crates", "bench"] {
        for (path, text) in files(folder, ".rs") {
            let lines = text.lines().count();
            assert!(lines <= 600, "{path} has {lines} lines: look for the second subject in it");
            let name = Path::new(&path).file_stem().unwrap_or_default();
            assert!(
                !["utils", "util", "helpers", "misc"].iter().any(|vague| name == *vague),
                "{path}: name the subject"
            );
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Spelt apart, so that this file does not hold what it looks for.
    let marks = ["TO-DO", "FIX-ME", "XX-X", "unimplemented-!(", "todo-!("].map(|mark| mark.replace('-', ""));
    let mut all = files("crates", ".rs");
    all.extend(files("crates", ".sql"));
    all.extend(files("bench", ".rs"));
    all.extend(files("docs", ".md"));
    for (path, text) in all {
        for mark in &marks {
            assert!(!text.contains(mark), "{path}: {mark}");
        }
    }
}

#[test]
fn a_module_says_what_it_is_for() {
    for folder in ["crates/domain/src", "crates/store/src", "crates/chat/src", "crates/server/src"] {
        for (path, text) in sources(folder) {
            assert!(text.starts_with("//!"), "{path} does not say what it is for");
        }
    }
}

#[test]
fn an_exception_has_a_reason() {
    for folder in ["crates", "bench"] {
        for (path, text) in files(folder, ".rs") {
            if path.ends_with("tests/server/tidy.rs") {
                continue;
            }
            assert!(!text.contains("#[allow") && !text.contains("#![allow"), "{path}: expect, with a reason");
            assert!(!text.contains("#[ignore"), "{path}: a test runs or goes");
        }
    }
}

#[test]
fn migrations_are_numbered_alike() {
    let names = |store: &str| -> Vec<String> {
        let folder = format!("crates/store/migrations/{store}");
        let mut names: Vec<String> = files(&folder, ".sql")
            .into_iter()
            .map(|(path, _)| path.rsplit('/').next().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn tests_wait_for_things_and_not_for_times() {
    for (path, text) in files("crates", ".rs") {
        let is_a_test = path.contains("/tests/") || path.ends_with("/tests.rs");
        if is_a_test && !path.ends_with("tests/server/tidy.rs") {
            assert!(!text.contains("sleep("), "{path} sleeps");
        }
    }
}
