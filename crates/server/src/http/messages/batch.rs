//! One message to many: `POST /messages/batch`.

use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use banter_chat::{Batch, Para, Words};
use banter_domain::id::{RoomId, UserId};
use banter_domain::moderation::Act;
use serde_json::{Map, Value, json};

use super::{notice, sender_and_force, words};
use crate::errors::{ApiError, rows};
use crate::http::Edge;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Caller};
use crate::http::limits_of_fields::{self as limits, bad, missing};
use crate::http::routes::{Auth, Kind, Route, Shape};
use crate::http::view::sample;

/// The route of this file.
pub(super) fn route() -> Route {
    let para = Shape::object("Recipient")
        .text("A room, or the other one of a direct room; and for each `$name$` what to put in its place")
        .field("receiver", Kind::Id, "A user; the direct room is made if there is none")
        .field("room", Kind::Id, "A room; it wins over the receiver");
    Route::new(Act::SendBatch, Method::POST, "/messages/batch", send)
        .auth(Auth::Either)
        .tag("Messages")
        .summary("Send one message to many")
        .text(
            "Each recipient is judged as a message of its own; the refused are skipped and counted. `$name$` in `message` \
             and `extra` is replaced by the recipient's value. A user sends as himself; an API key names the sender.",
        )
        .body(
            words::shape("BatchMessage")
                .required("paras", Kind::many(para), "To whom, at most 1,000")
                .field("sender", Kind::Id, "API key: who sends; default the platform's own client")
                .field("push", Kind::Flag, "Notify those who are away; default false")
                .field("skipTotalBadge", Kind::Flag, "The notification leaves the number on the device alone; default false")
                .field("force", Kind::Flag, "API key: past the sender's bans and blocks; it is recorded"),
        )
        .large_body()
        .body_example(json!({
            "message": "Hi $name$", "messageType": "text", "sender": "aaa",
            "paras": [{"receiver": "bbb", "$name$": "Bob"}, {"room": "demo-room", "$name$": "all"}],
        }))
        .answer(
            Shape::object("BatchDone")
                .required("batchID", Kind::Text, "Every message of the batch carries it")
                .required("count", Kind::Integer, "How many recipients were named")
                .required("refused", Kind::Integer, "How many of them were skipped"),
        )
        .example(sample::answer(&json!({"batchID": "610aafe20000000000000001", "count": 2, "refused": 0})))
        .errors(&[rows::MISSING_PARAMETER, rows::INVALID_MESSAGE_FORMAT, rows::USER_NOT_FOUND])
}

/// `POST /messages/batch`
async fn send(
    State(edge): State<Edge>,
    Caller(caller): Caller,
    Body(mut fields): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    for name in ["message", "messageType", "paras"] {
        if fields.get(name).is_none_or(Value::is_null) {
            return Err(missing(name));
        }
    }
    let (sender, force) = sender_and_force(&mut fields)?;
    let paras = paras(fields.remove("paras"))?;
    let notice = notice(&mut fields, false)?;
    let words = Words { notice, ..words::new(fields)? };
    let mut work = Work { size: size(&words), left: limits::BATCH_WORK };
    paras.iter().try_for_each(|para| work.for_one(&words, &para.fills))?;
    let done = edge.chat.send_batch(&caller, Batch { words, sender, force, paras }).await?;
    for why in done.denied {
        let error = ApiError::from(banter_chat::Error::Denied(why));
        let code = error.row(Act::Send).code;
        edge.metrics.refused(code);
        edge.chat.refused(caller.app.number, code);
    }
    Ok(Answer(json!({"batchID": done.id, "count": done.count, "refused": done.refused})).into_response())
}

fn paras(given: Option<Value>) -> Result<Vec<Para>, ApiError> {
    let refused = || bad("paras", &format!("a list of 1 to {} recipients", limits::BATCH));
    let Some(Value::Array(paras)) = given else { return Err(refused()) };
    if paras.is_empty() || paras.len() > limits::BATCH {
        return Err(refused());
    }
    paras.into_iter().map(|para| if let Value::Object(fields) = para { read(fields) } else { Err(refused()) }).collect()
}

fn read(mut fields: Map<String, Value>) -> Result<Para, ApiError> {
    let mut id = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id)),
        Some(_) => Err(bad(name, "a text")),
    };
    let receiver = id("receiver")?.map(UserId::parse).transpose()?;
    let room = id("room")?.map(RoomId::parse).transpose()?;
    if receiver.is_none() && room.is_none() {
        return Err(missing("receiver or room"));
    }
    let is_fill = |name: &str| name.len() > 2 && name.starts_with('$') && name.ends_with('$');
    let mut fills = Vec::new();
    for (name, value) in fields.into_iter().filter(|(name, _)| is_fill(name)) {
        let value = match value {
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return Err(bad(&name, "a text")),
        };
        fills.push((name, value));
    }
    if fills.len() > limits::FILLS || fills.iter().any(|(name, _)| !limits::fits(name, limits::FIELD_NAME)) {
        return Err(bad("paras", &format!("without more than {} values each", limits::FILLS)));
    }
    Ok(Para { receiver, room, fills })
}

/// What it takes to look for a value in a text, however short that is, bytes.
const LOOK: usize = 32;

/// What putting a batch together takes.
struct Work {
    /// The message before any value is put in, bytes.
    size: usize,
    /// How much more the whole may take, bytes.
    left: usize,
}

/// A message as it is written for each recipient, bytes.
fn size(words: &Words) -> usize {
    let body: usize = words.body.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    let mentions: usize = words.mentions.iter().map(|user| user.as_str().len()).sum();
    words.text.to_string().len() + body + mentions
}

