//! What clients say (realtime.md 2 to 5). Each socket is listened to in order; what it says is done
//! as the same act over REST would be.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use banter_chat::{App, Caller, TokenHash, Who};
use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Act;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;

use super::events::Word;
use super::line::{Payload, Question, SocketIoLine};
use super::registry::{Identity, SocketId};
use super::{Sockets, locked};
use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::extract::expect_sound;
use crate::http::messages;
use crate::http::view::message::MessageView;
use crate::http::view::user::FullUser;

/// So many things a client may have said that nobody has listened to yet.
const PATIENCE: usize = 16;
/// Of one room, so rarely is it heard that somebody types.
const TYPING_EVERY: Duration = Duration::from_secs(1);
/// So many rooms are remembered for that.
const TYPED_ROOMS: usize = 64;

/// The arguments of an event, however many there are.
#[derive(Debug)]
struct Arguments(Vec<Value>);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Arguments;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Arguments, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Arguments(all))
            }
        }
        // The library hands all arguments to what asks for a tuple, and the first one to all else.
        deserializer.deserialize_tuple(usize::MAX, All)
    }
}

/// What is said must be sound, as a body must. Errors: 400 `INVALID_BODY`.
fn sound(arguments: &[Value]) -> Result<(), ApiError> {
    arguments.iter().try_for_each(expect_sound)
}

/// Something a client said.
struct Said {
    event: String,
    /// `None`: they cannot be read.
    arguments: Option<Vec<Value>>,
    ack: AckSender,
}

/// One client's side of the talk.
pub(super) struct Talk {
    edge: Edge,
    sockets: Arc<Sockets>,
    id: SocketId,
    line: Arc<SocketIoLine>,
    /// From where, as far as is known.
    address: IpAddr,
    heard: Mutex<Heard>,
    /// When it was first seen that it has ended.
    over: OnceLock<Duration>,
}

#[derive(Default)]
struct Heard {
    waiting: VecDeque<Said>,
    /// Somebody is listening.
    busy: bool,
    typed: HashMap<RoomId, Duration>,
}

/// Listens to every socket that opens.
pub(super) fn attach(io: &SocketIo, edge: &Edge, sockets: &Arc<Sockets>) {
    // The server's parts outlive its sockets, but must not be kept alive by the library.
    let (edge, sockets) = (edge.downgrade(), Arc::downgrade(sockets));
    // Before the library greets the socket: what the client says at once is said to somebody who listens.
    let before = move |socket: SocketRef| {
        opened(&socket, &edge, &sockets);
        std::future::ready(Ok::<(), Infallible>(()))
    };
    io.ns("/", (async || ()).with(before));
}

fn opened(socket: &SocketRef, edge: &Weak<crate::http::Parts>, sockets: &Weak<Sockets>) {
    let asked = socket.req_parts().extensions.get::<Question>().cloned();
    let (Some(edge), Some(sockets), Some(asked)) = (Edge::upgrade(edge), sockets.upgrade(), asked) else {
        return;
    };
    let address = asked.from;
    let most_waiting = edge.settings.socket_queue_bytes as u64;
    let overflows = edge.metrics.socket_overflows();
    let line = Arc::new(SocketIoLine::new(socket.clone(), asked, most_waiting, overflows));
    let id = sockets.registry().open(line.clone(), (edge.senses.elapsed)());
    let sid = socket.id.to_string();
    let (heard, over) = (Mutex::default(), OnceLock::new());
    let talk = Arc::new(Talk { edge, sockets: sockets.clone(), id, line: line.clone(), address, heard, over });
    // The library's socket must not keep alive what keeps it alive.
    let listening = Arc::downgrade(&talk);
    locked(&sockets.talks).insert(sid.clone(), talk);
    if let Some(websocket) = locked(&sockets.early).remove(&sid) {
        line.move_to(websocket, true);
    }
    socket.on_fallback(move |Event(event): Event, arguments: TryData<Arguments>, ack: AckSender| {
        // Called in the order in which things were said; what takes time is done elsewhere.
        if let Some(talk) = listening.upgrade() {
            Talk::hear(&talk, Said { event, arguments: arguments.0.ok().map(|all| all.0), ack });
        }
        std::future::ready(())
    });
    let sockets = Arc::downgrade(&sockets);
    socket.on_disconnect(move || {
        // Without its socket a websocket's connection is nothing; one that polls shares it with other requests.
        let polled = line.end();
        if let Some(sockets) = sockets.upgrade() {
            sockets.registry().close(id);
            // The library may hand out what waited for one that polls: it stays known as ended for a while.
            if !polled {
                locked(&sockets.talks).remove(&sid);
            }
        }
        std::future::ready(())
    });
}

