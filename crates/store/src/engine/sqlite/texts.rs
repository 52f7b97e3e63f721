//! The texts of [`crate::sql`] carried out on one connection.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;
use rusqlite::types::{Null, ValueRef};
use rusqlite::{CachedStatement, Connection};

use super::connection::fault;
use crate::sql::{Cell, Row, Statement, Value, for_sqlite};
use crate::{Error, Result};

/// How many translations are kept. Texts are constants with few variants; should somebody build
/// them from data, they are translated each time instead of filling the memory.
const KEPT: usize = 4096;

/// What [`for_sqlite`] made of each text, so that it runs once a text. The texts are ours, and long:
/// the hash need not be safe from anybody, but quick.
#[derive(Debug, Default)]
pub(super) struct Texts(RwLock<HashMap<Box<str>, Arc<str>, RandomState>>);

/// What a text came to.
#[derive(Debug)]
pub(super) struct Done<T> {
    pub(super) answer: T,
    /// It may have changed the database.
    pub(super) wrote: bool,
}

impl Texts {
    fn translated(&self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Arc::clone(known);
        }
        let translated: Arc<str> = for_sqlite(text).into();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() < KEPT {
            all.insert(text.into(), Arc::clone(&translated));
        }
        translated
    }

    /// Asks, and reads the whole answer.
    pub(super) fn ask(&self, on: &Connection, text: &str, binds: &[Value]) -> Result<Done<Vec<Row>>> {
        let mut statement = self.prepare(on, text)?;
        bind(&mut statement, text, binds)?;
        let wrote = !statement.readonly();
        Ok(Done { answer: read(&mut statement)?, wrote })
    }

    /// Carries out several in their order. Those with the same text, one after the other, are prepared once.
    pub(super) fn ask_all(&self, on: &Connection, statements: &[Statement]) -> Result<Done<Vec<Vec<Row>>>> {
        let (mut answers, mut wrote) = (Vec::with_capacity(statements.len()), false);
        for alike in statements.chunk_by(|one, other| one.text == other.text) {
            let Some(Statement { text, .. }) = alike.first() else { continue };
            let mut statement = self.prepare(on, text)?;
            wrote |= !statement.readonly();
            for Statement { binds, .. } in alike {
                bind(&mut statement, text, binds)?;
                answers.push(read(&mut statement)?);
            }
        }
        Ok(Done { answer: answers, wrote })
    }

    /// Writes, and counts the rows it touched.
    pub(super) fn run(&self, on: &Connection, text: &str, binds: &[Value]) -> Result<Done<u64>> {
        let mut statement = self.prepare(on, text)?;
        bind(&mut statement, text, binds)?;
        let touched = statement.raw_execute().map_err(|error| fault(&error))?;
        // For a text that writes nothing, SQLite repeats the count of the last one that did.
        let wrote = !statement.readonly();
        Ok(Done { answer: if wrote { touched as u64 } else { 0 }, wrote })
    }

    fn prepare<'c>(&self, on: &'c Connection, text: &str) -> Result<CachedStatement<'c>> {
        on.prepare_cached(&self.translated(text)).map_err(|error| fault(&error))
    }
}

fn bind(statement: &mut CachedStatement<'_>, text: &str, binds: &[Value]) -> Result<()> {
    // SQLite would take a missing value for NULL.
    let places = statement.parameter_count();
    if places != binds.len() {
        let given = binds.len();
        return Err(Error::Database(format!("{given} values for {places} places in: {text}")));
    }
    for (at, value) in (1_usize..).zip(binds) {
        match value {
            Value::Null => statement.raw_bind_parameter(at, Null),
            Value::Int(value) => statement.raw_bind_parameter(at, value),
            Value::Real(value) => statement.raw_bind_parameter(at, value),
            Value::Text(value) => statement.raw_bind_parameter(at, value.as_str()),
            Value::Texts(list) => {
                let list =
                    serde_json::to_string(list).map_err(|_| Error::Database("a list cannot be bound".to_owned()))?;
                statement.raw_bind_parameter(at, list)
            }
        }
        .map_err(|error| fault(&error))?;
    }
    Ok(())
}

/// Runs a statement whose values are bound, and reads the whole answer.
fn read(statement: &mut CachedStatement<'_>) -> Result<Vec<Row>> {
    let width = statement.column_count();
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(|error| fault(&error))? {
        let mut cells = Vec::with_capacity(width);
        for at in 0..width {
            cells.push(cell(at, row.get_ref(at).map_err(|error| fault(&error))?)?);
        }
        rows.push(Row(cells));
    }
    Ok(rows)
}

fn cell(at: usize, value: ValueRef<'_>) -> Result<Cell> {
    match value {
        ValueRef::Null => Ok(Cell::Null),
        ValueRef::Integer(value) => Ok(Cell::Int(value)),
        ValueRef::Real(value) => Ok(Cell::Real(value)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cell::Text(text.into())),
            Err(_) => Err(Error::Corrupt(format!("column {at} is text, but not UTF-8"))),
        },
        ValueRef::Blob(_) => Err(Error::Corrupt(format!("column {at} is a blob"))),
    }
}

/// `BEGIN`, `COMMIT` and the like.
pub(super) fn command(on: &Connection, text: &str) -> Result<()> {
    on.prepare_cached(text).and_then(|mut statement| statement.raw_execute()).map(drop).map_err(|error| fault(&error))
}
