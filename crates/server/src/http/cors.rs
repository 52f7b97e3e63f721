//! Browsers from other origins (rest.md 0.4): preflights are answered before anybody asks who
//! calls, and every answer, errors too, carries the same headers; without them a browser's client
//! would not see the 401 it must react to.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

/// No credentials are ever sent (cookies are not used), so anyone may ask from anywhere.
const ANYONE: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,POST,PUT,DELETE,OPTIONS");
/// `*` would not cover `Authorization`.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "content-type, im-client-key, im-authorization, im-api-key, im-client-id, im-device-id, authorization, client_key, api_key, \
     x-timezone, accept-language, x-request-id, if-none-match, range, if-range",
);
/// Seconds; browsers cap it themselves.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Marks an answer as readable from other origins.
pub(crate) fn open(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYONE);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANYONE);
}

/// The answer to any OPTIONS, whatever the path.
pub(crate) fn preflight() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    response
}
