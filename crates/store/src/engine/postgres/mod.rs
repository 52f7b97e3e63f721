//! PostgreSQL, 15 or newer, or a database that speaks like it.
//!
//! Writers are READ COMMITTED and lock rows by `FOR UPDATE`; readers see one moment. A commit is
//! durable when it returns, and visible only then, so nothing here waits a second time.

pub(super) mod faults;
mod pipeline;
mod session;
mod values;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::sync::Semaphore;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

use self::session::Transaction;
use super::migrate;
use crate::sql::{Engine, EngineKind, Row, Session, Value};
use crate::{Error, Result};

/// How many connections a process opens, unless it is told otherwise.
pub const CONNECTIONS: usize = 24;

/// How many long readers run at once, but never more than a third of the connections.
const LONG_READERS: usize = 8;

/// How long to wait for a connection, new or free.
const PATIENCE: Duration = Duration::from_secs(5);

const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A PostgreSQL database, through a pool of connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    long_readers: Arc<Semaphore>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("status", &self.pool.status()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens the database at `postgres://…` and brings its tables up to date, with at most
    /// `connections` connections ([`CONNECTIONS`] is a good number).
    pub async fn open(url: &str, connections: usize) -> Result<Self> {
        let config = configure(url)?;
        migrate(&config).await?;
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let connections = connections.max(2);
        let pool = Pool::builder(manager)
            .max_size(connections)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::Setting(error.to_string()))?;
        let long_readers = Arc::new(Semaphore::new((connections / 3).clamp(1, LONG_READERS)));
        Ok(Self { pool, long_readers })
    }

    async fn connection(&self) -> Result<deadpool_postgres::Object> {
        self.pool.get().await.map_err(|error| faults::pool(&error))
    }
}

/// The address as given, with what Banter relies on.
fn configure(url: &str) -> Result<Config> {
    // The address may hold a password, so it is not repeated.
    let mut config: Config =
        url.parse().map_err(|error| Error::Setting(format!("the address of the database is wrong: {error}")))?;
    if !matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer) {
        let text = "the address of the database asks for TLS, which banter does not speak to it";
        return Err(Error::Setting(text.to_owned()));
    }
    let given = config.get_options().unwrap_or_default().to_owned();
    // Ours come last and win.
    config.options(format!(
        "{given} -c synchronous_commit=on -c lock_timeout=10s \
         -c idle_in_transaction_session_timeout=30s"
    ));
    if config.get_application_name().is_none() {
        config.application_name("banter");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    // A peer that vanished without a word is noticed within half a minute.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(30));
    }
    config.keepalives_idle(Duration::from_secs(15));
    Ok(config)
}

/// Migrates over a connection of its own, which then closes and gives up the lock.
async fn migrate(config: &Config) -> Result<()> {
    let mut config = config.clone();
    // Another process may be migrating, and takes as long as it takes.
    let given = config.get_options().unwrap_or_default().to_owned();
    config.options(format!("{given} -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"));
    let (mut client, connection) = config.connect(NoTls).await.map_err(|error| faults::connecting(&error))?;
    let running = tokio::spawn(connection);
    let migrated = match check_version(&client).await {
        Ok(()) => migrate::postgres(&mut client).await,
        Err(error) => Err(error),
    };
    drop(client);
    // It ends when the last message is out; the lock is free when the server has seen it.
    let _ = running.await;
    migrated
}

async fn check_version(client: &tokio_postgres::Client) -> Result<()> {
    let row = client.query_one("SELECT current_setting('server_version_num')::int4", &[]).await;
    let version: i32 = row.and_then(|row| row.try_get(0)).map_err(|error| faults::fault(&error))?;
    if version < 150_000 {
        let text = format!("this is PostgreSQL {}; banter needs 15 or newer", version / 10_000);
        return Err(Error::Setting(text));
    }
    Ok(())
}

#[async_trait]
impl Engine for Postgres {
    async fn write(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Transaction::new(self.connection().await?, WRITE, None)))
    }

    async fn read(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Transaction::new(self.connection().await?, READ, None)))
    }

    async fn once(&self, text: &str, binds: Vec<Value>) -> Result<Vec<Row>> {
        // A statement that stands alone is a transaction by itself.
        let connection = self.connection().await?;
        match tokio::time::timeout(PATIENCE, session::once(&connection, text, binds)).await {
            Ok(rows) => rows,
            Err(_) => {
                // Nobody else is to wait behind it.
                drop(deadpool_postgres::Object::take(connection));
                Err(Error::Unreachable("a question was not answered in time".to_owned()))
            }
        }
    }

    async fn read_long(&self) -> Result<Box<dyn Session>> {
        let permit = Arc::clone(&self.long_readers).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Unreachable("the database is closed".to_owned()))?;
        Ok(Box::new(Transaction::new(self.connection().await?, READ, Some(permit))))
    }

    async fn settled(&self) -> Result<()> {
        // With synchronous_commit, a commit is seen by nobody before it is durable.
        Ok(())
    }

    fn kind(&self) -> EngineKind {
        EngineKind::Postgres
    }

    async fn backup(&self, _: &Path) -> Result<()> {
        Err(Error::Setting("banter copies only its own database file; for PostgreSQL, use pg_dump".to_owned()))
    }
}
