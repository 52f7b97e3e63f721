//! One request, from its header to its answer: found, authenticated, handled, finished.
//!
//! What must hold for every answer is done here and nowhere else: the envelope of errors, the
//! wait before a refusal, what is counted and logged, CORS, request ids, compression.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use banter_domain::moderation::Act;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};

use super::connections::{Connection, InHand};
use super::extract::{Inbound, decoded, drained, unasked};
use super::matcher::Found;
use super::routes::{BodySize, Route};
use super::{Edge, answer, auth, compress, cors, sockets};
use crate::errors::{ApiError, Failed, rows};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(crate) async fn dispatch(
    edge: Edge,
    connection: Arc<Connection>,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let in_hand = connection.heard();
    // Of HTTP/1 the library counts them itself.
    if connection.is_http2() && request.headers().len() > edge.settings.max_headers {
        let mut refused = Response::default();
        *refused.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Ok(refused);
    }
    if sockets::is_for_sockets(request.uri().path())
        && let Some(sockets) = edge.sockets.get().filter(|_| sockets::take(request.method()))
    {
        let address = auth::address(&edge, request.headers(), &connection);
        if sockets::opens_by_polling(request.uri().query())
            && let Err(error) = edge.limits.opens(address, (edge.senses.elapsed)())
        {
            return Ok(sockets::not_opened(&error));
        }
        // What a client asks waits until there is something to tell: the library's own pings end it.
        let patience = if request.method() == Method::POST { edge.settings.body_timeout } else { Duration::MAX };
        return Ok(sockets.answer((&connection, address), patience, request).await);
    }
    let begun = (edge.senses.elapsed)();
    let request_id = request_id(&edge, request.headers());
    let accepted = request.headers().get(ACCEPT_ENCODING).cloned();
    let may_go_on = request.version() < Version::HTTP_2;
    let (parts, body) = request.into_parts();
    let (body, come) = arriving(body);
    let request = Request::from_parts(parts, body);

    let mut ended = begun;
    let mut response = if request.method() == Method::OPTIONS {
        cors::preflight()
    } else {
        let method = request.method().clone();
        let (response, route) = routed(&edge, &connection, request, &request_id).await;
        ended = (edge.senses.elapsed)();
        let took = ended.saturating_sub(begun);
        edge.metrics.answered(route, response.status().as_u16(), took);
        tracing::debug!(
            request_id = request_id.to_str().unwrap_or_default(),
            method = method.as_str(),
            route = route.and_then(|index| edge.matcher.routes().get(index)).map_or("none", |route| route.path),
            status = response.status().as_u16(),
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "a request was answered"
        );
        response
    };
    if response.status() == StatusCode::OK {
        response = compress::compress(accepted, response).await;
    }
    let headers = response.headers_mut();
    cors::open(headers);
    headers.insert(REQUEST_ID, request_id);
    // The HTTP library closes the connection behind a body that was not read to its end.
    if may_go_on && come.is_some_and(|come| !come.load(Ordering::Relaxed)) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if HttpBody::size_hint(response.body()).exact().is_some() {
        in_hand.ended(ended);
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(Streamed { body, _in_hand: in_hand })))
}

/// Bodies up to this are taken off the connection though nobody reads them, bytes.
const SHORT: u64 = 16 * 1024;

/// The body, and whether all of it has come, unless it is short. Most requests have none, and an empty one costs nothing.
fn arriving(body: Incoming) -> (Body, Option<Arc<AtomicBool>>) {
    if HttpBody::is_end_stream(&body) {
        return (Body::empty(), None);
    }
    if HttpBody::size_hint(&body).upper().is_some_and(|length| length <= SHORT) {
        return (Body::new(body), None);
    }
    let come = Arc::new(AtomicBool::new(false));
    (Body::new(Arriving { body, come: come.clone() }), Some(come))
}

/// A body that tells when it was read to its end, whoever reads it.
struct Arriving {
    body: Incoming,
    come: Arc<AtomicBool>,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || HttpBody::is_end_stream(&self.body) {
            self.come.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        HttpBody::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}

/// A body that comes bit by bit: its request is in hand until it has ended.
struct Streamed {
    body: Body,
    _in_hand: InHand,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}

/// The caller's own id for this request if it is a sane one, else a new one.
fn request_id(edge: &Edge, headers: &HeaderMap) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        (1..=64).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    match headers.get(&REQUEST_ID).filter(sane) {
        Some(id) => id.clone(),
        None => edge.request_ids.next(),
    }
}

