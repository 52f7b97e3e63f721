//! Sets of stickers (rest.md 8). The pictures lie where the app put them; Banter keeps their addresses
//! and sends clients there.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use banter_domain::id::RoomId;
use banter_domain::moderation::Act;
use banter_domain::sticker::StickerSet;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Edge;
use super::answer::Answer;
use super::extract::{AppKey, Body, Caller, Path, Query};
use super::limits_of_fields::{self as limits, bad, missing};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::time::Iso;
use super::view::{Listing, sample};
use crate::errors::{ApiError, rows};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let resource = || {
        Shape::object("StickerResource")
            .required("resourceId", Kind::Text, "Under which name `/stickers/res` finds it: `set/picture.png`")
            .field("Location", Kind::Text, "Where it lies: an http or https address")
    };
    let set = || {
        Shape::object("StickerSet")
            .required("_id", Kind::Id, "Which set")
            .required("id", Kind::Id, "The same")
            .required("name", Kind::Text, "Shown name")
            .required("order", Kind::Integer, "Where it stands among the others")
            .field("zip", Kind::one(resource()), "All pictures in one archive")
            .required("images", Kind::many(resource()), "The pictures, at most 1,000")
            .required("updatedAtMS", Kind::Integer, "When it last changed, milliseconds")
    };
    let shown = json!({
        "_id": "sticker", "id": "sticker", "name": "Sample", "order": 1,
        "zip": {"resourceId": "sticker/sticker.zip"}, "images": [{"resourceId": "sticker/01.png"}],
        "updatedAtMS": 1_550_553_501_434_i64,
    });
    let list =
        |route: Route| route.tag("Stickers").answer(Shape::page("StickerSets", set())).example(sample::page(&shown));
    vec![
        list(Route::new(Act::MindOwn, Method::GET, "/stickers", public_list))
            .auth(Auth::ClientKey)
            .summary("List the app's sets of stickers")
            .text("The client key is enough."),
        Route::new(Act::Look, Method::GET, "/stickers/res", resource_at)
            .auth(Auth::Public)
            .tag("Stickers")
            .summary("Go to a picture of a set")
            .text("302 to where it lies. Pictures are found by the app they belong to and their name.")
            .param(Param::query("resourceId", Kind::Text, "Which picture").required())
            .param(Param::query("appID", Kind::Id, "Of which app; needed only where several have one of this name"))
            .other_answer("text/html")
            .errors(&[rows::STICKERS_NOT_FOUND, rows::INVALID_QUERY_PARAMETER]),
        list(Route::new(Act::Operate, Method::GET, "/admin/stickers", list_all))
            .auth(Auth::ApiKey)
            .summary("List the app's sets of stickers, with where the pictures lie"),
        Route::new(Act::Operate, Method::POST, "/admin/stickers", save)
            .auth(Auth::ApiKey)
            .tag("Stickers")
            .summary("Make or replace a set of stickers")
            .body(
                Shape::object("NewStickerSet")
                    .required("_id", Kind::Id, "Which set")
                    .required("name", Kind::Text, "Shown name, at most 255 characters")
                    .field("order", Kind::Integer, "Where it stands among the others; default 0")
                    .field("zip", Kind::one(resource()), "All pictures in one archive")
                    .field("images", Kind::many(resource()), "The pictures, at most 1,000"),
            )
            .body_example(json!({
                "_id": "sticker", "name": "Sample", "order": 1,
                "images": [{"resourceId": "sticker/01.png", "Location": "https://cdn.example.com/sticker/01.png"}],
            }))
            .answer(set())
            .example(sample::answer(&shown))
            .errors(&[rows::MISSING_PARAMETER, rows::LIMIT_EXCEEDED]),
        Route::new(Act::Operate, Method::DELETE, "/admin/stickers/{id}", delete)
            .auth(Auth::ApiKey)
            .tag("Stickers")
            .summary("Delete a set of stickers")
            .param(Param::path("id", "Which set"))
            .answer(Shape::object("DeletedStickers").required("n", Kind::Integer, "Always 1").required(
                "ok",
                Kind::Integer,
                "Always 1",
            ))
            .example(sample::answer(&json!({"n": 1, "ok": 1})))
            .errors(&[rows::STICKERS_NOT_FOUND]),
    ]
}

/// A picture, or an archive of them.
#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "resourceId")]
    name: String,
    #[serde(rename = "Location")]
    address: Option<String>,
}

impl Resource {
    fn kept(self, field: &str) -> Result<Value, ApiError> {
        let web = |address: &String| address.starts_with("https://") || address.starts_with("http://");
        let safe = |address: &String| limits::is_name(address, limits::ADDRESS) && web(address) && address.is_ascii();
        match self.address {
            _ if !limits::is_name(&self.name, limits::FIELD_NAME) => Err(bad(field, "named by 1 to 255 characters")),
            Some(address) if !safe(&address) => Err(bad(field, "at an http or https address")),
            address => Ok(json!({"name": self.name, "address": address})),
        }
    }
}

