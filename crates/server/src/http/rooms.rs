//! Rooms: making, listing, reading, changing, deleting. Their members are in `members.rs`.

mod filter;
mod find;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{NewKind, NewRoom, RoomChange, RoomsQuery, SortBy, Who};
use banter_domain::filter::Filter;
use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::room::RoomSeen;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Edge;
use super::answer::{Answer, AnswerSaying};
use super::extract::{Body, Caller, Path, Query};
use super::limits_of_fields as limits;
use super::members::way;
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::room::RoomView;
use super::view::{Listing, sample};
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let room = |route: Route| {
        route.tag("Rooms").answer(Shape::of::<RoomView<'_>>()).example(sample::answer(&sample::room_shown()))
    };
    let mut routes = find::routes();
    routes.extend([
        room(Route::new(Act::CreateRoom, Method::POST, "/rooms", create))
            .auth(Auth::Either)
            .summary("Make a room")
            .text(
                "Nobody joins by it: the members are those named. Made by a user, the room is his. An API key reads \
                 `members` as ids in the answer.",
            )
            .body(new_room("NewRoom").field("members", Kind::Ids, "Who is in it, at most 1,000, each once"))
            .body_example(json!({"_id": "demo-room", "name": "Demo room", "roomType": "group", "members": ["aaa", "bbb"]}))
            .errors(&[rows::INVALID_ROOM_TYPE, rows::USER_NOT_FOUND, rows::USER_BANNED, rows::ROOM_ALREADY_EXISTS]),
        room(Route::new(Act::OpenRoom, Method::POST, "/rooms/createAndJoin", open))
            .auth(Auth::Either)
            .summary("Make a room, or open one that is there, and join it")
            .text("A direct room without an id is the pair's own: whoever of the two opens it gets the same.")
            .body(
                new_room("OpenedRoom")
                    .field("invitee", Kind::Any, "Whom to bring in: an id or a list of ids")
                    .field("invitationRequired", Kind::Flag, "Only ask them into a group: each comes when he joins"),
            )
            .body_example(json!({"roomType": "direct", "invitee": "bbb"}))
            .errors(&[
                rows::INVALID_ROOM_TYPE,
                rows::USER_NOT_FOUND,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::TARGET_BANNED,
                rows::INVITE_DENIED,
                rows::DIRECT_ROOM,
                rows::ROOM_CLOSED,
                rows::ROOM_FROZEN,
            ]),
        Route::new(Act::ReadRoom, Method::GET, "/rooms", list)
            .tag("Rooms")
            .summary("List one's rooms")
            .text("Active rooms only, each as the caller sees it.")
            .param(Param::query("sort", Kind::Text, "`lastMessage` and `createdTime`, separated by spaces, `-` in front: newest first"))
            .param(Param::query("skip", Kind::Integer, "Leave out so many from the front; default 0"))
            .param(Param::query("limit", Kind::Integer, "At most so many; default 0: all"))
            .param(Param::query("updatedAfter", Kind::TimeOrMs, "Only rooms made, or with a message written, after this"))
            .param(Param::query("pref", Kind::Text, "A filter over one's preferences for the room, as JSON"))
            .param(Param::query("q", Kind::Text, "A filter over the room, in MongoDB's syntax, as JSON; `members` is ignored, and fields it does not know are refused"))
            .param(Param::query("sortUnreadFirst", Kind::Integer, "Not 0: rooms with unread messages come first"))
            .answer(Shape::page("Rooms", Shape::of::<RoomView<'_>>()))
            .example(sample::page(&sample::room_shown()))
            .errors(&[rows::INVALID_QUERY_PARAMETER, rows::USER_NOT_FOUND]),
        room(Route::new(Act::ReadRoom, Method::GET, "/rooms/{id}", read))
            .auth(Auth::Either)
            .summary("Read a room, its members with it")
            .param(Param::path("id", "Which room"))
            .errors(&[rows::NOT_ROOM_MEMBER, rows::ROOM_NOT_FOUND]),
        room(Route::new(Act::UpdateRoom, Method::PUT, "/rooms/{id}", update))
            .auth(Auth::Either)
            .summary("Change, freeze or thaw a room")
            .text("Only the fields given change. Of owner and managers, see `owner` and `managers`; a room's type never changes.")
            .param(Param::path("id", "Which room"))
            .body(changed_room())
            .body_example(json!({"name": "Tea room", "status": 1}))
            .errors(&[
                rows::UPDATE_SUPERUSER_ONLY,
                rows::FREEZE_SUPERUSER_ONLY,
                rows::NOT_ROOM_MEMBER,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::ROOM_FROZEN,
                rows::ROOM_WITH_ID_NOT_FOUND,
                rows::MEMBER_NOT_FOUND,
                rows::USER_NOT_FOUND,
            ]),
        Route::new(Act::DeleteRoom, Method::DELETE, "/rooms/{id}", delete)
            .auth(Auth::Either)
            .tag("Rooms")
            .summary("Delete a room and everything in it")
            .param(Param::path("id", "Which room"))
            .answer(
                Shape::object("DeletedRoom")
                    .required("n", Kind::Integer, "Always 1")
                    .required("ok", Kind::Integer, "Always 1"),
            )
            .example(sample::answer(&json!({"n": 1, "ok": 1})))
            .errors(&[rows::DELETE_OWNER_ONLY, rows::USER_BLOCKED, rows::ROOM_NOT_FOUND]),
    ]);
    routes
}

fn described(shape: Shape) -> Shape {
    shape
        .field("name", Kind::Text, "At most 255 characters")
        .field("cover", Kind::Text, "At most 2,048 characters")
        .field("description", Kind::Text, "At most 4,096 characters")
        .field("webhook", Kind::Text, "At most 2,048 characters")
        .field("extParams", Kind::Text, "The app's own parameters, at most 65,536 characters")
        .field("roomTags", Kind::Texts, "At most 100 of 1 to 255 characters")
        .field("botMode", Kind::Flag, "May the robot answer?")
}

fn new_room(name: &'static str) -> Shape {
    described(Shape::object(name))
        .field("_id", Kind::Id, "Its id; absent: one is made")
        .field("roomType", Kind::OneOf(&["direct", "group", "custom"]), "Default `group`")
        .field("owner", Kind::Id, "Who owns it")
        .field("systemMessage", Kind::Flag, "Write into the room who came in; default false")
}

fn changed_room() -> Shape {
    described(Shape::object("RoomChange"))
        .field("status", Kind::Integer, "0: freeze it, nobody speaks. 1: thaw it")
        .field("opening", Kind::Integer, "0: only owner and managers bring people in. 1: people may join")
        .field("owner", Kind::Id, "Give it away: only its owner, or the platform")
        .field("managers", Kind::Ids, "Who manages it from now on")
}

/// Through whose eyes a room is seen; the platform's own client has none.
fn viewer(caller: &banter_chat::Caller) -> Option<UserId> {
    match &caller.who {
        Who::Platform { on_behalf_of: None } => None,
        Who::Platform { on_behalf_of: Some(_) } | Who::User { .. } => Some(caller.user()),
    }
}

/// A room in an answer, as the caller sees it.
pub(super) fn show(caller: &banter_chat::Caller, seen: &RoomSeen) -> Response {
    Answer(RoomView::of(&caller.app.id, seen, viewer(caller).as_ref())).into_response()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A room to make or open.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    #[serde(rename = "_id")]
    id: Option<String>,
    name: Option<String>,
    cover: Option<String>,
    description: Option<String>,
    webhook: Option<String>,
    ext_params: Option<String>,
    room_type: Option<String>,
    members: Option<Vec<String>>,
    invitee: Option<OneOrMany>,
    room_tags: Option<Vec<String>>,
    bot_mode: Option<bool>,
    owner: Option<String>,
    system_message: Option<bool>,
    invitation_required: Option<bool>,
}

impl Given {
    fn kind(&self) -> Result<Option<NewKind>, ApiError> {
        match self.room_type.as_deref() {
            None => Ok(None),
            Some("direct") => Ok(Some(NewKind::Direct)),
            Some("group") => Ok(Some(NewKind::Group)),
            Some("custom") => Ok(Some(NewKind::Custom)),
            Some(_) => Err(rows::INVALID_ROOM_TYPE.into()),
        }
    }

    fn with(self, members: Vec<UserId>) -> Result<NewRoom, ApiError> {
        Ok(NewRoom {
            kind: self.kind()?,
            id: self.id.map(nameable).transpose()?,
            name: limits::text("name", self.name, limits::NAME)?,
            cover: limits::text("cover", self.cover, limits::ADDRESS)?,
            description: limits::text("description", self.description, limits::DESCRIPTION)?,
            webhook: limits::text("webhook", self.webhook, limits::ADDRESS)?,
            ext_params: limits::text("extParams", self.ext_params, limits::EXT_PARAMS)?,
            members,
            tags: limits::tags("roomTags", self.room_tags.unwrap_or_default())?,
            bot_mode: self.bot_mode,
            owner: self.owner.map(UserId::parse).transpose()?,
            way: way(self.invitation_required),
            system_message: self.system_message.unwrap_or(false),
        })
    }
}

/// What stands in some path where a room's id does: a room of such an id could not be read.
static TAKEN: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let names = super::routes::routes().into_iter().filter_map(|route| route.path.strip_prefix("/rooms/"));
    names.filter(|name| !name.contains(['/', '{'])).collect()
});

