//! Query strings: every parameter as given, repeated ones kept.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::form::{pairs, unnumbered};
use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::view::time;

/// The parameters of a request, decoded, in order. Unknown ones are ignored. An escape that is
/// none, bytes that are no UTF-8 and NUL are 400 `INVALID_QUERY`.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads what stands behind the `?`. Errors: 400 `INVALID_QUERY`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        pairs(text).map(|pairs| Self { pairs }).ok_or(ApiError::Row(rows::INVALID_QUERY))
    }

    /// Is nothing asked at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All values of a parameter, in order: `a=1&a=2`, `a[]=1&a[]=2`, `a[0]=1&a[1]=2`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let named = move |key: &str| unnumbered(key) == name;
        self.pairs.iter().filter(move |(key, _)| named(key)).map(|(_, value)| value.as_str())
    }

    /// The one value of a parameter; `None`: not given. Errors: 400 `INVALID_QUERY` when it is
    /// given twice, since nobody knows which was meant.
    pub fn one<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, ApiError> {
        let mut all = self.all(name);
        let first = all.next();
        match all.next() {
            None => Ok(first),
            Some(_) => Err(bad(name)),
        }
    }

    /// The one value of a parameter, read as `T`; `None`: not given. Errors: 400 `INVALID_QUERY`
    /// when it is not a `T` or given twice. Bounds are the caller's.
    pub fn read<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.one(name)?.map(|text| text.parse().map_err(|_| bad(name))).transpose()
    }

    /// The one value of a parameter as a moment (ISO 8601 or milliseconds), in milliseconds.
    /// Errors: 400 `INVALID_QUERY`.
    pub fn moment(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.one(name)?.map(|text| time::parse(text).map_err(|_| bad(name))).transpose()
    }
}

/// 400 `INVALID_QUERY` that names the parameter.
pub(crate) fn bad(name: &str) -> ApiError {
    rows::INVALID_QUERY_PARAMETER.with(name)
}

impl FromRequestParts<Edge> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        parts.uri.query().map_or_else(|| Ok(Self::default()), Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_parameters_are_kept() {
        let query = Query::parse("roomTags=a&roomTags=b+c&roomTags[7]=d&limit=5&x").expect("a query");
        assert_eq!(query.all("roomTags").collect::<Vec<_>>(), ["a", "b c", "d"]);
        assert_eq!(query.read::<usize>("limit").expect("a number"), Some(5));
        assert_eq!(query.one("x").expect("one"), Some(""));
        assert!(query.one("roomTags").is_err());
        assert!(query.one("absent").expect("none").is_none());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in ["a=%", "a=%ff", "a=%00", "%zz=1"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
        for bad in ["limit=", "limit=-1", "limit=1e3", "limit=99999999999999999999999", "limit=abc"] {
            assert!(Query::parse(bad).expect("readable").read::<usize>("limit").is_err(), "{bad}");
        }
    }
}