impl Talk {
    /// Over what its client is told things.
    pub(super) fn line(&self) -> &Arc<SocketIoLine> {
        &self.line
    }

    /// Which socket of the registry it is.
    pub(super) fn place(&self) -> SocketId {
        self.id
    }

    /// Since when its connection has ended, as far as was seen; looked at by a clock that only goes forward.
    pub(super) fn over_since(&self, now: Duration) -> Option<Duration> {
        self.line.is_over().then(|| *self.over.get_or_init(|| now))
    }

    fn hear(talk: &Arc<Self>, said: Said) {
        let mut heard = locked(&talk.heard);
        if heard.waiting.len() >= PATIENCE {
            drop(heard);
            talk.acknowledge(said.ack, &ApiError::RateLimited(1).told(Act::Look).1);
            return;
        }
        heard.waiting.push_back(said);
        if !std::mem::replace(&mut heard.busy, true) {
            tokio::spawn(talk.clone().listen());
        }
    }

    async fn listen(self: Arc<Self>) {
        loop {
            let said = {
                let mut heard = locked(&self.heard);
                let said = heard.waiting.pop_front();
                heard.busy = said.is_some();
                said
            };
            let Some(said) = said else { return };
            self.understand(said).await;
        }
    }

    async fn understand(&self, Said { event, arguments, ack }: Said) {
        let lost = self.edge.chat.lost();
        let Some(arguments) = arguments else {
            // As over REST, who asks is found out first.
            let error = self.caller().err().unwrap_or(rows::INVALID_BODY.into());
            return self.refuse(ack, (&error, lost), Act::Look).await;
        };
        match Word::of(&event) {
            Some(Word::Conf) => match sound(&arguments) {
                Ok(()) => self.conf(&arguments, ack),
                Err(error) => self.refuse(ack, (&error, lost), Act::Look).await,
            },
            Some(Word::Enter | Word::EnterAsBefore) => match self.enter(&arguments).await {
                Ok(shown) => self.answer(ack, &shown),
                Err(error) => self.refuse(ack, (&error, lost), Act::MindOwn).await,
            },
            Some(Word::Message) => match self.message(arguments).await {
                Ok(shown) => self.answer(ack, &shown),
                Err(error) => self.refuse(ack, (&error, lost), Act::Send).await,
            },
            Some(Word::Typing) => match self.typing(arguments).await {
                Ok(()) => self.answer(ack, &json!({})),
                // What a rule refuses is dropped without a word.
                Err(error) if error.row(Act::Type).status == 403 => {
                    self.count_refused(&error, Act::Type);
                    self.answer(ack, &json!({}));
                }
                Err(error) => self.refuse(ack, (&error, lost), Act::Type).await,
            },
            None => match self.caller() {
                Ok(_) => self.refuse(ack, (&rows::NOT_FOUND.into(), lost), Act::Look).await,
                Err(error) => self.refuse(ack, (&error, lost), Act::Look).await,
            },
        }
    }

    fn answer<T: Serialize + ?Sized>(&self, ack: AckSender, result: &T) {
        self.acknowledge(
            ack,
            &json!({ "RC": 0, "RM": "OK", "result": serde_json::to_value(result).unwrap_or_default() }),
        );
    }

