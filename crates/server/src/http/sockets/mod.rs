//! Real time over Socket.IO (realtime.md), on the same port as everything else.
//!
//! [`registry`] knows who listens to what, [`talk`] hears what clients say, [`deliver`] reads the
//! outbox and tells those who listen. Who hears what is decided where everything is decided: in the
//! domain, from facts of the database.

mod deliver;
pub(crate) mod events;
mod line;
mod registry;
mod talk;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{RETRY_AFTER, SEC_WEBSOCKET_KEY};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use banter_chat::{App, Caller, Ears, TokenHash};
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::user::Profile;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use serde::Serialize;
use serde_json::json;
use socketioxide::{ParserConfig, SocketIo, TransportType};
use tokio::sync::Notify;

use self::events::Event;
use self::line::{Line, Payload, Question};
use self::registry::Registry;
use self::talk::Talk;
use super::answer::json_response;
use super::connections::Connection;
use super::view::user::ShortUser;
use super::{Edge, cors, limits_of_fields};
use crate::errors::{ApiError, rows};

/// Where the library answers.
const PATH: &str = "/socket.io";
/// A socket on which nobody said who he is stays open so long.
const ANONYMOUS: Duration = Duration::from_secs(60);

type Serve = Box<dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

/// Everything about sockets.
pub(crate) struct Sockets {
    serve: Serve,
    registry: Mutex<Registry>,
    /// By the library's own ids.
    talks: Mutex<HashMap<String, Arc<Talk>>>,
    /// Websockets that a polling client turns to before it is greeted, by the same ids.
    early: Mutex<HashMap<String, Question>>,
    /// Apps that are followed, and where to go on in each one's outbox.
    followed: Mutex<HashMap<i64, (Arc<App>, ObjectId)>>,
    /// Apps with news.
    news: Mutex<HashSet<i64>>,
    wake: Notify,
}

/// Is this a request for the sockets?
pub(crate) fn is_for_sockets(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The methods that lead there, as an `Allow` header.
pub(crate) const METHODS: &str = "GET, OPTIONS, POST";

/// Does the library know this method? To the others it gives no answer that says so.
pub(crate) fn take(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::POST)
}

/// Does a request open a socket by polling? One that the library keeps though nobody said yet who he is.
pub(crate) fn opens_by_polling(query: Option<&str>) -> bool {
    let query = query.unwrap_or_default();
    named(query, "sid").is_none() && named(query, "transport") != Some("websocket")
}

/// Answers that no socket is opened.
pub(crate) fn not_opened(error: &ApiError) -> Response {
    let (row, body) = error.told(Act::Look);
    let mut response =
        json_response(StatusCode::from_u16(row.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS), body.to_string());
    if let ApiError::RateLimited(seconds) = error {
        response.headers_mut().insert(RETRY_AFTER, (*seconds).into());
    }
    cors::open(response.headers_mut());
    response
}

impl Sockets {
    /// The sockets of a server, ready to be asked.
    pub(crate) fn over(edge: &Edge) -> Arc<Self> {
        let settings = &edge.settings;
        let (service, io) = SocketIo::builder()
            .req_path(PATH)
            .transports([TransportType::Websocket, TransportType::Polling])
            // Nothing here takes attachments.
            .with_parser(ParserConfig::common().max_incoming_binaries(0).max_incoming_binary_buf_size(0))
            .max_buffer_size(settings.socket_queue)
            .max_payload(settings.socket_packet_limit as u64)
            .ws_max_message_size(settings.socket_packet_limit)
            .ws_max_frame_size(settings.socket_packet_limit)
            .ws_read_buffer_size(4096)
            .ping_interval(Duration::from_secs(25))
            .ping_timeout(Duration::from_secs(20))
            .build_svc();
        let serve: Serve = Box::new(move |request| {
            let answer = Service::call(&service, request);
            Box::pin(async move {
                match answer.await {
                    Ok(response) => response.map(Body::new),
                    Err(never) => match never {},
                }
            })
        });
        let sockets = Arc::new(Self {
            serve,
            registry: Mutex::default(),
            talks: Mutex::default(),
            early: Mutex::default(),
            followed: Mutex::default(),
            news: Mutex::default(),
            wake: Notify::new(),
        });
        talk::attach(&io, edge, &sockets);
        let ears: Arc<dyn Ears> = sockets.clone();
        edge.chat.heard_by(Arc::downgrade(&ears));
        sockets
    }

