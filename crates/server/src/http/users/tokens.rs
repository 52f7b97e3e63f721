//! Tokens of users: bound, replaced, revoked. Issued or bound with a user in `users.rs`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Grant, TokenRecord};
use banter_domain::id::UserId;
use banter_domain::user::Profile;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::route;
use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::FlatAnswer;
use crate::http::extract::{Body, Caller, Path};
use crate::http::limits_of_fields::{self as limits, bad};
use crate::http::routes::{Kind, Param, Route, Shape};
use crate::http::view::sample;
use crate::http::view::time::{Iso, parse_value};

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::PUT, "/admin/clients/{client_id}/token", replace_token)
            .summary("Give a user a token in place of all others")
            .param(Param::path("client_id", "Whom"))
            .body(
                Shape::object("TokenBinding")
                    .required(
                        "token",
                        Kind::Text,
                        "The token: printable ASCII without spaces, at most 4,096 characters",
                    )
                    .required("expirationDate", Kind::TimeOrMs, "When it runs out"),
            )
            .body_example(json!({"token": "my-custom-token", "expirationDate": "2031-01-01T00:00:00.000Z"}))
            .flat_answer(token_shape())
            .example(sample::answer(&json!({
                "_id": "aaa", "nickname": "Alecia", "issueAccessToken": false, "token": "my-custom-token",
                "expirationDate": "2031-01-01T00:00:00.000Z", "expirationDateMS": 1_924_992_000_000_i64,
                "updatedAt": "2021-08-04T15:18:10.735Z", "client": "aaa",
            })))
            .errors(&[
                rows::MISSING_FIELD,
                rows::INVALID_USER_ID_IN_ROOM,
                rows::INVALID_EXPIRATION,
                rows::CLIENT_WITH_ID_NOT_FOUND,
                rows::TOKEN_CONFLICT,
            ]),
        route(Method::DELETE, "/admin/clients/{client_id}/token", revoke)
            .summary("Revoke a token of a user, or all")
            .text("It holds at once: no act begun with the token after the answer succeeds.")
            .param(Param::path("client_id", "Whose"))
            .body(Shape::object("TokenName").field("token", Kind::Text, "Which; absent: all. Not null or empty"))
            .body_example(json!({"token": "my-custom-token"}))
            .flat_answer(revoked_shape())
            .example(sample::answer(&json!({
                "success": true, "message": "Token revoked successfully", "revokedTokens": 1,
                "data": [{
                    "token": "my-custom-token", "createdAt": "2021-08-04T15:18:10.735Z",
                    "updatedAt": "2021-08-04T15:18:10.735Z", "expirationDate": "2031-01-01T00:00:00.000Z",
                    "expirationDateMS": 1_924_992_000_000_i64,
                }],
            })))
            .errors(&[rows::MISSING_FIELD, rows::CLIENT_WITH_ID_NOT_FOUND, rows::TOKEN_NOT_FOUND]),
    ]
}

fn token_shape() -> Shape {
    Shape::object("BoundToken")
        .required("_id", Kind::Id, "Whose")
        .required("client", Kind::Id, "Whose")
        .field("nickname", Kind::Text, "What to call him")
        .field("avatarUrl", Kind::Text, "His picture")
        .required("issueAccessToken", Kind::Flag, "Always false")
        .required("token", Kind::Text, "The token")
        .required("expirationDate", Kind::Time, "When it runs out")
        .required("expirationDateMS", Kind::Integer, "The same, milliseconds")
        .required("updatedAt", Kind::Time, "When it was bound")
}

/// The record of a token that ended.
pub(in crate::http) fn record_shape() -> Shape {
    Shape::object("TokenRecord")
        .field("token", Kind::Text, "Only when the request carried it")
        .required("createdAt", Kind::Time, "When it was made")
        .required("updatedAt", Kind::Time, "When it was last changed")
        .required("expirationDate", Kind::Time, "When it would have run out")
        .required("expirationDateMS", Kind::Integer, "The same, milliseconds")
}

fn revoked_shape() -> Shape {
    Shape::object("RevokedTokens")
        .required("success", Kind::Flag, "Always true")
        .required("message", Kind::Text, "What was done, in words")
        .required("revokedTokens", Kind::Integer, "How many")
        .required("data", Kind::many(record_shape()), "Which")
}

/// A token shown once.
#[derive(Serialize)]
pub(super) struct Given<'a> {
    token: &'a str,
    #[serde(rename = "expirationDate")]
    expires: Iso,
    #[serde(rename = "expirationDateMS")]
    expires_ms: i64,
}

