//! All that somebody can see: what stays equal when something is to stay a secret.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::common::{Caller, segment};

/// Every kind of search.
pub(crate) const SEARCHES: [&str; 6] =
    ["messages", "roomName", "roomMember", "roomTags", "roomPrefTags", "roomPrefFolder"];

/// What every reading route answers to somebody, about himself, these rooms and these words.
pub(crate) async fn sight(eyes: &Caller, rooms: &[&str], words: &[&str]) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let mut paths: Vec<String> = [
        "/me",
        "/me/pref",
        "/me/badge",
        "/roomPrefs",
        "/rooms",
        "/rooms/ids",
        "/rooms/quitted",
        "/rooms/invitations",
        "/messages/recent",
        "/messages",
        "/blockStatus/my",
        "/config",
    ]
    .map(str::to_owned)
    .to_vec();
    for room in rooms {
        let room = segment(room);
        paths.push(format!("/rooms/{room}"));
        paths.push(format!("/rooms/{room}/messages/v3"));
        paths.push(format!("/rooms/{room}/messages/v3?afterTime=0&sortOrder=asc"));
        paths.push(format!("/rooms/{room}/messages"));
        for word in words {
            paths.push(format!("/rooms/{room}/messages?q={}", segment(word)));
        }
        paths.push(format!("/rooms/{room}/exists"));
        paths.push(format!("/rooms/{room}/count"));
        paths.push(format!("/rooms/{room}/pined-messages"));
        paths.push(format!("/rooms/{room}/invitations"));
        paths.push(format!("/messages/user-delete?room={room}"));
        paths.push(format!("/blockStatus/room/{room}"));
    }
    for path in paths {
        let answer = eyes.get(&path).await;
        seen.insert(path, format!("{} {}", answer.status, without_timings(answer.body())));
    }
    let badges = eyes.post("/badges/byRoomTags", json!({"tags": []})).await;
    seen.insert("/badges/byRoomTags".to_owned(), format!("{} {}", badges.status, without_timings(badges.body())));
    for word in words {
        let answer = eyes.post("/search", json!({"type": SEARCHES, "keyword": word})).await;
        let older = format!("/messages?q={}", segment(word));
        let list = eyes.get(&older).await;
        seen.insert(older, format!("{} {}", list.status, without_timings(list.body())));
        seen.insert(format!("/search {word}"), format!("{} {}", answer.status, without_timings(answer.body())));
    }
    seen
}

/// How long an answer took differs from one to the next, and tells nothing.
fn without_timings(mut value: Value) -> Value {
    if let Some(result) = value.get_mut("result").and_then(Value::as_object_mut) {
        result.remove("inspect");
    }
    value
}

/// Asserts that nothing can be told apart, and says what can.
#[track_caller]
pub(crate) fn expect_same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    for (path, was) in before {
        assert_eq!(Some(was), after.get(path), "{path}");
    }
    assert_eq!(before.len(), after.len());
}

/// Every key in a value, at any depth.
pub(crate) fn keys(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| keys(one, into)),
        Value::Object(fields) => fields.iter().for_each(|(key, one)| {
            into.push(key.clone());
            keys(one, into);
        }),
        _ => {}
    }
}
