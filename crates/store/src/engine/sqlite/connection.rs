//! Connections to the file: how they are opened, what they ask, and what their faults mean.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags};

use crate::{Error, Result};

/// The database inside the data folder.
pub(super) const FILE: &str = "banter.db";

/// Held by the one server that uses the folder.
const LOCK: &str = "banter.lock";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Write,
    Read,
    Checkpoint,
}

impl Role {
    /// Page cache in KiB. A reader's is dropped whenever something was committed, so it stays small.
    const fn cache_kib(self) -> i64 {
        match self {
            // It grows as it is used, and holds what every send looks up.
            Self::Write => 32 * 1024,
            Self::Read => 2048,
            Self::Checkpoint => 64,
        }
    }

    const fn waits(self) -> Duration {
        match self {
            Self::Write | Self::Read => Duration::from_secs(5),
            // It holds up the writer while it waits for readers.
            Self::Checkpoint => Duration::from_millis(20),
        }
    }
}

/// The WAL that belongs to a database file.
pub(super) fn wal_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Creates the folder and takes the lock that keeps a second server out.
pub(super) fn claim(folder: &Path) -> Result<File> {
    let trouble = |what: &str, error: std::io::Error| {
        Error::Setting(format!("the data folder {} {what}: {error}", folder.display()))
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| trouble("cannot be created", error))?;

    let lock = private(OpenOptions::new().write(true).create(true).truncate(false))
        .open(folder.join(LOCK))
        .map_err(|error| trouble("cannot be written", error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::Setting(format!(
                "the data folder {} is in use by another banter process",
                folder.display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(trouble("cannot be locked", error)),
    }
    Ok(lock)
}

/// Makes the database's file, if there is none. SQLite gives its other files the mode of this one.
/// It is made and closed here, before SQLite opens it: closing a second handle later would drop
/// SQLite's locks on it.
pub(super) fn make_file(database: &Path) -> Result<()> {
    match private(OpenOptions::new().write(true).create_new(true)).open(database) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::Setting(format!("{} cannot be written: {error}", database.display())))
        }
        _ => Ok(()),
    }
}

/// Files only their owner can read.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes what was created, renamed or removed in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn open(database: &Path, role: Role) -> Result<Connection> {
    let access = match role {
        Role::Write | Role::Checkpoint => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Role::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = Connection::open_with_flags(database, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| fault(&error))?;
    set_up(&connection, role).map_err(|error| fault(&error))?;
    if role == Role::Write {
        // SQLite does not fail where it cannot have a WAL; it answers with another mode.
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(|error| fault(&error))?;
        if mode != "wal" {
            let file = database.display();
            return Err(Error::Setting(format!("{file} is on a file system without shared memory")));
        }
    }
    Ok(connection)
}

fn set_up(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    connection.busy_timeout(role.waits())?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Without it a statement that could use a partial index is compiled anew whenever a value is
    // bound to it: half the CPU of a send.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // NORMAL: a commit goes to the WAL without an fsync of its own, and a checkpoint syncs the WAL
    // before and the database after. Checkpoints have their own thread, hence none by themselves.
    connection.execute_batch(&format!(
        "PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;
         PRAGMA cache_size = -{};",
        role.cache_kib()
    ))
}

/// What a fault of SQLite means to Banter. Its messages name tables and columns, never values.
pub(in crate::engine) fn fault(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::TryAgain(error.to_string()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt(error.to_string()),
        _ => Error::Database(match error.sqlite_error() {
            Some(code) => format!("{error} (SQLite {})", code.extended_code),
            None => error.to_string(),
        }),
    }
}
