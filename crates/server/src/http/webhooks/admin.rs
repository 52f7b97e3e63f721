//! What the API key sees of webhooks, and sets: `/admin/webhook`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Delivery, DeliveryState, Webhook};
use banter_domain::id::ObjectId;
use banter_domain::moderation::Act;
use banter_domain::webhook::{HookEvent, Target};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::absolute;
use super::bodies::event_name;
use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Caller, Path, Query};
use crate::http::limits_of_fields::{self as limits, bad, missing};
use crate::http::routes::{Auth, Kind, Param, Route, Shape};
use crate::http::view::message::Hex;
use crate::http::view::sample;
use crate::http::view::time::Iso;

/// Entries of a page when the request names no limit.
const PAGE: usize = 100;

const EVENTS: [&str; HookEvent::MODERATION.len()] =
    ["BLOCK", "UNBLOCK", "BAN", "UNBAN", "FREEZE", "UNFREEZE", "MESSAGE_REFUSED"];

const STATES: [&str; 3] = ["waiting", "dead", "done"];

/// The routes of this file.
pub(crate) fn routes() -> Vec<Route> {
    let webhooks = |route: Route| route.auth(Auth::ApiKey).tag("Webhooks");
    let sample = || json!({"url": "https://example.com/moderation", "events": EVENTS, "secretCreatedAt": "2021-08-04T15:18:10.735Z", "waiting": 0, "dead": 0});
    let secret = "8c2f0e7b5a6d4913af0b1c2d3e4f5061728394a5b6c7d8e9f00112233445566aa";
    let mut set = sample();
    if let Some(fields) = set.as_object_mut() {
        fields.insert("secret".to_owned(), json!(secret));
    }
    vec![
        webhooks(Route::new(Act::Operate, Method::GET, "/admin/webhook", read))
            .summary("Where the app is told of moderation, and how webhooks go")
            .answer(webhook_shape("Webhook"))
            .example(sample::answer(&sample())),
        webhooks(Route::new(Act::Operate, Method::PUT, "/admin/webhook", set_it))
            .summary("Tell the app of moderation there")
            .text(
                "Every block, ban and freeze, its lifting, and messages that were refused are told by signed requests, \
                 in order. The first call shows the secret that all webhooks of the app are signed with, rooms' too.",
            )
            .body(
                Shape::object("NewWebhook")
                    .required("url", Kind::Text, "An absolute http or https address, at most 2,048 characters")
                    .field("events", Kind::Texts, "Of what; all by default"),
            )
            .body_example(json!({"url": "https://example.com/moderation", "events": ["BAN", "UNBAN"]}))
            .answer(webhook_shape("WebhookSet").field("secret", Kind::Text, "Shown once, by the first call"))
            .example(sample::answer(&set))
            .errors(&[rows::MISSING_PARAMETER]),
        webhooks(Route::new(Act::Operate, Method::DELETE, "/admin/webhook", delete))
            .summary("Tell the app of moderation no more")
            .answer(Shape::object("WebhookDeleted").required("deleted", Kind::Flag, "True"))
            .example(sample::answer(&json!({"deleted": true})))
            .errors(&[rows::WEBHOOK_NOT_FOUND]),
        webhooks(Route::new(Act::Operate, Method::POST, "/admin/webhook/secret", replace_secret))
            .summary("Replace the secret that webhooks are signed with")
            .text("For a day requests are signed with the one before as well.")
            .answer(Shape::object("WebhookSecret").required("secret", Kind::Text, "Shown this once"))
            .example(sample::answer(&json!({"secret": secret}))),
        webhooks(Route::new(Act::Operate, Method::GET, "/admin/webhook/deliveries", list))
            .summary("What is told to webhooks, newest first")
            .text("What arrived at a room's webhook is not kept; what arrived at the app's own is, to be told again.")
            .param(Param::query("state", Kind::OneOf(&STATES), "Only these; all by default"))
            .param(Param::query("limit", Kind::Integer, "1 to 1,000, default 100"))
            .param(Param::query("cursor", Kind::Text, "`nextCursor` of the page before"))
            .answer(Shape::object("Deliveries").required("data", Kind::many(delivery_shape()), "Newest first").field(
                "nextCursor",
                Kind::Text,
                "Present when more follows",
            ))
            .example(sample::answer(&json!({"data": [delivery_sample()]})))
            .errors(&[rows::INVALID_QUERY_PARAMETER]),
        webhooks(Route::new(Act::Operate, Method::POST, "/admin/webhook/deliveries/{id}/retry", retry))
            .summary("Tell something again")
            .param(Param::path("id", "Which delivery, whatever became of it"))
            .answer(delivery_shape())
            .example(sample::answer(&delivery_sample()))
            .errors(&[rows::DELIVERY_NOT_FOUND]),
    ]
}

