//! Issuing tokens to whoever names a user (rest.md 2.9, R-19): for backends with the API key, and for
//! trying things out with the client key alone, where the operator allows that.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use banter_chat::{App, Who};
use banter_domain::id::UserId;
use banter_domain::moderation::Act;
use banter_domain::user::{Profile, UserChange};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Edge;
use super::answer::{Answer, json_response};
use super::extract::{AppKey, Body, MaybeCaller};
use super::limits_of_fields as limits;
use super::routes::{Auth, Kind, Route, Shape};
use super::view::sample;
use super::view::time::Iso;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let shown = json!({
        "authType": "Standalone JWT", "token": "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6ImFhYSJ9.c2lnbmF0dXJl",
        "expirationDate": "2021-08-08T06:41:25.984Z", "id": "aaa", "exp": 1_628_404_885,
    });
    let token = || {
        Shape::object("SignedToken")
            .required("authType", Kind::Text, "Always `Standalone JWT`")
            .required("token", Kind::Text, "The token, shown this once")
            .required("expirationDate", Kind::Time, "When it runs out")
            .required("id", Kind::Id, "Whose")
            .required("exp", Kind::Integer, "When it runs out, seconds since the epoch")
            .field("nickname", Kind::Text, "As given, sensitive words masked")
            .field("avatarUrl", Kind::Text, "As given")
    };
    let sign = |route: Route| {
        route
            .auth(Auth::ClientKey)
            .tag("Users")
            .summary("Make or change a user and issue a token for him")
            .body(
                Shape::object("Signing")
                    .required("id", Kind::Id, "Who")
                    .field("nickname", Kind::Text, "At most 255 characters")
                    .field("avatarUrl", Kind::Text, "At most 2,048 characters"),
            )
            .body_example(json!({"id": "aaa", "nickname": "Alecia"}))
            .errors(&[rows::MISSING_FIELD, rows::SANDBOX_OFF, rows::INVALID_USER_ID_IN_ROOM])
    };
    vec![
        sign(Route::new(Act::Operate, Method::POST, "/auths/sign/v2", sign_v2))
            .text("With an API key. With the client key alone only where the operator has turned the sandbox on.")
            .answer(token())
            .example(sample::answer(&shown)),
        sign(Route::new(Act::Operate, Method::POST, "/auths/sign", sign_v1))
            .text("As `/auths/sign/v2`, but the answer is the bare result without an envelope.")
            .bare_answer(token())
            .example(shown),
    ]
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    id: Option<String>,
    nickname: Option<String>,
    avatar_url: Option<String>,
}

async fn signed(
    edge: &Edge,
    app: Arc<App>,
    platform: Option<banter_chat::Caller>,
    given: Given,
) -> Result<Value, ApiError> {
    let caller = match platform {
        Some(caller) => caller,
        None if edge.settings.sandbox => {
            banter_chat::Caller { app, who: Who::Platform { on_behalf_of: None }, address: None }
        }
        // A client key is public: with it alone anybody could be anybody.
        None => return Err(rows::SANDBOX_OFF.into()),
    };
    let id = UserId::parse(given.id.ok_or_else(|| rows::MISSING_FIELD.with("id"))?)?;
    let mut change = UserChange {
        nickname: limits::text("nickname", given.nickname, limits::NICKNAME)?,
        avatar_url: limits::text("avatarUrl", given.avatar_url, limits::ADDRESS)?,
        ..UserChange::default()
    };
    // What the token says of him is what everybody sees.
    if let Some(nickname) = &change.nickname {
        change.nickname = Some(edge.chat.masked(&caller, nickname).await?);
    }
    let (nickname, avatar_url) = (change.nickname.clone(), change.avatar_url.clone());
    let profile =
        Profile { id: id.clone(), nickname: nickname.clone(), avatar_url: avatar_url.clone(), last_login_ms: 0 };
    let grant = edge.issuer.issue(&profile, edge.chat.now())?;
    edge.chat.save_user(&caller, id.clone(), change, Some(grant.clone())).await?;
    let mut shown = json!({
        "authType": "Standalone JWT", "token": grant.token, "expirationDate": Iso::of(grant.expires_ms),
        "id": id.as_str(), "exp": grant.expires_ms.div_euclid(1000),
    });
    if let Some(fields) = shown.as_object_mut() {
        for (name, text) in [("nickname", nickname), ("avatarUrl", avatar_url)] {
            fields.extend(text.map(|text| (name.to_owned(), Value::from(text))));
        }
    }
    Ok(shown)
}

/// `POST /auths/sign/v2`
async fn sign_v2(
    State(edge): State<Edge>,
    AppKey(app): AppKey,
    MaybeCaller(platform): MaybeCaller,
    Body(given): Body<Given>,
) -> Result<Response, ApiError> {
    Ok(Answer(signed(&edge, app, platform, given).await?).into_response())
}

/// `POST /auths/sign`
async fn sign_v1(
    State(edge): State<Edge>,
    AppKey(app): AppKey,
    MaybeCaller(platform): MaybeCaller,
    Body(given): Body<Given>,
) -> Result<Response, ApiError> {
    Ok(json_response(StatusCode::OK, signed(&edge, app, platform, given).await?.to_string()))
}