/// The id of a new room. Errors: 400 `INVALID_ID`.
fn nameable(id: String) -> Result<RoomId, ApiError> {
    if TAKEN.contains(id.as_str()) { Err(rows::INVALID_ID.into()) } else { Ok(RoomId::parse(id)?) }
}

/// `POST /rooms`
async fn create(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(mut given): Body<Given>,
) -> Result<Response, ApiError> {
    let members = limits::users("members", given.members.take().unwrap_or_default())?;
    let seen = edge.chat.create_room(&caller, given.with(members)?).await?;
    if !caller.is_platform() {
        return Ok(show(&caller, &seen));
    }
    Ok(Answer(RoomView::with_member_ids(&caller.app.id, &seen, viewer(&caller).as_ref())).into_response())
}

/// `POST /rooms/createAndJoin`
async fn open(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(mut given): Body<Given>,
) -> Result<Response, ApiError> {
    let invitees = match given.invitee.take() {
        None => Vec::new(),
        Some(OneOrMany::One(invitee)) => vec![invitee],
        Some(OneOrMany::Many(invitees)) => invitees,
    };
    let mut invitees = limits::users("invitee", invitees)?;
    // He joins anyway.
    invitees.retain(|invitee| *invitee != caller.user());
    let seen = edge.chat.open_room(&caller, given.with(invitees)?).await?;
    Ok(show(&caller, &seen))
}

