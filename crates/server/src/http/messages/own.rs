//! Deleting messages for oneself alone: `/messages/user-delete`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::PutAwayDone;
use banter_domain::id::{ObjectId, RoomId};
use banter_domain::moderation::Act;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Caller, Query};
use crate::http::limits_of_fields::{self as limits, bad, missing};
use crate::http::routes::{Kind, Param, Route, Shape};
use crate::http::view::message::Hex;
use crate::http::view::time::Iso;
use crate::http::view::{Listing, sample};

/// Entries of a page when the request names no limit.
const PAGE: usize = 100;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let done = |route: Route| {
        route
            .tag("Messages")
            .answer(
                Shape::object("DeletedForOneself")
                    .required("n", Kind::Integer, "How many messages")
                    .required("nModified", Kind::Integer, "The same")
                    .required("ok", Kind::Integer, "Always 1")
                    .required("room", Kind::Id, "In which room")
                    .required("totalCount", Kind::Integer, "How many messages")
                    .required("messages", Kind::Ids, "Which; of a whole room the newest 1,000"),
            )
            .example(sample::answer(&json!({
                "n": 1, "nModified": 1, "ok": 1, "room": "demo-room", "totalCount": 1,
                "messages": ["610aafe20000000000000001"],
            })))
            .errors(&[rows::MISSING_PARAMETER, rows::NOT_ROOM_MEMBER, rows::ROOM_NOT_FOUND])
    };
    vec![
        done(Route::new(Act::PutAway, Method::POST, "/messages/user-delete", some))
            .summary("Delete messages for oneself")
            .text("Everybody else goes on seeing them. Those that are not there are passed over.")
            .body(Shape::object("OwnDeletion").required("room", Kind::Id, "In which room").required(
                "messages",
                Kind::Ids,
                "Which, at most 1,000",
            ))
            .body_example(json!({"room": "demo-room", "messages": ["610aafe20000000000000001"]})),
        done(Route::new(Act::PutAway, Method::POST, "/messages/user-delete/all-in-room", all))
            .summary("Delete everything there is in a room for oneself")
            .text("What is said there later is seen again. The room counts as read.")
            .body(Shape::object("OwnClearing").required("room", Kind::Id, "Which room"))
            .body_example(json!({"room": "demo-room"})),
        Route::new(Act::ReadMessages, Method::GET, "/messages/user-delete", list)
            .tag("Messages")
            .summary("List what one deleted for oneself")
            .param(Param::query("room", Kind::Id, "In which room").required())
            .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 100"))
            .param(Param::query("skip", Kind::Integer, "Leave out so many from the front; default 0"))
            .answer(Shape::page(
                "OwnDeletions",
                Shape::object("OwnDeleted")
                    .required("message", Kind::Id, "Which message")
                    .required("createdAt", Kind::Time, "When one deleted it")
                    .required("updatedAt", Kind::Time, "The same"),
            ))
            .example(sample::page(&json!({
                "message": "610aafe20000000000000001", "createdAt": "2021-08-04T15:18:10.735Z",
                "updatedAt": "2021-08-04T15:18:10.735Z",
            })))
            .errors(&[rows::INVALID_QUERY_PARAMETER, rows::NOT_IN_ROOM, rows::ROOM_NOT_FOUND]),
    ]
}

#[derive(Deserialize)]
struct Asked {
    room: Option<String>,
    messages: Option<Vec<String>>,
}

impl Asked {
    fn room(&self) -> Result<RoomId, ApiError> {
        Ok(RoomId::parse(self.room.clone().ok_or_else(|| missing("room"))?)?)
    }
}

fn shown(room: &RoomId, done: &PutAwayDone) -> Response {
    let ids: Vec<Hex> = done.messages.iter().copied().map(Hex).collect();
    Answer(json!({
        "n": done.count, "nModified": done.count, "ok": 1, "room": room.as_str(), "totalCount": done.count, "messages": ids,
    }))
    .into_response()
}

/// `POST /messages/user-delete`
async fn some(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(asked): Body<Asked>,
) -> Result<Response, ApiError> {
    let room = asked.room()?;
    let messages = asked.messages.ok_or_else(|| missing("messages"))?;
    if messages.len() > limits::PUT_AWAY {
        return Err(bad("messages", &format!("a list of at most {} ids", limits::PUT_AWAY)));
    }
    let messages = messages.iter().map(|id| ObjectId::parse(id).ok_or(rows::INVALID_ID));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    Ok(shown(&room, &edge.chat.put_away(&caller, &room, &messages).await?))
}

/// `POST /messages/user-delete/all-in-room`
async fn all(State(edge): State<Edge>, Caller(caller): Caller, Body(asked): Body<Asked>) -> Result<Response, ApiError> {
    let room = asked.room()?;
    Ok(shown(&room, &edge.chat.put_all_away(&caller, &room).await?))
}

/// `GET /messages/user-delete`
async fn list(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let room = query.one("room")?.filter(|room| !room.is_empty());
    let room = RoomId::parse(room.ok_or_else(|| rows::INVALID_QUERY_PARAMETER.with("room"))?)?;
    let limit = limits::limit(&query, PAGE, limits::PAGE)?;
    let page = edge.chat.messages_put_away(&caller, &room, limits::skip(&query)?, limit).await?;
    let one = |one: &banter_chat::PutAway| -> Value {
        let at = Iso::of(one.at_ms);
        json!({"message": Hex(one.message), "createdAt": at, "updatedAt": at})
    };
    Ok(Answer(Listing::of(page.total, page.data.iter().map(one).collect())).into_response())
}
