//! What is asked of a list, and how it is answered: at once if it is short, streamed if it is
//! long (R-01 to R-04).

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use banter_chat::ListReader;
use banter_domain::id::{ObjectId, UserId};
use banter_domain::relation::{After, ListQuery, Listed};
use bytes::Bytes;

use super::view::{Before, EntryView};
use crate::errors::ApiError;
use crate::http::answer::{etag, held as is_held, tagged};
use crate::http::cursor;
use crate::http::extract::{IfNoneMatch, Query};

/// The largest `limit`.
const MAX_LIMIT: usize = 1_000;
/// The most users `ids` may name.
const MAX_IDS: usize = 200;
/// Entries read at once; a list that has more is streamed.
const PAGE: usize = 500;
/// A reader of a streamed list who takes nothing for so long is left.
const STALLED: Duration = Duration::from_secs(30);

/// Which of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One's own: the blocker is an id.
    Blocks,
    /// A room's: the blocker is a user.
    Bans,
}

/// Reads the parameters (R-03). Errors: 400 `INVALID_QUERY`.
pub(super) fn asked(query: &Query, own: bool) -> Result<ListQuery, ApiError> {
    use crate::http::extract::bad_parameter as bad;
    if query.is_empty() {
        return Ok(ListQuery::default());
    }
    let limit = query.read::<usize>("limit")?;
    if limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
        return Err(bad("limit"));
    }
    let users = match query.one("ids")? {
        None => None,
        Some(ids) => {
            let ids: Result<Vec<UserId>, _> = ids.split(',').map(UserId::parse).collect();
            Some(ids.ok().filter(|ids| ids.len() <= MAX_IDS).ok_or_else(|| bad("ids"))?)
        }
    };
    let direct = match query.one("roomType")?.filter(|_| own) {
        None => None,
        Some("direct") => Some(true),
        Some("group") => Some(false),
        Some(_) => return Err(bad("roomType")),
    };
    let holds = query.one("q")?.filter(|text| !text.is_empty());
    if holds.is_some_and(|text| text.contains(char::is_control)) {
        return Err(bad("q"));
    }
    Ok(ListQuery {
        limit,
        after: query.one("cursor")?.map(|text| cursor(text).ok_or_else(|| bad("cursor"))).transpose()?,
        holds: holds.map(str::to_owned),
        users,
        direct,
        since_ms: query.moment("since")?,
    })
}

/// A cursor holds the last entry's time and id.
fn cursor(text: &str) -> Option<After> {
    let bytes = cursor::read(text)?;
    let (updated, id) = bytes.split_first_chunk::<8>()?;
    let id = std::str::from_utf8(id).ok().and_then(ObjectId::parse)?;
    Some(After { updated_ms: i64::from_be_bytes(*updated), id })
}

fn cursor_after(last: &Listed) -> String {
    let mut bytes = last.updated_ms.to_be_bytes().to_vec();
    bytes.extend_from_slice(last.id.to_string().as_bytes());
    cursor::written(&bytes)
}

/// A whole answer.
pub(super) struct Short {
    pub(super) body: Bytes,
    pub(super) etag: Bytes,
    /// Everybody who is shown in it.
    pub(super) shows: Vec<UserId>,
}

const HEAD: &[u8] = br#"{"RC":0,"RM":"OK","result":{"data":["#;
const FOOT: &[u8] = b"]}}";

fn write(out: &mut Vec<u8>, page: &[Listed], shape: Shape, since: bool, first: &mut bool) -> Result<(), ApiError> {
    let mut before = Before::none();
    for entry in page {
        if !std::mem::take(first) {
            out.push(b',');
        }
        let written = EntryView::of(entry, shape == Shape::Bans, since, &mut before)
            .and_then(|entry| serde_json::to_writer(&mut *out, &entry));
        written.map_err(|error| ApiError::Fault(error.to_string()))?;
    }
    Ok(())
}

