//! Small questions about rooms: which there are, which one left, how much is in them.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_domain::id::RoomId;
use banter_domain::moderation::Act;
use banter_domain::room::LeftRoom;
use serde_json::{Value, json};

use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Caller, Path, Query};
use crate::http::limits_of_fields as limits;
use crate::http::routes::{Auth, Kind, Param, Route, Shape};
use crate::http::view::time::Iso;
use crate::http::view::{Listing, sample};

/// Entries of a page when the request names no limit.
const PAGE: usize = 100;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let rooms = |route: Route| route.tag("Rooms");
    let left = Shape::object("LeftRoom")
        .text("A room one is no longer in, as much of it as one may still know")
        .required("_id", Kind::Id, "Which")
        .required("id", Kind::Id, "Which")
        .field("name", Kind::Text, "Shown name")
        .field("cover", Kind::Text, "Shown picture")
        .field("description", Kind::Text, "Shown description")
        .required("roomType", Kind::OneOf(&["direct", "group", "custom"]), "Its type")
        .required("roomTags", Kind::Texts, "Tags shared by all")
        .required("encrypted", Kind::Flag, "Always false")
        .required("pref", Kind::Object, "One's own preferences for it, with `quittedAt`: when one left")
        .required("createdTimeMS", Kind::Integer, "When it was made, milliseconds");
    vec![
        rooms(Route::new(Act::ReadRoom, Method::GET, "/rooms/ids", ids))
            .summary("List the ids of one's rooms")
            .text("Active rooms only, ordered by id.")
            .param(Param::query("skip", Kind::Integer, "Leave out so many from the front; default 0"))
            .param(Param::query("limit", Kind::Integer, "At most so many; default 0: all"))
            .answer(
                Shape::object("RoomIds")
                    .required("totalCount", Kind::Integer, "How many there are in all")
                    .required("data", Kind::Ids, "Which"),
            )
            .example(sample::answer(&json!({"totalCount": 1, "data": ["demo-room"]})))
            .errors(&[rows::INVALID_QUERY_PARAMETER]),
        rooms(Route::new(Act::ReadRoom, Method::GET, "/rooms/quitted", quitted))
            .summary("List the rooms one left")
            .text("The last one first.")
            .param(Param::query("skip", Kind::Integer, "Leave out so many from the front; default 0"))
            .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 100"))
            .answer(Shape::page("LeftRooms", left))
            .example(sample::answer(&json!({"totalCount": 1, "data": [{
                "_id": "demo-room", "id": "demo-room", "name": "Demo room", "roomType": "group", "roomTags": [],
                "encrypted": false, "pref": {"quittedAt": "2021-08-04T15:18:10.735Z"}, "createdTimeMS": 1_525_001_412_492_i64,
            }]})))
            .errors(&[rows::INVALID_QUERY_PARAMETER]),
        rooms(Route::new(Act::FindRoom, Method::GET, "/rooms/{id}/exists", exists))
            .auth(Auth::Either)
            .summary("Is there a room of this id?")
            .text("One need not be in it.")
            .param(Param::path("id", "Which room"))
            .answer(Shape::object("Existence").required("exists", Kind::Flag, "Is there one?"))
            .example(sample::answer(&json!({"exists": true}))),
        rooms(Route::new(Act::ReadMessages, Method::GET, "/rooms/{id}/count", count))
            .auth(Auth::Either)
            .summary("Count a room's messages")
            .param(Param::path("id", "Which room"))
            .param(Param::query("timeInMS", Kind::Integer, "Only those stored after this moment, milliseconds"))
            .answer(Shape::object("MessageCount").required("count", Kind::Integer, "How many messages one sees"))
            .example(sample::answer(&json!({"count": 9})))
            .errors(&[rows::INVALID_QUERY_PARAMETER, rows::NOT_IN_ROOM, rows::ROOM_NOT_FOUND]),
    ]
}

/// `GET /rooms/ids`
async fn ids(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let limit = query.read::<u32>("limit")?.filter(|limit| *limit > 0);
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let page = edge.chat.room_ids(&caller, limits::skip(&query)?, limit).await?;
    let data = page.data.iter().map(|id| Value::from(id.as_str())).collect();
    Ok(Answer(Listing::of(page.total, data)).into_response())
}

/// `GET /rooms/quitted`
async fn quitted(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let limit = limits::limit(&query, PAGE, limits::PAGE)?;
    let page = edge.chat.rooms_left(&caller, limits::skip(&query)?, limit).await?;
    let data = page.data.into_iter().map(limited).collect();
    Ok(Answer(Listing::of(page.total, data)).into_response())
}

fn limited(LeftRoom { room, mut pref, left_ms }: LeftRoom) -> Value {
    pref.insert("quittedAt".to_owned(), json!(Iso::of(left_ms)));
    let mut shown = json!({
        "_id": room.id.as_str(), "id": room.id.as_str(), "roomType": room.kind.name(), "roomTags": room.tags,
        "encrypted": false, "pref": pref, "createdTimeMS": room.created_ms,
    });
    if let Some(fields) = shown.as_object_mut() {
        for (name, text) in [("name", room.name), ("cover", room.cover), ("description", room.description)] {
            fields.extend(text.map(|text| (name.to_owned(), Value::from(text))));
        }
    }
    shown
}

/// `GET /rooms/{id}/exists`
async fn exists(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
) -> Result<Response, ApiError> {
    Ok(Answer(json!({"exists": edge.chat.room_exists(&caller, &room).await?})).into_response())
}

/// `GET /rooms/{id}/count`
async fn count(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    query: Query,
) -> Result<Response, ApiError> {
    let after_ms = query.moment("timeInMS")?;
    Ok(Answer(json!({"count": edge.chat.count_messages(&caller, &room, after_ms).await?})).into_response())
}
