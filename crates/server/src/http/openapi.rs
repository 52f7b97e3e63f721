//! The OpenAPI 3.1 document, made from the route table, so that the two cannot differ.

use std::collections::BTreeMap;

use axum::http::Method;
use banter_domain::moderation::Frozen;
use serde_json::{Map, Value, json};

use super::routes::{Answers, Auth, BodySize, Param, Place, Route};
use crate::errors::{Row, rows};

/// The document of these routes.
#[must_use]
pub fn document(routes: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: BTreeMap<String, Value> = BTreeMap::from([("Error".to_owned(), error_schema())]);
    let mut tags: Vec<&str> = Vec::new();
    for route in routes {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.as_str().to_lowercase(), operation(route));
        }
        let answer = match &route.answer {
            Some(Answers::Enveloped(shape) | Answers::Flat(shape) | Answers::Bare(shape)) => Some(shape),
            Some(Answers::Other(_)) | None => None,
        };
        for shape in route.body.iter().chain(answer) {
            schemas.extend(shape.clone().into_all());
        }
        if !tags.contains(&route.tag) {
            tags.push(route.tag);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": info("Banter", "Every answer is in one envelope: `{\"RC\": 0, \"RM\": \"OK\", \"result\": …}`, or, refused, \
                `{\"RC\": <status>, \"RM\": …, \"error\": {\"code\": …, \"message\": …}}`. A slash at the end of a path does not count. \
                401 means a bad token or API key and nothing else."),
        "servers": [{"url": "/"}],
        "tags": tags.iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "ApiKey": key("IM-API-KEY", "The platform. `IM-CLIENT-ID` names the user it acts for."),
                "ClientKey": key("IM-CLIENT-KEY", "The app, for its users"),
                "UserToken": key("IM-Authorization", "The user; `Bearer ` in front is allowed"),
            },
        },
    })
}

fn key(header: &str, text: &str) -> Value {
    json!({"type": "apiKey", "in": "header", "name": header, "description": text})
}

fn error_schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["RC", "RM", "error"],
        "properties": {
            "RC": {"type": "integer", "description": "The HTTP status"},
            "RM": text,
            "error": {"type": "object", "required": ["code", "message"], "properties": {"code": text, "message": text}},
            "retryAfter": {"type": "integer", "description": "Seconds; only with 429"},
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [route.tag],
        "summary": route.summary,
        "responses": responses(route),
        // Which rule decides about it: a row of docs/moderation.md.
        "x-banter-act": format!("{:?}", route.act),
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    if !route.text.is_empty() {
        fields.insert("description".to_owned(), json!(route.text));
    }
    if route.deprecated {
        fields.insert("deprecated".to_owned(), json!(true));
    }
    let mut params: Vec<Value> = route.params.iter().map(parameter).collect();
    if matches!(route.auth, Auth::Client | Auth::Either | Auth::Address) {
        params.push(parameter(&Param::header("IM-CLIENT-ID", "With an API key: the user it acts for. Else ignored")));
    }
    if !params.is_empty() {
        fields.insert("parameters".to_owned(), json!(params));
    }
    if let Some(body) = &route.body {
        let mut content = json!({"schema": body.reference()});
        if let (Some(example), Some(content)) = (&route.body_example, content.as_object_mut()) {
            content.insert("example".to_owned(), example.clone());
        }
        fields.insert("requestBody".to_owned(), json!({"content": {route.body_media: content}}));
    }
    let (user, platform) = (json!({"ClientKey": [], "UserToken": []}), json!({"ApiKey": []}));
    let security = match route.auth {
        Auth::Public => json!([]),
        Auth::ApiKey => json!([platform]),
        Auth::Client | Auth::Either => json!([user, platform]),
        Auth::ClientKey => json!([{"ClientKey": []}, platform]),
        Auth::Address => json!([user, platform, {}]),
    };
    fields.insert("security".to_owned(), security);
    operation
}

/// What a document says of itself.
pub(crate) fn info(title: &str, description: &str) -> Value {
    json!({
        "title": title,
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "A chat server whose heart is moderation",
        "description": description,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    })
}

/// `GET /rooms/{id}` is `get_rooms_id`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [route.method.as_str().to_lowercase().as_str()].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn parameter(param: &Param) -> Value {
    let place = match param.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    json!({"name": param.name, "in": place, "required": param.required, "description": param.text, "schema": param.kind.schema()})
}

fn responses(route: &Route) -> Value {
    let mut ok = match &route.answer {
        Some(Answers::Other(media)) => json!({"description": "As asked", "content": {*media: {}}}),
        Some(Answers::Enveloped(shape)) => enveloped(&shape.reference()),
        Some(Answers::Bare(shape)) => json!({
            "description": "Done; without the envelope",
            "content": {"application/json": {"schema": shape.reference()}},
        }),
        Some(Answers::Flat(shape)) => json!({
            "description": "Done; some of the result's fields also stand beside it",
            "content": {"application/json": {"schema": {"allOf": [envelope(&shape.reference()), shape.loose()]}}},
        }),
        None => enveloped(&json!({"type": "object"})),
    };
    if let (Some(example), Some(content)) =
        (&route.example, ok.pointer_mut("/content/application~1json").and_then(Value::as_object_mut))
    {
        content.insert("example".to_owned(), example.clone());
    }
    let mut responses = Map::from_iter([("200".to_owned(), ok)]);
    if route.params.iter().any(|param| param.name == "If-None-Match") {
        responses
            .insert("304".to_owned(), json!({"description": "Nothing has changed since the answer with this ETag"}));
    }
    let mut by_status: BTreeMap<u16, Vec<Row>> = BTreeMap::new();
    for row in all_errors(route) {
        let rows = by_status.entry(row.status).or_default();
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    for (status, rows) in by_status {
        responses.insert(status.to_string(), refusal(&rows));
    }
    Value::Object(responses)
}

fn envelope(result: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["RC", "RM", "result"],
        "properties": {"RC": {"type": "integer", "const": 0}, "RM": {"type": "string"}, "result": result},
    })
}

