//! What comes in, checked once: who asks, which ids the path names, what query and body say.
//!
//! A handler takes these as arguments, in this order: `State(edge): State<Edge>`,
//! `Caller(caller): Caller`, `Path(..)`, `Query`, and last [`Body`]. Everything malformed is
//! refused here with a row of the error table, so a handler only sees what can be meant.

mod body;
mod form;
mod query;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::IF_NONE_MATCH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use banter_chat::App;
use banter_domain::id::{Bucket, ObjectId, RoomId, UserId};

pub(crate) use body::parse_json as json_object;
pub use body::{AnyBody, Body, has_nul};
pub(crate) use body::{drained, expect_sound, object, unasked};
pub use query::Query;
pub(crate) use query::bad as bad_parameter;

use super::Edge;
use super::auth::Asking;
use super::limits_of_fields as limits;
use super::view::time;
use crate::errors::{ApiError, rows};

/// What the dispatcher found out before the handler runs.
#[derive(Clone)]
pub(crate) struct Inbound {
    /// Who asks; `None` once taken.
    pub(crate) asking: Option<Asking>,
    /// The path's parameters in order, decoded; `None`: it cannot be ([`decoded`]).
    pub(crate) params: Vec<Option<String>>,
    /// The largest body this route takes, bytes.
    pub(crate) body_limit: usize,
}

/// Takes who asks.
fn asking(parts: &mut Parts) -> Option<Asking> {
    parts.extensions.get_mut::<Inbound>().and_then(|inbound| inbound.asking.take())
}

/// Who asks. A handler that takes it can only stand on a route that authenticates; on a public one
/// it answers with a fault.
pub struct Caller(pub banter_chat::Caller);

impl FromRequestParts<Edge> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        match asking(parts) {
            Some(Asking::Caller(caller)) => Ok(Self(caller)),
            _ => Err(ApiError::Fault("a handler asks who calls on a route that lets anybody in".to_owned())),
        }
    }
}

/// The app whose key came with a request: on routes that a client key alone opens ([`super::routes::Auth::ClientKey`]).
pub struct AppKey(pub Arc<App>);

impl FromRequestParts<Edge> for AppKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        // Who asks is left for the extractor after this one.
        let asking = parts.extensions.get::<Inbound>().and_then(|inbound| inbound.asking.as_ref());
        let app = asking.and_then(|asking| asking.app().cloned());
        app.map(Self).ok_or_else(|| ApiError::Fault("a handler on a public route asks for an app".to_owned()))
    }
}

/// Who asks, where a request may do without: on such a route the platform, with a client key alone nobody; where the
/// address may speak for itself, nobody if it does.
pub struct MaybeCaller(pub Option<banter_chat::Caller>);

impl FromRequestParts<Edge> for MaybeCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        Ok(Self(match asking(parts) {
            Some(Asking::Caller(caller)) => Some(caller),
            Some(Asking::Of(_) | Asking::Anybody) | None => None,
        }))
    }
}

/// The user's token as the request shows it, whether it is good or not.
pub struct Token(pub Option<String>);

impl FromRequestParts<Edge> for Token {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        Ok(Self(super::auth::token_shown(&parts.headers).map(str::to_owned)))
    }
}

/// The ids a path names, in order: `Path(room): Path<RoomId>`, `Path((room, user)): Path<(RoomId,
/// UserId)>`. An id that cannot be one is 400 `INVALID_ID`; take an `Option` to answer otherwise.
/// Escapes are decoded; an escape that is none, bytes that are no UTF-8 and NUL are in no id.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// One parameter of a path.
pub trait Part: Sized {
    /// Reads it. Errors: 400 `INVALID_ID`.
    fn part(text: String) -> Result<Self, ApiError>;

    /// Reads one that may not have been decoded. Errors: 400 `INVALID_ID`.
    fn of(text: Option<String>) -> Result<Self, ApiError> {
        Self::part(text.ok_or(rows::INVALID_ID)?)
    }
}

/// `None`: it cannot be one.
impl<T: Part> Part for Option<T> {
    fn part(text: String) -> Result<Self, ApiError> {
        Ok(T::part(text).ok())
    }

    fn of(text: Option<String>) -> Result<Self, ApiError> {
        Ok(text.and_then(|text| T::part(text).ok()))
    }
}

impl Part for String {
    fn part(text: String) -> Result<Self, ApiError> {
        Ok(text)
    }
}

impl Part for UserId {
    fn part(text: String) -> Result<Self, ApiError> {
        Ok(Self::parse(text)?)
    }
}

