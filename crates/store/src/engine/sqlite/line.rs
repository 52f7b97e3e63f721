//! Whose turn it is to write, and what becomes durable together.
//!
//! Writers take turns on one connection. Who ends his turn while others wait leaves the transaction
//! open for them: what a turn did is closed off by a savepoint, and one `COMMIT` carries them all
//! into the WAL, which is a third of the work of a small write. Nobody sees anything of a turn, and
//! nobody is told of it, before that `COMMIT` is durable. If it fails, all its turns have failed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::OwnedMutexGuard;

use super::durability::Durability;
use super::texts::command;
use crate::{Error, Result};

/// So many statements share a `COMMIT`, and those of the turn that reached it, so that the first of them does not wait
/// long.
const TOGETHER: usize = 400;

/// The connection that writes, and the turns done on it that await their `COMMIT`.
pub(super) struct Writer {
    pub(super) connection: Connection,
    /// Turns that wrote something and await their `COMMIT`.
    done: u32,
    /// Statements since the transaction began, a turn at least one: those that wrote nothing must not put it off.
    statements: usize,
    /// Why the open transaction, and every turn in it, came to nothing.
    lost: Arc<Lost>,
}

#[derive(Default)]
struct Lost {
    is: AtomicBool,
    why: Mutex<Option<Error>>,
}

impl Lost {
    fn because(&self, error: Error) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.is.store(true, Ordering::SeqCst);
    }

    fn check(&self) -> Result<()> {
        if !self.is.load(Ordering::SeqCst) {
            return Ok(());
        }
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        Err(why.clone().unwrap_or_else(|| Error::Database("the transaction came to nothing".to_owned())))
    }
}

impl Writer {
    /// Carries all turns done so far into the WAL.
    fn commit(&mut self, durability: &Durability) {
        if self.done == 0 {
            self.statements = 0;
            return;
        }
        durability.announce();
        let outcome = if self.connection.is_autocommit() {
            // Some faults (a full disk) make SQLite roll back by itself.
            Err(Error::Database("the database rolled back what had been written".to_owned()))
        } else {
            command(&self.connection, "COMMIT")
        };
        if let Err(error) = outcome {
            self.lost.because(error);
            durability.lose();
            leave(&self.connection, "ROLLBACK");
            self.lost = Arc::default();
        }
        (self.done, self.statements) = (0, 0);
        durability.finish();
    }
}

/// Everybody who wants to write.
pub(super) struct Line {
    writer: Arc<tokio::sync::Mutex<Writer>>,
    waiting: AtomicUsize,
    durability: Arc<Durability>,
}

impl Line {
    pub(super) fn new(connection: Connection, durability: &Arc<Durability>) -> Self {
        let writer = Writer { connection, done: 0, statements: 0, lost: Arc::default() };
        Self {
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            waiting: AtomicUsize::new(0),
            durability: Arc::clone(durability),
        }
    }

    /// Waits for a turn, and begins it.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Turn> {
        let waiting = Waiting::in_line(self);
        let writer = Arc::clone(&self.writer).lock_owned().await;
        drop(waiting);
        let mut turn = Turn { line: Arc::clone(self), writer: Some(writer), inside: Inside::Nothing, statements: 0 };
        self.durability.check()?;
        turn.begin()?;
        Ok(turn)
    }

    /// The writer while nobody has a turn and nothing awaits its `COMMIT`. Blocks the thread.
    pub(super) fn held(&self) -> tokio::sync::MutexGuard<'_, Writer> {
        let mut writer = self.writer.blocking_lock();
        writer.commit(&self.durability);
        writer
    }

    /// How many wait for their turn.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// The writer, if nobody has it.
    pub(super) fn try_held(&self) -> Option<tokio::sync::MutexGuard<'_, Writer>> {
        self.writer.try_lock().ok()
    }

    /// Commits what was left open for somebody who is not there any more. Whoever leaves the line
    /// or the lock calls it after he has left, so that the last one sees that he is.
    fn tidy(&self) {
        if self.waiting.load(Ordering::SeqCst) == 0
            && let Ok(mut writer) = self.writer.try_lock()
        {
            writer.commit(&self.durability);
        }
    }
}

/// Somebody in the line; he may go away again.
struct Waiting<'a>(&'a Line);

impl<'a> Waiting<'a> {
    fn in_line(line: &'a Line) -> Self {
        line.waiting.fetch_add(1, Ordering::SeqCst);
        Self(line)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        self.0.tidy();
    }
}

/// What has to be undone if the turn fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// The turn began the transaction.
    Transaction,
    /// Others were before it in the transaction.
    Savepoint,
}

/// The turn of one writer. Dropped before its end, it undoes what it did.
pub(super) struct Turn {
    line: Arc<Line>,
    /// `None` only while it is dropped.
    writer: Option<OwnedMutexGuard<Writer>>,
    inside: Inside,
    /// How many it carried out.
    statements: usize,
}

impl Turn {
    /// Counts statements of this turn.
    pub(super) fn count(&mut self, statements: usize) {
        self.statements += statements;
    }

    pub(super) fn connection(&self) -> Result<&Connection> {
        self.writer
            .as_ref()
            .map(|writer| &writer.connection)
            .ok_or_else(|| Error::Database("the turn is over".to_owned()))
    }

    fn begin(&mut self) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if writer.done > 0 && writer.connection.is_autocommit() {
            writer.commit(&self.line.durability);
        }
        let (text, inside) = match writer.done {
            0 => ("BEGIN IMMEDIATE", Inside::Transaction),
            _ => ("SAVEPOINT turn", Inside::Savepoint),
        };
        command(&writer.connection, text)?;
        self.inside = inside;
        Ok(())
    }

    /// Ends the turn, and returns when what it did, or saw of others, is durable.
    pub(super) async fn end(mut self, wrote: bool) -> Result<()> {
        let line = Arc::clone(&self.line);
        let durability = &line.durability;
        durability.check()?;
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if self.inside == Inside::Savepoint {
            command(&writer.connection, "RELEASE turn")?;
        } else if !wrote {
            command(&writer.connection, "COMMIT")?;
        }
        self.inside = Inside::Nothing;
        // Who found everything done already tells what others wrote, so he waits for them.
        let number = if wrote { durability.begin() } else { durability.begun() };
        writer.done += u32::from(wrote);
        let lost = Arc::clone(&writer.lost);
        // Lets the next one in before waiting for the disk.
        drop(self);
        durability.wait(number).await?;
        lost.check()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        match self.inside {
            Inside::Nothing => {}
            Inside::Transaction => {
                leave(&writer.connection, "ROLLBACK");
            }
            Inside::Savepoint => {
                if leave(&writer.connection, "ROLLBACK TO turn") {
                    leave(&writer.connection, "RELEASE turn");
                } else {
                    // What the turn did must not be carried by the others' COMMIT.
                    leave(&writer.connection, "ROLLBACK");
                }
            }
        }
        writer.statements += self.statements.max(1);
        let line = Arc::clone(&self.line);
        if writer.statements >= TOGETHER || line.waiting.load(Ordering::SeqCst) == 0 {
            writer.commit(&line.durability);
            return;
        }
        drop(writer);
        line.tidy();
    }
}

/// Leaves a transaction or a savepoint, if one is open. False: that failed.
pub(super) fn leave(connection: &Connection, by: &str) -> bool {
    if connection.is_autocommit() {
        return true;
    }
    let left = command(connection, by);
    if let Err(error) = &left {
        tracing::error!(%error, "a transaction could not be left");
    }
    left.is_ok()
}
