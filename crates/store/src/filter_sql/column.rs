//! Tests of fields that have a column of their own.
//!
//! A column has one type, so a value of another type is known not to match before the database is
//! asked. Plain comparisons stay bare enough for an index.

use banter_domain::filter::{JsonType, Scalar, Test};

use super::{Column, ColumnType, Compiler, NEVER, Op, Side, join, not};
use crate::sql::{EngineKind, Value};

impl Compiler<'_> {
    pub(super) fn column_test(&mut self, column: Column, test: &Test, side: Side) -> String {
        let name = column.name;
        if let ColumnType::Texts(rows) = column.kind {
            return self.list_test(name, rows, test, side);
        }
        match test {
            Test::Eq(wanted) => self.column_compares(column, "=", wanted),
            Test::Ne(wanted) => not(&self.column_compares(column, "=", wanted)),
            Test::Gt(wanted) => self.column_orders(column, Op::Gt, wanted),
            Test::Gte(wanted) => self.column_orders(column, Op::Gte, wanted),
            Test::Lt(wanted) => self.column_orders(column, Op::Lt, wanted),
            Test::Lte(wanted) => self.column_orders(column, Op::Lte, wanted),
            Test::In(wanted) => self.column_in(column, wanted),
            Test::Nin(wanted) => not(&self.column_in(column, wanted)),
            Test::HasAll(wanted) => {
                let parts: Vec<String> =
                    wanted.iter().map(|wanted| self.column_compares(column, "=", wanted)).collect();
                join(&parts, " AND ", NEVER)
            }
            Test::Exists(true) => format!("{name} IS NOT NULL"),
            Test::Exists(false) => format!("{name} IS NULL"),
            Test::Type(wanted) if is_always(column.kind, *wanted) => format!("{name} IS NOT NULL"),
            Test::Type(_) => NEVER.to_owned(),
            Test::Regex(_) if column.kind != ColumnType::Text => NEVER.to_owned(),
            Test::Regex(pattern) => format!("({name} IS NOT NULL AND {})", self.found(name, pattern, side)),
        }
    }

    fn column_orders(&mut self, column: Column, op: Op, wanted: &Scalar) -> String {
        match wanted {
            Scalar::Null if op.takes_equal() => format!("{} IS NULL", column.name),
            Scalar::Null => NEVER.to_owned(),
            wanted => self.column_compares(column, op.text(), wanted),
        }
    }

    fn column_in(&mut self, column: Column, wanted: &[Scalar]) -> String {
        let mut texts = Vec::new();
        let mut parts = Vec::new();
        for wanted in wanted {
            match (column.kind, wanted) {
                (ColumnType::Text, Scalar::Text(text)) => texts.push(text.clone()),
                (_, other) => parts.push(self.column_compares(column, "=", other)),
            }
        }
        if !texts.is_empty() {
            let name = column.name;
            parts.push(format!("({name} IS NOT NULL AND {name} = ANY({}))", self.bind(Value::Texts(texts))));
        }
        join(&parts, " OR ", NEVER)
    }

    /// `column op wanted`; false where the column is NULL, unless that is what is asked.
    fn column_compares(&mut self, column: Column, op: &str, wanted: &Scalar) -> String {
        let name = column.name;
        let postgres = self.kind == EngineKind::Postgres;
        let comparison = match (column.kind, wanted) {
            (_, Scalar::Null) => return format!("{name} IS NULL"),
            (ColumnType::Text, Scalar::Text(text)) => {
                // Equality is by bytes under every collation Banter's databases have; order is not.
                let collation = if postgres && op != "=" { " COLLATE \"C\"" } else { "" };
                format!("{name}{collation} {op} {}", self.bind(text.as_str().into()))
            }
            (ColumnType::Int | ColumnType::TimeIso, Scalar::Int(number)) => {
                format!("{name} {op} {}", self.bind((*number).into()))
            }
            (ColumnType::Int | ColumnType::TimeIso, Scalar::Real(number)) => {
                let cast = if postgres { "::float8" } else { "" };
                format!("{name}{cast} {op} {}", self.bind(Value::Real(*number)))
            }
            (ColumnType::Flag, Scalar::Bool(flag)) => {
                let cast = if postgres { "::int" } else { "" };
                format!("{name}{cast} {op} {}", u8::from(*flag))
            }
            _ => return NEVER.to_owned(),
        };
        format!("({name} IS NOT NULL AND {comparison})")
    }
}

/// Whether everything in a column of this kind is of that type.
fn is_always(kind: ColumnType, wanted: JsonType) -> bool {
    match kind {
        ColumnType::Text => wanted == JsonType::Text,
        ColumnType::Int => matches!(wanted, JsonType::Number | JsonType::Whole),
        ColumnType::Flag => wanted == JsonType::Bool,
        ColumnType::TimeIso => wanted == JsonType::Date,
        ColumnType::Texts(_) => wanted == JsonType::Array,
    }
}
