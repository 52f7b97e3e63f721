//! Bodies: JSON, forms, and none at all (rest.md 0.3), within limits (R-25).

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::{Inbound, form};
use crate::errors::{ApiError, rows};
use crate::http::Edge;

/// How deep arrays and objects may nest. Half of what `serde_json` reads, so that what is stored
/// inside something else can always be read again.
const MAX_DEPTH: usize = 64;

/// What some editors put in front of a text in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How much of a refused body is read and thrown away, so that a client still writing it gets to
/// read the answer.
const DRAINED: usize = 32 << 20;

/// The request's body as `T`: an object in JSON, or a form. No body without a content type is an
/// empty object. `T` is a struct of the fields the endpoint knows (others are ignored), or
/// `Map<String, Value>`, where of a key given twice the last one counts.
///
/// Refused: 400 `INVALID_BODY` (not JSON, no object, a wrong type, a field of a struct given
/// twice, deeper than 64, NUL in a text), 408 (too slow), 413 (too large), 415 (another type).
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Edge> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, edge: &Edge) -> Result<Self, ApiError> {
        let (media, bytes) = taken(request, edge).await?;
        parse(media.as_deref(), &bytes).map(Self)
    }
}

/// A body that may be any JSON, an array or a text as well; nothing at all is an empty object. Refused
/// as [`Body`] is, but for not being an object.
#[derive(Debug)]
pub struct AnyBody(pub Value);

impl FromRequest<Edge> for AnyBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, edge: &Edge) -> Result<Self, ApiError> {
        let (media, bytes) = taken(request, edge).await?;
        match (media.as_deref(), bytes.trim_ascii()) {
            (
                None | Some("" | "application/json" | "text/json"),
                json @ ([b'[' | b'"', ..] | [b't' | b'f' | b'n', ..]),
            )
            | (None | Some("" | "application/json" | "text/json"), json @ [b'0'..=b'9' | b'-', ..]) => {
                serde_json::from_str(sound(json)?).map(Self).map_err(|_| rows::INVALID_BODY.into())
            }
            (media, _) => parse::<serde_json::Map<String, Value>>(media, &bytes).map(|map| Self(Value::Object(map))),
        }
    }
}

