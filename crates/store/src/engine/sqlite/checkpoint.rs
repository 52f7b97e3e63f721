//! Moving what the WAL holds into the database file, beside the writer.
//!
//! A checkpoint copies pages and syncs two files, so it has its own thread and connection. Readers
//! and the writer go on meanwhile. Under writing that never pauses a checkpoint never quite catches
//! up, and the WAL would grow for ever: past a size, the rest is done with the write lock held.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::connection::{Role, fault, open, wal_of};
use super::durability::Durability;
use super::line::Line;
use crate::{Error, Result};
use rusqlite::{Connection, ffi};

/// SQLite's page size, which is also the WAL's (nearly).
const PAGE: u64 = 4096;
/// A checkpoint is worth its syncs after so much new WAL …
const STEP: u64 = 4 << 20;
/// … or after so long.
const AT_LATEST: Duration = Duration::from_secs(60);
/// How often the thread looks while something is being written, while more is written than it can
/// copy, and while it only waits for the time above.
const LOOKS: Duration = Duration::from_millis(50);
const LOOKS_OFTEN: Duration = Duration::from_millis(5);
const LOOKS_RARELY: Duration = Duration::from_millis(250);
/// With so much in the WAL, the writer is held up for the last piece, so that the WAL begins anew.
const TOO_MUCH: u64 = 64 << 20;
/// The last piece may be so large, lest the writer stand still for long …
const LAST_PIECE: u64 = 16 << 20;
/// … unless the WAL has grown to this, and grows about as fast as it is copied.
const FAR_TOO_MUCH: u64 = 256 << 20;
/// The file keeps its size when the WAL begins anew, since writing over old blocks is cheaper than
/// adding new ones. Cutting it takes a while (half a second for 2 GiB), and commits wait: a file
/// larger than the first is cut when nothing was written for a second, one larger than the second
/// at the first chance.
const CUT_IN_QUIET: u64 = 256 << 20;
const CUT_AT_ONCE: u64 = 4 << 30;
const QUIET: Duration = Duration::from_secs(1);
/// After readers were in the way, or the disk: how long until the next attempt.
const PAUSE: Duration = Duration::from_secs(2);

/// What the WAL holds, in bytes.
#[derive(Debug, Clone, Copy)]
struct Wal {
    all: u64,
    /// Of these, already in the database file.
    copied: u64,
    /// Somebody was in the way.
    busy: bool,
}

/// Runs one kind of `wal_checkpoint`.
fn checkpoint(connection: &Connection, kind: &str) -> rusqlite::Result<Wal> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({kind})"))?;
    statement.query_row([], |row| {
        // SQLite says -1 where it could not even look.
        let bytes = |frames: i64| u64::try_from(frames).unwrap_or(0) * PAGE;
        Ok(Wal { busy: row.get::<_, i64>(0)? != 0, all: bytes(row.get(1)?), copied: bytes(row.get(2)?) })
    })
}

/// Copies everything a former process left in the WAL, and empties it. What that process wrote
/// without making it durable becomes durable here, before anybody is told of it.
pub(super) fn at_start(writer: &Connection) -> Result<()> {
    match checkpoint(writer, "TRUNCATE") {
        // A backup that runs beside us reads from the WAL; then it just stays.
        Ok(_) => Ok(()),
        Err(error) => Err(fault(&error)),
    }
}

/// Starts the thread. It ends after [`Durability::stop`] or when nothing may be written any more.
pub(super) fn start(database: &Path, durability: &Arc<Durability>, line: &Arc<Line>) -> Result<JoinHandle<()>> {
    let keeper = Keeper {
        connection: open(database, Role::Checkpoint)?,
        wal: wal_of(database),
        durability: Arc::clone(durability),
        line: Arc::clone(line),
        waited: Duration::ZERO,
        all_then: 0,
        behind: false,
        hands_off: Duration::ZERO,
    };
    let thread = std::thread::Builder::new()
        .name("banter-checkpoint".to_owned())
        .spawn(move || keeper.keep())
        .map_err(|error| Error::Database(format!("no thread for checkpoints: {error}")))?;
    durability.wakes(thread.thread());
    Ok(thread)
}

