//! Unread counters over several rooms: `/badges`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::moderation::Act;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller};
use super::limits_of_fields as limits;
use super::routes::{Auth, Kind, Route, Shape};
use super::view::sample;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Act::MindOwn, Method::POST, "/badges/byRoomTags", by_room_tags)
            .auth(Auth::Either)
            .tag("Me")
            .summary("Count what one has not read, by room tag")
            .body(Shape::object("Tags").field("tags", Kind::Texts, "Which; absent or empty: all tags of one's rooms"))
            .body_example(json!({"tags": ["work", "demo"]}))
            .answer(
                Shape::object("BadgesByTag")
                    .required("totalBadge", Kind::Integer, "Over all rooms counted, each once")
                    .required("data", Kind::Counts, "By tag; a tag asked for without unread messages is 0"),
            )
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
    let tags = match body.tags {
        None => Vec::new(),
        Some(tags) => serde_json::from_value::<Vec<String>>(tags).map_err(|_| rows::INVALID_TAGS)?,
    };
    let tags = limits::tags("tags", tags).map_err(|_| rows::INVALID_TAGS)?;
    let (total, by_tag) = edge.chat.badges_by_tags(&caller, Some(tags).filter(|tags| !tags.is_empty())).await?;
    let data: Map<String, Value> = by_tag.into_iter().map(|(tag, badge)| (tag, json!(badge))).collect();
    Ok(Answer(json!({"totalBadge": total, "data": data})).into_response())
}
