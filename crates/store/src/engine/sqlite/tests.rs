//! What only a disk in the test's hand can show.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::task::JoinHandle;

use super::*;
use crate::sql::{Cell, Row, Value};

/// A database whose every sync waits for its outcome to be sent.
fn slow_disk(folder: &Path) -> (Sqlite, Sender<io::Result<()>>) {
    let (outcome, outcomes): (_, Receiver<io::Result<()>>) = channel();
    let sqlite = Sqlite::open_with(Claim::take(folder).unwrap(), |_wal| {
        // When the test is over, the disk is quick.
        Box::new(move || outcomes.recv().unwrap_or(Ok(())))
    });
    (sqlite.unwrap(), outcome)
}

async fn insert(sqlite: &Sqlite, name: &str) -> Result<()> {
    let mut session = sqlite.write().await?;
    session.put("INSERT INTO meta (name, value) VALUES ($1, '')", vec![Value::from(name)]).await?;
    session.commit().await
}

async fn count(mut session: Box<dyn Session>) -> Result<Vec<Row>> {
    session.rows("SELECT count(*) FROM meta WHERE value = ''", vec![]).await
}

#[tokio::test]
async fn what_is_not_durable_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, outcome) = slow_disk(folder.path());
    let old = sqlite.read().await.unwrap();

    let committing = tokio::spawn({
        let sqlite = sqlite.clone();
        async move { insert(&sqlite, "a").await }
    });
    while sqlite.0.durability.finished() == 0 {
        tokio::task::yield_now().await;
    }
    // It is committed and visible, but not durable: neither the writer, nor a reader, nor a writer
    // that finds everything done already may say so.
    let reading = tokio::spawn({
        let sqlite = sqlite.clone();
        async move { count(sqlite.read().await?).await }
    });
    let finding = tokio::spawn({
        let sqlite = sqlite.clone();
        async move {
            let mut session = sqlite.write().await?;
            session.rows("SELECT name FROM meta", vec![]).await?;
            session.commit().await
        }
    });
    let settling = tokio::spawn({
        let sqlite = sqlite.clone();
        async move { sqlite.settled().await }
    });
    // All four wait for the disk.
    while sqlite.0.durability.waiting() < 4 {
        tokio::task::yield_now().await;
    }
    assert!(!committing.is_finished() && !reading.is_finished());
    assert!(!finding.is_finished() && !settling.is_finished());

    // What looks into no table shows nothing of it, and need not wait.
    let mut quick = sqlite.read().await.unwrap();
    assert_eq!(quick.rows("SELECT 1", vec![]).await.unwrap(), [Row(vec![Cell::Int(1)])]);

    outcome.send(Ok(())).unwrap();
    committing.await.unwrap().unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), [Row(vec![Cell::Int(1)])]);
    finding.await.unwrap().unwrap();
    settling.await.unwrap().unwrap();
    assert_eq!(sqlite.syncs(), 1);
    assert_eq!(count(old).await.unwrap(), [Row(vec![Cell::Int(1)])]);
    drop(outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_ever_sees_more_than_the_disk_has() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("banter.db");
    let on_disk = Arc::new(AtomicI64::new(0));
    let sqlite = Sqlite::open_with(Claim::take(folder.path()).unwrap(), {
        let on_disk = Arc::clone(&on_disk);
        move |_wal| {
            let looking = connection::open(&database, Role::Read).unwrap();
            Box::new(move || {
                let ask = |_| {
                    let text = "SELECT count(*) FROM meta WHERE value = ''";
                    looking.query_row(text, [], |row| row.get(0)).unwrap()
                };
                let there = ask(0);
                // It takes a while. Others commit meanwhile, and this sync is not theirs.
                let _: i64 = (0..50).map(ask).sum();
                on_disk.store(there, Ordering::SeqCst);
                Ok(())
            })
        }
    });
    let sqlite = sqlite.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move {
                for number in 0..100 {
                    insert(&sqlite, &format!("{writer} {number}")).await.unwrap();
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (sqlite, on_disk) = (sqlite.clone(), Arc::clone(&on_disk));
            tokio::spawn(async move {
                let mut seen = 0;
                while seen < 800 {
                    seen = count(sqlite.read().await.unwrap()).await.unwrap().first().unwrap().int(0).unwrap();
                    assert!(seen <= on_disk.load(Ordering::SeqCst));
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(readers) {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn the_next_writer_does_not_wait_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, outcome) = slow_disk(folder.path());
    let names: Vec<String> = (0..10).map(|name| name.to_string()).collect();
    let all: Vec<_> = names
        .into_iter()
        .map(|name| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move { insert(&sqlite, &name).await })
        })
        .collect();
    while sqlite.0.durability.finished() < 10 {
        tokio::task::yield_now().await;
    }
    // The first sync may have begun before the last commit; two are surely enough.
    outcome.send(Ok(())).unwrap();
    outcome.send(Ok(())).unwrap();
    for commit in all {
        commit.await.unwrap().unwrap();
    }
    assert!(sqlite.syncs() <= 2);
    drop(outcome);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, outcome) = slow_disk(folder.path());
    outcome.send(Ok(())).unwrap();
    insert(&sqlite, "kept").await.unwrap();

    outcome.send(Err(io::Error::other("the disk is gone"))).unwrap();
    assert!(matches!(insert(&sqlite, "lost").await, Err(Error::NotDurable(_))));
    assert!(matches!(insert(&sqlite, "refused").await, Err(Error::NotDurable(_))));
    assert!(matches!(count(sqlite.read().await.unwrap()).await, Err(Error::NotDurable(_))));
    assert!(matches!(sqlite.settled().await, Err(Error::NotDurable(_))));

    // The WAL is kept for the next start, which believes only its checksums.
    drop(sqlite);
    assert!(folder.path().join("banter.db-wal").metadata().unwrap().len() > 0);
    let sqlite = Sqlite::open(folder.path()).unwrap();
    insert(&sqlite, "again").await.unwrap();
}

#[tokio::test]
async fn a_wal_that_grows_is_copied_and_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path()).unwrap();
    let large = "x".repeat(1 << 20);
    let copied = || folder.path().join("banter.db").metadata().unwrap().len();
    for name in 0.. {
        if copied() > 4 << 20 {
            break;
        }
        assert!(name < 1_000, "{name} MiB were written and {} bytes copied", copied());
        let mut session = sqlite.write().await.unwrap();
        let binds = vec![name.to_string().into(), large.clone().into()];
        session.put("INSERT INTO meta (name, value) VALUES ($1, $2)", binds).await.unwrap();
        session.commit().await.unwrap();
        // Readers do not keep it from happening.
        drop(count(sqlite.read().await.unwrap()).await.unwrap());
    }
}

