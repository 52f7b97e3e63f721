//! What a webhook answers: `{senderID?, toBotState?, data?}`.

use banter_chat::Reply;
use banter_domain::id::UserId;
use serde_json::{Map, Value};

use crate::errors::ApiError;
use crate::http::extract::json_object;
use crate::http::limits_of_fields::{self as limits, bad, take_text};
use crate::http::messages;

/// Reads an answer. Nothing at all, and what is null, is nothing. Errors: it cannot be meant; then nothing
/// of it counts.
pub(super) fn read(body: &[u8]) -> Result<Reply, ApiError> {
    let mut fields: Map<String, Value> = json_object(body)?;
    let sender = take_text(&mut fields, "senderID", banter_domain::id::MAX_ID_CHARS)?;
    let words = match fields.remove("data") {
        None | Some(Value::Null) => None,
        Some(Value::Object(message)) => Some(messages::words_of(message)?),
        Some(_) => return Err(bad("data", "a message")),
    };
    Ok(Reply {
        sender: sender.filter(|sender| !sender.is_empty()).map(UserId::parse).transpose()?,
        state: take_text(&mut fields, "toBotState", limits::BOT_STATE)?,
        words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(body: &str) -> Option<Reply> {
        read(body.as_bytes()).ok()
    }

    #[test]
    fn null_and_nothing_are_nothing() {
        for nothing in ["", "{}", r#"{"toBotState": null, "data": null}"#, r#"{"senderID": "", "other": [1]}"#] {
            let reply = reads(nothing).unwrap();
            assert!(reply.sender.is_none() && reply.state.is_none() && reply.words.is_none(), "{nothing}");
        }
    }

    #[test]
    fn an_answer_is_read() {
        let body =
            r#"{"senderID": "robot001", "toBotState": "active", "data": {"message": "Hi", "messageType": "text"}}"#;
        let reply = reads(body).unwrap();
        assert_eq!(reply.sender.unwrap().as_str(), "robot001");
        assert_eq!(reply.state.as_deref(), Some("active"));
        assert_eq!(reply.words.unwrap().text, "Hi");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_as_a_whole() {
        for bad in [
            "no json",
            "[]",
            r#""text""#,
            r#"{"senderID": 1}"#,
            r#"{"senderID": "a/b"}"#,
            r#"{"data": "Hi"}"#,
            r#"{"data": {"messageType": "recall"}}"#,
            r#"{"data": {"messageType": "joinRoom", "message": "x"}}"#,
            r#"{"toBotState": {}}"#,
            "{\"data\": {\"message\": \"\\u0000\"}}",
        ] {
            assert!(reads(bad).is_none(), "{bad}");
        }
    }
}
