//! Compression, for those who ask for it.
//!
//! A compressed body is another representation, so it gets another strong ETag (R-04). Who does not
//! ask pays one look at one header.

use std::convert::Infallible;
use std::future::ready;

use axum::body::{Body, HttpBody};
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::Response;
use tower::{ServiceExt, service_fn};
use tower_http::compression::{Compression, CompressionLevel};

/// Smaller bodies would hardly shrink, bytes.
const WORTH_IT: u64 = 1024;

/// Compresses an answer as `accepted` (the request's `Accept-Encoding`) allows.
pub(crate) async fn compress(accepted: Option<HeaderValue>, mut response: Response) -> Response {
    let compressible = response.status() == StatusCode::OK
        && !response.headers().contains_key(CONTENT_ENCODING)
        && !is_as_stored(&response)
        && response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(is_text)
        // A streamed body does not say how long it is; such a body is long.
        && HttpBody::size_hint(response.body()).exact().is_none_or(|size| size >= WORTH_IT);
    if !compressible {
        return response;
    }
    response.headers_mut().insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    let Some(accepted) = accepted else { return response };
    let mut request = Request::new(());
    request.headers_mut().insert(ACCEPT_ENCODING, accepted);
    let mut plain = Some(response);
    let inner = service_fn(move |_: Request<()>| ready(Ok::<_, Infallible>(plain.take().unwrap_or_default())));
    let done = Compression::new(inner).quality(CompressionLevel::Fastest).oneshot(request).await;
    let Ok(response) = done;
    let mut response = response.map(Body::new);
    // The layer answers 406 to those who refuse every encoding, the plain one too. Better a body
    // they did not want than none.
    *response.status_mut() = StatusCode::OK;
    let tag = response.headers().get(CONTENT_ENCODING).zip(response.headers().get(ETAG)).and_then(|(encoding, tag)| {
        let tag = tag.to_str().ok()?.strip_suffix('"')?;
        HeaderValue::try_from(format!("{tag}-{}\"", encoding.to_str().ok()?)).ok()
    });
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Does the answer forbid others to change it, as files do, whose tag is that of their bytes?
fn is_as_stored(response: &Response) -> bool {
    let said = response.headers().get(CACHE_CONTROL).and_then(|said| said.to_str().ok());
    said.is_some_and(|said| said.contains("no-transform"))
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("application/json") || kind.starts_with("text/") || kind.starts_with("application/javascript")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::answer::json_response;

    async fn sent(accepted: Option<&'static str>, size: usize) -> Response {
        let mut response = json_response(StatusCode::OK, "x".repeat(size));
        response.headers_mut().insert(ETAG, HeaderValue::from_static("\"abc\""));
        compress(accepted.map(HeaderValue::from_static), response).await
    }

    #[tokio::test]
    async fn r04_each_encoding_has_its_own_tag() {
        for (accepted, encoding, tag) in [
            (None, None, "\"abc\""),
            (Some("gzip"), Some("gzip"), "\"abc-gzip\""),
            (Some("br;q=1, gzip;q=0.5"), Some("br"), "\"abc-br\""),
            (Some("deflate"), Some("deflate"), "\"abc-deflate\""),
            (Some("identity"), None, "\"abc\""),
            (Some("identity;q=0, *;q=0"), None, "\"abc\""),
            (Some("zstd"), None, "\"abc\""),
        ] {
            let response = sent(accepted, 5000).await;
            assert_eq!(response.status(), StatusCode::OK, "{accepted:?}");
            let header = |name| response.headers().get(name).map(|value: &HeaderValue| value.to_str().expect("text"));
            assert_eq!((header(CONTENT_ENCODING), header(ETAG)), (encoding, Some(tag)), "{accepted:?}");
            assert_eq!(header(VARY), Some("accept-encoding"));
        }
        let mut stored = json_response(StatusCode::OK, "x".repeat(5000));
        stored.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-transform"));
        let stored = compress(Some(HeaderValue::from_static("gzip")), stored).await;
        assert!(!stored.headers().contains_key(CONTENT_ENCODING));
        assert!(!sent(Some("gzip"), 100).await.headers().contains_key(CONTENT_ENCODING));
    }
}
