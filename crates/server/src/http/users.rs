//! Users, as the platform keeps them: `/admin/clients`.

mod filter;
pub(super) mod tokens;

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Account, Grant};
use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Act;
use banter_domain::user::{Profile, UserChange};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::tokens::{Given, expiry_of, flat, token_of};
use super::Edge;
use super::answer::{Answer, FlatAnswer};
use super::extract::{Body, Caller, Path, Query};
use super::limits_of_fields::{self as limits, bad, take_flag, take_text};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::user::{FullUser, is_ours};
use super::view::{Listing, sample};
use crate::errors::{ApiError, rows};

/// Entries of a page of users when the request names no limit, and at most.
const PAGE: (usize, usize) = (50, 100);

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        route(Method::POST, "/admin/clients", save)
            .summary("Make or change a user, and give him a token")
            .text(
                "Only the fields given change; fields the server does not know are stored as given and shown again. \
                 `issueAccessToken` makes the server issue a token (a JWT); `token` binds one of the app's own. \
                 A user may have several tokens.",
            )
            .body(body_shape())
            .body_example(json!({"_id": "aaa", "nickname": "Alecia", "issueAccessToken": true}))
            .flat_answer(saved_shape())
            .example(sample::answer(&sample::account_shown()))
            .errors(&[
                rows::MISSING_FIELD,
                rows::INVALID_USER_ID_IN_ROOM,
                rows::INVALID_EXPIRATION,
                rows::TOKEN_CONFLICT,
            ]),
        route(Method::POST, "/admin/clients/list", save_list)
            .summary("Make or change many users")
            .text("As `POST /admin/clients`, without tokens; at most 1,000 in one call, all or none.")
            .body(Shape::object("ClientList").required("data", Kind::many(body_shape()), "The users"))
            .body_example(json!({"data": [{"_id": "aaa", "nickname": "Alecia"}, {"_id": "bbb"}]}))
            .answer(Shape::object("Count").required("count", Kind::Integer, "How many users were given"))
            .example(sample::answer(&json!({"count": 2})))
            .errors(&[rows::MISSING_FIELD, rows::INVALID_USER_ID_IN_ROOM]),
        route(Method::GET, "/admin/clients", list)
            .summary("List users")
            .text("Ordered by id.")
            .param(Param::query("q", Kind::Text, "A filter in MongoDB's syntax over the users' fields, as JSON"))
            .param(Param::query("limit", Kind::Integer, "1 to 100, default 50; more is taken as 100"))
            .param(Param::query("skip", Kind::Integer, "Leave out so many from the front; default 0"))
            .answer(Shape::page("Clients", Shape::of::<FullUser<'_>>()))
            .example(sample::page(&sample::account_shown()))
            .errors(&[rows::INVALID_FILTER, rows::INVALID_QUERY_PARAMETER, rows::RESULT_TOO_LARGE]),
        route(Method::DELETE, "/admin/clients/{client_id}", delete)
            .summary("Delete a user")
            .text("His blocks and bans keep holding should the id be created again.")
            .param(Param::path("client_id", "Whom"))
            .answer(Shape::object("Deleted").required("deleted", Kind::Flag, "Always true"))
            .example(sample::answer(&json!({"deleted": true})))
            .errors(&[rows::INVALID_USER_ID_IN_ROOM, rows::CLIENT_NOT_FOUND]),
    ];
    for (method, summary) in [(Method::POST, "Mute a room for a user"), (Method::DELETE, "Unmute a room for a user")] {
        let unmutes = method == Method::DELETE;
        let built = if unmutes {
            route(method, MUTE, unmute).errors(&[rows::ROOM_NOT_MUTED])
        } else {
            route(method, MUTE, mute)
        };
        routes.push(
            built
                .summary(summary)
                .text("Muting stops notifications and nothing else.")
                .param(Param::path("uid", "Whom"))
                .param(Param::path("room", "Which room"))
                .answer(Shape::of::<FullUser<'_>>())
                .example(sample::answer(&sample::account_shown()))
                .errors(&[rows::CLIENT_NOT_FOUND, rows::ROOM_NOT_FOUND]),
        );
    }
    routes.extend(tokens::routes());
    routes
}

const MUTE: &str = "/admin/clients/{uid}/mute/{room}";

fn route<H, T>(method: Method, path: &'static str, handler: H) -> Route
where
    H: axum::handler::Handler<T, Edge>,
    T: 'static,
{
    Route::new(Act::Operate, method, path, handler).auth(Auth::ApiKey).tag("Users")
}

fn body_shape() -> Shape {
    Shape::object("ClientChange")
        .text("Any other field is stored as the app's own")
        .required("_id", Kind::Id, "Who")
        .field("nickname", Kind::Text, "At most 255 characters")
        .field("avatarUrl", Kind::Text, "At most 2,048 characters")
        .field("description", Kind::Text, "At most 4,096 characters")
        .field("isRobot", Kind::Flag, "A robot is not a user in the sense of blocks and bans")
        .field("issueAccessToken", Kind::Flag, "Issue a token; default false")
        .field("token", Kind::Text, "Bind this token: printable ASCII without spaces, at most 4,096 characters")
        .field("expirationDate", Kind::TimeOrMs, "When the token runs out; default in seven days")
}

fn saved_shape() -> Shape {
    Shape::object("SavedClient")
        .text("The full view of the user, and the token if one was issued or bound")
        .required("_id", Kind::Id, "Who")
        .required("id", Kind::Id, "Who")
        .field("nickname", Kind::Text, "What to call him")
        .field("avatarUrl", Kind::Text, "His picture")
        .field("issueAccessToken", Kind::Flag, "Beside the result: was the token issued here?")
        .field("token", Kind::Text, "The token, shown this once")
        .field("expirationDate", Kind::Time, "When it runs out")
        .field("expirationDateMS", Kind::Integer, "The same, milliseconds")
}

/// The full view of a user, and the token he was given.
#[derive(Serialize)]
struct Saved<'a> {
    #[serde(flatten)]
    user: FullUser<'a>,
    #[serde(flatten)]
    token: Option<Given<'a>>,
}

/// `POST /admin/clients`
async fn save(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let id = id_of(&mut fields)?;
    let issue = take_flag(&mut fields, "issueAccessToken")?.unwrap_or(false);
    let token = token_of(fields.remove("token"))?;
    let expires_ms = expiry_of(fields.remove("expirationDate"))?;
    let mut change = change_of(fields)?;
    let now_ms = edge.chat.now();
    let grant = match token {
        _ if issue => {
            // What the token says of him is what everybody sees.
            if let Some(nickname) = &change.nickname {
                change.nickname = Some(edge.chat.masked(&caller, nickname).await?);
            }
            let shown = Profile { nickname: change.nickname.clone(), ..Profile::deleted(id.clone()) };
            let shown = Profile { avatar_url: change.avatar_url.clone(), ..shown };
            let until_ms = expires_ms.unwrap_or_else(|| now_ms.saturating_add(edge.issuer.life_ms()));
            Some(edge.issuer.issue_until(&shown, now_ms, until_ms)?)
        }
        Some(token) => {
            let expires_ms = expires_ms.unwrap_or_else(|| now_ms.saturating_add(edge.issuer.life_ms()));
            Some(Grant { token, expires_ms })
        }
        None if expires_ms.is_some() => return Err(rows::MISSING_FIELD.with("token")),
        None => None,
    };
    let shown = grant.as_ref().map(|grant| (grant.token.clone(), grant.expires_ms));
    let account = edge.chat.save_user(&caller, id, change, grant).await?;
    let given = || shown.as_ref().map(|(token, expires_ms)| Given::of(token, *expires_ms));
    let saved = Saved { user: FullUser::of(&caller.app.id, &account), token: given() };
    Ok(match given() {
        Some(given) => FlatAnswer(saved, flat(&account.user.profile, issue, &given)).into_response(),
        None => Answer(saved).into_response(),
    })
}

fn id_of(fields: &mut Map<String, Value>) -> Result<UserId, ApiError> {
    match fields.remove("_id") {
        None | Some(Value::Null) => Err(rows::MISSING_FIELD.with("_id")),
        Some(Value::String(id)) => Ok(UserId::parse(id)?),
        Some(_) => Err(bad("_id", "a text")),
    }
}

/// What a change gives: the fields the server knows, and the app's own.
pub(super) fn change_of(mut fields: Map<String, Value>) -> Result<UserChange, ApiError> {
    let change = UserChange {
        nickname: take_text(&mut fields, "nickname", limits::NICKNAME)?,
        avatar_url: take_text(&mut fields, "avatarUrl", limits::ADDRESS)?,
        description: take_text(&mut fields, "description", limits::DESCRIPTION)?,
        is_robot: take_flag(&mut fields, "isRobot")?,
        ..UserChange::default()
    };
    fields.retain(|name, _| !is_ours(name));
    if fields.len() > limits::CUSTOM_FIELDS {
        return Err(bad("a user", &format!("changed in at most {} fields of the app's own", limits::CUSTOM_FIELDS)));
    }
    for (name, value) in &fields {
        if !limits::is_name(name, limits::FIELD_NAME) || name.starts_with('$') {
            return Err(bad(
                "the name of a field",
                "of 1 to 255 characters, without control characters or '$' in front",
            ));
        }
        if value.to_string().len() > limits::CUSTOM_FIELD {
            return Err(bad(name, &format!("at most {} bytes of JSON", limits::CUSTOM_FIELD)));
        }
    }
    Ok(UserChange { custom: fields, ..change })
}

#[derive(Deserialize)]
struct ListBody {
    data: Option<Vec<Map<String, Value>>>,
}

/// `POST /admin/clients/list`
async fn save_list(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(body): Body<ListBody>,
) -> Result<Response, ApiError> {
    let data = body.data.ok_or_else(|| rows::MISSING_FIELD.with("data"))?;
    if data.len() > limits::USERS {
        return Err(bad("data", &format!("a list of at most {} users", limits::USERS)));
    }
    let mut users = Vec::with_capacity(data.len());
    for mut fields in data {
        users.push((id_of(&mut fields)?, change_of(fields)?));
    }
    let named: std::collections::HashSet<_> = users.iter().map(|(id, _)| id).collect();
    if named.len() < users.len() {
        return Err(bad("data", "a list that names nobody twice"));
    }
    let count = edge.chat.save_users(&caller, users).await?;
    Ok(Answer(json!({"count": count})).into_response())
}

/// `GET /admin/clients`
async fn list(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let filter = match query.one("q")? {
        None | Some("") => None,
        Some(text) => Some(filter::read(text, &caller.app.id)?),
    };
    let (default, most) = PAGE;
    let limit = limits::limit(&query, default, usize::MAX)?.min(most);
    let page = edge.chat.find_users(&caller, filter.as_ref(), limit, limits::skip(&query)?).await?;
    let data = page.data.iter().map(|account| FullUser::of(&caller.app.id, account)).collect();
    Ok(Answer(Listing::of(page.total, data)).into_response())
}

/// `DELETE /admin/clients/{client_id}`
async fn delete(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
) -> Result<Response, ApiError> {
    edge.chat.delete_user(&caller, &user).await?;
    Ok(Answer(json!({"deleted": true})).into_response())
}

/// `POST /admin/clients/{uid}/mute/{room}`
async fn mute(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((user, room)): Path<(UserId, RoomId)>,
) -> Result<Response, ApiError> {
    let account = edge.chat.mute(&caller, &user, &room, true, false).await?;
    Ok(show(&caller, &account))
}

/// `DELETE /admin/clients/{uid}/mute/{room}`
async fn unmute(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((user, room)): Path<(UserId, RoomId)>,
) -> Result<Response, ApiError> {
    let account = edge.chat.mute(&caller, &user, &room, false, true).await?;
    Ok(show(&caller, &account))
}

/// The full view of a user.
pub(super) fn show(caller: &banter_chat::Caller, account: &Account) -> Response {
    Answer(FullUser::of(&caller.app.id, account)).into_response()
}
