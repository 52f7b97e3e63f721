//! The document says what is served: every route, and nothing else.

use std::collections::BTreeSet;

use banter_server::http::routes::Auth;
use serde_json::{Value, json};

use crate::common::House;

async fn document(house: &House) -> Value {
    let answer = house.nobody().get("/openapi.json").await;
    assert_eq!(answer.status, 200, "{answer}");
    answer.body()
}

/// Every reference in a value.
fn references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| references(one, into)),
        Value::Object(fields) => fields.iter().for_each(|(name, one)| match one.as_str() {
            Some(text) if name == "$ref" => into.push(text),
            _ => references(one, into),
        }),
        _ => {}
    }
}

/// Is everything there that a schema says must be?
fn expect_required(document: &Value, schema: &Value, found: &Value) {
    let schema =
        schema["$ref"].as_str().map_or(schema, |to| &document["components"]["schemas"][to.rsplit('/').next().unwrap()]);
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(found.get(name).is_some(), "{name} is not in {found}");
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(found) = found.get(name) {
            expect_required(document, inner, found);
        }
    }
}

each_store! {
    async fn the_document_and_the_routes_are_one(house: House) {
        let document = document(&house).await;
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
        let served: BTreeSet<String> = banter_server::routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        let mut written = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in item.as_object().expect("methods").keys().filter(|key| !["parameters", "summary", "description"].contains(&key.as_str())) {
                assert!(written.insert(format!("{} {path}", method.to_uppercase())));
            }
        }
        assert_eq!(written.difference(&served).collect::<Vec<_>>(), Vec::<&String>::new(), "written but not served");
        assert_eq!(served.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "served but not written");
    }

    async fn every_endpoint_is_explained(house: House) {
        let document = document(&house).await;
        let mut wrong = Vec::new();
        for route in banter_server::routes() {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            let mut lack = |what: &str| wrong.push(format!("{} {}: {what}", route.method, route.path));
            if operation["summary"].as_str().is_none_or(str::is_empty) {
                lack("no summary");
            }
            if operation["tags"].as_array().is_none_or(Vec::is_empty) {
                lack("no group");
            }
            if operation["operationId"].as_str().is_none_or(str::is_empty) {
                lack("no name");
            }
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for segment in route.path.split('/').filter_map(|segment| segment.strip_prefix('{')) {
                let name = segment.trim_end_matches('}');
                if !parameters.iter().any(|one| one["name"] == name && one["in"] == "path" && one["required"] == true) {
                    lack(&format!("{name} is not a parameter"));
                }
            }
            for parameter in &parameters {
                if parameter["description"].as_str().is_none_or(str::is_empty) || parameter.get("schema").is_none() {
                    lack(&format!("{} is not explained", parameter["name"]));
                }
            }
            let Some(ok) = operation["responses"].get("200") else {
                lack("no success");
                continue;
            };
            let content = ok["content"].as_object().cloned().unwrap_or_default();
            if ["/openapi.json", "/asyncapi.json"].contains(&route.path) {
                // It is this document, or one like it: a schema of schemas would say less than it does.
            } else if let Some(json) = content.get("application/json") {
                if json.get("schema").is_none() {
                    lack("no schema of its answer");
                }
                if json.get("example").is_none() && json.get("examples").is_none() {
                    lack("no example of its answer");
                }
            } else if content.is_empty() {
                lack("no content");
            }
            if route.auth != Auth::Public {
                if operation["security"].as_array().is_none_or(Vec::is_empty) {
                    lack("no word on keys");
                }
                if operation["responses"].get("401").is_none() {
                    lack("no 401");
                }
            }
            if operation.get("requestBody").is_some_and(|body| body["content"].as_object().is_none_or(|media| media.values().any(|one| one.get("schema").is_none()))) {
                lack("no schema of its body");
            }
        }
        assert!(wrong.is_empty(), "{} endpoints lack something:\n{}", wrong.len(), wrong.join("\n"));
    }

    async fn every_error_is_written_where_it_can_happen(house: House) {
        let document = document(&house).await;
        let mut codes = BTreeSet::new();
        let text = document["paths"].to_string() + &document["components"].to_string();
        // Where there is no endpoint, none can say it.
        let nowhere = ["METHOD_NOT_ALLOWED", "NOT_FOUND"];
        for row in banter_server::errors::rows::ALL.iter().filter(|row| !nowhere.contains(&row.code)) {
            if !text.contains(&format!("\"{}\"", row.code)) {
                codes.insert(row.code);
            }
        }
        assert!(codes.is_empty(), "codes nobody is told of: {codes:?}");
    }

    async fn what_is_answered_is_what_is_written(house: House) {
        let document = document(&house).await;
        // An empty list is a list of members and a list of ids.
        assert!(!document.to_string().contains("\"oneOf\""), "one shape may be two of several");
        let saved = house.platform().post("/admin/clients", json!({"_id": "ann"})).await;
        let bound = house.platform().post("/admin/clients", json!({"_id": "ann", "issueAccessToken": true})).await;
        let revoked = house.platform().delete("/admin/clients/ann/token").await;
        for (answer, method, path) in [(saved, "post", "/admin/clients"), (bound, "post", "/admin/clients"), (revoked, "delete", "/admin/clients/{client_id}/token")] {
            let schema = &document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"];
            for part in schema["allOf"].as_array().expect("an envelope and what stands beside it") {
                expect_required(&document, part, &answer.body());
            }
        }
    }

    async fn every_reference_leads_somewhere(house: House) {
        let document = document(&house).await;
        let mut all = Vec::new();
        references(&document, &mut all);
        assert!(!all.is_empty());
        for reference in all {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    async fn the_pages_come_from_the_binary_alone(house: House) {
        let mut page = house.nobody().get("/docs").await;
        if page.status / 100 == 3 {
            page = house.nobody().get(page.header("location")).await;
        }
        assert_eq!(page.status, 200, "{page}");
        let html = String::from_utf8_lossy(&page.bytes).into_owned();
        assert!(page.header("content-type").starts_with("text/html"), "{page}");
        let links: Vec<&str> = html.split(['"', '\'']).filter(|part| part.ends_with(".js") || part.ends_with(".css")).collect();
        assert!(!links.is_empty(), "{html}");
        for link in links {
            assert!(!link.contains("//"), "{link} is somebody else's");
            let path = if link.starts_with('/') { link.to_owned() } else { format!("/docs/{}", link.trim_start_matches("./")) };
            let asset = house.nobody().get(&path).await;
            assert!(asset.status == 200 && !asset.bytes.is_empty(), "{asset}");
        }
    }

    async fn the_server_says_how_it_is(house: House) {
        house.room("den").owner("ann").members(["bob"]).await;
        let ann = house.user("ann").await;
        ann.bans("den", "bob").await.expect_ok();
        house.user("bob").await.says("den", "x").await.expect_refused("USER_BANNED");
        for path in ["/healthz", "/readyz"] {
            let answer = house.nobody().get(path).await;
            assert_eq!(answer.status, 200, "{answer}");
        }
        let metrics = house.platform().get("/metrics").await;
        let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
        for part in ["USER_BANNED", "/blockStatus/room/{", "_bucket{", "# TYPE"] {
            assert!(text.contains(part), "{part} is not in the metrics:\n{text}");
        }
        let answer = ann.get("/me").await;
        assert!(!answer.header("x-request-id").is_empty(), "an answer can be found in the log");
    }
}
