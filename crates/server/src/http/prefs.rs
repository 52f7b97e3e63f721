//! What users keep for their own clients: `/me/pref`, `/roomPrefs`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Act;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{AnyBody, Body, Caller, Path, Query};
use super::limits_of_fields::{self as limits, bad};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::sample;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let own = |route: Route| route.tag("Me");
    let pref = || {
        Shape::object("Pref").required("key", Kind::Text, "Its name").required(
            "data",
            Kind::Any,
            "What the client keeps there",
        )
    };
    let of_room = |route: Route| {
        own(route)
            .param(Param::path("room", "Which room"))
            .answer(room_shape("RoomPref").required("room", Kind::Id, "Which room"))
            .example(sample::answer(&json!({"room": "demo-room", "tags": ["work"], "sticky": true})))
            .errors(&[rows::ROOM_NOT_FOUND])
    };
    let of_group = |route: Route| {
        own(route)
            .auth(Auth::Either)
            .param(Param::path("room", "Which room"))
            .param(Param::path("group", "Which user group; one must be in it"))
            .answer(room_shape("RoomPref").required("room", Kind::Id, "Which room"))
            .example(sample::answer(&json!({"room": "demo-room", "tags": ["work"]})))
            .errors(&[rows::ROOM_NOT_FOUND, rows::GROUP_NOT_FOUND, rows::USER_BANNED, rows::USER_BLOCKED])
    };
    vec![
        own(Route::new(Act::MindOwn, Method::GET, "/me/pref", list))
            .summary("Read one's own preferences")
            .text("The result is a bare array; with `key`, that one alone.")
            .param(Param::query("key", Kind::Text, "Only this one; an empty object where there is none"))
            .answer(
                Shape::any("Prefs")
                    .text("A list of what is kept, each as `{key, data}`; with `key` that one alone, or `{}`"),
            )
            .example(sample::answer(&json!([{"key": "folders-meta", "data": [{"key": "f1", "name": "Work"}]}])))
            .errors(&[rows::INVALID_QUERY_PARAMETER]),
        own(Route::new(Act::MindOwn, Method::GET, "/me/prefs", map))
            .summary("Read one's own preferences by their names")
            .answer(Shape::any("PrefMap").text("What is kept, by its name"))
            .example(sample::answer(&json!({"folders-meta": [{"key": "f1", "name": "Work"}]}))),
        own(Route::new(Act::MindOwn, Method::POST, "/me/pref/{key}", set))
            .summary("Set one of one's own preferences")
            .text("The body is any JSON: an array as well as an object.")
            .param(Param::path("key", "Its name"))
            .body(Shape::any("PrefData"))
            .body_example(json!([{"key": "f1", "name": "Work"}]))
            .answer(pref())
            .example(sample::answer(&json!({"key": "folders-meta", "data": [{"key": "f1", "name": "Work"}]})))
            .errors(&[rows::LIMIT_EXCEEDED]),
        own(Route::new(Act::MindOwn, Method::DELETE, "/me/pref/{key}", delete))
            .summary("Take one of one's own preferences away")
            .param(Param::path("key", "Its name"))
            .example(sample::answer(&json!({}))),
        own(Route::new(Act::MindOwn, Method::GET, "/roomPrefs", list_of_rooms))
            .summary("Read one's own preferences for rooms")
            .answer(Shape::page("RoomPrefs", room_shape("RoomPref").required("room", Kind::Id, "Which room")))
            .example(sample::answer(&json!({"totalCount": 1, "data": [{"room": "demo-room", "sticky": true}]}))),
        of_room(Route::new(Act::MindOwn, Method::POST, "/roomPrefs/{room}", change))
            .summary("Change one's own preferences for a room")
            .text("Only what is given changes; null takes it away.")
            .body(room_shape("RoomPrefChange"))
            .body_example(json!({"sticky": true})),
        of_room(Route::new(Act::MindOwn, Method::DELETE, "/roomPrefs/{room}/{key}", delete_of_room))
            .summary("Take one of one's own preferences for a room away")
            .param(Param::path("key", "Which one")),
        own(Route::new(Act::MindOwn, Method::GET, "/roomPrefs/group/{group}", list_of_group))
            .auth(Auth::Either)
            .summary("Read what a user group keeps about one's rooms")
            .param(Param::path("group", "Which user group; one must be in it"))
            .answer(Shape::page("RoomPrefs", room_shape("RoomPref").required("room", Kind::Id, "Which room")))
            .example(sample::answer(&json!({"totalCount": 1, "data": [{"room": "demo-room", "tags": ["work"]}]})))
            .errors(&[rows::GROUP_NOT_FOUND]),
        of_group(Route::new(Act::MindOwn, Method::POST, "/roomPrefs/{room}/group/{group}", change_of_group))
            .summary("Change what a user group keeps about a room")
            .text("Everybody in the group reads it. Only what is given changes; null takes it away.")
            .body(room_shape("RoomPrefChange"))
            .body_example(json!({"tags": ["work"]})),
        of_group(Route::new(Act::MindOwn, Method::DELETE, "/roomPrefs/{room}/group/{group}/{key}", delete_of_group))
            .summary("Take one of the things a user group keeps about a room away")
            .param(Param::path("key", "Which one")),
    ]
}

