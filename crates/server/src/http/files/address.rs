//! Addresses of files: signed ones, which work without headers until they expire, and those that messages hold.
//!
//! A signed address is a key: whoever has it reads that one file until it expires, and nothing else. What it is worth was
//! judged when it was made.

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, Uri};
use banter_chat::App;
use banter_domain::file::File;
use banter_domain::id::{AppId, Bucket, ObjectId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::config::Secret;
use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::extract::Query;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// What stands for itself in a segment and in a value (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What an address is asked for with.
const SIGNATURE: &str = "Signature";
/// At most so many files come with one message.
const FILES: usize = 256;

/// Does this query hold a signature, so that no headers are looked at?
pub(crate) fn is_signed(query: Option<&str>) -> bool {
    let named = |pair: &str| pair.split('=').next() == Some(SIGNATURE);
    query.is_some_and(|query| query.split('&').any(named))
}

/// An address of a file that works without headers for as long as the settings say.
pub(super) fn url(edge: &Edge, app: &AppId, file: &File, uri: &Uri, headers: &HeaderMap) -> Result<String, ApiError> {
    let expires = edge.chat.now() / 1000 + i64::from(edge.settings.file_url_seconds);
    let signature = sign(&edge.settings.secret, app, &file.bucket, file.id, expires);
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    Ok(format!(
        "{}/files/{}/{}?App={}&Expires={expires}&{SIGNATURE}={signature}",
        base(edge, uri, headers)?,
        escaped(file.bucket.as_str()),
        file.id,
        escaped(app.as_str()),
    ))
}

/// Where this server is found: as its operator says, else as the request came in.
fn base(edge: &Edge, uri: &Uri, headers: &HeaderMap) -> Result<String, ApiError> {
    if let Some(base) = &edge.settings.public_url {
        return Ok(base.trim_end_matches('/').to_owned());
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_https = edge.settings.trust_forwarded && text(&FORWARDED_PROTO) == Some("https");
    let named = uri.authority().map(|authority| authority.as_str()).or_else(|| text(&HOST));
    let is_host =
        |host: &&str| host.parse::<axum::http::uri::Authority>().is_ok_and(|host| !host.as_str().contains('@'));
    let host = named.filter(is_host).ok_or_else(|| rows::INVALID_FIELD.with("the request names no host"))?;
    Ok(format!("{}://{host}", if is_https { "https" } else { "http" }))
}

/// The app of a signed address, and for how many seconds it still holds. Errors: 403 for one that is forged, for another file, or
/// has expired, without telling which.
pub(super) async fn check(edge: &Edge, bucket: &Bucket, id: ObjectId, query: &Query) -> Result<(App, i64), ApiError> {
    let refused = || ApiError::from(rows::ADDRESS_NOT_VALID);
    let (app, expires) = (query.one("App")?, query.one("Expires")?.and_then(|seconds| seconds.parse::<i64>().ok()));
    let signature = query.one(SIGNATURE)?.and_then(|hex| blake3::Hash::from_hex(hex).ok());
    let (Some(app), Some(expires), Some(signature)) = (app, expires, signature) else { return Err(refused()) };
    let app = AppId::parse(app).map_err(|_| refused())?;
    let left = expires.saturating_sub(edge.chat.now() / 1000);
    // The comparison of hashes takes the same time wherever they differ.
    if sign(&edge.settings.secret, &app, bucket, id, expires) != signature || left <= 0 {
        return Err(refused());
    }
    Ok((edge.chat.app_of_id(&app).await?.ok_or_else(refused)?, left))
}

/// A keyed hash over all that the address says. Each part comes with its length, so that no two addresses read alike.
fn sign(secret: &Secret, app: &AppId, bucket: &Bucket, id: ObjectId, expires: i64) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(&blake3::derive_key("banter 2026 addresses of files", &secret.0));
    for part in [app.as_str(), bucket.as_str(), &id.to_string(), &expires.to_string()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize()
}

/// The files whose addresses stand anywhere in a message's fields, each once.
#[must_use]
pub(crate) fn named_in(fields: &Map<String, Value>) -> Vec<ObjectId> {
    let mut found = Vec::new();
    fields.values().for_each(|value| collect(value, &mut found));
    found
}

fn collect(value: &Value, found: &mut Vec<ObjectId>) {
    match value {
        Value::String(text) if text.contains("/files") || text.contains("\\/files") => {
            // Mobile clients send objects as texts, in which a slash may be escaped.
            if text.starts_with(['{', '['])
                && let Ok(inner) = serde_json::from_str::<Value>(text)
            {
                return collect(&inner, found);
            }
            found.extend(addressed(text).filter(|_| found.len() < FILES).filter(|id| !found.contains(id)));
        }
        Value::Array(all) => all.iter().for_each(|one| collect(one, found)),
        Value::Object(all) => all.values().for_each(|one| collect(one, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The file that an address, absolute or not, leads to: `…/files/{bucket}/{id}`.
fn addressed(text: &str) -> Option<ObjectId> {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let (_, rest) = path.rsplit_once("/files/")?;
    let (bucket, id) = rest.trim_end_matches('/').split_once('/')?;
    ObjectId::parse(id).filter(|_| !bucket.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "58b6734b3f094c17ec29ce48";

    fn named(fields: Value) -> Vec<String> {
        named_in(fields.as_object().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_are_found_wherever_a_message_may_name_them() {
        let url = format!("https://chat.example/base/files/chatserver-upload/{ID}");
        for fields in [
            json!({"originalUrl": url}),
            json!({"thumbnailUrl": format!("/files/b/{ID}?Expires=1&Signature=2")}),
            json!({"images": [{"originalUrl": url}]}),
            json!({"extra": {"thumb": {"url": url}}}),
            json!({"extra": json!({"url": url}).to_string()}),
            json!({"extra": json!({"url": url}).to_string().replace('/', "\\/")}),
            json!({"url": format!("{url}/#x"), "originalUrl": url}),
        ] {
            assert_eq!(named(fields.clone()), [ID], "{fields}");
        }
        for fields in [
            json!({"originalUrl": "https://example/files/b/short"}),
            json!({"originalUrl": format!("https://example/file/b/{ID}")}),
            json!({"originalUrl": format!("/files/{ID}")}),
            json!({"originalUrl": format!("/files//{ID}")}),
            json!({"originalUrl": format!("/x?y=/files/b/{ID}")}),
            json!({"width": 1, "extra": "{/files"}),
        ] {
            assert_eq!(named(fields.clone()), [""; 0], "{fields}");
        }
        let many: Vec<String> = (0..300).map(|number| format!("/files/b/{number:024x}")).collect();
        assert_eq!(named(json!({"images": many})).len(), FILES);
    }

    #[test]
    fn a_signature_is_for_one_file_one_app_and_one_moment() {
        let secret = Secret([1; 32]);
        let (app, bucket) = (AppId::parse("a").unwrap(), Bucket::parse("b").unwrap());
        let id = ObjectId::parse(ID).unwrap();
        let signed = sign(&secret, &app, &bucket, id, 10);
        assert_eq!(signed, sign(&secret, &app, &bucket, id, 10));
        for other in [
            sign(&Secret([2; 32]), &app, &bucket, id, 10),
            sign(&secret, &AppId::parse("aa").unwrap(), &bucket, id, 10),
            sign(&secret, &app, &Bucket::parse("bb").unwrap(), id, 10),
            sign(&secret, &app, &bucket, id.successor(), 10),
            sign(&secret, &app, &bucket, id, 11),
        ] {
            assert_ne!(signed, other);
        }
    }

    #[test]
    fn a_query_says_whether_it_is_signed() {
        assert!(is_signed(Some("App=a&Signature=")) && is_signed(Some("Signature")));
        assert!(!is_signed(None) && !is_signed(Some("signedUrlOnly=Signature&XSignature=1")));
    }
}
