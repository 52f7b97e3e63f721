//! Transactions on SQLite. Statements run inline on the calling task: they take microseconds, and
//! a hop to another thread costs more than they do.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, TransactionState};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::connection::{Role, open};
use super::line::{Line, Turn, leave};
use super::texts::{Done, Texts, command};
use crate::sql::{Row, Session, Statement, Value};
use crate::{Error, Result};

/// Which transaction this is, and therefore what it must wait for.
enum On {
    /// The one writer; dropping it undoes what it did, and lets the next one in.
    Writer(Turn),
    Reader(Reading),
}

/// A reader's connection.
struct Reading {
    /// `None` only while it is dropped.
    connection: Option<Connection>,
    place: Place,
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
    /// Waits for a turn to write.
    pub(super) async fn write(shared: &Arc<Shared>, line: &Arc<Line>) -> Result<Self> {
        Ok(Self::on(On::Writer(line.turn().await?), shared))
    }

    /// Waits for a place among the readers.
    pub(super) async fn read(shared: &Arc<Shared>, pool: &Arc<Pool>) -> Result<Self> {
        let (connection, place) = Pool::take(pool).await?;
        let on = On::Reader(Reading { connection: Some(connection), place });
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
            On::Writer(turn) => turn.connection(),
            On::Reader(reading) => {
                reading.connection.as_ref().ok_or_else(|| Error::Database("the session is over".to_owned()))
            }
        }
    }

    fn is_writer(&self) -> bool {
        matches!(self.on, On::Writer(_))
    }

    /// Carries out so many statements and keeps account of what they mean for the commit.
    fn carry_out<T>(
        &mut self,
        statements: usize,
        work: impl FnOnce(&Texts, &Connection) -> Result<Done<T>>,
    ) -> Result<T> {
        if self.broken {
            return Err(broken());
        }
        if let On::Writer(turn) = &mut self.on {
            turn.count(statements);
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
}

fn broken() -> Error {
    Error::Database("an earlier statement of this transaction failed".to_owned())
}

#[async_trait]
impl Session for Transaction {
    async fn rows(&mut self, text: &str, binds: Vec<Value>) -> Result<Vec<Row>> {
        let rows = self.carry_out(1, |texts, on| texts.ask(on, text, &binds))?;
        // A reader tells only what is durable. It costs nothing when all of it is.
        self.shared.durability.wait(self.shows).await?;
        Ok(rows)
    }

    async fn run(&mut self, text: &str, binds: Vec<Value>) -> Result<u64> {
        self.carry_out(1, |texts, on| texts.run(on, text, &binds))
    }

    async fn put(&mut self, text: &str, binds: Vec<Value>) -> Result<()> {
        self.carry_out(1, |texts, on| texts.run(on, text, &binds)).map(drop)
    }

    async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        let answers = self.carry_out(statements.len(), |texts, on| texts.ask_all(on, &statements))?;
        self.shared.durability.wait(self.shows).await?;
        Ok(answers)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        if self.broken {
            return Err(broken());
        }
        match self.on {
            On::Writer(turn) => turn.end(self.wrote).await,
            On::Reader(_) => Ok(()),
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // There is nothing to undo, and this is the cheaper way out.
            leave(&connection, "COMMIT");
            self.place.pool.give_back(connection);
        }
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
