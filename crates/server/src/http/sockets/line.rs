//! What Banter needs of a socket: to be told something, and to be cut off. A leaner library could
//! replace the one behind it without anything else noticing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::{SendError, SocketError};

use crate::http::connections::Connection;

/// One end of a socket.
pub(super) trait Line: Send + Sync {
    /// Puts an event into the socket's queue. A socket whose queue is full is cut off: nothing is
    /// left out silently, and a client that comes back reads what it missed.
    fn tell(&self, event: &str, payload: &Payload);

    /// Ends the connection without a farewell. A client takes that for a fault of the network and
    /// comes back after a while; a farewell would bring it back at once, for ever.
    fn cut(&self);
}

/// What an event carries: written once, whoever hears it, in either encoding (realtime.md 4).
#[derive(Debug)]
pub(super) struct Payload {
    json: Box<RawValue>,
    base64: OnceLock<String>,
}

impl Payload {
    /// Errors: the value cannot be JSON.
    pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        Ok(Self { json: to_raw_value(value)?, base64: OnceLock::new() })
    }

    fn base64(&self) -> &str {
        self.base64.get_or_init(|| STANDARD.encode(self.json.get()))
    }
}

/// A socket of the library's.
pub(super) struct SocketIoLine {
    socket: SocketRef,
    /// The connection it lives on.
    connection: Arc<Connection>,
    /// The client asked for base64 (`conf`).
    base64: AtomicBool,
    /// Counts those that were cut off because they did not keep up.
    overflows: Counter,
}

impl SocketIoLine {
    pub(super) fn new(socket: SocketRef, connection: Arc<Connection>, overflows: Counter) -> Self {
        Self { socket, connection, base64: AtomicBool::new(false), overflows }
    }

    /// Somebody of this app has said who he is.
    pub(super) fn belongs_to(&self, app: i64) {
        self.connection.belongs_to(app);
    }

    /// From now on everything the server says is base64, or no longer.
    pub(super) fn encode(&self, base64: bool) {
        self.base64.store(base64, Ordering::Relaxed);
    }

    /// Acknowledges, in the socket's encoding; nothing happens if no acknowledgement was asked for.
    pub(super) fn acknowledge(&self, ack: AckSender, payload: &Payload) {
        let sent =
            if self.base64.load(Ordering::Relaxed) { ack.send(payload.base64()) } else { ack.send(&*payload.json) };
        self.unless_full(sent);
    }

    /// Has the connection ended?
    pub(super) fn is_over(&self) -> bool {
        self.connection.is_over()
    }

    fn unless_full(&self, sent: Result<(), SendError>) {
        match sent {
            Ok(()) => {}
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                self.overflows.inc();
                self.cut();
            }
            Err(error) => tracing::debug!(%error, "a socket was gone before it was told"),
        }
    }
}

impl Line for SocketIoLine {
    fn tell(&self, event: &str, payload: &Payload) {
        let sent = if self.base64.load(Ordering::Relaxed) {
            self.socket.emit(event, payload.base64())
        } else {
            self.socket.emit(event, &*payload.json)
        };
        self.unless_full(sent);
    }

    fn cut(&self) {
        self.connection.cut();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_json_text_also_for_a_bare_text() {
        let payload = Payload::of("demokey").expect("json");
        assert_eq!(payload.json.get(), "\"demokey\"");
        assert_eq!(payload.base64(), "ImRlbW9rZXki");
    }
}
