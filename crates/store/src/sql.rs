//! The narrow waist between what Banter asks and who answers.
//!
//! Every question is one SQL text in PostgreSQL's spelling. The SQLite engine rewrites the few
//! words in which the two differ ([`for_sqlite`]); nothing else in Banter knows which engine runs.
//! An engine answers and writes. It decides nothing.

use async_trait::async_trait;
use compact_str::CompactString;

use crate::{Error, Result};

/// A value bound to a `$n` placeholder.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL `NULL` of whatever type the place has.
    Null,
    /// A 64-bit integer. Booleans are 0 and 1, times are milliseconds since the epoch.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// UTF-8 text, never holding NUL.
    Text(CompactString),
    /// A list for `= ANY($n)`.
    Texts(Vec<String>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Vec<String>> for Value {
    fn from(value: Vec<String>) -> Self {
        Self::Texts(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// `binds![a, b]`: values for `$1, $2`.
macro_rules! binds {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Value::from($value)),*] };
}
pub(crate) use binds;

/// One cell of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL `NULL`.
    Null,
    /// Any integer or boolean.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text; what is short, as ids are, costs no allocation.
    Text(CompactString),
}

/// One row of an answer; columns are read by their position.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Cell>);

impl Row {
    fn wrong(&self, at: usize, wanted: &str) -> Error {
        Error::Corrupt(format!("column {at} is not {wanted}: {:?}", self.0.get(at)))
    }

    /// A column that must hold an integer.
    pub fn int(&self, at: usize) -> Result<i64> {
        match self.0.get(at) {
            Some(Cell::Int(value)) => Ok(*value),
            _ => Err(self.wrong(at, "an integer")),
        }
    }

    /// A column that holds an integer or nothing.
    pub fn int_opt(&self, at: usize) -> Result<Option<i64>> {
        match self.0.get(at) {
            Some(Cell::Int(value)) => Ok(Some(*value)),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(at, "an integer or NULL")),
        }
    }

    /// A column that must hold 0 or 1 (or a boolean).
    pub fn flag(&self, at: usize) -> Result<bool> {
        Ok(self.int(at)? != 0)
    }

    /// Reads a column that must hold text.
    pub fn str(&self, at: usize) -> Result<&str> {
        match self.0.get(at) {
            Some(Cell::Text(value)) => Ok(value),
            _ => Err(self.wrong(at, "text")),
        }
    }

    /// Takes the text out of a column that must hold one.
    pub fn text(&mut self, at: usize) -> Result<String> {
        self.compact_opt(at)?.map(String::from).ok_or_else(|| self.wrong(at, "text"))
    }

    /// Takes the text out of a column that holds one or nothing.
    pub fn text_opt(&mut self, at: usize) -> Result<Option<String>> {
        Ok(self.compact_opt(at)?.map(String::from))
    }

    /// As [`Row::text`], without an allocation for what is short.
    pub fn compact(&mut self, at: usize) -> Result<CompactString> {
        self.compact_opt(at)?.ok_or_else(|| self.wrong(at, "text"))
    }

    /// As [`Row::text_opt`], without an allocation for what is short.
    pub fn compact_opt(&mut self, at: usize) -> Result<Option<CompactString>> {
        match self.0.get_mut(at) {
            Some(Cell::Text(value)) => Ok(Some(std::mem::take(value))),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(at, "text or NULL")),
        }
    }
}

/// One statement with what is bound to it.
#[derive(Debug, Clone)]
pub struct Statement {
    /// PostgreSQL's spelling, placeholders `$1 …`.
    pub text: std::borrow::Cow<'static, str>,
    /// Values for the placeholders, in order.
    pub binds: Vec<Value>,
}

/// An open transaction of either engine. Dropped without [`Session::commit`], it undoes everything.
#[async_trait]
pub trait Session: Send {
    /// Asks one question.
    async fn rows(&mut self, text: &str, binds: Vec<Value>) -> Result<Vec<Row>> {
        let statement = Statement { text: text.to_owned().into(), binds };
        Ok(self.batch(vec![statement]).await?.pop().unwrap_or_default())
    }

