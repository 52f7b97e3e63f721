//! SQLite inside the process: one writer, many readers, shared syncs.
//!
//! Writers that wait for one another share a `COMMIT` ([`line`]). It goes to the WAL without an fsync
//! of its own and lets the next ones in; they all return after the next `fdatasync` of the WAL, which
//! thousands may share. Nothing that is not durable is told to anybody. One process uses a folder at a time; a backup may run beside it.

mod backup;
mod checkpoint;
pub(super) mod connection;
mod durability;
mod line;
mod session;
#[cfg(test)]
mod tests;
mod texts;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use rusqlite::config::DbConfig;

use self::connection::Role;
use self::durability::Durability;
use self::line::Line;
use self::session::{Pool, Transaction};
use self::texts::Texts;
use super::migrate;
use crate::sabotage::{Lock, removed};
use crate::sql::{Engine, EngineKind, Session};
use crate::{Error, Result};

/// How many long readers run at once.
const LONG_READERS: usize = 8;

/// A SQLite database in a folder. When the last clone and session are gone, everything is durable,
/// the threads have ended and the folder is free.
#[derive(Clone)]
pub struct Sqlite(Arc<Shared>);

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("database", &self.0.database).finish_non_exhaustive()
    }
}

/// The fields are dropped in this order: the writer's connection closes last, because the last one
/// copies the WAL into the database and removes it, and then the folder is free.
struct Shared {
    threads: Vec<JoinHandle<()>>,
    durability: Arc<Durability>,
    texts: Texts,
    database: PathBuf,
    readers: Arc<Pool>,
    long_readers: Arc<Pool>,
    /// `None`: opened beside the server that owns the folder.
    writer: Option<Arc<Line>>,
    _lock: Option<File>,
}

/// A data folder that this process has for itself.
#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    lock: File,
}

impl Claim {
    /// Takes a folder, which is created if it is missing. Refused while another process has it.
    pub fn take(folder: &Path) -> Result<Self> {
        Ok(Self { folder: folder.to_owned(), lock: connection::claim(folder)? })
    }
}

/// See `backup::write_note`.
pub(crate) fn write_note(copy: &Path, name: &str, text: &str) -> Result<()> {
    backup::write_note(copy, name, text)
}

/// See `backup::read_note`.
pub(crate) fn read_note(database: &Path, name: &str) -> Result<Option<String>> {
    backup::read_note(database, name)
}

/// See `backup::remove_note`.
pub(crate) fn remove_note(database: &Path, name: &str) -> Result<()> {
    backup::remove_note(database, name)
}

impl Sqlite {
    /// Opens the database `banter.db` in a folder, which is created if it is missing, and brings
    /// its tables up to date. Refused while another process has it open.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_in(Claim::take(folder)?)
    }

    /// As [`Sqlite::open`], in a folder that was taken before.
    pub fn open_in(claim: Claim) -> Result<Self> {
        Self::open_with(claim, |wal| Box::new(move || if removed(Lock::WalSync) { Ok(()) } else { wal.sync_data() }))
    }

    /// As [`Sqlite::open_in`], with what makes the open WAL durable.
    fn open_with(claim: Claim, sync: impl FnOnce(File) -> durability::MakeDurable) -> Result<Self> {
        let Claim { folder, lock } = claim;
        let database = folder.join(connection::FILE);
        connection::make_file(&database)?;
        let mut writer = connection::open(&database, Role::Write)?;
        migrate::sqlite(&mut writer)?;
        checkpoint::at_start(&writer)?;

        // The writer's connection keeps the WAL in place, so this handle stays the right one.
        let wal = connection::wal_of(&database);
        let trouble = |error| Error::Database(format!("{} cannot be synced: {error}", wal.display()));
        let file = File::options().write(true).open(&wal).map_err(trouble)?;
        file.sync_all().and_then(|()| connection::sync_folder(&folder)).map_err(trouble)?;

        let durability = Arc::new(Durability::new());
        let writer = Arc::new(Line::new(writer, &durability));
        let mut shared = Shared::new(&database, durability, Some(writer), Some(lock));
        shared.start(sync(file))?;
        Ok(Self(Arc::new(shared)))
    }

    /// Opens the database of a folder only for reading, whether or not a server has it open. Its
    /// tables stay as they are.
    pub fn open_beside(folder: &Path) -> Result<Self> {
        let database = folder.join(connection::FILE);
        if !database.is_file() {
            return Err(Error::Setting(format!("there is no database in {}", folder.display())));
        }
        // Opened once here, so that a file that is no database is refused now.
        drop(connection::open(&database, Role::Read)?);
        Ok(Self(Arc::new(Shared::new(&database, Arc::new(Durability::new()), None, None))))
    }

    /// How often the WAL was made durable: fewer times than there were commits, if several came at
    /// once.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.durability.syncs()
    }
}

impl Shared {
    fn new(database: &Path, durability: Arc<Durability>, writer: Option<Arc<Line>>, lock: Option<File>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            threads: Vec::new(),
            durability,
            texts: Texts::default(),
            database: database.to_owned(),
            readers: Pool::new(database, (cores * 2).max(4)),
            long_readers: Pool::new(database, LONG_READERS),
            writer,
            _lock: lock,
        }
    }

    fn start(&mut self, sync: durability::MakeDurable) -> Result<()> {
        self.threads.push(self.durability.start(sync)?);
        if let Some(writer) = &self.writer {
            self.threads.push(checkpoint::start(&self.database, &self.durability, writer)?);
        }
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.durability.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; there is nothing left to wait for.
            let _ = thread.join();
        }
        if self.durability.has_failed()
            && let Some(writer) = &self.writer
            && let Some(writer) = writer.try_held()
        {
            // What the WAL holds now may not be what was written to it. The next start reads it
            // anew and believes its checksums; copying it here would believe the kernel.
            let kept = writer.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            if let Err(error) = kept {
                tracing::error!(%error, "the WAL could not be kept for the next start");
            }
        }
    }
}

#[async_trait]
impl Engine for Sqlite {
    async fn write(&self) -> Result<Box<dyn Session>> {
        let Some(writer) = &self.0.writer else {
            return Err(Error::Setting("the database was opened only for reading".to_owned()));
        };
        Ok(Box::new(Transaction::write(&self.0, writer).await?))
    }

    async fn read(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Transaction::read(&self.0, &self.0.readers).await?))
    }

    async fn read_long(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Transaction::read(&self.0, &self.0.long_readers).await?))
    }

    async fn settled(&self) -> Result<()> {
        let durability = &self.0.durability;
        durability.wait(durability.begun()).await
    }

    fn lost(&self) -> u64 {
        self.0.durability.lost()
    }

    fn kind(&self) -> EngineKind {
        EngineKind::Sqlite
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        let (database, to) = (self.0.database.clone(), to.to_owned());
        tokio::task::spawn_blocking(move || backup::copy(&database, &to))
            .await
            .map_err(|_| Error::Database("the backup was interrupted".to_owned()))??;
        // The copy may hold what is not durable here yet.
        self.settled().await
    }
}
