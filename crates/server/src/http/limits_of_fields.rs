//! How long a field may be, and the readers that check it: one place, shown in `docs/protocol.md`.
//!
//! A reader takes what a body or query says and gives back something valid, or the 400 that names
//! the field. Nothing here knows what a field means.

use std::collections::HashSet;
use std::str::FromStr;

use banter_domain::id::UserId;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::extract::Query;
use crate::errors::{ApiError, rows};

/// A user's nickname, characters.
pub const NICKNAME: usize = 255;
/// A room's name, characters.
pub const NAME: usize = 255;
/// An address: a picture, a room's cover or webhook, characters.
pub const ADDRESS: usize = 2_048;
/// A description of a user or a room, characters.
pub const DESCRIPTION: usize = 4_096;
/// A room's `extParams`, characters.
pub const EXT_PARAMS: usize = 65_536;
/// The state a room's robot names, characters.
pub const BOT_STATE: usize = 255;
/// A token an app binds to its user, characters.
pub const TOKEN: usize = 4_096;
/// A custom field of a user as JSON, bytes.
pub const CUSTOM_FIELD: usize = 65_536;
/// Custom fields of a user in one call.
pub const CUSTOM_FIELDS: usize = 100;
/// The name of a custom field, of a member's property or of a configuration key, characters.
pub const FIELD_NAME: usize = 255;
/// A member's property as JSON, bytes. It is part of every view of its room.
pub const PROPERTY: usize = 4_096;
/// A message's words: a text, or anything else as JSON; characters and bytes.
pub const MESSAGE: usize = 65_536;
/// A message's type, characters.
pub const MESSAGE_TYPE: usize = 64;
/// Images of one message.
pub const IMAGES: usize = 100;
/// All other fields of a message together, as JSON, bytes.
pub const MESSAGE_FIELDS: usize = 262_144;
/// Users one message names.
pub const MENTIONS: usize = 1_000;
/// A reaction, characters.
pub const REACTION: usize = 64;
/// Tags of a room, or in one question.
pub const TAGS: usize = 100;

/// One of a user's own preferences as JSON, bytes.
pub const PREF_BYTES: usize = 262_144;

/// One of a user's preferences for a room as JSON, bytes.
pub const ROOM_PREF_BYTES: usize = 16_384;
/// A file's name, characters.
pub const FILE_NAME: usize = 255;
/// What an uploader says of a file, as JSON, bytes.
pub const FILE_EXTRA: usize = 16_384;
/// Files named in one question.
pub const FILES: usize = 100;
/// A tag, characters.
pub const TAG: usize = 255;
/// Users named in one call: members, invitees, users of a list.
pub const USERS: usize = 1_000;
/// Messages of one batch.
pub const BATCH: usize = 1_000;
/// What putting a batch together may take, bytes: the whole message for each recipient, and its text and `extra` once more
/// for each value that is looked for in them.
pub const BATCH_WORK: usize = 64 * 1024 * 1024;
/// Values to put into one message of a batch.
pub const FILLS: usize = 100;
/// The keyword of a search, characters.
pub const KEYWORD: usize = 4_096;
/// Messages one deletes for oneself in one call.
pub const PUT_AWAY: usize = 1_000;
/// Messages of a look at the newest of all rooms.
pub const RECENT: usize = 100;
/// Tokens whose badges are asked for in one call.
pub const TOKENS: usize = 100;
/// Pictures of a set of stickers.
pub const STICKERS: usize = 1_000;
/// Entries of a page, where an endpoint's page names no limit of its own.
pub const PAGE: usize = 1_000;

/// 400 that names the field and says what it should be.
pub(super) fn bad(field: &str, wanted: &str) -> ApiError {
    rows::INVALID_FIELD.with(format!("{field} must be {wanted}"))
}

/// 400: the field must be there.
pub(super) fn missing(field: &str) -> ApiError {
    rows::MISSING_PARAMETER.with(field)
}

/// Is this text at most so many characters long?
pub(super) fn fits(text: &str, most: usize) -> bool {
    text.len() <= most || text.chars().nth(most).is_none()
}

/// Can this be the name of something, or a tag? Not empty, no control characters.
pub(super) fn is_name(text: &str, most: usize) -> bool {
    !text.is_empty() && fits(text, most) && !text.contains(char::is_control)
}

/// A text that is given, checked for its length.
pub(super) fn text(field: &str, given: Option<String>, most: usize) -> Result<Option<String>, ApiError> {
    match given {
        Some(text) if !fits(&text, most) => Err(bad(field, &format!("at most {most} characters long"))),
        given => Ok(given),
    }
}

/// An optional text of an object whose fields are read one by one; `null` counts as not given.
pub(super) fn take_text(fields: &mut Map<String, Value>, field: &str, most: usize) -> Result<Option<String>, ApiError> {
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(given)) => text(field, Some(given), most),
        Some(_) => Err(bad(field, "a text")),
    }
}

/// An optional flag of such an object. A form can only say it as a text.
pub(super) fn take_flag(fields: &mut Map<String, Value>, field: &str) -> Result<Option<bool>, ApiError> {
    match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(_) => Err(bad(field, "true or false")),
    }
}

