//! Search among one's own rooms: `/search`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Found, SearchFor, SearchQuery};
use banter_domain::id::{AppId, ObjectId, RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::room::RoomSeen;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller};
use super::limits_of_fields::{self as limits, bad, missing};
use super::routes::{Kind, Route, Shape};
use super::view::message::Hex;
use super::view::room::RoomView;
use super::view::sample;
use crate::errors::{ApiError, rows};

/// Entries of each type when the request names no limit.
const PAGE: usize = 100;

/// What can be searched for, by its name on the wire.
const TYPES: [(&str, SearchFor); 7] = [
    ("messages", SearchFor::Messages),
    ("files", SearchFor::Files),
    ("roomName", SearchFor::RoomName),
    ("roomMember", SearchFor::RoomMember),
    ("roomTags", SearchFor::RoomTags),
    ("roomPrefTags", SearchFor::RoomPrefTags),
    ("roomPrefFolder", SearchFor::RoomPrefFolder),
];

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let hits = Shape::object("MessageHits")
        .required("room", Kind::one(Shape::of::<RoomView<'_>>()), "Where")
        .required("messages", Kind::Ids, "Which, oldest first")
        .field("messageID", Kind::Id, "Of files: the newest of them");
    let rooms = || Kind::many(Shape::of::<RoomView<'_>>());
    vec![
        Route::new(Act::Search, Method::POST, "/search", search)
            .tag("Messages")
            .summary("Find messages and rooms among one's own rooms")
            .text(
                "Latin-script words are found by prefix, ignoring case and accents; Chinese, Japanese and Korean text by any \
                 part of it. Each type asked for has a list in the answer, be it empty.",
            )
            .body(
                Shape::object("Search")
                    .required("type", Kind::Texts, "One or more of messages, files, roomName, roomMember, roomTags, roomPrefTags, roomPrefFolder")
                    .required("keyword", Kind::Text, "At most 4,096 characters, of which the first 256 count")
                    .field("room", Kind::Id, "Only in this room")
                    .field("roomTags", Kind::Texts, "Only in rooms with all these tags")
                    .field("limit", Kind::Integer, "At most so many of each type: 1 to 1,000, default 100"),
            )
            .body_example(json!({"type": ["messages", "roomName"], "keyword": "tea"}))
            .answer(
                Shape::object("Found")
                    .field("messages", Kind::many(hits.clone()), "By room")
                    .field("files", Kind::many(hits), "By room")
                    .field("roomName", rooms(), "Rooms of this name")
                    .field("roomMember", rooms(), "Rooms with such a member")
                    .field("roomTags", rooms(), "Rooms with such a tag")
                    .field("roomPrefTags", rooms(), "Rooms one has tagged so")
                    .field("roomPrefFolder", rooms(), "Rooms one has put into such a folder"),
            )
            .example(sample::answer(&json!({
                "messages": [{"room": sample::room_shown(), "messages": ["610aafe20000000000000001"]}],
                "roomName": [],
            })))
            .errors(&[rows::INVALID_SEARCH_TYPE, rows::MISSING_PARAMETER]),
    ]
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    r#type: Option<Value>,
    keyword: Option<String>,
    room: Option<String>,
    room_tags: Option<Vec<String>>,
    limit: Option<usize>,
}

impl Asked {
    fn read(self) -> Result<SearchQuery, ApiError> {
        Ok(SearchQuery {
            what: types(self.r#type)?,
            keyword: match self.keyword {
                Some(keyword) if limits::fits(&keyword, limits::KEYWORD) => keyword,
                Some(_) => return Err(bad("keyword", &format!("at most {} characters long", limits::KEYWORD))),
                None => return Err(missing("keyword")),
            },
            room: self.room.map(RoomId::parse).transpose()?,
            tags: limits::tags("roomTags", self.room_tags.unwrap_or_default())?,
            limit: match self.limit {
                None => PAGE,
                Some(limit) if (1..=limits::PAGE).contains(&limit) => limit,
                Some(_) => return Err(bad("limit", &format!("1 to {}", limits::PAGE))),
            },
        })
    }
}

fn types(given: Option<Value>) -> Result<Vec<SearchFor>, ApiError> {
    let refused = rows::INVALID_SEARCH_TYPE;
    let names = match given {
        Some(Value::String(name)) => vec![name],
        Some(names) => serde_json::from_value(names).map_err(|_| refused)?,
        None => Vec::new(),
    };
    let mut what = Vec::new();
    for name in names {
        let (_, one) = TYPES.iter().find(|(known, _)| *known == name).ok_or(refused)?;
        if !what.contains(one) {
            what.push(*one);
        }
    }
    if what.is_empty() { Err(refused.into()) } else { Ok(what) }
}

/// Messages found in one room.
#[derive(Serialize)]
struct Hits<'a> {
    room: RoomView<'a>,
    messages: Vec<Hex>,
    #[serde(rename = "messageID", skip_serializing_if = "Option::is_none")]
    newest: Option<Hex>,
}

/// `POST /search`
async fn search(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(asked): Body<Asked>,
) -> Result<Response, ApiError> {
    let found = edge.chat.search(&caller, asked.read()?).await?;
    Ok(Answer(shown(&caller.app.id, &found, &caller.user())).into_response())
}

/// A list for each type asked for: a client reads them without looking whether they are there.
fn shown(app: &AppId, found: &[(SearchFor, Found)], viewer: &UserId) -> Value {
    let hits = |what: SearchFor, (seen, ids): &(RoomSeen, Vec<ObjectId>)| {
        let newest = ids.last().copied().map(Hex).filter(|_| what == SearchFor::Files);
        json!(Hits {
            room: RoomView::of(app, seen, Some(viewer)),
            messages: ids.iter().copied().map(Hex).collect(),
            newest
        })
    };
    let list = |(what, found): &(SearchFor, Found)| {
        let (name, _) = TYPES.iter().find(|(_, known)| known == what)?;
        let list: Vec<Value> = match found {
            Found::Messages(rooms) => rooms.iter().map(|one| hits(*what, one)).collect(),
            Found::Rooms(rooms) => rooms.iter().map(|seen| json!(RoomView::of(app, seen, Some(viewer)))).collect(),
        };
        Some(((*name).to_owned(), Value::Array(list)))
    };
    Value::Object(found.iter().filter_map(list).collect::<Map<String, Value>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sample::{app, id, object_id, room};

    fn code(body: Value) -> &'static str {
        let asked: Asked = serde_json::from_value(body).unwrap();
        asked.read().map_or_else(|error| error.row(Act::Search).code, |_| "ok")
    }

    #[test]
    fn what_is_asked_for_must_be_known() {
        let all: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        assert_eq!(code(json!({"type": all, "keyword": "tea"})), "ok");
        assert_eq!(code(json!({"type": ["roomName"], "keyword": ""})), "ok");
        for kind in [json!([]), json!(["users"]), json!(null), json!([1]), json!({})] {
            assert_eq!(code(json!({"type": kind, "keyword": "tea"})), "INVALID_SEARCH_TYPE", "{kind}");
        }
        assert_eq!(code(json!({"keyword": "tea"})), "INVALID_SEARCH_TYPE");
        assert_eq!(code(json!({"type": ["messages"]})), "MISSING_PARAMETER");
        assert_eq!(code(json!({"type": ["messages"], "keyword": "tea", "limit": 0})), "INVALID_BODY");
        assert_eq!(code(json!({"type": ["messages"], "keyword": "tea", "room": ""})), "INVALID_ID");
    }

    #[test]
    fn every_type_asked_for_is_a_list_and_every_room_has_members() {
        let found = [
            (SearchFor::Messages, Found::Messages(vec![(room(), vec![object_id(0), object_id(60)])])),
            (SearchFor::Files, Found::Messages(vec![(room(), vec![object_id(0), object_id(60)])])),
            (SearchFor::RoomName, Found::Rooms(vec![room()])),
            (SearchFor::RoomPrefFolder, Found::Rooms(Vec::new())),
        ];
        let shown = shown(&app().unwrap(), &found, &id("aaa"));
        assert_eq!(shown["messages"][0]["messages"], json!([object_id(0).to_string(), object_id(60).to_string()]));
        assert!(shown["messages"][0]["room"]["members"].is_array());
        assert!(shown["messages"][0].get("messageID").is_none());
        assert_eq!(shown["files"][0]["messageID"], object_id(60).to_string());
        assert!(shown["roomName"][0]["members"].is_array());
        assert_eq!(shown["roomPrefFolder"], json!([]));
        assert!(shown.get("roomTags").is_none());
    }
}
