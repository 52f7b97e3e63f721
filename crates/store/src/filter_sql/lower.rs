//! Times before they become SQL: operands become milliseconds.
//!
//! What this leaves is a filter that means the same over the raw columns, in SQL and in a residual alike.

use banter_domain::filter::{FieldPath, Filter, JsonType, Scalar, Test};
use banter_domain::instant::instant_ms;

use super::{Column, ColumnType};

/// Rewrites the tests of time columns; leaves all else as it is.
pub(super) fn lower(filter: &Filter, columns: &dyn Fn(&FieldPath) -> Option<Column>) -> Filter {
    let each = |parts: &[Filter]| parts.iter().map(|part| lower(part, columns)).collect();
    match filter {
        Filter::All(parts) => Filter::All(each(parts)),
        Filter::Any(parts) => Filter::Any(each(parts)),
        Filter::NoneOf(parts) => Filter::NoneOf(each(parts)),
        Filter::Not(part) => Filter::Not(Box::new(lower(part, columns))),
        Filter::Field { path, test } => match columns(path) {
            Some(Column { kind: ColumnType::TimeIso, .. }) => time_test(path, test),
            Some(Column {
                kind: ColumnType::Text | ColumnType::Int | ColumnType::Flag | ColumnType::Texts(_), ..
            })
            | None => filter.clone(),
        },
    }
}

fn time_test(path: &FieldPath, test: &Test) -> Filter {
    let field = |test| Filter::Field { path: path.clone(), test };
    let with = |operand: &Scalar, test: fn(Scalar) -> Test| {
        moment(operand).map_or_else(Filter::never, |operand| field(test(operand)))
    };
    match test {
        Test::Eq(operand) => with(operand, Test::Eq),
        Test::Ne(operand) => Filter::Not(Box::new(with(operand, Test::Eq))),
        Test::Gt(operand) => with(operand, Test::Gt),
        Test::Gte(operand) => with(operand, Test::Gte),
        Test::Lt(operand) => with(operand, Test::Lt),
        Test::Lte(operand) => with(operand, Test::Lte),
        Test::In(operands) => field(Test::In(operands.iter().filter_map(moment).collect())),
        Test::Nin(operands) => field(Test::Nin(operands.iter().filter_map(moment).collect())),
        Test::HasAll(operands) => {
            let moments: Option<Vec<Scalar>> = operands.iter().map(moment).collect();
            moments.map_or_else(Filter::never, |moments| field(Test::HasAll(moments)))
        }
        Test::Exists(wanted) => field(Test::Exists(*wanted)),
        Test::Type(JsonType::Date) => field(Test::Exists(true)),
        // A time is a date, as it is for MongoDB, whatever text it is shown as.
        Test::Type(_) | Test::Regex(_) => Filter::never(),
    }
}

/// An operand in milliseconds. `None`: no time equals it or compares with it.
fn moment(operand: &Scalar) -> Option<Scalar> {
    match operand {
        Scalar::Null | Scalar::Int(_) | Scalar::Real(_) => Some(operand.clone()),
        Scalar::Text(text) => instant_ms(text).map(Scalar::Int),
        Scalar::Bool(_) => None,
    }
}
