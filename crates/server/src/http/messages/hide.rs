//! Taking messages out of the members' sight: `/messages/…/hidden`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::id::{ObjectId, RoomId, UserId};
use banter_domain::moderation::Act;
use serde::Deserialize;
use serde_json::json;

use super::show;
use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Caller, Path};
use crate::http::limits_of_fields::missing;
use crate::http::routes::{Auth, Kind, Param, Route, Shape};
use crate::http::view::message::MessageView;
use crate::http::view::sample;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let refused = [rows::HIDE_SUPERUSER_ONLY, rows::USER_BANNED, rows::USER_BLOCKED];
    let one = |route: Route| {
        route
            .auth(Auth::Either)
            .tag("Messages")
            .param(Param::path("id", "Which message"))
            .answer(Shape::of::<MessageView<'_>>())
            .example(sample::answer(&sample::message_shown()))
            .errors(&refused)
            .errors(&[rows::MESSAGE_NOT_FOUND])
    };
    let all = |route: Route| {
        route
            .auth(Auth::Either)
            .tag("Messages")
            .body(Shape::object("SenderInRoom").required("room", Kind::Id, "In which room").required(
                "sender",
                Kind::Id,
                "Whose messages",
            ))
            .body_example(json!({"room": "demo-room", "sender": "bbb"}))
            .answer(
                Shape::object("HiddenMessages")
                    .required("n", Kind::Integer, "How many changed")
                    .required("nModified", Kind::Integer, "The same")
                    .required("ok", Kind::Integer, "Always 1"),
            )
            .example(sample::answer(&json!({"n": 3, "nModified": 3, "ok": 1})))
            .errors(&refused)
            .errors(&[rows::MISSING_PARAMETER, rows::ROOM_NOT_FOUND])
    };
    vec![
        one(Route::new(Act::Hide, Method::POST, "/messages/{id}/hidden", hide))
            .summary("Take a message out of the members' sight")
            .text("Owner, managers and the platform go on seeing it, with `isHidden`."),
        one(Route::new(Act::Hide, Method::DELETE, "/messages/{id}/hidden", unhide))
            .summary("Put a message back into the members' sight"),
        all(Route::new(Act::Hide, Method::POST, "/messages/hide-by-sender-in-room", hide_all))
            .summary("Take everything somebody wrote in a room out of the members' sight")
            .text("What he writes later is seen."),
        all(Route::new(Act::Hide, Method::POST, "/messages/unhide-by-sender-in-room", unhide_all))
            .summary("Put everything somebody wrote in a room back into the members' sight"),
    ]
}

/// `POST /messages/{id}/hidden`
async fn hide(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(id): Path<ObjectId>,
) -> Result<Response, ApiError> {
    Ok(show(&caller, &edge.chat.hide(&caller, id, true).await?))
}

/// `DELETE /messages/{id}/hidden`
async fn unhide(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(id): Path<ObjectId>,
) -> Result<Response, ApiError> {
    Ok(show(&caller, &edge.chat.hide(&caller, id, false).await?))
}

#[derive(Deserialize)]
struct Asked {
    room: Option<String>,
    sender: Option<String>,
}

async fn by_sender(edge: &Edge, caller: &banter_chat::Caller, asked: Asked, on: bool) -> Result<Response, ApiError> {
    let room = RoomId::parse(asked.room.ok_or_else(|| missing("room"))?)?;
    let sender = UserId::parse(asked.sender.ok_or_else(|| missing("sender"))?)?;
    let count = edge.chat.hide_by_sender(caller, &room, &sender, on).await?;
    Ok(Answer(json!({"n": count, "nModified": count, "ok": 1})).into_response())
}

/// `POST /messages/hide-by-sender-in-room`
async fn hide_all(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(asked): Body<Asked>,
) -> Result<Response, ApiError> {
    by_sender(&edge, &caller, asked, true).await
}

/// `POST /messages/unhide-by-sender-in-room`
async fn unhide_all(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(asked): Body<Asked>,
) -> Result<Response, ApiError> {
    by_sender(&edge, &caller, asked, false).await
}
