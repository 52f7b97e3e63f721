//! What is refused is refused on each of somebody's devices, old or new, over REST and over his sockets; and on
//! none of the others' devices is anything heard of it.

use serde_json::{Value, json};

use crate::common::{Caller, House};
use crate::socket::{Heard, Socket};

/// One of somebody's devices: a token of its own, and a socket that came by it.
struct Device {
    caller: Caller,
    socket: Socket,
}

/// A new device. `None`: there are no clients here.
async fn device(house: &House, id: &str) -> Option<Device> {
    let issued =
        house.platform().post("/admin/clients", json!({"_id": id, "issueAccessToken": true})).await.expect_ok();
    let caller = house.bearer(id, issued["token"].as_str().expect("a token"));
    let socket = house.listens(&caller).await?;
    Some(Device { caller, socket })
}

/// Everything he may not do where he is shut out, by both ways.
async fn is_refused_everything(device: &Device, room: &str, (of_ann, his): (&str, &str), code: &str) {
    let Device { caller, socket } = device;
    for refused in [
        caller.says(room, "psst").await,
        caller.edits(room, his, "psst").await,
        caller.reacts(of_ann, "like").await,
        caller.unreacts(of_ann, "like").await,
        caller.pins(his).await,
        caller.updates(room, json!({"name": "psst"})).await,
        caller.uploads("chatserver-upload", room, "a.txt", "text/plain", "psst").await,
        caller.post(&format!("/rooms/{room}/typing"), json!({"message": "psst"})).await,
    ] {
        assert_eq!(refused.status, 403, "{refused}");
        assert_eq!(refused.body()["error"]["code"], code, "{refused}");
    }
    let batch = json!({"messageType": "text", "message": "psst", "paras": [{"room": room}]});
    assert_eq!(caller.post("/messages/batch", batch).await.expect_ok()["refused"], 1);
    for said in [
        json!({"room": room, "message": "psst"}),
        json!({"room": room, "messageType": "text", "_id": his, "message": "psst"}),
    ] {
        let refused = socket.asks("chat message", json!([said])).await;
        assert_eq!((&refused["RC"], &refused["error"]["code"]), (&json!(403), &json!(code)), "{refused}");
    }
    socket.tells("typing", json!([room])).await;
    assert_eq!(socket.asks("typing", json!([{"room": room, "message": "ps"}])).await["RC"], 0, "R-10");
}

/// All that is no sign of the test's own.
fn told(heard: Heard) -> Vec<(String, Value)> {
    let own = |payload: &Value| payload["_id"].as_str().is_some_and(|id| id.starts_with("fence-"));
    heard.into_iter().filter(|(_, payload)| !own(payload)).collect()
}

each_store! {
    async fn l_01_l_03_l_04_l_05_l_10_l_21_l_37_n_01_n_02_n_06_n_11_hold_on_every_device_by_every_way(house: House) {
        house.room("den").owner("ann").members(["bob", "cat"]).await;
        let dm = house.direct("ann", "bob").await;
        let [ann, bob] = house.users(["ann", "bob"]).await;
        let mut messages = Vec::new();
        for room in [dm.as_str(), "den"] {
            messages.push((ann.said(room, "hello").await, bob.said(room, "hello you").await));
        }
        let Some(old) = device(&house, "bob").await else { return };
        let second = device(&house, "bob").await.expect("a device");
        let listening = [device(&house, "ann").await.expect("a device"), device(&house, "ann").await.expect("a device")];
        let at_cats = device(&house, "cat").await.expect("a device");
        ann.blocks("bob").await.expect_ok();
        ann.bans("den", "bob").await.expect_ok();
        let new = device(&house, "bob").await.expect("a device");
        let mut before = Vec::new();
        for Device { caller, socket } in listening.iter().chain([&at_cats]) {
            before.push(told(socket.heard_until_now(&house, caller).await));
        }
        for device in [&old, &second, &new] {
            for (room, (of_ann, his)) in [dm.as_str(), "den"].into_iter().zip(&messages) {
                let code = if room == "den" { "USER_BANNED" } else { "USER_BLOCKED" };
                is_refused_everything(device, room, (of_ann, his), code).await;
            }
        }
        for (Device { caller, socket }, before) in listening.iter().chain([&at_cats]).zip(before) {
            assert_eq!(told(socket.heard_until_now(&house, caller).await), before, "{}", caller.id);
        }
        // L-02: from none of Ann's devices either, and Bob's hear as little.
        let before = told(old.socket.heard_until_now(&house, &old.caller).await);
        for device in &listening {
            is_refused_everything(device, &dm, (&messages[0].1, &messages[0].0), "USER_BLOCKED").await;
        }
        assert_eq!(told(old.socket.heard_until_now(&house, &old.caller).await), before);
        for room in [dm.as_str(), "den"] {
            assert_eq!(house.said(room).await, ["hello", "hello you"]);
        }
    }
}
