//! What axum costs when nothing is asked of it.
//!
//! It checks that two headers are present and equal to what they should be, and answers the same
//! bytes every time. Whatever Banter takes beyond this, Banter takes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;

use crate::Result;
use crate::args::Fixed;

const CLIENT_KEY: HeaderName = HeaderName::from_static("im-client-key");
const TOKEN: HeaderName = HeaderName::from_static("im-authorization");

struct Answer {
    client_key: String,
    token: String,
    body: Bytes,
}

/// Answers until it is stopped.
pub(crate) async fn serve(fixed: &Fixed) -> Result<()> {
    let answer = Arc::new(Answer {
        client_key: fixed.client_key.clone(),
        token: fixed.token.clone(),
        body: Bytes::from(vec![b'x'; fixed.size]),
    });
    let router = Router::new().route("/fixed", get(fixed_answer)).with_state(answer);
    super::listen(router).await
}

async fn fixed_answer(State(answer): State<Arc<Answer>>, headers: HeaderMap) -> Response {
    let is = |name: &HeaderName, expected: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes() == expected.as_bytes())
    };
    if is(&CLIENT_KEY, &answer.client_key) && is(&TOKEN, &answer.token) {
        ([(CONTENT_TYPE, "application/json")], answer.body.clone()).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
