//! Files: `/files`.

mod address;
mod download;
mod upload;
mod view;

use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use banter_domain::id::{Bucket, ObjectId};
use banter_domain::moderation::Act;
use serde::Deserialize;
use serde_json::json;

use self::view::FileView;
use super::Edge;
use super::answer::Answer;
use super::extract::{Body, Caller, MaybeCaller, Path, Query};
use super::limits_of_fields::{self as limits, bad, missing};
use super::routes::{Auth, Kind, Param, Route, Shape};
use super::view::sample;
use crate::errors::{ApiError, rows};

pub(crate) use self::address::{is_signed, named_in};

/// The routes of this file.
pub fn routes() -> Vec<Route> {
    let files = |route: Route| route.tag("Files");
    let named = |route: Route| {
        files(route)
            .param(Param::path("bucket", "What it is sorted by"))
            .param(Param::path("id", "Which file"))
            .errors(&[rows::FILE_NOT_FOUND, rows::FILE_NOT_READABLE])
    };
    let example = sample::answer(&view::example());
    vec![
        files(Route::new(Act::Upload, Method::POST, "/files/{bucket}", upload::upload))
            .summary("Upload a file")
            .text(
                "`multipart/form-data`. For a room it is judged as a message there, before its bytes are stored and again when they are. \
                 Without a room it is its uploader's until a message of his names its address. In the bucket `public` \
                 lie pictures for everybody who has their address.",
            )
            .param(Param::path("bucket", "What it is sorted by, such as `chatserver-upload`"))
            .multipart(
                Shape::object("Upload")
                    .required("file", Kind::Text, "The file; its name may be percent-encoded")
                    .field("extra", Kind::Text, "A JSON object, at most 16,384 bytes: `roomId` (or `roomID`) is the room it is for; comes back as it came"),
            )
            .answer(Shape::of::<FileView<'_>>())
            .example(example.clone())
            .errors(&[
                rows::MISSING_PARAMETER,
                rows::FILE_TYPE_REFUSED,
                rows::NOT_FOUND,
                rows::ROOM_NOT_FOUND,
                rows::NOT_ROOM_MEMBER,
                rows::USER_BANNED,
                rows::USER_BLOCKED,
                rows::ROOM_FROZEN,
            ]),
        named(Route::new(Act::ReadFile, Method::GET, "/files/{bucket}/{id}", read))
            .auth(Auth::Address)
            .summary("Read a file, or get an address of it that needs no headers")
            .text(
                "For whoever may read a room it was brought into. `Range` (one), `If-Range` and `If-None-Match` are honoured. \
                 With `signedUrlOnly` the answer is `{url}` in the envelope.",
            )
            .param(Param::query("signedUrlOnly", Kind::Text, "`1` or `true`: an address that works without headers until it expires"))
            .param(Param::query("App", Kind::Id, "Of a signed address: the app"))
            .param(Param::query("Expires", Kind::Integer, "Of a signed address: until when, seconds since the epoch"))
            .param(Param::query("Signature", Kind::Text, "Of a signed address: what proves it"))
            .other_answer("application/octet-stream")
            .errors(&[rows::ADDRESS_NOT_VALID, rows::RANGE_NOT_SATISFIABLE]),
        named(Route::new(Act::ReadFile, Method::GET, "/files/{bucket}/{id}/metadata", metadata))
            .summary("Read what is known of a file")
            .answer(Shape::of::<FileView<'_>>())
            .example(example),
        files(Route::new(Act::ReadFile, Method::POST, "/files/stats", stats))
            .summary("Read what is known of several files")
            .text("Those of them that the caller may read; others are left out without a word.")
            .body(Shape::object("FileIds").required("ids", Kind::Ids, "Which files, at most 100"))
            .body_example(json!({"ids": ["58b6734b3f094c17ec29ce48"]}))
            .answer(
                Shape::page("Files", Shape::of::<FileView<'_>>())
                    .required("totalLength", Kind::Integer, "How long they are together, bytes"),
            )
            .example(sample::answer(&json!({"totalCount": 1, "totalLength": 39_435, "data": [view::example()]})))
            .errors(&[rows::MISSING_PARAMETER]),
    ]
}

/// `GET /files/{bucket}/{id}`
async fn read(
    State(edge): State<Edge>,
    MaybeCaller(caller): MaybeCaller,
    Path((bucket, id)): Path<(Bucket, ObjectId)>,
    query: Query,
    asked: (Method, Uri),
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (method, uri) = asked;
    let wants_address = query.one("signedUrlOnly")?.is_some_and(|wanted| !matches!(wanted, "" | "0" | "false"));
    match caller {
        Some(caller) => {
            let file = edge.chat.file(&caller, &bucket, id).await?;
            if wants_address {
                let url = address::url(&edge, &caller.app.id, &file, &uri, &headers)?;
                return Ok(Answer(json!({"url": url})).into_response());
            }
            download::serve(&edge, caller.app.number, &file, &method, &headers, download::Cache::Asking).await
        }
        // Who came by an address does not get another one by it: it would never end.
        None if wants_address => Err(rows::INVALID_TOKEN.into()),
        None if bucket.is_public() && !is_signed(uri.query()) => {
            let (app, file) = edge.chat.public_file(id).await?;
            download::serve(&edge, app, &file, &method, &headers, download::Cache::Everybody).await
        }
        None => {
            let (app, seconds) = address::check(&edge, &bucket, id, &query).await?;
            let file = edge.chat.file_at(&app, &bucket, id).await?;
            download::serve(&edge, app.number, &file, &method, &headers, download::Cache::For(seconds)).await
        }
    }
}

/// `GET /files/{bucket}/{id}/metadata`
async fn metadata(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path((bucket, id)): Path<(Bucket, ObjectId)>,
) -> Result<Response, ApiError> {
    let file = edge.chat.file(&caller, &bucket, id).await?;
    Ok(Answer(FileView::of(&caller.app.id, &file)).into_response())
}

#[derive(Deserialize)]
struct Asked {
    ids: Option<Vec<String>>,
}

/// `POST /files/stats`
async fn stats(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(asked): Body<Asked>,
) -> Result<Response, ApiError> {
    let ids = asked.ids.ok_or_else(|| missing("ids"))?;
    if ids.len() > limits::FILES {
        return Err(bad("ids", &format!("at most {} of them", limits::FILES)));
    }
    let ids: Option<Vec<ObjectId>> = ids.iter().map(|id| ObjectId::parse(id)).collect();
    let found = edge.chat.files(&caller, &ids.ok_or(rows::INVALID_ID)?).await?;
    let length: u64 = found.iter().map(|file| file.length).sum();
    let shown: Vec<FileView<'_>> = found.iter().map(|file| FileView::of(&caller.app.id, file)).collect();
    Ok(Answer(json!({"totalCount": shown.len(), "totalLength": length, "data": shown})).into_response())
}
