//! Bringing a database up to date, forward only.
//!
//! Versions of Banter that are neighbours run side by side on one database, so a binary accepts
//! migrations it does not know as long as `meta` does not ask for a newer one (`min_binary`).
//! That is asked first: a database this binary must not touch is not touched.

use refinery::{Migration, Runner};
use tokio_postgres::Client;

use super::{postgres, sqlite};
use crate::{Error, Result};

/// How new this binary is. A database whose `meta.min_binary` is higher is refused.
pub const BINARY_LEVEL: i64 = 2;

/// Any number, the same in all versions: who holds this advisory lock migrates.
const MIGRATING: i64 = 0x42_61_6e_74_65_72;

mod for_sqlite {
    refinery::embed_migrations!("migrations/sqlite");
}

mod for_postgres {
    refinery::embed_migrations!("migrations/postgres");
}

/// Migrates a SQLite database. The caller holds the lock on its folder.
pub(super) fn sqlite(connection: &mut rusqlite::Connection) -> Result<()> {
    let has_meta = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'";
    let fault = |error| sqlite::connection::fault(&error);
    if connection.query_row(has_meta, [], |row| row.get::<_, i64>(0)).map_err(fault)? > 0 {
        let asked = connection
            .prepare("SELECT value FROM meta WHERE name = 'min_binary'")
            .and_then(|mut statement| statement.query_map([], |row| row.get::<_, String>(0))?.next().transpose())
            .map_err(fault)?;
        check_level(asked)?;
    }
    let runner = runner(for_sqlite::migrations::runner());
    runner.run(connection).map_err(|error| failed(&error))?;
    let applied = runner.get_applied_migrations(connection).map_err(|error| failed(&error))?;
    check_complete(&runner, &applied)
}

/// Migrates a PostgreSQL database. Several processes may call this at once; they take turns.
pub(super) async fn postgres(client: &mut Client) -> Result<()> {
    let fault = |error| postgres::faults::fault(&error);
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATING]).await.map_err(fault)?;
    // Whatever happens, the lock goes with the connection, which the caller closes.
    let has_meta = "SELECT to_regclass('meta') IS NOT NULL";
    if client.query_one(has_meta, &[]).await.map_err(fault)?.try_get(0).map_err(fault)? {
        let asked = client
            .query_opt("SELECT value FROM meta WHERE name = 'min_binary'", &[])
            .await
            .map_err(fault)?
            .map(|row| row.try_get(0))
            .transpose()
            .map_err(fault)?;
        check_level(asked)?;
    }
    let runner = runner(for_postgres::migrations::runner());
    runner.run_async(client).await.map_err(|error| failed(&error))?;
    let applied = runner.get_applied_migrations_async(client).await;
    check_complete(&runner, &applied.map_err(|error| failed(&error))?)
}

fn runner(runner: Runner) -> Runner {
    // A migration of a newer neighbour is fine; one that was changed after it ran is not.
    runner.set_abort_missing(false).set_abort_divergent(true)
}

fn check_level(asked: Option<String>) -> Result<()> {
    let Some(asked) = asked else { return Ok(()) };
    let level: i64 = asked.parse().map_err(|_| Error::Corrupt("meta.min_binary is not a whole number".to_owned()))?;
    if level > BINARY_LEVEL {
        return Err(Error::Setting(format!(
            "this database needs a newer banter: it asks for level {level}, and this binary is \
             level {BINARY_LEVEL}"
        )));
    }
    Ok(())
}

/// The runner only warns about one of our own migrations that is older than the newest one applied
/// and was never run. Tables would be missing, so it is refused here.
fn check_complete(runner: &Runner, applied: &[Migration]) -> Result<()> {
    let is_applied = |ours: &&Migration| applied.iter().any(|done| done.version() == ours.version());
    match runner.get_migrations().iter().find(|ours| !is_applied(ours)) {
        None => Ok(()),
        Some(missing) => {
            Err(Error::Setting(format!("this database was made by another banter: its tables lack the step {missing}")))
        }
    }
}

fn failed(error: &refinery::Error) -> Error {
    use std::error::Error as _;

    use refinery::error::Kind;
    match error.kind() {
        Kind::DivergentVersion(..) | Kind::MissingVersion(..) | Kind::RepeatedVersion(..) => {
            Error::Setting(format!("this database was made by another banter: {error}"))
        }
        _ => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            Error::Database(format!("bringing the tables up to date failed: {error}: {cause}"))
        }
    }
}