    /// What REST would answer. On a socket a refusal reaches nobody but who asked for an acknowledgement.
    /// It waits until what it may rest on is durable.
    async fn refuse(&self, ack: AckSender, (error, lost): (&ApiError, u64), act: Act) {
        let (mut row, mut body) = error.told(act);
        if let Some(fault) = error.fault() {
            tracing::error!(?act, fault, "something said over a socket failed");
        }
        self.count_refused(error, act);
        if row.status < 500
            && let Err(fault) = self.edge.chat.settled(lost).await
        {
            (row, body) = ApiError::from(fault).told(act);
            tracing::error!(?act, code = row.code, "a refusal over a socket rests on what could not be made durable");
        }
        self.acknowledge(ack, &body);
    }

    fn count_refused(&self, error: &ApiError, act: Act) {
        let row = error.row(act);
        if row.status == 403 {
            self.edge.metrics.refused(row.code);
            if let Some(identity) = self.sockets.registry().identity(self.id) {
                self.edge.chat.refused(identity.app.number, row.code);
            }
        }
    }

    fn acknowledge(&self, ack: AckSender, body: &Value) {
        match Payload::of(body) {
            Ok(payload) => self.line.acknowledge(ack, &payload),
            Err(error) => tracing::error!(%error, "an acknowledgement cannot be written"),
        }
    }

    /// `conf {encoding}`: `base64` from now on, or plain JSON.
    fn conf(&self, arguments: &[Value], ack: AckSender) {
        let wanted = arguments.first().and_then(|options| options.get("encoding")).and_then(Value::as_str);
        let base64 = wanted == Some("base64");
        self.line.encode(base64);
        self.answer(ack, &json!({ "encoding": if base64 { "base64" } else { "json" } }));
    }

    /// `auth2(token, headers or device)`: who it is. A failure leaves the socket open, and deaf: a
    /// client that is sent away comes back at once, for ever (realtime.md 7).
    async fn enter(&self, arguments: &[Value]) -> Result<Value, ApiError> {
        let (now, peer) = ((self.edge.senses.elapsed)(), self.address);
        self.edge.limits.may_try(peer, now)?;
        sound(arguments)?;
        self.sockets.registry().forget(self.id, now);
        let entered = self.prove(arguments).await;
        if entered.as_ref().is_err_and(|error| error.row(Act::MindOwn).status < 500) {
            self.edge.limits.failed(peer, now);
        }
        let (app, user, token) = entered?;
        let who = Who::User { id: user.clone(), token };
        let account = self.edge.chat.log_in(&Caller { app: app.clone(), who, address: Some(peer) }).await?;
        // From here on whatever happens to his rooms or his token reaches his place in the registry.
        self.sockets.follow(&self.edge, &app);
        let number = app.number;
        let shown = serde_json::to_value(FullUser::of(&app.id, &account)).unwrap_or_default();
        self.sockets.registry().enter(self.id, Identity { app, user: user.clone(), token, expires_ms: i64::MAX });
        let hears = loop {
            let ends = self.sockets.registry().ends();
            let (expires_ms, rooms) = match self.edge.chat.rooms_heard(number, &user, &token).await {
                Ok(Some(heard)) => heard,
                Ok(None) => return Err(self.left(rows::INVALID_TOKEN.into())),
                Err(error) => return Err(self.left(error.into())),
            };
            let mut registry = self.sockets.registry();
            // Else some of the rooms may be gone by now, and their ids others'.
            if registry.ends() == ends {
                break registry.hear(self.id, token, expires_ms, rooms);
            }
        };
        if hears {
            self.line.belongs_to(number);
        }
        if hears { Ok(shown) } else { Err(self.left(rows::INVALID_TOKEN.into())) }
    }

    fn left(&self, error: ApiError) -> ApiError {
        self.sockets.registry().forget(self.id, (self.edge.senses.elapsed)());
        error
    }