#[derive(Deserialize)]
struct Given {
    #[serde(rename = "_id")]
    id: Option<String>,
    name: Option<String>,
    order: Option<i64>,
    zip: Option<Resource>,
    images: Option<Vec<Resource>>,
}

impl Given {
    fn set(self) -> Result<StickerSet, ApiError> {
        let id = self.id.ok_or_else(|| missing("_id"))?;
        RoomId::parse(id.as_str())?;
        let name = self.name.ok_or_else(|| missing("name"))?;
        if !limits::is_name(&name, limits::NAME) {
            return Err(bad("name", "1 to 255 characters without control characters"));
        }
        let images = self.images.unwrap_or_default();
        if images.len() > limits::STICKERS {
            return Err(bad("images", &format!("a list of at most {}", limits::STICKERS)));
        }
        let images = images.into_iter().map(|image| image.kept("images")).collect::<Result<Vec<_>, _>>()?;
        let mut value = Map::from_iter([("name".to_owned(), name.into()), ("images".to_owned(), images.into())]);
        if let Some(zip) = self.zip {
            value.insert("zip".to_owned(), zip.kept("zip")?);
        }
        Ok(StickerSet { id, place: self.order.unwrap_or(0), value, updated_ms: 0 })
    }
}

/// A set as it goes out; with where its pictures lie only to the platform.
fn shown(set: &StickerSet, with_addresses: bool) -> Value {
    let resource = |kept: &Value| {
        let mut shown = json!({"resourceId": kept["name"]});
        if let (true, Some(fields)) = (with_addresses && kept["address"].is_string(), shown.as_object_mut()) {
            fields.insert("Location".to_owned(), kept["address"].clone());
        }
        shown
    };
    let images = set.value.get("images").and_then(Value::as_array);
    let images: Vec<Value> = images.into_iter().flatten().map(resource).collect();
    let mut shown = json!({
        "_id": set.id, "id": set.id, "name": set.value.get("name"), "order": set.place, "images": images,
        "updatedAt": Iso::of(set.updated_ms), "updatedAtMS": set.updated_ms,
    });
    if let (Some(zip), Some(fields)) = (set.value.get("zip"), shown.as_object_mut()) {
        fields.insert("zip".to_owned(), resource(zip));
    }
    shown
}

fn listing(sets: &[StickerSet], with_addresses: bool) -> Response {
    let data: Vec<Value> = sets.iter().map(|set| shown(set, with_addresses)).collect();
    Answer(Listing::of(i64::try_from(data.len()).unwrap_or(i64::MAX), data)).into_response()
}

/// `GET /stickers`
async fn public_list(State(edge): State<Edge>, AppKey(app): AppKey) -> Result<Response, ApiError> {
    Ok(listing(&edge.chat.stickers(app.number).await?, false))
}

/// `GET /stickers/res`
async fn resource_at(State(edge): State<Edge>, query: Query) -> Result<Response, ApiError> {
    let name = query.one("resourceId")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| rows::INVALID_QUERY_PARAMETER.with("resourceId"))?;
    let wanted = query.one("appID")?;
    for app in edge.chat.apps().await? {
        if wanted.is_some_and(|wanted| wanted != app.id.as_str()) {
            continue;
        }
        for set in edge.chat.stickers(app.number).await? {
            let images = set.value.get("images").and_then(Value::as_array);
            let mut all = images.into_iter().flatten().chain(set.value.get("zip"));
            let Some(found) = all.find(|kept| kept["name"] == name) else { continue };
            let Some(address) = found["address"].as_str() else { continue };
            let fault = |_| ApiError::Fault("a sticker's address cannot stand in a header".to_owned());
            let mut response = Response::default();
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(LOCATION, HeaderValue::from_str(address).map_err(fault)?);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
            return Ok(response);
        }
    }
    Err(rows::STICKERS_NOT_FOUND.into())
}

/// `GET /admin/stickers`
async fn list_all(State(edge): State<Edge>, Caller(caller): Caller) -> Result<Response, ApiError> {
    Ok(listing(&edge.chat.stickers(caller.app.number).await?, true))
}

/// `POST /admin/stickers`
async fn save(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(given): Body<Given>,
) -> Result<Response, ApiError> {
    let set = edge.chat.save_stickers(&caller, given.set()?).await?;
    Ok(Answer(shown(&set, true)).into_response())
}

/// `DELETE /admin/stickers/{id}`
async fn delete(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    edge.chat.delete_stickers(&caller, &id).await?;
    Ok(Answer(json!({"n": 1, "ok": 1})).into_response())
}
