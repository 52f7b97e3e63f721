//! The two lists, and what fills them: `/blockStatus`.

mod list;
mod view;

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Error, KeptAnswer, ListKey};
use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::relation::ListQuery;

use self::list::Shape as ListShape;
use self::view::WrittenView;
use super::Edge;
use super::answer::{Answer, tagged};
use super::extract::{Caller, IfNoneMatch, Path, Query};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::sample;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let tagged = |route: Route| route.tag("Moderation");
    let listed = |route: Route| {
        tagged(route)
            .text(
                "Without parameters the list is complete, newest first, whatever its length. The answer carries a \
                 strong ETag and honours If-None-Match.",
            )
            .param(Param::query(
                "limit",
                Kind::Integer,
                "At most so many entries, 1 to 1000; then `nextCursor` leads on",
            ))
            .param(Param::query("cursor", Kind::Text, "Where a page begins: the `nextCursor` of the one before"))
            .param(Param::query(
                "q",
                Kind::Text,
                "Only entries whose blockee's id or nickname holds this text, ignoring case",
            ))
            .param(Param::query("ids", Kind::Text, "Only these blockees: ids separated by commas, at most 200"))
            .param(Param::query(
                "since",
                Kind::Time,
                "Only what changed after this moment; lifted entries then carry `unblockAt`",
            ))
            .param(Param::header("If-None-Match", "The ETag of an answer one has"))
            .errors(&[rows::INVALID_QUERY_PARAMETER])
    };
    let written = |route: Route| {
        tagged(route).answer(Shape::of::<WrittenView<'_>>()).example(sample::answer(&view::written_sample()))
    };
    vec![
        listed(Route::new(Act::ListBlocks, Method::GET, "/blockStatus/my", my_list))
            .summary("List blocked users")
            .param(Param::query("roomType", Kind::Text, "`direct`: only blocks; `group`: only bans one made"))
            .answer(view::list_shape("BlockList", false))
            .errors(&[rows::NO_ACCESS])
            .example(sample::answer(&view::list_sample(false))),
        listed(Route::new(Act::ListBans, Method::GET, "/blockStatus/room/{roomID}", room_list))
            .summary("List banned members")
            .param(Param::path("roomID", "Which room"))
            .answer(view::list_shape("BanList", true))
            .errors(&[rows::BANS_OWNER_ONLY, rows::NOT_ROOM_MEMBER, rows::ROOM_NOT_FOUND])
            .example(sample::answer(&view::list_sample(true))),
        written(Route::new(Act::Block, Method::POST, "/blockStatus/my/{blockee}", block))
            .summary("Block a user")
            .param(Param::path("blockee", "Whom"))
            .errors(&[rows::SELF_BLOCK_FORBIDDEN, rows::USER_NOT_FOUND, rows::ALREADY_BLOCKED]),
        written(Route::new(Act::Unblock, Method::DELETE, "/blockStatus/my/{blockee}", unblock))
            .summary("Unblock a user")
            .param(Param::path("blockee", "Whom"))
            .errors(&[rows::INVALID_USER_ID, rows::BLOCK_NOT_FOUND]),
        written(Route::new(Act::Ban, Method::POST, "/blockStatus/room/{roomID}/{blockee}", ban))
            .auth(Auth::Either)
            .summary("Ban a member")
            .param(Param::path("roomID", "From which room; in a direct room this blocks its other member"))
            .param(Param::path("blockee", "Whom"))
            .errors(&[
                rows::SELF_BLOCK_FORBIDDEN,
                rows::BAN_OWNER_ONLY,
                rows::NOT_ROOM_MEMBER,
                rows::ROOM_OR_USER_NOT_FOUND,
                rows::ALREADY_BANNED,
            ]),
        written(Route::new(Act::Unban, Method::DELETE, "/blockStatus/room/{roomID}/{blockee}", unban))
            .auth(Auth::Either)
            .summary("Unban a member")
            .param(Param::path("roomID", "In which room"))
            .param(Param::path("blockee", "Whom"))
            .errors(&[
                rows::INVALID_USER_ID_IN_ROOM,
                rows::UNBAN_OWNER_ONLY,
                rows::NOT_ROOM_MEMBER,
                rows::ROOM_NOT_FOUND,
                rows::ROOM_OR_USER_NOT_FOUND,
                rows::BAN_NOT_FOUND,
            ]),
    ]
}

/// `GET /blockStatus/my`
async fn my_list(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    query: Query,
    held: IfNoneMatch,
) -> Result<Response, ApiError> {
    let asked = list::asked(&query, true)?;
    let key = asked.is_bare().then(|| ListKey::Blocker(caller.app.number, caller.user()));
    if let Some(answer) = key.as_ref().and_then(|key| edge.chat.kept().get(key)) {
        return tagged(&held, &answer.etag, answer.body);
    }
    // Boxed, so that who finds his answer kept does not carry the room for making one.
    Box::pin(my_list_read(edge, caller, asked, key, held)).await
}

