//! Transactions on SQLite. Statements run inline on the calling task: they take microseconds, and
//! a hop to another thread costs more than they do.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, TransactionState};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::connection::{Role, open};
use super::texts::{Done, Texts, command};
use crate::sql::{Row, Session, Statement, Value};
use crate::{Error, Result};

/// Which transaction this is, and therefore what it must wait for.
enum On {
    /// The one writer; dropping it lets the next one in.
    Writer(OwnedMutexGuard<Connection>),
    /// A reader; `None` only while it is dropped.
    Reader { connection: Option<Connection>, place: Place },
}

/// A place among the readers, and where the connection goes afterwards.
struct Place {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

/// An open transaction.
pub(super) struct Transaction {
    on: On,
    shared: Arc<Shared>,
    /// Something may have been written, so the commit needs a sync.
    wrote: bool,
    /// A statement failed. What the transaction would do from here on is anybody's guess.
    broken: bool,
    /// A reader's snapshot is taken, and shows no commit beyond `shows`.
    fixed: bool,
    shows: u64,
}

impl Transaction {
    /// Waits for the write lock.
    pub(super) async fn write(shared: &Arc<Shared>, writer: &Arc<tokio::sync::Mutex<Connection>>) -> Result<Self> {
        let connection = Arc::clone(writer).lock_owned().await;
        shared.durability.check()?;
        command(&connection, "BEGIN IMMEDIATE")?;
        Ok(Self::on(On::Writer(connection), shared))
    }

    /// Waits for a place among the readers.
    pub(super) async fn read(shared: &Arc<Shared>, pool: &Arc<Pool>) -> Result<Self> {
        let (connection, place) = Pool::take(pool).await?;
        let on = On::Reader { connection: Some(connection), place };
        let transaction = Self::on(on, shared);
        command(transaction.connection()?, "BEGIN")?;
        Ok(transaction)
    }

    fn on(on: On, shared: &Arc<Shared>) -> Self {
        let shared = Arc::clone(shared);
        Self { on, shared, wrote: false, broken: false, fixed: false, shows: 0 }
    }

    fn connection(&self) -> Result<&Connection> {
        match &self.on {
            On::Writer(connection) => Ok(connection),
            On::Reader { connection, .. } => {
                connection.as_ref().ok_or_else(|| Error::Database("the session is over".to_owned()))
            }
        }
    }

    fn is_writer(&self) -> bool {
        matches!(self.on, On::Writer(_))
    }

    /// Carries out one statement and keeps account of what it means for the commit.
    fn carry_out<T>(&mut self, work: impl FnOnce(&Texts, &Connection) -> Result<Done<T>>) -> Result<T> {
        if self.broken {
            return Err(broken());
        }
        let connection = self.connection()?;
        let done = work(&self.shared.texts, connection);
        // A reader's snapshot is taken by the first statement that looks into a table; only then is
        // it known what it can show.
        let fixes = !self.fixed
            && !self.is_writer()
            && connection.transaction_state(Some(rusqlite::MAIN_DB)).is_ok_and(|state| state != TransactionState::None);
        // Some faults (a full disk) make SQLite roll back by itself; the next statement would then
        // stand alone and be kept.
        self.broken = done.is_err() || connection.is_autocommit();
        if fixes {
            self.fixed = true;
            self.shows = self.shared.durability.announced();
        }
        let done = done?;
        self.wrote |= done.wrote;
        Ok(done.answer)
    }

    fn end(&mut self) -> Result<()> {
        command(self.connection()?, "COMMIT")
    }
}

fn broken() -> Error {
    Error::Database("an earlier statement of this transaction failed".to_owned())
}

#[async_trait]
impl Session for Transaction {
    async fn rows(&mut self, text: &str, binds: Vec<Value>) -> Result<Vec<Row>> {
        let rows = self.carry_out(|texts, on| texts.ask(on, text, &binds))?;
        // A reader tells only what is durable. It costs nothing when all of it is.
        self.shared.durability.wait(self.shows).await?;
        Ok(rows)
    }

    async fn run(&mut self, text: &str, binds: Vec<Value>) -> Result<u64> {
        self.carry_out(|texts, on| texts.run(on, text, &binds))
    }

    async fn put(&mut self, text: &str, binds: Vec<Value>) -> Result<()> {
        self.carry_out(|texts, on| texts.run(on, text, &binds)).map(drop)
    }

    async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        let mut answers = Vec::with_capacity(statements.len());
        for Statement { text, binds } in statements {
            answers.push(self.carry_out(|texts, on| texts.ask(on, &text, &binds))?);
        }
        self.shared.durability.wait(self.shows).await?;
        Ok(answers)
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        if self.broken {
            return Err(broken());
        }
        if !self.is_writer() {
            return self.end();
        }
        let shared = Arc::clone(&self.shared);
        let durability = &shared.durability;
        durability.check()?;
        // A writer that found everything done already tells what another one wrote, so it waits for
        // that one; it needs no sync of its own.
        let number = if self.wrote { durability.announce() } else { durability.announced() };
        let done = self.end();
        if self.wrote {
            durability.finish(number);
        }
        // Undoes a commit that failed, and lets the next writer in before waiting for the disk.
        drop(self);
        done?;
        durability.wait(number).await
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        match &mut self.on {
            On::Writer(connection) => undo(connection),
            On::Reader { connection, place } => {
                if let Some(connection) = connection.take() {
                    undo(&connection);
                    place.pool.give_back(connection);
                }
            }
        }
    }
}

fn undo(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = command(connection, "ROLLBACK")
    {
        // The next `BEGIN` on it fails, so nothing can slip in with what is left.
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// Connections for readers, opened when they are first needed.
pub(super) struct Pool {
    database: std::path::PathBuf,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(database: &std::path::Path, places: usize) -> Arc<Self> {
        Arc::new(Self {
            database: database.to_owned(),
            places: Arc::new(Semaphore::new(places)),
            idle: Mutex::new(Vec::new()),
        })
    }

    async fn take(pool: &Arc<Self>) -> Result<(Connection, Place)> {
        let permit = Arc::clone(&pool.places).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Database("the database is closed".to_owned()))?;
        // The one used last has the warmest cache.
        let idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open(&pool.database, Role::Read)?,
        };
        Ok((connection, Place { pool: Arc::clone(pool), _permit: permit }))
    }

    fn give_back(&self, connection: Connection) {
        if connection.is_autocommit() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
