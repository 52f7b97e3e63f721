//! The library Banter's sockets stand on, alone: set up as Banter sets it up, and one room that everybody
//! is in. What Banter takes beyond this, Banter takes.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::value::RawValue;
use socketioxide::extract::SocketRef;
use socketioxide::{ParserConfig, SocketIo, TransportType};

use super::{QUEUE, READ_BUFFER};
use crate::Result;

const ROOM: &str = "den";

/// Answers until it is stopped.
pub(crate) async fn serve() -> Result<()> {
    let (layer, io) = SocketIo::builder()
        .transports([TransportType::Websocket])
        .with_parser(ParserConfig::common().max_incoming_binaries(0).max_incoming_binary_buf_size(0))
        .max_buffer_size(QUEUE)
        .ws_read_buffer_size(READ_BUFFER)
        .ping_interval(Duration::from_secs(25))
        .ping_timeout(Duration::from_secs(20))
        .build_layer();
    io.ns("/", |socket: SocketRef| {
        // Here and not in the future, which the library carries out whenever it likes.
        socket.join(ROOM);
        std::future::ready(())
    });
    super::listen(Router::new().route("/say", post(say)).with_state(io).layer(layer)).await
}

/// What is posted, the room hears.
async fn say(State(io): State<SocketIo>, body: String) -> StatusCode {
    let Ok(payload) = RawValue::from_string(body) else { return StatusCode::BAD_REQUEST };
    match io.to(ROOM).emit("chat message", &payload).await {
        Ok(()) => StatusCode::OK,
        // Some socket's queue was full, and the library has dropped it for that socket.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
