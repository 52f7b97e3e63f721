//! T-4: two histories that differ only in what a blocked or banned user was refused leave everybody else's
//! whole view, every answer and every byte on a socket, equal.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::common::{Caller, House};
use crate::host::other_app;
use crate::sight::sight;
use crate::socket::decoded;

/// Names made from chance and time become the order in which they appear; times become one word.
#[derive(Default)]
struct Plain {
    ids: HashMap<String, usize>,
}

impl Plain {
    fn text(&mut self, text: &str) -> String {
        let digits = |text: &str| text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits(text) {
            let next = self.ids.len();
            return format!("#{}", self.ids.entry(text.to_owned()).or_insert(next));
        }
        if text.len() == 24 && text.ends_with('Z') && text.contains('T') {
            return "time".to_owned();
        }
        if text.starts_with("App") { "app".to_owned() } else { text.to_owned() }
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.text(text)),
            Value::Number(number) if number.as_i64().is_some_and(|number| number > 1_000_000_000_000) => "time".into(),
            Value::Array(all) => all.iter().map(|one| self.value(one)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, one)| (name.clone(), self.value(one)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
}

/// Everything somebody can see and has heard, in plain words.
async fn view(house: &House, eyes: &Caller, rooms: &[&str], heard: Vec<(String, Value)>) -> Vec<String> {
    let mut plain = Plain::default();
    let mut all = Vec::new();
    for (path, answer) in sight(eyes, rooms, &["hello", "psst"]).await {
        let (status, body) = answer.split_once(' ').expect("a status and a body");
        let body: Value = serde_json::from_str(body).expect("JSON");
        all.push(format!("{path} {status} {}", plain.value(&body)));
    }
    for (event, payload) in heard {
        let payload = decoded(&payload);
        if !payload["_id"].as_str().is_some_and(|id| id.starts_with("fence-")) {
            all.push(format!("{event} {}", plain.value(&payload)));
        }
    }
    // The rooms that mark a moment are numbered through all tests.
    all.retain(|line| !line.contains("fence-"));
    assert!(all.len() > 10, "there is something to compare: {}", house.base());
    all
}

/// Everything Bob tries where he is shut out. Each is refused, or shows to him alone.
async fn tries_everything(house: &House, bob: &Caller, room: &str, of_ann: &str, his: &str) {
    bob.says(room, "psst").await.expect_some_refusal();
    bob.edits(room, his, "psst").await.expect_some_refusal();
    bob.reacts(of_ann, "like").await.expect_some_refusal();
    bob.unreacts(of_ann, "like").await.expect_some_refusal();
    bob.pins(his).await.expect_some_refusal();
    bob.erases(room, of_ann).await.expect_some_refusal();
    bob.updates(room, json!({"name": "psst"})).await.expect_some_refusal();
    bob.updates(room, json!({"roomType": "group", "status": 0})).await.expect_some_refusal();
    bob.sets(room, "bob", "mood", "psst").await.expect_some_refusal();
    bob.invites(room, ["cat"]).await.expect_some_refusal();
    bob.posts(&format!("/messages/{of_ann}/hidden")).await.expect_some_refusal();
    bob.post(&format!("/rooms/{room}/typing"), json!({"message": "psst"})).await.expect_some_refusal();
    bob.marks_read(room, of_ann).await.expect_ok();
    bob.post("/messages/user-delete", json!({"room": room, "messages": [of_ann]})).await.expect_ok();
    bob.post(&format!("/roomPrefs/{room}"), json!({"sticky": true})).await.expect_ok();
    bob.posts(&format!("/me/mute/{room}")).await.expect_ok();
    let words = json!({"room": room, "sender": "bob", "messageType": "text", "message": "psst"});
    house.platform().post("/messages", words).await.expect_some_refusal();
    let batch = json!({"messageType": "text", "message": "psst", "paras": [{"room": room}]});
    assert_eq!(bob.post("/messages/batch", batch).await.expect_ok()["refused"], 1);
    if let Some(socket) = house.listens(bob).await {
        let sent = socket.asks("chat message", json!([{"room": room, "message": "psst"}])).await;
        assert_eq!(sent["RC"], 403, "{sent}");
        socket.asks("typing", json!([room])).await;
    }
}

/// One history: Ann blocks Bob, or bans him from the den; with or without what he tries then.
async fn history(house: &House, block: bool, tries: bool) -> Option<Vec<String>> {
    house.room("den").owner("ann").members(["bob", "cat"]).await;
    let dm = house.direct("ann", "bob").await;
    let [ann, bob, cat] = house.users(["ann", "bob", "cat"]).await;
    let room = if block { dm.as_str() } else { "den" };
    let of_ann = ann.said(room, "hello").await;
    let his = bob.said(room, "hello you").await;
    // Bob has logged in before in both, so that his last login is no difference.
    let at_first = house.listens(&bob).await?;
    let socket = house.listens(&ann).await?;
    if block { ann.blocks("bob").await } else { ann.bans("den", "bob").await }.expect_ok();
    // What is told of it shows the room as it is then: before the next words in both.
    socket.hears("blockStatus", |_| true).await;
    if tries {
        tries_everything(house, &bob, room, &of_ann, &his).await;
    }
    cat.said("den", "hello after").await;
    let heard = socket.heard_until_now(house, &ann).await;
    let mut seen = view(house, &ann, &[room, "den"], heard).await;
    drop(at_first);
    seen.sort();
    Some(seen)
}

each_store! {
    async fn t_04_a_blocked_users_refused_acts_change_nothing_for_the_blocker(house: House) {
        let Some(with) = history(&house, true, true).await else { return };
        let without = history(&other_app(&house).await, true, false).await.unwrap();
        assert_eq!(with, without);
    }

    async fn t_04_a_banned_users_refused_acts_change_nothing_for_the_owner(house: House) {
        let Some(with) = history(&house, false, true).await else { return };
        let without = history(&other_app(&house).await, false, false).await.unwrap();
        assert_eq!(with, without);
    }
}
