//! What a message's body says, read field by field: only what is documented gets through, each
//! field in its type, because a client dies of a field it cannot cast.

use std::collections::HashSet;

use banter_chat::Words;
use banter_domain::id::{ObjectId, UserId};
use banter_domain::message::Kind;
use serde_json::{Map, Value};

use crate::errors::{ApiError, rows};
use crate::http::files::named_in;
use crate::http::limits_of_fields as limits;
use crate::http::routes::{Kind as Holds, Shape};
use crate::http::view::message::ECHOED;

const MALFORMED: ApiError = ApiError::Row(rows::INVALID_MESSAGE_FORMAT);

/// Types that clients draw from fields only the server fills in, or never store.
const SERVERS_OWN: [&str; 4] = ["cancelInvitations", "deleteMembers", "ai_streaming", "typing"];

/// The fields every kind of sending takes.
pub(super) fn shape(name: &'static str) -> Shape {
    Shape::object(name)
        .text("Fields not named here are dropped")
        .field(
            "messageType",
            Holds::Text,
            "`text` by default; `image`, `sticker`, `file`, …, or a type of the app's own; at most 64 characters",
        )
        .field(
            "message",
            Holds::Any,
            "What it says: a text of at most 65,536 characters, or any JSON in types that are not text",
        )
        .field("mentions", Holds::Ids, "Users it names, at most 1,000")
        .field("reply", Holds::Id, "The message it answers")
        .field("extra", Holds::Any, "An object, or a JSON text of one; comes back as it came")
        .field("originalUrl", Holds::Text, "Of a picture, video, sound or file")
        .field("thumbnailUrl", Holds::Text, "Of a picture or video")
        .field("width", Holds::Number, "Of a picture or video")
        .field("height", Holds::Number, "Of a picture or video")
        .field("images", Holds::Any, "Pictures: a list of `{originalUrl, thumbnailUrl, width, height}`, at most 100")
        .field("duration", Holds::Number, "Of a video, sound or call, seconds")
        .field("latitude", Holds::Number, "Of a place")
        .field("longitude", Holds::Number, "Of a place")
        .field("sticker", Holds::Text, "A sticker's name or address")
        .field("url", Holds::Text, "An address")
        .field("template", Holds::Any, "An object or a JSON text")
        .field("contents", Holds::Any, "An object or a JSON text")
        .field("rtcSession", Holds::Any, "Of a call")
}

/// A new message. Errors: 400 `INVALID_MESSAGE_FORMAT`.
pub(super) fn new(mut fields: Map<String, Value>) -> Result<Words, ApiError> {
    let kind = kind(fields.remove("messageType"))?;
    if kind.as_deref() == Some(Kind::Recall.name()) {
        return Err(MALFORMED);
    }
    let text = fields.remove("message").filter(|text| !text.is_null());
    let text = match (text, kind.as_deref()) {
        (Some(text), None | Some("text")) => plain(text)?,
        (Some(text), Some(_)) => said(text)?,
        (None, None | Some("text")) => return Err(MALFORMED),
        // Clients show an unknown type as text, and take the text for granted.
        (None, Some(_)) => Value::from(""),
    };
    let rest = rest(fields)?;
    if kind.as_deref().is_some_and(|kind| !carries(kind, &text, &rest.body)) {
        return Err(MALFORMED);
    }
    Ok(Words { kind, text, ..rest })
}

/// Does a message carry what its type is drawn from? As little as each client sends: sizes, lengths and thumbnails may be
/// missing.
fn carries(kind: &str, text: &Value, body: &Map<String, Value>) -> bool {
    let has = |name: &str| body.get(name).is_some_and(|value| value.as_str() != Some(""));
    let pictures = || body.get("images").and_then(Value::as_array).is_some_and(|images| !images.is_empty());
    match kind {
        "announcement" | "encrypted" => text.as_str() != Some(""),
        "image" => pictures() || has("originalUrl") || has("thumbnailUrl"),
        "mixed" => pictures(),
        "sticker" => has("sticker"),
        "video" | "audio" => has("originalUrl"),
        "file" => has("originalUrl") || has("url"),
        "location" => has("latitude") && has("longitude"),
        "template" | "flex" => has("template") || has("contents"),
        "line" => has("extra"),
        // Clients read it as an object and die of anything else.
        "payment" | "payment-select" => body.get("extra").is_some_and(Value::is_object),
        _ => true,
    }
}