async fn my_list_read(
    edge: Edge,
    caller: banter_chat::Caller,
    asked: ListQuery,
    key: Option<ListKey>,
    held: IfNoneMatch,
) -> Result<Response, ApiError> {
    let ticket = edge.chat.kept().ticket();
    let first = edge.chat.my_blocks(&caller, asked.clone(), false).await?;
    match list::short(first, &asked, ListShape::Blocks).await? {
        Some(short) => keep(&edge, ticket, key, short, &held),
        None => {
            let reader = edge.chat.my_blocks(&caller, asked, true).await?;
            list::streamed(reader, ListShape::Blocks, &held).await
        }
    }
}

/// `GET /blockStatus/room/{roomID}`
async fn room_list(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(room): Path<String>,
    query: Query,
    held: IfNoneMatch,
) -> Result<Response, ApiError> {
    let room = RoomId::parse(room)?;
    let asked = list::asked(&query, false)?;
    let reader = (!caller.is_platform()).then(|| caller.user());
    let key = asked.is_bare().then(|| ListKey::Room(caller.app.number, room.clone(), reader));
    if let Some(answer) = key.as_ref().and_then(|key| edge.chat.kept().get(key)) {
        return tagged(&held, &answer.etag, answer.body);
    }
    Box::pin(room_list_read(edge, caller, (room, asked), key, held)).await
}

async fn room_list_read(
    edge: Edge,
    caller: banter_chat::Caller,
    (room, asked): (RoomId, ListQuery),
    key: Option<ListKey>,
    held: IfNoneMatch,
) -> Result<Response, ApiError> {
    let ticket = edge.chat.kept().ticket();
    let first = edge.chat.bans(&caller, &room, asked.clone(), false).await?;
    // A direct room's list is made of blocks, which change without the room.
    let key = key.filter(|_| first.is_of_room());
    match list::short(first, &asked, ListShape::Bans).await? {
        Some(short) => keep(&edge, ticket, key, short, &held),
        None => {
            let reader = edge.chat.bans(&caller, &room, asked, true).await?;
            list::streamed(reader, ListShape::Bans, &held).await
        }
    }
}

fn keep(
    edge: &Edge,
    ticket: banter_chat::Ticket,
    key: Option<ListKey>,
    short: list::Short,
    held: &IfNoneMatch,
) -> Result<Response, ApiError> {
    let list::Short { body, etag, shows } = short;
    let response = tagged(held, &etag, body.clone());
    if let Some(key) = key {
        edge.chat.kept().offer(ticket, key, shows, KeptAnswer { body, etag });
    }
    response
}

/// `POST /blockStatus/my/{blockee}`
async fn block(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(blockee): Path<Option<UserId>>,
) -> Result<Response, ApiError> {
    // An id that cannot be is nobody's.
    let blockee = blockee.ok_or(Error::NoUser)?;
    let written = edge.chat.block(&caller, &blockee).await?;
    Ok(Answer(WrittenView::of(&caller.app.id, &written)).into_response())
}

/// `DELETE /blockStatus/my/{blockee}`
async fn unblock(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(blockee): Path<Option<UserId>>,
) -> Result<Response, ApiError> {
    let blockee = blockee.ok_or(rows::INVALID_USER_ID)?;
    let written = edge.chat.unblock(&caller, &blockee).await?;
    Ok(Answer(WrittenView::of(&caller.app.id, &written)).into_response())
}

/// `POST /blockStatus/room/{roomID}/{blockee}`
async fn ban(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, blockee)): Path<(Option<RoomId>, Option<UserId>)>,
) -> Result<Response, ApiError> {
    let (room, blockee) = room.zip(blockee).ok_or(Error::NoRoom)?;
    let written = edge.chat.ban(&caller, &room, &blockee).await?;
    Ok(Answer(WrittenView::of(&caller.app.id, &written)).into_response())
}

/// `DELETE /blockStatus/room/{roomID}/{blockee}`
async fn unban(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((room, blockee)): Path<(Option<RoomId>, Option<UserId>)>,
) -> Result<Response, ApiError> {
    let blockee = blockee.ok_or(rows::INVALID_USER_ID_IN_ROOM)?;
    let room = room.ok_or(Error::NoRoom)?;
    let written = edge.chat.unban(&caller, &room, &blockee).await?;
    Ok(Answer(WrittenView::of(&caller.app.id, &written)).into_response())
}