impl Part for RoomId {
    fn part(text: String) -> Result<Self, ApiError> {
        Ok(Self::parse(text)?)
    }
}

impl Part for Bucket {
    fn part(text: String) -> Result<Self, ApiError> {
        Ok(Self::parse(text)?)
    }
}

impl Part for ObjectId {
    fn part(text: String) -> Result<Self, ApiError> {
        Self::parse(&text).ok_or(ApiError::Row(rows::INVALID_ID))
    }
}

/// All parameters of a path.
pub trait FromPath: Sized {
    /// Reads them. Errors: 400 `INVALID_ID`; a fault if the route has fewer.
    fn from_path(params: &mut Params) -> Result<Self, ApiError>;
}

type Params = std::vec::IntoIter<Option<String>>;

fn next<T: Part>(params: &mut Params) -> Result<T, ApiError> {
    let text =
        params.next().ok_or_else(|| ApiError::Fault("a handler asks for a parameter its path has not".to_owned()))?;
    T::of(text)
}

macro_rules! single {
    ($($of:ty),*) => {
        $(impl FromPath for $of {
            fn from_path(params: &mut Params) -> Result<Self, ApiError> {
                next(params)
            }
        })*
    };
}
single!(String, UserId, RoomId, ObjectId, Bucket, Option<UserId>, Option<RoomId>);

impl<A: Part, B: Part> FromPath for (A, B) {
    fn from_path(params: &mut Params) -> Result<Self, ApiError> {
        Ok((next(params)?, next(params)?))
    }
}

impl<A: Part, B: Part, C: Part> FromPath for (A, B, C) {
    fn from_path(params: &mut Params) -> Result<Self, ApiError> {
        Ok((next(params)?, next(params)?, next(params)?))
    }
}

impl<T: FromPath> FromRequestParts<Edge> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        let params = parts
            .extensions
            .get_mut::<Inbound>()
            .map(|inbound| std::mem::take(&mut inbound.params))
            .unwrap_or_default();
        T::from_path(&mut params.into_iter()).map(Self)
    }
}

/// The `If-None-Match` of a request, for [`crate::http::answer::tagged`].
#[derive(Debug, Default)]
pub struct IfNoneMatch(pub Option<HeaderValue>);

impl IfNoneMatch {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(IF_NONE_MATCH).iter();
        let first = given.next().cloned();
        // A list may come in several lines; they are one list.
        let Some(second) = given.next() else { return Self(first) };
        let lines = first.iter().chain([second]).chain(given);
        let texts: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        Self(HeaderValue::try_from(texts.join(", ")).ok())
    }
}

impl FromRequestParts<Edge> for IfNoneMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        Ok(Self::of(&parts.headers))
    }
}

/// The device a request says it comes from (`IM-Device-ID`, rest.md 0.2): 1 to 255 characters, as its client
/// registered it. Errors: 400 `INVALID_ID`.
#[derive(Debug, Default)]
pub struct DeviceName(pub Option<String>);

impl FromRequestParts<Edge> for DeviceName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, ApiError> {
        let Some(given) = parts.headers.get("im-device-id") else { return Ok(Self(None)) };
        let name = std::str::from_utf8(given.as_bytes()).map_err(|_| rows::INVALID_ID)?.trim();
        match name {
            "" => Ok(Self(None)),
            name if limits::is_name(name, limits::NAME) => Ok(Self(Some(name.to_owned()))),
            _ => Err(rows::INVALID_ID.into()),
        }
    }
}

/// Reads a moment (ISO 8601 or milliseconds since the epoch), in milliseconds. `None`: it is none.
#[must_use]
pub fn moment(text: &str) -> Option<i64> {
    time::parse(text).ok()
}

/// [`moment`] in JSON: a whole number of milliseconds, or a text.
#[must_use]
pub fn moment_in(value: &serde_json::Value) -> Option<i64> {
    time::parse_value(value).ok()
}

/// Decodes percent-escapes. `None`: an escape that is none, bytes that are no UTF-8, or NUL.
#[must_use]
pub(crate) fn decoded(text: &str) -> Option<String> {
    if !text.contains(['%', '\0']) {
        return Some(text.to_owned());
    }
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_hex = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
        if byte == b'%' && !(is_hex(bytes.next()) && is_hex(bytes.next())) {
            return None;
        }
    }
    let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains('\0')).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_or_refused() {
        assert_eq!(decoded("a%20b%E4%BD%A0").as_deref(), Some("a b你"));
        assert_eq!(decoded("a+b").as_deref(), Some("a+b"));
        for bad in ["%", "%2", "%zz", "a%ff", "%00", "%C3%28", "%+1"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
