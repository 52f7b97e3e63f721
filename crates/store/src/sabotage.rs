//! Taking a lock away by hand, to see the test that guards it fail.
//!
//! Only a build with the feature `sabotage` can do it, and only where the environment variable
//! `BANTER_SABOTAGE` names the lock: a list of words out of `wal-sync`, `room-lock`, `pair-lock`,
//! `token-check`. In every other build [`removed`] is the constant `false` and costs nothing.

/// Something the server's promises stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// `wal-sync`: the `fdatasync` of SQLite's WAL. Without it, an acknowledged write can be lost
    /// to a power failure.
    WalSync,
    /// `room-lock`: the row lock on a room. Without it, a message can follow the ban of its sender.
    Room,
    /// `pair-lock`: the row lock on a pair. Without it, a direct message can follow a block.
    Pair,
    /// `token-check`: the second look at the token inside the writing transaction. Without it, a
    /// message can follow the revocation of its sender's token.
    TokenCheck,
}

/// Was this lock taken away?
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn removed(_: Lock) -> bool {
    false
}

/// Was this lock taken away?
#[cfg(feature = "sabotage")]
#[must_use]
pub fn removed(lock: Lock) -> bool {
    static WORDS: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let word = match lock {
        Lock::WalSync => "wal-sync",
        Lock::Room => "room-lock",
        Lock::Pair => "pair-lock",
        Lock::TokenCheck => "token-check",
    };
    WORDS
        .get_or_init(|| std::env::var("BANTER_SABOTAGE").unwrap_or_default())
        .split(|separator: char| separator == ',' || separator.is_whitespace())
        .any(|given| given == word)
}
