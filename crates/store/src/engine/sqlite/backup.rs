//! A consistent copy of the database while it is being written, from this process or another.
//!
//! SQLite's online backup starts over whenever another connection writes, and so never ends under
//! load. `VACUUM INTO` reads one snapshot instead. The copy gets its name when it is complete and
//! durable, and never takes the place of a file that is there.

use std::fs::{File, OpenOptions};
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::connection::{Role, fault, open, private, sync_folder};
use crate::{Error, Result};

/// Copies `database` to `to`. It takes its time: not on a thread of the runtime.
pub(super) fn copy(database: &Path, to: &Path) -> Result<()> {
    let to = std::path::absolute(to).map_err(|error| trouble(to, &error))?;
    let (Some(folder), Some(name)) = (to.parent(), to.file_name()) else {
        return Err(Error::Setting(format!("{} is no name for a file", to.display())));
    };
    if to.symlink_metadata().is_ok() {
        return Err(exists(&to));
    }
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = Partial(folder.join(partial));

    // SQLite fills an empty file, so ours decides who may read it.
    private(OpenOptions::new().write(true).create_new(true))
        .open(&partial.0)
        .map_err(|error| trouble(&partial.0, &error))?;
    let Some(target) = partial.0.to_str() else {
        return Err(Error::Setting(format!("{} is not UTF-8", to.display())));
    };
    open(database, Role::Read)?.execute("VACUUM INTO ?1", [target]).map_err(|error| fault(&error))?;

    File::open(&partial.0)
        .and_then(|file| file.sync_all())
        .and_then(|()| name_it(&partial.0, &to))
        .and_then(|()| sync_folder(folder))
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(&to),
            _ => trouble(&to, &error),
        })
}

/// Lets a copy carry something that is not of the database, such as the secret it was written under.
pub(super) fn write_note(copy: &Path, name: &str, text: &str) -> Result<()> {
    let write = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    let connection = Connection::open(copy).map_err(|error| fault(&error))?;
    connection.execute(write, [name, text]).map(drop).map_err(|error| fault(&error))
}

/// What a copy carries, if anything.
pub(super) fn read_note(copy: &Path, name: &str) -> Result<Option<String>> {
    let connection = Connection::open(copy).map_err(|error| fault(&error))?;
    let read = "SELECT value FROM meta WHERE name = ?1";
    let known: bool = connection
        .query_row("SELECT count(*) FROM sqlite_master WHERE name = 'meta'", [], |row| row.get(0))
        .map_err(|error| fault(&error))?;
    if !known {
        return Ok(None);
    }
    match connection.query_row(read, [name], |row| row.get(0)) {
        Ok(text) => Ok(Some(text)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(fault(&error)),
    }
}

/// Takes it out again.
pub(super) fn remove_note(copy: &Path, name: &str) -> Result<()> {
    let connection = Connection::open(copy).map_err(|error| fault(&error))?;
    connection.execute("DELETE FROM meta WHERE name = ?1", [name]).map(drop).map_err(|error| fault(&error))
}

/// A link, unlike a rename, fails if the name is taken. The partial name is removed afterwards.
fn name_it(partial: &Path, to: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(partial, to) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            // A file system without links.
            if to.symlink_metadata().is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(partial, to)
        }
        linked => linked,
    }
}

/// Whatever happens, the partial copy does not stay.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn exists(to: &Path) -> Error {
    Error::Setting(format!("{} exists already; a backup overwrites nothing", to.display()))
}

fn trouble(path: &Path, error: &IoError) -> Error {
    Error::Setting(format!("the backup cannot be written to {}: {error}", path.display()))
}