fn webhook_shape(name: &'static str) -> Shape {
    Shape::object(name)
        .field("url", Kind::Text, "Where; absent: nowhere")
        .required("events", Kind::Texts, "Of what")
        .field("secretCreatedAt", Kind::Time, "When the secret was made; absent: nobody has seen one")
        .required("waiting", Kind::Integer, "Deliveries that are tried, to the webhooks of rooms as well")
        .required("dead", Kind::Integer, "Deliveries that are not tried any more")
}

fn delivery_shape() -> Shape {
    Shape::object("Delivery")
        .required("_id", Kind::Id, "Same as `id`")
        .required("id", Kind::Id, "As in the request's `X-Banter-Delivery`; grows with time")
        .required("event", Kind::Text, "What it tells")
        .field("room", Kind::Id, "Whose webhook is told; absent: the app's own")
        .required("state", Kind::OneOf(&STATES), "What became of it")
        .required("failed", Kind::Integer, "How often it failed since it is tried")
        .field("reason", Kind::Text, "Why it did the last time")
        .required("createdAt", Kind::Time, "When it was written")
        .required("createdAtMS", Kind::Integer, "The same, milliseconds")
        .field("nextAt", Kind::Time, "When it is tried next, if it waits")
        .required("body", Kind::Object, "What is sent")
}

fn delivery_sample() -> Value {
    json!({
        "_id": "610aafe20000000000000001", "id": "610aafe20000000000000001", "event": "UNFREEZE", "state": "dead",
        "failed": 12, "reason": "answered 500", "createdAt": "2021-08-04T15:18:10.735Z",
        "createdAtMS": 1_628_090_290_735_i64,
        "body": {
            "appID": "SampleApp", "clientID": "platform", "roomID": "demo-room", "event": "UNFREEZE",
            "data": {"room": "demo-room", "sender": {"_id": "aaa", "nickname": "Alecia", "id": "aaa", "lastLoginTimeMS": 0}},
        },
    })
}