    /// Finds out who shows this token. The client key may stand in either spelling; without one the app
    /// is the one whose user has the token.
    async fn prove(&self, arguments: &[Value]) -> Result<(Arc<App>, UserId, TokenHash), ApiError> {
        let token = arguments.first().and_then(Value::as_str).unwrap_or_default().trim();
        let token = match token.split_at_checked(7) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer ") => rest.trim_start(),
            _ => token,
        };
        if token.is_empty() {
            return Err(rows::INVALID_TOKEN.into());
        }
        let headers = arguments.get(1).and_then(Value::as_object);
        let is_key = |name: &str| name.eq_ignore_ascii_case("IM-CLIENT-KEY") || name.eq_ignore_ascii_case("CLIENT_KEY");
        let key = headers.and_then(|headers| headers.iter().find(|(name, _)| is_key(name))?.1.as_str());
        let apps = match key {
            Some(key) => vec![self.edge.chat.app_of_client_key(key).await?.ok_or(rows::INVALID_CLIENT_KEY)?],
            None => self.edge.chat.apps().await?.into_iter().map(Arc::new).collect(),
        };
        for app in apps {
            if let Some((user, token)) = self.edge.chat.user_of_token(&app, token).await? {
                return Ok((app, user, token));
            }
        }
        Err(rows::INVALID_TOKEN.into())
    }

    /// Who acts, once he hears.
    fn caller(&self) -> Result<Caller, ApiError> {
        let identity = self.sockets.registry().identity(self.id).ok_or(rows::INVALID_TOKEN)?;
        let who = Who::User { id: identity.user, token: identity.token };
        Ok(Caller { app: identity.app, who, address: Some(self.address) })
    }

    /// `chat message`: as `POST /rooms/{id}/message`; the room stands in the message.
    async fn message(&self, arguments: Vec<Value>) -> Result<Value, ApiError> {
        let caller = self.caller()?;
        sound(&arguments)?;
        let Some(Value::Object(mut fields)) = arguments.into_iter().next() else {
            return Err(rows::INVALID_MESSAGE_FORMAT.into());
        };
        let room = match fields.remove("room") {
            Some(Value::String(room)) => RoomId::parse(room)?,
            _ => return Err(rows::INVALID_MESSAGE_FORMAT.into()),
        };
        let message = messages::say(&self.edge, &caller, &room, fields).await?;
        Ok(serde_json::to_value(MessageView::of(&caller.app.id, &message)).unwrap_or_default())
    }

    /// `typing`: a room, or a room and a text, or an object of both.
    async fn typing(&self, arguments: Vec<Value>) -> Result<(), ApiError> {
        let caller = self.caller()?;
        sound(&arguments)?;
        let mut arguments = arguments.into_iter();
        let (room, text) = match (arguments.next(), arguments.next()) {
            (Some(Value::String(room)), text) => (room, text),
            (Some(Value::Object(mut fields)), _) => match fields.remove("room") {
                Some(Value::String(room)) => (room, fields.remove("message")),
                _ => return Err(rows::INVALID_MESSAGE_FORMAT.into()),
            },
            _ => return Err(rows::INVALID_MESSAGE_FORMAT.into()),
        };
        let room = RoomId::parse(room)?;
        if !self.may_type(&room) {
            return Ok(());
        }
        let text = text.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        super::typing(&self.edge, &caller, &room, text).await.map(drop)
    }

    /// Was it long enough ago that he was heard typing there?
    fn may_type(&self, room: &RoomId) -> bool {
        let now = (self.edge.senses.elapsed)();
        let mut heard = locked(&self.heard);
        if heard.typed.get(room).is_some_and(|last| now.saturating_sub(*last) < TYPING_EVERY) {
            return false;
        }
        heard.typed.retain(|_, last| now.saturating_sub(*last) < TYPING_EVERY);
        if heard.typed.len() >= TYPED_ROOMS {
            return false;
        }
        heard.typed.insert(room.clone(), now);
        true
    }
}
