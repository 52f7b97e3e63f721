//! What Banter needs of a socket: to be told something, and to be cut off. A leaner library could
//! replace the one behind it without anything else noticing.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::{SendError, SocketError, TransportType};
use tokio::sync::Notify;

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

/// A request for a socket, and the connection it came over.
#[derive(Clone)]
pub(in crate::http) struct Question {
    connection: Arc<Connection>,
    /// Which of the connection's requests it is.
    number: u64,
    /// From where: as for other requests, behind a proxy it is what that says.
    pub(super) from: IpAddr,
}

impl Question {
    /// The request that came last over a connection.
    pub(super) fn last_of(connection: &Arc<Connection>, from: IpAddr) -> Self {
        Self { connection: connection.clone(), number: connection.requests(), from }
    }

    /// What it came over.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Ends the connection, and with it what is on its way as the answer. Behind a proxy others ask over the same
    /// connection: if one does already, the answer is gone and his is spared.
    fn cut(&self) {
        self.connection.cut_if_last(self.number);
    }
}

/// What a socket is told things over. One that turns from polling to a websocket has both for a while.
struct Over {
    /// What opened the websocket, or what was asked last.
    polled: Question,
    /// What opens the websocket that a polling socket turns into.
    upgraded: Option<Question>,
}

/// A socket of the library's.
pub(super) struct SocketIoLine {
    socket: SocketRef,
    /// The connections it is told things over.
    connections: Mutex<Over>,
    /// It was cut off: nothing that waits for it is handed out any more.
    gone: AtomicBool,
    /// Wakes a question that waits for something to be told when it is cut off.
    going: Notify,
    /// The client asked for base64 (`conf`).
    base64: AtomicBool,
    /// How many bytes were put into its queue, ever since it is a websocket.
    told: AtomicU64,
    /// At most so many bytes may wait for it.
    most_waiting: u64,
    /// Counts those that were cut off because they did not keep up.
    overflows: Counter,
}

impl SocketIoLine {
    pub(super) fn new(socket: SocketRef, opened: Question, most_waiting: u64, overflows: Counter) -> Self {
        let no = || AtomicBool::new(false);
        Self {
            socket,
            connections: Mutex::new(Over { polled: opened, upgraded: None }),
            gone: no(),
            going: Notify::new(),
            base64: no(),
            told: AtomicU64::new(0),
            most_waiting,
            overflows,
        }
    }

    fn connection(&self) -> Arc<Connection> {
        let polls = self.polls();
        let over = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        over.upgraded.as_ref().filter(|_| !polls).unwrap_or(&over.polled).connection.clone()
    }

    /// It is asked again, or is to become a websocket.
    pub(super) fn move_to(&self, question: Question, websocket: bool) {
        let mut over = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if websocket {
            over.upgraded = Some(question);
        } else {
            over.polled = question;
        }
    }

    /// Ends what it is told things over, both if it is just turning from one to the other.
    fn cut_connections(&self) {
        let over = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        over.polled.cut();
        over.upgraded.iter().for_each(Question::cut);
    }

    /// Was it cut off?
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// Returns when it was cut off.
    pub(super) async fn ended(&self) {
        let mut going = std::pin::pin!(self.going.notified());
        going.as_mut().enable();
        if !self.is_gone() {
            going.await;
        }
    }

    /// Somebody of this app has said who he is.
    pub(super) fn belongs_to(&self, app: i64) {
        self.connection().belongs_to(app);
    }

    /// From now on everything the server says is base64, or no longer.
    pub(super) fn encode(&self, base64: bool) {
        self.base64.store(base64, Ordering::Relaxed);
    }

    /// Acknowledges, in the socket's encoding; nothing happens if no acknowledgement was asked for.
    pub(super) fn acknowledge(&self, ack: AckSender, payload: &Payload) {
        let base64 = self.base64.load(Ordering::Relaxed);
        if !self.has_room(if base64 { payload.base64().len() } else { payload.json.get().len() }) {
            return self.overflow();
        }
        self.unless_full(if base64 { ack.send(payload.base64()) } else { ack.send(&*payload.json) });
    }

    /// Has it ended?
    pub(super) fn is_over(&self) -> bool {
        self.is_gone() || !self.polls() && self.connection().is_over()
    }

    /// Its socket is gone. True: it polled.
    pub(super) fn end(&self) -> bool {
        let polls = self.polls();
        if !polls {
            self.cut();
        } else if !self.gone.swap(true, Ordering::SeqCst) {
            self.going.notify_waiters();
        }
        polls
    }

    fn polls(&self) -> bool {
        matches!(self.socket.transport_type(), TransportType::Polling)
    }

    fn unless_full(&self, sent: Result<(), SendError>) {
        match sent {
            Ok(()) => {}
            Err(SendError::Socket(SocketError::InternalChannelFull)) => self.overflow(),
            Err(error) => tracing::debug!(%error, "a socket was gone before it was told"),
        }
    }

    fn overflow(&self) {
        self.overflows.inc();
        self.cut();
    }

    /// Is there room for so many bytes more? What the connection has taken does not wait any longer. A
    /// socket that polls has a connection for each question: its queue is bounded by the number of events.
    fn has_room(&self, bytes: usize) -> bool {
        if self.polls() {
            return true;
        }
        let told = self.told.fetch_add(bytes as u64, Ordering::Relaxed);
        told.saturating_sub(self.connection().bytes_written()) <= self.most_waiting
    }
}

impl Line for SocketIoLine {
    fn tell(&self, event: &str, payload: &Payload) {
        let base64 = self.base64.load(Ordering::Relaxed);
        let length = if base64 { payload.base64().len() } else { payload.json.get().len() };
        if !self.has_room(length + event.len()) {
            return self.overflow();
        }
        let sent =
            if base64 { self.socket.emit(event, payload.base64()) } else { self.socket.emit(event, &*payload.json) };
        self.unless_full(sent);
    }

    fn cut(&self) {
        if self.gone.swap(true, Ordering::SeqCst) {
            return;
        }
        let polls = self.polls();
        self.cut_connections();
        self.going.notify_waiters();
        if polls {
            // What this puts into the queue is never handed out; it ends the library's session.
            let socket = self.socket.clone();
            tokio::spawn(async move { drop(socket.disconnect()) });
        }
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
