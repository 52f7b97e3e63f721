//! Being asked into rooms (rest.md 3.13). One is asked by `POST /rooms/{id}/members` with
//! `invitationRequired`, and accepts by joining.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::id::{AppId, RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::room::{InvitationSeen, RoomSeen};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller, Path, Query};
use super::limits_of_fields::{self as limits, missing};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::invitation::InvitationView;
use super::view::{Listing, sample};
use crate::errors::{ApiError, rows};

/// Entries of a page when the request names no limit.
const PAGE: usize = 100;

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let listed = |route: Route| {
        route
            .tag("Invitations")
            .answer(Shape::page("Invitations", Shape::of::<InvitationView<'_>>()))
            .example(sample::page(&sample::invitation_shown()))
    };
    let paged = |route: Route| {
        listed(route)
            .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 100"))
            .param(Param::query("skip", Kind::Integer, "Leave out so many from the front; default 0"))
            .errors(&[rows::INVALID_QUERY_PARAMETER])
    };
    let cancels = [rows::NOT_ROOM_MEMBER, rows::USER_BANNED, rows::UNINVITE_DENIED, rows::ROOM_NOT_FOUND];
    vec![
        paged(Route::new(Act::MindOwn, Method::GET, "/rooms/invitations", mine))
            .summary("List the rooms one is asked into")
            .text("Newest first. What somebody asks whom the caller has blocked is left out."),
        paged(Route::new(Act::ReadRoom, Method::GET, "/rooms/{id}/invitations", of_room))
            .auth(Auth::Either)
            .summary("List who is asked into a room")
            .param(Param::path("id", "Which room"))
            .errors(&[rows::NOT_ROOM_MEMBER, rows::ROOM_NOT_FOUND]),
        listed(Route::new(Act::MindOwn, Method::DELETE, "/rooms/{id}/invitations", decline))
            .summary("Decline an invitation")
            .text("Answers with the invitations that remain. Where one is not asked nothing changes.")
            .param(Param::path("id", "Into which room")),
        listed(Route::new(Act::Uninvite, Method::POST, "/rooms/{id}/delete/invitations", cancel))
            .auth(Auth::Either)
            .summary("Take invitations back")
            .text(
                "One's own; owner, managers and the platform take back anybody's. Whoever is not asked is passed over. \
                 Answers with those that remain in the room.",
            )
            .param(Param::path("id", "Into which room"))
            .body(
                Shape::object("Uninvited")
                    .required("invitees", Kind::Ids, "Who is asked no longer, at most 1,000, each once")
                    .field("systemMessage", Kind::Flag, "Write it into the room; default false"),
            )
            .body_example(json!({"invitees": ["bbb"]}))
            .errors(&[rows::MISSING_PARAMETER])
            .errors(&cancels),
        listed(Route::new(Act::Uninvite, Method::DELETE, "/rooms/{id}/invitations/{invitee}", cancel_one))
            .auth(Auth::Either)
            .summary("Take one invitation back")
            .text("As `POST /rooms/{id}/delete/invitations`, under its older name.")
            .param(Param::path("id", "Into which room"))
            .param(Param::path("invitee", "Who is asked no longer"))
            .errors(&cancels),
    ]
}

/// A room as somebody sees it who is asked into it and not there yet: without its people and words.
pub(super) fn from_outside(invitation: &InvitationSeen) -> RoomSeen {
    let room = invitation.room.clone();
    RoomSeen { room, owner: None, members: Vec::new(), last_message: None, outlook: None }
}

fn listing(app: &AppId, page: &banter_chat::Page<InvitationSeen>, of_room: bool) -> Result<Response, ApiError> {
    let fault = |error: serde_json::Error| ApiError::Fault(error.to_string());
    let shown = |one: &InvitationSeen| {
        let outside = from_outside(one);
        let view = InvitationView::of(app, one, (!of_room).then_some(&outside));
        serde_json::to_value(view).map_err(fault)
    };
    let data = page.data.iter().map(shown).collect::<Result<Vec<Value>, _>>()?;
    Ok(Answer(Listing::of(page.total, data)).into_response())
}

/// `GET /rooms/invitations`
async fn mine(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let limit = limits::limit(&query, PAGE, limits::PAGE)?;
    let page = edge.chat.my_invitations(&caller, limits::skip(&query)?, limit).await?;
    listing(&caller.app.id, &page, false)
}

/// `GET /rooms/{id}/invitations`
async fn of_room(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = limits::limit(&query, PAGE, limits::PAGE)?;
    let page = edge.chat.invitations_into(&caller, &room, limits::skip(&query)?, limit).await?;
    listing(&caller.app.id, &page, true)
}

/// `DELETE /rooms/{id}/invitations`
async fn decline(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
) -> Result<Response, ApiError> {
    edge.chat.decline_invitation(&caller, &room).await?;
    listing(&caller.app.id, &edge.chat.my_invitations(&caller, 0, PAGE).await?, false)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uninvited {
    invitees: Option<Vec<String>>,
    system_message: Option<bool>,
}

/// `POST /rooms/{id}/delete/invitations`
async fn cancel(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(body): Body<Uninvited>,
) -> Result<Response, ApiError> {
    let invitees = limits::users("invitees", body.invitees.ok_or_else(|| missing("invitees"))?)?;
    take_back(&edge, &caller, &room, invitees, body.system_message.unwrap_or(false)).await
}

/// `DELETE /rooms/{id}/invitations/{invitee}`
async fn cancel_one(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, invitee)): Path<(RoomId, UserId)>,
) -> Result<Response, ApiError> {
    take_back(&edge, &caller, &room, vec![invitee], false).await
}

async fn take_back(
    edge: &Edge,
    caller: &banter_chat::Caller,
    room: &RoomId,
    invitees: Vec<UserId>,
    say: bool,
) -> Result<Response, ApiError> {
    edge.chat.cancel_invitations(caller, room, invitees, say).await?;
    listing(&caller.app.id, &edge.chat.invitations_into(caller, room, 0, PAGE).await?, true)
}
