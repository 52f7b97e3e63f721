//! What goes out: the envelope of every success, and answers that carry an ETag.

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::extract::IfNoneMatch;
use crate::errors::ApiError;

/// The type of every JSON body.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Suffixes that tell the ETag of a compressed representation from that of the plain one (R-04).
pub(crate) const ENCODED_TAGS: [&str; 3] = ["-gzip", "-br", "-deflate"];

/// `{"RC":0,"RM":"OK","result":…}` (rest.md 0.1).
#[derive(Debug)]
pub struct Answer<T>(pub T);

/// [`Answer`] with another `RM`: `AnswerSaying("Room frozen successfully", room)`.
#[derive(Debug)]
pub struct AnswerSaying<T>(pub &'static str, pub T);

/// [`Answer`] with fields beside `result`, as the token endpoints are documented.
/// A field called `RC`, `RM` or `result` is left out.
#[derive(Debug)]
pub struct FlatAnswer<T>(pub T, pub Map<String, Value>);

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "RC")]
    rc: u8,
    #[serde(rename = "RM")]
    rm: &'a str,
    result: &'a T,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    beside: Option<&'a Map<String, Value>>,
}

/// The envelope's bytes. Errors: [`ApiError::Fault`] when `result` cannot be JSON (a map with keys
/// that are no text; nothing here has one).
///
/// For answers that are kept as bytes; handlers return [`Answer`].
pub fn envelope<T: Serialize>(result: &T) -> Result<Bytes, ApiError> {
    bytes_of(&Envelope { rc: 0, rm: "OK", result, beside: None })
}

fn bytes_of<T: Serialize>(value: &T) -> Result<Bytes, ApiError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| ApiError::Fault(format!("an answer cannot be written: {error}")))
}

fn respond(body: Result<Bytes, ApiError>) -> Response {
    match body {
        Ok(body) => json_response(StatusCode::OK, body),
        Err(error) => error.into_response(),
    }
}

/// An answer with a JSON body that is there already.
#[must_use]
pub fn json_response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        respond(envelope(&self.0))
    }
}

impl<T: Serialize> IntoResponse for AnswerSaying<T> {
    fn into_response(self) -> Response {
        respond(bytes_of(&Envelope { rc: 0, rm: self.0, result: &self.1, beside: None }))
    }
}

impl<T: Serialize> IntoResponse for FlatAnswer<T> {
    fn into_response(self) -> Response {
        let mut beside = self.1;
        beside.retain(|name, _| !["RC", "RM", "result"].contains(&name.as_str()));
        respond(bytes_of(&Envelope { rc: 0, rm: "OK", result: &self.0, beside: Some(&beside) }))
    }
}

/// The strong validator of a body with this hash, as it stands in a header.
#[must_use]
pub fn etag(hasher: &blake3::Hasher) -> Bytes {
    let hash = hasher.finalize().to_hex();
    format!("\"{}\"", hash.as_str().get(..32).unwrap_or_default()).into()
}

/// Does the caller hold what `etag` names, in whatever encoding (R-04)? Answers with the tag as a
/// 304 repeats it: as the caller wrote it, or `etag` if he named none.
#[must_use]
pub fn held(request: &IfNoneMatch, etag: &Bytes) -> Option<HeaderValue> {
    let given = request.0.as_ref()?;
    // What nearly everybody sends: the one tag he was given.
    if given.as_bytes() == etag {
        return Some(given.clone());
    }
    let bare = std::str::from_utf8(etag).ok()?.trim_matches('"');
    let names = |tag: &str| {
        let tag = tag.trim_start_matches("W/").strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let suffix = tag.and_then(|tag| tag.strip_prefix(bare));
        suffix.is_some_and(|suffix| suffix.is_empty() || ENCODED_TAGS.contains(&suffix))
    };
    match given.to_str().ok()?.split(',').map(str::trim).find(|tag| *tag == "*" || names(tag))? {
        "*" => HeaderValue::from_maybe_shared(etag.clone()).ok(),
        tag => HeaderValue::from_str(tag.trim_start_matches("W/")).ok(),
    }
}

/// 200 with the body and a strong ETag, or 304 if the caller holds it already. `etag` is as
/// [`etag`] makes it; the compressor gives compressed bodies a tag of their own.
///
/// Errors: [`ApiError::Fault`] when `etag` cannot stand in a header.
pub fn tagged(request: &IfNoneMatch, etag: &Bytes, body: impl Into<Body>) -> Result<Response, ApiError> {
    if let Some(tag) = held(request, etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
        response.headers_mut().insert(ETAG, tag);
        return Ok(response);
    }
    let tag = HeaderValue::from_maybe_shared(etag.clone())
        .map_err(|_| ApiError::Fault(format!("an ETag cannot be sent: {etag:?}")))?;
    let mut response = json_response(StatusCode::OK, body);
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Bytes = Bytes::from_static(b"\"abc\"");

    fn asking(tags: &str) -> IfNoneMatch {
        IfNoneMatch(Some(HeaderValue::from_str(tags).expect("a header")))
    }

    #[test]
    fn the_envelope_is_the_documented_one() {
        let body = envelope(&serde_json::json!({"data": []})).expect("json");
        assert_eq!(&body[..], br#"{"RC":0,"RM":"OK","result":{"data":[]}}"#);
    }

    #[test]
    fn r04_a_held_answer_is_not_sent_again() {
        for (given, status) in [
            ("\"abc\"", 304),
            ("\"abc-gzip\"", 304),
            ("W/\"abc-br\"", 304),
            ("\"x\", \"abc\"", 304),
            ("*", 304),
            ("\"abcd\"", 200),
            ("\"ab\"", 200),
            ("abc", 200),
            ("\"abc-other\"", 200),
        ] {
            let response = tagged(&asking(given), &TAG, "{}").expect("a tag");
            assert_eq!(response.status(), status, "{given}");
        }
        let response = tagged(&asking("\"abc-gzip\""), &TAG, "{}").expect("a tag");
        assert_eq!(response.headers()[ETAG], "\"abc-gzip\"");
    }
}
