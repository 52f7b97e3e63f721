//! Filters as SQL conditions.
//!
//! Every value and every field name is bound; the text holds only what this module and the caller's column list
//! wrote. The condition is exact except for regular expressions no database runs in
//! linear time: for those it asks for what a text must hold at least, and hands back what is left to be judged.

mod column;
mod json;
mod list;
mod lower;
mod rest;

use banter_domain::filter::{FieldPath, Filter, Literal, Pattern, Place, Test};

pub(crate) use rest::Rest;

use crate::sql::{EngineKind, Value};

/// Where a documented field lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// The column's SQL name with its table's alias (`u.nickname`), or what is worked out of one. NULL means that the
    /// field is missing.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: ColumnType,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// TEXT, compared by bytes; a string.
    Text,
    /// An integer of less than 2^53 either way, as milliseconds are; a number.
    Int,
    /// 0 or 1, or PostgreSQL's boolean; a boolean.
    Flag,
    /// A time in milliseconds since the epoch, shown to callers as ISO text. It is compared with ISO texts and with
    /// milliseconds, and is of type `date`.
    TimeIso,
    /// TEXT, never NULL, in the rows of another table; here is what stands after `FROM` to find them, up to a condition
    /// that more may follow by `AND`. A list of strings, always there.
    Texts(&'static str),
}

/// A condition for a `WHERE`, never NULL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compiled {
    /// In PostgreSQL's spelling of placeholders, in the engine's own of functions. Parenthesised where needed.
    pub(crate) text: String,
    /// What its placeholders stand for, from `first_bind` on; then what those of `rest` stand for.
    pub(crate) binds: Vec<Value>,
    /// What rows that meet the condition must still pass. `None`: nothing, the condition is exact.
    pub(crate) rest: Option<Rest>,
}

/// Turns a filter into a condition.
///
/// `columns` says where documented fields live; every other field is looked up in `json_column`, TEXT that holds a
/// JSON object or NULL. Name it with its table's alias (`u.custom`): it is used inside subqueries. On
/// PostgreSQL its text must not hold `\u0000`, which `jsonb` refuses.
///
/// At most about 13,000 values are bound, by the bounds of a parsed filter.
pub(crate) fn compile(
    filter: &Filter,
    columns: &dyn Fn(&FieldPath) -> Option<Column>,
    json_column: &str,
    first_bind: usize,
    kind: EngineKind,
) -> Compiled {
    let filter = lower::lower(filter, columns);
    let mut compiler = Compiler { columns, json_column, kind, next: first_bind, binds: Vec::new() };
    let text = compiler.condition(&filter, Side::Over);
    let rest = compiler.residual(&filter).map(|residual| compiler.rest(residual));
    Compiled { text, binds: compiler.binds, rest }
}

/// Which way a condition may be wrong where it cannot be exact. `NOT` turns it round.
#[derive(Debug, Clone, Copy)]
enum Side {
    /// It may hold for too many rows.
    Over,
    /// It may hold for too few.
    Under,
}

impl Side {
    fn flipped(self) -> Self {
        match self {
            Self::Over => Self::Under,
            Self::Under => Self::Over,
        }
    }
}

const ALWAYS: &str = "1 = 1";
const NEVER: &str = "1 = 0";

struct Compiler<'a> {
    columns: &'a dyn Fn(&FieldPath) -> Option<Column>,
    json_column: &'a str,
    kind: EngineKind,
    next: usize,
    binds: Vec<Value>,
}

