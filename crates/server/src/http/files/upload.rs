//! Taking a file in: `multipart/form-data`, read as it comes and never held whole.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use banter_chat::{Caller as Uploader, Incoming, NewFile};
use banter_domain::file::{File, MediaType, picture};
use banter_domain::id::{Bucket, RoomId};
use bytes::Bytes;
use futures_util::Stream;
use multer::{Field, Multipart};
use serde_json::{Map, Value};

use super::view::FileView;
use crate::errors::{ApiError, Row, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Caller, Path, decoded, drained, object};
use crate::http::limits_of_fields as limits;

/// What may stand around the file in a body, bytes: the other parts, and what separates them.
const AROUND: u64 = 1 << 20;
/// What the parser may have read without giving any of it back, bytes: the headers of a part must fit.
const AHEAD: usize = 1 << 20;
/// So much of it the parser is given at once, bytes. What comes of a body may be much more, and for each of the small parts
/// before a file the parser asks some three times.
const PIECE: usize = 16 << 10;
/// A client whose bytes come slower than this, bytes a second, runs out of time.
const SLOWEST: u64 = 32 << 10;
/// So much of a picture shows what it is, bytes.
const BEGINNING: usize = 16;

/// `POST /files/{bucket}`
pub(super) async fn upload(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Path(bucket): Path<Bucket>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let left = edge.settings.file_limit.saturating_add(AROUND);
    let mut inlet = Inlet { body, come: Bytes::new(), left, ahead: Arc::default(), rests: false, trouble: None };
    match taken(&edge, &caller, bucket, &parts.headers, &mut inlet).await {
        Ok(file) => {
            edge.metrics.file_bytes_stored(file.length);
            Ok(Answer(FileView::of(&caller.app.id, &file)).into_response())
        }
        Err(error) => {
            // A client that is still writing gets to read why not.
            drained(inlet.body, edge.settings.body_timeout).await;
            Err(inlet.trouble.map_or(error, ApiError::from))
        }
    }
}

async fn taken(
    edge: &Edge,
    caller: &Uploader,
    bucket: Bucket,
    headers: &HeaderMap,
    inlet: &mut Inlet,
) -> Result<File, ApiError> {
    // Clients ask this of a server that looks into films, and do it themselves on any error. It must not look like a bucket.
    if bucket.as_str() == "video-info" {
        return Err(rows::NOT_FOUND.into());
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(text(CONTENT_TYPE)).map_err(|_| rows::MULTIPART_EXPECTED)?;
    if text(CONTENT_LENGTH).parse().is_ok_and(|length: u64| length > inlet.left) {
        return Err(rows::PAYLOAD_TOO_LARGE.into());
    }
    let ahead = inlet.ahead.clone();
    let mut reader = Reader { edge, caller, ahead, begun: (edge.senses.elapsed)(), taken: 0 };
    reader.read(bucket, Multipart::new(inlet, boundary)).await
}

/// The body as the parser gets it. Each time the parser is asked for something it takes whatever is there before it works
/// on any of it, so it is given one small piece at a time, and no more than it should ever have to hold.
struct Inlet {
    body: Body,
    /// What has come and was not given yet.
    come: Bytes,
    /// So much may still come, bytes.
    left: u64,
    /// So much the parser holds, at most, bytes.
    ahead: Arc<AtomicUsize>,
    /// The piece before this one was given just now.
    rests: bool,
    trouble: Option<Row>,
}

impl Stream for Inlet {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rests) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.come.is_empty() {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(std::io::Error::other(error)))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            self.come = frame.into_data().unwrap_or_default();
        }
        let length = self.come.len().min(PIECE);
        let piece = self.come.split_to(length);
        let ahead = self.ahead.fetch_add(length, Ordering::Relaxed) + length;
        match self.left.checked_sub(length as u64) {
            None => self.trouble = Some(rows::PAYLOAD_TOO_LARGE),
            Some(left) if ahead <= AHEAD => {
                (self.left, self.rests) = (left, true);
                return Poll::Ready(Some(Ok(piece)));
            }
            Some(_) => {}
        }
        Poll::Ready(Some(Err(std::io::Error::other("more than is taken"))))
    }
}

