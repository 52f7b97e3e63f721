//! Values of [`crate::sql`] in PostgreSQL's binary format, and back.

use std::error::Error as StdError;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use crate::sql::{Cell, Row, Value};
use crate::{Error, Result};

type Fault = Box<dyn StdError + Sync + Send>;

/// A value on its way to a placeholder. Which form it takes is decided by the placeholder's type.
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl std::fmt::Debug for Bound<'_> {
    /// The driver logs parameters; values do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Fault> {
        match (self.0, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Value::Int(value), &Type::INT4) => i32::try_from(*value)?.to_sql(ty, out),
            (Value::Int(value), &Type::INT2) => i16::try_from(*value)?.to_sql(ty, out),
            (Value::Int(value), &Type::BOOL) => (*value != 0).to_sql(ty, out),
            (Value::Real(value), &Type::FLOAT8) => value.to_sql(ty, out),
            #[expect(clippy::cast_possible_truncation, reason = "the column is that coarse")]
            (Value::Real(value), &Type::FLOAT4) => (*value as f32).to_sql(ty, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::BPCHAR | &Type::NAME | &Type::UNKNOWN) => {
                text.as_str().to_sql(ty, out)
            }
            (Value::Text(text), &Type::JSON) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            (Value::Text(text), &Type::JSONB) => {
                // The version of the format, which has been 1 since there is a jsonb.
                out.extend_from_slice(&[1]);
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            (Value::Texts(list), &Type::TEXT_ARRAY | &Type::VARCHAR_ARRAY) => list.to_sql(ty, out),
            (value, ty) => Err(format!("{} does not go into {ty}", name(value)).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Int(_) => "an integer",
        Value::Real(_) => "a floating-point number",
        Value::Text(_) => "text",
        Value::Texts(_) => "a list of texts",
    }
}

/// A cell on its way out.
struct Read(Cell);

impl<'a> FromSql<'a> for Read {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Fault> {
        Ok(Self(match *ty {
            Type::INT8 => Cell::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Cell::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Cell::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Cell::Int(bool::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Cell::Real(f64::from_sql(ty, raw)?),
            Type::FLOAT4 => Cell::Real(f32::from_sql(ty, raw)?.into()),
            // What a function called for its effect returns.
            Type::VOID => Cell::Null,
            _ => Cell::Text(<&str>::from_sql(ty, raw)?.into()),
        }))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Fault> {
        Ok(Self(Cell::Null))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8
                | Type::INT4
                | Type::INT2
                | Type::BOOL
                | Type::FLOAT8
                | Type::FLOAT4
                | Type::VOID
                | Type::TEXT
                | Type::VARCHAR
                | Type::BPCHAR
                | Type::NAME
        )
    }
}

/// Reads a whole answer.
pub(super) fn rows(answer: &[tokio_postgres::Row]) -> Result<Vec<Row>> {
    answer.iter().map(row).collect()
}

fn row(row: &tokio_postgres::Row) -> Result<Row> {
    let cells = row.columns().iter().enumerate().map(|(at, column)| match row.try_get::<_, Read>(at) {
        Ok(Read(cell)) => Ok(cell),
        Err(_) => Err(Error::Corrupt(format!(
            "column {at} ({}) is a {}, which Banter does not read",
            column.name(),
            column.type_()
        ))),
    });
    Ok(Row(cells.collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: impl Into<Value>, ty: &Type) -> Option<Vec<u8>> {
        let (value, mut out) = (value.into(), BytesMut::new());
        Bound(&value).to_sql_checked(ty, &mut out).ok().map(|_| out.to_vec())
    }

    #[test]
    fn a_value_takes_the_form_of_its_place() {
        assert_eq!(bytes(7, &Type::INT8), Some(vec![0, 0, 0, 0, 0, 0, 0, 7]));
        assert_eq!(bytes(7, &Type::INT2), Some(vec![0, 7]));
        assert_eq!(bytes(7, &Type::BOOL), Some(vec![1]));
        assert_eq!(bytes("{}", &Type::JSONB), Some(b"\x01{}".to_vec()));
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_and_not_shown() {
        assert_eq!(bytes(70_000, &Type::INT2), None);
        let (value, mut out) = (Value::from("secret"), BytesMut::new());
        let error = Bound(&value).to_sql_checked(&Type::INT8, &mut out).err().unwrap().to_string();
        assert_eq!(error, "text does not go into int8");
        assert_eq!(format!("{:?}", Bound(&value)), "…");
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_its_type() {
        assert!(!Read::accepts(&Type::NUMERIC));
        assert!(matches!(Read::from_sql(&Type::BOOL, &[1]).unwrap().0, Cell::Int(1)));
    }
}