/// `GET /rooms`
async fn list(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let page = edge.chat.rooms(&caller, asked(&query)?).await?;
    let viewer = caller.user();
    let data = page.data.iter().map(|seen| RoomView::of(&caller.app.id, seen, Some(&viewer))).collect();
    Ok(Answer(Listing::of(page.total, data)).into_response())
}

fn asked(query: &Query) -> Result<RoomsQuery, ApiError> {
    let limit = query.read::<u32>("limit")?.filter(|limit| *limit > 0);
    Ok(RoomsQuery {
        sort: sort(query.one("sort")?.unwrap_or_default())?,
        skip: limits::skip(query)?,
        limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        updated_after_ms: query.moment("updatedAfter")?,
        pref: filter(query, "pref")?,
        filter: filter(query, "q")?
            .map(|given| filter::understood(given).ok_or_else(|| rows::INVALID_QUERY_PARAMETER.with("q")))
            .transpose()?,
        unread_first: limits::given::<i64>(query, "sortUnreadFirst")?.is_some_and(|flag| flag != 0),
    })
}

fn sort(text: &str) -> Result<Vec<(SortBy, bool)>, ApiError> {
    let read = |word: &str| {
        let (name, descending) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
        let by = match name {
            "lastMessage" => SortBy::LastMessage,
            "createdTime" => SortBy::CreatedTime,
            _ => return Err(rows::INVALID_QUERY_PARAMETER.with("sort")),
        };
        Ok((by, descending))
    };
    text.split_whitespace().map(read).collect()
}

