//! A bare websocket loop: what is posted to `/say` every socket hears, byte for byte.
//!
//! No protocol above the websocket, no rooms, no users. A socket that does not keep up is cut off, as
//! Banter does it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};

use super::{QUEUE, READ_BUFFER};
use crate::Result;

/// Everybody who listens.
type Crowd = Arc<Mutex<Vec<Sender<Utf8Bytes>>>>;

/// Answers until it is stopped.
pub(crate) async fn serve() -> Result<()> {
    let router = Router::new().route("/socket", get(join)).route("/say", post(say)).with_state(Crowd::default());
    super::listen(router).await
}

async fn say(State(crowd): State<Crowd>, text: String) -> StatusCode {
    let text = Utf8Bytes::from(text);
    // Without its sender a socket's task ends.
    let mut crowd = crowd.lock().unwrap_or_else(PoisonError::into_inner);
    crowd.retain(|socket| socket.try_send(text.clone()).is_ok());
    StatusCode::OK
}

async fn join(State(crowd): State<Crowd>, mut request: Request) -> Response {
    let accept = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let Some(Ok(accept)) = accept.map(|accept| HeaderValue::from_str(&accept)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (sender, receiver) = channel(QUEUE);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let io = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        crowd.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        // Whoever is gone is seen to be gone by the client.
        let _ = tell(socket, receiver).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// Writes what waits together, as all good ones do.
async fn tell(
    mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    mut waiting: Receiver<Utf8Bytes>,
) -> std::result::Result<(), WsError> {
    loop {
        tokio::select! {
            heard = socket.next() => match heard {
                // The first word says that it is there; nothing else is said.
                Some(Ok(Message::Text(_))) => socket.send(Message::text("here")).await?,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            text = waiting.recv() => {
                let Some(text) = text else { return Ok(()) };
                socket.feed(Message::Text(text)).await?;
                while let Ok(text) = waiting.try_recv() {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
        }
    }
}
