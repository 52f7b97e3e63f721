//! What an object looks like: its fields, and of what kind each is.

use std::collections::BTreeSet;

use serde_json::Value;

/// A value, once it is known to have these fields and no other.
#[track_caller]
pub(crate) fn expect_fields(value: &Value, fields: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    let found: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = fields.iter().copied().collect();
    assert_eq!(found, expected, "in {value}");
}

/// A time as the wire writes it: `2021-08-04T15:18:10.735Z`. Returns its milliseconds.
#[track_caller]
pub(crate) fn expect_time(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("not a time: {value}"));
    assert!(text.len() == 24 && text.ends_with('Z'), "not a time to the millisecond: {text}");
    let time: jiff::Timestamp = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    time.as_millisecond()
}

/// A whole number, and not a float that happens to be one.
#[track_caller]
pub(crate) fn expect_whole(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a whole number: {value}"))
}

/// The short view of a user made by the house.
#[track_caller]
pub(crate) fn expect_short_user(value: &Value, id: &str, nickname: &str) {
    expect_fields(value, &["_id", "id", "nickname", "avatarUrl", "lastLoginTimeMS"]);
    assert_eq!((&value["_id"], &value["id"], &value["nickname"]), (&id.into(), &id.into(), &nickname.into()));
    assert_eq!(value["avatarUrl"], format!("http://pictures.example/{id}"));
    expect_whole(&value["lastLoginTimeMS"]);
}

/// The short view of a room.
#[track_caller]
pub(crate) fn expect_short_room(value: &Value, id: &str, kind: &str) {
    expect_fields(value, &["_id", "id", "roomType", "createdTimeMS"]);
    assert_eq!((&value["_id"], &value["id"], &value["roomType"]), (&id.into(), &id.into(), &kind.into()));
    assert!(expect_whole(&value["createdTimeMS"]) > 0);
}

/// Fields of the documented examples that a server may leave out (`spec/model.md`): where a user
/// connects from, what a query was compiled to, and that one deleted a message for himself.
const OPTIONAL: [&str; 5] = ["__v", "address", "userAgent", "inspect", "isDeleted"];

/// An answer has every field of the documented example of this name, each of the same kind.
#[track_caller]
pub(crate) fn expect_documented(answer: &crate::common::Answer, example: &str) {
    let examples: Value = serde_json::from_str(include_str!("../golden/answers.json")).expect("examples");
    let expected = examples.get(example).unwrap_or_else(|| panic!("no example {example}"));
    assert_eq!(answer.status, 200, "{answer}");
    let body = answer.body();
    if let Err(what) = alike(expected, &body, "") {
        panic!("{example}: {what}: {answer}");
    }
}

/// Is `found` of the shape of `expected`? Lists are alike when the first of each is.
fn alike(expected: &Value, found: &Value, path: &str) -> Result<(), String> {
    let same = match (expected, found) {
        (Value::Object(fields), Value::Object(_)) => {
            for (name, expected) in fields.iter().filter(|(name, _)| !OPTIONAL.contains(&name.as_str())) {
                let found = found.get(name).ok_or_else(|| format!("{path}.{name} is missing"))?;
                alike(expected, found, &format!("{path}.{name}"))?;
            }
            true
        }
        (Value::Array(expected), Value::Array(found)) => match (expected.first(), found.first()) {
            (Some(expected), Some(found)) => return alike(expected, found, &format!("{path}[0]")),
            (Some(Value::Object(_)), None) => return Err(format!("{path} is empty")),
            _ => true,
        },
        (Value::Number(expected), Value::Number(found)) => expected.is_f64() == found.is_f64(),
        (expected, found) => std::mem::discriminant(expected) == std::mem::discriminant(found),
    };
    if same { Ok(()) } else { Err(format!("{path} is {found}, documented as {expected}")) }
}
