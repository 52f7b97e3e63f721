//! Notifications: `/me/subscribe`, `/me/unsubscribe`, `/push/push2clients`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::Who;
use banter_domain::id::UserId;
use banter_domain::moderation::Act;
use banter_domain::push::{DeviceKind, DeviceToken, Note, Says, TOKEN_BYTES};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller, moment_in};
use super::limits_of_fields::{self as limits, bad, missing, take_text};
use super::routes::{Auth, Kind, Route, Shape};
use super::view::sample;
use crate::errors::{ApiError, rows};

/// What a device may register as (rest.md 2.14).
const KINDS: [&str; 6] = ["ios", "apns", "ios-voip", "android", "fcm", "web"];
/// What the platform pushes, as JSON, bytes: services take 4 KiB with all around it.
const PAYLOAD_BYTES: usize = 3_072;

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let device = |name: &'static str| {
        Shape::object(name)
            .required("type", Kind::OneOf(&KINDS), "What it is")
            .field("deviceId", Kind::Text, "What its client calls it, at most 255 characters")
            .field("clientId", Kind::Id, "API key: whose it is")
    };
    vec![
        Route::new(Act::MindOwn, Method::POST, "/me/subscribe", subscribe)
            .tag("Me")
            .summary("Be notified on a device")
            .text(
                "In place of what was registered under this type and `deviceId`, and in place of whoever had this token \
                 before. A user has at most 20 devices: with one more, the one that registered longest ago goes.",
            )
            .body(device("Subscription").required(
                "token",
                Kind::Text,
                "Where its service finds it, at most 2,048 printable ASCII characters",
            ))
            .body_example(json!({"type": "ios", "token": "17f8b636f255e55a", "deviceId": "test-device"}))
            .example(sample::answer(&json!({})))
            .errors(&[rows::MISSING_PARAMETER, rows::USER_NOT_FOUND]),
        Route::new(Act::MindOwn, Method::POST, "/me/unsubscribe", unsubscribe)
            .tag("Me")
            .summary("Be notified no more on a device")
            .body(device("Unsubscription"))
            .body_example(json!({"type": "fcm", "deviceId": "test-device"}))
            .answer(
                Shape::object("Unsubscribed")
                    .required("n", Kind::Integer, "How many devices were taken off")
                    .required("ok", Kind::Integer, "1"),
            )
            .example(sample::answer(&json!({"n": 0, "ok": 1})))
            .errors(&[rows::MISSING_PARAMETER, rows::USER_NOT_FOUND]),
        Route::new(Act::Operate, Method::POST, "/push/push2clients", push)
            .auth(Auth::ApiKey)
            .tag("Push")
            .summary("Say something to the devices of some users")
            .text(
                "The platform's own word: no block, ban or mute stops it, only the user's own switch. Who is unknown or has \
                 no device is passed by. Apple's devices show `alert`, else `title` and `body`; Google's `title` and \
                 `body`, else `alert`.",
            )
            .body(
                Shape::object("PushToClients")
                    .required("clients", Kind::Ids, "To whom, at most 1,000")
                    .required("payload", Kind::one(payload_shape()), "What, at most 3,072 bytes"),
            )
            .body_example(json!({
                "clients": ["aaa", "bbb"],
                "payload": {"alert": "Maintenance tonight", "badge": 1, "sound": "default", "title": "News", "body": "Maintenance tonight"},
            }))
            .example(sample::answer(&json!({})))
            .errors(&[rows::MISSING_CLIENTS_OR_PAYLOAD]),
    ]
}

fn payload_shape() -> Shape {
    Shape::object("PushPayload")
        .field("alert", Kind::Any, "A text, or `{loc-key, loc-args}` for words the app on the device knows")
        .field("title", Kind::Text, "Its heading")
        .field("body", Kind::Text, "Its words")
        .field("badge", Kind::Integer, "The number on the app's icon, 0 or more")
        .field("sound", Kind::Text, "With which sound")
        .field("icon", Kind::Text, "With which picture, in browsers")
        .field("topic", Kind::Text, "Apple: for which app, instead of the one the server is set up for")
        .field("collapseKey", Kind::Text, "A newer one with the same key takes its place")
        .field("type", Kind::Text, "Of what kind it is; goes to the app as it is")
        .field("expiry", Kind::TimeOrMs, "From when on it is of no use; a small number is seconds since the epoch")
}

#[derive(Deserialize)]
struct Subscription {
    #[serde(rename = "type")]
    kind: Option<String>,
    token: Option<String>,
    #[serde(rename = "deviceId")]
    device: Option<String>,
    #[serde(rename = "clientId")]
    client: Option<String>,
}

impl Subscription {
    fn kind(&self) -> Result<DeviceKind, ApiError> {
        let kind = self.kind.as_deref().ok_or_else(|| missing("type"))?;
        DeviceKind::parse(kind).ok_or_else(|| bad("type", &format!("one of {}", KINDS.join(", "))))
    }

    /// What its client calls it; empty: nothing.
    fn name(&self) -> Result<&str, ApiError> {
        match self.device.as_deref() {
            None | Some("") => Ok(""),
            Some(name) if limits::is_name(name, limits::NAME) => Ok(name),
            Some(_) => Err(bad("deviceId", &format!("1 to {} characters", limits::NAME))),
        }
    }

    /// The caller; an API key may say here whom it means.
    fn caller(&self, mut caller: banter_chat::Caller) -> Result<banter_chat::Caller, ApiError> {
        if let (true, Some(client)) = (caller.is_platform(), &self.client) {
            caller.who = Who::Platform { on_behalf_of: Some(UserId::parse(client.as_str())?) };
        }
        Ok(caller)
    }
}