fn webhook_shown(webhook: &Webhook) -> Value {
    let mut shown = json!({
        "events": webhook.events.iter().map(|event| event_name(*event)).collect::<Vec<_>>(),
        "waiting": webhook.waiting,
        "dead": webhook.dead,
    });
    let optional = [
        ("url", webhook.url.as_deref().map(Value::from)),
        ("secretCreatedAt", webhook.secret_ms.map(|ms| json!(Iso::of(ms)))),
    ];
    if let Some(fields) = shown.as_object_mut() {
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    shown
}

/// `GET /admin/webhook`
async fn read(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    Ok(Answer(webhook_shown(&edge.chat.webhook(&caller).await?)).into_response())
}

#[derive(Deserialize)]
struct New {
    url: Option<String>,
    events: Option<Vec<String>>,
}

/// `PUT /admin/webhook`
async fn set_it(State(edge): State<Edge>, Caller(caller): Caller, Body(new): Body<New>) -> Result<Response, ApiError> {
    let url = limits::text("url", new.url, limits::ADDRESS)?.ok_or_else(|| missing("url"))?;
    if absolute(&url).is_none() {
        return Err(bad("url", "an absolute http or https address without a user"));
    }
    let named = |name: String| {
        let event = HookEvent::MODERATION.into_iter().find(|event| event_name(*event) == name);
        event.ok_or_else(|| bad("events", &format!("a list of {}", EVENTS.join(", "))))
    };
    let events = new.events.unwrap_or_default().into_iter().map(named).collect::<Result<_, _>>()?;
    let (webhook, secret) = edge.chat.set_webhook(&caller, url, events).await?;
    let mut shown = webhook_shown(&webhook);
    if let (Some(secret), Some(fields)) = (secret, shown.as_object_mut()) {
        fields.insert("secret".to_owned(), json!(secret));
    }
    Ok(Answer(shown).into_response())
}

/// `DELETE /admin/webhook`
async fn delete(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    edge.chat.delete_webhook(&caller).await?;
    Ok(Answer(json!({"deleted": true})).into_response())
}

/// `POST /admin/webhook/secret`
async fn replace_secret(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    let secret = edge.chat.replace_hook_secret(&caller).await?;
    Ok(Answer(json!({"secret": secret})).into_response())
}

/// `GET /admin/webhook/deliveries`
async fn list(State(edge): State<Edge>, Caller(caller): Caller, query: Query) -> Result<Response, ApiError> {
    let refused = |name: &str| rows::INVALID_QUERY_PARAMETER.with(name);
    let given = |name| Ok::<_, ApiError>(query.one(name)?.filter(|text| !text.is_empty()));
    let state = given("state")?.map(|name| DeliveryState::parse(name).ok_or_else(|| refused("state"))).transpose()?;
    let after = given("cursor")?.map(|id| ObjectId::parse(id).ok_or_else(|| refused("cursor"))).transpose()?;
    let limit = limits::limit(&query, PAGE, limits::PAGE)?;
    let (page, next) = edge.chat.deliveries(&caller, state, after, limit).await?;
    let mut result = json!({"data": page.iter().map(delivery_shown).collect::<Vec<_>>()});
    if let (Some(next), Some(fields)) = (next, result.as_object_mut()) {
        fields.insert("nextCursor".to_owned(), json!(Hex(next)));
    }
    Ok(Answer(result).into_response())
}

/// `POST /admin/webhook/deliveries/{id}/retry`
async fn retry(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(id): Path<ObjectId>,
) -> Result<Response, ApiError> {
    let delivery = edge.chat.retry_delivery(&caller, id).await?;
    if let Some(hooks) = edge.hooks.get() {
        hooks.poke(caller.app.number, delivery.target.clone());
    }
    Ok(Answer(delivery_shown(&delivery)).into_response())
}

fn delivery_shown(delivery: &Delivery) -> Value {
    let body: Map<String, Value> = serde_json::from_str(&delivery.body).unwrap_or_default();
    let mut shown = json!({
        "_id": Hex(delivery.id),
        "id": Hex(delivery.id),
        "event": delivery.event.map_or("", event_name),
        "state": delivery.state.name(),
        "failed": delivery.failed,
        "createdAt": Iso::of(delivery.made_ms),
        "createdAtMS": delivery.made_ms,
        "body": body,
    });
    let room = match &delivery.target {
        Target::App => None,
        Target::Room(room) => Some(Value::from(room.as_str())),
    };
    let waits = delivery.state == DeliveryState::Waiting;
    let optional = [
        ("room", room),
        ("reason", delivery.reason.as_deref().map(Value::from)),
        ("nextAt", waits.then(|| json!(Iso::of(delivery.due_ms)))),
    ];
    if let Some(fields) = shown.as_object_mut() {
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_the_events_and_states_there_are() {
        assert_eq!(HookEvent::MODERATION.map(event_name), EVENTS);
        assert_eq!(DeliveryState::ALL.map(DeliveryState::name), STATES);
    }
}
