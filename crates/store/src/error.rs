//! What can go wrong while remembering.

/// A fault of the store. It is never a verdict: whoever gets one answers that something went
/// wrong, and never that something is not allowed, absent, or allowed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database refused or lost a statement.
    #[error("the database failed: {0}")]
    Database(String),
    /// The database could not be reached, or gave no connection in time.
    #[error("the database is out of reach: {0}")]
    Unreachable(String),
    /// A row does not hold what its schema promises.
    #[error("the database holds something unexpected: {0}")]
    Corrupt(String),
    /// Writes could not be made durable. The store takes no further write until a restart.
    #[error("writes can no longer be made durable: {0}")]
    NotDurable(String),
    /// The bytes of a file could not be written or read.
    #[error("the bytes of files are out of reach: {0}")]
    Bytes(String),
    /// Two transactions waited for each other, or one lost a race the database detects; it left
    /// nothing behind and may be tried again.
    #[error("the database asks to try again: {0}")]
    TryAgain(String),
    /// A question would have to read more rows than one may ask for.
    #[error("the question is too broad")]
    TooBroad,
    /// A setting cannot work (a folder in use, a database newer than this binary, a bad address).
    #[error("{0}")]
    Setting(String),
}

/// What a store call returns.
pub type Result<T> = std::result::Result<T, Error>;