fn filter(query: &Query, name: &str) -> Result<Option<Filter>, ApiError> {
    let Some(text) = query.one(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let refused = || rows::INVALID_QUERY_PARAMETER.with(name);
    let value: Value = serde_json::from_str(text).map_err(|_| refused())?;
    Ok(Some(Filter::parse(&value).map_err(|_| refused())?))
}

/// `GET /rooms/{id}`
async fn read(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
) -> Result<Response, ApiError> {
    let seen = edge.chat.room(&caller, &room).await?;
    Ok(show(&caller, &seen))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    name: Option<String>,
    cover: Option<String>,
    description: Option<String>,
    webhook: Option<String>,
    ext_params: Option<String>,
    room_tags: Option<Vec<String>>,
    bot_mode: Option<bool>,
    opening: Option<i64>,
    status: Option<i64>,
    owner: Option<String>,
    managers: Option<Vec<String>>,
}

/// `PUT /rooms/{id}`
async fn update(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
    Body(body): Body<Change>,
) -> Result<Response, ApiError> {
    let change = RoomChange {
        name: limits::text("name", body.name, limits::NAME)?,
        cover: limits::text("cover", body.cover, limits::ADDRESS)?,
        description: limits::text("description", body.description, limits::DESCRIPTION)?,
        webhook: limits::text("webhook", body.webhook, limits::ADDRESS)?,
        ext_params: limits::text("extParams", body.ext_params, limits::EXT_PARAMS)?,
        tags: body.room_tags.map(|tags| limits::tags("roomTags", tags)).transpose()?,
        bot_mode: body.bot_mode,
        closed: limits::switch("opening", body.opening)?.map(|open| !open),
        frozen: limits::switch("status", body.status)?.map(|active| !active),
        owner: body.owner.map(UserId::parse).transpose()?,
        managers: body.managers.map(|managers| limits::users("managers", managers)).transpose()?,
    };
    let freezes = change.frozen == Some(true);
    let seen = edge.chat.update_room(&caller, &room, change).await?;
    let viewer = viewer(&caller);
    let view = RoomView::of(&caller.app.id, &seen, viewer.as_ref());
    Ok(if freezes {
        AnswerSaying("Room frozen successfully", view).into_response()
    } else {
        Answer(view).into_response()
    })
}

/// `DELETE /rooms/{id}`
async fn delete(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<RoomId>,
) -> Result<Response, ApiError> {
    edge.chat.delete_room(&caller, &room).await?;
    Ok(Answer(json!({"n": 1, "ok": 1})).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Result<RoomsQuery, ApiError> {
        asked(&Query::parse(text).unwrap())
    }

    #[test]
    fn what_the_web_client_sends_is_understood() {
        let query =
            reads("skip=0&limit=30&q=%7B+%22members%22:+%22aaa%22+%7D&sort=-lastMessage&sortUnreadFirst=0").unwrap();
        assert_eq!((query.skip, query.limit, query.unread_first), (0, Some(30), false));
        assert!(matches!(query.sort[..], [(SortBy::LastMessage, true)]));
        assert_eq!(query.filter, Some(Filter::always()));
        assert_eq!(reads("limit=0").unwrap().limit, None);
        assert_eq!(reads("sort=createdTime+-lastMessage").unwrap().sort.len(), 2);
        assert_eq!(reads("updatedAfter=2020-10-15T03:28:54Z").unwrap().updated_after_ms, Some(1_602_732_534_000));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in [
            "limit=-1",
            "limit=x",
            "skip=-1",
            "sort=name",
            "updatedAfter=soon",
            "pref=%7B",
            "q=1",
            "q=%7B%22$where%22:1%7D",
            "sortUnreadFirst=yes",
            "limit=99999999999",
        ] {
            let error = reads(bad).unwrap_err();
            assert_eq!(error.row(Act::ReadRoom).code, "INVALID_QUERY", "{bad}");
            assert_eq!(error.row(Act::ReadRoom).rm, "Invalid parameters", "{bad}");
        }
    }
}
