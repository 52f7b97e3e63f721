//! What a condition leaves to be judged, row by row.
//!
//! A row is judged by the fields the filter asks about and by nothing else, so nothing else is read of it.

use std::collections::HashMap;

use banter_domain::filter::{FieldPath, Filter};
use serde_json::Value as Json;

use super::{ColumnType, Compiler};
use crate::Result;
use crate::read::Read;
use crate::sql::{EngineKind, Row};

/// What rows that meet a condition must still pass.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rest {
    pub(super) filter: Filter,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    path: FieldPath,
    /// What its column holds; `None`: JSON.
    kind: Option<ColumnType>,
    /// What is selected for it.
    text: String,
}

impl Compiler<'_> {
    pub(super) fn rest(&mut self, filter: Filter) -> Rest {
        let paths: Vec<FieldPath> = filter.paths().into_iter().cloned().collect();
        let fields = paths.into_iter().map(|path| self.field(path)).collect();
        Rest { filter, fields }
    }

    fn field(&mut self, path: FieldPath) -> Field {
        let column = (self.columns)(&path);
        let text = match column.map(|column| (column.kind, column.name)) {
            None => self.json_value(&path),
            Some((ColumnType::Texts(rows), entry)) => match self.kind {
                EngineKind::Sqlite => format!("(SELECT json_group_array({entry}) FROM {rows})"),
                EngineKind::Postgres => format!("(SELECT COALESCE(json_agg({entry}), '[]')::text FROM {rows})"),
            },
            Some((ColumnType::Text | ColumnType::Int | ColumnType::Flag | ColumnType::TimeIso, name)) => {
                name.to_owned()
            }
        };
        Field { path, kind: column.map(|column| column.kind), text }
    }
}

impl Rest {
    /// What to select of each row.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.fields.iter().map(|field| field.text.as_str()).collect()
    }

    /// Whether a row passes that holds these columns from `from` on.
    pub(crate) fn passes(&self, row: &mut Row, from: usize) -> Result<bool> {
        let mut values = HashMap::new();
        for (at, field) in (from..).zip(&self.fields) {
            values.extend(read(row, at, field.kind)?.map(|value| (&field.path, value)));
        }
        Ok(self.filter.matches(&|path| values.get(path).cloned()))
    }
}

fn read(row: &mut Row, at: usize, kind: Option<ColumnType>) -> Result<Option<Json>> {
    Ok(match kind {
        Some(ColumnType::Text) => row.text_opt(at)?.map(Json::from),
        Some(ColumnType::Int | ColumnType::TimeIso) => row.int_opt(at)?.map(Json::from),
        Some(ColumnType::Flag) => row.int_opt(at)?.map(|flag| Json::from(flag != 0)),
        None | Some(ColumnType::Texts(_)) => row.json_opt(at)?,
    })
}
