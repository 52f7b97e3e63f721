//! Giving a file's bytes out, so that they can be shown and saved but can run nothing.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use banter_domain::file::File;
use futures_util::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::held;
use crate::http::extract::IfNoneMatch;

/// Pages of other origins may show it (rest.md 0.4).
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Should somebody open it as a page of its own: a page that may do nothing, of an origin of its own.
const POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);
/// What stands for itself in an extended parameter (RFC 8187, attr-char).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Who may keep what is given out. Nobody between may change it: its tag is that of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    /// The reader alone, and he asks each time: he may be shut out tomorrow.
    Asking,
    /// The reader alone, for so many seconds.
    For(i64),
    /// Everybody.
    Everybody,
}

impl Cache {
    fn header(self) -> Result<HeaderValue, ApiError> {
        let text = match self {
            Self::Asking => "private, no-cache, no-transform".to_owned(),
            Self::For(seconds) => format!("private, max-age={}, no-transform", seconds.max(0)),
            Self::Everybody => "public, max-age=3600, no-transform".to_owned(),
        };
        header(text)
    }
}

fn header(text: String) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(text).map_err(|error| ApiError::Fault(format!("a header cannot be written: {error}")))
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// Bytes it has not.
    Nothing,
}

/// Reads a `Range`. Anything but one range of bytes is as none: the answer is the whole then (RFC 9110, 14.2).
fn wanted(range: Option<&str>, length: u64) -> Wanted {
    let Some((from, to)) = range.and_then(|range| range.strip_prefix("bytes=")?.trim().split_once('-')) else {
        return Wanted::All;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More than there can be is more than there is.
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (from, number(from), to, number(to)) {
        (_, Some(from), "", _) if from < length => Wanted::Part(from..length),
        (_, Some(from), _, Some(to)) if from <= to && from < length => {
            Wanted::Part(from..to.saturating_add(1).min(length))
        }
        (_, Some(from), _, Some(to)) if from > to => Wanted::All,
        (_, Some(_), "", _) | (_, Some(_), _, Some(_)) | ("", _, _, Some(0)) => Wanted::Nothing,
        ("", _, _, Some(_)) if length == 0 => Wanted::Nothing,
        ("", _, _, Some(last)) => Wanted::Part(length.saturating_sub(last)..length),
        _ => Wanted::All,
    }
}

/// How a browser is to treat it: shown where it stands if it can run nothing, else saved. The name comes twice, for
/// those who read the older form only.
fn disposition(file: &File) -> String {
    let how = if file.media.is_shown() { "inline" } else { "attachment" };
    let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' };
    let ascii: String = file.name.chars().map(plain).collect();
    let whole = utf8_percent_encode(&file.name, ESCAPED);
    format!("{how}; filename=\"{ascii}\"; filename*=UTF-8''{whole}")
}

/// The answer to whoever may read a file.
pub(super) async fn serve(
    edge: &Edge,
    app: i64,
    file: &File,
    method: &Method,
    asked: &HeaderMap,
    cache: Cache,
) -> Result<Response, ApiError> {
    let tag = bytes::Bytes::from(format!("\"{}\"", file.md5));
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, cache.header()?);
    if let Some(tag) = held(&IfNoneMatch::of(asked), &tag) {
        headers.insert(ETAG, tag);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    headers.insert(ETAG, header(format!("\"{}\"", file.md5))?);
    describe(file, headers)?;
    let is_same = asked.get(IF_RANGE).is_none_or(|known| known.as_bytes() == tag);
    let range = asked.get(RANGE).filter(|_| is_same && *method == Method::GET).and_then(|range| range.to_str().ok());
    let part = match wanted(range, file.length) {
        Wanted::All => 0..file.length,
        Wanted::Part(part) => {
            let text = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), file.length);
            headers.insert(CONTENT_RANGE, header(text)?);
            part
        }
        Wanted::Nothing => return Err(ApiError::BadRange(file.length)),
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    if headers.contains_key(CONTENT_RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    if *method == Method::HEAD {
        return if edge.chat.has_bytes(app, file).await? { Ok(response) } else { Err(rows::FILE_NOT_FOUND.into()) };
    }
    let served = edge.metrics.file_bytes_served();
    let bytes = edge.chat.bytes(app, file, part).await?;
    let id = file.id;
    let counted = bytes.inspect(move |piece| match piece {
        Ok(piece) => drop(served.inc_by(piece.len() as u64)),
        // Too late to be told: the connection is cut, since less came than was promised.
        Err(error) => tracing::error!(%error, file = %id, "a file broke off while it was given out"),
    });
    *response.body_mut() = Body::from_stream(counted);
    Ok(response)
}

/// What the file is, and how it is to be treated.
fn describe(file: &File, headers: &mut HeaderMap) -> Result<(), ApiError> {
    headers.insert(CONTENT_TYPE, header(file.media.as_str().to_owned())?);
    headers.insert(CONTENT_DISPOSITION, header(disposition(file))?);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    for (name, value) in [
        ("x-imkit-id", file.id.to_string()),
        ("x-imkit-bucket", escaped(file.bucket.as_str())),
        ("x-imkit-filename", escaped(&file.name)),
        ("x-imkit-mimetype", file.media.as_str().to_owned()),
        ("x-imkit-length", file.length.to_string()),
        ("x-imkit-md5", file.md5.clone()),
        ("x-imkit-upload-date-ms", file.uploaded_ms.to_string()),
        ("x-imkit-client", escaped(file.uploader.as_str())),
    ] {
        headers.insert(HeaderName::from_static(name), header(value)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use banter_domain::file::MediaType;
    use banter_domain::id::{Bucket, ObjectId, UserId};

    #[test]
    fn one_range_is_read_and_anything_else_is_none() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=2-4", Wanted::Part(2..5)),
            ("bytes=2-99", Wanted::Part(2..10)),
            ("bytes=2-99999999999999999999999", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-12", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=4-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("items=0-1", Wanted::All),
        ] {
            assert_eq!(wanted(Some(range), 10), expected, "{range}");
        }
        assert_eq!(wanted(None, 10), Wanted::All);
        assert_eq!((wanted(Some("bytes=0-"), 0), wanted(Some("bytes=-1"), 0)), (Wanted::Nothing, Wanted::Nothing));
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        let file = |name: &str, media: &str| File {
            id: ObjectId::from_bytes([1; 12]),
            bucket: Bucket::parse("b").expect("a bucket"),
            name: name.to_owned(),
            media: MediaType::said(media),
            length: 1,
            md5: String::new(),
            extra: serde_json::Map::new(),
            uploader: UserId::parse("ann").expect("an id"),
            uploaded_ms: 0,
        };
        assert_eq!(
            disposition(&file("a\"; x=\\y.html", "text/html")),
            "attachment; filename=\"a_; x=_y.html\"; filename*=UTF-8''a%22%3B%20x%3D%5Cy.html"
        );
        assert_eq!(
            disposition(&file("你.png", "image/png")),
            "inline; filename=\"_.png\"; filename*=UTF-8''%E4%BD%A0.png"
        );
    }
}
