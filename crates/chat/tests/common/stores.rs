//! The stores that tests run over, each empty at first.

use std::sync::Arc;

use banter_store::engine::postgres::Postgres;
use banter_store::engine::sqlite::Sqlite;
use banter_store::sql::Engine;

/// Runs a test over SQLite.
pub(crate) async fn sqlite(test: impl AsyncFnOnce(Arc<dyn Engine>)) {
    let folder = tempfile::tempdir().expect("a folder");
    test(Arc::new(Sqlite::open(folder.path()).expect("a database"))).await;
}

/// Runs a test over PostgreSQL, if there is one, in a database of this name and process.
pub(crate) async fn postgres(name: &str, test: impl AsyncFnOnce(Arc<dyn Engine>)) {
    let Ok(admin) = std::env::var("BANTER_TEST_POSTGRES") else {
        assert!(std::env::var_os("BANTER_TEST_ALL").is_none(), "BANTER_TEST_POSTGRES is not set");
        return;
    };
    let (client, connection) = tokio_postgres::connect(&admin, tokio_postgres::NoTls).await.expect("PostgreSQL");
    tokio::spawn(connection);
    let name = format!("{name}_{}", std::process::id());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
    let url = match admin.rsplit_once('/') {
        Some((server, _)) => format!("{server}/{name}"),
        None => panic!("BANTER_TEST_POSTGRES is no URL"),
    };
    test(Arc::new(Postgres::open(&url, 8).await.expect("a database"))).await;
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("it goes");
}