    /// Writes, and tells how many rows it touched.
    async fn run(&mut self, text: &str, binds: Vec<Value>) -> Result<u64>;

    /// Writes, without needing to know how many rows it touched. The write may be sent later, but
    /// before whatever comes next in this session; a failure then shows there, at the latest at
    /// commit. On PostgreSQL this is what saves the round trips.
    async fn put(&mut self, text: &str, binds: Vec<Value>) -> Result<()>;

    /// Carries out several statements, in order: in one round trip where the engine has them, and where it has not, those of
    /// one text, one after the other, are prepared once.
    async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>>;

    /// Makes everything written durable, and returns only then. A session that only read just ends.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// A database.
#[async_trait]
pub trait Engine: Send + Sync {
    /// A transaction that may write. SQLite: takes the one write lock (`BEGIN IMMEDIATE`).
    /// PostgreSQL: READ COMMITTED; rows are locked by `FOR UPDATE`, which is asked first.
    async fn write(&self) -> Result<Box<dyn Session>>;

    /// A transaction that only reads, and sees one moment. It shows nothing that is not durable.
    async fn read(&self) -> Result<Box<dyn Session>>;

    /// One question in a moment of its own, for no more than it costs.
    async fn once(&self, text: &str, binds: Vec<Value>) -> Result<Vec<Row>> {
        self.read().await?.rows(text, binds).await
    }

    /// As [`Engine::read`], for a reader that may take long (a streamed list): it does not take a
    /// place among the short ones. At most a fixed number run at once; a further one waits.
    async fn read_long(&self) -> Result<Box<dyn Session>>;

    /// Returns when everything committed before the call is durable. A refusal that was judged on
    /// what another session just wrote waits here before it is told.
    async fn settled(&self) -> Result<()>;

    /// How many commits have failed so far of which other sessions had seen what they carried: it came to nothing after
    /// that. None where nobody sees what is not committed.
    fn lost(&self) -> u64 {
        0
    }

    /// Which database this is.
    fn kind(&self) -> EngineKind;

    /// Copies a consistent state of the whole database to a file. SQLite only.
    async fn backup(&self, to: &std::path::Path) -> Result<()>;
}

/// The databases Banter runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// SQLite inside the process.
    Sqlite,
    /// PostgreSQL 15 or newer.
    Postgres,
}

/// Rewrites a text from PostgreSQL's spelling to SQLite's: `$n` to `?n`, `= ANY($n)` to a
/// subquery over a JSON list, `strpos(` to `instr(`, `CHR(` to `char(`, `GREATEST(`/`LEAST(` to
/// `max(`/`min(`, and row locks, which the write lock makes needless, to nothing.
pub fn for_sqlite(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        let digits = after.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let number = after.get(1..=digits).unwrap_or_default();
        let tail = after.get(1 + digits..).unwrap_or_default();
        if let (Some(head), Some(tail)) = (before.strip_suffix("= ANY("), tail.strip_prefix(')')) {
            out.push_str(head);
            out.push_str("IN (SELECT value FROM json_each(?");
            out.push_str(number);
            out.push_str("))");
            rest = tail;
        } else {
            out.push_str(before);
            out.push('?');
            out.push_str(number);
            rest = tail;
        }
    }
    out.push_str(rest);
    for (theirs, ours) in [
        ("strpos(", "instr("),
        ("CHR(", "char("),
        ("GREATEST(", "max("),
        ("LEAST(", "min("),
        (" FOR SHARE OF t", ""),
        (" FOR UPDATE", ""),
        (" FOR SHARE", ""),
    ] {
        if out.contains(theirs) {
            out = out.replace(theirs, ours);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::for_sqlite;

    #[test]
    fn a_text_is_respelt_for_sqlite() {
        assert_eq!(
            for_sqlite("SELECT a FROM t WHERE b = $1 AND c = ANY($12) AND strpos(d, $2) > 0 FOR UPDATE"),
            "SELECT a FROM t WHERE b = ?1 AND c IN (SELECT value FROM json_each(?12)) AND instr(d, ?2) > 0"
        );
    }
}