/// The whole answer, if one page holds it. `None`: it is longer.
pub(super) async fn short(mut reader: ListReader, asked: &ListQuery, shape: Shape) -> Result<Option<Short>, ApiError> {
    let mut page = reader.page(asked.limit.unwrap_or(PAGE) + 1).await?;
    let more = match asked.limit {
        Some(limit) => {
            let more = page.len() > limit;
            page.truncate(limit);
            more
        }
        None if page.len() > PAGE => return Ok(None),
        None => false,
    };
    let mut body = Vec::with_capacity(HEAD.len() + 400 * page.len() + 64);
    body.extend_from_slice(HEAD);
    write(&mut body, &page, shape, asked.since_ms.is_some(), &mut true)?;
    match page.last().filter(|_| more) {
        None => body.extend_from_slice(FOOT),
        Some(last) => body.extend_from_slice(format!(r#"],"nextCursor":"{}"}}}}"#, cursor_after(last)).as_bytes()),
    }
    let etag = etag(blake3::Hasher::new().update(&body));
    let mut shows: Vec<UserId> = Vec::with_capacity(page.len() + 1);
    for entry in page {
        if shape == Shape::Bans && !shows.contains(&entry.blocker.id) {
            shows.push(entry.blocker.id.clone());
        }
        shows.push(entry.blockee.id);
    }
    Ok(Some(Short { body: body.into(), etag, shows }))
}

/// A long answer, page after page. It is read twice at one moment: first for its ETag.
pub(super) async fn streamed(mut reader: ListReader, shape: Shape, held: &IfNoneMatch) -> Result<Response, ApiError> {
    let since = reader.since();
    let mut hasher = blake3::Hasher::new();
    hasher.update(HEAD);
    let mut first = true;
    let mut out = Vec::new();
    loop {
        let page = reader.page(PAGE).await?;
        out.clear();
        write(&mut out, &page, shape, since, &mut first)?;
        hasher.update(&out);
        if page.len() < PAGE {
            break;
        }
        // Others have their turn between the pages of a long list.
        tokio::task::yield_now().await;
    }
    hasher.update(FOOT);
    let etag = etag(&hasher);
    if is_held(held, &etag).is_some() {
        return tagged(held, &etag, Body::empty());
    }
    reader.rewind();
    let (sender, mut pages) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(2);
    tokio::spawn(async move {
        let mut first = true;
        let mut head = HEAD.to_vec();
        loop {
            let mut out = std::mem::take(&mut head);
            let read = match reader.page(PAGE).await {
                Ok(page) => write(&mut out, &page, shape, since, &mut first).map(|()| page.len()).map_err(|_| "a page"),
                Err(_) => Err("the store"),
            };
            let last = match read {
                Ok(count) => count < PAGE,
                Err(what) => {
                    // Cut off without its end, the body cannot be taken for a whole list.
                    tracing::error!(what, "a streamed list broke off");
                    let broken = std::io::Error::other("the list broke off");
                    sender.send(Err(broken)).await.ok();
                    return;
                }
            };
            if last {
                out.extend_from_slice(FOOT);
            }
            let sent = tokio::time::timeout(STALLED, sender.send(Ok(out.into()))).await;
            if last || !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    });
    let body = futures_util::stream::poll_fn(move |context| pages.poll_recv(context));
    tagged(held, &etag, Body::from_stream(body))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn r03_a_forged_or_cut_cursor_is_none() {
        let after = After { updated_ms: 1_628_093_333_057, id: ObjectId::first_of(1_628_093_333_057) };
        let mut bytes = after.updated_ms.to_be_bytes().to_vec();
        bytes.extend_from_slice(after.id.to_string().as_bytes());
        let check = blake3::hash(&bytes);
        bytes.extend(check.as_bytes().iter().take(4));
        let text = URL_SAFE_NO_PAD.encode(&bytes);
        assert_eq!(cursor(&text), Some(after));
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            assert_eq!(cursor(&URL_SAFE_NO_PAD.encode(&forged)), None, "byte {at}");
            assert_eq!(cursor(&URL_SAFE_NO_PAD.encode(&bytes[..at])), None, "cut at {at}");
        }
        assert_eq!(cursor("%%%"), None);
    }
}
