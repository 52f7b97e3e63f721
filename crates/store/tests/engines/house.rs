//! Fresh databases, and what every promise needs to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use banter_store::Result;
use banter_store::engine::postgres::{CONNECTIONS, Postgres};
use banter_store::engine::sqlite::Sqlite;
use banter_store::sql::{Engine, Session};

/// A fresh database, gone after the test.
pub(crate) enum House {
    Sqlite(tempfile::TempDir),
    Postgres { admin: String, name: String },
}

/// The PostgreSQL server that tests have. `None`: there is none, and that is fine.
pub(crate) fn postgres_server() -> Option<String> {
    let admin = std::env::var("BANTER_TEST_POSTGRES").ok();
    assert!(
        admin.is_some() || std::env::var_os("BANTER_TEST_ALL").is_none(),
        "BANTER_TEST_POSTGRES names no server: run the tests through `make test`, which starts one"
    );
    admin
}

impl House {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// `None`: there is no server to make it on, and that is fine.
    pub(crate) async fn postgres() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let admin = postgres_server()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("banter_engines_{}_{number}", std::process::id());
        let house = Self::Postgres { admin, name };
        house.administer("CREATE DATABASE").await;
        Some(house)
    }

    pub(crate) async fn administer(&self, what: &str) {
        if let Self::Postgres { admin, name } = self {
            let (client, connection) = tokio_postgres::connect(admin, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&format!("{what} {name}")).await.unwrap();
        }
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn Engine>> {
        match self {
            Self::Sqlite(folder) => Ok(Arc::new(Sqlite::open(folder.path())?)),
            Self::Postgres { admin, name } => {
                let (server, _) = admin.rsplit_once('/').unwrap();
                Ok(Arc::new(Postgres::open(&format!("{server}/{name}"), CONNECTIONS).await?))
            }
        }
    }

    /// A database with the table the promises below are about.
    pub(crate) async fn furnished(&self) -> Arc<dyn Engine> {
        let engine = self.open().await.unwrap();
        let mut session = engine.write().await.unwrap();
        session
            .put("CREATE TABLE notes (id TEXT PRIMARY KEY, number BIGINT, weight DOUBLE PRECISION)", vec![])
            .await
            .unwrap();
        session.commit().await.unwrap();
        engine
    }
}

pub(crate) const INSERT: &str = "INSERT INTO notes (id, number) VALUES ($1, $2)";

pub(crate) async fn insert(engine: &dyn Engine, id: &str, number: i64) -> Result<()> {
    let mut session = engine.write().await?;
    session.put(INSERT, vec![id.into(), number.into()]).await?;
    session.commit().await
}

pub(crate) async fn ids(session: &mut dyn Session) -> Vec<String> {
    let rows = session.rows("SELECT id FROM notes ORDER BY id", vec![]).await.unwrap();
    rows.into_iter().map(|mut row| row.text(0).unwrap()).collect()
}

pub(crate) async fn all_ids(engine: &dyn Engine) -> Vec<String> {
    ids(engine.read().await.unwrap().as_mut()).await
}