/// New words for a message that is there. Its type stays, so they are text: nobody knows here
/// whether the type could hold anything else. Errors: 400 `INVALID_MESSAGE_FORMAT`.
pub(super) fn edit(mut fields: Map<String, Value>) -> Result<Words, ApiError> {
    kind(fields.remove("messageType"))?;
    let text = match fields.remove("message") {
        None | Some(Value::Null) => Value::Null,
        Some(text) => plain(text)?,
    };
    let rest = rest(fields)?;
    if text.is_null() && rest.body.is_empty() && rest.mentions.is_empty() {
        return Err(MALFORMED);
    }
    Ok(Words { kind: None, text, reply: None, ..rest })
}

fn kind(given: Option<Value>) -> Result<Option<String>, ApiError> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(kind)) => {
            let refused = Kind::is_system(&kind) || SERVERS_OWN.contains(&kind.as_str());
            if refused || !limits::is_name(&kind, limits::MESSAGE_TYPE) { Err(MALFORMED) } else { Ok(Some(kind)) }
        }
        Some(_) => Err(MALFORMED),
    }
}

/// Words of a text: numbers and flags become text, since clients take nothing else.
fn plain(text: Value) -> Result<Value, ApiError> {
    match said(text)? {
        Value::String(text) if text.is_empty() => Err(MALFORMED),
        text @ Value::String(_) => Ok(text),
        _ => Err(MALFORMED),
    }
}

/// Words of another type: a text, or an object or list as it came.
fn said(text: Value) -> Result<Value, ApiError> {
    let text = match text {
        Value::Bool(_) | Value::Number(_) => Value::String(text.to_string()),
        text => text,
    };
    let fits = match &text {
        Value::String(text) => limits::fits(text, limits::MESSAGE),
        other => other.to_string().len() <= limits::MESSAGE,
    };
    if fits { Ok(text) } else { Err(MALFORMED) }
}

/// Everything but type and text.
fn rest(mut fields: Map<String, Value>) -> Result<Words, ApiError> {
    let reply = match fields.remove("reply") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(ObjectId::parse(&id).ok_or(MALFORMED)?),
        Some(_) => return Err(MALFORMED),
    };
    let mentions = match fields.remove("mentions") {
        None | Some(Value::Null) => Vec::new(),
        Some(given) => mentioned(given)?,
    };
    let extra = fields.remove("extra");
    fields.retain(|name, value| ECHOED.contains(&name.as_str()) && !value.is_null());
    for (name, value) in &mut fields {
        check(name, value)?;
    }
    match extra {
        None | Some(Value::Null) => {}
        // Some SDKs send it empty, and parse what they get back.
        Some(Value::String(text)) if text.is_empty() => {}
        Some(extra) if is_extra(&extra) => {
            // For the search among files; it is not shown.
            if let Some(name) = file_name(&extra) {
                fields.insert("file_name".to_owned(), Value::String(name));
            }
            fields.insert("extra".to_owned(), extra);
        }
        Some(_) => return Err(MALFORMED),
    }
    if Value::Object(fields.clone()).to_string().len() > limits::MESSAGE_FIELDS {
        return Err(MALFORMED);
    }
    let files = named_in(&fields);
    Ok(Words { body: fields, reply, mentions, files, ..Words::default() })
}

fn mentioned(given: Value) -> Result<Vec<UserId>, ApiError> {
    let ids: Vec<String> = serde_json::from_value(given).map_err(|_| MALFORMED)?;
    if ids.len() > limits::MENTIONS {
        return Err(MALFORMED);
    }
    let mut seen = HashSet::new();
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        let user = UserId::parse(id).map_err(|_| MALFORMED)?;
        // Naming somebody twice is naming him.
        if seen.insert(user.clone()) {
            users.push(user);
        }
    }
    Ok(users)
}

/// The name of the file a message carries.
fn file_name(extra: &Value) -> Option<String> {
    let read: Value;
    let extra = match extra {
        Value::String(text) => {
            read = serde_json::from_str(text).ok()?;
            &read
        }
        extra => extra,
    };
    // A text of JSON may hold what is not looked for in texts.
    extra.get("fileName").and_then(Value::as_str).filter(|name| !name.contains('\0')).map(str::to_owned)
}