/// The answer, and the route's place in the table.
async fn routed(
    edge: &Edge,
    connection: &Connection,
    request: Request,
    request_id: &HeaderValue,
) -> (Response, Option<usize>) {
    let (parts, body) = request.into_parts();
    let (route, index, params) = match edge.matcher.find(&parts.method, parts.uri.path()) {
        Found::Route(route, index, params) => (route, index, params),
        Found::OtherMethods(allow) => {
            drop(taken_in(body, &parts.headers, edge.settings.body_timeout).await);
            return (told(ApiError::MethodNotAllowed(allow), Act::Look, request_id), None);
        }
        Found::Nothing => {
            drop(taken_in(body, &parts.headers, edge.settings.body_timeout).await);
            let error = if sockets::is_for_sockets(parts.uri.path()) && !sockets::take(&parts.method) {
                ApiError::MethodNotAllowed(sockets::METHODS.to_owned())
            } else {
                rows::NOT_FOUND.into()
            };
            return (told(error, Act::Look, request_id), None);
        }
    };
    let params = params.into_iter().map(decoded).collect();
    let lost = edge.chat.lost();
    let mut app = None;
    let inbound = async {
        let asking = auth::caller(edge, route, (parts.uri.query(), &parts.headers), connection).await?;
        app = asking.app().map(|app| app.number);
        let body_limit = match route.body_size {
            BodySize::Plain => edge.settings.body_limit,
            BodySize::Message => edge.settings.message_body_limit,
            // Its handler reads it bit by bit, and knows what a file may be.
            BodySize::File => 0,
        };
        Ok::<_, ApiError>(Inbound { asking: Some(asking), params, body_limit })
    };
    let mut inbound = inbound.await;
    let patience = edge.settings.body_timeout;
    let body = if inbound.is_err() && route.body_size == BodySize::File {
        // Nearly all of them are long, and a client that is still writing gets to read why not.
        drained(body, patience).await;
        Body::empty()
    } else if inbound.is_err() || route.body.is_none() && route.method == Method::GET {
        taken_in(body, &parts.headers, patience).await
    } else if route.body.is_none() && !body.is_end_stream() {
        let taken = unasked(&parts.headers, body, edge.settings.body_limit, patience).await;
        inbound = taken.and(inbound);
        Body::empty()
    } else {
        body
    };
    let response = match inbound {
        Ok(inbound) => {
            let mut request = Request::from_parts(parts, body);
            request.extensions_mut().insert(inbound);
            handled(edge, route, request).await
        }
        Err(error) => error.into_response(),
    };
    let Some(Failed(error)) = response.extensions().get::<Failed>().cloned() else { return (response, Some(index)) };
    (refused(edge, route, app, (&error, lost), request_id).await, Some(index))
}

/// A body nobody may read, such as the `{}` clients send where none is asked for, is taken off the
/// connection before the answer: else the connection would have to close behind it. Longer ones are
/// left to the handler, or to the end of the connection.
async fn taken_in(body: Body, headers: &HeaderMap, patience: Duration) -> Body {
    let length =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok());
    if body.is_end_stream() || length.is_none_or(|length: u64| length > SHORT) {
        return body;
    }
    match tokio::time::timeout(patience, body.collect()).await {
        Ok(Ok(whole)) => Body::from(whole.to_bytes()),
        // Cut off or too slow: whoever needs it finds that out.
        Ok(Err(_)) | Err(_) => Body::from_stream(futures_util::stream::once(async {
            Err::<Bytes, _>(std::io::Error::other("the body broke off"))
        })),
    }
}

/// Runs the handler. One that may change something runs to its end even if the client hangs up; or what it has begun does, if
/// it sees to that itself.
async fn handled(edge: &Edge, route: &Route, request: Request) -> Response {
    let running = (route.called)(request, edge.clone());
    if route.changes() && !route.sees_to_itself {
        to_the_end(running).await.unwrap_or_else(IntoResponse::into_response)
    } else {
        AssertUnwindSafe(running).catch_unwind().await.unwrap_or_else(|_| panicked().into_response())
    }
}

fn panicked() -> ApiError {
    ApiError::Fault("a handler panicked".to_owned())
}

/// Does something to its end, even if whoever waits for it goes away: what was begun (a commit, then forgetting a kept
/// list) must not stop half-way. Errors: a fault, if it panics.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::spawn(work).await.map_err(|_| panicked())
}

/// Tells an error of a route. A refusal may rest on what another act has written a moment ago, so
/// on a route that changes things it waits until that is durable.
async fn refused(
    edge: &Edge,
    route: &Route,
    app: Option<i64>,
    (error, lost): (&ApiError, u64),
    request_id: &HeaderValue,
) -> Response {
    let row = error.row(route.act);
    if row.status == 403 {
        edge.metrics.refused(row.code);
        if let Some(app) = app {
            edge.chat.refused(app, row.code);
        }
    }
    if route.changes()
        && row.status < 500
        && let Err(fault) = edge.chat.settled(lost).await
    {
        return tell(&ApiError::from(fault), route.act, request_id);
    }
    tell(error, route.act, request_id)
}

fn told(error: ApiError, act: Act, request_id: &HeaderValue) -> Response {
    tell(&error, act, request_id)
}

/// Writes an error's status, headers and body, and logs it if it is a fault.
fn tell(error: &ApiError, act: Act, request_id: &HeaderValue) -> Response {
    let (row, body) = error.told(act);
    if let Some(fault) = error.fault() {
        tracing::error!(request_id = request_id.to_str().unwrap_or_default(), ?act, fault, "a request failed");
    }
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer::json_response(status, body.to_string());
    let extra = match error {
        ApiError::MethodNotAllowed(allow) => HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)),
        ApiError::RateLimited(seconds) => Some((RETRY_AFTER, HeaderValue::from(*seconds))),
        ApiError::BadRange(length) => {
            HeaderValue::try_from(format!("bytes */{length}")).ok().map(|range| (CONTENT_RANGE, range))
        }
        _ => None,
    };
    if let Some((name, value)) = extra {
        response.headers_mut().insert(name, value);
    }
    response
}