/// Reads the parts of one upload.
struct Reader<'a> {
    edge: &'a Edge,
    caller: &'a Uploader,
    ahead: Arc<AtomicUsize>,
    begun: Duration,
    /// How much was read of all parts, bytes.
    taken: u64,
}

impl<'a> Reader<'a> {
    async fn read(&mut self, bucket: Bucket, parts: Multipart<'_>) -> Result<File, ApiError> {
        let (mut incoming, mut extra) = (None, None);
        let read = self.parts(bucket, parts, &mut incoming, &mut extra).await;
        match (read, incoming) {
            (Ok(()), Some(incoming)) => Ok(incoming.finish(extra.unwrap_or_default()).await?),
            (Ok(()), None) => Err(limits::missing("file")),
            (Err(error), incoming) => {
                if let Some(incoming) = incoming {
                    incoming.discard().await;
                }
                Err(error)
            }
        }
    }

    async fn parts(
        &mut self,
        bucket: Bucket,
        mut parts: Multipart<'_>,
        incoming: &mut Option<Incoming<'a>>,
        extra: &mut Option<Map<String, Value>>,
    ) -> Result<(), ApiError> {
        while let Some(mut part) = self.in_time(parts.next_field()).await? {
            match part.name() {
                Some("file") if incoming.is_none() => {
                    let room = extra.as_ref().map_or(Ok(None), room_of)?;
                    self.file(&bucket, room, part, incoming).await?;
                }
                Some("extra") if extra.is_none() => {
                    let given = object(&self.short(part).await?)?;
                    let room = room_of(&given)?;
                    *extra = Some(given);
                    // Some clients say only behind the file where it belongs.
                    if let (Some(incoming), Some(room)) = (incoming.as_mut(), room) {
                        incoming.is_for(room).await?;
                    }
                }
                Some(twice @ ("file" | "extra")) => return Err(limits::bad(twice, "there once")),
                Some(_) | None => while self.piece(&mut part).await?.is_some() {},
            }
        }
        Ok(())
    }

    /// Takes the file itself in. It is judged before the first of its bytes is stored, as far as its room is known.
    async fn file(
        &mut self,
        bucket: &Bucket,
        room: Option<RoomId>,
        mut part: Field<'_>,
        incoming: &mut Option<Incoming<'a>>,
    ) -> Result<(), ApiError> {
        let name = file_name(part.file_name().unwrap_or_default());
        let said = MediaType::said(part.content_type().map_or("", |media| media.essence_str()));
        let mut beginning = Vec::new();
        while beginning.len() < BEGINNING
            && let Some(piece) = self.piece(&mut part).await?
        {
            beginning.extend_from_slice(&piece);
        }
        // What everybody gets is what it says it is.
        let media = if bucket.is_public() { picture(&beginning).ok_or(rows::FILE_TYPE_REFUSED)? } else { said };
        if !self.edge.settings.file_types.take(&media) {
            return Err(rows::FILE_TYPE_REFUSED.into());
        }
        let new = NewFile { bucket: bucket.clone(), name, media, room };
        let incoming = incoming.insert(self.edge.chat.receive(self.caller, new).await?);
        let mut next = Some(Bytes::from(beginning));
        while let Some(piece) = next {
            if incoming.length() + piece.len() as u64 > self.edge.settings.file_limit {
                return Err(rows::PAYLOAD_TOO_LARGE.into());
            }
            incoming.write(&piece).await?;
            next = self.piece(&mut part).await?;
        }
        Ok(())
    }

