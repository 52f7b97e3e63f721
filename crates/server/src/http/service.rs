//! What operators and developers ask the server itself: is it alive, is it ready, what has it
//! counted, what can it do.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use banter_domain::moderation::Act;
use serde_json::json;
use utoipa_swagger_ui::Config;

use super::Edge;
use super::answer::{Answer, json_response};
use super::extract::Path;
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::sockets;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub(crate) fn routes() -> Vec<Route> {
    let status = || Shape::object("ServiceStatus").required("status", Kind::Text, "`ok` or `ready`");
    let said = |status: &str| json!({"RC": 0, "RM": "OK", "result": {"status": status}});
    vec![
        service(Route::new(Act::Look, Method::GET, "/healthz", healthz), "Is the process alive?")
            .answer(status())
            .example(said("ok")),
        service(Route::new(Act::Look, Method::GET, "/readyz", readyz), "Can it answer, its database included?")
            .answer(status())
            .example(said("ready"))
            .errors(&[rows::UNAVAILABLE]),
        service(Route::new(Act::Look, Method::GET, "/metrics", metrics), "Counters for Prometheus")
            .other_answer(OPEN_METRICS),
        service(Route::new(Act::Look, Method::GET, "/openapi.json", openapi), "This document")
            .other_answer("application/json"),
        service(Route::new(Act::Look, Method::GET, "/asyncapi.json", asyncapi), "What is said over sockets")
            .other_answer("application/json"),
        service(Route::new(Act::Look, Method::GET, "/docs", docs), "This document, to read and try")
            .other_answer("text/html"),
        service(Route::new(Act::Look, Method::GET, "/docs/{file}", docs_file), "A part of the page at /docs")
            .param(Param::path("file", "Which"))
            .other_answer("text/html")
            .errors(&[rows::NOT_FOUND]),
    ]
}

fn service(route: Route, summary: &'static str) -> Route {
    route.auth(Auth::Public).tag("Service").summary(summary)
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn healthz() -> Response {
    Answer(json!({"status": "ok"})).into_response()
}

async fn readyz(State(edge): State<Edge>) -> Result<Response, ApiError> {
    if let Err(error) = edge.chat.ready().await {
        tracing::warn!(%error, "not ready: the database does not answer");
        return Err(rows::UNAVAILABLE.into());
    }
    Ok(Answer(json!({"status": "ready"})).into_response())
}

async fn metrics(State(edge): State<Edge>) -> Result<Response, ApiError> {
    // Metrics must be readable while the store is not; then the last known counts stand.
    let gauges = match edge.chat.gauges().await {
        Ok(gauges) => Some(gauges),
        Err(error) => {
            tracing::warn!(%error, "active blocks and bans cannot be counted");
            None
        }
    };
    let text = edge
        .metrics
        .text((edge.connections.open(), edge.sockets.get().map_or(0, |sockets| sockets.open())), gauges)
        .map_err(|error| ApiError::Fault(error.to_string()))?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
    Ok(response)
}

async fn openapi(State(edge): State<Edge>) -> Result<Response, ApiError> {
    Ok(json_response(StatusCode::OK, edge.document()?))
}

async fn asyncapi() -> Response {
    json_response(StatusCode::OK, sockets::events::document().to_string())
}

/// The page's own links are relative to `/docs/`.
async fn docs(uri: Uri) -> Result<Response, ApiError> {
    if uri.path().ends_with('/') {
        return swagger("index.html");
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/docs/"));
    Ok(response)
}

async fn docs_file(Path(file): Path<String>) -> Result<Response, ApiError> {
    swagger(&file)
}

/// A file of the page, from within the binary. The page asks nobody else: not even whether the
/// document is valid.
fn swagger(file: &str) -> Result<Response, ApiError> {
    let config = Arc::new(Config::from("/openapi.json").validator_url("none"));
    let found = utoipa_swagger_ui::serve(file, config).map_err(|error| ApiError::Fault(error.to_string()))?;
    let found = found.ok_or(rows::NOT_FOUND)?;
    let kind = HeaderValue::try_from(found.content_type).map_err(|error| ApiError::Fault(error.to_string()))?;
    let mut response = Response::new(Body::from(found.bytes.into_owned()));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    if found.gzpipped {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