/// Begins a turn, and lets others line up behind it before it goes on.
async fn with_others_waiting(sqlite: &Sqlite, names: &[&str]) -> (Box<dyn Session>, Vec<JoinHandle<Result<()>>>) {
    let first = sqlite.write().await.unwrap();
    let others = names
        .iter()
        .map(|name| {
            let (sqlite, name) = (sqlite.clone(), (*name).to_owned());
            tokio::spawn(async move { insert(&sqlite, &name).await })
        })
        .collect();
    let line = sqlite.0.writer.as_ref().unwrap();
    while line.waiting() < names.len() {
        tokio::task::yield_now().await;
    }
    (first, others)
}

async fn put(session: &mut Box<dyn Session>, name: &str) {
    session.put("INSERT INTO meta (name, value) VALUES ($1, '')", vec![Value::from(name)]).await.unwrap();
}

async fn names(sqlite: &Sqlite) -> Vec<String> {
    let mut session = sqlite.read().await.unwrap();
    let rows = session.rows("SELECT name FROM meta WHERE value = '' ORDER BY name", vec![]).await.unwrap();
    rows.into_iter().map(|mut row| row.text(0).unwrap()).collect()
}

#[tokio::test]
async fn turns_share_a_commit_and_a_failed_one_undoes_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path()).unwrap();
    insert(&sqlite, "taken").await.unwrap();
    let (mut first, others) = with_others_waiting(&sqlite, &["b", "taken", "c"]).await;
    put(&mut first, "a").await;
    let before = sqlite.0.durability.finished();
    first.commit().await.unwrap();
    let mut ends = Vec::new();
    for other in others {
        ends.push(other.await.unwrap().is_ok());
    }
    assert_eq!(ends, [true, false, true]);
    assert_eq!(names(&sqlite).await, ["a", "b", "c", "taken"]);
    // Three turns were carried, and the refused one has no number.
    assert_eq!(sqlite.0.durability.finished() - before, 3);
}

#[tokio::test]
async fn what_was_left_open_for_somebody_who_went_away_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path()).unwrap();
    for (name, before) in [("a", true), ("b", false)] {
        let (mut first, others) = with_others_waiting(&sqlite, &["never"]).await;
        put(&mut first, name).await;
        let go_away = || others.iter().for_each(JoinHandle::abort);
        if before {
            go_away();
            tokio::task::yield_now().await;
        }
        // The commit is polled first, and leaves the transaction open if somebody still waits.
        let (committed, ()) = tokio::join!(first.commit(), async { go_away() });
        committed.unwrap();
    }
    assert_eq!(names(&sqlite).await, ["a", "b"]);
}

#[tokio::test]
async fn all_turns_of_a_transaction_that_came_to_nothing_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path()).unwrap();
    let store = crate::Store::over(Arc::new(sqlite.clone()));
    let lost = store.lost();
    let (mut first, others) = with_others_waiting(&sqlite, &[]).await;
    assert!(others.is_empty());
    // As SQLite does by itself when the disk is full.
    let full = tokio::spawn({
        let sqlite = sqlite.clone();
        async move {
            let mut session = sqlite.write().await?;
            session.put("ROLLBACK", vec![]).await?;
            session.commit().await
        }
    });
    let after = tokio::spawn({
        let sqlite = sqlite.clone();
        async move {
            while sqlite.0.writer.as_ref().unwrap().waiting() < 1 {
                tokio::task::yield_now().await;
            }
            insert(&sqlite, "after").await
        }
    });
    while sqlite.0.writer.as_ref().unwrap().waiting() < 2 {
        tokio::task::yield_now().await;
    }
    put(&mut first, "lost").await;
    assert!(matches!(first.commit().await, Err(Error::Database(_))));
    assert!(matches!(full.await.unwrap(), Err(Error::Database(_))));
    after.await.unwrap().unwrap();
    assert_eq!(names(&sqlite).await, ["after"]);
    // What was found while it was there may be told no more; what is found now may.
    assert!(matches!(store.settled(lost).await, Err(Error::TryAgain(_))));
    store.settled(store.lost()).await.unwrap();
}
