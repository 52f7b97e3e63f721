//! The app's runtime configuration, sensitive words among it: `/config`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::Who;
use banter_domain::moderation::Act;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller, Path};
use super::limits_of_fields as limits;
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::sample;
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let example =
        || json!({"announcement": {"text": "Back at nine", "pin": true}, "censorship": {"keywords": ["spam"]}});
    let shape = || {
        Shape::object("Config")
            .text("Any keys; these have a known form")
            .field("announcement", Kind::Any, "`{text, pin}`; kept as given")
            .field(
                "censorship",
                Kind::Any,
                "`{keywords: [text]}`: each hit in a message is masked with `*`. `null`: none",
            )
            .field("featureFlags", Kind::Any, "The app's own switches; kept as given")
    };
    vec![
        Route::new(Act::MindOwn, Method::GET, "/config", read)
            .auth(Auth::Either)
            .tag("Configuration")
            .summary("Read the configuration")
            .answer(shape())
            .example(sample::answer(&example()))
            .errors(&[rows::CONFIG_NOT_READABLE]),
        Route::new(Act::Operate, Method::POST, "/config", write)
            .auth(Auth::ApiKey)
            .clients_get(rows::CONFIG_ADMIN_ONLY)
            .tag("Configuration")
            .summary("Change the configuration")
            .text("Each key given is replaced as a whole, the others stay. Answers the whole configuration.")
            .body(shape())
            .body_example(example())
            .answer(shape())
            .example(sample::answer(&example()))
            .errors(&[rows::INVALID_CONFIG_FORMAT, rows::LIMIT_EXCEEDED]),
        Route::new(Act::Operate, Method::DELETE, "/config/{key}", delete)
            .auth(Auth::ApiKey)
            .clients_get(rows::CONFIG_ADMIN_ONLY)
            .tag("Configuration")
            .summary("Delete a key of the configuration")
            .param(Param::path("key", "Which"))
            .example(sample::answer(&json!({})))
            .errors(&[rows::CONFIG_NOT_FOUND]),
    ]
}

/// `GET /config`
async fn read(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    // The configuration is the same for all of the app; an API key reads it for somebody there is.
    if let Who::Platform { on_behalf_of: Some(_) } = &caller.who {
        let account = edge.chat.account(&caller).await;
        account.map_err(|error| ApiError::from(error).no_user_is(rows::CONFIG_NOT_READABLE))?;
    }
    let config = edge.chat.config(&caller).await?;
    Ok(Answer(config).into_response())
}

/// `POST /config`
async fn write(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(config): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    check(&config)?;
    let config = edge.chat.set_config(&caller, config).await?;
    Ok(Answer(config).into_response())
}

/// Keywords are texts; a key has a name that a path can hold, and is not `data`, which an SDK would
/// take for the whole answer.
fn check(config: &Map<String, Value>) -> Result<(), ApiError> {
    let named = |key: &String| limits::is_name(key, limits::FIELD_NAME) && !key.contains('/') && key != "data";
    let readable = config.get("censorship").is_none_or(|censorship| match censorship {
        Value::Null => true,
        Value::Object(fields) => fields.get("keywords").is_none_or(is_texts),
        _ => false,
    });
    if readable && config.keys().all(named) { Ok(()) } else { Err(rows::INVALID_CONFIG_FORMAT.into()) }
}

fn is_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

/// `DELETE /config/{key}`
async fn delete(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(key): Path<String>,
) -> Result<Response, ApiError> {
    edge.chat.delete_config(&caller, &key).await?;
    Ok(Answer(json!({})).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_texts_and_keys_have_names() {
        let good = [
            json!({}),
            json!({"censorship": {"keywords": ["a", ""]}}),
            json!({"censorship": {}}),
            json!({"anything": [1, null], "censorship": null}),
        ];
        let bad = [
            json!({"censorship": {"keywords": "a"}}),
            json!({"censorship": {"keywords": ["a", 1]}}),
            json!({"censorship": ["a"]}),
            json!({"censorship": {"keywords": null}}),
            json!({"data": 1}),
            json!({"": 1}),
            json!({"a/b": 1}),
        ];
        for config in good {
            assert!(check(config.as_object().unwrap()).is_ok(), "{config}");
        }
        for config in bad {
            assert!(check(config.as_object().unwrap()).is_err(), "{config}");
        }
    }
}