impl Compiler<'_> {
    /// Every text made here and below is true or false and never NULL, so that `NOT` negates it.
    fn condition(&mut self, filter: &Filter, side: Side) -> String {
        match filter {
            Filter::All(parts) => self.joined(parts, side, " AND ", ALWAYS),
            Filter::Any(parts) => self.joined(parts, side, " OR ", NEVER),
            Filter::NoneOf(parts) => not(&self.joined(parts, side.flipped(), " OR ", NEVER)),
            Filter::Not(part) => not(&self.condition(part, side.flipped())),
            Filter::Field { path, test } => match (self.columns)(path) {
                Some(column) => self.column_test(column, test, side),
                None => self.in_json(path, test, side),
            },
        }
    }

    fn in_json(&mut self, path: &FieldPath, test: &Test, side: Side) -> String {
        let before = (self.next, self.binds.len());
        let place = self.place(path);
        let text = self.json_test(&place, test, side);
        if !text.contains('$') {
            // The answer is known without looking: neither engine takes a value it has no place for.
            self.next = before.0;
            self.binds.truncate(before.1);
        }
        text
    }

    fn joined(&mut self, parts: &[Filter], side: Side, with: &str, empty: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.condition(part, side)).collect();
        join(&parts, with, empty)
    }

    /// The part of the filter the condition does not settle.
    fn residual(&self, filter: &Filter) -> Option<Filter> {
        match filter {
            Filter::All(parts) => {
                let mut left: Vec<Filter> = parts.iter().filter_map(|part| self.residual(part)).collect();
                match left.len() {
                    0 | 1 => left.pop(),
                    _ => Some(Filter::All(left)),
                }
            }
            other => (!self.is_exact(other)).then(|| other.clone()),
        }
    }

    fn is_exact(&self, filter: &Filter) -> bool {
        match filter {
            Filter::All(parts) | Filter::Any(parts) | Filter::NoneOf(parts) => {
                parts.iter().all(|part| self.is_exact(part))
            }
            Filter::Not(part) => self.is_exact(part),
            Filter::Field { path, test: Test::Regex(pattern) } => {
                let texts = (self.columns)(path)
                    .is_none_or(|column| matches!(column.kind, ColumnType::Text | ColumnType::Texts(_)));
                !texts || pattern.literal().is_some()
            }
            Filter::Field { .. } => true,
        }
    }

    /// Binds a value and gives its placeholder. PostgreSQL is told the type: it would guess.
    fn bind(&mut self, value: Value) -> String {
        let cast = match (self.kind, &value) {
            (EngineKind::Sqlite, _) | (EngineKind::Postgres, Value::Null) => "",
            (EngineKind::Postgres, Value::Int(_)) => "::bigint",
            (EngineKind::Postgres, Value::Real(_)) => "::float8",
            (EngineKind::Postgres, Value::Text(_)) => "::text",
            (EngineKind::Postgres, Value::Texts(_)) => "::text[]",
        };
        let placeholder = format!("${}{cast}", self.next);
        self.next += 1;
        self.binds.push(value);
        placeholder
    }

    /// What a pattern asks of a text that is there.
    fn found(&mut self, text: &str, pattern: &Pattern, side: Side) -> String {
        match (pattern.literal(), side) {
            (Some(literal), _) => self.literal(text, literal),
            (None, Side::Under) => NEVER.to_owned(),
            (None, Side::Over) => {
                let folded = self.folded(text);
                let holds = |needed: &String| format!("strpos({folded}, {}) > 0", self.bind(needed.as_str().into()));
                let parts: Vec<String> = pattern.needed().iter().map(holds).collect();
                join(&parts, " OR ", ALWAYS)
            }
        }
    }

    fn literal(&mut self, text: &str, literal: Literal) -> String {
        let text = if literal.any_case { self.folded(text) } else { text.to_owned() };
        let wanted = self.bind(literal.text.into());
        match literal.place {
            Place::Anywhere => format!("strpos({text}, {wanted}) > 0"),
            Place::Start => format!("strpos({text}, {wanted}) = 1"),
            Place::Whole => format!("{text} = {wanted}"),
        }
    }

    /// A text folded as [`Pattern::needed`] says. SQLite's `lower` knows `A` to `Z` only; PostgreSQL's so with this
    /// collation.
    fn folded(&self, text: &str) -> String {
        let collation = if self.kind == EngineKind::Postgres { " COLLATE \"C\"" } else { "" };
        format!("replace(replace(lower({text}{collation}), CHR(383), 's'), CHR(8490), 'k')")
    }
}

/// The four comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Op {
    fn text(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }

    /// Whether equals pass; then a comparison with `null` is equality with it (as in MongoDB).
    fn takes_equal(self) -> bool {
        matches!(self, Self::Gte | Self::Lte)
    }
}

fn not(condition: &str) -> String {
    format!("NOT ({condition})")
}

fn join(parts: &[String], with: &str, empty: &str) -> String {
    match parts {
        [] => empty.to_owned(),
        [only] => only.clone(),
        several => format!("({})", several.join(with)),
    }
}

#[cfg(test)]
mod tests;
