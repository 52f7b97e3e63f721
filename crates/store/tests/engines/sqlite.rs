//! What only SQLite has to promise.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use banter_store::Error;
use banter_store::engine::sqlite::Sqlite;
use banter_store::sql::Engine;

use crate::house::{House, INSERT, all_ids, insert};

#[tokio::test]
async fn has_one_writer_at_a_time() {
    let house = House::sqlite();
    let engine = house.furnished().await;
    let first = engine.write().await.unwrap();
    let patience = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, engine.write()).await.is_err());
    first.commit().await.unwrap();
    drop(engine.write().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_share_their_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path()).unwrap();
    let (before, each) = (sqlite.syncs(), 20);
    let tasks: Vec<_> = (0..256)
        .map(|task| {
            let sqlite = sqlite.clone();
            tokio::spawn(async move {
                for number in 0..each {
                    let mut session = sqlite.write().await.unwrap();
                    let text = "INSERT INTO meta (name, value) VALUES ($1, '')";
                    session.put(text, vec![format!("{task} {number}").into()]).await.unwrap();
                    session.commit().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(sqlite.syncs() - before < 256 * each);
}

#[tokio::test]
async fn lets_one_server_into_a_folder_and_keeps_it_private() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new").join("data");
    let sqlite = Sqlite::open(&folder).unwrap();
    let Err(Error::Setting(text)) = Sqlite::open(&folder).map(drop) else { unreachable!("it was opened twice") };
    assert!(text.ends_with("is in use by another banter process"), "{text}");

    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["banter.db", "banter.db-wal", "banter.db-shm", "banter.lock"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    // Closed in order: everything is in the one file, and the folder is free again.
    drop(sqlite);
    assert!(!folder.join("banter.db-wal").exists());
    drop(Sqlite::open(&folder).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn is_copied_while_it_is_written() {
    let (house, elsewhere) = (House::sqlite(), tempfile::tempdir().unwrap());
    let engine = house.furnished().await;
    let House::Sqlite(folder) = &house else { unreachable!("this is SQLite") };
    let writing = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move {
            for pair in 0.. {
                let mut session = engine.write().await.unwrap();
                for side in ["left", "right"] {
                    session.put(INSERT, vec![format!("{pair} {side}").into(), pair.into()]).await.unwrap();
                }
                session.commit().await.unwrap();
            }
        }
    });
    let beside = Sqlite::open_beside(folder.path()).unwrap();
    assert!(matches!(beside.write().await, Err(Error::Setting(_))));
    let copies: [(&dyn Engine, PathBuf); 2] =
        [(&*engine, elsewhere.path().join("a.db")), (&beside, elsewhere.path().join("b.db"))];
    for (engine, to) in &copies {
        engine.backup(to).await.unwrap();
        let Err(Error::Setting(text)) = engine.backup(to).await else { unreachable!("it was overwritten") };
        assert!(text.contains("exists already"), "{text}");

        let copy = rusqlite::Connection::open(to).unwrap();
        let ask = |text: &str| copy.query_row(text, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(ask("PRAGMA integrity_check"), "ok");
        // Whole transactions only.
        assert_eq!(ask("SELECT (count(*) > 0) || (count(*) % 2) FROM notes"), "10");
    }
    writing.abort();
    assert_eq!(elsewhere.path().read_dir().unwrap().count(), 2, "no partial copy stays");

    // A copy is a data folder's file as it stands.
    let restored = tempfile::tempdir().unwrap();
    std::fs::copy(&copies[0].1, restored.path().join("banter.db")).unwrap();
    let restored = Sqlite::open(restored.path()).unwrap();
    assert!(!all_ids(&restored).await.is_empty());
}

#[tokio::test]
async fn is_copied_when_no_server_runs() {
    let (house, elsewhere) = (House::sqlite(), tempfile::tempdir().unwrap());
    insert(&*house.furnished().await, "a", 1).await.unwrap();
    let House::Sqlite(folder) = &house else { unreachable!("this is SQLite") };
    let to = elsewhere.path().join("copy.db");
    Sqlite::open_beside(folder.path()).unwrap().backup(&to).await.unwrap();
    assert!(matches!(Sqlite::open_beside(elsewhere.path()), Err(Error::Setting(_))));
    let copy = rusqlite::Connection::open(to).unwrap();
    let count: i64 = copy.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}
