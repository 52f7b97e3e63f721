//! What a fault of PostgreSQL means to Banter.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use crate::Error;

/// Translates a fault. It names tables, columns and constraints, never a value.
pub(in crate::engine) fn fault(error: &tokio_postgres::Error) -> Error {
    if let Some(refusal) = error.as_db_error() {
        return refused(refusal);
    }
    let text = causes(error);
    // Without an answer of the server, the cause is the connection or our own encoding.
    let lost =
        error.is_closed() || error.source().is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some());
    if lost { Error::Unreachable(text) } else { Error::Database(text) }
}

/// Translates a fault that came before the first statement: then a refusal is about the address.
pub(super) fn connecting(error: &tokio_postgres::Error) -> Error {
    match error.as_db_error().map(|refusal| (refusal, class(refusal.code()))) {
        // Authorization, a database that does not exist, a role that may not connect.
        Some((refusal, "28" | "3D" | "42")) => {
            Error::Setting(format!("PostgreSQL does not let banter in: {}", refusal.message()))
        }
        Some((refusal, _)) => refused(refusal),
        None => Error::Unreachable(causes(error)),
    }
}

/// Translates why there is no connection. Whatever it is, the address was good once.
pub(super) fn pool(error: &PoolError) -> Error {
    match error {
        PoolError::Backend(error) => Error::Unreachable(match error.as_db_error() {
            Some(refusal) => describe(refusal),
            None => causes(error),
        }),
        PoolError::Timeout(_) => Error::Unreachable("no connection became free in time".to_owned()),
        other => Error::Unreachable(other.to_string()),
    }
}

fn refused(refusal: &DbError) -> Error {
    let code = refusal.code();
    let text = describe(refusal);
    let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
    let gone = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    if again.contains(code) {
        Error::TryAgain(text)
    } else if gone.contains(code) || class(code) == "08" {
        Error::Unreachable(text)
    } else {
        Error::Database(text)
    }
}

fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

fn describe(refusal: &DbError) -> String {
    let code = refusal.code();
    // Data exceptions repeat the value they dislike; details do so everywhere, and are left out.
    let mut text = match class(code) {
        "22" => "a value was refused".to_owned(),
        _ => refusal.message().to_owned(),
    };
    text.push_str(&format!(" (SQLSTATE {}", code.code()));
    for (what, name) in [("table", refusal.table()), ("column", refusal.column()), ("constraint", refusal.constraint())]
    {
        if let Some(name) = name {
            text.push_str(&format!(", {what} {name}"));
        }
    }
    text.push(')');
    text
}

fn causes(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}