/// `POST /me/subscribe`
async fn subscribe(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(body): Body<Subscription>,
) -> Result<Response, ApiError> {
    let kind = body.kind()?;
    let token = body.token.clone().filter(|token| !token.is_empty()).ok_or_else(|| missing("token"))?;
    let wanted = || bad("token", &format!("at most {TOKEN_BYTES} printable ASCII characters"));
    let token = DeviceToken::parse(token).ok_or_else(wanted)?;
    let name = body.name()?.to_owned();
    edge.chat.register_device(&body.caller(caller)?, kind, token, name).await?;
    Ok(Answer(json!({})).into_response())
}

/// `POST /me/unsubscribe`
async fn unsubscribe(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(body): Body<Subscription>,
) -> Result<Response, ApiError> {
    let gone = edge.chat.forget_device(&body.caller(caller)?, body.kind()?, body.name()?).await?;
    Ok(Answer(json!({"n": i32::from(gone), "ok": 1})).into_response())
}

/// `POST /push/push2clients`
async fn push(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let mut given = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Err(ApiError::from(rows::MISSING_CLIENTS_OR_PAYLOAD)),
        Some(value) => Ok(value),
    };
    let (clients, payload) = (given("clients")?, given("payload")?);
    let users = users(clients)?;
    let Value::Object(payload) = payload else { return Err(bad("payload", "an object")) };
    edge.chat.push_to(&caller, &users, &note(payload)?).await?;
    Ok(Answer(json!({})).into_response())
}

/// The ids named, each once.
fn users(given: Value) -> Result<Vec<UserId>, ApiError> {
    let wanted = || bad("clients", &format!("a list of at most {} ids", limits::USERS));
    let Value::Array(ids) = given else { return Err(wanted()) };
    if ids.is_empty() {
        return Err(rows::MISSING_CLIENTS_OR_PAYLOAD.into());
    }
    if ids.len() > limits::USERS {
        return Err(wanted());
    }
    let ids = ids.into_iter().map(|id| if let Value::String(id) = id { Ok(UserId::parse(id)?) } else { Err(wanted()) });
    let mut users = ids.collect::<Result<Vec<_>, ApiError>>()?;
    users.sort();
    users.dedup();
    Ok(users)
}

fn note(mut fields: Map<String, Value>) -> Result<Note, ApiError> {
    if Value::Object(fields.clone()).to_string().len() > PAYLOAD_BYTES {
        return Err(bad("payload", &format!("at most {PAYLOAD_BYTES} bytes as JSON")));
    }
    let says = match fields.remove("alert") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Says::Text(text)),
        Some(Value::Object(alert)) => Some(keyed(alert)?),
        Some(_) => return Err(bad("alert", "a text, or an object")),
    };
    let badge = match fields.remove("badge") {
        None | Some(Value::Null) => None,
        Some(badge) => {
            Some(badge.as_i64().filter(|n| *n >= 0).ok_or_else(|| bad("badge", "a whole number from 0 on"))?)
        }
    };
    let expires_s = match fields.remove("expiry") {
        None | Some(Value::Null) => None,
        Some(expiry) => Some(expires_s(&expiry)?),
    };
    let mut text = |name: &str| take_text(&mut fields, name, PAYLOAD_BYTES);
    let (title, plain, sound, icon, kind) =
        (text("title")?, text("body")?, text("sound")?, text("icon")?, text("type")?);
    let (topic, collapse) = (in_a_header("topic", text("topic")?)?, in_a_header("collapseKey", text("collapseKey")?)?);
    Ok(Note { title, says, plain, badge, sound, icon, topic, collapse, kind, expires_s, about: None })
}

/// Words under a key.
fn keyed(mut alert: Map<String, Value>) -> Result<Says, ApiError> {
    let wanted = || bad("alert", "an object with a text loc-key and a list of texts loc-args");
    let Some(Value::String(key)) = alert.remove("loc-key") else { return Err(wanted()) };
    let args = match alert.remove("loc-args") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(args)) => args,
        Some(_) => return Err(wanted()),
    };
    let args = args.into_iter().map(|arg| if let Value::String(arg) = arg { Ok(arg) } else { Err(wanted()) });
    Ok(Says::Key { key, args: args.collect::<Result<_, _>>()? })
}

/// Seconds since the epoch. The services' own libraries count so; elsewhere here it is milliseconds.
fn expires_s(given: &Value) -> Result<i64, ApiError> {
    /// As seconds it is the year 5138, as milliseconds 1973: nobody means either.
    const EITHER: i64 = 100_000_000_000;
    match given.as_i64() {
        Some(seconds) if (0..EITHER).contains(&seconds) => Ok(seconds),
        _ => moment_in(given).map(|ms| ms.div_euclid(1000)).ok_or_else(|| bad("expiry", "a time")),
    }
}

/// What has to stand in a header on its way to a service.
fn in_a_header(field: &str, given: Option<String>) -> Result<Option<String>, ApiError> {
    let stands = |text: &String| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match given.filter(|text| !text.is_empty()) {
        Some(text) if !stands(&text) => Err(bad(field, "at most 255 printable ASCII characters")),
        given => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_the_domain_knows() {
        assert_eq!(KINDS, DeviceKind::ALL.map(DeviceKind::name));
    }

    #[test]
    fn an_end_is_read_in_seconds_milliseconds_and_letters() {
        for (given, expected) in [
            (json!(1_800_000_000), 1_800_000_000),
            (json!(1_800_000_000_000_i64), 1_800_000_000),
            (json!("2027-01-15T08:00:00Z"), 1_800_000_000),
            (json!(0), 0),
        ] {
            assert_eq!(expires_s(&given).ok(), Some(expected), "{given}");
        }
        assert!(expires_s(&json!("soon")).is_err());
    }
}