struct Keeper {
    connection: Connection,
    wal: PathBuf,
    durability: Arc<Durability>,
    line: Arc<Line>,
    /// How much the WAL held after the last checkpoint, and how long ago that was. The pauses are
    /// added up for it; a minute need not be exact.
    all_then: u64,
    waited: Duration,
    /// More was written during the last checkpoint than should be left.
    behind: bool,
    /// For how long yet the writer is left alone.
    hands_off: Duration,
}

impl Keeper {
    fn keep(mut self) {
        let (mut done, mut seen) = (self.durability.finished(), 0);
        while !self.durability.is_stopping() && !self.durability.has_failed() {
            let finished = self.durability.finished();
            if finished == done {
                self.cut_in_quiet(done);
                self.durability.sleep_until_after(done);
                self.waited = Duration::ZERO;
                continue;
            }
            match self.look() {
                Ok(true) => done = finished,
                Ok(false) if self.behind => self.pause(LOOKS_OFTEN),
                Ok(false) if finished == seen => self.pause(LOOKS_RARELY),
                Ok(false) => self.pause(LOOKS),
                Err(error) => {
                    self.report(&error);
                    self.pause(PAUSE);
                }
            }
            seen = finished;
        }
    }

    fn pause(&mut self, time: Duration) {
        std::thread::park_timeout(time);
        self.waited += time;
        self.hands_off = self.hands_off.saturating_sub(time);
    }

    /// Looks at the WAL and does what is due. True: everything in it is in the database file.
    fn look(&mut self) -> rusqlite::Result<bool> {
        let wal = checkpoint(&self.connection, "NOOP")?;
        let begun_anew = wal.all < self.all_then;
        let grown = if begun_anew { wal.all } else { wal.all - self.all_then };
        if grown < STEP && self.waited < AT_LATEST {
            self.behind = false;
            return Ok(false);
        }
        let before = wal.copied;
        let mut wal = checkpoint(&self.connection, "PASSIVE")?;
        // Nothing moves while a long reader is in the way; then holding up the writer is in vain.
        let moved = wal.copied.saturating_sub(before);
        let left = wal.all.saturating_sub(wal.copied);
        let falls_behind = moved > 0 && left >= moved / 2;
        let due = wal.all >= TOO_MUCH && (left <= LAST_PIECE || (wal.all >= FAR_TOO_MUCH && falls_behind));
        if due && self.hands_off.is_zero() {
            wal = self.with_the_writer_held()?;
            self.hands_off = if wal.busy { PAUSE } else { Duration::ZERO };
        }
        self.behind = moved > 0 && !due && left > LAST_PIECE;
        self.waited = Duration::ZERO;
        self.all_then = wal.all;
        Ok(!wal.busy && wal.copied >= wal.all)
    }

    /// Finishes the WAL, so that the next commit begins it anew. The writer is held by our own lock:
    /// waiting for SQLite's would block a thread of the runtime.
    fn with_the_writer_held(&self) -> rusqlite::Result<Wal> {
        let _writer = self.line.held();
        let kind = if self.file() > CUT_AT_ONCE { "TRUNCATE" } else { "RESTART" };
        let wal = checkpoint(&self.connection, kind)?;
        if wal.busy {
            tracing::warn!(bytes = wal.all, "the WAL is large, and a long reader keeps it from beginning anew");
        }
        Ok(wal)
    }

    /// How large the WAL's file is, of which the WAL may use only the beginning.
    fn file(&self) -> u64 {
        std::fs::metadata(&self.wal).map_or(0, |file| file.len())
    }

    /// Gives back the space that a long reader once made the WAL take.
    fn cut_in_quiet(&self, done: u64) {
        if self.file() <= CUT_IN_QUIET {
            return;
        }
        std::thread::park_timeout(QUIET);
        if self.durability.finished() != done || self.durability.is_stopping() {
            return;
        }
        let _writer = self.line.held();
        if let Err(error) = checkpoint(&self.connection, "TRUNCATE") {
            self.report(&error);
        }
    }

    fn report(&self, error: &rusqlite::Error) {
        let failed_sync = [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC];
        if error.sqlite_error().is_some_and(|code| failed_sync.contains(&code.extended_code)) {
            // The kernel reports a lost page once; this was the report.
            self.durability.fail(error);
        } else {
            tracing::warn!(%error, "a checkpoint failed; it is tried again");
        }
    }
}
