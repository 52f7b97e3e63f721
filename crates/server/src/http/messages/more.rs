//! Other ways to read messages: around one, the newest of all rooms, the pinned one; and the platform's
//! look at a batch and at a span of time.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::MessagesOfApp;
use banter_domain::id::{ObjectId, RoomId};
use banter_domain::message::Message;
use banter_domain::moderation::Act;
use serde_json::json;

use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Caller, Path, Query};
use crate::http::limits_of_fields as limits;
use crate::http::routes::{Auth, Kind, Param, Route, Shape};
use crate::http::view::message::MessageView;
use crate::http::view::{Listing, sample};

use super::list::{PAGE, keyword};
use super::shown;

/// Entries of a page when the request names no limit, in the platform's look at all rooms.
const PAGE_OF_APP: usize = 100;
/// So many messages before and after one, when the request does not say.
const AROUND: usize = 10;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let listed = |route: Route| {
        route
            .tag("Messages")
            .answer(Shape::page("MessageList", Shape::of::<MessageView<'_>>()))
            .example(sample::page(&sample::message_shown()))
            .errors(&[rows::INVALID_QUERY_PARAMETER])
    };
    let counted = |route: Route| {
        route
            .tag("Messages")
            .answer(Shape::page("CountedMessages", Shape::of::<MessageView<'_>>()).required(
                "count",
                Kind::Integer,
                "As `totalCount`",
            ))
            .example(sample::answer(&json!({"totalCount": 1, "count": 1, "data": [sample::message_shown()]})))
            .errors(&[rows::INVALID_QUERY_PARAMETER])
    };
    let platform = |route: Route| {
        route
            .auth(Auth::ApiKey)
            .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 100"))
            .param(Param::query("skip", Kind::Integer, "Leave out so many from the front; default 0"))
    };
    vec![
        listed(Route::new(Act::ReadMessages, Method::GET, "/rooms/{id}/messages/{messageID}", around))
            .auth(Auth::Either)
            .summary("Read a message with what was said around it")
            .text("Newest first.")
            .param(Param::path("id", "Which room"))
            .param(Param::path("messageID", "Which message"))
            .param(Param::query("before", Kind::Integer, "So many before it: 0 to 1,000, default 10"))
            .param(Param::query("after", Kind::Integer, "So many after it: 0 to 1,000, default 10"))
            .errors(&[rows::NOT_IN_ROOM, rows::MESSAGE_NOT_FOUND, rows::ROOM_NOT_FOUND]),
        listed(Route::new(Act::ReadMessages, Method::GET, "/rooms/{id}/pined-messages", pinned))
            .auth(Auth::Either)
            .summary("Read a room's pinned message")
            .text("A list of one, or empty: a room has one pinned message.")
            .param(Param::path("id", "Which room"))
            .errors(&[rows::NOT_IN_ROOM, rows::ROOM_NOT_FOUND]),
        counted(Route::new(Act::Search, Method::GET, "/messages/recent", recent))
            .auth(Auth::Either)
            .summary("Read the newest messages of all of one's rooms")
            .text("Newest first, active rooms only.")
            .param(Param::query("limit", Kind::Integer, "1 to 100, default 20")),
        counted(Route::new(Act::Search, Method::GET, "/messages", of_ones_own))
            .auth(Auth::Either)
            .deprecated()
            .summary("Read the newest messages of all of one's rooms, or those that a keyword finds")
            .text("Newest first. Without `q` as `/messages/recent`.")
            .param(Param::query("q", Kind::Text, "Find these words, as `POST /search` does; at most 4,096 characters"))
            .param(Param::query("limit", Kind::Integer, "1 to 100, default 20")),
        platform(counted(Route::new(Act::Operate, Method::GET, "/messages/batch", of_batch)))
            .summary("Read the messages of a batch")
            .param(Param::query("batchID", Kind::Id, "Which batch").required()),
        platform(listed(Route::new(Act::Operate, Method::GET, "/admin/messages", of_span)))
            .summary("Read the messages of all rooms in a span of time")
            .text("Newest first.")
            .param(Param::query("startDate", Kind::TimeOrMs, "Stored at this moment or later"))
            .param(Param::query("endDate", Kind::TimeOrMs, "Stored before this moment")),
    ]
}

fn total(messages: &[Message]) -> i64 {
    i64::try_from(messages.len()).unwrap_or(i64::MAX)
}

/// `GET /rooms/{id}/messages/{messageID}`
async fn around(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, id)): Path<(RoomId, ObjectId)>,
    query: Query,
) -> Result<Response, ApiError> {
    let side = |name: &str| match limits::given::<usize>(&query, name)? {
        Some(many) if many > limits::PAGE => Err(rows::INVALID_QUERY_PARAMETER.with(name)),
        many => Ok(many.unwrap_or(AROUND)),
    };
    let page = edge.chat.messages_around(&caller, &room, id, (side("before")?, side("after")?)).await?;
    Ok(Answer(Listing::of(page.total, shown(&caller, &page.data))).into_response())
}

/// `GET /rooms/{id}/pined-messages`
async fn pinned(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
) -> Result<Response, ApiError> {
    let found = edge.chat.pinned_messages(&caller, &room).await?;
    Ok(Answer(Listing::of(total(&found), shown(&caller, &found))).into_response())
}

/// `GET /messages/recent`
async fn recent(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    newest(&edge, &caller, &query, None).await
}

/// `GET /messages`
async fn of_ones_own(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    newest(&edge, &caller, &query, keyword(&query)?).await
}

async fn newest(
    edge: &Edge,
    caller: &banter_chat::Caller,
    query: &Query,
    keyword: Option<&str>,
) -> Result<Response, ApiError> {
    let limit = limits::limit(query, PAGE, limits::RECENT)?;
    let found = match keyword {
        None => edge.chat.recent_messages(caller, limit).await?,
        Some(keyword) => edge.chat.messages_with(caller, None, keyword, limit).await?,
    };
    let count = total(&found);
    Ok(Answer(json!({"totalCount": count, "count": count, "data": shown(caller, &found)})).into_response())
}

/// `GET /messages/batch`
async fn of_batch(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let id = query.one("batchID")?.and_then(ObjectId::parse);
    let id = id.ok_or_else(|| rows::INVALID_QUERY_PARAMETER.with("batchID"))?;
    let (limit, skip) = (limits::limit(&query, PAGE_OF_APP, limits::PAGE)?, limits::skip(&query)?);
    let page = edge.chat.messages_of_app(&caller, MessagesOfApp::Batch(id.to_string()), skip, limit).await?;
    let data = shown(&caller, &page.data);
    Ok(Answer(json!({"totalCount": page.total, "count": page.total, "data": data})).into_response())
}

/// `GET /admin/messages`
async fn of_span(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let from = query.moment("startDate")?.unwrap_or(0);
    let until = query.moment("endDate")?.unwrap_or_else(|| edge.chat.now() + 1);
    let (limit, skip) = (limits::limit(&query, PAGE_OF_APP, limits::PAGE)?, limits::skip(&query)?);
    let page = edge.chat.messages_of_app(&caller, MessagesOfApp::Between(from, until), skip, limit).await?;
    Ok(Answer(Listing::of(page.total, shown(&caller, &page.data))).into_response())
}
