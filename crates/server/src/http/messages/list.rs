//! A room's messages, page by page.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Anchor, MessagesQuery, TimeField};
use banter_domain::id::{ObjectId, RoomId};
use banter_domain::moderation::Act;
use serde::Serialize;
use serde_json::json;

use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Caller, Path, Query};
use crate::http::limits_of_fields as limits;
use crate::http::routes::{Auth, Kind, Param, Route, Shape};
use crate::http::view::message::{Hex, MessageView};
use crate::http::view::sample;

/// Entries of a page when the request names no limit.
pub(super) const PAGE: usize = 20;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        listing(Route::new(Act::ReadMessages, Method::GET, "/rooms/{id}/messages/v3", list))
            .summary("List a room's messages")
            .text("Newest first. A page that begins at a message has that message as its first entry."),
        listing(Route::new(Act::ReadMessages, Method::GET, "/rooms/{id}/messages", older))
            .deprecated()
            .summary("List a room's messages, or those that a keyword finds")
            .text(
                "Without `q` as `/rooms/{id}/messages/v3`. With `q` the newest that it finds: then `limit` is at most 100, \
                 `totalCount` says how many are here, and the other parameters say nothing.",
            )
            .param(Param::query("q", Kind::Text, "Find these words, as `POST /search` does; at most 4,096 characters")),
    ]
}

fn listing(route: Route) -> Route {
    route
        .auth(Auth::Either)
        .tag("Messages")
        .param(Param::path("id", "Which room"))
        .param(Param::query("beforeMessage", Kind::Id, "From this message to older ones"))
        .param(Param::query("afterMessage", Kind::Id, "From this message to newer ones"))
        .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 20"))
        .param(Param::query("afterTime", Kind::TimeOrMs, "Only those whose time is after this"))
        .param(Param::query(
            "timeRangeField",
            Kind::OneOf(&["updatedAt", "createdAt", "messageTime"]),
            "Which time; default `updatedAt`",
        ))
        .param(Param::query("sortOrder", Kind::OneOf(&["asc", "desc"]), "Default `desc`; after a message `asc`"))
        .answer(Shape::page("Messages", Shape::of::<MessageView<'_>>()).required(
            "userDeletedIDs",
            Kind::Ids,
            "Messages of the page's range that the caller deleted for himself",
        ))
        .example(sample::answer(&json!({"totalCount": 1, "data": [sample::message_shown()], "userDeletedIDs": []})))
        .errors(&[rows::INVALID_QUERY_PARAMETER, rows::NOT_IN_ROOM, rows::ROOM_NOT_FOUND])
}

#[derive(Serialize)]
struct Listing<'a> {
    #[serde(rename = "totalCount")]
    total: i64,
    data: Vec<MessageView<'a>>,
    #[serde(rename = "userDeletedIDs")]
    user_deleted: Vec<Hex>,
}

/// `GET /rooms/{id}/messages/v3`
async fn list(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    query: Query,
) -> Result<Response, ApiError> {
    page(&edge, &caller, &room, &query).await
}

/// `GET /rooms/{id}/messages`
async fn older(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    query: Query,
) -> Result<Response, ApiError> {
    let Some(keyword) = keyword(&query)? else { return page(&edge, &caller, &room, &query).await };
    let limit = limits::limit(&query, PAGE, limits::RECENT)?;
    let found = edge.chat.messages_with(&caller, Some(&room), keyword, limit).await?;
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    Ok(Answer(Listing { total, data: super::shown(&caller, &found), user_deleted: Vec::new() }).into_response())
}

/// What is to be searched for; `None`: nothing.
pub(super) fn keyword(query: &Query) -> Result<Option<&str>, ApiError> {
    match query.one("q")?.filter(|keyword| !keyword.is_empty()) {
        Some(keyword) if !limits::fits(keyword, limits::KEYWORD) => Err(rows::INVALID_QUERY_PARAMETER.with("q")),
        keyword => Ok(keyword),
    }
}

async fn page(edge: &Edge, caller: &banter_chat::Caller, room: &RoomId, query: &Query) -> Result<Response, ApiError> {
    let page = edge.chat.messages(caller, room, asked(query)?).await?;
    let user_deleted = page.put_away.into_iter().map(Hex).collect();
    Ok(Answer(Listing { total: page.total, data: super::shown(caller, &page.data), user_deleted }).into_response())
}

fn asked(query: &Query) -> Result<MessagesQuery, ApiError> {
    let refused = |name: &str| rows::INVALID_QUERY_PARAMETER.with(name);
    let message = |name: &str| {
        let given = query.one(name)?.filter(|id| !id.is_empty());
        given.map(|id| ObjectId::parse(id).ok_or_else(|| refused(name))).transpose()
    };
    let anchor = match (message("beforeMessage")?, message("afterMessage")?) {
        (None, None) => None,
        (Some(id), None) => Some(Anchor::Before(id)),
        (None, Some(id)) => Some(Anchor::After(id)),
        (Some(_), Some(_)) => return Err(refused("afterMessage")),
    };
    let ascending = match query.one("sortOrder")? {
        None | Some("") => matches!(anchor, Some(Anchor::After(_))),
        Some("asc") => true,
        Some("desc") => false,
        Some(_) => return Err(refused("sortOrder")),
    };
    let field = match query.one("timeRangeField")? {
        None | Some("" | "updatedAt") => TimeField::Updated,
        Some("createdAt") => TimeField::Created,
        Some("messageTime") => TimeField::Message,
        Some(_) => return Err(refused("timeRangeField")),
    };
    let after_time = query.moment("afterTime")?.map(|ms| (field, ms));
    Ok(MessagesQuery { anchor, ascending, limit: limits::limit(query, PAGE, limits::PAGE)?, after_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5f890cf37d980e06f6aaf349";

    fn reads(text: &str) -> Result<MessagesQuery, ApiError> {
        asked(&Query::parse(text).unwrap())
    }

    #[test]
    fn pages_begin_where_the_clients_expect() {
        let bare = reads("limit=30").unwrap();
        assert!(bare.anchor.is_none() && !bare.ascending && bare.limit == 30);
        let before = reads(&format!("limit=30&beforeMessage={ID}&sortOrder=desc")).unwrap();
        assert!(matches!(before.anchor, Some(Anchor::Before(_))) && !before.ascending);
        let after = reads(&format!("afterMessage={ID}&sortOrder=asc")).unwrap();
        assert!(matches!(after.anchor, Some(Anchor::After(_))) && after.ascending && after.limit == 20);
        assert!(reads(&format!("afterMessage={ID}")).unwrap().ascending);
        let since = reads("afterTime=2020-10-15T03:50:04Z&timeRangeField=createdAt").unwrap();
        assert!(matches!(since.after_time, Some((TimeField::Created, 1_602_733_804_000))));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let both = format!("beforeMessage={ID}&afterMessage={ID}");
        for bad in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "beforeMessage=x",
            "afterMessage=5f89",
            "sortOrder=up",
            "timeRangeField=seen",
            "afterTime=soon",
            &both,
        ] {
            assert_eq!(reads(bad).unwrap_err().row(Act::ReadMessages).code, "INVALID_QUERY", "{bad}");
        }
    }
}