    /// Answers a request for the sockets: a socket opens, is asked what there is to tell, hears what its
    /// client says, or turns from polling to a websocket. `from`: over which connection, and from where.
    pub(crate) async fn answer(
        &self,
        (connection, from): (&Arc<Connection>, IpAddr),
        patience: Duration,
        request: Request<Incoming>,
    ) -> Response {
        let question = Question::last_of(connection, from);
        let mut request = lean(request);
        request.extensions_mut().insert(question.clone());
        let query = request.uri().query().unwrap_or_default();
        let sid = named(query, "sid").map(str::to_owned);
        let websocket = named(query, "transport") == Some("websocket");
        if let Some(sid) = sid.as_ref().filter(|_| websocket) {
            // Before the socket is looked for: it opens now, or is found.
            locked(&self.early).insert(sid.clone(), question.clone());
        }
        let line = sid.as_ref().and_then(|sid| {
            let talk = locked(&self.talks).get(sid).cloned();
            talk.map(|talk| talk.line().clone())
        });
        let says = request.method() == Method::POST;
        if let Some(line) = line.as_ref().filter(|_| !says) {
            line.move_to(question, websocket);
        }
        let answer = async {
            match tokio::time::timeout(patience, (self.serve)(request)).await {
                Ok(response) => response,
                // Only what a client says may take long; what it asks waits for something to be told.
                Err(_) => plain(StatusCode::REQUEST_TIMEOUT, ""),
            }
        };
        let mut response = match &line {
            None => answer.await,
            Some(line) => tokio::select! {
                biased;
                () = line.ended() => plain(StatusCode::BAD_REQUEST, UNKNOWN),
                response = answer => response,
            },
        };
        if websocket
            && (line.is_some() || response.status() != StatusCode::SWITCHING_PROTOCOLS)
            && let Some(sid) = sid
        {
            locked(&self.early).remove(&sid);
        }
        // It may have been cut off while its answer was made: then nobody hears that any more (R-21).
        if line.is_some_and(|line| line.is_gone()) {
            response = plain(StatusCode::BAD_REQUEST, UNKNOWN);
        }
        cors::open(response.headers_mut());
        response
    }

    /// Tells those who listen, until the task is ended.
    pub(crate) async fn deliver(self: Arc<Self>, edge: Edge) {
        deliver::run(&self, &edge).await;
    }

    /// Ends all sockets.
    pub(crate) fn close(&self) {
        let all = self.registry().all();
        for line in all {
            line.cut();
        }
    }

    /// How many sockets are open.
    pub(crate) fn open(&self) -> usize {
        self.registry().len()
    }

    /// Has a user a socket that hears?
    pub(crate) fn is_connected(&self, app: i64, user: &UserId) -> bool {
        self.registry().hears_anything(app, user)
    }

    /// Tells those who hear a room that somebody types. Called while the room is locked.
    fn typing(&self, app: i64, room: &RoomId, typist: &Profile, (text, hear): (&str, &[UserId])) {
        let payload = json!({
            "room": room.as_str(), "sender": typist.id.as_str(), "senderInfo": ShortUser::of(typist), "message": text,
        });
        let lines = {
            let registry = self.registry();
            let others = hear.iter().filter(|user| **user != typist.id);
            others.flat_map(|user| registry.of_user(app, user)).collect()
        };
        tell(lines, Event::Typing, &payload);
    }

    /// From now on an app's outbox is read.
    fn follow(&self, edge: &Edge, app: &Arc<App>) {
        let mut followed = locked(&self.followed);
        followed.entry(app.number).or_insert_with(|| (app.clone(), edge.chat.outbox_end(app.number)));
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        locked(&self.registry)
    }
}

/// Somebody types: the others in the room are told, if he may. Answers with the text as they are. Errors: [`rows::INVALID_MESSAGE_FORMAT`]
/// for a text that is too long, refusals.
pub(crate) async fn typing(edge: &Edge, caller: &Caller, room: &RoomId, text: String) -> Result<String, ApiError> {
    if !limits_of_fields::fits(&text, limits_of_fields::MESSAGE) {
        return Err(rows::INVALID_MESSAGE_FORMAT.into());
    }
    let app = caller.app.number;
    let Some(sockets) = edge.sockets.get() else { return Ok(text) };
    let listeners: Vec<UserId> = sockets.registry().users_of_room(app, room).into_iter().collect();
    let tell = |typist: &Profile, shown: &str, hear: &[UserId]| sockets.typing(app, room, typist, (shown, hear));
    Ok(edge.chat.typing(caller, room, &text, &listeners, tell).await?)
}

/// What the library answers to whoever names a session that is over.
const UNKNOWN: &str = r#"{"code":"1","message":"Session ID unknown"}"#;

fn plain(status: StatusCode, body: &'static str) -> Response {
    json_response(status, body)
}

/// The request without what the library does not look at. It keeps the head of every request that opens a socket, and
/// with each header all that was read together with it: kilobytes a socket.
fn lean(request: Request<Incoming>) -> Request<Incoming> {
    let (mut parts, body) = request.into_parts();
    if parts.method != Method::GET {
        return Request::from_parts(parts, body);
    }
    let key = parts.headers.get(SEC_WEBSOCKET_KEY).and_then(|key| HeaderValue::from_bytes(key.as_bytes()).ok());
    parts.headers = key.map(|key| (SEC_WEBSOCKET_KEY, key)).into_iter().collect();
    if let Ok(uri) = Uri::try_from(parts.uri.to_string()) {
        parts.uri = uri;
    }
    Request::from_parts(parts, body)
}

/// A parameter of the library's own, which are never escaped.
fn named<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl Ears for Sockets {
    fn news(&self, app: i64) {
        if locked(&self.followed).contains_key(&app) {
            locked(&self.news).insert(app);
            self.wake.notify_one();
        }
    }

    fn revoked(&self, app: i64, tokens: &[TokenHash]) {
        let ended = self.registry().revoke(app, tokens);
        for line in ended {
            line.cut();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells some sockets of one event, written once for all.
fn tell<T: Serialize + ?Sized>(lines: Vec<Arc<dyn Line>>, event: Event, payload: &T) {
    if lines.is_empty() {
        return;
    }
    match Payload::of(payload) {
        Ok(payload) => lines.iter().for_each(|line| line.tell(event.name(), &payload)),
        Err(error) => tracing::error!(%error, event = event.name(), "an event cannot be written"),
    }
}