/// An object, or a JSON text of one as mobile clients send it. It comes back as it came.
fn is_extra(extra: &Value) -> bool {
    match extra {
        Value::Object(_) => true,
        Value::String(text) => serde_json::from_str::<Map<String, Value>>(text).is_ok(),
        _ => false,
    }
}

/// One accepted field, in its type.
fn check(name: &str, value: &mut Value) -> Result<(), ApiError> {
    let good = match name {
        "originalUrl" | "thumbnailUrl" | "sticker" | "url" => value.is_string(),
        "width" | "height" | "duration" | "latitude" | "longitude" => value.is_number(),
        "images" => images(value),
        "template" | "contents" => match value {
            // Decoded, as clients do, or masking could not look into it.
            Value::String(text) => serde_json::from_str::<Value>(text).is_ok(),
            value => value.is_object() || value.is_array(),
        },
        _ => true,
    };
    if good { Ok(()) } else { Err(MALFORMED) }
}

/// Objects with the documented fields; others are dropped from them as from the message.
fn images(value: &mut Value) -> bool {
    let Some(images) = value.as_array_mut().filter(|images| images.len() <= limits::IMAGES) else { return false };
    images.iter_mut().all(|image| {
        let Some(image) = image.as_object_mut() else { return false };
        image.retain(|name, value| {
            ["originalUrl", "thumbnailUrl", "width", "height"].contains(&name.as_str()) && !value.is_null()
        });
        image.iter().all(|(name, value)| if name.ends_with("Url") { value.is_string() } else { value.is_number() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reads(body: Value) -> Option<Words> {
        new(body.as_object().cloned().unwrap()).ok()
    }

    fn edits(body: Value) -> Option<Words> {
        edit(body.as_object().cloned().unwrap()).ok()
    }

    #[test]
    fn what_the_web_client_sends_is_understood() {
        let words = reads(json!({
            "roomId": "den", "messageType": "text", "message": "hello", "reply": null, "mentions": ["bob", "bob"],
            "video": {"thumb": "data:"}, "files": [], "id": 7,
        }))
        .unwrap();
        assert_eq!((words.kind.as_deref(), words.text), (Some("text"), json!("hello")));
        assert_eq!(words.mentions.len(), 1);
        assert!(words.body.is_empty(), "unknown fields are dropped: {:?}", words.body);
    }

    #[test]
    fn numbers_in_a_text_become_text() {
        assert_eq!(reads(json!({"message": 1_111_234})).unwrap().text, "1111234");
        assert_eq!(reads(json!({"message": true, "messageType": "text"})).unwrap().text, "true");
        assert_eq!(reads(json!({"message": {"a": 1}, "messageType": "custom"})).unwrap().text, json!({"a": 1}));
        assert_eq!(reads(json!({"messageType": "sticker", "sticker": "FunFunFamily-3"})).unwrap().text, "");
    }

    #[test]
    fn extra_comes_back_as_it_came() {
        for extra in [json!({"bytes": 1}), json!("{\"bytes\": 1}")] {
            let words = reads(json!({"messageType": "file", "originalUrl": "u", "extra": extra})).unwrap();
            assert_eq!(words.body.get("extra"), Some(&extra));
        }
        for extra in [json!("no json"), json!([1]), json!(1), json!("[1]")] {
            assert!(reads(json!({"messageType": "file", "originalUrl": "u", "extra": extra})).is_none(), "{extra}");
        }
    }

    #[test]
    fn the_name_of_a_file_holds_no_nul() {
        let named = |extra: Value| {
            let words = reads(json!({"messageType": "file", "originalUrl": "u", "extra": extra})).unwrap();
            words.body.get("file_name").cloned()
        };
        assert_eq!(named(json!(r#"{"fileName": "a.txt"}"#)), Some(json!("a.txt")));
        assert_eq!(named(json!(r#"{"fileName": "a\u0000.txt"}"#)), None);
    }

    #[test]
    fn each_type_carries_what_it_is_drawn_from() {
        for (kind, enough) in [
            ("announcement", vec![json!({"message": "Closed today"})]),
            ("encrypted", vec![json!({"message": "U2FsdGVk"})]),
            (
                "image",
                vec![
                    json!({"images": [{"originalUrl": "u"}]}),
                    json!({"originalUrl": "u"}),
                    json!({"thumbnailUrl": "u"}),
                ],
            ),
            ("mixed", vec![json!({"message": "look", "images": [{"originalUrl": "u"}]})]),
            ("sticker", vec![json!({"sticker": "FunFunFamily-3"})]),
            ("video", vec![json!({"originalUrl": "u"})]),
            ("audio", vec![json!({"originalUrl": "u", "duration": 1.5})]),
            ("file", vec![json!({"originalUrl": "u"}), json!({"url": "u"})]),
            (
                "location",
                vec![
                    json!({"message": "Taipei", "latitude": 25.03, "longitude": 121.56}),
                    json!({"latitude": 0, "longitude": 0}),
                ],
            ),
            ("template", vec![json!({"template": {"type": "confirm"}}), json!({"template": "{}"})]),
            ("flex", vec![json!({"contents": {"type": "bubble"}}), json!({"contents": "{}"})]),
            ("line", vec![json!({"extra": {"type": "sticker"}})]),
            ("payment", vec![json!({"extra": {"id": "1"}})]),
            ("payment-select", vec![json!({"extra": {"id": "1"}})]),
        ] {
            let typed = |mut body: Value| {
                body["messageType"] = json!(kind);
                reads(body)
            };
            for body in enough {
                assert!(typed(body.clone()).is_some(), "{kind} {body}");
            }
            for body in [
                json!({}),
                json!({"message": "", "images": [], "originalUrl": "", "url": "", "sticker": "", "latitude": 1, "extra": ""}),
            ] {
                assert!(typed(body.clone()).is_none(), "{kind} {body}");
            }
            // An edit keeps what the message carries.
            assert!(edits(json!({"messageType": kind, "message": "new words"})).is_some());
        }
        for kind in ["custom", "waitingCall", "missingCall", "endCall"] {
            assert!(reads(json!({"messageType": kind})).is_some(), "{kind}");
        }
    }

    #[test]
    fn images_keep_their_documented_fields() {
        let words =
            reads(json!({"messageType": "image", "images": [{"originalUrl": "u", "width": 1, "blob": "x"}]})).unwrap();
        assert_eq!(words.body.get("images"), Some(&json!([{"originalUrl": "u", "width": 1}])));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let long = "é".repeat(limits::MESSAGE + 1);
        for body in [
            json!({}),
            json!({"message": ""}),
            json!({"message": null}),
            json!({"message": ["a"]}),
            json!({"message": {"a": 1}, "messageType": "text"}),
            json!({"message": "a", "messageType": 1}),
            json!({"message": "a", "messageType": ""}),
            json!({"message": "a", "messageType": "addMember"}),
            json!({"message": "a", "messageType": "joinRoom"}),
            json!({"message": "a", "messageType": "recall"}),
            json!({"message": "a", "messageType": "typing"}),
            json!({"message": "a", "reply": "not an id"}),
            json!({"message": "a", "reply": {"_id": "5f890cf37d980e06f6aaf349"}}),
            json!({"message": "a", "mentions": "bob"}),
            json!({"message": "a", "mentions": [1]}),
            json!({"message": "a", "mentions": ["a/b"]}),
            json!({"message": "a", "originalUrl": 1}),
            json!({"message": "a", "width": "1"}),
            json!({"message": "a", "images": {}}),
            json!({"message": "a", "images": [1]}),
            json!({"message": "a", "images": [{"width": "1"}]}),
            json!({"message": "a", "template": "no json"}),
            json!({"message": "a", "template": "[".repeat(200) + &"]".repeat(200)}),
            json!({"message": long}),
            json!({"message": "a", "thumbnailUrl": "x".repeat(limits::MESSAGE_FIELDS)}),
        ] {
            assert!(reads(body.clone()).is_none(), "{}", &body.to_string()[..body.to_string().len().min(80)]);
        }
        assert!(reads(json!({"message": "é".repeat(limits::MESSAGE)})).is_some());
        assert!(reads(json!({"message": "control \u{7} and\ttab"})).is_some());
    }

    #[test]
    fn an_edit_changes_words_and_never_the_type() {
        let words = edits(json!({"message": 5, "messageType": "custom", "reply": "5f890cf37d980e06f6aaf349"})).unwrap();
        assert_eq!((words.kind, words.text, words.reply), (None, json!("5"), None));
        assert!(edits(json!({"extra": {"a": 1}})).is_some());
        for body in [json!({}), json!({"message": {}}), json!({"message": ""}), json!({"messageType": "text"})] {
            assert!(edits(body.clone()).is_none(), "{body}");
        }
    }
}
