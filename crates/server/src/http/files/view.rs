//! A file on the wire (model.md 9).

use banter_domain::file::File;
use banter_domain::id::AppId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::http::view::message::Hex;
use crate::http::view::time::Iso;

/// What clients of the platform expect to read there; nothing is stored in chunks.
const CHUNK: u64 = 261_120;

/// What is known of a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = File)]
pub(super) struct FileView<'a> {
    /// Same as `id`.
    #[serde(rename = "_id")]
    #[schema(value_type = String)]
    key: Hex,
    /// 24 hex digits that nobody can guess.
    #[schema(value_type = String)]
    id: Hex,
    /// Which app.
    #[serde(rename = "appID")]
    app: &'a str,
    /// What it is sorted by.
    bucket_name: &'a str,
    /// What its uploader calls it.
    filename: &'a str,
    /// Its media type.
    mimetype: &'a str,
    /// How long it is, bytes.
    length: u64,
    /// Always the same number.
    chunk_size: u64,
    /// The MD5 of its bytes, hex.
    md5: &'a str,
    /// When it was uploaded.
    #[schema(value_type = String, format = DateTime)]
    upload_date: Iso,
    /// The same in milliseconds.
    #[serde(rename = "uploadDateMS")]
    uploaded_ms: i64,
    /// Who uploaded it.
    client: &'a str,
    /// What its uploader said of it.
    #[schema(value_type = Object)]
    extra: &'a Map<String, Value>,
}

impl<'a> FileView<'a> {
    /// Of a file of this app.
    pub(super) fn of(app: &'a AppId, file: &'a File) -> Self {
        Self {
            key: Hex(file.id),
            id: Hex(file.id),
            app: app.as_str(),
            bucket_name: file.bucket.as_str(),
            filename: &file.name,
            mimetype: file.media.as_str(),
            length: file.length,
            chunk_size: CHUNK,
            md5: &file.md5,
            upload_date: Iso::of(file.uploaded_ms),
            uploaded_ms: file.uploaded_ms,
            client: file.uploader.as_str(),
            extra: &file.extra,
        }
    }
}

/// A file as the document shows it.
pub(super) fn example() -> Value {
    json!({
        "_id": "58b6734b3f094c17ec29ce48", "id": "58b6734b3f094c17ec29ce48", "appID": "SampleApp",
        "bucketName": "chatserver-upload", "filename": "pitaya-1.jpg", "mimetype": "image/jpeg", "length": 39_435,
        "chunkSize": CHUNK, "md5": "d01c6e3e56230571fb84bdc8c8472add", "uploadDate": "2017-03-01T07:07:55.816Z",
        "uploadDateMS": 1_488_352_075_816_i64, "client": "aaa", "extra": {"roomId": "demo-room"},
    })
}
