//! What only PostgreSQL has to promise.

use std::path::Path;

use banter_store::Error;
use banter_store::engine::postgres::Postgres;
use banter_store::sql::{Cell, Row, Session};

use crate::house::{House, insert, postgres_server};

#[tokio::test]
async fn processes_that_start_at_once_take_turns() {
    let Some(house) = House::postgres().await else { return };
    let (one, two, three) = tokio::join!(house.open(), house.open(), house.open());
    drop([one.unwrap(), two.unwrap(), three.unwrap()]);
    house.administer("DROP DATABASE").await;
}

#[tokio::test]
async fn connections_have_what_banter_relies_on() {
    let Some(house) = House::postgres().await else { return };
    let engine = house.open().await.unwrap();
    let mut session = engine.read().await.unwrap();
    for (setting, value) in [
        ("synchronous_commit", "on"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("transaction_isolation", "repeatable read"),
        ("transaction_read_only", "on"),
    ] {
        let rows = session.rows("SELECT current_setting($1)", vec![setting.into()]).await.unwrap();
        assert_eq!(rows, [Row(vec![Cell::Text(value.into())])], "{setting}");
    }
    drop(session);
    assert!(matches!(engine.backup(Path::new("copy")).await, Err(Error::Setting(_))));
    drop(engine);
    house.administer("DROP DATABASE").await;
}

#[tokio::test]
async fn asks_to_try_again_after_a_deadlock() {
    let Some(house) = House::postgres().await else { return };
    let engine = house.furnished().await;
    for id in ["a", "b"] {
        insert(&*engine, id, 0).await.unwrap();
    }
    let lock = async |session: &mut Box<dyn Session>, id: &str| {
        session.rows("SELECT id FROM notes WHERE id = $1 FOR UPDATE", vec![id.into()]).await
    };
    let (mut one, mut two) = (engine.write().await.unwrap(), engine.write().await.unwrap());
    lock(&mut one, "a").await.unwrap();
    lock(&mut two, "b").await.unwrap();
    let first = async { (lock(&mut one, "b").await, drop(one)).0 };
    let second = async { (lock(&mut two, "a").await, drop(two)).0 };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_ok() != second.is_ok());
    assert!([first, second].iter().any(|end| matches!(end, Err(Error::TryAgain(_)))));
    drop(engine);
    house.administer("DROP DATABASE").await;
}

#[tokio::test]
async fn that_cannot_be_had_is_told_apart() {
    assert!(matches!(Postgres::open("postgres:/nonsense", 2).await, Err(Error::Setting(_))));
    let tls = "postgres://a@127.0.0.1:1/b?sslmode=require";
    assert!(matches!(Postgres::open(tls, 2).await, Err(Error::Setting(_))));
    let nobody = "postgres://a:hidden@127.0.0.1:1/b";
    let Err(Error::Unreachable(text)) = Postgres::open(nobody, 2).await else { unreachable!("nobody listens there") };
    assert!(!text.contains("hidden"), "{text}");
    let Some(admin) = postgres_server() else { return };
    let (server, _) = admin.rsplit_once('/').unwrap();
    let missing = format!("{server}/banter_never_made");
    assert!(matches!(Postgres::open(&missing, 2).await, Err(Error::Setting(_))));
}
