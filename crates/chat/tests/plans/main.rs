//! No question reads more than it answers: the plan of every statement the server ever sends is
//! read, on both databases. Each action is done once over an engine that writes down what it is
//! asked; then the database is asked how it would go about it.
#![cfg(test)]

mod everything;
mod recorder;
#[path = "../common/stores.rs"]
mod stores;

use std::sync::Arc;

use banter_store::sql::{Cell, Engine};
use recorder::{Asked, Recorder};

/// Tables that grow with the app: none may be read from end to end.
const GROWING: [&str; 21] = [
    "users",
    "group_members",
    "tokens",
    "mutes",
    "devices",
    "rooms",
    "pairs",
    "members",
    "messages",
    "mentions",
    "reactions",
    "relations",
    "files",
    "file_rooms",
    "audit",
    "tallies",
    "events",
    "deliveries",
    "invitations",
    "put_away",
    "group_prefs",
];

/// What the statements call them.
const ALIASES: [(&str, &str); 22] = [
    ("u", "users"),
    ("e", "users"),
    ("g", "group_members"),
    ("t", "tokens"),
    ("d", "devices"),
    ("r", "rooms"),
    ("m", "members"),
    ("gm", "members"),
    ("mine", "members"),
    ("lm", "messages"),
    ("l", "relations"),
    ("b", "relations"),
    ("o", "relations"),
    ("ev", "events"),
    ("d", "deliveries"),
    ("i", "invitations"),
    ("v", "users"),
    ("c", "members"),
    ("p", "put_away"),
    ("f", "files"),
    ("fr", "file_rooms"),
    ("x", "mutes"),
];

/// Questions that are about all of something, by what they begin with: figures for the operator.
/// They read an index and load one row.
const ABOUT_ALL: [&str; 4] = [
    "SELECT count(*) FROM rooms",
    "SELECT count(*) FROM users u",
    "SELECT count(*) FROM relations o",
    "SELECT count(*), MIN(d.made_ms) FROM deliveries d",
];

async fn plan(engine: &dyn Engine, asked: &Asked, explain: &str) -> Vec<String> {
    let mut session = engine.write().await.expect("a transaction");
    if explain == "EXPLAIN " {
        // Small tables are read whole because they are small; this shows what an index can do.
        session.run("SET LOCAL enable_seqscan = off", Vec::new()).await.expect("a setting");
        session.run("SET LOCAL enable_bitmapscan = off", Vec::new()).await.expect("a setting");
    }
    let text = format!("{explain}{}", asked.text);
    let rows = session.rows(&text, asked.binds.clone()).await.unwrap_or_else(|error| panic!("{error}\n{}", asked.text));
    rows.into_iter()
        .filter_map(|row| {
            row.0.into_iter().rev().find_map(|cell| if let Cell::Text(line) = cell { Some(line.into()) } else { None })
        })
        .collect()
}

/// Which growing table a line of a plan would read whole. `in_order`: the
/// rows come in the order of the index, and no more than are asked for.
fn reads_whole_table(kind: &str, line: &str, in_order: bool) -> Option<&'static str> {
    let line = line.trim().trim_start_matches("->").trim();
    GROWING.into_iter().find(|table| match kind {
        // What it follows otherwise, it decides by figures of its own, which it gathers as tables grow.
        "postgres" => line.starts_with(&format!("Seq Scan on {table} ")),
        // An alias stands for its table: `SCAN u`, `SCAN users`. A scan of an index in its order,
        // stopped by a limit, says `USING`.
        _ => {
            let named = |rest: &str| {
                let name = rest.split_whitespace().next().unwrap_or_default();
                name == *table || ALIASES.iter().any(|(short, long)| *short == name && long == table)
            };
            // A subquery may be called as a table is; its rows are few.
            let scans = line.strip_prefix("SCAN ").filter(|rest| !rest.starts_with("mine"));
            scans.is_some_and(|rest| named(rest) && !rest.contains("USING"))
                // All of an app is as good as all, unless it is a page in the order of the index.
                || line.strip_prefix("SEARCH ").is_some_and(|rest| named(rest) && rest.contains("(app=?)") && !in_order)
        }
    })
}

/// R-22: whoever is told of a success has waited for a commit, his own or that of whoever did it before him. So of all
/// these acts only what is refused leaves a transaction to write without one.
fn every_success_is_durable(recorder: &Recorder) {
    let mut left = recorder.left();
    // Whoever finds that another reads the outbox tells nobody of a success.
    left.retain(|text| !text.starts_with("UPDATE cursors"));
    assert_eq!(left.len(), everything::REFUSED, "left without a commit, after:\n{}", left.join("\n"));
}

async fn every_plan_uses_an_index(engine: Arc<dyn Engine>, kind: &str) {
    let recorder = Arc::new(Recorder::over(engine.clone()));
    everything::done_once(recorder.clone()).await;
    every_success_is_durable(&recorder);
    let asked = recorder.asked();
    assert!(asked.len() > 80, "only {} statements were seen", asked.len());
    let explain = if kind == "postgres" { "EXPLAIN " } else { "EXPLAIN QUERY PLAN " };
    let mut bad = Vec::new();
    for asked in asked {
        let is_statement =
            ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|word| asked.text.trim_start().starts_with(word));
        if !is_statement || ABOUT_ALL.iter().any(|about| asked.text.starts_with(about)) {
            continue;
        }
        let lines = plan(&*engine, &asked, explain).await;
        let sorts = lines.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY"));
        let in_order = asked.text.contains(" LIMIT ") && asked.text.contains("ORDER BY") && !sorts;
        for line in &lines {
            if let Some(table) = reads_whole_table(kind, line, in_order) {
                bad.push(format!("{table} is read whole:\n{}\n{}", asked.text, lines.join("\n")));
            }
        }
    }
    assert!(bad.is_empty(), "{} plans:\n{}", bad.len(), bad.join("\n\n"));
}

#[tokio::test]
async fn sqlite_r22_no_success_without_a_commit_and_no_growing_table_read_whole() {
    stores::sqlite(async |engine| every_plan_uses_an_index(engine, "sqlite").await).await;
}

#[tokio::test]
async fn postgres_r22_no_success_without_a_commit_and_no_growing_table_read_whole() {
    stores::postgres("plans", async |engine| every_plan_uses_an_index(engine, "postgres").await).await;
}
