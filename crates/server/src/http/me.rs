//! One's own account: `/me`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::id::RoomId;
use banter_domain::moderation::Act;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller, DeviceName, Path, Query, Token};
use super::limits_of_fields as limits;
use super::routes::{Kind, Param, Route, Shape};
use super::users::tokens::{record_shape, record_shown};
use super::users::{change_of, show};
use super::view::sample;
use super::view::user::FullUser;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let account = |route: Route| {
        route.tag("Me").answer(Shape::of::<FullUser<'_>>()).example(sample::answer(&sample::account_shown()))
    };
    let mutes = |route: Route| {
        account(route)
            .text("Muting stops notifications and nothing else. Doing it twice changes nothing.")
            .param(Param::path("room", "Which room"))
            .errors(&[rows::ROOM_NOT_FOUND])
    };
    let record = json!({
        "createdAt": "2021-08-04T15:18:10.735Z", "updatedAt": "2021-08-04T15:18:10.735Z",
        "expirationDate": "2021-08-11T15:18:10.735Z", "expirationDateMS": 1_628_695_090_735_i64,
    });
    vec![
        account(Route::new(Act::MindOwn, Method::GET, "/me", me))
            .summary("Read one's own account")
            .errors(&[rows::USER_NOT_FOUND]),
        account(Route::new(Act::MindOwn, Method::POST, "/me", change))
            .summary("Change one's own account")
            .text("Only what is given changes; all other fields are the platform's to write.")
            .body(
                Shape::object("MeChange")
                    .field("nickname", Kind::Text, "What to call him")
                    .field("avatarUrl", Kind::Text, "His picture")
                    .field("description", Kind::Text, "About him"),
            )
            .body_example(json!({"nickname": "Alecia"}))
            .errors(&[rows::INVALID_USER_ID_IN_ROOM, rows::LIMIT_EXCEEDED]),
        account(Route::new(Act::MindOwn, Method::POST, "/me/notification/enable", enable))
            .summary("Want notifications again")
            .errors(&[rows::USER_NOT_FOUND]),
        account(Route::new(Act::MindOwn, Method::POST, "/me/notification/disable", disable))
            .summary("Want no notifications")
            .errors(&[rows::USER_NOT_FOUND]),
        Route::new(Act::MindOwn, Method::POST, "/me/logout", log_out)
            .tag("Me")
            .summary("End the token one came with")
            .text("With an API key: all tokens of the user it names, and his devices with them.")
            .param(Param::header("IM-Device-ID", "The device one is on, which is notified no more"))
            .answer(Shape::any("EndedToken").text("The record of the token; `{}` to an API key whose user has none"))
            .example(sample::answer(&record)),
        Route::new(Act::MindOwn, Method::POST, "/me/logout-others", log_out_others)
            .tag("Me")
            .summary("End all of one's tokens but the one one came with")
            .text("With an API key: all tokens of the user it names, and his devices with them.")
            .param(Param::header("IM-Device-ID", "The device one is on: all others are notified no more"))
            .answer(Shape::object("EndedTokens").required("data", Kind::many(record_shape()), "Which"))
            .example(sample::answer(&json!({"data": [record]}))),
        mutes(Route::new(Act::MindOwn, Method::POST, "/me/mute/{room}", mute).summary("Mute a room")),
        mutes(Route::new(Act::MindOwn, Method::DELETE, "/me/mute/{room}", unmute).summary("Unmute a room")),
        Route::new(Act::MindOwn, Method::GET, "/me/badge", badge)
            .tag("Me")
            .summary("Count what one has not read")
            .text("Over the active rooms one is in.")
            .param(Param::query("roomTags", Kind::Text, "Only rooms with this tag; may be repeated: with all of them"))
            .answer(Shape::object("Badge").required("badge", Kind::Integer, "Messages not read"))
            .example(sample::answer(&json!({"badge": 3})))
            .errors(&[rows::INVALID_ROOM_TAGS]),
    ]
}

/// `GET /me`
async fn me(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    let account = edge.chat.account(&caller).await?;
    Ok(show(&caller, &account))
}

/// `POST /me`
async fn change(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    // What the app keeps about him, and whether he is a robot, is not his to say.
    fields.retain(|name, _| ["nickname", "avatarUrl", "description"].contains(&name.as_str()));
    let account = edge.chat.change_me(&caller, change_of(fields)?).await?;
    Ok(show(&caller, &account))
}

/// `POST /me/notification/enable`
async fn enable(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    Ok(show(&caller, &edge.chat.set_notifications(&caller, true).await?))
}

/// `POST /me/notification/disable`
async fn disable(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    Ok(show(&caller, &edge.chat.set_notifications(&caller, false).await?))
}

/// `POST /me/logout`
async fn log_out(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Token(token): Token,
    DeviceName(device): DeviceName,
) -> Result<Response, ApiError> {
    let gone = edge.chat.log_out(&caller, false, device.as_deref()).await?;
    // The request carried it, so it may be shown.
    let token = token.filter(|_| !caller.is_platform());
    let record = gone.first().map_or_else(|| json!({}), |record| record_shown(record, token.as_deref()));
    Ok(Answer(record).into_response())
}

/// `POST /me/logout-others`
async fn log_out_others(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    DeviceName(device): DeviceName,
) -> Result<Response, ApiError> {
    let gone = edge.chat.log_out(&caller, true, device.as_deref()).await?;
    let records: Vec<Value> = gone.iter().map(|record| record_shown(record, None)).collect();
    Ok(Answer(json!({"data": records})).into_response())
}

/// `POST /me/mute/{room}`
async fn mute(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
) -> Result<Response, ApiError> {
    let account = edge.chat.mute(&caller, &caller.user(), &room, true, false).await?;
    Ok(show(&caller, &account))
}

/// `DELETE /me/mute/{room}`
async fn unmute(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
) -> Result<Response, ApiError> {
    let account = edge.chat.mute(&caller, &caller.user(), &room, false, false).await?;
    Ok(show(&caller, &account))
}

/// `GET /me/badge`
async fn badge(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let tags: Vec<String> = query.all("roomTags").map(str::to_owned).collect();
    let tags = limits::tags("roomTags", tags).map_err(|_| rows::INVALID_ROOM_TAGS)?;
    let badge = edge.chat.badge(&caller, &tags).await?;
    Ok(Answer(json!({"badge": badge})).into_response())
}