impl Work {
    /// Takes one recipient's message on, if it is still one when the values are put in: a short name may stand in it
    /// often, and its value may be long.
    fn for_one(&mut self, words: &Words, fills: &[(String, String)]) -> Result<(), ApiError> {
        self.spend(self.size)?;
        if fills.is_empty() {
            return Ok(());
        }
        let (mut left, mut left_of_extra) = (limits::MESSAGE, limits::MESSAGE_FIELDS);
        self.fill(&words.text, fills, &mut left)?;
        words.body.get("extra").map_or(Ok(()), |extra| self.fill(extra, fills, &mut left_of_extra))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ApiError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| {
            bad("paras", "fewer, or the message shorter: a batch takes at most 64 MiB to put together")
        })?;
        Ok(())
    }

    fn fill(&mut self, value: &Value, fills: &[(String, String)], left: &mut usize) -> Result<(), ApiError> {
        let too_long = || bad("message", "small enough with every recipient's values in it");
        match value {
            Value::String(text) => {
                let mut text = std::borrow::Cow::Borrowed(text.as_str());
                for (name, with) in fills {
                    self.spend(text.len() + LOOK)?;
                    let hits = text.matches(name.as_str()).count();
                    if hits > 0 {
                        let grown = hits.saturating_mul(with.len()).saturating_add(text.len() - hits * name.len());
                        // A character has at most four bytes, so what is refused here is surely too long.
                        if grown > limits::MESSAGE.max(*left).saturating_mul(4) {
                            return Err(too_long());
                        }
                        self.spend(grown)?;
                        text = std::borrow::Cow::Owned(text.replace(name.as_str(), with));
                    }
                }
                *left = left.checked_sub(text.chars().count()).ok_or_else(too_long)?;
                Ok(())
            }
            Value::Array(all) => all.iter().try_for_each(|one| self.fill(one, fills, left)),
            Value::Object(all) => all.values().try_for_each(|one| self.fill(one, fills, left)),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(given: Value) -> &'static str {
        paras(Some(given)).map_or_else(|error| error.row(Act::SendBatch).code, |_| "ok")
    }

    #[test]
    fn recipients_are_read() {
        let read =
            paras(Some(json!([{"receiver": "bob", "$name$": "Bob", "$n$": 3, "other": 1}, {"room": "den"}]))).unwrap();
        let mut fills = read.first().unwrap().fills.clone();
        fills.sort();
        assert_eq!(fills, [("$n$".to_owned(), "3".to_owned()), ("$name$".to_owned(), "Bob".to_owned())]);
        assert_eq!(code(json!([])), "INVALID_BODY");
        assert_eq!(code(json!("all")), "INVALID_BODY");
        assert_eq!(code(json!([1])), "INVALID_BODY");
        assert_eq!(code(json!([{}])), "MISSING_PARAMETER");
        assert_eq!(code(json!([{"receiver": 1}])), "INVALID_BODY");
        assert_eq!(code(json!([{"receiver": "a/b"}])), "INVALID_ID");
        assert_eq!(code(json!([{"receiver": "bob", "$a$": {}}])), "INVALID_BODY");
        assert_eq!(code(Value::Array(vec![json!({"room": "den"}); 1_001])), "INVALID_BODY");
    }

    #[test]
    fn values_cannot_blow_a_message_up() {
        let takes = |text: &str, fills: &[(String, String)]| {
            let words = Words { text: Value::from(text), ..Words::default() };
            Work { size: size(&words), left: limits::BATCH_WORK }.for_one(&words, fills).is_ok()
        };
        let fill = |name: &str, with: String| (name.to_owned(), with);
        assert!(takes("Hi $a$", &[fill("$a$", "Bob".into())]));
        assert!(!takes(&"$a$".repeat(1_000), &[fill("$a$", "x".repeat(1_000))]));
        let laughs: Vec<_> =
            ('a'..'j').zip('b'..'k').map(|(a, b)| fill(&format!("${a}$"), format!("${b}$").repeat(50))).collect();
        assert!(!takes("$a$", &laughs));
    }

    #[test]
    fn the_whole_message_counts_and_all_that_is_put_in() {
        let recipients = |words: &Words, fills: &[(String, String)]| {
            let mut work = Work { size: size(words), left: limits::BATCH_WORK };
            (0..limits::BATCH).take_while(|_| work.for_one(words, fills).is_ok()).count()
        };
        let plain = Words { text: Value::from("x".repeat(60_000)), ..Words::default() };
        assert_eq!(recipients(&plain, &[]), limits::BATCH);
        for field in ["contents", "template", "extra", "originalUrl"] {
            let mut words = Words { text: Value::from("x"), ..Words::default() };
            words.body.insert(field.to_owned(), Value::from("x".repeat(200_000)));
            assert!((300..limits::BATCH).contains(&recipients(&words, &[])), "{field}");
        }
        // Nor is it free to look into nothing.
        let mut empty = Words { text: Value::from("x"), ..Words::default() };
        empty.body.insert("extra".to_owned(), json!({"all": vec![""; 20_000]}));
        let fills: Vec<_> = (0..100).map(|n| (format!("$n{n}$"), String::new())).collect();
        assert!(recipients(&empty, &fills) < 3);
        // A short text that grows is looked through again for every other value.
        let mut fills = vec![("$a$".to_owned(), "x".repeat(60_000))];
        fills.extend((0..99).map(|n| (format!("$n{n}$"), String::new())));
        assert!((5..20).contains(&recipients(&Words { text: Value::from("$a$"), ..Words::default() }, &fills)));
    }
}
