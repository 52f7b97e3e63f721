//! What the disk can do, measured where the server writes.
//!
//! The raw rate overwrites 4 KiB pieces of a file that is already there and waits for the disk
//! after each: no bookkeeping of the file system, so it is the hardest to beat. Appending, which
//! moves the end of the file each time, is measured beside it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::Result;

const PIECE: usize = 4096;
const PIECES: u64 = 2048;

/// Durable 4 KiB writes a second into a file that is there.
pub(crate) fn raw_rate(folder: &Path, time: Duration) -> Result<f64> {
    let path = folder.join("fsync-raw");
    if !path.exists() {
        fs::write(&path, vec![0_u8; PIECE * PIECES as usize])?;
        File::open(&path)?.sync_all()?;
    }
    rate(&File::options().write(true).open(&path)?, time, |count| count % PIECES)
}

/// Durable 4 KiB writes a second at the end of a file.
pub(crate) fn append_rate(folder: &Path, time: Duration) -> Result<f64> {
    rate(&File::create(folder.join("fsync-append"))?, time, |count| count)
}

fn rate(file: &File, time: Duration, place: fn(u64) -> u64) -> Result<f64> {
    let piece = vec![7_u8; PIECE];
    let begin = Instant::now();
    let mut count = 0_u64;
    while begin.elapsed() < time {
        file.write_all_at(&piece, place(count) * PIECE as u64)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

/// Messages a second into SQLite, a transaction and so an fsync each, without anything a chat
/// server does around them: no user, no check, no network.
pub(crate) fn one_each_rate(folder: &Path, time: Duration) -> Result<f64> {
    let connection = Connection::open(folder.join("fsync-each.sqlite"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS rooms (id TEXT PRIMARY KEY, last_seq INTEGER NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS messages (room TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (room, seq)) WITHOUT ROWID;
         INSERT OR IGNORE INTO rooms VALUES ('den', 0);",
    )?;
    let body = "x".repeat(200);
    let mut advance =
        connection.prepare("UPDATE rooms SET last_seq = last_seq + 1 WHERE id = 'den' RETURNING last_seq")?;
    let mut insert = connection.prepare("INSERT INTO messages VALUES ('den', ?1, ?2)")?;
    let begin = Instant::now();
    let mut count = 0_u64;
    while begin.elapsed() < time {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let seq: i64 = advance.query_row([], |row| row.get(0))?;
        insert.execute(params![seq, body])?;
        connection.execute_batch("COMMIT")?;
        count += 1;
    }
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}
