//! Messages: sending, editing, recalling, listing, deleting, pinning, reacting.

mod batch;
mod hide;
mod list;
mod more;
mod own;
mod words;

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::Words;
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::message::{Kind as MessageKind, Message};
use banter_domain::moderation::Act;
use banter_domain::push::Notice;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::{Answer, AnswerSaying};
use super::dispatch::to_the_end;
use super::extract::{Body, Caller, Path, Query, bad_parameter};
use super::limits_of_fields::{self as limits, bad, missing, take_flag};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::message::MessageView;
use super::view::sample;
use super::view::time::Iso;
use crate::errors::{ApiError, Row, rows};

/// What a sender may meet.
const REFUSED: [Row; 5] =
    [rows::INVALID_MESSAGE_FORMAT, rows::NOT_IN_ROOM, rows::USER_BANNED, rows::USER_BLOCKED, rows::ROOM_FROZEN];

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let message = |route: Route| {
        route.tag("Messages").answer(Shape::of::<MessageView<'_>>()).example(sample::answer(&sample::message_shown()))
    };
    let of_message = |route: Route| message(route).param(Param::path("id", "Which message"));
    let pins = [rows::PIN_SUPERUSER_ONLY, rows::USER_BANNED, rows::USER_BLOCKED, rows::MESSAGE_NOT_FOUND];
    let reactions =
        [rows::NOT_ROOM_MEMBER, rows::USER_BANNED, rows::USER_BLOCKED, rows::ROOM_FROZEN, rows::MESSAGE_NOT_FOUND];
    let mut routes = vec![
        message(Route::new(Act::Send, Method::POST, "/rooms/{id}/message", post))
            .sees_to_itself()
            .auth(Auth::Either)
            .summary("Send a message; edit or recall one")
            .text(
                "Without `_id` a new message. With `_id`, the words of that message change; with `messageType` `recall` \
                 besides, it is taken back. An API key sends as `sender`, or as the platform's own client, whatever `IM-CLIENT-ID` says.",
            )
            .param(Param::path("id", "Which room"))
            .body(
                words::shape("SentMessage")
                    .field("_id", Kind::Id, "Edit or recall this message")
                    .field("sender", Kind::Id, "API key: who sends")
                    .field("force", Kind::Flag, "API key: past the sender's bans and blocks; it is recorded"),
            )
            .large_body()
            .body_example(json!({"messageType": "text", "message": "Gladly, bbb", "mentions": ["bbb"]}))
            .errors(&REFUSED)
            .errors(&[rows::AUTHOR_ONLY, rows::MESSAGE_NOT_FOUND, rows::ROOM_NOT_FOUND, rows::USER_NOT_FOUND]),
        message(Route::new(Act::Send, Method::POST, "/messages", send))
            .auth(Auth::ApiKey)
            .clients_get(rows::REJECTED_API_KEY)
            .strangers_get(rows::REJECTED_API_KEY)
            .summary("Send a message as the platform")
            .text("The sender need not be in the room, but his bans and blocks hold unless it is forced. `sender` is an id in the answer.")
            .body(
                words::shape("PlatformMessage")
                    .required("room", Kind::Id, "Where")
                    .required("sender", Kind::Id, "Who sends")
                    .field("push", Kind::Flag, "Notify those who are away; default true")
                    .field("skipTotalBadge", Kind::Flag, "The notification leaves the number on the device alone; default false")
                    .field("force", Kind::Flag, "Past the sender's bans and blocks; it is recorded"),
            )
            .large_body()
            .body_example(json!({"room": "demo-room", "sender": "aaa", "message": "Welcome", "messageType": "text"}))
            .errors(&REFUSED)
            .errors(&[rows::MISSING_PARAMETER, rows::ROOM_NOT_FOUND, rows::USER_NOT_FOUND]),
        batch::route(),
        Route::new(Act::DeleteMessages, Method::DELETE, "/rooms/{roomID}/messages/{messageID}", delete)
            .auth(Auth::Either)
            .tag("Messages")
            .summary("Delete a message for everybody, or all of a room")
            .param(Param::path("roomID", "Which room"))
            .param(Param::path("messageID", "Which message, or `_all`"))
            .answer(deleted_shape())
            .example(json!({"RC": 0, "RM": "Message deleted successfully", "result": {
                "deletedCount": 1, "roomID": "demo-room", "messageID": "610aafe20000000000000001", "deletedBy": "aaa",
                "deletedAt": "2021-08-04T15:18:10.735Z",
            }}))
            .errors(&[
                rows::DELETE_MESSAGE_SUPERUSER_ONLY,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::MESSAGE_NOT_FOUND,
                rows::ROOM_NOT_FOUND,
            ]),
        of_message(Route::new(Act::Pin, Method::POST, "/messages/{id}/pin", pin))
            .auth(Auth::Either)
            .summary("Pin a message")
            .text("A room has one pinned message: pinning replaces it.")
            .errors(&pins),
        of_message(Route::new(Act::Pin, Method::DELETE, "/messages/{id}/pin", unpin))
            .auth(Auth::Either)
            .summary("Unpin a message")
            .errors(&pins),
        of_message(Route::new(Act::React, Method::POST, "/messages/{id}/reaction", react))
            .summary("React to a message")
            .text("Reacting twice with the same changes nothing.")
            .body(Shape::object("Reacting").required("reaction", Kind::Text, "With what, 1 to 64 characters"))
            .body_example(json!({"reaction": "like"}))
            .errors(&reactions)
            .errors(&[rows::MISSING_PARAMETER]),
        of_message(Route::new(Act::React, Method::DELETE, "/messages/{id}/reaction", unreact))
            .summary("Take a reaction back")
            .param(Param::query("reaction", Kind::Text, "Which, 1 to 64 characters").required())
            .errors(&reactions)
            .errors(&[rows::MISSING_PARAMETER]),
    ];
    routes.extend([list::routes(), own::routes(), hide::routes(), more::routes()].into_iter().flatten());
    routes
}