/// Takes in a body that nobody asked for, such as the `{}` that clients send. Errors: what calls itself JSON and is none is
/// refused as in a [`Body`]; 408 (too slow), 413 (too large).
pub(crate) async fn unasked(
    headers: &HeaderMap,
    body: axum::body::Body,
    limit: usize,
    idle: Duration,
) -> Result<(), ApiError> {
    let bytes = collect(headers, body, limit, idle).await?;
    match media_type(headers) {
        Some(media) if is_json(&media) && !bytes.trim_ascii().is_empty() => {
            serde_json::from_str::<IgnoredAny>(sound(&bytes)?).map(drop).map_err(|_| rows::INVALID_BODY.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// The body's media type and its bytes, no more than the route takes.
async fn taken(request: Request, edge: &Edge) -> Result<(Option<String>, Bytes), ApiError> {
    let limit = request.extensions().get::<Inbound>().map_or(edge.settings.body_limit, |inbound| inbound.body_limit);
    let (parts, body) = request.into_parts();
    let bytes = collect(&parts.headers, body, limit, edge.settings.body_timeout).await?;
    Ok((media_type(&parts.headers), bytes))
}

/// The media type, lower-cased, without parameters. `None`: the request names none.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(CONTENT_TYPE)?;
    let text = String::from_utf8_lossy(given.as_bytes());
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn parse<T: DeserializeOwned>(media: Option<&str>, bytes: &[u8]) -> Result<T, ApiError> {
    match media {
        Some("application/x-www-form-urlencoded") => {
            let json = bytes.strip_prefix(BOM).unwrap_or(bytes).trim_ascii();
            if let [b'{' | b'[', rest @ ..] = json {
                // An object without anything in it says the same either way. Any other would be one field without a value,
                // and whatever it says passed over.
                return match (json, rest.trim_ascii()) {
                    ([b'{', ..], b"}") => parse_json(b""),
                    _ => Err(wrong("it looks like JSON, but its Content-Type says it is a form".to_owned())),
                };
            }
            let text = std::str::from_utf8(bytes).map_err(|_| rows::INVALID_BODY)?;
            form::read(text).map_err(|why| why.map_or(ApiError::Row(rows::INVALID_BODY), wrong))
        }
        None | Some("") => parse_json(bytes),
        Some(media) if is_json(media) => parse_json(bytes),
        // Some clients name a type and send nothing.
        Some(_) if bytes.is_empty() => parse_json(bytes),
        Some(_) => Err(rows::UNSUPPORTED_MEDIA_TYPE.into()),
    }
}

fn is_json(media: &str) -> bool {
    matches!(media, "application/json" | "text/json") || media.starts_with("application/") && media.ends_with("+json")
}

/// An object in JSON; nothing at all is an empty one. Refused as [`Body`] is.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = match bytes.trim_ascii() {
        b"" => b"{}",
        // Without this a struct would also be read from an array of its fields.
        json @ [b'{', ..] => json,
        _ => return Err(rows::INVALID_BODY.into()),
    };
    serde_json::from_str(sound(bytes)?)
        .map_err(|error| if error.is_data() { wrong(error.to_string()) } else { ApiError::Row(rows::INVALID_BODY) })
}

/// JSON as text, once it is known that it may be stored: not too deep, without NUL, in UTF-8, and no escape stands for
/// half a character. Whoever reads it does not look into what he skips. Errors: 400 `INVALID_BODY`.
fn sound(json: &[u8]) -> Result<&str, ApiError> {
    if is_deep(json) || has_nul(json) {
        return Err(rows::INVALID_BODY.into());
    }
    let text = std::str::from_utf8(json).map_err(|_| rows::INVALID_BODY)?;
    if ["\\ud", "\\uD"].iter().any(|surrogate| text.contains(surrogate)) {
        serde_json::from_str::<Value>(text).map_err(|_| rows::INVALID_BODY)?;
    }
    Ok(text)
}

/// The same of JSON that did not come as a body and is read already. Errors: 400 `INVALID_BODY`.
pub(crate) fn expect_sound(value: &Value) -> Result<(), ApiError> {
    let json = serde_json::to_vec(value).map_err(|error| ApiError::Fault(error.to_string()))?;
    sound(&json).map(drop)
}

/// 400 that says what was wrong. The caller's own input may be quoted in it, so it is cut short.
fn wrong(why: String) -> ApiError {
    rows::INVALID_FIELD.with(plain(&why).chars().filter(|c| !c.is_control()).take(200).collect::<String>())
}

/// What the parser says, without its own names for what it expects. Those stand behind whatever it quotes.
fn plain(why: &str) -> String {
    let untagged = || why.strip_prefix("data did not match any variant of untagged enum ");
    let expected = why.rsplit_once(", expected ").map(|(_, expected)| expected).or_else(untagged);
    let Some(expected) = expected else { return why.to_owned() };
    let (what, place) = match expected.split_once(" at line ") {
        Some((what, place)) => (what, format!(" at line {place}")),
        None => (expected, String::new()),
    };
    let what = match what {
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" | "str" => "a text",
        "a sequence" => "a list",
        "a map" => "an object",
        what if what.starts_with("struct ") => "an object",
        _ => "something else",
    };
    format!("{what} is expected{place}")
}

/// Do arrays and objects nest deeper than they may? Counts brackets outside of texts.
fn is_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Does a text in this JSON hold NUL, which no database stores? Looks for the escape `\u0000`; the
/// bare byte is not JSON.
#[must_use]
pub fn has_nul(json: &[u8]) -> bool {
    const ESCAPED: &[u8] = b"u0000";
    let mut escaped = false;
    json.iter().enumerate().any(|(at, byte)| {
        let here = escaped && json.get(at..).is_some_and(|rest| rest.starts_with(ESCAPED));
        escaped = *byte == b'\\' && !escaped;
        here
    })
}

/// Reads a body of at most `limit` bytes. `idle`: how long the next piece may take; the whole may
/// take ten times that.
async fn collect(
    headers: &HeaderMap,
    mut body: axum::body::Body,
    limit: usize,
    idle: Duration,
) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(body, idle).await);
    }
    let whole = async {
        let mut read = BytesMut::new();
        let mut first = None::<Bytes>;
        loop {
            let frame = tokio::time::timeout(idle, body.frame()).await.map_err(|_| rows::REQUEST_TIMEOUT)?;
            let Some(frame) = frame else { break };
            // The client went away or broke the framing: nobody will read this answer.
            let frame = frame.map_err(|_| rows::INVALID_BODY)?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > limit {
                return Err(too_large(body, idle).await);
            }
            // Most bodies come in one piece, which needs no copy.
            match first.take() {
                None if read.is_empty() => first = Some(data),
                None => read.extend_from_slice(&data),
                Some(earlier) => {
                    read.extend_from_slice(&earlier);
                    read.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| read.freeze()))
    };
    tokio::time::timeout(idle.saturating_mul(10), whole).await.map_err(|_| rows::REQUEST_TIMEOUT)?
}

async fn too_large(body: axum::body::Body, idle: Duration) -> ApiError {
    drained(body, idle).await;
    rows::PAYLOAD_TOO_LARGE.into()
}

/// Reads what is left of a refused body and throws it away, for a while.
pub(crate) async fn drained(mut body: axum::body::Body, idle: Duration) {
    let drain = async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > DRAINED {
                break;
            }
        }
    };
    // Ended or not, the answer is the same.
    if tokio::time::timeout(idle.min(Duration::from_secs(5)), drain).await.is_err() {
        tracing::debug!("a refused body did not end in time");
    }
}