impl<'a> Given<'a> {
    pub(super) fn of(token: &'a str, expires_ms: i64) -> Self {
        Self { token, expires: Iso::of(expires_ms), expires_ms }
    }
}

/// The fields the token pages show without an envelope.
pub(super) fn flat(profile: &Profile, issued: bool, given: &Given<'_>) -> Map<String, Value> {
    let mut fields = Map::from_iter([
        ("_id".to_owned(), json!(profile.id.as_str())),
        ("issueAccessToken".to_owned(), json!(issued)),
        ("token".to_owned(), json!(given.token)),
        ("expirationDate".to_owned(), json!(given.expires)),
    ]);
    for (name, value) in [("nickname", &profile.nickname), ("avatarUrl", &profile.avatar_url)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), json!(value));
        }
    }
    fields
}

/// A token goes into a header, where only these characters are safe.
pub(super) fn token_of(given: Option<Value>) -> Result<Option<String>, ApiError> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) if token.is_empty() => Err(rows::MISSING_FIELD.with("token")),
        Some(Value::String(token))
            if token.len() <= limits::TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(Some(token))
        }
        Some(_) => Err(bad("token", &format!("at most {} printable ASCII characters without spaces", limits::TOKEN))),
    }
}

pub(super) fn expiry_of(given: Option<Value>) -> Result<Option<i64>, ApiError> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Ok(Some(parse_value(&value).map_err(|_| rows::INVALID_EXPIRATION)?)),
    }
}

/// The token pages name the user they did not find.
fn naming(user: &UserId) -> impl Fn(banter_chat::Error) -> ApiError + '_ {
    move |error| match error {
        banter_chat::Error::NoUser => rows::CLIENT_WITH_ID_NOT_FOUND.with(user.as_str()),
        error => error.into(),
    }
}

/// `PUT /admin/clients/{client_id}/token`
async fn replace_token(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let token = token_of(fields.remove("token"))?.ok_or_else(|| rows::MISSING_FIELD.with("token"))?;
    let expires_ms =
        expiry_of(fields.remove("expirationDate"))?.ok_or_else(|| rows::MISSING_FIELD.with("expirationDate"))?;
    let grant = Grant { token: token.clone(), expires_ms };
    let account = edge.chat.replace_token(&caller, &user, grant).await.map_err(naming(&user))?;
    let mut fields = flat(&account.user.profile, false, &Given::of(&token, expires_ms));
    fields.insert("updatedAt".to_owned(), json!(Iso::of(edge.chat.now())));
    let mut result = fields.clone();
    result.insert("client".to_owned(), json!(user.as_str()));
    result.insert("expirationDateMS".to_owned(), json!(expires_ms));
    Ok(FlatAnswer(result, fields).into_response())
}

/// `DELETE /admin/clients/{client_id}/token`
async fn revoke(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(user): Path<UserId>,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let token = match fields.remove("token") {
        // Somebody meant one, and has lost which.
        Some(Value::Null) => return Err(rows::MISSING_FIELD.with("token")),
        given => token_of(given)?,
    };
    let revoked = edge.chat.revoke_tokens(&caller, &user, token.as_deref()).await.map_err(naming(&user))?;
    let message = if token.is_some() { "Token revoked successfully" } else { "All tokens revoked successfully" };
    let beside = Map::from_iter([
        ("success".to_owned(), json!(true)),
        ("message".to_owned(), json!(message)),
        ("revokedTokens".to_owned(), json!(revoked.len())),
    ]);
    let records: Vec<_> = revoked.iter().map(|record| record_shown(record, token.as_deref())).collect();
    let mut result = beside.clone();
    result.insert("data".to_owned(), Value::Array(records));
    Ok(FlatAnswer(result, beside).into_response())
}

/// Only the hash of a token is kept, so it is shown when the request itself carried it.
pub(in crate::http) fn record_shown(record: &TokenRecord, token: Option<&str>) -> Value {
    let mut shown = json!({
        "createdAt": Iso::of(record.created_ms),
        "updatedAt": Iso::of(record.updated_ms),
        "expirationDate": Iso::of(record.expires_ms),
        "expirationDateMS": record.expires_ms,
    });
    if let (Some(token), Some(fields)) = (token, shown.as_object_mut()) {
        fields.insert("token".to_owned(), json!(token));
    }
    shown
}