fn deleted_shape() -> Shape {
    Shape::object("DeletedMessages")
        .required("deletedCount", Kind::Integer, "How many")
        .required("roomID", Kind::Id, "In which room")
        .required("messageID", Kind::Id, "Which, or `_all`")
        .required("deletedBy", Kind::Id, "By whom")
        .required("deletedAt", Kind::Time, "When")
}

fn shown<'a>(caller: &'a banter_chat::Caller, messages: &'a [Message]) -> Vec<MessageView<'a>> {
    messages.iter().map(|message| MessageView::of(&caller.app.id, message)).collect()
}

fn show(caller: &banter_chat::Caller, message: &Message) -> Response {
    Answer(MessageView::of(&caller.app.id, message)).into_response()
}

/// In whose name an API key sends, and whether past his bans and blocks.
fn sender_and_force(fields: &mut Map<String, Value>) -> Result<(Option<UserId>, bool), ApiError> {
    let sender = match fields.remove("sender") {
        None | Some(Value::Null) => None,
        Some(Value::String(sender)) => Some(UserId::parse(sender)?),
        Some(_) => return Err(bad("sender", "a text")),
    };
    Ok((sender, take_flag(fields, "force")?.unwrap_or(false)))
}

/// How those who are away are told (rest.md 5.2). `push`: what it is where it is not said.
fn notice(fields: &mut Map<String, Value>, push: bool) -> Result<Notice, ApiError> {
    let push = take_flag(fields, "push")?.unwrap_or(push);
    let without_badge = take_flag(fields, "skipTotalBadge")?.unwrap_or(false);
    Ok(match (push, without_badge) {
        (false, _) => Notice::Silent,
        (true, true) => Notice::WithoutBadge,
        (true, false) => Notice::Loud,
    })
}

/// `POST /rooms/{id}/message`
async fn post(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    // What a user sends goes together with what others send, and on without him.
    if !caller.is_platform() && fields.get("_id").is_none_or(Value::is_null) {
        let message = say(&edge, &caller, &room, fields).await?;
        return Ok(show(&caller, &message));
    }
    to_the_end(async move { Ok(show(&caller, &say(&edge, &caller, &room, fields).await?)) }).await?
}

