//! User groups, as the platform keeps them: `/admin/groups`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::id::UserId;
use banter_domain::moderation::Act;
use serde::Deserialize;
use serde_json::json;

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller, Query};
use super::limits_of_fields::{self as limits, bad, missing};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::user::GroupView;
use super::view::{Listing, sample};
use crate::errors::{ApiError, rows};

/// Entries of a page when the request names no limit.
const PAGE: usize = 50;

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Act::Operate, Method::POST, "/admin/groups", create)
            .auth(Auth::ApiKey)
            .tag("Users")
            .summary("Make a user group")
            .text("A virtual user: in a room, it lets each of its members act as far as he could himself.")
            .body(
                Shape::object("NewUserGroup")
                    .field("_id", Kind::Id, "Its id; absent: one is made")
                    .required("nickname", Kind::Text, "At most 255 characters")
                    .field("avatarUrl", Kind::Text, "At most 2,048 characters")
                    .field("members", Kind::Ids, "Who is in it, at most 1,000, each once"),
            )
            .body_example(json!({"_id": "support", "nickname": "Support", "members": ["bbb", "ccc"]}))
            .answer(Shape::of::<GroupView<'_>>())
            .example(sample::answer(&sample::group_shown()))
            .errors(&[rows::MISSING_PARAMETER, rows::GROUP_ALREADY_EXISTS, rows::CLIENT_NOT_FOUND]),
        Route::new(Act::Operate, Method::GET, "/admin/groups", list)
            .auth(Auth::ApiKey)
            .tag("Users")
            .summary("List user groups")
            .text("Ordered by id.")
            .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 50"))
            .answer(Shape::page("UserGroups", Shape::of::<GroupView<'_>>()))
            .example(sample::page(&sample::group_shown()))
            .errors(&[rows::INVALID_QUERY_PARAMETER]),
    ]
}

#[derive(Deserialize)]
struct NewGroup {
    #[serde(rename = "_id")]
    id: Option<String>,
    nickname: Option<String>,
    #[serde(rename = "avatarUrl")]
    avatar_url: Option<String>,
    members: Option<Vec<String>>,
}

/// `POST /admin/groups`
async fn create(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(body): Body<NewGroup>,
) -> Result<Response, ApiError> {
    let id = body.id.map(UserId::parse).transpose()?;
    let nickname = limits::text("nickname", body.nickname, limits::NICKNAME)?;
    let nickname = nickname.filter(|nickname| !nickname.is_empty()).ok_or_else(|| missing("nickname"))?;
    let avatar_url = limits::text("avatarUrl", body.avatar_url, limits::ADDRESS)?;
    let members = limits::users("members", body.members.unwrap_or_default())?;
    if id.as_ref().is_some_and(|id| members.contains(id)) {
        return Err(bad("members", "others than the group itself"));
    }
    let group = edge.chat.create_group(&caller, id, nickname, avatar_url, members).await?;
    Ok(Answer(GroupView::of(&group)).into_response())
}

/// `GET /admin/groups`
async fn list(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let limit = limits::limit(&query, PAGE, limits::PAGE)?;
    let page = edge.chat.groups(&caller, limit).await?;
    let data = page.data.iter().map(GroupView::of).collect();
    Ok(Answer(Listing::of(page.total, data)).into_response())
}
