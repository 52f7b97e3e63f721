//! Tests of fields that are lists of texts, each text in a row of another table.
//!
//! One entry that passes is enough, and an entry is a text column like any other.

use banter_domain::filter::{JsonType, Test};

use super::{ALWAYS, Column, ColumnType, Compiler, NEVER, Side, join, not};

impl Compiler<'_> {
    /// `entry`: the column of the rows; `rows`: what finds them.
    pub(super) fn list_test(&mut self, entry: &'static str, rows: &str, test: &Test, side: Side) -> String {
        let mut some = |test: &Test| {
            let column = Column { name: entry, kind: ColumnType::Text };
            format!("EXISTS (SELECT 1 FROM {rows} AND {})", self.column_test(column, test, side))
        };
        match test {
            Test::Ne(wanted) => not(&some(&Test::Eq(wanted.clone()))),
            Test::Nin(wanted) => not(&some(&Test::In(wanted.clone()))),
            Test::HasAll(wanted) => {
                let parts: Vec<String> = wanted.iter().map(|wanted| some(&Test::Eq(wanted.clone()))).collect();
                join(&parts, " AND ", NEVER)
            }
            Test::Exists(true) | Test::Type(JsonType::Array) => ALWAYS.to_owned(),
            Test::Exists(false) => NEVER.to_owned(),
            Test::Eq(_)
            | Test::Gt(_)
            | Test::Gte(_)
            | Test::Lt(_)
            | Test::Lte(_)
            | Test::In(_)
            | Test::Type(_)
            | Test::Regex(_) => some(test),
        }
    }
}
