//! Tests of fields inside a JSON text.
//!
//! A value there has any type, and a list passes when one of its entries does; both are asked of the database. Field
//! names are bound like values.

use banter_domain::filter::{FieldPath, JsonType, Scalar, Test};
use serde_json::Value as Json;

use super::{Compiler, NEVER, Op, Side, join, not};
use crate::sql::{EngineKind, Value};

/// A place in a JSON column, spelt for the engine.
pub(super) struct Place {
    /// The type there, as the engine calls it; NULL when nothing is there.
    kind: String,
    /// What stands after `EXISTS (SELECT 1 FROM`: one row `entry` for the value, or one for each entry of a list;
    /// none for an object in SQLite, where the members would come instead.
    entries: String,
}

impl Compiler<'_> {
    /// Where a path leads in the JSON column.
    pub(super) fn place(&mut self, path: &FieldPath) -> Place {
        let column = self.json_column;
        match self.kind {
            EngineKind::Sqlite => {
                let path = self.sqlite_path(path);
                let kind = format!("json_type({column}, {path})");
                let entries = format!("json_each({column}, {path}) AS entry WHERE {kind} <> 'object' AND ");
                Place { kind, entries }
            }
            EngineKind::Postgres => {
                let value = self.postgres_path(path, "jsonb");
                let entries = format!(
                    "(SELECT ({value}) AS v) AS field, jsonb_array_elements(CASE jsonb_typeof(field.v) \
                     WHEN 'array' THEN field.v ELSE jsonb_build_array(field.v) END) AS entry(v) \
                     WHERE field.v IS NOT NULL AND "
                );
                Place { kind: format!("jsonb_typeof({value})"), entries }
            }
        }
    }

    /// The value a path leads to in the JSON column, as JSON text; NULL when nothing is there.
    pub(super) fn json_value(&mut self, path: &FieldPath) -> String {
        match self.kind {
            EngineKind::Sqlite => {
                let path = self.sqlite_path(path);
                format!("({} -> {path})", self.json_column)
            }
            // As it was written: `jsonb` would spell numbers anew.
            EngineKind::Postgres => format!("({})::text", self.postgres_path(path, "json")),
        }
    }

    fn sqlite_path(&mut self, path: &FieldPath) -> String {
        // Written as JSON writes a text, so that a quote in a name does not end it.
        let names = path.segments().map(|name| format!(".{}", Json::from(name)));
        let path: String = std::iter::once("$".to_owned()).chain(names).collect();
        self.bind(path.into())
    }

    fn postgres_path(&mut self, path: &FieldPath, json: &str) -> String {
        // `->` with a text never enters a list, unlike `#>`, which takes "0" for its first entry.
        let names: Vec<String> = path.segments().map(|name| self.bind(name.into())).collect();
        names.iter().fold(format!("{}::{json}", self.json_column), |value, name| format!("{value} -> {name}"))
    }

    pub(super) fn json_test(&mut self, place: &Place, test: &Test, side: Side) -> String {
        match test {
            Test::Eq(wanted) => self.json_in(place, std::slice::from_ref(wanted)),
            Test::Ne(wanted) => not(&self.json_in(place, std::slice::from_ref(wanted))),
            Test::In(wanted) => self.json_in(place, wanted),
            Test::Nin(wanted) => not(&self.json_in(place, wanted)),
            Test::HasAll(wanted) => {
                let parts: Vec<String> =
                    wanted.iter().map(|wanted| self.json_in(place, std::slice::from_ref(wanted))).collect();
                join(&parts, " AND ", NEVER)
            }
            Test::Gt(wanted) => self.json_orders(place, Op::Gt, wanted),
            Test::Gte(wanted) => self.json_orders(place, Op::Gte, wanted),
            Test::Lt(wanted) => self.json_orders(place, Op::Lt, wanted),
            Test::Lte(wanted) => self.json_orders(place, Op::Lte, wanted),
            Test::Exists(true) => format!("{} IS NOT NULL", place.kind),
            Test::Exists(false) => format!("{} IS NULL", place.kind),
            Test::Type(wanted) => self.json_type(place, *wanted),
            Test::Regex(pattern) => {
                let (is_text, found) = (self.entry_is(JsonType::Text), self.found(self.entry_text(), pattern, side));
                any(place, &format!("{is_text} AND {found}"))
            }
        }
    }

    /// Equal to one of them.
    fn json_in(&mut self, place: &Place, wanted: &[Scalar]) -> String {
        let mut texts = Vec::new();
        let mut parts = Vec::new();
        for wanted in wanted {
            match wanted {
                Scalar::Null => parts.push(self.entry_is(JsonType::Null)),
                Scalar::Bool(flag) => parts.push(self.entry_is_flag(*flag)),
                Scalar::Int(_) | Scalar::Real(_) => parts.extend(self.entry_number(wanted, "=")),
                Scalar::Text(text) => texts.push(text.clone()),
            }
        }
        if !texts.is_empty() {
            let (is_text, text) = (self.entry_is(JsonType::Text), self.entry_text());
            let equals = match texts.as_slice() {
                [only] => format!("{text} = {}", self.bind(only.as_str().into())),
                _ => format!("{text} = ANY({})", self.bind(Value::Texts(texts))),
            };
            parts.push(format!("({is_text} AND {equals})"));
        }
        if parts.is_empty() {
            return NEVER.to_owned();
        }
        let among = any(place, &join(&parts, " OR ", NEVER));
        // A missing field equals `null`.
        if wanted.contains(&Scalar::Null) { format!("({} IS NULL OR {among})", place.kind) } else { among }
    }

    fn json_orders(&mut self, place: &Place, op: Op, wanted: &Scalar) -> String {
        match wanted {
            Scalar::Null if op.takes_equal() => self.json_in(place, &[Scalar::Null]),
            Scalar::Null => NEVER.to_owned(),
            Scalar::Bool(flag) => {
                // `false` is less than `true`.
                let passes = |value: &bool| match op {
                    Op::Gt => value > flag,
                    Op::Gte => value >= flag,
                    Op::Lt => value < flag,
                    Op::Lte => value <= flag,
                };
                let parts: Vec<String> = [false, true]
                    .iter()
                    .filter(|value| passes(value))
                    .map(|value| self.entry_is_flag(*value))
                    .collect();
                if parts.is_empty() { NEVER.to_owned() } else { any(place, &join(&parts, " OR ", NEVER)) }
            }
            Scalar::Int(_) | Scalar::Real(_) => match self.entry_number(wanted, op.text()) {
                Some(comparison) => any(place, &comparison),
                None => NEVER.to_owned(),
            },
            Scalar::Text(text) => {
                let (is_text, entry) = (self.entry_is(JsonType::Text), self.entry_text());
                let collation = match self.kind {
                    EngineKind::Sqlite => "",
                    EngineKind::Postgres => " COLLATE \"C\"",
                };
                let wanted = self.bind(text.as_str().into());
                any(place, &format!("{is_text} AND {entry}{collation} {} {wanted}", op.text()))
            }
        }
    }

    fn json_type(&self, place: &Place, wanted: JsonType) -> String {
        let entry = any(place, &self.entry_is(wanted));
        let itself = match wanted {
            JsonType::Date => return NEVER.to_owned(),
            JsonType::Array => "array",
            JsonType::Object => "object",
            // A value of another type is its own and only entry.
            _ => return entry,
        };
        match self.kind {
            EngineKind::Sqlite => format!("({} IS '{itself}' OR {entry})", place.kind),
            EngineKind::Postgres => format!("({} IS NOT DISTINCT FROM '{itself}' OR {entry})", place.kind),
        }
    }

    /// The entry as text, once it is known to be one.
    fn entry_text(&self) -> &'static str {
        match self.kind {
            EngineKind::Sqlite => "entry.atom",
            EngineKind::Postgres => "(entry.v #>> '{}')",
        }
    }

    fn entry_is_flag(&self, flag: bool) -> String {
        match self.kind {
            EngineKind::Sqlite => format!("entry.type = '{flag}'"),
            EngineKind::Postgres => format!("entry.v = '{flag}'::jsonb"),
        }
    }

    /// Numbers compare as doubles, in the databases as in the filter's meaning.
    fn entry_number(&mut self, wanted: &Scalar, op: &str) -> Option<String> {
        let wanted = self.bind(Value::Real(wanted.number()?));
        Some(match self.kind {
            EngineKind::Sqlite => {
                format!("(entry.type IN ('integer', 'real') AND CAST(entry.atom AS REAL) {op} {wanted})")
            }
            // `AND` promises no order; `CASE` does, and a text cannot be cast.
            EngineKind::Postgres => format!(
                "(CASE jsonb_typeof(entry.v) WHEN 'number' THEN (entry.v #>> '{{}}')::float8 {op} {wanted} \
                 ELSE false END)"
            ),
        })
    }

    fn entry_is(&self, wanted: JsonType) -> String {
        let of = |names: &str| match self.kind {
            EngineKind::Sqlite => format!("entry.type IN ({names})"),
            EngineKind::Postgres => format!("jsonb_typeof(entry.v) IN ({names})"),
        };
        match (self.kind, wanted) {
            (EngineKind::Sqlite, JsonType::Text) => of("'text'"),
            (EngineKind::Sqlite, JsonType::Bool) => of("'true', 'false'"),
            (EngineKind::Sqlite, JsonType::Number) => of("'integer', 'real'"),
            (EngineKind::Postgres, JsonType::Text) => of("'string'"),
            (EngineKind::Postgres, JsonType::Bool) => of("'boolean'"),
            (EngineKind::Postgres, JsonType::Number) => of("'number'"),
            (_, JsonType::Null) => of("'null'"),
            (_, JsonType::Array) => of("'array'"),
            (_, JsonType::Object) => of("'object'"),
            (_, JsonType::Date) => NEVER.to_owned(),
            (_, JsonType::Whole) => self.entry_is_whole("="),
            (_, JsonType::Fraction) => self.entry_is_whole("<>"),
        }
    }

    /// A number that (`=`) a 64-bit integer can be, or (`<>`) one that it cannot be.
    fn entry_is_whole(&self, op: &str) -> String {
        match self.kind {
            // The cast cuts off the fraction and stops at the bounds of 64 bits.
            EngineKind::Sqlite => {
                format!("(entry.type IN ('integer', 'real') AND CAST(entry.atom AS INTEGER) {op} entry.atom)")
            }
            EngineKind::Postgres => format!(
                "(CASE jsonb_typeof(entry.v) WHEN 'number' THEN LEAST(GREATEST(trunc((entry.v #>> '{{}}')::numeric), \
                 -9223372036854775808), 9223372036854775807) {op} (entry.v #>> '{{}}')::numeric ELSE false END)"
            ),
        }
    }
}

/// One entry at the place passes.
fn any(place: &Place, condition: &str) -> String {
    format!("EXISTS (SELECT 1 FROM {}({condition}))", place.entries)
}