    /// A part that is short.
    async fn short(&mut self, mut part: Field<'_>) -> Result<Vec<u8>, ApiError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(&mut part).await? {
            whole.extend_from_slice(&piece);
            if whole.len() > limits::FILE_EXTRA {
                return Err(limits::bad("extra", &format!("at most {} bytes long", limits::FILE_EXTRA)));
            }
        }
        Ok(whole)
    }

    /// The next piece of a part. `None`: that was all.
    async fn piece(&mut self, part: &mut Field<'_>) -> Result<Option<Bytes>, ApiError> {
        let piece = self.in_time(part.chunk()).await?;
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.taken += length as u64;
        self.ahead.fetch_sub(length, Ordering::Relaxed);
        Ok(piece)
    }

    /// Waits for something of the body: never longer than silence may last, and in all no longer than a slow client
    /// needs for what has come.
    async fn in_time<T>(&self, coming: impl Future<Output = multer::Result<T>>) -> Result<T, ApiError> {
        let silence = self.edge.settings.body_timeout;
        let allowed = silence.saturating_mul(10) + Duration::from_secs(self.taken / SLOWEST);
        let took = (self.edge.senses.elapsed)().saturating_sub(self.begun);
        let left = allowed.checked_sub(took).ok_or(rows::REQUEST_TIMEOUT)?;
        let come = tokio::time::timeout(silence.min(left), coming).await.map_err(|_| rows::REQUEST_TIMEOUT)?;
        come.map_err(|_| rows::INVALID_FIELD.with("it is not whole, or no multipart/form-data"))
    }
}

/// Which room `extra` names; the newer name wins.
fn room_of(extra: &Map<String, Value>) -> Result<Option<RoomId>, ApiError> {
    let given = ["roomId", "roomID"].into_iter().filter_map(|name| extra.get(name)).find(|room| !room.is_null());
    match given {
        None => Ok(None),
        Some(Value::String(room)) => Ok(Some(RoomId::parse(room.as_str())?)),
        Some(_) => Err(limits::bad("roomId", "a text")),
    }
}

/// A file's name as it is kept: decoded, without folders and without what does not show or turns other text around.
fn file_name(given: &str) -> String {
    let name = decoded(given).unwrap_or_else(|| given.to_owned());
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let hides = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = last.chars().filter(|c| !hides(*c)).take(limits::FILE_NAME).collect();
    match clean.trim() {
        "" | "." | ".." => "file".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_is_a_name_and_no_path() {
        for (given, kept) in [
            ("pitaya.jpg", "pitaya.jpg"),
            ("%E4%BD%A0%20%E5%A5%BD.png", "你 好.png"),
            ("100%.txt", "100%.txt"),
            ("../../etc/passwd", "passwd"),
            ("..%2F..%2Fsecret", "secret"),
            ("C:\\x\\y.doc", "y.doc"),
            ("a\r\nb.txt", "ab.txt"),
            ("evil\u{202e}gpj.exe", "evilgpj.exe"),
            ("", "file"),
            ("..", "file"),
            ("a/", "file"),
            ("%2e%2e", "file"),
        ] {
            assert_eq!(file_name(given), kept, "{given:?}");
        }
        assert_eq!(file_name(&"é".repeat(1000)).chars().count(), limits::FILE_NAME);
    }

    #[test]
    fn extra_may_name_a_room() {
        let room = |extra: Value| {
            room_of(extra.as_object().unwrap()).map(|room| room.map(|room| room.as_str().to_owned())).ok()
        };
        assert_eq!(room(json!({"roomId": "den"})), Some(Some("den".to_owned())));
        assert_eq!(room(json!({"roomID": "den", "roomId": null})), Some(Some("den".to_owned())));
        assert_eq!(room(json!({"roomID": "den", "roomId": "lab"})), Some(Some("lab".to_owned())));
        assert_eq!(room(json!({"x": 1})), Some(None));
        for bad in [json!({"roomId": 1}), json!({"roomId": ""}), json!({"roomId": "../x"})] {
            assert_eq!(room(bad.clone()), None, "{bad}");
        }
    }
}
