//! One contract, kept by both engines: SQLite in a fresh folder, and PostgreSQL in a fresh database
//! when `BANTER_TEST_POSTGRES` holds the address of one where databases may be created.
#![cfg(test)]

#[path = "engines/house.rs"]
mod house;
#[path = "engines/postgres.rs"]
mod postgres;
#[path = "engines/sqlite.rs"]
mod sqlite;
#[path = "engines/users.rs"]
mod users;

use std::sync::Arc;

use banter_store::Error;
use banter_store::sql::{Cell, EngineKind, Row, Statement, Value};

use crate::house::{House, INSERT, all_ids, ids, insert};

/// Runs a promise on each engine there is.
macro_rules! each_engine {
    ($(async fn $name:ident($house:ident: House) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn keep($house: House) {
                let keep = async || $body;
                keep().await;
                $house.administer("DROP DATABASE IF EXISTS").await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                keep(House::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                if let Some(house) = House::postgres().await {
                    keep(house).await;
                }
            }
        }
    )+};
}

each_engine! {
    async fn filters_mean_the_same(house: House) {
        users::filters_mean_the_same(&house).await;
    }

    async fn a_pattern_is_judged_for_so_many_users(house: House) {
        users::a_pattern_is_judged_for_so_many_users(&house).await;
    }

    async fn a_commit_is_seen_and_survives_reopening(house: House) {
        let engine = house.furnished().await;
        insert(&*engine, "a", 1).await.unwrap();
        assert_eq!(all_ids(&*engine).await, ["a"]);
        drop(engine);
        assert_eq!(all_ids(&*house.open().await.unwrap()).await, ["a"]);
    }

    async fn a_dropped_session_undoes_everything(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.write().await.unwrap();
        assert_eq!(session.run(INSERT, vec!["a".into(), 1.into()]).await.unwrap(), 1);
        session.put(INSERT, vec!["b".into(), 1.into()]).await.unwrap();
        assert_eq!(ids(session.as_mut()).await, ["a", "b"]);
        drop(session);
        drop(engine.write().await.unwrap());
        // And whoever gets the connection next finds nothing open on it.
        insert(&*engine, "c", 1).await.unwrap();
        assert_eq!(all_ids(&*engine).await, ["c"]);
    }

    async fn statements_of_a_batch_are_carried_out_in_order(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.write().await.unwrap();
        session.put(INSERT, vec!["put before".into(), 0.into()]).await.unwrap();
        let add = |id: &str| Statement {
            text: "INSERT INTO notes (id, number) SELECT $1, count(*) FROM notes RETURNING number".into(),
            binds: vec![id.into()],
        };
        let answers = session.batch(vec![add("a"), add("b"), add("c")]).await.unwrap();
        let one = |number| vec![Row(vec![Cell::Int(number)])];
        assert_eq!(answers, [one(1), one(2), one(3)]);
        session.commit().await.unwrap();
        assert_eq!(all_ids(&*engine).await.len(), 4);
    }

    async fn a_large_batch_is_answered_in_full(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.write().await.unwrap();
        for number in 0..300 {
            session.put(INSERT, vec![format!("{number:04}").into(), number.into()]).await.unwrap();
        }
        let ask = |number: i64| Statement {
            text: "SELECT id, number FROM notes WHERE number < $1 ORDER BY number".into(),
            binds: vec![number.into()],
        };
        let answers = session.batch((0..100).map(ask).collect()).await.unwrap();
        assert!(answers.iter().enumerate().all(|(at, rows)| rows.len() == at));
        session.commit().await.unwrap();
        assert_eq!(all_ids(&*engine).await.len(), 300);
    }

    async fn values_come_back_as_they_were_bound(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.write().await.unwrap();
        let text = "INSERT INTO notes (id, number, weight) VALUES ($1, $2, $3)";
        let binds = vec!["é \"quoted\" 漢字".into(), i64::MIN.into(), Value::Real(0.5)];
        session.put(text, binds).await.unwrap();
        session.put(text, vec!["z".into(), Value::Null, Value::Null]).await.unwrap();
        let mut rows = session.rows("SELECT id, number, weight FROM notes ORDER BY number", vec![]).await.unwrap();
        // The two sort NULL differently.
        rows.sort_by_key(|row| row.int_opt(1).unwrap().is_none());
        assert_eq!(rows, [
            Row(vec![Cell::Text("é \"quoted\" 漢字".into()), Cell::Int(i64::MIN), Cell::Real(0.5)]),
            Row(vec![Cell::Text("z".into()), Cell::Null, Cell::Null]),
        ]);
        let yes = session.rows("SELECT EXISTS (SELECT 1 FROM notes), count(*) FROM notes", vec![]).await.unwrap();
        assert_eq!(yes, [Row(vec![Cell::Int(1), Cell::Int(2)])]);
        let touched = session.run("UPDATE notes SET weight = $1 WHERE id <> $2", vec![Value::Null, "none".into()]).await;
        assert_eq!(touched.unwrap(), 2);
    }

    async fn a_list_can_be_asked_for(house: House) {
        let engine = house.furnished().await;
        for id in ["a", "b", "with \"quotes\", commas", "漢字"] {
            insert(&*engine, id, 1).await.unwrap();
        }
        let mut session = engine.read().await.unwrap();
        for (wanted, found) in [
            (vec!["b", "a", "nobody"], 2),
            (vec!["with \"quotes\", commas", "漢字"], 2),
            (vec![], 0),
        ] {
            let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
            let text = "SELECT id FROM notes WHERE number = $2 AND id = ANY($1)";
            let rows = session.rows(text, vec![wanted.into(), 1.into()]).await.unwrap();
            assert_eq!(rows.len(), found);
        }
    }

    async fn a_put_that_fails_makes_the_commit_fail_and_leaves_nothing(house: House) {
        let engine = house.furnished().await;
        insert(&*engine, "a", 1).await.unwrap();
        for wrong in [
            // refused by the server, and not even sent to it
            (INSERT, vec!["a".into(), 1.into()]),
            (INSERT, vec!["c".into()]),
        ] {
            let mut session = engine.write().await.unwrap();
            session.put(INSERT, vec!["b".into(), 1.into()]).await.unwrap();
            let put = session.put(wrong.0, wrong.1).await;
            // SQLite says so at once; whoever does not listen hears it at the end.
            assert_eq!(put.is_err(), engine.kind() == EngineKind::Sqlite);
            let _ = session.put(INSERT, vec!["d".into(), 1.into()]).await;
            assert!(matches!(session.commit().await, Err(Error::Database(_))));
            assert_eq!(all_ids(&*engine).await, ["a"]);
        }
        insert(&*engine, "e", 1).await.unwrap();
    }

    async fn a_fault_names_no_value(house: House) {
        let engine = house.furnished().await;
        insert(&*engine, "secret", 1).await.unwrap();
        for text in [INSERT, "INSERT INTO notes (number, id) VALUES ($1, $2)"] {
            let mut session = engine.write().await.unwrap();
            let error = session.run(text, vec!["secret".into(), Value::Real(0.5)]).await;
            // SQLite takes text for a number; PostgreSQL does not even send it.
            if let Err(error) = error {
                assert!(!error.to_string().contains("secret"), "{error}");
            }
        }
        let error = insert(&*engine, "secret", 1).await.unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("notes"), "{error}");
    }

    async fn a_session_with_a_failed_statement_refuses_the_rest(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.write().await.unwrap();
        session.put(INSERT, vec!["a".into(), 1.into()]).await.unwrap();
        assert!(session.rows("SELECT nothing FROM nowhere", vec![]).await.is_err());
        assert!(session.rows("SELECT id FROM notes", vec![]).await.is_err());
        assert!(session.run(INSERT, vec!["b".into(), 1.into()]).await.is_err());
        assert!(session.commit().await.is_err());
        assert_eq!(all_ids(&*engine).await.len(), 0);
    }

    async fn a_batch_with_a_failed_statement_leaves_nothing(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.write().await.unwrap();
        let add = |id: &str| Statement { text: INSERT.into(), binds: vec![id.into(), 1.into()] };
        assert!(session.batch(vec![add("a"), add("b"), add("a"), add("c")]).await.is_err(), "two of one id");
        assert!(session.batch(vec![add("d")]).await.is_err());
        assert!(session.commit().await.is_err());
        assert_eq!(all_ids(&*engine).await.len(), 0);
    }

    async fn a_reader_sees_one_moment(house: House) {
        let engine = house.furnished().await;
        insert(&*engine, "a", 1).await.unwrap();
        let mut short = engine.read().await.unwrap();
        let mut long = engine.read_long().await.unwrap();
        assert_eq!(ids(short.as_mut()).await, ["a"]);
        assert_eq!(ids(long.as_mut()).await, ["a"]);
        insert(&*engine, "b", 1).await.unwrap();
        assert_eq!(ids(short.as_mut()).await, ["a"]);
        assert_eq!(ids(long.as_mut()).await, ["a"]);
        short.commit().await.unwrap();
        drop(long);
        assert_eq!(all_ids(&*engine).await, ["a", "b"]);
    }

    async fn a_reader_cannot_write(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.read().await.unwrap();
        assert!(session.run(INSERT, vec!["a".into(), 1.into()]).await.is_err());
        drop(session);
        assert_eq!(all_ids(&*engine).await.len(), 0);
    }

    async fn counting_up_loses_nothing(house: House) {
        let engine = house.furnished().await;
        insert(&*engine, "a", 0).await.unwrap();
        let tasks: Vec<_> = (0..20).map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                for _ in 0..10 {
                    let mut session = engine.write().await.unwrap();
                    let text = "SELECT number FROM notes WHERE id = $1 FOR UPDATE";
                    let rows = session.rows(text, vec!["a".into()]).await.unwrap();
                    let number = rows.first().unwrap().int(0).unwrap() + 1;
                    let text = "UPDATE notes SET number = $1 WHERE id = $2";
                    session.put(text, vec![number.into(), "a".into()]).await.unwrap();
                    session.commit().await.unwrap();
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut session = engine.read().await.unwrap();
        let rows = session.rows("SELECT number FROM notes", vec![]).await.unwrap();
        assert_eq!(rows, [Row(vec![Cell::Int(200)])]);
    }

    async fn a_call_nobody_waits_for_any_more_leaves_nothing(house: House) {
        let engine = house.furnished().await;
        insert(&*engine, "a", 0).await.unwrap();
        let lock = "SELECT id FROM notes WHERE id = $1 FOR UPDATE";
        let mut holder = engine.write().await.unwrap();
        holder.rows(lock, vec!["a".into()]).await.unwrap();

        let waiting = async {
            let mut session = engine.write().await?;
            session.put(INSERT, vec!["b".into(), 0.into()]).await?;
            session.rows(lock, vec!["a".into()]).await?;
            session.commit().await
        };
        let patience = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(patience, waiting).await.is_err());
        drop(holder);
        insert(&*engine, "c", 0).await.unwrap();
        assert_eq!(all_ids(&*engine).await, ["a", "c"]);
    }

    async fn a_database_for_a_newer_binary_is_refused(house: House) {
        let engine = house.furnished().await;
        let mut session = engine.write().await.unwrap();
        session.put("DELETE FROM meta WHERE name = 'min_binary'", vec![]).await.unwrap();
        session.put("INSERT INTO meta (name, value) VALUES ('min_binary', '1000')", vec![]).await.unwrap();
        session.commit().await.unwrap();
        drop(engine);
        let Err(Error::Setting(text)) = house.open().await.map(drop) else {
            unreachable!("it was opened")
        };
        assert!(text.contains("needs a newer banter"), "{text}");
    }

    async fn many_commits_at_once_are_all_kept(house: House) {
        let engine = house.furnished().await;
        let tasks: Vec<_> = (0..256).map(|number: i64| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { insert(&*engine, &number.to_string(), number).await })
        }).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(all_ids(&*engine).await.len(), 256);
        engine.settled().await.unwrap();
    }

    async fn long_readers_wait_for_each_other_and_not_for_short_ones(house: House) {
        let engine = house.furnished().await;
        let mut long = Vec::new();
        for _ in 0..8 {
            let mut session = engine.read_long().await.unwrap();
            assert_eq!(ids(session.as_mut()).await.len(), 0);
            long.push(session);
        }
        let patience = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(patience, engine.read_long()).await.is_err());
        assert_eq!(all_ids(&*engine).await.len(), 0);
        long.pop();
        drop(engine.read_long().await.unwrap());
    }
}
