//! Unread counters over several rooms: `/badges`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::moderation::Act;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{AppKey, Body, Caller, moment_in};
use super::limits_of_fields::{self as limits, bad, missing};
use super::routes::{Auth, Kind, Route, Shape};
use super::view::sample;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let by_tag = || {
        Shape::object("BadgesByTag")
            .required("totalBadge", Kind::Integer, "Over all rooms counted, each once")
            .required("data", Kind::Counts, "By tag; a tag asked for without unread messages is 0")
    };
    vec![
        Route::new(Act::MindOwn, Method::POST, "/badges", of_tokens)
            .auth(Auth::ClientKey)
            .tag("Me")
            .summary("Count what those have not read whose tokens one has")
            .text("For an app in which several people are logged in. A token that is none is passed over.")
            .body(Shape::object("Tokens").required("tokens", Kind::Texts, "At most 100"))
            .body_example(json!({"tokens": ["TOKEN-1", "TOKEN-2"]}))
            .answer(Shape::object("BadgesOfTokens").required("totalBadge", Kind::Integer, "Over all of them").required(
                "data",
                Kind::many(Shape::object("BadgeOfToken").required("client", Kind::Id, "Who").required(
                    "badge",
                    Kind::Integer,
                    "Messages not read",
                )),
                "Each user once",
            ))
            .example(sample::answer(&json!({"data": [{"client": "aaa", "badge": 87}], "totalBadge": 87})))
            .errors(&[rows::MISSING_PARAMETER]),
        Route::new(Act::MindOwn, Method::POST, "/badges/byRoomTagsAndTime", by_room_tags_and_time)
            .auth(Auth::Either)
            .tag("Me")
            .summary("Count what one has not read of what was said before a moment, by room tag")
            .body(
                Shape::object("TagsAndTime")
                    .field("tags", Kind::Texts, "Which; absent or empty: all tags of one's rooms")
                    .required("beforeTime", Kind::TimeOrMs, "Only messages stored before this moment"),
            )
            .body_example(json!({"tags": ["work"], "beforeTime": "2023-11-18T02:00:00Z"}))
            .answer(by_tag())
            .example(sample::answer(&json!({"totalBadge": 2, "data": {"work": 2}})))
            .errors(&[rows::INVALID_TAGS, rows::MISSING_PARAMETER]),
        Route::new(Act::MindOwn, Method::POST, "/badges/byRoomTags", by_room_tags)
            .auth(Auth::Either)
            .tag("Me")
            .summary("Count what one has not read, by room tag")
            .body(Shape::object("Tags").field("tags", Kind::Texts, "Which; absent or empty: all tags of one's rooms"))
            .body_example(json!({"tags": ["work", "demo"]}))
            .answer(by_tag())
            .example(sample::answer(&json!({"totalBadge": 8, "data": {"work": 8, "demo": 0}})))
            .errors(&[rows::INVALID_TAGS]),
    ]
}

#[derive(Deserialize)]
struct Asked {
    tags: Option<Value>,
}

/// `POST /badges/byRoomTags`
async fn by_room_tags(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(body): Body<Asked>,
) -> Result<Response, ApiError> {
    counted(&edge, &caller, body.tags, None).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskedBefore {
    tags: Option<Value>,
    before_time: Option<Value>,
}

/// `POST /badges/byRoomTagsAndTime`
async fn by_room_tags_and_time(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(body): Body<AskedBefore>,
) -> Result<Response, ApiError> {
    let before = body.before_time.ok_or_else(|| missing("beforeTime"))?;
    let before_ms = moment_in(&before).ok_or_else(|| bad("beforeTime", "a moment"))?;
    counted(&edge, &caller, body.tags, Some(before_ms)).await
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Option<Vec<String>>,
}

/// `POST /badges`
async fn of_tokens(
    State(edge): State<Edge>,
    AppKey(app): AppKey,
    Body(body): Body<Tokens>,
) -> Result<Response, ApiError> {
    let tokens = body.tokens.ok_or_else(|| missing("tokens"))?;
    if tokens.len() > limits::TOKENS {
        return Err(bad("tokens", &format!("a list of at most {}", limits::TOKENS)));
    }
    let found = edge.chat.badges_of_tokens(&app, &tokens).await?;
    let total: i64 = found.iter().map(|(_, badge)| badge).sum();
    let data: Vec<Value> = found.iter().map(|(user, badge)| json!({"client": user.as_str(), "badge": badge})).collect();
    Ok(Answer(json!({"data": data, "totalBadge": total})).into_response())
}

async fn counted(
    edge: &Edge,
    caller: &banter_chat::Caller,
    tags: Option<Value>,
    before_ms: Option<i64>,
) -> Result<Response, ApiError> {
    let tags = match tags {
        None => Vec::new(),
        Some(tags) => serde_json::from_value::<Vec<String>>(tags).map_err(|_| rows::INVALID_TAGS)?,
    };
    let tags = limits::tags("tags", tags).map_err(|_| rows::INVALID_TAGS)?;
    let tags = Some(tags).filter(|tags| !tags.is_empty());
    let (total, by_tag) = edge.chat.badges_by_tags(caller, tags, before_ms).await?;
    let data: Map<String, Value> = by_tag.into_iter().map(|(tag, badge)| (tag, json!(badge))).collect();
    Ok(Answer(json!({"totalBadge": total, "data": data})).into_response())
}