/// Tags: at most [`TAGS`], each named. One that is given again is left out.
pub(super) fn tags(field: &str, given: Vec<String>) -> Result<Vec<String>, ApiError> {
    if given.len() > TAGS || !given.iter().all(|tag| is_name(tag, TAG)) {
        return Err(bad(field, &format!("at most {TAGS} tags of 1 to {TAG} characters")));
    }
    let mut seen = HashSet::new();
    Ok(given.into_iter().filter(|tag| seen.insert(tag.clone())).collect())
}

/// The ids of users, each named once.
pub(super) fn users(field: &str, given: Vec<String>) -> Result<Vec<UserId>, ApiError> {
    if given.len() > USERS {
        return Err(bad(field, &format!("a list of at most {USERS} ids")));
    }
    let mut seen = HashSet::new();
    if !given.iter().all(|id| seen.insert(id.as_str())) {
        return Err(bad(field, "a list that names nobody twice"));
    }
    given.into_iter().map(|id| Ok(UserId::parse(id)?)).collect()
}

/// A switch the wire writes as 0 or 1: `status`, `opening`.
pub(super) fn switch(field: &str, given: Option<i64>) -> Result<Option<bool>, ApiError> {
    match given {
        None => Ok(None),
        Some(0) => Ok(Some(false)),
        Some(1) => Ok(Some(true)),
        Some(_) => Err(bad(field, "0 or 1")),
    }
}

/// The `limit` of a query: 1 to `most`, `default` when it is not given.
pub(super) fn limit(query: &Query, default: usize, most: usize) -> Result<usize, ApiError> {
    match query.read::<usize>("limit")? {
        None => Ok(default),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(rows::INVALID_QUERY_PARAMETER.with("limit")),
    }
}

/// The `skip` of a query; 0 when it is not given.
pub(super) fn skip(query: &Query) -> Result<usize, ApiError> {
    // No list is longer; and what is longer does not fit into a database's numbers.
    Ok(query.read::<u32>("skip")?.map_or(0, |skip| usize::try_from(skip).unwrap_or(usize::MAX)))
}

/// A parameter of a query that is given and not empty, read as `T`.
pub(super) fn given<T: FromStr>(query: &Query, name: &str) -> Result<Option<T>, ApiError> {
    match query.one(name)? {
        None | Some("") => Ok(None),
        Some(_) => query.read(name),
    }
}

/// Reads a field that is present, be it `null`: what is absent becomes `None` by default.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use banter_domain::moderation::Act;
    use serde_json::json;

    fn code<T>(result: Result<T, ApiError>) -> &'static str {
        result.map_or_else(|error| error.row(Act::Look).code, |_| "ok")
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(code(text("name", Some("é".repeat(255)), NAME)), "ok");
        assert_eq!(code(text("name", Some("é".repeat(256)), NAME)), "INVALID_BODY");
        assert_eq!(code(text("name", None, NAME)), "ok");
    }

    #[test]
    fn lists_of_users_name_nobody_twice() {
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(code(users("members", ids(&["a", "b"]))), "ok");
        assert_eq!(code(users("members", ids(&["a", "a"]))), "INVALID_BODY");
        assert_eq!(code(users("members", ids(&["a/b"]))), "INVALID_ID");
        assert_eq!(code(users("members", (0..=USERS).map(|n| n.to_string()).collect())), "INVALID_BODY");
    }

    #[test]
    fn tags_are_named_and_bounded() {
        assert_eq!(code(tags("roomTags", vec!["work".into()])), "ok");
        for bad in [vec![String::new()], vec!["a\u{1}".into()], vec!["x".repeat(256)], vec!["x".into(); 101]] {
            assert_eq!(code(tags("roomTags", bad)), "INVALID_BODY");
        }
    }

    #[test]
    fn fields_are_read_one_by_one() {
        let mut fields = Map::from_iter([
            ("a".to_owned(), json!("x")),
            ("b".to_owned(), json!(1)),
            ("c".to_owned(), json!("true")),
            ("d".to_owned(), Value::Null),
        ]);
        assert_eq!(take_text(&mut fields, "a", 5).unwrap().as_deref(), Some("x"));
        assert_eq!(code(take_text(&mut fields, "b", 5)), "INVALID_BODY");
        assert_eq!(take_flag(&mut fields, "c").unwrap(), Some(true));
        assert_eq!(take_flag(&mut fields, "d").unwrap(), None);
        assert!(fields.is_empty());
    }

    #[test]
    fn limits_are_whole_numbers_within_bounds() {
        let ask = |text: &str| limit(&Query::parse(text).unwrap(), 20, 100);
        assert_eq!(ask("").unwrap(), 20);
        assert_eq!(ask("limit=100").unwrap(), 100);
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1&limit=2"] {
            assert_eq!(code(ask(bad)), "INVALID_QUERY", "{bad}");
        }
        assert_eq!(code(skip(&Query::parse("skip=99999999999").unwrap())), "INVALID_QUERY");
    }
}