fn enveloped(result: &Value) -> Value {
    json!({"description": "Done", "content": {"application/json": {"schema": envelope(result)}}})
}

/// What a route can refuse with: its own rows, those its kind brings, and those its act does.
#[must_use]
pub fn all_errors(route: &Route) -> Vec<Row> {
    let mut all = Vec::new();
    match route.auth {
        Auth::Public => {}
        Auth::ApiKey => all.extend([route.strangers_get, route.clients_get, rows::RATE_LIMIT_EXCEEDED]),
        Auth::ClientKey => all.extend([
            rows::INVALID_API_KEY,
            rows::INVALID_CLIENT_KEY,
            rows::MISSING_CLIENT_KEY,
            rows::RATE_LIMIT_EXCEEDED,
        ]),
        Auth::Client | Auth::Either | Auth::Address => {
            all.extend([
                rows::INVALID_TOKEN,
                rows::INVALID_API_KEY,
                rows::INVALID_CLIENT_KEY,
                rows::MISSING_CLIENT_KEY,
                rows::RATE_LIMIT_EXCEEDED,
                rows::NO_ACCESS,
            ]);
        }
    }
    let terms = route.act.terms();
    all.extend(terms.ban.then_some(rows::USER_BANNED));
    all.extend(terms.block.then_some(rows::USER_BLOCKED));
    all.extend((terms.frozen != Frozen::Passes).then_some(rows::ROOM_FROZEN));
    if route.auth != Auth::Public || route.params.iter().any(|param| param.place == Place::Path) {
        all.push(rows::INVALID_ID);
    }
    if route.params.iter().any(|param| param.place == Place::Query) {
        all.extend([rows::INVALID_QUERY, rows::INVALID_QUERY_PARAMETER]);
    }
    if route.body.is_some() {
        all.extend([rows::INVALID_BODY, rows::INVALID_FIELD, rows::REQUEST_TIMEOUT]);
        let other = match route.body_size {
            BodySize::Plain | BodySize::Message => rows::UNSUPPORTED_MEDIA_TYPE,
            BodySize::File => rows::MULTIPART_EXPECTED,
        };
        all.extend([rows::PAYLOAD_TOO_LARGE, other]);
    } else if route.method != Method::GET {
        // A body nobody asked for is read all the same.
        all.extend([rows::INVALID_BODY, rows::REQUEST_TIMEOUT, rows::PAYLOAD_TOO_LARGE]);
    }
    all.extend_from_slice(&route.errors);
    if route.auth != Auth::Public {
        all.extend([rows::INTERNAL, rows::UNAVAILABLE]);
    }
    all
}

fn refusal(rows: &[Row]) -> Value {
    let codes: Vec<String> = rows.iter().map(|row| format!("`{}` {}", row.code, row.message)).collect();
    let examples: Map<String, Value> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let body = json!({"RC": row.status, "RM": row.rm, "error": {"code": row.code, "message": row.message}});
            // Several rows of one route may share a code.
            let twin = rows.iter().take(index).any(|other| other.code == row.code);
            let name = if twin { format!("{}_{index}", row.code) } else { row.code.to_owned() };
            (name, json!({"value": body}))
        })
        .collect();
    json!({
        "description": codes.join("; "),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::routes;

    #[test]
    fn the_document_is_openapi_and_holds_every_route() {
        let routes = routes();
        let document = document(&routes);
        // The model cannot read a schema without a type, which OpenAPI allows; the rest it must.
        let mut frame = document.clone();
        frame["components"]["schemas"] = json!({});
        serde_json::from_value::<utoipa::openapi::OpenApi>(frame).expect("OpenAPI");
        for route in &routes {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            assert!(operation.is_object(), "{route:?}");
            assert!(!route.summary.is_empty() && !route.tag.is_empty(), "{route:?} says nothing of itself");
            if !matches!(route.answer, Some(Answers::Other(_) | Answers::Bare(_))) {
                assert!(route.example.is_some(), "{route:?} shows no answer");
            }
            let named: Vec<&str> = route.path.split(['{', '}']).skip(1).step_by(2).collect();
            let documented: Vec<&str> =
                route.params.iter().filter(|param| param.place == Place::Path).map(|param| param.name).collect();
            assert_eq!(named, documented, "{route:?}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_name_means_one_thing() {
        let routes = routes();
        let document = document(&routes);
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document["components"]["schemas"][reference].is_object(), "{reference}");
        }
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for route in &routes {
            let answer = match &route.answer {
                Some(Answers::Enveloped(shape) | Answers::Flat(shape) | Answers::Bare(shape)) => Some(shape),
                _ => None,
            };
            for (name, schema) in route.body.iter().chain(answer).flat_map(|shape| shape.clone().into_all()) {
                assert_eq!(
                    known.entry(name.clone()).or_insert_with(|| schema.clone()),
                    &schema,
                    "two meanings of {name}"
                );
            }
        }
        let mut ids: Vec<String> = routes.iter().map(operation_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), routes.len(), "operations share a name");
    }

    #[test]
    fn every_row_a_route_names_is_in_the_table() {
        for route in routes() {
            for row in all_errors(&route) {
                assert!(rows::ALL.contains(&row), "{route:?}: {row:?}");
            }
        }
    }
}