/// What `POST /rooms/{id}/message` does, and `chat message` over a socket: sends, edits or recalls.
pub(super) async fn say(
    edge: &Edge,
    caller: &banter_chat::Caller,
    room: &RoomId,
    mut fields: Map<String, Value>,
) -> Result<Message, ApiError> {
    let (sender, force) = if caller.is_platform() { sender_and_force(&mut fields)? } else { (None, false) };
    let message = match id_of(&mut fields)? {
        Some(id) if fields.get("messageType").is_some_and(|kind| kind == MessageKind::Recall.name()) => {
            // In boxes: whoever sends need not carry the room these take.
            Box::pin(edge.chat.recall(caller, room, id, (sender, force))).await
        }
        Some(id) => Box::pin(edge.chat.edit(caller, room, id, words::edit(fields)?, (sender, force))).await,
        None => edge.chat.send(caller, room, words::new(fields)?, sender, force).await,
    };
    // To a user, a room he is not in and no room are the same.
    message.map_err(|error| match ApiError::from(error) {
        error if caller.is_platform() => error,
        error => error.no_room_is(rows::NOT_IN_ROOM),
    })
}

/// What a robot answers a webhook with, as words. Errors: 400 `INVALID_MESSAGE_FORMAT`.
pub(super) fn words_of(fields: Map<String, Value>) -> Result<banter_chat::Words, ApiError> {
    words::new(fields)
}

/// Clients never choose the id of a new message, so one that cannot be is unknown.
fn id_of(fields: &mut Map<String, Value>) -> Result<Option<ObjectId>, ApiError> {
    match fields.remove("_id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(ObjectId::parse(&id).ok_or(rows::MESSAGE_NOT_FOUND)?)),
        Some(_) => Err(rows::INVALID_MESSAGE_FORMAT.into()),
    }
}

/// `POST /messages`
async fn send(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    for name in ["room", "sender", "message", "messageType"] {
        if fields.get(name).is_none_or(Value::is_null) {
            return Err(missing(name));
        }
    }
    let Some(Value::String(room)) = fields.remove("room") else { return Err(bad("room", "a text")) };
    let room = RoomId::parse(room)?;
    let (sender, force) = sender_and_force(&mut fields)?;
    let notice = notice(&mut fields, true)?;
    let words = Words { notice, ..words::new(fields)? };
    let message = edge.chat.send(&caller, &room, words, sender, force).await?;
    Ok(Answer(MessageView::with_sender_id(&caller.app.id, &message)).into_response())
}

/// `DELETE /rooms/{roomID}/messages/{messageID}`
async fn delete(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, which)): Path<(RoomId, String)>,
) -> Result<Response, ApiError> {
    let (said, deleted) = if which == "_all" {
        ("All messages deleted successfully", edge.chat.delete_all_messages(&caller, &room).await?)
    } else {
        let id = ObjectId::parse(&which).ok_or(rows::INVALID_ID)?;
        ("Message deleted successfully", edge.chat.delete_message(&caller, &room, id).await?)
    };
    let result = json!({
        "deletedCount": deleted.count,
        "roomID": room.as_str(),
        "messageID": which,
        "deletedBy": caller.user().as_str(),
        "deletedAt": Iso::of(deleted.at_ms),
    });
    Ok(AnswerSaying(said, result).into_response())
}

/// `POST /messages/{id}/pin`
async fn pin(State(edge): State<Edge>, Caller(caller): Caller, Path(id): Path<ObjectId>) -> Result<Response, ApiError> {
    let message = edge.chat.pin(&caller, id, true).await?;
    Ok(show(&caller, &message))
}

/// `DELETE /messages/{id}/pin`
async fn unpin(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(id): Path<ObjectId>,
) -> Result<Response, ApiError> {
    let message = edge.chat.pin(&caller, id, false).await?;
    Ok(show(&caller, &message))
}

#[derive(Deserialize)]
struct Reacting {
    reaction: Option<String>,
}

/// `POST /messages/{id}/reaction`
async fn react(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(id): Path<ObjectId>,
    Body(body): Body<Reacting>,
) -> Result<Response, ApiError> {
    let reaction = body.reaction.ok_or_else(|| missing("reaction"))?;
    if !limits::is_name(&reaction, limits::REACTION) {
        return Err(bad("reaction", &format!("1 to {} characters without control characters", limits::REACTION)));
    }
    let message = edge.chat.react(&caller, id, &reaction, true).await?;
    Ok(show(&caller, &message))
}

/// `DELETE /messages/{id}/reaction`
async fn unreact(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(id): Path<ObjectId>,
    query: Query,
) -> Result<Response, ApiError> {
    let reaction = query.one("reaction")?.ok_or_else(|| missing("reaction"))?;
    if !limits::is_name(reaction, limits::REACTION) {
        return Err(bad_parameter("reaction"));
    }
    let message = edge.chat.react(&caller, id, reaction, false).await?;
    Ok(show(&caller, &message))
}