fn room_shape(name: &'static str) -> Shape {
    Shape::object(name)
        .field("tags", Kind::Texts, "Tags of one's own, at most 100")
        .field("tagColors", Kind::Any, "Their colours: an object")
        .field("folder", Kind::Any, "The folders it lies in: a text or a list of texts")
        .field("sticky", Kind::Flag, "Shown first")
        .field("hidden", Kind::Flag, "Not shown")
        .field("muted", Kind::Flag, "No notifications")
        .field("translation", Kind::Any, "How the client translates")
}

/// `GET /me/pref`
async fn list(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let prefs = edge.chat.prefs(&caller).await?;
    let shown = |(name, value): (String, Value)| json!({"key": name, "data": value});
    if let Some(key) = query.one("key")?.filter(|key| !key.is_empty()) {
        let one = prefs.into_iter().find(|(name, _)| name == key).map_or_else(|| json!({}), shown);
        return Ok(Answer(one).into_response());
    }
    Ok(Answer(prefs.into_iter().map(shown).collect::<Vec<_>>()).into_response())
}

/// `GET /me/prefs`
async fn map(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    let prefs = edge.chat.prefs(&caller).await?;
    Ok(Answer(prefs.into_iter().collect::<Map<_, _>>()).into_response())
}

/// A key stands in paths, so it is what an id may be.
fn named(key: &str) -> Result<&str, ApiError> {
    RoomId::parse(key)?;
    Ok(key)
}

/// `POST /me/pref/{key}`
async fn set(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(key): Path<String>,
    AnyBody(value): AnyBody,
) -> Result<Response, ApiError> {
    if value.to_string().len() > limits::PREF_BYTES {
        return Err(bad("data", &format!("at most {} bytes", limits::PREF_BYTES)));
    }
    edge.chat.set_pref(&caller, named(&key)?, &value).await?;
    Ok(Answer(json!({"key": key, "data": value})).into_response())
}

/// `DELETE /me/pref/{key}`
async fn delete(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(key): Path<String>,
) -> Result<Response, ApiError> {
    edge.chat.delete_pref(&caller, named(&key)?).await?;
    Ok(Answer(json!({})).into_response())
}

/// `GET /roomPrefs`
async fn list_of_rooms(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    let prefs = edge.chat.room_prefs(&caller).await?;
    let all: Vec<Value> = prefs.into_iter().map(|(room, pref)| shown(&room, pref)).collect();
    Ok(Answer(json!({"totalCount": all.len(), "data": all})).into_response())
}

/// `POST /roomPrefs/{room}`
async fn change(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let pref = edge.chat.change_room_pref(&caller, &room, changes(fields)?).await?;
    Ok(Answer(shown(&room, pref)).into_response())
}

/// `DELETE /roomPrefs/{room}/{key}`
async fn delete_of_room(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, key)): Path<(RoomId, String)>,
) -> Result<Response, ApiError> {
    let changes = Map::from_iter([(named(&key)?.to_owned(), Value::Null)]);
    let pref = edge.chat.change_room_pref(&caller, &room, changes).await?;
    Ok(Answer(shown(&room, pref)).into_response())
}

/// `GET /roomPrefs/group/{group}`
async fn list_of_group(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(group): Path<UserId>,
) -> Result<Response, ApiError> {
    let prefs = edge.chat.group_prefs(&caller, &group).await?;
    let all: Vec<Value> = prefs.into_iter().map(|(room, pref)| shown(&room, pref)).collect();
    Ok(Answer(json!({"totalCount": all.len(), "data": all})).into_response())
}

/// `POST /roomPrefs/{room}/group/{group}`
async fn change_of_group(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, group)): Path<(RoomId, UserId)>,
    Body(fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let pref = edge.chat.change_group_pref(&caller, &room, &group, changes(fields)?).await?;
    Ok(Answer(shown(&room, pref)).into_response())
}

/// `DELETE /roomPrefs/{room}/group/{group}/{key}`
async fn delete_of_group(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, group, key)): Path<(RoomId, UserId, String)>,
) -> Result<Response, ApiError> {
    let changes = Map::from_iter([(named(&key)?.to_owned(), Value::Null)]);
    let pref = edge.chat.change_group_pref(&caller, &room, &group, changes).await?;
    Ok(Answer(shown(&room, pref)).into_response())
}

/// The preferences for a room as they go out, over REST and over sockets.
pub(super) fn shown(room: &RoomId, pref: Map<String, Value>) -> Value {
    let mut shown = pref;
    shown.insert("room".to_owned(), room.as_str().into());
    Value::Object(shown)
}

/// What of a body is kept: the documented fields, each in its type.
fn changes(mut fields: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let mut changes = Map::new();
    for name in ["tags", "tagColors", "folder", "sticky", "hidden", "muted", "translation"] {
        let Some(value) = fields.remove(name) else { continue };
        let fits = value.is_null()
            || match name {
                "tags" => is_tags(&value),
                "folder" => value.is_string() || is_tags(&value),
                "tagColors" => value.is_object(),
                "translation" => true,
                _ => value.is_boolean(),
            };
        if !fits || value.to_string().len() > limits::ROOM_PREF_BYTES {
            return Err(bad(name, "not of its type, or too long"));
        }
        changes.insert(name.to_owned(), value);
    }
    Ok(changes)
}

fn is_tags(value: &Value) -> bool {
    let is_tag = |tag: &Value| tag.as_str().is_some_and(|tag| limits::is_name(tag, limits::TAG));
    value.as_array().is_some_and(|tags| tags.len() <= limits::TAGS && tags.iter().all(is_tag))
}