/// A JSON object that stands somewhere else than in a body of its own. Refused as [`Body`] is.
pub(crate) fn object(json: &[u8]) -> Result<serde_json::Map<String, Value>, ApiError> {
    parse_json(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    #[derive(Debug, serde::Deserialize)]
    struct Given {
        #[serde(default)]
        name: Option<String>,
    }

    fn code(result: Result<Map<String, Value>, ApiError>) -> &'static str {
        result.map_or_else(|error| error.row(banter_domain::moderation::Act::Look).code, |_| "ok")
    }

    #[test]
    fn an_empty_body_is_an_empty_object() {
        for media in [None, Some("application/json"), Some("text/plain")] {
            assert!(parse::<Map<String, Value>>(media, b"").expect("empty").is_empty(), "{media:?}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["[]", "1", "\"a\"", "null", "{", "{\"a\":}", "{} {}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}"] {
            assert_eq!(code(parse(Some("application/json"), body.as_bytes())), "INVALID_BODY", "{body}");
        }
        assert_eq!(code(parse(Some("application/json"), b"{\"a\":\"\xff\"}")), "INVALID_BODY");
        for skipped in [&b"{\"unknown\":\"\xff\"}"[..], b"{\"unknown\":\"\\uD800\"}", b"{\"unknown\":\"\\u0000\"}"] {
            assert!(parse::<Given>(None, skipped).is_err(), "in what is skipped: {skipped:?}");
        }
        assert!(parse::<Given>(None, b"{\"unknown\":\"\\ud83d\\ude00 \\ud55c\"}").is_ok());
        assert_eq!(code(parse(Some("application/xml"), b"<a/>")), "UNSUPPORTED_MEDIA_TYPE");
        assert!(parse::<Given>(None, b"[\"a\"]").is_err(), "a struct is not read from an array");
        assert!(parse::<Given>(None, b"{\"name\":1}").is_err());
        assert!(parse::<Given>(None, b"{\"name\":\"a\",\"name\":\"b\"}").is_err());
        assert_eq!(parse::<Given>(None, b"{\"name\":\"a\",\"x\":1}").expect("a body").name.as_deref(), Some("a"));
    }

    #[test]
    fn what_was_expected_is_said_in_plain_words() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Typed {
            whole: Option<i64>,
            count: Option<usize>,
            flag: Option<bool>,
            text: Option<String>,
            texts: Option<Vec<String>>,
            inner: Option<Given>,
            objects: Option<Vec<Map<String, Value>>>,
            either: Option<Either>,
        }

        #[derive(Debug, serde::Deserialize)]
        #[serde(untagged)]
        #[expect(dead_code, reason = "only read")]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        for (body, said) in [
            (r#"{"whole":"x, expected i64 at line 7"}"#, "a whole number is expected"),
            (r#"{"count":-1}"#, "a whole number from 0 on is expected"),
            (r#"{"flag":1}"#, "true or false is expected"),
            (r#"{"text":1}"#, "a text is expected"),
            (r#"{"texts":"x"}"#, "a list is expected"),
            (r#"{"inner":1}"#, "an object is expected"),
            (r#"{"objects":[1]}"#, "an object is expected"),
            (r#"{"either":{}}"#, "something else is expected"),
            (r#"{"flag":true,"flag":true}"#, "duplicate field `flag`"),
        ] {
            let error = parse::<Typed>(None, body.as_bytes()).expect_err(body);
            let (_, told) = error.told(banter_domain::moderation::Act::Look);
            let message = told["error"]["message"].as_str().expect("a text");
            let expected = format!("Request body is not as documented: {said} at line 1 column ");
            assert!(
                message.strip_prefix(&expected).is_some_and(|rest| rest.parse::<u32>().is_ok()),
                "{body}: {message}"
            );
        }
    }

    #[test]
    fn depth_and_nul_are_bounded() {
        let nested = |depth: usize| format!("{}{}{}", "{\"a\":".repeat(depth), 1, "}".repeat(depth));
        assert_eq!(code(parse(None, nested(64).as_bytes())), "ok");
        assert_eq!(code(parse(None, nested(65).as_bytes())), "INVALID_BODY");
        assert_eq!(code(parse(None, "[".repeat(100_000).as_bytes())), "INVALID_BODY");
        assert_eq!(code(parse(None, json!({"a": "[[[[".repeat(50)}).to_string().as_bytes())), "ok");
        assert_eq!(code(parse(None, br#"{"a":"x\u0000"}"#)), "INVALID_BODY");
        assert_eq!(code(parse(None, br#"{"a":"x\\u0000"}"#)), "ok");
        assert_eq!(code(parse(None, br#"{"a":"x\\\u0000"}"#)), "INVALID_BODY");
    }
}
